/* SPDX-License-Identifier: GPL-2.0 */
/* The control socket's connections: lines in, lines out, with a bound on both. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <urcu/list.h>

#include "conf.h"
#include "ctl/ctl.h"
#include "node.h"
#include "runtime.h"

#define CONNECTIONS_MAX	32

struct connection {
	struct tp_watch watch;
	struct tp_ctl *ctl;
	size_t in_size;
	char *out;			/* what of a response is not yet written */
	size_t out_size, out_done;
	struct cds_list_head node;	/* oldest first */
	char in[TP_CTL_REQUEST_SIZE];
};

struct tp_ctl {
	struct tp_watch watch;
	struct tp_node *node;
	char *path;
	char *folder;		/* made for it, or NULL */
	unsigned int connections;
	struct cds_list_head list;
	int spare_fd;		/* given up to be heard when relay sockets have taken all others; -1: in use */
};

static void spare_open(struct tp_ctl *ctl)
{
	if (ctl->spare_fd < 0)
		ctl->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void connection_close(struct connection *c)
{
	tp_loop_remove(c->ctl->node->loop, &c->watch);
	close(c->watch.fd);
	cds_list_del(&c->node);
	c->ctl->connections--;
	spare_open(c->ctl);
	free(c->out);
	free(c);
}

/* False: closed. */
static bool connection_write(struct connection *c)
{
	while (c->out_done < c->out_size) {
		ssize_t n = send(c->watch.fd, c->out + c->out_done, c->out_size - c->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return tp_loop_modify(c->ctl->node->loop, &c->watch, EPOLLOUT) == 0;
		if (n < 0) {
			connection_close(c);
			return false;
		}
		c->out_done += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	return tp_loop_modify(c->ctl->node->loop, &c->watch, EPOLLIN) == 0;
}

/* The line at the front of what was read; false: none whole, or one is being answered, or closed. */
static bool connection_answer(struct connection *c)
{
	char *end = memchr(c->in, '\n', c->in_size);
	json_t *response;
	size_t size;

	if (c->out || !end)
		return false;
	response = tp_ctl_answer(c->ctl->node, c->in, (size_t)(end - c->in));
	size = (size_t)(end + 1 - c->in);
	memmove(c->in, end + 1, c->in_size - size);
	c->in_size -= size;
	c->out = response ? json_dumps(response, JSON_COMPACT) : NULL;
	json_decref(response);
	if (!c->out) {
		connection_close(c);
		return false;
	}
	/* The end of the text becomes the end of the line: no byte of JSON is a line feed. */
	c->out_size = strlen(c->out) + 1;
	c->out[c->out_size - 1] = '\n';
	c->out_done = 0;
	return connection_write(c);
}

static void connection_event(struct tp_watch *watch, uint32_t events)
{
	struct connection *c = watch->arg;
	ssize_t n;

	if (c->out) {
		if (!connection_write(c) || c->out)
			return;
	} else {
		n = recv(watch->fd, c->in + c->in_size, sizeof(c->in) - c->in_size, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* A request that fills the buffer without an end of line is none. */
		if (n <= 0) {
			connection_close(c);
			return;
		}
		c->in_size += (size_t)n;
		if (c->in_size == sizeof(c->in) && !memchr(c->in, '\n', c->in_size)) {
			connection_close(c);
			return;
		}
	}
	while (connection_answer(c))
		;
}

/* Without a descriptor left accept4() says so before it looks whether anybody waits. */
static bool is_waited_for(const struct tp_ctl *ctl)
{
	struct pollfd listener = { .fd = ctl->watch.fd, .events = POLLIN };

	return poll(&listener, 1, 0) > 0;
}

static int accept_one(struct tp_ctl *ctl)
{
	int fd = accept4(ctl->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
		return fd;
	if (ctl->spare_fd < 0 && ctl->connections)
		connection_close(cds_list_entry(ctl->list.next, struct connection, node));
	if (ctl->spare_fd < 0)
		return -1;
	close(ctl->spare_fd);
	ctl->spare_fd = -1;
	return accept4(ctl->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void connection_open(struct tp_ctl *ctl, int fd)
{
	struct connection *c;

	if (ctl->connections == CONNECTIONS_MAX)
		connection_close(cds_list_entry(ctl->list.next, struct connection, node));
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->ctl = ctl;
	c->watch.fd = fd;
	c->watch.fn = connection_event;
	c->watch.arg = c;
	if (tp_loop_add(ctl->node->loop, &c->watch, EPOLLIN) < 0) {
		close(fd);
		free(c);
		return;
	}
	cds_list_add_tail(&c->node, &ctl->list);
	ctl->connections++;
}

/* Edge-triggered: a connection that cannot be accepted now waits for the next one instead of waking the loop for ever. */
static void ctl_accept(struct tp_watch *watch, uint32_t events)
{
	struct tp_ctl *ctl = watch->arg;
	int fd;

	while (is_waited_for(ctl)) {
		fd = accept_one(ctl);
		if (fd < 0)
			return;
		connection_open(ctl, fd);
	}
}

/* Makes the last folder of the path where it is missing: /run is empty after a boot. The folder, if it was made. */
static char *make_folder(const char *path)
{
	char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;

	if (slash && slash != folder) {
		*slash = 0;
		if (mkdir(folder, 0755) == 0 && chmod(folder, 0755) == 0)
			return folder;
	}
	free(folder);
	return NULL;
}

/* A socket that nobody answers at is left from a daemon that was killed. */
static int remove_stale(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(name->sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			err = -EEXIST;
		else if (connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0)
			err = -EADDRINUSE;
		else if (errno == ECONNREFUSED && unlink(name->sun_path) < 0)
			err = -errno;
	}
	close(fd);
	return err;
}

static int ctl_bind(const struct sockaddr_un *name, bool group)
{
	int fd, err = remove_stale(name);

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Whoever may connect may end calls and make credentials: the owner, with proc-group its members too. */
	if (bind(fd, (const struct sockaddr *)name, sizeof(*name)) < 0 ||
	    chmod(name->sun_path, group ? 0660 : 0600) < 0 || listen(fd, 16) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void explain(const char *path, int err, char *text, size_t size)
{
	switch (-err) {
	case EADDRINUSE:
		snprintf(text, size, "another turnpiked answers at %s: end it, or give this one another control-socket",
			 path);
		break;
	case EEXIST:
		snprintf(text, size, "%s is there and is no socket: remove it, or set control-socket", path);
		break;
	case ENAMETOOLONG:
		snprintf(text, size, "control-socket: %s is too long for a socket's name (107 bytes)", path);
		break;
	case EACCES:
	case EPERM:
	case ENOENT:
		snprintf(text, size, "cannot make the control socket %s: %s; set control-socket to a path in a folder "
			 "that this user may write to", path, strerror(-err));
		break;
	default:
		snprintf(text, size, "cannot make the control socket %s: %s", path, strerror(-err));
	}
}

int tp_ctl_open(struct tp_node *node, const char *path, struct tp_ctl **ret, char *err, size_t err_size)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct tp_ctl *ctl = calloc(1, sizeof(*ctl));
	int res = strlen(path) < sizeof(name.sun_path) ? 0 : -ENAMETOOLONG;

	if (!ctl)
		return -ENOMEM;
	CDS_INIT_LIST_HEAD(&ctl->list);
	ctl->spare_fd = -1;
	if (!res) {
		strcpy(name.sun_path, path);
		ctl->folder = make_folder(path);
		res = ctl_bind(&name, tp_runtime_current()->conf->proc_group != NULL);
	}
	if (res < 0) {
		explain(path, res, err, err_size);
		free(ctl->folder);
		free(ctl);
		return res;
	}
	ctl->node = node;
	ctl->path = strdup(path);
	ctl->watch.fd = res;
	ctl->watch.fn = ctl_accept;
	ctl->watch.arg = ctl;
	res = ctl->path ? tp_loop_add(node->loop, &ctl->watch, EPOLLIN | EPOLLET) : -ENOMEM;
	if (res) {
		explain(path, res, err, err_size);
		close(ctl->watch.fd);
		unlink(path);
		free(ctl->folder);
		free(ctl->path);
		free(ctl);
		return res;
	}
	spare_open(ctl);
	*ret = ctl;
	return 0;
}

void tp_ctl_close(struct tp_ctl *ctl)
{
	if (!ctl)
		return;
	while (!cds_list_empty(&ctl->list))
		connection_close(cds_list_entry(ctl->list.next, struct connection, node));
	tp_loop_remove(ctl->node->loop, &ctl->watch);
	close(ctl->watch.fd);
	if (ctl->spare_fd >= 0)
		close(ctl->spare_fd);
	unlink(ctl->path);
	if (ctl->folder)
		rmdir(ctl->folder);
	free(ctl->folder);
	free(ctl->path);
	free(ctl);
}

const char *tp_ctl_folder(const struct tp_ctl *ctl)
{
	return ctl->folder;
}

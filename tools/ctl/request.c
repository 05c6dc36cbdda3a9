/* SPDX-License-Identifier: GPL-2.0 */
/* One request to the daemon's control socket and its answer; what went wrong is said with what to do about it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tool.h"

/* Longer than the daemon waits for a worker. */
#define TIMEOUT_S 20

static void explain(const char *path, int err)
{
	switch (err) {
	case ENOENT:
		fprintf(stderr, "turnpikectl: no daemon: there is no %s; start turnpiked, or name its control-socket with "
			"--socket\n", path);
		break;
	case ECONNREFUSED:
		fprintf(stderr, "turnpikectl: no daemon answers at %s; start turnpiked again\n", path);
		break;
	case EACCES:
	case EPERM:
		fprintf(stderr, "turnpikectl: no permission to use %s; run as root, as proc-user, or in proc-group\n", path);
		break;
	case EAGAIN:
		fprintf(stderr, "turnpikectl: the daemon at %s does not answer; see its log\n", path);
		break;
	default:
		fprintf(stderr, "turnpikectl: %s: %s\n", path, strerror(err));
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	int fd;

	if (strlen(path) >= sizeof(name.sun_path)) {
		explain(path, ENAMETOOLONG);
		return -1;
	}
	strcpy(name.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0) {
		explain(path, errno);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int send_line(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t size = text ? strlen(text) : 0, done = 0;
	int err = text ? 0 : ENOMEM;

	if (text)
		text[size++] = '\n';
	while (!err && done < size) {
		ssize_t n = send(fd, text + done, size - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			err = errno;
		else if (n > 0)
			done += (size_t)n;
	}
	free(text);
	return err;
}

static size_t read_socket(void *buffer, size_t size, void *data)
{
	ssize_t n = recv(*(int *)data, buffer, size, 0);

	return n < 0 ? (size_t)-1 : (size_t)n;
}

json_t *tool_request(const struct tool *tool, const char *command, json_t *arguments)
{
	json_t *request = arguments ? arguments : json_object(), *response, *result = NULL;
	json_error_t why;
	int fd = connect_to(tool->socket), err;

	json_object_set_new(request, "command", json_string(command));
	err = fd < 0 ? 0 : send_line(fd, request);
	json_decref(request);
	if (fd < 0)
		return NULL;
	if (err) {
		explain(tool->socket, err);
		close(fd);
		return NULL;
	}
	errno = 0;
	response = json_load_callback(read_socket, &fd, JSON_DISABLE_EOF_CHECK, &why);
	if (!response)
		explain(tool->socket, errno ? errno : ECONNREFUSED);
	else if (json_is_true(json_object_get(response, "ok")))
		result = json_incref(json_object_get(response, "result"));
	else
		fprintf(stderr, "turnpikectl: %s\n", json_string_value(json_object_get(response, "error")) ?: "no answer");
	json_decref(response);
	close(fd);
	return result;
}

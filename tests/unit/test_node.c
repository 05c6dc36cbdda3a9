/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The whole daemon in this process, on loopback with datapath=user: its control
 * socket, a reload that is refused and one that moves a listening address, random
 * datagrams, a drain. No root.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "conf.h"
#include "ctl/ctl.h"
#include "lib/tap.h"
#include "log.h"
#include "node.h"
#include "stun/stun.h"

static char folder[] = "/tmp/turnpike-node.XXXXXX";
static char conf_path[64], socket_path[64];
static uint16_t port;
static int started = -1, status = -1;

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* A UDP and TCP port that nobody has, next to one that is free as well. */
static uint16_t free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	bind(fd, (struct sockaddr *)&sin, sizeof(sin));
	getsockname(fd, (struct sockaddr *)&sin, &size);
	close(fd);
	return ntohs(sin.sin_port);
}

static void write_conf(const char *extra)
{
	FILE *f = fopen(conf_path, "w");

	fprintf(f, "relay-ip=127.0.0.1\nlistening-port=%u\nrealm=turn.test\nuser=alice:secret1\n"
		"use-auth-secret\nstatic-auth-secret=north\nallow-loopback-peers\nno-tls\nno-dtls\ndatapath=user\n"
		"relay-threads=3\nmax-allocations=100\ncontrol-socket=%s\nstate-dir=%s\n%s", port, socket_path, folder, extra);
	fclose(f);
}

static void *run(void *arg)
{
	struct tp_conf_report report = { 0 };
	struct tp_node node = { 0 };
	struct tp_conf *conf;

	rcu_register_thread();
	if (tp_conf_load(conf_path, NULL, 0, &conf, &report) == 0) {
		started = tp_node_init(&node, conf);
		status = started ? 1 : tp_node_run(&node);
		tp_node_fini(&node);
	} else {
		tp_conf_report_print(&report, stdout);
	}
	tp_conf_report_fini(&report);
	rcu_unregister_thread();
	return NULL;
}

static int control_connect(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(name.sun_path, socket_path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	close(fd);
	return -1;
}

static size_t read_socket(void *buffer, size_t size, void *data)
{
	ssize_t n = recv(*(int *)data, buffer, size, 0);

	return n < 0 ? (size_t)-1 : (size_t)n;
}

/* The response to a request line; NULL: none came. */
static json_t *ask(const char *request)
{
	int fd = control_connect();
	json_t *response;

	if (fd < 0)
		return NULL;
	send(fd, request, strlen(request), MSG_NOSIGNAL);
	send(fd, "\n", 1, MSG_NOSIGNAL);
	response = json_load_callback(read_socket, &fd, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, NULL);
	close(fd);
	return response;
}

static json_t *result_of(const char *request)
{
	json_t *response = ask(request), *result = json_incref(json_object_get(response, "result"));

	if (!json_is_true(json_object_get(response, "ok")))
		printf("# %s: %s\n", request, json_string_value(json_object_get(response, "error")) ?: "no answer");
	json_decref(response);
	return result;
}

static void refused(const char *request, const char *says, const char *name)
{
	json_t *response = ask(request);
	const char *error = json_string_value(json_object_get(response, "error"));

	if (!check(json_is_false(json_object_get(response, "ok")) && error && strstr(error, says), "refused: %s", name))
		printf("# says: %s\n", error ? error : "nothing");
	json_decref(response);
}

static bool wait_until_ready(void)
{
	for (int i = 0; i < 2000 && status < 0; i++) {
		int fd = control_connect();

		if (fd >= 0) {
			close(fd);
			return true;
		}
		pause_ms(10);
	}
	return false;
}

static int client_socket(const char *ip)
{
	struct sockaddr_storage ss;
	struct timeval timeout = { .tv_usec = 500000 };
	struct tp_addr addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	tp_addr_parse(ip, &addr);
	addr.port = port;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&ss, tp_addr_to_sockaddr(&addr, &ss)) < 0)
		perror("# connect");
	return fd;
}

/* A Binding request, sent again until it is answered or `tries` are used up (RFC 8489 section 6.2.1). */
static bool binding_answered(int fd, int tries)
{
	uint8_t request[64], answer[512];
	struct tp_stun_id id = { .bytes = { 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };
	struct tp_stun_writer w;
	struct tp_stun_msg msg;

	tp_stun_begin(&w, request, sizeof(request), TP_STUN_BINDING, TP_STUN_REQUEST, &id);
	for (int i = 0; i < tries; i++) {
		ssize_t n;

		send(fd, request, (size_t)tp_stun_finish(&w), 0);
		n = recv(fd, answer, sizeof(answer), 0);
		if (n > 0 && tp_stun_parse(answer, (size_t)n, &msg) == 0 && msg.class == TP_STUN_SUCCESS)
			return true;
	}
	return false;
}

static bool binds(const char *ip, int tries)
{
	int fd = client_socket(ip);
	bool res = binding_answered(fd, tries);

	close(fd);
	return res;
}

static void test_requests(void)
{
	static const char *const keys[] = { "allocations", "relayed", "reasons", "turn", "net" };
	json_t *r = result_of("{\"command\": \"stats\"}"), *relayed = json_object_get(r, "relayed");
	char *long_line;
	int fd;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		check(json_object_get(r, keys[i]) != NULL, "stats has %s", keys[i]);
	check(json_is_integer(json_object_get(json_object_get(relayed, "kernel"), "packets")) &&
	      json_is_integer(json_object_get(json_object_get(relayed, "user"), "bytes")), "relayed: kernel and user");
	json_decref(r);
	r = result_of("{\"command\": \"list\"}");
	check(json_is_array(r) && json_array_size(r) == 0, "list is an array, empty without allocations");
	json_decref(r);
	r = result_of("{\"command\": \"status\"}");
	check(strcmp(json_string_value(json_object_get(r, "datapath")) ?: "", "user") == 0, "status names the data path");
	check_eq(json_integer_value(json_object_get(r, "workers")), 3, "and the worker threads");
	json_decref(r);
	r = result_of("{\"command\": \"rules\"}");
	check(json_is_array(r), "rules is an array");
	json_decref(r);
	refused("{\"command\": \"dance\"}", "no command", "a command that does not exist");
	refused("{\"command\": 5}", "one line of JSON", "a command that is no text");
	refused("not JSON", "one line of JSON", "a line that is no JSON");
	refused("{\"command\": \"list\", \"command\": \"kill\"}", "one line of JSON", "a key given twice");
	refused("{\"command\": \"show\", \"id\": \"12345\"}", "no allocation", "an allocation that is not there");
	refused("{\"command\": \"show\", \"id\": \"0x1\"}", "hexadecimal", "an id that is none");
	refused("{\"command\": \"show\"}", "hexadecimal", "no id");
	refused("{\"command\": \"kill\", \"user\": \"nobody\"}", "no such allocation", "a user without allocations");
	refused("{\"command\": \"credentials\", \"ttl_s\": 0}", "seconds", "credentials that last 0 s");
	refused("{\"command\": \"drain\", \"timeout_s\": -1}", "seconds", "a drain of negative length");

	/* A request without an end: the connection closes, and the daemon has lost nothing. */
	long_line = malloc(70000);
	memset(long_line, ' ', 70000);
	fd = control_connect();
	send(fd, long_line, 70000, MSG_NOSIGNAL);
	check(recv(fd, long_line, 10, 0) <= 0, "a request of more than 64 KiB ends its connection");
	close(fd);
	free(long_line);
}

static void test_credentials(void)
{
	json_t *r = result_of("{\"command\": \"credentials\", \"user\": \"carol\", \"ttl_s\": 60, \"host\": \"2001:db8::1\"}");
	const char *name = json_string_value(json_object_get(r, "username")) ?: "";
	json_t *server = json_array_get(json_object_get(r, "iceServers"), 0);
	char url[64];

	check(strtoull(name, NULL, 10) >= (uint64_t)time(NULL) + 50 && strstr(name, ":carol"), "a user name expiry:user");
	snprintf(url, sizeof(url), "turn:[2001:db8::1]:%u?transport=udp", port);
	check(strcmp(json_string_value(json_array_get(json_object_get(server, "urls"), 0)) ?: "", url) == 0,
	      "an URL with brackets (RFC 7065 section 3.1)");
	check(json_equal(json_object_get(server, "credential"), json_object_get(r, "password")) &&
	      json_equal(json_object_get(server, "username"), json_object_get(r, "username")), "the same credentials in both");
	check_eq(json_string_length(json_object_get(r, "password")), 28, "20 bytes of HMAC-SHA1 in base64");
	json_decref(r);
}

static unsigned int open_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_random(void)
{
	unsigned int before = open_descriptors();
	uint8_t data[1500];
	int fd = client_socket("127.0.0.1");

	srandom(5);
	for (int i = 0; i < 10000; i++) {
		size_t size = (size_t)random() % (i % 10 ? 200 : sizeof(data));

		for (size_t k = 0; k < size; k++)
			data[k] = (uint8_t)random();
		/* Half of them with a first byte and a cookie that get further. */
		if (i % 2 && size > 8) {
			data[0] &= 0x7f;
			memcpy(data + 4, (const uint8_t[]){ 0x21, 0x12, 0xa4, 0x42 }, 4);
		}
		send(fd, data, size, MSG_DONTWAIT);
	}
	close(fd);
	check(binds("127.0.0.1", 20), "after 10,000 random datagrams it answers");
	/* The daemon's end of an earlier control connection may have been counted, and be closed by now. */
	check(open_descriptors() <= before, "and has no more descriptors than before");
}

static void test_reload(void)
{
	char extra[128];
	json_t *r;

	write_conf("listening-ip=127.0.0.1\nmax-port=70000\n");
	refused("{\"command\": \"reload\"}", "", "a reload of a bad file");
	check(binds("127.0.0.1", 20), "and everything is as before");
	snprintf(extra, sizeof(extra), "listening-ip=127.0.0.1\nlistening-ip=192.0.2.77\n");
	write_conf(extra);
	refused("{\"command\": \"reload\"}", "192.0.2.77", "a reload with an address that is not here");
	check(binds("127.0.0.1", 20), "and everything is as before");
	check(!binds("127.0.0.2", 1), "nobody listens on the second address");
	write_conf("listening-ip=127.0.0.1\nlistening-ip=127.0.0.2\n");
	r = result_of("{\"command\": \"reload\"}");
	check(r && binds("127.0.0.2", 20) && binds("127.0.0.1", 20), "a reload adds a listening address");
	json_decref(r);
	write_conf("listening-ip=127.0.0.2\n");
	r = result_of("{\"command\": \"reload\"}");
	check(r && binds("127.0.0.2", 20), "a reload takes the first one away");
	check(!binds("127.0.0.1", 1), "where nothing starts any more");
	json_decref(r);
	write_conf("listening-ip=127.0.0.1\n");
	r = result_of("{\"command\": \"reload\"}");
	check(r && binds("127.0.0.1", 20), "and back, while the retired sockets may still be there");
	json_decref(r);
}

static void test_second_daemon(void)
{
	struct tp_ctl *ctl;
	struct stat st;
	char err[512];

	check(stat(socket_path, &st) == 0 && (st.st_mode & 0777) == 0600, "the control socket is its owner's alone");
	check_eq(tp_ctl_open(NULL, socket_path, &ctl, err, sizeof(err)), -EADDRINUSE, "a second daemon does not take it over");
	check(strstr(err, "another turnpiked") != NULL, "and says so");
}

static void test_drain(pthread_t thread)
{
	json_t *r = result_of("{\"command\": \"drain\"}");
	struct stat st;

	check(r != NULL, "a drain without allocations");
	json_decref(r);
	pthread_join(thread, NULL);
	check_eq(status, 0, "ends the daemon with status 0");
	check(stat(socket_path, &st) < 0, "and no control socket is left");
}

int main(void)
{
	sigset_t set;
	pthread_t thread;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tp_log_set_level(TP_LOG_ERROR);
	if (!mkdtemp(folder))
		return 1;
	snprintf(conf_path, sizeof(conf_path), "%s/conf", folder);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	port = free_port();
	write_conf("listening-ip=127.0.0.1\n");
	pthread_create(&thread, NULL, run, NULL);
	if (check(wait_until_ready(), "the daemon starts")) {
		test_requests();
		test_credentials();
		test_second_daemon();
		check(binds("127.0.0.1", 20), "Binding is answered (RFC 8489)");
		test_random();
		test_reload();
		test_drain(thread);
	}
	unlink(conf_path);
	rmdir(folder);
	return done();
}

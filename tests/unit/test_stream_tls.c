/* SPDX-License-Identifier: GPL-2.0 */
/* TLS and plain TCP on one port, the PROXY protocol in front of both, certificates that change under connections. */
#include <openssl/err.h>

#include "lib/certificates.h"
#include "lib/stream_lab.h"
#include "net/tls_context.h"

static SSL_CTX *client_ctx;

struct tls_client {
	int fd;
	SSL *ssl;
	size_t wanted, got_size;
};

static bool handshaken(struct lab *lab, void *arg)
{
	struct tls_client *c = arg;
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(c->ssl);
	return r == 1 || (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ && SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_WRITE);
}

static bool tls_open(struct lab *lab, struct tls_client *c, int fd, int version)
{
	c->fd = fd;
	c->ssl = SSL_new(client_ctx);
	SSL_set_min_proto_version(c->ssl, version);
	SSL_set_max_proto_version(c->ssl, version);
	SSL_set_fd(c->ssl, fd);
	SSL_set_connect_state(c->ssl);
	return lab_until(lab, handshaken, c) && SSL_is_init_finished(c->ssl);
}

static void tls_close(struct tls_client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	ERR_clear_error();
}

static bool tls_answered(struct lab *lab, void *arg)
{
	struct tls_client *c = arg;
	uint8_t buf[16384];
	int n;

	ERR_clear_error();
	while ((n = SSL_read(c->ssl, buf, sizeof(buf))) > 0)
		c->got_size += (size_t)n;
	return c->got_size >= c->wanted;
}

static bool tls_get(struct lab *lab, struct tls_client *c, size_t wanted)
{
	c->wanted = wanted;
	c->got_size = 0;
	return lab_until(lab, tls_answered, c) && c->got_size == wanted;
}

static void publish(const char *name)
{
	struct tp_conf conf = { .cert = cert_path(name, "pem"), .pkey = cert_path(name, "key") };
	char err[200] = "";

	tp_tls_context_publish(tp_tls_context_new(&conf, err, sizeof(err)));
	if (err[0])
		printf("# %s\n", err);
	free(conf.cert), free(conf.pkey);
}

static bool shows(struct tls_client *c, const char *name)
{
	X509 *x = SSL_get0_peer_certificate(c->ssl);

	return x && X509_check_host(x, name, 0, 0, NULL) == 1;
}

static void test_one_port(struct lab *lab)
{
	uint8_t many[100 * 20];
	struct tls_client c = { 0 }, d = { 0 };
	int plain = lab_connect(lab);

	check(tls_open(lab, &c, lab_connect(lab), TLS1_3_VERSION), "TLS 1.3");
	check(tls_open(lab, &d, lab_connect_to("::1", lab->conf.listening_port), TLS1_2_VERSION), "TLS 1.2, over IPv6");
	send(plain, lab_binding, 20, 0);
	check(lab_get_answers(lab, plain, 1) && lab->last.tuple.transport == TP_TCP, "plain TCP on the same port");
	SSL_write(c.ssl, lab_binding, 20);
	check(tls_get(lab, &c, 20) && lab->last.tuple.transport == TP_TLS, "a message by TLS");
	for (size_t i = 0; i < 100; i++)
		memcpy(many + i * 20, lab_binding, 20);
	SSL_write(d.ssl, many, sizeof(many));
	check(tls_get(lab, &d, sizeof(many)), "a hundred in one record");
	for (size_t i = 0; i < 40; i++)
		SSL_write(d.ssl, lab_binding + i % 20, 1);
	check(tls_get(lab, &d, 40), "two in forty records");
	SSL_shutdown(c.ssl);
	check(lab_until(lab, lab_is_closed, &c.fd), "close_notify closes the connection");
	tls_close(&c);
	tls_close(&d);
	close(plain);
}

/* A client that pipelines far more than the engine's answers may wait. */
static void test_pipeline(struct lab *lab)
{
	enum { REQUESTS = 20000 };
	uint8_t *all = malloc(REQUESTS * 20);
	struct tls_client c = { 0 };
	size_t sent = 0;

	for (size_t i = 0; i < REQUESTS; i++)
		memcpy(all + i * 20, lab_binding, 20);
	check(tls_open(lab, &c, lab_connect(lab), TLS1_3_VERSION), "TLS 1.3");
	SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	while (sent < REQUESTS * 20) {
		int n = SSL_write(c.ssl, all + sent, (int)(REQUESTS * 20 - sent));

		if (n > 0)
			sent += (size_t)n;
		/* Once round the loop, reading, where the server does not take more. */
		c.wanted = 0;
		if (n <= 0)
			lab_until(lab, tls_answered, &c);
	}
	c.wanted = REQUESTS * 20;
	check(lab_until(lab, tls_answered, &c) && c.got_size == REQUESTS * 20,
	      "%d pipelined requests are all answered", REQUESTS);
	check(!lab_counters(lab).control_overflow, "and nothing overflowed");
	tls_close(&c);
	free(all);
}

static void test_certificate_change(struct lab *lab)
{
	struct tls_client old = { 0 }, new = { 0 };

	check(tls_open(lab, &old, lab_connect(lab), TLS1_3_VERSION) && shows(&old, "one.test"), "certificate one");
	publish("two");
	check(tls_open(lab, &new, lab_connect(lab), TLS1_3_VERSION) && shows(&new, "two.test"), "then certificate two");
	SSL_write(old.ssl, lab_binding, 20);
	check(tls_get(lab, &old, 20), "the connection of before goes on");
	tls_close(&old);
	tls_close(&new);
}

static bool expect_closed(struct lab *lab, int fd)
{
	bool good = lab_until(lab, lab_is_closed, &fd);

	close(fd);
	return good;
}

static bool last_is(struct lab *lab, const char *client, const char *server)
{
	char buf[TP_ADDR_STRLEN];

	return !strcmp(tp_addr_format(&lab->last.tuple.client, buf), client) &&
	       !strcmp(tp_addr_format(&lab->last.tuple.server, buf), server);
}

static const char v1[] = "PROXY TCP4 198.51.100.7 192.0.2.1 5555 443\r\n";
static const uint8_t v2_6[52] = { 13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10, 0x21, 0x21, 0, 36,
				  0x20, 1, 13, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
				  0x20, 1, 13, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0x10, 0, 0x01, 0xbb };

static void test_proxy(struct lab *lab)
{
	struct tls_client c = { 0 };
	int fd = lab_connect(lab);
	bool good = true;

	send(fd, v1, strlen(v1), 0);
	send(fd, lab_binding, 20, 0);
	check(lab_get_answers(lab, fd, 1) && last_is(lab, "198.51.100.7:5555", "192.0.2.1:443"),
	      "v1 in front of plain TCP");
	close(fd);
	fd = lab_connect(lab);
	send(fd, v2_6, sizeof(v2_6), 0);
	check(tls_open(lab, &c, fd, TLS1_3_VERSION), "v2 in front of TLS");
	SSL_write(c.ssl, lab_binding, 20);
	check(tls_get(lab, &c, 20) && last_is(lab, "[2001:db8::7]:4096", "[2001:db8::8]:443"),
	      "with the addresses it names");
	tls_close(&c);
	fd = lab_connect(lab);
	for (size_t i = 0; i < strlen(v1); i++) {
		struct lab_answers none = { .fd = fd };

		good &= send(fd, v1 + i, 1, 0) == 1 && lab_until(lab, lab_answered, &none);
	}
	send(fd, lab_binding, 20, 0);
	check(good && lab_get_answers(lab, fd, 1) && last_is(lab, "198.51.100.7:5555", "192.0.2.1:443"),
	      "v1 byte by byte");
	close(fd);
	fd = lab_connect(lab);
	send(fd, v1, 10, 0);
	shutdown(fd, SHUT_WR);
	check(expect_closed(lab, fd), "a header that ends in the middle");
	fd = lab_connect(lab);
	send(fd, lab_binding, 20, 0);
	check(expect_closed(lab, fd), "a proxy that sends none");
	check(lab_counters(lab).refused_proxy == 2, "both are counted");
}

static void test_proxy_port(struct lab *lab)
{
	struct sockaddr_storage ss;
	struct tp_addr from;
	char err[200] = "";
	int fd;

	tp_addr_parse("127.0.0.1", &lab->conf.tcp_proxy);
	lab->conf.tcp_proxy.port = lab_free_port();
	check_eq(tp_streams_configure(lab->streams, &lab->conf, err, sizeof(err)), 0, "a tcp-proxy-port %s", err);
	fd = lab_connect(lab);
	send(fd, lab_binding, 20, 0);
	check(lab_get_answers(lab, fd, 1), "the other ports take no header then, from proxies either");
	close(fd);
	fd = lab_connect_to("127.0.0.1", lab->conf.tcp_proxy.port);
	send(fd, v1, strlen(v1), 0);
	send(fd, lab_binding, 20, 0);
	check(lab_get_answers(lab, fd, 1) && last_is(lab, "198.51.100.7:5555", "192.0.2.1:443"), "this one does");
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	tp_addr_parse("127.0.0.2", &from);
	if (bind(fd, (struct sockaddr *)&ss, tp_addr_to_sockaddr(&from, &ss)))
		abort();
	from = lab->conf.tcp_proxy;
	if (connect(fd, (struct sockaddr *)&ss, tp_addr_to_sockaddr(&from, &ss)))
		abort();
	send(fd, v1, strlen(v1), MSG_NOSIGNAL);
	check(expect_closed(lab, fd) && lab_counters(lab).refused_proxy == 3, "but from configured proxies only");
}

int main(void)
{
	struct tp_range proxy = { 0 };
	struct lab lab;

	if (!cert_begin())
		return 1;
	cert_make("one", NULL);
	cert_make("two", NULL);
	client_ctx = SSL_CTX_new(TLS_client_method());
	publish("one");
	lab_init(&lab, NULL);
	test_one_port(&lab);
	test_pipeline(&lab);
	test_certificate_change(&lab);
	tp_addr_parse("127.0.0.1", &proxy.first);
	tp_addr_parse("127.0.0.1", &proxy.last);
	lab.conf.proxy_from = &proxy;
	lab.conf.proxy_from_len = 1;
	tp_streams_configure(lab.streams, &lab.conf, (char[200]){ 0 }, 200);
	test_proxy(&lab);
	test_proxy_port(&lab);
	lab_fini(&lab);
	tp_tls_context_publish(NULL);
	SSL_CTX_free(client_ctx);
	cert_end();
	return done();
}

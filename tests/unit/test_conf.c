/* SPDX-License-Identifier: GPL-2.0 */
/* Configuration: what files and options mean, every problem with its line, and what a reload may change. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "lib/certificates.h"
#include "lib/tap.h"

#define USERS "user=bob:secret\nlistening-ip=192.0.2.1\n"
#define NO_USERS ": error: nobody may use the relay: give user, static-auth-secret, userdb, psql-userdb, " \
		 "redis-userdb or oauth; no-auth makes it an open relay\n"

static char file_path[] = "/tmp/tp-conf-XXXXXX";

static void write_bytes(const void *text, size_t size)
{
	FILE *f = fopen(file_path, "w");

	if (!f || fwrite(text, 1, size, f) != size || fclose(f))
		abort();
}

static struct tp_conf *load(const char *text, const char *const *options, size_t len, struct tp_conf_report *report)
{
	struct tp_conf *conf = NULL;

	write_bytes(text, strlen(text));
	tp_conf_load(file_path, options, len, &conf, report);
	return conf;
}

/* The problems as --check prints them, without the name of the file; the caller frees. */
static char *problems(const struct tp_conf_report *report)
{
	size_t size;
	char *text, *in, *out;
	FILE *f = open_memstream(&text, &size);

	tp_conf_report_print(report, f);
	fclose(f);
	for (in = out = text; *in;) {
		if (strncmp(in, file_path, strlen(file_path)) == 0)
			in += strlen(file_path);
		else
			*out++ = *in++;
	}
	*out = 0;
	return text;
}

static void check_problems(const char *text, const char *expected, const char *what)
{
	struct tp_conf_report report;
	struct tp_conf *conf = load(text, NULL, 0, &report);
	char *got = problems(&report);

	if (!check(strcmp(got, expected) == 0, "%s", what))
		printf("# is:\n%s# expected:\n%s", got, expected);
	check(!conf == (report.errors > 0), "%s: loaded where there is no error, and only there", what);
	free(got);
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
}

static void test_defaults(void)
{
	struct tp_conf *conf = tp_conf_default();

	check_eq(conf->listening_port, 3478, "listening-port defaults to 3478 (RFC 8656 section 21.1)");
	check_eq(conf->tls_listening_port, 5349, "tls-listening-port defaults to 5349");
	check(conf->min_port == 49152 && conf->max_port == 65535, "relay ports default to 49152-65535 (RFC 8656 7.2)");
	check(conf->permission_lifetime_s == 300 && conf->channel_lifetime_s == 600 && conf->stale_nonce_s == 600 &&
	      conf->max_allocate_lifetime_s == 3600, "lifetimes default to 300, 600, 600 and 3600 s");
	check(conf->software_attribute && !conf->no_auth && !conf->allow_loopback_peers && !conf->rfc5780,
	      "no open relay, no loopback peers, no discovery by default");
	check(conf->default_family == 4 && conf->rest_api_separator == ':' && conf->password_algorithms == 3,
	      "IPv4, ':' and both password algorithms by default");
	check(!strcmp(conf->datapath, "auto") && !strcmp(conf->bpffs, "/sys/fs/bpf/turnpike"), "paths have defaults");
	tp_conf_free(conf);
	tp_conf_free(NULL);
}

/* coturn's ways of writing: blanks, quotes, "key value", comments, flags with a value, CRLF, a byte order mark. */
static void test_spelling(void)
{
	struct tp_conf_report report;
	struct tp_conf *conf = load("\xef\xbb\xbf# a comment\r\n  listening-port = 4000 \r\n\tmin-port\t50000 # low\r\n"
				    "realm=\"example.org\"\r\nserver-name='turn.example.org'\r\nno-tcp=0\r\nno-dtls\r\n"
				    "no-tls=yes\r\nstale-nonce\r\nuser=bob:pass word#1\r\nlistening-ip 192.0.2.1\r\n"
				    "db=/nowhere.sqlite\nno-software-attribute", NULL, 0, &report);

	check(conf != NULL, "a file in all of coturn's spellings loads");
	if (conf) {
		check_eq(conf->listening_port, 4000, "blanks around '='");
		check_eq(conf->min_port, 50000, "a tab between, and a comment after a number");
		check(!strcmp(conf->realm, "example.org") && !strcmp(conf->server_name, "turn.example.org"), "quotes");
		check(!conf->no_tcp && conf->no_tls && conf->no_dtls, "flags alone and with yes or 0");
		check_eq(conf->stale_nonce_s, 600, "stale-nonce without a value is its default");
		check(!strcmp(conf->user[0].password, "pass word#1"), "a password keeps its blanks and '#'");
		check(!strcmp(conf->userdb, "/nowhere.sqlite"), "db is userdb");
		check(!conf->software_attribute, "no-software-attribute");
	}
	check(report.errors == 0 && report.warnings == 0, "and nothing is said about it");
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
}

static void test_addresses(void)
{
	struct tp_conf_report report;
	struct tp_conf *conf = load(USERS "no-tls\nno-dtls\nlistening-ip=2001:db8::1\nrelay-ip=192.0.2.2\n"
				    "relay-ip=2001:db8:1::7/64\nexternal-ip=198.51.100.1/192.0.2.2\n"
				    "external-ip=2001:db8:2::1\n"
				    "denied-peer-ip=10.0.0.0-10.255.255.255\ndenied-peer-ip=2001:db8:5::7/48\n"
				    "allowed-peer-ip=10.1.2.3\nalternate-server=192.0.2.9\n"
				    "tls-alternate-server=[2001:db8::9]:443\ntcp-proxy-port=81\ntcp-proxy-from=10.0.0.0/9\n",
				    NULL, 0, &report);
	char text[TP_ADDR_STRLEN];

	check(conf && !report.errors && !report.warnings, "addresses, prefixes and ranges load");
	if (!conf)
		goto out;
	check(conf->listen_len == 2 && conf->listen[1].family == 6, "two listening addresses");
	check(conf->relay[1].prefix_len == 64 && !strcmp(tp_addr_format_ip(&conf->relay[1].addr, text), "2001:db8:1::"),
	      "an IPv6 relay prefix has its host bits cut");
	check(conf->external[0].private.family == 4 && !conf->external[1].private.family, "external-ip with and without /");
	check(!strcmp(tp_addr_format_ip(&conf->denied[0].last, text), "10.255.255.255"), "a-b");
	check(!strcmp(tp_addr_format_ip(&conf->denied[1].first, text), "2001:db8:5::"), "CIDR: first");
	check(!strcmp(tp_addr_format_ip(&conf->denied[1].last, text), "2001:db8:5:ffff:ffff:ffff:ffff:ffff"), "CIDR: last");
	check(tp_addr_equal(&conf->allowed[0].first, &conf->allowed[0].last), "one address is a range of one");
	check(conf->alternate[0].addr.port == 3478 && conf->alternate[1].addr.port == 443 &&
	      conf->alternate[1].kind == TP_ALT_TLS, "alternate servers and their default port");
	check(conf->tcp_proxy.port == 81 && !conf->tcp_proxy.family && conf->proxy_from_len == 1, "PROXY port and senders");
out:
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
}

static void test_host_addresses(void)
{
	struct tp_conf_report report;
	struct tp_conf *conf = load("user=a:b\nlistening-ip=0.0.0.0\nno-tls\nno-dtls\n", NULL, 0, &report);
	bool any = false;

	if (!conf && report.errors == 1) {
		skip("0.0.0.0 stands for the host's addresses", "no interface here is up");
	} else {
		for (size_t i = 0; conf && i < conf->listen_len; i++)
			any |= tp_addr_is_any(&conf->listen[i]) || conf->listen[i].family != 4;
		check(conf && conf->listen_len && !any, "0.0.0.0 stands for the host's IPv4 addresses");
		check(conf && conf->relay_len == conf->listen_len, "relay addresses default to the listening ones");
	}
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
}

static void test_users(void)
{
	struct tp_conf_report report;
	struct tp_conf *conf = load("listening-ip=192.0.2.1\nno-tls\nno-dtls\nserver-name=turn.example.org\n"
				    "user=bob:0xbc807ee29df3c9ffa736523fb2c4e8ee\nuser=eve:a:b\n"
				    "static-auth-secret=north\nstatic-auth-secret=south\nrest-api-separator=.\n",
				    NULL, 0, &report);

	check(conf && !report.errors && !report.warnings, "users, keys and several secrets together");
	if (conf) {
		check(conf->user[0].is_key && conf->user[0].key_size == 16 && conf->user[0].key[0] == 0xbc, "a key");
		check(!strcmp(conf->user[1].password, "a:b"), "a password may have a colon");
		check(conf->use_auth_secret && conf->static_auth_secret.len == 2, "a secret implies use-auth-secret");
		check(conf->lt_cred_mech, "users imply lt-cred-mech");
		check(!strcmp(conf->realm, "example.org"), "the realm defaults to the domain of server-name");
		check_eq(conf->rest_api_separator, '.', "rest-api-separator");
	}
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
}

static void test_origins(void)
{
	struct tp_conf_report report;
	struct tp_conf *conf = load(USERS "no-tls\nno-dtls\norigin-realm=https://a.example:8443,a.example\n", NULL, 0,
				    &report);

	check(conf && !report.errors && conf->origin_realm.len == 1 &&
	      !strcmp(conf->origin_realm.items[0], "https://a.example:8443,a.example"), "an origin and its realm");
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
	check(!load(USERS "no-tls\nno-dtls\norigin-realm=a.example\n", NULL, 0, &report) && report.errors == 1,
	      "an origin without a realm does not load");
	tp_conf_report_fini(&report);
}

static void test_options(void)
{
	const char *const options[] = { "--min-port=50001", "--user=x:y", "-p", "3479", "-L192.0.2.7", "-vf",
					"--max-port", "50002", "--no-tcp", "--stale-nonce" };
	const char *const bad[] = { "--no-such-key=1", "plain", "--min-port", "-Q" };
	struct tp_conf_report report;
	struct tp_conf *conf = load(USERS "min-port=49160\nno-tls\nno-dtls\nstale-nonce=7\n", options,
				    sizeof(options) / sizeof(options[0]), &report);
	char *got;

	check(conf && !report.errors, "long and short options load");
	if (conf) {
		check(conf->min_port == 50001 && conf->max_port == 50002, "--key=value and --key value override the file");
		check(conf->user_len == 1 && !strcmp(conf->user[0].name, "x"), "a repeated key of the file is replaced");
		check(conf->listening_port == 3479 && conf->listen[0].ip[3] == 7, "-p 3479 and -L192.0.2.7");
		check(conf->verbose && conf->fingerprint && conf->no_tcp, "-vf is two flags");
		check_eq(conf->stale_nonce_s, 600, "an option without its optional value is the default");
	}
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
	check(!load(USERS "no-tls\nno-dtls\n", bad, 4, &report), "bad options do not load");
	got = problems(&report);
	check(!strcmp(got, ": error: unknown key 'no-such-key'\n: error: 'plain' is no option\n"
			   ": error: min-port: needs a value\n: error: -Q (total-quota) needs a value\n"
			   ": 4 errors, 0 warnings\n"), "and each is named");
	free(got);
	tp_conf_report_fini(&report);
}

static void test_problems(void)
{
	check_problems(USERS "no-tls\nno-dtls\n"
		       "listning-port=1\nmin-port=70000\nmax-port=abc\nno-tcp=maybe\nlistening-ip=192.0.2.1:5\n"
		       "denied-peer-ip=10.0.0.9-10.0.0.1\ndenied-peer-ip=10.0.0.0/33\nallowed-peer-ip=::1-10.0.0.1\n"
		       "relay-ip=10.0.0.0/8\nexternal-ip=192.0.2.1/::1\nuser=nobody\nuser=eve:\nuser=eve:0x12\n"
		       "=5\nmysql-userdb=\"host=x password=y\"\ncli-password=qwerty\nrealm=\nmobility\nmobility\n"
		       "max-bps=1\nmax-bps=2\nzzz\n",
		       ":5: error: unknown key 'listning-port': is listening-port meant?\n"
		       ":6: error: min-port: 70000 is not in 1..65535\n"
		       ":7: error: max-port: 'abc' is not a number\n"
		       ":8: error: no-tcp: 'maybe' is neither yes nor no\n"
		       ":9: error: listening-ip: '192.0.2.1:5' is no unicast IP address\n"
		       ":10: error: denied-peer-ip: 10.0.0.9-10.0.0.1: the first address is above the last\n"
		       ":11: error: denied-peer-ip: '10.0.0.0/33' is no address, a-b or a/bits\n"
		       ":12: error: allowed-peer-ip: '::1-10.0.0.1' is no address, a-b or a/bits\n"
		       ":13: error: relay-ip: /8: a prefix is IPv6, 1 to 128 bits\n"
		       ":14: error: external-ip: 192.0.2.1 and ::1 are of different families\n"
		       ":15: error: user: is not NAME:PASSWORD\n"
		       ":16: error: user: 'eve' has an empty password\n"
		       ":17: error: user: the key of 'eve' is not 32 or 64 hexadecimal digits\n"
		       ":18: error: no key before '='\n"
		       ":19: error: mysql-userdb: not supported: use psql-userdb or redis-userdb\n"
		       ":20: warning: cli-password: ignored: the control socket is guarded by its file mode\n"
		       ":21: error: realm: needs a value\n"
		       ":23: warning: mobility: given again (line 22)\n"
		       ":25: error: max-bps: given again with another value (line 24)\n"
		       ":26: error: unknown key 'zzz'\n"
		       ": 18 errors, 2 warnings\n",
		       "every problem of a file at once, each with its line");
}

static void test_contradictions(void)
{
	check_problems(USERS "no-tls\nno-dtls\nmin-port=60000\nmax-port=50000\nno-auth\nuse-auth-secret\nno-udp\nno-tcp\n"
		       "stun-only\nno-stun\nmax-bps=9\nbps-capacity=5\nuser-quota=5\ntotal-quota=4\ntcp-proxy-port=81\n"
		       "alternate-domain=x\nproc-user=no-such-user\nuserdb=x\nredis-userdb=ip=127.0.0.1\n",
		       ":6: error: max-port: min-port 60000 is above max-port 50000\n"
		       ":7: error: no-auth: contradicts the users, secrets or stores that are given as well\n"
		       ":9: error: no-udp: and no-tcp, no-tls, no-dtls leave no way in\n"
		       ":12: error: no-stun: contradicts stun-only\n"
		       ":13: error: max-bps: is above bps-capacity: no allocation would fit\n"
		       ":15: warning: user-quota: is above total-quota, which is reached before\n"
		       ":17: error: tcp-proxy-port: needs tcp-proxy-from, the addresses whose PROXY headers are believed\n"
		       ":18: error: alternate-domain: needs alternate-server or tls-alternate-server\n"
		       ":19: error: proc-user: there is no user 'no-such-user'\n"
		       ":21: error: redis-userdb: there can be one store: userdb, psql-userdb or redis-userdb\n"
		       ": 9 errors, 1 warning\n",
		       "settings that contradict each other are named at their line");
	check_problems("listening-ip=192.0.2.1\nno-tls\nno-dtls\n",
		       NO_USERS ": 1 error, 0 warnings\n",
		       "nothing about users is an error, never an open relay");
	check_problems("listening-ip=192.0.2.1\nno-auth\n",
		       ": warning: cert: none is given: no TLS and no DTLS clients\n: 0 errors, 1 warning\n",
		       "an open relay has to be said; TLS without a certificate is off");
}

static void test_certificates(void)
{
	char *cert, *key, *other, text[512], expected[512];
	struct tp_conf_report report;
	struct tp_conf *conf;

	if (!check(cert_begin(), "a folder for certificates"))
		return;
	cert_make("one", NULL);
	cert_make("two", NULL);
	cert = cert_path("one", "pem");
	key = cert_path("one", "key");
	other = cert_path("two", "key");
	snprintf(text, sizeof(text), USERS "cert=%s\npkey=%s\n", cert, key);
	conf = load(text, NULL, 0, &report);
	check(conf && !conf->no_tls && !report.warnings, "a certificate and its key switch TLS on");
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
	snprintf(text, sizeof(text), USERS "cert=%s\npkey=%s\n", cert, other);
	conf = load(text, NULL, 0, &report);
	check(!conf && report.len == 1 && report.problem[0].line == 3, "a key of another certificate is found at load");
	tp_conf_report_fini(&report);
	unlink(key);
	snprintf(text, sizeof(text), USERS "cert=%s\npkey=%s\nCA-file=/nowhere.pem\n", cert, key);
	snprintf(expected, sizeof(expected), ":4: error: pkey: %s: No such file or directory\n"
		 ":5: error: CA-file: /nowhere.pem: No such file or directory\n: 2 errors, 0 warnings\n", key);
	check_problems(text, expected, "files that are not there are named, each at its line");
	free(cert);
	free(key);
	free(other);
	cert_end();
}

static void test_hostile_files(void)
{
	struct tp_conf_report report;
	struct tp_conf *conf = NULL;
	size_t size = 1 << 20;
	char *text = malloc(size + 1), *got;

	check_problems(USERS "no-tls\nno-dtls\n\x01\x02\nmin-port=x\n",
		       ":5: error: a control character: this is no text; the rest is not read\n: 1 error, 0 warnings\n",
		       "a binary file is said to be one, once");
	memset(text, 'x', size);
	text[size] = 0;
	check_problems(text, ":1: error: longer than 4096 bytes\n" NO_USERS
		       ": warning: cert: none is given: no TLS and no DTLS clients\n: 2 errors, 1 warning\n",
		       "a line of 1 MiB");
	for (size_t i = 0; i < size; i += 2)
		memcpy(text + i, "k\n", 2);
	write_bytes(text, size);
	check(tp_conf_load(file_path, NULL, 0, &conf, &report) == -EINVAL && report.errors == size / 2 + 1 &&
	      report.len == TP_CONF_PROBLEMS, "half a million bad lines: all counted, %d kept", TP_CONF_PROBLEMS);
	got = problems(&report);
	check(strstr(got, ":200: error: unknown key 'k'\n: and 524090 more\n"), "and the report says how many more");
	free(got);
	tp_conf_report_fini(&report);
	memset(text, 0, 100);
	write_bytes(text, 100);
	check(tp_conf_load(file_path, NULL, 0, &conf, &report) == -EINVAL, "zero bytes");
	tp_conf_report_fini(&report);
	check(tp_conf_load("/tmp", NULL, 0, &conf, &report) == -EINVAL && report.len == 1 &&
	      !strcmp(report.problem[0].text, "cannot be read: Is a directory"), "a folder instead of a file");
	tp_conf_report_fini(&report);
	check(tp_conf_load("/nowhere/turnserver.conf", NULL, 0, &conf, &report) == -EINVAL && report.len == 1 &&
	      !strcmp(report.problem[0].text, "cannot be read: No such file or directory"), "no such file");
	tp_conf_report_fini(&report);
	free(text);
}

/* Secrets must not reach a terminal or a log through a message. */
static void test_no_secrets(void)
{
	struct tp_conf_report report;
	struct tp_conf *conf = load(USERS "user=eve:0xhunter2\nuser=hunter2\nstatic-auth-secret=hunter2\n"
				    "pkey-pwd=hunter2\npkey-pwd=hunter2x\ncli-password=hunter2\n"
				    "mysql-userdb=password=hunter2\n", NULL, 0, &report);
	char *got = problems(&report);

	check(!strstr(got, "hunter2"), "no message holds a password, key or secret");
	free(got);
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
}

static struct tp_conf *reload(const struct tp_conf *old, const char *text, char *summary, size_t size)
{
	struct tp_conf_report report;
	struct tp_conf *conf = NULL;

	write_bytes(text, strlen(text));
	tp_conf_reload(old, &conf, &report, summary, size);
	tp_conf_report_fini(&report);
	return conf;
}

static void test_reload(void)
{
	const char *const options[] = { "--no-tls", "--no-dtls", "--max-port=50100" };
	struct tp_conf_report report;
	struct tp_conf *old = load(USERS "min-port=50000\nrealm=one\n", options, 3, &report), *conf;
	char summary[256];

	tp_conf_report_fini(&report);
	if (!check(old != NULL, "the first load"))
		return;
	conf = reload(old, USERS "min-port=50000\nrealm=one\n# a comment\n", summary, sizeof(summary));
	check(conf && !strcmp(summary, "nothing changed"), "the same settings: nothing changed");
	tp_conf_free(conf);
	conf = reload(old, USERS "user=eve:x\nmin-port=50000\nrealm=two\nlistening-ip=192.0.2.2\n", summary,
		      sizeof(summary));
	check(conf && conf->user_len == 2 && !strcmp(conf->realm, "two") && conf->listen_len == 2 && conf->no_tls &&
	      conf->max_port == 50100, "users, realm and addresses change; options of the command line stay");
	check(!strcmp(summary, "changed: listening-ip, realm, user"), "and the sentence names them");
	tp_conf_free(conf);
	conf = reload(old, USERS "min-port=50001\nrelay-ip=192.0.2.9\nrealm=two\n", summary, sizeof(summary));
	check(conf && conf->min_port == 50000 && conf->relay[0].addr.ip[3] == 1 && !strcmp(conf->realm, "two"),
	      "what needs a restart keeps its value, the rest changes");
	check(!strcmp(summary, "changed: realm; needs a restart: relay-ip, min-port"), "and the sentence says so");
	check(tp_conf_diff(old, conf, summary, sizeof(summary)) == 0, "what is kept no longer differs");
	tp_conf_free(conf);
	conf = reload(old, USERS "min-port=50001\nrealm=two\nbad\nworse\n", summary, sizeof(summary));
	check(!conf && !strcmp(summary, "nothing is changed: unknown key 'bad'; and more"), "a bad file changes nothing");
	unlink(file_path);
	check(tp_conf_reload(old, &conf, &report, summary, sizeof(summary)) == -EINVAL &&
	      !strcmp(summary, "nothing is changed: cannot be read: No such file or directory"), "nor does none");
	tp_conf_report_fini(&report);
	tp_conf_free(old);
}

/* What a user store has is added to a copy, which has all that was read. */
static void test_copy(void)
{
	const char *const options[] = { "--no-tls", "--no-dtls" };
	struct tp_conf_report report;
	struct tp_conf *old = load(USERS "realm=one\ndenied-peer-ip=10.0.0.0/8\n", options, 2, &report), *conf = NULL;
	char summary[256];

	tp_conf_report_fini(&report);
	check(old && tp_conf_copy(old, &conf) == 0, "a copy");
	if (!conf)
		return;
	check(tp_conf_diff(old, conf, summary, sizeof(summary)) == 0 && !strcmp(summary, "nothing changed") &&
	      conf->options.len == 2 && !strcmp(conf->file, old->file), "is the same");
	check(tp_conf_add_range(conf, false, "one", "192.0.2.0/24") == 0 && conf->denied_len == 2 &&
	      !strcmp(conf->denied[1].realm, "one"), "a range of a realm is added");
	check_eq(tp_conf_add_range(conf, true, "", "nonsense"), -EINVAL, "nonsense is not");
	check(tp_conf_add_origin(conf, "https://a", "two") == 0 && tp_conf_add_origin(conf, "", "two") == -EINVAL,
	      "an origin is added, an empty one is not");
	tp_conf_free(old);
	tp_conf_free(conf);
}

static void test_help(void)
{
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	tp_conf_print_keys(f);
	fclose(f);
	check(strstr(text, "  --listening-port=N                     UDP and TCP clients (3478)\n"), "help with a default");
	check(strstr(text, "  --no-udp  ") && !strstr(text, "mysql"), "flags; nothing that is refused");
	free(text);
}

int main(void)
{
	int fd = mkstemp(file_path);

	if (fd < 0)
		return 1;
	close(fd);
	test_defaults();
	test_spelling();
	test_addresses();
	test_host_addresses();
	test_users();
	test_origins();
	test_options();
	test_problems();
	test_contradictions();
	test_certificates();
	test_hostile_files();
	test_no_secrets();
	test_copy();
	test_reload();
	test_help();
	unlink(file_path);
	return done();
}

/* SPDX-License-Identifier: GPL-2.0 */
/* The page for coturn users says of every key of the table what the table does, and of no other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parts.h"
#include "lib/tap.h"

#define PAGE	"tools/deploy/turnserver-conf.md"
#define EXAMPLE	"tools/deploy/turnpiked.conf"
#define KEYS_MAX 512

struct row {
	char key[64], status[32], reload[16];
};

static struct row rows[KEYS_MAX];
static size_t rows_len;

/* "| `key` | status | reload | text |" */
static bool read_page(void)
{
	FILE *f = fopen(PAGE, "r");
	char line[1024];

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f) && rows_len < KEYS_MAX) {
		struct row *row = &rows[rows_len];

		if (sscanf(line, "| `%63[^`]` | %31[^|] | %15[^ |] |", row->key, row->status, row->reload) != 3)
			continue;
		row->status[strcspn(row->status, "\n")] = 0;
		while (*row->status && row->status[strlen(row->status) - 1] == ' ')
			row->status[strlen(row->status) - 1] = 0;
		rows_len++;
	}
	fclose(f);
	return true;
}

static const struct row *find(const char *key, size_t *ret_times)
{
	const struct row *row = NULL;

	*ret_times = 0;
	for (size_t i = 0; i < rows_len; i++)
		if (strcmp(rows[i].key, key) == 0) {
			row = &rows[i];
			++*ret_times;
		}
	return row;
}

static bool status_good(const struct conf_key *key, const char *status)
{
	if (key->flags & KEY_OWN)
		return strcmp(status, "own") == 0;
	if (key->kind == KEY_REFUSED)
		return strcmp(status, "refused") == 0;
	if (key->kind == KEY_IGNORED)
		return strcmp(status, "ignored") == 0;
	if (key->kind == KEY_IMPLIED)
		return strcmp(status, "always so") == 0;
	return strcmp(status, "honoured") == 0 || strcmp(status, "differs") == 0;
}

static bool reload_good(const struct conf_key *key, const char *reload)
{
	if (key->kind >= KEY_ALIAS)
		return strcmp(reload, "yes") != 0 && strcmp(reload, "restart") != 0;
	return strcmp(reload, key->flags & KEY_RELOAD ? "yes" : "restart") == 0;
}

static void test_page(void)
{
	size_t times;

	for (size_t i = 0; i < conf_keys_len; i++) {
		const struct conf_key *key = &conf_keys[i];
		const struct row *row = find(key->name, &times);

		if (!check(times == 1, "the page has %s once", key->name))
			continue;
		check(status_good(key, row->status) && reload_good(key, row->reload),
		      "%s: '%s', reload '%s', as the table has it", key->name, row->status, row->reload);
	}
	for (size_t i = 0; i < rows_len; i++)
		if (!conf_key_find(rows[i].key, strlen(rows[i].key)))
			check(false, "the page has %s, which is no key", rows[i].key);
}

/* A table that two keys share a name or letter in would never find the second. */
static void test_table(void)
{
	size_t same = 0, letters = 0;

	for (size_t i = 0; i < conf_keys_len; i++)
		for (size_t j = 0; j < i; j++) {
			same += strcmp(conf_keys[i].name, conf_keys[j].name) == 0;
			letters += conf_keys[i].letter && conf_keys[i].letter == conf_keys[j].letter;
		}
	check(!same && !letters, "names and short options are given once");
}

/* field.md's list of coturn's keys: a file with any of them is understood. */
static void test_coturn_list(void)
{
	static const char *const keys[] = {
		"listening-port", "tls-listening-port", "alt-listening-port", "listening-ip", "relay-ip", "external-ip",
		"relay-threads", "min-port", "max-port", "verbose", "fingerprint", "lt-cred-mech", "no-auth",
		"use-auth-secret", "static-auth-secret", "rest-api-separator", "server-name", "oauth", "user", "userdb",
		"psql-userdb", "redis-userdb", "redis-statsdb", "realm", "user-quota", "total-quota", "max-bps",
		"bps-capacity", "no-udp", "no-tcp", "no-tls", "no-dtls", "no-udp-relay", "no-tcp-relay", "stale-nonce",
		"max-allocate-lifetime", "channel-lifetime", "permission-lifetime", "cert", "pkey", "pkey-pwd", "CA-file",
		"cipher-list", "no-tlsv1", "no-tlsv1_1", "log-file", "syslog", "simple-log", "alternate-server",
		"tls-alternate-server", "tcp-proxy-port", "denied-peer-ip", "allowed-peer-ip", "allow-loopback-peers",
		"no-multicast-peers", "stun-only", "no-stun", "secure-stun", "rfc5780", "mobility", "pidfile", "proc-user",
		"proc-group", "prometheus", "prometheus-port", "prometheus-username-labels", "cli-port",
		"drain-min-allocations", "software-attribute", "allocation-default-address-family",
	};
	const struct conf_key *key;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		key = conf_key_find(keys[i], strlen(keys[i]));
		check(key && key->kind != KEY_REFUSED, "coturn's %s is a key", keys[i]);
	}
}

static void test_example(void)
{
	static const char *const options[] = { "--listening-ip=192.0.2.1" };
	struct tp_conf_report report;
	struct tp_conf *conf = NULL;

	check(tp_conf_load(EXAMPLE, options, 1, &conf, &report) == 0 && !report.warnings, "the example file is good");
	if (report.len)
		tp_conf_report_print(&report, stdout);
	tp_conf_free(conf);
	tp_conf_report_fini(&report);
}

/* Every setting that the example shows commented out is a key, with a value that is good. */
static void test_example_comments(void)
{
	FILE *f = fopen(EXAMPLE, "r");
	char line[256];
	size_t shown = 0;

	while (f && fgets(line, sizeof(line), f)) {
		size_t size = strcspn(line + 1, "=\n");

		if (line[0] != '#' || line[1] == ' ' || line[1] == '\n')
			continue;
		shown++;
		if (!conf_key_find(line + 1, size))
			check(false, "the example's %.*s is no key", (int)size, line + 1);
	}
	check(shown > 10, "the example shows %zu further settings", shown);
	if (f)
		fclose(f);
}

int main(void)
{
	test_table();
	test_coturn_list();
	if (check(read_page() && rows_len > 100, "the page has rows: %s", PAGE))
		test_page();
	test_example();
	test_example_comments();
	return done();
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only the whole of a configuration shows: settings that contradict each other, files and names
 * that are not there, and what follows from other settings. Called once by conf.c after the entries.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "auth/auth.h"
#include "conf_parts.h"
#include "net/tls_context.h"

static bool has_store(const struct tp_conf *conf)
{
	return conf->userdb || conf->psql_userdb || conf->redis_userdb;
}

/* Credentials follow from what there is to check them with; nothing at all is never an open relay. */
static void check_credentials(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;
	bool any;

	conf->use_auth_secret |= conf->static_auth_secret.len > 0;
	any = conf->lt_cred_mech || conf->use_auth_secret || conf->oauth || conf->user_len || has_store(conf);
	if (conf->no_auth && any) {
		conf_at(load, "no-auth");
		conf_error(load, "contradicts the users, secrets or stores that are given as well");
	} else if (!conf->no_auth && !any && !conf->stun_only) {
		conf_at(load, NULL);
		conf_error(load, "nobody may use the relay: give user, static-auth-secret, userdb, psql-userdb, "
				 "redis-userdb or oauth; no-auth makes it an open relay");
	}
	if (conf->use_auth_secret && !conf->static_auth_secret.len && !has_store(conf)) {
		conf_at(load, "use-auth-secret");
		conf_error(load, "there is no static-auth-secret and no store that has secrets");
	}
	if (conf->lt_cred_mech && !conf->user_len && !has_store(conf) && !conf->use_auth_secret && !conf->oauth) {
		conf_at(load, "lt-cred-mech");
		conf_error(load, "there are no users: give user or a store (no userdb is used by default)");
	}
	conf->lt_cred_mech |= any;
	if (!!conf->userdb + !!conf->psql_userdb + !!conf->redis_userdb > 1) {
		conf_at(load, conf->redis_userdb ? "redis-userdb" : "psql-userdb");
		conf_error(load, "there can be one store: userdb, psql-userdb or redis-userdb");
	}
}

static void check_ports(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;

	if (conf->min_port > conf->max_port) {
		conf_at(load, conf_at(load, "max-port") ? "max-port" : "min-port");
		conf_error(load, "min-port %u is above max-port %u", conf->min_port, conf->max_port);
	}
	/* One port serves both: plain and TLS are told apart by their first bytes. */
	if (conf->tls_listening_port == conf->listening_port)
		conf->tls_listening_port = 0;
	if (conf->rfc5780 && !conf->alt_listening_port) {
		conf->alt_listening_port = (uint16_t)(conf->listening_port + 1);
		if (conf_at(load, "listening-port") && !conf->alt_listening_port)
			conf_error(load, "rfc5780 needs another port after it: give alt-listening-port");
	}
	if (conf->rfc5780 && conf->tls_listening_port && !conf->alt_tls_listening_port)
		conf->alt_tls_listening_port = (uint16_t)(conf->tls_listening_port + 1);
	if (conf->tcp_proxy.port && !conf->proxy_from_len) {
		conf_at(load, "tcp-proxy-port");
		conf_error(load, "needs tcp-proxy-from, the addresses whose PROXY headers are believed");
	}
}

static void check_limits(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;

	if (conf->bps_capacity && conf->max_bps > conf->bps_capacity) {
		conf_at(load, "max-bps");
		conf_error(load, "is above bps-capacity: no allocation would fit");
	}
	if (conf->total_quota && conf->user_quota > conf->total_quota) {
		conf_at(load, "user-quota");
		conf_warning(load, "is above total-quota, which is reached before");
	}
	if (conf->total_quota > conf->max_allocations) {
		conf_at(load, "total-quota");
		conf_warning(load, "is above max-allocations (%u), which is reached before", conf->max_allocations);
	}
}

static void check_switches(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;

	if (conf->no_udp && conf->no_tcp && conf->no_tls && conf->no_dtls) {
		conf_at(load, "no-udp");
		conf_error(load, "and no-tcp, no-tls, no-dtls leave no way in");
	}
	if (conf->stun_only && conf->no_stun) {
		conf_at(load, "no-stun");
		conf_error(load, "contradicts stun-only");
	}
	if (conf->no_udp_relay && conf->no_tcp_relay && !conf->stun_only) {
		conf_at(load, "no-tcp-relay");
		conf_error(load, "and no-udp-relay leave nothing to relay: stun-only is meant");
	}
	if (conf->syslog && conf->log_file) {
		conf_at(load, "log-file");
		conf_warning(load, "is not used: the log goes to syslog");
	}
	if (conf->alternate_domain && !conf->alternate_len) {
		conf_at(load, "alternate-domain");
		conf_error(load, "needs alternate-server or tls-alternate-server");
	}
}

/* Each file at its own line; what is in them, at the first that is wrong. */
static bool check_files(struct conf_load *load)
{
	static const char *const keys[] = { "cert", "pkey", "CA-file" };
	const struct tp_conf *conf = load->conf;
	bool good = true;

	for (size_t i = 0; i < conf->entry_len; i++) {
		const struct tp_conf_entry *entry = &conf->entry[i];

		for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++) {
			if (strcmp(conf_keys[entry->key].name, keys[j]) != 0 || !*entry->value)
				continue;
			if (access(entry->value, R_OK) == 0)
				continue;
			load->key = &conf_keys[entry->key];
			load->line = entry->line;
			conf_error(load, "%.200s: %s", entry->value, strerror(errno));
			good = false;
		}
	}
	return good;
}

static void check_tls(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;
	struct tp_tls_context *tls;
	char err[256];

	if (!load->again && !check_files(load))
		return;
	if (!conf->cert) {
		if (conf->pkey) {
			conf_at(load, "pkey");
			conf_error(load, "there is no cert that it belongs to");
		} else if (!conf->no_tls || !conf->no_dtls) {
			conf_at(load, "cert");
			conf_warning(load, "none is given: no TLS and no DTLS clients");
		}
		conf->no_tls = conf->no_dtls = true;
		return;
	}
	if (!conf->pkey)
		conf->pkey = conf_strdup(load, conf->cert);
	if (!conf->pkey || (conf->no_tls && conf->no_dtls) || load->again)
		return;
	tls = tp_tls_context_new(conf, err, sizeof(err));
	if (!tls) {
		conf_at(load, "cert");
		conf_error(load, "%s", err);
	}
	tp_tls_context_put(tls);
}

static void check_names(struct conf_load *load)
{
	const struct tp_conf *conf = load->conf;
	static const struct sockaddr_un un;

	if (conf->proc_user && !getpwnam(conf->proc_user)) {
		conf_at(load, "proc-user");
		conf_error(load, "there is no user '%.64s'", conf->proc_user);
	}
	if (conf->proc_group && !getgrnam(conf->proc_group)) {
		conf_at(load, "proc-group");
		conf_error(load, "there is no group '%.64s'", conf->proc_group);
	}
	if (conf->control_socket && strlen(conf->control_socket) >= sizeof(un.sun_path)) {
		conf_at(load, "control-socket");
		conf_error(load, "longer than %zu bytes", sizeof(un.sun_path) - 1);
	}
	for (int i = 0; i < 2; i++) {
		const char *name = i ? conf->server_name : conf->realm;

		if (name && strlen(name) >= TP_AUTH_REALM_SIZE) {
			conf_at(load, i ? "server-name" : "realm");
			conf_error(load, "longer than %d bytes", TP_AUTH_REALM_SIZE - 1);
		}
	}
}

/* The domain of server-name, if that is a whole name; else the host's name. */
static void set_realm(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;
	const char *domain = conf->server_name ? strchr(conf->server_name, '.') : NULL;
	char host[TP_AUTH_REALM_SIZE] = "";

	if (conf->realm)
		return;
	if (domain && strchr(domain + 1, '.')) {
		conf->realm = conf_strdup(load, domain + 1);
		return;
	}
	if (gethostname(host, sizeof(host) - 1) || !*host)
		strcpy(host, "localhost");
	conf->realm = conf_strdup(load, host);
}

/* The keys of users and tokens are known to be good by building what uses them. */
static void check_auth(struct conf_load *load)
{
	struct tp_auth *auth;
	char err[256];

	if (load->report->errors || load->no_memory)
		return;
	auth = tp_auth_new(load->conf, err, sizeof(err));
	if (!auth) {
		conf_at(load, NULL);
		conf_error(load, "%s", err);
	}
	tp_auth_free(auth);
}

void conf_check(struct conf_load *load)
{
	check_credentials(load);
	check_ports(load);
	check_limits(load);
	check_switches(load);
	check_tls(load);
	check_names(load);
	conf_check_addresses(load);
	set_realm(load);
	check_auth(load);
}

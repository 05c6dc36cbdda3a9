/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of keys: what a configuration may say. It drives files, options, --help and reloads;
 * tools/deploy/turnserver-conf.md is checked against it. conf_load.c reads it.
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "conf_parts.h"

#define AT(field)	.where = offsetof(struct tp_conf, field)
#define FLAG(field)	.kind = KEY_FLAG, AT(field)
#define U16(field, low, high, def)	\
	.kind = KEY_NUMBER16, AT(field), .min = (low), .max = (high), .number = (def), .value = "N"
#define U32(field, low, high, def)	\
	.kind = KEY_NUMBER32, AT(field), .min = (low), .max = (high), .number = (def), .value = "N"
#define U64(field, low, high, def)	\
	.kind = KEY_NUMBER64, AT(field), .min = (low), .max = (high), .number = (def), .value = "N"
#define SECONDS(field, low, high, def)	\
	.kind = KEY_NUMBER32, AT(field), .min = (low), .max = (high), .number = (def), .value = "SECONDS"
#define STRING(field, name)	.kind = KEY_STRING, AT(field), .value = name
#define LIST(field, name)	.kind = KEY_LIST, AT(field), .value = name
#define CUSTOM(fn, name)	.kind = KEY_CUSTOM, .parse = conf_parse_##fn, .value = name

#define REPEAT	KEY_REPEAT
#define RELOAD	KEY_RELOAD
#define TEXT	KEY_TEXT
#define OWN	KEY_OWN

#define DAY	86400

const struct conf_key conf_keys[] = {
	/* listening */
	{ "listening-ip", 'L', CUSTOM(listening_ip, "IP"), .flags = REPEAT | RELOAD,
	  .help = "address for clients; default: those of every interface that is up, but loopback" },
	{ "listening-port", 'p', U16(listening_port, 1, 65535, 3478), .help = "UDP and TCP clients" },
	{ "tls-listening-port", 0, U16(tls_listening_port, 1, 65535, 5349), .help = "TLS and DTLS clients" },
	{ "alt-listening-port", 0, U16(alt_listening_port, 0, 65535, 0),
	  .help = "second port of rfc5780; 0: listening-port + 1" },
	{ "alt-tls-listening-port", 0, U16(alt_tls_listening_port, 0, 65535, 0),
	  .help = "the same for TLS; 0: tls-listening-port + 1" },
	{ "tcp-proxy-port", 0, CUSTOM(proxy_port, "[IP:]PORT"),
	  .help = "TCP port where every connection starts with a PROXY header; needs tcp-proxy-from" },
	{ "tcp-proxy-from", 0, CUSTOM(range, "RANGE"), .flags = REPEAT | OWN,
	  AT(proxy_from), .number = offsetof(struct tp_conf, proxy_from_len),
	  .help = "load balancers whose PROXY headers are believed; without tcp-proxy-port, on every port" },
	{ "no-udp", 0, FLAG(no_udp), .help = "no UDP clients" },
	{ "no-tcp", 0, FLAG(no_tcp), .help = "no TCP clients" },
	{ "no-tls", 0, FLAG(no_tls), .help = "no TLS clients" },
	{ "no-dtls", 0, FLAG(no_dtls), .help = "no DTLS clients" },
	{ "max-allocate-timeout", 0, SECONDS(max_allocate_timeout_s, 1, DAY, 60),
	  .help = "a connection without an allocation is closed after this silence" },

	/* relaying */
	{ "relay-ip", 'E', CUSTOM(relay_ip, "IP[/PREFIX]"), .flags = REPEAT,
	  .help = "relay address, or an IPv6 prefix to take them from; default: the listening addresses" },
	{ "external-ip", 'X', CUSTOM(external_ip, "PUBLIC[/PRIVATE]"), .flags = REPEAT | RELOAD,
	  .help = "what clients are told instead of a relay address behind NAT" },
	{ "min-port", 0, U16(min_port, 1, 65535, 49152), .help = "lowest relay port" },
	{ "max-port", 0, U16(max_port, 1, 65535, 65535), .help = "highest relay port" },
	{ "no-udp-relay", 0, FLAG(no_udp_relay), .flags = RELOAD, .help = "no UDP allocations" },
	{ "no-tcp-relay", 0, FLAG(no_tcp_relay), .flags = RELOAD, .help = "no TCP allocations (RFC 6062)" },
	{ "relay-threads", 'm', CUSTOM(threads, "N"), .help = "worker threads; 0: one; default: one per CPU" },
	{ "allowed-peer-ip", 0, CUSTOM(range, "RANGE"), .flags = REPEAT | RELOAD,
	  AT(allowed), .number = offsetof(struct tp_conf, allowed_len),
	  .help = "peers that are let through whatever denies them: a, a-b or a/bits" },
	{ "denied-peer-ip", 0, CUSTOM(range, "RANGE"), .flags = REPEAT | RELOAD,
	  AT(denied), .number = offsetof(struct tp_conf, denied_len), .help = "peers that nobody may relay to" },
	{ "allow-loopback-peers", 0, FLAG(allow_loopback_peers), .flags = RELOAD,
	  .help = "peers of 127.0.0.0/8 and ::1, for tests" },
	{ "no-multicast-peers", 0, .kind = KEY_IMPLIED, .help = "multicast and broadcast peers are never allowed" },
	{ "server-relay", 0, .kind = KEY_REFUSED,
	  .help = "would relay from peers without permissions, which RFC 8656 section 9 forbids" },
	{ "aux-server", 0, .kind = KEY_REFUSED, .value = "IP:PORT", .flags = REPEAT,
	  .help = "not supported: every listening-ip serves completely" },
	{ "udp-self-balance", 0, .kind = KEY_IGNORED, .help = "workers share each port by SO_REUSEPORT" },
	{ "listening-device", 'd', .kind = KEY_REFUSED, .value = "NAME", .help = "not supported: use listening-ip" },
	{ "relay-device", 'i', .kind = KEY_REFUSED, .value = "NAME", .help = "not supported: use relay-ip" },
	{ "ne", 0, .kind = KEY_IGNORED, .value = "N", .help = "there is one network engine" },

	/* users */
	{ "lt-cred-mech", 'a', FLAG(lt_cred_mech), .flags = RELOAD,
	  .help = "long-term credentials; follows from user, a store and secrets" },
	{ "no-auth", 'z', FLAG(no_auth), .flags = RELOAD, .help = "an open relay: never on the Internet" },
	{ "realm", 'r', STRING(realm, "NAME"), .flags = RELOAD | TEXT,
	  .help = "default realm; default: the domain of server-name, or the host's name" },
	{ "server-name", 0, STRING(server_name, "NAME"), .flags = RELOAD | TEXT,
	  .help = "this server's name in tokens" },
	{ "user", 'u', CUSTOM(user, "NAME:PASSWORD"), .flags = REPEAT | RELOAD | TEXT,
	  .help = "a user; or NAME:0xKEY with the key in hexadecimal digits" },
	{ "use-auth-secret", 0, FLAG(use_auth_secret), .flags = RELOAD,
	  .help = "names that end (expiry:name) with passwords made from a secret" },
	{ "static-auth-secret", 0, CUSTOM(secret, "SECRET"), .flags = REPEAT | RELOAD | TEXT,
	  .help = "such a secret; more than one while they are rotated" },
	{ "rest-api-separator", 'C', CUSTOM(separator, "CHAR"), .flags = RELOAD,
	  .help = "between expiry and name; default: a colon" },
	{ "oauth", 0, FLAG(oauth), .flags = RELOAD, .help = "third-party tokens (RFC 7635)" },
	{ "oauth-key", 0, CUSTOM(oauth_key, "KID,KEY,TIMESTAMP,LIFETIME,ALG"), .flags = REPEAT | RELOAD | TEXT | OWN,
	  .help = "a key shared with a token server, as a row of coturn's oauth_key" },
	{ "origin-realm", 0, CUSTOM(origin_realm, "ORIGIN,REALM"), .flags = REPEAT | RELOAD | TEXT | OWN,
	  .help = "the realm of clients whose requests carry this ORIGIN" },
	{ "userdb", 'b', STRING(userdb, "FILE"), .flags = TEXT, .help = "SQLite database in coturn's schema" },
	{ "db", 0, .kind = KEY_ALIAS, .text = "userdb", .help = "userdb" },
	{ "psql-userdb", 'e', STRING(psql_userdb, "CONNINFO"), .flags = TEXT,
	  .help = "PostgreSQL database in coturn's schema: a libpq connection string" },
	{ "sql-userdb", 0, .kind = KEY_ALIAS, .text = "psql-userdb", .help = "psql-userdb" },
	{ "redis-userdb", 'N', STRING(redis_userdb, "CONNINFO"), .flags = TEXT,
	  .help = "Redis with coturn's keys: \"ip= port= dbname= password=\", or path= of a socket" },
	{ "redis-statsdb", 'O', STRING(redis_statsdb, "CONNINFO"), .flags = TEXT,
	  .help = "Redis for the status and traffic of allocations" },
	{ "redis-quotadb", 0, STRING(redis_quotadb, "CONNINFO"), .flags = TEXT | OWN,
	  .help = "Redis in which the nodes of a farm count quotas together" },
	{ "mysql-userdb", 'M', .kind = KEY_REFUSED, .value = "CONNINFO", .flags = TEXT,
	  .help = "not supported: use psql-userdb or redis-userdb" },
	{ "mongo-userdb", 'J', .kind = KEY_REFUSED, .value = "CONNINFO", .flags = TEXT,
	  .help = "not supported: use psql-userdb or redis-userdb" },
	{ "secret-key-file", 0, .kind = KEY_REFUSED, .value = "FILE",
	  .help = "not supported: it belongs to mysql-userdb" },
	{ "no-auth-pings", 0, .kind = KEY_IMPLIED, .help = "stores are asked only when there is something to ask" },
	{ "no-dynamic-ip-list", 0, FLAG(no_dynamic_ip_list), .help = "peer lists of the store are not used" },
	{ "no-dynamic-realms", 0, FLAG(no_dynamic_realms), .help = "realms and their options of the store are not used" },
	{ "store-fresh", 0, SECONDS(store_fresh_s, 1, DAY, 60), .flags = OWN,
	  .help = "a user of the store is not looked up again" },
	{ "store-keep", 0, SECONDS(store_keep_s, 0, 30 * DAY, 3600), .flags = OWN,
	  .help = "and stays good while the store is down" },
	{ "store-absent", 0, SECONDS(store_absent_s, 1, DAY, 5), .flags = OWN,
	  .help = "a name that the store does not have is not looked up again" },
	{ "nonce-key", 0, STRING(nonce_key, "HEX"), .flags = RELOAD | OWN,
	  .help = "secret of nonces and tickets, the same on all nodes of a farm; default: random at start" },
	{ "password-algorithms", 0, CUSTOM(choice, "md5|sha256|both"), .flags = RELOAD | OWN,
	  .help = "what RFC 8489 clients are offered; default: both" },
	{ "stale-nonce", 0, SECONDS(stale_nonce_s, 0, 30 * DAY, 600), .flags = RELOAD | KEY_OPTIONAL,
	  .help = "life of a nonce; 0: it does not end" },
	{ "check-origin-consistency", 0, FLAG(check_origin), .flags = RELOAD,
	  .help = "an allocation's requests keep its ORIGIN" },
	{ "secure-stun", 0, FLAG(secure_stun), .flags = RELOAD, .help = "Binding requests need credentials as well" },

	/* lifetimes and limits */
	{ "max-allocate-lifetime", 0, SECONDS(max_allocate_lifetime_s, 1, 30 * DAY, 3600), .flags = RELOAD,
	  .help = "longest life of an allocation between refreshes" },
	{ "channel-lifetime", 0, SECONDS(channel_lifetime_s, 1, DAY, 600), .flags = RELOAD, .help = "life of a channel" },
	{ "permission-lifetime", 0, SECONDS(permission_lifetime_s, 1, DAY, 300), .flags = RELOAD,
	  .help = "life of a permission" },
	{ "user-quota", 'q', U32(user_quota, 0, UINT32_MAX, 0), .flags = RELOAD,
	  .help = "allocations of one user; 0: no limit" },
	{ "total-quota", 'Q', U32(total_quota, 0, UINT32_MAX, 0), .flags = RELOAD,
	  .help = "allocations of all users of a realm; 0: no limit" },
	{ "max-bps", 's', U64(max_bps, 0, 1ull << 40, 0), .flags = RELOAD,
	  .help = "bytes per second and direction of an allocation; 0: no limit" },
	{ "bps-capacity", 'B', U64(bps_capacity, 0, 1ull << 50, 0), .flags = RELOAD,
	  .help = "bytes per second of all allocations; 0: no limit" },
	{ "max-allocations", 0, U32(max_allocations, 1, 1u << 24, 65536), .flags = OWN,
	  .help = "size of the tables, here and in the kernel" },
	{ "max-permissions", 0, U32(max_permissions, 1, 65536, 256), .flags = RELOAD | OWN,
	  .help = "permissions of an allocation" },
	{ "max-channels", 0, U32(max_channels, 1, 16384, 256), .flags = RELOAD | OWN,
	  .help = "channels of an allocation" },
	{ "unauthenticated-prefix-rate", 0, U32(unauth_prefix_rate, 0, 1u << 30, 10000), .flags = RELOAD | OWN,
	  .help = "answers a second and worker to unproved UDP sources of a /24 or IPv6 /48; 0: no limit" },
	{ "unauthenticated-rate", 0, U32(unauth_rate, 0, 1u << 30, 200000), .flags = RELOAD | OWN,
	  .help = "answers a second and worker to all of them; 0: no limit" },

	/* protocol */
	{ "channel-numbers", 0, CUSTOM(choice, "rfc8656|rfc5766"), .flags = OWN,
	  .help = "0x4000-0x4FFF, the default, or up to 0x7FFF for old clients" },
	{ "fingerprint", 'f', FLAG(fingerprint), .flags = RELOAD, .help = "FINGERPRINT in every answer" },
	{ "software-attribute", 0, FLAG(software_attribute), .flags = RELOAD, .number = true,
	  .help = "SOFTWARE in answers to known users; on by default" },
	{ "no-software-attribute", 0, .kind = KEY_FLAG_OFF, AT(software_attribute), .flags = RELOAD,
	  .help = "no SOFTWARE at all" },
	{ "stun-only", 'S', FLAG(stun_only), .flags = RELOAD, .help = "no TURN" },
	{ "no-stun", 0, FLAG(no_stun), .flags = RELOAD, .help = "no answers to Binding requests" },
	{ "rfc5780", 0, FLAG(rfc5780), .help = "NAT behaviour discovery; needs two listening-ip of a family" },
	{ "rfc3489", 0, FLAG(rfc3489), .flags = RELOAD | OWN, .help = "answers to classic STUN" },
	{ "stun-backward-compatibility", 0, .kind = KEY_ALIAS, .text = "rfc3489", .help = "rfc3489" },
	{ "no-rfc5780", 0, .kind = KEY_IMPLIED, .help = "off unless rfc5780 is given" },
	{ "no-stun-backward-compatibility", 0, .kind = KEY_IMPLIED, .help = "off unless rfc3489 is given" },
	{ "response-origin-only-with-rfc5780", 0, .kind = KEY_IMPLIED, .help = "it is so" },
	{ "mobility", 0, FLAG(mobility), .flags = RELOAD, .help = "allocations move with their client (RFC 8016)" },
	{ "allocation-default-address-family", 'A', CUSTOM(choice, "ipv4|ipv6|keep"), .flags = RELOAD,
	  .help = "of requests that name none; default: ipv4" },
	{ "keep-address-family", 'K', CUSTOM(choice, NULL), .flags = RELOAD,
	  .help = "allocation-default-address-family=keep" },
	{ "alternate-server", 0, CUSTOM(alternate, "IP[:PORT]"), .flags = REPEAT | RELOAD,
	  .help = "where UDP and TCP clients are sent instead" },
	{ "tls-alternate-server", 0, CUSTOM(alternate, "IP[:PORT]"), .flags = REPEAT | RELOAD, .number = TP_ALT_TLS,
	  .help = "where TLS and DTLS clients are sent instead" },
	{ "alternate-domain", 0, STRING(alternate_domain, "NAME"), .flags = RELOAD | OWN,
	  .help = "the name in those servers' certificates" },
	{ "alternate-load", 0, U32(alternate_load, 0, UINT32_MAX, 0), .flags = RELOAD | OWN,
	  .help = "clients are sent there only while this node drains or has so many allocations; 0: always" },
	{ "respond-http-unsupported", 0, .kind = KEY_IGNORED, .help = "nothing parses HTTP on a TURN port" },
	{ "acme-redirect", 0, .kind = KEY_IGNORED, .value = "URL", .help = "nothing parses HTTP on a TURN port" },

	/* TLS */
	{ "cert", 0, CUSTOM(cert, "FILE"), .flags = REPEAT | RELOAD | TEXT,
	  .help = "certificate chain, PEM; further ones, each with its pkey, are chosen by name" },
	{ "pkey", 0, CUSTOM(cert, "FILE"), .flags = REPEAT | RELOAD | TEXT,
	  .help = "its private key; default: in the file of cert" },
	{ "pkey-pwd", 0, STRING(pkey_pwd, "PASSWORD"), .flags = RELOAD | TEXT, .help = "of encrypted private keys" },
	{ "CA-file", 0, STRING(ca_file, "FILE"), .flags = RELOAD | TEXT,
	  .help = "clients must have a certificate of this authority" },
	{ "cipher-list", 0, STRING(cipher_list, "LIST"), .flags = RELOAD, .help = "of TLS 1.2, as OpenSSL writes it" },
	{ "no-tlsv1", 0, .kind = KEY_IMPLIED, .help = "TLS 1.0 is never spoken" },
	{ "no-tlsv1_1", 0, .kind = KEY_IMPLIED, .help = "TLS 1.1 is never spoken" },
	{ "no-sslv2", 0, .kind = KEY_IMPLIED, .help = "SSL 2 is never spoken" },
	{ "no-sslv3", 0, .kind = KEY_IMPLIED, .help = "SSL 3 is never spoken" },
	{ "tlsv1", 0, .kind = KEY_REFUSED, .help = "not supported: TLS 1.2 and 1.3 only (RFC 8996)" },
	{ "tlsv1_1", 0, .kind = KEY_REFUSED, .help = "not supported: TLS 1.2 and 1.3 only (RFC 8996)" },
	{ "no-tlsv1_2", 0, FLAG(no_tlsv1_2), .flags = RELOAD, .help = "TLS 1.3 only" },
	{ "ec-curve-name", 0, .kind = KEY_IGNORED, .value = "NAME", .help = "OpenSSL chooses among its safe curves" },
	{ "dh-file", 0, .kind = KEY_IGNORED, .value = "FILE", .help = "key exchange is by elliptic curves" },
	{ "dh566", 0, .kind = KEY_IGNORED, .help = "key exchange is by elliptic curves" },
	{ "dh1066", 0, .kind = KEY_IGNORED, .help = "key exchange is by elliptic curves" },
	{ "dh2066", 0, .kind = KEY_IGNORED, .help = "key exchange is by elliptic curves" },
	{ "raw-public-keys", 0, .kind = KEY_REFUSED, .help = "not supported by OpenSSL 3.0" },

	/* logging */
	{ "verbose", 'v', FLAG(verbose), .flags = RELOAD, .help = "log sessions" },
	{ "Verbose", 'V', FLAG(extra_verbose), .flags = RELOAD, .help = "log requests" },
	{ "log-file", 'l', CUSTOM(log_file, "FILE"), .flags = RELOAD | TEXT,
	  .help = "instead of stderr; opened again on SIGHUP; or syslog, stdout" },
	{ "syslog", 0, FLAG(syslog), .flags = RELOAD, .help = "to the system log" },
	{ "syslog-facility", 0, CUSTOM(choice, "LOG_..."), .flags = RELOAD, .number = LOG_DAEMON,
	  .help = "default: LOG_DAEMON" },
	{ "log-binding", 0, .kind = KEY_IGNORED, .help = "Binding requests are counted, not logged: anybody could fill the log" },
	{ "simple-log", 0, .kind = KEY_IMPLIED, .help = "the log has the name that log-file says" },
	{ "no-stdout-log", 0, .kind = KEY_IMPLIED, .help = "a log goes to one place" },
	{ "new-log-timestamp", 0, .kind = KEY_IMPLIED, .help = "times are ISO 8601" },
	{ "new-log-timestamp-format", 0, .kind = KEY_IGNORED, .value = "FORMAT", .help = "times are ISO 8601" },

	/* the node */
	{ "datapath", 0, CUSTOM(choice, "auto|xdp|tc|user"), .flags = OWN, .help = "what relays media; default: auto" },
	{ "interface", 0, LIST(interface, "NAME"), .flags = REPEAT | OWN,
	  .help = "where the kernel relays; default: those with a listening or relay address" },
	{ "control-socket", 0, STRING(control_socket, "PATH"), .flags = OWN, .text = "/run/turnpike/control.sock",
	  .help = "for turnpikectl" },
	{ "state-dir", 0, STRING(state_dir, "PATH"), .flags = OWN, .text = "/run/turnpike",
	  .help = "what the next daemon needs" },
	{ "bpffs", 0, STRING(bpffs, "PATH"), .flags = OWN, .text = "/sys/fs/bpf/turnpike",
	  .help = "pinned maps and programs" },
	{ "end-calls-on-exit", 0, FLAG(end_calls_on_exit), .flags = OWN | RELOAD,
	  .help = "a daemon that ends takes its calls with it; default: the kernel goes on with them" },
	{ "pidfile", 0, STRING(pidfile, "FILE"), .help = "none by default" },
	{ "proc-user", 0, STRING(proc_user, "USER"), .help = "to change to after start" },
	{ "proc-group", 0, STRING(proc_group, "GROUP"), .help = "to change to after start" },
	{ "daemon", 'o', .kind = KEY_IGNORED, .help = "turnpiked stays in front: a service manager keeps it" },
	{ "drain", 0, FLAG(drain_at_start), .flags = OWN, .help = "start without taking new allocations" },
	{ "drain-min-allocations", 0, U32(drain_min_allocations, 0, UINT32_MAX, 0), .flags = RELOAD,
	  .help = "a drain is over when no more are left" },
	{ "prometheus", 0, .kind = KEY_IGNORED, .help = "there is no HTTP server: turnpikectl --json stats has every counter" },
	{ "prometheus-port", 0, .kind = KEY_IGNORED, .value = "PORT", .flags = KEY_OPTIONAL, .help = "there is no HTTP server" },
	{ "prometheus-address", 0, .kind = KEY_IGNORED, .value = "IP", .help = "there is no HTTP server" },
	{ "prometheus-username-labels", 0, .kind = KEY_IGNORED, .help = "there is no HTTP server" },
	{ "no-cli", 0, .kind = KEY_IMPLIED, .help = "there is no telnet interface" },
	{ "cli", 0, .kind = KEY_IGNORED, .help = "turnpikectl replaces the telnet interface" },
	{ "cli-ip", 0, .kind = KEY_IGNORED, .value = "IP", .help = "turnpikectl replaces the telnet interface" },
	{ "cli-port", 0, .kind = KEY_IGNORED, .value = "PORT", .help = "turnpikectl replaces the telnet interface" },
	{ "cli-password", 0, .kind = KEY_IGNORED, .value = "PASSWORD", .flags = TEXT,
	  .help = "the control socket is guarded by its file mode" },
	{ "cli-max-output-sessions", 0, .kind = KEY_IGNORED, .value = "N",
	  .help = "turnpikectl replaces the telnet interface" },
	{ "web-admin", 0, .kind = KEY_IGNORED, .help = "there is no admin page; turnpikectl" },
	{ "web-admin-ip", 0, .kind = KEY_IGNORED, .value = "IP", .help = "there is no admin page; turnpikectl" },
	{ "web-admin-port", 0, .kind = KEY_IGNORED, .value = "PORT", .help = "there is no admin page; turnpikectl" },
	{ "web-admin-listen-on-workers", 0, .kind = KEY_IGNORED, .help = "there is no admin page; turnpikectl" },
};

const size_t conf_keys_len = sizeof(conf_keys) / sizeof(conf_keys[0]);

const struct conf_key *conf_key_find(const char *name, size_t size)
{
	for (size_t i = 0; i < conf_keys_len; i++) {
		const struct conf_key *key = &conf_keys[i];

		if (strlen(key->name) == size && memcmp(key->name, name, size) == 0)
			return key->kind == KEY_ALIAS ? conf_key_find(key->text, strlen(key->text)) : key;
	}
	return NULL;
}

const struct conf_key *conf_key_by_letter(char letter)
{
	for (size_t i = 0; i < conf_keys_len; i++)
		if (letter && conf_keys[i].letter == letter)
			return &conf_keys[i];
	return NULL;
}

#define NEAREST_MAX 40	/* longer than every key */

/* Insertions, deletions and replacements between two names (Levenshtein); both are at most NEAREST_MAX long. */
static unsigned int name_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	unsigned int row[NEAREST_MAX + 1], corner, above;

	for (unsigned int j = 0; j <= b_size; j++)
		row[j] = j;
	for (unsigned int i = 1; i <= a_size; i++) {
		corner = row[0];
		row[0] = i;
		for (unsigned int j = 1; j <= b_size; j++) {
			above = row[j];
			corner += a[i - 1] != b[j - 1];
			row[j] = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
			row[j] = corner < row[j] ? corner : row[j];
			corner = above;
		}
	}
	return row[b_size];
}

const struct conf_key *conf_key_nearest(const char *name, size_t size)
{
	const struct conf_key *best = NULL;
	unsigned int distance, least = 3;

	if (size < 4 || size > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < conf_keys_len; i++) {
		distance = name_distance(name, size, conf_keys[i].name, strlen(conf_keys[i].name));
		if (distance < least) {
			least = distance;
			best = &conf_keys[i];
		}
	}
	return best;
}

static void print_default(const struct conf_key *key, FILE *out)
{
	if (key->kind == KEY_NUMBER16 || key->kind == KEY_NUMBER32 || key->kind == KEY_NUMBER64)
		fprintf(out, " (%llu)", (unsigned long long)key->number);
	else if (key->kind == KEY_STRING && key->text)
		fprintf(out, " (%s)", key->text);
}

void tp_conf_print_keys(FILE *out)
{
	char option[64];

	for (size_t i = 0; i < conf_keys_len; i++) {
		const struct conf_key *key = &conf_keys[i];

		if (key->kind >= KEY_IMPLIED)
			continue;
		snprintf(option, sizeof(option), "--%s%s%s", key->name, key->value ? "=" : "",
			 key->value ? key->value : "");
		fprintf(out, "  %-38s %s", option, key->help);
		print_default(key, out);
		fputc('\n', out);
	}
}

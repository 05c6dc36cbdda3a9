/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration: coturn's names and meaning, parsed from a file of key=value
 * lines and from --key=value options, checked as a whole, immutable afterwards.
 * Readers hold it under RCU, a reload swaps it. The table of keys in conf_table.c
 * is the reference: types, ranges, defaults, and what a reload may change.
 */
#ifndef TP_CONF_H
#define TP_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "net/addr.h"

/* A peer address range of allowed-peer-ip or denied-peer-ip, both ends included; from a-b, CIDR or one address. */
struct tp_range {
	struct tp_addr first, last;
	const char *realm;	/* NULL: of every realm */
};

struct tp_external {
	struct tp_addr public;	/* what clients are told */
	struct tp_addr private;	/* the relay address; unset: every relay address of the family */
};

struct tp_conf_user {
	char *name;
	char *realm;
	bool is_key;
	uint8_t key[32];	/* user=name:0x...: MD5 key of 16 bytes or SHA-256 key of 32 */
	uint8_t key_size;
	char *password;		/* else */
};

struct tp_list {		/* of strings */
	char **items;
	size_t len;
};

/* One relay address, or an IPv6 prefix (relay-ip=2001:db8::/64): each allocation its own address. */
struct tp_relay_ip {
	struct tp_addr addr;
	uint8_t prefix_len;	/* 0: a single address */
};

enum tp_alt_kind { TP_ALT_PLAIN, TP_ALT_TLS };

struct tp_alternate {		/* alternate-server=host[:port] */
	struct tp_addr addr;
	enum tp_alt_kind kind;
};

/* What may be other in one realm (turn_realm_option of a user store); as struct tp_conf has them. */
struct tp_limits {
	uint64_t max_bps;
	uint32_t user_quota, total_quota;
};

struct tp_realm_limits {
	char *realm;
	bool has_max_bps, has_user_quota, has_total_quota;	/* else the configuration's */
	struct tp_limits limits;
};

/* One setting as it was written, in the order of the file; what a reload compares. */
struct tp_conf_entry {
	uint16_t key;		/* index into the table of keys */
	unsigned int line;	/* 0: the command line */
	char *value;		/* "" where there is none */
};

struct tp_conf {
	/* listening */
	struct tp_addr *listen;		/* addresses without a port */
	size_t listen_len;
	uint16_t listening_port;	/* 3478 */
	uint16_t tls_listening_port;	/* 5349 */
	uint16_t alt_listening_port;	/* 0: listening-port + 1, where rfc5780 is on */
	uint16_t alt_tls_listening_port;
	bool no_udp, no_tcp, no_tls, no_dtls;	/* the last two also where there is no cert */
	struct tp_relay_ip *relay;
	size_t relay_len;
	struct tp_external *external;
	size_t external_len;
	uint16_t min_port, max_port;	/* 49152, 65535 */
	unsigned int relay_threads;	/* 0: one per CPU */
	bool no_udp_relay, no_tcp_relay;

	/* users and realms */
	char *realm;			/* default: server-name's domain or the host's name */
	char *server_name;
	bool lt_cred_mech, no_auth, use_auth_secret, oauth;
	struct tp_conf_user *user;
	size_t user_len;
	struct tp_list static_auth_secret;
	char rest_api_separator;	/* ':' */
	struct tp_list origin_realm;	/* "origin,realm": the realm of requests with that ORIGIN */
	struct tp_list oauth_key;	/* kid,base64 key,timestamp,lifetime,as-rs algorithm: as coturn's oauth_key rows */
	char *userdb, *psql_userdb, *redis_userdb, *redis_statsdb, *redis_quotadb;
	bool no_dynamic_ip_list, no_dynamic_realms;	/* peer lists, realms and their options of the store are not used */
	uint32_t store_fresh_s;		/* 60: a user found in the store is not looked up again */
	uint32_t store_keep_s;		/* 3600: and is still good while the store is down */
	uint32_t store_absent_s;	/* 5: a user not found there is not looked up again */
	char *nonce_key;		/* hex; shared by a farm; unset: random at start */
	uint8_t password_algorithms;	/* bit 0 MD5, bit 1 SHA-256: offered; default both */
	uint32_t stale_nonce_s;		/* 600; 0: nonces do not expire */
	bool check_origin;		/* check-origin-consistency */
	bool secure_stun;

	/* lifetimes and limits */
	uint32_t max_allocate_lifetime_s;	/* 3600 */
	uint32_t channel_lifetime_s;		/* 600 */
	uint32_t permission_lifetime_s;		/* 300 */
	uint32_t user_quota, total_quota;	/* of one user, of one realm; 0: no limit */
	struct tp_realm_limits *realm_limits;	/* by name */
	size_t realm_limits_len;
	uint32_t max_allocations;		/* table size, 65536 */
	uint32_t max_permissions;		/* per allocation, 256 */
	uint32_t max_channels;			/* per allocation, 256 */
	uint64_t max_bps;			/* BYTES per second per allocation as coturn means it; 0: no limit */
	uint64_t bps_capacity;			/* bytes per second, all allocations; 0 */
	uint32_t unauth_prefix_rate;		/* answers a second and worker to UDP sources of a prefix, 10000; 0 */
	uint32_t unauth_rate;			/* and to all of them, 200000; 0: no limit */

	/* protocol */
	bool rfc5766_channels;			/* channel-numbers=rfc5766 */
	bool stun_only, no_stun;
	bool rfc5780, rfc3489;			/* opt-in */
	bool mobility;
	bool fingerprint;
	bool software_attribute;		/* default true; never in 401 and 438 */
	uint8_t default_family;			/* allocation-default-address-family: 4, 6, or 0 keep the client's */
	struct tp_range *allowed, *denied;
	size_t allowed_len, denied_len;
	struct tp_list range_realm;		/* what their `realm` points to */
	bool allow_loopback_peers;
	struct tp_alternate *alternate;
	size_t alternate_len;
	char *alternate_domain;
	uint32_t alternate_load;		/* allocations of this node from which on clients are sent there; 0: always */

	/* streams */
	char *cert, *pkey, *pkey_pwd, *ca_file, *cipher_list;	/* pkey: cert where the key is in the same file */
	bool no_tlsv1_2;			/* TLS 1.3 only */
	uint32_t max_allocate_timeout_s;	/* 60: a connection without an allocation is closed after this silence */
	struct tp_list certs;			/* further cert=, each with the pkey= after it, for SNI */
	struct tp_list pkeys;
	struct tp_addr tcp_proxy;		/* tcp-proxy-port: port 0 off, family 0 every listening address */
	struct tp_range *proxy_from;		/* whom PROXY protocol is accepted from */
	size_t proxy_from_len;

	/* the node */
	char *datapath;				/* auto, xdp, tc, user */
	struct tp_list interface;		/* empty: every interface with a listening or relay address */
	char *control_socket, *state_dir, *bpffs;
	char *log_file, *pidfile, *proc_user, *proc_group;
	bool syslog, verbose, extra_verbose;
	int syslog_facility;			/* LOG_DAEMON, ... */
	bool drain_at_start;
	bool end_calls_on_exit;
	uint32_t drain_min_allocations;

	/* where it comes from */
	char *file;				/* NULL: none */
	struct tp_list options;			/* of the command line */
	struct tp_conf_entry *entry;
	size_t entry_len;
};

/* What is wrong with a configuration, in the order of its lines. */
struct tp_conf_problem {
	bool error;		/* else a warning: the setting has no effect, or not the one expected */
	unsigned int line;	/* 0: of the command line, or of the whole */
	char *text;		/* "max-port: 70000 is not in 1..65535" */
};

struct tp_conf_report {
	char *file;
	struct tp_conf_problem *problem;
	size_t len;
	size_t errors, warnings;	/* all that were found; only the first TP_CONF_PROBLEMS are kept */
};

#define TP_CONF_PROBLEMS 200

/* Every field at its default, without addresses, users and realm. NULL: no memory. */
struct tp_conf *tp_conf_default(void);

/*
 * Reads `file` (NULL: none) and the options: "--key=value", "--key value", "--flag", and coturn's
 * short ones ("-L 192.0.2.1"). An option replaces every line of the file with its key. 0, with warnings
 * at most in the report; -EINVAL and the report says all of it; -ENOMEM. `report` is filled in any case,
 * and the caller frees what is in it.
 */
int tp_conf_load(const char *file, const char *const *options, size_t options_len, struct tp_conf **ret,
		 struct tp_conf_report *report);

/*
 * Loads again what `old` was loaded from. Keys that need a restart keep their old value in `*ret`;
 * `ret_summary` says in a sentence what changed and what waits for a restart. On an error nothing is
 * changed and the sentence says why.
 */
int tp_conf_reload(const struct tp_conf *old, struct tp_conf **ret, struct tp_conf_report *report,
		   char *ret_summary, size_t summary_size);

/* The same configuration again, without looking at its files: what a store has may have changed. 0 or -ENOMEM. */
int tp_conf_copy(const struct tp_conf *old, struct tp_conf **ret);

/* What a user store adds before a configuration is published. 0, -EINVAL, -ERANGE or -ENOMEM. Realm "": every one. */
int tp_conf_add_range(struct tp_conf *conf, bool allowed, const char *realm, const char *text);
int tp_conf_add_origin(struct tp_conf *conf, const char *origin, const char *realm);
/* "max-bps", "user-quota" or "total-quota" of a realm; realm "" is the default one, as in coturn. */
int tp_conf_add_realm_option(struct tp_conf *conf, const char *realm, const char *option, const char *value);

/* What holds in a realm. */
struct tp_limits tp_conf_limits(const struct tp_conf *conf, const char *realm);

/* The names of what differs, as that sentence. Returns how many of them a reload may not change. */
size_t tp_conf_diff(const struct tp_conf *old, const struct tp_conf *conf, char *ret_summary, size_t summary_size);

void tp_conf_free(struct tp_conf *conf);

/* "turnserver.conf:12: error: max-port: ..." per line, and a closing line with the numbers. */
void tp_conf_report_print(const struct tp_conf_report *report, FILE *out);
void tp_conf_report_fini(struct tp_conf_report *report);

/* The keys with their defaults, as --help shows them. */
void tp_conf_print_keys(FILE *out);

/* "192.0.2.1", "192.0.2.1-192.0.2.9", "192.0.2.0/24". 0; -EINVAL; -ERANGE where the ends are reversed. */
int tp_range_parse(const char *text, struct tp_range *ret);

#endif

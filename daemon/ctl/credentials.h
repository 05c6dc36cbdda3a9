/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Time-limited credentials of a shared secret (the TURN REST API: user name
 * "expiry:user", password base64 of HMAC-SHA1), and the iceServers entry that a
 * page pastes. Used by the control socket, and by turnpikectl with --secret.
 */
#ifndef TP_CTL_CREDENTIALS_H
#define TP_CTL_CREDENTIALS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct tp_credentials_request {
	const char *secret;
	char separator;			/* ':' */
	const char *user;		/* may be "" */
	uint64_t now_s;
	uint32_t ttl_s;
	const char *host;		/* a name or an address without brackets */
	uint16_t port;			/* 0: no turn: URLs */
	bool udp, tcp;			/* over port */
	uint16_t tls_port;		/* 0: no turns: URL */
};

/* {"username", "password", "expires_in_s", "iceServers": [{"urls": [..], "username", "credential"}]}, or NULL. */
json_t *tp_credentials_make(const struct tp_credentials_request *request);

#endif

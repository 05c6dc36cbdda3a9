/* SPDX-License-Identifier: GPL-2.0 */
/* REST credentials; see credentials.h. */
#include "ctl/credentials.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static json_t *url(const char *scheme, const char *host, uint16_t port, const char *transport)
{
	bool v6 = strchr(host, ':') != NULL;

	return json_sprintf("%s:%s%s%s:%u?transport=%s", scheme, v6 ? "[" : "", host, v6 ? "]" : "", port, transport);
}

static json_t *make_urls(const struct tp_credentials_request *r)
{
	json_t *urls = json_array();

	if (r->port && r->udp)
		json_array_append_new(urls, url("turn", r->host, r->port, "udp"));
	if (r->port && r->tcp)
		json_array_append_new(urls, url("turn", r->host, r->port, "tcp"));
	if (r->tls_port)
		json_array_append_new(urls, url("turns", r->host, r->tls_port, "tcp"));
	return urls;
}

json_t *tp_credentials_make(const struct tp_credentials_request *r)
{
	uint64_t expiry = r->now_s + r->ttl_s;
	json_t *name = r->user[0] ? json_sprintf("%" PRIu64 "%c%s", expiry, r->separator, r->user) :
				    json_sprintf("%" PRIu64, expiry);
	unsigned char mac[EVP_MAX_MD_SIZE];
	char password[EVP_MAX_MD_SIZE * 2];
	unsigned int size;

	if (!name || !HMAC(EVP_sha1(), r->secret, (int)strlen(r->secret),
			   (const unsigned char *)json_string_value(name), json_string_length(name), mac, &size)) {
		json_decref(name);
		return NULL;
	}
	EVP_EncodeBlock((unsigned char *)password, mac, (int)size);
	return json_pack("{s:O, s:s, s:I, s:[{s:o, s:o, s:s}]}", "username", name, "password", password,
			 "expires_in_s", (json_int_t)r->ttl_s, "iceServers", "urls", make_urls(r), "username", name,
			 "credential", password);
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of single realms, which a user store adds (turn_realm_option); the engine asks for them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parts.h"

#define MAX_BPS_MAX	(1ull << 40)	/* as the key's */

static int realm_compare(const void *name, const void *item)
{
	return strcmp(name, ((const struct tp_realm_limits *)item)->realm);
}

static struct tp_realm_limits *realm_find(const struct tp_conf *conf, const char *realm)
{
	return conf->realm_limits_len ? bsearch(realm, conf->realm_limits, conf->realm_limits_len,
						sizeof(*conf->realm_limits), realm_compare) : NULL;
}

/* A place for a realm among the others, which stay in order. NULL: no memory. */
static struct tp_realm_limits *realm_add(struct tp_conf *conf, const char *realm)
{
	struct tp_realm_limits *grown = reallocarray(conf->realm_limits, conf->realm_limits_len + 1, sizeof(*grown));
	struct tp_realm_limits fresh = { 0 };
	size_t at = conf->realm_limits_len;

	if (!grown)
		return NULL;
	conf->realm_limits = grown;
	fresh.realm = strdup(realm);
	if (!fresh.realm)
		return NULL;
	while (at && strcmp(realm, grown[at - 1].realm) < 0)
		at--;
	memmove(&grown[at + 1], &grown[at], (conf->realm_limits_len - at) * sizeof(*grown));
	grown[at] = fresh;
	conf->realm_limits_len++;
	return &grown[at];
}

/* Decimal digits, up to `max`. */
static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 18 || text[digits])
		return -EINVAL;
	*ret = strtoull(text, NULL, 10);
	return *ret <= max ? 0 : -ERANGE;
}

int tp_conf_add_realm_option(struct tp_conf *conf, const char *realm, const char *option, const char *value)
{
	bool bps = strcmp(option, "max-bps") == 0, user = strcmp(option, "user-quota") == 0;
	struct tp_realm_limits *limits;
	uint64_t number;
	int r;

	if (!*realm)
		realm = conf->realm;
	if (!realm || (!bps && !user && strcmp(option, "total-quota") != 0))
		return -EINVAL;
	r = parse_number(value, bps ? MAX_BPS_MAX : UINT32_MAX, &number);
	if (r)
		return r;
	limits = realm_find(conf, realm);
	limits = limits ? limits : realm_add(conf, realm);
	if (!limits)
		return -ENOMEM;
	if (bps) {
		limits->has_max_bps = true;
		limits->limits.max_bps = number;
	} else if (user) {
		limits->has_user_quota = true;
		limits->limits.user_quota = (uint32_t)number;
	} else {
		limits->has_total_quota = true;
		limits->limits.total_quota = (uint32_t)number;
	}
	return 0;
}

struct tp_limits tp_conf_limits(const struct tp_conf *conf, const char *realm)
{
	struct tp_limits limits = { conf->max_bps, conf->user_quota, conf->total_quota };
	const struct tp_realm_limits *own = realm_find(conf, realm);

	if (own && own->has_max_bps)
		limits.max_bps = own->limits.max_bps;
	if (own && own->has_user_quota)
		limits.user_quota = own->limits.user_quota;
	if (own && own->has_total_quota)
		limits.total_quota = own->limits.total_quota;
	return limits;
}

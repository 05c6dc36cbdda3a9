/* SPDX-License-Identifier: GPL-2.0 */
/* Requests of the control socket: parsing, the table of commands, and those that are a few lines. */
#include "ctl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf.h"
#include "ctl/credentials.h"
#include "ctl/ctl.h"
#include "runtime.h"

#define TTL_DEFAULT_S	86400
#define TTL_MAX_S	(366 * 86400)

const char *ctl_id_format(uint64_t id, char buf[CTL_ID_SIZE])
{
	snprintf(buf, CTL_ID_SIZE, "%016" PRIx64, id);
	return buf;
}

int ctl_id_parse(const char *text, uint64_t *ret)
{
	size_t size = strlen(text);

	if (size == 0 || size > 16 || strspn(text, "0123456789abcdefABCDEF") != size)
		return -EINVAL;
	*ret = strtoull(text, NULL, 16);
	return *ret ? 0 : -EINVAL;
}

json_t *ctl_addr(const struct tp_addr *addr)
{
	char text[TP_ADDR_STRLEN];

	return json_string(addr->port ? tp_addr_format(addr, text) : tp_addr_format_ip(addr, text));
}

/* Names are bytes that an application signed: one that JSON does not take must not hide its allocation. */
json_t *ctl_text(const char *text)
{
	json_t *res = json_string(text);
	char *escaped = res ? NULL : malloc(4 * strlen(text) + 1), *to = escaped;

	if (!escaped)
		return res;
	for (; *text; text++)
		to += sprintf(to, *text & 0x80 ? "\\x%02x" : "%c", (unsigned char)*text);
	*to = 0;
	res = json_string(escaped);
	free(escaped);
	return res;
}

static json_t *one_way(const struct tp_traffic *t)
{
	return json_pack("{s:I, s:I, s:I}", "packets", (json_int_t)t->packets, "bytes", (json_int_t)t->bytes, "dropped",
			 (json_int_t)t->dropped);
}

json_t *ctl_traffic(const struct tp_flow_traffic *t)
{
	json_int_t packets = (json_int_t)t->up.packets + (json_int_t)t->down.packets;
	json_int_t bytes = (json_int_t)t->up.bytes + (json_int_t)t->down.bytes;
	json_int_t dropped = (json_int_t)t->up.dropped + (json_int_t)t->down.dropped;

	return json_pack("{s:I, s:I, s:I, s:o, s:o}", "packets", packets, "bytes", bytes, "dropped", dropped,
			 "up", one_way(&t->up), "down", one_way(&t->down));
}

int ctl_busy(char *err)
{
	snprintf(err, CTL_ERROR_SIZE, "a worker thread did not answer in time: the daemon is overloaded or stuck; try again");
	return -ETIMEDOUT;
}

static json_t *sentence(const char *text)
{
	return json_pack("{s:s}", "message", text);
}

static int ctl_reload(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	int res = tp_node_reload(node, err, CTL_ERROR_SIZE);

	if (!res)
		*ret = sentence(err);
	return res;
}

static int ctl_reload_certificates(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	int res = tp_node_reload_certificates(node, err, CTL_ERROR_SIZE);

	if (!res)
		*ret = sentence(err);
	return res;
}

static int ctl_drain(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	json_int_t timeout = json_integer_value(json_object_get(request, "timeout_s"));

	if (timeout < 0 || timeout > INT32_MAX) {
		snprintf(err, CTL_ERROR_SIZE, "the time-out of a drain is in seconds, from 0 (none)");
		return -EINVAL;
	}
	if (json_is_true(json_object_get(request, "undo"))) {
		tp_node_undrain(node);
		*ret = sentence("new allocations are taken again");
	} else {
		tp_node_drain(node, (uint32_t)timeout);
		*ret = sentence("no new allocations are taken; the daemon ends with the last one");
	}
	return 0;
}

/* Where clients reach this node: what external-ip says, else the first listening address that is not loopback. */
static void find_host(const struct tp_conf *conf, char text[TP_ADDR_STRLEN])
{
	const struct tp_addr *addr = conf->external_len ? &conf->external[0].public : NULL;

	for (size_t i = 0; i < conf->listen_len && !addr; i++)
		if (conf->listen[i].family == 4 && conf->listen[i].ip[0] != 127)
			addr = &conf->listen[i];
	if (!addr && conf->listen_len)
		addr = &conf->listen[0];
	if (addr)
		tp_addr_format_ip(addr, text);
	else
		snprintf(text, TP_ADDR_STRLEN, "localhost");
}

static int ctl_credentials(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	const struct tp_conf *conf = tp_runtime_current()->conf;
	const char *user = json_string_value(json_object_get(request, "user"));
	const char *host = json_string_value(json_object_get(request, "host"));
	json_t *ttl = json_object_get(request, "ttl_s");
	char address[TP_ADDR_STRLEN];
	struct tp_credentials_request r = { .separator = conf->rest_api_separator, .user = user ? user : "",
					    .now_s = (uint64_t)time(NULL), .ttl_s = TTL_DEFAULT_S,
					    .port = conf->listening_port, .udp = !conf->no_udp, .tcp = !conf->no_tcp };

	if (ttl && (json_integer_value(ttl) < 1 || json_integer_value(ttl) > TTL_MAX_S)) {
		snprintf(err, CTL_ERROR_SIZE, "the life of credentials is in seconds, from 1 to %d", TTL_MAX_S);
		return -EINVAL;
	}
	if (!conf->static_auth_secret.len) {
		snprintf(err, CTL_ERROR_SIZE, "the daemon has no secret to make credentials from: set use-auth-secret and "
			 "static-auth-secret in its configuration, then turnpikectl reload");
		return -ENOENT;
	}
	find_host(conf, address);
	r.host = host && *host ? host : address;
	r.secret = conf->static_auth_secret.items[0];
	r.ttl_s = ttl ? (uint32_t)json_integer_value(ttl) : TTL_DEFAULT_S;
	r.tls_port = conf->no_tls || !conf->cert ? 0 : conf->tls_listening_port;
	*ret = tp_credentials_make(&r);
	return *ret ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	ctl_command_fn fn;
} commands[] = {
	{ "status", ctl_status },
	{ "list", ctl_list },
	{ "show", ctl_show },
	{ "kill", ctl_kill },
	{ "stats", ctl_stats },
	{ "rules", ctl_rules },
	{ "reload", ctl_reload },
	{ "reload-certificates", ctl_reload_certificates },
	{ "drain", ctl_drain },
	{ "credentials", ctl_credentials },
};

static json_t *refuse(const char *why)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", why);
}

json_t *tp_ctl_answer(struct tp_node *node, const char *text, size_t size)
{
	json_t *request = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(request, "command"));
	char err[CTL_ERROR_SIZE] = "";
	json_t *result = NULL, *response = NULL;

	if (!name)
		response = refuse("a request is one line of JSON: {\"command\": \"status\"}");
	for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++) {
		int res;

		if (strcmp(commands[i].name, name) != 0)
			continue;
		res = commands[i].fn(node, request, &result, err);
		if (res || !result)
			response = refuse(err[0] ? err : strerror(res ? -res : ENOMEM));
		else
			response = json_pack("{s:b, s:o}", "ok", 1, "result", result);
		break;
	}
	if (!response) {
		snprintf(err, sizeof(err), "there is no command of that name: this daemon may be older than the tool");
		response = refuse(err);
	}
	json_decref(request);
	return response;
}

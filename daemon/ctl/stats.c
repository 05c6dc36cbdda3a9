/* SPDX-License-Identifier: GPL-2.0 */
/* status, stats and rules: sums over the workers, and what the data path reports. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/store.h"
#include "conf.h"
#include "ctl/command.h"
#include "dp/report.h"
#include "events.h"
#include "farm.h"
#include "net/dtls.h"
#include "net/listen.h"
#include "net/stream.h"
#include "runtime.h"

/* One slot per worker: each writes its own, the control thread adds them up afterwards. */
struct counted {
	struct tp_turn_counters turn;
	struct tp_worker_counters worker;
	struct tp_stream_counters streams;
	struct tp_dtls_counters dtls;
};

static void collect(struct tp_worker *worker, void *arg)
{
	struct counted *mine = (struct counted *)arg + worker->index;

	tp_turn_read_counters(worker->turn, &mine->turn);
	mine->worker = worker->counters;
	tp_streams_read_counters(worker->streams, &mine->streams);
	tp_dtls_read_counters(worker->dtls, &mine->dtls);
}

static struct counted *collect_all(struct tp_node *node)
{
	struct counted *counted = calloc(node->workers->len, sizeof(*counted));

	if (!counted || !tp_workers_call(node->workers, collect, counted, free))
		return NULL;
	return counted;
}

static void traffic_sum(struct tp_traffic *sum, const struct tp_flow_traffic *add)
{
	sum->packets += add->up.packets + add->down.packets;
	sum->bytes += add->up.bytes + add->down.bytes;
}

static json_t *traffic_json(const struct tp_traffic *traffic)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)traffic->packets, "bytes", (json_int_t)traffic->bytes);
}

static void add_count(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value + json_integer_value(json_object_get(object, name))));
}

static json_t *turn_json(const struct counted *c, unsigned int len)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < len; i++) {
#define ADD(name) add_count(o, #name, c[i].turn.name);
		TP_TURN_COUNTERS(ADD)
#undef ADD
	}
	return o;
}

static json_t *net_json(const struct counted *c, unsigned int len)
{
	json_t *udp = json_object(), *streams = json_object(), *dtls = json_object();

	for (unsigned int i = 0; i < len; i++) {
#define ADD(name) add_count(udp, #name, c[i].worker.name);
		TP_WORKER_COUNTERS(ADD)
#undef ADD
#define ADD(name) add_count(streams, #name, c[i].streams.name);
		TP_STREAM_COUNTERS(ADD)
#undef ADD
#define ADD(name) add_count(dtls, #name, c[i].dtls.name);
		TP_DTLS_COUNTERS(ADD)
#undef ADD
		add_count(streams, "live", c[i].streams.live);
		add_count(dtls, "live", c[i].dtls.live);
	}
	return json_pack("{s:o, s:o, s:o}", "udp", udp, "streams", streams, "dtls", dtls);
}

/* The user database, or null. */
static json_t *store_json(struct tp_store *store)
{
	struct tp_store_info info = { 0 };

	if (!store)
		return json_null();
	tp_store_read(store, &info);
	return json_pack("{s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", info.kind, "down", info.down,
			 "error", info.error, "lookups", (json_int_t)info.lookups, "failures", (json_int_t)info.failures,
			 "refused", (json_int_t)info.refused, "stale", (json_int_t)info.stale,
			 "found", (json_int_t)info.found, "absent", (json_int_t)info.absent,
			 "slowest_us", (json_int_t)info.slowest_us);
}

static json_t *events_json(struct tp_events *events)
{
	struct tp_events_info info = { 0 };

	if (!events)
		return json_null();
	tp_events_read(events, &info);
	return json_pack("{s:b, s:I, s:I}", "down", info.down, "sent", (json_int_t)info.sent,
			 "dropped", (json_int_t)info.dropped);
}

static json_t *farm_json(struct tp_farm *farm)
{
	struct tp_farm_info info = { 0 };

	if (!farm)
		return json_null();
	tp_farm_read(farm, &info);
	return json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "down", info.down, "error", info.error,
			 "nodes", (json_int_t)info.nodes, "asked", (json_int_t)info.asked,
			 "granted", (json_int_t)info.granted, "refused", (json_int_t)info.refused,
			 "alone", (json_int_t)info.alone, "failures", (json_int_t)info.failures);
}

static void add_reason(void *arg, const struct tp_dp_reason *reason)
{
	json_object_set_new(arg, reason->name, json_integer((json_int_t)reason->packets));
}

int ctl_stats(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	struct counted *c = collect_all(node);
	struct tp_traffic kernel = { 0 }, user = { 0 };
	unsigned int len = node->workers->len;
	json_t *reasons = json_object();
	uint64_t allocations = 0;

	if (!c) {
		json_decref(reasons);
		return ctl_busy(err);
	}
	for (unsigned int i = 0; i < len; i++) {
		traffic_sum(&kernel, &c[i].turn.kernel);
		traffic_sum(&user, &c[i].turn.user);
		allocations += c[i].turn.allocations;
	}
	tp_dp_report_reasons(node->dp, add_reason, reasons);
	*ret = json_pack("{s:I, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o}", "allocations", (json_int_t)allocations,
			 "relayed", "kernel", traffic_json(&kernel), "user", traffic_json(&user), "reasons", reasons,
			 "turn", turn_json(c, len), "net", net_json(c, len), "store", store_json(node->store),
			 "statsdb", events_json(node->events), "quotadb", farm_json(node->farm));
	free(c);
	return 0;
}

static void add_interface(void *arg, const struct tp_dp_interface *i)
{
	json_array_append_new(arg, json_pack("{s:s, s:I, s:s, s:s}", "name", i->name, "ifindex", (json_int_t)i->ifindex,
					     "hook", i->hook, "reason", i->reason ? i->reason : ""));
}

static json_t *listening_json(const struct tp_conf *conf)
{
	json_t *array = json_array();
	struct tp_addr *addrs;
	size_t len;

	if (tp_listen_udp(conf, &addrs, &len) < 0)
		return array;
	for (size_t i = 0; i < len; i++)
		json_array_append_new(array, ctl_addr(&addrs[i]));
	free(addrs);
	return array;
}

static json_t *relays_json(const struct tp_conf *conf)
{
	json_t *array = json_array();
	char text[TP_ADDR_STRLEN];

	for (size_t i = 0; i < conf->relay_len; i++) {
		tp_addr_format_ip(&conf->relay[i].addr, text);
		json_array_append_new(array, conf->relay[i].prefix_len ?
					     json_sprintf("%s/%u", text, conf->relay[i].prefix_len) : json_string(text));
	}
	return array;
}

int ctl_status(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	const struct tp_conf *conf = tp_runtime_current()->conf;
	struct tp_dp_totals totals = { 0 };
	json_t *interfaces = json_array();
	uint64_t allocations;

	if (!tp_node_count(node, &allocations)) {
		json_decref(interfaces);
		return ctl_busy(err);
	}
	tp_dp_report_interfaces(node->dp, add_interface, interfaces);
	tp_dp_report_totals(node->dp, &totals);
	*ret = json_pack("{s:I, s:I, s:b, s:s, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o}",
			 "pid", (json_int_t)getpid(),
			 "uptime_s", (json_int_t)((tp_dp_now_ns() - node->started_ns) / 1000000000u),
			 "draining", node->draining,
			 "datapath", totals.backend ? totals.backend : node->dp->ops->name,
			 "kernel_path_confirmed", totals.confirmed, "interfaces", interfaces,
			 "flows", (json_int_t)totals.flows, "flows_max", (json_int_t)totals.flows_max,
			 "allocations", (json_int_t)allocations, "allocations_max", (json_int_t)conf->max_allocations,
			 "workers", (json_int_t)node->workers->len, "descriptors_max", (json_int_t)node->descriptors,
			 "reloads", (json_int_t)node->reloads, "realm", conf->realm ? conf->realm : "",
			 "listening", listening_json(conf), "relay", relays_json(conf));
	return 0;
}

static json_t *hop_json(const struct tp_dp_hop *hop)
{
	return json_pack("{s:b, s:s, s:o, s:I}", "valid", hop->valid, "device", hop->device, "mac",
			 json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", hop->mac[0], hop->mac[1], hop->mac[2],
				      hop->mac[3], hop->mac[4], hop->mac[5]), "mtu", (json_int_t)hop->mtu);
}

static json_int_t seconds_left(uint64_t until_ns)
{
	uint64_t now = tp_dp_now_ns();

	return until_ns > now ? (json_int_t)((until_ns - now) / 1000000000u) : 0;
}

struct rules {
	json_t *array;
	uint64_t id;		/* 0: of every allocation */
};

static bool add_rule(void *arg, const struct tp_dp_rule *rule)
{
	static const char *const kinds[] = { [TP_DP_CHANNEL] = "channel", [TP_DP_PERMISSION] = "permission",
					     [TP_DP_SEND] = "send" };
	struct rules *rules = arg;
	char id[CTL_ID_SIZE];

	if (rules->id && rule->flow.id != rules->id)
		return true;
	json_array_append_new(rules->array, json_pack(
		"{s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}, s:o, s:o, s:o, s:b}",
		"rule", (json_int_t)rule->id, "generation", (json_int_t)rule->generation,
		"allocation", ctl_id_format(rule->flow.id, id), "kind", kinds[rule->flow.kind],
		"client", ctl_addr(&rule->flow.tuple.client), "server", ctl_addr(&rule->flow.tuple.server),
		"relayed", ctl_addr(&rule->flow.relayed), "peer", ctl_addr(&rule->flow.peer),
		"channel", rule->flow.channel ? json_sprintf("0x%04x", rule->flow.channel) : json_null(),
		"expires_in_s", "up", seconds_left(rule->life.up_ns), "down", seconds_left(rule->life.down_ns),
		"channel", seconds_left(rule->life.channel_ns),
		"traffic", ctl_traffic(&rule->traffic), "client_hop", hop_json(&rule->client_hop),
		"peer_hop", hop_json(&rule->peer_hop), "peer_is_relayed", rule->peer_is_relayed));
	return true;
}

int ctl_rules(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	const char *id = json_string_value(json_object_get(request, "id"));
	struct rules rules = { 0 };

	if (id && ctl_id_parse(id, &rules.id) < 0) {
		strcpy(err, "an allocation's id is up to 16 hexadecimal digits: see turnpikectl list");
		return -EINVAL;
	}
	rules.array = json_array();
	tp_dp_report_rules(node->dp, add_rule, &rules);
	*ret = rules.array;
	return 0;
}

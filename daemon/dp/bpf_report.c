/* SPDX-License-Identifier: GPL-2.0 */
/* What the bpf data path tells about itself; see dp/report.h. Called on the control thread. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "dp/bpf.h"

void bpf_report_interfaces(struct tp_dp *dp, tp_dp_interface_fn fn, void *arg)
{
	for (const struct bpf_device *d = bpf_of(dp)->devices; d; d = d->next) {
		struct tp_dp_interface interface = {
			.name = d->name, .ifindex = d->ifindex, .hook = bpf_hook_name(d->attached.hook), .reason = d->why,
		};

		fn(arg, &interface);
	}
}

#define REASON_TEXT(name, verdict, text) text,
#define REASON_VERDICT(name, verdict, text) REASON_##verdict,
#define REASON_RELAY "relay"
#define REASON_PASS "pass"
#define REASON_DROP "drop"

static const char *const reason_names[] = { TP_REASONS(REASON_TEXT) };
static const char *const reason_verdicts[] = { TP_REASONS(REASON_VERDICT) };

/* The sum over the CPUs; `cpus` has room for one each. */
static void reason_sum(const struct bpf_dp *b, uint32_t reason, struct tp_reason_count *cpus, int n,
		       struct tp_reason_count *ret)
{
	*ret = (struct tp_reason_count){ 0 };
	if (bpf_map_lookup_elem(b->maps.fd[BPF_REASONS], &reason, cpus) < 0)
		return;
	for (int i = 0; i < n; i++) {
		ret->packets += cpus[i].packets;
		ret->bytes += cpus[i].bytes;
	}
}

void bpf_report_reasons(struct tp_dp *dp, tp_dp_reason_fn fn, void *arg)
{
	struct bpf_dp *b = bpf_of(dp);
	int n = libbpf_num_possible_cpus();
	struct tp_reason_count *cpus = n > 0 ? calloc((size_t)n, sizeof(*cpus)) : NULL, sum;

	for (uint32_t i = 0; cpus && i < TP_REASON_COUNT; i++) {
		struct tp_dp_reason reason = { .name = reason_names[i], .verdict = reason_verdicts[i] };

		reason_sum(b, i, cpus, n, &sum);
		reason.packets = sum.packets;
		reason.bytes = sum.bytes;
		fn(arg, &reason);
	}
	free(cpus);
}

/* After the proof, whose packets were nobody's. */
void bpf_reasons_clear(const struct bpf_dp *b)
{
	int n = libbpf_num_possible_cpus();
	struct tp_reason_count *cpus = n > 0 ? calloc((size_t)n, sizeof(*cpus)) : NULL;

	for (uint32_t i = 0; cpus && i < TP_REASON_COUNT; i++)
		bpf_map_update_elem(b->maps.fd[BPF_REASONS], &i, cpus, BPF_ANY);
	free(cpus);
}

static void relayed_add(void *arg, const struct tp_dp_reason *reason)
{
	if (!strcmp(reason->verdict, "relay"))
		*(uint64_t *)arg += reason->packets;
}

uint64_t bpf_relayed_packets(const struct bpf_dp *b)
{
	uint64_t packets = 0;

	bpf_report_reasons((struct tp_dp *)&b->dp, relayed_add, &packets);
	return packets;
}

static void hop_read(struct bpf_dp *b, const struct tp_nl_link *links, size_t len, uint32_t index,
		     struct tp_dp_hop *ret)
{
	const struct tp_hop *from;
	struct tp_hop hop;
	uint32_t seq;

	*ret = (struct tp_dp_hop){ 0 };
	if (!index || index >= b->maps.hops_len)
		return;
	from = &b->maps.hops[index];
	seq = __atomic_load_n(&from->seq, __ATOMIC_ACQUIRE);
	memcpy(&hop, from, sizeof(hop));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	/* Only this thread and binding workers write hops: a torn one is shown as none. */
	if ((seq & 1) || __atomic_load_n(&from->seq, __ATOMIC_RELAXED) != seq)
		return;
	ret->valid = hop.flags & TP_HOP_VALID;
	ret->ifindex = hop.ifindex;
	ret->mtu = hop.mtu;
	memcpy(ret->mac, hop.dst_mac, sizeof(ret->mac));
	for (size_t i = 0; i < len; i++)
		if (links[i].ifindex == hop.ifindex)
			memcpy(ret->device, links[i].name, sizeof(ret->device));
}

/* A copy of a live rule; false where it came or went meanwhile. */
static bool rule_read(const struct bpf_dp *b, uint32_t id, struct tp_rule *ret)
{
	const struct bpf_slot *s = &b->slots[id];
	uint32_t gen;

	if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != BPF_SLOT_LIVE)
		return false;
	gen = __atomic_load_n(&b->maps.rules[id].gen, __ATOMIC_ACQUIRE);
	memcpy(ret, &b->maps.rules[id], sizeof(*ret));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return gen && ret->gen == gen && __atomic_load_n(&b->maps.rules[id].gen, __ATOMIC_RELAXED) == gen &&
	       __atomic_load_n(&s->state, __ATOMIC_RELAXED) == BPF_SLOT_LIVE;
}

void bpf_report_rules(struct tp_dp *dp, tp_dp_rule_fn fn, void *arg)
{
	struct bpf_dp *b = bpf_of(dp);
	const struct tp_nl_link *links;
	struct tp_rule rule;
	size_t len;

	links = tp_nl_links(b->nl, &len);
	for (uint32_t id = 1; id < b->maps.rules_len; id++) {
		struct tp_dp_rule out = { .id = id };

		if (!rule_read(b, id, &rule))
			continue;
		out.generation = rule.gen;
		out.peer_is_relayed = rule.flags & TP_RULE_PEER_IS_RELAYED;
		bpf_rule_decode(&rule, &out.flow);
		bpf_life_read(b, id, &out.life);
		dp->ops->read(dp, id, &out.traffic);
		hop_read(b, links, len, rule.client_hop, &out.client_hop);
		hop_read(b, links, len, rule.peer_hop, &out.peer_hop);
		if (!fn(arg, &out))
			return;
	}
}

void bpf_report_totals(struct tp_dp *dp, struct tp_dp_totals *ret)
{
	struct bpf_dp *b = bpf_of(dp);
	struct tp_nl_stats stats;

	tp_nl_read_stats(b->nl, &stats);
	pthread_mutex_lock(&b->lock);
	ret->flows = b->flows;
	pthread_mutex_unlock(&b->lock);
	ret->flows_max = b->maps.rules_len - 1;
	ret->full = __atomic_load_n(&b->full, __ATOMIC_RELAXED);
	ret->hops = stats.hops;
	ret->confirmed = b->confirmed;
}

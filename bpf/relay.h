/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens to a packet: parse, look up, plan. Included by the XDP and tc
 * programs and, natively, by the tests; each brings its own vocabulary first:
 *
 *   map_*()              maps.bpf.h, or the tests' tables
 *   env_clock()          coarse monotonic ns
 *   env_random()         32 random bits
 *   struct tp_ctx        the hook's context
 *   ctx_size(ctx)        of the whole frame, also what [data, end) does not show
 *   ctx_has_socket(ctx, head)  does a socket of this node want it?
 *
 * A rule may be unlinked at any time, but its slot is not reused while a program
 * runs that found it (abi.h). The generation is compared once more after all that is
 * needed was copied and before the packet is touched.
 */
#ifndef TP_RELAY_H
#define TP_RELAY_H

#include "flow.h"

/*
 * One packet's state. In BPF it is in a map: the stack has 512 bytes, and what the
 * verifier does not follow, it need not follow twice.
 */
struct tp_job {
	struct tp_head head;
	struct tp_message message;
	__u32 up_slot, down_slot; /* to be counted, as the reason says */
	__u64 now;
	__u32 ifindex;		/* of the device that the packet came in by */
	_Bool segments;		/* more than one datagram (GRO) */
	_Bool any_device;	/* the hook can send by every device, not only by those with ndo_xdp_xmit */
	struct tp_plan plan;
};
_Static_assert(sizeof(struct tp_job) <= 512, "the programs keep 512 bytes for it, maps.bpf.h");

static __always_inline enum tp_reason relay_came_by(const struct tp_job *job, const struct tp_rule *rule,
						    __u32 index)
{
	const struct tp_hop *hop;
	_Bool admits;
	__u32 seq;

	if (job->head.mac[0] & 1)
		return TP_REASON_OTHER_DEVICE;
	if (rule->flags & TP_RULE_NO_HOP_CHECK)
		return TP_GO_ON;
	hop = index ? map_hop(index) : (void *)0;
	if (!hop)
		return TP_REASON_NO_HOP;
	seq = TP_ONCE(hop->seq);
	asm volatile("" ::: "memory");
	admits = tp_hop_admits(hop, &job->head, job->ifindex);
	asm volatile("" ::: "memory");
	if ((seq & 1) || TP_ONCE(hop->seq) != seq)
		return TP_REASON_BUSY;
	return admits ? TP_GO_ON : TP_REASON_OTHER_DEVICE;
}

/* Where the plan's packet leaves, and all that depends on it. */
static __always_inline enum tp_reason relay_leave(struct tp_job *job, __u32 hop)
{
	enum tp_reason reason = flow_hop(hop, &job->plan.hop);

	if (reason != TP_GO_ON)
		return reason;
	if (!(job->plan.hop.flags & TP_HOP_VALID))
		return TP_REASON_NO_HOP;
	if (!job->any_device && job->plan.hop.ifindex != job->ifindex && !(job->plan.hop.flags & TP_HOP_XDP_XMIT))
		return TP_REASON_NO_HOP;
	reason = tp_plan_finish(&job->plan, &job->head, &job->message);
	if (reason == TP_GO_ON && job->plan.family == TP_IPV4 && !job->plan.df)
		job->plan.ident = (__u16)env_random();
	return reason;
}

static __always_inline enum tp_reason relay_drop_up(const struct tp_found *found, enum tp_reason reason)
{
	struct tp_counts *counts = map_counts(found->slot);

	if (counts)
		__sync_fetch_and_add(&counts->up.dropped, 1);
	return reason;
}

static __always_inline enum tp_reason relay_drop_down(const struct tp_found *found, enum tp_reason reason)
{
	struct tp_counts *counts = map_counts(found->slot);

	if (counts)
		__sync_fetch_and_add(&counts->down.dropped, 1);
	return reason;
}

/* The client's side of a flow: ChannelData while the channel lives, a Data indication afterwards. */
static __always_inline void relay_wrap(struct tp_job *job, const struct tp_found *found, const struct tp_ip *peer,
				       __be16 peer_port)
{
	__u32 random[3];

	tp_plan_to_client(&job->plan, found->rule);
	if (found->rule->kind == TP_FLOW_CHANNEL && job->now < TP_ONCE(found->life->channel_ns)) {
		tp_plan_wrap_channel(&job->plan, found->rule, job->message.size);
		return;
	}
	random[0] = env_random();
	random[1] = env_random();
	random[2] = env_random();
	tp_plan_wrap_data(&job->plan, found->rule, peer, peer_port, job->message.size, random);
}

/*
 * Both sides of the call are relayed here: the peer of `a` is the relayed address of
 * another allocation, or of the same one. One pass for both, never a third.
 */
static __always_inline enum tp_reason relay_hairpin(struct tp_job *job, const struct tp_found *a,
						    const struct tp_ip *peer, __be16 peer_port)
{
	struct tp_ip relayed = a->rule->relayed_ip;
	__be16 relayed_port = a->rule->relayed_port;
	struct tp_found b;
	enum tp_reason reason;
	__u64 ref;

	ref = flow_find_down(a->rule->peer_family, peer, peer_port, &relayed, relayed_port);
	if (!ref)
		return TP_REASON_HAIRPIN_MISS;
	if (!flow_open(ref, &b))
		return TP_REASON_BUSY;
	if (job->now >= TP_ONCE(b.life->down_ns))
		return relay_drop_down(&b, TP_REASON_EXPIRED);
	relay_wrap(job, &b, &relayed, relayed_port);
	reason = relay_leave(job, TP_ONCE(b.rule->client_hop));
	if (reason != TP_GO_ON)
		return reason;
	if (!flow_police(a->rule->police, job->message.size, job->now))
		return relay_drop_up(a, TP_REASON_POLICED);
	if (b.rule->police != a->rule->police && !flow_police(b.rule->police, job->message.size, job->now))
		return relay_drop_down(&b, TP_REASON_POLICED);
	if (!flow_valid(a) || !flow_valid(&b))
		return TP_REASON_BUSY;
	job->up_slot = a->slot;
	job->down_slot = b.slot;
	return TP_REASON_RELAYED_BOTH;
}

/* From `a`'s client to this peer. */
static __always_inline enum tp_reason relay_to_peer(struct tp_job *job, const struct tp_found *a,
						    const struct tp_ip *peer, __be16 peer_port)
{
	const struct tp_rule *rule = a->rule;
	enum tp_reason reason;

	if (rule->flags & TP_RULE_PEER_IS_RELAYED)
		return relay_hairpin(job, a, peer, peer_port);
	/* To itself, or to the door it came in by: not without the stack. */
	if (tp_ip_same(peer, &rule->relayed_ip) || (tp_ip_same(peer, &rule->server_ip) &&
						    peer_port == rule->server_port))
		return TP_REASON_LOOP;
	tp_plan_to_peer(&job->plan, rule, peer, peer_port);
	reason = relay_leave(job, TP_ONCE(rule->peer_hop));
	if (reason != TP_GO_ON)
		return reason;
	if (!flow_police(rule->police, job->message.size, job->now))
		return relay_drop_up(a, TP_REASON_POLICED);
	if (!flow_valid(a))
		return TP_REASON_BUSY;
	job->up_slot = a->slot;
	return TP_REASON_RELAYED_UP;
}

static __always_inline enum tp_reason relay_up(struct tp_job *job, __u64 ref)
{
	struct tp_found flow, permission;
	struct tp_ip peer;
	__be16 peer_port;
	enum tp_reason reason;

	if (!flow_open(ref, &flow))
		return TP_REASON_BUSY;
	if (tp_ip_martian(&job->head.src, job->head.family))
		return TP_REASON_MARTIAN;
	if (job->now >= TP_ONCE(flow.life->up_ns))
		return relay_drop_up(&flow, TP_REASON_EXPIRED);
	reason = relay_came_by(job, flow.rule, TP_ONCE(flow.rule->client_hop));
	if (reason != TP_GO_ON)
		return reason;
	if (job->message.kind == TP_MESSAGE_CHANNEL) {
		peer = flow.rule->peer_ip;
		peer_port = flow.rule->peer_port;
	} else {
		/* A Send is licensed by the permission of its peer's address. */
		peer = job->message.peer;
		peer_port = job->message.peer_port;
		ref = flow_find_down(flow.rule->peer_family, &flow.rule->relayed_ip, flow.rule->relayed_port, &peer, 0);
		if (!ref)
			return TP_REASON_NO_PERMISSION;
		if (!flow_open(ref, &permission) || !flow_valid(&flow))
			return TP_REASON_BUSY;
		if (job->now >= TP_ONCE(permission.life->down_ns))
			return relay_drop_up(&permission, TP_REASON_EXPIRED);
		flow = permission;
	}
	return relay_to_peer(job, &flow, &peer, peer_port);
}

static __always_inline enum tp_reason relay_down(struct tp_job *job, __u64 ref)
{
	struct tp_found flow;
	enum tp_reason reason;

	if (!flow_open(ref, &flow))
		return TP_REASON_BUSY;
	/* An address of our own does not come from the wire. */
	if ((flow.rule->flags & TP_RULE_PEER_IS_RELAYED) || tp_ip_martian(&job->head.src, job->head.family) ||
	    tp_ip_same(&job->head.src, &job->head.dst))
		return TP_REASON_MARTIAN;
	if (job->now >= TP_ONCE(flow.life->down_ns))
		return relay_drop_down(&flow, TP_REASON_EXPIRED);
	reason = relay_came_by(job, flow.rule, TP_ONCE(flow.rule->peer_hop));
	if (reason != TP_GO_ON)
		return reason;
	/* What looked like ChannelData or a Send is a peer's data here. */
	job->message.off = job->head.udp + TP_UDP_SIZE;
	job->message.size = job->head.size;
	job->message.cut = 0;
	job->message.odd = 0;
	relay_wrap(job, &flow, &job->head.src, job->head.sport);
	reason = relay_leave(job, TP_ONCE(flow.rule->client_hop));
	if (reason != TP_GO_ON)
		return reason;
	if (!flow_police(flow.rule->police, job->message.size, job->now))
		return relay_drop_down(&flow, TP_REASON_POLICED);
	if (!flow_valid(&flow))
		return TP_REASON_BUSY;
	job->down_slot = flow.slot;
	return TP_REASON_RELAYED_DOWN;
}

/* RFC 8656 section 12, table 3 and RFC 8489, 9443: STUN, DTLS, and TURN channels. */
static __always_inline _Bool relay_is_turn(__u8 first)
{
	return first < 4 || (first >= 20 && first <= 63) || (first >= 64 && first <= 127);
}

/*
 * While no daemon lives, nothing may go up to turnpike's ports, or the stack would
 * answer with ICMP errors; packets for other sockets in the relay range may.
 */
static __always_inline _Bool relay_dead_drop(struct tp_ctx *ctx, const struct tp_job *job,
					     const struct tp_state *state)
{
	const struct tp_head *head = &job->head;
	__u64 heartbeat = TP_ONCE(state->heartbeat_ns), dead_after = TP_ONCE(state->dead_after_ns);
	const struct tp_local *local;
	__u16 port = TP_HOST16(head->dport);

	if (TP_LIKELY(!heartbeat || !dead_after || job->now <= heartbeat + dead_after))
		return 0;
	if (flow_local(head, head->dport, TP_LOCAL_LISTEN))
		return 1;
	local = flow_local(head, 0, TP_LOCAL_RELAY);
	return local && port >= local->first && port <= local->last && !ctx_has_socket(ctx, head);
}

/* No flow: `reason` is why it goes up, unless it is for one of turnpike's own ports and senseless there. */
static __always_inline enum tp_reason relay_miss(const struct tp_job *job, const struct tp_state *state,
						 enum tp_reason reason)
{
	const struct tp_message *message = &job->message;

	if (reason == TP_REASON_MALFORMED)
		return flow_local(&job->head, job->head.dport, TP_LOCAL_LISTEN) ? reason : TP_REASON_NO_RULE;
	if (message->kind == TP_MESSAGE_STUN || message->kind == TP_MESSAGE_SEND)
		return TP_REASON_STUN;
	if (!flow_local(&job->head, job->head.dport, TP_LOCAL_LISTEN))
		return reason;
	if (message->kind == TP_MESSAGE_SHORT)
		return TP_REASON_MALFORMED;
	if (!relay_is_turn(message->first))
		return TP_REASON_NOT_TURN;
	if (message->kind != TP_MESSAGE_CHANNEL)
		return reason;
	if (message->channel > ((TP_ONCE(state->flags) & TP_STATE_RFC5766_CHANNELS) ? TP_CHANNEL_MAX_RFC5766 :
										      TP_CHANNEL_MAX))
		return TP_REASON_NO_CHANNEL;
	return TP_ONCE(state->flags) & TP_STATE_AUTHORITATIVE ? TP_REASON_NO_CHANNEL : reason;
}

static __always_inline void relay_begin(struct tp_job *job, __u32 ifindex, _Bool any_device)
{
	__builtin_memset(&job->head, 0, sizeof(job->head));
	__builtin_memset(&job->message, 0, sizeof(job->message));
	job->ifindex = ifindex;
	job->any_device = any_device;
	job->segments = 0;
}



enum tp_verdict { TP_VERDICT_RELAY, TP_VERDICT_PASS, TP_VERDICT_DROP };

static __always_inline enum tp_verdict relay_verdict(enum tp_reason reason)
{
	if (reason <= TP_REASON_RELAYED_BOTH)
		return TP_VERDICT_RELAY;
	return reason < TP_REASON_MALFORMED ? TP_VERDICT_PASS : TP_VERDICT_DROP;
}

/* The flow of a UDP datagram, and what it says. */
static __always_inline enum tp_reason relay_datagram(struct tp_job *job, const struct tp_state *state)
{
	const struct tp_head *head = &job->head;
	__u16 select = 0;
	__u64 ref;

	if (job->message.kind == TP_MESSAGE_CHANNEL)
		select = job->message.channel;
	else if (job->message.kind == TP_MESSAGE_SEND)
		select = job->message.peer_family == TP_IPV4 ? TP_CHANNEL_SEND4 : TP_CHANNEL_SEND6;
	if (select) {
		ref = flow_find_up(head, select);
		if (ref)
			return job->segments ? TP_REASON_GSO : relay_up(job, ref);
	}
	ref = flow_find_down(head->family, &head->dst, head->dport, &head->src, head->sport);
	if (ref)
		return job->segments ? TP_REASON_GSO : relay_down(job, ref);
	return relay_miss(job, state, TP_REASON_NO_RULE);
}

/*
 * The verdict on a frame, of which [data, end) can be read. TP_REASON_RELAYED_*: the
 * plan is to be carried out. `job` was set up by relay_begin().
 */
static __always_inline enum tp_reason relay_decide(struct tp_ctx *ctx, const __u8 *data, const __u8 *end,
						   __u32 size, struct tp_job *job)
{
	enum tp_reason reason = tp_parse(data, end, size, &job->head);
	const struct tp_state *state = map_state();

	if (reason == TP_REASON_MALFORMED && ctx_size(ctx) > size)
		return TP_REASON_MULTI_BUFFER;
	if (!state)
		return reason == TP_GO_ON ? TP_REASON_BUSY : reason;
	if (reason != TP_GO_ON && !job->head.dport)
		return reason == TP_REASON_MALFORMED ? TP_REASON_NO_RULE : reason;
	job->now = env_clock();
	if (reason == TP_GO_ON) {
		tp_message(data, end, &job->head, &job->message);
		reason = relay_datagram(job, state);
	} else if (reason == TP_REASON_MALFORMED) {
		reason = relay_miss(job, state, reason);
	}
	if (relay_verdict(reason) == TP_VERDICT_PASS && relay_dead_drop(ctx, job, state))
		return TP_REASON_DAEMON_DEAD;
	return reason;
}

static __always_inline void relay_count(struct tp_count *count, __u32 size, __u64 now)
{
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, size);
	if (count->last_ns != now)
		count->last_ns = now;
}

/* At the end: `frame_size` is the received frame's. */
static __always_inline void relay_account(struct tp_job *job, enum tp_reason reason, __u32 frame_size)
{
	struct tp_reason_count *count = map_reason(reason);
	struct tp_counts *counts;

	if (count) {
		count->packets++;
		count->bytes += frame_size;
	}
	if (reason == TP_REASON_RELAYED_UP || reason == TP_REASON_RELAYED_BOTH) {
		counts = map_counts(job->up_slot);
		if (counts)
			relay_count(&counts->up, job->message.size, job->now);
	}
	if (reason == TP_REASON_RELAYED_DOWN || reason == TP_REASON_RELAYED_BOTH) {
		counts = map_counts(job->down_slot);
		if (counts)
			relay_count(&counts->down, job->message.size, job->now);
	}
}

#endif /* TP_RELAY_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* Rules out of flows and back; what makes a peer one of this node's relayed addresses. */
#include "dp/bpf.h"

#include <arpa/inet.h>

#include "lib/tap.h"

static struct tp_addr addr(const char *text)
{
	struct tp_addr a = { 0 };

	if (tp_addr_parse(text, &a))
		printf("# %s is no address\n", text);
	return a;
}

static struct tp_flow flow_of(enum tp_flow_kind kind, const char *peer)
{
	struct tp_flow f = { .kind = kind, .id = 0x1122334455667788, .police = 3 };

	f.tuple.client = addr("198.51.100.1:5000");
	f.tuple.server = addr("192.0.2.1:3478");
	f.relayed = addr(strchr(peer, ':') && strchr(peer, ':') != strrchr(peer, ':') ? "[2001:db8::1]:50000" :
											"192.0.2.1:50000");
	if (kind != TP_DP_SEND)
		f.peer = addr(peer);
	f.channel = kind == TP_DP_CHANNEL ? 0x4abc : 0;
	return f;
}

static struct bpf_conf conf_of(void)
{
	static struct tp_relay_ip relay[3];
	static struct tp_external external[2];

	relay[0].addr = addr("192.0.2.1");
	relay[1].addr = addr("192.0.2.2");
	relay[2] = (struct tp_relay_ip){ .addr = addr("2001:db8:77::"), .prefix_len = 60 };
	external[0].public = addr("203.0.113.1");
	external[1] = (struct tp_external){ .public = addr("203.0.113.2"), .private = addr("192.0.2.2") };
	return (struct bpf_conf){ .relay = relay, .relay_len = 3, .external = external, .external_len = 2,
				  .min_port = 49152, .max_port = 65535 };
}

static struct tp_rule rule_of(enum tp_flow_kind kind, const char *peer)
{
	struct bpf_conf conf = conf_of();
	struct tp_flow flow = flow_of(kind, peer);
	struct tp_rule rule;

	bpf_rule_fill(&conf, &flow, 9, &rule);
	return rule;
}

static void test_round_trip(enum tp_flow_kind kind, const char *peer, const char *name)
{
	struct tp_flow flow = flow_of(kind, peer), back;
	struct tp_rule rule = rule_of(kind, peer);

	bpf_rule_decode(&rule, &back);
	check(back.kind == flow.kind && tp_tuple_equal(&back.tuple, &flow.tuple) &&
	      tp_addr_equal(&back.relayed, &flow.relayed) && tp_addr_equal(&back.peer, &flow.peer) &&
	      back.channel == flow.channel && back.id == flow.id && back.police == flow.police,
	      "%s comes back out of its rule", name);
	check(rule.gen == 9 && rule.client_family == 4 && rule.peer_family == flow.relayed.family && !rule.zero &&
	      !rule.slot_zero && !rule.client_hop, "%s: generation, families, and zero where nothing is", name);
}

static void test_relayed_here(void)
{
	struct tp_rule r;

	r = rule_of(TP_DP_CHANNEL, "203.0.113.9:50001");
	check(!(r.flags & TP_RULE_PEER_IS_RELAYED) && !r.external_ip4, "a peer elsewhere is not relayed here");
	r = rule_of(TP_DP_CHANNEL, "192.0.2.2:50001");
	check(r.flags & TP_RULE_PEER_IS_RELAYED, "a peer at a relay address, in its port range, is");
	check(r.external_ip4 == inet_addr("203.0.113.2"), "and shown as the external address of that one");
	r = rule_of(TP_DP_CHANNEL, "192.0.2.1:50001");
	check(r.external_ip4 == inet_addr("203.0.113.1"), "or of all of the family");
	r = rule_of(TP_DP_CHANNEL, "192.0.2.1:53");
	check(!(r.flags & TP_RULE_PEER_IS_RELAYED), "a port out of the range is another service of this node");
	r = rule_of(TP_DP_PERMISSION, "192.0.2.1");
	check(r.flags & TP_RULE_PEER_IS_RELAYED, "a permission for a relay address says that a peer may be");
	r = rule_of(TP_DP_CHANNEL, "[2001:db8:77:f::5]:50001");
	check(r.flags & TP_RULE_PEER_IS_RELAYED, "an address out of the relay prefix is one, too");
	r = rule_of(TP_DP_CHANNEL, "[2001:db8:77:10::5]:50001");
	check(!(r.flags & TP_RULE_PEER_IS_RELAYED), "the one behind its end is not");
	r = rule_of(TP_DP_SEND, "192.0.2.1");
	check(!r.flags && !r.peer_ip.w[0], "a Send flow has no peer");
}

int main(void)
{
	test_round_trip(TP_DP_CHANNEL, "203.0.113.9:6000", "a channel");
	test_round_trip(TP_DP_CHANNEL, "[2001:db8:9::1]:6000", "an IPv6 peer's channel");
	test_round_trip(TP_DP_PERMISSION, "203.0.113.9", "a permission");
	test_round_trip(TP_DP_SEND, "203.0.113.9", "a Send");
	test_relayed_here();
	return done();
}

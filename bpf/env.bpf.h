/* SPDX-License-Identifier: GPL-2.0 */
/* What relay.h asks of the kernel in both programs: the clock, chance, and whether a socket waits. */
#ifndef TP_ENV_BPF_H
#define TP_ENV_BPF_H

#include "maps.bpf.h"
#include <turnpike/apply.h>

static __always_inline __u64 env_clock(void)
{
	return bpf_ktime_get_coarse_ns();
}

static __always_inline __u32 env_random(void)
{
	return bpf_get_prandom_u32();
}

/* Is there a socket for this packet? Asked only while the daemon is dead. */
static __always_inline _Bool ctx_has_socket(void *ctx, const struct tp_head *head)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	if (head->family == TP_IPV4) {
		tuple.ipv4.saddr = head->src.w[0];
		tuple.ipv4.daddr = head->dst.w[0];
		tuple.ipv4.sport = head->sport;
		tuple.ipv4.dport = head->dport;
		sk = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, &head->src, sizeof(head->src));
		__builtin_memcpy(tuple.ipv6.daddr, &head->dst, sizeof(head->dst));
		tuple.ipv6.sport = head->sport;
		tuple.ipv6.dport = head->dport;
		sk = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

#endif /* TP_ENV_BPF_H */

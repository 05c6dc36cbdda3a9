/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Each program is proved before it is put on a device of the node: a frame of
 * ChannelData goes into a scratch veth pair and must come back as the datagram for
 * the peer. Without the privilege for a network namespace the kernel runs the
 * program on that frame alone (BPF_PROG_TEST_RUN). Called when the data path opens,
 * before the maps have any other use.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "dp/bpf.h"
#include "log.h"

/* Addresses for benchmarks (RFC 2544): no client has them. One rule, one hop, gone afterwards. */
#define PROOF_CLIENT		"198.18.0.1:1111"
#define PROOF_SERVER		"198.18.0.2:3478"
#define PROOF_RELAYED		"198.18.0.2:55555"
#define PROOF_PEER		"198.18.0.3:2222"
#define PROOF_CHANNEL		0x4000
#define PROOF_SLOT		1
#define PROOF_GEN		UINT32_MAX
#define PROOF_TRIES		20	/* frames, each waited for */
#define PROOF_WAIT_MS		50

static const char proof_payload[] = "turnpike";
#define PROOF_PAYLOAD		(sizeof(proof_payload) - 1)

struct proof_frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t data[4 + PROOF_PAYLOAD];
} __attribute__((packed));

struct proof {
	struct bpf_dp *b;
	bool veth;		/* could be had */
	int xdp, tc;		/* what came of each */
};

static uint16_t ip_checksum(const void *ip)
{
	const uint8_t *p = ip;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(struct iphdr); i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void proof_frame_build(struct proof_frame *ret)
{
	static const uint8_t near_mac[6] = BPF_SCRATCH_NEAR_MAC, far_mac[6] = BPF_SCRATCH_FAR_MAC;
	struct proof_frame f = { 0 };
	struct tp_addr from, to;

	tp_addr_parse(PROOF_CLIENT, &from);
	tp_addr_parse(PROOF_SERVER, &to);
	memcpy(f.eth.h_dest, near_mac, ETH_ALEN);
	memcpy(f.eth.h_source, far_mac, ETH_ALEN);
	f.eth.h_proto = htons(ETH_P_IP);
	f.ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .frag_off = htons(IP_DF),
			       .tot_len = htons(sizeof(f) - sizeof(f.eth)) };
	memcpy(&f.ip.saddr, from.ip, 4);
	memcpy(&f.ip.daddr, to.ip, 4);
	f.ip.check = ip_checksum(&f.ip);
	f.udp = (struct udphdr){ .source = htons(from.port), .dest = htons(to.port),
				 .len = htons(sizeof(f.udp) + sizeof(f.data)) };
	f.data[0] = PROOF_CHANNEL >> 8;
	f.data[3] = PROOF_PAYLOAD;
	memcpy(f.data + 4, proof_payload, PROOF_PAYLOAD);
	*ret = f;
}

/* Is it the datagram that the peer is to get? */
static bool proof_frame_arrived(const uint8_t *data, size_t size)
{
	const struct proof_frame *f = (const void *)data;
	struct tp_addr relayed, peer;

	tp_addr_parse(PROOF_RELAYED, &relayed);
	tp_addr_parse(PROOF_PEER, &peer);
	return size >= sizeof(*f) - 4 && f->eth.h_proto == htons(ETH_P_IP) && f->ip.protocol == IPPROTO_UDP &&
	       !memcmp(&f->ip.saddr, relayed.ip, 4) && !memcmp(&f->ip.daddr, peer.ip, 4) &&
	       f->udp.source == htons(relayed.port) && f->udp.dest == htons(peer.port) &&
	       f->udp.len == htons(sizeof(f->udp) + PROOF_PAYLOAD) && !memcmp(f->data, proof_payload, PROOF_PAYLOAD);
}

static struct tp_rule proof_rule(const struct bpf_dp *b)
{
	struct tp_flow flow = { .kind = TP_DP_CHANNEL, .channel = PROOF_CHANNEL };
	struct tp_rule rule;

	tp_addr_parse(PROOF_CLIENT, &flow.tuple.client);
	tp_addr_parse(PROOF_SERVER, &flow.tuple.server);
	tp_addr_parse(PROOF_RELAYED, &flow.relayed);
	tp_addr_parse(PROOF_PEER, &flow.peer);
	bpf_rule_fill(&b->conf, &flow, PROOF_GEN, &rule);
	rule.client_hop = rule.peer_hop = 1;
	return rule;
}

static int proof_begin(struct bpf_dp *b)
{
	b->maps.rules[PROOF_SLOT] = proof_rule(b);
	b->maps.lives[PROOF_SLOT] = (struct tp_life){ UINT64_MAX, UINT64_MAX, UINT64_MAX, 0 };
	return bpf_keys_insert(&b->maps, &b->maps.rules[PROOF_SLOT], TP_REF(PROOF_SLOT, PROOF_GEN));
}

static void proof_hop(struct bpf_dp *b, unsigned int ifindex)
{
	b->maps.hops[1] = (struct tp_hop){ .ifindex = ifindex, .dst_mac = BPF_SCRATCH_FAR_MAC,
					   .src_mac = BPF_SCRATCH_NEAR_MAC, .mtu = 1500,
					   .flags = TP_HOP_VALID | TP_HOP_XDP_XMIT };
}

static void proof_end(struct bpf_dp *b)
{
	bpf_keys_delete(&b->maps, &b->maps.rules[PROOF_SLOT]);
	tp_grace_wait(b->grace);
	memset(&b->maps.rules[PROOF_SLOT], 0, sizeof(*b->maps.rules));
	memset(&b->maps.lives[PROOF_SLOT], 0, sizeof(*b->maps.lives));
	memset(&b->maps.counts[PROOF_SLOT], 0, sizeof(*b->maps.counts));
	memset(&b->maps.hops[1], 0, sizeof(*b->maps.hops));
	bpf_reasons_clear(b);
}

/* Frames into the far end until one comes back as it should. */
static int proof_exchange(const struct bpf_scratch *s)
{
	struct pollfd p = { .fd = s->far_fd, .events = POLLIN };
	struct proof_frame frame;
	uint8_t buffer[2048];
	ssize_t size;

	proof_frame_build(&frame);
	for (int i = 0; i < PROOF_TRIES; i++) {
		if (send(s->far_fd, &frame, sizeof(frame), 0) < 0 && errno != ENETDOWN && errno != ENOBUFS)
			return -errno;
		if (poll(&p, 1, PROOF_WAIT_MS) < 0 && errno != EINTR)
			return -errno;
		/* The frames that go out are seen here, too. */
		for (int n = 0; n < 64 && (size = recv(s->far_fd, buffer, sizeof(buffer), 0)) > 0; n++)
			if (proof_frame_arrived(buffer, (size_t)size))
				return 0;
	}
	return -ETIMEDOUT;
}

static int proof_on_veth(struct bpf_dp *b, const struct bpf_scratch *s, int prog_fd, bool xdp)
{
	struct bpf_attached at;
	int err;

	proof_hop(b, s->near);
	err = xdp ? bpf_attach_xdp(prog_fd, s->near, &at) : bpf_attach_tc(b, s->near, false, &at);
	if (err)
		return err;
	err = proof_exchange(s);
	bpf_detach(&at);
	return err;
}

static void *proof_main(void *arg)
{
	struct proof *proof = arg;
	struct bpf_dp *b = proof->b;
	struct bpf_scratch s;

	if (bpf_scratch_open(&s))
		return NULL;
	proof->veth = true;
	if (b->xdp_fd >= 0)
		proof->xdp = proof_on_veth(b, &s, b->xdp_fd, true);
	if (b->tc_fd >= 0)
		proof->tc = proof_on_veth(b, &s, b->tc_fd, false);
	bpf_scratch_close(&s);
	return NULL;
}

/* The kernel runs it as if the frame came in by the loopback device of this namespace. */
static int proof_by_run(struct bpf_dp *b, int prog_fd, uint32_t verdict)
{
	struct proof_frame frame;
	uint8_t out[2048];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame), .data_out = out,
		    .data_size_out = sizeof(out));

	if (prog_fd < 0)
		return 0;
	proof_hop(b, if_nametoindex("lo"));
	proof_frame_build(&frame);
	if (bpf_prog_test_run_opts(prog_fd, &opts) < 0)
		return -errno;
	return opts.retval == verdict && proof_frame_arrived(out, opts.data_size_out) ? 0 : -EBADMSG;
}

static int proof_run(struct proof *proof)
{
	sigset_t all, old;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&thread, NULL, proof_main, proof);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err;
	pthread_join(thread, NULL);
	if (proof->veth)
		return 0;
	tp_info("datapath: no scratch network namespace here; the programs are proved by a run on a frame alone");
	proof->xdp = proof_by_run(proof->b, proof->b->xdp_fd, XDP_TX);
	proof->tc = proof_by_run(proof->b, proof->b->tc_fd, 7 /* TC_ACT_REDIRECT */);
	return 0;
}

/* A program that failed is not used. */
int bpf_prove(struct bpf_dp *b, char *why)
{
	struct proof proof = { .b = b };
	int err = proof_begin(b);

	if (!err)
		err = proof_run(&proof);
	proof_end(b);
	if (err) {
		snprintf(why, BPF_WHY_SIZE, "proving the programs: %s", strerror(-err));
		return err;
	}
	if (b->xdp_fd >= 0 && proof.xdp) {
		snprintf(why, BPF_WHY_SIZE, "the XDP program failed its proof: %s", strerror(-proof.xdp));
		tp_warning("datapath: %s", why);
		b->xdp_fd = -1;
	}
	if (b->tc_fd >= 0 && proof.tc) {
		snprintf(why, BPF_WHY_SIZE, "the tc program failed its proof: %s", strerror(-proof.tc));
		tp_warning("datapath: %s", why);
		b->tc_fd = -1;
	}
	return b->xdp_fd < 0 && b->tc_fd < 0 ? -ENODEV : 0;
}

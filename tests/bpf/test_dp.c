/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bpf data path with real packets: flows in, datagrams through, counters out.
 * As root, the relay in a network namespace of this process:
 *
 *   client tpc-PID         relay (this process)          peer tpp-PID
 *   cl0 10.94.1.2 -------- cl1 10.94.1.1
 *                          pe1 10.94.2.1 --------------- pe0 10.94.2.2
 *
 * The relay does not forward: what arrives at the peer was relayed by a program,
 * for there is no daemon. Far ends of XDP have GRO, or they would receive nothing,
 * and senders compute their checksums.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "conf.h"
#include "dp/bpf.h"
#include "lib/tap.h"
#include "log.h"

#define SOON_MS		5000	/* until something must have happened */
#define NEVER_MS	200	/* until nothing has */
#define CHANNEL		0x4001

static char client_ns[32], peer_ns[32];
static int client_fd, peer_fd;

__attribute__((format(printf, 1, 2))) static bool sh(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (!system(command))
		return true;
	printf("# failed: %s\n", command);
	return false;
}

static pid_t main_pid;

static void cleanup(void)
{
	if (getpid() != main_pid)
		return;
	sh("ip netns del %s 2>/dev/null; ip netns del %s 2>/dev/null; true", client_ns, peer_ns);
}

static bool build_side(const char *ns, const char *far, const char *near, int net)
{
	return sh("ip netns add %s", ns) && sh("ip link add %s type veth peer name %s netns %s", near, far, ns) &&
	       sh("ip addr add 10.94.%d.1/24 dev %s && ip link set %s up", net, near, near) &&
	       sh("ip -n %s addr add 10.94.%d.2/24 dev %s && ip -n %s link set %s up", ns, net, far, ns, far) &&
	       sh("ip netns exec %s ethtool -K %s tx off gro on >/dev/null 2>&1", ns, far);
}

static bool build(void)
{
	main_pid = getpid();
	snprintf(client_ns, sizeof(client_ns), "tpc-%d", (int)main_pid);
	snprintf(peer_ns, sizeof(peer_ns), "tpp-%d", (int)main_pid);
	if (unshare(CLONE_NEWNET))
		return false;
	atexit(cleanup);
	return sh("ip link set lo up") && build_side(client_ns, "cl0", "cl1", 1) && build_side(peer_ns, "pe0", "pe1", 2);
}

/* A UDP socket in another namespace: it stays there. */
static int socket_in(const char *ns, const char *at)
{
	char path[64];
	struct sockaddr_storage ss;
	struct tp_addr addr;
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), there, fd = -1;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	tp_addr_parse(at, &addr);
	if (home >= 0 && there >= 0 && !setns(there, CLONE_NEWNET)) {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (bind(fd, (struct sockaddr *)&ss, tp_addr_to_sockaddr(&addr, &ss)) || setns(home, CLONE_NEWNET))
			fd = -1;
	}
	close(there);
	close(home);
	return fd;
}

static void send_to(int fd, const char *to, const void *data, size_t size)
{
	struct sockaddr_storage ss;
	struct tp_addr addr;

	tp_addr_parse(to, &addr);
	if (sendto(fd, data, size, 0, (struct sockaddr *)&ss, tp_addr_to_sockaddr(&addr, &ss)) < 0)
		printf("# sendto %s: %s\n", to, strerror(errno));
}

/* One datagram and who it says it is from; -1: none in time. */
static ssize_t receive(int fd, int ms, uint8_t *data, size_t size, char from[TP_ADDR_STRLEN])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct tp_addr addr;
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return -1;
	n = recvfrom(fd, data, size, 0, (struct sockaddr *)&ss, &len);
	if (n >= 0 && !tp_addr_from_sockaddr((struct sockaddr *)&ss, &addr))
		tp_addr_format(&addr, from);
	return n;
}

static struct tp_conf *conf_of(const char *datapath, uint32_t allocations)
{
	static struct tp_conf conf;
	static struct tp_addr listen[2];
	static struct tp_relay_ip relay;

	tp_addr_parse("10.94.1.1", &listen[0]);
	tp_addr_parse("10.94.2.1", &relay.addr);
	conf = (struct tp_conf){ .listen = listen, .listen_len = 1, .listening_port = 3478, .relay = &relay,
				 .relay_len = 1, .min_port = 49152, .max_port = 65535, .max_allocations = allocations,
				 .datapath = (char *)datapath };
	return &conf;
}

static struct tp_flow flow_of(enum tp_flow_kind kind)
{
	struct tp_flow f = { .kind = kind, .id = 77 };

	tp_addr_parse("10.94.1.2:4000", &f.tuple.client);
	tp_addr_parse("10.94.1.1:3478", &f.tuple.server);
	tp_addr_parse("10.94.2.1:50000", &f.relayed);
	if (kind != TP_DP_SEND)
		tp_addr_parse(kind == TP_DP_CHANNEL ? "10.94.2.2:5000" : "10.94.2.2", &f.peer);
	f.channel = kind == TP_DP_CHANNEL ? CHANNEL : 0;
	return f;
}

static struct tp_flow_life life_of(uint64_t seconds)
{
	uint64_t at = tp_dp_now_ns() + seconds * 1000000000u;

	return (struct tp_flow_life){ at, at, at, at };
}

struct found {
	const char *name;
	char hook[16], reason[BPF_WHY_SIZE];
};

static void find_interface(void *arg, const struct tp_dp_interface *i)
{
	struct found *f = arg;

	if (!strcmp(i->name, f->name)) {
		snprintf(f->hook, sizeof(f->hook), "%s", i->hook);
		snprintf(f->reason, sizeof(f->reason), "%s", i->reason);
	}
}

static struct found interface_of(struct tp_dp *dp, const char *name)
{
	struct found f = { .name = name };

	tp_dp_report_interfaces(dp, find_interface, &f);
	return f;
}

static bool rule_seen(void *arg, const struct tp_dp_rule *rule)
{
	struct tp_dp_rule *ret = arg;

	if (rule->flow.kind == TP_DP_CHANNEL)
		*ret = *rule;
	return true;
}

struct reason {
	const char *name;
	uint64_t packets;
};

static void find_reason(void *arg, const struct tp_dp_reason *r)
{
	struct reason *want = arg;

	if (!strcmp(r->name, want->name))
		want->packets = r->packets;
}

static uint64_t reason_of(struct tp_dp *dp, const char *name)
{
	struct reason r = { .name = name };

	tp_dp_report_reasons(dp, find_reason, &r);
	return r.packets;
}

static struct tp_dp *opened;	/* whose network events are to be read meanwhile */

static void pump(struct tp_dp *dp)
{
	struct pollfd p = { .fd = tp_dp_fd(dp), .events = POLLIN };

	for (int i = 0; i < 100 && poll(&p, 1, 0) > 0; i++)
		tp_dp_input(dp);
}

/* ChannelData up, until it arrives or time is over: the first may find the neighbour unresolved. */
static bool up_arrives(int ms)
{
	static const uint8_t frame[] = { CHANNEL >> 8, CHANNEL & 0xff, 0, 5, 'h', 'e', 'l', 'l', 'o' };
	char from[TP_ADDR_STRLEN] = "";
	uint8_t data[64];
	ssize_t n = -1;

	for (int i = 0; i < ms / 50 && n < 0; i++) {
		pump(opened);
		send_to(client_fd, "10.94.1.1:3478", frame, sizeof(frame));
		n = receive(peer_fd, 50, data, sizeof(data), from);
	}
	while (receive(peer_fd, 0, data, sizeof(data), from) >= 0)
		n = 5;
	if (n >= 0)
		printf("# %zd bytes from %s\n", n, from);
	return n == 5 && !strcmp(from, "10.94.2.1:50000");
}

static bool down_arrives(int ms, const uint8_t *expected, size_t size)
{
	char from[TP_ADDR_STRLEN] = "";
	uint8_t data[64];
	ssize_t n = -1;

	for (int i = 0; i < ms / 50 && n < 0; i++) {
		pump(opened);
		send_to(peer_fd, "10.94.2.1:50000", "world", 5);
		n = receive(client_fd, 50, data, sizeof(data), from);
	}
	for (uint8_t more[64]; receive(client_fd, 0, more, sizeof(more), from) >= 0;)
		;
	if (n < (ssize_t)size || strcmp(from, "10.94.1.1:3478"))
		return false;
	return !memcmp(data, expected, size);
}

static bool settled_soon(struct tp_dp *dp, uint64_t ticket)
{
	uint64_t end = tp_dp_now_ns() + SOON_MS * 1000000ull;

	while (!dp->ops->settled(dp, ticket) && tp_dp_now_ns() < end)
		poll(NULL, 0, 5);
	return dp->ops->settled(dp, ticket);
}

static void test_relay(struct tp_dp *dp, const char *hook)
{
	static const uint8_t channel_data[] = { CHANNEL >> 8, CHANNEL & 0xff, 0, 5, 'w', 'o', 'r', 'l', 'd' };
	static const uint8_t indication[] = { 0x00, 0x17 };	/* RFC 8656 section 11: Data indication */
	struct tp_flow flow = flow_of(TP_DP_CHANNEL);
	struct tp_flow_life life = life_of(600), past = { 1, 1, 1, 1 }, no_channel = life;
	struct tp_flow_traffic t, last;
	struct tp_dp_rule rule = { 0 }, again = { 0 };
	struct tp_dp_totals totals;
	tp_flow_id id = 0;
	uint64_t ticket;

	check(!up_arrives(NEVER_MS), "%s: without a flow nothing is relayed", hook);
	check_eq(dp->ops->add(dp, &flow, &life, &id), 0, "%s: a channel is added", hook);
	check(up_arrives(SOON_MS), "%s: ChannelData arrives at the peer, from the relayed address", hook);
	check(down_arrives(SOON_MS, channel_data, sizeof(channel_data)), "%s: the answer arrives as ChannelData", hook);
	tp_dp_beat(dp);
	tp_dp_report_totals(dp, &totals);
	check(totals.confirmed && totals.flows == 1 && totals.hops == 2, "%s: the kernel path is confirmed", hook);
	dp->ops->read(dp, id, &t);
	check(t.up.packets && t.up.bytes == 5 * t.up.packets && t.down.packets && t.down.bytes == 5 * t.down.packets &&
	      t.up.last_ns, "%s: packets, bytes and the time of the last are counted", hook);
	check(reason_of(dp, "relayed_up") == t.up.packets, "%s: and no other was relayed", hook);
	tp_dp_report_rules(dp, rule_seen, &rule);
	check(rule.id == id && tp_addr_equal(&rule.flow.peer, &flow.peer) && tp_tuple_equal(&rule.flow.tuple, &flow.tuple) &&
	      rule.flow.channel == CHANNEL && rule.life.up_ns == life.up_ns && !strcmp(rule.peer_hop.device, "pe1"),
	      "%s: the rule is reported as it was given", hook);

	no_channel.channel_ns = 1;
	dp->ops->set_life(dp, id, &no_channel);
	check(down_arrives(SOON_MS, indication, sizeof(indication)), "%s: after the channel's end as a Data indication", hook);
	dp->ops->set_life(dp, id, &past);
	check(!up_arrives(NEVER_MS), "%s: an expired flow relays nothing", hook);
	dp->ops->read(dp, id, &t);
	check(t.up.dropped > 0, "%s: and counts what it dropped", hook);

	dp->ops->set_life(dp, id, &life);
	check(up_arrives(SOON_MS), "%s: a longer life is in force at once", hook);
	check(sh("ip -n %s link set pe0 address 02:00:00:94:02:%02x && ip neigh replace 10.94.2.2 dev pe1 lladdr "
		 "02:00:00:94:02:%02x nud reachable", peer_ns, hook[0], hook[0]), "%s: the peer gets another MAC", hook);
	pump(dp);
	check(up_arrives(SOON_MS), "%s: and is reached by it", hook);

	dp->ops->read(dp, id, &last);
	ticket = dp->ops->remove(dp, id);
	check(!up_arrives(NEVER_MS), "%s: a removed flow relays nothing", hook);
	check(settled_soon(dp, ticket), "%s: its grace period passes", hook);
	dp->ops->harvest(dp, id, &t);
	check(t.up.packets == last.up.packets && t.down.bytes == last.down.bytes, "%s: the harvest has all of it", hook);
	dp->ops->add(dp, &flow, &life, &id);
	tp_dp_report_rules(dp, rule_seen, &again);
	dp->ops->read(dp, id, &t);
	check(again.id != rule.id || again.generation != rule.generation, "%s: a slot comes back under another generation", hook);
	check(!t.up.packets && !t.down.packets, "%s: with counters at zero", hook);
	ticket = dp->ops->remove(dp, id);
	settled_soon(dp, ticket);
	dp->ops->harvest(dp, id, &t);
	check(!up_arrives(NEVER_MS), "%s: nothing is relayed at the end", hook);
}

static void test_police(struct tp_dp *dp, const char *hook)
{
	struct tp_flow flow = flow_of(TP_DP_CHANNEL);
	struct tp_flow_life life = life_of(600);
	struct tp_flow_traffic t;
	tp_flow_id id = 0;

	/* 5 bytes take 5 s at 8 bit/s; two full packets may run ahead. */
	check_eq(dp->ops->police_add(dp, 8, &flow.police), 0, "%s: a bucket is added", hook);
	dp->ops->add(dp, &flow, &life, &id);
	for (int i = 0; i < 2000; i++)
		send_to(client_fd, "10.94.1.1:3478", (const uint8_t[]){ CHANNEL >> 8, CHANNEL & 0xff, 0, 5, 1, 2, 3, 4, 5 }, 9);
	for (int i = 0; i < SOON_MS / 5; i++) {
		dp->ops->read(dp, id, &t);
		if (t.up.dropped)
			break;
		poll(NULL, 0, 5);
	}
	check(t.up.packets > 0 && t.up.packets <= 700 && t.up.dropped > 0, "%s: max-bps lets the burst through, no more", hook);
	settled_soon(dp, dp->ops->remove(dp, id));
	dp->ops->harvest(dp, id, &t);
	dp->ops->police_free(dp, flow.police);
	for (uint8_t data[64]; recv(peer_fd, data, sizeof(data), MSG_DONTWAIT) >= 0;)
		;
}

static void test_datapath(const char *datapath, const char *hook)
{
	struct found near, far;
	struct tp_dp *dp;
	int err = tp_dp_open(conf_of(datapath, 64), &dp);

	check_eq(err, 0, "datapath=%s opens", datapath);
	if (err)
		return;
	opened = dp;
	near = interface_of(dp, "cl1");
	far = interface_of(dp, "pe1");
	check(!strcmp(near.hook, hook) && !strcmp(far.hook, hook), "both interfaces have %s (%s, %s)", hook, near.hook, far.hook);
	test_relay(dp, datapath);
	test_police(dp, datapath);
	dp->ops->close(dp);
	check(sh("! ip -d link show | grep -q 'prog/xdp'"), "%s: nothing is left on the interfaces", datapath);
}

static void test_full(void)
{
	struct tp_flow flow = flow_of(TP_DP_CHANNEL);
	struct tp_flow_life life = life_of(600);
	struct tp_flow_traffic t;
	struct tp_dp_totals totals;
	tp_flow_id ids[8] = { 0 }, id = 42;
	unsigned int n = 0;
	struct tp_dp *dp;
	int err = 0;

	if (tp_dp_open(conf_of("tc", 1), &dp)) {
		check(false, "a small data path opens");
		return;
	}
	check_eq(dp->ops->add(dp, &flow, &life, &ids[n++]), 0, "a flow");
	check_eq(dp->ops->add(dp, &flow, &life, &id), -EEXIST, "the same one again is refused");
	check(id == 42, "and the handle left alone");
	check(bpf_of(dp)->maps.state->flags & TP_STATE_AUTHORITATIVE, "the maps know every channel");
	while (!err && n < 8) {
		flow.channel++;
		flow.peer.port++;
		err = dp->ops->add(dp, &flow, &life, &ids[n]);
		n += !err;
	}
	check_eq(err, -ENOSPC, "the tables are full after %u flows", n);
	check(!(bpf_of(dp)->maps.state->flags & TP_STATE_AUTHORITATIVE), "from then on the maps do not know every channel");
	tp_dp_report_totals(dp, &totals);
	check(totals.full == 1 && totals.flows == n, "it is counted");
	for (unsigned int i = 0; i < n; i++) {
		check(settled_soon(dp, dp->ops->remove(dp, ids[i])), "flow %u goes", i);
		dp->ops->harvest(dp, ids[i], &t);
	}
	/* The refused one's slot waits for its own grace period and is found again. */
	flow = flow_of(TP_DP_CHANNEL);
	check_eq(dp->ops->add(dp, &flow, &life, &id), 0, "there is room again");
	dp->ops->close(dp);
}

/* Allocations that can have no token bucket are userspace's: their ChannelData must not be dropped. */
static void test_police_full(void)
{
	uint32_t police;
	struct tp_dp *dp;

	if (tp_dp_open(conf_of("tc", 1), &dp)) {
		check(false, "a small data path opens");
		return;
	}
	check_eq(dp->ops->police_add(dp, 64000, &police), 0, "a token bucket");
	check(bpf_of(dp)->maps.state->flags & TP_STATE_AUTHORITATIVE, "the maps know every channel");
	check_eq(dp->ops->police_add(dp, 64000, &police), -ENOSPC, "no other one");
	check(!(bpf_of(dp)->maps.state->flags & TP_STATE_AUTHORITATIVE), "from then on they do not");
	dp->ops->close(dp);
}

/* r0 = 2, exit: XDP_PASS, and as a filter TC_ACT_SHOT, which nothing passes. */
static int load_foreign(enum bpf_prog_type type)
{
	struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(type, "foreign", "GPL", program, 2, NULL);
}

static int attach_foreign_xdp(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int prog = load_foreign(BPF_PROG_TYPE_XDP), link = bpf_link_create(prog, (int)ifindex, BPF_XDP, &opts);

	close(prog);
	return link;
}

static void test_foreign_xdp(void)
{
	int link = attach_foreign_xdp(if_nametoindex("cl1"));
	struct found f;
	struct tp_dp *dp;

	check(link >= 0, "somebody else has an XDP program on cl1");
	if (!tp_dp_open(conf_of("auto", 64), &dp)) {
		f = interface_of(dp, "cl1");
		check(strcmp(f.hook, "xdp") && strcmp(f.hook, "user"), "it gets tc instead (%s)", f.hook);
		check(strstr(f.reason, "foreign") != NULL, "and says why: %s", f.reason);
		dp->ops->close(dp);
	} else {
		check(false, "auto opens beside it");
	}
	check(sh("ip -d link show cl1 | grep -q 'prog/xdp'"), "the foreign program is still there");
	if (!tp_dp_open(conf_of("xdp", 64), &dp)) {
		f = interface_of(dp, "cl1");
		check(!strcmp(f.hook, "user"), "datapath=xdp does not replace it either");
		dp->ops->close(dp);
	} else {
		check(false, "datapath=xdp opens on the other interface");
	}
	close(link);
}

static bool has_clsact(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "tc qdisc show dev %s | grep -q clsact", name);
	return !system(command);
}

static void test_clsact(void)
{
	unsigned int cl1 = if_nametoindex("cl1");
	int foreign = load_foreign(BPF_PROG_TYPE_SCHED_CLS);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)cl1, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, other, .handle = 1, .priority = 1, .prog_fd = foreign);
	struct bpf_attached at, next;
	struct bpf_dp *b;
	char why[BPF_WHY_SIZE];

	struct tp_conf *conf = conf_of("auto", 64);

	/* Nothing of its own on cl1. */
	conf->interface = (struct tp_list){ .items = (char *[]){ "lo" }, .len = 1 };
	if (bpf_dp_new(conf, &b, why)) {
		check(false, "it opens: %s", why);
		return;
	}
	check_eq(bpf_attach_clsact(b->tc_fd, cl1, &at), 0, "clsact, for kernels before 6.6");
	check_eq(tp_nl_device_filters(cl1), 1, "one filter");
	check_eq(bpf_attach_clsact(b->tc_fd, cl1, &next), 0, "a daemon after one that was killed takes its filter over");
	check_eq(tp_nl_device_filters(cl1), 1, "there is still one");
	bpf_detach(&at);
	check(!has_clsact("cl1"), "detached, the qdisc that we made is gone, too");
	check(!bpf_tc_hook_create(&hook) && !bpf_tc_attach(&hook, &other), "a qdisc and a filter of others");
	check_eq(bpf_attach_clsact(b->tc_fd, cl1, &at), 0, "are shared");
	check_eq(tp_nl_device_filters(cl1), 2, "with two filters");
	bpf_detach(&at);
	check(has_clsact("cl1") && tp_nl_device_filters(cl1) == 1, "and stay");
	other.prog_id = other.flags = 0;
	other.handle = other.priority = 0x7470;
	check(!bpf_tc_attach(&hook, &other), "a foreign filter where ours would be");
	check_eq(bpf_attach_clsact(b->tc_fd, cl1, &at), -EBUSY, "is not replaced");
	close(foreign);
	sh("tc qdisc del dev cl1 clsact");
	bpf_dp_free(b);
}

static int unprivileged(void)
{
	struct tp_dp *dp;
	int err;

	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 10;
	err = tp_dp_open(conf_of("auto", 64), &dp);
	if (err || strcmp(dp->ops->name, "user"))
		return 11;
	dp->ops->close(dp);
	return tp_dp_open(conf_of("xdp", 64), &dp) < 0 ? 0 : 12;
}

static void test_unprivileged(void)
{
	int status = 0;
	pid_t child = fork();

	if (!child)
		_exit(unprivileged());
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "without privileges auto is user, and xdp an error (%d)",
	      WEXITSTATUS(status));
}

/* What a daemon that is killed leaves: programs that relay, and pins that the next one takes over. */
static void test_killed(const char *datapath, const char *pin)
{
	struct tp_flow flow = flow_of(TP_DP_CHANNEL);
	struct tp_flow_life life = life_of(600);
	char folder[] = "/tmp/tp-dp-XXXXXX", path[64];
	struct tp_conf *conf = conf_of(datapath, 64);
	struct tp_dp *dp, *second;
	tp_flow_id id = 0;
	pid_t child;
	int status;

	check(mkdtemp(folder) && sh("mount -t bpf tp-dp %s", folder), "%s: a private bpffs", datapath);
	snprintf(path, sizeof(path), "%s/turnpike", folder);
	conf->bpffs = path;
	child = fork();
	if (!child)
		_exit(tp_dp_open(conf, &opened) || opened->ops->add(opened, &flow, &life, &id) || !up_arrives(SOON_MS));
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "%s: a daemon relays, and is gone", datapath);
	check(sh("ls %s/*/%u-%s > /dev/null", path, if_nametoindex("cl1"), pin), "%s: its link is pinned", datapath);
	check_eq(tp_dp_open(conf, &dp), 0, "%s: the next daemon opens", datapath);
	opened = dp;
	check(!strcmp(interface_of(dp, "cl1").hook, pin), "%s: with the same hook", datapath);
	check_eq(tp_dp_open(conf, &second), -EBUSY, "%s: while it lives, another one does not", datapath);
	check(up_arrives(SOON_MS), "%s: and the flow that it found goes on", datapath);
	check_eq(dp->ops->sweep(dp), 1, "%s: which nobody adopts, and is swept", datapath);
	check(!up_arrives(NEVER_MS), "%s: its program has its own flows then", datapath);
	dp->ops->add(dp, &flow, &life, &id);
	check(up_arrives(SOON_MS), "%s: and relays them", datapath);
	dp->ops->close(dp);
	check(sh("test ! -e %s && ! ip -d link show | grep -q prog/xdp", path), "%s: closed, it leaves nothing", datapath);
	sh("umount %s && rmdir %s", folder, folder);
	while (recv(peer_fd, path, sizeof(path), MSG_DONTWAIT) >= 0)
		;
}

static void test_new_interface(void)
{
	struct tp_dp *dp;

	if (tp_dp_open(conf_of("auto", 64), &dp)) {
		check(false, "auto opens");
		return;
	}
	check(!interface_of(dp, "late").hook[0], "an interface that is not there");
	check(sh("ip link add late type veth peer name late1 && ip link set late1 up && ip link set late up && "
		 "ip addr add 10.94.1.1/32 dev late"), "comes, with an address of ours");
	pump(dp);
	check(!strncmp(interface_of(dp, "late").hook, "tc", 2) || !strcmp(interface_of(dp, "late").hook, "clsact"),
	      "and has a program");
	check(sh("ip link del late"), "goes");
	pump(dp);
	check(!interface_of(dp, "late").hook[0], "and is forgotten");
	dp->ops->close(dp);
}

int main(void)
{
	bool tcx;

	tp_log_set_level(TP_LOG_WARNING);
	if (geteuid() || !build()) {
		check(false, "namespaces can be built (run as root)");
		return done();
	}
	client_fd = socket_in(client_ns, "10.94.1.2:4000");
	peer_fd = socket_in(peer_ns, "10.94.2.2:5000");
	check(client_fd >= 0 && peer_fd >= 0, "a client and a peer");
	tcx = !system("grep -qw tcx_prog_attach /proc/kallsyms");
	test_datapath("tc", tcx ? "tcx" : "clsact");
	test_datapath("xdp", "xdp");
	test_full();
	test_police_full();
	test_foreign_xdp();
	test_clsact();
	test_killed("xdp", "xdp");
	if (tcx)
		test_killed("tc", "tcx");
	test_new_interface();
	test_unprivileged();
	return done();
}

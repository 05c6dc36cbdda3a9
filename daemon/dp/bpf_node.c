/* SPDX-License-Identifier: GPL-2.0 */
/* The bpf data path as a whole: open, the control thread's calls, close. Called by dp/open.c and dp/report.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp/bpf.h"
#include "log.h"

/* The control thread beats every second. An older beat means that nobody answers for our ports (ruling 12). */
#define NODE_DEAD_AFTER_NS	3000000000u

static void *copy_array(const void *from, size_t len, size_t size)
{
	void *copy = calloc(len ? len : 1, size);

	if (copy && len)
		memcpy(copy, from, len * size);
	return copy;
}

static size_t listen_add(struct tp_addr *to, size_t len, const struct tp_conf *conf, uint16_t port)
{
	for (size_t i = 0; port && i < conf->listen_len; i++) {
		to[len] = conf->listen[i];
		to[len++].port = port;
	}
	return len;
}

static int conf_copy_listen(const struct tp_conf *conf, struct bpf_conf *to)
{
	uint16_t alt = conf->alt_listening_port ? conf->alt_listening_port : (uint16_t)(conf->listening_port + 1);

	to->listen = calloc(3 * conf->listen_len + 1, sizeof(*to->listen));
	if (!to->listen)
		return -ENOMEM;
	if (!conf->no_udp)
		to->listen_len = listen_add(to->listen, to->listen_len, conf, conf->listening_port);
	if (!conf->no_udp && conf->rfc5780)
		to->listen_len = listen_add(to->listen, to->listen_len, conf, alt);
	if (!conf->no_dtls && conf->cert)
		to->listen_len = listen_add(to->listen, to->listen_len, conf, conf->tls_listening_port);
	return 0;
}

static void conf_fini(struct bpf_conf *c)
{
	for (size_t i = 0; i < c->interface_len; i++)
		free(c->interface[i]);
	free(c->interface);
	free(c->listen);
	free(c->relay);
	free(c->external);
}

static int conf_copy(const struct tp_conf *conf, struct bpf_conf *to)
{
	const char *path = conf->datapath ? conf->datapath : "auto";
	int err;

	to->forced = strcmp(path, "auto") != 0;
	to->xdp = !to->forced || !strcmp(path, "xdp");
	to->tc = !to->forced || !strcmp(path, "tc");
	to->min_port = conf->min_port;
	to->max_port = conf->max_port;
	to->max_allocations = conf->max_allocations ? conf->max_allocations : 1;
	to->rfc5766_channels = conf->rfc5766_channels;
	to->relay = copy_array(conf->relay, conf->relay_len, sizeof(*conf->relay));
	to->relay_len = to->relay ? conf->relay_len : 0;
	to->external = copy_array(conf->external, conf->external_len, sizeof(*conf->external));
	to->external_len = to->external ? conf->external_len : 0;
	to->interface = calloc(conf->interface.len + 1, sizeof(*to->interface));
	err = conf_copy_listen(conf, to);
	if (err || !to->relay || !to->external || !to->interface)
		return -ENOMEM;
	for (size_t i = 0; i < conf->interface.len; i++) {
		to->interface[i] = strdup(conf->interface.items[i]);
		if (!to->interface[i])
			return -ENOMEM;
		to->interface_len++;
	}
	return 0;
}

/* 16 bytes out of the text of a UUID; zero where it cannot be read. */
static void boot_id_read(uint8_t ret[16])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	unsigned int byte;

	memset(ret, 0, 16);
	if (!f)
		return;
	for (int i = 0; i < 16 && fscanf(f, i == 4 || i == 6 || i == 8 || i == 10 ? "-%2x" : "%2x", &byte) == 1; i++)
		ret[i] = (uint8_t)byte;
	fclose(f);
}

static void heartbeat(struct bpf_dp *b)
{
	__atomic_store_n(&b->maps.state->heartbeat_ns, tp_dp_now_ns() + (uint64_t)b->clock_offset, __ATOMIC_RELAXED);
}

static void state_init(struct bpf_dp *b)
{
	struct tp_state *s = b->maps.state;

	s->magic = TP_ABI_MAGIC;
	s->version = TP_ABI_VERSION;
	s->flags = TP_STATE_AUTHORITATIVE | (b->conf.rfc5766_channels ? TP_STATE_RFC5766_CHANNELS : 0);
	s->dead_after_ns = NODE_DEAD_AFTER_NS;
	boot_id_read(s->boot_id);
	/* The sockets of calls that go on are not open yet: nobody answers for their ports before the first beat. */
	if (b->pins.kept)
		__atomic_store_n(&s->heartbeat_ns, TP_HEARTBEAT_LEFT, __ATOMIC_RELAXED);
	else
		heartbeat(b);
}

static void local_sync(struct bpf_dp *b)
{
	int err = bpf_local_sync(b);

	if (err)
		tp_warning("datapath: the table of local addresses: %s", strerror(-err));
}

static void network_changed(void *arg)
{
	struct bpf_dp *b = arg;

	local_sync(b);
	bpf_devices_sync(b);
}

static void network_grace(void *arg)
{
	tp_grace_wait(((struct bpf_dp *)arg)->grace);
}

static int node_open_network(struct bpf_dp *b, char *why)
{
	bool *kept = bpf_kept_hops(b);
	struct tp_nl_params params = { .hops = b->maps.hops, .hops_len = b->maps.hops_len, .kept = kept,
				       .changed = network_changed, .grace = network_grace, .arg = b };
	int err = kept ? tp_nl_new(&params, &b->nl) : -ENOMEM;

	free(kept);
	if (err)
		snprintf(why, BPF_WHY_SIZE, "netlink: %s", strerror(-err));
	return err;
}

static bool node_has_hook(const struct bpf_dp *b)
{
	for (const struct bpf_device *d = b->devices; d; d = d->next)
		if (d->attached.hook != BPF_HOOK_USER)
			return true;
	return false;
}

/* The proof is over: from here on the maps may be those of an earlier daemon, with packets in flight. */
static int node_open_maps(struct bpf_dp *b, char *why)
{
	if (!b->pins.kept) {
		/* Whoever finds the pins finds what they are. */
		b->maps.state->magic = TP_ABI_MAGIC;
		b->maps.state->version = TP_ABI_VERSION;
		return bpf_pins_put_maps(b, why);
	}
	b->conf.xdp &= b->xdp_fd >= 0;
	b->conf.tc &= b->tc_fd >= 0;
	return bpf_pins_use_maps(b, why);
}

static int node_open(struct bpf_dp *b, const struct tp_conf *conf, char *why)
{
	int err = conf_copy(conf, &b->conf);

	if (!err)
		err = bpf_pins_open(b, conf, why);
	if (!err)
		err = bpf_maps_load(b, why);
	if (!err)
		err = bpf_clock_offset(&b->clock_offset);
	if (!err) {
		err = tp_grace_new(&b->grace);
		if (err)
			snprintf(why, BPF_WHY_SIZE, "no way to wait for a grace period: %s", strerror(-err));
	}
	if (!err)
		err = bpf_prove(b, why);
	if (!err)
		err = node_open_maps(b, why);
	if (!err)
		err = bpf_slots_init(b);
	if (!err)
		err = node_open_network(b, why);
	if (!err)
		err = bpf_police_init(b);
	if (err)
		return err;
	b->relayed_before = bpf_relayed_packets(b);
	state_init(b);
	local_sync(b);
	bpf_devices_sync(b);
	bpf_devices_say_missing(b);
	bpf_pins_sweep_links(b);
	if (!b->conf.forced || node_has_hook(b))
		return 0;
	snprintf(why, BPF_WHY_SIZE, "no interface can have it");
	return -ENODEV;
}

int bpf_dp_new(const struct tp_conf *conf, struct bpf_dp **ret, char *why)
{
	struct bpf_dp *b = calloc(1, sizeof(*b));
	int err;

	why[0] = 0;
	if (!b)
		return -ENOMEM;
	b->dp.ops = &bpf_ops;
	pthread_mutex_init(&b->lock, NULL);
	b->pins.dir_fd = -1;
	for (int i = 0; i < BPF_MAPS; i++)
		b->maps.fd[i] = b->pins.map_fd[i] = -1;
	err = node_open(b, conf, why);
	if (err) {
		if (!why[0])
			snprintf(why, BPF_WHY_SIZE, "%s", strerror(-err));
		/* What an earlier daemon left does not end by this one's failure. */
		b->leave = b->pins.kept;
		bpf_dp_free(b);
		return err;
	}
	*ret = b;
	return 0;
}

/* Programs off first: nothing that they read goes while they run. Or all of it stays, for the next daemon. */
void bpf_dp_free(struct bpf_dp *b)
{
	bpf_devices_free(b);
	bpf_slots_fini(b);
	if (b->nl && b->leave)
		tp_nl_leave(b->nl);
	if (b->nl)
		tp_nl_free(b->nl);
	if (b->grace)
		tp_grace_free(b->grace);
	bpf_maps_unload(b);
	bpf_pins_close(b, b->leave);
	free(b->police_free);
	conf_fini(&b->conf);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static int node_fd(struct tp_dp *dp)
{
	return tp_nl_fd(bpf_of(dp)->nl);
}

static void node_input(struct tp_dp *dp)
{
	tp_nl_input(bpf_of(dp)->nl);
}

static int node_reconfigure(struct tp_dp *dp, const struct tp_conf *conf)
{
	struct bpf_dp *b = bpf_of(dp);
	struct bpf_conf changed = { 0 }, old = { 0 };
	int err = conf_copy_listen(conf, &changed);

	changed.external = copy_array(conf->external, conf->external_len, sizeof(*conf->external));
	if (err || !changed.external) {
		conf_fini(&changed);
		return -ENOMEM;
	}
	pthread_mutex_lock(&b->lock);
	old.listen = b->conf.listen;
	old.external = b->conf.external;
	b->conf.listen = changed.listen;
	b->conf.listen_len = changed.listen_len;
	b->conf.external = changed.external;
	b->conf.external_len = conf->external_len;
	pthread_mutex_unlock(&b->lock);
	conf_fini(&old);
	network_changed(b);
	return 0;
}

static void node_beat(struct tp_dp *dp)
{
	struct bpf_dp *b = bpf_of(dp);

	heartbeat(b);
	tp_nl_tick(b->nl);
	if (!b->confirmed && bpf_relayed_packets(b) > b->relayed_before) {
		b->confirmed = true;
		tp_notice("kernel path confirmed: the first packets were relayed in the kernel");
	}
}

static uint64_t node_leave(struct tp_dp *dp)
{
	struct bpf_dp *b = bpf_of(dp);
	uint64_t calls = b->pins.path ? bpf_keeps_len(b) : 0;

	if (!calls)
		return 0;
	b->leave = true;
	__atomic_store_n(&b->maps.state->heartbeat_ns, TP_HEARTBEAT_LEFT, __ATOMIC_RELAXED);
	tp_grace_wait(b->grace);
	return calls;
}

const struct tp_dp_node_ops bpf_node_ops = {
	.fd = node_fd,
	.input = node_input,
	.beat = node_beat,
	.reconfigure = node_reconfigure,
	.leave = node_leave,
	.interfaces = bpf_report_interfaces,
	.reasons = bpf_report_reasons,
	.rules = bpf_report_rules,
	.totals = bpf_report_totals,
};

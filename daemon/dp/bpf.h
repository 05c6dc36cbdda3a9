/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the bpf data path share. Nobody else includes this.
 *
 *   bpf.c          the flows: slots, rules, hash entries (workers)
 *   bpf_key.c      rules and keys out of flows and back
 *   bpf_maps.c     programs and maps: load, size, map into memory
 *   bpf_police.c   token buckets
 *   bpf_local.c    tp1_local
 *   bpf_pins.c     what outlives a daemon that is killed
 *   bpf_keep.c     the records of allocations, and the flows that an earlier daemon left
 *   bpf_attach.c   one program on one device: XDP, tcx, clsact
 *   bpf_choose.c   which hook for which device, and why
 *   bpf_devices.c  which devices, kept current
 *   bpf_prove.c    the programs proved on a scratch veth pair (bpf_scratch.c)
 *   bpf_clock.c    the programs' clock against ours
 *   bpf_node.c     open and close, the control thread's calls
 *   bpf_report.c   what turnpikectl shows
 */
#ifndef TP_DP_BPF_H
#define TP_DP_BPF_H

#include <net/if.h>
#include <pthread.h>

#include "conf.h"
#include "dp/grace.h"
#include "dp/node.h"
#include "nl/device.h"
#include "nl/nl.h"
#include "turnpike/abi.h"

#define BPF_WHY_SIZE 160

enum bpf_slot_state { BPF_SLOT_FREE, BPF_SLOT_LIVE, BPF_SLOT_REMOVED };

/* The daemon's side of a rule. */
struct bpf_slot {
	uint32_t gen;		/* of the next or current use, never 0 */
	uint32_t next;		/* in the free list or the reap list; 0 ends it */
	uint32_t state;		/* enum bpf_slot_state; read without the lock by reports */
	uint64_t ticket;	/* reap list: when it may be used again */
	struct tp_nl_leg client, peer;
};

enum bpf_map_id {
	BPF_UP4, BPF_UP6, BPF_DOWN4, BPF_DOWN6, BPF_LOCAL,
	BPF_RULES, BPF_LIVES, BPF_COUNTS, BPF_POLICE, BPF_HOPS, BPF_STATE, BPF_REASONS,
	BPF_PROGRAM_MAPS,		/* those above are the programs' */
	BPF_KEEPS = BPF_PROGRAM_MAPS,
	BPF_MAPS
};

struct bpf_maps {
	int fd[BPF_MAPS];
	size_t mapped[BPF_MAPS];	/* bytes in memory, 0: not mapped */
	void *memory[BPF_MAPS];
	uint32_t rules_len, hops_len, police_len;
	struct tp_rule *rules;
	struct tp_life *lives;
	struct tp_counts *counts;
	struct tp_police *police;
	struct tp_hop *hops;
	struct tp_state *state;
};

/* The folder in bpffs; path NULL: there is none. */
struct bpf_pins {
	char *path;
	int dir_fd;
	int map_fd[BPF_MAPS];	/* of an earlier daemon, until they are used */
	bool kept;		/* there are such maps */
};

enum bpf_hook { BPF_HOOK_USER, BPF_HOOK_XDP, BPF_HOOK_TCX, BPF_HOOK_CLSACT };

struct bpf_attached {
	enum bpf_hook hook;
	unsigned int ifindex;
	int link_fd;		/* XDP, tcx: the program is there as long as it is open */
	bool qdisc_ours;	/* clsact: we made the qdisc */
	const struct bpf_pins *pins;	/* where the link is pinned, or NULL */
};

struct bpf_device {
	struct bpf_device *next;
	unsigned int ifindex;
	char name[IFNAMSIZ];
	struct bpf_attached attached;
	struct bpf_attached also;	/* tc beside XDP: see devices_mix() */
	unsigned int flags;		/* TP_NL_* */
	char why[BPF_WHY_SIZE];
};

/* What is needed of the configuration, which may be gone when it is. */
struct bpf_conf {
	struct tp_relay_ip *relay;
	size_t relay_len;
	struct tp_external *external;
	size_t external_len;
	struct tp_addr *listen;		/* with ports; family 0 and any: every address */
	size_t listen_len;
	char **interface;
	size_t interface_len;
	uint16_t min_port, max_port;
	uint32_t max_allocations;
	bool rfc5766_channels;
	bool xdp, tc;			/* what datapath= admits */
	bool forced;			/* it is not auto */
};

struct bpf_dp {
	struct tp_dp dp;
	struct bpf_conf conf;
	struct bpf_maps maps;
	struct bpf_pins pins;
	struct turnpike_xdp *xdp;	/* NULL: not loaded */
	struct turnpike_tc *tc;
	int xdp_fd, tc_fd;
	struct tp_nl *nl;
	struct tp_grace *grace;
	int64_t clock_offset;		/* programs' clock minus ours: a time namespace */

	pthread_mutex_t lock;		/* slots, police indices, conf.external */
	struct bpf_slot *slots;		/* [rules_len]; 0 is never used */
	uint32_t free_head, reap_head, reap_tail;
	uint32_t *police_free;
	uint32_t police_free_len;
	uint64_t flows, full;

	struct bpf_kept_slot *kept;	/* flows of an earlier daemon that nobody has adopted yet, by allocation */
	size_t kept_len;
	bool leave;			/* what is in the kernel stays there when this closes */

	struct bpf_device *devices;	/* control thread only, all of it */
	uint64_t relayed_before;	/* packets of an earlier daemon, in maps that it left */
	bool confirmed;
	bool no_tcx;			/* the kernel has none */
};

static inline struct bpf_dp *bpf_of(struct tp_dp *dp)
{
	return (struct bpf_dp *)dp;
}

/* bpf.c */
extern const struct tp_dp_ops bpf_ops;
int bpf_slots_init(struct bpf_dp *b);
void bpf_slot_bind(struct bpf_dp *b, uint32_t id, const struct tp_flow *flow);
uint64_t bpf_remove(struct tp_dp *dp, tp_flow_id id);
void bpf_harvest(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret);
uint64_t bpf_to_kernel(const struct bpf_dp *b, uint64_t ns);
uint64_t bpf_from_kernel(const struct bpf_dp *b, uint64_t ns);
void bpf_slots_fini(struct bpf_dp *b);
void bpf_life_read(const struct bpf_dp *b, uint32_t id, struct tp_flow_life *ret);

/* bpf_key.c */
void bpf_rule_fill(const struct bpf_conf *conf, const struct tp_flow *flow, uint32_t gen, struct tp_rule *ret);
void bpf_rule_decode(const struct tp_rule *rule, struct tp_flow *ret);
bool bpf_addr_is_relay(const struct bpf_conf *conf, const struct tp_addr *addr);
int bpf_keys_insert(const struct bpf_maps *maps, const struct tp_rule *rule, uint64_t ref);
void bpf_keys_delete(const struct bpf_maps *maps, const struct tp_rule *rule);
/* Are all of its entries there, and this rule's? Those that are this rule's, deleted. */
bool bpf_keys_whole(const struct bpf_maps *maps, const struct tp_rule *rule, uint64_t ref);
void bpf_keys_delete_ref(const struct bpf_maps *maps, const struct tp_rule *rule, uint64_t ref);

/* bpf_maps.c. `why` has BPF_WHY_SIZE bytes and says in words what failed. */
int bpf_maps_load(struct bpf_dp *b, char *why);
void bpf_maps_unload(struct bpf_dp *b);
const char *bpf_map_name(enum bpf_map_id id);

/* bpf_pins.c */
int bpf_pins_open(struct bpf_dp *b, const struct tp_conf *conf, char *why);	/* -EBUSY, -EPROTO; 0 also without */
/* In place of those that were made for the proof: both programs once more, on the maps of an earlier daemon. */
int bpf_pins_use_maps(struct bpf_dp *b, char *why);
int bpf_pins_put_maps(struct bpf_dp *b, char *why);
bool bpf_pins_have_link(const struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex);
/* The descriptor of a pinned link, which now runs prog_fd; -ENOENT: there is none that serves. */
int bpf_pins_take_link(struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex, int prog_fd);
void bpf_pins_put_link(struct bpf_dp *b, struct bpf_attached *attached);
void bpf_pins_remove_link(const struct bpf_pins *pins, enum bpf_hook hook, unsigned int ifindex);
void bpf_pins_sweep_links(struct bpf_dp *b);	/* those of devices that have another program now */
bool bpf_pins_are_left(const struct tp_conf *conf);	/* by an earlier daemon, in the folder that ours would be in */
void bpf_pins_close(struct bpf_dp *b, bool keep);

/* bpf_keep.c */
int bpf_kept_init(struct bpf_dp *b);
void bpf_kept_fini(struct bpf_dp *b);
bool *bpf_kept_hops(const struct bpf_dp *b);	/* which a kept rule names, by index; NULL: no memory */
uint64_t bpf_keeps_len(const struct bpf_dp *b);
int bpf_keep(struct tp_dp *dp, const struct tp_keep *keep);
void bpf_forget(struct tp_dp *dp, uint64_t id);
void bpf_kept(struct tp_dp *dp, tp_dp_kept_fn fn, void *arg);
void bpf_kept_flows(struct tp_dp *dp, uint64_t id, tp_dp_kept_flow_fn fn, void *arg);
void bpf_adopt(struct tp_dp *dp, tp_flow_id id);
size_t bpf_sweep(struct tp_dp *dp);

/* bpf_police.c */
int bpf_police_init(struct bpf_dp *b);
int bpf_police_add(struct tp_dp *dp, uint64_t max_bps, uint32_t *ret_police);
void bpf_police_set(struct tp_dp *dp, uint32_t police, uint64_t max_bps);
void bpf_police_free(struct tp_dp *dp, uint32_t police);

/* bpf_local.c */
int bpf_local_sync(struct bpf_dp *b);

/* bpf_attach.c. Negative errno; -EBUSY: somebody else's program is there. */
int bpf_attach_xdp(int prog_fd, unsigned int ifindex, struct bpf_attached *ret);
int bpf_attach_tcx(int prog_fd, unsigned int ifindex, struct bpf_attached *ret);
int bpf_attach_clsact(int prog_fd, unsigned int ifindex, struct bpf_attached *ret);
void bpf_detach(struct bpf_attached *attached);
void bpf_leave(struct bpf_attached *attached);
const char *bpf_hook_name(enum bpf_hook hook);

/* bpf_choose.c */
int bpf_attach_tc(struct bpf_dp *b, unsigned int ifindex, bool pinned, struct bpf_attached *ret);
void bpf_choose(struct bpf_dp *b, const struct tp_nl_link *link, bool for_vlan, struct bpf_device *device);

/* bpf_devices.c */
void bpf_devices_sync(struct bpf_dp *b);
void bpf_devices_say_missing(const struct bpf_dp *b);
void bpf_devices_free(struct bpf_dp *b);

/* bpf_prove.c: before anything else uses the maps. 0, or -errno and why not. */
int bpf_prove(struct bpf_dp *b, char *why);

/* bpf_scratch.c: a pair of veth devices in a network namespace of the calling thread, which has nothing else to do. */
struct bpf_scratch {
	unsigned int near, far;		/* ifindex */
	int far_fd;			/* packet socket on the far end */
	int pass_fd, pass_link_fd;	/* the far end's XDP program */
};

#define BPF_SCRATCH_NEAR_MAC { 0x02, 0x74, 0x70, 0, 0, 1 }
#define BPF_SCRATCH_FAR_MAC { 0x02, 0x74, 0x70, 0, 0, 2 }

int bpf_scratch_open(struct bpf_scratch *ret);
void bpf_scratch_close(struct bpf_scratch *scratch);

/* bpf_clock.c: the programs' clock minus tp_dp_now_ns() */
int bpf_clock_offset(int64_t *ret_offset);

/* bpf_report.c */
void bpf_report_interfaces(struct tp_dp *dp, tp_dp_interface_fn fn, void *arg);
void bpf_report_reasons(struct tp_dp *dp, tp_dp_reason_fn fn, void *arg);
void bpf_report_rules(struct tp_dp *dp, tp_dp_rule_fn fn, void *arg);
void bpf_report_totals(struct tp_dp *dp, struct tp_dp_totals *ret);
void bpf_reasons_clear(const struct bpf_dp *b);
uint64_t bpf_relayed_packets(const struct bpf_dp *b);

/* bpf_node.c */
extern const struct tp_dp_node_ops bpf_node_ops;
int bpf_dp_new(const struct tp_conf *conf, struct bpf_dp **ret, char *why);
void bpf_dp_free(struct bpf_dp *b);

#endif

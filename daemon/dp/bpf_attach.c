/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One program on one device. XDP and tcx are held by a bpf_link and go with its
 * descriptor. clsact, on kernels before 6.6, is a filter that outlives the daemon:
 * fixed handle and priority, so that the next one replaces it. Called by the
 * choice of hooks and by the proof.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "dp/bpf.h"

#define ATTACH_TCX_INGRESS	46	/* BPF_TCX_INGRESS of 6.6, which Debian 12's headers do not have */
#define ATTACH_TC_HANDLE	0x7470	/* "tp" */
#define ATTACH_TC_PRIORITY	0x7470

const char *bpf_hook_name(enum bpf_hook hook)
{
	static const char *const names[] = {
		[BPF_HOOK_USER] = "user", [BPF_HOOK_XDP] = "xdp", [BPF_HOOK_TCX] = "tcx", [BPF_HOOK_CLSACT] = "clsact",
	};

	return names[hook];
}

/* Driver mode only: generic XDP costs more than tc and changes what the stack sees. */
int bpf_attach_xdp(int prog_fd, unsigned int ifindex, struct bpf_attached *ret)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return -errno;
	*ret = (struct bpf_attached){ .hook = BPF_HOOK_XDP, .ifindex = ifindex, .link_fd = fd };
	return 0;
}

int bpf_attach_tcx(int prog_fd, unsigned int ifindex, struct bpf_attached *ret)
{
	int fd = bpf_link_create(prog_fd, (int)ifindex, ATTACH_TCX_INGRESS, NULL);

	if (fd < 0)
		return -errno;
	*ret = (struct bpf_attached){ .hook = BPF_HOOK_TCX, .ifindex = ifindex, .link_fd = fd };
	return 0;
}

/* Ours, of a daemon that was killed, or of this one; no filter is nobody's. */
static bool filter_is_foreign(const struct bpf_tc_hook *hook)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ATTACH_TC_HANDLE, .priority = ATTACH_TC_PRIORITY);
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd, err;

	if (bpf_tc_query(hook, &opts))
		return false;
	fd = bpf_prog_get_fd_by_id(opts.prog_id);
	if (fd < 0)
		return errno != ENOENT;
	err = bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	return err || strncmp(info.name, "turnpike", strlen("turnpike"));
}

int bpf_attach_clsact(int prog_fd, unsigned int ifindex, struct bpf_attached *ret)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ATTACH_TC_HANDLE, .priority = ATTACH_TC_PRIORITY,
		    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);
	int made = bpf_tc_hook_create(&hook), err;

	if (made && made != -EEXIST)
		return made;
	if (filter_is_foreign(&hook))
		return -EBUSY;
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		return err;
	*ret = (struct bpf_attached){ .hook = BPF_HOOK_CLSACT, .ifindex = ifindex, .link_fd = -1,
				      .qdisc_ours = made == 0 };
	return 0;
}

/*
 * The qdisc goes too where we made it; bpf_tc_hook_destroy() would take filters
 * with it that somebody has added since, so it stays where another filter is.
 */
static void detach_clsact(const struct bpf_attached *attached)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)attached->ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ATTACH_TC_HANDLE, .priority = ATTACH_TC_PRIORITY);

	bpf_tc_detach(&hook, &opts);
	if (!attached->qdisc_ours || tp_nl_device_filters(attached->ifindex) != 0)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

/* Detached before the pin goes: without our first user's rights the file may stay, inert, for the next daemon to remove. */
static void detach_link(const struct bpf_attached *attached)
{
	if (attached->pins) {
		bpf_link_detach(attached->link_fd);
		bpf_pins_remove_link(attached->pins, attached->hook, attached->ifindex);
	}
	close(attached->link_fd);
}

void bpf_detach(struct bpf_attached *attached)
{
	if (attached->hook == BPF_HOOK_CLSACT)
		detach_clsact(attached);
	else if (attached->hook != BPF_HOOK_USER)
		detach_link(attached);
	*attached = (struct bpf_attached){ .hook = BPF_HOOK_USER, .link_fd = -1 };
}

/* Its pin, or the filter, has the program from now on. */
void bpf_leave(struct bpf_attached *attached)
{
	if (attached->hook == BPF_HOOK_XDP || attached->hook == BPF_HOOK_TCX)
		close(attached->link_fd);
	*attached = (struct bpf_attached){ .hook = BPF_HOOK_USER, .link_fd = -1 };
}

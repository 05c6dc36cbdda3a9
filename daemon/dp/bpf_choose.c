/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which hook for which device, and why. Native XDP is the fastest where frames
 * come from the wire; tc is right everywhere else: it knows about checksums and
 * segments that local senders leave to the device. Called by bpf_devices.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dp/bpf.h"

__attribute__((format(printf, 2, 3))) static void why_set(struct bpf_device *device, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(device->why, sizeof(device->why), format, ap);
	va_end(ap);
}

/* What speaks against XDP before trying; NULL: nothing. */
static const char *xdp_refused(const struct bpf_dp *b, const struct tp_nl_link *link,
			       const struct tp_nl_device *features, char text[BPF_WHY_SIZE])
{
	if (!b->conf.xdp)
		return "datapath=tc";
	if (b->xdp_fd < 0)
		return "the XDP program did not load";
	if (!strcmp(link->kind, "bond"))
		return "bond: XDP would see packets at the devices below it, by another number";
	if (link->xdp_prog_id && !bpf_pins_have_link(b, BPF_HOOK_XDP, link->ifindex)) {
		snprintf(text, BPF_WHY_SIZE, "a foreign XDP program is on it and stays");
		return text;
	}
	if (!strcmp(link->kind, "veth") && !b->conf.forced)
		return "veth: local senders leave checksums to the device, which XDP does not see";
	if (!features->xdp && !b->conf.forced) {
		snprintf(text, BPF_WHY_SIZE, "no native XDP (%s%s)", features->driver[0] ? "driver " : "driver unknown",
			 features->driver);
		return text;
	}
	return NULL;
}

static unsigned int xdp_flags(const struct tp_nl_link *link, const struct tp_nl_device *features)
{
	unsigned int flags = TP_NL_PROGRAM;

	if (!features->vlan_strip)
		flags |= TP_NL_TAGS;
	/* What veth says depends on the far end, which is not ours to ask: datapath=xdp vouches for it. */
	if (features->xdp_xmit || !strcmp(link->kind, "veth"))
		flags |= TP_NL_XDP_XMIT;
	return flags;
}

/* Under a link that an earlier daemon left, or a new one, which is pinned for the next. */
static int attach_link(struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex, struct bpf_attached *ret)
{
	int prog_fd = hook == BPF_HOOK_XDP ? b->xdp_fd : b->tc_fd;
	int fd = bpf_pins_take_link(b, hook, ifindex, prog_fd), err = 0;

	if (fd >= 0)
		*ret = (struct bpf_attached){ .hook = hook, .ifindex = ifindex, .link_fd = fd, .pins = &b->pins };
	else
		err = hook == BPF_HOOK_XDP ? bpf_attach_xdp(prog_fd, ifindex, ret) : bpf_attach_tcx(prog_fd, ifindex, ret);
	if (!err && fd < 0)
		bpf_pins_put_link(b, ret);
	return err;
}

static bool choose_xdp(struct bpf_dp *b, const struct tp_nl_link *link, struct bpf_device *device,
		       char refused[BPF_WHY_SIZE])
{
	struct tp_nl_device features;
	char text[BPF_WHY_SIZE];
	const char *no;
	int err;

	tp_nl_device_query(link->ifindex, link->name, &features);
	no = xdp_refused(b, link, &features, text);
	if (no) {
		snprintf(refused, BPF_WHY_SIZE, "%s", no);
		return false;
	}
	err = attach_link(b, BPF_HOOK_XDP, link->ifindex, &device->attached);
	if (err) {
		snprintf(refused, BPF_WHY_SIZE, "attaching XDP: %s", strerror(-err));
		return false;
	}
	/* A device may offer more once it has a program. */
	tp_nl_device_query(link->ifindex, link->name, &features);
	device->flags = xdp_flags(link, &features);
	if (!strcmp(link->kind, "veth"))
		why_set(device, "native; the far end of the veth must have an XDP program, "
			"or it receives nothing");
	else
		why_set(device, "native, driver %s%s%s", features.driver[0] ? features.driver : "unknown",
			features.asked ? "" : ", by the table of drivers",
			features.vlan_strip ? "; the device strips VLAN tags" : "");
	return true;
}

int bpf_attach_tc(struct bpf_dp *b, unsigned int ifindex, bool pinned, struct bpf_attached *ret)
{
	int err = -EINVAL;

	if (!b->no_tcx) {
		err = pinned ? attach_link(b, BPF_HOOK_TCX, ifindex, ret) : bpf_attach_tcx(b->tc_fd, ifindex, ret);
		if (err == -EINVAL)
			b->no_tcx = true;
	}
	return b->no_tcx ? bpf_attach_clsact(b->tc_fd, ifindex, ret) : err;
}

static bool choose_tc(struct bpf_dp *b, const struct tp_nl_link *link, struct bpf_device *device, const char *refused)
{
	int err;

	if (!b->conf.tc || b->tc_fd < 0) {
		why_set(device, "%s", refused);
		return false;
	}
	err = bpf_attach_tc(b, link->ifindex, true, &device->attached);
	if (err) {
		why_set(device, "%.80s; attaching tc: %s", refused, strerror(-err));
		return false;
	}
	device->flags = TP_NL_PROGRAM;
	why_set(device, "%s", refused);
	return true;
}

/* The device below it, or below that one, that has XDP and leaves the tags in the frame. */
static const struct bpf_device *vlan_base(struct bpf_dp *b, const struct tp_nl_link *link)
{
	const struct tp_nl_link *links;
	unsigned int below = link->lower;
	size_t len;

	links = tp_nl_links(b->nl, &len);
	for (int depth = 0; link->has_vlan && depth < 2; depth++) {
		for (const struct bpf_device *d = b->devices; d; d = d->next)
			if (d->ifindex == below && (d->flags & TP_NL_TAGS))
				return d;
		for (size_t i = 0; i < len; i++) {
			if (links[i].ifindex == below && links[i].has_vlan) {
				below = links[i].lower;
				break;
			}
		}
	}
	return NULL;
}

/* XDP for the tagged packets, or nothing: those who strip tags leave them to tc on the VLAN devices. */
static void choose_for_vlan(struct bpf_dp *b, const struct tp_nl_link *link, struct bpf_device *device)
{
	char refused[BPF_WHY_SIZE];

	if (!choose_xdp(b, link, device, refused)) {
		why_set(device, "nothing, but its VLAN devices: %s", refused);
	} else if (!(device->flags & TP_NL_TAGS)) {
		bpf_detach(&device->attached);
		device->flags = 0;
		why_set(device, "nothing, but its VLAN devices: it strips their tags before XDP sees them");
	}
}

void bpf_choose(struct bpf_dp *b, const struct tp_nl_link *link, bool for_vlan, struct bpf_device *device)
{
	const struct bpf_device *base = vlan_base(b, link);
	char refused[BPF_WHY_SIZE];

	device->attached = (struct bpf_attached){ .hook = BPF_HOOK_USER, .link_fd = -1 };
	device->also = device->attached;
	device->flags = 0;
	if (link->loopback)
		why_set(device, "loopback: it has generic XDP only");
	else if (!link->ethernet)
		why_set(device, "not an Ethernet device");
	else if (base)
		why_set(device, "through %s with tag %u", base->name, link->vlan_id);
	else if (for_vlan)
		choose_for_vlan(b, link, device);
	else if (!choose_xdp(b, link, device, refused))
		choose_tc(b, link, device, refused);
}

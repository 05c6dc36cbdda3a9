/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which devices have a program: those of interface=, or those that carry an
 * address of ours and those of the default routes. Followed as links and
 * addresses come and go. Called on the control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "dp/bpf.h"
#include "log.h"

#define DEVICE_VLAN_DEPTH 2	/* tags that a program knows */

static bool addr_is_ours(const struct bpf_conf *conf, const struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->listen_len; i++)
		if (!conf->listen[i].family || tp_addr_is_any(&conf->listen[i]) ||
		    tp_addr_same_ip(&conf->listen[i], addr))
			return true;
	return bpf_addr_is_relay(conf, addr);
}

static bool link_has_address(struct bpf_dp *b, const struct tp_nl_link *link)
{
	const struct tp_nl_addr *addrs;
	size_t len;

	addrs = tp_nl_addrs(b->nl, &len);
	for (size_t i = 0; i < len; i++)
		if (addrs[i].ifindex == link->ifindex && !addrs[i].link_local && addr_is_ours(&b->conf, &addrs[i].addr))
			return true;
	return false;
}

/* Addresses of documentation (RFC 5737, RFC 3849): nobody's, so their route is the default one. */
static bool link_is_default(struct bpf_dp *b, const struct tp_nl_link *link)
{
	static const char *const nobody[] = { "192.0.2.1", "2001:db8::1" };
	struct tp_addr addr;

	for (size_t i = 0; i < 2; i++)
		if (!tp_addr_parse(nobody[i], &addr) && tp_nl_route_device(b->nl, &addr) == link->ifindex)
			return true;
	return false;
}

static bool link_wanted(struct bpf_dp *b, const struct tp_nl_link *link)
{
	for (size_t i = 0; i < b->conf.interface_len; i++)
		if (!strcmp(b->conf.interface[i], link->name))
			return true;
	if (b->conf.interface_len || !link->up || link->loopback)
		return false;
	return link_has_address(b, link) || link_is_default(b, link);
}

/* A VLAN device that is wanted sits on it: with XDP it would see that one's packets first. */
static bool link_carries_wanted(struct bpf_dp *b, const struct tp_nl_link *link, unsigned int depth)
{
	const struct tp_nl_link *links;
	size_t len;

	links = tp_nl_links(b->nl, &len);
	for (size_t i = 0; depth && i < len; i++)
		if (links[i].has_vlan && links[i].lower == link->ifindex &&
		    (link_wanted(b, &links[i]) || link_carries_wanted(b, &links[i], depth - 1)))
			return true;
	return false;
}

static struct bpf_device *device_find(struct bpf_dp *b, unsigned int ifindex)
{
	for (struct bpf_device *d = b->devices; d; d = d->next)
		if (d->ifindex == ifindex)
			return d;
	return NULL;
}

static void device_free(struct bpf_device *d)
{
	bpf_detach(&d->attached);
	bpf_detach(&d->also);
	free(d);
}

static void devices_remove_gone(struct bpf_dp *b, const struct tp_nl_link *links, size_t len)
{
	struct bpf_device **link = &b->devices, *d;
	size_t i;

	while ((d = *link)) {
		for (i = 0; i < len && links[i].ifindex != d->ifindex; i++)
			;
		if (i < len) {
			memcpy(d->name, links[i].name, sizeof(d->name));
			link = &d->next;
			continue;
		}
		tp_notice("interface %s: gone", d->name);
		*link = d->next;
		device_free(d);
	}
}

/* `for_vlan`: only for what the VLAN devices above it can have of it. */
static void device_add(struct bpf_dp *b, const struct tp_nl_link *link, bool for_vlan)
{
	struct bpf_device *d = calloc(1, sizeof(*d));

	if (!d)
		return;
	d->ifindex = link->ifindex;
	memcpy(d->name, link->name, sizeof(d->name));
	bpf_choose(b, link, for_vlan, d);
	tp_notice("interface %s: %s: %s", d->name, bpf_hook_name(d->attached.hook), d->why);
	d->next = b->devices;
	b->devices = d;
	tp_nl_set_program(b->nl, d->ifindex, d->flags);
}

static bool device_is_tc(const struct bpf_device *d)
{
	return d->attached.hook == BPF_HOOK_TCX || d->attached.hook == BPF_HOOK_CLSACT;
}

/*
 * XDP cannot send to a device that has tc only: it passes those packets up, and a
 * tc program on the same device takes them.
 */
static void devices_mix(struct bpf_dp *b)
{
	bool mixed = false;

	if (b->tc_fd < 0)
		return;
	for (struct bpf_device *d = b->devices; d; d = d->next)
		mixed |= device_is_tc(d);
	for (struct bpf_device *d = b->devices; mixed && d; d = d->next) {
		if (d->attached.hook != BPF_HOOK_XDP || d->also.hook != BPF_HOOK_USER)
			continue;
		if (!bpf_attach_tc(b, d->ifindex, true, &d->also))
			tp_notice("interface %s: tc, too, for what goes to interfaces without XDP", d->name);
	}
}

void bpf_devices_sync(struct bpf_dp *b)
{
	const struct tp_nl_link *links;
	size_t len;

	links = tp_nl_links(b->nl, &len);
	devices_remove_gone(b, links, len);
	/* VLAN devices after what they sit on. */
	for (int vlan = 0; vlan <= 1; vlan++) {
		for (size_t i = 0; i < len; i++) {
			if (links[i].has_vlan != vlan || device_find(b, links[i].ifindex))
				continue;
			if (link_wanted(b, &links[i]))
				device_add(b, &links[i], false);
			else if (!vlan && link_carries_wanted(b, &links[i], DEVICE_VLAN_DEPTH))
				device_add(b, &links[i], true);
		}
	}
	devices_mix(b);
}

/* interface= may name one that comes later; a misspelt one never does. */
void bpf_devices_say_missing(const struct bpf_dp *b)
{
	for (size_t i = 0; i < b->conf.interface_len; i++) {
		const struct bpf_device *d = b->devices;

		while (d && strcmp(d->name, b->conf.interface[i]))
			d = d->next;
		if (!d)
			tp_warning("interface=%s: there is none of this name; it is taken when it comes", b->conf.interface[i]);
	}
}

void bpf_devices_free(struct bpf_dp *b)
{
	struct bpf_device *d;

	while ((d = b->devices)) {
		b->devices = d->next;
		if (b->leave) {
			bpf_leave(&d->attached);
			bpf_leave(&d->also);
		}
		device_free(d);
	}
}

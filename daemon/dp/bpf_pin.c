/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Links in the bpffs: <bpffs>/<network namespace>-<instance>/<ifindex>-<hook>.
 * An instance is known by its control socket, of which there is one. Without a
 * bpffs programs end with the daemon. Called by the choice of hooks and the devices.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dp/bpf.h"
#include "log.h"

#define PIN_LINK_TCX 11	/* BPF_LINK_TYPE_TCX of 6.6 */

/* FNV-1a: names must be the same in every release. */
static uint32_t instance_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; name && *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

void bpf_pins_open(struct bpf_dp *b, const struct tp_conf *conf)
{
	struct stat ns;
	bool made;
	int n;

	if (!conf->bpffs || stat("/proc/self/ns/net", &ns) < 0)
		return;
	made = mkdir(conf->bpffs, 0700) == 0;
	if (!made && errno != EEXIST) {
		tp_notice("bpffs=%s: %s: if the daemon is killed, the kernel path ends with it", conf->bpffs,
			  strerror(errno));
		return;
	}
	if (!is_bpffs(conf->bpffs)) {
		if (made)
			rmdir(conf->bpffs);
		tp_notice("bpffs=%s is no bpffs: if the daemon is killed, the kernel path ends with it", conf->bpffs);
		return;
	}
	n = snprintf(b->pins, sizeof(b->pins), "%s/%lu-%08x", conf->bpffs, (unsigned long)ns.st_ino,
		     instance_hash(conf->control_socket));
	if (n < 0 || (size_t)n >= sizeof(b->pins) || (mkdir(b->pins, 0700) < 0 && errno != EEXIST)) {
		tp_notice("bpffs=%s: cannot make a folder in it", conf->bpffs);
		b->pins[0] = 0;
	}
}

/* Without a dot: the bpffs refuses names with one. */
static void pin_path(const struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex, char ret[BPF_PIN_SIZE])
{
	snprintf(ret, BPF_PIN_SIZE, "%s/%u-%s", b->pins, ifindex, bpf_hook_name(hook));
}

bool bpf_pin_exists(const struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex)
{
	char path[BPF_PIN_SIZE];

	if (!b->pins[0])
		return false;
	pin_path(b, hook, ifindex, path);
	return access(path, F_OK) == 0;
}

/* Is it a link of this hook that still is on the device? One of a device that went is on none. */
static bool link_is(int fd, enum bpf_hook hook, unsigned int ifindex)
{
	/* The layout of struct bpf_link_info for XDP; tcx has its ifindex in the same place. */
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return false;
	return info.type == (hook == BPF_HOOK_XDP ? BPF_LINK_TYPE_XDP : PIN_LINK_TCX) && info.xdp.ifindex == ifindex;
}

/* The program is exchanged in place: at no time has the device none. */
bool bpf_pin_adopt(struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex, int prog_fd, struct bpf_attached *ret)
{
	char path[BPF_PIN_SIZE];
	int fd;

	if (!bpf_pin_exists(b, hook, ifindex))
		return false;
	pin_path(b, hook, ifindex, path);
	fd = bpf_obj_get(path);
	if (fd < 0 || !link_is(fd, hook, ifindex) || bpf_link_update(fd, prog_fd, NULL) < 0) {
		if (fd >= 0)
			close(fd);
		unlink(path);
		return false;
	}
	*ret = (struct bpf_attached){ .hook = hook, .ifindex = ifindex, .link_fd = fd, .pinned = true };
	memcpy(ret->pin, path, sizeof(path));
	return true;
}

void bpf_pin_set(struct bpf_dp *b, struct bpf_attached *attached)
{
	if (!b->pins[0] || attached->pinned || (attached->hook != BPF_HOOK_XDP && attached->hook != BPF_HOOK_TCX))
		return;
	pin_path(b, attached->hook, attached->ifindex, attached->pin);
	unlink(attached->pin);
	attached->pinned = bpf_obj_pin(attached->link_fd, attached->pin) == 0;
	if (!attached->pinned)
		tp_warning("%s: %s: if the daemon is killed, the kernel path ends with it", attached->pin, strerror(errno));
}

static bool pin_is_ours(const struct bpf_dp *b, const char *name)
{
	for (const struct bpf_device *d = b->devices; d; d = d->next)
		if ((d->attached.pinned && !strcmp(strrchr(d->attached.pin, '/') + 1, name)) ||
		    (d->also.pinned && !strcmp(strrchr(d->also.pin, '/') + 1, name)))
			return true;
	return false;
}

void bpf_pins_sweep(struct bpf_dp *b)
{
	DIR *dir = b->pins[0] ? opendir(b->pins) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[BPF_PIN_SIZE + sizeof(entry->d_name)];
		int fd;

		if (entry->d_name[0] == '.' || pin_is_ours(b, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", b->pins, entry->d_name);
		fd = bpf_obj_get(path);
		if (fd >= 0) {
			bpf_link_detach(fd);
			close(fd);
		}
		unlink(path);
	}
	if (dir)
		closedir(dir);
}

void bpf_pins_close(struct bpf_dp *b)
{
	char *slash;

	if (!b->pins[0])
		return;
	rmdir(b->pins);
	/* And what is above, if no other instance is in it. */
	slash = strrchr(b->pins, '/');
	if (slash) {
		*slash = 0;
		rmdir(b->pins);
	}
}

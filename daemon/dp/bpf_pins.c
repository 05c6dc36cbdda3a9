/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What outlives a daemon that is killed: the maps and the links of the programs, pinned in a folder of
 * bpffs that belongs to one instance, the network namespace and the listening port. Called when the
 * bpf data path opens and closes, and for each program that is attached.
 *
 * The map of the state is pinned last and unpinned first: a folder without it is what a daemon left that
 * died while it made or removed the pins, and nothing of it counts. The folder is locked while a daemon
 * lives.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dp/bpf.h"
#include "log.h"

#define PIN_LINK_TCX	11	/* BPF_LINK_TYPE_TCX of 6.6 */
#define PIN_NAME_SIZE	32
#define PIN_PATH_SIZE	4096

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* The folder itself, or the one that it is to be made in, is in a bpffs. */
static int root_make(const char *root)
{
	char parent[PIN_PATH_SIZE];
	char *slash;

	if (is_bpffs(root))
		return 0;
	snprintf(parent, sizeof(parent), "%s", root);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return -ENOENT;
	*slash = 0;
	if (!is_bpffs(parent))
		return -ENOENT;
	return mkdir(root, 0700) && errno != EEXIST ? -errno : 0;
}

/* "4026531840-3478": the network namespace by its inode, the listening port. */
static int folder_make(struct bpf_pins *pins, const char *root, uint16_t port)
{
	struct stat ns;

	if (stat("/proc/self/ns/net", &ns))
		return -errno;
	if (asprintf(&pins->path, "%s/%llu-%u", root, (unsigned long long)ns.st_ino, port) < 0) {
		pins->path = NULL;
		return -ENOMEM;
	}
	if (mkdir(pins->path, 0700) && errno != EEXIST)
		return -errno;
	pins->dir_fd = open(pins->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return pins->dir_fd < 0 ? -errno : 0;
}

bool bpf_pins_are_left(const struct tp_conf *conf)
{
	char path[PIN_PATH_SIZE];
	struct stat ns;

	if (!conf->bpffs || !conf->bpffs[0] || stat("/proc/self/ns/net", &ns))
		return false;
	snprintf(path, sizeof(path), "%s/%llu-%u/%s", conf->bpffs, (unsigned long long)ns.st_ino, conf->listening_port,
		 bpf_map_name(BPF_STATE));
	return !access(path, F_OK);
}

static int pin_get(const struct bpf_pins *pins, const char *name)
{
	char path[PIN_PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pins->path, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int pin_put(const struct bpf_pins *pins, const char *name, int fd)
{
	char path[PIN_PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", pins->path, name);
	return bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

static bool pin_exists(const struct bpf_pins *pins, const char *name)
{
	return !faccessat(pins->dir_fd, name, F_OK, 0);
}

/* Calls fn for the name of every pin. */
static void pins_each(const struct bpf_pins *pins, void (*fn)(const struct bpf_pins *pins, const char *name))
{
	int fd = openat(pins->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			fn(pins, entry->d_name);
	closedir(dir);
}

static void pin_remove(const struct bpf_pins *pins, const char *name)
{
	unlinkat(pins->dir_fd, name, 0);
}

static void pins_remove_all(const struct bpf_pins *pins)
{
	pin_remove(pins, bpf_map_name(BPF_STATE));
	pins_each(pins, pin_remove);
}

static int map_info(int fd, struct bpf_map_info *ret)
{
	uint32_t size = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &size) < 0 ? -errno : 0;
}

/* As this daemon has just made its own, but for the size, which max-allocations may have changed. */
static bool map_fits(int kept_fd, int own_fd)
{
	struct bpf_map_info kept, own;

	return !map_info(kept_fd, &kept) && !map_info(own_fd, &own) && kept.type == own.type &&
	       kept.key_size == own.key_size && kept.value_size == own.value_size && kept.map_flags == own.map_flags;
}

static int state_check(const struct bpf_pins *pins, int fd, char *why)
{
	struct tp_state state;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &state) < 0)
		return -errno;
	if (state.magic == TP_ABI_MAGIC && state.version == TP_ABI_VERSION)
		return 0;
	snprintf(why, BPF_WHY_SIZE, "%s has the layout %u, this turnpiked %d; `turnpikectl purge` removes it", pins->path,
		 state.version, TP_ABI_VERSION);
	return -EPROTO;
}

static int maps_get(struct bpf_pins *pins, char *why)
{
	for (int i = 0; i < BPF_MAPS; i++) {
		pins->map_fd[i] = pin_get(pins, bpf_map_name(i));
		if (pins->map_fd[i] < 0) {
			snprintf(why, BPF_WHY_SIZE, "%s/%s: %s; `turnpikectl purge` removes it", pins->path, bpf_map_name(i),
				 strerror(-pins->map_fd[i]));
			return -EPROTO;
		}
	}
	return state_check(pins, pins->map_fd[BPF_STATE], why);
}

static int folder_open(struct bpf_pins *pins, const struct tp_conf *conf)
{
	int err;

	if (!conf->bpffs || !conf->bpffs[0])
		return -ENOENT;
	err = root_make(conf->bpffs);
	return err ? err : folder_make(pins, conf->bpffs, conf->listening_port);
}

static void pins_fini(struct bpf_pins *pins)
{
	for (int i = 0; i < BPF_MAPS; i++) {
		if (pins->map_fd[i] >= 0)
			close(pins->map_fd[i]);
		pins->map_fd[i] = -1;
	}
	if (pins->dir_fd >= 0)
		close(pins->dir_fd);
	pins->dir_fd = -1;
	free(pins->path);
	pins->path = NULL;
}

int bpf_pins_open(struct bpf_dp *b, const struct tp_conf *conf, char *why)
{
	struct bpf_pins *pins = &b->pins;
	int err = folder_open(pins, conf);

	if (err) {
		pins_fini(pins);
		if (conf->bpffs && conf->bpffs[0])
			tp_notice("datapath: no bpffs at %s (%s): calls end with the daemon", conf->bpffs, strerror(-err));
		return 0;
	}
	if (flock(pins->dir_fd, LOCK_EX | LOCK_NB)) {
		snprintf(why, BPF_WHY_SIZE, "another turnpiked serves this port here (%s is locked)", pins->path);
		pins_fini(pins);
		return -EBUSY;
	}
	if (!pin_exists(pins, bpf_map_name(BPF_STATE))) {
		pins_remove_all(pins);
		return 0;
	}
	err = maps_get(pins, why);
	if (err)
		pins_fini(pins);
	else
		pins->kept = true;
	return err;
}

int bpf_pins_use_maps(struct bpf_dp *b, char *why)
{
	struct bpf_pins *pins = &b->pins;

	for (int i = 0; i < BPF_MAPS; i++) {
		if (map_fits(pins->map_fd[i], b->maps.fd[i]))
			continue;
		snprintf(why, BPF_WHY_SIZE, "%s/%s is not a map of this version; `turnpikectl purge` removes it",
			 pins->path, bpf_map_name(i));
		pins_fini(pins);	/* refused, not removed */
		return -EPROTO;
	}
	bpf_maps_unload(b);
	for (int i = 0; i < BPF_MAPS; i++) {
		b->maps.fd[i] = pins->map_fd[i];
		pins->map_fd[i] = -1;
	}
	return bpf_maps_load(b, why);
}

int bpf_pins_put_maps(struct bpf_dp *b, char *why)
{
	int err = 0;

	if (!b->pins.path)
		return 0;
	for (int i = 0; i < BPF_MAPS && !err; i++)
		if (i != BPF_STATE)
			err = pin_put(&b->pins, bpf_map_name(i), b->maps.fd[i]);
	if (!err)
		err = pin_put(&b->pins, bpf_map_name(BPF_STATE), b->maps.fd[BPF_STATE]);
	if (err)
		snprintf(why, BPF_WHY_SIZE, "pinning in %s: %s", b->pins.path, strerror(-err));
	return err;
}

static const char *link_name(enum bpf_hook hook, unsigned int ifindex, char name[PIN_NAME_SIZE])
{
	snprintf(name, PIN_NAME_SIZE, "%u-%s", ifindex, bpf_hook_name(hook));
	return name;
}

/* Is it a link of this hook that still is on the device? One of a device that went is on none. */
static bool link_fits(int fd, enum bpf_hook hook, unsigned int ifindex)
{
	/* The layout of struct bpf_link_info for XDP; tcx has its ifindex in the same place. */
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return false;
	return info.type == (hook == BPF_HOOK_XDP ? BPF_LINK_TYPE_XDP : PIN_LINK_TCX) && info.xdp.ifindex == ifindex;
}

bool bpf_pins_have_link(const struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex)
{
	char name[PIN_NAME_SIZE];

	return b->pins.path && pin_exists(&b->pins, link_name(hook, ifindex, name));
}

int bpf_pins_take_link(struct bpf_dp *b, enum bpf_hook hook, unsigned int ifindex, int prog_fd)
{
	char name[PIN_NAME_SIZE];
	int fd, err;

	if (!bpf_pins_have_link(b, hook, ifindex))
		return -ENOENT;
	link_name(hook, ifindex, name);
	fd = pin_get(&b->pins, name);
	if (fd < 0)
		return fd;
	err = link_fits(fd, hook, ifindex) ? 0 : -ENODEV;
	if (!err && bpf_link_update(fd, prog_fd, NULL) < 0)
		err = -errno;
	if (!err)
		return fd;
	/* A link of a device that is gone: its number may be another one's by now. */
	close(fd);
	pin_remove(&b->pins, name);
	return -ENOENT;
}

void bpf_pins_put_link(struct bpf_dp *b, struct bpf_attached *attached)
{
	char name[PIN_NAME_SIZE];
	int err;

	if (!b->pins.path || attached->link_fd < 0)
		return;
	err = pin_put(&b->pins, link_name(attached->hook, attached->ifindex, name), attached->link_fd);
	if (err && err != -EEXIST)
		tp_warning("datapath: pinning %s/%s: %s", b->pins.path, name, strerror(-err));
	else
		attached->pins = &b->pins;
}

void bpf_pins_remove_link(const struct bpf_pins *pins, enum bpf_hook hook, unsigned int ifindex)
{
	char name[PIN_NAME_SIZE];

	pin_remove(pins, link_name(hook, ifindex, name));
}

static bool link_is_used(const struct bpf_dp *b, const char *pin)
{
	char name[PIN_NAME_SIZE];

	for (const struct bpf_device *d = b->devices; d; d = d->next)
		if (!strcmp(pin, link_name(d->attached.hook, d->ifindex, name)) ||
		    !strcmp(pin, link_name(d->also.hook, d->ifindex, name)))
			return true;
	return false;
}

void bpf_pins_sweep_links(struct bpf_dp *b)
{
	int fd = b->pins.path ? openat(b->pins.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strchr(entry->d_name, '-') && !link_is_used(b, entry->d_name))
			pin_remove(&b->pins, entry->d_name);
	if (dir)
		closedir(dir);
}

void bpf_pins_close(struct bpf_dp *b, bool keep)
{
	if (b->pins.path && !keep) {
		pins_remove_all(&b->pins);
		rmdir(b->pins.path);
		/* And what is above, if no other instance is in it. */
		*strrchr(b->pins.path, '/') = 0;
		rmdir(b->pins.path);
	}
	pins_fini(&b->pins);
}

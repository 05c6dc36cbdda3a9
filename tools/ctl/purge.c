/* SPDX-License-Identifier: GPL-2.0 */
/* turnpikectl purge: removes what a turnpiked that was killed left in bpffs, which ends its calls. No daemon is asked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tool.h"

/* The pins of one instance; its programs leave the devices with them. -EBUSY: a daemon lives. */
static int purge_folder(int root_fd, const char *name, unsigned int *pins)
{
	int fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB))
		err = -EBUSY;
	/* The state first: what is left without it counts for nothing, should we be interrupted. */
	if (!err && !unlinkat(fd, "tp1_state", 0))
		++*pins;
	while (!err && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		err = unlinkat(fd, entry->d_name, 0) && errno != ENOENT ? -errno : 0;
		*pins += !err;
	}
	closedir(dir);
	if (!err && unlinkat(root_fd, name, AT_REMOVEDIR))
		err = -errno;
	return err;
}

int tool_purge(const struct tool *tool, const char *bpffs)
{
	DIR *root = opendir(bpffs);
	unsigned int folders = 0, pins = 0;
	struct dirent *entry;
	int status = TOOL_OK, err;

	if (!root && errno != ENOENT) {
		fprintf(stderr, "turnpikectl: %s: %s\n", bpffs, strerror(errno));
		return TOOL_ERROR;
	}
	while (root && (entry = readdir(root))) {
		if (entry->d_name[0] == '.')
			continue;
		err = purge_folder(dirfd(root), entry->d_name, &pins);
		if (err) {
			fprintf(stderr, "turnpikectl: %s/%s: %s\n", bpffs, entry->d_name,
				err == -EBUSY ? "a turnpiked uses it: end that one first" : strerror(-err));
			status = TOOL_ERROR;
		}
		folders += !err;
	}
	if (root)
		closedir(root);
	if (tool->json)
		printf("{\"instances\": %u, \"pins\": %u}\n", folders, pins);
	else
		printf("%u pins of %u instances removed from %s\n", pins, folders, bpffs);
	return status;
}

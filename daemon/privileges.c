/* SPDX-License-Identifier: GPL-2.0 */
/* The limit of descriptors, proc-user and proc-group. */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

uint64_t tp_descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur;
}

static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, char *err, size_t err_size)
{
	struct passwd *pw = getpwnam(name);

	if (!pw) {
		snprintf(err, err_size, "proc-user: there is no user %s: create it, or name another", name);
		return -ENOENT;
	}
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

static int find_group(const char *name, gid_t *ret_gid, char *err, size_t err_size)
{
	struct group *gr = getgrnam(name);

	if (!gr) {
		snprintf(err, err_size, "proc-group: there is no group %s: create it, or name another", name);
		return -ENOENT;
	}
	*ret_gid = gr->gr_gid;
	return 0;
}

/* Of those that the process has: a container may have given fewer. */
static int keep_capabilities(void)
{
	static const int kept[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_BPF, CAP_PERFMON };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2], wanted[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	memset(wanted, 0, sizeof(wanted));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		uint32_t bit = 1u << (kept[i] % 32);
		struct __user_cap_data_struct *word = &wanted[kept[i] / 32];

		if (data[kept[i] / 32].permitted & bit) {
			word->permitted |= bit;
			word->effective |= bit;
		}
	}
	return syscall(SYS_capset, &header, wanted) < 0 ? -errno : 0;
}

static int become(uid_t uid, gid_t gid, const char *user)
{
	if ((user ? initgroups(user, gid) : setgroups(0, NULL)) < 0 || setresgid(gid, gid, gid) < 0)
		return -errno;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* A core dump or a debugger of the new user would hold the secrets. */
	prctl(PR_SET_DUMPABLE, 0);
	return keep_capabilities();
}

int tp_privileges_drop(const char *user, const char *group, const char *const *paths, size_t paths_len, char *err,
		       size_t err_size)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int res = 0;

	if (!user && !group)
		return 0;
	if (user)
		res = find_user(user, &uid, &gid, err, err_size);
	if (!res && group)
		res = find_group(group, &gid, err, err_size);
	if (res || (uid == geteuid() && gid == getegid()))
		return res;
	for (size_t i = 0; i < paths_len; i++) {
		if (paths[i] && chown(paths[i], uid, gid) < 0 && errno != ENOENT) {
			res = -errno;
			snprintf(err, err_size, "cannot give %s to proc-user: %s", paths[i], strerror(-res));
			return res;
		}
	}
	res = become(uid, gid, user);
	if (res)
		snprintf(err, err_size, "cannot change to proc-user or proc-group: %s: start as root, or without them",
			 strerror(-res));
	return res;
}

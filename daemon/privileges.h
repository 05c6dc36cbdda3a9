/* SPDX-License-Identifier: GPL-2.0 */
/* What the process may do and may open. Called by main before there are threads. */
#ifndef TP_PRIVILEGES_H
#define TP_PRIVILEGES_H

#include <stddef.h>
#include <stdint.h>

/* Raises the soft limit of descriptors to the hard one. Returns what it is now. */
uint64_t tp_descriptors_raise(void);

/*
 * Becomes proc-user and proc-group (NULL: not to change) and keeps the capabilities that the
 * daemon has use for at run time: CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_BPF,
 * CAP_PERFMON. `paths` are given to the user before (its sockets and files). 0, or a negative
 * errno and a sentence in `err`.
 */
int tp_privileges_drop(const char *user, const char *group, const char *const *paths, size_t paths_len, char *err,
		       size_t err_size);

#endif

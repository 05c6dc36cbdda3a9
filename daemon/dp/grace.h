/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Grace periods: when no BPF program runs any more that was running at a given
 * moment. From userspace that is membarrier(MEMBARRIER_CMD_GLOBAL), some
 * milliseconds each, so a thread of its own waits for all that ask meanwhile at
 * once. Where membarrier is refused (nohz_full, seccomp), an update of a map of
 * maps waits in the kernel for the same.
 */
#ifndef TP_DP_GRACE_H
#define TP_DP_GRACE_H

#include <stdbool.h>
#include <stdint.h>

struct tp_grace;

int tp_grace_new(struct tp_grace **ret);	/* -EPERM: no way to wait for one */
void tp_grace_free(struct tp_grace *grace);

/* Any thread. A ticket's grace period has passed once `settled`; 0 always has. */
uint64_t tp_grace_ticket(struct tp_grace *grace);
bool tp_grace_settled(struct tp_grace *grace, uint64_t ticket);
void tp_grace_wait(struct tp_grace *grace);	/* blocks for one */

#endif

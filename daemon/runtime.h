/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a reload exchanges: the configuration and the users built from it, as one
 * immutable object under RCU (QSBR). The control thread publishes, workers read it
 * at the top of each loop iteration and may use it until they go off line at the
 * end of the iteration.
 */
#ifndef TP_RUNTIME_H
#define TP_RUNTIME_H

#include <stdint.h>

struct tp_auth;
struct tp_conf;

struct tp_runtime {
	const struct tp_conf *conf;
	const struct tp_auth *auth;
	uint64_t generation;		/* never the same twice, unlike the pointer */
};

/* Reader: on an online QSBR thread. */
const struct tp_runtime *tp_runtime_current(void);

/*
 * Control thread: publishes, waits a grace period, frees what was there before.
 * Takes over both objects. -ENOMEM: nothing changed, they are still the caller's.
 */
int tp_runtime_publish(struct tp_conf *conf, struct tp_auth *auth);
void tp_runtime_clear(void);		/* when no reader is left */

#endif

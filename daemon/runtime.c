/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration under RCU; runtime.h says who may do what. */
#include "runtime.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#include "auth/auth.h"
#include "conf.h"

struct published {
	struct tp_runtime runtime;
	struct tp_conf *conf;
	struct tp_auth *auth;
};

/* As rcu_assign_pointer() and rcu_dereference(), in the language's own terms, which ThreadSanitizer follows. */
static _Atomic(struct published *) current;
static uint64_t generations;

const struct tp_runtime *tp_runtime_current(void)
{
	struct published *p = atomic_load_explicit(&current, memory_order_acquire);

	return p ? &p->runtime : NULL;
}

static void published_free(struct published *p)
{
	if (!p)
		return;
	tp_auth_free(p->auth);
	tp_conf_free(p->conf);
	free(p);
}

int tp_runtime_publish(struct tp_conf *conf, struct tp_auth *auth)
{
	struct published *p = calloc(1, sizeof(*p)), *old = current;

	if (!p)
		return -ENOMEM;
	p->conf = conf;
	p->auth = auth;
	p->runtime.conf = conf;
	p->runtime.auth = auth;
	p->runtime.generation = ++generations;
	atomic_store_explicit(&current, p, memory_order_release);
	if (old) {
		synchronize_rcu();
		published_free(old);
	}
	return 0;
}

void tp_runtime_clear(void)
{
	published_free(current);
	current = NULL;
}

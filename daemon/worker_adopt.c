/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that an earlier daemon left, shared out to the workers. Called by the control thread before they run. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "log.h"
#include "runtime.h"
#include "turnpike/abi.h"
#include "worker.h"

struct adoption {
	struct tp_workers *workers;
	uint64_t adopted, lost;
	int first_error;
};

static bool adopt_one(void *arg, const struct tp_keep *keep)
{
	struct adoption *adoption = arg;
	struct tp_workers *workers = adoption->workers;
	struct tp_worker *worker = &workers->items[keep->who.id % workers->len];
	int err = tp_turn_adopt(worker->turn, keep, &worker->now);

	if (!err) {
		adoption->adopted++;
		return true;
	}
	/* Over in the meantime is nothing to tell. */
	if (err != -ENOENT) {
		adoption->lost++;
		adoption->first_error = adoption->first_error ? adoption->first_error : err;
	}
	return true;
}

static const char *error_text(int err)
{
	switch (-err) {
	case EBADMSG:
		return "their records are sealed by another node key";
	case EACCES:
		return "their users are gone";
	case EADDRINUSE:
		return "their relay ports are taken";
	case EADDRNOTAVAIL:
		return "their relay addresses are not configured any more";
	default:
		return strerror(-err);
	}
}

void tp_workers_adopt(struct tp_workers *workers)
{
	const struct tp_runtime *runtime = tp_runtime_current();
	struct tp_dp *dp = workers->services.dp;
	struct adoption adoption = { .workers = workers };

	if (!dp->ops->kept)
		return;
	for (unsigned int i = 0; i < workers->len; i++)
		worker_configure_engine(&workers->items[i], runtime);
	dp->ops->kept(dp, adopt_one, &adoption);
	dp->ops->sweep(dp);
	if (adoption.adopted)
		tp_notice("%" PRIu64 " allocations of an earlier daemon go on", adoption.adopted);
	if (adoption.lost)
		tp_warning("%" PRIu64 " allocations of an earlier daemon end: %s", adoption.lost,
			   error_text(adoption.first_error));
}

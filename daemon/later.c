/* SPDX-License-Identifier: GPL-2.0 */
/* Requests that wait for answers; see later.h. A worker makes it and is its only user but for tp_later_wake(). */
#include "later.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

struct kept {
	struct tp_path from;
	size_t size;	/* 0: an empty place */
	uint8_t data[TP_LATER_SIZE_MAX];
};

struct tp_later {
	struct tp_loop *loop;
	tp_later_input_fn input;
	void *arg;
	struct tp_job job;
	atomic_bool posted;	/* the job is on its way: it must not be posted twice */
	unsigned int oldest;	/* index into the ring */
	unsigned int len;
	uint64_t kept, dropped;
	struct kept ring[TP_LATER_MAX];
	struct kept taken;	/* the one that is given in */
};

/* What still has no answer is added again behind the others: each is given in once per run. */
static void give_in(struct tp_job *job)
{
	struct tp_later *later = job->arg;

	/* Before the look-ups: an answer that comes meanwhile posts the job again. */
	atomic_store(&later->posted, false);
	for (unsigned int left = later->len; left; left--) {
		struct kept *kept = &later->ring[later->oldest];

		later->oldest = (later->oldest + 1) % TP_LATER_MAX;
		later->len--;
		if (!kept->size)
			continue;
		later->taken.from = kept->from;
		later->taken.size = kept->size;
		memcpy(later->taken.data, kept->data, kept->size);
		later->input(later->arg, &later->taken.from, later->taken.data, later->taken.size);
	}
}

void tp_later_wake(void *arg)
{
	struct tp_later *later = arg;

	if (!atomic_exchange(&later->posted, true))
		tp_loop_post(later->loop, &later->job);
}

struct tp_later *tp_later_new(struct tp_loop *loop, tp_later_input_fn input, void *arg)
{
	struct tp_later *later = calloc(1, sizeof(*later));

	if (!later)
		return NULL;
	later->loop = loop;
	later->input = input;
	later->arg = arg;
	later->job.fn = give_in;
	later->job.arg = later;
	return later;
}

void tp_later_free(struct tp_later *later)
{
	free(later);
}

static bool same_request(const struct kept *kept, const struct tp_path *from, const void *data, size_t size)
{
	return kept->size == size && kept->from.conn == from->conn && tp_tuple_equal(&kept->from.tuple, &from->tuple) &&
	       memcmp(kept->data, data, size) == 0;
}

void tp_later_add(struct tp_later *later, const struct tp_path *from, const void *data, size_t size)
{
	struct kept *kept;

	if (!size || size > TP_LATER_SIZE_MAX) {
		later->dropped++;
		return;
	}
	/* A retransmission: one answer is enough. */
	for (unsigned int i = 0; i < later->len; i++)
		if (same_request(&later->ring[(later->oldest + i) % TP_LATER_MAX], from, data, size))
			return;
	if (later->len == TP_LATER_MAX) {
		later->dropped += later->ring[later->oldest].size != 0;
		later->oldest = (later->oldest + 1) % TP_LATER_MAX;
		later->len--;
	}
	kept = &later->ring[(later->oldest + later->len++) % TP_LATER_MAX];
	kept->from = *from;
	kept->size = size;
	memcpy(kept->data, data, size);
	later->kept++;
}

void tp_later_forget(struct tp_later *later, const void *conn)
{
	for (unsigned int i = 0; i < TP_LATER_MAX; i++)
		if (later->ring[i].from.conn == conn)
			later->ring[i].size = 0;
}

void tp_later_read(const struct tp_later *later, uint64_t *ret_kept, uint64_t *ret_dropped)
{
	*ret_kept = later->kept;
	*ret_dropped = later->dropped;
}

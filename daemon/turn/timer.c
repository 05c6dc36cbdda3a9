/* SPDX-License-Identifier: GPL-2.0 */
/* See timer.h. */
#include "turn/timer.h"

#include <errno.h>
#include <stdlib.h>

static void heap_place(struct tp_timers *t, size_t pos, struct tp_timer *timer)
{
	t->heap[pos] = timer;
	timer->pos = pos;
}

static void heap_up(struct tp_timers *t, size_t pos)
{
	struct tp_timer *timer = t->heap[pos];

	for (; pos > 1 && t->heap[pos / 2]->at_ns > timer->at_ns; pos /= 2)
		heap_place(t, pos, t->heap[pos / 2]);
	heap_place(t, pos, timer);
}

static void heap_down(struct tp_timers *t, size_t pos)
{
	struct tp_timer *timer = t->heap[pos];
	size_t child;

	for (; (child = pos * 2) <= t->len; pos = child) {
		if (child < t->len && t->heap[child + 1]->at_ns < t->heap[child]->at_ns)
			child++;
		if (t->heap[child]->at_ns >= timer->at_ns)
			break;
		heap_place(t, pos, t->heap[child]);
	}
	heap_place(t, pos, timer);
}

static int heap_reserve(struct tp_timers *t)
{
	size_t capacity = t->capacity ? t->capacity * 2 : 64;
	struct tp_timer **heap;

	if (t->len + 1 < t->capacity)
		return 0;
	heap = realloc(t->heap, capacity * sizeof(struct tp_timer *));
	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->capacity = capacity;
	return 0;
}

void tp_timers_fini(struct tp_timers *t)
{
	free(t->heap);
	t->heap = NULL;
	t->len = t->capacity = 0;
}

int tp_timer_set(struct tp_timers *t, struct tp_timer *timer, uint64_t at_ns, tp_timer_fn fn)
{
	int err;

	if (!timer->pos) {
		err = heap_reserve(t);
		if (err)
			return err;
		timer->at_ns = at_ns;
		timer->fn = fn;
		heap_place(t, ++t->len, timer);
		heap_up(t, t->len);
		return 0;
	}
	timer->at_ns = at_ns;
	timer->fn = fn;
	heap_up(t, timer->pos);
	heap_down(t, timer->pos);
	return 0;
}

void tp_timer_clear(struct tp_timers *t, struct tp_timer *timer)
{
	size_t pos = timer->pos;
	struct tp_timer *last;

	if (!pos)
		return;
	timer->pos = 0;
	last = t->heap[t->len--];
	if (last == timer)
		return;
	heap_place(t, pos, last);
	heap_up(t, pos);
	heap_down(t, last->pos);
}

uint64_t tp_timers_run(struct tp_timers *t, uint64_t now_ns)
{
	while (t->len && t->heap[1]->at_ns <= now_ns) {
		struct tp_timer *timer = t->heap[1];

		tp_timer_clear(t, timer);
		timer->fn(timer, now_ns);
	}
	return t->len ? t->heap[1]->at_ns : UINT64_MAX;
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Requests that wait for a user store: given in again once per answer, bounded, forgotten with their connection. */
#include "later.h"
#include "lib/fake_store.h"
#include "lib/tap.h"
#include "loop.h"

static struct tp_loop *loop;
static struct tp_later *later;
static unsigned int inputs, again;
static char last[64];

static void answer(const struct store_query *query, struct store_rows *ret)
{
}

static void input(void *arg, const struct tp_path *from, const void *data, size_t size)
{
	inputs++;
	snprintf(last, sizeof(last), "%.*s", (int)size, (const char *)data);
	/* As the engine does for what still has no answer. */
	if (again) {
		again--;
		tp_later_add(later, from, data, size);
	}
	if (!again)
		tp_loop_stop(loop);
}

static void add(uint16_t port, const char *text, void *conn)
{
	struct tp_path from = { .tuple = { .client = { .family = 4, .port = port } }, .conn = conn };

	tp_later_add(later, &from, text, strlen(text));
}

/* Any look-up makes the store tell its subscribers. */
static void let_answer(struct tp_store *store, const char *name)
{
	char text[TP_STORE_TEXT_SIZE];

	tp_store_get(store, TP_STORE_USER, "r", name, strlen(name), 0, text);
	tp_loop_run(loop);
}

int main(void)
{
	struct tp_store *store = store_begin(answer);
	uint64_t kept, dropped;
	char text[16], big[TP_LATER_SIZE_MAX + 1] = "x";
	int conn;

	loop = tp_loop_new();
	later = tp_later_new(loop, input, NULL);
	tp_store_subscribe(store, tp_later_wake, later);
	add(1, "one", NULL);
	add(1, "one", NULL);
	let_answer(store, "a");
	check(inputs == 1 && !strcmp(last, "one"), "a request and its retransmission are given in once");
	add(1, "two", NULL);
	again = 1;
	let_answer(store, "b");
	check_eq(inputs, 2, "what still has no answer is kept");
	let_answer(store, "c");
	check(inputs == 3 && !strcmp(last, "two"), "and given in with the next");
	add(2, "gone", &conn);
	add(3, "stays", NULL);
	tp_later_forget(later, &conn);
	let_answer(store, "d");
	check(inputs == 4 && !strcmp(last, "stays"), "a connection that ended takes its request along");
	for (uint16_t i = 0; i < TP_LATER_MAX + 5; i++) {
		snprintf(text, sizeof(text), "n%u", i);
		add(i, text, NULL);
	}
	tp_later_add(later, &(struct tp_path){ 0 }, big, sizeof(big));
	tp_later_read(later, &kept, &dropped);
	check(kept == 4 + 1 + TP_LATER_MAX + 5 && dropped == 6, "the oldest make room, and what is too big is not kept");
	tp_store_stop(store);
	tp_later_free(later);
	tp_loop_free(loop);
	tp_store_free(store);
	return done();
}

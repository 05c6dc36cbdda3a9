/* SPDX-License-Identifier: GPL-2.0 */
/* Connection handles: one that outlived its connection finds nothing. */
#include <stddef.h>

#include "lib/tap.h"
#include "net/conn.h"

int main(void)
{
	struct tp_conns *conns = tp_conns_new(3, 1000);
	struct tp_conns *other = tp_conns_new(4, 1000);
	static void *handle[1001];
	char object[2];
	void *stale, *again;
	bool good = true;

	for (int i = 0; i < 1000; i++)
		good &= (handle[i] = tp_conns_add(conns, TP_CONN_STREAM, &object[0])) != NULL;
	check(good && tp_conns_live(conns) == 1000, "a table takes what it was made for");
	check(!tp_conns_add(conns, TP_CONN_STREAM, &object[0]), "and not one more");
	for (int i = 0; i < 1000; i++)
		for (int k = i + 1; k < 1000; k++)
			good &= handle[i] != handle[k];
	check(good, "handles differ");
	check(tp_conn_worker(handle[7]) == 3, "a handle names its worker");
	check(tp_conns_find(conns, handle[7], TP_CONN_STREAM) == &object[0], "a handle finds its connection");
	check(!tp_conns_find(conns, handle[7], TP_CONN_DTLS), "but not as another kind");
	check(!tp_conns_find(other, handle[7], TP_CONN_STREAM), "and not at another worker");
	stale = handle[7];
	tp_conns_remove(conns, stale);
	check(!tp_conns_find(conns, stale, TP_CONN_STREAM), "a closed connection is not found");
	again = tp_conns_add(conns, TP_CONN_DTLS, &object[1]);
	check(again && again != stale && !tp_conns_find(conns, stale, TP_CONN_DTLS) &&
		      tp_conns_find(conns, again, TP_CONN_DTLS) == &object[1],
	      "its slot's next connection is not found by the old handle");
	tp_conns_remove(conns, stale);
	check(tp_conns_live(conns) == 1000, "removing by a stale handle removes nothing");
	check(!tp_conns_find(conns, NULL, TP_CONN_STREAM), "NULL (UDP) is no handle");
	tp_conns_free(conns);
	tp_conns_free(other);
	return done();
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Handles of a worker's connections: what `tp_path.conn` holds. A handle says
 * which worker has the connection and carries a generation, so that one that
 * outlives its connection (in the engine, in a job on its way to another worker)
 * finds nothing instead of somebody else's connection. Used by stream.c, dtls.c and
 * tcp_relay.c.
 */
#ifndef TP_NET_CONN_H
#define TP_NET_CONN_H

#include <stdint.h>

enum tp_conn_kind { TP_CONN_STREAM = 1, TP_CONN_DTLS, TP_CONN_PEER };

struct tp_conns;

/* At most `max` connections live at a time. NULL: out of memory. */
struct tp_conns *tp_conns_new(unsigned int worker, uint32_t max);
void tp_conns_free(struct tp_conns *conns);

/* The handle of a new connection, or NULL where the table is full. */
void *tp_conns_add(struct tp_conns *conns, enum tp_conn_kind kind, void *object);
void tp_conns_remove(struct tp_conns *conns, const void *conn);
/* The object, or NULL: the connection is gone, is another worker's, or of another kind. */
void *tp_conns_find(const struct tp_conns *conns, const void *conn, enum tp_conn_kind kind);
uint32_t tp_conns_live(const struct tp_conns *conns);

/* The worker that a handle belongs to. */
unsigned int tp_conn_worker(const void *conn);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Which addresses the node listens on. */
#ifndef TP_NET_LISTEN_H
#define TP_NET_LISTEN_H

#include <stddef.h>

#include "net/addr.h"

struct tp_conf;

/* The addresses with ports of a configuration, without duplicates. Freed by free(). 0 or -ENOMEM. */
int tp_listen_udp(const struct tp_conf *conf, struct tp_addr **ret, size_t *ret_len);
int tp_listen_tcp(const struct tp_conf *conf, struct tp_addr **ret, size_t *ret_len);

/* Can TCP be listened on here? stream.c opens its sockets with SO_REUSEPORT, which would share the port with a stranger. */
int tp_listen_tcp_probe(const struct tp_addr *addr);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Which addresses the node listens on. */
#ifndef TP_NET_LISTEN_H
#define TP_NET_LISTEN_H

#include <stddef.h>

#include "net/addr.h"

struct tp_conf;

/* The UDP addresses with ports of a configuration. Freed by free(). 0 or -ENOMEM. */
int tp_listen_udp(const struct tp_conf *conf, struct tp_addr **ret, size_t *ret_len);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The PROXY protocol, versions 1 and 2: what a load balancer says about a
 * connection before its first byte. Pure. Called by the stream listener for
 * connections of configured proxies only; everybody else's bytes never get here.
 */
#ifndef TP_NET_PROXY_H
#define TP_NET_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"

/* Version 1 has its own maximum. Version 2 may say 65535: what follows the addresses is bounded here. */
#define TP_PROXY_V1_MAX		107
#define TP_PROXY_MAX		4096

struct tp_proxy {
	/* LOCAL, UNKNOWN and families that are not IP: the connection's own addresses stand, those below are unset. */
	bool local;
	struct tp_addr source, destination;
};

/*
 * >0: the header's size, `ret` is filled; 0: more bytes are needed (call again with
 * more than `size`); -EBADMSG: not a header, or not a legal one. Version 2's TLVs
 * are skipped. Never looks at more than TP_PROXY_MAX bytes.
 */
int tp_proxy_decode(const void *data, size_t size, struct tp_proxy *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses as the records of tp1_keeps have them. Inside turn/: keep.c writes records, adopt.c reads them. */
#ifndef TP_TURN_KEEP_H
#define TP_TURN_KEEP_H

#include "net/addr.h"
#include "turnpike/abi.h"

struct tp_ip tp_keep_ip(const struct tp_addr *addr);
struct tp_addr tp_keep_addr(const struct tp_ip *ip, uint8_t family, uint16_t port_be);

#endif

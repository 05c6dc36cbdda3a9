/* SPDX-License-Identifier: GPL-2.0 */
/* The Binding request (RFC 8489 section 12): answered without state and, unless secure-stun, without credentials. */
#include "turn/engine.h"

void tp_binding_request(struct tp_request *req)
{
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	tp_reply_begin(req, &w, buf, TP_STUN_SUCCESS);
	tp_stun_put_xor_addr(&w, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &req->from->tuple.client);
	tp_reply_send(req, &w);
}

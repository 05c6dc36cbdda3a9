/* SPDX-License-Identifier: GPL-2.0 */
/* The control socket: see README.md for what is spoken on it. Control thread only. */
#ifndef TP_CTL_CTL_H
#define TP_CTL_CTL_H

#include <jansson.h>
#include <stddef.h>

struct tp_ctl;
struct tp_node;

#define TP_CTL_REQUEST_SIZE 65536	/* of a request line */

/* Listens at `path`, whose folder is made if it is missing. A negative errno, and a sentence in `err`. */
int tp_ctl_open(struct tp_node *node, const char *path, struct tp_ctl **ret, char *err, size_t err_size);
void tp_ctl_close(struct tp_ctl *ctl);		/* removes the socket, and the folder if it was made; NULL is fine */
const char *tp_ctl_folder(const struct tp_ctl *ctl);	/* the folder that was made, or NULL */

/*
 * One request to one response, {"ok": true, "result": ...} or {"ok": false, "error": "..."}. Never NULL but
 * out of memory. Used by server.c, and by tests without a socket.
 */
json_t *tp_ctl_answer(struct tp_node *node, const char *request, size_t size);

#endif

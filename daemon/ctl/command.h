/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of commands share. */
#ifndef TP_CTL_COMMAND_H
#define TP_CTL_COMMAND_H

#include <jansson.h>
#include <stdint.h>

#include "dp/dp.h"
#include "node.h"

#define CTL_ERROR_SIZE 512

/* Sets `*ret`, or returns a negative errno with a sentence in `err`. */
typedef int (*ctl_command_fn)(struct tp_node *node, json_t *request, json_t **ret, char *err);

int ctl_list(struct tp_node *node, json_t *request, json_t **ret, char *err);
int ctl_show(struct tp_node *node, json_t *request, json_t **ret, char *err);
int ctl_stats(struct tp_node *node, json_t *request, json_t **ret, char *err);
int ctl_status(struct tp_node *node, json_t *request, json_t **ret, char *err);
int ctl_rules(struct tp_node *node, json_t *request, json_t **ret, char *err);
int ctl_kill(struct tp_node *node, json_t *request, json_t **ret, char *err);

/* Allocation ids are 16 hexadecimal digits, leading zeroes may be left out. 0 or -EINVAL. */
#define CTL_ID_SIZE 17
const char *ctl_id_format(uint64_t id, char buf[CTL_ID_SIZE]);
int ctl_id_parse(const char *text, uint64_t *ret);

json_t *ctl_addr(const struct tp_addr *addr);			/* "ip:port", and "ip" where the port is 0 */
json_t *ctl_text(const char *text);				/* what is no UTF-8 as \xNN */
json_t *ctl_traffic(const struct tp_flow_traffic *traffic);	/* {"packets", "bytes", "dropped", "up": {..}, "down": {..}} */

int ctl_busy(char *err);	/* a worker did not answer: -ETIMEDOUT and the sentence */

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Listening addresses and their UDP ports; worker_listen.c opens them. */
#include "net/listen.h"

#include <errno.h>
#include <stdlib.h>

#include "conf.h"

struct addr_list {
	struct tp_addr *items;
	size_t len;
};

static int list_add(struct addr_list *list, const struct tp_addr *addr)
{
	struct tp_addr *items;

	for (size_t i = 0; i < list->len; i++)
		if (tp_addr_equal(&list->items[i], addr))
			return 0;
	items = realloc(list->items, (list->len + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->len++] = *addr;
	return 0;
}

int tp_listen_udp(const struct tp_conf *conf, struct tp_addr **ret, size_t *ret_len)
{
	struct addr_list list = { 0 };
	uint16_t ports[4] = { 0 };
	unsigned int len = 0;

	if (!conf->no_udp)
		ports[len++] = conf->listening_port;
	if (!conf->no_udp && conf->rfc5780)
		ports[len++] = conf->alt_listening_port ? conf->alt_listening_port :
							  (uint16_t)(conf->listening_port + 1);
	if (!conf->no_dtls)
		ports[len++] = conf->tls_listening_port;
	for (size_t i = 0; i < conf->listen_len; i++) {
		for (unsigned int p = 0; p < len; p++) {
			struct tp_addr addr = conf->listen[i];

			addr.port = ports[p];
			if (list_add(&list, &addr) < 0) {
				free(list.items);
				return -ENOMEM;
			}
		}
	}
	*ret = list.items;
	*ret_len = list.len;
	return 0;
}

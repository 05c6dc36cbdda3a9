/* SPDX-License-Identifier: GPL-2.0 */
/* Listening addresses and their UDP ports; worker_listen.c opens them. */
#include "net/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

static int list_make(const struct tp_conf *conf, const uint16_t *ports, unsigned int ports_len, struct addr_list *list)
{
	for (size_t i = 0; i < conf->listen_len; i++) {
		for (unsigned int p = 0; p < ports_len; p++) {
			struct tp_addr addr = conf->listen[i];

			addr.port = ports[p];
			if (list_add(list, &addr) < 0) {
				free(list->items);
				return -ENOMEM;
			}
		}
	}
	return 0;
}

int tp_listen_udp(const struct tp_conf *conf, struct tp_addr **ret, size_t *ret_len)
{
	struct addr_list list = { 0 };
	uint16_t ports[3];
	unsigned int len = 0;

	if (!conf->no_udp)
		ports[len++] = conf->listening_port;
	if (!conf->no_udp && conf->rfc5780)
		ports[len++] = conf->alt_listening_port ? conf->alt_listening_port :
							  (uint16_t)(conf->listening_port + 1);
	if (!conf->no_dtls)
		ports[len++] = conf->tls_listening_port;
	if (list_make(conf, ports, len, &list) < 0)
		return -ENOMEM;
	*ret = list.items;
	*ret_len = list.len;
	return 0;
}

int tp_listen_tcp(const struct tp_conf *conf, struct tp_addr **ret, size_t *ret_len)
{
	struct addr_list list = { 0 };
	uint16_t ports[2];
	unsigned int len = 0;

	if (!conf->no_tcp || !conf->no_tls)
		ports[len++] = conf->listening_port;
	if (!conf->no_tls && conf->tls_listening_port)
		ports[len++] = conf->tls_listening_port;
	if (list_make(conf, ports, len, &list) < 0)
		return -ENOMEM;
	*ret = list.items;
	*ret_len = list.len;
	return 0;
}

int tp_listen_tcp_probe(const struct tp_addr *addr)
{
	int fd = socket(addr->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, err = 0;
	struct sockaddr_storage name;
	socklen_t size = tp_addr_to_sockaddr(addr, &name);

	if (fd < 0)
		return -errno;
	/* Past connections in TIME-WAIT are no hindrance; a listening socket is. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (addr->family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    bind(fd, (struct sockaddr *)&name, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

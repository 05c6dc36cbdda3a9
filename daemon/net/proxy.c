/* SPDX-License-Identifier: GPL-2.0 */
/* PROXY protocol decoder; see proxy.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "net/proxy.h"

#define V2_HEADER_SIZE 16

static const uint8_t v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };
static const char v1_signature[6] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

/* Does what is there agree with the signature so far? */
static bool starts_like(const void *data, size_t size, const void *signature, size_t signature_size)
{
	return !memcmp(data, signature, size < signature_size ? size : signature_size);
}

/* 1 to 5 digits without leading zeroes, up to 65535. */
static int parse_port(const char *text, uint16_t *ret)
{
	unsigned int value = 0;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] < '0' || text[i] > '9' || i == 5)
			return -EBADMSG;
		value = value * 10 + (unsigned int)(text[i] - '0');
	}
	if (!i || value > UINT16_MAX || (i > 1 && text[0] == '0'))
		return -EBADMSG;
	*ret = (uint16_t)value;
	return 0;
}

static int parse_ip(int family, const char *text, struct tp_addr *ret)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	void *ip = family == AF_INET ? (void *)&((struct sockaddr_in *)&ss)->sin_addr :
				       (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr;

	if (inet_pton(family, text, ip) != 1)
		return -EBADMSG;
	return tp_addr_from_sockaddr((struct sockaddr *)&ss, ret) ? -EBADMSG : 0;
}

/* "TCP4 source destination source-port destination-port", each after exactly one space. */
static int parse_v1_fields(char *line, struct tp_proxy *ret)
{
	char *field[5];
	char *rest = line;
	int family;

	for (size_t i = 0; i < 5; i++) {
		field[i] = strsep(&rest, " ");
		if (!field[i])
			return -EBADMSG;
	}
	if (rest)
		return -EBADMSG;
	if (!strcmp(field[0], "TCP4"))
		family = AF_INET;
	else if (!strcmp(field[0], "TCP6"))
		family = AF_INET6;
	else
		return -EBADMSG;
	if (parse_ip(family, field[1], &ret->source) || parse_ip(family, field[2], &ret->destination) ||
	    parse_port(field[3], &ret->source.port) || parse_port(field[4], &ret->destination.port))
		return -EBADMSG;
	return 0;
}

static int decode_v1(const char *data, size_t size, struct tp_proxy *ret)
{
	size_t limit = size < TP_PROXY_V1_MAX ? size : TP_PROXY_V1_MAX;
	const char *end = memchr(data, '\n', limit);
	char line[TP_PROXY_V1_MAX];
	size_t len;

	if (!end)
		return size < TP_PROXY_V1_MAX ? 0 : -EBADMSG;
	len = (size_t)(end - data);
	if (len <= sizeof(v1_signature) || data[len - 1] != '\r' || memchr(data, 0, len))
		return -EBADMSG;
	len -= sizeof(v1_signature) + 1;
	memcpy(line, data + sizeof(v1_signature), len);
	line[len] = 0;
	/* The rest of the line is to be ignored after UNKNOWN. */
	if (!strncmp(line, "UNKNOWN", 7) && (line[7] == ' ' || !line[7]))
		ret->local = true;
	else if (parse_v1_fields(line, ret))
		return -EBADMSG;
	return (int)(end - data) + 1;
}

static void v2_addr(int family, const uint8_t *ip, const uint8_t *port, struct tp_addr *ret)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };

	if (family == AF_INET)
		memcpy(&((struct sockaddr_in *)&ss)->sin_addr, ip, 4);
	else
		memcpy(&((struct sockaddr_in6 *)&ss)->sin6_addr, ip, 16);
	tp_addr_from_sockaddr((struct sockaddr *)&ss, ret);
	ret->port = (uint16_t)(port[0] << 8 | port[1]);
}

/*
 * Version and command, family and transport, length; then source and destination
 * address, source and destination port, and TLVs up to the length.
 */
static int decode_v2(const uint8_t *p, size_t size, struct tp_proxy *ret)
{
	size_t length, ip_size;
	int family = 0;

	if (size < V2_HEADER_SIZE)
		return size > 12 && p[12] != 0x20 && p[12] != 0x21 ? -EBADMSG : 0;
	length = (size_t)p[14] << 8 | p[15];
	if ((p[12] != 0x20 && p[12] != 0x21) || V2_HEADER_SIZE + length > TP_PROXY_MAX)
		return -EBADMSG;
	if (size < V2_HEADER_SIZE + length)
		return 0;
	if (p[12] == 0x21 && p[13] == 0x11)
		family = AF_INET;
	else if (p[12] == 0x21 && p[13] == 0x21)
		family = AF_INET6;
	else if (p[12] == 0x21 && (p[13] == 0x12 || p[13] == 0x22))
		return -EBADMSG; /* a datagram's addresses in front of a stream */
	if (!family) {
		ret->local = true;
		return (int)(V2_HEADER_SIZE + length);
	}
	ip_size = family == AF_INET ? 4 : 16;
	if (length < 2 * ip_size + 4)
		return -EBADMSG;
	p += V2_HEADER_SIZE;
	v2_addr(family, p, p + 2 * ip_size, &ret->source);
	v2_addr(family, p + ip_size, p + 2 * ip_size + 2, &ret->destination);
	return (int)(V2_HEADER_SIZE + length);
}

int tp_proxy_decode(const void *data, size_t size, struct tp_proxy *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (starts_like(data, size, v2_signature, sizeof(v2_signature)))
		return decode_v2(data, size, ret);
	if (starts_like(data, size, v1_signature, sizeof(v1_signature)))
		return size < sizeof(v1_signature) ? 0 : decode_v1(data, size, ret);
	return -EBADMSG;
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Typed attribute values (RFC 8489 section 14, RFC 8656 section 18); see stun.h. */
#include <errno.h>
#include <string.h>

#include "stun/stun.h"
#include "stun/wire.h"

/* The first attribute of a type, which has exactly this size. */
static int value_get(const struct tp_stun_msg *msg, uint16_t type, size_t size, const uint8_t **ret)
{
	struct tp_stun_attr attr;

	if (!tp_stun_find(msg, type, &attr))
		return -ENOENT;
	if (attr.size != size)
		return -EBADMSG;
	*ret = tp_stun_value(msg, &attr);
	return 0;
}

int tp_stun_get_u32(const struct tp_stun_msg *msg, uint16_t type, uint32_t *ret)
{
	const uint8_t *value;
	int err = value_get(msg, type, 4, &value);

	if (!err)
		*ret = load_be32(value);
	return err;
}

int tp_stun_get_u16_first(const struct tp_stun_msg *msg, uint16_t type, uint16_t *ret)
{
	const uint8_t *value;
	int err = value_get(msg, type, 4, &value);

	if (!err)
		*ret = load_be16(value);
	return err;
}

int tp_stun_get_u8_first(const struct tp_stun_msg *msg, uint16_t type, uint8_t *ret)
{
	const uint8_t *value;
	int err = value_get(msg, type, 4, &value);

	if (!err)
		*ret = value[0];
	return err;
}

/*
 * A v4-mapped IPv6 address reaches an IPv4 host: as IPv4 it meets the policy that was
 * written for that host.
 */
static void addr_unmap(struct tp_addr *addr)
{
	static const uint8_t prefix[12] = { [10] = 0xff, 0xff };

	if (addr->family != 6 || memcmp(addr->ip, prefix, sizeof(prefix)) != 0)
		return;
	memmove(addr->ip, addr->ip + sizeof(prefix), 4);
	memset(addr->ip + 4, 0, 12);
	addr->family = 4;
}

/*
 * Sections 14.1 and 14.2: zero byte (ignored), family, port, address; with the XOR
 * the port is masked by the cookie's first half, the address by cookie and transaction id.
 */
static int addr_decode(const uint8_t *value, size_t size, const uint8_t mask[16], struct tp_addr *ret)
{
	struct tp_addr addr = { 0 };

	if (size == 8 && value[1] == TP_STUN_FAMILY_IPV4)
		addr.family = 4;
	else if (size == 20 && value[1] == TP_STUN_FAMILY_IPV6)
		addr.family = 6;
	else
		return -EBADMSG;
	addr.port = load_be16(value + 2) ^ load_be16(mask);
	for (size_t i = 0; i < size - 4; i++)
		addr.ip[i] = value[4 + i] ^ mask[i];
	addr_unmap(&addr);
	*ret = addr;
	return 0;
}

int tp_stun_get_xor_addr(const struct tp_stun_msg *msg, const struct tp_stun_attr *attr, struct tp_addr *ret)
{
	return addr_decode(tp_stun_value(msg, attr), attr->size, msg->id.bytes, ret);
}

int tp_stun_get_addr(const struct tp_stun_msg *msg, uint16_t type, struct tp_addr *ret)
{
	static const uint8_t no_mask[16];
	struct tp_stun_attr attr;

	if (!tp_stun_find(msg, type, &attr))
		return -ENOENT;
	return addr_decode(tp_stun_value(msg, &attr), attr.size, no_mask, ret);
}

int tp_stun_get_error(const struct tp_stun_msg *msg, int *ret_code)
{
	struct tp_stun_attr attr;
	const uint8_t *value;
	int class;

	if (!tp_stun_find(msg, TP_STUN_ATTR_ERROR_CODE, &attr))
		return -ENOENT;
	value = tp_stun_value(msg, &attr);
	/* Section 14.8: 21 reserved bits are ignored, class 3 to 6, number 0 to 99. */
	if (attr.size < 4)
		return -EBADMSG;
	class = value[2] & 7;
	if (class < 3 || class > 6 || value[3] > 99)
		return -EBADMSG;
	*ret_code = class * 100 + value[3];
	return 0;
}

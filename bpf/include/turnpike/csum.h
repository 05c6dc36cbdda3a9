/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Internet checksums, whole and incremental (RFC 1071, RFC 1624). Sums are kept
 * in a 64-bit accumulator of words in memory order and folded once at the end.
 */
#ifndef TURNPIKE_CSUM_H
#define TURNPIKE_CSUM_H

#include <turnpike/port.h>

TP_CORE __u16 tp_csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* The same in 32 bits, as the kernel's helpers want a difference. */
TP_CORE __u32 tp_csum_fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)sum;
}

/* Ones' complement: adding ~x takes x away. */
TP_CORE __u64 tp_csum_minus(__u64 sum)
{
	return (__u32)~tp_csum_fold32(sum);
}

/* The byte at an offset whose parity counts. */
TP_CORE __u64 tp_csum_byte(__u8 byte, __u32 off)
{
	return ((off & 1) ^ !TP_LITTLE_ENDIAN) ? (__u64)byte << 8 : byte;
}

TP_CORE __u64 tp_csum_ip(const struct tp_ip *ip)
{
	return (__u64)ip->w[0] + ip->w[1] + ip->w[2] + ip->w[3];
}

/*
 * A UDP checksum after `diff` was added to what it covers. Zero means that there
 * is none (RFC 768) and stays; a computed zero is sent as all ones.
 */
TP_CORE __u16 tp_csum_udp(__u16 check, __u64 diff)
{
	__u16 sum;

	if (!check)
		return 0;
	sum = (__u16)~tp_csum_fold((__u64)(__u16)~check + diff);
	return sum ? sum : 0xffff;
}

#endif /* TURNPIKE_CSUM_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the packet core needs from where it is compiled: the XDP and tc programs
 * (__bpf__), the kernel module (__KERNEL__) or userspace. Nothing here has state.
 */
#ifndef TURNPIKE_PORT_H
#define TURNPIKE_PORT_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/string.h>
#endif

#define TP_CORE static inline __attribute__((always_inline, unused))
#define TP_LIKELY(x)	__builtin_expect(!!(x), 1)
#define TP_UNLIKELY(x)	__builtin_expect(!!(x), 0)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TP_LITTLE_ENDIAN 1
#define TP_BE16(x)	((__be16)__builtin_bswap16((__u16)(x)))
#define TP_BE32(x)	((__be32)__builtin_bswap32((__u32)(x)))
#define TP_HOST16(x)	((__u16)__builtin_bswap16((__u16)(x)))
#define TP_HOST32(x)	((__u32)__builtin_bswap32((__u32)(x)))
#else
#define TP_LITTLE_ENDIAN 0
#define TP_BE16(x)	((__be16)(x))
#define TP_BE32(x)	((__be32)(x))
#define TP_HOST16(x)	((__u16)(x))
#define TP_HOST32(x)	((__u32)(x))
#endif

#ifdef __bpf__

/* The verifier forbids unaligned packet access only where the machine does. A
 * memcpy() of an unaligned word would become byte loads. */
#define TP_GET(type, p)		(*(const type *)(p))
#define TP_PUT(type, p, value)	(*(type *)(p) = (value))

/* Keeps one register for a packet pointer: clang would else compute it twice, and
 * the verifier carry the bounds check over to neither; and p + 1 > end would become
 * p >= end, from which the verifier learns nothing (clang 14, kernels 6.1 to 6.18). */
#define TP_OPAQUE(x)		asm volatile("" : "+r"(x))

#else

#define TP_GET(type, p)		({ type tp_got; __builtin_memcpy(&tp_got, (p), sizeof(tp_got)); tp_got; })
#define TP_PUT(type, p, value)	({ type tp_value = (value); __builtin_memcpy((p), &tp_value, sizeof(tp_value)); })
#define TP_OPAQUE(x)		((void)(x))

#endif

#define TP_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))

TP_CORE __u16 tp_get16(const void *p) { return TP_GET(__u16, p); }
TP_CORE __u32 tp_get32(const void *p) { return TP_GET(__u32, p); }
TP_CORE void tp_put16(void *p, __u16 value) { TP_PUT(__u16, p, value); }
TP_CORE void tp_put32(void *p, __u32 value) { TP_PUT(__u32, p, value); }

/*
 * The accessor: `size` bytes at an offset of a packet, or NULL. Offsets are below
 * 32 KiB (tp_parse() sees to it): the verifier wants a bound, with room for the size.
 */
#define TP_OFFSET_MASK 0x7fffu

TP_CORE const __u8 *tp_at(const __u8 *data, const __u8 *end, __u32 off, __u32 size)
{
	const __u8 *p = data + (off & TP_OFFSET_MASK), *stop;

	TP_OPAQUE(p);
	stop = p + size;
	TP_OPAQUE(stop);
	return stop > end ? (void *)0 : p;
}

#endif /* TURNPIKE_PORT_H */

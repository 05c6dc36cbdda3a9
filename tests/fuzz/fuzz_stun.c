/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The message parser and every accessor on a message that it accepted; then the
 * message is written again, attribute by attribute, and has to read the same.
 */
#include <stdlib.h>
#include <string.h>

#include "stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "0123456789abcdef";

static bool known(uint16_t type)
{
	return type % 2 == 0;
}

static void must(bool good)
{
	if (!good)
		abort();
}

static void read_values(const struct tp_stun_msg *msg, const struct tp_stun_attr *attr)
{
	const uint8_t *value = tp_stun_value(msg, attr);
	struct tp_addr addr;
	uint32_t u32;
	uint16_t u16;
	uint8_t u8, last = 0;
	int code;

	must(value + attr->size <= msg->data + msg->size);
	for (size_t i = 0; i < attr->size; i++)
		last ^= value[i];
	(void)*(volatile uint8_t *)&last;
	tp_stun_get_u32(msg, attr->type, &u32);
	tp_stun_get_u16_first(msg, attr->type, &u16);
	tp_stun_get_u8_first(msg, attr->type, &u8);
	tp_stun_get_addr(msg, attr->type, &addr);
	if (tp_stun_get_xor_addr(msg, attr, &addr) == 0)
		must((addr.family == 4 || addr.family == 6) && !addr.zero);
	if (tp_stun_get_error(msg, &code) == 0)
		must(code >= 300 && code < 700);
}

static void write_again(const struct tp_stun_msg *msg)
{
	static uint8_t buf[TP_STUN_MAX_SIZE];
	struct tp_stun_writer w;
	struct tp_stun_attr attr, again;
	struct tp_stun_msg read;
	size_t pos = 0, pos_again = 0;
	int size;

	tp_stun_begin(&w, buf, sizeof(buf), msg->method, msg->class, &msg->id);
	while (tp_stun_next(msg, &pos, &attr))
		tp_stun_put(&w, attr.type, tp_stun_value(msg, &attr), attr.size);
	tp_stun_put_integrity(&w, key, sizeof(key) - 1);
	tp_stun_put_integrity_sha256(&w, key, sizeof(key) - 1);
	if (!msg->classic)
		tp_stun_put_fingerprint(&w);
	size = tp_stun_finish(&w);
	if (size < 0)
		return;
	must(tp_stun_parse(buf, (size_t)size, &read) == 0);
	must(read.method == msg->method && read.class == msg->class && read.classic == msg->classic);
	must(msg->classic || (tp_stun_check_integrity(&read, key, sizeof(key) - 1) &&
			      tp_stun_check_integrity_sha256(&read, key, sizeof(key) - 1)));
	pos = 0;
	while (tp_stun_next(msg, &pos, &attr)) {
		must(tp_stun_next(&read, &pos_again, &again) && again.type == attr.type && again.size == attr.size);
		must(memcmp(tp_stun_value(msg, &attr), tp_stun_value(&read, &again), attr.size) == 0);
	}
	must(!tp_stun_next(&read, &pos_again, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint16_t types[4];
	struct tp_stun_msg msg;
	struct tp_stun_attr attr;
	size_t pos = 0;
	int frame = tp_stun_frame_size(data, size);

	must(frame <= TP_STUN_MAX_SIZE);
	if (tp_stun_parse(data, size, &msg) < 0)
		return 0;
	must(tp_stun_looks_like(data, size) && msg.end <= size);
	while (tp_stun_next(&msg, &pos, &attr))
		read_values(&msg, &attr);
	must(tp_stun_unknown(&msg, known, types, 4) <= 4);
	tp_stun_check_integrity(&msg, key, sizeof(key) - 1);
	tp_stun_check_integrity_sha256(&msg, key, sizeof(key) - 1);
	write_again(&msg);
	return 0;
}

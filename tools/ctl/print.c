/* SPDX-License-Identifier: GPL-2.0 */
/* Results of the daemon as text for people; with --json they are printed as they came. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static const json_t *at(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(at(object, key)) ?: "";
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(at(object, key));
}

void print_json(const json_t *result)
{
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* "1.4 GB": three digits say enough. */
static const char *bytes_text(double bytes, char buf[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	size_t unit = 0;

	for (; bytes >= 1000 && unit + 1 < LEN(units); unit++)
		bytes /= 1000;
	snprintf(buf, 32, unit && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return buf;
}

static const char *seconds_text(long long s, char buf[32])
{
	if (s < 120)
		snprintf(buf, 32, "%llds", s);
	else if (s < 7200)
		snprintf(buf, 32, "%lldm%02llds", s / 60, s % 60);
	else if (s < 172800)
		snprintf(buf, 32, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, 32, "%lldd%02lldh", s / 86400, s / 3600 % 24);
	return buf;
}

static const char *joined(const json_t *array, char *buf, size_t size)
{
	size_t used = 0, index;
	json_t *item;

	buf[0] = 0;
	json_array_foreach((json_t *)array, index, item) {
		int n = snprintf(buf + used, size - used, "%s%s", index ? " " : "", json_string_value(item) ?: "");

		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return buf;
}

void print_status(const json_t *r)
{
	static const char *const headings[] = { "DEVICE", "HOOK", "WHY" };
	struct table *table = table_new(headings, LEN(headings));
	char buf[2048];
	size_t index;
	json_t *item;

	printf("turnpiked      process %lld, up %s%s\n", number(r, "pid"), seconds_text(number(r, "uptime_s"), buf),
	       json_is_true(at(r, "draining")) ? ", DRAINING" : "");
	printf("realm          %s\n", text(r, "realm"));
	printf("listening      %s\n", joined(at(r, "listening"), buf, sizeof(buf)));
	printf("relay          %s\n", joined(at(r, "relay"), buf, sizeof(buf)));
	printf("allocations    %lld of %lld, %lld worker threads, %lld descriptors at most\n", number(r, "allocations"),
	       number(r, "allocations_max"), number(r, "workers"), number(r, "descriptors_max"));
	printf("data path      %s", text(r, "datapath"));
	if (number(r, "flows_max"))
		printf(", %lld of %lld flows, %s", number(r, "flows"), number(r, "flows_max"),
		       json_is_true(at(r, "kernel_path_confirmed")) ? "confirmed by a relayed packet" :
								      "no packet relayed yet");
	putchar('\n');
	json_array_foreach((json_t *)at(r, "interfaces"), index, item) {
		table_cell(table, text(item, "name"));
		table_cell(table, text(item, "hook"));
		table_cell(table, text(item, "reason"));
	}
	if (json_array_size(at(r, "interfaces")))
		putchar('\n');
	table_print(table, json_array_size(at(r, "interfaces")) ? 0 : (size_t)-1);
}

void print_list(const json_t *r)
{
	static const char *const headings[] = { "ID", "USER", "VIA", "CLIENT", "RELAYED", ">EXPIRES", ">PERM", ">CHAN",
						">KERNEL", ">USERSPACE" };
	struct table *table = table_new(headings, LEN(headings));
	char buf[256];
	size_t index;
	json_t *item;

	json_array_foreach((json_t *)r, index, item) {
		table_cell(table, text(item, "id"));
		table_cell(table, text(item, "user"));
		table_cell(table, text(item, "transport"));
		table_cell(table, text(item, "client"));
		table_cell(table, joined(at(item, "relayed"), buf, sizeof(buf)));
		table_cell(table, seconds_text(number(item, "expires_in_s"), buf));
		table_cellf(table, "%zu", json_array_size(at(item, "permissions")));
		table_cellf(table, "%zu", json_array_size(at(item, "channels")));
		table_cell(table, bytes_text((double)number(at(item, "kernel"), "bytes"), buf));
		table_cell(table, bytes_text((double)number(at(item, "userspace"), "bytes"), buf));
	}
	table_print(table, 0);
}

static void print_traffic(const char *name, const json_t *traffic)
{
	const json_t *up = at(traffic, "up"), *down = at(traffic, "down");
	char up_text[32], down_text[32];

	printf("%-14s to peers %lld packets, %s; to the client %lld packets, %s; dropped %lld\n", name,
	       number(up, "packets"), bytes_text((double)number(up, "bytes"), up_text), number(down, "packets"),
	       bytes_text((double)number(down, "bytes"), down_text), number(traffic, "dropped"));
}

void print_allocation(const json_t *r)
{
	static const char *const headings[] = { "CHANNEL", "PEER", ">EXPIRES" };
	struct table *table = table_new(headings, LEN(headings));
	char buf[256], *user = strdup(text(r, "user"));
	size_t index;
	json_t *item;

	if (user)
		text_clean(user);
	printf("allocation     %s, %s old\n", text(r, "id"), seconds_text(number(r, "age_s"), buf));
	printf("user           %s, realm %s\n", user ? user : "", text(r, "realm"));
	free(user);
	printf("client         %s by %s, to %s\n", text(r, "client"), text(r, "transport"), text(r, "server"));
	printf("relayed        %s\n", joined(at(r, "relayed"), buf, sizeof(buf)));
	printf("expires        in %s\n", seconds_text(number(r, "expires_in_s"), buf));
	print_traffic("kernel", at(r, "kernel"));
	print_traffic("userspace", at(r, "userspace"));
	json_array_foreach((json_t *)at(r, "channels"), index, item) {
		table_cell(table, text(item, "number"));
		table_cell(table, text(item, "peer"));
		table_cell(table, seconds_text(number(item, "expires_in_s"), buf));
	}
	json_array_foreach((json_t *)at(r, "permissions"), index, item) {
		table_cell(table, "permission");
		table_cell(table, text(item, "peer"));
		table_cell(table, seconds_text(number(item, "expires_in_s"), buf));
	}
	putchar('\n');
	table_print(table, 0);
}

static void print_counters(const char *title, const json_t *object)
{
	const char *key;
	json_t *value;

	printf("\n%s\n", title);
	json_object_foreach((json_t *)object, key, value)
		if (json_integer_value(value))
			printf("  %-28s %15lld\n", key, (long long)json_integer_value(value));
}

void print_stats(const json_t *r)
{
	static const char *const headings[] = { "RELAYED BY", ">PACKETS", ">BYTES" };
	struct table *table = table_new(headings, LEN(headings));
	const json_t *relayed = at(r, "relayed");

	printf("allocations    %lld\n\n", number(r, "allocations"));
	table_cell(table, "kernel");
	table_cellf(table, "%lld", number(at(relayed, "kernel"), "packets"));
	table_cellf(table, "%lld", number(at(relayed, "kernel"), "bytes"));
	table_cell(table, "userspace");
	table_cellf(table, "%lld", number(at(relayed, "user"), "packets"));
	table_cellf(table, "%lld", number(at(relayed, "user"), "bytes"));
	table_print(table, 0);
	print_counters("kernel, packets by reason", at(r, "reasons"));
	print_counters("turn", at(r, "turn"));
	print_counters("udp", at(at(r, "net"), "udp"));
	print_counters("tcp and tls", at(at(r, "net"), "streams"));
	print_counters("dtls", at(at(r, "net"), "dtls"));
	if (json_is_object(at(r, "store"))) {
		printf("\nuser database  %s, %s\n", text(at(r, "store"), "kind"),
		       json_is_true(at(at(r, "store"), "down")) ? text(at(r, "store"), "error") : "answers");
		print_counters("user database", at(r, "store"));
	}
}

static const char *hop_text(const json_t *hop, char buf[64])
{
	snprintf(buf, 64, "%s", json_is_true(at(hop, "valid")) ? text(hop, "device") : "unresolved");
	return buf;
}

void print_rules(const json_t *r)
{
	static const char *const headings[] = { ">RULE", "ALLOCATION", "KIND", "CHANNEL", "CLIENT", "VIA", "RELAYED", "PEER",
						"VIA", ">EXPIRES", ">PACKETS", ">BYTES" };
	struct table *table = table_new(headings, LEN(headings));
	char buf[64];
	size_t index;
	json_t *item;

	json_array_foreach((json_t *)r, index, item) {
		const json_t *expires = at(item, "expires_in_s"), *traffic = at(item, "traffic");

		table_cellf(table, "%lld", number(item, "rule"));
		table_cell(table, text(item, "allocation"));
		table_cell(table, text(item, "kind"));
		table_cell(table, text(item, "channel"));
		table_cell(table, text(item, "client"));
		table_cell(table, hop_text(at(item, "client_hop"), buf));
		table_cell(table, text(item, "relayed"));
		table_cell(table, text(item, "peer"));
		table_cell(table, hop_text(at(item, "peer_hop"), buf));
		table_cell(table, seconds_text(number(expires, "up") ? number(expires, "up") : number(expires, "down"), buf));
		table_cellf(table, "%lld", number(traffic, "packets"));
		table_cell(table, bytes_text((double)number(traffic, "bytes"), buf));
	}
	table_print(table, 0);
}

void print_credentials(const json_t *r)
{
	char *servers = json_dumps(at(r, "iceServers"), JSON_INDENT(2));

	printf("username  %s\npassword  %s\n\n\"iceServers\": %s\n", text(r, "username"), text(r, "password"),
	       servers ? servers : "[]");
	free(servers);
}

/* --- top --- */

static long long all_bytes(const json_t *allocation)
{
	return number(at(allocation, "kernel"), "bytes") + number(at(allocation, "userspace"), "bytes");
}

static long long bytes_before(const json_t *previous, const char *id)
{
	size_t index;
	json_t *item;

	json_array_foreach((json_t *)previous, index, item)
		if (strcmp(text(item, "id"), id) == 0)
			return all_bytes(item);
	return 0;
}

struct busy {
	const json_t *allocation;
	double rate;
};

static int compare_busy(const void *a, const void *b)
{
	double x = ((const struct busy *)a)->rate, y = ((const struct busy *)b)->rate;

	return x < y ? 1 : x > y ? -1 : 0;
}

static double packet_rate(const json_t *stats, const json_t *previous, const char *by, double seconds)
{
	long long now = number(at(at(stats, "relayed"), by), "packets");
	long long then = number(at(at(previous, "relayed"), by), "packets");

	return previous && seconds > 0 && now > then ? (double)(now - then) / seconds : 0;
}

void print_top(const json_t *stats, const json_t *list, const json_t *previous_stats, const json_t *previous_list,
	       double seconds, size_t lines)
{
	static const char *const headings[] = { "ID", "USER", "VIA", "CLIENT", "RELAYED", ">RATE/s", ">TOTAL" };
	struct table *table = table_new(headings, LEN(headings));
	size_t len = json_array_size(list), index;
	struct busy *busy = calloc(len + 1, sizeof(*busy));
	char buf[256];
	json_t *item;

	if (!busy)
		return;
	json_array_foreach((json_t *)list, index, item) {
		long long gone = all_bytes(item) - bytes_before(previous_list, text(item, "id"));

		busy[index].allocation = item;
		busy[index].rate = previous_list && seconds > 0 && gone > 0 ? (double)gone / seconds : 0;
	}
	qsort(busy, len, sizeof(*busy), compare_busy);
	printf("%lld allocations; kernel %.0f packets/s, userspace %.0f packets/s\n\n", number(stats, "allocations"),
	       packet_rate(stats, previous_stats, "kernel", seconds), packet_rate(stats, previous_stats, "user", seconds));
	for (size_t i = 0; i < len; i++) {
		const json_t *a = busy[i].allocation;

		table_cell(table, text(a, "id"));
		table_cell(table, text(a, "user"));
		table_cell(table, text(a, "transport"));
		table_cell(table, text(a, "client"));
		table_cell(table, joined(at(a, "relayed"), buf, sizeof(buf)));
		table_cell(table, bytes_text(busy[i].rate, buf));
		table_cell(table, bytes_text((double)all_bytes(a), buf));
	}
	table_print(table, lines);
	free(busy);
}

/* SPDX-License-Identifier: GPL-2.0 */
/* turnpikectl: what its files share. main.c parses, request.c talks to the daemon, print.c and table.c show. */
#ifndef TP_TOOL_H
#define TP_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum tool_status { TOOL_OK = 0, TOOL_ERROR = 1, TOOL_USAGE = 2 };

struct tool {
	const char *socket;
	bool json;
};

/*
 * Sends {"command": name, ...} (the reference to `arguments` is taken over; NULL: none) and gives the
 * result. NULL: a sentence was printed on stderr.
 */
json_t *tool_request(const struct tool *tool, const char *command, json_t *arguments);

/* purge.c; an enum tool_status. */
int tool_purge(const struct tool *tool, const char *bpffs);

/* Results as text for people. */
void print_status(const json_t *result);
void print_list(const json_t *result);
void print_allocation(const json_t *result);
void print_stats(const json_t *result);
void print_rules(const json_t *result);
void print_credentials(const json_t *result);
void print_top(const json_t *stats, const json_t *list, const json_t *previous_stats, const json_t *previous_list,
	       double seconds, size_t lines);
void print_json(const json_t *result);

/* A table with columns as wide as their widest cell. Texts are copied. */
struct table;
struct table *table_new(const char *const *headings, size_t columns);	/* a heading that begins with '>' is right-aligned */
void text_clean(char *text);	/* no control characters */
void table_cell(struct table *table, const char *text);			/* in the order of reading */
__attribute__((format(printf, 2, 3))) void table_cellf(struct table *table, const char *format, ...);
void table_print(struct table *table, size_t lines);			/* and frees it; 0 lines: all */

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Plain text tables for print.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define COLUMNS_MAX 16

struct table {
	size_t columns;
	size_t width[COLUMNS_MAX];
	bool right[COLUMNS_MAX];
	char **cells;
	size_t len;
};

static void out_of_memory(void)
{
	fprintf(stderr, "turnpikectl: out of memory\n");
	exit(TOOL_ERROR);
}

struct table *table_new(const char *const *headings, size_t columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		out_of_memory();
	table->columns = columns;
	for (size_t i = 0; i < columns; i++) {
		table->right[i] = headings[i][0] == '>';
		table_cell(table, headings[i] + table->right[i]);
	}
	return table;
}

/* Terminal control sequences in a user's name stay what they are: a name. */
void text_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void table_cell(struct table *table, const char *text)
{
	size_t size = strlen(text), column = table->len % table->columns;
	char **cells = realloc(table->cells, (table->len + 1) * sizeof(*cells));

	if (!cells)
		out_of_memory();
	table->cells = cells;
	cells[table->len] = strdup(text);
	if (!cells[table->len])
		out_of_memory();
	text_clean(cells[table->len++]);
	if (size > table->width[column])
		table->width[column] = size;
}

void table_cellf(struct table *table, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	table_cell(table, text);
}

void table_print(struct table *table, size_t lines)
{
	size_t rows = table->len / table->columns;

	if (lines && rows > lines)
		rows = lines;
	for (size_t i = 0; i < rows * table->columns; i++) {
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;
		int width = (int)table->width[column];

		if (table->right[column])
			printf("%*s%s", width, table->cells[i], last ? "\n" : "  ");
		else if (last)
			printf("%s\n", table->cells[i]);
		else
			printf("%-*s  ", width, table->cells[i]);
	}
	for (size_t i = 0; i < table->len; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

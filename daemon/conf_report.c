/* SPDX-License-Identifier: GPL-2.0 */
/* The report of what is wrong with a configuration: collected by the conf_*.c files, printed by --check and at start. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parts.h"

__attribute__((format(printf, 3, 0))) static void report_add(struct conf_load *load, bool error, const char *format,
							     va_list ap)
{
	struct tp_conf_report *report = load->report;
	struct tp_conf_problem *problem;
	char text[512];
	int size = 0;

	*(error ? &report->errors : &report->warnings) += 1;
	if (report->len == TP_CONF_PROBLEMS)
		return;
	problem = conf_grow(load, report->problem, report->len, sizeof(*problem));
	if (!problem)
		return;
	report->problem = problem;
	if (load->key)
		size = snprintf(text, sizeof(text), "%s: ", load->key->name);
	vsnprintf(text + size, sizeof(text) - (size_t)size, format, ap);
	problem += report->len;
	problem->error = error;
	problem->line = load->line;
	problem->text = conf_strdup(load, text);
	if (problem->text)
		report->len++;
}

void conf_error(struct conf_load *load, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_add(load, true, format, ap);
	va_end(ap);
}

void conf_warning(struct conf_load *load, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_add(load, false, format, ap);
	va_end(ap);
}

bool conf_at(struct conf_load *load, const char *name)
{
	load->line = 0;
	load->key = name ? conf_key_find(name, strlen(name)) : NULL;
	for (size_t i = load->conf->entry_len; load->key && i--;)
		if (load->conf->entry[i].key == load->key - conf_keys) {
			load->line = load->conf->entry[i].line;
			return true;
		}
	return false;
}

/* Lines in order; the command line and the whole come last, as they are looked at last. */
static bool comes_before(const struct tp_conf_problem *a, const struct tp_conf_problem *b)
{
	return a->line && (!b->line || a->line < b->line);
}

void conf_report_sort(struct tp_conf_report *report)
{
	/* Stable, so that what a line is told keeps its order; lists are short. */
	for (size_t i = 1; i < report->len; i++) {
		struct tp_conf_problem problem = report->problem[i];
		size_t j = i;

		for (; j && comes_before(&problem, &report->problem[j - 1]); j--)
			report->problem[j] = report->problem[j - 1];
		report->problem[j] = problem;
	}
}

void tp_conf_report_print(const struct tp_conf_report *report, FILE *out)
{
	const char *file = report->file ? report->file : "command line";
	size_t found = report->errors + report->warnings;

	for (size_t i = 0; i < report->len; i++) {
		const struct tp_conf_problem *problem = &report->problem[i];
		const char *kind = problem->error ? "error" : "warning";

		if (problem->line)
			fprintf(out, "%s:%u: %s: %s\n", file, problem->line, kind, problem->text);
		else
			fprintf(out, "%s: %s: %s\n", file, kind, problem->text);
	}
	if (found > report->len)
		fprintf(out, "%s: and %zu more\n", file, found - report->len);
	fprintf(out, "%s: %zu error%s, %zu warning%s\n", file, report->errors, report->errors == 1 ? "" : "s",
		report->warnings, report->warnings == 1 ? "" : "s");
}

void tp_conf_report_fini(struct tp_conf_report *report)
{
	for (size_t i = 0; i < report->len; i++)
		free(report->problem[i].text);
	free(report->problem);
	free(report->file);
	memset(report, 0, sizeof(*report));
}

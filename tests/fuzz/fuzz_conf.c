/* SPDX-License-Identifier: GPL-2.0 */
/* Fuzz target: the text of a configuration file, up to its fields; what only the host can tell is left out. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tp_conf_report report = { 0 };
	struct conf_load load = { .report = &report, .conf = tp_conf_default() };
	char *text = malloc(size + 1);
	char summary[256];

	assert(load.conf && text);
	memcpy(text, data, size);
	text[size] = 0;
	conf_read_text(&load, text, size);
	conf_apply(&load);
	conf_report_sort(&report);
	assert(!load.no_memory);
	assert(report.len <= TP_CONF_PROBLEMS && report.len <= report.errors + report.warnings);
	assert(load.conf->rest_api_separator && load.conf->listening_port);
	assert(tp_conf_diff(load.conf, load.conf, summary, sizeof(summary)) == 0);
	free(text);
	tp_conf_free(load.conf);
	tp_conf_report_fini(&report);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Logging: one line per event, to stderr, a file or syslog. Thread-safe. Libraries
 * and codecs do not log, and nothing logs per packet.
 */
#ifndef TP_LOG_H
#define TP_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum tp_log_level { TP_LOG_ERROR, TP_LOG_WARNING, TP_LOG_NOTICE, TP_LOG_INFO, TP_LOG_DEBUG };

__attribute__((format(printf, 2, 3))) void tp_log(enum tp_log_level level, const char *format, ...);

#define tp_error(...)	tp_log(TP_LOG_ERROR, __VA_ARGS__)
#define tp_warning(...)	tp_log(TP_LOG_WARNING, __VA_ARGS__)
#define tp_notice(...)	tp_log(TP_LOG_NOTICE, __VA_ARGS__)
#define tp_info(...)	tp_log(TP_LOG_INFO, __VA_ARGS__)
#define tp_debug(...)	tp_log(TP_LOG_DEBUG, __VA_ARGS__)

void tp_log_set_level(enum tp_log_level level);

/*
 * Where lines go from now on: syslog, or a file by its path ("stdout", or NULL for
 * stderr). Opens the file anew, which is how a rotated log is let go. 0 or a
 * negative errno; then lines go on to where they went before. One thread calls it.
 */
int tp_log_open(const char *file, bool to_syslog, int facility);

#endif

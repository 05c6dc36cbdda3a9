/* SPDX-License-Identifier: GPL-2.0 */
/* Logging. A line is formatted on the caller's stack and leaves in one write(), so that threads do not mix theirs. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 1024

static _Atomic int log_level = TP_LOG_NOTICE;
static _Atomic bool log_to_syslog;
/* A file is exchanged under its descriptor's number by dup3(): a writer never meets a closed one. */
static _Atomic int log_fd = STDERR_FILENO;
static int file_fd = -1;

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[TP_LOG_ERROR] = { "error", LOG_ERR },
	[TP_LOG_WARNING] = { "warning", LOG_WARNING },
	[TP_LOG_NOTICE] = { "notice", LOG_NOTICE },
	[TP_LOG_INFO] = { "info", LOG_INFO },
	[TP_LOG_DEBUG] = { "debug", LOG_DEBUG },
};

void tp_log_set_level(enum tp_log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

/* User names and file names end up in lines: a control character must not start a line of its own. */
static size_t line_clean(char *line, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	return size;
}

static size_t line_prefix(char line[LINE_SIZE], enum tp_log_level level)
{
	struct timespec now;
	struct tm tm;
	size_t size;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size = strftime(line, LINE_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	size += (size_t)snprintf(line + size, LINE_SIZE - size, ".%03ldZ %s: ", now.tv_nsec / 1000000,
				 levels[level].name);
	return size;
}

void tp_log(enum tp_log_level level, const char *format, ...)
{
	char line[LINE_SIZE];
	size_t prefix, size;
	va_list ap;
	int n;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	prefix = line_prefix(line, level);
	va_start(ap, format);
	n = vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	size = (size_t)n < sizeof(line) - prefix - 1 ? (size_t)n : sizeof(line) - prefix - 2;
	line_clean(line + prefix, size);
	if (atomic_load_explicit(&log_to_syslog, memory_order_acquire)) {
		syslog(levels[level].priority, "%.*s", (int)size, line + prefix);
		return;
	}
	line[prefix + size] = '\n';
	while (write(atomic_load_explicit(&log_fd, memory_order_acquire), line, prefix + size + 1) < 0 && errno == EINTR)
		;
}

int tp_log_open(const char *file, bool to_syslog, int facility)
{
	int fd;

	if (to_syslog) {
		openlog("turnpiked", LOG_PID | LOG_NDELAY, facility);
		atomic_store_explicit(&log_to_syslog, true, memory_order_release);
		return 0;
	}
	if (!file || strcmp(file, "stdout") == 0) {
		atomic_store_explicit(&log_fd, file ? STDOUT_FILENO : STDERR_FILENO, memory_order_release);
		atomic_store_explicit(&log_to_syslog, false, memory_order_release);
		return 0;
	}
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return -errno;
	if (file_fd < 0) {
		file_fd = fd;
	} else {
		int err = dup3(fd, file_fd, O_CLOEXEC) < 0 ? -errno : 0;

		close(fd);
		if (err)
			return err;
	}
	atomic_store_explicit(&log_fd, file_fd, memory_order_release);
	atomic_store_explicit(&log_to_syslog, false, memory_order_release);
	return 0;
}

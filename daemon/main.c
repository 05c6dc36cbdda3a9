/* SPDX-License-Identifier: GPL-2.0 */
/* turnpiked: the command line, and the order of start and end. It stays in front; a service manager starts it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "conf.h"
#include "log.h"
#include "node.h"
#include "runtime.h"

#ifndef TP_VERSION
#define TP_VERSION "0.1"
#endif

struct command_line {
	const char *file;
	const char **options;		/* of the configuration */
	size_t options_len;
	bool check;
};

static void print_help(void)
{
	printf("Usage: turnpiked [-c FILE] [--KEY=VALUE]... [--check]\n"
	       "\n"
	       "A TURN and STUN server whose media path is in the kernel. It stays in front, and ends on SIGTERM.\n"
	       "\n"
	       "  -c FILE        the configuration: lines of key=value, as coturn's turnserver.conf\n"
	       "  --KEY=VALUE    any key of it; goes before the file's\n"
	       "  --check        say what is wrong with the configuration, line by line, and end\n"
	       "  --version      this program's version\n"
	       "  --help         this text\n"
	       "\n"
	       "Signals: TERM and INT end it; HUP reads the configuration and opens the log again; USR1 drains;\n"
	       "USR2 reads the certificates again.\n"
	       "\n"
	       "Keys:\n");
	tp_conf_print_keys(stdout);
}

/* What is ours is taken out, the rest is the configuration's. False: end with *ret_status. */
static bool parse_command_line(int argc, char **argv, struct command_line *ret, int *ret_status)
{
	*ret_status = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return false;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("turnpiked " TP_VERSION "\n");
			return false;
		}
		if (strcmp(argv[i], "--check") == 0) {
			ret->check = true;
		} else if (strcmp(argv[i], "-c") == 0) {
			if (++i == argc) {
				fprintf(stderr, "turnpiked: -c needs the name of a file; see turnpiked --help\n");
				*ret_status = 1;
				return false;
			}
			ret->file = argv[i];
		} else {
			ret->options[ret->options_len++] = argv[i];
		}
	}
	return true;
}

static struct tp_conf *load(const struct command_line *line, int *ret_status)
{
	struct tp_conf_report report = { 0 };
	struct tp_conf *conf = NULL;
	int err = tp_conf_load(line->file, line->options, line->options_len, &conf, &report);

	if (report.len)
		tp_conf_report_print(&report, stderr);
	else if (err)
		fprintf(stderr, "turnpiked: %s: %s\n", line->file ? line->file : "configuration", strerror(-err));
	tp_conf_report_fini(&report);
	*ret_status = err ? 1 : 0;
	if (!err && line->check) {
		printf("The configuration is good.\n");
		tp_conf_free(conf);
		return NULL;
	}
	return err ? NULL : conf;
}

static int write_pidfile(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file || fprintf(file, "%ld\n", (long)getpid()) < 0 || fclose(file) != 0) {
		int err = -errno;

		tp_error("cannot write the pidfile %s: %s", path, strerror(-err));
		return err;
	}
	return 0;
}

/* Before there is a thread, so that each one inherits it: the control thread reads them from a descriptor. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct tp_conf *conf)
{
	struct tp_node node = { 0 };
	char *pidfile = conf->pidfile ? strdup(conf->pidfile) : NULL;
	int status = 1;

	node_configure_log(conf);
	if (pidfile && write_pidfile(pidfile) < 0) {
		tp_conf_free(conf);
		free(pidfile);
		return 1;
	}
	rcu_register_thread();
	if (tp_node_init(&node, conf) == 0)
		status = tp_node_run(&node);
	tp_node_fini(&node);
	rcu_unregister_thread();
	/* Another user than the folder's may not remove it; empty it names no process. */
	if (pidfile && unlink(pidfile) < 0)
		(void)!truncate(pidfile, 0);
	free(pidfile);
	return status;
}

int main(int argc, char **argv)
{
	struct command_line line = { .options = calloc((size_t)argc + 1, sizeof(char *)) };
	struct tp_conf *conf;
	int status;

	if (!line.options)
		return 1;
	umask(077);
	block_signals();
	if (!parse_command_line(argc, argv, &line, &status)) {
		free(line.options);
		return status;
	}
	conf = load(&line, &status);
	free(line.options);
	return conf ? run(conf) : status;
}

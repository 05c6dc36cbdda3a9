/* SPDX-License-Identifier: GPL-2.0 */
/* turnpikectl: the command line. Exit status: 0; 1 the daemon says no or cannot be reached; 2 usage. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ctl/credentials.h"
#include "tool.h"
#include "user.h"

#define SOCKET_DEFAULT "/run/turnpike/control.sock"

struct command {
	const char *name, *arguments, *summary, *help;
	int (*run)(const struct tool *tool, const struct command *command, int argc, char **argv);
};

static int usage(const struct command *command, const char *why)
{
	fprintf(stderr, "turnpikectl %s: %s\nUsage: turnpikectl [--socket PATH] [--json] %s%s%s\n", command->name, why,
		command->name, command->arguments[0] ? " " : "", command->arguments);
	return TOOL_USAGE;
}

/* Shows a result, plain or as JSON, and lets it go. */
static int show(const struct tool *tool, json_t *result, void (*print)(const json_t *result))
{
	if (!result)
		return TOOL_ERROR;
	if (tool->json)
		print_json(result);
	else
		print(result);
	json_decref(result);
	return TOOL_OK;
}

static void print_message(const json_t *result)
{
	printf("%s\n", json_string_value(json_object_get(result, "message")) ?: "done");
}

static void print_killed(const json_t *result)
{
	long long n = json_integer_value(json_object_get(result, "killed"));

	printf("%lld allocation%s ended\n", n, n == 1 ? "" : "s");
}

/* A number of an option in min..max; false after usage was shown. */
static bool parse_number(const char *value, long long min, long long max, long long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(value, &end, 10);
	return !errno && end != value && !*end && *ret >= min && *ret <= max;
}

static int run_status(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	return argc > 1 ? usage(command, "takes no argument") :
			  show(tool, tool_request(tool, "status", NULL), print_status);
}

static int run_stats(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	return argc > 1 ? usage(command, "takes no argument") : show(tool, tool_request(tool, "stats", NULL), print_stats);
}

/* The one option --user NAME; -1: usage was shown. */
static int parse_user(const struct command *command, int argc, char **argv, const char **ret_user)
{
	static const struct option options[] = { { "user", required_argument, NULL, 'u' }, { 0 } };
	int option;

	*ret_user = NULL;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'u') {
			usage(command, "unknown option, or one without its value");
			return -1;
		}
		*ret_user = optarg;
	}
	return 0;
}

static int run_list(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	const char *user;

	if (parse_user(command, argc, argv, &user) < 0)
		return TOOL_USAGE;
	if (optind != argc)
		return usage(command, "takes no argument");
	return show(tool, tool_request(tool, "list", user ? json_pack("{s:s}", "user", user) : NULL), print_list);
}

static int run_show(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	if (argc != 2)
		return usage(command, "takes the ID of one allocation");
	return show(tool, tool_request(tool, "show", json_pack("{s:s}", "id", argv[1])), print_allocation);
}

static int run_kill(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	const char *user;
	json_t *arguments;

	if (parse_user(command, argc, argv, &user) < 0)
		return TOOL_USAGE;
	if (user ? optind != argc : optind + 1 != argc)
		return usage(command, "takes the ID of one allocation, or --user NAME");
	arguments = user ? json_pack("{s:s}", "user", user) : json_pack("{s:s}", "id", argv[optind]);
	if (!arguments)
		return usage(command, "the name is not UTF-8");
	return show(tool, tool_request(tool, "kill", arguments), print_killed);
}

static int run_rules(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	if (argc > 2)
		return usage(command, "takes at most the ID of one allocation");
	return show(tool, tool_request(tool, "rules", argc == 2 ? json_pack("{s:s}", "id", argv[1]) : NULL), print_rules);
}

static int run_reload(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	static const struct option options[] = { { "certificates", no_argument, NULL, 'c' }, { 0 } };
	const char *name = "reload";
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'c')
			return usage(command, "unknown option");
		name = "reload-certificates";
	}
	return optind != argc ? usage(command, "takes no argument") :
				show(tool, tool_request(tool, name, NULL), print_message);
}

static int run_drain(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	static const struct option options[] = { { "undo", no_argument, NULL, 'u' },
						 { "timeout", required_argument, NULL, 't' }, { 0 } };
	long long timeout = 0;
	bool undo = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'u')
			undo = true;
		else if (option != 't')
			return usage(command, "unknown option, or one without its value");
		else if (!parse_number(optarg, 1, INT32_MAX, &timeout))
			return usage(command, "--timeout takes seconds, from 1");
	}
	if (optind != argc)
		return usage(command, "takes no argument");
	return show(tool, tool_request(tool, "drain", json_pack("{s:b, s:I}", "undo", undo, "timeout_s",
								(json_int_t)timeout)), print_message);
}

struct credentials_options {
	const char *user, *host, *secret;
	long long ttl, port;
};

static const char *parse_credentials(int argc, char **argv, struct credentials_options *ret)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' }, { "ttl", required_argument, NULL, 't' },
		{ "host", required_argument, NULL, 'h' }, { "secret", required_argument, NULL, 's' },
		{ "port", required_argument, NULL, 'p' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'u')
			ret->user = optarg;
		else if (option == 'h')
			ret->host = optarg;
		else if (option == 's')
			ret->secret = optarg;
		else if (option == 't' && !parse_number(optarg, 1, 366 * 86400, &ret->ttl))
			return "--ttl takes seconds, from 1 to 31622400";
		else if (option == 'p' && !parse_number(optarg, 1, 65535, &ret->port))
			return "--port takes a port, from 1 to 65535";
		else if (option == '?')
			return "unknown option, or one without its value";
	}
	if (optind < argc && !ret->user)
		ret->user = argv[optind++];
	if (optind != argc)
		return "takes at most one NAME";
	if (ret->secret && !ret->host)
		return "with --secret no daemon is asked: say --host, the relay's name or address";
	return NULL;
}

static int run_credentials(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	struct credentials_options o = { .ttl = 86400, .port = 3478 };
	const char *wrong = parse_credentials(argc, argv, &o);
	json_t *arguments;

	if (wrong)
		return usage(command, wrong);
	if (o.secret) {
		struct tp_credentials_request r = { .secret = o.secret, .separator = ':', .user = o.user ? o.user : "",
						    .now_s = (uint64_t)time(NULL), .ttl_s = (uint32_t)o.ttl,
						    .host = o.host, .port = (uint16_t)o.port, .udp = true, .tcp = true };
		json_t *result = tp_credentials_make(&r);

		return result ? show(tool, result, print_credentials) : usage(command, "the name or the host is not UTF-8");
	}
	arguments = json_pack("{s:s*, s:I, s:s*}", "user", o.user, "ttl_s", (json_int_t)o.ttl, "host", o.host);
	if (!arguments)
		return usage(command, "the name or the host is not UTF-8");
	return show(tool, tool_request(tool, "credentials", arguments), print_credentials);
}

static size_t terminal_lines(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 6 ? size.ws_row - 4u : 20;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_top(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	static const struct option options[] = { { "interval", required_argument, NULL, 'i' },
						 { "count", required_argument, NULL, 'n' }, { 0 } };
	json_t *stats = NULL, *list = NULL;
	long long interval = 2, count = 0;
	double then = 0;
	int option, status = TOOL_OK;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?' || !parse_number(optarg, 1, 3600, option == 'i' ? &interval : &count))
			return usage(command, "--interval and --count take numbers from 1 to 3600");
	}
	if (optind != argc)
		return usage(command, "takes no argument");
	for (long long i = 0; !count || i < count; i++) {
		json_t *new_stats = tool_request(tool, "stats", NULL);
		json_t *new_list = new_stats ? tool_request(tool, "list", NULL) : NULL;
		double now = now_s();

		if (!new_list) {
			json_decref(new_stats);
			status = TOOL_ERROR;
			break;
		}
		if (isatty(STDOUT_FILENO))
			printf("\033[H\033[J");
		print_top(new_stats, new_list, stats, list, now - then, terminal_lines());
		fflush(stdout);
		json_decref(stats);
		json_decref(list);
		stats = new_stats;
		list = new_list;
		then = now;
		if (!count || i + 1 < count)
			sleep((unsigned int)interval);
	}
	json_decref(stats);
	json_decref(list);
	return status;
}

static int run_user(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	return tool_user(tool, argc, argv);
}

static int run_purge(const struct tool *tool, const struct command *command, int argc, char **argv)
{
	static const struct option options[] = { { "bpffs", required_argument, NULL, 'b' }, { 0 } };
	const char *bpffs = "/sys/fs/bpf/turnpike";
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'b')
			return usage(command, "unknown option");
		bpffs = optarg;
	}
	return optind < argc ? usage(command, "takes no argument") : tool_purge(tool, bpffs);
}

static const struct command commands[] = {
	{ "status", "", "what the daemon is, and its data path on each device",
	  "Process, addresses, worker threads, and for each device the hook of its data path and why this one.", run_status },
	{ "list", "[--user NAME]", "the allocations, a line each",
	  "KERNEL and USERSPACE are the bytes that each relayed, both ways.", run_list },
	{ "show", "ID", "one allocation with its permissions and channels", "The ID is as list shows it.", run_show },
	{ "kill", "ID | --user NAME", "end an allocation, or all of a user",
	  "Its media stops at once; the client is not told, and may allocate again.", run_kill },
	{ "top", "[--interval S] [--count N]", "the busiest allocations, again and again",
	  "Every 2 seconds until Ctrl-C, or N times.", run_top },
	{ "stats", "", "what was relayed where, and every counter", "Counters at zero are left out; --json has them.",
	  run_stats },
	{ "rules", "[ID]", "the rules in the kernel, of one allocation or all",
	  "A rule relays one client to one peer. VIA is the device that it leaves by.", run_rules },
	{ "drain", "[--timeout S] [--undo]", "take no new allocations, end with the last one",
	  "--timeout ends it after S seconds even if allocations are left; --undo takes new ones again.", run_drain },
	{ "reload", "[--certificates]", "read the configuration again (as SIGHUP)",
	  "Calls go on. What is wrong with a new configuration is said, and nothing changes.\n"
	  "--certificates reads only those (as SIGUSR2).", run_reload },
	{ "credentials", "[--user NAME] [--ttl S] [--host H] [--secret SECRET [--port P]]",
	  "time-limited credentials and an iceServers entry",
	  "They are made from the daemon's static-auth-secret and are good for a day, or --ttl seconds. --host is\n"
	  "what clients reach the relay by. With --secret no daemon is needed.", run_credentials },
	{ "purge", "[--bpffs PATH]", "remove what a killed daemon left in the kernel",
	  "Ends the calls that the kernel still relays for it. No daemon is asked; one that lives keeps its own.\n"
	  "--bpffs is the key of the configuration, /sys/fs/bpf/turnpike by default.", run_purge },
	{ "user", USER_ARGUMENTS, "the users and secrets of an SQLite userdb", USER_HELP, run_user },
};

static void print_help(FILE *out)
{
	fprintf(out, "Usage: turnpikectl [--socket PATH] [--json] COMMAND [ARGUMENT]...\n\n"
		"Shows and steers a running turnpiked.\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n  --socket PATH   the daemon's control-socket; " SOCKET_DEFAULT ", or $TURNPIKE_SOCKET\n"
		"  --json          answers as JSON\n"
		"  --help          this text; after a command, the command's\n\n"
		"Exit status: 0; 1 where the daemon says no or cannot be reached; 2 for a wrong command line.\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* --socket, --json and --help are taken wherever they stand; the rest is moved together. */
static int take_common(int argc, char **argv, struct tool *tool, bool *ret_help)
{
	int len = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			tool->json = true;
		} else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			*ret_help = true;
		} else if (strncmp(argv[i], "--socket=", 9) == 0) {
			tool->socket = argv[i] + 9;
		} else if (strcmp(argv[i], "--socket") == 0) {
			if (++i == argc)
				return -1;
			tool->socket = argv[i];
		} else {
			argv[len++] = argv[i];
		}
	}
	argv[len] = NULL;
	return len;
}

int main(int argc, char **argv)
{
	struct tool tool = { .socket = getenv("TURNPIKE_SOCKET") };
	const struct command *command;
	bool help = false;

	argc = take_common(argc, argv, &tool, &help);
	if (argc < 0) {
		fprintf(stderr, "turnpikectl: --socket needs a path\n");
		return TOOL_USAGE;
	}
	if (!tool.socket || !*tool.socket)
		tool.socket = SOCKET_DEFAULT;
	command = argc > 1 ? find(argv[1]) : NULL;
	if (command && help) {
		printf("Usage: turnpikectl [--socket PATH] [--json] %s %s\n\n%s.\n%s\n", command->name, command->arguments,
		       command->summary, command->help);
		return TOOL_OK;
	}
	if (command) {
		opterr = 0;
		return command->run(&tool, command, argc - 1, argv + 1);
	}
	if (argc > 1)
		fprintf(stderr, "turnpikectl: there is no command %s; see turnpikectl --help\n", argv[1]);
	else
		print_help(help ? stdout : stderr);
	return help && argc == 1 ? TOOL_OK : TOOL_USAGE;
}

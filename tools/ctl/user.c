/* SPDX-License-Identifier: GPL-2.0 */
/* turnpikectl user; see user.h. */
#include "user.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "auth/user.h"
#include "userdb.h"

#define DB_DEFAULT	"/var/lib/turnpike/users.sqlite"
#define NAME_MAX_SIZE	508	/* RFC 8489 section 14.3 */
#define REALM_MAX_SIZE	127
#define TEXT_SIZE	513

struct job {
	const struct tool *tool;
	const char *db, *realm, *password, *key;
	const char *argument;	/* NAME or SECRET */
	struct userdb *open;
};

static int usage(const char *why)
{
	fprintf(stderr, "turnpikectl user: %s\nUsage: turnpikectl user " USER_ARGUMENTS "\n", why);
	return TOOL_USAGE;
}

static int say(int rows, const char *done, const char *none)
{
	if (rows < 0)
		return TOOL_ERROR;
	if (rows) {
		printf("%s\n", done);
		return TOOL_OK;
	}
	fprintf(stderr, "turnpikectl: %s\n", none);
	return TOOL_ERROR;
}

/* A line of standard input; from a terminal without showing it. */
static bool read_password(char *ret, size_t size)
{
	struct termios before, silent;
	bool terminal = tcgetattr(STDIN_FILENO, &before) == 0, good;

	if (terminal) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
		fprintf(stderr, "Password: ");
	}
	good = fgets(ret, (int)size, stdin) != NULL;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	ret[good ? strcspn(ret, "\r\n") : 0] = 0;
	if (!*ret)
		fprintf(stderr, "turnpikectl: an empty password is none\n");
	return *ret;
}

/* MD5(name:realm:password) in hexadecimal digits, which is what coturn's table holds (RFC 8489 section 9.2.2). */
static bool make_key(const struct job *job, char ret[33])
{
	const struct tp_bytes name = { job->argument, strlen(job->argument) };
	char line[TEXT_SIZE] = "";
	struct tp_bytes password;
	struct tp_key key;
	int err;

	if (job->key) {
		if (strlen(job->key) != 32 || strspn(job->key, "0123456789abcdefABCDEF") != 32) {
			fprintf(stderr, "turnpikectl: --key takes 32 hexadecimal digits\n");
			return false;
		}
		strcpy(ret, job->key);
		return true;
	}
	if (!job->password && !read_password(line, sizeof(line)))
		return false;
	password.data = job->password ? job->password : line;
	password.size = strlen(password.data);
	err = tp_key_derive(TP_DIGEST_MD5, &name, job->realm, &password, &key);
	explicit_bzero(line, sizeof(line));
	for (size_t i = 0; !err && i < 16; i++)
		sprintf(ret + 2 * i, "%02x", key.bytes[i]);
	explicit_bzero(&key, sizeof(key));
	if (err)
		fprintf(stderr, "turnpikectl: libcrypto refuses MD5\n");
	return !err;
}

static int set_user(struct job *job, bool exists)
{
	char key[33], done[NAME_MAX_SIZE + REALM_MAX_SIZE + 40];
	int rows;

	if (!make_key(job, key))
		return TOOL_ERROR;
	rows = userdb_set_user(job->open, job->realm, job->argument, key, exists);
	explicit_bzero(key, sizeof(key));
	snprintf(done, sizeof(done), "user %s of realm %s %s", job->argument, job->realm, exists ? "changed" : "added");
	return say(rows, done, exists ? "there is no such user in this realm; see turnpikectl user list" :
					"there is such a user already; turnpikectl user password changes it");
}

static int do_add(struct job *job)
{
	return set_user(job, false);
}

static int do_password(struct job *job)
{
	return set_user(job, true);
}

static int do_delete(struct job *job)
{
	return say(userdb_delete_user(job->open, job->realm, job->argument), "deleted", "there is no such user in this realm");
}

static int do_secret_add(struct job *job)
{
	return say(userdb_add_secret(job->open, job->realm, job->argument), "added", "the realm has this secret already");
}

static int do_secret_delete(struct job *job)
{
	return say(userdb_delete_secret(job->open, job->realm, job->argument), "deleted", "the realm has no such secret");
}

static int show(const struct job *job, json_t *list, const char *column)
{
	const char *const headings[] = { "REALM", strcmp(column, "name") == 0 ? "NAME" : "SECRET" };
	struct table *table;
	json_t *row;
	size_t i;

	if (!list)
		return TOOL_ERROR;
	if (job->tool->json) {
		print_json(list);
	} else {
		table = table_new(headings, 2);
		json_array_foreach(list, i, row) {
			table_cell(table, json_string_value(json_object_get(row, "realm")));
			table_cell(table, json_string_value(json_object_get(row, column)));
		}
		table_print(table, 0);
	}
	json_decref(list);
	return TOOL_OK;
}

static int do_list(struct job *job)
{
	return show(job, userdb_users(job->open, job->realm), "name");
}

static int do_secret_list(struct job *job)
{
	return show(job, userdb_secrets(job->open, job->realm), "secret");
}

static const struct action {
	const char *group, *name;	/* "secret add" */
	bool argument, key, create;
	int (*run)(struct job *job);
} actions[] = {
	{ NULL, "add", true, true, true, do_add },
	{ NULL, "password", true, true, false, do_password },
	{ NULL, "delete", true, false, false, do_delete },
	{ NULL, "list", false, false, false, do_list },
	{ "secret", "add", true, false, true, do_secret_add },
	{ "secret", "delete", true, false, false, do_secret_delete },
	{ "secret", "list", false, false, false, do_secret_list },
};

static const struct action *find_action(int *argc, char ***argv)
{
	const char *group = *argc && strcmp(**argv, "secret") == 0 ? "secret" : NULL;

	*argc -= group != NULL;
	*argv += group != NULL;
	for (size_t i = 0; *argc && i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!actions[i].group != !group || strcmp(actions[i].name, **argv) != 0)
			continue;
		--*argc;
		++*argv;
		return &actions[i];
	}
	return NULL;
}

/* NULL, or what is wrong with what a client could never send. */
static const char *check_texts(const struct action *action, const struct job *job)
{
	if (!job->realm && action->argument)
		return "--realm says whose: the realm of the daemon's configuration";
	if (job->realm && strlen(job->realm) > REALM_MAX_SIZE)
		return "the realm is longer than 127 bytes";
	if (job->argument && (!*job->argument || strlen(job->argument) > NAME_MAX_SIZE))
		return "the name or secret is empty or longer than 508 bytes";
	if (job->argument && action->key && strchr(job->argument, ':'))
		return "a name cannot have a colon";
	if ((job->password || job->key) && !action->key)
		return "--password and --key are for add and password";
	if (job->password && (!*job->password || job->key))
		return "--password cannot be empty, or given together with --key";
	return NULL;
}

static bool parse_options(int argc, char **argv, struct job *job)
{
	static const struct option options[] = {
		{ "db", required_argument, NULL, 'd' }, { "realm", required_argument, NULL, 'r' },
		{ "password", required_argument, NULL, 'p' }, { "key", required_argument, NULL, 'k' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			job->db = optarg;
			break;
		case 'r':
			job->realm = optarg;
			break;
		case 'p':
			job->password = optarg;
			break;
		case 'k':
			job->key = optarg;
			break;
		default:
			return false;
		}
	}
	return true;
}

int tool_user(const struct tool *tool, int argc, char **argv)
{
	struct job job = { .tool = tool, .db = getenv("TURNPIKE_USERDB") };
	const struct action *action;
	const char *wrong;
	int status;

	if (!parse_options(argc, argv, &job))
		return usage("unknown option, or one without its value");
	argc -= optind;
	argv += optind;
	action = find_action(&argc, &argv);
	if (!action)
		return usage("say what to do");
	if (argc != action->argument)
		return usage(action->argument ? "takes one NAME or SECRET" : "takes no argument");
	job.argument = argc ? argv[0] : NULL;
	wrong = check_texts(action, &job);
	if (wrong)
		return usage(wrong);
	if (!job.db || !*job.db)
		job.db = DB_DEFAULT;
	job.open = userdb_open(job.db, action->create);
	if (!job.open)
		return TOOL_ERROR;
	status = action->run(&job);
	userdb_close(job.open);
	return status;
}

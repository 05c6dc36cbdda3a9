/* SPDX-License-Identifier: GPL-2.0 */
/* turnpikectl user: edits the SQLite store (userdb) directly; main.c calls it. No daemon is needed. */
#ifndef TP_TOOL_USER_H
#define TP_TOOL_USER_H

#include "tool.h"

#define USER_ARGUMENTS	"add|password|delete NAME | list | secret add|delete|list [SECRET]\n" \
			"       [--db FILE] [--realm REALM] [--password P | --key HEX]"
#define USER_HELP	"The file is what userdb= names: --db, $TURNPIKE_USERDB or /var/lib/turnpike/users.sqlite; add makes it.\n" \
			"The password is asked for, or read as a line, unless --password or --key gives it. Keys are MD5 keys\n" \
			"in coturn's table: both servers read them. A running daemon follows within store-fresh seconds (60)."

/* argv[0] is "user". */
int tool_user(const struct tool *tool, int argc, char **argv);

#endif

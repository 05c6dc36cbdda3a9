/* SPDX-License-Identifier: GPL-2.0 */
/* What the conf*.c files share: the table of keys, and the state of one load. Nobody else includes it but tests. */
#ifndef TP_CONF_PARTS_H
#define TP_CONF_PARTS_H

#include "conf.h"

enum key_kind {
	KEY_FLAG,		/* bool; "key" alone, or =yes/no/true/false/on/off/1/0 */
	KEY_FLAG_OFF,		/* bool that the flag clears */
	KEY_NUMBER16,		/* uint16_t, uint32_t, uint64_t in min..max */
	KEY_NUMBER32,
	KEY_NUMBER64,
	KEY_STRING,		/* char * */
	KEY_LIST,		/* struct tp_list */
	KEY_CUSTOM,		/* a parser of its own */
	KEY_ALIAS,		/* another name of the key that `text` says */
	KEY_IMPLIED,		/* turnpike does nothing else: accepted */
	KEY_IGNORED,		/* no effect: a warning with the reason */
	KEY_REFUSED,		/* an error with the reason */
};

#define KEY_REPEAT	0x01	/* may be given several times */
#define KEY_RELOAD	0x02	/* a reload may change it */
#define KEY_TEXT	0x04	/* free text: may hold " #" */
#define KEY_OPTIONAL	0x08	/* the value may be left out: the default is meant */
#define KEY_OWN		0x10	/* turnpike's own, not coturn's */

struct conf_load;
struct conf_key;

/* Sets the field from `value`, which it may change; on bad text it reports and returns. */
typedef void (*key_parse_fn)(struct conf_load *load, const struct conf_key *key, char *value);

struct conf_key {
	const char *name;
	char letter;		/* coturn's short option, or 0 */
	uint8_t kind;
	uint8_t flags;
	uint16_t where;		/* offset in struct tp_conf */
	uint64_t min, max;
	uint64_t number;	/* default of numbers and flags */
	const char *text;	/* default of strings */
	const char *value;	/* what the value is called in the help; NULL: a flag */
	key_parse_fn parse;
	const char *help;	/* what it does, or the reason why it does not */
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_len;

const struct conf_key *conf_key_find(const char *name, size_t size);	/* never an alias, but what it means */
const struct conf_key *conf_key_by_letter(char letter);
const struct conf_key *conf_key_nearest(const char *name, size_t size); /* NULL: nothing alike */

struct conf_load {
	struct tp_conf *conf;
	struct tp_conf_report *report;
	unsigned int line;		/* of the entry at work; 0: of the command line, or none */
	const struct conf_key *key;	/* NULL: none */
	bool no_memory;
	bool again;			/* a copy of what was checked: its files may be out of reach by now */
};

/* A problem of the entry at work, or of a given line. */
__attribute__((format(printf, 2, 3))) void conf_error(struct conf_load *load, const char *format, ...);
__attribute__((format(printf, 2, 3))) void conf_warning(struct conf_load *load, const char *format, ...);
/* Moves the load to the last entry of a key, or to the whole; returns whether the key was given. */
bool conf_at(struct conf_load *load, const char *key);

void conf_report_sort(struct tp_conf_report *report);	/* by line */

/* Entries from the text of a file (changed by it) and from options. */
void conf_read_text(struct conf_load *load, char *text, size_t size);
void conf_read_options(struct conf_load *load, const struct tp_list *options);
int conf_read_file(const char *file, char **ret_text, size_t *ret_size);
int conf_add_entry(struct tp_conf *conf, uint16_t key, unsigned int line, const char *value);

/* Memory or the fact noted in the load. */
char *conf_strdup(struct conf_load *load, const char *text);
void *conf_grow(struct conf_load *load, void *items, size_t len, size_t item_size); /* room for one more, or NULL */
void conf_shrink(struct conf_load *load, void **items, size_t *len, size_t kept, size_t item_size);
void conf_list_add(struct conf_load *load, struct tp_list *list, const char *text);

void conf_apply(struct conf_load *load);	/* entries to fields */
void conf_set_defaults(struct conf_load *load);

/* The parsers of KEY_CUSTOM. */
void conf_parse_listening_ip(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_relay_ip(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_external_ip(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_range(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_alternate(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_proxy_port(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_user(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_secret(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_oauth_key(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_origin_realm(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_separator(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_threads(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_cert(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_log_file(struct conf_load *load, const struct conf_key *key, char *value);
void conf_parse_choice(struct conf_load *load, const struct conf_key *key, char *value);

/* What only the whole shows: contradictions, files, defaults taken from the node. */
void conf_check(struct conf_load *load);
void conf_check_addresses(struct conf_load *load);

#endif

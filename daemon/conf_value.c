/* SPDX-License-Identifier: GPL-2.0 */
/* From the text of an entry to the fields of struct tp_conf: everything but addresses (conf_addr.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "conf_parts.h"

static void *field(struct conf_load *load, const struct conf_key *key)
{
	return (char *)load->conf + key->where;
}

char *conf_strdup(struct conf_load *load, const char *text)
{
	char *copy = strdup(text);

	load->no_memory |= !copy;
	return copy;
}

void *conf_grow(struct conf_load *load, void *items, size_t len, size_t item_size)
{
	void *grown;

	/* Room is doubled: the length says when. */
	if (len & (len - 1))
		return items;
	grown = reallocarray(items, len ? 2 * len : 1, item_size);
	load->no_memory |= !grown;
	return grown;
}

void conf_shrink(struct conf_load *load, void **items, size_t *len, size_t kept, size_t item_size)
{
	size_t room = 1;
	void *shrunk;

	while (room < kept)
		room *= 2;
	shrunk = reallocarray(*items, room, item_size);
	load->no_memory |= !shrunk;
	if (!shrunk)
		return;
	*items = shrunk;
	*len = kept;
}

void conf_list_add(struct conf_load *load, struct tp_list *list, const char *text)
{
	char **items = conf_grow(load, list->items, list->len, sizeof(*items));

	if (!items)
		return;
	list->items = items;
	items[list->len] = conf_strdup(load, text);
	if (items[list->len])
		list->len++;
}

static void set_string(struct conf_load *load, char **string, const char *value)
{
	free(*string);
	*string = conf_strdup(load, value);
}

static void parse_flag(struct conf_load *load, const struct conf_key *key, const char *value)
{
	static const char *const on[] = { "", "1", "yes", "true", "on" }, *const off[] = { "0", "no", "false", "off" };
	bool *flag = field(load, key), sense = key->kind == KEY_FLAG;

	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		if (strcasecmp(value, on[i]) == 0) {
			*flag = sense;
			return;
		}
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (strcasecmp(value, off[i]) == 0) {
			*flag = !sense;
			return;
		}
	conf_error(load, "'%.64s' is neither yes nor no", value);
}

/* Digits only: a sign, a unit or a blank is a mistake that strtoull() would let through. */
static int parse_number(const char *text, uint64_t *ret)
{
	uint64_t number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return -ERANGE;
	}
	*ret = number;
	return 0;
}

static bool number_get(struct conf_load *load, const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
	int r = parse_number(value, ret);

	if (r == -EINVAL)
		conf_error(load, "'%.64s' is not a number", value);
	else if (r || *ret < min || *ret > max)
		conf_error(load, "%.64s is not in %llu..%llu", value, (unsigned long long)min, (unsigned long long)max);
	else
		return true;
	return false;
}

static void number_set(struct conf_load *load, const struct conf_key *key, uint64_t number)
{
	if (key->kind == KEY_NUMBER16)
		*(uint16_t *)field(load, key) = (uint16_t)number;
	else if (key->kind == KEY_NUMBER32)
		*(uint32_t *)field(load, key) = (uint32_t)number;
	else
		*(uint64_t *)field(load, key) = number;
}

void conf_parse_threads(struct conf_load *load, const struct conf_key *key, char *value)
{
	uint64_t number;

	/* As in coturn: 0 is everything in one thread; only the absence of the key leaves the choice to us. */
	if (number_get(load, value, 0, 1024, &number))
		load->conf->relay_threads = number ? (unsigned int)number : 1;
}

void conf_parse_separator(struct conf_load *load, const struct conf_key *key, char *value)
{
	if (strlen(value) != 1 || (*value >= '0' && *value <= '9'))
		conf_error(load, "'%.64s' is not one character, or is a digit", value);
	else
		load->conf->rest_api_separator = *value;
}

/* Words and what they stand for; the first of a key need not be its default. */
static const struct {
	const char *key, *word;
	int meaning;
} choices[] = {
	{ "channel-numbers", "rfc8656", false },
	{ "channel-numbers", "rfc5766", true },
	{ "password-algorithms", "md5", 1 },
	{ "password-algorithms", "sha256", 2 },
	{ "password-algorithms", "both", 3 },
	{ "allocation-default-address-family", "ipv4", 4 },
	{ "allocation-default-address-family", "ipv6", 6 },
	{ "allocation-default-address-family", "keep", 0 },
	{ "keep-address-family", "", 0 },
	{ "datapath", "auto", 0 },
	{ "datapath", "xdp", 0 },
	{ "datapath", "tc", 0 },
	{ "datapath", "user", 0 },
	{ "syslog-facility", "LOG_AUTH", LOG_AUTH },
	{ "syslog-facility", "LOG_AUTHPRIV", LOG_AUTHPRIV },
	{ "syslog-facility", "LOG_CRON", LOG_CRON },
	{ "syslog-facility", "LOG_DAEMON", LOG_DAEMON },
	{ "syslog-facility", "LOG_SYSLOG", LOG_SYSLOG },
	{ "syslog-facility", "LOG_USER", LOG_USER },
	{ "syslog-facility", "LOG_LOCAL0", LOG_LOCAL0 },
	{ "syslog-facility", "LOG_LOCAL1", LOG_LOCAL1 },
	{ "syslog-facility", "LOG_LOCAL2", LOG_LOCAL2 },
	{ "syslog-facility", "LOG_LOCAL3", LOG_LOCAL3 },
	{ "syslog-facility", "LOG_LOCAL4", LOG_LOCAL4 },
	{ "syslog-facility", "LOG_LOCAL5", LOG_LOCAL5 },
	{ "syslog-facility", "LOG_LOCAL6", LOG_LOCAL6 },
	{ "syslog-facility", "LOG_LOCAL7", LOG_LOCAL7 },
};

static void choice_set(struct conf_load *load, const char *key, const char *word, int meaning)
{
	struct tp_conf *conf = load->conf;

	if (strcmp(key, "channel-numbers") == 0)
		conf->rfc5766_channels = meaning;
	else if (strcmp(key, "password-algorithms") == 0)
		conf->password_algorithms = (uint8_t)meaning;
	else if (strcmp(key, "syslog-facility") == 0)
		conf->syslog_facility = meaning;
	else if (strcmp(key, "datapath") == 0)
		set_string(load, &conf->datapath, word);
	else
		conf->default_family = (uint8_t)meaning;
}

void conf_parse_choice(struct conf_load *load, const struct conf_key *key, char *value)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (strcmp(choices[i].key, key->name) == 0 && strcasecmp(choices[i].word, value) == 0) {
			choice_set(load, key->name, choices[i].word, choices[i].meaning);
			return;
		}
	if (key->value)
		conf_error(load, "'%.64s' is none of %s", value, key->value);
	else
		conf_error(load, "takes no value");
}

void conf_parse_secret(struct conf_load *load, const struct conf_key *key, char *value)
{
	conf_list_add(load, &load->conf->static_auth_secret, value);
}

/* Its five fields are looked at where they are used, by tp_auth_new(), which conf_check() asks. */
void conf_parse_oauth_key(struct conf_load *load, const struct conf_key *key, char *value)
{
	conf_list_add(load, &load->conf->oauth_key, value);
}

void conf_parse_origin_realm(struct conf_load *load, const struct conf_key *key, char *value)
{
	const char *comma = strrchr(value, ',');

	if (!comma || comma == value || !comma[1])
		conf_error(load, "'%.64s' is not ORIGIN,REALM", value);
	else
		conf_list_add(load, &load->conf->origin_realm, value);
}

void conf_parse_cert(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_conf *conf = load->conf;
	bool is_cert = strcmp(key->name, "cert") == 0;
	char **first = is_cert ? &conf->cert : &conf->pkey;

	if (*first)
		conf_list_add(load, is_cert ? &conf->certs : &conf->pkeys, value);
	else
		*first = conf_strdup(load, value);
}

void conf_parse_log_file(struct conf_load *load, const struct conf_key *key, char *value)
{
	if (strcmp(value, "syslog") == 0)
		load->conf->syslog = true;
	else
		set_string(load, &load->conf->log_file, strcmp(value, "-") == 0 ? "stdout" : value);
}

/* Hexadecimal digits of a 16-byte MD5 key or a 32-byte SHA-256 key. */
static bool parse_key(const char *hex, struct tp_conf_user *user)
{
	size_t size = strlen(hex);
	unsigned int byte;
	char pair[3] = "";

	if (size != 32 && size != 64)
		return false;
	if (strspn(hex, "0123456789abcdefABCDEF") != size)
		return false;
	for (size_t i = 0; i < size / 2; i++) {
		memcpy(pair, hex + 2 * i, 2);
		byte = (unsigned int)strtoul(pair, NULL, 16);
		user->key[i] = (uint8_t)byte;
	}
	user->key_size = (uint8_t)(size / 2);
	user->is_key = true;
	return true;
}

#define USER_NAME_MAX	508	/* RFC 8489 section 14.3: fewer than 509 bytes */

/* Nothing of a password may reach a log: messages name the user only. */
void conf_parse_user(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_conf *conf = load->conf;
	struct tp_conf_user user = { 0 }, *users;
	char *password = strchr(value, ':');

	if (!password || password == value) {
		conf_error(load, "is not NAME:PASSWORD");
		return;
	}
	*password++ = 0;
	if (strlen(value) > USER_NAME_MAX) {
		conf_error(load, "a name of more than %d bytes", USER_NAME_MAX);
		return;
	}
	if (!*password) {
		conf_error(load, "'%.64s' has an empty password", value);
		return;
	}
	if (strncmp(password, "0x", 2) == 0 && !parse_key(password + 2, &user)) {
		conf_error(load, "the key of '%.64s' is not 32 or 64 hexadecimal digits", value);
		return;
	}
	users = conf_grow(load, conf->user, conf->user_len, sizeof(*users));
	if (!users)
		return;
	conf->user = users;
	user.name = conf_strdup(load, value);
	if (!user.is_key)
		user.password = conf_strdup(load, password);
	users[conf->user_len++] = user;
}

/* Where a value cannot hold a '#', what follows one is a comment, as coturn's number parsing lets it be. */
static void cut_comment(char *value)
{
	for (char *c = value; *c; c++)
		if (*c == '#' && (c == value || c[-1] == ' ' || c[-1] == '\t')) {
			while (c > value && (c[-1] == ' ' || c[-1] == '\t'))
				c--;
			*c = 0;
			return;
		}
}

static void apply_value(struct conf_load *load, const struct conf_key *key, char *value)
{
	uint64_t number;

	if (key->flags & KEY_TEXT && strstr(value, " #"))
		conf_warning(load, "what follows # belongs to the value: comments are lines of their own");
	if (!(key->flags & KEY_TEXT))
		cut_comment(value);
	if (key->kind == KEY_REFUSED)
		conf_error(load, "%s", key->help);
	else if (key->kind == KEY_IGNORED)
		conf_warning(load, "ignored: %s", key->help);
	else if (key->kind == KEY_FLAG || key->kind == KEY_FLAG_OFF)
		parse_flag(load, key, value);
	else if (key->kind == KEY_IMPLIED || (!*value && key->flags & KEY_OPTIONAL))
		return;
	else if (!*value && key->value)
		conf_error(load, "needs a value");
	else if (key->kind == KEY_CUSTOM)
		key->parse(load, key, value);
	else if (key->kind == KEY_STRING)
		set_string(load, field(load, key), value);
	else if (key->kind == KEY_LIST)
		conf_list_add(load, field(load, key), value);
	else if (number_get(load, value, key->min, key->max, &number))
		number_set(load, key, number);
}

/* A key that is meant once: the last one counts, as in coturn, but two values are one mistake. */
static void check_repeated(struct conf_load *load, const struct tp_conf_entry *before, const struct tp_conf_entry *entry)
{
	if (strcmp(before->value, entry->value) == 0)
		conf_warning(load, "given again (line %u)", before->line);
	else
		conf_error(load, "given again with another value (line %u)", before->line);
}

void conf_apply(struct conf_load *load)
{
	const struct tp_conf *conf = load->conf;
	const struct tp_conf_entry **last = calloc(conf_keys_len, sizeof(*last));
	char *value;

	load->no_memory |= !last;
	for (size_t i = 0; i < conf->entry_len && !load->no_memory; i++) {
		const struct tp_conf_entry *entry = &conf->entry[i];
		const struct conf_key *key = &conf_keys[entry->key];

		load->line = entry->line;
		load->key = key;
		if (last[entry->key] && !(key->flags & KEY_REPEAT) && entry->line)
			check_repeated(load, last[entry->key], entry);
		last[entry->key] = entry;
		value = conf_strdup(load, entry->value);
		if (value)
			apply_value(load, key, value);
		free(value);
	}
	load->line = 0;
	load->key = NULL;
	free(last);
}

void conf_set_defaults(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;

	for (size_t i = 0; i < conf_keys_len; i++) {
		const struct conf_key *key = &conf_keys[i];

		if (key->kind == KEY_FLAG)
			*(bool *)field(load, key) = key->number;
		else if (key->kind == KEY_NUMBER16 || key->kind == KEY_NUMBER32 || key->kind == KEY_NUMBER64)
			number_set(load, key, key->number);
		else if (key->kind == KEY_STRING && key->text)
			set_string(load, field(load, key), key->text);
	}
	conf->rest_api_separator = ':';
	conf->password_algorithms = 3;
	conf->default_family = 4;
	conf->syslog_facility = LOG_DAEMON;
	set_string(load, &conf->datapath, "auto");
}

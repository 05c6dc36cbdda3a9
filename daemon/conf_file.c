/* SPDX-License-Identifier: GPL-2.0 */
/* Entries from the text of a file and from command line options; conf.c calls it. Nothing is interpreted here. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_parts.h"

#define FILE_SIZE_MAX	(16u << 20)
#define LINE_SIZE_MAX	4096

static int read_all(int fd, char *buf, size_t capacity, size_t *ret_size)
{
	size_t size = 0;

	while (size < capacity) {
		ssize_t n = read(fd, buf + size, capacity - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_size = size;
	return size == capacity ? -EFBIG : 0;
}

int conf_read_file(const char *file, char **ret_text, size_t *ret_size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), r;
	struct stat st;
	size_t capacity;
	char *text;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		r = -errno;
		goto err_fd;
	}
	/* Pipes have no size; a file may grow meanwhile. */
	capacity = S_ISREG(st.st_mode) && st.st_size < FILE_SIZE_MAX ? (size_t)st.st_size + LINE_SIZE_MAX : FILE_SIZE_MAX;
	text = malloc(capacity + 1);
	if (!text) {
		r = -ENOMEM;
		goto err_fd;
	}
	r = read_all(fd, text, capacity, ret_size);
	if (r) {
		free(text);
		goto err_fd;
	}
	text[*ret_size] = 0;
	*ret_text = text;
err_fd:
	close(fd);
	return r;
}

int conf_add_entry(struct tp_conf *conf, uint16_t key, unsigned int line, const char *value)
{
	struct tp_conf_entry *entry = conf->entry;

	/* Room is doubled: the length says when. */
	if ((conf->entry_len & (conf->entry_len - 1)) == 0) {
		entry = realloc(entry, (conf->entry_len ? 2 * conf->entry_len : 1) * sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		conf->entry = entry;
	}
	entry += conf->entry_len;
	entry->key = key;
	entry->line = line;
	entry->value = strdup(value);
	if (!entry->value)
		return -ENOMEM;
	conf->entry_len++;
	return 0;
}

static void unknown_key(struct conf_load *load, const char *name, size_t size)
{
	const struct conf_key *near = conf_key_nearest(name, size);
	int shown = size > 64 ? 64 : (int)size;

	if (near)
		conf_error(load, "unknown key '%.*s': is %s meant?", shown, name, near->name);
	else
		conf_error(load, "unknown key '%.*s'", shown, name);
}

static void add_named(struct conf_load *load, const char *name, size_t size, const char *value)
{
	const struct conf_key *key = conf_key_find(name, size);

	if (!key)
		unknown_key(load, name, size);
	else if (conf_add_entry(load->conf, (uint16_t)(key - conf_keys), load->line, value))
		load->no_memory = true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Blanks around, and one pair of quotes. */
static char *trim(char *text)
{
	char *end;

	while (is_blank(*text))
		text++;
	end = text + strlen(text);
	while (end > text && is_blank(end[-1]))
		end--;
	if (end - text >= 2 && (*text == '"' || *text == '\'') && end[-1] == *text) {
		text++;
		end--;
	}
	*end = 0;
	return text;
}

/* "key", "key=value", "key value", "key = value". */
static void read_line(struct conf_load *load, char *line)
{
	char *value;
	size_t size;

	while (is_blank(*line))
		line++;
	if (!*line || *line == '#')
		return;
	size = strcspn(line, " \t=");
	if (!size) {
		conf_error(load, "no key before '='");
		return;
	}
	value = line + size;
	while (is_blank(*value))
		value++;
	if (*value == '=')
		value++;
	add_named(load, line, size, trim(value));
}

static bool is_text(const char *line, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return false;
	return true;
}

void conf_read_text(struct conf_load *load, char *text, size_t size)
{
	char *end = text + size, *eol;
	size_t line_size;

	load->line = 0;
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (; text < end; text = eol + 1) {
		load->line++;
		eol = memchr(text, '\n', (size_t)(end - text));
		if (!eol)
			eol = end;
		line_size = (size_t)(eol - text);
		if (line_size && text[line_size - 1] == '\r')
			line_size--;
		if (line_size > LINE_SIZE_MAX) {
			conf_error(load, "longer than %d bytes", LINE_SIZE_MAX);
			continue;
		}
		if (!is_text(text, line_size)) {
			conf_error(load, "a control character: this is no text; the rest is not read");
			return;
		}
		text[line_size] = 0;
		read_line(load, text);
	}
}

static bool takes_value(const struct conf_key *key)
{
	return key->value && !(key->flags & KEY_OPTIONAL);
}

/* "-L 192.0.2.1", "-L192.0.2.1", "-av". Returns how many of the following options it took. */
static size_t read_short(struct conf_load *load, const char *option, const char *next)
{
	const struct conf_key *key;

	for (const char *c = option + 1; *c; c++) {
		key = conf_key_by_letter(*c);
		if (!key) {
			conf_error(load, "unknown option '-%c'", *c);
			return 0;
		}
		if (!key->value) {
			add_named(load, key->name, strlen(key->name), "");
			continue;
		}
		if (!c[1] && !next) {
			conf_error(load, "-%c (%s) needs a value", *c, key->name);
			return 0;
		}
		add_named(load, key->name, strlen(key->name), c[1] ? c + 1 : next);
		return !c[1];
	}
	return 0;
}

static size_t read_long(struct conf_load *load, const char *option, const char *next)
{
	const char *name = option + 2;
	size_t size = strcspn(name, "=");
	const struct conf_key *key = conf_key_find(name, size);

	if (!key) {
		unknown_key(load, name, size);
		return 0;
	}
	if (name[size]) {
		add_named(load, name, size, name + size + 1);
		return 0;
	}
	if (!takes_value(key)) {
		add_named(load, name, size, "");
		return 0;
	}
	if (!next) {
		conf_error(load, "%s: needs a value", key->name);
		return 0;
	}
	add_named(load, name, size, next);
	return 1;
}

void conf_read_options(struct conf_load *load, const struct tp_list *options)
{
	load->line = 0;
	for (size_t i = 0; i < options->len; i++) {
		const char *option = options->items[i], *next = i + 1 < options->len ? options->items[i + 1] : NULL;

		/* No value starts as an option does, but "-" is a file's name. */
		if (next && next[0] == '-' && next[1])
			next = NULL;
		if (option[0] != '-' || !option[1])
			conf_error(load, "'%.64s' is no option", option);
		else if (option[1] == '-')
			i += read_long(load, option, next);
		else
			i += read_short(load, option, next);
	}
}

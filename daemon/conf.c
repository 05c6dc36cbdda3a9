/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A configuration as a whole: load, compare, load again, free. Called by main() and by the reload.
 * The steps are entries (conf_file.c), fields (conf_value.c, conf_addr.c), checks (conf_check.c).
 */
#include "conf.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "conf_parts.h"

#define CONF_ORIGINS_MAX	64	/* as auth/user.c takes them */

struct tp_conf *tp_conf_default(void)
{
	struct tp_conf_report report = { 0 };
	struct conf_load load = { .report = &report, .conf = calloc(1, sizeof(*load.conf)) };

	if (!load.conf)
		return NULL;
	conf_set_defaults(&load);
	if (load.no_memory) {
		tp_conf_free(load.conf);
		return NULL;
	}
	return load.conf;
}

static void free_secret(char *secret)
{
	if (secret)
		OPENSSL_cleanse(secret, strlen(secret));
	free(secret);
}

static void free_list(struct tp_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		free_secret(list->items[i]);
	free(list->items);
}

static void free_users(struct tp_conf *conf)
{
	for (size_t i = 0; i < conf->user_len; i++) {
		struct tp_conf_user *user = &conf->user[i];

		free(user->name);
		free(user->realm);
		free_secret(user->password);
		OPENSSL_cleanse(user->key, sizeof(user->key));
	}
	free(conf->user);
}

static void free_entries(struct tp_conf *conf)
{
	for (size_t i = 0; i < conf->entry_len; i++)
		free_secret(conf->entry[i].value);
	free(conf->entry);
	conf->entry = NULL;
	conf->entry_len = 0;
}

static void free_strings(struct tp_conf *conf)
{
	char **strings[] = {
		&conf->realm, &conf->server_name, &conf->userdb, &conf->psql_userdb, &conf->redis_userdb,
		&conf->redis_statsdb, &conf->redis_quotadb, &conf->nonce_key, &conf->alternate_domain, &conf->cert, &conf->pkey,
		&conf->pkey_pwd, &conf->ca_file, &conf->cipher_list, &conf->datapath, &conf->control_socket,
		&conf->state_dir, &conf->bpffs, &conf->log_file, &conf->pidfile, &conf->proc_user,
		&conf->proc_group, &conf->file,
	};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		free_secret(*strings[i]);
}

void tp_conf_free(struct tp_conf *conf)
{
	if (!conf)
		return;
	free_strings(conf);
	free_list(&conf->static_auth_secret);
	free_list(&conf->oauth_key);
	free_list(&conf->origin_realm);
	free_list(&conf->range_realm);
	free_list(&conf->certs);
	free_list(&conf->pkeys);
	free_list(&conf->interface);
	free_list(&conf->options);
	free_users(conf);
	for (size_t i = 0; i < conf->realm_limits_len; i++)
		free(conf->realm_limits[i].realm);
	free(conf->realm_limits);
	free_entries(conf);
	free(conf->listen);
	free(conf->relay);
	free(conf->external);
	free(conf->allowed);
	free(conf->denied);
	free(conf->alternate);
	free(conf->proxy_from);
	free(conf);
}

/* An option replaces every line of the file with its key; `options_at` is where options begin. */
static void override_entries(struct tp_conf *conf, size_t options_at)
{
	size_t kept = 0;

	for (size_t i = 0; i < conf->entry_len; i++) {
		bool replaced = false;

		for (size_t j = options_at; i < options_at && j < conf->entry_len && !replaced; j++)
			replaced = conf->entry[j].key == conf->entry[i].key;
		if (replaced)
			free_secret(conf->entry[i].value);
		else
			conf->entry[kept++] = conf->entry[i];
	}
	conf->entry_len = kept;
}

/* A path that is good after a change of folder; links in it are followed anew by each reload. */
static char *absolute_path(struct conf_load *load, const char *file)
{
	char *folder, *path = NULL;

	if (*file == '/')
		return conf_strdup(load, file);
	folder = getcwd(NULL, 0);
	if (!folder || asprintf(&path, "%s/%s", folder, file) < 0)
		path = NULL;
	free(folder);
	return path ? path : conf_strdup(load, file);
}

static bool read_file(struct conf_load *load)
{
	char *text;
	size_t size;
	int r = conf_read_file(load->conf->file, &text, &size);

	if (r) {
		conf_error(load, "cannot be read: %s", strerror(-r));
		return false;
	}
	conf_read_text(load, text, size);
	OPENSSL_cleanse(text, size);
	free(text);
	return true;
}

static int load_end(struct conf_load *load, struct tp_conf **ret)
{
	struct tp_conf_report *report = load->report;

	conf_report_sort(report);
	if (!load->no_memory && !report->errors) {
		*ret = load->conf;
		return 0;
	}
	tp_conf_free(load->conf);
	return load->no_memory ? -ENOMEM : -EINVAL;
}

static void load_entries(struct conf_load *load)
{
	conf_set_defaults(load);
	conf_apply(load);
	if (!load->no_memory)
		conf_check(load);
}

int tp_conf_load(const char *file, const char *const *options, size_t options_len, struct tp_conf **ret,
		 struct tp_conf_report *report)
{
	struct conf_load load = { .report = report, .conf = calloc(1, sizeof(*load.conf)) };
	size_t options_at;

	memset(report, 0, sizeof(*report));
	if (!load.conf)
		return -ENOMEM;
	if (file) {
		load.conf->file = absolute_path(&load, file);
		report->file = conf_strdup(&load, file);
	}
	for (size_t i = 0; i < options_len; i++)
		conf_list_add(&load, &load.conf->options, options[i]);
	if (load.conf->file && !read_file(&load))
		return load_end(&load, ret);
	options_at = load.conf->entry_len;
	conf_read_options(&load, &load.conf->options);
	override_entries(load.conf, options_at);
	load_entries(&load);
	return load_end(&load, ret);
}

/* The settings of one key in their order, compared as they are written. */
static bool same_entries(const struct tp_conf *a, const struct tp_conf *b, size_t key)
{
	size_t i = 0, j = 0;

	for (;; i++, j++) {
		while (i < a->entry_len && a->entry[i].key != key)
			i++;
		while (j < b->entry_len && b->entry[j].key != key)
			j++;
		if (i == a->entry_len || j == b->entry_len)
			return i == a->entry_len && j == b->entry_len;
		if (strcmp(a->entry[i].value, b->entry[j].value) != 0)
			return false;
	}
}

/* Addresses that nobody wrote come from the host, and follow it. */
static bool same_listen(const struct tp_conf *a, const struct tp_conf *b)
{
	return a->listen_len == b->listen_len &&
	       (!a->listen_len || memcmp(a->listen, b->listen, a->listen_len * sizeof(*a->listen)) == 0);
}

static bool key_differs(const struct tp_conf *old, const struct tp_conf *conf, size_t key)
{
	if (conf_keys[key].parse == conf_parse_listening_ip && !same_listen(old, conf))
		return true;
	return !same_entries(old, conf, key);
}

static void sentence_add(char *sentence, size_t size, const char *before, const char *name)
{
	size_t used = strlen(sentence);

	if (used < size)
		snprintf(sentence + used, size - used, "%s%s", before, name);
}

size_t tp_conf_diff(const struct tp_conf *old, const struct tp_conf *conf, char *ret_summary, size_t summary_size)
{
	size_t changed = 0, restart = 0;

	snprintf(ret_summary, summary_size, "%s", "");
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < conf_keys_len; i++) {
			bool now = conf_keys[i].flags & KEY_RELOAD || conf_keys[i].kind >= KEY_ALIAS;
			size_t *count = pass ? &restart : &changed;

			if (now == pass || !key_differs(old, conf, i))
				continue;
			if (!*count && pass)
				sentence_add(ret_summary, summary_size, changed ? "; " : "", "needs a restart: ");
			else if (!*count)
				sentence_add(ret_summary, summary_size, "", "changed: ");
			sentence_add(ret_summary, summary_size, *count ? ", " : "", conf_keys[i].name);
			++*count;
		}
	if (!changed && !restart)
		sentence_add(ret_summary, summary_size, "", "nothing changed");
	return restart;
}

/* The entries of `conf`, but those of `old` for the keys that a reload may not change. */
static int merge_entries(struct conf_load *load, const struct tp_conf *old, const struct tp_conf *conf)
{
	for (int pass = 0; pass < 2; pass++) {
		const struct tp_conf *from = pass ? conf : old;

		for (size_t i = 0; i < from->entry_len; i++) {
			const struct tp_conf_entry *entry = &from->entry[i];
			bool reload = conf_keys[entry->key].flags & KEY_RELOAD;

			if (reload == pass && conf_add_entry(load->conf, entry->key, entry->line, entry->value))
				return -ENOMEM;
		}
	}
	return 0;
}

/* A second load, of the merged entries; `*conf` is replaced by it. */
static int keep_unchangeable(const struct tp_conf *old, struct tp_conf **conf, struct tp_conf_report *report)
{
	struct conf_load load = { .report = report, .conf = calloc(1, sizeof(*load.conf)) };
	struct tp_conf *fresh = *conf;
	char *file = report->file;

	*conf = NULL;
	report->file = NULL;
	tp_conf_report_fini(report);
	report->file = file;
	if (!load.conf) {
		tp_conf_free(fresh);
		return -ENOMEM;
	}
	load.no_memory = merge_entries(&load, old, fresh) != 0;
	load.conf->file = fresh->file;
	load.conf->options = fresh->options;
	fresh->file = NULL;
	memset(&fresh->options, 0, sizeof(fresh->options));
	tp_conf_free(fresh);
	if (!load.no_memory)
		load_entries(&load);
	return load_end(&load, conf);
}

int tp_conf_copy(const struct tp_conf *old, struct tp_conf **ret)
{
	struct tp_conf_report report = { 0 };
	struct conf_load load = { .report = &report, .conf = calloc(1, sizeof(*load.conf)) };
	int r;

	if (!load.conf)
		return -ENOMEM;
	load.again = true;
	load.no_memory = merge_entries(&load, old, old) != 0;
	if (old->file)
		load.conf->file = conf_strdup(&load, old->file);
	for (size_t i = 0; i < old->options.len; i++)
		conf_list_add(&load, &load.conf->options, old->options.items[i]);
	if (!load.no_memory)
		load_entries(&load);
	r = load_end(&load, ret);
	tp_conf_report_fini(&report);
	return r;
}

int tp_conf_add_range(struct tp_conf *conf, bool allowed, const char *realm, const char *text)
{
	struct tp_conf_report report = { 0 };
	struct conf_load load = { .report = &report, .conf = conf };
	struct tp_range **ranges = allowed ? &conf->allowed : &conf->denied, *grown, range;
	size_t *len = allowed ? &conf->allowed_len : &conf->denied_len;
	int r = tp_range_parse(text, &range);

	if (r)
		return r;
	grown = conf_grow(&load, *ranges, *len, sizeof(range));
	if (grown)
		*ranges = grown;
	if (*realm) {
		conf_list_add(&load, &conf->range_realm, realm);
		range.realm = load.no_memory ? NULL : conf->range_realm.items[conf->range_realm.len - 1];
	}
	if (load.no_memory)
		return -ENOMEM;
	grown[(*len)++] = range;
	return 0;
}

int tp_conf_add_origin(struct tp_conf *conf, const char *origin, const char *realm)
{
	struct tp_conf_report report = { 0 };
	struct conf_load load = { .report = &report, .conf = conf };
	char *text;

	if (!*origin || !*realm || strlen(realm) >= TP_AUTH_REALM_SIZE || conf->origin_realm.len >= CONF_ORIGINS_MAX)
		return -EINVAL;
	if (asprintf(&text, "%s,%s", origin, realm) < 0)
		return -ENOMEM;
	conf_list_add(&load, &conf->origin_realm, text);
	free(text);
	return load.no_memory ? -ENOMEM : 0;
}

static const char *first_error(const struct tp_conf_report *report)
{
	for (size_t i = 0; i < report->len; i++)
		if (report->problem[i].error)
			return report->problem[i].text;
	return "out of memory";
}

int tp_conf_reload(const struct tp_conf *old, struct tp_conf **ret, struct tp_conf_report *report,
		   char *ret_summary, size_t summary_size)
{
	struct tp_conf *conf;
	int r = tp_conf_load(old->file, (const char *const *)old->options.items, old->options.len, &conf, report);

	if (!r && tp_conf_diff(old, conf, ret_summary, summary_size))
		r = keep_unchangeable(old, &conf, report);
	if (r) {
		snprintf(ret_summary, summary_size, "nothing is changed: %s%s", first_error(report),
			 report->errors > 1 ? "; and more" : "");
		return r;
	}
	*ret = conf;
	return 0;
}

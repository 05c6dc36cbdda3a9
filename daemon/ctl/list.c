/* SPDX-License-Identifier: GPL-2.0 */
/*
 * list, show and kill. A worker only copies what it has, between two batches of
 * packets; the JSON is made on the control thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/command.h"

struct entry {
	struct entry *next;
	struct tp_allocation_info info;	/* its pointers are the entry's */
	char *username, *realm;
	struct tp_permission_info *permissions;
	struct tp_channel_info *channels;
};

/* Filled by the workers, each in its own list. */
struct listing {
	uint64_t id;			/* 0: all */
	char *user;			/* NULL: all */
	unsigned int workers;
	struct worker_list {
		struct entry *first;
		bool no_memory;
	} of[];
};

static void entry_free(struct entry *e)
{
	free(e->username);
	free(e->realm);
	free(e->permissions);
	free(e->channels);
	free(e);
}

static void listing_free(void *arg)
{
	struct listing *listing = arg;

	for (unsigned int i = 0; i < listing->workers; i++) {
		while (listing->of[i].first) {
			struct entry *e = listing->of[i].first;

			listing->of[i].first = e->next;
			entry_free(e);
		}
	}
	free(listing->user);
	free(listing);
}

static void *copy(const void *items, size_t size)
{
	void *res = malloc(size ? size : 1);

	if (res && size)
		memcpy(res, items, size);
	return res;
}

static struct entry *entry_new(const struct tp_allocation_info *info)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->info = *info;
	e->username = strdup(info->username ? info->username : "");
	e->realm = strdup(info->realm ? info->realm : "");
	e->permissions = copy(info->permissions, info->permissions_len * sizeof(*info->permissions));
	e->channels = copy(info->channels, info->channels_len * sizeof(*info->channels));
	if (!e->username || !e->realm || !e->permissions || !e->channels) {
		entry_free(e);
		return NULL;
	}
	return e;
}

struct visit {
	const struct listing *listing;
	struct worker_list *list;
};

static bool visit_entry(void *arg, const struct tp_allocation_info *info)
{
	struct visit *visit = arg;
	struct entry *e;

	if (visit->listing->id && info->id != visit->listing->id)
		return true;
	if (visit->listing->user && strcmp(info->username ? info->username : "", visit->listing->user) != 0)
		return true;
	e = entry_new(info);
	if (!e) {
		visit->list->no_memory = true;
		return false;
	}
	e->next = visit->list->first;
	visit->list->first = e;
	return !visit->listing->id;
}

static void collect(struct tp_worker *worker, void *arg)
{
	struct listing *listing = arg;
	struct visit visit = { .listing = listing, .list = &listing->of[worker->index] };

	tp_turn_visit(worker->turn, &worker->now, visit_entry, &visit);
}

static json_t *permissions_json(const struct entry *e)
{
	json_t *array = json_array();

	for (size_t i = 0; i < e->info.permissions_len; i++)
		json_array_append_new(array, json_pack("{s:o, s:I}", "peer", ctl_addr(&e->permissions[i].peer),
						       "expires_in_s", (json_int_t)e->permissions[i].expires_in_s));
	return array;
}

static json_t *channels_json(const struct entry *e)
{
	json_t *array = json_array();

	for (size_t i = 0; i < e->info.channels_len; i++)
		json_array_append_new(array, json_pack("{s:o, s:o, s:I}", "number",
						       json_sprintf("0x%04x", e->channels[i].number), "peer",
						       ctl_addr(&e->channels[i].peer), "expires_in_s",
						       (json_int_t)e->channels[i].expires_in_s));
	return array;
}

static json_t *entry_json(const struct entry *e)
{
	const struct tp_allocation_info *info = &e->info;
	json_t *relayed = json_array();
	char id[CTL_ID_SIZE];

	for (unsigned int i = 0; i < info->relayed_len && i < 2; i++)
		json_array_append_new(relayed, ctl_addr(&info->relayed[i]));
	/* "user" is the name; what userspace relayed is "userspace", as a key may be there only once. */
	return json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o}",
			 "id", ctl_id_format(info->id, id), "user", ctl_text(e->username), "realm", ctl_text(e->realm),
			 "transport", tp_transport_name(info->tuple.transport), "client", ctl_addr(&info->tuple.client),
			 "server", ctl_addr(&info->tuple.server), "relayed", relayed,
			 "expires_in_s", (json_int_t)info->expires_in_s, "age_s", (json_int_t)info->age_s,
			 "permissions", permissions_json(e), "channels", channels_json(e),
			 "kernel", ctl_traffic(&info->kernel), "userspace", ctl_traffic(&info->user));
}

static int listing_run(struct tp_node *node, uint64_t id, const char *user, json_t **ret, char *err)
{
	unsigned int workers = node->workers->len;
	struct listing *listing = calloc(1, sizeof(*listing) + workers * sizeof(listing->of[0]));
	json_t *array;

	if (!listing)
		return -ENOMEM;
	listing->id = id;
	listing->user = user ? strdup(user) : NULL;
	listing->workers = workers;
	if (!tp_workers_call(node->workers, collect, listing, listing_free))
		return ctl_busy(err);
	array = json_array();
	for (unsigned int i = 0; i < workers; i++)
		for (struct entry *e = listing->of[i].first; e; e = e->next)
			json_array_append_new(array, entry_json(e));
	listing_free(listing);
	*ret = array;
	return 0;
}

int ctl_list(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	return listing_run(node, 0, json_string_value(json_object_get(request, "user")), ret, err);
}

static int request_id(json_t *request, uint64_t *ret, char *err)
{
	const char *text = json_string_value(json_object_get(request, "id"));

	if (text && ctl_id_parse(text, ret) == 0)
		return 0;
	snprintf(err, CTL_ERROR_SIZE, "an allocation's id is up to 16 hexadecimal digits: see turnpikectl list");
	return -EINVAL;
}

int ctl_show(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	json_t *array;
	uint64_t id;
	int res = request_id(request, &id, err);

	res = res ? res : listing_run(node, id, NULL, &array, err);
	if (res)
		return res;
	if (!json_array_size(array)) {
		json_decref(array);
		snprintf(err, CTL_ERROR_SIZE, "there is no allocation %016" PRIx64 ": it may have ended; see turnpikectl list",
			 id);
		return -ENOENT;
	}
	*ret = json_incref(json_array_get(array, 0));
	json_decref(array);
	return 0;
}

struct killing {
	uint64_t id;
	char *user;
	_Atomic size_t killed;
};

static void killing_free(void *arg)
{
	struct killing *killing = arg;

	free(killing->user);
	free(killing);
}

static void run_kill(struct tp_worker *worker, void *arg)
{
	struct killing *killing = arg;

	killing->killed += tp_turn_kill(worker->turn, killing->id, killing->user, &worker->now);
}

int ctl_kill(struct tp_node *node, json_t *request, json_t **ret, char *err)
{
	const char *user = json_string_value(json_object_get(request, "user"));
	struct killing *killing;
	uint64_t id = 0;
	int res = user ? 0 : request_id(request, &id, err);

	if (res)
		return res;
	killing = calloc(1, sizeof(*killing));
	if (!killing)
		return -ENOMEM;
	killing->id = id;
	killing->user = user ? strdup(user) : NULL;
	if (user && !killing->user) {
		free(killing);
		return -ENOMEM;
	}
	if (!tp_workers_call(node->workers, run_kill, killing, killing_free))
		return ctl_busy(err);
	*ret = json_pack("{s:I}", "killed", (json_int_t)killing->killed);
	killing_free(killing);
	if (json_integer_value(json_object_get(*ret, "killed")))
		return 0;
	json_decref(*ret);
	snprintf(err, CTL_ERROR_SIZE, "no such allocation: see turnpikectl list");
	return -ENOENT;
}

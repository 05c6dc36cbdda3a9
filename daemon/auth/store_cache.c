/* SPDX-License-Identifier: GPL-2.0 */
/* The answers that a store remembers: a hash table and two lists by last use; see store_cache.h. */
#include "auth/store_cache.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS	16384u	/* a power of two */

int store_cache_init(struct store_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
	CDS_INIT_LIST_HEAD(&cache->found);
	CDS_INIT_LIST_HEAD(&cache->others);
	cache->bucket = calloc(BUCKETS, sizeof(*cache->bucket));
	if (!cache->bucket)
		return -ENOMEM;
	/* Names are chosen by clients: a known seed would let them fill one bucket. */
	if (RAND_bytes((unsigned char *)&cache->seed, sizeof(cache->seed)) != 1)
		return -EIO;
	return 0;
}

static void entry_free(struct cache_entry *entry)
{
	if (entry->text)
		OPENSSL_cleanse(entry->text, entry->text_size);
	free(entry->text);
	free(entry);
}

static void list_free(struct cds_list_head *list)
{
	struct cache_entry *entry, *next;

	cds_list_for_each_entry_safe(entry, next, list, used)
		entry_free(entry);
}

void store_cache_fini(struct store_cache *cache)
{
	list_free(&cache->found);
	list_free(&cache->others);
	free(cache->bucket);
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		unsigned __int128 product = (unsigned __int128)(hash ^ bytes[i]) * 0x9e3779b97f4a7c15u;

		hash = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return hash;
}

static size_t *list_len(struct store_cache *cache, const struct cache_entry *entry)
{
	return entry->state == CACHE_FOUND ? &cache->found_len : &cache->others_len;
}

static void list_add(struct store_cache *cache, struct cache_entry *entry)
{
	cds_list_add_tail(&entry->used, entry->state == CACHE_FOUND ? &cache->found : &cache->others);
	++*list_len(cache, entry);
}

static void list_remove(struct store_cache *cache, struct cache_entry *entry)
{
	cds_list_del(&entry->used);
	--*list_len(cache, entry);
}

static void entry_evict(struct store_cache *cache, struct cache_entry *entry)
{
	struct cache_entry **link = &cache->bucket[entry->hash % BUCKETS];

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	list_remove(cache, entry);
	entry_free(entry);
}

/* Makes room in a list; at most TP_STORE_QUEUE_MAX entries are wanted, so the search is bounded. */
static void list_trim(struct store_cache *cache, struct cds_list_head *list, size_t len, size_t max)
{
	struct cache_entry *entry, *next;

	if (len <= max)
		return;
	cds_list_for_each_entry_safe(entry, next, list, used)
		if (!entry->wanted) {
			entry_evict(cache, entry);
			return;
		}
}

static struct cache_entry *entry_new(enum tp_store_kind kind, const char *realm, const void *name, size_t name_size)
{
	size_t realm_size = strlen(realm) + 1;
	struct cache_entry *entry = calloc(1, sizeof(*entry) + realm_size + name_size + 1);

	if (!entry)
		return NULL;
	entry->kind = (uint8_t)kind;
	entry->realm_size = realm_size;
	entry->name_size = name_size + 1;
	memcpy(entry->key, realm, realm_size);
	if (name_size)
		memcpy(entry->key + realm_size, name, name_size);
	return entry;
}

static bool entry_is(const struct cache_entry *entry, uint32_t hash, enum tp_store_kind kind, const char *realm,
		     const void *name, size_t name_size)
{
	return entry->hash == hash && entry->kind == kind && entry->name_size == name_size + 1 &&
	       strcmp(entry->key, realm) == 0 &&
	       (!name_size || memcmp(entry->key + entry->realm_size, name, name_size) == 0);
}

struct cache_entry *store_cache_get(struct store_cache *cache, enum tp_store_kind kind, const char *realm,
				    const void *name, size_t name_size)
{
	uint64_t full = hash_bytes(hash_bytes(cache->seed ^ kind, realm, strlen(realm) + 1), name, name_size);
	uint32_t hash = (uint32_t)(full >> 16);
	struct cache_entry *entry = cache->bucket[hash % BUCKETS];

	while (entry && !entry_is(entry, hash, kind, realm, name, name_size))
		entry = entry->next;
	if (entry) {
		list_remove(cache, entry);
		list_add(cache, entry);
		return entry;
	}
	list_trim(cache, &cache->others, cache->others_len + 1, TP_STORE_ABSENT_MAX);
	entry = entry_new(kind, realm, name, name_size);
	if (!entry)
		return NULL;
	entry->hash = hash;
	entry->next = cache->bucket[hash % BUCKETS];
	cache->bucket[hash % BUCKETS] = entry;
	list_add(cache, entry);
	return entry;
}

void store_cache_answer(struct store_cache *cache, struct cache_entry *entry, const struct store_rows *rows,
			uint64_t now_ns)
{
	char *text = NULL;

	if (rows->len) {
		text = malloc(rows->size);
		if (!text)
			return;
		memcpy(text, rows->text, rows->size);
	}
	list_remove(cache, entry);
	if (entry->text)
		OPENSSL_cleanse(entry->text, entry->text_size);
	free(entry->text);
	entry->text = text;
	entry->text_size = text ? rows->size : 0;
	entry->len = rows->len;
	entry->state = text ? CACHE_FOUND : CACHE_ABSENT;
	entry->fetched_ns = now_ns;
	list_add(cache, entry);
	list_trim(cache, &cache->found, cache->found_len, TP_STORE_FOUND_MAX);
}

const char *cache_entry_text(const struct cache_entry *entry, size_t index)
{
	const char *text = entry->text;

	if (index >= entry->len)
		return NULL;
	while (index--)
		text += strlen(text) + 1;
	return text;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#define BUCKETS ((size_t)4096)
#define WAYS    4

struct entry {
    struct fan_key key;
    struct fan_cached value;
    uint64_t used; /* 0: free */
};

struct fan_cache {
    uint64_t seed, clock;
    struct entry entries[BUCKETS][WAYS];
};

int rv_fan_cache_new(struct fan_cache **ret_cache, uint64_t seed)
{
    struct fan_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return -ENOMEM;
    cache->seed = seed;
    *ret_cache = cache;
    return 0;
}

void rv_fan_cache_free(struct fan_cache **cache)
{
    free(*cache);
    *cache = NULL;
}

static struct entry *bucket_of(struct fan_cache *cache, const struct fan_key *key)
{
    uint64_t hash = rv_mix64(cache->seed ^ key->inode);

    hash = rv_mix64(hash ^ key->program_inode ^ (uint64_t)key->dev << 32);
    hash = rv_mix64(hash ^ key->extra ^ (uint64_t)key->euid << 32 ^ key->action);
    return cache->entries[hash % BUCKETS];
}

struct fan_cached *rv_fan_cache_get(struct fan_cache *cache, const struct fan_key *key)
{
    struct entry *bucket = bucket_of(cache, key);

    for (size_t i = 0; i < WAYS; i++) {
        if (bucket[i].used && memcmp(&bucket[i].key, key, sizeof(*key)) == 0) {
            bucket[i].used = ++cache->clock;
            return &bucket[i].value;
        }
    }
    return NULL;
}

/** The same question about a file or program that has changed since: never asked again. */
static bool is_stale(const struct fan_key *old, const struct fan_key *key)
{
    return old->epoch != key->epoch ||
           (old->inode == key->inode && old->dev == key->dev && old->ctime_ns != key->ctime_ns);
}

bool rv_fan_cache_put(struct fan_cache *cache, const struct fan_key *key,
                      const struct fan_cached *value)
{
    struct entry *bucket = bucket_of(cache, key), *place = NULL;
    bool evicted;

    for (size_t i = 0; i < WAYS && !place; i++) {
        if (bucket[i].used && memcmp(&bucket[i].key, key, sizeof(*key)) == 0)
            place = &bucket[i];
    }
    for (size_t i = 0; i < WAYS && !place; i++) {
        if (bucket[i].used == 0 || is_stale(&bucket[i].key, key))
            place = &bucket[i];
    }
    evicted = !place;
    for (size_t i = 0; i < WAYS && evicted; i++) {
        if (!place || bucket[i].used < place->used)
            place = &bucket[i];
    }
    *place = (struct entry){ *key, *value, ++cache->clock };
    return evicted;
}

#include "query/optimize/value_cache.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1 << 13 };

struct entry {
    struct entry *next; /* of its bucket */
    uint64_t hash;
    uint32_t at; /* in `entries` */
    void *value;
    const struct value_cache_kind *kind;
    uint64_t bytes;
    double worth;    /* cost by byte */
    double priority; /* cache->age at its last use, and its worth */
    int64_t used_us;
    size_t key_len;
    char key[];
};

struct value_cache {
    struct value_cache_options options;
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    struct entry *entries[VALUE_CACHE_ENTRIES_MAX]; /* in no order */
    uint64_t random;
    double age; /* the priority of the last that had to go */
    struct value_cache_stats stats;
};

enum status value_cache_open(const struct value_cache_options *options, struct value_cache **ret,
                             struct error *err)
{
    struct value_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return error_no_memory(err);
    cache->options = *options;
    cache->random = 1;
    cache->stats.bytes_max = options->bytes;
    pthread_mutex_init(&cache->lock, NULL);
    *ret = cache;
    return STATUS_OK;
}

/* Out of the table; the caller frees it. The lock is held. */
static void take_out(struct value_cache *cache, struct entry *entry)
{
    struct entry **at = &cache->buckets[entry->hash % BUCKETS];
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    struct entry *last = cache->entries[--cache->stats.entries];
    cache->entries[entry->at] = last;
    last->at = entry->at;
    cache->stats.bytes -= entry->bytes;
}

static void free_entry(struct entry *entry)
{
    entry->kind->unref(entry->value);
    free(entry);
}

void value_cache_clear(struct value_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    while (cache->stats.entries) {
        struct entry *entry = cache->entries[0];
        take_out(cache, entry);
        free_entry(entry);
    }
    pthread_mutex_unlock(&cache->lock);
}

void value_cache_close(struct value_cache *cache)
{
    if (!cache)
        return;
    value_cache_clear(cache);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static bool is_on(const struct value_cache *cache)
{
    return cache->options.bytes && cache->options.life_us;
}

/* The lock is held. One that is too old is taken out into *ret_old. */
static struct entry *find(struct value_cache *cache, struct str key, struct entry **ret_old)
{
    uint64_t hash = str_hash(key);
    int64_t now_us = sys_mono_us(cache->options.sys);
    *ret_old = NULL;
    for (struct entry *at = cache->buckets[hash % BUCKETS]; at; at = at->next) {
        if (at->hash != hash || !str_eq(str_make(at->key, at->key_len), key))
            continue;
        if (now_us - at->used_us <= cache->options.life_us)
            return at;
        take_out(cache, at);
        *ret_old = at;
        return NULL;
    }
    return NULL;
}

void *value_cache_get(struct value_cache *cache, enum value_cache_part part, struct str key)
{
    struct entry *old;
    void *value = NULL;
    if (!is_on(cache))
        return NULL;
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key, &old);
    if (entry) {
        value = entry->value;
        entry->kind->ref(value);
        entry->used_us = sys_mono_us(cache->options.sys);
        entry->priority = cache->age + entry->worth;
        cache->stats.hits[part]++;
    } else {
        cache->stats.misses[part]++;
    }
    pthread_mutex_unlock(&cache->lock);
    if (old)
        free_entry(old);
    return value;
}

bool value_cache_has(struct value_cache *cache, struct str key)
{
    struct entry *old;
    if (!is_on(cache))
        return false;
    pthread_mutex_lock(&cache->lock);
    bool has = find(cache, key, &old) != NULL;
    pthread_mutex_unlock(&cache->lock);
    if (old)
        free_entry(old);
    return has;
}

/* The one to go, of some. The lock is held. */
static struct entry *pick(struct value_cache *cache)
{
    struct entry *worst = NULL;
    for (int i = 0; i < VALUE_CACHE_LOOKED_AT; i++) {
        cache->random = cache->random * 6364136223846793005u + 1442695040888963407u;
        struct entry *one = cache->entries[(cache->random >> 33) % cache->stats.entries];
        if (!worst || one->priority < worst->priority)
            worst = one;
    }
    return worst;
}

/* Entries that have to go for `bytes` more, linked by next. The lock is held. */
static struct entry *make_room(struct value_cache *cache, uint64_t bytes)
{
    struct entry *gone = NULL;
    while (cache->stats.entries && (cache->stats.bytes + bytes > cache->options.bytes ||
                                    cache->stats.entries == VALUE_CACHE_ENTRIES_MAX)) {
        struct entry *entry = pick(cache);
        take_out(cache, entry);
        cache->age = entry->priority > cache->age ? entry->priority : cache->age;
        cache->stats.evicted++;
        entry->next = gone;
        gone = entry;
    }
    return gone;
}

void value_cache_put(struct value_cache *cache, struct str key, void *value,
                     const struct value_cache_kind *kind, uint64_t bytes, int64_t cost_us)
{
    uint64_t all = bytes + sizeof(struct entry) + key.len;
    if (!is_on(cache) || all > cache->options.bytes / VALUE_CACHE_SHARE_MAX)
        return;
    struct entry *entry = malloc(sizeof *entry + key.len), *old, *before;
    if (!entry)
        return;
    *entry = (struct entry){.hash = str_hash(key),
                            .value = value,
                            .kind = kind,
                            .bytes = all,
                            .worth = (double)(cost_us + 1) / (double)all,
                            .key_len = key.len,
                            .used_us = sys_mono_us(cache->options.sys)};
    memcpy(entry->key, key.data, key.len);
    kind->ref(value);
    pthread_mutex_lock(&cache->lock);
    before = find(cache, key, &old);
    if (before)
        take_out(cache, before);
    struct entry *gone = make_room(cache, all);
    entry->priority = cache->age + entry->worth;
    entry->at = (uint32_t)cache->stats.entries;
    cache->entries[cache->stats.entries++] = entry;
    entry->next = cache->buckets[entry->hash % BUCKETS];
    cache->buckets[entry->hash % BUCKETS] = entry;
    cache->stats.bytes += all;
    pthread_mutex_unlock(&cache->lock);
    if (old)
        free_entry(old);
    if (before)
        free_entry(before);
    for (struct entry *next; gone; gone = next) {
        next = gone->next;
        free_entry(gone);
    }
}

void value_cache_get_stats(struct value_cache *cache, struct value_cache_stats *ret)
{
    pthread_mutex_lock(&cache->lock);
    *ret = cache->stats;
    pthread_mutex_unlock(&cache->lock);
}

/* cache.c: plans that were made already. A hash table and a list by use under one lock; keys and
 * answers are copies in one block each. */
#include <stdlib.h>

#include "services/interpreter/interpreter_int.h"

struct plan_entry {
    struct plan_entry *newer, *older; /* by use */
    struct plan_entry *next;          /* in the slot */
    uint64_t hash;
    size_t key_len, answer_len;
    char bytes[];
};

enum { SLOTS_MAX = 1 << 16 };

static size_t size_of(const struct plan_entry *entry)
{
    return sizeof *entry + entry->key_len + entry->answer_len;
}

static struct str key_of(const struct plan_entry *entry)
{
    return str_make(entry->bytes, entry->key_len);
}

enum status plan_cache_init(struct plan_cache *cache, uint32_t max, struct error *err)
{
    uint32_t slots = 16;
    while (slots < max && slots < SLOTS_MAX)
        slots *= 2;
    *cache = (struct plan_cache){.max = max, .mask = slots - 1};
    cache->slots = calloc(slots, sizeof *cache->slots);
    if (!cache->slots)
        return error_no_memory(err);
    pthread_mutex_init(&cache->lock, NULL);
    return STATUS_OK;
}

void plan_cache_release(struct plan_cache *cache)
{
    for (struct plan_entry *entry = cache->newest, *older; entry; entry = older) {
        older = entry->older;
        free(entry);
    }
    free(cache->slots);
    pthread_mutex_destroy(&cache->lock);
}

static struct plan_entry **place_of(struct plan_cache *cache, struct str key, uint64_t hash)
{
    struct plan_entry **place = &cache->slots[hash & cache->mask];
    while (*place && ((*place)->hash != hash || !str_eq(key_of(*place), key)))
        place = &(*place)->next;
    return place;
}

static void unlink_use(struct plan_cache *cache, struct plan_entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        cache->oldest = entry->newer;
}

static void link_newest(struct plan_cache *cache, struct plan_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void evict_oldest(struct plan_cache *cache)
{
    struct plan_entry *entry = cache->oldest;
    struct plan_entry **place = &cache->slots[entry->hash & cache->mask];
    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    unlink_use(cache, entry);
    cache->bytes -= size_of(entry);
    cache->len--;
    cache->evictions++;
    free(entry);
}

bool plan_cache_get(struct plan_cache *cache, struct str key, struct buf *out)
{
    uint64_t hash = str_hash(key);
    pthread_mutex_lock(&cache->lock);
    struct plan_entry *entry = *place_of(cache, key, hash);
    if (entry) {
        unlink_use(cache, entry);
        link_newest(cache, entry);
        buf_append(out, entry->bytes + entry->key_len, entry->answer_len);
        cache->hits++;
    } else {
        cache->misses++;
    }
    pthread_mutex_unlock(&cache->lock);
    return entry != NULL;
}

void plan_cache_put(struct plan_cache *cache, struct str key, struct str answer)
{
    if (cache->max == 0 || key.len + answer.len > PLAN_ENTRY_BYTES_MAX)
        return;
    struct plan_entry *entry = malloc(sizeof *entry + key.len + answer.len);
    if (!entry)
        return;
    *entry =
        (struct plan_entry){.hash = str_hash(key), .key_len = key.len, .answer_len = answer.len};
    memcpy(entry->bytes, key.data, key.len);
    memcpy(entry->bytes + key.len, answer.data, answer.len);
    pthread_mutex_lock(&cache->lock);
    struct plan_entry **place = place_of(cache, key, entry->hash);
    if (*place) { /* two asked for it at once */
        free(entry);
    } else {
        *place = entry;
        link_newest(cache, entry);
        cache->bytes += size_of(entry);
        cache->len++;
        while (cache->len > cache->max || cache->bytes > PLAN_CACHE_BYTES_MAX)
            evict_oldest(cache);
    }
    pthread_mutex_unlock(&cache->lock);
}

struct plan_cache_stats plan_cache_get_stats(struct plan_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    struct plan_cache_stats stats = {cache->len, cache->max, cache->hits, cache->misses,
                                     cache->evictions};
    pthread_mutex_unlock(&cache->lock);
    return stats;
}

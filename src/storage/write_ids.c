/* write_ids.c: a ring in order of age and a hash table over it (see write_ids.h). */
#include "storage/write_ids.h"

#include <stdlib.h>
#include <xxhash.h>

enum { WRITE_IDS_FIRST_CAP = 64 };

void write_ids_init(struct write_ids *ids)
{
    *ids = (struct write_ids){0};
}

void write_ids_release(struct write_ids *ids)
{
    free(ids->ring);
    free(ids->slots);
    *ids = (struct write_ids){0};
}

static struct write_id *at(const struct write_ids *ids, uint64_t number)
{
    return &ids->ring[number & (ids->cap - 1)];
}

static uint64_t slot_mask(const struct write_ids *ids)
{
    return 2 * (uint64_t)ids->cap - 1;
}

static void slot_insert(struct write_ids *ids, uint64_t number)
{
    uint64_t slot = at(ids, number)->hash[0] & slot_mask(ids);
    while (ids->slots[slot])
        slot = (slot + 1) & slot_mask(ids);
    ids->slots[slot] = number + 1;
}

/* Linear probing with backward shift: no tombstones. */
static void slot_remove(struct write_ids *ids, uint64_t number)
{
    uint64_t mask = slot_mask(ids), hole = at(ids, number)->hash[0] & mask;
    while (ids->slots[hole] != number + 1)
        hole = (hole + 1) & mask;
    for (uint64_t slot = (hole + 1) & mask; ids->slots[slot]; slot = (slot + 1) & mask) {
        uint64_t home = at(ids, ids->slots[slot] - 1)->hash[0] & mask;
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            ids->slots[hole] = ids->slots[slot];
            hole = slot;
        }
    }
    ids->slots[hole] = 0;
}

static void pop_oldest(struct write_ids *ids)
{
    if (at(ids, ids->first)->state != WRITE_ID_GONE)
        slot_remove(ids, ids->first);
    ids->first++;
    if (ids->unsaved < ids->first)
        ids->unsaved = ids->first;
}

static enum status grow(struct write_ids *ids, struct error *err)
{
    uint32_t cap = ids->cap ? ids->cap * 2 : WRITE_IDS_FIRST_CAP;
    struct write_id *ring = malloc(cap * sizeof *ring);
    uint64_t *slots = calloc(2 * (size_t)cap, sizeof *slots);
    if (!ring || !slots) {
        free(ring);
        free(slots);
        return error_no_memory(err);
    }
    for (uint64_t n = ids->first; n < ids->end; n++)
        ring[n & (cap - 1)] = *at(ids, n);
    free(ids->ring);
    free(ids->slots);
    ids->ring = ring;
    ids->slots = slots;
    ids->cap = cap;
    for (uint64_t n = ids->first; n < ids->end; n++) {
        if (at(ids, n)->state != WRITE_ID_GONE)
            slot_insert(ids, n);
    }
    return STATUS_OK;
}

static struct write_id *find_hash(struct write_ids *ids, const uint64_t hash[2])
{
    if (!ids->cap)
        return NULL;
    uint64_t slot = hash[0] & slot_mask(ids);
    for (; ids->slots[slot]; slot = (slot + 1) & slot_mask(ids)) {
        struct write_id *entry = at(ids, ids->slots[slot] - 1);
        if (entry->hash[0] == hash[0] && entry->hash[1] == hash[1])
            return entry;
    }
    return NULL;
}

static void hash_of(struct str id, uint64_t ret[2])
{
    XXH128_hash_t hash = XXH3_128bits(id.data, id.len);
    ret[0] = hash.low64;
    ret[1] = hash.high64;
}

struct write_id *write_ids_find(struct write_ids *ids, struct str id)
{
    uint64_t hash[2];
    hash_of(id, hash);
    return find_hash(ids, hash);
}

/* Room for one more: what is older than a day goes, and the oldest when the table is full. */
static enum status make_room(struct write_ids *ids, int64_t now_us, struct error *err)
{
    while (ids->first < ids->end) {
        const struct write_id *oldest = at(ids, ids->first);
        bool old = oldest->time_us < now_us - WRITE_IDS_KEEP_US;
        if (oldest->state == WRITE_ID_PENDING ||
            (oldest->state == WRITE_ID_DONE && !old && ids->end - ids->first < WRITE_IDS_MAX))
            break;
        pop_oldest(ids);
    }
    return ids->end - ids->first == ids->cap ? grow(ids, err) : STATUS_OK;
}

static enum status push(struct write_ids *ids, const struct write_id *entry, int64_t now_us,
                        struct error *err)
{
    TRY(make_room(ids, now_us, err));
    *at(ids, ids->end) = *entry;
    slot_insert(ids, ids->end);
    ids->end++;
    return STATUS_OK;
}

enum status write_ids_add(struct write_ids *ids, struct str id, int64_t now_us,
                          uint64_t *ret_number, struct error *err)
{
    struct write_id entry = {.time_us = now_us, .state = WRITE_ID_PENDING};
    hash_of(id, entry.hash);
    TRY(push(ids, &entry, now_us, err));
    *ret_number = ids->end - 1;
    return STATUS_OK;
}

enum status write_ids_restore(struct write_ids *ids, const struct write_id *entry,
                              struct error *err)
{
    struct write_id copy = *entry;
    copy.state = WRITE_ID_DONE;
    struct write_id *known = find_hash(ids, copy.hash);
    if (known) {
        *known = copy;
        return STATUS_OK;
    }
    return push(ids, &copy, copy.time_us, err);
}

void write_ids_done(struct write_ids *ids, uint64_t number, uint64_t lsn, uint32_t rows)
{
    struct write_id *entry = at(ids, number);
    entry->state = WRITE_ID_DONE;
    entry->lsn = lsn;
    entry->rows = rows;
}

void write_ids_drop(struct write_ids *ids, uint64_t number)
{
    slot_remove(ids, number);
    at(ids, number)->state = WRITE_ID_GONE;
}

enum status write_ids_copy(const struct write_ids *ids, uint64_t number, struct write_id **ret,
                           uint32_t *ret_len, uint64_t *ret_next, struct error *err)
{
    uint64_t from = number > ids->first ? number : ids->first, end = from;
    while (end < ids->end && at(ids, end)->state != WRITE_ID_PENDING)
        end++;
    *ret = NULL;
    *ret_len = 0;
    *ret_next = end;
    if (end == from)
        return STATUS_OK;
    struct write_id *copy = malloc((end - from) * sizeof *copy);
    if (!copy)
        return error_no_memory(err);
    for (uint64_t n = from; n < end; n++) {
        if (at(ids, n)->state == WRITE_ID_DONE)
            copy[(*ret_len)++] = *at(ids, n);
    }
    *ret = copy;
    return STATUS_OK;
}

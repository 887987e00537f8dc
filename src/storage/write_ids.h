/* write_ids.h: which write ids a source has stored, so that a retried write is stored once.
 *
 * An id is kept as its 128-bit XXH3 (two ids of one source that collide by chance: once in 10^26 at
 * a million ids). Entries stand in the order of their submission, which is LSN order. An entry is
 * pending until its write is durable; a refused one is dropped.
 *
 * Bounds: at least WRITE_IDS_KEEP_US, at most WRITE_IDS_MAX entries; beyond that the oldest go
 * first even if younger than a day. Not thread-safe: guarded by the source's lock. */
#ifndef QUARRY_STORAGE_WRITE_IDS_H
#define QUARRY_STORAGE_WRITE_IDS_H

#include "base/status.h"
#include "base/str.h"

enum { WRITE_IDS_MAX = 1000000 };
#define WRITE_IDS_KEEP_US (INT64_C(24) * 3600 * 1000000)

enum write_id_state { WRITE_ID_GONE, WRITE_ID_PENDING, WRITE_ID_DONE };

/* Also the form on disk: 40 bytes, little-endian, `state` always WRITE_ID_DONE there. */
struct write_id {
    uint64_t hash[2];
    uint64_t lsn;
    int64_t time_us;
    uint32_t rows;
    uint32_t state;
};

struct write_ids {
    struct write_id *ring; /* cap entries; number n lives at n & (cap - 1) */
    uint32_t cap;
    uint64_t first, end; /* numbers of the oldest entry and of the next one */
    uint64_t *slots;     /* open addressing by hash: number + 1, 0 is free; 2 * cap of them */
    uint64_t unsaved;    /* number of the first entry that no snapshot holds */
};

void write_ids_init(struct write_ids *ids);
void write_ids_release(struct write_ids *ids);
/* NULL when unknown. Valid until the next change. */
struct write_id *write_ids_find(struct write_ids *ids, struct str id);
/* Adds an unknown id and returns its number; makes room by dropping the oldest. */
enum status write_ids_add(struct write_ids *ids, struct str id, int64_t now_us,
                          uint64_t *ret_number, struct error *err);
/* The same from its stored form. */
enum status write_ids_restore(struct write_ids *ids, const struct write_id *entry,
                              struct error *err);
void write_ids_done(struct write_ids *ids, uint64_t number, uint64_t lsn, uint32_t rows);
void write_ids_drop(struct write_ids *ids, uint64_t number);
/* Copies the stored entries from `number` on (malloc'ed) and says where to go on next time. */
enum status write_ids_copy(const struct write_ids *ids, uint64_t number, struct write_id **ret,
                           uint32_t *ret_len, uint64_t *ret_next, struct error *err);

#endif

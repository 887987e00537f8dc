/* finder.h: which segments may hold a key: the key filters of one hash index over all segments of a
 * snapshot, so that a point look-up does not ask the sidecar of every file.
 *
 * A finder is made lazily by the index thread from hash sidecars, after the first look-up has asked
 * for it, and brought up to date after each commit: filters of segments that stay are kept, new
 * segments join in groups of KEY_FILTER_FEW of one size. What no filter covers (few files of a
 * size, no sidecar yet, memory beyond FINDER_BYTES_MAX of the store) is asked itself, as is
 * everything while there is no finder: slower, never wrong. A finder serves views of other
 * snapshots too, since it is about segments and these never change.
 *
 * Threads: finders are immutable and counted; the list has its own lock, a leaf. */
#ifndef QUARRY_STORAGE_FINDER_H
#define QUARRY_STORAGE_FINDER_H

#include <pthread.h>

#include "storage/table/snapshot.h"

enum { FINDER_SEGMENTS_MIN = 16 }; /* fewer are asked one by one */
#define FINDER_BYTES_MAX (UINT64_C(256) << 20)

struct finder;

/* A source's finders. */
struct finder_slot {
    struct finder_slot *next;
    int32_t index_id;
    struct finder *finder; /* NULL: wanted, not made yet */
};
struct finder_list {
    pthread_mutex_t lock;
    struct finder_slot *slots;
    _Atomic uint64_t *bytes; /* what all finders of the store take */
};
void finder_list_init(struct finder_list *list, _Atomic uint64_t *bytes);
void finder_list_release(struct finder_list *list);

/* Brings the finders that are wanted up to the snapshot; those of other indexes than `defs` go. One
 * thread. */
void finder_list_refresh(struct finder_list *list, struct snapshot *snapshot,
                         const struct index_def *defs, uint32_t len);

/* Clears the bit of each of `segments` (ascending by id) that certainly has none of the hashes
 * (values_hash) in that index. The values have the types that the columns have in the segments.
 * False when nothing is known. `*ret_stale`: the index thread is to refresh. */
bool finder_narrow(struct finder_list *list, int32_t index_id, uint64_t snapshot_id,
                   struct segment *const *segments, uint32_t segments_len, const uint64_t *hashes,
                   uint32_t hashes_len, uint64_t *candidates, bool *ret_stale);

#endif

/* wal_check.h: looks at every frame of a log that nobody has open, and goes on behind damage. */
#ifndef QUARRY_STORAGE_WAL_CHECK_H
#define QUARRY_STORAGE_WAL_CHECK_H

#include "storage/wal/wal.h"

struct wal_finding {
    const char *file; /* borrowed during the call */
    uint64_t offset;
    uint64_t length; /* of a torn tail */
    bool damage;     /* false: a torn tail, or a leftover (length 0) */
    const char *what;
};
typedef enum status (*wal_finding_fn)(void *context, const struct wal_finding *finding,
                                      struct error *err);

struct wal_check_stats {
    uint64_t files, frames, bytes;
    uint64_t end_lsn; /* first LSN that the log does not hold; 0: there is no log */
};

/* Calls `visit` for each live frame (its failure STATUS_CORRUPT becomes a finding, any other ends
 * the check) and `found` for what is wrong. The same judgement as at recovery: a bad frame that was
 * acknowledged is damage, a bad end of the last segment is a torn tail. */
enum status wal_check(struct sys *sys, const char *dir, wal_replay_fn visit, wal_finding_fn found,
                      void *context, struct wal_check_stats *ret, struct error *err);
/* Overwrites a torn tail with zeros and syncs. */
enum status wal_cut_tail(struct sys *sys, const char *path, uint64_t offset, uint64_t length,
                         struct error *err);

#endif

/* compact_int.h: joining small files of one source: choosing, merging, committing.
 *
 *   compact_plan.c   which files of which partition, from the snapshot's descriptions alone
 *   compact_merge.c  k sorted files into few large ones, streaming
 *   compact.c        one merge from plan to commit; all merges of one job
 *   compactor.c      the background thread and its jobs
 *
 * A merge works on a referenced snapshot without any lock. Only taking a file number and the commit
 * take the source's flush_lock. Nothing refers to the outputs before the commit, so a crash at any
 * step leaves the old or the new state; orphans go at the next start. */
#ifndef QUARRY_STORAGE_COMPACT_INT_H
#define QUARRY_STORAGE_COMPACT_INT_H

#include "storage/store_int.h"
#include "storage/table/segment_write.h"

enum {
    COMPACT_MEMORY_BYTES = 128 << 20,   /* decoded rows of all inputs of a merge */
    COMPACT_OUT_BYTES = 8 << 20,        /* rows that are handed to the writer at once */
    COMPACT_OUT_ROWS = 8192,            /* the same in rows */
    COMPACT_GROUP_BYTES = 64 << 20,     /* plain bytes of a row group: the writer's memory */
    COMPACT_INDEX_BYTES = 256 << 20,    /* hashes of index columns of one output */
    COMPACT_IO_BYTES = 128 << 20,       /* read and written a second, unless the policy says */
    COMPACT_TIER_FLOOR_BYTES = 1 << 20, /* files below are of one size class */
    COMPACT_RETRY_US = 60000000,        /* a source is left alone so long after a failure */
    COMPACT_SLEEP_US = 20000,           /* longest nap of the I/O budget between two looks */
};
/* Of the score: what an overlap of all files, and age, add to the number of files. */
#define COMPACT_SCORE_OVERLAP 1.0
#define COMPACT_SCORE_AGE     0.5
/* A file of any size is written anew, alone if need be, when more of its rows are deleted. */
#define COMPACT_DELETED_SHARE 0.25
#define COMPACT_SCORE_STALE   1e9 /* of files from before a column widened */

/* The members that are 0 filled in. */
struct compact_policy compact_policy_fill(const struct compact_policy *policy,
                                          const struct compact_policy *defaults);

/* One merge: inputs of one partition, oldest first. */
struct compact_plan {
    struct snapshot *snapshot; /* referenced; its deletes are those that the merge leaves out */
    struct segment **inputs;   /* borrowed from it */
    uint32_t inputs_len;
    uint64_t bytes, rows; /* rows: without the deleted ones */
    double score;
};
/* The best merge of a snapshot; inputs_len 0: nothing to do. `force`: all small files of a
 * partition, without waiting for the thresholds. */
enum status compact_plan_make(struct snapshot *snapshot, const struct source_config *config,
                              const struct compact_policy *policy, bool force, int64_t now_us,
                              struct compact_plan *ret, struct error *err);
/* An output is closed at either: bytes (the source's own max_file_size_mb counts too), rows. */
uint64_t compact_target_bytes(const struct source_config *config,
                              const struct compact_policy *policy);
uint64_t compact_target_rows(const struct source_config *config);
void compact_plan_release(struct compact_plan *plan);

/* Keeps reading and writing below a rate, and notices that the work is no longer wanted. */
struct compact_pace {
    struct sys *sys;
    const _Atomic bool *cancelled, *closing; /* may be NULL */
    uint64_t bytes_per_s;
    int64_t started_us;
    uint64_t bytes;
};
/* STATUS_CANCELLED. */
enum status compact_pace_spend(struct compact_pace *pace, uint64_t bytes, struct error *err);

/* Where the merged rows have come from: runs in the order of the outputs' rows. */
struct compact_run_of_rows {
    uint32_t input, count;
    uint64_t first; /* row of the input */
};
struct compact_origin {
    struct compact_run_of_rows *runs;
    uint64_t len, cap;
};

/* Writes the plan's rows as new segments into `out` (its schema is the snapshot's): sorted by the
 * first index column, nulls first, equal ones by age and place. next_id of `out` is guarded by
 * the source's flush_lock, which is taken for opening a file. */
enum status compact_merge(struct source *source, const struct compact_plan *plan,
                          const struct compact_policy *policy, struct compact_pace *pace,
                          struct segment_batch *out, struct compact_origin *origin,
                          struct error *err);

/* All merges that the policy asks for. `info` is filled under `lock` (may be NULL). */
struct compact_run {
    struct source *source;
    struct compact_policy policy; /* filled */
    bool force;
    const _Atomic bool *cancelled;
    pthread_mutex_t *lock;
    struct compact_job_info *info;
};
enum status compact_run(struct compact_run *run, struct error *err);

#endif

/* check.h: looks at every byte of a store that nobody has open (fsck), and mends what can be mended
 * without losing anything (repair).
 *
 * Threads: one call on a directory at a time; the store's lock is held meanwhile. Both change
 * nothing that they do not report. */
#ifndef QUARRY_STORAGE_CHECK_H
#define QUARRY_STORAGE_CHECK_H

#include "sys/sys.h"

enum check_severity {
    CHECK_NOTE,       /* harmless: leftovers of a crash, removed at the next start */
    CHECK_REPAIRABLE, /* answers stay right; repair, or the running store, makes it good */
    CHECK_DAMAGE,     /* stored bytes are lost or wrong: the store refuses them */
};

/* What it is about: decides what repair does. */
enum check_kind {
    CHECK_LEFTOVER,  /* a file or directory that nothing refers to */
    CHECK_TORN_TAIL, /* the log's end */
    CHECK_INDEX,     /* a sidecar is missing or damaged */
    CHECK_SEGMENT,   /* a Parquet file */
    CHECK_WRITE_IDS, /* a file of write ids */
    CHECK_DELETES,   /* the file of deleted rows of a Parquet file of the current state */
    CHECK_METADATA,  /* source.json, CURRENT, a file that describes the current state */
    CHECK_HISTORY,   /* a file that describes a kept state, not the current one */
    CHECK_OTHERS,    /* an older metadata file, version-hint.text: for other readers */
    CHECK_LOG,       /* frames that were acknowledged */
    CHECK_UNKNOWN,   /* a file that is not ours: left alone */
};
const char *check_severity_name(enum check_severity severity);
const char *check_kind_name(enum check_kind kind);

/* Texts are borrowed during the call. */
struct check_finding {
    enum check_severity severity;
    enum check_kind kind;
    const char *file;
    int64_t offset; /* in the file; -1: not known, or all of it */
    const char *what;
    const char *source;   /* id, or "" */
    const char *segment;  /* of DELETES: the Parquet file that it is about; else NULL */
    uint64_t segment_id;  /* of SEGMENT, INDEX and DELETES */
    uint64_t snapshot_id; /* of HISTORY */
    int32_t index_id;     /* of INDEX: see storage/index/index_id.h */
    uint64_t length;      /* of TORN_TAIL */
};
typedef enum status (*check_fn)(void *context, const struct check_finding *finding,
                                struct error *err);

struct check_summary {
    uint64_t sources, segments, rows, bytes, indexes, index_entries, write_ids;
    uint64_t log_files, log_frames;
    uint64_t notes, repairable, damage;
};

/* Reads everything: source.json, CURRENT, the current snapshot, its write ids and the kept
 * snapshots (summary.rows counts the current ones'); every page of every segment with
 * its bounds and null counts; every entry of every sidecar against its segment; every frame of the
 * log; then, when nothing is damaged, a recovery that writes nothing. Findings are no failure.
 * STATUS_CONFLICT when a process has the store open, STATUS_NOT_FOUND when there is none at `path`.
 */
enum status store_check(struct sys *sys, const char *path, check_fn found, void *context,
                        struct check_summary *ret, struct error *err);

/* What repair has done with one finding; texts borrowed. */
struct repair_action {
    const char *file;
    const char *done;
    bool mended; /* false: it was left as it is */
};
typedef void (*repair_fn)(void *context, const struct repair_action *action);

struct repair_options {
    const char *path;
    /* A backup (storage/backup): damaged segments and files of deleted rows that any of its
     * generations has are taken from it. NULL: none. */
    const char *backup;
    /* Damaged segments, files of write ids and descriptions of kept states are moved to
     * DATA_PATH/damaged/<source id>/ and a snapshot without them is committed: their rows are gone
     * from the source. With a file of deleted rows goes the segment that it is about, since which
     * of its rows are deleted is not known any more. Kept states that need them are let go, with
     * their tags. */
    bool drop_damaged;
    repair_fn acted;
    void *context;
};
struct repair_summary {
    uint64_t mended, left;
};

enum { REPAIR_FINDINGS_MAX = 1000000 };

/* Runs the check, then removes leftovers, cuts a torn tail, builds sidecars, takes damaged files
 * from the backup; with drop_damaged also gives damaged files up. Can be interrupted and repeated.
 */
enum status store_repair(struct sys *sys, const struct repair_options *options,
                         struct repair_summary *ret, struct error *err);

#endif

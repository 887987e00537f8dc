/* backup.h: copies of a store's files that can be proven whole, and stores made from them.
 *
 * A backup folder holds generations that share files:
 *     objects/ab/<XXH3-128, 32 hex digits>-<bytes>   contents, each stored once
 *     manifests/<n, 8 digits>.json                   sealed; written last: a generation is whole or
 *                                                    is not there
 *     lock                                           held by the process that writes
 * A later backup copies only what is not there yet. Nothing in it is ever changed.
 *
 * A hot backup flushes each source, pins its snapshot and copies the pinned, immutable files: it
 * holds, source by source, every row acknowledged before it began, and batches whole. Writers and
 * readers go on. A cold one copies the folder, the log included.
 *
 * Threads: any; one backup at a time into one folder (STATUS_CONFLICT). */
#ifndef QUARRY_STORAGE_BACKUP_H
#define QUARRY_STORAGE_BACKUP_H

#include "storage/store.h"

/* The tenant's views, beside sources/ (services/tenant/sql_view.h): one sealed file, replaced
 * whole; a backup has it. */
#define VIEWS_FILE "views.json"

enum { BACKUP_FILES_MAX = 4000000 };

/* Read by other threads while it runs. */
struct backup_progress {
    _Atomic uint64_t files, bytes;               /* of the generation, so far */
    _Atomic uint64_t copied_files, copied_bytes; /* of these: not in the folder before */
    _Atomic bool cancel;                         /* set by others: ends with STATUS_CANCELLED */
};

struct backup_result {
    uint64_t generation;
    uint64_t sources, files, bytes, copied_files, copied_bytes;
};

/* `dest` is made when missing; a folder that is neither empty nor a backup is refused
 * (STATUS_CONFLICT). */
enum status backup_hot(struct store *store, const char *dest, struct backup_progress *progress,
                       struct backup_result *ret, struct error *err);
/* STATUS_CONFLICT when a process has the store open. */
enum status backup_cold(struct sys *sys, const char *path, const char *dest,
                        struct backup_progress *progress, struct backup_result *ret,
                        struct error *err);

/* One generation (0: the newest): reads every byte. Each bad file is handed to `found` (may be
 * NULL) and counted. */
struct backup_verdict {
    uint64_t generation, files, bytes, bad;
    int64_t time_us;
};
typedef void (*backup_bad_fn)(void *context, const char *path, const char *object,
                              const char *what);
enum status backup_verify(struct sys *sys, const char *backup, uint64_t generation,
                          backup_bad_fn found, void *context, struct backup_verdict *ret,
                          struct error *err);
/* Makes the data folder `dest` (absent or empty, else STATUS_CONFLICT). Every file is checked while
 * it is copied: STATUS_CORRUPT names the first bad one and nothing is left at `dest`. */
enum status backup_restore(struct sys *sys, const char *backup, uint64_t generation,
                           const char *dest, struct backup_verdict *ret, struct error *err);

/* Replaces one file of the data folder `data_path` (whole, synced) by what the newest generation
 * that has it holds. Only for files whose content never changes. STATUS_NOT_FOUND when none has it,
 * or the backup's source is another one of the same id. */
enum status backup_fetch(struct sys *sys, const char *backup, const char *data_path,
                         const char *path, struct error *err);

#endif

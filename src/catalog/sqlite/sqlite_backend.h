/* sqlite_backend.h: the catalog in one SQLite file: the default back end.
 *
 * WAL mode, synchronous=FULL: a commit is on disk before it returns. Writers that wait while one
 * commits are written together by the next (group commit); readers have connections of their own
 * and never wait. Several processes may have the file open. The schema is brought up to date when
 * it is opened; a file of a newer release is refused and left as it is. */
#ifndef QUARRY_CATALOG_SQLITE_BACKEND_H
#define QUARRY_CATALOG_SQLITE_BACKEND_H

#include "catalog/journal.h"

struct sqlite_backend_options {
    const char *path;         /* the file; its folder exists */
    uint32_t readers_max;     /* connections for readers; 0: 8 */
    uint32_t busy_timeout_ms; /* wait for another process that writes; 0: 10 s */
};

/* STATUS_INVALID_ARGUMENT when the file is of a newer release or not a catalog. */
enum status sqlite_backend_open(const struct sqlite_backend_options *options,
                                struct backend **ret_backend, struct error *err);

/* Consistent copy of the whole database, taken while it is used, to a file that is not there yet.
 */
enum status sqlite_backend_copy(struct backend *base, const char *path, struct error *err);

/* As journal.h has them. */
enum status sqlite_journal_read(struct backend *base, int64_t at_us, journal_fn visit,
                                void *context, struct error *err);
enum status sqlite_journal_trim(struct backend *base, int64_t before_us, struct error *err);

#endif

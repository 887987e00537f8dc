/* retention.h: logs that are too old leave the catalog, for good or for Parquet files.
 *
 * Logs are the events of a tenant. Kept for ever: the events that tell of purges and of retention
 * itself. An archive is a folder of Parquet files, a column for each field of an event
 * (log_archive.c); a file is on disk before its events leave the catalog, so a crash between may
 * archive an event twice (same id), never lose it. */
#ifndef QUARRY_CATALOG_RETENTION_H
#define QUARRY_CATALOG_RETENTION_H

#include "catalog/catalog.h"

struct retention {
    int64_t before_us;   /* events older than this go */
    const char *archive; /* folder for files of this tenant; NULL: they are deleted */
};
struct retention_result {
    int64_t removed;
    int64_t files; /* written to the archive */
};

/* Oldest first, in commits of their own; one audit event tells how many. An admin's. */
enum status retention_run(struct catalog *catalog, const struct caller *caller,
                          const struct retention *retention, struct retention_result *ret,
                          struct error *err);

/* What the tenant's settings say: data_retention_days (0: no limit) and data_retention_action
 * ("delete" or "archive"). `days` is 0 or 1 to 36500. */
struct retention_rule {
    int64_t days;
    bool archive;
};
enum status retention_rule(struct catalog *catalog, const struct caller *caller,
                           struct arena *arena, struct retention_rule *ret, struct error *err);
/* What every tenant's settings say, for all that have some; `folder` holds a folder for each. */
enum status retention_run_all(struct catalog *catalog, const char *folder, struct error *err);
/* A tenant's folder below it: its name with all but letters, digits, '-', '_' as %XX. */
enum status retention_folder(const char *folder, struct str tenant, char out[SYS_PATH_MAX],
                             struct error *err);

/* --- log_archive.c --- */
/* Events into a new Parquet file of the folder, which is made; on disk when it returns. */
enum status log_archive_write(struct sys *sys, const char *folder, const struct record *events,
                              uint32_t len, struct error *err);

#endif

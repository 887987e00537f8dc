/* backup.h: the part of a backup that is not rows: the catalog, the registry's files, the key of
 * encrypted settings. Beside the generations of storage/backup/backup.h, in the same folder:
 *
 *     control/<n, 8 digits>/catalog.db    a SQLite catalog, whatever the back end
 *     control/<n, 8 digits>/config.key    mode 0600; absent when there is none
 *     control/<n, 8 digits>/seal.json     size and hash of these, number of registry files
 *     control/registry/                   files named by their contents, shared by all generations
 *
 * Taken while the catalog is in use: the copy is of one moment, and every file that a version in it
 * names is there, since files come before the versions that name them. The folder of a generation
 * gets its name last: it is whole or not there. */
#ifndef QUARRY_CATALOG_BACKUP_H
#define QUARRY_CATALOG_BACKUP_H

#include "catalog/backend.h"
#include "sys/sys.h"

struct catalog_backup {
    struct sys *sys;
    struct backend *backend;
    const char *registry_path; /* may be missing */
    const char *key_path;      /* of config.key; may be missing */
};

struct catalog_backup_result {
    uint64_t records; /* in the catalog's copy */
    uint64_t files;   /* of the registry */
    bool key;
};

/* `generation` 0: the next one. STATUS_CONFLICT when it is there. */
enum status catalog_backup(const struct catalog_backup *what, const char *backup,
                           uint64_t generation, struct catalog_backup_result *ret,
                           struct error *err);
/* STATUS_NOT_FOUND: the generation has no such part. STATUS_CORRUPT: not what was written. */
enum status catalog_backup_verify(struct sys *sys, const char *backup, uint64_t generation,
                                  struct catalog_backup_result *ret, struct error *err);
/* Into a data folder: catalog/catalog.db, registry/, auth/config.key; verified first.
 * STATUS_CONFLICT when it has a catalog. */
enum status catalog_backup_restore(struct sys *sys, const char *backup, uint64_t generation,
                                   const char *data_path, struct catalog_backup_result *ret,
                                   struct error *err);

#endif

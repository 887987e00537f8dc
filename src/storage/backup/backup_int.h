/* backup_int.h: manifests and objects, shared by writing and reading. */
#ifndef QUARRY_STORAGE_BACKUP_INT_H
#define QUARRY_STORAGE_BACKUP_INT_H

#include "base/arena.h"
#include "storage/backup/backup.h"

enum { BACKUP_CHUNK_BYTES = 1 << 20, BACKUP_NAME_BYTES = 64 };

struct backup_file {
    struct str path; /* below the data folder, NUL-ended */
    uint64_t bytes;
    uint64_t hash[2]; /* XXH3-128: low, high */
};

struct manifest {
    struct arena arena; /* paths */
    uint64_t generation;
    int64_t time_us;
    uint64_t sources;
    bool hot;
    struct backup_file *files;
    uint32_t files_len, files_cap;
};

void manifest_init(struct manifest *manifest);
void manifest_release(struct manifest *manifest);
enum status manifest_add(struct manifest *manifest, const struct backup_file *file,
                         struct error *err);
enum status manifest_write(struct sys *sys, const char *backup, const struct manifest *manifest,
                           struct error *err);
/* Generation 0: the newest. STATUS_NOT_FOUND, STATUS_CORRUPT. */
enum status manifest_read(struct sys *sys, const char *backup, uint64_t generation,
                          struct manifest *ret, struct error *err);
/* The highest number that is there; 0: none. */
enum status manifest_newest(struct sys *sys, const char *backup, uint64_t *ret, struct error *err);

/* object.c: "ab/<hash>-<bytes>" */
void object_name(const struct backup_file *file, char out[BACKUP_NAME_BYTES]);
/* Reads a whole file, gives size and hash; copies it to `to` when that is not NULL. */
enum status object_read(struct sys *sys, const char *path, struct sys_file *to,
                        struct backup_file *ret, struct error *err);
/* Is the content there already, unharmed? */
bool object_is_whole(struct sys *sys, const char *backup, const struct backup_file *file);

#endif

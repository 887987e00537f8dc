/* fetch.c: one immutable file out of a backup, in place of a damaged one.
 *
 *   1. the newest generation whose manifest has the path, and whose source.json is of the same life
 *      of the source (names of files are used again when an id is)
 *   2. it is copied to <path>.tmp, its checksum compared, synced
 *   3. renamed into place */
#include <stdlib.h>

#include "storage/backup/backup_int.h"
#include "storage/source_files.h"

static const struct backup_file *find(const struct manifest *manifest, const char *path)
{
    for (uint32_t i = 0; i < manifest->files_len; i++)
        if (str_is(manifest->files[i].path, path))
            return &manifest->files[i];
    return NULL;
}

static enum status life_of(struct sys *sys, const char *path, struct uuid *ret, struct error *err)
{
    struct arena arena;
    struct source_config config;
    int64_t created_us;
    arena_init(&arena, 0);
    enum status status = source_config_read(sys, path, &arena, &config, ret, &created_us, err);
    arena_release(&arena);
    return status;
}

/* The source.json of the source that the path belongs to, below `root`. */
static enum status config_path(const char *path, char out[SYS_PATH_MAX], struct error *err)
{
    struct str rest = str_of(path), folder, id;
    if (!str_split(&rest, '/', &folder) || !str_split(&rest, '/', &id) ||
        !str_is(folder, "sources"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is not a file of a source", path);
    return sys_path(out, err, "sources/%.*s/source.json", STR_ARG(id));
}

static enum status same_life(struct sys *sys, const char *backup, const struct manifest *manifest,
                             const char *data_path, const char *path, bool *ret, struct error *err)
{
    char inner[SYS_PATH_MAX], own[SYS_PATH_MAX], theirs[SYS_PATH_MAX], name[BACKUP_NAME_BYTES];
    struct uuid a, b;
    *ret = false;
    TRY(config_path(path, inner, err));
    const struct backup_file *config = find(manifest, inner);
    if (!config)
        return STATUS_OK;
    object_name(config, name);
    TRY(sys_path(theirs, err, "%s/objects/%s", backup, name));
    TRY(sys_path(own, err, "%s/%s", data_path, inner));
    TRY(life_of(sys, own, &a, err));
    TRY(life_of(sys, theirs, &b, err));
    *ret = memcmp(&a, &b, sizeof a) == 0;
    return STATUS_OK;
}

/* --- 2, 3 --- */

static enum status copy(struct sys *sys, const char *object, const char *temp,
                        const struct backup_file *wanted, struct error *err)
{
    struct sys_file *to = NULL;
    struct backup_file is = {0};
    TRY(sys_open(sys, temp, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &to, err));
    enum status status = object_read(sys, object, to, &is, err);
    if (status == STATUS_OK && (is.bytes != wanted->bytes || is.hash[0] != wanted->hash[0] ||
                                is.hash[1] != wanted->hash[1]))
        status = error_set(err, STATUS_CORRUPT, "%s: the backup's content is damaged", object);
    if (status == STATUS_OK)
        status = sys_sync(sys, to, err);
    sys_close(sys, to);
    return status;
}

static enum status replace(struct sys *sys, const char *backup, const char *data_path,
                           const struct backup_file *file, struct error *err)
{
    char object[SYS_PATH_MAX], dest[SYS_PATH_MAX], temp[SYS_PATH_MAX], dir[SYS_PATH_MAX];
    char name[BACKUP_NAME_BYTES];
    object_name(file, name);
    TRY(sys_path(object, err, "%s/objects/%s", backup, name));
    TRY(sys_path(dest, err, "%s/%s", data_path, file->path.data));
    TRY(sys_path(temp, err, "%s.tmp", dest));
    TRY(sys_path(dir, err, "%s", dest));
    *strrchr(dir, '/') = 0;
    TRY(sys_mkdirs(sys, dir, err));
    enum status status = copy(sys, object, temp, file, err);
    if (status == STATUS_OK)
        status = sys_rename(sys, temp, dest, err);
    if (status != STATUS_OK) {
        (void)sys_unlink(sys, temp, NULL); /* the next start removes what stays */
        return status;
    }
    return sys_sync_dir(sys, dir, err);
}

/* `*ret_done` false: this generation does not have it. */
static enum status fetch_from(struct sys *sys, const char *backup, uint64_t generation,
                              const char *data_path, const char *path, bool *ret_done,
                              struct error *err)
{
    struct manifest manifest;
    bool same = false;
    *ret_done = false;
    enum status status = manifest_read(sys, backup, generation, &manifest, err);
    const struct backup_file *file = status == STATUS_OK ? find(&manifest, path) : NULL;
    if (file)
        status = same_life(sys, backup, &manifest, data_path, path, &same, err);
    if (file && status == STATUS_OK && same) {
        status = replace(sys, backup, data_path, file, err);
        *ret_done = status == STATUS_OK;
    }
    manifest_release(&manifest);
    return status;
}

enum status backup_fetch(struct sys *sys, const char *backup, const char *data_path,
                         const char *path, struct error *err)
{
    uint64_t newest = 0;
    bool done = false;
    TRY(manifest_newest(sys, backup, &newest, err));
    for (uint64_t generation = newest; generation > 0 && !done; generation--) {
        struct error local = ERROR_INIT;
        enum status status = fetch_from(sys, backup, generation, data_path, path, &done, &local);
        if (status == STATUS_STORAGE_FULL || status == STATUS_NO_MEMORY) {
            if (err)
                *err = local;
            return status;
        }
    } /* a damaged generation is left out: an older one may have the file */
    return done ? STATUS_OK
                : error_set(err, STATUS_NOT_FOUND, "no generation of the backup %s has %s whole",
                            backup, path);
}

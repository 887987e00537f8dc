/* restore.c: reading a generation: verify, restore.
 *
 * Restoring:
 *   1. the manifest; the place must be free
 *   2. every file is copied to <dest>.restoring and its checksum compared on the way
 *   3. folders that a store needs, though empty; everything is synced, from the leaves up
 *   4. <dest>.restoring is renamed to <dest>: the folder is whole or not there */
#include <stdlib.h>

#include "storage/backup/backup_int.h"

enum { RESTORE_DEPTH_MAX = SOURCE_COLUMNS_LISTED_MAX + 8 };

static void describe(const struct manifest *manifest, struct backup_verdict *ret)
{
    *ret = (struct backup_verdict){.generation = manifest->generation,
                                   .time_us = manifest->time_us,
                                   .files = manifest->files_len};
    for (uint32_t i = 0; i < manifest->files_len; i++)
        ret->bytes += manifest->files[i].bytes;
}

/* NULL when the content is right. */
static const char *wrong_content(const struct backup_file *wanted, const struct backup_file *found,
                                 enum status status)
{
    if (status == STATUS_NOT_FOUND)
        return "it is missing";
    if (status != STATUS_OK)
        return "it cannot be read";
    if (found->bytes != wanted->bytes)
        return "it is of another size";
    return found->hash[0] == wanted->hash[0] && found->hash[1] == wanted->hash[1]
               ? NULL
               : "its checksum does not match";
}

static enum status object_path(const char *backup, const struct backup_file *file,
                               char out[SYS_PATH_MAX], struct error *err)
{
    char name[BACKUP_NAME_BYTES];
    object_name(file, name);
    return sys_path(out, err, "%s/objects/%s", backup, name);
}

enum status backup_verify(struct sys *sys, const char *backup, uint64_t generation,
                          backup_bad_fn found, void *context, struct backup_verdict *ret,
                          struct error *err)
{
    struct manifest manifest;
    enum status status = manifest_read(sys, backup, generation, &manifest, err);
    describe(&manifest, ret);
    for (uint32_t i = 0; i < manifest.files_len && status == STATUS_OK; i++) {
        const struct backup_file *file = &manifest.files[i];
        char object[SYS_PATH_MAX];
        struct backup_file is = {0};
        status = object_path(backup, file, object, err);
        if (status != STATUS_OK)
            break;
        const char *what = wrong_content(file, &is, object_read(sys, object, NULL, &is, NULL));
        ret->bad += what != NULL;
        if (what && found)
            found(context, file->path.data, object, what);
    }
    manifest_release(&manifest);
    return status;
}

/* --- 2 --- */

static enum status make_parents(struct sys *sys, const char *path, struct error *err)
{
    char dir[SYS_PATH_MAX];
    TRY(sys_path(dir, err, "%s", path));
    *strrchr(dir, '/') = 0;
    return sys_mkdirs(sys, dir, err);
}

static enum status restore_file(struct sys *sys, const char *backup, const struct backup_file *file,
                                const char *dest, struct error *err)
{
    char object[SYS_PATH_MAX], path[SYS_PATH_MAX];
    struct sys_file *to = NULL;
    struct backup_file is = {0};
    struct error local = ERROR_INIT;
    TRY(object_path(backup, file, object, err));
    TRY(sys_path(path, err, "%s/%s", dest, file->path.data));
    TRY(make_parents(sys, path, err));
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE, &to, err));
    enum status status = object_read(sys, object, to, &is, &local);
    const char *wrong = wrong_content(file, &is, status);
    if (status == STATUS_STORAGE_FULL || status == STATUS_NO_MEMORY) {
        if (err)
            *err = local;
    } else if (wrong) {
        status =
            error_set(err, STATUS_CORRUPT, "%s, which is %s: %s", object, file->path.data, wrong);
    } else {
        status = sys_sync(sys, to, err);
    }
    sys_close(sys, to);
    return status;
}

/* --- 3 --- */

static enum status gather(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct buf *names = context;
    if (entry->is_dir)
        buf_append(names, entry->name, strlen(entry->name) + 1);
    return buf_check(names, "the list of folders", err);
}

static enum status list_dirs(struct sys *sys, const char *path, struct buf *ret, struct error *err)
{
    buf_init(ret, 64u << 20);
    return sys_list_dir(sys, path, gather, ret, err);
}

static enum status make_source_dirs(struct sys *sys, const char *dest, struct error *err)
{
    static const char *const parts[] = {"data", "index", "metadata"};
    char path[SYS_PATH_MAX];
    struct buf names;
    TRY(sys_path(path, err, "%s/sources", dest));
    TRY(sys_mkdirs(sys, path, err));
    enum status status = list_dirs(sys, path, &names, err);
    for (size_t at = 0; at < names.len && status == STATUS_OK; at += strlen(names.data + at) + 1) {
        for (size_t i = 0; i < 3 && status == STATUS_OK; i++) {
            status = sys_path(path, err, "%s/sources/%s/%s", dest, names.data + at, parts[i]);
            if (status == STATUS_OK)
                status = sys_mkdirs(sys, path, err);
        }
    }
    buf_release(&names);
    return status;
}

static enum status sync_tree(struct sys *sys, const char *path, int depth, struct error *err)
{
    char inner[SYS_PATH_MAX];
    struct buf names;
    if (depth > RESTORE_DEPTH_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "folders are nested deeper than %d",
                         RESTORE_DEPTH_MAX);
    enum status status = list_dirs(sys, path, &names, err);
    for (size_t at = 0; at < names.len && status == STATUS_OK; at += strlen(names.data + at) + 1) {
        status = sys_path(inner, err, "%s/%s", path, names.data + at);
        if (status == STATUS_OK)
            status = sync_tree(sys, inner, depth + 1, err);
    }
    buf_release(&names);
    return status == STATUS_OK ? sys_sync_dir(sys, path, err) : status;
}

/* --- 1, 4 --- */

static enum status any_entry(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    (void)entry;
    (void)err;
    *(bool *)context = true;
    return STATUS_OK;
}

static enum status check_place(struct sys *sys, const char *dest, const char *temp,
                               struct error *err)
{
    struct sys_stat stat;
    bool any = false;
    if (sys_stat(sys, temp, &stat, NULL) == STATUS_OK)
        return error_set(err, STATUS_CONFLICT,
                         "%s is left by a restore that was interrupted: remove it first", temp);
    if (sys_stat(sys, dest, &stat, NULL) != STATUS_OK)
        return STATUS_OK;
    if (stat.is_dir)
        TRY(sys_list_dir(sys, dest, any_entry, &any, err));
    if (any || !stat.is_dir)
        return error_set(err, STATUS_CONFLICT, "%s is not empty: nothing is overwritten", dest);
    return STATUS_OK;
}

static enum status put_in_place(struct sys *sys, const char *temp, const char *dest,
                                struct error *err)
{
    char parent[SYS_PATH_MAX];
    struct sys_stat stat;
    if (sys_stat(sys, dest, &stat, NULL) == STATUS_OK)
        TRY(sys_rmdir(sys, dest, err)); /* it is empty */
    TRY(sys_rename(sys, temp, dest, err));
    TRY(sys_path(parent, err, "%s", dest));
    char *slash = strrchr(parent, '/');
    if (!slash)
        TRY(sys_path(parent, err, "."));
    else
        slash[slash == parent] = 0;
    return sys_sync_dir(sys, parent, err);
}

static enum status restore_all(struct sys *sys, const char *backup, const struct manifest *manifest,
                               const char *temp, struct error *err)
{
    TRY(sys_mkdirs(sys, temp, err));
    for (uint32_t i = 0; i < manifest->files_len; i++)
        TRY(restore_file(sys, backup, &manifest->files[i], temp, err));
    TRY(make_source_dirs(sys, temp, err));
    return sync_tree(sys, temp, 0, err);
}

enum status backup_restore(struct sys *sys, const char *backup, uint64_t generation,
                           const char *dest, struct backup_verdict *ret, struct error *err)
{
    char place[SYS_PATH_MAX], temp[SYS_PATH_MAX];
    struct manifest manifest;
    TRY(sys_path(place, err, "%s", dest));
    for (size_t len = strlen(place); len > 1 && place[len - 1] == '/'; len--)
        place[len - 1] = 0;
    TRY(sys_path(temp, err, "%s.restoring", place));
    enum status status = manifest_read(sys, backup, generation, &manifest, err);
    describe(&manifest, ret);
    if (status == STATUS_OK)
        status = check_place(sys, place, temp, err);
    if (status == STATUS_OK) {
        status = restore_all(sys, backup, &manifest, temp, err);
        if (status == STATUS_OK)
            status = put_in_place(sys, temp, place, err);
        if (status != STATUS_OK)
            (void)sys_remove_tree(sys, temp, NULL); /* the next restore names what stays */
    }
    manifest_release(&manifest);
    return status;
}

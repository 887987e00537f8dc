/* backup.c: writing a generation.
 *
 *   1. open the folder: lock, number of the generation
 *   2. hot: for each source: flush; under its flush lock pin the snapshot and take the small files;
 *      then the pinned segments and sidecars, without any lock
 *      cold: with the store locked, every file of it
 *   3. sync the folders of new objects, then write the manifest: that is the commit
 * A backup that ends early leaves objects without a manifest; the next one finds and uses them. */
#include "storage/backup/backup.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/backup/backup_int.h"
#include "storage/source_files.h"

struct backup {
    struct sys *sys;
    const char *dest;
    struct sys_file *lock;
    struct manifest manifest;
    struct backup_progress *progress;
    struct backup_progress own; /* when the caller wants none */
    bool touched[256];          /* folders of objects */
};

/* --- 1 --- */

static enum status count_entry(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    (void)entry;
    (void)err;
    ++*(uint32_t *)context;
    return STATUS_OK;
}

/* Absent, empty, or a backup. */
static enum status check_dest(struct backup *b, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    uint32_t entries = 0;
    TRY(sys_path(path, err, "%s/manifests", b->dest));
    if (sys_stat(b->sys, path, &stat, NULL) == STATUS_OK ||
        sys_stat(b->sys, b->dest, &stat, NULL) == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(sys_list_dir(b->sys, b->dest, count_entry, &entries, err));
    return entries == 0
               ? STATUS_OK
               : error_set(err, STATUS_CONFLICT,
                           "%s is neither empty nor a backup: nothing was written", b->dest);
}

static enum status open_dest(struct backup *b, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(check_dest(b, err));
    TRY(sys_path(path, err, "%s/objects", b->dest));
    TRY(sys_mkdirs(b->sys, path, err));
    TRY(sys_path(path, err, "%s/manifests", b->dest));
    TRY(sys_mkdirs(b->sys, path, err));
    TRY(sys_sync_dir(b->sys, b->dest, err));
    TRY(sys_path(path, err, "%s/lock", b->dest));
    TRY(sys_open(b->sys, path, SYS_READ | SYS_WRITE | SYS_CREATE, &b->lock, err));
    if (sys_lock(b->sys, b->lock, NULL) != STATUS_OK)
        return error_set(err, STATUS_CONFLICT, "another backup is written to %s", b->dest);
    TRY(manifest_newest(b->sys, b->dest, &b->manifest.generation, err));
    b->manifest.generation++;
    b->manifest.time_us = sys_now_us(b->sys);
    return STATUS_OK;
}

/* --- 2: one file --- */

static enum status store_object(struct backup *b, const char *from, struct backup_file *file,
                                struct error *err)
{
    char dir[SYS_PATH_MAX], temp[SYS_PATH_MAX], path[SYS_PATH_MAX], name[BACKUP_NAME_BYTES];
    struct sys_file *to = NULL;
    struct backup_file copied;
    object_name(file, name);
    TRY(sys_path(dir, err, "%s/objects/%.2s", b->dest, name));
    TRY(sys_path(path, err, "%s/objects/%s", b->dest, name));
    TRY(sys_path(temp, err, "%s/objects/next.tmp", b->dest));
    TRY(sys_mkdirs(b->sys, dir, err));
    TRY(sys_open(b->sys, temp, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &to, err));
    enum status status = object_read(b->sys, from, to, &copied, err);
    if (status == STATUS_OK && (copied.bytes != file->bytes || copied.hash[0] != file->hash[0] ||
                                copied.hash[1] != file->hash[1]))
        status = error_set(err, STATUS_IO, "%s has changed while it was copied", from);
    if (status == STATUS_OK)
        status = sys_sync(b->sys, to, err);
    sys_close(b->sys, to);
    if (status == STATUS_OK)
        status = sys_rename(b->sys, temp, path, err);
    if (status != STATUS_OK) {
        (void)sys_unlink(b->sys, temp, NULL); /* the next backup writes over what stays */
        return status;
    }
    b->touched[file->hash[1] >> 56] = true;
    atomic_fetch_add(&b->progress->copied_files, 1);
    atomic_fetch_add(&b->progress->copied_bytes, file->bytes);
    return STATUS_OK;
}

/* The file `from` as `path` of the data folder. */
static enum status add_file(struct backup *b, const char *from, const char *path, struct error *err)
{
    struct backup_file file = {.path = str_of(path)};
    if (atomic_load(&b->progress->cancel))
        return error_set(err, STATUS_CANCELLED, "the backup was cancelled");
    TRY(object_read(b->sys, from, NULL, &file, err));
    if (!object_is_whole(b->sys, b->dest, &file))
        TRY(store_object(b, from, &file, err));
    atomic_fetch_add(&b->progress->files, 1);
    atomic_fetch_add(&b->progress->bytes, file.bytes);
    return manifest_add(&b->manifest, &file, err);
}

/* --- 2: hot --- */

static const char *id_of(const struct source_pin *p)
{
    return p->config->source_id.data;
}

static enum status add_own(struct backup *b, const struct source_pin *p, const char *inner,
                           struct error *err)
{
    char from[SYS_PATH_MAX], path[SYS_PATH_MAX];
    TRY(sys_path(from, err, "%s/%s", p->dir, inner));
    TRY(sys_path(path, err, "sources/%s/%s", id_of(p), inner));
    return add_file(b, from, path, err);
}

/* Bytes that are no file of the source, as metadata/<name>. */
static enum status add_made(struct backup *b, const struct source_pin *p, const char *name,
                            struct slice bytes, struct error *err)
{
    char temp[SYS_PATH_MAX], path[SYS_PATH_MAX];
    TRY(sys_path(temp, err, "%s/objects/current.tmp", b->dest));
    TRY(sys_path(path, err, "sources/%s/metadata/%s", id_of(p), name));
    TRY(sys_replace_file(b->sys, temp, bytes, err));
    enum status status = add_file(b, temp, path, err);
    (void)sys_unlink(b->sys, temp, NULL); /* written over by the next */
    return status;
}

static enum status add_current(struct backup *b, const struct source_pin *p, const char *name,
                               struct error *err)
{
    char temp[SYS_PATH_MAX], path[SYS_PATH_MAX];
    struct buf text;
    TRY(sys_path(temp, err, "%s/objects/current.tmp", b->dest));
    TRY(sys_path(path, err, "sources/%s/metadata/CURRENT", id_of(p)));
    buf_init(&text, 4096);
    table_current_text(name, &text);
    enum status status = buf_check(&text, "CURRENT", err);
    if (status == STATUS_OK)
        status = sealed_write(b->sys, temp, buf_str(&text), err);
    if (status == STATUS_OK)
        status = add_file(b, temp, path, err);
    (void)sys_unlink(b->sys, temp, NULL); /* written over by the next */
    buf_release(&text);
    return status;
}

/* The table as it is while nothing but this snapshot is known. */
static enum status add_table(struct backup *b, const struct source_pin *p, struct error *err)
{
    struct table_copy copy;
    TRY(table_copy_current(p->table, &copy, err));
    struct str hint = table_hint_text(copy.name);
    enum status status = add_made(b, p, copy.name, (struct slice){copy.bytes, copy.len}, err);
    if (status == STATUS_OK)
        status = add_made(b, p, "version-hint.text", (struct slice){hint.data, hint.len}, err);
    if (status == STATUS_OK)
        status = add_current(b, p, copy.name, err);
    free(copy.bytes);
    return status;
}

/* While nothing is flushed: these files stay what they are. */
static enum status add_metadata(void *context, const struct source_pin *p, struct error *err)
{
    struct backup *b = context;
    char inner[SYS_PATH_MAX];
    const struct snapshot *snapshot = p->snapshot;
    TRY(add_own(b, p, "source.json", err));
    if (snapshot->id == 0)
        return STATUS_OK;
    for (uint32_t i = 0; i < snapshot->meta_files_len; i++) {
        TRY(sys_path(inner, err, "metadata/%s", snapshot->meta_files[i].data));
        TRY(add_own(b, p, inner, err));
    }
    for (uint32_t i = 0; i < snapshot->id_files_len; i++) {
        TRY(sys_path(inner, err, "metadata/%s", snapshot->id_files[i].name.data));
        TRY(add_own(b, p, inner, err));
    }
    return add_table(b, p, err);
}

/* A sidecar may be missing: the restored store makes it. */
static enum status add_sidecars(struct backup *b, const struct source_pin *p,
                                struct segment *segment, struct error *err)
{
    char from[SYS_PATH_MAX], path[SYS_PATH_MAX];
    struct sys_stat stat;
    struct index_def indexes[SOURCE_INDEXES_MAX];
    uint32_t len = source_indexes(p->config, p->snapshot->schema, indexes);
    for (uint32_t i = 0; i < len; i++) {
        struct error local = ERROR_INIT;
        TRY(segment_index_path(segment, indexes[i].id, from, err));
        TRY(sys_path(path, err, "sources/%s/index/%s", id_of(p), strrchr(from, '/') + 1));
        if (!segment_has_columns(segment, &indexes[i]) || sys_stat(b->sys, from, &stat, NULL))
            continue;
        enum status status = add_file(b, from, path, &local);
        if (status == STATUS_OK || status == STATUS_NOT_FOUND)
            continue;
        if (err)
            *err = local;
        return status;
    }
    return STATUS_OK;
}

static enum status add_segments(struct backup *b, const struct source_pin *p, struct error *err)
{
    char path[SYS_PATH_MAX];
    for (uint32_t i = 0; i < p->snapshot->segments_len; i++) {
        struct segment *segment = p->snapshot->segments[i];
        TRY(sys_path(path, err, "sources/%s/%s", id_of(p), segment_meta(segment)->path.data));
        TRY(add_file(b, segment_info(segment).path, path, err));
        TRY(add_sidecars(b, p, segment, err));
        if (p->snapshot->deletions && p->snapshot->deletions[i])
            TRY(add_own(b, p, deletion_file(p->snapshot->deletions[i])->path.data, err));
    }
    return STATUS_OK;
}

/* A source that is removed meanwhile is left out wholly. */
static enum status add_source(struct backup *b, struct source *source, struct error *err)
{
    struct source_pin p = {0};
    uint32_t files = b->manifest.files_len;
    struct error local = ERROR_INIT;
    enum status status = source_flush(source, &local);
    if (status == STATUS_OK)
        status = source_pin(source, add_metadata, b, &p, &local);
    if (status == STATUS_OK)
        status = add_segments(b, &p, &local);
    source_unpin(&p);
    if (source_is_removed(source)) {
        b->manifest.files_len = files;
        return STATUS_OK;
    }
    b->manifest.sources++;
    if (status != STATUS_OK && err)
        *err = local;
    return status;
}

static enum status add_all_sources(struct backup *b, struct store *store, struct error *err)
{
    struct source **sources = NULL;
    uint32_t len = 0;
    TRY(store_list_sources(store, &sources, &len, err));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len; i++) {
        if (status == STATUS_OK)
            status = add_source(b, sources[i], err);
        source_unref(sources[i]);
    }
    free(sources);
    return status;
}

/* --- 2: both --- */

/* After the sources: what it says of them may be ahead of what was copied (its reader knows). */
static enum status add_views(struct backup *b, const char *root, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    TRY(sys_path(path, err, "%s/" VIEWS_FILE, root));
    if (sys_stat(b->sys, path, &stat, NULL) != STATUS_OK)
        return STATUS_OK;
    return add_file(b, path, VIEWS_FILE, err);
}

/* --- 2: cold --- */

enum { COLD_DEPTH_MAX = SOURCE_COLUMNS_LISTED_MAX + 8 };

static enum status gather(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct buf *names = context;
    buf_append_char(names, entry->is_dir ? 'd' : 'f');
    buf_append(names, entry->name, strlen(entry->name) + 1);
    return buf_check(names, "the list of files", err);
}

/* Everything below root/<inner> but what a start would remove anyway. */
static enum status add_tree(struct backup *b, const char *root, const char *inner, int depth,
                            struct error *err)
{
    char path[SYS_PATH_MAX], below[SYS_PATH_MAX];
    struct buf names;
    if (depth > COLD_DEPTH_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "folders are nested deeper than %d",
                         COLD_DEPTH_MAX);
    TRY(sys_path(path, err, "%s/%s", root, inner));
    buf_init(&names, 64u << 20);
    enum status status = sys_list_dir(b->sys, path, gather, &names, err);
    for (size_t at = 0; at < names.len && status == STATUS_OK;) {
        bool is_dir = names.data[at] == 'd';
        const char *name = names.data + at + 1;
        at += strlen(name) + 2;
        if (str_starts(str_of(name), STR(".trash-")) || str_ends(str_of(name), STR(".tmp")) ||
            str_ends(str_of(name), STR(".spare")))
            continue;
        status = sys_path(below, err, "%s/%s", inner, name);
        if (status == STATUS_OK)
            status = sys_path(path, err, "%s/%s", root, below);
        if (status == STATUS_OK)
            status =
                is_dir ? add_tree(b, root, below, depth + 1, err) : add_file(b, path, below, err);
        if (status == STATUS_OK && depth == 0)
            b->manifest.sources += is_dir;
    }
    buf_release(&names);
    return status;
}

/* --- 3 --- */

static enum status commit(struct backup *b, struct error *err)
{
    char path[SYS_PATH_MAX];
    for (unsigned i = 0; i < 256; i++) {
        if (!b->touched[i])
            continue;
        TRY(sys_path(path, err, "%s/objects/%02x", b->dest, i));
        TRY(sys_sync_dir(b->sys, path, err));
    }
    TRY(sys_path(path, err, "%s/objects", b->dest));
    TRY(sys_sync_dir(b->sys, path, err));
    return manifest_write(b->sys, b->dest, &b->manifest, err);
}

static enum status finish(struct backup *b, enum status status, struct backup_result *ret,
                          struct error *err)
{
    if (status == STATUS_OK)
        status = commit(b, err);
    if (status == STATUS_OK)
        *ret = (struct backup_result){.generation = b->manifest.generation,
                                      .sources = b->manifest.sources,
                                      .files = atomic_load(&b->progress->files),
                                      .bytes = atomic_load(&b->progress->bytes),
                                      .copied_files = atomic_load(&b->progress->copied_files),
                                      .copied_bytes = atomic_load(&b->progress->copied_bytes)};
    manifest_release(&b->manifest);
    sys_close(b->sys, b->lock);
    return status;
}

enum status backup_hot(struct store *store, const char *dest, struct backup_progress *progress,
                       struct backup_result *ret, struct error *err)
{
    struct backup b = {.sys = store_sys(store), .dest = dest};
    b.progress = progress ? progress : &b.own;
    manifest_init(&b.manifest);
    b.manifest.hot = true;
    enum status status = open_dest(&b, err);
    if (status == STATUS_OK)
        status = add_all_sources(&b, store, err);
    if (status == STATUS_OK)
        status = add_views(&b, store_path(store), err);
    return finish(&b, status, ret, err);
}

static enum status lock_store(struct sys *sys, const char *path, struct sys_file **ret,
                              struct error *err)
{
    char file[SYS_PATH_MAX];
    struct sys_stat stat;
    TRY(sys_path(file, err, "%s/sources", path));
    if (sys_stat(sys, file, &stat, NULL) != STATUS_OK || !stat.is_dir)
        return error_set(err, STATUS_NOT_FOUND, "%s is not a data directory of Quarry", path);
    TRY(sys_path(file, err, "%s/lock", path));
    TRY(sys_open(sys, file, SYS_READ | SYS_WRITE | SYS_CREATE, ret, err));
    if (sys_lock(sys, *ret, NULL) == STATUS_OK)
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT,
                     "%s is in use: name the server's URL for a backup while it runs", path);
}

enum status backup_cold(struct sys *sys, const char *path, const char *dest,
                        struct backup_progress *progress, struct backup_result *ret,
                        struct error *err)
{
    struct backup b = {.sys = sys, .dest = dest};
    struct sys_file *lock = NULL;
    struct sys_stat stat;
    char wal[SYS_PATH_MAX];
    b.progress = progress ? progress : &b.own;
    manifest_init(&b.manifest);
    enum status status = lock_store(sys, path, &lock, err);
    if (status == STATUS_OK)
        status = open_dest(&b, err);
    if (status == STATUS_OK)
        status = sys_path(wal, err, "%s/wal", path);
    if (status == STATUS_OK && sys_stat(sys, wal, &stat, NULL) == STATUS_OK)
        status = add_tree(&b, path, "wal", 0, err);
    if (status == STATUS_OK)
        status = add_tree(&b, path, "sources", 0, err);
    if (status == STATUS_OK)
        status = add_views(&b, path, err);
    status = finish(&b, status, ret, err);
    sys_close(sys, lock);
    return status;
}

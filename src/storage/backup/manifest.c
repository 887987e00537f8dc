/* manifest.c: the list of one generation: manifests/NNNNNNNN.json, sealed (docs/formats.md). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/backup/backup_int.h"
#include "storage/table/snapshot.h"

void manifest_init(struct manifest *manifest)
{
    *manifest = (struct manifest){0};
    arena_init(&manifest->arena, 0);
}

void manifest_release(struct manifest *manifest)
{
    free(manifest->files);
    arena_release(&manifest->arena);
    *manifest = (struct manifest){0};
}

enum status manifest_add(struct manifest *manifest, const struct backup_file *file,
                         struct error *err)
{
    if (manifest->files_len == BACKUP_FILES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a backup has at most %d files",
                         BACKUP_FILES_MAX);
    if (manifest->files_len == manifest->files_cap) {
        uint32_t cap = manifest->files_cap ? manifest->files_cap * 2 : 256;
        struct backup_file *grown = realloc(manifest->files, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        manifest->files = grown;
        manifest->files_cap = cap;
    }
    struct backup_file copy = *file;
    copy.path = arena_str(&manifest->arena, file->path);
    if (!copy.path.data)
        return error_no_memory(err);
    manifest->files[manifest->files_len++] = copy;
    return STATUS_OK;
}

static enum status manifest_path(const char *backup, uint64_t generation, char out[SYS_PATH_MAX],
                                 struct error *err)
{
    return sys_path(out, err, "%s/manifests/%08" PRIu64 ".json", backup, generation);
}

static void write_file(struct json_writer *w, const struct backup_file *file)
{
    char hash[40];
    snprintf(hash, sizeof hash, "%016" PRIx64 "%016" PRIx64, file->hash[1], file->hash[0]);
    json_begin_object(w);
    json_kv_str(w, "path", file->path);
    json_kv_int(w, "bytes", (int64_t)file->bytes);
    json_kv_strz(w, "xxh3_128", hash);
    json_end_object(w);
}

enum status manifest_write(struct sys *sys, const char *backup, const struct manifest *manifest,
                           struct error *err)
{
    char path[SYS_PATH_MAX];
    struct buf buf;
    struct json_writer writer, *w = &writer;
    TRY(manifest_path(backup, manifest->generation, path, err));
    buf_init(&buf, SEALED_BYTES_MAX);
    json_writer_init(w, &buf);
    json_begin_object(w);
    json_kv_strz(w, "format", "quarry-backup");
    json_kv_int(w, "version", 1);
    json_kv_int(w, "generation", (int64_t)manifest->generation);
    json_kv_int(w, "time_us", manifest->time_us);
    json_kv_strz(w, "kind", manifest->hot ? "hot" : "cold");
    json_kv_int(w, "sources", (int64_t)manifest->sources);
    json_keyz(w, "files");
    json_begin_array(w);
    for (uint32_t i = 0; i < manifest->files_len; i++)
        write_file(w, &manifest->files[i]);
    json_end_array(w);
    json_end_object(w);
    enum status status = buf_check(&buf, "a manifest", err);
    if (status == STATUS_OK)
        status = sealed_write(sys, path, buf_str(&buf), err);
    buf_release(&buf);
    return status;
}

/* --- reading --- */

static bool parse_hash(struct str text, uint64_t hash[2])
{
    if (text.len != 32)
        return false;
    hash[0] = hash[1] = 0;
    for (size_t i = 0; i < 32; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        hash[i < 16] = hash[i < 16] << 4 | (uint64_t)digit;
    }
    return true;
}

/* A restore writes there: below sources/ or wal/, no way up. */
static bool is_safe(struct str path)
{
    if (!path.data || memchr(path.data, 0, path.len) ||
        !(str_starts(path, STR("sources/")) || str_starts(path, STR("wal/")) ||
          str_is(path, VIEWS_FILE)))
        return false;
    struct str part;
    while (str_split(&path, '/', &part)) {
        if (part.len == 0 || str_is(part, ".") || str_is(part, ".."))
            return false;
    }
    return true;
}

static enum status read_files(yyjson_val *list, struct manifest *manifest, struct error *err)
{
    size_t index, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, index, max, item)
    {
        struct backup_file file = {.path = json_str_of(json_get(item, "path"))};
        yyjson_val *bytes = json_get(item, "bytes");
        file.bytes = yyjson_get_uint(bytes);
        if (!is_safe(file.path) || !yyjson_is_uint(bytes) ||
            !parse_hash(json_str_of(json_get(item, "xxh3_128")), file.hash))
            return error_set(err, STATUS_CORRUPT, "a file of the manifest is wrong");
        TRY(manifest_add(manifest, &file, err));
    }
    return STATUS_OK;
}

static enum status read_root(yyjson_val *root, struct manifest *manifest, struct error *err)
{
    if (!str_eq(json_str_of(json_get(root, "format")), STR("quarry-backup")) ||
        yyjson_get_uint(json_get(root, "version")) != 1 || !yyjson_is_arr(json_get(root, "files")))
        return error_set(err, STATUS_CORRUPT, "not a manifest that this release knows");
    manifest->generation = yyjson_get_uint(json_get(root, "generation"));
    manifest->time_us = yyjson_get_sint(json_get(root, "time_us"));
    manifest->sources = yyjson_get_uint(json_get(root, "sources"));
    manifest->hot = str_eq(json_str_of(json_get(root, "kind")), STR("hot"));
    return read_files(json_get(root, "files"), manifest, err);
}

static enum status take_number(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    uint64_t *newest = context;
    struct str name = str_of(entry->name);
    int64_t number;
    (void)err;
    if (!entry->is_dir && str_ends(name, STR(".json")) &&
        str_to_int64(str_make(name.data, name.len - 5), &number) && number > 0 &&
        (uint64_t)number > *newest)
        *newest = (uint64_t)number;
    return STATUS_OK;
}

enum status manifest_newest(struct sys *sys, const char *backup, uint64_t *ret, struct error *err)
{
    char path[SYS_PATH_MAX];
    *ret = 0;
    TRY(sys_path(path, err, "%s/manifests", backup));
    return sys_list_dir(sys, path, take_number, ret, err);
}

enum status manifest_read(struct sys *sys, const char *backup, uint64_t generation,
                          struct manifest *ret, struct error *err)
{
    char path[SYS_PATH_MAX];
    yyjson_doc *doc = NULL;
    yyjson_val *root = NULL;
    manifest_init(ret);
    if (!generation &&
        (manifest_newest(sys, backup, &generation, NULL) != STATUS_OK || generation == 0))
        return error_set(err, STATUS_NOT_FOUND, "%s holds no backup", backup);
    TRY(manifest_path(backup, generation, path, err));
    TRY(sealed_read(sys, path, &doc, &root, err));
    enum status status = read_root(root, ret, err);
    yyjson_doc_free(doc);
    if (status == STATUS_OK && ret->generation != generation)
        status = error_set(err, STATUS_CORRUPT, "it is of another generation");
    return status == STATUS_CORRUPT ? error_wrap(err, "%s is damaged", path) : status;
}

/* backup.c: see backup.h. */
#include "catalog/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "catalog/folder.h"
#include "catalog/hybrid/hybrid_backend.h"
#include "catalog/journal.h"
#include "catalog/sqlite/sqlite_backend.h"
#include "catalog/transfer.h"

enum { PIECE = 1 << 20, SEAL_MAX = 65536, COPY_TRIES = 5, DEPTH_MAX = 4 };

/* --- files --- */

/* In pieces, synced; `to` is not there yet. Gives size and hash of what was read. */
static enum status copy_pieces(struct sys *sys, struct sys_file *in, struct sys_file *out,
                               uint64_t *ret_bytes, uint64_t *ret_hash, struct error *err)
{
    enum status status = STATUS_OK;
    XXH3_state_t *hash = XXH3_createState();
    char *piece = malloc(PIECE);
    size_t len = PIECE;
    *ret_bytes = 0;
    if (!hash || !piece || XXH3_64bits_reset(hash) == XXH_ERROR)
        status = error_no_memory(err);
    while (status == STATUS_OK && len == PIECE) {
        status = sys_pread(sys, in, piece, PIECE, *ret_bytes, &len, err);
        if (status == STATUS_OK && out && len)
            status = sys_pwrite(sys, out, piece, len, *ret_bytes, err);
        if (status == STATUS_OK) {
            (void)XXH3_64bits_update(hash, piece, len);
            *ret_bytes += len;
        }
    }
    if (status == STATUS_OK) {
        *ret_hash = XXH3_64bits_digest(hash);
        status = out ? sys_sync(sys, out, err) : STATUS_OK;
    }
    XXH3_freeState(hash);
    free(piece);
    return status;
}

/* `to` NULL: only looks. */
static enum status copy_file(struct sys *sys, const char *from, const char *to, unsigned flags,
                             uint64_t *ret_bytes, uint64_t *ret_hash, struct error *err)
{
    struct sys_file *in = NULL, *out = NULL;
    TRY(sys_open(sys, from, SYS_READ, &in, err));
    enum status status = STATUS_OK;
    if (to)
        status = sys_open(sys, to, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE | flags, &out, err);
    if (status == STATUS_OK)
        status = copy_pieces(sys, in, out, ret_bytes, ret_hash, err);
    sys_close(sys, in);
    sys_close(sys, out);
    return status;
}

static bool is_there(struct sys *sys, const char *path)
{
    struct sys_stat stat;
    return sys_stat(sys, path, &stat, NULL) == STATUS_OK;
}

/* A tree of files that never change: those that `to` lacks are copied. */
struct tree {
    struct sys *sys;
    const char *from, *to;
    int depth;
    uint64_t *files;
};

static enum status copy_tree(const struct tree *tree, struct error *err);

static enum status copy_missing(struct sys *sys, const char *from, const char *to,
                                struct error *err)
{
    char temp[SYS_PATH_MAX];
    uint64_t bytes, hash;
    if (is_there(sys, to))
        return STATUS_OK;
    TRY(sys_path(temp, err, "%s.tmp", to));
    TRY(copy_file(sys, from, temp, 0, &bytes, &hash, err));
    return sys_rename(sys, temp, to, err);
}

static enum status copy_entry(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    const struct tree *tree = context;
    struct tree inner = *tree;
    char from[SYS_PATH_MAX], to[SYS_PATH_MAX];
    if (str_ends(str_of(entry->name), STR(".tmp")))
        return STATUS_OK; /* being written */
    TRY(sys_path(from, err, "%s/%s", tree->from, entry->name));
    TRY(sys_path(to, err, "%s/%s", tree->to, entry->name));
    inner.from = from;
    inner.to = to;
    if (entry->is_dir)
        return ++inner.depth > DEPTH_MAX ? STATUS_OK : copy_tree(&inner, err);
    ++*tree->files;
    return copy_missing(tree->sys, from, to, err);
}

static enum status copy_tree(const struct tree *tree, struct error *err)
{
    struct tree context = *tree;
    if (!is_there(tree->sys, tree->from))
        return STATUS_OK;
    TRY(folder_make(tree->sys, tree->to, err));
    TRY(sys_list_dir(tree->sys, tree->from, copy_entry, &context, err));
    return sys_sync_dir(tree->sys, tree->to, err);
}

/* --- the seal --- */

struct seal {
    uint64_t catalog_bytes, catalog_hash, key_bytes, key_hash;
    struct catalog_backup_result result;
};

static enum status write_seal(struct sys *sys, const char *folder, const struct seal *seal,
                              struct error *err)
{
    char path[SYS_PATH_MAX], text[512];
    TRY(sys_path(path, err, "%s/seal.json", folder));
    int len =
        snprintf(text, sizeof text,
                 "{\"catalog_bytes\":%llu,\"catalog_hash\":\"%016llx\",\"key_bytes\":%llu,"
                 "\"key_hash\":\"%016llx\",\"records\":%llu,\"registry_files\":%llu}\n",
                 (unsigned long long)seal->catalog_bytes, (unsigned long long)seal->catalog_hash,
                 (unsigned long long)seal->key_bytes, (unsigned long long)seal->key_hash,
                 (unsigned long long)seal->result.records, (unsigned long long)seal->result.files);
    return sys_replace_file(sys, path, (struct slice){text, (size_t)len}, err);
}

static uint64_t hex_of(yyjson_val *value)
{
    const char *text = yyjson_get_str(value);
    return text ? strtoull(text, NULL, 16) : 0;
}

static enum status read_seal(struct sys *sys, const char *folder, struct seal *ret,
                             struct error *err)
{
    char path[SYS_PATH_MAX];
    struct buf text;
    yyjson_doc *doc = NULL;
    TRY(sys_path(path, err, "%s/seal.json", folder));
    buf_init(&text, SEAL_MAX);
    enum status status = sys_read_file(sys, path, &text, err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&text), &doc, err);
    if (status == STATUS_OK) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        *ret =
            (struct seal){.catalog_bytes = yyjson_get_uint(json_get(root, "catalog_bytes")),
                          .catalog_hash = hex_of(json_get(root, "catalog_hash")),
                          .key_bytes = yyjson_get_uint(json_get(root, "key_bytes")),
                          .key_hash = hex_of(json_get(root, "key_hash")),
                          .result = {.records = yyjson_get_uint(json_get(root, "records")),
                                     .files = yyjson_get_uint(json_get(root, "registry_files"))}};
        ret->result.key = ret->key_bytes > 0;
    }
    yyjson_doc_free(doc);
    buf_release(&text);
    return status;
}

static enum status check_file(struct sys *sys, const char *folder, const char *name, uint64_t bytes,
                              uint64_t hash, struct error *err)
{
    char path[SYS_PATH_MAX];
    uint64_t found_bytes = 0, found_hash = 0;
    TRY(sys_path(path, err, "%s/%s", folder, name));
    TRY(copy_file(sys, path, NULL, 0, &found_bytes, &found_hash, err));
    return found_bytes == bytes && found_hash == hash
               ? STATUS_OK
               : error_set(err, STATUS_CORRUPT, "%s is not what was backed up", path);
}

/* --- writing --- */

/* As of now, while it is in use; back ends without a journal are read until nothing changed
 * meanwhile. */
static enum status copy_by_records(const struct catalog_backup *what, struct backend *to,
                                   struct error *err)
{
    struct restore_result restored;
    struct transfer_result transferred;
    struct backend *primary = hybrid_primary(what->backend);
    if (strcmp(primary->ops->name, "postgres") == 0)
        return catalog_restore_at(primary, to, sys_now_us(what->sys), &restored, err);
    enum status status = STATUS_CORRUPT;
    for (int i = 0; i < COPY_TRIES && status == STATUS_CORRUPT; i++)
        status = catalog_transfer(primary, to, NULL, NULL, &transferred, err);
    return status;
}

static enum status copy_catalog(const struct catalog_backup *what, const char *path,
                                uint64_t *ret_records, struct error *err)
{
    struct backend *copy = NULL;
    struct sqlite_backend_options options = {.path = path};
    struct catalog_digest digest;
    struct backend *primary = hybrid_primary(what->backend);
    bool is_sqlite = strcmp(primary->ops->name, "sqlite") == 0;
    if (is_sqlite)
        TRY(sqlite_backend_copy(primary, path, err));
    TRY(sqlite_backend_open(&options, &copy, err));
    enum status status = is_sqlite ? STATUS_OK : copy_by_records(what, copy, err);
    if (status == STATUS_OK)
        status = catalog_digest(copy, &digest, err);
    for (int i = 0; i < DOMAIN_COUNT && status == STATUS_OK; i++)
        *ret_records += digest.count[i];
    backend_close(copy); /* its log goes into the file */
    return status;
}

static enum status fill(const struct catalog_backup *what, const char *backup, const char *folder,
                        struct seal *seal, struct error *err)
{
    char path[SYS_PATH_MAX], registry[SYS_PATH_MAX];
    struct tree tree = {what->sys, what->registry_path, registry, 0, &seal->result.files};
    TRY(folder_make(what->sys, folder, err));
    TRY(sys_path(path, err, "%s/catalog.db", folder));
    TRY(copy_catalog(what, path, &seal->result.records, err));
    TRY(copy_file(what->sys, path, NULL, 0, &seal->catalog_bytes, &seal->catalog_hash, err));
    TRY(sys_path(registry, err, "%s/control/registry", backup));
    TRY(copy_tree(&tree, err)); /* after the catalog: all that it names is there */
    TRY(sys_path(path, err, "%s/config.key", folder));
    seal->result.key = is_there(what->sys, what->key_path);
    if (seal->result.key)
        TRY(copy_file(what->sys, what->key_path, path, SYS_PRIVATE, &seal->key_bytes,
                      &seal->key_hash, err));
    return write_seal(what->sys, folder, seal, err);
}

static enum status next_generation(void *context, const struct sys_dir_entry *entry,
                                   struct error *err)
{
    uint64_t *next = context, number = strtoull(entry->name, NULL, 10);
    (void)err;
    *next = number >= *next ? number + 1 : *next;
    return STATUS_OK;
}

enum status catalog_backup(const struct catalog_backup *what, const char *backup,
                           uint64_t generation, struct catalog_backup_result *ret,
                           struct error *err)
{
    char control[SYS_PATH_MAX], folder[SYS_PATH_MAX], temp[SYS_PATH_MAX];
    struct seal seal = {0};
    uint64_t next = 1;
    TRY(sys_path(control, err, "%s/control", backup));
    TRY(folder_make(what->sys, control, err));
    TRY(sys_list_dir(what->sys, control, next_generation, &next, err));
    if (!generation)
        generation = next;
    TRY(sys_path(folder, err, "%s/%08llu", control, (unsigned long long)generation));
    TRY(sys_path(temp, err, "%s/writing", control));
    if (is_there(what->sys, folder))
        return error_set(err, STATUS_CONFLICT, "%s is there already", folder);
    TRY(sys_remove_tree(what->sys, temp, err));
    enum status status = fill(what, backup, temp, &seal, err);
    if (status == STATUS_OK)
        status = sys_sync_dir(what->sys, temp, err);
    if (status == STATUS_OK)
        status = sys_rename(what->sys, temp, folder, err);
    if (status == STATUS_OK)
        status = sys_sync_dir(what->sys, control, err);
    if (status != STATUS_OK)
        (void)sys_remove_tree(what->sys, temp, NULL); /* the first failure is the news */
    *ret = seal.result;
    return status;
}

/* --- reading --- */

static enum status folder_of(struct sys *sys, const char *backup, uint64_t generation,
                             char out[SYS_PATH_MAX], struct error *err)
{
    TRY(sys_path(out, err, "%s/control/%08llu", backup, (unsigned long long)generation));
    return is_there(sys, out)
               ? STATUS_OK
               : error_set(err, STATUS_NOT_FOUND, "generation %llu of %s has no catalog",
                           (unsigned long long)generation, backup);
}

static enum status count_entry(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    const struct tree *tree = context;
    struct tree inner = *tree;
    char from[SYS_PATH_MAX];
    *tree->files += !entry->is_dir;
    if (!entry->is_dir || inner.depth++ == DEPTH_MAX)
        return STATUS_OK;
    TRY(sys_path(from, err, "%s/%s", tree->from, entry->name));
    inner.from = from;
    return sys_list_dir(tree->sys, from, count_entry, &inner, err);
}

enum status catalog_backup_verify(struct sys *sys, const char *backup, uint64_t generation,
                                  struct catalog_backup_result *ret, struct error *err)
{
    char folder[SYS_PATH_MAX], registry[SYS_PATH_MAX];
    struct seal seal = {0};
    uint64_t files = 0;
    struct tree tree = {sys, registry, NULL, 0, &files};
    TRY(folder_of(sys, backup, generation, folder, err));
    TRY(read_seal(sys, folder, &seal, err));
    TRY(check_file(sys, folder, "catalog.db", seal.catalog_bytes, seal.catalog_hash, err));
    if (seal.result.key)
        TRY(check_file(sys, folder, "config.key", seal.key_bytes, seal.key_hash, err));
    TRY(sys_path(registry, err, "%s/control/registry", backup));
    if (is_there(sys, registry))
        TRY(sys_list_dir(sys, registry, count_entry, &tree, err));
    *ret = seal.result;
    return files >= seal.result.files
               ? STATUS_OK
               : error_set(err, STATUS_CORRUPT, "%s has lost files: %llu of %llu are there",
                           registry, (unsigned long long)files,
                           (unsigned long long)seal.result.files);
}

enum status catalog_backup_restore(struct sys *sys, const char *backup, uint64_t generation,
                                   const char *data_path, struct catalog_backup_result *ret,
                                   struct error *err)
{
    char folder[SYS_PATH_MAX], from[SYS_PATH_MAX], to[SYS_PATH_MAX], registry[SYS_PATH_MAX];
    uint64_t bytes, hash, files = 0;
    TRY(catalog_backup_verify(sys, backup, generation, ret, err));
    TRY(folder_of(sys, backup, generation, folder, err));
    TRY(sys_path(to, err, "%s/catalog/catalog.db", data_path));
    if (is_there(sys, to))
        return error_set(err, STATUS_CONFLICT, "%s is there: nothing is overwritten", to);
    TRY(sys_path(from, err, "%s/control/registry", backup));
    TRY(sys_path(registry, err, "%s/registry", data_path));
    struct tree tree = {sys, from, registry, 0, &files};
    TRY(copy_tree(&tree, err));
    if (ret->key) {
        TRY(sys_path(from, err, "%s/auth", data_path));
        TRY(folder_make(sys, from, err));
        TRY(sys_path(from, err, "%s/config.key", folder));
        TRY(sys_path(to, err, "%s/auth/config.key", data_path));
        TRY(copy_file(sys, from, to, SYS_PRIVATE, &bytes, &hash, err));
    }
    TRY(sys_path(to, err, "%s/catalog", data_path));
    TRY(folder_make(sys, to, err));
    TRY(sys_path(from, err, "%s/catalog.db", folder));
    TRY(sys_path(to, err, "%s/catalog/catalog.db", data_path));
    return copy_file(sys, from, to, 0, &bytes, &hash, err);
}

/* table_move.c: a table whose folder has another path than its metadata says: moved, copied,
 * restored from a backup. Quarry finds its files by their names below the folder, but other readers
 * go by the URIs, so at the next start for writing these are made right:
 *
 *   1. manifests of data files with the new paths, as large as they are; one for each old one
 *   2. delete files anew, for each holds the URI of its data file in every row; their manifests
 *   3. lists of all kept states, the metadata file; then CURRENT, as in every commit
 *
 * Nothing of the old files is changed; what is not named any more goes with the orphans. A kept
 * state that is damaged is taken over as it is. */
#include "storage/table/table_int.h"

#include <stdlib.h>

/* A manifest of the old table and what has become of it. */
struct moved {
    uint64_t name; /* hash of the old URI */
    struct iceberg_manifest manifest;
};

struct rows_of {
    uint64_t id, rows;
};

struct moving {
    struct table *table;
    struct arena arena;
    struct iceberg_edit edit;
    struct str old_location;
    struct moved *moved;
    uint32_t moved_len, moved_cap;
    struct rows_of *segments; /* of all manifests, in no order until the deletes */
    size_t segments_len, segments_cap;
    uint64_t next_id; /* of a file */
    struct error *err;
};

static enum status no_memory(struct moving *v)
{
    return error_no_memory(v->err);
}

static struct str new_uri(struct moving *v, struct str old)
{
    struct str location = v->old_location;
    if (!str_starts(old, location))
        return old;
    return str_of(arena_printf(&v->arena, "%s%.*s", v->table->location,
                               (int)(old.len - location.len), old.data + location.len));
}

static enum status grow(struct moving *v, void **items, size_t len, size_t *cap, size_t size)
{
    if (len < *cap)
        return STATUS_OK;
    size_t more = *cap ? *cap * 2 : 64;
    void *grown = arena_array(&v->arena, more, size);
    if (!grown)
        return no_memory(v);
    if (len)
        memcpy(grown, *items, len * size);
    *items = grown;
    *cap = more;
    return STATUS_OK;
}

/* --- 1: data files --- */

static enum status move_data(struct moving *v, struct iceberg_data_file *file)
{
    struct str path;
    uint64_t id;
    if (!table_segment_path(v->table, file->path, &path, &id))
        return error_set(v->err, STATUS_CORRUPT, "a file that is not of this table");
    TRY(grow(v, (void **)&v->segments, v->segments_len, &v->segments_cap, sizeof *v->segments));
    v->segments[v->segments_len++] = (struct rows_of){id, (uint64_t)file->records};
    file->path = new_uri(v, file->path);
    return file->path.data ? STATUS_OK : no_memory(v);
}

/* --- 2: delete files --- */

static int compare_rows(const void *a, const void *b)
{
    const struct rows_of *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static enum status sync_made(struct moving *v, struct str path, struct sys_file *file)
{
    char dir[SYS_PATH_MAX];
    enum status status = sys_sync(v->table->sys, file, v->err);
    sys_close(v->table->sys, file);
    TRY(status);
    size_t len = path.len - table_base_name(path).len;
    TRY(sys_path(dir, v->err, "%s/%.*s", v->table->dir, (int)len, path.data));
    return sys_sync_dir(v->table->sys, dir, v->err);
}

static enum status write_deletes(struct moving *v, struct deletion *old, struct str data_path,
                                 struct iceberg_data_file *file)
{
    struct deletion *new = NULL;
    struct sys_file *out = NULL;
    char *data = arena_printf(&v->arena, "%s/%.*s", v->table->location, STR_ARG(data_path));
    if (!data)
        return no_memory(v);
    TRY(deletion_load(old, v->err));
    TRY(deletion_write(v->table->sys, v->table->dir, data_path, str_of(data), v->next_id++, old,
                       &new, &out, v->err));
    struct str path = deletion_file(new)->path;
    char *uri = arena_printf(&v->arena, "%s/%.*s", v->table->location, STR_ARG(path));
    file->path = str_of(uri);
    file->bytes = (int64_t)deletion_file(new)->bytes;
    file->referenced_data_file = str_of(data);
    for (uint32_t i = 0; i < file->columns_len; i++) {
        if (file->columns[i].field_id == ICEBERG_FILE_PATH_ID)
            file->columns[i].lower = file->columns[i].upper = str_of(data);
    }
    enum status status = uri ? sync_made(v, path, out) : no_memory(v);
    deletion_unref(new);
    return status;
}

static enum status move_deletes(struct moving *v, struct iceberg_data_file *file)
{
    struct deletion_file own;
    struct rows_of key = {0};
    TRY(table_read_deletes(v->table, file, &own, &key.id, v->err));
    const struct rows_of *segment =
        v->segments_len ? bsearch(&key, v->segments, v->segments_len, sizeof key, compare_rows)
                        : NULL;
    if (!segment)
        return error_set(v->err, STATUS_CORRUPT, "deletes of a file that is not there");
    /* data/.../<segment>.<n>.deletes.parquet is beside data/.../<segment>.parquet */
    size_t stem = own.path.len - table_base_name(own.path).len;
    while (own.path.data[stem] != '.')
        stem++;
    char *data = arena_printf(&v->arena, "%.*s.parquet", (int)stem, own.path.data);
    if (!data)
        return no_memory(v);
    struct deletion *old = deletion_open(v->table->sys, v->table->dir, &own, segment->rows, v->err);
    if (!old)
        return STATUS_NO_MEMORY;
    enum status status = write_deletes(v, old, str_of(data), file);
    deletion_unref(old);
    return status;
}

/* --- manifests --- */

static enum status rewrite(struct moving *v, const struct iceberg_manifest *from,
                           struct iceberg_entry *entries, uint32_t len,
                           struct iceberg_manifest *ret)
{
    struct iceberg_partition_type type;
    struct buf bytes;
    char uuid[UUID_TEXT_LEN + 1];
    const struct iceberg_metadata *m = &v->edit.m;
    TRY(iceberg_partition_type_of(m, from->spec_id, &v->arena, &type, v->err));
    const struct iceberg_manifest_head head = {
        iceberg_current_schema(m), iceberg_spec_find(m, from->spec_id), &type, from->is_deletes};
    buf_init(&bytes, ICEBERG_AVRO_MAX);
    enum status status =
        iceberg_manifest_write(&head, entries, len, from->added_snapshot_id, from->sequence_number,
                               &v->arena, &bytes, ret, v->err);
    if (status == STATUS_OK) {
        uuid_format(iceberg_content_uuid(buf_str(&bytes)), uuid);
        ret->path =
            str_of(arena_printf(&v->arena, "%.*s/metadata/%s-m0.avro", STR_ARG(m->location), uuid));
        status = ret->path.data ? iceberg_edit_file(&v->edit, ret->path, buf_str(&bytes), v->err)
                                : no_memory(v);
    }
    buf_release(&bytes);
    return status;
}

static enum status move_entries(struct moving *v, struct iceberg_entry *entries, uint32_t len,
                                uint32_t *ret_len)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < len; i++) {
        if (entries[i].status == ICEBERG_DELETED) /* its file may be gone */
            continue;
        struct iceberg_data_file *file = &entries[i].file;
        TRY(file->content == ICEBERG_DATA ? move_data(v, file) : move_deletes(v, file));
        entries[live++] = entries[i];
    }
    *ret_len = live;
    return STATUS_OK;
}

static const struct moved *find_moved(const struct moving *v, uint64_t name)
{
    for (uint32_t i = 0; i < v->moved_len; i++) {
        if (v->moved[i].name == name)
            return &v->moved[i];
    }
    return NULL;
}

static enum status move_manifest(struct moving *v, struct iceberg_manifest *manifest)
{
    struct iceberg_partition_type type;
    struct iceberg_entry *entries;
    struct slice bytes;
    uint32_t len;
    size_t cap = v->moved_cap;
    uint64_t name = str_hash(manifest->path);
    const struct moved *known = find_moved(v, name);
    if (known) {
        *manifest = known->manifest;
        return STATUS_OK;
    }
    TRY(iceberg_partition_type_of(&v->edit.m, manifest->spec_id, &v->arena, &type, v->err));
    TRY(table_load_file(v->table, manifest->path, &v->arena, &bytes, v->err));
    TRY(iceberg_manifest_read(bytes, manifest, &type, &v->arena, &entries, &len, v->err));
    TRY(move_entries(v, entries, len, &len));
    TRY(grow(v, (void **)&v->moved, v->moved_len, &cap, sizeof *v->moved));
    v->moved_cap = (uint32_t)cap;
    struct moved *to = &v->moved[v->moved_len++];
    to->name = name;
    TRY(rewrite(v, manifest, entries, len, &to->manifest));
    *manifest = to->manifest;
    return STATUS_OK;
}

/* --- 3: states --- */

static enum status write_list(struct moving *v, struct iceberg_snapshot *snapshot,
                              const struct iceberg_manifest *manifests, uint32_t len)
{
    struct buf bytes;
    char uuid[UUID_TEXT_LEN + 1];
    buf_init(&bytes, ICEBERG_AVRO_MAX);
    enum status status = iceberg_list_write(manifests, len, snapshot->id, snapshot->parent_id,
                                            snapshot->sequence_number, &bytes, v->err);
    if (status == STATUS_OK) {
        uuid_format(iceberg_content_uuid(buf_str(&bytes)), uuid);
        char *path = arena_printf(&v->arena, "%.*s/metadata/snap-%lld-1-%s.avro",
                                  STR_ARG(v->edit.m.location), (long long)snapshot->id, uuid);
        snapshot->manifest_list = str_of(path);
        status = path
                     ? iceberg_edit_file(&v->edit, snapshot->manifest_list, buf_str(&bytes), v->err)
                     : no_memory(v);
    }
    buf_release(&bytes);
    return status;
}

static enum status read_list(struct moving *v, const struct iceberg_snapshot *snapshot,
                             struct iceberg_manifest **ret, uint32_t *ret_len)
{
    struct slice bytes;
    TRY(table_load_file(v->table, snapshot->manifest_list, &v->arena, &bytes, v->err));
    return iceberg_list_read(bytes, &v->arena, ret, ret_len, v->err);
}

/* Those of data files first: the deletes want to know how many rows their files have. */
static enum status move_state(struct moving *v, struct iceberg_snapshot *snapshot)
{
    struct iceberg_manifest *manifests;
    uint32_t len;
    TRY(read_list(v, snapshot, &manifests, &len));
    for (uint32_t i = 0; i < len; i++) {
        if (!manifests[i].is_deletes)
            TRY(move_manifest(v, &manifests[i]));
    }
    if (v->segments_len)
        qsort(v->segments, v->segments_len, sizeof *v->segments, compare_rows);
    for (uint32_t i = 0; i < len; i++) {
        if (manifests[i].is_deletes)
            TRY(move_manifest(v, &manifests[i]));
    }
    return write_list(v, snapshot, manifests, len);
}

static enum status move_states(struct moving *v)
{
    struct iceberg_metadata *m = &v->edit.m;
    struct iceberg_snapshot *copy = arena_array(&v->arena, m->snapshots_len + 1u, sizeof *copy);
    if (!copy)
        return no_memory(v);
    if (m->snapshots_len)
        memcpy(copy, m->snapshots, m->snapshots_len * sizeof *copy);
    m->snapshots = copy;
    for (uint32_t i = 0; i < m->snapshots_len; i++) {
        struct iceberg_snapshot *snapshot = &copy[i];
        enum status status = move_state(v, snapshot);
        if (status == STATUS_CORRUPT && snapshot->id != m->current_snapshot_id)
            snapshot->manifest_list = new_uri(v, snapshot->manifest_list);
        else if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The numbers of the delete files made are used up. */
static enum status set_next_id(struct moving *v)
{
    struct iceberg_metadata *m = &v->edit.m;
    char *text = arena_printf(&v->arena, "%llu", (unsigned long long)v->next_id);
    for (uint32_t i = 0; text && i < m->snapshots_len; i++) {
        struct iceberg_snapshot *snapshot = &m->snapshots[i];
        struct iceberg_property *summary =
            arena_array(&v->arena, snapshot->summary_len + 1u, sizeof *summary);
        if (!summary)
            return no_memory(v);
        for (uint32_t k = 0; k < snapshot->summary_len; k++) {
            summary[k] = snapshot->summary[k];
            if (snapshot->id == m->current_snapshot_id && str_is(summary[k].key, SUMMARY_NEXT_FILE))
                summary[k].value = str_of(text);
        }
        snapshot->summary = summary;
    }
    return text ? STATUS_OK : no_memory(v);
}

static enum status find_next_id(struct moving *v)
{
    int64_t next = 0;
    const struct iceberg_snapshot *current = iceberg_current_snapshot(&v->edit.m);
    struct str text =
        iceberg_property_find(current->summary, current->summary_len, SUMMARY_NEXT_FILE);
    if (!text.data || !str_to_int64(text, &next) || next < 0)
        return error_set(v->err, STATUS_CORRUPT, SUMMARY_NEXT_FILE " is missing or wrong");
    v->next_id = (uint64_t)next;
    return STATUS_OK;
}

static enum status run(struct moving *v)
{
    struct table *table = v->table;
    v->old_location = table->state->m.location;
    TRY(iceberg_edit_begin(&v->edit, &table->state->m, STR_NONE, 0, &v->arena, v->err));
    v->edit.version_min = table->next_version;
    v->edit.m.location = str_of(table->location);
    iceberg_edit_cut_log(&v->edit);
    TRY(find_next_id(v));
    TRY(move_states(v));
    TRY(set_next_id(v));
    return table_commit_edit(table, &v->edit, v->err);
}

enum status table_move(struct table *table, struct error *err)
{
    struct moving v = {.table = table, .err = err};
    if (!table_current_id(table) || str_is(table->state->m.location, table->location))
        return STATUS_OK;
    arena_init(&v.arena, (size_t)ICEBERG_AVRO_MAX * 8);
    enum status status = run(&v);
    arena_release(&v.arena);
    return status == STATUS_CORRUPT
               ? error_wrap(err, "%s cannot be taken over in its new place", table->dir)
               : status;
}

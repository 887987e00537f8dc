/* table_commit.c: a new state of a source as a commit to its Iceberg table.
 *
 *   1. what has changed: both states' segments and deletes side by side, by id
 *   2. the edit in memory: schema, spec, order, snapshot, what is kept, tags; the new metadata is
 *      parsed, so that nothing can fail behind the swap
 *   3. manifests, list, metadata file: written and synced, then their folder
 *   4. CURRENT: the commit
 *   5. version-hint.text; metadata files that fell out of the log are removed
 * A failure in 1 to 3 removes what was written. Numbers of metadata files are never used again, so
 * one that a failed swap has left behind is never taken for the newest. */
#include "storage/table/table_int.h"

#include <stdlib.h>

struct work {
    struct table *table;
    const struct table_change *change; /* NULL: references only */
    struct arena arena;
    struct iceberg_edit edit;
    struct iceberg_commit commit;
    struct iceberg_data_file *added;
    int32_t *added_specs;
    struct iceberg_removed *removed;
    uint32_t added_cap, removed_cap;
    uint64_t *manifests; /* hashes of the old state's files, as its meta_files */
    struct iceberg_commit_result result;
    struct table_state *next;
    struct error *err;
};

static enum status no_memory(struct work *w)
{
    return error_no_memory(w->err);
}

/* --- 1: differences --- */

enum difference { ADDED_SEGMENT, REMOVED_SEGMENT, ADDED_DELETES, REMOVED_DELETES };

typedef enum status (*difference_fn)(struct work *w, enum difference kind, struct segment *segment,
                                     const struct deletion *deletion);

static struct deletion *deletion_at(const struct snapshot *snapshot, uint32_t at)
{
    return snapshot->deletions ? snapshot->deletions[at] : NULL;
}

static enum status visit_deletes(struct work *w, struct segment *segment,
                                 const struct deletion *old, const struct deletion *new,
                                 difference_fn visit)
{
    if (old && new &&deletion_file(old)->id == deletion_file(new)->id)
        return STATUS_OK;
    if (old)
        TRY(visit(w, REMOVED_DELETES, segment, old));
    return new ? visit(w, ADDED_DELETES, segment, new) : STATUS_OK;
}

static enum status visit_differences(struct work *w, difference_fn visit)
{
    const struct snapshot *old = w->change->old, *new = w->change->new;
    uint32_t o = 0, n = 0;
    while (o < old->segments_len || n < new->segments_len) {
        uint64_t old_id = o < old->segments_len ? segment_meta(old->segments[o])->id : UINT64_MAX;
        uint64_t new_id = n < new->segments_len ? segment_meta(new->segments[n])->id : UINT64_MAX;
        const struct deletion *gone = old_id <= new_id ? deletion_at(old, o) : NULL;
        const struct deletion *here = new_id <= old_id ? deletion_at(new, n) : NULL;
        if (old_id < new_id)
            TRY(visit(w, REMOVED_SEGMENT, old->segments[o], NULL));
        if (new_id < old_id)
            TRY(visit(w, ADDED_SEGMENT, new->segments[n], NULL));
        TRY(visit_deletes(w, old_id < new_id ? old->segments[o] : new->segments[n], gone, here,
                          visit));
        o += old_id <= new_id;
        n += new_id <= old_id;
    }
    return STATUS_OK;
}

static enum status count(struct work *w, enum difference kind, struct segment *segment,
                         const struct deletion *deletion)
{
    bool adds = kind == ADDED_SEGMENT || kind == ADDED_DELETES;
    struct iceberg_change *change = adds ? &w->commit.restored : &w->commit.replaced;
    w->added_cap += adds;
    w->removed_cap += !adds;
    if (deletion) {
        change->delete_files++;
        change->position_files++;
        change->position_deletes += (int64_t)deletion_file(deletion)->rows;
        change->bytes += (int64_t)deletion_file(deletion)->bytes;
    } else {
        change->data_files++;
        change->records += (int64_t)segment_meta(segment)->rows;
        change->bytes += (int64_t)segment_meta(segment)->bytes;
    }
    return STATUS_OK;
}

/* --- 2: the snapshot --- */

static enum status hash_manifests(struct work *w)
{
    const struct snapshot *old = w->change->old;
    w->manifests = arena_array(&w->arena, old->meta_files_len + 1u, sizeof *w->manifests);
    if (!w->manifests)
        return no_memory(w);
    for (uint32_t i = 0; i < old->meta_files_len; i++) {
        struct str uri = table_metadata_uri(w->table, old->meta_files[i].data, &w->arena);
        if (!uri.data)
            return no_memory(w);
        w->manifests[i] = str_hash(uri);
    }
    return STATUS_OK;
}

/* The manifest that the segment is known to be in; data NULL when it is not known. */
static enum status find_manifest(struct work *w, const struct segment *segment, struct str *ret)
{
    const struct snapshot *old = w->change->old;
    for (uint32_t i = 0; i < old->meta_files_len; i++) {
        if (w->manifests[i] != segment_manifest(segment))
            continue;
        *ret = table_metadata_uri(w->table, old->meta_files[i].data, &w->arena);
        return ret->data ? STATUS_OK : no_memory(w);
    }
    return STATUS_OK;
}

static enum status remove_file(struct work *w, const struct segment *segment,
                               const struct deletion *deletion)
{
    struct str location = w->edit.m.location;
    struct str path = deletion ? deletion_file(deletion)->path : segment_meta(segment)->path;
    struct iceberg_removed *to = &w->removed[w->commit.removed_len++];
    char *uri = arena_printf(&w->arena, "%.*s/%.*s", STR_ARG(location), STR_ARG(path));
    if (!uri)
        return no_memory(w);
    *to = (struct iceberg_removed){.path = str_of(uri), .is_delete = deletion != NULL};
    return deletion ? STATUS_OK : find_manifest(w, segment, &to->manifest);
}

static enum status collect(struct work *w, enum difference kind, struct segment *segment,
                           const struct deletion *deletion)
{
    const struct table_change *change = w->change;
    const struct segment_meta *meta = segment_meta(segment);
    if (kind == REMOVED_SEGMENT || kind == REMOVED_DELETES)
        return remove_file(w, segment, deletion);
    struct iceberg_data_file *file = &w->added[w->commit.added_len];
    int32_t *spec_id = &w->added_specs[w->commit.added_len++];
    *spec_id = w->edit.m.default_spec_id;
    if (!deletion)
        return table_map_file(&w->edit.m, change->config, change->new->schema, meta, &w->arena,
                              file, w->err);
    if (snapshot_find(change->old, meta->id)) /* beside its data file */
        *spec_id = segment_spec(segment);
    return table_map_deletes(&w->edit.m, change->config, change->new->schema, meta, *spec_id,
                             deletion_file(deletion), &w->arena, file, w->err);
}

static enum iceberg_operation operation_of(const struct work *w)
{
    const struct iceberg_change *added = &w->commit.restored, *removed = &w->commit.replaced;
    if (w->change->new->operation == SNAPSHOT_REPLACE)
        return ICEBERG_REPLACE;
    if (w->change->new->operation == SNAPSHOT_ROLLBACK)
        return ICEBERG_OVERWRITE;
    bool deletes = added->delete_files || removed->delete_files || removed->data_files;
    return !deletes ? ICEBERG_APPEND : added->data_files ? ICEBERG_OVERWRITE : ICEBERG_DELETE;
}

static enum status summarise(struct work *w, struct iceberg_property *summary)
{
    const struct snapshot *new = w->change->new;
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{SUMMARY_LSN, new->lsn},
                   {SUMMARY_TIME, (uint64_t) new->time_us},
                   {SUMMARY_NEXT_FILE, new->next_segment_id}};
    w->commit.summary = summary;
    summary[w->commit.summary_len++] = (struct iceberg_property){
        STR(SUMMARY_OPERATION), str_of(snapshot_operation_name(new->operation))};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char *text = arena_printf(&w->arena, "%llu", (unsigned long long)numbers[i].value);
        if (!text)
            return no_memory(w);
        summary[w->commit.summary_len++] =
            (struct iceberg_property){str_of(numbers[i].key), str_of(text)};
    }
    return STATUS_OK;
}

static uint32_t manifest_files(const struct schema *schema)
{
    uint32_t files = TABLE_MANIFEST_STATS / (schema->fields_len ? schema->fields_len : 1);
    return files < TABLE_MANIFEST_FILES_MIN   ? TABLE_MANIFEST_FILES_MIN
           : files > ICEBERG_MANIFEST_ENTRIES ? ICEBERG_MANIFEST_ENTRIES
                                              : files;
}

static enum status edit_snapshot(struct work *w)
{
    struct iceberg_property summary[4];
    const struct snapshot *new = w->change->new;
    const struct iceberg_loader loader = {w->table, table_load_file};
    TRY(visit_differences(w, count));
    w->commit.operation = operation_of(w);
    w->commit.data_sequence_number = new->data_sequence ? new->data_sequence : -1;
    w->commit.restore = (int64_t) new->restored;
    w->commit.random = new->id;
    w->commit.manifest_entries = manifest_files(new->schema);
    TRY(summarise(w, summary));
    if (!new->restored) {
        w->added = arena_array(&w->arena, w->added_cap + 1u, sizeof *w->added);
        w->added_specs = arena_array(&w->arena, w->added_cap + 1u, sizeof *w->added_specs);
        w->removed = arena_array(&w->arena, w->removed_cap + 1u, sizeof *w->removed);
        if (!w->added || !w->added_specs || !w->removed)
            return no_memory(w);
        TRY(hash_manifests(w));
        TRY(visit_differences(w, collect));
        w->commit.added = w->added;
        w->commit.added_specs = w->added_specs;
        w->commit.removed = w->removed;
    }
    TRY(iceberg_edit_commit(&w->edit, &w->commit, &loader, &w->result, w->err));
    if (w->result.snapshot_id != (int64_t) new->id)
        return error_set(w->err, STATUS_INTERNAL, "snapshot %llu exists already",
                         (unsigned long long)new->id);
    return STATUS_OK;
}

/* --- 2: everything else --- */

/* The write ids' files, as a property of the table: a state of the history does not need them. */
static enum status edit_write_ids(struct work *w)
{
    const struct snapshot *new = w->change->new;
    struct buf text;
    struct json_writer json;
    buf_init(&text, 1 << 20);
    json_writer_init(&json, &text);
    json_begin_array(&json);
    for (uint32_t i = 0; i < new->id_files_len; i++) {
        json_begin_object(&json);
        json_kv_str(&json, "file", new->id_files[i].name);
        json_kv_int(&json, "entries", (int64_t) new->id_files[i].entries);
        json_kv_int(&json, "until_us", new->id_files[i].until_us);
        json_end_object(&json);
    }
    json_end_array(&json);
    struct str copy = arena_str(&w->arena, buf_str(&text));
    buf_release(&text);
    return copy.data ? iceberg_edit_property(&w->edit, STR(TABLE_WRITE_IDS), copy, w->err)
                     : no_memory(w);
}

static enum status edit_properties(struct work *w)
{
    char *last_id = arena_printf(&w->arena, "%d", w->change->new->schema->last_field_id);
    if (!last_id)
        return no_memory(w);
    TRY(edit_write_ids(w));
    TRY(iceberg_edit_property(&w->edit, STR(TABLE_LAST_FIELD_ID), str_of(last_id), w->err));
    return iceberg_edit_property(&w->edit, STR(TABLE_SOURCE_ID), w->change->config->source_id,
                                 w->err);
}

/* A table that there was not. */
static enum status new_table(struct work *w, int64_t now_ms, struct iceberg_metadata *ret)
{
    static const struct iceberg_property properties[] = {
        {{"write.format.default", 20}, {"parquet", 7}},
        {{"write.metadata.previous-versions-max", 36}, {"10", 2}},
    };
    struct sys *sys = w->table->sys;
    const struct table_change *change = w->change;
    struct iceberg_schema schema;
    struct iceberg_spec spec;
    unsigned char random[10];
    const struct iceberg_metadata none = {0};
    TRY(table_map_schema(change->new->schema, &w->arena, &schema, w->err));
    TRY(table_map_spec(&none, change->config, change->new->schema, &w->arena, &spec, w->err));
    sys_random(sys, random, sizeof random);
    return iceberg_table_new(
        uuid_v7((uint64_t)sys_now_us(sys) / 1000, random), str_of(w->table->location), &schema,
        &spec, properties, sizeof properties / sizeof *properties, now_ms, &w->arena, ret, w->err);
}

static enum status begin(struct work *w, int64_t time_us)
{
    struct table *table = w->table;
    struct iceberg_metadata m = table->state->m;
    struct str path = STR_NONE;
    if (table->state->name[0]) {
        path = table_metadata_uri(table, table->state->name, &w->arena);
        if (!path.data)
            return no_memory(w);
    } else {
        TRY(new_table(w, time_us / 1000, &m));
    }
    TRY(iceberg_edit_begin(&w->edit, &m, path, time_us / 1000, &w->arena, w->err));
    w->edit.version_min = table->next_version;
    return STATUS_OK;
}

static enum status edit_shape(struct work *w)
{
    const struct table_change *change = w->change;
    struct iceberg_schema schema;
    struct iceberg_spec spec;
    struct iceberg_sort_order order;
    TRY(table_map_schema(change->new->schema, &w->arena, &schema, w->err));
    TRY(iceberg_edit_schema(&w->edit, &schema, w->err));
    TRY(table_map_spec(&w->edit.m, change->config, change->new->schema, &w->arena, &spec, w->err));
    TRY(iceberg_edit_spec(&w->edit, &spec, w->err));
    TRY(table_map_order(change->config, change->new->schema, &w->arena, &order, w->err));
    return iceberg_edit_order(&w->edit, &order, w->err);
}

static bool has_tag(const struct snapshot_refs *refs, struct str name)
{
    for (uint32_t i = 0; i < refs->tags_len; i++) {
        if (str_is(name, refs->tags[i].name))
            return true;
    }
    return false;
}

static enum status edit_refs(struct work *w, const struct snapshot_refs *refs)
{
    int64_t *ids = arena_array(&w->arena, refs->ids_len + 1u, sizeof *ids);
    if (!ids)
        return no_memory(w);
    for (uint32_t i = 0; i < refs->ids_len; i++)
        ids[i] = (int64_t)refs->ids[i];
    TRY(iceberg_edit_keep(&w->edit, ids, refs->ids_len, w->err));
    for (uint32_t i = w->edit.m.refs_len; i-- > 0;) {
        struct iceberg_ref ref = w->edit.m.refs[i];
        if (ref.is_tag && !has_tag(refs, ref.name))
            TRY(iceberg_edit_ref(&w->edit, ref.name, true, -1, w->err));
    }
    for (uint32_t i = 0; i < refs->tags_len; i++)
        TRY(iceberg_edit_ref(&w->edit, str_of(refs->tags[i].name), true, (int64_t)refs->tags[i].id,
                             w->err));
    return STATUS_OK;
}

/* The metadata file's bytes, and what a start would read from them. */
static enum status finish_edit(struct work *w)
{
    TRY(iceberg_edit_finish(&w->edit, TABLE_METADATA_KEPT, w->err));
    const struct iceberg_file *last = &w->edit.files[w->edit.files_len - 1];
    return table_state_parse(table_base_name(w->edit.metadata_path).data,
                             str_make(last->bytes.data, last->bytes.len), &w->next, w->err);
}

static enum status name_files(struct work *w)
{
    struct snapshot *new = w->change->new;
    const struct iceberg_snapshot *snapshot = iceberg_current_snapshot(&w->edit.m);
    uint32_t most = w->result.manifests_len + 1;
    TRY(snapshot_add_meta_file(new, table_base_name(snapshot->manifest_list), most, w->err));
    for (uint32_t i = 0; i < w->result.manifests_len; i++)
        TRY(snapshot_add_meta_file(new, table_base_name(w->result.manifests[i].path), most,
                                   w->err));
    new->sequence = w->result.sequence_number;
    return STATUS_OK;
}

static enum status make_edit(struct work *w, const struct snapshot_refs *refs)
{
    if (w->change) {
        TRY(begin(w, w->change->new->time_us));
        TRY(edit_shape(w));
        TRY(edit_snapshot(w));
        TRY(edit_properties(w));
        TRY(name_files(w));
    } else {
        TRY(begin(w, sys_now_us(w->table->sys)));
    }
    TRY(edit_refs(w, refs));
    return finish_edit(w);
}

/* --- 3, 4, 5 --- */

static enum status file_path(const struct work *w, struct str uri, char out[SYS_PATH_MAX])
{
    return sys_path(out, w->err, "%s/metadata/%.*s", w->table->dir, STR_ARG(table_base_name(uri)));
}

static enum status write_file(const struct work *w, const struct iceberg_file *from)
{
    char path[SYS_PATH_MAX];
    struct sys *sys = w->table->sys;
    struct sys_file *file = NULL;
    TRY(file_path(w, from->path, path));
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, w->err));
    enum status status = sys_pwrite(sys, file, from->bytes.data, from->bytes.len, 0, w->err);
    if (status == STATUS_OK)
        status = sys_sync(sys, file, w->err);
    sys_close(sys, file);
    return status;
}

static void remove_written(const struct work *w)
{
    char path[SYS_PATH_MAX];
    for (uint32_t i = 0; i < w->edit.files_len; i++) {
        if (file_path(w, w->edit.files[i].path, path) == STATUS_OK)
            (void)sys_unlink(w->table->sys, path, NULL); /* the next start removes what stays */
    }
}

static enum status write_files(struct work *w)
{
    char dir[SYS_PATH_MAX];
    enum status status = sys_path(dir, w->err, "%s/metadata", w->table->dir);
    for (uint32_t i = 0; i < w->edit.files_len && status == STATUS_OK; i++)
        status = write_file(w, &w->edit.files[i]);
    if (status == STATUS_OK)
        status = sys_sync_dir(w->table->sys, dir, w->err);
    if (status != STATUS_OK)
        remove_written(w);
    return status;
}

static enum status swap(const struct work *w)
{
    char path[SYS_PATH_MAX];
    struct buf text;
    TRY(sys_path(path, w->err, "%s/metadata/CURRENT", w->table->dir));
    buf_init(&text, 4096);
    table_current_text(w->next->name, &text);
    enum status status = buf_check(&text, "CURRENT", w->err);
    if (status == STATUS_OK)
        status = sealed_write(w->table->sys, path, buf_str(&text), w->err);
    buf_release(&text);
    return status;
}

/* For other readers. Not synced: a start writes it anew when it is not right. */
static void write_hint(const struct work *w)
{
    char path[SYS_PATH_MAX], temp[SYS_PATH_MAX];
    struct sys *sys = w->table->sys;
    struct sys_file *file = NULL;
    struct str hint = table_hint_text(w->next->name);
    if (sys_path(path, NULL, "%s/metadata/version-hint.text", w->table->dir) != STATUS_OK ||
        sys_path(temp, NULL, "%s.tmp", path) != STATUS_OK ||
        sys_open(sys, temp, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, NULL) != STATUS_OK)
        return;
    enum status status = sys_pwrite(sys, file, hint.data, hint.len, 0, NULL);
    sys_close(sys, file);
    if (status == STATUS_OK)
        (void)sys_rename(sys, temp, path, NULL);
    else
        (void)sys_unlink(sys, temp, NULL);
}

static void remember_manifests(const struct work *w)
{
    for (uint32_t i = 0; i < w->result.written_len; i++) {
        const struct iceberg_written *written = &w->result.written[i];
        int32_t spec_id = 0;
        for (uint32_t k = 0; k < w->result.manifests_len; k++) {
            if (str_eq(w->result.manifests[k].path, written->path))
                spec_id = w->result.manifests[k].spec_id;
        }
        for (uint32_t k = 0; k < written->entries_len; k++) {
            const struct iceberg_entry *entry = &written->entries[k];
            struct str path;
            uint64_t id;
            if (entry->status == ICEBERG_DELETED ||
                !table_segment_path(w->table, entry->file.path, &path, &id))
                continue;
            struct segment *segment = snapshot_find(w->change->new, id);
            if (segment)
                segment_set_manifest(segment, str_hash(written->path), spec_id);
        }
    }
}

/* CURRENT names the new state. */
static void settle(struct work *w)
{
    char path[SYS_PATH_MAX];
    struct table *table = w->table;
    write_hint(w);
    for (uint32_t i = 0; i < w->edit.old_metadata_len; i++) {
        if (file_path(w, w->edit.old_metadata[i], path) == STATUS_OK)
            (void)sys_unlink(table->sys, path, NULL); /* the next start removes what stays */
    }
    struct table_state *old = table->state;
    table->state = w->next;
    w->next = NULL;
    if (w->change)
        remember_manifests(w);
    table_state_free(old);
}

static enum status run(struct work *w, const struct snapshot_refs *refs, bool *ret_maybe)
{
    *ret_maybe = false;
    TRY(make_edit(w, refs));
    w->table->next_version++;
    TRY(write_files(w));
    *ret_maybe = true;
    TRY(swap(w));
    settle(w);
    return STATUS_OK;
}

static enum status work_run(struct work *w, const struct snapshot_refs *refs, bool *ret_maybe)
{
    arena_init(&w->arena, (size_t)ICEBERG_AVRO_MAX * 8);
    enum status status = run(w, refs, ret_maybe);
    table_state_free(w->next);
    arena_release(&w->arena);
    return status;
}

enum status table_commit(struct table *table, const struct table_change *change, bool *ret_maybe,
                         struct error *err)
{
    struct work w = {.table = table, .change = change, .err = err};
    return work_run(&w, change->refs, ret_maybe);
}

enum status table_point(struct table *table, const struct snapshot_refs *refs, struct error *err)
{
    struct work w = {.table = table, .err = err};
    bool maybe;
    return work_run(&w, refs, &maybe);
}

enum status table_commit_edit(struct table *table, struct iceberg_edit *edit, struct error *err)
{
    struct work w = {.table = table, .edit = *edit, .err = err};
    enum status status = finish_edit(&w);
    if (status == STATUS_OK) {
        table->next_version++;
        status = write_files(&w);
    }
    if (status == STATUS_OK)
        status = swap(&w);
    if (status == STATUS_OK)
        settle(&w);
    table_state_free(w.next);
    return status;
}

/* --- a copy --- */

static enum status copy_edit(struct work *w, struct table_copy *ret)
{
    const struct snapshot_refs none = {0};
    TRY(begin(w, 0)); /* the time of the last commit: equal states give equal bytes */
    TRY(edit_refs(w, &none));
    w->edit.old_path = STR_NONE; /* it is not in the copy */
    iceberg_edit_cut_log(&w->edit);
    TRY(iceberg_edit_finish(&w->edit, TABLE_METADATA_KEPT, w->err));
    const struct iceberg_file *file = &w->edit.files[w->edit.files_len - 1];
    TRY(sys_path(ret->name, w->err, "%.*s", STR_ARG(table_base_name(w->edit.metadata_path))));
    ret->len = file->bytes.len;
    ret->bytes = str_dup(str_make(file->bytes.data, file->bytes.len));
    return ret->bytes ? STATUS_OK : no_memory(w);
}

enum status table_copy_current(struct table *table, struct table_copy *ret, struct error *err)
{
    struct work w = {.table = table, .err = err};
    *ret = (struct table_copy){0};
    arena_init(&w.arena, (size_t)ICEBERG_JSON_MAX * 4);
    enum status status = copy_edit(&w, ret);
    arena_release(&w.arena);
    return status;
}

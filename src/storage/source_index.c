/* source_index.c: indexes added and dropped after a source was made.
 *
 * The list in force stands in source.json (docs/formats.md) and in `present`, a new immutable copy
 * of the configuration for each change; older copies live as long as the source, since readers may
 * hold them. Changes are made under the flush lock: a flush uses one list from start to end, and a
 * removal cannot get between. */
#include "storage/store_int.h"

#include <stdlib.h>

static bool has(const struct str *list, uint32_t len, struct str name)
{
    for (uint32_t i = 0; i < len; i++) {
        if (str_eq(list[i], name))
            return true;
    }
    return false;
}

/* The lists of a configuration that is being changed. */
struct lists {
    struct str hash[SOURCE_COLUMNS_LISTED_MAX];
    int32_t sorted[SOURCE_COLUMNS_LISTED_MAX];
    uint32_t hash_len, sorted_len;
};

static void lists_init(struct lists *lists, const struct source_config *config)
{
    lists->hash_len = config->index_columns_len;
    lists->sorted_len = config->sorted_fields_len;
    if (lists->hash_len)
        memcpy(lists->hash, config->index_columns, lists->hash_len * sizeof *lists->hash);
    if (lists->sorted_len)
        memcpy(lists->sorted, config->sorted_fields, lists->sorted_len * sizeof *lists->sorted);
}

/* flush_lock is held. Makes the lists those in force. */
static enum status change(struct source *source, const struct lists *lists, struct error *err)
{
    const struct source_config *old = source_config(source);
    struct source_config draft = *old;
    char path[SYS_PATH_MAX];
    if (!draft.declared_index_columns) {
        draft.declared_index_columns = old->index_columns;
        draft.declared_index_columns_len = old->index_columns_len;
    }
    draft.index_columns = lists->hash;
    draft.index_columns_len = lists->hash_len;
    draft.sorted_fields = lists->sorted;
    draft.sorted_fields_len = lists->sorted_len;
    TRY(source_config_check(&draft, err));
    struct source_config *present = ARENA_NEW(&source->arena, struct source_config);
    if (!present)
        return error_no_memory(err);
    TRY(source_config_copy(&source->arena, &draft, present, err));
    TRY(sys_path(path, err, "%s/source.json", source->dir));
    TRY(source_config_write(source->store->sys, path, present, source->incarnation,
                            source->created_us, err));
    atomic_store_explicit(&source->present, present, memory_order_release);
    return STATUS_OK;
}

uint32_t source_index_ids(const struct source_config *config, const struct schema *schema,
                          int32_t ret[SOURCE_INDEXES_MAX])
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        int32_t at = schema_find(schema, config->index_columns[i]);
        if (at >= 0)
            ret[len++] = schema->fields[at].id;
    }
    for (uint32_t i = 0; i < config->sorted_fields_len; i++) {
        for (uint32_t f = 0; f < schema->fields_len; f++)
            if (field_id_base(schema->fields[f].id) == config->sorted_fields[i])
                ret[len++] = index_id_sorted(schema->fields[f].id);
    }
    return len;
}

static enum status check_state(struct source *source, struct error *err)
{
    if (source->store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    if (source_is_removed(source))
        return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source \"%.*s\"",
                         STR_ARG(source_config(source)->source_id));
    return STATUS_OK;
}

static enum status check_columns(const struct schema *schema, const struct str *columns,
                                 uint32_t len, uint32_t kinds, struct error *err)
{
    for (uint32_t i = 0; i < len; i++) {
        int32_t at = schema_find(schema, columns[i]);
        int shown = columns[i].len < 100 ? (int)columns[i].len : 100;
        if (at < 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "the source has no column \"%.*s\"",
                             shown, columns[i].data);
        if ((kinds & INDEX_KIND_SORTED) && schema->fields[at].type == TYPE_JSON)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "\"%.*s\" is a JSON column: its values have no order to index", shown,
                             columns[i].data);
    }
    return STATUS_OK;
}

static enum status too_many(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "a source has at most %d indexes of a kind",
                     SOURCE_COLUMNS_LISTED_MAX);
}

static enum status list_hash(struct lists *lists, struct str column, struct error *err)
{
    if (has(lists->hash, lists->hash_len, column))
        return STATUS_OK;
    if (lists->hash_len == SOURCE_COLUMNS_LISTED_MAX)
        return too_many(err);
    lists->hash[lists->hash_len++] = column;
    return STATUS_OK;
}

static enum status list_sorted(struct lists *lists, int32_t field_id, struct error *err)
{
    for (uint32_t i = 0; i < lists->sorted_len; i++)
        if (lists->sorted[i] == field_id)
            return STATUS_OK;
    if (lists->sorted_len == SOURCE_COLUMNS_LISTED_MAX)
        return too_many(err);
    lists->sorted[lists->sorted_len++] = field_id;
    return STATUS_OK;
}

/* flush_lock is held. */
static enum status add_locked(struct source *source, const struct schema *schema,
                              const struct str *columns, uint32_t len, uint32_t kinds,
                              struct error *err)
{
    const struct source_config *config = source_config(source);
    struct lists lists;
    TRY(check_state(source, err));
    TRY(check_columns(schema, columns, len, kinds, err));
    lists_init(&lists, config);
    for (uint32_t i = 0; i < len; i++) {
        if (kinds & INDEX_KIND_HASH)
            TRY(list_hash(&lists, columns[i], err));
        int32_t id = schema->fields[schema_find(schema, columns[i])].id;
        if (kinds & INDEX_KIND_SORTED)
            TRY(list_sorted(&lists, field_id_base(id), err));
    }
    bool same = lists.hash_len == config->index_columns_len &&
                lists.sorted_len == config->sorted_fields_len;
    return same ? STATUS_OK : change(source, &lists, err);
}

enum status source_add_indexes(struct source *source, const struct str *columns, uint32_t len,
                               uint32_t kinds, struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    struct schema *schema = source_schema(source);
    enum status status = add_locked(source, schema, columns, len, kinds, err);
    schema_unref(schema);
    pthread_mutex_unlock(&source->flush_lock);
    if (status == STATUS_OK)
        store_index_wake(source->store);
    return status;
}

/* --- dropping --- */

static struct snapshot *present_snapshot(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    struct snapshot *snapshot = snapshot_ref(source->snapshot);
    pthread_mutex_unlock(&source->lock);
    return snapshot;
}

static void remove_files(struct source *source, const struct snapshot *snapshot, int32_t index_id)
{
    char path[SYS_PATH_MAX];
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        struct segment *segment = snapshot->segments[i];
        if (segment_index_look(segment, index_id) == SEGMENT_INDEX_NONE ||
            segment_index_path(segment, index_id, path, NULL) != STATUS_OK)
            continue;
        segment_index_set(segment, index_id, SEGMENT_INDEX_NONE);
        (void)sys_unlink(source->store->sys, path, NULL); /* the next start removes what stays */
    }
}

/* Of the kept states too; flush_lock is enough for reading them. */
void source_remove_sidecars(struct source *source, int32_t index_id)
{
    const struct history *history = &source->history;
    remove_files(source, source->snapshot, index_id);
    for (uint32_t i = 0; i < history->len; i++) {
        if (history->entries[i].snapshot)
            remove_files(source, history->entries[i].snapshot, index_id);
    }
}

/* Takes the column out of the lists; false when it is in none of those asked for. */
static bool unlist(struct lists *lists, struct str column, int32_t field_id, uint32_t kinds)
{
    uint32_t hash_len = 0, sorted_len = 0;
    for (uint32_t i = 0; i < lists->hash_len; i++)
        if (!(kinds & INDEX_KIND_HASH) || !str_eq(lists->hash[i], column))
            lists->hash[hash_len++] = lists->hash[i];
    for (uint32_t i = 0; i < lists->sorted_len; i++)
        if (!(kinds & INDEX_KIND_SORTED) || lists->sorted[i] != field_id)
            lists->sorted[sorted_len++] = lists->sorted[i];
    bool found = hash_len < lists->hash_len || sorted_len < lists->sorted_len;
    lists->hash_len = hash_len;
    lists->sorted_len = sorted_len;
    return found;
}

/* flush_lock is held. */
static enum status drop_locked(struct source *source, const struct schema *schema,
                               struct str column, uint32_t kinds, struct error *err)
{
    struct lists lists;
    int32_t at = schema_find(schema, column), field_id = at < 0 ? 0 : schema->fields[at].id;
    TRY(check_state(source, err));
    lists_init(&lists, source_config(source));
    if (!unlist(&lists, column, field_id_base(field_id), kinds))
        return error_set(err, STATUS_NOT_FOUND, "the column \"%.*s\" has no such index",
                         column.len < 100 ? (int)column.len : 100, column.data);
    TRY(change(source, &lists, err));
    if (field_id && (kinds & INDEX_KIND_HASH))
        source_remove_sidecars(source, field_id);
    if (field_id && (kinds & INDEX_KIND_SORTED))
        source_remove_sidecars(source, index_id_sorted(field_id));
    return STATUS_OK;
}

enum status source_drop_index(struct source *source, struct str column, uint32_t kinds,
                              struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    struct schema *schema = source_schema(source);
    enum status status = drop_locked(source, schema, column, kinds, err);
    schema_unref(schema);
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

/* --- point look-ups over all segments --- */

bool view_narrow(struct view *view, uint32_t field, const struct value *values, uint32_t values_len,
                 uint64_t *candidates)
{
    struct source *source = view->source;
    const struct source_config *config = source_config(source);
    const struct field *f = &view->schema->fields[field];
    bool stale = false;
    if (view->segments_len < FINDER_SEGMENTS_MIN ||
        !has(config->index_columns, config->index_columns_len, f->name))
        return false;
    bool known = finder_narrow(&source->finders, f->id, view->snapshot_id, view->segments,
                               view->segments_len, values, values_len, candidates, &stale);
    if (stale && !source->store->options.read_only)
        store_index_wake(source->store);
    return known;
}

bool view_has_sorted(const struct view *view, uint32_t field)
{
    const struct source_config *config = view->source ? source_config(view->source) : NULL;
    for (uint32_t i = 0; config && i < config->sorted_fields_len; i++)
        if (config->sorted_fields[i] == field_id_base(view->schema->fields[field].id))
            return true;
    return false;
}

/* --- listing --- */

static void count_files(const struct snapshot *snapshot, int32_t index_id, struct index_info *info)
{
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        enum segment_index_state state = segment_index_look(snapshot->segments[i], index_id);
        info->files += state != SEGMENT_INDEX_NONE;
        info->ready += state == SEGMENT_INDEX_READY;
        info->failed += state == SEGMENT_INDEX_FAILED;
    }
}

/* Indexes on columns that have no rows yet are listed too. */
static enum status list_all(const struct source_config *config, const struct schema *schema,
                            const struct snapshot *snapshot, struct arena *arena,
                            struct index_info *list, uint32_t *len, struct error *err)
{
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        struct index_info *info = &list[(*len)++];
        int32_t at = schema_find(schema, config->index_columns[i]);
        info->kind = INDEX_KIND_HASH;
        info->column = arena_str(arena, config->index_columns[i]);
        if (!info->column.data)
            return error_no_memory(err);
        if (at >= 0)
            count_files(snapshot, schema->fields[at].id, info);
    }
    for (uint32_t i = 0; i < config->sorted_fields_len; i++) {
        for (uint32_t f = 0; f < schema->fields_len; f++) {
            if (field_id_base(schema->fields[f].id) != config->sorted_fields[i])
                continue;
            struct index_info *info = &list[(*len)++];
            info->kind = INDEX_KIND_SORTED;
            info->column = arena_str(arena, schema->fields[f].name);
            if (!info->column.data)
                return error_no_memory(err);
            count_files(snapshot, index_id_sorted(schema->fields[f].id), info);
        }
    }
    return STATUS_OK;
}

enum status source_list_indexes(struct source *source, struct arena *arena,
                                struct index_info **ret_indexes, uint32_t *ret_len,
                                struct error *err)
{
    const struct source_config *config = source_config(source);
    uint32_t most = config->index_columns_len + config->sorted_fields_len, len = 0;
    struct index_info *list = arena_array(arena, most + 1u, sizeof *list);
    if (!list)
        return error_no_memory(err);
    struct snapshot *snapshot = present_snapshot(source);
    struct schema *schema = source_schema(source);
    enum status status = list_all(config, schema, snapshot, arena, list, &len, err);
    schema_unref(schema);
    snapshot_unref(snapshot);
    *ret_indexes = list;
    *ret_len = len;
    return status;
}

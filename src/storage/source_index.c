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

/* flush_lock is held. Makes `columns` the list in force. */
static enum status change(struct source *source, const struct str *columns, uint32_t len,
                          struct error *err)
{
    const struct source_config *old = source_config(source);
    struct source_config draft = *old;
    char path[SYS_PATH_MAX];
    if (!draft.declared_index_columns) {
        draft.declared_index_columns = old->index_columns;
        draft.declared_index_columns_len = old->index_columns_len;
    }
    draft.index_columns = columns;
    draft.index_columns_len = len;
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

static enum status check_state(struct source *source, struct error *err)
{
    if (source->store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    if (source_is_removed(source))
        return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source \"%.*s\"",
                         STR_ARG(source_config(source)->source_id));
    return STATUS_OK;
}

static enum status check_columns(struct source *source, const struct str *columns, uint32_t len,
                                 struct error *err)
{
    struct schema *schema = source_schema(source);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++) {
        if (schema_find(schema, columns[i]) < 0)
            status = error_set(err, STATUS_INVALID_ARGUMENT, "the source has no column \"%.*s\"",
                               columns[i].len < 100 ? (int)columns[i].len : 100, columns[i].data);
    }
    schema_unref(schema);
    return status;
}

/* flush_lock is held. */
static enum status add_locked(struct source *source, const struct str *columns, uint32_t len,
                              struct error *err)
{
    const struct source_config *config = source_config(source);
    struct str list[SOURCE_COLUMNS_LISTED_MAX];
    uint32_t total = config->index_columns_len;
    TRY(check_state(source, err));
    TRY(check_columns(source, columns, len, err));
    if (total)
        memcpy(list, config->index_columns, total * sizeof *list);
    for (uint32_t i = 0; i < len; i++) {
        if (has(list, total, columns[i]))
            continue;
        if (total == SOURCE_COLUMNS_LISTED_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "a source has at most %d indexes",
                             SOURCE_COLUMNS_LISTED_MAX);
        list[total++] = columns[i];
    }
    return total == config->index_columns_len ? STATUS_OK : change(source, list, total, err);
}

enum status source_add_indexes(struct source *source, const struct str *columns, uint32_t len,
                               struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    enum status status = add_locked(source, columns, len, err);
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

static void remove_files(struct source *source, const struct snapshot *snapshot, int32_t field_id)
{
    char path[SYS_PATH_MAX];
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        struct segment *segment = snapshot->segments[i];
        if (segment_index_look(segment, field_id) == SEGMENT_INDEX_NONE ||
            segment_index_path(segment, field_id, path, NULL) != STATUS_OK)
            continue;
        segment_index_set(segment, field_id, SEGMENT_INDEX_NONE);
        (void)sys_unlink(source->store->sys, path, NULL); /* the next start removes what stays */
    }
}

/* Of the kept states too; flush_lock is enough for reading them. */
void source_remove_sidecars(struct source *source, struct str column)
{
    const struct schema *schema = source->snapshot->schema;
    const struct history *history = &source->history;
    int32_t at = schema_find(schema, column);
    if (at < 0)
        return;
    remove_files(source, source->snapshot, schema->fields[at].id);
    for (uint32_t i = 0; i < history->len; i++) {
        if (history->entries[i].snapshot)
            remove_files(source, history->entries[i].snapshot, schema->fields[at].id);
    }
}

/* flush_lock is held. */
static enum status drop_locked(struct source *source, struct str column, struct error *err)
{
    const struct source_config *config = source_config(source);
    struct str list[SOURCE_COLUMNS_LISTED_MAX];
    uint32_t len = 0;
    TRY(check_state(source, err));
    if (!has(config->index_columns, config->index_columns_len, column))
        return error_set(err, STATUS_NOT_FOUND, "the column \"%.*s\" has no index",
                         column.len < 100 ? (int)column.len : 100, column.data);
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        if (!str_eq(config->index_columns[i], column))
            list[len++] = config->index_columns[i];
    }
    TRY(change(source, list, len, err));
    source_remove_sidecars(source, column);
    return STATUS_OK;
}

enum status source_drop_index(struct source *source, struct str column, struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    enum status status = drop_locked(source, column, err);
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

/* --- listing --- */

static void count_files(const struct snapshot *snapshot, struct index_info *info)
{
    int32_t at = schema_find(snapshot->schema, info->column);
    for (uint32_t i = 0; at >= 0 && i < snapshot->segments_len; i++) {
        enum segment_index_state state =
            segment_index_look(snapshot->segments[i], snapshot->schema->fields[at].id);
        info->files += state != SEGMENT_INDEX_NONE;
        info->ready += state == SEGMENT_INDEX_READY;
        info->failed += state == SEGMENT_INDEX_FAILED;
    }
}

enum status source_list_indexes(struct source *source, struct arena *arena,
                                struct index_info **ret_indexes, uint32_t *ret_len,
                                struct error *err)
{
    const struct source_config *config = source_config(source);
    struct index_info *list = arena_array(arena, config->index_columns_len + 1u, sizeof *list);
    struct snapshot *snapshot = present_snapshot(source);
    bool copied = list != NULL;
    for (uint32_t i = 0; copied && i < config->index_columns_len; i++) {
        list[i].column = arena_str(arena, config->index_columns[i]);
        copied = list[i].column.data != NULL;
        if (copied)
            count_files(snapshot, &list[i]);
    }
    snapshot_unref(snapshot);
    if (!copied)
        return error_no_memory(err);
    *ret_indexes = list;
    *ret_len = config->index_columns_len;
    return STATUS_OK;
}

/* view.c: pinned states. A view takes references under the source's lock and nothing else, so it
 * waits for no disk and blocks no writer. */
#include "storage/store_int.h"

#include <stdlib.h>

/* The segments as they are now, or as the snapshot says. */
static void take_segments(struct view *view, struct snapshot *snapshot,
                          struct deletion_set *deleted)
{
    view->impl->snapshot = snapshot_ref(snapshot);
    view->impl->deleted = deleted ? deletion_set_ref(deleted) : NULL;
    view->snapshot_id = snapshot->id;
    view->segments = snapshot->segments;
    view->segments_len = snapshot->segments_len;
    view->deletions = deleted ? deleted->items : snapshot->deletions;
    view->rows = snapshot->rows;
    if (deleted)
        view->rows += snapshot->deleted_rows - deleted->rows;
}

/* source->lock is held. */
static enum status open_locked(struct source *source, struct view *view)
{
    struct chunk_list *list = chunk_list_of(&source->frozen, &source->active);
    view->impl = list ? calloc(1, sizeof *view->impl) : NULL;
    if (!view->impl) {
        chunk_list_unref(list);
        return STATUS_NO_MEMORY;
    }
    view->impl->chunks = list;
    view->chunks = list->batches;
    view->chunk_deletions = list->deletions;
    view->chunks_len = list->len;
    view->schema = schema_ref(source->schema);
    view->lsn = source->published_lsn;
    take_segments(view, source->snapshot, source->deleted);
    view->rows += list->rows;
    return STATUS_OK;
}

enum status view_open(struct source *source, struct view *ret_view, struct error *err)
{
    *ret_view = (struct view){0};
    pthread_mutex_lock(&source->lock);
    enum status status = open_locked(source, ret_view);
    pthread_mutex_unlock(&source->lock);
    if (status != STATUS_OK)
        return error_no_memory(err);
    ret_view->source = source_ref(source);
    return STATUS_OK;
}

enum status view_open_as_of(struct source *source, const struct as_of *as_of, struct view *ret_view,
                            struct error *err)
{
    struct snapshot *snapshot = NULL;
    *ret_view = (struct view){0};
    struct view_int *impl = calloc(1, sizeof *impl);
    if (!impl)
        return error_no_memory(err);
    pthread_mutex_lock(&source->lock);
    ret_view->impl = impl;
    enum status status = history_find(source, as_of, &snapshot, err);
    if (status == STATUS_OK)
        take_segments(ret_view, snapshot, NULL);
    pthread_mutex_unlock(&source->lock);
    if (status != STATUS_OK) {
        free(impl);
        *ret_view = (struct view){0};
        return status;
    }
    ret_view->source = source_ref(source);
    ret_view->schema = schema_ref(snapshot->schema);
    ret_view->lsn = snapshot->lsn;
    return STATUS_OK;
}

void view_close(struct view *view)
{
    if (!view->impl)
        return;
    struct source *source = view->source;
    chunk_list_unref(view->impl->chunks);
    deletion_set_unref(view->impl->deleted);
    snapshot_unref(view->impl->snapshot);
    free(view->impl);
    schema_unref(view->schema);
    if (atomic_load(&source->history.doomed_len)) /* files that only this view held */
        compactor_wake(source);
    source_unref(source);
    *view = (struct view){0};
}

static bool is_index_column(const struct source_config *config, struct str column)
{
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        if (str_eq(config->index_columns[i], column))
            return true;
    }
    return false;
}

enum status view_chunk_lookup(struct view *view, uint32_t chunk, struct str column,
                              const struct value *value, bool *ret_used, uint32_t **ret_rows,
                              uint32_t *ret_len, struct error *err)
{
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    if (!is_index_column(source_config(view->source), column))
        return STATUS_OK;
    return chunk_lookup(view->impl->chunks->chunks[chunk], &column, value, 1, ret_used, ret_rows,
                        ret_len, err);
}

enum status view_chunk_lookup_tuple(struct view *view, uint32_t chunk,
                                    const struct composite *composite, const struct value *values,
                                    bool *ret_used, uint32_t **ret_rows, uint32_t *ret_len,
                                    struct error *err)
{
    struct str columns[INDEX_FIELDS_MAX];
    for (uint32_t i = 0; i < composite->def.fields_len; i++)
        columns[i] = view->schema->fields[composite->fields[i]].name;
    return chunk_lookup(view->impl->chunks->chunks[chunk], columns, values,
                        composite->def.fields_len, ret_used, ret_rows, ret_len, err);
}

/* --- overlay files --- */

struct overlay {
    struct sys *sys;
    struct sys_file *file;
    uint64_t offset;
};

static enum status overlay_sink(void *context, struct slice bytes, struct error *err)
{
    struct overlay *overlay = context;
    TRY(sys_pwrite(overlay->sys, overlay->file, bytes.data, bytes.len, overlay->offset, err));
    overlay->offset += bytes.len;
    return STATUS_OK;
}

static enum status write_parquet(const struct view *view, const struct batch *batch,
                                 struct overlay *overlay, struct error *err)
{
    struct parquet_write_options options = {.codec = PARQUET_NONE, .created_by = STR("Quarry")};
    struct parquet_writer *writer = NULL;
    uint32_t len = 0;
    struct field *fields = malloc((batch->columns_len + 1u) * sizeof *fields);
    if (!fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        int32_t at = schema_find(view->schema, batch->columns[i].name);
        if (at < 0)
            continue;
        fields[len] = view->schema->fields[at];
        fields[len++].type = batch->columns[i].column.type;
    }
    if (len == 0) /* rows without values still count */
        fields[len++] = (struct field){STR("_"), TYPE_BOOL, INT32_MAX};
    enum status status =
        parquet_writer_open(fields, len, &options, overlay_sink, overlay, &writer, err);
    if (status == STATUS_OK)
        status = parquet_writer_append(writer, batch, NULL, batch->rows, err);
    if (status == STATUS_OK)
        status = parquet_writer_finish(writer, NULL, err);
    parquet_writer_free(writer);
    free(fields);
    return status;
}

/* chunk->lock is held. */
static enum status write_overlay(const struct view *view, struct chunk *chunk, struct error *err)
{
    struct store *store = view->source->store;
    char path[SYS_PATH_MAX];
    struct overlay overlay = {.sys = store->sys};
    TRY(sys_path(path, err, "%s/run/%08llu.parquet", store->path,
                 (unsigned long long)atomic_fetch_add(&store->next_overlay, 1)));
    char *copy = str_dup(str_of(path));
    if (!copy)
        return error_no_memory(err);
    enum status status =
        sys_open(store->sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &overlay.file, err);
    if (status == STATUS_OK) {
        status = write_parquet(view, chunk->batch, &overlay, err);
        sys_close(store->sys, overlay.file);
        if (status != STATUS_OK)
            (void)sys_unlink(store->sys, path, NULL); /* run/ is emptied at start */
    }
    if (status == STATUS_OK)
        chunk->overlay_path = copy;
    else
        free(copy);
    return status;
}

enum status view_overlay_files(struct view *view, const char ***ret_paths, uint32_t *ret_len,
                               struct error *err)
{
    const char **paths = malloc((view->chunks_len + 1u) * sizeof *paths);
    if (!paths)
        return error_no_memory(err);
    for (uint32_t i = 0; i < view->chunks_len; i++) {
        struct chunk *chunk = view->impl->chunks->chunks[i];
        pthread_mutex_lock(&chunk->lock);
        enum status status = chunk->overlay_path ? STATUS_OK : write_overlay(view, chunk, err);
        paths[i] = chunk->overlay_path;
        pthread_mutex_unlock(&chunk->lock);
        if (status != STATUS_OK) {
            free(paths);
            return status;
        }
    }
    *ret_paths = paths;
    *ret_len = view->chunks_len;
    return STATUS_OK;
}

static enum status delete_file(struct view *view, struct deletion *deletion, const char **ret,
                               struct error *err)
{
    struct store *store = view->source->store;
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/run/%08llu.deletes.parquet", store->path,
                 (unsigned long long)atomic_fetch_add(&store->next_overlay, 1)));
    return deletion_overlay(deletion, store->sys, path, ret, err);
}

enum status view_delete_files(struct view *view, const char ***ret_paths, struct error *err)
{
    uint32_t len = view->segments_len + view->chunks_len;
    const char **paths = NULL;
    *ret_paths = NULL;
    for (uint32_t i = 0; i < len; i++) {
        struct deletion **list = i < view->segments_len ? view->deletions : view->chunk_deletions;
        struct deletion *deletion =
            list ? list[i < view->segments_len ? i : i - view->segments_len] : NULL;
        if (!deletion)
            continue;
        if (!paths)
            paths = calloc(len, sizeof *paths);
        enum status status =
            paths ? delete_file(view, deletion, &paths[i], err) : error_no_memory(err);
        if (status != STATUS_OK) {
            free((void *)paths);
            return status;
        }
    }
    *ret_paths = paths;
    return STATUS_OK;
}

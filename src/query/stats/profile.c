#include "query/stats/profile.h"

static uint64_t chunk_rows(const struct view *view)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < view->chunks_len; i++)
        rows += view->chunks[i]->rows;
    return rows;
}

static uint64_t live_chunk_rows(const struct view *view)
{
    uint64_t rows = chunk_rows(view);
    for (uint32_t i = 0; view->chunk_deletions && i < view->chunks_len; i++)
        rows -= deletion_count(view->chunk_deletions[i]);
    return rows;
}

bool profile_is_stale(const struct view *view, const struct sketch *sketch)
{
    uint64_t rows = view->rows - live_chunk_rows(view);
    uint64_t known = sketch ? sketch_rows(sketch) : 0;
    uint64_t apart = rows > known ? rows - known : known - rows;
    return apart > rows / 20;
}

/* The youngest chunks, as far as PROFILE_CHUNK_ROWS reaches. */
static enum status sketch_chunks(const struct view *view, struct sketch *sketch, struct error *err)
{
    uint64_t left = PROFILE_CHUNK_ROWS;
    for (uint32_t i = view->chunks_len; i > 0 && left > 0; i--) {
        const struct batch *batch = view->chunks[i - 1];
        TRY(sketch_add(sketch, batch, view->schema->fields, view->schema->fields_len, err));
        left -= batch->rows < left ? batch->rows : left;
    }
    return STATUS_OK;
}

enum status profile_of_view(const struct view *view, struct sketch **ret, struct error *err)
{
    struct sketch *flushed = view->source ? source_sketch(view->source) : NULL;
    *ret = flushed;
    if (chunk_rows(view) == 0)
        return STATUS_OK;
    struct sketch *fresh = sketch_new(view->lsn + 1);
    struct sketch *both = NULL;
    if (!fresh) {
        sketch_unref(flushed);
        return error_no_memory(err);
    }
    enum status status = sketch_chunks(view, fresh, err);
    if (status == STATUS_OK)
        status = sketch_merged(flushed, fresh, &both, err);
    sketch_unref(flushed);
    sketch_unref(fresh);
    *ret = both;
    return status;
}

static enum status sketch_view(struct view *view, const struct exec_context *context,
                               struct sketch *sketch, struct error *err)
{
    struct search_options options = {.limit = -1};
    struct search *search = NULL;
    TRY(search_open(view, &options, context, &search, err));
    enum status status = STATUS_OK;
    for (struct batch *batch = NULL; status == STATUS_OK;) {
        status = search_next(search, &batch, err);
        if (status != STATUS_OK || !batch)
            break;
        status = sketch_add(sketch, batch, view->schema->fields, view->schema->fields_len, err);
        batch_unref(batch);
    }
    search_close(search);
    return status;
}

/* A view without its chunks, of which the caller keeps the whole. */
static enum status remake(struct source *source, const struct view *view, uint64_t mark,
                          const struct exec_context *context, bool *ret_made, struct error *err)
{
    struct view flushed = *view;
    struct sketch *none = NULL, *made = NULL;
    struct sketch *sketch = sketch_new(view->snapshot_id + 1);
    if (!sketch)
        return error_no_memory(err);
    flushed.chunks_len = 0;
    enum status status = sketch_view(&flushed, context, sketch, err);
    if (status == STATUS_OK)
        status = sketch_merged(none, sketch, &made, err); /* down to its size */
    sketch_unref(sketch);
    if (status == STATUS_OK)
        *ret_made = source_set_sketch(source, made, mark);
    return status;
}

enum status profile_refresh(struct source *source, bool force, const struct exec_context *context,
                            bool *ret_made, struct error *err)
{
    struct view view;
    bool made = false;
    uint64_t mark = source_sketch_mark(source);
    TRY(view_open(source, &view, err));
    struct sketch *sketch = source_sketch(source);
    enum status status = STATUS_OK;
    if (force || profile_is_stale(&view, sketch))
        status = remake(source, &view, mark, context, &made, err);
    sketch_unref(sketch);
    view_close(&view);
    if (ret_made)
        *ret_made = made;
    return status;
}

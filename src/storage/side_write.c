/* side_write.c: rows that go into the log right before the frame of another source's write, so that
 * a crash leaves both or neither (wal.h, `before`). */
#include <stdlib.h>

#include "storage/store_int.h"

struct side_rows {
    struct source *source; /* referenced */
    struct chunk *chunk;
};

static void on_publish(struct wal_frame *frame, enum status status)
{
    struct side_rows *rows = frame->context;
    struct source *source = rows->source;
    uint64_t bytes = rows->chunk->bytes;
    pthread_mutex_lock(&source->lock);
    bool dropped = status != STATUS_OK || source->removed;
    if (!dropped) {
        rows->chunk->first_lsn = rows->chunk->last_lsn = frame->lsn;
        source_publish(source, rows->chunk, frame->time_us);
    }
    source_settled(source);
    pthread_mutex_unlock(&source->lock);
    if (!dropped) {
        source_list_for_merge(source);
    } else {
        store_memory_give(source->store, bytes);
        chunk_unref(rows->chunk);
    }
    source_unref(source);
    free(rows);
}

static enum status make_frame(const struct write_side *side, struct side_rows *rows,
                              struct wal_frame **ret, struct error *err)
{
    struct store *store = side->source->store;
    struct wal_frame *frame = wal_frame_beside(err);
    if (!frame)
        return STATUS_NO_MEMORY;
    frame->kind = WAL_BATCH;
    frame->source = side->source->incarnation;
    frame->rows = side->batch->rows;
    frame->time_us = sys_now_us(store->sys);
    frame->publish = on_publish;
    frame->context = rows;
    enum status status = batch_encode(side->batch, &frame->payload, err);
    if (status == STATUS_OK)
        *ret = frame;
    else
        wal_frame_unref(store->wal, frame);
    return status;
}

/* From here on the source's columns do not change until the frame is settled. */
static enum status enter(struct source *source, struct error *err)
{
    pthread_mutex_lock(&source->lock);
    while (source_wait_schema(source))
        ;
    bool removed = source->removed;
    if (!removed)
        source_submitted(source);
    pthread_mutex_unlock(&source->lock);
    if (!removed)
        return STATUS_OK;
    return error_set(err, STATUS_UNKNOWN_SOURCE, "the source \"%.*s\" has been removed",
                     STR_ARG(source->config.source_id));
}

static void leave(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    source_settled(source);
    pthread_mutex_unlock(&source->lock);
}

static void drop(struct side_rows *rows)
{
    struct source *source = rows->source;
    store_memory_give(source->store, rows->chunk->bytes);
    chunk_unref(rows->chunk);
    free(rows);
    leave(source);
    source_unref(source);
}

static enum status make_rows(const struct write_side *side, struct side_rows **ret,
                             struct error *err)
{
    struct store *store = side->source->store;
    struct schema *schema = NULL;
    TRY(source_fit_batch(side->source, side->batch, &schema, err));
    schema_unref(schema);
    struct side_rows *rows = calloc(1, sizeof *rows);
    struct chunk *chunk = rows ? chunk_new(store->sys, side->batch, 0, 0) : NULL;
    if (!chunk) {
        free(rows);
        return error_no_memory(err);
    }
    chunk->budget = &store->chunk_indexes;
    /* Without waiting for memory: the write that it goes with has waited for its own. */
    store_memory_add(store, chunk->bytes);
    *rows = (struct side_rows){source_ref(side->source), chunk};
    *ret = rows;
    return STATUS_OK;
}

enum status side_write_make(const struct write_side *side, struct wal_frame **ret_frame,
                            struct error *err)
{
    struct side_rows *rows = NULL;
    if (!side)
        return STATUS_OK;
    TRY(enter(side->source, err));
    enum status status = make_rows(side, &rows, err);
    if (status != STATUS_OK) {
        leave(side->source);
        return status;
    }
    status = make_frame(side, rows, ret_frame, err);
    if (status != STATUS_OK)
        drop(rows);
    return status;
}

void side_write_drop(struct wal_frame *frame)
{
    if (frame)
        drop(frame->context);
}

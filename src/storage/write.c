/* write.c: the way of a batch: fit to the schema, remember the id, log, publish, acknowledge.
 *
 *   1. a known write id is answered at once; one that is under way is waited for
 *   2. the batch is fitted to the schema; when it needs more, a wider schema is put in place first
 *      (a schema that is too wide because the write then failed does no harm)
 *   3. memory is taken (or 429), room in the log's queue, the batch is encoded: without locks
 *   4. under the source's lock: not removed, schema still the same (else fit again), write id still
 *      unknown; then the frame is queued, so a source's frames stand in the order of these checks
 *   5. whoever writes the log publishes in LSN order; then this thread goes on
 * Nothing that can fail stands between the sync and the publication: chunk and id entry are made
 * before. A write that may not wait (write_later.c) is left undone where it would have to. */
#include "storage/store_int.h"

static void on_publish(struct wal_frame *frame, enum status status)
{
    struct log_write *write = frame->context;
    struct source *source = write->source;
    struct chunk *chunk = write->chunk;
    uint64_t bytes = chunk ? chunk->bytes : 0;
    pthread_mutex_lock(&source->lock);
    bool dropped = status != STATUS_OK || source->removed;
    if (!dropped && write->mutation)
        mutation_publish(write->mutation, frame->lsn, frame->time_us);
    source->bare_mutations += !dropped && !chunk;
    if (!dropped && chunk) {
        chunk->first_lsn = chunk->last_lsn = frame->lsn;
        source_publish(source, chunk, frame->time_us);
    }
    if (write->has_id && status == STATUS_OK)
        write_ids_done(&source->ids, write->id_number, frame->lsn, frame->rows);
    else if (write->has_id)
        write_ids_drop(&source->ids, write->id_number);
    if (write->has_id)
        pthread_cond_broadcast(&source->changed);
    source_settled(source);
    pthread_mutex_unlock(&source->lock);
    if (!dropped) {
        source_list_for_merge(source);
    } else if (chunk) {
        store_memory_give(source->store, bytes);
        chunk_unref(chunk);
    }
}

/* --- the writer's side --- */

static enum status unknown(const struct source *source, struct error *err)
{
    return error_set(err, STATUS_UNKNOWN_SOURCE, "the source \"%.*s\" has been removed",
                     STR_ARG(source->config.source_id));
}

/* source->lock is held. While an earlier write of this id is under way it is let go, or, without
 * `wait`, `*ret_waits` is set. */
static bool is_duplicate(struct source *source, struct str write_id, bool wait, bool *ret_waits,
                         struct write_result *result)
{
    if (!write_id.data)
        return false;
    struct write_id *entry;
    while ((entry = write_ids_find(&source->ids, write_id)) && entry->state == WRITE_ID_PENDING) {
        *ret_waits = !wait;
        if (!wait)
            return false;
        pthread_cond_wait(&source->changed, &source->lock);
    }
    if (!entry)
        return false;
    *result = (struct write_result){.lsn = entry->lsn, .rows = entry->rows, .duplicate = true};
    return true;
}

/* Puts a schema in place that has the batch's columns, unless another writer was quicker. */
static enum status grow_schema(struct source *source, const struct schema *base,
                               const struct batch *batch, struct error *err)
{
    struct schema *grown = NULL, *old = NULL;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&source->lock);
    if (source->schema == base) {
        status = schema_grow(base, batch, source->big_ints, &grown, err);
        if (status == STATUS_OK) {
            old = source->schema;
            source->schema = grown;
        }
    }
    pthread_mutex_unlock(&source->lock);
    schema_unref(old);
    return status;
}

/* A column's name may have got another meaning since the batch was made. */
static enum status check_epoch(const struct schema *schema, struct batch *batch, struct error *err)
{
    if (!batch->epoch)
        batch->epoch = schema->epoch;
    if (batch->epoch == schema->epoch)
        return STATUS_OK;
    return error_set(err, STATUS_SCHEMA_CHANGED,
                     "the source's columns were changed while the batch was on its way");
}

enum status source_fit_batch(struct source *source, struct batch *batch, struct schema **ret_schema,
                             struct error *err)
{
    for (;;) {
        bool changes = false;
        struct schema *schema = source_schema(source);
        enum status status = check_epoch(schema, batch, err);
        if (status == STATUS_OK)
            status = schema_fit(schema, batch, &changes, err);
        if (status == STATUS_OK && !changes) {
            *ret_schema = schema;
            return STATUS_OK;
        }
        if (status == STATUS_OK)
            status = grow_schema(source, schema, batch, err);
        schema_unref(schema);
        if (status != STATUS_OK)
            return status;
    }
}

/* Step 4; source->lock is held. `*ret_again`: the schema has moved on. */
static enum status submit_locked(struct log_write *write, const struct schema *schema,
                                 const uint8_t *big_ints, bool *ret_again,
                                 struct write_result *result, struct error *err)
{
    struct source *source = write->source;
    struct wal_frame *frame = write->frame;
    struct str id = {write->has_id ? frame->key : NULL, frame->key_len};
    *ret_again = false;
    if (!write->wait && source->altering)
        return log_would_wait(write, err);
    do {
        if (is_duplicate(source, id, write->wait, &write->must_wait, result))
            return STATUS_OK;
        if (write->must_wait)
            return log_would_wait(write, err);
    } while (source_wait_schema(source));
    if (source->removed)
        return unknown(source, err);
    *ret_again = source->schema != schema;
    if (*ret_again)
        return STATUS_OK;
    if (write->has_id)
        TRY(write_ids_add(&source->ids, id, frame->time_us, &write->id_number, err));
    for (size_t i = 0; i < sizeof source->big_ints; i++)
        source->big_ints[i] |= big_ints[i];
    source_submitted(source);
    wal_submit(source->store->wal, frame);
    return STATUS_OK;
}

/* Steps 2 and 4, until both see the same schema. */
static enum status submit(struct log_write *write, struct write_result *result, struct error *err)
{
    struct source *source = write->source;
    for (;;) {
        bool again = false;
        struct schema *schema = NULL;
        uint8_t big_ints[SCHEMA_FIELDS_MAX / 8] = {0};
        if (write->batch) {
            TRY(source_fit_batch(source, write->batch, &schema, err));
            schema_mark_big_ints(schema, write->batch, big_ints);
        } else {
            schema = source_schema(source);
        }
        pthread_mutex_lock(&source->lock);
        enum status status = submit_locked(write, schema, big_ints, &again, result, err);
        pthread_mutex_unlock(&source->lock);
        schema_unref(schema);
        if (!again)
            return status;
    }
}

/* As it is remembered with the write id: the number of rows that are new, or else deleted. */
static uint32_t rows_of(const struct batch *batch, const struct mutation *mutation)
{
    uint64_t rows = batch ? batch->rows : mutation_rows(mutation);
    return rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX;
}

static enum status fill_frame(struct log_write *write, struct error *err)
{
    struct source *source = write->source;
    struct wal_frame *frame = write->frame;
    frame->kind = write->mutation ? WAL_MUTATION : WAL_BATCH;
    frame->async = !source->config.wal_enabled;
    frame->source = source->incarnation;
    frame->rows = rows_of(write->batch, write->mutation);
    frame->time_us = sys_now_us(source->store->sys);
    frame->key_len = (uint16_t)write->write_id.len;
    if (frame->key_len)
        memcpy(frame->key, write->write_id.data, frame->key_len);
    frame->publish = on_publish;
    frame->context = write;
    frame->settled = write->settled;
    frame->settled_context = write->settled_context;
    if (write->mutation)
        TRY(mutation_encode(write->mutation, &frame->payload, err));
    if (write->batch)
        TRY(batch_encode(write->batch, &frame->payload, err));
    return side_write_make(write->side, &frame->before, err);
}

static enum status make_frame(struct log_write *write, struct error *err)
{
    uint64_t bytes = write->chunk ? write->chunk->bytes : 0;
    TRY(wal_frame_new(write->source->store->wal, bytes < WAL_PAYLOAD_MAX ? bytes : WAL_PAYLOAD_MAX,
                      write->wait, &write->frame, err));
    return write->frame ? fill_frame(write, err) : log_would_wait(write, err);
}

/* Memory for the chunk; NULL when there are no new rows. */
static enum status make_chunk(struct log_write *write, struct error *err)
{
    struct store *store = write->source->store;
    if (!write->batch)
        return STATUS_OK;
    struct chunk *chunk = chunk_new(store->sys, write->batch, 0, 0);
    if (!chunk)
        return error_no_memory(err);
    chunk->budget = &store->chunk_indexes;
    enum status status = STATUS_OK;
    if (write->wait)
        status = store_memory_take(store, chunk->bytes, err);
    else if (!store_memory_try(store, chunk->bytes))
        status = log_would_wait(write, err);
    if (status == STATUS_OK)
        write->chunk = chunk;
    else
        chunk_unref(chunk);
    return status;
}

static void drop_frame(struct log_write *write)
{
    if (!write->frame)
        return;
    struct wal *wal = write->source->store->wal;
    wal_frame_unref(wal, write->frame->before);
    wal_frame_unref(wal, write->frame);
    write->frame = NULL;
}

/* Nothing was submitted. */
static void undo(struct log_write *write)
{
    side_write_drop(write->frame ? write->frame->before : NULL);
    drop_frame(write);
    if (!write->chunk)
        return;
    store_memory_give(write->source->store, write->chunk->bytes);
    chunk_unref(write->chunk);
    write->chunk = NULL;
}

enum status log_would_wait(struct log_write *write, struct error *err)
{
    write->must_wait = true;
    return error_set(err, STATUS_UNAVAILABLE, "the write has to wait for others");
}

enum status log_begin(struct log_write *write, struct write_result *result, struct error *err)
{
    write->has_id = write->write_id.len > 0;
    enum status status = make_chunk(write, err);
    if (status == STATUS_OK)
        status = make_frame(write, err);
    if (status == STATUS_OK)
        status = submit(write, result, err);
    if (status != STATUS_OK || result->duplicate)
        undo(write);
    return status;
}

enum status log_end(struct log_write *write, struct write_result *result, struct error *err)
{
    struct wal_frame *frame = write->frame;
    enum status status = wal_outcome(frame, err);
    *result =
        (struct write_result){.lsn = frame->lsn,
                              .rows = frame->rows,
                              .deleted = write->mutation ? mutation_rows(write->mutation) : 0};
    drop_frame(write);
    return status;
}

static enum status check_open(const struct source *source, struct str write_id, struct error *err)
{
    if (atomic_load(&source->store->closing))
        return error_set(err, STATUS_UNAVAILABLE, "the store is closing");
    if (source->store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    if (write_id.data && (write_id.len == 0 || write_id.len > WRITE_ID_MAX))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a write id has 1 to %d bytes",
                         WRITE_ID_MAX);
    return STATUS_OK;
}

enum status source_check_write(struct source *source, struct str write_id, bool *ret_waits,
                               bool *ret_duplicate, struct write_result *result, struct error *err)
{
    bool waits = false;
    TRY(check_open(source, write_id, err));
    pthread_mutex_lock(&source->lock);
    bool removed = source->removed;
    *ret_duplicate = is_duplicate(source, write_id, !ret_waits, &waits, result);
    pthread_mutex_unlock(&source->lock);
    if (ret_waits)
        *ret_waits = waits;
    return removed && !*ret_duplicate ? unknown(source, err) : STATUS_OK;
}

enum status source_log(struct source *source, struct batch *batch, struct str write_id,
                       struct mutation *mutation, const struct write_side *side,
                       struct write_result *result, struct error *err)
{
    struct log_write write = {.source = source,
                              .batch = batch,
                              .write_id = write_id,
                              .mutation = mutation,
                              .side = side,
                              .wait = true};
    TRY(log_begin(&write, result, err));
    if (result->duplicate)
        return STATUS_OK;
    (void)wal_wait(source->store->wal, write.frame, NULL);
    return log_end(&write, result, err);
}

enum status source_check_batch(struct source *source, struct batch *batch, struct str write_id,
                               bool *ret_waits, struct write_result *result, struct error *err)
{
    bool duplicate = false;
    struct schema *schema = NULL;
    if (batch->rows == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a write holds at least one record");
    TRY(source_check_write(source, write_id, ret_waits, &duplicate, result, err));
    if (duplicate || (ret_waits && *ret_waits))
        return STATUS_OK;
    TRY(source_fit_batch(source, batch, &schema, err));
    schema_unref(schema);
    return STATUS_OK;
}

static enum status write_batch(struct source *source, struct batch *batch, struct str write_id,
                               const struct write_side *side, struct write_result *result,
                               struct error *err)
{
    TRY(source_check_batch(source, batch, write_id, NULL, result, err));
    return result->duplicate ? STATUS_OK
                             : source_log(source, batch, write_id, NULL, side, result, err);
}

void store_count_write(struct store *store, enum status status, const struct write_result *result,
                       uint32_t rows)
{
    if (status != STATUS_OK) {
        atomic_fetch_add(&store->writes_refused, 1);
    } else if (!result->duplicate) {
        atomic_fetch_add(&store->writes, 1);
        atomic_fetch_add(&store->rows_written, rows);
    }
}

enum status source_write_with(struct source *source, struct batch *batch, struct str write_id,
                              bool upsert, const struct write_side *side,
                              struct write_result *ret_result, struct error *err)
{
    if (upsert)
        return source_upsert_with(source, batch, write_id, side, ret_result, err);
    *ret_result = (struct write_result){0};
    enum status status = write_batch(source, batch, write_id, side, ret_result, err);
    store_count_write(source->store, status, ret_result, ret_result->rows);
    return status;
}

enum status source_write(struct source *source, struct batch *batch, struct str write_id,
                         struct write_result *ret_result, struct error *err)
{
    return source_write_with(source, batch, write_id, false, NULL, ret_result, err);
}

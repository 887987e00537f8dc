/* write.c: the way of a batch: fit to the schema, remember the id, log, publish, acknowledge.
 *
 *   1. a known write id is answered at once; one that is under way is waited for
 *   2. the batch is fitted to the schema; when it needs more, a wider schema is put in place first
 *      (a schema that is too wide because the write then failed does no harm)
 *   3. memory is taken (or 429), room in the log's queue, the batch is encoded: without locks
 *   4. under the source's lock: not removed, schema still the same (else fit again), write id still
 *      unknown; then the frame is queued, so a source's frames stand in the order of these checks
 *   5. the WAL's thread publishes in LSN order; then this thread goes on
 * Nothing that can fail stands between the sync and the publication: chunk and id entry are made
 * before. */
#include <stdlib.h>

#include "storage/store_int.h"

/* --- memory --- */

int64_t store_wait_until(int64_t us)
{
    return sys_mono_us(sys_posix()) + us;
}

enum status store_memory_take(struct store *store, uint64_t bytes, struct error *err)
{
    uint64_t max = store->options.memtable_max_bytes;
    int64_t until = store_wait_until(STORE_MEMORY_WAIT_US);
    bool late = false;
    pthread_mutex_lock(&store->memory_lock);
    store->writers_waiting++;
    /* A write that is larger than all memory is let in alone. */
    while (store->memory_used && store_memory_used(store) + bytes > max && !late &&
           !store->stopping) {
        pthread_cond_signal(&store->flush_work);
        late = !thread_cond_wait_until(&store->memory_freed, &store->memory_lock, until);
    }
    store->writers_waiting--;
    bool fits = !store->memory_used || store_memory_used(store) + bytes <= max;
    if (fits) {
        store->memory_used += bytes;
        if (store_memory_used(store) >= store->options.memtable_bytes)
            pthread_cond_signal(&store->flush_work);
    }
    pthread_mutex_unlock(&store->memory_lock);
    if (fits)
        return STATUS_OK;
    if (atomic_load(&store->disk_full)) /* waiting alone does not help */
        return error_set(err, STATUS_STORAGE_FULL,
                         "the disk is full: rows in memory cannot be made files");
    enum status status = error_set(err, STATUS_TOO_MANY_REQUESTS,
                                   "memory for new rows is full until a flush has ended");
    if (err)
        err->retry_after_s = 1;
    return status;
}

uint64_t store_memory_used(struct store *store)
{
    return store->memory_used + atomic_load(&store->chunk_indexes.used);
}

void store_memory_add(struct store *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->memory_lock);
    store->memory_used += bytes;
    pthread_mutex_unlock(&store->memory_lock);
}

void store_memory_give(struct store *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->memory_lock);
    store->memory_used -= bytes;
    pthread_cond_broadcast(&store->memory_freed);
    pthread_mutex_unlock(&store->memory_lock);
}

/* --- publishing (WAL thread, recovery) --- */

void source_publish(struct source *source, struct chunk *chunk, int64_t now_us)
{
    if (!source->active.head)
        source->active.since_us = sys_mono_us(source->store->sys);
    source->published_lsn = chunk->last_lsn;
    source->last_updated_us = now_us;
    memtable_append(&source->active, chunk);
}

void source_merge_chunks(struct source *source)
{
    struct chunk_merge_input from[CHUNK_MERGE_FAN];
    struct chunk *merged;
    bool more = true;
    while (more) {
        pthread_mutex_lock(&source->lock);
        uint32_t len = source->mutating ? 0 : memtable_merge_pick(&source->active, from);
        pthread_mutex_unlock(&source->lock);
        if (len == 0)
            return;
        merged = chunk_merge(from, len);
        uint64_t before = 0;
        for (uint32_t i = 0; i < len; i++)
            before += from[i].chunk->bytes;
        uint64_t after = merged ? merged->bytes : 0;
        pthread_mutex_lock(&source->lock);
        more =
            merged && !source->mutating && memtable_merge_swap(&source->active, from, len, merged);
        pthread_mutex_unlock(&source->lock);
        if (more) {
            store_memory_add(source->store, after);
            store_memory_give(source->store, before);
        } else {
            chunk_unref(merged);
        }
        for (uint32_t i = 0; i < len; i++) {
            chunk_unref(from[i].chunk);
            deletion_unref(from[i].deleted);
        }
    }
}

void store_after_group(void *context)
{
    struct store *store = context;
    while (store->to_merge) {
        struct source *source = store->to_merge;
        store->to_merge = source->next_merge;
        source->merge_listed = false;
        source_merge_chunks(source);
        source_unref(source);
    }
}

/* One accepted write between wal_submit and its publication. */
struct pending_write {
    struct source *source;
    struct chunk *chunk;       /* or NULL: a mutation without rows */
    struct mutation *mutation; /* or NULL; the waiter's */
    bool has_id;
    uint64_t id_number;
};

void source_list_for_merge(struct source *source)
{
    if (source->merge_listed)
        return;
    source->merge_listed = true;
    source->next_merge = source->store->to_merge;
    source->store->to_merge = source_ref(source);
}

static void on_publish(struct wal_frame *frame, enum status status)
{
    struct pending_write *write = frame->context;
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
    free(write);
}

/* --- the writer's side --- */

static enum status unknown(const struct source *source, struct error *err)
{
    return error_set(err, STATUS_UNKNOWN_SOURCE, "the source \"%.*s\" has been removed",
                     STR_ARG(source->config.source_id));
}

/* source->lock is held; it is let go while an earlier write of this id is under way. */
static bool is_duplicate(struct source *source, struct str write_id, struct write_result *result)
{
    if (!write_id.data)
        return false;
    struct write_id *entry;
    while ((entry = write_ids_find(&source->ids, write_id)) && entry->state == WRITE_ID_PENDING)
        pthread_cond_wait(&source->changed, &source->lock);
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
static enum status submit_locked(struct source *source, const struct schema *schema,
                                 const uint8_t *big_ints, struct pending_write *write,
                                 struct wal_frame *frame, bool *ret_again,
                                 struct write_result *result, struct error *err)
{
    struct str id = {write->has_id ? frame->key : NULL, frame->key_len};
    *ret_again = false;
    do {
        if (is_duplicate(source, id, result))
            return STATUS_OK;
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
static enum status submit(struct source *source, struct batch *batch, struct pending_write *write,
                          struct wal_frame *frame, struct write_result *result, struct error *err)
{
    for (;;) {
        bool again = false;
        struct schema *schema = NULL;
        uint8_t big_ints[SCHEMA_FIELDS_MAX / 8] = {0};
        if (batch) {
            TRY(source_fit_batch(source, batch, &schema, err));
            schema_mark_big_ints(schema, batch, big_ints);
        } else {
            schema = source_schema(source);
        }
        pthread_mutex_lock(&source->lock);
        enum status status =
            submit_locked(source, schema, big_ints, write, frame, &again, result, err);
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

static enum status fill_frame(struct source *source, const struct batch *batch, struct str write_id,
                              const struct mutation *mutation, struct wal_frame *frame,
                              struct error *err)
{
    frame->kind = mutation ? WAL_MUTATION : WAL_BATCH;
    frame->async = !source->config.wal_enabled;
    frame->source = source->incarnation;
    frame->rows = rows_of(batch, mutation);
    frame->time_us = sys_now_us(source->store->sys);
    frame->key_len = (uint16_t)write_id.len;
    if (write_id.len)
        memcpy(frame->key, write_id.data, write_id.len);
    frame->publish = on_publish;
    if (mutation)
        TRY(mutation_encode(mutation, &frame->payload, err));
    return batch ? batch_encode(batch, &frame->payload, err) : STATUS_OK;
}

/* Step 3 to 5. The chunk's memory has been taken; it is given back here unless published. */
static enum status log_and_wait(struct source *source, struct batch *batch, struct str write_id,
                                struct mutation *mutation, const struct write_side *side,
                                struct chunk *chunk, struct write_result *result, struct error *err)
{
    struct wal *wal = source->store->wal;
    uint64_t bytes = chunk ? chunk->bytes : 0;
    uint32_t rows = rows_of(batch, mutation);
    struct wal_frame *frame = NULL;
    struct pending_write *write = calloc(1, sizeof *write);
    enum status status = write ? STATUS_OK : error_no_memory(err);
    if (status == STATUS_OK)
        status = wal_frame_new(wal, bytes < WAL_PAYLOAD_MAX ? bytes : WAL_PAYLOAD_MAX, &frame, err);
    if (status == STATUS_OK)
        status = fill_frame(source, batch, write_id, mutation, frame, err);
    if (status == STATUS_OK)
        status = side_write_make(side, &frame->before, err);
    if (status == STATUS_OK) {
        *write = (struct pending_write){source, chunk, mutation, write_id.len > 0, 0};
        frame->context = write;
        status = submit(source, batch, write, frame, result, err);
    }
    if (status == STATUS_OK && !result->duplicate) {
        status = wal_wait(wal, frame, err);
        *result = (struct write_result){
            .lsn = frame->lsn, .rows = rows, .deleted = mutation ? mutation_rows(mutation) : 0};
    } else {
        free(write);
        chunk_unref(chunk);
        store_memory_give(source->store, bytes);
        side_write_drop(frame ? frame->before : NULL);
    }
    if (frame)
        wal_frame_unref(wal, frame->before);
    wal_frame_unref(wal, frame);
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

enum status source_check_write(struct source *source, struct str write_id, bool *ret_duplicate,
                               struct write_result *result, struct error *err)
{
    TRY(check_open(source, write_id, err));
    pthread_mutex_lock(&source->lock);
    bool removed = source->removed;
    *ret_duplicate = is_duplicate(source, write_id, result);
    pthread_mutex_unlock(&source->lock);
    return removed && !*ret_duplicate ? unknown(source, err) : STATUS_OK;
}

enum status source_log(struct source *source, struct batch *batch, struct str write_id,
                       struct mutation *mutation, const struct write_side *side,
                       struct write_result *result, struct error *err)
{
    if (!batch)
        return log_and_wait(source, NULL, write_id, mutation, side, NULL, result, err);
    struct chunk *chunk = chunk_new(source->store->sys, batch, 0, 0);
    if (!chunk)
        return error_no_memory(err);
    chunk->budget = &source->store->chunk_indexes;
    enum status status = store_memory_take(source->store, chunk->bytes, err);
    if (status != STATUS_OK) {
        chunk_unref(chunk);
        return status;
    }
    return log_and_wait(source, batch, write_id, mutation, side, chunk, result, err);
}

static enum status write_batch(struct source *source, struct batch *batch, struct str write_id,
                               const struct write_side *side, struct write_result *result,
                               struct error *err)
{
    bool duplicate = false;
    struct schema *schema = NULL;
    if (batch->rows == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a write holds at least one record");
    TRY(source_check_write(source, write_id, &duplicate, result, err));
    if (duplicate)
        return STATUS_OK;
    TRY(source_fit_batch(source, batch, &schema, err));
    schema_unref(schema);
    return source_log(source, batch, write_id, NULL, side, result, err);
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

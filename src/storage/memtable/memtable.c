/* memtable.c: the list of chunks and their merging (see memtable.h). */
#include "storage/memtable/chunk_list.h"

/* Before each change: views that are open keep the list that they have. */
static void drop_list(struct memtable *table)
{
    chunk_list_unref(table->list);
    table->list = NULL;
}

void memtable_append(struct memtable *table, struct chunk *chunk)
{
    drop_list(table);
    chunk->prev = table->tail;
    chunk->next = NULL;
    if (table->tail)
        table->tail->next = chunk;
    else
        table->head = chunk;
    table->tail = chunk;
    table->chunks++;
    table->rows += chunk->batch->rows;
    table->bytes += chunk->bytes;
    table->deleted += deletion_count(chunk->deleted);
    table->frames++;
}

/* Chunks of 8^n to 8^(n+1) - 1 rows are of one class. */
static uint32_t size_class(const struct chunk *chunk)
{
    return chunk->batch->rows < 2 ? 0 : (31 - (uint32_t)__builtin_clz(chunk->batch->rows)) / 3;
}

uint32_t memtable_merge_pick(struct memtable *table, struct chunk_merge_input ret[CHUNK_MERGE_FAN])
{
    uint32_t count = 0, rows = 0;
    struct chunk *first = table->tail;
    if (!first)
        return 0;
    uint32_t class = size_class(first);
    for (struct chunk *at = first; at && count < CHUNK_MERGE_FAN; at = at->prev) {
        if (size_class(at) > class || at->batch->rows > CHUNK_MERGE_ROWS_MAX)
            return 0;
        rows += at->batch->rows;
        count++;
        first = at;
    }
    if (count < CHUNK_MERGE_FAN || rows > CHUNK_MERGE_ROWS_MAX)
        return 0;
    for (uint32_t i = 0; i < count; i++, first = first->next)
        ret[i] = (struct chunk_merge_input){chunk_ref(first),
                                            first->deleted ? deletion_ref(first->deleted) : NULL};
    return count;
}

/* Frames and deleted rows of all inputs, one behind the other. */
static enum status merge_rest(const struct chunk_merge_input *from, uint32_t len,
                              struct chunk *merged)
{
    uint32_t frames = 0, first = 0;
    struct deletion_builder builder;
    for (uint32_t i = 0; i < len; i++)
        frames += chunk_frames(from[i].chunk);
    merged->frames = malloc(frames * sizeof *merged->frames);
    if (!merged->frames)
        return STATUS_NO_MEMORY;
    merged->bytes += frames * sizeof *merged->frames;
    deletion_builder_init(&builder, merged->batch->rows);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++) {
        const struct chunk *chunk = from[i].chunk;
        for (uint32_t f = 0; f < chunk_frames(chunk); f++)
            merged->frames[merged->frames_len++] =
                (struct chunk_frame){chunk_frame_lsn(chunk, f),
                                     first + (chunk->frames ? chunk->frames[f].first_row : 0)};
        status = deletion_builder_add_all(&builder, from[i].deleted, first, NULL);
        first += chunk->batch->rows;
    }
    if (status == STATUS_OK)
        status = deletion_builder_finish(&builder, &merged->deleted, NULL);
    deletion_builder_release(&builder);
    return status;
}

struct chunk *chunk_merge(const struct chunk_merge_input *from, uint32_t len)
{
    struct batch *batch = batch_new();
    if (!batch)
        return NULL;
    struct chunk *merged = NULL;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        status = batch_append(batch, from[i].chunk->batch, 0, from[i].chunk->batch->rows, NULL);
    if (status == STATUS_OK)
        merged = chunk_new(from[0].chunk->sys, batch, from[0].chunk->first_lsn,
                           from[len - 1].chunk->last_lsn);
    batch_unref(batch);
    if (!merged)
        return NULL;
    merged->budget = from[0].chunk->budget;
    if (merge_rest(from, len, merged) == STATUS_OK)
        return merged;
    chunk_unref(merged);
    return NULL;
}

bool memtable_merge_swap(struct memtable *table, const struct chunk_merge_input *from, uint32_t len,
                         struct chunk *merged)
{
    struct chunk *at = table->tail;
    for (uint32_t i = len; i-- > 0; at = at->prev) {
        if (at != from[i].chunk || at->deleted != from[i].deleted)
            return false;
    }
    struct chunk *before = from[0].chunk->prev;
    drop_list(table);
    for (uint32_t i = 0; i < len; i++) {
        table->chunks--;
        table->rows -= from[i].chunk->batch->rows;
        table->bytes -= from[i].chunk->bytes;
        table->deleted -= deletion_count(from[i].deleted);
    }
    table->tail = before;
    if (before)
        before->next = NULL;
    else
        table->head = NULL;
    memtable_append(table, merged);
    table->frames--; /* it is no new one */
    for (uint32_t i = 0; i < len; i++)
        chunk_unref(from[i].chunk);
    return true;
}

struct deletion *memtable_set_deleted(struct memtable *table, struct chunk *chunk,
                                      struct deletion *deleted)
{
    struct deletion *former = chunk->deleted;
    drop_list(table);
    table->deleted += deletion_count(deleted) - deletion_count(former);
    chunk->deleted = deleted;
    return former;
}

void memtable_move(struct memtable *to, struct memtable *from)
{
    if (!from->head)
        return;
    drop_list(to);
    drop_list(from);
    if (to->tail) {
        to->tail->next = from->head;
        from->head->prev = to->tail;
    } else {
        to->head = from->head;
        to->since_us = from->since_us;
    }
    to->tail = from->tail;
    to->chunks += from->chunks;
    to->rows += from->rows;
    to->bytes += from->bytes;
    to->frames += from->frames;
    to->deleted += from->deleted;
    *from = (struct memtable){0};
}

void memtable_clear(struct memtable *table)
{
    struct chunk *next;
    drop_list(table);
    for (struct chunk *at = table->head; at; at = next) {
        next = at->next;
        chunk_unref(at);
    }
    *table = (struct memtable){0};
}

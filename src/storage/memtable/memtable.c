/* memtable.c: the list of chunks and their merging (see memtable.h). */
#include "storage/memtable/memtable.h"

void memtable_append(struct memtable *table, struct chunk *chunk)
{
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
    table->frames++;
}

/* Chunks of 8^n to 8^(n+1) - 1 rows are of one class. */
static uint32_t size_class(const struct chunk *chunk)
{
    return chunk->batch->rows < 2 ? 0 : (31 - (uint32_t)__builtin_clz(chunk->batch->rows)) / 3;
}

uint32_t memtable_merge_pick(struct memtable *table, struct chunk *ret[CHUNK_MERGE_FAN])
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
        ret[i] = chunk_ref(first);
    return count;
}

struct chunk *chunk_merge(struct chunk *const *from, uint32_t len)
{
    struct batch *batch = batch_new();
    if (!batch)
        return NULL;
    struct chunk *merged = NULL;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        status = batch_append(batch, from[i]->batch, 0, from[i]->batch->rows, NULL);
    if (status == STATUS_OK)
        merged = chunk_new(from[0]->sys, batch, from[0]->first_lsn, from[len - 1]->last_lsn);
    if (merged)
        merged->budget = from[0]->budget;
    batch_unref(batch);
    return merged;
}

bool memtable_merge_swap(struct memtable *table, struct chunk *const *from, uint32_t len,
                         struct chunk *merged)
{
    struct chunk *at = table->tail;
    for (uint32_t i = len; i-- > 0; at = at->prev) {
        if (at != from[i])
            return false;
    }
    struct chunk *before = from[0]->prev;
    for (uint32_t i = 0; i < len; i++) {
        table->chunks--;
        table->rows -= from[i]->batch->rows;
        table->bytes -= from[i]->bytes;
    }
    table->tail = before;
    if (before)
        before->next = NULL;
    else
        table->head = NULL;
    memtable_append(table, merged);
    table->frames--; /* it is no new one */
    for (uint32_t i = 0; i < len; i++)
        chunk_unref(from[i]);
    return true;
}

void memtable_move(struct memtable *to, struct memtable *from)
{
    if (!from->head)
        return;
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
    *from = (struct memtable){0};
}

void memtable_clear(struct memtable *table)
{
    struct chunk *next;
    for (struct chunk *at = table->head; at; at = next) {
        next = at->next;
        chunk_unref(at);
    }
    *table = (struct memtable){0};
}

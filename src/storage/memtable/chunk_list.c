/* chunk_list.c: making, sharing and asking lists of chunks (see chunk_list.h). */
#include "storage/memtable/chunk_list.h"

#include <stdlib.h>

enum {
    PROBE_AHEAD = 16,        /* filters that are fetched while another one is asked */
    PROBE_ROWS_AHEAD = 64,   /* rows that are fetched before they are looked up, */
    PROBE_COLUMNS_AHEAD = 16 /* and columns of them */
};

/* The filters of one column's indexes, as the chunks; without `words`: the chunk may have any. */
struct chunk_probe {
    struct chunk_probe *next;
    struct str column; /* its name is a batch's */
    enum type type;    /* of the column in all chunks that have a filter here */
    bool complete;
    struct chunk_filter filters[];
};

/* --- life --- */

static struct chunk_list *list_new(uint32_t cap)
{
    struct chunk_list *list = calloc(1, sizeof *list);
    if (!list)
        return NULL;
    list->chunks = malloc((3 * (size_t)cap + 1) * sizeof(void *));
    if (!list->chunks) {
        free(list);
        return NULL;
    }
    list->batches = (struct batch **)(void *)(list->chunks + cap);
    list->deletions = (struct deletion **)(void *)(list->chunks + 2 * (size_t)cap);
    atomic_init(&list->refs, 1);
    pthread_mutex_init(&list->lock, NULL);
    return list;
}

static void take_chunks(struct chunk_list *list, const struct memtable *table)
{
    for (struct chunk *at = table->head; at; at = at->next) {
        uint32_t i = list->len++;
        list->chunks[i] = chunk_ref(at);
        list->batches[i] = at->batch;
        list->deletions[i] = at->deleted ? deletion_ref(at->deleted) : NULL;
        list->rows += at->batch->rows - deletion_count(at->deleted);
    }
}

static struct chunk_list *list_ref(struct chunk_list *list)
{
    if (list)
        atomic_fetch_add_explicit(&list->refs, 1, memory_order_relaxed);
    return list;
}

/* Of one table it is kept with the table until that changes. */
static struct chunk_list *list_of_one(struct memtable *table)
{
    if (!table->list && (table->list = list_new(table->chunks)) != NULL)
        take_chunks(table->list, table);
    return list_ref(table->list);
}

struct chunk_list *chunk_list_of(struct memtable *first, struct memtable *second)
{
    if (!first->head)
        return list_of_one(second);
    if (!second->head)
        return list_of_one(first);
    struct chunk_list *list = list_new(first->chunks + second->chunks);
    if (list) {
        take_chunks(list, first);
        take_chunks(list, second);
    }
    return list;
}

void chunk_list_unref(struct chunk_list *list)
{
    if (!list || atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct chunk_probe *next;
    for (struct chunk_probe *probe = list->probes; probe; probe = next) {
        next = probe->next;
        free(probe);
    }
    for (uint32_t i = 0; i < list->len; i++) {
        deletion_unref(list->deletions[i]);
        chunk_unref(list->chunks[i]);
    }
    pthread_mutex_destroy(&list->lock);
    free(list->chunks);
    free(list);
}

/* --- asking --- */

/* The filter of one chunk; false when it will have one later. */
static bool take_filter(struct chunk_probe *probe, struct chunk *chunk, struct chunk_filter *ret)
{
    if (chunk->batch->rows < CHUNK_INDEX_ROWS_MIN)
        return true;
    int32_t at = batch_find(chunk->batch, probe->column);
    if (at < 0 || chunk->batch->columns[at].column.type != probe->type)
        return true;
    return chunk_filter_of(chunk, (uint32_t)at, ret);
}

/* The column as the first chunk that has it says; NULL when none has, or memory is out. */
static struct chunk_probe *probe_new(const struct chunk_list *list, struct str column)
{
    for (uint32_t i = 0; i < list->len; i++) {
        int32_t at = batch_find(list->batches[i], column);
        if (at < 0)
            continue;
        struct chunk_probe *probe = calloc(1, sizeof *probe + list->len * sizeof *probe->filters);
        if (!probe)
            return NULL;
        probe->column = list->batches[i]->columns[at].name;
        probe->type = list->batches[i]->columns[at].column.type;
        probe->complete = true;
        for (uint32_t k = 0; k < list->len; k++)
            probe->complete &= take_filter(probe, list->chunks[k], &probe->filters[k]);
        return probe;
    }
    return NULL;
}

static struct chunk_probe *find_probe(struct chunk_list *list, struct str column)
{
    pthread_mutex_lock(&list->lock);
    struct chunk_probe *probe = list->probes;
    while (probe && !str_eq(probe->column, column))
        probe = probe->next;
    pthread_mutex_unlock(&list->lock);
    return probe;
}

/* Keeps a probe; of two that were made at once the list has both, which is no harm. */
static void keep_probe(struct chunk_list *list, struct chunk_probe *probe)
{
    pthread_mutex_lock(&list->lock);
    probe->next = list->probes;
    list->probes = probe;
    pthread_mutex_unlock(&list->lock);
}

/* Marks the chunks whose filter lets the hash through; those without filter are marked anyhow. */
static void ask(const struct chunk_probe *probe, uint32_t len, uint64_t hash, uint64_t *found)
{
    for (uint32_t i = 0; i < len && i < PROBE_AHEAD; i++)
        chunk_filter_prefetch(&probe->filters[i], hash);
    for (uint32_t i = 0; i < len; i++) {
        if (i + PROBE_AHEAD < len)
            chunk_filter_prefetch(&probe->filters[i + PROBE_AHEAD], hash);
        if (!chunk_filter_has(&probe->filters[i], hash))
            continue;
        found[i / 64] |= UINT64_C(1) << (i % 64);
        if (probe->filters[i].words)
            __builtin_prefetch(chunk_filter_head(&probe->filters[i], hash));
    }
}

/* A row that will probably be looked up. */
struct ahead {
    const struct batch *batch;
    uint32_t row, columns;
};

static uint32_t rows_ahead(const struct chunk_list *list, const struct chunk_probe *probe,
                           uint64_t hash, const uint64_t *found, struct ahead *ret)
{
    uint32_t len = 0;
    for (uint32_t w = 0; w <= list->len / 64; w++)
        for (uint64_t left = found[w]; left && len < PROBE_ROWS_AHEAD; left &= left - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(left), columns;
            if (!probe->filters[i].words)
                continue;
            columns = list->batches[i]->columns_len;
            columns = columns < PROBE_COLUMNS_AHEAD ? columns : PROBE_COLUMNS_AHEAD;
            ret[len] = (struct ahead){list->batches[i],
                                      *chunk_filter_head(&probe->filters[i], hash), columns};
            len += ret[len].row != CHUNK_NO_ROW;
        }
    return len;
}

/* Rows of many chunks are cache misses, each of several one after the other: so all are fetched
 * side by side before the first one is read. */
static void fetch_ahead(const struct chunk_list *list, const struct chunk_probe *probe,
                        uint64_t hash, const uint64_t *found)
{
    struct ahead ahead[PROBE_ROWS_AHEAD];
    uint32_t len = rows_ahead(list, probe, hash, found, ahead);
    for (uint32_t i = 0; i < len; i++)
        for (uint32_t c = 0; c < ahead[i].columns; c++)
            column_prefetch(&ahead[i].batch->columns[c].column, ahead[i].row);
    for (uint32_t i = 0; i < len; i++)
        for (uint32_t c = 0; c < ahead[i].columns; c++)
            column_prefetch_bytes(&ahead[i].batch->columns[c].column, ahead[i].row);
}

bool chunk_list_narrow(struct chunk_list *list, struct str column, const struct value *values,
                       uint32_t len, uint64_t *candidates)
{
    struct chunk_probe *probe = find_probe(list, column);
    bool kept = probe != NULL;
    if (!kept)
        probe = probe_new(list, column);
    uint32_t words = list->len / 64 + 1;
    uint64_t *found = probe ? calloc(words, sizeof *found) : NULL;
    bool known = found != NULL;
    for (uint32_t v = 0; known && v < len; v++)
        if (values[v].type == probe->type)
            ask(probe, list->len, value_hash(&values[v]), found);
    if (known && len == 1)
        fetch_ahead(list, probe, value_hash(&values[0]), found);
    for (uint32_t i = 0; known && i < list->len; i++)
        if (!probe->filters[i].words)
            found[i / 64] |= UINT64_C(1) << (i % 64);
    for (uint32_t w = 0; known && w < words; w++)
        candidates[w] &= found[w];
    free(found);
    if (probe && !kept && probe->complete)
        keep_probe(list, probe);
    else if (!kept)
        free(probe);
    return known;
}

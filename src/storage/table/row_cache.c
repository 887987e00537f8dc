/* row_cache.c: blocks of rows, their ring and their homes (see row_cache.h). */
#include "storage/table/row_cache.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    ASKED_BEFORE_MADE = 1,
    ASKED_IN_VAIN = 255, /* it was too large */
};

struct row_block {
    _Atomic uint32_t refs;
    atomic_bool used; /* since the hand of the clock passed */
    struct row_home *home;
    uint32_t number, rows, columns_len;
    struct row_block *next, *previous; /* in the ring; NULL: it has left */
    size_t bytes;
    enum type types[ROW_BLOCK_COLUMNS_MAX];
    uint32_t slots[ROW_BLOCK_COLUMNS_MAX]; /* offset in the row */
    uint32_t *starts;                      /* of rows, in data; in the same allocation */
    uint8_t *data;
};

/* --- a block --- */

struct text_slot {
    uint32_t at, len;
};

static uint32_t slot_bytes(enum type type)
{
    return type_is_bytes(type) ? (uint32_t)sizeof(struct text_slot) : (uint32_t)type_width(type);
}

/* Sets types and slots; the bytes of a row without its texts. */
static uint32_t lay_out(struct row_block *block, const struct column *columns)
{
    uint32_t at = (block->columns_len + 7) / 8;
    for (uint32_t c = 0; c < block->columns_len; c++) {
        block->types[c] = columns[c].type;
        block->slots[c] = at;
        at += slot_bytes(columns[c].type);
    }
    return at;
}

static uint64_t text_bytes(const struct column *columns, uint32_t len)
{
    uint64_t bytes = 0;
    for (uint32_t c = 0; c < len; c++)
        bytes += type_is_bytes(columns[c].type) ? columns[c].bytes_len : 0;
    return bytes;
}

static struct row_block *block_new(const struct column *columns, uint32_t len, size_t bytes_max)
{
    uint32_t rows = len ? columns[0].rows : 0;
    struct row_block *block = calloc(1, sizeof *block);
    if (!block)
        return NULL;
    block->rows = rows;
    block->columns_len = len;
    uint64_t data = (uint64_t)lay_out(block, columns) * rows + text_bytes(columns, len);
    block->bytes = sizeof *block + rows * sizeof *block->starts + data;
    if (block->bytes <= bytes_max)
        block->starts = malloc(rows * sizeof *block->starts + data);
    if (!block->starts) {
        free(block);
        return NULL;
    }
    block->data = (uint8_t *)(block->starts + rows);
    atomic_init(&block->refs, 1);
    atomic_init(&block->used, true);
    return block;
}

/* Writes one value; the end of the row afterwards, which is `end` plus a text's length. */
static uint32_t put_value(uint8_t *row, uint32_t slot, uint32_t end, const struct column *column,
                          uint32_t i)
{
    size_t width = slot_bytes(column->type);
    if (!type_is_bytes(column->type)) {
        memcpy(row + slot, (const char *)column->values + i * width, width);
        return end;
    }
    struct str text = column_str(column, i);
    struct text_slot place = {end, (uint32_t)text.len};
    memcpy(row + slot, &place, sizeof place);
    if (text.len)
        memcpy(row + end, text.data, text.len);
    return end + place.len;
}

static void fill(struct row_block *block, const struct column *columns)
{
    uint32_t len = block->columns_len, start = 0, fixed = lay_out(block, columns);
    for (uint32_t i = 0; i < block->rows; i++) {
        uint8_t *row = block->data + start;
        uint32_t end = fixed;
        memset(row, 0, (len + 7) / 8);
        for (uint32_t c = 0; c < len; c++) {
            if (column_is_null(&columns[c], i))
                row[c / 8] |= (uint8_t)(1u << (c % 8));
            end = put_value(row, block->slots[c], end, &columns[c], i);
        }
        block->starts[i] = start;
        start += end;
    }
}

void row_block_unref(struct row_block *block)
{
    if (!block || atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(block->starts);
    free(block);
}

void row_block_prefetch(const struct row_block *block, uint32_t row)
{
    const uint8_t *at = block->data + block->starts[row];
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
}

enum status row_block_append(const struct row_block *block, uint32_t row, uint32_t column,
                             struct column *into)
{
    const uint8_t *at = block->data + block->starts[row], *slot = at + block->slots[column];
    union {
        int64_t int64;
        double real;
        int32_t date;
        struct text_slot text;
    } value;
    if (at[column / 8] >> (column % 8) & 1)
        return column_append_null(into);
    memcpy(&value, slot, slot_bytes(block->types[column]));
    switch (block->types[column]) {
    case TYPE_BOOL:
        return column_append_bool(into, *slot != 0);
    case TYPE_DOUBLE:
        return column_append_double(into, value.real);
    case TYPE_DATE:
        return column_append_date(into, value.date);
    case TYPE_STRING:
    case TYPE_JSON:
        return column_append_bytes(into,
                                   str_make((const char *)at + value.text.at, value.text.len));
    default:
        return column_append_int64(into, value.int64);
    }
}

/* --- the ring; cache->lock is held --- */

static void link_in(struct row_cache *cache, struct row_block *block)
{
    if (!cache->hand) {
        cache->hand = block->next = block->previous = block;
    } else { /* behind the hand: it is passed last */
        block->next = cache->hand;
        block->previous = cache->hand->previous;
        block->previous->next = block->next->previous = block;
    }
    atomic_fetch_add(&cache->bytes, block->bytes);
}

static void link_out(struct row_cache *cache, struct row_block *block)
{
    if (cache->hand == block)
        cache->hand = block->next == block ? NULL : block->next;
    block->previous->next = block->next;
    block->next->previous = block->previous;
    block->next = block->previous = NULL;
    atomic_fetch_sub(&cache->bytes, block->bytes);
}

static void evict(struct row_cache *cache, struct row_block *block)
{
    link_out(cache, block);
    pthread_mutex_lock(&block->home->lock);
    block->home->blocks[block->number] = NULL;
    block->home->asked[block->number] = 0;
    pthread_mutex_unlock(&block->home->lock);
    row_block_unref(block);
}

static void shrink(struct row_cache *cache)
{
    while (cache->hand && atomic_load(&cache->bytes) > cache->budget) {
        struct row_block *block = cache->hand;
        cache->hand = block->next;
        if (!atomic_exchange_explicit(&block->used, false, memory_order_relaxed))
            evict(cache, block);
    }
}

/* --- life --- */

void row_cache_init(struct row_cache *cache, uint64_t budget)
{
    *cache = (struct row_cache){.budget = budget};
    pthread_mutex_init(&cache->lock, NULL);
}

void row_cache_release(struct row_cache *cache)
{
    pthread_mutex_destroy(&cache->lock);
}

void row_home_init(struct row_home *home)
{
    *home = (struct row_home){0};
    pthread_mutex_init(&home->lock, NULL);
}

void row_home_release(struct row_cache *cache, struct row_home *home)
{
    if (home->len) {
        pthread_mutex_lock(&cache->lock);
        for (uint32_t i = 0; i < home->len; i++)
            if (home->blocks[i])
                evict(cache, home->blocks[i]);
        pthread_mutex_unlock(&cache->lock);
    }
    free(home->blocks);
    free(home->asked);
    pthread_mutex_destroy(&home->lock);
}

/* home->lock is held. */
static bool make_room(struct row_home *home, uint64_t rows)
{
    uint64_t len = (rows + ROW_BLOCK_ROWS - 1) / ROW_BLOCK_ROWS;
    if (home->len || len > UINT32_MAX)
        return home->len != 0;
    home->blocks = calloc(len + 1, sizeof(*home->blocks));
    home->asked = calloc(len + 1, sizeof *home->asked);
    if (home->blocks && home->asked) {
        home->len = (uint32_t)len;
        return true;
    }
    free(home->blocks);
    free(home->asked);
    home->blocks = NULL;
    home->asked = NULL;
    return false;
}

struct row_block *row_cache_get(struct row_home *home, uint64_t rows, uint32_t number,
                                bool *ret_wanted)
{
    struct row_block *block = NULL;
    *ret_wanted = false;
    pthread_mutex_lock(&home->lock);
    if (make_room(home, rows) && number < home->len) {
        block = home->blocks[number];
        if (block)
            atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
        else if (home->asked[number] < ASKED_BEFORE_MADE)
            home->asked[number]++;
        else
            *ret_wanted = home->asked[number] != ASKED_IN_VAIN;
    }
    pthread_mutex_unlock(&home->lock);
    if (block && !atomic_load_explicit(&block->used, memory_order_relaxed))
        atomic_store_explicit(&block->used, true, memory_order_relaxed);
    return block;
}

struct row_block *row_cache_put(struct row_cache *cache, struct row_home *home, uint32_t number,
                                const struct column *columns, uint32_t columns_len)
{
    uint64_t most = cache->budget / ROW_CACHE_SHARE;
    struct row_block *block =
        block_new(columns, columns_len, most < ROW_BLOCK_BYTES_MAX ? most : ROW_BLOCK_BYTES_MAX);
    if (block) {
        fill(block, columns);
        block->home = home;
        block->number = number;
    }
    pthread_mutex_lock(&cache->lock);
    pthread_mutex_lock(&home->lock);
    bool fresh = block && !home->blocks[number]; /* else somebody was faster */
    home->asked[number] = ASKED_IN_VAIN;
    if (fresh) {
        atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
        home->blocks[number] = block;
    }
    pthread_mutex_unlock(&home->lock);
    if (fresh)
        link_in(cache, block);
    shrink(cache);
    pthread_mutex_unlock(&cache->lock);
    return block;
}

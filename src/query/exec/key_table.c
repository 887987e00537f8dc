/* key_table.c: open addressing with linear probing over one array of bytes. */
#include "query/exec/key_table_int.h"

#include <math.h>
#include <stdlib.h>

void key_table_init(struct key_table *table, uint32_t len_max)
{
    *table = (struct key_table){.len_max = len_max};
}

void key_table_release(struct key_table *table)
{
    free(table->offsets);
    free(table->bytes);
    free(table->slots);
    key_table_init(table, table->len_max);
}

static bool grow_entries(struct key_table *table)
{
    uint32_t cap = table->cap ? table->cap * 2 : 64;
    uint64_t *offsets = realloc(table->offsets, ((size_t)cap + 1) * sizeof *offsets);
    if (!offsets)
        return false;
    table->offsets = offsets;
    uint64_t *slots = calloc((size_t)cap * 2, sizeof *slots);
    if (!slots)
        return false;
    uint32_t mask = cap * 2 - 1;
    for (uint32_t i = 0; table->slots && i <= table->mask; i++) {
        if (!table->slots[i])
            continue;
        uint32_t at = (uint32_t)(table->slots[i] >> 32) & mask;
        while (slots[at])
            at = (at + 1) & mask;
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->mask = mask;
    table->cap = cap;
    table->offsets[0] = 0;
    return true;
}

static bool grow_bytes(struct key_table *table, size_t more)
{
    size_t cap = table->bytes_cap ? table->bytes_cap : 4096;
    while (cap - table->bytes_len < more)
        cap *= 2;
    if (cap > (size_t)1 << KEY_TABLE_BYTES_SHIFT)
        return false;
    char *bytes = realloc(table->bytes, cap);
    if (!bytes)
        return false;
    table->bytes = bytes;
    table->bytes_cap = cap;
    return true;
}

static enum status add_key(struct key_table *table, struct str key, uint32_t hash, uint32_t at,
                           struct error *err)
{
    if (table->len == table->len_max)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %u different values or groups",
                         table->len_max);
    if (table->bytes_cap - table->bytes_len < key.len && !grow_bytes(table, key.len))
        return error_set(err, STATUS_RESOURCE_LIMIT, "the keys need more memory than allowed");
    if (table->len == 0)
        table->key_len = (uint32_t)key.len;
    else if (table->key_len != key.len)
        table->key_len = 0;
    memcpy(table->bytes + table->bytes_len, key.data, key.len);
    table->bytes_len += key.len;
    table->slots[at] = (uint64_t)hash << 32 | ++table->len;
    table->offsets[table->len] = table->bytes_len;
    return STATUS_OK;
}

static bool same_key(const struct key_table *table, uint32_t number, struct str key)
{
    if (table->key_len) /* the offsets need not be read */
        return key.len == table->key_len &&
               !memcmp(table->bytes + (uint64_t)number * table->key_len, key.data, key.len);
    return str_eq(key_table_key(table, number), key);
}

/* There is room for one more entry. */
static enum status put_hashed(struct key_table *table, struct str key, uint32_t hash,
                              uint32_t *ret_number, bool *ret_new, struct error *err)
{
    uint32_t at = hash & table->mask;
    for (; table->slots[at]; at = (at + 1) & table->mask) {
        uint32_t number = (uint32_t)table->slots[at] - 1;
        if (table->slots[at] >> 32 == hash && same_key(table, number, key)) {
            *ret_number = number;
            *ret_new = false;
            return STATUS_OK;
        }
    }
    *ret_number = table->len;
    *ret_new = true;
    return add_key(table, key, hash, at, err);
}

enum status key_table_put(struct key_table *table, struct str key, uint32_t *ret_number,
                          bool *ret_new, struct error *err)
{
    if (table->len == table->cap && !grow_entries(table))
        return error_no_memory(err);
    return put_hashed(table, key, (uint32_t)str_hash(key), ret_number, ret_new, err);
}

struct key_batch *key_batch_new(void)
{
    struct key_batch *batch = malloc(sizeof *batch);
    if (!batch)
        return NULL;
    buf_init(&batch->keys, (size_t)1 << KEY_TABLE_BYTES_SHIFT);
    batch->len = 0;
    return batch;
}

void key_batch_free(struct key_batch *batch)
{
    if (!batch)
        return;
    buf_release(&batch->keys);
    free(batch);
}

void key_batch_clear(struct key_batch *batch)
{
    buf_clear(&batch->keys);
    batch->len = 0;
}

static struct str batch_key(const struct key_batch *batch, uint32_t i)
{
    uint64_t start = i ? batch->ends[i - 1] : 0;
    return str_make(batch->keys.data + start, (size_t)(batch->ends[i] - start));
}

/* Hashes, and asks for the slots, then for the bytes behind them. */
static void hash_batch(const struct key_table *table, struct key_batch *batch)
{
    for (uint32_t i = 0; i < batch->len; i++) {
        batch->hashes[i] = (uint32_t)str_hash(batch_key(batch, i));
        __builtin_prefetch(&table->slots[batch->hashes[i] & table->mask]);
    }
}

static void prefetch_key(const struct key_table *table, uint32_t hash)
{
    uint64_t slot = table->slots[hash & table->mask];
    if (slot && table->key_len)
        __builtin_prefetch(table->bytes + ((uint32_t)slot - 1) * (uint64_t)table->key_len);
    else if (slot)
        __builtin_prefetch(&table->offsets[(uint32_t)slot - 1]);
}

enum { PREFETCH_AHEAD = 16 };

enum status key_table_put_batch(struct key_table *table, struct key_batch *batch, struct error *err)
{
    TRY(buf_check(&batch->keys, "the keys of some rows", err));
    while (table->cap < table->len + (uint64_t)batch->len)
        if (!grow_entries(table))
            return error_no_memory(err);
    hash_batch(table, batch);
    for (uint32_t i = 0; i < batch->len; i++) {
        if (i + PREFETCH_AHEAD < batch->len)
            prefetch_key(table, batch->hashes[i + PREFETCH_AHEAD]);
        TRY(put_hashed(table, batch_key(batch, i), batch->hashes[i], &batch->numbers[i],
                       &batch->fresh[i], err));
    }
    return STATUS_OK;
}

static void encode_fixed(struct buf *buf, enum key_tag tag, const void *payload)
{
    char bytes[9] = {(char)tag};
    memcpy(bytes + 1, payload, 8);
    buf_append(buf, bytes, sizeof bytes);
}

static void encode_real(struct buf *buf, double value)
{
    if (value >= -0x1p63 && value < 0x1p63 && value == trunc(value)) {
        int64_t whole = (int64_t)value;
        encode_fixed(buf, KEY_INT, &whole);
    } else {
        encode_fixed(buf, KEY_REAL, &value);
    }
}

static void encode_bytes(struct buf *buf, enum key_tag tag, struct str bytes)
{
    char head[5] = {(char)tag};
    uint32_t len = (uint32_t)bytes.len;
    memcpy(head + 1, &len, sizeof len);
    buf_append(buf, head, sizeof head);
    buf_append(buf, bytes.data, bytes.len);
}

void key_encode(struct buf *buf, const struct column *column, uint32_t row)
{
    if (!column || column_is_null(column, row)) {
        buf_append_char(buf, KEY_NULL);
        return;
    }
    int64_t number;
    switch (column->type) {
    case TYPE_BOOL:
        number = column_bool(column, row);
        encode_fixed(buf, KEY_BOOL, &number);
        break;
    case TYPE_INT64:
        number = column_int64(column, row);
        encode_fixed(buf, KEY_INT, &number);
        break;
    case TYPE_DOUBLE:
        encode_real(buf, column_double(column, row));
        break;
    case TYPE_DATE:
        number = column_date(column, row);
        encode_fixed(buf, KEY_DATE, &number);
        break;
    case TYPE_TIMESTAMP:
        number = column_int64(column, row);
        encode_fixed(buf, KEY_TIMESTAMP, &number);
        break;
    default:
        encode_bytes(buf, column->type == TYPE_JSON ? KEY_JSON : KEY_STRING,
                     column_str(column, row));
    }
}

static const enum type type_of_tag[] = {
    [KEY_NULL] = TYPE_STRING, [KEY_BOOL] = TYPE_BOOL,           [KEY_INT] = TYPE_INT64,
    [KEY_REAL] = TYPE_DOUBLE, [KEY_STRING] = TYPE_STRING,       [KEY_JSON] = TYPE_JSON,
    [KEY_DATE] = TYPE_DATE,   [KEY_TIMESTAMP] = TYPE_TIMESTAMP,
};

struct value key_decode(struct str *key)
{
    enum key_tag tag = (enum key_tag)key->data[0];
    struct value value = {.type = type_of_tag[tag], .is_null = tag == KEY_NULL};
    size_t used = 9;
    if (tag == KEY_NULL) {
        used = 1;
    } else if (tag == KEY_STRING || tag == KEY_JSON) {
        uint32_t len;
        memcpy(&len, key->data + 1, sizeof len);
        value.bytes = str_make(key->data + 5, len);
        used = 5 + (size_t)len;
    } else if (tag == KEY_REAL) {
        memcpy(&value.real, key->data + 1, 8);
    } else {
        int64_t number;
        memcpy(&number, key->data + 1, 8);
        if (tag == KEY_BOOL)
            value.boolean = number != 0;
        else
            value.int64 = number;
    }
    *key = str_make(key->data + used, key->len - used);
    return value;
}

int key_rank(const struct value *value)
{
    static const int ranks[TYPE_COUNT] = {
        [TYPE_BOOL] = 1, [TYPE_INT64] = 2, [TYPE_DOUBLE] = 2,    [TYPE_STRING] = 3,
        [TYPE_JSON] = 4, [TYPE_DATE] = 5,  [TYPE_TIMESTAMP] = 6,
    };
    return value->is_null ? 0 : ranks[value->type];
}

int key_compare(struct str a, struct str b, uint32_t parts)
{
    for (uint32_t i = 0; i < parts; i++) {
        struct value x = key_decode(&a);
        struct value y = key_decode(&b);
        int rank = key_rank(&x) - key_rank(&y);
        int order = rank ? rank : value_compare(&x, &y);
        if (order)
            return order;
    }
    return 0;
}

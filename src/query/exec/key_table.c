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
    free(table->hashes);
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
    uint32_t *hashes = realloc(table->hashes, cap * sizeof *hashes);
    if (!hashes)
        return false;
    table->hashes = hashes;
    uint32_t *slots = calloc((size_t)cap * 2, sizeof *slots);
    if (!slots)
        return false;
    free(table->slots);
    table->slots = slots;
    table->mask = cap * 2 - 1;
    table->cap = cap;
    table->offsets[0] = 0;
    for (uint32_t i = 0; i < table->len; i++) {
        uint32_t at = table->hashes[i] & table->mask;
        while (slots[at])
            at = (at + 1) & table->mask;
        slots[at] = i + 1;
    }
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

static enum status add_key(struct key_table *table, struct str key, uint32_t hash,
                           struct error *err)
{
    if (table->bytes_cap - table->bytes_len < key.len && !grow_bytes(table, key.len))
        return error_set(err, STATUS_RESOURCE_LIMIT, "the keys need more memory than allowed");
    uint32_t at = hash & table->mask;
    while (table->slots[at])
        at = (at + 1) & table->mask;
    memcpy(table->bytes + table->bytes_len, key.data, key.len);
    table->bytes_len += key.len;
    table->hashes[table->len] = hash;
    table->slots[at] = ++table->len;
    table->offsets[table->len] = table->bytes_len;
    return STATUS_OK;
}

enum status key_table_put(struct key_table *table, struct str key, uint32_t *ret_number,
                          bool *ret_new, struct error *err)
{
    if (table->len == table->cap && !grow_entries(table))
        return error_no_memory(err);
    uint32_t hash = (uint32_t)str_hash(key);
    for (uint32_t at = hash & table->mask; table->slots[at]; at = (at + 1) & table->mask) {
        uint32_t number = table->slots[at] - 1;
        if (table->hashes[number] == hash && str_eq(key_table_key(table, number), key)) {
            *ret_number = number;
            *ret_new = false;
            return STATUS_OK;
        }
    }
    if (table->len == table->len_max)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %u different values or groups",
                         table->len_max);
    *ret_number = table->len;
    *ret_new = true;
    return add_key(table, key, hash, err);
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

/* Where a kind of value sorts; integers and other numbers together. */
static int rank_of(const struct value *value)
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
        int rank = rank_of(&x) - rank_of(&y);
        int order = rank ? rank : value_compare(&x, &y);
        if (order)
            return order;
    }
    return 0;
}

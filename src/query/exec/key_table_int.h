/* key_table_int.h: byte strings numbered from 0 in the order of their arrival; the hash table under
 * group-by and exact distinct counts.
 *
 * Values are encoded so that equal ones have equal bytes: a tag, then 8 bytes, or a 32-bit length
 * and the bytes. Numbers: an integral double within int64 is written as that integer, so 1 and 1.0
 * of two sources are one key. */
#ifndef QUARRY_QUERY_KEY_TABLE_INT_H
#define QUARRY_QUERY_KEY_TABLE_INT_H

#include "base/buf.h"
#include "data/value.h"

enum key_tag {
    KEY_NULL,
    KEY_BOOL,
    KEY_INT,
    KEY_REAL,
    KEY_STRING,
    KEY_JSON,
    KEY_DATE,
    KEY_TIMESTAMP,
};

struct key_table {
    uint32_t len, cap;
    uint32_t len_max;  /* STATUS_RESOURCE_LIMIT beyond */
    uint32_t key_len;  /* of every key so far; 0: they differ, or there are none */
    uint64_t *offsets; /* len + 1 */
    char *bytes;
    size_t bytes_len, bytes_cap;
    uint64_t *slots; /* hash << 32 | number + 1; 0: free; at most half full */
    uint32_t mask;
};

enum { KEY_TABLE_BYTES_SHIFT = 32 }; /* at most 4 GiB of keys */

void key_table_init(struct key_table *table, uint32_t len_max);
void key_table_release(struct key_table *table);
/* The key's number; a new one is added. */
enum status key_table_put(struct key_table *table, struct str key, uint32_t *ret_number,
                          bool *ret_new, struct error *err);
static inline struct str key_table_key(const struct key_table *table, uint32_t number)
{
    return str_make(table->bytes + table->offsets[number],
                    (size_t)(table->offsets[number + 1] - table->offsets[number]));
}

/* Many keys at once: memory is asked for ahead of its use, which is what large tables cost. */
enum { KEY_BATCH_MAX = 8192 };
struct key_batch {
    struct buf keys; /* one behind the other */
    uint32_t len;
    uint64_t ends[KEY_BATCH_MAX];
    /* Results of key_table_put_batch. */
    uint32_t numbers[KEY_BATCH_MAX];
    bool fresh[KEY_BATCH_MAX];
    uint32_t hashes[KEY_BATCH_MAX];
};
/* NULL when memory is out. */
struct key_batch *key_batch_new(void);
void key_batch_free(struct key_batch *batch);
void key_batch_clear(struct key_batch *batch);
/* After the values of one key were encoded into batch->keys. */
static inline void key_batch_end(struct key_batch *batch)
{
    batch->ends[batch->len++] = batch->keys.len;
}
enum status key_table_put_batch(struct key_table *table, struct key_batch *batch,
                                struct error *err);

/* Appends one value's encoding. */
void key_encode(struct buf *buf, const struct column *column, uint32_t row);
/* Takes one value off the front of a key. Bytes are borrowed from it. Integers come as INT64. */
struct value key_decode(struct str *key);
/* Where a kind of value sorts, 0 (null) to 6; integers and other numbers together. */
int key_rank(const struct value *value);
/* Order of two keys of `parts` values: nulls, booleans, numbers, texts, JSON, dates, timestamps. */
int key_compare(struct str a, struct str b, uint32_t parts);

#endif

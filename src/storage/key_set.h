/* key_set.h: the keys of an upsert: which of its rows has given values in the key columns. */
#ifndef QUARRY_STORAGE_KEY_SET_H
#define QUARRY_STORAGE_KEY_SET_H

#include "data/batch.h"
#include "data/value.h"

struct key_set {
    const struct column **columns; /* of the batch; no nulls */
    uint32_t columns_len;
    struct value *min, *max; /* of each column, over the batch; borrowed from it */
    uint64_t *hashes;        /* of each row */
    uint32_t *slots;         /* row + 1 by hash, open addressing; 0: free */
    uint32_t mask;
    uint32_t rows;    /* of the batch */
    uint32_t keys;    /* different ones */
    bool *replaced;   /* rows of the batch that a later row has the key of */
    uint32_t *firsts; /* of each row: the first one with its key */
};

/* `batch` stays, and does not change, until key_set_release. STATUS_SCHEMA names the first row and
 * column without a value. */
enum status key_set_init(struct key_set *set, const struct batch *batch, const struct str *names,
                         uint32_t names_len, struct error *err);
void key_set_release(struct key_set *set);
/* `columns`: as many, each of the type of the set's; is the row's key in the set? Then `*ret_first`
 * is the batch's first row with it. A null never is. */
bool key_set_find(const struct key_set *set, const struct column *const *columns, uint32_t row,
                  uint32_t *ret_first);

#endif

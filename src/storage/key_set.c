/* key_set.c: a hash table of the keys of a batch (see key_set.h). */
#include "storage/key_set.h"

#include <stdlib.h>

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + UINT64_C(0x9e3779b97f4a7c15) + (hash << 6) + (hash >> 2);
    return hash * UINT64_C(0xff51afd7ed558ccd);
}

/* False for a row with a null in its key. */
static bool hash_row(const struct column *const *columns, uint32_t len, uint32_t row,
                     uint64_t *ret_hash)
{
    uint64_t hash = len;
    for (uint32_t k = 0; k < len; k++) {
        if (column_is_null(columns[k], row))
            return false;
        struct value value = value_of_column(columns[k], row);
        hash = mix(hash, value_hash(&value));
    }
    *ret_hash = hash ^ hash >> 32;
    return true;
}

static bool same_key(const struct key_set *set, uint32_t own, const struct column *const *columns,
                     uint32_t row)
{
    for (uint32_t k = 0; k < set->columns_len; k++) {
        struct value a = value_of_column(set->columns[k], own);
        struct value b = value_of_column(columns[k], row);
        if (value_compare(&a, &b) != 0)
            return false;
    }
    return true;
}

/* The slot of that key, or the free one where it would stand. */
static uint32_t *find_slot(const struct key_set *set, uint64_t hash,
                           const struct column *const *columns, uint32_t row)
{
    for (uint64_t at = hash;; at++) {
        uint32_t *slot = &set->slots[at & set->mask];
        if (*slot == 0 ||
            (set->hashes[*slot - 1] == hash && same_key(set, *slot - 1, columns, row)))
            return slot;
    }
}

static enum status no_key(struct str name, uint32_t row, struct error *err)
{
    error_set(err, STATUS_SCHEMA, "record %u: the key column \"%.*s\" has no value", row,
              name.len < 100 ? (int)name.len : 100, name.data);
    error_at_field(err, name.data, (uint32_t)(name.len < 200 ? name.len : 200), NULL, 0);
    if (err)
        err->record = row;
    return STATUS_SCHEMA;
}

static enum status find_columns(struct key_set *set, const struct batch *batch,
                                const struct str *names, struct error *err)
{
    for (uint32_t k = 0; k < set->columns_len; k++) {
        int32_t at = batch_find(batch, names[k]);
        if (at < 0)
            return no_key(names[k], 0, err);
        const struct column *column = &batch->columns[at].column;
        uint32_t row = 0;
        while (column->nulls && !column_is_null(column, row))
            row++;
        if (column->nulls)
            return no_key(names[k], row, err);
        set->columns[k] = column;
    }
    return STATUS_OK;
}

static void find_bounds(struct key_set *set)
{
    for (uint32_t k = 0; k < set->columns_len; k++) {
        set->min[k] = set->max[k] = value_of_column(set->columns[k], 0);
        for (uint32_t row = 1; row < set->rows; row++) {
            struct value value = value_of_column(set->columns[k], row);
            if (value_compare(&value, &set->min[k]) < 0)
                set->min[k] = value;
            if (value_compare(&value, &set->max[k]) > 0)
                set->max[k] = value;
        }
    }
}

static void put_all(struct key_set *set)
{
    for (uint32_t row = 0; row < set->rows; row++) {
        (void)hash_row(set->columns, set->columns_len, row, &set->hashes[row]); /* has no nulls */
        uint32_t *slot = find_slot(set, set->hashes[row], set->columns, row);
        set->firsts[row] = *slot ? set->firsts[*slot - 1] : row;
        if (*slot)
            set->replaced[*slot - 1] = true;
        else
            set->keys++;
        *slot = row + 1;
    }
}

enum status key_set_init(struct key_set *set, const struct batch *batch, const struct str *names,
                         uint32_t names_len, struct error *err)
{
    uint32_t slots = 64;
    while (slots < 2 * (uint64_t)batch->rows)
        slots *= 2;
    *set = (struct key_set){.columns_len = names_len, .rows = batch->rows, .mask = slots - 1};
    set->columns = calloc(names_len + 1u, sizeof *set->columns);
    set->min = calloc(names_len + 1u, sizeof *set->min);
    set->max = calloc(names_len + 1u, sizeof *set->max);
    set->hashes = malloc((batch->rows + 1u) * sizeof *set->hashes);
    set->slots = calloc(slots, sizeof *set->slots);
    set->replaced = calloc(batch->rows + 1u, sizeof *set->replaced);
    set->firsts = malloc((batch->rows + 1u) * sizeof *set->firsts);
    enum status status = STATUS_OK;
    if (!set->columns || !set->min || !set->max || !set->hashes || !set->slots || !set->replaced ||
        !set->firsts)
        status = error_no_memory(err);
    if (status == STATUS_OK)
        status = find_columns(set, batch, names, err);
    if (status != STATUS_OK) {
        key_set_release(set);
        return status;
    }
    find_bounds(set);
    put_all(set);
    return STATUS_OK;
}

void key_set_release(struct key_set *set)
{
    free(set->columns);
    free(set->min);
    free(set->max);
    free(set->hashes);
    free(set->slots);
    free(set->replaced);
    free(set->firsts);
    *set = (struct key_set){0};
}

bool key_set_find(const struct key_set *set, const struct column *const *columns, uint32_t row,
                  uint32_t *ret_first)
{
    uint64_t hash;
    if (!hash_row(columns, set->columns_len, row, &hash))
        return false;
    uint32_t slot = *find_slot(set, hash, columns, row);
    if (!slot)
        return false;
    *ret_first = set->firsts[slot - 1];
    return true;
}

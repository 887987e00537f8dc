/* agg_groups.c: the groups of a slice's rows. Dictionary codes do where all keys have them: the
 * group of each combination of entries is looked up once a row group. */
#include <stdlib.h>

#include "query/exec/agg_run_int.h"

enum { MAP_MAX = 1 << 20 };

static enum status put_group(struct aggregate *agg, uint32_t *ret, struct error *err)
{
    bool fresh;
    TRY(buf_check(&agg->scratch, "a group key", err));
    TRY(key_table_put(&agg->groups, buf_str(&agg->scratch), ret, &fresh, err));
    return fresh ? agg_grow(agg, err) : STATUS_OK;
}

static enum status group_of_entries(struct agg_run *run, uint32_t cell, uint32_t *ret,
                                    struct error *err)
{
    struct aggregate *agg = run->agg;
    buf_clear(&agg->scratch);
    for (uint32_t k = 0; k < agg->keys_len; k++) {
        const struct column *dictionary = run->dictionaries[k];
        uint32_t entry = cell % (dictionary->rows + 1);
        cell /= dictionary->rows + 1;
        key_encode(&agg->scratch, entry < dictionary->rows ? dictionary : NULL, entry);
    }
    return put_group(agg, ret, err);
}

/* A key's dictionary serves when it makes the same keys as the column's values: numbers of either
 * type do, a date and its midnight do not. */
static bool makes_keys(const struct column *dictionary, enum type type)
{
    return dictionary->type == type || (dictionary->type == TYPE_INT64 && type == TYPE_DOUBLE);
}

/* Finds the dictionaries of all keys and makes the map fit. *ret false: codes will not do. */
static enum status prepare_map(struct agg_run *run, bool *ret, struct error *err)
{
    uint64_t cells = 1;
    bool same = run->map != NULL;
    *ret = false;
    for (uint32_t k = 0; k < run->agg->keys_len; k++) {
        const struct column *dictionary = NULL;
        if (run->key_columns[k] < 0 || agg_is_computed(run, run->key_columns[k]) ||
            !run->scan.segment || run->scan.by_rows)
            return STATUS_OK;
        uint32_t field = (uint32_t)run->key_columns[k];
        TRY(scan_dictionary(&run->scan, field, &dictionary, err));
        if (!dictionary || !makes_keys(dictionary, run->scan.view->schema->fields[field].type))
            return STATUS_OK;
        cells *= (uint64_t)dictionary->rows + 1;
        if (cells > MAP_MAX)
            return STATUS_OK;
        same &= run->dictionaries[k] == dictionary;
        run->dictionaries[k] = dictionary;
    }
    *ret = true;
    if (same && run->map_serial == run->scan.group_serial)
        return STATUS_OK;
    run->map_serial = run->scan.group_serial;
    if (!run->map || cells > run->map_cap) {
        free(run->map);
        run->map_cap = 0;
        run->map = malloc(cells * sizeof *run->map);
        if (!run->map)
            return error_no_memory(err);
        run->map_cap = (uint32_t)cells;
    }
    memset(run->map, 0xFF, cells * sizeof *run->map);
    return STATUS_OK;
}

/* Cells of the map for the selected rows, into run->groups. */
static enum status number_cells(struct agg_run *run, struct error *err)
{
    uint32_t stride = 1;
    for (uint32_t k = 0; k < run->agg->keys_len; k++) {
        const struct column *dictionary;
        TRY(scan_codes(&run->scan, (uint32_t)run->key_columns[k], &dictionary, run->codes, err));
        uint32_t n = dictionary->rows;
        for (uint32_t i = 0; i < run->scan.selected; i++) {
            uint32_t entry = run->codes[i] < n ? run->codes[i] : n;
            run->groups[i] = (k ? run->groups[i] : 0) + entry * stride;
        }
        stride *= n + 1;
    }
    return STATUS_OK;
}

static enum status group_codes(struct agg_run *run, struct error *err)
{
    TRY(number_cells(run, err));
    for (uint32_t i = 0; i < run->scan.selected; i++) {
        uint32_t cell = run->groups[i];
        uint32_t group = run->map[cell];
        if (group == UINT32_MAX) {
            TRY(group_of_entries(run, cell, &group, err));
            run->map[cell] = group;
        }
        run->groups[i] = group;
    }
    return STATUS_OK;
}

static enum status group_values(struct agg_run *run, struct error *err)
{
    struct aggregate *agg = run->agg;
    const struct column *columns[AGGREGATE_KEYS_MAX];
    for (uint32_t k = 0; k < agg->keys_len; k++) {
        columns[k] = NULL;
        if (run->key_columns[k] >= 0)
            TRY(agg_column(run, run->key_columns[k], &columns[k], err));
    }
    struct key_batch *batch = agg_batch(agg);
    if (!batch)
        return error_no_memory(err);
    for (uint32_t i = 0; i < run->scan.selected; i++) {
        for (uint32_t k = 0; k < agg->keys_len; k++)
            key_encode(&batch->keys, columns[k], i);
        key_batch_end(batch);
    }
    TRY(key_table_put_batch(&agg->groups, batch, err));
    memcpy(run->groups, batch->numbers, batch->len * sizeof *run->groups);
    return agg_grow(agg, err);
}

enum status agg_number_groups(struct agg_run *run, struct error *err)
{
    bool codes;
    TRY(prepare_map(run, &codes, err));
    return codes ? group_codes(run, err) : group_values(run, err);
}

/* common.c: the most common values of a sampled column: counted in a hash table by their hash (two
 * values with one hash would be counted as one: a slip in an estimate, 2^-64 a pair). */
#include <stdlib.h>

#include "query/stats/table_stats.h"

enum { COUNT_SLOTS = 1 << 15, COUNT_TEXT_MAX = 256 };
_Static_assert((int)COUNT_SLOTS > 2 * (int)SKETCH_SAMPLE_ROWS, "the table is never full");

struct counted {
    uint64_t hash;
    uint32_t row, count;
};

static void count(struct counted *slots, const struct column *column)
{
    for (uint32_t row = 0; row < column->rows; row++) {
        struct value value = value_of_column(column, row);
        if (value.is_null)
            continue;
        uint64_t hash = value_hash(&value);
        uint32_t at = (uint32_t)(hash % COUNT_SLOTS);
        while (slots[at].count && slots[at].hash != hash)
            at = (at + 1) % COUNT_SLOTS;
        if (!slots[at].count)
            slots[at] = (struct counted){hash, row, 0};
        slots[at].count++;
    }
}

static int by_count(const void *a, const void *b)
{
    const struct counted *x = a;
    const struct counted *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Those seen once in a sample say nothing. */
static enum status take(const struct counted *slots, const struct column *column,
                        struct arena *arena, struct column_statistics *ret)
{
    ret->common = arena_array(arena, COMMON_VALUES_MAX, sizeof *ret->common);
    for (uint32_t i = 0; ret->common && i < COMMON_VALUES_MAX && slots[i].count > 1; i++) {
        struct value value = value_of_column(column, slots[i].row);
        if (type_is_bytes(value.type) && value.bytes.len > COUNT_TEXT_MAX)
            continue;
        struct common_value *common = &ret->common[ret->common_len];
        common->share = (double)slots[i].count / column->rows;
        if (!value_copy(arena, &value, &common->value))
            return STATUS_NO_MEMORY;
        ret->common_len++;
    }
    return ret->common ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status common_values(const struct column *sample, struct arena *arena,
                          struct column_statistics *ret, struct error *err)
{
    struct counted *slots = calloc(COUNT_SLOTS, sizeof *slots);
    if (!slots)
        return error_no_memory(err);
    count(slots, sample);
    qsort(slots, COUNT_SLOTS, sizeof *slots, by_count);
    enum status status = take(slots, sample, arena, ret);
    free(slots);
    return status == STATUS_OK ? status : error_no_memory(err);
}

/* order.c: row numbers in order of one column.
 *
 * Rows that are in order already (often: clients send sorted data) cost one pass. Fixed-width
 * values become 64-bit keys that sort as unsigned numbers (radix sort, least significant byte
 * first, bytes that are the same in all keys skipped). Byte strings: multikey quicksort with eight
 * cached bytes a step (Bentley and Sedgewick 1997; Ng and Kakehi 2007), which reads shared prefixes
 * once. */
#include <stdlib.h>

#include "data/value.h"
#include "storage/table/partition.h"

struct item {
    uint64_t key;
    uint32_t row;
};

enum { SMALL_SORT = 16, DEPTH_MAX = 64 };

static int compare_rows(const struct column *column, uint32_t a, uint32_t b)
{
    bool a_null = column_is_null(column, a), b_null = column_is_null(column, b);
    int order = 0;
    if (a_null || b_null) {
        order = (int)b_null - (int)a_null;
    } else if (type_is_bytes(column->type)) {
        order = str_cmp(column_str(column, a), column_str(column, b));
    } else {
        struct value x = value_of_column(column, a), y = value_of_column(column, b);
        order = value_compare(&x, &y);
    }
    return order ? order : a < b ? -1 : a > b;
}

static bool is_sorted(const struct column *column, const uint32_t *order, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (compare_rows(column, order[i - 1], order[i]) > 0)
            return false;
    }
    return true;
}

/* --- fixed width --- */

static uint64_t fixed_key(const struct column *column, uint32_t row)
{
    struct value value = value_of_column(column, row);
    uint64_t bits;
    if (value.type == TYPE_BOOL)
        return value.boolean;
    if (value.type != TYPE_DOUBLE)
        return (uint64_t)value.int64 ^ UINT64_C(1) << 63;
    double real = value.real == 0 ? 0.0 : value.real;
    memcpy(&bits, &real, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static void radix_pass(const struct item *from, struct item *to, uint32_t count, int shift)
{
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < count; i++)
        starts[(from[i].key >> shift & 255) + 1]++;
    for (int b = 0; b < 256; b++)
        starts[b + 1] += starts[b];
    for (uint32_t i = 0; i < count; i++)
        to[starts[from[i].key >> shift & 255]++] = from[i];
}

static enum status sort_fixed(struct item **items, uint32_t count)
{
    struct item *other = malloc((count + 1u) * sizeof *other);
    if (!other)
        return STATUS_NO_MEMORY;
    uint64_t differ = 0;
    for (uint32_t i = 1; i < count; i++)
        differ |= (*items)[i].key ^ (*items)[0].key;
    for (int shift = 0; shift < 64; shift += 8) {
        if (!(differ >> shift & 255))
            continue;
        radix_pass(*items, other, count, shift);
        struct item *swap = *items;
        *items = other;
        other = swap;
    }
    free(other);
    return STATUS_OK;
}

/* --- bytes --- */

/* Eight bytes from `depth` on, first byte highest, zeros behind the end. */
static uint64_t bytes_key(struct str s, size_t depth)
{
    uint64_t key = 0;
    if (depth >= s.len)
        return 0;
    size_t len = s.len - depth < 8 ? s.len - depth : 8;
    memcpy(&key, s.data + depth, len);
    return __builtin_bswap64(key);
}

static int compare_items(const void *a, const void *b, void *context)
{
    return compare_rows(context, ((const struct item *)a)->row, ((const struct item *)b)->row);
}

static void insertion_sort(const struct column *column, struct item *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct item item = items[i];
        uint32_t at = i;
        for (; at && compare_rows(column, items[at - 1].row, item.row) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static uint64_t middle_key(const struct item *items, uint32_t count)
{
    uint64_t a = items[0].key, b = items[count / 2].key, c = items[count - 1].key;
    if (a > b) {
        uint64_t swap = a;
        a = b;
        b = swap;
    }
    return c < a ? a : c > b ? b : c;
}

/* Below, equal to and above the pivot; returns the bounds of the equal ones. */
static void partition_items(struct item *items, uint32_t count, uint32_t *ret_low,
                            uint32_t *ret_high)
{
    uint64_t pivot = middle_key(items, count);
    uint32_t low = 0, high = count;
    for (uint32_t i = 0; i < high;) {
        struct item item = items[i];
        if (item.key < pivot) {
            items[i++] = items[low];
            items[low++] = item;
        } else if (item.key > pivot) {
            items[i] = items[--high];
            items[high] = item;
        } else {
            i++;
        }
    }
    *ret_low = low;
    *ret_high = high;
}

/* Of strings with equal keys at `depth`: those that end within it come to the front, in their final
 * order; returns their number. */
static uint32_t split_ended(const struct column *column, struct item *items, uint32_t count,
                            size_t depth)
{
    uint32_t ended = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (column_str(column, items[i].row).len > depth + 8)
            continue;
        struct item swap = items[i];
        items[i] = items[ended];
        items[ended++] = swap;
    }
    if (ended > 1)
        qsort_r(items, ended, sizeof *items, compare_items, (void *)(uintptr_t)column);
    return ended;
}

/* The items' keys are those of `depth`. Recursion is bounded by DEPTH_MAX; beyond it, plain sort.
 */
static void sort_bytes(const struct column *column, struct item *items, uint32_t count,
                       size_t depth, int level)
{
    while (count > 1) {
        if (count <= SMALL_SORT) {
            insertion_sort(column, items, count);
            return;
        }
        if (level > DEPTH_MAX) {
            qsort_r(items, count, sizeof *items, compare_items, (void *)(uintptr_t)column);
            return;
        }
        uint32_t low, high;
        partition_items(items, count, &low, &high);
        sort_bytes(column, items, low, depth, level + 1);
        sort_bytes(column, items + high, count - high, depth, level + 1);
        items += low;
        count = high - low;
        uint32_t ended = split_ended(column, items, count, depth);
        items += ended;
        count -= ended;
        depth += 8;
        for (uint32_t i = 0; i < count; i++)
            items[i].key = bytes_key(column_str(column, items[i].row), depth);
    }
}

/* --- */

static enum status sort_values(const struct column *column, uint32_t *order, uint32_t count)
{
    bool bytes = type_is_bytes(column->type);
    struct item *items = malloc((count + 1u) * sizeof *items);
    if (!items)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        items[i].row = order[i];
        items[i].key =
            bytes ? bytes_key(column_str(column, order[i]), 0) : fixed_key(column, order[i]);
    }
    enum status status = STATUS_OK;
    if (bytes)
        sort_bytes(column, items, count, 0, 0);
    else
        status = sort_fixed(&items, count);
    for (uint32_t i = 0; i < count; i++)
        order[i] = items[i].row;
    free(items);
    return status;
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

enum status order_by_column(const struct column *column, uint32_t *order, uint32_t count,
                            struct error *err)
{
    if (is_sorted(column, order, count))
        return STATUS_OK;
    qsort(order, count, sizeof *order, by_row); /* nulls and fixed values keep this order */
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < count && column->nulls; i++)
        nulls += column_is_null(column, order[i]);
    if (nulls) {
        uint32_t *sorted = malloc(count * sizeof *sorted), null_at = 0, value_at = nulls;
        if (!sorted)
            return error_no_memory(err);
        for (uint32_t i = 0; i < count; i++)
            sorted[column_is_null(column, order[i]) ? null_at++ : value_at++] = order[i];
        memcpy(order, sorted, count * sizeof *order);
        free(sorted);
    }
    enum status status = sort_values(column, order + nulls, count - nulls);
    return status == STATUS_OK ? status : error_no_memory(err);
}

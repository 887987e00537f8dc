/* gather.c: the fast way is taken when there are no nulls: values are written straight into the
 * reserved room. Nulls go through the column's own append calls. */
#include "query/exec/gather.h"

static const int64_t us_per_day = 86400 * (int64_t)1000000;

static enum status append_one(struct column *into, const struct column *from, uint32_t row)
{
    if (from->type == into->type)
        return column_append_from(into, from, row);
    if (column_is_null(from, row))
        return column_append_null(into);
    if (into->type == TYPE_DOUBLE)
        return column_append_double(into, (double)column_int64(from, row));
    return column_append_int64(into, column_date(from, row) * us_per_day);
}

#define GATHER(to_type, expression)                                                                \
    do {                                                                                           \
        to_type *to_ = (to_type *)into->values + into->rows;                                       \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            uint32_t row = rows ? rows[i] : first + i;                                             \
            to_[i] = (to_type)(expression);                                                        \
        }                                                                                          \
    } while (0)

/* Fixed width, no nulls on either side. */
static void gather_fixed(struct column *into, const struct column *from, const uint32_t *rows,
                         uint32_t first, uint32_t n)
{
    if (into->type == TYPE_BOOL)
        GATHER(uint8_t, ((const uint8_t *)from->values)[row]);
    else if (into->type == TYPE_DATE)
        GATHER(int32_t, ((const int32_t *)from->values)[row]);
    else if (into->type == from->type)
        GATHER(uint64_t, ((const uint64_t *)from->values)[row]);
    else if (into->type == TYPE_DOUBLE)
        GATHER(double, column_int64(from, row));
    else
        GATHER(int64_t, column_date(from, row) * us_per_day);
    into->rows += n;
}

enum status gather_rows(struct column *into, const struct column *from, const uint32_t *rows,
                        uint32_t first, uint32_t n, struct error *err)
{
    enum status status = STATUS_OK;
    if (n == 0)
        return STATUS_OK;
    if (from->type != into->type && !type_can_widen(from->type, into->type))
        return error_set(err, STATUS_CORRUPT, "a column is %s where the schema says %s",
                         type_name(from->type), type_name(into->type));
    if (!rows && from->type == into->type) {
        status = column_append_range(into, from, first, n);
    } else if (!type_is_bytes(into->type) && !from->validity && !into->validity) {
        status = column_reserve(into, n);
        if (status == STATUS_OK)
            gather_fixed(into, from, rows, first, n);
    } else {
        for (uint32_t i = 0; i < n && status == STATUS_OK; i++)
            status = append_one(into, from, rows ? rows[i] : first + i);
    }
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(err, status,
                     status == STATUS_RESOURCE_LIMIT ? "the texts of one batch exceed 1 GiB"
                                                     : "out of memory");
}

static uint32_t count_nulls(const uint8_t *validity, uint32_t n)
{
    uint32_t valid = 0;
    for (uint32_t i = 0; i < n / 8; i++)
        valid += (uint32_t)__builtin_popcount(validity[i]);
    if (n % 8)
        valid += (uint32_t)__builtin_popcount(validity[n / 8] & ((1u << (n % 8)) - 1));
    return n - valid;
}

struct column gather_window(const struct column *from, uint32_t first, uint32_t n)
{
    struct column window = *from;
    size_t width = type_is_bytes(from->type) ? sizeof(uint32_t) : type_width(from->type);
    window.rows = window.cap = n;
    if (from->values)
        window.values = (char *)from->values + first * width;
    window.nulls = 0;
    if (from->validity) {
        window.validity = from->validity + first / 8;
        window.nulls = count_nulls(window.validity, n);
    }
    return window;
}

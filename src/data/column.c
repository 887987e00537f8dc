#include "data/column.h"

#include <stdlib.h>

void column_init(struct column *column, enum type type)
{
    *column = (struct column){.type = type};
}

void column_release(struct column *column)
{
    free(column->validity);
    free(column->values);
    free(column->bytes);
    column_init(column, column->type);
}

static size_t values_size(enum type type, uint32_t rows)
{
    return type_is_bytes(type) ? ((size_t)rows + 1) * sizeof(uint32_t) : rows * type_width(type);
}

enum status column_reserve(struct column *column, uint32_t rows)
{
    if (rows > UINT32_MAX / 2 - column->rows)
        return STATUS_RESOURCE_LIMIT;
    uint32_t need = column->rows + rows;
    if (need <= column->cap && column->values)
        return STATUS_OK;
    uint32_t cap = column->cap ? column->cap : 64;
    while (cap < need)
        cap *= 2;
    void *values = realloc(column->values, values_size(column->type, cap));
    if (!values)
        return STATUS_NO_MEMORY;
    if (!column->values && type_is_bytes(column->type))
        *(uint32_t *)values = 0;
    column->values = values;
    if (column->validity) {
        uint8_t *validity = realloc(column->validity, (cap + 7) / 8);
        if (!validity)
            return STATUS_NO_MEMORY;
        column->validity = validity;
    }
    column->cap = cap;
    return STATUS_OK;
}

static void mark(struct column *column, bool valid)
{
    uint32_t row = column->rows;
    uint8_t bit = (uint8_t)(1u << (row & 7));
    if (valid)
        column->validity[row >> 3] |= bit;
    else
        column->validity[row >> 3] &= (uint8_t)~bit;
}

static enum status need_validity(struct column *column)
{
    if (column->validity)
        return STATUS_OK;
    column->validity = malloc((column->cap + 7) / 8);
    if (!column->validity)
        return STATUS_NO_MEMORY;
    memset(column->validity, 0xFF, (column->rows + 7) / 8);
    return STATUS_OK;
}

enum status column_append_null(struct column *column)
{
    TRY(column_reserve(column, 1));
    TRY(need_validity(column));
    mark(column, false);
    uint32_t row = column->rows;
    if (type_is_bytes(column->type)) {
        uint32_t *offsets = column->values;
        offsets[row + 1] = offsets[row];
    } else {
        size_t width = type_width(column->type);
        memset((char *)column->values + row * width, 0, width);
    }
    column->rows++;
    column->nulls++;
    return STATUS_OK;
}

enum status column_append_nulls(struct column *column, uint32_t count)
{
    TRY(column_reserve(column, count));
    for (uint32_t i = 0; i < count; i++)
        TRY(column_append_null(column));
    return STATUS_OK;
}

static inline enum status one_more(struct column *column)
{
    if (column->rows == column->cap || !column->values)
        TRY(column_reserve(column, 1));
    if (column->validity)
        mark(column, true);
    return STATUS_OK;
}

enum status column_append_bool(struct column *column, bool value)
{
    TRY(one_more(column));
    ((uint8_t *)column->values)[column->rows++] = value;
    return STATUS_OK;
}

enum status column_append_int64(struct column *column, int64_t value)
{
    TRY(one_more(column));
    ((int64_t *)column->values)[column->rows++] = value;
    return STATUS_OK;
}

enum status column_append_double(struct column *column, double value)
{
    TRY(one_more(column));
    ((double *)column->values)[column->rows++] = value;
    return STATUS_OK;
}

enum status column_append_date(struct column *column, int32_t days)
{
    TRY(one_more(column));
    ((int32_t *)column->values)[column->rows++] = days;
    return STATUS_OK;
}

enum status column_bytes_room(struct column *column, uint32_t len, char **ret_room)
{
    if (len > COLUMN_BYTES_MAX - column->bytes_len)
        return STATUS_RESOURCE_LIMIT;
    uint32_t need = column->bytes_len + len;
    if (need > column->bytes_cap || !column->bytes) {
        uint32_t cap = column->bytes_cap ? column->bytes_cap : 1024;
        while (cap < need)
            cap *= 2;
        char *bytes = realloc(column->bytes, cap);
        if (!bytes)
            return STATUS_NO_MEMORY;
        column->bytes = bytes;
        column->bytes_cap = cap;
    }
    *ret_room = column->bytes + column->bytes_len;
    return STATUS_OK;
}

enum status column_bytes_commit(struct column *column, uint32_t len)
{
    TRY(one_more(column));
    column->bytes_len += len;
    ((uint32_t *)column->values)[++column->rows] = column->bytes_len;
    return STATUS_OK;
}

enum status column_append_bytes(struct column *column, struct str value)
{
    char *room;
    if (value.len > COLUMN_BYTES_MAX)
        return STATUS_RESOURCE_LIMIT;
    TRY(column_bytes_room(column, (uint32_t)value.len, &room));
    if (value.len)
        memcpy(room, value.data, value.len);
    return column_bytes_commit(column, (uint32_t)value.len);
}

enum status column_append_from(struct column *column, const struct column *from, uint32_t row)
{
    if (column_is_null(from, row))
        return column_append_null(column);
    switch (column->type) {
    case TYPE_BOOL:
        return column_append_bool(column, column_bool(from, row));
    case TYPE_INT64:
    case TYPE_TIMESTAMP:
        return column_append_int64(column, column_int64(from, row));
    case TYPE_DOUBLE:
        return column_append_double(column, column_double(from, row));
    case TYPE_DATE:
        return column_append_date(column, column_date(from, row));
    default:
        return column_append_bytes(column, column_str(from, row));
    }
}

/* Offsets and bytes of a run of rows without nulls in `from`. */
static enum status append_bytes_run(struct column *column, const struct column *from,
                                    uint32_t first, uint32_t count)
{
    const uint32_t *source = from->values;
    uint32_t len = source[first + count] - source[first];
    char *room;
    TRY(column_bytes_room(column, len, &room));
    if (len)
        memcpy(room, from->bytes + source[first], len);
    uint32_t *offsets = column->values;
    for (uint32_t i = 0; i < count; i++)
        offsets[column->rows + i + 1] = column->bytes_len + source[first + i + 1] - source[first];
    column->bytes_len += len;
    return STATUS_OK;
}

enum status column_append_range(struct column *column, const struct column *from, uint32_t first,
                                uint32_t count)
{
    TRY(column_reserve(column, count));
    if (from->nulls || column->validity) {
        for (uint32_t i = 0; i < count; i++)
            TRY(column_append_from(column, from, first + i));
        return STATUS_OK;
    }
    if (count == 0)
        return STATUS_OK;
    if (type_is_bytes(column->type)) {
        TRY(append_bytes_run(column, from, first, count));
    } else {
        size_t width = type_width(column->type);
        memcpy((char *)column->values + column->rows * width,
               (const char *)from->values + first * width, count * width);
    }
    column->rows += count;
    return STATUS_OK;
}

void column_truncate(struct column *column, uint32_t rows)
{
    if (rows >= column->rows)
        return;
    for (uint32_t row = rows; column->nulls && row < column->rows; row++)
        column->nulls -= column_is_null(column, row);
    column->rows = rows;
    if (type_is_bytes(column->type))
        column->bytes_len = ((uint32_t *)column->values)[rows];
}

bool type_can_widen(enum type from, enum type to)
{
    return (from == TYPE_INT64 && to == TYPE_DOUBLE) || (from == TYPE_DATE && to == TYPE_TIMESTAMP);
}

static enum status widen_ints(struct column *column, struct error *err)
{
    const int64_t exact = (int64_t)1 << 53;
    const int64_t *ints = column->values;
    for (uint32_t row = 0; row < column->rows; row++) {
        int64_t value = ints[row];
        if (value < -exact || value > exact) {
            enum status status =
                error_set(err, STATUS_SCHEMA,
                          "the integer %lld cannot become a double without loss", (long long)value);
            if (err)
                err->record = row;
            return status;
        }
    }
    for (uint32_t row = 0; row < column->rows; row++) {
        double real = (double)ints[row];
        memcpy((char *)column->values + row * sizeof real, &real, sizeof real);
    }
    column->type = TYPE_DOUBLE;
    return STATUS_OK;
}

static enum status widen_dates(struct column *column, struct error *err)
{
    struct column wide;
    column_init(&wide, TYPE_TIMESTAMP);
    if (column_reserve(&wide, column->rows ? column->rows : 1) != STATUS_OK)
        return error_no_memory(err);
    for (uint32_t row = 0; row < column->rows; row++)
        ((int64_t *)wide.values)[row] = column_date(column, row) * (int64_t)86400 * 1000000;
    if (column->validity) {
        uint8_t *validity = realloc(column->validity, (wide.cap + 7) / 8);
        if (!validity) {
            column_release(&wide);
            return error_no_memory(err);
        }
        column->validity = validity;
    }
    free(column->values);
    column->values = wide.values;
    column->cap = wide.cap;
    column->type = TYPE_TIMESTAMP;
    return STATUS_OK;
}

enum status column_widen(struct column *column, enum type to, struct error *err)
{
    if (column->type == to)
        return STATUS_OK;
    if (column->type == TYPE_INT64 && to == TYPE_DOUBLE)
        return widen_ints(column, err);
    if (column->type == TYPE_DATE && to == TYPE_TIMESTAMP)
        return widen_dates(column, err);
    return error_set(err, STATUS_SCHEMA, "%s does not become %s", type_name(column->type),
                     type_name(to));
}

size_t column_memory(const struct column *column)
{
    size_t size = column->bytes_cap;
    if (column->values)
        size += values_size(column->type, column->cap);
    if (column->validity)
        size += (column->cap + 7) / 8;
    return size;
}

/* column.h: one column of values, and how it is built.
 *
 * Layout as in Apache Arrow: a validity bitmap (bit set: there is a value), fixed-width values or
 * offsets + bytes. Null slots hold zero. A column under construction has one owner and thread; once
 * it is part of a shared batch it never changes and any thread may read it. */
#ifndef QUARRY_DATA_COLUMN_H
#define QUARRY_DATA_COLUMN_H

#include "data/type.h"

enum { COLUMN_BYTES_MAX = 1 << 30 }; /* string bytes of one column of one batch */

struct column {
    enum type type;
    uint32_t rows;
    uint32_t nulls;
    uint32_t cap;      /* rows that fit */
    uint8_t *validity; /* (cap + 7) / 8 bytes, or NULL while there are no nulls */
    void *values;      /* fixed: type_width() each; bytes: uint32_t offsets, rows + 1 of them */
    char *bytes;       /* STRING and JSON */
    uint32_t bytes_len;
    uint32_t bytes_cap;
};

void column_init(struct column *column, enum type type);
void column_release(struct column *column);

/* Appends fail with STATUS_NO_MEMORY, or STATUS_RESOURCE_LIMIT past COLUMN_BYTES_MAX; the column is
 * then as before. */
enum status column_reserve(struct column *column, uint32_t rows);
enum status column_append_null(struct column *column);
enum status column_append_nulls(struct column *column, uint32_t count);
enum status column_append_bool(struct column *column, bool value);
enum status column_append_int64(struct column *column, int64_t value); /* INT64, TIMESTAMP */
enum status column_append_double(struct column *column, double value);
enum status column_append_date(struct column *column, int32_t days);
enum status column_append_bytes(struct column *column, struct str value);
/* Room for `len` bytes of one value, written by the caller, then column_bytes_commit. */
enum status column_bytes_room(struct column *column, uint32_t len, char **ret_room);
enum status column_bytes_commit(struct column *column, uint32_t len);
/* Row `row` of `from`, same type. */
enum status column_append_from(struct column *column, const struct column *from, uint32_t row);
enum status column_append_range(struct column *column, const struct column *from, uint32_t first,
                                uint32_t count);
/* Forgets all rows from `rows` on. */
void column_truncate(struct column *column, uint32_t rows);
/* INT64 becomes DOUBLE, DATE becomes TIMESTAMP; STATUS_SCHEMA for any other pair, and for an
 * integer beyond 2^53 that a double cannot hold exactly. */
enum status column_widen(struct column *column, enum type to, struct error *err);
bool type_can_widen(enum type from, enum type to);

static inline bool column_is_null(const struct column *column, uint32_t row)
{
    return column->validity && !(column->validity[row >> 3] >> (row & 7) & 1);
}

static inline bool column_bool(const struct column *column, uint32_t row)
{
    return ((const uint8_t *)column->values)[row] != 0;
}

static inline int64_t column_int64(const struct column *column, uint32_t row)
{
    return ((const int64_t *)column->values)[row];
}

static inline double column_double(const struct column *column, uint32_t row)
{
    return ((const double *)column->values)[row];
}

static inline int32_t column_date(const struct column *column, uint32_t row)
{
    return ((const int32_t *)column->values)[row];
}

static inline struct str column_str(const struct column *column, uint32_t row)
{
    const uint32_t *offsets = (const uint32_t *)column->values;
    return str_make(column->bytes + offsets[row], offsets[row + 1] - offsets[row]);
}

/* For rows that are read soon, all over memory: first this for many of them, ... */
static inline void column_prefetch(const struct column *column, uint32_t row)
{
    size_t width = type_is_bytes(column->type) ? sizeof(uint32_t) : type_width(column->type);
    __builtin_prefetch((const char *)column->values + row * width);
}

/* ... then this, which reads what that fetched. */
static inline void column_prefetch_bytes(const struct column *column, uint32_t row)
{
    if (type_is_bytes(column->type))
        __builtin_prefetch(column->bytes + ((const uint32_t *)column->values)[row]);
}

/* Heap bytes held. */
size_t column_memory(const struct column *column);

#endif

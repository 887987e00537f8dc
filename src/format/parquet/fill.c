/* fill.c: direct filling of a column: values are written behind its last row, then committed. Until
 * the commit the column is as before for everyone else. */
#include <math.h>
#include <stdlib.h>

#include "format/parquet/reader_int.h"

static enum status explain(enum status status, struct error *err)
{
    if (status == STATUS_NO_MEMORY)
        return error_no_memory(err);
    return error_set(err, status, "the values do not fit into one column of a batch");
}

enum status pq_into_reserve(struct column *into, uint32_t rows, struct error *err)
{
    enum status status = column_reserve(into, rows);
    return status == STATUS_OK ? STATUS_OK : explain(status, err);
}

enum status pq_into_room(struct column *into, size_t bytes, char **ret_room, struct error *err)
{
    enum status status = STATUS_RESOURCE_LIMIT;
    if (bytes <= COLUMN_BYTES_MAX)
        status = column_bytes_room(into, (uint32_t)bytes, ret_room);
    return status == STATUS_OK ? STATUS_OK : explain(status, err);
}

static enum status need_validity(struct column *into)
{
    if (into->validity)
        return STATUS_OK;
    into->validity = malloc((into->cap + 7) / 8 + 1);
    if (!into->validity)
        return STATUS_NO_MEMORY;
    memset(into->validity, 0xFF, ((size_t)into->rows + 7) / 8);
    return STATUS_OK;
}

static void put_bit(uint8_t *bitmap, uint32_t at, bool bit)
{
    uint8_t mask = (uint8_t)(1u << (at & 7));
    bitmap[at >> 3] = (uint8_t)(bit ? bitmap[at >> 3] | mask : bitmap[at >> 3] & ~mask);
}

/* bits NULL: ones */
static void put_bits(uint8_t *bitmap, uint32_t at, const uint8_t *bits, uint32_t count)
{
    uint32_t i = 0;
    if ((at & 7) == 0) {
        if (bits)
            memcpy(bitmap + at / 8, bits, count / 8);
        else
            memset(bitmap + at / 8, 0xFF, count / 8);
        i = count & ~7u;
    } else {
        for (; count - i >= 8; i += 8) { /* two halves */
            uint32_t byte = bits ? bits[i >> 3] : 0xFF;
            uint8_t *p = bitmap + ((at + i) >> 3);
            unsigned shift = at & 7;
            p[0] = (uint8_t)((p[0] & ((1u << shift) - 1)) | byte << shift);
            p[1] = (uint8_t)(byte >> (8 - shift));
        }
    }
    for (; i < count; i++)
        put_bit(bitmap, at + i, !bits || bits[i >> 3] >> (i & 7) & 1);
}

enum status pq_into_commit(struct column *into, uint32_t rows, uint32_t present,
                           const uint8_t *validity, struct error *err)
{
    if (validity && need_validity(into) != STATUS_OK)
        return error_no_memory(err);
    if (into->validity)
        put_bits(into->validity, into->rows, validity, rows);
    into->rows += rows;
    into->nulls += rows - present;
    return STATUS_OK;
}

static bool all_finite(const double *values, uint32_t count)
{
    const uint64_t exponent = (uint64_t)0x7FF << 52;
    bool finite = true;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        finite &= (bits & exponent) != exponent;
    }
    return finite;
}

enum status pq_check_doubles(struct column *into, uint32_t first, struct error *err)
{
    double *values = into->values;
    if (into->rows == first || all_finite(values + first, into->rows - first))
        return STATUS_OK;
    for (uint32_t row = first; row < into->rows; row++)
        if (isinf(values[row]))
            return error_set(err, STATUS_SCHEMA, "a double is infinite (row %u of those read)",
                             row - first);
    if (need_validity(into) != STATUS_OK)
        return error_no_memory(err);
    for (uint32_t row = first; row < into->rows; row++) {
        if (!isnan(values[row]))
            continue;
        values[row] = 0;
        put_bit(into->validity, row, false);
        into->nulls++;
    }
    return STATUS_OK;
}

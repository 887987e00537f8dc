/* bloom_read.c: asks a chunk's bloom filter. Anything that is not wholly understood (another hash,
 * a damaged filter, a type whose stored form differs from the value) answers "maybe". */
#include <math.h>

#include "format/parquet/bloom_int.h"
#include "format/parquet/reader_int.h"
#include "format/parquet/thrift_int.h"

/* A union of which only field 1 is known. */
static bool is_first(struct thrift_reader *r, const struct thrift_field *field)
{
    struct thrift_field f = {0};
    bool first = false;
    if (field->type != THRIFT_STRUCT)
        return false;
    while (thrift_next_field(r, &f)) {
        first = f.id == 1;
        thrift_skip(r, &f);
    }
    return first;
}

/* Finds the bits and, in own files, checks their CRC; false when the filter is not to be used. */
static bool load(const struct parquet_reader *reader, struct pq_chunk *chunk)
{
    struct thrift_reader r;
    struct thrift_field f = {0};
    int64_t size = 0;
    int known = 0;
    uint64_t left = reader->data_end - chunk->bloom_offset; /* the footer's reader has checked it */
    size_t room = left < BLOOM_HEADER_MAX ? (size_t)left : BLOOM_HEADER_MAX;
    const uint8_t *start = reader->file + chunk->bloom_offset;
    if (reader->own && (!chunk->bloom_has_crc || chunk->bloom_len > left ||
                        pq_crc32(0, start, chunk->bloom_len) != chunk->bloom_crc))
        return false;
    thrift_reader_init(&r, (struct slice){start, room});
    while (thrift_next_field(&r, &f)) {
        if (f.id == 1)
            size = thrift_read_int(&r, &f);
        else if (f.id >= 2 && f.id <= 4)
            known += is_first(&r, &f);
        else
            thrift_skip(&r, &f);
    }
    left -= (uint64_t)(r.p - start);
    if (r.failed || known != 3 || size < BLOOM_BLOCK || size % BLOOM_BLOCK ||
        size > BLOOM_READ_MAX || (uint64_t)size > left)
        return false;
    chunk->bloom_bits = r.p;
    chunk->bloom_size = (uint32_t)size;
    return true;
}

static bool has(const struct pq_chunk *chunk, const void *bytes, size_t len)
{
    return bloom_has(chunk->bloom_bits, chunk->bloom_size, bloom_hash(bytes, len));
}

static bool has_int(const struct pq_leaf *leaf, const struct pq_chunk *chunk, int64_t value)
{
    uint32_t low = (uint32_t)value;
    if (leaf->physical == PQ_INT64)
        return (leaf->unit != PQ_UNIT_NONE && leaf->unit != PQ_MICROS) || has(chunk, &value, 8);
    if (leaf->physical != PQ_INT32)
        return true;
    int64_t stored = leaf->is_unsigned ? (int64_t)low : (int64_t)(int32_t)low;
    return stored == value && has(chunk, &low, 4);
}

static bool has_real(const struct pq_leaf *leaf, const struct pq_chunk *chunk, double value)
{
    double minus = -value;
    float single = (float)value, single_minus = -single;
    if (leaf->physical == PQ_DOUBLE)
        return has(chunk, &value, 8) || (value == 0 && has(chunk, &minus, 8));
    if (leaf->physical != PQ_FLOAT)
        return true;
    if (value != (double)single)
        return false;
    return has(chunk, &single, 4) || (value == 0 && has(chunk, &single_minus, 4));
}

static bool has_value(const struct pq_leaf *leaf, const struct pq_chunk *chunk,
                      const struct value *value)
{
    enum type type = leaf->field.type;
    if (leaf->form != PQ_FORM_NATIVE || value->is_null)
        return true;
    if (type == TYPE_DOUBLE && value->type == TYPE_INT64) {
        double real = (double)value->int64;
        return fabs(real) >= 0x1p53 || has_real(leaf, chunk, real);
    }
    if (type != value->type)
        return true;
    if (type_is_bytes(type))
        return leaf->physical != PQ_BYTE_ARRAY || has(chunk, value->bytes.data, value->bytes.len);
    if (type == TYPE_DOUBLE)
        return has_real(leaf, chunk, value->real);
    return type == TYPE_BOOL || has_int(leaf, chunk, value->int64);
}

bool parquet_bloom_check(struct parquet_reader *reader, uint32_t group, uint32_t column,
                         const struct value *value)
{
    struct pq_place at;
    if (pq_check_place(reader, group, column, &at, NULL) != STATUS_OK ||
        !reader->columns[column].flat)
        return true;
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    if (!chunk->bloom_offset)
        return true;
    if (!chunk->bloom_bits && !load(reader, chunk)) {
        chunk->bloom_offset = 0; /* not asked again */
        return true;
    }
    return has_value(&reader->leaves[at.column], chunk, value);
}

bool parquet_bloom_is_sound(struct parquet_reader *reader, uint32_t group, uint32_t column)
{
    struct pq_place at;
    if (pq_check_place(reader, group, column, &at, NULL) != STATUS_OK ||
        !reader->columns[column].flat)
        return true;
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    return !chunk->bloom_offset || load(reader, chunk);
}

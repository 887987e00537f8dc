/* footer_read.c: FileMetaData into groups and chunks, every offset checked.
 *
 * Lists are allocated as long as their announced count, which is bounded by the footer's bytes; the
 * arena's limit (1 GiB) bounds the rest. */
#include "format/parquet/reader_int.h"
#include "format/parquet/thrift_int.h"

enum { HEADER_SLACK = 64 };

/* What ColumnMetaData and ColumnChunk say, before it is checked. */
struct raw_chunk {
    int64_t type, codec, values, compressed;
    int64_t data_offset, dictionary_offset;
    int64_t offset_index, offset_index_len, column_index, column_index_len;
    int64_t nulls;
    int64_t bloom_offset, bloom_len;
    struct str min, max, old_min, old_max;
    bool has_meta, foreign_file, encrypted;
    bool dictionary_only, other_data; /* by encoding_stats */
    bool stats_v2;
    int64_t stats_encoding;
};

static void read_statistics(struct thrift_reader *r, struct raw_chunk *raw)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 1 && f.type == THRIFT_BINARY)
            raw->old_max = thrift_read_binary(r, &f);
        else if (f.id == 2 && f.type == THRIFT_BINARY)
            raw->old_min = thrift_read_binary(r, &f);
        else if (f.id == 3)
            raw->nulls = thrift_read_int(r, &f);
        else if (f.id == 5 && f.type == THRIFT_BINARY)
            raw->max = thrift_read_binary(r, &f);
        else if (f.id == 6 && f.type == THRIFT_BINARY)
            raw->min = thrift_read_binary(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_encoding_stat(struct thrift_reader *r, struct raw_chunk *raw)
{
    struct thrift_field f = {0};
    int64_t page = -1, encoding = -1, count = 0;
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            page = thrift_read_int(r, &f);
        else if (f.id == 2)
            encoding = thrift_read_int(r, &f);
        else if (f.id == 3)
            count = thrift_read_int(r, &f);
        else
            thrift_skip(r, &f);
    }
    if (count == 0 || (page != PQ_DATA_PAGE && page != PQ_DATA_PAGE_V2))
        return;
    raw->stats_v2 = page == PQ_DATA_PAGE_V2;
    raw->stats_encoding = encoding;
    if (encoding == PQ_RLE_DICTIONARY || encoding == PQ_PLAIN_DICTIONARY)
        raw->dictionary_only = true;
    else
        raw->other_data = true;
}

static void read_encoding_stats(struct thrift_reader *r, const struct thrift_field *f,
                                struct raw_chunk *raw)
{
    uint32_t count = thrift_read_list(r, f, THRIFT_STRUCT);
    for (uint32_t i = 0; i < count && !r->failed; i++)
        read_encoding_stat(r, raw);
}

static void read_meta(struct thrift_reader *r, struct raw_chunk *raw)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        switch (f.id) {
        case 1:
            raw->type = thrift_read_int(r, &f);
            break;
        case 4:
            raw->codec = thrift_read_int(r, &f);
            break;
        case 5:
            raw->values = thrift_read_int(r, &f);
            break;
        case 7:
            raw->compressed = thrift_read_int(r, &f);
            break;
        case 9:
            raw->data_offset = thrift_read_int(r, &f);
            break;
        case 11:
            raw->dictionary_offset = thrift_read_int(r, &f);
            break;
        case 12:
            thrift_enter_struct(r, &f);
            read_statistics(r, raw);
            break;
        case 13:
            read_encoding_stats(r, &f, raw);
            break;
        case 14: /* one writer has used these two for something else */
        case 15:
            if (f.type == THRIFT_I64 || f.type == THRIFT_I32)
                *(f.id == 14 ? &raw->bloom_offset : &raw->bloom_len) = thrift_read_int(r, &f);
            else
                thrift_skip(r, &f);
            break;
        default:
            thrift_skip(r, &f);
        }
    }
}

static void read_chunk(struct thrift_reader *r, struct raw_chunk *raw)
{
    *raw = (struct raw_chunk){.nulls = -1, .type = -1, .codec = -1, .stats_encoding = -1};
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        switch (f.id) {
        case 1:
            raw->foreign_file = thrift_read_binary(r, &f).len > 0;
            break;
        case 3:
            thrift_enter_struct(r, &f);
            read_meta(r, raw);
            raw->has_meta = true;
            break;
        case 4:
            raw->offset_index = thrift_read_int(r, &f);
            break;
        case 5:
            raw->offset_index_len = thrift_read_int(r, &f);
            break;
        case 6:
            raw->column_index = thrift_read_int(r, &f);
            break;
        case 7:
            raw->column_index_len = thrift_read_int(r, &f);
            break;
        case 8:
            raw->encrypted = true;
            thrift_skip(r, &f);
            break;
        default:
            thrift_skip(r, &f);
        }
    }
}

static bool is_range(const struct parquet_reader *reader, int64_t offset, int64_t len)
{
    return offset >= PQ_MAGIC_LEN && len > 0 && (uint64_t)offset <= reader->data_end &&
           (uint64_t)len <= reader->data_end - (uint64_t)offset;
}

static enum status check_indexes(const struct parquet_reader *reader, const struct raw_chunk *raw,
                                 struct pq_chunk *chunk, struct error *err)
{
    if (raw->offset_index_len) {
        if (!is_range(reader, raw->offset_index, raw->offset_index_len) ||
            raw->offset_index_len > INT32_MAX)
            return pq_corrupt(err, "an offset index lies outside of the file");
        chunk->offset_index = (uint64_t)raw->offset_index;
        chunk->offset_index_len = (uint32_t)raw->offset_index_len;
    }
    if (raw->column_index_len) {
        if (!is_range(reader, raw->column_index, raw->column_index_len) ||
            raw->column_index_len > INT32_MAX)
            return pq_corrupt(err, "a column index lies outside of the file");
        chunk->column_index = (uint64_t)raw->column_index;
        chunk->column_index_len = (uint32_t)raw->column_index_len;
    }
    return STATUS_OK;
}

static enum status check_chunk(const struct parquet_reader *reader, const struct raw_chunk *raw,
                               const struct pq_leaf *leaf, struct pq_chunk *chunk,
                               struct error *err)
{
    if (raw->encrypted || !raw->has_meta)
        return error_set(err, STATUS_NOT_IMPLEMENTED, "encrypted Parquet columns are not read");
    if (raw->foreign_file)
        return error_set(err, STATUS_NOT_IMPLEMENTED,
                         "Parquet columns in other files are not read");
    if (raw->type != (int64_t)leaf->physical)
        return pq_corrupt(err, "a chunk of column %.*s has another type than the schema",
                          STR_ARG(leaf->field.name));
    int64_t start = raw->data_offset;
    if (raw->dictionary_offset > 0 && raw->dictionary_offset < start) {
        start = raw->dictionary_offset;
        chunk->dictionary_offset = (uint64_t)raw->dictionary_offset;
    }
    if (raw->values < 0 || (raw->values > 0 && !is_range(reader, start, raw->compressed)))
        return pq_corrupt(err, "a chunk of column %.*s lies outside of the file",
                          STR_ARG(leaf->field.name));
    chunk->start = (uint64_t)start;
    chunk->end = raw->values ? (uint64_t)start + (uint64_t)raw->compressed : chunk->start;
    /* Old writers did not count the header of the dictionary page. */
    uint64_t behind = reader->data_end - chunk->end;
    if (raw->values)
        chunk->end += behind < HEADER_SLACK ? behind : HEADER_SLACK;
    chunk->values = (uint64_t)raw->values;
    chunk->codec = (enum pq_codec)raw->codec;
    chunk->nulls = raw->nulls;
    chunk->all_dictionary = raw->dictionary_only && !raw->other_data;
    chunk->stats_v2 = raw->stats_v2;
    chunk->stats_encoding = (int32_t)raw->stats_encoding;
    chunk->min = raw->min;
    chunk->max = raw->max;
    if (is_range(reader, raw->bloom_offset, raw->bloom_len > 0 ? raw->bloom_len : 1) &&
        raw->bloom_len <= INT32_MAX) { /* else as if there were none */
        chunk->bloom_offset = (uint64_t)raw->bloom_offset;
        chunk->bloom_len = raw->bloom_len > 0 ? (uint32_t)raw->bloom_len : 0;
    }
    bool old_is_right = leaf->physical != PQ_BYTE_ARRAY && !leaf->is_unsigned;
    if (!raw->min.data && !raw->max.data && old_is_right) {
        chunk->min = raw->old_min;
        chunk->max = raw->old_max;
    }
    return check_indexes(reader, raw, chunk, err);
}

static enum status read_chunks(struct parquet_reader *reader, struct thrift_reader *r,
                               const struct thrift_field *f, struct pq_group *group,
                               struct error *err)
{
    uint32_t count = thrift_read_list(r, f, THRIFT_STRUCT);
    if (r->failed || count != reader->leaves_len || group->chunks)
        return pq_corrupt(err, "a row group has %u columns, the schema %u", count,
                          reader->leaves_len);
    group->chunks = arena_array(&reader->arena, count, sizeof *group->chunks);
    if (!group->chunks)
        return error_no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        struct raw_chunk raw;
        read_chunk(r, &raw);
        if (r->failed)
            return pq_corrupt(err, "the footer does not parse");
        TRY(check_chunk(reader, &raw, &reader->leaves[i], &group->chunks[i], err));
    }
    return STATUS_OK;
}

static enum status read_group(struct parquet_reader *reader, struct thrift_reader *r,
                              struct pq_group *group, struct error *err)
{
    struct thrift_field f = {0};
    int64_t rows = -1;
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            TRY(read_chunks(reader, r, &f, group, err));
        else if (f.id == 3)
            rows = thrift_read_int(r, &f);
        else
            thrift_skip(r, &f);
    }
    if (r->failed || rows < 0 || !group->chunks)
        return pq_corrupt(err, "a row group does not parse");
    group->rows = (uint64_t)rows;
    for (uint32_t i = 0; i < reader->leaves_len; i++) {
        const struct pq_leaf *leaf = &reader->leaves[i];
        const struct pq_chunk *chunk = &group->chunks[i];
        if (leaf->flat && chunk->values != group->rows)
            return pq_corrupt(err, "column %.*s has %llu values in a row group of %llu rows",
                              STR_ARG(leaf->field.name), (unsigned long long)chunk->values,
                              (unsigned long long)group->rows);
    }
    return STATUS_OK;
}

static enum status read_groups(struct parquet_reader *reader, struct thrift_reader *r,
                               const struct thrift_field *f, struct error *err)
{
    uint32_t count = thrift_read_list(r, f, THRIFT_STRUCT);
    if (r->failed || !reader->leaves || reader->groups)
        return pq_corrupt(err, "the footer does not parse");
    reader->groups = arena_array(&reader->arena, count, sizeof *reader->groups);
    if (!reader->groups)
        return error_no_memory(err);
    reader->groups_len = count;
    for (uint32_t i = 0; i < count; i++) {
        TRY(read_group(reader, r, &reader->groups[i], err));
        reader->groups[i].first_row = reader->rows;
        if (reader->groups[i].rows > INT64_MAX - reader->rows)
            return pq_corrupt(err, "the row groups' rows overflow");
        reader->rows += reader->groups[i].rows;
    }
    return STATUS_OK;
}

static bool parse_hex(const char *text, int digits, uint64_t *ret)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    *ret = value;
    return true;
}

/* Our own checksum over indexes and footer, see spec_int.h. */
static enum status check_own(struct parquet_reader *reader, struct str value, struct slice footer,
                             struct error *err)
{
    uint64_t start, crc;
    const uint8_t *end = (const uint8_t *)footer.data + footer.len;
    if (value.len != PQ_CHECKSUM_LEN || !parse_hex(value.data, 16, &start) ||
        !parse_hex(value.data + PQ_CHECKSUM_CRC_AT, 8, &crc) || start > reader->data_end)
        return pq_corrupt(err, "the footer's checksum does not parse");
    const uint8_t *from = reader->file + start;
    const uint8_t *digits = (const uint8_t *)value.data + PQ_CHECKSUM_CRC_AT;
    if (pq_checksum(from, (size_t)(end - from), (size_t)(digits - from)) != crc)
        return pq_corrupt(err, "the footer does not match its checksum");
    reader->own = true;
    return STATUS_OK;
}

/* The CRCs of own bloom filters, 8 hex digits each. Without them no filter is used. */
static void give_bloom_crcs(struct parquet_reader *reader, struct str value)
{
    for (uint32_t g = 0; g < reader->groups_len; g++) {
        for (uint32_t c = 0; c < reader->leaves_len; c++) {
            struct pq_chunk *chunk = &reader->groups[g].chunks[c];
            uint64_t crc;
            if (!chunk->bloom_offset)
                continue;
            if (value.len < 8 || !parse_hex(value.data, 8, &crc))
                return;
            chunk->bloom_crc = (uint32_t)crc;
            chunk->bloom_has_crc = true;
            value = str_make(value.data + 8, value.len - 8);
        }
    }
}

static enum status read_key_values(struct parquet_reader *reader, struct thrift_reader *r,
                                   const struct thrift_field *list, struct slice footer,
                                   struct error *err)
{
    uint32_t count = thrift_read_list(r, list, THRIFT_STRUCT);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct thrift_field f = {0};
        struct str key = STR_NONE, value = STR_NONE;
        while (thrift_next_field(r, &f)) {
            if (f.id == 1)
                key = thrift_read_binary(r, &f);
            else if (f.id == 2)
                value = thrift_read_binary(r, &f);
            else
                thrift_skip(r, &f);
        }
        if (!r->failed && str_is(key, PQ_CHECKSUM_KEY))
            TRY(check_own(reader, value, footer, err));
        else if (!r->failed && str_is(key, PQ_BLOOMS_KEY) && reader->groups)
            give_bloom_crcs(reader, value);
    }
    return STATUS_OK;
}

enum status pq_footer_read(struct parquet_reader *reader, struct slice footer, struct error *err)
{
    struct thrift_reader r;
    struct thrift_field f = {0};
    int64_t rows = -1;
    thrift_reader_init(&r, footer);
    while (thrift_next_field(&r, &f)) {
        if (f.id == 2)
            TRY(pq_schema_read(reader, &r, &f, err));
        else if (f.id == 3)
            rows = thrift_read_int(&r, &f);
        else if (f.id == 4)
            TRY(read_groups(reader, &r, &f, err));
        else if (f.id == 5)
            TRY(read_key_values(reader, &r, &f, footer, err));
        else if (f.id == 8)
            return error_set(err, STATUS_NOT_IMPLEMENTED, "encrypted Parquet files are not read");
        else
            thrift_skip(&r, &f);
    }
    if (r.failed || !reader->leaves || !reader->groups)
        return pq_corrupt(err, "the footer does not parse");
    if (reader->own && rows != (int64_t)reader->rows) /* some writers leave 0 here */
        return pq_corrupt(err, "the footer says %lld rows, its row groups have %llu",
                          (long long)rows, (unsigned long long)reader->rows);
    return STATUS_OK;
}

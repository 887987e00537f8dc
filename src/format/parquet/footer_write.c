/* footer_write.c: FileMetaData, as parquet.thrift describes it. Both the older converted types and
 * the logical types are written, so that old readers know strings, dates and timestamps too.
 * TIMESTAMP(MICROS, isAdjustedToUTC=false) has no converted type. */
#include <stdio.h>

#include "format/parquet/thrift_int.h"
#include "format/parquet/writer_int.h"

enum pq_type pq_type_of(enum type type)
{
    switch (type) {
    case TYPE_BOOL:
        return PQ_BOOLEAN;
    case TYPE_DOUBLE:
        return PQ_DOUBLE;
    case TYPE_STRING:
    case TYPE_JSON:
        return PQ_BYTE_ARRAY;
    case TYPE_DATE:
        return PQ_INT32;
    default:
        return PQ_INT64;
    }
}

static void empty_struct(struct thrift_writer *w, int32_t id)
{
    thrift_begin_field(w, id);
    thrift_end(w);
}

static void logical_type(struct thrift_writer *w, enum type type)
{
    if (type != TYPE_STRING && type != TYPE_JSON && type != TYPE_DATE && type != TYPE_TIMESTAMP)
        return;
    thrift_begin_field(w, 10);
    if (type == TYPE_STRING)
        empty_struct(w, PQ_LOGICAL_STRING);
    else if (type == TYPE_JSON)
        empty_struct(w, PQ_LOGICAL_JSON);
    else if (type == TYPE_DATE)
        empty_struct(w, PQ_LOGICAL_DATE);
    if (type == TYPE_TIMESTAMP) {
        thrift_begin_field(w, PQ_LOGICAL_TIMESTAMP);
        thrift_bool(w, 1, false);
        thrift_begin_field(w, 2);
        empty_struct(w, PQ_MICROS);
        thrift_end(w);
        thrift_end(w);
    }
    thrift_end(w);
}

static void schema_leaf(struct thrift_writer *w, const struct field *field)
{
    thrift_begin(w);
    thrift_i32(w, 1, (int32_t)pq_type_of(field->type));
    thrift_i32(w, 3, PQ_OPTIONAL);
    thrift_binary(w, 4, field->name);
    if (field->type == TYPE_STRING)
        thrift_i32(w, 6, PQ_CONV_UTF8);
    else if (field->type == TYPE_JSON)
        thrift_i32(w, 6, PQ_CONV_JSON);
    else if (field->type == TYPE_DATE)
        thrift_i32(w, 6, PQ_CONV_DATE);
    if (field->id)
        thrift_i32(w, 9, field->id);
    logical_type(w, field->type);
    thrift_end(w);
}

static void schema(struct thrift_writer *w, const struct parquet_writer *writer)
{
    thrift_list(w, 2, THRIFT_STRUCT, writer->fields_len + 1);
    thrift_begin(w);
    thrift_binary(w, 4, STR("schema"));
    thrift_i32(w, 5, (int32_t)writer->fields_len);
    thrift_end(w);
    for (uint32_t i = 0; i < writer->fields_len; i++)
        schema_leaf(w, &writer->fields[i]);
}

static void statistics(struct thrift_writer *w, const struct chunk_record *record, enum type type)
{
    char room[8];
    thrift_begin_field(w, 12);
    thrift_i64(w, 3, (int64_t)record->nulls);
    if (record->bounds.present) {
        thrift_binary(w, 5, bound_bytes(&record->bounds.max, type, room));
        thrift_binary(w, 6, bound_bytes(&record->bounds.min, type, room));
        thrift_bool(w, 7, true);
        thrift_bool(w, 8, true);
    }
    thrift_end(w);
}

static void encoding_stats(struct thrift_writer *w, const struct chunk_record *record, bool v2)
{
    thrift_list(w, 13, THRIFT_STRUCT, record->dictionary ? 2 : 1);
    if (record->dictionary) {
        thrift_begin(w);
        thrift_i32(w, 1, PQ_DICTIONARY_PAGE);
        thrift_i32(w, 2, PQ_PLAIN);
        thrift_i32(w, 3, 1);
        thrift_end(w);
    }
    thrift_begin(w);
    thrift_i32(w, 1, v2 ? PQ_DATA_PAGE_V2 : PQ_DATA_PAGE);
    thrift_i32(w, 2, (int32_t)record->encoding);
    thrift_i32(w, 3, (int32_t)record->pages);
    thrift_end(w);
}

static int32_t codec_number(enum parquet_codec codec)
{
    static const int32_t numbers[] = {PQ_CODEC_NONE, PQ_CODEC_SNAPPY, PQ_CODEC_GZIP, PQ_CODEC_ZSTD,
                                      PQ_CODEC_LZ4_RAW};
    return numbers[codec];
}

static void column_meta(struct thrift_writer *w, const struct parquet_writer *writer,
                        const struct field *field, const struct chunk_record *record)
{
    thrift_begin_field(w, 3);
    thrift_i32(w, 1, (int32_t)pq_type_of(field->type));
    thrift_list(w, 2, THRIFT_I32, record->dictionary ? 3 : 2);
    thrift_list_int(w, record->dictionary ? PQ_PLAIN : (int32_t)record->encoding);
    thrift_list_int(w, PQ_RLE);
    if (record->dictionary)
        thrift_list_int(w, PQ_RLE_DICTIONARY);
    thrift_list(w, 3, THRIFT_BINARY, 1);
    thrift_list_binary(w, field->name);
    thrift_i32(w, 4, codec_number(writer->options.codec));
    thrift_i64(w, 5, (int64_t)record->values);
    thrift_i64(w, 6, (int64_t)record->uncompressed);
    thrift_i64(w, 7, (int64_t)record->compressed);
    thrift_i64(w, 9, (int64_t)record->data_offset);
    if (record->dictionary)
        thrift_i64(w, 11, (int64_t)record->dictionary_offset);
    statistics(w, record, field->type);
    encoding_stats(w, record, writer->options.page_v2);
    if (record->bloom_len) {
        thrift_i64(w, 14, (int64_t)record->bloom_offset);
        thrift_i32(w, 15, (int32_t)record->bloom_len);
    }
    thrift_end(w);
}

static void column_chunk(struct thrift_writer *w, const struct parquet_writer *writer,
                         const struct field *field, const struct chunk_record *record,
                         uint64_t index_start)
{
    uint64_t offset_start = index_start + writer->column_indexes.len;
    thrift_begin(w);
    thrift_i64(w, 2, 0); /* file_offset: "should be 0" since format 2.11 */
    column_meta(w, writer, field, record);
    thrift_i64(w, 4, (int64_t)(offset_start + record->offset_index_at));
    thrift_i32(w, 5, (int32_t)record->offset_index_len);
    if (record->column_index_len) {
        thrift_i64(w, 6, (int64_t)(index_start + record->column_index_at));
        thrift_i32(w, 7, (int32_t)record->column_index_len);
    }
    thrift_end(w);
}

static void sorting_columns(struct thrift_writer *w, const struct parquet_writer *writer)
{
    if (writer->options.sorting_len == 0)
        return;
    thrift_list(w, 4, THRIFT_STRUCT, writer->options.sorting_len);
    for (uint32_t i = 0; i < writer->options.sorting_len; i++) {
        const struct parquet_sorting *sorting = &writer->options.sorting[i];
        thrift_begin(w);
        thrift_i32(w, 1, (int32_t)sorting->field);
        thrift_bool(w, 2, sorting->descending);
        thrift_bool(w, 3, sorting->nulls_first);
        thrift_end(w);
    }
}

static void row_group(struct thrift_writer *w, const struct parquet_writer *writer,
                      const struct group_record *group, uint32_t ordinal, uint64_t index_start)
{
    uint64_t uncompressed = 0, compressed = 0;
    thrift_begin(w);
    thrift_list(w, 1, THRIFT_STRUCT, writer->fields_len);
    for (uint32_t i = 0; i < writer->fields_len; i++) {
        const struct chunk_record *record = &group->chunks[i];
        column_chunk(w, writer, &writer->fields[i], record, index_start);
        uncompressed += record->uncompressed;
        compressed += record->compressed;
    }
    thrift_i64(w, 2, (int64_t)uncompressed);
    thrift_i64(w, 3, (int64_t)group->rows);
    sorting_columns(w, writer);
    if (writer->fields_len) {
        const struct chunk_record *first = &group->chunks[0];
        thrift_i64(w, 5,
                   (int64_t)(first->dictionary ? first->dictionary_offset : first->data_offset));
    }
    thrift_i64(w, 6, (int64_t)compressed);
    if (ordinal <= INT16_MAX)
        thrift_i16(w, 7, (int16_t)ordinal);
    thrift_end(w);
}

/* One CRC a filter, 8 hex digits each. */
static void bloom_crcs(const struct parquet_writer *writer, struct buf *out)
{
    for (const struct group_record *group = writer->first_group; group; group = group->next)
        for (uint32_t i = 0; i < writer->fields_len; i++)
            if (group->chunks[i].bloom_len)
                buf_printf(out, "%08x", group->chunks[i].bloom_crc);
}

static void key_values(struct thrift_writer *w, const struct parquet_writer *writer,
                       uint64_t index_start, size_t *ret_crc_at)
{
    struct buf blooms;
    buf_init(&blooms, FOOTER_BYTES_MAX);
    bloom_crcs(writer, &blooms);
    char text[PQ_CHECKSUM_LEN + 1];
    (void)snprintf(text, sizeof text, "%016llx:00000000", (unsigned long long)index_start);
    thrift_list(w, 5, THRIFT_STRUCT, blooms.len ? 2 : 1);
    if (blooms.len) {
        thrift_begin(w);
        thrift_binary(w, 1, STR(PQ_BLOOMS_KEY));
        thrift_binary(w, 2, buf_str(&blooms));
        thrift_end(w);
    }
    if (blooms.failed) { /* as if the footer itself had found no room */
        w->out->failed = true;
        w->out->over_max = blooms.over_max;
    }
    buf_release(&blooms);
    thrift_begin(w);
    thrift_binary(w, 1, STR(PQ_CHECKSUM_KEY));
    thrift_binary(w, 2, str_make(text, PQ_CHECKSUM_LEN));
    *ret_crc_at = w->out->len - (PQ_CHECKSUM_LEN - PQ_CHECKSUM_CRC_AT);
    thrift_end(w);
}

void footer_write(const struct parquet_writer *writer, uint64_t index_start, struct buf *out,
                  size_t *ret_crc_at)
{
    struct thrift_writer w;
    thrift_writer_init(&w, out);
    thrift_begin(&w);
    thrift_i32(&w, 1, 2); /* version: RLE_DICTIONARY is of format 2 */
    schema(&w, writer);
    thrift_i64(&w, 3, (int64_t)writer->rows);
    thrift_list(&w, 4, THRIFT_STRUCT, writer->groups_len);
    uint32_t ordinal = 0;
    for (const struct group_record *group = writer->first_group; group; group = group->next)
        row_group(&w, writer, group, ordinal++, index_start);
    key_values(&w, writer, index_start, ret_crc_at);
    thrift_binary(&w, 6, writer->options.created_by);
    thrift_list(&w, 7, THRIFT_STRUCT, writer->fields_len);
    for (uint32_t i = 0; i < writer->fields_len; i++) {
        thrift_begin(&w);
        empty_struct(&w, 1); /* TypeDefinedOrder */
        thrift_end(&w);
    }
    thrift_end(&w);
}

/* writer_options.c: the writer's options: names of codecs, defaults, checks, own copies. */
#include "format/parquet/writer_int.h"

bool parquet_codec_parse(struct str name, enum parquet_codec *ret)
{
    static const struct {
        const char *name;
        enum parquet_codec codec;
    } names[] = {{"none", PARQUET_NONE},      {"uncompressed", PARQUET_NONE},
                 {"snappy", PARQUET_SNAPPY},  {"gzip", PARQUET_GZIP},
                 {"zstd", PARQUET_ZSTD},      {"lz4", PARQUET_LZ4_RAW},
                 {"lz4_raw", PARQUET_LZ4_RAW}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq_nocase(name, str_of(names[i].name))) {
            *ret = names[i].codec;
            return true;
        }
    }
    return false;
}

const char *parquet_codec_name(enum parquet_codec codec)
{
    return codec_name((enum codec)codec);
}

void pq_options_set(struct parquet_writer *writer, const struct parquet_write_options *options)
{
    struct parquet_write_options *o = &writer->options;
    *o = *options;
    if (o->row_group_rows == 0)
        o->row_group_rows = DEFAULT_ROW_GROUP_ROWS;
    if (o->row_group_rows > ROW_GROUP_ROWS_MAX)
        o->row_group_rows = ROW_GROUP_ROWS_MAX;
    if (o->page_rows == 0)
        o->page_rows = DEFAULT_PAGE_ROWS;
    if (o->page_rows > o->row_group_rows)
        o->page_rows = o->row_group_rows;
    o->page_rows = (o->page_rows + 7) & ~7u; /* a page's validity starts at a whole byte */
}

enum status pq_options_copy(struct parquet_writer *writer)
{
    struct parquet_write_options *o = &writer->options;
    struct parquet_sorting *sorting = arena_array(&writer->arena, o->sorting_len, sizeof *sorting);
    writer->has_bloom = arena_array(&writer->arena, writer->fields_len, sizeof *writer->has_bloom);
    if (!sorting || !writer->has_bloom)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < o->sorting_len; i++)
        sorting[i] = o->sorting[i];
    for (uint32_t i = 0; i < o->bloom_fields_len; i++)
        writer->has_bloom[o->bloom_fields[i]] = true;
    o->sorting = sorting;
    o->bloom_fields = NULL;
    return STATUS_OK;
}

enum status pq_options_check(const struct parquet_write_options *o, uint32_t fields_len,
                             struct error *err)
{
    bool good = o->sorting_len <= fields_len;
    for (uint32_t i = 0; good && i < o->sorting_len; i++)
        good = o->sorting[i].field < fields_len;
    for (uint32_t i = 0; good && i < o->bloom_fields_len; i++)
        good = o->bloom_fields[i] < fields_len;
    return good ? STATUS_OK
                : error_set(err, STATUS_INVALID_ARGUMENT,
                            "Parquet options name a column beyond the file's %u", fields_len);
}

/* roundtrip_test.c: what is written is read back: all types, codecs, null patterns, and sizes
 * around page and row group boundaries; statistics exact; ranges, single rows and codes against the
 * whole column. The model is a plain array of values that a small generator makes again on demand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "format/parquet/parquet.h"

enum { PAGE = 64, GROUP = 160, FIELDS = 9, WIDE = 8 };

enum nulls { NULLS_NONE, NULLS_SOME, NULLS_ALL };

static const struct field fields[FIELDS] = {
    {{"b", 1}, TYPE_BOOL, 1},       {{"i", 1}, TYPE_INT64, 2},    {{"d", 1}, TYPE_DOUBLE, 3},
    {{"s", 1}, TYPE_STRING, 4},     {{"j", 1}, TYPE_JSON, 5},     {{"date", 4}, TYPE_DATE, 6},
    {{"ts", 2}, TYPE_TIMESTAMP, 7}, {{"few", 3}, TYPE_STRING, 8}, {{"wide", 4}, TYPE_STRING, 9},
};

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static enum status sink(void *context, struct slice bytes, struct error *err)
{
    return buf_append(context, bytes.data, bytes.len) ? STATUS_OK
                                                      : error_set(err, STATUS_NO_MEMORY, "sink");
}

/* The value of a row; text of bytes goes to `text`. */
static struct value model(uint32_t column, uint32_t row, enum nulls nulls, char text[256])
{
    uint64_t x = mix((uint64_t)column << 32 | row);
    struct value value = {.type = fields[column].type};
    if (nulls == NULLS_ALL || (nulls == NULLS_SOME && x % 5 == 0)) {
        value.is_null = true;
        return value;
    }
    x >>= 8;
    int len = 0;
    switch (column) {
    case 0:
        value.boolean = x & 1;
        return value;
    case 1:
        value.int64 = x % 3 ? (int64_t)(x % 1000) - 500 : (int64_t)mix(x);
        return value;
    case 2:
        value.real = (double)(int64_t)(x % 100000) / 7 - 5000;
        return value;
    case 3:
        len = x % 7 == 0 ? 0 : snprintf(text, 256, "value %u \xC3\xA9", (unsigned)(x % 100000));
        break;
    case 4:
        len = snprintf(text, 256, "{\"a\":%u}", (unsigned)(x % 50));
        break;
    case 5:
        value.int64 = (int64_t)(x % 40000) - 20000;
        return value;
    case 6:
        value.int64 = (int64_t)(x % 2000000000000000);
        return value;
    case 7:
        len = snprintf(text, 256, "few%u", (unsigned)(x % 3));
        break;
    default:
        len = snprintf(text, 256, "%0*u", (int)(x % 200) + 1, (unsigned)(x % 1000));
    }
    value.bytes = str_make(text, (size_t)len);
    return value;
}

static struct batch *make_batch(uint32_t first, uint32_t rows, enum nulls nulls)
{
    struct batch *batch = batch_new();
    assert_non_null(batch);
    for (uint32_t c = 0; c < FIELDS; c++) {
        uint32_t index;
        assert_int_equal(batch_add_column(batch, fields[c].name, fields[c].type, &index),
                         STATUS_OK);
        for (uint32_t r = 0; r < rows; r++) {
            char text[256];
            struct value value = model(c, first + r, nulls, text);
            assert_int_equal(column_append_value(&batch->columns[index].column, &value), STATUS_OK);
        }
    }
    assert_int_equal(batch_set_rows(batch, rows), STATUS_OK);
    return batch;
}

static void write_file(struct buf *out, enum parquet_codec codec, uint32_t rows, enum nulls nulls,
                       struct parquet_file_stats *stats)
{
    struct error err = ERROR_INIT;
    struct parquet_writer *writer;
    struct parquet_write_options options = {
        .codec = codec, .row_group_rows = GROUP, .page_rows = PAGE, .created_by = STR("test")};
    buf_init(out, (size_t)1 << 30);
    assert_int_equal(parquet_writer_open(fields, FIELDS, &options, sink, out, &writer, &err),
                     STATUS_OK);
    for (uint32_t first = 0; first < rows;) { /* batches of uneven size */
        uint32_t n = 1 + (uint32_t)(mix(first) % 100);
        n = n < rows - first ? n : rows - first;
        struct batch *batch = make_batch(first, n, nulls);
        enum status status = parquet_writer_append(writer, batch, NULL, n, &err);
        if (status != STATUS_OK)
            print_error("%s\n", err.message);
        assert_int_equal(status, STATUS_OK);
        batch_unref(batch);
        first += n;
    }
    assert_int_equal(parquet_writer_finish(writer, stats, &err), STATUS_OK);
    parquet_writer_free(writer);
}

static void check_value(const struct column *column, uint32_t at, uint32_t c, uint32_t row,
                        enum nulls nulls)
{
    char text[256];
    struct value expect = model(c, row, nulls, text);
    struct value got = value_of_column(column, at);
    assert_int_equal(got.is_null, expect.is_null);
    if (!expect.is_null && value_compare(&got, &expect) != 0)
        fail_msg("column %u row %u differs", c, row);
}

static struct parquet_reader *open_file(const struct buf *file)
{
    struct parquet_reader *reader = NULL;
    struct error err = ERROR_INIT;
    enum status status = parquet_reader_open((struct slice){file->data, file->len}, &reader, &err);
    if (status != STATUS_OK)
        fail_msg("%s", err.message);
    return reader;
}

static void read_all(struct parquet_reader *reader, uint32_t c, struct column *column)
{
    struct error err = ERROR_INIT;
    column_init(column, fields[c].type);
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
        enum status status =
            parquet_read_column(reader, g, c, 0, parquet_row_group_rows(reader, g), column, &err);
        if (status != STATUS_OK)
            fail_msg("column %u group %u: %s %s", c, g, err.message, err.cause);
    }
}

static void check_ranges(struct parquet_reader *reader, uint32_t c, enum nulls nulls)
{
    uint32_t base = 0;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
        uint32_t rows = (uint32_t)parquet_row_group_rows(reader, g);
        for (uint32_t try = 0; try < 12; try++) {
            uint32_t first = (uint32_t)(mix(try * 31 + c) % (rows + 1));
            uint32_t count = (uint32_t)(mix(try * 17 + c + 5) % (rows - first + 1));
            struct column column;
            column_init(&column, fields[c].type);
            assert_int_equal(parquet_read_column(reader, g, c, first, count, &column, NULL),
                             STATUS_OK);
            assert_int_equal(column.rows, count);
            for (uint32_t i = 0; i < count; i++)
                check_value(&column, i, c, base + first + i, nulls);
            column_release(&column);
        }
        base += rows;
    }
}

static void check_rows(struct parquet_reader *reader, uint32_t c, uint32_t rows, enum nulls nulls)
{
    uint64_t wanted[512];
    uint32_t n = 0;
    for (uint32_t row = 0; row < rows && n < 512; row += 1 + (uint32_t)(mix(row + c) % 20))
        wanted[n++] = row;
    struct column column;
    column_init(&column, fields[c].type);
    assert_int_equal(parquet_read_rows(reader, c, wanted, n, &column, NULL), STATUS_OK);
    assert_int_equal(column.rows, n);
    for (uint32_t i = 0; i < n; i++)
        check_value(&column, i, c, (uint32_t)wanted[i], nulls);
    column_release(&column);
    uint64_t beyond = rows;
    column_init(&column, fields[c].type);
    assert_int_equal(parquet_read_rows(reader, c, &beyond, 1, &column, NULL),
                     STATUS_INVALID_ARGUMENT);
    column_release(&column);
}

static void check_codes(struct parquet_reader *reader, uint32_t c, enum nulls nulls)
{
    uint32_t base = 0;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
        const struct column *dictionary;
        uint32_t rows = (uint32_t)parquet_row_group_rows(reader, g);
        assert_int_equal(parquet_chunk_dictionary(reader, g, c, &dictionary, NULL), STATUS_OK);
        if (dictionary) {
            uint32_t codes[GROUP];
            assert_int_equal(parquet_read_codes(reader, g, c, 0, rows, codes, NULL), STATUS_OK);
            for (uint32_t i = 0; i < rows; i++) {
                char text[256];
                bool is_null = model(c, base + i, nulls, text).is_null;
                assert_int_equal(codes[i] == PARQUET_CODE_NULL, is_null);
                if (!is_null)
                    check_value(dictionary, codes[i], c, base + i, nulls);
            }
        } else if (fields[c].type != TYPE_BOOL) { /* only a chunk of nulls has none */
            for (uint32_t i = 0; i < rows; i++) {
                char text[256];
                assert_true(model(c, base + i, nulls, text).is_null);
            }
        }
        parquet_group_done(reader, g);
        base += rows;
    }
}

/* Smallest, largest, nulls of rows [first, first + count) by the model. */
static void check_bounds(uint32_t c, uint32_t first, uint32_t count, enum nulls nulls, bool has,
                         const struct value *min, const struct value *max, uint64_t null_count)
{
    char least[256], most[256], text[256];
    struct value low = {.is_null = true}, high = {.is_null = true};
    uint64_t n = 0;
    for (uint32_t row = first; row < first + count; row++) {
        struct value value = model(c, row, nulls, text);
        n += value.is_null;
        if (value.is_null)
            continue;
        if (low.is_null || value_compare(&value, &low) < 0) {
            low = value;
            if (type_is_bytes(value.type))
                low.bytes.data = memcpy(least, text, value.bytes.len);
        }
        if (high.is_null || value_compare(&value, &high) > 0) {
            high = value;
            if (type_is_bytes(value.type))
                high.bytes.data = memcpy(most, text, value.bytes.len);
        }
    }
    assert_int_equal(null_count, n);
    bool expect = !low.is_null && fields[c].type != TYPE_JSON;
    if (expect && fields[c].type == TYPE_STRING)
        expect = low.bytes.len <= PARQUET_BOUND_MAX && high.bytes.len <= PARQUET_BOUND_MAX;
    if (c == WIDE && !has) /* some page may have had a long bound */
        return;
    assert_int_equal(has, expect);
    if (!expect)
        return;
    assert_int_equal(value_compare(min, &low), 0);
    assert_int_equal(value_compare(max, &high), 0);
}

static void check_stats(struct parquet_reader *reader, const struct parquet_file_stats *stats,
                        uint32_t c, uint32_t rows, enum nulls nulls)
{
    const struct parquet_column_stats *s = &stats->columns[c];
    assert_int_equal(s->values, rows);
    check_bounds(c, 0, rows, nulls, s->has_bounds, &s->min, &s->max, s->nulls);
    uint32_t base = 0;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
        uint32_t group_rows = (uint32_t)parquet_row_group_rows(reader, g);
        struct value min, max;
        uint64_t null_count = UINT64_MAX;
        bool has = parquet_reader_bounds(reader, g, c, &min, &max, &null_count);
        check_bounds(c, base, group_rows, nulls, has, &min, &max, null_count);
        uint32_t pages;
        assert_int_equal(parquet_pages(reader, g, c, &pages, NULL), STATUS_OK);
        assert_int_equal(pages, (group_rows + PAGE - 1) / PAGE);
        for (uint32_t p = 0; p < pages; p++) {
            struct parquet_page_info info;
            parquet_page(reader, g, c, p, &info);
            assert_int_equal(info.first_row, p * PAGE);
            if (info.has_nulls_count)
                check_bounds(c, base + p * PAGE, (uint32_t)info.rows, nulls, info.has_bounds,
                             &info.min, &info.max, info.nulls);
        }
        base += group_rows;
    }
}

static void check_file(enum parquet_codec codec, uint32_t rows, enum nulls nulls)
{
    struct buf file;
    struct parquet_file_stats stats;
    write_file(&file, codec, rows, nulls, &stats);
    assert_int_equal(stats.rows, rows);
    assert_int_equal(stats.bytes, file.len);
    assert_int_equal(stats.columns_len, FIELDS);
    struct parquet_reader *reader = open_file(&file);
    assert_true(parquet_reader_is_own(reader));
    assert_int_equal(parquet_reader_rows(reader), rows);
    assert_int_equal(parquet_reader_row_groups(reader), (rows + GROUP - 1) / GROUP);
    assert_int_equal(stats.row_groups, parquet_reader_row_groups(reader));
    uint32_t len;
    const struct field *got = parquet_reader_fields(reader, &len);
    assert_int_equal(len, FIELDS);
    for (uint32_t c = 0; c < FIELDS; c++) {
        assert_true(str_eq(got[c].name, fields[c].name));
        assert_int_equal(got[c].type, fields[c].type);
        assert_int_equal(got[c].id, fields[c].id);
        struct column column;
        read_all(reader, c, &column);
        assert_int_equal(column.rows, rows);
        for (uint32_t row = 0; row < rows; row++)
            check_value(&column, row, c, row, nulls);
        column_release(&column);
        check_ranges(reader, c, nulls);
        check_rows(reader, c, rows, nulls);
        check_codes(reader, c, nulls);
        check_stats(reader, &stats, c, rows, nulls);
    }
    parquet_reader_free(reader);
    parquet_file_stats_release(&stats);
    buf_release(&file);
}

static void test_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0,
                                     1,
                                     7,
                                     8,
                                     9,
                                     PAGE - 1,
                                     PAGE,
                                     PAGE + 1,
                                     GROUP - 1,
                                     GROUP,
                                     GROUP + 1,
                                     2 * GROUP,
                                     2 * GROUP + PAGE + 1,
                                     1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (enum nulls nulls = NULLS_NONE; nulls <= NULLS_ALL; nulls++)
            check_file(PARQUET_SNAPPY, sizes[i], nulls);
}

static void test_codecs(void **state)
{
    (void)state;
    for (enum parquet_codec codec = PARQUET_NONE; codec <= PARQUET_LZ4_RAW; codec++)
        for (enum nulls nulls = NULLS_NONE; nulls <= NULLS_ALL; nulls++)
            check_file(codec, 700, nulls);
}

static void test_codec_names(void **state)
{
    (void)state;
    enum parquet_codec codec;
    assert_true(parquet_codec_parse(STR("LZ4"), &codec));
    assert_int_equal(codec, PARQUET_LZ4_RAW);
    assert_true(parquet_codec_parse(STR("uncompressed"), &codec));
    assert_int_equal(codec, PARQUET_NONE);
    assert_false(parquet_codec_parse(STR("brotli"), &codec));
    for (codec = PARQUET_NONE; codec <= PARQUET_LZ4_RAW; codec++) {
        enum parquet_codec again;
        assert_true(parquet_codec_parse(str_of(parquet_codec_name(codec)), &again));
        assert_int_equal(again, codec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_codecs),
        cmocka_unit_test(test_codec_names),
    };
    return cmocka_run_group_tests_name("parquet roundtrip", tests, NULL, NULL);
}

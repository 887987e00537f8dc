/* nested_test.c: two small files that DuckDB wrote (in the fuzz target's corpus), every value:
 * lists of lists, structs, maps, decimals, times, UUIDs, intervals; V1 and V2 pages. Rows forwards,
 * backwards, in parts and by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/parquet/parquet.h"

static struct buf load(const char *name)
{
    struct buf file;
    char path[600], block[4096];
    buf_init(&file, 1 << 20);
    (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/parquet_reader/%s", QUARRY_SOURCE_DIR,
                   name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    for (size_t n = fread(block, 1, sizeof block, in); n; n = fread(block, 1, sizeof block, in))
        assert_true(buf_append(&file, block, n));
    assert_int_equal(fclose(in), 0);
    return file;
}

static struct parquet_reader *open_file(const struct buf *file, uint32_t rows)
{
    struct parquet_reader *reader = NULL;
    assert_int_equal(parquet_reader_open((struct slice){file->data, file->len}, &reader, NULL), 0);
    assert_int_equal(parquet_reader_rows(reader), rows);
    assert_int_equal(parquet_reader_row_groups(reader), 1);
    return reader;
}

/* The text of column c of row `row` of duckdb_v1.parquet; "" for the UUID. */
static void make_v1(uint32_t c, uint32_t row, char text[200])
{
    static const char *const fixed[] = {"01:02:03.000000", "", "P1M0DT0.000S"};
    if (c == 0)
        (void)snprintf(text, 200, "[[%u],[]]", row);
    else if (c == 1)
        (void)snprintf(text, 200, "{\"p\":%u,\"q\":[{\"u\":\"z%u\"}]}", row, row);
    else if (c == 2)
        (void)snprintf(text, 200, "{\"%u\":[%u]}", row, row);
    else
        (void)snprintf(text, 200, "%s", fixed[c - 3]);
}

static void check(const struct column *column, uint32_t at, uint32_t c, uint32_t row)
{
    char text[200];
    struct str got = column_str(column, at);
    make_v1(c, row, text);
    if (text[0] == 0)
        assert_true(got.len == 36 && got.data[8] == '-' && got.data[23] == '-');
    else if (!str_is(got, text))
        fail_msg("column %u row %u: %.*s instead of %s", c, row, STR_ARG(got), text);
}

static void test_values(void **state)
{
    (void)state;
    enum { ROWS = 20 };
    struct buf file = load("duckdb_v1.parquet");
    struct parquet_reader *reader = open_file(&file, ROWS);
    uint32_t len;
    const struct field *fields = parquet_reader_fields(reader, &len);
    assert_int_equal(len, 6);
    for (uint32_t c = 0; c < len; c++) {
        struct column column;
        assert_int_equal(fields[c].type, c < 3 ? TYPE_JSON : TYPE_STRING);
        column_init(&column, fields[c].type);
        /* on, on, back, inside */
        static const uint32_t parts[][2] = {{0, 7}, {7, 13}, {0, 20}, {5, 3}, {19, 1}, {20, 0}};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            uint32_t before = column.rows;
            assert_int_equal(
                parquet_read_column(reader, 0, c, parts[i][0], parts[i][1], &column, NULL), 0);
            assert_int_equal(column.rows, before + parts[i][1]);
            for (uint32_t row = 0; row < parts[i][1]; row++)
                check(&column, before + row, c, parts[i][0] + row);
        }
        column_truncate(&column, 0);
        const uint64_t wanted[] = {1, 2, 2, 11, 19};
        assert_int_equal(parquet_read_rows(reader, c, wanted, 5, &column, NULL), 0);
        for (uint32_t i = 0; i < 5; i++)
            check(&column, i, c, (uint32_t)wanted[i]);
        assert_int_equal(parquet_read_column(reader, 0, c, 19, 2, &column, NULL),
                         STATUS_INVALID_ARGUMENT);
        assert_int_equal(column.rows, 5);
        column_release(&column);
    }
    parquet_reader_free(reader);
    buf_release(&file);
}

/* What a nested column has not, and into what it does not go. */
static void test_limits_of_nested(void **state)
{
    (void)state;
    struct buf file = load("duckdb_v1.parquet");
    struct parquet_reader *reader = open_file(&file, 20);
    struct value min, max, seven = {.type = TYPE_JSON, .bytes = STR("7")};
    uint64_t nulls;
    uint32_t pages = 9;
    const struct column *dictionary;
    struct column column;
    assert_false(parquet_reader_bounds(reader, 0, 0, &min, &max, &nulls));
    assert_int_equal(parquet_pages(reader, 0, 0, &pages, NULL), 0);
    assert_int_equal(pages, 0);
    assert_int_equal(parquet_chunk_dictionary(reader, 0, 0, &dictionary, NULL), 0);
    assert_null(dictionary);
    assert_true(parquet_bloom_check(reader, 0, 0, &seven));
    column_init(&column, TYPE_STRING);
    assert_int_equal(parquet_read_column(reader, 0, 0, 0, 1, &column, NULL), STATUS_SCHEMA);
    column_release(&column);
    parquet_reader_free(reader);
    buf_release(&file);
}

static void check_text(struct parquet_reader *reader, uint32_t c, uint32_t row, const char *expect)
{
    struct column column;
    uint32_t len;
    column_init(&column, parquet_reader_fields(reader, &len)[c].type);
    assert_int_equal(parquet_read_column(reader, 0, c, row, 1, &column, NULL), 0);
    struct buf text;
    struct json_writer w;
    buf_init(&text, 1 << 16);
    json_writer_init(&w, &text);
    column_write_json(&w, &column, 0);
    if (!str_is(buf_str(&text), expect))
        fail_msg("column %u: %.*s instead of %s", c, STR_ARG(buf_str(&text)), expect);
    buf_release(&text);
    column_release(&column);
}

static void test_v2_encodings(void **state)
{
    (void)state;
    struct buf file = load("duckdb_v2.parquet");
    struct parquet_reader *reader = open_file(&file, 40);
    static const char *const expect[] = {"31",
                                         "10.333333333333334",
                                         "\"xx31\"",
                                         "[31,null]",
                                         "{\"p\":31,\"q\":[\"z31\"]}",
                                         "{\"k\":31}",
                                         "4.4286",
                                         "false"};
    for (uint32_t c = 0; c < 8; c++)
        check_text(reader, c, 31, expect[c]);
    parquet_reader_free(reader);
    buf_release(&file);
}

/* A map whose repeated group has no fields: a fault of old, found by the fuzz target. */
static void test_empty_map_group(void **state)
{
    (void)state;
    struct buf file = load("empty_map_group.parquet");
    struct parquet_reader *reader = NULL;
    if (parquet_reader_open((struct slice){file.data, file.len}, &reader, NULL) == STATUS_OK)
        parquet_reader_free(reader);
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_limits_of_nested),
        cmocka_unit_test(test_v2_encodings),
        cmocka_unit_test(test_empty_map_group),
    };
    return cmocka_run_group_tests_name("parquet nested", tests, NULL, NULL);
}

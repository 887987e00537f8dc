/* dictionary_test.c: when the writer keeps a dictionary and when it gives it up: at the first look,
 * at the second, at the limit of entries, of bytes, late in a row group; and that the values are
 * right in each case. Also the selection by row numbers and widening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/parquet/parquet.h"

enum { ROWS = 120000 };

static enum status sink(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return buf_append(context, bytes.data, bytes.len) ? STATUS_OK : STATUS_NO_MEMORY;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u + 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* Number of the distinct value of a row, by kind of column. */
enum kind { FEW, UNIQUE, DOMAIN_50K, LATE_UNIQUE, SLOWLY_MANY, LONG, KINDS };

static uint64_t number_of(enum kind kind, uint32_t row)
{
    switch (kind) {
    case FEW:
        return mix(row) % 100;
    case UNIQUE:
        return mix(row);
    case DOMAIN_50K: /* over 61 % distinct at the second look */
        return mix(row) % 50000;
    case LATE_UNIQUE:
        return row < 30000 ? row % 10 : mix(row);
    case SLOWLY_MANY: /* 1 in 2 new, to over 2^16 entries only in a group of more rows */
        return row % 2 ? row : 0;
    default:
        return mix(row) % 3000;
    }
}

static struct value value_of(enum kind kind, enum type type, uint32_t row, char text[600])
{
    uint64_t n = number_of(kind, row);
    struct value value = {.type = type, .is_null = row % 13 == 5};
    if (type == TYPE_INT64) {
        value.int64 = (int64_t)n;
    } else { /* 3000 values of over 500 bytes are more than 1 MiB */
        int len = snprintf(text, 600, "%0*llx", kind == LONG ? 520 : 1, (unsigned long long)n);
        value.bytes = str_make(text, (size_t)len);
    }
    return value;
}

static void check(enum kind kind, enum type type, bool expect_dictionary)
{
    struct field field = {STR("v"), type, 1};
    struct batch *batch = batch_new();
    uint32_t index;
    char text[600];
    assert_int_equal(batch_add_column(batch, field.name, type, &index), 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct value value = value_of(kind, type, row, text);
        assert_int_equal(column_append_value(&batch->columns[0].column, &value), 0);
    }
    assert_int_equal(batch_set_rows(batch, ROWS), 0);
    struct buf file;
    struct parquet_writer *writer;
    struct parquet_write_options options = {.codec = PARQUET_SNAPPY, .created_by = STR("t")};
    buf_init(&file, (size_t)1 << 30);
    assert_int_equal(parquet_writer_open(&field, 1, &options, sink, &file, &writer, NULL), 0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, ROWS, NULL), 0);
    assert_int_equal(parquet_writer_finish(writer, NULL, NULL), 0);
    parquet_writer_free(writer);

    struct parquet_reader *reader;
    const struct column *dictionary;
    assert_int_equal(parquet_reader_open((struct slice){file.data, file.len}, &reader, NULL), 0);
    assert_int_equal(parquet_chunk_dictionary(reader, 0, 0, &dictionary, NULL), 0);
    assert_int_equal(dictionary != NULL, expect_dictionary);
    struct column column;
    column_init(&column, type);
    assert_int_equal(parquet_read_column(reader, 0, 0, 0, ROWS, &column, NULL), 0);
    assert_int_equal(column.rows, ROWS);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct value expect = value_of(kind, type, row, text);
        struct value got = value_of_column(&column, row);
        if (got.is_null != expect.is_null || (!got.is_null && value_compare(&got, &expect)))
            fail_msg("kind %d type %s row %u differs", kind, type_name(type), row);
    }
    column_release(&column);
    parquet_reader_free(reader);
    buf_release(&file);
    batch_unref(batch);
}

static void test_choice(void **state)
{
    (void)state;
    check(FEW, TYPE_INT64, true);
    check(FEW, TYPE_STRING, true);
    check(UNIQUE, TYPE_INT64, false);
    check(UNIQUE, TYPE_STRING, false);
    check(DOMAIN_50K, TYPE_INT64, false);
    check(DOMAIN_50K, TYPE_STRING, false);
    check(LATE_UNIQUE, TYPE_INT64, false);
    check(LATE_UNIQUE, TYPE_STRING, false);
    check(SLOWLY_MANY, TYPE_INT64, true);
    check(LONG, TYPE_STRING, false);
}

static void test_order_and_widening(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct field fields[3] = {
        {STR("d"), TYPE_DOUBLE, 1}, {STR("t"), TYPE_TIMESTAMP, 2}, {STR("absent"), TYPE_JSON, 3}};
    struct batch *batch = batch_new();
    uint32_t index, order[N];
    assert_int_equal(batch_add_column(batch, STR("t"), TYPE_DATE, &index), 0);
    assert_int_equal(batch_add_column(batch, STR("d"), TYPE_INT64, &index), 0);
    for (uint32_t row = 0; row < N; row++) {
        assert_int_equal(column_append_date(&batch->columns[0].column, (int32_t)row - 500), 0);
        assert_int_equal(column_append_int64(&batch->columns[1].column, row * 3), 0);
        order[row] = N - 1 - row;
    }
    assert_int_equal(batch_set_rows(batch, N), 0);
    struct buf file;
    struct parquet_writer *writer;
    struct parquet_write_options options = {.codec = PARQUET_ZSTD, .created_by = STR("t")};
    buf_init(&file, 1 << 26);
    assert_int_equal(parquet_writer_open(fields, 3, &options, sink, &file, &writer, NULL), 0);
    assert_int_equal(parquet_writer_append(writer, batch, order, N, NULL), 0);
    assert_int_equal(parquet_writer_finish(writer, NULL, NULL), 0);
    parquet_writer_free(writer);

    struct parquet_reader *reader;
    struct column column;
    assert_int_equal(parquet_reader_open((struct slice){file.data, file.len}, &reader, NULL), 0);
    column_init(&column, TYPE_DOUBLE);
    assert_int_equal(parquet_read_column(reader, 0, 0, 0, N, &column, NULL), 0);
    for (uint32_t row = 0; row < N; row++)
        assert_true(column_double(&column, row) == (double)((N - 1 - row) * 3));
    column_release(&column);
    column_init(&column, TYPE_TIMESTAMP);
    assert_int_equal(parquet_read_column(reader, 0, 1, 0, N, &column, NULL), 0);
    for (uint32_t row = 0; row < N; row++)
        assert_int_equal(column_int64(&column, row),
                         ((int64_t)(N - 1 - row) - 500) * 86400 * 1000000);
    /* of another type: refused, and the column stays as it is */
    assert_int_equal(parquet_read_column(reader, 0, 0, 0, N, &column, NULL), STATUS_SCHEMA);
    assert_int_equal(column.rows, N);
    column_release(&column);
    column_init(&column, TYPE_JSON);
    assert_int_equal(parquet_read_column(reader, 0, 2, 10, 100, &column, NULL), 0);
    assert_int_equal(column.nulls, 100);
    column_release(&column);
    parquet_reader_free(reader);
    buf_release(&file);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_choice),
                                       cmocka_unit_test(test_order_and_widening)};
    return cmocka_run_group_tests_name("parquet dictionary", tests, NULL, NULL);
}

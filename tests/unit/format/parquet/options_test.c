/* options_test.c: what the writer does when it is asked to: bloom filters (no false "no", few false
 * "maybe", damage is never believed), delta encodings, split doubles, V2 pages, sorting columns,
 * page sizes. Each is read back value by value, and every flipped bit of such files is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/parquet/parquet.h"

enum { FIELDS = 9 };

static const struct field fields[FIELDS] = {
    {{"serial", 6}, TYPE_INT64, 1}, {{"moment", 6}, TYPE_TIMESTAMP, 2},
    {{"day", 3}, TYPE_DATE, 3},     {{"random", 6}, TYPE_INT64, 4},
    {{"short", 5}, TYPE_STRING, 5}, {{"long", 4}, TYPE_STRING, 6},
    {{"real", 4}, TYPE_DOUBLE, 7},  {{"few", 3}, TYPE_STRING, 8},
    {{"price", 5}, TYPE_DOUBLE, 9}};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u + 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static enum status sink(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return buf_append(context, bytes.data, bytes.len) ? STATUS_OK : STATUS_NO_MEMORY;
}

static struct value make_value(uint32_t c, uint32_t row, char text[100])
{
    uint64_t x = mix((uint64_t)row << 8 | c);
    struct value value = {.type = fields[c].type, .is_null = c > 1 && x % 13 == 0};
    int len = 0;
    switch (c) {
    case 0:
        value.int64 = (int64_t)row * 3 - 1000;
        break;
    case 1:
        value.int64 = 1700000000000000 + (int64_t)row * 250000 + (int64_t)(x % 1000);
        break;
    case 2: /* steps of over 31 bits now and then */
        value.int64 = row % 500 == 499 ? INT32_MAX : row % 500 == 498 ? INT32_MIN : (int64_t)row;
        break;
    case 3:
        value.int64 = row % 1000 == 0 ? (x & 1 ? INT64_MIN : INT64_MAX) : (int64_t)x;
        break;
    case 4:
        len = snprintf(text, 100, "%x", (unsigned)(x >> 40));
        break;
    case 5:
        len = snprintf(text, 100, "%llx-%llx-%llx", (unsigned long long)x,
                       (unsigned long long)mix(x), (unsigned long long)mix(x + 1));
        break;
    case 6:
        value.real = row % 100 == 0 ? -0.0 : (double)(int64_t)x / 1024;
        break;
    case 8: /* nearly all distinct, with equal bytes at both ends */
        value.real = (double)(row * 7 + x % 7) / 4;
        break;
    default:
        len = snprintf(text, 100, "kind %u", (unsigned)(x >> 20) % 5);
    }
    if (type_is_bytes(value.type))
        value.bytes = str_make(text, (size_t)len);
    return value;
}

static void write_file(const struct parquet_write_options *options, uint32_t rows, struct buf *out)
{
    struct batch *batch = batch_new();
    struct parquet_writer *writer;
    struct error err = ERROR_INIT;
    char text[100];
    for (uint32_t c = 0; c < FIELDS; c++) {
        uint32_t index;
        assert_int_equal(batch_add_column(batch, fields[c].name, fields[c].type, &index), 0);
        for (uint32_t row = 0; row < rows; row++) {
            struct value value = make_value(c, row, text);
            assert_int_equal(column_append_value(&batch->columns[index].column, &value), 0);
        }
    }
    assert_int_equal(batch_set_rows(batch, rows), 0);
    buf_init(out, (size_t)1 << 30);
    assert_int_equal(parquet_writer_open(fields, FIELDS, options, sink, out, &writer, &err), 0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, rows, &err), 0);
    assert_int_equal(parquet_writer_finish(writer, NULL, &err), 0);
    parquet_writer_free(writer);
    batch_unref(batch);
}

/* True when all of it is right; false when something was refused; fails on a wrong value. */
static bool reads_right(const struct buf *file, uint32_t rows)
{
    struct parquet_reader *reader = NULL;
    char text[100];
    if (parquet_reader_open((struct slice){file->data, file->len}, &reader, NULL) != STATUS_OK)
        return false;
    bool good = parquet_reader_is_own(reader);
    for (uint32_t c = 0; good && c < FIELDS; c++) {
        struct column column;
        column_init(&column, fields[c].type);
        for (uint32_t g = 0; good && g < parquet_reader_row_groups(reader); g++)
            good = parquet_read_column(reader, g, c, 0, parquet_row_group_rows(reader, g), &column,
                                       NULL) == STATUS_OK;
        assert_true(!good || column.rows == rows);
        for (uint32_t row = 0; good && row < rows; row++) {
            struct value expect = make_value(c, row, text), got = value_of_column(&column, row);
            if (got.is_null != expect.is_null || (!got.is_null && value_compare(&got, &expect)))
                fail_msg("column %u row %u differs", c, row);
        }
        column_release(&column);
    }
    parquet_reader_free(reader);
    return good;
}

static void test_encodings(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 33, 129, 130, 1000, 30000};
    for (int variant = 0; variant < 8; variant++) {
        struct parquet_write_options options = {.created_by = STR("t"),
                                                .codec =
                                                    variant & 4 ? PARQUET_SNAPPY : PARQUET_NONE,
                                                .row_group_rows = 20000,
                                                .page_rows = 512,
                                                .allow_delta = variant & 1,
                                                .page_v2 = variant & 2};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct buf file;
            write_file(&options, sizes[i], &file);
            assert_true(reads_right(&file, sizes[i]));
            buf_release(&file);
        }
    }
}

static void test_delta_is_smaller(void **state)
{
    (void)state;
    struct parquet_write_options options = {.created_by = STR("t"), .codec = PARQUET_SNAPPY};
    struct buf plain, delta;
    write_file(&options, 30000, &plain);
    options.allow_delta = true;
    write_file(&options, 30000, &delta);
    assert_true(delta.len + 2 * 30000 * 4 + 30000 < plain.len);
    buf_release(&plain);
    buf_release(&delta);
}

static void test_flips(void **state)
{
    (void)state;
    enum { ROWS = 60 };
    for (int variant = 0; variant < 2; variant++) {
        const uint32_t blooms[] = {0, 4};
        const struct parquet_sorting sorting[] = {{.field = 0}, {1, true, true}};
        struct parquet_write_options options = {.created_by = STR("t"),
                                                .codec = variant ? PARQUET_SNAPPY : PARQUET_NONE,
                                                .row_group_rows = 40,
                                                .page_rows = 32,
                                                .allow_delta = true,
                                                .page_v2 = true,
                                                .bloom_fields = blooms,
                                                .bloom_fields_len = 2,
                                                .sorting = sorting,
                                                .sorting_len = 2};
        struct buf file;
        write_file(&options, ROWS, &file);
        assert_true(reads_right(&file, ROWS));
        uint32_t unseen = 0; /* only the filters are not read here */
        for (size_t at = 0; at < file.len; at++) {
            static const unsigned char masks[] = {0x01, 0x10, 0x80};
            bool seen = true;
            for (size_t m = 0; m < sizeof masks; m++) {
                file.data[at] = (char)(file.data[at] ^ masks[m]);
                seen = !reads_right(&file, ROWS) && seen;
                file.data[at] = (char)(file.data[at] ^ masks[m]);
            }
            unseen += !seen;
        }
        assert_true(unseen > 0 && unseen <= 2 * (128 + 17) + 2 * (64 + 17));
        buf_release(&file);
    }
}

/* Of all values of a column: each is "maybe" in its row group; others are mostly "no". */
static void check_bloom(struct parquet_reader *reader, uint32_t c, uint32_t rows, uint32_t group)
{
    char text[100];
    uint32_t maybe = 0;
    for (uint32_t row = 0; row < rows; row++) {
        struct value value = make_value(c, row, text);
        if (!parquet_bloom_check(reader, row / group, c, &value))
            fail_msg("column %u row %u is denied", c, row);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        struct value value = {.type = fields[c].type};
        int len = snprintf(text, 100, "absent %u", i);
        if (type_is_bytes(value.type))
            value.bytes = str_make(text, (size_t)len);
        else if (value.type == TYPE_DOUBLE)
            value.real = i + 0.3;
        else
            value.int64 = (int64_t)mix(i) | (int64_t)1 << 40;
        maybe += parquet_bloom_check(reader, 0, c, &value);
    }
    if (maybe > 200) /* 1 in 100 is planned */
        fail_msg("column %u: %u of 10000 absent values may be there", c, maybe);
}

static void test_bloom(void **state)
{
    (void)state;
    enum { ROWS = 25000, GROUP = 10000 };
    const uint32_t blooms[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    struct parquet_write_options options = {.created_by = STR("t"),
                                            .codec = PARQUET_ZSTD,
                                            .row_group_rows = GROUP,
                                            .bloom_fields = blooms,
                                            .bloom_fields_len = FIELDS};
    struct buf file;
    struct parquet_reader *reader;
    write_file(&options, ROWS, &file);
    assert_int_equal(parquet_reader_open((struct slice){file.data, file.len}, &reader, NULL), 0);
    for (uint32_t c = 0; c < FIELDS; c++)
        check_bloom(reader, c, ROWS, GROUP);
    struct value zero = {.type = TYPE_DOUBLE, .real = 0.0};
    struct value whole = {.type = TYPE_INT64, .int64 = 0};
    struct value text = {.type = TYPE_STRING, .bytes = STR("x")};
    struct value null = {.type = TYPE_DOUBLE, .is_null = true};
    assert_true(parquet_bloom_check(reader, 0, 6, &zero)); /* it holds -0.0 */
    assert_true(parquet_bloom_check(reader, 0, 6, &whole));
    assert_true(parquet_bloom_check(reader, 0, 6, &text)); /* no such question */
    assert_true(parquet_bloom_check(reader, 0, 6, &null));
    assert_true(parquet_bloom_check(reader, 9, 6, &zero));
    assert_true(parquet_bloom_check(reader, 0, 99, &zero));
    parquet_reader_free(reader);
    buf_release(&file);
    uint32_t beyond = FIELDS;
    struct parquet_writer *writer;
    options.bloom_fields = &beyond;
    options.bloom_fields_len = 1;
    assert_int_equal(parquet_writer_open(fields, FIELDS, &options, sink, &file, &writer, NULL),
                     STATUS_INVALID_ARGUMENT);
}

/* A damaged filter never denies a value that is there. */
static void test_bloom_damage(void **state)
{
    (void)state;
    enum { ROWS = 50 };
    const uint32_t blooms[] = {0};
    struct parquet_write_options options = {
        .created_by = STR("t"), .bloom_fields = blooms, .bloom_fields_len = 1};
    struct buf file;
    char text[100];
    write_file(&options, ROWS, &file);
    for (size_t at = 0; at < file.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct parquet_reader *reader;
            file.data[at] = (char)(file.data[at] ^ 1 << bit);
            if (parquet_reader_open((struct slice){file.data, file.len}, &reader, NULL) == 0) {
                for (uint32_t row = 0; parquet_reader_is_own(reader) && row < ROWS; row++) {
                    struct value value = make_value(0, row, text);
                    assert_true(parquet_bloom_check(reader, 0, 0, &value));
                }
                parquet_reader_free(reader);
            }
            file.data[at] = (char)(file.data[at] ^ 1 << bit);
        }
    }
    buf_release(&file);
}

/* For tests/system/test_parquet_foreign.py: a file with everything on, and its rows. */
static void test_export(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    const uint32_t blooms[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct parquet_sorting sorting[] = {{.field = 0}, {7, true, true}};
    const char *folder = getenv("QUARRY_EXPORT_DIR");
    if (!folder)
        return;
    for (int v2 = 0; v2 < 2; v2++) {
        struct parquet_write_options options = {.created_by = STR("Quarry test"),
                                                .codec = PARQUET_SNAPPY,
                                                .row_group_rows = 16384,
                                                .page_rows = 1024,
                                                .bloom_fields = blooms,
                                                .bloom_fields_len = FIELDS,
                                                .sorting = sorting,
                                                .sorting_len = 2,
                                                .allow_delta = true,
                                                .page_v2 = v2};
        struct buf file;
        char path[600];
        write_file(&options, ROWS, &file);
        (void)snprintf(path, sizeof path, "%s/options%d.parquet", folder, v2);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(file.data, 1, file.len, out), file.len);
        assert_int_equal(fclose(out), 0);
        buf_release(&file);
    }
    struct buf text;
    struct json_writer w;
    char path[600], room[100];
    buf_init(&text, 1 << 26);
    for (uint32_t row = 0; row < ROWS; row++) {
        json_writer_init(&w, &text);
        json_begin_object(&w);
        for (uint32_t c = 0; c < FIELDS; c++) {
            struct value value = make_value(c, row, room);
            json_key(&w, fields[c].name);
            if (value.is_null || type_is_bytes(value.type) || value.type == TYPE_DOUBLE)
                value_write_json(&w, &value);
            else /* numbers of days and microseconds: easier to compare */
                json_int(&w, value.int64);
        }
        json_end_object(&w);
        buf_append_char(&text, '\n');
    }
    (void)snprintf(path, sizeof path, "%s/options.ndjson", folder);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text.data, 1, text.len, out), text.len);
    assert_int_equal(fclose(out), 0);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodings),    cmocka_unit_test(test_delta_is_smaller),
        cmocka_unit_test(test_flips),        cmocka_unit_test(test_bloom),
        cmocka_unit_test(test_bloom_damage), cmocka_unit_test(test_export),
    };
    return cmocka_run_group_tests_name("parquet options", tests, NULL, NULL);
}

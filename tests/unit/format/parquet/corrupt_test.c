/* corrupt_test.c: damaged files. Every byte of a small file is flipped (several bits), every length
 * is cut: reading gives the right values or an error, never a crash and never another value. Whole
 * footers of hostile form are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "format/parquet/parquet.h"

enum { FIELDS = 4, ROWS = 100 };

static const struct field fields[FIELDS] = {{{"i", 1}, TYPE_INT64, 1},
                                            {{"s", 1}, TYPE_STRING, 2},
                                            {{"d", 1}, TYPE_DATE, 3},
                                            {{"b", 1}, TYPE_BOOL, 4}};

static enum status sink(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return buf_append(context, bytes.data, bytes.len) ? STATUS_OK : STATUS_NO_MEMORY;
}

static struct batch *make_batch(void)
{
    struct batch *batch = batch_new();
    for (uint32_t c = 0; c < FIELDS; c++) {
        uint32_t index;
        assert_int_equal(batch_add_column(batch, fields[c].name, fields[c].type, &index), 0);
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        assert_int_equal(column_append_int64(&batch->columns[0].column, row * row), 0);
        if (row % 7 == 0)
            assert_int_equal(column_append_null(&batch->columns[1].column), 0);
        else
            assert_int_equal(
                column_append_bytes(&batch->columns[1].column, row % 2 ? STR("odd") : STR("even")),
                0);
        assert_int_equal(column_append_date(&batch->columns[2].column, (int32_t)(row / 10)), 0);
        assert_int_equal(column_append_bool(&batch->columns[3].column, row % 3 == 0), 0);
    }
    assert_int_equal(batch_set_rows(batch, ROWS), 0);
    return batch;
}

static void make_file(const struct batch *batch, enum parquet_codec codec, struct buf *out)
{
    struct parquet_writer *writer;
    struct parquet_write_options options = {
        .codec = codec, .page_rows = 32, .row_group_rows = 64, .created_by = STR("corrupt_test")};
    buf_init(out, 1 << 20);
    assert_int_equal(parquet_writer_open(fields, FIELDS, &options, sink, out, &writer, NULL), 0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, ROWS, NULL), 0);
    assert_int_equal(parquet_writer_finish(writer, NULL, NULL), 0);
    parquet_writer_free(writer);
}

static bool same_value(const struct column *a, const struct column *b, uint32_t row)
{
    struct value x = value_of_column(a, row), y = value_of_column(b, row);
    return x.is_null == y.is_null && (x.is_null || value_compare(&x, &y) == 0);
}

/* Reads all of it; false when something was refused. Fails when something wrong was given. */
static bool reads_right(struct slice file, const struct batch *batch, const char *what, size_t at)
{
    /* An exact-size copy, so that ASan sees reads beyond the end. */
    void *copy = malloc(file.len ? file.len : 1);
    assert_non_null(copy);
    memcpy(copy, file.data, file.len);
    struct parquet_reader *reader = NULL;
    bool good = parquet_reader_open((struct slice){copy, file.len}, &reader, NULL) == STATUS_OK;
    /* The one thing a single flip may do is to take the checksum's name away. */
    bool own = good && parquet_reader_is_own(reader);
    for (uint32_t c = 0; own && c < FIELDS; c++) {
        struct column column;
        column_init(&column, fields[c].type);
        bool read = true;
        for (uint32_t g = 0; read && g < parquet_reader_row_groups(reader); g++)
            read = parquet_read_column(reader, g, c, 0, parquet_row_group_rows(reader, g), &column,
                                       NULL) == STATUS_OK;
        if (read && column.rows != ROWS)
            fail_msg("%s at %zu: %u rows", what, at, column.rows);
        for (uint32_t row = 0; read && row < ROWS; row++)
            if (!same_value(&column, &batch->columns[c].column, row))
                fail_msg("%s at %zu: column %u row %u is wrong", what, at, c, row);
        good = good && read;
        column_release(&column);
    }
    if (good && !own) {
        uint32_t len;
        (void)parquet_reader_fields(reader, &len);
    }
    parquet_reader_free(reader);
    free(copy);
    return good && own;
}

static void flip_all(enum parquet_codec codec)
{
    struct batch *batch = make_batch();
    struct buf file;
    make_file(batch, codec, &file);
    struct slice bytes = {file.data, file.len};
    assert_true(reads_right(bytes, batch, "nothing", 0));
    static const unsigned char masks[] = {0x01, 0x02, 0x10, 0x80, 0xFF};
    for (size_t at = 0; at < file.len; at++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            file.data[at] = (char)(file.data[at] ^ masks[m]);
            if (reads_right(bytes, batch, "flip", at))
                fail_msg("the flip %02x at %zu went unseen", masks[m], at);
            file.data[at] = (char)(file.data[at] ^ masks[m]);
        }
    }
    for (size_t len = 0; len < file.len; len++)
        assert_false(reads_right((struct slice){file.data, len}, batch, "cut", len));
    buf_release(&file);
    batch_unref(batch);
}

static void test_flips_plain(void **state)
{
    (void)state;
    flip_all(PARQUET_NONE);
}

static void test_flips_snappy(void **state)
{
    (void)state;
    flip_all(PARQUET_SNAPPY);
}

static void test_flips_zstd(void **state)
{
    (void)state;
    flip_all(PARQUET_ZSTD);
}

static enum status open_bytes(const void *data, size_t len)
{
    struct parquet_reader *reader = NULL;
    enum status status = parquet_reader_open((struct slice){data, len}, &reader, NULL);
    parquet_reader_free(reader);
    return status;
}

static void test_hostile_footers(void **state)
{
    (void)state;
    assert_int_equal(open_bytes("", 0), STATUS_CORRUPT);
    assert_int_equal(open_bytes("PAR1", 4), STATUS_CORRUPT);
    assert_int_equal(open_bytes("PAR1\0\0\0\0PAR1", 12), STATUS_CORRUPT);
    assert_int_equal(open_bytes("PAR1\xFF\xFF\xFF\xFFPAR1", 12), STATUS_CORRUPT);
    assert_int_equal(open_bytes("PAR1\x00\x00\x00\x00PARE", 12), STATUS_NOT_IMPLEMENTED);
    /* a list of 2^31 - 1 schema elements in 8 bytes */
    assert_int_equal(open_bytes("PAR1\x29\xFC\xFF\xFF\xFF\xFF\x07\x00\x08\0\0\0PAR1", 20),
                     STATUS_CORRUPT);
    /* structs in structs without end */
    char deep[300];
    memcpy(deep, "PAR1", 4);
    memset(deep + 4, 0xFC, 288);
    memcpy(deep + 292, "\x20\x01\0\0PAR1", 8);
    assert_int_equal(open_bytes(deep, sizeof deep), STATUS_CORRUPT);
}

static void test_writer_refuses(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct parquet_writer *writer = NULL;
    struct parquet_write_options options = {.created_by = STR("t")};
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(parquet_writer_open(fields, 0, &options, sink, &out, &writer, &err),
                     STATUS_INVALID_ARGUMENT);
    const struct field other = {{"i", 1}, TYPE_STRING, 1};
    struct batch *batch = make_batch();
    assert_int_equal(parquet_writer_open(&other, 1, &options, sink, &out, &writer, &err), 0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, ROWS, &err), STATUS_SCHEMA);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, ROWS, &err),
                     STATUS_INVALID_ARGUMENT);
    parquet_writer_free(writer);
    const struct field wide = {{"i", 1}, TYPE_DOUBLE, 1};
    assert_int_equal(parquet_writer_open(&wide, 1, &options, sink, &out, &writer, &err), 0);
    assert_int_equal(column_append_int64(&batch->columns[0].column, ((int64_t)1 << 53) + 1), 0);
    assert_int_equal(batch_set_rows(batch, ROWS + 1), 0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, ROWS + 1, &err), STATUS_SCHEMA);
    parquet_writer_free(writer);
    buf_release(&out);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips_plain),    cmocka_unit_test(test_flips_snappy),
        cmocka_unit_test(test_flips_zstd),     cmocka_unit_test(test_hostile_footers),
        cmocka_unit_test(test_writer_refuses),
    };
    return cmocka_run_group_tests_name("parquet corrupt", tests, NULL, NULL);
}

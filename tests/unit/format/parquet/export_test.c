/* export_test.c: files for other readers. Writes one file per codec and the same rows as NDJSON
 * into the folder QUARRY_EXPORT_DIR (tests/system/test_parquet_readers.py compares them through
 * foreign readers); without that variable it only checks that the writer makes the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/parquet/parquet.h"

enum { FIELDS = 8, ROWS = 3000 };

static const struct field fields[FIELDS] = {
    {{"flag", 4}, TYPE_BOOL, 1},  {{"number", 6}, TYPE_INT64, 2},    {{"real", 4}, TYPE_DOUBLE, 3},
    {{"few", 3}, TYPE_STRING, 4}, {{"many", 4}, TYPE_STRING, 5},     {{"doc", 3}, TYPE_JSON, 6},
    {{"day", 3}, TYPE_DATE, 7},   {{"moment", 6}, TYPE_TIMESTAMP, 8}};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u + 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static struct value make_value(uint32_t c, uint32_t row, char text[100])
{
    uint64_t x = mix((uint64_t)row * 64 + c + 1);
    struct value value = {.type = fields[c].type, .is_null = x % 11 == 0};
    x >>= 7;
    int len = 0;
    if (c == 0)
        value.boolean = x & 1;
    else if (c == 1)
        value.int64 = (int64_t)(x % 3 ? x % 500 : mix(x)) - 250;
    else if (c == 2)
        value.real = (double)(x % 1000000) / 64 - 1000;
    else if (c == 6)
        value.int64 = (int64_t)(x % 60000) - 20000;
    else if (c == 7)
        value.int64 = (int64_t)(x % 4000000000000000) - 1000000000000000;
    else if (c == 3)
        len = snprintf(text, 100, "caf\xC3\xA9 %u", (unsigned)(x % 4));
    else if (c == 4)
        len = snprintf(text, 100, "%llx", (unsigned long long)x);
    else
        len = snprintf(text, 100, "{\"k\":[%u,null,\"x\"]}", (unsigned)(x % 100));
    if (type_is_bytes(value.type))
        value.bytes = str_make(text, (size_t)len);
    return value;
}

static struct batch *make_batch(void)
{
    struct batch *batch = batch_new();
    for (uint32_t c = 0; c < FIELDS; c++) {
        uint32_t index;
        assert_int_equal(batch_add_column(batch, fields[c].name, fields[c].type, &index), 0);
        for (uint32_t row = 0; row < ROWS; row++) {
            char text[100];
            struct value value = make_value(c, row, text);
            assert_int_equal(column_append_value(&batch->columns[index].column, &value), 0);
        }
    }
    assert_int_equal(batch_set_rows(batch, ROWS), 0);
    return batch;
}

static enum status to_file(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return !context || fwrite(bytes.data, 1, bytes.len, context) == bytes.len ? STATUS_OK
                                                                              : STATUS_IO;
}

static FILE *create(const char *folder, const char *name, const char *end)
{
    char path[600];
    if (!folder)
        return NULL;
    (void)snprintf(path, sizeof path, "%s/%s%s", folder, name, end);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

static void write_parquet(const struct batch *batch, const char *folder, enum parquet_codec codec)
{
    struct parquet_writer *writer;
    struct parquet_file_stats stats;
    struct parquet_write_options options = {
        .codec = codec, .row_group_rows = 1280, .page_rows = 256, .created_by = STR("Quarry test")};
    FILE *file = create(folder, parquet_codec_name(codec), ".parquet");
    assert_int_equal(parquet_writer_open(fields, FIELDS, &options, to_file, file, &writer, NULL),
                     0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, ROWS, NULL), 0);
    assert_int_equal(parquet_writer_finish(writer, &stats, NULL), 0);
    assert_int_equal(stats.rows, ROWS);
    assert_int_equal(stats.row_groups, 3);
    parquet_file_stats_release(&stats);
    parquet_writer_free(writer);
    if (file)
        assert_int_equal(fclose(file), 0);
}

static void write_json(const struct batch *batch, const char *folder)
{
    FILE *file = create(folder, "rows", ".ndjson");
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 1 << 26);
    for (uint32_t row = 0; row < ROWS; row++) {
        json_writer_init(&w, &buf);
        json_begin_object(&w);
        for (uint32_t c = 0; c < FIELDS; c++) {
            json_key(&w, fields[c].name);
            column_write_json(&w, &batch->columns[c].column, row);
        }
        json_end_object(&w);
        buf_append_char(&buf, '\n');
    }
    assert_int_equal(buf_check(&buf, "rows", NULL), 0);
    if (file) {
        assert_int_equal(fwrite(buf.data, 1, buf.len, file), buf.len);
        assert_int_equal(fclose(file), 0);
    }
    buf_release(&buf);
}

static void test_export(void **state)
{
    (void)state;
    const char *folder = getenv("QUARRY_EXPORT_DIR");
    struct batch *batch = make_batch();
    for (enum parquet_codec codec = PARQUET_NONE; codec <= PARQUET_LZ4_RAW; codec++)
        write_parquet(batch, folder, codec);
    write_json(batch, folder);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_export)};
    return cmocka_run_group_tests_name("parquet export", tests, NULL, NULL);
}

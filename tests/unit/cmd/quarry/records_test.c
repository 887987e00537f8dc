/* Files become the same batches on every run, each record knows its line, and compressed files read
 * like plain ones. The program's own sources are part of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "cmd/quarry/input.c"
#include "cmd/quarry/records.c"
#include "cmd/quarry/records_parquet.c"
#include "cmd/quarry/split.c"

static char folder[] = "/tmp/quarry-records-XXXXXX";
static char path[128];

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    return sys_remove_tree(sys_posix(), folder, NULL) != STATUS_OK;
}

static void write_file(const char *name, const void *data, size_t len)
{
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(sys_replace_file(sys_posix(), path, (struct slice){data, len}, NULL),
                     STATUS_OK);
}

/* Batches as "body|line,line,|" each, then the status when it is a failure. */
static void read_all(const struct record_options *options, struct buf *out)
{
    struct record_source *source;
    struct record_batch *batch;
    struct error err = ERROR_INIT;
    enum status status = record_source_open(options, &source, &err);
    assert_int_equal(status, STATUS_OK);
    uint64_t number = 0;
    while ((status = record_source_next(source, &batch, &err)) == STATUS_OK && batch) {
        assert_int_equal(batch->number, number++);
        buf_append_str(out, buf_str(&batch->body));
        buf_append_char(out, '|');
        for (uint32_t i = 0; i < batch->records; i++)
            buf_printf(out, "%d,", (int)batch->lines[i]);
        buf_append_char(out, '|');
        record_batch_free(batch);
    }
    if (status != STATUS_OK)
        buf_printf(out, "%s@%d", status_info(status)->code, (int)err.line);
    buf_append_char(out, 0);
    record_source_close(source);
}

static void expect(const char *name, enum record_format format, uint32_t records_max,
                   const char *text, const char *wanted)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    write_file(name, text, strlen(text));
    struct record_options options = {
        .path = path, .format = format, .records_max = records_max, .bytes_max = 1 << 20};
    read_all(&options, &out);
    assert_string_equal(out.data, wanted);
    buf_release(&out);
}

static void ndjson(void **state)
{
    (void)state;
    expect("x", RECORD_NDJSON, 2, "{1}\n\n{2}\r\n{3}", "{1}\n{2}\n|1,3,|{3}\n|4,|");
    expect("x", RECORD_NDJSON, 2, "", "");
}

static void arrays_become_lines(void **state)
{
    (void)state;
    expect("x", RECORD_JSON, 1, "[{\n\"a\":\r\n1},\n{}]", "{ \"a\":  1}\n|1,|{}\n|4,|");
    expect("x", RECORD_JSON, 1, "[{}\n,\n[", "{}\n|1,|invalid_json@3");
}

static void csv_repeats_its_header(void **state)
{
    (void)state;
    expect("x", RECORD_CSV, 1, "a,b\n1,\"x\ny\"\n2,z\n", "a,b\n1,\"x\ny\"\n|2,|a,b\n2,z\n|4,|");
    expect("x", RECORD_CSV, 1, "a,b\n", "");
    expect("x", RECORD_CSV, 1, "", "");
}

static void indexes_of_apt(void **state)
{
    (void)state;
    expect(
        "Contents-all", RECORD_APT_CONTENTS, 1, "b s/p,q\nbad\n",
        "{\"path\":\"/b\",\"directory\":\"/\",\"name\":\"b\",\"extension\":null,\"section\":\"s\","
        "\"package\":\"p\",\"architecture\":\"all\"}\n"
        "{\"path\":\"/b\",\"directory\":\"/\",\"name\":\"b\",\"extension\":null,"
        "\"section\":null,\"package\":\"q\",\"architecture\":\"all\"}\n|1,1,|"
        "invalid_argument@2");
    expect("Packages", RECORD_APT_PACKAGES, 10, "Package: a\n\nPackage: b\nbad\n",
           "invalid_argument@4");
}

static void formats_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum record_format format;
    } cases[] = {{"a.ndjson", RECORD_NDJSON},
                 {"a.jsonl.gz", RECORD_NDJSON},
                 {"a.csv.zst", RECORD_CSV},
                 {"a.parquet", RECORD_PARQUET},
                 {"x_Contents-amd64.lz4", RECORD_APT_CONTENTS},
                 {"x_Packages.lz4", RECORD_APT_PACKAGES}};
    enum record_format format;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(record_format_guess(cases[i].name, &format, NULL), STATUS_OK);
        assert_int_equal(format, cases[i].format);
    }
    assert_int_equal(record_format_guess("a.txt", &format, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(record_format_guess("none.json", &format, NULL), STATUS_NOT_FOUND);
    write_file("a.json", " [1", 3);
    assert_int_equal(record_format_guess(path, &format, NULL), STATUS_OK);
    assert_int_equal(format, RECORD_JSON);
    write_file("a.json", "{}", 2);
    assert_int_equal(record_format_guess(path, &format, NULL), STATUS_OK);
    assert_int_equal(format, RECORD_NDJSON);
}

/* Every cut of a compressed file is noticed, the whole file is read. */
static void expect_packed(const char *packed, size_t len)
{
    for (size_t cut = 4; cut <= len; cut++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        write_file("x.packed", packed, cut);
        struct record_options options = {
            .path = path, .format = RECORD_NDJSON, .records_max = 10, .bytes_max = 1 << 20};
        read_all(&options, &out);
        if (cut == len)
            assert_string_equal(out.data, "{\"a\":1}\n{\"a\":2}\n|1,2,|");
        else
            assert_non_null(strstr(out.data, "corrupt@"));
        buf_release(&out);
    }
}

static void compressed_files(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1}\n{\"a\":2}\n";
    char packed[256];
    size_t len = ZSTD_compress(packed, sizeof packed, text, sizeof text - 1, 3);
    assert_false(ZSTD_isError(len));
    expect_packed(packed, len);

    z_stream z = {.next_in = (Bytef *)text,
                  .avail_in = sizeof text - 1,
                  .next_out = (Bytef *)packed,
                  .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    len = z.total_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    expect_packed(packed, len);
}

static void batches_are_bounded(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    write_file("x", "1234567\n1\n2\n3\n", 14);
    struct record_options options = {
        .path = path, .format = RECORD_NDJSON, .records_max = 100, .bytes_max = 4};
    read_all(&options, &out);
    assert_string_equal(out.data, "1234567\n|1,|1\n2\n|2,3,|3\n|4,|");
    buf_release(&out);
}

static void what_cannot_be_opened(void **state)
{
    (void)state;
    struct record_source *source;
    struct record_options options = {.path = "none", .records_max = 1, .bytes_max = 1};
    assert_int_equal(record_source_open(&options, &source, NULL), STATUS_NOT_FOUND);
    options.path = folder;
    assert_int_equal(record_source_open(&options, &source, NULL), STATUS_INVALID_ARGUMENT);
    options.format = RECORD_PARQUET;
    write_file("x.parquet", "PAR1 no PAR1", 12);
    options.path = path;
    assert_int_equal(record_source_open(&options, &source, NULL), STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ndjson),
        cmocka_unit_test(arrays_become_lines),
        cmocka_unit_test(csv_repeats_its_header),
        cmocka_unit_test(indexes_of_apt),
        cmocka_unit_test(formats_by_name),
        cmocka_unit_test(compressed_files),
        cmocka_unit_test(batches_are_bounded),
        cmocka_unit_test(what_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

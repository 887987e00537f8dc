/* Records become typed columns; what does not fit is named by record, field and value; the public
 * JSON parsing suite is accepted and refused as it says, bare and inside a record. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/value.h"
#include "format/records/record_builder.h"

static char *dump(const struct batch *batch)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 1 << 20);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        char key[300];
        const struct batch_column *column = &batch->columns[i];
        snprintf(key, sizeof key, "%.*s:%s", STR_ARG(column->name), type_name(column->column.type));
        json_keyz(&w, key);
        json_begin_array(&w);
        for (uint32_t row = 0; row < batch->rows; row++)
            column_write_json(&w, &column->column, row);
        json_end_array(&w);
    }
    json_end_object(&w);
    buf_append_char(&buf, 0);
    return buf_take(&buf, NULL);
}

static const struct record_field declared[] = {
    {.name = STR("id"), .type = TYPE_INT64, .declared = true},
    {.name = STR("price"), .type = TYPE_DOUBLE, .declared = true},
    {.name = STR("day"), .type = TYPE_DATE, .declared = true},
    {.name = STR("at"), .type = TYPE_TIMESTAMP, .declared = true},
};

enum form { NDJSON, ARRAY, WRAPPED, CSV };

static enum status run(enum form form, const char *text, const struct record_field *fields,
                       uint32_t fields_len, char **ret_dump, struct error *err)
{
    struct record_builder *b;
    struct batch *batch;
    struct json_scan scan = json_scan_of(str_of(text));
    assert_int_equal(record_builder_new(fields, fields_len, &b, err), STATUS_OK);
    enum status status = form == NDJSON ? record_builder_ndjson(b, str_of(text), err)
                         : form == CSV  ? record_builder_csv(b, str_of(text), err)
                                        : record_builder_array(b, &scan, form == WRAPPED, err);
    if (status == STATUS_OK)
        status = record_builder_finish(b, &batch, err);
    if (status == STATUS_OK) {
        *ret_dump = dump(batch);
        batch_unref(batch);
    }
    record_builder_free(b);
    return status;
}

static void expect(enum form form, const char *text, const struct record_field *fields,
                   uint32_t fields_len, const char *expected)
{
    char *got = NULL;
    struct error err = ERROR_INIT;
    if (run(form, text, fields, fields_len, &got, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    assert_string_equal(got, expected);
    free(got);
}

static void refuse(enum form form, const char *text, enum status status, const char *message)
{
    char *got = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(run(form, text, declared, 4, &got, &err), status);
    assert_string_equal(err.message, message);
}

static void test_types_are_inferred_and_widened(void **state)
{
    (void)state;
    expect(NDJSON,
           "{\"a\":1,\"b\":\"x\"}\n\n{\"b\":null,\"a\":2.5,\"c\":{ \"k\" : [1, \"a b\"] "
           "}}\r\n{\"d\":true}",
           NULL, 0,
           "{\"a:double\":[1.0,2.5,null],\"b:string\":[\"x\",null,null],"
           "\"c:json\":[null,{\"k\":[1,\"a b\"]},null],\"d:bool\":[null,null,true]}");
    expect(ARRAY, "[{\"x\":null},{\"x\":\"\\u00e4\\n\\ud83d\\ude00\"}]", NULL, 0,
           "{\"x:string\":[null,\"\xC3\xA4\\n\xF0\x9F\x98\x80\"]}");
    expect(WRAPPED,
           "[{\"fields\":{\"id\":2.0,\"price\":3,\"day\":\"2024-02-29\","
           "\"at\":\"2024-01-15T10:00:00Z\"}}]",
           declared, 4,
           "{\"id:int64\":[2],\"price:double\":[3.0],\"day:date\":[\"2024-02-29\"],"
           "\"at:timestamp\":[\"2024-01-15T10:00:00\"]}");
    expect(ARRAY, "[]", NULL, 0, "{}");
    expect(NDJSON, "{\"n\":9223372036854775807}\n{\"n\":-9223372036854775808}", NULL, 0,
           "{\"n:int64\":[9223372036854775807,-9223372036854775808]}");
}

static void test_misfits_name_record_field_and_value(void **state)
{
    (void)state;
    refuse(NDJSON, "{\"id\":1}\n{\"id\":\"x\"}", STATUS_SCHEMA,
           "record 1, field 'id': x is text (the column is int64)");
    refuse(NDJSON, "{\"id\":1.5}", STATUS_SCHEMA,
           "record 0, field 'id': 1.5 is not an integer (the column is int64)");
    refuse(NDJSON, "{\"id\":18446744073709551616}", STATUS_SCHEMA,
           "record 0, field 'id': 18446744073709551616 does not fit 64 bits (the column is int64)");
    refuse(NDJSON, "{\"price\":1e400}", STATUS_SCHEMA,
           "record 0, field 'price': 1e400 is beyond the range of a double (the column is double)");
    refuse(NDJSON, "{\"day\":\"2023-02-29\"}", STATUS_SCHEMA,
           "record 0, field 'day': 2023-02-29 is not a date YYYY-MM-DD (the column is date)");
    refuse(NDJSON, "{\"id\":[1]}", STATUS_SCHEMA,
           "record 0, field 'id': [1] is an object or array (the column is int64)");
    refuse(NDJSON, "{\"a\":1,\"a\":2}", STATUS_SCHEMA, "record 0: the field 'a' stands twice");
    refuse(NDJSON, "{\"\":1}", STATUS_SCHEMA, "record 0: a field has an empty name");
    refuse(WRAPPED, "[{\"field\":{}}]", STATUS_INVALID_ARGUMENT,
           "record 0: a record is {\"fields\": {...}}, found the member 'field'");
    refuse(WRAPPED, "[{}]", STATUS_INVALID_ARGUMENT, "record 0: 'fields' is missing");
    refuse(NDJSON, "{\"a\":1} x", STATUS_INVALID_JSON,
           "found 'x' at byte 8 where the end of the text should be");
    refuse(NDJSON, "{\"id\":\"x\",}", STATUS_INVALID_JSON,
           "found '}' at byte 10 where a string should be");
    refuse(NDJSON, "[1]", STATUS_INVALID_JSON, "found '[' at byte 0 where '{' should be");
}

static void test_csv(void **state)
{
    (void)state;
    expect(CSV, "a,b,c,d,id\r\n1,\"x, \"\"y\"\"\",,true,7\r\n2,\"\",0.5,false,\n", declared, 4,
           "{\"id:int64\":[7,null],\"a:int64\":[1,2],\"b:string\":[\"x, \\\"y\\\"\",\"\"],"
           "\"c:double\":[null,0.5],\"d:bool\":[true,false]}");
    expect(CSV, "zip\n007\n100\n", NULL, 0, "{\"zip:string\":[\"007\",\"100\"]}");
    refuse(CSV, "", STATUS_INVALID_CSV, "line 1: the header line with the column names is missing");
    refuse(CSV, "a,a\n1,2", STATUS_INVALID_CSV, "line 1: a column name stands twice in the header");
    refuse(CSV, "a,b\n1\n", STATUS_INVALID_CSV, "line 2: fewer fields than the header has names");
    refuse(CSV, "a\n\"x", STATUS_INVALID_CSV, "line 2: a quoted field does not end");
    refuse(CSV, "id\n1\nx\n", STATUS_SCHEMA,
           "record 1, field 'id': x is not a number (the column is int64)");
}

static char *read_all(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *data = malloc(1 << 20);
    *ret_len = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

/* 'y': both ways accepted; 'n': both refused; 'i': either, without harm. */
static void check_suite_file(const char *path, char kind)
{
    size_t len;
    char *text = read_all(path, &len);
    struct json_scan scan = json_scan_of(str_make(text, len));
    struct str value;
    bool bare = json_scan_skip(&scan, &value, NULL, NULL) == STATUS_OK &&
                json_scan_end(&scan, NULL) == STATUS_OK;
    struct buf record;
    struct record_builder *b;
    buf_init(&record, 2 << 20);
    buf_append_str(&record, STR("[{\"v\":"));
    buf_append(&record, text, len);
    buf_append_str(&record, STR("}]"));
    assert_int_equal(record_builder_new(NULL, 0, &b, NULL), STATUS_OK);
    scan = json_scan_of(buf_str(&record));
    struct error err = ERROR_INIT;
    enum status status = record_builder_array(b, &scan, false, &err);
    if (status == STATUS_OK)
        status = json_scan_end(&scan, &err);
    if (kind == 'y' && (!bare || (status != STATUS_OK && status != STATUS_SCHEMA)))
        fail_msg("%s must be accepted: %s", path, err.message);
    if (kind == 'n' && (bare || status == STATUS_OK))
        fail_msg("%s must be refused", path);
    record_builder_free(b);
    buf_release(&record);
    free(text);
}

static void test_public_suite(void **state)
{
    (void)state;
    const char *shared = getenv("QUARRY_SHARED");
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/conformance/json/test_parsing",
             shared ? shared : "../shared");
    DIR *dir = opendir(folder);
    if (!dir) {
        print_message("the JSON suite is not at %s: set QUARRY_SHARED\n", folder);
        skip();
    }
    int files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strchr("yni", entry->d_name[0]) || entry->d_name[1] != '_')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_suite_file(path, entry->d_name[0]);
        files++;
    }
    closedir(dir);
    assert_true(files > 300);
}

static enum status collect_bad(void *context, const struct record_bad *bad, struct error *err)
{
    (void)err;
    buf_printf(context, "%u@%lld[%.*s]", bad->record, (long long)bad->line, STR_ARG(bad->raw));
    return STATUS_OK;
}

/* The good records as a batch, the bad ones as they were handed out. */
static void expect_left_out(enum form form, const char *text, const struct record_field *fields,
                            uint32_t fields_len, const char *good, const char *bad)
{
    struct record_builder *b;
    struct batch *batch;
    struct error err = ERROR_INIT;
    struct json_scan scan = json_scan_of(str_of(text));
    struct buf told;
    buf_init(&told, 1 << 16);
    assert_int_equal(record_builder_new(fields, fields_len, &b, &err), STATUS_OK);
    record_builder_on_bad(b, collect_bad, &told);
    enum status status = form == NDJSON ? record_builder_ndjson(b, str_of(text), &err)
                         : form == CSV  ? record_builder_csv(b, str_of(text), &err)
                                        : record_builder_array(b, &scan, form == WRAPPED, &err);
    if (status != STATUS_OK)
        fail_msg("%s", err.message);
    assert_int_equal(record_builder_finish(b, &batch, &err), STATUS_OK);
    char *got = dump(batch);
    assert_string_equal(got, good);
    buf_append_char(&told, 0);
    assert_string_equal(told.data, bad);
    free(got);
    buf_release(&told);
    batch_unref(batch);
    record_builder_free(b);
}

static void test_bad_records_leave_no_trace(void **state)
{
    (void)state;
    /* new fields, first types and widenings of a bad record are undone */
    expect_left_out(NDJSON,
                    "{\"a\":1,\"id\":\"x\"}\n{\"n\":1}\n{\"n\":2.5,\"z\":[1],\"id\":true}\n"
                    "no json\n{\"n\":2,\"id\":7}\n{\"id\":8} tail\n{\"id\":9,\"id\":9}",
                    declared, 4, "{\"id:int64\":[null,7],\"n:int64\":[1,2]}",
                    "0@1[{\"a\":1,\"id\":\"x\"}]2@3[{\"n\":2.5,\"z\":[1],\"id\":true}]"
                    "3@4[no json]5@6[{\"id\":8} tail]6@7[{\"id\":9,\"id\":9}]");
    /* a column may get another type later; nulls of a bad row do not stay */
    expect_left_out(NDJSON,
                    "{\"d\":\"text\",\"id\":[]}\n{\"d\":5,\"s\":null}\n{\"s\":\"x\",\"id\":{}}\n"
                    "{\"s\":\"y\"}",
                    declared, 4, "{\"d:int64\":[5,null],\"s:string\":[null,\"y\"]}",
                    "0@1[{\"d\":\"text\",\"id\":[]}]2@3[{\"s\":\"x\",\"id\":{}}]");
    expect_left_out(WRAPPED,
                    "[{\"fields\":{\"id\":1}},{\"nope\":{}},{\"fields\":{\"id\":\"2\"}}, "
                    "{\"fields\":{\"id\":3}}]",
                    declared, 4, "{\"id:int64\":[1,3]}",
                    "1@-1[{\"nope\":{}}]2@-1[{\"fields\":{\"id\":\"2\"}}]");
    expect_left_out(CSV, "id,w\n1,a\nx,b\n2\n3,\"c\nd\",9\n4,e\"f\n5,g", declared, 4,
                    "{\"id:int64\":[1,5],\"w:string\":[\"a\",\"g\"]}",
                    "1@3[x,b]2@4[2]3@5[3,\"c\nd\",9]4@7[4,e\"f]");
    char *got = NULL;
    assert_int_equal(run(ARRAY, "[{\"id\":1},{\"id\":]", declared, 4, &got, NULL),
                     STATUS_INVALID_JSON);
}

static void test_defaults_and_required(void **state)
{
    (void)state;
    const struct value seven = {.type = TYPE_INT64, .int64 = 7};
    const struct record_field fields[] = {
        {.name = STR("id"), .type = TYPE_INT64, .declared = true, .required = true},
        {.name = STR("n"), .type = TYPE_INT64, .declared = true, .fill = &seven},
    };
    expect(NDJSON, "{\"id\":1}\n{\"id\":2,\"n\":null}\n{\"id\":3,\"n\":5}\n{\"id\":4}", fields, 2,
           "{\"id:int64\":[1,2,3,4],\"n:int64\":[7,null,5,7]}");
    expect(NDJSON, "{\"id\":1,\"n\":null}", fields, 2, "{\"id:int64\":[1],\"n:int64\":[null]}");
    expect(CSV, "id,n\n1,\n2,3", fields, 2, "{\"id:int64\":[1,2],\"n:int64\":[null,3]}");
    expect(CSV, "id\n1\n2", fields, 2, "{\"id:int64\":[1,2],\"n:int64\":[7,7]}");
    expect_left_out(NDJSON, "{\"n\":1}\n{\"id\":2}\n{\"id\":null}", fields, 2,
                    "{\"id:int64\":[2],\"n:int64\":[7]}", "0@1[{\"n\":1}]2@3[{\"id\":null}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_are_inferred_and_widened),
        cmocka_unit_test(test_misfits_name_record_field_and_value),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_bad_records_leave_no_trace),
        cmocka_unit_test(test_defaults_and_required),
        cmocka_unit_test(test_public_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

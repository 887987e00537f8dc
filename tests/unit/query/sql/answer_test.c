/* What a worker that was taken over might send: every frame that makes no sense is refused, nothing
 * of it reaches the sink. Frames are made by hand. */
#include "unit/query/sql/fixture.h"

struct seen {
    uint32_t columns_calls, columns;
};

static enum status see_columns(void *context, const struct str *names, const struct str *types,
                               uint32_t len, struct error *err)
{
    (void)names, (void)types, (void)err;
    struct seen *seen = context;
    seen->columns_calls++;
    seen->columns = len;
    return STATUS_OK;
}

static enum status see_rows(void *context, const struct batch *batch, struct error *err)
{
    (void)context, (void)batch, (void)err;
    return STATUS_OK;
}

static void columns_frames(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "[",
                                      "[]",
                                      "{}",
                                      "{\"columns\":[]}",
                                      "{\"columns\":{}}",
                                      "{\"columns\":[1]}",
                                      "{\"columns\":[{\"name\":\"a\"}]}",
                                      "{\"columns\":[{\"name\":1,\"type\":\"INTEGER\"}]}",
                                      "{\"columns\":[{\"name\":\"\xff\",\"type\":\"INTEGER\"}]}",
                                      "{\"columns\":[{\"name\":\"a\",\"type\":\"INTEGER\"},null]}"};
    struct seen seen = {0};
    struct sql_sink sink = {&seen, see_columns, see_rows};
    uint32_t columns;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_INIT;
        assert_int_equal(sql_answer_columns(str_of(bad[i]), &sink, &columns, &err), STATUS_CORRUPT);
        assert_string_equal(err.message, "the SQL worker sent columns that make no sense");
    }
    assert_int_equal(seen.columns_calls, 0);
    assert_int_equal(
        sql_answer_columns(STR("{\"columns\":[{\"name\":\"a\",\"type\":\"INTEGER\"}]}"), &sink,
                           &columns, NULL),
        STATUS_OK);
    assert_int_equal(seen.columns, 1);
    assert_int_equal(columns, 1);
}

static void encoded(struct buf *out, const char *json, uint32_t columns)
{
    struct batch *batch = batch_new();
    uint32_t index;
    assert_non_null(batch);
    for (uint32_t i = 0; i < columns; i++) {
        char name[2] = {(char)('a' + i), 0};
        assert_int_equal(batch_add_column(batch, str_of(name), TYPE_JSON, &index), STATUS_OK);
        assert_int_equal(column_append_bytes(&batch->columns[i].column, str_of(json)), STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, 1), STATUS_OK);
    buf_init(out, 1 << 20);
    assert_int_equal(batch_encode(batch, out, NULL), STATUS_OK);
    batch_unref(batch);
}

static void rows_frames(void **state)
{
    (void)state;
    struct buf bytes;
    struct batch *batch;
    encoded(&bytes, "{\"n\":123456789012345678901234567890}", 2);
    assert_int_equal(sql_answer_rows(buf_str(&bytes), 2, &batch, NULL), STATUS_OK);
    assert_int_equal(batch->rows, 1);
    batch_unref(batch);
    assert_int_equal(sql_answer_rows(buf_str(&bytes), 1, &batch, NULL), STATUS_CORRUPT);
    assert_int_equal(sql_answer_rows(buf_str(&bytes), 3, &batch, NULL), STATUS_CORRUPT);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(sql_answer_rows(str_make(bytes.data, len), 2, &batch, NULL),
                         STATUS_CORRUPT);
    buf_release(&bytes);
    static const char *const not_json[] = {"", "{", "1,2", "nan", "\"a", "{\"a\":1}}"};
    for (size_t i = 0; i < sizeof not_json / sizeof *not_json; i++) {
        encoded(&bytes, not_json[i], 1);
        assert_int_equal(sql_answer_rows(buf_str(&bytes), 1, &batch, NULL), STATUS_CORRUPT);
        buf_release(&bytes);
    }
}

static void done_frames(void **state)
{
    (void)state;
    double cpu;
    struct sql_stats stats = {.rows = 3};
    assert_int_equal(sql_answer_done(STR("{\"rows\":3,\"truncated\":true,\"prepare_us\":-5,"
                                         "\"execute_us\":9e99,\"cpu_seconds\":-1}"),
                                     &stats, &cpu, NULL),
                     STATUS_OK);
    assert_true(stats.truncated);
    assert_int_equal(stats.prepare_us, 0);
    assert_int_equal(stats.execute_us, 0);
    assert_true(cpu == 0);
    static const char *const bad[] = {"",
                                      "{}",
                                      "{\"rows\":2,\"truncated\":false}",
                                      "{\"rows\":3}",
                                      "{\"rows\":-3,\"truncated\":false}",
                                      "{\"rows\":\"3\",\"truncated\":false}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sql_answer_done(str_of(bad[i]), &stats, &cpu, NULL), STATUS_CORRUPT);
}

static void error_frames(void **state)
{
    (void)state;
    bool replace;
    struct error err = ERROR_INIT;
    assert_int_equal(
        sql_answer_error(STR("{\"status\":\"invalid_sql\",\"message\":\"m\",\"line\":2,"
                             "\"column\":-1,\"offset\":99999999,\"replace\":false}"),
                         &replace, &err),
        STATUS_INVALID_SQL);
    assert_string_equal(err.message, "m");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, -1);
    assert_int_equal(err.offset, -1);
    assert_false(replace);
    /* A worker cannot make us say that the caller is not authenticated, or that all is well. */
    static const char *const bad[] = {"",
                                      "{}",
                                      "{\"status\":\"ok\",\"message\":\"m\"}",
                                      "{\"status\":\"unauthenticated\",\"message\":\"m\"}",
                                      "{\"status\":\"invalid_sql\"}",
                                      "{\"message\":\"m\"}",
                                      "{\"status\":3,\"message\":\"m\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sql_answer_error(str_of(bad[i]), &replace, &err), STATUS_CORRUPT);
        assert_true(replace);
    }
}

static struct str name_at(void *context, uint32_t index)
{
    const char *const *names = context;
    return str_of(names[index]);
}

static void names_find_tables(void **state)
{
    (void)state;
    const char *names[] = {"orders", "Orders", "Users", "sales_2024", "x"};
    struct sql_tables tables = {names, 5, name_at, NULL};
    uint32_t index;
    struct error err = ERROR_INIT;
    assert_int_equal(sql_tables_find(&tables, STR("Orders"), &index, &err), STATUS_OK);
    assert_int_equal(index, 1);
    assert_int_equal(sql_tables_find(&tables, STR("USERS"), &index, &err), STATUS_OK);
    assert_int_equal(index, 2);
    assert_int_equal(sql_tables_find(&tables, STR("ORDERS"), &index, &err), STATUS_UNKNOWN_SOURCE);
    assert_string_equal(err.message,
                        "source ORDERS could be 2 sources that differ in upper and lower case");
    assert_int_equal(sql_tables_find(&tables, STR("sales2024"), &index, &err),
                     STATUS_UNKNOWN_SOURCE);
    assert_string_equal(err.message, "there is no source sales2024; did you mean sales_2024?");
    assert_int_equal(sql_tables_find(&tables, STR("y"), &index, &err), STATUS_UNKNOWN_SOURCE);
    assert_string_equal(err.message, "there is no source y");
    assert_int_equal(sql_tables_find(&tables, STR(""), &index, &err), STATUS_UNKNOWN_SOURCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_frames),
                                       cmocka_unit_test(rows_frames), cmocka_unit_test(done_frames),
                                       cmocka_unit_test(error_frames),
                                       cmocka_unit_test(names_find_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

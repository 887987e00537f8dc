/* SQL over the real store: unflushed rows, flushed rows, both, and a schema that grew in between.
 */
#include "unit/query/sql/fixture.h"

static char folder[64];
static struct store *store;
static struct sql_pool *pool;

static const struct field events_fields[] = {{{"id", 2}, TYPE_INT64, 0},
                                             {{"name", 4}, TYPE_STRING, 0}};

static int setup(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    snprintf(folder, sizeof folder, "/tmp/quarry-sqlstore-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    struct store_options options = {.path = folder};
    struct sql_pool_options sql = {.worker_path = fixture_worker(), .data_path = folder};
    struct source_config config = {.source_id = STR("events"),
                                   .name = STR("events"),
                                   .fields = events_fields,
                                   .fields_len = 2,
                                   .codec = PARQUET_SNAPPY,
                                   .wal_enabled = true};
    if (store_open(sys_posix(), &options, &store, &err) != STATUS_OK ||
        store_add_source(store, &config, &err) != STATUS_OK ||
        sql_pool_open(sys_posix(), &sql, &pool, &err) != STATUS_OK) {
        print_error("%s: %s\n", err.message, err.cause);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sql_pool_close(pool);
    store_close(store, false);
    return sys_remove_tree(sys_posix(), folder, NULL) == STATUS_OK ? 0 : -1;
}

/* `amount` is a column the source does not have at first. */
static void write_rows(struct source *source, int first, int count, bool amount)
{
    struct error err = ERROR_INIT;
    struct write_result result;
    struct batch *batch = fixture_batch(events_fields, 2);
    uint32_t index;
    if (amount)
        assert_int_equal(batch_add_column(batch, STR("amount"), TYPE_DOUBLE, &index), STATUS_OK);
    for (int i = first; i < first + count; i++) {
        assert_int_equal(column_append_int64(&batch->columns[0].column, i), STATUS_OK);
        assert_int_equal(column_append_bytes(&batch->columns[1].column, STR("it's")), STATUS_OK);
        if (amount)
            assert_int_equal(column_append_double(&batch->columns[2].column, 0.25), STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, (uint32_t)count), STATUS_OK);
    if (source_write(source, batch, STR_NONE, &result, &err) != STATUS_OK)
        fail_msg("%s: %s", err.message, err.cause);
    batch_unref(batch);
}

static void expect_rows(struct source *source, const char *sql, const char *expected)
{
    struct error err = ERROR_INIT;
    struct view view;
    struct sql_stats stats;
    struct fixture_answer answer = {0};
    assert_int_equal(view_open(source, &view, &err), STATUS_OK);
    struct sql_table table = {.view = &view};
    struct sql_request request = {
        .query = str_of(sql), .tables = &table, .tables_len = 1, .limit = -1};
    struct sql_sink sink = {&answer, fixture_columns, fixture_rows};
    buf_init(&answer.text, 1 << 20);
    if (sql_query(pool, &request, &sink, &stats, &err) != STATUS_OK)
        fail_msg("%s: %s", sql, err.message);
    buf_append_char(&answer.text, '\0');
    assert_string_equal(answer.text.data, expected);
    buf_release(&answer.text);
    view_close(&view);
}

static void acknowledged_rows_are_seen(void **state)
{
    (void)state;
    static const char sql[] =
        "SELECT count(*) n, min(id) a, max(id) b, any_value(name) c FROM events";
    struct error err = ERROR_INIT;
    struct source *source;
    assert_int_equal(store_get_source(store, STR("events"), &source, &err), STATUS_OK);
    expect_rows(source, sql, "n:BIGINT|a:BIGINT|b:BIGINT|c:VARCHAR\n0|null|null|null\n");
    write_rows(source, 0, 10, false);
    expect_rows(source, sql, "n:BIGINT|a:BIGINT|b:BIGINT|c:VARCHAR\n10|0|9|\"it's\"\n");
    assert_int_equal(source_flush(source, &err), STATUS_OK);
    expect_rows(source, sql, "n:BIGINT|a:BIGINT|b:BIGINT|c:VARCHAR\n10|0|9|\"it's\"\n");
    write_rows(source, 10, 5, true);
    expect_rows(source, "SELECT count(*) n, count(amount) k, sum(amount) s FROM events",
                "n:BIGINT|k:BIGINT|s:DOUBLE\n15|5|1.25\n");
    write_rows(source, 15, 5, true);
    expect_rows(source, sql, "n:BIGINT|a:BIGINT|b:BIGINT|c:VARCHAR\n20|0|19|\"it's\"\n");
    assert_int_equal(source_flush(source, &err), STATUS_OK);
    expect_rows(source, "SELECT count(*) n, count(amount) k, sum(amount) s FROM events",
                "n:BIGINT|k:BIGINT|s:DOUBLE\n20|10|2.5\n");
    source_unref(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(acknowledged_rows_are_seen)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

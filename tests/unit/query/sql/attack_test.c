/* Statements that tenant SQL may not run: each is refused with the right status, and after all of
 * them the same worker process still serves right answers. Also legitimate statements that look
 * alike, so that the gate is not merely shut. */
#include "unit/query/sql/fixture.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

#define REFUSED "sql_refused: "
#define UNKNOWN "unknown_source: "
#define INVALID "invalid_sql: "

/* %s: the tenant's own folder. */
static const struct {
    const char *sql, *prefix;
} attacks[] = {
    /* files by table function */
    {"SELECT * FROM read_text('/etc/passwd')", REFUSED "table function read_text"},
    {"SELECT * FROM READ_TEXT('/etc/passwd')", REFUSED},
    {"SELECT * FROM \"read_text\"('/etc/passwd')", REFUSED},
    {"SELECT * FROM main.read_text('/etc/passwd')", REFUSED},
    {"SELECT * FROM system.main.read_text('/etc/passwd')", REFUSED},
    {"SELECT * FROM read_blob('/etc/passwd')", REFUSED},
    {"SELECT * FROM read_csv('/etc/passwd')", REFUSED},
    {"SELECT * FROM read_csv_auto(['/etc/passwd','/etc/group'])", REFUSED},
    {"SELECT * FROM read_json('/etc/passwd')", REFUSED},
    {"SELECT * FROM read_json_auto('/etc/passwd')", REFUSED},
    {"SELECT * FROM read_ndjson_objects('/etc/passwd')", REFUSED},
    {"SELECT * FROM read_parquet('/tmp/other/sources/a.parquet')", REFUSED},
    {"SELECT * FROM read_parquet('%s/sources/*/*/*.parquet')", REFUSED},
    {"SELECT * FROM parquet_scan('%s/sources/orders/1.parquet')", REFUSED},
    {"SELECT * FROM parquet_metadata('%s/sources/orders/1.parquet')", REFUSED},
    {"SELECT * FROM parquet_file_metadata('x')", REFUSED},
    {"SELECT * FROM parquet_schema('x')", REFUSED},
    {"SELECT * FROM parquet_kv_metadata('x')", REFUSED},
    {"SELECT * FROM parquet_bloom_probe('x','a',1)", REFUSED},
    {"SELECT * FROM sniff_csv('/etc/passwd')", REFUSED},
    {"SELECT * FROM glob('/etc/*')", REFUSED},
    {"SELECT * FROM glob('%s/**')", REFUSED},
    {"SELECT * FROM read_duckdb('/tmp/x.db')", REFUSED},
    {"SELECT * FROM iceberg_scan('/tmp/x')", INVALID "there is no table function"},
    /* files as tables */
    {"FROM '/etc/passwd'", UNKNOWN},
    {"SELECT * FROM '/etc/passwd.csv'", UNKNOWN},
    {"SELECT * FROM \"/etc/passwd.csv\"", UNKNOWN},
    {"SELECT * FROM '%s/sources/orders/1.parquet'", UNKNOWN},
    {"SELECT * FROM '../other/sources/a.parquet'", UNKNOWN},
    {"SELECT * FROM 'http://127.0.0.1/a.parquet'", UNKNOWN},
    {"SELECT * FROM 's3://bucket/a.parquet'", UNKNOWN},
    {"SELECT * FROM main.\"/etc/passwd.csv\"", UNKNOWN},
    /* the engine's catalog */
    {"SELECT * FROM duckdb_settings()", REFUSED},
    {"SELECT * FROM duckdb_views()", REFUSED},
    {"SELECT * FROM duckdb_secrets()", REFUSED},
    {"SELECT * FROM duckdb_functions()", REFUSED},
    {"SELECT * FROM duckdb_temporary_files()", REFUSED},
    {"SELECT * FROM duckdb_views", UNKNOWN},
    {"SELECT * FROM duckdb_logs", UNKNOWN},
    {"SELECT * FROM pg_catalog.pg_tables", REFUSED},
    {"SELECT * FROM pg_views", UNKNOWN},
    {"SELECT * FROM information_schema.tables", REFUSED},
    {"SELECT * FROM system.information_schema.columns", REFUSED},
    {"SELECT * FROM sqlite_master", UNKNOWN},
    {"SELECT * FROM main.sqlite_master", UNKNOWN},
    {"SELECT * FROM temp.main.orders", REFUSED},
    {"SELECT * FROM memory.main.orders", REFUSED},
    {"SELECT * FROM other_tenant.orders", REFUSED},
    {"SHOW TABLES", REFUSED},
    {"SHOW ALL TABLES", REFUSED},
    {"SELECT * FROM (SHOW DATABASES)", REFUSED},
    {"DESCRIBE duckdb_settings", UNKNOWN},
    {"SUMMARIZE pg_views", UNKNOWN},
    {"SELECT * FROM pragma_database_size()", REFUSED},
    {"SELECT * FROM pragma_storage_info('orders')", REFUSED},
    {"SELECT * FROM pragma_table_info('orders')", REFUSED},
    {"SELECT * FROM test_all_types()", REFUSED},
    {"SELECT * FROM seq_scan('orders')", REFUSED},
    {"SELECT * FROM sql_auto_complete('sel')", REFUSED},
    {"SELECT * FROM arrow_scan(1,2,3)", REFUSED},
    {"SELECT * FROM summary((SELECT 1))", REFUSED},
    {"SELECT * FROM histogram_values(orders, id)", REFUSED},
    /* logging: would leave an instance that answers nothing any more */
    {"CALL enable_logging(storage='file', storage_path='/tmp/x')", REFUSED},
    {"SELECT * FROM enable_logging(storage='file', storage_path='/tmp/x')", REFUSED},
    {"SELECT * FROM enable_logging()", REFUSED},
    {"SELECT * FROM disable_logging()", REFUSED},
    {"SELECT * FROM enable_profiling()", REFUSED},
    {"SELECT * FROM truncate_duckdb_logs()", REFUSED},
    {"SELECT * FROM checkpoint()", REFUSED},
    {"SELECT write_log('x')", REFUSED},
    /* statements inside of statements */
    {"SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')", REFUSED},
    {"SELECT * FROM query_table('orders')", REFUSED},
    {"SELECT * FROM query_table(['orders','customers'])", REFUSED},
    {"SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", REFUSED},
    {"SELECT json_serialize_plan('SELECT * FROM read_text(''/etc/passwd'')')", REFUSED},
    {"SELECT json_serialize_sql('SELECT 1')", REFUSED},
    /* functions that tell of the server or change the session */
    {"SELECT current_setting('memory_limit')", REFUSED},
    {"SELECT CURRENT_SETTING('temp_directory')", REFUSED},
    {"SELECT \"current_setting\"('threads')", REFUSED},
    {"SELECT main.current_setting('threads')", REFUSED},
    {"SELECT system.main.current_setting('threads')", REFUSED},
    {"SELECT getenv('HOME')", REFUSED},
    {"SELECT getvariable('x')", REFUSED},
    {"SELECT pg_get_viewdef(1)", REFUSED},
    {"SELECT pg_catalog.pg_get_viewdef(1)", REFUSED},
    {"SELECT pg_sleep(60)", REFUSED},
    {"SELECT sleep_ms(60000)", REFUSED},
    {"SELECT has_table_privilege('a','b')", REFUSED},
    {"SELECT nextval('s')", REFUSED},
    {"SELECT setseed(0.5)", REFUSED},
    {"SELECT stats(id) FROM orders", REFUSED},
    {"SELECT get_block_size('memory')", REFUSED},
    {"SELECT current_setting('threads') OVER () FROM orders", REFUSED},
    /* statements that are no queries */
    {"COPY orders TO '/tmp/x.csv'", REFUSED},
    {"COPY (SELECT 1) TO '%s/sources/orders/1.parquet'", REFUSED},
    {"COPY orders FROM '/etc/passwd'", REFUSED},
    {"ATTACH '/tmp/x.db' AS x", REFUSED},
    {"DETACH memory", REFUSED},
    {"INSTALL httpfs", REFUSED},
    {"LOAD httpfs", REFUSED},
    {"LOAD '/tmp/x.so'", REFUSED},
    {"EXPORT DATABASE '/tmp/x'", REFUSED},
    {"IMPORT DATABASE '/tmp/x'", REFUSED},
    {"PRAGMA version", REFUSED},
    {"PRAGMA memory_limit='64GB'", REFUSED},
    {"SET memory_limit='64GB'", REFUSED},
    {"SET VARIABLE x = 1", REFUSED},
    {"RESET threads", REFUSED},
    {"USE temp", REFUSED},
    {"CREATE TABLE t(a INT)", REFUSED},
    {"CREATE TEMP TABLE t AS SELECT 1", REFUSED},
    {"CREATE OR REPLACE VIEW orders AS SELECT 1", REFUSED},
    {"CREATE MACRO m(x) AS x", REFUSED},
    {"CREATE SECRET s (TYPE s3)", REFUSED},
    {"DROP VIEW orders", REFUSED},
    {"INSERT INTO orders VALUES (1)", REFUSED},
    {"UPDATE orders SET id = 1", REFUSED},
    {"DELETE FROM orders", REFUSED},
    {"ALTER TABLE orders ADD COLUMN x INT", REFUSED},
    {"VACUUM", REFUSED},
    {"CHECKPOINT", REFUSED},
    {"BEGIN", REFUSED},
    {"PREPARE p AS SELECT 1", REFUSED},
    {"EXECUTE p", REFUSED},
    {"EXPLAIN SELECT 1", REFUSED},
    {"EXPLAIN ANALYZE SELECT 1", REFUSED},
    {"PIVOT orders ON paid USING sum(id)", REFUSED "PIVOT is available as"},
    {"SELECT 1; SELECT 2", REFUSED "one statement"},
    {"SELECT 1; DROP VIEW orders", REFUSED "one statement"},
    {"SELECT 1 /* ; */ ; /* */ ATTACH 'x'", REFUSED "one statement"},
    /* names that look like common table expressions but are out of scope */
    {"WITH sqlite_master AS (SELECT * FROM sqlite_master) SELECT * FROM sqlite_master", UNKNOWN},
    {"SELECT * FROM (WITH pg_views AS (SELECT 1) SELECT * FROM pg_views) a, pg_views b", UNKNOWN},
    {"WITH RECURSIVE pg_views AS (SELECT * FROM pg_views UNION ALL SELECT * FROM pg_views) "
     "SELECT * FROM pg_views",
     UNKNOWN},
    {"WITH a AS (SELECT * FROM pg_views), pg_views AS (SELECT 1) SELECT * FROM a", UNKNOWN},
    {"WITH pg_views AS (SELECT 1) SELECT * FROM main.pg_views", UNKNOWN},
    {"WITH a AS (INSERT INTO orders VALUES (1) RETURNING *) SELECT * FROM a", INVALID},
    /* hidden in every kind of clause */
    {"SELECT (SELECT count(*) FROM duckdb_settings())", REFUSED},
    {"SELECT * FROM orders WHERE id IN (SELECT 1 FROM glob('*'))", REFUSED},
    {"SELECT * FROM orders ORDER BY (SELECT content FROM read_text('/etc/passwd'))", REFUSED},
    {"SELECT * FROM orders LIMIT (SELECT 1 FROM glob('*'))", REFUSED},
    {"SELECT * FROM orders LIMIT 1 OFFSET (SELECT 1 FROM glob('*'))", REFUSED},
    {"SELECT list_transform([1], x -> (SELECT 1 FROM glob('*')))", REFUSED},
    {"SELECT EXISTS (SELECT 1 FROM glob('/*'))", REFUSED},
    {"SELECT sum(id) FILTER (WHERE id > (SELECT 1 FROM glob('*'))) FROM orders", REFUSED},
    {"SELECT sum(id) OVER (ORDER BY (SELECT 1 FROM glob('*'))) FROM orders", REFUSED},
    {"SELECT string_agg(customer, ',' ORDER BY (SELECT 1 FROM glob('*'))) FROM orders", REFUSED},
    {"SELECT CASE WHEN (SELECT true FROM glob('*')) THEN 1 END", REFUSED},
    {"SELECT COLUMNS((SELECT 'a' FROM glob('*'))) FROM orders", REFUSED},
    {"SELECT * REPLACE ((SELECT 1 FROM glob('*')) AS id) FROM orders", REFUSED},
    {"VALUES ((SELECT 1 FROM glob('*')))", REFUSED},
    {"SELECT 1 UNION SELECT 1 FROM glob('*')", REFUSED},
    {"SELECT * FROM unnest((SELECT list(file) FROM glob('*')))", REFUSED},
    {"SELECT * FROM orders o JOIN LATERAL (SELECT * FROM glob('*')) ON true", REFUSED},
    {"SELECT * FROM orders o JOIN customers c ON (SELECT true FROM glob('*'))", REFUSED},
    {"SELECT DISTINCT ON ((SELECT 1 FROM glob('*'))) id FROM orders", REFUSED},
    {"SELECT id FROM orders GROUP BY id HAVING (SELECT true FROM glob('*'))", REFUSED},
    {"SELECT id FROM orders QUALIFY (SELECT true FROM glob('*'))", REFUSED},
    {"SELECT id FROM orders GROUP BY GROUPING SETS (((SELECT 1 FROM glob('*'))))", REFUSED},
    {"FROM orders PIVOT (sum((SELECT 1 FROM glob('*'))) FOR paid IN (true))", REFUSED},
    {"SELECT * FROM json_each((SELECT content FROM read_text('/etc/passwd')))", REFUSED},
    /* the files behind a table */
    {"SELECT filename FROM orders", INVALID},
    {"SELECT file_row_number FROM orders", INVALID},
    {"SELECT file_index FROM orders", INVALID},
    {"SELECT * FROM orders AT (VERSION => 1)", "not_implemented: "},
};

static void each_is_refused(void **state)
{
    (void)state;
    struct sql_pool_stats stats;
    size_t count = sizeof attacks / sizeof *attacks;
    assert_true(count >= 60);
    for (size_t i = 0; i < count; i++) {
        char sql[1024];
        const char *mark = strstr(attacks[i].sql, "%s");
        int before = mark ? (int)(mark - attacks[i].sql) : (int)strlen(attacks[i].sql);
        snprintf(sql, sizeof sql, "%.*s%s%s", before, attacks[i].sql, mark ? f.folder : "",
                 mark ? mark + 2 : "");
        expect_prefix(&f, sql, attacks[i].prefix);
    }
    expect_query(&f, "SELECT count(*) n, sum(id)::INT s FROM orders",
                 "n:BIGINT|s:INTEGER\n1000|499500\n");
    sql_pool_get_stats(f.pool, &stats);
    assert_int_equal(stats.workers_started, 1); /* refused, not crashed */
    assert_int_equal(stats.workers_killed, 0);
}

static void look_alikes_run(void **state)
{
    (void)state;
    expect_query(&f, "WITH duckdb_settings AS (SELECT 1 AS a) SELECT * FROM DUCKDB_SETTINGS",
                 "a:INTEGER\n1\n");
    expect_query(&f,
                 "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) "
                 "SELECT list(i) l FROM r",
                 "l:INTEGER[]\n[1,2,3]\n");
    expect_query(&f,
                 "WITH a AS (SELECT 1 x), b AS (SELECT x + 1 x FROM a) "
                 "SELECT (SELECT x FROM b) y FROM a WHERE EXISTS (FROM b)",
                 "y:INTEGER\n2\n");
    expect_query(&f, "SELECT 'read_text(''/etc/passwd'')' t; ",
                 "t:VARCHAR\n\"read_text('/etc/passwd')\"\n");
    expect_query(&f, "/* ; DROP */ SELECT 1 a -- ; DROP VIEW orders", "a:INTEGER\n1\n");
    expect_query(&f, "SELECT \"glob\" FROM (SELECT 3 AS \"glob\")", "glob:INTEGER\n3\n");
    expect_query(&f, "SELECT count(*) n FROM range(3), unnest([1, 2]), generate_series(1, 2)",
                 "n:BIGINT\n12\n");
    expect_query(&f,
                 "SELECT j.key k, j.value v FROM orders o, json_each(o.payload) j "
                 "WHERE o.id = 1 ORDER BY k",
                 "k:VARCHAR|v:JSON\n\"n\"|1\n\"tag\"|\"t1\"\n");
    expect_query(&f,
                 "SELECT id, row_number() OVER (ORDER BY id DESC) r FROM orders "
                 "WHERE id < 3 QUALIFY r = 1",
                 "id:BIGINT|r:BIGINT\n2|1\n");
    expect_query(&f,
                 "FROM (SELECT paid, id FROM orders WHERE id < 4) "
                 "PIVOT (sum(id) FOR paid IN (true, false))",
                 "true:HUGEINT|false:HUGEINT\n2|4\n");
    expect_query(&f, "SELECT COLUMNS(c -> c LIKE 'p%') FROM orders WHERE id = 999",
                 "placed:TIMESTAMP|paid:BOOLEAN|payload:JSON\n"
                 "\"2024-01-01T00:16:39\"|false|null\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_refused),
                                       cmocka_unit_test(look_alikes_run)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

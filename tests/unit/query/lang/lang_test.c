/* The SQL front: errors with their places, limits, what a statement touches, fingerprints, targets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/lang/lang.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static enum status parse(const char *sql, enum lang_dialect dialect, struct lang_query *ret,
                         struct lang_problem *problem)
{
    return lang_parse(&arena, str_of(sql), dialect, NULL, ret, problem);
}

/* Translates to a target, or gives the problem's message. */
static const char *to(const char *sql, enum lang_dialect dialect, enum lang_dialect target)
{
    struct lang_query query;
    struct lang_problem problem;
    struct buf out;
    buf_init(&out, 1 << 20);
    const char *text = NULL;
    if (parse(sql, dialect, &query, &problem) != STATUS_OK ||
        lang_generate(&arena, &query, target, &out, &problem) != STATUS_OK)
        text = arena_printf(&arena, "%s: %s", lang_code_name(problem.code), problem.message);
    else
        text = arena_printf(&arena, "%.*s", STR_ARG(buf_str(&out)));
    buf_release(&out);
    return text;
}

static void test_errors_have_a_place(void **state)
{
    (void)state;
    struct lang_query query;
    struct lang_problem problem;
    assert_int_equal(parse("SELECT a\nFROM t WHERE (b = 1", LANG_MYSQL, &query, &problem),
                     STATUS_INVALID_SQL);
    assert_int_equal(problem.code, LANG_PARSE_ERROR);
    assert_int_equal(problem.line, 2);
    assert_int_equal(problem.column, 20);
    assert_int_equal(problem.offset, 28);
    assert_string_equal(problem.found, "end of statement");
    assert_string_equal(problem.expected[0], ")");
    assert_int_equal(parse("SELEC 1", LANG_MYSQL, &query, &problem), STATUS_INVALID_SQL);
    assert_string_equal(problem.nearest, "SELECT");
    assert_int_equal(problem.offset, 0);
    assert_int_equal(parse("", LANG_MYSQL, &query, &problem), STATUS_INVALID_SQL);
    assert_int_equal(parse("SELECT 1; SELECT 2", LANG_MYSQL, &query, &problem), STATUS_INVALID_SQL);
}

static void test_unknown_things_are_refused(void **state)
{
    (void)state;
    struct lang_query query;
    struct lang_problem problem;
    struct buf out;
    buf_init(&out, 1 << 16);
    assert_int_equal(parse("SELECT a, lenth(b) FROM t", LANG_MYSQL, &query, &problem), STATUS_OK);
    assert_int_equal(lang_generate(&arena, &query, LANG_DUCKDB, &out, &problem),
                     STATUS_INVALID_SQL);
    assert_int_equal(problem.code, LANG_UNSUPPORTED);
    assert_int_equal(problem.offset, 10);
    assert_string_equal(problem.found, "lenth");
    assert_string_equal(problem.nearest, "length");
    buf_release(&out);
    assert_string_equal(to("SELECT CAST(a AS GEOMETRY) FROM t", LANG_MYSQL, LANG_DUCKDB),
                        "UNSUPPORTED: no translation of the type 'GEOMETRY' of dialect mysql");
    assert_string_equal(to("SELECT list_sort(a) FROM t", LANG_DUCKDB, LANG_MYSQL),
                        "UNSUPPORTED: target mysql has nothing for 'list_sort'");
}

static void test_limits(void **state)
{
    (void)state;
    struct lang_query query;
    struct lang_problem problem;
    struct lang_limits limits = {.bytes = 40, .tokens = 12, .in_list = 2, .depth = 10};
    assert_int_equal(lang_parse(&arena,
                                STR("SELECT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                                LANG_MYSQL, &limits, &query, &problem),
                     STATUS_TOO_LARGE);
    assert_int_equal(
        lang_parse(&arena, STR("SELECT 1+1+1+1+1+1+1+1"), LANG_MYSQL, &limits, &query, &problem),
        STATUS_TOO_LARGE);
    assert_int_equal(
        lang_parse(&arena, STR("SELECT a IN (1, 2, 3)"), LANG_MYSQL, &limits, &query, &problem),
        STATUS_TOO_LARGE);
    assert_int_equal(problem.code, LANG_TOO_LARGE);
    limits.tokens = 1000;
    limits.bytes = 1000;
    assert_int_equal(lang_parse(&arena, STR("SELECT ((((((((((((1))))))))))))"), LANG_MYSQL,
                                &limits, &query, &problem),
                     STATUS_TOO_LARGE);
    char *deep = malloc(300001);
    assert_non_null(deep);
    memset(deep, '(', 300000);
    deep[300000] = 0;
    assert_int_not_equal(parse(deep, LANG_POSTGRES, &query, &problem), STATUS_OK);
    memset(deep, '-', 300000);
    memcpy(deep, "SELECT ", 7);
    for (int i = 8; i < 300000; i += 2)
        deep[i] = ' ';
    assert_int_not_equal(parse(deep, LANG_POSTGRES, &query, &problem), STATUS_OK);
    free(deep);
}

static void test_analysis(void **state)
{
    (void)state;
    struct lang_query query;
    struct lang_problem problem;
    struct lang_analysis a;
    const char *sql = "WITH big AS (SELECT customer_id AS c, amount FROM sales WHERE amount > 100) "
                      "SELECT b.c, SUM(b.amount) AS total, COUNT(DISTINCT u.city) FROM big b LEFT "
                      "JOIN users u ON u.id = b.c "
                      "WHERE u.age >= 18 AND 'x' < u.name AND u.city IN ('a', 'b') GROUP BY b.c "
                      "ORDER BY total DESC LIMIT 10 OFFSET 5";
    assert_int_equal(parse(sql, LANG_MYSQL, &query, &problem), STATUS_OK);
    assert_int_equal(query.statement, LANG_SELECT);
    assert_int_equal(lang_analyze(&arena, &query, &a, &problem), STATUS_OK);
    assert_int_equal(a.table_count, 2);
    assert_true(str_is(a.tables[0].name, "sales"));
    assert_true(str_is(a.tables[1].name, "users"));
    assert_true(str_is(a.tables[1].alias, "u"));
    assert_int_equal(a.output_count, 3);
    assert_true(str_is(a.outputs[0].name, "c"));
    assert_int_equal(a.outputs[0].from_count, 1);
    assert_true(str_is(a.outputs[0].from[0].table, "sales"));
    assert_true(str_is(a.outputs[0].from[0].name, "customer_id"));
    assert_true(str_is(a.outputs[1].name, "total"));
    assert_true(a.outputs[1].is_aggregate);
    assert_true(str_is(a.outputs[1].from[0].name, "amount"));
    assert_int_equal(a.aggregate_count, 2);
    assert_true(str_is(a.aggregates[0].function, "sum"));
    assert_true(str_is(a.aggregates[0].alias, "total"));
    assert_true(a.aggregates[1].distinct);
    assert_int_equal(a.join_count, 1);
    assert_string_equal(a.joins[0].side, "left");
    assert_true(str_is(a.joins[0].table, "users"));
    assert_true(str_is(a.joins[0].condition, "u.id = b.c"));
    assert_int_equal(a.filter_count, 4); /* ON, and three of WHERE */
    assert_string_equal(a.filters[1].op, "gte");
    assert_true(str_is(a.filters[1].column.table, "users"));
    assert_true(str_is(a.filters[1].value, "18"));
    assert_string_equal(a.filters[2].op, "gt");
    assert_string_equal(a.filters[3].op, "in");
    assert_int_equal(a.limit, 10);
    assert_int_equal(a.offset, 5);
    assert_int_equal(a.order_count, 1);
    assert_true(a.order_by[0].descending);
    assert_int_equal(a.cte_count, 1);
}

static enum status tables_of(const char *sql, enum lang_dialect dialect)
{
    struct lang_query query;
    struct lang_problem problem;
    struct lang_analysis a;
    if (parse(sql, dialect, &query, &problem) != STATUS_OK ||
        lang_analyze(&arena, &query, &a, &problem) != STATUS_OK)
        return STATUS_INTERNAL;
    return lang_check_tables(&a, &query, &problem);
}

static void test_files_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "SELECT * FROM 'a.parquet'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_parquet('x')",
        "SELECT * FROM t, read_csv('x')",
        "SELECT (SELECT max(a) FROM glob('*'))",
        "SELECT * FROM t WHERE a IN (SELECT b FROM 'x.csv')",
        "WITH c AS (FROM read_text('x')) SELECT 1",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM t JOIN \"s3://b/x\" USING (a)",
        "SELECT * FROM (SELECT * FROM parquet_scan('x')) UNION SELECT 1",
        "INSERT INTO t SELECT * FROM read_json('x')",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (tables_of(bad[i], LANG_DUCKDB) != STATUS_INVALID_SQL)
            fail_msg("allowed: %s", bad[i]);
    }
    assert_int_equal(tables_of("SELECT * FROM t, range(5), unnest([1])", LANG_DUCKDB), STATUS_OK);
}

static void test_fingerprints(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    uint64_t one = lang_fingerprint(
        &arena, STR("SELECT a FROM T WHERE b = 5 AND c IN (1,2, 3) -- x"), LANG_MYSQL, &out);
    assert_true(str_is(buf_str(&out), "select a from t where b = ? and c in ( ? )"));
    assert_int_equal(one,
                     lang_fingerprint(&arena, STR("select `a`\nfrom t where b = -7 and c in ('x')"),
                                      LANG_MYSQL, NULL));
    assert_int_not_equal(one,
                         lang_fingerprint(&arena, STR("select a from t where b > 7 and c in ('x')"),
                                          LANG_MYSQL, NULL));
    assert_int_equal(lang_fingerprint(&arena, STR("select 'x"), LANG_MYSQL, NULL), 0);
    buf_release(&out);
}

static void test_translations(void **state)
{
    (void)state;
    assert_string_equal(to("SELECT `a b` FROM t ORDER BY x LIMIT 5, 3", LANG_MYSQL, LANG_DUCKDB),
                        "SELECT \"a b\" FROM t ORDER BY x NULLS FIRST LIMIT 3 OFFSET 5");
    assert_string_equal(to("SELECT 7 / 2", LANG_POSTGRES, LANG_DUCKDB), "SELECT 7 // 2");
    assert_string_equal(to("SELECT a FROM t ORDER BY a DESC", LANG_POSTGRES, LANG_DUCKDB),
                        "SELECT a FROM t ORDER BY a DESC NULLS FIRST");
    assert_string_equal(to("SELECT a FROM t ORDER BY a", LANG_DUCKDB, LANG_POSTGRES),
                        "SELECT a FROM t ORDER BY a NULLS LAST");
    assert_string_equal(to("SELECT strpos(a, 'x') FROM t", LANG_DUCKDB, LANG_MYSQL),
                        "SELECT LOCATE('x', a) FROM t");
    assert_string_equal(to("SELECT array_agg(a) FROM t", LANG_DUCKDB, LANG_CLICKHOUSE),
                        "SELECT groupArray(a) FROM t");
    assert_string_equal(to("SELECT 'a' LIKE '10\\\\%'", LANG_MYSQL, LANG_DUCKDB),
                        "SELECT 'a' LIKE '10\\%' ESCAPE '\\'");
    assert_string_equal(to("SELECT (a -> 'b') = 'c' FROM t", LANG_POSTGRES, LANG_DUCKDB),
                        "SELECT (a -> '$.b') = 'c' FROM t");
}

static void test_statements(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum lang_statement statement;
    } rows[] = {
        {"INSERT INTO t (a, b) VALUES (1, 2)", LANG_INSERT},
        {"UPDATE t SET a = 1 WHERE b = 2", LANG_UPDATE},
        {"DELETE FROM t WHERE a = 1", LANG_DELETE},
        {"MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1 WHEN NOT MATCHED "
         "THEN INSERT (a) VALUES (s.a)",
         LANG_MERGE},
        {"CREATE TABLE t (a INT NOT NULL, b VARCHAR(10) DEFAULT 'x')", LANG_CREATE_TABLE},
        {"CREATE TABLE t AS SELECT 1 AS a", LANG_CREATE_TABLE},
        {"CREATE OR REPLACE VIEW v AS SELECT 1 AS a", LANG_CREATE_VIEW},
        {"ALTER TABLE t ADD COLUMN c INT", LANG_ALTER},
        {"DROP TABLE IF EXISTS t", LANG_DROP},
        {"SHOW TABLES", LANG_SHOW},
        {"DESCRIBE t", LANG_DESCRIBE},
        {"EXPLAIN SELECT 1", LANG_EXPLAIN},
        {"SET x = 1", LANG_OTHER},
        {"COPY t TO 'x'", LANG_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lang_query query;
        struct lang_problem problem;
        struct lang_analysis a;
        if (parse(rows[i].sql, LANG_POSTGRES, &query, &problem) != STATUS_OK)
            fail_msg("%s: %s", rows[i].sql, problem.message);
        assert_int_equal(query.statement, rows[i].statement);
        assert_int_equal(lang_analyze(&arena, &query, &a, &problem), STATUS_OK);
    }
    assert_string_equal(to("CREATE TABLE t (a INT NOT NULL, b VARCHAR(10) DEFAULT 'x')",
                           LANG_POSTGRES, LANG_DUCKDB),
                        "CREATE TABLE t (a INT NOT NULL, b TEXT(10) DEFAULT 'x')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_errors_have_a_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_things_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_analysis, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fingerprints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_translations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statements, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

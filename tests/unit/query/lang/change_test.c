/* Statements that change rows, as the queries that they become; declared types and defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/lang/change.h"
#include "query/lang/node.h"

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

/* The query that a statement on t (id key, name, x) becomes, or its problem. */
static const char *changed(const char *sql, enum lang_dialect dialect, const char *set)
{
    struct lang_target_column columns[] = {{STR("id"), "BIGINT", true, false},
                                           {STR("name"), "VARCHAR", false, false},
                                           {STR("x"), "DOUBLE", false, false}};
    struct lang_change change = {"target", "u", "r", columns, 3};
    struct lang_query query;
    struct lang_problem problem;
    struct buf out;
    size_t values;
    const char *text = NULL;
    buf_init(&out, 1 << 16);
    if (lang_parse(&arena, str_of(sql), dialect, NULL, &query, &problem) != STATUS_OK)
        fail_msg("%s: %s", sql, problem.message);
    if (lang_change_query(&arena, &query, &change, &out, &values, &problem) != STATUS_OK)
        text = arena_printf(&arena, "%zu:%zu %s", problem.line, problem.column, problem.message);
    else
        text = arena_printf(&arena, "%.*s", STR_ARG(buf_str(&out)));
    buf_release(&out);
    for (size_t i = 0; set && i < 3; i++)
        assert_int_equal(columns[i].set, set[i] == '1');
    return text;
}

static void becomes(const char *sql, enum lang_dialect dialect, const char *wanted)
{
    const char *text = changed(sql, dialect, NULL);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s\n   wanted %s\n   given  %s", sql, wanted, text);
}

static void test_delete_and_update(void **state)
{
    (void)state;
    becomes(
        "DELETE FROM t WHERE x > 1", LANG_POSTGRES,
        "SELECT \"t\".\"u\" AS \"u\", \"t\".\"r\" AS \"r\", CAST(3 AS BIGINT) AS \"quarry action\" "
        "FROM \"target\" AS \"t\" WHERE x > 1");
    becomes(
        "DELETE FROM t a USING s WHERE a.id = s.id", LANG_POSTGRES,
        "SELECT \"a\".\"u\" AS \"u\", \"a\".\"r\" AS \"r\", CAST(3 AS BIGINT) AS \"quarry action\" "
        "FROM \"target\" AS \"a\", s WHERE a.id = s.id");
    becomes("UPDATE t SET x = x * 2 WHERE `name` = 'a'", LANG_MYSQL,
            "SELECT \"t\".\"u\" AS \"u\", \"t\".\"r\" AS \"r\", CAST(2 AS BIGINT) AS \"quarry "
            "action\", "
            "\"t\".\"id\" AS \"id\", \"t\".\"name\" AS \"name\", CAST(x * 2 AS DOUBLE) AS \"x\" "
            "FROM \"target\" AS \"t\" WHERE \"name\" = 'a'");
    becomes("UPDATE t SET x = ? FROM s WHERE s.k = ?", LANG_DUCKDB,
            "SELECT \"t\".\"u\" AS \"u\", \"t\".\"r\" AS \"r\", CAST(2 AS BIGINT) AS \"quarry "
            "action\", "
            "\"t\".\"id\" AS \"id\", \"t\".\"name\" AS \"name\", CAST($1 AS DOUBLE) AS \"x\" "
            "FROM \"target\" AS \"t\", s WHERE s.k = $2 ORDER BY 1, 2");
}

static void test_insert(void **state)
{
    (void)state;
    const char *text = changed("INSERT INTO t (x, id) SELECT a, b FROM s", LANG_DUCKDB, "101");
    assert_string_equal(
        text,
        "SELECT CAST(NULL AS BIGINT) AS \"u\", CAST(NULL AS BIGINT) AS \"r\", CAST(1 AS BIGINT) AS "
        "\"quarry action\", CAST(\"quarry rows\".\"v2\" AS BIGINT) AS \"id\", CAST(NULL AS "
        "VARCHAR) AS "
        "\"name\", CAST(\"quarry rows\".\"v1\" AS DOUBLE) AS \"x\" FROM (SELECT a, b FROM s) AS "
        "\"quarry rows\"(\"v1\", \"v2\")");
    changed("INSERT INTO t VALUES (1, 'a', 2), (2, 'b', 3)", LANG_MYSQL, "111");
}

static void test_merge(void **state)
{
    (void)state;
    const char *text =
        changed("MERGE INTO t USING s ON t.id = s.k WHEN MATCHED THEN UPDATE SET x = s.v "
                "WHEN NOT MATCHED THEN INSERT (id) VALUES (s.k)",
                LANG_SNOWFLAKE, NULL);
    assert_non_null(strstr(text, "JOIN s ON t.id = s.k UNION ALL SELECT"));
    assert_non_null(
        strstr(text, "WHERE NOT EXISTS(SELECT 1 FROM \"target\" AS \"t\" WHERE t.id = s.k)"));
    assert_non_null(
        strstr(text, "CASE WHEN TRUE THEN CAST(s.v AS DOUBLE) ELSE \"t\".\"x\" END AS \"x\""));
}

static void test_refusals(void **state)
{
    (void)state;
    becomes("UPDATE t SET id = 1", LANG_DUCKDB, "1:14 a key column cannot be changed: 'id'");
    becomes("UPDATE t SET x = 1, x = 2", LANG_DUCKDB, "1:21 set twice: 'x'");
    becomes("UPDATE t SET nope = 1", LANG_DUCKDB,
            "1:14 there is no such column of the target: 'nope'");
    becomes("INSERT INTO t (id, id) VALUES (1, 2)", LANG_DUCKDB, "1:20 named twice: 'id'");
    becomes("INSERT INTO t (id) VALUES (1), (1, 2)", LANG_DUCKDB, "1:32 2 values for 1 columns");
    becomes("DELETE FROM t RETURNING id", LANG_POSTGRES,
            "1:25 this is not available here: 'RETURNING'");
    becomes("DELETE FROM t WHERE frobnicate(x)", LANG_MYSQL,
            "1:21 no translation of the function 'frobnicate' of dialect mysql");
}

static void test_declared(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum type type;
        bool loses;
    } rows[] = {{"BIGINT", TYPE_INT64, false},
                {"DECIMAL(18,0)", TYPE_INT64, false},
                {"DECIMAL(10,2)", TYPE_DOUBLE, true},
                {"VARCHAR", TYPE_STRING, false},
                {"INTEGER[]", TYPE_JSON, false},
                {"STRUCT(a INTEGER)", TYPE_JSON, false},
                {"TIMESTAMP WITH TIME ZONE", TYPE_TIMESTAMP, false},
                {"UUID", TYPE_STRING, false}};
    enum type type;
    bool loses;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(lang_named_type(str_of(rows[i].name), &type, &loses));
        assert_int_equal(type, rows[i].type);
        assert_int_equal(loses, rows[i].loses);
    }
    assert_false(lang_named_type(STR("TIME"), &type, &loses));
    assert_false(lang_named_type(STR("BLOB"), &type, &loses));
}

static const char *literal(const char *sql)
{
    struct lang_query query;
    struct lang_problem problem;
    struct buf out;
    buf_init(&out, 1 << 12);
    assert_int_equal(lang_parse(&arena, str_of(sql), LANG_POSTGRES, NULL, &query, &problem),
                     STATUS_OK);
    const struct node *item = query.root->kids[SELECT_ITEMS]->kids[0];
    const char *text = lang_literal_json(&query, item, &out, &problem) == STATUS_OK
                           ? arena_printf(&arena, "%.*s", STR_ARG(buf_str(&out)))
                           : lang_code_name(problem.code);
    buf_release(&out);
    return text;
}

static void test_literals(void **state)
{
    (void)state;
    assert_string_equal(literal("SELECT -1.5"), "-1.5");
    assert_string_equal(literal("SELECT 'it''s \"x\"'"), "\"it's \\\"x\\\"\"");
    assert_string_equal(literal("SELECT TRUE"), "true");
    assert_string_equal(literal("SELECT NULL"), "null");
    assert_string_equal(literal("SELECT DATE '2024-01-01'"), "\"2024-01-01\"");
    assert_string_equal(literal("SELECT now()"), "UNSUPPORTED");
    assert_string_equal(literal("SELECT 1 + 1"), "UNSUPPORTED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delete_and_update, setup, teardown),
        cmocka_unit_test_setup_teardown(test_insert, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_declared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_literals, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

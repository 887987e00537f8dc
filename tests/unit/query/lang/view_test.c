/* Views in statements: what a statement over views becomes, when a view is merged into it, and when
 * it must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "query/lang/view.h"

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

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static const struct field fields[] = {{TEXT("id"), TYPE_INT64, 1},
                                      {TEXT("city"), TYPE_STRING, 2},
                                      {TEXT("amount"), TYPE_DOUBLE, 3},
                                      {TEXT("hidden"), TYPE_INT64, 4}};

/* Each may read those before it. */
static const struct {
    const char *name, *query;
} definitions[] = {
    {"plain", "SELECT id, city, amount FROM sales WHERE amount > 0"},
    {"renamed", "SELECT id AS number, s.amount AS price FROM sales AS s WHERE s.city = 'Oslo'"},
    {"everything", "SELECT * FROM sales"},
    {"nested", "SELECT number FROM renamed WHERE price < 9"},
    {"counted", "SELECT city, count(*) AS n FROM sales GROUP BY city"},
    {"constant", "SELECT 1 AS one"},
    {"with_cte", "WITH sales AS (SELECT 1 AS id) SELECT id FROM sales"},
};
enum { DEFINITIONS = sizeof definitions / sizeof *definitions };

/* The statement in DuckDB's dialect with views put in; "!" and what is wrong. */
static const char *expand(const char *sql, enum lang_dialect dialect)
{
    static char text[4096];
    static struct lang_problems problems;
    struct lang_source *sources = arena_array(&arena, 1 + DEFINITIONS, sizeof *sources);
    struct lang_view *views = arena_array(&arena, DEFINITIONS, sizeof *views);
    struct lang_catalog catalog = {sources, 1};
    struct lang_problem problem = {0};
    struct lang_query query;
    struct buf out;
    bool changed = false;
    sources[0] = lang_source_of(&arena, STR("sales"), fields, 4);
    for (size_t i = 0; i < DEFINITIONS; i++) {
        if (lang_view_make(&arena, str_of(definitions[i].name), str_of(definitions[i].query),
                           &catalog, views, i, &views[i], &problems) != STATUS_OK)
            fail_msg("%s: %s", definitions[i].name, problems.items[0].message);
        sources[catalog.count++] = views[i].source;
    }
    if (lang_parse(&arena, str_of(sql), dialect, NULL, &query, &problem) != STATUS_OK)
        fail_msg("%s: %s", sql, problem.message);
    if (lang_bind(&arena, &query, &catalog, &problems) != STATUS_OK)
        fail_msg("%s: %s", sql, problems.items[0].message);
    buf_init(&out, sizeof text);
    enum status status =
        lang_expand(&arena, &query, &catalog, views, DEFINITIONS, &changed, &problem);
    if (status == STATUS_OK)
        status = lang_rewrite(&arena, &query, &out, &problem);
    if (status == STATUS_OK)
        snprintf(text, sizeof text, "%.*s", STR_ARG(buf_str(&out)));
    else
        snprintf(text, sizeof text, "!%s", problem.message);
    buf_release(&out);
    return text;
}

static void becomes(const char *sql, const char *wanted)
{
    assert_string_equal(expand(sql, LANG_DUCKDB), wanted);
}

static void test_merged(void **state)
{
    (void)state;
    becomes(
        "SELECT id FROM plain WHERE city = 'Rome' ORDER BY id LIMIT 3",
        "SELECT id FROM main.sales AS \"plain\" WHERE \"plain\".\"amount\" > 0 AND city = 'Rome' "
        "ORDER BY id LIMIT 3");
    becomes("SELECT * FROM renamed v WHERE v.price > 1",
            "SELECT \"id\" AS \"number\", \"amount\" AS \"price\" FROM main.sales AS v "
            "WHERE \"v\".\"city\" = 'Oslo' AND v.\"amount\" > 1");
    becomes("SELECT number FROM nested",
            "SELECT \"id\" AS \"number\" FROM main.sales AS \"nested\" WHERE "
            "\"nested\".\"city\" = 'Oslo' AND \"nested\".\"amount\" < 9");
    becomes("SELECT city, sum(amount) AS amount FROM plain GROUP BY city HAVING sum(amount) > 2",
            "SELECT city, SUM(amount) AS amount FROM main.sales AS \"plain\" "
            "WHERE \"plain\".\"amount\" > 0 GROUP BY city HAVING SUM(amount) > 2");
}

static bool stays(const char *sql)
{
    return strstr(expand(sql, LANG_DUCKDB), "FROM (SELECT") != NULL;
}

static void test_not_merged(void **state)
{
    (void)state;
    assert_true(stays("SELECT n FROM counted"));
    assert_true(stays("SELECT one FROM constant"));
    assert_true(stays("SELECT number + 1 FROM renamed")); /* its name is its text */
    assert_false(stays("SELECT number + 1 AS x FROM renamed"));
    assert_true(stays("SELECT id AS hidden FROM plain"));      /* a column that is not shown */
    assert_true(stays("SELECT number AS price FROM renamed")); /* ... that has another name below */
    assert_true(stays("SELECT id FROM plain WHERE id IN (SELECT 1)"));
    assert_true(stays("SELECT list_transform([1], x -> x + id) AS l FROM plain"));
    assert_true(stays("SELECT a.id FROM plain a, sales b"));
    assert_true(stays("SELECT * EXCLUDE (id) FROM plain"));
    assert_true(stays("SELECT COLUMNS('i.*') FROM plain"));
    assert_true(stays("FROM plain"));
}

static void test_scopes(void **state)
{
    (void)state;
    becomes(
        "WITH sales AS (SELECT 1 AS id) SELECT p.id FROM plain AS p, sales AS s",
        "WITH sales AS (SELECT 1 AS id) SELECT p.id FROM (SELECT id, city, amount FROM main.sales "
        "WHERE amount > 0) AS p, sales AS s");
    becomes("WITH plain AS (SELECT 5 AS id) SELECT id FROM plain",
            "WITH plain AS (SELECT 5 AS id) SELECT id FROM plain");
    becomes("SELECT id FROM with_cte",
            "SELECT id FROM (WITH sales AS (SELECT 1 AS id) SELECT id FROM sales) AS \"with_cte\"");
    becomes("SELECT id FROM (SELECT id FROM everything) AS q",
            "SELECT id FROM (SELECT id FROM main.sales AS \"everything\") AS q");
    becomes("SELECT id FROM main.plain AS v",
            "SELECT id FROM main.sales AS v WHERE \"v\".\"amount\" > 0");
}

static void test_dialects(void **state)
{
    (void)state;
    assert_string_equal(expand("SELECT `number` / 2 AS half FROM renamed", LANG_MYSQL),
                        "SELECT \"id\" / 2 AS half FROM main.sales AS \"renamed\" "
                        "WHERE \"renamed\".\"city\" = 'Oslo'");
    assert_string_equal(expand("SELECT n / 2 AS half FROM counted", LANG_POSTGRES),
                        "SELECT n // 2 AS half FROM (SELECT city, COUNT(*) AS n FROM main.sales "
                        "GROUP BY city) AS \"counted\"");
}

static void test_refused(void **state)
{
    (void)state;
    assert_string_equal(expand("DELETE FROM plain WHERE id = 1", LANG_DUCKDB),
                        "!plain is a view: change the sources that it reads");
    assert_string_equal(expand("UPDATE plain SET id = 1", LANG_POSTGRES),
                        "!plain is a view: change the sources that it reads");
}

/* The text that is kept of CREATE VIEW. */
static const char *kept(const char *sql, enum lang_dialect dialect)
{
    static char text[1024];
    struct lang_problem problem = {0};
    struct lang_query query;
    struct buf out;
    if (lang_parse(&arena, str_of(sql), dialect, NULL, &query, &problem) != STATUS_OK)
        fail_msg("%s: %s", sql, problem.message);
    buf_init(&out, sizeof text);
    enum status status = lang_view_text(&arena, &query, &out, &problem);
    if (status == STATUS_OK)
        snprintf(text, sizeof text, "%.*s", STR_ARG(buf_str(&out)));
    else
        snprintf(text, sizeof text, "!%s", problem.message);
    buf_release(&out);
    return text;
}

static void test_text(void **state)
{
    (void)state;
    assert_string_equal(kept("CREATE VIEW v AS SELECT `a` FROM `t` WHERE b <=> 1", LANG_MYSQL),
                        "SELECT \"a\" FROM \"t\" WHERE b IS NOT DISTINCT FROM 1");
    assert_string_equal(kept("CREATE VIEW v (p, q) AS SELECT a, b + 1 FROM t", LANG_DUCKDB),
                        "SELECT a AS \"p\", b + 1 AS \"q\" FROM t");
    assert_string_equal(kept("CREATE VIEW v (p) AS SELECT a FROM t ORDER BY b", LANG_DUCKDB),
                        "SELECT * FROM (SELECT a FROM t ORDER BY b) AS \"view\"(p)");
    assert_string_equal(kept("CREATE VIEW v AS SELECT a FROM t WHERE b = $1", LANG_POSTGRES),
                        "!a view has no parameters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merged),  cmocka_unit_test(test_not_merged),
        cmocka_unit_test(test_scopes),  cmocka_unit_test(test_dialects),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Which queries are brought up to date from new rows alone, and as what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "query/lang/delta.h"

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

static struct lang_delta delta_of(const char *sql, struct lang_query *query)
{
    struct lang_delta delta;
    struct lang_problem problem;
    if (lang_parse(&arena, str_of(sql), LANG_DUCKDB, NULL, query, &problem) != STATUS_OK)
        fail_msg("%s: %s", sql, problem.message);
    assert_int_equal(lang_delta_of(&arena, query, &delta), STATUS_OK);
    return delta;
}

/* "rows", "groups" and a letter for each item, or "no" */
static const char *kind(const char *sql)
{
    static char text[64];
    struct lang_query query;
    struct lang_delta delta = delta_of(sql, &query);
    size_t n = 0;
    if (delta.kind != LANG_DELTA_GROUPS)
        return delta.kind == LANG_DELTA_ROWS ? "rows" : delta.why ? "no" : "no reason";
    n += (size_t)snprintf(text, sizeof text, "groups ");
    for (size_t i = 0; i < delta.len && n + 1 < sizeof text; i++)
        text[n++] = "kcsmxa"[delta.roles[i]];
    text[n] = 0;
    return text;
}

static void test_rows(void **state)
{
    (void)state;
    assert_string_equal(kind("SELECT a, b + 1 AS c FROM t WHERE upper(d) = 'X'"), "rows");
    assert_string_equal(kind("SELECT * FROM main.t"), "rows");
    assert_string_equal(kind("SELECT a FROM t, u"), "no");
    assert_string_equal(kind("SELECT a FROM t JOIN u USING (a)"), "no");
    assert_string_equal(kind("SELECT DISTINCT a FROM t"), "no");
    assert_string_equal(kind("SELECT a FROM t LIMIT 3"), "no");
    assert_string_equal(kind("SELECT a FROM t ORDER BY a"), "no");
    assert_string_equal(kind("SELECT a FROM t WHERE a IN (SELECT b FROM u)"), "no");
    assert_string_equal(kind("SELECT a, row_number() OVER () AS n FROM t"), "no");
    assert_string_equal(kind("SELECT a FROM t UNION ALL SELECT a FROM u"), "no");
    assert_string_equal(kind("WITH u AS (SELECT 1 AS a) SELECT a FROM u"), "no");
    assert_string_equal(kind("SELECT a FROM (SELECT a FROM t) AS q"), "no");
    assert_string_equal(kind("SELECT a FROM t WHERE a < now()"), "no");
    assert_string_equal(kind("SELECT random() AS r FROM t"), "no");
    assert_string_equal(kind("SELECT a FROM t WHERE d < current_date"), "no");
}

static void test_groups(void **state)
{
    (void)state;
    assert_string_equal(kind("SELECT a, count(*) AS n, sum(b) AS s, min(b) AS lo, max(b) AS hi, "
                             "avg(b) AS v FROM t GROUP BY a"),
                        "groups kcsmxa");
    assert_string_equal(kind("SELECT count(a) AS n, sum(b) AS s FROM t"), "groups cs");
    assert_string_equal(kind("SELECT a + 1 AS x, count(*) AS n FROM t GROUP BY 1"), "groups kc");
    assert_string_equal(kind("SELECT a + 1 AS x, count(*) AS n FROM t GROUP BY x"), "groups kc");
    assert_string_equal(kind("SELECT a + 1 AS x, count(*) AS n FROM t GROUP BY a + 1"),
                        "groups kc");
    /* the column is grouped by, not the item of its name */
    assert_string_equal(kind("SELECT lower(a) AS a, count(*) AS n FROM t GROUP BY a"), "no");
    assert_string_equal(kind("SELECT count(*) AS n FROM t GROUP BY a"), "no");
    assert_string_equal(kind("SELECT a, count(*) AS n FROM t GROUP BY ALL"), "no");
    assert_string_equal(kind("SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a)"), "no");
    assert_string_equal(kind("SELECT a, count(*) AS n FROM t GROUP BY a HAVING count(*) > 1"),
                        "no");
    assert_string_equal(kind("SELECT a, count(DISTINCT b) AS n FROM t GROUP BY a"), "no");
    assert_string_equal(kind("SELECT a, sum(b) FILTER (WHERE b > 1) AS n FROM t GROUP BY a"), "no");
    assert_string_equal(kind("SELECT a, sum(b) + 1 AS n FROM t GROUP BY a"), "no");
    assert_string_equal(kind("SELECT a, median(b) AS n FROM t GROUP BY a"), "no");
}

static void test_state_of_avg(void **state)
{
    (void)state;
    struct lang_query query;
    struct lang_problem problem;
    struct buf out;
    struct lang_delta delta =
        delta_of("SELECT a, avg(b) AS v, count(*) AS n FROM t GROUP BY a", &query);
    assert_true(delta.has_avg);
    assert_int_equal(lang_delta_add_state(&arena, &query, &delta), STATUS_OK);
    buf_init(&out, 1024);
    assert_int_equal(lang_rewrite(&arena, &query, &out, &problem), STATUS_OK);
    buf_append_char(&out, 0);
    assert_string_equal(out.data, "SELECT a, AVG(b) AS v, COUNT(*) AS n, SUM(b) AS \"v__sum\", "
                                  "COUNT(b) AS \"v__count\" FROM t GROUP BY a");
    buf_release(&out);
}

static const char *canonical(const char *sql)
{
    static char text[256];
    struct lang_query query;
    struct lang_problem problem;
    struct buf out;
    if (lang_parse(&arena, str_of(sql), LANG_DUCKDB, NULL, &query, &problem) != STATUS_OK)
        return problem.message[0] ? "!" : "?";
    buf_init(&out, sizeof text);
    assert_int_equal(lang_canonical(&arena, &query, &out, &problem), STATUS_OK);
    snprintf(text, sizeof text, "%.*s", STR_ARG(buf_str(&out)));
    buf_release(&out);
    return text;
}

static void test_statements(void **state)
{
    (void)state;
    assert_string_equal(canonical("refresh materialized view v"), "REFRESH MATERIALIZED VIEW v");
    assert_string_equal(canonical("DROP MATERIALIZED VIEW IF EXISTS v"),
                        "DROP MATERIALIZED VIEW IF EXISTS v");
    assert_string_equal(canonical("CREATE MATERIALIZED VIEW v REFRESH EVERY 5 minutes AS SELECT 1"),
                        "CREATE MATERIALIZED VIEW v REFRESH EVERY 5 MINUTES AS SELECT 1");
    assert_string_equal(canonical("CREATE MATERIALIZED VIEW v REFRESH ON DEMAND AS SELECT 1"),
                        "CREATE MATERIALIZED VIEW v AS SELECT 1");
    assert_string_equal(canonical("CREATE MATERIALIZED VIEW v REFRESH EVERY 5 days AS SELECT 1"),
                        "!");
    assert_string_equal(canonical("CREATE MATERIALIZED VIEW v REFRESH EVERY AS SELECT 1"), "!");
    assert_string_equal(canonical("CREATE VIEW v REFRESH ON DEMAND AS SELECT 1"), "!");
    assert_string_equal(canonical("SHOW CREATE VIEW v"), "SHOW CREATE VIEW v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_state_of_avg),
        cmocka_unit_test(test_statements),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

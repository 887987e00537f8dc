/* The semantic check: what is found, where, with which suggestion; what is let alone; what types do
 * to translations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/lang/bind.h"

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

static const struct field sale_fields[] = {
    {TEXT("id"), TYPE_INT64, 1},      {TEXT("customer"), TYPE_STRING, 2},
    {TEXT("amount"), TYPE_DOUBLE, 3}, {TEXT("quantity"), TYPE_INT64, 4},
    {TEXT("day"), TYPE_DATE, 5},      {TEXT("doc"), TYPE_JSON, 6},
    {TEXT("paid"), TYPE_BOOL, 7},
};
static const struct field customer_fields[] = {
    {TEXT("id"), TYPE_INT64, 1},
    {TEXT("name"), TYPE_STRING, 2},
    {TEXT("city"), TYPE_STRING, 3},
};

static struct lang_catalog catalog(void)
{
    struct lang_source *sources = arena_array(&arena, 4, sizeof *sources);
    sources[0] = lang_source_of(&arena, STR("sales"), sale_fields, 7);
    sources[1] = lang_source_of(&arena, STR("customers"), customer_fields, 3);
    sources[2] = lang_source_of(&arena, STR("empty"), NULL, 0);
    sources[3] = lang_source_of(&arena, STR("system.files"), customer_fields, 3);
    return (struct lang_catalog){sources, 4};
}

/* "CODE line:column nearest; ..." or "" */
static const char *bind(const char *sql, enum lang_dialect dialect)
{
    static char text[4096];
    static struct lang_problems problems;
    struct lang_query query;
    struct lang_problem problem;
    struct lang_catalog sources = catalog();
    if (lang_parse(&arena, str_of(sql), dialect, NULL, &query, &problem) != STATUS_OK)
        fail_msg("%s: %s", sql, problem.message);
    lang_bind(&arena, &query, &sources, &problems);
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < problems.count; i++) {
        const struct lang_problem *p = &problems.items[i];
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %zu:%zu%s%s", i ? "; " : "",
                              lang_code_name(p->code), p->line, p->column, p->nearest[0] ? " " : "",
                              p->nearest);
    }
    return text;
}

static void finds(const char *sql, const char *wanted)
{
    const char *found = bind(sql, LANG_POSTGRES);
    if (strcmp(found, wanted) != 0)
        fail_msg("%s\n   wanted %s\n   found  %s", sql, wanted, found);
}

static void test_names(void **state)
{
    (void)state;
    finds("SELECT id, customer FROM sales", "");
    finds("SELECT * FROM sale", "UNKNOWN_TABLE 1:15 sales");
    finds("SELECT id,\n  custmer FROM sales", "UNKNOWN_COLUMN 2:3 customer");
    finds("SELECT s.custmer, s.id FROM sales s", "UNKNOWN_COLUMN 1:8 customer");
    finds("SELECT t.id FROM sales s", "UNKNOWN_TABLE 1:8");
    finds("SELECT nothing_like_it FROM sales", "UNKNOWN_COLUMN 1:8");
    finds("SELECT id FROM sales JOIN customers ON true", "AMBIGUOUS_COLUMN 1:8");
    finds("SELECT sales.id FROM sales JOIN customers USING (id)", "");
    finds("SELECT id FROM sales JOIN customers USING (id)", "");
    finds("SELECT id FROM sales NATURAL JOIN customers", "");
    finds("SELECT a, b FROM sales WHERE c = d",
          "UNKNOWN_COLUMN 1:8; UNKNOWN_COLUMN 1:11; UNKNOWN_COLUMN 1:30; UNKNOWN_COLUMN 1:34 id");
    finds("UPDATE sales SET amont = 1 WHERE idd = 2",
          "UNKNOWN_COLUMN 1:18 amount; UNKNOWN_COLUMN 1:34 id");
    finds("INSERT INTO customers (id, nam) VALUES (1, 'x')", "UNKNOWN_COLUMN 1:28 name");
    finds("DELETE FROM sales WHERE city = 'x'", "UNKNOWN_COLUMN 1:25");
}

static void test_scopes(void **state)
{
    (void)state;
    finds("WITH x AS (SELECT id AS n FROM sales) SELECT n FROM x", "");
    finds("WITH x AS (SELECT id AS n FROM sales) SELECT id FROM x", "UNKNOWN_COLUMN 1:46");
    finds("SELECT q.total FROM (SELECT sum(amount) AS total FROM sales) q", "");
    finds("SELECT q.totl FROM (SELECT sum(amount) AS total FROM sales) q",
          "UNKNOWN_COLUMN 1:8 total");
    finds("SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM sales WHERE customer = c.name)",
          "");
    finds("SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM sales WHERE customer = c.nam)",
          "UNKNOWN_COLUMN 1:81 name");
    finds("SELECT amount * 2 AS twice FROM sales ORDER BY twice", "");
    finds("SELECT id FROM sales UNION ALL SELECT id, name FROM customers", "TYPE_MISMATCH 1:32");
    finds("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) "
          "SELECT n FROM r",
          "");
    finds("SELECT t.b FROM (VALUES (1, 2)) t(a, b)", "");
}

/* What cannot be known is let alone. */
static void test_silence(void **state)
{
    (void)state;
    finds("SELECT anything FROM empty", "");
    finds("SELECT x FROM generate_series(1, 3) AS g(x)", "");
    finds("SELECT doc.a FROM sales", "");
    finds("SELECT sales FROM sales", "");
    finds("SELECT * FROM other.sales", "");
    finds("SELECT x FROM sales, generate_series(1, 3) x", "");
    finds("SELECT city FROM system.files", "");
    assert_string_equal(bind("SELECT list_transform([1], x -> x + 1) FROM sales", LANG_DUCKDB), "");
    assert_string_equal(bind("SELECT DATEADD(day, 1, [day]) FROM sales", LANG_TSQL), "");
    assert_string_equal(bind("SELECT \"none\" FROM sales", LANG_SQLITE), "");
    assert_string_equal(bind("SELECT customer = 1, customer + 1 FROM sales", LANG_MYSQL), "");
}

static void test_types(void **state)
{
    (void)state;
    finds("SELECT 1 FROM sales WHERE customer = 5", "TYPE_MISMATCH 1:27");
    finds("SELECT 1 FROM sales WHERE 5 < customer", "TYPE_MISMATCH 1:31");
    finds("SELECT 1 FROM sales WHERE id = '5'", "");
    finds("SELECT 1 FROM sales WHERE id = 'five'", "TYPE_MISMATCH 1:27");
    finds("SELECT 1 FROM sales WHERE customer IN ('a', 5)", "TYPE_MISMATCH 1:27");
    finds("SELECT 1 FROM sales WHERE customer BETWEEN 'a' AND 'b'", "");
    finds("SELECT 1 FROM sales WHERE day = 5", "TYPE_MISMATCH 1:27");
    finds("SELECT 1 FROM sales WHERE day >= '2024-01-01'", "");
    finds("SELECT customer + 1 FROM sales", "TYPE_MISMATCH 1:8");
    finds("SELECT sum(customer) FROM sales", "TYPE_MISMATCH 1:12");
    finds("SELECT abs(id, 2), nullif(id) FROM sales", "WRONG_ARGUMENTS 1:8; WRONG_ARGUMENTS 1:20");
    assert_string_equal(bind("SELECT 1 FROM sales WHERE customer = 5", LANG_DUCKDB), "");
}

static void test_groups(void **state)
{
    (void)state;
    finds("SELECT customer, count(*) FROM sales GROUP BY customer", "");
    finds("SELECT customer, id, count(*) FROM sales GROUP BY customer", "NOT_GROUPED 1:18");
    finds("SELECT customer, count(*) FROM sales", "NOT_GROUPED 1:8");
    finds("SELECT customer AS c, count(*) FROM sales GROUP BY 1 ORDER BY c", "");
    finds("SELECT upper(customer), sum(amount) FROM sales GROUP BY upper(customer)", "");
    finds("SELECT sales.customer FROM sales GROUP BY customer HAVING sum(amount) > 1", "");
    finds("SELECT customer FROM sales GROUP BY customer HAVING amount > 1", "NOT_GROUPED 1:53");
    finds("SELECT customer FROM sales GROUP BY customer ORDER BY day", "NOT_GROUPED 1:55");
    finds("SELECT a.name FROM customers a WHERE count(*) > 1", "BAD_AGGREGATE 1:38");
    finds("SELECT sum(count(*)) FROM sales", "BAD_AGGREGATE 1:12");
    finds("SELECT sum(count(*)) OVER () FROM sales GROUP BY customer", "");
    finds("SELECT 1 FROM sales GROUP BY max(id)", "BAD_AGGREGATE 1:30");
    finds("SELECT customer, day, count(*) FROM sales GROUP BY ROLLUP (customer, day)", "");
    finds("SELECT name FROM customers c GROUP BY name HAVING name IN (SELECT customer FROM sales)",
          "");
    assert_string_equal(bind("SELECT customer, count(*) FROM sales GROUP BY ALL", LANG_DUCKDB), "");
    assert_string_equal(bind("SELECT customer, max(id) FROM sales", LANG_SQLITE), "");
}

static void test_windows(void **state)
{
    (void)state;
    finds("SELECT row_number() OVER (ORDER BY id) FROM sales", "");
    finds("SELECT row_number() FROM sales", "BAD_WINDOW 1:8");
    finds("SELECT id FROM sales WHERE sum(id) OVER () > 1", "BAD_WINDOW 1:28");
    finds("SELECT id FROM sales WHERE rank() OVER (ORDER BY nope) = 1",
          "BAD_WINDOW 1:28; UNKNOWN_COLUMN 1:50");
    finds("SELECT sum(id) OVER w FROM sales WINDOW w AS (PARTITION BY customr)",
          "UNKNOWN_COLUMN 1:60 customer");
}

static const char *translated(const char *sql, enum lang_dialect dialect)
{
    static struct lang_problems problems;
    struct lang_query query;
    struct lang_problem problem;
    struct lang_catalog sources = catalog();
    struct buf out;
    assert_int_equal(lang_parse(&arena, str_of(sql), dialect, NULL, &query, &problem), STATUS_OK);
    assert_int_equal(lang_bind(&arena, &query, &sources, &problems), STATUS_OK);
    buf_init(&out, 1 << 16);
    if (lang_generate(&arena, &query, LANG_DUCKDB, &out, &problem) != STATUS_OK)
        fail_msg("%s: %s", sql, problem.message);
    const char *text = arena_printf(&arena, "%.*s", STR_ARG(buf_str(&out)));
    buf_release(&out);
    return text;
}

static void gives(const char *sql, enum lang_dialect dialect, const char *wanted)
{
    const char *text = translated(sql, dialect);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s\n   wanted %s\n   given  %s", sql, wanted, text);
}

static void test_division(void **state)
{
    (void)state;
    static const enum lang_dialect whole[] = {LANG_POSTGRES, LANG_SQLITE, LANG_TSQL,
                                              LANG_PRESTO,   LANG_TRINO,  LANG_REDSHIFT};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        gives("SELECT quantity / 2 FROM sales", whole[i], "SELECT quantity // 2 FROM sales");
        gives("SELECT amount / 2 FROM sales", whole[i], "SELECT amount / 2 FROM sales");
    }
    gives("SELECT quantity / 2 FROM sales", LANG_MYSQL, "SELECT quantity / 2 FROM sales");
    gives("SELECT quantity / id FROM sales", LANG_POSTGRES,
          "SELECT CASE WHEN id = 0 THEN CAST(TRUNC(quantity / id) AS BIGINT) ELSE "
          "quantity // id END FROM sales");
    gives("SELECT n / 2 FROM (SELECT max(id) AS n FROM sales) AS q", LANG_PRESTO,
          "SELECT n // 2 FROM (SELECT MAX(id) AS n FROM sales) AS q");
    gives("SELECT n / 2 AS n FROM (SELECT id AS n FROM sales) AS q", LANG_PRESTO,
          "SELECT n // 2 AS n FROM (SELECT id AS n FROM sales) AS q");
    gives("SELECT sum(id) / 2 FROM sales", LANG_PRESTO, "SELECT SUM(id) // 2 FROM sales");
    /* numeric there: the sum of bigint, a branch of a CASE, a part of a time */
    gives("SELECT sum(id) / 2 FROM sales", LANG_POSTGRES, "SELECT SUM(id) / 2 FROM sales");
    gives("SELECT CASE WHEN paid THEN id ELSE 0.5 END / 2 FROM sales", LANG_POSTGRES,
          "SELECT CASE WHEN paid THEN id ELSE 0.5 END / 2 FROM sales");
    gives("SELECT coalesce(id, 0.5) / 2 FROM sales", LANG_TRINO,
          "SELECT COALESCE(id, 0.5) / 2 FROM sales");
    gives("SELECT AVG(quantity) FROM sales", LANG_TSQL,
          "SELECT CAST(TRUNC(AVG(quantity)) AS BIGINT) FROM sales");
    gives("SELECT customer + 'x' FROM sales", LANG_TSQL, "SELECT customer || 'x' FROM sales");
}

/* Deep and long statements end in a list that is full, not in a fault. */
static void test_limits(void **state)
{
    (void)state;
    static struct lang_problems problems;
    struct lang_query query;
    struct lang_catalog sources = catalog();
    struct buf sql;
    buf_init(&sql, 1 << 20);
    buf_append_str(&sql, STR("SELECT 1"));
    for (int i = 0; i < 1000; i++)
        buf_printf(&sql, ", nope%d", i);
    buf_append_str(&sql, STR(" FROM sales"));
    assert_int_equal(lang_parse(&arena, buf_str(&sql), LANG_MYSQL, NULL, &query, NULL), STATUS_OK);
    assert_int_equal(lang_bind(&arena, &query, &sources, &problems), STATUS_INVALID_SQL);
    assert_int_equal(problems.count, LANG_PROBLEMS_MAX);
    buf_release(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scopes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_division, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

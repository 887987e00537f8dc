/* Plans of the DSL and of SQL: each rule on a small query, what it must not do, levels and
 * switches, broken trees, and that a query has one fingerprint whichever way it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/dsl/text.h"
#include "query/dsl/to_plan.h"
#include "query/lang/lang.h"

struct work {
    struct arena arena;
    yyjson_doc *doc;
    struct plan plan;
    struct buf out;
};

static void begin(struct work *w)
{
    memset(w, 0, sizeof *w);
    arena_init(&w->arena, 0);
    plan_init(&w->plan, &w->arena);
    buf_init(&w->out, 4 << 20);
}

static void end(struct work *w)
{
    yyjson_doc_free(w->doc);
    buf_release(&w->out);
    arena_release(&w->arena);
}

static struct dsl_query *parse_dsl(struct work *w, const char *text)
{
    static const struct dsl_options options = {.open_parameters = true};
    struct dsl_query *query;
    assert_int_equal(dsl_parse_text(&w->arena, str_of(text), &options, &query, &w->doc, NULL),
                     STATUS_OK);
    assert_int_equal(dsl_query_errors(query)->len, 0);
    return query;
}

static enum status plan_sql(struct work *w, const char *sql, struct error *err)
{
    struct lang_query query;
    struct lang_problem problem;
    struct json_writer writer;
    assert_int_equal(lang_parse(&w->arena, str_of(sql), LANG_DUCKDB, NULL, &query, &problem),
                     STATUS_OK);
    json_writer_init(&writer, &w->out);
    lang_tree_json(&query, &writer);
    assert_int_equal(json_parse(buf_str(&w->out), &w->doc, NULL), STATUS_OK);
    return plan_of_sql(&w->plan, yyjson_doc_get_root(w->doc), err);
}

static const char *optimized(struct work *w, enum plan_level level)
{
    struct plan_options options = {
        .level = level, .optimize_joins = true, .push_down_filters = true, .column_pruning = true};
    struct json_writer writer;
    assert_int_equal(plan_optimize(&w->plan, &options, NULL), STATUS_OK);
    buf_clear(&w->out);
    json_writer_init(&writer, &w->out);
    plan_write(w->plan.root, &writer);
    buf_append_char(&w->out, '\0');
    assert_false(buf_failed(&w->out));
    return w->out.data;
}

static bool used(const struct work *w, const char *rule)
{
    for (uint32_t i = 0; i < w->plan.rules_len; i++)
        if (strcmp(w->plan.rules[i].rule, rule) == 0)
            return true;
    return false;
}

static void test_whole_plan(void **state)
{
    (void)state;
    struct work w;
    begin(&w);
    assert_int_equal(
        dsl_to_plan(parse_dsl(&w, "SEARCH FROM s WHERE a > 1 SELECT b ORDER BY c LIMIT 5 OFFSET 2"),
                    &w.plan, NULL),
        STATUS_OK);
    assert_string_equal(
        optimized(&w, PLAN_BASIC),
        "{\"operator\":\"project\",\"columns\":[{\"expression\":{\"column\":\"b\"},\"alias\":\"b\"}"
        "],"
        "\"input\":{\"operator\":\"top_k\",\"keys\":[{\"expression\":{\"column\":\"c\"},"
        "\"direction\":\"asc\",\"nulls\":\"last\"}],\"limit\":5,\"offset\":2,\"input\":{"
        "\"operator\":"
        "\"scan\",\"source\":\"s\",\"columns\":[\"b\",\"c\",\"a\"],\"pushed_filters\":[{"
        "\"function\":"
        "\"gt\",\"args\":[{\"column\":\"a\"},{\"value\":1}]}]}}}");
    end(&w);
}

static const struct {
    const char *sql;
    enum plan_level level;
    const char *rule;
    bool applies;
    const char *has; /* in the plan; NULL: nothing to look for */
} rules[] = {
    {"SELECT a FROM t WHERE a > 1 AND TRUE", PLAN_BASIC, "constant_folding", true, NULL},
    {"SELECT a FROM t WHERE NOT (NOT (a > 1))", PLAN_BASIC, "constant_folding", true, NULL},
    {"SELECT a FROM t WHERE 1 = 2", PLAN_BASIC, "empty_result", true, "\"empty\""},
    {"SELECT a FROM t WHERE a = 1 OR 1 = 2", PLAN_BASIC, "empty_result", false, "\"eq\""},
    {"SELECT a FROM t WHERE a + 1 > 1 + 2", PLAN_BASIC, "constant_folding", true, "{\"value\":3}"},
    {"SELECT a FROM t WHERE NOT (a > 1)", PLAN_BASIC, "constant_folding", false, "\"not\""},
    {"SELECT a FROM t WHERE a > 1", PLAN_BASIC, "predicate_pushdown", true, "\"pushed_filters\""},
    {"SELECT t.a FROM t LEFT JOIN u ON t.a = u.b WHERE u.c = 1", PLAN_BASIC, "predicate_pushdown",
     false, "\"type\":\"left\""},
    {"SELECT t.a FROM t LEFT JOIN u ON t.a = u.b WHERE u.c = 1", PLAN_AGGRESSIVE,
     "outer_join_to_inner", true, "\"type\":\"inner\""},
    {"SELECT t.a FROM t LEFT JOIN u ON t.a = u.b WHERE u.c IS NULL", PLAN_AGGRESSIVE,
     "outer_join_to_inner", false, "\"type\":\"left\""},
    {"SELECT t.a FROM t LEFT JOIN u ON t.a = u.b AND t.c = 1", PLAN_BASIC, "predicate_pushdown",
     false, NULL},
    {"SELECT t.a FROM t LEFT JOIN u ON t.a = u.b AND u.c = 1", PLAN_BASIC, "predicate_pushdown",
     true, NULL},
    {"SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)", PLAN_BASIC, "predicate_pushdown", false,
     "\"subquery\""},
    {"SELECT a FROM t ORDER BY b DESC LIMIT 3", PLAN_BASIC, "top_k", true, "\"desc\""},
    {"SELECT a FROM t LIMIT 3", PLAN_BASIC, "limit_pushdown", true, "\"limit\":3"},
    {"SELECT DISTINCT a FROM t LIMIT 3", PLAN_BASIC, "column_pruning", true, NULL},
    {"SELECT * FROM t", PLAN_BASIC, "column_pruning", false, "\"columns\":\"*\""},
    {"SELECT count(*) FROM t", PLAN_AGGRESSIVE, "metadata_only", true, NULL},
    {"SELECT count(*) FROM t WHERE a = 1", PLAN_AGGRESSIVE, "metadata_only", false, NULL},
    {"SELECT b, sum(a) FROM t GROUP BY b", PLAN_AGGRESSIVE, "partial_aggregation", true, NULL},
    {"SELECT median(a) FROM t", PLAN_AGGRESSIVE, "partial_aggregation", false, NULL},
    {"SELECT a FROM t WHERE b BETWEEN 1 AND 2", PLAN_AGGRESSIVE, "partition_pruning", true,
     "\"pruning\""},
    {"SELECT a FROM t WHERE b BETWEEN 1 AND 2", PLAN_BASIC, "partition_pruning", false, NULL},
    {"SELECT b, sum(a) AS s FROM t GROUP BY b HAVING b = 2 AND sum(a) > 1", PLAN_BASIC,
     "predicate_pushdown", true, "\"pushed_filters\""},
    {"SELECT t.a FROM t JOIN u ON t.a = u.b WHERE u.c = 1", PLAN_AGGRESSIVE, "join_reordering",
     true, NULL},
    {"SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1 LIMIT 2", PLAN_BASIC, "top_k", true,
     "\"set\""},
    {"SELECT x.a FROM (SELECT a FROM t) x WHERE x.a > 1", PLAN_NONE, "predicate_pushdown", false,
     NULL},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct work w;
        begin(&w);
        assert_int_equal(plan_sql(&w, rules[i].sql, NULL), STATUS_OK);
        const char *plan = optimized(&w, rules[i].level);
        bool ok = used(&w, rules[i].rule) == rules[i].applies &&
                  (!rules[i].has || strstr(plan, rules[i].has));
        if (!ok)
            print_error("%s: %s\n%s\n", rules[i].rule, rules[i].sql, plan);
        assert_true(ok);
        end(&w);
    }
}

static void test_switches(void **state)
{
    (void)state;
    struct work w;
    struct plan_options options = {.level = PLAN_AGGRESSIVE};
    begin(&w);
    assert_int_equal(plan_sql(&w, "SELECT t.a FROM t LEFT JOIN u ON t.a = u.b WHERE u.c = 1", NULL),
                     STATUS_OK);
    assert_int_equal(plan_optimize(&w.plan, &options, NULL), STATUS_OK);
    assert_int_equal(w.plan.rules_len, 0);
    end(&w);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void test_late(void **state)
{
    (void)state;
    struct work w;
    struct plan_options options = {.level = PLAN_BASIC, .late = at_once};
    begin(&w);
    assert_int_equal(plan_sql(&w, "SELECT a FROM t", NULL), STATUS_OK);
    assert_int_equal(plan_optimize(&w.plan, &options, NULL), STATUS_TIMEOUT);
    end(&w);
}

/* What comes over the wire need not be a tree of ours. */
static void test_broken_trees(void **state)
{
    (void)state;
    static const char *const trees[] = {
        "{\"kind\":\"drop\"}",
        "{\"kind\":5}",
        "{\"kind\":\"select\",\"from\":{}}",
        "{\"kind\":\"select\",\"from\":{\"kind\":\"table\"}}",
        "{\"kind\":\"select\",\"from\":{\"kind\":\"join\",\"left\":5}}",
        "{\"kind\":\"select\",\"from\":{\"kind\":\"table_query\"}}",
        "{\"kind\":\"set_operation\"}",
        "{\"kind\":\"select\",\"from\":{\"kind\":\"pivot\"}}",
    };
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        struct work w;
        begin(&w);
        assert_int_equal(json_parse(str_of(trees[i]), &w.doc, NULL), STATUS_OK);
        enum status status = plan_of_sql(&w.plan, yyjson_doc_get_root(w.doc), NULL);
        assert_true(status == STATUS_INVALID_ARGUMENT || status == STATUS_NOT_IMPLEMENTED);
        end(&w);
    }
}

static const struct {
    const char *dsl, *sql;
    enum lang_dialect dialect;
} same[] = {
    {"SEARCH FROM sales WHERE amount > 100", "select * from sales where amount > 5 limit 10",
     LANG_MYSQL},
    {"SEARCH FROM sales WHERE amount > 100 SELECT id, customer ORDER BY amount DESC LIMIT 7",
     "SELECT `id`, customer FROM `sales` WHERE amount > 1 ORDER BY amount DESC LIMIT 1",
     LANG_MYSQL},
    {"SEARCH FROM sales WHERE customer IN ('a', 'b', 'c') AND day BETWEEN '2024-01-01' AND "
     "'2024-02-01' LIMIT 5 OFFSET 6",
     "SELECT * FROM sales WHERE customer IN ('x') AND (day >= '2020-01-01' AND day <= "
     "'2021-01-01') LIMIT 1 OFFSET 2",
     LANG_POSTGRES},
    {"AGGREGATE SUM(amount) AS total, COUNT(*) AS n FROM sales WHERE a = 1 GROUP BY customer "
     "HAVING total > 5 ORDER BY total",
     "SELECT customer, SUM(amount) AS total, COUNT(*) AS n FROM sales WHERE a = 2 GROUP BY "
     "customer HAVING SUM(amount) > 9 ORDER BY total LIMIT 3",
     LANG_DUCKDB},
};

static void test_fingerprints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct work w;
        struct buf text;
        begin(&w);
        buf_init(&text, 1 << 16);
        struct dsl_query *query = parse_dsl(&w, same[i].dsl);
        uint64_t a = dsl_fingerprint(&w.arena, query);
        uint64_t b = lang_fingerprint(&w.arena, str_of(same[i].sql), same[i].dialect, &text);
        if (a != b) {
            struct dsl_generate_options how = {0};
            struct dsl_sql sql;
            assert_int_equal(dsl_generate(&w.arena, query, &how, &sql, NULL), STATUS_OK);
            print_error("%s\n%.*s\n", sql.text.data, STR_ARG(buf_str(&text)));
        }
        assert_int_not_equal(a, 0);
        assert_int_equal(a, b);
        buf_release(&text);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_plan),   cmocka_unit_test(test_rules),
        cmocka_unit_test(test_switches),     cmocka_unit_test(test_late),
        cmocka_unit_test(test_broken_trees), cmocka_unit_test(test_fingerprints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

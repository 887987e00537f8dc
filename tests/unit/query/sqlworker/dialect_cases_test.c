/* dialect_cases_test.c: the shared SQL cases (sql-cases/README.md) against the front: pairs by
 * syntax tree, plan or rows on DuckDB; rows of real engines; broken queries; queries that must be
 * read. Prints one line a dialect and asserts the counts reached so far.
 *
 * QUARRY_CASES_SHOW=<dialect> prints the failures of one dialect. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <duckdb.h>

#include "base/json.h"
#include "query/lang/bind.h"
#include "query/lang/lang.h"

enum { TEXT_MAX = 1 << 22 };

static yyjson_doc *load(const char *name)
{
    const char *shared = getenv("QUARRY_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/sql-cases/%s", shared ? shared : "../shared", name);
    yyjson_read_err err;
    yyjson_doc *doc = yyjson_read_file(path, 0, NULL, &err);
    if (!doc)
        fail_msg("cannot read %s (set QUARRY_SHARED): %s", path, err.msg);
    return doc;
}

static bool shows(const char *dialect)
{
    const char *wanted = getenv("QUARRY_CASES_SHOW");
    return wanted && strcmp(wanted, dialect) == 0;
}

/* ---- DuckDB ---- */

struct engine {
    duckdb_database db;
    duckdb_connection con;
};

static void engine_open(struct engine *e)
{
    assert_int_equal(duckdb_open(NULL, &e->db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(e->db, &e->con), DuckDBSuccess);
    duckdb_query(e->con, "SET threads = 1", NULL);
    duckdb_query(e->con, "SET TimeZone = 'UTC'", NULL);
    duckdb_query(e->con, "SET autoinstall_known_extensions = false", NULL);
}

static void engine_close(struct engine *e)
{
    duckdb_disconnect(&e->con);
    duckdb_close(&e->db);
}

struct rows {
    char **cells;
    size_t rows, columns;
    char *error;
};

static void rows_free(struct rows *r)
{
    for (size_t i = 0; i < r->rows * r->columns; i++)
        free(r->cells[i]);
    free(r->cells);
    free(r->error);
    *r = (struct rows){0};
}

static struct rows run_plain(struct engine *e, const char *sql)
{
    struct rows r = {0};
    duckdb_result result;
    if (duckdb_query(e->con, sql, &result) != DuckDBSuccess) {
        r.error = strdup(duckdb_result_error(&result) ? duckdb_result_error(&result) : "?");
        duckdb_destroy_result(&result);
        return r;
    }
    r.rows = duckdb_row_count(&result);
    r.columns = duckdb_column_count(&result);
    r.cells = calloc(r.rows * r.columns + 1, sizeof *r.cells);
    for (size_t i = 0; i < r.rows; i++) {
        for (size_t k = 0; k < r.columns; k++) {
            char *value = duckdb_value_varchar(&result, k, i);
            r.cells[i * r.columns + k] = value ? strdup(value) : NULL;
            duckdb_free(value);
        }
    }
    duckdb_destroy_result(&result);
    return r;
}

/* Every column as text, also nested ones. */
static struct rows run(struct engine *e, const char *sql)
{
    char *wrapped = NULL;
    if (asprintf(&wrapped, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (%s\n) AS _q", sql) < 0)
        abort();
    struct rows r = run_plain(e, wrapped);
    free(wrapped);
    if (!r.error)
        return r;
    rows_free(&r);
    return run_plain(e, sql);
}

/* ---- comparing values ---- */

static void squeeze(const char *from, char *to, size_t max)
{
    size_t n = 0;
    for (; *from && n + 1 < max; from++) {
        if (!strchr("[](){}\"' \n", *from))
            to[n++] = *from;
    }
    to[n] = 0;
    if (n > 8 && strcmp(to + n - 8, "00:00:00") == 0)
        to[n - 8] = 0;
    if (n > 3 && strcmp(to + n - 3, "+00") == 0)
        to[n -= 3] = 0;
    if (n > 8 && strcmp(to + n - 8, "00:00:00") == 0)
        to[n - 8] = 0;
    if (strcmp(to, "true") == 0 || strcmp(to, "t") == 0)
        snprintf(to, max, "1");
    if (strcmp(to, "false") == 0 || strcmp(to, "f") == 0)
        snprintf(to, max, "0");
}

static bool same_value(const char *a, const char *b)
{
    if (!a || !b)
        return !a && !b;
    if (strcmp(a, b) == 0)
        return true;
    static char left[1 << 16], right[1 << 16];
    squeeze(a, left, sizeof left);
    squeeze(b, right, sizeof right);
    if (strcmp(left, right) == 0)
        return true;
    char *end_a, *end_b;
    double x = strtod(left, &end_a), y = strtod(right, &end_b);
    if (*end_a || *end_b || end_a == left || end_b == right)
        return false;
    return fabs(x - y) <= 1e-4 * fmax(fabs(x), fabs(y)) + 1e-12;
}

static size_t sort_columns;

static int compare_rows(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    for (size_t k = 0; k < sort_columns; k++) {
        int order = strcmp(x[k] ? x[k] : "", y[k] ? y[k] : "");
        if (order)
            return order;
    }
    return 0;
}

static bool same_rows(struct rows *a, struct rows *b, bool ordered)
{
    if (a->error || b->error || a->rows != b->rows || (a->rows && a->columns != b->columns))
        return false;
    if (!ordered && a->rows) {
        sort_columns = a->columns;
        qsort(a->cells, a->rows, a->columns * sizeof *a->cells, compare_rows);
        qsort(b->cells, b->rows, b->columns * sizeof *b->cells, compare_rows);
    }
    for (size_t i = 0; i < a->rows * a->columns; i++) {
        if (!same_value(a->cells[i], b->cells[i]))
            return false;
    }
    return true;
}

/* ---- comparing trees ---- */

static bool same_tree(yyjson_val *a, yyjson_val *b)
{
    if (yyjson_get_type(a) != yyjson_get_type(b))
        return false;
    if (yyjson_is_str(a))
        return str_eq_nocase(json_str_of(a), json_str_of(b));
    if (yyjson_is_arr(a)) {
        if (yyjson_arr_size(a) != yyjson_arr_size(b))
            return false;
        for (size_t i = 0; i < yyjson_arr_size(a); i++) {
            if (!same_tree(yyjson_arr_get(a, i), yyjson_arr_get(b, i)))
                return false;
        }
        return true;
    }
    if (yyjson_is_obj(a)) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(a);
        yyjson_val *key;
        size_t count = 0,
               other = yyjson_obj_size(b) - (yyjson_obj_get(b, "query_location") ? 1 : 0);
        while ((key = yyjson_obj_iter_next(&iter))) {
            if (yyjson_equals_str(key, "query_location"))
                continue;
            yyjson_val *match = yyjson_obj_get(b, yyjson_get_str(key));
            if (!match || !same_tree(yyjson_obj_iter_get_val(key), match))
                return false;
            count++;
        }
        return count == other;
    }
    return yyjson_equals(a, b);
}

static char *serialize(struct engine *e, const char *sql)
{
    duckdb_prepared_statement statement;
    duckdb_result result;
    char *json = NULL;
    if (duckdb_prepare(
            e->con, "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)",
            &statement) == DuckDBSuccess) {
        duckdb_bind_varchar(statement, 1, sql);
        if (duckdb_execute_prepared(statement, &result) == DuckDBSuccess) {
            char *value = duckdb_value_varchar(&result, 0, 0);
            json = value ? strdup(value) : NULL;
            duckdb_free(value);
        }
        duckdb_destroy_result(&result);
    }
    duckdb_destroy_prepare(&statement);
    return json;
}

static bool equal_trees(struct engine *e, const char *a, const char *b)
{
    char *left = serialize(e, a), *right = serialize(e, b);
    bool same = false;
    if (left && right && !strstr(left, "\"error\":true") && !strstr(right, "\"error\":true")) {
        yyjson_doc *x = yyjson_read(left, strlen(left), 0),
                   *y = yyjson_read(right, strlen(right), 0);
        same = x && y && same_tree(yyjson_doc_get_root(x), yyjson_doc_get_root(y));
        yyjson_doc_free(x);
        yyjson_doc_free(y);
    }
    free(left);
    free(right);
    return same;
}

static bool equal_plans(struct engine *e, const char *a, const char *b)
{
    char *first = NULL, *second = NULL;
    if (asprintf(&first, "EXPLAIN %s", a) < 0 || asprintf(&second, "EXPLAIN %s", b) < 0)
        abort();
    struct rows x = run_plain(e, first), y = run_plain(e, second);
    bool same = !x.error && !y.error && x.rows && y.rows &&
                strcmp(x.cells[x.columns - 1], y.cells[y.columns - 1]) == 0;
    rows_free(&x);
    rows_free(&y);
    free(first);
    free(second);
    return same;
}

/* ---- translating ---- */

/* The light type of a DuckDB type, as far as a source of Quarry could have it. */
static uint8_t light_type(const char *name)
{
    static const struct {
        const char *name;
        uint8_t type;
    } types[] = {{"INTEGER", TY_INT},  {"BIGINT", TY_INT}, {"DOUBLE", TY_DOUBLE},
                 {"VARCHAR", TY_TEXT}, {"DATE", TY_DATE},  {"TIMESTAMP", TY_TIMESTAMP},
                 {"BOOLEAN", TY_BOOL}, {"JSON", TY_JSON}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, types[i].name) == 0)
            return types[i].type;
    }
    return TY_UNKNOWN;
}

/* What tables the engine has now, as a catalog. */
static struct lang_catalog catalog_of(struct arena *arena, struct engine *e)
{
    struct rows r = run_plain(e, "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                                 "WHERE NOT internal ORDER BY table_name, column_index");
    struct lang_source *sources = arena_array(arena, r.rows + 1, sizeof *sources);
    struct lang_source_column *columns = arena_array(arena, r.rows + 1, sizeof *columns);
    size_t count = 0;
    for (size_t i = 0; i < r.rows; i++) {
        char **row = &r.cells[i * r.columns];
        if (!count || !str_eq(sources[count - 1].name, str_of(row[0])))
            sources[count++] = (struct lang_source){.name = arena_str(arena, str_of(row[0])),
                                                    .columns = &columns[i]};
        sources[count - 1].count++;
        columns[i].name = arena_str(arena, str_of(row[1]));
        columns[i].type = light_type(row[2]);
    }
    rows_free(&r);
    return (struct lang_catalog){sources, count};
}

/* With an engine: bound to its tables first; what the binder minds is an error. */
static char *translate(struct engine *e, struct str sql, enum lang_dialect dialect,
                       struct lang_problem *problem)
{
    static struct lang_problems problems;
    struct arena arena;
    struct lang_query query;
    struct buf out;
    arena_init(&arena, 0);
    buf_init(&out, TEXT_MAX);
    char *text = NULL;
    enum status status = lang_parse(&arena, sql, dialect, NULL, &query, problem);
    if (status == STATUS_OK && e) {
        struct lang_catalog catalog = catalog_of(&arena, e);
        status = lang_bind(&arena, &query, &catalog, &problems);
        if (status != STATUS_OK)
            *problem = problems.items[0];
    }
    if (status == STATUS_OK &&
        lang_generate(&arena, &query, LANG_DUCKDB, &out, problem) == STATUS_OK)
        text = str_dup(buf_str(&out));
    buf_release(&out);
    arena_release(&arena);
    return text;
}

static void run_setup(struct engine *e, yyjson_val *setup)
{
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(setup, i, n, item)
    {
        duckdb_query(e->con, yyjson_get_str(item), NULL);
    }
}

static bool pair_holds(struct engine *e, yyjson_val *test, const char *text)
{
    const char *expected = yyjson_get_str(json_get(test, "expected"));
    if (equal_trees(e, text, expected))
        return true;
    if (yyjson_get_bool(json_get(test, "nondet")))
        return false;
    run_setup(e, json_get(test, "setup"));
    if (equal_plans(e, text, expected))
        return true;
    struct rows a = run(e, text), b = run(e, expected);
    bool same = same_rows(&a, &b, yyjson_get_bool(json_get(test, "ordered")));
    rows_free(&a);
    rows_free(&b);
    return same;
}

/* The binder never refuses what is right, and types make no translation worse. Its tables are those
 * of the case: without them there is nothing to bind to. */
static bool bound_differs(struct engine *e, yyjson_val *test, struct str sql,
                          enum lang_dialect dialect, const char *unbound)
{
    struct lang_problem problem = {0};
    if (yyjson_arr_size(json_get(test, "setup")) == 0)
        return false;
    run_setup(e, json_get(test, "setup"));
    struct rows plain = run(e, unbound);
    bool runs = !plain.error;
    rows_free(&plain);
    if (!runs)
        return false;
    char *text = translate(e, sql, dialect, &problem);
    bool good = text && (strcmp(text, unbound) == 0 || pair_holds(e, test, text));
    if (!good)
        printf("BOUND %.*s\n   %s\n   %s\n", STR_ARG(sql), text ? text : problem.message, unbound);
    free(text);
    return !good;
}

struct bar {
    const char *dialect;
    int pairs; /* reached so far, of the pairs */
    int rows;  /* and of the rows, or 0 */
};

static const struct bar bars[] = {
    {"mysql", 150, 115},     {"postgres", 224, 99}, {"duckdb", 218, 0}, {"bigquery", 355, 0},
    {"snowflake", 575, 0},   {"spark", 275, 0},     {"hive", 150, 0},   {"databricks", 106, 0},
    {"clickhouse", 115, 82}, {"tsql", 146, 0},      {"presto", 232, 0}, {"trino", 68, 0},
    {"sqlite", 62, 54},      {"redshift", 93, 0},   {"oracle", 63, 0},
};

static int check_pairs(const struct bar *bar, size_t *ret_total)
{
    char name[64];
    snprintf(name, sizeof name, "dialect-%s.json", bar->dialect);
    yyjson_doc *doc = load(name);
    struct engine e;
    enum lang_dialect dialect;
    int good = 0, wrong = 0;
    assert_true(lang_dialect_find(str_of(bar->dialect), &dialect));
    engine_open(&e);
    size_t i, n;
    yyjson_val *test, *cases = json_get(yyjson_doc_get_root(doc), "cases");
    yyjson_arr_foreach(cases, i, n, test)
    {
        struct lang_problem problem;
        struct str sql = json_str_of(json_get(test, "sql"));
        char *text = translate(NULL, sql, dialect, &problem);
        bool holds = text && pair_holds(&e, test, text);
        good += holds;
        if (holds)
            wrong += bound_differs(&e, test, sql, dialect, text);
        if (!holds && shows(bar->dialect))
            printf("%s %.*s\n   wanted %s\n   %s %s\n", text ? "WRONG " : "ERROR ", STR_ARG(sql),
                   yyjson_get_str(json_get(test, "expected")), text ? "given " : "error ",
                   text ? text : problem.message);
        free(text);
    }
    *ret_total = yyjson_arr_size(cases);
    engine_close(&e);
    yyjson_doc_free(doc);
    assert_int_equal(wrong, 0);
    return good;
}

static void test_pairs(void **state)
{
    (void)state;
    size_t total = 0;
    int good = 0;
    for (size_t i = 0; i < sizeof bars / sizeof *bars; i++) {
        size_t cases = 0;
        int right = check_pairs(&bars[i], &cases);
        printf("pairs %-11s %4d of %4zu  %5.1f %%\n", bars[i].dialect, right, cases,
               100.0 * right / (double)cases);
        fflush(stdout);
        assert_true(right >= bars[i].pairs);
        good += right;
        total += cases;
    }
    printf("pairs %-11s %4d of %4zu  %5.1f %%\n", "all", good, total, 100.0 * good / (double)total);
}

/* ---- rows of real engines ---- */

static struct rows rows_of(yyjson_val *list)
{
    struct rows r = {.rows = yyjson_arr_size(list)};
    r.columns = r.rows ? yyjson_arr_size(yyjson_arr_get(list, 0)) : 0;
    r.cells = calloc(r.rows * r.columns + 1, sizeof *r.cells);
    for (size_t i = 0; i < r.rows; i++) {
        for (size_t k = 0; k < r.columns; k++) {
            yyjson_val *value = yyjson_arr_get(yyjson_arr_get(list, i), k);
            if (yyjson_is_str(value))
                r.cells[i * r.columns + k] = strdup(yyjson_get_str(value));
            else if (!yyjson_is_null(value))
                r.cells[i * r.columns + k] = yyjson_val_write(value, 0, NULL);
        }
    }
    return r;
}

static void print_rows(const struct rows *r)
{
    for (size_t i = 0; i < r->rows && i < 3; i++) {
        printf("      ");
        for (size_t k = 0; k < r->columns; k++)
            printf("%s | ", r->cells[i * r->columns + k] ? r->cells[i * r->columns + k] : "NULL");
        printf("\n");
    }
}

static int check_rows(const struct bar *bar, size_t *ret_total)
{
    char name[64];
    snprintf(name, sizeof name, "rows-%s.json", bar->dialect);
    yyjson_doc *doc = load(name);
    struct engine e;
    enum lang_dialect dialect;
    int good = 0;
    assert_true(lang_dialect_find(str_of(bar->dialect), &dialect));
    engine_open(&e);
    run_setup(&e, json_get(yyjson_doc_get_root(doc), "setup"));
    size_t i, n;
    yyjson_val *test, *cases = json_get(yyjson_doc_get_root(doc), "cases");
    yyjson_arr_foreach(cases, i, n, test)
    {
        struct lang_problem problem;
        struct str sql = json_str_of(json_get(test, "sql"));
        char *text = translate(&e, sql, dialect, &problem);
        struct rows wanted = rows_of(json_get(test, "rows")), given = {0};
        if (text)
            given = run(&e, text);
        bool holds = text && same_rows(&given, &wanted, yyjson_get_bool(json_get(test, "ordered")));
        good += holds;
        if (!holds && shows(bar->dialect)) {
            printf("ROWS  %.*s\n   %s\n", STR_ARG(sql), text ? text : problem.message);
            if (given.error)
                printf("   %.200s\n", given.error);
            print_rows(&given);
            printf("   wanted\n");
            print_rows(&wanted);
        }
        rows_free(&wanted);
        rows_free(&given);
        free(text);
    }
    *ret_total = yyjson_arr_size(cases);
    engine_close(&e);
    yyjson_doc_free(doc);
    return good;
}

static void test_rows(void **state)
{
    (void)state;
    static const char *const names[] = {"mysql", "postgres", "sqlite", "clickhouse"};
    size_t total = 0;
    int good = 0;
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < sizeof bars / sizeof *bars; i++) {
            if (strcmp(bars[i].dialect, names[k]) != 0)
                continue;
            size_t cases = 0;
            int right = check_rows(&bars[i], &cases);
            printf("rows  %-11s %4d of %4zu  %5.1f %%\n", bars[i].dialect, right, cases,
                   100.0 * right / (double)cases);
            assert_true(right >= bars[i].rows);
            good += right;
            total += cases;
        }
    }
    printf("rows  %-11s %4d of %4zu  %5.1f %%\n", "all", good, total, 100.0 * good / (double)total);
}

/* ---- broken, and whole texts ---- */

static void test_broken_are_refused(void **state)
{
    (void)state;
    yyjson_doc *doc = load("reject.json");
    size_t i, n;
    yyjson_val *test;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "cases"), i, n, test)
    {
        enum lang_dialect dialect;
        struct lang_problem problem;
        struct str sql = json_str_of(json_get(test, "sql"));
        assert_true(lang_dialect_find(json_str_of(json_get(test, "read")), &dialect));
        char *text = translate(NULL, sql, dialect, &problem);
        if (text)
            fail_msg("taken although broken: %.*s", STR_ARG(sql));
        assert_true(problem.message[0] != 0);
    }
    yyjson_doc_free(doc);
}

static void test_texts_are_read(void **state)
{
    (void)state;
    static const char *const files[] = {"select.json", "tpch.json", "job.json"};
    for (size_t k = 0; k < 3; k++) {
        yyjson_doc *doc = load(files[k]);
        size_t i, n, bad = 0;
        yyjson_val *test;
        yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "cases"), i, n, test)
        {
            struct lang_problem problem;
            struct str sql = json_str_of(json_get(test, "sql"));
            char *text = translate(NULL, sql, LANG_DUCKDB, &problem);
            if (!text) {
                bad++;
                printf("%s: %s: %.*s\n", files[k], problem.message, STR_ARG(sql));
            }
            free(text);
        }
        yyjson_doc_free(doc);
        assert_int_equal(bad, 0);
    }
}

/* The tables of a case of select.json. */
static struct lang_catalog case_catalog(struct arena *arena, yyjson_val *tables)
{
    struct lang_source *sources = arena_array(arena, yyjson_arr_size(tables) + 1, sizeof *sources);
    size_t i, n, k, m;
    yyjson_val *table, *column;
    yyjson_arr_foreach(tables, i, n, table)
    {
        yyjson_val *list = json_get(table, "columns");
        struct lang_source_column *columns =
            arena_array(arena, yyjson_arr_size(list) + 1, sizeof *columns);
        yyjson_arr_foreach(list, k, m, column) columns[k] =
            (struct lang_source_column){json_str_of(json_get(column, "name")),
                                        light_type(yyjson_get_str(json_get(column, "type")))};
        sources[i] = (struct lang_source){json_str_of(json_get(table, "name")), columns, m, false};
    }
    return (struct lang_catalog){sources, yyjson_arr_size(tables)};
}

static void test_selects_are_bound(void **state)
{
    (void)state;
    static struct lang_problems problems;
    yyjson_doc *doc = load("select.json");
    size_t i, n, bad = 0;
    yyjson_val *test;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "cases"), i, n, test)
    {
        struct arena arena;
        struct lang_query query;
        struct str sql = json_str_of(json_get(test, "sql"));
        arena_init(&arena, 0);
        struct lang_catalog catalog = case_catalog(&arena, json_get(test, "tables"));
        assert_int_equal(lang_parse(&arena, sql, LANG_DUCKDB, NULL, &query, NULL), STATUS_OK);
        if (lang_bind(&arena, &query, &catalog, &problems) != STATUS_OK) {
            bad++;
            printf("%s: %.*s\n", problems.items[0].message, STR_ARG(sql));
        }
        arena_release(&arena);
    }
    yyjson_doc_free(doc);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_are_refused),
        cmocka_unit_test(test_texts_are_read),
        cmocka_unit_test(test_selects_are_bound),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

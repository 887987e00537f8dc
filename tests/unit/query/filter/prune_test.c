/* prune_test.c: what bounds rule out, and the points that an index looks up. A filter is on the one
 * column `v`; bounds are two JSON values. */
#include <stdio.h>

#include "query/filter/bound.h"
#include "unit/query/filter/view_builder.h"

static struct bound_filter *bind(const char *type, const char *filter_text)
{
    char text[64];
    struct error err = ERROR_INIT;
    struct bound_filter *bound;
    struct filter *filter = parse_filter(filter_text);
    snprintf(text, sizeof text, "v:%s", type);
    struct schema *schema = build_schema(text);
    if (filter_bind(filter, schema, &bound, &err) != STATUS_OK)
        fail_msg("%s: %s", filter_text, err.message);
    filter_free(filter);
    free_schema(schema);
    return bound;
}

/* `physical` is the type of the bounds; 10 rows, `nulls` of them null. NULL min: no range known. */
static void check(const char *type, const char *physical, const char *min, const char *max,
                  uint64_t nulls, const char *filter_text, bool expected)
{
    char columns[64], rows[200];
    struct bound_filter *bound = bind(type, filter_text);
    struct column_bounds bounds = {.known_nulls = true, .rows = 10, .nulls = nulls};
    struct batch *batch = NULL;
    if (min) {
        snprintf(columns, sizeof columns, "v:%s", physical);
        snprintf(rows, sizeof rows, "[[%s],[%s]]", min, max);
        batch = build_batch(columns, rows);
        bounds.has_range = true;
        bounds.min = value_of_column(&batch->columns[0].column, 0);
        bounds.max = value_of_column(&batch->columns[0].column, 1);
    }
    if (bound_filter_may_match(bound, 0, &bounds) != expected)
        fail_msg("%s [%s,%s] nulls %d: %s is not %d", type, min ? min : "?", max ? max : "?",
                 (int)nulls, filter_text, expected);
    batch_unref(batch);
    bound_filter_free(bound);
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        bool expected;
    } cases[] = {
        {"{\"v\":9}", false},
        {"{\"v\":10}", true},
        {"{\"v\":20}", true},
        {"{\"v\":21}", false},
        {"{\"v\":15.5}", false},
        {"{\"v\":{\"gt\":20}}", false},
        {"{\"v\":{\"gt\":19}}", true},
        {"{\"v\":{\"gte\":20}}", true},
        {"{\"v\":{\"gte\":20.5}}", false},
        {"{\"v\":{\"lt\":10}}", false},
        {"{\"v\":{\"lte\":10}}", true},
        {"{\"v\":{\"gt\":12,\"lt\":12}}", false},
        {"{\"v\":{\"ne\":15}}", true},
        {"{\"v\":{\"in\":[1,2,30]}}", false},
        {"{\"v\":{\"in\":[1,12]}}", true},
        {"{\"v\":{\"in\":[]}}", false},
        {"{\"v\":{\"not_in\":[1,12]}}", true},
        {"{\"v\":null}", true},
        {"{\"v\":{\"null\":false}}", true},
        {"{\"v\":{\"gt\":null}}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check("int64", "int64", "10", "20", 1, cases[i].filter, cases[i].expected);
        if (i != 4) { /* 15.5 may well be among doubles */
            check("double", "double", "10.0", "20.0", 1, cases[i].filter, cases[i].expected);
        }
        check("double", "int64", "10", "20", 1, cases[i].filter, cases[i].expected);
        if (strstr(cases[i].filter, "gt\":null") == NULL)
            check("int64", "int64", NULL, NULL, 1, cases[i].filter, true);
    }
    check("double", "double", "10.0", "20.0", 1, "{\"v\":15.5}", true);
    check("int64", "int64", "5", "5", 0, "{\"v\":{\"ne\":5}}", false);
    check("int64", "int64", "5", "6", 0, "{\"v\":{\"ne\":5}}", true);
    check("int64", "int64", "5", "5", 0, "{\"v\":{\"ne\":5.5}}", true);
    check("double", "double", "-0.0", "0.0", 0, "{\"v\":{\"gt\":0}}", false);
    check("double", "double", "-0.0", "-0.0", 0, "{\"v\":0}", true);
    check("double", "double", "0.0", "0.0", 0, "{\"v\":{\"in\":[-0.0]}}", true);
    check("double", "double", "1.0", "2.0", 0, "{\"v\":{\"in\":[0,3]}}", false);
    check("bool", "bool", "false", "false", 0, "{\"v\":true}", false);
    check("bool", "bool", "false", "true", 0, "{\"v\":true}", true);
    check("bool", "bool", "true", "true", 0, "{\"v\":{\"in\":[false]}}", false);
}

static void nulls(void **state)
{
    (void)state;
    check("int64", "int64", "1", "2", 0, "{\"v\":null}", false);
    check("int64", "int64", NULL, NULL, 10, "{\"v\":null}", true);
    check("int64", "int64", NULL, NULL, 10, "{\"v\":{\"ne\":1}}", false);
    check("int64", "int64", NULL, NULL, 10, "{\"v\":{\"null\":false}}", false);
    check("string", "string", NULL, NULL, 10, "{\"v\":{\"like\":\"%\"}}", false);
    check("json", "json", NULL, NULL, 0, "{\"v\":null}", true); /* the JSON text null */
    check("json", "json", NULL, NULL, 10, "{\"v\":1}", false);
    check("json", "json", "1", "2", 0, "{\"v\":99}", true); /* no order among JSON values */
}

static void times(void **state)
{
    (void)state;
    const char *a = "\"2024-01-10\"", *b = "\"2024-01-20\"";
    static const char *const pairs[][2] = {
        {"date", "date"}, {"timestamp", "timestamp"}, {"timestamp", "date"}};
    for (int i = 0; i < 3; i++) {
        check(pairs[i][0], pairs[i][1], a, b, 0, "{\"v\":\"2024-01-10\"}", true);
        check(pairs[i][0], pairs[i][1], a, b, 0, "{\"v\":\"2024-01-09\"}", false);
        check(pairs[i][0], pairs[i][1], a, b, 0, "{\"v\":{\"gt\":\"2024-01-20\"}}", false);
        check(pairs[i][0], pairs[i][1], a, b, 0, "{\"v\":{\"gte\":\"2024-01-20T00:00:00\"}}", true);
        check(pairs[i][0], pairs[i][1], a, b, 0, "{\"v\":{\"lt\":\"2024-01-10T00:00:01\"}}", true);
        check(pairs[i][0], pairs[i][1], a, b, 0, "{\"v\":{\"in\":[\"2024-02-01\"]}}", false);
        check(pairs[i][0], pairs[i][1], a, b, 0, "{\"v\":{\"in\":[\"2024-01-11\"]}}", true);
    }
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        bool expected;
    } cases[] = {
        {"{\"v\":\"bar\"}", true},
        {"{\"v\":\"ba\"}", false},
        {"{\"v\":\"foo\"}", true},
        {"{\"v\":\"fooo\"}", false},
        {"{\"v\":{\"gt\":\"foo\"}}", false},
        {"{\"v\":{\"gte\":\"foo\"}}", true},
        {"{\"v\":{\"lt\":\"bar\"}}", false},
        {"{\"v\":{\"lte\":\"bar\"}}", true},
        {"{\"v\":{\"ne\":\"bar\"}}", true},
        {"{\"v\":{\"in\":[\"a\",\"z\"]}}", false},
        {"{\"v\":{\"in\":[\"a\",\"c\"]}}", true},
        {"{\"v\":{\"not_in\":[\"a\"]}}", true},
        {"{\"v\":{\"like\":\"a%\"}}", false},
        {"{\"v\":{\"like\":\"b%\"}}", true},
        {"{\"v\":{\"like\":\"ba%\"}}", true},
        {"{\"v\":{\"like\":\"foo%\"}}", true},
        {"{\"v\":{\"like\":\"fop%\"}}", false},
        {"{\"v\":{\"like\":\"g_x%\"}}", false},
        {"{\"v\":{\"like\":\"f_o%z\"}}", true},
        {"{\"v\":{\"like\":\"%a\"}}", true},
        {"{\"v\":{\"like\":\"%zzz%\"}}", true},
        {"{\"v\":{\"regex\":\"zzz\"}}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check("string", "string", "\"bar\"", "\"foo\"", 0, cases[i].filter, cases[i].expected);
    check("string", "string", "\"a\"", "\"a\"", 0, "{\"v\":{\"ne\":\"a\"}}", false);
    check("string", "string", "\"\"", "\"\"", 0, "{\"v\":\"\"}", true);
}

/* The points as text, "-" when there are none to look up. */
static void points(const char *type, enum type physical, const char *filter, const char *expected)
{
    struct bound_filter *bound = bind(type, filter);
    struct value *values = malloc(BOUND_POINTS_MAX * sizeof *values);
    struct buf buf;
    struct json_writer w;
    assert_non_null(values);
    buf_init(&buf, 1 << 20);
    json_writer_init(&w, &buf);
    int32_t n = bound_filter_points(bound, 0, physical, values);
    json_begin_array(&w);
    for (int32_t i = 0; i < n; i++)
        value_write_json(&w, &values[i]);
    json_end_array(&w);
    buf_append_char(&buf, 0);
    assert_string_equal(n < 0 ? "-" : buf.data, expected);
    buf_release(&buf);
    free(values);
    bound_filter_free(bound);
}

static void points_for_indexes(void **state)
{
    (void)state;
    points("int64", TYPE_INT64, "{\"v\":5}", "[5]");
    points("int64", TYPE_INT64, "{\"v\":5.5}", "[]");
    points("int64", TYPE_INT64, "{\"v\":{\"gte\":5,\"lte\":5}}", "[5]");
    points("int64", TYPE_INT64, "{\"v\":{\"gte\":5}}", "-");
    points("int64", TYPE_INT64, "{\"v\":{\"ne\":5}}", "-");
    points("int64", TYPE_INT64, "{\"v\":{\"in\":[0]}}", "[0]");
    points("int64", TYPE_INT64, "{\"v\":{\"in\":[7.0,7,7.5,null]}}", "[7]");
    points("int64", TYPE_INT64, "{\"v\":{\"not_in\":[7]}}", "-");
    points("int64", TYPE_INT64, "{\"v\":{\"gt\":1,\"in\":[7]}}", "[7]");
    points("int64", TYPE_INT64, "{\"v\":null}", "-");
    points("double", TYPE_DOUBLE, "{\"v\":5}", "[5.0]");
    points("double", TYPE_INT64, "{\"v\":5}", "[5]");
    points("double", TYPE_INT64, "{\"v\":5.5}", "[]");
    points("double", TYPE_DOUBLE, "{\"v\":9007199254740993}", "[]");
    points("timestamp", TYPE_DATE, "{\"v\":\"2024-01-01\"}", "[\"2024-01-01\"]");
    points("timestamp", TYPE_DATE, "{\"v\":\"2024-01-01T00:00:01\"}", "[]");
    points("timestamp", TYPE_TIMESTAMP, "{\"v\":\"2024-01-01\"}", "[\"2024-01-01T00:00:00\"]");
    points("string", TYPE_STRING, "{\"v\":\"a\"}", "[\"a\"]");
    points("string", TYPE_STRING, "{\"v\":{\"like\":\"a\\\\%\"}}", "[\"a%\"]");
    points("string", TYPE_STRING, "{\"v\":{\"like\":\"a%\"}}", "-");
    points("string", TYPE_STRING, "{\"v\":{\"gt\":\"a\"}}", "-");
    points("string", TYPE_STRING, "{\"v\":{\"in\":[\"x\",\"x\",null]}}", "[\"x\"]");
    points("bool", TYPE_BOOL, "{\"v\":true}", "[true]");
    points("json", TYPE_JSON, "{\"v\":5}", "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(nulls),
        cmocka_unit_test(times),
        cmocka_unit_test(texts),
        cmocka_unit_test(points_for_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

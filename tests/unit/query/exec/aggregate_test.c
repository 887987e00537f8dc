/* aggregate_test.c: exact results of every aggregation, groups, merges over sources, limits. */
#include <stdio.h>

#include "unit/query/filter/view_builder.h"

/* "kind column alias; ..." (column "-": none; "percentile:0.5" gives the fraction), keys "a,b". */
static struct aggregate *new_aggregate(const char *specs_text, const char *keys_text,
                                       struct error *err)
{
    struct aggregate_spec specs[300];
    struct str keys[40];
    uint32_t specs_len = 0, keys_len = 0;
    struct str rest = str_of(specs_text), part, kind;
    while (specs_text[0] && str_split(&rest, ';', &part)) {
        struct aggregate_spec *spec = &specs[specs_len++];
        *spec = (struct aggregate_spec){0};
        str_split(&part, ' ', &kind);
        str_split(&part, ' ', &spec->column);
        spec->alias = part;
        if (str_starts(kind, STR("percentile:"))) {
            assert_true(str_to_double(str_make(kind.data + 11, kind.len - 11), &spec->percentile));
            kind.len = 10;
        }
        assert_true(aggregate_kind_parse(kind, &spec->kind));
        if (str_is(spec->column, "-"))
            spec->column = STR_NONE;
    }
    rest = str_of(keys_text ? keys_text : "");
    while (keys_text && str_split(&rest, ',', &part))
        keys[keys_len++] = part;
    struct aggregate *agg = NULL;
    aggregate_new(specs, specs_len, keys, keys_len, &agg, err);
    return agg;
}

static void add(struct aggregate *agg, struct view *view, const char *filter_text)
{
    struct error err = ERROR_INIT;
    struct filter *filter = parse_filter(filter_text);
    if (aggregate_add_view(agg, view, filter, &no_limits, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    filter_free(filter);
}

static void assert_result(const struct aggregate *agg, bool keys, const char *expected)
{
    struct error err = ERROR_INIT;
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 1 << 24);
    json_writer_init(&w, &buf);
    if (keys) {
        assert_int_equal(aggregate_write_groups(agg, &w, &err), STATUS_OK);
    } else {
        json_begin_object(&w);
        assert_int_equal(aggregate_write_members(agg, &w, &err), STATUS_OK);
        json_end_object(&w);
    }
    buf_append_char(&buf, 0);
    assert_int_equal(buf_check(&buf, "result", &err), STATUS_OK);
    assert_string_equal(buf.data, expected);
    buf_release(&buf);
}

static void assert_aggregate(struct view *view, const char *specs, const char *keys,
                             const char *filter, const char *expected)
{
    struct error err = ERROR_INIT;
    struct aggregate *agg = new_aggregate(specs, keys, &err);
    if (!agg)
        fail_msg("%s", err.message);
    add(agg, view, filter);
    assert_result(agg, keys != NULL, expected);
    aggregate_free(agg);
}

static void assert_refused(struct view *view, const char *specs, const char *keys, const char *part)
{
    struct error err = ERROR_INIT;
    struct aggregate *agg = new_aggregate(specs, keys, &err);
    if (agg)
        assert_int_equal(aggregate_add_view(agg, view, NULL, &no_limits, NULL, &err),
                         STATUS_INVALID_ARGUMENT);
    assert_int_equal(err.status, STATUS_INVALID_ARGUMENT);
    if (!strstr(err.message, part))
        fail_msg("the message '%s' lacks '%s'", err.message, part);
    aggregate_free(agg);
}

static struct view sales(void)
{
    struct view view = build_view("region:string,n:int64,x:double,d:date,ok:bool,j:json");
    add_chunk(&view, "region:string,n:int64,x:double,d:date,ok:bool",
              "[[\"north\",1,0.5,\"2024-01-01\",true],[\"south\",2,1.5,\"2024-01-02\",false],"
              "[\"north\",3,null,null,null],[null,4,2.0,\"2023-12-31\",true]]");
    add_chunk(&view, "region:string,n:int64,x:int64,d:date",
              "[[\"south\",null,4,null],[\"\",-5,-1,\"2024-01-01\"]]");
    return view;
}

static void kinds(void **state)
{
    (void)state;
    struct view view = sales();
    assert_aggregate(
        &view, "count - rows;count n;sum n;avg n;min n;max n;count_distinct n;stddev n", NULL, NULL,
        "{\"rows\":6,\"count_n\":5,\"sum_n\":5,\"avg_n\":1.0,\"min_n\":-5,\"max_n\":4,"
        "\"count_distinct_n\":5,\"stddev_n\":3.5355339059327378}");
    assert_aggregate(&view, "count -;count x;sum x;avg x;min x;max x;count_distinct x", NULL, NULL,
                     "{\"count\":6,\"count_x\":5,\"sum_x\":7.0,\"avg_x\":1.4,\"min_x\":-1.0,"
                     "\"max_x\":4.0,\"count_distinct_x\":5}");
    assert_aggregate(
        &view,
        "min region;max region;count_distinct region;min d;max d;count_distinct d;min ok;max ok",
        NULL, NULL,
        "{\"min_region\":\"\",\"max_region\":\"south\",\"count_distinct_region\":3,"
        "\"min_d\":\"2023-12-31\",\"max_d\":\"2024-01-02\",\"count_distinct_d\":3,"
        "\"min_ok\":false,\"max_ok\":true}");
    assert_aggregate(&view,
                     "percentile:0 n a;percentile:0.5 n b;percentile:1 n c;percentile:0.25 n d;"
                     "percentile:0.125 x e",
                     NULL, NULL, "{\"a\":-5.0,\"b\":2.0,\"c\":4.0,\"d\":1.0,\"e\":-0.25}");
    assert_aggregate(&view, "count -;sum n", NULL, "{\"region\":\"north\"}",
                     "{\"count\":2,\"sum_n\":4}");
    free_view(&view);
}

static void over_nothing(void **state)
{
    (void)state;
    struct view view = sales();
    const char *all =
        "count - rows;count zz;sum zz;avg zz;min zz;max zz;count_distinct zz;stddev zz;"
        "percentile:0.5 zz";
    const char *none = "{\"rows\":6,\"count_zz\":0,\"sum_zz\":null,\"avg_zz\":null,\"min_zz\":null,"
                       "\"max_zz\":null,\"count_distinct_zz\":0,\"stddev_zz\":null,"
                       "\"percentile_zz\":null}";
    assert_aggregate(&view, all, NULL, NULL, none);
    assert_aggregate(&view, "count -;sum n;min region;percentile:0.5 x", NULL, "{\"n\":99}",
                     "{\"count\":0,\"sum_n\":null,\"min_region\":null,\"percentile_x\":null}");
    assert_aggregate(&view, "stddev n;avg n", NULL, "{\"n\":3}",
                     "{\"stddev_n\":null,\"avg_n\":3.0}");
    assert_aggregate(&view, "sum n;max j", NULL, "{\"n\":null}", "{\"sum_n\":null,\"max_j\":null}");
    assert_aggregate(&view, "count -", "region", "{\"n\":99}", "[]");
    free_view(&view);
    view = build_view("a:int64");
    assert_aggregate(&view, "count -;sum a", NULL, NULL, "{\"count\":0,\"sum_a\":null}");
    assert_aggregate(&view, "count -;sum a", "a", NULL, "[]");
    add_chunk(&view, "a:int64", "[[null],[null]]");
    assert_aggregate(&view, "count -;count a;sum a;min a;stddev a", NULL, NULL,
                     "{\"count\":2,\"count_a\":0,\"sum_a\":null,\"min_a\":null,\"stddev_a\":null}");
    assert_aggregate(&view, "count -;max a", "a", NULL,
                     "[{\"a\":null,\"count\":2,\"max_a\":null}]");
    free_view(&view);
}

static void groups(void **state)
{
    (void)state;
    struct view view = sales();
    assert_aggregate(&view, "count - rows;sum n;max x", "region", NULL,
                     "[{\"region\":null,\"rows\":1,\"sum_n\":4,\"max_x\":2.0},"
                     "{\"region\":\"\",\"rows\":1,\"sum_n\":-5,\"max_x\":-1.0},"
                     "{\"region\":\"north\",\"rows\":2,\"sum_n\":4,\"max_x\":0.5},"
                     "{\"region\":\"south\",\"rows\":2,\"sum_n\":2,\"max_x\":4.0}]");
    assert_aggregate(&view, "count -", "d,ok", NULL,
                     "[{\"d\":null,\"ok\":null,\"count\":2},"
                     "{\"d\":\"2023-12-31\",\"ok\":true,\"count\":1},"
                     "{\"d\":\"2024-01-01\",\"ok\":null,\"count\":1},"
                     "{\"d\":\"2024-01-01\",\"ok\":true,\"count\":1},"
                     "{\"d\":\"2024-01-02\",\"ok\":false,\"count\":1}]");
    assert_aggregate(&view, "", "x", NULL,
                     "[{\"x\":null},{\"x\":-1.0},{\"x\":0.5},{\"x\":1.5},{\"x\":2.0},{\"x\":4.0}]");
    assert_aggregate(&view, "count - c", "zz", NULL, "[{\"zz\":null,\"c\":6}]");
    assert_aggregate(
        &view, "avg n;stddev n;min d;count_distinct n cd;percentile:0.5 n p;count x;min region",
        "region", "{\"region\":{\"in\":[\"north\",\"south\"]}}",
        "[{\"region\":\"north\",\"avg_n\":2.0,\"stddev_n\":1.4142135623730951,"
        "\"min_d\":\"2024-01-01\",\"cd\":2,\"p\":2.0,\"count_x\":1,\"min_region\":\"north\"},"
        "{\"region\":\"south\",\"avg_n\":2.0,\"stddev_n\":null,\"min_d\":\"2024-01-02\","
        "\"cd\":1,\"p\":2.0,\"count_x\":2,\"min_region\":\"south\"}]");
    free_view(&view);
}

static void key_edges(void **state)
{
    (void)state;
    struct view view = build_view("k:double,s:string,t:timestamp");
    add_chunk(&view, "k:double,s:string,t:date",
              "[[0.0,\"a\\u0000\",\"1970-01-01\"],[-0.0,\"a\",\"1970-01-01\"],[1e300,\"a\\u0000\","
              "null]]");
    add_chunk(
        &view, "k:int64,s:string,t:timestamp",
        "[[0,\"ab\",\"1970-01-01T00:00:00\"],[9223372036854775807,\"a\",\"1970-01-01T00:00:01\"]]");
    assert_aggregate(&view, "count - n", "k", NULL,
                     "[{\"k\":0.0,\"n\":3},{\"k\":9.223372036854776e+18,\"n\":1},"
                     "{\"k\":1e+300,\"n\":1}]");
    assert_aggregate(&view, "count - n", "s", NULL,
                     "[{\"s\":\"a\",\"n\":2},{\"s\":\"a\\u0000\",\"n\":2},{\"s\":\"ab\",\"n\":1}]");
    assert_aggregate(&view, "count - n", "t", NULL,
                     "[{\"t\":null,\"n\":1},{\"t\":\"1970-01-01T00:00:00\",\"n\":3},"
                     "{\"t\":\"1970-01-01T00:00:01\",\"n\":1}]");
    assert_aggregate(&view, "count_distinct k;count_distinct s;count_distinct t", NULL, NULL,
                     "{\"count_distinct_k\":3,\"count_distinct_s\":3,\"count_distinct_t\":2}");
    free_view(&view);
}

static void big_sums(void **state)
{
    (void)state;
    struct view view = build_view("g:int64,v:int64,x:double");
    add_chunk(
        &view, "g:int64,v:int64,x:double",
        "[[1,9223372036854775807,1e16],[1,9223372036854775807,1.0],[2,9223372036854775807,1.0],"
        "[2,-9223372036854775808,-1e16],[3,-9223372036854775808,0.0],[3,-9223372036854775808,0.0]"
        "]");
    assert_aggregate(&view, "sum v;avg v", NULL, "{\"g\":1}",
                     "{\"sum_v\":1.8446744073709552e+19,\"avg_v\":9.223372036854776e+18}");
    assert_aggregate(&view, "sum v", NULL, "{\"g\":2}", "{\"sum_v\":-1}");
    assert_aggregate(&view, "sum v;sum x", "g", NULL,
                     "[{\"g\":1,\"sum_v\":1.8446744073709552e+19,\"sum_x\":1e+16},"
                     "{\"g\":2,\"sum_v\":-1,\"sum_x\":-1e+16},"
                     "{\"g\":3,\"sum_v\":-1.8446744073709552e+19,\"sum_x\":0.0}]");
    free_view(&view);
}

static void refusals(void **state)
{
    (void)state;
    struct view view = sales();
    assert_refused(&view, "sum region", NULL, "column 'region' is string; sum, avg");
    assert_refused(&view, "avg d", NULL, "column 'd' is date");
    assert_refused(&view, "stddev ok", NULL, "column 'ok' is bool");
    assert_refused(&view, "percentile:0.5 j", NULL, "column 'j' is json");
    assert_refused(&view, "percentile:1.5 n", NULL, "a fraction from 0 to 1");
    assert_refused(&view, "percentile:-0.1 n", NULL, "a fraction from 0 to 1");
    assert_refused(&view, "sum -", NULL, "sum wants a column");
    assert_refused(&view, "count_distinct -", NULL, "count_distinct wants a column");
    assert_refused(&view, "count - a;sum n a", NULL, "two members of the result are named 'a'");
    assert_refused(&view, "count - region", "region",
                   "two members of the result are named 'region'");
    assert_refused(&view, "count -", "region,region", "two members");
    assert_refused(&view, "", NULL, "no aggregation is given");
    char keys[400] = "a";
    for (int i = 0; i < 32; i++)
        snprintf(keys + strlen(keys), 16, ",k%d", i);
    assert_refused(&view, "count -", keys, "at most 256 aggregations and 32 grouping columns");
    free_view(&view);
}

static void merge(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct view a = build_view("k:int64,v:int64,s:string");
    struct view b = build_view("k:double,v:double,s:string");
    add_chunk(&a, "k:int64,v:int64,s:string", "[[1,10,\"x\"],[2,20,\"y\"],[2,null,\"y\"]]");
    add_chunk(&b, "k:double,v:double,s:string", "[[1.0,0.5,\"x\"],[3.5,20.0,\"a\"],[2,7,null]]");
    const char *specs = "count - n;sum v;avg v;min v;max v;count_distinct v cd;stddev v sd;"
                        "percentile:0.5 v p;min s";
    struct aggregate *left = new_aggregate(specs, "k", &err);
    struct aggregate *right = new_aggregate(specs, "k", &err);
    struct aggregate *both = new_aggregate(specs, "k", &err);
    add(left, &a, NULL);
    add(right, &b, NULL);
    add(both, &a, NULL);
    add(both, &b, NULL);
    assert_int_equal(aggregate_groups(left), 2);
    assert_int_equal(aggregate_merge(left, right, &err), STATUS_OK);
    assert_int_equal(aggregate_groups(left), 3);
    const char *expected =
        "[{\"k\":1,\"n\":2,\"sum_v\":10.5,\"avg_v\":5.25,\"min_v\":0.5,\"max_v\":10,\"cd\":2,"
        "\"sd\":6.7175144212722016,\"p\":5.25,\"min_s\":\"x\"},"
        "{\"k\":2,\"n\":3,\"sum_v\":27.0,\"avg_v\":13.5,\"min_v\":7.0,\"max_v\":20,\"cd\":2,"
        "\"sd\":9.192388155425117,\"p\":13.5,\"min_s\":\"y\"},"
        "{\"k\":3.5,\"n\":1,\"sum_v\":20.0,\"avg_v\":20.0,\"min_v\":20.0,\"max_v\":20.0,\"cd\":1,"
        "\"sd\":null,\"p\":20.0,\"min_s\":\"a\"}]";
    assert_result(left, true, expected);
    assert_result(both, true, expected);
    aggregate_free(left);
    aggregate_free(right);
    aggregate_free(both);
    /* keyless: values of both sources in one distinct set */
    left = new_aggregate("count_distinct v;avg v;min k", NULL, &err);
    right = new_aggregate("count_distinct v;avg v;min k", NULL, &err);
    add(left, &a, NULL);
    add(right, &b, NULL);
    assert_int_equal(aggregate_merge(left, right, &err), STATUS_OK);
    assert_result(left, false, "{\"count_distinct_v\":4,\"avg_v\":11.5,\"min_k\":1}");
    aggregate_free(left);
    aggregate_free(right);
    free_view(&a);
    free_view(&b);
}

static void merge_of_other_types(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct view a = build_view("v:int64");
    struct view b = build_view("v:string");
    struct view empty = build_view("v:string");
    add_chunk(&a, "v:int64", "[[1]]");
    add_chunk(&b, "v:string", "[[\"1\"]]");
    struct aggregate *agg = new_aggregate("min v", NULL, &err);
    add(agg, &a, NULL);
    add(agg, &empty, NULL); /* no values, no quarrel */
    assert_int_equal(aggregate_add_view(agg, &b, NULL, &no_limits, NULL, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "min and max of 'v' cannot compare int64 with string of another source");
    assert_string_equal(err.field, "v");
    aggregate_free(agg);
    agg = new_aggregate("max v", NULL, &err);
    struct aggregate *other = new_aggregate("max v", NULL, &err);
    add(agg, &a, NULL);
    add(other, &b, NULL);
    assert_int_equal(aggregate_merge(agg, other, &err), STATUS_INVALID_ARGUMENT);
    aggregate_free(agg);
    aggregate_free(other);
    agg = new_aggregate("count_distinct v;count v", "v", &err);
    add(agg, &a, NULL);
    add(agg, &b, NULL);
    assert_result(agg, true,
                  "[{\"v\":1,\"count_distinct_v\":1,\"count_v\":1},"
                  "{\"v\":\"1\",\"count_distinct_v\":1,\"count_v\":1}]");
    aggregate_free(agg);
    agg = new_aggregate("sum v", NULL, &err);
    other = new_aggregate("avg v", NULL, &err);
    assert_int_equal(aggregate_merge(agg, other, &err), STATUS_INTERNAL);
    aggregate_free(agg);
    aggregate_free(other);
    free_view(&a);
    free_view(&b);
    free_view(&empty);
}

/* More rows than a slice, compared with sums that are known in closed form. */
static void many_rows(void **state)
{
    (void)state;
    struct view view = build_view("i:int64,g:int64,x:double");
    for (int c = 0; c < 3; c++) {
        struct batch *batch = build_batch("i:int64,g:int64,x:double", "[]");
        for (int64_t i = c * 10000; i < (c + 1) * 10000; i++) {
            assert_int_equal(column_append_int64(&batch->columns[0].column, i), 0);
            assert_int_equal(column_append_int64(&batch->columns[1].column, i % 1000), 0);
            assert_int_equal(column_append_double(&batch->columns[2].column, (double)i), 0);
        }
        assert_int_equal(batch_set_rows(batch, 10000), 0);
        add_batch(&view, batch);
    }
    assert_aggregate(&view,
                     "sum i;sum x;avg x;min x;max i;count_distinct g;count_distinct i cd;"
                     "percentile:0.5 x p;percentile:0.99 i q",
                     NULL, NULL,
                     "{\"sum_i\":449985000,\"sum_x\":449985000.0,\"avg_x\":14999.5,\"min_x\":0.0,"
                     "\"max_i\":29999,\"count_distinct_g\":1000,\"cd\":30000,\"p\":14999.5,"
                     "\"q\":29699.01}");
    assert_aggregate(&view, "stddev x;count -", NULL, NULL,
                     "{\"stddev_x\":8660.398374208891,\"count\":30000}");
    assert_aggregate(&view, "count - n;sum i;percentile:0.5 i p", "g", "{\"g\":{\"gte\":998}}",
                     "[{\"g\":998,\"n\":30,\"sum_i\":464940,\"p\":15498.0},"
                     "{\"g\":999,\"n\":30,\"sum_i\":464970,\"p\":15499.0}]");
    free_view(&view);
}

static void too_many_groups(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct view view = build_view("i:int64");
    struct batch *batch = build_batch("i:int64", "[]");
    for (int64_t i = 0; i <= AGGREGATE_GROUPS_MAX; i++)
        assert_int_equal(column_append_int64(&batch->columns[0].column, i), 0);
    assert_int_equal(batch_set_rows(batch, AGGREGATE_GROUPS_MAX + 1), 0);
    add_batch(&view, batch);
    struct aggregate *agg = new_aggregate("count -", "i", &err);
    assert_int_equal(aggregate_add_view(agg, &view, NULL, &no_limits, NULL, &err),
                     STATUS_RESOURCE_LIMIT);
    assert_string_equal(err.message, "more than 1000000 different values or groups");
    aggregate_free(agg);
    agg = new_aggregate("count -", "i", &err);
    add(agg, &view, "{\"i\":{\"lt\":1000000}}");
    assert_int_equal(aggregate_groups(agg), AGGREGATE_GROUPS_MAX);
    aggregate_free(agg);
    free_view(&view);
}

static void names(void **state)
{
    (void)state;
    enum aggregate_kind kind;
    assert_true(aggregate_kind_parse(STR("count_distinct"), &kind));
    assert_int_equal(kind, AGG_COUNT_DISTINCT);
    assert_false(aggregate_kind_parse(STR("median"), &kind));
    assert_false(aggregate_kind_parse(STR(""), &kind));
}

static void stops_when_told(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct view view = sales();
    atomic_bool cancelled = true;
    struct exec_context context = {.sys = sys_posix(), .cancelled = &cancelled};
    struct exec_stats stats = {0};
    struct aggregate *agg = new_aggregate("count -", NULL, &err);
    assert_int_equal(aggregate_add_view(agg, &view, NULL, &context, &stats, &err),
                     STATUS_CANCELLED);
    cancelled = false;
    context.deadline_us = 1;
    assert_int_equal(aggregate_add_view(agg, &view, NULL, &context, &stats, &err), STATUS_TIMEOUT);
    context.deadline_us = 0;
    assert_int_equal(aggregate_add_view(agg, &view, NULL, &context, &stats, &err), STATUS_OK);
    assert_int_equal(stats.rows_scanned, 6);
    aggregate_free(agg);
    free_view(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),     cmocka_unit_test(over_nothing),
        cmocka_unit_test(groups),    cmocka_unit_test(key_edges),
        cmocka_unit_test(big_sums),  cmocka_unit_test(refusals),
        cmocka_unit_test(merge),     cmocka_unit_test(merge_of_other_types),
        cmocka_unit_test(many_rows), cmocka_unit_test(too_many_groups),
        cmocka_unit_test(names),     cmocka_unit_test(stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

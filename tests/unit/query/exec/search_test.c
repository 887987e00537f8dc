/* search_test.c: projection, limit, offset, has_more, continue, deadlines over several chunks. */
#include "unit/query/filter/view_builder.h"

/* Rows [0, n) with id = row and v = row % 10 as strings, cut into chunks of `chunk`. */
static struct view counted_view(uint32_t n, uint32_t chunk)
{
    struct view view = build_view("id:int64,v:string");
    for (uint32_t at = 0; at < n;) {
        struct batch *batch = build_batch("id:int64,v:string", "[]");
        uint32_t rows = n - at < chunk ? n - at : chunk;
        for (uint32_t i = 0; i < rows; i++, at++) {
            char digit = (char)('0' + at % 10);
            assert_int_equal(column_append_int64(&batch->columns[0].column, at), 0);
            assert_int_equal(column_append_bytes(&batch->columns[1].column, str_make(&digit, 1)),
                             0);
        }
        assert_int_equal(batch_set_rows(batch, rows), 0);
        add_batch(&view, batch);
    }
    return view;
}

static struct search *open_search(struct view *view, const char *filter_text, int64_t limit,
                                  uint64_t offset)
{
    struct error err = ERROR_INIT;
    struct filter *filter = parse_filter(filter_text);
    struct str column = STR("id");
    struct search_options options = {
        .filter = filter, .columns = &column, .columns_len = 1, .limit = limit, .offset = offset};
    struct search *search;
    if (search_open(view, &options, &no_limits, &search, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    filter_free(filter);
    return search;
}

/* Reads to the end; every id must be first, first + step, ... Returns the number of rows. */
static uint64_t drain(struct search *search, int64_t first, int64_t step)
{
    struct error err = ERROR_INIT;
    uint64_t rows = 0;
    for (;;) {
        struct batch *batch;
        assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
        if (!batch)
            return rows;
        assert_true(batch->rows > 0 && batch->rows <= SEARCH_BATCH_ROWS);
        for (uint32_t i = 0; i < batch->rows; i++)
            assert_int_equal(column_int64(&batch->columns[0].column, i),
                             first + step * (int64_t)rows++);
        batch_unref(batch);
    }
}

static bool has_more(struct search *search)
{
    struct error err = ERROR_INIT;
    bool more;
    assert_int_equal(search_has_more(search, &more, &err), STATUS_OK);
    return more;
}

static void whole(void **state)
{
    (void)state;
    struct view view = counted_view(30001, 7000);
    struct search *search = open_search(&view, NULL, -1, 0);
    assert_int_equal(drain(search, 0, 1), 30001);
    assert_false(has_more(search));
    assert_int_equal(search_stats(search)->rows_scanned, 30001);
    assert_int_equal(search_stats(search)->rows_matched, 30001);
    assert_int_equal(search_stats(search)->segments, 0);
    assert_false(search_stats(search)->index_used);
    search_close(search);
    free_view(&view);
}

static void limits_and_offsets(void **state)
{
    (void)state;
    struct view view = counted_view(20000, 9000);
    static const struct {
        const char *filter;
        int64_t limit;
        uint64_t offset;
        uint64_t rows;
        int64_t first, step;
        bool more;
    } cases[] = {
        {NULL, 0, 0, 0, 0, 1, true},
        {NULL, 1, 0, 1, 0, 1, true},
        {NULL, 10, 19990, 10, 19990, 1, false},
        {NULL, 10, 19989, 10, 19989, 1, true},
        {NULL, 10, 19995, 5, 19995, 1, false},
        {NULL, 10, 20000, 0, 0, 1, false},
        {NULL, 10, UINT64_MAX, 0, 0, 1, false},
        {NULL, 20000, 0, 20000, 0, 1, false},
        {NULL, 19999, 0, 19999, 0, 1, true},
        {NULL, 8192, 0, 8192, 0, 1, true},
        {NULL, 5000, 4096, 5000, 4096, 1, true},
        {"{\"v\":\"3\"}", -1, 0, 2000, 3, 10, false},
        {"{\"v\":\"3\"}", 2000, 0, 2000, 3, 10, false},
        {"{\"v\":\"3\"}", 1999, 0, 1999, 3, 10, true},
        {"{\"v\":\"3\"}", 5, 1000, 5, 10003, 10, true},
        {"{\"id\":{\"gte\":19999}}", 1, 0, 1, 19999, 1, false},
        {"{\"id\":{\"gte\":19998}}", 1, 0, 1, 19998, 1, true},
        {"{\"v\":\"x\"}", 10, 0, 0, 0, 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct search *search =
            open_search(&view, cases[i].filter, cases[i].limit, cases[i].offset);
        assert_int_equal(drain(search, cases[i].first, cases[i].step), cases[i].rows);
        if (has_more(search) != cases[i].more)
            fail_msg("case %zu: has_more is wrong", i);
        assert_int_equal(drain(search, 0, 1), 0); /* has_more takes nothing */
        search_close(search);
    }
    free_view(&view);
}

static void pages_of_a_cursor(void **state)
{
    (void)state;
    struct view view = counted_view(20000, 4999);
    for (int64_t page = 1; page < 5000; page = page * 3 + 1) {
        struct search *search = open_search(&view, "{\"v\":\"7\"}", page, 2);
        uint64_t rows = 0;
        for (;;) {
            uint64_t got = drain(search, 27 + (int64_t)rows * 10, 10);
            rows += got;
            if (!has_more(search))
                break;
            assert_int_equal(got, page);
            search_continue(search, page, &no_limits);
        }
        assert_int_equal(rows, 1998);
        search_continue(search, -1, &no_limits);
        assert_int_equal(drain(search, 0, 1), 0);
        search_close(search);
    }
    free_view(&view);
}

static void continue_without_limit(void **state)
{
    (void)state;
    struct view view = counted_view(10000, 10000);
    struct search *search = open_search(&view, NULL, 7, 3);
    assert_int_equal(drain(search, 3, 1), 7);
    search_continue(search, -1, &no_limits);
    assert_int_equal(drain(search, 10, 1), 9990);
    search_close(search);
    free_view(&view);
}

static void projection(void **state)
{
    (void)state;
    struct view view = build_view("a:int64,d:double,t:timestamp,s:string,j:json,b:bool");
    struct error err = ERROR_INIT;
    add_chunk(&view, "s:string,a:int64,d:int64,t:date,b:bool",
              "[[\"x\",1,7,\"1970-01-02\",true],[null,null,null,null,null]]");
    add_chunk(&view, "a:int64,d:double,j:json", "[[2,0.5,{\"k\":[1]}]]");
    struct str columns[] = {STR("t"), STR("none"), STR("d"), STR("a"), STR("t"), STR("j")};
    struct search_options options = {.columns = columns, .columns_len = 6, .limit = -1};
    struct search *search;
    struct batch *batch;
    assert_int_equal(search_open(&view, &options, &no_limits, &search, &err), STATUS_OK);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
    assert_int_equal(batch->rows, 3);
    assert_int_equal(batch->columns_len, 5); /* t stands once */
    static const struct {
        const char *name;
        enum type type;
        uint32_t nulls;
    } expected[] = {{"t", TYPE_TIMESTAMP, 2},
                    {"none", TYPE_STRING, 3},
                    {"d", TYPE_DOUBLE, 1},
                    {"a", TYPE_INT64, 1},
                    {"j", TYPE_JSON, 2}};
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(str_is(batch->columns[i].name, expected[i].name));
        assert_int_equal(batch->columns[i].column.type, expected[i].type);
        assert_int_equal(batch->columns[i].column.rows, 3);
        assert_int_equal(batch->columns[i].column.nulls, expected[i].nulls);
    }
    assert_int_equal(column_int64(&batch->columns[0].column, 0), 86400000000);
    assert_true(column_double(&batch->columns[2].column, 0) == 7.0);
    assert_true(column_double(&batch->columns[2].column, 2) == 0.5);
    assert_true(str_is(column_str(&batch->columns[4].column, 2), "{\"k\":[1]}"));
    batch_unref(batch);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
    assert_null(batch);
    search_close(search);
    /* all of the schema */
    options = (struct search_options){.limit = -1};
    assert_int_equal(search_open(&view, &options, &no_limits, &search, &err), STATUS_OK);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
    assert_int_equal(batch->columns_len, 6);
    assert_true(str_is(batch->columns[5].name, "b"));
    batch_unref(batch);
    search_close(search);
    free_view(&view);
}

static void no_columns(void **state)
{
    (void)state;
    struct view view = counted_view(10, 4);
    struct error err = ERROR_INIT;
    struct str none = STR("");
    struct search_options options = {.columns = &none, .columns_len = 0, .limit = -1};
    struct search *search;
    struct batch *batch;
    assert_int_equal(search_open(&view, &options, &no_limits, &search, &err), STATUS_OK);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
    assert_int_equal(batch->rows, 10);
    assert_int_equal(batch->columns_len, 0);
    batch_unref(batch);
    search_close(search);
    free_view(&view);
}

static void empty_views(void **state)
{
    (void)state;
    struct view view = build_view("id:int64");
    assert_ids(&view, NULL, "");
    assert_ids(&view, "{\"id\":1}", "");
    add_chunk(&view, "id:int64", "[]");
    assert_ids(&view, NULL, "");
    assert_ids(&view, "{\"id\":null}", "");
    free_view(&view);
    view = build_view("");
    struct search *search = open_search(&view, NULL, 10, 0);
    assert_int_equal(drain(search, 0, 1), 0);
    assert_false(has_more(search));
    search_close(search);
    free_view(&view);
}

static void stops_when_told(void **state)
{
    (void)state;
    struct view view = counted_view(20000, 20000);
    struct error err = ERROR_INIT;
    atomic_bool cancelled = false;
    struct exec_context context = {.sys = sys_posix(), .cancelled = &cancelled};
    struct search_options options = {.limit = -1};
    struct search *search;
    struct batch *batch;
    assert_int_equal(search_open(&view, &options, &context, &search, &err), STATUS_OK);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
    batch_unref(batch);
    atomic_store(&cancelled, true);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK); /* rest of the slice */
    batch_unref(batch);
    assert_int_equal(search_next(search, &batch, &err), STATUS_CANCELLED);
    assert_null(batch);
    search_close(search);
    context = (struct exec_context){.sys = sys_posix(), .deadline_us = 1};
    assert_int_equal(search_open(&view, &options, &context, &search, &err), STATUS_OK);
    assert_int_equal(search_next(search, &batch, &err), STATUS_TIMEOUT);
    search_close(search);
    context.deadline_us = sys_mono_us(sys_posix()) + 60000000;
    assert_int_equal(search_open(&view, &options, &context, &search, &err), STATUS_OK);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
    batch_unref(batch);
    search_close(search);
    free_view(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(limits_and_offsets),
        cmocka_unit_test(pages_of_a_cursor),
        cmocka_unit_test(continue_without_limit),
        cmocka_unit_test(projection),
        cmocka_unit_test(no_columns),
        cmocka_unit_test(empty_views),
        cmocka_unit_test(stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

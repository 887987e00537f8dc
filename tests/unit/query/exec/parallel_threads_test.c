/* parallel_threads_test.c: tasks on several threads; an aggregate that several threads share gives
 * what one gives, groups in the same order. */
#include <stdio.h>
#include <stdlib.h>

#include "query/exec/parallel.h"
#include "sys/sys.h"
#include "unit/query/filter/view_builder.h"

enum { TASKS = 1000 };

struct counted {
    _Atomic uint32_t runs[TASKS];
    uint32_t failing; /* from this one on */
};

static enum status count(void *context, uint32_t task, struct error *err)
{
    struct counted *counted = context;
    atomic_fetch_add(&counted->runs[task], 1);
    if (task >= counted->failing)
        return error_set(err, STATUS_IO, "task %u", task);
    return STATUS_OK;
}

static void every_task_once(void **state)
{
    struct counted counted = {.failing = TASKS};
    (void)state;
    for (uint32_t threads = 0; threads < 6; threads++) {
        assert_int_equal(parallel_run(threads, TASKS, count, &counted, NULL), STATUS_OK);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(counted.runs[i], threads + 1);
    }
    assert_int_equal(parallel_run(4, 0, count, &counted, NULL), STATUS_OK);
}

static void first_failure(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct counted counted = {.failing = 100};
        struct error err = ERROR_INIT;
        assert_int_equal(parallel_run(4, TASKS, count, &counted, &err), STATUS_IO);
        assert_string_equal(err.message, "task 100");
        assert_true(counted.runs[99] == 1 && counted.runs[TASKS - 1] == 0);
    }
}

/* --- aggregates --- */

enum { FILES = 3, PART = 65536, PARTS = 5 };

static void ok(enum status status, const struct error *err)
{
    if (status != STATUS_OK)
        fail_msg("%s: %s", status_info(status)->code, err->message);
}

struct stored {
    char path[64];
    struct store *store;
    struct source *source;
    struct view view;
};

static void write_part(struct source *source, int64_t first)
{
    struct error err = ERROR_INIT;
    struct write_result result;
    struct batch *batch = build_batch("n:int64,v:double", "[]");
    for (int64_t i = first; i < first + PART; i++) {
        assert_int_equal(column_append_int64(&batch->columns[0].column, i * 7919 % 1000),
                         STATUS_OK);
        assert_int_equal(column_append_double(&batch->columns[1].column, (double)i / 7), STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, PART), STATUS_OK);
    ok(source_write(source, batch, STR_NONE, &result, &err), &err);
    batch_unref(batch);
}

static int set_up(void **state)
{
    struct error err = ERROR_INIT;
    struct stored *stored = calloc(1, sizeof *stored);
    struct schema *schema = build_schema("n:int64,v:double");
    assert_non_null(stored);
    snprintf(stored->path, sizeof stored->path, "/tmp/quarry-parallel-XXXXXX");
    assert_non_null(mkdtemp(stored->path));
    struct store_options options = {.path = stored->path};
    ok(store_open(sys_posix(), &options, &stored->store, &err), &err);
    struct source_config config = {.source_id = STR("s"),
                                   .name = STR("s"),
                                   .connection_string = STR(""),
                                   .data_path = STR(""),
                                   .fields = schema->fields,
                                   .fields_len = schema->fields_len,
                                   .codec = PARQUET_SNAPPY,
                                   .max_file_size_mb = 256};
    ok(store_add_source(stored->store, &config, &err), &err);
    ok(store_get_source(stored->store, STR("s"), &stored->source, &err), &err);
    for (int file = 0; file <= FILES; file++) {
        for (int i = 0; i < (file ? 1 : PARTS); i++) /* the first is large; the last unflushed */
            write_part(stored->source, (int64_t)(file * PARTS + i) * PART);
        if (file < FILES)
            ok(source_flush(stored->source, &err), &err);
    }
    ok(view_open(stored->source, &stored->view, &err), &err);
    free_schema(schema);
    *state = stored;
    return 0;
}

static int tear_down(void **state)
{
    struct stored *stored = *state;
    view_close(&stored->view);
    source_unref(stored->source);
    store_close(stored->store, false);
    struct error err = ERROR_INIT;
    ok(sys_remove_tree(sys_posix(), stored->path, &err), &err);
    free(stored);
    return 0;
}

static enum status run(struct stored *stored, uint32_t threads, const atomic_bool *cancelled,
                       struct batch **ret, struct exec_stats *stats)
{
    static const struct aggregate_spec specs[] = {
        {.kind = AGG_COUNT, .alias = {"c", 1}},
        {.kind = AGG_SUM, .column = {"n", 1}, .alias = {"s", 1}},
        {.kind = AGG_MAX, .column = {"v", 1}, .alias = {"m", 1}},
        {.kind = AGG_SUM, .column = {"v", 1}, .alias = {"t", 1}},
    };
    static const enum type types[] = {TYPE_INT64, TYPE_INT64, TYPE_JSON, TYPE_DOUBLE, TYPE_DOUBLE};
    struct exec_context context = {
        .sys = sys_posix(), .access = EXEC_SCAN, .threads = threads, .cancelled = cancelled};
    struct aggregate *agg = NULL;
    struct error err = ERROR_INIT;
    ok(aggregate_new(specs, 4, &STR("n"), 1, &agg, &err), &err);
    *stats = (struct exec_stats){0};
    enum status status = aggregate_add_view(agg, &stored->view, NULL, &context, stats, &err);
    if (status == STATUS_OK)
        ok(aggregate_batch(agg, types, ret, &err), &err);
    aggregate_free(agg);
    return status;
}

static void same_as_one(void **state)
{
    struct batch *one = NULL, *several = NULL;
    struct exec_stats alone, shared;
    assert_int_equal(run(*state, 1, NULL, &one, &alone), STATUS_OK);
    assert_int_equal(run(*state, 4, NULL, &several, &shared), STATUS_OK);
    assert_int_equal(one->rows, 1000);
    assert_int_equal(several->rows, 1000);
    for (uint32_t c = 0; c < 5; c++)
        for (uint32_t i = 0; i < one->rows; i++) {
            struct value a = value_of_column(&one->columns[c].column, i);
            struct value b = value_of_column(&several->columns[c].column, i);
            if (c == 4)
                assert_true(a.real - b.real < 1e-3 && b.real - a.real < 1e-3);
            else
                assert_int_equal(value_compare(&a, &b), 0);
        }
    assert_int_equal(alone.rows_scanned, shared.rows_scanned);
    assert_int_equal(alone.segments, shared.segments);
    assert_int_equal(alone.segments_read, shared.segments_read);
    batch_unref(one);
    batch_unref(several);
}

static void cancelled(void **state)
{
    const atomic_bool yes = true;
    struct batch *none = NULL;
    struct exec_stats stats;
    assert_int_equal(run(*state, 4, &yes, &none, &stats), STATUS_CANCELLED);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once),
        cmocka_unit_test(first_failure),
        cmocka_unit_test_setup_teardown(same_as_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* mutation_test.c: deletes and upserts against a model: in memory, in files, over restarts, with
 * chunks being merged, flushes, compactions and rollbacks between. */
#include "mutation_fixture.h"
#include "sys/sim/sim.h"

struct world {
    struct sim *sim;
    struct store *store;
    struct source *source;
    struct model model;
};

static void open_source(struct world *w)
{
    struct source_config config = mutation_config("s");
    w->store = fixture_open(sim_sys(w->sim), "d");
    assert_ok(store_add_source(w->store, &config, &test_err));
    assert_ok(store_get_source(w->store, STR("s"), &w->source, &test_err));
}

static void reopen(struct world *w, bool flush)
{
    source_unref(w->source);
    store_close(w->store, flush);
    open_source(w);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_ok(sim_new(1, &w->sim, &test_err));
    open_source(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    source_unref(w->source);
    store_close(w->store, false);
    sim_free(w->sim);
    free(w);
    return 0;
}

static void append_range(struct world *w, int64_t first, uint32_t len)
{
    int64_t *ids = calloc(len, sizeof *ids);
    double *values = calloc(len, sizeof *values);
    struct write_result result;
    for (uint32_t i = 0; i < len; i++) {
        ids[i] = first + i;
        values[i] = (double)(first + i) / 2;
        w->model.count[ids[i]]++;
        w->model.value[ids[i]] += values[i];
    }
    assert_ok(append_rows(w->source, ids, values, len, NULL, &result));
    free(ids);
    free(values);
}

static uint64_t remove_range(struct world *w, int64_t first, int64_t end)
{
    struct write_result result;
    uint64_t expected = 0;
    for (int64_t id = first; id < end; id++) {
        expected += w->model.count[id];
        w->model.count[id] = 0;
        w->model.value[id] = 0;
    }
    assert_ok(delete_range(w->source, first, end, NULL, &result));
    assert_int_equal(result.deleted, expected);
    assert_int_equal(result.rows, expected);
    return expected;
}

static void upsert_range(struct world *w, int64_t first, uint32_t len, int64_t step, double value)
{
    int64_t *ids = calloc(len, sizeof *ids);
    double *values = calloc(len, sizeof *values);
    struct write_result result;
    uint64_t replaced = 0;
    for (uint32_t i = 0; i < len; i++) {
        ids[i] = first + step * i;
        values[i] = value + i;
        replaced += w->model.count[ids[i]];
        w->model.count[ids[i]] = 1;
        w->model.value[ids[i]] = values[i];
    }
    assert_ok(upsert_rows(w->source, ids, values, len, NULL, &result));
    assert_int_equal(result.rows, len);
    assert_int_equal(result.deleted, replaced);
    free(ids);
    free(values);
}

static void test_in_memory(void **state)
{
    struct world *w = *state;
    append_range(w, 0, 100);
    append_range(w, 100, 100);
    remove_range(w, 50, 120);
    model_check(w->source, &w->model);
    remove_range(w, 50, 120);
    append_range(w, 60, 5);
    model_check(w->source, &w->model);
    reopen(w, false);
    model_check(w->source, &w->model);
    assert_ok(source_flush(w->source, &test_err));
    model_check(w->source, &w->model);
    reopen(w, false);
    model_check(w->source, &w->model);
}

static void test_in_files(void **state)
{
    struct world *w = *state;
    append_range(w, 0, 1000);
    assert_ok(source_flush(w->source, &test_err));
    remove_range(w, 100, 200);
    model_check(w->source, &w->model);
    reopen(w, false); /* from the log */
    model_check(w->source, &w->model);
    assert_ok(source_flush(w->source, &test_err));
    model_check(w->source, &w->model);
    remove_range(w, 150, 300); /* the file's rows and more */
    reopen(w, false);
    model_check(w->source, &w->model);
    reopen(w, true);
    model_check(w->source, &w->model);
    struct source_stats stats;
    source_get_stats(w->source, &stats);
    assert_int_equal(stats.files, 3);
    remove_range(w, 0, 1000);
    assert_ok(source_flush(w->source, &test_err));
    source_get_stats(w->source, &stats);
    assert_int_equal(stats.files, 0); /* nothing is left of them */
    model_check(w->source, &w->model);
}

static void test_older_views(void **state)
{
    struct world *w = *state;
    struct view before, between;
    struct model model_before, model_between, found;
    append_range(w, 0, 300);
    assert_ok(source_flush(w->source, &test_err));
    append_range(w, 300, 300);
    model_before = w->model;
    assert_ok(view_open(w->source, &before, &test_err));
    remove_range(w, 200, 400);
    model_between = w->model;
    assert_ok(view_open(w->source, &between, &test_err));
    upsert_range(w, 0, 100, 3, 7000);
    assert_ok(source_flush(w->source, &test_err));
    remove_range(w, 0, 250);
    assert_ok(source_flush(w->source, &test_err));
    model_of_view(&before, &found);
    assert_true(model_equal(&found, &model_before));
    model_of_view(&between, &found);
    assert_true(model_equal(&found, &model_between));
    model_check(w->source, &w->model);
    view_close(&before);
    view_close(&between);
}

static void test_upsert(void **state)
{
    struct world *w = *state;
    const int64_t ids[] = {5, 6, 5, 7, 5};
    const double values[] = {1, 2, 3, 4, 5};
    struct write_result result;
    assert_ok(upsert_rows(w->source, ids, values, 5, NULL, &result));
    assert_int_equal(result.rows, 3);
    assert_int_equal(result.deleted, 0);
    w->model.count[5] = w->model.count[6] = w->model.count[7] = 1;
    w->model.value[5] = 5;
    w->model.value[6] = 2;
    w->model.value[7] = 4;
    model_check(w->source, &w->model);
    upsert_range(w, 0, 1000, 1, 100);
    upsert_range(w, 900, 1000, 1, 200);
    assert_ok(source_flush(w->source, &test_err));
    upsert_range(w, 0, 10, 100, 300); /* few: by the index */
    upsert_range(w, 0, 500, 3, 400);  /* many: by a scan */
    upsert_range(w, 3, 1, 1, 500);    /* rows in memory, by their index */
    model_check(w->source, &w->model);
    reopen(w, false);
    model_check(w->source, &w->model);
    reopen(w, true);
    model_check(w->source, &w->model);
}

static void test_upsert_refused(void **state)
{
    struct world *w = *state;
    struct write_result result;
    struct batch *batch = batch_new();
    uint32_t at;
    append_range(w, 0, 10);
    assert_int_equal(batch_add_column(batch, STR("id"), TYPE_INT64, &at), STATUS_OK);
    assert_int_equal(column_append_int64(&batch->columns[at].column, 3), STATUS_OK);
    assert_int_equal(column_append_null(&batch->columns[at].column), STATUS_OK);
    assert_int_equal(batch_set_rows(batch, 2), STATUS_OK);
    test_err = ERROR_INIT;
    assert_int_equal(source_upsert(w->source, batch, STR_NONE, &result, &test_err), STATUS_SCHEMA);
    assert_int_equal(test_err.record, 1);
    assert_string_equal(test_err.field, "id");
    batch_unref(batch);
    batch = batch_new();
    assert_int_equal(batch_add_column(batch, STR("value"), TYPE_DOUBLE, &at), STATUS_OK);
    assert_int_equal(column_append_double(&batch->columns[at].column, 3), STATUS_OK);
    assert_int_equal(batch_set_rows(batch, 1), STATUS_OK);
    assert_int_equal(source_upsert(w->source, batch, STR_NONE, &result, &test_err), STATUS_SCHEMA);
    batch_unref(batch);
    model_check(w->source, &w->model);
    struct source *plain = fixture_source(w->store, "plain");
    batch = fixture_batch(0, 3);
    assert_int_equal(source_upsert(plain, batch, STR_NONE, &result, &test_err),
                     STATUS_INVALID_ARGUMENT);
    batch_unref(batch);
    source_unref(plain);
}

static void test_write_ids(void **state)
{
    struct world *w = *state;
    struct write_result result;
    const int64_t ids[] = {1, 2};
    const double values[] = {10, 20};
    append_range(w, 0, 10);
    assert_ok(delete_range(w->source, 0, 5, "d1", &result));
    assert_false(result.duplicate);
    assert_int_equal(result.rows, 5);
    assert_ok(upsert_rows(w->source, ids, values, 2, "u1", &result));
    assert_int_equal(result.rows, 2);
    for (int again = 0; again < 2; again++) {
        assert_ok(delete_range(w->source, 0, 5, "d1", &result)); /* would hit what came since */
        assert_true(result.duplicate);
        assert_int_equal(result.rows, 5);
        assert_ok(upsert_rows(w->source, ids, values, 2, "u1", &result));
        assert_true(result.duplicate);
        assert_int_equal(result.rows, 2);
        reopen(w, false);
    }
    assert_ok(delete_range(w->source, 3000, 3001, "none", &result)); /* matches nothing */
    append_range(w, 3000, 1);
    assert_ok(delete_range(w->source, 3000, 3001, "none", &result));
    assert_true(result.duplicate);
    for (int i = 0; i < 5; i++)
        w->model.count[i] = 0;
    w->model.count[1] = w->model.count[2] = 1;
    w->model.value[1] = 10;
    w->model.value[2] = 20;
    model_check(w->source, &w->model);
}

static void test_history(void **state)
{
    struct world *w = *state;
    struct snapshot_list list;
    struct model first, found;
    struct view view;
    uint64_t id;
    append_range(w, 0, 100);
    assert_ok(source_flush(w->source, &test_err));
    remove_range(w, 0, 10);
    assert_ok(source_flush(w->source, &test_err));
    first = w->model;
    upsert_range(w, 0, 50, 1, 9);
    remove_range(w, 60, 70);
    assert_ok(source_flush(w->source, &test_err));
    assert_ok(source_list_snapshots(w->source, &list, &test_err));
    assert_int_equal(list.len, 3);
    assert_int_equal(list.items[0].operation, SNAPSHOT_OVERWRITE);
    assert_int_equal(list.items[1].operation, SNAPSHOT_DELETE);
    assert_int_equal(list.items[1].rows, 90);
    struct as_of as_of = {.kind = AS_OF_ID, .id = list.items[1].id};
    snapshot_list_release(&list);
    assert_ok(view_open_as_of(w->source, &as_of, &view, &test_err));
    model_of_view(&view, &found);
    assert_true(model_equal(&found, &first));
    view_close(&view);
    remove_range(w, 0, 100);
    assert_ok(source_rollback(w->source, &as_of, &id, &test_err));
    model_check(w->source, &first);
    reopen(w, false);
    model_check(w->source, &first);
}

static void compact(struct world *w)
{
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    assert_ok(source_compact(w->source, &policy, NULL, &test_err));
}

static void test_compaction(void **state)
{
    struct world *w = *state;
    struct source_stats stats;
    for (int i = 0; i < 4; i++) {
        append_range(w, i * 200, 200);
        assert_ok(source_flush(w->source, &test_err));
    }
    for (int64_t id = 0; id < 800; id += 7)
        remove_range(w, id, id + 2);
    compact(w); /* its plan is made before the deletes are flushed */
    model_check(w->source, &w->model);
    reopen(w, false);
    model_check(w->source, &w->model);
    compact(w);
    struct view view;
    assert_ok(view_open(w->source, &view, &test_err));
    for (uint32_t i = 0; view.deletions && i < view.segments_len; i++)
        assert_null(view.deletions[i]);
    view_close(&view);
    source_get_stats(w->source, &stats);
    assert_int_equal(stats.files, 3);
    model_check(w->source, &w->model);
}

/* Everything at random. */
static void test_random(void **state)
{
    struct world *w = *state;
    unsigned seed = 42;
    append_range(w, 0, 1);
    for (int step = 0; step < 600; step++) {
        int64_t first = rand_r(&seed) % 3000;
        uint32_t len = 1 + (uint32_t)(rand_r(&seed) % (rand_r(&seed) % 8 ? 20 : 900));
        switch (rand_r(&seed) % 12) {
        case 0:
        case 1:
        case 2:
            append_range(w, first, len);
            break;
        case 3:
        case 4:
            remove_range(w, first, first + len);
            break;
        case 5:
        case 6:
        case 7:
            upsert_range(w, first, len, 1, step * 1000);
            break;
        case 8:
            assert_ok(source_flush(w->source, &test_err));
            break;
        case 9:
            if (step % 3 == 0)
                compact(w);
            break;
        case 10:
            reopen(w, step % 2);
            break;
        default:
            for (int64_t i = 0; i < 30; i++)
                upsert_range(w, first + i % 7, 1, 1, step * 1000 + 100 * (double)i);
        }
        if (step % 10 == 0)
            model_check(w->source, &w->model);
    }
    model_check(w->source, &w->model);
}

static void test_100k_keys(void **state)
{
    struct world *w = *state;
    enum { KEYS = 100000 };
    struct write_result result;
    struct view view;
    struct batch *batch = fixture_batch(0, KEYS);
    assert_ok(source_upsert(w->source, batch, STR_NONE, &result, &test_err));
    assert_int_equal(result.deleted, 0);
    batch_unref(batch);
    assert_ok(source_flush(w->source, &test_err));
    batch = fixture_batch(KEYS / 2, KEYS);
    assert_ok(source_upsert(w->source, batch, STR_NONE, &result, &test_err));
    assert_int_equal(result.deleted, KEYS / 2);
    assert_int_equal(result.rows, KEYS);
    assert_ok(source_upsert(w->source, batch, STR_NONE, &result, &test_err));
    assert_int_equal(result.deleted, KEYS);
    batch_unref(batch);
    assert_ok(source_flush(w->source, &test_err));
    assert_ok(view_open(w->source, &view, &test_err));
    assert_int_equal(view.rows, KEYS + KEYS / 2);
    view_close(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older_views, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upsert, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upsert_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_100k_keys, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

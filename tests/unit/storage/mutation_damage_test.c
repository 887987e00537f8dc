/* mutation_damage_test.c: a damaged file of deleted rows while a delete of the same segment stands
 * in the log: the store opens, names it, serves the rest, and does the delete after the repair. */
#include "mutation_fixture.h"
#include "sys/sim/sim.h"

enum { ROWS = 100 };

static void delete_ids(struct source *source, int64_t first, int64_t end)
{
    struct write_result result;
    assert_ok(delete_range(source, first, end, NULL, &result));
    assert_int_equal(result.deleted, end - first);
}

/* Rows 0 to 99 in files; 0 to 9 deleted in files, 10 to 19 in the log; a second source. */
static void make(struct sys *sys)
{
    struct source_config config = mutation_config("s");
    struct source *source;
    struct store *store = fixture_open(sys, "d");
    config.partition_columns_len = 0;
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_write(source, 0, ROWS);
    assert_ok(source_flush(source, &test_err));
    delete_ids(source, 0, 10);
    assert_ok(source_flush(source, &test_err));
    delete_ids(source, 10, 20);
    source_unref(source);
    source = fixture_source(store, "other");
    fixture_write(source, 0, 10);
    source_unref(source);
    store_close(store, false);
}

/* Cuts the last byte, a magic one, off the file of deleted rows, or mends that. */
static void damage(struct sys *sys, const char *path, bool mend)
{
    struct sys_file *file;
    uint64_t size = 0;
    assert_ok(sys_open(sys, path, SYS_READ | SYS_WRITE, &file, &test_err));
    assert_ok(sys_size(sys, file, &size, &test_err));
    if (mend)
        assert_ok(sys_pwrite(sys, file, "1", 1, size, &test_err));
    else
        assert_ok(sys_truncate(sys, file, size - 1, &test_err));
    assert_ok(sys_sync(sys, file, &test_err));
    sys_close(sys, file);
}

static void find_file(struct sys *sys, char out[SYS_PATH_MAX])
{
    struct fixture_search search = {.prefix = "", .suffix = ".deletes.parquet"};
    assert_ok(sys_list_dir(sys, "d/sources/s/data", fixture_match, &search, &test_err));
    assert_true(search.found[0]);
    assert_ok(sys_path(out, &test_err, "d/sources/s/data/%s", search.found));
}

static void check_damaged(struct sys *sys, int starts)
{
    struct store *store = fixture_open(sys, "d");
    struct source *source;
    struct source_stats stats;
    struct view view;
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    source_get_stats(source, &stats);
    assert_non_null(strstr(stats.damage, "deletes.parquet is damaged"));
    assert_ok(view_open(source, &view, &test_err));
    assert_int_equal(view.segments_len, 1);
    assert_int_equal(deletion_load(view.deletions[0], &test_err), STATUS_CORRUPT);
    view_close(&view);
    fixture_write(source, ROWS + starts, 1);                           /* writes go on, */
    assert_int_equal(source_flush(source, &test_err), STATUS_CORRUPT); /* and stay in the log */
    assert_non_null(strstr(test_err.message, "deletes.parquet is damaged"));
    source_unref(source);
    assert_ok(store_get_source(store, STR("other"), &source, &test_err));
    fixture_check(source, 10);
    assert_ok(source_flush(source, &test_err));
    fixture_check(source, 10);
    source_unref(source);
    store_close(store, true);
}

static void test_waits_for_repair(void **state)
{
    (void)state;
    enum { STARTS = 3 };
    struct sim *sim;
    char path[SYS_PATH_MAX];
    static struct model expected;
    struct source *source;
    struct source_stats stats;
    assert_ok(sim_new(1, &sim, &test_err));
    struct sys *sys = sim_sys(sim);
    make(sys);
    find_file(sys, path);
    damage(sys, path, false);
    for (int i = 0; i < STARTS; i++)
        check_damaged(sys, i);
    damage(sys, path, true);
    for (int id = 20; id < ROWS + STARTS; id++) {
        expected.count[id] = 1;
        expected.value[id] = id * 0.5;
    }
    struct store *store = fixture_open(sys, "d");
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    source_get_stats(source, &stats);
    assert_string_equal(stats.damage, "");
    model_check(source, &expected);
    assert_ok(source_flush(source, &test_err));
    model_check(source, &expected);
    source_unref(source);
    store_close(store, true);
    store = fixture_open(sys, "d");
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    model_check(source, &expected);
    source_unref(source);
    store_close(store, true);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_waits_for_repair)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

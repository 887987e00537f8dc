/* store_damage_test.c: a flipped bit, a lost or a cut file: named at the next start, never served.
 */
#include "fixture.h"

#include "sys/sim/sim.h"

static struct sim *filled(void)
{
    struct sim *sim;
    struct write_result result;
    assert_ok(sim_new(3, &sim, &test_err));
    struct store *store = fixture_open(sim_sys(sim), "d");
    struct source *source = fixture_source(store, "s");
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "w%d", i);
        assert_ok(fixture_try_write(source, i * 10, 10, id, &result));
    }
    assert_ok(source_flush(source, &test_err));
    source_unref(source);
    store_close(store, false);
    return sim;
}

static enum status open_it(struct sim *sim)
{
    struct store_options options = {.path = "d", .wal_segment_bytes = 1 << 20};
    struct store *store = NULL;
    test_err = ERROR_INIT;
    enum status status = store_open(sim_sys(sim), &options, &store, &test_err);
    store_close(store, false);
    return status;
}

static void test_flipped_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *suffix;
    } names[] = {{"CURRENT", ""},  {"", ".metadata.json"}, {"snap-1-", ".avro"},
                 {"", "-m0.avro"}, {"", ".writeids"},      {"", ""}};
    const size_t len = sizeof names / sizeof *names;
    char paths[sizeof names / sizeof *names][SYS_PATH_MAX] = {0};
    struct sim *sim = filled();
    for (size_t i = 0; i + 1 < len; i++)
        fixture_metadata(sim_sys(sim), "d", "s", names[i].prefix, names[i].suffix, paths[i]);
    assert_ok(sys_path(paths[len - 1], &test_err, "d/sources/s/source.json"));
    for (size_t i = 0; i < len; i++) {
        struct sys_stat stat;
        assert_ok(sys_stat(sim_sys(sim), paths[i], &stat, &test_err));
        for (uint64_t bit = i; bit < stat.size * 8; bit += 1 + stat.size / 16) {
            assert_ok(sim_flip_bit(sim, paths[i], bit, &test_err));
            if (open_it(sim) != STATUS_CORRUPT)
                fail_msg("%s, bit %llu: not noticed", paths[i], (unsigned long long)bit);
            if (!strstr(test_err.message, "d/sources/s/"))
                fail_msg("%s: not named in: %s", paths[i], test_err.message);
            assert_ok(sim_flip_bit(sim, paths[i], bit, &test_err));
        }
    }
    assert_ok(open_it(sim)); /* refusing has changed nothing */
    sim_free(sim);
}

static void test_lost_and_cut_segments(void **state)
{
    (void)state;
    struct sim *sim = filled();
    struct sys *sys = sim_sys(sim);
    struct sys_file *file;
    const char *path = "d/sources/s/data/kind=k1/00000002.parquet";
    struct sys_stat stat;
    assert_ok(sys_stat(sys, path, &stat, &test_err));
    assert_ok(sys_open(sys, path, SYS_READ | SYS_WRITE, &file, &test_err));
    assert_ok(sys_truncate(sys, file, stat.size - 1, &test_err));
    sys_close(sys, file);
    assert_int_equal(open_it(sim), STATUS_CORRUPT);
    assert_non_null(strstr(test_err.message, path));
    assert_ok(sys_unlink(sys, path, &test_err));
    assert_int_equal(open_it(sim), STATUS_CORRUPT);
    assert_non_null(strstr(test_err.message, path));
    sim_free(sim);
}

/* What no snapshot names goes at the next start; what it names stays. */
static void test_orphans(void **state)
{
    (void)state;
    static const char *const orphans[] = {
        "d/sources/s/data/kind=k1/00000099.parquet",
        "d/sources/s/data/00000098.parquet.tmp",
        "d/sources/s/index/00000099.1.hash",
        "d/sources/s/metadata/00007-0.metadata.json",
        "d/sources/s/metadata/0-m0.avro",
        "d/run/1.parquet",
        "d/wal/next.tmp",
    };
    struct sim *sim = filled();
    struct sys *sys = sim_sys(sim);
    struct sys_stat stat;
    struct sys_file *file;
    for (size_t i = 0; i < sizeof orphans / sizeof *orphans; i++) {
        assert_ok(sys_open(sys, orphans[i], SYS_WRITE | SYS_CREATE, &file, &test_err));
        sys_close(sys, file);
    }
    assert_ok(sys_mkdirs(sys, "d/sources/.trash-1/data", &test_err));
    assert_ok(sys_mkdirs(sys, "d/sources/half/data", &test_err));
    assert_ok(sys_mkdirs(sys, "d/sources/s/data/kind=gone", &test_err));
    struct store *store = fixture_open(sys, "d");
    struct source *source;
    for (size_t i = 0; i < sizeof orphans / sizeof *orphans; i++)
        assert_int_equal(sys_stat(sys, orphans[i], &stat, NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_stat(sys, "d/sources/.trash-1", &stat, NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_stat(sys, "d/sources/half", &stat, NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_stat(sys, "d/sources/s/data/kind=gone", &stat, NULL), STATUS_NOT_FOUND);
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_check(source, 100);
    source_unref(source);
    store_close(store, false);
    sim_free(sim);
}

/* A full disk: writes and flushes are refused, reads go on, and it goes on by itself. */
static void test_full_disk(void **state)
{
    (void)state;
    struct sim *sim;
    struct write_result result;
    struct store_options options = {.path = "d", .wal_segment_bytes = 1 << 15};
    struct store *store;
    assert_ok(sim_new(3, &sim, &test_err));
    assert_ok(store_open(sim_sys(sim), &options, &store, &test_err));
    struct source *source = fixture_source(store, "s");
    uint32_t rows = 0;
    enum status status;
    sim_set_capacity(sim, 1 << 18);
    while ((status = fixture_try_write(source, rows, 50, NULL, &result)) == STATUS_OK)
        rows += 50;
    assert_int_equal(status, STATUS_STORAGE_FULL);
    assert_true(rows > 500);
    fixture_check(source, rows);
    assert_int_equal(source_flush(source, &test_err), STATUS_STORAGE_FULL);
    struct source_stats stats;
    source_get_stats(source, &stats);
    assert_int_equal(stats.files, 0);
    assert_true(stats.flush_failures >= 1);
    fixture_check(source, rows);
    sim_set_capacity(sim, 0);
    assert_ok(fixture_try_write(source, rows, 50, NULL, &result));
    rows += 50;
    assert_ok(source_flush(source, &test_err));
    fixture_check(source, rows);
    source_get_stats(source, &stats);
    assert_int_equal(stats.files, 3);
    assert_string_equal(stats.flush_error, "");
    source_unref(source);
    store_close(store, false);
    store = fixture_open(sim_sys(sim), "d");
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_check(source, rows);
    source_unref(source);
    store_close(store, false);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped_metadata),
        cmocka_unit_test(test_lost_and_cut_segments),
        cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

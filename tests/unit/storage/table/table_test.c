/* table_test.c: a source's folder as an Iceberg table: moved elsewhere, written by an older
 * version, many commits. What other readers make of it: tests/system/test_iceberg_readers.py. */
#include "unit/storage/fixture.h"

#include "storage/table/table.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

static struct sim *new_sim(void)
{
    struct sim *sim;
    assert_ok(sim_new(7, &sim, &test_err));
    return sim;
}

/* Snapshots 1 to 3 by flushes, the second tagged, then compaction: 4 to 6, one a partition. */
static struct sim *filled(void)
{
    struct sim *sim = new_sim();
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    struct store *store = fixture_open(sim_sys(sim), "d");
    struct source *source = fixture_source(store, "s");
    for (int i = 0; i < 3; i++) {
        fixture_write(source, i * 10, 10);
        assert_ok(source_flush(source, &test_err));
    }
    assert_ok(source_tag(source, 2, STR("two"), &test_err));
    assert_ok(source_compact(source, &policy, NULL, &test_err));
    source_unref(source);
    store_close(store, false);
    return sim;
}

static uint64_t rows_as_of(struct source *source, const char *text)
{
    struct as_of as_of;
    struct view view;
    assert_ok(as_of_parse(str_of(text), &as_of, &test_err));
    assert_ok(view_open_as_of(source, &as_of, &view, &test_err));
    uint64_t rows = view.rows;
    view_close(&view);
    return rows;
}

/* The text of the metadata file that CURRENT names. */
static void read_metadata(struct sys *sys, const char *dir, struct buf *text)
{
    char path[SYS_PATH_MAX];
    fixture_metadata(sys, dir, "s", "", ".metadata.json", path);
    buf_init(text, 1 << 20);
    assert_ok(sys_read_file(sys, path, text, &test_err));
    buf_append_char(text, 0);
}

static void check_moved(struct sim *sim)
{
    struct buf text;
    struct store *store = fixture_open(sim_sys(sim), "e");
    struct source *source;
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_check(source, 30);
    assert_int_equal(rows_as_of(source, "1"), 10);
    assert_int_equal(rows_as_of(source, "two"), 20);
    assert_int_equal(rows_as_of(source, "3"), 30);
    read_metadata(sim_sys(sim), "e", &text);
    assert_non_null(strstr(text.data, "/e/sources/s\""));
    assert_null(strstr(text.data, "/d/sources/s"));
    buf_release(&text);
    fixture_write(source, 30, 10); /* and it goes on */
    assert_ok(source_flush(source, &test_err));
    fixture_check(source, 40);
    source_unref(source);
    store_close(store, false);
}

static void move_it(struct sim *sim)
{
    assert_ok(sys_rename(sim_sys(sim), "d", "e", &test_err));
    assert_ok(sys_sync_dir(sim_sys(sim), ".", &test_err));
}

static void test_moved(void **state)
{
    (void)state;
    struct sim *sim = filled();
    move_it(sim);
    check_moved(sim);
    sim_free(sim);
}

/* Every call of the start in the new place fails once, or the power goes there. */
static void test_moved_with_faults(void **state)
{
    (void)state;
    bool done = false;
    for (uint64_t call = 1; !done; call += 1 + call / 40) {
        for (int cut = 0; cut < 2; cut++) {
            struct sim *sim = filled();
            struct fault *fault;
            move_it(sim);
            assert_ok(fault_new(sim_sys(sim), &fault, &test_err));
            fault_plan(fault, &(struct fault_plan){.at = call, .crash = cut});
            struct store_options options = {.path = "e", .wal_segment_bytes = 1 << 20};
            struct store *store = NULL;
            (void)store_open(fault_sys(fault), &options, &store, NULL);
            store_close(store, false);
            done = fault_hits(fault) == 0;
            fault_free(fault);
            if (cut)
                sim_power_cut(sim, call);
            check_moved(sim);
            sim_free(sim);
        }
    }
}

static void test_refuses_the_old_form(void **state)
{
    (void)state;
    struct sim *sim = filled();
    struct store_options options = {.path = "d", .wal_segment_bytes = 1 << 20};
    struct store *store = NULL;
    assert_ok(sealed_write(sim_sys(sim), "d/sources/s/metadata/CURRENT",
                           STR("{\"snapshot\":\"00000001.snapshot.json\"}"), &test_err));
    assert_int_equal(store_open(sim_sys(sim), &options, &store, &test_err), STATUS_NOT_IMPLEMENTED);
    assert_non_null(strstr(test_err.message, "d/sources/s/metadata/CURRENT"));
    sim_free(sim);
}

static enum status count_bytes(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    uint64_t *count = context;
    (void)err;
    count[0] += str_ends(str_of(entry->name), STR(".metadata.json"));
    count[1] += str_ends(str_of(entry->name), STR(".avro"));
    return STATUS_OK;
}

/* Many commits, of which few are kept: the folder holds only what these need, and after a restart
 * everything is there. */
static void test_many_commits(void **state)
{
    (void)state;
    enum { COMMITS = 200 };
    struct sim *sim = new_sim();
    struct store_options options = {
        .path = "d", .wal_segment_bytes = 1 << 20, .snapshot_retention_us = -1};
    for (int round = 0; round < 2; round++) {
        struct store *store = NULL;
        uint64_t count[2] = {0, 0};
        assert_ok(store_open(sim_sys(sim), &options, &store, &test_err));
        struct source *source = fixture_source(store, "s");
        for (int i = 0; i < COMMITS / 2; i++) {
            fixture_write(source, (round * COMMITS / 2 + i) * 3, 3);
            assert_ok(source_flush(source, &test_err));
        }
        fixture_check(source, ((uint32_t)round + 1) * COMMITS / 2 * 3);
        assert_ok(
            sys_list_dir(sim_sys(sim), "d/sources/s/metadata", count_bytes, count, &test_err));
        assert_in_range(count[0], 2, 11);
        assert_in_range(count[1], 3, 80); /* three lists, manifests merged by sixteens */
        source_unref(source);
        store_close(store, false);
    }
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_moved_with_faults),
        cmocka_unit_test(test_refuses_the_old_form),
        cmocka_unit_test(test_many_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

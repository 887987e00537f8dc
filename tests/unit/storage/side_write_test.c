/* side_write_test.c: a write to two sources at once: every call to the outside world fails once or
 * the power goes; afterwards a pair is there wholly or not at all. */
#include "fixture.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { PAIRS = 8 };

static struct store *open_store(struct sys *sys)
{
    struct store_options options = {.path = "d", .wal_segment_bytes = 1 << 14};
    struct store *store = NULL;
    test_err = ERROR_INIT;
    return store_open(sys, &options, &store, &test_err) == STATUS_OK ? store : NULL;
}

static struct source *add(struct store *store, const char *id)
{
    struct source_config config = {
        .source_id = str_of(id), .name = str_of(id), .codec = PARQUET_SNAPPY, .wal_enabled = true};
    struct source *source = NULL;
    if (store_add_source(store, &config, NULL) == STATUS_OK)
        (void)store_get_source(store, str_of(id), &source, NULL);
    return source;
}

static enum status write_pair(struct source *main_source, struct source *side, int64_t number,
                              bool with_id, struct write_result *result)
{
    char id[16];
    snprintf(id, sizeof id, "w%lld", (long long)number);
    struct batch *batch = fixture_batch(number, 1), *other = fixture_batch(number, 1);
    struct write_side with = {side, other};
    enum status status = source_write_with(main_source, batch, with_id ? str_of(id) : STR_NONE,
                                           false, &with, result, NULL);
    batch_unref(batch);
    batch_unref(other);
    return status;
}

/* Bit n: pair n was acknowledged. */
static unsigned story(struct sys *sys)
{
    unsigned stored = 0;
    struct write_result result;
    struct store *store = open_store(sys);
    if (!store)
        return 0;
    struct source *a = add(store, "a"), *b = add(store, "a.side");
    for (int i = 0; a && b && i < PAIRS; i++) {
        if (write_pair(a, b, i, i % 2, &result) == STATUS_OK)
            stored |= 1u << i;
        if (i == PAIRS / 2)
            (void)source_flush(i % 2 ? a : b, NULL);
    }
    source_unref(a);
    source_unref(b);
    store_close(store, false);
    return stored;
}

static unsigned rows_of(struct store *store, const char *id)
{
    unsigned rows = 0;
    uint32_t len;
    struct source *source = NULL;
    if (store_get_source(store, str_of(id), &source, NULL) != STATUS_OK)
        return 0;
    int64_t *ids = fixture_ids(source, &len);
    for (uint32_t i = 0; i < len; i++) {
        assert_false(rows >> ids[i] & 1);
        rows |= 1u << ids[i];
    }
    free(ids);
    source_unref(source);
    return rows;
}

static void check(struct sim *sim, unsigned stored, const char *what, uint64_t at)
{
    struct store *store = open_store(sim_sys(sim));
    if (!store)
        fail_msg("%s %llu: %s", what, (unsigned long long)at, test_err.message);
    unsigned a = rows_of(store, "a"), b = rows_of(store, "a.side");
    if (a != b || (a & stored) != stored)
        fail_msg("%s %llu: %x acknowledged, %x and %x are there", what, (unsigned long long)at,
                 stored, a, b);
    store_close(store, false);
}

static void each_call(bool crash, bool cut, const char *what)
{
    uint64_t calls = 1;
    for (uint64_t at = 0; at <= calls; at++) { /* 0: no fault */
        struct sim *sim;
        struct fault *fault;
        struct fault_plan plan = {.op = FAULT_ANY, .at = at, .crash = crash};
        assert_ok(sim_new(at + 1, &sim, &test_err));
        assert_ok(fault_new(sim_sys(sim), &fault, &test_err));
        fault_plan(fault, at ? &plan : NULL);
        unsigned stored = story(fault_sys(fault));
        if (!at) {
            calls = fault_calls(fault, FAULT_ANY);
            assert_int_equal(stored, (1u << PAIRS) - 1);
        }
        fault_plan(fault, NULL);
        if (cut)
            sim_power_cut(sim, at);
        check(sim, stored, what, at);
        fault_free(fault);
        sim_free(sim);
    }
}

static void test_faults(void **state)
{
    (void)state;
    each_call(false, false, "failure at call");
    each_call(false, true, "failure and power cut at call");
}

static void test_crashes(void **state)
{
    (void)state;
    each_call(true, false, "crash at call");
    each_call(true, true, "power cut at call");
}

static void test_duplicates_and_removed_sides(void **state)
{
    (void)state;
    struct sim *sim;
    struct write_result result;
    struct store_stats stats;
    assert_ok(sim_new(1, &sim, &test_err));
    struct store *store = open_store(sim_sys(sim));
    struct source *a = add(store, "a"), *b = add(store, "a.side");
    assert_ok(write_pair(a, b, 1, true, &result));
    assert_ok(write_pair(a, b, 1, true, &result));
    assert_true(result.duplicate);
    assert_int_equal(rows_of(store, "a"), 2);
    assert_int_equal(rows_of(store, "a.side"), 2);
    assert_ok(store_remove_source(store, STR("a.side"), &test_err));
    assert_int_equal(write_pair(a, b, 2, true, &result), STATUS_UNKNOWN_SOURCE);
    assert_int_equal(rows_of(store, "a"), 2);
    source_unref(b);
    assert_ok(source_flush(a, &test_err));
    store_get_stats(store, &stats);
    assert_int_equal(stats.memtable_bytes, 0); /* nothing of it is left over */
    source_unref(a);
    store_close(store, false);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_duplicates_and_removed_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

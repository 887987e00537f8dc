/* store_budget_test.c: memory stays within the tenant's budget with many sources and with many
 * partitions; when flushes cannot keep up, writers are told to come back; one source that cannot be
 * flushed does not hold up another. */
#include "fixture.h"
#include "sys/sim/sim.h"

enum { SOURCES = 1000, DAYS = 2000, BUDGET = 256 << 10 };

static struct store *open_store(struct sim *sim)
{
    struct store_options options = {.path = "d",
                                    .memtable_bytes = BUDGET,
                                    .memtable_max_bytes = 2 * BUDGET,
                                    .wal_segment_bytes = 1 << 20};
    struct store *store = NULL;
    assert_ok(store_open(sim_sys(sim), &options, &store, &test_err));
    return store;
}

static struct source *add(struct store *store, const char *id, bool by_day)
{
    static const struct str day = {"day", 3};
    struct source_config config = {.source_id = str_of(id),
                                   .name = str_of(id),
                                   .partition_columns = &day,
                                   .partition_columns_len = by_day,
                                   .codec = PARQUET_SNAPPY,
                                   .wal_enabled = true};
    struct source *source = NULL;
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, str_of(id), &source, &test_err));
    return source;
}

static uint64_t memory_of(struct store *store)
{
    struct store_stats stats;
    store_get_stats(store, &stats);
    return stats.memtable_bytes;
}

static uint64_t rows_of(struct source *source)
{
    struct source_stats stats;
    source_get_stats(source, &stats);
    return stats.rows;
}

static void test_many_sources(void **state)
{
    (void)state;
    struct sim *sim;
    assert_ok(sim_new(1, &sim, &test_err));
    struct store *store = open_store(sim);
    char id[16];
    for (int i = 0; i < SOURCES; i++) {
        snprintf(id, sizeof id, "s%d", i);
        struct source *source = add(store, id, false);
        fixture_write(source, i, 20);
        assert_true(memory_of(store) <= 2 * BUDGET);
        source_unref(source);
    }
    for (int i = 0; i < SOURCES; i++) {
        struct source *source = NULL;
        snprintf(id, sizeof id, "s%d", i);
        assert_ok(store_get_source(store, str_of(id), &source, &test_err));
        assert_int_equal(rows_of(source), 20);
        source_unref(source);
    }
    store_close(store, false);
    sim_free(sim);
}

static void test_many_partitions(void **state)
{
    (void)state;
    struct sim *sim;
    struct write_result result;
    assert_ok(sim_new(1, &sim, &test_err));
    struct store *store = open_store(sim);
    struct source *source = add(store, "days", true);
    for (int part = 0; part < 4; part++) {
        struct batch *batch = batch_new();
        uint32_t id, day;
        assert_int_equal(batch_add_column(batch, STR("id"), TYPE_INT64, &id), STATUS_OK);
        assert_int_equal(batch_add_column(batch, STR("day"), TYPE_DATE, &day), STATUS_OK);
        for (int i = 0; i < DAYS; i++) {
            assert_int_equal(column_append_int64(&batch->columns[id].column, part * DAYS + i),
                             STATUS_OK);
            assert_int_equal(column_append_date(&batch->columns[day].column, 10000 + i), STATUS_OK);
        }
        assert_int_equal(batch_set_rows(batch, DAYS), STATUS_OK);
        assert_ok(source_write(source, batch, STR_NONE, &result, &test_err));
        batch_unref(batch);
        assert_true(memory_of(store) <= 2 * BUDGET);
    }
    assert_ok(source_flush(source, &test_err));
    assert_int_equal(memory_of(store), 0);
    struct source_stats stats;
    source_get_stats(source, &stats);
    assert_int_equal(stats.rows, 4 * DAYS);
    assert_true(stats.files >= DAYS);
    source_unref(source);
    store_close(store, false);
    sim_free(sim);
}

/* A mutation under way keeps its source from being flushed. */
static void test_a_source_that_cannot_be_flushed(void **state)
{
    (void)state;
    struct sim *sim;
    struct mutation *mutation = NULL;
    struct write_result result;
    assert_ok(sim_new(1, &sim, &test_err));
    struct store *store = open_store(sim);
    struct source *slow = add(store, "slow", false), *other = add(store, "other", false);
    fixture_write(slow, 0, 2000); /* less than the budget: nobody flushes it yet */
    assert_true(memory_of(store) < BUDGET);
    assert_ok(mutation_begin(slow, STR_NONE, &mutation, &result, &test_err));
    for (int i = 0; i < 50; i++) /* much more than the budget, all through the other's flushes */
        fixture_write(other, i * 1000, 1000);
    assert_int_equal(rows_of(other), 50000);
    /* Its own writers fill the memory and are told to wait. */
    enum status status = STATUS_OK;
    for (int i = 0; i < 50 && status == STATUS_OK; i++)
        status = fixture_try_write(slow, 10000 + i * 1000, 1000, NULL, &result);
    assert_int_equal(status, STATUS_TOO_MANY_REQUESTS);
    assert_true(test_err.retry_after_s >= 1);
    assert_true(memory_of(store) <= 2 * BUDGET);
    mutation_end(mutation);
    fixture_write(slow, 90000, 1000); /* goes on by itself */
    source_unref(slow);
    source_unref(other);
    store_close(store, false);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_sources),
        cmocka_unit_test(test_many_partitions),
        cmocka_unit_test(test_a_source_that_cannot_be_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

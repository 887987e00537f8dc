/* mutation_threads_test.c: upserts, deletes and appends of several threads beside flushes,
 * compactions and readers. Each upserted key is there exactly once in every view, with a value that
 * only grows; deleted rows do not come back; at the end every thread's last word stands, also after
 * a restart. */
#include <pthread.h>

#include "mutation_fixture.h"

enum { UPSERTERS = 2, KEYS = 60, ROUNDS = 60, DELETER_FIRST = 1000, APPENDER_FIRST = 2000 };

struct world {
    char dir[256];
    struct store *store;
    struct source *source;
    _Atomic bool done;
};

struct upserter {
    struct world *world;
    int number;
};

/* Keys number * KEYS to number * KEYS + KEYS - 1; values are the rounds. */
static void *upsert_main(void *context)
{
    struct upserter *self = context;
    struct write_result result;
    unsigned seed = (unsigned)self->number;
    for (int round = 1; round <= ROUNDS; round++) {
        int64_t ids[KEYS];
        double values[KEYS];
        uint32_t len = 0;
        for (int k = 0; k < KEYS; k++) {
            if (round != 1 && round != ROUNDS && rand_r(&seed) % 4)
                continue;
            ids[len] = self->number * KEYS + k;
            values[len++] = round;
        }
        if (len)
            assert_ok(upsert_rows(self->world->source, ids, values, len, NULL, &result));
    }
    return NULL;
}

/* Appends ten rows and deletes them again, but those of the last round. */
static void *delete_main(void *context)
{
    struct world *w = context;
    struct write_result result;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t ids[10];
        double values[10] = {0};
        for (int i = 0; i < 10; i++)
            ids[i] = DELETER_FIRST + i;
        assert_ok(append_rows(w->source, ids, values, 10, NULL, &result));
        if (round == ROUNDS - 1)
            break;
        assert_ok(delete_range(w->source, DELETER_FIRST, DELETER_FIRST + 10, NULL, &result));
        assert_int_equal(result.deleted, 10);
    }
    return NULL;
}

static void *append_main(void *context)
{
    struct world *w = context;
    struct write_result result;
    for (int64_t id = APPENDER_FIRST; id < APPENDER_FIRST + 10 * ROUNDS; id++) {
        const double value = 1;
        assert_ok(append_rows(w->source, &id, &value, 1, NULL, &result));
    }
    return NULL;
}

static void *upkeep_main(void *context)
{
    struct world *w = context;
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    while (!atomic_load(&w->done)) {
        assert_ok(source_flush(w->source, &test_err));
        (void)source_compact(w->source, &policy, NULL, NULL); /* may lose against another one */
        usleep(2000);
    }
    return NULL;
}

static void *read_main(void *context)
{
    struct world *w = context;
    struct model *before = calloc(1, sizeof *before), *now = calloc(1, sizeof *now);
    assert_non_null(before);
    assert_non_null(now);
    while (!atomic_load(&w->done)) {
        model_of_source(w->source, now);
        for (int id = 0; id < UPSERTERS * KEYS; id++) {
            assert_true(now->count[id] <= 1 && now->count[id] >= before->count[id]);
            assert_true(now->value[id] >= before->value[id]);
        }
        for (int id = DELETER_FIRST; id < DELETER_FIRST + 10; id++) {
            assert_true(now->count[id] <= 1);
            assert_int_equal(now->count[id], now->count[DELETER_FIRST]);
        }
        for (int id = APPENDER_FIRST + 1; id < APPENDER_FIRST + 10 * ROUNDS; id++)
            assert_true(now->count[id] <= now->count[id - 1]);
        struct model *swap = before;
        before = now;
        now = swap;
    }
    free(before);
    free(now);
    return NULL;
}

static void expect(struct model *model)
{
    memset(model, 0, sizeof *model);
    for (int id = 0; id < UPSERTERS * KEYS; id++) {
        model->count[id] = 1;
        model->value[id] = ROUNDS;
    }
    for (int id = DELETER_FIRST; id < DELETER_FIRST + 10; id++)
        model->count[id] = 1;
    for (int id = APPENDER_FIRST; id < APPENDER_FIRST + 10 * ROUNDS; id++) {
        model->count[id] = 1;
        model->value[id] = 1;
    }
}

static void test_all_at_once(void **state)
{
    (void)state;
    struct world w = {.done = false};
    struct source_config config = mutation_config("s");
    struct upserter upserters[UPSERTERS];
    pthread_t threads[UPSERTERS + 2], others[2];
    static struct model expected;
    fixture_dir(w.dir);
    w.store = fixture_open(sys_posix(), w.dir);
    assert_ok(store_add_source(w.store, &config, &test_err));
    assert_ok(store_get_source(w.store, STR("s"), &w.source, &test_err));
    struct write_result result;
    const int64_t first = APPENDER_FIRST - 1;
    const double value = 0;
    assert_ok(append_rows(w.source, &first, &value, 1, NULL, &result)); /* the columns are there */
    for (int i = 0; i < UPSERTERS; i++) {
        upserters[i] = (struct upserter){&w, i};
        pthread_create(&threads[i], NULL, upsert_main, &upserters[i]);
    }
    pthread_create(&threads[UPSERTERS], NULL, delete_main, &w);
    pthread_create(&threads[UPSERTERS + 1], NULL, append_main, &w);
    pthread_create(&others[0], NULL, upkeep_main, &w);
    pthread_create(&others[1], NULL, read_main, &w);
    for (int i = 0; i < UPSERTERS + 2; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&w.done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    expect(&expected);
    expected.count[APPENDER_FIRST - 1] = 1;
    model_check(w.source, &expected);
    source_unref(w.source);
    store_close(w.store, false);
    w.store = fixture_open(sys_posix(), w.dir);
    assert_ok(store_get_source(w.store, STR("s"), &w.source, &test_err));
    model_check(w.source, &expected);
    source_unref(w.source);
    store_close(w.store, false);
    fixture_remove(w.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

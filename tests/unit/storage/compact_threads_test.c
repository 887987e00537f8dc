/* compact_threads_test.c: writers, flushes, readers, time travel, tags and compaction at once for
 * some seconds: no row is lost or doubled at any moment, every view is whole.
 * QUARRY_TORTURE=1: longer. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 3, BATCH = 20 };

struct world {
    struct store *store;
    struct source *source;
    _Atomic bool stop;
    _Atomic uint64_t started[WRITERS], done[WRITERS]; /* batches of a writer */
    _Atomic uint64_t views, merges;
};

struct worker {
    struct world *world;
    int number;
};

/* Writer w writes batches w, w + WRITERS, ...: rows number * BATCH and on. */
static void *write_rows(void *context)
{
    struct worker *worker = context;
    struct world *world = worker->world;
    for (uint64_t n = 0; !atomic_load(&world->stop); n++) {
        struct write_result result;
        struct error err = ERROR_INIT;
        struct batch *batch =
            fixture_batch((int64_t)((n * WRITERS + (uint64_t)worker->number) * BATCH), BATCH);
        atomic_store(&world->started[worker->number], n + 1);
        while (source_write(world->source, batch, STR_NONE, &result, &err) != STATUS_OK)
            usleep(1000);
        atomic_store(&world->done[worker->number], n + 1);
        batch_unref(batch);
        usleep(300);
    }
    return NULL;
}

static void *flush_rows(void *context)
{
    struct world *world = context;
    while (!atomic_load(&world->stop)) {
        (void)source_flush(world->source, NULL);
        usleep(2000);
    }
    return NULL;
}

static bool column_of(struct view *view, struct column *ids)
{
    int32_t at = schema_find(view->schema, STR("id"));
    if (at < 0)
        return false;
    fixture_read(view, "id", ids);
    return true;
}

/* Each id at most once, and all rows of batches that were done before the view was opened. */
static void check_view(struct world *world, struct view *view, const uint64_t *done)
{
    struct column ids;
    uint64_t most = 0;
    if (!column_of(view, &ids))
        return;
    for (uint32_t i = 0; i < ids.rows; i++) {
        uint64_t id = (uint64_t)column_int64(&ids, i);
        most = id > most ? id : most;
    }
    unsigned char *seen = calloc(most + 1, 1);
    for (uint32_t i = 0; i < ids.rows; i++) {
        if (seen[column_int64(&ids, i)]++)
            fail_msg("row %lld is there twice", (long long)column_int64(&ids, i));
    }
    for (int w = 0; w < WRITERS && done; w++) {
        for (uint64_t n = 0; n < done[w]; n++) {
            uint64_t first = (n * WRITERS + (uint64_t)w) * BATCH;
            for (uint64_t id = first; id < first + BATCH; id++) {
                if (id > most || !seen[id])
                    fail_msg("row %llu is lost", (unsigned long long)id);
            }
        }
    }
    free(seen);
    column_release(&ids);
    atomic_fetch_add(&world->views, 1);
}

static void *read_rows(void *context)
{
    struct world *world = context;
    while (!atomic_load(&world->stop)) {
        uint64_t done[WRITERS];
        struct view view;
        struct error err = ERROR_INIT;
        for (int w = 0; w < WRITERS; w++)
            done[w] = atomic_load(&world->done[w]);
        if (view_open(world->source, &view, &err) != STATUS_OK)
            continue;
        usleep(3000); /* files are replaced meanwhile */
        check_view(world, &view, done);
        view_close(&view);
    }
    return NULL;
}

/* A random kept state reads whole; some are tagged and let go again. */
static void *travel(void *context)
{
    struct world *world = context;
    unsigned seed = 1;
    while (!atomic_load(&world->stop)) {
        struct snapshot_list list;
        struct view view;
        if (source_list_snapshots(world->source, &list, NULL) != STATUS_OK)
            continue;
        if (list.len) {
            const struct snapshot_info *info = &list.items[(uint32_t)rand_r(&seed) % list.len];
            struct as_of as_of = {.kind = AS_OF_ID, .id = info->id};
            bool tagged = source_tag(world->source, info->id, STR("held"), NULL) == STATUS_OK;
            if (view_open_as_of(world->source, &as_of, &view, NULL) == STATUS_OK) {
                assert_int_equal(view.rows, info->rows);
                check_view(world, &view, NULL);
                view_close(&view);
            } else {
                assert_false(tagged); /* a tag keeps it */
            }
            (void)source_untag(world->source, STR("held"), NULL);
        }
        snapshot_list_release(&list);
    }
    return NULL;
}

static void *join_files(void *context)
{
    struct world *world = context;
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    while (!atomic_load(&world->stop)) {
        struct compact_job_info info;
        struct error err = ERROR_INIT;
        enum status status = source_compact(world->source, &policy, &info, &err);
        if (status != STATUS_OK && status != STATUS_CONFLICT)
            fail_msg("compaction: %s", err.message);
        atomic_fetch_add(&world->merges, info.merges);
        usleep(20000);
    }
    return NULL;
}

static void check_all(struct world *world)
{
    uint64_t done[WRITERS], total = 0;
    struct view view;
    for (int w = 0; w < WRITERS; w++) {
        done[w] = atomic_load(&world->done[w]);
        total += done[w] * BATCH;
    }
    assert_ok(view_open(world->source, &view, &test_err));
    assert_int_equal(view.rows, total);
    check_view(world, &view, done);
    view_close(&view);
}

static void test_all_at_once(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store_options options = {
        .path = dir,
        .wal_segment_bytes = 1 << 20,
        .snapshot_retention_us = 300000,
        .auto_compaction = true,
        .compaction_interval_us = 50000,
        .compaction = {.small_file_threshold = 4, .io_bytes_per_s = UINT64_MAX}};
    struct world world = {0};
    struct worker workers[WRITERS];
    pthread_t threads[WRITERS + 5];
    assert_ok(store_open(sys_posix(), &options, &world.store, &test_err));
    world.source = fixture_source(world.store, "s");
    for (int w = 0; w < WRITERS; w++) {
        workers[w] = (struct worker){&world, w};
        assert_int_equal(pthread_create(&threads[w], NULL, write_rows, &workers[w]), 0);
    }
    void *(*const others[])(void *) = {flush_rows, read_rows, read_rows, travel, join_files};
    for (int i = 0; i < 5; i++)
        assert_int_equal(pthread_create(&threads[WRITERS + i], NULL, others[i], &world), 0);
    sleep(getenv("QUARRY_TORTURE") ? 30 : 3);
    for (int i = 0; i < 60 && (atomic_load(&world.views) <= 5 || atomic_load(&world.merges) == 0);
         i++)
        sleep(1); /* a busy machine */
    atomic_store(&world.stop, true);
    for (int i = 0; i < WRITERS + 5; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&world.views) > 5 && atomic_load(&world.merges) > 0);
    check_all(&world);
    source_unref(world.source);
    store_close(world.store, true);
    assert_ok(store_open(sys_posix(), &options, &world.store, &test_err));
    assert_ok(store_get_source(world.store, STR("s"), &world.source, &test_err));
    check_all(&world);
    source_unref(world.source);
    store_close(world.store, false);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* store_threads_test.c: writers, readers, flushes at the same time: no row lost, doubled or torn, a
 * view begun after an acknowledgement has it, group commit shares syncs. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 8, READERS = 2, BATCHES = 60, ROWS = 25 };

struct shared {
    struct source *source;
    _Atomic uint64_t acknowledged; /* rows */
    _Atomic bool done;
    _Atomic uint32_t failures;
    _Atomic uint32_t stored; /* by the write-id writers */
};

struct writer {
    struct shared *shared;
    int number;
    pthread_t thread;
};

static void *write_main(void *context)
{
    struct writer *writer = context;
    struct shared *shared = writer->shared;
    for (int i = 0; i < BATCHES; i++) {
        struct write_result result;
        struct error err = ERROR_INIT;
        struct batch *batch = fixture_batch(((int64_t)writer->number * BATCHES + i) * ROWS, ROWS);
        if (source_write(shared->source, batch, STR_NONE, &result, &err) != STATUS_OK)
            atomic_fetch_add(&shared->failures, 1);
        else
            atomic_fetch_add(&shared->acknowledged, ROWS);
        batch_unref(batch);
    }
    return NULL;
}

static void *read_main(void *context)
{
    struct shared *shared = context;
    while (!atomic_load(&shared->done)) {
        struct view view;
        uint64_t before = atomic_load(&shared->acknowledged), rows = 0;
        if (view_open(shared->source, &view, NULL) != STATUS_OK)
            continue;
        for (uint32_t i = 0; i < view.segments_len; i++)
            rows += segment_info(view.segments[i]).rows;
        for (uint32_t i = 0; i < view.chunks_len; i++)
            rows += view.chunks[i]->rows;
        if (rows != view.rows || rows < before || rows % ROWS != 0)
            atomic_fetch_add(&shared->failures, 1);
        view_close(&view);
        usleep(200);
    }
    return NULL;
}

static void *flush_main(void *context)
{
    struct shared *shared = context;
    while (!atomic_load(&shared->done)) {
        if (source_flush(shared->source, NULL) != STATUS_OK)
            atomic_fetch_add(&shared->failures, 1);
        usleep(5000);
    }
    return NULL;
}

static void test_writers_readers_flush(void **state)
{
    (void)state;
    char dir[256];
    struct shared shared = {0};
    struct writer writers[WRITERS];
    pthread_t readers[READERS], flusher;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    shared.source = fixture_source(store, "s");
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_main, &shared);
    pthread_create(&flusher, NULL, flush_main, &shared);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.shared = &shared, .number = i};
        pthread_create(&writers[i].thread, NULL, write_main, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    atomic_store(&shared.done, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    pthread_join(flusher, NULL);
    assert_int_equal(shared.failures, 0);
    fixture_check(shared.source, WRITERS * BATCHES * ROWS);
    struct store_stats stats;
    store_get_stats(store, &stats);
    uint64_t syncs = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        syncs += stats.wal_syncs.counts[i];
    assert_true(syncs < WRITERS * BATCHES);
    source_unref(shared.source);
    store_close(store, false);
    store = fixture_open(sys_posix(), dir);
    assert_ok(store_get_source(store, STR("s"), &shared.source, &test_err));
    fixture_check(shared.source, WRITERS * BATCHES * ROWS);
    source_unref(shared.source);
    store_close(store, false);
    fixture_remove(dir);
}

/* Eight clients send the same batches with the same write ids. */
static void *retry_main(void *context)
{
    struct shared *shared = context;
    for (int i = 0; i < BATCHES; i++) {
        struct write_result result;
        char id[16];
        snprintf(id, sizeof id, "w%d", i);
        struct batch *batch = fixture_batch((int64_t)i * ROWS, ROWS);
        if (source_write(shared->source, batch, str_of(id), &result, NULL) != STATUS_OK ||
            result.rows != ROWS)
            atomic_fetch_add(&shared->failures, 1);
        else if (!result.duplicate)
            atomic_fetch_add(&shared->stored, 1);
        batch_unref(batch);
    }
    return NULL;
}

static void test_concurrent_write_ids(void **state)
{
    (void)state;
    char dir[256];
    struct shared shared = {0};
    pthread_t threads[WRITERS];
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    shared.source = fixture_source(store, "s");
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, retry_main, &shared);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.failures, 0);
    assert_int_equal(shared.stored, BATCHES);
    fixture_check(shared.source, BATCHES * ROWS);
    source_unref(shared.source);
    store_close(store, true);
    fixture_remove(dir);
}

/* Writers that widen the same schema at once. */
static void *widen_main(void *context)
{
    struct writer *writer = context;
    for (int i = 0; i < BATCHES; i++) {
        struct write_result result;
        char name[16];
        uint32_t at;
        struct batch *batch = batch_new();
        snprintf(name, sizeof name, "c%d", i / 4);
        bool wide = (i + writer->number) % 3 == 0;
        if (batch_add_column(batch, str_of(name), wide ? TYPE_DOUBLE : TYPE_INT64, &at) ||
            (wide ? column_append_double(&batch->columns[at].column, 1.5)
                  : column_append_int64(&batch->columns[at].column, 1)) ||
            batch_set_rows(batch, 1) ||
            source_write(writer->shared->source, batch, STR_NONE, &result, NULL) != STATUS_OK)
            atomic_fetch_add(&writer->shared->failures, 1);
        batch_unref(batch);
    }
    return NULL;
}

static void test_concurrent_schemas(void **state)
{
    (void)state;
    char dir[256];
    struct shared shared = {0};
    struct writer writers[WRITERS];
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    shared.source = fixture_source(store, "s");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.shared = &shared, .number = i};
        pthread_create(&writers[i].thread, NULL, widen_main, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    assert_int_equal(shared.failures, 0);
    assert_ok(source_flush(shared.source, &test_err));
    struct view view;
    assert_ok(view_open(shared.source, &view, &test_err));
    assert_int_equal(view.rows, WRITERS * BATCHES);
    assert_int_equal(view.schema->fields_len, BATCHES / 4);
    for (uint32_t f = 0; f < view.schema->fields_len; f++) {
        struct column values;
        char name[16];
        snprintf(name, sizeof name, "c%u", f);
        fixture_read(&view, name, &values);
        assert_int_equal(values.type, TYPE_DOUBLE);
        assert_int_equal(values.rows - values.nulls, 4 * WRITERS);
        column_release(&values);
    }
    view_close(&view);
    source_unref(shared.source);
    store_close(store, true);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers_readers_flush),
        cmocka_unit_test(test_concurrent_write_ids),
        cmocka_unit_test(test_concurrent_schemas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* reader_pool_threads_test.c: the pool keeps to its budget, gives back what was used last, frees
 * what was unused for longest, and is right under many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "storage/table/reader_pool.h"
#include "sys/thread.h"

enum { ROWS = 4000, HOMES = 6, THREADS = 4, ROUNDS = 400 };

static enum status sink(void *context, struct slice bytes, struct error *err)
{
    (void)err;
    return buf_append(context, bytes.data, bytes.len) ? STATUS_OK : STATUS_NO_MEMORY;
}

static void make_file(struct buf *file)
{
    static const struct field field = {{"n", 1}, TYPE_INT64, 1};
    struct parquet_write_options options = {.codec = PARQUET_SNAPPY, .created_by = STR("t")};
    struct batch *batch = batch_new();
    struct parquet_writer *writer = NULL;
    uint32_t at = 0;
    buf_init(file, 1 << 20);
    assert_int_equal(batch_add_column(batch, field.name, field.type, &at), 0);
    for (int64_t row = 0; row < ROWS; row++) {
        struct value value = {.type = TYPE_INT64, .int64 = row * 7};
        assert_int_equal(column_append_value(&batch->columns[at].column, &value), 0);
    }
    assert_int_equal(batch_set_rows(batch, ROWS), 0);
    assert_int_equal(parquet_writer_open(&field, 1, &options, sink, file, &writer, NULL), 0);
    assert_int_equal(parquet_writer_append(writer, batch, NULL, ROWS, NULL), 0);
    assert_int_equal(parquet_writer_finish(writer, NULL, NULL), 0);
    parquet_writer_free(writer);
    batch_unref(batch);
}

static struct parquet_reader *open_reader(const struct buf *file)
{
    struct parquet_reader *reader = NULL;
    assert_int_equal(parquet_reader_open((struct slice){file->data, file->len}, &reader, NULL), 0);
    return reader;
}

/* Reads single rows, twice, so that the page stays decoded. */
static void use(struct parquet_reader *reader)
{
    for (int turn = 0; turn < 2; turn++) {
        const uint64_t rows[] = {3, ROWS - 1};
        struct column column;
        column_init(&column, TYPE_INT64);
        assert_int_equal(parquet_read_rows(reader, 0, rows, 2, &column, NULL), 0);
        assert_true(column_int64(&column, 0) == 21);
        assert_true(column_int64(&column, 1) == (ROWS - 1) * 7);
        column_release(&column);
    }
}

static void test_last_used_comes_back(void **state)
{
    (void)state;
    struct reader_pool pool;
    struct reader_home home = {0}, other = {0};
    struct buf file;
    make_file(&file);
    reader_pool_init(&pool, 1 << 20);
    assert_null(reader_pool_take(&pool, &home));
    struct parquet_reader *a = open_reader(&file), *b = open_reader(&file);
    reader_pool_give(&pool, &home, a);
    reader_pool_give(&pool, &home, b);
    assert_int_equal(reader_pool_bytes(&pool), parquet_reader_memory(a) + parquet_reader_memory(b));
    assert_null(reader_pool_take(&pool, &other));
    assert_ptr_equal(reader_pool_take(&pool, &home), b);
    assert_ptr_equal(reader_pool_take(&pool, &home), a);
    assert_null(reader_pool_take(&pool, &home));
    assert_int_equal(reader_pool_bytes(&pool), 0);
    parquet_reader_free(a);
    for (int i = 0; i < READER_HOME_MAX + 3; i++)
        reader_pool_give(&pool, &home, i ? open_reader(&file) : b);
    assert_int_equal(home.len, READER_HOME_MAX);
    reader_pool_empty(&pool, &home);
    assert_int_equal(reader_pool_bytes(&pool), 0);
    reader_pool_release(&pool);
    buf_release(&file);
}

static void test_budget(void **state)
{
    (void)state;
    struct reader_pool pool;
    struct reader_home homes[HOMES] = {{0}};
    struct buf file;
    make_file(&file);
    struct parquet_reader *reader = open_reader(&file);
    use(reader);
    size_t one = parquet_reader_memory(reader);
    parquet_reader_rest(reader, 0);
    assert_true(parquet_reader_memory(reader) + ROWS * sizeof(int64_t) < one);
    parquet_reader_free(reader);
    reader_pool_init(&pool, one * 3 + one / 2);
    for (int i = 0; i < HOMES; i++) {
        reader = open_reader(&file);
        use(reader);
        reader_pool_give(&pool, &homes[i], reader);
        assert_true(reader_pool_bytes(&pool) <= pool.budget);
        assert_int_equal(homes[i].len, 1);
    }
    int kept = 0;
    while (kept < HOMES && homes[HOMES - 1 - kept].len)
        kept++;
    assert_in_range(kept, 3, HOMES - 1);
    for (int i = 0; i < HOMES - kept; i++) /* those unused for longest are gone */
        assert_int_equal(homes[i].len, 0);
    for (int i = HOMES - kept; i < HOMES; i++) {
        reader = reader_pool_take(&pool, &homes[i]);
        use(reader);
        parquet_reader_free(reader);
    }
    assert_int_equal(reader_pool_bytes(&pool), 0);
    pool.budget = 100; /* smaller than any reader: nothing is kept */
    reader_pool_give(&pool, &homes[0], open_reader(&file));
    assert_null(reader_pool_take(&pool, &homes[0]));
    reader_pool_release(&pool);
    buf_release(&file);
}

struct shared {
    struct reader_pool pool;
    struct reader_home homes[HOMES];
    struct buf file;
};

static void *run(void *argument)
{
    struct shared *shared = argument;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct reader_home *home = &shared->homes[(i * 5 + i / 7) % HOMES];
        struct parquet_reader *reader = reader_pool_take(&shared->pool, home);
        if (!reader)
            reader = open_reader(&shared->file);
        use(reader);
        reader_pool_give(&shared->pool, home, reader);
        if (i % 50 == 0)
            reader_pool_empty(&shared->pool, home);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct shared shared = {0};
    struct thread threads[THREADS];
    make_file(&shared.file);
    reader_pool_init(&shared.pool, 100000);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], "pool", 0, run, &shared, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    assert_true(reader_pool_bytes(&shared.pool) <= shared.pool.budget);
    for (int i = 0; i < HOMES; i++)
        reader_pool_empty(&shared.pool, &shared.homes[i]);
    assert_int_equal(reader_pool_bytes(&shared.pool), 0);
    reader_pool_release(&shared.pool);
    buf_release(&shared.file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_used_comes_back),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

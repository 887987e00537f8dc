/* compact_test.c: joining files: what comes out, in which order, when it is abandoned; the history
 * of snapshots: as_of, tags, rollback, expiry, restart. */
#include "fixture.h"

#include "base/buf.h"
#include "storage/store_int.h"

static struct store *open_store(const char *dir, int64_t retention_us)
{
    struct store_options options = {.path = dir,
                                    .wal_segment_bytes = 1 << 20,
                                    .snapshot_retention_us = retention_us,
                                    .snapshots_min_kept = 1};
    struct store *store = NULL;
    assert_ok(store_open(sys_posix(), &options, &store, &test_err));
    return store;
}

static const int64_t nothing_kept = -1;

/* Not partitioned, indexed by `id`. */
static struct source *plain_source(struct store *store, const char *id)
{
    struct source_config config = fixture_config(id);
    struct source *source = NULL;
    config.partition_columns_len = 0;
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, str_of(id), &source, &test_err));
    return source;
}

static uint64_t flush(struct source *source)
{
    struct source_stats stats;
    assert_ok(source_flush(source, &test_err));
    source_get_stats(source, &stats);
    return stats.snapshot_id;
}

static struct compact_job_info compact(struct source *source)
{
    struct compact_job_info info;
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    assert_ok(source_compact(source, &policy, &info, &test_err));
    return info;
}

static uint64_t files(struct source *source)
{
    struct source_stats stats;
    source_get_stats(source, &stats);
    return stats.files;
}

static enum status count_file(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    (void)err;
    *(int *)context += !entry->is_dir;
    return STATUS_OK;
}

static int files_in(const char *dir, const char *source, const char *below)
{
    char path[SYS_PATH_MAX];
    int count = 0;
    assert_ok(sys_path(path, &test_err, "%s/sources/%s/%s", dir, source, below));
    assert_ok(sys_list_dir(sys_posix(), path, count_file, &count, &test_err));
    return count;
}

static uint64_t rows_as_of(struct source *source, const char *text)
{
    struct as_of as_of;
    struct view view;
    assert_ok(as_of_parse(str_of(text), &as_of, &test_err));
    assert_ok(view_open_as_of(source, &as_of, &view, &test_err));
    uint64_t rows = view.rows;
    if (rows) { /* its files are really there */
        struct column ids;
        fixture_read(&view, "id", &ids);
        assert_int_equal(ids.rows, rows);
        column_release(&ids);
    }
    view_close(&view);
    return rows;
}

static enum status try_as_of(struct source *source, const char *text)
{
    struct as_of as_of;
    struct view view;
    enum status status = as_of_parse(str_of(text), &as_of, NULL);
    if (status == STATUS_OK)
        status = view_open_as_of(source, &as_of, &view, NULL);
    if (status == STATUS_OK)
        view_close(&view);
    return status;
}

/* --- merging --- */

/* Interleaved keys: file f holds f, f + 10, f + 20 ...; the result is in exact order, indexed. */
static void test_order(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "s");
    for (int64_t f = 9; f >= 0; f--) {
        for (int64_t i = 0; i < 300; i++)
            fixture_write(source, f + 10 * i, 1);
        flush(source);
    }
    assert_int_equal(files(source), 10);
    struct compact_job_info info = compact(source);
    assert_int_equal(info.merges, 1);
    assert_int_equal(info.input_files, 10);
    assert_int_equal(info.output_files, 1);
    assert_int_equal(info.rows, 3000);
    assert_int_equal(files(source), 1);
    fixture_check(source, 3000);
    struct view view;
    struct column ids;
    assert_ok(view_open(source, &view, &test_err));
    fixture_read(&view, "id", &ids);
    for (uint32_t i = 0; i < 3000; i++)
        assert_int_equal(column_int64(&ids, i), i);
    column_release(&ids);
    struct value value = {.type = TYPE_INT64, .int64 = 1234};
    uint64_t *rows = NULL;
    uint32_t len;
    bool used;
    assert_ok(segment_lookup(view.segments[0], view.schema->fields[0].id, &value, UINT64_MAX, &used,
                             &rows, &len, &test_err));
    assert_true(used);
    assert_int_equal(len, 1);
    assert_int_equal(rows[0], 1234);
    free(rows);
    view_close(&view);
    assert_int_equal(files_in(dir, "s", "data"), 1);
    assert_int_equal(files_in(dir, "s", "index"), 2);
    assert_int_equal(compact(source).merges, 0); /* nothing more to do */
    source_unref(source);
    store_close(store, false);
    store = open_store(dir, nothing_kept);
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_check(source, 3000);
    assert_int_equal(files(source), 1);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* One row of a source without schema: {"k": key or null, extra: number}. */
static void write_row(struct source *source, enum type type, double key, bool null,
                      const char *extra, double number)
{
    struct batch *batch = batch_new();
    struct write_result result;
    uint32_t k, e;
    assert_int_equal(batch_add_column(batch, STR("k"), type, &k), STATUS_OK);
    assert_int_equal(batch_add_column(batch, str_of(extra), TYPE_DOUBLE, &e), STATUS_OK);
    struct column *column = &batch->columns[k].column;
    enum status status = null                 ? column_append_null(column)
                         : type == TYPE_INT64 ? column_append_int64(column, (int64_t)key)
                                              : column_append_double(column, key);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(column_append_double(&batch->columns[e].column, number), STATUS_OK);
    assert_int_equal(batch_set_rows(batch, 1), STATUS_OK);
    assert_ok(source_write(source, batch, STR_NONE, &result, &test_err));
    batch_unref(batch);
}

/* Files with int64 keys, then with doubles; nulls; a column that only some files have. Nulls come
 * first, equal keys in the order of their arrival. */
static void test_widened(void **state)
{
    static const struct str index[] = {{"k", 1}};
    static const double keys[] = {0, 0, 1.5, 2, 2, 3}; /* the first two are nulls */
    static const double numbers[] = {30, 50, 40, 10, 41, 20};
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source_config config = {.source_id = STR("w"),
                                   .name = STR("w"),
                                   .index_columns = index,
                                   .index_columns_len = 1,
                                   .codec = PARQUET_ZSTD,
                                   .wal_enabled = true};
    struct source *source = NULL;
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, STR("w"), &source, &test_err));
    write_row(source, TYPE_INT64, 2, false, "a", 10);
    write_row(source, TYPE_INT64, 3, false, "a", 20);
    write_row(source, TYPE_INT64, 0, true, "a", 30);
    flush(source);
    write_row(source, TYPE_DOUBLE, 1.5, false, "a", 40);
    write_row(source, TYPE_DOUBLE, 2, false, "a", 41);
    flush(source);
    write_row(source, TYPE_DOUBLE, 0, true, "b", 50);
    flush(source);
    assert_int_equal(compact(source).output_files, 1);
    struct view view;
    struct column k, a, b;
    assert_ok(view_open(source, &view, &test_err));
    assert_int_equal(view.segments_len, 1);
    fixture_read(&view, "k", &k);
    fixture_read(&view, "a", &a);
    fixture_read(&view, "b", &b);
    assert_int_equal(k.type, TYPE_DOUBLE);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(column_is_null(&k, i), i < 2);
        assert_true(i < 2 || column_double(&k, i) == keys[i]);
        bool in_b = numbers[i] == 50;
        assert_int_equal(column_is_null(&a, i), in_b);
        assert_int_equal(column_is_null(&b, i), !in_b);
        assert_true(column_double(in_b ? &b : &a, i) == numbers[i]);
    }
    struct value value = {.type = TYPE_DOUBLE, .real = 2}, min, max;
    uint64_t *rows = NULL, nulls;
    uint32_t len;
    bool used;
    int32_t id = view.schema->fields[schema_find(view.schema, STR("k"))].id;
    assert_ok(
        segment_lookup(view.segments[0], id, &value, UINT64_MAX, &used, &rows, &len, &test_err));
    assert_true(used && len == 2 && rows[0] == 3 && rows[1] == 4);
    free(rows);
    assert_true(segment_bounds(view.segments[0], id, &min, &max, &nulls));
    assert_true(nulls == 2 && min.real == 1.5 && max.real == 3);
    column_release(&k);
    column_release(&a);
    column_release(&b);
    view_close(&view);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* Partitions are never mixed: each file holds one value of `kind`, as its path says. */
static void test_partitions(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = fixture_source(store, "p");
    for (int i = 0; i < 5; i++) {
        fixture_write(source, i * 30, 30);
        flush(source);
    }
    assert_int_equal(files(source), 15);
    assert_int_equal(compact(source).merges, 3);
    assert_int_equal(files(source), 3);
    fixture_check(source, 150);
    struct view view;
    assert_ok(view_open(source, &view, &test_err));
    for (uint32_t i = 0; i < 3; i++) {
        struct value min, max;
        uint64_t nulls;
        char name[32];
        int32_t id = view.schema->fields[schema_find(view.schema, STR("kind"))].id;
        assert_true(segment_bounds(view.segments[i], id, &min, &max, &nulls));
        assert_true(str_eq(min.bytes, max.bytes));
        snprintf(name, sizeof name, "/kind=%.*s/", STR_ARG(min.bytes));
        assert_non_null(strstr(segment_info(view.segments[i]).path, name));
    }
    view_close(&view);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* Outputs are closed at the target size, and a full one is not merged again. */
static void test_target(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "t");
    for (int i = 0; i < 8; i++) {
        fixture_write(source, (int64_t)i * 50000, 50000);
        flush(source);
    }
    struct source_stats stats;
    source_get_stats(source, &stats);
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX,
                                    .target_file_bytes = stats.bytes / 3,
                                    .min_file_bytes = UINT64_C(1) << 30};
    struct compact_job_info info;
    assert_ok(source_compact(source, &policy, &info, &test_err));
    assert_in_range(files(source), 2, 4);
    fixture_check(source, 400000);
    assert_ok(source_compact(source, &policy, &info, &test_err));
    assert_int_equal(info.merges, 0);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* The automatic policy waits for the threshold, and takes files of one size class only. */
static void test_automatic(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store_options options = {
        .path = dir,
        .auto_compaction = true,
        .compaction = {.small_file_threshold = 5, .io_bytes_per_s = UINT64_MAX}};
    struct store *store = NULL;
    assert_ok(store_open(sys_posix(), &options, &store, &test_err));
    struct source *source = plain_source(store, "a");
    for (int i = 0; i < 4; i++) {
        fixture_write(source, i * 10, 10);
        flush(source);
    }
    usleep(100000);
    assert_int_equal(files(source), 4);
    fixture_write(source, 40, 10);
    flush(source);
    for (int i = 0; i < 500 && files(source) > 1; i++)
        usleep(10000);
    assert_int_equal(files(source), 1);
    fixture_check(source, 50);
    struct compact_status status = {0};
    for (int i = 0; i < 500 && status.done == 0; i++) {
        store_compact_status(store, &status);
        usleep(1000);
    }
    assert_true(status.automatic && status.done == 1 && status.files_reduced == 4);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* --- jobs --- */

static struct compact_job_info wait_job(struct store *store, const char *job)
{
    struct compact_job_info info = {0};
    for (int i = 0; i < 2000; i++) {
        assert_ok(store_compact_job(store, str_of(job), &info, &test_err));
        if (info.state >= COMPACT_DONE)
            return info;
        usleep(5000);
    }
    fail_msg("the job does not end");
    return info;
}

static void test_jobs(void **state)
{
    char dir[256], job[COMPACT_JOB_ID_MAX];
    struct compact_policy slow = {.io_bytes_per_s = 1000};
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "j");
    assert_int_equal(store_compact(store, STR("nope"), NULL, job, NULL), STATUS_UNKNOWN_SOURCE);
    for (int i = 0; i < 4; i++) {
        fixture_write(source, i * 5000, 5000);
        flush(source);
    }
    /* The budget makes it slow (over a minute), so that it can be cancelled: nothing changes. */
    assert_ok(store_compact(store, STR("j"), &slow, job, &test_err));
    struct compact_job_info info;
    do {
        usleep(2000);
        assert_ok(store_compact_job(store, str_of(job), &info, &test_err));
    } while (info.state == COMPACT_QUEUED || !info.estimated_bytes);
    assert_int_equal(info.state, COMPACT_RUNNING);
    assert_ok(store_compact_cancel(store, str_of(job), &test_err));
    assert_int_equal(wait_job(store, job).state, COMPACT_CANCELLED);
    assert_int_equal(store_compact_cancel(store, str_of(job), NULL), STATUS_CONFLICT);
    assert_int_equal(store_compact_cancel(store, STR("x"), NULL), STATUS_NOT_FOUND);
    assert_int_equal(files(source), 4);
    assert_int_equal(files_in(dir, "j", "data"), 4);
    assert_ok(store_compact(store, STR("j"), NULL, job, &test_err));
    info = wait_job(store, job);
    assert_int_equal(info.state, COMPACT_DONE);
    assert_int_equal(info.input_files, 4);
    assert_int_equal(info.rows, 20000);
    fixture_check(source, 20000);
    struct compact_job_info *jobs;
    uint32_t len;
    assert_ok(store_compact_jobs(store, &jobs, &len, &test_err));
    assert_int_equal(len, 2);
    assert_string_equal(jobs[0].id, job);
    free(jobs);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* The I/O budget is kept: so many bytes take at least so long. */
static void test_budget(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "b");
    for (int i = 0; i < 3; i++) {
        fixture_write(source, i * 20000, 20000);
        flush(source);
    }
    struct source_stats stats;
    source_get_stats(source, &stats);
    struct compact_policy policy = {.io_bytes_per_s = stats.bytes * 5};
    int64_t start = sys_mono_us(sys_posix());
    assert_ok(source_compact(source, &policy, NULL, &test_err));
    int64_t took = sys_mono_us(sys_posix()) - start;
    assert_true(took >= 190000); /* the inputs alone: a fifth of a second */
    fixture_check(source, 60000);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* A view keeps the old files; they go when it is closed, and not before. */
static void test_view_keeps(void **state)
{
    char dir[256];
    struct view view;
    struct column ids;
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "v");
    for (int i = 0; i < 3; i++) {
        fixture_write(source, i * 10, 10);
        flush(source);
    }
    assert_ok(view_open(source, &view, &test_err));
    assert_int_equal(compact(source).input_files, 3);
    assert_int_equal(files_in(dir, "v", "data"), 4);
    assert_int_equal(view.segments_len, 3);
    fixture_read(&view, "id", &ids); /* opens the old files only now */
    assert_int_equal(ids.rows, 30);
    column_release(&ids);
    view_close(&view);
    for (int i = 0; i < 500 && files_in(dir, "v", "data") > 1; i++)
        usleep(5000);
    assert_int_equal(files_in(dir, "v", "data"), 1);
    assert_int_equal(files_in(dir, "v", "index"), 2);
    fixture_check(source, 30);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* --- history --- */

static void test_as_of(void **state)
{
    char dir[256], text[64];
    struct snapshot_list list;
    uint64_t ids[4];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, 0);
    struct source *source = plain_source(store, "h");
    for (int i = 0; i < 4; i++) {
        fixture_write(source, i * 10, 10);
        ids[i] = flush(source);
    }
    compact(source);
    for (int round = 0; round < 2; round++) { /* the same after a restart */
        for (uint64_t i = 0; i < 4; i++) {
            snprintf(text, sizeof text, "%llu", (unsigned long long)ids[i]);
            assert_int_equal(rows_as_of(source, text), 10 * (i + 1));
        }
        assert_int_equal(rows_as_of(source, "2999-01-01T00:00:00Z"), 40);
        assert_int_equal(try_as_of(source, "2001-01-01T00:00:00Z"), STATUS_NOT_FOUND);
        assert_int_equal(try_as_of(source, "99"), STATUS_NOT_FOUND);
        assert_int_equal(try_as_of(source, "no-such-tag"), STATUS_NOT_FOUND);
        assert_int_equal(try_as_of(source, "../x"), STATUS_INVALID_ARGUMENT);
        assert_ok(source_list_snapshots(source, &list, &test_err));
        assert_int_equal(list.len, 5);
        assert_true(list.items[0].is_current && !list.items[1].is_current);
        assert_int_equal(list.items[0].operation, SNAPSHOT_REPLACE);
        assert_int_equal(list.items[0].added, 1);
        assert_int_equal(list.items[0].removed, 4);
        assert_int_equal(list.items[0].parent, ids[3]);
        assert_int_equal(list.items[1].operation, SNAPSHOT_APPEND);
        assert_int_equal(list.items[1].added, 1);
        assert_int_equal(list.items[1].rows, 40);
        assert_int_equal(list.items[4].rows, 10);
        snapshot_list_release(&list);
        source_unref(source);
        store_close(store, false);
        store = open_store(dir, 0);
        assert_ok(store_get_source(store, STR("h"), &source, &test_err));
    }
    source_unref(source);
    store_close(store, false);
    /* Opened with nothing to be kept: the next upkeep lets go of everything old. */
    store = open_store(dir, nothing_kept);
    assert_ok(store_get_source(store, STR("h"), &source, &test_err));
    assert_ok(source_expire(source, &test_err));
    assert_int_equal(files_in(dir, "h", "data"), 1);
    assert_int_equal(try_as_of(source, "1"), STATUS_NOT_FOUND);
    fixture_check(source, 40);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

static void test_tags(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "g");
    fixture_write(source, 0, 10);
    uint64_t first = flush(source);
    assert_ok(source_tag(source, first, STR("start"), &test_err));
    assert_ok(source_tag(source, first, STR("start"), &test_err)); /* again is fine */
    assert_int_equal(source_tag(source, 77, STR("other"), NULL), STATUS_NOT_FOUND);
    assert_int_equal(source_tag(source, first, STR("12"), NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(source_tag(source, first, STR("a/b"), NULL), STATUS_INVALID_ARGUMENT);
    for (int i = 1; i < 4; i++) {
        fixture_write(source, i * 10, 10);
        flush(source);
    }
    assert_int_equal(source_tag(source, 4, STR("start"), NULL), STATUS_CONFLICT);
    compact(source);
    source_unref(source);
    store_close(store, false);
    store = open_store(dir, nothing_kept);
    assert_ok(store_get_source(store, STR("g"), &source, &test_err));
    assert_int_equal(rows_as_of(source, "start"), 10); /* kept by its tag alone */
    assert_int_equal(files_in(dir, "g", "data"), 2);
    assert_int_equal(try_as_of(source, "2"), STATUS_NOT_FOUND);
    assert_ok(source_untag(source, STR("start"), &test_err));
    assert_int_equal(source_untag(source, STR("start"), NULL), STATUS_NOT_FOUND);
    assert_ok(source_expire(source, &test_err));
    assert_int_equal(try_as_of(source, "start"), STATUS_NOT_FOUND);
    assert_int_equal(files_in(dir, "g", "data"), 1);
    fixture_check(source, 40);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

static void test_rollback(void **state)
{
    char dir[256];
    uint64_t id;
    struct as_of first = {.kind = AS_OF_ID};
    struct write_result result;
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, 0);
    struct source *source = plain_source(store, "r");
    fixture_write(source, 0, 10);
    first.id = flush(source);
    fixture_write(source, 10, 10);
    flush(source);
    compact(source);
    assert_ok(fixture_try_write(source, 20, 5, "once", &result)); /* not flushed yet */
    assert_ok(source_rollback(source, &first, &id, &test_err));
    fixture_check(source, 10);
    assert_int_equal(rows_as_of(source, "4"), 25); /* flushed before: still readable */
    assert_ok(fixture_try_write(source, 20, 5, "once", &result));
    assert_true(result.duplicate); /* what was acknowledged once is not stored again */
    fixture_write(source, 10, 7);
    fixture_check(source, 17);
    source_unref(source);
    store_close(store, false);
    store = open_store(dir, 0);
    assert_ok(store_get_source(store, STR("r"), &source, &test_err));
    fixture_check(source, 17);
    struct snapshot_list list;
    assert_ok(source_list_snapshots(source, &list, &test_err));
    assert_int_equal(list.items[0].id, id);
    assert_int_equal(list.items[0].operation, SNAPSHOT_ROLLBACK);
    snapshot_list_release(&list);
    first.id = 4;
    assert_ok(source_rollback(source, &first, &id, &test_err)); /* forward again */
    fixture_check(source, 25);
    first.id = 999;
    assert_int_equal(source_rollback(source, &first, &id, NULL), STATUS_NOT_FOUND);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* Inputs vanish (rollback) while a slow merge runs: it is abandoned and leaves nothing. */
static void test_abandoned(void **state)
{
    char dir[256], job[COMPACT_JOB_ID_MAX];
    uint64_t id;
    struct as_of first = {.kind = AS_OF_ID};
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, 0);
    struct source *source = plain_source(store, "x");
    for (int i = 0; i < 3; i++) {
        fixture_write(source, i * 20000, 20000);
        uint64_t snapshot = flush(source);
        first.id = i == 0 ? snapshot : first.id;
    }
    struct source_stats stats;
    source_get_stats(source, &stats);
    struct compact_policy policy = {.io_bytes_per_s = stats.bytes * 2};
    assert_ok(store_compact(store, STR("x"), &policy, job, &test_err));
    struct compact_job_info info;
    do {
        assert_ok(store_compact_job(store, str_of(job), &info, &test_err));
    } while (info.state == COMPACT_QUEUED || !info.estimated_bytes);
    assert_ok(source_rollback(source, &first, &id, &test_err));
    info = wait_job(store, job);
    assert_int_equal(info.state, COMPACT_FAILED);
    assert_non_null(strstr(info.error, "replaced"));
    assert_int_equal(files_in(dir, "x", "data"), 3); /* the history's; none of the merge */
    fixture_check(source, 20000);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

/* A kept snapshot whose description is damaged: the store opens, names it, keeps all files. */
static void test_damaged_history(void **state)
{
    char dir[256], path[SYS_PATH_MAX];
    struct snapshot_list list;
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, 0);
    struct source *source = plain_source(store, "d");
    for (int i = 0; i < 3; i++) {
        fixture_write(source, i * 10, 10);
        flush(source);
    }
    compact(source);
    source_unref(source);
    store_close(store, false);
    fixture_metadata(sys_posix(), dir, "d", "snap-2-", ".avro", path);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 60, SEEK_SET), 0);
    assert_int_equal(fputc('#', file), '#');
    fclose(file);
    store = open_store(dir, 0);
    assert_ok(store_get_source(store, STR("d"), &source, &test_err));
    assert_int_equal(try_as_of(source, "2"), STATUS_CORRUPT);
    assert_int_equal(rows_as_of(source, "1"), 10);
    assert_int_equal(rows_as_of(source, "3"), 30);
    assert_ok(source_list_snapshots(source, &list, &test_err));
    assert_int_equal(list.len, 4);
    assert_true(list.items[2].is_damaged && list.items[2].id == 2);
    snapshot_list_release(&list);
    assert_int_equal(files_in(dir, "d", "data"), 4);
    fixture_check(source, 30);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

static void put_file(const char *dir, const char *name)
{
    char path[SYS_PATH_MAX];
    assert_ok(sys_path(path, &test_err, "%s/sources/o/%s", dir, name));
    assert_ok(sys_replace_file(sys_posix(), path, (struct slice){"x", 1}, &test_err));
}

/* Files that nobody names go when they are old enough; those of views and snapshots stay. */
static void test_orphans(void **state)
{
    char dir[256];
    struct view view;
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "o");
    for (int i = 0; i < 2; i++) {
        fixture_write(source, i * 10, 10);
        flush(source);
    }
    assert_ok(view_open(source, &view, &test_err));
    compact(source);
    int metadata = files_in(dir, "o", "metadata");
    put_file(dir, "data/00000099.parquet");
    put_file(dir, "index/00000099.1.hash");
    put_file(dir, "metadata/00099-0.metadata.json");
    put_file(dir, "metadata/0-m0.avro");
    assert_ok(source_remove_orphans(source, ORPHAN_AGE_US, &test_err));
    assert_int_equal(files_in(dir, "o", "data"), 4); /* too young */
    assert_ok(source_remove_orphans(source, -1000000, &test_err));
    assert_int_equal(files_in(dir, "o", "data"), 3);
    assert_int_equal(files_in(dir, "o", "index"), 6);
    assert_int_equal(files_in(dir, "o", "metadata"), metadata);
    struct column ids;
    fixture_read(&view, "id", &ids);
    column_release(&ids);
    view_close(&view);
    fixture_check(source, 20);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

static const struct str value_column = {"value", 5};

static void wait_for(const char *dir, int sidecars)
{
    for (int i = 0; files_in(dir, "s", "index") != sidecars; i++) {
        assert_true(i < 2000);
        usleep(5000);
    }
}

/* Indexes added after the files were made: outputs have them, and inputs leave no sidecar behind.
 */
static void test_later_indexes(void **state)
{
    char dir[256];
    (void)state;
    fixture_dir(dir);
    struct store *store = open_store(dir, nothing_kept);
    struct source *source = plain_source(store, "s");
    for (int64_t i = 0; i < 4; i++) {
        fixture_write(source, 100 * i, 100);
        flush(source);
    }
    assert_ok(source_add_indexes(source, &value_column, 1, INDEX_KIND_HASH, &test_err));
    wait_for(dir, 4 * 3); /* built for each file */
    assert_int_equal(compact(source).output_files, 1);
    flush(source);
    wait_for(dir, 3);
    assert_int_equal(files_in(dir, "s", "index"), 3);
    assert_ok(source_drop_index(source, value_column, INDEX_KIND_HASH, &test_err));
    assert_int_equal(files_in(dir, "s", "index"), 2);
    fixture_check(source, 400);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),           cmocka_unit_test(test_widened),
        cmocka_unit_test(test_partitions),      cmocka_unit_test(test_target),
        cmocka_unit_test(test_automatic),       cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_budget),          cmocka_unit_test(test_view_keeps),
        cmocka_unit_test(test_as_of),           cmocka_unit_test(test_tags),
        cmocka_unit_test(test_rollback),        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_damaged_history), cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_later_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

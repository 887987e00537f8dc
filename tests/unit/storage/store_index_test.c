/* store_index_test.c: indexes added, dropped, lost and damaged: made again in the background, used
 * when they are there, answers right all the time. */
#include "fixture.h"

#include "storage/memtable/memtable.h"

static const struct str names[] = {{"value", 5}, {"kind", 4}};

static uint64_t find(struct source *source, const char *column, const struct value *value,
                     uint32_t *ret_unused)
{
    struct view view;
    uint64_t found = 0;
    *ret_unused = 0;
    assert_ok(view_open(source, &view, &test_err));
    int32_t at = schema_find(view.schema, str_of(column));
    assert_true(at >= 0);
    for (uint32_t i = 0; i < view.segments_len; i++) {
        bool used;
        uint64_t *rows;
        uint32_t len;
        assert_ok(segment_lookup(view.segments[i], view.schema->fields[at].id, value, UINT64_MAX,
                                 &used, &rows, &len, &test_err));
        *ret_unused += !used;
        found += len;
        free(rows);
    }
    view_close(&view);
    return found;
}

static struct index_info info_of(struct source *source, const char *column, struct arena *arena)
{
    struct index_info *list;
    uint32_t len;
    assert_ok(source_list_indexes(source, arena, &list, &len, &test_err));
    for (uint32_t i = 0; i < len; i++) {
        if (list[i].columns_len == 1 && str_is(list[i].columns[0], column))
            return list[i];
    }
    fail_msg("%s is not listed", column);
    return (struct index_info){0};
}

static void wait_ready(struct source *source, const char *column, uint64_t files)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (int i = 0; i < 1000; i++) {
        struct index_info info = info_of(source, column, &arena);
        assert_int_equal(info.files, files);
        assert_int_equal(info.failed, 0);
        if (info.ready == files) {
            arena_release(&arena);
            return;
        }
        sys_sleep_us(sys_posix(), 10000);
    }
    fail_msg("%s was not built", column);
}

static const struct value half = {.type = TYPE_DOUBLE, .real = 2.5};

static void test_added_and_dropped(void **state)
{
    (void)state;
    char dir[256], path[512];
    uint32_t unused;
    struct sys_stat stat;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 300);
    assert_ok(source_flush(source, &test_err));
    assert_int_equal(find(source, "value", &half, &unused), 0);
    assert_int_equal(unused, 3);
    assert_ok(source_add_indexes(source, names, 1, INDEX_KIND_HASH, &test_err));
    assert_ok(source_add_indexes(source, names, 1, INDEX_KIND_HASH, &test_err)); /* again is fine */
    wait_ready(source, "value", 3);
    assert_int_equal(find(source, "value", &half, &unused), 1);
    assert_int_equal(unused, 0);
    fixture_write(source, 300, 300);
    assert_ok(source_flush(source, &test_err)); /* new files have it at once */
    wait_ready(source, "value", 6);
    assert_int_equal(find(source, "value", &half, &unused), 1);
    assert_int_equal(unused, 0);
    source_unref(source);
    store_close(store, true);

    store = fixture_open(sys_posix(), dir); /* the sidecars are no orphans, the list is kept */
    source = fixture_source(store, "s");    /* the same declaration is still the same */
    assert_int_equal(source_config(source)->index_columns_len, 3);
    snprintf(path, sizeof path, "%s/sources/s/index/00000001.4.hash", dir);
    assert_ok(sys_stat(sys_posix(), path, &stat, &test_err));
    wait_ready(source, "value", 6);
    assert_int_equal(find(source, "value", &half, &unused), 1);
    assert_int_equal(unused, 0);
    assert_ok(source_drop_index(source, names[0], INDEX_KIND_HASH, &test_err));
    assert_int_equal(source_config(source)->index_columns_len, 2);
    assert_int_equal(sys_stat(sys_posix(), path, &stat, NULL), STATUS_NOT_FOUND);
    assert_int_equal(source_drop_index(source, names[0], INDEX_KIND_HASH, &test_err),
                     STATUS_NOT_FOUND);
    assert_ok(source_add_indexes(source, names, 2, INDEX_KIND_HASH, &test_err));
    wait_ready(source, "value", 6);
    wait_ready(source, "kind", 6);
    assert_ok(sys_stat(sys_posix(), path, &stat, &test_err));
    const struct str unknown = STR("nobody");
    assert_int_equal(source_add_indexes(source, &unknown, 1, INDEX_KIND_HASH, &test_err),
                     STATUS_INVALID_ARGUMENT);
    fixture_check(source, 600);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

static void damage(const char *path)
{
    struct sys_file *file;
    assert_ok(sys_open(sys_posix(), path, SYS_READ | SYS_WRITE, &file, &test_err));
    assert_ok(sys_pwrite(sys_posix(), file, "x", 1, 100, &test_err));
    sys_close(sys_posix(), file);
}

static void test_lost_and_damaged(void **state)
{
    (void)state;
    char dir[256], lost[512], bad[512];
    uint32_t unused = 1;
    struct value id = {.type = TYPE_INT64, .int64 = 7};
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 300);
    source_unref(source);
    store_close(store, true);
    snprintf(lost, sizeof lost, "%s/sources/s/index/00000001.1.hash", dir);
    snprintf(bad, sizeof bad, "%s/sources/s/index/00000002.1.hash", dir);
    assert_ok(sys_unlink(sys_posix(), lost, &test_err));
    damage(bad);
    store = fixture_open(sys_posix(), dir);
    source = fixture_source(store, "s");
    (void)find(source, "id", &id, &unused);
    assert_int_equal(unused, 2); /* scanned meanwhile */
    for (int i = 0; i < 1000 && unused; i++) {
        sys_sleep_us(sys_posix(), 10000);
        assert_true(find(source, "id", &id, &unused) <= 1);
    }
    assert_int_equal(unused, 0);
    assert_int_equal(find(source, "id", &id, &unused), 1);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* A sidecar of an older version is made again after a start, without a look-up. */
static void test_old_version(void **state)
{
    (void)state;
    char dir[256], path[512], magic[8] = {0};
    uint32_t unused = 1;
    size_t len;
    struct sys_file *file;
    struct value id = {.type = TYPE_INT64, .int64 = 7};
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 300);
    source_unref(source);
    store_close(store, true);
    snprintf(path, sizeof path, "%s/sources/s/index/00000001.1.hash", dir);
    assert_ok(sys_open(sys_posix(), path, SYS_READ | SYS_WRITE, &file, &test_err));
    assert_ok(sys_pwrite(sys_posix(), file, "QHASHIX1", 8, 0, &test_err));
    sys_close(sys_posix(), file);
    store = fixture_open(sys_posix(), dir);
    source = fixture_source(store, "s");
    for (int i = 0; i < 1000 && memcmp(magic, "QHASHIX2", 8) != 0; i++) {
        sys_sleep_us(sys_posix(), 10000);
        assert_ok(sys_open(sys_posix(), path, SYS_READ, &file, &test_err));
        assert_ok(sys_pread(sys_posix(), file, magic, 8, 0, &len, &test_err));
        sys_close(sys_posix(), file);
    }
    wait_ready(source, "id", 3);
    assert_int_equal(find(source, "id", &id, &unused), 1);
    assert_int_equal(unused, 0);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* Rows of all segments with an id in [lo, hi], by the sorted index. */
static uint64_t find_range(struct source *source, int64_t lo, int64_t hi, uint32_t *ret_unused)
{
    struct view view;
    struct value_range range = {.has_lo = true,
                                .has_hi = true,
                                .lo = {.type = TYPE_INT64, .int64 = lo},
                                .hi = {.type = TYPE_INT64, .int64 = hi}};
    uint64_t found = 0;
    *ret_unused = 0;
    assert_ok(view_open(source, &view, &test_err));
    for (uint32_t i = 0; i < view.segments_len; i++) {
        bool used;
        uint64_t *rows;
        uint32_t len;
        assert_ok(
            segment_range(view.segments[i], 1, &range, 100000, &used, &rows, &len, &test_err));
        *ret_unused += !used;
        found += len;
        free(rows);
    }
    view_close(&view);
    return found;
}

static void wait_sorted(struct source *source)
{
    uint32_t unused = 1;
    for (int i = 0; i < 1000; i++) {
        (void)find_range(source, 0, 1, &unused);
        if (!unused)
            return;
        sys_sleep_us(sys_posix(), 10000);
    }
    fail_msg("the sorted index was not built");
}

/* Built in the background, at flush and at compaction; listed; lost and damaged files are made
 * again; dropped. */
static void test_sorted(void **state)
{
    (void)state;
    char dir[256], path[512];
    uint32_t unused;
    struct sys_stat stat;
    struct str id = STR("id");
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    fixture_write(source, 0, 300);
    assert_ok(source_flush(source, &test_err));
    (void)find_range(source, 10, 19, &unused);
    assert_int_equal(unused, 3);
    assert_ok(source_add_indexes(source, &id, 1, INDEX_KIND_HASH | INDEX_KIND_SORTED, &test_err));
    wait_sorted(source);
    assert_int_equal(find_range(source, 10, 19, &unused), 10);
    fixture_write(source, 300, 300);
    assert_ok(source_flush(source, &test_err)); /* new files have it at once */
    assert_int_equal(find_range(source, 290, 309, &unused), 20);
    assert_int_equal(unused, 0);
    struct compact_policy all = {.small_file_threshold = 2};
    assert_ok(source_compact(source, &all, NULL, &test_err));
    assert_int_equal(find_range(source, 290, 309, &unused), 20);
    assert_int_equal(unused, 0);
    source_unref(source);
    store_close(store, true);

    snprintf(path, sizeof path, "%s/sources/s/index/00000007.1.sorted", dir);
    damage(path); /* the directory */
    store = fixture_open(sys_posix(), dir);
    source = fixture_source(store, "s");
    assert_true(find_range(source, 290, 309, &unused) < 20);
    assert_int_equal(unused, 1);
    wait_sorted(source);
    assert_int_equal(find_range(source, 290, 309, &unused), 20);
    assert_int_equal(source_config(source)->sorted_fields_len, 1);
    assert_ok(source_drop_index(source, id, INDEX_KIND_SORTED, &test_err));
    assert_int_equal(sys_stat(sys_posix(), path, &stat, NULL), STATUS_NOT_FOUND);
    assert_int_equal(source_drop_index(source, id, INDEX_KIND_SORTED, &test_err), STATUS_NOT_FOUND);
    assert_int_equal(source_config(source)->index_columns_len, 2); /* the hash index stays */
    fixture_check(source, 600);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

static void test_chunk_budget(void **state)
{
    (void)state;
    const struct str id_name = STR("id");
    struct chunk_budget budget = {.max = 40000};
    struct batch *batch = fixture_batch(0, 4096);
    struct chunk *chunk = chunk_new(sys_posix(), batch, 1, 1);
    struct value id = {.type = TYPE_INT64, .int64 = 7}, value = half;
    uint32_t *rows, len;
    bool used;
    chunk->budget = &budget;
    assert_ok(chunk_lookup(chunk, &id_name, &id, 1, &used, &rows, &len, &test_err));
    assert_true(used);
    assert_int_equal(len, 1);
    assert_int_equal(rows[0], 7);
    free(rows);
    assert_int_equal(budget.used, 36872);
    assert_ok(chunk_lookup(chunk, &names[0], &value, 1, &used, &rows, &len, &test_err));
    assert_false(used); /* no room: it is scanned */
    assert_int_equal(budget.used, 36872);
    chunk_unref(chunk);
    assert_int_equal(budget.used, 0);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added_and_dropped), cmocka_unit_test(test_lost_and_damaged),
        cmocka_unit_test(test_old_version),       cmocka_unit_test(test_sorted),
        cmocka_unit_test(test_chunk_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

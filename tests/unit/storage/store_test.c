/* store_test.c: the store's promises, one after the other, on the real disk: what was acknowledged
 * is there, once, also after a restart and a flush; schemas, partitions, indexes, removal. */
#include "fixture.h"

struct world {
    char dir[256];
    struct store *store;
    struct source *source;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    fixture_dir(world->dir);
    world->store = fixture_open(sys_posix(), world->dir);
    world->source = fixture_source(world->store, "s");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    source_unref(world->source);
    store_close(world->store, false);
    fixture_remove(world->dir);
    free(world);
    return 0;
}

static void reopen(struct world *world, bool flush)
{
    source_unref(world->source);
    store_close(world->store, flush);
    world->store = fixture_open(sys_posix(), world->dir);
    assert_ok(store_get_source(world->store, STR("s"), &world->source, &test_err));
}

static void test_write_view_reopen(void **state)
{
    struct world *world = *state;
    fixture_check(world->source, 0);
    struct write_result result = fixture_write(world->source, 0, 100);
    assert_int_equal(result.rows, 100);
    assert_int_equal(result.lsn, 1);
    assert_false(result.duplicate);
    for (int i = 0; i < 50; i++)
        assert_int_equal(fixture_write(world->source, 100 + i, 1).lsn, 2 + i);
    fixture_check(world->source, 150);
    reopen(world, false);
    fixture_check(world->source, 150);
    assert_int_equal(fixture_write(world->source, 150, 1).lsn, 52);
    assert_ok(source_flush(world->source, &test_err));
    fixture_check(world->source, 151);
    fixture_write(world->source, 151, 49);
    fixture_check(world->source, 200);
    for (int round = 0; round < 3; round++) { /* recovery is idempotent */
        reopen(world, round == 1);
        fixture_check(world->source, 200);
    }
}

static void test_small_chunks_merge(void **state)
{
    struct world *world = *state;
    struct view view;
    for (int i = 0; i < 1000; i++)
        fixture_write(world->source, i, 1);
    fixture_check(world->source, 1000);
    assert_ok(view_open(world->source, &view, &test_err));
    assert_in_range(view.chunks_len, 1, 40);
    assert_int_equal(view.lsn, 1000);
    view_close(&view);
}

static void test_view_is_pinned(void **state)
{
    struct world *world = *state;
    struct view before, after;
    struct column ids;
    fixture_write(world->source, 0, 10);
    assert_ok(view_open(world->source, &before, &test_err));
    fixture_write(world->source, 10, 10);
    assert_ok(source_flush(world->source, &test_err));
    assert_ok(view_open(world->source, &after, &test_err));
    assert_int_equal(before.rows, 10);
    assert_int_equal(before.segments_len, 0);
    fixture_read(&before, "id", &ids);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(column_int64(&ids, i), i);
    column_release(&ids);
    assert_int_equal(after.rows, 20);
    assert_int_equal(after.segments_len, 3); /* three kinds */
    assert_int_equal(after.chunks_len, 0);
    view_close(&before);
    view_close(&after);
}

/* --- schema --- */

static struct batch *one_column(const char *name, enum type type, int64_t number, const char *text)
{
    struct batch *batch = batch_new();
    uint32_t at;
    assert_int_equal(batch_add_column(batch, str_of(name), type, &at), STATUS_OK);
    struct column *column = &batch->columns[at].column;
    enum status status = STATUS_OK;
    if (type == TYPE_INT64 || type == TYPE_TIMESTAMP)
        status = column_append_int64(column, number);
    else if (type == TYPE_DOUBLE)
        status = column_append_double(column, (double)number + 0.5);
    else if (type == TYPE_DATE)
        status = column_append_date(column, (int32_t)number);
    else if (text)
        status = column_append_bytes(column, str_of(text));
    else
        status = column_append_null(column);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(batch_set_rows(batch, 1), STATUS_OK);
    return batch;
}

static enum status write_one(struct source *source, struct batch *batch)
{
    struct write_result result;
    test_err = ERROR_INIT;
    enum status status = source_write(source, batch, STR_NONE, &result, &test_err);
    batch_unref(batch);
    return status;
}

static void test_schema_grows_and_widens(void **state)
{
    struct world *world = *state;
    struct schema *schema;
    struct column values;
    struct view view;
    assert_int_equal(write_one(world->source, one_column("n", TYPE_INT64, 7, NULL)), STATUS_OK);
    assert_int_equal(write_one(world->source, one_column("d", TYPE_DATE, 3, NULL)), STATUS_OK);
    assert_ok(source_flush(world->source, &test_err));
    assert_int_equal(write_one(world->source, one_column("n", TYPE_INT64, 8, NULL)), STATUS_OK);
    assert_int_equal(write_one(world->source, one_column("n", TYPE_DOUBLE, 9, NULL)), STATUS_OK);
    assert_int_equal(write_one(world->source, one_column("n", TYPE_INT64, 10, NULL)), STATUS_OK);
    assert_int_equal(write_one(world->source, one_column("d", TYPE_TIMESTAMP, 5, NULL)), STATUS_OK);
    for (int round = 0; round < 3; round++) {
        schema = source_schema(world->source);
        assert_int_equal(schema->fields_len, 2);
        assert_int_equal(schema->fields[0].type, TYPE_DOUBLE);
        assert_int_equal(schema->fields[0].id, 1 + (1 << 20)); /* widened: of a new generation */
        assert_int_equal(schema->fields[1].type, TYPE_TIMESTAMP);
        assert_int_equal(schema->fields[1].id, 2 + (1 << 20));
        schema_unref(schema);
        assert_ok(view_open(world->source, &view, &test_err));
        fixture_read(&view, "n", &values);
        assert_int_equal(values.rows, 6);
        double sum = 0;
        for (uint32_t i = 0; i < values.rows; i++)
            sum += column_is_null(&values, i) ? 0 : column_double(&values, i);
        assert_true(sum == 7 + 8 + 9.5 + 10);
        column_release(&values);
        fixture_read(&view, "d", &values);
        int64_t total = 0;
        for (uint32_t i = 0; i < values.rows; i++)
            total += column_is_null(&values, i) ? 0 : column_int64(&values, i);
        assert_int_equal(total, 3 * INT64_C(86400000000) + 5);
        column_release(&values);
        view_close(&view);
        reopen(world, round == 0);
    }
}

static void test_schema_mismatch(void **state)
{
    struct world *world = *state;
    assert_int_equal(write_one(world->source, one_column("n", TYPE_INT64, 7, NULL)), STATUS_OK);
    struct batch *batch = one_column("n", TYPE_STRING, 0, NULL); /* row 0 is null */
    assert_int_equal(column_append_bytes(&batch->columns[0].column, STR("seven")), STATUS_OK);
    uint32_t other;
    assert_int_equal(batch_set_rows(batch, 2), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("new"), TYPE_INT64, &other), STATUS_OK);
    assert_int_equal(write_one(world->source, batch), STATUS_SCHEMA);
    assert_int_equal(test_err.record, 1);
    assert_string_equal(test_err.field, "n");
    assert_string_equal(test_err.value, "\"seven\"");
    struct schema *schema = source_schema(world->source);
    assert_int_equal(schema->fields_len, 1); /* nothing of it is stored */
    schema_unref(schema);
    /* An integer that a double cannot hold keeps its column from widening, now and after restarts.
     */
    assert_int_equal(
        write_one(world->source, one_column("n", TYPE_INT64, (INT64_C(1) << 53) + 1, NULL)),
        STATUS_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(write_one(world->source, one_column("n", TYPE_DOUBLE, 1, NULL)),
                         STATUS_SCHEMA);
        assert_int_equal(test_err.record, 0);
        reopen(world, round == 1);
    }
}

static void test_null_columns(void **state)
{
    struct world *world = *state;
    struct view view;
    /* A column of nulls decides nothing. */
    assert_int_equal(write_one(world->source, one_column("n", TYPE_STRING, 0, NULL)), STATUS_OK);
    assert_int_equal(write_one(world->source, one_column("n", TYPE_INT64, 5, NULL)), STATUS_OK);
    assert_int_equal(write_one(world->source, one_column("n", TYPE_STRING, 0, NULL)), STATUS_OK);
    for (int round = 0; round < 3; round++) {
        assert_ok(view_open(world->source, &view, &test_err));
        assert_int_equal(view.rows, 3);
        struct column values;
        fixture_read(&view, "n", &values);
        assert_int_equal(values.type, TYPE_INT64);
        assert_int_equal(values.nulls, 2);
        column_release(&values);
        view_close(&view);
        reopen(world, round == 0);
    }
}

static void test_rows_without_columns(void **state)
{
    struct world *world = *state;
    struct view view;
    struct batch *batch = batch_new();
    assert_int_equal(batch_set_rows(batch, 5), STATUS_OK);
    assert_int_equal(write_one(world->source, batch), STATUS_OK);
    assert_ok(source_flush(world->source, &test_err));
    reopen(world, false);
    assert_ok(view_open(world->source, &view, &test_err));
    assert_int_equal(view.rows, 5);
    view_close(&view);
    batch = batch_new();
    assert_int_equal(write_one(world->source, batch), STATUS_INVALID_ARGUMENT);
}

/* --- write ids --- */

static void test_write_ids(void **state)
{
    struct world *world = *state;
    struct write_result result;
    assert_ok(fixture_try_write(world->source, 0, 10, "first", &result));
    assert_false(result.duplicate);
    uint64_t lsn = result.lsn;
    for (int round = 0; round < 4; round++) {
        assert_ok(fixture_try_write(world->source, 0, 3, "first", &result));
        assert_true(result.duplicate);
        assert_int_equal(result.rows, 10);
        assert_int_equal(result.lsn, lsn);
        fixture_check(world->source, 10);
        if (round < 3)
            reopen(world, round == 1); /* from the log, then from the snapshot */
    }
    char longest[WRITE_ID_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[WRITE_ID_MAX + 1] = 0;
    assert_int_equal(fixture_try_write(world->source, 10, 1, longest, &result),
                     STATUS_INVALID_ARGUMENT);
    longest[WRITE_ID_MAX] = 0;
    assert_ok(fixture_try_write(world->source, 10, 1, longest, &result));
    assert_int_equal(fixture_try_write(world->source, 11, 1, "", &result), STATUS_INVALID_ARGUMENT);
    fixture_check(world->source, 11);
}

/* More flushes than a snapshot keeps files of write ids. */
static void test_write_id_files_fold(void **state)
{
    struct world *world = *state;
    struct write_result result;
    char id[32];
    for (int i = 0; i < 70; i++) {
        snprintf(id, sizeof id, "w%d", i);
        assert_ok(fixture_try_write(world->source, i, 1, id, &result));
        assert_ok(source_flush(world->source, &test_err));
    }
    reopen(world, false);
    for (int i = 0; i < 70; i++) {
        snprintf(id, sizeof id, "w%d", i);
        assert_ok(fixture_try_write(world->source, i, 1, id, &result));
        assert_true(result.duplicate);
    }
    fixture_check(world->source, 70);
}

/* --- files --- */

static bool there(const struct world *world, const char *below)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    assert_ok(sys_path(path, &test_err, "%s/%s", world->dir, below));
    return sys_stat(sys_posix(), path, &stat, NULL) == STATUS_OK;
}

static void test_partition_directories(void **state)
{
    struct world *world = *state;
    static const char *const kinds[] = {"a/b", "100%=x", "", NULL, "..", "\xc3\xa4"};
    static const char *const names[] = {"a~2Fb", "100~25~3Dx", "", "__HIVE_DEFAULT_PARTITION__",
                                        "~2E.",  "~C3~A4"};
    char path[128];
    for (int i = 0; i < 6; i++)
        assert_int_equal(write_one(world->source, one_column("kind", TYPE_STRING, 0, kinds[i])),
                         STATUS_OK);
    assert_ok(source_flush(world->source, &test_err));
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "sources/s/data/kind=%s", names[i]);
        if (!there(world, path))
            fail_msg("%s is missing", path);
    }
    struct view view;
    assert_ok(view_open(world->source, &view, &test_err));
    assert_int_equal(view.segments_len, 6);
    view_close(&view);
}

static void test_partition_by_day(void **state)
{
    struct world *world = *state;
    static const struct str day = {"day", 3};
    struct source_config config = fixture_config("days");
    struct source *source;
    config.partition_columns = &day;
    assert_ok(store_add_source(world->store, &config, &test_err));
    assert_ok(store_get_source(world->store, STR("days"), &source, &test_err));
    assert_int_equal(write_one(source, one_column("day", TYPE_TIMESTAMP, -1, NULL)), STATUS_OK);
    assert_int_equal(write_one(source, one_column("day", TYPE_TIMESTAMP, 0, NULL)), STATUS_OK);
    assert_int_equal(write_one(source, one_column("day", TYPE_TIMESTAMP, 86399999999, NULL)),
                     STATUS_OK);
    assert_ok(source_flush(source, &test_err));
    assert_true(there(world, "sources/days/data/day=1969-12-31"));
    assert_true(there(world, "sources/days/data/day=1970-01-01"));
    struct source_stats stats;
    source_get_stats(source, &stats);
    assert_int_equal(stats.files, 2);
    assert_int_equal(stats.rows, 3);
    source_unref(source);
}

static void test_files_are_limited(void **state)
{
    struct world *world = *state;
    struct source_config config = fixture_config("big");
    struct source *source;
    struct view view;
    config.max_file_size_mb = 1;
    config.partition_columns_len = 0;
    assert_ok(store_add_source(world->store, &config, &test_err));
    assert_ok(store_get_source(world->store, STR("big"), &source, &test_err));
    for (int i = 0; i < 5; i++)
        fixture_write(source, i * 20000, 20000);
    assert_ok(source_flush(source, &test_err));
    fixture_check(source, 100000);
    assert_ok(view_open(source, &view, &test_err));
    assert_in_range(view.segments_len, 3, 20);
    int64_t last = -1; /* sorted by the first index column */
    for (uint32_t i = 0; i < view.segments_len; i++) {
        struct value min, max;
        uint64_t nulls;
        assert_true(segment_bounds(view.segments[i], 1, &min, &max, &nulls));
        assert_int_equal(nulls, 0);
        assert_int_equal(min.int64, last + 1);
        last = max.int64;
    }
    assert_int_equal(last, 99999);
    view_close(&view);
    source_unref(source);
}

/* --- indexes --- */

/* Rows of the view whose `column` equals the value, through indexes only. */
static uint32_t count_by_index(struct view *view, const char *column, int32_t field_id,
                               const struct value *value)
{
    uint32_t found = 0, len;
    bool used;
    for (uint32_t i = 0; i < view->segments_len; i++) {
        uint64_t *rows;
        struct column values;
        struct parquet_reader *reader;
        assert_ok(segment_lookup(view->segments[i], field_id, value, UINT64_MAX, &used, &rows, &len,
                                 &test_err));
        assert_true(used);
        assert_ok(segment_reader(view->segments[i], &reader, &test_err));
        column_init(&values, value->type);
        if (len)
            assert_ok(parquet_read_rows(reader,
                                        (uint32_t)segment_column(view->segments[i], field_id), rows,
                                        len, &values, &test_err));
        for (uint32_t k = 0; k < len; k++) {
            struct value got = value_of_column(&values, k);
            found += value_compare(&got, value) == 0;
        }
        column_release(&values);
        segment_reader_release(view->segments[i], reader);
        free(rows);
    }
    for (uint32_t i = 0; i < view->chunks_len; i++) {
        uint32_t *rows;
        assert_ok(view_chunk_lookup(view, i, str_of(column), value, &used, &rows, &len, &test_err));
        assert_int_equal(used, view->chunks[i]->rows >= 2048);
        for (uint32_t k = 1; k < len; k++)
            assert_true(rows[k - 1] < rows[k]);
        found += len;
        free(rows);
    }
    return found;
}

static void test_index_lookup(void **state)
{
    struct world *world = *state;
    struct view view;
    fixture_write(world->source, 0, 5000);
    assert_ok(source_flush(world->source, &test_err));
    fixture_write(world->source, 5000, 5000);
    assert_ok(view_open(world->source, &view, &test_err));
    int32_t id_field = view.schema->fields[schema_find(view.schema, STR("id"))].id;
    int32_t name_field = view.schema->fields[schema_find(view.schema, STR("name"))].id;
    for (int64_t id = 0; id < 10000; id += 37) {
        struct value value = {.type = TYPE_INT64, .int64 = id};
        assert_int_equal(count_by_index(&view, "id", id_field, &value), 1);
        char text[32];
        snprintf(text, sizeof text, "n%lld", (long long)id / 2);
        value = (struct value){.type = TYPE_STRING, .bytes = str_of(text)};
        assert_int_equal(count_by_index(&view, "name", name_field, &value), 2);
    }
    struct value none = {.type = TYPE_INT64, .int64 = 10000};
    assert_int_equal(count_by_index(&view, "id", id_field, &none), 0);
    bool used;
    uint64_t *rows;
    uint32_t len;
    assert_ok(
        segment_lookup(view.segments[0], 4, &none, UINT64_MAX, &used, &rows, &len, &test_err));
    assert_false(used); /* no index on value */
    view_close(&view);
    struct source_stats stats;
    source_get_stats(world->source, &stats);
    assert_int_equal(stats.index_entries, 2 * 5000);
}

/* A lost or damaged index is not used and not an error. */
static void test_damaged_index(void **state)
{
    struct world *world = *state;
    struct view view;
    fixture_write(world->source, 0, 300);
    assert_ok(source_flush(world->source, &test_err));
    reopen(world, false);
    assert_ok(view_open(world->source, &view, &test_err));
    assert_int_equal(view.segments_len, 3);
    for (uint32_t i = 0; i < 2; i++) {
        char path[SYS_PATH_MAX];
        struct sys_file *file;
        snprintf(path, sizeof path, "%s/sources/s/index/%08llu.1.hash", world->dir,
                 (unsigned long long)segment_info(view.segments[i]).id);
        if (i == 0) {
            assert_int_equal(unlink(path), 0);
            continue;
        }
        assert_ok(sys_open(sys_posix(), path, SYS_READ | SYS_WRITE, &file, &test_err));
        assert_ok(sys_pwrite(sys_posix(), file, "\x55", 1, 200, &test_err));
        sys_close(sys_posix(), file);
    }
    struct value value = {.type = TYPE_INT64, .int64 = 5};
    for (uint32_t i = 0; i < 3; i++) {
        bool used;
        uint64_t *rows;
        uint32_t len;
        assert_ok(
            segment_lookup(view.segments[i], 1, &value, UINT64_MAX, &used, &rows, &len, &test_err));
        assert_int_equal(used, i == 2);
        free(rows);
    }
    view_close(&view);
}

/* --- life of a source --- */

static void test_remove_and_add_again(void **state)
{
    struct world *world = *state;
    struct view view;
    struct column ids;
    struct write_result result;
    fixture_write(world->source, 0, 300);
    assert_ok(source_flush(world->source, &test_err));
    fixture_write(world->source, 300, 100);
    assert_ok(view_open(world->source, &view, &test_err));
    assert_ok(store_remove_source(world->store, STR("s"), &test_err));
    assert_int_equal(store_remove_source(world->store, STR("s"), &test_err), STATUS_UNKNOWN_SOURCE);
    assert_int_equal(fixture_try_write(world->source, 400, 1, NULL, &result),
                     STATUS_UNKNOWN_SOURCE);
    source_unref(world->source);
    world->source = fixture_source(world->store, "s");
    fixture_check(world->source, 0);
    fixture_write(world->source, 0, 7);
    fixture_read(&view, "id", &ids); /* the old view reads on */
    assert_int_equal(ids.rows, 400);
    column_release(&ids);
    view_close(&view);
    for (int round = 0; round < 2; round++) { /* the old life's frames stay away */
        reopen(world, round == 1);
        fixture_check(world->source, 7);
    }
    assert_ok(store_remove_source(world->store, STR("s"), &test_err));
    source_unref(world->source);
    world->source = NULL;
    assert_false(there(world, "sources/s"));
    store_close(world->store, true);
    world->store = fixture_open(sys_posix(), world->dir);
    assert_int_equal(store_get_source(world->store, STR("s"), &world->source, &test_err),
                     STATUS_UNKNOWN_SOURCE);
}

static void test_source_ids_and_conflicts(void **state)
{
    struct world *world = *state;
    static const char *const bad[] = {"", ".", "..", "a/b", ".a", "-a", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct source_config config = fixture_config(bad[i]);
        assert_int_equal(store_add_source(world->store, &config, &test_err),
                         STATUS_INVALID_ARGUMENT);
    }
    struct source_config config = fixture_config("s");
    assert_ok(store_add_source(world->store, &config, &test_err)); /* the same again */
    config.codec = PARQUET_ZSTD;
    assert_int_equal(store_add_source(world->store, &config, &test_err), STATUS_CONFLICT);
    struct source_config more = fixture_config("a.b-c");
    assert_ok(store_add_source(world->store, &more, &test_err));
    struct source **list;
    uint32_t len;
    assert_ok(store_list_sources(world->store, &list, &len, &test_err));
    assert_int_equal(len, 2);
    assert_true(str_is(source_config(list[0])->source_id, "a.b-c"));
    for (uint32_t i = 0; i < len; i++)
        source_unref(list[i]);
    free(list);
    reopen(world, false);
    assert_ok(store_add_source(world->store, &more, &test_err));
    struct store_options options = {.path = world->dir};
    struct store *second = NULL;
    assert_int_equal(store_open(sys_posix(), &options, &second, &test_err), STATUS_CONFLICT);
}

static void test_declared_schema(void **state)
{
    struct world *world = *state;
    static const struct field fields[] = {{{"n", 1}, TYPE_DOUBLE, 0}, {{"t", 1}, TYPE_STRING, 0}};
    struct source_config config = fixture_config("declared");
    struct source *source;
    config.fields = fields;
    config.fields_len = 2;
    assert_ok(store_add_source(world->store, &config, &test_err));
    assert_ok(store_get_source(world->store, STR("declared"), &source, &test_err));
    assert_int_equal(write_one(source, one_column("n", TYPE_INT64, 3, NULL)), STATUS_OK);
    assert_int_equal(write_one(source, one_column("t", TYPE_INT64, 3, NULL)), STATUS_SCHEMA);
    struct schema *schema = source_schema(source);
    assert_int_equal(schema->fields_len, 2);
    assert_int_equal(schema->fields[0].type, TYPE_DOUBLE);
    assert_int_equal(schema->fields[1].id, 2);
    schema_unref(schema);
    source_unref(source);
}

/* --- memory --- */

static void test_memory_limit(void **state)
{
    struct world *world = *state;
    struct write_result result;
    struct store_options options = {
        .path = world->dir, .memtable_bytes = 1 << 20, .memtable_max_bytes = 1 << 20};
    source_unref(world->source);
    store_close(world->store, false);
    assert_ok(store_open(sys_posix(), &options, &world->store, &test_err));
    assert_ok(store_get_source(world->store, STR("s"), &world->source, &test_err));
    int64_t row = 0; /* the flush thread makes room */
    for (; row < 100000; row += 5000)
        assert_ok(fixture_try_write(world->source, row, 5000, NULL, &result));
    fixture_check(world->source, 100000);
    struct store_stats stats;
    store_get_stats(world->store, &stats);
    assert_in_range(stats.memtable_bytes, 0, 2 << 20);
    struct source_stats source_stats;
    source_get_stats(world->source, &source_stats);
    assert_true(source_stats.flushes > 0);
    assert_int_equal(source_stats.flush_failures, 0);
}

static void test_overlay_files(void **state)
{
    struct world *world = *state;
    struct view view, again;
    const char **paths, **same;
    uint32_t len, same_len;
    fixture_write(world->source, 0, 100);
    assert_ok(view_open(world->source, &view, &test_err));
    assert_ok(view_overlay_files(&view, &paths, &len, &test_err));
    assert_int_equal(len, 1);
    assert_ok(view_open(world->source, &again, &test_err));
    assert_ok(view_overlay_files(&again, &same, &same_len, &test_err));
    assert_ptr_equal(paths[0], same[0]);
    struct buf buf;
    buf_init(&buf, 1 << 20);
    assert_ok(sys_read_file(sys_posix(), paths[0], &buf, &test_err));
    struct parquet_reader *reader;
    assert_ok(parquet_reader_open((struct slice){buf.data, buf.len}, &reader, &test_err));
    assert_int_equal(parquet_reader_rows(reader), 100);
    parquet_reader_free(reader);
    buf_release(&buf);
    char path[SYS_PATH_MAX];
    snprintf(path, sizeof path, "%s", paths[0]);
    free(paths);
    free(same);
    view_close(&again);
    assert_ok(source_flush(world->source, &test_err));
    assert_int_equal(access(path, F_OK), 0); /* the view still holds it */
    view_close(&view);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_async_source(void **state)
{
    struct world *world = *state;
    struct source_config config = fixture_config("async");
    struct source *source;
    config.wal_enabled = false;
    assert_ok(store_add_source(world->store, &config, &test_err));
    assert_ok(store_get_source(world->store, STR("async"), &source, &test_err));
    for (int i = 0; i < 100; i++) {
        fixture_write(source, i, 1);
        struct view view; /* what is acknowledged is seen */
        assert_ok(view_open(source, &view, &test_err));
        assert_int_equal(view.rows, i + 1);
        view_close(&view);
    }
    source_unref(source);
    reopen(world, false); /* an orderly end loses nothing */
    assert_ok(store_get_source(world->store, STR("async"), &source, &test_err));
    fixture_check(source, 100);
    source_unref(source);
}

static void test_read_only(void **state)
{
    struct world *world = *state;
    struct store_options options = {.path = world->dir, .read_only = true};
    struct store *store;
    struct source *source;
    struct write_result result;
    fixture_write(world->source, 0, 10);
    assert_ok(source_flush(world->source, &test_err));
    fixture_write(world->source, 10, 10);
    assert_ok(store_open(sys_posix(), &options, &store, &test_err)); /* beside the writer */
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_check(source, 20);
    assert_int_equal(fixture_try_write(source, 20, 1, NULL, &result), STATUS_UNAVAILABLE);
    source_unref(source);
    store_close(store, true);
    fixture_write(world->source, 20, 5);
    fixture_check(world->source, 25);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(write_view_reopen),
        TEST(small_chunks_merge),
        TEST(view_is_pinned),
        TEST(schema_grows_and_widens),
        TEST(schema_mismatch),
        TEST(null_columns),
        TEST(rows_without_columns),
        TEST(write_ids),
        TEST(write_id_files_fold),
        TEST(partition_directories),
        TEST(partition_by_day),
        TEST(files_are_limited),
        TEST(index_lookup),
        TEST(damaged_index),
        TEST(remove_and_add_again),
        TEST(source_ids_and_conflicts),
        TEST(declared_schema),
        TEST(memory_limit),
        TEST(overlay_files),
        TEST(async_source),
        TEST(read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

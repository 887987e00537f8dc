/* fixture.h: what the storage tests share: a directory, a source, batches and a model to compare.
 */
#ifndef QUARRY_TESTS_STORAGE_FIXTURE_H
#define QUARRY_TESTS_STORAGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/store.h"

#define assert_ok(expression)                                                                      \
    do {                                                                                           \
        struct error *shown_ = &test_err;                                                          \
        *shown_ = ERROR_INIT;                                                                      \
        enum status status_ = (expression);                                                        \
        if (status_ != STATUS_OK)                                                                  \
            fail_msg("%s: %s (%s)", #expression, shown_->message, shown_->cause);                  \
    } while (0)

static _Thread_local struct error test_err;

/* A fresh directory below TMPDIR. */
__attribute__((unused)) static void fixture_dir(char out[256])
{
    const char *base = getenv("TMPDIR");
    snprintf(out, 256, "%s/quarry-storage-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(out));
}

__attribute__((unused)) static void fixture_remove(const char *dir)
{
    assert_ok(sys_remove_tree(sys_posix(), dir, &test_err));
}

__attribute__((unused)) static struct store *fixture_open(struct sys *sys, const char *dir)
{
    struct store_options options = {.path = dir, .wal_segment_bytes = 1 << 20};
    struct store *store = NULL;
    assert_ok(store_open(sys, &options, &store, &test_err));
    return store;
}

struct fixture_search {
    const char *prefix, *suffix;
    char found[128];
};

__attribute__((unused)) static enum status
fixture_match(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct fixture_search *search = context;
    (void)err;
    if (str_starts(str_of(entry->name), str_of(search->prefix)) &&
        str_ends(str_of(entry->name), str_of(search->suffix)) &&
        strcmp(entry->name, search->found) > 0)
        snprintf(search->found, sizeof search->found, "%s", entry->name);
    return STATUS_OK;
}

/* Full path of a file of a source's metadata/ whose name is made of its bytes; of several the last.
 */
__attribute__((unused)) static void fixture_metadata(struct sys *sys, const char *dir,
                                                     const char *source, const char *prefix,
                                                     const char *suffix, char out[SYS_PATH_MAX])
{
    char path[512];
    struct fixture_search search = {.prefix = prefix, .suffix = suffix};
    snprintf(path, sizeof path, "%s/sources/%s/metadata", dir, source);
    assert_ok(sys_list_dir(sys, path, fixture_match, &search, &test_err));
    assert_true(search.found[0]);
    assert_ok(sys_path(out, &test_err, "%s/%s", path, search.found));
}

static const struct str fixture_index[] = {{"id", 2}, {"name", 4}};
static const struct str fixture_partition[] = {{"kind", 4}};

/* id, name, kind, value; indexed by id and name, partitioned by kind; schema-less. */
__attribute__((unused)) static struct source_config fixture_config(const char *id)
{
    return (struct source_config){.source_id = str_of(id),
                                  .name = str_of(id),
                                  .index_columns = fixture_index,
                                  .index_columns_len = 2,
                                  .partition_columns = fixture_partition,
                                  .partition_columns_len = 1,
                                  .codec = PARQUET_SNAPPY,
                                  .wal_enabled = true};
}

__attribute__((unused)) static struct source *fixture_source(struct store *store, const char *id)
{
    struct source_config config = fixture_config(id);
    struct source *source = NULL;
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, str_of(id), &source, &test_err));
    return source;
}

/* Rows first to first + count - 1: id = row, name = "n<row / 2>", kind = "k<row % 3>", value. */
__attribute__((unused)) static struct batch *fixture_batch(int64_t first, uint32_t count)
{
    struct batch *batch = batch_new();
    uint32_t id, name, kind, value;
    char text[32];
    assert_non_null(batch);
    assert_int_equal(batch_add_column(batch, STR("id"), TYPE_INT64, &id), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("name"), TYPE_STRING, &name), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("kind"), TYPE_STRING, &kind), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("value"), TYPE_DOUBLE, &value), STATUS_OK);
    for (int64_t row = first; row < first + count; row++) {
        assert_int_equal(column_append_int64(&batch->columns[id].column, row), STATUS_OK);
        snprintf(text, sizeof text, "n%lld", (long long)row / 2);
        assert_int_equal(column_append_bytes(&batch->columns[name].column, str_of(text)),
                         STATUS_OK);
        snprintf(text, sizeof text, "k%lld", (long long)row % 3);
        assert_int_equal(column_append_bytes(&batch->columns[kind].column, str_of(text)),
                         STATUS_OK);
        assert_int_equal(column_append_double(&batch->columns[value].column, (double)row * 0.5),
                         STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, count), STATUS_OK);
    return batch;
}

__attribute__((unused)) static enum status fixture_try_write(struct source *source, int64_t first,
                                                             uint32_t count, const char *write_id,
                                                             struct write_result *result)
{
    struct batch *batch = fixture_batch(first, count);
    test_err = ERROR_INIT;
    enum status status = source_write(source, batch, str_of(write_id), result, &test_err);
    batch_unref(batch);
    return status;
}

__attribute__((unused)) static struct write_result fixture_write(struct source *source,
                                                                 int64_t first, uint32_t count)
{
    struct write_result result;
    assert_ok(fixture_try_write(source, first, count, NULL, &result));
    return result;
}

/* Appends those values of `from` whose rows are not deleted. */
__attribute__((unused)) static void
fixture_append_live(struct column *into, const struct column *from, struct deletion *deleted)
{
    assert_ok(deletion_load(deleted, &test_err));
    for (uint64_t row = 0; row < from->rows;) {
        uint64_t end = deleted ? deletion_next(deleted, row) : from->rows;
        end = end < from->rows ? end : from->rows;
        assert_int_equal(column_append_range(into, from, (uint32_t)row, (uint32_t)(end - row)),
                         STATUS_OK);
        row = end + 1;
    }
}

/* All values of a column of all rows of a view that are not deleted, segments first. */
__attribute__((unused)) static void fixture_read(struct view *view, const char *name,
                                                 struct column *into)
{
    int32_t at = schema_find(view->schema, str_of(name));
    assert_true(at >= 0);
    const struct field *field = &view->schema->fields[at];
    column_init(into, field->type);
    for (uint32_t i = 0; i < view->segments_len; i++) {
        struct parquet_reader *reader = NULL;
        struct column all;
        int32_t column = segment_column(view->segments[i], field->id);
        column_init(&all, field->type);
        if (column < 0) {
            const struct value null = {.is_null = true}, *value = view->schema->traits[at].initial;
            for (uint64_t row = 0; row < segment_info(view->segments[i]).rows; row++)
                assert_int_equal(column_append_value(&all, value ? value : &null), STATUS_OK);
        } else {
            assert_ok(segment_reader(view->segments[i], &reader, &test_err));
            for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++)
                assert_ok(parquet_read_column(reader, g, (uint32_t)column, 0,
                                              parquet_row_group_rows(reader, g), &all, &test_err));
            segment_reader_release(view->segments[i], reader);
        }
        fixture_append_live(into, &all, view->deletions ? view->deletions[i] : NULL);
        column_release(&all);
    }
    for (uint32_t i = 0; i < view->chunks_len; i++) {
        int32_t column = batch_find(view->chunks[i], str_of(name));
        struct column copy;
        if (column < 0) {
            column_init(&copy, field->type);
            assert_int_equal(column_append_nulls(&copy, view->chunks[i]->rows), STATUS_OK);
        } else {
            const struct column *from = &view->chunks[i]->columns[column].column;
            column_init(&copy, from->type);
            assert_int_equal(column_append_range(&copy, from, 0, from->rows), STATUS_OK);
            if (copy.type != into->type)
                assert_ok(column_widen(&copy, into->type, &test_err));
        }
        fixture_append_live(into, &copy, view->chunk_deletions ? view->chunk_deletions[i] : NULL);
        column_release(&copy);
    }
    assert_int_equal(into->rows, view->rows);
}

__attribute__((unused)) static int fixture_by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The ids of all rows, sorted; malloc'ed. */
__attribute__((unused)) static int64_t *fixture_ids(struct source *source, uint32_t *ret_len)
{
    struct view view;
    struct column ids;
    assert_ok(view_open(source, &view, &test_err));
    *ret_len = (uint32_t)view.rows;
    int64_t *copy = calloc(view.rows + 1, sizeof *copy);
    assert_non_null(copy);
    if (view.rows) {
        fixture_read(&view, "id", &ids);
        memcpy(copy, ids.values, ids.rows * sizeof *copy);
        qsort(copy, ids.rows, sizeof *copy, fixture_by_number);
        column_release(&ids);
    }
    view_close(&view);
    return copy;
}

/* Exactly the ids 0 to count - 1, each once, with their other columns right. */
__attribute__((unused)) static void fixture_check(struct source *source, uint32_t count)
{
    struct view view;
    struct column ids, names, values;
    assert_ok(view_open(source, &view, &test_err));
    assert_int_equal(view.rows, count);
    if (count) {
        fixture_read(&view, "id", &ids);
        fixture_read(&view, "name", &names);
        fixture_read(&view, "value", &values);
        char *seen = calloc(count, 1), text[32];
        assert_non_null(seen);
        for (uint32_t row = 0; row < count; row++) {
            int64_t id = column_int64(&ids, row);
            assert_in_range(id, 0, count - 1);
            assert_int_equal(seen[id]++, 0);
            snprintf(text, sizeof text, "n%lld", (long long)id / 2);
            assert_true(str_is(column_str(&names, row), text));
            assert_true(column_double(&values, row) == (double)id * 0.5);
        }
        free(seen);
        column_release(&ids);
        column_release(&names);
        column_release(&values);
    }
    view_close(&view);
}

#endif

/* mutation_fixture.h: rows (id, value) of a view without its deleted ones, against a model that
 * says for each id how often it is there and what its values add up to. */
#ifndef QUARRY_TESTS_STORAGE_MUTATION_FIXTURE_H
#define QUARRY_TESTS_STORAGE_MUTATION_FIXTURE_H

#include "fixture.h"

enum { MODEL_IDS = 4096 };

struct model {
    uint32_t count[MODEL_IDS];
    double value[MODEL_IDS];
};

static const struct str mutation_keys[] = {{"id", 2}};

__attribute__((unused)) static struct source_config mutation_config(const char *id)
{
    struct source_config config = fixture_config(id);
    config.key_columns = mutation_keys;
    config.key_columns_len = 1;
    return config;
}

__attribute__((unused)) static void model_rows(const struct column *ids,
                                               const struct column *values,
                                               const struct deletion *deleted, struct model *into)
{
    for (uint32_t row = 0; row < ids->rows; row++) {
        int64_t id = column_int64(ids, row);
        assert_in_range(id, 0, MODEL_IDS - 1);
        if (deletion_has(deleted, row))
            continue;
        into->count[id]++;
        into->value[id] += column_double(values, row);
    }
}

__attribute__((unused)) static void model_of_segment(struct view *view, uint32_t at,
                                                     struct model *into)
{
    struct column columns[2];
    struct parquet_reader *reader = NULL;
    struct deletion *deleted = view->deletions ? view->deletions[at] : NULL;
    const char *names[] = {"id", "value"};
    assert_ok(deletion_load(deleted, &test_err));
    assert_ok(segment_reader(view->segments[at], &reader, &test_err));
    for (int k = 0; k < 2; k++) {
        const struct field *field =
            &view->schema->fields[schema_find(view->schema, str_of(names[k]))];
        column_init(&columns[k], field->type);
        for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++)
            assert_ok(parquet_read_column(
                reader, g, (uint32_t)segment_column(view->segments[at], field->id), 0,
                parquet_row_group_rows(reader, g), &columns[k], &test_err));
    }
    segment_reader_release(view->segments[at], reader);
    model_rows(&columns[0], &columns[1], deleted, into);
    column_release(&columns[0]);
    column_release(&columns[1]);
}

__attribute__((unused)) static void model_of_view(struct view *view, struct model *into)
{
    uint64_t rows = 0;
    memset(into, 0, sizeof *into);
    for (uint32_t i = 0; i < view->segments_len; i++)
        model_of_segment(view, i, into);
    for (uint32_t i = 0; i < view->chunks_len; i++) {
        const struct batch *chunk = view->chunks[i];
        model_rows(&chunk->columns[batch_find(chunk, STR("id"))].column,
                   &chunk->columns[batch_find(chunk, STR("value"))].column,
                   view->chunk_deletions[i], into);
    }
    for (uint32_t i = 0; i < MODEL_IDS; i++)
        rows += into->count[i];
    assert_int_equal(rows, view->rows);
}

__attribute__((unused)) static void model_of_source(struct source *source, struct model *into)
{
    struct view view;
    assert_ok(view_open(source, &view, &test_err));
    model_of_view(&view, into);
    view_close(&view);
}

__attribute__((unused)) static bool model_equal(const struct model *a, const struct model *b)
{
    for (uint32_t i = 0; i < MODEL_IDS; i++) {
        if (a->count[i] != b->count[i] || (a->count[i] && a->value[i] != b->value[i]))
            return false;
    }
    return true;
}

__attribute__((unused)) static void model_check(struct source *source, const struct model *model)
{
    struct model found;
    struct source_stats stats;
    uint64_t rows = 0;
    model_of_source(source, &found);
    for (uint32_t i = 0; i < MODEL_IDS; i++) {
        rows += model->count[i];
        if (found.count[i] != model->count[i] ||
            (found.count[i] && found.value[i] != model->value[i]))
            fail_msg("id %u: %u times %g, expected %u times %g", i, found.count[i], found.value[i],
                     model->count[i], model->value[i]);
    }
    source_get_stats(source, &stats);
    assert_int_equal(stats.rows, rows);
}

/* Rows with these ids and values. */
__attribute__((unused)) static struct batch *model_batch(const int64_t *ids, const double *values,
                                                         uint32_t len)
{
    struct batch *batch = batch_new();
    uint32_t id, kind, value;
    char text[32];
    assert_non_null(batch);
    assert_int_equal(batch_add_column(batch, STR("id"), TYPE_INT64, &id), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("kind"), TYPE_STRING, &kind), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("value"), TYPE_DOUBLE, &value), STATUS_OK);
    for (uint32_t i = 0; i < len; i++) {
        snprintf(text, sizeof text, "k%lld", (long long)ids[i] % 3);
        assert_int_equal(column_append_int64(&batch->columns[id].column, ids[i]), STATUS_OK);
        assert_int_equal(column_append_bytes(&batch->columns[kind].column, str_of(text)),
                         STATUS_OK);
        assert_int_equal(column_append_double(&batch->columns[value].column, values[i]), STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, len), STATUS_OK);
    return batch;
}

/* Marks the rows of a mutation whose id is in [first, end). */
__attribute__((unused)) static void mark_unit(struct mutation *mutation, uint32_t unit,
                                              const struct column *ids,
                                              const struct deletion *deleted, int64_t first,
                                              int64_t end)
{
    for (uint32_t row = 0; row < ids->rows; row++) {
        int64_t id = column_int64(ids, row);
        if (id >= first && id < end && !deletion_has(deleted, row))
            assert_ok(mutation_delete(mutation, unit, row, &test_err));
    }
}

__attribute__((unused)) static enum status mark_range(struct mutation *mutation, int64_t first,
                                                      int64_t end)
{
    struct view *view = mutation_view(mutation);
    int32_t at = schema_find(view->schema, STR("id"));
    for (uint32_t i = 0; i < view->segments_len; i++) {
        struct column ids;
        struct parquet_reader *reader = NULL;
        struct deletion *deleted = view->deletions ? view->deletions[i] : NULL;
        int32_t column = segment_column(view->segments[i], view->schema->fields[at].id);
        TRY(deletion_load(deleted, &test_err));
        TRY(segment_reader(view->segments[i], &reader, &test_err));
        column_init(&ids, TYPE_INT64);
        enum status status = STATUS_OK;
        for (uint32_t g = 0; g < parquet_reader_row_groups(reader) && status == STATUS_OK; g++)
            status = parquet_read_column(reader, g, (uint32_t)column, 0,
                                         parquet_row_group_rows(reader, g), &ids, &test_err);
        segment_reader_release(view->segments[i], reader);
        if (status == STATUS_OK)
            mark_unit(mutation, i, &ids, deleted, first, end);
        column_release(&ids);
        TRY(status);
    }
    for (uint32_t i = 0; i < view->chunks_len; i++)
        mark_unit(mutation, view->segments_len + i,
                  &view->chunks[i]->columns[batch_find(view->chunks[i], STR("id"))].column,
                  view->chunk_deletions[i], first, end);
    return STATUS_OK;
}

/* Deletes all rows whose id is in [first, end). */
__attribute__((unused)) static enum status delete_range(struct source *source, int64_t first,
                                                        int64_t end, const char *write_id,
                                                        struct write_result *result)
{
    struct mutation *mutation = NULL;
    test_err = ERROR_INIT;
    TRY(mutation_begin(source, str_of(write_id), &mutation, result, &test_err));
    enum status status = mutation ? mark_range(mutation, first, end) : STATUS_OK;
    if (status == STATUS_OK && mutation)
        status = mutation_commit(mutation, NULL, result, &test_err);
    mutation_end(mutation);
    return status;
}

__attribute__((unused)) static enum status upsert_rows(struct source *source, const int64_t *ids,
                                                       const double *values, uint32_t len,
                                                       const char *write_id,
                                                       struct write_result *result)
{
    struct batch *batch = model_batch(ids, values, len);
    test_err = ERROR_INIT;
    enum status status = source_upsert(source, batch, str_of(write_id), result, &test_err);
    batch_unref(batch);
    return status;
}

__attribute__((unused)) static enum status append_rows(struct source *source, const int64_t *ids,
                                                       const double *values, uint32_t len,
                                                       const char *write_id,
                                                       struct write_result *result)
{
    struct batch *batch = model_batch(ids, values, len);
    test_err = ERROR_INIT;
    enum status status = source_write(source, batch, str_of(write_id), result, &test_err);
    batch_unref(batch);
    return status;
}

#endif

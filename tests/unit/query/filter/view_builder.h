/* view_builder.h: views over chunks that are built from JSON text, for the tests of query.
 *
 * A schema is "name:type,name:type"; rows are a JSON array of arrays in that order. Columns of a
 * chunk may be declared with narrower types than the schema's. Such a view has no source, so no
 * segments and no indexes. */
#ifndef QUARRY_TEST_VIEW_BUILDER_H
#define QUARRY_TEST_VIEW_BUILDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/datetime.h"
#include "query/exec/exec.h"

static inline struct schema *build_schema(const char *text)
{
    struct schema *schema = calloc(1, sizeof *schema);
    assert_non_null(schema);
    atomic_init(&schema->refs, 1);
    arena_init(&schema->arena, 0);
    schema->fields = arena_array(&schema->arena, 64, sizeof *schema->fields);
    struct str rest = str_of(text), part, name;
    while (text[0] && str_split(&rest, ',', &part)) {
        struct field *field = &schema->fields[schema->fields_len++];
        assert_true(str_split(&part, ':', &name));
        field->name = arena_str(&schema->arena, name);
        assert_true(type_parse(part, &field->type));
        field->id = (int32_t)schema->fields_len;
    }
    return schema;
}

static inline void free_schema(struct schema *schema)
{
    arena_release(&schema->arena);
    free(schema);
}

static inline enum status append_json(struct column *column, yyjson_val *value)
{
    int32_t days = 0;
    int64_t us = 0;
    if (yyjson_is_null(value))
        return column_append_null(column);
    switch (column->type) {
    case TYPE_BOOL:
        return column_append_bool(column, yyjson_get_bool(value));
    case TYPE_INT64:
        return column_append_int64(column, yyjson_get_sint(value));
    case TYPE_DOUBLE:
        return column_append_double(column, yyjson_get_num(value));
    case TYPE_DATE:
        assert_true(date_parse(json_str_of(value), &days));
        return column_append_date(column, days);
    case TYPE_TIMESTAMP:
        assert_true(timestamp_parse(json_str_of(value), &us));
        return column_append_int64(column, us);
    case TYPE_STRING:
        return column_append_bytes(column, json_str_of(value));
    default:
        break;
    }
    size_t len;
    char *text = yyjson_val_write(value, 0, &len);
    assert_non_null(text);
    enum status status = column_append_bytes(column, str_make(text, len));
    free(text);
    return status;
}

static inline struct batch *build_batch(const char *columns, const char *rows)
{
    struct schema *schema = build_schema(columns);
    struct batch *batch = batch_new();
    struct error err = ERROR_INIT;
    yyjson_doc *doc = NULL;
    assert_non_null(batch);
    if (json_parse(str_of(rows), &doc, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    for (uint32_t c = 0; c < schema->fields_len; c++) {
        uint32_t index;
        assert_int_equal(
            batch_add_column(batch, schema->fields[c].name, schema->fields[c].type, &index), 0);
        assert_int_equal(index, c);
    }
    size_t i, max;
    yyjson_val *row;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, max, row)
    {
        for (uint32_t c = 0; c < schema->fields_len; c++)
            assert_int_equal(append_json(&batch->columns[c].column, yyjson_arr_get(row, c)), 0);
    }
    assert_int_equal(batch_set_rows(batch, (uint32_t)max), 0);
    yyjson_doc_free(doc);
    free_schema(schema);
    return batch;
}

enum { BUILDER_CHUNKS_MAX = 64 };

static inline struct view build_view(const char *schema)
{
    struct view view = {.schema = build_schema(schema)};
    view.chunks = calloc(BUILDER_CHUNKS_MAX, sizeof *view.chunks);
    assert_non_null(view.chunks);
    return view;
}

static inline void add_batch(struct view *view, struct batch *batch)
{
    assert_true(view->chunks_len < BUILDER_CHUNKS_MAX);
    view->chunks[view->chunks_len++] = batch;
    view->rows += batch->rows;
}

static inline void add_chunk(struct view *view, const char *columns, const char *rows)
{
    add_batch(view, build_batch(columns, rows));
}

static inline void free_view(struct view *view)
{
    for (uint32_t i = 0; i < view->chunks_len; i++)
        batch_unref(view->chunks[i]);
    free(view->chunks);
    free_schema(view->schema);
}

static const struct exec_context no_limits = {0};

/* NULL text: no filter. */
static inline struct filter *parse_filter(const char *text)
{
    struct error err = ERROR_INIT;
    struct filter *filter = NULL;
    yyjson_doc *doc = NULL;
    if (text && json_parse(str_of(text), &doc, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    if (filter_parse(doc ? yyjson_doc_get_root(doc) : NULL, &filter, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.message);
    yyjson_doc_free(doc);
    return filter;
}

/* The values of the INT64 column `id` of all rows that match, "1,2,3"; NULL with `err` set on
 * failure. To be freed. */
static inline char *matching_ids(struct view *view, const struct filter *filter, struct error *err)
{
    struct str column = STR("id");
    struct search_options options = {
        .filter = filter, .columns = &column, .columns_len = 1, .limit = -1};
    struct search *search;
    struct buf out;
    if (search_open(view, &options, &no_limits, &search, err) != STATUS_OK)
        return NULL;
    buf_init(&out, 1 << 26);
    for (;;) {
        struct batch *batch;
        if (search_next(search, &batch, err) != STATUS_OK) {
            search_close(search);
            buf_release(&out);
            return NULL;
        }
        if (!batch)
            break;
        assert_true(batch->rows > 0 && batch->rows <= SEARCH_BATCH_ROWS);
        for (uint32_t i = 0; i < batch->rows; i++)
            buf_printf(&out, "%s%lld", out.len ? "," : "",
                       (long long)column_int64(&batch->columns[0].column, i));
        batch_unref(batch);
    }
    search_close(search);
    buf_append_char(&out, 0);
    assert_false(buf_failed(&out));
    return buf_take(&out, NULL);
}

static inline void assert_ids(struct view *view, const char *filter_text, const char *expected)
{
    struct error err = ERROR_INIT;
    struct filter *filter = parse_filter(filter_text);
    char *ids = matching_ids(view, filter, &err);
    if (!ids)
        fail_msg("%s: %s", filter_text, err.message);
    if (strcmp(ids, expected) != 0)
        fail_msg("%s gives %s, not %s", filter_text, ids, expected);
    free(ids);
    filter_free(filter);
}

/* The filter parses but does not bind to the view; the message holds `part`. */
static inline void assert_bind_fails(struct view *view, const char *filter_text, const char *field,
                                     const char *part)
{
    struct error err = ERROR_INIT;
    struct filter *filter = parse_filter(filter_text);
    char *ids = matching_ids(view, filter, &err);
    assert_null(ids);
    assert_int_equal(err.status, STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.field, field);
    if (!strstr(err.message, part))
        fail_msg("%s: the message '%s' lacks '%s'", filter_text, err.message, part);
    filter_free(filter);
}

#endif

/* answer.c: frames of a worker, believed in nothing. A worker runs an engine over a tenant's bytes;
 * whoever takes it over may send what he likes, and must get no further than a failed query. */
#include <math.h>

#include "base/utf8.h"
#include "query/sql/sql_int.h"

enum { ANSWER_US_MAX = 1000000000 };

static enum status nonsense(const char *what, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "the SQL worker sent %s that make no sense", what);
}

/* strings of the document; false when one is missing or too long */
static bool read_columns(yyjson_val *list, struct str *names, struct str *types)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, i, max, item)
    {
        names[i] = json_str_of(json_get(item, "name"));
        types[i] = json_str_of(json_get(item, "type"));
        if (!names[i].data || !types[i].data || names[i].len > FIELD_NAME_MAX)
            return false;
    }
    return true;
}

enum status sql_answer_columns(struct str payload, const struct sql_sink *sink,
                               uint32_t *ret_columns, struct error *err)
{
    yyjson_doc *doc;
    struct arena arena;
    if (json_parse(payload, &doc, err) != STATUS_OK)
        return nonsense("columns", err);
    arena_init(&arena, 0);
    yyjson_val *list = json_get(yyjson_doc_get_root(doc), "columns");
    size_t len = yyjson_arr_size(list);
    struct str *names = arena_array(&arena, len, sizeof *names);
    struct str *types = arena_array(&arena, len, sizeof *types);
    enum status status;
    if (!names || !types)
        status = error_no_memory(err);
    else if (len == 0 || len > SQL_COLUMNS_MAX || !read_columns(list, names, types))
        status = nonsense("columns", err);
    else
        status = sink->columns(sink->context, names, types, (uint32_t)len, err);
    *ret_columns = (uint32_t)len;
    arena_release(&arena);
    yyjson_doc_free(doc);
    return status;
}

/* JSON columns go into answers as they are, so each value must be one. */
static bool json_column_holds(const struct column *column)
{
    for (uint32_t row = 0; row < column->rows; row++) {
        if (column_is_null(column, row))
            continue;
        struct str text = column_str(column, row);
        yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
        if (!doc)
            return false;
        yyjson_doc_free(doc);
    }
    return true;
}

enum status sql_answer_rows(struct str payload, uint32_t columns, struct batch **ret_batch,
                            struct error *err)
{
    struct batch *batch;
    if (batch_decode((struct slice){payload.data, payload.len}, &batch, err) != STATUS_OK)
        return nonsense("rows", err);
    bool ok = batch->columns_len == columns;
    for (uint32_t i = 0; ok && i < columns; i++) {
        const struct column *column = &batch->columns[i].column;
        ok = column->type != TYPE_JSON || json_column_holds(column);
    }
    if (!ok) {
        batch_unref(batch);
        return nonsense("rows", err);
    }
    *ret_batch = batch;
    return STATUS_OK;
}

static int64_t bounded_us(yyjson_val *value)
{
    int64_t us = yyjson_is_int(value) ? yyjson_get_sint(value) : 0;
    return us < 0 ? 0 : us > ANSWER_US_MAX ? ANSWER_US_MAX : us;
}

enum status sql_answer_done(struct str payload, struct sql_stats *stats, double *ret_cpu_seconds,
                            struct error *err)
{
    yyjson_doc *doc;
    if (json_parse(payload, &doc, err) != STATUS_OK)
        return nonsense("statistics", err);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *truncated = json_get(root, "truncated");
    /* Rows are counted here; a worker that lost some must not look right. */
    bool ok = yyjson_is_bool(truncated) && yyjson_is_uint(json_get(root, "rows")) &&
              yyjson_get_uint(json_get(root, "rows")) == stats->rows;
    stats->truncated = yyjson_get_bool(truncated);
    stats->prepare_us = bounded_us(json_get(root, "prepare_us"));
    stats->execute_us = bounded_us(json_get(root, "execute_us"));
    double cpu = yyjson_get_num(json_get(root, "cpu_seconds"));
    *ret_cpu_seconds = isfinite(cpu) && cpu > 0 ? cpu : 0;
    yyjson_doc_free(doc);
    return ok ? STATUS_OK : nonsense("statistics", err);
}

static bool status_of_code(struct str code, enum status *ret)
{
    static const enum status expected[] = {
        STATUS_INVALID_SQL,     STATUS_SQL_REFUSED, STATUS_INVALID_ARGUMENT, STATUS_RESOURCE_LIMIT,
        STATUS_UNAVAILABLE,     STATUS_INTERNAL,    STATUS_CORRUPT,          STATUS_NO_MEMORY,
        STATUS_NOT_IMPLEMENTED, STATUS_CANCELLED};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (str_is(code, status_info(expected[i])->code)) {
            *ret = expected[i];
            return true;
        }
    return false;
}

static int64_t bounded_place(yyjson_val *value)
{
    return yyjson_is_uint(value) && yyjson_get_uint(value) <= SQL_TEXT_MAX + 1
               ? (int64_t)yyjson_get_uint(value)
               : -1;
}

enum status sql_answer_error(struct str payload, bool *ret_replace, struct error *err)
{
    yyjson_doc *doc;
    enum status status = STATUS_CORRUPT;
    *ret_replace = true;
    if (json_parse(payload, &doc, err) != STATUS_OK)
        return nonsense("errors", err);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct str message = json_str_of(json_get(root, "message"));
    if (message.data && message.len < ERROR_MESSAGE_MAX &&
        status_of_code(json_str_of(json_get(root, "status")), &status)) {
        error_set(err, status, "%.*s", STR_ARG(message));
        *ret_replace = !yyjson_is_false(json_get(root, "replace"));
        if (err) {
            err->line = bounded_place(json_get(root, "line"));
            err->column = bounded_place(json_get(root, "column"));
            err->offset = bounded_place(json_get(root, "offset"));
        }
    } else {
        status = nonsense("errors", err);
    }
    yyjson_doc_free(doc);
    return status;
}

/* result.c: rows of a query in the form that the client wants: JSON, NDJSON, CSV, Arrow, Parquet.
 * Written as they come, pushed in pieces; a Parquet row group and an Arrow batch are what memory
 * holds at the most. */
#include <stdio.h>

#include "format/arrow/arrow.h"
#include "services/tenant/tenant_int.h"

enum { RESULT_GROUP_ROWS = 65536 };

static const struct {
    const char *name, *content_type;
} forms[] = {
    [RESULT_JSON] = {"json", "application/json"},
    [RESULT_LINES] = {"ndjson", "application/x-ndjson"},
    [RESULT_CSV] = {"csv", "text/csv"},
    [RESULT_ARROW] = {"arrow", "application/vnd.apache.arrow.stream"},
    [RESULT_PARQUET] = {"parquet", "application/vnd.apache.parquet"},
};
enum { FORMS = sizeof forms / sizeof *forms };

/* The first of the client's types that is one of ours. */
static enum result_form accepted(const struct request *request)
{
    struct str rest = http_request_header(request->http, "accept"), range, type;
    while (rest.data && str_split(&rest, ',', &range)) {
        str_split(&range, ';', &type);
        for (int i = 0; i < FORMS; i++)
            if (str_eq_nocase(str_trim(type), str_of(forms[i].content_type)))
                return (enum result_form)i;
    }
    return RESULT_JSON;
}

void result_init(struct result *result, struct request *request)
{
    bool given = tenant_has(request, "format");
    *result = (struct result){.request = request, .form = given ? RESULT_JSON : accepted(request)};
    for (int i = 0; given && i < FORMS; i++)
        if (str_is(request_str(request, "format"), forms[i].name))
            result->form = (enum result_form)i;
    answer_init(&result->answer, request, str_of(forms[result->form].content_type));
}

void result_release(struct result *result)
{
    answer_release(&result->answer);
    parquet_writer_free(result->parquet);
}

/* --- CSV --- */

static void put_csv_text(struct buf *buf, struct str text)
{
    bool quote = text.len == 0;
    for (size_t i = 0; i < text.len && !quote; i++)
        quote = text.data[i] == '"' || text.data[i] == ',' || text.data[i] == '\n' ||
                text.data[i] == '\r';
    if (!quote) {
        buf_append_str(buf, text);
        return;
    }
    buf_append_char(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            buf_append_char(buf, '"');
        buf_append_char(buf, text.data[i]);
    }
    buf_append_char(buf, '"');
}

static void put_csv_header(struct result *result)
{
    for (uint32_t i = 0; i < result->len; i++) {
        if (i)
            buf_append_char(&result->answer.buf, ',');
        put_csv_text(&result->answer.buf, result->fields[i].name);
    }
    buf_append_str(&result->answer.buf, STR("\r\n"));
}

/* Null is nothing between the commas, the empty text is "". */
static void put_csv_value(struct buf *buf, const struct column *column, uint32_t row)
{
    struct buf text;
    struct json_writer w;
    if (column_is_null(column, row))
        return;
    if (type_is_bytes(column->type)) {
        put_csv_text(buf, column_str(column, row));
        return;
    }
    buf_init(&text, 256);
    json_writer_init(&w, &text);
    column_write_json(&w, column, row);
    struct str json = buf_str(&text);
    if (json.len >= 2 && json.data[0] == '"') /* dates and times */
        json = str_make(json.data + 1, json.len - 2);
    buf_append_str(buf, json);
    buf_release(&text);
}

static void put_csv_row(struct result *result, const struct batch *batch, uint32_t row)
{
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        if (i)
            buf_append_char(&result->answer.buf, ',');
        put_csv_value(&result->answer.buf, &batch->columns[i].column, row);
    }
    buf_append_str(&result->answer.buf, STR("\r\n"));
}

/* --- JSON --- */

static void put_json_row(struct result *result, const struct batch *batch, uint32_t row)
{
    struct json_writer *w = &result->answer.w;
    json_begin_array(w);
    for (uint32_t i = 0; i < batch->columns_len; i++)
        column_write_json(w, &batch->columns[i].column, row);
    json_end_array(w);
}

static void put_line(struct result *result, const struct batch *batch, uint32_t row)
{
    struct json_writer *w = &result->answer.w;
    json_writer_init(w, &result->answer.buf);
    json_begin_object(w);
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        json_key(w, result->fields[i].name);
        column_write_json(w, &batch->columns[i].column, row);
    }
    json_end_object(w);
    buf_append_char(&result->answer.buf, '\n');
}

static void put_json_head(struct result *result, const struct str *types)
{
    struct json_writer *w = &result->answer.w;
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_strz(w, "query_id", result->query_id);
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; i < result->len; i++) {
        json_begin_object(w);
        json_kv_str(w, "name", result->fields[i].name);
        json_kv_str(w, "type", types[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_keyz(w, "rows");
    json_begin_array(w);
}

/* --- Parquet --- */

static enum status take_bytes(void *context, struct slice bytes, struct error *err)
{
    struct result *result = context;
    buf_append(&result->answer.buf, bytes.data, bytes.len);
    return answer_push(&result->answer, false, err);
}

static enum status open_parquet(struct result *result, struct error *err)
{
    struct parquet_write_options options = {
        .codec = PARQUET_SNAPPY, .row_group_rows = RESULT_GROUP_ROWS, .created_by = STR("quarry")};
    return parquet_writer_open(result->fields, result->len, &options, take_bytes, result,
                               &result->parquet, err);
}

/* --- any form --- */

/* The type of our rows for the engine's type, as the worker maps them (query/sqlworker/answer.c).
 */
static enum type type_of_sql(struct str name)
{
    static const struct {
        const char *name;
        enum type type;
    } known[] = {
        {"BOOLEAN", TYPE_BOOL},
        {"TINYINT", TYPE_INT64},
        {"SMALLINT", TYPE_INT64},
        {"INTEGER", TYPE_INT64},
        {"BIGINT", TYPE_INT64},
        {"UTINYINT", TYPE_INT64},
        {"USMALLINT", TYPE_INT64},
        {"UINTEGER", TYPE_INT64},
        {"FLOAT", TYPE_DOUBLE},
        {"DOUBLE", TYPE_DOUBLE},
        {"DATE", TYPE_DATE},
        {"TIMESTAMP", TYPE_TIMESTAMP},
        {"TIMESTAMP_S", TYPE_TIMESTAMP},
        {"TIMESTAMP_MS", TYPE_TIMESTAMP},
        {"TIMESTAMP_NS", TYPE_TIMESTAMP},
        {"JSON", TYPE_JSON},
        {"HUGEINT", TYPE_JSON},
        {"UHUGEINT", TYPE_JSON},
        {"UBIGINT", TYPE_JSON},
    };
    int width = 0, scale = 1;
    char text[32];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(name, known[i].name))
            return known[i].type;
    snprintf(text, sizeof text, "%.*s", name.len < 31 ? (int)name.len : 31, name.data);
    if (sscanf(text, "DECIMAL(%d,%d)", &width, &scale) == 2)
        return scale == 0 && width <= 18 ? TYPE_INT64 : TYPE_JSON;
    bool nested = name.len && (name.data[name.len - 1] == ']' || name.data[name.len - 1] == ')');
    return nested ? TYPE_JSON : TYPE_STRING;
}

static enum status take_fields(struct result *result, const struct str *names,
                               const struct str *types, uint32_t len, struct error *err)
{
    result->fields = arena_array(result->request->arena, len ? len : 1, sizeof *result->fields);
    if (!result->fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        result->fields[i].name = arena_str(result->request->arena, names[i]);
        result->fields[i].type = type_of_sql(types[i]);
        result->fields[i].id = (int32_t)i + 1;
        if (!result->fields[i].name.data)
            return error_no_memory(err);
    }
    result->len = len;
    return STATUS_OK;
}

enum status result_columns(void *context, const struct str *names, const struct str *types,
                           uint32_t len, struct error *err)
{
    struct result *result = context;
    TRY(take_fields(result, names, types, len, err));
    switch (result->form) {
    case RESULT_JSON:
        put_json_head(result, types);
        break;
    case RESULT_CSV:
        put_csv_header(result);
        break;
    case RESULT_ARROW:
        arrow_write_schema(result->fields, len, &result->answer.buf);
        break;
    case RESULT_PARQUET:
        return open_parquet(result, err);
    case RESULT_LINES:
        break;
    }
    return STATUS_OK;
}

enum status result_rows(void *context, const struct batch *batch, struct error *err)
{
    struct result *result = context;
    if (batch->columns_len != result->len)
        return error_set(err, STATUS_INTERNAL, "a worker sent rows of another shape");
    if (result->form == RESULT_PARQUET)
        return parquet_writer_append(result->parquet, batch, NULL, batch->rows, err);
    if (result->form == RESULT_ARROW) {
        TRY(arrow_write_batch(result->fields, result->len, batch, &result->answer.buf, err));
        return answer_push(&result->answer, false, err);
    }
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (result->form == RESULT_JSON)
            put_json_row(result, batch, row);
        else if (result->form == RESULT_LINES)
            put_line(result, batch, row);
        else
            put_csv_row(result, batch, row);
        TRY(answer_push(&result->answer, false, err));
    }
    return STATUS_OK;
}

enum status result_end(struct result *result, struct error *err)
{
    if (result->form == RESULT_PARQUET)
        TRY(parquet_writer_finish(result->parquet, NULL, err));
    if (result->form == RESULT_ARROW)
        arrow_write_end(&result->answer.buf);
    return answer_end(&result->answer, err);
}

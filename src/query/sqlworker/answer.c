#include "query/sqlworker/answer.h"

#include <math.h>
#include <stdio.h>

#include "base/datetime.h"
#include "query/sql/wire.h"
#include "query/sqlworker/values_int.h"

static bool is_json(duckdb_logical_type type)
{
    char *alias = duckdb_logical_type_get_alias(type);
    bool json = alias && strcmp(alias, "JSON") == 0;
    duckdb_free(alias);
    return json;
}

/* False when values of the type cannot be shown. */
static bool type_for(struct answer_column *column)
{
    duckdb_logical_type logical = column->logical;
    switch (column->id) {
    case DUCKDB_TYPE_BOOLEAN:
        column->type = TYPE_BOOL;
        return true;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
        column->type = TYPE_INT64;
        return true;
    case DUCKDB_TYPE_DECIMAL:
        column->scale = duckdb_decimal_scale(logical);
        column->held = duckdb_decimal_internal_type(logical);
        column->type =
            column->scale == 0 && duckdb_decimal_width(logical) <= 18 ? TYPE_INT64 : TYPE_JSON;
        return true;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
        column->type = TYPE_DOUBLE;
        return true;
    case DUCKDB_TYPE_VARCHAR:
        column->type = is_json(logical) ? TYPE_JSON : TYPE_STRING;
        return true;
    case DUCKDB_TYPE_ENUM:
        column->held = duckdb_enum_internal_type(logical);
        column->type = TYPE_STRING;
        return true;
    case DUCKDB_TYPE_UUID:
    case DUCKDB_TYPE_INTERVAL:
    case DUCKDB_TYPE_BLOB:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
    case DUCKDB_TYPE_SQLNULL:
        column->type = TYPE_STRING;
        return true;
    case DUCKDB_TYPE_DATE:
        column->type = TYPE_DATE;
        return true;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
        column->type = TYPE_TIMESTAMP;
        return true;
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_MAP:
        column->type = TYPE_JSON;
        return true;
    default:
        return false;
    }
}

static bool name_taken(const struct answer *answer, uint32_t before, struct str name)
{
    for (uint32_t i = 0; i < before; i++)
        if (str_eq(answer->columns[i].name, name))
            return true;
    return false;
}

/* A name that came before gets _1, _2 ...: an answer's rows are also objects. */
static struct str unique_name(struct answer *answer, uint32_t index, const char *given)
{
    struct str name = arena_str(&answer->arena, str_make(given, strnlen(given, FIELD_NAME_MAX)));
    for (unsigned n = 1; name.data && name_taken(answer, index, name); n++)
        name = str_of(arena_printf(&answer->arena, "%.*s_%u", FIELD_NAME_MAX - 12, given, n));
    return name;
}

static enum status init_column(struct answer *answer, uint32_t index, duckdb_result *result,
                               struct error *err)
{
    struct answer_column *column = &answer->columns[index];
    const char *given = duckdb_column_name(result, index);
    column->name = unique_name(answer, index, given ? given : "");
    column->logical = duckdb_column_logical_type(result, index);
    column->id = duckdb_get_type_id(column->logical);
    if (!column->name.data)
        return error_no_memory(err);
    if (type_for(column))
        return STATUS_OK;
    struct buf type;
    buf_init(&type, 256);
    answer_type_name(column->logical, &type);
    error_set(err, STATUS_INVALID_SQL,
              "column %.*s has type %.*s, which cannot be shown: cast it to VARCHAR",
              STR_ARG(column->name), STR_ARG(buf_str(&type)));
    buf_release(&type);
    return STATUS_INVALID_SQL;
}

enum status answer_init(struct answer *answer, duckdb_result *result, struct error *err)
{
    *answer = (struct answer){0};
    arena_init(&answer->arena, 16 << 20);
    idx_t count = duckdb_column_count(result);
    if (count > SQL_COLUMNS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "an answer may have at most %d columns",
                         SQL_COLUMNS_MAX);
    answer->columns = arena_array(&answer->arena, count, sizeof *answer->columns);
    if (!answer->columns)
        return error_no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        answer->columns_len = i + 1;
        TRY(init_column(answer, i, result, err));
    }
    return STATUS_OK;
}

void answer_release(struct answer *answer)
{
    for (uint32_t i = 0; i < answer->columns_len; i++)
        duckdb_destroy_logical_type(&answer->columns[i].logical);
    arena_release(&answer->arena);
    answer->columns_len = 0;
}

void answer_write_columns(const struct answer *answer, struct json_writer *w)
{
    struct buf type;
    buf_init(&type, 1 << 16);
    json_begin_object(w);
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; i < answer->columns_len; i++) {
        buf_clear(&type);
        answer_type_name(answer->columns[i].logical, &type);
        json_begin_object(w);
        json_kv_str(w, "name", answer->columns[i].name);
        json_kv_str(w, "type", buf_failed(&type) ? STR("STRUCT") : buf_str(&type));
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    buf_release(&type);
}

/* --- values --- */

static enum status append_text(struct column *to, const char *text, size_t len)
{
    return column_append_bytes(to, str_make(text, len));
}

static enum status append_date(struct column *to, int32_t days, struct error *err)
{
    if (days == INT32_MAX || days == -INT32_MAX)
        return column_append_null(to);
    if (!date_in_range(days))
        return cannot_show("DATE outside of the years 0 to 9999", err);
    return column_append_date(to, days);
}

static enum status append_timestamp(struct column *to, const struct answer_column *column,
                                    const void *data, idx_t row, struct error *err)
{
    int64_t us;
    if (!timestamp_at(data, row, column->id, &us))
        return column_append_null(to);
    if (!timestamp_in_range(us))
        return cannot_show("TIMESTAMP outside of the years 0 to 9999", err);
    if (column->id != DUCKDB_TYPE_TIMESTAMP_TZ)
        return column_append_int64(to, us);
    char text[TIMESTAMP_TEXT_MAX + 2];
    size_t n = timestamp_format(us, text);
    text[n++] = 'Z';
    return append_text(to, text, n);
}

static enum status append_double(struct column *to, double value)
{
    return isfinite(value) ? column_append_double(to, value) : column_append_null(to);
}

static enum status append_decimal(struct column *to, const struct answer_column *column,
                                  const void *data, idx_t row)
{
    char text[NUMBER_TEXT_MAX];
    __int128 value = decimal_at(data, row, column->held);
    if (column->type == TYPE_INT64)
        return column_append_int64(to, (int64_t)value);
    return append_text(to, text, text_of_int128(value, column->scale, text));
}

static enum status append_enum(struct column *to, const struct answer_column *column,
                               const void *data, idx_t row)
{
    char *value =
        duckdb_enum_dictionary_value(column->logical, enum_index_at(data, row, column->held));
    enum status status = column_append_bytes(to, str_of(value ? value : ""));
    duckdb_free(value);
    return status;
}

static enum status append_blob(struct column *to, struct str bytes)
{
    struct buf text;
    buf_init(&text, SQL_FRAME_MAX);
    append_base64(&text, bytes);
    enum status status =
        buf_failed(&text) ? STATUS_RESOURCE_LIMIT : column_append_bytes(to, buf_str(&text));
    buf_release(&text);
    return status;
}

static enum status append_nested(struct column *to, const struct answer_column *column,
                                 duckdb_vector vector, idx_t row, struct error *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, SQL_FRAME_MAX);
    json_writer_init(&w, &text);
    enum status status = nested_write(&w, vector, column->logical, row, 0, err);
    if (status == STATUS_OK)
        status = buf_check(&text, "a value", err);
    if (status == STATUS_OK)
        status = column_append_bytes(to, buf_str(&text));
    buf_release(&text);
    return status;
}

/* One value that is not null. */
static enum status append_value(struct column *to, const struct answer_column *column,
                                duckdb_vector vector, const void *data, idx_t row,
                                struct error *err)
{
    char text[128];
    switch (column->id) {
    case DUCKDB_TYPE_BOOLEAN:
        return column_append_bool(to, ((const uint8_t *)data)[row] != 0);
    case DUCKDB_TYPE_DECIMAL:
        return append_decimal(to, column, data, row);
    case DUCKDB_TYPE_FLOAT:
        return append_double(to, double_of_float(((const float *)data)[row]));
    case DUCKDB_TYPE_DOUBLE:
        return append_double(to, ((const double *)data)[row]);
    case DUCKDB_TYPE_VARCHAR:
        return column_append_bytes(to, string_at(data, row));
    case DUCKDB_TYPE_ENUM:
        return append_enum(to, column, data, row);
    case DUCKDB_TYPE_UUID:
        return append_text(to, text, text_of_uuid(((const duckdb_hugeint *)data)[row], text));
    case DUCKDB_TYPE_INTERVAL:
        return append_text(to, text, text_of_interval(((const duckdb_interval *)data)[row], text));
    case DUCKDB_TYPE_TIME:
        return append_text(to, text, text_of_time(((const int64_t *)data)[row], text));
    case DUCKDB_TYPE_BLOB:
        return append_blob(to, string_at(data, row));
    case DUCKDB_TYPE_DATE:
        return append_date(to, ((const int32_t *)data)[row], err);
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        return append_timestamp(to, column, data, row, err);
    default:
        break;
    }
    if (column->type == TYPE_INT64)
        return column_append_int64(to, integer_at(data, row, column->id));
    return append_nested(to, column, vector, row, err);
}

static enum status append_column(struct column *to, const struct answer_column *column,
                                 duckdb_vector vector, idx_t first, idx_t count, struct error *err)
{
    uint64_t *validity = duckdb_vector_get_validity(vector);
    const void *data = duckdb_vector_get_data(vector);
    if (column->id == DUCKDB_TYPE_SQLNULL)
        return column_append_nulls(to, (uint32_t)count);
    TRY(column_reserve(to, (uint32_t)count));
    for (idx_t row = first; row < first + count; row++) {
        if (validity && !duckdb_validity_row_is_valid(validity, row))
            TRY(column_append_null(to));
        else
            TRY(append_value(to, column, vector, data, row, err));
    }
    return STATUS_OK;
}

enum status answer_batch(const struct answer *answer, duckdb_data_chunk chunk, idx_t first,
                         idx_t count, struct batch **ret_batch, struct error *err)
{
    struct batch *batch = batch_new();
    enum status status = batch ? STATUS_OK : error_no_memory(err);
    for (uint32_t i = 0; i < answer->columns_len && status == STATUS_OK; i++) {
        const struct answer_column *column = &answer->columns[i];
        uint32_t index;
        status = batch_add_column(batch, column->name, column->type, &index);
        if (status == STATUS_OK)
            status = append_column(&batch->columns[index].column, column,
                                   duckdb_data_chunk_get_vector(chunk, i), first, count, err);
    }
    if (status == STATUS_OK)
        status = batch_set_rows(batch, (uint32_t)count);
    if (status == STATUS_OK)
        *ret_batch = batch;
    else
        batch_unref(batch);
    return status;
}

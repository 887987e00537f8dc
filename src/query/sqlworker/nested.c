/* nested.c: any engine value as JSON, by walking the vectors of lists, structs and maps. */
#include <math.h>

#include "base/datetime.h"
#include "query/sqlworker/values_int.h"

static bool is_valid(duckdb_vector vector, idx_t row)
{
    return duckdb_validity_row_is_valid(duckdb_vector_get_validity(vector), row);
}

static enum status write_items(struct json_writer *w, duckdb_vector items,
                               duckdb_logical_type item_type, idx_t from, idx_t count, int depth,
                               struct error *err)
{
    enum status status = STATUS_OK;
    json_begin_array(w);
    for (idx_t i = from; i < from + count && status == STATUS_OK; i++)
        status = nested_write(w, items, item_type, i, depth + 1, err);
    json_end_array(w);
    return status;
}

static enum status write_list(struct json_writer *w, duckdb_vector vector, duckdb_logical_type type,
                              idx_t row, int depth, struct error *err)
{
    duckdb_list_entry entry = ((duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    duckdb_logical_type child = duckdb_list_type_child_type(type);
    enum status status = write_items(w, duckdb_list_vector_get_child(vector), child, entry.offset,
                                     entry.length, depth, err);
    duckdb_destroy_logical_type(&child);
    return status;
}

static enum status write_array(struct json_writer *w, duckdb_vector vector,
                               duckdb_logical_type type, idx_t row, int depth, struct error *err)
{
    idx_t size = duckdb_array_type_array_size(type);
    duckdb_logical_type child = duckdb_array_type_child_type(type);
    enum status status =
        write_items(w, duckdb_array_vector_get_child(vector), child, row * size, size, depth, err);
    duckdb_destroy_logical_type(&child);
    return status;
}

static enum status write_struct(struct json_writer *w, duckdb_vector vector,
                                duckdb_logical_type type, idx_t row, int depth, struct error *err)
{
    idx_t count = duckdb_struct_type_child_count(type);
    char *first = count ? duckdb_struct_type_child_name(type, 0) : NULL;
    bool named = first && first[0]; /* row(1, 2) has no names: an array */
    enum status status = STATUS_OK;
    duckdb_free(first);
    if (named)
        json_begin_object(w);
    else
        json_begin_array(w);
    for (idx_t i = 0; i < count && status == STATUS_OK; i++) {
        char *name = duckdb_struct_type_child_name(type, i);
        duckdb_logical_type child = duckdb_struct_type_child_type(type, i);
        if (named)
            json_keyz(w, name ? name : "");
        status =
            nested_write(w, duckdb_struct_vector_get_child(vector, i), child, row, depth + 1, err);
        duckdb_destroy_logical_type(&child);
        duckdb_free(name);
    }
    if (named)
        json_end_object(w);
    else
        json_end_array(w);
    return status;
}

/* A key is written as JSON first; a key that is not text then becomes the text of its JSON. */
static enum status write_key(struct json_writer *w, duckdb_vector keys, duckdb_logical_type type,
                             idx_t row, int depth, struct error *err)
{
    if (duckdb_get_type_id(type) == DUCKDB_TYPE_VARCHAR && is_valid(keys, row)) {
        json_key(w, string_at(duckdb_vector_get_data(keys), row));
        return STATUS_OK;
    }
    struct buf text;
    struct json_writer inner;
    buf_init(&text, 1 << 20);
    json_writer_init(&inner, &text);
    enum status status = nested_write(&inner, keys, type, row, depth + 1, err);
    if (status == STATUS_OK)
        status = buf_check(&text, "a key of a map", err);
    struct str key = buf_str(&text);
    if (key.len >= 2 && key.data[0] == '"') /* dates, uuids: plain text without escapes */
        key = str_make(key.data + 1, key.len - 2);
    json_key(w, status == STATUS_OK ? key : STR(""));
    buf_release(&text);
    return status;
}

static enum status write_map(struct json_writer *w, duckdb_vector vector, duckdb_logical_type type,
                             idx_t row, int depth, struct error *err)
{
    duckdb_list_entry entry = ((duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    duckdb_vector pairs = duckdb_list_vector_get_child(vector);
    duckdb_vector keys = duckdb_struct_vector_get_child(pairs, 0);
    duckdb_vector values = duckdb_struct_vector_get_child(pairs, 1);
    duckdb_logical_type key_type = duckdb_map_type_key_type(type);
    duckdb_logical_type value_type = duckdb_map_type_value_type(type);
    enum status status = STATUS_OK;
    json_begin_object(w);
    for (idx_t i = entry.offset; i < entry.offset + entry.length && status == STATUS_OK; i++) {
        status = write_key(w, keys, key_type, i, depth, err);
        if (status == STATUS_OK)
            status = nested_write(w, values, value_type, i, depth + 1, err);
    }
    json_end_object(w);
    duckdb_destroy_logical_type(&key_type);
    duckdb_destroy_logical_type(&value_type);
    return status;
}

static enum status write_time_point(struct json_writer *w, const void *data, idx_t row,
                                    duckdb_type id, struct error *err)
{
    char text[TIMESTAMP_TEXT_MAX + 2];
    size_t n;
    if (id == DUCKDB_TYPE_DATE) {
        int32_t days = ((const int32_t *)data)[row];
        if (days == INT32_MAX || days == -INT32_MAX) {
            json_null(w);
            return STATUS_OK;
        }
        if (!date_in_range(days))
            return cannot_show("DATE outside of the years 0 to 9999", err);
        n = date_format(days, text);
    } else {
        int64_t us;
        if (!timestamp_at(data, row, id, &us)) {
            json_null(w);
            return STATUS_OK;
        }
        if (!timestamp_in_range(us))
            return cannot_show("TIMESTAMP outside of the years 0 to 9999", err);
        n = timestamp_format(us, text);
        if (id == DUCKDB_TYPE_TIMESTAMP_TZ)
            text[n++] = 'Z';
    }
    json_string(w, str_make(text, n));
    return STATUS_OK;
}

static bool is_json(duckdb_logical_type type)
{
    char *alias = duckdb_logical_type_get_alias(type);
    bool json = alias && strcmp(alias, "JSON") == 0;
    duckdb_free(alias);
    return json;
}

static void write_string(struct json_writer *w, const void *data, idx_t row,
                         duckdb_logical_type type)
{
    if (is_json(type))
        json_raw(w, string_at(data, row));
    else
        json_string(w, string_at(data, row));
}

static void write_blob(struct json_writer *w, const void *data, idx_t row)
{
    struct buf text;
    buf_init(&text, 128 << 20);
    append_base64(&text, string_at(data, row));
    if (buf_failed(&text))
        w->buf->failed = true;
    json_string(w, str_make(text.data ? text.data : "", text.len));
    buf_release(&text);
}

static void write_decimal(struct json_writer *w, const void *data, idx_t row,
                          duckdb_logical_type type)
{
    char text[NUMBER_TEXT_MAX];
    __int128 value = decimal_at(data, row, duckdb_decimal_internal_type(type));
    size_t n = text_of_int128(value, duckdb_decimal_scale(type), text);
    json_raw(w, str_make(text, n));
}

static void write_enum(struct json_writer *w, const void *data, idx_t row, duckdb_logical_type type)
{
    idx_t index = enum_index_at(data, row, duckdb_enum_internal_type(type));
    char *value = duckdb_enum_dictionary_value(type, index);
    json_stringz(w, value ? value : "");
    duckdb_free(value);
}

/* Types whose text needs more than a cast; false: not one of these. */
static bool write_textual(struct json_writer *w, const void *data, idx_t row, duckdb_type id)
{
    char text[128];
    size_t n;
    switch (id) {
    case DUCKDB_TYPE_UUID:
        n = text_of_uuid(((const duckdb_hugeint *)data)[row], text);
        break;
    case DUCKDB_TYPE_INTERVAL:
        n = text_of_interval(((const duckdb_interval *)data)[row], text);
        break;
    case DUCKDB_TYPE_TIME:
        n = text_of_time(((const int64_t *)data)[row], text);
        break;
    default:
        return false;
    }
    json_string(w, str_make(text, n));
    return true;
}

static bool write_number(struct json_writer *w, const void *data, idx_t row, duckdb_type id)
{
    char text[NUMBER_TEXT_MAX];
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
        json_bool(w, ((const uint8_t *)data)[row] != 0);
        return true;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
        json_int(w, integer_at(data, row, id));
        return true;
    case DUCKDB_TYPE_UBIGINT:
        json_uint(w, ((const uint64_t *)data)[row]);
        return true;
    case DUCKDB_TYPE_HUGEINT:
        json_raw(w, str_make(text, text_of_int128(decimal_at(data, row, id), 0, text)));
        return true;
    case DUCKDB_TYPE_UHUGEINT: {
        duckdb_uhugeint h = ((const duckdb_uhugeint *)data)[row];
        size_t n = text_of_uint128((unsigned __int128)h.upper << 64 | h.lower, text);
        json_raw(w, str_make(text, n));
        return true;
    }
    case DUCKDB_TYPE_FLOAT:
        json_double(w, double_of_float(((const float *)data)[row]));
        return true;
    case DUCKDB_TYPE_DOUBLE:
        json_double(w, ((const double *)data)[row]);
        return true;
    default:
        return false;
    }
}

enum status nested_write(struct json_writer *w, duckdb_vector vector, duckdb_logical_type type,
                         idx_t row, int depth, struct error *err)
{
    if (depth > NESTED_DEPTH_MAX)
        return error_set(err, STATUS_INVALID_SQL, "a value is nested deeper than %d levels",
                         NESTED_DEPTH_MAX);
    duckdb_type id = duckdb_get_type_id(type);
    if (!is_valid(vector, row) || id == DUCKDB_TYPE_SQLNULL) {
        json_null(w);
        return STATUS_OK;
    }
    const void *data = duckdb_vector_get_data(vector);
    if (write_number(w, data, row, id) || write_textual(w, data, row, id))
        return STATUS_OK;
    switch (id) {
    case DUCKDB_TYPE_LIST:
        return write_list(w, vector, type, row, depth, err);
    case DUCKDB_TYPE_ARRAY:
        return write_array(w, vector, type, row, depth, err);
    case DUCKDB_TYPE_STRUCT:
        return write_struct(w, vector, type, row, depth, err);
    case DUCKDB_TYPE_MAP:
        return write_map(w, vector, type, row, depth, err);
    case DUCKDB_TYPE_VARCHAR:
        write_string(w, data, row, type);
        return STATUS_OK;
    case DUCKDB_TYPE_BLOB:
        write_blob(w, data, row);
        return STATUS_OK;
    case DUCKDB_TYPE_DECIMAL:
        write_decimal(w, data, row, type);
        return STATUS_OK;
    case DUCKDB_TYPE_ENUM:
        write_enum(w, data, row, type);
        return STATUS_OK;
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        return write_time_point(w, data, row, id, err);
    default:
        return cannot_show("that this server does not know", err);
    }
}

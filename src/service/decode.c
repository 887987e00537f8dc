/* A request's inputs against the field list of its operation.
 *
 * Steps: 1. Content-Type and Content-Encoding; 2. path, query and header fields, unknown query
 * parameters refused; 3. the JSON body, unless the operation is RAW_BODY (then the handler calls
 * request_decode_json itself). What passes here cannot fail in the accessors of request.c. */
#include <stdlib.h>

#include "service/service_int.h"

/* --- 1. Content-Type --- */

static const struct {
    const char *type;
    enum body_kind kind;
} media_types[] = {
    {"application/json", BODY_JSON},
    {"text/json", BODY_JSON},
    {"application/x-ndjson", BODY_NDJSON},
    {"application/ndjson", BODY_NDJSON},
    {"application/jsonl", BODY_NDJSON},
    {"application/x-jsonlines", BODY_NDJSON},
    {"text/csv", BODY_CSV},
    {"application/csv", BODY_CSV},
    {"application/vnd.apache.parquet", BODY_PARQUET},
    {"application/x-parquet", BODY_PARQUET},
};

static enum body_kind kind_of(struct str type)
{
    for (size_t i = 0; i < sizeof media_types / sizeof *media_types; i++)
        if (str_eq_nocase(type, str_of(media_types[i].type)))
            return media_types[i].kind;
    return str_starts(type, STR("application/")) && str_ends(type, STR("+json")) ? BODY_JSON
                                                                                 : BODY_NONE;
}

static enum status unsupported(const struct operation *operation, struct str type,
                               struct error *err)
{
    return error_set(err, STATUS_UNSUPPORTED_MEDIA,
                     "Content-Type '%.*s' is not read by %s; it takes %s%s%s%s",
                     type.len < 100 ? (int)type.len : 100, type.data, operation->name,
                     operation->bodies & BODY_JSON ? "application/json " : "",
                     operation->bodies & BODY_NDJSON ? "application/x-ndjson " : "",
                     operation->bodies & BODY_CSV ? "text/csv " : "",
                     operation->bodies & BODY_PARQUET ? "application/vnd.apache.parquet" : "");
}

static enum status decode_kind(struct request *request)
{
    const struct operation *operation = request->operation;
    struct str header = http_request_header(request->http, "content-type"), part;
    if (operation->bodies == BODY_NONE)
        return STATUS_OK;
    request->body_kind = operation->bodies & BODY_JSON ? BODY_JSON : BODY_NONE;
    if (str_trim(header).len == 0)
        return STATUS_OK;
    struct str rest = header, type;
    str_split(&rest, ';', &type);
    type = str_trim(type);
    enum body_kind kind = kind_of(type);
    bool binary = operation->flags & OPERATION_STREAM_BODY &&
                  str_eq_nocase(type, STR("application/octet-stream"));
    if (!binary && !(kind & operation->bodies))
        return unsupported(operation, type, &request->error);
    while (str_split(&rest, ';', &part)) {
        part = str_trim(part);
        if (part.len > 8 && str_eq_nocase(str_make(part.data, 8), STR("charset=")) &&
            !str_eq_nocase(part, STR("charset=utf-8")) &&
            !str_eq_nocase(part, STR("charset=\"utf-8\"")))
            return error_set(&request->error, STATUS_UNSUPPORTED_MEDIA,
                             "the body must be UTF-8, not %.*s", part.len < 60 ? (int)part.len : 60,
                             part.data);
    }
    request->body_kind = binary ? BODY_NONE : kind;
    return STATUS_OK;
}

static enum status decode_encoding(struct request *request)
{
    struct str encoding = str_trim(http_request_header(request->http, "content-encoding"));
    if (encoding.len == 0 || str_eq_nocase(encoding, STR("identity")) ||
        request->operation->bodies == BODY_NONE)
        return STATUS_OK;
    bool known = str_eq_nocase(encoding, STR("gzip")) || str_eq_nocase(encoding, STR("zstd"));
    request->encoding = encoding;
    if (known && request->operation->flags & OPERATION_ENCODED_BODY)
        return STATUS_OK;
    return error_set(&request->error, STATUS_UNSUPPORTED_MEDIA,
                     "Content-Encoding '%.*s' is not read by %s; it takes %s",
                     encoding.len < 100 ? (int)encoding.len : 100, encoding.data,
                     request->operation->name,
                     request->operation->flags & OPERATION_ENCODED_BODY ? "gzip and zstd" : "none");
}

/* --- 2. path, query, headers --- */

static bool from_query(const struct request *request, const struct op_field *field)
{
    return field->where == IN_QUERY ||
           (field->where == IN_EITHER && request->body_kind != BODY_JSON);
}

static bool is_query(const struct op_field *field)
{
    return field->where == IN_QUERY || field->where == IN_EITHER;
}

static enum status set_text(struct request *request, int index, struct str text)
{
    const struct op_field *field = &request->operation->fields[index];
    struct field_value *value = &request->values[index];
    if (value->present)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT, "'%s' stands twice in the query",
                         field->name);
    return decode_text_value(field, text, value, &request->error);
}

static enum status decode_query(struct request *request)
{
    struct str name, text;
    const struct op_field *fields = request->operation->fields;
    for (uint32_t i = 0; http_request_query_at(request->http, i, &name, &text); i++) {
        int index = field_find(fields, name);
        if (index < 0 || !is_query(&fields[index]))
            return decode_unknown("query parameter", name, fields, is_query, NULL, &request->error);
        if (!from_query(request, &fields[index]))
            return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                             "'%s' belongs in the JSON body, not in the query", fields[index].name);
        TRY(set_text(request, index, text));
    }
    return STATUS_OK;
}

static enum status decode_others(struct request *request)
{
    const struct op_field *fields = request->operation->fields;
    for (int i = 0; fields[i].name; i++) {
        struct str text = STR_NONE;
        if (fields[i].where == IN_PATH)
            text = request_path_param(request, fields[i].name);
        else if (fields[i].where == IN_HEADER)
            text = http_request_header(request->http, fields[i].name);
        if (text.data)
            TRY(set_text(request, i, text));
    }
    return STATUS_OK;
}

static enum status fill_absent(struct request *request)
{
    const struct op_field *fields = request->operation->fields;
    for (int i = 0; fields[i].name; i++) {
        bool here = from_query(request, &fields[i]) || fields[i].where == IN_PATH ||
                    fields[i].where == IN_HEADER;
        if (request->values[i].present || !here)
            continue;
        if (fields[i].required)
            return decode_missing(&fields[i], fields[i].name, &request->error);
        request->values[i] = decode_default(&fields[i]);
    }
    return STATUS_OK;
}

/* --- 3. the JSON body --- */

static bool is_body(const struct op_field *field)
{
    return field->where == IN_BODY || field->where == IN_EITHER;
}

static enum status check_names(struct request *request, yyjson_val *root)
{
    const struct op_field *fields = request->operation->fields;
    yyjson_val *key, *value;
    size_t i, max;
    yyjson_obj_foreach(root, i, max, key, value)
    {
        int index = field_find(fields, json_str_of(key));
        if (index < 0 || !is_body(&fields[index]))
            return decode_unknown("field", json_str_of(key), fields, is_body, NULL,
                                  &request->error);
    }
    return STATUS_OK;
}

enum status request_decode_json(struct request *request, struct str text, const char *done)
{
    struct error *err = &request->error;
    if (str_trim(text).len == 0)
        return error_set(err, STATUS_INVALID_JSON, "the body is empty; a JSON object is expected");
    TRY(json_parse(text, &request->doc, err));
    yyjson_val *root = yyjson_doc_get_root(request->doc);
    if (!yyjson_is_obj(root))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the body must be a JSON object, not %s",
                         json_kind_name(root));
    TRY(check_names(request, root));
    const struct op_field *fields = request->operation->fields;
    for (int i = 0; fields[i].name; i++) {
        if (!is_body(&fields[i]))
            continue;
        yyjson_val *value = json_get(root, fields[i].name);
        if (value && !yyjson_is_null(value))
            TRY(decode_json_value(&fields[i], value, fields[i].name, &request->values[i], err));
        else if (fields[i].required && !(done && strcmp(done, fields[i].name) == 0))
            return decode_missing(&fields[i], fields[i].name, err);
        else
            request->values[i] = decode_default(&fields[i]);
    }
    request->body = root;
    return STATUS_OK;
}

/* Body fields of operations that come without a JSON body have their defaults. */
static void default_body(struct request *request)
{
    const struct op_field *fields = request->operation->fields;
    for (int i = 0; fields[i].name; i++)
        if (fields[i].where == IN_BODY)
            request->values[i] = decode_default(&fields[i]);
}

static bool is_left_out(const struct request *request)
{
    return request->operation->flags & OPERATION_OPTIONAL_BODY &&
           http_request_body(request->http).len == 0;
}

enum status decode_request(struct request *request)
{
    const struct operation *operation = request->operation;
    size_t fields = 0;
    while (operation->fields[fields].name)
        fields++;
    request->values = arena_array(request->arena, fields + 1, sizeof *request->values);
    if (!request->values)
        return error_no_memory(&request->error);
    TRY(decode_kind(request));
    TRY(decode_encoding(request));
    TRY(decode_query(request));
    TRY(decode_others(request));
    TRY(fill_absent(request));
    default_body(request);
    if (request->body_kind != BODY_JSON || operation->flags & OPERATION_RAW_BODY ||
        is_left_out(request))
        return STATUS_OK;
    return request_decode_json(request, http_request_body(request->http), NULL);
}

#include "service/openapi.h"

/* One path of the service with one method: an operation, or an alias of one (then index > 0). */
struct entry {
    const struct operation *operation;
    enum http_method method;
    const char *path;
    size_t alias; /* 0: the operation's own path */
};

static bool entry_at(enum service_kind kind, size_t *position, struct entry *ret)
{
    const struct operation *operation;
    size_t operations = 0;
    while (operation_at(operations))
        operations++;
    for (; *position < operations; (*position)++) {
        operation = operation_at(*position);
        if (operation->service == kind || operation->service == SERVICE_ALL) {
            *ret = (struct entry){operation, operation->method, operation->path, 0};
            (*position)++;
            return true;
        }
    }
    const struct operation_alias *alias;
    for (; (alias = operation_alias_at(*position - operations)); (*position)++) {
        if (alias->service == kind) {
            size_t number = *position - operations + 1;
            *ret = (struct entry){operation_find(alias->name), alias->method, alias->path, number};
            (*position)++;
            return true;
        }
    }
    return false;
}

/* --- schemas --- */

static const char *type_word(enum field_type type)
{
    switch (type) {
    case FIELD_INT:
        return "integer";
    case FIELD_NUMBER:
        return "number";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_OBJECT:
    case FIELD_STRING_MAP:
        return "object";
    case FIELD_ARRAY:
    case FIELD_STRINGS:
    case FIELD_LIST:
        return "array";
    case FIELD_STRING:
        return "string";
    case FIELD_ANY:
    case FIELD_STRING_OR_OBJECT:
        break;
    }
    return NULL;
}

static void write_ref(struct json_writer *w, const char *section, const char *name)
{
    struct buf ref;
    buf_init(&ref, 128);
    buf_printf(&ref, "#/components/%s/%s", section, name);
    json_begin_object(w);
    json_kv_str(w, "$ref", buf_str(&ref));
    json_end_object(w);
    buf_release(&ref);
}

static void write_type(struct json_writer *w, const struct op_field *field, bool nullable)
{
    const char *word = type_word(field->type);
    if (!word && field->type == FIELD_ANY)
        return;
    json_keyz(w, "type");
    if (word && !nullable) {
        json_stringz(w, word);
        return;
    }
    json_begin_array(w);
    json_stringz(w, word ? word : "string");
    if (!word)
        json_stringz(w, "object");
    if (nullable)
        json_stringz(w, "null");
    json_end_array(w);
}

static void write_choices(struct json_writer *w, const struct op_field *field, bool nullable)
{
    struct str rest = str_of(field->choices), choice;
    json_keyz(w, "enum");
    json_begin_array(w);
    while (str_split(&rest, '|', &choice))
        json_string(w, choice);
    if (nullable)
        json_null(w);
    json_end_array(w);
}

/* Keys of a field's schema into an object that was begun. */
static void write_schema(struct json_writer *w, const struct op_field *field, bool nullable)
{
    write_type(w, field, nullable);
    if (field->type == FIELD_STRINGS || field->type == FIELD_STRING_MAP) {
        json_keyz(w, field->type == FIELD_STRINGS ? "items" : "additionalProperties");
        json_begin_object(w);
        json_kv_strz(w, "type", "string");
        json_end_object(w);
    } else if (field->type == FIELD_LIST) {
        json_keyz(w, "items");
        write_ref(w, "schemas", field->shape->name);
    }
    if (field->ranged) {
        json_kv_int(w, "minimum", field->min);
        if (field->max != INT64_MAX)
            json_kv_int(w, "maximum", field->max);
    }
    if (field->choices)
        write_choices(w, field, nullable);
    if (field->fallback) {
        json_keyz(w, "default");
        json_raw(w, str_of(field->fallback));
    }
}

static bool in_body(const struct op_field *field)
{
    return field->where == IN_BODY || field->where == IN_EITHER;
}

/* An object schema of those fields that stand in a JSON object. */
static void write_object(struct json_writer *w, const struct op_field *fields, const char *help)
{
    bool required = false;
    json_begin_object(w);
    json_kv_strz(w, "type", "object");
    if (help)
        json_kv_strz(w, "description", help);
    json_keyz(w, "properties");
    json_begin_object(w);
    for (const struct op_field *field = fields; field->name; field++) {
        if (!in_body(field))
            continue;
        required = required || field->required;
        json_keyz(w, field->name);
        json_begin_object(w);
        write_schema(w, field, !field->required);
        json_kv_strz(w, "description", field->help);
        json_end_object(w);
    }
    json_end_object(w);
    if (required) {
        json_keyz(w, "required");
        json_begin_array(w);
        for (const struct op_field *field = fields; field->name; field++)
            if (in_body(field) && field->required)
                json_stringz(w, field->name);
        json_end_array(w);
    }
    json_kv_bool(w, "additionalProperties", false);
    json_end_object(w);
}

/* --- one operation --- */

static void write_parameters(struct json_writer *w, const struct operation *operation)
{
    static const char *const places[] = {
        [IN_PATH] = "path", [IN_QUERY] = "query", [IN_HEADER] = "header", [IN_EITHER] = "query"};
    bool any = false;
    for (const struct op_field *field = operation->fields; field->name; field++)
        any = any || field->where != IN_BODY;
    if (!any)
        return;
    json_keyz(w, "parameters");
    json_begin_array(w);
    for (const struct op_field *field = operation->fields; field->name; field++) {
        if (field->where == IN_BODY)
            continue;
        json_begin_object(w);
        json_kv_strz(w, "name", field->name);
        json_kv_strz(w, "in", places[field->where]);
        json_kv_bool(w, "required", field->required && field->where != IN_EITHER);
        json_kv_strz(w, "description", field->help);
        json_keyz(w, "schema");
        json_begin_object(w);
        write_schema(w, field, false);
        json_end_object(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_media(struct json_writer *w, const char *type, const char *schema_type)
{
    json_keyz(w, type);
    json_begin_object(w);
    json_keyz(w, "schema");
    json_begin_object(w);
    if (schema_type)
        json_kv_strz(w, "type", schema_type);
    json_end_object(w);
    json_end_object(w);
}

static void write_body(struct json_writer *w, const struct operation *operation)
{
    if (operation->bodies == BODY_NONE)
        return;
    json_keyz(w, "requestBody");
    json_begin_object(w);
    json_kv_bool(w, "required", true);
    json_keyz(w, "content");
    json_begin_object(w);
    if (operation->flags & OPERATION_STREAM_BODY) {
        write_media(w, "application/json", NULL);
        write_media(w, "application/octet-stream", NULL);
    } else if (operation->bodies & BODY_JSON) {
        json_keyz(w, "application/json");
        json_begin_object(w);
        json_keyz(w, "schema");
        write_object(w, operation->fields, NULL);
        json_end_object(w);
    }
    if (operation->bodies & BODY_NDJSON)
        write_media(w, "application/x-ndjson", "string");
    if (operation->bodies & BODY_CSV)
        write_media(w, "text/csv", "string");
    if (operation->bodies & BODY_PARQUET)
        write_media(w, "application/vnd.apache.parquet", NULL);
    json_end_object(w);
    json_end_object(w);
}

static void write_responses(struct json_writer *w, const struct operation *operation)
{
    json_keyz(w, "responses");
    json_begin_object(w);
    json_keyz(w, "200");
    json_begin_object(w);
    json_kv_strz(w, "description", "Done.");
    json_keyz(w, "content");
    json_begin_object(w);
    if (strcmp(operation->name, "metrics") == 0)
        write_media(w, "text/plain", "string");
    else
        write_media(w, "application/json", NULL);
    if (operation->flags & OPERATION_SSE) {
        write_media(w, "text/event-stream", "string");
        write_media(w, "application/x-ndjson", "string");
    }
    json_end_object(w);
    json_end_object(w);
    json_keyz(w, "4XX");
    write_ref(w, "responses", "Error");
    json_keyz(w, "5XX");
    write_ref(w, "responses", "Error");
    json_end_object(w);
}

static const char *method_key(enum http_method method)
{
    static const char *const keys[] = {
        [HTTP_GET] = "get",        [HTTP_HEAD] = "head",   [HTTP_POST] = "post",
        [HTTP_PUT] = "put",        [HTTP_PATCH] = "patch", [HTTP_DELETE] = "delete",
        [HTTP_OPTIONS] = "options"};
    return keys[method];
}

static void write_operation(struct json_writer *w, const struct entry *entry, bool implemented)
{
    const struct operation *operation = entry->operation;
    struct buf id;
    buf_init(&id, 128);
    if (entry->alias)
        buf_printf(&id, "%s_alias%zu", operation->name, entry->alias);
    else
        buf_printf(&id, "%s", operation->name);
    json_keyz(w, method_key(entry->method));
    json_begin_object(w);
    json_kv_str(w, "operationId", buf_str(&id));
    json_kv_strz(w, "summary", operation->summary);
    if (operation->service == SERVICE_ALL) {
        json_keyz(w, "tags");
        json_begin_array(w);
        json_stringz(w, "common");
        json_end_array(w);
    }
    json_kv_strz(w, "x-permission", permission_name(operation->permission));
    json_kv_strz(w, "x-since", operation->since);
    json_kv_strz(w, "x-status", implemented ? "available" : "planned");
    write_parameters(w, operation);
    write_body(w, operation);
    write_responses(w, operation);
    json_end_object(w);
    buf_release(&id);
}

/* --- the document --- */

static void write_components(struct json_writer *w)
{
    json_keyz(w, "components");
    json_begin_object(w);
    json_keyz(w, "schemas");
    json_begin_object(w);
    for (size_t i = 0; shape_at(i); i++) {
        json_keyz(w, shape_at(i)->name);
        write_object(w, shape_at(i)->fields, shape_at(i)->help);
    }
    json_keyz(w, "Error");
    json_raw(w, STR("{\"type\":\"object\",\"required\":[\"success\",\"error_message\",\"error\"],"
                    "\"properties\":{\"success\":{\"const\":false},"
                    "\"error_message\":{\"type\":\"string\"},"
                    "\"error\":{\"type\":\"object\","
                    "\"required\":[\"code\",\"message\",\"detail\",\"request_id\"],"
                    "\"properties\":{\"code\":{\"$ref\":\"#/components/schemas/ErrorCode\"},"
                    "\"message\":{\"type\":\"string\"},\"detail\":{\"type\":\"object\"},"
                    "\"request_id\":{\"type\":\"string\"}}}}}"));
    json_keyz(w, "ErrorCode");
    json_begin_object(w);
    json_kv_strz(w, "type", "string");
    json_keyz(w, "enum");
    json_begin_array(w);
    for (int i = STATUS_OK + 1; i < STATUS_COUNT; i++)
        json_stringz(w, status_info((enum status)i)->code);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
    json_keyz(w, "responses");
    json_raw(w, STR("{\"Error\":{\"description\":\"Refused or failed; the code says why.\","
                    "\"content\":{\"application/json\":{\"schema\":"
                    "{\"$ref\":\"#/components/schemas/Error\"}}}}}"));
    json_end_object(w);
}

static void write_info(struct json_writer *w, enum service_kind kind, const char *version)
{
    json_keyz(w, "info");
    json_begin_object(w);
    struct buf title;
    buf_init(&title, 128);
    buf_printf(&title, "Quarry %s", service_info(kind)->name);
    json_kv_str(w, "title", buf_str(&title));
    json_kv_strz(w, "version", version);
    json_kv_strz(w, "description", service_info(kind)->summary);
    json_end_object(w);
    buf_release(&title);
}

static bool seen_before(enum service_kind kind, const char *path, size_t position)
{
    struct entry entry;
    size_t i = 0;
    while (entry_at(kind, &i, &entry) && i < position)
        if (strcmp(entry.path, path) == 0)
            return true;
    return false;
}

void openapi_write(struct buf *buf, enum service_kind kind, const char *version,
                   bool (*implemented)(void *context, const struct operation *operation),
                   void *context)
{
    struct json_writer writer, *w = &writer;
    json_writer_init(w, buf);
    json_begin_object(w);
    json_kv_strz(w, "openapi", "3.1.0");
    write_info(w, kind, version);
    json_keyz(w, "paths");
    json_begin_object(w);
    struct entry entry, twin;
    for (size_t i = 0; entry_at(kind, &i, &entry);) {
        if (seen_before(kind, entry.path, i))
            continue;
        json_keyz(w, entry.path);
        json_begin_object(w);
        for (size_t j = 0; entry_at(kind, &j, &twin);)
            if (strcmp(twin.path, entry.path) == 0)
                write_operation(w, &twin, !implemented || implemented(context, twin.operation));
        json_end_object(w);
    }
    json_end_object(w);
    write_components(w);
    json_end_object(w);
}

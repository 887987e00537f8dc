/* schema.c: the columns of a source: shown, and changed by a list of changes. */
#include "services/tenant/matview.h"
#include "services/tenant/tenant_int.h"

static enum status source_of(struct request *request, struct source **ret, struct error *err)
{
    struct tenant_node *node = request->context;
    return store_get_source(node->store, request_path_param(request, "source_id"), ret, err);
}

/* --- shown --- */

static bool is_listed(const struct str *list, uint32_t len, struct str name)
{
    for (uint32_t i = 0; i < len; i++)
        if (str_eq(list[i], name))
            return true;
    return false;
}

static void write_default(struct json_writer *w, const char *key, const struct value *value)
{
    json_keyz(w, key);
    if (value)
        value_write_json(w, value);
    else
        json_null(w);
}

static void write_column(struct json_writer *w, const struct source_config *config,
                         const struct field *field, const struct field_traits *traits)
{
    json_begin_object(w);
    json_kv_int(w, "id", field->id);
    json_kv_str(w, "name", field->name);
    json_kv_strz(w, "type", type_name(field->type));
    json_kv_bool(w, "required", traits->required);
    json_kv_bool(w, "declared", traits->declared);
    json_kv_str(w, "comment", traits->comment);
    write_default(w, "initial_default", traits->initial);
    write_default(w, "default", traits->fill);
    json_kv_bool(w, "partition",
                 is_listed(config->partition_columns, config->partition_columns_len, field->name));
    json_kv_bool(w, "indexed",
                 is_listed(config->index_columns, config->index_columns_len, field->name));
    json_end_object(w);
}

static enum status answer_schema(struct request *request, struct source *source,
                                 const struct schema *schema)
{
    const struct source_config *config = source_config(source);
    struct answer answer;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_str(&answer.w, "source_id", config->source_id);
    json_kv_int(&answer.w, "schema_id", schema->id);
    json_keyz(&answer.w, "columns");
    json_begin_array(&answer.w);
    for (uint32_t i = 0; i < schema->fields_len; i++)
        write_column(&answer.w, config, &schema->fields[i], &schema->traits[i]);
    json_end_array(&answer.w);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, &request->error);
    answer_release(&answer);
    return status;
}

enum status handle_schema_get(struct request *request)
{
    struct source *source;
    TRY(source_of(request, &source, &request->error));
    struct schema *schema = source_schema(source);
    enum status status = answer_schema(request, source, schema);
    schema_unref(schema);
    source_unref(source);
    return status;
}

/* --- changed --- */

static const struct {
    const char *op;
    enum schema_change_kind kind;
    const char *needs; /* member that must be there */
} ops[] = {
    {"add", SCHEMA_ADD, "type"},
    {"drop", SCHEMA_DROP, "column"},
    {"rename", SCHEMA_RENAME, "to"},
    {"widen", SCHEMA_WIDEN, "type"},
    {"move", SCHEMA_MOVE, "column"},
    {"comment", SCHEMA_COMMENT, "column"},
    {"set_default", SCHEMA_DEFAULT, "column"},
    {"set_required", SCHEMA_REQUIRED, "required"},
};

static enum status decode_place(yyjson_val *json, size_t number, struct schema_change *change,
                                struct error *err)
{
    bool first = yyjson_get_bool(json_get(json, "first"));
    struct str before = json_str_of(json_get(json, "before"));
    struct str after = json_str_of(json_get(json, "after"));
    if (first + (before.data != NULL) + (after.data != NULL) > 1)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "changes[%zu]: first, before and after exclude each other", number);
    change->place = first         ? PLACE_FIRST
                    : before.data ? PLACE_BEFORE
                    : after.data  ? PLACE_AFTER
                                  : PLACE_LAST;
    change->other = before.data ? before : after;
    return STATUS_OK;
}

static enum status decode_change(yyjson_val *json, size_t number, struct schema_change *change,
                                 struct error *err)
{
    struct str op = json_str_of(json_get(json, "op")), type = json_str_of(json_get(json, "type"));
    size_t i = 0;
    while (i + 1 < sizeof ops / sizeof *ops && !str_is(op, ops[i].op))
        i++;
    *change = (struct schema_change){.kind = ops[i].kind,
                                     .column = json_str_of(json_get(json, "column")),
                                     .value = json_get(json, "default"),
                                     .required = yyjson_get_bool(json_get(json, "required"))};
    yyjson_val *needed = json_get(json, ops[i].needs);
    if (!needed || yyjson_is_null(needed))
        return error_set(err, STATUS_INVALID_ARGUMENT, "changes[%zu]: %s needs '%s'", number,
                         ops[i].op, ops[i].needs);
    change->to = json_str_of(json_get(json, ops[i].kind == SCHEMA_RENAME ? "to" : "comment"));
    if (type.data && !type_parse(type, &change->type))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "changes[%zu]: the type '%.*s' is unknown; known: string, int64, float64, "
                         "bool, date, datetime64[ns], json",
                         number, type.len < 60 ? (int)type.len : 60, type.data);
    return decode_place(json, number, change, err);
}

static enum status change_schema(struct request *request, struct source *source)
{
    struct error *err = &request->error;
    yyjson_val *list = request_json(request, "changes"), *item;
    size_t count = yyjson_arr_size(list), i, max;
    struct schema *schema = NULL;
    if (count == 0 || count > SCHEMA_CHANGES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "changes has 1 to %d items",
                         SCHEMA_CHANGES_MAX);
    struct schema_change *changes = arena_array(request->arena, count, sizeof *changes);
    if (!changes)
        return error_no_memory(err);
    yyjson_arr_foreach(list, i, max, item) TRY(decode_change(item, i, &changes[i], err));
    int32_t base =
        request_json(request, "schema_id") ? (int32_t)request_int(request, "schema_id") : -1;
    TRY(source_alter(source, changes, (uint32_t)count, base, &schema, err));
    enum status status = answer_schema(request, source, schema);
    schema_unref(schema);
    return status;
}

enum status handle_schema_change(struct request *request)
{
    struct source *source;
    TRY(matview_check_writable(request->context, request_path_param(request, "source_id"),
                               &request->error));
    TRY(source_of(request, &source, &request->error));
    enum status status = change_schema(request, source);
    source_unref(source);
    return status;
}

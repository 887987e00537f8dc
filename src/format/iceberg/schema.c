/* schema.c: schemas from JSON and to JSON. */
#include <stdio.h>

#include "format/iceberg/json_int.h"
#include "format/iceberg/type.h"

static enum status parse_type(yyjson_val *json, struct arena *arena, int depth,
                              struct iceberg_type *ret, struct error *err);

static enum status new_fields(struct iceberg_type *type, size_t len, struct arena *arena,
                              struct error *err)
{
    if (len > ICEBERG_FIELDS_MAX)
        return error_set(err, STATUS_CORRUPT, "a schema has more than %d fields",
                         ICEBERG_FIELDS_MAX);
    type->fields = arena_array(arena, len ? len : 1, sizeof *type->fields);
    type->fields_len = (uint32_t)len;
    return type->fields ? STATUS_OK : error_no_memory(err);
}

static enum status parse_field(yyjson_val *json, struct arena *arena, int depth,
                               struct iceberg_field *ret, struct error *err)
{
    yyjson_val *required = json_get(json, "required");
    TRY(iceberg_json_int32(json, "id", &ret->id, err));
    TRY(iceberg_json_str(json, "name", arena, &ret->name, err));
    TRY(iceberg_json_str_opt(json, "doc", arena, &ret->doc, err));
    ret->required = yyjson_get_bool(required);
    return parse_type(json_get(json, "type"), arena, depth, &ret->type, err);
}

static enum status parse_struct(yyjson_val *json, struct arena *arena, int depth,
                                struct iceberg_type *ret, struct error *err)
{
    yyjson_val *fields = json_get(json, "fields");
    if (!yyjson_is_arr(fields))
        return error_set(err, STATUS_CORRUPT, "a struct of the schema has no fields");
    ret->kind = ICEBERG_STRUCT;
    TRY(new_fields(ret, yyjson_arr_size(fields), arena, err));
    size_t i, max;
    yyjson_val *field;
    yyjson_arr_foreach(fields, i, max, field)
    {
        TRY(parse_field(field, arena, depth, &ret->fields[i], err));
    }
    return STATUS_OK;
}

/* One part of a list or map: PREFIX, PREFIX-id, PREFIX-required. */
static enum status parse_part(yyjson_val *json, const char *prefix, struct arena *arena, int depth,
                              struct iceberg_field *ret, struct error *err)
{
    char key[32];
    ret->name = str_of(prefix);
    (void)snprintf(key, sizeof key, "%s-required", prefix);
    ret->required = str_is(ret->name, "key") || yyjson_get_bool(json_get(json, key));
    (void)snprintf(key, sizeof key, "%s-id", prefix);
    TRY(iceberg_json_int32(json, key, &ret->id, err));
    return parse_type(json_get(json, prefix), arena, depth, &ret->type, err);
}

static enum status parse_type(yyjson_val *json, struct arena *arena, int depth,
                              struct iceberg_type *ret, struct error *err)
{
    if (depth >= ICEBERG_TYPE_DEPTH_MAX)
        return error_set(err, STATUS_CORRUPT, "a schema is nested too deep");
    if (yyjson_is_str(json)) {
        if (!iceberg_type_parse(json_str_of(json), arena, ret))
            return error_set(err, STATUS_CORRUPT, "'%.60s' is not a type", yyjson_get_str(json));
        return STATUS_OK;
    }
    struct str word = json_str_of(json_get(json, "type"));
    if (str_is(word, "struct"))
        return parse_struct(json, arena, depth + 1, ret, err);
    if (str_is(word, "list")) {
        ret->kind = ICEBERG_LIST;
        TRY(new_fields(ret, 1, arena, err));
        return parse_part(json, "element", arena, depth + 1, &ret->fields[0], err);
    }
    if (str_is(word, "map")) {
        ret->kind = ICEBERG_MAP;
        TRY(new_fields(ret, 2, arena, err));
        TRY(parse_part(json, "key", arena, depth + 1, &ret->fields[0], err));
        return parse_part(json, "value", arena, depth + 1, &ret->fields[1], err);
    }
    return error_set(err, STATUS_CORRUPT, "a field of the schema has no type");
}

enum status iceberg_schema_parse(yyjson_val *json, struct arena *arena, struct iceberg_schema *ret,
                                 struct error *err)
{
    struct iceberg_type type = {0};
    *ret = (struct iceberg_schema){0};
    if (!yyjson_is_obj(json))
        return error_set(err, STATUS_CORRUPT, "a schema is not an object");
    TRY(parse_struct(json, arena, 0, &type, err));
    ret->fields = type.fields;
    ret->fields_len = type.fields_len;
    if (json_get(json, "schema-id"))
        TRY(iceberg_json_int32(json, "schema-id", &ret->id, err));
    yyjson_val *ids = json_get(json, "identifier-field-ids");
    ret->identifier_ids = arena_array(arena, yyjson_arr_size(ids) + 1, sizeof(int32_t));
    if (!ret->identifier_ids)
        return error_no_memory(err);
    size_t i, max;
    yyjson_val *id;
    yyjson_arr_foreach(ids, i, max, id)
    {
        ret->identifier_ids[ret->identifier_ids_len++] = yyjson_get_int(id);
    }
    return STATUS_OK;
}

static void write_type(struct json_writer *w, const struct iceberg_type *type);

static void write_fields(struct json_writer *w, const struct iceberg_field *fields, uint32_t len)
{
    json_keyz(w, "fields");
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++) {
        json_begin_object(w);
        json_kv_int(w, "id", fields[i].id);
        json_kv_str(w, "name", fields[i].name);
        json_kv_bool(w, "required", fields[i].required);
        json_keyz(w, "type");
        write_type(w, &fields[i].type);
        if (fields[i].doc.data)
            json_kv_str(w, "doc", fields[i].doc);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_part(struct json_writer *w, const struct iceberg_field *part, const char *id_key,
                       const char *key, const char *required_key)
{
    json_kv_int(w, id_key, part->id);
    json_keyz(w, key);
    write_type(w, &part->type);
    if (required_key)
        json_kv_bool(w, required_key, part->required);
}

static void write_name(struct json_writer *w, const struct iceberg_type *type)
{
    struct buf name;
    buf_init(&name, 4096);
    iceberg_type_print(type, &name);
    json_string(w, buf_str(&name));
    if (buf_failed(&name))
        w->buf->failed = true;
    buf_release(&name);
}

static void write_type(struct json_writer *w, const struct iceberg_type *type)
{
    if (type->kind != ICEBERG_STRUCT && type->kind != ICEBERG_LIST && type->kind != ICEBERG_MAP) {
        write_name(w, type);
        return;
    }
    json_begin_object(w);
    if (type->kind == ICEBERG_STRUCT) {
        json_kv_strz(w, "type", "struct");
        write_fields(w, type->fields, type->fields_len);
    } else if (type->kind == ICEBERG_LIST) {
        json_kv_strz(w, "type", "list");
        write_part(w, &type->fields[0], "element-id", "element", "element-required");
    } else {
        json_kv_strz(w, "type", "map");
        write_part(w, &type->fields[0], "key-id", "key", NULL);
        write_part(w, &type->fields[1], "value-id", "value", "value-required");
    }
    json_end_object(w);
}

void iceberg_schema_write(struct json_writer *w, const struct iceberg_schema *schema)
{
    json_begin_object(w);
    json_kv_strz(w, "type", "struct");
    json_kv_int(w, "schema-id", schema->id);
    if (schema->identifier_ids_len) {
        json_keyz(w, "identifier-field-ids");
        json_begin_array(w);
        for (uint32_t i = 0; i < schema->identifier_ids_len; i++)
            json_int(w, schema->identifier_ids[i]);
        json_end_array(w);
    }
    write_fields(w, schema->fields, schema->fields_len);
    json_end_object(w);
}

static const struct iceberg_field *find_id(const struct iceberg_field *fields, uint32_t len,
                                           int32_t id)
{
    for (uint32_t i = 0; i < len; i++) {
        if (fields[i].id == id)
            return &fields[i];
        if (fields[i].type.kind != ICEBERG_STRUCT)
            continue;
        const struct iceberg_field *found =
            find_id(fields[i].type.fields, fields[i].type.fields_len, id);
        if (found)
            return found;
    }
    return NULL;
}

const struct iceberg_field *iceberg_field_by_id(const struct iceberg_schema *schema, int32_t id)
{
    return find_id(schema->fields, schema->fields_len, id);
}

static bool fields_equal(const struct iceberg_field *a, const struct iceberg_field *b, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        const struct iceberg_type *x = &a[i].type, *y = &b[i].type;
        if (a[i].id != b[i].id || a[i].required != b[i].required || !str_eq(a[i].name, b[i].name) ||
            !str_eq(a[i].doc, b[i].doc) || x->kind != y->kind || x->precision != y->precision ||
            x->scale != y->scale || x->length != y->length || !str_eq(x->text, y->text) ||
            x->fields_len != y->fields_len)
            return false;
        if (!fields_equal(x->fields, y->fields, x->fields_len))
            return false;
    }
    return true;
}

bool iceberg_schema_equal(const struct iceberg_schema *a, const struct iceberg_schema *b)
{
    return a->fields_len == b->fields_len && a->identifier_ids_len == b->identifier_ids_len &&
           (a->identifier_ids_len == 0 || memcmp(a->identifier_ids, b->identifier_ids,
                                                 a->identifier_ids_len * sizeof(int32_t)) == 0) &&
           fields_equal(a->fields, b->fields, a->fields_len);
}

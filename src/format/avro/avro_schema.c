/* avro_schema.c: the JSON of an Avro schema as a graph of types. Named types (record, fixed, enum)
 * are entered into a list when they open, so that their own fields may refer to them. Namespaces
 * are not resolved: a reference matches by full or by last name. */
#include "base/json.h"
#include "format/avro/avro.h"

struct named {
    struct named *next;
    struct avro_type *type;
};

struct parser {
    struct arena *arena;
    struct named *names;
    struct error *err;
};

static const char *const primitives[] = {"null",  "boolean", "int",   "long",
                                         "float", "double",  "bytes", "string"};
static const struct avro_type primitive_types[] = {
    {.kind = AVRO_NULL},  {.kind = AVRO_BOOLEAN}, {.kind = AVRO_INT},   {.kind = AVRO_LONG},
    {.kind = AVRO_FLOAT}, {.kind = AVRO_DOUBLE},  {.kind = AVRO_BYTES}, {.kind = AVRO_STRING}};

static enum status parse_type(struct parser *p, yyjson_val *json, int depth,
                              const struct avro_type **ret);

static enum status wrong(struct parser *p, const char *what)
{
    return error_set(p->err, STATUS_CORRUPT, "the Avro schema is malformed: %s", what);
}

static struct str last_name(struct str name)
{
    for (size_t i = name.len; i > 0; i--)
        if (name.data[i - 1] == '.')
            return str_make(name.data + i, name.len - i);
    return name;
}

static int primitive_of(struct str name)
{
    for (int i = 0; i < (int)(sizeof primitives / sizeof *primitives); i++)
        if (str_is(name, primitives[i]))
            return i;
    return -1;
}

static enum status find_name(struct parser *p, struct str name, const struct avro_type **ret)
{
    int primitive = primitive_of(name);
    if (primitive >= 0) {
        *ret = &primitive_types[primitive];
        return STATUS_OK;
    }
    for (const struct named *n = p->names; n; n = n->next) {
        if (str_eq(last_name(n->type->name), last_name(name))) {
            *ret = n->type;
            return STATUS_OK;
        }
    }
    return error_set(p->err, STATUS_CORRUPT, "the Avro schema names an unknown type '%.*s'",
                     (int)(name.len < 100 ? name.len : 100), name.data);
}

static enum status add_name(struct parser *p, yyjson_val *json, struct avro_type *type)
{
    yyjson_val *name = json_get(json, "name");
    struct named *entry = ARENA_NEW(p->arena, struct named);
    if (!yyjson_is_str(name))
        return wrong(p, "a named type has no name");
    type->name = arena_str(p->arena, json_str_of(name));
    if (!entry || !type->name.data)
        return error_no_memory(p->err);
    *entry = (struct named){p->names, type};
    p->names = entry;
    return STATUS_OK;
}

static enum status new_fields(struct parser *p, struct avro_type *type, size_t len)
{
    if (len > AVRO_FIELDS_MAX)
        return wrong(p, "too many fields");
    type->fields = arena_array(p->arena, len ? len : 1, sizeof *type->fields);
    if (!type->fields)
        return error_no_memory(p->err);
    type->fields_len = (uint32_t)len;
    return STATUS_OK;
}

static enum status parse_field(struct parser *p, yyjson_val *json, int depth,
                               struct avro_field *field)
{
    yyjson_val *name = json_get(json, "name");
    yyjson_val *id = json_get(json, "field-id");
    if (!yyjson_is_str(name))
        return wrong(p, "a field has no name");
    field->name = arena_str(p->arena, json_str_of(name));
    if (!field->name.data)
        return error_no_memory(p->err);
    field->id = -1;
    if (yyjson_is_uint(id) && yyjson_get_uint(id) <= INT32_MAX)
        field->id = (int32_t)yyjson_get_uint(id);
    return parse_type(p, json_get(json, "type"), depth, &field->type);
}

static enum status parse_record(struct parser *p, yyjson_val *json, int depth,
                                struct avro_type *type)
{
    yyjson_val *fields = json_get(json, "fields");
    if (!yyjson_is_arr(fields))
        return wrong(p, "a record has no fields");
    TRY(add_name(p, json, type));
    TRY(new_fields(p, type, yyjson_arr_size(fields)));
    size_t i, max;
    yyjson_val *field;
    yyjson_arr_foreach(fields, i, max, field)
    {
        TRY(parse_field(p, field, depth, &type->fields[i]));
    }
    return STATUS_OK;
}

static enum status parse_union(struct parser *p, yyjson_val *json, int depth,
                               struct avro_type *type)
{
    type->kind = AVRO_UNION;
    if (yyjson_arr_size(json) == 0)
        return wrong(p, "an empty union");
    TRY(new_fields(p, type, yyjson_arr_size(json)));
    size_t i, max;
    yyjson_val *branch;
    yyjson_arr_foreach(json, i, max, branch)
    {
        if (yyjson_is_arr(branch))
            return wrong(p, "a union in a union");
        type->fields[i].id = -1;
        TRY(parse_type(p, branch, depth, &type->fields[i].type));
    }
    return STATUS_OK;
}

static enum status parse_items(struct parser *p, yyjson_val *items, int depth,
                               struct avro_type *type)
{
    TRY(new_fields(p, type, 1));
    type->fields[0].id = -1;
    return parse_type(p, items, depth, &type->fields[0].type);
}

static enum status parse_fixed(struct parser *p, yyjson_val *json, struct avro_type *type)
{
    yyjson_val *size = json_get(json, "size");
    if (!yyjson_is_uint(size) || yyjson_get_uint(size) > AVRO_BLOCK_MAX)
        return wrong(p, "the size of a fixed type");
    type->size = (uint32_t)yyjson_get_uint(size);
    return add_name(p, json, type);
}

static enum status parse_enum(struct parser *p, yyjson_val *json, struct avro_type *type)
{
    yyjson_val *symbols = json_get(json, "symbols");
    if (!yyjson_is_arr(symbols))
        return wrong(p, "an enum has no symbols");
    type->size = (uint32_t)yyjson_arr_size(symbols);
    return add_name(p, json, type);
}

/* {"type": ...}: a complex type, or a primitive or named one with attributes. */
static enum status parse_object(struct parser *p, yyjson_val *json, int depth,
                                struct avro_type *type)
{
    yyjson_val *inner = json_get(json, "type");
    yyjson_val *logical = json_get(json, "logicalType");
    if (yyjson_is_str(logical)) {
        type->logical = arena_str(p->arena, json_str_of(logical));
        if (!type->logical.data)
            return error_no_memory(p->err);
    }
    struct str word = yyjson_is_str(inner) ? json_str_of(inner) : STR_NONE;
    if (str_is(word, "record") || str_is(word, "error")) {
        type->kind = AVRO_RECORD;
        return parse_record(p, json, depth, type);
    }
    if (str_is(word, "array")) {
        type->kind = AVRO_ARRAY;
        return parse_items(p, json_get(json, "items"), depth, type);
    }
    if (str_is(word, "map")) {
        type->kind = AVRO_MAP;
        return parse_items(p, json_get(json, "values"), depth, type);
    }
    if (str_is(word, "fixed")) {
        type->kind = AVRO_FIXED;
        return parse_fixed(p, json, type);
    }
    if (str_is(word, "enum")) {
        type->kind = AVRO_ENUM;
        return parse_enum(p, json, type);
    }
    const struct avro_type *of;
    struct str kept = type->logical;
    TRY(parse_type(p, inner, depth, &of));
    *type = *of;
    if (kept.len)
        type->logical = kept;
    return STATUS_OK;
}

static enum status parse_type(struct parser *p, yyjson_val *json, int depth,
                              const struct avro_type **ret)
{
    if (depth >= AVRO_DEPTH_MAX)
        return wrong(p, "nested too deep");
    if (yyjson_is_str(json))
        return find_name(p, json_str_of(json), ret);
    if (!yyjson_is_obj(json) && !yyjson_is_arr(json))
        return wrong(p, "a type is missing");
    struct avro_type *type = ARENA_NEW(p->arena, struct avro_type);
    if (!type)
        return error_no_memory(p->err);
    *ret = type;
    return yyjson_is_arr(json) ? parse_union(p, json, depth + 1, type)
                               : parse_object(p, json, depth + 1, type);
}

enum status avro_schema_parse(struct str json, struct arena *arena, const struct avro_type **ret,
                              struct error *err)
{
    yyjson_doc *doc;
    struct parser parser = {.arena = arena, .err = err};
    enum status status = json_parse(json, &doc, err);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        return error_set(err, STATUS_CORRUPT, "the Avro schema is not JSON");
    status = parse_type(&parser, yyjson_doc_get_root(doc), 0, ret);
    yyjson_doc_free(doc);
    return status;
}

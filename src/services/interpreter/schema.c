/* schema.c: the field `schema` of a request, {source: {column: type}}: what names are checked
 * against. */
#include <stdlib.h>

#include "services/interpreter/interpreter_int.h"

static int compare_sources(const void *a, const void *b)
{
    return str_cmp(((const struct dsl_source *)a)->name, ((const struct dsl_source *)b)->name);
}

static enum status read_source(struct request *request, struct str name, yyjson_val *columns,
                               struct dsl_source *ret, struct error *err)
{
    size_t n = yyjson_obj_size(columns), i, max;
    struct field *fields = arena_array(request->arena, n, sizeof *fields);
    yyjson_val *key, *type;
    if (!fields)
        return error_no_memory(err);
    if (!yyjson_is_obj(columns))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "schema: a source is an object of column: type");
    yyjson_obj_foreach(columns, i, max, key, type)
    {
        struct str column = json_str_of(key), text = json_str_of(type);
        fields[i] = (struct field){.name = column, .id = (int32_t)i + 1};
        if (text.data && type_parse(text, &fields[i].type))
            continue;
        error_set(err, STATUS_INVALID_ARGUMENT, "schema: '%.*s' has no type that is known",
                  column.len < 80 ? (int)column.len : 80, column.data);
        return STATUS_INVALID_ARGUMENT;
    }
    *ret = (struct dsl_source){name, fields, (uint32_t)n};
    return STATUS_OK;
}

enum status interpreter_read_schema(struct request *request, struct dsl_catalog *ret,
                                    struct error *err)
{
    yyjson_val *schema = request_json(request, "schema"), *key, *columns;
    size_t i, max, len = yyjson_obj_size(schema);
    *ret = (struct dsl_catalog){0};
    if (!schema)
        return STATUS_OK;
    struct dsl_source *sources = arena_array(request->arena, len ? len : 1, sizeof *sources);
    if (!sources)
        return error_no_memory(err);
    yyjson_obj_foreach(schema, i, max, key, columns)
    {
        TRY(read_source(request, json_str_of(key), columns, &sources[i], err));
    }
    qsort(sources, len, sizeof *sources, compare_sources);
    *ret = (struct dsl_catalog){sources, (uint32_t)len};
    return STATUS_OK;
}

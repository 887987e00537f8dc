/* spec.c: partition specs and the types of their tuples. */
#include "format/iceberg/json_int.h"
#include "format/iceberg/metadata.h"

static enum status parse_field(yyjson_val *json, struct arena *arena, int32_t *next_field_id,
                               struct iceberg_partition_field *ret, struct error *err)
{
    struct str transform;
    TRY(iceberg_json_int32(json, "source-id", &ret->source_id, err));
    TRY(iceberg_json_str(json, "name", arena, &ret->name, err));
    TRY(iceberg_json_str(json, "transform", arena, &transform, err));
    TRY(iceberg_json_int32_or(json, "field-id", *next_field_id, &ret->field_id, err));
    if (ret->field_id >= *next_field_id && ret->field_id < INT32_MAX)
        *next_field_id = ret->field_id + 1;
    if (!iceberg_transform_parse(transform, &ret->transform))
        return error_set(err, STATUS_CORRUPT, "'%.60s' is not a transform", transform.data);
    return STATUS_OK;
}

enum status iceberg_spec_parse(yyjson_val *json, int32_t spec_id, struct arena *arena,
                               int32_t *next_field_id, struct iceberg_spec *ret, struct error *err)
{
    yyjson_val *fields = yyjson_is_arr(json) ? json : json_get(json, "fields");
    if (!yyjson_is_arr(fields))
        return error_set(err, STATUS_CORRUPT, "a partition spec has no fields");
    size_t len = yyjson_arr_size(fields), i, max;
    *ret = (struct iceberg_spec){.id = spec_id, .fields_len = (uint32_t)len};
    ret->fields = arena_array(arena, len + 1, sizeof *ret->fields);
    if (!ret->fields)
        return error_no_memory(err);
    yyjson_val *field;
    yyjson_arr_foreach(fields, i, max, field)
    {
        TRY(parse_field(field, arena, next_field_id, &ret->fields[i], err));
    }
    return STATUS_OK;
}

static void write_transform(struct json_writer *w, struct iceberg_transform transform)
{
    struct buf name;
    buf_init(&name, 1 << 20);
    iceberg_transform_print(transform, &name);
    json_kv_str(w, "transform", buf_str(&name));
    if (buf_failed(&name))
        w->buf->failed = true;
    buf_release(&name);
}

void iceberg_spec_fields_write(struct json_writer *w, const struct iceberg_spec *spec)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < spec->fields_len; i++) {
        const struct iceberg_partition_field *field = &spec->fields[i];
        json_begin_object(w);
        json_kv_str(w, "name", field->name);
        write_transform(w, field->transform);
        json_kv_int(w, "source-id", field->source_id);
        json_kv_int(w, "field-id", field->field_id);
        json_end_object(w);
    }
    json_end_array(w);
}

static const struct iceberg_field *source_field(const struct iceberg_metadata *m, int32_t id)
{
    const struct iceberg_schema *current = iceberg_current_schema(m);
    const struct iceberg_field *found = current ? iceberg_field_by_id(current, id) : NULL;
    for (uint32_t i = m->schemas_len; i > 0 && !found; i--)
        found = iceberg_field_by_id(&m->schemas[i - 1], id);
    return found;
}

enum status iceberg_partition_type_of(const struct iceberg_metadata *m, int32_t spec_id,
                                      struct arena *arena, struct iceberg_partition_type *ret,
                                      struct error *err)
{
    const struct iceberg_spec *spec = iceberg_spec_find(m, spec_id);
    if (!spec)
        return error_set(err, STATUS_CORRUPT, "the table has no partition spec %d", spec_id);
    *ret = (struct iceberg_partition_type){.spec_id = spec_id, .fields_len = spec->fields_len};
    ret->fields = arena_array(arena, spec->fields_len + 1, sizeof *ret->fields);
    if (!ret->fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < spec->fields_len; i++) {
        const struct iceberg_partition_field *from = &spec->fields[i];
        const struct iceberg_field *source = source_field(m, from->source_id);
        const struct iceberg_type unknown = {.kind = ICEBERG_OTHER};
        ret->fields[i].id = from->field_id;
        ret->fields[i].name = from->name;
        ret->fields[i].type =
            iceberg_transform_result(from->transform, source ? &source->type : &unknown);
    }
    return STATUS_OK;
}

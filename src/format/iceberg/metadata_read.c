/* metadata_read.c: table metadata of format version 1 or 2 from JSON. */
#include "format/iceberg/json_int.h"
#include "format/iceberg/metadata.h"

struct reader {
    yyjson_val *root;
    struct arena *arena;
    struct iceberg_metadata *m;
    struct error *err;
};

/* An array of `count` of something; count 0 gives a valid pointer too. */
#define NEW_ARRAY(r, pointer, count)                                                               \
    do {                                                                                           \
        (pointer) = arena_array((r)->arena, (count) + 1, sizeof *(pointer));                       \
        if (!(pointer))                                                                            \
            return error_no_memory((r)->err);                                                      \
    } while (0)

static enum status read_pairs(struct reader *r, yyjson_val *object, struct iceberg_property **ret,
                              uint32_t *ret_len)
{
    size_t i, max;
    yyjson_val *key, *value;
    NEW_ARRAY(r, *ret, yyjson_obj_size(object));
    *ret_len = 0;
    if (!yyjson_is_obj(object))
        return STATUS_OK;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        if (!yyjson_is_str(value))
            continue;
        struct iceberg_property *pair = &(*ret)[(*ret_len)++];
        pair->key = arena_str(r->arena, json_str_of(key));
        pair->value = arena_str(r->arena, json_str_of(value));
        if (!pair->key.data || !pair->value.data)
            return error_no_memory(r->err);
    }
    return STATUS_OK;
}

static enum status read_schemas(struct reader *r)
{
    struct iceberg_metadata *m = r->m;
    yyjson_val *schemas = json_get(r->root, "schemas"), *schema;
    size_t i, max;
    NEW_ARRAY(r, m->schemas, yyjson_arr_size(schemas) + 1);
    yyjson_arr_foreach(schemas, i, max, schema)
    {
        TRY(iceberg_schema_parse(schema, r->arena, &m->schemas[m->schemas_len++], r->err));
    }
    if (m->schemas_len == 0)
        TRY(iceberg_schema_parse(json_get(r->root, "schema"), r->arena,
                                 &m->schemas[m->schemas_len++], r->err));
    TRY(iceberg_json_int32_or(r->root, "current-schema-id", m->schemas[0].id, &m->current_schema_id,
                              r->err));
    return iceberg_current_schema(m)
               ? STATUS_OK
               : error_set(r->err, STATUS_CORRUPT, "the table's current schema %d does not exist",
                           m->current_schema_id);
}

static enum status read_specs(struct reader *r)
{
    struct iceberg_metadata *m = r->m;
    yyjson_val *specs = json_get(r->root, "partition-specs"), *spec;
    int32_t next = ICEBERG_FIRST_PARTITION_ID;
    size_t i, max;
    NEW_ARRAY(r, m->specs, yyjson_arr_size(specs) + 1);
    yyjson_arr_foreach(specs, i, max, spec)
    {
        int32_t id;
        TRY(iceberg_json_int32(spec, "spec-id", &id, r->err));
        TRY(iceberg_spec_parse(spec, id, r->arena, &next, &m->specs[m->specs_len++], r->err));
    }
    if (m->specs_len == 0)
        TRY(iceberg_spec_parse(json_get(r->root, "partition-spec"), 0, r->arena, &next,
                               &m->specs[m->specs_len++], r->err));
    TRY(iceberg_json_int32_or(r->root, "default-spec-id", m->specs[0].id, &m->default_spec_id,
                              r->err));
    TRY(iceberg_json_int32_or(r->root, "last-partition-id", next - 1, &m->last_partition_id,
                              r->err));
    return iceberg_spec_find(m, m->default_spec_id)
               ? STATUS_OK
               : error_set(r->err, STATUS_CORRUPT, "the table's default spec %d does not exist",
                           m->default_spec_id);
}

static enum status read_order(struct reader *r, yyjson_val *json, struct iceberg_sort_order *order)
{
    yyjson_val *fields = json_get(json, "fields"), *field;
    size_t i, max;
    TRY(iceberg_json_int32(json, "order-id", &order->id, r->err));
    NEW_ARRAY(r, order->fields, yyjson_arr_size(fields));
    yyjson_arr_foreach(fields, i, max, field)
    {
        struct iceberg_sort_field *to = &order->fields[order->fields_len++];
        struct str transform;
        TRY(iceberg_json_int32(field, "source-id", &to->source_id, r->err));
        TRY(iceberg_json_str(field, "transform", r->arena, &transform, r->err));
        if (!iceberg_transform_parse(transform, &to->transform))
            return error_set(r->err, STATUS_CORRUPT, "'%.60s' is not a transform", transform.data);
        to->descending = str_is(json_str_of(json_get(field, "direction")), "desc");
        to->nulls_last = str_is(json_str_of(json_get(field, "null-order")), "nulls-last");
    }
    return STATUS_OK;
}

static enum status read_orders(struct reader *r)
{
    yyjson_val *orders = json_get(r->root, "sort-orders"), *order;
    size_t i, max;
    NEW_ARRAY(r, r->m->orders, yyjson_arr_size(orders));
    yyjson_arr_foreach(orders, i, max, order)
    {
        TRY(read_order(r, order, &r->m->orders[r->m->orders_len++]));
    }
    return iceberg_json_int32_or(r->root, "default-sort-order-id", 0, &r->m->default_order_id,
                                 r->err);
}

static enum status read_snapshot(struct reader *r, yyjson_val *json, struct iceberg_snapshot *ret)
{
    TRY(iceberg_json_int64(json, "snapshot-id", &ret->id, r->err));
    TRY(iceberg_json_int64_or(json, "parent-snapshot-id", -1, &ret->parent_id, r->err));
    TRY(iceberg_json_int64_or(json, "sequence-number", 0, &ret->sequence_number, r->err));
    TRY(iceberg_json_int64(json, "timestamp-ms", &ret->timestamp_ms, r->err));
    TRY(iceberg_json_int32_or(json, "schema-id", -1, &ret->schema_id, r->err));
    if (!json_get(json, "manifest-list"))
        return error_set(r->err, STATUS_NOT_IMPLEMENTED,
                         "snapshot %lld has no manifest list (written by a very old version)",
                         (long long)ret->id);
    TRY(iceberg_json_str(json, "manifest-list", r->arena, &ret->manifest_list, r->err));
    return read_pairs(r, json_get(json, "summary"), &ret->summary, &ret->summary_len);
}

static enum status read_snapshots(struct reader *r)
{
    struct iceberg_metadata *m = r->m;
    yyjson_val *snapshots = json_get(r->root, "snapshots"), *snapshot;
    size_t i, max;
    NEW_ARRAY(r, m->snapshots, yyjson_arr_size(snapshots));
    yyjson_arr_foreach(snapshots, i, max, snapshot)
    {
        TRY(read_snapshot(r, snapshot, &m->snapshots[m->snapshots_len++]));
    }
    TRY(iceberg_json_int64_or(r->root, "current-snapshot-id", -1, &m->current_snapshot_id, r->err));
    if (m->current_snapshot_id != -1 && !iceberg_current_snapshot(m))
        return error_set(r->err, STATUS_CORRUPT, "the table's current snapshot %lld does not exist",
                         (long long)m->current_snapshot_id);
    return STATUS_OK;
}

static enum status read_logs(struct reader *r)
{
    struct iceberg_metadata *m = r->m;
    yyjson_val *snapshots = json_get(r->root, "snapshot-log");
    yyjson_val *files = json_get(r->root, "metadata-log"), *entry;
    size_t i, max;
    NEW_ARRAY(r, m->snapshot_log, yyjson_arr_size(snapshots));
    NEW_ARRAY(r, m->metadata_log, yyjson_arr_size(files));
    yyjson_arr_foreach(snapshots, i, max, entry)
    {
        struct iceberg_log_entry *to = &m->snapshot_log[m->snapshot_log_len++];
        TRY(iceberg_json_int64(entry, "timestamp-ms", &to->timestamp_ms, r->err));
        TRY(iceberg_json_int64(entry, "snapshot-id", &to->snapshot_id, r->err));
    }
    yyjson_arr_foreach(files, i, max, entry)
    {
        struct iceberg_log_entry *to = &m->metadata_log[m->metadata_log_len++];
        TRY(iceberg_json_int64(entry, "timestamp-ms", &to->timestamp_ms, r->err));
        TRY(iceberg_json_str(entry, "metadata-file", r->arena, &to->metadata_file, r->err));
    }
    return STATUS_OK;
}

static enum status read_ref(struct reader *r, yyjson_val *name, yyjson_val *json,
                            struct iceberg_ref *ret)
{
    ret->name = arena_str(r->arena, json_str_of(name));
    if (!ret->name.data)
        return error_no_memory(r->err);
    ret->is_tag = str_is(json_str_of(json_get(json, "type")), "tag");
    TRY(iceberg_json_int64(json, "snapshot-id", &ret->snapshot_id, r->err));
    TRY(iceberg_json_int64_or(json, "max-ref-age-ms", -1, &ret->max_ref_age_ms, r->err));
    TRY(iceberg_json_int64_or(json, "max-snapshot-age-ms", -1, &ret->max_snapshot_age_ms, r->err));
    return iceberg_json_int64_or(json, "min-snapshots-to-keep", -1, &ret->min_snapshots_to_keep,
                                 r->err);
}

/* Without a main branch (older files) the current snapshot makes one. */
static enum status read_refs(struct reader *r)
{
    struct iceberg_metadata *m = r->m;
    yyjson_val *refs = json_get(r->root, "refs"), *name, *ref;
    size_t i, max;
    bool has_main = false;
    NEW_ARRAY(r, m->refs, yyjson_obj_size(refs) + 1);
    if (yyjson_is_obj(refs)) {
        yyjson_obj_foreach(refs, i, max, name, ref)
        {
            has_main |= str_is(json_str_of(name), "main");
            TRY(read_ref(r, name, ref, &m->refs[m->refs_len++]));
        }
    }
    if (!has_main && m->current_snapshot_id >= 0)
        m->refs[m->refs_len++] = (struct iceberg_ref){.name = STR("main"),
                                                      .snapshot_id = m->current_snapshot_id,
                                                      .max_ref_age_ms = -1,
                                                      .max_snapshot_age_ms = -1,
                                                      .min_snapshots_to_keep = -1};
    return STATUS_OK;
}

static enum status read_head(struct reader *r)
{
    struct iceberg_metadata *m = r->m;
    TRY(iceberg_json_int32(r->root, "format-version", &m->format_version, r->err));
    if (m->format_version != 1 && m->format_version != 2)
        return error_set(r->err, STATUS_NOT_IMPLEMENTED,
                         "Iceberg format version %d is not supported (1 and 2 are)",
                         m->format_version);
    TRY(iceberg_json_str(r->root, "location", r->arena, &m->location, r->err));
    while (m->location.len && m->location.data[m->location.len - 1] == '/')
        m->location.len--;
    TRY(iceberg_json_str_opt(r->root, "table-uuid", r->arena, &m->table_uuid, r->err));
    TRY(iceberg_json_int64_or(r->root, "last-sequence-number", 0, &m->last_sequence_number,
                              r->err));
    TRY(iceberg_json_int64(r->root, "last-updated-ms", &m->last_updated_ms, r->err));
    TRY(iceberg_json_int32(r->root, "last-column-id", &m->last_column_id, r->err));
    return read_pairs(r, json_get(r->root, "properties"), &m->properties, &m->properties_len);
}

static enum status read_all(struct reader *r)
{
    TRY(read_head(r));
    TRY(read_schemas(r));
    TRY(read_specs(r));
    TRY(read_orders(r));
    TRY(read_snapshots(r));
    TRY(read_logs(r));
    return read_refs(r);
}

enum status iceberg_metadata_parse(struct str json, struct arena *arena,
                                   struct iceberg_metadata *ret, struct error *err)
{
    yyjson_doc *doc;
    *ret = (struct iceberg_metadata){0};
    if (json.len > ICEBERG_JSON_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "table metadata of %zu bytes", json.len);
    enum status status = json_parse(json, &doc, err);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        return error_set(err, STATUS_CORRUPT, "table metadata is not JSON");
    struct reader reader = {yyjson_doc_get_root(doc), arena, ret, err};
    status = read_all(&reader);
    yyjson_doc_free(doc);
    return status;
}

const struct iceberg_schema *iceberg_schema_find(const struct iceberg_metadata *m, int32_t id)
{
    for (uint32_t i = 0; i < m->schemas_len; i++)
        if (m->schemas[i].id == id)
            return &m->schemas[i];
    return NULL;
}

const struct iceberg_schema *iceberg_current_schema(const struct iceberg_metadata *m)
{
    return iceberg_schema_find(m, m->current_schema_id);
}

const struct iceberg_spec *iceberg_spec_find(const struct iceberg_metadata *m, int32_t id)
{
    for (uint32_t i = 0; i < m->specs_len; i++)
        if (m->specs[i].id == id)
            return &m->specs[i];
    return NULL;
}

const struct iceberg_snapshot *iceberg_snapshot_find(const struct iceberg_metadata *m, int64_t id)
{
    for (uint32_t i = m->snapshots_len; i > 0; i--)
        if (m->snapshots[i - 1].id == id)
            return &m->snapshots[i - 1];
    return NULL;
}

const struct iceberg_snapshot *iceberg_current_snapshot(const struct iceberg_metadata *m)
{
    return m->current_snapshot_id < 0 ? NULL : iceberg_snapshot_find(m, m->current_snapshot_id);
}

const struct iceberg_snapshot *iceberg_snapshot_as_of(const struct iceberg_metadata *m,
                                                      int64_t timestamp_ms)
{
    const struct iceberg_snapshot *found = NULL;
    for (uint32_t i = 0; i < m->snapshot_log_len; i++)
        if (m->snapshot_log[i].timestamp_ms <= timestamp_ms)
            found = iceberg_snapshot_find(m, m->snapshot_log[i].snapshot_id);
    return found;
}

struct str iceberg_property_find(const struct iceberg_property *properties, uint32_t len,
                                 const char *key)
{
    for (uint32_t i = 0; i < len; i++)
        if (str_is(properties[i].key, key))
            return properties[i].value;
    return STR_NONE;
}

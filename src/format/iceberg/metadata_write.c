/* metadata_write.c: struct iceberg_metadata as JSON of format version 2. */
#include "format/iceberg/metadata.h"

static void write_pairs(struct json_writer *w, const struct iceberg_property *pairs, uint32_t len)
{
    json_begin_object(w);
    for (uint32_t i = 0; i < len; i++) {
        json_key(w, pairs[i].key);
        json_string(w, pairs[i].value);
    }
    json_end_object(w);
}

static void write_schemas(struct json_writer *w, const struct iceberg_metadata *m)
{
    json_kv_int(w, "current-schema-id", m->current_schema_id);
    json_keyz(w, "schemas");
    json_begin_array(w);
    for (uint32_t i = 0; i < m->schemas_len; i++)
        iceberg_schema_write(w, &m->schemas[i]);
    json_end_array(w);
}

static void write_specs(struct json_writer *w, const struct iceberg_metadata *m)
{
    json_kv_int(w, "default-spec-id", m->default_spec_id);
    json_keyz(w, "partition-specs");
    json_begin_array(w);
    for (uint32_t i = 0; i < m->specs_len; i++) {
        json_begin_object(w);
        json_kv_int(w, "spec-id", m->specs[i].id);
        json_keyz(w, "fields");
        iceberg_spec_fields_write(w, &m->specs[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_kv_int(w, "last-partition-id", m->last_partition_id);
}

static void write_order(struct json_writer *w, const struct iceberg_sort_order *order)
{
    json_begin_object(w);
    json_kv_int(w, "order-id", order->id);
    json_keyz(w, "fields");
    json_begin_array(w);
    for (uint32_t i = 0; i < order->fields_len; i++) {
        const struct iceberg_sort_field *field = &order->fields[i];
        struct buf name;
        buf_init(&name, 1 << 20);
        iceberg_transform_print(field->transform, &name);
        json_begin_object(w);
        json_kv_str(w, "transform", buf_str(&name));
        json_kv_int(w, "source-id", field->source_id);
        json_kv_strz(w, "direction", field->descending ? "desc" : "asc");
        json_kv_strz(w, "null-order", field->nulls_last ? "nulls-last" : "nulls-first");
        json_end_object(w);
        buf_release(&name);
    }
    json_end_array(w);
    json_end_object(w);
}

static void write_orders(struct json_writer *w, const struct iceberg_metadata *m)
{
    json_kv_int(w, "default-sort-order-id", m->default_order_id);
    json_keyz(w, "sort-orders");
    json_begin_array(w);
    if (m->orders_len == 0) /* version 1: the unsorted order must be there */
        write_order(w, &(struct iceberg_sort_order){0});
    for (uint32_t i = 0; i < m->orders_len; i++)
        write_order(w, &m->orders[i]);
    json_end_array(w);
}

static void write_snapshot(struct json_writer *w, const struct iceberg_snapshot *snapshot)
{
    json_begin_object(w);
    json_kv_int(w, "sequence-number", snapshot->sequence_number);
    json_kv_int(w, "snapshot-id", snapshot->id);
    if (snapshot->parent_id >= 0)
        json_kv_int(w, "parent-snapshot-id", snapshot->parent_id);
    json_kv_int(w, "timestamp-ms", snapshot->timestamp_ms);
    json_keyz(w, "summary");
    write_pairs(w, snapshot->summary, snapshot->summary_len);
    json_kv_str(w, "manifest-list", snapshot->manifest_list);
    if (snapshot->schema_id >= 0)
        json_kv_int(w, "schema-id", snapshot->schema_id);
    json_end_object(w);
}

static void write_age(struct json_writer *w, const char *key, int64_t value)
{
    if (value >= 0)
        json_kv_int(w, key, value);
}

static void write_refs(struct json_writer *w, const struct iceberg_metadata *m)
{
    json_keyz(w, "refs");
    json_begin_object(w);
    for (uint32_t i = 0; i < m->refs_len; i++) {
        const struct iceberg_ref *ref = &m->refs[i];
        json_key(w, ref->name);
        json_begin_object(w);
        json_kv_int(w, "snapshot-id", ref->snapshot_id);
        json_kv_strz(w, "type", ref->is_tag ? "tag" : "branch");
        write_age(w, "max-ref-age-ms", ref->max_ref_age_ms);
        if (!ref->is_tag) {
            write_age(w, "max-snapshot-age-ms", ref->max_snapshot_age_ms);
            write_age(w, "min-snapshots-to-keep", ref->min_snapshots_to_keep);
        }
        json_end_object(w);
    }
    json_end_object(w);
}

static void write_snapshots(struct json_writer *w, const struct iceberg_metadata *m)
{
    json_kv_int(w, "current-snapshot-id", m->current_snapshot_id);
    write_refs(w, m);
    json_keyz(w, "snapshots");
    json_begin_array(w);
    for (uint32_t i = 0; i < m->snapshots_len; i++)
        write_snapshot(w, &m->snapshots[i]);
    json_end_array(w);
}

static void write_logs(struct json_writer *w, const struct iceberg_metadata *m)
{
    json_keyz(w, "snapshot-log");
    json_begin_array(w);
    for (uint32_t i = 0; i < m->snapshot_log_len; i++) {
        json_begin_object(w);
        json_kv_int(w, "timestamp-ms", m->snapshot_log[i].timestamp_ms);
        json_kv_int(w, "snapshot-id", m->snapshot_log[i].snapshot_id);
        json_end_object(w);
    }
    json_end_array(w);
    json_keyz(w, "metadata-log");
    json_begin_array(w);
    for (uint32_t i = 0; i < m->metadata_log_len; i++) {
        json_begin_object(w);
        json_kv_int(w, "timestamp-ms", m->metadata_log[i].timestamp_ms);
        json_kv_str(w, "metadata-file", m->metadata_log[i].metadata_file);
        json_end_object(w);
    }
    json_end_array(w);
}

enum status iceberg_metadata_write(const struct iceberg_metadata *m, struct buf *out,
                                   struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_int(&w, "format-version", 2);
    json_kv_str(&w, "table-uuid", m->table_uuid);
    json_kv_str(&w, "location", m->location);
    json_kv_int(&w, "last-sequence-number", m->last_sequence_number);
    json_kv_int(&w, "last-updated-ms", m->last_updated_ms);
    json_kv_int(&w, "last-column-id", m->last_column_id);
    write_schemas(&w, m);
    write_specs(&w, m);
    write_orders(&w, m);
    json_keyz(&w, "properties");
    write_pairs(&w, m->properties, m->properties_len);
    write_snapshots(&w, m);
    write_logs(&w, m);
    json_end_object(&w);
    return buf_check(out, "Iceberg table metadata", err);
}

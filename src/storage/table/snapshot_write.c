/* snapshot_write.c: a snapshot to disk (form in docs/formats.md), and the commit. */
#include <inttypes.h>
#include <stdio.h>

#include "storage/table/snapshot.h"

void snapshot_name(uint64_t id, char out[64])
{
    snprintf(out, 64, "%08" PRIu64 ".snapshot.json", id);
}

static void write_value(struct json_writer *w, const struct value *value)
{
    switch (value->type) {
    case TYPE_BOOL:
        json_bool(w, value->boolean);
        break;
    case TYPE_DOUBLE:
        json_double(w, value->real);
        break;
    case TYPE_STRING:
    case TYPE_JSON:
        json_string(w, value->bytes);
        break;
    default:
        json_int(w, value->int64);
    }
}

/* [field id, type, nulls] or [field id, type, nulls, min, max] */
static void write_column(struct json_writer *w, const struct segment_column *column)
{
    json_begin_array(w);
    json_int(w, column->field_id);
    json_stringz(w, type_name(column->type));
    json_uint(w, column->nulls);
    if (column->has_bounds) {
        write_value(w, &column->min);
        write_value(w, &column->max);
    }
    json_end_array(w);
}

static void write_deletion(struct json_writer *w, const struct deletion_file *file)
{
    json_keyz(w, "deletes");
    json_begin_object(w);
    json_kv_int(w, "id", (int64_t)file->id);
    json_kv_str(w, "path", file->path);
    json_kv_int(w, "rows", (int64_t)file->rows);
    json_kv_int(w, "bytes", (int64_t)file->bytes);
    json_end_object(w);
}

static void write_segment(struct json_writer *w, const struct segment_meta *meta,
                          const struct deletion *deletion)
{
    json_begin_object(w);
    json_kv_int(w, "id", (int64_t)meta->id);
    json_kv_str(w, "path", meta->path);
    json_kv_int(w, "rows", (int64_t)meta->rows);
    json_kv_int(w, "bytes", (int64_t)meta->bytes);
    json_kv_int(w, "schema_id", meta->schema_id);
    json_keyz(w, "partition");
    json_begin_array(w);
    for (uint32_t i = 0; i < meta->partition_len; i++)
        json_string(w, meta->partition[i]);
    json_end_array(w);
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; i < meta->columns_len; i++)
        write_column(w, &meta->columns[i]);
    json_end_array(w);
    json_keyz(w, "indexes");
    json_begin_array(w);
    for (uint32_t i = 0; i < meta->indexes_len; i++) {
        json_begin_array(w);
        json_int(w, meta->indexes[i].field_id);
        json_uint(w, meta->indexes[i].entries);
        json_uint(w, meta->indexes[i].bytes);
        json_end_array(w);
    }
    json_end_array(w);
    if (deletion)
        write_deletion(w, deletion_file(deletion));
    json_end_object(w);
}

static void write_schema(struct json_writer *w, const struct schema *schema)
{
    json_begin_object(w);
    json_kv_int(w, "id", schema->id);
    json_kv_int(w, "last_field_id", schema->last_field_id);
    json_keyz(w, "fields");
    json_begin_array(w);
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        json_begin_object(w);
        json_kv_int(w, "id", schema->fields[i].id);
        json_kv_str(w, "name", schema->fields[i].name);
        json_kv_strz(w, "type", type_name(schema->fields[i].type));
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

const char *snapshot_operation_name(enum snapshot_operation operation)
{
    static const char *const names[] = {"append", "replace", "rollback", "delete", "overwrite"};
    return names[operation];
}

static void write_snapshot(struct json_writer *w, const struct source_config *config,
                           const struct snapshot *snapshot)
{
    json_begin_object(w);
    json_kv_strz(w, "format", "quarry-snapshot");
    json_kv_int(w, "version", 1);
    json_kv_str(w, "source_id", config->source_id);
    json_kv_int(w, "snapshot_id", (int64_t)snapshot->id);
    json_kv_int(w, "time_us", snapshot->time_us);
    json_kv_int(w, "parent_id", (int64_t)snapshot->parent);
    json_kv_strz(w, "operation", snapshot_operation_name(snapshot->operation));
    json_kv_int(w, "added_files", (int64_t)snapshot->added);
    json_kv_int(w, "removed_files", (int64_t)snapshot->removed);
    json_kv_int(w, "lsn", (int64_t)snapshot->lsn);
    json_kv_int(w, "next_segment_id", (int64_t)snapshot->next_segment_id);
    json_keyz(w, "schema");
    write_schema(w, snapshot->schema);
    json_keyz(w, "write_ids");
    json_begin_array(w);
    for (uint32_t i = 0; i < snapshot->id_files_len; i++) {
        json_begin_object(w);
        json_kv_str(w, "file", snapshot->id_files[i].name);
        json_kv_int(w, "entries", (int64_t)snapshot->id_files[i].entries);
        json_kv_int(w, "until_us", snapshot->id_files[i].until_us);
        json_end_object(w);
    }
    json_end_array(w);
    json_keyz(w, "segments");
    json_begin_array(w);
    for (uint32_t i = 0; i < snapshot->segments_len; i++)
        write_segment(w, segment_meta(snapshot->segments[i]),
                      snapshot->deletions ? snapshot->deletions[i] : NULL);
    json_end_array(w);
    json_end_object(w);
}

static void write_refs(struct json_writer *w, const char *name, const struct snapshot_refs *refs)
{
    json_begin_object(w);
    json_kv_strz(w, "snapshot", name);
    json_keyz(w, "history");
    json_begin_array(w);
    for (uint32_t i = 0; i < refs->ids_len; i++)
        json_uint(w, refs->ids[i]);
    json_end_array(w);
    json_keyz(w, "tags");
    json_begin_array(w);
    for (uint32_t i = 0; i < refs->tags_len; i++) {
        json_begin_object(w);
        json_kv_strz(w, "name", refs->tags[i].name);
        json_kv_int(w, "snapshot_id", (int64_t)refs->tags[i].id);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

enum status snapshot_point(struct sys *sys, const char *dir, uint64_t id,
                           const struct snapshot_refs *refs, struct error *err)
{
    char path[SYS_PATH_MAX], name[64];
    struct buf buf;
    struct json_writer writer;
    snapshot_name(id, name);
    TRY(sys_path(path, err, "%s/metadata/CURRENT", dir));
    buf_init(&buf, 1 << 20);
    json_writer_init(&writer, &buf);
    write_refs(&writer, name, refs);
    enum status status = buf_check(&buf, "CURRENT", err);
    if (status == STATUS_OK)
        status = sealed_write(sys, path, buf_str(&buf), err);
    buf_release(&buf);
    return status;
}

enum status snapshot_commit(struct sys *sys, const char *dir, const struct source_config *config,
                            struct snapshot *snapshot, const struct snapshot_refs *refs,
                            bool *ret_maybe, struct error *err)
{
    char path[SYS_PATH_MAX], name[64];
    struct buf buf;
    struct json_writer writer;
    *ret_maybe = false;
    snapshot_name(snapshot->id, name);
    TRY(sys_path(path, err, "%s/metadata/%s", dir, name));
    buf_init(&buf, SNAPSHOT_BYTES_MAX);
    json_writer_init(&writer, &buf);
    write_snapshot(&writer, config, snapshot);
    enum status status = buf_check(&buf, "a snapshot", err);
    if (status == STATUS_OK)
        status = sealed_write(sys, path, buf_str(&buf), err);
    snapshot->stored_bytes = buf_str(&buf).len;
    buf_release(&buf);
    if (status != STATUS_OK)
        return status;
    *ret_maybe = true;
    return snapshot_point(sys, dir, snapshot->id, refs, err);
}

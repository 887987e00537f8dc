/* manifest_write.c: manifest entries into an Avro file, and their summary for the list. */
#include <math.h>

#include "format/iceberg/manifest_int.h"

struct writer {
    const struct iceberg_manifest_head *head;
    struct buf *out; /* of the record */
    struct error *err;
};

void iceberg_sync_marker(struct str schema, int64_t salt, unsigned char out[AVRO_SYNC_LEN])
{
    struct uuid uuid = iceberg_content_uuid(schema);
    for (int i = 0; i < AVRO_SYNC_LEN; i++)
        out[i] = uuid.bytes[i] ^ (unsigned char)((uint64_t)salt >> 8 * (i % 8));
}

static void put_optional_long(struct buf *out, int64_t value)
{
    avro_put_present(out, value >= 0);
    if (value >= 0)
        avro_put_long(out, value);
}

static void put_optional_bytes(struct buf *out, struct str bytes)
{
    avro_put_present(out, bytes.data != NULL);
    if (bytes.data)
        avro_put_bytes(out, bytes);
}

/* One of the maps from column to number; absent when no column has it. */
static void put_counts(struct buf *out, const struct iceberg_data_file *file, size_t member)
{
    uint64_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < file->columns_len; i++) {
            int64_t value;
            memcpy(&value, (const char *)&file->columns[i] + member, sizeof value);
            if (value < 0)
                continue;
            count += pass == 0;
            if (pass == 1) {
                avro_put_long(out, file->columns[i].field_id);
                avro_put_long(out, value);
            }
        }
        if (pass == 0) {
            avro_put_present(out, count > 0);
            avro_put_block(out, count);
        }
    }
    if (count)
        avro_put_end(out);
}

static void put_bounds(struct buf *out, const struct iceberg_data_file *file, bool upper)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < file->columns_len; i++)
        count += (upper ? file->columns[i].upper : file->columns[i].lower).data != NULL;
    avro_put_present(out, count > 0);
    if (count == 0)
        return;
    avro_put_block(out, count);
    for (uint32_t i = 0; i < file->columns_len; i++) {
        struct str bound = upper ? file->columns[i].upper : file->columns[i].lower;
        if (!bound.data)
            continue;
        avro_put_long(out, file->columns[i].field_id);
        avro_put_bytes(out, bound);
    }
    avro_put_end(out);
}

static enum status put_partition_value(struct writer *w, const struct iceberg_field *field,
                                       const struct value *value)
{
    enum type carrier;
    bool null = value->is_null;
    avro_put_present(w->out, !null);
    if (null)
        return STATUS_OK;
    uint32_t fixed = iceberg_fixed_size(&field->type);
    bool fits = iceberg_carrier(field->type.kind, &carrier) &&
                (carrier == value->type || (carrier == TYPE_STRING && value->type == TYPE_JSON));
    if (fits && fixed)
        fits = value->bytes.len == fixed;
    if (!fits)
        return error_set(w->err, STATUS_INVALID_ARGUMENT,
                         "a value of partition field '%.*s' does not fit its type",
                         (int)(field->name.len < 100 ? field->name.len : 100), field->name.data);
    if (carrier == TYPE_STRING && fixed)
        avro_put_fixed(w->out, value->bytes);
    else if (carrier == TYPE_STRING)
        avro_put_bytes(w->out, value->bytes);
    else if (carrier == TYPE_BOOL)
        avro_put_bool(w->out, value->boolean);
    else if (field->type.kind == ICEBERG_FLOAT)
        avro_put_float(w->out, (float)value->real);
    else if (carrier == TYPE_DOUBLE)
        avro_put_double(w->out, value->real);
    else
        avro_put_long(w->out, value->int64);
    return STATUS_OK;
}

static enum status put_partition(struct writer *w, const struct iceberg_data_file *file)
{
    const struct iceberg_partition_type *type = w->head->partition;
    if (file->partition_len != type->fields_len)
        return error_set(w->err, STATUS_INVALID_ARGUMENT,
                         "a file has %u partition values where the spec has %u fields",
                         file->partition_len, type->fields_len);
    for (uint32_t i = 0; i < type->fields_len; i++)
        TRY(put_partition_value(w, &type->fields[i], &file->partition[i]));
    return STATUS_OK;
}

static void put_lists(struct buf *out, const struct iceberg_data_file *file)
{
    avro_put_present(out, file->split_offsets_len > 0);
    if (file->split_offsets_len) {
        avro_put_block(out, file->split_offsets_len);
        for (uint32_t i = 0; i < file->split_offsets_len; i++)
            avro_put_long(out, file->split_offsets[i]);
        avro_put_end(out);
    }
    avro_put_present(out, file->equality_ids_len > 0);
    if (file->equality_ids_len) {
        avro_put_block(out, file->equality_ids_len);
        for (uint32_t i = 0; i < file->equality_ids_len; i++)
            avro_put_long(out, file->equality_ids[i]);
        avro_put_end(out);
    }
}

static enum status put_data_file(struct writer *w, const struct iceberg_data_file *file)
{
    if ((file->content != ICEBERG_DATA) != w->head->is_deletes)
        return error_set(w->err, STATUS_INVALID_ARGUMENT, "data and delete files in one manifest");
    avro_put_long(w->out, file->content);
    avro_put_bytes(w->out, file->path);
    avro_put_bytes(w->out, file->format);
    TRY(put_partition(w, file));
    avro_put_long(w->out, file->records);
    avro_put_long(w->out, file->bytes);
    put_counts(w->out, file, offsetof(struct iceberg_column_stats, size));
    put_counts(w->out, file, offsetof(struct iceberg_column_stats, values));
    put_counts(w->out, file, offsetof(struct iceberg_column_stats, nulls));
    put_counts(w->out, file, offsetof(struct iceberg_column_stats, nans));
    put_bounds(w->out, file, false);
    put_bounds(w->out, file, true);
    put_optional_bytes(w->out, file->key_metadata);
    put_lists(w->out, file);
    put_optional_long(w->out, file->sort_order_id);
    put_optional_bytes(w->out, file->referenced_data_file);
    return STATUS_OK;
}

static enum status put_entry(struct writer *w, const struct iceberg_entry *entry)
{
    avro_put_long(w->out, entry->status);
    put_optional_long(w->out, entry->snapshot_id);
    put_optional_long(w->out, entry->sequence_number);
    put_optional_long(w->out, entry->file_sequence_number);
    return put_data_file(w, &entry->file);
}

/* --- the summary for the list --- */

static void count_entry(struct iceberg_manifest *m, const struct iceberg_entry *entry,
                        int64_t sequence_number)
{
    int64_t records = entry->file.records;
    if (entry->status == ICEBERG_ADDED) {
        m->added_files++;
        m->added_rows += records;
    } else if (entry->status == ICEBERG_EXISTING) {
        m->existing_files++;
        m->existing_rows += records;
    } else {
        m->deleted_files++;
        m->deleted_rows += records;
        return;
    }
    int64_t own = entry->sequence_number >= 0 ? entry->sequence_number : sequence_number;
    if (own < m->min_sequence_number)
        m->min_sequence_number = own;
}

static enum status bound_of(enum iceberg_kind kind, const struct value *value, struct arena *arena,
                            struct str *ret, struct error *err)
{
    struct buf bytes;
    buf_init(&bytes, ICEBERG_AVRO_MAX);
    enum status status = iceberg_bound_write(kind, value, &bytes, err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&bytes));
        if (!ret->data)
            status = error_no_memory(err);
    }
    buf_release(&bytes);
    return status;
}

static enum status summarise_field(const struct iceberg_field *field,
                                   const struct iceberg_entry *entries, uint32_t len,
                                   uint32_t index, struct arena *arena,
                                   struct iceberg_partition_summary *ret, struct error *err)
{
    const struct value *min = NULL, *max = NULL;
    bool is_real = field->type.kind == ICEBERG_DOUBLE || field->type.kind == ICEBERG_FLOAT;
    ret->contains_nan = is_real ? 0 : -1;
    for (uint32_t i = 0; i < len; i++) {
        const struct value *value = &entries[i].file.partition[index];
        ret->contains_null |= value->is_null;
        if (value->is_null)
            continue;
        if (is_real && isnan(value->real)) {
            ret->contains_nan = 1;
            continue;
        }
        if (!min || value_compare(value, min) < 0)
            min = value;
        if (!max || value_compare(value, max) > 0)
            max = value;
    }
    /* decimals do not compare as bytes: no bounds */
    if (!min || field->type.kind == ICEBERG_DECIMAL)
        return STATUS_OK;
    TRY(bound_of(field->type.kind, min, arena, &ret->lower, err));
    return bound_of(field->type.kind, max, arena, &ret->upper, err);
}

static enum status summarise(const struct iceberg_manifest_head *head,
                             const struct iceberg_entry *entries, uint32_t len, struct arena *arena,
                             struct iceberg_manifest *ret, struct error *err)
{
    const struct iceberg_partition_type *type = head->partition;
    ret->partitions_len = type->fields_len;
    ret->partitions = arena_array(arena, type->fields_len + 1, sizeof *ret->partitions);
    if (!ret->partitions)
        return error_no_memory(err);
    for (uint32_t i = 0; i < type->fields_len; i++)
        TRY(summarise_field(&type->fields[i], entries, len, i, arena, &ret->partitions[i], err));
    return STATUS_OK;
}

/* --- the file --- */

static enum status write_records(struct avro_writer *avro, struct writer *w,
                                 const struct iceberg_entry *entries, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        w->out = avro_writer_record(avro);
        TRY(put_entry(w, &entries[i]));
        TRY(avro_writer_end_record(avro, w->err));
    }
    return avro_writer_finish(avro, w->err);
}

static enum status write_file(struct writer *w, const struct iceberg_entry *entries, uint32_t len,
                              int64_t snapshot_id, struct buf texts[3], struct buf *out)
{
    struct avro_writer avro;
    struct json_writer json;
    char schema_id[16], spec_id[16];
    unsigned char sync[AVRO_SYNC_LEN];
    iceberg_manifest_schema(w->head->partition, &texts[0]);
    json_writer_init(&json, &texts[1]);
    iceberg_schema_write(&json, w->head->schema);
    json_writer_init(&json, &texts[2]);
    iceberg_spec_fields_write(&json, w->head->spec);
    for (int i = 0; i < 3; i++)
        TRY(buf_check(&texts[i], "manifest schema", w->err));
    (void)snprintf(schema_id, sizeof schema_id, "%d", w->head->schema->id);
    (void)snprintf(spec_id, sizeof spec_id, "%d", w->head->spec->id);
    const struct avro_pair meta[] = {
        {STR("schema"), buf_str(&texts[1])},
        {STR("schema-id"), str_of(schema_id)},
        {STR("partition-spec"), buf_str(&texts[2])},
        {STR("partition-spec-id"), str_of(spec_id)},
        {STR("format-version"), STR("2")},
        {STR("content"), w->head->is_deletes ? STR("deletes") : STR("data")},
    };
    iceberg_sync_marker(buf_str(&texts[0]), snapshot_id, sync);
    enum status status = avro_writer_init(&avro, out, buf_str(&texts[0]), meta,
                                          sizeof meta / sizeof *meta, AVRO_DEFLATE, sync, w->err);
    if (status == STATUS_OK)
        status = write_records(&avro, w, entries, len);
    avro_writer_release(&avro);
    return status;
}

enum status iceberg_manifest_write(const struct iceberg_manifest_head *head,
                                   const struct iceberg_entry *entries, uint32_t len,
                                   int64_t snapshot_id, int64_t sequence_number,
                                   struct arena *arena, struct buf *out,
                                   struct iceberg_manifest *ret, struct error *err)
{
    struct writer writer = {.head = head, .err = err};
    struct buf texts[3];
    size_t start = out->len;
    for (uint32_t i = 0; i < head->partition->fields_len; i++)
        if (head->partition->fields[i].type.kind >= ICEBERG_STRUCT)
            return error_set(err, STATUS_NOT_IMPLEMENTED,
                             "a manifest with a partition transform that is not known");
    for (int i = 0; i < 3; i++)
        buf_init(&texts[i], ICEBERG_AVRO_MAX);
    enum status status = write_file(&writer, entries, len, snapshot_id, texts, out);
    for (int i = 0; i < 3; i++)
        buf_release(&texts[i]);
    TRY(status);
    *ret = (struct iceberg_manifest){.bytes = (int64_t)(out->len - start),
                                     .spec_id = head->spec->id,
                                     .is_deletes = head->is_deletes,
                                     .sequence_number = sequence_number,
                                     .min_sequence_number = sequence_number,
                                     .added_snapshot_id = snapshot_id};
    for (uint32_t i = 0; i < len; i++)
        count_entry(ret, &entries[i], sequence_number);
    return summarise(head, entries, len, arena, ret, err);
}

/* manifest_schema.c: the Avro schemas of manifests, with field ids, as JSON. Optional fields are
 * unions with null and default null; maps with integer keys are arrays of key/value records with
 * logicalType "map". */
#include "format/iceberg/manifest_int.h"

static void field_begin(struct json_writer *w, const char *name, int id)
{
    json_begin_object(w);
    json_kv_strz(w, "name", name);
    json_kv_int(w, "field-id", id);
    json_keyz(w, "type");
}

static void required(struct json_writer *w, const char *name, int id, const char *type)
{
    field_begin(w, name, id);
    json_stringz(w, type);
    json_end_object(w);
}

static void optional_begin(struct json_writer *w, const char *name, int id)
{
    field_begin(w, name, id);
    json_begin_array(w);
    json_stringz(w, "null");
}

static void optional_end(struct json_writer *w)
{
    json_end_array(w);
    json_kv_null(w, "default");
    json_end_object(w);
}

static void optional(struct json_writer *w, const char *name, int id, const char *type)
{
    optional_begin(w, name, id);
    json_stringz(w, type);
    optional_end(w);
}

static void record_begin(struct json_writer *w, const char *name)
{
    json_begin_object(w);
    json_kv_strz(w, "type", "record");
    json_kv_strz(w, "name", name);
    json_keyz(w, "fields");
    json_begin_array(w);
}

static void record_end(struct json_writer *w)
{
    json_end_array(w);
    json_end_object(w);
}

static void int_map(struct json_writer *w, const char *name, int id, int key_id,
                    const char *value_type)
{
    char record[32];
    (void)snprintf(record, sizeof record, "k%d_v%d", key_id, key_id + 1);
    optional_begin(w, name, id);
    json_begin_object(w);
    json_kv_strz(w, "type", "array");
    json_kv_strz(w, "logicalType", "map");
    json_keyz(w, "items");
    record_begin(w, record);
    required(w, "key", key_id, "int");
    required(w, "value", key_id + 1, value_type);
    record_end(w);
    json_end_object(w);
    optional_end(w);
}

static void list_of(struct json_writer *w, const char *name, int id, const char *type,
                    int element_id)
{
    optional_begin(w, name, id);
    json_begin_object(w);
    json_kv_strz(w, "type", "array");
    json_kv_strz(w, "items", type);
    json_kv_int(w, "element-id", element_id);
    json_end_object(w);
    optional_end(w);
}

/* Letters, digits and '_' only, not a digit first: other bytes as _xHH. */
static void avro_name(struct str name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (digit && i == 0)
            buf_append_char(out, '_');
        if (letter || digit)
            buf_append_char(out, (char)c);
        else
            buf_printf(out, "_x%02X", c);
    }
    if (name.len == 0)
        buf_append_char(out, '_');
}

static void logical(struct json_writer *w, const char *type, const char *name)
{
    json_begin_object(w);
    json_kv_strz(w, "type", type);
    json_kv_strz(w, "logicalType", name);
}

/* Bytes that a decimal of this precision needs: the least n with 10^p < 2^(8n - 1). */
static int decimal_bytes(int precision)
{
    static const uint8_t digits[] = {2, 4, 6, 9, 11, 14, 16, 18, 21, 23, 26, 28, 31, 33, 35, 38};
    for (int n = 0; n < (int)sizeof digits; n++)
        if (precision <= digits[n])
            return n + 1;
    return 16;
}

uint32_t iceberg_fixed_size(const struct iceberg_type *type)
{
    if (type->kind == ICEBERG_UUID)
        return 16;
    if (type->kind == ICEBERG_FIXED)
        return (uint32_t)type->length;
    return type->kind == ICEBERG_DECIMAL ? (uint32_t)decimal_bytes(type->precision) : 0;
}

static void fixed_type(struct json_writer *w, const struct iceberg_field *field)
{
    char name[32];
    (void)snprintf(name, sizeof name, "fixed_%d", field->id);
    json_begin_object(w);
    json_kv_strz(w, "type", "fixed");
    json_kv_strz(w, "name", name);
    json_kv_int(w, "size", iceberg_fixed_size(&field->type));
    if (field->type.kind == ICEBERG_UUID)
        json_kv_strz(w, "logicalType", "uuid");
    if (field->type.kind == ICEBERG_DECIMAL) {
        json_kv_strz(w, "logicalType", "decimal");
        json_kv_int(w, "precision", field->type.precision);
        json_kv_int(w, "scale", field->type.scale);
    }
    json_end_object(w);
}

static void partition_type(struct json_writer *w, const struct iceberg_field *field)
{
    switch (field->type.kind) {
    case ICEBERG_BOOLEAN:
        json_stringz(w, "boolean");
        break;
    case ICEBERG_INT:
        json_stringz(w, "int");
        break;
    case ICEBERG_LONG:
        json_stringz(w, "long");
        break;
    case ICEBERG_FLOAT:
        json_stringz(w, "float");
        break;
    case ICEBERG_DOUBLE:
        json_stringz(w, "double");
        break;
    case ICEBERG_STRING:
        json_stringz(w, "string");
        break;
    case ICEBERG_DATE:
        logical(w, "int", "date");
        json_end_object(w);
        break;
    case ICEBERG_TIME:
        logical(w, "long", "time-micros");
        json_end_object(w);
        break;
    case ICEBERG_TIMESTAMP:
    case ICEBERG_TIMESTAMPTZ:
        logical(w, "long", "timestamp-micros");
        json_kv_bool(w, "adjust-to-utc", field->type.kind == ICEBERG_TIMESTAMPTZ);
        json_end_object(w);
        break;
    case ICEBERG_UUID:
    case ICEBERG_FIXED:
    case ICEBERG_DECIMAL:
        fixed_type(w, field);
        break;
    default:
        json_stringz(w, "bytes");
        break;
    }
}

static void partition_record(struct json_writer *w, const struct iceberg_partition_type *partition)
{
    record_begin(w, "r102");
    for (uint32_t i = 0; i < partition->fields_len; i++) {
        const struct iceberg_field *field = &partition->fields[i];
        struct buf name;
        buf_init(&name, 1 << 20);
        avro_name(field->name, &name);
        json_begin_object(w);
        json_kv_str(w, "name", buf_str(&name));
        if (!str_eq(buf_str(&name), field->name))
            json_kv_str(w, "iceberg-field-name", field->name);
        json_kv_int(w, "field-id", field->id);
        json_keyz(w, "type");
        json_begin_array(w);
        json_stringz(w, "null");
        partition_type(w, field);
        optional_end(w);
        buf_release(&name);
    }
    record_end(w);
}

static void data_file_record(struct json_writer *w, const struct iceberg_partition_type *partition)
{
    record_begin(w, "r2");
    required(w, "content", 134, "int");
    required(w, "file_path", 100, "string");
    required(w, "file_format", 101, "string");
    field_begin(w, "partition", 102);
    partition_record(w, partition);
    json_end_object(w);
    required(w, "record_count", 103, "long");
    required(w, "file_size_in_bytes", 104, "long");
    int_map(w, "column_sizes", 108, 117, "long");
    int_map(w, "value_counts", 109, 119, "long");
    int_map(w, "null_value_counts", 110, 121, "long");
    int_map(w, "nan_value_counts", 137, 138, "long");
    int_map(w, "lower_bounds", 125, 126, "bytes");
    int_map(w, "upper_bounds", 128, 129, "bytes");
    optional(w, "key_metadata", 131, "bytes");
    list_of(w, "split_offsets", 132, "long", 133);
    list_of(w, "equality_ids", 135, "int", 136);
    optional(w, "sort_order_id", 140, "int");
    optional(w, "referenced_data_file", 143, "string");
    record_end(w);
}

void iceberg_manifest_schema(const struct iceberg_partition_type *partition, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    record_begin(&w, "manifest_entry");
    required(&w, "status", 0, "int");
    optional(&w, "snapshot_id", 1, "long");
    optional(&w, "sequence_number", 3, "long");
    optional(&w, "file_sequence_number", 4, "long");
    field_begin(&w, "data_file", 2);
    data_file_record(&w, partition);
    json_end_object(&w);
    record_end(&w);
}

void iceberg_list_schema(struct buf *out)
{
    static const struct {
        const char *name;
        int id;
        const char *type;
    } fields[] = {{"manifest_path", 500, "string"},     {"manifest_length", 501, "long"},
                  {"partition_spec_id", 502, "int"},    {"content", 517, "int"},
                  {"sequence_number", 515, "long"},     {"min_sequence_number", 516, "long"},
                  {"added_snapshot_id", 503, "long"},   {"added_files_count", 504, "int"},
                  {"existing_files_count", 505, "int"}, {"deleted_files_count", 506, "int"},
                  {"added_rows_count", 512, "long"},    {"existing_rows_count", 513, "long"},
                  {"deleted_rows_count", 514, "long"}};
    struct json_writer w;
    json_writer_init(&w, out);
    record_begin(&w, "manifest_file");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        required(&w, fields[i].name, fields[i].id, fields[i].type);
    optional_begin(&w, "partitions", 507);
    json_begin_object(&w);
    json_kv_strz(&w, "type", "array");
    json_keyz(&w, "items");
    record_begin(&w, "r508");
    required(&w, "contains_null", 509, "boolean");
    optional(&w, "contains_nan", 518, "boolean");
    optional(&w, "lower_bound", 510, "bytes");
    optional(&w, "upper_bound", 511, "bytes");
    record_end(&w);
    json_kv_int(&w, "element-id", 508);
    json_end_object(&w);
    optional_end(&w);
    optional(&w, "key_metadata", 519, "bytes");
    record_end(&w);
}

/* schema.c: immutable versions of a source's columns, and how a batch meets them.
 *
 * By records fields are only appended and only widen: a batch that fits one version fits every
 * later one of the same epoch, and the index of a field does not change. Names and places change
 * only with the epoch (source_schema.c). A batch that fits has every column with a default: so
 * that it is absent only in files of before it was added. */
#include <math.h>
#include <stdlib.h>

#include "storage/store_int.h"

#define EXACT_IN_DOUBLE (INT64_C(1) << 53)

/* The type of a column may have changed since its default was set. */
static void retype(struct value *value, enum type type)
{
    const int64_t day_us = INT64_C(86400000000);
    if (value->type == TYPE_INT64 && type == TYPE_DOUBLE)
        value->real = (double)value->int64;
    else if (value->type == TYPE_DOUBLE && type == TYPE_INT64)
        value->int64 = (int64_t)value->real; /* an earlier state's: it was one */
    else if (value->type == TYPE_DATE && type == TYPE_TIMESTAMP)
        value->int64 *= day_us;
    else if (value->type == TYPE_TIMESTAMP && type == TYPE_DATE)
        value->int64 /= day_us;
    value->type = type;
}

static bool copy_default(struct arena *arena, const struct value *from, enum type type,
                         const struct value **ret)
{
    *ret = NULL;
    if (!from || from->is_null)
        return true;
    struct value *copy = ARENA_NEW(arena, struct value);
    if (!copy || !value_copy(arena, from, copy))
        return false;
    retype(copy, type);
    *ret = copy;
    return true;
}

bool field_traits_copy(struct arena *arena, const struct field_traits *from, enum type type,
                       struct field_traits *to)
{
    *to = *from;
    if (from->comment.data)
        to->comment = arena_str(arena, from->comment);
    return (!from->comment.data || to->comment.data) &&
           copy_default(arena, from->initial, type, &to->initial) &&
           copy_default(arena, from->fill, type, &to->fill);
}

static enum status copy_fields(struct schema *schema, const struct field *fields,
                               const struct field_traits *traits, uint32_t len)
{
    schema->fields = arena_array(&schema->arena, len + 1u, sizeof *schema->fields);
    schema->traits = arena_array(&schema->arena, len + 1u, sizeof *schema->traits);
    if (!schema->fields || !schema->traits)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < len; i++) {
        schema->fields[i] = fields[i];
        schema->fields[i].name = arena_str(&schema->arena, fields[i].name);
        if (!schema->fields[i].name.data ||
            (traits &&
             !field_traits_copy(&schema->arena, &traits[i], fields[i].type, &schema->traits[i])))
            return STATUS_NO_MEMORY;
    }
    schema->fields_len = len;
    return STATUS_OK;
}

struct schema *schema_make(const struct schema_def *def, uint32_t epoch, struct error *err)
{
    struct schema *schema = calloc(1, sizeof *schema);
    if (!schema) {
        error_no_memory(err);
        return NULL;
    }
    atomic_init(&schema->refs, 1);
    schema->epoch = epoch;
    schema->id = def->id;
    schema->last_field_id = def->last_field_id;
    arena_init(&schema->arena, 0);
    if (copy_fields(schema, def->fields, def->traits, def->fields_len) != STATUS_OK) {
        error_no_memory(err);
        schema_unref(schema);
        return NULL;
    }
    return schema;
}

struct schema *schema_new(const struct field *fields, uint32_t len, int32_t id,
                          int32_t last_field_id, struct error *err)
{
    struct schema_def def = {
        .id = id, .last_field_id = last_field_id, .fields = fields, .fields_len = len};
    return schema_make(&def, 1, err);
}

struct schema *source_schema(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    struct schema *schema = schema_ref(source->schema);
    pthread_mutex_unlock(&source->lock);
    return schema;
}

struct schema *schema_ref(struct schema *schema)
{
    atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
    return schema;
}

void schema_unref(struct schema *schema)
{
    if (!schema || atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&schema->arena);
    free(schema);
}

int32_t schema_find(const struct schema *schema, struct str name)
{
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        if (str_eq(schema->fields[i].name, name))
            return (int32_t)i;
    }
    return -1;
}

int32_t schema_find_id(const struct schema *schema, int32_t field_id)
{
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        if (field_id_base(schema->fields[i].id) == field_id_base(field_id))
            return (int32_t)i;
    }
    return -1;
}

/* --- fitting --- */

static uint32_t first_value(const struct column *column)
{
    uint32_t row = 0;
    while (row < column->rows && column_is_null(column, row))
        row++;
    return row;
}

static enum status mismatch(const struct batch_column *column, uint32_t row, enum type wanted,
                            struct error *err)
{
    enum status status =
        error_set(err, STATUS_SCHEMA, "record %u: field \"%.*s\" has a value of type %s, not %s",
                  row, (int)(column->name.len < 200 ? column->name.len : 200), column->name.data,
                  type_name(column->column.type), type_name(wanted));
    if (!err)
        return status;
    char text[ERROR_NAME_MAX];
    struct buf buf;
    struct json_writer writer;
    buf_init(&buf, 1 << 20);
    json_writer_init(&writer, &buf);
    column_write_json(&writer, &column->column, row);
    size_t len = buf_failed(&buf) ? 0 : buf.len < sizeof text ? buf.len : sizeof text;
    if (len)
        memcpy(text, buf.data, len);
    buf_release(&buf);
    error_at_field(err, column->name.data, (uint32_t)column->name.len, text, (uint32_t)len);
    err->record = row;
    return status;
}

static bool is_big(int64_t value)
{
    return value > EXACT_IN_DOUBLE || value < -EXACT_IN_DOUBLE;
}

/* First row with an integer that a double cannot hold, or rows. */
static uint32_t first_big(const struct column *column)
{
    for (uint32_t row = 0; row < column->rows; row++) {
        if (is_big(column_int64(column, row)))
            return row;
    }
    return column->rows;
}

static enum status retype_nulls(struct batch_column *column, enum type type)
{
    struct column fresh;
    column_init(&fresh, type);
    enum status status = column_append_nulls(&fresh, column->column.rows);
    if (status != STATUS_OK) {
        column_release(&fresh);
        return status;
    }
    column_release(&column->column);
    column->column = fresh;
    return STATUS_OK;
}

/* One column that the schema has. */
static enum status fit_known(struct batch_column *column, enum type type, bool *changes,
                             struct error *err)
{
    if (column->column.type == type)
        return STATUS_OK;
    if (column->column.nulls == column->column.rows) {
        enum status status = retype_nulls(column, type);
        return status == STATUS_OK ? status : error_no_memory(err);
    }
    if (type_can_widen(column->column.type, type)) {
        if (column->column.type == TYPE_INT64 && first_big(&column->column) < column->column.rows)
            return mismatch(column, first_big(&column->column), type, err);
        return column_widen(&column->column, type, err);
    }
    if (type_can_widen(type, column->column.type)) {
        *changes = true;
        return STATUS_OK;
    }
    return mismatch(column, first_value(&column->column), type, err);
}

static void drop_column(struct batch *batch, uint32_t index)
{
    column_release(&batch->columns[index].column);
    batch->columns[index] = batch->columns[--batch->columns_len];
}

static enum status check_name(struct str name, struct error *err)
{
    if (name.len == 0 || name.len > FIELD_NAME_MAX) {
        enum status status =
            error_set(err, STATUS_SCHEMA, "a field name has %zu bytes; 1 to %d are allowed",
                      name.len, FIELD_NAME_MAX);
        error_at_field(err, name.data, (uint32_t)(name.len < 200 ? name.len : 200), NULL, 0);
        return status;
    }
    return STATUS_OK;
}

static enum status fill_missing(const struct field *field, const struct field_traits *traits,
                                struct batch *batch, struct error *err)
{
    uint32_t index;
    if (batch_add_column(batch, field->name, field->type, &index) != STATUS_OK)
        return error_no_memory(err);
    struct column *column = &batch->columns[index].column;
    if (!traits->fill)
        return STATUS_OK;
    column_truncate(column, 0);
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (column_append_value(column, traits->fill) != STATUS_OK)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status missing(const struct field *field, uint32_t row, struct error *err)
{
    enum status status =
        error_set(err, STATUS_SCHEMA, "record %u: the required field \"%.*s\" is missing or null",
                  row, (int)(field->name.len < 200 ? field->name.len : 200), field->name.data);
    error_at_field(err, field->name.data, (uint32_t)field->name.len, NULL, 0);
    if (err)
        err->record = row;
    return status;
}

/* Columns with a default that the batch lacks; nulls where none may be. */
static enum status fit_traits(const struct schema *schema, struct batch *batch, struct error *err)
{
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        const struct field_traits *traits = &schema->traits[i];
        if (!traits->initial && !traits->fill && !traits->required)
            continue;
        int32_t at = batch_find(batch, schema->fields[i].name);
        if (at < 0 && (traits->initial || traits->fill)) {
            TRY(fill_missing(&schema->fields[i], traits, batch, err));
            at = (int32_t)batch->columns_len - 1;
        }
        if (!traits->required)
            continue;
        if (at < 0)
            return missing(&schema->fields[i], 0, err);
        const struct column *column = &batch->columns[at].column;
        for (uint32_t row = 0; column->nulls && row < column->rows; row++) {
            if (column_is_null(column, row))
                return missing(&schema->fields[i], row, err);
        }
    }
    return STATUS_OK;
}

enum status schema_fit(const struct schema *schema, struct batch *batch, bool *ret_changes,
                       struct error *err)
{
    bool changes = false;
    for (uint32_t i = 0; i < batch->columns_len;) {
        struct batch_column *column = &batch->columns[i];
        TRY(check_name(column->name, err));
        /* Batches made from the schema have its columns in its order. */
        int32_t found = i < schema->fields_len && str_eq(schema->fields[i].name, column->name)
                            ? (int32_t)i
                            : schema_find(schema, column->name);
        if (found >= 0)
            TRY(fit_known(column, schema->fields[found].type, &changes, err));
        else if (column->column.nulls == column->column.rows) {
            drop_column(batch, i);
            continue;
        } else
            changes = true;
        i++;
    }
    *ret_changes = changes;
    return fit_traits(schema, batch, err);
}

/* --- growing --- */

static enum status grow_field(struct field *field, uint32_t index,
                              const struct batch_column *column, const uint8_t *big_ints,
                              struct error *err)
{
    if (field->type == column->column.type || !type_can_widen(field->type, column->column.type))
        return STATUS_OK;
    if (field->type == TYPE_INT64 && big_ints[index >> 3] >> (index & 7) & 1)
        return mismatch(column, first_value(&column->column), field->type, err);
    field->type = column->column.type;
    field->id = field_id_widened(field->id);
    return STATUS_OK;
}

static enum status grow_all(struct field *fields, uint32_t *len, int32_t *last_id,
                            const struct schema *schema, const struct batch *batch,
                            const uint8_t *big_ints, struct error *err)
{
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        const struct batch_column *column = &batch->columns[i];
        int32_t found = schema_find(schema, column->name);
        if (found >= 0) {
            TRY(grow_field(&fields[found], (uint32_t)found, column, big_ints, err));
            continue;
        }
        if (*len == SCHEMA_FIELDS_MAX || *last_id + 1 == FIELD_ID_STEP) {
            enum status status =
                error_set(err, STATUS_SCHEMA, "a source has at most %d columns", SCHEMA_FIELDS_MAX);
            error_at_field(err, column->name.data, (uint32_t)column->name.len, NULL, 0);
            return status;
        }
        fields[(*len)++] =
            (struct field){.name = column->name, .type = column->column.type, .id = ++*last_id};
    }
    return STATUS_OK;
}

enum status schema_grow(const struct schema *schema, const struct batch *batch,
                        const uint8_t *big_ints, struct schema **ret, struct error *err)
{
    struct field *fields = malloc(SCHEMA_FIELDS_MAX * sizeof *fields);
    struct field_traits *traits = calloc(SCHEMA_FIELDS_MAX, sizeof *traits);
    struct schema_def def = {.id = schema->id + 1,
                             .last_field_id = schema->last_field_id,
                             .fields = fields,
                             .traits = traits,
                             .fields_len = schema->fields_len};
    enum status status = fields && traits ? STATUS_OK : error_no_memory(err);
    if (fields && traits) {
        memcpy(fields, schema->fields, def.fields_len * sizeof *fields);
        memcpy(traits, schema->traits, def.fields_len * sizeof *traits);
        status =
            grow_all(fields, &def.fields_len, &def.last_field_id, schema, batch, big_ints, err);
    }
    if (status == STATUS_OK) {
        *ret = schema_make(&def, schema->epoch, err);
        status = *ret ? STATUS_OK : STATUS_NO_MEMORY;
    }
    free(fields);
    free(traits);
    return status;
}

void schema_mark_big_ints(const struct schema *schema, const struct batch *batch, uint8_t *bits)
{
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        const struct column *column = &batch->columns[i].column;
        if (column->type != TYPE_INT64 || first_big(column) == column->rows)
            continue;
        int32_t found = schema_find(schema, batch->columns[i].name);
        if (found >= 0)
            bits[found >> 3] |= (uint8_t)(1u << (found & 7));
    }
}

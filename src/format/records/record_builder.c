/* record_builder.c: slots (field names to columns), typing and the appending of values. A column
 * that a record lacks is filled with nulls when it is met again, or at the end. */
#include "format/records/record_builder_int.h"

#include <math.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "base/utf8.h"

enum { SCRATCH_MAX = 1 << 30 };

static enum status grow_table(struct record_builder *b)
{
    uint32_t cap = b->table_cap ? b->table_cap * 2 : 64;
    uint32_t *table = calloc(cap, sizeof *table);
    if (!table)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < b->slots_len; i++) {
        uint32_t at = (uint32_t)b->slots[i].hash & (cap - 1);
        while (table[at])
            at = (at + 1) & (cap - 1);
        table[at] = i + 1;
    }
    free(b->table);
    b->table = table;
    b->table_cap = cap;
    return STATUS_OK;
}

static enum status grow_slots(struct record_builder *b)
{
    if (b->slots_len * 2 >= b->table_cap)
        TRY(grow_table(b));
    if (b->slots_len < b->slots_cap)
        return STATUS_OK;
    uint32_t cap = b->slots_cap ? b->slots_cap * 2 : 16;
    struct slot *slots = realloc(b->slots, cap * sizeof *slots);
    if (!slots)
        return STATUS_NO_MEMORY;
    b->slots = slots;
    b->slots_cap = cap;
    return STATUS_OK;
}

static enum status check_name(struct record_builder *b, struct str name, struct error *err)
{
    const char *why = NULL;
    if (name.len == 0)
        why = "a field has an empty name";
    else if (name.len > FIELD_NAME_MAX)
        why = "a field name is longer than 255 bytes";
    else if (b->slots_len >= SCHEMA_FIELDS_MAX)
        why = "the source would have more than 2,000 columns";
    for (size_t i = 0; i < name.len && !why; i++)
        if ((unsigned char)name.data[i] < 0x20)
            why = "a field name holds a control character";
    if (!why)
        return STATUS_OK;
    enum status status = error_set(err, STATUS_SCHEMA, "record %u: %s", builder_record(b), why);
    if (err)
        err->record = builder_record(b);
    error_at_field(err, name.data, (uint32_t)name.len, NULL, 0);
    return status;
}

static enum status add_slot(struct record_builder *b, struct str name, uint64_t hash,
                            enum type type, uint32_t *ret_slot, struct error *err)
{
    uint32_t index;
    if (grow_slots(b) != STATUS_OK || batch_add_column(b->batch, name, type, &index) != STATUS_OK)
        return error_no_memory(err);
    uint32_t at = (uint32_t)hash & (b->table_cap - 1);
    while (b->table[at])
        at = (at + 1) & (b->table_cap - 1);
    b->table[at] = b->slots_len + 1;
    b->slots[b->slots_len] =
        (struct slot){.name = b->batch->columns[index].name, .hash = hash, .index = index};
    *ret_slot = b->slots_len++;
    return STATUS_OK;
}

enum status builder_slot(struct record_builder *b, struct str name, uint32_t *ret_slot,
                         struct error *err)
{
    if (b->next < b->slots_len && str_eq(b->slots[b->next].name, name)) {
        *ret_slot = b->next++;
        return STATUS_OK;
    }
    uint64_t hash = str_hash(name);
    uint32_t at = b->table_cap ? (uint32_t)hash & (b->table_cap - 1) : 0;
    while (b->table_cap && b->table[at]) {
        uint32_t slot = b->table[at] - 1;
        if (b->slots[slot].hash == hash && str_eq(b->slots[slot].name, name)) {
            *ret_slot = slot;
            b->next = slot + 1;
            return STATUS_OK;
        }
        at = (at + 1) & (b->table_cap - 1);
    }
    TRY(check_name(b, name, err));
    TRY(add_slot(b, name, hash, TYPE_STRING, ret_slot, err));
    b->next = *ret_slot + 1;
    return STATUS_OK;
}

void builder_set_type(struct record_builder *b, struct slot *slot, enum type type)
{
    struct column *column = builder_column(b, slot);
    column_release(column);
    column_init(column, type);
    slot->typed = true;
}

/* By the first value of a record. */
static void take_type(struct record_builder *b, struct slot *slot, enum type type)
{
    if (slot->typed)
        return;
    builder_set_type(b, slot, type);
    slot->typed_row = b->row + 1;
}

enum status builder_claim(struct record_builder *b, struct slot *slot, struct error *err)
{
    if (slot->seen_row == b->row + 1) {
        enum status status =
            error_set(err, STATUS_SCHEMA, "record %u: the field '%.*s' stands twice",
                      builder_record(b), STR_ARG(slot->name));
        if (err)
            err->record = builder_record(b);
        error_at_field(err, slot->name.data, (uint32_t)slot->name.len, NULL, 0);
        return status;
    }
    slot->seen_row = b->row + 1;
    return STATUS_OK;
}

/* Nulls, or the default, for the rows that lacked the field. */
static enum status catch_up(struct record_builder *b, const struct slot *slot)
{
    struct column *column = builder_column(b, slot);
    if (column->rows >= b->row)
        return STATUS_OK;
    if (!slot->fill)
        return column_append_nulls(column, b->row - column->rows);
    enum status status = column_reserve(column, b->row - column->rows);
    while (column->rows < b->row && status == STATUS_OK)
        status = column_append_value(column, slot->fill);
    return status;
}

enum status builder_null(struct record_builder *b, struct slot *slot, struct error *err)
{
    if (!slot->fill)
        return STATUS_OK;
    if (catch_up(b, slot) != STATUS_OK || column_append_null(builder_column(b, slot)) != STATUS_OK)
        return error_no_memory(err);
    return STATUS_OK;
}

enum status builder_misfit(struct record_builder *b, const struct slot *slot, struct str value,
                           const char *why, struct error *err)
{
    enum status status = error_set(
        err, STATUS_SCHEMA, "record %u, field '%.*s': %.*s%s %s (the column is %s)",
        builder_record(b), STR_ARG(slot->name), value.len < 60 ? (int)value.len : 60, value.data,
        value.len < 60 ? "" : "…", why, type_name(builder_column(b, slot)->type));
    if (err)
        err->record = builder_record(b);
    error_at_field(err, slot->name.data, (uint32_t)slot->name.len, value.data,
                   (uint32_t)(value.len < 1000 ? value.len : 1000));
    return status;
}

static enum status stored(struct record_builder *b, const struct slot *slot, enum status status,
                          struct error *err)
{
    if (status == STATUS_OK)
        return status;
    if (status == STATUS_RESOURCE_LIMIT)
        return error_set(err, STATUS_TOO_LARGE, "the column '%.*s' of one batch is beyond 1 GiB",
                         STR_ARG(slot->name));
    (void)b;
    return error_no_memory(err);
}

static enum status add_date(struct record_builder *b, struct slot *slot, struct str text,
                            struct error *err)
{
    struct column *column = builder_column(b, slot);
    int32_t days;
    int64_t us;
    if (date_parse(text, &days))
        return stored(b, slot, column_append_date(column, days), err);
    if (slot->declared || !timestamp_parse(text, &us))
        return builder_misfit(b, slot, text, "is not a date YYYY-MM-DD", err);
    TRY(column_widen(column, TYPE_TIMESTAMP, err));
    slot->widened_row = b->row + 1;
    return stored(b, slot, column_append_int64(column, us), err);
}

enum status builder_text(struct record_builder *b, struct slot *slot, struct str text,
                         struct error *err)
{
    take_type(b, slot, TYPE_STRING);
    struct column *column = builder_column(b, slot);
    int64_t us;
    if (catch_up(b, slot) != STATUS_OK)
        return error_no_memory(err);
    switch (column->type) {
    case TYPE_STRING:
        return stored(b, slot, column_append_bytes(column, text), err);
    case TYPE_DATE:
        return add_date(b, slot, text, err);
    case TYPE_TIMESTAMP:
        if (!timestamp_parse(text, &us))
            return builder_misfit(b, slot, text, "is not an ISO 8601 time", err);
        return stored(b, slot, column_append_int64(column, us), err);
    default:
        return builder_misfit(b, slot, text, "is text", err);
    }
}

static enum status add_double(struct record_builder *b, struct slot *slot, struct str text,
                              struct error *err)
{
    double real;
    if (!json_text_to_double(text, &real))
        return builder_misfit(b, slot, text, "is beyond the range of a double", err);
    return stored(b, slot, column_append_double(builder_column(b, slot), real), err);
}

static enum status add_fraction_to_int64(struct record_builder *b, struct slot *slot,
                                         struct str text, struct error *err)
{
    struct column *column = builder_column(b, slot);
    double real;
    if (!slot->declared) {
        enum status status = column_widen(column, TYPE_DOUBLE, err);
        if (status != STATUS_OK)
            return builder_misfit(b, slot, text,
                                  "would make a column of large integers lose digits", err);
        slot->widened_row = b->row + 1;
        return add_double(b, slot, text, err);
    }
    if (!json_text_to_double(text, &real) || real != trunc(real) || fabs(real) > 9007199254740992.0)
        return builder_misfit(b, slot, text, "is not an integer", err);
    return stored(b, slot, column_append_int64(column, (int64_t)real), err);
}

enum status builder_number(struct record_builder *b, struct slot *slot, struct str text,
                           bool integer, struct error *err)
{
    take_type(b, slot, integer ? TYPE_INT64 : TYPE_DOUBLE);
    struct column *column = builder_column(b, slot);
    int64_t value;
    if (catch_up(b, slot) != STATUS_OK)
        return error_no_memory(err);
    switch (column->type) {
    case TYPE_INT64:
        if (!integer)
            return add_fraction_to_int64(b, slot, text, err);
        if (!json_text_to_int64(text, &value))
            return builder_misfit(b, slot, text, "does not fit 64 bits", err);
        return stored(b, slot, column_append_int64(column, value), err);
    case TYPE_DOUBLE:
        return add_double(b, slot, text, err);
    case TYPE_JSON:
        return stored(b, slot, column_append_bytes(column, text), err);
    default:
        return builder_misfit(b, slot, text, "is a number", err);
    }
}

enum status builder_bool(struct record_builder *b, struct slot *slot, bool value, struct error *err)
{
    struct str text = value ? STR("true") : STR("false");
    take_type(b, slot, TYPE_BOOL);
    struct column *column = builder_column(b, slot);
    if (catch_up(b, slot) != STATUS_OK)
        return error_no_memory(err);
    if (column->type == TYPE_BOOL)
        return stored(b, slot, column_append_bool(column, value), err);
    if (column->type == TYPE_JSON)
        return stored(b, slot, column_append_bytes(column, text), err);
    return builder_misfit(b, slot, text, "is a boolean", err);
}

enum status builder_json(struct record_builder *b, struct slot *slot, struct str text, bool spaced,
                         struct error *err)
{
    take_type(b, slot, TYPE_JSON);
    struct column *column = builder_column(b, slot);
    char *room;
    if (column->type != TYPE_JSON)
        return builder_misfit(b, slot, text, "is an object or array", err);
    if (text.len > COLUMN_BYTES_MAX || catch_up(b, slot) != STATUS_OK)
        return error_no_memory(err);
    if (!spaced)
        return stored(b, slot, column_append_bytes(column, text), err);
    enum status status = column_bytes_room(column, (uint32_t)text.len, &room);
    if (status == STATUS_OK)
        status = column_bytes_commit(column, (uint32_t)json_compact(text, room));
    return stored(b, slot, status, err);
}

static enum status check_required(struct record_builder *b, struct error *err)
{
    for (uint32_t i = 0; i < b->slots_len; i++) {
        const struct slot *slot = &b->slots[i];
        const struct column *column = builder_column(b, slot);
        bool present = column->rows > b->row && !column_is_null(column, b->row);
        if (!slot->required || present || (slot->fill && column->rows <= b->row))
            continue;
        return builder_misfit(b, slot, STR("null"), "stands in a required field", err);
    }
    return STATUS_OK;
}

enum status builder_end_row(struct record_builder *b, struct error *err)
{
    if (b->any_required)
        TRY(check_required(b, err));
    if (b->row + 1 > RECORD_ROWS_MAX)
        return error_set(err, STATUS_TOO_LARGE, "one batch holds at most %d records",
                         RECORD_ROWS_MAX);
    b->row++;
    b->next = 0;
    b->slots_before = b->slots_len;
    return STATUS_OK;
}

static enum status copy_fill(struct record_builder *b, struct slot *slot, const struct value *fill,
                             struct error *err)
{
    if (!fill)
        return STATUS_OK;
    struct value *copy = ARENA_NEW(&b->batch->arena, struct value);
    if (!copy || !value_copy(&b->batch->arena, fill, copy))
        return error_no_memory(err);
    slot->fill = copy;
    return STATUS_OK;
}

enum status record_builder_new(const struct record_field *fields, uint32_t fields_len,
                               struct record_builder **ret_builder, struct error *err)
{
    struct record_builder *b = calloc(1, sizeof *b);
    if (!b)
        return error_no_memory(err);
    buf_init(&b->scratch, SCRATCH_MAX);
    b->batch = batch_new();
    enum status status = b->batch ? STATUS_OK : error_no_memory(err);
    for (uint32_t i = 0; i < fields_len && status == STATUS_OK; i++) {
        uint32_t slot;
        status = add_slot(b, fields[i].name, str_hash(fields[i].name), fields[i].type, &slot, err);
        if (status == STATUS_OK) {
            b->slots[slot].typed = true;
            b->slots[slot].declared = fields[i].declared;
            b->slots[slot].required = fields[i].required;
            b->any_required |= fields[i].required;
            status = copy_fill(b, &b->slots[slot], fields[i].fill, err);
        }
    }
    if (status != STATUS_OK) {
        record_builder_free(b);
        return status;
    }
    b->slots_before = b->slots_len;
    *ret_builder = b;
    return STATUS_OK;
}

void record_builder_free(struct record_builder *b)
{
    if (!b)
        return;
    batch_unref(b->batch);
    free(b->slots);
    free(b->table);
    buf_release(&b->scratch);
    free(b);
}

uint32_t record_builder_rows(const struct record_builder *b)
{
    return b->row;
}

void record_builder_set_epoch(struct record_builder *b, uint32_t epoch)
{
    b->batch->epoch = epoch;
}

static enum status fill_defaults(struct record_builder *b, struct error *err)
{
    for (uint32_t i = 0; i < b->slots_len; i++) {
        if (b->slots[i].fill && catch_up(b, &b->slots[i]) != STATUS_OK)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

/* Columns that hold no value at all say nothing: they are left out of the batch, unless they were
 * told to be null in place of a default. Slot i is column i. */
static void drop_empty_columns(struct record_builder *b)
{
    struct batch *batch = b->batch;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        struct column *column = &batch->columns[i].column;
        if (column->rows == column->nulls && !b->slots[i].fill)
            column_release(column);
        else
            batch->columns[kept++] = batch->columns[i];
    }
    batch->columns_len = kept;
}

enum status record_builder_finish(struct record_builder *b, struct batch **ret_batch,
                                  struct error *err)
{
    TRY(fill_defaults(b, err));
    drop_empty_columns(b);
    if (batch_set_rows(b->batch, b->row) != STATUS_OK)
        return error_no_memory(err);
    *ret_batch = b->batch;
    b->batch = NULL;
    return STATUS_OK;
}

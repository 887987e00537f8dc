/* manifest_read.c: manifest entries from an Avro file of any engine.
 *
 * One record is decoded at a time into an arena of its own, so that only what is kept costs
 * memory. Columns' statistics come as six maps; they are merged by field id. */
#include <stdlib.h>

#include "format/iceberg/manifest_int.h"

enum { COLUMNS_MAX = 20000 };

struct reader {
    struct avro_reader avro;
    struct arena *arena; /* of the results */
    const struct iceberg_manifest *from;
    const struct iceberg_partition_type *partition;
    struct iceberg_entry *entries;
    uint32_t len, cap;
    struct error *err;
};

static enum status damaged(struct reader *r, const char *what)
{
    return error_set(r->err, STATUS_CORRUPT, "a manifest entry is damaged: %s", what);
}

static enum status keep(struct reader *r, struct str bytes, struct str *ret)
{
    *ret = arena_str(r->arena, bytes);
    return ret->data ? STATUS_OK : error_no_memory(r->err);
}

static enum status keep_optional(struct reader *r, const struct avro_datum *record, int32_t id,
                                 const char *name, struct str *ret)
{
    struct str bytes;
    *ret = STR_NONE;
    return avro_find_bytes(record, id, name, &bytes) ? keep(r, bytes, ret) : STATUS_OK;
}

static void get_int32(const struct avro_datum *record, int32_t id, const char *name, int32_t *ret)
{
    int64_t value;
    if (avro_find_long(record, id, name, &value) && value >= INT32_MIN && value <= INT32_MAX)
        *ret = (int32_t)value;
}

/* --- partition tuples --- */

static enum type type_of_avro(const struct avro_type *type)
{
    switch (type->kind) {
    case AVRO_BOOLEAN:
        return TYPE_BOOL;
    case AVRO_INT:
        return str_is(type->logical, "date") ? TYPE_DATE : TYPE_INT64;
    case AVRO_LONG:
        return str_is(type->logical, "timestamp-micros") ? TYPE_TIMESTAMP : TYPE_INT64;
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return TYPE_DOUBLE;
    default:
        return TYPE_STRING;
    }
}

static enum status read_value(struct reader *r, const struct avro_datum *datum, enum type type,
                              struct value *ret)
{
    *ret = (struct value){.type = type, .is_null = true};
    if (!datum || datum->type->kind == AVRO_NULL)
        return STATUS_OK;
    enum avro_kind kind = datum->type->kind;
    bool is_int = kind == AVRO_INT || kind == AVRO_LONG;
    ret->is_null = false;
    if (type == TYPE_STRING && (kind == AVRO_BYTES || kind == AVRO_STRING || kind == AVRO_FIXED))
        return keep(r, datum->bytes, &ret->bytes);
    if (type == TYPE_BOOL && kind == AVRO_BOOLEAN)
        ret->boolean = datum->boolean;
    else if (type == TYPE_DOUBLE && (kind == AVRO_FLOAT || kind == AVRO_DOUBLE))
        ret->real = datum->real;
    else if ((type == TYPE_INT64 || type == TYPE_DATE || type == TYPE_TIMESTAMP) && is_int)
        ret->int64 = datum->integer;
    else
        return damaged(r, "a partition value of another type than its field");
    return STATUS_OK;
}

static const struct avro_type *present_branch(const struct avro_type *type)
{
    for (uint32_t i = 0; type->kind == AVRO_UNION && i < type->fields_len; i++)
        if (type->fields[i].type->kind != AVRO_NULL)
            return type->fields[i].type;
    return type;
}

static enum status read_typed_partition(struct reader *r, const struct avro_datum *tuple,
                                        struct iceberg_data_file *file)
{
    const struct iceberg_partition_type *type = r->partition;
    file->partition = arena_array(r->arena, type->fields_len + 1, sizeof *file->partition);
    if (!file->partition)
        return error_no_memory(r->err);
    file->partition_len = type->fields_len;
    for (uint32_t i = 0; i < type->fields_len; i++) {
        const struct iceberg_field *field = &type->fields[i];
        const struct avro_datum *datum = NULL;
        /* by id, else by name; an unnamed id never matches */
        for (const struct avro_datum *d = tuple ? tuple->first : NULL; d && !datum; d = d->next)
            if (d->field->id == field->id ||
                (d->field->id < 0 && str_eq(d->field->name, field->name)))
                datum = d;
        enum type carrier;
        if (!iceberg_carrier(field->type.kind, &carrier))
            carrier = datum ? type_of_avro(present_branch(datum->field->type)) : TYPE_STRING;
        TRY(read_value(r, datum, carrier, &file->partition[i]));
    }
    return STATUS_OK;
}

static enum status read_partition(struct reader *r, const struct avro_datum *tuple,
                                  struct iceberg_data_file *file)
{
    if (tuple && tuple->type->kind != AVRO_RECORD)
        return damaged(r, "its partition");
    if (r->partition)
        return read_typed_partition(r, tuple, file);
    file->partition = arena_array(r->arena, tuple ? tuple->len + 1 : 1, sizeof *file->partition);
    if (!file->partition)
        return error_no_memory(r->err);
    for (const struct avro_datum *d = tuple ? tuple->first : NULL; d; d = d->next)
        TRY(read_value(r, d, type_of_avro(present_branch(d->field->type)),
                       &file->partition[file->partition_len++]));
    return STATUS_OK;
}

/* --- column statistics --- */

enum stat { STAT_SIZE, STAT_VALUES, STAT_NULLS, STAT_NANS, STAT_LOWER, STAT_UPPER, STATS };

static const struct {
    int32_t id, key_id;
    const char *name;
} stat_fields[STATS] = {{108, 117, "column_sizes"},      {109, 119, "value_counts"},
                        {110, 121, "null_value_counts"}, {137, 138, "nan_value_counts"},
                        {125, 126, "lower_bounds"},      {128, 129, "upper_bounds"}};

static enum status set_stat(struct reader *r, struct iceberg_column_stats *column, enum stat stat,
                            const struct avro_datum *item)
{
    const int32_t id = stat_fields[stat].key_id + 1;
    struct str bytes = STR_NONE;
    int64_t count = -1;
    if (stat >= STAT_LOWER) {
        if (!avro_find_bytes(item, id, "value", &bytes))
            return STATUS_OK;
        return keep(r, bytes, stat == STAT_LOWER ? &column->lower : &column->upper);
    }
    avro_find_long(item, id, "value", &count);
    if (stat == STAT_SIZE)
        column->size = count;
    else if (stat == STAT_VALUES)
        column->values = count;
    else if (stat == STAT_NULLS)
        column->nulls = count;
    else
        column->nans = count;
    return STATUS_OK;
}

static struct iceberg_column_stats *find_column(struct iceberg_data_file *file, int32_t id,
                                                uint32_t guess)
{
    if (guess < file->columns_len && file->columns[guess].field_id == id)
        return &file->columns[guess];
    for (uint32_t i = 0; i < file->columns_len; i++)
        if (file->columns[i].field_id == id)
            return &file->columns[i];
    return NULL;
}

static struct iceberg_column_stats *add_column(struct iceberg_data_file *file, int32_t id)
{
    struct iceberg_column_stats *column = &file->columns[file->columns_len++];
    *column = (struct iceberg_column_stats){
        .field_id = id, .size = -1, .values = -1, .nulls = -1, .nans = -1};
    return column;
}

static int compare_columns(const void *a, const void *b)
{
    const struct iceberg_column_stats *x = a, *y = b;
    return (x->field_id > y->field_id) - (x->field_id < y->field_id);
}

static const struct avro_datum *stat_items(const struct avro_datum *file, enum stat stat)
{
    const struct avro_datum *map = avro_find(file, stat_fields[stat].id, stat_fields[stat].name);
    return map && map->type->kind == AVRO_ARRAY ? map : NULL;
}

/* Room for the sum of all entries would be wasteful: the longest map usually names all columns. A
 * column that does not fit any more is left without statistics, which is always correct. */
static enum status read_columns(struct reader *r, const struct avro_datum *data_file,
                                struct iceberg_data_file *file)
{
    uint32_t room = 0;
    for (enum stat stat = 0; stat < STATS; stat++) {
        const struct avro_datum *map = stat_items(data_file, stat);
        if (map && map->len > room)
            room = map->len;
    }
    if (room > COLUMNS_MAX)
        return damaged(r, "statistics of too many columns");
    file->columns = arena_array(r->arena, room + 1, sizeof *file->columns);
    if (!file->columns)
        return error_no_memory(r->err);
    for (enum stat stat = 0; stat < STATS; stat++) {
        const struct avro_datum *map = stat_items(data_file, stat);
        uint32_t at = 0;
        for (const struct avro_datum *item = map ? map->first : NULL; item; item = item->next) {
            int64_t id;
            if (!avro_find_long(item, stat_fields[stat].key_id, "key", &id) || id < 0 ||
                id > INT32_MAX)
                continue;
            struct iceberg_column_stats *column = find_column(file, (int32_t)id, at++);
            if (!column && file->columns_len < room)
                column = add_column(file, (int32_t)id);
            if (column)
                TRY(set_stat(r, column, stat, item));
        }
    }
    qsort(file->columns, file->columns_len, sizeof *file->columns, compare_columns);
    return STATUS_OK;
}

/* --- files and entries --- */

static enum status read_lists(struct reader *r, const struct avro_datum *record,
                              struct iceberg_data_file *file)
{
    const struct avro_datum *offsets = avro_find(record, 132, "split_offsets");
    const struct avro_datum *ids = avro_find(record, 135, "equality_ids");
    if ((offsets && offsets->type->kind != AVRO_ARRAY) || (ids && ids->type->kind != AVRO_ARRAY))
        return damaged(r, "a list");
    file->split_offsets = arena_array(r->arena, offsets ? offsets->len + 1 : 1, sizeof(int64_t));
    file->equality_ids = arena_array(r->arena, ids ? ids->len + 1 : 1, sizeof(int32_t));
    if (!file->split_offsets || !file->equality_ids)
        return error_no_memory(r->err);
    for (const struct avro_datum *d = offsets ? offsets->first : NULL; d; d = d->next)
        if (d->type->kind == AVRO_LONG || d->type->kind == AVRO_INT)
            file->split_offsets[file->split_offsets_len++] = d->integer;
    for (const struct avro_datum *d = ids ? ids->first : NULL; d; d = d->next)
        if (d->type->kind == AVRO_INT)
            file->equality_ids[file->equality_ids_len++] = (int32_t)d->integer;
    return STATUS_OK;
}

/* Formats come in any case; ours is upper. */
static enum status keep_format(struct reader *r, struct str format, struct str *ret)
{
    TRY(keep(r, format, ret));
    char *text = (char *)(uintptr_t)ret->data; /* our own copy */
    for (size_t i = 0; i < ret->len; i++)
        if (text[i] >= 'a' && text[i] <= 'z')
            text[i] = (char)(text[i] - 32);
    return STATUS_OK;
}

static enum status read_file(struct reader *r, const struct avro_datum *record,
                             struct iceberg_data_file *file)
{
    struct str path, format;
    int64_t content = ICEBERG_DATA;
    if (!record || record->type->kind != AVRO_RECORD)
        return damaged(r, "it has no data_file");
    avro_find_long(record, 134, "content", &content);
    if (content < ICEBERG_DATA || content > ICEBERG_EQUALITY_DELETES)
        return damaged(r, "its content");
    if (!avro_find_bytes(record, 100, "file_path", &path) ||
        !avro_find_bytes(record, 101, "file_format", &format) ||
        !avro_find_long(record, 103, "record_count", &file->records) || file->records < 0 ||
        !avro_find_long(record, 104, "file_size_in_bytes", &file->bytes) || file->bytes < 0)
        return damaged(r, "path, format, record count or size of its file");
    file->content = (enum iceberg_content)content;
    file->sort_order_id = -1;
    get_int32(record, 140, "sort_order_id", &file->sort_order_id);
    TRY(keep(r, path, &file->path));
    TRY(keep_format(r, format, &file->format));
    TRY(read_partition(r, avro_find(record, 102, "partition"), file));
    TRY(read_columns(r, record, file));
    TRY(read_lists(r, record, file));
    TRY(keep_optional(r, record, 143, "referenced_data_file", &file->referenced_data_file));
    return keep_optional(r, record, 131, "key_metadata", &file->key_metadata);
}

/* Inheritance: numbers that an added entry lacks are those of its manifest. */
static enum status read_entry(struct reader *r, const struct avro_datum *record,
                              struct iceberg_entry *entry)
{
    int64_t status;
    if (!avro_find_long(record, 0, "status", &status) || status < ICEBERG_EXISTING ||
        status > ICEBERG_DELETED)
        return damaged(r, "its status");
    entry->status = (enum iceberg_status)status;
    entry->snapshot_id = r->from->added_snapshot_id;
    avro_find_long(record, 1, "snapshot_id", &entry->snapshot_id);
    bool inherits = status == ICEBERG_ADDED || r->from->sequence_number == 0;
    entry->sequence_number = inherits ? r->from->sequence_number : -1;
    entry->file_sequence_number = entry->sequence_number;
    avro_find_long(record, 3, "sequence_number", &entry->sequence_number);
    avro_find_long(record, 4, "file_sequence_number", &entry->file_sequence_number);
    if (entry->sequence_number < 0 && status != ICEBERG_DELETED)
        return damaged(r, "an existing file without a sequence number");
    return read_file(r, avro_find(record, 2, "data_file"), &entry->file);
}

static enum status grow(struct reader *r)
{
    if (r->len < r->cap)
        return STATUS_OK;
    if (r->cap >= ICEBERG_ENTRIES_MAX)
        return error_set(r->err, STATUS_RESOURCE_LIMIT, "a manifest has more than %d entries",
                         ICEBERG_ENTRIES_MAX);
    uint32_t cap = r->cap ? r->cap * 2 : 16;
    struct iceberg_entry *grown = arena_array(r->arena, cap, sizeof *grown);
    if (!grown)
        return error_no_memory(r->err);
    if (r->len)
        memcpy(grown, r->entries, r->len * sizeof *grown);
    r->entries = grown;
    r->cap = cap;
    return STATUS_OK;
}

static enum status read_entries(struct reader *r)
{
    struct arena record_arena;
    arena_init(&record_arena, 0);
    enum status status;
    for (;;) {
        const struct avro_datum *record;
        arena_release(&record_arena);
        status = avro_reader_next(&r->avro, &record_arena, &record, r->err);
        if (status != STATUS_OK || !record)
            break;
        status = grow(r);
        if (status == STATUS_OK)
            status = read_entry(r, record, &r->entries[r->len]);
        if (status != STATUS_OK)
            break;
        r->len++;
    }
    arena_release(&record_arena);
    return status;
}

enum status iceberg_manifest_read(struct slice bytes, const struct iceberg_manifest *from,
                                  const struct iceberg_partition_type *partition,
                                  struct arena *arena, struct iceberg_entry **ret,
                                  uint32_t *ret_len, struct error *err)
{
    struct reader reader = {.arena = arena, .from = from, .partition = partition, .err = err};
    enum status status = avro_reader_open(&reader.avro, bytes, err);
    if (status == STATUS_OK)
        status = read_entries(&reader);
    avro_reader_release(&reader.avro);
    *ret = reader.entries;
    *ret_len = status == STATUS_OK ? reader.len : 0;
    return status;
}

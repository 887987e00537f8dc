/* table_map.c: Quarry's columns, partitions and bounds in Iceberg's terms, and back.
 *
 * Partition columns become fields of the spec: timestamps by `day`, others by `identity`; columns
 * that the schema does not have yet are left out. Bounds are exact or absent, as in segment_meta.
 */
#include "storage/table/table_int.h"

#include <stdlib.h>

#include "base/datetime.h"
#include "storage/table/partition.h"

/* --- schemas --- */

enum status table_map_schema(const struct schema *schema, struct arena *arena,
                             struct iceberg_schema *ret, struct error *err)
{
    struct str *docs = arena_array(arena, schema->fields_len + 1u, sizeof *docs);
    if (!docs)
        return error_no_memory(err);
    for (uint32_t i = 0; i < schema->fields_len; i++)
        docs[i] = schema->traits[i].comment;
    TRY(iceberg_schema_of_fields(schema->fields, schema->fields_len, docs, arena, ret, err));
    ret->id = schema->id;
    return STATUS_OK;
}

enum status table_read_schema(const struct table_state *state, int32_t id, struct schema **ret,
                              struct error *err)
{
    struct arena arena;
    struct field *fields;
    uint32_t len;
    int64_t last_id = 0;
    const struct iceberg_metadata *m = &state->m;
    const struct iceberg_schema *from = iceberg_schema_find(m, id);
    struct str text = iceberg_property_find(m->properties, m->properties_len, TABLE_LAST_FIELD_ID);
    if (!from || from->fields_len > SCHEMA_FIELDS_MAX || !text.data ||
        !str_to_int64(text, &last_id) || last_id < 0 || last_id >= FIELD_ID_STEP)
        return error_set(err, STATUS_CORRUPT, "schema %d or " TABLE_LAST_FIELD_ID " is wrong", id);
    arena_init(&arena, 0);
    enum status status = iceberg_schema_to_fields(from, &arena, &fields, &len, err);
    if (status == STATUS_OK) {
        *ret = schema_new(fields, len, id, (int32_t)last_id, err);
        status = *ret ? STATUS_OK : STATUS_NO_MEMORY;
    }
    arena_release(&arena);
    return status;
}

static int compare_type(const void *key, const void *item)
{
    int32_t id = *(const int32_t *)key, other = ((const struct field_type *)item)->id;
    return id < other ? -1 : id > other;
}

bool table_field_type(const struct table_state *state, int32_t field_id, enum type *ret)
{
    const struct field_type *found =
        state->types_len
            ? bsearch(&field_id, state->types, state->types_len, sizeof *found, compare_type)
            : NULL;
    if (found)
        *ret = found->type;
    return found != NULL;
}

/* The id of a column, in any generation, by its present name; -1 when there is none. A definition
 * in source.json may be newer than the table's schema; what it does not have is not newer. */
static int32_t column_id(const struct table *table, struct str name)
{
    const struct iceberg_schema *schema = iceberg_current_schema(&table->state->m);
    int32_t id = source_config_field_id(table->config, name);
    for (uint32_t i = 0; i < schema->fields_len && id < 0; i++) {
        if (str_eq(schema->fields[i].name, name))
            id = schema->fields[i].id;
    }
    return id;
}

/* --- the partition spec --- */

static enum iceberg_transform_kind transform_of(enum type type)
{
    return type == TYPE_TIMESTAMP ? ICEBERG_DAY : ICEBERG_IDENTITY;
}

static bool same_sources(const struct iceberg_spec *a, const struct iceberg_spec *b)
{
    for (uint32_t i = 0; i < a->fields_len; i++) {
        if (a->fields_len != b->fields_len || a->fields[i].source_id != b->fields[i].source_id ||
            a->fields[i].transform.kind != b->fields[i].transform.kind)
            return false;
    }
    return a->fields_len == b->fields_len;
}

/* "<column>" for identity; else "<column>_day", which must not be the name of a column. */
static struct str field_name(const struct schema *schema, const struct field *field,
                             struct arena *arena)
{
    if (transform_of(field->type) == ICEBERG_IDENTITY)
        return arena_str(arena, field->name);
    char *name = arena_printf(arena, "%.*s_day", STR_ARG(field->name));
    while (name && schema_find(schema, str_of(name)) >= 0)
        name = arena_printf(arena, "%s_", name);
    return str_of(name);
}

enum status table_map_spec(const struct iceberg_metadata *m, const struct source_config *config,
                           const struct schema *schema, struct arena *arena,
                           struct iceberg_spec *ret, struct error *err)
{
    *ret = (struct iceberg_spec){0};
    ret->fields = arena_array(arena, config->partition_columns_len + 1u, sizeof *ret->fields);
    if (!ret->fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < config->partition_columns_len; i++) {
        int32_t at = schema_find(schema, config->partition_columns[i]);
        if (at < 0)
            continue;
        const struct field *field = &schema->fields[at];
        struct iceberg_partition_field *to = &ret->fields[ret->fields_len++];
        *to = (struct iceberg_partition_field){.source_id = field->id,
                                               .name = field_name(schema, field, arena),
                                               .transform = {.kind = transform_of(field->type)}};
        if (!to->name.data)
            return error_no_memory(err);
    }
    for (uint32_t i = 0; i < m->specs_len; i++) {
        if (same_sources(&m->specs[i], ret))
            *ret = m->specs[i];
    }
    return STATUS_OK;
}

enum status table_map_order(const struct source_config *config, const struct schema *schema,
                            struct arena *arena, struct iceberg_sort_order *ret, struct error *err)
{
    *ret = (struct iceberg_sort_order){0};
    int32_t at = config->index_columns_len ? schema_find(schema, config->index_columns[0]) : -1;
    if (at < 0)
        return STATUS_OK;
    ret->fields = ARENA_NEW(arena, struct iceberg_sort_field);
    if (!ret->fields)
        return error_no_memory(err);
    ret->fields[ret->fields_len++] = (struct iceberg_sort_field){
        .source_id = schema->fields[at].id, .transform = {.kind = ICEBERG_IDENTITY}};
    return STATUS_OK;
}

/* --- partition values --- */

/* Number of the partition column that a source id of a spec belongs to, in any of its types; -1. */
static int32_t partition_column(const struct source_config *config, const struct schema *schema,
                                int32_t source_id)
{
    for (uint32_t i = 0; i < config->partition_columns_len; i++) {
        int32_t at = schema_find(schema, config->partition_columns[i]);
        if (at >= 0 && field_id_base(schema->fields[at].id) == field_id_base(source_id))
            return (int32_t)i;
    }
    return -1;
}

static bool parse_value(enum iceberg_kind kind, struct str text, struct value *ret)
{
    int32_t days;
    if (!iceberg_carrier(kind, &ret->type))
        return false;
    switch (ret->type) {
    case TYPE_BOOL:
        ret->boolean = str_is(text, "true");
        return ret->boolean || str_is(text, "false");
    case TYPE_INT64:
        return str_to_int64(text, &ret->int64);
    case TYPE_DOUBLE:
        return str_to_double(text, &ret->real);
    case TYPE_DATE:
        if (!date_parse(text, &days))
            return false;
        ret->int64 = days;
        return true;
    case TYPE_STRING:
        ret->bytes = text;
        return true;
    default:
        return false;
    }
}

static enum status map_partition(const struct iceberg_metadata *m,
                                 const struct source_config *config, const struct schema *schema,
                                 const struct segment_meta *meta, int32_t spec_id,
                                 struct arena *arena, struct iceberg_data_file *ret,
                                 struct error *err)
{
    struct iceberg_partition_type type;
    const struct iceberg_spec *spec = iceberg_spec_find(m, spec_id);
    TRY(iceberg_partition_type_of(m, spec_id, arena, &type, err));
    ret->partition = arena_array(arena, type.fields_len + 1u, sizeof *ret->partition);
    if (!ret->partition)
        return error_no_memory(err);
    for (uint32_t i = 0; i < type.fields_len; i++) {
        int32_t at = partition_column(config, schema, spec->fields[i].source_id);
        struct value *value = &ret->partition[ret->partition_len++];
        struct str text =
            at >= 0 && (uint32_t)at < meta->partition_len ? meta->partition[at] : STR_NONE;
        value->is_null = !text.data;
        if (text.data && !parse_value(type.fields[i].type.kind, text, value))
            return error_set(err, STATUS_INTERNAL, "\"%.*s\" is no value of the partition column",
                             text.len < 100 ? (int)text.len : 100, text.data);
    }
    return STATUS_OK;
}

static enum status read_partition(const struct table *table, int32_t spec_id,
                                  const struct iceberg_data_file *file, struct arena *arena,
                                  struct segment_meta *ret, struct error *err)
{
    const struct source_config *config = table->config;
    const struct iceberg_metadata *m = &table->state->m;
    const struct iceberg_spec *spec = iceberg_spec_find(m, spec_id);
    ret->partition_len = config->partition_columns_len;
    ret->partition = arena_array(arena, ret->partition_len + 1u, sizeof *ret->partition);
    if (!ret->partition)
        return error_no_memory(err);
    for (uint32_t c = 0; spec && c < ret->partition_len; c++) {
        int32_t id = column_id(table, config->partition_columns[c]);
        for (uint32_t i = 0; id >= 0 && i < spec->fields_len && i < file->partition_len; i++) {
            const struct value *value = &file->partition[i];
            if (value->is_null || field_id_base(spec->fields[i].source_id) != field_id_base(id))
                continue;
            ret->partition[c] = partition_text(arena, value);
            if (!ret->partition[c].data)
                return error_no_memory(err);
        }
    }
    return STATUS_OK;
}

/* --- columns --- */

static enum iceberg_kind kind_of(enum type type)
{
    static const enum iceberg_kind kinds[TYPE_COUNT] = {
        [TYPE_BOOL] = ICEBERG_BOOLEAN,        [TYPE_INT64] = ICEBERG_LONG,
        [TYPE_DOUBLE] = ICEBERG_DOUBLE,       [TYPE_STRING] = ICEBERG_STRING,
        [TYPE_JSON] = ICEBERG_STRING,         [TYPE_DATE] = ICEBERG_DATE,
        [TYPE_TIMESTAMP] = ICEBERG_TIMESTAMP,
    };
    return kinds[type];
}

static enum status map_bound(enum type type, const struct value *value, struct arena *arena,
                             struct str *ret, struct error *err)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    enum status status = iceberg_bound_write(kind_of(type), value, &bytes, err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&bytes));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&bytes);
    return status;
}

static int compare_stats(const void *a, const void *b)
{
    const struct iceberg_column_stats *x = a, *y = b;
    return x->field_id < y->field_id ? -1 : x->field_id > y->field_id;
}

static enum status map_columns(const struct segment_meta *meta, struct arena *arena,
                               struct iceberg_data_file *ret, struct error *err)
{
    ret->columns = arena_array(arena, meta->columns_len + 1u, sizeof *ret->columns);
    if (!ret->columns)
        return error_no_memory(err);
    for (uint32_t i = 0; i < meta->columns_len; i++) {
        const struct segment_column *from = &meta->columns[i];
        if (from->field_id == FIELD_ID_NONE)
            continue;
        struct iceberg_column_stats *to = &ret->columns[ret->columns_len++];
        *to = (struct iceberg_column_stats){.field_id = from->field_id,
                                            .size = -1,
                                            .values = (int64_t)meta->rows,
                                            .nulls = (int64_t)from->nulls,
                                            .nans = from->type == TYPE_DOUBLE ? 0 : -1};
        if (!from->has_bounds)
            continue;
        TRY(map_bound(from->type, &from->min, arena, &to->lower, err));
        TRY(map_bound(from->type, &from->max, arena, &to->upper, err));
    }
    qsort(ret->columns, ret->columns_len, sizeof *ret->columns, compare_stats);
    return STATUS_OK;
}

static enum status read_column(const struct table *table, const struct iceberg_column_stats *from,
                               struct segment_column *to, struct error *err)
{
    *to = (struct segment_column){.field_id = from->field_id, .nulls = (uint64_t)from->nulls};
    if (!table_field_type(table->state, from->field_id, &to->type) || from->nulls < 0)
        return error_set(err, STATUS_CORRUPT, "statistics of a column that is not known");
    if (from->nulls > from->values)
        return error_set(err, STATUS_CORRUPT, "a column with more nulls than rows");
    to->has_bounds = from->lower.data && from->upper.data;
    if (!to->has_bounds)
        return STATUS_OK;
    TRY(iceberg_bound_read(kind_of(to->type), from->lower, &to->min, err));
    TRY(iceberg_bound_read(kind_of(to->type), from->upper, &to->max, err));
    to->min.type = to->max.type = to->type;
    return STATUS_OK;
}

/* A file's columns stand in the order of their ids; one without any has the column of nulls. */
static enum status read_columns(const struct table *table, const struct iceberg_data_file *file,
                                struct arena *arena, struct segment_meta *ret, struct error *err)
{
    ret->columns = arena_array(arena, file->columns_len + 1u, sizeof *ret->columns);
    if (!ret->columns)
        return error_no_memory(err);
    for (uint32_t i = 0; i < file->columns_len; i++)
        TRY(read_column(table, &file->columns[i], &ret->columns[ret->columns_len++], err));
    if (ret->columns_len == 0)
        ret->columns[ret->columns_len++] =
            (struct segment_column){FIELD_ID_NONE, TYPE_BOOL, ret->rows, false, {0}, {0}};
    return STATUS_OK;
}

/* The sidecars that the segment was made with are those of the indexes in force; where indexes were
 * added later the index thread looks for the files. */
static enum status read_indexes(const struct table *table, struct arena *arena,
                                struct segment_meta *ret, struct error *err)
{
    const struct source_config *config = table->config;
    ret->indexes = arena_array(arena, config->index_columns_len + 1u, sizeof *ret->indexes);
    if (!ret->indexes)
        return error_no_memory(err);
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        int32_t id = column_id(table, config->index_columns[i]);
        int32_t at = id < 0 ? -1 : segment_meta_column(ret, id);
        if (at >= 0)
            ret->indexes[ret->indexes_len++] =
                (struct segment_index){.field_id = ret->columns[at].field_id,
                                       .entries = ret->rows - ret->columns[at].nulls};
    }
    return STATUS_OK;
}

/* --- files --- */

enum status table_map_deletes(const struct iceberg_metadata *m, const struct source_config *config,
                              const struct schema *schema, const struct segment_meta *meta,
                              int32_t spec_id, const struct deletion_file *file,
                              struct arena *arena, struct iceberg_data_file *ret, struct error *err)
{
    char *uri = arena_printf(arena, "%.*s/%.*s", STR_ARG(m->location), STR_ARG(file->path));
    char *data = arena_printf(arena, "%.*s/%.*s", STR_ARG(m->location), STR_ARG(meta->path));
    struct iceberg_column_stats *column = ARENA_NEW(arena, struct iceberg_column_stats);
    if (!uri || !data || !column)
        return error_no_memory(err);
    /* Equal bounds of the path say that the deletes are of this one file. */
    *column = (struct iceberg_column_stats){.field_id = ICEBERG_FILE_PATH_ID,
                                            .size = -1,
                                            .values = (int64_t)file->rows,
                                            .nulls = 0,
                                            .nans = -1,
                                            .lower = str_of(data),
                                            .upper = str_of(data)};
    *ret = (struct iceberg_data_file){.content = ICEBERG_POSITION_DELETES,
                                      .path = str_of(uri),
                                      .format = STR("PARQUET"),
                                      .records = (int64_t)file->rows,
                                      .bytes = (int64_t)file->bytes,
                                      .columns = column,
                                      .columns_len = 1,
                                      .sort_order_id = -1,
                                      .referenced_data_file = str_of(data)};
    return map_partition(m, config, schema, meta, spec_id, arena, ret, err);
}

enum status table_map_file(const struct iceberg_metadata *m, const struct source_config *config,
                           const struct schema *schema, const struct segment_meta *meta,
                           struct arena *arena, struct iceberg_data_file *ret, struct error *err)
{
    char *uri = arena_printf(arena, "%.*s/%.*s", STR_ARG(m->location), STR_ARG(meta->path));
    if (!uri)
        return error_no_memory(err);
    *ret = (struct iceberg_data_file){.content = ICEBERG_DATA,
                                      .path = str_of(uri),
                                      .format = STR("PARQUET"),
                                      .records = (int64_t)meta->rows,
                                      .bytes = (int64_t)meta->bytes,
                                      .sort_order_id = -1};
    TRY(map_partition(m, config, schema, meta, m->default_spec_id, arena, ret, err));
    return map_columns(meta, arena, ret, err);
}

/* Below the location, in data/. */
static bool own_path(const struct table *table, struct str uri, struct str *ret)
{
    struct str location = table->state->m.location;
    if (!str_starts(uri, location) || uri.len <= location.len || uri.data[location.len] != '/')
        return false;
    *ret = str_make(uri.data + location.len + 1, uri.len - location.len - 1);
    return str_starts(*ret, STR("data/")) && !memchr(ret->data, 0, ret->len) &&
           !strstr(ret->data, "/../");
}

bool table_segment_path(const struct table *table, struct str uri, struct str *ret_path,
                        uint64_t *ret_id)
{
    int64_t id;
    if (!own_path(table, uri, ret_path))
        return false;
    struct str name = table_base_name(*ret_path);
    if (!str_ends(name, STR(".parquet")))
        return false;
    name.len -= STR(".parquet").len;
    if (!str_to_int64(name, &id) || id <= 0)
        return false;
    *ret_id = (uint64_t)id;
    return true;
}

/* data/.../<segment>.<id>.deletes.parquet */
enum status table_read_deletes(const struct table *table, const struct iceberg_data_file *file,
                               struct deletion_file *ret, uint64_t *ret_segment, struct error *err)
{
    struct str path, name, segment, id;
    int64_t numbers[2] = {0, 0};
    bool good = file->content == ICEBERG_POSITION_DELETES && own_path(table, file->path, &path);
    if (good) {
        name = table_base_name(path);
        good = str_ends(name, STR(".deletes.parquet")) && str_split(&name, '.', &segment) &&
               str_split(&name, '.', &id) && str_to_int64(segment, &numbers[0]) &&
               str_to_int64(id, &numbers[1]) && numbers[0] > 0 && numbers[1] > 0;
    }
    if (!good)
        return error_set(err, STATUS_CORRUPT, "\"%.*s\" is not a delete file of this table",
                         file->path.len < 300 ? (int)file->path.len : 300, file->path.data);
    *ret_segment = (uint64_t)numbers[0];
    *ret = (struct deletion_file){.id = (uint64_t)numbers[1],
                                  .rows = (uint64_t)file->records,
                                  .bytes = (uint64_t)file->bytes,
                                  .path = path};
    return STATUS_OK;
}

enum status table_read_file(const struct table *table, int32_t spec_id,
                            const struct iceberg_data_file *file, struct arena *arena,
                            struct segment_meta *ret, struct error *err)
{
    *ret = (struct segment_meta){.rows = (uint64_t)file->records, .bytes = (uint64_t)file->bytes};
    if (!table_segment_path(table, file->path, &ret->path, &ret->id))
        return error_set(err, STATUS_CORRUPT, "\"%.*s\" is not a data file of this table",
                         file->path.len < 300 ? (int)file->path.len : 300, file->path.data);
    TRY(read_partition(table, spec_id, file, arena, ret, err));
    TRY(read_columns(table, file, arena, ret, err));
    return read_indexes(table, arena, ret, err);
}

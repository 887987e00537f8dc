/* schema_alter.c: a list of changes applied to a copy of a schema, step by step, so that a list may
 * also swap two names. Nothing here touches the source. */
#include <stdlib.h>

#include "storage/store_int.h"

static int32_t find(const struct schema_draft *d, struct str name)
{
    for (uint32_t i = 0; i < d->len; i++) {
        if (str_eq(d->fields[i].name, name))
            return (int32_t)i;
    }
    return -1;
}

static int shown(struct str name)
{
    return name.len < 100 ? (int)name.len : 100;
}

static enum status find_column(const struct schema_draft *d, struct str name, uint32_t *ret,
                               struct error *err)
{
    int32_t at = find(d, name);
    if (at < 0)
        return error_set(err, STATUS_NOT_FOUND, "the source has no column \"%.*s\"", shown(name),
                         name.data ? name.data : "");
    *ret = (uint32_t)at;
    return STATUS_OK;
}

static enum status check_new_name(const struct schema_draft *d, struct str name, struct error *err)
{
    bool bad = name.len == 0 || name.len > FIELD_NAME_MAX;
    for (size_t i = 0; i < name.len && !bad; i++)
        bad = (unsigned char)name.data[i] < 0x20;
    if (bad)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a column name has 1 to %d bytes and no control characters",
                         FIELD_NAME_MAX);
    if (find(d, name) >= 0)
        return error_set(err, STATUS_CONFLICT, "there is a column \"%.*s\" already", shown(name),
                         name.data);
    return STATUS_OK;
}

static bool is_listed(const struct str *list, uint32_t len, struct str name)
{
    for (uint32_t i = 0; i < len; i++) {
        if (str_eq(list[i], name))
            return true;
    }
    return false;
}

static void rename_listed(struct str *list, uint32_t len, struct str from, struct str to)
{
    for (uint32_t i = 0; i < len; i++) {
        if (str_eq(list[i], from))
            list[i] = to;
    }
}

/* --- places --- */

/* Moves the column at `from` so that it stands at `to` of the list without it. */
static void move(struct schema_draft *d, uint32_t from, uint32_t to)
{
    struct field field = d->fields[from];
    struct field_traits traits = d->traits[from];
    memmove(d->fields + from, d->fields + from + 1, (d->len - from - 1) * sizeof *d->fields);
    memmove(d->traits + from, d->traits + from + 1, (d->len - from - 1) * sizeof *d->traits);
    memmove(d->fields + to + 1, d->fields + to, (d->len - to - 1) * sizeof *d->fields);
    memmove(d->traits + to + 1, d->traits + to, (d->len - to - 1) * sizeof *d->traits);
    d->fields[to] = field;
    d->traits[to] = traits;
}

static enum status place(struct schema_draft *d, uint32_t at, const struct schema_change *change,
                         struct error *err)
{
    uint32_t other = 0;
    if (change->place == PLACE_LAST || change->place == PLACE_FIRST) {
        move(d, at, change->place == PLACE_FIRST ? 0 : d->len - 1);
        return STATUS_OK;
    }
    TRY(find_column(d, change->other, &other, err));
    if (other == at)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a column cannot stand beside itself");
    if (other > at) /* it moves up when the column is taken out */
        other--;
    move(d, at, change->place == PLACE_BEFORE ? other : other + 1);
    return STATUS_OK;
}

/* --- steps --- */

static enum status comment(struct schema_draft *d, uint32_t at, struct str text, struct error *err)
{
    if (text.len > COMMENT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a comment has at most %d bytes",
                         COMMENT_MAX);
    d->traits[at].comment = text;
    return STATUS_OK;
}

static enum status read_value(const struct schema_draft *d, const struct field *field,
                              yyjson_val *json, const struct value **ret, struct error *err)
{
    *ret = NULL;
    if (!json || yyjson_is_null(json))
        return STATUS_OK;
    struct value *value = ARENA_NEW(d->arena, struct value);
    if (!value)
        return error_no_memory(err);
    if (!value_read_json(json, field->type, d->arena, value))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the default of column \"%.*s\" must be of type %s, found %s",
                         shown(field->name), field->name.data, type_name(field->type),
                         json_kind_name(json));
    if (type_is_bytes(value->type) && value->bytes.len > DEFAULT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a default value has at most %d bytes",
                         DEFAULT_MAX);
    *ret = value;
    return STATUS_OK;
}

static enum status add(struct schema_draft *d, const struct schema_change *change,
                       struct error *err)
{
    TRY(check_new_name(d, change->column, err));
    if (d->len == SCHEMA_FIELDS_MAX || d->last_field_id == FIELD_ID_STEP - 1)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a source has at most %d columns",
                         SCHEMA_FIELDS_MAX);
    uint32_t at = d->len++;
    d->fields[at] =
        (struct field){.name = change->column, .type = change->type, .id = ++d->last_field_id};
    d->traits[at] = (struct field_traits){.declared = true, .required = change->required};
    TRY(comment(d, at, change->to, err));
    TRY(read_value(d, &d->fields[at], change->value, &d->traits[at].initial, err));
    d->traits[at].fill = d->traits[at].initial;
    return place(d, at, change, err);
}

static enum status check_no_key(const struct schema_draft *d, struct str name, struct error *err)
{
    if (!is_listed(d->config->key_columns, d->config->key_columns_len, name))
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT,
                     "\"%.*s\" is a key column: records are told apart by it, so it stays as it is",
                     shown(name), name.data);
}

/* One over several columns; of a column that the list of changes has added there is none. */
static enum status check_no_composite(const struct schema_draft *d, const struct field *field,
                                      struct error *err)
{
    const struct source_config *config = d->config;
    for (uint32_t i = 0; i < config->composites_len; i++) {
        const struct composite_config *composite = &config->composites[i];
        for (uint32_t k = 0; k < composite->fields_len; k++)
            if (composite->fields[k] == field_id_base(field->id))
                return error_set(err, STATUS_CONFLICT,
                                 "\"%.*s\" is in index %u over several columns: drop that first "
                                 "(DELETE /sources/{id}/indexes/%u?composite=true)",
                                 shown(field->name), field->name.data, composite->number,
                                 composite->number);
    }
    return STATUS_OK;
}

static enum status drop(struct schema_draft *d, uint32_t at, struct error *err)
{
    struct str name = d->fields[at].name;
    TRY(check_no_key(d, name, err));
    if (is_listed(d->partition, d->config->partition_columns_len, name))
        return error_set(err, STATUS_CONFLICT,
                         "\"%.*s\" is a partition column: files are divided by it, so it stays; "
                         "make a source without it and load the rows into that one",
                         shown(name), name.data);
    if (is_listed(d->index, d->config->index_columns_len, name))
        return error_set(err, STATUS_CONFLICT,
                         "\"%.*s\" has an index: drop that first (DELETE "
                         "/sources/{id}/indexes/{column})",
                         shown(name), name.data);
    TRY(check_no_composite(d, &d->fields[at], err));
    if (d->retention.len && str_eq(d->retention, name))
        return error_set(err, STATUS_CONFLICT,
                         "\"%.*s\" is the retention column: choose another first (POST "
                         "/sources/{id}/settings)",
                         shown(name), name.data);
    move(d, at, d->len - 1);
    d->len--;
    return STATUS_OK;
}

static enum status rename_column(struct schema_draft *d, uint32_t at,
                                 const struct schema_change *change, struct error *err)
{
    if (str_eq(change->column, change->to))
        return STATUS_OK;
    TRY(check_no_key(d, change->column, err));
    TRY(check_new_name(d, change->to, err));
    rename_listed(d->partition, d->config->partition_columns_len, change->column, change->to);
    rename_listed(d->index, d->config->index_columns_len, change->column, change->to);
    if (str_eq(d->retention, change->column))
        d->retention = change->to;
    d->fields[at].name = change->to;
    return STATUS_OK;
}

static enum status widen(struct schema_draft *d, uint32_t at, enum type type, struct error *err)
{
    struct field *field = &d->fields[at];
    int32_t before = schema_find_id(d->schema, field->id);
    if (field->type == type)
        return STATUS_OK;
    if (!type_can_widen(field->type, type))
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "column \"%.*s\" cannot become %s from %s: int64 widens to double, date to "
            "timestamp; for others add a column",
            shown(field->name), field->name.data, type_name(type), type_name(field->type));
    if (field->type == TYPE_INT64 && before >= 0 && d->big_ints[before >> 3] >> (before & 7) & 1)
        return error_set(err, STATUS_CONFLICT,
                         "column \"%.*s\" holds integers beyond 2^53, which a double cannot hold",
                         shown(field->name), field->name.data);
    field->type = type;
    field->id = field_id_widened(field->id);
    return STATUS_OK;
}

static enum status set_default(struct schema_draft *d, uint32_t at,
                               const struct schema_change *change, struct error *err)
{
    return read_value(d, &d->fields[at], change->value, &d->traits[at].fill, err);
}

static enum status apply(struct schema_draft *d, const struct schema_change *change,
                         struct error *err)
{
    uint32_t at = 0;
    if (change->kind == SCHEMA_ADD)
        return add(d, change, err);
    TRY(find_column(d, change->column, &at, err));
    switch (change->kind) {
    case SCHEMA_DROP:
        return drop(d, at, err);
    case SCHEMA_RENAME:
        return rename_column(d, at, change, err);
    case SCHEMA_WIDEN:
        return widen(d, at, change->type, err);
    case SCHEMA_MOVE:
        return place(d, at, change, err);
    case SCHEMA_COMMENT:
        return comment(d, at, change->to, err);
    case SCHEMA_DEFAULT:
        return set_default(d, at, change, err);
    default:
        d->traits[at].required = change->required;
        return STATUS_OK;
    }
}

/* --- all --- */

static enum status begin(struct schema_draft *d, struct error *err)
{
    const struct schema *schema = d->schema;
    const struct source_config *config = d->config;
    d->fields = arena_array(d->arena, SCHEMA_FIELDS_MAX + 1, sizeof *d->fields);
    d->traits = arena_array(d->arena, SCHEMA_FIELDS_MAX + 1, sizeof *d->traits);
    d->partition = arena_array(d->arena, SOURCE_COLUMNS_LISTED_MAX, sizeof *d->partition);
    d->index = arena_array(d->arena, SOURCE_COLUMNS_LISTED_MAX, sizeof *d->index);
    if (!d->fields || !d->traits || !d->partition || !d->index)
        return error_no_memory(err);
    d->len = schema->fields_len;
    d->last_field_id = schema->last_field_id;
    for (uint32_t i = 0; i < d->len; i++) {
        d->fields[i] = schema->fields[i];
        d->traits[i] = schema->traits[i];
    }
    d->retention = config->settings.retention_column;
    for (uint32_t i = 0; i < config->partition_columns_len; i++)
        d->partition[i] = config->partition_columns[i];
    for (uint32_t i = 0; i < config->index_columns_len; i++)
        d->index[i] = config->index_columns[i];
    return STATUS_OK;
}

enum status schema_draft_make(struct arena *arena, const struct schema *schema,
                              const struct source_config *config, const uint8_t *big_ints,
                              const struct schema_change *changes, uint32_t len,
                              struct schema_draft *ret, struct error *err)
{
    if (len == 0 || len > SCHEMA_CHANGES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a list of changes has 1 to %d of them",
                         SCHEMA_CHANGES_MAX);
    *ret = (struct schema_draft){
        .arena = arena, .schema = schema, .config = config, .big_ints = big_ints};
    TRY(begin(ret, err));
    for (uint32_t i = 0; i < len; i++) {
        struct error local = ERROR_INIT;
        enum status status = apply(ret, &changes[i], &local);
        if (status != STATUS_OK)
            return error_set(err, status, "change %u of %u: %s", i + 1, len, local.message);
    }
    return STATUS_OK;
}

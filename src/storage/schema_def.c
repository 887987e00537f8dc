/* schema_def.c: a schema as source.json holds it once source_alter has changed it, and how it meets
 * the schemas of the snapshots, which know names, types and ids only.
 *
 * Writing source.json is what commits a change (source_schema.c), so at a start the definition
 * rules unless the current snapshot's schema is newer: that one has grown from it by records.
 * Traits go by field id, to every state that has the field. */
#include "storage/store_int.h"

#include <stdlib.h>

static bool copy_columns(struct arena *arena, const struct schema_def *from, uint32_t len,
                         struct schema_def *to)
{
    struct field *fields = arena_array(arena, len + 1u, sizeof *fields);
    struct field_traits *traits = arena_array(arena, len + 1u, sizeof *traits);
    for (uint32_t i = 0; fields && traits && i < len; i++) {
        fields[i] = from->fields[i];
        fields[i].name = arena_str(arena, from->fields[i].name);
        if (!fields[i].name.data ||
            !field_traits_copy(arena, &from->traits[i], fields[i].type, &traits[i]))
            return false;
    }
    to->fields = fields;
    to->traits = traits;
    return fields && traits;
}

const struct schema_def *schema_def_copy(struct arena *arena, const struct schema_def *from)
{
    struct schema_def *to = ARENA_NEW(arena, struct schema_def);
    if (!to)
        return NULL;
    *to = *from;
    return copy_columns(arena, from, from->fields_len + from->gone_len, to) ? to : NULL;
}

/* --- as JSON --- */

static void write_default(struct json_writer *w, const char *key, const struct value *value)
{
    if (!value)
        return;
    json_keyz(w, key);
    value_write_json(w, value);
}

static void write_column(struct json_writer *w, const struct field *field,
                         const struct field_traits *traits)
{
    json_begin_object(w);
    json_kv_int(w, "id", field->id);
    json_kv_str(w, "name", field->name);
    json_kv_strz(w, "type", type_name(field->type));
    if (traits->declared)
        json_kv_bool(w, "declared", true);
    if (traits->required)
        json_kv_bool(w, "required", true);
    if (traits->comment.data)
        json_kv_str(w, "comment", traits->comment);
    write_default(w, "initial_default", traits->initial);
    write_default(w, "default", traits->fill);
    json_end_object(w);
}

void schema_def_write(struct json_writer *w, const struct schema_def *def)
{
    json_begin_object(w);
    json_kv_int(w, "id", def->id);
    json_kv_int(w, "last_field_id", def->last_field_id);
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; i < def->fields_len; i++)
        write_column(w, &def->fields[i], &def->traits[i]);
    json_end_array(w);
    json_keyz(w, "gone");
    json_begin_array(w);
    for (uint32_t i = def->fields_len; i < def->fields_len + def->gone_len; i++)
        write_column(w, &def->fields[i], &def->traits[i]);
    json_end_array(w);
    json_end_object(w);
}

static bool read_default(yyjson_val *json, enum type type, struct arena *arena,
                         const struct value **ret)
{
    if (!json)
        return true;
    struct value *value = ARENA_NEW(arena, struct value);
    *ret = value;
    return value && value_read_json(json, type, arena, value);
}

static bool read_column(yyjson_val *json, struct arena *arena, int32_t last_id, struct field *field,
                        struct field_traits *traits)
{
    struct str name = json_str_of(json_get(json, "name"));
    struct str type = json_str_of(json_get(json, "type"));
    struct str comment = json_str_of(json_get(json, "comment"));
    int64_t id = yyjson_get_sint(json_get(json, "id"));
    if (!name.data || name.len == 0 || name.len > FIELD_NAME_MAX || id < 1 || id >= INT32_MAX ||
        field_id_base((int32_t)id) > last_id || !type.data || !type_parse(type, &field->type))
        return false;
    field->id = (int32_t)id;
    field->name = arena_str(arena, name);
    traits->declared = yyjson_get_bool(json_get(json, "declared"));
    traits->required = yyjson_get_bool(json_get(json, "required"));
    traits->comment = comment.data ? arena_str(arena, comment) : STR_NONE;
    return field->name.data && (!comment.data || traits->comment.data) &&
           read_default(json_get(json, "initial_default"), field->type, arena, &traits->initial) &&
           read_default(json_get(json, "default"), field->type, arena, &traits->fill);
}

static bool read_columns(yyjson_val *list, struct arena *arena, int32_t last_id,
                         struct field *fields, struct field_traits *traits)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, i, max, item)
    {
        if (!read_column(item, arena, last_id, &fields[i], &traits[i]))
            return false;
    }
    return true;
}

static bool are_distinct(const struct field *fields, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (field_id_base(fields[i].id) == field_id_base(fields[k].id) ||
                str_eq(fields[i].name, fields[k].name))
                return false;
        }
    }
    return true;
}

const struct schema_def *schema_def_read(yyjson_val *json, struct arena *arena)
{
    yyjson_val *columns = json_get(json, "columns"), *gone = json_get(json, "gone");
    int64_t id = yyjson_get_sint(json_get(json, "id"));
    int64_t last_id = yyjson_get_sint(json_get(json, "last_field_id"));
    size_t len = yyjson_arr_size(columns), gone_len = yyjson_arr_size(gone);
    struct schema_def *def = ARENA_NEW(arena, struct schema_def);
    if (!def || !yyjson_is_arr(columns) || !yyjson_is_arr(gone) || len > SCHEMA_FIELDS_MAX ||
        gone_len > SCHEMA_GONE_MAX || id < 1 || id > INT32_MAX || last_id < 0 ||
        last_id >= FIELD_ID_STEP)
        return NULL;
    struct field *fields = arena_array(arena, len + gone_len + 1, sizeof *fields);
    struct field_traits *traits = arena_array(arena, len + gone_len + 1, sizeof *traits);
    if (!fields || !traits || !read_columns(columns, arena, (int32_t)last_id, fields, traits) ||
        !read_columns(gone, arena, (int32_t)last_id, fields + len, traits + len) ||
        !are_distinct(fields, (uint32_t)len))
        return NULL;
    *def = (struct schema_def){.id = (int32_t)id,
                               .last_field_id = (int32_t)last_id,
                               .fields = fields,
                               .traits = traits,
                               .fields_len = (uint32_t)len,
                               .gone_len = (uint32_t)gone_len};
    return def;
}

int32_t source_config_field_id(const struct source_config *config, struct str name)
{
    for (uint32_t i = 0; config->schema && i < config->schema->fields_len; i++) {
        if (str_eq(config->schema->fields[i].name, name))
            return config->schema->fields[i].id;
    }
    return -1;
}

/* --- at a start --- */

static const struct field_traits *traits_of(const struct schema_def *def, uint32_t hint, int32_t id)
{
    uint32_t len = def ? def->fields_len + def->gone_len : 0;
    if (hint < len && field_id_base(def->fields[hint].id) == field_id_base(id))
        return &def->traits[hint];
    for (uint32_t i = 0; i < len; i++) {
        if (field_id_base(def->fields[i].id) == field_id_base(id))
            return &def->traits[i];
    }
    return NULL;
}

/* The stored schema with traits. Columns of the first declaration have the first ids. */
static struct schema *dress(const struct schema *stored, const struct source_config *config,
                            struct error *err)
{
    struct schema_def def = {.id = stored->id,
                             .last_field_id = stored->last_field_id,
                             .fields = stored->fields,
                             .fields_len = stored->fields_len};
    struct field_traits *traits = calloc(stored->fields_len + 1u, sizeof *traits);
    if (!traits) {
        error_no_memory(err);
        return NULL;
    }
    for (uint32_t i = 0; i < stored->fields_len; i++) {
        int32_t id = stored->fields[i].id;
        const struct field_traits *known = traits_of(config->schema, i, id);
        traits[i] = known ? *known
                          : (struct field_traits){.declared = field_id_base(id) <=
                                                              (int32_t)config->fields_len};
    }
    def.traits = traits;
    struct schema *schema = schema_make(&def, 1, err);
    free(traits);
    return schema;
}

/* Neighbours of one schema share it. `last`: the one before, borrowed. */
static enum status dress_snapshot(struct snapshot *snapshot, const struct source_config *config,
                                  struct schema **last, struct error *err)
{
    bool same = *last && (*last)->id == snapshot->schema->id;
    struct schema *dressed = same ? schema_ref(*last) : dress(snapshot->schema, config, err);
    if (!dressed)
        return STATUS_NO_MEMORY;
    schema_unref(snapshot->schema);
    snapshot->schema = dressed;
    *last = dressed;
    return STATUS_OK;
}

enum status schema_load(struct source *source, struct error *err)
{
    const struct source_config *config = &source->config;
    const struct schema_def *def = config->schema;
    struct schema *last = NULL;
    bool behind = def && def->id > source->snapshot->schema->id;
    for (uint32_t i = 0; i < source->history.len; i++) {
        if (source->history.entries[i].snapshot)
            TRY(dress_snapshot(source->history.entries[i].snapshot, config, &last, err));
    }
    if (!behind) {
        TRY(dress_snapshot(source->snapshot, config, &last, err));
    } else { /* the change was committed, the snapshot that shows it was not */
        struct schema *schema = schema_make(def, 1, err);
        if (!schema)
            return STATUS_NO_MEMORY;
        schema_unref(source->snapshot->schema);
        source->snapshot->schema = schema;
    }
    schema_unref(source->schema);
    source->schema = schema_ref(source->snapshot->schema);
    return STATUS_OK;
}

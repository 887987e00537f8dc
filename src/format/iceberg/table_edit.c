/* table_edit.c: changes of the metadata alone, and the metadata file itself. */
#include "format/iceberg/table_int.h"

enum status iceberg_table_new(struct uuid uuid, struct str location,
                              const struct iceberg_schema *schema, const struct iceberg_spec *spec,
                              const struct iceberg_property *properties, uint32_t properties_len,
                              int64_t now_ms, struct arena *arena, struct iceberg_metadata *ret,
                              struct error *err)
{
    struct iceberg_edit edit = {.arena = arena};
    char *text = arena_alloc(arena, UUID_TEXT_LEN + 1);
    struct iceberg_sort_order *unsorted = ARENA_NEW(arena, struct iceberg_sort_order);
    if (!text || !unsorted)
        return error_no_memory(err);
    uuid_format(uuid, text);
    while (location.len && location.data[location.len - 1] == '/')
        location.len--;
    edit.m = (struct iceberg_metadata){.format_version = 2,
                                       .table_uuid = str_make(text, UUID_TEXT_LEN),
                                       .location = location,
                                       .last_updated_ms = now_ms,
                                       .last_partition_id = ICEBERG_FIRST_PARTITION_ID - 1,
                                       .orders = unsorted,
                                       .orders_len = 1,
                                       .current_snapshot_id = -1};
    TRY(iceberg_edit_schema(&edit, schema, err));
    TRY(iceberg_edit_spec(&edit, spec, err));
    for (uint32_t i = 0; i < properties_len; i++)
        TRY(iceberg_edit_property(&edit, properties[i].key, properties[i].value, err));
    *ret = edit.m;
    return STATUS_OK;
}

enum status iceberg_edit_begin(struct iceberg_edit *edit, const struct iceberg_metadata *old,
                               struct str old_path, int64_t now_ms, struct arena *arena,
                               struct error *err)
{
    *edit = (struct iceberg_edit){.arena = arena, .m = *old, .old_path = old_path};
    edit->now_ms = now_ms > old->last_updated_ms ? now_ms : old->last_updated_ms;
    edit->old_updated_ms = old->last_updated_ms;
    edit->m.format_version = 2;
    edit->m.last_updated_ms = edit->now_ms;
    if (!old->table_uuid.len) { /* version 1 may have none: one that stays the same */
        char *text = arena_alloc(arena, UUID_TEXT_LEN + 1);
        if (!text)
            return error_no_memory(err);
        uuid_format(iceberg_content_uuid(old->location), text);
        edit->m.table_uuid = str_make(text, UUID_TEXT_LEN);
    }
    return STATUS_OK;
}

void *iceberg_grown(struct arena *arena, const void *items, uint32_t len, size_t size,
                    struct error *err)
{
    void *grown = arena_array(arena, (size_t)len + 1, size);
    if (!grown)
        (void)error_no_memory(err);
    else if (len)
        memcpy(grown, items, len * size);
    return grown;
}

static int32_t largest_id(const struct iceberg_field *fields, uint32_t len)
{
    int32_t largest = 0;
    for (uint32_t i = 0; i < len; i++) {
        int32_t inner = largest_id(fields[i].type.fields, fields[i].type.fields_len);
        if (fields[i].id > largest)
            largest = fields[i].id;
        if (inner > largest)
            largest = inner;
    }
    return largest;
}

enum status iceberg_edit_schema(struct iceberg_edit *edit, const struct iceberg_schema *schema,
                                struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    int32_t id = 0;
    for (uint32_t i = 0; i < m->schemas_len; i++) {
        if (m->schemas[i].id >= id)
            id = m->schemas[i].id + 1;
    }
    for (uint32_t i = 0; i < m->schemas_len && schema->id < id; i++) {
        if (iceberg_schema_equal(&m->schemas[i], schema)) {
            m->current_schema_id = m->schemas[i].id;
            return STATUS_OK;
        }
    }
    if (schema->id > id)
        id = schema->id;
    struct iceberg_schema *grown =
        iceberg_grown(edit->arena, m->schemas, m->schemas_len, sizeof *grown, err);
    if (!grown)
        return STATUS_NO_MEMORY;
    grown[m->schemas_len] = *schema;
    grown[m->schemas_len++].id = id;
    m->schemas = grown;
    m->current_schema_id = id;
    int32_t largest = largest_id(schema->fields, schema->fields_len);
    if (largest > m->last_column_id)
        m->last_column_id = largest;
    return STATUS_OK;
}

static bool same_transform(struct iceberg_transform a, struct iceberg_transform b)
{
    return a.kind == b.kind && a.param == b.param && str_eq(a.text, b.text);
}

static bool same_spec(const struct iceberg_spec *a, const struct iceberg_spec *b)
{
    if (a->fields_len != b->fields_len)
        return false;
    for (uint32_t i = 0; i < a->fields_len; i++) {
        const struct iceberg_partition_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->source_id != y->source_id || !same_transform(x->transform, y->transform) ||
            !str_eq(x->name, y->name) || (y->field_id && x->field_id != y->field_id))
            return false;
    }
    return true;
}

static int32_t partition_field_id(struct iceberg_metadata *m,
                                  const struct iceberg_partition_field *field)
{
    for (uint32_t i = 0; i < m->specs_len; i++)
        for (uint32_t f = 0; f < m->specs[i].fields_len; f++) {
            const struct iceberg_partition_field *old = &m->specs[i].fields[f];
            if (old->source_id == field->source_id &&
                same_transform(old->transform, field->transform) && str_eq(old->name, field->name))
                return old->field_id;
        }
    return m->last_partition_id + 1;
}

enum status iceberg_edit_spec(struct iceberg_edit *edit, const struct iceberg_spec *spec,
                              struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    int32_t id = 0;
    for (uint32_t i = 0; i < m->specs_len; i++) {
        if (same_spec(&m->specs[i], spec)) {
            m->default_spec_id = m->specs[i].id;
            return STATUS_OK;
        }
        if (m->specs[i].id >= id)
            id = m->specs[i].id + 1;
    }
    struct iceberg_spec *grown =
        iceberg_grown(edit->arena, m->specs, m->specs_len, sizeof *grown, err);
    struct iceberg_partition_field *fields =
        iceberg_grown(edit->arena, spec->fields, spec->fields_len, sizeof *spec->fields, err);
    if (!grown || !fields)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < spec->fields_len; i++) {
        if (fields[i].field_id == 0)
            fields[i].field_id = partition_field_id(m, &fields[i]);
        if (fields[i].field_id > m->last_partition_id)
            m->last_partition_id = fields[i].field_id;
    }
    grown[m->specs_len++] = (struct iceberg_spec){id, fields, spec->fields_len};
    m->specs = grown;
    m->default_spec_id = id;
    return STATUS_OK;
}

static bool same_order(const struct iceberg_sort_order *a, const struct iceberg_sort_order *b)
{
    if (a->fields_len != b->fields_len)
        return false;
    for (uint32_t i = 0; i < a->fields_len; i++) {
        const struct iceberg_sort_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->source_id != y->source_id || !same_transform(x->transform, y->transform) ||
            x->descending != y->descending || x->nulls_last != y->nulls_last)
            return false;
    }
    return true;
}

enum status iceberg_edit_order(struct iceberg_edit *edit, const struct iceberg_sort_order *order,
                               struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    int32_t id = order->fields_len ? 1 : 0;
    for (uint32_t i = 0; i < m->orders_len; i++) {
        if (same_order(&m->orders[i], order)) {
            m->default_order_id = m->orders[i].id;
            return STATUS_OK;
        }
        if (m->orders[i].id >= id)
            id = m->orders[i].id + 1;
    }
    struct iceberg_sort_order *grown =
        iceberg_grown(edit->arena, m->orders, m->orders_len, sizeof *grown, err);
    if (!grown)
        return STATUS_NO_MEMORY;
    grown[m->orders_len] = *order;
    grown[m->orders_len++].id = id;
    m->orders = grown;
    m->default_order_id = id;
    return STATUS_OK;
}

enum status iceberg_edit_property(struct iceberg_edit *edit, struct str key, struct str value,
                                  struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    struct iceberg_property *grown =
        iceberg_grown(edit->arena, m->properties, m->properties_len, sizeof *grown, err);
    if (!grown)
        return STATUS_NO_MEMORY;
    uint32_t len = 0;
    for (uint32_t i = 0; i < m->properties_len; i++)
        if (!str_eq(grown[i].key, key))
            grown[len++] = grown[i];
    if (value.data)
        grown[len++] = (struct iceberg_property){key, value};
    m->properties = grown;
    m->properties_len = len;
    return STATUS_OK;
}

enum status iceberg_set_ref(struct iceberg_edit *edit, struct str name, bool is_tag,
                            int64_t snapshot_id, struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    struct iceberg_ref *grown =
        iceberg_grown(edit->arena, m->refs, m->refs_len, sizeof *grown, err);
    if (!grown)
        return STATUS_NO_MEMORY;
    struct iceberg_ref ref = {.name = name,
                              .is_tag = is_tag,
                              .max_ref_age_ms = -1,
                              .max_snapshot_age_ms = -1,
                              .min_snapshots_to_keep = -1};
    uint32_t len = 0;
    for (uint32_t i = 0; i < m->refs_len; i++) {
        if (str_eq(grown[i].name, name))
            ref = grown[i];
        else
            grown[len++] = grown[i];
    }
    ref.snapshot_id = snapshot_id;
    ref.is_tag = is_tag;
    if (snapshot_id >= 0)
        grown[len++] = ref;
    m->refs = grown;
    m->refs_len = len;
    return STATUS_OK;
}

enum status iceberg_edit_ref(struct iceberg_edit *edit, struct str name, bool is_tag,
                             int64_t snapshot_id, struct error *err)
{
    if (name.len == 0 || str_is(name, "main"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the branch main is not set by name");
    if (snapshot_id >= 0 && !iceberg_snapshot_find(&edit->m, snapshot_id))
        return error_set(err, STATUS_NOT_FOUND, "snapshot %lld does not exist",
                         (long long)snapshot_id);
    return iceberg_set_ref(edit, name, is_tag, snapshot_id, err);
}

enum status iceberg_make_current(struct iceberg_edit *edit, int64_t snapshot_id, struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    struct iceberg_log_entry *grown =
        iceberg_grown(edit->arena, m->snapshot_log, m->snapshot_log_len, sizeof *grown, err);
    if (!grown)
        return STATUS_NO_MEMORY;
    grown[m->snapshot_log_len++] =
        (struct iceberg_log_entry){.timestamp_ms = edit->now_ms, .snapshot_id = snapshot_id};
    m->snapshot_log = grown;
    m->current_snapshot_id = snapshot_id;
    return iceberg_set_ref(edit, STR("main"), false, snapshot_id, err);
}

enum status iceberg_edit_rollback(struct iceberg_edit *edit, int64_t snapshot_id, struct error *err)
{
    if (!iceberg_snapshot_find(&edit->m, snapshot_id))
        return error_set(err, STATUS_NOT_FOUND, "snapshot %lld does not exist",
                         (long long)snapshot_id);
    return iceberg_make_current(edit, snapshot_id, err);
}

enum status iceberg_edit_file(struct iceberg_edit *edit, struct str path, struct str bytes,
                              struct error *err)
{
    if (edit->files_len == edit->files_cap) {
        uint32_t cap = edit->files_cap ? edit->files_cap * 2 : 8;
        struct iceberg_file *grown = arena_array(edit->arena, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        if (edit->files_len)
            memcpy(grown, edit->files, edit->files_len * sizeof *grown);
        edit->files = grown;
        edit->files_cap = cap;
    }
    struct str copy = arena_str(edit->arena, bytes);
    if (!copy.data)
        return error_no_memory(err);
    edit->files[edit->files_len++] = (struct iceberg_file){path, {copy.data, copy.len}};
    return STATUS_OK;
}

/* The old file joins the metadata log; the oldest ones leave it. */
static enum status push_metadata_log(struct iceberg_edit *edit, uint32_t log_max,
                                     int64_t old_updated_ms, struct error *err)
{
    struct iceberg_metadata *m = &edit->m;
    if (!edit->old_path.data)
        return STATUS_OK;
    struct iceberg_log_entry *grown =
        iceberg_grown(edit->arena, m->metadata_log, m->metadata_log_len, sizeof *grown, err);
    if (!grown)
        return STATUS_NO_MEMORY;
    grown[m->metadata_log_len++] =
        (struct iceberg_log_entry){.timestamp_ms = old_updated_ms, .metadata_file = edit->old_path};
    uint32_t drop = m->metadata_log_len > log_max ? m->metadata_log_len - log_max : 0;
    edit->old_metadata = arena_array(edit->arena, drop + 1, sizeof(struct str));
    if (!edit->old_metadata)
        return error_no_memory(err);
    for (uint32_t i = 0; i < drop; i++)
        edit->old_metadata[edit->old_metadata_len++] = grown[i].metadata_file;
    m->metadata_log = grown + drop;
    m->metadata_log_len -= drop;
    return STATUS_OK;
}

static enum status name_metadata(struct iceberg_edit *edit, int64_t version, struct str json,
                                 struct error *err)
{
    char name[ICEBERG_NAME_MAX];
    iceberg_metadata_name(version, json, name);
    char *path = arena_printf(edit->arena, "%.*s/metadata/%s", STR_ARG(edit->m.location), name);
    if (!path)
        return error_no_memory(err);
    edit->metadata_path = str_of(path);
    return iceberg_edit_file(edit, edit->metadata_path, json, err);
}

enum status iceberg_edit_finish(struct iceberg_edit *edit, uint32_t log_max, struct error *err)
{
    struct buf json;
    int64_t version = -1;
    if (edit->old_path.data && !iceberg_metadata_version(edit->old_path, &version))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.*s' is not the name of a metadata file",
                         (int)(edit->old_path.len < 200 ? edit->old_path.len : 200),
                         edit->old_path.data);
    if (++version < edit->version_min)
        version = edit->version_min;
    TRY(push_metadata_log(edit, log_max ? log_max : ICEBERG_METADATA_LOG, edit->old_updated_ms,
                          err));
    buf_init(&json, ICEBERG_JSON_MAX);
    enum status status = iceberg_metadata_write(&edit->m, &json, err);
    if (status == STATUS_OK)
        status = name_metadata(edit, version, buf_str(&json), err);
    buf_release(&json);
    return status;
}

/* table.c: a source's Iceberg table: opening it, and the files of metadata/ (see table.h). */
#include "storage/table/table_int.h"

#include <stdlib.h>
#include <unistd.h>

/* --- names --- */

struct str table_base_name(struct str path)
{
    for (size_t i = path.len; i > 0; i--) {
        if (path.data[i - 1] == '/')
            return str_make(path.data + i, path.len - i);
    }
    return path;
}

struct str table_metadata_uri(const struct table *table, const char *name, struct arena *arena)
{
    return str_of(arena_printf(arena, "%.*s/metadata/%s", STR_ARG(table->state->m.location), name));
}

void table_current_text(const char *name, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_strz(&w, "metadata", name);
    json_end_object(&w);
}

struct str table_hint_text(const char *name)
{
    return iceberg_version_hint(str_of(name));
}

/* The URI of a directory. Characters stand as they are: readers differ on percent signs, so nothing
 * here is encoded. malloc'ed. */
static char *location_of(const char *dir)
{
    char cwd[SYS_PATH_MAX] = "", uri[3 * SYS_PATH_MAX];
    if (dir[0] != '/' && !getcwd(cwd, sizeof cwd))
        return NULL;
    int len = snprintf(uri, sizeof uri, "file://%s%s%s", cwd, cwd[0] ? "/" : "", dir);
    while (len > 8 && uri[len - 1] == '/')
        len--;
    return str_dup(str_make(uri, (size_t)len));
}

/* --- the parsed metadata --- */

static int compare_types(const void *a, const void *b)
{
    const struct field_type *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static enum status collect_types(struct table_state *state, struct error *err)
{
    const struct iceberg_metadata *m = &state->m;
    size_t count = 0;
    for (uint32_t s = 0; s < m->schemas_len; s++)
        count += m->schemas[s].fields_len;
    state->types = arena_array(&state->arena, count + 1, sizeof *state->types);
    if (!state->types)
        return error_no_memory(err);
    uint32_t len = 0;
    for (uint32_t s = 0; s < m->schemas_len; s++) {
        for (uint32_t f = 0; f < m->schemas[s].fields_len; f++) {
            const struct iceberg_field *field = &m->schemas[s].fields[f];
            state->types[len].id = field->id;
            if (!iceberg_field_to_type(field, &state->types[len++].type))
                return error_set(err, STATUS_CORRUPT, "a column has a type that is none of ours");
        }
    }
    qsort(state->types, len, sizeof *state->types, compare_types);
    for (uint32_t i = 0; i < len; i++) {
        if (state->types_len && state->types[state->types_len - 1].id == state->types[i].id)
            continue;
        state->types[state->types_len++] = state->types[i];
    }
    return STATUS_OK;
}

enum status table_state_parse(const char *name, struct str json, struct table_state **ret,
                              struct error *err)
{
    struct table_state *state = calloc(1, sizeof *state);
    if (!state)
        return error_no_memory(err);
    arena_init(&state->arena, (size_t)ICEBERG_JSON_MAX * 4);
    (void)snprintf(state->name, sizeof state->name, "%s", name);
    enum status status = iceberg_metadata_parse(json, &state->arena, &state->m, err);
    if (status == STATUS_OK)
        status = collect_types(state, err);
    if (status != STATUS_OK) {
        table_state_free(state);
        return status;
    }
    *ret = state;
    return STATUS_OK;
}

void table_state_free(struct table_state *state)
{
    if (!state)
        return;
    arena_release(&state->arena);
    free(state);
}

/* --- files --- */

static enum status check_name(const char *path, struct str name, struct str bytes,
                              struct error *err)
{
    bool checked;
    if (iceberg_name_check(name, bytes, &checked, NULL) == STATUS_OK && checked)
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "%s: the bytes do not match the name", path);
}

/* metadata/<name>, checked against its name, into `out`. */
static enum status read_checked(const struct table *table, struct str name, struct buf *out,
                                struct error *err)
{
    char path[SYS_PATH_MAX];
    if (memchr(name.data, '/', name.len))
        return error_set(err, STATUS_CORRUPT, "%s/metadata: \"%.*s\" is not the name of a file",
                         table->dir, name.len < 200 ? (int)name.len : 200, name.data);
    TRY(sys_path(path, err, "%s/metadata/%.*s", table->dir, STR_ARG(name)));
    enum status status = sys_read_file(table->sys, path, out, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "%s is missing", path);
    TRY(status);
    return check_name(path, name, buf_str(out), err);
}

enum status table_load_file(void *context, struct str uri, struct arena *arena, struct slice *ret,
                            struct error *err)
{
    const struct table *table = context;
    struct buf bytes;
    buf_init(&bytes, ICEBERG_AVRO_MAX);
    enum status status = read_checked(table, table_base_name(uri), &bytes, err);
    if (status == STATUS_OK) {
        struct str copy = arena_str(arena, buf_str(&bytes));
        *ret = (struct slice){copy.data, copy.len};
        status = copy.data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&bytes);
    return status;
}

/* --- opening --- */

static enum status load_state(struct table *table, struct str name, struct error *err)
{
    char text[ICEBERG_NAME_MAX];
    struct buf json;
    int64_t version;
    if (name.len >= sizeof text || !iceberg_metadata_version(name, &version))
        return error_set(err, STATUS_CORRUPT, "%s/metadata/CURRENT names no metadata file",
                         table->dir);
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(name));
    buf_init(&json, ICEBERG_JSON_MAX);
    enum status status = read_checked(table, name, &json, err);
    if (status == STATUS_OK) {
        status = table_state_parse(text, buf_str(&json), &table->state, err);
        if (status == STATUS_CORRUPT)
            error_wrap(err, "%s/metadata/%s is damaged", table->dir, text);
    }
    buf_release(&json);
    table->next_version = version + 1;
    return status;
}

/* The state that CURRENT names; none when there is no CURRENT. */
static enum status load_current(struct table *table, struct error *err)
{
    char path[SYS_PATH_MAX];
    yyjson_doc *doc = NULL;
    yyjson_val *root = NULL;
    TRY(sys_path(path, err, "%s/metadata/CURRENT", table->dir));
    enum status status = sealed_read(table->sys, path, &doc, &root, err);
    if (status == STATUS_NOT_FOUND) {
        table->state = calloc(1, sizeof *table->state);
        if (!table->state)
            return error_no_memory(err);
        arena_init(&table->state->arena, 0);
        table->state->m.current_snapshot_id = -1;
        return STATUS_OK;
    }
    TRY(status);
    struct str name = json_str_of(json_get(root, "metadata"));
    if (json_get(root, "snapshot"))
        status = error_set(err, STATUS_NOT_IMPLEMENTED,
                           "%s names a snapshot in the form of Quarry 0.2 and older, which this "
                           "version does not read: load the data anew",
                           path);
    else if (!name.data)
        status = error_set(err, STATUS_CORRUPT, "%s names no metadata file", path);
    else
        status = load_state(table, name, err);
    yyjson_doc_free(doc);
    return status;
}

enum status table_open(struct sys *sys, const char *dir, const struct source_config *config,
                       struct reader_pool *readers, struct table **ret, struct error *err)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table)
        return error_no_memory(err);
    table->sys = sys;
    table->config = config;
    table->readers = readers;
    table->dir = str_dup(str_of(dir));
    table->location = location_of(dir);
    enum status status =
        table->dir && table->location ? load_current(table, err) : error_no_memory(err);
    if (status != STATUS_OK) {
        table_free(table);
        return status;
    }
    *ret = table;
    return STATUS_OK;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    table_state_free(table->state);
    free(table->location);
    free(table->dir);
    free(table);
}

struct str table_location(const struct table *table)
{
    return str_of(table->location);
}

uint64_t table_current_id(const struct table *table)
{
    int64_t id = table->state->m.current_snapshot_id;
    return id < 0 ? 0 : (uint64_t)id;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_tags(const void *a, const void *b)
{
    const struct snapshot_tag *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static enum status fill_refs(const struct iceberg_metadata *m, struct snapshot_refs *ret,
                             struct error *err)
{
    for (uint32_t i = 0; i < m->snapshots_len; i++) {
        if (m->snapshots[i].id != m->current_snapshot_id)
            ret->ids[ret->ids_len++] = (uint64_t)m->snapshots[i].id;
    }
    for (uint32_t i = 0; i < m->refs_len; i++) {
        const struct iceberg_ref *ref = &m->refs[i];
        if (!ref->is_tag)
            continue;
        struct snapshot_tag *tag = &ret->tags[ret->tags_len++];
        if (ref->name.len > TAG_NAME_MAX)
            return error_set(err, STATUS_CORRUPT, "a tag's name is too long");
        memcpy(tag->name, ref->name.data, ref->name.len);
        tag->id = (uint64_t)ref->snapshot_id;
    }
    qsort(ret->ids, ret->ids_len, sizeof *ret->ids, compare_ids);
    qsort(ret->tags, ret->tags_len, sizeof *ret->tags, compare_tags);
    return STATUS_OK;
}

enum status table_refs(const struct table *table, struct snapshot_refs *ret, struct error *err)
{
    const struct iceberg_metadata *m = &table->state->m;
    *ret = (struct snapshot_refs){
        .ids = calloc(m->snapshots_len + 1u, sizeof *ret->ids),
        .tags = calloc(m->refs_len + 1u, sizeof *ret->tags),
    };
    enum status status = ret->ids && ret->tags ? fill_refs(m, ret, err) : error_no_memory(err);
    if (status != STATUS_OK)
        snapshot_refs_release(ret);
    return status;
}

/* --- names in use --- */

enum status table_visit_names(const struct table *table, table_name_fn visit, void *context,
                              struct error *err)
{
    const struct table_state *state = table->state;
    if (!state->name[0])
        return STATUS_OK;
    TRY(visit(context, STR("CURRENT"), err));
    TRY(visit(context, STR("version-hint.text"), err));
    TRY(visit(context, str_of(state->name), err));
    for (uint32_t i = 0; i < state->m.metadata_log_len; i++)
        TRY(visit(context, table_base_name(state->m.metadata_log[i].metadata_file), err));
    return STATUS_OK;
}

static bool hint_is_right(const struct table *table)
{
    char path[SYS_PATH_MAX];
    struct buf hint;
    buf_init(&hint, ICEBERG_NAME_MAX);
    bool right = sys_path(path, NULL, "%s/metadata/version-hint.text", table->dir) == STATUS_OK &&
                 sys_read_file(table->sys, path, &hint, NULL) == STATUS_OK &&
                 str_eq(buf_str(&hint), table_hint_text(table->state->name));
    buf_release(&hint);
    return right;
}

static bool is_whole(const struct table *table, struct str name)
{
    struct buf bytes;
    buf_init(&bytes, ICEBERG_JSON_MAX);
    bool whole = read_checked(table, name, &bytes, NULL) == STATUS_OK;
    buf_release(&bytes);
    return whole;
}

enum status table_check_names(const struct table *table, table_name_fn visit, void *context,
                              struct error *err)
{
    const struct table_state *state = table->state;
    if (!state->name[0])
        return STATUS_OK;
    if (!hint_is_right(table))
        TRY(visit(context, STR("version-hint.text"), err));
    for (uint32_t i = 0; i < state->m.metadata_log_len; i++) {
        struct str name = table_base_name(state->m.metadata_log[i].metadata_file);
        if (!is_whole(table, name))
            TRY(visit(context, name, err));
    }
    return STATUS_OK;
}

enum status table_mend_hint(const struct table *table, struct error *err)
{
    char path[SYS_PATH_MAX];
    if (!table->state->name[0] || hint_is_right(table))
        return STATUS_OK;
    struct str hint = table_hint_text(table->state->name);
    TRY(sys_path(path, err, "%s/metadata/version-hint.text", table->dir));
    return sys_replace_file(table->sys, path, (struct slice){hint.data, hint.len}, err);
}

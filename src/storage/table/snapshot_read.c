/* snapshot_read.c: the current snapshot from disk (form in docs/formats.md).
 *
 * Trusts nothing: every member is checked for presence, kind and range; STATUS_CORRUPT names the
 * file. The checksum has caught damage before; this catches our own mistakes. */
#include <inttypes.h>
#include <stdlib.h>

#include "storage/table/snapshot.h"

struct reading {
    struct sys *sys;
    const char *dir;
    const char *path; /* of the snapshot */
    struct arena arena;
    const struct snapshot *const *known; /* their segments are shared */
    uint32_t known_len;
    bool any_files; /* missing files are somebody else's finding */
    struct error *err;
};

static enum status bad(struct reading *r, const char *what)
{
    return error_set(r->err, STATUS_CORRUPT, "%s: %s is missing or wrong", r->path, what);
}

static enum status get_uint(struct reading *r, yyjson_val *value, const char *what, uint64_t *ret)
{
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > INT64_MAX)
        return bad(r, what);
    *ret = yyjson_get_uint(value);
    return STATUS_OK;
}

static enum status get_id(struct reading *r, yyjson_val *value, const char *what, int32_t *ret)
{
    uint64_t number = 0;
    TRY(get_uint(r, value, what, &number));
    if (number > INT32_MAX)
        return bad(r, what);
    *ret = (int32_t)number;
    return STATUS_OK;
}

static enum status get_type(struct reading *r, yyjson_val *value, enum type *ret)
{
    return yyjson_is_str(value) && type_parse(json_str_of(value), ret) ? STATUS_OK
                                                                       : bad(r, "a type");
}

static enum status read_value(struct reading *r, yyjson_val *json, enum type type,
                              struct value *ret)
{
    *ret = (struct value){.type = type};
    switch (type) {
    case TYPE_BOOL:
        if (!yyjson_is_bool(json))
            return bad(r, "a bound");
        ret->boolean = yyjson_get_bool(json);
        return STATUS_OK;
    case TYPE_DOUBLE:
        if (!yyjson_is_num(json))
            return bad(r, "a bound");
        ret->real = yyjson_get_num(json);
        return STATUS_OK;
    case TYPE_STRING:
    case TYPE_JSON:
        if (!yyjson_is_str(json))
            return bad(r, "a bound");
        ret->bytes = json_str_of(json);
        return STATUS_OK;
    default:
        if (!yyjson_is_int(json) || (yyjson_is_uint(json) && yyjson_get_uint(json) > INT64_MAX))
            return bad(r, "a bound");
        ret->int64 = yyjson_get_sint(json);
        return STATUS_OK;
    }
}

static enum status read_column(struct reading *r, yyjson_val *json, struct segment_column *ret)
{
    size_t len = yyjson_arr_size(json);
    if (len != 3 && len != 5)
        return bad(r, "a segment's column");
    TRY(get_id(r, yyjson_arr_get(json, 0), "a field id", &ret->field_id));
    TRY(get_type(r, yyjson_arr_get(json, 1), &ret->type));
    TRY(get_uint(r, yyjson_arr_get(json, 2), "a null count", &ret->nulls));
    ret->has_bounds = len == 5;
    if (!ret->has_bounds)
        return STATUS_OK;
    TRY(read_value(r, yyjson_arr_get(json, 3), ret->type, &ret->min));
    return read_value(r, yyjson_arr_get(json, 4), ret->type, &ret->max);
}

static enum status read_columns(struct reading *r, yyjson_val *json, struct segment_meta *meta)
{
    size_t index, max;
    yyjson_val *item;
    if (!yyjson_is_arr(json) || yyjson_arr_size(json) > SCHEMA_FIELDS_MAX + 1)
        return bad(r, "a segment's columns");
    meta->columns = arena_array(&r->arena, yyjson_arr_size(json) + 1, sizeof *meta->columns);
    if (!meta->columns)
        return error_no_memory(r->err);
    yyjson_arr_foreach(json, index, max, item)
        TRY(read_column(r, item, &meta->columns[meta->columns_len++]));
    return STATUS_OK;
}

static enum status read_indexes(struct reading *r, yyjson_val *json, struct segment_meta *meta)
{
    size_t index, max;
    yyjson_val *item;
    if (!yyjson_is_arr(json) || yyjson_arr_size(json) > SOURCE_COLUMNS_LISTED_MAX)
        return bad(r, "a segment's indexes");
    meta->indexes = arena_array(&r->arena, yyjson_arr_size(json) + 1, sizeof *meta->indexes);
    if (!meta->indexes)
        return error_no_memory(r->err);
    yyjson_arr_foreach(json, index, max, item)
    {
        struct segment_index *at = &meta->indexes[meta->indexes_len++];
        TRY(get_id(r, yyjson_arr_get(item, 0), "an index's field id", &at->field_id));
        TRY(get_uint(r, yyjson_arr_get(item, 1), "an index's entries", &at->entries));
        TRY(get_uint(r, yyjson_arr_get(item, 2), "an index's bytes", &at->bytes));
    }
    return STATUS_OK;
}

static enum status read_partition(struct reading *r, yyjson_val *json, struct segment_meta *meta)
{
    size_t index, max;
    yyjson_val *item;
    if (!yyjson_is_arr(json) || yyjson_arr_size(json) > SOURCE_COLUMNS_LISTED_MAX)
        return bad(r, "a segment's partition");
    meta->partition = arena_array(&r->arena, yyjson_arr_size(json) + 1, sizeof *meta->partition);
    if (!meta->partition)
        return error_no_memory(r->err);
    yyjson_arr_foreach(json, index, max, item)
    {
        if (!yyjson_is_str(item) && !yyjson_is_null(item))
            return bad(r, "a partition value");
        meta->partition[meta->partition_len++] = yyjson_is_str(item) ? json_str_of(item) : STR_NONE;
    }
    return STATUS_OK;
}

/* The path is ours: below data/, without "..". */
static enum status read_path(struct reading *r, yyjson_val *json, struct str *ret)
{
    *ret = json_str_of(json);
    if (!yyjson_is_str(json) || !str_starts(*ret, STR("data/")) ||
        !str_ends(*ret, STR(".parquet")) || memchr(ret->data, 0, ret->len) ||
        strstr(ret->data, "/../"))
        return bad(r, "a file's path");
    return STATUS_OK;
}

static enum status check_file(struct reading *r, struct str inner, uint64_t bytes)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    TRY(sys_path(path, r->err, "%s/%.*s", r->dir, STR_ARG(inner)));
    enum status status = sys_stat(r->sys, path, &stat, r->err);
    if (status == STATUS_NOT_FOUND)
        return error_set(r->err, STATUS_CORRUPT, "%s: the file is missing", path);
    if (status == STATUS_OK && stat.size != bytes)
        return error_set(r->err, STATUS_CORRUPT,
                         "%s: %" PRIu64 " bytes where there should be %" PRIu64, path, stat.size,
                         bytes);
    return status;
}

static struct segment *find_known(const struct reading *r, uint64_t id)
{
    struct segment *found = NULL;
    for (uint32_t i = r->known_len; i-- > 0 && !found;) /* the neighbour in time is last */
        found = snapshot_find(r->known[i], id);
    return found ? segment_ref(found) : NULL;
}

static enum status read_segment(struct reading *r, yyjson_val *json, struct segment **ret)
{
    struct segment_meta meta = {0};
    TRY(get_uint(r, json_get(json, "id"), "a segment's id", &meta.id));
    *ret = find_known(r, meta.id);
    if (*ret)
        return STATUS_OK;
    TRY(read_path(r, json_get(json, "path"), &meta.path));
    TRY(get_uint(r, json_get(json, "rows"), "a segment's rows", &meta.rows));
    TRY(get_uint(r, json_get(json, "bytes"), "a segment's bytes", &meta.bytes));
    TRY(get_id(r, json_get(json, "schema_id"), "a segment's schema", &meta.schema_id));
    TRY(read_partition(r, json_get(json, "partition"), &meta));
    TRY(read_columns(r, json_get(json, "columns"), &meta));
    TRY(read_indexes(r, json_get(json, "indexes"), &meta));
    if (!r->any_files)
        TRY(check_file(r, meta.path, meta.bytes));
    *ret = segment_new(r->sys, r->dir, &meta, r->err);
    return *ret ? STATUS_OK : STATUS_NO_MEMORY;
}

static struct deletion *find_known_deletion(const struct reading *r, uint64_t segment_id,
                                            uint64_t id)
{
    for (uint32_t i = r->known_len; i-- > 0;) {
        struct deletion *found = snapshot_find_deletion(r->known[i], segment_id);
        if (found && deletion_file(found)->id == id)
            return deletion_ref(found);
    }
    return NULL;
}

/* What is deleted of a segment; absent: nothing. */
static enum status read_deletion(struct reading *r, yyjson_val *json, const struct segment *segment,
                                 struct deletion **ret)
{
    const struct segment_meta *meta = segment_meta(segment);
    struct deletion_file file = {0};
    *ret = NULL;
    if (!json)
        return STATUS_OK;
    TRY(get_uint(r, json_get(json, "id"), "the id of deletes", &file.id));
    *ret = find_known_deletion(r, meta->id, file.id);
    if (*ret)
        return STATUS_OK;
    TRY(read_path(r, json_get(json, "path"), &file.path));
    TRY(get_uint(r, json_get(json, "rows"), "the rows of deletes", &file.rows));
    TRY(get_uint(r, json_get(json, "bytes"), "the bytes of deletes", &file.bytes));
    if (file.rows == 0 || file.rows > meta->rows)
        return bad(r, "the number of deleted rows");
    if (!r->any_files)
        TRY(check_file(r, file.path, file.bytes));
    *ret = deletion_open(r->sys, r->dir, &file, meta->rows, r->err);
    return *ret ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status read_deletions(struct reading *r, yyjson_val *list, struct snapshot *into)
{
    size_t index, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, index, max, item)
    {
        struct deletion *deletion = NULL;
        TRY(read_deletion(r, json_get(item, "deletes"), into->segments[index], &deletion));
        enum status status =
            deletion ? snapshot_set_deletion(into, (uint32_t)index, deletion, r->err) : STATUS_OK;
        deletion_unref(deletion);
        TRY(status);
    }
    return STATUS_OK;
}

static enum status read_fields(struct reading *r, yyjson_val *json, struct field **ret,
                               uint32_t *ret_len)
{
    size_t index, max;
    yyjson_val *item;
    if (!yyjson_is_arr(json) || yyjson_arr_size(json) > SCHEMA_FIELDS_MAX)
        return bad(r, "the schema's fields");
    *ret = arena_array(&r->arena, yyjson_arr_size(json) + 1, sizeof **ret);
    if (!*ret)
        return error_no_memory(r->err);
    yyjson_arr_foreach(json, index, max, item)
    {
        struct field *field = &(*ret)[(*ret_len)++];
        TRY(get_id(r, json_get(item, "id"), "a field id", &field->id));
        TRY(get_type(r, json_get(item, "type"), &field->type));
        if (!yyjson_is_str(json_get(item, "name")))
            return bad(r, "a field's name");
        field->name = json_str_of(json_get(item, "name"));
    }
    return STATUS_OK;
}

static enum status read_schema(struct reading *r, yyjson_val *json, struct schema **ret)
{
    int32_t id = 0, last_field_id = 0;
    struct field *fields = NULL;
    uint32_t len = 0;
    TRY(get_id(r, json_get(json, "id"), "the schema's id", &id));
    TRY(get_id(r, json_get(json, "last_field_id"), "the last field id", &last_field_id));
    TRY(read_fields(r, json_get(json, "fields"), &fields, &len));
    *ret = schema_new(fields, len, id, last_field_id, r->err);
    return *ret ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status read_id_files(struct reading *r, yyjson_val *json, struct snapshot *into)
{
    size_t index, max;
    yyjson_val *item;
    if (!yyjson_is_arr(json))
        return bad(r, "the list of write ids");
    yyjson_arr_foreach(json, index, max, item)
    {
        struct write_id_file file = {.name = json_str_of(json_get(item, "file"))};
        uint64_t until = 0;
        if (!file.name.data || memchr(file.name.data, '/', file.name.len))
            return bad(r, "a file of write ids");
        TRY(get_uint(r, json_get(item, "entries"), "a count of write ids", &file.entries));
        TRY(get_uint(r, json_get(item, "until_us"), "a time of write ids", &until));
        file.until_us = (int64_t)until;
        TRY(snapshot_add_id_file(into, &file, r->err));
    }
    return STATUS_OK;
}

/* Snapshots of release 0.1 do not have these. */
static enum status read_origin(struct reading *r, yyjson_val *root, struct snapshot *into)
{
    yyjson_val *name = json_get(root, "operation");
    if (!name)
        return STATUS_OK;
    TRY(get_uint(r, json_get(root, "parent_id"), "parent_id", &into->parent));
    TRY(get_uint(r, json_get(root, "added_files"), "added_files", &into->added));
    TRY(get_uint(r, json_get(root, "removed_files"), "removed_files", &into->removed));
    for (int i = SNAPSHOT_APPEND; i < SNAPSHOT_OPERATIONS; i++) {
        into->operation = (enum snapshot_operation)i;
        if (yyjson_is_str(name) && str_is(json_str_of(name), snapshot_operation_name(i)))
            return STATUS_OK;
    }
    return bad(r, "operation");
}

static enum status read_head(struct reading *r, yyjson_val *root, struct snapshot *into)
{
    uint64_t time = 0;
    TRY(read_origin(r, root, into));
    TRY(get_uint(r, json_get(root, "snapshot_id"), "snapshot_id", &into->id));
    TRY(get_uint(r, json_get(root, "lsn"), "lsn", &into->lsn));
    TRY(get_uint(r, json_get(root, "time_us"), "time_us", &time));
    TRY(get_uint(r, json_get(root, "next_segment_id"), "next_segment_id", &into->next_segment_id));
    into->time_us = (int64_t)time;
    return read_id_files(r, json_get(root, "write_ids"), into);
}

static enum status read_segments(struct reading *r, yyjson_val *json, struct segment **segments,
                                 uint32_t *len)
{
    size_t index, max;
    yyjson_val *item;
    yyjson_arr_foreach(json, index, max, item)
    {
        TRY(read_segment(r, item, &segments[*len]));
        ++*len;
    }
    return STATUS_OK;
}

static enum status read_snapshot(struct reading *r, yyjson_val *root, struct snapshot **ret)
{
    yyjson_val *list = json_get(root, "segments");
    struct schema *schema = NULL;
    struct segment **segments = NULL;
    uint32_t len = 0;
    if (!yyjson_is_str(json_get(root, "format")) ||
        !str_is(json_str_of(json_get(root, "format")), "quarry-snapshot") ||
        yyjson_get_uint(json_get(root, "version")) != 1)
        return bad(r, "the format's name or version");
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > SNAPSHOT_SEGMENTS_MAX)
        return bad(r, "the list of segments");
    segments = calloc(yyjson_arr_size(list) + 1, sizeof(*segments));
    if (!segments)
        return error_no_memory(r->err);
    enum status status = read_schema(r, json_get(root, "schema"), &schema);
    if (status == STATUS_OK)
        status = read_segments(r, list, segments, &len);
    if (status == STATUS_OK) {
        *ret = snapshot_new(schema, segments, len, r->err);
        status = *ret ? read_head(r, root, *ret) : STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK)
        status = read_deletions(r, list, *ret);
    for (uint32_t i = 0; i < len; i++)
        segment_unref(segments[i]);
    free(segments);
    schema_unref(schema);
    if (status != STATUS_OK) {
        snapshot_unref(*ret);
        *ret = NULL;
    }
    return status;
}

/* Members that CURRENT of release 0.1 does not have may be absent. */
static enum status read_refs(yyjson_val *root, struct snapshot_refs *refs)
{
    yyjson_val *ids = json_get(root, "history"), *tags = json_get(root, "tags"), *item;
    size_t index, max;
    if (yyjson_arr_size(ids) > SNAPSHOTS_KEPT_MAX || yyjson_arr_size(tags) > SNAPSHOT_TAGS_MAX)
        return STATUS_CORRUPT;
    refs->ids = calloc(yyjson_arr_size(ids) + 1, sizeof *refs->ids);
    refs->tags = calloc(yyjson_arr_size(tags) + 1, sizeof *refs->tags);
    if (!refs->ids || !refs->tags)
        return STATUS_NO_MEMORY;
    yyjson_arr_foreach(ids, index, max, item)
    {
        if (!yyjson_is_uint(item) ||
            (refs->ids_len && refs->ids[refs->ids_len - 1] >= yyjson_get_uint(item)))
            return STATUS_CORRUPT;
        refs->ids[refs->ids_len++] = yyjson_get_uint(item);
    }
    yyjson_arr_foreach(tags, index, max, item)
    {
        struct snapshot_tag *tag = &refs->tags[refs->tags_len];
        struct str name = json_str_of(json_get(item, "name"));
        yyjson_val *id = json_get(item, "snapshot_id");
        if (!name.data || name.len > TAG_NAME_MAX || !yyjson_is_uint(id))
            return STATUS_CORRUPT;
        memcpy(tag->name, name.data, name.len);
        tag->id = yyjson_get_uint(id);
        refs->tags_len++;
    }
    return STATUS_OK;
}

/* The file that CURRENT names; STATUS_NOT_FOUND when there is no CURRENT. */
static enum status current_path(struct sys *sys, const char *dir, char out[SYS_PATH_MAX],
                                struct snapshot_refs *refs, struct error *err)
{
    char path[SYS_PATH_MAX];
    yyjson_doc *doc = NULL;
    yyjson_val *root = NULL;
    TRY(sys_path(path, err, "%s/metadata/CURRENT", dir));
    TRY(sealed_read(sys, path, &doc, &root, err));
    struct str name = json_str_of(json_get(root, "snapshot"));
    enum status status = name.data && !memchr(name.data, '/', name.len)
                             ? sys_path(out, err, "%s/metadata/%.*s", dir, STR_ARG(name))
                             : error_set(err, STATUS_CORRUPT, "%s names no snapshot", path);
    if (status == STATUS_OK) {
        status = read_refs(root, refs);
        if (status == STATUS_NO_MEMORY)
            error_no_memory(err);
        else if (status != STATUS_OK)
            error_set(err, status, "%s: history or tags are wrong", path);
    }
    yyjson_doc_free(doc);
    return status;
}

static enum status load_file(struct reading *r, struct snapshot **ret)
{
    yyjson_doc *doc = NULL;
    yyjson_val *root = NULL;
    struct sys_stat stat;
    enum status status = sys_stat(r->sys, r->path, &stat, r->err);
    if (status == STATUS_OK)
        status = sealed_read(r->sys, r->path, &doc, &root, r->err);
    if (status == STATUS_NOT_FOUND)
        return error_set(r->err, STATUS_CORRUPT, "%s: the snapshot is missing", r->path);
    if (status != STATUS_OK)
        return status;
    arena_init(&r->arena, 0);
    status = read_snapshot(r, root, ret);
    arena_release(&r->arena);
    yyjson_doc_free(doc);
    if (status == STATUS_OK)
        (*ret)->stored_bytes = stat.size;
    return status;
}

static enum status load(struct sys *sys, const char *dir, bool any_files, struct snapshot **ret,
                        struct snapshot_refs *ret_refs, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct error local = ERROR_INIT;
    struct reading r = {
        .sys = sys, .dir = dir, .path = path, .any_files = any_files, .err = &local};
    *ret = NULL;
    *ret_refs = (struct snapshot_refs){0};
    enum status status = current_path(sys, dir, path, ret_refs, &local);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = load_file(&r, ret);
    if (status != STATUS_OK) {
        snapshot_refs_release(ret_refs);
        if (err)
            *err = local;
    }
    return status;
}

enum status snapshot_load(struct sys *sys, const char *dir, struct snapshot **ret,
                          struct snapshot_refs *ret_refs, struct error *err)
{
    return load(sys, dir, false, ret, ret_refs, err);
}

enum status snapshot_load_any(struct sys *sys, const char *dir, struct snapshot **ret,
                              struct snapshot_refs *ret_refs, struct error *err)
{
    return load(sys, dir, true, ret, ret_refs, err);
}

enum status snapshot_load_old(struct sys *sys, const char *dir, uint64_t id,
                              const struct snapshot *const *known, uint32_t known_len,
                              bool any_files, struct snapshot **ret, struct error *err)
{
    char path[SYS_PATH_MAX], name[64];
    struct reading r = {.sys = sys,
                        .dir = dir,
                        .path = path,
                        .known = known,
                        .known_len = known_len,
                        .any_files = any_files,
                        .err = err};
    *ret = NULL;
    snapshot_name(id, name);
    TRY(sys_path(path, err, "%s/metadata/%s", dir, name));
    TRY(load_file(&r, ret));
    if ((*ret)->id == id)
        return STATUS_OK;
    snapshot_unref(*ret);
    *ret = NULL;
    return error_set(err, STATUS_CORRUPT, "%s holds another snapshot", path);
}

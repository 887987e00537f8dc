/* table_read.c: states of a table as snapshots.
 *
 * A manifest is parsed once, whoever names it, and a segment is made once, however many manifests
 * have it, so loading all states costs what their distinct manifests cost. Nothing is trusted:
 * damage in a state's files is STATUS_CORRUPT with the file's name, and the other states can still
 * be read. */
#include "storage/table/table_int.h"

#include <inttypes.h>
#include <stdlib.h>

/* What one manifest has: segments, or deletes each with its segment's id. */
struct manifest {
    uint64_t name; /* hash of its URI */
    bool is_deletes;
    union {
        struct segment **segments;
        struct deletion **deletions;
    };
    uint64_t *segment_ids; /* of deletions */
    uint32_t len;
};

/* A hash table of referenced things by id. */
struct id_map {
    struct {
        uint64_t id;
        void *item; /* NULL: free */
    } * slots;
    uint32_t mask, len;
};

struct table_reader {
    struct table *table;
    bool any_files;
    char bad_file[SYS_PATH_MAX];
    struct manifest *manifests; /* read so far */
    uint32_t manifests_len, manifests_cap;
    struct id_map segments, deletions;
    struct schema **schemas; /* made so far, referenced */
    uint32_t schemas_len;
};

enum status table_reader_open(struct table *table, bool any_files, struct table_reader **ret,
                              struct error *err)
{
    struct table_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_no_memory(err);
    *reader = (struct table_reader){.table = table, .any_files = any_files};
    reader->schemas = calloc(table->state->m.schemas_len + 1u, sizeof(*reader->schemas));
    if (!reader->schemas) {
        free(reader);
        return error_no_memory(err);
    }
    *ret = reader;
    return STATUS_OK;
}

void table_reader_close(struct table_reader *reader)
{
    if (!reader)
        return;
    for (uint32_t i = 0; i < reader->manifests_len; i++) {
        free(reader->manifests[i].segments);
        free(reader->manifests[i].segment_ids);
    }
    for (uint32_t i = 0; reader->segments.slots && i <= reader->segments.mask; i++)
        segment_unref(reader->segments.slots[i].item);
    for (uint32_t i = 0; reader->deletions.slots && i <= reader->deletions.mask; i++)
        deletion_unref(reader->deletions.slots[i].item);
    for (uint32_t i = 0; i < reader->schemas_len; i++)
        schema_unref(reader->schemas[i]);
    free(reader->manifests);
    free(reader->segments.slots);
    free(reader->deletions.slots);
    free(reader->schemas);
    free(reader);
}

const char *table_reader_bad_file(const struct table_reader *reader)
{
    return reader->bad_file;
}

/* --- by id --- */

static uint32_t slot_of(const struct id_map *map, uint64_t id)
{
    uint32_t at = (uint32_t)(id * UINT64_C(0x9E3779B97F4A7C15) >> 32) & map->mask;
    while (map->slots[at].item && map->slots[at].id != id)
        at = (at + 1) & map->mask;
    return at;
}

static void *map_find(const struct id_map *map, uint64_t id)
{
    return map->slots ? map->slots[slot_of(map, id)].item : NULL;
}

static enum status map_make_room(struct id_map *map, struct error *err)
{
    if (map->slots && map->len * 2 < map->mask)
        return STATUS_OK;
    const struct id_map old = *map;
    uint32_t cap = old.slots ? (old.mask + 1) * 2 : 64;
    map->slots = calloc(cap, sizeof *map->slots);
    if (!map->slots) {
        *map = old;
        return error_no_memory(err);
    }
    map->mask = cap - 1;
    for (uint32_t i = 0; old.slots && i <= old.mask; i++) {
        if (old.slots[i].item)
            map->slots[slot_of(map, old.slots[i].id)] = old.slots[i];
    }
    free(old.slots);
    return STATUS_OK;
}

/* There is room; takes the reference over. */
static void map_put(struct id_map *map, uint64_t id, void *item)
{
    uint32_t at = slot_of(map, id);
    map->slots[at].id = id;
    map->slots[at].item = item;
    map->len++;
}

/* --- segments and deletes --- */

static enum status check_file(const struct table_reader *reader, struct str inner, uint64_t bytes,
                              struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    if (reader->any_files)
        return STATUS_OK;
    TRY(sys_path(path, err, "%s/%.*s", reader->table->dir, STR_ARG(inner)));
    enum status status = sys_stat(reader->table->sys, path, &stat, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "%s: the file is missing", path);
    if (status == STATUS_OK && stat.size != bytes)
        return error_set(err, STATUS_CORRUPT,
                         "%s: %" PRIu64 " bytes where there should be %" PRIu64, path, stat.size,
                         bytes);
    return status;
}

static enum status make_segment(struct table_reader *reader, int32_t spec_id,
                                const struct iceberg_data_file *file, struct arena *arena,
                                struct segment **ret, struct error *err)
{
    struct segment_meta meta;
    struct str path;
    uint64_t id;
    if (table_segment_path(reader->table, file->path, &path, &id)) {
        *ret = map_find(&reader->segments, id);
        if (*ret)
            return STATUS_OK;
    }
    TRY(map_make_room(&reader->segments, err));
    TRY(table_read_file(reader->table, spec_id, file, arena, &meta, err));
    reader->bad_file[0] = 0; /* what fails from here on is the segment */
    TRY(check_file(reader, meta.path, meta.bytes, err));
    *ret = segment_new(reader->table->sys, reader->table->dir, &meta, reader->table->readers, err);
    if (!*ret)
        return STATUS_NO_MEMORY;
    map_put(&reader->segments, meta.id, *ret);
    return STATUS_OK;
}

static enum status make_deletion(struct table_reader *reader, const struct iceberg_data_file *file,
                                 uint64_t *ret_segment, struct deletion **ret, struct error *err)
{
    struct deletion_file own;
    TRY(table_read_deletes(reader->table, file, &own, ret_segment, err));
    *ret = map_find(&reader->deletions, own.id);
    if (*ret)
        return STATUS_OK;
    TRY(map_make_room(&reader->deletions, err));
    struct segment *segment = map_find(&reader->segments, *ret_segment);
    if (!segment || own.rows == 0 || own.rows > segment_meta(segment)->rows)
        return error_set(err, STATUS_CORRUPT, "deletes of a file that is not there");
    reader->bad_file[0] = 0; /* what fails from here on is the file of deletes */
    /* Whether the file is there shows when its rows are asked for: others stay readable. */
    *ret = deletion_open(reader->table->sys, reader->table->dir, &own, segment_meta(segment)->rows,
                         err);
    if (!*ret)
        return STATUS_NO_MEMORY;
    map_put(&reader->deletions, own.id, *ret);
    return STATUS_OK;
}

/* --- manifests --- */

static void name_bad_file(struct table_reader *reader, struct str uri)
{
    if (sys_path(reader->bad_file, NULL, "%s/metadata/%.*s", reader->table->dir,
                 STR_ARG(table_base_name(uri))) != STATUS_OK)
        reader->bad_file[0] = 0;
}

static enum status wrap(const struct table_reader *reader, enum status status, struct error *err)
{
    if (status == STATUS_CORRUPT && reader->bad_file[0] && err &&
        !strstr(err->message, reader->bad_file))
        error_wrap(err, "%s is damaged", reader->bad_file);
    return status;
}

static enum status read_entries(struct table_reader *reader, const struct iceberg_manifest *from,
                                struct arena *arena, struct iceberg_entry **ret, uint32_t *ret_len,
                                struct error *err)
{
    struct slice bytes;
    struct iceberg_partition_type type;
    TRY(iceberg_partition_type_of(&reader->table->state->m, from->spec_id, arena, &type, err));
    TRY(table_load_file(reader->table, from->path, arena, &bytes, err));
    return iceberg_manifest_read(bytes, from, &type, arena, ret, ret_len, err);
}

static enum status take_entry(struct table_reader *reader, const struct iceberg_manifest *from,
                              const struct iceberg_entry *entry, struct arena *arena,
                              struct manifest *into, struct error *err)
{
    struct segment *segment;
    if (entry->status == ICEBERG_DELETED)
        return STATUS_OK;
    if (from->is_deletes) {
        TRY(make_deletion(reader, &entry->file, &into->segment_ids[into->len],
                          &into->deletions[into->len], err));
        into->len++;
        return STATUS_OK;
    }
    TRY(make_segment(reader, from->spec_id, &entry->file, arena, &segment, err));
    if (!segment_manifest(segment)) /* the newest state's stays */
        segment_set_manifest(segment, into->name, from->spec_id);
    into->segments[into->len++] = segment;
    return STATUS_OK;
}

static enum status take_entries(struct table_reader *reader, const struct iceberg_manifest *from,
                                struct arena *arena, struct manifest *into, struct error *err)
{
    struct iceberg_entry *entries;
    uint32_t len;
    name_bad_file(reader, from->path);
    TRY(read_entries(reader, from, arena, &entries, &len, err));
    into->segments = calloc(len + 1u, sizeof(void *));
    into->segment_ids = calloc(from->is_deletes ? len + 1u : 1u, sizeof *into->segment_ids);
    if (!into->segments || !into->segment_ids)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        TRY(take_entry(reader, from, &entries[i], arena, into, err));
        name_bad_file(reader, from->path);
    }
    return STATUS_OK;
}

static enum status room_for_manifest(struct table_reader *reader, struct error *err)
{
    if (reader->manifests_len < reader->manifests_cap)
        return STATUS_OK;
    uint32_t cap = reader->manifests_cap ? reader->manifests_cap * 2 : 64;
    struct manifest *grown = realloc(reader->manifests, cap * sizeof *grown);
    if (!grown)
        return error_no_memory(err);
    reader->manifests = grown;
    reader->manifests_cap = cap;
    return STATUS_OK;
}

static enum status read_manifest(struct table_reader *reader, const struct iceberg_manifest *from,
                                 const struct manifest **ret, struct error *err)
{
    struct arena arena;
    struct manifest made = {.name = str_hash(from->path), .is_deletes = from->is_deletes};
    for (uint32_t i = 0; i < reader->manifests_len; i++) {
        *ret = &reader->manifests[i];
        if ((*ret)->name == made.name)
            return STATUS_OK;
    }
    TRY(room_for_manifest(reader, err));
    arena_init(&arena, (size_t)ICEBERG_AVRO_MAX * 4);
    enum status status = take_entries(reader, from, &arena, &made, err);
    arena_release(&arena);
    if (status != STATUS_OK) {
        free(made.segments);
        free(made.segment_ids);
        return status;
    }
    *ret = &reader->manifests[reader->manifests_len];
    reader->manifests[reader->manifests_len++] = made;
    return STATUS_OK;
}

/* --- a state --- */

struct state {
    struct segment **segments; /* borrowed from the reader */
    uint32_t len;
    size_t cap;
};

static enum status take(struct table_reader *reader, struct state *state,
                        const struct iceberg_manifest *from, struct error *err)
{
    const struct manifest *manifest;
    TRY(read_manifest(reader, from, &manifest, err));
    if (state->len + manifest->len > SNAPSHOT_SEGMENTS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a source has at most %d segments",
                         SNAPSHOT_SEGMENTS_MAX);
    if (state->len + manifest->len > state->cap) {
        size_t cap = (state->len + (size_t)manifest->len) * 2;
        struct segment **grown = realloc(state->segments, cap * sizeof(*grown));
        if (!grown)
            return error_no_memory(err);
        state->segments = grown;
        state->cap = cap;
    }
    if (manifest->len && state->segments)
        memcpy(state->segments + state->len, manifest->segments,
               manifest->len * sizeof(*manifest->segments));
    state->len += manifest->len;
    return STATUS_OK;
}

static enum status take_deletions(struct table_reader *reader, const struct iceberg_manifest *from,
                                  struct snapshot *into, struct error *err)
{
    const struct manifest *manifest;
    TRY(read_manifest(reader, from, &manifest, err));
    for (uint32_t i = 0; i < manifest->len; i++) {
        int64_t at = snapshot_find_place(into, manifest->segment_ids[i]);
        if (at < 0 || (into->deletions && into->deletions[at]))
            return error_set(err, STATUS_CORRUPT,
                             "deletes of a file that the state does not have, or twice of one");
        TRY(snapshot_set_deletion(into, (uint32_t)at, manifest->deletions[i], err));
    }
    return STATUS_OK;
}

static int compare_segments(const void *a, const void *b)
{
    uint64_t x = segment_meta(*(struct segment *const *)a)->id;
    uint64_t y = segment_meta(*(struct segment *const *)b)->id;
    return x < y ? -1 : x > y;
}

static enum status sort(struct state *state, struct error *err)
{
    if (state->len)
        qsort(state->segments, state->len, sizeof(*state->segments), compare_segments);
    for (uint32_t i = 1; i < state->len; i++) {
        if (state->segments[i] == state->segments[i - 1])
            return error_set(err, STATUS_CORRUPT, "a file stands twice in a state");
    }
    return STATUS_OK;
}

static enum status find_schema(struct table_reader *reader, int32_t id, struct schema **ret,
                               struct error *err)
{
    for (uint32_t i = 0; i < reader->schemas_len; i++) {
        *ret = reader->schemas[i];
        if ((*ret)->id == id)
            return STATUS_OK;
    }
    TRY(table_read_schema(reader->table->state, id, ret, err));
    reader->schemas[reader->schemas_len++] = *ret; /* there is room: ids are from the metadata */
    return STATUS_OK;
}

static enum status get_number(const struct iceberg_snapshot *from, const char *key, uint64_t *ret,
                              struct error *err)
{
    int64_t number;
    struct str text = iceberg_property_find(from->summary, from->summary_len, key);
    if (!text.data || !str_to_int64(text, &number) || number < 0)
        return error_set(err, STATUS_CORRUPT, "snapshot %" PRId64 ": \"%s\" is missing or wrong",
                         from->id, key);
    *ret = (uint64_t)number;
    return STATUS_OK;
}

static enum status read_operation(const struct iceberg_snapshot *from, struct snapshot *into,
                                  struct error *err)
{
    struct str name = iceberg_property_find(from->summary, from->summary_len, SUMMARY_OPERATION);
    if (snapshot_operation_parse(name, &into->operation))
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "snapshot %" PRId64 ": " SUMMARY_OPERATION " is wrong",
                     from->id);
}

static enum status read_head(const struct iceberg_snapshot *from, struct snapshot *into,
                             struct error *err)
{
    uint64_t time_us = 0;
    into->id = (uint64_t)from->id;
    into->parent = from->parent_id < 0 ? 0 : (uint64_t)from->parent_id;
    into->sequence = from->sequence_number;
    TRY(read_operation(from, into, err));
    TRY(get_number(from, SUMMARY_LSN, &into->lsn, err));
    TRY(get_number(from, SUMMARY_TIME, &time_us, err));
    TRY(get_number(from, SUMMARY_NEXT_FILE, &into->next_segment_id, err));
    TRY(get_number(from, "added-data-files", &into->added, err));
    if (iceberg_property_find(from->summary, from->summary_len, "deleted-data-files").data)
        TRY(get_number(from, "deleted-data-files", &into->removed, err));
    into->time_us = (int64_t)time_us;
    return STATUS_OK;
}

static enum status read_id_file(yyjson_val *item, struct snapshot *into, struct error *err)
{
    struct write_id_file file = {.name = json_str_of(json_get(item, "file")),
                                 .entries = yyjson_get_uint(json_get(item, "entries")),
                                 .until_us = yyjson_get_sint(json_get(item, "until_us"))};
    if (!file.name.data || memchr(file.name.data, '/', file.name.len) ||
        !yyjson_is_uint(json_get(item, "entries")) || !yyjson_is_int(json_get(item, "until_us")))
        return error_set(err, STATUS_CORRUPT, "the property " TABLE_WRITE_IDS " is wrong");
    return snapshot_add_id_file(into, &file, err);
}

/* They are the table's, not a state's: the present ones are good for all states. */
static enum status read_id_files(const struct iceberg_metadata *m, struct snapshot *into,
                                 struct error *err)
{
    struct str text = iceberg_property_find(m->properties, m->properties_len, TABLE_WRITE_IDS);
    yyjson_doc *doc = NULL;
    size_t index, max;
    yyjson_val *item;
    if (!text.data || json_parse(text, &doc, NULL) != STATUS_OK)
        return error_set(err, STATUS_CORRUPT, "the property " TABLE_WRITE_IDS " is wrong");
    enum status status = STATUS_OK;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), index, max, item)
    {
        if (status == STATUS_OK)
            status = read_id_file(item, into, err);
    }
    yyjson_doc_free(doc);
    return status;
}

static enum status keep_names(struct snapshot *into, struct str list,
                              const struct iceberg_manifest *manifests, uint32_t len,
                              struct error *err)
{
    TRY(snapshot_add_meta_file(into, table_base_name(list), len + 1, err));
    for (uint32_t i = 0; i < len; i++)
        TRY(snapshot_add_meta_file(into, table_base_name(manifests[i].path), len + 1, err));
    return STATUS_OK;
}

static enum status build(struct table_reader *reader, const struct iceberg_snapshot *from,
                         struct arena *arena, struct state *state, struct snapshot **ret,
                         struct error *err)
{
    struct slice bytes;
    struct iceberg_manifest *manifests;
    struct schema *schema;
    uint32_t len;
    name_bad_file(reader, from->manifest_list);
    TRY(table_load_file(reader->table, from->manifest_list, arena, &bytes, err));
    TRY(iceberg_list_read(bytes, arena, &manifests, &len, err));
    for (uint32_t i = 0; i < len; i++) {
        if (!manifests[i].is_deletes)
            TRY(take(reader, state, &manifests[i], err));
    }
    name_bad_file(reader, from->manifest_list);
    TRY(sort(state, err));
    TRY(find_schema(reader, from->schema_id, &schema, err));
    *ret = snapshot_new(schema, state->segments, state->len, err);
    if (!*ret)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < len; i++) {
        if (manifests[i].is_deletes)
            TRY(take_deletions(reader, &manifests[i], *ret, err));
    }
    name_bad_file(reader, str_of(reader->table->state->name));
    TRY(read_head(from, *ret, err));
    TRY(read_id_files(&reader->table->state->m, *ret, err));
    return keep_names(*ret, from->manifest_list, manifests, len, err);
}

enum status table_read(struct table_reader *reader, uint64_t id, struct snapshot **ret,
                       struct error *err)
{
    struct arena arena;
    struct state state = {0};
    const struct iceberg_snapshot *from =
        id > INT64_MAX ? NULL : iceberg_snapshot_find(&reader->table->state->m, (int64_t)id);
    *ret = NULL;
    reader->bad_file[0] = 0;
    if (!from)
        return error_set(err, STATUS_NOT_FOUND, "there is no snapshot %" PRIu64, id);
    arena_init(&arena, (size_t)ICEBERG_AVRO_MAX * 4);
    enum status status = wrap(reader, build(reader, from, &arena, &state, ret, err), err);
    free(state.segments);
    arena_release(&arena);
    if (status != STATUS_OK) {
        snapshot_unref(*ret);
        *ret = NULL;
    }
    return status;
}

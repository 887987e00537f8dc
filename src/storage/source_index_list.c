/* source_index_list.c: the indexes of a source as they are: listed with their progress, and asked
 * over all files of a view at once. */
#include <stdlib.h>

#include "storage/store_int.h"

/* --- point look-ups over all segments --- */

static bool is_hash_indexed(const struct source_config *config, struct str column)
{
    for (uint32_t i = 0; i < config->index_columns_len; i++)
        if (str_eq(config->index_columns[i], column))
            return true;
    return false;
}

static bool narrow(struct view *view, int32_t index_id, const uint64_t *hashes, uint32_t len,
                   uint64_t *candidates)
{
    struct source *source = view->source;
    bool stale = false;
    bool known = finder_narrow(&source->finders, index_id, view->snapshot_id, view->segments,
                               view->segments_len, hashes, len, candidates, &stale);
    if (stale && !source->store->options.read_only)
        store_index_wake(source->store);
    return known;
}

bool view_narrow(struct view *view, uint32_t field, const struct value *values, uint32_t values_len,
                 uint64_t *candidates)
{
    const struct field *f = &view->schema->fields[field];
    if (view->segments_len < FINDER_SEGMENTS_MIN ||
        !is_hash_indexed(source_config(view->source), f->name))
        return false;
    uint64_t few[8], *hashes = values_len <= 8 ? few : malloc(values_len * sizeof *hashes);
    for (uint32_t i = 0; hashes && i < values_len; i++)
        hashes[i] = value_hash(&values[i]);
    bool known = hashes && narrow(view, f->id, hashes, values_len, candidates);
    if (hashes != few)
        free(hashes);
    return known;
}

bool view_narrow_chunks(struct view *view, uint32_t field, const struct value *values,
                        uint32_t values_len, uint64_t *candidates)
{
    struct str column = view->schema->fields[field].name;
    struct chunk_list *chunks = view->impl->chunks;
    return chunks && chunks->len == view->chunks_len &&
           is_hash_indexed(source_config(view->source), column) &&
           chunk_list_narrow(chunks, column, values, values_len, candidates);
}

bool view_narrow_tuples(struct view *view, const struct composite *composite,
                        const uint64_t *hashes, uint32_t len, uint64_t *candidates)
{
    return view->segments_len >= FINDER_SEGMENTS_MIN && composite->kind == INDEX_KIND_HASH &&
           narrow(view, composite->def.id, hashes, len, candidates);
}

bool view_has_sorted(const struct view *view, uint32_t field)
{
    const struct source_config *config = view->source ? source_config(view->source) : NULL;
    for (uint32_t i = 0; config && i < config->sorted_fields_len; i++)
        if (config->sorted_fields[i] == field_id_base(view->schema->fields[field].id))
            return true;
    return false;
}

uint32_t view_composites(const struct view *view, struct composite ret[SOURCE_COMPOSITES_MAX])
{
    const struct source_config *config = view->source ? source_config(view->source) : NULL;
    uint32_t len = 0;
    for (uint32_t i = 0; config && i < config->composites_len; i++) {
        ret[len].kind = config->composites[i].kind;
        len += composite_def(&config->composites[i], view->schema, &ret[len].def, ret[len].fields);
    }
    return len;
}

/* --- listing --- */

static struct snapshot *present_snapshot(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    struct snapshot *snapshot = snapshot_ref(source->snapshot);
    pthread_mutex_unlock(&source->lock);
    return snapshot;
}

static void count_files(const struct snapshot *snapshot, const struct index_def *def,
                        struct index_info *info)
{
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        enum segment_index_state state = segment_index_look(snapshot->segments[i], def);
        info->files += state != SEGMENT_INDEX_NONE;
        info->ready += state == SEGMENT_INDEX_READY;
        info->failed += state == SEGMENT_INDEX_FAILED;
    }
}

/* Of hash indexes also those whose column has no rows yet. */
static enum status list_unborn(const struct source_config *config, const struct schema *schema,
                               struct arena *arena, struct index_info *list, uint32_t *len,
                               struct error *err)
{
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        if (schema_find(schema, config->index_columns[i]) >= 0)
            continue;
        struct index_info *info = &list[(*len)++];
        *info = (struct index_info){.kind = INDEX_KIND_HASH, .columns_len = 1};
        info->columns[0] = arena_str(arena, config->index_columns[i]);
        if (!info->columns[0].data)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status list_all(const struct source_config *config, const struct schema *schema,
                            const struct snapshot *snapshot, struct arena *arena,
                            struct index_info *list, uint32_t *len, struct error *err)
{
    struct index_def defs[SOURCE_INDEXES_MAX];
    uint32_t defs_len = source_indexes(config, schema, defs);
    for (uint32_t i = 0; i < defs_len; i++) {
        const struct index_def *def = &defs[i];
        struct index_info *info = &list[(*len)++];
        *info = (struct index_info){
            .kind = index_is_sorted(def->id) ? INDEX_KIND_SORTED : INDEX_KIND_HASH,
            .number = index_is_composite(def->id) ? (uint32_t)index_field(def->id) : 0,
            .columns_len = def->fields_len};
        for (uint32_t k = 0; k < def->fields_len; k++) {
            int32_t at = schema_find_id(schema, def->fields[k]);
            info->columns[k] = arena_str(arena, schema->fields[at].name);
            if (!info->columns[k].data)
                return error_no_memory(err);
        }
        count_files(snapshot, def, info);
    }
    return list_unborn(config, schema, arena, list, len, err);
}

enum status source_list_indexes(struct source *source, struct arena *arena,
                                struct index_info **ret_indexes, uint32_t *ret_len,
                                struct error *err)
{
    const struct source_config *config = source_config(source);
    struct index_info *list = arena_array(arena, SOURCE_INDEXES_MAX, sizeof *list);
    uint32_t len = 0;
    if (!list)
        return error_no_memory(err);
    struct snapshot *snapshot = present_snapshot(source);
    struct schema *schema = source_schema(source);
    enum status status = list_all(config, schema, snapshot, arena, list, &len, err);
    schema_unref(schema);
    snapshot_unref(snapshot);
    *ret_indexes = list;
    *ret_len = len;
    return status;
}

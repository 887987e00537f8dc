/* source_index.c: indexes added and dropped after a source was made, and which there are.
 *
 * The list in force stands in source.json (docs/formats.md) and in `present`, a new immutable copy
 * of the configuration for each change; older copies live as long as the source, since readers may
 * hold them. Changes are made under the flush lock: a flush uses one list from start to end, and a
 * removal cannot get between. */
#include "storage/store_int.h"

#include <stdlib.h>

static bool has(const struct str *list, uint32_t len, struct str name)
{
    for (uint32_t i = 0; i < len; i++) {
        if (str_eq(list[i], name))
            return true;
    }
    return false;
}

/* The lists of a configuration that is being changed. */
struct lists {
    struct str hash[SOURCE_COLUMNS_LISTED_MAX];
    int32_t sorted[SOURCE_COLUMNS_LISTED_MAX];
    struct composite_config composites[SOURCE_COMPOSITES_MAX];
    uint32_t hash_len, sorted_len, composites_len;
};

static void lists_init(struct lists *lists, const struct source_config *config)
{
    lists->hash_len = config->index_columns_len;
    lists->sorted_len = config->sorted_fields_len;
    if (lists->hash_len)
        memcpy(lists->hash, config->index_columns, lists->hash_len * sizeof *lists->hash);
    if (lists->sorted_len)
        memcpy(lists->sorted, config->sorted_fields, lists->sorted_len * sizeof *lists->sorted);
    lists->composites_len = config->composites_len;
    if (lists->composites_len)
        memcpy(lists->composites, config->composites,
               lists->composites_len * sizeof *lists->composites);
}

/* flush_lock is held. Makes the lists those in force. */
static enum status change(struct source *source, const struct lists *lists, struct error *err)
{
    const struct source_config *old = source_config(source);
    struct source_config draft = *old;
    char path[SYS_PATH_MAX];
    if (!draft.declared_index_columns) {
        draft.declared_index_columns = old->index_columns;
        draft.declared_index_columns_len = old->index_columns_len;
    }
    if (!draft.declared_composites) {
        draft.declared_composites = old->composites;
        draft.declared_composites_len = old->composites_len;
    }
    draft.index_columns = lists->hash;
    draft.index_columns_len = lists->hash_len;
    draft.sorted_fields = lists->sorted;
    draft.sorted_fields_len = lists->sorted_len;
    draft.composites = lists->composites;
    draft.composites_len = lists->composites_len;
    TRY(source_config_check(&draft, err));
    struct source_config *present = ARENA_NEW(&source->arena, struct source_config);
    if (!present)
        return error_no_memory(err);
    TRY(source_config_copy(&source->arena, &draft, present, err));
    TRY(sys_path(path, err, "%s/source.json", source->dir));
    TRY(source_config_write(source->store->sys, path, present, source->incarnation,
                            source->created_us, err));
    atomic_store_explicit(&source->present, present, memory_order_release);
    return STATUS_OK;
}

static uint32_t push(struct index_def *list, uint32_t len, int32_t field_id, bool sorted)
{
    list[len] = (struct index_def){
        .id = sorted ? index_id_sorted(field_id) : field_id, .fields_len = 1, .fields = {field_id}};
    return len + 1;
}

uint32_t source_indexes(const struct source_config *config, const struct schema *schema,
                        struct index_def ret[SOURCE_INDEXES_MAX])
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        int32_t at = schema_find(schema, config->index_columns[i]);
        if (at >= 0)
            len = push(ret, len, schema->fields[at].id, false);
    }
    for (uint32_t i = 0; i < config->sorted_fields_len; i++) {
        for (uint32_t f = 0; f < schema->fields_len; f++)
            if (field_id_base(schema->fields[f].id) == config->sorted_fields[i])
                len = push(ret, len, schema->fields[f].id, true);
    }
    for (uint32_t i = 0; i < config->composites_len; i++)
        len += composite_def(&config->composites[i], schema, &ret[len], NULL);
    return len;
}

static enum status check_state(struct source *source, struct error *err)
{
    if (source->store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    if (source_is_removed(source))
        return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source \"%.*s\"",
                         STR_ARG(source_config(source)->source_id));
    return STATUS_OK;
}

static enum status check_columns(const struct schema *schema, const struct str *columns,
                                 uint32_t len, uint32_t kinds, struct error *err)
{
    for (uint32_t i = 0; i < len; i++) {
        int32_t at = schema_find(schema, columns[i]);
        int shown = columns[i].len < 100 ? (int)columns[i].len : 100;
        if (at < 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "the source has no column \"%.*s\"",
                             shown, columns[i].data);
        if ((kinds & INDEX_KIND_SORTED) && schema->fields[at].type == TYPE_JSON)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "\"%.*s\" is a JSON column: its values have no order to index", shown,
                             columns[i].data);
    }
    return STATUS_OK;
}

static enum status too_many(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "a source has at most %d indexes of a kind",
                     SOURCE_COLUMNS_LISTED_MAX);
}

static enum status list_hash(struct lists *lists, struct str column, struct error *err)
{
    if (has(lists->hash, lists->hash_len, column))
        return STATUS_OK;
    if (lists->hash_len == SOURCE_COLUMNS_LISTED_MAX)
        return too_many(err);
    lists->hash[lists->hash_len++] = column;
    return STATUS_OK;
}

static enum status list_sorted(struct lists *lists, int32_t field_id, struct error *err)
{
    for (uint32_t i = 0; i < lists->sorted_len; i++)
        if (lists->sorted[i] == field_id)
            return STATUS_OK;
    if (lists->sorted_len == SOURCE_COLUMNS_LISTED_MAX)
        return too_many(err);
    lists->sorted[lists->sorted_len++] = field_id;
    return STATUS_OK;
}

/* flush_lock is held. */
static enum status add_locked(struct source *source, const struct schema *schema,
                              const struct str *columns, uint32_t len, uint32_t kinds,
                              struct error *err)
{
    const struct source_config *config = source_config(source);
    struct lists lists;
    TRY(check_state(source, err));
    TRY(check_columns(schema, columns, len, kinds, err));
    lists_init(&lists, config);
    for (uint32_t i = 0; i < len; i++) {
        if (kinds & INDEX_KIND_HASH)
            TRY(list_hash(&lists, columns[i], err));
        int32_t id = schema->fields[schema_find(schema, columns[i])].id;
        if (kinds & INDEX_KIND_SORTED)
            TRY(list_sorted(&lists, field_id_base(id), err));
    }
    bool same = lists.hash_len == config->index_columns_len &&
                lists.sorted_len == config->sorted_fields_len;
    return same ? STATUS_OK : change(source, &lists, err);
}

enum status source_add_indexes(struct source *source, const struct str *columns, uint32_t len,
                               uint32_t kinds, struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    struct schema *schema = source_schema(source);
    enum status status = add_locked(source, schema, columns, len, kinds, err);
    schema_unref(schema);
    pthread_mutex_unlock(&source->flush_lock);
    if (status == STATUS_OK)
        store_index_wake(source->store);
    return status;
}

/* --- dropping --- */

static void remove_files(struct source *source, const struct snapshot *snapshot,
                         const struct index_def *def)
{
    char path[SYS_PATH_MAX];
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        struct segment *segment = snapshot->segments[i];
        if (segment_index_look(segment, def) == SEGMENT_INDEX_NONE ||
            segment_index_path(segment, def->id, path, NULL) != STATUS_OK)
            continue;
        segment_index_set(segment, def->id, SEGMENT_INDEX_NONE);
        (void)sys_unlink(source->store->sys, path, NULL); /* the next start removes what stays */
    }
}

/* Of the kept states too; flush_lock is enough for reading them. */
void source_remove_sidecars(struct source *source, const struct index_def *def)
{
    const struct history *history = &source->history;
    remove_files(source, source->snapshot, def);
    for (uint32_t i = 0; i < history->len; i++) {
        if (history->entries[i].snapshot)
            remove_files(source, history->entries[i].snapshot, def);
    }
}

/* Takes the column out of the lists; false when it is in none of those asked for. */
static bool unlist(struct lists *lists, struct str column, int32_t field_id, uint32_t kinds)
{
    uint32_t hash_len = 0, sorted_len = 0;
    for (uint32_t i = 0; i < lists->hash_len; i++)
        if (!(kinds & INDEX_KIND_HASH) || !str_eq(lists->hash[i], column))
            lists->hash[hash_len++] = lists->hash[i];
    for (uint32_t i = 0; i < lists->sorted_len; i++)
        if (!(kinds & INDEX_KIND_SORTED) || lists->sorted[i] != field_id)
            lists->sorted[sorted_len++] = lists->sorted[i];
    bool found = hash_len < lists->hash_len || sorted_len < lists->sorted_len;
    lists->hash_len = hash_len;
    lists->sorted_len = sorted_len;
    return found;
}

/* flush_lock is held. */
static enum status drop_locked(struct source *source, const struct schema *schema,
                               struct str column, uint32_t kinds, struct error *err)
{
    struct lists lists;
    int32_t at = schema_find(schema, column), field_id = at < 0 ? 0 : schema->fields[at].id;
    TRY(check_state(source, err));
    lists_init(&lists, source_config(source));
    if (!unlist(&lists, column, field_id_base(field_id), kinds))
        return error_set(err, STATUS_NOT_FOUND, "the column \"%.*s\" has no such index",
                         column.len < 100 ? (int)column.len : 100, column.data);
    TRY(change(source, &lists, err));
    struct index_def defs[2];
    (void)push(defs, push(defs, 0, field_id, false), field_id, true);
    if (field_id && (kinds & INDEX_KIND_HASH))
        source_remove_sidecars(source, &defs[0]);
    if (field_id && (kinds & INDEX_KIND_SORTED))
        source_remove_sidecars(source, &defs[1]);
    return STATUS_OK;
}

enum status source_drop_index(struct source *source, struct str column, uint32_t kinds,
                              struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    struct schema *schema = source_schema(source);
    enum status status = drop_locked(source, schema, column, kinds, err);
    schema_unref(schema);
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

/* --- over several columns --- */

/* flush_lock is held. */
static enum status add_composite_locked(struct source *source, const struct schema *schema,
                                        const struct str *columns, uint32_t len,
                                        enum index_kind kind, uint32_t *ret_number,
                                        struct error *err)
{
    struct composite_config wanted = {.kind = kind, .fields_len = len};
    struct lists lists;
    TRY(check_state(source, err));
    if (len > INDEX_FIELDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "an index over several columns has 2 to %d of them", INDEX_FIELDS_MAX);
    TRY(check_columns(schema, columns, len, kind, err));
    for (uint32_t i = 0; i < len; i++)
        wanted.fields[i] = field_id_base(schema->fields[schema_find(schema, columns[i])].id);
    lists_init(&lists, source_config(source));
    for (uint32_t i = 0; i < lists.composites_len; i++) {
        if (composite_same(&lists.composites[i], &wanted)) {
            *ret_number = lists.composites[i].number;
            return STATUS_OK;
        }
    }
    if (lists.composites_len == SOURCE_COMPOSITES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a source has at most %d indexes over several columns",
                         SOURCE_COMPOSITES_MAX);
    lists.composites[lists.composites_len++] = wanted;
    TRY(change(source, &lists, err)); /* which numbers it */
    *ret_number = source_config(source)->composites_last;
    return STATUS_OK;
}

enum status source_add_composite(struct source *source, const struct str *columns, uint32_t len,
                                 enum index_kind kind, uint32_t *ret_number, struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    struct schema *schema = source_schema(source);
    enum status status = add_composite_locked(source, schema, columns, len, kind, ret_number, err);
    schema_unref(schema);
    pthread_mutex_unlock(&source->flush_lock);
    if (status == STATUS_OK)
        store_index_wake(source->store);
    return status;
}

/* flush_lock is held. */
static enum status drop_composite_locked(struct source *source, const struct schema *schema,
                                         uint32_t number, struct error *err)
{
    struct lists lists;
    struct index_def def;
    uint32_t at = 0;
    TRY(check_state(source, err));
    lists_init(&lists, source_config(source));
    while (at < lists.composites_len && lists.composites[at].number != number)
        at++;
    if (at == lists.composites_len)
        return error_set(err, STATUS_NOT_FOUND, "the source has no index %u over several columns",
                         number);
    bool made = composite_def(&lists.composites[at], schema, &def, NULL);
    for (lists.composites_len--; at < lists.composites_len; at++)
        lists.composites[at] = lists.composites[at + 1];
    TRY(change(source, &lists, err));
    if (made)
        source_remove_sidecars(source, &def);
    return STATUS_OK;
}

enum status source_drop_composite(struct source *source, uint32_t number, struct error *err)
{
    pthread_mutex_lock(&source->flush_lock);
    struct schema *schema = source_schema(source);
    enum status status = drop_composite_locked(source, schema, number, err);
    schema_unref(schema);
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

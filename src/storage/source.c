/* source.c: a source's life: added, loaded, removed, forgotten.
 *
 * Added: directories, then source.json, then the parent is synced. Removed: source.json is renamed
 * to source.json.removed (the tombstone, synced), then nobody finds it any more; the data goes when
 * the last reader is done, at the latest at the next start. When the id is added again before that,
 * the old directory is moved aside, after its files have been mapped for those readers. */
#include "storage/store_int.h"

#include <stdlib.h>

struct source *source_ref(struct source *source)
{
    atomic_fetch_add_explicit(&source->refs, 1, memory_order_relaxed);
    return source;
}

const struct source_config *source_config(const struct source *source)
{
    return atomic_load_explicit(&source->present, memory_order_acquire);
}

struct uuid source_incarnation(const struct source *source)
{
    return source->incarnation;
}

static struct source *source_new(struct store *store, const char *dir)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    atomic_init(&source->refs, 1);
    source->store = store;
    atomic_init(&source->present, &source->config);
    source->next_segment_id = 1;
    source->next_snapshot_id = 1;
    arena_init(&source->arena, 0);
    write_ids_init(&source->ids);
    pthread_mutex_init(&source->lock, NULL);
    pthread_mutex_init(&source->flush_lock, NULL);
    pthread_mutex_init(&source->sketch_lock, NULL);
    pthread_cond_init(&source->changed, NULL);
    pthread_mutex_init(&source->upsert_lock, NULL);
    pthread_cond_init(&source->upserts_over, NULL);
    finder_list_init(&source->finders, &store->finder_bytes);
    source->dir = str_dup(str_of(dir));
    if (!source->dir) {
        source_unref(source);
        return NULL;
    }
    return source;
}

static void source_free(struct source *source)
{
    store_memory_give(source->store, source->active.bytes + source->frozen.bytes);
    memtable_clear(&source->active);
    memtable_clear(&source->frozen);
    write_ids_release(&source->ids);
    store_memory_give(source->store, source->deleted ? source->deleted->memory : 0);
    deletion_set_unref(source->deleted);
    finder_list_release(&source->finders);
    sketch_unref(source->sketch);
    snapshot_unref(source->snapshot);
    history_release(&source->history);
    table_free(source->table);
    schema_unref(source->schema);
    pthread_mutex_destroy(&source->lock);
    pthread_mutex_destroy(&source->flush_lock);
    pthread_mutex_destroy(&source->sketch_lock);
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->upsert_lock);
    pthread_cond_destroy(&source->upserts_over);
    arena_release(&source->arena);
    free(source->dir);
    free(source);
}

enum status store_move_to_trash(struct store *store, const char *dir, char trash[SYS_PATH_MAX],
                                struct error *err)
{
    char parent[SYS_PATH_MAX];
    unsigned char random[10];
    char name[UUID_TEXT_LEN + 1];
    sys_random(store->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)sys_now_us(store->sys) / 1000, random), name);
    TRY(sys_path(trash, err, "%s/sources/.trash-%s", store->path, name));
    TRY(sys_path(parent, err, "%s/sources", store->path));
    TRY(sys_rename(store->sys, dir, trash, err));
    return sys_sync_dir(store->sys, parent, err);
}

/* The last reader of a removed source is done. */
static void bury(struct source *source)
{
    struct store *store = source->store;
    char trash[SYS_PATH_MAX];
    pthread_mutex_lock(&store->lock);
    struct source **at = &store->graves;
    while (*at && *at != source)
        at = &(*at)->next_grave;
    if (*at)
        *at = source->next_grave;
    enum status status = store_move_to_trash(store, source->dir, trash, NULL);
    pthread_mutex_unlock(&store->lock);
    if (status == STATUS_OK)
        (void)sys_remove_tree(store->sys, trash, NULL); /* the next start removes what stays */
}

void source_unref(struct source *source)
{
    if (!source || atomic_fetch_sub_explicit(&source->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (source->removed)
        bury(source);
    source_free(source);
}

/* --- adding --- */

/* sources/<id> exists although no source has the id: an old life that is still read, or leftovers
 * of an interrupted call. store->lock is held. */
static enum status clear_place(struct store *store, const char *dir, struct error *err)
{
    char trash[SYS_PATH_MAX];
    struct sys_stat stat;
    if (sys_stat(store->sys, dir, &stat, NULL) != STATUS_OK)
        return STATUS_OK;
    struct source *grave = store->graves;
    while (grave && strcmp(grave->dir, dir) != 0)
        grave = grave->next_grave;
    if (grave) {
        snapshot_pin(grave->snapshot);
        history_pin(&grave->history);
    }
    TRY(store_move_to_trash(store, dir, trash, err));
    if (!grave) {
        (void)sys_remove_tree(store->sys, trash, NULL); /* the next start removes what stays */
        return STATUS_OK;
    }
    char *moved = str_dup(str_of(trash));
    if (!moved)
        return error_no_memory(err);
    free(grave->dir);
    grave->dir = moved;
    return STATUS_OK;
}

static enum status make_directories(struct sys *sys, const char *dir, struct error *err)
{
    static const char *const names[] = {"data", "index", "metadata"};
    char path[SYS_PATH_MAX];
    TRY(sys_mkdir(sys, dir, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TRY(sys_path(path, err, "%s/%s", dir, names[i]));
        TRY(sys_mkdir(sys, path, err));
    }
    return sys_sync_dir(sys, dir, err);
}

static enum status write_files(struct source *source, struct error *err)
{
    struct sys *sys = source->store->sys;
    char path[SYS_PATH_MAX];
    TRY(make_directories(sys, source->dir, err));
    TRY(sys_path(path, err, "%s/source.json", source->dir));
    TRY(source_config_write(sys, path, &source->config, source->incarnation, source->created_us,
                            err));
    TRY(sys_path(path, err, "%s/sources", source->store->path));
    return sys_sync_dir(sys, path, err);
}

static enum status start_empty(struct source *source, struct error *err)
{
    struct schema *schema = schema_new(source->config.fields, source->config.fields_len, 0,
                                       (int32_t)source->config.fields_len, err);
    if (!schema)
        return STATUS_NO_MEMORY;
    source->snapshot = snapshot_new(schema, NULL, 0, err);
    schema_unref(schema);
    return source->snapshot ? schema_load(source, err) : STATUS_NO_MEMORY;
}

/* An upsert looks its keys up: the first key column gets an index when none was declared for it. */
static enum status index_keys(struct source *source, struct error *err)
{
    struct source_config *config = &source->config;
    uint32_t len = config->index_columns_len;
    for (uint32_t i = 0; i < len; i++) {
        if (config->key_columns_len == 0 ||
            str_eq(config->index_columns[i], config->key_columns[0]))
            return STATUS_OK;
    }
    if (config->key_columns_len == 0 || len == SOURCE_COLUMNS_LISTED_MAX)
        return STATUS_OK;
    struct str *list = arena_array(&source->arena, len + 1u, sizeof *list);
    if (!list)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++)
        list[i] = config->index_columns[i];
    list[len] = config->key_columns[0];
    config->declared_index_columns = config->index_columns;
    config->declared_index_columns_len = len;
    config->index_columns = list;
    config->index_columns_len = len + 1;
    return STATUS_OK;
}

/* A new life of an id. */
static enum status make_source(struct store *store, const struct source_config *config,
                               const char *dir, struct source **ret, struct error *err)
{
    unsigned char random[10];
    struct source *source = source_new(store, dir);
    if (!source)
        return error_no_memory(err);
    sys_random(store->sys, random, sizeof random);
    source->created_us = sys_now_us(store->sys);
    source->incarnation = uuid_v7((uint64_t)sys_now_us(store->sys) / 1000, random);
    enum status status = source_config_copy(&source->arena, config, &source->config, err);
    if (status == STATUS_OK)
        status = index_keys(source, err);
    if (status == STATUS_OK)
        status = start_empty(source, err);
    if (status != STATUS_OK) {
        source_unref(source);
        return status;
    }
    *ret = source;
    return STATUS_OK;
}

/* store->lock is held. */
static enum status add_locked(struct store *store, const struct source_config *config,
                              struct error *err)
{
    bool found;
    char dir[SYS_PATH_MAX], trash[SYS_PATH_MAX];
    uint32_t at = store_position(store, config->source_id, &found);
    if (found) {
        if (source_config_equal(source_config(store->sources[at]), config))
            return STATUS_OK;
        return error_set(err, STATUS_CONFLICT,
                         "the source \"%.*s\" exists with another configuration",
                         STR_ARG(config->source_id));
    }
    struct source *source = NULL;
    TRY(sys_path(dir, err, "%s/sources/%.*s", store->path, STR_ARG(config->source_id)));
    TRY(clear_place(store, dir, err));
    TRY(make_source(store, config, dir, &source, err));
    enum status status = write_files(source, err);
    if (status == STATUS_OK)
        status = table_open(store->sys, dir, &source->config, &store->readers, &source->table, err);
    if (status == STATUS_OK)
        status = store_insert_source(store, source, err);
    if (status != STATUS_OK) {
        if (store_move_to_trash(store, dir, trash, NULL) == STATUS_OK)
            (void)sys_remove_tree(store->sys, trash, NULL); /* the next start removes what stays */
        source_unref(source);
    }
    return status;
}

enum status store_add_source(struct store *store, const struct source_config *config,
                             struct error *err)
{
    TRY(source_config_check(config, err));
    if (store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    pthread_mutex_lock(&store->lock);
    enum status status = add_locked(store, config, err);
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* --- removing --- */

static enum status place_tombstone(struct source *source, struct error *err)
{
    struct sys *sys = source->store->sys;
    char from[SYS_PATH_MAX], to[SYS_PATH_MAX];
    TRY(sys_path(from, err, "%s/source.json", source->dir));
    TRY(sys_path(to, err, "%s/source.json.removed", source->dir));
    TRY(sys_rename(sys, from, to, err));
    enum status status = sys_sync_dir(sys, source->dir, err);
    if (status != STATUS_OK)
        (void)sys_rename(sys, to, from, NULL); /* as it was, if that is still possible */
    return status;
}

/* flush_lock and store->lock are held. */
static enum status remove_locked(struct source *source, struct error *err)
{
    struct store *store = source->store;
    bool found;
    uint32_t at = store_position(store, source->config.source_id, &found);
    if (!found || store->sources[at] != source)
        return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source \"%.*s\"",
                         STR_ARG(source->config.source_id));
    TRY(place_tombstone(source, err));
    store->sources_len--;
    memmove(store->sources + at, store->sources + at + 1,
            (store->sources_len - at) * sizeof(*store->sources));
    source->next_grave = store->graves;
    store->graves = source;
    pthread_mutex_lock(&source->lock);
    source->removed = true;
    pthread_mutex_unlock(&source->lock);
    return STATUS_OK;
}

enum status store_remove_source(struct store *store, struct str source_id, struct error *err)
{
    struct source *source = NULL;
    if (store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    TRY(store_get_source(store, source_id, &source, err));
    pthread_mutex_lock(&source->flush_lock);
    pthread_mutex_lock(&store->lock);
    enum status status = remove_locked(source, err);
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&source->flush_lock);
    if (status == STATUS_OK)
        source_unref(source); /* the list's */
    source_unref(source);     // NOLINT(clang-analyzer-unix.Malloc): there were two references
    return status;
}

/* --- loading --- */

static enum status load_states(struct source *source, struct error *err)
{
    struct table_reader *reader = NULL;
    TRY(table_open(source->store->sys, source->dir, &source->config, &source->store->readers,
                   &source->table, err));
    if (!source->store->options.read_only)
        TRY(table_move(source->table, err));
    uint64_t id = table_current_id(source->table);
    if (!id)
        return STATUS_OK;
    TRY(table_reader_open(source->table, false, &reader, err));
    enum status status = table_read(reader, id, &source->snapshot, err);
    if (status == STATUS_OK)
        status = history_load(source, reader, err);
    table_reader_close(reader);
    return status;
}

static enum status load_snapshot(struct source *source, struct error *err)
{
    struct sys *sys = source->store->sys;
    char path[SYS_PATH_MAX];
    TRY(load_states(source, err));
    struct snapshot *snapshot = source->snapshot;
    if (!snapshot)
        return start_empty(source, err);
    TRY(schema_load(source, err));
    source->published_lsn = snapshot->lsn;
    source->last_updated_us = snapshot->time_us;
    source->next_segment_id = snapshot->next_segment_id;
    source->next_snapshot_id = snapshot->id + 1;
    for (uint32_t i = 0; i < snapshot->id_files_len; i++) {
        TRY(sys_path(path, err, "%s/metadata/%s", source->dir, snapshot->id_files[i].name.data));
        TRY(write_id_file_read(sys, path, &source->ids, err));
    }
    source->ids.unsaved = source->ids.end;
    return STATUS_OK;
}

/* Integer columns with values that a double cannot hold, from the segments' bounds. */
static void mark_big_ints(struct source *source)
{
    const int64_t exact = INT64_C(1) << 53;
    for (uint32_t i = 0; i < source->snapshot->segments_len; i++) {
        const struct segment_meta *meta = segment_meta(source->snapshot->segments[i]);
        for (uint32_t k = 0; k < meta->columns_len; k++) {
            const struct segment_column *column = &meta->columns[k];
            bool small =
                column->has_bounds && column->min.int64 >= -exact && column->max.int64 <= exact;
            if (column->type != TYPE_INT64 || column->nulls == meta->rows || small)
                continue;
            for (uint32_t f = 0; f < source->schema->fields_len; f++) {
                if (source->schema->fields[f].id == column->field_id)
                    source->big_ints[f >> 3] |= (uint8_t)(1u << (f & 7));
            }
        }
    }
}

enum status source_load(struct store *store, const char *dir, struct source **ret_source,
                        struct error *err)
{
    char path[SYS_PATH_MAX];
    struct source *source = source_new(store, dir);
    if (!source)
        return error_no_memory(err);
    enum status status = sys_path(path, err, "%s/source.json", dir);
    if (status == STATUS_OK)
        status = source_config_read(store->sys, path, &source->arena, &source->config,
                                    &source->incarnation, &source->created_us, err);
    if (status == STATUS_OK)
        status = load_snapshot(source, err);
    if (status != STATUS_OK) {
        source_unref(source);
        return status;
    }
    mark_big_ints(source);
    *ret_source = source;
    return STATUS_OK;
}

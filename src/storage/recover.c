/* recover.c: from what is on disk to a running store. Idempotent: it may be interrupted anywhere.
 *
 *   1. sources/: remove trash and tombstoned directories, load the others with their snapshots
 *   2. remove orphans: files that no kept snapshot names, metadata files newer than that which
 *      CURRENT names among them; mend the hint for other readers
 *   3. replay the log: frames of a known incarnation behind its snapshot's LSN are published, their
 *      write ids remembered; all others are passed over
 *   4. a fresh log segment (wal_open); segments that nobody needs are removed */
#include "storage/index/index_id.h"
#include "storage/store_int.h"

#include <stdlib.h>
#include <xxhash.h>

/* --- 1 --- */

static bool exists(struct sys *sys, const char *dir, const char *name)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    return sys_path(path, NULL, "%s/%s", dir, name) == STATUS_OK &&
           sys_stat(sys, path, &stat, NULL) == STATUS_OK;
}

/* Removed, being removed, or added only in part. */
static enum status drop_directory(struct store *store, const char *dir, bool is_trash,
                                  struct error *err)
{
    char trash[SYS_PATH_MAX];
    if (store->options.read_only)
        return STATUS_OK;
    if (is_trash)
        return sys_remove_tree(store->sys, dir, err);
    TRY(store_move_to_trash(store, dir, trash, err));
    return sys_remove_tree(store->sys, trash, err);
}

/* Names are collected first: the directory changes while we work. */
struct names {
    struct arena arena;
    const char **list;
    uint32_t len, cap;
    bool dirs;
};

static enum status collect_name(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct names *names = context;
    if (entry->is_dir != names->dirs)
        return STATUS_OK;
    if (names->len == names->cap) {
        uint32_t cap = names->cap ? names->cap * 2 : 64;
        const char **grown = realloc(names->list, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        names->list = grown;
        names->cap = cap;
    }
    const char *copy = arena_str(&names->arena, str_of(entry->name)).data;
    if (!copy)
        return error_no_memory(err);
    names->list[names->len++] = copy;
    return STATUS_OK;
}

static enum status list_names(struct sys *sys, const char *dir, bool dirs, struct names *names,
                              struct error *err)
{
    *names = (struct names){.dirs = dirs};
    arena_init(&names->arena, 0);
    return sys_list_dir(sys, dir, collect_name, names, err);
}

static void names_release(struct names *names)
{
    free(names->list);
    arena_release(&names->arena);
}

static enum status load_directory(struct store *store, const char *name, struct error *err)
{
    char dir[SYS_PATH_MAX];
    struct source *source = NULL;
    TRY(sys_path(dir, err, "%s/sources/%s", store->path, name));
    bool trash = str_starts(str_of(name), STR(".trash-"));
    bool here = exists(store->sys, dir, "source.json");
    if (trash || (!here && exists(store->sys, dir, "source.json.removed")))
        return drop_directory(store, dir, trash, err);
    if (!here && exists(store->sys, dir, "metadata/CURRENT"))
        return error_set(err, STATUS_CORRUPT, "%s/source.json is missing beside its data", dir);
    if (!here)
        return drop_directory(store, dir, trash, err);
    TRY(source_load(store, dir, &source, err));
    enum status status = str_is(source->config.source_id, name)
                             ? store_insert_source(store, source, err)
                             : error_set(err, STATUS_CORRUPT, "%s/source.json names \"%.*s\"", dir,
                                         STR_ARG(source->config.source_id));
    if (status != STATUS_OK)
        source_unref(source);
    return status;
}

static enum status load_sources(struct store *store, struct error *err)
{
    char dir[SYS_PATH_MAX];
    struct names names;
    TRY(sys_path(dir, err, "%s/sources", store->path));
    enum status status = list_names(store->sys, dir, true, &names, err);
    for (uint32_t i = 0; i < names.len && status == STATUS_OK; i++)
        status = load_directory(store, names.list[i], err);
    names_release(&names);
    return status;
}

/* --- 2 --- */

/* The names that the kept snapshots want, as a sorted array of hashes of paths below the source. */
struct wanted {
    uint64_t *hashes;
    size_t len, cap;
    struct index_def indexes[SOURCE_INDEXES_MAX]; /* in force */
    uint32_t indexes_len;
};

static uint64_t path_hash(const char *path)
{
    return XXH3_64bits(path, strlen(path));
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum status want(struct wanted *wanted, const char *path, struct error *err)
{
    if (wanted->len == wanted->cap) {
        size_t cap = wanted->cap ? wanted->cap * 2 : 256;
        uint64_t *grown = realloc(wanted->hashes, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        wanted->hashes = grown;
        wanted->cap = cap;
    }
    wanted->hashes[wanted->len++] = path_hash(path);
    return STATUS_OK;
}

static enum status want_sidecar(struct wanted *wanted, const struct segment_meta *meta,
                                int32_t index_id, struct error *err)
{
    char path[SYS_PATH_MAX], name[INDEX_FILE_MAX];
    int32_t at =
        index_is_composite(index_id) ? -1 : segment_meta_column(meta, index_field(index_id));
    index_file_name(name, meta->id,
                    at < 0 ? index_id : index_id_of(index_id, meta->columns[at].field_id));
    TRY(sys_path(path, err, "index/%s", name));
    return want(wanted, path, err);
}

/* With the sidecars of the indexes in force, whether a snapshot knows them or not. */
static enum status want_segment(struct wanted *wanted, const struct segment_meta *meta,
                                struct error *err)
{
    TRY(want(wanted, meta->path.data, err));
    for (uint32_t i = 0; i < meta->indexes_len; i++)
        TRY(want_sidecar(wanted, meta, meta->indexes[i].field_id, err));
    for (uint32_t i = 0; i < wanted->indexes_len; i++)
        TRY(want_sidecar(wanted, meta, wanted->indexes[i].id, err));
    return STATUS_OK;
}

static enum status want_deletion(struct wanted *wanted, const struct deletion *deletion,
                                 struct error *err)
{
    return deletion ? want(wanted, deletion_file(deletion)->path.data, err) : STATUS_OK;
}

static enum status want_metadata(void *context, struct str name, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "metadata/%.*s", STR_ARG(name)));
    return want(context, path, err);
}

/* A snapshot's list and manifests, and its segments that `newer` does not have (NULL: all). */
static enum status want_snapshot(struct wanted *wanted, const struct snapshot *snapshot,
                                 const struct snapshot *newer, struct error *err)
{
    for (uint32_t i = 0; snapshot && i < snapshot->meta_files_len; i++)
        TRY(want_metadata(wanted, snapshot->meta_files[i], err));
    for (uint32_t i = 0; snapshot && i < snapshot->segments_len; i++) {
        const struct segment_meta *meta = segment_meta(snapshot->segments[i]);
        if (!newer || !snapshot_find(newer, meta->id))
            TRY(want_segment(wanted, meta, err));
        if (snapshot->deletions)
            TRY(want_deletion(wanted, snapshot->deletions[i], err));
    }
    return STATUS_OK;
}

/* The current snapshot, the kept ones, and segments that views still hold. */
static enum status want_states(struct wanted *wanted, const struct source *source,
                               struct error *err)
{
    const struct history *history = &source->history;
    const struct snapshot *newer = source->snapshot;
    TRY(want_snapshot(wanted, newer, NULL, err));
    for (uint32_t i = history->len; i-- > 0;) {
        const struct history_entry *entry = &history->entries[i];
        TRY(want_snapshot(wanted, entry->snapshot, newer, err));
        newer = entry->snapshot ? entry->snapshot : newer;
    }
    for (uint32_t i = 0; i < history->doomed_len; i++) {
        if (history->doomed[i].segment)
            TRY(want_segment(wanted, segment_meta(history->doomed[i].segment), err));
        TRY(want_deletion(wanted, history->doomed[i].deletion, err));
    }
    return STATUS_OK;
}

static enum status want_all(struct wanted *wanted, const struct source *source, struct error *err)
{
    char path[SYS_PATH_MAX];
    const struct snapshot *snapshot = source->snapshot;
    wanted->indexes_len = source_indexes(source_config(source), snapshot->schema, wanted->indexes);
    TRY(table_visit_names(source->table, want_metadata, wanted, err));
    TRY(want_states(wanted, source, err));
    for (uint32_t i = 0; i < snapshot->id_files_len; i++) {
        TRY(sys_path(path, err, "metadata/%s", snapshot->id_files[i].name.data));
        TRY(want(wanted, path, err));
    }
    if (wanted->len)
        qsort(wanted->hashes, wanted->len, sizeof *wanted->hashes, by_number);
    return STATUS_OK;
}

static bool is_wanted(const struct wanted *wanted, const char *path)
{
    uint64_t hash = path_hash(path);
    return wanted->len &&
           bsearch(&hash, wanted->hashes, wanted->len, sizeof hash, by_number) != NULL;
}

enum { SWEEP_DEPTH_MAX = SOURCE_COLUMNS_LISTED_MAX + 2 };

struct sweep {
    struct source *source;
    struct wanted wanted;
    bool only_states; /* of metadata/ only metadata files */
    orphan_fn visit;  /* NULL: removes them, and the directories that are then empty */
    void *context;
    int64_t older_than_us; /* others stay: they may be on their way to a snapshot */
};

static enum status sweep_file(struct sweep *to, const char *inner, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys *sys = to->source->store->sys;
    struct sys_stat stat;
    TRY(sys_path(path, err, "%s/%s", to->source->dir, inner));
    if (to->older_than_us != INT64_MAX) {
        enum status status = sys_stat(sys, path, &stat, err);
        if (status == STATUS_NOT_FOUND || /* renamed since: it was being written */
            (status == STATUS_OK && stat.modified_us >= to->older_than_us))
            return STATUS_OK;
        TRY(status);
    }
    return to->visit ? to->visit(to->context, path, err) : sys_unlink(sys, path, err);
}

/* All files below source/<below> that are not wanted. */
static enum status sweep(struct sweep *to, const char *below, int depth, struct error *err)
{
    struct source *source = to->source;
    struct sys *sys = source->store->sys;
    char dir[SYS_PATH_MAX], path[SYS_PATH_MAX], inner[SYS_PATH_MAX];
    struct names files, dirs;
    if (depth > SWEEP_DEPTH_MAX)
        return STATUS_OK;
    TRY(sys_path(dir, err, "%s/%s", source->dir, below));
    enum status status = list_names(sys, dir, false, &files, err);
    for (uint32_t i = 0; i < files.len && status == STATUS_OK; i++) {
        status = sys_path(inner, err, "%s/%s", below, files.list[i]);
        if (status == STATUS_OK && to->only_states &&
            !str_ends(str_of(inner), STR(".metadata.json")))
            continue;
        if (status == STATUS_OK && !is_wanted(&to->wanted, inner))
            status = sweep_file(to, inner, err);
    }
    names_release(&files);
    if (status != STATUS_OK)
        return status;
    status = list_names(sys, dir, true, &dirs, err);
    for (uint32_t i = 0; i < dirs.len && status == STATUS_OK; i++) {
        status = sys_path(inner, err, "%s/%s", below, dirs.list[i]);
        if (status == STATUS_OK)
            status = sweep(to, inner, depth + 1, err);
        if (status == STATUS_OK && !to->visit &&
            sys_path(path, NULL, "%s/%s", source->dir, inner) == STATUS_OK)
            (void)sys_rmdir(sys, path, NULL); /* only when empty */
    }
    names_release(&dirs);
    return status;
}

static enum status sweep_all(struct sweep *to, struct error *err)
{
    static const char *const places[] = {"data", "index", "metadata"};
    enum status status = want_all(&to->wanted, to->source, err);
    /* A kept snapshot that cannot be read may name any file. Metadata files newer than the one in
     * force go nevertheless: other readers would take them. */
    to->only_states = history_is_damaged(&to->source->history);
    for (size_t i = to->only_states ? 2 : 0;
         i < sizeof places / sizeof *places && status == STATUS_OK; i++)
        status = sweep(to, places[i], 0, err);
    free(to->wanted.hashes);
    return status;
}

enum status source_visit_orphans(struct source *source, orphan_fn visit, void *context,
                                 struct error *err)
{
    struct sweep to = {
        .source = source, .visit = visit, .context = context, .older_than_us = INT64_MAX};
    return sweep_all(&to, err);
}

static enum status remove_orphans(struct source *source, int64_t older_than_us, struct error *err)
{
    struct sweep to = {.source = source, .older_than_us = older_than_us};
    return sweep_all(&to, err);
}

enum status source_remove_orphans(struct source *source, int64_t min_age_us, struct error *err)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&source->flush_lock);
    /* After a failed swap of CURRENT the disk may name what we do not; and an empty source has
     * nothing that could be an orphan but what is being written. */
    if (!source->removed && !source->history.unsure && source->snapshot->id)
        status = remove_orphans(source, sys_now_us(source->store->sys) - min_age_us, err);
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

/* --- 3 --- */

struct replay {
    struct store *store;
    struct source *last; /* frames come in runs of one source */
};

static struct source *find_incarnation(struct replay *replay, struct uuid incarnation)
{
    struct store *store = replay->store;
    if (replay->last && memcmp(&replay->last->incarnation, &incarnation, sizeof incarnation) == 0)
        return replay->last;
    for (uint32_t i = 0; i < store->sources_len; i++) {
        if (memcmp(&store->sources[i]->incarnation, &incarnation, sizeof incarnation) == 0)
            return replay->last = store->sources[i];
    }
    return NULL;
}

/* As at the first time: the schema widens when it must. */
static enum status fit(struct source *source, struct batch *batch, struct error *err)
{
    for (;;) {
        bool changes;
        struct schema *grown = NULL;
        TRY(schema_fit(source->schema, batch, &changes, err));
        if (!changes)
            return STATUS_OK;
        TRY(schema_grow(source->schema, batch, source->big_ints, &grown, err));
        schema_unref(source->schema);
        source->schema = grown;
    }
}

static enum status remember(struct source *source, const struct wal_record *record,
                            struct error *err)
{
    uint64_t number;
    if (!record->key.len || write_ids_find(&source->ids, record->key))
        return STATUS_OK;
    TRY(write_ids_add(&source->ids, record->key, record->time_us, &number, err));
    write_ids_done(&source->ids, number, record->lsn, record->rows);
    return STATUS_OK;
}

static enum status publish(struct source *source, struct batch *batch,
                           const struct wal_record *record, struct error *err)
{
    TRY(fit(source, batch, err));
    schema_mark_big_ints(source->schema, batch, source->big_ints);
    struct chunk *chunk = chunk_new(source->store->sys, batch, record->lsn, record->lsn);
    if (!chunk)
        return error_no_memory(err);
    chunk->budget = &source->store->chunk_indexes;
    store_memory_add(source->store, chunk->bytes);
    source_publish(source, chunk, record->time_us);
    source_merge_chunks(source);
    return STATUS_OK;
}

static enum status replay_record(void *context, const struct wal_record *record, struct error *err)
{
    struct source *source = find_incarnation(context, record->source);
    struct batch *batch = NULL;
    if (!source || record->lsn <= source->snapshot->lsn)
        return STATUS_OK;
    enum status status = record->kind == WAL_MUTATION ? mutation_replay(source, record, &batch, err)
                                                      : batch_decode(record->payload, &batch, err);
    if (status == STATUS_OK)
        status = remember(source, record, err);
    if (status == STATUS_OK && batch)
        status = publish(source, batch, record, err);
    source->bare_mutations += !batch;
    batch_unref(batch);
    if (status != STATUS_OK) {
        error_wrap(err, "%s: the frame at byte %llu cannot be replayed", record->file,
                   (unsigned long long)record->offset);
        return status == STATUS_NO_MEMORY ? status : STATUS_CORRUPT;
    }
    return STATUS_OK;
}

/* --- 4 --- */

static enum status open_wal(struct store *store, struct error *err)
{
    char dir[SYS_PATH_MAX];
    struct replay replay = {.store = store};
    struct wal_options options = {.dir = dir,
                                  .segment_bytes = store->options.wal_segment_bytes,
                                  .read_only = store->options.read_only,
                                  .retention_us = store->options.wal_retention_us,
                                  .commit_delay_us = store->options.wal_commit_delay_us,
                                  .after_group = store_after_group,
                                  .after_context = store};
    TRY(sys_path(dir, err, "%s/wal", store->path));
    for (uint32_t i = 0; i < store->sources_len; i++) {
        if (store->sources[i]->snapshot->lsn > options.min_lsn)
            options.min_lsn = store->sources[i]->snapshot->lsn;
    }
    return wal_open(store->sys, &options, replay_record, &replay, &store->wal, err);
}

enum status store_recover(struct store *store, struct error *err)
{
    TRY(load_sources(store, err));
    for (uint32_t i = 0; i < store->sources_len && !store->options.read_only; i++) {
        TRY(remove_orphans(store->sources[i], INT64_MAX, err));
        TRY(table_mend_hint(store->sources[i]->table, err));
    }
    TRY(open_wal(store, err));
    return store_release_wal(store, err);
}

/* commit.c: one commit: a new snapshot becomes the current one, the former joins the history, what
 * has expired goes.
 *
 *   1. begin: what the history will be is decided (expiry by age, count and size; tags keep)
 *   2. write: manifests, list and metadata file, then CURRENT, which names the latter: one rename
 *      (table/table_commit.c)
 *   3. publish: the same in memory, pointers only
 *   4. finish: lists and manifests of the expired are removed; segments that only they named are
 * doomed: their files go when no view holds them (history_collect) A failure in 1 and 2 changes
 * nothing (unless `maybe`, see table_commit). A failure in 4 leaves files behind, which the next
 * start removes. */
#include "storage/store_int.h"

#include <stdlib.h>

enum { SNAPSHOTS_MIN_KEPT = 3 };
#define SNAPSHOT_RETENTION_US (INT64_C(24) * 3600 * 1000000)

static int64_t retention_us(const struct store *store)
{
    int64_t us = store->options.snapshot_retention_us;
    return us == 0 ? SNAPSHOT_RETENTION_US : us < 0 ? 0 : us;
}

static uint32_t min_kept(const struct store *store)
{
    uint32_t kept = store->options.snapshots_min_kept;
    return kept ? kept : SNAPSHOTS_MIN_KEPT;
}

static bool has_tag(const struct history *history, uint64_t id)
{
    for (uint32_t i = 0; i < history->tags_len; i++) {
        if (history->tags[i].id == id)
            return true;
    }
    return false;
}

/* Splits `all` (ascending, the newest last; `ended_us[i]`: when i ceased to be current) into what
 * stays and what goes. Newest first: a state stays while it was current within the retention, or is
 * one of the newest few, or has a tag; count and size bound those that nobody has named. */
static void split(struct commit *commit, const struct history_entry *all, uint32_t len,
                  const int64_t *ended_us, int64_t now_us)
{
    const struct store *store = commit->source->store;
    const struct history *history = &commit->source->history;
    int64_t oldest = now_us - retention_us(store);
    uint32_t newest = min_kept(store) - 1, unnamed = 0; /* without the current one */
    uint64_t bytes = 0;
    for (uint32_t i = len; i-- > 0;) {
        bool tagged = has_tag(history, all[i].id);
        uint64_t size = all[i].snapshot ? snapshot_cost(all[i].snapshot) : 0;
        bool few = len - i <= newest;
        bool young =
            retention_us(store) && ended_us[i] >= oldest && bytes + size <= SNAPSHOT_HISTORY_BYTES;
        bool room = unnamed + SNAPSHOT_TAGS_MAX < SNAPSHOTS_KEPT_MAX;
        if (!tagged && !((few || young) && room)) {
            commit->expired[commit->expired_len++] = all[i];
            continue;
        }
        unnamed += !tagged;
        bytes += tagged ? 0 : size;
        commit->kept[commit->kept_len++] = all[i];
    }
    for (uint32_t a = 0, b = commit->kept_len; a + 1 < b; a++) { /* ascending again */
        struct history_entry swap = commit->kept[a];
        commit->kept[a] = commit->kept[--b];
        commit->kept[b] = swap;
    }
}

/* The history as it will be when `former` (NULL: none) ceases to be current now. */
static enum status plan_history(struct commit *commit, struct snapshot *former, int64_t now_us,
                                struct error *err)
{
    const struct history *history = &commit->source->history;
    uint32_t len = history->len;
    struct history_entry *all = calloc(len + 1u, sizeof *all);
    int64_t *ended_us = calloc(len + 1u, sizeof *ended_us);
    commit->kept = calloc(len + 1u, sizeof *commit->kept);
    commit->expired = calloc(len + 1u, sizeof *commit->expired);
    enum status status = STATUS_OK;
    if (all && ended_us && commit->kept && commit->expired) {
        if (len)
            memcpy(all, history->entries, len * sizeof *all);
        if (former)
            all[len++] = (struct history_entry){former->id, former};
        int64_t next_us = former ? now_us : commit->source->snapshot->time_us;
        for (uint32_t i = len; i-- > 0;) {
            ended_us[i] = next_us;
            next_us = all[i].snapshot ? all[i].snapshot->time_us : next_us;
        }
        split(commit, all, len, ended_us, now_us);
    } else {
        status = error_no_memory(err);
    }
    free(all);
    free(ended_us);
    return status;
}

static enum status make_refs(const struct commit *commit, struct snapshot_refs *refs,
                             struct error *err)
{
    refs->ids = calloc(commit->kept_len + 1u, sizeof *refs->ids);
    if (!refs->ids)
        return error_no_memory(err);
    for (uint32_t i = 0; i < commit->kept_len; i++)
        refs->ids[refs->ids_len++] = commit->kept[i].id;
    refs->tags = commit->tags;
    refs->tags_len = commit->tags_len;
    return STATUS_OK;
}

/* Segments of `a` that `b` does not have; both are in the order of ids. */
static uint64_t count_missing(const struct snapshot *a, const struct snapshot *b)
{
    uint64_t missing = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < a->segments_len; i++) {
        uint64_t id = segment_meta(a->segments[i])->id;
        while (at < b->segments_len && segment_meta(b->segments[at])->id < id)
            at++;
        missing += at == b->segments_len || segment_meta(b->segments[at])->id != id;
    }
    return missing;
}

enum status commit_begin(struct commit *commit, struct source *source, struct snapshot *new,
                         enum snapshot_operation operation, struct error *err)
{
    struct snapshot *old = source->snapshot;
    if (source->first_mutation_lsn && new->lsn < source->first_mutation_lsn)
        return error_set(err, STATUS_INTERNAL, "a commit leaves deletes behind: flush them first");
    *commit = (struct commit){.source = source,
                              .new = new,
                              .tags = source->history.tags,
                              .tags_len = source->history.tags_len};
    int64_t now_us = sys_now_us(source->store->sys);
    new->id = source->next_snapshot_id++;
    new->parent = old->id;
    new->time_us = now_us > old->time_us ? now_us : old->time_us; /* the clock may jump */
    new->operation = operation;
    new->next_segment_id = source->next_segment_id;
    new->added = count_missing(new, old);
    new->removed = count_missing(old, new);
    return plan_history(commit, old->id ? old : NULL, new->time_us, err);
}

enum status commit_write(struct commit *commit, struct error *err)
{
    struct source *source = commit->source;
    struct snapshot_refs refs = {0};
    TRY(make_refs(commit, &refs, err));
    const struct table_change change = {.config = source_config(source),
                                        .old = source->snapshot,
                                        .new = commit->new,
                                        .refs = &refs};
    enum status status = table_commit(source->table, &change, &commit->maybe, err);
    free(refs.ids);
    if (status == STATUS_OK)
        source->history.unsure = false;
    else if (commit->maybe)
        source->history.unsure = true;
    return status;
}

struct snapshot *commit_publish(struct commit *commit)
{
    struct source *source = commit->source;
    struct snapshot *old = source->snapshot;
    source->snapshot = snapshot_ref(commit->new);
    if (old->id)
        snapshot_ref(old); /* the history's, or that of `expired` */
    free(source->history.entries);
    source->history.entries = commit->kept;
    source->history.len = commit->kept_len;
    commit->kept = NULL;
    return old;
}

/* --- expiry --- */

/* The segment, or (with `deletion`) its deletes. */
static bool names(const struct snapshot *snapshot, uint64_t segment_id,
                  const struct deletion *deletion)
{
    return snapshot && (deletion ? snapshot_has_deletion(snapshot, segment_id, deletion)
                                 : snapshot_find(snapshot, segment_id) != NULL);
}

static bool is_kept(const struct source *source, uint64_t segment_id,
                    const struct deletion *deletion)
{
    const struct history *history = &source->history;
    if (names(source->snapshot, segment_id, deletion))
        return true;
    for (uint32_t i = history->len; i-- > 0;) {
        if (names(history->entries[i].snapshot, segment_id, deletion))
            return true;
    }
    return false;
}

static void doom(struct history *history, struct segment *segment, struct deletion *deletion)
{
    uint32_t len = history->doomed_len;
    for (uint32_t i = 0; i < len; i++) {
        if (history->doomed[i].segment == segment && history->doomed[i].deletion == deletion)
            return;
    }
    if (len == history->doomed_cap) {
        uint32_t cap = len ? len * 2 : 64;
        struct doomed *grown = realloc(history->doomed, cap * sizeof *grown);
        if (!grown)
            return; /* the next start removes its files */
        history->doomed = grown;
        history->doomed_cap = cap;
    }
    history->doomed[len] = (struct doomed){segment ? segment_ref(segment) : NULL,
                                           deletion ? deletion_ref(deletion) : NULL};
    history->doomed_len = len + 1;
}

static bool has_meta_file(const struct snapshot *snapshot, struct str name)
{
    for (uint32_t i = 0; snapshot && i < snapshot->meta_files_len; i++) {
        if (str_eq(snapshot->meta_files[i], name))
            return true;
    }
    return false;
}

/* Its manifest list, and manifests that no kept state has. */
static void remove_meta_files(struct source *source, const struct snapshot *snapshot)
{
    char path[SYS_PATH_MAX];
    const struct history *history = &source->history;
    for (uint32_t i = 0; i < snapshot->meta_files_len; i++) {
        struct str name = snapshot->meta_files[i];
        bool kept = has_meta_file(source->snapshot, name);
        for (uint32_t k = 0; k < history->len && !kept; k++)
            kept = has_meta_file(history->entries[k].snapshot, name);
        if (!kept && sys_path(path, NULL, "%s/metadata/%s", source->dir, name.data) == STATUS_OK)
            (void)sys_unlink(source->store->sys, path,
                             NULL); /* the next start removes what stays */
    }
}

/* A damaged snapshot may name any file: while one is kept, none goes. */
static void let_go(struct source *source, struct history_entry *entry)
{
    struct snapshot *snapshot = entry->snapshot;
    if (snapshot && !history_is_damaged(&source->history))
        remove_meta_files(source, snapshot);
    for (uint32_t i = 0; snapshot && i < snapshot->segments_len; i++) {
        uint64_t id = segment_meta(snapshot->segments[i])->id;
        struct deletion *deletion = snapshot->deletions ? snapshot->deletions[i] : NULL;
        if (history_is_damaged(&source->history))
            break;
        if (!is_kept(source, id, NULL))
            doom(&source->history, snapshot->segments[i], NULL);
        if (deletion && !is_kept(source, id, deletion))
            doom(&source->history, NULL, deletion);
    }
    snapshot_unref(snapshot);
}

void commit_finish(struct commit *commit)
{
    for (uint32_t i = 0; i < commit->expired_len; i++)
        let_go(commit->source, &commit->expired[i]);
    commit->expired_len = 0;
    history_collect(commit->source);
    compactor_wake(commit->source);
}

void commit_release(struct commit *commit)
{
    free(commit->kept);
    free(commit->expired);
    *commit = (struct commit){0};
}

enum status commit_keep_write_ids(struct source *source, struct snapshot *new, struct error *err)
{
    const struct snapshot *old = source->snapshot;
    new->lsn = old->lsn;
    for (uint32_t i = 0; i < old->id_files_len; i++)
        TRY(snapshot_add_id_file(new, &old->id_files[i], err));
    return STATUS_OK;
}

/* --- CURRENT with other references --- */

static enum status repoint(struct commit *commit, struct error *err)
{
    struct source *source = commit->source;
    struct snapshot_refs refs = {0};
    if (source->history.unsure) /* what is on disk may not be what we would name */
        return error_set(err, STATUS_UNAVAILABLE, "the last commit has not succeeded yet");
    TRY(make_refs(commit, &refs, err));
    enum status status = table_point(source->table, &refs, err);
    free(refs.ids);
    return status;
}

enum status history_expire(struct source *source, struct error *err)
{
    struct commit commit = {
        .source = source, .tags = source->history.tags, .tags_len = source->history.tags_len};
    enum status status = plan_history(&commit, NULL, sys_now_us(source->store->sys), err);
    if (status == STATUS_OK && commit.expired_len)
        status = repoint(&commit, err);
    if (status == STATUS_OK && commit.expired_len) {
        pthread_mutex_lock(&source->lock);
        free(source->history.entries);
        source->history.entries = commit.kept;
        source->history.len = commit.kept_len;
        commit.kept = NULL;
        pthread_mutex_unlock(&source->lock);
        for (uint32_t i = 0; i < commit.expired_len; i++)
            let_go(source, &commit.expired[i]);
    }
    history_collect(source);
    commit_release(&commit);
    return status;
}

enum status history_set_tags(struct source *source, struct snapshot_tag *tags, uint32_t len,
                             struct error *err)
{
    struct history *history = &source->history;
    struct commit commit = {.source = source,
                            .kept = history->entries,
                            .kept_len = history->len,
                            .tags = tags,
                            .tags_len = len};
    TRY(repoint(&commit, err));
    pthread_mutex_lock(&source->lock);
    free(history->tags);
    history->tags = tags;
    history->tags_len = len;
    pthread_mutex_unlock(&source->lock);
    return STATUS_OK;
}

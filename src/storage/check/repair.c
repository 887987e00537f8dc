/* repair.c: does to each finding of the check what is safe, and says so.
 *
 *   leftover       removed
 *   torn tail      overwritten with zeros
 *   index          built anew from its segment
 *   others         the hint is written anew, a damaged older metadata file removed
 *   segment, deletes
 *                  taken from the backup when one is given that has the file
 *   segment, deletes, write ids, kept state:
 *                  with drop_damaged a snapshot without them is committed, then the files are moved
 *                  to damaged/<source>/; kept states that need them go; else left. With a file of
 *                  deleted rows goes its segment: rows that were deleted must not come back
 *   all else       left: only a backup helps */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/backup/backup.h"
#include "storage/check/check_int.h"
#include "storage/wal/wal_check.h"

/* A finding of its own memory. */
struct kept {
    struct check_finding finding;
    bool given_up; /* its snapshot is committed without it */
    bool fetched;  /* from the backup */
};

struct repairing {
    struct sys *sys;
    const struct repair_options *options;
    struct repair_summary *summary;
    struct arena arena;
    struct kept *list;
    uint32_t len, cap;
};

static enum status keep(void *context, const struct check_finding *finding, struct error *err)
{
    struct repairing *r = context;
    if (r->len == REPAIR_FINDINGS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d findings: restore a backup",
                         REPAIR_FINDINGS_MAX);
    if (r->len == r->cap) {
        uint32_t cap = r->cap ? r->cap * 2 : 64;
        struct kept *grown = realloc(r->list, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        r->list = grown;
        r->cap = cap;
    }
    struct check_finding copy = *finding;
    copy.file = arena_str(&r->arena, str_of(finding->file)).data;
    copy.what = arena_str(&r->arena, str_of(finding->what)).data;
    copy.source = arena_str(&r->arena, str_of(finding->source)).data;
    if (finding->segment)
        copy.segment = arena_str(&r->arena, str_of(finding->segment)).data;
    if (!copy.file || !copy.what || !copy.source || (finding->segment && !copy.segment))
        return error_no_memory(err);
    r->list[r->len++] = (struct kept){.finding = copy};
    return STATUS_OK;
}

static void act(struct repairing *r, const char *file, bool mended, const char *done)
{
    if (mended)
        r->summary->mended++;
    else
        r->summary->left++;
    if (r->options->acted)
        r->options->acted(r->options->context,
                          &(struct repair_action){.file = file, .done = done, .mended = mended});
}

static void act_status(struct repairing *r, const char *file, enum status status, const char *done,
                       const struct error *local)
{
    act(r, file, status == STATUS_OK, status == STATUS_OK ? done : local->message);
}

/* --- what one source needs --- */

struct opened {
    char dir[SYS_PATH_MAX];
    struct arena arena;
    struct source_config config;
    struct check_states states;
};

static enum status open_source(struct repairing *r, const char *id, struct opened *ret,
                               struct error *err)
{
    char path[SYS_PATH_MAX];
    struct uuid incarnation;
    int64_t created_us;
    *ret = (struct opened){0};
    arena_init(&ret->arena, 0);
    TRY(sys_path(ret->dir, err, "%s/sources/%s", r->options->path, id));
    TRY(sys_path(path, err, "%s/source.json", ret->dir));
    TRY(source_config_read(r->sys, path, &ret->arena, &ret->config, &incarnation, &created_us,
                           err));
    TRY(check_states_load(r->sys, ret->dir, &ret->config, &ret->states, path, err));
    return ret->states.current ? STATUS_OK
                               : error_set(err, STATUS_NOT_FOUND, "there is no snapshot");
}

static void close_source(struct opened *opened)
{
    check_states_release(&opened->states);
    arena_release(&opened->arena);
}

static enum status build_one(struct repairing *r, const struct opened *opened,
                             const struct check_finding *finding, struct error *err)
{
    struct index_def defs[SOURCE_INDEXES_MAX];
    struct segment *segment = check_states_find(&opened->states, finding->segment_id);
    uint32_t len = source_indexes(&opened->config, opened->states.current->schema, defs), i = 0;
    while (i < len && defs[i].id != finding->index_id)
        i++;
    if (!segment || i == len)
        return error_set(err, STATUS_NOT_FOUND, "no state has its segment any more");
    return segment_index_build(r->sys, segment, &defs[i], err);
}

static enum status build_index(struct repairing *r, const struct check_finding *finding,
                               struct error *err)
{
    struct opened opened;
    enum status status = open_source(r, finding->source, &opened, err);
    if (status == STATUS_OK)
        status = build_one(r, &opened, finding, err);
    close_source(&opened);
    return status;
}

/* The hint, or an older metadata file. */
static enum status mend_for_others(struct repairing *r, const struct check_finding *finding,
                                   struct error *err)
{
    struct opened opened;
    if (str_ends(str_of(finding->file), STR(".metadata.json"))) {
        enum status status = sys_unlink(r->sys, finding->file, err);
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    enum status status = open_source(r, finding->source, &opened, err);
    if (status == STATUS_OK)
        status = table_mend_hint(opened.states.table, err);
    close_source(&opened);
    return status;
}

/* --- giving files up --- */

static bool is_given_up(const struct kept *kept, const struct check_finding *of)
{
    enum check_kind kind = kept->finding.kind;
    return (kind == CHECK_SEGMENT || kind == CHECK_DELETES || kind == CHECK_WRITE_IDS ||
            kind == CHECK_HISTORY) &&
           !kept->fetched && strcmp(kept->finding.source, of->source) == 0;
}

static bool segment_is_bad(const struct repairing *r, const struct check_finding *of, uint64_t id)
{
    for (uint32_t i = 0; i < r->len; i++) {
        enum check_kind kind = r->list[i].finding.kind;
        if (is_given_up(&r->list[i], of) && r->list[i].finding.segment_id == id &&
            (kind == CHECK_SEGMENT || kind == CHECK_DELETES))
            return true;
    }
    return false;
}

/* The file of deleted rows of that path. */
static bool deletes_are_bad(const struct repairing *r, const struct check_finding *of,
                            const struct deletion *deletion)
{
    for (uint32_t i = 0; deletion && i < r->len; i++) {
        if (is_given_up(&r->list[i], of) &&
            strcmp(r->list[i].finding.file, deletion_full_path(deletion)) == 0)
            return true;
    }
    return false;
}

static bool id_file_is_bad(const struct repairing *r, const struct check_finding *of,
                           struct str name)
{
    for (uint32_t i = 0; i < r->len; i++) {
        const struct check_finding *finding = &r->list[i].finding;
        if (is_given_up(&r->list[i], of) && finding->kind == CHECK_WRITE_IDS &&
            str_ends(str_of(finding->file), name))
            return true;
    }
    return false;
}

static enum status make_snapshot(struct repairing *r, const struct check_finding *of,
                                 const struct snapshot *old, struct snapshot **ret,
                                 struct error *err)
{
    uint32_t len = 0;
    struct segment **keep = malloc((old->segments_len + 1u) * sizeof(*keep));
    if (!keep)
        return error_no_memory(err);
    for (uint32_t i = 0; i < old->segments_len; i++) {
        if (!segment_is_bad(r, of, segment_meta(old->segments[i])->id))
            keep[len++] = old->segments[i];
    }
    struct snapshot *made = snapshot_new(old->schema, keep, len, err);
    free(keep);
    if (!made)
        return STATUS_NO_MEMORY;
    made->id = old->id + 1;
    made->parent = old->id;
    made->operation = len == old->segments_len ? SNAPSHOT_APPEND : SNAPSHOT_REPLACE;
    made->removed = old->segments_len - len;
    made->lsn = old->lsn;
    made->time_us = sys_now_us(r->sys);
    made->next_segment_id = old->next_segment_id;
    enum status status = snapshot_keep_deletions(made, old, err);
    for (uint32_t i = 0; i < old->id_files_len && status == STATUS_OK; i++) {
        if (!id_file_is_bad(r, of, old->id_files[i].name))
            status = snapshot_add_id_file(made, &old->id_files[i], err);
    }
    if (status == STATUS_OK)
        *ret = made;
    else
        snapshot_unref(made);
    return status;
}

static bool state_is_bad(const struct repairing *r, const struct check_finding *of,
                         const struct check_state *state)
{
    if (!state->snapshot)
        return true;
    for (uint32_t i = 0; i < r->len; i++) {
        if (is_given_up(&r->list[i], of) && r->list[i].finding.kind == CHECK_HISTORY &&
            r->list[i].finding.snapshot_id == state->id)
            return true;
    }
    const struct snapshot *snapshot = state->snapshot;
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        if (segment_is_bad(r, of, segment_meta(snapshot->segments[i])->id) ||
            (snapshot->deletions && deletes_are_bad(r, of, snapshot->deletions[i])))
            return true;
    }
    return false;
}

static bool id_stays(struct repairing *r, const struct check_finding *of,
                     const struct check_states *states, uint64_t id)
{
    struct check_state current = {.id = states->current->id, .snapshot = states->current};
    if (id == current.id)
        return !state_is_bad(r, of, &current);
    for (uint32_t i = 0; i < states->refs.ids_len; i++) {
        if (states->kept[i].id == id)
            return !state_is_bad(r, of, &states->kept[i]);
    }
    return false;
}

/* What stays of the states, the one that was current among them, and of the tags. */
static void keep_refs(struct repairing *r, const struct check_finding *of,
                      struct check_states *states)
{
    struct snapshot_refs *refs = &states->refs;
    uint32_t ids = 0, tags = 0;
    for (uint32_t i = 0; i < refs->tags_len; i++) {
        if (id_stays(r, of, states, refs->tags[i].id))
            refs->tags[tags++] = refs->tags[i];
    }
    refs->tags_len = tags;
    bool current_stays = id_stays(r, of, states, states->current->id);
    for (uint32_t i = 0; i < refs->ids_len; i++) {
        if (id_stays(r, of, states, states->kept[i].id))
            states->kept[ids++] = states->kept[i];
        else
            snapshot_unref(states->kept[i].snapshot);
    }
    for (uint32_t i = 0; i < ids; i++)
        refs->ids[i] = states->kept[i].id;
    refs->ids_len = ids;
    /* There is room: the list was made with one more. Its kept[] entry holds nothing. */
    if (current_stays && ids < SNAPSHOTS_KEPT_MAX) {
        states->kept[ids] = (struct check_state){.id = states->current->id};
        refs->ids[refs->ids_len++] = states->current->id;
    }
}

static enum status commit_without(struct repairing *r, const struct check_finding *of,
                                  struct error *err)
{
    struct opened opened;
    struct snapshot *made = NULL;
    bool maybe = false;
    enum status status = open_source(r, of->source, &opened, err);
    if (status == STATUS_OK)
        status = make_snapshot(r, of, opened.states.current, &made, err);
    if (status == STATUS_OK) {
        keep_refs(r, of, &opened.states);
        const struct table_change change = {.config = &opened.config,
                                            .old = opened.states.current,
                                            .new = made,
                                            .refs = &opened.states.refs};
        status = table_commit(opened.states.table, &change, &maybe, err);
    }
    snapshot_unref(made);
    close_source(&opened);
    return status;
}

/* To damaged/<source>/<name>; a file that is missing needs no moving. */
static enum status move_file(struct repairing *r, const char *source, const char *file,
                             struct error *err)
{
    char dir[SYS_PATH_MAX], to[SYS_PATH_MAX];
    struct sys_stat stat;
    const char *name = strrchr(file, '/') + 1;
    if (sys_stat(r->sys, file, &stat, NULL) == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(sys_path(dir, err, "%s/damaged/%s", r->options->path, source));
    TRY(sys_path(to, err, "%s/%s", dir, name));
    TRY(sys_mkdirs(r->sys, dir, err));
    TRY(sys_rename(r->sys, file, to, err));
    return sys_sync_dir(r->sys, dir, err);
}

/* With a file of deleted rows goes the one that it is about. */
static enum status move_aside(struct repairing *r, const struct check_finding *finding,
                              struct error *err)
{
    if (finding->kind == CHECK_DELETES)
        TRY(move_file(r, finding->source, finding->segment, err));
    return move_file(r, finding->source, finding->file, err);
}

/* All damaged files of the source of `first` at once. */
static void give_up(struct repairing *r, struct kept *first)
{
    struct error local = ERROR_INIT;
    enum status committed = commit_without(r, &first->finding, &local);
    for (struct kept *at = first; at < r->list + r->len; at++) {
        if (!is_given_up(at, &first->finding) || at->given_up)
            continue;
        at->given_up = true;
        enum status status = committed;
        if (status == STATUS_OK)
            status = move_aside(r, &at->finding, &local);
        act_status(r, at->finding.file, status,
                   "given up: moved to damaged/, the source goes on without it", &local);
    }
}

/* --- from a backup --- */

static bool is_immutable(const struct check_finding *finding)
{
    return finding->kind == CHECK_SEGMENT || finding->kind == CHECK_DELETES ||
           (finding->kind == CHECK_HISTORY && str_ends(str_of(finding->file), STR(".parquet")));
}

/* Before anything is given up. */
static void fetch_all(struct repairing *r)
{
    size_t root = strlen(r->options->path);
    while (root > 1 && r->options->path[root - 1] == '/')
        root--;
    for (uint32_t i = 0; r->options->backup && i < r->len; i++) {
        const struct check_finding *finding = &r->list[i].finding;
        struct error local = ERROR_INIT;
        const char *inner = finding->file + strnlen(finding->file, root);
        inner += strspn(inner, "/");
        if (!is_immutable(finding))
            continue;
        enum status status =
            backup_fetch(r->sys, r->options->backup, r->options->path, inner, &local);
        r->list[i].fetched = status == STATUS_OK;
        if (status == STATUS_OK)
            act(r, finding->file, true, "taken from the backup");
        else if (!r->options->drop_damaged)
            act(r, finding->file, false, local.message);
    }
}

/* --- all --- */

static void leave(struct repairing *r, const struct check_finding *finding)
{
    if (r->options->backup && is_immutable(finding))
        return; /* fetch_all has said why */
    act(r, finding->file, false,
        finding->kind == CHECK_DELETES
            ? "left: its Parquet file is not read, so that no deleted row comes back; take it from "
              "a backup (--from), or give both up with --drop-damaged: the rows are gone then"
            : "damaged, left as it is: take it from a backup (--from), restore one, or give it up "
              "with --drop-damaged");
}

static void mend(struct repairing *r, struct kept *kept)
{
    const struct check_finding *finding = &kept->finding;
    struct error local = ERROR_INIT;
    switch (finding->kind) {
    case CHECK_LEFTOVER:
        act_status(r, finding->file, sys_remove_tree(r->sys, finding->file, &local),
                   "removed: nothing refers to it", &local);
        return;
    case CHECK_TORN_TAIL:
        act_status(
            r, finding->file,
            wal_cut_tail(r->sys, finding->file, (uint64_t)finding->offset, finding->length, &local),
            "the torn tail was cut off", &local);
        return;
    case CHECK_INDEX:
        act_status(r, finding->file, build_index(r, finding, &local), "built anew from its segment",
                   &local);
        return;
    case CHECK_OTHERS:
        act_status(r, finding->file, mend_for_others(r, finding, &local),
                   "made good for other readers", &local);
        return;
    case CHECK_SEGMENT:
    case CHECK_DELETES:
    case CHECK_WRITE_IDS:
    case CHECK_HISTORY:
        if (kept->given_up || kept->fetched)
            return;
        if (r->options->drop_damaged)
            give_up(r, kept);
        else
            leave(r, finding);
        return;
    case CHECK_METADATA:
    case CHECK_LOG:
        act(r, finding->file, false, "damaged, left as it is: restore a backup");
        return;
    case CHECK_UNKNOWN:
        return;
    }
}

enum status store_repair(struct sys *sys, const struct repair_options *options,
                         struct repair_summary *ret, struct error *err)
{
    struct sys_file *lock;
    struct check_summary summary;
    struct repairing r = {.sys = sys, .options = options, .summary = ret};
    *ret = (struct repair_summary){0};
    TRY(check_lock(sys, options->path, &lock, err));
    arena_init(&r.arena, 0);
    struct checking c = {
        .sys = sys, .path = options->path, .found = keep, .context = &r, .summary = &summary};
    enum status status = check_all(&c, err);
    if (status == STATUS_OK)
        fetch_all(&r);
    for (uint32_t i = 0; i < r.len && status == STATUS_OK; i++)
        mend(&r, &r.list[i]);
    free(r.list);
    arena_release(&r.arena);
    sys_close(sys, lock);
    return status;
}

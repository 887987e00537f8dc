/* check_source.c: one directory of sources/.
 *
 *   1. source.json (or what stands for its absence)
 *   2. CURRENT, the metadata file it names, the current state's list and manifests, its numbers
 *      among themselves; older metadata files and the hint, which only other readers use
 *   3. write ids
 *   4. segments with their sidecars (check_segment.c)
 *   5. the kept states: their descriptions, and segments that no newer state has
 *   6. files that nothing refers to, when the above is whole */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/check/check_int.h"

static enum status damaged(struct checking *c, enum check_kind kind, const char *file,
                           const char *what, struct error *err)
{
    return check_report(
        c,
        (struct check_finding){
            .severity = CHECK_DAMAGE, .kind = kind, .file = file, .offset = -1, .what = what},
        err);
}

/* A failure of the store's own reader becomes a finding; short memory ends the check. */
static enum status judge(struct checking *c, enum status status, enum check_kind kind,
                         const char *file, const struct error *local, struct error *err)
{
    if (status != STATUS_NO_MEMORY)
        return damaged(c, kind, file, local->message, err);
    return error_no_memory(err);
}

static bool exists(struct checking *c, const char *name)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    return sys_path(path, NULL, "%s/%s", c->dir, name) == STATUS_OK &&
           sys_stat(c->sys, path, &stat, NULL) == STATUS_OK;
}

/* --- 2 --- */

static bool field_known(const struct schema *schema, const struct segment_column *column)
{
    if (column->field_id == FIELD_ID_NONE) /* the column of rows without values */
        return true;
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        const struct field *field = &schema->fields[i];
        if (field->id == column->field_id)
            return field->type == column->type;
        if (field_id_base(field->id) == field_id_base(column->field_id))
            return type_can_widen(column->type, field->type);
    }
    return column->field_id >= 1 && column->field_id <= schema->last_field_id; /* dropped since */
}

static const char *wrong_segment(const struct snapshot *snapshot, uint32_t i)
{
    const struct segment_meta *meta = segment_meta(snapshot->segments[i]);
    if (meta->id >= snapshot->next_segment_id)
        return "a segment's id is not below next_segment_id";
    if (i && segment_meta(snapshot->segments[i - 1])->id >= meta->id)
        return "the segments' ids do not ascend";
    for (uint32_t k = 0; k < meta->columns_len; k++) {
        if (!field_known(snapshot->schema, &meta->columns[k]))
            return "a segment has a column that the schema does not know, or of another type";
        if (meta->columns[k].nulls > meta->rows)
            return "a segment has more nulls than rows";
    }
    return NULL;
}

static enum status check_numbers(struct checking *c, const struct snapshot *snapshot,
                                 enum check_kind kind, struct error *err)
{
    char path[SYS_PATH_MAX];
    const char *wrong = NULL;
    for (uint32_t i = 0; i < snapshot->segments_len && !wrong; i++)
        wrong = wrong_segment(snapshot, i);
    if (!wrong)
        return STATUS_OK;
    TRY(sys_path(path, err, "%s/metadata/%s", c->dir, snapshot->meta_files[0].data));
    return damaged(c, kind, path, wrong, err);
}

/* --- 3 --- */

static enum status check_write_ids(struct checking *c, const struct snapshot *snapshot,
                                   const struct write_id_file *file, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct write_ids ids;
    struct error local = ERROR_INIT;
    const char *wrong = NULL;
    TRY(sys_path(path, err, "%s/metadata/%s", c->dir, file->name.data));
    write_ids_init(&ids);
    enum status status = write_id_file_read(c->sys, path, &ids, &local);
    uint64_t entries = ids.end - ids.first;
    if (status == STATUS_OK && entries != file->entries)
        wrong = "not the number of write ids that the snapshot says";
    for (uint64_t n = ids.first; status == STATUS_OK && !wrong && n < ids.end; n++) {
        const struct write_id *entry = &ids.ring[n & (ids.cap - 1)];
        if (entry->lsn > snapshot->lsn)
            wrong = "a write id of a write that the snapshot does not hold";
    }
    write_ids_release(&ids);
    c->summary->write_ids += entries;
    if (status != STATUS_OK)
        return judge(c, status, CHECK_WRITE_IDS, path, &local, err);
    return wrong ? damaged(c, CHECK_WRITE_IDS, path, wrong, err) : STATUS_OK;
}

/* --- 6 --- */

static enum status visit_orphan(void *context, const char *path, struct error *err)
{
    return check_report(context,
                        (struct check_finding){.severity = CHECK_NOTE,
                                               .kind = CHECK_LEFTOVER,
                                               .file = path,
                                               .offset = -1,
                                               .what = "nothing refers to this file"},
                        err);
}

/* As the store itself would load it, so that "orphan" means the same here and there. */
static enum status check_orphans(struct checking *c, struct error *err)
{
    struct error local = ERROR_INIT;
    enum status status = source_find_orphans(c->sys, c->dir, visit_orphan, c, &local);
    return status == STATUS_OK ? status : judge(c, status, CHECK_METADATA, c->dir, &local, err);
}

/* --- all --- */

/* Which of the segment's rows are deleted is not known without it: the segment is not read. */
static enum status report_deletion(struct checking *c, const struct snapshot *snapshot, uint32_t at,
                                   bool is_current, const struct error *local, struct error *err)
{
    const struct deletion *deletion = snapshot->deletions[at];
    const struct segment_meta *meta = segment_meta(snapshot->segments[at]);
    char what[ERROR_MESSAGE_MAX + SYS_PATH_MAX + 200];
    snprintf(what, sizeof what,
             "%s; it says which %" PRIu64 " of the %" PRIu64
             " rows of %s are deleted, without it none of these is read",
             local->message, deletion_count(deletion), meta->rows, meta->path.data);
    return check_report(c,
                        (struct check_finding){.severity = CHECK_DAMAGE,
                                               .kind = is_current ? CHECK_DELETES : CHECK_HISTORY,
                                               .file = deletion_full_path(deletion),
                                               .offset = -1,
                                               .what = what,
                                               .segment = segment_info(snapshot->segments[at]).path,
                                               .segment_id = meta->id,
                                               .snapshot_id = is_current ? 0 : snapshot->id},
                        err);
}

static enum status check_deletion(struct checking *c, const struct snapshot *snapshot, uint32_t at,
                                  bool is_current, struct error *err)
{
    struct error local = ERROR_INIT;
    enum status status = deletion_load(snapshot->deletions[at], &local);
    if (status == STATUS_OK)
        return STATUS_OK;
    if (status == STATUS_NO_MEMORY)
        return error_no_memory(err);
    return report_deletion(c, snapshot, at, is_current, &local, err);
}

/* `newer` NULL: of the current state. */
static enum status check_deletions(struct checking *c, const struct snapshot *snapshot,
                                   const struct snapshot *newer, struct error *err)
{
    for (uint32_t i = 0; snapshot->deletions && i < snapshot->segments_len; i++) {
        const struct deletion *deletion = snapshot->deletions[i];
        uint64_t id = segment_meta(snapshot->segments[i])->id;
        if (!deletion || (newer && snapshot_has_deletion(newer, id, deletion)))
            continue;
        TRY(check_deletion(c, snapshot, i, !newer, err));
        c->summary->rows -= deletion_count(deletion);
    }
    return STATUS_OK;
}

static enum status check_snapshot(struct checking *c, const struct source_config *config,
                                  struct snapshot *snapshot, struct error *err)
{
    TRY(check_numbers(c, snapshot, CHECK_METADATA, err));
    for (uint32_t i = 0; i < snapshot->id_files_len; i++)
        TRY(check_write_ids(c, snapshot, &snapshot->id_files[i], err));
    for (uint32_t i = 0; i < snapshot->segments_len; i++)
        TRY(check_segment(c, config, snapshot->schema, snapshot->segments[i], err));
    return check_deletions(c, snapshot, NULL, err);
}

/* --- 5 --- */

static enum status check_kept_state(struct checking *c, const struct source_config *config,
                                    const struct check_state *state, const struct snapshot *newer,
                                    struct error *err)
{
    const struct snapshot *snapshot = state->snapshot;
    if (!snapshot)
        return check_report(c,
                            (struct check_finding){.severity = CHECK_DAMAGE,
                                                   .kind = CHECK_HISTORY,
                                                   .file = state->file[0] ? state->file : c->dir,
                                                   .offset = -1,
                                                   .what = state->why.message,
                                                   .snapshot_id = state->id},
                            err);
    uint64_t rows = c->summary->rows;
    enum status status = check_numbers(c, snapshot, CHECK_HISTORY, err);
    for (uint32_t i = 0; i < snapshot->segments_len && status == STATUS_OK; i++) {
        if (!snapshot_find(newer, segment_meta(snapshot->segments[i])->id))
            status = check_segment(c, config, snapshot->schema, snapshot->segments[i], err);
    }
    if (status == STATUS_OK)
        status = check_deletions(c, snapshot, newer, err);
    c->summary->rows = rows;
    return status;
}

/* Files that only other readers use. A crash behind a commit leaves an old hint, which the next
 * start mends. */
static enum status visit_name(void *context, struct str name, struct error *err)
{
    struct checking *c = context;
    char path[SYS_PATH_MAX];
    bool is_hint = str_is(name, "version-hint.text");
    TRY(sys_path(path, err, "%s/metadata/%.*s", c->dir, STR_ARG(name)));
    return check_report(c,
                        (struct check_finding){.severity = is_hint ? CHECK_NOTE : CHECK_REPAIRABLE,
                                               .kind = CHECK_OTHERS,
                                               .file = path,
                                               .offset = -1,
                                               .what = "missing, old or damaged: only other "
                                                       "readers of the table use it"},
                        err);
}

static enum status check_states(struct checking *c, const struct source_config *config,
                                const struct check_states *states, struct error *err)
{
    const struct snapshot *newer = states->current;
    TRY(table_check_names(states->table, visit_name, c, err));
    TRY(check_snapshot(c, config, states->current, err));
    for (uint32_t i = states->refs.ids_len; i-- > 0;) {
        TRY(check_kept_state(c, config, &states->kept[i], newer, err));
        newer = states->kept[i].snapshot ? states->kept[i].snapshot : newer;
    }
    return STATUS_OK;
}

static enum status remember_life(struct checking *c, struct uuid incarnation, uint64_t lsn,
                                 struct error *err)
{
    if (c->lives_len == c->lives_cap) {
        uint32_t cap = c->lives_cap ? c->lives_cap * 2 : 64;
        struct check_life *grown = realloc(c->lives, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        c->lives = grown;
        c->lives_cap = cap;
    }
    c->lives[c->lives_len++] = (struct check_life){incarnation, lsn};
    return STATUS_OK;
}

static enum status check_configured(struct checking *c, const char *name,
                                    const struct source_config *config, struct uuid incarnation,
                                    struct error *err)
{
    char path[SYS_PATH_MAX];
    struct check_states states;
    struct error local = ERROR_INIT;
    uint64_t damage = c->summary->damage;
    if (!str_is(config->source_id, name)) {
        TRY(sys_path(path, err, "%s/source.json", c->dir));
        return damaged(c, CHECK_METADATA, path, "it names another source", err);
    }
    enum status status = check_states_load(c->sys, c->dir, config, &states, path, &local);
    if (status != STATUS_OK)
        return judge(c, status, CHECK_METADATA, path, &local, err);
    status = remember_life(c, incarnation, states.current ? states.current->lsn : 0, err);
    if (status == STATUS_OK && states.current)
        status = check_states(c, config, &states, err);
    check_states_release(&states);
    if (status == STATUS_OK && c->summary->damage == damage)
        status = check_orphans(c, err);
    return status;
}

enum status check_source(struct checking *c, const char *name, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct arena arena;
    struct source_config config;
    struct uuid incarnation;
    struct error local = ERROR_INIT;
    int64_t created_us;
    snprintf(c->source_id, sizeof c->source_id, "%s", name);
    TRY(sys_path(c->dir, err, "%s/sources/%s", c->path, name));
    TRY(sys_path(path, err, "%s/source.json", c->dir));
    if (!exists(c, "source.json")) {
        if (!exists(c, "source.json.removed") && exists(c, "metadata/CURRENT"))
            return damaged(c, CHECK_METADATA, path, "the file is missing beside its data", err);
        return check_report(c,
                            (struct check_finding){.severity = CHECK_NOTE,
                                                   .kind = CHECK_LEFTOVER,
                                                   .file = c->dir,
                                                   .offset = -1,
                                                   .what = "a source removed, or added in part"},
                            err);
    }
    c->summary->sources++;
    arena_init(&arena, 0);
    enum status status =
        source_config_read(c->sys, path, &arena, &config, &incarnation, &created_us, &local);
    status = status == STATUS_OK ? check_configured(c, name, &config, incarnation, err)
                                 : judge(c, status, CHECK_METADATA, path, &local, err);
    arena_release(&arena);
    return status;
}

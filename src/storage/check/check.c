/* check.c: the whole directory: lock, top level, sources, the log, a dry recovery. */
#include <stdlib.h>

#include "storage/check/check_int.h"
#include "storage/wal/wal_check.h"

const char *check_severity_name(enum check_severity severity)
{
    static const char *const names[] = {"note", "repairable", "damage"};
    return names[severity];
}

const char *check_kind_name(enum check_kind kind)
{
    static const char *const names[] = {"leftover",  "torn_tail", "index",    "segment",
                                        "write_ids", "deletes",   "metadata", "history",
                                        "others",    "log",       "unknown"};
    return names[kind];
}

enum status check_report(struct checking *c, struct check_finding finding, struct error *err)
{
    struct check_summary *sum = c->summary;
    uint64_t *counts[] = {&sum->notes, &sum->repairable, &sum->damage};
    ++*counts[finding.severity];
    finding.source = c->source_id;
    return c->found ? c->found(c->context, &finding, err) : STATUS_OK;
}

enum status check_lock(struct sys *sys, const char *path, struct sys_file **ret_lock,
                       struct error *err)
{
    char file[SYS_PATH_MAX];
    struct sys_stat stat;
    struct error local = ERROR_INIT;
    *ret_lock = NULL;
    TRY(sys_path(file, err, "%s/sources", path));
    if (sys_stat(sys, file, &stat, NULL) != STATUS_OK || !stat.is_dir)
        return error_set(err, STATUS_NOT_FOUND, "%s is not a data directory of Quarry", path);
    TRY(sys_path(file, err, "%s/lock", path));
    enum status status = sys_open(sys, file, SYS_READ | SYS_WRITE, ret_lock, &local);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = sys_lock(sys, *ret_lock, &local);
    if (status == STATUS_CONFLICT)
        error_set(&local, STATUS_CONFLICT, "%s is in use by another process", path);
    if (status != STATUS_OK) {
        sys_close(sys, *ret_lock);
        *ret_lock = NULL;
        if (err)
            *err = local;
    }
    return status;
}

/* --- top level --- */

static enum status leftover(struct checking *c, const char *path, const char *what,
                            struct error *err)
{
    return check_report(c,
                        (struct check_finding){.severity = CHECK_NOTE,
                                               .kind = CHECK_LEFTOVER,
                                               .file = path,
                                               .offset = -1,
                                               .what = what},
                        err);
}

static enum status visit_top(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    /* the store's own, then those of other services */
    static const char *const known[] = {"lock",    "wal", "run",  "sources",
                                        "damaged", "tmp", "auth", "catalog"};
    struct checking *c = context;
    char path[SYS_PATH_MAX];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(entry->name, known[i]) == 0)
            return STATUS_OK;
    }
    TRY(sys_path(path, err, "%s/%s", c->path, entry->name));
    return check_report(c,
                        (struct check_finding){.severity = CHECK_NOTE,
                                               .kind = CHECK_UNKNOWN,
                                               .file = path,
                                               .offset = -1,
                                               .what = "not a part of a store"},
                        err);
}

static enum status visit_run(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct checking *c = context;
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/run/%s", c->path, entry->name));
    return leftover(c, path, "unflushed rows handed to a process that is gone", err);
}

static enum status check_top(struct checking *c, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    TRY(sys_list_dir(c->sys, c->path, visit_top, c, err));
    TRY(sys_path(path, err, "%s/run", c->path));
    return sys_stat(c->sys, path, &stat, NULL) == STATUS_OK
               ? sys_list_dir(c->sys, path, visit_run, c, err)
               : STATUS_OK;
}

/* Names are gathered first: a listing need not bear other calls under it. 'd' or 'f', name, NUL. */
static enum status gather_name(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct buf *names = context;
    buf_append_char(names, entry->is_dir ? 'd' : 'f');
    buf_append(names, entry->name, strlen(entry->name) + 1);
    return buf_check(names, "the list of sources", err);
}

static enum status visit_source(struct checking *c, const char *name, bool is_dir,
                                struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/sources/%s", c->path, name));
    if (str_starts(str_of(name), STR(".trash-")))
        return leftover(c, path, "a removed source", err);
    if (!is_dir)
        return leftover(c, path, "not a source", err);
    enum status status = check_source(c, name, err);
    c->source_id[0] = 0;
    return status;
}

static enum status check_sources(struct checking *c, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct buf names;
    TRY(sys_path(path, err, "%s/sources", c->path));
    buf_init(&names, 64u << 20);
    enum status status = sys_list_dir(c->sys, path, gather_name, &names, err);
    for (size_t at = 0; at < names.len && status == STATUS_OK;) {
        const char *name = names.data + at + 1;
        status = visit_source(c, name, names.data[at] == 'd', err);
        at += strlen(name) + 2;
    }
    buf_release(&names);
    return status;
}

/* --- the log --- */

static const struct check_life *find_life(const struct checking *c, const struct uuid *incarnation)
{
    for (uint32_t i = 0; i < c->lives_len; i++) {
        if (memcmp(&c->lives[i].incarnation, incarnation, sizeof *incarnation) == 0)
            return &c->lives[i];
    }
    return NULL;
}

static enum status visit_record(void *context, const struct wal_record *record, struct error *err)
{
    struct checking *c = context;
    const struct check_life *life = find_life(c, &record->source);
    struct batch *batch = NULL;
    uint64_t deleted = 0;
    enum status status = record->kind == WAL_BATCH
                             ? batch_decode(record->payload, &batch, err)
                             : mutation_decode(record->payload, &deleted, &batch, err);
    uint32_t rows = status == STATUS_OK && batch ? batch->rows : 0;
    if (status == STATUS_OK && batch && rows != record->rows)
        status = error_set(err, STATUS_CORRUPT, "a frame does not hold the rows that it announces");
    if (status == STATUS_OK && life && record->lsn > life->lsn)
        c->summary->rows += rows - deleted;
    batch_unref(batch);
    return status;
}

static enum status found_in_log(void *context, const struct wal_finding *finding, struct error *err)
{
    struct checking *c = context;
    struct check_finding out = {.file = finding->file,
                                .offset = (int64_t)finding->offset,
                                .what = finding->what,
                                .length = finding->length};
    out.severity = finding->damage ? CHECK_DAMAGE : CHECK_NOTE;
    out.kind = finding->damage ? CHECK_LOG : finding->length ? CHECK_TORN_TAIL : CHECK_LEFTOVER;
    return check_report(c, out, err);
}

static enum status check_log(struct checking *c, struct error *err)
{
    char dir[SYS_PATH_MAX];
    struct sys_stat stat;
    struct wal_check_stats stats;
    TRY(sys_path(dir, err, "%s/wal", c->path));
    if (sys_stat(c->sys, dir, &stat, NULL) != STATUS_OK)
        return STATUS_OK;
    enum status status = wal_check(c->sys, dir, visit_record, found_in_log, c, &stats, err);
    c->summary->log_files = stats.files;
    c->summary->log_frames = stats.frames;
    return status;
}

/* --- all --- */

/* What the checks above cannot know, e.g. frames that do not fit their source's schema. */
static enum status dry_recovery(struct checking *c, struct error *err)
{
    struct store_options options = {.path = c->path, .read_only = true};
    struct store *store = NULL;
    struct error local = ERROR_INIT;
    enum status status = store_open(c->sys, &options, &store, &local);
    if (status == STATUS_OK) {
        store_close(store, false);
        return STATUS_OK;
    }
    if (status == STATUS_NO_MEMORY) {
        if (err)
            *err = local;
        return status;
    }
    return check_report(c,
                        (struct check_finding){.severity = CHECK_DAMAGE,
                                               .kind = CHECK_LOG,
                                               .file = c->path,
                                               .offset = -1,
                                               .what = local.message},
                        err);
}

enum status check_all(struct checking *c, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    *c->summary = (struct check_summary){0};
    enum status status = check_top(c, err);
    if (status == STATUS_OK)
        status = check_sources(c, err);
    if (status == STATUS_OK)
        status = check_log(c, err);
    if (status == STATUS_OK && c->summary->damage == 0 &&
        sys_path(path, err, "%s/wal", c->path) == STATUS_OK &&
        sys_stat(c->sys, path, &stat, NULL) == STATUS_OK)
        status = dry_recovery(c, err);
    free(c->lives);
    c->lives = NULL;
    c->lives_len = c->lives_cap = 0;
    return status;
}

enum status store_check(struct sys *sys, const char *path, check_fn found, void *context,
                        struct check_summary *ret, struct error *err)
{
    struct sys_file *lock;
    TRY(check_lock(sys, path, &lock, err));
    struct checking c = {
        .sys = sys, .path = path, .found = found, .context = context, .summary = ret};
    enum status status = check_all(&c, err);
    sys_close(sys, lock);
    return status;
}

/* retention.c: rows that are older than their source keeps them.
 *
 * How old a row is says the retention column; without one, the age of its file (compaction makes
 * files young again, so that rows stay longer, never shorter).
 *
 *   1. files whose rows are all too old go by one commit, which costs no reading
 *   2. of files that have some too old ones by their bounds, these are deleted (a mutation), at
 * most RETENTION_ROWS_MAX at a time Earlier states keep them until they expire. The compactor's
 * thread does it, at most once in RETENTION_INTERVAL_US, or at once after a change of settings. */
#include <stdio.h>
#include <stdlib.h>

#include "storage/store_int.h"

enum { RETENTION_ROWS_MAX = 1 << 22 };
#define RETENTION_INTERVAL_US INT64_C(600000000)
#define DAY_US                INT64_C(86400000000)

struct retention {
    struct source *source;
    int32_t field_id; /* 0: by the files' age */
    int64_t before_us;
    struct segment **keep;
    uint32_t keep_len;
    uint64_t rows, files; /* that go */
    uint64_t deleted;     /* of files that stay */
};

/* The end of the value's time span. */
static int64_t end_of(const struct value *value)
{
    return value->type == TYPE_DATE ? (value->int64 + 1) * DAY_US : value->int64 + 1;
}

static bool is_old_file(const struct retention *r, const struct segment *segment)
{
    struct sys_stat stat;
    return sys_stat(r->source->store->sys, segment_info(segment).path, &stat, NULL) == STATUS_OK &&
           stat.modified_us < r->before_us;
}

static bool is_time(enum type type)
{
    return type == TYPE_DATE || type == TYPE_TIMESTAMP;
}

/* All rows are too old. Rows without a time stay. */
static bool is_over(const struct retention *r, const struct segment *segment)
{
    struct value min, max;
    uint64_t nulls = 0;
    if (!r->field_id)
        return is_old_file(r, segment);
    return segment_column(segment, r->field_id) >= 0 &&
           segment_bounds(segment, r->field_id, &min, &max, &nulls) && nulls == 0 && !max.is_null &&
           is_time(max.type) && end_of(&max) <= r->before_us;
}

/* False when the settings ask for nothing that can be done now. */
static bool prepare(struct retention *r)
{
    const struct source_settings *settings = &source_config(r->source)->settings;
    const struct schema *schema = r->source->snapshot->schema;
    if (!settings->retention_days || r->source->removed || r->source->history.unsure)
        return false;
    r->before_us = sys_now_us(r->source->store->sys) - (int64_t)settings->retention_days * DAY_US;
    if (!settings->retention_column.len)
        return true;
    int32_t at = schema_find(schema, settings->retention_column);
    if (at < 0)
        return false;
    r->field_id = schema->fields[at].id;
    return is_time(schema->fields[at].type);
}

static enum status choose(struct retention *r, struct error *err)
{
    const struct snapshot *snapshot = r->source->snapshot;
    r->keep = malloc((snapshot->segments_len + 1u) * sizeof(*r->keep));
    if (!r->keep)
        return error_no_memory(err);
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        struct segment *segment = snapshot->segments[i];
        if (!is_over(r, segment)) {
            r->keep[r->keep_len++] = segment;
            continue;
        }
        r->files++;
        r->rows += segment_info(segment).rows;
    }
    return STATUS_OK;
}

static enum status commit_kept(struct retention *r, struct error *err)
{
    struct source *source = r->source;
    struct commit commit = {0};
    struct snapshot *new = snapshot_new(source->snapshot->schema, r->keep, r->keep_len, err);
    if (!new)
        return STATUS_NO_MEMORY;
    enum status status = snapshot_keep_deletions(new, source->snapshot, err);
    if (status == STATUS_OK)
        status = commit_begin(&commit, source, new, SNAPSHOT_DELETE, err);
    if (status == STATUS_OK)
        status = commit_keep_write_ids(source, new, err);
    if (status == STATUS_OK)
        status = commit_write(&commit, err);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&source->lock);
        struct snapshot *former = commit_publish(&commit);
        pthread_mutex_unlock(&source->lock);
        snapshot_unref(former);
        commit_finish(&commit);
    }
    commit_release(&commit);
    snapshot_unref(new);
    return status;
}

static bool any_over(const struct retention *r)
{
    const struct snapshot *snapshot = r->source->snapshot;
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        if (is_over(r, snapshot->segments[i]))
            return true;
    }
    return false;
}

/* Step 1; flush_lock is held. Deletes that are not committed yet go first. */
static enum status drop_files(struct retention *r, struct error *err)
{
    if (!prepare(r) || !any_over(r))
        return STATUS_OK;
    TRY(source_flush_locked(r->source, err));
    enum status status = choose(r, err);
    if (status == STATUS_OK && r->files)
        status = commit_kept(r, err);
    free(r->keep);
    r->keep = NULL;
    return status;
}

/* --- 2 --- */

static bool has_old_rows(const struct retention *r, const struct segment *segment)
{
    struct value min, max;
    uint64_t nulls = 0;
    return segment_column(segment, r->field_id) >= 0 &&
           segment_bounds(segment, r->field_id, &min, &max, &nulls) &&
           nulls < segment_info(segment).rows && is_time(min.type) && end_of(&min) <= r->before_us;
}

static enum status delete_in_column(struct retention *r, struct mutation *mutation, uint32_t unit,
                                    uint64_t first, const struct column *column, struct error *err)
{
    const struct view *view = mutation_view(mutation);
    struct deletion *deleted = view->deletions ? view->deletions[unit] : NULL;
    TRY(deletion_load(deleted, err));
    for (uint32_t row = 0; row < column->rows && r->deleted < RETENTION_ROWS_MAX; row++) {
        if (column_is_null(column, row))
            continue;
        struct value value = value_of_column(column, row);
        if (end_of(&value) > r->before_us || deletion_has(deleted, first + row))
            continue;
        TRY(mutation_delete(mutation, unit, first + row, err));
        r->deleted++;
    }
    return STATUS_OK;
}

static enum status delete_in_segment(struct retention *r, struct mutation *mutation, uint32_t unit,
                                     struct error *err)
{
    struct segment *segment = mutation_view(mutation)->segments[unit];
    struct parquet_reader *reader = NULL;
    uint32_t at = (uint32_t)segment_column(segment, r->field_id), fields_len;
    uint64_t first = 0;
    TRY(segment_reader(segment, &reader, err));
    enum type type = parquet_reader_fields(reader, &fields_len)[at].type;
    enum status status = STATUS_OK;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader) && status == STATUS_OK; g++) {
        uint64_t rows = parquet_row_group_rows(reader, g);
        struct column column;
        column_init(&column, type);
        status = parquet_read_column(reader, g, at, 0, rows, &column, err);
        if (status == STATUS_OK)
            status = delete_in_column(r, mutation, unit, first, &column, err);
        column_release(&column);
        first += rows;
    }
    segment_reader_release(segment, reader);
    return status;
}

static enum status delete_rows(struct retention *r, struct error *err)
{
    struct mutation *mutation = NULL;
    struct write_result result;
    TRY(mutation_begin(r->source, STR_NONE, &mutation, &result, err));
    const struct view *view = mutation_view(mutation);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < view->segments_len && status == STATUS_OK; i++) {
        if (has_old_rows(r, view->segments[i]))
            status = delete_in_segment(r, mutation, i, err);
    }
    if (status == STATUS_OK && r->deleted)
        status = mutation_commit(mutation, NULL, &result, err);
    mutation_end(mutation);
    if (status == STATUS_OK)
        r->rows += r->deleted;
    return status;
}

/* Under flush_lock the snapshot stays; deletes change nothing of this answer but its usefulness. */
static bool any_mixed(const struct retention *r)
{
    const struct snapshot *snapshot = r->source->snapshot;
    for (uint32_t i = 0; r->field_id && i < snapshot->segments_len; i++) {
        if (has_old_rows(r, snapshot->segments[i]))
            return true;
    }
    return false;
}

static void note(const struct retention *r, enum status status, const struct error *why)
{
    struct source *source = r->source;
    pthread_mutex_lock(&source->lock);
    source->retention_us = sys_now_us(source->store->sys);
    if (status == STATUS_OK) {
        source->retention_rows += r->rows;
        source->retention_files += r->files;
    }
    snprintf(source->retention_error, sizeof source->retention_error, "%.150s",
             status == STATUS_OK ? "" : why->message);
    pthread_mutex_unlock(&source->lock);
}

enum status source_retain(struct source *source, struct error *err)
{
    struct retention r = {.source = source};
    struct error local = ERROR_INIT;
    pthread_mutex_lock(&source->flush_lock);
    enum status status = drop_files(&r, &local);
    bool mixed = status == STATUS_OK && any_mixed(&r);
    pthread_mutex_unlock(&source->flush_lock);
    if (mixed)
        status = delete_rows(&r, &local);
    note(&r, status, &local);
    if (status != STATUS_OK && err)
        *err = local;
    return status;
}

void source_retain_when_due(struct source *source)
{
    int64_t now_us = sys_mono_us(source->store->sys);
    bool asked = atomic_exchange(&source->retention_due, false);
    if (!source_config(source)->settings.retention_days ||
        (!asked && now_us < source->retain_not_before_us))
        return;
    source->retain_not_before_us = now_us + RETENTION_INTERVAL_US;
    (void)source_retain(source, NULL); /* shown in the statistics, tried again in an interval */
}

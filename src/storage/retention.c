/* retention.c: rows that are older than their source keeps them.
 *
 * How old a row is says the retention column; without one, the age of its file (compaction makes
 * files young again, so that rows stay longer, never shorter). Files whose rows are all too old go
 * by one commit, which costs no reading; earlier states keep them until they expire. The
 * compactor's thread does it, at most once in RETENTION_INTERVAL_US, or at once after a change of
 * settings. */
#include <stdio.h>
#include <stdlib.h>

#include "storage/store_int.h"

#define RETENTION_INTERVAL_US INT64_C(600000000)
#define DAY_US                INT64_C(86400000000)

struct retention {
    struct source *source;
    int32_t field_id; /* 0: by the files' age */
    enum type type;   /* of the column in the schema */
    int64_t before_us;
    struct segment **keep;
    uint32_t keep_len;
    uint64_t rows, files; /* that go */
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

/* All rows are too old. Rows without a time stay. */
static bool is_over(const struct retention *r, const struct segment *segment)
{
    struct value min, max;
    uint64_t nulls = 0;
    if (!r->field_id)
        return is_old_file(r, segment);
    return segment_column(segment, r->field_id) >= 0 &&
           segment_bounds(segment, r->field_id, &min, &max, &nulls) && nulls == 0 &&
           !max.is_null && (max.type == TYPE_DATE || max.type == TYPE_TIMESTAMP) &&
           end_of(&max) <= r->before_us;
}

/* False when the settings ask for nothing that can be done now. */
static bool prepare(struct retention *r)
{
    const struct source_settings *settings = &source_config(r->source)->settings;
    const struct schema *schema = r->source->snapshot->schema;
    if (!settings->retention_days || r->source->removed || r->source->history.unsure)
        return false;
    r->before_us =
        sys_now_us(r->source->store->sys) - (int64_t)settings->retention_days * DAY_US;
    if (!settings->retention_column.len)
        return true;
    int32_t at = schema_find(schema, settings->retention_column);
    if (at < 0)
        return false;
    r->field_id = schema->fields[at].id;
    r->type = schema->fields[at].type;
    return r->type == TYPE_DATE || r->type == TYPE_TIMESTAMP;
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
    enum status status = commit_begin(&commit, source, new, SNAPSHOT_DELETE, err);
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

/* flush_lock is held. */
static enum status retain_held(struct retention *r, struct error *err)
{
    if (!prepare(r))
        return STATUS_OK;
    enum status status = choose(r, err);
    if (status == STATUS_OK && r->files)
        status = commit_kept(r, err);
    free(r->keep);
    r->keep = NULL;
    return status;
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
    enum status status = retain_held(&r, &local);
    pthread_mutex_unlock(&source->flush_lock);
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

/* source_schema.c: a source's columns changed by its owner (by records they only grow: write.c).
 *
 *   1. most unflushed rows are flushed, while writers go on
 *   2. no frame is queued any more; those on their way are waited for; the rest is flushed: no
 * chunk and no frame that a restart would replay has the old names
 *   3. the changes are applied to a copy and checked against the rows
 *   4. source.json is replaced: that is the commit (schema_def.c says what a start makes of it)
 *   5. schema and configuration are swapped, writers go on; a batch made with the old names is
 *      refused (STATUS_SCHEMA_CHANGED) and made again by its sender's handler
 *   6. a snapshot with the new schema, so that readers of the files see it too; if that fails, the
 *      next commit has it
 * A failure in 1 to 4 changes nothing: when it is not sure whether the file was replaced, the old
 * one is put back. */
#include <stdlib.h>

#include "storage/store_int.h"

bool source_wait_schema(struct source *source)
{
    bool waited = source->altering;
    while (source->altering)
        pthread_cond_wait(&source->changed, &source->lock);
    return waited;
}

struct alter {
    struct source *source;
    struct arena arena; /* of the draft */
    struct schema_draft draft;
    struct schema *schema;         /* the new one */
    struct source_config *present; /* the new one, in the source's arena */
    uint8_t big_ints[SCHEMA_FIELDS_MAX / 8];
};

/* --- 2 --- */

static void hold_writers(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    source->altering = true;
    while (source->in_flight)
        pthread_cond_wait(&source->changed, &source->lock);
    pthread_mutex_unlock(&source->lock);
}

static void let_writers_go(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    source->altering = false;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
}

/* --- 3 --- */

static bool has_nulls(const struct segment *segment, const struct field *field,
                      const struct field_traits *traits)
{
    struct value min, max;
    uint64_t nulls = 0;
    if (segment_column(segment, field->id) < 0)
        return !traits->initial && segment_info(segment).rows > 0;
    return !segment_bounds(segment, field->id, &min, &max, &nulls) || nulls > 0;
}

/* Everything is in segments. Deleted rows count too until their files are rewritten. */
static enum status check_required(const struct alter *alter, struct error *err)
{
    const struct schema_draft *d = &alter->draft;
    const struct snapshot *snapshot = alter->source->snapshot;
    for (uint32_t i = 0; i < d->len; i++) {
        int32_t before = schema_find_id(d->schema, d->fields[i].id);
        if (!d->traits[i].required || (before >= 0 && d->schema->traits[before].required))
            continue;
        for (uint32_t k = 0; k < snapshot->segments_len; k++) {
            if (has_nulls(snapshot->segments[k], &d->fields[i], &d->traits[i]))
                return error_set(err, STATUS_CONFLICT,
                                 "column \"%.*s\" cannot be required: there are rows without a "
                                 "value",
                                 (int)(d->fields[i].name.len < 100 ? d->fields[i].name.len : 100),
                                 d->fields[i].name.data);
        }
    }
    return STATUS_OK;
}

/* Columns that are dropped now join those that earlier states may still show. */
static enum status list_gone(struct alter *alter, struct schema_def *def, struct error *err)
{
    const struct schema_draft *d = &alter->draft;
    const struct schema_def *old = d->config->schema;
    uint32_t old_gone = old ? old->gone_len : 0;
    size_t most = (size_t)d->len + old_gone + d->schema->fields_len + 1;
    struct field *fields = arena_array(&alter->arena, most, sizeof *fields);
    struct field_traits *traits = arena_array(&alter->arena, most, sizeof *traits);
    if (!fields || !traits)
        return error_no_memory(err);
    uint32_t len = 0;
    for (; len < d->len; len++) {
        fields[len] = d->fields[len];
        traits[len] = d->traits[len];
    }
    for (uint32_t i = 0; i < old_gone; i++, len++) {
        fields[len] = old->fields[old->fields_len + i];
        traits[len] = old->traits[old->fields_len + i];
    }
    for (uint32_t i = 0; i < d->schema->fields_len; i++) {
        uint32_t k = 0;
        while (k < d->len &&
               field_id_base(d->fields[k].id) != field_id_base(d->schema->fields[i].id))
            k++;
        if (k < d->len || !d->schema->traits[i].initial)
            continue;
        fields[len] = d->schema->fields[i];
        traits[len++] = d->schema->traits[i];
    }
    def->fields = fields;
    def->traits = traits;
    def->gone_len = len - d->len;
    if (def->gone_len > SCHEMA_GONE_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "more than %d columns with defaults have been dropped", SCHEMA_GONE_MAX);
    return STATUS_OK;
}

static enum status make_config(struct alter *alter, const struct schema_def *def, struct error *err)
{
    const struct schema_draft *d = &alter->draft;
    const struct source_config *old = d->config;
    struct source_config draft = *old;
    if (!draft.declared_index_columns) {
        draft.declared_index_columns = old->index_columns;
        draft.declared_index_columns_len = old->index_columns_len;
    }
    if (!draft.declared_partition_columns)
        draft.declared_partition_columns = old->partition_columns;
    draft.partition_columns = d->partition;
    draft.index_columns = d->index;
    draft.settings.retention_column = d->retention;
    draft.schema = def;
    TRY(source_config_check(&draft, err));
    alter->present = ARENA_NEW(&alter->source->arena, struct source_config);
    if (!alter->present)
        return error_no_memory(err);
    return source_config_copy(&alter->source->arena, &draft, alter->present, err);
}

/* The bits go by the index of a field. */
static void move_big_ints(struct alter *alter)
{
    const struct schema *old = alter->source->schema;
    for (uint32_t i = 0; i < alter->schema->fields_len; i++) {
        int32_t at = schema_find_id(old, alter->schema->fields[i].id);
        if (at >= 0 && alter->source->big_ints[at >> 3] >> (at & 7) & 1)
            alter->big_ints[i >> 3] |= (uint8_t)(1u << (i & 7));
    }
}

static enum status prepare(struct alter *alter, const struct schema_change *changes, uint32_t len,
                           int32_t base_id, struct error *err)
{
    struct source *source = alter->source;
    const struct schema *old = source->schema; /* nobody changes it while writers are held */
    if (base_id >= 0 && base_id != old->id)
        return error_set(err, STATUS_CONFLICT,
                         "the schema has changed meanwhile: its id is %d, not %d", old->id,
                         base_id);
    TRY(schema_draft_make(&alter->arena, old, source_config(source), source->big_ints, changes, len,
                          &alter->draft, err));
    TRY(check_required(alter, err));
    struct schema_def def = {.id = old->id + 1,
                             .last_field_id = alter->draft.last_field_id,
                             .fields_len = alter->draft.len};
    TRY(list_gone(alter, &def, err));
    TRY(make_config(alter, &def, err));
    alter->schema = schema_make(&def, old->epoch + 1, err);
    if (!alter->schema)
        return STATUS_NO_MEMORY;
    move_big_ints(alter);
    return STATUS_OK;
}

/* --- 4 --- */

static enum status replace_config(struct source *source, const struct source_config *config,
                                  struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/source.json", source->dir));
    return source_config_write(source->store->sys, path, config, source->incarnation,
                               source->created_us, err);
}

/* --- 5 --- */

static void swap(struct alter *alter)
{
    struct source *source = alter->source;
    pthread_mutex_lock(&source->lock);
    struct schema *old = source->schema;
    source->schema = schema_ref(alter->schema);
    memcpy(source->big_ints, alter->big_ints, sizeof source->big_ints);
    atomic_store_explicit(&source->present, alter->present, memory_order_release);
    pthread_mutex_unlock(&source->lock);
    schema_unref(old);
}

/* --- 6 --- */

static enum status write_snapshot(struct source *source, struct commit *commit,
                                  struct snapshot *new, struct error *err)
{
    TRY(commit_begin(commit, source, new, SNAPSHOT_REPLACE, err));
    TRY(commit_keep_write_ids(source, new, err));
    TRY(commit_write(commit, err));
    pthread_mutex_lock(&source->lock);
    struct snapshot *former = commit_publish(commit);
    pthread_mutex_unlock(&source->lock);
    snapshot_unref(former);
    commit_finish(commit);
    return STATUS_OK;
}

static void show_snapshot(struct source *source)
{
    struct commit commit = {0};
    const struct snapshot *old = source->snapshot;
    if (old->id == 0 || source->history.unsure)
        return;
    struct snapshot *new = snapshot_new(source->schema, old->segments, old->segments_len, NULL);
    if (new &&snapshot_keep_deletions(new, old, NULL) == STATUS_OK)
        (void)write_snapshot(source, &commit, new, NULL); /* the next commit shows it otherwise */
    commit_release(&commit);
    snapshot_unref(new);
}

/* --- all --- */

/* flush_lock is held. */
static enum status alter_held(struct alter *alter, const struct schema_change *changes,
                              uint32_t len, int32_t base_id, struct error *err)
{
    struct source *source = alter->source;
    hold_writers(source);
    enum status status = source_flush_locked(source, err);
    if (status == STATUS_OK)
        status = prepare(alter, changes, len, base_id, err);
    if (status == STATUS_OK) {
        status = replace_config(source, alter->present, err);
        if (status != STATUS_OK)
            (void)replace_config(source, source_config(source), NULL);
    }
    if (status == STATUS_OK)
        swap(alter);
    let_writers_go(source);
    if (status == STATUS_OK)
        show_snapshot(source);
    return status;
}

enum status source_alter(struct source *source, const struct schema_change *changes, uint32_t len,
                         int32_t base_id, struct schema **ret_schema, struct error *err)
{
    struct alter alter = {.source = source};
    TRY(source_flush(source, err));
    arena_init(&alter.arena, 0);
    pthread_mutex_lock(&source->flush_lock);
    enum status status = source_is_removed(source)
                             ? error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source \"%.*s\"",
                                         STR_ARG(source_config(source)->source_id))
                             : alter_held(&alter, changes, len, base_id, err);
    pthread_mutex_unlock(&source->flush_lock);
    arena_release(&alter.arena);
    if (status == STATUS_OK)
        *ret_schema = alter.schema;
    else
        schema_unref(alter.schema);
    return status;
}

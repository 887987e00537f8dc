/* flush.c: unflushed rows of one source become segments and a snapshot.
 *
 *   1. freeze: under the lock the active chunks join the frozen ones; the LSN, schema, present
 *      snapshot and the write ids that are not saved yet are noted
 *   2. write: chunks are put together in runs without their deleted rows, split, sorted and written
 *      (segment_write.c); what was deleted of segments since the last commit becomes their delete
 *      files (table/deletion.h), a segment without a row left is dropped
 *   3. commit: write ids, snapshot file, CURRENT (commit.c): everything synced before the swap
 *   4. swap: under the lock the new snapshot replaces the old one and the frozen chunks go, so a
 * view sees each row exactly once
 *   5. old metadata files and log segments go
 * A failure before the swap of CURRENT removes the new files; the rows stay frozen and are flushed
 * with the next ones. A failure of the swap itself leaves both states' files in place, since either
 * may be what a restart finds; both are right. */
#include <stdio.h>
#include <stdlib.h>

#include "storage/store_int.h"
#include "storage/table/segment_write.h"

enum { FLUSH_RUN_ROWS_MAX = 8 << 20 };
#define FLUSH_RUN_BYTES_MAX (UINT64_C(512) << 20)

struct flush {
    struct source *source;
    uint64_t lsn;
    struct schema *schema;
    struct snapshot *old;
    struct deletion_set *deleted; /* of the old segments; NULL: as the old snapshot says */
    struct snapshot *new;
    struct write_id *ids;
    uint32_t ids_len;
    uint64_t ids_next;
    bool fold_ids; /* `ids` are all that are remembered: the old files go */
    char ids_name[64];
    struct segment_batch segments;
    struct sketch *sketch; /* of the rows; NULL: not known */
    struct commit commit;
};

/* --- 1 --- */

/* source->lock is held. `*ret_empty`: there is nothing to flush. */
static enum status freeze_locked(struct flush *flush, bool *ret_empty, struct error *err)
{
    struct source *source = flush->source;
    memtable_move(&source->frozen, &source->active);
    *ret_empty = source->removed || !source_is_dirty(source);
    if (*ret_empty)
        return STATUS_OK;
    if (source->damage[0])
        return error_set(err, STATUS_CORRUPT, "%s", source->damage);
    flush->lsn = source->published_lsn;
    flush->schema = schema_ref(source->schema);
    flush->old = snapshot_ref(source->snapshot);
    flush->deleted = source->deleted ? deletion_set_ref(source->deleted) : NULL;
    flush->fold_ids = flush->old->id_files_len >= WRITE_ID_FILES_MAX;
    uint64_t from = flush->fold_ids ? source->ids.first : source->ids.unsaved;
    return write_ids_copy(&source->ids, from, &flush->ids, &flush->ids_len, &flush->ids_next, err);
}

/* --- 2 --- */

/* The longest run of chunks from `first` on; returns what follows. Frozen chunks do not change
 * while the flush lock is held, so they are read without the source's lock. */
static struct chunk *pick_run(struct chunk *first, uint32_t *ret_chunks)
{
    uint64_t rows = 0, bytes = 0;
    struct chunk *at = first;
    *ret_chunks = 0;
    while (at && (at == first || (rows + at->batch->rows <= FLUSH_RUN_ROWS_MAX &&
                                  bytes + at->bytes <= FLUSH_RUN_BYTES_MAX))) {
        rows += at->batch->rows;
        bytes += at->bytes;
        ++*ret_chunks;
        at = at->next;
    }
    return at;
}

static bool has_schema_types(const struct batch *batch, const struct schema *schema)
{
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        int32_t at = schema_find(schema, batch->columns[i].name);
        if (at < 0 || schema->fields[at].type != batch->columns[i].column.type)
            return false;
    }
    return true;
}

static enum status widen_all(struct batch *batch, const struct schema *schema, struct error *err)
{
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        int32_t at = schema_find(schema, batch->columns[i].name);
        struct column *column = &batch->columns[i].column;
        if (at >= 0 && schema->fields[at].type != column->type)
            TRY(column_widen(column, schema->fields[at].type, err));
    }
    return STATUS_OK;
}

/* The rows of a chunk that are not deleted. No mutation begins while the flush lock is held. */
static enum status append_rest(struct batch *all, const struct chunk *chunk, struct error *err)
{
    uint32_t rows = chunk->batch->rows;
    for (uint32_t at = 0; at < rows;) {
        uint64_t next = deletion_next(chunk->deleted, at);
        uint32_t end = next < rows ? (uint32_t)next : rows;
        if (end > at)
            TRY(batch_append(all, chunk->batch, at, end - at, err));
        at = end + 1;
    }
    return STATUS_OK;
}

/* One batch of the run's rows in the schema's types. */
static enum status join_run(const struct flush *flush, struct chunk *first, uint32_t chunks,
                            struct batch **ret, struct error *err)
{
    if (chunks == 1 && !first->deleted && has_schema_types(first->batch, flush->schema)) {
        *ret = batch_ref(first->batch);
        return STATUS_OK;
    }
    struct batch *all = batch_new();
    if (!all)
        return error_no_memory(err);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < chunks && status == STATUS_OK; i++, first = first->next)
        status = append_rest(all, first, err);
    if (status == STATUS_OK)
        status = widen_all(all, flush->schema, err);
    if (status != STATUS_OK) {
        batch_unref(all);
        return status;
    }
    *ret = all;
    return STATUS_OK;
}

/* Without memory there is none: then one is made from the files later. */
static void sketch_rows_of(struct flush *flush, const struct batch *rows)
{
    if (sketch_add(flush->sketch, rows, flush->schema->fields, flush->schema->fields_len, NULL) ==
        STATUS_OK)
        return;
    sketch_unref(flush->sketch);
    flush->sketch = NULL;
}

static enum status write_segments(struct flush *flush, struct error *err)
{
    flush->sketch = sketch_new(flush->lsn);
    for (struct chunk *at = flush->source->frozen.head; at;) {
        uint32_t chunks;
        struct batch *rows = NULL;
        struct chunk *next = pick_run(at, &chunks);
        TRY(join_run(flush, at, chunks, &rows, err));
        enum status status =
            rows->rows ? segment_batch_add(&flush->segments, rows, err) : STATUS_OK;
        if (flush->sketch && status == STATUS_OK)
            sketch_rows_of(flush, rows);
        batch_unref(rows);
        if (status != STATUS_OK)
            return status;
        at = next;
    }
    return STATUS_OK;
}

/* What is deleted of an old segment, NULL: nothing. */
static struct deletion *deleted_of(const struct flush *flush, uint32_t at)
{
    if (flush->deleted)
        return flush->deleted->items[at];
    return flush->old->deletions ? flush->old->deletions[at] : NULL;
}

static bool is_gone(const struct flush *flush, uint32_t at)
{
    return deletion_count(deleted_of(flush, at)) == segment_meta(flush->old->segments[at])->rows;
}

static enum status write_deletions(struct flush *flush, struct error *err)
{
    struct str location = table_location(flush->source->table);
    for (uint32_t i = 0; i < flush->old->segments_len; i++) {
        struct deletion *deletion = deleted_of(flush, i);
        if (deletion && !deletion_file(deletion) && !is_gone(flush, i))
            TRY(segment_batch_add_deletion(&flush->segments, location, flush->old->segments[i],
                                           deletion, err));
    }
    return STATUS_OK;
}

static enum status write_files(struct flush *flush, struct error *err)
{
    TRY(write_segments(flush, err));
    TRY(write_deletions(flush, err));
    return segment_batch_sync(&flush->segments, err);
}

/* --- 3 --- */

static enum status write_ids_file(struct flush *flush, struct error *err)
{
    char path[SYS_PATH_MAX];
    if (flush->ids_len == 0)
        return STATUS_OK;
    snprintf(flush->ids_name, sizeof flush->ids_name, "%08llu.writeids",
             (unsigned long long)flush->new->id);
    TRY(sys_path(path, err, "%s/metadata/%s", flush->source->dir, flush->ids_name));
    TRY(write_id_file_write(flush->source->store->sys, path, flush->ids, flush->ids_len, err));
    struct write_id_file file = {.name = str_of(flush->ids_name), .entries = flush->ids_len};
    for (uint32_t i = 0; i < flush->ids_len; i++) {
        if (flush->ids[i].time_us > file.until_us)
            file.until_us = flush->ids[i].time_us;
    }
    return snapshot_add_id_file(flush->new, &file, err);
}

static bool keeps_id_file(const struct flush *flush, const struct write_id_file *file)
{
    return !flush->fold_ids && file->until_us >= flush->new->time_us - WRITE_IDS_KEEP_US;
}

static enum status keep_id_files(struct flush *flush, struct error *err)
{
    for (uint32_t i = 0; i < flush->old->id_files_len; i++) {
        if (keeps_id_file(flush, &flush->old->id_files[i]))
            TRY(snapshot_add_id_file(flush->new, &flush->old->id_files[i], err));
    }
    return STATUS_OK;
}

static enum status keep_deletions(struct flush *flush, struct error *err)
{
    const struct segment_batch *written = &flush->segments;
    for (uint32_t i = 0, at = 0, w = 0; i < flush->old->segments_len; i++) {
        struct deletion *deletion = deleted_of(flush, i);
        if (is_gone(flush, i))
            continue;
        if (deletion && !deletion_file(deletion))
            deletion = written->deletions[w++]; /* in the order of write_deletions */
        if (deletion)
            TRY(snapshot_set_deletion(flush->new, at, deletion, err));
        at++;
    }
    return STATUS_OK;
}

static enum snapshot_operation operation_of(const struct flush *flush)
{
    if (!flush->deleted)
        return SNAPSHOT_APPEND;
    return flush->segments.len ? SNAPSHOT_OVERWRITE : SNAPSHOT_DELETE;
}

static enum status build_snapshot(struct flush *flush, struct error *err)
{
    uint32_t old_len = flush->old->segments_len, len = 0;
    if (old_len + flush->segments.len > SNAPSHOT_SEGMENTS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a source has at most %d segments",
                         SNAPSHOT_SEGMENTS_MAX);
    struct segment **all = malloc((old_len + flush->segments.len + 1u) * sizeof(*all));
    if (!all)
        return error_no_memory(err);
    for (uint32_t i = 0; i < old_len; i++) {
        if (!is_gone(flush, i))
            all[len++] = flush->old->segments[i];
    }
    for (uint32_t i = 0; i < flush->segments.len; i++)
        all[len++] = flush->segments.segments[i];
    flush->new = snapshot_new(flush->schema, all, len, err);
    free(all);
    if (!flush->new)
        return STATUS_NO_MEMORY;
    flush->new->lsn = flush->lsn;
    TRY(keep_deletions(flush, err));
    TRY(commit_begin(&flush->commit, flush->source, flush->new, operation_of(flush), err));
    TRY(keep_id_files(flush, err));
    return write_ids_file(flush, err);
}

/* Before the swap of CURRENT has begun: nothing of this flush is left. */
static void undo(struct flush *flush)
{
    char path[SYS_PATH_MAX];
    struct sys *sys = flush->source->store->sys;
    segment_batch_discard(&flush->segments);
    if (flush->ids_name[0] &&
        sys_path(path, NULL, "%s/metadata/%s", flush->source->dir, flush->ids_name) == STATUS_OK)
        (void)sys_unlink(sys, path, NULL);
}

static enum status write_all(struct flush *flush, struct error *err)
{
    enum status status = write_files(flush, err);
    if (status == STATUS_OK)
        status = build_snapshot(flush, err);
    if (status == STATUS_OK)
        status = commit_write(&flush->commit, err);
    if (status != STATUS_OK && !flush->commit.maybe)
        undo(flush);
    return status;
}

/* --- 4 and 5 --- */

static void swap(struct flush *flush)
{
    struct source *source = flush->source;
    struct memtable flushed;
    struct deletion_set *deleted;
    pthread_mutex_lock(&source->lock);
    struct snapshot *old = commit_publish(&flush->commit);
    flushed = source->frozen;
    source->frozen = (struct memtable){0};
    deleted = source->deleted;
    source->deleted = NULL;
    source->first_mutation_lsn = 0;
    source->bare_mutations = 0;
    source->ids.unsaved =
        source->ids.unsaved > flush->ids_next ? source->ids.unsaved : flush->ids_next;
    source->flushes++;
    source->flush_error[0] = 0;
    atomic_store(&source->store->disk_full, false);
    pthread_mutex_unlock(&source->lock);
    snapshot_unref(old);
    store_memory_give(source->store, flushed.bytes + (deleted ? deleted->memory : 0));
    deletion_set_unref(deleted);
    memtable_clear(&flushed);
}

static void remove_old(struct flush *flush)
{
    char path[SYS_PATH_MAX];
    struct sys *sys = flush->source->store->sys;
    const char *dir = flush->source->dir;
    for (uint32_t i = 0; i < flush->old->id_files_len; i++) {
        if (!keeps_id_file(flush, &flush->old->id_files[i]) &&
            sys_path(path, NULL, "%s/metadata/%s", dir, flush->old->id_files[i].name.data) ==
                STATUS_OK)
            (void)sys_unlink(sys, path, NULL); /* the next start removes what stays */
    }
}

static void flush_release(struct flush *flush)
{
    free(flush->ids);
    sketch_unref(flush->sketch);
    segment_batch_release(&flush->segments);
    commit_release(&flush->commit);
    snapshot_unref(flush->new);
    snapshot_unref(flush->old);
    deletion_set_unref(flush->deleted);
    schema_unref(flush->schema);
}

enum status source_flush_locked(struct source *source, struct error *err)
{
    struct flush flush = {.source = source};
    bool empty = false;
    pthread_mutex_lock(&source->lock);
    enum status status = freeze_locked(&flush, &empty, err);
    pthread_mutex_unlock(&source->lock);
    if (status == STATUS_OK && !empty) {
        flush.segments = (struct segment_batch){.sys = source->store->sys,
                                                .dir = source->dir,
                                                .readers = &source->store->readers,
                                                .config = source_config(source),
                                                .schema = flush.schema,
                                                .next_id = &source->next_segment_id};
        status = write_all(&flush, err);
        if (status == STATUS_OK) {
            swap(&flush);
            source_sketch_flushed(source, flush.sketch);
            remove_old(&flush);
            commit_finish(&flush.commit);
        }
    }
    flush_release(&flush);
    return status;
}

enum status source_flush_once(struct source *source, struct error *err)
{
    struct error local = ERROR_INIT;
    pthread_mutex_lock(&source->flush_lock);
    enum status status = source_flush_locked(source, &local);
    pthread_mutex_unlock(&source->flush_lock);
    if (status == STATUS_OK) {
        (void)store_release_wal(source->store, NULL); /* tried again after the next flush */
        return STATUS_OK;
    }
    pthread_mutex_lock(&source->lock);
    source->flush_failures++;
    if (status == STATUS_STORAGE_FULL)
        atomic_store(&source->store->disk_full, true);
    snprintf(source->flush_error, sizeof source->flush_error, "%.150s", local.message);
    pthread_mutex_unlock(&source->lock);
    if (err)
        *err = local;
    return status;
}

enum status source_flush(struct source *source, struct error *err)
{
    if (source->store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    return source_flush_once(source, err);
}

/* The LSN is read first: what is published later has a higher one. */
enum status store_release_wal(struct store *store, struct error *err)
{
    uint64_t needed = wal_completed_lsn(store->wal) + 1;
    pthread_mutex_lock(&store->lock);
    for (uint32_t i = 0; i < store->sources_len; i++) {
        struct source *source = store->sources[i];
        pthread_mutex_lock(&source->lock);
        const struct chunk *oldest =
            source->frozen.head ? source->frozen.head : source->active.head;
        if (oldest && oldest->first_lsn < needed)
            needed = oldest->first_lsn;
        if (source->first_mutation_lsn && source->first_mutation_lsn < needed)
            needed = source->first_mutation_lsn;
        pthread_mutex_unlock(&source->lock);
    }
    pthread_mutex_unlock(&store->lock);
    return wal_release_below(store->wal, needed, err);
}

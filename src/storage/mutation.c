/* mutation.c: rows that are deleted, with the rows that come instead, as one write.
 *
 *   1. begin: the flush lock is taken (no flush, no commit, no other mutation), a view is opened
 *   2. the caller marks rows of the view
 *   3. commit: the marks become targets that also mean something after a restart: rows of a segment
 *      by its id, unflushed rows by the LSN of their frame and their number there
 *   4. what the state will be is made: new sets of deleted rows (the old ones stay as they are, for
 *      views that have them), so that publishing needs no memory. From here on chunks are not
 *      merged (source->mutating)
 *   5. one frame holds targets and new rows; the WAL's thread publishes both at once
 * Replay takes the same steps from 4 on. Where the deletes that a segment has already cannot be
 * read, the segment keeps them: whoever reads it is told, as before. The frame waits in the log:
 * nothing of the source is flushed or committed (source->damage), and the next start tries again,
 * after a repair in full. A target that is not there (any more) is passed over: its row went with a
 * segment that retention or repair has dropped, or with an unsynced frame of a source without a
 * log. No commit drops a segment with unflushed deletes for another reason: compaction flushes them
 * first.
 *
 * Payload of a frame: 0 version u8 | 1 segments u32 | 5 frames u32 | targets, the segments' first:
 * id u64 (segment, or LSN), rows as in deletion.h | the batch in its wire form, or nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "storage/store_int.h"

enum { MUTATION_VERSION = 1, MUTATION_HEAD_BYTES = 9 };

struct target {
    uint64_t id;
    struct deletion *rows;
};

struct targets {
    struct target *list; /* by id */
    uint32_t len, cap;
};

struct chunk_change {
    struct chunk *chunk; /* referenced */
    struct deletion *deleted;
};

struct mutation {
    struct source *source;
    bool replayed;
    struct str write_id;
    const struct write_side *side;
    struct view view;
    struct deletion_builder *marks; /* of the view's units */
    struct targets segments, frames;
    /* What the state will be: */
    struct view present;      /* as of step 4 */
    struct deletion_set *set; /* NULL: no segment is touched */
    struct chunk_change *chunks;
    uint32_t chunks_len;
    uint64_t rows; /* that become deleted */
};

static void targets_release(struct targets *targets)
{
    for (uint32_t i = 0; i < targets->len; i++)
        deletion_unref(targets->list[i].rows);
    free(targets->list);
    *targets = (struct targets){0};
}

/* Takes `rows` over. */
static enum status targets_add(struct targets *targets, uint64_t id, struct deletion *rows,
                               struct error *err)
{
    if (targets->len == targets->cap) {
        uint32_t cap = targets->cap ? targets->cap * 2 : 16;
        struct target *grown = realloc(targets->list, cap * sizeof *grown);
        if (!grown) {
            deletion_unref(rows);
            return error_no_memory(err);
        }
        targets->list = grown;
        targets->cap = cap;
    }
    targets->list[targets->len++] = (struct target){id, rows};
    return STATUS_OK;
}

/* --- 1 and 2 --- */

static uint32_t units_of(const struct view *view)
{
    return view->segments_len + view->chunks_len;
}

static enum status open_view(struct mutation *mutation, struct error *err)
{
    struct view *view = &mutation->view;
    TRY(view_open(mutation->source, view, err));
    mutation->marks = calloc(units_of(view) + 1u, sizeof *mutation->marks);
    if (!mutation->marks)
        return error_no_memory(err);
    for (uint32_t i = 0; i < view->segments_len; i++)
        deletion_builder_init(&mutation->marks[i], segment_meta(view->segments[i])->rows);
    for (uint32_t i = 0; i < view->chunks_len; i++)
        deletion_builder_init(&mutation->marks[view->segments_len + i], view->chunks[i]->rows);
    return STATUS_OK;
}

enum status mutation_begin(struct source *source, struct str write_id,
                           struct mutation **ret_mutation, struct write_result *ret_result,
                           struct error *err)
{
    bool duplicate = false;
    *ret_mutation = NULL;
    *ret_result = (struct write_result){0};
    struct mutation *mutation = calloc(1, sizeof *mutation);
    if (!mutation)
        return error_no_memory(err);
    mutation->source = source_ref(source);
    mutation->write_id = write_id;
    pthread_mutex_lock(&source->flush_lock);
    enum status status = source_check_write(source, write_id, NULL, &duplicate, ret_result, err);
    if (status == STATUS_OK && !duplicate)
        status = open_view(mutation, err);
    if (status == STATUS_OK && !duplicate)
        *ret_mutation = mutation;
    else
        mutation_end(mutation);
    return status;
}

struct view *mutation_view(struct mutation *mutation)
{
    return &mutation->view;
}

enum status mutation_delete(struct mutation *mutation, uint32_t unit, uint64_t row,
                            struct error *err)
{
    const struct view *view = &mutation->view;
    bool is_segment = unit < view->segments_len;
    struct deletion **list = is_segment ? view->deletions : view->chunk_deletions;
    struct deletion *before = list ? list[is_segment ? unit : unit - view->segments_len] : NULL;
    TRY(deletion_load(before, err));
    return deletion_has(before, row) ? STATUS_OK
                                     : deletion_builder_add(&mutation->marks[unit], row, err);
}

uint64_t mutation_rows(const struct mutation *mutation)
{
    return mutation->rows;
}

/* --- 3 --- */

/* The rows of a chunk by frames. */
static enum status target_frames(struct mutation *mutation, const struct chunk *chunk,
                                 const struct deletion *rows, struct error *err)
{
    uint64_t row = deletion_next(rows, 0);
    for (uint32_t f = 0; f < chunk_frames(chunk) && row != UINT64_MAX; f++) {
        uint32_t first, count;
        uint64_t lsn = chunk_frame_lsn(chunk, f);
        struct deletion_builder builder;
        struct deletion *part = NULL;
        if (!chunk_find_frame(chunk, lsn, &first, &count) || row >= (uint64_t)first + count)
            continue;
        deletion_builder_init(&builder, count);
        enum status status = STATUS_OK;
        for (; status == STATUS_OK && row < (uint64_t)first + count;
             row = deletion_next(rows, row + 1))
            status = deletion_builder_add(&builder, row - first, err);
        if (status == STATUS_OK)
            status = deletion_builder_finish(&builder, &part, err);
        deletion_builder_release(&builder);
        TRY(status);
        TRY(targets_add(&mutation->frames, lsn, part, err));
    }
    return STATUS_OK;
}

static enum status make_targets(struct mutation *mutation, struct error *err)
{
    const struct view *view = &mutation->view;
    for (uint32_t i = 0; i < units_of(view); i++) {
        struct deletion *rows = NULL;
        enum status status = deletion_builder_finish(&mutation->marks[i], &rows, err);
        if (status == STATUS_OK && rows && i < view->segments_len) {
            TRY(targets_add(&mutation->segments, segment_meta(view->segments[i])->id, rows, err));
            continue;
        }
        if (status == STATUS_OK && rows)
            status = target_frames(mutation, view->impl->chunks->chunks[i - view->segments_len],
                                   rows, err);
        deletion_unref(rows);
        TRY(status);
    }
    return STATUS_OK;
}

enum status mutation_encode(const struct mutation *mutation, struct buf *out, struct error *err)
{
    const struct targets *lists[] = {&mutation->segments, &mutation->frames};
    buf_append_char(out, MUTATION_VERSION);
    buf_append_u32(out, mutation->segments.len);
    buf_append_u32(out, mutation->frames.len);
    for (int k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < lists[k]->len; i++) {
            buf_append_u64(out, lists[k]->list[i].id);
            deletion_encode(lists[k]->list[i].rows, out);
        }
    }
    return buf_check(out, "the rows to delete", err);
}

/* --- 4 --- */

/* `base` (loaded; NULL: none) with the target's rows. */
static enum status join(struct deletion *base, const struct deletion *rows, uint64_t unit_rows,
                        uint64_t first, struct deletion **ret, struct error *err)
{
    struct deletion_builder builder;
    deletion_builder_init(&builder, unit_rows);
    enum status status = deletion_builder_add_all(&builder, base, 0, err);
    if (status == STATUS_OK)
        status = deletion_builder_add_all(&builder, rows, first, err);
    if (status == STATUS_OK)
        status = deletion_builder_finish(&builder, ret, err);
    deletion_builder_release(&builder);
    return status;
}

/* In replay: what stays as it is, and why. */
static void keep_damaged(struct mutation *mutation, uint32_t at, struct deletion *base)
{
    struct source *source = mutation->source;
    deletion_set_put(mutation->set, at, deletion_ref(base));
    pthread_mutex_lock(&source->lock);
    snprintf(source->damage, sizeof source->damage,
             "%s is damaged, and deletes in the log wait for it (quarry fsck, quarry repair)",
             deletion_file(base)->path.data);
    pthread_mutex_unlock(&source->lock);
}

static enum status prepare_segment(struct mutation *mutation, uint32_t at,
                                   const struct deletion *rows, struct error *err)
{
    const struct view *view = &mutation->present;
    struct deletion *base = view->deletions ? view->deletions[at] : NULL, *all = NULL;
    enum status status = deletion_load(base, err);
    if (status == STATUS_CORRUPT && mutation->replayed) {
        keep_damaged(mutation, at, base);
        return STATUS_OK;
    }
    TRY(status);
    TRY(join(base, rows, segment_meta(view->segments[at])->rows, 0, &all, err));
    mutation->rows += deletion_count(all) - deletion_count(base);
    deletion_set_put(mutation->set, at, all);
    return STATUS_OK;
}

static enum status prepare_segments(struct mutation *mutation, struct error *err)
{
    const struct view *view = &mutation->present;
    const struct targets *targets = &mutation->segments;
    if (targets->len == 0)
        return STATUS_OK;
    mutation->set = deletion_set_new(view->segments_len);
    if (!mutation->set)
        return error_no_memory(err);
    for (uint32_t i = 0, t = 0; i < view->segments_len; i++) {
        uint64_t id = segment_meta(view->segments[i])->id;
        struct deletion *base = view->deletions ? view->deletions[i] : NULL;
        while (t < targets->len && targets->list[t].id < id)
            t++;
        if (t < targets->len && targets->list[t].id == id)
            TRY(prepare_segment(mutation, i, targets->list[t].rows, err));
        else if (base)
            deletion_set_put(mutation->set, i, deletion_ref(base));
    }
    return STATUS_OK;
}

/* The targets from `*t` on that are in the chunk: one new set for all of them. */
static enum status prepare_chunk(struct mutation *mutation, uint32_t at, uint32_t *t,
                                 struct error *err)
{
    const struct targets *targets = &mutation->frames;
    struct chunk *chunk = mutation->present.impl->chunks->chunks[at];
    struct deletion *base = mutation->present.chunk_deletions[at], *all = NULL;
    struct deletion_builder builder;
    deletion_builder_init(&builder, chunk->batch->rows);
    bool any = false;
    enum status status = STATUS_OK;
    for (; status == STATUS_OK && *t < targets->len && targets->list[*t].id <= chunk->last_lsn;
         ++*t) {
        uint32_t first, rows;
        if (!chunk_find_frame(chunk, targets->list[*t].id, &first, &rows))
            continue;
        any = true;
        status = deletion_builder_add_all(&builder, targets->list[*t].rows, first, err);
    }
    if (status == STATUS_OK && any)
        status = deletion_builder_add_all(&builder, base, 0, err);
    if (status == STATUS_OK && any)
        status = deletion_builder_finish(&builder, &all, err);
    deletion_builder_release(&builder);
    if (status != STATUS_OK || !all)
        return status;
    mutation->rows += deletion_count(all) - deletion_count(base);
    mutation->chunks[mutation->chunks_len++] = (struct chunk_change){chunk_ref(chunk), all};
    return STATUS_OK;
}

/* The targets against the present state, which stays until it is published or given up. */
static enum status prepare(struct mutation *mutation, struct error *err)
{
    struct view *present = &mutation->present;
    pthread_mutex_lock(&mutation->source->lock);
    mutation->source->mutating = true;
    pthread_mutex_unlock(&mutation->source->lock);
    TRY(view_open(mutation->source, present, err));
    TRY(prepare_segments(mutation, err));
    mutation->chunks = calloc(present->chunks_len + 1u, sizeof *mutation->chunks);
    if (!mutation->chunks)
        return error_no_memory(err);
    for (uint32_t i = 0, t = 0; i < present->chunks_len && t < mutation->frames.len; i++)
        TRY(prepare_chunk(mutation, i, &t, err));
    return STATUS_OK;
}

/* --- 5 --- */

static bool is_in(const struct memtable *table, const struct chunk *chunk)
{
    return table->head && chunk->first_lsn >= table->head->first_lsn &&
           chunk->last_lsn <= table->tail->last_lsn;
}

void mutation_publish(struct mutation *mutation, uint64_t lsn, int64_t now_us)
{
    struct source *source = mutation->source;
    if (mutation->set) {
        struct deletion_set *former = source->deleted;
        store_memory_add(source->store, mutation->set->memory);
        store_memory_give(source->store, former ? former->memory : 0);
        source->deleted = mutation->set;
        mutation->set = former;
    }
    for (uint32_t i = 0; i < mutation->chunks_len; i++) {
        struct chunk_change *change = &mutation->chunks[i];
        struct memtable *table =
            is_in(&source->frozen, change->chunk) ? &source->frozen : &source->active;
        change->deleted = memtable_set_deleted(table, change->chunk, change->deleted);
    }
    if (!source->first_mutation_lsn) {
        source->first_mutation_lsn = lsn;
        source->mutated_since_us = sys_mono_us(source->store->sys);
    }
    source->published_lsn = lsn;
    source->last_updated_us = now_us;
    source->mutating = false;
}

void mutation_set_side(struct mutation *mutation, const struct write_side *side)
{
    mutation->side = side;
}

enum status mutation_commit(struct mutation *mutation, struct batch *batch,
                            struct write_result *ret_result, struct error *err)
{
    struct source *source = mutation->source;
    struct schema *schema = NULL;
    *ret_result = (struct write_result){0};
    if (batch) {
        TRY(source_fit_batch(source, batch, &schema, err));
        schema_unref(schema);
    }
    enum status status = make_targets(mutation, err);
    if (status == STATUS_OK)
        status = prepare(mutation, err);
    /* One that changes nothing is only logged for its write id. */
    if (status == STATUS_OK && (batch || mutation->rows || mutation->write_id.data))
        status = source_log(source, batch, mutation->write_id, mutation, mutation->side, ret_result,
                            err);
    store_count_write(source->store, status, ret_result, batch ? ret_result->rows : 0);
    return status;
}

static void change_release(struct mutation *mutation)
{
    for (uint32_t i = 0; i < mutation->chunks_len; i++) {
        deletion_unref(mutation->chunks[i].deleted);
        chunk_unref(mutation->chunks[i].chunk);
    }
    free(mutation->chunks);
    deletion_set_unref(mutation->set);
    targets_release(&mutation->segments);
    targets_release(&mutation->frames);
    view_close(&mutation->present);
    pthread_mutex_lock(&mutation->source->lock);
    mutation->source->mutating = false;
    pthread_mutex_unlock(&mutation->source->lock);
}

void mutation_end(struct mutation *mutation)
{
    if (!mutation)
        return;
    for (uint32_t i = 0; mutation->marks && i < units_of(&mutation->view); i++)
        deletion_builder_release(&mutation->marks[i]);
    free(mutation->marks);
    change_release(mutation);
    view_close(&mutation->view);
    pthread_mutex_unlock(&mutation->source->flush_lock);
    source_unref(mutation->source);
    free(mutation);
}

/* --- replay --- */

static enum status decode_targets(struct slice *bytes, uint32_t len, struct targets *targets,
                                  struct error *err)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < len; i++) {
        uint64_t id;
        struct deletion *rows;
        if (bytes->len < sizeof id)
            return error_set(err, STATUS_CORRUPT, "a mutation is cut off");
        memcpy(&id, bytes->data, sizeof id);
        *bytes = (struct slice){(const char *)bytes->data + sizeof id, bytes->len - sizeof id};
        if (id <= last)
            return error_set(err, STATUS_CORRUPT, "a mutation's targets are not in order");
        last = id;
        TRY(deletion_decode(bytes, &rows, err));
        TRY(targets_add(targets, id, rows, err));
    }
    return STATUS_OK;
}

static enum status decode(struct slice bytes, struct mutation *mutation, struct batch **ret_batch,
                          struct error *err)
{
    uint32_t segments, frames;
    const char *head = bytes.data;
    if (bytes.len < MUTATION_HEAD_BYTES || head[0] != MUTATION_VERSION)
        return error_set(err, STATUS_CORRUPT, "a mutation's head is wrong");
    memcpy(&segments, head + 1, sizeof segments);
    memcpy(&frames, head + 5, sizeof frames);
    bytes = (struct slice){head + MUTATION_HEAD_BYTES, bytes.len - MUTATION_HEAD_BYTES};
    TRY(decode_targets(&bytes, segments, &mutation->segments, err));
    TRY(decode_targets(&bytes, frames, &mutation->frames, err));
    return bytes.len ? batch_decode(bytes, ret_batch, err) : STATUS_OK;
}

enum status mutation_decode(struct slice payload, uint64_t *ret_deleted, struct batch **ret_batch,
                            struct error *err)
{
    struct mutation mutation = {0};
    const struct targets *lists[] = {&mutation.segments, &mutation.frames};
    *ret_batch = NULL;
    *ret_deleted = 0;
    enum status status = decode(payload, &mutation, ret_batch, err);
    for (int k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < lists[k]->len; i++)
            *ret_deleted += deletion_count(lists[k]->list[i].rows);
    }
    targets_release(&mutation.segments);
    targets_release(&mutation.frames);
    return status;
}

enum status mutation_replay(struct source *source, const struct wal_record *record,
                            struct batch **ret_batch, struct error *err)
{
    struct mutation mutation = {.source = source, .replayed = true};
    *ret_batch = NULL;
    enum status status = decode(record->payload, &mutation, ret_batch, err);
    if (status == STATUS_OK)
        status = prepare(&mutation, err);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&source->lock);
        mutation_publish(&mutation, record->lsn, record->time_us);
        pthread_mutex_unlock(&source->lock);
    }
    change_release(&mutation);
    if (status != STATUS_OK) {
        batch_unref(*ret_batch);
        *ret_batch = NULL;
    }
    return status;
}

/* wal.c: the queue and group commit (contract in wal.h, bytes in wal_int.h).
 *
 * Whoever waits for a frame while nobody writes becomes the writer: it leads rounds until its own
 * frame is settled, then hands over to the owner of the frame that is first in the queue by now, or
 * to who waits in wal_commit.
 * A lone client thus pays for no change of threads, and all that queued during one sync goes into
 * the next. The thread "wal" leads where no waiter may: for asynchronous frames, and at the end.
 *
 * One round of the writer:
 *   1. take all queued frames, at most WAL_GROUP_BYTES_MAX
 *   2. the longest run of them that fits into the segment (a fresh one when there is none) gets its
 *      LSNs; frames of asynchronous sources are published now
 *   3. write the run: small frames gathered into one buffer, large payloads straight from their own
 *   4. one sync; then publish in LSN order; then wake the waiters
 * On failure of 3 or 4 the run's LSNs are used up, `void_from` stays at its first, the segment is
 * left; a fresh one is tried at once, before the refusal is told, so that after most failures the
 * outcome of a refused write is certain. Memory is never asked for between a sync and a publish. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/wal/wal_int.h"

enum { WAL_GATHER_BYTES = 1 << 20 };

static uint64_t frame_bytes(const struct wal_frame *frame)
{
    return wal_frame_size(WAL_FRAME_BYTES + frame->key_len + frame->payload.len);
}

/* The frame, with the one that it is linked to. */
static uint64_t unit_bytes(const struct wal_frame *frame)
{
    return frame_bytes(frame) + (frame->linked ? frame_bytes(frame->next) : 0);
}

static struct wal_frame *unit_end(const struct wal_frame *frame)
{
    return frame->linked ? frame->next->next : frame->next;
}

/* --- writing one run --- */

struct gather {
    struct wal *wal;
    uint64_t offset; /* in the file, of the buffer's start */
    size_t len;
};

static enum status gather_flush(struct gather *g, struct error *err)
{
    if (g->len)
        TRY(sys_pwrite(g->wal->sys, g->wal->file, g->wal->gather, g->len, g->offset, err));
    g->offset += g->len;
    g->len = 0;
    return STATUS_OK;
}

static enum status gather_add(struct gather *g, const void *data, size_t len, struct error *err)
{
    if (len == 0)
        return STATUS_OK;
    if (g->len + len > WAL_GATHER_BYTES)
        TRY(gather_flush(g, err));
    if (len > WAL_GATHER_BYTES / 2) {
        TRY(gather_flush(g, err));
        TRY(sys_pwrite(g->wal->sys, g->wal->file, data, len, g->offset, err));
        g->offset += len;
        return STATUS_OK;
    }
    memcpy(g->wal->gather + g->len, data, len);
    g->len += len;
    return STATUS_OK;
}

static enum status gather_frame(struct gather *g, struct wal_frame *frame, struct error *err)
{
    static const uint8_t zeros[8];
    uint8_t header[WAL_FRAME_BYTES];
    wal_frame_encode(frame, g->wal->durable_lsn, g->wal->salt, header);
    size_t length = WAL_FRAME_BYTES + frame->key_len + frame->payload.len;
    TRY(gather_add(g, header, sizeof header, err));
    TRY(gather_add(g, frame->key, frame->key_len, err));
    TRY(gather_add(g, frame->payload.data, frame->payload.len, err));
    return gather_add(g, zeros, wal_frame_size(length) - length, err);
}

static enum status write_run(struct wal *wal, struct wal_frame *first, struct wal_frame *end,
                             struct error *err)
{
    struct gather g = {.wal = wal, .offset = wal->offset};
    for (struct wal_frame *frame = first; frame != end; frame = frame->next)
        TRY(gather_frame(&g, frame, err));
    TRY(gather_flush(&g, err));
    int64_t start = sys_mono_us(wal->sys);
    TRY(sys_sync(wal->sys, wal->file, err));
    int64_t took = sys_mono_us(wal->sys) - start;
    pthread_mutex_lock(&wal->lock);
    histogram_add(&wal->syncs, took);
    pthread_mutex_unlock(&wal->lock);
    wal->offset = g.offset;
    return STATUS_OK;
}

/* --- telling the outcome --- */

static void publish(struct wal_frame *frame, enum status status)
{
    if (frame->published)
        return;
    frame->published = true;
    frame->status = status;
    frame->publish(frame, status);
}

static void refuse_text(struct wal_frame *frame, enum status status, const struct error *why)
{
    frame->error = *why;
    frame->error.status = status;
    error_wrap(&frame->error, status == STATUS_STORAGE_FULL ? "the disk is full, nothing was stored"
                                                            : "the log could not be written");
}

/* Once; asynchronous frames are told of before they are written. */
static void tell(struct wal_frame *frame)
{
    void (*settled)(struct wal_frame *) = frame->settled;
    frame->settled = NULL;
    if (settled)
        settled(frame);
}

/* Publishes (or refuses) [first, end) in order, then tells and wakes those whose they are, lets go.
 */
static void settle(struct wal *wal, struct wal_frame *first, struct wal_frame *end,
                   enum status status, const struct error *why)
{
    uint64_t freed = 0, last = 0;
    for (struct wal_frame *frame = first; frame != end; frame = frame->next) {
        if (status != STATUS_OK && !frame->published)
            refuse_text(frame, status, why);
        publish(frame, status);
        last = frame->lsn;
    }
    for (struct wal_frame *frame = first; frame != end; frame = frame->next)
        tell(frame);
    pthread_mutex_lock(&wal->lock);
    if (last > wal->completed_lsn)
        wal->completed_lsn = last;
    struct wal_frame *next;
    for (struct wal_frame *frame = first; frame != end; frame = next) {
        next = frame->next;
        freed += frame->reserved;
        frame->reserved = 0;
        frame->done = true;
        wal->settled++;
        if (frame->waiter)
            pthread_cond_signal(frame->waiter);
    }
    wal->queued_bytes -= freed;
    pthread_cond_broadcast(&wal->space);
    if (wal->committers)
        pthread_cond_broadcast(&wal->round);
    pthread_mutex_unlock(&wal->lock);
    for (struct wal_frame *frame = first; frame != end; frame = next) {
        next = frame->next;
        wal_frame_unref(wal, frame);
    }
}

/* Asynchronous frames are acknowledged before they are written. */
static void publish_async(struct wal *wal, struct wal_frame *first, struct wal_frame *end)
{
    for (struct wal_frame *frame = first; frame != end; frame = frame->next) {
        if (!frame->async)
            continue;
        publish(frame, STATUS_OK);
        pthread_mutex_lock(&wal->lock);
        frame->done = true;
        if (frame->waiter)
            pthread_cond_signal(frame->waiter);
        pthread_mutex_unlock(&wal->lock);
        tell(frame);
    }
}

static enum status refusal(enum status status)
{
    return status == STATUS_STORAGE_FULL ? STATUS_STORAGE_FULL : STATUS_UNAVAILABLE;
}

/* Writes the longest run from `first` on that fits the segment; returns what follows it. */
static struct wal_frame *commit_run(struct wal *wal, struct wal_frame *first)
{
    struct error err = ERROR_INIT;
    enum status status = STATUS_OK;
    if (!wal->file || wal->offset + unit_bytes(first) > wal->capacity)
        status = wal_rotate(wal, unit_bytes(first), &err);
    if (status != STATUS_OK) {
        settle(wal, first, NULL, refusal(status), &err);
        return NULL;
    }
    uint64_t first_lsn = wal->next_lsn, end_offset = wal->offset;
    struct wal_frame *end = first;
    while (end && end_offset + unit_bytes(end) <= wal->capacity) {
        end_offset += unit_bytes(end);
        for (struct wal_frame *behind = unit_end(end); end != behind; end = end->next)
            end->lsn = wal->next_lsn++;
    }
    publish_async(wal, first, end);
    status = write_run(wal, first, end, &err);
    if (status == STATUS_OK) {
        wal->durable_lsn = wal->next_lsn - 1;
        wal->void_from = wal->next_lsn;
    } else {
        wal->void_from = first_lsn;
        (void)wal_rotate(wal, 0, NULL); /* tried again before the next frame otherwise */
    }
    settle(wal, first, end, status == STATUS_OK ? status : refusal(status), &err);
    return end;
}

static struct wal_frame *take_group(struct wal *wal)
{
    struct wal_frame *group = wal->head, *last = group;
    if (!group)
        return NULL;
    uint64_t bytes = unit_bytes(last);
    last = last->linked ? last->next : last;
    while (last->next && bytes + unit_bytes(last->next) <= WAL_GROUP_BYTES_MAX) {
        last = last->next;
        bytes += unit_bytes(last);
        last = last->linked ? last->next : last;
    }
    wal->crowded = last != group;
    wal->head = last->next;
    if (!wal->head)
        wal->tail = NULL;
    last->next = NULL;
    return group;
}

/* Wakes who is to lead the next round; the lock is held. A waiter that is not there yet leads when
 * it comes, unless the thread was faster. */
static void hand_over(struct wal *wal)
{
    const struct wal_frame *next = wal->head;
    if (wal->committers)
        pthread_cond_broadcast(&wal->round);
    if (next && next->waiter && !next->async)
        pthread_cond_signal(next->waiter);
    else if ((next && !wal->committers) || wal->stopping)
        pthread_cond_signal(&wal->work);
}

/* Lets others join the group; the lock is held, except meanwhile. A lone writer does not wait. */
static void wait_for_more(struct wal *wal)
{
    if (!wal->commit_delay_us || !(wal->crowded || wal->head->next) || wal->stopping)
        return;
    pthread_mutex_unlock(&wal->lock);
    sys_sleep_us(wal->sys, wal->commit_delay_us);
    pthread_mutex_lock(&wal->lock);
}

/* Rounds until the first `target` frames are settled. The lock is held, except meanwhile. */
static void lead(struct wal *wal, uint64_t target)
{
    wal->writing = true;
    while (wal->head && wal->settled < target) {
        wait_for_more(wal);
        struct wal_frame *group = take_group(wal);
        pthread_mutex_unlock(&wal->lock);
        while (group)
            group = commit_run(wal, group);
        if (wal->after_group)
            wal->after_group(wal->after_context);
        pthread_mutex_lock(&wal->lock);
    }
    wal->writing = false;
    hand_over(wal);
}

static void *writer_main(void *context)
{
    struct wal *wal = context;
    pthread_mutex_lock(&wal->lock);
    while (!wal->stopping || wal->head || wal->writing) {
        if (wal->head && !wal->writing)
            lead(wal, UINT64_MAX);
        else
            pthread_cond_wait(&wal->work, &wal->lock);
    }
    pthread_mutex_unlock(&wal->lock);
    return NULL;
}

/* --- producers --- */

struct wal_frame *wal_frame_beside(struct error *err)
{
    struct wal_frame *frame = calloc(1, sizeof *frame);
    if (!frame) {
        error_no_memory(err);
        return NULL;
    }
    atomic_init(&frame->refs, 1);
    buf_init(&frame->payload, WAL_PAYLOAD_MAX);
    return frame;
}

/* Takes room in the queue; false: it is full. */
static bool reserve(struct wal *wal, size_t size, bool wait)
{
    pthread_mutex_lock(&wal->lock);
    while (wait && wal->queued_bytes && wal->queued_bytes + size > WAL_QUEUE_BYTES_MAX)
        pthread_cond_wait(&wal->space, &wal->lock);
    bool fits = !wal->queued_bytes || wal->queued_bytes + size <= WAL_QUEUE_BYTES_MAX;
    if (fits)
        wal->queued_bytes += size;
    pthread_mutex_unlock(&wal->lock);
    return fits;
}

enum status wal_frame_new(struct wal *wal, size_t size, bool wait, struct wal_frame **ret_frame,
                          struct error *err)
{
    *ret_frame = NULL;
    if (wal->read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    if (size > WAL_PAYLOAD_MAX)
        return error_set(err, STATUS_TOO_LARGE, "a batch of %zu bytes; at most %d are taken", size,
                         WAL_PAYLOAD_MAX);
    struct wal_frame *frame = wal_frame_beside(err);
    if (!frame)
        return STATUS_NO_MEMORY;
    if (!reserve(wal, size + WAL_FRAME_BYTES, wait)) {
        wal_frame_unref(wal, frame);
        return STATUS_OK;
    }
    frame->reserved = size + WAL_FRAME_BYTES;
    *ret_frame = frame;
    return STATUS_OK;
}

void wal_frame_unref(struct wal *wal, struct wal_frame *frame)
{
    if (!frame || atomic_fetch_sub(&frame->refs, 1) != 1)
        return;
    if (frame->reserved) { /* never submitted */
        pthread_mutex_lock(&wal->lock);
        wal->queued_bytes -= frame->reserved;
        pthread_cond_broadcast(&wal->space);
        pthread_mutex_unlock(&wal->lock);
    }
    buf_release(&frame->payload);
    free(frame);
}

/* The lock is held. */
static void enqueue(struct wal *wal, struct wal_frame *frame)
{
    assert(frame->publish && frame->key_len <= WAL_KEY_MAX);
    atomic_fetch_add(&frame->refs, 1);
    frame->next = NULL;
    if (wal->tail)
        wal->tail->next = frame;
    else
        wal->head = frame;
    wal->tail = frame;
    frame->number = ++wal->submitted;
}

void wal_submit(struct wal *wal, struct wal_frame *frame)
{
    pthread_mutex_lock(&wal->lock);
    if (frame->before) {
        frame->before->linked = true;
        frame->before->async = frame->async;
        enqueue(wal, frame->before);
    }
    enqueue(wal, frame);
    if (frame->async)
        pthread_cond_signal(&wal->work);
    pthread_mutex_unlock(&wal->lock);
}

enum status wal_wait(struct wal *wal, struct wal_frame *frame, struct error *err)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&wal->lock);
    frame->waiter = &cond;
    while (!frame->done) {
        if (wal->head && !wal->writing && !frame->async)
            lead(wal, frame->number);
        else
            pthread_cond_wait(&cond, &wal->lock);
    }
    frame->waiter = NULL;
    pthread_mutex_unlock(&wal->lock);
    pthread_cond_destroy(&cond);
    return wal_outcome(frame, err);
}

enum status wal_outcome(const struct wal_frame *frame, struct error *err)
{
    if (frame->status != STATUS_OK && err)
        *err = frame->error;
    return frame->status;
}

void wal_commit(struct wal *wal, bool wait)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t target = wal->submitted;
    while (wait && wal->settled < target) {
        if (wal->head && !wal->writing) {
            lead(wal, target);
        } else {
            wal->committers++;
            pthread_cond_wait(&wal->round, &wal->lock);
            wal->committers--;
        }
    }
    if (wal->head && !wal->writing)
        hand_over(wal); /* what came later may have nobody who waits for it */
    pthread_mutex_unlock(&wal->lock);
}

/* --- lifetime, statistics --- */

static enum status start(struct wal *wal, struct error *err)
{
    wal->gather = malloc(WAL_GATHER_BYTES);
    if (!wal->gather)
        return error_no_memory(err);
    struct error local = ERROR_INIT;
    enum status status = wal_rotate(wal, 0, &local);
    if (status != STATUS_OK && status != STATUS_STORAGE_FULL) { /* a full disk: reads go on */
        if (err)
            *err = local;
        return status;
    }
    return thread_start(&wal->thread, "wal", 0, writer_main, wal, err);
}

enum status wal_open(struct sys *sys, const struct wal_options *options, wal_replay_fn replay,
                     void *context, struct wal **ret_wal, struct error *err)
{
    struct wal *wal = calloc(1, sizeof *wal);
    if (!wal)
        return error_no_memory(err);
    wal->sys = sys;
    wal->read_only = options->read_only;
    wal->retention_us = options->retention_us;
    wal->commit_delay_us = options->commit_delay_us;
    wal->after_group = options->after_group;
    wal->after_context = options->after_context;
    wal->segment_bytes = options->segment_bytes ? options->segment_bytes : WAL_SEGMENT_BYTES;
    pthread_mutex_init(&wal->lock, NULL);
    pthread_mutex_init(&wal->release_lock, NULL);
    pthread_cond_init(&wal->work, NULL);
    pthread_cond_init(&wal->space, NULL);
    pthread_cond_init(&wal->round, NULL);
    enum status status = sys_path(wal->dir, err, "%s", options->dir);
    if (status == STATUS_OK)
        status = wal_recover(wal, options->min_lsn, replay, context, err);
    if (status == STATUS_OK && !wal->read_only)
        status = start(wal, err);
    if (status != STATUS_OK) {
        wal_close(wal);
        return status;
    }
    *ret_wal = wal;
    return STATUS_OK;
}

void wal_close(struct wal *wal)
{
    if (!wal)
        return;
    pthread_mutex_lock(&wal->lock);
    wal->stopping = true;
    pthread_cond_signal(&wal->work);
    pthread_mutex_unlock(&wal->lock);
    thread_join(&wal->thread);
    sys_close(wal->sys, wal->file);
    pthread_cond_destroy(&wal->work);
    pthread_cond_destroy(&wal->space);
    pthread_cond_destroy(&wal->round);
    pthread_mutex_destroy(&wal->release_lock);
    pthread_mutex_destroy(&wal->lock);
    free(wal->segments);
    free(wal->gather);
    free(wal);
}

uint64_t wal_completed_lsn(struct wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t lsn = wal->completed_lsn;
    pthread_mutex_unlock(&wal->lock);
    return lsn;
}

void wal_get_stats(struct wal *wal, struct wal_stats *ret_stats)
{
    *ret_stats = (struct wal_stats){0};
    pthread_mutex_lock(&wal->lock);
    ret_stats->files = wal->segments_len;
    for (uint32_t i = 0; i < wal->segments_len; i++)
        ret_stats->bytes += wal->segments[i].bytes;
    ret_stats->lsn = wal->completed_lsn;
    ret_stats->syncs = wal->syncs;
    if (wal->segments_len)
        snprintf(ret_stats->current, sizeof ret_stats->current, "%016" PRIx64 ".wal",
                 wal->segments[wal->segments_len - 1].first_lsn);
    pthread_mutex_unlock(&wal->lock);
}

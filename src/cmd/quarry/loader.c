/* loader.c: see loader.h.
 *
 * One mutex guards the queue, the counters, the state and the first failure; `changed` wakes
 * whoever waits for any of them. */
#include "cmd/quarry/loader.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/progress.h"
#include "sys/sys.h"

enum { QUEUE_MAX = LOADER_JOBS_MAX + 2, TICK_MS = 100, SAVE_EVERY_US = 500000 };

struct loader {
    const struct loader_options *options;
    struct record_source *records;
    struct load_state *state;
    struct buf path;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct record_batch *queue[QUEUE_MAX];
    uint32_t queue_len, queue_max;
    bool ended; /* the reader is through */
    bool stop;  /* failure or interruption */
    uint32_t senders;
    uint64_t old_rows;
    struct loader_result result;
    enum status status; /* first failure */
    struct error error;
};

static void fail(struct loader *l, enum status status, const struct error *err, bool refused)
{
    pthread_mutex_lock(&l->lock);
    if (l->status == STATUS_OK) {
        l->status = status;
        l->error = *err;
        l->result.refused = refused;
    }
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* --- reader --- */

/* False: stop. Takes the batch over. */
static bool enqueue(struct loader *l, struct record_batch *batch)
{
    pthread_mutex_lock(&l->lock);
    bool skip = load_state_has(l->state, batch->number);
    while (!skip && !l->stop && l->queue_len == l->queue_max)
        pthread_cond_wait(&l->changed, &l->lock);
    bool stop = l->stop;
    if (!stop && !skip) {
        l->queue[l->queue_len++] = batch;
        batch = NULL;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    record_batch_free(batch);
    return !stop;
}

static void *read_records(void *context)
{
    struct loader *l = context;
    struct error err = ERROR_INIT;
    struct record_batch *batch;
    enum status status;
    do {
        status = record_source_next(l->records, &batch, &err);
        if (status != STATUS_OK)
            fail(l, status, &err, false);
    } while (status == STATUS_OK && batch && enqueue(l, batch));
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* --- senders --- */

static struct record_batch *dequeue(struct loader *l)
{
    struct record_batch *batch = NULL;
    pthread_mutex_lock(&l->lock);
    while (!l->stop && !l->ended && !l->queue_len)
        pthread_cond_wait(&l->changed, &l->lock);
    if (!l->stop && l->queue_len) {
        batch = l->queue[0];
        memmove(l->queue, l->queue + 1, --l->queue_len * sizeof l->queue[0]);
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return batch;
}

static bool stopped(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    bool stop = l->stop;
    pthread_mutex_unlock(&l->lock);
    return stop;
}

static bool wants_retry(enum status status, const struct reply *reply)
{
    if (status != STATUS_OK)
        return status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT;
    return reply->status == 429 || reply->status == 503 || reply->status == 507 ||
           reply->status == 408;
}

/* Sends until it is answered for good, or LOADER_RETRY_S have passed. */
static enum status send_batch(struct loader *l, struct client *client, struct record_batch *batch,
                              struct reply *reply, struct error *err)
{
    char key[LOAD_KEY_MAX];
    load_state_key(l->state, batch->number, key);
    struct call call = {.method = "POST",
                        .path = l->path.data,
                        .content_type = batch->content_type,
                        .body = buf_str(&batch->body),
                        .idempotency_key = key};
    int64_t deadline = sys_mono_us(sys_posix()) + LOADER_RETRY_S * 1000000LL;
    int64_t pause_us = 50000;
    for (;;) {
        enum status status = client_send(client, &call, reply, err);
        if (!wants_retry(status, reply) || stopped(l) || sys_mono_us(sys_posix()) > deadline)
            return status;
        int64_t wished = reply->retry_after_s * 1000000LL;
        sys_sleep_us(sys_posix(), wished > pause_us && wished < 5000000 ? wished : pause_us);
        pause_us = pause_us < 1000000 ? pause_us * 2 : 2000000;
    }
}

static bool was_duplicate(const struct reply *reply)
{
    yyjson_doc *doc = NULL;
    if (json_parse(buf_str(&reply->body), &doc, NULL) != STATUS_OK)
        return false;
    bool duplicate = yyjson_get_bool(json_get(yyjson_doc_get_root(doc), "duplicate"));
    yyjson_doc_free(doc);
    return duplicate;
}

static void acknowledge(struct loader *l, const struct record_batch *batch,
                        const struct reply *reply)
{
    struct error err = ERROR_INIT;
    bool duplicate = was_duplicate(reply);
    pthread_mutex_lock(&l->lock);
    l->result.batches++;
    l->result.records += batch->records;
    l->result.body_bytes += batch->body.len;
    l->result.duplicates += duplicate ? batch->records : 0;
    enum status status = load_state_add(l->state, batch->number, batch->records, &err);
    pthread_mutex_unlock(&l->lock);
    if (status != STATUS_OK)
        fail(l, status, &err, false);
}

/* The server counts records from 0 in the batch; people count lines of the file. */
static void refuse(struct loader *l, const struct record_batch *batch, const struct reply *reply)
{
    struct error err = ERROR_INIT;
    enum status status = reply_error(reply, &err);
    bool known = err.record >= 0 && err.record < batch->records;
    bool csv_line = err.record < 0 && err.line >= 2 && err.line - 2 < batch->records;
    if (known)
        err.line = batch->lines[err.record];
    else if (csv_line && strcmp(batch->content_type, "text/csv") == 0)
        err.line = batch->lines[err.line - 2];
    else if (err.record < 0 && err.line >= 1 && err.line <= batch->records)
        err.line = batch->lines[err.line - 1];
    else
        err.line = batch->lines[0];
    fail(l, status, &err, true);
}

static void send_one(struct loader *l, struct client *client, struct record_batch *batch,
                     struct reply *reply)
{
    struct error err = ERROR_INIT;
    enum status status = send_batch(l, client, batch, reply, &err);
    if (status != STATUS_OK)
        fail(l, status, &err, false);
    else if (reply_good(reply))
        acknowledge(l, batch, reply);
    else
        refuse(l, batch, reply);
}

static void *send_batches(void *context)
{
    struct loader *l = context;
    struct client *client = NULL;
    struct record_batch *batch;
    struct reply reply;
    struct error err = ERROR_INIT;
    reply_init(&reply);
    enum status status = client_open(l->options->url, &client, &err);
    if (status != STATUS_OK)
        fail(l, status, &err, false);
    while (client && (batch = dequeue(l))) {
        send_one(l, client, batch, &reply);
        record_batch_free(batch);
    }
    client_close(client);
    reply_release(&reply);
    pthread_mutex_lock(&l->lock);
    l->senders--;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* --- the calling thread --- */

static void wait_tick(struct loader *l)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

/* A copy is saved, outside of the lock. */
static void save_state(struct loader *l)
{
    struct error err = ERROR_INIT;
    pthread_mutex_lock(&l->lock);
    struct load_state copy = *l->state;
    pthread_mutex_unlock(&l->lock);
    enum status status = load_state_save(&copy, &err);
    if (status != STATUS_OK)
        fail(l, status, &err, false);
}

static void supervise(struct loader *l)
{
    struct progress progress;
    struct sys *sys = sys_posix();
    int64_t begun = sys_mono_us(sys), saved = begun, shown = begun;
    progress_init(&progress, l->options->name, l->options->quiet, begun);
    struct progress_state at_start = {.rows = l->old_rows, .old_rows = l->old_rows};
    if (progress.terminal)
        progress_show(&progress, &at_start, begun);
    pthread_mutex_lock(&l->lock);
    while (l->senders) {
        wait_tick(l);
        int64_t now = sys_mono_us(sys);
        if (*l->options->interrupted && !l->stop) {
            l->result.interrupted = true;
            l->stop = true;
            pthread_cond_broadcast(&l->changed);
        }
        if (now - shown < TICK_MS * 1000)
            continue;
        shown = now;
        struct progress_state state = {.rows = l->old_rows + l->result.records,
                                       .old_rows = l->old_rows};
        pthread_mutex_unlock(&l->lock);
        record_source_progress(l->records, &state.bytes_done, &state.bytes_total);
        progress_show(&progress, &state, now);
        if (now - saved > SAVE_EVERY_US) {
            save_state(l);
            saved = now;
        }
        pthread_mutex_lock(&l->lock);
    }
    l->result.seconds = (double)(sys_mono_us(sys) - begun) / 1e6;
    pthread_mutex_unlock(&l->lock);
    progress_end(&progress);
}

static enum status start_threads(struct loader *l, pthread_t *threads, uint32_t *ret_started,
                                 struct error *err)
{
    *ret_started = 0;
    if (pthread_create(&threads[0], NULL, read_records, l) != 0)
        return error_set(err, STATUS_NO_MEMORY, "cannot start a thread");
    *ret_started = 1;
    for (uint32_t i = 0; i < l->options->jobs; i++) {
        pthread_mutex_lock(&l->lock);
        l->senders++;
        pthread_mutex_unlock(&l->lock);
        if (pthread_create(&threads[i + 1], NULL, send_batches, l) != 0) {
            struct error failure = ERROR_INIT;
            pthread_mutex_lock(&l->lock);
            l->senders--;
            pthread_mutex_unlock(&l->lock);
            enum status status = error_set(&failure, STATUS_NO_MEMORY, "cannot start a thread");
            fail(l, status, &failure, false);
            break;
        }
        ++*ret_started;
    }
    return STATUS_OK;
}

static enum status run(struct loader *l, struct error *err)
{
    pthread_t threads[LOADER_JOBS_MAX + 1];
    uint32_t started = 0;
    /* Before anything is sent, so that the load's id outlives a kill. */
    enum status status = load_state_save(l->state, err);
    if (status == STATUS_OK)
        status = start_threads(l, threads, &started, err);
    if (status == STATUS_OK)
        supervise(l);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < l->queue_len; i++)
        record_batch_free(l->queue[i]);
    if (status == STATUS_OK)
        save_state(l);
    if (status == STATUS_OK && l->status != STATUS_OK) {
        status = l->status;
        if (err)
            *err = l->error;
    }
    return status;
}

enum status loader_run(const struct loader_options *options, struct record_source *records,
                       struct load_state *state, struct loader_result *ret, struct error *err)
{
    uint64_t total;
    struct loader l = {.options = options,
                       .records = records,
                       .state = state,
                       .queue_max = options->jobs + 2,
                       .old_rows = state->records};
    buf_init(&l.path, 64 * 1024);
    buf_append_str(&l.path, STR("/data/write?source_id="));
    url_append(&l.path, str_of(options->source));
    buf_append_char(&l.path, 0);
    enum status status = buf_check(&l.path, "the source's name", err);
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.changed, NULL);
    if (status == STATUS_OK)
        status = run(&l, err);
    record_source_progress(records, &l.result.file_bytes, &total);
    pthread_cond_destroy(&l.changed);
    pthread_mutex_destroy(&l.lock);
    buf_release(&l.path);
    *ret = l.result;
    return status;
}

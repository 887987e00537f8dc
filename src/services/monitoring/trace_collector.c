#include "services/monitoring/trace_collector.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http_client.h"
#include "services/monitoring/otlp.h"
#include "services/monitoring/outbox.h"
#include "sys/thread.h"

enum { SPANS_ANSWER_MAX = 8 << 20, TOKEN_MAX = 16 * 1024 };

struct trace_collector {
    struct trace_collector_options options;
    struct sys *sys;
    struct outbox *outbox;   /* NULL: no OTLP_URL */
    pthread_mutex_t looking; /* one look at a time; over what follows */
    struct http_client *client;
    int64_t after[SERVICE_COUNT];
    struct stored_span *batch; /* OTLP_BATCH_SPANS, of one service */
    size_t batch_len;
    pthread_mutex_t lock; /* of the waiting */
    pthread_cond_t wake;
    atomic_bool ends;
    _Atomic uint64_t collected, lost[SERVICE_COUNT];
    struct thread thread;
};

/* --- onwards --- */

static void send_batch(struct trace_collector *c)
{
    struct buf body;
    if (!c->batch_len || !c->outbox)
        return;
    buf_init(&body, OTLP_BODY_MAX);
    otlp_write(&body, c->batch, c->batch_len);
    outbox_put(c->outbox, &body, (uint32_t)c->batch_len);
    c->batch_len = 0;
}

static void take_span(struct trace_collector *c, const struct stored_span *span)
{
    trace_store_put(c->options.store, span);
    atomic_fetch_add(&c->collected, 1);
    if (!c->outbox)
        return;
    c->batch[c->batch_len++] = *span;
    if (c->batch_len == OTLP_BATCH_SPANS)
        send_batch(c);
}

/* --- from a service --- */

static bool is_cancelled(void *context)
{
    struct trace_collector *c = context;
    return atomic_load(&c->ends);
}

/* How many spans the answer had. */
static size_t take_answer(struct trace_collector *c, enum service_kind kind, struct str text)
{
    yyjson_doc *doc = NULL;
    yyjson_val *item;
    size_t i, max, n = 0;
    if (json_parse(text, &doc, NULL) != STATUS_OK)
        return 0;
    yyjson_val *root = yyjson_doc_get_root(doc), *next = json_get(root, "next");
    yyjson_arr_foreach(json_get(root, "spans"), i, max, item)
    {
        struct stored_span span;
        if (stored_span_parse(item, str_of(service_info(kind)->name), &span))
            take_span(c, &span);
        n++;
    }
    if (yyjson_is_int(next))
        c->after[kind] = yyjson_get_sint(next);
    atomic_store(&c->lost[kind], (uint64_t)yyjson_get_sint(json_get(root, "lost")));
    yyjson_doc_free(doc);
    return n;
}

static size_t ask(struct trace_collector *c, enum service_kind kind, struct str token)
{
    char path[64], url[COLLECTOR_URL_MAX];
    struct http_reply reply;
    size_t n = 0;
    snprintf(path, sizeof path, "/spans?after=%lld", (long long)c->after[kind]);
    if (!collector_url(c->options.services, kind, path, url))
        return 0;
    const struct http_field field = {STR("Authorization"), token};
    const struct http_call call = {.url = url,
                                   .fields = &field,
                                   .field_count = token.len ? 1 : 0,
                                   .cancelled = is_cancelled,
                                   .context = c,
                                   .timeout_ms = c->options.timeout_ms};
    http_reply_init(&reply, SPANS_ANSWER_MAX);
    if (http_client_call(c->client, &call, &reply, NULL) == STATUS_OK && reply.status == 200)
        n = take_answer(c, kind, buf_str(&reply.body));
    http_reply_release(&reply);
    return n;
}

static void look(struct trace_collector *c)
{
    struct buf token;
    buf_init(&token, TOKEN_MAX);
    if (c->options.token && c->options.token(c->options.context, &token, NULL) != STATUS_OK)
        buf_clear(&token);
    for (int kind = 0; kind < SERVICE_COUNT && !atomic_load(&c->ends); kind++) {
        for (int i = 0; i < TRACE_ANSWERS_MAX; i++)
            if (!ask(c, (enum service_kind)kind, buf_str(&token)))
                break;
        send_batch(c);
    }
    buf_release(&token);
}

void trace_collector_look(struct trace_collector *c)
{
    pthread_mutex_lock(&c->looking);
    look(c);
    pthread_mutex_unlock(&c->looking);
}

static void *run(void *context)
{
    struct trace_collector *c = context;
    while (!atomic_load(&c->ends)) {
        int64_t until_us = sys_mono_us(c->sys) + TRACE_LOOK_US;
        pthread_mutex_lock(&c->lock);
        while (!atomic_load(&c->ends) && thread_cond_wait_until(&c->wake, &c->lock, until_us))
            ;
        pthread_mutex_unlock(&c->lock);
        trace_collector_look(c);
    }
    return NULL;
}

/* --- life --- */

static enum status make_parts(struct trace_collector *c, struct error *err)
{
    /* whoever a certificate names: these are this machine's own services */
    const struct http_client_options client = {.insecure = true,
                                               .connect_timeout_ms = c->options.timeout_ms,
                                               .user_agent = "quarry-monitoring"};
    TRY(http_client_new(&client, &c->client, err));
    if (c->options.otlp_url && c->options.otlp_url[0]) {
        c->batch = calloc(OTLP_BATCH_SPANS, sizeof *c->batch);
        if (!c->batch)
            return error_no_memory(err);
        TRY(outbox_open(c->sys, c->options.otlp_url, &c->outbox, err));
    }
    return thread_start(&c->thread, "traces", 0, run, c, err);
}

enum status trace_collector_start(const struct trace_collector_options *options,
                                  struct trace_collector **ret, struct error *err)
{
    struct trace_collector *c = calloc(1, sizeof *c);
    if (!c)
        return error_no_memory(err);
    c->options = *options;
    c->sys = options->sys;
    pthread_mutex_init(&c->looking, NULL);
    pthread_mutex_init(&c->lock, NULL);
    thread_cond_init(&c->wake);
    enum status status = make_parts(c, err);
    if (status != STATUS_OK) {
        trace_collector_free(c);
        return status;
    }
    *ret = c;
    return STATUS_OK;
}

void trace_collector_end(struct trace_collector *c)
{
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->ends, true);
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    thread_join(&c->thread);
    c->thread.started = false;
}

void trace_collector_free(struct trace_collector *c)
{
    if (!c)
        return;
    trace_collector_end(c);
    outbox_close(c->outbox);
    http_client_free(c->client);
    free(c->batch);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->looking);
    free(c);
}

void trace_collector_metrics(struct trace_collector *c, struct metrics *metrics)
{
    struct outbox_stats stats = {0};
    uint64_t lost = 0;
    for (int i = 0; i < SERVICE_COUNT; i++)
        lost += atomic_load(&c->lost[i]);
    if (c->outbox)
        outbox_get_stats(c->outbox, &stats);
    const struct {
        const char *outcome;
        uint64_t count;
    } outcomes[] = {{"collected", atomic_load(&c->collected)},
                    {"lost", lost},
                    {"exported", stats.sent},
                    {"export_dropped", stats.dropped}};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        metric_raise(
            metrics_series(metrics, METRIC_TRACE_SPANS, (const char *[]){outcomes[i].outcome}),
            outcomes[i].count);
}

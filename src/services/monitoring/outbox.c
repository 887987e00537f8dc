#include "services/monitoring/outbox.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "net/http_client.h"
#include "sys/thread.h"

struct document {
    char *text;
    size_t len;
    uint32_t items;
    char id[UUID_TEXT_LEN + 1];
};

struct outbox {
    struct sys *sys;
    char url[OUTBOX_URL_MAX];
    struct http_client *client; /* the thread's */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct document queue[OUTBOX_DOCUMENTS_MAX]; /* a ring */
    uint32_t first, len;
    size_t bytes;
    bool ends;
    struct outbox_stats stats;
    struct thread thread;
};

/* --- sending --- */

static bool is_cancelled(void *context)
{
    struct outbox *outbox = context;
    pthread_mutex_lock(&outbox->lock);
    bool ends = outbox->ends;
    pthread_mutex_unlock(&outbox->lock);
    return ends;
}

enum outcome { SENT, AGAIN, REFUSED };

static enum outcome send_once(struct outbox *outbox, const struct document *document)
{
    struct http_field fields[] = {{STR("Content-Type"), STR("application/json")},
                                  {STR("X-Quarry-Delivery"), str_of(document->id)}};
    const struct http_call call = {.url = outbox->url,
                                   .fields = fields,
                                   .field_count = sizeof fields / sizeof *fields,
                                   .body = str_make(document->text, document->len),
                                   .cancelled = is_cancelled,
                                   .context = outbox,
                                   .timeout_ms = OUTBOX_TIMEOUT_MS};
    struct http_reply reply;
    http_reply_init(&reply, 64 * 1024);
    enum status status = http_client_call(outbox->client, &call, &reply, NULL);
    int code = reply.status;
    http_reply_release(&reply);
    if (status != STATUS_OK && status != STATUS_RESOURCE_LIMIT)
        return AGAIN;
    if (code >= 200 && code < 300)
        return SENT;
    return code == 408 || code == 429 || code >= 500 ? AGAIN : REFUSED;
}

/* False: the outbox closes. */
static bool pause(struct outbox *outbox, int64_t us)
{
    int64_t until_us = sys_mono_us(outbox->sys) + us;
    pthread_mutex_lock(&outbox->lock);
    while (!outbox->ends && thread_cond_wait_until(&outbox->wake, &outbox->lock, until_us))
        ;
    bool goes_on = !outbox->ends;
    pthread_mutex_unlock(&outbox->lock);
    return goes_on;
}

static bool deliver(struct outbox *outbox, const struct document *document)
{
    int64_t wait_us = OUTBOX_WAIT_US;
    for (int i = 0; i < OUTBOX_TRIES; i++) {
        if (i > 0) {
            if (!pause(outbox, wait_us))
                return false;
            wait_us = wait_us * 2 < OUTBOX_WAIT_MAX_US ? wait_us * 2 : OUTBOX_WAIT_MAX_US;
            pthread_mutex_lock(&outbox->lock);
            outbox->stats.retries++;
            pthread_mutex_unlock(&outbox->lock);
        }
        enum outcome outcome = send_once(outbox, document);
        if (outcome != AGAIN)
            return outcome == SENT;
    }
    return false;
}

static bool take(struct outbox *outbox, struct document *ret)
{
    pthread_mutex_lock(&outbox->lock);
    while (!outbox->len && !outbox->ends)
        pthread_cond_wait(&outbox->wake, &outbox->lock);
    bool taken = !outbox->ends;
    if (taken) {
        *ret = outbox->queue[outbox->first];
        outbox->first = (outbox->first + 1) % OUTBOX_DOCUMENTS_MAX;
        outbox->len--;
        outbox->bytes -= ret->len;
    }
    pthread_mutex_unlock(&outbox->lock);
    return taken;
}

static void *run(void *context)
{
    struct outbox *outbox = context;
    struct document document;
    while (take(outbox, &document)) {
        bool sent = deliver(outbox, &document);
        pthread_mutex_lock(&outbox->lock);
        *(sent ? &outbox->stats.sent : &outbox->stats.dropped) += document.items;
        pthread_mutex_unlock(&outbox->lock);
        free(document.text);
    }
    return NULL;
}

/* --- life --- */

enum status outbox_open(struct sys *sys, const char *url, struct outbox **ret, struct error *err)
{
    if (strlen(url) >= OUTBOX_URL_MAX ||
        (!str_starts(str_of(url), STR("http://")) && !str_starts(str_of(url), STR("https://"))))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is no http or https URL", url);
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return error_no_memory(err);
    outbox->sys = sys;
    snprintf(outbox->url, sizeof outbox->url, "%s", url);
    pthread_mutex_init(&outbox->lock, NULL);
    thread_cond_init(&outbox->wake);
    const struct http_client_options options = {.connect_timeout_ms = 5000,
                                                .user_agent = "quarry-monitoring"};
    enum status status = http_client_new(&options, &outbox->client, err);
    if (status == STATUS_OK)
        status = thread_start(&outbox->thread, "outbox", 0, run, outbox, err);
    if (status != STATUS_OK) {
        outbox_close(outbox);
        return status;
    }
    *ret = outbox;
    return STATUS_OK;
}

void outbox_close(struct outbox *outbox)
{
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->lock);
    outbox->ends = true;
    pthread_cond_broadcast(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
    thread_join(&outbox->thread);
    for (uint32_t i = 0; i < outbox->len; i++)
        free(outbox->queue[(outbox->first + i) % OUTBOX_DOCUMENTS_MAX].text);
    http_client_free(outbox->client);
    pthread_cond_destroy(&outbox->wake);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
}

void outbox_put(struct outbox *outbox, struct buf *document, uint32_t items)
{
    unsigned char random[10];
    struct document new = {.items = items};
    bool failed = buf_failed(document);
    new.text = buf_take(document, &new.len);
    sys_random(outbox->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)sys_now_us(outbox->sys) / 1000, random), new.id);
    pthread_mutex_lock(&outbox->lock);
    bool fits = !failed && outbox->len < OUTBOX_DOCUMENTS_MAX &&
                outbox->bytes + new.len <= OUTBOX_BYTES_MAX;
    if (fits) {
        outbox->queue[(outbox->first + outbox->len++) % OUTBOX_DOCUMENTS_MAX] = new;
        outbox->bytes += new.len;
        pthread_cond_signal(&outbox->wake);
    } else {
        outbox->stats.dropped += items;
    }
    pthread_mutex_unlock(&outbox->lock);
    if (!fits)
        free(new.text);
}

void outbox_get_stats(struct outbox *outbox, struct outbox_stats *ret)
{
    pthread_mutex_lock(&outbox->lock);
    *ret = outbox->stats;
    pthread_mutex_unlock(&outbox->lock);
}

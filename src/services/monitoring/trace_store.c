#include "services/monitoring/trace_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct trace_store {
    pthread_mutex_t lock;
    struct stored_span *spans; /* a ring */
    uint64_t put;
};

enum status trace_store_new(struct trace_store **ret, struct error *err)
{
    struct trace_store *store = calloc(1, sizeof *store);
    struct stored_span *spans = calloc(TRACE_STORE_SPANS, sizeof *spans);
    if (!store || !spans) {
        free(store);
        free(spans);
        return error_no_memory(err);
    }
    store->spans = spans;
    pthread_mutex_init(&store->lock, NULL);
    *ret = store;
    return STATUS_OK;
}

void trace_store_free(struct trace_store *store)
{
    if (!store)
        return;
    pthread_mutex_destroy(&store->lock);
    free(store->spans);
    free(store);
}

void trace_store_put(struct trace_store *store, const struct stored_span *span)
{
    pthread_mutex_lock(&store->lock);
    store->spans[store->put++ % TRACE_STORE_SPANS] = *span;
    pthread_mutex_unlock(&store->lock);
}

/* --- from JSON --- */

static bool copy_text(char *out, size_t cap, struct str text)
{
    if (text.len >= cap)
        return false;
    if (text.len)
        memcpy(out, text.data, text.len);
    out[text.len] = 0;
    return true;
}

static bool copy_id(char *out, size_t len, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789abcdef", text.data[i]))
            return false;
    return text.len == len && copy_text(out, len + 1, text);
}

static void copy_notes(char out[TRACE_NOTES_TEXT_MAX], yyjson_val *notes)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, TRACE_NOTES_TEXT_MAX - 1);
    json_writer_init(&w, &text);
    if (yyjson_is_obj(notes))
        json_value(&w, notes);
    if (text.len == 0 || buf_failed(&text) || !copy_text(out, TRACE_NOTES_TEXT_MAX, buf_str(&text)))
        memcpy(out, "{}", 3);
    buf_release(&text);
}

bool stored_span_parse(yyjson_val *json, struct str service, struct stored_span *ret)
{
    *ret = (struct stored_span){0};
    struct str kind = json_str_of(json_get(json, "kind"));
    struct str parent = json_str_of(json_get(json, "parent_id"));
    ret->kind = kind.data && str_is(kind, "server")   ? STORED_SERVER
                : kind.data && str_is(kind, "client") ? STORED_CLIENT
                                                      : STORED_INTERNAL;
    ret->status = (int)yyjson_get_sint(json_get(json, "status"));
    ret->failed = yyjson_is_true(json_get(json, "failed"));
    ret->start_us = yyjson_get_sint(json_get(json, "start_us"));
    ret->duration_us = yyjson_get_sint(json_get(json, "duration_us"));
    copy_notes(ret->notes, json_get(json, "notes"));
    return copy_id(ret->trace_id, 32, json_str_of(json_get(json, "trace_id"))) &&
           copy_id(ret->span_id, 16, json_str_of(json_get(json, "span_id"))) &&
           (!parent.len || copy_id(ret->parent_id, 16, parent)) &&
           copy_text(ret->service, TRACE_TEXT_MAX, service) &&
           copy_text(ret->name, TRACE_TEXT_MAX, json_str_of(json_get(json, "name"))) &&
           copy_text(ret->request_id, TRACE_TEXT_MAX, json_str_of(json_get(json, "request_id"))) &&
           copy_text(ret->tenant, TRACE_TEXT_MAX, json_str_of(json_get(json, "tenant")));
}

/* --- questions; the lock is held --- */

static size_t kept(const struct trace_store *store)
{
    return store->put < TRACE_STORE_SPANS ? (size_t)store->put : TRACE_STORE_SPANS;
}

/* Earlier begun stands above; of two that began together the one without a parent. */
static bool is_above(const struct stored_span *a, const struct stored_span *b)
{
    if (!a->parent_id[0] != !b->parent_id[0])
        return !a->parent_id[0];
    return a->start_us < b->start_us;
}

static bool fits(const struct trace_question *q, const struct stored_span *span)
{
    return (!q->service.data || str_is(q->service, span->service)) &&
           (!q->operation.data || str_is(q->operation, span->name)) &&
           (!q->tenant.data || str_is(q->tenant, span->tenant)) &&
           (!q->request_id.data || str_is(q->request_id, span->request_id)) &&
           span->duration_us >= q->min_us && span->start_us >= q->since_us &&
           (!q->failed || span->failed);
}

/* Index of a trace in a table of open addressing, by its id. */
struct entry {
    const struct stored_span *top;
    uint32_t spans;
    bool fits; /* one of its server spans does */
};

static struct entry *find(struct entry *table, size_t size, const struct stored_span *span)
{
    size_t i = (size_t)(str_hash(str_make(span->trace_id, 32)) % size);
    while (table[i].top && memcmp(table[i].top->trace_id, span->trace_id, 32) != 0)
        i = (i + 1) % size;
    return &table[i];
}

static void group(const struct trace_store *store, const struct trace_question *q,
                  struct entry *table, size_t size)
{
    size_t len = kept(store);
    for (size_t i = 0; i < len; i++) {
        const struct stored_span *span = &store->spans[i];
        struct entry *entry = find(table, size, span);
        entry->spans++;
        if (span->kind != STORED_SERVER) {
            entry->top = entry->top ? entry->top : span;
            continue;
        }
        entry->fits = entry->fits || fits(q, span);
        if (!entry->top || entry->top->kind != STORED_SERVER || is_above(span, entry->top))
            entry->top = span;
    }
}

static int by_duration(const void *a, const void *b)
{
    int64_t x = ((const struct entry *)a)->top->duration_us;
    int64_t y = ((const struct entry *)b)->top->duration_us;
    return x > y ? -1 : x < y;
}

static int by_age(const void *a, const void *b)
{
    int64_t x = ((const struct entry *)a)->top->start_us;
    int64_t y = ((const struct entry *)b)->top->start_us;
    return x > y ? -1 : x < y;
}

size_t trace_store_list(struct trace_store *store, const struct trace_question *q,
                        struct trace_summary *ret)
{
    enum { SIZE = TRACE_STORE_SPANS * 2 };
    struct entry *table = calloc(SIZE, sizeof *table);
    size_t n = 0, listed = 0;
    if (!table)
        return 0;
    pthread_mutex_lock(&store->lock);
    group(store, q, table, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        if (table[i].top && table[i].fits)
            table[n++] = table[i];
    qsort(table, n, sizeof *table, q->slowest ? by_duration : by_age);
    for (; listed < n && listed < q->limit; listed++)
        ret[listed] = (struct trace_summary){*table[listed].top, table[listed].spans};
    pthread_mutex_unlock(&store->lock);
    free(table);
    return listed;
}

static int by_start(const void *a, const void *b)
{
    const struct stored_span *x = a, *y = b;
    return x->start_us != y->start_us ? (x->start_us < y->start_us ? -1 : 1)
                                      : (x->duration_us > y->duration_us ? -1 : 1);
}

size_t trace_store_get(struct trace_store *store, struct str trace_id, struct stored_span *ret,
                       size_t cap)
{
    size_t n = 0;
    pthread_mutex_lock(&store->lock);
    size_t len = kept(store);
    for (size_t i = 0; i < len && n < cap; i++)
        if (str_is(trace_id, store->spans[i].trace_id))
            ret[n++] = store->spans[i];
    pthread_mutex_unlock(&store->lock);
    if (n)
        qsort(ret, n, sizeof *ret, by_start);
    return n;
}

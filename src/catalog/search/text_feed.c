/* text_feed.c: one thread that follows the catalog.
 *
 * Rounds: wait for changes (or a resync); take all that wait; read each asset as it is now and put
 * or remove it; commit the index. A failed round is tried again, whole: nothing is taken for done
 * before its commit, and puts replace. */
#include "catalog/search/text_feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "sys/thread.h"

enum {
    LINGER_US = 200000, /* changes that come together are committed together */
    RETRY_US = 2000000,
    COMPARE_EVERY_US = 600000000,
    COMPARE_OTHERS_US = 15000000, /* after a change by another process */
    SCAN_PAGE = 1000,
    COMMIT_EVERY = 10000, /* documents, while comparing */
    ID_MAX = 40,
    TENANT_MAX = 132,
};

struct changed {
    char tenant[TENANT_MAX], id[ID_MAX];
};

struct text_feed {
    struct sys *sys;
    struct backend *backend;
    struct text_index *index;
    struct thread thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* the thread: something to do */
    pthread_cond_t done;  /* those who wait in settle */
    struct changed *queue;
    uint32_t queue_len;
    uint64_t heard, indexed; /* numbers of changes; indexed: all up to it can be found */
    bool resync, comparing, stopping;
    bool lingering;      /* more changes need not wake the thread */
    bool others;         /* other processes have written */
    int64_t compared_us; /* when everything was last compared */
    uint32_t waiting;    /* callers of settle: nothing lingers meanwhile */
    char problem[160];
};

/* --- hearing --- */

static bool fits(const struct record *record)
{
    return record->tenant.len < TENANT_MAX && record->id.len < ID_MAX;
}

static void enqueue(struct text_feed *feed, const struct record *record)
{
    if (feed->queue_len == TEXT_FEED_QUEUE_MAX || !fits(record)) {
        feed->resync = true;
        return;
    }
    struct changed *changed = &feed->queue[feed->queue_len++];
    snprintf(changed->tenant, sizeof changed->tenant, "%.*s", STR_ARG(record->tenant));
    snprintf(changed->id, sizeof changed->id, "%.*s", STR_ARG(record->id));
}

void text_feed_changed(struct text_feed *feed, const struct change *changes, uint32_t len)
{
    bool any = false;
    pthread_mutex_lock(&feed->lock);
    if (len == 0 && !feed->others) {
        feed->others = true;
        pthread_cond_signal(&feed->wake);
    }
    for (uint32_t i = 0; i < len; i++) {
        if (changes[i].record->domain != DOMAIN_ASSET || changes[i].kind == CHANGE_TOUCH)
            continue;
        enqueue(feed, changes[i].record);
        any = true;
    }
    if (any) {
        feed->heard++;
        if (!feed->lingering || feed->resync || feed->queue_len >= TEXT_FEED_QUEUE_MAX / 2)
            pthread_cond_signal(&feed->wake);
    }
    pthread_mutex_unlock(&feed->lock);
}

/* --- indexing --- */

static enum status put(struct text_feed *feed, const struct record *r, struct error *err)
{
    struct text_document document = {.tenant = r->tenant,
                                     .id = r->id,
                                     .revision = r->revision,
                                     .kind = r->kind,
                                     .namespace_ = r->namespace,
                                     .name = r->name,
                                     .version = r->version,
                                     .title = r->title,
                                     .lifecycle = r->lifecycle,
                                     .owner = r->owner,
                                     .description = r->description,
                                     .tags = r->tags.items,
                                     .tags_len = r->tags.len,
                                     .categories = r->categories.items,
                                     .categories_len = r->categories.len,
                                     .is_public = r->is_public};
    return text_index_put(feed->index, &document, err);
}

static enum status follow_one(struct text_feed *feed, const struct changed *changed,
                              struct error *err)
{
    struct arena arena;
    struct record record;
    struct str tenant = str_of(changed->tenant), id = str_of(changed->id);
    arena_init(&arena, 0);
    enum status status = backend_get(feed->backend, DOMAIN_ASSET, tenant, id, &arena, &record, err);
    if (status == STATUS_OK && !record.deleted_us)
        status = put(feed, &record, err);
    else if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = text_index_remove(feed->index, tenant, id, err);
    arena_release(&arena);
    return status;
}

static bool is_stopping(struct text_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    bool stopping = feed->stopping;
    pthread_mutex_unlock(&feed->lock);
    return stopping;
}

static enum status compare_page(struct text_feed *feed, const struct record_page *page,
                                uint64_t *changed, struct error *err)
{
    for (uint32_t i = 0; i < page->len; i++) {
        const struct record *record = &page->records[i];
        int64_t revision = -1;
        TRY(text_index_revision(feed->index, record->tenant, record->id, &revision, err));
        if (record->deleted_us && revision >= 0)
            TRY(text_index_remove(feed->index, record->tenant, record->id, err));
        else if (!record->deleted_us && revision != record->revision)
            TRY(put(feed, record, err));
        else
            continue;
        if (++*changed % COMMIT_EVERY == 0)
            TRY(text_index_commit(feed->index, err));
    }
    return STATUS_OK;
}

/* Puts what the index lacks or has in another revision. */
static enum status compare_assets(struct text_feed *feed, struct error *err)
{
    char after[ID_MAX] = "";
    uint64_t changed = 0;
    for (bool more = true; more && !is_stopping(feed);) {
        struct arena arena;
        struct record_page page = {0};
        arena_init(&arena, 0);
        enum status status =
            backend_scan(feed->backend, DOMAIN_ASSET, str_of(after), SCAN_PAGE, &arena, &page, err);
        if (status == STATUS_OK)
            status = compare_page(feed, &page, &changed, err);
        more = status == STATUS_OK && page.len > 0;
        if (more)
            snprintf(after, sizeof after, "%.*s", STR_ARG(page.records[page.len - 1].id));
        arena_release(&arena);
        TRY(status);
    }
    return text_index_commit(feed->index, err);
}

struct strays {
    struct text_feed *feed;
    enum status status;
    struct error *err;
};

/* Documents whose asset is gone. */
static void check_stray(void *context, struct str tenant, struct str id)
{
    struct strays *strays = context;
    struct arena arena;
    struct record record;
    if (strays->status != STATUS_OK)
        return;
    arena_init(&arena, 0);
    enum status status =
        backend_get(strays->feed->backend, DOMAIN_ASSET, tenant, id, &arena, &record, strays->err);
    if (status == STATUS_NOT_FOUND)
        status = text_index_remove(strays->feed->index, tenant, id, strays->err);
    strays->status = status;
    arena_release(&arena);
}

static enum status compare_all(struct text_feed *feed, struct error *err)
{
    struct strays strays = {feed, STATUS_OK, err};
    uint64_t before = text_index_size(feed->index);
    TRY(compare_assets(feed, err));
    if (before == 0 || is_stopping(feed))
        return STATUS_OK;
    TRY(text_index_each(feed->index, check_stray, &strays, err));
    TRY(strays.status);
    return text_index_commit(feed->index, err);
}

/* --- the thread --- */

/* Waits for work; false when there is none and the feed is to stop. What other processes write is
 * known only as such: everything is compared then, but not all the time. */
static bool wait_for_work(struct text_feed *feed)
{
    int64_t until_us = 0;
    while (!feed->queue_len && !feed->resync && !feed->stopping) {
        until_us = feed->compared_us + (feed->others ? COMPARE_OTHERS_US : COMPARE_EVERY_US);
        if (!thread_cond_wait_until(&feed->wake, &feed->lock, until_us))
            feed->resync = true;
    }
    until_us = sys_mono_us(feed->sys) + LINGER_US;
    feed->lingering = true;
    while (!feed->stopping && !feed->resync && !feed->waiting &&
           feed->queue_len < TEXT_FEED_QUEUE_MAX / 2 &&
           thread_cond_wait_until(&feed->wake, &feed->lock, until_us)) {
    }
    feed->lingering = false;
    return !feed->stopping;
}

static enum status do_round(struct text_feed *feed, const struct changed *list, uint32_t len,
                            bool resync, struct error *err)
{
    if (resync)
        return compare_all(feed, err);
    for (uint32_t i = 0; i < len; i++)
        TRY(follow_one(feed, &list[i], err));
    return text_index_commit(feed->index, err);
}

/* One round with the lock held around the hand-over. A failure becomes a resync after a pause. */
static void turn(struct text_feed *feed, struct changed *list)
{
    struct error err = ERROR_INIT;
    uint32_t len = feed->queue_len;
    uint64_t heard = feed->heard;
    bool resync = feed->resync;
    memcpy(list, feed->queue, len * sizeof *list);
    feed->queue_len = 0;
    feed->resync = false;
    feed->comparing = resync;
    feed->others = feed->others && !resync;
    pthread_mutex_unlock(&feed->lock);
    enum status status = do_round(feed, list, len, resync, &err);
    pthread_mutex_lock(&feed->lock);
    feed->comparing = false;
    if (resync)
        feed->compared_us = sys_mono_us(feed->sys);
    if (status == STATUS_OK) {
        feed->indexed = heard;
        feed->problem[0] = 0;
        pthread_cond_broadcast(&feed->done);
        return;
    }
    snprintf(feed->problem, sizeof feed->problem, "%.159s", err.message);
    feed->resync = true;
    int64_t until_us = sys_mono_us(feed->sys) + RETRY_US;
    while (!feed->stopping && thread_cond_wait_until(&feed->wake, &feed->lock, until_us)) {
    }
}

static void *run(void *argument)
{
    struct text_feed *feed = argument;
    struct changed *list = malloc(TEXT_FEED_QUEUE_MAX * sizeof *list);
    pthread_mutex_lock(&feed->lock);
    if (!list)
        snprintf(feed->problem, sizeof feed->problem, "memory is out");
    while (list && wait_for_work(feed))
        turn(feed, list);
    pthread_mutex_unlock(&feed->lock);
    free(list);
    return NULL;
}

/* --- life --- */

static enum status open_index(struct text_feed *feed, const char *folder, struct error *err)
{
    TRY(sys_mkdirs(feed->sys, folder, err));
    enum status status = text_index_open(folder, &feed->index, err);
    if (status != STATUS_CORRUPT)
        return status;
    /* Derived data: begin anew. */
    TRY(sys_remove_tree(feed->sys, folder, err));
    TRY(sys_mkdirs(feed->sys, folder, err));
    return text_index_open(folder, &feed->index, err);
}

enum status text_feed_open(struct sys *sys, struct backend *backend, const char *folder,
                           struct text_feed **ret, struct error *err)
{
    struct text_feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return error_no_memory(err);
    feed->sys = sys;
    feed->backend = backend;
    feed->resync = true;
    feed->heard = 1;
    feed->queue = malloc(TEXT_FEED_QUEUE_MAX * sizeof *feed->queue);
    pthread_mutex_init(&feed->lock, NULL);
    thread_cond_init(&feed->wake);
    thread_cond_init(&feed->done);
    enum status status = feed->queue ? open_index(feed, folder, err) : error_no_memory(err);
    if (status == STATUS_OK)
        status = thread_start(&feed->thread, "text-feed", 0, run, feed, err);
    if (status != STATUS_OK) {
        text_feed_close(feed);
        return status;
    }
    *ret = feed;
    return STATUS_OK;
}

void text_feed_stop(struct text_feed *feed)
{
    if (!feed)
        return;
    pthread_mutex_lock(&feed->lock);
    feed->stopping = true;
    pthread_cond_broadcast(&feed->wake);
    pthread_mutex_unlock(&feed->lock);
    thread_join(&feed->thread);
}

void text_feed_close(struct text_feed *feed)
{
    if (!feed)
        return;
    text_feed_stop(feed);
    text_index_close(feed->index);
    pthread_cond_destroy(&feed->wake);
    pthread_cond_destroy(&feed->done);
    pthread_mutex_destroy(&feed->lock);
    free(feed->queue);
    free(feed);
}

bool text_feed_settle(struct text_feed *feed, uint32_t timeout_ms)
{
    int64_t until_us = sys_mono_us(feed->sys) + (int64_t)timeout_ms * 1000;
    pthread_mutex_lock(&feed->lock);
    uint64_t wanted = feed->heard;
    feed->waiting++;
    pthread_cond_signal(&feed->wake);
    while (feed->indexed < wanted && thread_cond_wait_until(&feed->done, &feed->lock, until_us)) {
    }
    bool settled = feed->indexed >= wanted;
    feed->waiting--;
    pthread_mutex_unlock(&feed->lock);
    return settled;
}

void text_feed_get_state(struct text_feed *feed, struct text_feed_state *ret)
{
    *ret = (struct text_feed_state){.documents = text_index_size(feed->index)};
    pthread_mutex_lock(&feed->lock);
    ret->waiting = feed->queue_len;
    ret->comparing = feed->resync || feed->comparing;
    memcpy(ret->problem, feed->problem, sizeof ret->problem);
    pthread_mutex_unlock(&feed->lock);
}

struct text_index *text_feed_index(struct text_feed *feed)
{
    return feed->index;
}

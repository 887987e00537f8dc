/* statistics.c: GET /sources/{id}/statistics, GET /statistics, and the thread that keeps the
 * sketches of sources true: every STATISTICS_REFRESH_INTERVAL it makes those anew that speak of
 * other rows than there are (deletes, a crash, a lost file) and writes those that have changed. */
#include <stdlib.h>

#include "query/stats/profile.h"
#include "query/stats/table_stats.h"
#include "services/tenant/tenant_int.h"

static const int64_t first_refresh_us = 60 * 1000000;

static void keep_true(struct tenant_node *node, bool rebuild)
{
    struct exec_context context = {.sys = node->sys, .cancelled = &node->statistics.cancelled};
    struct source_set set;
    struct error err = ERROR_INIT;
    if (source_set_open(node, NULL, &set, &err) != STATUS_OK)
        return;
    for (uint32_t i = 0; i < set.len; i++) {
        bool made = false;
        if (rebuild && profile_refresh(set.sources[i], false, &context, &made, &err) != STATUS_OK &&
            err.status != STATUS_CANCELLED)
            log_error(node->log, "statistics of a source cannot be made", &err);
        node->statistics.rebuilt += made;
        if (source_save_sketch(set.sources[i], &err) != STATUS_OK)
            log_error(node->log, "statistics of a source cannot be written", &err);
    }
    source_set_close(&set);
}

static void *upkeep(void *argument)
{
    struct tenant_node *node = argument;
    struct statistics_upkeep *statistics = &node->statistics;
    int64_t wait_us = node->options.statistics_refresh_us;
    int64_t next_us =
        sys_mono_us(node->sys) + (wait_us < first_refresh_us ? wait_us : first_refresh_us);
    pthread_mutex_lock(&statistics->lock);
    while (!statistics->ends) {
        thread_cond_wait_until(&statistics->changed, &statistics->lock, next_us);
        if (statistics->ends || sys_mono_us(node->sys) < next_us)
            continue;
        pthread_mutex_unlock(&statistics->lock);
        keep_true(node, true);
        next_us = sys_mono_us(node->sys) + wait_us;
        pthread_mutex_lock(&statistics->lock);
    }
    pthread_mutex_unlock(&statistics->lock);
    return NULL;
}

enum status statistics_start(struct tenant_node *node, struct error *err)
{
    struct statistics_upkeep *statistics = &node->statistics;
    if (!node->options.statistics_refresh_us)
        node->options.statistics_refresh_us = INT64_C(30) * 60 * 1000000;
    pthread_mutex_init(&statistics->lock, NULL);
    thread_cond_init(&statistics->changed);
    enum status status = thread_start(&statistics->thread, "statistics", 0, upkeep, node, err);
    if (status != STATUS_OK) {
        pthread_cond_destroy(&statistics->changed);
        pthread_mutex_destroy(&statistics->lock);
    }
    return status;
}

/* What the last flush adds is written too. */
static void save_all(struct tenant_node *node)
{
    struct source_set set;
    if (source_set_open(node, NULL, &set, NULL) != STATUS_OK)
        return;
    for (uint32_t i = 0; i < set.len; i++)
        (void)source_flush(set.sources[i], NULL); /* store_close tells of a failure */
    source_set_close(&set);
    keep_true(node, false);
}

void statistics_stop(struct tenant_node *node)
{
    struct statistics_upkeep *statistics = &node->statistics;
    if (!statistics->thread.started)
        return;
    atomic_store(&statistics->cancelled, true);
    pthread_mutex_lock(&statistics->lock);
    statistics->ends = true;
    pthread_cond_signal(&statistics->changed);
    pthread_mutex_unlock(&statistics->lock);
    thread_join(&statistics->thread);
    save_all(node);
    pthread_cond_destroy(&statistics->changed);
    pthread_mutex_destroy(&statistics->lock);
}

/* --- telling --- */

static struct exec_context context_of(const struct tenant_node *node)
{
    return (struct exec_context){
        .sys = node->sys, .deadline_us = sys_mono_us(node->sys) + node->options.search_timeout_us};
}

static enum status write_source(struct tenant_node *node, struct source *source,
                                struct json_writer *w, struct error *err)
{
    struct exec_context context = context_of(node);
    struct table_stats stats;
    struct view view;
    TRY(view_open(source, &view, err));
    enum status status = table_stats_make(&view, &context, &stats, err);
    if (status == STATUS_OK) {
        json_kv_str(w, "source_id", source_config(source)->source_id);
        table_stats_write(&stats, w);
        table_stats_release(&stats);
    }
    view_close(&view);
    return status;
}

static enum status answer_one(struct request *request, struct source *source)
{
    struct tenant_node *node = request->context;
    struct exec_context context = context_of(node);
    struct error *err = &request->error;
    struct answer answer;
    if (request_bool(request, "refresh"))
        TRY(profile_refresh(source, true, &context, NULL, err));
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    enum status status = write_source(node, source, &answer.w, err);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    if (status == STATUS_OK)
        status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

enum status handle_source_statistics(struct request *request)
{
    struct tenant_node *node = request->context;
    struct error *err = &request->error;
    struct source *source;
    TRY(store_get_source(node->store, request_path_param(request, "source_id"), &source, err));
    enum status status = admission_enter(&node->admission, err);
    if (status == STATUS_OK) {
        status = answer_one(request, source);
        admission_leave(&node->admission);
    }
    source_unref(source);
    return status;
}

static enum status answer_all(struct request *request, const struct source_set *set)
{
    struct tenant_node *node = request->context;
    struct error *err = &request->error;
    struct answer answer;
    enum status status = STATUS_OK;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_keyz(&answer.w, "sources");
    json_begin_array(&answer.w);
    for (uint32_t i = 0; i < set->len && status == STATUS_OK; i++) {
        json_begin_object(&answer.w);
        status = write_source(node, set->sources[i], &answer.w, err);
        json_end_object(&answer.w);
        if (status == STATUS_OK)
            status = answer_push(&answer, false, err);
    }
    json_end_array(&answer.w);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    if (status == STATUS_OK)
        status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

enum status handle_tenant_statistics(struct request *request)
{
    struct tenant_node *node = request->context;
    struct error *err = &request->error;
    struct source_set set;
    TRY(source_set_open(node, NULL, &set, err));
    enum status status = admission_enter(&node->admission, err);
    if (status == STATUS_OK) {
        status = answer_all(request, &set);
        admission_leave(&node->admission);
    }
    source_set_close(&set);
    return status;
}

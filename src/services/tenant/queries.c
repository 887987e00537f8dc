/* queries.c: the SQL queries that run or wait: GET /queries, DELETE /queries/{query_id}, and the
 * watch that cancels those whose client has hung up.
 *
 * A query's thread blocks until the worker answers, so it cannot see its client go. One thread a
 * node looks at all of them every watch_us while there are any, and closes idle cursors now and
 * then, since no request may come that would. An entry stays until its query has
 * ended, and the request it points to lives longer than that; all under the table's lock. */
#include <stdio.h>
#include <stdlib.h>

#include "services/tenant/tenant_int.h"

static const int64_t watch_us = 200000;
static const int64_t idle_us = 10 * 1000000;

static void cancel_abandoned(struct tenant_node *node)
{
    for (uint32_t i = 0; i < QUERIES_MAX; i++) {
        const struct running_query *entry = &node->queries.entries[i];
        if (!entry->used || !http_request_gone(entry->http))
            continue;
        if (entry->cancelled)
            atomic_store(entry->cancelled, true);
        (void)sql_cancel(node->sql, str_of(entry->id), NULL); /* not in the pool yet: next time */
    }
}

static void *watch(void *argument)
{
    struct tenant_node *node = argument;
    struct query_table *table = &node->queries;
    pthread_mutex_lock(&table->lock);
    while (!table->ends) {
        if (table->running)
            cancel_abandoned(node);
        thread_cond_wait_until(&table->changed, &table->lock,
                               sys_mono_us(node->sys) + (table->running ? watch_us : idle_us));
        cursor_sweep(&node->cursors);
    }
    pthread_mutex_unlock(&table->lock);
    return NULL;
}

enum status query_table_start(struct tenant_node *node, struct error *err)
{
    struct query_table *table = &node->queries;
    pthread_mutex_init(&table->lock, NULL);
    thread_cond_init(&table->changed);
    table->entries = calloc(QUERIES_MAX, sizeof *table->entries);
    return table->entries ? STATUS_OK : error_no_memory(err);
}

enum status query_table_watch(struct tenant_node *node, struct error *err)
{
    return thread_start(&node->queries.watcher, "query-watch", 0, watch, node, err);
}

void query_table_stop(struct tenant_node *node)
{
    struct query_table *table = &node->queries;
    pthread_mutex_lock(&table->lock);
    table->ends = true;
    pthread_cond_signal(&table->changed);
    pthread_mutex_unlock(&table->lock);
    thread_join(&table->watcher);
}

void query_table_release(struct tenant_node *node)
{
    free(node->queries.entries);
    pthread_cond_destroy(&node->queries.changed);
    pthread_mutex_destroy(&node->queries.lock);
}

enum status query_table_enter(struct tenant_node *node, const struct running_query *query,
                              struct error *err)
{
    struct query_table *table = &node->queries;
    struct running_query *free_entry = NULL;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < QUERIES_MAX; i++) {
        struct running_query *entry = &table->entries[i];
        if (!entry->used)
            free_entry = entry;
        else if (strcmp(entry->id, query->id) == 0)
            status = error_set(err, STATUS_CONFLICT, "a query '%s' runs already", query->id);
    }
    if (status == STATUS_OK && !free_entry)
        status = error_set(err, STATUS_TOO_MANY_REQUESTS, "%d queries run or wait", QUERIES_MAX);
    if (status == STATUS_OK) {
        *free_entry = *query;
        free_entry->used = true;
        if (table->running++ == 0)
            pthread_cond_signal(&table->changed);
    }
    pthread_mutex_unlock(&table->lock);
    return status;
}

void query_table_leave(struct tenant_node *node, const char *id)
{
    struct query_table *table = &node->queries;
    pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < QUERIES_MAX; i++) {
        if (table->entries[i].used && strcmp(table->entries[i].id, id) == 0) {
            table->entries[i].used = false;
            table->running--;
        }
    }
    pthread_mutex_unlock(&table->lock);
}

static void write_queries(struct json_writer *w, struct query_table *table)
{
    pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < QUERIES_MAX; i++) {
        const struct running_query *entry = &table->entries[i];
        if (!entry->used)
            continue;
        json_begin_object(w);
        json_kv_strz(w, "query_id", entry->id);
        json_kv_strz(w, "query", entry->text);
        tenant_write_time(w, "started", entry->started_us);
        json_end_object(w);
    }
    pthread_mutex_unlock(&table->lock);
}

enum status handle_query_list(struct request *request)
{
    struct tenant_node *node = request->context;
    struct answer answer;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_keyz(&answer.w, "queries");
    json_begin_array(&answer.w);
    write_queries(&answer.w, &node->queries);
    json_end_array(&answer.w);
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, &request->error);
    answer_release(&answer);
    return status;
}

/* False: none of that name runs on our own operators. */
static bool cancel_own(struct query_table *table, struct str id)
{
    bool found = false;
    pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < QUERIES_MAX; i++) {
        const struct running_query *entry = &table->entries[i];
        if (!entry->used || !entry->cancelled || !str_is(id, entry->id))
            continue;
        atomic_store(entry->cancelled, true);
        found = true;
    }
    pthread_mutex_unlock(&table->lock);
    return found;
}

enum status handle_query_cancel(struct request *request)
{
    struct tenant_node *node = request->context;
    struct str id = request_path_param(request, "query_id");
    bool own = cancel_own(&node->queries, id);
    struct error err = ERROR_INIT;
    if (sql_cancel(node->sql, id, &err) != STATUS_OK && !own) {
        request->error = err;
        return err.status;
    }
    return answer_success(request);
}

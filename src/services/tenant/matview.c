/* matview.c: refreshing, creating and removing materialised views, and the thread that refreshes
 * those that are due. */
#include "services/tenant/matview.h"

#include <stdio.h>

enum { THREAD_STACK = 1 << 20 };
static const int64_t look_again_us = 60 * 1000000, first_look_us = 1000000;

/* ---- one refresh ---- */

static enum status has_write(struct matview_refresh *r, struct str write_id, bool *ret,
                             struct error *err)
{
    struct source *source;
    struct mutation *mutation;
    struct write_result result;
    *ret = false;
    if (!write_id.data || store_get_source(r->node->store, r->view->name, &source, NULL))
        return STATUS_OK;
    enum status status = mutation_begin(source, write_id, &mutation, &result, err);
    *ret = status == STATUS_OK && result.duplicate;
    mutation_end(mutation);
    source_unref(source);
    return status;
}

/* After a start, or in a restored backup: the source says what its content is. */
static enum status settle(struct matview_refresh *r, struct error *err)
{
    struct matview_state *state = &r->state;
    bool pending, settled;
    if (r->view->is_own && !state->pending_id.data)
        return STATUS_OK;
    TRY(has_write(r, state->pending_id, &pending, err));
    TRY(has_write(r, state->write_id, &settled, err));
    if (pending) {
        state->write_id = state->pending_id;
        state->bases = state->pending;
    } else if (!settled) {
        state->write_id = STR_NONE;
    }
    state->pending_id = STR_NONE;
    return STATUS_OK;
}

static enum status refresh(struct matview_refresh *r, struct error *err)
{
    struct matview_state *state = &r->state;
    TRY(settle(r, err));
    TRY(matview_open(r, err));
    TRY(matview_compare(r, err));
    if (r->unchanged) {
        state->bases = r->bases;
        state->how = STR("unchanged");
        state->reason = STR_NONE;
        return STATUS_OK;
    }
    TRY(matview_fill(r, err));
    state->write_id = state->pending_id;
    state->bases = r->bases;
    state->pending_id = STR_NONE;
    state->how = r->why ? STR("made anew") : STR("new rows");
    state->reason = r->why ? str_of(r->why) : STR_NONE;
    return STATUS_OK;
}

/* What came of it, durable. A failure to refresh goes before one to write it down. */
static enum status note(struct matview_refresh *r, int64_t began_us, enum status status,
                        struct error *err)
{
    struct matview_state *state = &r->state;
    struct error local = ERROR_INIT;
    int64_t now_us = sys_now_us(r->node->sys);
    state->attempted_us = now_us;
    state->error = STR_NONE;
    if (status == STATUS_OK) {
        state->refreshed_us = now_us;
        state->duration_us = now_us - began_us;
    } else { /* what is pending stays so: it may have been stored */
        state->error = err ? str_of(err->message) : STR("it failed");
    }
    enum status saved = matview_state_save(r->node, r->view, state, &local);
    if (status == STATUS_OK && saved != STATUS_OK && err)
        *err = local;
    return status != STATUS_OK ? status : saved;
}

/* `running` is held. */
static enum status run_locked(struct tenant_node *node, struct str name, uint64_t *ret_rows,
                              struct error *err)
{
    struct arena arena;
    struct error local = ERROR_INIT;
    struct error *failure = err ? err : &local;
    struct sql_view *view = sql_view_find(node->sql_views, name);
    if (!view || !view->materialized) {
        sql_view_unref(view);
        return error_set(err, STATUS_NOT_FOUND, "there is no materialised view %.*s",
                         STR_ARG(name));
    }
    arena_init(&arena, 0);
    struct matview_refresh *r = ARENA_NEW(&arena, struct matview_refresh);
    enum status status = r ? STATUS_OK : error_no_memory(err);
    if (r) {
        int64_t began_us = sys_now_us(node->sys);
        *r = (struct matview_refresh){.node = node, .view = view, .arena = &arena};
        matview_state_read(view, &r->state);
        status = refresh(r, failure);
        status = note(r, began_us, status, failure);
        matview_close(r);
        if (ret_rows)
            *ret_rows = r->unchanged ? 0 : (uint64_t)r->state.rows;
    }
    sql_view_unref(view);
    arena_release(&arena);
    return status;
}

enum status matview_run(struct tenant_node *node, struct str name, uint64_t *ret_rows,
                        struct error *err)
{
    pthread_mutex_lock(&node->matviews.running);
    enum status status = run_locked(node, name, ret_rows, err);
    pthread_mutex_unlock(&node->matviews.running);
    return status;
}

/* ---- creating, removing ---- */

/* The definition goes first: what is left after a crash is a source like any other. */
static enum status remove_all(struct tenant_node *node, struct str name, struct error *err)
{
    TRY(sql_view_remove(node->sql_views, name, err));
    enum status status = tenant_remove_source(node, name, err);
    return status == STATUS_UNKNOWN_SOURCE ? STATUS_OK : status;
}

enum status matview_create(struct tenant_node *node, struct str json, struct str name,
                           uint64_t *ret_rows, struct error *err)
{
    pthread_mutex_lock(&node->matviews.running);
    enum status status = sql_view_put(node->sql_views, json, err);
    if (status == STATUS_OK) {
        status = run_locked(node, name, ret_rows, err);
        if (status != STATUS_OK)
            (void)remove_all(node, name, NULL); /* what stays is told of as a failed refresh */
    }
    pthread_mutex_unlock(&node->matviews.running);
    matviews_wake(node);
    return status;
}

enum status matview_drop(struct tenant_node *node, struct str name, struct error *err)
{
    pthread_mutex_lock(&node->matviews.running);
    enum status status = remove_all(node, name, err);
    pthread_mutex_unlock(&node->matviews.running);
    return status;
}

enum status matview_check_writable(struct tenant_node *node, struct str source_id,
                                   struct error *err)
{
    struct sql_view *view = sql_view_find(node->sql_views, source_id);
    bool filled = view && view->materialized;
    sql_view_unref(view);
    return filled ? error_set(err, STATUS_CONFLICT,
                              "%.*s is a materialised view, filled by its query alone: change what "
                              "it reads, or DROP MATERIALIZED VIEW",
                              STR_ARG(source_id))
                  : STATUS_OK;
}

/* ---- the thread ---- */

/* When it is due next; INT64_MAX: never. Never refreshed ones are left from a crash: at once. */
static int64_t due_us(const struct sql_view *view)
{
    struct matview_state state;
    int64_t every_s = view->materialized ? matview_every_s(view) : 0;
    if (every_s == 0)
        return INT64_MAX;
    matview_state_read(view, &state);
    return state.attempted_us + every_s * 1000000;
}

static bool ends(struct tenant_node *node)
{
    pthread_mutex_lock(&node->matviews.lock);
    bool ends = node->matviews.ends;
    pthread_mutex_unlock(&node->matviews.lock);
    return ends;
}

/* Refreshes what is due; returns when to look again (monotonic). */
static int64_t refresh_due(struct tenant_node *node)
{
    struct sql_view **views;
    uint32_t len;
    int64_t wait_us = look_again_us;
    struct error err = ERROR_INIT;
    if (sql_view_list(node->sql_views, &views, &len, &err) != STATUS_OK)
        return sys_mono_us(node->sys) + wait_us;
    for (uint32_t i = 0; i < len && !ends(node); i++) {
        int64_t left_us = due_us(views[i]);
        if (left_us == INT64_MAX)
            continue;
        left_us -= sys_now_us(node->sys);
        if (left_us <= 0) {
            err = ERROR_INIT;
            enum status status = matview_run(node, views[i]->name, NULL, &err);
            if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_CANCELLED)
                log_error(node->log, "a materialised view cannot be refreshed", &err);
            left_us = matview_every_s(views[i]) * 1000000;
        }
        wait_us = left_us < wait_us ? left_us : wait_us;
    }
    sql_view_list_release(views, len);
    return sys_mono_us(node->sys) + wait_us;
}

static void *upkeep(void *argument)
{
    struct tenant_node *node = argument;
    struct matviews *matviews = &node->matviews;
    int64_t next_us = sys_mono_us(node->sys) + first_look_us;
    pthread_mutex_lock(&matviews->lock);
    while (!matviews->ends) {
        if (thread_cond_wait_until(&matviews->changed, &matviews->lock, next_us) ||
            matviews->ends) {
            next_us = sys_mono_us(node->sys); /* a definition came */
            continue;
        }
        pthread_mutex_unlock(&matviews->lock);
        next_us = refresh_due(node);
        pthread_mutex_lock(&matviews->lock);
    }
    matviews->is_done = true;
    pthread_cond_broadcast(&matviews->changed);
    pthread_mutex_unlock(&matviews->lock);
    return NULL;
}

enum status matviews_start(struct tenant_node *node, struct error *err)
{
    struct matviews *matviews = &node->matviews;
    pthread_mutex_init(&matviews->running, NULL);
    pthread_mutex_init(&matviews->lock, NULL);
    thread_cond_init(&matviews->changed);
    enum status status =
        thread_start(&matviews->thread, "matviews", THREAD_STACK, upkeep, node, err);
    if (status != STATUS_OK) {
        pthread_cond_destroy(&matviews->changed);
        pthread_mutex_destroy(&matviews->lock);
        pthread_mutex_destroy(&matviews->running);
    }
    return status;
}

void matviews_wake(struct tenant_node *node)
{
    pthread_mutex_lock(&node->matviews.lock);
    pthread_cond_broadcast(&node->matviews.changed);
    pthread_mutex_unlock(&node->matviews.lock);
}

void matviews_stop(struct tenant_node *node)
{
    struct matviews *matviews = &node->matviews;
    if (!matviews->thread.started)
        return;
    pthread_mutex_lock(&matviews->lock);
    matviews->ends = true;
    pthread_cond_broadcast(&matviews->changed);
    while (!matviews->is_done) { /* a query may begin just after it was looked for */
        if (matviews->query_id[0])
            (void)sql_cancel(node->sql, str_of(matviews->query_id), NULL);
        thread_cond_wait_until(&matviews->changed, &matviews->lock, sys_mono_us(node->sys) + 50000);
    }
    pthread_mutex_unlock(&matviews->lock);
    thread_join(&matviews->thread);
    pthread_cond_destroy(&matviews->changed);
    pthread_mutex_destroy(&matviews->lock);
    pthread_mutex_destroy(&matviews->running);
}

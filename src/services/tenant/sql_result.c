/* sql_result.c: rows of a statement's answer, kept while they go out, and handed out again. */
#include <stdlib.h>

#include "services/tenant/sql_plan_int.h"

enum { RESULT_BATCHES_MAX = 4096 };

static void result_ref(void *value)
{
    struct cached_result *result = value;
    atomic_fetch_add_explicit(&result->refs, 1, memory_order_relaxed);
}

void sql_result_unref(void *value)
{
    struct cached_result *result = value;
    if (!result || atomic_fetch_sub_explicit(&result->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < result->batches_len; i++)
        batch_unref(result->batches[i]);
    free(result->batches);
    arena_release(&result->arena);
    free(result);
}

const struct value_cache_kind sql_result_kind = {result_ref, sql_result_unref};

struct cached_result *sql_result_new(void)
{
    struct cached_result *result = calloc(1, sizeof *result);
    if (!result)
        return NULL;
    atomic_init(&result->refs, 1);
    arena_init(&result->arena, 0);
    return result;
}

void sql_tee_drop(struct sql_tee *tee)
{
    sql_result_unref(tee->keep);
    tee->keep = NULL;
}

static bool keep_columns(struct cached_result *keep, const struct str *names,
                         const struct str *types, uint32_t len)
{
    keep->names = arena_array(&keep->arena, len + 1u, sizeof *keep->names);
    keep->types = arena_array(&keep->arena, len + 1u, sizeof *keep->types);
    for (uint32_t i = 0; keep->names && keep->types && i < len; i++) {
        keep->names[i] = arena_str(&keep->arena, names[i]);
        keep->types[i] = arena_str(&keep->arena, types[i]);
        if (!keep->names[i].data || !keep->types[i].data)
            return false;
    }
    keep->len = len;
    return keep->names && keep->types;
}

static enum status tee_columns(void *context, const struct str *names, const struct str *types,
                               uint32_t len, struct error *err)
{
    struct sql_tee *tee = context;
    if (tee->keep && !keep_columns(tee->keep, names, types, len))
        sql_tee_drop(tee);
    return tee->sink->columns(tee->sink->context, names, types, len, err);
}

static bool keep_batch(struct sql_tee *tee, const struct batch *batch)
{
    struct cached_result *keep = tee->keep;
    keep->bytes += batch_memory(batch);
    if (keep->bytes > tee->bytes_max || keep->batches_len == RESULT_BATCHES_MAX)
        return false;
    if (keep->batches_len == keep->batches_cap) {
        uint32_t cap = keep->batches_cap ? 2 * keep->batches_cap : 4;
        struct batch **grown = realloc(keep->batches, cap * sizeof *grown);
        if (!grown)
            return false;
        keep->batches = grown;
        keep->batches_cap = cap;
    }
    keep->batches[keep->batches_len++] = batch_ref((struct batch *)(uintptr_t)batch);
    return true;
}

static enum status tee_rows(void *context, const struct batch *batch, struct error *err)
{
    struct sql_tee *tee = context;
    int64_t began_us = sys_mono_us(tee->sys);
    if (tee->keep && !keep_batch(tee, batch))
        sql_tee_drop(tee);
    enum status status = tee->sink->rows(tee->sink->context, batch, err);
    tee->sink_us += sys_mono_us(tee->sys) - began_us;
    return status;
}

enum status sql_result_replay(const struct cached_result *cached, const struct sql_sink *sink,
                              struct sql_stats *stats, struct error *err)
{
    TRY(sink->columns(sink->context, cached->names, cached->types, cached->len, err));
    for (uint32_t i = 0; i < cached->batches_len; i++)
        TRY(sink->rows(sink->context, cached->batches[i], err));
    *stats = cached->stats;
    stats->queue_us = stats->prepare_us = stats->execute_us = 0;
    stats->cpu_us = 0;
    return STATUS_OK;
}

struct sql_sink sql_tee_sink(struct sql_tee *tee)
{
    return (struct sql_sink){tee, tee_columns, tee_rows};
}

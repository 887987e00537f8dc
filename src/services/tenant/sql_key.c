/* sql_key.c: what a kept result depends on: the exact state of every table that is named, and the
 * question. Statements that our operators know are the same when their plans are, however they were
 * written; others when their texts are. Only statements of functions that give the same for the
 * same are kept. */
#include "query/lang/delta.h"
#include "services/tenant/sql_plan_int.h"

static void put_table(struct buf *key, const struct view *view)
{
    struct uuid incarnation = source_incarnation(view->source);
    buf_append(key, &incarnation, sizeof incarnation);
    buf_append_u64(key, view->snapshot_id);
    buf_append_u64(key, view->lsn);
    buf_append_u64(key, view->rows);
    buf_append_u32(key, (uint32_t)view->schema->id);
    buf_append_u32(key, view->schema->epoch);
    buf_append_u32(key, view->chunks_len);
}

static const struct view *table_named(const struct sql_job *job, struct str name)
{
    const struct view *found = NULL;
    for (uint32_t i = 0; i < job->tables_len; i++) {
        if (!job->tables[i].view) /* no source */
            continue;
        struct str id = source_config(job->tables[i].view->source)->source_id;
        if (str_eq(id, name))
            return job->tables[i].view;
        if (id.len == name.len && str_eq_nocase(id, name)) {
            if (found)
                return NULL;
            found = job->tables[i].view;
        }
    }
    return found;
}

static bool is_cte(const struct lang_analysis *facts, struct str name)
{
    for (size_t i = 0; i < facts->cte_count; i++)
        if (str_eq_nocase(facts->ctes[i], name))
            return true;
    return false;
}

/* The state of every table, into the key; their size into `work`. False: one is not known. */
static bool put_tables(const struct sql_job *job, const struct lang_analysis *facts,
                       struct buf *key, struct access_work *work)
{
    for (size_t i = 0; i < facts->table_count; i++) {
        const struct lang_table *table = &facts->tables[i];
        const struct view *view = table_named(job, table->last);
        if (table->is_function || (!view && !is_cte(facts, table->last)))
            return false;
        if (!view)
            continue;
        put_table(key, view);
        work->files += view->segments_len;
        work->rows += (double)view->rows;
        for (uint32_t k = 0; k < view->segments_len; k++)
            work->bytes += (double)segment_info(view->segments[k]).bytes;
    }
    work->values = 2 * work->rows; /* columns of a usual statement */
    return true;
}

/* --- what is asked --- */

/* A statement that only the engine knows: its text and parameters. */
static void put_text(const struct sql_job *job, struct buf *key)
{
    struct json_writer w;
    buf_append_char(key, 'T');
    buf_append_u32(key, (uint32_t)job->query.len);
    buf_append_str(key, job->query);
    json_writer_init(&w, key);
    if (job->parameters)
        json_value(&w, job->parameters);
}

void sql_key_make(struct arena *arena, const struct lang_query *query,
                  const struct sql_plan *statement, struct buf *key, struct access_work *work)
{
    const struct sql_job *job = statement->job;
    struct lang_analysis facts;
    struct lang_problem problem;
    bool good = query->statement == LANG_SELECT &&
                lang_analyze(arena, query, &facts, &problem) == STATUS_OK &&
                put_tables(job, &facts, key, work) &&
                (statement->is_own || lang_is_pure(query->root));
    buf_append_u64(key, (uint64_t)job->limit);
    if (statement->is_own)
        own_statement_key(&statement->own, key);
    else
        put_text(job, key);
    if (!good || buf_failed(key))
        buf_clear(key);
}

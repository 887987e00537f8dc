/* sql_key.c: what a kept result depends on: the exact state of every table that is named, and the
 * question. Statements that our operators know are the same when their plans are, however they were
 * written; others when their texts are. Only statements of functions that give the same for the
 * same are kept. */
#include "query/lang/node.h"
#include "services/tenant/sql_plan_int.h"

/* Functions that give the same for the same arguments, and do not count rows of tables that are
 * not named. What is not listed is not kept: slower, never wrong. */
static bool is_pure_function(struct str name)
{
    // clang-format off
    static const char *const pure[] = {
        "abs", "avg", "ceil", "ceiling", "coalesce", "concat", "concat_ws", "contains", "count",
        "count_if", "date_diff", "date_part", "date_trunc", "datediff", "datepart", "day",
        "dayofweek", "dayofyear", "dense_rank", "ends_with", "epoch", "epoch_ms", "exp",
        "first_value", "floor", "greatest", "hour", "if", "ifnull", "instr", "isfinite", "isnan",
        "json_extract", "json_extract_string", "lag", "last_day", "last_value", "lcase", "lead",
        "least", "left", "len", "length", "ln", "log", "log10", "log2", "lower", "lpad", "ltrim",
        "make_date", "max", "md5", "mean", "median", "min", "minute", "mod", "month", "nth_value",
        "ntile", "nullif", "percent_rank", "pow", "power", "prefix", "quantile_cont",
        "quantile_disc", "quarter", "rank", "regexp_extract", "regexp_matches", "regexp_replace",
        "repeat", "replace", "reverse", "right", "round", "row_number", "rpad", "rtrim", "second",
        "sign", "split_part", "sqrt", "starts_with", "stddev", "stddev_pop", "stddev_samp",
        "strftime", "strip_accents", "strlen", "strpos", "strptime", "substr", "substring",
        "suffix", "sum", "time_bucket", "trim", "trunc", "ucase", "unicode", "upper", "var_pop",
        "var_samp", "variance", "week", "weekday", "year"
    };
    // clang-format on
    for (size_t i = 0; i < sizeof pure / sizeof *pure; i++)
        if (str_eq_nocase(name, str_of(pure[i])))
            return true;
    return false;
}

/* A name that may be the clock's or the session's: current_date, localtime, user. */
static bool is_doubtful_name(struct str name)
{
    static const char *const starts[] = {"current_", "local", "session_", "user", "today", "now"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t len = strlen(starts[i]);
        if (name.len >= len && str_eq_nocase(str_make(name.data, len), str_make(starts[i], len)))
            return true;
    }
    return false;
}

static bool is_pure(const struct node *node)
{
    if (!node)
        return true;
    switch ((enum node_kind)node->kind) {
    case N_CALL:
        if (!is_pure_function(node->text) || (node->flags & NODE_NO_PARENS))
            return false;
        break;
    case N_REF:
        return node->count > 1 || !is_doubtful_name(kid(node, 0)->text);
    case N_SAMPLE:
    case N_TABLE_CALL:
    case N_OTHER:
    case N_PIVOT:
        return false;
    default:
        break;
    }
    for (size_t i = 0; i < node->count; i++)
        if (!is_pure(kid(node, i)))
            return false;
    return true;
}

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
                put_tables(job, &facts, key, work) && (statement->is_own || is_pure(query->root));
    buf_append_u64(key, (uint64_t)job->limit);
    if (statement->is_own)
        own_statement_key(&statement->own, key);
    else
        put_text(job, key);
    if (!good || buf_failed(key))
        buf_clear(key);
}

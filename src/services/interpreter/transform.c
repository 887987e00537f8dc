/* transform.c: POST /transform/query: a parsed query to a logical plan with the rules that were
 * applied, and to the origin's execution plan.
 *
 * What comes in may be a query of the DSL (as object or text), an SQL statement, the answer of
 * /parse/dsl or /parse/sql, the `parsed_query` of either, or the origin's internal_query. The plan
 * is a function of that and of the level, so it is cached by both; only query_id and the cache's
 * own figures are written anew. */
#include <stdio.h>

#include "base/uuid.h"
#include "query/dsl/text.h"
#include "query/dsl/to_plan.h"
#include "query/lang/lang.h"
#include "services/interpreter/interpreter_int.h"
#include "services/interpreter/sql.h"

enum { ANSWER_MAX = 32 << 20, KEY_MAX = 8 << 20 };

struct transform {
    struct request *request;
    struct interpreter *interpreter;
    struct dsl_options options;
    enum plan_level level;
    yyjson_doc *made;        /* a document that a query of another form was turned into */
    struct dsl_query *query; /* NULL: the plan comes from SQL */
    struct plan plan;
    struct str id;
    char id_text[64];
};

/* --- what came in --- */

/* The origin's internal_query as a query of the DSL: its filters are the short form. */
static enum status of_internal(struct transform *t, yyjson_val *internal, yyjson_val **ret,
                               struct error *err)
{
    static const struct {
        const char *from, *to;
    } same[] = {
        {"filters", "filters"},   {"group_by", "group_by"}, {"aggregations", "aggregations"},
        {"order_by", "order_by"}, {"limit", "limit"},       {"offset", "offset"}};
    yyjson_val *sources = json_get(internal, "source_ids");
    yyjson_val *projections = json_get(internal, "projections");
    bool aggregate = yyjson_arr_size(json_get(internal, "aggregations")) > 0 ||
                     yyjson_arr_size(json_get(internal, "group_by")) > 0;
    if (yyjson_arr_size(sources) != 1 || yyjson_arr_size(json_get(internal, "joins")) > 0)
        return error_set(err, STATUS_NOT_IMPLEMENTED,
                         "internal_query: plans of one source without joins are made; send the "
                         "parsed_query of /parse/sql or /parse/dsl for more");
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_val(doc, root, "source",
                           yyjson_val_mut_copy(doc, yyjson_arr_get_first(sources)));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        yyjson_val *value = json_get(internal, same[i].from);
        bool empty = yyjson_is_arr(value) && yyjson_arr_size(value) == 0;
        if (value && !empty && !yyjson_is_null(value))
            yyjson_mut_obj_add_val(doc, root, same[i].to, yyjson_val_mut_copy(doc, value));
    }
    if (!aggregate && yyjson_arr_size(projections) > 0)
        yyjson_mut_obj_add_val(doc, root, "select", yyjson_val_mut_copy(doc, projections));
    t->made = yyjson_mut_doc_imut_copy(doc, NULL);
    yyjson_mut_doc_free(doc);
    *ret = yyjson_doc_get_root(t->made);
    return *ret ? STATUS_OK : error_no_memory(err);
}

/* The answer of a parse holds its tree. */
static yyjson_val *unwrap(yyjson_val *given)
{
    yyjson_val *inside = json_get(given, "parsed_query");
    return yyjson_is_obj(inside) ? inside : given;
}

static bool begins_with(struct str text, const char *word)
{
    size_t n = strlen(word);
    text = str_trim(text);
    return text.len > n && str_eq_nocase(str_make(text.data, n), str_of(word));
}

/* A statement itself: parsed here, in the dialect of the setting. */
static enum status plan_of_statement(struct transform *t, struct str text, struct error *err)
{
    struct arena *arena = t->request->arena;
    struct lang_problem problem;
    struct lang_query query;
    struct buf tree;
    struct json_writer w;
    enum status status =
        lang_parse(arena, text, t->interpreter->options.dialect, NULL, &query, &problem);
    if (status != STATUS_OK) {
        error_set(err, status, "%s", problem.message);
        err->offset = (int64_t)problem.offset;
        err->line = (int64_t)problem.line;
        err->column = (int64_t)problem.column;
        return status;
    }
    buf_init(&tree, ANSWER_MAX);
    json_writer_init(&w, &tree);
    lang_tree_json(&query, &w);
    status = buf_check(&tree, "the statement's tree", err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&tree), &t->made, err);
    buf_release(&tree);
    TRY(status);
    return plan_of_sql(&t->plan, yyjson_doc_get_root(t->made), err);
}

static enum status make_plan(struct transform *t, yyjson_val *given, struct error *err)
{
    struct arena *arena = t->request->arena;
    struct str text = json_str_of(given);
    plan_init(&t->plan, arena);
    if (json_get(given, "kind"))
        return plan_of_sql(&t->plan, given, err);
    if (text.data && (begins_with(text, "select") || begins_with(text, "with")))
        return plan_of_statement(t, text, err);
    if (yyjson_is_str(json_get(given, "sql")) && json_get(given, "dialect")) {
        TRY(interpreter_sql_tree(t->request, given, &t->made, err));
        return plan_of_sql(&t->plan, yyjson_doc_get_root(t->made), err);
    }
    if (yyjson_is_str(given))
        TRY(dsl_parse_text(arena, json_str_of(given), &t->options, &t->query, &t->made, err));
    else
        TRY(dsl_parse(arena, given, &t->options, &t->query, err));
    if (dsl_query_errors(t->query)->len)
        return STATUS_OK;
    return dsl_to_plan(t->query, &t->plan, err);
}

static enum status given_query(struct transform *t, yyjson_val **ret, struct error *err)
{
    yyjson_val *parsed = request_json(t->request, "parsed_query");
    yyjson_val *internal = request_json(t->request, "internal_query");
    if (!parsed == !internal)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "send either parsed_query or internal_query");
    *ret = unwrap(parsed ? parsed : internal);
    if (internal && json_get(*ret, "source_ids"))
        return of_internal(t, *ret, ret, err);
    return STATUS_OK;
}

/* --- the plan --- */

static bool late(void *context)
{
    return interpreter_check_time(context, NULL) != STATUS_OK;
}

static void write_join_order(const struct plan *plan, struct json_writer *w)
{
    json_keyz(w, "join_order");
    json_begin_array(w);
    for (uint32_t i = 0; i < plan->join_order_len; i++)
        json_string(w, plan->join_order[i]);
    json_end_array(w);
}

static enum status write_sql(struct transform *t, struct json_writer *w, struct error *err)
{
    struct dsl_generate_options how = {0};
    struct dsl_sql sql;
    if (!t->query)
        return STATUS_OK;
    TRY(dsl_generate(t->request->arena, t->query, &how, &sql, err));
    json_kv_str(w, "sql", sql.text);
    json_keyz(w, "parameters");
    dsl_write_parameters(&sql, w);
    return STATUS_OK;
}

static void write_execution_plan(struct transform *t, struct str internal, struct json_writer *w)
{
    json_keyz(w, "execution_plan");
    json_begin_object(w);
    json_keyz(w, "internal_query");
    json_raw(w, internal);
    json_keyz(w, "optimization_plan");
    json_begin_object(w);
    json_keyz(w, "rules");
    plan_write_rules(&t->plan, w);
    write_join_order(&t->plan, w);
    json_end_object(w);
    json_kv_null(w, "estimated_cost"); /* the optimizer's business: it has statistics */
}

/* What is said of the plan before any rule: internal_query and the rules of thumb. */
static enum status describe(struct transform *t, struct buf *internal, struct buf *execution,
                            struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, internal);
    plan_write_internal(t->plan.root, &w);
    json_writer_init(&w, execution);
    json_begin_object(&w);
    plan_write_execution(t->plan.root, &w);
    json_end_object(&w);
    TRY(buf_check(execution, "the plan", err));
    return buf_check(internal, "the plan", err);
}

/* The part of the answer that depends on the question only; its last member is execution_plan, so
 * that answer() can put the query's id into it. */
static enum status write_plan(struct transform *t, struct buf *out, struct error *err)
{
    static const char *const names[] = {"none", "basic", "aggressive"};
    const struct interpreter_options *settings = &t->interpreter->options;
    struct plan_options options = {.level = t->level,
                                   .optimize_joins = settings->optimize_joins,
                                   .push_down_filters = settings->push_down_filters,
                                   .column_pruning = settings->column_pruning,
                                   .late = late,
                                   .context = t->request};
    struct buf internal, execution;
    struct json_writer w;
    buf_init(&internal, ANSWER_MAX);
    buf_init(&execution, ANSWER_MAX);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_strz(&w, "optimization_level", names[t->level]);
    enum status status = describe(t, &internal, &execution, err);
    if (status == STATUS_OK)
        status = plan_optimize(&t->plan, &options, err);
    if (status == STATUS_OK) {
        json_keyz(&w, "logical_plan");
        plan_write(t->plan.root, &w);
        json_keyz(&w, "rules_applied");
        plan_write_rules(&t->plan, &w);
        status = write_sql(t, &w, err);
    }
    if (status == STATUS_OK) {
        write_execution_plan(t, buf_str(&internal), &w);
        /* further members of the same object: behind its comma, without braces */
        buf_append_char(out, ',');
        buf_append(out, execution.data + 1, execution.len - 2);
        json_end_object(&w);
        json_end_object(&w);
    }
    buf_release(&internal);
    buf_release(&execution);
    return status;
}

/* Level and query; settings do not change while the service runs. */
static enum status make_key(const struct transform *t, yyjson_val *given, struct buf *key,
                            struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, key);
    json_begin_array(&w);
    json_int(&w, t->level);
    json_value(&w, given);
    json_end_array(&w);
    return buf_check(key, "the query", err);
}

static void write_cache(struct transform *t, bool hit, struct json_writer *w)
{
    struct plan_cache_stats stats = plan_cache_get_stats(&t->interpreter->plans);
    json_kv_bool(w, "cached", hit);
    json_keyz(w, "cache");
    json_begin_object(w);
    json_kv_int(w, "hits", (int64_t)stats.hits);
    json_kv_int(w, "misses", (int64_t)stats.misses);
    json_kv_int(w, "evictions", (int64_t)stats.evictions);
    json_kv_int(w, "entries", stats.entries);
    json_kv_int(w, "capacity", stats.capacity);
    json_end_object(w);
}

static void name_plan(struct transform *t)
{
    unsigned char random[10];
    t->id = request_str(t->request, "query_id");
    if (t->id.data)
        return;
    sys_random(t->interpreter->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)(sys_now_us(t->interpreter->sys) / 1000), random), t->id_text);
    t->id = str_of(t->id_text);
}

/* `plan` is what write_plan wrote: two objects that end together are still open. */
static void answer(struct transform *t, struct str plan, bool hit)
{
    struct buf body, rest;
    struct json_writer w;
    buf_init(&body, ANSWER_MAX);
    buf_init(&rest, 4096);
    json_writer_init(&w, &rest);
    json_begin_object(&w);
    json_kv_str(&w, "query_id", t->id);
    json_end_object(&w);
    buf_append(&body, plan.data, plan.len - 2);
    buf_append_char(&body, ',');
    buf_append(&body, rest.data + 1, rest.len - 1); /* ends execution_plan */
    buf_clear(&rest);
    json_writer_init(&w, &rest);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_str(&w, "query_id", t->id);
    write_cache(t, hit, &w);
    json_kv_double(&w, "plan_ms",
                   (double)(sys_mono_us(t->interpreter->sys) - t->request->started_us) / 1000);
    json_kv_null(&w, "error_message");
    json_end_object(&w);
    buf_append_char(&body, ',');
    buf_append(&body, rest.data + 1, rest.len - 1);
    body.failed = body.failed || buf_failed(&rest);
    buf_release(&rest);
    request_respond_json(t->request, 200, &body);
}

static void answer_mistakes(struct transform *t)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    int status = dsl_write_errors(dsl_query_errors(t->query), t->request->request_id, &w);
    json_end_object(&w);
    request_respond_json(t->request, status, &body);
}

static enum status transform(struct transform *t, struct buf *key, struct buf *members,
                             struct error *err)
{
    yyjson_val *given = NULL;
    TRY(given_query(t, &given, err));
    TRY(make_key(t, given, key, err));
    if (plan_cache_get(&t->interpreter->plans, buf_str(key), members)) {
        TRY(buf_check(members, "the plan", err));
        answer(t, buf_str(members), true);
        return STATUS_OK;
    }
    TRY(make_plan(t, given, err));
    if (t->query && dsl_query_errors(t->query)->len) {
        answer_mistakes(t);
        return STATUS_OK;
    }
    TRY(write_plan(t, members, err));
    TRY(buf_check(members, "the plan", err));
    plan_cache_put(&t->interpreter->plans, buf_str(key), buf_str(members));
    answer(t, buf_str(members), false);
    return STATUS_OK;
}

enum status handle_transform(struct request *request)
{
    struct transform t = {.request = request, .interpreter = request->context};
    struct buf key, members;
    t.options =
        (struct dsl_options){.settings = t.interpreter->options.dsl, .open_parameters = true};
    (void)plan_level_parse(request_str(request, "optimization_level"), &t.level); /* an ENUM */
    name_plan(&t);
    buf_init(&key, KEY_MAX);
    buf_init(&members, ANSWER_MAX);
    enum status status = transform(&t, &key, &members, &request->error);
    buf_release(&key);
    buf_release(&members);
    yyjson_doc_free(t.made);
    return status;
}

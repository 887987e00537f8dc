/* sql_show.c: SHOW and DESCRIBE, as queries over the system tables; EXPLAIN, the logical plan. */
#include <stdio.h>
#include <stdlib.h>

#include "query/lang/node.h"
#include "query/plan/plan.h"
#include "services/tenant/sql_write.h"

enum { TREE_MAX = 32 << 20 };

static const char tables_query[] =
    "SELECT source AS name, row_count FROM \"system.sources\" ORDER BY source";
static const char columns_query[] =
    "SELECT name AS column_name, type AS column_type, "
    "CASE WHEN required THEN 'NO' ELSE 'YES' END AS nullable, "
    "CASE WHEN is_key THEN 'PRI' WHEN is_indexed THEN 'MUL' END AS key, comment "
    "FROM \"system.columns\" WHERE source = $1 ORDER BY position";

/* ---- SHOW, DESCRIBE ---- */

static bool is_tables(const struct node *root)
{
    return root->kind == N_SHOW && str_is(root->text, "TABLES");
}

static bool is_columns(const struct node *root)
{
    return root->kind == N_DESCRIBE ||
           (root->kind == N_SHOW &&
            (str_is(root->text, "COLUMNS") || str_is(root->text, "FIELDS")) && root->kids[0]);
}

const struct system_table *sql_show_table(const struct lang_query *query)
{
    return is_tables(query->root)    ? system_table_find(STR("system.sources"))
           : is_columns(query->root) ? system_table_find(STR("system.columns"))
                                     : NULL;
}

/* The id as it is written in the store. */
static enum status source_name(const struct statement *statement, struct str name, struct str *ret,
                               struct error *err)
{
    *ret = STR_NONE;
    for (uint32_t i = 0; i < statement->tables_len; i++) {
        const struct view *view = statement->tables[i].view;
        struct str id = view ? source_config(view->source)->source_id : STR_NONE;
        if (view && (str_eq(id, name) || (!ret->data && str_eq_nocase(id, name))))
            *ret = id;
    }
    if (ret->data)
        return STATUS_OK;
    return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source %.*s", STR_ARG(name));
}

static enum status show_columns(struct statement *statement, struct sql_job *job, struct error *err)
{
    const struct node *ref = statement->query.root->kids[0];
    struct str name;
    TRY(source_name(statement, ref->kids[ref->count - 1]->text, &name, err));
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    yyjson_mut_arr_add_strn(doc, list, name.data, name.len);
    yyjson_mut_doc_set_root(doc, list);
    yyjson_doc *values = yyjson_mut_doc_imut_copy(doc, NULL);
    yyjson_mut_doc_free(doc);
    if (!values)
        return error_no_memory(err);
    job->query = STR(columns_query);
    job->parameters = yyjson_doc_get_root(values);
    enum status status = tenant_run_sql(statement->request, job);
    yyjson_doc_free(values);
    return status;
}

/* ---- EXPLAIN ---- */

static enum status make_plan(struct statement *statement, struct plan *plan, yyjson_doc **tree,
                             struct error *err)
{
    struct lang_query inner = statement->query;
    struct plan_options options = {.level = PLAN_AGGRESSIVE,
                                   .optimize_joins = true,
                                   .push_down_filters = true,
                                   .column_pruning = true};
    struct json_writer w;
    struct buf text;
    inner.root = statement->query.root->kids[0];
    if (!node_is_query(inner.root))
        return error_set(err, STATUS_UNSUPPORTED_SQL, "EXPLAIN is for queries");
    buf_init(&text, TREE_MAX);
    json_writer_init(&w, &text);
    lang_tree_json(&inner, &w);
    *tree = buf_failed(&text) ? NULL : yyjson_read(text.data, text.len, 0);
    buf_release(&text);
    if (!*tree)
        return error_no_memory(err);
    TRY(plan_of_sql(plan, yyjson_doc_get_root(*tree), err));
    return plan_optimize(plan, &options, err);
}

static enum status explain(struct statement *statement, struct error *err)
{
    struct plan plan;
    yyjson_doc *tree = NULL;
    struct answer answer;
    struct json_writer *w = &answer.w;
    plan_init(&plan, statement->request->arena);
    enum status status = make_plan(statement, &plan, &tree, err);
    if (status != STATUS_OK) {
        yyjson_doc_free(tree);
        return status;
    }
    answer_init(&answer, statement->request, STR("application/json"));
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_strz(w, "statement", "explain");
    json_keyz(w, "columns");
    json_begin_array(w);
    json_begin_object(w);
    json_kv_strz(w, "name", "plan");
    json_kv_strz(w, "type", "JSON");
    json_end_object(w);
    json_end_array(w);
    json_keyz(w, "rows");
    json_begin_array(w);
    json_begin_array(w);
    plan_write(plan.root, w);
    json_end_array(w);
    json_end_array(w);
    json_kv_int(w, "row_count", 1);
    json_kv_bool(w, "truncated", false);
    json_keyz(w, "rules_applied");
    plan_write_rules(&plan, w);
    json_kv_null(w, "error_message");
    json_end_object(w);
    status = answer_end(&answer, err);
    answer_release(&answer);
    yyjson_doc_free(tree);
    return status;
}

enum status handle_sql_show(struct statement *statement, struct error *err)
{
    const struct node *root = statement->query.root;
    struct sql_job job = {
        .limit = -1, .tables = statement->tables, .tables_len = statement->tables_len};
    if (root->kind == N_EXPLAIN)
        return explain(statement, err);
    if (is_columns(root))
        return show_columns(statement, &job, err);
    if (!is_tables(root))
        return error_set(err, STATUS_UNSUPPORTED_SQL,
                         "SHOW TABLES and SHOW COLUMNS FROM a source are available");
    job.query = STR(tables_query);
    return tenant_run_sql(statement->request, &job);
}

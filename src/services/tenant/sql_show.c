/* sql_show.c: SHOW and DESCRIBE, as queries over the system tables. */
#include "query/lang/node.h"
#include "services/tenant/sql_write.h"

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

/* ---- both ---- */

enum status handle_sql_show(struct statement *statement, struct error *err)
{
    const struct node *root = statement->query.root;
    struct sql_job job = {
        .limit = -1, .tables = statement->tables, .tables_len = statement->tables_len};
    if (is_columns(root))
        return show_columns(statement, &job, err);
    if (!is_tables(root))
        return error_set(err, STATUS_UNSUPPORTED_SQL,
                         "SHOW TABLES and SHOW COLUMNS FROM a source are available");
    job.query = STR(tables_query);
    return tenant_run_sql(statement->request, &job);
}

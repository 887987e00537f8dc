/* sql_show.c: SHOW and DESCRIBE, as queries over the system tables; the columns of a view, which
 * the engine has to say. */
#include "query/lang/node.h"
#include "services/tenant/sql_write.h"

/* What a statement reads instead; `named`: its $1 is the name that the statement has. */
struct shown {
    const char *table; /* system table */
    const char *query;
    bool named;
};

static const struct shown tables_shown = {
    "system.sources", "SELECT source AS name, row_count FROM \"system.sources\" ORDER BY source",
    false};
static const struct shown columns_shown = {
    "system.columns",
    "SELECT name AS column_name, type AS column_type, "
    "CASE WHEN required THEN 'NO' ELSE 'YES' END AS nullable, "
    "CASE WHEN is_key THEN 'PRI' WHEN is_indexed THEN 'MUL' END AS key, comment "
    "FROM \"system.columns\" WHERE source = $1 ORDER BY position",
    true};
static const struct shown views_shown = {
    "system.views",
    "SELECT name, is_materialized, reads, created_at FROM \"system.views\" ORDER BY name", false};
static const struct shown materialized_shown = {
    "system.materialized_views",
    "SELECT name, refresh_seconds, last_refresh, how, is_stale, lag_ms, last_error "
    "FROM \"system.materialized_views\" ORDER BY name",
    false};
static const struct shown definition_shown = {
    "system.views",
    "SELECT name AS view, sql AS create_view, dialect FROM \"system.views\" WHERE name = $1", true};

static const struct shown *shown_by(const struct node *root)
{
    if (root->kind == N_DESCRIBE)
        return &columns_shown;
    if (root->kind != N_SHOW)
        return NULL;
    if (str_is(root->text, "TABLES"))
        return &tables_shown;
    if (str_is(root->text, "VIEWS"))
        return &views_shown;
    if (str_is(root->text, "MATERIALIZED VIEWS"))
        return &materialized_shown;
    if (str_is(root->text, "CREATE VIEW"))
        return &definition_shown;
    bool columns = str_is(root->text, "COLUMNS") || str_is(root->text, "FIELDS");
    return columns && root->kids[0] ? &columns_shown : NULL;
}

const struct system_table *sql_show_table(const struct lang_query *query)
{
    const struct shown *shown = shown_by(query->root);
    return shown ? system_table_find(str_of(shown->table)) : NULL;
}

/* ---- names ---- */

/* The id as it is written in the store; data NULL: there is none. */
static struct str source_name(const struct statement *statement, struct str name)
{
    struct str found = STR_NONE;
    for (uint32_t i = 0; i < statement->tables_len; i++) {
        const struct view *view = statement->tables[i].view;
        struct str id = view ? source_config(view->source)->source_id : STR_NONE;
        if (view && (str_eq(id, name) || (!found.data && str_eq_nocase(id, name))))
            found = id;
    }
    return found;
}

static enum status view_name(struct statement *statement, struct str name, struct str *ret,
                             struct error *err)
{
    struct tenant_node *node = statement->request->context;
    struct sql_view *view = sql_view_find(node->sql_views, name);
    *ret = view ? arena_str(statement->request->arena, view->name) : STR_NONE;
    sql_view_unref(view);
    if (!view)
        return error_set(err, STATUS_NOT_FOUND, "there is no view %.*s", STR_ARG(name));
    return ret->data ? STATUS_OK : error_no_memory(err);
}

bool sql_shows_view(const struct statement *statement)
{
    const struct node *ref = kid(statement->query.root, 0);
    struct str last = node_is(ref, N_REF) ? ref->kids[ref->count - 1]->text : STR_NONE;
    struct tenant_node *node = statement->request->context;
    struct sql_view *view = last.data ? sql_view_find(node->sql_views, last) : NULL;
    sql_view_unref(view);
    return view != NULL;
}

/* ---- columns of a view ---- */

static enum status add_text(struct batch *batch, uint32_t column, struct str text)
{
    return column_append_bytes(&batch->columns[column].column, text);
}

static enum status fill_columns(struct batch *batch, const struct str *names,
                                const struct str *types, uint32_t len)
{
    static const char *const titles[] = {"column_name", "column_type", "nullable", "key",
                                         "comment"};
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t index;
        TRY(batch_add_column(batch, str_of(titles[i]), TYPE_STRING, &index));
    }
    for (uint32_t i = 0; i < len; i++) {
        TRY(add_text(batch, 0, names[i]));
        TRY(add_text(batch, 1, types[i]));
        TRY(add_text(batch, 2, STR("YES")));
        TRY(column_append_null(&batch->columns[3].column));
        TRY(column_append_null(&batch->columns[4].column));
    }
    return batch_set_rows(batch, len);
}

static enum status answer_rows(struct request *request, const struct batch *batch,
                               struct error *err)
{
    struct result result;
    struct str names[8], types[8];
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        names[i] = batch->columns[i].name;
        types[i] = STR("VARCHAR");
    }
    result_init(&result, request);
    enum status status = result_columns(&result, names, types, batch->columns_len, err);
    if (status == STATUS_OK)
        status = result_rows(&result, batch, err);
    if (status == STATUS_OK && result.form == RESULT_JSON) {
        json_end_array(&result.answer.w);
        json_kv_int(&result.answer.w, "row_count", batch->rows);
        json_kv_bool(&result.answer.w, "truncated", false);
        json_kv_null(&result.answer.w, "error_message");
        json_end_object(&result.answer.w);
    }
    if (status == STATUS_OK)
        status = result_end(&result, err);
    result_release(&result);
    return status;
}

static enum status show_view_columns(struct statement *statement, struct str name,
                                     struct error *err)
{
    const struct str *names, *types;
    uint32_t len;
    TRY(sql_describe_view(statement, name, &names, &types, &len, err));
    struct batch *batch = batch_new();
    enum status status = batch ? fill_columns(batch, names, types, len) : STATUS_NO_MEMORY;
    status =
        status == STATUS_OK ? answer_rows(statement->request, batch, err) : error_no_memory(err);
    batch_unref(batch);
    return status;
}

/* ---- the handler ---- */

static enum status run_named(struct statement *statement, struct sql_job *job, struct str name,
                             struct error *err)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    yyjson_mut_arr_add_strn(doc, list, name.data, name.len);
    yyjson_mut_doc_set_root(doc, list);
    yyjson_doc *values = yyjson_mut_doc_imut_copy(doc, NULL);
    yyjson_mut_doc_free(doc);
    if (!values)
        return error_no_memory(err);
    job->parameters = yyjson_doc_get_root(values);
    enum status status = tenant_run_sql(statement->request, job);
    yyjson_doc_free(values);
    return status;
}

enum status handle_sql_show(struct statement *statement, struct error *err)
{
    const struct node *root = statement->query.root, *ref = kid(root, 0);
    const struct shown *shown = shown_by(root);
    if (!shown)
        return error_set(err, STATUS_UNSUPPORTED_SQL,
                         "SHOW TABLES, SHOW VIEWS, SHOW COLUMNS FROM and SHOW CREATE VIEW are "
                         "available");
    struct sql_job job = {.query = str_of(shown->query),
                          .limit = -1,
                          .tables = statement->tables,
                          .tables_len = statement->tables_len};
    if (!shown->named)
        return tenant_run_sql(statement->request, &job);
    struct str name = ref->kids[ref->count - 1]->text, id = STR_NONE;
    if (shown == &columns_shown)
        id = source_name(statement, name);
    if (!id.data) {
        enum status status = view_name(statement, name, &id, err);
        if (status != STATUS_OK && shown == &columns_shown)
            return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source %.*s", STR_ARG(name));
        TRY(status);
        if (shown == &columns_shown)
            return show_view_columns(statement, id, err);
    }
    return run_named(statement, &job, id, err);
}

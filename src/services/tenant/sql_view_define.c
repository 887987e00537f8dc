/* sql_view_define.c: CREATE, DROP and REFRESH of views on POST /query/sql.
 *
 * A view is checked wholly before it is kept: names and types by the binder, the rest by asking the
 * engine for its columns. Then one file is replaced (sql_view.c). */
#include <stdio.h>

#include "query/lang/node.h"
#include "services/tenant/matview.h"
#include "services/tenant/sql_write.h"

static struct tenant_node *node_of(const struct statement *statement)
{
    return statement->request->context;
}

/* ---- CREATE VIEW ---- */

static enum status draft_query(struct statement *statement, struct error *err)
{
    struct arena *arena = statement->request->arena;
    struct sql_view_draft *draft = &statement->draft;
    struct lang_problem problem;
    struct buf out;
    buf_init(&out, SQL_VIEW_TEXT_MAX);
    enum status status = lang_view_text(arena, &statement->query, &out, &problem);
    if (status == STATUS_OK)
        draft->query = arena_str(arena, buf_str(&out));
    buf_release(&out);
    if (status != STATUS_OK)
        return statement_fail(&problem, err);
    return draft->query.data ? STATUS_OK : error_no_memory(err);
}

static bool is_read(const struct sql_view_draft *draft, struct str name)
{
    for (size_t i = 0; i < draft->reads_len; i++) {
        if (str_eq_nocase(draft->reads[i], name))
            return true;
    }
    return false;
}

enum status sql_view_draft(struct statement *statement, struct error *err)
{
    struct arena *arena = statement->request->arena;
    struct sql_view_draft *draft = &statement->draft;
    struct lang_places places;
    if (lang_find_tables(arena, statement->query.root->kids[2], &places) != STATUS_OK)
        return error_no_memory(err);
    draft->reads = arena_array(arena, places.len + 1, sizeof *draft->reads);
    if (!draft->reads)
        return error_no_memory(err);
    for (size_t i = 0; i < places.len; i++) {
        struct str name = lang_place_name(places.tables[i]);
        if (name.data && !is_read(draft, name)) /* system tables are no sources */
            draft->reads[draft->reads_len++] = name;
    }
    return draft_query(statement, err);
}

static enum status check_column_names(const struct lang_source *source, struct error *err)
{
    for (size_t i = 0; i < source->count; i++) {
        struct str name = source->columns[i].name;
        if (!name.len)
            return error_set(err, STATUS_UNSUPPORTED_SQL,
                             "column %zu of the view has no name: write AS and a name behind it",
                             i + 1);
        for (size_t k = 0; k < i; k++) {
            if (str_eq_nocase(source->columns[k].name, name))
                return error_set(err, STATUS_UNSUPPORTED_SQL,
                                 "two columns of the view are named '%.*s': give one another name "
                                 "with AS",
                                 name.len < 100 ? (int)name.len : 100, name.data);
        }
    }
    return STATUS_OK;
}

/* Names and types once more, of what is kept; then the engine's own judgement. */
static enum status check(struct statement *statement, struct str name,
                         struct lang_source *ret_columns, struct error *err)
{
    const struct str *names, *types;
    uint32_t len;
    struct lang_view made;
    struct lang_catalog catalog = statement->catalog;
    catalog.count -= statement->views.len; /* they are found anew */
    TRY(sql_view_try(node_of(statement), statement->request->arena, name, statement->draft.query,
                     &catalog, &made, err));
    TRY(check_column_names(&made.source, err));
    *ret_columns = made.source;
    return sql_describe_query(statement, &names, &types, &len, err);
}

static void write_definition(struct statement *statement, struct str name, struct json_writer *w)
{
    const struct sql_view_draft *draft = &statement->draft;
    json_kv_str(w, "name", name);
    json_kv_str(w, "sql", statement->query.text);
    json_kv_strz(w, "dialect", lang_dialect_name(statement->query.dialect));
    json_kv_str(w, "query", draft->query);
    json_keyz(w, "reads");
    json_begin_array(w);
    for (size_t i = 0; i < draft->reads_len; i++)
        json_string(w, draft->reads[i]);
    json_end_array(w);
    json_kv_int(w, "created_us", sys_now_us(node_of(statement)->sys));
}

static enum status keep(struct statement *statement, struct str name, struct error *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, 4 * SQL_VIEW_TEXT_MAX);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    write_definition(statement, name, &w);
    json_end_object(&w);
    enum status status = buf_check(&text, "the view", err);
    if (status == STATUS_OK)
        status = sql_view_put(node_of(statement)->sql_views, buf_str(&text), err);
    buf_release(&text);
    return status;
}

/* ---- CREATE MATERIALIZED VIEW ---- */

static enum status read_every(const struct node *every, int64_t *ret_s, struct error *err)
{
    int64_t unit_s = !every                          ? 0
                     : str_is(every->text, "HOUR")   ? 3600
                     : str_is(every->text, "MINUTE") ? 60
                                                     : 1;
    *ret_s = 0;
    if (!every)
        return STATUS_OK;
    if (!str_to_int64(every->kids[0]->text, ret_s) || *ret_s < 1 ||
        *ret_s > MATVIEW_EVERY_MAX_S / unit_s)
        return error_set(err, STATUS_INVALID_ARGUMENT, "REFRESH EVERY takes 1 second to %d days",
                         MATVIEW_EVERY_MAX_S / 86400);
    *ret_s *= unit_s;
    return STATUS_OK;
}

static void put_column_list(struct buf *out, const struct lang_source *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        buf_append_str(out, i ? STR(", ") : STR(""));
        sql_put_name(out, columns->columns[i].name);
    }
}

/* With avg the content has more columns than the query: the draft gets them, `shown` is the query
 * of the others. */
static enum status add_state(struct statement *statement, struct str name,
                             const struct lang_source *columns, struct buf *shown,
                             struct error *err)
{
    struct arena *arena = statement->request->arena;
    struct sql_view_draft *draft = &statement->draft;
    struct lang_query query;
    struct lang_problem problem;
    struct lang_delta delta;
    struct buf out;
    if (lang_parse(arena, draft->query, LANG_DUCKDB, NULL, &query, &problem) != STATUS_OK)
        return statement_fail(&problem, err);
    if (lang_delta_of(arena, &query, &delta) != STATUS_OK)
        return error_no_memory(err);
    if (delta.kind != LANG_DELTA_GROUPS || !delta.has_avg)
        return STATUS_OK;
    if (lang_delta_add_state(arena, &query, &delta) != STATUS_OK)
        return error_no_memory(err);
    buf_init(&out, SQL_VIEW_TEXT_MAX);
    enum status status = lang_rewrite(arena, &query, &out, &problem);
    if (status == STATUS_OK)
        draft->query = arena_str(arena, buf_str(&out));
    buf_release(&out);
    if (status != STATUS_OK)
        return statement_fail(&problem, err);
    buf_append_str(shown, STR("SELECT "));
    put_column_list(shown, columns);
    buf_append_str(shown, STR(" FROM main."));
    sql_put_name(shown, name);
    return draft->query.data ? STATUS_OK : error_no_memory(err);
}

static enum status definition_text(struct statement *statement, struct str name, int64_t every_s,
                                   struct str shown, struct buf *text, struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, text);
    json_begin_object(&w);
    write_definition(statement, name, &w);
    json_keyz(&w, "materialized");
    json_begin_object(&w);
    json_kv_int(&w, "every_s", every_s);
    if (shown.len)
        json_kv_str(&w, "shown", shown);
    json_end_object(&w);
    json_end_object(&w);
    return buf_check(text, "the view", err);
}

static enum status keep_materialized(struct statement *statement, struct str name,
                                     const struct lang_source *columns, uint64_t *ret_rows,
                                     struct error *err)
{
    struct buf shown, text;
    int64_t every_s;
    TRY(read_every(kid(statement->query.root, 3), &every_s, err));
    buf_init(&shown, SQL_VIEW_TEXT_MAX);
    buf_init(&text, 4 * SQL_VIEW_TEXT_MAX);
    enum status status = add_state(statement, name, columns, &shown, err);
    if (status == STATUS_OK)
        status = buf_check(&shown, "the view", err);
    if (status == STATUS_OK)
        status = definition_text(statement, name, every_s, buf_str(&shown), &text, err);
    if (status == STATUS_OK)
        status = matview_create(node_of(statement), buf_str(&text), name, ret_rows, err);
    buf_release(&text);
    buf_release(&shown);
    return status;
}

/* ---- both ---- */

/* `*ret_done`: it is there and that is fine. */
static enum status check_name(struct statement *statement, struct str name, bool *ret_done,
                              struct error *err)
{
    uint32_t flags = statement->query.root->flags;
    TRY(source_check_id(name, err));
    struct sql_view *old = sql_view_find(node_of(statement)->sql_views, name);
    if (!old && sql_source_exists(statement, name))
        return error_set(err, STATUS_CONFLICT, "there is a source %.*s: take another name",
                         STR_ARG(name));
    *ret_done = old && (flags & NODE_TRY);
    bool replaced = (flags & NODE_REPLACE) && old && !old->materialized;
    bool taken = old && !(flags & NODE_TRY) && !replaced;
    sql_view_unref(old);
    return taken ? error_set(err, STATUS_CONFLICT,
                             "there is a view %.*s already: CREATE OR REPLACE VIEW replaces it",
                             STR_ARG(name))
                 : STATUS_OK;
}

static enum status create(struct statement *statement, uint64_t *ret_rows, struct error *err)
{
    const struct node *root = statement->query.root;
    struct lang_source columns = {0};
    struct str name;
    bool done = false, materialized = root->flags & NODE_MATERIALIZED;
    TRY(sql_admit(statement->request, "sources_add"));
    if (root->flags & NODE_TEMPORARY)
        return error_set(err, STATUS_UNSUPPORTED_SQL, "temporary views are not available");
    if (materialized && (root->flags & NODE_REPLACE))
        return error_set(err, STATUS_UNSUPPORTED_SQL,
                         "a materialised view cannot be replaced: drop it first");
    TRY(sql_plain_name(root->kids[0], &name, err));
    TRY(check_name(statement, name, &done, err));
    if (done)
        return STATUS_OK;
    TRY(check(statement, name, &columns, err));
    return materialized ? keep_materialized(statement, name, &columns, ret_rows, err)
                        : keep(statement, name, err);
}

/* ---- DROP VIEW, REFRESH ---- */

static enum status not_there(struct statement *statement, struct str name, struct error *err)
{
    if (sql_source_exists(statement, name))
        return error_set(err, STATUS_CONFLICT, "%.*s is a source: DROP TABLE removes it",
                         STR_ARG(name));
    if (statement->query.root->flags & NODE_TRY)
        return STATUS_OK;
    return error_set(err, STATUS_NOT_FOUND, "there is no view %.*s", STR_ARG(name));
}

static enum status drop(struct statement *statement, struct error *err)
{
    const struct node *root = statement->query.root;
    struct tenant_node *node = node_of(statement);
    struct str name;
    TRY(sql_admit(statement->request, "sources_remove"));
    TRY(sql_plain_name(root->kids[0], &name, err));
    struct sql_view *view = sql_view_find(node->sql_views, name);
    if (!view)
        return not_there(statement, name, err);
    bool materialized = view->materialized != NULL, meant = root->flags & NODE_MATERIALIZED;
    struct str id = arena_str(statement->request->arena, view->name);
    sql_view_unref(view);
    if (materialized != meant)
        return error_set(err, STATUS_CONFLICT, "%.*s is a %s view: DROP %sVIEW removes it",
                         STR_ARG(name), materialized ? "materialised" : "plain",
                         materialized ? "MATERIALIZED " : "");
    return materialized ? matview_drop(node, id, err) : sql_view_remove(node->sql_views, id, err);
}

static enum status run_refresh(struct statement *statement, uint64_t *ret_rows, struct error *err)
{
    struct str name;
    TRY(sql_admit(statement->request, "data_write"));
    TRY(sql_plain_name(statement->query.root->kids[0], &name, err));
    return matview_run(node_of(statement), name, ret_rows, err);
}

enum status handle_sql_view(struct statement *statement, struct error *err)
{
    struct sql_affected affected = {0};
    switch (statement->query.statement) {
    case LANG_CREATE_VIEW:
        TRY(create(statement, &affected.inserted, err));
        break;
    case LANG_REFRESH:
        TRY(run_refresh(statement, &affected.inserted, err));
        break;
    default:
        TRY(drop(statement, err));
        break;
    }
    return sql_answer_affected(statement, &affected, err);
}

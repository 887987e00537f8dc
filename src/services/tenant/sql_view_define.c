/* sql_view_define.c: CREATE VIEW and DROP VIEW on POST /query/sql.
 *
 * A view is checked wholly before it is kept: names and types by the binder, the rest by asking the
 * engine for its columns. Then one file is replaced (sql_view.c). */
#include <stdio.h>

#include "query/lang/node.h"
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
static enum status check(struct statement *statement, struct str name, struct error *err)
{
    const struct str *names, *types;
    uint32_t len;
    struct lang_view made;
    struct lang_catalog catalog = statement->catalog;
    catalog.count -= statement->views.len; /* they are found anew */
    TRY(sql_view_try(node_of(statement), statement->request->arena, name, statement->draft.query,
                     &catalog, &made, err));
    TRY(check_column_names(&made.source, err));
    return sql_describe_query(statement, &names, &types, &len, err);
}

static enum status keep(struct statement *statement, struct str name, struct error *err)
{
    struct tenant_node *node = node_of(statement);
    const struct sql_view_draft *draft = &statement->draft;
    struct buf text;
    struct json_writer w;
    buf_init(&text, 4 * SQL_VIEW_TEXT_MAX);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    json_kv_str(&w, "name", name);
    json_kv_str(&w, "sql", statement->query.text);
    json_kv_strz(&w, "dialect", lang_dialect_name(statement->query.dialect));
    json_kv_str(&w, "query", draft->query);
    json_keyz(&w, "reads");
    json_begin_array(&w);
    for (size_t i = 0; i < draft->reads_len; i++)
        json_string(&w, draft->reads[i]);
    json_end_array(&w);
    json_kv_int(&w, "created_us", sys_now_us(node->sys));
    json_end_object(&w);
    enum status status = buf_check(&text, "the view", err);
    if (status == STATUS_OK)
        status = sql_view_put(node->sql_views, buf_str(&text), err);
    buf_release(&text);
    return status;
}

/* `*ret_done`: it is there and that is fine. */
static enum status check_name(struct statement *statement, struct str name, bool *ret_done,
                              struct error *err)
{
    uint32_t flags = statement->query.root->flags;
    TRY(source_check_id(name, err));
    if (sql_source_exists(statement, name))
        return error_set(err, STATUS_CONFLICT, "there is a source %.*s: take another name",
                         STR_ARG(name));
    struct sql_view *old = sql_view_find(node_of(statement)->sql_views, name);
    *ret_done = old && (flags & NODE_TRY);
    bool taken = old && !(flags & (NODE_TRY | NODE_REPLACE));
    sql_view_unref(old);
    return taken ? error_set(err, STATUS_CONFLICT,
                             "there is a view %.*s already: CREATE OR REPLACE VIEW replaces it",
                             STR_ARG(name))
                 : STATUS_OK;
}

static enum status create(struct statement *statement, struct error *err)
{
    const struct node *root = statement->query.root;
    struct str name;
    bool done = false;
    TRY(sql_admit(statement->request, "sources_add"));
    if (root->flags & (NODE_TEMPORARY | NODE_MATERIALIZED))
        return error_set(err, STATUS_UNSUPPORTED_SQL, "temporary views are not available");
    TRY(sql_plain_name(root->kids[0], &name, err));
    TRY(check_name(statement, name, &done, err));
    if (done)
        return STATUS_OK;
    TRY(check(statement, name, err));
    return keep(statement, name, err);
}

/* ---- DROP VIEW ---- */

static enum status drop(struct statement *statement, struct error *err)
{
    const struct node *root = statement->query.root;
    struct str name;
    TRY(sql_admit(statement->request, "sources_remove"));
    TRY(sql_plain_name(root->kids[0], &name, err));
    struct sql_view *view = sql_view_find(node_of(statement)->sql_views, name);
    bool is_there = view != NULL;
    sql_view_unref(view);
    if (!is_there && sql_source_exists(statement, name))
        return error_set(err, STATUS_CONFLICT, "%.*s is a source: DROP TABLE removes it",
                         STR_ARG(name));
    if (!is_there && (root->flags & NODE_TRY))
        return STATUS_OK;
    return sql_view_remove(node_of(statement)->sql_views, name, err);
}

enum status handle_sql_view(struct statement *statement, struct error *err)
{
    struct sql_affected affected = {0};
    TRY(statement->query.statement == LANG_CREATE_VIEW ? create(statement, err)
                                                       : drop(statement, err));
    return sql_answer_affected(statement, &affected, err);
}

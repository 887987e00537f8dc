/* change.c: statements that change rows, as queries.
 *
 *   DELETE FROM t USING u WHERE c
 *     SELECT t.unit, t.row, 3 FROM target AS t, u WHERE c
 *   UPDATE t SET a = x FROM u WHERE c
 *     SELECT t.unit, t.row, 2, CAST(x AS type), t.b FROM target AS t, u WHERE c ORDER BY unit, row
 *   INSERT INTO t (a) query
 *     SELECT NULL, NULL, 1, CAST(q.a AS type), NULL FROM (query) AS q(a)
 *   MERGE INTO t USING s ON c WHEN MATCHED ...
 *     SELECT t.unit, t.row, CASE WHEN ... END, ... FROM target AS t JOIN s ON c
 *     UNION ALL SELECT NULL, NULL, ..., ... FROM s WHERE NOT EXISTS (SELECT 1 FROM target AS t
 * WHERE c)
 *
 * The parts of the statement are lowered; what is put around them is lowered already. */
#include "query/lang/change_int.h"

#include "query/lang/token.h"
#include "query/lang/write_int.h"

static struct str alias_of(const struct node *table)
{
    const struct node *ref = table->kids[0];
    return table->kids[1] ? table->kids[1]->text : ref->kids[ref->count - 1]->text;
}

/* [target, the tables of FROM or USING] */
static struct node *from_list(struct maker *m, const struct node *others)
{
    struct node *list = lower_node(&m->l, N_LIST, "", list_count(others) + 1, NULL);
    if (m->l.status != STATUS_OK)
        return list;
    list->kids[0] = change_target_node(m);
    for (size_t i = 0; i < list_count(others); i++)
        list->kids[i + 1] = lower_tree(&m->l, others->kids[i]);
    return list;
}

/* ---- statements ---- */

static struct node *make_delete(struct maker *m, const struct node *root)
{
    struct node *items = change_item_list(m, true, change_action_node(m, LANG_REMOVE), NULL);
    struct node *select =
        change_select_node(m, items, from_list(m, root->kids[1]), lower_tree(&m->l, root->kids[2]));
    change_with_of(m, select, root->kids[3]);
    return select;
}

static struct node *make_update(struct maker *m, const struct node *root)
{
    struct node **values = change_assigned(m, root->kids[1]);
    for (size_t i = 0; i < m->change->columns_len && m->l.status == STATUS_OK; i++) {
        if (!values[i])
            values[i] = change_column_of(m, m->alias, m->change->columns[i].name);
    }
    if (m->l.status != STATUS_OK)
        return NULL;
    struct node *items = change_item_list(m, true, change_action_node(m, LANG_REPLACE), values);
    struct node *select =
        change_select_node(m, items, from_list(m, root->kids[2]), lower_tree(&m->l, root->kids[3]));
    change_with_of(m, select, root->kids[4]);
    if (root->kids[2])
        change_order_by_place(m, select);
    return select;
}

/* Also of CREATE TABLE AS, whose second and third slot are the same. */
static struct node *make_insert(struct maker *m, const struct node *root, size_t *ret_values)
{
    size_t len;
    const struct node *query = root->kids[2];
    const struct node *names = root->kind == N_INSERT ? root->kids[1] : NULL;
    const size_t *order = change_insert_order(m, names, &len);
    struct node **values =
        arena_array(m->l.arena, m->change->columns_len + 1, sizeof(struct node *));
    if (!query || (root->kind == N_INSERT && (root->flags & NODE_REPLACE)))
        change_refuse(m, root, STR("INSERT"), "this form is not available:");
    if (m->l.status != STATUS_OK || !values || !order)
        return NULL;
    *ret_values = len;
    if (query->kind == N_VALUES)
        change_check_value_rows(m, query, len);
    struct node *labels = lower_node(&m->l, N_LIST, "", len, NULL);
    for (size_t i = 0; i < len && m->l.status == STATUS_OK; i++) {
        const char *name = arena_printf(m->l.arena, "v%zu", i + 1);
        labels->kids[i] = change_ident(m, str_of(name ? name : "v"));
        values[order[i]] = change_cast_to(
            m, change_column_of(m, STR("quarry rows"), labels->kids[i]->text), order[i]);
    }
    for (size_t i = 0; i < m->change->columns_len && m->l.status == STATUS_OK; i++) {
        if (!values[i])
            values[i] = change_cast_to(m, change_null_node(m), i);
    }
    struct node *from = lower_node(&m->l, N_TABLE_QUERY, "", 3, NULL);
    struct node *alias = change_named(m, NULL, STR("quarry rows"));
    if (m->l.status != STATUS_OK)
        return NULL;
    from->kids[0] = lower_tree(&m->l, query);
    from->kids[1] = alias;
    alias->kids[1] = labels;
    struct node *list = lower_list_of(&m->l, N_LIST, &from, 1, NULL);
    struct node *select = change_select_node(
        m, change_item_list(m, false, change_action_node(m, LANG_ADD), values), list, NULL);
    change_with_of(m, select, root->kind == N_INSERT ? root->kids[3] : NULL);
    return select;
}

/* ---- the face ---- */

struct str lang_change_target(const struct lang_query *query, size_t *ret_offset)
{
    const struct node *root = query->root;
    if (root->kind != N_INSERT && root->kind != N_UPDATE && root->kind != N_DELETE &&
        root->kind != N_MERGE)
        return STR_NONE;
    const struct node *ref = node_is(root->kids[0], N_TABLE) ? root->kids[0]->kids[0] : NULL;
    *ret_offset = root->kids[0]->offset;
    return node_is(ref, N_REF) && ref->count ? ref->kids[ref->count - 1]->text : STR_NONE;
}

static struct node *returning_of(const struct node *root)
{
    return root->kind == N_INSERT || root->kind == N_UPDATE ? root->kids[5]
           : root->kind == N_DELETE                         ? root->kids[4]
                                                            : NULL;
}

static enum status write_made(struct maker *m, const struct node *made,
                              const struct lang_query *query, struct buf *out)
{
    if (m->l.status != STATUS_OK || !made) {
        problem_place(m->l.problem, query->text);
        return m->l.status != STATUS_OK ? m->l.status : STATUS_NO_MEMORY;
    }
    struct writer w = {.arena = m->l.arena,
                       .out = out,
                       .target = &target_duckdb,
                       .id = LANG_DUCKDB,
                       .problem = m->l.problem};
    emit_statement(&w, made);
    if (w.status != STATUS_OK)
        problem_place(m->l.problem, query->text);
    return w.status != STATUS_OK ? w.status : buf_failed(out) ? STATUS_TOO_LARGE : STATUS_OK;
}

static struct maker maker_of(struct arena *arena, const struct lang_query *query,
                             struct lang_problem *problem)
{
    *problem = (struct lang_problem){.code = LANG_NO_MEMORY};
    return (struct maker){.l = {.arena = arena,
                                .dialect = dialect_of(query->dialect),
                                .id = query->dialect,
                                .text = query->text,
                                .problem = problem}};
}

enum status lang_change_query(struct arena *arena, struct lang_query *query,
                              struct lang_change *change, struct buf *out, size_t *ret_values,
                              struct lang_problem *problem)
{
    const struct node *root = query->root;
    struct maker m = maker_of(arena, query, problem);
    struct node *made = NULL;
    m.change = change;
    m.alias = root->kind == N_CREATE_TABLE ? STR_NONE : alias_of(root->kids[0]);
    *ret_values = 0;
    if (!change_number_parameters(arena, query->root))
        return STATUS_NO_MEMORY;
    if (returning_of(root))
        change_refuse(&m, returning_of(root), STR("RETURNING"), "this is not available here:");
    else if (root->kind == N_DELETE)
        made = make_delete(&m, root);
    else if (root->kind == N_UPDATE)
        made = make_update(&m, root);
    else if (root->kind == N_INSERT || root->kind == N_CREATE_TABLE)
        made = make_insert(&m, root, ret_values);
    else
        made = change_merge(&m, root);
    return write_made(&m, made, query, out);
}

/* SELECT * FROM (query) LIMIT 0 */
static struct node *without_rows(struct maker *m, struct node *query)
{
    struct node *from = lower_node(&m->l, N_TABLE_QUERY, "", 3, NULL);
    struct node *star = lower_node(&m->l, N_STAR, "", 5, NULL);
    if (m->l.status != STATUS_OK)
        return NULL;
    from->kids[0] = query;
    from->kids[1] = change_named(m, NULL, STR("quarry rows"));
    struct node *select = change_select_node(m, lower_list_of(&m->l, N_LIST, &star, 1, NULL),
                                             lower_list_of(&m->l, N_LIST, &from, 1, NULL), NULL);
    struct node *none = lower_number(&m->l, 0, NULL);
    if (m->l.status == STATUS_OK)
        select->kids[SLOT_LIMIT] = none;
    return select;
}

enum status lang_source_query(struct arena *arena, struct lang_query *query, bool no_rows,
                              struct buf *out, struct lang_problem *problem)
{
    const struct node *root = query->root;
    struct maker m = maker_of(arena, query, problem);
    if (!change_number_parameters(arena, query->root))
        return STATUS_NO_MEMORY;
    struct node *made = root->kids[2] ? lower_tree(&m.l, root->kids[2]) : NULL;
    if (made && root->kind == N_INSERT)
        change_with_of(&m, made, root->kids[3]);
    if (made && no_rows && m.l.status == STATUS_OK)
        made = without_rows(&m, made);
    return write_made(&m, made, query, out);
}

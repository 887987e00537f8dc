/* write_query.c: queries, tables, and the statements around them. */
#include "query/lang/write_int.h"

/* ---- queries ---- */

static void write_with(struct writer *w, const struct node *with)
{
    write_text(w, with->flags & NODE_RECURSIVE ? "WITH RECURSIVE " : "WITH ");
    for (size_t i = 0; i < with->count; i++) {
        const struct node *cte = with->kids[i];
        if (i)
            write_text(w, ", ");
        if (cte->kids[1] && !node_is_query(cte->kids[1])) { /* ClickHouse: value AS name */
            write_node(w, cte->kids[1], 0);
            write_text(w, " AS ");
            write_name(w, cte->text, false);
            continue;
        }
        write_name(w, cte->text, cte->flags & NODE_QUOTED);
        if (cte->kids[0]) {
            write_text(w, "(");
            write_list(w, cte->kids[0]);
            write_text(w, ")");
        }
        if (cte->kids[2]) {
            write_text(w, " USING KEY (");
            write_list(w, cte->kids[2]);
            write_text(w, ")");
        }
        write_text(w, " AS ");
        if (cte->flags & NODE_MATERIALIZED)
            write_text(w, cte->flags & NODE_NOT ? "NOT MATERIALIZED " : "MATERIALIZED ");
        write_text(w, "(");
        write_query(w, cte->kids[1]);
        write_text(w, ")");
    }
    write_text(w, " ");
}

static void write_group(struct writer *w, const struct node *group)
{
    if (group->flags & NODE_ALL) {
        write_text(w, "ALL");
        return;
    }
    for (size_t i = 0; i < group->count; i++) {
        const struct node *item = group->kids[i];
        if (i)
            write_text(w, ", ");
        if (item->kind != N_GROUPING) {
            write_node(w, item, 0);
            continue;
        }
        write_text(w, str_is(item->text, "SETS") ? "GROUPING SETS" : "");
        if (!str_is(item->text, "SETS"))
            write_str(w, item->text);
        write_text(w, " (");
        for (size_t k = 0; k < item->count; k++) {
            const struct node *set = item->kids[k];
            if (k)
                write_text(w, ", ");
            if (node_is(set, N_ROW) && set->count < 2) {
                write_text(w, "(");
                write_list(w, set);
                write_text(w, ")");
            } else if (set->kind == N_GROUPING) {
                struct node one = {
                    .kind = N_LIST, .count = 1, .kids = (struct node **)&item->kids[k]};
                write_group(w, &one);
            } else if ((set->flags & NODE_PAREN) && set->kind != N_ROW) {
                write_text(w, "(");
                write_node(w, set, 0);
                write_text(w, ")");
            } else {
                write_node(w, set, 0);
            }
        }
        write_text(w, ")");
    }
}

static void write_sample(struct writer *w, const struct node *sample, const char *before)
{
    write_text(w, before);
    if (sample->text.len) {
        write_str(w, sample->text);
        write_text(w, " ");
    }
    write_text(w, "(");
    write_node(w, sample->kids[0], 0);
    write_text(w, sample->flags & NODE_PERCENT ? " PERCENT)" : " ROWS)");
    if (sample->kids[1]) {
        write_text(w, " REPEATABLE (");
        write_node(w, sample->kids[1], 0);
        write_text(w, ")");
    }
}

static void write_clause(struct writer *w, const char *word, const struct node *node)
{
    if (!node)
        return;
    write_text(w, word);
    write_node(w, node, 0);
}

static void write_windows(struct writer *w, const struct node *windows)
{
    write_text(w, " WINDOW ");
    for (size_t i = 0; i < windows->count; i++) {
        if (i)
            write_text(w, ", ");
        write_name(w, windows->kids[i]->text, false);
        write_text(w, " AS ");
        write_window(w, windows->kids[i]->kids[0]);
    }
}

static void write_select(struct writer *w, const struct node *select)
{
    write_text(w, "SELECT ");
    if (select->flags & NODE_DISTINCT)
        write_text(w, "DISTINCT ");
    if (select->kids[SELECT_DISTINCT_ON]) {
        write_text(w, "ON (");
        write_list(w, select->kids[SELECT_DISTINCT_ON]);
        write_text(w, ") ");
    }
    if (select->kids[SELECT_ITEMS])
        write_list(w, select->kids[SELECT_ITEMS]);
    else
        write_text(w, "*");
    const struct node *from = select->kids[SELECT_FROM];
    for (size_t i = 0; i < list_count(from); i++) {
        write_text(w, i ? ", " : " FROM ");
        write_table(w, from->kids[i]);
    }
    write_clause(w, " WHERE ", select->kids[SELECT_WHERE]);
    if (select->kids[SELECT_GROUP]) {
        write_text(w, " GROUP BY ");
        write_group(w, select->kids[SELECT_GROUP]);
    }
    write_clause(w, " HAVING ", select->kids[SELECT_HAVING]);
    if (select->kids[SELECT_WINDOWS])
        write_windows(w, select->kids[SELECT_WINDOWS]);
    write_clause(w, " QUALIFY ", select->kids[SELECT_QUALIFY]);
    if (select->kids[SELECT_SAMPLE])
        write_sample(w, select->kids[SELECT_SAMPLE], " USING SAMPLE ");
}

/* One side of a set operation. */
static void write_side(struct writer *w, const struct node *side, const struct node *parent,
                       bool right)
{
    bool tail = side->kids[SLOT_WITH] || side->kids[SLOT_ORDER] || side->kids[SLOT_LIMIT] ||
                side->kids[SLOT_OFFSET];
    bool inner = side->kind == N_SETOP &&
                 (right || (!str_is(side->text, "INTERSECT") && str_is(parent->text, "INTERSECT")));
    bool parens = tail || inner;
    if (parens)
        write_text(w, "(");
    write_query(w, side);
    if (parens)
        write_text(w, ")");
}

static void write_setop(struct writer *w, const struct node *node)
{
    write_side(w, node->kids[SETOP_LEFT], node, false);
    write_text(w, " ");
    write_str(w, node->text);
    if (node->flags & NODE_ALL)
        write_text(w, " ALL");
    if (node->flags & NODE_BY_NAME)
        write_text(w, " BY NAME");
    write_text(w, " ");
    write_side(w, node->kids[SETOP_RIGHT], node, true);
}

static void write_values(struct writer *w, const struct node *node)
{
    const struct node *rows = node->kids[VALUES_ROWS];
    write_text(w, "VALUES ");
    for (size_t i = 0; i < rows->count; i++) {
        write_text(w, i ? ", (" : "(");
        write_list(w, rows->kids[i]);
        write_text(w, ")");
    }
}

static void write_limit(struct writer *w, const struct node *query)
{
    if (query->kids[SLOT_LIMIT]) {
        write_text(w, " LIMIT ");
        write_node(w, query->kids[SLOT_LIMIT], 70);
        if (query->flags & NODE_PERCENT)
            write_text(w, " PERCENT");
        if (query->flags & NODE_TIES)
            write_unsupported(w, query, STR("WITH TIES"));
    }
    if (query->kids[SLOT_OFFSET]) {
        write_text(w, " OFFSET ");
        write_node(w, query->kids[SLOT_OFFSET], 70);
    }
}

void write_query(struct writer *w, const struct node *query)
{
    if (!query || w->status != STATUS_OK)
        return;
    if (query->kids[SLOT_WITH])
        write_with(w, query->kids[SLOT_WITH]);
    if (query->kind == N_SETOP)
        write_setop(w, query);
    else if (query->kind == N_VALUES)
        write_values(w, query);
    else
        write_select(w, query);
    if (query->kids[SLOT_ORDER]) {
        write_text(w, " ORDER BY ");
        write_order(w, query->kids[SLOT_ORDER]);
    }
    write_limit(w, query);
}

/* ---- tables ---- */

static void write_table_alias(struct writer *w, const struct node *alias)
{
    if (!alias)
        return;
    if (alias->text.len) {
        write_text(w, " AS ");
        write_name(w, alias->text, alias->flags & NODE_QUOTED);
    }
    if (alias->kids[1]) {
        write_text(w, alias->text.len ? "(" : " AS _t(");
        write_list(w, alias->kids[1]);
        write_text(w, ")");
    }
}

static void write_join(struct writer *w, const struct node *join)
{
    write_table(w, join->kids[0]);
    write_text(w, " ");
    if (join->flags & NODE_NATURAL)
        write_text(w, "NATURAL ");
    if (join->flags & NODE_ASOF)
        write_text(w, "ASOF ");
    if (!str_is(join->text, "INNER")) {
        write_str(w, join->text);
        write_text(w, " ");
    }
    write_text(w, "JOIN ");
    bool nested = node_is(join->kids[1], N_JOIN);
    write_text(w, nested ? "(" : "");
    write_table(w, join->kids[1]);
    write_text(w, nested ? ")" : "");
    write_clause(w, " ON ", join->kids[2]);
    if (join->kids[3]) {
        write_text(w, " USING (");
        write_list(w, join->kids[3]);
        write_text(w, ")");
    }
}

static void write_pivot(struct writer *w, const struct node *pivot)
{
    write_table(w, pivot->kids[0]);
    write_text(w, !(pivot->flags & NODE_NOT) ? " PIVOT("
                  : pivot->flags & NODE_ALL  ? " UNPIVOT INCLUDE NULLS ("
                                             : " UNPIVOT(");
    write_list(w, pivot->kids[1]);
    write_text(w, " FOR ");
    write_node(w, pivot->kids[2], 0);
    write_text(w, " IN (");
    write_list(w, pivot->kids[3]);
    write_text(w, ")");
    if (pivot->kids[4]) {
        write_text(w, " GROUP BY ");
        write_list(w, pivot->kids[4]);
    }
    write_text(w, ")");
    write_table_alias(w, pivot->kids[5]);
}

static void write_table_query(struct writer *w, const struct node *table)
{
    if (table->flags & NODE_LATERAL)
        write_text(w, "LATERAL ");
    write_text(w, "(");
    write_query(w, table->kids[0]);
    write_text(w, ")");
    write_table_alias(w, table->kids[1]);
    if (table->kids[2])
        write_sample(w, table->kids[2], " TABLESAMPLE ");
}

void write_table(struct writer *w, const struct node *table)
{
    if (!table || w->status != STATUS_OK)
        return;
    switch (table->kind) {
    case N_TABLE:
        write_node(w, table->kids[0], 0);
        write_table_alias(w, table->kids[1]);
        if (table->kids[2])
            write_sample(w, table->kids[2], " TABLESAMPLE ");
        break;
    case N_TABLE_CALL:
        if (table->flags & NODE_LATERAL)
            write_text(w, "LATERAL ");
        write_node(w, table->kids[0], 0);
        if (table->flags & NODE_ORDINALITY)
            write_text(w, " WITH ORDINALITY");
        write_table_alias(w, table->kids[1]);
        if (table->kids[2])
            write_sample(w, table->kids[2], " TABLESAMPLE ");
        break;
    case N_TABLE_QUERY:
        write_table_query(w, table);
        break;
    case N_TABLE_JOINED:
        write_text(w, "(");
        write_table(w, table->kids[0]);
        write_text(w, ")");
        write_table_alias(w, table->kids[1]);
        break;
    case N_JOIN:
        write_join(w, table);
        break;
    case N_PIVOT:
        write_pivot(w, table);
        break;
    default:
        write_node(w, table, 0);
        break;
    }
}

/* ---- statements ---- */

static void write_returning(struct writer *w, const struct node *items)
{
    if (!items)
        return;
    write_text(w, " RETURNING ");
    write_list(w, items);
}

static void write_assignments(struct writer *w, const struct node *list)
{
    for (size_t i = 0; i < list->count; i++) {
        write_text(w, i ? ", " : "");
        write_node(w, list->kids[i]->kids[0], 0);
        write_text(w, " = ");
        write_node(w, list->kids[i]->kids[1], 0);
    }
}

static void write_insert(struct writer *w, const struct node *node)
{
    if (node->kids[3])
        write_with(w, node->kids[3]);
    write_text(w, node->flags & NODE_REPLACE ? "INSERT OVERWRITE " : "INSERT INTO ");
    write_table(w, node->kids[0]);
    if (node->kids[1]) {
        write_text(w, " (");
        write_list(w, node->kids[1]);
        write_text(w, ")");
    }
    if (node->flags & NODE_ALL) {
        write_text(w, " DEFAULT VALUES");
    } else {
        write_text(w, " ");
        write_query(w, node->kids[2]);
    }
    write_returning(w, node->kids[5]);
}

static void write_tables(struct writer *w, const char *word, const struct node *list)
{
    for (size_t i = 0; i < list_count(list); i++) {
        write_text(w, i ? ", " : word);
        write_table(w, list->kids[i]);
    }
}

static void write_update(struct writer *w, const struct node *node)
{
    if (node->kids[4])
        write_with(w, node->kids[4]);
    write_text(w, "UPDATE ");
    write_table(w, node->kids[0]);
    write_text(w, " SET ");
    write_assignments(w, node->kids[1]);
    write_tables(w, " FROM ", node->kids[2]);
    write_clause(w, " WHERE ", node->kids[3]);
    write_returning(w, node->kids[5]);
}

static void write_delete(struct writer *w, const struct node *node)
{
    if (node->kids[3])
        write_with(w, node->kids[3]);
    write_text(w, "DELETE FROM ");
    write_table(w, node->kids[0]);
    write_tables(w, " USING ", node->kids[1]);
    write_clause(w, " WHERE ", node->kids[2]);
    write_returning(w, node->kids[4]);
}

static void write_column(struct writer *w, const struct node *column)
{
    write_name(w, column->text, column->flags & NODE_QUOTED);
    write_text(w, " ");
    write_type(w, column->kids[0]);
    if (column->flags & NODE_NOT)
        write_text(w, " NOT NULL");
    write_clause(w, " DEFAULT ", column->kids[1]);
    write_clause(w, " COMMENT ", column->kids[2]);
}

static void write_create(struct writer *w, const struct node *node)
{
    write_text(w, node->flags & NODE_REPLACE ? "CREATE OR REPLACE " : "CREATE ");
    write_text(w, node->flags & NODE_TEMPORARY ? "TEMPORARY " : "");
    write_text(w, node->flags & NODE_MATERIALIZED ? "MATERIALIZED " : "");
    write_text(w, node->kind == N_CREATE_VIEW ? "VIEW " : "TABLE ");
    write_text(w, node->flags & NODE_TRY ? "IF NOT EXISTS " : "");
    write_node(w, node->kids[0], 0);
    if (node->kids[1]) {
        write_text(w, " (");
        for (size_t i = 0; i < node->kids[1]->count; i++) {
            write_text(w, i ? ", " : "");
            if (node->kids[1]->kids[i]->kind == N_COLUMN_DEF)
                write_column(w, node->kids[1]->kids[i]);
            else
                write_node(w, node->kids[1]->kids[i], 0);
        }
        if (node->kind == N_CREATE_TABLE && kid(node, 3)) {
            write_text(w, ", PRIMARY KEY (");
            write_list(w, kid(node, 3));
            write_text(w, ")");
        }
        write_text(w, ")");
    }
    if (kid(node, 4)) {
        if (!w->target->canonical)
            write_unsupported(w, node, STR("PARTITION BY"));
        write_text(w, " PARTITION BY (");
        write_list(w, kid(node, 4));
        write_text(w, ")");
    }
    if (node->kind == N_CREATE_VIEW && kid(node, 3)) {
        if (!w->target->canonical)
            write_unsupported(w, node, STR("REFRESH EVERY"));
        write_text(w, " REFRESH EVERY ");
        write_node(w, kid(node, 3)->kids[0], 0);
        write_text(w, " ");
        write_str(w, kid(node, 3)->text);
        write_text(w, "S");
    }
    if (node->kids[2]) {
        write_text(w, " AS ");
        write_query(w, node->kids[2]);
    }
}

static void write_column_change(struct writer *w, const struct node *action)
{
    struct str what = action->text;
    write_clause(w, "ALTER COLUMN ", action->kids[0]);
    if (str_is(what, "TYPE"))
        write_clause(w, " TYPE ", action->kids[1]);
    else if (str_is(what, "COMMENT"))
        write_clause(w, " COMMENT ", action->kids[1]);
    else if (str_is(what, "DEFAULT") && action->kids[1])
        write_clause(w, " SET DEFAULT ", action->kids[1]);
    else
        write_text(w, str_is(what, "DEFAULT")    ? " DROP DEFAULT"
                      : str_is(what, "REQUIRED") ? " SET NOT NULL"
                                                 : " DROP NOT NULL");
}

static void write_alter(struct writer *w, const struct node *node)
{
    write_text(w, "ALTER TABLE ");
    write_node(w, node->kids[0], 0);
    for (size_t i = 0; i < node->kids[1]->count; i++) {
        const struct node *action = node->kids[1]->kids[i];
        write_text(w, i ? ", " : " ");
        if (str_is(action->text, "ADD")) {
            write_text(w, "ADD COLUMN ");
            write_column(w, action->kids[0]);
        } else if (str_is(action->text, "DROP")) {
            write_clause(w, "DROP COLUMN ", action->kids[0]);
        } else if (str_is(action->text, "RENAME TO")) {
            write_clause(w, "RENAME TO ", action->kids[0]);
        } else if (str_is(action->text, "RENAME")) {
            write_clause(w, "RENAME COLUMN ", action->kids[0]);
            write_clause(w, " TO ", action->kids[1]);
        } else {
            write_column_change(w, action);
        }
    }
}

static void write_merge(struct writer *w, const struct node *node)
{
    write_text(w, "MERGE INTO ");
    write_table(w, node->kids[0]);
    write_text(w, " USING ");
    write_table(w, node->kids[1]);
    write_clause(w, " ON ", node->kids[2]);
    for (size_t i = 0; i < node->kids[3]->count; i++) {
        const struct node *branch = node->kids[3]->kids[i];
        size_t space = branch->text.len;
        while (space > 0 && branch->text.data[space - 1] != ' ')
            space--;
        write_text(w, " WHEN ");
        write_str(w, str_make(branch->text.data, space ? space - 1 : 0));
        write_clause(w, " AND ", branch->kids[0]);
        write_text(w, " THEN ");
        write_str(w, str_make(branch->text.data + space, branch->text.len - space));
        if (branch->kids[1]) {
            write_text(w, " (");
            write_list(w, branch->kids[1]);
            write_text(w, ")");
        }
        if (node_is(branch->kids[2], N_LIST)) {
            write_text(w, " SET ");
            write_assignments(w, branch->kids[2]);
        } else if (branch->kids[2]) {
            write_text(w, " ");
            write_query(w, branch->kids[2]);
        }
    }
}

void write_statement(struct writer *w, const struct node *node)
{
    switch (node->kind) {
    case N_INSERT:
        write_insert(w, node);
        break;
    case N_UPDATE:
        write_update(w, node);
        break;
    case N_DELETE:
        write_delete(w, node);
        break;
    case N_MERGE:
        write_merge(w, node);
        break;
    case N_CREATE_TABLE:
    case N_CREATE_VIEW:
        write_create(w, node);
        break;
    case N_ALTER:
        write_alter(w, node);
        break;
    case N_DROP:
        write_text(w, node->flags & NODE_MATERIALIZED ? "DROP MATERIALIZED " : "DROP ");
        write_str(w, node->text);
        write_text(w, node->flags & NODE_TRY ? " IF EXISTS " : " ");
        write_node(w, node->kids[0], 0);
        break;
    case N_SHOW:
        write_text(w, "SHOW ");
        write_str(w, node->text);
        write_clause(w, str_is(node->text, "CREATE VIEW") ? " " : " FROM ", node->kids[0]);
        break;
    case N_REFRESH:
        write_clause(w, "REFRESH MATERIALIZED VIEW ", node->kids[0]);
        break;
    case N_DESCRIBE:
        write_clause(w, "DESCRIBE ", node->kids[0]);
        break;
    case N_EXPLAIN:
        write_text(w, node->flags & NODE_ALL ? "EXPLAIN ANALYZE " : "EXPLAIN ");
        write_statement(w, node->kids[0]);
        break;
    case N_OTHER:
        write_unsupported(w, node, node->text);
        break;
    default:
        write_query(w, node);
        break;
    }
}

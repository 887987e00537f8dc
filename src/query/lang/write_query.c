/* write_query.c: queries, tables, and the statements around them. */
#include "query/lang/write_int.h"

/* ---- queries ---- */

static void write_with(struct writer *w, const struct node *with)
{
    emit_text(w, with->flags & NODE_RECURSIVE ? "WITH RECURSIVE " : "WITH ");
    for (size_t i = 0; i < with->count; i++) {
        const struct node *cte = with->kids[i];
        if (i)
            emit_text(w, ", ");
        if (cte->kids[1] && !node_is_query(cte->kids[1])) { /* ClickHouse: value AS name */
            emit_node(w, cte->kids[1], 0);
            emit_text(w, " AS ");
            emit_name(w, cte->text, false);
            continue;
        }
        emit_name(w, cte->text, cte->flags & NODE_QUOTED);
        if (cte->kids[0]) {
            emit_text(w, "(");
            emit_list(w, cte->kids[0]);
            emit_text(w, ")");
        }
        if (cte->kids[2]) {
            emit_text(w, " USING KEY (");
            emit_list(w, cte->kids[2]);
            emit_text(w, ")");
        }
        emit_text(w, " AS ");
        if (cte->flags & NODE_MATERIALIZED)
            emit_text(w, cte->flags & NODE_NOT ? "NOT MATERIALIZED " : "MATERIALIZED ");
        emit_text(w, "(");
        emit_query(w, cte->kids[1]);
        emit_text(w, ")");
    }
    emit_text(w, " ");
}

static void write_group(struct writer *w, const struct node *group)
{
    if (group->flags & NODE_ALL) {
        emit_text(w, "ALL");
        return;
    }
    for (size_t i = 0; i < group->count; i++) {
        const struct node *item = group->kids[i];
        if (i)
            emit_text(w, ", ");
        if (item->kind != N_GROUPING) {
            emit_node(w, item, 0);
            continue;
        }
        emit_text(w, str_is(item->text, "SETS") ? "GROUPING SETS" : "");
        if (!str_is(item->text, "SETS"))
            emit_str(w, item->text);
        emit_text(w, " (");
        for (size_t k = 0; k < item->count; k++) {
            const struct node *set = item->kids[k];
            if (k)
                emit_text(w, ", ");
            if (node_is(set, N_ROW) && set->count < 2) {
                emit_text(w, "(");
                emit_list(w, set);
                emit_text(w, ")");
            } else if (set->kind == N_GROUPING) {
                struct node one = {
                    .kind = N_LIST, .count = 1, .kids = (struct node **)&item->kids[k]};
                write_group(w, &one);
            } else if ((set->flags & NODE_PAREN) && set->kind != N_ROW) {
                emit_text(w, "(");
                emit_node(w, set, 0);
                emit_text(w, ")");
            } else {
                emit_node(w, set, 0);
            }
        }
        emit_text(w, ")");
    }
}

static void write_sample(struct writer *w, const struct node *sample, const char *before)
{
    emit_text(w, before);
    if (sample->text.len) {
        emit_str(w, sample->text);
        emit_text(w, " ");
    }
    emit_text(w, "(");
    emit_node(w, sample->kids[0], 0);
    emit_text(w, sample->flags & NODE_PERCENT ? " PERCENT)" : " ROWS)");
    if (sample->kids[1]) {
        emit_text(w, " REPEATABLE (");
        emit_node(w, sample->kids[1], 0);
        emit_text(w, ")");
    }
}

static void write_clause(struct writer *w, const char *word, const struct node *node)
{
    if (!node)
        return;
    emit_text(w, word);
    emit_node(w, node, 0);
}

static void write_windows(struct writer *w, const struct node *windows)
{
    emit_text(w, " WINDOW ");
    for (size_t i = 0; i < windows->count; i++) {
        if (i)
            emit_text(w, ", ");
        emit_name(w, windows->kids[i]->text, false);
        emit_text(w, " AS ");
        emit_window(w, windows->kids[i]->kids[0]);
    }
}

static void write_select(struct writer *w, const struct node *select)
{
    emit_text(w, "SELECT ");
    if (select->flags & NODE_DISTINCT)
        emit_text(w, "DISTINCT ");
    if (select->kids[SELECT_DISTINCT_ON]) {
        emit_text(w, "ON (");
        emit_list(w, select->kids[SELECT_DISTINCT_ON]);
        emit_text(w, ") ");
    }
    if (select->kids[SELECT_ITEMS])
        emit_list(w, select->kids[SELECT_ITEMS]);
    else
        emit_text(w, "*");
    const struct node *from = select->kids[SELECT_FROM];
    for (size_t i = 0; i < list_count(from); i++) {
        emit_text(w, i ? ", " : " FROM ");
        emit_table(w, from->kids[i]);
    }
    write_clause(w, " WHERE ", select->kids[SELECT_WHERE]);
    if (select->kids[SELECT_GROUP]) {
        emit_text(w, " GROUP BY ");
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
        emit_text(w, "(");
    emit_query(w, side);
    if (parens)
        emit_text(w, ")");
}

static void write_setop(struct writer *w, const struct node *node)
{
    write_side(w, node->kids[SETOP_LEFT], node, false);
    emit_text(w, " ");
    emit_str(w, node->text);
    if (node->flags & NODE_ALL)
        emit_text(w, " ALL");
    if (node->flags & NODE_BY_NAME)
        emit_text(w, " BY NAME");
    emit_text(w, " ");
    write_side(w, node->kids[SETOP_RIGHT], node, true);
}

static void write_values(struct writer *w, const struct node *node)
{
    const struct node *rows = node->kids[VALUES_ROWS];
    emit_text(w, "VALUES ");
    for (size_t i = 0; i < rows->count; i++) {
        emit_text(w, i ? ", (" : "(");
        emit_list(w, rows->kids[i]);
        emit_text(w, ")");
    }
}

static void write_limit(struct writer *w, const struct node *query)
{
    if (query->kids[SLOT_LIMIT]) {
        emit_text(w, " LIMIT ");
        emit_node(w, query->kids[SLOT_LIMIT], 70);
        if (query->flags & NODE_PERCENT)
            emit_text(w, " PERCENT");
        if (query->flags & NODE_TIES)
            emit_unsupported(w, query, STR("WITH TIES"));
    }
    if (query->kids[SLOT_OFFSET]) {
        emit_text(w, " OFFSET ");
        emit_node(w, query->kids[SLOT_OFFSET], 70);
    }
}

void emit_query(struct writer *w, const struct node *query)
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
        emit_text(w, " ORDER BY ");
        emit_order(w, query->kids[SLOT_ORDER]);
    }
    write_limit(w, query);
}

/* ---- tables ---- */

static void write_table_alias(struct writer *w, const struct node *alias)
{
    if (!alias)
        return;
    if (alias->text.len) {
        emit_text(w, " AS ");
        emit_name(w, alias->text, alias->flags & NODE_QUOTED);
    }
    if (alias->kids[1]) {
        emit_text(w, alias->text.len ? "(" : " AS _t(");
        emit_list(w, alias->kids[1]);
        emit_text(w, ")");
    }
}

static void write_join(struct writer *w, const struct node *join)
{
    emit_table(w, join->kids[0]);
    emit_text(w, " ");
    if (join->flags & NODE_NATURAL)
        emit_text(w, "NATURAL ");
    if (join->flags & NODE_ASOF)
        emit_text(w, "ASOF ");
    if (!str_is(join->text, "INNER")) {
        emit_str(w, join->text);
        emit_text(w, " ");
    }
    emit_text(w, "JOIN ");
    bool nested = node_is(join->kids[1], N_JOIN);
    emit_text(w, nested ? "(" : "");
    emit_table(w, join->kids[1]);
    emit_text(w, nested ? ")" : "");
    write_clause(w, " ON ", join->kids[2]);
    if (join->kids[3]) {
        emit_text(w, " USING (");
        emit_list(w, join->kids[3]);
        emit_text(w, ")");
    }
}

static void write_pivot(struct writer *w, const struct node *pivot)
{
    emit_table(w, pivot->kids[0]);
    emit_text(w, !(pivot->flags & NODE_NOT) ? " PIVOT("
                 : pivot->flags & NODE_ALL  ? " UNPIVOT INCLUDE NULLS ("
                                            : " UNPIVOT(");
    emit_list(w, pivot->kids[1]);
    emit_text(w, " FOR ");
    emit_node(w, pivot->kids[2], 0);
    emit_text(w, " IN (");
    emit_list(w, pivot->kids[3]);
    emit_text(w, ")");
    if (pivot->kids[4]) {
        emit_text(w, " GROUP BY ");
        emit_list(w, pivot->kids[4]);
    }
    emit_text(w, ")");
    write_table_alias(w, pivot->kids[5]);
}

static void write_table_query(struct writer *w, const struct node *table)
{
    if (table->flags & NODE_LATERAL)
        emit_text(w, "LATERAL ");
    emit_text(w, "(");
    emit_query(w, table->kids[0]);
    emit_text(w, ")");
    write_table_alias(w, table->kids[1]);
    if (table->kids[2])
        write_sample(w, table->kids[2], " TABLESAMPLE ");
}

void emit_table(struct writer *w, const struct node *table)
{
    if (!table || w->status != STATUS_OK)
        return;
    switch (table->kind) {
    case N_TABLE:
        emit_node(w, table->kids[0], 0);
        write_table_alias(w, table->kids[1]);
        if (table->kids[2])
            write_sample(w, table->kids[2], " TABLESAMPLE ");
        break;
    case N_TABLE_CALL:
        if (table->flags & NODE_LATERAL)
            emit_text(w, "LATERAL ");
        emit_node(w, table->kids[0], 0);
        if (table->flags & NODE_ORDINALITY)
            emit_text(w, " WITH ORDINALITY");
        write_table_alias(w, table->kids[1]);
        if (table->kids[2])
            write_sample(w, table->kids[2], " TABLESAMPLE ");
        break;
    case N_TABLE_QUERY:
        write_table_query(w, table);
        break;
    case N_TABLE_JOINED:
        emit_text(w, "(");
        emit_table(w, table->kids[0]);
        emit_text(w, ")");
        write_table_alias(w, table->kids[1]);
        break;
    case N_JOIN:
        write_join(w, table);
        break;
    case N_PIVOT:
        write_pivot(w, table);
        break;
    default:
        emit_node(w, table, 0);
        break;
    }
}

/* ---- statements ---- */

static void write_returning(struct writer *w, const struct node *items)
{
    if (!items)
        return;
    emit_text(w, " RETURNING ");
    emit_list(w, items);
}

static void write_assignments(struct writer *w, const struct node *list)
{
    for (size_t i = 0; i < list->count; i++) {
        emit_text(w, i ? ", " : "");
        emit_node(w, list->kids[i]->kids[0], 0);
        emit_text(w, " = ");
        emit_node(w, list->kids[i]->kids[1], 0);
    }
}

static void write_insert(struct writer *w, const struct node *node)
{
    if (node->kids[3])
        write_with(w, node->kids[3]);
    emit_text(w, node->flags & NODE_REPLACE ? "INSERT OVERWRITE " : "INSERT INTO ");
    emit_table(w, node->kids[0]);
    if (node->kids[1]) {
        emit_text(w, " (");
        emit_list(w, node->kids[1]);
        emit_text(w, ")");
    }
    if (node->flags & NODE_ALL) {
        emit_text(w, " DEFAULT VALUES");
    } else {
        emit_text(w, " ");
        emit_query(w, node->kids[2]);
    }
    write_returning(w, node->kids[5]);
}

static void write_tables(struct writer *w, const char *word, const struct node *list)
{
    for (size_t i = 0; i < list_count(list); i++) {
        emit_text(w, i ? ", " : word);
        emit_table(w, list->kids[i]);
    }
}

static void write_update(struct writer *w, const struct node *node)
{
    if (node->kids[4])
        write_with(w, node->kids[4]);
    emit_text(w, "UPDATE ");
    emit_table(w, node->kids[0]);
    emit_text(w, " SET ");
    write_assignments(w, node->kids[1]);
    write_tables(w, " FROM ", node->kids[2]);
    write_clause(w, " WHERE ", node->kids[3]);
    write_returning(w, node->kids[5]);
}

static void write_delete(struct writer *w, const struct node *node)
{
    if (node->kids[3])
        write_with(w, node->kids[3]);
    emit_text(w, "DELETE FROM ");
    emit_table(w, node->kids[0]);
    write_tables(w, " USING ", node->kids[1]);
    write_clause(w, " WHERE ", node->kids[2]);
    write_returning(w, node->kids[4]);
}

static void write_column(struct writer *w, const struct node *column)
{
    emit_name(w, column->text, column->flags & NODE_QUOTED);
    emit_text(w, " ");
    emit_type(w, column->kids[0]);
    if (column->flags & NODE_NOT)
        emit_text(w, " NOT NULL");
    write_clause(w, " DEFAULT ", column->kids[1]);
    write_clause(w, " COMMENT ", column->kids[2]);
}

static void write_create(struct writer *w, const struct node *node)
{
    emit_text(w, node->flags & NODE_REPLACE ? "CREATE OR REPLACE " : "CREATE ");
    emit_text(w, node->flags & NODE_TEMPORARY ? "TEMPORARY " : "");
    emit_text(w, node->flags & NODE_MATERIALIZED ? "MATERIALIZED " : "");
    emit_text(w, node->kind == N_CREATE_VIEW ? "VIEW " : "TABLE ");
    emit_text(w, node->flags & NODE_TRY ? "IF NOT EXISTS " : "");
    emit_node(w, node->kids[0], 0);
    if (node->kids[1]) {
        emit_text(w, " (");
        for (size_t i = 0; i < node->kids[1]->count; i++) {
            emit_text(w, i ? ", " : "");
            if (node->kids[1]->kids[i]->kind == N_COLUMN_DEF)
                write_column(w, node->kids[1]->kids[i]);
            else
                emit_node(w, node->kids[1]->kids[i], 0);
        }
        if (node->kind == N_CREATE_TABLE && kid(node, 3)) {
            emit_text(w, ", PRIMARY KEY (");
            emit_list(w, kid(node, 3));
            emit_text(w, ")");
        }
        emit_text(w, ")");
    }
    if (kid(node, 4)) {
        if (!w->target->canonical)
            emit_unsupported(w, node, STR("PARTITION BY"));
        emit_text(w, " PARTITION BY (");
        emit_list(w, kid(node, 4));
        emit_text(w, ")");
    }
    if (node->kind == N_CREATE_VIEW && kid(node, 3)) {
        if (!w->target->canonical)
            emit_unsupported(w, node, STR("REFRESH EVERY"));
        emit_text(w, " REFRESH EVERY ");
        emit_node(w, kid(node, 3)->kids[0], 0);
        emit_text(w, " ");
        emit_str(w, kid(node, 3)->text);
        emit_text(w, "S");
    }
    if (node->kids[2]) {
        emit_text(w, " AS ");
        emit_query(w, node->kids[2]);
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
        emit_text(w, str_is(what, "DEFAULT")    ? " DROP DEFAULT"
                     : str_is(what, "REQUIRED") ? " SET NOT NULL"
                                                : " DROP NOT NULL");
}

static void write_alter(struct writer *w, const struct node *node)
{
    emit_text(w, "ALTER TABLE ");
    emit_node(w, node->kids[0], 0);
    for (size_t i = 0; i < node->kids[1]->count; i++) {
        const struct node *action = node->kids[1]->kids[i];
        emit_text(w, i ? ", " : " ");
        if (str_is(action->text, "ADD")) {
            emit_text(w, "ADD COLUMN ");
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
    emit_text(w, "MERGE INTO ");
    emit_table(w, node->kids[0]);
    emit_text(w, " USING ");
    emit_table(w, node->kids[1]);
    write_clause(w, " ON ", node->kids[2]);
    for (size_t i = 0; i < node->kids[3]->count; i++) {
        const struct node *branch = node->kids[3]->kids[i];
        size_t space = branch->text.len;
        while (space > 0 && branch->text.data[space - 1] != ' ')
            space--;
        emit_text(w, " WHEN ");
        emit_str(w, str_make(branch->text.data, space ? space - 1 : 0));
        write_clause(w, " AND ", branch->kids[0]);
        emit_text(w, " THEN ");
        emit_str(w, str_make(branch->text.data + space, branch->text.len - space));
        if (branch->kids[1]) {
            emit_text(w, " (");
            emit_list(w, branch->kids[1]);
            emit_text(w, ")");
        }
        if (node_is(branch->kids[2], N_LIST)) {
            emit_text(w, " SET ");
            write_assignments(w, branch->kids[2]);
        } else if (branch->kids[2]) {
            emit_text(w, " ");
            emit_query(w, branch->kids[2]);
        }
    }
}

void emit_statement(struct writer *w, const struct node *node)
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
        emit_text(w, node->flags & NODE_MATERIALIZED ? "DROP MATERIALIZED " : "DROP ");
        emit_str(w, node->text);
        emit_text(w, node->flags & NODE_TRY ? " IF EXISTS " : " ");
        emit_node(w, node->kids[0], 0);
        break;
    case N_SHOW:
        emit_text(w, "SHOW ");
        emit_str(w, node->text);
        write_clause(w, str_is(node->text, "CREATE VIEW") ? " " : " FROM ", node->kids[0]);
        break;
    case N_REFRESH:
        write_clause(w, "REFRESH MATERIALIZED VIEW ", node->kids[0]);
        break;
    case N_DESCRIBE:
        write_clause(w, "DESCRIBE ", node->kids[0]);
        break;
    case N_EXPLAIN:
        emit_text(w, node->flags & NODE_ALL ? "EXPLAIN ANALYZE " : "EXPLAIN ");
        emit_statement(w, node->kids[0]);
        break;
    case N_OTHER:
        emit_unsupported(w, node, node->text);
        break;
    default:
        emit_query(w, node);
        break;
    }
}

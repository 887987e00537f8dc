/* parse_query.c: WITH, set operations, SELECT, VALUES, ORDER BY, LIMIT. */
#include "query/lang/parse_int.h"

static void set_kid(struct parser *p, struct node *node, size_t slot, struct node *child)
{
    if (node != &p->spare)
        node->kids[slot] = child;
}

bool parse_at_query(const struct parser *p, size_t ahead)
{
    while (parse_peek_op(p, ahead, OP1('(')))
        ahead++;
    const struct token *token = parse_peek(p, ahead);
    if (token->kind != T_WORD)
        return false;
    switch (token->keyword) {
    case KW_SELECT:
    case KW_WITH:
        return true;
    case KW_VALUES:
        return parse_peek_op(p, ahead + 1, OP1('('));
    case KW_FROM:
        return parse_is_dialect(p, DIALECT(DUCKDB)) ||
               (parse_is_dialect(p, DIALECT(BIGQUERY) | DIALECT(HIVE) | DIALECT(SPARK)) &&
                ahead == 0);
    default:
        return false;
    }
}

/* ---- pieces ---- */

struct node *parse_order_by(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    do {
        struct node *order = parse_node(p, N_ORDER, 2);
        if (parse_is_kw(p, KW_ALL) && !parse_peek_op(p, 1, OP1('.')) &&
            parse_is_dialect(p, DIALECT(DUCKDB) | DIALECT(SPARK) | DIALECT(DATABRICKS) |
                                    DIALECT(SNOWFLAKE) | DIALECT(CLICKHOUSE))) {
            order->flags |= NODE_ALL;
            parse_next(p);
        } else {
            set_kid(p, order, 0, parse_expr(p, 0));
        }
        if (parse_accept_kw(p, KW_DESC))
            order->flags |= NODE_DESC;
        else if (parse_accept_kw(p, KW_ASC))
            order->flags |= NODE_ASC;
        if (parse_is_kw(p, KW_USING))
            parse_unsupported(p, "ORDER BY ... USING");
        if (parse_accept_kw(p, KW_NULLS)) {
            if (parse_accept_kw(p, KW_FIRST))
                order->flags |= NODE_NULLS_FIRST;
            else if (parse_accept_kw(p, KW_LAST))
                order->flags |= NODE_NULLS_LAST;
            else
                parse_expected(p, "FIRST or LAST");
        }
        if (parse_is_kw(p, KW_WITH) && parse_peek_word(p, 1, "FILL"))
            parse_unsupported(p, "WITH FILL");
        parse_add(p, &list, parse_close(p, order));
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    return parse_list(p, N_LIST, &list, start);
}

struct node *parse_with(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    bool recursive = false;
    parse_next(p);
    recursive = parse_accept_kw(p, KW_RECURSIVE);
    do {
        struct node *cte = parse_node(p, N_CTE, 3);
        if (p->id == LANG_CLICKHOUSE &&
            !(parse_peek_kw(p, 1, KW_AS) && parse_peek_op(p, 2, OP1('(')))) {
            struct node *value = parse_expr(p, 0); /* WITH expression AS name */
            parse_expect_kw(p, KW_AS);
            cte->text = parse_current(p)->text;
            parse_ident(p, false);
            set_kid(p, cte, 1, value);
            parse_add(p, &list, parse_close(p, cte));
            continue;
        }
        const struct token *token = parse_current(p);
        cte->text = token->text;
        if (token->kind == T_QUOTED || token->kind == T_STRING)
            cte->flags |= NODE_QUOTED;
        if (token->kind == T_STRING)
            parse_next(p);
        else
            parse_ident(p, false);
        if (parse_is_op(p, OP1('(')))
            set_kid(p, cte, 0, parse_ident_list(p));
        if (parse_accept_kw(p, KW_USING)) {
            parse_expect_kw(p, KW_KEY);
            set_kid(p, cte, 2, parse_ident_list(p));
        }
        parse_expect_kw(p, KW_AS);
        if (parse_accept_kw(p, KW_MATERIALIZED))
            cte->flags |= NODE_MATERIALIZED;
        else if (parse_accept_kw2(p, KW_NOT, KW_MATERIALIZED))
            cte->flags |= NODE_MATERIALIZED | NODE_NOT;
        parse_expect_op(p, OP1('('));
        set_kid(p, cte, 1, parse_query(p));
        parse_expect_op(p, OP1(')'));
        parse_add(p, &list, parse_close(p, cte));
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    struct node *with = parse_list(p, N_WITH, &list, start);
    if (recursive)
        with->flags |= NODE_RECURSIVE;
    return with;
}

/* ---- LIMIT, OFFSET, FETCH ---- */

static struct node *limit_value(struct parser *p, struct node *query)
{
    struct node *value = parse_expr(p, LEVEL_ADD);
    if (parse_accept_kw(p, KW_PERCENT) || parse_accept_op(p, OP1('%')))
        query->flags |= NODE_PERCENT;
    return value;
}

static void parse_limit(struct parser *p, struct node *query)
{
    if (parse_accept_kw(p, KW_ALL) || parse_accept_kw(p, KW_NULL))
        return;
    struct node *first = limit_value(p, query);
    struct node *second = NULL;
    if (parse_accept_op(p, OP1(',')))
        second = limit_value(p, query);
    struct node *limit = second ? second : first, *offset = second ? first : NULL;
    if (parse_is_kw(p, KW_BY) &&
        query->kind == N_SELECT) { /* ClickHouse: LIMIT n [, m] BY columns */
        parse_next(p);
        struct node_list parts = {0};
        parse_add(p, &parts, limit);
        if (offset)
            parse_add(p, &parts, offset);
        struct node *columns = parse_exprs(p);
        struct node *by = parse_list(p, N_ROW, &parts, limit->offset);
        struct node *pair = parse_node(p, N_PAIR, 2);
        set_kid(p, pair, 0, by);
        set_kid(p, pair, 1, columns);
        set_kid(p, query, SELECT_LIMIT_BY, pair);
        return;
    }
    if (parse_accept_kw2(p, KW_WITH, KW_TIES))
        query->flags |= NODE_TIES;
    set_kid(p, query, SLOT_LIMIT, limit);
    if (offset)
        set_kid(p, query, SLOT_OFFSET, offset);
}

static void parse_fetch(struct parser *p, struct node *query)
{
    if (!parse_accept_kw(p, KW_FIRST))
        parse_expect_kw(p, KW_NEXT);
    struct node *count = NULL;
    if (!parse_is_kw(p, KW_ROW) && !parse_is_kw(p, KW_ROWS))
        count = limit_value(p, query);
    else
        count = parse_text_node(p, N_NUMBER, STR("1"));
    if (!parse_accept_kw(p, KW_ROWS))
        parse_accept_kw(p, KW_ROW);
    if (parse_accept_kw2(p, KW_WITH, KW_TIES))
        query->flags |= NODE_TIES;
    else
        parse_accept_kw(p, KW_ONLY);
    set_kid(p, query, SLOT_LIMIT, count);
}

static void parse_lock(struct parser *p)
{
    while (parse_is_kw(p, KW_FOR) &&
           (parse_peek_kw(p, 1, KW_UPDATE) || parse_peek_word(p, 1, "SHARE") ||
            parse_peek_word(p, 1, "NO") || parse_peek_kw(p, 1, KW_KEY)))
        parse_unsupported(p, "a row lock");
}

/* SETTINGS name = value, ...: those that change how, not what, are passed over. */
static void parse_settings(struct parser *p)
{
    static const char *const harmless[] = {
        "log_comment",        "max_threads",
        "max_block_size",     "max_memory_usage",
        "max_execution_time", "log_queries",
        "use_query_cache",    "max_bytes_before_external_group_by"};
    parse_next(p);
    do {
        bool known = false;
        for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
            known = known || parse_is_word(p, harmless[i]);
        if (!known)
            parse_unsupported(p, "this setting");
        parse_next(p);
        parse_expect_op(p, OP1('='));
        parse_expr(p, LEVEL_ADD);
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
}

/* ORDER BY, LIMIT, OFFSET, FETCH in any order that some dialect has. */
static void parse_tail(struct parser *p, struct node *query)
{
    for (;;) {
        if (parse_is_kw(p, KW_ORDER)) {
            parse_next(p);
            parse_expect_kw(p, KW_BY);
            set_kid(p, query, SLOT_ORDER, parse_order_by(p));
        } else if (parse_is_kw(p, KW_SORT) || parse_is_kw(p, KW_CLUSTER) ||
                   parse_is_kw(p, KW_DISTRIBUTE)) {
            if (!parse_peek_kw(p, 1, KW_BY))
                return;
            bool sort = parse_is_kw(p, KW_SORT);
            parse_next(p);
            parse_next(p);
            struct node *list = parse_order_by(p);
            if (sort) /* rows of one partition; we have one */
                set_kid(p, query, SLOT_ORDER, list);
        } else if (parse_accept_kw(p, KW_LIMIT)) {
            parse_limit(p, query);
        } else if (parse_accept_kw(p, KW_OFFSET)) {
            set_kid(p, query, SLOT_OFFSET, parse_expr(p, LEVEL_ADD));
            if (!parse_accept_kw(p, KW_ROWS))
                parse_accept_kw(p, KW_ROW);
        } else if (parse_accept_kw(p, KW_FETCH)) {
            parse_fetch(p, query);
        } else {
            parse_lock(p);
            if (p->id == LANG_CLICKHOUSE && parse_accept_kw(p, KW_FORMAT))
                parse_ident(p, true); /* of the answer, not of the rows */
            if (parse_is_kw(p, KW_SETTINGS))
                parse_settings(p);
            if (parse_is_kw(p, KW_OPTION))
                parse_unsupported(p, "OPTION");
            return;
        }
    }
}

/* ---- GROUP BY ---- */

static struct node *parse_grouping(struct parser *p, const char *name)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    parse_expect_op(p, OP1('('));
    while (!parse_is_op(p, OP1(')')) && p->status == STATUS_OK) {
        if (name[0] == 'S' &&
            (parse_is_kw(p, KW_ROLLUP) || parse_is_kw(p, KW_CUBE) || parse_is_kw(p, KW_GROUPING))) {
            const char *inner = parse_is_kw(p, KW_ROLLUP) ? "ROLLUP"
                                : parse_is_kw(p, KW_CUBE) ? "CUBE"
                                                          : "SETS";
            parse_next(p);
            parse_accept_kw(p, KW_SETS);
            parse_add(p, &list, parse_grouping(p, inner));
        } else {
            parse_add(p, &list, parse_expr(p, 0));
        }
        if (!parse_accept_op(p, OP1(',')))
            break;
    }
    parse_expect_op(p, OP1(')'));
    struct node *node = parse_list(p, N_GROUPING, &list, start);
    node->text = str_of(name);
    return node;
}

static struct node *parse_group_by(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    struct node *group = NULL;
    if (parse_is_kw(p, KW_ALL)) {
        parse_next(p);
        group = parse_list(p, N_LIST, &list, start);
        group->flags |= NODE_ALL;
        return group;
    }
    do {
        if (parse_is_kw(p, KW_ROLLUP) && parse_peek_op(p, 1, OP1('('))) {
            parse_next(p);
            parse_add(p, &list, parse_grouping(p, "ROLLUP"));
        } else if (parse_is_kw(p, KW_CUBE) && parse_peek_op(p, 1, OP1('('))) {
            parse_next(p);
            parse_add(p, &list, parse_grouping(p, "CUBE"));
        } else if (parse_accept_kw2(p, KW_GROUPING, KW_SETS)) {
            parse_add(p, &list, parse_grouping(p, "SETS"));
        } else {
            parse_add(p, &list, parse_expr(p, 0));
        }
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    group = parse_list(p, N_LIST, &list, start);
    if (parse_is_kw(p, KW_GROUPING) &&
        parse_peek_kw(p, 1, KW_SETS)) { /* Hive: GROUP BY a, b GROUPING SETS (...) */
        parse_next(p);
        parse_next(p);
        list = (struct node_list){0};
        parse_add(p, &list, parse_grouping(p, "SETS"));
        return parse_list(p, N_LIST, &list, start);
    }
    bool rollup = parse_is_kw(p, KW_WITH) && parse_peek_kw(p, 1, KW_ROLLUP);
    bool cube = parse_is_kw(p, KW_WITH) && parse_peek_kw(p, 1, KW_CUBE);
    if (rollup || cube) {
        parse_next(p);
        parse_next(p);
        struct node *grouping = parse_node(p, N_GROUPING, 0);
        grouping->text = rollup ? STR("ROLLUP") : STR("CUBE");
        if (grouping != &p->spare) {
            grouping->kids = group->kids;
            grouping->count = group->count;
        }
        list = (struct node_list){0};
        parse_add(p, &list, grouping);
        group = parse_list(p, N_LIST, &list, start);
    } else if (parse_is_kw(p, KW_WITH) && parse_peek_word(p, 1, "TOTALS")) {
        parse_unsupported(p, "WITH TOTALS");
    }
    return group;
}

/* ---- SELECT ---- */

static struct node *alias_of(struct parser *p, struct node *value)
{
    const struct token *token = parse_current(p);
    struct node *alias = parse_node(p, N_ALIAS, 2);
    alias->offset = value->offset;
    set_kid(p, alias, 0, value);
    alias->text = token->text;
    if (token->kind != T_WORD)
        alias->flags |= NODE_QUOTED;
    if (token->kind != T_WORD && token->kind != T_QUOTED && token->kind != T_STRING)
        parse_expected(p, "an alias");
    parse_next(p);
    return parse_close(p, alias);
}

static struct node *parse_item(struct parser *p)
{
    const struct token *token = parse_current(p);
    bool name = token->kind == T_WORD || token->kind == T_QUOTED;
    if (name && p->id == LANG_DUCKDB && parse_peek_op(p, 1, OP1(':'))) { /* alias: expression */
        struct node *alias = parse_node(p, N_ALIAS, 2);
        alias->text = token->text;
        if (token->kind == T_QUOTED)
            alias->flags |= NODE_QUOTED;
        parse_next(p);
        parse_next(p);
        set_kid(p, alias, 0, parse_expr(p, 0));
        return parse_close(p, alias);
    }
    if (name && p->id == LANG_TSQL && parse_peek_op(p, 1, OP1('='))) {
        struct node *alias = parse_node(p, N_ALIAS, 2);
        alias->text = token->text;
        if (token->kind == T_QUOTED)
            alias->flags |= NODE_QUOTED;
        parse_next(p);
        parse_next(p);
        set_kid(p, alias, 0, parse_expr(p, 0));
        return parse_close(p, alias);
    }
    struct node *value = parse_expr(p, 0);
    if (parse_accept_kw(p, KW_AS)) {
        if (parse_is_op(p, OP1('('))) /* Spark: AS (a, b) */
            parse_unsupported(p, "an alias of several columns");
        return alias_of(p, value);
    }
    if (parse_at_alias(p))
        return alias_of(p, value);
    return value;
}

struct node *parse_select_items(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    do {
        parse_add(p, &list, parse_item(p));
        if (!parse_accept_op(p, OP1(',')))
            break;
        /* a comma before FROM is allowed by several dialects */
    } while (p->status == STATUS_OK && !(parse_is_kw(p, KW_FROM) &&
                                         !parse_is_dialect(p, DIALECT(MYSQL) | DIALECT(POSTGRES))));
    return parse_list(p, N_LIST, &list, start);
}

static void parse_top(struct parser *p, struct node *select)
{
    if (!parse_is_kw(p, KW_TOP) ||
        !parse_is_dialect(p, DIALECT(TSQL) | DIALECT(SNOWFLAKE) | DIALECT(REDSHIFT)))
        return;
    if (parse_peek(p, 1)->kind != T_NUMBER && !parse_peek_op(p, 1, OP1('(')) &&
        parse_peek(p, 1)->kind != T_PARAM) {
        if (p->id == LANG_TSQL)
            parse_next(p), parse_expected(p, "a number of rows");
        return;
    }
    parse_next(p);
    set_kid(p, select, SLOT_LIMIT,
            parse_is_op(p, OP1('(')) ? parse_parens(p) : parse_expr(p, LEVEL_POSTFIX));
    if (parse_accept_kw(p, KW_PERCENT))
        select->flags |= NODE_PERCENT;
    if (parse_accept_kw2(p, KW_WITH, KW_TIES))
        select->flags |= NODE_TIES;
}

static void parse_quantifier(struct parser *p, struct node *select)
{
    while (parse_is_word(p, "SQL_CALC_FOUND_ROWS") || parse_is_word(p, "HIGH_PRIORITY") ||
           parse_is_word(p, "SQL_NO_CACHE") || parse_is_kw(p, KW_STRAIGHT_JOIN))
        parse_next(p);
    if (parse_accept_kw(p, KW_DISTINCT) ||
        (parse_is_kw(p, KW_UNIQUE) && p->id == LANG_ORACLE && (parse_next(p), true))) {
        select->flags |= NODE_DISTINCT;
        if (parse_is_kw(p, KW_ON) && parse_peek_op(p, 1, OP1('('))) {
            parse_next(p);
            parse_next(p);
            set_kid(p, select, SELECT_DISTINCT_ON, parse_exprs(p));
            parse_expect_op(p, OP1(')'));
        }
    } else {
        parse_accept_kw(p, KW_ALL);
    }
    if (p->id == LANG_BIGQUERY && parse_is_kw(p, KW_AS) &&
        (parse_peek_kw(p, 1, KW_STRUCT) || parse_peek_kw(p, 1, KW_VALUE))) {
        parse_next(p);
        if (parse_is_kw(p, KW_STRUCT))
            select->flags |= NODE_BY_NAME; /* SELECT AS STRUCT */
        parse_next(p);
    }
}

static struct node *parse_windows(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    do {
        struct node *named = parse_node(p, N_NAMED_WINDOW, 1);
        named->text = parse_ident(p, false)->text;
        parse_expect_kw(p, KW_AS);
        set_kid(p, named, 0, parse_window(p));
        parse_add(p, &list, parse_close(p, named));
    } while (parse_accept_op(p, OP1(',')));
    return parse_list(p, N_LIST, &list, start);
}

/* AND of what is there and more. */
static void and_where(struct parser *p, struct node *select, struct node *more)
{
    struct node *where = kid(select, SELECT_WHERE);
    if (where) {
        struct node *both = parse_node(p, N_BINARY, 2);
        both->text = STR("AND");
        set_kid(p, both, 0, where);
        set_kid(p, both, 1, more);
        more = both;
    }
    set_kid(p, select, SELECT_WHERE, more);
}

static void parse_clauses(struct parser *p, struct node *select)
{
    for (;;) {
        if (parse_accept_kw(p, KW_WHERE) || parse_accept_kw(p, KW_PREWHERE)) {
            and_where(p, select, parse_expr(p, 0));
        } else if (parse_is_kw(p, KW_GROUP) && parse_peek_kw(p, 1, KW_BY)) {
            parse_next(p);
            parse_next(p);
            set_kid(p, select, SELECT_GROUP, parse_group_by(p));
        } else if (parse_accept_kw(p, KW_HAVING)) {
            set_kid(p, select, SELECT_HAVING, parse_expr(p, 0));
        } else if (parse_accept_kw(p, KW_WINDOW)) {
            set_kid(p, select, SELECT_WINDOWS, parse_windows(p));
        } else if (parse_accept_kw(p, KW_QUALIFY)) {
            set_kid(p, select, SELECT_QUALIFY, parse_expr(p, 0));
        } else if (parse_is_kw(p, KW_USING) && parse_peek_kw(p, 1, KW_SAMPLE)) {
            parse_next(p);
            set_kid(p, select, SELECT_SAMPLE, parse_sample(p));
        } else if ((parse_is_kw(p, KW_CONNECT) || parse_is_kw(p, KW_START)) &&
                   (parse_peek_kw(p, 1, KW_BY) || parse_peek_kw(p, 1, KW_WITH))) {
            parse_unsupported(p, "CONNECT BY");
        } else {
            return;
        }
    }
}

static struct node *parse_select(struct parser *p)
{
    struct node *select = parse_node(p, N_SELECT, SELECT_SLOTS);
    if (parse_accept_kw(p, KW_FROM)) { /* FROM t [SELECT ...] */
        set_kid(p, select, SELECT_FROM, parse_from(p));
        if (parse_accept_kw(p, KW_SELECT)) {
            parse_quantifier(p, select);
            set_kid(p, select, SELECT_ITEMS, parse_select_items(p));
        }
        parse_clauses(p, select);
        return parse_close(p, select);
    }
    parse_expect_kw(p, KW_SELECT);
    parse_quantifier(p, select);
    parse_top(p, select);
    if (parse_is_kw(p, KW_FROM) && p->id != LANG_POSTGRES)
        parse_expected(p, "an expression");
    set_kid(p, select, SELECT_ITEMS, parse_select_items(p));
    if (parse_is_kw(p, KW_INTO))
        parse_unsupported(p, "SELECT ... INTO");
    if (parse_accept_kw(p, KW_FROM))
        set_kid(p, select, SELECT_FROM, parse_from(p));
    parse_clauses(p, select);
    return parse_close(p, select);
}

static struct node *parse_values(struct parser *p)
{
    struct node *values = parse_node(p, N_VALUES, VALUES_SLOTS);
    struct node_list rows = {0};
    size_t start = parse_current(p)->offset;
    parse_expect_kw(p, KW_VALUES);
    do {
        size_t row = parse_current(p)->offset;
        struct node_list items = {0};
        parse_accept_kw(p, KW_ROW);
        if (!parse_is_op(p, OP1('('))) { /* VALUES 1, 2: Spark */
            parse_add(p, &items, parse_expr(p, 0));
        } else {
            parse_next(p);
            do
                parse_add(p, &items, parse_expr(p, 0));
            while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK &&
                   !parse_is_op(p, OP1(')')));
            parse_expect_op(p, OP1(')'));
        }
        parse_add(p, &rows, parse_list(p, N_ROW, &items, row));
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    set_kid(p, values, VALUES_ROWS, parse_list(p, N_LIST, &rows, start));
    return parse_close(p, values);
}

/* ---- set operations ---- */

static struct node *wrap_query(struct parser *p, struct node *query)
{
    struct node *select = parse_node(p, N_SELECT, SELECT_SLOTS);
    struct node *table = parse_node(p, N_TABLE_QUERY, 3);
    struct node_list from = {0};
    set_kid(p, table, 0, query);
    parse_add(p, &from, table);
    set_kid(p, select, SELECT_FROM, parse_list(p, N_LIST, &from, query->offset));
    return select;
}

static struct node *parse_term(struct parser *p)
{
    if (parse_is_op(p, OP1('('))) {
        parse_next(p);
        struct node *query = parse_query(p);
        parse_expect_op(p, OP1(')'));
        query->flags |= NODE_PAREN;
        return query;
    }
    if (parse_is_kw(p, KW_VALUES))
        return parse_values(p);
    if (parse_is_kw(p, KW_TABLE)) {
        struct node *select = parse_node(p, N_SELECT, SELECT_SLOTS);
        struct node_list from = {0};
        parse_next(p);
        parse_add(p, &from, parse_table_name(p));
        set_kid(p, select, SELECT_FROM, parse_list(p, N_LIST, &from, select->offset));
        return parse_close(p, select);
    }
    return parse_select(p);
}

static const char *set_operator(const struct parser *p)
{
    if (parse_is_kw(p, KW_UNION))
        return "UNION";
    if (parse_is_kw(p, KW_INTERSECT))
        return "INTERSECT";
    if (parse_is_kw(p, KW_EXCEPT) || (parse_is_kw(p, KW_MINUS)))
        return "EXCEPT";
    return NULL;
}

static struct node *set_operation(struct parser *p, struct node *left, const char *op)
{
    struct node *node = parse_node(p, N_SETOP, SETOP_SLOTS);
    node->offset = left->offset;
    node->text = str_of(op);
    parse_next(p);
    if (parse_accept_kw(p, KW_ALL))
        node->flags |= NODE_ALL;
    else if (parse_accept_kw(p, KW_DISTINCT))
        node->flags |= NODE_DISTINCT;
    if (parse_accept_kw(p, KW_CORRESPONDING))
        node->flags |= NODE_BY_NAME;
    if (parse_accept_kw(p, KW_BY)) {
        if (!parse_accept_word(p, "NAME"))
            parse_unsupported(p, "a set operation by some columns");
        node->flags |= NODE_BY_NAME;
    }
    set_kid(p, node, SETOP_LEFT, left);
    return node;
}

static struct node *parse_intersections(struct parser *p)
{
    struct node *left = parse_term(p);
    while (p->status == STATUS_OK && parse_is_kw(p, KW_INTERSECT)) {
        struct node *node = set_operation(p, left, "INTERSECT");
        set_kid(p, node, SETOP_RIGHT, parse_term(p));
        left = parse_close(p, node);
    }
    return left;
}

static bool has_tail(const struct node *query)
{
    return kid(query, SLOT_ORDER) || kid(query, SLOT_LIMIT) || kid(query, SLOT_OFFSET) ||
           kid(query, SLOT_WITH);
}

static bool at_tail(const struct parser *p)
{
    return parse_is_kw(p, KW_ORDER) || parse_is_kw(p, KW_LIMIT) || parse_is_kw(p, KW_OFFSET) ||
           parse_is_kw(p, KW_FETCH);
}

struct node *parse_query(struct parser *p)
{
    if (!parse_enter(p)) {
        parse_leave(p);
        struct node *none = parse_node(p, N_SELECT, SELECT_SLOTS);
        return none;
    }
    struct node *with = parse_is_kw(p, KW_WITH) ? parse_with(p) : NULL;
    struct node *query = parse_intersections(p);
    const char *op = NULL;
    while (p->status == STATUS_OK && (op = set_operator(p))) {
        struct node *node = set_operation(p, query, op);
        set_kid(p, node, SETOP_RIGHT, parse_intersections(p));
        query = parse_close(p, node);
    }
    if ((query->flags & NODE_PAREN) &&
        ((at_tail(p) && has_tail(query)) || (with && kid(query, SLOT_WITH))))
        query = wrap_query(p, query);
    parse_tail(p, query);
    if (with)
        set_kid(p, query, SLOT_WITH, with);
    parse_leave(p);
    return parse_close(p, query);
}

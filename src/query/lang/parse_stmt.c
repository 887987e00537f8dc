/* parse_stmt.c: statements other than queries. What the engine could run gets a tree; the rest is
 * recognised by its first word, so that it can be refused by name. */
#include "query/lang/parse_int.h"

static void set_kid(struct parser *p, struct node *node, size_t slot, struct node *child)
{
    if (node != &p->spare)
        node->kids[slot] = child;
}

static struct node *parse_target(struct parser *p)
{
    struct node *table = parse_table_name(p);
    if (!parse_is_kw(p, KW_SET) && !parse_is_kw(p, KW_VALUES) && !parse_is_op(p, OP1('(')))
        set_kid(p, table, 1, parse_alias(p, false));
    return parse_close(p, table);
}

static struct node *parse_returning(struct parser *p)
{
    return parse_accept_kw(p, KW_RETURNING) ? parse_select_items(p) : NULL;
}

static struct node *parse_insert(struct parser *p)
{
    struct node *node = parse_node(p, N_INSERT, 6);
    parse_next(p);
    if (parse_accept_kw(p, KW_IGNORE) || parse_accept_kw(p, KW_OR))
        parse_unsupported(p, "INSERT that passes over conflicts");
    if (parse_accept_kw(p, KW_OVERWRITE))
        node->flags |= NODE_REPLACE;
    else
        parse_accept_kw(p, KW_INTO);
    parse_accept_kw(p, KW_TABLE);
    set_kid(p, node, 0, parse_target(p));
    if (parse_is_op(p, OP1('(')) && !parse_at_query(p, 0))
        set_kid(p, node, 1, parse_ident_list(p));
    if (parse_accept_kw2(p, KW_DEFAULT, KW_VALUES))
        node->flags |= NODE_ALL;
    else
        set_kid(p, node, 2, parse_query(p));
    if (parse_is_kw(p, KW_ON))
        parse_unsupported(p, "ON CONFLICT");
    set_kid(p, node, 5, parse_returning(p));
    return parse_close(p, node);
}

static struct node *parse_assignments(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    parse_expect_kw(p, KW_SET);
    do {
        struct node *pair = parse_node(p, N_PAIR, 2);
        set_kid(p, pair, 0, parse_dotted(p));
        parse_expect_op(p, OP1('='));
        set_kid(p, pair, 1, parse_expr(p, 0));
        parse_add(p, &list, parse_close(p, pair));
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    return parse_list(p, N_LIST, &list, start);
}

static struct node *parse_update(struct parser *p)
{
    struct node *node = parse_node(p, N_UPDATE, 6);
    parse_next(p);
    set_kid(p, node, 0, parse_target(p));
    set_kid(p, node, 1, parse_assignments(p));
    if (parse_accept_kw(p, KW_FROM))
        set_kid(p, node, 2, parse_from(p));
    if (parse_accept_kw(p, KW_WHERE))
        set_kid(p, node, 3, parse_expr(p, 0));
    set_kid(p, node, 5, parse_returning(p));
    return parse_close(p, node);
}

static struct node *parse_delete(struct parser *p)
{
    struct node *node = parse_node(p, N_DELETE, 5);
    parse_next(p);
    if (!parse_accept_kw(p, KW_FROM) &&
        !parse_is_dialect(p, DIALECT(BIGQUERY) | DIALECT(TSQL) | DIALECT(ORACLE)))
        parse_expected(p, "FROM");
    set_kid(p, node, 0, parse_target(p));
    if (parse_accept_kw(p, KW_USING))
        set_kid(p, node, 1, parse_from(p));
    if (parse_accept_kw(p, KW_WHERE))
        set_kid(p, node, 2, parse_expr(p, 0));
    set_kid(p, node, 4, parse_returning(p));
    return parse_close(p, node);
}

static struct node *parse_branch(struct parser *p)
{
    struct node *branch = parse_node(p, N_BRANCH, 3);
    const char *when = parse_accept_kw(p, KW_NOT) ? "NOT MATCHED" : "MATCHED";
    parse_expect_kw(p, KW_MATCHED);
    if (parse_accept_kw(p, KW_BY)) {
        parse_next(p);
        when = p->tokens[p->at - 1].text.len && (p->tokens[p->at - 1].text.data[0] | 32) == 's'
                   ? "NOT MATCHED BY SOURCE"
                   : "NOT MATCHED";
    }
    if (parse_accept_kw(p, KW_AND))
        set_kid(p, branch, 0, parse_expr(p, 0));
    parse_expect_kw(p, KW_THEN);
    if (parse_accept_kw(p, KW_UPDATE)) {
        branch->text = parse_join_words(p, when, "UPDATE");
        set_kid(p, branch, 2, parse_assignments(p));
    } else if (parse_accept_kw(p, KW_DELETE)) {
        branch->text = parse_join_words(p, when, "DELETE");
    } else {
        parse_expect_kw(p, KW_INSERT);
        branch->text = parse_join_words(p, when, "INSERT");
        if (parse_is_op(p, OP1('(')))
            set_kid(p, branch, 1, parse_ident_list(p));
        set_kid(p, branch, 2, parse_query(p));
    }
    return parse_close(p, branch);
}

static struct node *parse_merge(struct parser *p)
{
    struct node *node = parse_node(p, N_MERGE, 4);
    struct node_list branches = {0};
    parse_next(p);
    parse_accept_kw(p, KW_INTO);
    struct node *target = parse_table_name(p);
    set_kid(p, target, 1, parse_alias(p, false));
    set_kid(p, node, 0, target);
    parse_expect_kw(p, KW_USING);
    struct node *source = parse_from(p);
    set_kid(p, node, 1, kid(source, 0));
    if (parse_accept_kw(p, KW_ON))
        set_kid(p, node, 2, parse_expr(p, 0));
    else if (kid(source, 0) && kid(source, 0)->kind == N_JOIN)
        parse_unsupported(p, "MERGE over a join");
    else
        parse_expected(p, "ON");
    while (parse_accept_kw(p, KW_WHEN))
        parse_add(p, &branches, parse_branch(p));
    set_kid(p, node, 3, parse_list(p, N_LIST, &branches, node->offset));
    return parse_close(p, node);
}

static struct node *parse_comment(struct parser *p)
{
    if (parse_current(p)->kind != T_STRING)
        parse_expected(p, "a text");
    struct node *text = parse_text_node(p, N_STRING, parse_current(p)->text);
    parse_next(p);
    return parse_close(p, text);
}

/* name type [NOT NULL] [DEFAULT x] [PRIMARY KEY] [COMMENT 'x'] ...; the names of a key are added to
 * `keys`, other constraints are not ours to keep and are refused. */
static struct node *parse_column(struct parser *p, struct node_list *keys)
{
    struct node *column = parse_node(p, N_COLUMN_DEF, 3);
    if (parse_current(p)->kind == T_QUOTED)
        column->flags |= NODE_QUOTED;
    struct node *name = parse_ident(p, true);
    column->text = name->text;
    set_kid(p, column, 0, parse_type_name(p));
    for (;;) {
        if (parse_accept_kw2(p, KW_NOT, KW_NULL))
            column->flags |= NODE_NOT;
        else if (parse_accept_kw(p, KW_NULL))
            column->flags &= ~(uint32_t)NODE_NOT;
        else if (parse_accept_kw(p, KW_DEFAULT))
            set_kid(p, column, 1, parse_expr(p, LEVEL_ADD));
        else if (keys && parse_accept_kw2(p, KW_PRIMARY, KW_KEY))
            parse_add(p, keys, name);
        else if (parse_accept_kw(p, KW_COMMENT))
            set_kid(p, column, 2, parse_comment(p));
        else
            break;
    }
    return parse_close(p, column);
}

/* [CONSTRAINT name] PRIMARY KEY (names) */
static void parse_key(struct parser *p, struct node_list *keys)
{
    if (parse_accept_kw(p, KW_CONSTRAINT))
        parse_ident(p, true);
    if (!parse_accept_kw2(p, KW_PRIMARY, KW_KEY)) {
        parse_unsupported(p, "a constraint");
        return;
    }
    struct node *names = parse_ident_list(p);
    for (size_t i = 0; i < list_count(names); i++)
        parse_add(p, keys, names->kids[i]);
}

static struct node *parse_columns(struct parser *p, struct node_list *keys)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    parse_expect_op(p, OP1('('));
    do {
        if (parse_is_kw(p, KW_PRIMARY) || parse_is_kw(p, KW_CONSTRAINT) ||
            parse_is_kw(p, KW_FOREIGN) || parse_is_kw(p, KW_UNIQUE) || parse_is_kw(p, KW_CHECK)) {
            parse_key(p, keys);
            continue;
        }
        parse_add(p, &list, parse_column(p, keys));
        if (!parse_is_op(p, OP1(',')) && !parse_is_op(p, OP1(')')))
            parse_unsupported(p, "this column constraint");
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    parse_expect_op(p, OP1(')'));
    return parse_list(p, N_LIST, &list, start);
}

/* PARTITION[ED] BY [RANGE | LIST] (names) or one name */
static struct node *parse_partition(struct parser *p)
{
    if (!parse_accept_kw(p, KW_PARTITION) && !parse_accept_word(p, "PARTITIONED"))
        return NULL;
    parse_expect_kw(p, KW_BY);
    if (!parse_accept_kw(p, KW_RANGE))
        parse_accept_word(p, "LIST");
    if (parse_is_op(p, OP1('(')))
        return parse_ident_list(p);
    struct node_list one = {0};
    size_t start = parse_current(p)->offset;
    parse_add(p, &one, parse_ident(p, true));
    return parse_list(p, N_LIST, &one, start);
}

/* REFRESH EVERY n SECONDS | MINUTES | HOURS; REFRESH ON DEMAND is the same as nothing. */
static struct node *parse_refresh_clause(struct parser *p)
{
    static const char *const units[] = {"SECOND", "SECONDS", "MINUTE", "MINUTES", "HOUR", "HOURS"};
    if (!parse_accept_word(p, "REFRESH"))
        return NULL;
    if (parse_accept_kw(p, KW_ON)) {
        if (!parse_accept_word(p, "DEMAND"))
            parse_expected(p, "DEMAND");
        return NULL;
    }
    if (!parse_accept_word(p, "EVERY"))
        parse_expected(p, "EVERY or ON DEMAND");
    struct node *every = parse_node(p, N_INTERVAL, 1);
    if (parse_current(p)->kind != T_NUMBER)
        parse_expected(p, "a number");
    struct node *number = parse_text_node(p, N_NUMBER, parse_current(p)->text);
    parse_next(p);
    set_kid(p, every, 0, parse_close(p, number));
    struct str unit = parse_upper(p, parse_current(p)->text);
    for (size_t i = 0; i < 6; i++) {
        if (str_is(unit, units[i]))
            every->text = str_of(units[i & ~(size_t)1]);
    }
    if (!every->text.len)
        parse_expected(p, "SECONDS, MINUTES or HOURS");
    parse_next(p);
    return parse_close(p, every);
}

static struct node *parse_create(struct parser *p, enum lang_statement *ret)
{
    uint32_t flags = 0;
    size_t start = parse_current(p)->offset;
    parse_next(p);
    if (parse_is_kw(p, KW_OR) && parse_peek_kw(p, 1, KW_REPLACE)) {
        parse_next(p);
        parse_next(p);
        flags |= NODE_REPLACE;
    }
    if (parse_accept_kw(p, KW_TEMP) || parse_accept_kw(p, KW_TEMPORARY))
        flags |= NODE_TEMPORARY;
    bool materialized = parse_accept_kw(p, KW_MATERIALIZED);
    bool view = parse_accept_kw(p, KW_VIEW);
    if (!view && !parse_accept_kw(p, KW_TABLE)) {
        parse_unsupported(p, "CREATE of this kind");
        return &p->spare;
    }
    *ret = view ? LANG_CREATE_VIEW : LANG_CREATE_TABLE;
    if (parse_accept_kw(p, KW_IF)) {
        parse_expect_kw(p, KW_NOT);
        parse_expect_kw(p, KW_EXISTS);
        flags |= NODE_TRY;
    }
    struct node *node = parse_node(p, view ? N_CREATE_VIEW : N_CREATE_TABLE, view ? 4 : 5);
    struct node_list keys = {0};
    node->offset = (uint32_t)start;
    node->flags |= flags | (materialized ? (uint32_t)NODE_MATERIALIZED : 0);
    set_kid(p, node, 0, parse_dotted(p));
    if (parse_is_op(p, OP1('(')) && !parse_at_query(p, 0))
        set_kid(p, node, 1, view ? parse_ident_list(p) : parse_columns(p, &keys));
    if (!view) {
        if (keys.count)
            set_kid(p, node, 3, parse_list(p, N_LIST, &keys, start));
        set_kid(p, node, 4, parse_partition(p));
    }
    if (materialized && view)
        set_kid(p, node, 3, parse_refresh_clause(p));
    if (parse_accept_kw(p, KW_AS) || parse_at_query(p, 0))
        set_kid(p, node, 2, parse_query(p));
    else if (view)
        parse_expected(p, "AS");
    return parse_close(p, node);
}

/* What stands behind ALTER [COLUMN] name */
static void parse_column_change(struct parser *p, struct node *action)
{
    if (parse_accept_kw(p, KW_COMMENT)) {
        action->text = STR("COMMENT");
        set_kid(p, action, 1, parse_comment(p));
        return;
    }
    bool set = parse_accept_kw(p, KW_SET), drop = !set && parse_accept_kw(p, KW_DROP);
    if ((set || drop) && parse_accept_kw2(p, KW_NOT, KW_NULL)) {
        action->text = set ? STR("REQUIRED") : STR("NULLABLE");
    } else if ((set || drop) && parse_accept_kw(p, KW_DEFAULT)) {
        action->text = STR("DEFAULT");
        if (set)
            set_kid(p, action, 1, parse_expr(p, LEVEL_ADD));
    } else {
        action->text = STR("TYPE");
        parse_accept_word(p, "DATA");
        parse_accept_word(p, "TYPE");
        set_kid(p, action, 1, parse_type_name(p));
    }
}

static struct node *parse_action(struct parser *p)
{
    struct node *action = parse_node(p, N_ACTION, 2);
    if (parse_accept_kw(p, KW_ADD)) {
        parse_accept_kw(p, KW_COLUMN);
        action->text = STR("ADD");
        set_kid(p, action, 0, parse_column(p, NULL));
    } else if (parse_accept_kw(p, KW_DROP)) {
        parse_accept_kw(p, KW_COLUMN);
        action->text = STR("DROP");
        set_kid(p, action, 0, parse_ident(p, true));
    } else if (parse_accept_kw(p, KW_RENAME)) {
        if (parse_accept_kw(p, KW_TO)) {
            action->text = STR("RENAME TO");
            set_kid(p, action, 0, parse_ident(p, true));
        } else {
            parse_accept_kw(p, KW_COLUMN);
            action->text = STR("RENAME");
            set_kid(p, action, 0, parse_ident(p, true));
            parse_expect_kw(p, KW_TO);
            set_kid(p, action, 1, parse_ident(p, true));
        }
    } else if (parse_accept_kw(p, KW_ALTER)) {
        parse_accept_kw(p, KW_COLUMN);
        set_kid(p, action, 0, parse_ident(p, true));
        parse_column_change(p, action);
    } else {
        parse_unsupported(p, "this change of a table");
    }
    return parse_close(p, action);
}

/* COMMENT ON COLUMN t.c IS 'x': a change of the table */
static struct node *parse_comment_on(struct parser *p)
{
    struct node *node = parse_node(p, N_ALTER, 2), *action = parse_node(p, N_ACTION, 2);
    struct node_list actions = {0};
    parse_next(p);
    parse_expect_kw(p, KW_ON);
    if (!parse_accept_kw(p, KW_COLUMN))
        parse_unsupported(p, "a comment on something else than a column");
    struct node *name = parse_dotted(p);
    if (name->count < 2)
        parse_expected(p, "table.column");
    parse_expect_kw(p, KW_IS);
    action->text = STR("COMMENT");
    if (!parse_accept_kw(p, KW_NULL))
        set_kid(p, action, 1, parse_comment(p));
    if (p->status != STATUS_OK)
        return node;
    set_kid(p, action, 0, name->kids[name->count - 1]);
    name->count--;
    set_kid(p, node, 0, name);
    parse_add(p, &actions, parse_close(p, action));
    set_kid(p, node, 1, parse_list(p, N_LIST, &actions, node->offset));
    return parse_close(p, node);
}

static struct node *parse_alter(struct parser *p)
{
    struct node *node = parse_node(p, N_ALTER, 2);
    struct node_list actions = {0};
    parse_next(p);
    parse_expect_kw(p, KW_TABLE);
    set_kid(p, node, 0, parse_dotted(p));
    do
        parse_add(p, &actions, parse_action(p));
    while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    set_kid(p, node, 1, parse_list(p, N_LIST, &actions, node->offset));
    return parse_close(p, node);
}

static struct node *parse_drop(struct parser *p)
{
    struct node *node = parse_node(p, N_DROP, 1);
    parse_next(p);
    if (parse_accept_kw(p, KW_MATERIALIZED))
        node->flags |= NODE_MATERIALIZED;
    if (parse_accept_kw(p, KW_TABLE))
        node->text = STR("TABLE");
    else if (parse_accept_kw(p, KW_VIEW))
        node->text = STR("VIEW");
    else
        parse_unsupported(p, "DROP of this kind");
    if (parse_accept_kw2(p, KW_IF, KW_EXISTS))
        node->flags |= NODE_TRY;
    set_kid(p, node, 0, parse_dotted(p));
    return parse_close(p, node);
}

static struct node *parse_show(struct parser *p)
{
    struct node *node = parse_node(p, N_SHOW, 1);
    parse_next(p);
    node->text = parse_upper(p, parse_current(p)->text);
    parse_ident(p, true);
    if (str_is(node->text, "MATERIALIZED") && parse_accept_word(p, "VIEWS"))
        node->text = STR("MATERIALIZED VIEWS");
    if (str_is(node->text, "CREATE")) {
        parse_accept_kw(p, KW_MATERIALIZED);
        if (!parse_accept_kw(p, KW_VIEW))
            parse_expected(p, "VIEW");
        node->text = STR("CREATE VIEW");
        set_kid(p, node, 0, parse_dotted(p));
    } else if (parse_accept_kw(p, KW_FROM) || parse_accept_kw(p, KW_IN)) {
        set_kid(p, node, 0, parse_dotted(p));
    }
    return parse_close(p, node);
}

static struct node *parse_explain(struct parser *p, enum lang_statement *ret)
{
    struct node *node = parse_node(p, N_EXPLAIN, 1);
    parse_next(p);
    if (parse_accept_kw(p, KW_ANALYZE))
        node->flags |= NODE_ALL;
    enum lang_statement inner = LANG_OTHER;
    set_kid(p, node, 0, parse_statement(p, &inner));
    *ret = LANG_EXPLAIN;
    return parse_close(p, node);
}

static struct node *parse_describe(struct parser *p, enum lang_statement *ret)
{
    if (parse_at_query(p, 1))
        return parse_explain(p, ret);
    struct node *node = parse_node(p, N_DESCRIBE, 1);
    parse_next(p);
    parse_accept_kw(p, KW_TABLE);
    set_kid(p, node, 0, parse_dotted(p));
    *ret = LANG_DESCRIBE;
    return parse_close(p, node);
}

/* REFRESH MATERIALIZED VIEW name */
static struct node *parse_refresh(struct parser *p)
{
    struct node *node = parse_node(p, N_REFRESH, 1);
    parse_next(p);
    parse_expect_kw(p, KW_MATERIALIZED);
    parse_expect_kw(p, KW_VIEW);
    set_kid(p, node, 0, parse_dotted(p));
    return parse_close(p, node);
}

/* A statement that is only recognised; its rest is not read. */
static struct node *parse_other(struct parser *p)
{
    struct node *node = parse_node(p, N_OTHER, 0);
    node->text = parse_upper(p, parse_current(p)->text);
    while (parse_current(p)->kind != T_END && !parse_is_op(p, OP1(';')))
        parse_next(p);
    return parse_close(p, node);
}

static struct node *with_before(struct parser *p, enum lang_statement *ret)
{
    size_t at = p->at;
    struct node *with = parse_with(p);
    bool dml = parse_is_kw(p, KW_INSERT) || parse_is_kw(p, KW_UPDATE) || parse_is_kw(p, KW_DELETE);
    if (!dml) {
        p->at = p->status == STATUS_OK ? at : p->at;
        return parse_query(p);
    }
    struct node *node = parse_statement(p, ret);
    set_kid(p, node, node->kind == N_INSERT ? 3 : node->kind == N_UPDATE ? 4 : 3, with);
    return node;
}

struct node *parse_statement(struct parser *p, enum lang_statement *ret)
{
    *ret = LANG_SELECT;
    switch (parse_current(p)->kind == T_WORD ? parse_current(p)->keyword : KW_NONE) {
    case KW_WITH:
        return with_before(p, ret);
    case KW_INSERT:
        *ret = LANG_INSERT;
        return parse_insert(p);
    case KW_UPDATE:
        *ret = LANG_UPDATE;
        return parse_update(p);
    case KW_DELETE:
        *ret = LANG_DELETE;
        return parse_delete(p);
    case KW_MERGE:
        *ret = LANG_MERGE;
        return parse_merge(p);
    case KW_CREATE:
        return parse_create(p, ret);
    case KW_ALTER:
        *ret = LANG_ALTER;
        return parse_alter(p);
    case KW_COMMENT:
        *ret = LANG_ALTER;
        return parse_comment_on(p);
    case KW_DROP:
        *ret = LANG_DROP;
        return parse_drop(p);
    case KW_SHOW:
        *ret = LANG_SHOW;
        return parse_show(p);
    case KW_DESC:
    case KW_DESCRIBE:
        return parse_describe(p, ret);
    case KW_EXPLAIN:
        return parse_explain(p, ret);
    case KW_SET:
    case KW_USE:
    case KW_CALL:
    case KW_COPY:
    case KW_INSTALL:
    case KW_LOAD:
    case KW_ATTACH:
    case KW_DETACH:
    case KW_PRAGMA:
    case KW_EXPORT:
    case KW_VACUUM:
    case KW_ANALYZE:
    case KW_TRUNCATE:
    case KW_GRANT:
    case KW_REVOKE:
    case KW_COMMIT:
    case KW_ROLLBACK:
    case KW_EXECUTE:
    case KW_TRANSACTION:
    case KW_KILL:
    case KW_RESET:
    case KW_LOCK:
    case KW_OPTIMIZE:
    case KW_REPLACE:
        *ret = LANG_OTHER;
        return parse_other(p);
    default:
        break;
    }
    if (parse_is_word(p, "REFRESH")) {
        *ret = LANG_REFRESH;
        return parse_refresh(p);
    }
    if (!parse_at_query(p, 0) && !parse_is_kw(p, KW_VALUES) && !parse_is_kw(p, KW_TABLE) &&
        !parse_is_op(p, OP1('(')))
        parse_expected(p, "a statement");
    return parse_query(p);
}

const char *lang_statement_name(enum lang_statement statement)
{
    static const char *const names[] = {"select",       "insert",      "update",  "delete", "merge",
                                        "create_table", "create_view", "alter",   "drop",   "show",
                                        "describe",     "explain",     "refresh", "other"};
    return names[statement];
}

const char *lang_code_name(enum lang_code code)
{
    static const char *const names[] = {
        "PARSE_ERROR",     "UNSUPPORTED",      "TOO_LARGE",     "NO_MEMORY",   "UNKNOWN_TABLE",
        "UNKNOWN_COLUMN",  "AMBIGUOUS_COLUMN", "TYPE_MISMATCH", "NOT_GROUPED", "REFUSED",
        "WRONG_ARGUMENTS", "BAD_AGGREGATE",    "BAD_WINDOW"};
    return names[code];
}

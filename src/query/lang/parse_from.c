/* parse_from.c: tables, joins, aliases, samples, PIVOT. */
#include "query/lang/parse_int.h"

static void set_kid(struct parser *p, struct node *node, size_t slot, struct node *child)
{
    if (node != &p->spare)
        node->kids[slot] = child;
}

/* t, t(a, b), (a, b): behind a table; NULL when there is none. */
struct node *parse_alias(struct parser *p, bool columns)
{
    bool said = parse_accept_kw(p, KW_AS);
    struct node *alias = parse_node(p, N_ALIAS, 2);
    if (parse_is_op(p, OP1('(')) && said && columns) {
        alias->text = STR("");
    } else if (said || parse_at_alias(p)) {
        const struct token *token = parse_current(p);
        alias->text = token->text;
        if (token->kind != T_WORD)
            alias->flags |= NODE_QUOTED;
        if (token->kind == T_STRING && p->dialect->flags & (D_STRING_ALIAS | D_DOUBLE_QUOTE_STRING))
            parse_next(p);
        else
            parse_ident(p, said);
    } else {
        return NULL;
    }
    if (columns && parse_is_op(p, OP1('('))) {
        struct node_list list = {0};
        size_t start = parse_current(p)->offset;
        parse_next(p);
        do {
            parse_add(p, &list, parse_ident(p, true));
            if (!parse_is_op(p, OP1(',')) && !parse_is_op(p, OP1(')')))
                parse_type_name(p); /* t(a int, b text) */
        } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
        parse_expect_op(p, OP1(')'));
        set_kid(p, alias, 1, parse_list(p, N_LIST, &list, start));
    }
    return parse_close(p, alias);
}

/* TABLESAMPLE method (n PERCENT | ROWS) REPEATABLE (seed); USING SAMPLE ... */
struct node *parse_sample(struct parser *p)
{
    struct node *sample = parse_node(p, N_SAMPLE, 2);
    sample->text = STR("");
    parse_next(p);
    if (parse_current(p)->kind == T_WORD && parse_current(p)->keyword != KW_NONE &&
        !parse_is_op(p, OP1('('))) {
        sample->text = parse_upper(p, parse_current(p)->text);
        parse_next(p);
    } else if (parse_current(p)->kind == T_WORD) {
        sample->text = parse_upper(p, parse_current(p)->text);
        parse_next(p);
    }
    bool paren = parse_accept_op(p, OP1('('));
    if (parse_current(p)->kind != T_NUMBER)
        parse_expected(p, "a size");
    struct node *size = parse_text_node(p, N_NUMBER, parse_current(p)->text);
    parse_next(p);
    set_kid(p, sample, 0, parse_close(p, size));
    if (parse_accept_op(p, OP1('%')) || parse_accept_kw(p, KW_PERCENT))
        sample->flags |= NODE_PERCENT;
    else if (!parse_accept_kw(p, KW_ROWS) && p->id != LANG_DUCKDB)
        sample->flags |= NODE_PERCENT;
    if (paren)
        parse_expect_op(p, OP1(')'));
    if (parse_is_op(p, OP1('(')) && !paren) { /* USING SAMPLE 10% (bernoulli[, seed]) */
        parse_next(p);
        sample->text = parse_upper(p, parse_current(p)->text);
        parse_next(p);
        if (parse_accept_op(p, OP1(',')))
            set_kid(p, sample, 1, parse_expr(p, 0));
        parse_expect_op(p, OP1(')'));
    }
    if (parse_accept_kw(p, KW_REPEATABLE) || parse_accept_word(p, "SEED")) {
        parse_expect_op(p, OP1('('));
        set_kid(p, sample, 1, parse_expr(p, 0));
        parse_expect_op(p, OP1(')'));
    }
    return parse_close(p, sample);
}

static void parse_hints(struct parser *p)
{
    for (;;) {
        if ((parse_is_kw(p, KW_USE) || parse_is_kw(p, KW_FORCE) || parse_is_kw(p, KW_IGNORE)) &&
            (parse_peek_kw(p, 1, KW_INDEX) || parse_peek_kw(p, 1, KW_KEY))) {
            while (!parse_is_op(p, OP1('(')) && parse_current(p)->kind != T_END)
                parse_next(p);
        } else if (parse_is_kw(p, KW_WITH) && parse_peek_op(p, 1, OP1('(')) && p->id == LANG_TSQL) {
            parse_next(p);
        } else {
            return;
        }
        while (!parse_is_op(p, OP1(')')) && parse_current(p)->kind != T_END)
            parse_next(p);
        parse_expect_op(p, OP1(')'));
    }
}

static bool at_pivot(const struct parser *p)
{
    if (!parse_is_kw(p, KW_PIVOT) && !parse_is_kw(p, KW_UNPIVOT))
        return false;
    return parse_peek_op(p, 1, OP1('(')) || parse_peek_kw(p, 2, KW_NULLS);
}

/* What may stand behind any table: alias, sample, pivot, hints. alias_slot, sample_slot of `node`.
 */
static struct node *parse_table_tail(struct parser *p, struct node *node, size_t alias_slot)
{
    if (parse_is_kw(p, KW_FINAL) && p->id == LANG_CLICKHOUSE)
        parse_unsupported(p, "FINAL");
    if (parse_is_kw(p, KW_TABLESAMPLE) ||
        (parse_is_kw(p, KW_SAMPLE) && parse_peek_op(p, 1, OP1('(')) && p->id == LANG_SNOWFLAKE))
        set_kid(p, node, alias_slot + 1, parse_sample(p));
    if (at_pivot(p))
        return parse_pivot(p, parse_close(p, node));
    if (!kid(node, alias_slot))
        set_kid(p, node, alias_slot, parse_alias(p, true));
    parse_hints(p);
    if (parse_is_kw(p, KW_TABLESAMPLE))
        set_kid(p, node, alias_slot + 1, parse_sample(p));
    if (at_pivot(p))
        return parse_pivot(p, parse_close(p, node));
    return parse_close(p, node);
}

static struct node *pivot_values(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    parse_expect_op(p, OP1('('));
    do {
        struct node *value = parse_expr(p, 0);
        bool as = parse_accept_kw(p, KW_AS);
        if (as || parse_at_alias(p)) {
            struct node *alias = parse_node(p, N_ALIAS, 2);
            alias->offset = value->offset;
            set_kid(p, alias, 0, value);
            alias->text = parse_current(p)->text;
            if (parse_current(p)->kind != T_WORD)
                alias->flags |= NODE_QUOTED;
            parse_next(p);
            value = parse_close(p, alias);
        }
        parse_add(p, &list, value);
    } while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    parse_expect_op(p, OP1(')'));
    return parse_list(p, N_LIST, &list, start);
}

/* table PIVOT (agg [AS a], ... FOR column IN (values) [GROUP BY ...]) [alias] */
struct node *parse_pivot(struct parser *p, struct node *table)
{
    struct node *pivot = parse_node(p, N_PIVOT, 6);
    pivot->offset = table->offset;
    if (parse_is_kw(p, KW_UNPIVOT))
        pivot->flags |= NODE_NOT;
    parse_next(p);
    if (parse_peek_kw(p, 1, KW_NULLS)) { /* EXCLUDE NULLS is the default */
        if (parse_is_word(p, "INCLUDE"))
            pivot->flags |= NODE_ALL;
        parse_next(p);
        parse_next(p);
    }
    parse_expect_op(p, OP1('('));
    set_kid(p, pivot, 0, table);
    if (pivot->flags & NODE_NOT) {
        struct node_list names = {0};
        parse_add(p, &names, parse_dotted(p));
        set_kid(p, pivot, 1, parse_list(p, N_LIST, &names, pivot->offset));
    } else {
        set_kid(p, pivot, 1, parse_select_items(p));
    }
    parse_expect_kw(p, KW_FOR);
    set_kid(p, pivot, 2, parse_dotted(p));
    parse_expect_kw(p, KW_IN);
    if (parse_at_query(p, 1) || parse_peek_kw(p, 1, KW_ANY))
        parse_unsupported(p, "PIVOT over a query");
    set_kid(p, pivot, 3, pivot_values(p));
    if (parse_accept_kw(p, KW_GROUP)) {
        parse_expect_kw(p, KW_BY);
        set_kid(p, pivot, 4, parse_exprs(p));
    }
    parse_expect_op(p, OP1(')'));
    if (!at_pivot(p))
        set_kid(p, pivot, 5, parse_alias(p, true));
    parse_close(p, pivot);
    return at_pivot(p) && p->status == STATUS_OK ? parse_pivot(p, pivot) : pivot;
}

/* ---- table functions ---- */

static struct node *table_call(struct parser *p, struct node *call)
{
    struct node *table = parse_node(p, N_TABLE_CALL, 5);
    table->offset = call->offset;
    set_kid(p, table, 0, call);
    if (parse_accept_kw(p, KW_WITH)) {
        if (parse_accept_kw(p, KW_ORDINALITY)) {
            table->flags |= NODE_ORDINALITY;
        } else { /* BigQuery: UNNEST(x) WITH OFFSET [AS] o; the alias may come before */
            parse_expect_kw(p, KW_OFFSET);
            struct node *offset = parse_alias(p, false);
            set_kid(p, table, 4, offset ? offset : parse_text_node(p, N_ALIAS, STR("offset")));
        }
    }
    table = parse_table_tail(p, table, 1);
    if (table->kind == N_TABLE_CALL && parse_is_kw(p, KW_WITH) && parse_peek_kw(p, 1, KW_OFFSET)) {
        parse_next(p);
        parse_next(p);
        struct node *offset = parse_alias(p, false);
        set_kid(p, table, 4, offset ? offset : parse_text_node(p, N_ALIAS, STR("offset")));
    }
    return parse_close(p, table);
}

static struct node *parse_table_query(struct parser *p, bool lateral)
{
    struct node *table = parse_node(p, N_TABLE_QUERY, 3);
    if (lateral)
        table->flags |= NODE_LATERAL;
    parse_expect_op(p, OP1('('));
    set_kid(p, table, 0, parse_query(p));
    if (node_is(kid(table, 0), N_VALUES) && parse_at_alias(p))
        set_kid(p, table, 1, parse_alias(p, true));
    parse_expect_op(p, OP1(')'));
    return parse_table_tail(p, table, 1);
}

/* ( query ) or ( joins ) */
static struct node *parse_table_parens(struct parser *p)
{
    size_t at = p->at;
    if (parse_at_query(p, 1)) {
        /* ((SELECT ...) AS a JOIN b): a join in parentheses begins like a query in two */
        if (!parse_peek_op(p, 1, OP1('(')))
            return parse_table_query(p, false);
        if (!parse_attempt(p))
            return &p->spare;
        struct parser saved = *p;
        struct lang_problem scratch = {0};
        p->problem = &scratch;
        struct node *table = parse_table_query(p, false);
        int attempts = p->attempts;
        if (p->status == STATUS_OK) {
            p->problem = saved.problem;
            return table;
        }
        *p = saved;
        p->attempts = attempts;
        p->at = at;
    }
    struct node *node = parse_node(p, N_TABLE_JOINED, 2);
    parse_next(p);
    struct node *from = parse_from(p);
    if (list_count(from) != 1)
        parse_unsupported(p, "a list of tables in parentheses");
    parse_expect_op(p, OP1(')'));
    set_kid(p, node, 0, kid(from, 0));
    set_kid(p, node, 1, parse_alias(p, true));
    return parse_close(p, node);
}

/* BigQuery: my-project.data.t */
static struct str dashed_name(struct parser *p, struct str name)
{
    while (p->id == LANG_BIGQUERY && parse_is_op(p, OP1('-')) && !parse_current(p)->spaced &&
           !parse_peek(p, 1)->spaced &&
           (parse_peek(p, 1)->kind == T_WORD || parse_peek(p, 1)->kind == T_NUMBER)) {
        const char *text =
            arena_printf(p->arena, "%.*s-%.*s", STR_ARG(name), STR_ARG(parse_peek(p, 1)->text));
        name = str_of(text ? text : "");
        parse_next(p);
        parse_next(p);
    }
    return name;
}

struct node *parse_table_name(struct parser *p)
{
    struct node_list parts = {0};
    size_t start = parse_current(p)->offset;
    struct node *first = NULL;
    if (parse_current(p)->kind == T_STRING && p->id == LANG_DUCKDB) { /* FROM 'file' */
        first = parse_text_node(p, N_IDENT, parse_current(p)->text);
        first->flags |= NODE_QUOTED;
        parse_next(p);
    } else {
        first = parse_ident(p, false);
    }
    first->text = dashed_name(p, first->text);
    parse_add(p, &parts, first);
    while (parse_is_op(p, OP1('.')) && p->status == STATUS_OK) {
        parse_next(p);
        if (parse_is_op(p, OP1('.')) && p->id == LANG_TSQL) /* db..t */
            continue;
        if (parse_is_op(p, OP1('*')))
            parse_unsupported(p, "a table name with a wildcard");
        parse_add(p, &parts, parse_ident(p, true));
    }
    struct node *table = parse_node(p, N_TABLE, 4);
    table->offset = (uint32_t)start;
    set_kid(p, table, 0, parse_list(p, N_REF, &parts, start));
    return parse_close(p, table);
}

static struct node *parse_table(struct parser *p)
{
    bool lateral = parse_accept_kw(p, KW_LATERAL);
    const struct token *token = parse_current(p);
    if (parse_is_op(p, OP1('(')))
        return lateral ? parse_table_query(p, true) : parse_table_parens(p);
    if (parse_is_kw(p, KW_VALUES)) {
        struct node *table = parse_node(p, N_TABLE_QUERY, 3);
        set_kid(p, table, 0, parse_query(p));
        return parse_table_tail(p, table, 1);
    }
    if (parse_is_kw(p, KW_TABLE) && parse_peek_op(p, 1, OP1('('))) { /* TABLE(f(x)) */
        parse_next(p);
        parse_next(p);
        struct node *call = parse_expr(p, 0);
        parse_expect_op(p, OP1(')'));
        if (call->kind != N_CALL)
            parse_unsupported(p, "TABLE(...) over something else than a call");
        return table_call(p, call);
    }
    if (token->kind == T_WORD && parse_is_kw(p, KW_ONLY) && parse_peek(p, 1)->kind == T_WORD)
        parse_next(p);
    if ((token->kind == T_WORD || token->kind == T_QUOTED) && p->id == LANG_DUCKDB &&
        parse_peek_op(p, 1, OP1(':'))) { /* alias: t */
        struct node *alias = parse_text_node(p, N_ALIAS, token->text);
        struct node *slots = parse_node(p, N_ALIAS, 2);
        slots->text = alias->text;
        parse_next(p);
        parse_next(p);
        struct node *table = parse_table(p);
        if (table->kind == N_TABLE || table->kind == N_TABLE_CALL || table->kind == N_TABLE_QUERY)
            set_kid(p, table, 1, slots);
        return table;
    }
    size_t at = p->at;
    struct node *table = parse_table_name(p);
    if (parse_is_op(p, OP1('('))) {
        if (parse_is_kw(p, KW_PARTITION))
            parse_unsupported(p, "PARTITION");
        p->at = at;
        struct node *call = parse_expr(p, LEVEL_POSTFIX);
        if (call->kind != N_CALL)
            parse_unsupported(p, "this table expression");
        struct node *result = table_call(p, call);
        if (lateral)
            result->flags |= NODE_LATERAL;
        return result;
    }
    if (p->id == LANG_POSTGRES)
        parse_accept_op(p, OP1('*')); /* t* means t and its heirs */
    if (parse_is_kw(p, KW_FOR) &&
        (parse_peek_word(p, 1, "SYSTEM_TIME") || parse_peek_word(p, 1, "TIMESTAMP") ||
         parse_peek_kw(p, 1, KW_VERSION)))
        parse_unsupported(p, "time travel");
    if (parse_is_kw(p, KW_AT) && parse_peek_op(p, 1, OP1('(')))
        parse_unsupported(p, "time travel");
    if (parse_is_op(p, OP1('@')))
        parse_unsupported(p, "a remote table");
    if (parse_is_kw(p, KW_PARTITION) && parse_peek_op(p, 1, OP1('(')) && p->id == LANG_MYSQL) {
        /* DuckDB reads the same text as an alias with column names; a partition it is not. */
        parse_unsupported(p, "PARTITION");
    }
    return parse_table_tail(p, table, 1);
}

/* ---- joins ---- */

struct join_head {
    const char *kind; /* NULL: no join here */
    uint32_t flags;
    bool needs_on;
};

static bool accept_strictness(struct parser *p, struct join_head *head)
{
    if (parse_accept_kw(p, KW_ASOF)) {
        head->flags |= NODE_ASOF;
        return true;
    }
    if (p->id == LANG_CLICKHOUSE &&
        (parse_is_kw(p, KW_ANY) || parse_is_kw(p, KW_GLOBAL) || (parse_is_kw(p, KW_ALL)))) {
        if (parse_is_kw(p, KW_ANY))
            head->flags |= NODE_DISTINCT; /* at most one match */
        parse_next(p);
        return true;
    }
    return false;
}

static struct join_head parse_join_head(struct parser *p)
{
    struct join_head head = {.kind = "INNER", .needs_on = true};
    size_t at = p->at;
    if (parse_accept_kw(p, KW_NATURAL))
        head.flags |= NODE_NATURAL;
    accept_strictness(p, &head);
    if (parse_accept_kw(p, KW_INNER)) {
        head.kind = "INNER";
    } else if (parse_accept_kw(p, KW_LEFT)) {
        head.kind = "LEFT";
    } else if (parse_accept_kw(p, KW_RIGHT)) {
        head.kind = "RIGHT";
    } else if (parse_accept_kw(p, KW_FULL)) {
        head.kind = "FULL";
    } else if (parse_accept_kw(p, KW_CROSS)) {
        head.kind = "CROSS";
        head.needs_on = false;
    } else if (parse_accept_kw(p, KW_POSITIONAL)) {
        head.kind = "POSITIONAL";
        head.needs_on = false;
    } else if (parse_is_kw(p, KW_OUTER) && parse_peek_kw(p, 1, KW_APPLY)) {
        head.kind = "LEFT";
    }
    if (parse_is_kw(p, KW_SEMI) || parse_is_kw(p, KW_ANTI)) {
        bool right = str_is(str_of(head.kind), "RIGHT");
        head.kind = parse_is_kw(p, KW_SEMI) ? (right ? "RIGHT SEMI" : "SEMI")
                                            : (right ? "RIGHT ANTI" : "ANTI");
        parse_next(p);
    }
    if (!parse_peek_kw(p, 1, KW_APPLY))
        parse_accept_kw(p, KW_OUTER);
    accept_strictness(p, &head);
    if (parse_is_kw(p, KW_ARRAY) && parse_peek_kw(p, 1, KW_JOIN)) {
        head.kind = str_is(str_of(head.kind), "LEFT") ? "LEFT ARRAY" : "ARRAY";
        parse_next(p);
        head.needs_on = false;
    }
    if (parse_accept_kw(p, KW_OUTER) || parse_is_kw(p, KW_APPLY)) {
        if (parse_accept_kw(p, KW_APPLY)) {
            head.kind = str_is(str_of(head.kind), "LEFT") ? "OUTER APPLY" : "CROSS APPLY";
            head.needs_on = false;
            return head;
        }
    }
    if (parse_accept_kw(p, KW_JOIN))
        return head;
    if (parse_accept_kw(p, KW_STRAIGHT_JOIN))
        return head;
    p->at = p->status == STATUS_OK ? at : p->at;
    head.kind = NULL;
    return head;
}

/* LATERAL VIEW [OUTER] f(x) t [AS a, b] */
static struct node *parse_lateral_view(struct parser *p, struct node *left)
{
    struct node *join = parse_node(p, N_JOIN, 4);
    join->offset = left->offset;
    parse_next(p);
    parse_next(p);
    join->text = parse_accept_kw(p, KW_OUTER) ? STR("OUTER LATERAL VIEW") : STR("LATERAL VIEW");
    struct node *table = parse_node(p, N_TABLE_CALL, 5);
    struct node *call = parse_expr(p, LEVEL_POSTFIX);
    if (call->kind != N_CALL)
        parse_expected(p, "a call of a function");
    set_kid(p, table, 0, call);
    struct node *alias = parse_node(p, N_ALIAS, 2);
    alias->text = STR("");
    if (parse_at_alias(p))
        alias->text = parse_ident(p, false)->text;
    if (parse_accept_kw(p, KW_AS)) {
        struct node_list names = {0};
        size_t start = parse_current(p)->offset;
        bool paren = parse_accept_op(p, OP1('('));
        do
            parse_add(p, &names, parse_ident(p, false));
        while (parse_is_op(p, OP1(',')) &&
               (parse_peek(p, 1)->kind == T_WORD || parse_peek(p, 1)->kind == T_QUOTED) &&
               (parse_next(p), true));
        if (paren)
            parse_expect_op(p, OP1(')'));
        set_kid(p, alias, 1, parse_list(p, N_LIST, &names, start));
    }
    set_kid(p, table, 1, alias);
    set_kid(p, join, 0, left);
    set_kid(p, join, 1, parse_close(p, table));
    return parse_close(p, join);
}

/* ARRAY JOIN a AS x, b AS y */
static struct node *parse_array_join(struct parser *p, struct node *left, struct join_head head)
{
    struct node *join = parse_node(p, N_JOIN, 4);
    join->offset = left->offset;
    join->text = str_of(head.kind);
    set_kid(p, join, 0, left);
    set_kid(p, join, 1, parse_select_items(p));
    return parse_close(p, join);
}

static void join_condition(struct parser *p, struct node *join, struct join_head head)
{
    if (parse_accept_kw(p, KW_ON))
        set_kid(p, join, 2, parse_expr(p, 0));
    else if (parse_is_kw(p, KW_USING) && parse_peek_op(p, 1, OP1('('))) {
        parse_next(p);
        set_kid(p, join, 3, parse_ident_list(p));
    } else if (parse_is_kw(p, KW_USING) && p->id == LANG_CLICKHOUSE) {
        parse_next(p);
        struct node_list names = {0};
        size_t start = parse_current(p)->offset;
        do
            parse_add(p, &names, parse_ident(p, false));
        while (parse_accept_op(p, OP1(',')));
        set_kid(p, join, 3, parse_list(p, N_LIST, &names, start));
    } else if (head.needs_on && !(head.flags & NODE_NATURAL) && !str_is(join->text, "INNER") &&
               !parse_is_dialect(p, DIALECT(BIGQUERY) | DIALECT(SPARK) | DIALECT(DATABRICKS) |
                                        DIALECT(HIVE) | DIALECT(SNOWFLAKE)) &&
               !(kid(join, 1) && kid(join, 1)->flags & NODE_LATERAL)) {
        parse_expected(p, "ON or USING");
    }
}

static bool at_condition(const struct parser *p)
{
    return parse_is_kw(p, KW_ON) || parse_is_kw(p, KW_USING);
}

struct node *parse_joins(struct parser *p, struct node *left)
{
    while (p->status == STATUS_OK) {
        if (parse_is_kw(p, KW_LATERAL) && parse_peek_kw(p, 1, KW_VIEW)) {
            left = parse_lateral_view(p, left);
            continue;
        }
        struct join_head head = parse_join_head(p);
        if (!head.kind)
            break;
        if (str_ends(str_of(head.kind), STR("ARRAY"))) {
            left = parse_array_join(p, left, head);
            continue;
        }
        struct node *join = parse_node(p, N_JOIN, 4);
        join->offset = left->offset;
        join->text = str_of(head.kind);
        join->flags |= head.flags;
        struct node *right = parse_table(p);
        if (head.needs_on && !at_condition(p) && parse_enter(p)) { /* a JOIN b JOIN c ON .. ON .. */
            size_t at = p->at;
            struct join_head next = parse_join_head(p);
            p->at = p->status == STATUS_OK ? at : p->at;
            if (next.kind && next.needs_on && parse_attempt(p)) {
                struct parser saved = *p;
                struct lang_problem scratch = {0};
                p->problem = &scratch;
                struct node *nested = parse_joins(p, right);
                bool fits = p->status == STATUS_OK && at_condition(p);
                saved.attempts = p->attempts;
                if (fits)
                    right = nested;
                else
                    *p = saved;
                p->problem = saved.problem;
            }
            parse_leave(p);
        }
        set_kid(p, join, 0, left);
        set_kid(p, join, 1, right);
        join_condition(p, join, head);
        left = parse_close(p, join);
    }
    return left;
}

struct node *parse_from(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    if (!parse_enter(p)) {
        parse_leave(p);
        return parse_list(p, N_LIST, &list, start);
    }
    do
        parse_add(p, &list, parse_joins(p, parse_table(p)));
    while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK && !parse_is_kw(p, KW_WHERE));
    parse_leave(p);
    return parse_list(p, N_LIST, &list, start);
}

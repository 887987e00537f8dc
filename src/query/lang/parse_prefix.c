/* parse_prefix.c: what an expression begins with (literals, names, parentheses, prefix operators,
 * brackets) and what may follow it directly: subscripts, fields, casts, JSON paths. */
#include "query/lang/parse_int.h"

static void set_kid(struct parser *p, struct node *node, size_t slot, struct node *child)
{
    if (node != &p->spare)
        node->kids[slot] = child;
}

static struct node *leaf(struct parser *p, enum node_kind kind)
{
    struct node *node = parse_text_node(p, kind, parse_current(p)->text);
    parse_next(p);
    return parse_close(p, node);
}

/* Adjacent strings are one: 'a' 'b' (where the standard or MySQL say so). */
static struct node *parse_string(struct parser *p)
{
    struct node *node = leaf(p, N_STRING);
    while (parse_current(p)->kind == T_STRING && parse_current(p)->spaced &&
           !parse_is_dialect(p, DIALECT(DUCKDB) | DIALECT(CLICKHOUSE) | DIALECT(TSQL) |
                                    DIALECT(ORACLE))) {
        const char *joined = arena_printf(p->arena, "%.*s%.*s", STR_ARG(node->text),
                                          STR_ARG(parse_current(p)->text));
        if (joined)
            node->text = str_of(joined);
        parse_next(p);
        parse_close(p, node);
    }
    return node;
}

static struct node *prefix_operator(struct parser *p, const char *text, int level)
{
    struct node *node = parse_node(p, N_UNARY, 1);
    node->text = str_of(text);
    parse_next(p);
    set_kid(p, node, 0, parse_expr(p, level));
    return parse_close(p, node);
}

static struct node *parse_not(struct parser *p, int level)
{
    struct node *node = parse_node(p, N_NOT, 1);
    parse_next(p);
    set_kid(p, node, 0, parse_expr(p, level));
    return parse_close(p, node);
}

/* ---- parentheses ---- */

static struct node *close_paren(struct parser *p, struct node *node)
{
    parse_expect_op(p, OP1(')'));
    node->flags |= NODE_PAREN;
    return node;
}

struct node *parse_parens(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    if (parse_at_query(p, 1)) {
        struct node *node = parse_node(p, N_SUBQUERY, 1);
        parse_next(p);
        set_kid(p, node, 0, parse_query(p));
        parse_expect_op(p, OP1(')'));
        return parse_close(p, node);
    }
    parse_expect_op(p, OP1('('));
    bool no_in = p->no_in;
    p->no_in = false;
    struct node_list list = {0};
    bool row = parse_is_op(p, OP1(')'));
    while (!parse_is_op(p, OP1(')')) && p->status == STATUS_OK) {
        struct node *item = parse_expr(p, 0);
        if (parse_accept_kw(p, KW_AS)) { /* (1 AS a, 2 AS b): a tuple with names */
            struct node *named = parse_node(p, N_NAMED, 1);
            set_kid(p, named, 0, item);
            named->text = parse_current(p)->text;
            parse_ident(p, true);
            item = named;
        }
        parse_add(p, &list, item);
        if (!parse_accept_op(p, OP1(',')))
            break;
        row = true;
    }
    p->no_in = no_in;
    if (!row && list.count == 1)
        return close_paren(p, list.items[0]);
    parse_expect_op(p, OP1(')'));
    return parse_list(p, N_ROW, &list, start);
}

/* ---- brackets and braces ---- */

static struct node *parse_comprehension(struct parser *p, struct node *value, size_t start)
{
    struct node *node = parse_node(p, N_COMPREHENSION, 4);
    node->offset = (uint32_t)start;
    parse_next(p);
    struct node_list names = {0};
    do
        parse_add(p, &names, parse_ident(p, true));
    while (parse_accept_op(p, OP1(',')));
    set_kid(p, node, 0, value);
    set_kid(p, node, 1, parse_list(p, N_LIST, &names, start));
    parse_expect_kw(p, KW_IN);
    set_kid(p, node, 2, parse_expr(p, LEVEL_OR));
    if (parse_accept_kw(p, KW_IF))
        set_kid(p, node, 3, parse_expr(p, 0));
    parse_expect_op(p, OP1(']'));
    return parse_close(p, node);
}

/* [1, 2, 3] */
static struct node *parse_brackets(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    struct node_list list = {0};
    parse_next(p);
    while (!parse_is_op(p, OP1(']')) && p->status == STATUS_OK) {
        parse_add(p, &list, parse_expr(p, 0));
        if (list.count == 1 && parse_is_kw(p, KW_FOR))
            return parse_comprehension(p, list.items[0], start);
        if (!parse_accept_op(p, OP1(',')))
            break;
    }
    parse_expect_op(p, OP1(']'));
    return parse_list(p, N_ARRAY, &list, start);
}

/* {'a': 1, b: 2} */
static struct node *parse_braces(struct parser *p, enum node_kind kind, size_t start)
{
    struct node_list list = {0};
    parse_expect_op(p, OP1('{'));
    while (!parse_is_op(p, OP1('}')) && p->status == STATUS_OK) {
        struct node *pair = parse_node(p, N_PAIR, 2);
        set_kid(p, pair, 0, parse_expr(p, 0));
        parse_expect_op(p, OP1(':'));
        set_kid(p, pair, 1, parse_expr(p, 0));
        parse_add(p, &list, parse_close(p, pair));
        if (!parse_accept_op(p, OP1(',')))
            break;
    }
    parse_expect_op(p, OP1('}'));
    return parse_list(p, kind, &list, start);
}

/* ---- names, stars, calls ---- */

/* * or t.*, with EXCEPT, EXCLUDE, REPLACE, RENAME. */
static struct node *parse_star(struct parser *p, struct node *qualifier, size_t start)
{
    struct node *node = parse_node(p, N_STAR, 5);
    node->offset = (uint32_t)start;
    parse_next(p);
    set_kid(p, node, 0, qualifier);
    for (;;) {
        if ((parse_is_kw(p, KW_EXCEPT) || parse_is_kw(p, KW_EXCLUDE)) &&
            (parse_is_kw(p, KW_EXCLUDE) ||
             (parse_peek_op(p, 1, OP1('(')) && !parse_at_query(p, 2)))) {
            parse_next(p);
            struct node_list names = {0};
            bool paren = parse_accept_op(p, OP1('('));
            do
                parse_add(p, &names, parse_dotted(p));
            while (paren && parse_accept_op(p, OP1(',')));
            if (paren)
                parse_expect_op(p, OP1(')'));
            set_kid(p, node, 1, parse_list(p, N_LIST, &names, start));
        } else if (parse_is_kw(p, KW_REPLACE) ||
                   (parse_is_kw(p, KW_RENAME) && p->id != LANG_BIGQUERY)) {
            size_t slot = parse_is_kw(p, KW_REPLACE) ? 2 : 3;
            parse_next(p);
            bool paren = parse_accept_op(p, OP1('('));
            struct node_list items = {0};
            do {
                struct node *item = parse_node(p, N_ALIAS, 2);
                set_kid(p, item, 0, parse_expr(p, 0));
                parse_expect_kw(p, KW_AS);
                if (parse_current(p)->kind == T_QUOTED)
                    item->flags |= NODE_QUOTED;
                item->text = parse_ident(p, true)->text;
                parse_add(p, &items, parse_close(p, item));
            } while (paren && parse_accept_op(p, OP1(',')));
            if (paren)
                parse_expect_op(p, OP1(')'));
            set_kid(p, node, slot, parse_list(p, N_LIST, &items, start));
        } else {
            return parse_close(p, node);
        }
    }
}

/* a, a.b.c, a.*, f(...), a.f(...) */
static struct node *parse_name(struct parser *p)
{
    size_t start = parse_current(p)->offset;
    struct node_list parts = {0};
    parse_add(p, &parts, parse_ident(p, false));
    while (parse_is_op(p, OP1('.')) && p->status == STATUS_OK) {
        parse_next(p);
        if (parse_is_op(p, OP1('*')))
            return parse_star(p, parse_list(p, N_REF, &parts, start), start);
        parse_add(p, &parts, parse_ident(p, true));
    }
    if (!parse_is_op(p, OP1('(')))
        return parse_list(p, N_REF, &parts, start);
    struct str name = parts.items ? parts.items[0]->text : STR("");
    for (size_t i = 1; i < parts.count; i++) {
        const char *dotted =
            arena_printf(p->arena, "%.*s.%.*s", STR_ARG(name), STR_ARG(parts.items[i]->text));
        name = str_of(dotted ? dotted : "");
    }
    return parse_call(p, name, start);
}

/* DATE '2024-01-01': a type's name before a string is a cast. */
static struct node *parse_typed_literal(struct parser *p)
{
    const struct token *token = parse_current(p);
    if (token->kind != T_WORD || !parse_is_literal_type(token->text))
        return NULL;
    size_t ahead = 1;
    if ((parse_peek_kw(p, 1, KW_WITH) || parse_peek_kw(p, 1, KW_WITHOUT)) &&
        parse_peek_kw(p, 2, KW_TIME))
        ahead = 4;
    else if (parse_peek_word(p, 1, "PRECISION"))
        ahead = 2;
    if (parse_peek(p, ahead)->kind != T_STRING)
        return NULL;
    struct node *node = parse_node(p, N_CAST, 3);
    struct node *type = parse_type_name(p);
    node->flags |= NODE_NO_PARENS; /* a literal, not a cast */
    set_kid(p, node, 0, parse_string(p));
    set_kid(p, node, 1, type);
    return parse_close(p, node);
}

static struct node *parse_word(struct parser *p)
{
    struct node *node = parse_typed_literal(p);
    if (!node)
        node = parse_special(p);
    if (node)
        return node;
    const struct token *token = parse_current(p);
    bool logic = p->id == LANG_CLICKHOUSE &&
                 (token->keyword == KW_AND || token->keyword == KW_OR || token->keyword == KW_XOR);
    bool pattern = token->keyword == KW_LIKE || token->keyword == KW_ILIKE ||
                   token->keyword == KW_GLOB || token->keyword == KW_RLIKE;
    if ((logic || pattern) && parse_peek_op(p, 1, OP1('('))) {
        struct str name = token->text; /* and(a, b): operators are functions too */
        parse_next(p);
        return parse_call(p, name, token->offset);
    }
    switch (token->keyword) {
    case KW_NULL:
        return leaf(p, N_NULL_);
    case KW_TRUE:
    case KW_FALSE:
        return leaf(p, N_BOOL);
    case KW_NOT:
        return parse_not(p, LEVEL_NOT);
    case KW_DEFAULT:
        return leaf(p, N_DEFAULT);
    default:
        break;
    }
    return parse_name(p);
}

static struct node *parse_operator(struct parser *p)
{
    const struct token *token = parse_current(p);
    bool postgres = parse_is_dialect(p, DIALECT(POSTGRES) | DIALECT(DUCKDB) | DIALECT(REDSHIFT));
    switch (token->op) {
    case OP1('('):
        return parse_parens(p);
    case OP1('['):
        return parse_brackets(p);
    case OP1('{'):
        if (parse_peek_word(p, 1, "fn")) { /* ODBC: {fn f(x)} */
            parse_next(p);
            parse_next(p);
            struct node *call = parse_expr(p, 0);
            parse_expect_op(p, OP1('}'));
            return call;
        }
        return parse_braces(p, N_STRUCT, token->offset);
    case OP1('*'):
        if (parse_peek_kw(p, 1, KW_COLUMNS) && parse_peek_op(p, 2, OP1('(')))
            return prefix_operator(p, "*", LEVEL_POSTFIX);
        return parse_star(p, NULL, token->offset);
    case OP1('-'):
        return prefix_operator(p, "-", LEVEL_UNARY);
    case OP1('+'):
        return prefix_operator(p, "+", LEVEL_UNARY);
    case OP1('~'):
        return prefix_operator(p, "~", postgres ? LEVEL_OTHER + 1 : LEVEL_UNARY);
    case OP1('!'):
        if (p->id == LANG_MYSQL || p->id == LANG_SPARK || p->id == LANG_DATABRICKS ||
            p->id == LANG_HIVE)
            return parse_not(p, LEVEL_UNARY);
        break;
    case OP1('@'):
        if (postgres)
            return prefix_operator(p, "@", LEVEL_OTHER + 1);
        break;
    case OP1('#'): /* DuckDB: #1 is the first column */
        if (p->id == LANG_DUCKDB && parse_peek(p, 1)->kind == T_NUMBER) {
            struct node *node = parse_node(p, N_PARAM, 0);
            parse_next(p);
            const char *name = arena_printf(p->arena, "#%.*s", STR_ARG(parse_current(p)->text));
            node->text = str_of(name ? name : "");
            parse_next(p);
            return parse_close(p, node);
        }
        break;
    case OP2('|', '/'):
        return prefix_operator(p, "|/", LEVEL_OTHER + 1);
    case OP3('|', '|', '/'):
        return prefix_operator(p, "||/", LEVEL_OTHER + 1);
    case OP1('?'): {
        struct node *node = parse_text_node(p, N_PARAM, STR("?"));
        parse_next(p);
        return parse_close(p, node);
    }
    case OP1(':'):
        if (parse_peek(p, 1)->kind == T_WORD || parse_peek(p, 1)->kind == T_NUMBER) {
            struct node *node = parse_node(p, N_PARAM, 0);
            parse_next(p);
            const char *name = arena_printf(p->arena, ":%.*s", STR_ARG(parse_current(p)->text));
            node->text = str_of(name ? name : "");
            parse_next(p);
            return parse_close(p, node);
        }
        break;
    default:
        break;
    }
    parse_expected(p, "an expression");
    return &p->spare;
}

static struct node *parse_primary(struct parser *p)
{
    const struct token *token = parse_current(p);
    switch (token->kind) {
    case T_NUMBER:
        return leaf(p, N_NUMBER);
    case T_STRING:
        return parse_string(p);
    case T_HEX:
        return leaf(p, N_BLOB);
    case T_BITS:
        return leaf(p, N_BITS);
    case T_PARAM: {
        struct node *node = leaf(p, p->template ? N_SLOT : N_PARAM);
        return node;
    }
    case T_QUOTED:
        return parse_name(p);
    case T_WORD:
        return parse_word(p);
    case T_OP:
        return parse_operator(p);
    default:
        parse_expected(p, "an expression");
        return &p->spare;
    }
}

/* ---- what follows ---- */

/* x[1], x[1:2], x[OFFSET(0)] */
static struct node *parse_subscript(struct parser *p, struct node *left)
{
    parse_next(p);
    struct node *from = NULL;
    if (!parse_is_op(p, OP1(':')))
        from = parse_expr(p, LEVEL_LAMBDA + 1);
    if (!parse_is_op(p, OP1(':'))) {
        struct node *node = parse_node(p, N_INDEX, 2);
        node->offset = left->offset;
        set_kid(p, node, 0, left);
        set_kid(p, node, 1, from);
        parse_expect_op(p, OP1(']'));
        return parse_close(p, node);
    }
    struct node *node = parse_node(p, N_SLICE, 4);
    node->offset = left->offset;
    set_kid(p, node, 0, left);
    set_kid(p, node, 1, from);
    for (size_t slot = 2; slot < 4 && parse_accept_op(p, OP1(':')); slot++) {
        if (parse_is_op(p, OP1('-')) &&
            (parse_peek_op(p, 1, OP1(':')) || parse_peek_op(p, 1, OP1(']'))))
            parse_next(p);
        else if (!parse_is_op(p, OP1(']')) && !parse_is_op(p, OP1(':')))
            set_kid(p, node, slot, parse_expr(p, LEVEL_LAMBDA + 1));
    }
    parse_expect_op(p, OP1(']'));
    return parse_close(p, node);
}

static struct node *parse_cast_suffix(struct parser *p, struct node *left)
{
    struct node *node = parse_node(p, N_CAST, 3);
    node->offset = left->offset;
    parse_next(p);
    set_kid(p, node, 0, left);
    set_kid(p, node, 1, parse_type_name(p));
    return parse_close(p, node);
}

static struct node *parse_field(struct parser *p, struct node *left)
{
    if (parse_peek_op(p, 1, OP1('*'))) {
        parse_next(p);
        return parse_star(p, left, left->offset);
    }
    struct node *node = parse_node(p, N_FIELD, 1);
    node->offset = left->offset;
    parse_next(p);
    if (parse_current(p)->kind == T_QUOTED)
        node->flags |= NODE_QUOTED;
    set_kid(p, node, 0, left);
    if (parse_current(p)->kind == T_NUMBER) { /* tuple.1 */
        node->text = parse_current(p)->text;
        parse_next(p);
        return parse_close(p, node);
    }
    node->text = parse_ident(p, true)->text;
    if (parse_is_op(p, OP1('('))) { /* x.f(...): DuckDB's chained call */
        struct node *call = parse_call(p, node->text, left->offset);
        struct node *args = kid(call, CALL_ARGS);
        struct node_list all = {0};
        parse_add(p, &all, left);
        for (size_t i = 0; i < list_count(args); i++)
            parse_add(p, &all, args->kids[i]);
        set_kid(p, call, CALL_ARGS, parse_list(p, N_LIST, &all, left->offset));
        return call;
    }
    return parse_close(p, node);
}

/* a:b.c[0]['d']: a path into JSON, as BINARY ":" with a JSON path as its right side. */
static struct node *parse_colon_path(struct parser *p, struct node *left)
{
    struct node *node = parse_node(p, N_BINARY, 2);
    struct buf path;
    buf_init(&path, 1 << 16);
    node->offset = left->offset;
    node->text = STR(":");
    parse_next(p);
    buf_append_str(&path, STR("$"));
    for (bool dot = true; p->status == STATUS_OK;) {
        const struct token *token = parse_current(p);
        if (dot) {
            if (token->kind == T_WORD)
                buf_printf(&path, ".%.*s", STR_ARG(token->text));
            else if (token->kind == T_QUOTED || token->kind == T_STRING)
                buf_printf(&path, ".\"%.*s\"", STR_ARG(token->text));
            else
                parse_expected(p, "a field");
            parse_next(p);
        } else {
            parse_next(p);
            token = parse_current(p);
            if (token->kind == T_NUMBER)
                buf_printf(&path, "[%.*s]", STR_ARG(token->text));
            else if (token->kind == T_STRING)
                buf_printf(&path, ".\"%.*s\"", STR_ARG(token->text));
            else
                parse_unsupported(p, "a computed path step");
            parse_next(p);
            parse_expect_op(p, OP1(']'));
        }
        dot = parse_accept_op(p, OP1('.')) ||
              (parse_is_op(p, OP1(':')) && parse_accept_op(p, OP1(':')));
        if (!dot && !parse_is_op(p, OP1('[')))
            break;
    }
    struct str text = arena_str(p->arena, buf_str(&path));
    buf_release(&path);
    set_kid(p, node, 0, left);
    set_kid(p, node, 1, parse_text_node(p, N_STRING, text.data ? text : STR("$")));
    return parse_close(p, node);
}

struct node *parse_postfix(struct parser *p, struct node *left)
{
    while (p->status == STATUS_OK && parse_current(p)->kind == T_OP) {
        const struct token *token = parse_current(p);
        if (token->op == OP1('[') && !(left->kind == N_NUMBER))
            left = parse_subscript(p, left);
        else if (token->op == OP2(':', ':'))
            left = parse_cast_suffix(p, left);
        else if (token->op == OP1('.') && left->kind != N_NUMBER && left->kind != N_STAR)
            left = parse_field(p, left);
        else if (token->op == OP1(':') && (p->dialect->flags & D_COLON_PATH) &&
                 parse_peek(p, 1)->kind != T_NUMBER)
            left = parse_colon_path(p, left);
        else
            break;
    }
    return left;
}

struct node *parse_prefix(struct parser *p)
{
    return parse_postfix(p, parse_primary(p));
}

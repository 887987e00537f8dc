/* parse_expr.c: operators, by precedence (Pratt): a prefix expression, then as many operators as
 * bind at least as tightly as `level`. Where dialects differ in an operator's meaning, the tree
 * keeps the operator as written and lowering decides; where they differ in precedence, infix()
 * decides. */
#include "query/lang/parse_int.h"

struct infix {
    int level;
    const char *text; /* of the BINARY node */
};

static struct infix infix_other(const struct parser *p, const struct token *token)
{
    bool levels = p->dialect->flags & D_BIT_LEVELS;
    switch (token->op) {
    case OP1('|'):
        return (struct infix){LEVEL_OTHER, "|"};
    case OP1('&'):
        return (struct infix){levels ? LEVEL_BIT_AND : LEVEL_OTHER, "&"};
    case OP2('<', '<'):
        return (struct infix){levels ? LEVEL_SHIFT : LEVEL_OTHER, "<<"};
    case OP2('>', '>'):
        return (struct infix){levels ? LEVEL_SHIFT : LEVEL_OTHER, ">>"};
    case OP1('^'):
        if (p->dialect->flags & D_CARET_POWER)
            return (struct infix){LEVEL_POWER, "^"};
        return (struct infix){p->id == LANG_MYSQL ? LEVEL_POWER : LEVEL_BIT_XOR, "^"};
    case OP2('|', '|'):
        if (p->dialect->flags & D_PIPES_OR)
            return (struct infix){LEVEL_OR, "OR"};
        return (struct infix){LEVEL_OTHER, "||"};
    case OP2('-', '>'):
        return (struct infix){LEVEL_OTHER, "->"};
    case OP3('-', '>', '>'):
        return (struct infix){LEVEL_OTHER, "->>"};
    case OP2('#', '>'):
        return (struct infix){LEVEL_OTHER, "#>"};
    case OP3('#', '>', '>'):
        return (struct infix){LEVEL_OTHER, "#>>"};
    case OP2('#', '-'):
        return (struct infix){LEVEL_OTHER, "#-"};
    case OP1('#'):
        return (struct infix){LEVEL_OTHER, "#"};
    case OP1('~'):
        return (struct infix){LEVEL_OTHER, "~"};
    case OP2('~', '*'):
        return (struct infix){LEVEL_OTHER, "~*"};
    case OP2('!', '~'):
        return (struct infix){LEVEL_OTHER, "!~"};
    case OP3('!', '~', '*'):
        return (struct infix){LEVEL_OTHER, "!~*"};
    case OP2('~', '~'):
        return (struct infix){LEVEL_OTHER, "~~"};
    case OP3('!', '~', '~'):
        return (struct infix){LEVEL_OTHER, "!~~"};
    case OP3('~', '~', '*'):
        return (struct infix){LEVEL_OTHER, "~~*"};
    case OP4('!', '~', '~', '*'):
        return (struct infix){LEVEL_OTHER, "!~~*"};
    case OP2('@', '>'):
        return (struct infix){LEVEL_OTHER, "@>"};
    case OP2('<', '@'):
        return (struct infix){LEVEL_OTHER, "<@"};
    case OP2('^', '@'):
        return (struct infix){LEVEL_OTHER, "^@"};
    case OP2('?', '|'):
        return (struct infix){LEVEL_OTHER, "?|"};
    case OP2('?', '&'):
        return (struct infix){LEVEL_OTHER, "?&"};
    case OP1('?'):
        return (struct infix){p->dialect->flags & D_QUESTION_OP ? LEVEL_OTHER : 0, "?"};
    case OP2('&', '&'):
        if (p->id == LANG_MYSQL)
            return (struct infix){LEVEL_AND, "AND"};
        return (struct infix){LEVEL_OTHER, "&&"};
    default:
        return (struct infix){0, NULL};
    }
}

static struct infix infix_of(const struct parser *p, const struct token *token)
{
    switch (token->op) {
    case OP1('='):
        return (struct infix){LEVEL_COMPARE, "="};
    case OP2('=', '='):
        return (struct infix){LEVEL_COMPARE, "="};
    case OP2('<', '>'):
        return (struct infix){LEVEL_COMPARE, "<>"};
    case OP2('!', '='):
        return (struct infix){LEVEL_COMPARE, "<>"};
    case OP1('<'):
        return (struct infix){LEVEL_COMPARE, "<"};
    case OP1('>'):
        return (struct infix){LEVEL_COMPARE, ">"};
    case OP2('<', '='):
        return (struct infix){LEVEL_COMPARE, "<="};
    case OP2('>', '='):
        return (struct infix){LEVEL_COMPARE, ">="};
    case OP2('!', '<'):
        return (struct infix){LEVEL_COMPARE, ">="};
    case OP2('!', '>'):
        return (struct infix){LEVEL_COMPARE, "<="};
    case OP3('<', '=', '>'):
        return (struct infix){LEVEL_COMPARE, "<=>"};
    case OP1('+'):
        return (struct infix){LEVEL_ADD, "+"};
    case OP1('-'):
        return (struct infix){LEVEL_ADD, "-"};
    case OP1('*'):
        return (struct infix){LEVEL_MULTIPLY, "*"};
    case OP1('/'):
        return (struct infix){LEVEL_MULTIPLY, "/"};
    case OP2('/', '/'):
        return (struct infix){LEVEL_MULTIPLY, "//"};
    case OP1('%'):
        return (struct infix){LEVEL_MULTIPLY, "%"};
    case OP2('*', '*'):
        return (struct infix){LEVEL_POWER, "**"};
    default:
        return infix_other(p, token);
    }
}

static struct node *binary(struct parser *p, struct node *left, const char *op, struct node *right)
{
    struct node *node = parse_node(p, N_BINARY, 2);
    if (node == &p->spare)
        return node;
    node->text = str_of(op);
    node->kids[0] = left;
    node->kids[1] = right;
    node->offset = left->offset;
    return parse_close(p, node);
}

/* A node with the left operand in slot 0. */
static struct node *behind(struct parser *p, enum node_kind kind, size_t slots, struct node *left)
{
    struct node *node = parse_node(p, kind, slots);
    if (node == &p->spare)
        return node;
    node->kids[0] = left;
    node->offset = left->offset;
    return node;
}

static bool at_quantifier(const struct parser *p)
{
    return (parse_is_kw(p, KW_ANY) || parse_is_kw(p, KW_ALL) || parse_is_kw(p, KW_SOME)) &&
           parse_peek_op(p, 1, OP1('('));
}

/* = ANY (subquery or array), LIKE ANY (list) */
static struct node *quantified(struct parser *p, struct node *left, const char *op)
{
    struct node *node = behind(p, N_QUANTIFIED, 3, left);
    const char *which = parse_is_kw(p, KW_ALL) ? "ALL" : "ANY";
    parse_next(p);
    node->text = parse_join_words(p, op, which);
    struct node *right = NULL;
    if (parse_at_query(p, 1)) {
        right = parse_parens(p);
    } else {
        parse_expect_op(p, OP1('('));
        right = parse_exprs(p);
        parse_expect_op(p, OP1(')'));
    }
    struct node *escape = parse_accept_kw(p, KW_ESCAPE) ? parse_expr(p, LEVEL_IN + 1) : NULL;
    if (node != &p->spare) {
        node->kids[1] = right;
        node->kids[2] = escape;
    }
    return parse_close(p, node);
}

/* ---- IS, IN, BETWEEN, LIKE ---- */

static struct node *parse_is(struct parser *p, struct node *left)
{
    parse_next(p);
    struct node *node = behind(p, N_IS, 2, left);
    if (parse_accept_kw(p, KW_NOT))
        node->flags |= NODE_NOT;
    if (parse_accept_kw(p, KW_NULL)) {
        node->text = STR("NULL");
    } else if (parse_accept_kw(p, KW_TRUE)) {
        node->text = STR("TRUE");
    } else if (parse_accept_kw(p, KW_FALSE)) {
        node->text = STR("FALSE");
    } else if (parse_accept_kw(p, KW_UNKNOWN)) {
        node->text = STR("NULL");
    } else if (parse_accept_kw(p, KW_DISTINCT)) {
        parse_expect_kw(p, KW_FROM);
        node->text = STR("DISTINCT FROM");
        struct node *right = parse_expr(p, LEVEL_COMPARE);
        if (node != &p->spare)
            node->kids[1] = right;
    } else if (p->id == LANG_SQLITE) {
        node->text = STR("DISTINCT FROM");
        node->flags ^= NODE_NOT;
        struct node *right = parse_expr(p, LEVEL_COMPARE);
        if (node != &p->spare)
            node->kids[1] = right;
    } else {
        parse_expected(p, "NULL, TRUE, FALSE or DISTINCT FROM");
    }
    return parse_postfix(p, parse_close(p, node)); /* x IS NULL::boolean */
}

static void check_in_list(struct parser *p, const struct node *list)
{
    if (list->count > p->limits.in_list && p->status == STATUS_OK) {
        parse_fail(p, "an IN list has too many values");
        p->problem->code = LANG_TOO_LARGE;
        p->status = STATUS_TOO_LARGE;
    }
}

static struct node *parse_in(struct parser *p, struct node *left)
{
    parse_next(p);
    parse_accept_word(p, "GLOBAL");
    struct node *node = behind(p, N_IN, 2, left);
    struct node *set = NULL;
    if (parse_is_kw(p, KW_UNNEST) && parse_peek_op(p, 1, OP1('('))) {
        set = parse_expr(p, LEVEL_POSTFIX);
    } else if (parse_is_op(p, OP1('('))) {
        if (parse_at_query(p, 1)) {
            set = parse_parens(p);
        } else {
            parse_next(p);
            if (parse_is_op(p, OP1(')')))
                set = parse_node(p, N_LIST, 0);
            else
                set = parse_exprs(p);
            parse_expect_op(p, OP1(')'));
            check_in_list(p, set);
        }
    } else {
        set = parse_expr(p, LEVEL_POSTFIX);
    }
    if (node != &p->spare)
        node->kids[1] = set;
    return parse_close(p, node);
}

static struct node *parse_between(struct parser *p, struct node *left)
{
    parse_next(p);
    struct node *node = behind(p, N_BETWEEN, 3, left);
    if (parse_accept_kw(p, KW_SYMMETRIC))
        node->flags |= NODE_SYMMETRIC;
    else
        parse_accept_kw(p, KW_ASYMMETRIC);
    struct node *low = parse_expr(p, LEVEL_IN + 1);
    parse_expect_kw(p, KW_AND);
    struct node *high = parse_expr(p, LEVEL_IN + 1);
    if (node != &p->spare) {
        node->kids[1] = low;
        node->kids[2] = high;
    }
    return parse_close(p, node);
}

static const char *like_operator(const struct parser *p)
{
    switch (parse_current(p)->keyword) {
    case KW_LIKE:
        return "LIKE";
    case KW_ILIKE:
        return "ILIKE";
    case KW_RLIKE:
        return "RLIKE";
    case KW_REGEXP:
        return "RLIKE";
    case KW_GLOB:
        return "GLOB";
    case KW_SIMILAR:
        return parse_peek_kw(p, 1, KW_TO) ? "SIMILAR TO" : NULL;
    default:
        return NULL;
    }
}

static struct node *parse_like(struct parser *p, struct node *left, const char *op)
{
    parse_next(p);
    if (op[0] == 'S')
        parse_next(p);
    if (at_quantifier(p))
        return quantified(p, left, op);
    struct node *node = behind(p, N_LIKE, 3, left);
    node->text = str_of(op);
    parse_accept_kw(p, KW_BINARY);
    struct node *pattern = parse_expr(p, LEVEL_IN + 1);
    struct node *escape = parse_accept_kw(p, KW_ESCAPE) ? parse_expr(p, LEVEL_IN + 1) : NULL;
    if (node != &p->spare) {
        node->kids[1] = pattern;
        node->kids[2] = escape;
    }
    return parse_close(p, node);
}

/* [NOT] IN | BETWEEN | LIKE ..., IS ..., ISNULL: NULL when the token is none of them. */
static struct node *parse_predicate(struct parser *p, struct node *left, int level)
{
    bool negated = parse_is_kw(p, KW_NOT);
    size_t at = p->at;
    if (negated)
        parse_next(p);
    struct node *node = NULL;
    const char *op = NULL;
    if (level <= LEVEL_IN && parse_is_kw(p, KW_IN) && !p->no_in)
        node = parse_in(p, left);
    else if (level <= LEVEL_IN && parse_is_kw(p, KW_BETWEEN))
        node = parse_between(p, left);
    else if (level <= LEVEL_IN && (op = like_operator(p)))
        node = parse_like(p, left, op);
    if (!node) {
        p->at = at;
        return NULL;
    }
    if (negated)
        node->flags |= NODE_NOT;
    return node;
}

static struct node *null_test(struct parser *p, struct node *left, bool negated)
{
    struct node *node = behind(p, N_IS, 2, left);
    node->text = STR("NULL");
    if (negated)
        node->flags |= NODE_NOT;
    parse_next(p);
    return parse_close(p, node);
}

/* ---- words that are operators ---- */

static struct node *parse_zone(struct parser *p, struct node *left)
{
    parse_next(p);
    parse_expect_kw(p, KW_TIME);
    parse_expect_kw(p, KW_ZONE);
    return binary(p, left, "AT TIME ZONE", parse_expr(p, LEVEL_ZONE + 1));
}

static struct node *word_operator(struct parser *p, struct node *left, int level)
{
    const struct token *token = parse_current(p);
    switch (token->keyword) {
    case KW_AND:
        if (level > LEVEL_AND)
            return NULL;
        parse_next(p);
        return binary(p, left, "AND", parse_expr(p, LEVEL_AND + 1));
    case KW_OR:
        if (level > LEVEL_OR)
            return NULL;
        parse_next(p);
        return binary(p, left, "OR", parse_expr(p, LEVEL_OR + 1));
    case KW_XOR:
        if (level > LEVEL_XOR)
            return NULL;
        parse_next(p);
        return binary(p, left, "XOR", parse_expr(p, LEVEL_XOR + 1));
    case KW_IS:
        return level <= LEVEL_IS ? parse_is(p, left) : NULL;
    case KW_ISNULL:
    case KW_NOTNULL:
        return level <= LEVEL_IS ? null_test(p, left, token->keyword == KW_NOTNULL) : NULL;
    case KW_DIV:
    case KW_MOD:
        if (level > LEVEL_MULTIPLY ||
            !parse_is_dialect(p, DIALECT(MYSQL) | DIALECT(CLICKHOUSE) | DIALECT(HIVE) |
                                     DIALECT(SPARK) | DIALECT(DATABRICKS)))
            return NULL;
        parse_next(p);
        return binary(p, left, token->keyword == KW_DIV ? "DIV" : "%",
                      parse_expr(p, LEVEL_MULTIPLY + 1));
    case KW_AT:
        return level <= LEVEL_ZONE && parse_peek_kw(p, 1, KW_TIME) ? parse_zone(p, left) : NULL;
    case KW_COLLATE: {
        if (level > LEVEL_COLLATE)
            return NULL;
        parse_next(p);
        struct node *node = behind(p, N_COLLATE, 1, left);
        node->text = parse_current(p)->text;
        if (parse_current(p)->kind != T_WORD && parse_current(p)->kind != T_QUOTED &&
            parse_current(p)->kind != T_STRING)
            parse_expected(p, "a collation");
        parse_next(p);
        while (parse_accept_op(p, OP1('.'))) {
            node->text = parse_current(p)->text;
            parse_next(p);
        }
        return parse_close(p, node);
    }
    case KW_OVERLAPS:
        if (level <= LEVEL_COMPARE)
            parse_unsupported(p, "OVERLAPS");
        return NULL;
    default:
        return parse_predicate(p, left, level);
    }
}

/* ---- lambdas and JSON arrows ---- */

static bool is_lambda_head(const struct node *left)
{
    if (left->kind == N_REF)
        return left->count == 1;
    if (left->kind != N_ROW)
        return false;
    for (size_t i = 0; i < left->count; i++) {
        if (left->kids[i]->kind != N_REF || left->kids[i]->count != 1)
            return false;
    }
    return true;
}

static bool at_lambda(const struct parser *p, const struct node *left)
{
    uint32_t always = DIALECT(CLICKHOUSE) | DIALECT(SPARK) | DIALECT(DATABRICKS) | DIALECT(HIVE) |
                      DIALECT(PRESTO) | DIALECT(TRINO) | DIALECT(SNOWFLAKE);
    if (!parse_is_op(p, OP2('-', '>')) || !is_lambda_head(left))
        return false;
    if (parse_is_dialect(p, always))
        return true;
    uint8_t next = parse_peek(p, 1)->kind;
    return p->id == LANG_DUCKDB && p->arguments > 0 && next != T_STRING && next != T_NUMBER;
}

static struct node *parse_lambda(struct parser *p, struct node *left)
{
    parse_next(p);
    struct node *node = behind(p, N_LAMBDA, 2, left);
    if (left->kind == N_REF) {
        struct node_list one = {0};
        parse_add(p, &one, left);
        left = parse_list(p, N_ROW, &one, left->offset);
    }
    struct node *body = parse_expr(p, LEVEL_LAMBDA + 1);
    if (node != &p->spare) {
        node->kids[0] = left;
        node->kids[1] = body;
    }
    return parse_close(p, node);
}

/* ClickHouse: condition ? a : b */
static struct node *parse_ternary(struct parser *p, struct node *left)
{
    struct node *node = behind(p, N_CASE, 3, left);
    struct node *when = behind(p, N_WHEN, 2, left);
    parse_next(p);
    struct node *then = parse_expr(p, 0);
    parse_expect_op(p, OP1(':'));
    struct node *otherwise = parse_expr(p, 0);
    struct node_list whens = {0};
    parse_add(p, &whens, when);
    struct node *list = parse_list(p, N_LIST, &whens, left->offset);
    if (node != &p->spare && when != &p->spare) {
        when->kids[1] = then;
        node->kids[0] = NULL;
        node->kids[1] = list;
        node->kids[2] = otherwise;
    }
    return parse_close(p, node);
}

static struct node *symbol_operator(struct parser *p, struct node *left, int level)
{
    const struct token *token = parse_current(p);
    if (level <= LEVEL_LAMBDA + 1 && at_lambda(p, left))
        return parse_lambda(p, left);
    if (p->id == LANG_CLICKHOUSE && token->op == OP1('?'))
        return level <= LEVEL_LAMBDA + 1 ? parse_ternary(p, left) : NULL;
    struct infix infix = infix_of(p, token);
    const struct token *behind_it = parse_peek(p, 1);
    if (token->op == OP1('%') && (behind_it->kind == T_END || parse_peek_op(p, 1, OP1(')')) ||
                                  parse_peek_op(p, 1, OP1(';')) || parse_peek_kw(p, 1, KW_OFFSET)))
        return NULL; /* LIMIT 10 % */
    if (!infix.level || infix.level < level)
        return NULL;
    parse_next(p);
    if (infix.level == LEVEL_COMPARE && at_quantifier(p))
        return quantified(p, left, infix.text);
    return binary(p, left, infix.text, parse_expr(p, infix.level + 1));
}

struct node *parse_expr(struct parser *p, int level)
{
    if (!parse_enter(p)) {
        parse_leave(p);
        return &p->spare;
    }
    struct node *left = parse_prefix(p);
    while (p->status == STATUS_OK) {
        const struct token *token = parse_current(p);
        struct node *next = NULL;
        if (token->kind == T_WORD)
            next = word_operator(p, left, level);
        else if (token->kind == T_OP)
            next = symbol_operator(p, left, level);
        if (!next)
            break;
        left = next;
    }
    parse_leave(p);
    return left;
}

struct node *parse_exprs(struct parser *p)
{
    struct node_list list = {0};
    size_t start = parse_current(p)->offset;
    do
        parse_add(p, &list, parse_expr(p, 0));
    while (parse_accept_op(p, OP1(',')) && p->status == STATUS_OK);
    return parse_list(p, N_LIST, &list, start);
}

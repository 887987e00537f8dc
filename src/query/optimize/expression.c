/* expression.c: operators, CASE and conditions as typed expressions. */
#include "query/optimize/typed.h"

enum { IN_LIST_MAX = 64 };

static bool read_two(const struct scope *scope, const struct node *node, struct typed *a,
                     struct typed *b)
{
    return read_expression(scope, kid(node, 0), a) && read_expression(scope, kid(node, 1), b);
}

/* --- arithmetic --- */

static bool arithmetic(const struct scope *scope, enum expr_op op, struct typed a, struct typed b,
                       struct typed *ret)
{
    enum sql_kind kind = SQL_DOUBLE;
    bool whole = sql_is_whole(a.kind) && sql_is_whole(b.kind);
    bool numbers = (sql_is_whole(a.kind) || a.kind == SQL_DECIMAL || a.kind == SQL_DOUBLE) &&
                   (sql_is_whole(b.kind) || b.kind == SQL_DECIMAL || b.kind == SQL_DOUBLE);
    if (op == EXPR_QUOTIENT && !whole)
        return false;
    if (whole && op != EXPR_DIVIDE)
        kind = a.kind > b.kind ? a.kind : b.kind;
    else if (!numbers || (op != EXPR_DIVIDE && a.kind != SQL_DOUBLE && b.kind != SQL_DOUBLE))
        return false; /* DECIMALs */
    return typed_convert(scope, &a, kind) && typed_convert(scope, &b, kind) &&
           typed_binary(scope, op, kind, a, b, ret);
}

static bool concat(const struct scope *scope, struct typed a, struct typed b, struct typed *ret)
{
    return (a.kind == SQL_VARCHAR || b.kind == SQL_VARCHAR) &&
           typed_convert(scope, &a, SQL_VARCHAR) && typed_convert(scope, &b, SQL_VARCHAR) &&
           typed_binary(scope, EXPR_CONCAT, SQL_VARCHAR, a, b, ret);
}

/* --- comparisons --- */

static bool compare(const struct scope *scope, enum expr_op op, struct typed a, struct typed b,
                    struct typed *ret)
{
    enum sql_kind kind;
    if (a.kind == SQL_NULL || b.kind == SQL_NULL || !typed_common(a.kind, b.kind, &kind))
        return false;
    if (kind == SQL_BOOLEAN && op != EXPR_EQ && op != EXPR_NE)
        return false;
    kind = kind == SQL_TEXT ? SQL_VARCHAR : kind;
    return typed_convert(scope, &a, kind) && typed_convert(scope, &b, kind) &&
           typed_binary(scope, op, SQL_BOOLEAN, a, b, ret);
}

/* Parameters only here: elsewhere the engine would have to say what type they get. */
static bool compare_nodes(const struct scope *scope, const struct node *node, enum expr_op op,
                          struct typed *ret)
{
    const struct node *left = kid(node, 0), *right = kid(node, 1);
    bool first = node_is(left, N_PARAM), second = node_is(right, N_PARAM);
    struct typed a, b;
    if (!(first ? typed_parameter(scope, left, &a) : read_expression(scope, left, &a)) ||
        !(second ? typed_parameter(scope, right, &b) : read_expression(scope, right, &b)) ||
        ((first || second) && a.kind != b.kind))
        return false;
    return compare(scope, op, a, b, ret);
}

static bool negated(const struct scope *scope, bool wanted, struct typed *ret)
{
    return !wanted || typed_unary(scope, EXPR_NOT, SQL_BOOLEAN, *ret, ret);
}

static bool between(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct typed value, low, high, above, below;
    return !node_has_other(node, NODE_NOT) && read_two(scope, node, &value, &low) &&
           read_expression(scope, kid(node, 2), &high) &&
           compare(scope, EXPR_GE, value, low, &above) &&
           compare(scope, EXPR_LE, value, high, &below) &&
           typed_binary(scope, EXPR_AND, SQL_BOOLEAN, above, below, ret) &&
           negated(scope, node->flags & NODE_NOT, ret);
}

/* Equal to one of them. All are compared as one kind, as the engine does. */
static bool in_list(const struct scope *scope, const struct node *node, struct typed *ret)
{
    const struct node *list = kid(node, 1);
    struct typed value, item, equal;
    if (node_has_other(node, NODE_NOT) || !node_is(list, N_LIST) || list->count == 0 ||
        list->count > IN_LIST_MAX || !read_expression(scope, kid(node, 0), &value))
        return false;
    struct expr *any = typed_make(scope, EXPR_OR, SQL_BOOLEAN, list->count);
    for (size_t i = 0; any && i < list->count; i++) {
        if (!read_expression(scope, kid(list, i), &item) || item.expr->op != EXPR_CONSTANT ||
            !compare(scope, EXPR_EQ, value, item, &equal))
            return false;
        any->args[i] = equal.expr;
    }
    *ret = (struct typed){any, SQL_BOOLEAN};
    return any && negated(scope, node->flags & NODE_NOT, ret);
}

static bool like(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct str pattern;
    struct typed value;
    if (node_has_other(node, NODE_NOT) || !str_is(node->text, "LIKE") || kid(node, 2) ||
        !constant_text(scope->reader, kid(node, 1), &pattern) ||
        (pattern.len && memchr(pattern.data, '\\', pattern.len)) ||
        !read_expression(scope, kid(node, 0), &value) || value.kind != SQL_VARCHAR ||
        !typed_unary(scope, EXPR_LIKE, SQL_BOOLEAN, value, ret))
        return false;
    struct expr *expr = (struct expr *)(uintptr_t)ret->expr; /* just made */
    expr->constant = (struct value){.type = TYPE_STRING, .bytes = pattern};
    return negated(scope, node->flags & NODE_NOT, ret);
}

/* IS [NOT] NULL; IS [NOT] TRUE and FALSE, which are never null. */
static bool is(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct typed value, otherwise;
    bool truth = str_is(node->text, "TRUE"), falsehood = str_is(node->text, "FALSE");
    if (node_has_other(node, NODE_NOT) || kid(node, 1) ||
        !read_expression(scope, kid(node, 0), &value) || value.kind == SQL_NULL)
        return false;
    bool not = node->flags & NODE_NOT;
    if (str_is(node->text, "NULL"))
        return typed_unary(scope, EXPR_IS_NULL, SQL_BOOLEAN, value, ret) &&
               negated(scope, not, ret);
    return (truth || falsehood) && value.kind == SQL_BOOLEAN && negated(scope, falsehood, &value) &&
           typed_truth(scope, false, &otherwise) &&
           typed_binary(scope, EXPR_COALESCE, SQL_BOOLEAN, value, otherwise, ret) &&
           negated(scope, not, ret);
}

/* --- logic --- */

static bool logic(const struct scope *scope, const struct node *node, enum expr_op op,
                  struct typed *ret)
{
    struct typed a, b;
    return read_two(scope, node, &a, &b) && a.kind == SQL_BOOLEAN && b.kind == SQL_BOOLEAN &&
           typed_binary(scope, op, SQL_BOOLEAN, a, b, ret);
}

static bool binary(const struct scope *scope, const struct node *node, struct typed *ret)
{
    static const struct {
        const char *sign;
        enum expr_op op;
    } signs[] = {
        {"+", EXPR_ADD},       {"-", EXPR_SUBTRACT}, {"*", EXPR_MULTIPLY}, {"/", EXPR_DIVIDE},
        {"//", EXPR_QUOTIENT}, {"%", EXPR_MODULO},   {"||", EXPR_CONCAT},  {"=", EXPR_EQ},
        {"<>", EXPR_NE},       {"!=", EXPR_NE},      {"<", EXPR_LT},       {"<=", EXPR_LE},
        {">", EXPR_GT},        {">=", EXPR_GE},      {"AND", EXPR_AND},    {"OR", EXPR_OR}};
    size_t i = 0;
    while (i < sizeof signs / sizeof *signs && !str_is(node->text, signs[i].sign))
        i++;
    if (i == sizeof signs / sizeof *signs)
        return false;
    enum expr_op op = signs[i].op;
    if (op == EXPR_AND || op == EXPR_OR)
        return logic(scope, node, op, ret);
    if (op >= EXPR_EQ && op <= EXPR_GE)
        return compare_nodes(scope, node, op, ret);
    struct typed a, b;
    if (!read_two(scope, node, &a, &b))
        return false;
    if (op == EXPR_CONCAT)
        return concat(scope, a, b, ret);
    return arithmetic(scope, op, a, b, ret);
}

static bool unary(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct typed value;
    if (typed_constant(scope, node, ret))
        return true;
    return str_is(node->text, "-") && read_expression(scope, kid(node, 0), &value) &&
           (sql_is_whole(value.kind) || value.kind == SQL_DOUBLE) &&
           typed_unary(scope, EXPR_NEGATE, value.kind, value, ret);
}

static bool not(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct typed value;
    return read_expression(scope, kid(node, 0), &value) && value.kind == SQL_BOOLEAN &&
           typed_unary(scope, EXPR_NOT, SQL_BOOLEAN, value, ret);
}

/* --- choices --- */

bool read_choice(const struct scope *scope, enum expr_op op, struct typed *args, uint32_t len,
                 uint32_t first, uint32_t stride, struct typed *ret)
{
    enum sql_kind kind = args[len - 1].kind;
    struct expr *expr = typed_make(scope, op, SQL_NULL, len);
    for (uint32_t i = first; i < len; i += stride)
        if (!typed_common(kind, args[i].kind, &kind))
            return false;
    kind = kind == SQL_TEXT ? SQL_VARCHAR : kind;
    if (!expr || kind == SQL_NULL || !typed_convert(scope, &args[len - 1], kind))
        return false;
    for (uint32_t i = 0; i < len; i++) {
        if (i >= first && (i - first) % stride == 0 && !typed_convert(scope, &args[i], kind))
            return false;
        expr->args[i] = args[i].expr;
    }
    expr->type = sql_kind_type(kind);
    *ret = (struct typed){expr, kind};
    return true;
}

static bool read_when(const struct scope *scope, const struct node *operand,
                      const struct node *when, struct typed *condition, struct typed *value)
{
    struct typed of, with;
    if (!node_is(when, N_WHEN) || !read_expression(scope, kid(when, 1), value))
        return false;
    if (!operand)
        return read_expression(scope, kid(when, 0), condition) && condition->kind == SQL_BOOLEAN;
    return read_expression(scope, operand, &of) && read_expression(scope, kid(when, 0), &with) &&
           compare(scope, EXPR_EQ, of, with, condition);
}

static bool read_case(const struct scope *scope, const struct node *node, struct typed *ret)
{
    const struct node *whens = kid(node, 1), *otherwise = kid(node, 2);
    size_t len = 2 * list_count(whens) + 1;
    struct typed *args = arena_array(scope->reader->arena, len, sizeof *args);
    if (!args || len < 3 || len > EXPR_NODES_MAX)
        return false;
    for (size_t i = 0; i < whens->count; i++)
        if (!read_when(scope, kid(node, 0), kid(whens, i), &args[2 * i], &args[2 * i + 1]))
            return false;
    if (otherwise ? !read_expression(scope, otherwise, &args[len - 1])
                  : !typed_null(scope, SQL_NULL, &args[len - 1]))
        return false;
    return read_choice(scope, EXPR_CASE, args, (uint32_t)len, 1, 2, ret);
}

bool read_expression(const struct scope *scope, const struct node *node, struct typed *ret)
{
    *ret = (struct typed){0};
    if (!node)
        return false;
    if (scope->take(scope->context, node, ret))
        return ret->expr != NULL;
    switch ((enum node_kind)node->kind) {
    case N_NULL_:
    case N_NUMBER:
    case N_STRING:
    case N_BOOL:
        return typed_constant(scope, node, ret);
    case N_UNARY:
        return unary(scope, node, ret);
    case N_BINARY:
        return binary(scope, node, ret);
    case N_NOT:
        return not(scope, node, ret);
    case N_BETWEEN:
        return between(scope, node, ret);
    case N_IN:
        return in_list(scope, node, ret);
    case N_LIKE:
        return like(scope, node, ret);
    case N_IS:
        return is(scope, node, ret);
    case N_CASE:
        return read_case(scope, node, ret);
    case N_CAST:
        return read_cast(scope, node, ret);
    case N_EXTRACT:
        return read_extract(scope, node, ret);
    case N_CALL:
        return typed_read_call(scope, node, ret);
    default:
        return false;
    }
}

/* typed.c: parts of expressions, and how the engine brings their types together. */
#include "query/optimize/typed.h"

const char *sql_kind_name(enum sql_kind kind)
{
    static const char *const names[] = {
        [SQL_NULL] = "INTEGER",  [SQL_BOOLEAN] = "BOOLEAN",     [SQL_INTEGER] = "INTEGER",
        [SQL_BIGINT] = "BIGINT", [SQL_HUGEINT] = "HUGEINT",     [SQL_DECIMAL] = "DECIMAL",
        [SQL_DOUBLE] = "DOUBLE", [SQL_TEXT] = "VARCHAR",        [SQL_VARCHAR] = "VARCHAR",
        [SQL_DATE] = "DATE",     [SQL_TIMESTAMP] = "TIMESTAMP",
    };
    return names[kind];
}

enum type sql_kind_type(enum sql_kind kind)
{
    switch (kind) {
    case SQL_BOOLEAN:
        return TYPE_BOOL;
    case SQL_DECIMAL:
    case SQL_DOUBLE:
        return TYPE_DOUBLE;
    case SQL_TEXT:
    case SQL_VARCHAR:
        return TYPE_STRING;
    case SQL_DATE:
        return TYPE_DATE;
    case SQL_TIMESTAMP:
        return TYPE_TIMESTAMP;
    default:
        return TYPE_INT64;
    }
}

bool sql_kind_of(enum type type, enum sql_kind *ret)
{
    static const enum sql_kind kinds[TYPE_COUNT] = {
        [TYPE_BOOL] = SQL_BOOLEAN,   [TYPE_INT64] = SQL_BIGINT, [TYPE_DOUBLE] = SQL_DOUBLE,
        [TYPE_STRING] = SQL_VARCHAR, [TYPE_DATE] = SQL_DATE,    [TYPE_TIMESTAMP] = SQL_TIMESTAMP,
    };
    *ret = kinds[type];
    return type != TYPE_JSON;
}

/* --- making --- */

static struct expr *make(struct arena *arena, enum expr_op op, enum sql_kind kind, uint32_t args)
{
    struct expr *expr = ARENA_NEW(arena, struct expr);
    if (!expr)
        return NULL;
    expr->op = op;
    expr->type = sql_kind_type(kind);
    expr->narrow = kind == SQL_INTEGER;
    expr->args_len = args;
    expr->args = arena_array(arena, args, sizeof *expr->args);
    return expr->args ? expr : NULL;
}

struct expr *typed_make(const struct scope *scope, enum expr_op op, enum sql_kind kind,
                        uint32_t args)
{
    return make(scope->reader->arena, op, kind, args);
}

bool typed_input(const struct reader *reader, uint32_t input, struct str name, enum sql_kind kind,
                 struct typed *ret)
{
    struct expr *expr = make(reader->arena, EXPR_INPUT, kind, 0);
    *ret = (struct typed){expr, kind};
    if (!expr)
        return false;
    expr->input = input;
    expr->name = name;
    expr->narrow = false; /* what is stored is not checked */
    return true;
}

static struct expr *constant(const struct scope *scope, enum sql_kind kind, struct typed *ret)
{
    struct expr *expr = typed_make(scope, EXPR_CONSTANT, kind, 0);
    *ret = (struct typed){expr, kind};
    if (expr)
        expr->constant.type = expr->type;
    return expr;
}

bool typed_null(const struct scope *scope, enum sql_kind kind, struct typed *ret)
{
    struct expr *expr = constant(scope, kind, ret);
    if (expr)
        expr->constant.is_null = true;
    return expr != NULL;
}

static bool number(const struct scope *scope, const struct node *node, struct typed *ret)
{
    int64_t value;
    double real;
    struct expr *expr;
    if (constant_whole(scope->reader, node, &value)) {
        expr = constant(scope, value == (int32_t)value ? SQL_INTEGER : SQL_BIGINT, ret);
        if (expr)
            expr->constant.int64 = value;
        return expr != NULL;
    }
    if (!constant_real(scope->reader, node, &real))
        return false;
    expr = constant(scope, SQL_DECIMAL, ret);
    if (expr)
        expr->constant.real = real;
    return expr != NULL;
}

bool typed_truth(const struct scope *scope, bool truth, struct typed *ret)
{
    struct expr *expr = constant(scope, SQL_BOOLEAN, ret);
    if (expr)
        expr->constant.boolean = truth;
    return expr != NULL;
}

bool typed_parameter(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct expr *expr = NULL;
    int64_t whole;
    double real;
    struct str text;
    bool truth;
    if (constant_whole(scope->reader, node, &whole)) {
        expr = constant(scope, SQL_BIGINT, ret);
        if (expr)
            expr->constant.int64 = whole;
    } else if (constant_real(scope->reader, node, &real)) {
        expr = constant(scope, SQL_DOUBLE, ret);
        if (expr)
            expr->constant.real = real;
    } else if (constant_text(scope->reader, node, &text)) {
        expr = constant(scope, SQL_VARCHAR, ret);
        if (expr)
            expr->constant.bytes = text;
    } else if (constant_bool(scope->reader, node, &truth)) {
        return typed_truth(scope, truth, ret);
    }
    return expr != NULL;
}

bool typed_constant(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct expr *expr;
    bool truth;
    struct str text;
    if (node_is(node, N_NULL_))
        return typed_null(scope, SQL_NULL, ret);
    if (node_is(node, N_NUMBER) || node_is(node, N_UNARY))
        return number(scope, node, ret);
    if (node_is(node, N_BOOL))
        return constant_bool(scope->reader, node, &truth) && typed_truth(scope, truth, ret);
    if (!node_is(node, N_STRING) || !constant_text(scope->reader, node, &text))
        return false;
    expr = constant(scope, SQL_TEXT, ret);
    if (expr)
        expr->constant.bytes = text;
    return expr != NULL;
}

bool typed_unary(const struct scope *scope, enum expr_op op, enum sql_kind kind, struct typed a,
                 struct typed *ret)
{
    struct expr *expr = typed_make(scope, op, kind, 1);
    *ret = (struct typed){expr, kind};
    if (expr)
        expr->args[0] = a.expr;
    return expr != NULL;
}

bool typed_binary(const struct scope *scope, enum expr_op op, enum sql_kind kind, struct typed a,
                  struct typed b, struct typed *ret)
{
    struct expr *expr = typed_make(scope, op, kind, 2);
    *ret = (struct typed){expr, kind};
    if (!expr)
        return false;
    expr->args[0] = a.expr;
    expr->args[1] = b.expr;
    return true;
}

/* --- types --- */

/* The engine reads a text literal as what it is compared with. */
static bool convert_text(const struct scope *scope, struct typed *value, enum sql_kind kind)
{
    struct str text = value->expr->constant.bytes;
    struct typed made;
    int32_t days = 0;
    int64_t us = 0;
    bool good = kind == SQL_DATE ? constant_date_text(text, &days) : constant_time_text(text, &us);
    struct expr *expr = good ? constant(scope, kind, &made) : NULL;
    if (!expr)
        return false;
    expr->constant.int64 = kind == SQL_DATE ? days : us;
    *value = made;
    return true;
}

static bool convert_constant(const struct scope *scope, struct typed *value)
{
    struct typed made;
    const struct expr *from = value->expr;
    struct expr *expr = constant(scope, SQL_DOUBLE, &made);
    if (!expr)
        return false;
    expr->constant.real =
        value->kind == SQL_DECIMAL ? from->constant.real : (double)from->constant.int64;
    *value = made;
    return true;
}

bool typed_convert(const struct scope *scope, struct typed *value, enum sql_kind kind)
{
    enum sql_kind from = value->kind;
    if (from == kind || (from == SQL_TEXT && kind == SQL_VARCHAR) ||
        (sql_is_whole(from) && sql_is_whole(kind) && from < kind)) {
        value->kind = kind;
        return true;
    }
    if (from == SQL_NULL)
        return typed_null(scope, kind, value);
    if (from == SQL_TEXT && (kind == SQL_DATE || kind == SQL_TIMESTAMP))
        return convert_text(scope, value, kind);
    if (kind == SQL_DOUBLE && value->expr->op == EXPR_CONSTANT &&
        (from == SQL_DECIMAL || sql_is_whole(from)))
        return convert_constant(scope, value);
    bool widens =
        (sql_is_whole(from) && kind == SQL_DOUBLE) || (from == SQL_DATE && kind == SQL_TIMESTAMP);
    struct expr *expr = widens ? typed_make(scope, EXPR_CAST, kind, 1) : NULL;
    if (!expr)
        return false;
    expr->args[0] = value->expr;
    expr->number = from == SQL_HUGEINT; /* the engine's way differs beyond 2^53 */
    *value = (struct typed){expr, kind};
    return true;
}

bool typed_common(enum sql_kind a, enum sql_kind b, enum sql_kind *ret)
{
    enum sql_kind low = a < b ? a : b, high = a < b ? b : a;
    *ret = high;
    if (low == high)
        return high != SQL_DECIMAL; /* of different scales */
    if (low == SQL_NULL)
        return high != SQL_DECIMAL;
    if (sql_is_whole(low))
        return sql_is_whole(high) || high == SQL_DOUBLE;
    return (low == SQL_DECIMAL && high == SQL_DOUBLE) || (low == SQL_TEXT && high >= SQL_VARCHAR) ||
           (low == SQL_DATE && high == SQL_TIMESTAMP);
}

/* --- normal form --- */

struct str typed_text(const struct reader *reader, const struct expr *expr, bool constants)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    expr_write(expr, constants, &buf);
    struct str text = buf_failed(&buf) ? STR_NONE : arena_str(reader->arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

bool typed_reads_input(const struct expr *expr)
{
    if (expr->op == EXPR_INPUT)
        return true;
    for (uint32_t i = 0; i < expr->args_len; i++)
        if (typed_reads_input(expr->args[i]))
            return true;
    return false;
}

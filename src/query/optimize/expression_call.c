/* expression_call.c: functions, casts and parts of times as typed expressions. */
#include "query/optimize/typed.h"

enum { ARGS_MAX = 32, DECIMALS_MAX = 15 };

/* --- times --- */

static bool is_time(struct typed value)
{
    return value.kind == SQL_DATE || value.kind == SQL_TIMESTAMP;
}

static bool time_of(const struct scope *scope, enum expr_op op, struct str name, struct typed value,
                    struct typed *ret)
{
    enum expr_unit unit;
    bool part = op == EXPR_TIME_PART;
    if (!is_time(value) || !expr_unit_parse(name, &unit) || (!part && unit > UNIT_SECOND) ||
        !typed_unary(scope, op, part ? SQL_BIGINT : SQL_TIMESTAMP, value, ret))
        return false;
    ((struct expr *)(uintptr_t)ret->expr)->unit = unit; /* just made */
    return true;
}

bool read_extract(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct typed value;
    return read_expression(scope, kid(node, 0), &value) &&
           time_of(scope, EXPR_TIME_PART, node->text, value, ret);
}

static bool named_time(const struct scope *scope, const struct node *call, struct typed *args,
                       struct typed *ret)
{
    enum expr_op op =
        str_eq_nocase(call->text, STR("date_trunc")) ? EXPR_TIME_TRUNC : EXPR_TIME_PART;
    return args[0].kind == SQL_TEXT &&
           time_of(scope, op, args[0].expr->constant.bytes, args[1], ret);
}

static bool part_function(const struct scope *scope, const struct node *call, struct typed *args,
                          struct typed *ret)
{
    return time_of(scope, EXPR_TIME_PART, call->text, args[0], ret);
}

/* --- texts --- */

static bool text_of_text(const struct scope *scope, enum expr_op op, enum sql_kind kind,
                         struct typed *args, struct typed *ret)
{
    return args[0].kind == SQL_VARCHAR && typed_unary(scope, op, kind, args[0], ret);
}

static bool length(const struct scope *scope, const struct node *call, struct typed *args,
                   struct typed *ret)
{
    (void)call;
    return text_of_text(scope, EXPR_LENGTH, SQL_BIGINT, args, ret);
}

static bool lower(const struct scope *scope, const struct node *call, struct typed *args,
                  struct typed *ret)
{
    (void)call;
    return text_of_text(scope, EXPR_LOWER, SQL_VARCHAR, args, ret);
}

static bool upper(const struct scope *scope, const struct node *call, struct typed *args,
                  struct typed *ret)
{
    (void)call;
    return text_of_text(scope, EXPR_UPPER, SQL_VARCHAR, args, ret);
}

static bool whole_constant(struct typed value, int64_t least, int64_t *ret)
{
    *ret = value.expr->constant.int64;
    return value.expr->op == EXPR_CONSTANT && value.kind == SQL_INTEGER && *ret >= least;
}

static bool substring(const struct scope *scope, const struct node *call, struct typed *args,
                      struct typed *ret)
{
    size_t len = list_count(kid(call, CALL_ARGS));
    int64_t from, most = -1;
    if (!whole_constant(args[1], 1, &from) || (len == 3 && !whole_constant(args[2], 0, &most)) ||
        !text_of_text(scope, EXPR_SUBSTRING, SQL_VARCHAR, args, ret))
        return false;
    struct expr *expr = (struct expr *)(uintptr_t)ret->expr; /* just made */
    expr->number = from;
    expr->length = most;
    return true;
}

/* --- numbers --- */

static bool absolute(const struct scope *scope, const struct node *call, struct typed *args,
                     struct typed *ret)
{
    (void)call;
    return (sql_is_whole(args[0].kind) || args[0].kind == SQL_DOUBLE) &&
           typed_unary(scope, EXPR_ABS, args[0].kind, args[0], ret);
}

static bool round_(const struct scope *scope, const struct node *call, struct typed *args,
                   struct typed *ret)
{
    int64_t decimals = 0;
    bool given = list_count(kid(call, CALL_ARGS)) == 2;
    if (args[0].kind != SQL_DOUBLE ||
        (given && (!whole_constant(args[1], 0, &decimals) || decimals > DECIMALS_MAX)) ||
        !typed_unary(scope, EXPR_ROUND, SQL_DOUBLE, args[0], ret))
        return false;
    ((struct expr *)(uintptr_t)ret->expr)->number = decimals; /* just made */
    return true;
}

static bool floor_or_ceil(const struct scope *scope, const struct node *call, struct typed *args,
                          struct typed *ret)
{
    bool down = str_eq_nocase(call->text, STR("floor"));
    return args[0].kind == SQL_DOUBLE &&
           typed_unary(scope, down ? EXPR_FLOOR : EXPR_CEIL, SQL_DOUBLE, args[0], ret);
}

/* --- choices --- */

static bool coalesce(const struct scope *scope, const struct node *call, struct typed *args,
                     struct typed *ret)
{
    return read_choice(scope, EXPR_COALESCE, args, (uint32_t)list_count(kid(call, CALL_ARGS)), 0, 1,
                       ret);
}

static bool if_(const struct scope *scope, const struct node *call, struct typed *args,
                struct typed *ret)
{
    (void)call;
    return args[0].kind == SQL_BOOLEAN && read_choice(scope, EXPR_CASE, args, 3, 1, 2, ret);
}

/* --- */

static const struct {
    const char *name;
    uint8_t least, most;
    bool (*read)(const struct scope *, const struct node *, struct typed *, struct typed *);
} functions[] = {
    {"abs", 1, 1, absolute},
    {"ceil", 1, 1, floor_or_ceil},
    {"ceiling", 1, 1, floor_or_ceil},
    {"char_length", 1, 1, length},
    {"coalesce", 1, ARGS_MAX, coalesce},
    {"date_part", 2, 2, named_time},
    {"date_trunc", 2, 2, named_time},
    {"datepart", 2, 2, named_time},
    {"day", 1, 1, part_function},
    {"dayofmonth", 1, 1, part_function},
    {"dayofweek", 1, 1, part_function},
    {"dayofyear", 1, 1, part_function},
    {"floor", 1, 1, floor_or_ceil},
    {"hour", 1, 1, part_function},
    {"if", 3, 3, if_},
    {"ifnull", 2, 2, coalesce},
    {"isodow", 1, 1, part_function},
    {"lcase", 1, 1, lower},
    {"len", 1, 1, length},
    {"length", 1, 1, length},
    {"lower", 1, 1, lower},
    {"minute", 1, 1, part_function},
    {"month", 1, 1, part_function},
    {"quarter", 1, 1, part_function},
    {"round", 1, 2, round_},
    {"second", 1, 1, part_function},
    {"substr", 2, 3, substring},
    {"substring", 2, 3, substring},
    {"ucase", 1, 1, upper},
    {"upper", 1, 1, upper},
    {"week", 1, 1, part_function},
    {"year", 1, 1, part_function},
};

bool typed_read_call(const struct scope *scope, const struct node *node, struct typed *ret)
{
    struct typed args[ARGS_MAX];
    const struct node *list = kid(node, CALL_ARGS);
    size_t i = 0, len = list_count(list);
    while (i < sizeof functions / sizeof *functions &&
           !str_eq_nocase(node->text, str_of(functions[i].name)))
        i++;
    if (i == sizeof functions / sizeof *functions || len < functions[i].least ||
        len > functions[i].most || node_has_other(node, 0) || !is_plain_call(node))
        return false;
    for (size_t k = 0; k < len; k++)
        if (!read_expression(scope, kid(list, k), &args[k]))
            return false;
    return functions[i].read(scope, node, args, ret);
}

static bool cast_kind(const struct node *type, enum sql_kind *ret)
{
    static const struct {
        const char *name;
        enum sql_kind kind;
    } names[] = {{"BIGINT", SQL_BIGINT}, {"INTEGER", SQL_INTEGER},    {"INT", SQL_INTEGER},
                 {"DOUBLE", SQL_DOUBLE}, {"VARCHAR", SQL_VARCHAR},    {"TEXT", SQL_VARCHAR},
                 {"DATE", SQL_DATE},     {"TIMESTAMP", SQL_TIMESTAMP}};
    if (!node_is(type, N_TYPE) || type->count)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *ret = names[i].kind;
        if (str_is(type->text, names[i].name))
            return true;
    }
    return false;
}

bool read_cast(const struct scope *scope, const struct node *node, struct typed *ret)
{
    enum sql_kind to;
    struct typed value;
    if (node_has_other(node, NODE_NO_PARENS) || kid(node, 2) || !cast_kind(kid(node, 1), &to) ||
        !read_expression(scope, kid(node, 0), &value))
        return false;
    *ret = value;
    bool whole = sql_is_whole(value.kind), truth = value.kind == SQL_BOOLEAN;
    if (typed_convert(scope, ret, to))
        return true;
    if ((to == SQL_BIGINT || to == SQL_INTEGER) && (whole || truth || value.kind == SQL_DOUBLE))
        return typed_unary(scope, EXPR_CAST, to, value, ret);
    if ((to == SQL_DATE && value.kind == SQL_TIMESTAMP) || (to == SQL_VARCHAR && whole))
        return typed_unary(scope, EXPR_CAST, to, value, ret);
    return false;
}

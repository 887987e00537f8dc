/* expr.c: expressions as text in normal form. */
#include "query/expr/expr.h"

static const char *const names[] = {
    [EXPR_ADD] = "+",
    [EXPR_SUBTRACT] = "-",
    [EXPR_MULTIPLY] = "*",
    [EXPR_DIVIDE] = "/",
    [EXPR_QUOTIENT] = "//",
    [EXPR_MODULO] = "%",
    [EXPR_NEGATE] = "negate",
    [EXPR_ABS] = "abs",
    [EXPR_ROUND] = "round",
    [EXPR_FLOOR] = "floor",
    [EXPR_CEIL] = "ceil",
    [EXPR_EQ] = "=",
    [EXPR_NE] = "<>",
    [EXPR_LT] = "<",
    [EXPR_LE] = "<=",
    [EXPR_GT] = ">",
    [EXPR_GE] = ">=",
    [EXPR_IS_NULL] = "is_null",
    [EXPR_NOT] = "not",
    [EXPR_AND] = "and",
    [EXPR_OR] = "or",
    [EXPR_LIKE] = "like",
    [EXPR_CASE] = "case",
    [EXPR_COALESCE] = "coalesce",
    [EXPR_CAST] = "cast",
    [EXPR_LENGTH] = "length",
    [EXPR_LOWER] = "lower",
    [EXPR_UPPER] = "upper",
    [EXPR_SUBSTRING] = "substring",
    [EXPR_CONCAT] = "||",
    [EXPR_TIME_TRUNC] = "date_trunc",
    [EXPR_TIME_PART] = "date_part",
};

static const struct {
    const char *name;
    enum expr_unit unit;
} units[] = {
    {"year", UNIT_YEAR},       {"quarter", UNIT_QUARTER},
    {"month", UNIT_MONTH},     {"week", UNIT_WEEK},
    {"day", UNIT_DAY},         {"hour", UNIT_HOUR},
    {"minute", UNIT_MINUTE},   {"second", UNIT_SECOND},
    {"dow", UNIT_DAY_OF_WEEK}, {"isodow", UNIT_ISO_DAY_OF_WEEK},
    {"doy", UNIT_DAY_OF_YEAR}, {"dayofweek", UNIT_DAY_OF_WEEK},
    {"dayofmonth", UNIT_DAY},  {"dayofyear", UNIT_DAY_OF_YEAR},
};

bool expr_unit_parse(struct str name, enum expr_unit *ret)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!str_eq_nocase(name, str_of(units[i].name)))
            continue;
        *ret = units[i].unit;
        return true;
    }
    return false;
}

static void write_own(const struct expr *expr, bool constants, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    switch (expr->op) {
    case EXPR_INPUT:
        json_string(&w, expr->name);
        return;
    case EXPR_LIKE:
    case EXPR_CONSTANT:
        if (constants)
            value_write_json(&w, &expr->constant);
        else
            buf_append_char(out, '?');
        return;
    case EXPR_ROUND:
    case EXPR_SUBSTRING:
        buf_printf(out, "%lld,%lld", (long long)expr->number, (long long)expr->length);
        return;
    case EXPR_TIME_TRUNC:
    case EXPR_TIME_PART:
        buf_append_str(out, str_of(units[expr->unit].name));
        return;
    default:
        return;
    }
}

static bool may_swap(const struct expr *expr)
{
    enum expr_op op = expr->op;
    return expr->args_len == 2 && (op == EXPR_ADD || op == EXPR_MULTIPLY || op == EXPR_EQ ||
                                   op == EXPR_NE || op == EXPR_AND || op == EXPR_OR);
}

/* The two arguments in the order of their texts, which are in `out` from `from` and `middle` on. */
static void order_two(struct buf *out, size_t from, size_t middle)
{
    struct str a = str_make(out->data + from, middle - from);
    struct str b = str_make(out->data + middle, out->len - middle);
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, len);
    if (order < 0 || (order == 0 && a.len <= b.len))
        return;
    size_t first = a.len, whole = a.len + b.len;
    if (!buf_reserve(out, first)) /* the texts may have moved */
        return;
    memcpy(out->data + out->len, out->data + from, first);
    memmove(out->data + from, out->data + middle, whole);
    out->len = from + whole;
}

/* op:type[ own](argument, ...); types tell 1 from 1.0 and INTEGER from BIGINT. */
void expr_write(const struct expr *expr, bool constants, struct buf *out)
{
    if (names[expr->op])
        buf_append_str(out, str_of(names[expr->op]));
    buf_printf(out, ":%s%s ", type_name(expr->type), expr->narrow ? "32" : "");
    write_own(expr, constants, out);
    if (!expr->args_len)
        return;
    buf_append_char(out, '(');
    size_t from = out->len, middle = from;
    for (uint32_t i = 0; i < expr->args_len; i++) {
        middle = i == 1 ? out->len : middle;
        expr_write(expr->args[i], constants, out);
        buf_append_char(out, ',');
    }
    if (may_swap(expr) && !buf_failed(out))
        order_two(out, from, middle);
    buf_append_char(out, ')');
}

uint32_t expr_nodes(const struct expr *expr)
{
    uint32_t n = 1;
    for (uint32_t i = 0; i < expr->args_len && n <= EXPR_NODES_MAX; i++)
        n += expr_nodes(expr->args[i]);
    return n;
}

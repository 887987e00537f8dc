/* check.c: do operators, functions and values fit the types? Literals become the column's type
 * here, so that generating cannot fail.
 *
 * Numbers compare exactly: a whole number that no double equals is moved to the neighbour on the
 * right side of the comparison, or marked `never` where equality is asked. */
#include <math.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "query/dsl/dsl_int.h"

static const double two_63 = 9223372036854775808.0;

static void mismatch(struct dsl_query *q, const struct dsl_at *at, const struct dsl_path *path,
                     const char *what)
{
    dsl_fail(q, DSL_TYPE_MISMATCH, at, STR_NONE, no_words, "\"%.*s\" is %s, not %s",
             SHOWN(path->text), dsl_type_name(path->type), what);
}

static const char *expr_kind_name(const struct dsl_expr *expr)
{
    static const char *const names[] = {
        [EXPR_NULL] = "null",        [EXPR_BOOL] = "a boolean",      [EXPR_INT] = "a number",
        [EXPR_REAL] = "a number",    [EXPR_TEXT] = "a text",         [EXPR_OPEN] = "a parameter",
        [EXPR_PATH] = "that column", [EXPR_CALL] = "that expression"};
    return names[expr->kind];
}

static bool is_number(enum dsl_type type)
{
    return type == DSL_INT || type == DSL_DOUBLE;
}

static bool is_time(enum dsl_type type)
{
    return type == DSL_DATE || type == DSL_TIMESTAMP;
}

static bool comparable(enum dsl_type a, enum dsl_type b)
{
    return a == b || a == DSL_ANY || b == DSL_ANY || a == DSL_JSON || b == DSL_JSON ||
           (is_number(a) && is_number(b)) || (is_time(a) && is_time(b));
}

/* --- literals --- */

/* A whole decimal number of at most 38 digits. */
static bool parse_digits(struct str text, __int128 *ret)
{
    size_t i = text.len > 0 && text.data[0] == '-';
    __int128 value = 0;
    if (text.len - i == 0 || text.len - i > 38)
        return false;
    for (; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    *ret = text.data[0] == '-' ? -value : value;
    return true;
}

static __int128 int_of(const struct dsl_expr *expr)
{
    __int128 value = expr->integer;
    if (expr->text.data)
        (void)parse_digits(expr->text, &value);
    return value;
}

/* Text that is a whole number becomes one. */
static bool text_to_int(struct dsl_expr *expr)
{
    __int128 value;
    if (!parse_digits(expr->text, &value))
        return false;
    expr->kind = EXPR_INT;
    if (value >= INT64_MIN && value <= INT64_MAX) {
        expr->integer = (int64_t)value;
        expr->text = STR_NONE;
    }
    return true;
}

static bool to_int(struct dsl_expr *expr)
{
    if (expr->kind == EXPR_TEXT)
        return text_to_int(expr);
    if (expr->kind != EXPR_REAL)
        return expr->kind == EXPR_INT;
    double v = expr->real;
    if (v == floor(v) && v >= -two_63 && v < two_63) {
        expr->kind = EXPR_INT;
        expr->integer = (int64_t)v;
    } else if (v >= two_63 || v < -two_63) {
        expr->real = v > 0 ? 1e19 : -1e19; /* beyond every int64, also when those are rounded */
    }
    return true;
}

/* The double to compare with instead of the whole number `exact`, which none equals. */
static double neighbour(__int128 exact, enum dsl_op op, bool is_upper)
{
    double near = (double)exact;
    double low = (__int128)near > exact ? nextafter(near, -INFINITY) : near;
    double high = (__int128)near < exact ? nextafter(near, INFINITY) : near;
    switch (op) {
    case OP_GT:
    case OP_LTE:
        return low;
    case OP_GTE:
    case OP_LT:
        return high;
    default: /* between: at least the first, at most the second */
        return is_upper ? low : high;
    }
}

static bool to_double(struct dsl_expr *expr, enum dsl_op op, bool is_upper)
{
    if (expr->kind == EXPR_TEXT && !text_to_int(expr))
        return false;
    if (expr->kind == EXPR_REAL)
        return true;
    if (expr->kind != EXPR_INT)
        return false;
    __int128 exact = int_of(expr);
    double near = (double)exact;
    expr->kind = EXPR_REAL;
    expr->text = STR_NONE;
    expr->real = near;
    if ((__int128)near == exact)
        return true;
    expr->never = !dsl_op_info(op)->ordered;
    expr->real = neighbour(exact, op, is_upper);
    return true;
}

static bool to_time(struct dsl_query *q, struct dsl_expr *expr, enum dsl_type *type)
{
    int32_t days;
    int64_t us;
    char text[TIMESTAMP_TEXT_MAX + DATE_TEXT_MAX];
    if (expr->kind != EXPR_TEXT)
        return false;
    if (*type == DSL_DATE && date_parse(expr->text, &days))
        return true;
    if (!timestamp_parse(expr->text, &us))
        return false;
    size_t n = timestamp_format(us, text);
    expr->text = arena_str(q->arena, str_make(text, n));
    *type = DSL_TIMESTAMP;
    return true;
}

static bool convert(struct dsl_query *q, struct dsl_expr *expr, enum dsl_type type, enum dsl_op op,
                    bool is_upper)
{
    expr->type = type;
    switch (type) {
    case DSL_INT:
        return to_int(expr);
    case DSL_DOUBLE:
        return to_double(expr, op, is_upper);
    case DSL_STRING:
        return expr->kind == EXPR_TEXT;
    case DSL_BOOL:
        return expr->kind == EXPR_BOOL;
    case DSL_DATE:
    case DSL_TIMESTAMP:
        return to_time(q, expr, &expr->type);
    default:
        return true;
    }
}

static void check_value(struct dsl_query *q, const struct dsl_cond *test, struct dsl_expr *value,
                        bool is_upper)
{
    enum dsl_type type = test->left->type;
    if (value->kind == EXPR_NULL || value->kind == EXPR_OPEN) {
        value->type = type;
        return;
    }
    if (value->kind == EXPR_PATH || value->kind == EXPR_CALL) {
        if (!comparable(type, value->type))
            mismatch(q, value->at, test->left, dsl_type_name(value->type));
        return;
    }
    if (!convert(q, value, type, test->op, is_upper))
        mismatch(q, value->at, test->left,
                 is_time(type) && value->kind == EXPR_TEXT
                     ? "that text: dates are YYYY-MM-DD, times "
                       "YYYY-MM-DDTHH:MM:SS"
                     : expr_kind_name(value));
}

/* --- operators --- */

static void check_pattern(struct dsl_query *q, const struct dsl_cond *test)
{
    const struct dsl_expr *value = &test->values[0];
    size_t slashes = 0;
    if (dsl_op_info(test->op)->base != OP_LIKE || value->kind != EXPR_TEXT)
        return;
    while (slashes < value->text.len && value->text.data[value->text.len - 1 - slashes] == '\\')
        slashes++;
    if (slashes % 2)
        dsl_bad(q, value->at, "the pattern ends with a backslash that escapes nothing");
}

static void check_text_test(struct dsl_query *q, struct dsl_cond *test)
{
    enum dsl_type type = test->left->type;
    struct dsl_expr *value = &test->values[0];
    if (type != DSL_STRING && type != DSL_JSON && type != DSL_ANY) {
        mismatch(q, test->left->at, test->left, "a text");
        return;
    }
    bool text = value->kind == EXPR_TEXT || value->kind == EXPR_OPEN ||
                ((value->kind == EXPR_PATH || value->kind == EXPR_CALL) &&
                 comparable(DSL_STRING, value->type));
    if (!text)
        dsl_fail(q, DSL_TYPE_MISMATCH, value->at, STR_NONE, no_words, "%s wants a text, not %s",
                 dsl_op_info(test->op)->name, expr_kind_name(value));
    value->type = value->type == DSL_JSON ? DSL_JSON : DSL_STRING;
    check_pattern(q, test);
}

static bool is_literal(const struct dsl_expr *expr)
{
    return expr->kind != EXPR_PATH && expr->kind != EXPR_CALL;
}

/* Values of a document have types of their own: two bounds must at least be of one kind. */
static void check_pair(struct dsl_query *q, const struct dsl_cond *test)
{
    const struct dsl_expr *a = &test->values[0], *b = &test->values[1];
    if (test->values_len != 2 || !is_literal(a) || !is_literal(b) || a->kind == EXPR_OPEN ||
        b->kind == EXPR_OPEN)
        return;
    if ((a->kind == EXPR_TEXT) != (b->kind == EXPR_TEXT))
        dsl_fail(q, DSL_TYPE_MISMATCH, b->at, STR_NONE, no_words,
                 "the two values are of different kinds");
}

static void check_list_test(struct dsl_query *q, struct dsl_cond *test)
{
    enum dsl_type type = test->left->type;
    if (type != DSL_JSON && type != DSL_ANY)
        mismatch(q, test->left->at, test->left, "a list");
    for (uint32_t i = 0; i < test->values_len; i++) {
        test->values[i].type = DSL_JSON;
        if (!is_literal(&test->values[i]))
            dsl_bad(q, test->values[i].at, "%s wants values, not columns",
                    dsl_op_info(test->op)->name);
    }
}

static void check_contains(struct dsl_query *q, struct dsl_cond *test)
{
    enum dsl_type type = test->left->type;
    if (type == DSL_STRING || type == DSL_ANY) {
        if (test->values_len == 1)
            check_text_test(q, test);
        else
            dsl_fail(q, DSL_TYPE_MISMATCH, test->at, STR_NONE, no_words,
                     "only a json column contains lists");
        return;
    }
    if (type != DSL_JSON)
        mismatch(q, test->left->at, test->left, "a text or a list");
    for (uint32_t i = 0; i < test->values_len; i++)
        test->values[i].type = DSL_JSON;
}

void dsl_check_test(struct dsl_query *q, struct dsl_cond *test)
{
    if (!test->left)
        return;
    switch (dsl_op_info(test->op)->base) {
    case OP_IS_NULL:
    case OP_EXISTS:
        return;
    case OP_LIKE:
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_REGEX:
        check_text_test(q, test);
        return;
    case OP_CONTAINS:
        check_contains(q, test);
        return;
    case OP_HAS_ANY:
    case OP_HAS_ALL:
        check_list_test(q, test);
        return;
    default:
        break;
    }
    if (test->nocase && test->left->type != DSL_STRING && test->left->type != DSL_JSON &&
        test->left->type != DSL_ANY)
        mismatch(q, test->left->at, test->left, "a text, so it has no case");
    for (uint32_t i = 0; i < test->values_len; i++)
        check_value(q, test, &test->values[i], i == 1);
    if (dsl_op_info(test->op)->shape == SHAPE_PAIR)
        check_pair(q, test);
}

/* --- functions --- */

static bool takes(enum function_args wanted, enum dsl_type type)
{
    if (type == DSL_ANY || type == DSL_JSON)
        return true;
    switch (wanted) {
    case ARGS_NUMBER:
        return is_number(type);
    case ARGS_TEXT:
        return type == DSL_STRING;
    case ARGS_BOOL:
        return type == DSL_BOOL;
    case ARGS_TIME:
        return is_time(type);
    default:
        return true;
    }
}

static const char *args_name(enum function_args wanted)
{
    static const char *const names[] = {[ARGS_ANY] = "anything",
                                        [ARGS_NUMBER] = "numbers",
                                        [ARGS_TEXT] = "texts",
                                        [ARGS_BOOL] = "booleans",
                                        [ARGS_TIME] = "dates and times"};
    return names[wanted];
}

static enum dsl_type result_type(const struct function_info *f, enum dsl_type first)
{
    switch (f ? f->gives : RESULT_ANY) {
    case RESULT_INT:
        return DSL_INT;
    case RESULT_DOUBLE:
        return DSL_DOUBLE;
    case RESULT_STRING:
        return DSL_STRING;
    case RESULT_BOOL:
        return DSL_BOOL;
    case RESULT_DATE:
        return DSL_DATE;
    case RESULT_TIMESTAMP:
        return DSL_TIMESTAMP;
    case RESULT_SAME:
        return first;
    case RESULT_NUMBER:
        return first == DSL_JSON ? DSL_DOUBLE : first;
    default:
        return DSL_ANY;
    }
}

enum dsl_type dsl_expr_type(struct dsl_query *q, struct dsl_expr *expr)
{
    static const enum dsl_type literals[] = {
        [EXPR_BOOL] = DSL_BOOL,   [EXPR_INT] = DSL_INT,  [EXPR_REAL] = DSL_DOUBLE,
        [EXPR_TEXT] = DSL_STRING, [EXPR_NULL] = DSL_ANY, [EXPR_OPEN] = DSL_ANY};
    const struct function_info *f = expr->function;
    enum dsl_type first = DSL_ANY;
    if (expr->kind == EXPR_PATH)
        return expr->path ? expr->path->type : DSL_ANY;
    if (expr->kind != EXPR_CALL)
        return literals[expr->kind];
    for (uint32_t i = 0; i < expr->args_len; i++) {
        enum dsl_type type = expr->args[i].type;
        if (i == 0 || (f && f->gives == RESULT_NUMBER && type == DSL_DOUBLE && first == DSL_INT))
            first = type;
        if (f && !takes(f->takes, type))
            dsl_fail(q, DSL_TYPE_MISMATCH, expr->args[i].at, STR_NONE, no_words,
                     "%s takes %s, not %s", f->name, args_name(f->takes), dsl_type_name(type));
    }
    return result_type(f, first);
}

static void check_bucket(struct dsl_query *q, struct dsl_output *output)
{
    enum dsl_type type = output->path->type;
    bool number = is_number(type) || type == DSL_ANY || type == DSL_JSON;
    if (output->bucket == BUCKET_WIDTH && !number)
        mismatch(q, output->path->at, output->path, "a number");
    if (output->bucket != BUCKET_WIDTH && !is_time(type) && type != DSL_ANY)
        mismatch(q, output->path->at, output->path, "a date or time");
    bool whole = type == DSL_INT && output->width && output->width->kind == EXPR_INT;
    if (output->bucket == BUCKET_WIDTH)
        output->type = whole ? DSL_INT : DSL_DOUBLE;
    else
        output->type = type == DSL_DATE && output->bucket >= BUCKET_DAY ? DSL_DATE : DSL_TIMESTAMP;
    if (type == DSL_ANY)
        output->type = DSL_ANY;
}

void dsl_check_output(struct dsl_query *q, struct dsl_output *output)
{
    const struct function_info *f = output->function;
    struct dsl_path *path = output->path;
    bool column = path && !path->star;
    output->type = output->expr ? output->expr->type : column ? path->type : DSL_ANY;
    if (output->kind == OUTPUT_EXPR)
        return;
    if (column && dsl_path_has_all(path))
        dsl_bad(q, path->at, "a path with [*] is a list: only conditions and select take it");
    if (output->kind == OUTPUT_GROUP) {
        if (output->bucket != BUCKET_NONE && path)
            check_bucket(q, output);
        return;
    }
    if (f && column && !takes(f->takes, path->type))
        dsl_fail(q, DSL_TYPE_MISMATCH, path->at, STR_NONE, no_words, "%s takes %s, not %s", f->name,
                 args_name(f->takes), dsl_type_name(path->type));
    output->type = result_type(f, output->type);
}

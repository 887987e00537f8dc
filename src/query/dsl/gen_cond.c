/* dsl_gen_cond.c: conditions on columns of a known or unknown type. Documents: dsl_gen_json.c.
 *
 * Every expression is three-valued as SQL's: NULL where the column is NULL, but for the operators
 * that are about NULL themselves and for the empty lists. */
#include "query/dsl/dsl_int.h"

/* The left side when a test compares text without case. */
static void dsl_gen_left(struct dsl_gen *g, const struct dsl_cond *test)
{
    if (test->nocase)
        dsl_gen_text(g, "lower(");
    dsl_gen_path(g, test->left);
    if (test->nocase)
        dsl_gen_text(g, ")");
}

static void dsl_gen_right(struct dsl_gen *g, const struct dsl_cond *test,
                          const struct dsl_expr *value)
{
    bool fold = test->nocase && value->kind != EXPR_NULL;
    if (fold)
        dsl_gen_text(g, "lower(");
    dsl_gen_expr(g, value, value->kind == EXPR_PATH ? test->left->type : value->type);
    if (fold)
        dsl_gen_text(g, ")");
}

/* A date column against a time, and whole numbers against a fraction: the column moves. */
static void dsl_gen_compared(struct dsl_gen *g, const struct dsl_cond *test,
                             const struct dsl_expr *value)
{
    enum dsl_type type = test->left->type;
    const char *as = NULL;
    if (type == DSL_DATE && value->type == DSL_TIMESTAMP && value->kind == EXPR_TEXT)
        as = "TIMESTAMP";
    if (type == DSL_INT && value->kind == EXPR_REAL)
        as = "DOUBLE";
    dsl_gen_text(g, as ? "CAST(" : "");
    dsl_gen_left(g, test);
    if (as)
        buf_printf(&g->sql, " AS %s)", as);
}

/* False, or NULL where the column is NULL. */
static void dsl_gen_never(struct dsl_gen *g, const struct dsl_cond *test)
{
    dsl_gen_text(g, "(");
    dsl_gen_path(g, test->left);
    dsl_gen_text(g, " IS NULL AND NULL)");
}

static void dsl_gen_compare(struct dsl_gen *g, const struct dsl_cond *test, const char *sign)
{
    const struct dsl_expr *value = &test->values[0];
    if (value->never) {
        if (test->op == OP_IS_DISTINCT || test->op == OP_IS_NOT_DISTINCT)
            dsl_gen_text(g, test->op == OP_IS_DISTINCT ? "TRUE" : "FALSE");
        else {
            dsl_gen_text(g, test->op == OP_NE ? "NOT " : "");
            dsl_gen_never(g, test);
        }
        return;
    }
    dsl_gen_compared(g, test, value);
    dsl_gen_text(g, sign);
    dsl_gen_right(g, test, value);
}

static void dsl_gen_between(struct dsl_gen *g, const struct dsl_cond *test)
{
    /* two comparisons, as each bound may need a cast of its own */
    const struct dsl_expr *values = test->values;
    dsl_gen_text(g, test->op == OP_NOT_BETWEEN ? "NOT (" : "(");
    dsl_gen_compared(g, test, &values[0]);
    dsl_gen_text(g, " >= ");
    dsl_gen_right(g, test, &values[0]);
    dsl_gen_text(g, " AND ");
    dsl_gen_compared(g, test, &values[1]);
    dsl_gen_text(g, " <= ");
    dsl_gen_right(g, test, &values[1]);
    dsl_gen_text(g, ")");
}

/* Long lists go as one parameter: the statement stays short and the engine hashes them. */
enum { LIST_PARAMETERS_MAX = 256 };

static bool same_simple_kind(const struct dsl_cond *test)
{
    for (uint32_t i = 0; i < test->values_len; i++) {
        const struct dsl_expr *v = &test->values[i];
        if (v->kind != test->values[0].kind || (v->kind == EXPR_INT && v->text.data) ||
            v->type != test->values[0].type || v->never)
            return false;
    }
    return test->values[0].kind == EXPR_INT || test->values[0].kind == EXPR_TEXT ||
           test->values[0].kind == EXPR_REAL;
}

static void dsl_gen_long_list(struct dsl_gen *g, const struct dsl_cond *test)
{
    struct buf buf;
    struct json_writer w;
    const struct dsl_expr *first = &test->values[0];
    enum dsl_type type = first->kind == EXPR_INT    ? DSL_INT
                         : first->kind == EXPR_REAL ? DSL_DOUBLE
                         : first->type == DSL_ANY   ? DSL_STRING
                                                    : first->type;
    buf_init(&buf, 8 << 20);
    json_writer_init(&w, &buf);
    json_begin_array(&w);
    for (uint32_t i = 0; i < test->values_len; i++)
        json_raw(&w, dsl_gen_json_of(g, &test->values[i]));
    json_end_array(&w);
    struct str list = arena_str(g->arena, buf_str(&buf));
    buf_clear(&buf);
    json_writer_init(&w, &buf);
    json_string(&w, list);
    struct str json = arena_str(g->arena, buf_str(&buf));
    g->failed = g->failed || buf_failed(&buf) || !list.data || !json.data;
    buf_release(&buf);
    dsl_gen_compared(g, test, first);
    buf_printf(&g->sql, "%s (SELECT unnest(CAST(CAST($%u AS JSON) AS %s[])))",
               test->op == OP_NOT_IN ? " NOT IN" : " IN", dsl_gen_parameter(g, NULL, json),
               dsl_type_sql(type));
}

/* One membership for values that compare alike; the rest as further tests. */
static void dsl_gen_in_items(struct dsl_gen *g, const struct dsl_cond *test)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < test->values_len; i++) {
        const struct dsl_expr *value = &test->values[i];
        if (value->never)
            continue;
        dsl_gen_text(g, shown++ ? " OR " : "(");
        dsl_gen_compared(g, test, value);
        dsl_gen_text(g, " = ");
        dsl_gen_right(g, test, value);
    }
    if (shown)
        dsl_gen_text(g, ")");
    else
        dsl_gen_never(g, test);
}

static bool all_alike(const struct dsl_cond *test)
{
    enum dsl_type type = test->left->type;
    for (uint32_t i = 0; i < test->values_len; i++) {
        const struct dsl_expr *v = &test->values[i];
        if (v->never || (type == DSL_INT && v->kind == EXPR_REAL) ||
            (type == DSL_DATE && v->type == DSL_TIMESTAMP))
            return false;
    }
    return true;
}

static void dsl_gen_in(struct dsl_gen *g, const struct dsl_cond *test)
{
    bool negated = test->op == OP_NOT_IN;
    if (test->values_len == 0) {
        dsl_gen_text(g, negated ? "TRUE" : "FALSE");
        return;
    }
    if (test->values[0].kind == EXPR_OPEN) { /* the whole list is a parameter */
        dsl_gen_left(g, test);
        dsl_gen_text(g, negated ? " NOT IN (SELECT unnest(" : " IN (SELECT unnest(");
        dsl_gen_value(g, &test->values[0], DSL_ANY);
        dsl_gen_text(g, "))");
        return;
    }
    if (test->values_len > LIST_PARAMETERS_MAX && !test->nocase && same_simple_kind(test)) {
        dsl_gen_long_list(g, test);
        return;
    }
    if (!all_alike(test)) {
        dsl_gen_text(g, negated ? "NOT " : "");
        dsl_gen_in_items(g, test);
        return;
    }
    dsl_gen_left(g, test);
    dsl_gen_text(g, negated ? " NOT IN (" : " IN (");
    for (uint32_t i = 0; i < test->values_len; i++) {
        dsl_gen_text(g, i ? ", " : "");
        dsl_gen_right(g, test, &test->values[i]);
    }
    dsl_gen_text(g, ")");
}

static void dsl_gen_function_test(struct dsl_gen *g, const struct dsl_cond *test,
                                  const char *function)
{
    dsl_gen_text(g, function);
    dsl_gen_text(g, "(");
    dsl_gen_left(g, test);
    dsl_gen_text(g, ", ");
    dsl_gen_right(g, test, &test->values[0]);
    dsl_gen_text(g, ")");
}

static void dsl_gen_like(struct dsl_gen *g, const struct dsl_cond *test)
{
    bool fold = test->op == OP_ILIKE || test->nocase;
    dsl_gen_path(g, test->left);
    dsl_gen_text(g, test->op == OP_NOT_LIKE ? " NOT" : "");
    dsl_gen_text(g, fold ? " ILIKE " : " LIKE ");
    dsl_gen_expr(g, &test->values[0], DSL_STRING);
    dsl_gen_text(g, " ESCAPE '\\'");
}

static void dsl_gen_regex(struct dsl_gen *g, const struct dsl_cond *test)
{
    dsl_gen_text(g, "regexp_matches(");
    dsl_gen_path(g, test->left);
    dsl_gen_text(g, ", ");
    dsl_gen_expr(g, &test->values[0], DSL_STRING);
    dsl_gen_text(g, test->nocase ? ", 'i')" : ")");
}

static void dsl_gen_test(struct dsl_gen *g, const struct dsl_cond *test)
{
    static const char *const signs[OP_COUNT] = {[OP_EQ] = " = ",
                                                [OP_NE] = " <> ",
                                                [OP_GT] = " > ",
                                                [OP_GTE] = " >= ",
                                                [OP_LT] = " < ",
                                                [OP_LTE] = " <= ",
                                                [OP_IS_DISTINCT] = " IS DISTINCT FROM ",
                                                [OP_IS_NOT_DISTINCT] = " IS NOT DISTINCT FROM "};
    switch (test->op) {
    case OP_IN:
    case OP_NOT_IN:
        dsl_gen_in(g, test);
        return;
    case OP_BETWEEN:
    case OP_NOT_BETWEEN:
        dsl_gen_between(g, test);
        return;
    case OP_LIKE:
    case OP_NOT_LIKE:
    case OP_ILIKE:
        dsl_gen_like(g, test);
        return;
    case OP_NOT_CONTAINS:
        dsl_gen_text(g, "NOT ");
        dsl_gen_function_test(g, test, "contains");
        return;
    case OP_CONTAINS:
        dsl_gen_function_test(g, test, "contains");
        return;
    case OP_STARTS_WITH:
        dsl_gen_function_test(g, test, "starts_with");
        return;
    case OP_ENDS_WITH:
        dsl_gen_function_test(g, test, "ends_with");
        return;
    case OP_REGEX:
        dsl_gen_regex(g, test);
        return;
    case OP_IS_NULL:
    case OP_NOT_EXISTS:
        dsl_gen_path(g, test->left);
        dsl_gen_text(g, " IS NULL");
        return;
    case OP_IS_NOT_NULL:
    case OP_EXISTS:
        dsl_gen_path(g, test->left);
        dsl_gen_text(g, " IS NOT NULL");
        return;
    default:
        dsl_gen_compare(g, test, signs[test->op]);
    }
}

static bool about_documents(const struct dsl_cond *test)
{
    enum dsl_op base = dsl_op_info(test->op)->base;
    return dsl_path_is_json(test->left) || base == OP_HAS_ANY || base == OP_HAS_ALL;
}

static void dsl_gen_list(struct dsl_gen *g, const struct dsl_cond *cond, bool outermost)
{
    const char *between = cond->kind == COND_AND ? " AND " : " OR ";
    dsl_gen_text(g, outermost ? "" : "(");
    for (uint32_t i = 0; i < cond->items_len; i++) {
        dsl_gen_text(g, i ? between : "");
        dsl_gen_cond(g, cond->items[i]);
    }
    dsl_gen_text(g, outermost ? "" : ")");
}

void dsl_gen_cond(struct dsl_gen *g, const struct dsl_cond *cond)
{
    if (cond->kind == COND_NOT) {
        dsl_gen_text(g, "NOT (");
        dsl_gen_cond_outer(g, cond->items[0]);
        dsl_gen_text(g, ")");
    } else if (cond->kind != COND_TEST && cond->items_len == 1) {
        dsl_gen_cond(g, cond->items[0]);
    } else if (cond->kind != COND_TEST) {
        dsl_gen_list(g, cond, false);
    } else if (about_documents(cond)) {
        dsl_gen_json_test(g, cond);
    } else {
        dsl_gen_test(g, cond);
    }
}

void dsl_gen_cond_outer(struct dsl_gen *g, const struct dsl_cond *cond)
{
    while ((cond->kind == COND_AND || cond->kind == COND_OR) && cond->items_len == 1)
        cond = cond->items[0];
    if (cond->kind == COND_AND || cond->kind == COND_OR)
        dsl_gen_list(g, cond, true);
    else
        dsl_gen_cond(g, cond);
}

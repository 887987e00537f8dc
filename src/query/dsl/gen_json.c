/* dsl_gen_json.c: conditions on documents. The value's own JSON type decides: a number compares
 * with numbers, a text with texts; a value of another kind is unequal and has no order; dsl_missing
 * and null are NULL.
 *
 *   CASE WHEN <type> IS NULL THEN NULL WHEN <type> = 'VARCHAR' THEN <test of the text> ... ELSE
 * FALSE END
 *
 * A path with [*] gives many values: the test holds when it holds for one of them. Then the value
 * is the element `e` of a lambda. A negated operator is NOT around its positive twin. */
#include "query/dsl/dsl_int.h"

struct document {
    struct dsl_gen *g;
    const struct dsl_cond *test;
    bool element; /* the value is e, not the path */
};

static void dsl_gen_of(struct document *d, const char *function)
{
    struct dsl_gen *g = d->g;
    if (!d->element) {
        dsl_gen_json_call(g, function, d->test->left);
        return;
    }
    buf_printf(&g->sql, "%s(e, '$')", function);
}

static void dsl_gen_type(struct document *d)
{
    dsl_gen_text(d->g, "nullif(");
    dsl_gen_of(d, "json_type");
    dsl_gen_text(d->g, ", 'NULL')");
}

static void dsl_gen_string(struct document *d)
{
    dsl_gen_text(d->g, d->test->nocase ? "lower(" : "");
    dsl_gen_of(d, "json_extract_string");
    dsl_gen_text(d->g, d->test->nocase ? ")" : "");
}

static void dsl_gen_number(struct document *d, const char *as)
{
    dsl_gen_text(d->g, "CAST(");
    dsl_gen_of(d, "json_extract_string");
    buf_printf(&d->g->sql, " AS %s)", as);
}

enum kind { KIND_TEXT, KIND_INT, KIND_REAL, KIND_BOOL, KIND_COUNT };

static const char *const kind_when[] = {
    [KIND_TEXT] = "= 'VARCHAR'",
    [KIND_INT] = "IN ('BIGINT', 'UBIGINT', 'HUGEINT')",
    [KIND_REAL] = "= 'DOUBLE'",
    [KIND_BOOL] = "= 'BOOLEAN'",
};

/* Can the value be compared with document values of that kind? */
static bool meets(const struct dsl_expr *value, enum kind kind)
{
    switch (value->kind) {
    case EXPR_TEXT:
        return kind == KIND_TEXT;
    case EXPR_INT:
    case EXPR_REAL:
        return kind == KIND_INT || kind == KIND_REAL;
    case EXPR_BOOL:
        return kind == KIND_BOOL;
    default: /* a column or a parameter: by its type, all kinds when that is not known */
        if (value->type == DSL_STRING || value->type == DSL_DATE || value->type == DSL_TIMESTAMP)
            return kind == KIND_TEXT;
        if (value->type == DSL_INT || value->type == DSL_DOUBLE)
            return kind == KIND_INT || kind == KIND_REAL;
        if (value->type == DSL_BOOL)
            return kind == KIND_BOOL;
        return kind == KIND_TEXT;
    }
}

/* Both sides of a comparison with document values of one kind. */
static void dsl_gen_sides(struct document *d, const struct dsl_expr *value, enum kind kind,
                          const char *sign)
{
    struct dsl_gen *g = d->g;
    bool whole = kind == KIND_INT && (value->kind == EXPR_INT || value->type == DSL_INT);
    if (kind == KIND_TEXT) {
        dsl_gen_string(d);
        dsl_gen_text(g, sign);
        dsl_gen_text(g, d->test->nocase ? "lower(" : "");
        if (value->kind == EXPR_PATH || value->kind == EXPR_CALL) {
            dsl_gen_text(g, "CAST(");
            dsl_gen_expr(g, value, value->type == DSL_JSON ? DSL_STRING : DSL_ANY);
            dsl_gen_text(g, " AS VARCHAR)");
        } else {
            dsl_gen_value(g, value, DSL_STRING);
        }
        dsl_gen_text(g, d->test->nocase ? ")" : "");
        return;
    }
    const char *as = kind == KIND_BOOL ? "BOOLEAN" : whole ? "HUGEINT" : "DOUBLE";
    dsl_gen_number(d, as);
    dsl_gen_text(g, sign);
    dsl_gen_text(g, "CAST(");
    if (value->kind == EXPR_PATH || value->kind == EXPR_CALL)
        dsl_gen_expr(g, value, DSL_ANY);
    else
        dsl_gen_value(g, value, DSL_ANY);
    buf_printf(&g->sql, " AS %s)", as);
}

static void dsl_gen_any_of(struct document *d, enum kind kind)
{
    const struct dsl_cond *test = d->test;
    uint32_t shown = 0;
    for (uint32_t i = 0; i < test->values_len; i++) {
        if (!meets(&test->values[i], kind))
            continue;
        dsl_gen_text(d->g, shown++ ? " OR " : "");
        dsl_gen_sides(d, &test->values[i], kind, " = ");
    }
}

static void dsl_gen_kind(struct document *d, enum kind kind)
{
    static const char *const signs[OP_COUNT] = {
        [OP_EQ] = " = ", [OP_GT] = " > ",   [OP_GTE] = " >= ",
        [OP_LT] = " < ", [OP_LTE] = " <= ", [OP_IS_DISTINCT] = " = "};
    const struct dsl_cond *test = d->test;
    enum dsl_op base = dsl_op_info(test->op)->base;
    if (base == OP_IN) {
        dsl_gen_any_of(d, kind);
    } else if (base == OP_BETWEEN) {
        dsl_gen_sides(d, &test->values[0], kind, " >= ");
        dsl_gen_text(d->g, " AND ");
        dsl_gen_sides(d, &test->values[1], kind, " <= ");
    } else {
        dsl_gen_sides(d, &test->values[0], kind, signs[base]);
    }
}

/* Comparisons: one branch for each kind of value that the literals can meet. */
static void dsl_gen_compare(struct document *d)
{
    struct dsl_gen *g = d->g;
    const struct dsl_cond *test = d->test;
    dsl_gen_text(g, "CASE WHEN ");
    dsl_gen_type(d);
    dsl_gen_text(g, " IS NULL THEN NULL");
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        bool met = false;
        for (uint32_t i = 0; i < test->values_len && !met; i++)
            met = meets(&test->values[i], (enum kind)kind);
        if (!met)
            continue;
        dsl_gen_text(g, " WHEN ");
        dsl_gen_type(d);
        buf_printf(&g->sql, " %s THEN ", kind_when[kind]);
        dsl_gen_kind(d, (enum kind)kind);
    }
    dsl_gen_text(g, " ELSE FALSE END");
}

static void dsl_gen_text_test(struct document *d)
{
    struct dsl_gen *g = d->g;
    const struct dsl_cond *test = d->test;
    enum dsl_op base = dsl_op_info(test->op)->base;
    bool fold = test->op == OP_ILIKE || test->nocase;
    if (base == OP_LIKE) {
        dsl_gen_of(d, "json_extract_string");
        dsl_gen_text(g, fold ? " ILIKE " : " LIKE ");
        dsl_gen_expr(g, &test->values[0], DSL_STRING);
        dsl_gen_text(g, " ESCAPE '\\'");
        return;
    }
    if (base == OP_REGEX) {
        dsl_gen_text(g, "regexp_matches(");
        dsl_gen_of(d, "json_extract_string");
        dsl_gen_text(g, ", ");
        dsl_gen_expr(g, &test->values[0], DSL_STRING);
        dsl_gen_text(g, test->nocase ? ", 'i')" : ")");
        return;
    }
    dsl_gen_text(g, base == OP_CONTAINS      ? "contains("
                    : base == OP_STARTS_WITH ? "starts_with("
                                             : "ends_with(");
    dsl_gen_string(d);
    dsl_gen_text(g, test->nocase ? ", lower(" : ", ");
    dsl_gen_expr(g, &test->values[0], DSL_STRING);
    dsl_gen_text(g, test->nocase ? "))" : ")");
}

/* --- lists --- */

static void dsl_gen_elements(struct document *d)
{
    struct dsl_gen *g = d->g;
    dsl_gen_text(g, "json_extract(");
    if (d->element) {
        dsl_gen_text(g, "e, '$[*]')");
        return;
    }
    dsl_gen_column(g, d->test->left);
    dsl_gen_text(g, ", ");
    dsl_gen_json_path(g, d->test->left, true);
    dsl_gen_text(g, ")");
}

static void dsl_gen_has_one(struct document *d, const struct dsl_expr *value)
{
    struct dsl_gen *g = d->g;
    static const char *const types[] = {[EXPR_BOOL] = "BOOLEAN",
                                        [EXPR_INT] = "BIGINT",
                                        [EXPR_REAL] = "DOUBLE",
                                        [EXPR_TEXT] = "VARCHAR"};
    dsl_gen_text(g, "list_contains(");
    dsl_gen_elements(d);
    dsl_gen_text(g, ", to_json(");
    if (value->kind == EXPR_PATH || value->kind == EXPR_CALL) {
        dsl_gen_expr(g, value, DSL_ANY);
    } else if (value->kind == EXPR_OPEN) {
        dsl_gen_value(g, value, DSL_ANY);
    } else {
        dsl_gen_text(g, "CAST(");
        dsl_gen_value(g, value, DSL_ANY);
        buf_printf(&g->sql, " AS %s)",
                   value->kind == EXPR_INT && value->text.data ? "HUGEINT" : types[value->kind]);
    }
    dsl_gen_text(g, "))");
}

static void dsl_gen_has(struct document *d)
{
    const struct dsl_cond *test = d->test;
    bool all = test->op == OP_HAS_ALL;
    if (test->values_len == 0)
        dsl_gen_text(d->g, all ? "TRUE" : "FALSE");
    for (uint32_t i = 0; i < test->values_len; i++) {
        dsl_gen_text(d->g, i == 0 ? "" : all ? " AND " : " OR ");
        dsl_gen_has_one(d, &test->values[i]);
    }
}

/* contains: a substring of a text, a member of a list. */
static void dsl_gen_contains(struct document *d)
{
    struct dsl_gen *g = d->g;
    const struct dsl_expr *value = &d->test->values[0];
    dsl_gen_text(g, "CASE WHEN ");
    dsl_gen_type(d);
    dsl_gen_text(g, " IS NULL THEN NULL");
    if (d->test->values_len == 1 && (value->kind == EXPR_TEXT || value->kind == EXPR_OPEN)) {
        dsl_gen_text(g, " WHEN ");
        dsl_gen_type(d);
        dsl_gen_text(g, " = 'VARCHAR' THEN ");
        dsl_gen_text_test(d);
    }
    dsl_gen_text(g, " WHEN ");
    dsl_gen_type(d);
    dsl_gen_text(g, " = 'ARRAY' THEN ");
    for (uint32_t i = 0; i < d->test->values_len; i++) {
        dsl_gen_text(g, i ? " AND " : "");
        dsl_gen_has_one(d, &d->test->values[i]);
    }
    dsl_gen_text(g, d->test->values_len ? " ELSE FALSE END" : "TRUE ELSE FALSE END");
}

static void dsl_gen_guarded(struct document *d, const char *type, void (*inside)(struct document *))
{
    struct dsl_gen *g = d->g;
    dsl_gen_text(g, "CASE WHEN ");
    dsl_gen_type(d);
    dsl_gen_text(g, " IS NULL THEN NULL WHEN ");
    dsl_gen_type(d);
    buf_printf(&g->sql, " = '%s' THEN ", type);
    inside(d);
    dsl_gen_text(g, " ELSE FALSE END");
}

static void dsl_gen_positive(struct document *d)
{
    switch (dsl_op_info(d->test->op)->base) {
    case OP_LIKE:
    case OP_REGEX:
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
        dsl_gen_guarded(d, "VARCHAR", dsl_gen_text_test);
        return;
    case OP_CONTAINS:
        dsl_gen_contains(d);
        return;
    case OP_HAS_ANY:
    case OP_HAS_ALL:
        dsl_gen_guarded(d, "ARRAY", dsl_gen_has);
        return;
    default:
        dsl_gen_compare(d);
    }
}

/* The test over every value that a path with [*] finds; NULL when it finds none. */
static void dsl_gen_over_all(struct dsl_gen *g, const struct dsl_cond *test)
{
    struct document d = {g, test, true};
    dsl_gen_text(g, "list_bool_or(list_transform(json_extract(");
    dsl_gen_column(g, test->left);
    dsl_gen_text(g, ", ");
    dsl_gen_json_path(g, test->left, false);
    dsl_gen_text(g, "), lambda e: ");
    dsl_gen_positive(&d);
    dsl_gen_text(g, "))");
}

/* --- operators about what is not there --- */

static void dsl_gen_is_null(struct dsl_gen *g, const struct dsl_cond *test, bool negated)
{
    struct document d = {g, test, false};
    if (dsl_path_has_all(test->left)) {
        dsl_gen_text(g, negated ? "len(" : "coalesce(len(");
        dsl_gen_json_call(g, "json_extract", test->left);
        dsl_gen_text(g, negated ? ") > 0" : "), 0) = 0");
        return;
    }
    dsl_gen_type(&d);
    dsl_gen_text(g, negated ? " IS NOT NULL" : " IS NULL");
}

static void dsl_gen_exists(struct dsl_gen *g, const struct dsl_cond *test, bool negated)
{
    if (dsl_path_has_all(test->left)) {
        dsl_gen_is_null(g, test, !negated);
        return;
    }
    dsl_gen_text(g, negated ? "NOT coalesce(" : "coalesce(");
    dsl_gen_json_call(g, "json_exists", test->left);
    dsl_gen_text(g, ", FALSE)");
}

static void dsl_gen_distinct(struct dsl_gen *g, const struct dsl_cond *test, bool distinct)
{
    const struct dsl_expr *value = &test->values[0];
    if (value->kind == EXPR_NULL) {
        dsl_gen_is_null(g, test, distinct);
        return;
    }
    dsl_gen_text(g, distinct ? "NOT coalesce(" : "coalesce(");
    if (dsl_path_has_all(test->left)) {
        dsl_gen_over_all(g, test);
    } else {
        struct document d = {g, test, false};
        dsl_gen_compare(&d);
    }
    dsl_gen_text(g, ", FALSE)");
}

void dsl_gen_json_test(struct dsl_gen *g, const struct dsl_cond *test)
{
    struct document d = {g, test, false};
    bool negated = dsl_op_info(test->op)->base != test->op && test->op != OP_ILIKE;
    switch (dsl_op_info(test->op)->base) {
    case OP_IS_NULL:
        dsl_gen_is_null(g, test, negated);
        return;
    case OP_EXISTS:
        dsl_gen_exists(g, test, negated);
        return;
    case OP_IS_DISTINCT:
        dsl_gen_distinct(g, test, !negated);
        return;
    default:
        break;
    }
    if (dsl_op_info(test->op)->base == OP_IN && test->values_len == 0) {
        dsl_gen_text(g, negated ? "TRUE" : "FALSE");
        return;
    }
    dsl_gen_text(g, negated ? "NOT " : "");
    if (dsl_path_has_all(test->left))
        dsl_gen_over_all(g, test);
    else
        dsl_gen_positive(&d);
}

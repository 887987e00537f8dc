/* cond.c: conditions: tests, and/or/not, and the short form of the data routes.
 *
 * Depth counts and/or/not; an array of conditions is an `and`. */
#include "query/dsl/dsl_int.h"

struct conds {
    struct dsl_query *q;
    uint32_t limit;
};

static struct dsl_cond *read_cond(struct conds *c, const struct dsl_at *at, yyjson_val *value,
                                  uint32_t depth);

static struct dsl_cond *new_cond(struct dsl_query *q, const struct dsl_at *at)
{
    struct dsl_cond *cond = dsl_alloc(q, 1, sizeof *cond);
    if (cond)
        *cond = (struct dsl_cond){.at = at};
    return cond;
}

static bool count_one(struct conds *c, const struct dsl_at *at)
{
    if (++c->q->conditions != DSL_CONDITIONS_MAX + 1)
        return c->q->conditions <= DSL_CONDITIONS_MAX;
    dsl_fail(c->q, DSL_TOO_MANY_VALUES, at, STR_NONE, no_words, "more than %d conditions",
             DSL_CONDITIONS_MAX);
    return false;
}

static bool deep_enough(struct conds *c, const struct dsl_at *at, uint32_t depth)
{
    if (depth <= c->limit)
        return true;
    dsl_fail(c->q, DSL_DEPTH_EXCEEDED, at, STR_NONE, no_words,
             "conditions are nested deeper than %u", c->limit);
    return false;
}

static struct dsl_cond *read_list(struct conds *c, const struct dsl_at *at, yyjson_val *list,
                                  int kind, uint32_t depth)
{
    size_t n = yyjson_arr_size(list), i, max;
    yyjson_val *item;
    struct dsl_cond *cond = new_cond(c->q, at);
    if (!deep_enough(c, at, depth) || !cond)
        return NULL;
    cond->kind = kind;
    cond->items = dsl_alloc(c->q, n, sizeof(struct dsl_cond *));
    if (!cond->items)
        return NULL;
    yyjson_arr_foreach(list, i, max, item)
    {
        struct dsl_cond *one = read_cond(c, dsl_at_index(c->q, at, i), item, depth);
        if (one)
            cond->items[cond->items_len++] = one;
    }
    return cond;
}

static struct dsl_cond *read_logic(struct conds *c, const struct dsl_at *at, yyjson_val *value,
                                   const char *word, int kind, uint32_t depth)
{
    yyjson_val *inside = json_get(value, word);
    const struct dsl_at *here = dsl_at_key(c->q, at, word);
    if (yyjson_obj_size(value) != 1) {
        dsl_bad(c->q, at, "\"%s\" stands alone in its object", word);
        return NULL;
    }
    if (kind == COND_NOT) {
        struct dsl_cond *cond = new_cond(c->q, here);
        if (!deep_enough(c, here, depth + 1) || !cond)
            return NULL;
        cond->kind = COND_NOT;
        cond->items = dsl_alloc(c->q, 1, sizeof(struct dsl_cond *));
        struct dsl_cond *one = read_cond(c, here, inside, depth + 1);
        if (!one || !cond->items)
            return NULL;
        cond->items[cond->items_len++] = one;
        return cond;
    }
    if (!yyjson_is_arr(inside) || yyjson_arr_size(inside) == 0) {
        dsl_bad(c->q, here, "\"%s\" wants an array of at least one condition", word);
        return NULL;
    }
    return read_list(c, here, inside, kind, depth + 1);
}

/* --- tests --- */

static void null_is_no_value(struct dsl_query *q, const struct dsl_at *at, enum dsl_op op)
{
    dsl_bad(q, at, "nothing is %s to null: a comparison with null is never true",
            dsl_op_info(op)->name);
    dsl_hint(q, op == OP_NE ? "use is_not_null" : "use is_null");
}

static bool read_one_value(struct dsl_query *q, const struct dsl_member *member,
                           struct dsl_cond *test)
{
    enum dsl_op op = test->op;
    bool list = yyjson_is_arr(member->value) && (op == OP_CONTAINS || op == OP_NOT_CONTAINS);
    if (list) /* a document within a document */
        return dsl_exprs_read(q, member->at, member->value, &test->values, &test->values_len);
    test->values = dsl_alloc(q, 1, sizeof *test->values);
    if (!test->values || !dsl_expr_read(q, member->at, member->value, 1, test->values))
        return false;
    test->values_len = 1;
    if (test->values->kind != EXPR_NULL || op == OP_IS_DISTINCT || op == OP_IS_NOT_DISTINCT)
        return true;
    null_is_no_value(q, member->at, op);
    return false;
}

static bool read_many_values(struct dsl_query *q, const struct dsl_member *member,
                             struct dsl_cond *test)
{
    bool ok = true;
    if (!dsl_exprs_read(q, member->at, member->value, &test->values, &test->values_len))
        return false;
    for (uint32_t i = 0; i < test->values_len; i++) {
        if (test->values[i].kind == EXPR_NULL) {
            null_is_no_value(q, test->values[i].at, test->op);
            ok = false;
        }
    }
    bool open = test->values_len == 1 && test->values[0].kind == EXPR_OPEN;
    if (dsl_op_info(test->op)->shape == SHAPE_PAIR && test->values_len != 2 && !open) {
        dsl_bad(q, member->at, "%s wants two values, not %u", dsl_op_info(test->op)->name,
                test->values_len);
        ok = false;
    }
    return ok;
}

/* `exists: false` and `null: false` of the data routes turn the operator round. */
static bool read_no_value(struct dsl_query *q, const struct dsl_member *member,
                          struct dsl_cond *test)
{
    static const enum dsl_op opposite[OP_COUNT] = {[OP_IS_NULL] = OP_IS_NOT_NULL,
                                                   [OP_IS_NOT_NULL] = OP_IS_NULL,
                                                   [OP_EXISTS] = OP_NOT_EXISTS,
                                                   [OP_NOT_EXISTS] = OP_EXISTS};
    if (!member->value || yyjson_is_null(member->value))
        return true;
    if (!yyjson_is_bool(member->value)) {
        dsl_bad(q, member->at, "%s takes no value, or true or false", dsl_op_info(test->op)->name);
        return false;
    }
    if (!yyjson_get_bool(member->value))
        test->op = opposite[test->op];
    return true;
}

static bool read_values(struct dsl_query *q, const struct dsl_at *at,
                        const struct dsl_member *member, struct dsl_cond *test)
{
    enum op_shape shape = dsl_op_info(test->op)->shape;
    if (shape == SHAPE_NONE)
        return read_no_value(q, member, test);
    if (!member->value) {
        dsl_missing(q, at, "value", dsl_op_info(test->op)->name);
        return false;
    }
    if (shape == SHAPE_ONE || shape == SHAPE_TEXT)
        return read_one_value(q, member, test);
    return read_many_values(q, member, test);
}

static bool read_operator(struct dsl_query *q, const struct dsl_member *member, enum dsl_op *ret)
{
    struct str name = json_str_of(member->value);
    if (yyjson_is_str(member->value) && dsl_op_find(name, ret))
        return true;
    dsl_fail(q, DSL_UNKNOWN_OPERATOR, member->at, name, dsl_op_words(),
             "there is no operator \"%.*s\"", SHOWN(name));
    return false;
}

static struct dsl_cond *read_test(struct conds *c, const struct dsl_at *at, yyjson_val *value)
{
    enum { VALUE, FIELD, OPERATOR, CASE, SLOTS };
    static const struct dsl_key keys[] = {
        {"field", FIELD},  {"operator", OPERATOR}, {"value", VALUE}, {"case_sensitive", CASE},
        {"column", FIELD}, {"op", OPERATOR},       {NULL, 0}};
    struct dsl_query *q = c->q;
    struct dsl_member m[SLOTS];
    struct dsl_cond *test = new_cond(q, at);
    if (!dsl_read_object(q, at, value, keys, m, SLOTS) || !test || !count_one(c, at))
        return NULL;
    test->nocase = !dsl_read_bool(q, &m[CASE], true);
    if (!m[FIELD].value)
        dsl_missing(q, at, "field", NULL);
    else
        test->left = dsl_path_read(q, m[FIELD].at, m[FIELD].value);
    if (test->left && test->left->star) {
        dsl_bad(q, m[FIELD].at, "\"*\" stands for rows: only count takes it");
        test->left = NULL;
    }
    if (!m[OPERATOR].value)
        dsl_missing(q, at, "operator", NULL);
    if (!m[OPERATOR].value || !read_operator(q, &m[OPERATOR], &test->op))
        return NULL;
    return read_values(q, at, &m[VALUE], test) && test->left ? test : NULL;
}

static struct dsl_cond *read_cond(struct conds *c, const struct dsl_at *at, yyjson_val *value,
                                  uint32_t depth)
{
    if (!yyjson_is_obj(value)) {
        dsl_bad(c->q, at, "a condition is an object, not %s", json_kind_name(value));
        return NULL;
    }
    if (json_get(value, "and"))
        return read_logic(c, at, value, "and", COND_AND, depth);
    if (json_get(value, "or"))
        return read_logic(c, at, value, "or", COND_OR, depth);
    if (json_get(value, "not"))
        return read_logic(c, at, value, "not", COND_NOT, depth);
    return read_test(c, at, value);
}

static struct conds begin(struct dsl_query *q)
{
    uint32_t limit =
        q->options->settings.max_depth ? q->options->settings.max_depth : DSL_DEPTH_DEFAULT;
    return (struct conds){q, limit < DSL_DEPTH_MAX ? limit : DSL_DEPTH_MAX};
}

struct dsl_cond *dsl_conds_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    struct conds c = begin(q);
    if (!yyjson_is_arr(value))
        return read_cond(&c, at, value, 0);
    if (yyjson_arr_size(value) == 0)
        return NULL;
    return read_list(&c, at, value, COND_AND, 1);
}

/* Flat, whatever the number: the engine's parser bears no deep trees. */
struct dsl_cond *dsl_cond_and(struct dsl_query *q, struct dsl_cond *a, struct dsl_cond *b)
{
    if (!a || !b)
        return a ? a : b;
    if (!a->grows) {
        struct dsl_cond *both = new_cond(q, a->at);
        if (!both)
            return NULL;
        both->kind = COND_AND;
        both->grows = 4;
        both->items = dsl_alloc(q, both->grows, sizeof(struct dsl_cond *));
        if (!both->items)
            return NULL;
        both->items[both->items_len++] = a;
        a = both;
    }
    if (a->items_len == a->grows) {
        struct dsl_cond **items = dsl_alloc(q, 2 * (size_t)a->grows, sizeof *items);
        if (!items)
            return NULL;
        memcpy(items, a->items, a->items_len * sizeof *items);
        a->items = items;
        a->grows *= 2;
    }
    a->items[a->items_len++] = b;
    return a;
}

/* --- the short form --- */

static struct dsl_cond *short_test(struct conds *c, const struct dsl_at *at, struct str field,
                                   struct str op, yyjson_val *value)
{
    struct dsl_query *q = c->q;
    struct dsl_cond *test = new_cond(q, at);
    struct dsl_member member = {value, at};
    if (!test || !count_one(c, at))
        return NULL;
    test->left = dsl_path_parse(q, at, field);
    if (test->left && test->left->star) {
        dsl_bad(q, at, "\"*\" is no column");
        return NULL;
    }
    if (!dsl_op_find(op, &test->op)) {
        dsl_fail(q, DSL_UNKNOWN_OPERATOR, at, op, dsl_op_words(), "there is no operator \"%.*s\"",
                 SHOWN(op));
        return NULL;
    }
    return read_values(q, at, &member, test) && test->left ? test : NULL;
}

static struct dsl_cond *short_field(struct conds *c, const struct dsl_at *at, struct str field,
                                    yyjson_val *value)
{
    struct dsl_cond *all = NULL;
    size_t i, max;
    yyjson_val *key, *item;
    if (yyjson_is_arr(value)) {
        dsl_bad(c->q, at, "a list stands for no operator");
        dsl_hint(c->q, "write {\"in\": [...]}");
        return NULL;
    }
    if (!yyjson_is_obj(value) || json_get(value, "param"))
        return short_test(c, at, field, STR("eq"), value);
    if (yyjson_obj_size(value) == 0)
        dsl_missing(c->q, at, "operator", NULL);
    yyjson_obj_foreach(value, i, max, key, item)
    {
        struct str op = json_str_of(key);
        all = dsl_cond_and(c->q, all, short_test(c, dsl_at_name(c->q, at, op), field, op, item));
    }
    return all;
}

struct dsl_cond *dsl_filters_read(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    struct conds c = begin(q);
    struct dsl_cond *all = NULL;
    size_t i, max;
    yyjson_val *key, *item;
    if (yyjson_is_arr(value))
        return dsl_conds_read(q, at, value);
    if (!yyjson_is_obj(value)) {
        dsl_bad(q, at, "an object of column: condition is wanted, not %s", json_kind_name(value));
        return NULL;
    }
    yyjson_obj_foreach(value, i, max, key, item)
    {
        struct str field = json_str_of(key);
        all = dsl_cond_and(q, all, short_field(&c, dsl_at_name(q, at, field), field, item));
    }
    return all;
}

/* join.c: sources and joins. */
#include "query/dsl/dsl_int.h"

void dsl_source_read(struct dsl_query *q, const struct dsl_member *member, struct dsl_table *ret)
{
    enum { NONE, NAME, ALIAS, SLOTS };
    static const struct dsl_key keys[] = {{"name", NAME}, {"alias", ALIAS}, {NULL, 0}};
    struct dsl_member m[SLOTS];
    *ret = (struct dsl_table){.at = member->at};
    if (yyjson_is_obj(member->value)) {
        if (!dsl_read_object(q, member->at, member->value, keys, m, SLOTS))
            return;
        if (!m[NAME].value)
            dsl_missing(q, member->at, "name", NULL);
        ret->at = m[NAME].at;
        ret->name = dsl_read_name(q, &m[NAME]);
        ret->alias = dsl_read_name(q, &m[ALIAS]);
    } else {
        ret->name = dsl_read_name(q, member);
    }
    ret->aliased = ret->alias.data != NULL;
    if (!ret->aliased)
        ret->alias = ret->name;
    ret->pattern = ret->name.data && memchr(ret->name.data, '*', ret->name.len);
}

/* [{left, right, operator?}...]: a column here is compared with a column there. */
static struct dsl_cond *read_pair(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    enum { NONE, LEFT, RIGHT, OPERATOR, SLOTS };
    static const struct dsl_key keys[] = {
        {"left", LEFT}, {"right", RIGHT}, {"operator", OPERATOR}, {NULL, 0}};
    struct dsl_member m[SLOTS];
    struct dsl_cond *test = dsl_alloc(q, 1, sizeof *test);
    struct dsl_expr *right = dsl_alloc(q, 1, sizeof *right);
    if (!dsl_read_object(q, at, value, keys, m, SLOTS) || !test || !right)
        return NULL;
    if (!m[LEFT].value)
        dsl_missing(q, at, "left", NULL);
    if (!m[RIGHT].value)
        dsl_missing(q, at, "right", NULL);
    if (!m[LEFT].value || !m[RIGHT].value)
        return NULL;
    *test = (struct dsl_cond){.at = at, .left = dsl_path_read(q, m[LEFT].at, m[LEFT].value)};
    *right = (struct dsl_expr){.kind = EXPR_PATH,
                               .at = m[RIGHT].at,
                               .path = dsl_path_read(q, m[RIGHT].at, m[RIGHT].value)};
    test->values = right;
    test->values_len = 1;
    struct str op = json_str_of(m[OPERATOR].value);
    if (m[OPERATOR].value &&
        (!op.data || !dsl_op_find(op, &test->op) || dsl_op_info(test->op)->shape != SHAPE_ONE)) {
        dsl_fail(q, DSL_UNKNOWN_OPERATOR, m[OPERATOR].at, op, dsl_op_words(),
                 "a join compares two columns by eq, ne, gt, gte, lt, lte or is_not_distinct");
        return NULL;
    }
    return test->left && right->path && !test->left->star && !right->path->star ? test : NULL;
}

static struct dsl_cond *read_on(struct dsl_query *q, const struct dsl_member *member)
{
    yyjson_val *first = yyjson_arr_get_first(member->value), *item;
    struct dsl_cond *all = NULL;
    size_t i, max;
    if (!yyjson_is_arr(member->value) || (!json_get(first, "left") && !json_get(first, "right")))
        return dsl_conds_read(q, member->at, member->value);
    yyjson_arr_foreach(member->value, i, max, item)
    {
        all = dsl_cond_and(q, all, read_pair(q, dsl_at_index(q, member->at, i), item));
    }
    return all;
}

static void read_join(struct dsl_query *q, const struct dsl_at *at, yyjson_val *value)
{
    enum { NONE, SOURCE, ALIAS, TYPE, ON, SLOTS };
    static const struct dsl_key keys[] = {
        {"source", SOURCE}, {"alias", ALIAS}, {"type", TYPE}, {"on", ON}, {NULL, 0}};
    struct dsl_member m[SLOTS];
    struct dsl_table *table = &q->tables[q->tables_len];
    if (!dsl_read_object(q, at, value, keys, m, SLOTS))
        return;
    if (!m[SOURCE].value) {
        dsl_missing(q, at, "source", NULL);
        return;
    }
    dsl_source_read(q, &m[SOURCE], table);
    q->tables_len++;
    struct str alias = dsl_read_name(q, &m[ALIAS]);
    if (alias.data) {
        table->alias = alias;
        table->aliased = true;
    }
    int type = dsl_read_word(q, &m[TYPE], dsl_join_words());
    table->join = type < 0 ? JOIN_INNER : (enum dsl_join)(type + 1);
    if (m[ON].value && table->join == JOIN_CROSS)
        dsl_bad(q, m[ON].at, "a cross join has no condition");
    else if (m[ON].value)
        table->on = read_on(q, &m[ON]);
    else if (table->join != JOIN_CROSS)
        dsl_missing(q, at, "on", "how do the rows meet?");
}

void dsl_joins_read(struct dsl_query *q, const struct dsl_member *member)
{
    yyjson_val *item;
    uint32_t n;
    dsl_items_of(q, member, DSL_JOINS_MAX, &item, &n);
    for (uint32_t i = 0; i < n; i++, item = unsafe_yyjson_get_next(item))
        read_join(q, dsl_item_at(q, member, i), item);
}

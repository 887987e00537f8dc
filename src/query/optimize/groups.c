/* groups.c: SELECT with groups or aggregates. Keys and arguments of aggregates are columns or
 * expressions over them; what is selected, HAVING and the order are expressions over the groups'
 * rows: keys, then aggregates. */
#include "query/optimize/typed.h"

struct groups {
    struct reader *reader;
    const struct node *items;
    struct str *keys;
    enum sql_kind *key_kinds;
    uint32_t keys_len;
    struct aggregate_spec *specs;
    enum sql_kind *spec_kinds;
    uint32_t specs_len;
    struct computed *computed;
    uint32_t computed_len;
};

/* --- columns that are computed --- */

/* The name under which the operators have a value: the column's own, or an expression's text. */
static bool operand(struct groups *groups, struct typed value, struct str *ret)
{
    if (value.expr->op == EXPR_INPUT) {
        *ret = value.expr->name;
        return true;
    }
    *ret = typed_text(groups->reader, value.expr, true);
    if (!ret->data || !typed_reads_input(value.expr) || value.kind == SQL_NULL ||
        value.kind == SQL_DECIMAL || schema_find(groups->reader->schema, *ret) >= 0)
        return false;
    for (uint32_t i = 0; i < groups->computed_len; i++)
        if (str_eq(groups->computed[i].name, *ret))
            return true;
    if (groups->computed_len == OWN_DERIVED_MAX)
        return false;
    groups->computed[groups->computed_len++] = (struct computed){*ret, value.expr};
    return true;
}

/* --- aggregates --- */

static bool kind_of(const struct node *call, enum aggregate_kind *ret)
{
    static const struct {
        const char *name;
        enum aggregate_kind kind;
    } names[] = {{"count", AGG_COUNT}, {"sum", AGG_SUM},           {"avg", AGG_AVG},
                 {"min", AGG_MIN},     {"max", AGG_MAX},           {"stddev", AGG_STDDEV},
                 {"mean", AGG_AVG},    {"stddev_samp", AGG_STDDEV}};
    for (size_t i = 0; node_is(call, N_CALL) && i < sizeof names / sizeof *names; i++) {
        if (!str_eq_nocase(call->text, str_of(names[i].name)))
            continue;
        *ret = names[i].kind;
        if (!(call->flags & NODE_DISTINCT))
            return true;
        *ret = *ret == AGG_COUNT ? AGG_COUNT_DISTINCT : *ret;
        return *ret == AGG_COUNT_DISTINCT || *ret == AGG_MIN || *ret == AGG_MAX;
    }
    return false;
}

bool has_aggregate(const struct node *node)
{
    enum aggregate_kind kind;
    if (!node || node_is(node, N_SUBQUERY))
        return false;
    if (kind_of(node, &kind))
        return true;
    for (size_t i = 0; i < node->count; i++)
        if (has_aggregate(kid(node, i)))
            return true;
    return false;
}

static bool result_kind(enum aggregate_kind kind, enum sql_kind of, enum sql_kind *ret)
{
    *ret = SQL_DOUBLE;
    switch (kind) {
    case AGG_COUNT:
    case AGG_COUNT_DISTINCT:
        *ret = SQL_BIGINT;
        return true;
    case AGG_SUM:
        *ret = sql_is_whole(of) ? SQL_HUGEINT : SQL_DOUBLE;
        return sql_is_whole(of) || of == SQL_DOUBLE;
    case AGG_AVG:
    case AGG_STDDEV:
        return sql_is_whole(of) || of == SQL_DOUBLE;
    case AGG_MIN:
    case AGG_MAX:
        *ret = of == SQL_TEXT ? SQL_VARCHAR : of;
        return true;
    case AGG_PERCENTILE:
        break;
    }
    return false;
}

static bool is_star(const struct node *args)
{
    return list_count(args) == 0 ||
           (list_count(args) == 1 && node_is(kid(args, 0), N_STAR) && !kid(kid(args, 0), 0));
}

/* Only rows for which it holds: the others' values become null. */
static bool filtered(const struct scope *scope, const struct node *filter, struct typed *value)
{
    struct typed args[3];
    if (!filter)
        return true;
    args[1] = *value;
    return read_expression(scope, filter, &args[0]) && args[0].kind == SQL_BOOLEAN &&
           typed_null(scope, SQL_NULL, &args[2]) &&
           read_choice(scope, EXPR_CASE, args, 3, 1, 2, value);
}

/* What the call takes in: *ret_rows, all rows whatever is in them; else a column. */
static bool read_argument(struct groups *groups, const struct node *call, bool *ret_rows,
                          struct str *ret_column, enum sql_kind *ret_kind)
{
    const struct node *args = kid(call, CALL_ARGS), *filter = kid(call, CALL_FILTER);
    const struct scope scope = field_scope(groups->reader);
    bool count = str_eq_nocase(call->text, STR("count")) && !(call->flags & NODE_DISTINCT);
    uint32_t field;
    struct typed value;
    *ret_rows = count && is_star(args);
    *ret_column = STR_NONE;
    if (*ret_rows && !filter)
        return true;
    if (!*ret_rows && list_count(args) != 1)
        return false;
    if (count && !filter && !*ret_rows && reader_column(groups->reader, kid(args, 0), &field)) {
        *ret_column = groups->reader->schema->fields[field].name; /* of any type */
        return true;
    }
    bool read = *ret_rows ? typed_truth(&scope, true, &value)
                          : read_expression(&scope, kid(args, 0), &value);
    *ret_rows = false;
    if (!read || !filtered(&scope, filter, &value))
        return false;
    *ret_kind = value.kind;
    return operand(groups, value, ret_column);
}

static bool is_aggregate_call(const struct node *call)
{
    for (size_t i = CALL_ARGS + 1; i < call->count; i++)
        if (i != CALL_FILTER && kid(call, i))
            return false;
    return !node_has_other(call, NODE_DISTINCT);
}

/* The number of the aggregate among those of the statement; equal ones are computed once. */
static bool add_aggregate(struct groups *groups, const struct node *call, enum aggregate_kind kind,
                          uint32_t *ret)
{
    uint32_t n = groups->specs_len;
    bool rows;
    struct str column;
    enum sql_kind of = SQL_BIGINT;
    if (!is_aggregate_call(call) || !read_argument(groups, call, &rows, &column, &of))
        return false;
    for (*ret = 0; *ret < n; ++*ret) {
        const struct aggregate_spec *spec = &groups->specs[*ret];
        if (spec->kind == kind && !spec->column.data == rows &&
            (rows || str_eq(spec->column, column)))
            return true;
    }
    if (n == AGGREGATE_SPECS_MAX || !result_kind(kind, of, &groups->spec_kinds[n]))
        return false;
    groups->specs[n] = (struct aggregate_spec){
        .kind = kind,
        .column = column,
        .alias = str_of(arena_printf(groups->reader->arena, "\x01%u", n)), /* nobody's name */
    };
    groups->specs_len++;
    return groups->specs[n].alias.data != NULL;
}

/* --- keys --- */

/* Groups by a double are left to the engine: 0.0 and -0.0. */
static bool add_key(struct groups *groups, struct typed value)
{
    struct str name;
    if (value.kind == SQL_DOUBLE || !operand(groups, value, &name))
        return false;
    for (uint32_t i = 0; i < groups->keys_len; i++)
        if (str_eq(groups->keys[i], name))
            return true;
    if (groups->keys_len == AGGREGATE_KEYS_MAX)
        return false;
    groups->key_kinds[groups->keys_len] = value.kind == SQL_TEXT ? SQL_VARCHAR : value.kind;
    groups->keys[groups->keys_len++] = name;
    return true;
}

/* The item that has this alias. An alias that is a column's name too: which one is meant is the
 * engine's to say. */
static const struct node *aliased(const struct groups *groups, const struct node *ref)
{
    for (size_t i = 0; node_is(ref, N_REF) && ref->count == 1 && i < groups->items->count; i++) {
        const struct node *item = kid(groups->items, i);
        if (node_is(item, N_ALIAS) && str_eq_nocase(item->text, kid(ref, 0)->text))
            return item;
    }
    return NULL;
}

/* True: the reference means a column of the table and nothing else. */
static bool is_column(const struct groups *groups, const struct node *ref, uint32_t *ret)
{
    uint32_t same;
    const struct node *item = aliased(groups, ref);
    return reader_column(groups->reader, ref, ret) &&
           (!item || (reader_column(groups->reader, kid(item, 0), &same) && same == *ret));
}

static bool is_any_column(const struct reader *reader, const struct node *ref)
{
    for (uint32_t i = 0; i < reader->schema->fields_len; i++)
        if (str_eq_nocase(reader->schema->fields[i].name, kid(ref, 0)->text))
            return true;
    return false;
}

/* A column, an expression, the alias of an item or its place in the list. */
static bool read_key(struct groups *groups, const struct node *key)
{
    uint32_t field;
    int64_t number;
    struct typed value;
    const struct scope scope = field_scope(groups->reader);
    if (node_is(key, N_NUMBER) && str_to_int64(key->text, &number)) {
        if (number < 1 || number > groups->items->count)
            return false;
        key = expression_of(kid(groups->items, (size_t)number - 1));
    } else if (node_is(key, N_REF) && !is_column(groups, key, &field)) {
        const struct node *item = aliased(groups, key);
        if (!item || is_any_column(groups->reader, key))
            return false;
        key = kid(item, 0);
    }
    return read_expression(&scope, key, &value) && add_key(groups, value);
}

static bool read_keys(struct groups *groups)
{
    const struct node *select = groups->reader->root, *group = kid(select, SELECT_GROUP);
    bool distinct = select->flags & NODE_DISTINCT;
    if (group && group->flags)
        return false; /* GROUP BY ALL */
    const struct node *from = distinct ? groups->items : group;
    struct typed value;
    const struct scope scope = field_scope(groups->reader);
    for (size_t i = 0; i < list_count(from); i++) {
        bool read = distinct ? read_expression(&scope, expression_of(kid(from, i)), &value) &&
                                   add_key(groups, value)
                             : read_key(groups, kid(from, i));
        if (!read)
            return false;
    }
    return true;
}

/* --- over the groups --- */

static bool take_part(void *context, const struct node *node, struct typed *ret);

static struct scope group_scope(struct groups *groups)
{
    return (struct scope){groups->reader, groups, take_part};
}

static bool key_input(struct groups *groups, struct str name, struct typed *ret)
{
    for (uint32_t i = 0; i < groups->keys_len; i++)
        if (str_eq(groups->keys[i], name))
            return typed_input(groups->reader, i, name, groups->key_kinds[i], ret);
    return false;
}

static void take_reference(struct groups *groups, const struct node *ref, struct typed *ret)
{
    uint32_t field;
    const struct node *item = aliased(groups, ref);
    const struct scope scope = group_scope(groups);
    if (is_column(groups, ref, &field))
        key_input(groups, groups->reader->schema->fields[field].name, ret);
    else if (item && !is_any_column(groups->reader, ref) && !aliased(groups, kid(item, 0)))
        read_expression(&scope, kid(item, 0), ret);
}

/* Aggregates, keys and names of the list. */
static bool take_part(void *context, const struct node *node, struct typed *ret)
{
    struct groups *groups = context;
    const struct scope fields = field_scope(groups->reader);
    enum aggregate_kind kind;
    uint32_t at;
    struct typed value;
    if (kind_of(node, &kind)) {
        if (add_aggregate(groups, node, kind, &at))
            typed_input(groups->reader, groups->keys_len + at, groups->specs[at].alias,
                        groups->spec_kinds[at], ret);
        return true;
    }
    if (node_is(node, N_REF)) {
        take_reference(groups, node, ret);
        return true;
    }
    if (!read_expression(&fields, node, &value) || !typed_reads_input(value.expr))
        return false;
    return key_input(groups, typed_text(groups->reader, value.expr, true), ret);
}

static bool read_item(struct groups *groups, const struct node *item)
{
    const struct scope scope = group_scope(groups);
    const struct node *expression = expression_of(item);
    struct str name;
    struct typed value;
    uint32_t from;
    return statement_output_name(groups->reader, item, &name) &&
           read_expression(&scope, expression, &value) &&
           add_derived(groups->reader, value, &from) &&
           add_output(groups->reader, name, sql_kind_name(value.kind), from);
}

static bool read_order(struct groups *groups, const struct node *order)
{
    const struct scope scope = group_scope(groups);
    struct own_statement *out = groups->reader->out;
    uint32_t output, from;
    struct typed value;
    if (!is_plain_order(order) || out->orders_len == OWN_ORDERS_MAX)
        return false;
    if (order_output(groups->reader, order, &output))
        from = out->outputs[output].from;
    else if (!read_expression(&scope, kid(order, 0), &value) ||
             !add_derived(groups->reader, value, &from))
        return false;
    out->orders[out->orders_len++] = (struct own_order){from, (order->flags & NODE_DESC) != 0};
    return true;
}

static bool read_having(struct groups *groups, const struct node *having)
{
    const struct scope scope = group_scope(groups);
    struct typed value;
    if (!having)
        return true;
    if (!read_expression(&scope, having, &value) || value.kind != SQL_BOOLEAN)
        return false;
    groups->reader->out->having = value.expr;
    return true;
}

/* --- the whole --- */

static bool finish(struct groups *groups)
{
    struct own_statement *out = groups->reader->out;
    struct query_shape *shape = &out->shape;
    uint32_t columns = groups->keys_len + groups->specs_len;
    out->types = arena_array(groups->reader->arena, columns + 1u, sizeof *out->types);
    if (!out->types)
        return false;
    for (uint32_t i = 0; i < columns; i++) {
        enum sql_kind kind =
            i < groups->keys_len ? groups->key_kinds[i] : groups->spec_kinds[i - groups->keys_len];
        out->types[i] = kind == SQL_HUGEINT ? TYPE_JSON : sql_kind_type(kind);
    }
    place_derived(out, columns);
    shape->aggregates = true;
    shape->keys = groups->keys;
    shape->keys_len = groups->keys_len;
    shape->specs = groups->specs;
    shape->specs_len = groups->specs_len;
    shape->computed = groups->computed;
    shape->computed_len = groups->computed_len;
    return columns > 0;
}

bool statement_read_groups(struct reader *reader, const struct node *items)
{
    struct arena *arena = reader->arena;
    struct groups groups = {
        .reader = reader,
        .items = items,
        .keys = arena_array(arena, AGGREGATE_KEYS_MAX, sizeof *groups.keys),
        .key_kinds = arena_array(arena, AGGREGATE_KEYS_MAX, sizeof *groups.key_kinds),
        .specs = arena_array(arena, AGGREGATE_SPECS_MAX, sizeof *groups.specs),
        .spec_kinds = arena_array(arena, AGGREGATE_SPECS_MAX, sizeof *groups.spec_kinds),
        .computed = arena_array(arena, OWN_DERIVED_MAX, sizeof *groups.computed),
    };
    if (!groups.keys || !groups.key_kinds || !groups.specs || !groups.spec_kinds ||
        !groups.computed || !read_keys(&groups))
        return false;
    for (size_t i = 0; i < items->count; i++)
        if (!read_item(&groups, kid(items, i)))
            return false;
    const struct node *orders = kid(reader->root, SLOT_ORDER);
    for (size_t i = 0; i < list_count(orders); i++)
        if (!read_order(&groups, kid(orders, i)))
            return false;
    return read_having(&groups, kid(reader->root, SELECT_HAVING)) && finish(&groups);
}

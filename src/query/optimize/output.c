/* output.c: the columns of the answer, its groups and its order. Names are those that the engine
 * gives; where that is not certain without it, the engine does the query. */
#include <stdio.h>

#include "query/optimize/statement_int.h"

enum { NAME_TEXT = 300 };

static const char *const sql_types[TYPE_COUNT] = {
    [TYPE_BOOL] = "BOOLEAN",        [TYPE_INT64] = "BIGINT", [TYPE_DOUBLE] = "DOUBLE",
    [TYPE_STRING] = "VARCHAR",      [TYPE_JSON] = "JSON",    [TYPE_DATE] = "DATE",
    [TYPE_TIMESTAMP] = "TIMESTAMP",
};

/* The statement's parts as they fill up. */
struct making {
    struct reader *reader;
    const struct node *items;
    struct str *keys;
    uint32_t *key_fields;
    uint32_t keys_len;
    struct aggregate_spec *specs;
    uint32_t specs_len;
    const char *spec_types[AGGREGATE_SPECS_MAX];
    enum type spec_rows[AGGREGATE_SPECS_MAX];
};

static const struct node *expression_of(const struct node *item)
{
    return node_is(item, N_ALIAS) ? kid(item, 0) : item;
}

static bool add_output(struct reader *reader, struct str name, const char *type, uint32_t from)
{
    struct own_statement *out = reader->out;
    if (out->outputs_len == OWN_COLUMNS_MAX || !name.len || name.len > FIELD_NAME_MAX)
        return false;
    for (uint32_t i = 0; i < out->outputs_len; i++)
        if (str_eq(out->outputs[i].name, name))
            return false; /* the engine makes names different */
    out->outputs[out->outputs_len++] = (struct own_output){name, type, from};
    return true;
}

/* --- rows --- */

static bool add_column(struct reader *reader, struct str *columns, struct str name, uint32_t field)
{
    struct own_statement *out = reader->out;
    uint32_t at = 0, len = out->shape.columns_len;
    const struct field *column = &reader->schema->fields[field];
    while (at < len && !str_eq(columns[at], column->name))
        at++;
    if (at == len) {
        if (len == OWN_COLUMNS_MAX)
            return false;
        columns[len] = column->name;
        out->shape.columns_len++;
    }
    return add_output(reader, name, sql_types[column->type], at);
}

static bool add_star(struct reader *reader, const struct node *star, struct str *columns)
{
    for (size_t i = 1; i < star->count; i++)
        if (kid(star, i))
            return false;
    const struct node *qualifier = kid(star, 0);
    if (qualifier && (!node_is(qualifier, N_REF) || qualifier->count != 1 ||
                      !str_eq(kid(qualifier, 0)->text, reader->alias)))
        return false;
    for (uint32_t i = 0; i < reader->schema->fields_len; i++) {
        struct str name = reader->schema->fields[i].name;
        for (uint32_t k = 0; k < i; k++)
            if (str_eq_nocase(reader->schema->fields[k].name, name))
                return false;
        if (!add_column(reader, columns, name, i))
            return false;
    }
    return true;
}

/* The name of a column that stands alone is the column's own. */
static bool read_row_item(struct reader *reader, const struct node *item, struct str *columns)
{
    uint32_t field;
    const struct node *expression = expression_of(item);
    if (node_is(item, N_STAR))
        return add_star(reader, item, columns);
    if (!reader_column(reader, expression, &field))
        return false;
    struct str name = item == expression ? reader->schema->fields[field].name : item->text;
    return add_column(reader, columns, name, field);
}

/* Which output a reference in ORDER BY names, as the engine finds it: aliases first. */
static bool named_output(const struct reader *reader, const struct node *ref, uint32_t *ret)
{
    if (!node_is(ref, N_REF) || ref->count != 1)
        return false;
    for (uint32_t i = 0; i < reader->out->outputs_len; i++) {
        *ret = i;
        if (str_eq(reader->out->outputs[i].name, kid(ref, 0)->text))
            return true;
    }
    return false;
}

/* One key of ORDER BY, nulls last: the engine's default in both directions. */
static bool is_plain_order(const struct node *order)
{
    return node_is(order, N_ORDER) && !kid(order, 1) &&
           !(order->flags & ~(uint32_t)(NODE_DESC | NODE_ASC | NODE_NULLS_LAST));
}

static bool order_output(const struct reader *reader, const struct node *order, uint32_t *ret)
{
    const struct node *key = kid(order, 0);
    int64_t number;
    if (node_is(key, N_NUMBER) && str_to_int64(key->text, &number)) {
        *ret = (uint32_t)number - 1;
        return number > 0 && number <= reader->out->outputs_len;
    }
    return named_output(reader, key, ret);
}

static bool read_row_key(const struct reader *reader, const struct str *columns,
                         const struct node *order, struct search_order *ret)
{
    uint32_t field, output;
    if (!is_plain_order(order))
        return false;
    if (order_output(reader, order, &output))
        ret->column = columns[reader->out->outputs[output].from];
    else if (reader_column(reader, kid(order, 0), &field))
        ret->column = reader->schema->fields[field].name;
    else
        return false;
    ret->descending = order->flags & NODE_DESC;
    int32_t at = schema_find(reader->schema, ret->column);
    return at >= 0 && reader->schema->fields[at].type != TYPE_JSON;
}

static bool read_row_order(struct reader *reader, const struct str *columns)
{
    struct query_shape *shape = &reader->out->shape;
    const struct node *orders = kid(reader->root, SLOT_ORDER);
    size_t len = list_count(orders);
    if (len == 0)
        return true;
    uint64_t most = (uint64_t)reader->out->limit + reader->out->offset;
    struct search_order *order = arena_array(reader->arena, len, sizeof *order);
    if (!order || len > SEARCH_ORDER_MAX || reader->out->limit < 0 || most > SEARCH_ORDERED_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!read_row_key(reader, columns, kid(orders, i), &order[i]))
            return false;
    shape->order = order;
    shape->order_len = (uint32_t)len;
    return true;
}

static bool read_rows(struct making *making)
{
    struct reader *reader = making->reader;
    struct own_statement *out = reader->out;
    struct str *columns = arena_array(reader->arena, OWN_COLUMNS_MAX, sizeof *columns);
    if (!columns)
        return false;
    for (size_t i = 0; i < making->items->count; i++)
        if (!read_row_item(reader, kid(making->items, i), columns))
            return false;
    out->shape.columns = columns;
    out->shape.limit = out->limit;
    out->shape.offset = out->offset;
    return read_row_order(reader, columns);
}

/* --- aggregates --- */

static bool is_simple_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.data[i] < 'a' || name.data[i] > 'z') && name.data[i] != '_' &&
            (i == 0 || name.data[i] < '0' || name.data[i] > '9'))
            return false;
    return name.len > 0;
}

/* What the engine calls an aggregate without an alias. */
static bool default_name(struct reader *reader, const struct node *call, struct str column,
                         struct str *ret)
{
    const struct node *args = kid(call, CALL_ARGS);
    char text[NAME_TEXT];
    int n = 0;
    if (!column.data)
        n = snprintf(text, sizeof text, "count_star()");
    else if (list_count(args) == 1 && kid(args, 0)->count == 1 && is_simple_name(column) &&
             column.len < 200)
        for (size_t i = 0; i < call->text.len && i < 20; i++)
            text[n++] = (char)(call->text.data[i] | 0x20);
    if (n == 0)
        return false;
    if (column.data)
        n += snprintf(text + n, sizeof text - (size_t)n, "(%s%.*s)",
                      call->flags & NODE_DISTINCT ? "DISTINCT " : "", STR_ARG(column));
    *ret = arena_str(reader->arena, str_make(text, (size_t)n));
    return ret->data != NULL;
}

static bool kind_of(const struct node *call, enum aggregate_kind *ret)
{
    static const struct {
        const char *name;
        enum aggregate_kind kind;
    } names[] = {{"count", AGG_COUNT}, {"sum", AGG_SUM},           {"avg", AGG_AVG},
                 {"min", AGG_MIN},     {"max", AGG_MAX},           {"stddev", AGG_STDDEV},
                 {"mean", AGG_AVG},    {"stddev_samp", AGG_STDDEV}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
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

/* The types of its values, as rows and in the engine's words. */
static bool type_of(enum aggregate_kind kind, enum type column, enum type *ret, const char **name)
{
    bool number = column == TYPE_INT64 || column == TYPE_DOUBLE;
    switch (kind) {
    case AGG_COUNT:
    case AGG_COUNT_DISTINCT:
        *ret = TYPE_INT64;
        *name = "BIGINT";
        return column != TYPE_JSON || kind == AGG_COUNT;
    case AGG_SUM:
        *ret = column == TYPE_INT64 ? TYPE_JSON : TYPE_DOUBLE;
        *name = column == TYPE_INT64 ? "HUGEINT" : "DOUBLE";
        return number;
    case AGG_AVG:
    case AGG_STDDEV:
        *ret = TYPE_DOUBLE;
        *name = "DOUBLE";
        return number;
    case AGG_MIN:
    case AGG_MAX:
        *ret = column;
        *name = sql_types[column];
        return column != TYPE_JSON;
    case AGG_PERCENTILE:
        break;
    }
    return false;
}

static bool is_plain_call(const struct node *call)
{
    for (size_t i = CALL_ARGS + 1; i < call->count; i++)
        if (kid(call, i))
            return false;
    return node_is(call, N_CALL) && !(call->flags & ~(uint32_t)NODE_DISTINCT);
}

/* The number of the aggregate among those of the statement; equal ones are computed once. */
static bool add_aggregate(struct making *making, const struct node *call, uint32_t *ret,
                          struct str *ret_column)
{
    struct reader *reader = making->reader;
    const struct node *args = kid(call, CALL_ARGS);
    enum aggregate_kind kind;
    uint32_t field = 0, n = making->specs_len;
    if (!is_plain_call(call) || !kind_of(call, &kind) || list_count(args) > 1)
        return false;
    bool rows = kind == AGG_COUNT && (list_count(args) == 0 || node_is(kid(args, 0), N_STAR));
    if (rows && list_count(args) == 1 && kid(kid(args, 0), 0))
        return false;
    if (!rows && (list_count(args) != 1 || !reader_column(reader, kid(args, 0), &field)))
        return false;
    *ret_column = rows ? STR_NONE : reader->schema->fields[field].name;
    for (uint32_t i = 0; i < n; i++) {
        *ret = i;
        if (making->specs[i].kind == kind && str_eq(making->specs[i].column, *ret_column) &&
            !making->specs[i].column.data == rows)
            return true;
    }
    enum type type = rows ? TYPE_INT64 : reader->schema->fields[field].type;
    if (n == AGGREGATE_SPECS_MAX ||
        !type_of(kind, type, &making->spec_rows[n], &making->spec_types[n]))
        return false;
    making->specs[n] = (struct aggregate_spec){
        .kind = kind,
        .column = *ret_column,
        .alias = str_of(arena_printf(reader->arena, "\x01%u", n)), /* nobody's name */
    };
    *ret = making->specs_len++;
    return making->specs[n].alias.data != NULL;
}

/* Groups by a double are left to the engine: 0.0 and -0.0. */
static bool add_key(struct making *making, uint32_t field)
{
    const struct field *column = &making->reader->schema->fields[field];
    for (uint32_t i = 0; i < making->keys_len; i++)
        if (making->key_fields[i] == field)
            return true;
    if (making->keys_len == AGGREGATE_KEYS_MAX || column->type == TYPE_JSON ||
        column->type == TYPE_DOUBLE)
        return false;
    making->key_fields[making->keys_len] = field;
    making->keys[making->keys_len++] = column->name;
    return true;
}

/* A column, or the place of one in the select list. */
static bool read_key(struct making *making, const struct node *key)
{
    uint32_t field;
    int64_t number;
    if (node_is(key, N_NUMBER) && str_to_int64(key->text, &number)) {
        if (number < 1 || number > making->items->count)
            return false;
        key = expression_of(kid(making->items, (size_t)number - 1));
    }
    return reader_column(making->reader, key, &field) && add_key(making, field);
}

static bool read_keys(struct making *making)
{
    const struct node *select = making->reader->root, *group = kid(select, SELECT_GROUP);
    const struct node *from = select->flags & NODE_DISTINCT ? making->items : group;
    for (size_t i = 0; i < list_count(from); i++)
        if (!read_key(making, from == group ? kid(group, i) : expression_of(kid(from, i))))
            return false;
    return true;
}

static bool read_group_item(struct making *making, const struct node *item)
{
    struct reader *reader = making->reader;
    const struct node *expression = expression_of(item);
    struct str name = item->text, column;
    uint32_t field, at = 0;
    if (node_is(expression, N_CALL)) {
        if (!add_aggregate(making, expression, &at, &column) ||
            (item == expression && !default_name(reader, expression, column, &name)))
            return false;
        return add_output(reader, name, making->spec_types[at], at | UINT32_C(1) << 31);
    }
    if (!reader_column(reader, expression, &field))
        return false;
    while (at < making->keys_len && making->key_fields[at] != field)
        at++;
    if (item == expression)
        name = reader->schema->fields[field].name;
    return at < making->keys_len &&
           add_output(reader, name, sql_types[reader->schema->fields[field].type], at);
}

/* Outputs of aggregates were marked until the number of keys was known. */
static uint32_t place_of(const struct making *making, uint32_t from)
{
    return from >> 31 ? making->keys_len + (from & INT32_MAX) : from;
}

static bool read_group_orders(struct making *making)
{
    struct reader *reader = making->reader;
    struct own_statement *out = reader->out;
    const struct node *orders = kid(reader->root, SLOT_ORDER);
    if (list_count(orders) > OWN_ORDERS_MAX)
        return false;
    for (size_t i = 0; i < list_count(orders); i++) {
        const struct node *order = kid(orders, i), *key = kid(order, 0);
        uint32_t output, at, field;
        struct str column;
        if (!is_plain_order(order))
            return false;
        if (order_output(reader, order, &output))
            at = out->outputs[output].from;
        else if (node_is(key, N_CALL) && add_aggregate(making, key, &at, &column))
            at |= UINT32_C(1) << 31;
        else if (reader_column(reader, key, &field)) {
            for (at = 0; at < making->keys_len && making->key_fields[at] != field; at++)
                ;
            if (at == making->keys_len)
                return false;
        } else {
            return false;
        }
        out->orders[out->orders_len++] = (struct own_order){at, (order->flags & NODE_DESC) != 0};
    }
    return true;
}

static bool finish_groups(struct making *making)
{
    struct own_statement *out = making->reader->out;
    struct query_shape *shape = &out->shape;
    const struct schema *schema = making->reader->schema;
    out->types = arena_array(making->reader->arena, making->keys_len + making->specs_len + 1u,
                             sizeof *out->types);
    if (!out->types)
        return false;
    for (uint32_t i = 0; i < making->keys_len; i++)
        out->types[i] = schema->fields[making->key_fields[i]].type;
    for (uint32_t i = 0; i < making->specs_len; i++)
        out->types[making->keys_len + i] = making->spec_rows[i];
    for (uint32_t i = 0; i < out->outputs_len; i++)
        out->outputs[i].from = place_of(making, out->outputs[i].from);
    for (uint32_t i = 0; i < out->orders_len; i++)
        out->orders[i].from = place_of(making, out->orders[i].from);
    shape->aggregates = true;
    shape->keys = making->keys;
    shape->keys_len = making->keys_len;
    shape->specs = making->specs;
    shape->specs_len = making->specs_len;
    return making->keys_len + making->specs_len > 0;
}

static bool read_groups(struct making *making)
{
    struct arena *arena = making->reader->arena;
    making->keys = arena_array(arena, AGGREGATE_KEYS_MAX, sizeof *making->keys);
    making->key_fields = arena_array(arena, AGGREGATE_KEYS_MAX, sizeof *making->key_fields);
    making->specs = arena_array(arena, AGGREGATE_SPECS_MAX, sizeof *making->specs);
    if (!making->keys || !making->key_fields || !making->specs || !read_keys(making))
        return false;
    for (size_t i = 0; i < making->items->count; i++)
        if (!read_group_item(making, kid(making->items, i)))
            return false;
    return read_group_orders(making) && finish_groups(making);
}

static bool has_aggregate(const struct node *items)
{
    enum aggregate_kind kind;
    for (size_t i = 0; i < items->count; i++) {
        const struct node *expression = expression_of(kid(items, i));
        if (node_is(expression, N_CALL) && kind_of(expression, &kind))
            return true;
    }
    return false;
}

bool read_outputs(struct reader *reader)
{
    struct making making = {.reader = reader, .items = kid(reader->root, SELECT_ITEMS)};
    struct own_statement *out = reader->out;
    out->outputs = arena_array(reader->arena, OWN_COLUMNS_MAX, sizeof *out->outputs);
    if (!making.items || !out->outputs)
        return false;
    bool distinct = reader->root->flags & NODE_DISTINCT;
    bool grouped = kid(reader->root, SELECT_GROUP) != NULL;
    bool aggregates = has_aggregate(making.items);
    if (distinct && (grouped || aggregates))
        return false;
    return distinct || grouped || aggregates ? read_groups(&making) : read_rows(&making);
}

/* rows.c: SELECT without groups: columns, expressions over them, an order by columns. */
#include "query/optimize/typed.h"

struct rows {
    struct reader *reader;
    struct str *columns; /* that the search reads */
};

static const char *const sql_types[TYPE_COUNT] = {
    [TYPE_BOOL] = "BOOLEAN",        [TYPE_INT64] = "BIGINT", [TYPE_DOUBLE] = "DOUBLE",
    [TYPE_STRING] = "VARCHAR",      [TYPE_JSON] = "JSON",    [TYPE_DATE] = "DATE",
    [TYPE_TIMESTAMP] = "TIMESTAMP",
};

static bool add_stored(struct rows *rows, uint32_t field, uint32_t *ret)
{
    struct query_shape *shape = &rows->reader->out->shape;
    struct str name = rows->reader->schema->fields[field].name;
    uint32_t at = 0;
    while (at < shape->columns_len && !str_eq(rows->columns[at], name))
        at++;
    *ret = at;
    if (at < shape->columns_len)
        return true;
    if (at == OWN_COLUMNS_MAX)
        return false;
    rows->columns[shape->columns_len++] = name;
    return true;
}

static bool add_column(struct rows *rows, struct str name, uint32_t field)
{
    uint32_t at;
    return add_stored(rows, field, &at) &&
           add_output(rows->reader, name, sql_types[rows->reader->schema->fields[field].type], at);
}

static bool add_star(struct rows *rows, const struct node *star)
{
    const struct reader *reader = rows->reader;
    const struct node *qualifier = kid(star, 0);
    for (size_t i = 1; i < star->count; i++)
        if (kid(star, i))
            return false;
    if (qualifier && (!node_is(qualifier, N_REF) || qualifier->count != 1 ||
                      !str_eq(kid(qualifier, 0)->text, reader->alias)))
        return false;
    for (uint32_t i = 0; i < reader->schema->fields_len; i++)
        if (!add_column(rows, reader->schema->fields[i].name, i))
            return false;
    return true;
}

/* Columns in expressions are those of the search's rows. */
static bool take_column(void *context, const struct node *node, struct typed *ret)
{
    struct rows *rows = context;
    uint32_t field, at;
    enum sql_kind kind;
    if (!node_is(node, N_REF))
        return false;
    if (reader_column(rows->reader, node, &field) &&
        sql_kind_of(rows->reader->schema->fields[field].type, &kind) &&
        add_stored(rows, field, &at))
        typed_input(rows->reader, at, rows->reader->schema->fields[field].name, kind, ret);
    return true;
}

static bool read_item(struct rows *rows, const struct node *item)
{
    uint32_t field, from;
    struct str name;
    struct typed value;
    const struct scope scope = {rows->reader, rows, take_column};
    const struct node *expression = expression_of(item);
    if (node_is(item, N_STAR))
        return add_star(rows, item);
    if (!statement_output_name(rows->reader, item, &name))
        return false;
    if (reader_column(rows->reader, expression, &field))
        return add_column(rows, name, field);
    return read_expression(&scope, expression, &value) && add_derived(rows->reader, value, &from) &&
           add_output(rows->reader, name, sql_kind_name(value.kind), from);
}

static bool read_key(const struct rows *rows, const struct node *order, struct search_order *ret)
{
    uint32_t field, output;
    const struct reader *reader = rows->reader;
    if (!is_plain_order(order))
        return false;
    if (order_output(reader, order, &output)) {
        if (reader->out->outputs[output].from >= reader->out->shape.columns_len)
            return false; /* derived */
        ret->column = rows->columns[reader->out->outputs[output].from];
    } else if (reader_column(reader, kid(order, 0), &field)) {
        ret->column = reader->schema->fields[field].name;
    } else {
        return false;
    }
    ret->descending = order->flags & NODE_DESC;
    int32_t at = schema_find(reader->schema, ret->column);
    return at >= 0 && reader->schema->fields[at].type != TYPE_JSON;
}

static bool read_order(struct rows *rows)
{
    struct own_statement *out = rows->reader->out;
    const struct node *orders = kid(rows->reader->root, SLOT_ORDER);
    size_t len = list_count(orders);
    if (len == 0)
        return true;
    uint64_t most = (uint64_t)out->limit + out->offset;
    struct search_order *order = arena_array(rows->reader->arena, len, sizeof *order);
    if (!order || len > SEARCH_ORDER_MAX || out->limit < 0 || most > SEARCH_ORDERED_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!read_key(rows, kid(orders, i), &order[i]))
            return false;
    out->shape.order = order;
    out->shape.order_len = (uint32_t)len;
    return true;
}

bool statement_read_rows(struct reader *reader, const struct node *items)
{
    struct own_statement *out = reader->out;
    struct rows rows = {reader, arena_array(reader->arena, OWN_COLUMNS_MAX, sizeof *rows.columns)};
    if (!rows.columns)
        return false;
    for (size_t i = 0; i < items->count; i++)
        if (!read_item(&rows, kid(items, i)))
            return false;
    out->shape.columns = rows.columns;
    out->shape.limit = out->limit;
    out->shape.offset = out->offset;
    if (!read_order(&rows))
        return false;
    place_derived(out, out->shape.columns_len);
    return true;
}

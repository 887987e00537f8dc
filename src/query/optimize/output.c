/* output.c: the columns of the answer, as rows and groups have in common. */
#include "query/optimize/typed.h"

#define DERIVED (UINT32_C(1) << 31)

bool add_output(struct reader *reader, struct str name, const char *type, uint32_t from)
{
    struct own_statement *out = reader->out;
    if (out->outputs_len == OWN_COLUMNS_MAX || !name.len || name.len > FIELD_NAME_MAX)
        return false;
    for (uint32_t i = 0; i < out->outputs_len; i++)
        if (str_eq_nocase(out->outputs[i].name, name))
            return false; /* the engine makes names different */
    out->outputs[out->outputs_len++] = (struct own_output){name, type, from};
    return true;
}

bool add_derived(struct reader *reader, struct typed value, uint32_t *ret_from)
{
    struct own_statement *out = reader->out;
    if (value.kind == SQL_NULL || value.kind == SQL_DECIMAL || !typed_reads_input(value.expr))
        return false;
    if (value.expr->op == EXPR_INPUT) {
        *ret_from = value.expr->input;
        return true;
    }
    if (out->derived_len == OWN_DERIVED_MAX)
        return false;
    *ret_from = out->derived_len | DERIVED;
    out->derived[out->derived_len++] = (struct own_derived){
        .expr = value.expr,
        .type = value.kind == SQL_HUGEINT ? TYPE_JSON : sql_kind_type(value.kind),
    };
    return true;
}

static uint32_t place_of(uint32_t from, uint32_t columns)
{
    return from & DERIVED ? columns + (from & ~DERIVED) : from;
}

void place_derived(struct own_statement *out, uint32_t columns)
{
    for (uint32_t i = 0; i < out->outputs_len; i++)
        out->outputs[i].from = place_of(out->outputs[i].from, columns);
    for (uint32_t i = 0; i < out->orders_len; i++)
        out->orders[i].from = place_of(out->orders[i].from, columns);
}

bool statement_output_name(const struct reader *reader, const struct node *item, struct str *ret)
{
    uint32_t field;
    const struct node *expression = expression_of(item);
    if (item != expression) {
        *ret = item->text;
        return true;
    }
    if (!reader_column(reader, expression, &field))
        return engine_name(reader, expression, ret);
    *ret = reader->schema->fields[field].name;
    return true;
}

/* Which output a reference names. */
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

bool is_plain_order(const struct node *order)
{
    return node_is(order, N_ORDER) && !kid(order, 1) &&
           !(order->flags & ~(uint32_t)(NODE_DESC | NODE_ASC | NODE_NULLS_LAST));
}

bool order_output(const struct reader *reader, const struct node *order, uint32_t *ret)
{
    const struct node *key = kid(order, 0);
    int64_t number;
    if (node_is(key, N_NUMBER) && str_to_int64(key->text, &number)) {
        *ret = (uint32_t)number - 1;
        return number > 0 && number <= reader->out->outputs_len;
    }
    return named_output(reader, key, ret);
}

bool statement_read_outputs(struct reader *reader)
{
    struct own_statement *out = reader->out;
    const struct node *root = reader->root, *items = kid(root, SELECT_ITEMS);
    out->outputs = arena_array(reader->arena, OWN_COLUMNS_MAX, sizeof *out->outputs);
    out->derived = arena_array(reader->arena, OWN_DERIVED_MAX, sizeof *out->derived);
    if (!items || !out->outputs || !out->derived)
        return false;
    bool distinct = root->flags & NODE_DISTINCT;
    bool grouped = kid(root, SELECT_GROUP) || kid(root, SELECT_HAVING) || has_aggregate(items);
    if (distinct && grouped)
        return false;
    return distinct || grouped ? statement_read_groups(reader, items)
                               : statement_read_rows(reader, items);
}

/* statement_key.c: a statement in normal form: conditions in the order of their columns,
 * expressions in theirs (query/expr), names of tables, spaces and the like left out. */
#include "query/expr/expr.h"
#include "query/optimize/statement.h"

static void put_text(struct buf *key, struct str text)
{
    buf_append_u32(key, text.data ? (uint32_t)text.len : UINT32_MAX);
    buf_append_str(key, text);
}

static void put_shape(const struct query_shape *shape, struct buf *key)
{
    struct json_writer w;
    json_writer_init(&w, key);
    buf_append_char(key, shape->aggregates ? 'A' : 'S');
    json_value(&w, shape->filters);
    for (uint32_t i = 0; i < shape->columns_len; i++)
        put_text(key, shape->columns[i]);
    buf_append_char(key, 'k');
    for (uint32_t i = 0; i < shape->keys_len; i++)
        put_text(key, shape->keys[i]);
    buf_append_char(key, 'a');
    for (uint32_t i = 0; i < shape->specs_len; i++) {
        buf_append_u32(key, (uint32_t)shape->specs[i].kind);
        put_text(key, shape->specs[i].column);
    }
    buf_append_char(key, 'o');
    for (uint32_t i = 0; i < shape->order_len; i++) {
        buf_append_u32(key, shape->order[i].descending);
        put_text(key, shape->order[i].column);
    }
}

void own_statement_key(const struct own_statement *statement, struct buf *key)
{
    put_shape(&statement->shape, key);
    buf_append_u64(key, (uint64_t)statement->limit);
    buf_append_u64(key, statement->offset);
    buf_append_char(key, 'd');
    for (uint32_t i = 0; i < statement->derived_len; i++)
        expr_write(statement->derived[i].expr, true, key);
    buf_append_char(key, 'h');
    if (statement->having)
        expr_write(statement->having, true, key);
    for (uint32_t i = 0; i < statement->outputs_len; i++) {
        buf_append_u32(key, statement->outputs[i].from);
        put_text(key, statement->outputs[i].name);
        put_text(key, str_of(statement->outputs[i].sql_type));
    }
    buf_append_char(key, 'r');
    for (uint32_t i = 0; i < statement->orders_len; i++) {
        buf_append_u32(key, statement->orders[i].from);
        buf_append_u32(key, statement->orders[i].descending);
    }
}

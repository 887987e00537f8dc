/* shape.c: what two questions have in common that differ in constants only. */
#include <stdio.h>

#include "query/optimize/optimizer_int.h"

static void put(struct buf *buf, const char *sign, struct str text)
{
    buf_append_str(buf, str_of(sign));
    buf_append_str(buf, text);
}

/* {"a": 1, "b": {"gte": 2, "lt": 3}} as " a eq b gte lt"; limits and list lengths do not count. */
static void put_filters(struct buf *buf, yyjson_val *filters)
{
    size_t i, max, k, most;
    yyjson_val *field, *value, *op, *literal;
    yyjson_obj_foreach(filters, i, max, field, value)
    {
        put(buf, " ", json_str_of(field));
        if (!yyjson_is_obj(value))
            put(buf, " ", STR("eq"));
        yyjson_obj_foreach(value, k, most, op, literal)
        {
            put(buf, " ", json_str_of(op));
        }
    }
}

static void put_rest(struct buf *buf, const struct query_shape *shape)
{
    for (uint32_t i = 0; i < shape->keys_len; i++)
        put(buf, i ? "," : " by ", shape->keys[i]);
    for (uint32_t i = 0; i < shape->specs_len; i++) {
        buf_printf(buf, "%s%d", i ? "," : " agg ", (int)shape->specs[i].kind);
        put(buf, ":", shape->specs[i].column.data ? shape->specs[i].column : STR("*"));
    }
    for (uint32_t i = 0; i < shape->order_len; i++)
        put(buf, shape->order[i].descending ? " desc " : " asc ", shape->order[i].column);
    if (shape->limit >= 0 && !shape->aggregates)
        buf_append_str(buf, STR(" limit"));
}

uint64_t shape_template(const struct query_shape *shape, char label[HISTORY_LABEL_MAX])
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    put(&buf, shape->aggregates ? "aggregate " : "search ", shape->source_id);
    put_filters(&buf, shape->filters);
    put_rest(&buf, shape);
    for (uint32_t i = 0; i < shape->columns_len; i++)
        put(&buf, i ? "," : " select ", shape->columns[i]);
    uint64_t hash = str_hash(buf_str(&buf));
    size_t shown = buf.len < HISTORY_LABEL_MAX - 1 ? buf.len : HISTORY_LABEL_MAX - 1;
    if (shown)
        memcpy(label, buf.data, shown);
    label[shown] = 0;
    buf_release(&buf);
    return hash ? hash : 1;
}

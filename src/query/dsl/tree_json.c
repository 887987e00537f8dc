/* tree_json.c: the tree as JSON: the seed's spelling, every default spelt out, so that two bodies
 * of one meaning become one text. It is a DSL query again. Values stand as they were written. */
#include "query/dsl/dsl_int.h"

static void write_value(struct json_writer *w, const struct dsl_expr *expr)
{
    if (expr->json)
        json_value(w, expr->json);
    else if (expr->kind == EXPR_PATH) { /* of a join's {left, right} */
        json_begin_object(w);
        json_kv_str(w, "field", expr->path->text);
        json_end_object(w);
    } else {
        json_int(w, expr->integer);
    }
}

static void write_values(struct json_writer *w, const struct dsl_cond *test)
{
    bool open = test->values_len == 1 && test->values[0].kind == EXPR_OPEN;
    bool list = dsl_op_info(test->op)->shape >= SHAPE_PAIR || test->values_len > 1;
    json_keyz(w, "value");
    if (!list || open) {
        write_value(w, &test->values[0]);
        return;
    }
    json_begin_array(w);
    for (uint32_t i = 0; i < test->values_len; i++)
        write_value(w, &test->values[i]);
    json_end_array(w);
}

static void write_cond(struct json_writer *w, const struct dsl_cond *cond)
{
    static const char *const words[] = {[COND_AND] = "and", [COND_OR] = "or", [COND_NOT] = "not"};
    json_begin_object(w);
    if (cond->kind == COND_TEST) {
        json_kv_str(w, "field", cond->left->text);
        json_kv_strz(w, "operator", dsl_op_info(cond->op)->name);
        if (dsl_op_info(cond->op)->shape != SHAPE_NONE)
            write_values(w, cond);
        if (cond->nocase)
            json_kv_bool(w, "case_sensitive", false);
    } else {
        json_keyz(w, words[cond->kind]);
        if (cond->kind != COND_NOT)
            json_begin_array(w);
        for (uint32_t i = 0; i < cond->items_len; i++)
            write_cond(w, cond->items[i]);
        if (cond->kind != COND_NOT)
            json_end_array(w);
    }
    json_end_object(w);
}

/* An outermost `and` is an array, as people write it; anything else stands by itself, since an
 * array around it would be one level more. */
static void write_conds(struct json_writer *w, const char *key, const struct dsl_cond *cond)
{
    if (!cond)
        return;
    json_keyz(w, key);
    if (cond->kind != COND_AND) {
        write_cond(w, cond);
        return;
    }
    json_begin_array(w);
    for (uint32_t i = 0; i < cond->items_len; i++)
        write_cond(w, cond->items[i]);
    json_end_array(w);
}

static void write_orders(struct json_writer *w, const struct dsl_order *order, uint32_t len)
{
    if (len == 0)
        return;
    json_keyz(w, "order_by");
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++) {
        json_begin_object(w);
        json_kv_str(w, "field", order[i].path->text);
        json_kv_strz(w, "direction", order[i].descending ? "desc" : "asc");
        json_kv_strz(w, "nulls", order[i].nulls_first ? "first" : "last");
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_source(struct json_writer *w, const struct dsl_table *table)
{
    json_keyz(w, "source");
    json_begin_object(w);
    json_kv_str(w, "name", table->name);
    if (table->aliased)
        json_kv_str(w, "alias", table->alias);
    json_end_object(w);
}

static void write_joins(struct json_writer *w, const struct dsl_query *q)
{
    if (q->tables_len < 2)
        return;
    json_keyz(w, "joins");
    json_begin_array(w);
    for (uint32_t i = 1; i < q->tables_len; i++) {
        json_begin_object(w);
        write_source(w, &q->tables[i]);
        json_kv_strz(w, "type", dsl_join_name(q->tables[i].join));
        write_conds(w, "on", q->tables[i].on);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_expr_members(struct json_writer *w, const struct dsl_expr *expr)
{
    if (expr->kind == EXPR_PATH) {
        json_kv_str(w, "field", expr->path->text);
        return;
    }
    json_kv_str(w, "function", expr->function_name);
    json_keyz(w, "args");
    json_begin_array(w);
    for (uint32_t i = 0; i < expr->args_len; i++)
        write_value(w, &expr->args[i]);
    json_end_array(w);
}

static void write_select(struct json_writer *w, const struct dsl_query *q)
{
    json_keyz(w, "select");
    json_begin_array(w);
    if (q->star)
        json_stringz(w, "*");
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        if (q->outputs[i].kind != OUTPUT_EXPR)
            continue;
        json_begin_object(w);
        write_expr_members(w, q->outputs[i].expr);
        json_kv_str(w, "alias", q->outputs[i].alias);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_groups(struct json_writer *w, const struct dsl_query *q)
{
    json_keyz(w, "group_by");
    json_begin_array(w);
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        const struct dsl_output *output = &q->outputs[i];
        if (output->kind != OUTPUT_GROUP)
            continue;
        json_begin_object(w);
        json_kv_str(w, "field", output->path->text);
        json_kv_str(w, "alias", output->alias);
        if (output->bucket == BUCKET_WIDTH) {
            json_keyz(w, "bucket");
            json_begin_object(w);
            json_keyz(w, "width");
            write_value(w, output->width);
            json_end_object(w);
        } else if (output->bucket != BUCKET_NONE) {
            json_kv_strz(w, "bucket", dsl_bucket_name(output->bucket));
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_aggregate_params(struct json_writer *w, const struct dsl_output *output)
{
    if (!output->argument && output->order_len == 0)
        return;
    json_keyz(w, "params");
    json_begin_object(w);
    if (output->argument) {
        json_keyz(w, str_is(output->function_name, "percentile") ? "p" : "separator");
        write_value(w, output->argument);
    }
    write_orders(w, output->order, output->order_len);
    json_end_object(w);
}

static void write_function(struct json_writer *w, const struct dsl_output *output)
{
    json_kv_str(w, "function", output->function_name);
    if (output->path)
        json_kv_str(w, "field", output->path->text);
    else if (output->kind == OUTPUT_AGGREGATE)
        json_kv_strz(w, "field", "*");
}

static void write_aggregations(struct json_writer *w, const struct dsl_query *q)
{
    json_keyz(w, "aggregations");
    json_begin_array(w);
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        const struct dsl_output *output = &q->outputs[i];
        if (output->kind != OUTPUT_AGGREGATE)
            continue;
        json_begin_object(w);
        write_function(w, output);
        json_kv_str(w, "alias", output->alias);
        if (output->distinct)
            json_kv_bool(w, "distinct", true);
        write_conds(w, "where", output->where);
        write_aggregate_params(w, output);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_bound(struct json_writer *w, const char *key, struct dsl_bound bound)
{
    json_keyz(w, key);
    if (bound.kind == BOUND_ROWS)
        json_int(w, bound.offset);
    else
        json_stringz(w, bound.kind == BOUND_CURRENT ? "current" : "unbounded");
}

static void write_window_params(struct json_writer *w, const struct dsl_output *output)
{
    if (!output->argument)
        return;
    json_keyz(w, "params");
    json_begin_object(w);
    json_keyz(w, str_is(output->function_name, "ntile") ? "n" : "offset");
    write_value(w, output->argument);
    if (output->otherwise) {
        json_keyz(w, "default");
        write_value(w, output->otherwise);
    }
    json_end_object(w);
}

static void write_window(struct json_writer *w, const struct dsl_output *output)
{
    json_begin_object(w);
    write_function(w, output);
    json_kv_str(w, "alias", output->alias);
    write_window_params(w, output);
    if (output->partition_len) {
        json_keyz(w, "partition_by");
        json_begin_array(w);
        for (uint32_t i = 0; i < output->partition_len; i++)
            json_string(w, output->partition[i]->text);
        json_end_array(w);
    }
    write_orders(w, output->order, output->order_len);
    if (output->framed) {
        json_keyz(w, "frame");
        json_begin_object(w);
        json_kv_strz(w, "mode", output->frame_range ? "range" : "rows");
        write_bound(w, "start", output->start);
        write_bound(w, "end", output->end);
        json_end_object(w);
    }
    json_end_object(w);
}

static void write_windows(struct json_writer *w, const struct dsl_query *q)
{
    bool any = false;
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        if (q->outputs[i].kind != OUTPUT_WINDOW)
            continue;
        if (!any) {
            json_keyz(w, "windows");
            json_begin_array(w);
        }
        any = true;
        write_window(w, &q->outputs[i]);
    }
    if (any)
        json_end_array(w);
}

void dsl_write_query(const struct dsl_query *q, struct json_writer *w)
{
    json_begin_object(w);
    json_kv_strz(w, "query_type", q->aggregate ? "aggregate" : "filter");
    write_source(w, &q->tables[0]);
    write_joins(w, q);
    write_conds(w, "conditions", q->where);
    if (q->aggregate) {
        write_groups(w, q);
        write_aggregations(w, q);
        write_conds(w, "having", q->having);
    } else {
        write_select(w, q);
        json_kv_bool(w, "distinct", q->distinct);
        write_windows(w, q);
        write_conds(w, "qualify", q->qualify);
    }
    write_orders(w, q->order, q->order_len);
    json_kv_int(w, "limit", q->limit);
    if (q->cursor.data)
        json_kv_str(w, "cursor", q->cursor);
    else
        json_kv_int(w, "offset", q->offset);
    if (q->parameters) {
        json_keyz(w, "parameters");
        json_value(w, q->parameters);
    }
    json_end_object(w);
}

/* to_plan.c: the tree to a logical plan (query/plan): scans, joins, where, aggregate and having or
 * windows and qualify, order, limit, projection. */
#include "query/dsl/to_plan.h"

#include "query/dsl/dsl_int.h"

static struct plan_expr *path_expr(struct plan *plan, const struct dsl_path *path)
{
    const struct dsl_table *table = path->table;
    if (path->star)
        return plan_star(plan);
    if (path->output)
        return plan_column(plan, STR_NONE, path->output->alias);
    if (!table)
        return plan_column(plan, STR_NONE, path->text);
    /* the text without the source's name, when it stands there */
    struct str prefix = table->alias, name = path->text;
    if (name.len > prefix.len + 1 && str_starts(name, prefix) && name.data[prefix.len] == '.' &&
        path->len > 1 && str_eq(path->steps[0].name, prefix))
        name = str_make(name.data + prefix.len + 1, name.len - prefix.len - 1);
    return plan_column(plan, table->alias, name);
}

static struct str json_text(struct plan *plan, const struct dsl_expr *expr)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 8 << 20);
    json_writer_init(&w, &buf);
    if (expr->json)
        json_value(&w, expr->json);
    else
        json_int(&w, expr->integer);
    struct str text = arena_str(plan->arena, buf_str(&buf));
    plan->failed = plan->failed || buf_failed(&buf) || !text.data;
    buf_release(&buf);
    return text.data ? text : STR("null");
}

static struct plan_expr *value_expr(struct plan *plan, const struct dsl_expr *expr)
{
    if (expr->kind == EXPR_PATH)
        return path_expr(plan, expr->path);
    if (expr->kind != EXPR_CALL)
        return plan_value(plan, json_text(plan, expr));
    struct plan_expr *call = plan_call(plan, expr->function_name, expr->args_len);
    for (uint32_t i = 0; i < call->args_len; i++)
        call->args[i] = value_expr(plan, &expr->args[i]);
    return call;
}

static struct plan_expr *cond_expr(struct plan *plan, const struct dsl_cond *cond)
{
    static const char *const words[] = {[COND_AND] = "and", [COND_OR] = "or", [COND_NOT] = "not"};
    bool test = cond->kind == COND_TEST;
    struct str name = str_of(test ? dsl_op_info(cond->op)->name : words[cond->kind]);
    uint32_t n = test ? 1 + cond->values_len : cond->items_len;
    struct plan_expr *call = plan_call(plan, name, n);
    if (call->args_len != n)
        return call;
    if (test)
        call->args[0] = path_expr(plan, cond->left);
    for (uint32_t i = test; i < n; i++)
        call->args[i] =
            test ? value_expr(plan, &cond->values[i - 1]) : cond_expr(plan, cond->items[i]);
    return call;
}

static struct plan_node *add_filter(struct plan *plan, struct plan_node *node,
                                    const struct dsl_cond *cond)
{
    if (!cond)
        return node;
    node = plan_add(plan, PLAN_FILTER, node);
    plan_push_conjuncts(plan, &node->conditions, cond_expr(plan, cond));
    return node;
}

/* --- sources --- */

static struct plan_node *add_scan(struct plan *plan, struct str source, struct str alias)
{
    struct plan_node *scan = plan_add(plan, PLAN_SCAN, NULL);
    scan->source = source;
    scan->alias = alias;
    return scan;
}

static struct plan_node *add_table(struct plan *plan, const struct dsl_table *table)
{
    struct str alias = table->aliased || table->matches_len > 1 ? table->alias : STR_NONE;
    if (table->matches_len < 2)
        return add_scan(plan, table->matches_len ? table->matches[0]->name : table->name, alias);
    struct plan_node *node = add_scan(plan, table->matches[0]->name, STR_NONE);
    for (uint32_t i = 1; i < table->matches_len; i++) {
        node = plan_add(plan, PLAN_SET, node);
        node->right = add_scan(plan, table->matches[i]->name, STR_NONE);
        node->kind = STR("union all");
        node->alias = alias;
    }
    return node;
}

static struct plan_node *add_tables(struct plan *plan, const struct dsl_query *q)
{
    struct plan_node *node = add_table(plan, &q->tables[0]);
    for (uint32_t i = 1; i < q->tables_len; i++) {
        node = plan_add(plan, PLAN_JOIN, node);
        node->right = add_table(plan, &q->tables[i]);
        node->kind = str_of(dsl_join_name(q->tables[i].join));
        if (q->tables[i].on)
            plan_push_conjuncts(plan, &node->conditions, cond_expr(plan, q->tables[i].on));
    }
    return node;
}

/* --- outputs --- */

static struct plan_expr *group_expr(struct plan *plan, const struct dsl_output *output)
{
    struct plan_expr *path = path_expr(plan, output->path);
    if (output->bucket == BUCKET_NONE)
        return path;
    struct plan_expr *call = plan_call(plan, STR("bucket"), 2);
    if (call->args_len < 2)
        return call;
    call->args[0] = path;
    const char *unit = output->bucket == BUCKET_WIDTH ? NULL : dsl_bucket_name(output->bucket);
    const char *text = unit ? arena_printf(plan->arena, "\"%s\"", unit) : NULL;
    call->args[1] = plan_value(plan, text   ? str_of(text)
                                     : unit ? STR("null")
                                            : json_text(plan, output->width));
    return call;
}

static struct plan_expr *function_expr(struct plan *plan, const struct dsl_output *output)
{
    struct str name = output->function_name;
    if (output->distinct) {
        const char *text = arena_printf(plan->arena, "%.*s_distinct", STR_ARG(name));
        name = text ? str_of(text) : name;
    }
    uint32_t n = output->path || output->kind == OUTPUT_AGGREGATE ? 1 : 0;
    struct plan_expr *call = plan_call(plan, name, n + (output->where != NULL));
    if (call->args_len < n)
        return call;
    if (n)
        call->args[0] = output->path ? path_expr(plan, output->path) : plan_star(plan);
    if (output->where && call->args_len > n)
        call->args[n] = cond_expr(plan, output->where);
    return call;
}

static struct plan_item item_of(struct plan *plan, const struct dsl_output *output)
{
    struct plan_item item = {.alias = output->alias};
    if (output->kind == OUTPUT_EXPR)
        item.expr = value_expr(plan, output->expr);
    else if (output->kind == OUTPUT_GROUP)
        item.expr = group_expr(plan, output);
    else
        item.expr = function_expr(plan, output);
    return item;
}

static struct plan_node *add_aggregate(struct plan *plan, const struct dsl_query *q,
                                       struct plan_node *node)
{
    node = plan_add(plan, PLAN_AGGREGATE, node);
    for (uint32_t i = 0; i < q->outputs_len; i++)
        plan_push_item(plan, q->outputs[i].kind == OUTPUT_GROUP ? &node->groups : &node->items,
                       item_of(plan, &q->outputs[i]));
    return add_filter(plan, node, q->having);
}

static struct plan_node *add_windows(struct plan *plan, const struct dsl_query *q,
                                     struct plan_node *node)
{
    struct plan_node *window = NULL;
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        const struct dsl_output *output = &q->outputs[i];
        if (output->kind != OUTPUT_WINDOW)
            continue;
        if (!window)
            window = plan_add(plan, PLAN_WINDOW, node);
        struct plan_item item = item_of(plan, output);
        uint32_t n = item.expr->args_len, k = n;
        struct plan_expr *over =
            plan_call(plan, item.expr->name, n + output->partition_len + output->order_len);
        if (over->args_len >= n && n)
            memcpy(over->args, item.expr->args, n * sizeof *over->args);
        for (uint32_t p = 0; k < over->args_len && p < output->partition_len; p++)
            over->args[k++] = path_expr(plan, output->partition[p]);
        for (uint32_t p = 0; k < over->args_len && p < output->order_len; p++)
            over->args[k++] = path_expr(plan, output->order[p].path);
        item.expr = over;
        plan_push_item(plan, &window->items, item);
    }
    return add_filter(plan, window ? window : node, q->qualify);
}

static struct plan_node *add_project(struct plan *plan, const struct dsl_query *q,
                                     struct plan_node *node)
{
    if (q->aggregate || (q->star && q->outputs_len == 0))
        return node;
    node = plan_add(plan, PLAN_PROJECT, node);
    if (q->star)
        plan_push_item(plan, &node->items, (struct plan_item){.expr = plan_star(plan)});
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        const struct dsl_output *output = &q->outputs[i];
        struct plan_item item = {.alias = output->alias};
        item.expr = output->kind == OUTPUT_WINDOW ? plan_column(plan, STR_NONE, output->alias)
                                                  : value_expr(plan, output->expr);
        plan_push_item(plan, &node->items, item);
    }
    return node;
}

/* What an order_by names: a column of the answer stands for its expression where that is one. */
static struct plan_expr *order_expr(struct plan *plan, const struct dsl_path *path)
{
    const struct dsl_output *output = path->output;
    if (output && output->kind == OUTPUT_EXPR)
        return value_expr(plan, output->expr);
    return path_expr(plan, path);
}

static struct plan_node *add_order(struct plan *plan, const struct dsl_query *q,
                                   struct plan_node *node)
{
    if (q->order_len == 0)
        return node;
    node = plan_add(plan, PLAN_SORT, node);
    for (uint32_t i = 0; i < q->order_len; i++)
        plan_push_item(plan, &node->items,
                       (struct plan_item){.expr = order_expr(plan, q->order[i].path),
                                          .descending = q->order[i].descending,
                                          .nulls_first = q->order[i].nulls_first});
    return node;
}

enum status dsl_to_plan(const struct dsl_query *q, struct plan *plan, struct error *err)
{
    struct plan_node *node = add_filter(plan, add_tables(plan, q), q->where);
    node = q->aggregate ? add_aggregate(plan, q, node) : add_windows(plan, q, node);
    if (q->distinct) { /* before the order, which then names selected columns only */
        node = plan_add(plan, PLAN_DISTINCT, add_project(plan, q, node));
        node = add_order(plan, q, node);
    } else {
        node = add_project(plan, q, add_order(plan, q, node));
    }
    plan->root = plan_add(plan, PLAN_LIMIT, node);
    plan->root->limit = q->limit;
    plan->root->offset = q->offset;
    return plan->failed ? error_no_memory(err) : STATUS_OK;
}

/* from_sql.c: the tree of query/lang, as JSON, to a plan. The JSON came over the wire, so nothing
 * of its shape is believed: what is not understood becomes a call of its kind or an error. */
#include "query/plan/plan.h"

struct maker {
    struct plan *plan;
    struct error *err;
    int depth;
};

static struct str kind_of(yyjson_val *node)
{
    return json_str_of(json_get(node, "kind"));
}

static struct str text_of(yyjson_val *node)
{
    return json_str_of(json_get(node, "text"));
}

static bool is_kind(yyjson_val *node, const char *kind)
{
    struct str have = kind_of(node);
    return have.data && str_is(have, kind);
}

static bool has_flag(yyjson_val *node, const char *flag)
{
    yyjson_val *flags = json_get(node, "flags"), *item;
    size_t i, max;
    yyjson_arr_foreach(flags, i, max, item)
    {
        if (yyjson_is_str(item) && str_eq_nocase(json_str_of(item), str_of(flag)))
            return true;
    }
    return false;
}

static struct str lower(struct maker *m, struct str text)
{
    struct str copy = arena_str(m->plan->arena, text.data ? text : STR(""));
    for (size_t i = 0; copy.data && i < copy.len; i++) {
        char *c = (char *)(uintptr_t)copy.data + i;
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    }
    return copy.data ? copy : STR("");
}

static struct plan_expr *make_expr(struct maker *m, yyjson_val *node);

/* --- expressions --- */

static struct plan_expr *make_column(struct maker *m, yyjson_val *node)
{
    yyjson_val *parts = json_get(node, "parts");
    size_t n = yyjson_arr_size(parts);
    struct str name = text_of(yyjson_arr_get_last(parts));
    struct str table = n > 1 ? text_of(yyjson_arr_get(parts, n - 2)) : STR_NONE;
    return plan_column(m->plan, table, name.data ? name : STR("?"));
}

static struct plan_expr *make_string(struct maker *m, struct str text)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 8 << 20);
    json_writer_init(&w, &buf);
    json_string(&w, text.data ? text : STR(""));
    struct str json = arena_str(m->plan->arena, buf_str(&buf));
    m->plan->failed = m->plan->failed || buf_failed(&buf) || !json.data;
    buf_release(&buf);
    return plan_value(m->plan, json.data ? json : STR("null"));
}

/* A number's text may be SQL's and not JSON's: then it goes as text. */
static struct plan_expr *make_number(struct maker *m, struct str text)
{
    int64_t whole;
    bool json = str_to_int64(text, &whole);
    for (size_t i = 0; i < text.len && !json; i++)
        if (text.data[i] == '.' && i > 0 && i + 1 < text.len)
            json = true;
    for (size_t i = 0; i < text.len && json; i++)
        json = (text.data[i] >= '0' && text.data[i] <= '9') || text.data[i] == '.' ||
               (text.data[i] == '-' && i == 0);
    return json ? plan_value(m->plan, text) : make_string(m, text);
}

static struct plan_expr *make_call1(struct maker *m, const char *name, yyjson_val *arg)
{
    struct plan_expr *call = plan_call(m->plan, str_of(name), 1);
    if (call->args_len)
        call->args[0] = make_expr(m, arg);
    return call;
}

static struct plan_expr *negated(struct maker *m, yyjson_val *node, struct plan_expr *expr)
{
    if (!has_flag(node, "not"))
        return expr;
    struct plan_expr *call = plan_call(m->plan, STR("not"), 1);
    if (call->args_len)
        call->args[0] = expr;
    return call;
}

static struct plan_expr *make_binary(struct maker *m, yyjson_val *node)
{
    static const struct {
        const char *sign, *name;
    } names[] = {{"=", "eq"},       {"==", "eq"},    {"<>", "ne"}, {"!=", "ne"},
                 {"<", "lt"},       {"<=", "lte"},   {">", "gt"},  {">=", "gte"},
                 {"AND", "and"},    {"OR", "or"},    {"+", "add"}, {"-", "subtract"},
                 {"*", "multiply"}, {"/", "divide"}, {"%", "mod"}, {"<=>", "is_not_distinct"}};
    struct str sign = text_of(node);
    struct str name = lower(m, sign);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sign.data && str_eq_nocase(sign, str_of(names[i].sign)))
            name = str_of(names[i].name);
    struct plan_expr *call = plan_call(m->plan, name, 2);
    if (call->args_len == 2) {
        call->args[0] = make_expr(m, json_get(node, "left"));
        call->args[1] = make_expr(m, json_get(node, "right"));
    }
    return call;
}

/* The node's slots that hold expressions, in the order in which they stand. */
static struct plan_expr *make_generic(struct maker *m, yyjson_val *node, struct str name)
{
    struct plan_exprs args = {0};
    size_t i, max, k, most;
    yyjson_val *key, *value, *item;
    yyjson_obj_foreach(node, i, max, key, value)
    {
        if (yyjson_is_obj(value))
            plan_push_expr(m->plan, &args, make_expr(m, value));
        yyjson_arr_foreach(value, k, most, item)
        {
            if (yyjson_is_obj(item))
                plan_push_expr(m->plan, &args, make_expr(m, item));
        }
    }
    struct plan_expr *call = plan_call(m->plan, name, args.len);
    if (call->args_len)
        memcpy(call->args, args.items, args.len * sizeof *args.items);
    return call;
}

static struct plan_expr *make_list(struct maker *m, const char *name, yyjson_val *operand,
                                   yyjson_val *items)
{
    yyjson_val *item;
    size_t i, max, n = yyjson_arr_size(items);
    struct plan_expr *call = plan_call(m->plan, str_of(name), (uint32_t)n + 1);
    if (call->args_len != n + 1)
        return call;
    call->args[0] = make_expr(m, operand);
    yyjson_arr_foreach(items, i, max, item)
    {
        call->args[i + 1] = make_expr(m, item);
    }
    return call;
}

static struct plan_expr *make_is(struct maker *m, yyjson_val *node)
{
    struct str what = text_of(node);
    yyjson_val *operand = json_get(node, "operand");
    if (what.data && str_is(what, "NULL"))
        return make_call1(m, has_flag(node, "not") ? "is_not_null" : "is_null", operand);
    struct plan_expr *call = make_generic(m, node, lower(m, what));
    if (what.data && str_is(what, "DISTINCT FROM"))
        call->name = STR("is_distinct");
    return negated(m, node, call);
}

static struct plan_expr *make_between(struct maker *m, yyjson_val *node)
{
    struct plan_expr *call = plan_call(m->plan, STR("between"), 3);
    if (call->args_len != 3)
        return call;
    call->args[0] = make_expr(m, json_get(node, "operand"));
    call->args[1] = make_expr(m, json_get(node, "low"));
    call->args[2] = make_expr(m, json_get(node, "high"));
    return negated(m, node, call);
}

static struct plan_expr *make_like(struct maker *m, yyjson_val *node)
{
    struct plan_expr *call = plan_call(m->plan, lower(m, text_of(node)), 2);
    if (call->args_len == 2) {
        call->args[0] = make_expr(m, json_get(node, "operand"));
        call->args[1] = make_expr(m, json_get(node, "pattern"));
    }
    return negated(m, node, call);
}

static struct plan_expr *make_function(struct maker *m, yyjson_val *node)
{
    yyjson_val *arguments = json_get(node, "arguments"), *item;
    size_t i, max, n = yyjson_arr_size(arguments);
    struct str name = lower(m, text_of(node));
    if (has_flag(node, "distinct")) {
        const char *text = arena_printf(m->plan->arena, "%.*s_distinct", STR_ARG(name));
        name = text ? str_of(text) : name;
    }
    struct plan_expr *call = plan_call(m->plan, name, (uint32_t)n);
    if (call->args_len != n)
        return call;
    yyjson_arr_foreach(arguments, i, max, item)
    {
        call->args[i] = make_expr(m, item);
    }
    return call;
}

static struct plan_expr *make_in(struct maker *m, yyjson_val *node)
{
    yyjson_val *in = json_get(node, "in");
    if (yyjson_is_arr(in))
        return negated(m, node, make_list(m, "in", json_get(node, "operand"), in));
    return negated(m, node, make_generic(m, node, STR("in_query")));
}

static struct plan_expr *make_known(struct maker *m, yyjson_val *node)
{
    struct str kind = kind_of(node);
    if (str_is(kind, "ref"))
        return make_column(m, node);
    if (str_is(kind, "ident"))
        return plan_column(m->plan, STR_NONE, text_of(node));
    if (str_is(kind, "star"))
        return plan_star(m->plan);
    if (str_is(kind, "number"))
        return make_number(m, text_of(node));
    if (str_is(kind, "string"))
        return make_string(m, text_of(node));
    if (str_is(kind, "null"))
        return plan_value(m->plan, STR("null"));
    if (str_is(kind, "bool"))
        return plan_value(m->plan,
                          str_eq_nocase(text_of(node), STR("true")) ? STR("true") : STR("false"));
    if (str_is(kind, "binary"))
        return make_binary(m, node);
    if (str_is(kind, "not"))
        return make_call1(m, "not", json_get(node, "operand"));
    if (str_is(kind, "between"))
        return make_between(m, node);
    if (str_is(kind, "in"))
        return make_in(m, node);
    if (str_is(kind, "like"))
        return make_like(m, node);
    if (str_is(kind, "is"))
        return make_is(m, node);
    if (str_is(kind, "call"))
        return make_function(m, node);
    if (str_is(kind, "alias"))
        return make_expr(m, json_get(node, "expression"));
    if (str_is(kind, "subquery") || str_is(kind, "exists"))
        return plan_call(m->plan, STR("subquery"), 0);
    return make_generic(m, node, kind);
}

static struct plan_expr *make_expr(struct maker *m, yyjson_val *node)
{
    struct plan_expr *expr;
    if (!kind_of(node).data || m->depth > PLAN_DEPTH_MAX)
        return plan_value(m->plan, STR("null"));
    m->depth++;
    expr = make_known(m, node);
    m->depth--;
    return expr;
}

/* --- tables --- */

static enum status make_query(struct maker *m, yyjson_val *node, struct plan_node **ret);
static enum status make_from(struct maker *m, yyjson_val *node, struct plan_node **ret);

static struct str alias_of(yyjson_val *node)
{
    yyjson_val *alias = json_get(node, "alias");
    return yyjson_is_str(alias) ? json_str_of(alias) : text_of(alias);
}

static enum status make_scan(struct maker *m, yyjson_val *node, struct plan_node **ret)
{
    yyjson_val *name = json_get(node, "name"), *parts = json_get(name, "parts");
    struct str source = parts ? text_of(yyjson_arr_get_last(parts)) : text_of(name);
    if (!source.data)
        return error_set(m->err, STATUS_INVALID_ARGUMENT, "parsed_query: a table has no name");
    *ret = plan_add(m->plan, PLAN_SCAN, NULL);
    if (*ret) {
        (*ret)->source = source;
        (*ret)->alias = alias_of(node);
    }
    return STATUS_OK;
}

static enum status make_join(struct maker *m, yyjson_val *node, struct plan_node **ret)
{
    static const char *const sides[] = {"left", "right", "full", "semi", "anti", "cross"};
    struct plan_node *left = NULL, *right = NULL;
    struct str text = lower(m, text_of(node));
    TRY(make_from(m, json_get(node, "left"), &left));
    TRY(make_from(m, json_get(node, "right"), &right));
    struct plan_node *join = plan_add(m->plan, PLAN_JOIN, left);
    yyjson_val *on = json_get(node, "on");
    if (!join)
        return error_no_memory(m->err);
    join->right = right;
    join->kind = STR("inner");
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        if (text.len && memmem(text.data, text.len, sides[i], strlen(sides[i])))
            join->kind = str_of(sides[i]);
    if (text.len == 1) /* a comma */
        join->kind = STR("cross");
    if (on)
        plan_push_conjuncts(m->plan, &join->conditions, make_expr(m, on));
    yyjson_val *column;
    size_t i, max;
    yyjson_arr_foreach(json_get(node, "using"), i, max, column)
    {
        plan_push_expr(m->plan, &join->conditions, make_call1(m, "using", column));
    }
    *ret = join;
    return STATUS_OK;
}

static enum status make_list_from(struct maker *m, yyjson_val *items, struct plan_node **ret)
{
    size_t i, max;
    yyjson_val *item;
    *ret = NULL;
    yyjson_arr_foreach(items, i, max, item)
    {
        struct plan_node *one = NULL, *join;
        TRY(make_from(m, item, &one));
        if (!*ret) {
            *ret = one;
            continue;
        }
        join = plan_add(m->plan, PLAN_JOIN, *ret);
        if (!join)
            return error_no_memory(m->err);
        join->right = one;
        join->kind = STR("cross");
        *ret = join;
    }
    return STATUS_OK;
}

static enum status make_from_known(struct maker *m, yyjson_val *node, struct plan_node **ret)
{
    struct str kind = kind_of(node);
    if (str_is(kind, "table"))
        return make_scan(m, node, ret);
    if (str_is(kind, "join"))
        return make_join(m, node, ret);
    if (str_is(kind, "table_joined"))
        return make_from(m, json_get(node, "join"), ret);
    if (str_is(kind, "table_query")) {
        TRY(make_query(m, json_get(node, "query"), ret));
        struct plan_node *named = plan_add(m->plan, PLAN_PROJECT, *ret);
        if (!named)
            return error_no_memory(m->err);
        plan_push_item(m->plan, &named->items, (struct plan_item){.expr = plan_star(m->plan)});
        named->alias = alias_of(node);
        *ret = named;
        return STATUS_OK;
    }
    return error_set(m->err, STATUS_NOT_IMPLEMENTED, "there is no plan for \"%.*s\" in FROM yet",
                     kind.len < 60 ? (int)kind.len : 60, kind.data);
}

static enum status make_from(struct maker *m, yyjson_val *node, struct plan_node **ret)
{
    *ret = NULL;
    if (yyjson_is_arr(node))
        return make_list_from(m, node, ret);
    if (!kind_of(node).data)
        return error_set(m->err, STATUS_INVALID_ARGUMENT, "parsed_query: a node without a kind");
    if (m->depth > PLAN_DEPTH_MAX)
        return error_set(m->err, STATUS_RESOURCE_LIMIT, "the query is nested too deeply");
    m->depth++;
    enum status status = make_from_known(m, node, ret);
    m->depth--;
    return status;
}

/* --- a SELECT, from its tables outwards --- */

static const char *const aggregate_names[] = {"count",
                                              "sum",
                                              "avg",
                                              "min",
                                              "max",
                                              "stddev",
                                              "stddev_samp",
                                              "stddev_pop",
                                              "variance",
                                              "var_samp",
                                              "var_pop",
                                              "median",
                                              "string_agg",
                                              "group_concat",
                                              "array_agg",
                                              "any_value",
                                              "bool_and",
                                              "bool_or",
                                              "count_distinct",
                                              "sum_distinct",
                                              "avg_distinct",
                                              "approx_count_distinct",
                                              "quantile_cont",
                                              "percentile_cont",
                                              "first",
                                              "last"};

static bool is_aggregate(const struct plan_expr *expr)
{
    for (size_t i = 0; i < sizeof aggregate_names / sizeof *aggregate_names; i++)
        if (expr->kind == PLAN_CALL && str_is(expr->name, aggregate_names[i]))
            return true;
    return false;
}

static void find_aggregates(struct maker *m, struct plan_items *list, struct plan_expr *expr,
                            struct str alias)
{
    if (is_aggregate(expr)) {
        for (uint32_t i = 0; i < list->len; i++)
            if (plan_expr_equal(list->items[i].expr, expr))
                return;
        plan_push_item(m->plan, list, (struct plan_item){.expr = expr, .alias = alias});
        return;
    }
    for (uint32_t i = 0; i < expr->args_len; i++)
        find_aggregates(m, list, expr->args[i], STR_NONE);
}

static void make_items(struct maker *m, yyjson_val *list, struct plan_items *ret)
{
    yyjson_val *item;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, item)
    {
        bool order = is_kind(item, "order");
        struct plan_item one = {
            .expr = make_expr(m, order ? json_get(item, "expression") : item),
            .alias = is_kind(item, "alias") ? text_of(item) : STR_NONE,
            .descending = order && has_flag(item, "desc"),
            .nulls_first = order && has_flag(item, "nulls_first"),
        };
        plan_push_item(m->plan, ret, one);
    }
}

static struct plan_node *add_filter(struct maker *m, struct plan_node *node, yyjson_val *cond)
{
    if (!kind_of(cond).data || !node)
        return node;
    node = plan_add(m->plan, PLAN_FILTER, node);
    plan_push_conjuncts(m->plan, &node->conditions, make_expr(m, cond));
    return node;
}

static struct plan_node *add_aggregate(struct maker *m, yyjson_val *select, struct plan_node *node,
                                       const struct plan_items *items)
{
    struct plan_items functions = {0}, groups = {0}, keys = {0};
    make_items(m, json_get(select, "group"), &groups);
    make_items(m, json_get(select, "order"), &keys);
    for (uint32_t i = 0; i < items->len; i++)
        find_aggregates(m, &functions, items->items[i].expr, items->items[i].alias);
    if (kind_of(json_get(select, "having")).data)
        find_aggregates(m, &functions, make_expr(m, json_get(select, "having")), STR_NONE);
    if (functions.len == 0 && groups.len == 0)
        return node;
    node = plan_add(m->plan, PLAN_AGGREGATE, node);
    node->items = functions;
    node->groups = groups;
    return add_filter(m, node, json_get(select, "having"));
}

static int64_t number_at(yyjson_val *node, int64_t fallback)
{
    int64_t value;
    return is_kind(node, "number") && str_to_int64(text_of(node), &value) && value >= 0 ? value
                                                                                        : fallback;
}

/* ORDER BY and LIMIT, which all kinds of query have. */
static struct plan_node *add_tail(struct maker *m, yyjson_val *query, struct plan_node *node)
{
    struct plan_items keys = {0};
    make_items(m, json_get(query, "order"), &keys);
    if (keys.len) {
        node = plan_add(m->plan, PLAN_SORT, node);
        node->items = keys;
    }
    int64_t limit = number_at(json_get(query, "limit"), -1);
    int64_t offset = number_at(json_get(query, "offset"), 0);
    if (limit < 0 && offset == 0)
        return node;
    node = plan_add(m->plan, PLAN_LIMIT, node);
    node->limit = limit;
    node->offset = offset;
    return node;
}

static bool only_star(const struct plan_items *items)
{
    return items->len == 1 && items->items[0].expr->kind == PLAN_STAR;
}

static enum status make_select(struct maker *m, yyjson_val *select, struct plan_node **ret)
{
    struct plan_node *node = NULL;
    struct plan_items items = {0};
    if (json_get(select, "from"))
        TRY(make_from(m, json_get(select, "from"), &node));
    if (!node)
        node = plan_add(m->plan, PLAN_EMPTY, NULL);
    node = add_filter(m, node, json_get(select, "where"));
    make_items(m, json_get(select, "items"), &items);
    node = add_aggregate(m, select, node, &items);
    node = add_filter(m, node, json_get(select, "qualify"));
    struct plan_node *project = NULL;
    node = add_tail(m, select, node);
    if (!only_star(&items)) {
        project = plan_add(m->plan, PLAN_PROJECT, node);
        project->items = items;
        node = project;
    }
    if (has_flag(select, "distinct"))
        node = plan_add(m->plan, PLAN_DISTINCT, node);
    *ret = node;
    return m->plan->failed ? error_no_memory(m->err) : STATUS_OK;
}

static enum status make_query(struct maker *m, yyjson_val *node, struct plan_node **ret)
{
    struct str kind = kind_of(node);
    struct plan_node *right = NULL;
    if (m->depth > PLAN_DEPTH_MAX)
        return error_set(m->err, STATUS_RESOURCE_LIMIT, "the query is nested too deeply");
    if (kind.data && str_is(kind, "select"))
        return make_select(m, node, ret);
    if (kind.data && (str_is(kind, "subquery") || str_is(kind, "table_query")))
        return make_query(m, json_get(node, "query"), ret);
    if (!kind.data || !str_is(kind, "set_operation"))
        return error_set(m->err, STATUS_INVALID_ARGUMENT,
                         "parsed_query is no query: its kind is \"%.*s\"",
                         kind.len < 60 ? (int)kind.len : 60, kind.data ? kind.data : "");
    m->depth++;
    TRY(make_query(m, json_get(node, "left"), ret));
    TRY(make_query(m, json_get(node, "right"), &right));
    m->depth--;
    struct plan_node *set = plan_add(m->plan, PLAN_SET, *ret);
    if (!set)
        return error_no_memory(m->err);
    set->right = right;
    set->kind = lower(m, text_of(node));
    *ret = add_tail(m, node, set);
    return STATUS_OK;
}

enum status plan_of_sql(struct plan *plan, yyjson_val *tree, struct error *err)
{
    struct maker m = {plan, err, 0};
    TRY(make_query(&m, tree, &plan->root));
    return plan->failed ? error_no_memory(err) : STATUS_OK;
}

/* analyze_facts.c: what expressions say: functions, parameters, aggregates, filters. */
#include "query/lang/analyze_int.h"
#include "query/lang/functions.h"

/* ---- functions, parameters ---- */

static void add_function(struct analyzer *a, struct str name)
{
    char *lower = arena_alloc(a->arena, name.len + 1);
    if (!lower) {
        a->failed = true;
        return;
    }
    for (size_t i = 0; i < name.len; i++)
        lower[i] =
            (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
    struct str text = str_make(lower, name.len);
    for (size_t i = 0; i < a->ret->function_count; i++) {
        if (str_eq(a->ret->functions[i], text))
            return;
    }
    ANALYZE_PUSH(a, a->ret->functions, a->ret->function_count, a->function_cap, text);
}

static bool is_aggregate(const struct node *node)
{
    static const char *const others[] = {
        "group_concat", "uniq", "uniqexact",     "grouparray",   "countif",     "sumif",
        "avgif",        "std",  "json_arrayagg", "collect_list", "collect_set", "array_agg"};
    if (!node_is(node, N_CALL) || node->kids[CALL_OVER])
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (str_eq_nocase(node->text, str_of(others[i])))
            return true;
    }
    return function_is_aggregate(node->text);
}

bool analyze_has_aggregate(const struct node *node)
{
    if (!node || node_is_query(node) || node->kind == N_SUBQUERY)
        return false;
    if (is_aggregate(node))
        return true;
    for (size_t i = 0; i < node->count; i++) {
        if (analyze_has_aggregate(node->kids[i]))
            return true;
    }
    return false;
}

void analyze_add_aggregates(struct analyzer *a, const struct node *node, struct str alias)
{
    if (!node || node_is_query(node))
        return;
    if (is_aggregate(node)) {
        const struct node *args = node->kids[CALL_ARGS];
        struct lang_aggregate item = {.alias = alias,
                                      .distinct = (node->flags & NODE_DISTINCT) != 0};
        char *lower = arena_alloc(a->arena, node->text.len + 1);
        if (!lower) {
            a->failed = true;
            return;
        }
        for (size_t i = 0; i < node->text.len; i++)
            lower[i] = (char)(node->text.data[i] >= 'A' && node->text.data[i] <= 'Z'
                                  ? node->text.data[i] + 32
                                  : node->text.data[i]);
        item.function = str_make(lower, node->text.len);
        item.column = list_count(args) ? analyze_text_of(a, args->kids[0]) : STR("*");
        ANALYZE_PUSH(a, a->ret->aggregates, a->ret->aggregate_count, a->aggregate_cap, item);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        analyze_add_aggregates(a, node->kids[i], node->kind == N_ALIAS ? node->text : alias);
}

void analyze_walk(struct analyzer *a, const struct node *node, struct scope *scope)
{
    if (!node || a->failed)
        return;
    switch (node->kind) {
    case N_REF:
        analyze_walk_ref(a, node, scope);
        return;
    case N_STAR:
        analyze_walk_star(a, node, scope);
        return;
    case N_PARAM:
        ANALYZE_PUSH(a, a->ret->parameters, a->ret->parameter_count, a->parameter_cap, node->text);
        return;
    case N_SELECT:
    case N_SETOP:
    case N_VALUES: {
        struct columns *sink = a->sink;
        struct columns inner = {0};
        a->sink = &inner;
        const struct outputs *outputs = analyze_walk_query(a, node, scope, false);
        a->sink = sink;
        for (size_t i = 0; outputs && sink && i < outputs->count; i++)
            analyze_add_output(a, &outputs->items[i]);
        return;
    }
    case N_LAMBDA:
        analyze_walk(a, node->kids[1], scope);
        return;
    case N_CALL:
        add_function(a, node->text);
        break;
    case N_TYPE:
        return;
    default:
        break;
    }
    bool star = node->kind == N_CALL && list_count(node->kids[CALL_ARGS]) == 1 &&
                node->kids[CALL_ARGS]->kids[0]->kind == N_STAR &&
                !node->kids[CALL_ARGS]->kids[0]->kids[0];
    for (size_t i = star ? 1 : 0; i < node->count; i++)
        analyze_walk(a, node->kids[i], scope);
}

/* ---- filters ---- */

static const char *filter_op(const struct node *node)
{
    static const char *const ops[][2] = {{"=", "eq"},
                                         {"<>", "ne"},
                                         {">", "gt"},
                                         {">=", "gte"},
                                         {"<", "lt"},
                                         {"<=", "lte"},
                                         {"<=>", "is_not_distinct"}};
    bool negated = node->flags & NODE_NOT;
    switch (node->kind) {
    case N_BINARY:
        for (size_t i = 0; i < 7; i++) {
            if (str_is(node->text, ops[i][0]))
                return ops[i][1];
        }
        return NULL;
    case N_IN:
        return negated ? "not_in" : "in";
    case N_BETWEEN:
        return negated ? "not_between" : "between";
    case N_LIKE:
        return str_is(node->text, "ILIKE")   ? (negated ? "not_ilike" : "ilike")
               : str_is(node->text, "RLIKE") ? "regex"
               : negated                     ? "not_like"
                                             : "like";
    case N_IS:
        if (str_is(node->text, "NULL"))
            return negated ? "is_not_null" : "is_null";
        return str_is(node->text, "DISTINCT FROM") ? (negated ? "is_not_distinct" : "is_distinct")
                                                   : NULL;
    default:
        return NULL;
    }
}

static const char *turned(const char *op)
{
    static const char *const pairs[][2] = {
        {"gt", "lt"}, {"gte", "lte"}, {"lt", "gt"}, {"lte", "gte"}};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(op, pairs[i][0]) == 0)
            return pairs[i][1];
    }
    return op;
}

static struct str value_text(struct analyzer *a, const struct node *value)
{
    if (value && (value->kind == N_STRING || value->kind == N_NUMBER))
        return value->text;
    return analyze_text_of(a, value);
}

void analyze_add_filters(struct analyzer *a, const struct node *condition, struct scope *scope)
{
    if (!condition || a->failed)
        return;
    if (condition->kind == N_BINARY && str_is(condition->text, "AND")) {
        analyze_add_filters(a, condition->kids[0], scope);
        analyze_add_filters(a, condition->kids[1], scope);
        return;
    }
    const char *op = filter_op(condition);
    const struct node *left = kid(condition, 0), *right = kid(condition, 1);
    if (op && condition->kind == N_BINARY && !node_is(left, N_REF) && node_is(right, N_REF)) {
        const struct node *other = left;
        left = right;
        right = other;
        op = turned(op);
    }
    if (!op || !node_is(left, N_REF))
        return;
    struct lang_filter filter = {.op = op, .value = value_text(a, right)};
    if (condition->kind == N_BETWEEN) {
        const char *both =
            arena_printf(a->arena, "%.*s AND %.*s", STR_ARG(analyze_text_of(a, kid(condition, 1))),
                         STR_ARG(analyze_text_of(a, kid(condition, 2))));
        filter.value = str_of(both ? both : "");
    }
    struct columns found = {0}, *sink = a->sink;
    a->sink = &found;
    analyze_walk_ref(a, left, scope);
    a->sink = sink;
    filter.column = found.count ? found.items[0]
                                : (struct lang_column){.table = STR(""),
                                                       .name = analyze_last_part(left),
                                                       .offset = left->offset};
    ANALYZE_PUSH(a, a->ret->filters, a->ret->filter_count, a->filter_cap, filter);
}

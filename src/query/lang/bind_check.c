/* bind_check.c: the rules: types that do not meet, calls, aggregates, groups, windows. */
#include <stdio.h>

#include "query/lang/bind_int.h"
#include "query/lang/functions.h"

enum { GROUPS_MAX = 256 }; /* of a query whose groups are checked */

/* ---- types ---- */

/* Dialects that compare only what is alike; the others convert. */
static bool is_strict(enum lang_dialect id)
{
    return id == LANG_POSTGRES || id == LANG_REDSHIFT || id == LANG_PRESTO || id == LANG_TRINO ||
           id == LANG_BIGQUERY || id == LANG_CLICKHOUSE;
}

static bool is_time(uint8_t type)
{
    return type == TY_DATE || type == TY_TIMESTAMP || type == TY_TIMESTAMPTZ;
}

static const char *type_word(uint8_t type)
{
    return type_is_number(type) ? "a number"
           : type == TY_TEXT    ? "text"
           : type == TY_BOOL    ? "a truth value"
           : is_time(type)      ? "a date or time"
                                : "this";
}

/* A string in quotes takes the type of the other side. */
static bool is_literal(const struct node *node)
{
    return node_is(node, N_STRING);
}

static bool looks_like_number(struct str text)
{
    double value;
    return str_to_double(str_trim(text), &value);
}

static void mismatch(struct binder *b, const struct node *left, uint8_t x, const struct node *right,
                     uint8_t y)
{
    const struct node *at = node_is(right, N_REF) && !node_is(left, N_REF) ? right : left;
    struct str name = node_is(at, N_REF) && at->count ? at->kids[at->count - 1]->text : STR("");
    bind_problem(b, LANG_TYPE_MISMATCH, at->offset, name,
                 "%s is compared with %s; %s does not convert them: add a CAST", type_word(x),
                 type_word(y), lang_dialect_name(b->id));
}

void bind_check_comparison(struct binder *b, const struct node *left, uint8_t x,
                           const struct node *right, uint8_t y)
{
    if (!is_strict(b->id) || !left || !right)
        return;
    if (is_literal(left) || is_literal(right)) {
        const struct node *text = is_literal(left) ? left : right;
        uint8_t other = is_literal(left) ? y : x;
        if (type_is_number(other) && !looks_like_number(text->text))
            mismatch(b, left, x, right, y);
        return;
    }
    bool text_number = (x == TY_TEXT && type_is_number(y)) || (y == TY_TEXT && type_is_number(x));
    bool time_number = (is_time(x) && type_is_number(y)) || (is_time(y) && type_is_number(x));
    if (text_number || (time_number && b->id != LANG_CLICKHOUSE))
        mismatch(b, left, x, right, y);
}

void bind_check_arithmetic(struct binder *b, const struct node *node, uint8_t left, uint8_t right)
{
    for (size_t i = 0; i < 2; i++) {
        const struct node *operand = node->kids[i];
        uint8_t type = i ? right : left, other = i ? left : right;
        if (type != TY_TEXT || !type_is_number(other) || is_literal(operand) ||
            (!is_strict(b->id) && b->id != LANG_DUCKDB))
            continue;
        bind_problem(b, LANG_TYPE_MISMATCH, operand->offset, node->text,
                     "'%.*s' needs numbers, this is text", STR_ARG(node->text));
    }
}

/* ---- calls ---- */

/* Functions that mean the same everywhere; -1: any number of arguments. */
static const struct {
    const char *name;
    int8_t min, max;
    bool number; /* the first argument must be one */
} plain[] = {
    {"abs", 1, 1, true},      {"avg", 1, 1, true},        {"ceil", 1, 2, true},
    {"ceiling", 1, 2, true},  {"coalesce", 1, -1, false}, {"concat", 0, -1, false},
    {"exp", 1, 1, true},      {"floor", 1, 2, true},      {"greatest", 1, -1, false},
    {"ifnull", 2, 2, false},  {"least", 1, -1, false},    {"length", 1, 2, false},
    {"ln", 1, 1, true},       {"lower", 1, 1, false},     {"nullif", 2, 2, false},
    {"replace", 2, 4, false}, {"round", 1, 3, true},      {"sign", 1, 1, true},
    {"sqrt", 1, 1, true},     {"substr", 2, 3, false},    {"substring", 2, 4, false},
    {"sum", 1, 1, true},      {"trim", 1, 3, false},      {"upper", 1, 2, false},
};

bool bind_is_plain_function(struct str name)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (str_eq_nocase(name, str_of(plain[i].name)))
            return true;
    }
    return false;
}

static void check_arguments(struct binder *b, const struct node *call, const uint8_t *types,
                            size_t count)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (!str_eq_nocase(call->text, str_of(plain[i].name)))
            continue;
        if (count < (size_t)plain[i].min || (plain[i].max >= 0 && count > (size_t)plain[i].max)) {
            bind_problem(b, LANG_WRONG_ARGUMENTS, call->offset, call->text,
                         "%.*s takes %d%s argument%s, %zu are given", STR_ARG(call->text),
                         plain[i].min, plain[i].max == plain[i].min ? "" : " or more",
                         plain[i].min == 1 && plain[i].max == 1 ? "" : "s", count);
            return;
        }
        const struct node *first = kid(call->kids[CALL_ARGS], 0);
        bool strict = is_strict(b->id) || b->id == LANG_DUCKDB;
        if (plain[i].number && strict && types[0] == TY_TEXT && !is_literal(first))
            bind_problem(b, LANG_TYPE_MISMATCH, first->offset, call->text,
                         "%.*s needs a number, this is text", STR_ARG(call->text));
    }
}

static bool is_windowed_only(struct str name)
{
    static const char *const names[] = {"row_number", "rank",         "dense_rank",
                                        "ntile",      "percent_rank", "cume_dist"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    }
    return false;
}

static const char *clause_name(enum bind_clause clause)
{
    return clause == BIND_WHERE ? "WHERE" : clause == BIND_GROUP ? "GROUP BY" : "HAVING";
}

void bind_check_call(struct binder *b, const struct node *call, const uint8_t *types, size_t count)
{
    struct str name = call->text;
    bool window = call->kids[CALL_OVER] != NULL;
    check_arguments(b, call, types, count);
    if (is_windowed_only(name) && !window && !call->kids[CALL_WITHIN])
        bind_problem(b, LANG_BAD_WINDOW, call->offset, name, "%.*s needs OVER (...)",
                     STR_ARG(name));
    bool rows_only = b->clause == BIND_WHERE || b->clause == BIND_GROUP;
    if (window && (rows_only || b->clause == BIND_HAVING))
        bind_problem(b, LANG_BAD_WINDOW, call->offset, name,
                     "a window function cannot stand in %s: use a sub-query or QUALIFY",
                     clause_name(b->clause));
    if (window || !bind_is_aggregate(call))
        return;
    if (rows_only && !b->inner)
        bind_problem(b, LANG_BAD_AGGREGATE, call->offset, name, "an aggregate cannot stand in %s%s",
                     clause_name(b->clause), b->clause == BIND_WHERE ? ": use HAVING" : "");
    if (b->aggregates > 0)
        bind_problem(b, LANG_BAD_AGGREGATE, call->offset, name,
                     "an aggregate cannot stand in another aggregate: use a sub-query");
}

/* ---- groups ---- */

bool bind_is_aggregate(const struct node *node)
{
    static const char *const others[] = {"group_concat", "json_arrayagg", "collect_list",
                                         "collect_set",  "countif",       "uniq",
                                         "uniqexact"};
    if (!node_is(node, N_CALL) || node->kids[CALL_OVER])
        return false;
    bool extreme = str_eq_nocase(node->text, STR("min")) || str_eq_nocase(node->text, STR("max"));
    if (extreme && list_count(node->kids[CALL_ARGS]) != 1) /* the greatest of several */
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (str_eq_nocase(node->text, str_of(others[i])))
            return true;
    }
    return function_is_aggregate(node->text) && !is_windowed_only(node->text);
}

bool bind_has_aggregate(const struct node *node)
{
    if (!node || node_is_query(node))
        return false;
    if (bind_is_aggregate(node))
        return true;
    for (size_t i = 0; i < node->count; i++) {
        if (bind_has_aggregate(node->kids[i]))
            return true;
    }
    return false;
}

struct groups {
    const struct node *items[GROUPS_MAX];
    size_t count;
    bool unknown; /* what is grouped by cannot be told */
};

static const struct node *without_alias(const struct node *item)
{
    return node_is(item, N_ALIAS) ? item->kids[0] : item;
}

/* 2 and n in GROUP BY are items of the select list. */
static const struct node *item_meant(const struct node *node, const struct node *items)
{
    int64_t number;
    if (node_is(node, N_NUMBER) && str_to_int64(node->text, &number) && number >= 1 &&
        (size_t)number <= list_count(items))
        return without_alias(items->kids[number - 1]);
    for (size_t i = 0; node_is(node, N_REF) && node->count == 1 && i < list_count(items); i++) {
        if (node_is(items->kids[i], N_ALIAS) &&
            str_eq_nocase(items->kids[i]->text, node->kids[0]->text))
            return items->kids[i]->kids[0];
    }
    return NULL;
}

static void collect(struct groups *groups, const struct node *node, const struct node *items)
{
    if (!node)
        return;
    if (node->kind == N_LIST || node->kind == N_GROUPING || node->kind == N_ROW) {
        for (size_t i = 0; i < node->count; i++)
            collect(groups, node->kids[i], items);
        return;
    }
    const struct node *meant = item_meant(node, items);
    if (groups->count + 2 > GROUPS_MAX || node_is(meant, N_STAR)) {
        groups->unknown = true;
        return;
    }
    groups->items[groups->count++] = node;
    if (meant)
        groups->items[groups->count++] = meant;
}

static bool same_ref(const struct node *a, const struct node *b)
{
    size_t n = a->count < b->count ? a->count : b->count;
    for (size_t i = 1; i <= n; i++) {
        if (!str_eq_nocase(a->kids[a->count - i]->text, b->kids[b->count - i]->text))
            return false;
    }
    return n > 0;
}

static bool same_expr(const struct node *a, const struct node *b)
{
    if (!a || !b)
        return a == b;
    if (a->kind != b->kind)
        return false;
    if (a->kind == N_REF)
        return same_ref(a, b);
    bool exact = a->kind == N_STRING;
    if (a->count != b->count ||
        !(exact ? str_eq(a->text, b->text) : str_eq_nocase(a->text, b->text)))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_expr(a->kids[i], b->kids[i]))
            return false;
    }
    return true;
}

static bool names_output(const struct bind_scope *scope, const struct node *node)
{
    return node_is(node, N_REF) && node->count == 1 &&
           bind_column(scope->outputs, node->kids[0]->text) != NULL;
}

/* `aliases`: names of the select list are fine. */
static void check_grouped(struct binder *b, const struct node *node, const struct groups *groups,
                          const struct bind_scope *scope, bool aliases)
{
    if (!node || node_is_query(node) || bind_is_aggregate(node) || node->kind == N_LAMBDA ||
        (aliases && names_output(scope, node)))
        return;
    for (size_t i = 0; i < groups->count; i++) {
        if (same_expr(node, groups->items[i]))
            return;
    }
    if (node->kind == N_REF) {
        struct str name = node->count ? node->kids[node->count - 1]->text : STR("");
        if (bind_is_own_column(scope, node))
            bind_problem(b, LANG_NOT_GROUPED, node->offset, name,
                         "'%.*s' must stand in GROUP BY or in an aggregate",
                         name.len < 100 ? (int)name.len : 100, name.data);
        return;
    }
    if (node->kind == N_CALL && !node->kids[CALL_OVER] && !bind_is_plain_function(node->text))
        return; /* perhaps an aggregate that we do not know */
    for (size_t i = node->kind == N_PAIR; i < node->count; i++)
        check_grouped(b, node->kids[i], groups, scope, aliases);
}

void bind_check_grouping(struct binder *b, const struct node *select,
                         const struct bind_scope *scope)
{
    const struct node *items = select->kids[SELECT_ITEMS], *group = select->kids[SELECT_GROUP];
    const struct node *order = select->kids[SLOT_ORDER], *having = select->kids[SELECT_HAVING];
    if (!group && !having && !bind_has_aggregate(items) && !bind_has_aggregate(order))
        return;
    if (b->id == LANG_SQLITE || (group && (group->flags & NODE_ALL)) || scope->open)
        return;
    struct groups groups = {.count = 0};
    collect(&groups, group, items);
    if (groups.unknown)
        return;
    for (size_t i = 0; i < list_count(items); i++) {
        if (items->kids[i]->kind != N_STAR)
            check_grouped(b, without_alias(items->kids[i]), &groups, scope, false);
    }
    check_grouped(b, having, &groups, scope, true);
    for (size_t i = 0; i < list_count(order); i++)
        check_grouped(b, order->kids[i]->kids[0], &groups, scope, true);
}

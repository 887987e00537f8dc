/* hooks_clickhouse.c: ClickHouse's functions that a template cannot say. */
#include <stdio.h>

#include "query/lang/hooks_int.h"

static struct node *chain(struct lower *l, const char *op, struct node **args, size_t count)
{
    struct node *sum = args[0];
    for (size_t i = 1; i < count; i++)
        sum = lower_binary(l, op, sum, args[i]);
    return sum;
}

static struct node *hook_and(struct lower *l, struct node *call, struct node **args, size_t count)
{
    (void)call;
    return chain(l, "AND", args, count);
}

static struct node *hook_or(struct lower *l, struct node *call, struct node **args, size_t count)
{
    (void)call;
    return chain(l, "OR", args, count);
}

/* multiIf(c1, v1, c2, v2, ..., else) */
static struct node *hook_multi_if(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    if (count % 2 == 0)
        return hook_refuse(l, call);
    struct node *whens = lower_node(l, N_LIST, "", count / 2, call),
                *pick = lower_node(l, N_CASE, "", 3, call);
    for (size_t i = 0; i + 1 < count && l->status == STATUS_OK; i += 2) {
        struct node *when = lower_node(l, N_WHEN, "", 2, call);
        if (l->status != STATUS_OK)
            return call;
        when->kids[0] = args[i];
        when->kids[1] = args[i + 1];
        whens->kids[i / 2] = when;
    }
    if (l->status != STATUS_OK)
        return call;
    pick->kids[1] = whens;
    pick->kids[2] = args[count - 1];
    lower_infer(l, pick);
    return pick;
}

/* Floats are rounded half to even, decimals half up; 2.5 is a float there. */
static struct node *hook_round_even(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    bool even = args[0]->kind == N_NUMBER || args[0]->type == TY_DOUBLE;
    return even ? TEMPLATE("round_even($1, 0)") : call;
}

static struct node *whole(struct lower *l, struct node *call, struct node **args, size_t count,
                          const char *text, const char *number)
{
    return args[0]->type == TY_TEXT ? TEMPLATE(text) : TEMPLATE(number);
}

static struct node *hook_to_int32(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    return whole(l, call, args, count, "CAST($1 AS INT)",
                 type_is_number(args[0]->type) && args[0]->type != TY_INT ? "CAST(trunc($1) AS INT)"
                                                                          : "CAST($1 AS INT)");
}

static struct node *hook_to_int64(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    return whole(l, call, args, count, "CAST($1 AS BIGINT)",
                 type_is_number(args[0]->type) && args[0]->type != TY_INT
                     ? "CAST(trunc($1) AS BIGINT)"
                     : "CAST($1 AS BIGINT)");
}

/* CAST(x, 'Int32'): only plain names of types are read from a text. */
static struct node *hook_cast_named(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    if (count != 2 || args[1]->kind != N_STRING)
        return hook_refuse(l, call);
    struct node *type = lower_text(l, N_TYPE, lower_upper(l, args[1]->text), call);
    if (l->status != STATUS_OK)
        return call;
    type->flags &= ~(uint32_t)NODE_LOWERED;
    type = lower_type(l, type);
    struct node *cast = lower_node(l, N_CAST, "", 3, call);
    if (l->status != STATUS_OK)
        return call;
    cast->kids[0] = args[0];
    cast->kids[1] = type;
    lower_infer(l, cast);
    return cast;
}

static struct node *hook_to_datetime(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    if (count == 2 && !(hook_is_literal(args[1]) && str_is(args[1]->text, "UTC")))
        return hook_refuse(l, call);
    if (args[0]->type == TY_INT)
        return TEMPLATE("make_timestamp($1 * 1000000)");
    return TEMPLATE("CAST($1 AS TIMESTAMP)");
}

/* length counts bytes of texts, items of arrays. */
static struct node *hook_ch_length(struct lower *l, struct node *call, struct node **args,
                                   size_t count)
{
    if (args[0]->type == TY_LIST || args[0]->type == TY_MAP)
        return TEMPLATE("len($1)");
    if (args[0]->type == TY_TEXT)
        return TEMPLATE("octet_length(encode($1))");
    return TEMPLATE("length($1)");
}

static struct node *hook_ch_reverse(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    return args[0]->type == TY_LIST ? TEMPLATE("list_reverse($1)") : TEMPLATE("reverse($1)");
}

static struct node *hook_ch_date_trunc(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    struct str unit = lower_unit(l, args[0]);
    bool date = str_is(unit, "YEAR") || str_is(unit, "QUARTER") || str_is(unit, "MONTH") ||
                str_is(unit, "WEEK");
    return date ? TEMPLATE("CAST(date_trunc(_unit($1), $2) AS DATE)")
                : TEMPLATE("date_trunc(_unit($1), $2)");
}

/* map(k1, v1, k2, v2) */
static struct node *hook_map_pairs(struct lower *l, struct node *call, struct node **args,
                                   size_t count)
{
    if (count % 2)
        return hook_refuse(l, call);
    struct node *map = lower_node(l, N_MAP, "", count / 2, call);
    for (size_t i = 0; i + 1 < count && l->status == STATUS_OK; i += 2) {
        struct node *pair = lower_node(l, N_PAIR, "", 2, call);
        if (l->status != STATUS_OK)
            return call;
        pair->kids[0] = args[i];
        pair->kids[1] = args[i + 1];
        map->kids[i / 2] = pair;
    }
    if (l->status == STATUS_OK)
        map->type = TY_MAP;
    return map;
}

/* quantile(0.9)(x), quantiles(0.5, 0.9)(x) */
static struct node *hook_quantile(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    struct node *levels = call->kids[CALL_PARAMETERS];
    struct node *half = lower_text(l, N_NUMBER, STR("0.5"), call);
    struct node *both[2] = {args[0], half};
    bool exact = str_eq_nocase(call->text, STR("quantileExact"));
    if (list_count(levels) > 1 || str_eq_nocase(call->text, STR("quantiles")))
        both[1] = levels ? lower_list_of(l, N_ARRAY, levels->kids, levels->count, call) : half;
    else if (levels)
        both[1] = levels->kids[0];
    (void)count;
    return lower_template(l, exact ? "quantile_disc($1, $2)" : "quantile_cont($1, $2)", both, 2,
                          call);
}

/* numbers(n), numbers(from, n): a table with the column `number`. */
static struct node *hook_numbers(struct lower *l, struct node *call, struct node **args,
                                 size_t count)
{
    struct node *range =
        count == 1 ? TEMPLATE("unnest(range($1))") : TEMPLATE("unnest(range($1, $1 + $2))");
    struct node *alias = lower_node(l, N_ALIAS, "number", 2, call);
    struct node *select = lower_node(l, N_SELECT, "", SELECT_SLOTS, call);
    struct node *subquery = lower_node(l, N_SUBQUERY, "", 1, call);
    if (l->status != STATUS_OK)
        return call;
    alias->kids[0] = range;
    select->kids[SELECT_ITEMS] = lower_list_of(l, N_LIST, &alias, 1, call);
    subquery->kids[0] = select;
    return subquery;
}

const struct hook_row hooks_clickhouse[] = {
    {"and", hook_and},
    {"or", hook_or},
    {"multi_if", hook_multi_if},
    {"round_even", hook_round_even},
    {"to_int32", hook_to_int32},
    {"to_int64", hook_to_int64},
    {"cast_named", hook_cast_named},
    {"to_datetime", hook_to_datetime},
    {"ch_length", hook_ch_length},
    {"ch_reverse", hook_ch_reverse},
    {"ch_date_trunc", hook_ch_date_trunc},
    {"map_pairs", hook_map_pairs},
    {"quantile", hook_quantile},
    {"numbers", hook_numbers},
    {NULL, NULL},
};

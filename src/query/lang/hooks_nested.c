/* hooks_nested.c: structs, lists and aggregates of Hive, Spark, BigQuery and Snowflake. */
#include <stdio.h>

#include "query/lang/hooks_int.h"

static struct node *pair_of(struct lower *l, struct str name, struct node *value)
{
    struct node *pair = lower_node(l, N_PAIR, "", 2, value);
    if (l->status == STATUS_OK) {
        pair->kids[0] = lower_text(l, N_STRING, name, value);
        pair->kids[1] = value;
    }
    return pair;
}

/* STRUCT(1 AS a, b): {'a': 1, 'b': b}; values without a name are col1, col2 in Spark, a row in
 * BigQuery. */
static struct node *hook_struct(struct lower *l, struct node *call, struct node **args,
                                size_t count)
{
    bool named = l->id != LANG_BIGQUERY;
    for (size_t i = 0; i < count; i++)
        named = named || args[i]->kind == N_NAMED;
    if (!named)
        return lower_call_of(l, "row", args, count, call);
    struct node *record = lower_node(l, N_STRUCT, "", count, call);
    for (size_t i = 0; i < count && l->status == STATUS_OK; i++) {
        struct node *value = args[i]->kind == N_NAMED ? args[i]->kids[0] : args[i];
        const char *column = arena_printf(l->arena, "col%zu", i + 1);
        struct str name = str_of(column ? column : "col");
        if (args[i]->kind == N_NAMED)
            name = args[i]->text;
        else if (value->kind == N_REF)
            name = value->kids[value->count - 1]->text;
        struct node *pair = pair_of(l, name, value);
        if (l->status == STATUS_OK)
            record->kids[i] = pair;
    }
    lower_infer(l, record);
    return record;
}

/* named_struct('a', 1, 'b', 2), OBJECT_CONSTRUCT('a', 1): {'a': 1, 'b': 2} */
static struct node *hook_named_struct(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    if (count % 2)
        return hook_refuse(l, call);
    struct node *record = lower_node(l, N_STRUCT, "", count / 2, call);
    for (size_t i = 0; i + 1 < count && l->status == STATUS_OK; i += 2) {
        if (args[i]->kind != N_STRING)
            return hook_refuse(l, call);
        struct node *pair = pair_of(l, args[i]->text, args[i + 1]);
        if (l->status == STATUS_OK)
            record->kids[i / 2] = pair;
    }
    lower_infer(l, record);
    return record;
}

/* ARRAY_INSERT(list, position, value): positions count from 1 in Spark, from 0 in Snowflake, from
 * -1 backwards in both. */
static struct node *hook_array_insert(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    const struct node *at = args[1];
    bool negative = node_is(at, N_UNARY) && str_is(at->text, "-");
    int64_t position = 0;
    if (!str_to_int64(negative ? at->kids[0]->text : at->text, &position) ||
        (!negative && at->kind != N_NUMBER))
        return hook_refuse(l, call);
    (void)count;
    struct node *parts[] = {args[0], args[2], NULL, NULL};
    if (negative) {
        int64_t back = l->id == LANG_SNOWFLAKE ? -position : -position + 1;
        parts[2] = lower_number(l, back, call);
        return lower_template(l,
                              "CASE WHEN $1 IS NULL THEN NULL ELSE list_concat($1[1:length($1) + "
                              "$3], [$2], $1[length($1) + $3 + 1:]) END",
                              parts, 3, call);
    }
    int64_t before = l->id == LANG_SNOWFLAKE ? position : position - 1;
    if (before <= 0)
        return lower_template(l, "CASE WHEN $1 IS NULL THEN NULL ELSE list_concat([$2], $1) END",
                              parts, 2, call);
    parts[2] = lower_number(l, before, call);
    parts[3] = lower_number(l, before + 1, call);
    return lower_template(
        l, "CASE WHEN $1 IS NULL THEN NULL ELSE list_concat($1[1:$3], [$2], $1[$4:]) END", parts, 4,
        call);
}

static struct node *without_nulls(struct node *call)
{
    call->flags &= ~(uint32_t)(NODE_IGNORE_NULLS | NODE_RESPECT_NULLS);
    return call;
}

/* ANY_VALUE(x [, true]), FIRST(x, true): the first that is not null */
static struct node *hook_any_value(struct lower *l, struct node *call, struct node **args,
                                   size_t count)
{
    (void)count;
    return lower_template(l, "any_value($1)", args, 1, without_nulls(call));
}

static struct node *hook_first_value(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    if (count == 2)
        return hook_any_value(l, call, args, count);
    return lower_template(l, call->kids[CALL_OVER] ? "first_value($1)" : "first($1)", args, 1,
                          call);
}

/* PERCENTILE_CONT(x, 0.5) as BigQuery and Spark write it, nulls or not */
static struct node *hook_plain_quantile(struct lower *l, struct node *call, struct node **args,
                                        size_t count)
{
    bool disc = str_eq_nocase(call->text, STR("percentile_disc"));
    return lower_template(l, disc ? "quantile_disc($1, $2)" : "quantile_cont($1, $2)", args, count,
                          without_nulls(call));
}

static struct node *hook_sort_array(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    if (args[1]->kind != N_BOOL)
        return hook_refuse(l, call);
    bool up = (args[1]->text.data[0] | 32) == 't';
    return up ? TEMPLATE("list_sort($1, 'ASC', 'NULLS FIRST')")
              : TEMPLATE("list_sort($1, 'DESC', 'NULLS LAST')");
}

/* SHA2(x [, 256]) */
static struct node *hook_sha2(struct lower *l, struct node *call, struct node **args, size_t count)
{
    if (count == 2 &&
        !(hook_is_literal(args[1]) && (str_is(args[1]->text, "256") || str_is(args[1]->text, "0"))))
        return hook_refuse(l, call);
    return TEMPLATE("sha256($1)");
}

/* TO_DATE(x), TO_DATE(x, 'yyyy'): NULL when it is none (Databricks: an error) */
static struct node *hook_hive_to_date(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    bool strict = l->id == LANG_DATABRICKS;
    bool plain = count == 1 || (args[1]->kind == N_STRING && str_is(args[1]->text, "yyyy-MM-dd"));
    if (args[0]->type == TY_DATE && plain)
        return args[0];
    if (plain)
        return strict ? TEMPLATE("CAST($1 AS DATE)") : TEMPLATE("TRY_CAST($1 AS DATE)");
    return strict ? TEMPLATE("CAST(strptime($1, _fmt($2)) AS DATE)")
                  : TEMPLATE("CAST(CAST(try_strptime($1, _fmt($2)) AS TIMESTAMP) AS DATE)");
}

const struct hook_row hooks_nested[] = {
    {"struct", hook_struct},
    {"named_struct", hook_named_struct},
    {"array_insert", hook_array_insert},
    {"any_value", hook_any_value},
    {"first_value", hook_first_value},
    {"plain_quantile", hook_plain_quantile},
    {"sort_array", hook_sort_array},
    {"sha2", hook_sha2},
    {"hive_to_date", hook_hive_to_date},
    {NULL, NULL},
};

/* hooks.c: functions whose translation depends on their arguments in ways a template cannot say. A
 * row names them as "@name". Each gets the call with lowered arguments. */
#include <stdio.h>

#include "query/lang/hooks_int.h"

struct node *hook_refuse(struct lower *l, struct node *call)
{
    lower_unsupported(l, call, call->text, "no translation of these arguments of");
    return call;
}

bool hook_is_literal(const struct node *node)
{
    return node && (node->kind == N_STRING || node->kind == N_NUMBER);
}

/* DATE_ADD(x, INTERVAL n unit), DATE_ADD(x, n): x + interval. A date plus whole days, weeks, ...
 * stays a date for the client; DuckDB makes a timestamp of it, which compares and prints alike. */
static struct node *add_interval(struct lower *l, struct node *call, struct node **args,
                                 const char *op)
{
    struct node *to = args[0], *amount = args[1];
    if (to->kind == N_STRING)
        to = lower_cast(l, to, to->text.len <= 10 || l->id == LANG_MYSQL ? "DATE" : "TIMESTAMP");
    if (to->kind == N_CAST && args[0]->kind == N_STRING && args[0]->text.len > 10 &&
        l->id == LANG_MYSQL && l->status == STATUS_OK)
        to->kids[1]->text = STR("TIMESTAMP");
    if (amount->kind != N_INTERVAL && amount->type != TY_INTERVAL) {
        struct node *days[] = {amount};
        amount = lower_template(l, "_interval($1, 'day')", days, 1, call);
    }
    return lower_binary(l, op, to, amount);
}

static struct node *hook_date_add(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    (void)count;
    return add_interval(l, call, args, "+");
}

static struct node *hook_date_sub(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    (void)count;
    return add_interval(l, call, args, "-");
}

/* STR_TO_DATE(x, '%Y-%m-%d'): a date when the format has no time in it. */
static struct node *hook_str_to_date(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    struct str format = args[1]->text;
    bool time = args[1]->kind != N_STRING;
    for (size_t i = 0; i + 1 < format.len; i++)
        time = time || (format.data[i] == '%' && strchr("HhIiklpSsTrf", format.data[i + 1]));
    return time ? TEMPLATE("strptime($1, _fmt($2))")
                : TEMPLATE("CAST(strptime($1, _fmt($2)) AS DATE)");
}

/* GROUP_CONCAT(a, b ORDER BY c SEPARATOR ','): arguments are joined first. */
static struct node *hook_group_concat(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    struct node *value = args[0];
    for (size_t i = 1; i < count; i++)
        value = lower_binary(l, "||", value, args[i]);
    if (value->type != TY_TEXT && value->kind != N_BINARY)
        value = args[0];
    struct node *separator =
        call->kids[CALL_SEPARATOR] ? call->kids[CALL_SEPARATOR] : lower_string(l, ",", call);
    struct node *both[] = {value, separator};
    return lower_template(l, "listagg($1, $2)", both, 2, call);
}

/* CONCAT with NULL is NULL: a || b; numbers are texts first. */
static struct node *hook_concat(struct lower *l, struct node *call, struct node **args,
                                size_t count)
{
    (void)call;
    struct node *sum = NULL;
    for (size_t i = 0; i < count; i++) {
        struct node *part = args[i];
        if (type_is_number(part->type) || part->type == TY_DATE || part->type == TY_TIMESTAMP ||
            part->type == TY_BOOL)
            part = lower_cast(l, part, "TEXT");
        sum = sum ? lower_binary(l, "||", sum, part) : part;
    }
    return sum;
}

/* COUNT(DISTINCT a, b): rows where neither is null. */
static struct node *hook_count(struct lower *l, struct node *call, struct node **args, size_t count)
{
    if (count < 2 || !(call->flags & NODE_DISTINCT))
        return count > 1 ? hook_refuse(l, call) : call;
    struct node *whens = lower_node(l, N_LIST, "", count, call);
    for (size_t i = 0; i < count && l->status == STATUS_OK; i++) {
        struct node *when = lower_node(l, N_WHEN, "", 2, call),
                    *test = lower_node(l, N_IS, "NULL", 2, call);
        if (l->status != STATUS_OK)
            return call;
        test->kids[0] = args[i];
        when->kids[0] = test;
        when->kids[1] = lower_node(l, N_NULL_, "", 0, call);
        whens->kids[i] = when;
    }
    struct node *tuple = lower_list_of(l, N_ROW, args, count, call);
    struct node *pick = lower_node(l, N_CASE, "", 3, call);
    if (l->status != STATUS_OK)
        return call;
    pick->kids[1] = whens;
    pick->kids[2] = tuple;
    call->kids[CALL_ARGS] = lower_list_of(l, N_LIST, &pick, 1, call);
    return call;
}

/* FORMAT(x, 2): 1,234.50 */
static struct node *hook_format_number(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    if (count != 2 || args[1]->kind != N_NUMBER)
        return hook_refuse(l, call);
    const char *format = arena_printf(l->arena, "{:,.%.*sf}", STR_ARG(args[1]->text));
    struct node *both[] = {lower_string(l, format ? format : "", call), args[0]};
    if (args[0]->type != TY_DOUBLE && args[0]->type != TY_DECIMAL && args[0]->type != TY_UNKNOWN)
        both[1] = lower_cast(l, args[0], "DOUBLE");
    if (args[0]->type == TY_UNKNOWN)
        both[1] = lower_cast(l, args[0], "DOUBLE");
    return lower_call_of(l, "format", both, 2, call);
}

/* jsonb_path and ->: JSON_EXTRACT(x, path): x -> path */
static struct node *hook_json_extract(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    if (count != 2)
        return hook_refuse(l, call);
    return TEMPLATE("$1 -> _path($2)");
}

/* GENERATE_SERIES in a select list gives rows, in FROM a table: only the former needs UNNEST, and
 * the parser does not tell; lower_table_call takes the inner call out again. */
static struct node *hook_generate_series(struct lower *l, struct node *call, struct node **args,
                                         size_t count)
{
    (void)args;
    (void)count;
    call->flags &= ~(uint32_t)NODE_LOWERED;
    struct node *copy = lower_shallow(l, call);
    if (l->status != STATUS_OK)
        return call;
    copy->flags |= NODE_LOWERED;
    return lower_call_of(l, "unnest", &copy, 1, call);
}

/* REGEXP_REPLACE(x, p, r [, position [, occurrence [, flags]]]): all matches unless one is named.
 */
static struct node *hook_regexp_replace(struct lower *l, struct node *call, struct node **args,
                                        size_t count)
{
    if (count == 2)
        return TEMPLATE("regexp_replace($1, $2, '', 'g')");
    if (count == 3)
        return TEMPLATE("regexp_replace($1, $2, $3, 'g')");
    bool first = hook_is_literal(args[3]) && str_is(args[3]->text, "1");
    if (!first)
        return hook_refuse(l, call);
    if (count == 4 || (count >= 5 && hook_is_literal(args[4]) && str_is(args[4]->text, "0")))
        return count == 6 ? hook_refuse(l, call) : TEMPLATE("regexp_replace($1, $2, $3, 'g')");
    if (count == 5 && hook_is_literal(args[4]) && str_is(args[4]->text, "1"))
        return TEMPLATE("regexp_replace($1, $2, $3)");
    return hook_refuse(l, call);
}

static struct node *hook_pg_regexp_replace(struct lower *l, struct node *call, struct node **args,
                                           size_t count)
{
    if (count == 4 && args[3]->kind == N_STRING)
        return TEMPLATE("regexp_replace($1, $2, $3, $4)");
    if (count == 5 && hook_is_literal(args[3]) && str_is(args[3]->text, "1") &&
        hook_is_literal(args[4]))
        return str_is(args[4]->text, "1")   ? TEMPLATE("regexp_replace($1, $2, $3)")
               : str_is(args[4]->text, "0") ? TEMPLATE("regexp_replace($1, $2, $3, 'g')")
                                            : hook_refuse(l, call);
    return hook_refuse(l, call);
}

/* TO_CHAR(x, 'YYYY-MM-DD') over times; number formats are refused by the format's letters. */
static struct node *hook_to_char(struct lower *l, struct node *call, struct node **args,
                                 size_t count)
{
    if (count == 1)
        return TEMPLATE("CAST($1 AS TEXT)");
    return args[0]->kind == N_STRING ? TEMPLATE("strftime(_temporal($1), _fmt($2))")
                                     : TEMPLATE("strftime($1, _fmt($2))");
}

/* TIMESTAMPDIFF(MONTH, a, b) counts whole units: DuckDB's date_sub does; date_diff counts borders.
 */
static struct node *hook_timestampdiff(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    (void)call;
    args[1] = args[1]->kind == N_STRING && args[1]->type == TY_TEXT
                  ? lower_cast(l, args[1], "TIMESTAMP")
                  : args[1];
    args[2] = args[2]->kind == N_STRING && args[2]->type == TY_TEXT
                  ? lower_cast(l, args[2], "TIMESTAMP")
                  : args[2];
    if (l->status != STATUS_OK)
        return call;
    bool dates = args[1]->type == TY_DATE && args[2]->type == TY_DATE;
    return dates ? TEMPLATE("date_sub(_unit($1), $2, $3)")
                 : TEMPLATE("date_sub(_unit($1), CAST($2 AS TIMESTAMP), CAST($3 AS TIMESTAMP))");
}

static struct node *hook_cast_format(struct lower *l, struct node *cast, struct node **args,
                                     size_t count)
{
    (void)count;
    bool zoned = node_is(args[1], N_BINARY) && str_is(args[1]->text, "AT TIME ZONE");
    struct node *zone = zoned ? args[1]->kids[1] : NULL;
    struct node *both[] = {args[0], zoned ? args[1]->kids[0] : args[1]};
    uint8_t type = args[2] ? (uint8_t)lower_type_of(args[2]->text) : 0;
    const struct dialect *dialect = l->dialect;
    if (both[1]->kind != N_STRING) {
        lower_unsupported(l, cast, STR("CAST ... FORMAT"), "no translation of");
        return args[0];
    }
    if (l->id == LANG_BIGQUERY)
        l->dialect = &dialect_bigquery_cast;
    both[1] = lower_format(l, both[1]);
    l->dialect = dialect;
    bool try = cast->flags & NODE_TRY;
    if (zone) {
        struct node *parts[] = {both[0], both[1], zone};
        return lower_template(l, "strptime($1, $2) AT TIME ZONE $3", parts, 3, NULL);
    }
    switch (type) {
    case TY_DATE:
        return lower_template(
            l, try ? "CAST(try_strptime($1, $2) AS DATE)" : "CAST(strptime($1, $2) AS DATE)", both,
            2, NULL);
    case TY_TIME:
        return lower_template(
            l, try ? "CAST(try_strptime($1, $2) AS TIME)" : "CAST(strptime($1, $2) AS TIME)", both,
            2, NULL);
    case TY_TIMESTAMP:
    case TY_TIMESTAMPTZ:
        return lower_template(
            l, try ? "CAST(try_strptime($1, $2) AS TIMESTAMP)" : "strptime($1, $2)", both, 2, NULL);
    case TY_TEXT:
        return lower_template(l, "strftime($1, $2)", both, 2, NULL);
    default:
        lower_unsupported(l, cast, STR("CAST ... FORMAT"), "no translation of");
        return args[0];
    }
}

/* SUM and AVG of a condition count it. */
static struct node *hook_sum(struct lower *l, struct node *call, struct node **args, size_t count)
{
    if (count == 1 && args[0]->type == TY_BOOL)
        args[0] = lower_cast(l, args[0], "INT");
    lower_infer(l, call);
    return call;
}

/* PERCENTILE_CONT(p) WITHIN GROUP (ORDER BY x): QUANTILE_CONT(x, p ORDER BY x), windows included.
 */
static struct node *hook_percentile(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    struct node *within = call->kids[CALL_WITHIN];
    if (!within || within->count != 1 || !call->kids[CALL_OVER])
        return call;
    struct node *both[] = {within->kids[0]->kids[0], args[0]};
    bool disc = str_eq_nocase(call->text, STR("percentile_disc"));
    call->kids[CALL_WITHIN] = NULL;
    call->kids[CALL_ORDER] = within;
    (void)count;
    return lower_template(l, disc ? "quantile_disc($1, $2)" : "quantile_cont($1, $2)", both, 2,
                          call);
}

/* MODE() WITHIN GROUP (ORDER BY x): MODE(x); ties go to the first in the order. */
static struct node *hook_mode(struct lower *l, struct node *call, struct node **args, size_t count)
{
    (void)args;
    (void)count;
    struct node *order = call->kids[CALL_WITHIN] ? call->kids[CALL_WITHIN] : call->kids[CALL_ORDER];
    if (list_count(order) != 1)
        return hook_refuse(l, call);
    call->kids[CALL_WITHIN] = NULL;
    call->kids[CALL_ORDER] = order;
    return call;
}

static const struct hook_row hooks[] = {
    {"date_add", hook_date_add},
    {"date_sub", hook_date_sub},
    {"str_to_date", hook_str_to_date},
    {"group_concat", hook_group_concat},
    {"concat", hook_concat},
    {"count", hook_count},
    {"format_number", hook_format_number},
    {"json_extract", hook_json_extract},
    {"generate_series", hook_generate_series},
    {"regexp_replace", hook_regexp_replace},
    {"pg_regexp_replace", hook_pg_regexp_replace},
    {"to_char", hook_to_char},
    {"sum", hook_sum},
    {"percentile", hook_percentile},
    {"mode", hook_mode},
    {"timestampdiff", hook_timestampdiff},
    {"cast_format", hook_cast_format},
    {NULL, NULL},
};

lower_hook *lower_hook_find(const char *name)
{
    const struct hook_row *const tables[] = {hooks,        hooks_clickhouse, hooks_units,
                                             hooks_nested, hooks_snowflake,  hooks_bigquery};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (const struct hook_row *row = tables[i]; row->name; row++) {
            if (strcmp(name, row->name) == 0)
                return row->hook;
        }
    }
    return NULL;
}

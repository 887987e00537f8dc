/* hooks_bigquery.c: BigQuery's functions that a template cannot say. */
#include <stdio.h>

#include "query/lang/hooks_int.h"

static bool literal_is(const struct node *node, const char *text)
{
    return hook_is_literal(node) && str_eq_nocase(node->text, str_of(text));
}

/* ---- times ---- */

/* A moment in a zone: naive texts are UTC. */
static struct node *in_zone(struct lower *l, struct node *value, struct node *zone)
{
    struct node *args[] = {value, zone};
    if (value->kind == N_STRING || value->type == TY_TIMESTAMP)
        return lower_template(l, "_ts($1) AT TIME ZONE 'UTC' AT TIME ZONE $2", args, 2, NULL);
    return lower_template(l, "_tstz($1) AT TIME ZONE $2", args, 2, NULL);
}

static struct node *hook_bq_date(struct lower *l, struct node *call, struct node **args,
                                 size_t count)
{
    if (count == 3)
        return TEMPLATE("make_date($1, $2, $3)");
    return lower_cast(l, count == 2 ? in_zone(l, args[0], args[1]) : args[0], "DATE");
}

static struct node *hook_bq_datetime(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    if (count == 6)
        return TEMPLATE("make_timestamp($1, $2, $3, $4, $5, $6)");
    if (count == 1)
        return TEMPLATE("_ts($1)");
    if (count > 2)
        return hook_refuse(l, call);
    if (args[1]->type == TY_TIME)
        return TEMPLATE("CAST(_date($1) + $2 AS TIMESTAMP)");
    return TEMPLATE("CAST(_tstz($1) AT TIME ZONE $2 AS TIMESTAMP)");
}

static struct node *hook_bq_timestamp(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    return count == 1 ? TEMPLATE("_tstz($1)") : TEMPLATE("CAST($1 AS TIMESTAMP) AT TIME ZONE $2");
}

static struct node *hook_bq_time(struct lower *l, struct node *call, struct node **args,
                                 size_t count)
{
    if (count == 3)
        return TEMPLATE("make_time($1, $2, $3)");
    return count == 1 ? TEMPLATE("CAST($1 AS TIME)")
                      : TEMPLATE("CAST(_tstz($1) AT TIME ZONE $2 AS TIME)");
}

/* Days from Monday to the first day of WEEK(day), as BigQuery's weeks begin; -1: no week. */
static bool week_shift(const struct node *unit, struct lower *l, int64_t *ret)
{
    static const char *const days[] = {"MONDAY", "TUESDAY",  "WEDNESDAY", "THURSDAY",
                                       "FRIDAY", "SATURDAY", "SUNDAY"};
    if (node_is(unit, N_CALL) && str_eq_nocase(unit->text, STR("week"))) {
        const struct node *day = kid(unit->kids[CALL_ARGS], 0);
        for (int64_t i = 0; i < 7; i++) {
            if (node_is(day, N_REF) && str_eq_nocase(day->kids[0]->text, str_of(days[i]))) {
                *ret = i == 6 ? 1 : -i;
                return true;
            }
        }
        return false;
    }
    struct str name = node_is(unit, N_REF) ? lower_upper(l, unit->kids[0]->text) : STR("");
    *ret = str_is(name, "WEEK") ? 1 : 0;
    return str_is(name, "WEEK") || str_is(name, "ISOWEEK");
}

static struct node *shifted(struct lower *l, struct node *value, int64_t days)
{
    if (days == 0)
        return value;
    struct node *args[] = {value, lower_number(l, days, value)};
    return lower_template(l, "_add($1, $2, 'day')", args, 2, NULL);
}

static struct node *week_start(struct lower *l, struct node *value, int64_t days)
{
    struct node *moved = shifted(l, value, days);
    return lower_template(l, "date_trunc('WEEK', $1)", &moved, 1, NULL);
}

/* The type that a function's text literals have, by its name. */
static struct node *typed(struct lower *l, const struct node *call, struct node *value)
{
    char c = (char)(call->text.data[0] | 32);
    const char *type =
        c == 'd' ? (call->text.len > 4 && (call->text.data[4] | 32) == 't' ? "TIMESTAMP" : "DATE")
        : call->text.len > 4 && (call->text.data[4] | 32) == 's' ? "TIMESTAMPTZ"
                                                                 : "TIME";
    return value->kind == N_STRING ? lower_cast(l, value, type) : value;
}

/* DATE_DIFF(a, b, unit) */
static struct node *hook_bq_diff(struct lower *l, struct node *call, struct node **args,
                                 size_t count)
{
    int64_t shift = 0;
    struct node *parts[] = {typed(l, call, args[0]), typed(l, call, args[1]), args[2]};
    (void)count;
    if (week_shift(args[2], l, &shift)) {
        struct node *weeks[] = {week_start(l, parts[1], shift), week_start(l, parts[0], shift)};
        return lower_template(l, "date_diff('WEEK', $1, $2)", weeks, 2, NULL);
    }
    return lower_template(l, "date_diff(_unit($3), $2, $1)", parts, 3, call);
}

/* DATE_TRUNC(x, unit), TIMESTAMP_TRUNC(x, unit [, zone]) */
static struct node *hook_bq_trunc(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    int64_t shift = 0;
    struct node *value = typed(l, call, args[0]);
    bool date = call->text.len == 10;
    struct str unit = lower_unit(l, args[1]);
    bool small = str_is(unit, "HOUR") || str_is(unit, "MINUTE") || str_is(unit, "SECOND") ||
                 str_is(unit, "MILLISECOND") || str_is(unit, "MICROSECOND");
    bool zoned = count == 3 && !small && !literal_is(args[2], "UTC");
    if (zoned) {
        struct node *moved[] = {value, args[2]};
        value = lower_template(l, "$1 AT TIME ZONE $2", moved, 2, NULL);
    }
    struct node *result = NULL;
    if (week_shift(args[1], l, &shift)) {
        result = shifted(l, week_start(l, value, shift), -shift);
        if (date && shift)
            result = lower_cast(l, result, "DATE");
    } else {
        struct node *parts[] = {value, args[1]};
        result = lower_template(l, "date_trunc(_unit($2), $1)", parts, 2, call);
    }
    if (!zoned)
        return result;
    struct node *back[] = {result, args[2]};
    return lower_template(l, "$1 AT TIME ZONE $2", back, 2, NULL);
}

/* PARSE_TIMESTAMP(format, text): without a year it is 1970 there, 1900 here. */
static struct node *hook_bq_parse(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    bool year = false;
    struct str format = args[0]->text;
    for (size_t i = 0; i + 1 < format.len; i++)
        year = year || (format.data[i] == '%' && strchr("YyFcDxG", format.data[i + 1]));
    if (args[0]->kind != N_STRING || (count == 3 && !hook_is_literal(args[2])))
        return hook_refuse(l, call);
    (void)count;
    return year ? TEMPLATE("strptime($2, _fmt($1))")
                : TEMPLATE("strptime('1970 ' || $2, '%Y ' || _fmt($1))");
}

/* MAKE_INTERVAL(1, 2, day => 3) */
static struct node *hook_bq_make_interval(struct lower *l, struct node *call, struct node **args,
                                          size_t count)
{
    static const char *const names[] = {"year", "month", "day", "hour", "minute", "second"};
    struct buf text;
    bool good = count <= 6;
    buf_init(&text, 4096);
    for (size_t i = 0; i < count && good; i++) {
        bool named = args[i]->kind == N_NAMED;
        const struct node *value = named ? args[i]->kids[0] : args[i];
        good = node_is(value, N_NUMBER);
        buf_printf(&text, "%s%.*s %.*s", i ? " " : "", STR_ARG(value->text),
                   named ? (int)args[i]->text.len : (int)strlen(names[i]),
                   named ? args[i]->text.data : names[i]);
    }
    struct str made = arena_str(l->arena, buf_str(&text));
    buf_release(&text);
    struct node *interval = lower_node(l, N_INTERVAL, "", 1, call);
    if (!good || !made.data || l->status != STATUS_OK)
        return hook_refuse(l, call);
    interval->kids[0] = lower_string(l, made.data, call);
    interval->type = TY_INTERVAL;
    return interval;
}

/* ---- texts ---- */

static bool has_group(const struct node *pattern)
{
    struct str text = pattern->text;
    for (size_t i = 0; pattern->kind == N_STRING && i < text.len; i++) {
        if (text.data[i] == '\\')
            i++;
        else if (text.data[i] == '(' && !(i + 1 < text.len && text.data[i + 1] == '?'))
            return true;
    }
    return false;
}

/* REGEXP_EXTRACT(x, pattern [, position [, occurrence]]): the group when there is one. */
static struct node *hook_bq_regexp_extract(struct lower *l, struct node *call, struct node **args,
                                           size_t count)
{
    bool group = has_group(args[1]);
    if (count > 2 && !literal_is(args[2], "1"))
        args[0] = TEMPLATE("nullif(substring($1, $3), '')");
    if (count > 3 && !literal_is(args[3], "1"))
        return group ? TEMPLATE("array_extract(regexp_extract_all($1, $2, 1), $4)")
                     : TEMPLATE("array_extract(regexp_extract_all($1, $2), $4)");
    return group ? TEMPLATE("regexp_extract($1, $2, 1)") : TEMPLATE("regexp_extract($1, $2)");
}

static struct node *hook_bq_regexp_extract_all(struct lower *l, struct node *call,
                                               struct node **args, size_t count)
{
    return has_group(args[1]) ? TEMPLATE("regexp_extract_all($1, $2, 1)")
                              : TEMPLATE("regexp_extract_all($1, $2)");
}

/* JSON_OBJECT(['a', 'b'], [1, 2]) or pairs */
static struct node *hook_bq_json_object(struct lower *l, struct node *call, struct node **args,
                                        size_t count)
{
    bool lists = count == 2 && args[0]->kind == N_ARRAY && args[1]->kind == N_ARRAY &&
                 args[0]->count == args[1]->count;
    if (!lists)
        return lower_hook_find("json_object")(l, call, args, count);
    struct node *flat = lower_node(l, N_LIST, "", args[0]->count * (size_t)2, call);
    for (size_t i = 0; i < args[0]->count && l->status == STATUS_OK; i++) {
        flat->kids[2 * i] = args[0]->kids[i];
        flat->kids[2 * i + 1] = args[1]->kids[i];
    }
    if (l->status == STATUS_OK)
        call->kids[CALL_ARGS] = flat;
    return call;
}

/* ---- aggregates ---- */

/* ANY_VALUE(x [HAVING MAX | MIN y]) */
static struct node *hook_bq_any_value(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    struct node *having = call->kids[CALL_PARAMETERS];
    if (!having)
        return call;
    struct node *both[] = {args[0], having->kids[0]};
    bool max = call->flags & NODE_DESC;
    (void)count;
    call->flags &= ~(uint32_t)NODE_DESC;
    return lower_template(l, max ? "arg_max_null($1, $2)" : "arg_min_null($1, $2)", both, 2, call);
}

/* ARRAY_AGG(x IGNORE NULLS ORDER BY y LIMIT n) */
static struct node *hook_bq_array_agg(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    struct node *limit = call->kids[CALL_LIMIT];
    bool ignore = call->flags & NODE_IGNORE_NULLS;
    call->flags &= ~(uint32_t)(NODE_IGNORE_NULLS | NODE_RESPECT_NULLS);
    call->kids[CALL_LIMIT] = NULL;
    struct node *all = ignore ? TEMPLATE("array_agg($1) FILTER (WHERE $1 IS NOT NULL)")
                              : TEMPLATE("array_agg($1)");
    if (!limit)
        return all;
    struct node *both[] = {all, limit};
    return lower_template(l, "$1[1:$2]", both, 2, NULL);
}

/* APPROX_QUANTILES(x, n): n + 1 borders */
static struct node *hook_approx_quantiles(struct lower *l, struct node *call, struct node **args,
                                          size_t count)
{
    int64_t parts = 0;
    if (!node_is(args[1], N_NUMBER) || !str_to_int64(args[1]->text, &parts) || parts < 1 ||
        parts > 1000)
        return hook_refuse(l, call);
    struct node *list = lower_node(l, N_ARRAY, "", (size_t)parts + 1, call);
    for (int64_t i = 0; i <= parts && l->status == STATUS_OK; i++) {
        const char *text = arena_printf(l->arena, "%.15g", (double)i / (double)parts);
        list->kids[i] = lower_text(l, N_NUMBER, str_of(text ? text : "0"), call);
    }
    call->flags &= ~(uint32_t)(NODE_IGNORE_NULLS | NODE_RESPECT_NULLS);
    struct node *both[] = {args[0], list};
    (void)count;
    return lower_template(l, "approx_quantile($1, $2)", both, 2, call);
}

const struct hook_row hooks_bigquery[] = {
    {"bq_date", hook_bq_date},
    {"bq_datetime", hook_bq_datetime},
    {"bq_timestamp", hook_bq_timestamp},
    {"bq_time", hook_bq_time},
    {"bq_diff", hook_bq_diff},
    {"bq_trunc", hook_bq_trunc},
    {"bq_parse", hook_bq_parse},
    {"bq_make_interval", hook_bq_make_interval},
    {"bq_regexp_extract", hook_bq_regexp_extract},
    {"bq_regexp_extract_all", hook_bq_regexp_extract_all},
    {"bq_json_object", hook_bq_json_object},
    {"bq_any_value", hook_bq_any_value},
    {"bq_array_agg", hook_bq_array_agg},
    {"approx_quantiles", hook_approx_quantiles},
    {NULL, NULL},
};

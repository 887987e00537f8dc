/* hooks_units.c: functions around units and times of SQLite, SQL Server, Oracle, Redshift, Presto,
 * and DECODE, HASHBYTES and such. */
#include <stdio.h>

#include "query/lang/hooks_int.h"

/* ---- SQLite: date(x, modifier...) ---- */

/* '+7 days', '-1 month', 'start of month', 'unixepoch': applied to a timestamp. */
static struct node *modify(struct lower *l, struct node *call, struct node *value,
                           struct node *modifier)
{
    struct node *args[] = {value, modifier};
    size_t count = 2;
    if (modifier->kind != N_STRING)
        return hook_refuse(l, call);
    struct str text = modifier->text;
    if (str_eq_nocase(text, STR("start of month")))
        return TEMPLATE("date_trunc('month', $1)");
    if (str_eq_nocase(text, STR("start of year")))
        return TEMPLATE("date_trunc('year', $1)");
    if (str_eq_nocase(text, STR("start of day")))
        return TEMPLATE("date_trunc('day', $1)");
    struct str rest = str_trim(text), number;
    if (!str_split(&rest, ' ', &number) || !rest.data)
        return hook_refuse(l, call);
    struct node *unit = lower_text(l, N_STRING, rest, modifier);
    struct str name = lower_unit(l, unit);
    double amount = 0;
    if (name.len == 0 ||
        !str_to_double(number.data[0] == '+' ? str_make(number.data + 1, number.len - 1) : number,
                       &amount))
        return hook_refuse(l, call);
    struct node *parts[] = {
        value,
        lower_text(l, N_STRING,
                   number.data[0] == '+' ? str_make(number.data + 1, number.len - 1) : number,
                   modifier),
        unit};
    return lower_template(l, "_add($1, $2, $3)", parts, 3, call);
}

/* The moment that a SQLite time value and its modifiers mean, as a TIMESTAMP. */
static struct node *moment(struct lower *l, struct node *call, struct node **args, size_t count)
{
    struct node *value = NULL;
    size_t first = 1;
    if (count == 0 || (args[0]->kind == N_STRING && str_is(args[0]->text, "now"))) {
        value = lower_template(l, "current_timestamp AT TIME ZONE 'UTC'", NULL, 0, NULL);
    } else if (count > 1 && hook_is_literal(args[1]) &&
               str_eq_nocase(args[1]->text, STR("unixepoch"))) {
        value = lower_template(l, "make_timestamp($1 * 1000000)", args, 1, NULL);
        first = 2;
    } else {
        value = lower_template(l, "CAST($1 AS TIMESTAMP)", args, 1, NULL);
    }
    for (size_t i = first; i < count && l->status == STATUS_OK; i++)
        value = modify(l, call, value, args[i]);
    return value;
}

static struct node *over_moment(struct lower *l, struct node *call, struct node **args,
                                size_t count, const char *template)
{
    struct node *value = moment(l, call, args, count);
    return lower_template(l, template, &value, 1, NULL);
}

static struct node *hook_sqlite_date(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    return over_moment(l, call, args, count, "CAST($1 AS DATE)");
}

static struct node *hook_sqlite_time(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    return over_moment(l, call, args, count, "CAST($1 AS TIME)");
}

static struct node *hook_sqlite_datetime(struct lower *l, struct node *call, struct node **args,
                                         size_t count)
{
    return over_moment(l, call, args, count, "strftime($1, '%Y-%m-%d %H:%M:%S')");
}

static struct node *hook_sqlite_strftime(struct lower *l, struct node *call, struct node **args,
                                         size_t count)
{
    if (args[0]->kind == N_STRING && str_is(args[0]->text, "%s"))
        return over_moment(l, call, args + 1, count - 1, "CAST(CAST(epoch($1) AS BIGINT) AS TEXT)");
    struct node *both[] = {moment(l, call, args + 1, count - 1), args[0]};
    return lower_template(l, "strftime($1, _fmt($2))", both, 2, NULL);
}

static struct node *hook_group_concat2(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    struct node *both[] = {args[0], count > 1 ? args[1] : lower_string(l, ",", call)};
    return lower_template(l, "listagg($1, $2)", both, 2, call);
}

/* ---- SQL Server ---- */

/* A number in a place for a time is days since 1900-01-01. */
static struct node *tsql_time(struct lower *l, struct node *value)
{
    struct node *args[] = {value};
    if (value->type == TY_INT)
        return lower_template(l, "CAST(CAST('1900-01-01' AS DATE) + CAST($1 AS INT) AS TIMESTAMP)",
                              args, 1, NULL);
    return lower_template(l, "CAST($1 AS TIMESTAMP)", args, 1, NULL);
}

static struct node *hook_tsql_datediff(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    struct node *parts[] = {args[0],
                            args[1]->type == TY_TIMESTAMP ? args[1] : tsql_time(l, args[1]),
                            args[2]->type == TY_TIMESTAMP ? args[2] : tsql_time(l, args[2])};
    (void)count;
    return lower_template(l, "date_diff(_unit($1), $2, $3)", parts, 3, call);
}

static struct str raw_unit(struct lower *l, const struct node *node)
{
    if (node->kind == N_STRING)
        return lower_upper(l, node->text);
    return node->kind == N_REF && node->count == 1 ? lower_upper(l, node->kids[0]->text) : STR("");
}

/* DATEPART(unit, x) */
static struct node *hook_datepart(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    struct str raw = raw_unit(l, args[0]);
    bool tsql = l->id == LANG_TSQL;
    if (args[1]->kind == N_STRING)
        args[1] = lower_cast(l, args[1], args[1]->text.len <= 10 ? "DATE" : "TIMESTAMP");
    if (str_is(raw, "NANOSECOND") || str_is(raw, "NS"))
        return TEMPLATE("CAST(strftime(CAST($2 AS TIMESTAMP_NS), '%n') AS BIGINT)");
    if (str_is(raw, "TZOFFSET") || str_is(raw, "TZ"))
        return TEMPLATE("extract('timezone_minute' FROM $2)");
    if (tsql && (str_is(raw, "WEEKDAY") || str_is(raw, "DW")))
        return TEMPLATE("dayofweek($2) + 1");
    if (tsql && (str_is(raw, "WEEK") || str_is(raw, "WK") || str_is(raw, "WW")))
        return TEMPLATE("CAST(strftime($2, '%U') AS INT) + 1");
    if (tsql && (str_is(raw, "Y") || str_is(raw, "DY")))
        return TEMPLATE("extract('doy' FROM $2)");
    if (str_is(raw, "EPOCH_SECOND") || str_is(raw, "EPOCH_SECONDS"))
        return TEMPLATE("CAST(epoch($2) AS BIGINT)");
    struct str unit = lower_unit(l, args[0]);
    if (unit.len == 0)
        return hook_refuse(l, call);
    struct node *extract = lower_node(l, N_EXTRACT, "", 1, call);
    if (l->status != STATUS_OK)
        return call;
    extract->text = unit;
    extract->kids[0] = args[1];
    lower_infer(l, extract);
    (void)count;
    return extract;
}

static struct node *hook_datename(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    struct str unit = raw_unit(l, args[0]);
    if (str_is(unit, "MONTH") || str_is(unit, "MM") || str_is(unit, "M"))
        return TEMPLATE("strftime(_temporal($2), '%B')");
    if (str_is(unit, "WEEKDAY") || str_is(unit, "DW"))
        return TEMPLATE("strftime(_temporal($2), '%A')");
    return lower_cast(l, hook_datepart(l, call, args, count), "TEXT");
}

static struct node *hook_hashbytes(struct lower *l, struct node *call, struct node **args,
                                   size_t count)
{
    if (!hook_is_literal(args[0]))
        return hook_refuse(l, call);
    if (str_eq_nocase(args[0]->text, STR("SHA1")) || str_eq_nocase(args[0]->text, STR("SHA")))
        return TEMPLATE("sha1($2)");
    if (str_eq_nocase(args[0]->text, STR("MD5")))
        return TEMPLATE("md5($2)");
    return str_eq_nocase(args[0]->text, STR("SHA2_256")) ? TEMPLATE("sha256($2)")
                                                         : hook_refuse(l, call);
}

/* ---- Oracle, Redshift ---- */

/* x = a, where NULL equals NULL; literals are never NULL. */
static struct node *decode_test(struct lower *l, struct node *value, struct node *wanted)
{
    struct node *args[] = {value, wanted};
    if (wanted->kind == N_NULL_)
        return lower_template(l, "$1 IS NULL", args, 1, NULL);
    return lower_template(
        l, hook_is_literal(wanted) ? "$1 = $2" : "$1 = $2 OR ($1 IS NULL AND $2 IS NULL)", args, 2,
        NULL);
}

/* DECODE(x, a, b, c, d, ..., else) */
static struct node *hook_decode(struct lower *l, struct node *call, struct node **args,
                                size_t count)
{
    size_t pairs = (count - 1) / 2;
    struct node *whens = lower_node(l, N_LIST, "", pairs, call),
                *pick = lower_node(l, N_CASE, "", 3, call);
    for (size_t i = 0; i < pairs && l->status == STATUS_OK; i++) {
        struct node *when = lower_node(l, N_WHEN, "", 2, call);
        if (l->status != STATUS_OK)
            return call;
        when->kids[0] = decode_test(l, args[0], args[1 + 2 * i]);
        when->kids[1] = args[2 + 2 * i];
        whens->kids[i] = when;
    }
    if (l->status != STATUS_OK)
        return call;
    pick->kids[1] = whens;
    pick->kids[2] = count % 2 == 0 ? args[count - 1] : NULL;
    lower_infer(l, pick);
    return pick;
}

static struct node *hook_trunc_date(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    uint8_t type = args[0]->type;
    if (type == TY_DATE || type == TY_TIMESTAMP || type == TY_TIMESTAMPTZ)
        return TEMPLATE("date_trunc('day', $1)");
    return call;
}

/* TRUNC(x, 'MONTH') over times, TRUNC(x, 2) over numbers */
static struct node *hook_trunc_to(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    if (args[1]->kind != N_STRING)
        return call;
    struct str unit = lower_upper(l, args[1]->text);
    if (str_is(unit, "MON") || str_is(unit, "RM"))
        args[1] = lower_string(l, "MONTH", call);
    else if (str_is(unit, "YYYY") || str_is(unit, "SYYYY"))
        args[1] = lower_string(l, "YEAR", call);
    else if (str_is(unit, "IW"))
        args[1] = lower_string(l, "WEEK", call);
    else if (str_is(unit, "DDD") || str_is(unit, "J"))
        args[1] = lower_string(l, "DAY", call);
    else if (str_is(unit, "HH24") || str_is(unit, "HH12"))
        args[1] = lower_string(l, "HOUR", call);
    return TEMPLATE("date_trunc(_unit($2), $1)");
}

/* ---- Presto ---- */

/* TO_CHAR with Teradata's letters */
static struct node *hook_presto_to_char(struct lower *l, struct node *call, struct node **args,
                                        size_t count)
{
    static const char *const letters[][2] = {{"yyyy", "%Y"}, {"yy", "%y"},   {"mm", "%m"},
                                             {"dd", "%d"},   {"hh24", "%H"}, {"hh", "%I"},
                                             {"mi", "%M"},   {"ss", "%S"}};
    struct buf out;
    if (args[1]->kind != N_STRING)
        return hook_refuse(l, call);
    buf_init(&out, 4096);
    struct str format = args[1]->text;
    bool known = true;
    while (format.len && known) {
        size_t used = 0;
        for (size_t i = 0; i < 8 && !used; i++) {
            struct str from = str_of(letters[i][0]);
            if (format.len >= from.len && str_eq_nocase(str_make(format.data, from.len), from)) {
                buf_append_str(&out, str_of(letters[i][1]));
                used = from.len;
            }
        }
        if (!used) {
            known = !((format.data[0] | 32) >= 'a' && (format.data[0] | 32) <= 'z');
            buf_append_char(&out, format.data[0]);
            used = 1;
        }
        format = str_make(format.data + used, format.len - used);
    }
    struct str text = arena_str(l->arena, buf_str(&out));
    buf_release(&out);
    if (!known || !text.data)
        return hook_refuse(l, call);
    struct node *both[] = {args[0], lower_string(l, text.data, call)};
    (void)count;
    return lower_template(l, "strftime($1, $2)", both, 2, call);
}

/* DATE_TRUNC of a date is a date, as in DuckDB. */
static struct node *hook_trunc_type(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    return TEMPLATE("date_trunc(_unit($1), $2)");
}

/* REGEXP_EXTRACT gives NULL without a match there, '' here. */
static struct node *hook_regexp_extract_null(struct lower *l, struct node *call, struct node **args,
                                             size_t count)
{
    return count == 2 ? TEMPLATE("regexp_extract($1, $2)") : TEMPLATE("regexp_extract($1, $2, $3)");
}

/* FORMAT('%s', x): only %s and %d */
static struct node *hook_format_percent(struct lower *l, struct node *call, struct node **args,
                                        size_t count)
{
    if (args[0]->kind != N_STRING)
        return hook_refuse(l, call);
    struct buf out;
    struct str format = args[0]->text;
    bool known = true;
    buf_init(&out, 4096);
    for (size_t i = 0; i < format.len; i++) {
        if (format.data[i] != '%') {
            buf_append_char(&out, format.data[i]);
        } else if (i + 1 < format.len && (format.data[i + 1] == 's' || format.data[i + 1] == 'd')) {
            buf_append_str(&out, STR("{}"));
            i++;
        } else {
            known = false;
        }
        if (format.data[i] == '{' || format.data[i] == '}')
            known = false;
    }
    struct str text = arena_str(l->arena, buf_str(&out));
    buf_release(&out);
    if (!known || !text.data)
        return hook_refuse(l, call);
    args[0] = lower_string(l, text.data, call);
    return lower_call_of(l, "format", args, count, call);
}

/* JSON_OBJECT('a': 1, KEY 'b' VALUE 2): pairs become arguments. */
static struct node *hook_json_object(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    struct node *flat = lower_node(l, N_LIST, "", count * 2, call);
    size_t n = 0;
    for (size_t i = 0; i < count && l->status == STATUS_OK; i++) {
        if (args[i]->kind == N_PAIR) {
            flat->kids[n++] = args[i]->kids[0];
            flat->kids[n++] = args[i]->kids[1];
        } else {
            flat->kids[n++] = args[i];
        }
    }
    if (l->status != STATUS_OK)
        return call;
    flat->count = (uint16_t)n;
    call->kids[CALL_ARGS] = flat;
    lower_infer(l, call);
    return call;
}

const struct hook_row hooks_units[] = {
    {"sqlite_date", hook_sqlite_date},
    {"sqlite_time", hook_sqlite_time},
    {"sqlite_datetime", hook_sqlite_datetime},
    {"sqlite_strftime", hook_sqlite_strftime},
    {"group_concat2", hook_group_concat2},
    {"tsql_datediff", hook_tsql_datediff},
    {"datepart", hook_datepart},
    {"datename", hook_datename},
    {"hashbytes", hook_hashbytes},
    {"decode", hook_decode},
    {"trunc_date", hook_trunc_date},
    {"trunc_to", hook_trunc_to},
    {"presto_to_char", hook_presto_to_char},
    {"trunc_type", hook_trunc_type},
    {"regexp_extract_null", hook_regexp_extract_null},
    {"format_percent", hook_format_percent},
    {"json_object", hook_json_object},
    {NULL, NULL},
};

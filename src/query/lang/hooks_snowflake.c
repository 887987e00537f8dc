/* hooks_snowflake.c: Snowflake's functions that a template cannot say. */
#include <stdio.h>

#include "query/lang/hooks_int.h"

static bool literal_is(const struct node *node, const char *text)
{
    return hook_is_literal(node) && str_eq_nocase(node->text, str_of(text));
}

static bool int_literal(const struct node *node, int64_t *ret)
{
    bool negative = node_is(node, N_UNARY) && str_is(node->text, "-");
    const struct node *number = negative ? node->kids[0] : node;
    if (!node_is(number, N_NUMBER) || !str_to_int64(number->text, ret))
        return false;
    if (negative)
        *ret = -*ret;
    return true;
}

/* TO_NUMBER(x, precision [, scale]); a format is refused */
static struct node *hook_to_decimal(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    if (args[1]->kind != N_NUMBER || (count > 2 && args[2]->kind != N_NUMBER))
        return hook_refuse(l, call);
    const char *type =
        arena_printf(l->arena, "DECIMAL(%.*s, %.*s)", STR_ARG(args[1]->text),
                     count > 2 ? (int)args[2]->text.len : 1, count > 2 ? args[2]->text.data : "0");
    return lower_cast(l, args[0], type ? type : "DECIMAL");
}

static struct node *hook_to_array(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    if (args[0]->type == TY_LIST)
        return args[0];
    return TEMPLATE("CASE WHEN $1 IS NULL THEN NULL ELSE [$1] END");
}

static struct node *hook_to_binary(struct lower *l, struct node *call, struct node **args,
                                   size_t count)
{
    if (literal_is(args[1], "utf-8") || literal_is(args[1], "utf8"))
        return TEMPLATE("encode($1)");
    if (literal_is(args[1], "base64"))
        return TEMPLATE("from_base64($1)");
    return literal_is(args[1], "hex") ? TEMPLATE("unhex($1)") : hook_refuse(l, call);
}

static bool is_iso_date(const struct node *format)
{
    return literal_is(format, "yyyy-mm-dd");
}

static struct node *hook_sf_to_date(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    return is_iso_date(args[1]) ? TEMPLATE("CAST($1 AS DATE)")
                                : TEMPLATE("CAST(strptime($1, _fmt($2)) AS DATE)");
}

static struct node *hook_sf_try_to_date(struct lower *l, struct node *call, struct node **args,
                                        size_t count)
{
    return is_iso_date(args[1])
               ? TEMPLATE("TRY_CAST($1 AS DATE)")
               : TEMPLATE("CAST(CAST(try_strptime($1, _fmt($2)) AS TIMESTAMP) AS DATE)");
}

/* TO_TIMESTAMP(x [, scale or format]): numbers are seconds, milliseconds, ... since 1970 */
static struct node *hook_sf_to_timestamp(struct lower *l, struct node *call, struct node **args,
                                         size_t count)
{
    int64_t scale = 0;
    if (count == 1 && type_is_number(args[0]->type))
        return TEMPLATE("CAST(to_timestamp($1) AS TIMESTAMP)");
    if (count == 1)
        return TEMPLATE("CAST($1 AS TIMESTAMP)");
    if (int_literal(args[1], &scale)) {
        if (scale == 3)
            return TEMPLATE("epoch_ms($1)");
        if (scale == 6)
            return TEMPLATE("make_timestamp(CAST($1 AS BIGINT))");
        return scale == 0 ? TEMPLATE("CAST(to_timestamp($1) AS TIMESTAMP)") : hook_refuse(l, call);
    }
    return TEMPLATE("strptime($1, _fmt($2))");
}

/* FLOOR(x, scale), CEIL(x, scale) */
static struct node *hook_round_to(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    bool floor = str_eq_nocase(call->text, STR("floor"));
    if (args[1]->type != TY_INT)
        args[1] = lower_cast(l, args[1], "INT");
    return floor ? TEMPLATE("round(floor($1 * power(10, $2)) / power(10, $2), $2)")
                 : TEMPLATE("round(ceil($1 * power(10, $2)) / power(10, $2), $2)");
}

static struct node *hook_round_scale(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    (void)count;
    if (args[1]->type == TY_DECIMAL || args[1]->type == TY_DOUBLE)
        args[1] = lower_cast(l, args[1], "INT");
    return call;
}

/* TRUNC(x, 2) and TRUNC(date, 'MONTH') */
static struct node *hook_sf_trunc(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    return args[1]->kind == N_STRING ? TEMPLATE("date_trunc(_unit($2), $1)") : call;
}

static struct node *hook_bit_shift(struct lower *l, struct node *call, struct node **args,
                                   size_t count)
{
    bool left = str_eq_nocase(call->text, STR("bitshiftleft"));
    if (args[0]->type == TY_BLOB)
        return left ? TEMPLATE("CAST(CAST($1 AS BIT) << $2 AS BLOB)")
                    : TEMPLATE("CAST(CAST($1 AS BIT) >> $2 AS BLOB)");
    return left ? TEMPLATE("CAST($1 AS INT128) << $2") : TEMPLATE("CAST($1 AS INT128) >> $2");
}

/* UNIFORM(low, high, generator) */
static struct node *hook_uniform(struct lower *l, struct node *call, struct node **args,
                                 size_t count)
{
    bool fixed = hook_is_literal(args[2]);
    if (args[0]->type != TY_INT || args[1]->type != TY_INT)
        return fixed ? hook_refuse(l, call) : TEMPLATE("$1 + random() * ($2 - $1)");
    return fixed ? TEMPLATE("CAST(floor($1 + (abs(hash($3)) % 1000000) / 1000000.0 * ($2 - $1 + "
                            "1)) AS BIGINT)")
                 : TEMPLATE("CAST(floor($1 + random() * ($2 - $1 + 1)) AS BIGINT)");
}

/* SEQ4(), SEQ8(1): numbers that wrap */
static struct node *hook_sequence(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    static const char *const whole[] = {"256", "65536", "4294967296", "18446744073709551616"};
    static const char *const half[] = {"128", "32768", "2147483648", "9223372036854775808"};
    char digit = call->text.data[3];
    size_t i = digit == '1' ? 0 : digit == '2' ? 1 : digit == '4' ? 2 : 3;
    bool sign = count == 1 && literal_is(args[0], "1");
    struct node *parts[] = {lower_text(l, N_NUMBER, str_of(whole[i]), call),
                            lower_text(l, N_NUMBER, str_of(half[i]), call)};
    const char *number = "(row_number() OVER (ORDER BY 1 NULLS FIRST) - 1) % $1";
    if (!sign)
        return lower_template(l, number, parts, 2, NULL);
    const char *text = arena_printf(l->arena, "CASE WHEN %s >= $2 THEN %s - $1 ELSE %s END", number,
                                    number, number);
    return lower_template(l, text ? text : "NULL", parts, 2, NULL);
}

/* CHARINDEX(needle, text, from) */
static struct node *hook_char_index(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    return TEMPLATE("CASE WHEN strpos(substring($2, CASE WHEN $3 <= 0 THEN 1 ELSE $3 END), $1) = 0 "
                    "THEN 0 ELSE strpos(substring($2, CASE WHEN $3 <= 0 THEN 1 ELSE $3 END), $1) + "
                    "CASE WHEN $3 <= 0 THEN 1 ELSE $3 END - 1 END");
}

static struct node *hook_sf_split(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    return TEMPLATE(
        "CASE WHEN $2 IS NULL THEN NULL WHEN $2 = '' THEN [$1] ELSE string_split($1, $2) END");
}

/* SPLIT_PART: part 0 is part 1 */
static struct node *hook_sf_split_part(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    return TEMPLATE("CASE WHEN $2 = '' THEN CASE WHEN (CASE WHEN $3 = 0 THEN 1 ELSE $3 END) = 1 OR "
                    "(CASE WHEN $3 = 0 THEN 1 ELSE $3 END) = -1 THEN $1 ELSE '' END ELSE "
                    "split_part($1, $2, CASE WHEN $3 = 0 THEN 1 ELSE $3 END) END");
}

/* ---- regular expressions ---- */

/* REGEXP_SUBSTR(x, pattern [, position [, occurrence [, flags [, group]]]]) */
static struct node *hook_regexp_substr(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    struct node *subject = args[0];
    if (count > 2 && !literal_is(args[2], "1")) {
        struct node *cut[] = {args[0], args[2]};
        subject = lower_template(l, "nullif(substring($1, $2), '')", cut, 2, NULL);
    }
    struct node *parts[] = {subject, args[1], count > 5 ? args[5] : lower_number(l, 0, call),
                            count > 4 ? args[4] : NULL, count > 3 ? args[3] : NULL};
    bool group = count > 5 && !literal_is(args[5], "0");
    bool flags = count > 4 && !literal_is(args[4], "e");
    bool second = count > 3 && !literal_is(args[3], "1");
    if (second)
        return group ? lower_template(l, "array_extract(regexp_extract_all($1, $2, $3), $5)", parts,
                                      5, call)
                     : lower_template(l, "array_extract(regexp_extract_all($1, $2), $5)", parts, 5,
                                      call);
    if (flags)
        return lower_template(l, "regexp_extract($1, $2, $3, $4)", parts, 4, call);
    return group ? lower_template(l, "regexp_extract($1, $2, $3)", parts, 3, call)
                 : lower_template(l, "regexp_extract($1, $2)", parts, 2, call);
}

static struct node *hook_regexp_substr_all(struct lower *l, struct node *call, struct node **args,
                                           size_t count)
{
    struct node *subject = args[0];
    if (count > 2 && !literal_is(args[2], "1")) {
        struct node *cut[] = {args[0], args[2]};
        subject = lower_template(l, "substring($1, $2)", cut, 2, NULL);
    }
    struct node *parts[] = {subject, args[1], count > 5 ? args[5] : lower_number(l, 0, call),
                            count > 4 ? args[4] : NULL, count > 3 ? args[3] : NULL};
    bool group = count > 5 && !literal_is(args[5], "0");
    bool flags = count > 4 && !literal_is(args[4], "e") && !literal_is(args[4], "c");
    struct node *all = flags
                           ? lower_template(l, "regexp_extract_all($1, $2, $3, $4)", parts, 4, call)
                       : group ? lower_template(l, "regexp_extract_all($1, $2, $3)", parts, 3, call)
                               : lower_template(l, "regexp_extract_all($1, $2)", parts, 2, call);
    if (count > 3 && !literal_is(args[3], "1")) {
        struct node *cut[] = {all, args[3]};
        return lower_template(l, "$1[$2:]", cut, 2, NULL);
    }
    return all;
}

/* REGEXP_INSTR(x, pattern [, position [, occurrence [, option [, flags]]]]) */
static struct node *hook_regexp_instr(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    if (count > 6)
        return hook_refuse(l, call);
    struct node *one = lower_number(l, 1, call), *zero = lower_number(l, 0, call);
    struct node *parts[] = {args[0], args[1], count > 2 ? args[2] : one, count > 3 ? args[3] : one,
                            count > 4 ? args[4] : zero};
    if (count > 5) {
        struct node *flagged[] = {args[5], args[1]};
        parts[1] = lower_template(l, "'(?' || $1 || ')' || $2", flagged, 2, NULL);
    }
    return lower_template(l,
                          "CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN $2 = '' THEN 0 WHEN "
                          "length(regexp_extract_all(substring($1, $3), $2)) < $4 THEN 0 ELSE $3 + "
                          "coalesce(list_sum(list_transform(string_split_regex(substring($1, $3), "
                          "$2)[1:$4], x -> length(x))), 0) + "
                          "coalesce(list_sum(list_transform(regexp_extract_all(substring($1, $3), "
                          "$2)[1:$4 - 1], x -> length(x))), 0) + "
                          "CASE WHEN $5 = 1 THEN length(regexp_extract_all(substring($1, $3), "
                          "$2)[$4]) ELSE 0 END END",
                          parts, 5, NULL);
}

/* ---- times ---- */

static struct str raw_unit(struct lower *l, const struct node *node)
{
    if (node->kind == N_STRING)
        return lower_upper(l, node->text);
    return node->kind == N_REF && node->count == 1 ? lower_upper(l, node->kids[0]->text) : STR("");
}

static bool has_zone(struct str text)
{
    for (size_t i = 11; i < text.len; i++) {
        if (text.data[i] == '+' || (text.data[i] == '-' && i > 11))
            return true;
    }
    return false;
}

static struct node *temporal(struct lower *l, struct node *value)
{
    if (value->kind != N_STRING)
        return value;
    return lower_cast(l, value,
                      value->text.len <= 10   ? "DATE"
                      : has_zone(value->text) ? "TIMESTAMPTZ"
                                              : "TIMESTAMP");
}

static struct node *hook_sf_dateadd(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    struct str unit = raw_unit(l, args[0]);
    if (str_is(unit, "NANOSECOND") || str_is(unit, "NS"))
        return TEMPLATE("make_timestamp_ns(epoch_ns(CAST($3 AS TIMESTAMP_NS)) + $2)");
    args[2] = temporal(l, args[2]);
    return TEMPLATE("_add($3, $2, $1)");
}

static struct node *hook_sf_datediff(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    struct str unit = lower_unit(l, args[0]);
    if (str_is(unit, "NANOSECOND"))
        return TEMPLATE("epoch_ns(CAST($3 AS TIMESTAMP_NS)) - epoch_ns(CAST($2 AS TIMESTAMP_NS))");
    args[1] = temporal(l, args[1]);
    args[2] = temporal(l, args[2]);
    if (str_is(unit, "WEEK"))
        return TEMPLATE("date_diff('WEEK', date_trunc('WEEK', $2), date_trunc('WEEK', $3))");
    return TEMPLATE("date_diff(_unit($1), $2, $3)");
}

static struct node *hook_sf_datepart(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    static const char *const rows[][2] = {
        {"WEEKISO", "CAST(strftime($2, '%V') AS INT)"},
        {"WEEK_ISO", "CAST(strftime($2, '%V') AS INT)"},
        {"YEAROFWEEK", "CAST(strftime($2, '%G') AS INT)"},
        {"YEAROFWEEKISO", "CAST(strftime($2, '%G') AS INT)"},
        {"EPOCH_SECOND", "CAST(epoch($2) AS BIGINT)"},
        {"EPOCH", "CAST(epoch($2) AS BIGINT)"},
        {"EPOCH_SECONDS", "CAST(epoch($2) AS BIGINT)"},
        {"EPOCH_MILLISECOND", "epoch_ms($2)"},
        {"EPOCH_MILLISECONDS", "epoch_ms($2)"},
        {"EPOCH_MICROSECOND", "epoch_us($2)"},
        {"EPOCH_MICROSECONDS", "epoch_us($2)"},
        {"EPOCH_NANOSECOND", "epoch_ns($2)"},
        {"WEEKDAY_ISO", "extract('isodow' FROM $2)"},
        {"DOW_ISO", "extract('isodow' FROM $2)"},
        {"NANOSECOND", "CAST(strftime(CAST($2 AS TIMESTAMP_NS), '%n') AS BIGINT)"},
        {"WEEKDAY", "extract('dow' FROM $2)"},
        {"TIMEZONE_HOUR", "extract('timezone_hour' FROM $2)"},
    };
    struct str unit = raw_unit(l, args[0]);
    args[1] = temporal(l, args[1]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_is(unit, rows[i][0]))
            return TEMPLATE(rows[i][1]);
    }
    lower_hook *datepart = lower_hook_find("datepart");
    return datepart(l, call, args, count);
}

/* DATE_TRUNC keeps the type of its argument. */
static struct node *hook_sf_date_trunc(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    struct str unit = lower_unit(l, args[0]);
    struct node *given[] = {args[0], args[1]};
    if (unit.len == 0 && lower_unit(l, args[1]).len) { /* TRUNC(x, unit) in the other order */
        given[0] = args[1];
        given[1] = args[0];
        unit = lower_unit(l, given[0]);
    }
    bool small = str_is(unit, "HOUR") || str_is(unit, "MINUTE") || str_is(unit, "SECOND") ||
                 str_is(unit, "MILLISECOND") || str_is(unit, "MICROSECOND");
    given[1] = temporal(l, given[1]);
    (void)args;
    (void)count;
    if (given[1]->type == TY_TIME)
        return lower_template(
            l, "CAST(date_trunc(_unit($1), CAST('1970-01-01' AS DATE) + $2) AS TIME)", given, 2,
            call);
    if (given[1]->type == TY_DATE)
        return lower_template(l, "CAST(date_trunc(_unit($1), $2) AS DATE)", given, 2, call);
    if (given[1]->type == TY_TIMESTAMP && !small)
        return lower_template(l, "CAST(date_trunc(_unit($1), $2) AS TIMESTAMP)", given, 2, call);
    return lower_template(l, "date_trunc(_unit($1), $2)", given, 2, call);
}

static struct node *hook_sf_last_day(struct lower *l, struct node *call, struct node **args,
                                     size_t count)
{
    struct str unit = lower_unit(l, args[1]);
    args[0] = args[0]->kind == N_STRING ? lower_cast(l, args[0], "DATE") : args[0];
    if (str_is(unit, "MONTH"))
        return TEMPLATE("last_day($1)");
    if (str_is(unit, "YEAR"))
        return TEMPLATE("make_date(extract('year' FROM $1), 12, 31)");
    if (str_is(unit, "QUARTER"))
        return TEMPLATE(
            "last_day(make_date(extract('year' FROM $1), extract('quarter' FROM $1) * 3, 1))");
    if (str_is(unit, "WEEK"))
        return TEMPLATE(
            "CAST($1 + to_days(CAST((7 - extract('dow' FROM $1)) % 7 AS INT)) AS DATE)");
    return hook_refuse(l, call);
}

/* ADD_MONTHS: the last day of a month stays the last day; the type stays. */
static struct node *hook_add_months(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    args[0] = temporal(l, args[0]);
    if (args[1]->type == TY_DECIMAL || args[1]->type == TY_DOUBLE) {
        struct node *months[] = {args[1]};
        args[1] = lower_template(l, "CAST(round($1) AS INT)", months, 1, NULL);
    }
    struct node *sum = TEMPLATE("CASE WHEN last_day($1) = $1 THEN last_day($1 + to_months($2)) "
                                "ELSE $1 + to_months($2) END");
    uint8_t type = args[0]->type;
    const char *name = type == TY_DATE          ? "DATE"
                       : type == TY_TIMESTAMPTZ ? "TIMESTAMPTZ"
                       : type == TY_TIMESTAMP   ? "TIMESTAMP"
                                                : NULL;
    return name ? lower_cast(l, sum, name) : sum;
}

/* TIME_FROM_PARTS(h, m, s [, ns]): parts may be beyond their range */
static struct node *hook_time_from_parts(struct lower *l, struct node *call, struct node **args,
                                         size_t count)
{
    int64_t h = 0, m = 0, s = 0;
    bool plain = count == 3 && int_literal(args[0], &h) && int_literal(args[1], &m) &&
                 int_literal(args[2], &s) && h >= 0 && h < 24 && m >= 0 && m < 60 && s >= 0 &&
                 s < 60;
    if (plain)
        return TEMPLATE("make_time($1, $2, $3)");
    return count == 3
               ? TEMPLATE("CAST('00:00:00' AS TIME) + to_seconds(($1 * 3600) + ($2 * 60) + $3)")
               : TEMPLATE("CAST('00:00:00' AS TIME) + to_seconds(($1 * 3600) + ($2 * 60) + $3 + "
                          "($4 / 1000000000.0))");
}

/* TIME_SLICE(x, n, unit [, 'START' | 'END']) */
static struct node *hook_time_slice(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    bool end = count == 4 && literal_is(args[3], "END");
    struct node *value = TEMPLATE("time_bucket(_interval($2, $3), $1)");
    if (!end)
        return value;
    struct node *sum[] = {value, args[1], args[2]};
    struct node *later = lower_template(l, "_add($1, $2, $3)", sum, 3, NULL);
    return args[0]->type == TY_DATE ? lower_cast(l, later, "DATE") : later;
}

/* ---- arrays, objects, paths ---- */

static struct node *hook_array_size(struct lower *l, struct node *call, struct node **args,
                                    size_t count)
{
    return args[0]->type == TY_JSON ? TEMPLATE("json_array_length($1)")
                                    : TEMPLATE("array_length($1)");
}

/* ARRAY_SLICE(x, from, to): from 0, `to` is not in it */
static struct node *hook_sf_slice(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    return TEMPLATE("array_slice($1, CASE WHEN $2 >= 0 THEN $2 + 1 ELSE $2 END, CASE WHEN $3 < 0 "
                    "THEN $3 - 1 ELSE $3 END)");
}

static struct node *hook_array_remove_at(struct lower *l, struct node *call, struct node **args,
                                         size_t count)
{
    int64_t at = 0;
    (void)count;
    if (!int_literal(args[1], &at))
        return hook_refuse(l, call);
    struct node *parts[] = {args[0], lower_number(l, at, call), lower_number(l, at + 2, call)};
    if (at == 0)
        return lower_template(l, "CASE WHEN $1 IS NULL THEN NULL ELSE $1[2:] END", parts, 1, call);
    if (at == -1)
        return lower_template(l, "CASE WHEN $1 IS NULL THEN NULL ELSE $1[1:length($1) - 1] END",
                              parts, 1, call);
    if (at > 0)
        return lower_template(
            l, "CASE WHEN $1 IS NULL THEN NULL ELSE list_concat($1[1:$2], $1[$3:]) END", parts, 3,
            call);
    return lower_template(l,
                          "CASE WHEN $1 IS NULL THEN NULL ELSE list_concat($1[1:length($1) + $2], "
                          "$1[length($1) + $2 + 2:]) END",
                          parts, 3, call);
}

static struct node *hook_sf_get(struct lower *l, struct node *call, struct node **args,
                                size_t count)
{
    if (args[0]->type == TY_MAP)
        return TEMPLATE("$1[$2]");
    if (args[0]->type == TY_LIST)
        return TEMPLATE("$1[_index($2)]");
    return hook_is_literal(args[1]) ? TEMPLATE("$1 -> _path($2)") : hook_refuse(l, call);
}

/* 'a["b c"][0].d' as $.a."b c"[0].d */
static struct node *path_of(struct lower *l, struct node *path)
{
    struct buf out;
    struct str text = path->text;
    buf_init(&out, 1 << 16);
    buf_append_char(&out, '$');
    if (text.len && text.data[0] != '[')
        buf_append_char(&out, '.');
    for (size_t i = 0; i < text.len; i++) {
        bool quoted = text.data[i] == '[' && i + 1 < text.len &&
                      (text.data[i + 1] == '"' || text.data[i + 1] == '\'');
        if (!quoted) {
            buf_append_char(&out, text.data[i]);
            continue;
        }
        char quote = text.data[i + 1];
        const char *end = memchr(text.data + i + 2, quote, text.len - i - 2);
        if (!end)
            break;
        buf_append_str(&out, STR(".\""));
        buf_append_str(&out, str_make(text.data + i + 2, (size_t)(end - text.data) - i - 2));
        buf_append_char(&out, '"');
        i = (size_t)(end - text.data) + 1;
    }
    struct str made = arena_str(l->arena, buf_str(&out));
    buf_release(&out);
    return lower_string(l, made.data ? made.data : "$", path);
}

static struct node *hook_get_path(struct lower *l, struct node *call, struct node **args,
                                  size_t count)
{
    if (args[1]->kind != N_STRING)
        return hook_refuse(l, call);
    args[1] = path_of(l, args[1]);
    return TEMPLATE("$1 -> $2");
}

static struct node *hook_get_path_text(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    if (args[1]->kind != N_STRING)
        return hook_refuse(l, call);
    args[1] = path_of(l, args[1]);
    return TEMPLATE("$1 ->> $2");
}

/* OBJECT_INSERT(o, 'key', value) */
static struct node *hook_object_insert(struct lower *l, struct node *call, struct node **args,
                                       size_t count)
{
    if (args[1]->kind != N_STRING)
        return hook_refuse(l, call);
    struct node *named = lower_node(l, N_NAMED, "", 1, call);
    if (l->status != STATUS_OK)
        return call;
    named->text = args[1]->text;
    named->kids[0] = args[2];
    bool empty = node_is(args[0], N_MAP) && args[0]->count == 0;
    struct node *both[] = {args[0], named};
    (void)count;
    return empty ? lower_call_of(l, "struct_pack", &named, 1, call)
                 : lower_call_of(l, "struct_insert", both, 2, call);
}

/* ---- aggregates and windows ---- */

/* Bits of decimals and floats are those of the rounded number. */
static struct node *hook_bit_agg(struct lower *l, struct node *call, struct node **args,
                                 size_t count)
{
    struct str name = lower_upper(l, call->text);
    char kind = name.len > 4 && name.data[3] == '_' ? name.data[4] : name.data[3];
    if (args[0]->type == TY_DOUBLE)
        args[0] = lower_cast(l, lower_call_of(l, "round", args, 1, call), "INT");
    else if (args[0]->type == TY_DECIMAL)
        args[0] = lower_cast(l, args[0], "INT");
    return kind == 'A'   ? TEMPLATE("bit_and($1)")
           : kind == 'O' ? TEMPLATE("bit_or($1)")
                         : TEMPLATE("bit_xor($1)");
}

static struct node *hook_corr(struct lower *l, struct node *call, struct node **args, size_t count)
{
    struct node *plain = lower_shallow(l, call);
    if (l->status != STATUS_OK)
        return call;
    (void)args;
    (void)count;
    return lower_template(l, "CASE WHEN isnan($1) THEN NULL ELSE $1 END", &plain, 1, NULL);
}

static struct node *hook_ratio(struct lower *l, struct node *call, struct node **args, size_t count)
{
    struct node *sum = TEMPLATE("sum($1)");
    struct node *both[] = {args[0], sum};
    return lower_template(l, "$1 / $2", both, 2, NULL);
}

/* Without a frame, these see the whole partition. */
static struct node *hook_whole_window(struct lower *l, struct node *call, struct node **args,
                                      size_t count)
{
    struct node *over = call->kids[CALL_OVER];
    (void)args;
    (void)count;
    if (!over || over->kids[WINDOW_START] || (over->flags & NODE_NO_PARENS))
        return call;
    struct node *window = lower_shallow(l, over);
    struct node *start = lower_node(l, N_BOUND, "UNBOUNDED PRECEDING", 1, call),
                *end = lower_node(l, N_BOUND, "UNBOUNDED FOLLOWING", 1, call);
    if (l->status != STATUS_OK)
        return call;
    window->text = STR("ROWS");
    window->kids[WINDOW_START] = start;
    window->kids[WINDOW_END] = end;
    call->kids[CALL_OVER] = window;
    return call;
}

/* TABLE(GENERATOR(ROWCOUNT => n)): RANGE(n) */
static struct node *hook_generator(struct lower *l, struct node *call, struct node **args,
                                   size_t count)
{
    if (args[0]->kind != N_NAMED || !str_eq_nocase(args[0]->text, STR("rowcount")))
        return hook_refuse(l, call);
    (void)count;
    return lower_call_of(l, "range", &args[0]->kids[0], 1, call);
}

const struct hook_row hooks_snowflake[] = {
    {"to_decimal", hook_to_decimal},
    {"to_array", hook_to_array},
    {"to_binary", hook_to_binary},
    {"sf_to_date", hook_sf_to_date},
    {"sf_try_to_date", hook_sf_try_to_date},
    {"sf_to_timestamp", hook_sf_to_timestamp},
    {"round_to", hook_round_to},
    {"round_scale", hook_round_scale},
    {"sf_trunc", hook_sf_trunc},
    {"bit_shift", hook_bit_shift},
    {"uniform", hook_uniform},
    {"sequence", hook_sequence},
    {"char_index", hook_char_index},
    {"sf_split", hook_sf_split},
    {"sf_split_part", hook_sf_split_part},
    {"regexp_substr", hook_regexp_substr},
    {"regexp_substr_all", hook_regexp_substr_all},
    {"regexp_instr", hook_regexp_instr},
    {"sf_dateadd", hook_sf_dateadd},
    {"sf_datediff", hook_sf_datediff},
    {"sf_datepart", hook_sf_datepart},
    {"sf_date_trunc", hook_sf_date_trunc},
    {"sf_last_day", hook_sf_last_day},
    {"add_months", hook_add_months},
    {"time_from_parts", hook_time_from_parts},
    {"time_slice", hook_time_slice},
    {"array_size", hook_array_size},
    {"sf_slice", hook_sf_slice},
    {"array_remove_at", hook_array_remove_at},
    {"sf_get", hook_sf_get},
    {"get_path", hook_get_path},
    {"get_path_text", hook_get_path_text},
    {"object_insert", hook_object_insert},
    {"bit_agg", hook_bit_agg},
    {"corr", hook_corr},
    {"ratio", hook_ratio},
    {"whole_window", hook_whole_window},
    {"generator", hook_generator},
    {NULL, NULL},
};

/* lower_time.c: time formats, units, intervals, EXTRACT. */
#include <stdio.h>

#include "query/lang/lower_int.h"

/* ---- units ---- */

struct unit_row {
    const char *name;
    const char *to;
};

static const struct unit_row units[] = {
    {"MICROSECOND", "MICROSECOND"},
    {"MICROSECONDS", "MICROSECOND"},
    {"US", "MICROSECOND"},
    {"USEC", "MICROSECOND"},
    {"MCS", "MICROSECOND"},
    {"MILLISECOND", "MILLISECOND"},
    {"MILLISECONDS", "MILLISECOND"},
    {"MS", "MILLISECOND"},
    {"MSEC", "MILLISECOND"},
    {"SECOND", "SECOND"},
    {"SECONDS", "SECOND"},
    {"SEC", "SECOND"},
    {"SS", "SECOND"},
    {"S", "SECOND"},
    {"MINUTE", "MINUTE"},
    {"MINUTES", "MINUTE"},
    {"MIN", "MINUTE"},
    {"MI", "MINUTE"},
    {"N", "MINUTE"},
    {"MINS", "MINUTE"},
    {"HOUR", "HOUR"},
    {"HOURS", "HOUR"},
    {"HH", "HOUR"},
    {"H", "HOUR"},
    {"HR", "HOUR"},
    {"HRS", "HOUR"},
    {"DAY", "DAY"},
    {"DAYS", "DAY"},
    {"DD", "DAY"},
    {"D", "DAY"},
    {"DAYOFMONTH", "DAY"},
    {"WEEK", "WEEK"},
    {"WEEKS", "WEEK"},
    {"WK", "WEEK"},
    {"WW", "WEEK"},
    {"W", "WEEK"},
    {"ISOWEEK", "WEEK"},
    {"ISO_WEEK", "WEEK"},
    {"WEEKISO", "WEEK"},
    {"WEEK_ISO", "WEEK"},
    {"WEEKOFYEAR", "WEEK"},
    {"WY", "WEEK"},
    {"WOY", "WEEK"},
    {"MONTH", "MONTH"},
    {"MONTHS", "MONTH"},
    {"MM", "MONTH"},
    {"MON", "MONTH"},
    {"M", "MONTH"},
    {"MONS", "MONTH"},
    {"QUARTER", "QUARTER"},
    {"QUARTERS", "QUARTER"},
    {"QQ", "QUARTER"},
    {"Q", "QUARTER"},
    {"QTR", "QUARTER"},
    {"YEAR", "YEAR"},
    {"YEARS", "YEAR"},
    {"YYYY", "YEAR"},
    {"YY", "YEAR"},
    {"Y", "YEAR"},
    {"YR", "YEAR"},
    {"YRS", "YEAR"},
    {"DECADE", "DECADE"},
    {"DECADES", "DECADE"},
    {"CENTURY", "CENTURY"},
    {"CENTURIES", "CENTURY"},
    {"MILLENNIUM", "MILLENNIUM"},
    {"EPOCH", "EPOCH"},
    {"DOW", "DOW"},
    {"DAYOFWEEK", "DAYOFWEEK"},
    {"DOY", "DOY"},
    {"DAYOFYEAR", "DOY"},
    {"DY", "DOY"},
    {"ISODOW", "ISODOW"},
    {"DAYOFWEEKISO", "ISODOW"},
    {"DAYOFWEEK_ISO", "ISODOW"},
    {"ISOYEAR", "ISOYEAR"},
    {"YEAROFWEEKISO", "ISOYEAR"},
    {"YEAROFWEEK", "ISOYEAR"},
    {"TIMEZONE", "TIMEZONE"},
    {"TIMEZONE_HOUR", "TIMEZONE_HOUR"},
    {"TIMEZONE_MINUTE", "TIMEZONE_MINUTE"},
    {"ERA", "ERA"},
    {"JULIAN", "JULIAN"},
    {"YEARWEEK", "YEARWEEK"},
    {"NANOSECOND", "NANOSECOND"},
    {"NANOSECONDS", "NANOSECOND"},
    {"NS", "NANOSECOND"},
};

static struct str unit_of(struct lower *l, struct str name)
{
    struct str upper = lower_upper(l, str_trim(name));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_is(upper, units[i].name))
            return str_of(units[i].to);
    }
    return STR("");
}

struct str lower_unit(struct lower *l, const struct node *node)
{
    if (!node)
        return STR("");
    if (node->kind == N_STRING)
        return unit_of(l, node->text);
    if (node->kind == N_REF && node->count == 1)
        return unit_of(l, node->kids[0]->text);
    if (node->kind == N_CALL && list_count(kid(node, CALL_ARGS)) == 0)
        return unit_of(l, node->text);
    return STR("");
}

/* ---- formats ---- */

static const struct time_row *time_rows(const struct dialect *dialect)
{
    while (dialect && !dialect->time)
        dialect = dialect->parent;
    return dialect ? dialect->time : NULL;
}

static const struct time_row *match_time(const struct time_row *rows, struct str rest)
{
    const struct time_row *best = NULL;
    size_t best_len = 0;
    for (const struct time_row *row = rows; row->from; row++) {
        struct str from = str_of(row->from);
        if (from.len <= best_len || rest.len < from.len)
            continue;
        struct str head = str_make(rest.data, from.len);
        if (str_eq(head, from)) {
            best = row;
            best_len = from.len;
        }
    }
    return best;
}

/* Percent formats: %x by rows; a directive without a row is refused. */
static bool convert_percent(const struct time_row *rows, struct str format, struct buf *out)
{
    while (format.len) {
        if (format.data[0] != '%' || format.len < 2) {
            buf_append_char(out, format.data[0]);
            format.data++;
            format.len--;
            continue;
        }
        const struct time_row *row = match_time(rows, format);
        if (!row || !row->to)
            return false;
        buf_append_str(out, str_of(row->to));
        format.data += strlen(row->from);
        format.len -= strlen(row->from);
    }
    return true;
}

/* Letter formats (YYYY-MM-DD): the longest row that matches; "..." and '...' are literal. */
static bool convert_letters(const struct time_row *rows, struct str format, struct buf *out)
{
    while (format.len) {
        char c = format.data[0];
        const struct time_row *row = match_time(rows, format);
        if (row && !row->to)
            return false;
        if (row) {
            buf_append_str(out, str_of(row->to));
            format.data += strlen(row->from);
            format.len -= strlen(row->from);
            continue;
        }
        if (c == '"' || c == '\'') {
            const char *end = memchr(format.data + 1, c, format.len - 1);
            if (!end)
                return false;
            for (const char *p = format.data + 1; p < end; p++)
                buf_append_char(out, *p);
            format.len -= (size_t)(end + 1 - format.data);
            format.data = end + 1;
            continue;
        }
        if (((c | 32) >= 'a' && (c | 32) <= 'z' && c != 'T' && c != 'Z'))
            return false;
        if (c == '%')
            buf_append_char(out, '%');
        buf_append_char(out, c);
        format.data++;
        format.len--;
    }
    return true;
}

struct node *lower_format(struct lower *l, const struct node *format)
{
    const struct time_row *rows = time_rows(l->dialect);
    if (!rows) /* the dialect's directives are DuckDB's */
        return (struct node *)format;
    if (format->kind != N_STRING) {
        lower_unsupported(l, format, STR("format"), "no translation of a computed time");
        return (struct node *)format;
    }
    struct buf out;
    buf_init(&out, 4096);
    bool percent = rows->from && rows->from[0] == '%';
    bool done = percent ? convert_percent(rows, format->text, &out)
                        : convert_letters(rows, format->text, &out);
    struct str text = arena_str(l->arena, buf_str(&out));
    buf_release(&out);
    if (!done)
        lower_unsupported(l, format, format->text, "no translation of the time format");
    return lower_string(l, text.data ? text.data : "", format);
}

/* ---- intervals ---- */

/* '1 day', '2 hours 30 minutes': DuckDB reads them; '0.5 second' too. '1-2' YEAR TO MONTH not. */
static struct node *compound_interval(struct lower *l, const struct node *node, struct node *value)
{
    static const struct {
        const char *unit;
        const char *template;
    } rows[] = {
        {"YEAR TO MONTH", "to_months(CAST(split_part($1, '-', 1) AS INT) * 12 + "
                          "CAST(split_part($1, '-', 2) AS INT))"},
        {"YEAR_MONTH", "to_months(CAST(split_part(CAST($1 AS TEXT), '-', 1) AS INT) * 12 + "
                       "CAST(split_part(CAST($1 AS TEXT), '-', 2) AS INT))"},
        {"DAY_HOUR", "to_hours(CAST(split_part(CAST($1 AS TEXT), ' ', 1) AS INT) * 24 + "
                     "CAST(split_part(CAST($1 AS TEXT), ' ', 2) AS INT))"},
        {"HOUR_MINUTE", "to_minutes(CAST(split_part(CAST($1 AS TEXT), ':', 1) AS INT) * 60 + "
                        "CAST(split_part(CAST($1 AS TEXT), ':', 2) AS INT))"},
        {"MINUTE_SECOND", "to_seconds(CAST(split_part(CAST($1 AS TEXT), ':', 1) AS INT) * 60 + "
                          "CAST(split_part(CAST($1 AS TEXT), ':', 2) AS INT))"},
        {"HOUR_SECOND", "CAST(CAST($1 AS TEXT) AS INTERVAL)"},
        {"DAY_SECOND", "CAST(replace(CAST($1 AS TEXT), ' ', ' days ') AS INTERVAL)"},
        {"DAY TO SECOND", "CAST(replace(CAST($1 AS TEXT), ' ', ' days ') AS INTERVAL)"},
        {"HOUR TO SECOND", "CAST(CAST($1 AS TEXT) AS INTERVAL)"},
        {"HOUR TO MINUTE", "CAST(CAST($1 AS TEXT) AS INTERVAL)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_is(node->text, rows[i].unit) && value->kind == N_STRING)
            return lower_template(l, rows[i].template, &value, 1, NULL);
    }
    lower_unsupported(l, node, node->text, "no translation of the interval unit");
    return value;
}

struct node *lower_interval(struct lower *l, const struct node *node)
{
    struct node *value = lower_tree(l, node->kids[0]);
    if (l->status != STATUS_OK)
        return value;
    struct str unit = node->text;
    if (unit.len) {
        unit = unit_of(l, unit);
        if (unit.len == 0)
            return compound_interval(l, node, value);
    }
    struct node *copy = lower_node(l, N_INTERVAL, "", 1, node);
    if (l->status == STATUS_OK) {
        copy->kids[0] = value;
        copy->text = unit;
        copy->type = TY_INTERVAL;
    }
    return copy;
}

/* ---- EXTRACT ---- */

static const struct unit_row extract_rows[] = {
    {"YEAR_MONTH", "year($1) * 100 + month($1)"},
    {"DAY_HOUR", "day($1) * 100 + hour($1)"},
    {"HOUR_MINUTE", "hour($1) * 100 + minute($1)"},
    {"HOUR_SECOND", "hour($1) * 10000 + minute($1) * 100 + second($1)"},
    {"MINUTE_SECOND", "minute($1) * 100 + second($1)"},
    {"DATE", "CAST($1 AS DATE)"},
    {"TIME", "CAST($1 AS TIME)"},
    {"EPOCH_SECOND", "CAST(epoch($1) AS BIGINT)"},
    {"EPOCH_MILLISECOND", "epoch_ms($1)"},
    {"EPOCH_MICROSECOND", "epoch_us($1)"},
    {"EPOCH_NANOSECOND", "epoch_ns($1)"},
};

struct node *lower_extract(struct lower *l, const struct node *node)
{
    struct node *operand = lower_tree(l, node->kids[0]);
    if (l->status != STATUS_OK)
        return operand;
    for (size_t i = 0; i < sizeof extract_rows / sizeof *extract_rows; i++) {
        if (str_is(node->text, extract_rows[i].name))
            return lower_template(l, extract_rows[i].to, &operand, 1, NULL);
    }
    if (l->id == LANG_SNOWFLAKE) {
        struct node *args[] = {lower_text(l, N_STRING, node->text, node), operand};
        return lower_hook_find("sf_datepart")(l, (struct node *)node, args, 2);
    }
    if (l->id == LANG_MYSQL && operand->type != TY_TIMESTAMP && operand->kind == N_STRING)
        operand = lower_cast(l, operand, operand->text.len <= 10 ? "DATE" : "TIMESTAMP");
    if (l->id == LANG_MYSQL && str_is(node->text, "MICROSECOND"))
        return lower_template(l, "extract('microsecond' FROM $1) % 1000000", &operand, 1, NULL);
    if (l->id == LANG_BIGQUERY && str_is(node->text, "DAYOFWEEK"))
        return lower_template(l, "dayofweek($1) + 1", &operand, 1, NULL);
    if (l->id == LANG_SPARK && (str_is(node->text, "DAYOFWEEK") || str_is(node->text, "DOW")))
        return lower_template(l, "dayofweek($1) + 1", &operand, 1, NULL);
    if (l->id == LANG_BIGQUERY && str_is(node->text, "WEEK"))
        return lower_template(l, "CAST(strftime($1, '%U') AS INT)", &operand, 1, NULL);
    struct str unit = unit_of(l, node->text);
    struct node *copy = lower_node(l, N_EXTRACT, "", 1, node);
    if (l->status != STATUS_OK)
        return copy;
    if (unit.len == 0)
        lower_unsupported(l, node, node->text, "no translation of the unit");
    copy->text = unit;
    copy->kids[0] = operand;
    lower_infer(l, copy);
    return copy;
}

/* time.c: parts of dates and timestamps, and their beginnings. Years 1 to 9999. */
#include "base/datetime.h"
#include "query/expr/expr_int.h"

static const int64_t us_per_day = INT64_C(86400000000), us_per_second = 1000000;

enum { DAYS_FIRST = -719162, DAYS_LAST = 2932896 }; /* 0001-01-01, 9999-12-31 */

/* A moment as whole days and the rest of a day. */
struct moment {
    int32_t days;
    int64_t us;
};

static bool moment_of(const struct column *column, uint32_t row, struct moment *ret)
{
    int64_t us = column->type == TYPE_DATE ? column_date(column, row) * us_per_day
                                           : column_int64(column, row);
    int64_t days = us / us_per_day - (us % us_per_day < 0);
    *ret = (struct moment){(int32_t)days, us - days * us_per_day};
    return days >= DAYS_FIRST && days <= DAYS_LAST;
}

/* Monday: 1 ... Sunday: 7. 1970-01-01 was a Thursday. */
static int iso_day(int32_t days)
{
    int day = (int)((days + 3) % 7);
    return (day < 0 ? day + 7 : day) + 1;
}

/* The week that has the year's first Thursday is its first. */
static int iso_week(int32_t days)
{
    int year, month, day;
    int32_t thursday = days - iso_day(days) + 4;
    date_to_civil(thursday, &year, &month, &day);
    return (int)((thursday - date_from_civil(year, 1, 1)) / 7) + 1;
}

static int64_t part_of(enum expr_unit unit, struct moment at)
{
    int year, month, day;
    date_to_civil(at.days, &year, &month, &day);
    int64_t seconds = at.us / us_per_second;
    switch (unit) {
    case UNIT_YEAR:
        return year;
    case UNIT_QUARTER:
        return (month + 2) / 3;
    case UNIT_MONTH:
        return month;
    case UNIT_WEEK:
        return iso_week(at.days);
    case UNIT_DAY:
        return day;
    case UNIT_HOUR:
        return seconds / 3600;
    case UNIT_MINUTE:
        return seconds / 60 % 60;
    case UNIT_SECOND:
        return seconds % 60;
    case UNIT_DAY_OF_WEEK:
        return iso_day(at.days) % 7;
    case UNIT_ISO_DAY_OF_WEEK:
        return iso_day(at.days);
    case UNIT_DAY_OF_YEAR:
        return at.days - date_from_civil(year, 1, 1) + 1;
    }
    return 0;
}

static int64_t begin_of(enum expr_unit unit, struct moment at)
{
    int year, month, day;
    int64_t seconds = at.us / us_per_second, midnight = at.days * us_per_day;
    date_to_civil(at.days, &year, &month, &day);
    switch (unit) {
    case UNIT_YEAR:
        return date_from_civil(year, 1, 1) * us_per_day;
    case UNIT_QUARTER:
        return date_from_civil(year, (month - 1) / 3 * 3 + 1, 1) * us_per_day;
    case UNIT_MONTH:
        return date_from_civil(year, month, 1) * us_per_day;
    case UNIT_WEEK:
        return (at.days - iso_day(at.days) + 1) * us_per_day;
    case UNIT_HOUR:
        return midnight + seconds / 3600 * 3600 * us_per_second;
    case UNIT_MINUTE:
        return midnight + seconds / 60 * 60 * us_per_second;
    case UNIT_SECOND:
        return midnight + seconds * us_per_second;
    default:
        return midnight;
    }
}

enum status step_time(struct step *step, uint32_t rows, struct error *err)
{
    const struct column *in = step_arg(step, 0);
    bool part = step->expr->op == EXPR_TIME_PART, strange = false;
    TRY(step_room(step, rows, err));
    int64_t *out = step->out.values;
    for (uint32_t i = 0; i < rows; i++) {
        struct moment at;
        strange |= !moment_of(in, i, &at);
        out[i] = part ? part_of(step->expr->unit, at) : begin_of(step->expr->unit, at);
    }
    if (strange)
        return step_doubt(err, "a time outside years 1 to 9999");
    return step_take_nulls(step, rows, err);
}

#include "base/datetime.h"

#include <stdio.h>

static const int64_t us_per_second = 1000000;
static const int64_t us_per_day = 86400 * (int64_t)1000000;

int32_t date_from_civil(int year, int month, int day)
{
    int y = year - (month <= 2);
    int era = (y >= 0 ? y : y - 399) / 400;
    int year_of_era = y - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void date_to_civil(int32_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = (int64_t)days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int doe = (int)(z - era * 146097);
    int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int mp = (5 * doy + 2) / 153;
    *ret_day = doy - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (int)(yoe + era * 400) + (*ret_month <= 2);
}

/* Exactly n digits. */
static bool digits(struct str *text, int n, int *ret)
{
    int value = 0;
    if (text->len < (size_t)n)
        return false;
    for (int i = 0; i < n; i++) {
        char c = text->data[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *text = str_make(text->data + n, text->len - (size_t)n);
    *ret = value;
    return true;
}

static bool take(struct str *text, char c)
{
    if (!text->len || text->data[0] != c)
        return false;
    *text = str_make(text->data + 1, text->len - 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct str *text, int32_t *ret_days)
{
    int year, month, day;
    if (!digits(text, 4, &year) || !take(text, '-') || !digits(text, 2, &month) ||
        !take(text, '-') || !digits(text, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *ret_days = date_from_civil(year, month, day);
    return true;
}

static bool take_fraction(struct str *text, int64_t *us)
{
    if (!take(text, '.'))
        return true;
    int n = 0, digit;
    int64_t scale = us_per_second / 10;
    for (; n < 9 && digits(text, 1, &digit); n++, scale /= 10)
        *us += scale * digit;
    return n > 0;
}

static bool take_zone(struct str *text, int64_t *us)
{
    if (text->len == 0 || take(text, 'Z') || take(text, 'z'))
        return true;
    int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
    int hours, minutes = 0;
    if (!sign || !digits(text, 2, &hours))
        return false;
    if (text->len && ((void)take(text, ':'), !digits(text, 2, &minutes)))
        return false;
    if (hours > 15 || minutes > 59)
        return false;
    *us -= sign * (hours * 3600 + minutes * 60) * us_per_second;
    return true;
}

bool date_parse(struct str text, int32_t *ret_days)
{
    return take_date(&text, ret_days) && text.len == 0;
}

bool timestamp_parse(struct str text, int64_t *ret_us)
{
    int32_t days;
    if (!take_date(&text, &days))
        return false;
    int64_t us = days * us_per_day;
    int hour, minute, second = 0;
    if (text.len) {
        if (!take(&text, 'T') && !take(&text, ' ') && !take(&text, 't'))
            return false;
        if (!digits(&text, 2, &hour) || !take(&text, ':') || !digits(&text, 2, &minute))
            return false;
        if (take(&text, ':') && !digits(&text, 2, &second))
            return false;
        if (hour > 23 || minute > 59 || second > 59)
            return false;
        us += (hour * 3600 + minute * 60 + second) * us_per_second;
        if (!take_fraction(&text, &us) || !take_zone(&text, &us))
            return false;
    }
    *ret_us = us;
    return text.len == 0;
}

size_t date_format(int32_t days, char out[DATE_TEXT_MAX])
{
    int year, month, day;
    date_to_civil(days, &year, &month, &day);
    return (size_t)snprintf(out, DATE_TEXT_MAX, "%04d-%02d-%02d", year, month, day);
}

size_t timestamp_format(int64_t us, char out[TIMESTAMP_TEXT_MAX])
{
    int64_t days = us / us_per_day;
    int64_t rest = us % us_per_day;
    if (rest < 0) {
        rest += us_per_day;
        days--;
    }
    int year, month, day;
    date_to_civil((int32_t)days, &year, &month, &day);
    int second = (int)(rest / us_per_second);
    int fraction = (int)(rest % us_per_second);
    int n = snprintf(out, TIMESTAMP_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                     second / 3600, second / 60 % 60, second % 60);
    if (fraction)
        n += snprintf(out + n, TIMESTAMP_TEXT_MAX - (size_t)n, ".%06d", fraction);
    return (size_t)n;
}

/* datetime.h: calendar arithmetic (proleptic Gregorian, as in Howard Hinnant's "chrono-compatible
 * low-level date algorithms") and ISO 8601 text. Years 0000 to 9999; no leap seconds; UTC. */
#ifndef QUARRY_BASE_DATETIME_H
#define QUARRY_BASE_DATETIME_H

#include <stdint.h>

#include "base/str.h"

enum { DATE_TEXT_MAX = 16, TIMESTAMP_TEXT_MAX = 40 };

/* Days since 1970-01-01. */
int32_t date_from_civil(int year, int month, int day);
void date_to_civil(int32_t days, int *ret_year, int *ret_month, int *ret_day);

/* "YYYY-MM-DD", nothing else. */
bool date_parse(struct str text, int32_t *ret_days);
/* A date, or date and time with 'T' or ' ' between, seconds and up to 9 fraction digits optional
 * (below a microsecond cut off), and Z or +hh:mm or none (then UTC). Microseconds since 1970. */
bool timestamp_parse(struct str text, int64_t *ret_us);

/* NUL-ended; they return the length. Timestamps: "YYYY-MM-DDTHH:MM:SS[.ffffff]". */
size_t date_format(int32_t days, char out[DATE_TEXT_MAX]);
size_t timestamp_format(int64_t us, char out[TIMESTAMP_TEXT_MAX]);

#endif

/* regex_int.h: POSIX extended regular expressions over UTF-8 texts, guarded.
 *
 * Refused: patterns whose repetitions expand to more than REGEX_STATES_MAX atoms, groups nested
 * deeper than REGEX_DEPTH_MAX, back-references (a GNU extension with exponential cost) and NUL in a
 * pattern. `.` and brackets take whole code points where the system has the locale C.UTF-8, bytes
 * otherwise. A NUL in a text is an ordinary character that `.` does not match. */
#ifndef QUARRY_QUERY_REGEX_INT_H
#define QUARRY_QUERY_REGEX_INT_H

#include <locale.h>
#include <regex.h>

#include "base/buf.h"

enum { REGEX_STATES_MAX = 5000, REGEX_DEPTH_MAX = 50, REGEX_PROBLEM_MAX = 160 };

struct regex {
    regex_t compiled;
    locale_t locale; /* 0: none */
    struct buf text; /* NUL-ended copy of the text in hand */
};

/* NULL when good, else the problem, perhaps written to `out`. */
const char *regex_check(struct str pattern, char out[REGEX_PROBLEM_MAX]);
/* The pattern must have passed regex_check; false when memory is out. */
bool regex_init(struct regex *regex, struct str pattern);
void regex_release(struct regex *regex);

/* Around any number of matches on this thread. */
locale_t regex_enter(const struct regex *regex);
/* False too when memory for a copy of the text is out; regex_failed() then says so. */
bool regex_match(struct regex *regex, struct str text);
static inline bool regex_failed(const struct regex *regex)
{
    return buf_failed(&regex->text);
}
void regex_leave(const struct regex *regex, locale_t before);

#endif

/* bound_int.h: predicates and their tests; shared by bind.c, eval.c, eval_json.c, prune.c. */
#ifndef QUARRY_QUERY_BOUND_INT_H
#define QUARRY_QUERY_BOUND_INT_H

#include "query/filter/bound.h"
#include "query/filter/filter_int.h"
#include "query/filter/like.h"
#include "query/filter/regex_int.h"
#include "query/filter/set_int.h"

enum test_kind {
    TEST_NEVER,
    TEST_NULL,
    TEST_NOT_NULL,
    TEST_RANGE, /* numbers, booleans, dates */
    TEST_SET,
    TEST_TEXT_RANGE,
    TEST_TEXT_SET,
    TEST_LIKE,
    TEST_REGEX,
    TEST_JSON, /* any operator on a JSON scalar */
};

/* Closed intervals, one for each type that the column may have; empty when lo > hi. `ints` serve
 * BOOL, INT64 and TIMESTAMP. */
struct number_range {
    int64_t int_lo, int_hi;
    int64_t day_lo, day_hi;
    double real_lo, real_hi;
};

struct test {
    enum test_kind kind;
    bool negate; /* RANGE, SET, TEXT_*: what is not inside (and not null) */
    enum filter_op op;
    const struct literal *literals;
    uint32_t literals_len;
    struct number_range range;
    struct set64 ints, reals, days;
    struct literal_set set; /* TEXT_SET and JSON lists */
    bool has_lo, has_hi, lo_open, hi_open;
    struct str lo, hi;
    struct like like;
    struct regex *regex;
};

enum { BOUND_PATH_MAX = 32 };

struct predicate {
    struct str field;
    int32_t column;
    enum type type;
    uint32_t path_len; /* components below a JSON column */
    struct str path[BOUND_PATH_MAX];
    uint32_t tests_len;
    struct test *tests;
};

struct bound_filter {
    const struct filter *filter;
    struct arena arena;
    uint32_t predicates_len;
    struct predicate *predicates;
    bool never;
    void *json_memory; /* scratch of the JSON parser */
    size_t json_memory_len;
};

static const int64_t bound_us_per_day = 86400 * (int64_t)1000000;

static inline bool test_wants_null(const struct test *test)
{
    return test->kind == TEST_NULL;
}

/* Fills kind and all the rest of one test from a condition; bind_text.c, bind_number.c. */
enum status bind_number_test(struct bound_filter *bound, struct predicate *predicate,
                             const struct condition *condition, struct test *test,
                             struct error *err);
enum status bind_text_test(struct bound_filter *bound, struct predicate *predicate,
                           const struct condition *condition, struct test *test, struct error *err);

/* Narrows to the rows of a JSON column whose scalar passes all tests. */
enum status eval_json(struct bound_filter *bound, const struct predicate *predicate,
                      const struct column *column, const uint32_t *in, uint32_t n, uint32_t *out,
                      uint32_t *ret_n, struct error *err);

#endif

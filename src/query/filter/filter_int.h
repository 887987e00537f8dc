/* filter_int.h: the parsed form of a filter, shared by parsing and binding. Nobody else's. */
#ifndef QUARRY_QUERY_FILTER_INT_H
#define QUARRY_QUERY_FILTER_INT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "query/filter/filter.h"

enum filter_op {
    FILTER_EQ,
    FILTER_NE,
    FILTER_GT,
    FILTER_LT,
    FILTER_GTE,
    FILTER_LTE,
    FILTER_IN,
    FILTER_NOT_IN,
    FILTER_LIKE,
    FILTER_REGEX,
    FILTER_NULL,
};

const char *filter_op_name(enum filter_op op);

enum literal_kind { LITERAL_NULL, LITERAL_BOOL, LITERAL_INT, LITERAL_REAL, LITERAL_STR };

/* A JSON scalar. Integers of JSON reach from -2^63 to 2^64 - 1; wider ones are doubles. */
struct literal {
    enum literal_kind kind;
    union {
        bool boolean;
        __int128 integer;
        double real;
        struct str text; /* in the filter's arena */
    };
};

/* Of a JSON value; false for arrays and objects. Texts are borrowed. */
bool literal_of_json(yyjson_val *value, struct literal *ret);
/* "a number" ... for messages. */
const char *literal_kind_name(enum literal_kind kind);
/* The value as text for messages, cut; returns its length. */
enum { LITERAL_TEXT_MAX = 100 };
uint32_t literal_text(const struct literal *literal, char out[LITERAL_TEXT_MAX]);

/* -1, 0, 1 for two numbers, exactly; integers and doubles mix. */
int literal_compare_numbers(const struct literal *a, const struct literal *b);
/* Equal numbers, texts or booleans; never for nulls and for different kinds. */
bool literal_equal(const struct literal *a, const struct literal *b);
uint64_t literal_hash(const struct literal *literal);

struct condition {
    struct str field;
    enum filter_op op;
    uint32_t literals_len; /* 1 but for lists */
    struct literal *literals;
};

/* Immutable; counted, as every bound filter keeps the one it was made of. */
struct filter {
    _Atomic uint32_t refs;
    struct arena arena;
    struct condition *conditions;
    uint32_t conditions_len;
    const struct expr *where; /* borrowed; NULL: none */
};

struct filter *filter_ref(const struct filter *filter);

/* Errors about one condition: message, field and value in place. Returns STATUS_INVALID_ARGUMENT.
 */
enum status condition_error(struct error *err, struct str field, const struct literal *literal,
                            const char *what);

#endif

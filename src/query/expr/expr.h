/* expr.h: typed scalar expressions over columns, and what runs them.
 *
 * An expression is a tree in the caller's arena; it never changes after it was made, so threads may
 * share it. Types are settled when it is made: the two sides of an operator have one type, casts
 * are nodes of their own. Values are those of the SQL engine: NULL by three-valued logic, NaN equal
 * to itself and above all numbers, texts by bytes, lengths in code points.
 *
 * What our operators could do otherwise than the engine is a *doubt*: overflow, an infinite result
 * or NaN, upper or lower case beyond ASCII, a time outside years 1 to 9999. Then evaluation ends
 * with EXPR_DOUBT, whatever row it was, and the engine has to do the query. */
#ifndef QUARRY_QUERY_EXPR_H
#define QUARRY_QUERY_EXPR_H

#include "base/arena.h"
#include "base/buf.h"
#include "data/value.h"

#define EXPR_DOUBT STATUS_UNSUPPORTED_SQL

enum {
    EXPR_ROWS_MAX = 8192, /* evaluated at once */
    EXPR_NODES_MAX = 512, /* of one expression */
};

enum expr_op {
    EXPR_INPUT, /* column number `input` of what is given */
    EXPR_CONSTANT,
    /* of two numbers of one type, or of one */
    EXPR_ADD,
    EXPR_SUBTRACT,
    EXPR_MULTIPLY,
    EXPR_DIVIDE,   /* doubles */
    EXPR_QUOTIENT, /* whole numbers */
    EXPR_MODULO,
    EXPR_NEGATE,
    EXPR_ABS,
    EXPR_ROUND, /* a double, to `number` decimals */
    EXPR_FLOOR,
    EXPR_CEIL,
    /* of two values of one type: BOOL */
    EXPR_EQ,
    EXPR_NE,
    EXPR_LT,
    EXPR_LE,
    EXPR_GT,
    EXPR_GE,
    /* BOOL */
    EXPR_IS_NULL,
    EXPR_NOT,
    EXPR_AND, /* of any number */
    EXPR_OR,
    EXPR_LIKE, /* the pattern is `constant` */
    /* a choice */
    EXPR_CASE, /* condition, value, condition, value, ..., else */
    EXPR_COALESCE,
    EXPR_CAST, /* to `type` */
    /* texts */
    EXPR_LENGTH, /* in code points */
    EXPR_LOWER,
    EXPR_UPPER,
    EXPR_SUBSTRING, /* from `number` (1: the first) at most `length` code points; -1: all */
    EXPR_CONCAT,
    /* DATE or TIMESTAMP */
    EXPR_TIME_TRUNC, /* to `unit`: a TIMESTAMP */
    EXPR_TIME_PART,  /* `unit` of it: INT64 */
};

enum expr_unit {
    UNIT_YEAR,
    UNIT_QUARTER,
    UNIT_MONTH,
    UNIT_WEEK,
    UNIT_DAY,
    UNIT_HOUR,
    UNIT_MINUTE,
    UNIT_SECOND,
    UNIT_DAY_OF_WEEK, /* Sunday: 0 */
    UNIT_ISO_DAY_OF_WEEK,
    UNIT_DAY_OF_YEAR,
};
bool expr_unit_parse(struct str name, enum expr_unit *ret);

struct expr {
    enum expr_op op;
    enum type type;
    bool narrow;    /* INT64 that must fit 32 bits: the engine's INTEGER */
    uint32_t input; /* EXPR_INPUT */
    struct str name;
    struct value constant;
    enum expr_unit unit;
    int64_t number, length;
    uint32_t args_len;
    const struct expr **args;
};

/* The normal form, equal for expressions that are the same: for keys of caches, for people. Without
 * `constants` a question mark stands for each. */
void expr_write(const struct expr *expr, bool constants, struct buf *out);
uint32_t expr_nodes(const struct expr *expr);

/* --- running; one thread at a time --- */

/* The dense column behind an EXPR_INPUT, at least as many rows as are evaluated, in the input's
 * type; NULL: all null. */
struct expr_source {
    void *context;
    enum status (*column)(void *context, uint32_t input, const struct column **ret,
                          struct error *err);
};

struct expr_run;
enum status expr_run_new(const struct expr *expr, struct expr_run **ret, struct error *err);
/* The values of `rows` rows (at most EXPR_ROWS_MAX), valid until the next call. The column may have
 * more rows than asked for; null slots hold zero. EXPR_DOUBT: see above. */
enum status expr_run_eval(struct expr_run *run, const struct expr_source *source, uint32_t rows,
                          const struct column **ret, struct error *err);
/* Of the rows `in` (ascending; NULL: the first `n`) those for which it is true, into `out` (may be
 * `in`); `values` is what a BOOL expression gave for these rows, one behind the other. */
uint32_t expr_select(const struct column *values, const uint32_t *in, uint32_t n, uint32_t *out);
void expr_run_free(struct expr_run *run); /* NULL is fine */

#endif

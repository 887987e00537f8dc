/* typed.h: expressions of a statement with the types that the engine gives them. What is read here
 * gives the engine's values or a doubt (query/expr); everything else is refused. */
#ifndef QUARRY_QUERY_TYPED_H
#define QUARRY_QUERY_TYPED_H

#include "query/optimize/statement_int.h"

/* Whole numbers are in the order in which they widen. */
enum sql_kind {
    SQL_NULL,
    SQL_BOOLEAN,
    SQL_INTEGER,
    SQL_BIGINT,
    SQL_HUGEINT, /* held in 64 bits; beyond them: a doubt */
    SQL_DECIMAL, /* a literal that wants to become a DOUBLE */
    SQL_DOUBLE,
    SQL_TEXT, /* a literal that may become a date */
    SQL_VARCHAR,
    SQL_DATE,
    SQL_TIMESTAMP,
};

struct typed {
    const struct expr *expr;
    enum sql_kind kind;
};

const char *sql_kind_name(enum sql_kind kind); /* "BIGINT" */
enum type sql_kind_type(enum sql_kind kind);   /* of values while they are computed */
/* Of a column; false for JSON. */
bool sql_kind_of(enum type type, enum sql_kind *ret);
static inline bool sql_is_whole(enum sql_kind kind)
{
    return kind >= SQL_INTEGER && kind <= SQL_HUGEINT;
}

/* Where the names in an expression come from. */
struct scope {
    struct reader *reader;
    void *context;
    /* Asked first, for every part: true when this part is the scope's; then *ret is what it is,
     * without an expression when it cannot be had. */
    bool (*take)(void *context, const struct node *node, struct typed *ret);
};

/* False: not ours. */
bool read_expression(const struct scope *scope, const struct node *node, struct typed *ret);
/* A choice among args[first], args[first + stride], ..., which get one kind. */
bool read_choice(const struct scope *scope, enum expr_op op, struct typed *args, uint32_t len,
                 uint32_t first, uint32_t stride, struct typed *ret);
/* expression_call.c: calls, casts, EXTRACT. */
bool typed_read_call(const struct scope *scope, const struct node *node, struct typed *ret);
bool read_cast(const struct scope *scope, const struct node *node, struct typed *ret);
bool read_extract(const struct scope *scope, const struct node *node, struct typed *ret);

/* typed.c: making. NULL when memory is out. */
struct expr *typed_make(const struct scope *scope, enum expr_op op, enum sql_kind kind,
                        uint32_t args);
bool typed_input(const struct reader *reader, uint32_t input, struct str name, enum sql_kind kind,
                 struct typed *ret);
bool typed_constant(const struct scope *scope, const struct node *node, struct typed *ret);
bool typed_truth(const struct scope *scope, bool truth, struct typed *ret);
/* What a comparison gives: a parameter or anything else. */
bool typed_parameter(const struct scope *scope, const struct node *node, struct typed *ret);
bool typed_null(const struct scope *scope, enum sql_kind kind, struct typed *ret);
/* An operator with one or two arguments that have the right types. */
bool typed_unary(const struct scope *scope, enum expr_op op, enum sql_kind kind, struct typed a,
                 struct typed *ret);
bool typed_binary(const struct scope *scope, enum expr_op op, enum sql_kind kind, struct typed a,
                  struct typed b, struct typed *ret);
/* As the engine converts without being asked. */
bool typed_convert(const struct scope *scope, struct typed *value, enum sql_kind kind);
/* The kind that both become, by the rules of choices (CASE) and of comparisons. */
bool typed_common(enum sql_kind a, enum sql_kind b, enum sql_kind *ret);

/* The normal form, in the arena; STR_NONE when memory is out. */
struct str typed_text(const struct reader *reader, const struct expr *expr, bool constants);
bool typed_reads_input(const struct expr *expr);

#endif

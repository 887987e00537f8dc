/* dialect.h: what differs between dialects, as data.
 *
 * A dialect is a struct of flags for the tokenizer and the parser, and three tables of rows that
 * lowering reads: functions, types, time format letters. A dialect inherits the rows of `parent`.
 * One file a dialect: dialect_<name>.c. The common meaning is DuckDB's: a row's template is a
 * DuckDB expression in which $1..$9 stand for the arguments and _rest(2) for those from the second
 * on; calls that begin with "_" are evaluated by lowering (lower_call.c), and "@name" is a function
 * of hooks.c. */
#ifndef QUARRY_QUERY_LANG_DIALECT_H
#define QUARRY_QUERY_LANG_DIALECT_H

#include "query/lang/lang.h"

enum dialect_flag {
    /* tokens */
    D_DOUBLE_QUOTE_STRING = 1 << 0, /* "x" is a string */
    D_BACKTICK = 1 << 1,            /* `x` is a name */
    D_BRACKET = 1 << 2,             /* [x] is a name */
    D_BACKSLASH = 1 << 3,           /* \ escapes in strings */
    D_HASH_COMMENT = 1 << 4,
    D_DASH_SPACE = 1 << 5, /* -- needs white space behind it */
    D_NESTED_COMMENT = 1 << 6,
    D_E_STRING = 1 << 7,      /* E'..' */
    D_DOLLAR_STRING = 1 << 8, /* $tag$..$tag$ */
    D_RAW_STRING = 1 << 9,    /* r'..' */
    D_TRIPLE_STRING = 1 << 10,
    D_DIGIT_NAME = 1 << 11,     /* 0xz is a name */
    D_HEX_IS_NUMBER = 1 << 12,  /* 0xff is a number, otherwise bytes */
    D_BACKSLASH_KEPT = 1 << 13, /* \% and \_ stay as they are */
    D_SLASH_COMMENT = 1 << 14,  /* // comments */
    /* operators */
    D_PIPES_OR = 1 << 15,       /* || is OR */
    D_CARET_POWER = 1 << 16,    /* ^ is power, otherwise exclusive or */
    D_INTEGER_DIVIDE = 1 << 17, /* 7 / 2 = 3 */
    D_BIT_LEVELS = 1 << 18,     /* | ^ & << each have their own precedence */
    D_LIKE_NOCASE = 1 << 19,
    D_COLON_PATH = 1 << 20,       /* a:b.c reads JSON */
    D_QUESTION_OP = 1 << 21,      /* ? is an operator */
    D_ZERO_DIVIDE_NULL = 1 << 22, /* x / 0 is NULL */
    D_INDEX_FROM_0 = 1 << 23,
    D_CONCAT_NULL = 1 << 24,  /* concat() with NULL is NULL */
    D_STRING_ALIAS = 1 << 25, /* SELECT 1 'x' */
    D_HASH_NAME = 1 << 26,    /* #t is a name */
    D_DOLLAR_NAME = 1 << 27,  /* a$b is a name */
    D_TRY_CAST = 1 << 28,     /* a cast that fails is NULL */
    D_AT_NAME = 1 << 29,      /* @v is a parameter; otherwise an operator */
};

enum null_order { NULLS_SMALL, NULLS_LARGE, NULLS_AT_END };

struct fn_row {
    const char *name; /* lower case */
    int8_t min, max;  /* arguments; max -1: any number */
    const char *to;   /* template; NULL: refused; "": the same name and arguments */
};

struct type_row {
    const char *name; /* upper case */
    const char *to;   /* DuckDB type; %1, %2: the parameters; "+": same name with its parameters */
};

struct time_row {
    const char *from; /* longest match first */
    const char *to;   /* strftime directives of DuckDB; NULL: refused */
};

struct dialect {
    const char *name;
    const struct dialect *parent;
    uint32_t flags;
    enum null_order nulls;
    const struct fn_row *functions; /* ended by a NULL name; looked up in order */
    const struct type_row *types;
    const struct time_row *time; /* NULL: the parent's */
};

const struct dialect *dialect_of(enum lang_dialect dialect);

extern const struct dialect dialect_mysql, dialect_postgres, dialect_duckdb, dialect_bigquery,
    dialect_snowflake, dialect_spark, dialect_hive, dialect_databricks, dialect_clickhouse,
    dialect_tsql, dialect_presto, dialect_trino, dialect_sqlite, dialect_redshift, dialect_oracle;
/* Rows that hold for all dialects, looked up last. */
extern const struct dialect dialect_common;
/* The letters of BigQuery's CAST ... FORMAT. */
extern const struct dialect dialect_bigquery_cast;

#endif

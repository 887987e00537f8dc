/* words.c: the DSL's vocabulary as data. A new operator is a row here, a case in check.c and one in
 * dsl_gen_cond.c; a new function is a row here. */
#include "query/dsl/dsl_int.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const type_names[] = {
    [DSL_ANY] = "any",       [DSL_BOOL] = "bool",           [DSL_INT] = "int64",
    [DSL_DOUBLE] = "double", [DSL_STRING] = "string",       [DSL_JSON] = "json",
    [DSL_DATE] = "date",     [DSL_TIMESTAMP] = "timestamp",
};

static const char *const type_sqls[] = {
    [DSL_ANY] = "",          [DSL_BOOL] = "BOOLEAN",        [DSL_INT] = "BIGINT",
    [DSL_DOUBLE] = "DOUBLE", [DSL_STRING] = "VARCHAR",      [DSL_JSON] = "JSON",
    [DSL_DATE] = "DATE",     [DSL_TIMESTAMP] = "TIMESTAMP",
};

const char *dsl_type_name(enum dsl_type type)
{
    return type_names[type];
}

const char *dsl_type_sql(enum dsl_type type)
{
    return type_sqls[type];
}

/* --- operators --- */

static const struct op_info ops[OP_COUNT] = {
    [OP_EQ] = {"eq", SHAPE_ONE, OP_EQ, false},
    [OP_NE] = {"ne", SHAPE_ONE, OP_EQ, false},
    [OP_GT] = {"gt", SHAPE_ONE, OP_GT, true},
    [OP_GTE] = {"gte", SHAPE_ONE, OP_GTE, true},
    [OP_LT] = {"lt", SHAPE_ONE, OP_LT, true},
    [OP_LTE] = {"lte", SHAPE_ONE, OP_LTE, true},
    [OP_IN] = {"in", SHAPE_LIST, OP_IN, false},
    [OP_NOT_IN] = {"not_in", SHAPE_LIST, OP_IN, false},
    [OP_BETWEEN] = {"between", SHAPE_PAIR, OP_BETWEEN, true},
    [OP_NOT_BETWEEN] = {"not_between", SHAPE_PAIR, OP_BETWEEN, true},
    [OP_LIKE] = {"like", SHAPE_TEXT, OP_LIKE, false},
    [OP_NOT_LIKE] = {"not_like", SHAPE_TEXT, OP_LIKE, false},
    [OP_ILIKE] = {"ilike", SHAPE_TEXT, OP_LIKE, false},
    [OP_CONTAINS] = {"contains", SHAPE_ONE, OP_CONTAINS, false},
    [OP_NOT_CONTAINS] = {"not_contains", SHAPE_ONE, OP_CONTAINS, false},
    [OP_STARTS_WITH] = {"starts_with", SHAPE_TEXT, OP_STARTS_WITH, false},
    [OP_ENDS_WITH] = {"ends_with", SHAPE_TEXT, OP_ENDS_WITH, false},
    [OP_REGEX] = {"regex", SHAPE_TEXT, OP_REGEX, false},
    [OP_IS_NULL] = {"is_null", SHAPE_NONE, OP_IS_NULL, false},
    [OP_IS_NOT_NULL] = {"is_not_null", SHAPE_NONE, OP_IS_NULL, false},
    [OP_IS_DISTINCT] = {"is_distinct", SHAPE_ONE, OP_IS_DISTINCT, false},
    [OP_IS_NOT_DISTINCT] = {"is_not_distinct", SHAPE_ONE, OP_IS_DISTINCT, false},
    [OP_EXISTS] = {"exists", SHAPE_NONE, OP_EXISTS, false},
    [OP_NOT_EXISTS] = {"not_exists", SHAPE_NONE, OP_EXISTS, false},
    [OP_HAS_ANY] = {"has_any", SHAPE_LIST, OP_HAS_ANY, false},
    [OP_HAS_ALL] = {"has_all", SHAPE_LIST, OP_HAS_ALL, false},
};

static const char *const op_names[] = {"eq",           "ne",
                                       "gt",           "gte",
                                       "lt",           "lte",
                                       "in",           "not_in",
                                       "between",      "not_between",
                                       "like",         "not_like",
                                       "ilike",        "contains",
                                       "not_contains", "starts_with",
                                       "ends_with",    "regex",
                                       "is_null",      "is_not_null",
                                       "is_distinct",  "is_not_distinct",
                                       "exists",       "not_exists",
                                       "has_any",      "has_all"};

/* Spellings of the data routes, of the origin and of SQL. */
static const struct {
    const char *name;
    enum dsl_op op;
} other_names[] = {
    {"in_list", OP_IN}, {"nin", OP_NOT_IN}, {"null", OP_IS_NULL}, {"notnull", OP_IS_NOT_NULL},
    {"=", OP_EQ},       {"==", OP_EQ},      {"!=", OP_NE},        {"<>", OP_NE},
    {">", OP_GT},       {">=", OP_GTE},     {"<", OP_LT},         {"<=", OP_LTE},
};
static const char *const alias_names[] = {
    "in_list", "nin", "null", "notnull", "=", "==", "!=", "<>", ">", ">=", "<", "<="};

const struct op_info *dsl_op_info(enum dsl_op op)
{
    return &ops[op];
}

bool dsl_op_find(struct str name, enum dsl_op *ret)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (str_is(name, ops[i].name)) {
            *ret = (enum dsl_op)i;
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(other_names); i++) {
        if (str_is(name, other_names[i].name)) {
            *ret = other_names[i].op;
            return true;
        }
    }
    return false;
}

struct dsl_words dsl_op_words(void)
{
    return (struct dsl_words){op_names, COUNT(op_names)};
}

struct dsl_words dsl_op_aliases(void)
{
    return (struct dsl_words){alias_names, COUNT(alias_names)};
}

/* --- functions --- */

static const struct function_info aggregates[] = {
    {"count", ARGS_ANY, RESULT_INT, 0, 1, "count(@)"},
    {"sum", ARGS_NUMBER, RESULT_NUMBER, 1, 1, "sum(@)"},
    {"avg", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "avg(@)"},
    {"min", ARGS_ANY, RESULT_SAME, 1, 1, "min(@)"},
    {"max", ARGS_ANY, RESULT_SAME, 1, 1, "max(@)"},
    {"count_distinct", ARGS_ANY, RESULT_INT, 1, 1, "count(DISTINCT @)"},
    {"approx_count_distinct", ARGS_ANY, RESULT_INT, 1, 1, "approx_count_distinct(@)"},
    {"stddev", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "stddev_samp(@)"},
    {"variance", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "var_samp(@)"},
    {"median", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "median(@)"},
    {"percentile", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "quantile_cont(@)"},
    {"first", ARGS_ANY, RESULT_SAME, 1, 1, "first(@)"},
    {"last", ARGS_ANY, RESULT_SAME, 1, 1, "last(@)"},
    {"any_value", ARGS_ANY, RESULT_SAME, 1, 1, "any_value(@)"},
    {"string_agg", ARGS_ANY, RESULT_STRING, 1, 1, "string_agg(@)"},
    {"array_agg", ARGS_ANY, RESULT_ANY, 1, 1, "array_agg(@)"},
    {"bool_and", ARGS_BOOL, RESULT_BOOL, 1, 1, "bool_and(@)"},
    {"bool_or", ARGS_BOOL, RESULT_BOOL, 1, 1, "bool_or(@)"},
};
static const char *const aggregate_names[] = {"count",
                                              "sum",
                                              "avg",
                                              "min",
                                              "max",
                                              "count_distinct",
                                              "approx_count_distinct",
                                              "stddev",
                                              "variance",
                                              "median",
                                              "percentile",
                                              "first",
                                              "last",
                                              "any_value",
                                              "string_agg",
                                              "array_agg",
                                              "bool_and",
                                              "bool_or"};

static const struct function_info windows[] = {
    {"row_number", ARGS_ANY, RESULT_INT, 0, 0, "row_number(@)"},
    {"rank", ARGS_ANY, RESULT_INT, 0, 0, "rank(@)"},
    {"dense_rank", ARGS_ANY, RESULT_INT, 0, 0, "dense_rank(@)"},
    {"ntile", ARGS_ANY, RESULT_INT, 0, 0, "ntile(@)"},
    {"lag", ARGS_ANY, RESULT_SAME, 1, 1, "lag(@)"},
    {"lead", ARGS_ANY, RESULT_SAME, 1, 1, "lead(@)"},
    {"first_value", ARGS_ANY, RESULT_SAME, 1, 1, "first_value(@)"},
    {"last_value", ARGS_ANY, RESULT_SAME, 1, 1, "last_value(@)"},
    {"sum", ARGS_NUMBER, RESULT_NUMBER, 1, 1, "sum(@)"},
    {"avg", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "avg(@)"},
    {"count", ARGS_ANY, RESULT_INT, 0, 1, "count(@)"},
    {"min", ARGS_ANY, RESULT_SAME, 1, 1, "min(@)"},
    {"max", ARGS_ANY, RESULT_SAME, 1, 1, "max(@)"},
};
static const char *const window_names[] = {
    "row_number", "rank", "dense_rank", "ntile", "lag", "lead", "first_value",
    "last_value", "sum",  "avg",        "count", "min", "max"};

static const struct function_info scalars[] = {
    {"upper", ARGS_TEXT, RESULT_STRING, 1, 1, "upper(@)"},
    {"lower", ARGS_TEXT, RESULT_STRING, 1, 1, "lower(@)"},
    {"length", ARGS_TEXT, RESULT_INT, 1, 1, "length(@)"},
    {"trim", ARGS_TEXT, RESULT_STRING, 1, 1, "trim(@)"},
    {"substring", ARGS_ANY, RESULT_STRING, 2, 3, "substring(@)"},
    {"replace", ARGS_TEXT, RESULT_STRING, 3, 3, "replace(@)"},
    {"concat", ARGS_ANY, RESULT_STRING, 1, 16, "concat(@)"},
    {"abs", ARGS_NUMBER, RESULT_NUMBER, 1, 1, "abs(@)"},
    {"round", ARGS_NUMBER, RESULT_DOUBLE, 1, 2, "round(@)"},
    {"floor", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "floor(@)"},
    {"ceil", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "ceil(@)"},
    {"sqrt", ARGS_NUMBER, RESULT_DOUBLE, 1, 1, "sqrt(@)"},
    {"power", ARGS_NUMBER, RESULT_DOUBLE, 2, 2, "pow(@)"},
    {"add", ARGS_NUMBER, RESULT_NUMBER, 2, 2, "(1 + 2)"},
    {"subtract", ARGS_NUMBER, RESULT_NUMBER, 2, 2, "(1 - 2)"},
    {"multiply", ARGS_NUMBER, RESULT_NUMBER, 2, 2, "(1 * 2)"},
    {"divide", ARGS_NUMBER, RESULT_DOUBLE, 2, 2, "(1 / 2)"},
    {"mod", ARGS_NUMBER, RESULT_NUMBER, 2, 2, "(1 % 2)"},
    {"coalesce", ARGS_ANY, RESULT_SAME, 1, 16, "coalesce(@)"},
    {"nullif", ARGS_ANY, RESULT_SAME, 2, 2, "nullif(@)"},
    {"greatest", ARGS_ANY, RESULT_SAME, 1, 16, "greatest(@)"},
    {"least", ARGS_ANY, RESULT_SAME, 1, 16, "least(@)"},
    {"year", ARGS_TIME, RESULT_INT, 1, 1, "year(@)"},
    {"quarter", ARGS_TIME, RESULT_INT, 1, 1, "quarter(@)"},
    {"month", ARGS_TIME, RESULT_INT, 1, 1, "month(@)"},
    {"day", ARGS_TIME, RESULT_INT, 1, 1, "day(@)"},
    {"hour", ARGS_TIME, RESULT_INT, 1, 1, "hour(@)"},
    {"minute", ARGS_TIME, RESULT_INT, 1, 1, "minute(@)"},
    {"second", ARGS_TIME, RESULT_INT, 1, 1, "second(@)"},
    {"weekday", ARGS_TIME, RESULT_INT, 1, 1, "isodow(@)"},
    {"date", ARGS_ANY, RESULT_DATE, 1, 1, "CAST(@ AS DATE)"},
    {"timestamp", ARGS_ANY, RESULT_TIMESTAMP, 1, 1, "CAST(@ AS TIMESTAMP)"},
    {"text", ARGS_ANY, RESULT_STRING, 1, 1, "CAST(@ AS VARCHAR)"},
    {"number", ARGS_ANY, RESULT_DOUBLE, 1, 1, "CAST(@ AS DOUBLE)"},
    {"integer", ARGS_ANY, RESULT_INT, 1, 1, "CAST(@ AS BIGINT)"},
};
static const char *const scalar_names[] = {
    "upper",    "lower",    "length",  "trim",      "substring", "replace", "concat",
    "abs",      "round",    "floor",   "ceil",      "sqrt",      "power",   "add",
    "subtract", "multiply", "divide",  "mod",       "coalesce",  "nullif",  "greatest",
    "least",    "year",     "quarter", "month",     "day",       "hour",    "minute",
    "second",   "weekday",  "date",    "timestamp", "text",      "number",  "integer"};

_Static_assert(COUNT(aggregates) == COUNT(aggregate_names), "one name a row");
_Static_assert(COUNT(windows) == COUNT(window_names), "one name a row");
_Static_assert(COUNT(scalars) == COUNT(scalar_names), "one name a row");

static const struct {
    const struct function_info *rows;
    const char *const *names;
    uint32_t len;
} kinds[] = {
    [FUNCTION_SCALAR] = {scalars, scalar_names, COUNT(scalars)},
    [FUNCTION_AGGREGATE] = {aggregates, aggregate_names, COUNT(aggregates)},
    [FUNCTION_WINDOW] = {windows, window_names, COUNT(windows)},
};

const struct function_info *dsl_function_find(enum function_kind kind, struct str name)
{
    for (uint32_t i = 0; i < kinds[kind].len; i++)
        if (str_eq_nocase(name, str_of(kinds[kind].rows[i].name)))
            return &kinds[kind].rows[i];
    return NULL;
}

struct dsl_words dsl_function_words(enum function_kind kind)
{
    return (struct dsl_words){kinds[kind].names, kinds[kind].len};
}

/* --- buckets and joins, in the order of their enums behind NONE --- */

static const char *const buckets[] = {"minute", "hour", "day", "week", "month", "quarter", "year"};
static const char *const joins[] = {"inner", "left", "right", "full", "semi", "anti", "cross"};

const char *dsl_bucket_name(enum dsl_bucket bucket)
{
    return buckets[bucket - 1];
}

struct dsl_words dsl_bucket_words(void)
{
    return (struct dsl_words){buckets, COUNT(buckets)};
}

const char *dsl_join_name(enum dsl_join join)
{
    return joins[join - 1];
}

struct dsl_words dsl_join_words(void)
{
    return (struct dsl_words){joins, COUNT(joins)};
}

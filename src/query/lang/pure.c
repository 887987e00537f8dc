/* pure.c: does a query give the same whenever it is asked of the same rows? */
#include "query/lang/delta.h"
#include "query/lang/node.h"

/* Functions that give the same for the same arguments, and do not count rows of tables that are
 * not named. What is not listed is not kept: slower, never wrong. */
static bool is_pure_function(struct str name)
{
    static const char *const pure[] = {"abs",
                                       "avg",
                                       "ceil",
                                       "ceiling",
                                       "coalesce",
                                       "concat",
                                       "concat_ws",
                                       "contains",
                                       "count",
                                       "count_if",
                                       "date_diff",
                                       "date_part",
                                       "date_trunc",
                                       "datediff",
                                       "datepart",
                                       "day",
                                       "dayofweek",
                                       "dayofyear",
                                       "dense_rank",
                                       "ends_with",
                                       "epoch",
                                       "epoch_ms",
                                       "exp",
                                       "first_value",
                                       "floor",
                                       "greatest",
                                       "hour",
                                       "if",
                                       "ifnull",
                                       "instr",
                                       "isfinite",
                                       "isnan",
                                       "json_extract",
                                       "json_extract_string",
                                       "lag",
                                       "last_day",
                                       "last_value",
                                       "lcase",
                                       "lead",
                                       "least",
                                       "left",
                                       "len",
                                       "length",
                                       "ln",
                                       "log",
                                       "log10",
                                       "log2",
                                       "lower",
                                       "lpad",
                                       "ltrim",
                                       "make_date",
                                       "max",
                                       "md5",
                                       "mean",
                                       "median",
                                       "min",
                                       "minute",
                                       "mod",
                                       "month",
                                       "nth_value",
                                       "ntile",
                                       "nullif",
                                       "percent_rank",
                                       "pow",
                                       "power",
                                       "prefix",
                                       "quantile_cont",
                                       "quantile_disc",
                                       "quarter",
                                       "rank",
                                       "regexp_extract",
                                       "regexp_matches",
                                       "regexp_replace",
                                       "repeat",
                                       "replace",
                                       "reverse",
                                       "right",
                                       "round",
                                       "row_number",
                                       "rpad",
                                       "rtrim",
                                       "second",
                                       "sign",
                                       "split_part",
                                       "sqrt",
                                       "starts_with",
                                       "stddev",
                                       "stddev_pop",
                                       "stddev_samp",
                                       "strftime",
                                       "strip_accents",
                                       "strlen",
                                       "strpos",
                                       "strptime",
                                       "substr",
                                       "substring",
                                       "suffix",
                                       "sum",
                                       "time_bucket",
                                       "trim",
                                       "trunc",
                                       "ucase",
                                       "unicode",
                                       "upper",
                                       "var_pop",
                                       "var_samp",
                                       "variance",
                                       "week",
                                       "weekday",
                                       "year"};
    for (size_t i = 0; i < sizeof pure / sizeof *pure; i++)
        if (str_eq_nocase(name, str_of(pure[i])))
            return true;
    return false;
}

/* A name that may be the clock's or the session's: current_date, localtime, user. */
static bool is_doubtful_name(struct str name)
{
    static const char *const starts[] = {"current_", "local", "session_", "user", "today", "now"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t len = strlen(starts[i]);
        if (name.len >= len && str_eq_nocase(str_make(name.data, len), str_make(starts[i], len)))
            return true;
    }
    return false;
}

bool lang_is_pure(const struct node *node)
{
    if (!node)
        return true;
    switch ((enum node_kind)node->kind) {
    case N_CALL:
        if (!is_pure_function(node->text) || (node->flags & NODE_NO_PARENS))
            return false;
        break;
    case N_REF:
        return node->count > 1 || !is_doubtful_name(kid(node, 0)->text);
    case N_SAMPLE:
    case N_TABLE_CALL:
    case N_OTHER:
    case N_PIVOT:
        return false;
    default:
        break;
    }
    for (size_t i = 0; i < node->count; i++)
        if (!lang_is_pure(kid(node, i)))
            return false;
    return true;
}

/* dialect_hive.c: Hive; Spark and Databricks inherit it. Arrays count from 0, formats are Java's,
 * a cast that fails is NULL (D_TRY_CAST). */
#include "query/lang/dialect.h"

static const struct fn_row functions[] = {
    /* times */
    {"date_add", 2, 2, "_add(_date($1), $2, 'day')"}, {"date_sub", 2, 2, "_sub(_date($1), $2, 'day')"}, {"dateadd", 2, 2, "_add(_date($1), $2, 'day')"}, {"date_add", 3, 3, "_add(_temporal($3), $2, $1)"}, {"dateadd", 3, 3, "_add(_temporal($3), $2, $1)"},
    {"timestampadd", 3, 3, "_add(_temporal($3), $2, $1)"}, {"datediff", 2, 2, "date_diff('DAY', _date($2), _date($1))"}, {"datediff", 3, 3, "date_diff(_unit($1), _date($2), _date($3))"}, {"date_diff", 3, 3, "date_diff(_unit($1), _date($2), _date($3))"},
    {"date_diff", 2, 2, "date_diff('DAY', _date($2), _date($1))"}, {"timestampdiff", 3, 3, "date_sub(_unit($1), _tslit($2), _tslit($3))"}, {"to_date", 1, 1, "@hive_to_date"}, {"to_date", 2, 2, "@hive_to_date"}, {"date", 1, 1, "CAST($1 AS DATE)"},
    {"to_timestamp", 1, 1, "CAST($1 AS TIMESTAMP)"}, {"to_timestamp", 2, 2, "strptime($1, _fmt($2))"}, {"date_format", 2, 2, "strftime(_ts($1), _fmt($2))"}, {"from_unixtime", 1, 1, "strftime(to_timestamp($1), '%Y-%m-%d %H:%M:%S')"},
    {"from_unixtime", 2, 2, "strftime(to_timestamp($1), _fmt($2))"}, {"unix_timestamp", 0, 0, "CAST(epoch(current_timestamp) AS BIGINT)"}, {"unix_timestamp", 1, 1, "epoch(strptime($1, '%Y-%m-%d %H:%M:%S'))"}, {"unix_timestamp", 2, 2, "epoch(strptime($1, _fmt($2)))"},
    {"to_unix_timestamp", 2, 2, "epoch(strptime($1, _fmt($2)))"}, {"months_between", 2, 3, "date_diff('MONTH', CAST($2 AS DATE), CAST($1 AS DATE)) + CASE WHEN day(CAST($1 AS DATE)) = day(last_day(CAST($1 AS DATE))) AND day(CAST($2 AS DATE)) = day(last_day(CAST($2 AS DATE))) THEN 0 ELSE (day(CAST($1 AS DATE)) - day(CAST($2 AS DATE))) / 31.0 END"},
    {"add_months", 2, 2, "CAST(_date($1) + to_months(CAST($2 AS INT)) AS DATE)"}, {"last_day", 1, 1, "last_day(_date($1))"}, {"next_day", 2, 2, NULL}, {"trunc", 2, 2, "@trunc_to"}, {"date_trunc", 2, 2, "date_trunc(_unit($1), _tslit($2))"}, {"date_part", 2, 2, "@datepart"},
    {"year", 1, 1, "year(_date($1))"}, {"month", 1, 1, "month(_date($1))"}, {"day", 1, 1, "day(_date($1))"}, {"dayofmonth", 1, 1, "day(_date($1))"}, {"dayofweek", 1, 1, "dayofweek(_date($1)) + 1"}, {"weekday", 1, 1, "isodow(_date($1)) - 1"}, {"dayofyear", 1, 1, "dayofyear(_date($1))"},
    {"weekofyear", 1, 1, "weekofyear(_date($1))"}, {"quarter", 1, 1, "quarter(_date($1))"}, {"hour", 1, 1, "hour(_tslit($1))"}, {"minute", 1, 1, "minute(_tslit($1))"}, {"second", 1, 1, "second(_tslit($1))"}, {"curdate", 0, 0, "current_date"}, {"current_date", 0, 0, ""}, {"current_timestamp", 0, 0, ""},
    {"current_time", 0, 0, ""}, {"now", 0, 0, "current_timestamp"}, {"from_utc_timestamp", 2, 2, "CAST($1 AS TIMESTAMP) AT TIME ZONE 'UTC' AT TIME ZONE $2"}, {"to_utc_timestamp", 2, 2, "CAST($1 AS TIMESTAMP) AT TIME ZONE $2 AT TIME ZONE 'UTC'"},
    {"convert_timezone", 3, 3, "_tslit($3) AT TIME ZONE $1 AT TIME ZONE $2"}, {"convert_timezone", 2, 2, NULL}, {"make_date", 3, 3, ""}, {"make_timestamp", 6, 6, ""}, {"make_interval", 0, -1, NULL}, {"date_from_unix_date", 1, 1, "_add(CAST('1970-01-01' AS DATE), $1, 'day')"}, {"unix_date", 1, 1, "date_diff('DAY', CAST('1970-01-01' AS DATE), $1)"},
    {"timestamp_seconds", 1, 1, "to_timestamp"}, {"timestamp_millis", 1, 1, "epoch_ms"}, {"unix_seconds", 1, 1, "CAST(epoch($1) AS BIGINT)"}, {"unix_millis", 1, 1, "epoch_ms"}, {"unix_micros", 1, 1, "epoch_us"}, {"window", 2, 3, NULL},
    /* texts */
    {"concat", 1, -1, "@concat"}, {"locate", 2, 2, "strpos($2, $1)"}, {"locate", 3, 3, "CASE WHEN strpos(substring($2, $3), $1) = 0 THEN 0 ELSE strpos(substring($2, $3), $1) + $3 - 1 END"}, {"position", 2, 2, "strpos($2, $1)"}, {"instr", 2, 2, "strpos"}, {"charindex", 2, 2, "strpos($2, $1)"},
    {"split", 2, 2, "string_split_regex"}, {"split", 3, 3, NULL}, {"split_part", 3, 3, ""}, {"regexp_replace", 3, 3, "regexp_replace($1, $2, $3, 'g')"}, {"regexp_replace", 4, 5, "@regexp_replace"}, {"regexp_extract", 2, 2, "regexp_extract($1, $2, 1)"}, {"regexp_extract", 3, 3, ""},
    {"regexp_extract_all", 2, 2, "regexp_extract_all($1, $2, 1)"}, {"regexp_extract_all", 3, 3, ""}, {"regexp_like", 2, 2, "regexp_matches"}, {"rlike", 2, 2, "regexp_matches"}, {"regexp", 2, 2, "regexp_matches"}, {"regexp_count", 2, 2, "len(regexp_extract_all($1, $2))"}, {"regexp_substr", 2, 2, "nullif(regexp_extract($1, $2), '')"},
    {"like", 2, 2, "$1 LIKE $2"}, {"ilike", 2, 2, "$1 ILIKE $2"}, {"length", 1, 1, ""}, {"char_length", 1, 1, "length"}, {"space", 1, 1, "repeat(' ', CAST($1 AS BIGINT))"}, {"initcap", 1, 1, NULL}, {"soundex", 1, 1, NULL}, {"substring_index", 3, 3, NULL}, {"format_number", 2, 2, "@format_number"}, {"format_string", 1, -1, "@format_percent"},
    {"encode", 2, 2, "encode($1)"}, {"decode", 2, 2, "decode($1)"}, {"decode", 3, -1, "@decode"}, {"base64", 1, 1, "to_base64"}, {"unbase64", 1, 1, "from_base64"}, {"hex", 1, 1, ""}, {"unhex", 1, 1, ""}, {"sha", 1, 1, "sha1"}, {"sha2", 2, 2, "@sha2"}, {"crc32", 1, 1, NULL}, {"hash", 1, -1, NULL}, {"xxhash64", 1, -1, NULL},
    {"char", 1, 1, "chr"}, {"chr", 1, 1, ""}, {"overlay", 3, 4, NULL}, {"translate", 3, 3, ""}, {"levenshtein", 2, 2, ""}, {"startswith", 2, 2, "starts_with"}, {"endswith", 2, 2, "ends_with"}, {"contains", 2, 2, "contains"}, {"left", 2, 2, ""}, {"right", 2, 2, ""}, {"lpad", 2, 2, "lpad($1, $2, ' ')"}, {"rpad", 2, 2, "rpad($1, $2, ' ')"},
    {"btrim", 1, 2, "trim"}, {"parse_url", 2, 3, NULL}, {"string", 1, 1, "CAST($1 AS TEXT)"}, {"int", 1, 1, "TRY_CAST($1 AS INT)"}, {"bigint", 1, 1, "TRY_CAST($1 AS BIGINT)"}, {"double", 1, 1, "TRY_CAST($1 AS DOUBLE)"}, {"float", 1, 1, "TRY_CAST($1 AS REAL)"}, {"boolean", 1, 1, "TRY_CAST($1 AS BOOLEAN)"},
    {"timestamp", 1, 1, "CAST($1 AS TIMESTAMPTZ)"}, {"to_varchar", 2, 2, NULL}, {"to_char", 2, 2, NULL}, {"to_number", 2, 2, NULL}, {"to_binary", 1, 2, NULL},
    /* numbers */
    {"rand", 0, 0, "random()"}, {"rand", 1, 1, NULL}, {"random", 1, 1, NULL}, {"log", 1, 1, "ln"}, {"log", 2, 2, "log($1, $2)"}, {"pmod", 2, 2, "(($1 % $2) + $2) % $2"}, {"mod", 2, 2, "$1 % $2"}, {"try_divide", 2, 2, "CASE WHEN $2 <> 0 THEN $1 / $2 ELSE NULL END"}, {"try_add", 2, 2, "$1 + $2"}, {"div", 2, 2, "CAST(trunc($1 / $2) AS BIGINT)"},
    {"bround", 1, 2, NULL}, {"rint", 1, 1, "round_even($1, 0)"}, {"e", 0, 0, "exp(1)"}, {"shiftleft", 2, 2, "$1 << $2"}, {"shiftright", 2, 2, "$1 >> $2"}, {"bit_count", 1, 1, ""}, {"bitmap_bit_position", 1, 1, "(CASE WHEN $1 > 0 THEN $1 - 1 ELSE abs($1) END) % 32768"}, {"conv", 3, 3, NULL}, {"width_bucket", 4, 4, NULL},
    {"if", 3, 3, "CASE WHEN $1 THEN $2 ELSE $3 END"}, {"nvl2", 2, 2, "CASE WHEN $1 IS NOT NULL THEN $2 END"}, {"nanvl", 2, 2, "CASE WHEN isnan($1) THEN $2 ELSE $1 END"}, {"isnull", 1, 1, "$1 IS NULL"}, {"isnotnull", 1, 1, "$1 IS NOT NULL"}, {"assert_true", 1, 2, NULL}, {"positive", 1, 1, "$1"}, {"negative", 1, 1, "-$1"},
    /* arrays, maps, structs */
    {"array", 0, -1, "[_rest(1)]"}, {"size", 1, 1, "len"}, {"cardinality", 1, 1, "len"}, {"array_size", 1, 1, "len"}, {"array_contains", 2, 2, ""}, {"array_max", 1, 1, "list_max"}, {"array_min", 1, 1, "list_min"}, {"array_sum", 1, 1, "list_sum"}, {"array_position", 2, 2, "array_position($1, $2)"}, {"array_distinct", 1, 1, "list_distinct"},
    {"array_except", 2, 2, "CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE list_filter(list_distinct($1), e -> length(list_filter($2, x -> x IS NOT DISTINCT FROM e)) = 0) END"}, {"array_intersect", 2, 2, "list_intersect"}, {"array_union", 2, 2, "list_distinct(list_concat($1, $2))"}, {"array_join", 2, 2, "array_to_string"}, {"array_join", 3, 3, NULL},
    {"array_remove", 2, 2, "list_filter($1, x -> x <> $2)"}, {"array_repeat", 2, 2, "list_transform(range($2), x -> $1)"}, {"array_sort", 1, 1, "list_sort"}, {"sort_array", 1, 1, "list_sort($1, 'ASC', 'NULLS FIRST')"}, {"sort_array", 2, 2, "@sort_array"}, {"arrays_overlap", 2, 2, "list_has_any"}, {"arrays_zip", 1, -1, NULL}, {"array_append", 2, 2, "list_append"},
    {"array_prepend", 2, 2, "list_prepend($2, $1)"}, {"array_compact", 1, 1, "list_filter($1, x -> x IS NOT NULL)"}, {"array_insert", 3, 3, "@array_insert"}, {"slice", 3, 3, "array_slice($1, $2, $2 + $3 - 1)"}, {"sequence", 2, 3, "generate_series"}, {"flatten", 1, 1, ""}, {"reverse", 1, 1, "@ch_reverse"}, {"shuffle", 1, 1, NULL}, {"element_at", 2, 2, "$1[$2]"},
    {"try_element_at", 2, 2, "$1[$2]"}, {"explode", 1, 1, "unnest"}, {"explode_outer", 1, 1, NULL}, {"transform", 2, 2, "list_transform"}, {"filter", 2, 2, "list_filter"}, {"exists", 2, 2, "len(list_filter($1, $2)) > 0"}, {"forall", 2, 2, "len(list_filter($1, $2)) = len($1)"}, {"aggregate", 3, 4, NULL}, {"zip_with", 3, 3, NULL},
    {"map", 0, 0, "MAP {}"}, {"map", 2, -1, "@map_pairs"}, {"map_from_arrays", 2, 2, "map"}, {"map_from_entries", 1, 1, ""}, {"map_keys", 1, 1, ""}, {"map_values", 1, 1, ""}, {"map_concat", 1, -1, ""}, {"map_entries", 1, 1, ""}, {"map_contains_key", 2, 2, "map_contains"}, {"str_to_map", 1, 3, NULL},
    {"struct", 1, -1, "@struct"}, {"named_struct", 2, -1, "@named_struct"}, {"stack", 2, -1, NULL},
    /* JSON */
    {"get_json_object", 2, 2, "$1 ->> _path($2)"}, {"json_array_length", 1, 1, ""}, {"to_json", 1, 1, "CAST(to_json($1) AS TEXT)"}, {"from_json", 2, 3, NULL}, {"parse_json", 1, 1, "json"}, {"json_tuple", 2, -1, NULL}, {"json_object_keys", 1, 1, "json_keys"}, {"variant_get", 2, 3, NULL},
    /* aggregates */
    {"collect_list", 1, 1, "array_agg($1) FILTER (WHERE $1 IS NOT NULL)"}, {"collect_set", 1, 1, "list_distinct(array_agg($1))"}, {"array_agg", 1, 1, "array_agg($1) FILTER (WHERE $1 IS NOT NULL)"}, {"percentile_approx", 2, 3, "approx_quantile($1, $2)"}, {"approx_percentile", 2, 3, "approx_quantile($1, $2)"}, {"percentile", 2, 2, "quantile_cont"},
    {"percentile_cont", 2, 2, "@plain_quantile"}, {"approx_count_distinct", 1, 2, "approx_count_distinct($1)"}, {"any_value", 1, 2, "@any_value"}, {"first", 1, 2, "@first_value"}, {"first", 2, 2, "@any_value"}, {"last", 1, 1, "last"}, {"count_if", 1, 1, ""}, {"bool_and", 1, 1, "bool_and(_bool($1))"}, {"bool_or", 1, 1, "bool_or(_bool($1))"}, {"every", 1, 1, "bool_and"},
    {"some", 1, 1, "bool_or"}, {"any", 1, 1, "bool_or"}, {"std", 1, 1, "stddev_samp"}, {"max_by", 2, 2, "arg_max"}, {"min_by", 2, 2, "arg_min"}, {"kurtosis", 1, 1, ""}, {"skewness", 1, 1, ""}, {"grouping_id", 0, -1, ""}, {"grouping__id", 0, 0, NULL}, {"listagg", 1, 1, "listagg($1, '')"}, {"listagg", 2, 2, "listagg"}, {"string_agg", 1, 1, "listagg($1, '')"},
    {"uuid", 0, 0, ""}, {"current_user", 0, 0, NULL}, {"input_file_name", 0, 0, NULL}, {"monotonically_increasing_id", 0, 0, NULL}, {"reflect", 2, -1, NULL}, {"java_method", 2, -1, NULL}, {"typeof", 1, 1, NULL}, {"raise_error", 1, 1, "error"},
    {NULL, 0, 0, NULL},
};

static const struct type_row types[] = {
    {"STRING", "TEXT"}, {"VARCHAR", "TEXT"}, {"CHAR", "TEXT"}, {"BYTE", "TINYINT"}, {"SHORT", "SMALLINT"}, {"LONG", "BIGINT"}, {"DECIMAL", "DECIMAL(+)"}, {"VOID", NULL}, {NULL, NULL},
};

static const struct time_row times[] = {
    {"yyyy", "%Y"}, {"YYYY", "%Y"}, {"y", "%Y"}, {"Y", "%Y"}, {"yy", "%y"}, {"YY", "%y"}, {"MMMM", "%B"}, {"MMM", "%b"}, {"MM", "%m"}, {"M", "%-m"}, {"dd", "%d"}, {"d", "%-d"}, {"HH", "%H"}, {"H", "%-H"}, {"hh", "%I"}, {"h", "%-I"},
    {"mm", "%M"}, {"m", "%-M"}, {"ss", "%S"}, {"s", "%-S"}, {"SSSSSS", "%f"}, {"SSS", "%g"}, {"a", "%p"}, {"DDD", "%j"}, {"DD", "%-j"}, {"D", "%-j"}, {"EEEE", "%A"}, {"EEE", "%a"}, {"EE", "%a"}, {"E", "%a"}, {"z", "%Z"}, {"Z", "%z"}, {"T", "T"}, {NULL, NULL},
};

const struct dialect dialect_hive = {
    .name = "hive",
    .flags = D_DOUBLE_QUOTE_STRING | D_BACKTICK | D_BACKSLASH | D_DIGIT_NAME | D_BIT_LEVELS | D_INDEX_FROM_0 | D_CONCAT_NULL | D_TRY_CAST | D_ZERO_DIVIDE_NULL,
    .nulls = NULLS_SMALL,
    .functions = functions,
    .types = types,
    .time = times,
};

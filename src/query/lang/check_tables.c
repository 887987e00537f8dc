/* check_tables.c: what tenant SQL may never read: files, system schemas. */
#include <stdio.h>

#include "query/lang/functions.h"
#include "query/lang/lang.h"
#include "query/lang/token.h"

/* ---- what may never be read ---- */

static bool is_path(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("/*\\:?", name.data[i]))
            return true;
    }
    static const char *const ends[] = {".parquet", ".csv", ".json", ".ndjson", ".jsonl", ".tsv",
                                       ".gz",      ".zst", ".db",   ".duckdb", ".txt",   ".xlsx"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(ends[i]);
        if (name.len > len &&
            str_eq_nocase(str_make(name.data + name.len - len, len), str_of(ends[i])))
            return true;
    }
    return false;
}

static bool is_system(struct str name)
{
    static const char *const heads[] = {
        "information_schema.", "pg_catalog.", "duckdb_", "pragma_", "sqlite_", "system.", "pg_"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t len = strlen(heads[i]);
        if (name.len >= len && str_eq_nocase(str_make(name.data, len), str_of(heads[i])))
            return true;
    }
    return false;
}

static bool reads_values_only(struct str function)
{
    static const char *const others[] = {"explode",
                                         "posexplode",
                                         "flatten",
                                         "numbers",
                                         "generator",
                                         "split_to_table",
                                         "string_split",
                                         "values",
                                         "json_array_elements",
                                         "jsonb_array_elements",
                                         "json_table",
                                         "openjson",
                                         "inline",
                                         "stack",
                                         "table",
                                         "sequence",
                                         "regexp_split_to_table",
                                         "jsonb_each",
                                         "generate_array",
                                         "generate_date_array"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (str_eq_nocase(function, str_of(others[i])))
            return true;
    }
    return function_is_table(function);
}

enum status lang_check_tables(const struct lang_analysis *analysis, const struct lang_query *query,
                              struct lang_problem *problem)
{
    struct lang_problem scratch;
    if (!problem)
        problem = &scratch;
    for (size_t i = 0; i < analysis->table_count; i++) {
        const struct lang_table *table = &analysis->tables[i];
        const char *why = NULL;
        if (table->is_function && !reads_values_only(table->name))
            why = "this table function is not allowed";
        else if (!table->is_function && is_path(table->name))
            why = "a table is named, not a file";
        else if (!table->is_function && is_system(table->name))
            why = "system tables are not readable";
        if (!why)
            continue;
        *problem = (struct lang_problem){.code = LANG_REFUSED, .offset = table->offset};
        snprintf(problem->found, sizeof problem->found, "%.*s",
                 table->name.len < LANG_NAME_MAX ? (int)table->name.len : LANG_NAME_MAX - 1,
                 table->name.data);
        snprintf(problem->message, sizeof problem->message, "%s: '%s'", why, problem->found);
        problem_place(problem, query->text);
        return STATUS_INVALID_SQL;
    }
    return STATUS_OK;
}

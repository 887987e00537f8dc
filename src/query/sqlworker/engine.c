#include "query/sqlworker/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "query/sqlworker/errors.h"

/* Not for tenant SQL although the engine calls them deterministic functions: they tell of the
 * server, parse or plan other statements, or are macros over the engine's catalog (whose view
 * definitions hold file names). Every other pg_ and has_ function is refused by prefix. */
static const char *const denied[] = {"col_description",
                                     "currval",
                                     "current_query",
                                     "current_setting",
                                     "format_pg_type",
                                     "format_type",
                                     "get_block_size",
                                     "getenv",
                                     "getvariable",
                                     "in_search_path",
                                     "json_deserialize_sql",
                                     "json_execute_serialized_sql",
                                     "json_serialize_plan",
                                     "json_serialize_sql",
                                     "map_to_pg_oid",
                                     "nextval",
                                     "obj_description",
                                     "query",
                                     "query_table",
                                     "shobj_description",
                                     "stats",
                                     "write_log"};

/* Functions that give another value each time and do no harm. */
static const char *const allowed_volatile[] = {"error", "gen_random_uuid", "random",
                                               "uuid",  "uuidv4",          "uuidv7"};

/* Known to the binder only, so not in duckdb_functions(). */
static const char *const allowed_special[] = {"unnest",      "grouping", "grouping_id", "alias",
                                              "struct_pack", "row",      "unpack",      "coalesce"};

static const char list_functions[] =
    "SELECT lower(function_name) AS name, bool_or(function_type IN ('scalar', 'aggregate', "
    "'macro') "
    "AND (stability IS NULL OR stability <> 'VOLATILE')) FROM duckdb_functions() GROUP BY name";

static bool listed(struct str name, const char *const *list, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (str_is(name, list[i]))
            return true;
    return false;
}

#define LISTED(name, list) listed((name), (list), sizeof(list) / sizeof *(list))

static bool is_denied(struct str name)
{
    if (str_is(name, "pg_typeof"))
        return false;
    return str_starts(name, STR("pg_")) || str_starts(name, STR("has_")) ||
           str_starts(name, STR("inet_")) || str_starts(name, STR("read_")) || LISTED(name, denied);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct engine_function *)a)->name,
                  ((const struct engine_function *)b)->name);
}

static bool add_name(struct engine *engine, struct str name, bool allowed)
{
    char *copy = str_dup(name);
    if (copy)
        engine->functions[engine->functions_len++] = (struct engine_function){copy, allowed};
    return copy != NULL;
}

static bool is_special(struct str name)
{
    return LISTED(name, allowed_special) || LISTED(name, allowed_volatile);
}

static bool add_listed(struct engine *engine, duckdb_result *result, idx_t row)
{
    char *name = duckdb_value_varchar(result, 0, row);
    bool harmless = duckdb_value_boolean(result, 1, row);
    struct str text = str_of(name);
    bool ok = name && (is_special(text) || add_name(engine, text, harmless && !is_denied(text)));
    duckdb_free(name);
    return ok;
}

static enum status load_functions(struct engine *engine, struct error *err)
{
    enum {
        SPECIAL = sizeof allowed_special / sizeof *allowed_special,
        VOLATILE = sizeof allowed_volatile / sizeof *allowed_volatile
    };
    duckdb_result result;
    if (duckdb_query(engine->admin, list_functions, &result) != DuckDBSuccess) {
        duckdb_destroy_result(&result);
        return error_set(err, STATUS_UNAVAILABLE, "the SQL engine does not list its functions");
    }
    idx_t rows = duckdb_row_count(&result);
    engine->functions = calloc(rows + SPECIAL + VOLATILE, sizeof *engine->functions);
    bool ok = engine->functions != NULL;
    for (int i = 0; ok && i < SPECIAL; i++)
        ok = add_name(engine, str_of(allowed_special[i]), true);
    for (int i = 0; ok && i < VOLATILE; i++)
        ok = add_name(engine, str_of(allowed_volatile[i]), true);
    for (idx_t i = 0; ok && i < rows; i++)
        ok = add_listed(engine, &result, i);
    duckdb_destroy_result(&result);
    if (!ok)
        return error_no_memory(err);
    qsort(engine->functions, engine->functions_len, sizeof *engine->functions, compare_names);
    return STATUS_OK;
}

enum engine_verdict engine_function(const struct engine *engine, struct str name)
{
    char lower[128];
    if (name.len >= sizeof lower)
        return FUNCTION_UNKNOWN;
    for (size_t i = 0; i < name.len; i++)
        lower[i] =
            (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
    lower[name.len] = '\0';
    struct engine_function key = {.name = lower};
    const struct engine_function *found =
        bsearch(&key, engine->functions, engine->functions_len, sizeof key, compare_names);
    if (found)
        return found->allowed ? FUNCTION_ALLOWED : FUNCTION_REFUSED;
    return is_denied(str_of(lower)) ? FUNCTION_REFUSED : FUNCTION_UNKNOWN;
}

enum status engine_run(struct engine *engine, const char *sql, struct error *err)
{
    duckdb_result result;
    enum status status = STATUS_OK;
    if (duckdb_query(engine->admin, sql, &result) != DuckDBSuccess)
        status = errors_map(duckdb_result_error(&result), STR_NONE, err);
    duckdb_destroy_result(&result);
    return status;
}

/* Bytes of address space that the process has used so far, 0 when unknown. */
static uint64_t address_space_used(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu", &pages) != 1)
        pages = 0;
    (void)fclose(file); /* read only */
    return pages * 4096;
}

enum { BASE_BYTES = 512 << 20, MEMORY_MIN_MIB = 64 };

/* 70 % of what the address space leaves: the engine's own limit does not see scalar results. */
static uint64_t memory_limit_mib(uint64_t address_space)
{
    if (!address_space)
        return 2048;
    uint64_t base = address_space_used();
    base = base ? base : BASE_BYTES;
    uint64_t rest = address_space > base ? address_space - base : 0;
    uint64_t mib = (rest / 10 * 7) >> 20;
    return mib < MEMORY_MIN_MIB ? MEMORY_MIN_MIB : mib;
}

static bool set(duckdb_config config, const char *name, const char *value)
{
    return duckdb_set_config(config, name, value) == DuckDBSuccess;
}

static bool set_number(duckdb_config config, const char *name, uint64_t number, const char *unit)
{
    char text[64];
    snprintf(text, sizeof text, "%llu%s", (unsigned long long)number, unit);
    return set(config, name, text);
}

static enum status open_database(const struct engine_options *options, struct engine *engine,
                                 struct error *err)
{
    duckdb_config config;
    char *why = NULL;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return error_no_memory(err);
    bool ok = set(config, "autoinstall_known_extensions", "false") &&
              set(config, "autoload_known_extensions", "false") &&
              set(config, "allow_community_extensions", "false") &&
              set_number(config, "threads", options->threads, "") &&
              set_number(config, "memory_limit", memory_limit_mib(options->memory_bytes), "MiB") &&
              set(config, "temp_directory", options->temp_folder) &&
              set_number(config, "max_temp_directory_size", options->spill_bytes >> 20, "MiB") &&
              duckdb_open_ext(NULL, &engine->db, config, &why) == DuckDBSuccess &&
              duckdb_connect(engine->db, &engine->admin) == DuckDBSuccess;
    duckdb_destroy_config(&config);
    if (!ok)
        error_set(err, STATUS_UNAVAILABLE, "the SQL engine does not open: %s", why ? why : "");
    duckdb_free(why);
    return ok ? STATUS_OK : STATUS_UNAVAILABLE;
}

static enum status lock_down(const struct engine_options *options, struct engine *engine,
                             struct error *err)
{
    struct buf sql;
    buf_init(&sql, 64 << 10);
    buf_append_str(&sql, STR("SET allowed_directories=["));
    for (int i = 0; i < 3 && options->read_folders[i]; i++) {
        buf_append_str(&sql, i ? STR(",") : STR(""));
        sql_literal(&sql, str_of(options->read_folders[i]));
    }
    buf_append_str(&sql, STR("];SET enable_external_access=false;SET lock_configuration=true"));
    buf_append_char(&sql, '\0');
    enum status status = buf_check(&sql, "a setting", err);
    if (status == STATUS_OK)
        status = engine_run(engine, sql.data, err);
    buf_release(&sql);
    return status;
}

enum status engine_open(const struct engine_options *options, struct engine *ret, struct error *err)
{
    *ret = (struct engine){0};
    enum status status = open_database(options, ret, err);
    if (status == STATUS_OK)
        status = load_functions(ret, err);
    if (status == STATUS_OK)
        status = engine_run(ret, "SET GLOBAL TimeZone='UTC';SET GLOBAL parquet_metadata_cache=true",
                            err);
    if (status == STATUS_OK)
        status = lock_down(options, ret, err);
    if (status != STATUS_OK)
        engine_close(ret);
    return status;
}

void engine_close(struct engine *engine)
{
    view_cache_release(&engine->views);
    for (uint32_t i = 0; i < engine->functions_len; i++)
        free(engine->functions[i].name);
    free(engine->functions);
    duckdb_disconnect(&engine->admin);
    duckdb_close(&engine->db);
    *engine = (struct engine){0};
}

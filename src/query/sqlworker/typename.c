/* typename.c: the names of the engine's types as its users write them. */
#include "query/sqlworker/answer.h"
#include "query/sqlworker/values_int.h"

static const char *const names[] = {
    [DUCKDB_TYPE_BOOLEAN] = "BOOLEAN",
    [DUCKDB_TYPE_TINYINT] = "TINYINT",
    [DUCKDB_TYPE_SMALLINT] = "SMALLINT",
    [DUCKDB_TYPE_INTEGER] = "INTEGER",
    [DUCKDB_TYPE_BIGINT] = "BIGINT",
    [DUCKDB_TYPE_UTINYINT] = "UTINYINT",
    [DUCKDB_TYPE_USMALLINT] = "USMALLINT",
    [DUCKDB_TYPE_UINTEGER] = "UINTEGER",
    [DUCKDB_TYPE_UBIGINT] = "UBIGINT",
    [DUCKDB_TYPE_FLOAT] = "FLOAT",
    [DUCKDB_TYPE_DOUBLE] = "DOUBLE",
    [DUCKDB_TYPE_TIMESTAMP] = "TIMESTAMP",
    [DUCKDB_TYPE_DATE] = "DATE",
    [DUCKDB_TYPE_TIME] = "TIME",
    [DUCKDB_TYPE_INTERVAL] = "INTERVAL",
    [DUCKDB_TYPE_HUGEINT] = "HUGEINT",
    [DUCKDB_TYPE_UHUGEINT] = "UHUGEINT",
    [DUCKDB_TYPE_VARCHAR] = "VARCHAR",
    [DUCKDB_TYPE_BLOB] = "BLOB",
    [DUCKDB_TYPE_TIMESTAMP_S] = "TIMESTAMP_S",
    [DUCKDB_TYPE_TIMESTAMP_MS] = "TIMESTAMP_MS",
    [DUCKDB_TYPE_TIMESTAMP_NS] = "TIMESTAMP_NS",
    [DUCKDB_TYPE_ENUM] = "ENUM",
    [DUCKDB_TYPE_UUID] = "UUID",
    [DUCKDB_TYPE_UNION] = "UNION",
    [DUCKDB_TYPE_BIT] = "BIT",
    [DUCKDB_TYPE_TIME_TZ] = "TIME WITH TIME ZONE",
    [DUCKDB_TYPE_TIMESTAMP_TZ] = "TIMESTAMP WITH TIME ZONE",
    [DUCKDB_TYPE_SQLNULL] = "\"NULL\"",
};

static void name_of(duckdb_logical_type type, struct buf *out, int depth);

/* Takes the type over. */
static void child_name(duckdb_logical_type child, struct buf *out, int depth)
{
    name_of(child, out, depth + 1);
    duckdb_destroy_logical_type(&child);
}

static void struct_name(duckdb_logical_type type, struct buf *out, int depth)
{
    idx_t count = duckdb_struct_type_child_count(type);
    buf_append_str(out, STR("STRUCT("));
    for (idx_t i = 0; i < count; i++) {
        char *name = duckdb_struct_type_child_name(type, i);
        buf_printf(out, "%s%s%s", i ? ", " : "", name ? name : "", name && name[0] ? " " : "");
        duckdb_free(name);
        child_name(duckdb_struct_type_child_type(type, i), out, depth);
    }
    buf_append_char(out, ')');
}

static void map_name(duckdb_logical_type type, struct buf *out, int depth)
{
    buf_append_str(out, STR("MAP("));
    child_name(duckdb_map_type_key_type(type), out, depth);
    buf_append_str(out, STR(", "));
    child_name(duckdb_map_type_value_type(type), out, depth);
    buf_append_char(out, ')');
}

static bool alias_name(duckdb_logical_type type, struct buf *out)
{
    char *alias = duckdb_logical_type_get_alias(type);
    bool has = alias && alias[0];
    if (has)
        buf_append_str(out, str_of(alias));
    duckdb_free(alias);
    return has;
}

static void name_of(duckdb_logical_type type, struct buf *out, int depth)
{
    duckdb_type id = duckdb_get_type_id(type);
    if (depth > NESTED_DEPTH_MAX) {
        buf_append_str(out, STR("..."));
    } else if (id == DUCKDB_TYPE_DECIMAL) {
        buf_printf(out, "DECIMAL(%d,%d)", duckdb_decimal_width(type), duckdb_decimal_scale(type));
    } else if (id == DUCKDB_TYPE_LIST) {
        child_name(duckdb_list_type_child_type(type), out, depth);
        buf_append_str(out, STR("[]"));
    } else if (id == DUCKDB_TYPE_ARRAY) {
        child_name(duckdb_array_type_child_type(type), out, depth);
        buf_printf(out, "[%llu]", (unsigned long long)duckdb_array_type_array_size(type));
    } else if (id == DUCKDB_TYPE_STRUCT) {
        struct_name(type, out, depth);
    } else if (id == DUCKDB_TYPE_MAP) {
        map_name(type, out, depth);
    } else if (!alias_name(type, out)) {
        bool known = (size_t)id < sizeof names / sizeof *names && names[id];
        buf_append_str(out, known ? str_of(names[id]) : STR("UNKNOWN"));
    }
}

void answer_type_name(duckdb_logical_type type, struct buf *out)
{
    name_of(type, out, 0);
}

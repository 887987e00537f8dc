#include "query/sqlworker/views.h"

#include <stdlib.h>

#include "data/type.h"
#include "query/sql/sql.h"
#include "query/sqlworker/engine.h"
#include "storage/store.h"

struct cached_view {
    char *name;
    char *sql;
};

static void quoted(struct buf *sql, struct str text, char quote)
{
    buf_append_char(sql, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == quote)
            buf_append_char(sql, quote);
        buf_append_char(sql, text.data[i]);
    }
    buf_append_char(sql, quote);
}

void sql_literal(struct buf *sql, struct str text)
{
    quoted(sql, text, '\'');
}

void sql_identifier(struct buf *sql, struct str name)
{
    quoted(sql, name, '"');
}

void view_cache_release(struct view_cache *cache)
{
    for (uint32_t i = 0; i < cache->len; i++) {
        free(cache->views[i].name);
        free(cache->views[i].sql);
    }
    free(cache->views);
    *cache = (struct view_cache){0};
}

static const char *engine_type(struct str name)
{
    static const char *const names[TYPE_COUNT] = {
        [TYPE_BOOL] = "BOOLEAN",       [TYPE_INT64] = "BIGINT", [TYPE_DOUBLE] = "DOUBLE",
        [TYPE_STRING] = "VARCHAR",     [TYPE_JSON] = "JSON",    [TYPE_DATE] = "DATE",
        [TYPE_TIMESTAMP] = "TIMESTAMP"};
    enum type type;
    return type_parse(name, &type) ? names[type] : "VARCHAR";
}

/* The engine folds case, Quarry does not: of columns that differ in case only, the later ones get
 * their field id as a suffix. */
static bool folds_to_earlier(yyjson_val *columns, size_t index)
{
    struct str name = json_str_of(json_get(yyjson_arr_get(columns, index), "name"));
    size_t i, max;
    yyjson_val *column;
    yyjson_arr_foreach(columns, i, max, column)
    {
        if (i >= index)
            return false;
        struct str other = json_str_of(json_get(column, "name"));
        if (other.len == name.len && str_eq_nocase(other, name))
            return true;
    }
    return false;
}

static void append_column_name(struct buf *sql, yyjson_val *columns, size_t index)
{
    yyjson_val *column = yyjson_arr_get(columns, index);
    struct str name = json_str_of(json_get(column, "name"));
    if (!folds_to_earlier(columns, index)) {
        sql_identifier(sql, name);
        return;
    }
    struct buf longer;
    buf_init(&longer, FIELD_NAME_MAX + 32);
    buf_printf(&longer, "%.*s_%lld", STR_ARG(name),
               (long long)field_id_base((int32_t)yyjson_get_sint(json_get(column, "id"))));
    sql_identifier(sql, buf_str(&longer));
    buf_release(&longer);
}

/* read_parquet([...] */
static void append_file_names(struct buf *sql, yyjson_val *files)
{
    size_t i, max;
    yyjson_val *item;
    buf_append_str(sql, STR("read_parquet(["));
    yyjson_arr_foreach(files, i, max, item)
    {
        buf_append_str(sql, i ? STR(",") : STR(""));
        sql_literal(sql, json_str_of(item));
    }
    buf_append_char(sql, ']');
}

/* Both lists of files have the same order: a file's number is that of the file of its deleted rows.
 * The condition is always true: it lets the engine expect few deleted rows and build the hash table
 * of them, not of the table's rows that a statement has filtered. */
static void append_anti_join(struct buf *sql, yyjson_val *deletes)
{
    buf_append_str(sql, STR(" AS t ANTI JOIN (SELECT pos,file_index FROM "));
    append_file_names(sql, deletes);
    buf_printf(sql,
               ",schema=MAP {%d:{name:'pos',type:'BIGINT',default_value:NULL}},"
               "hive_partitioning=false) WHERE pos>=0) AS d "
               "ON d.pos=t.file_row_number AND d.file_index=t.file_index",
               DELETION_FIELD_POS);
}

/* Of rows in files that lack the column. All are texts, which the engine casts: the values of its
 * map must be of one type. */
static void append_default(struct buf *sql, yyjson_val *column)
{
    yyjson_val *value = json_get(column, "initial");
    bool is_json = str_is(json_str_of(json_get(column, "type")), "json");
    char *text = NULL;
    size_t len = 0;
    if (value && yyjson_is_str(value) && !is_json) {
        sql_literal(sql, json_str_of(value));
        return;
    }
    if (value)
        text = yyjson_val_write(value, 0, &len);
    if (text)
        sql_literal(sql, str_make(text, len));
    else
        buf_append_str(sql, STR("NULL"));
    free(text);
}

/* "c1"; of a widened column the value from files of either generation. */
static void append_column_value(struct buf *sql, long long id)
{
    if (id < FIELD_ID_STEP)
        buf_printf(sql, "c%lld", id);
    else
        buf_printf(sql, "coalesce(c%lld,c%lld)", id - FIELD_ID_STEP, id);
}

static void append_column_entry(struct buf *sql, long long id, yyjson_val *column, bool is_older)
{
    buf_printf(sql, "%lld:{name:'c%lld',type:'%s',default_value:", id, id,
               engine_type(json_str_of(json_get(column, "type"))));
    if (is_older)
        buf_append_str(sql, STR("NULL"));
    else
        append_default(sql, column);
    buf_append_char(sql, '}');
    if (id < FIELD_ID_STEP)
        return;
    buf_append_char(sql, ',');
    append_column_entry(sql, id - FIELD_ID_STEP, column, true);
}

/* [0,2][file_index+1] AS "quarry unit", file_row_number AS "quarry row": where each row is. */
static void append_positions(struct buf *sql, yyjson_val *units, const char *alias)
{
    size_t i, max;
    yyjson_val *item;
    buf_append_str(sql, STR(",CAST(["));
    yyjson_arr_foreach(units, i, max, item)
    {
        buf_printf(sql, "%s%lld", i ? "," : "", (long long)yyjson_get_sint(item));
    }
    buf_printf(sql,
               "][CAST(%sfile_index AS BIGINT)+1] AS BIGINT) AS \"" SQL_UNIT_COLUMN
               "\",CAST(%sfile_row_number AS BIGINT) AS \"" SQL_ROW_COLUMN "\"",
               alias, alias);
}

/* Files that are read alike. */
struct files {
    yyjson_val *paths;
    yyjson_val *units; /* NULL: positions are not wanted */
    const char *alias; /* of the table function, with its dot */
    long long rows;    /* 0: not known */
    bool by_name;      /* they hold the columns and no others, by their names */
};

/* May the columns be read by their names? The engine folds them, and has columns of its own. */
static bool names_are_free(yyjson_val *columns)
{
    size_t i, max;
    yyjson_val *column;
    yyjson_arr_foreach(columns, i, max, column)
    {
        struct str name = json_str_of(json_get(column, "name"));
        if (folds_to_earlier(columns, i) || str_eq_nocase(name, STR("file_row_number")) ||
            str_eq_nocase(name, STR("file_index")) || str_eq_nocase(name, STR("filename")))
            return false;
    }
    return true;
}

/* "name"; documents are texts in the files. */
static void append_named_column(struct buf *sql, yyjson_val *column, const char *alias)
{
    bool is_json = str_is(json_str_of(json_get(column, "type")), "json");
    buf_append_str(sql, is_json ? STR("CAST(") : STR(""));
    buf_append_str(sql, str_of(alias));
    sql_identifier(sql, json_str_of(json_get(column, "name")));
    buf_append_str(sql, is_json ? STR(" AS JSON)") : STR(""));
}

/* ,schema=MAP {1: {name: 'c1', ...}} */
static void append_schema(struct buf *sql, yyjson_val *columns)
{
    size_t i, max;
    yyjson_val *item;
    buf_append_str(sql, STR(",schema=MAP {"));
    yyjson_arr_foreach(columns, i, max, item)
    {
        buf_append_str(sql, i ? STR(",") : STR(""));
        append_column_entry(sql, (long long)yyjson_get_sint(json_get(item, "id")), item, false);
    }
    buf_append_char(sql, '}');
}

/* SELECT c1 AS "name", ... FROM read_parquet([...], schema=MAP ...), or by the files' names: then
 * the engine has the files' statistics for its plan, and reads one file with several threads. */
static void append_files_select(struct buf *sql, yyjson_val *columns, const struct files *list)
{
    size_t i, max;
    yyjson_val *item;
    buf_append_str(sql, STR("SELECT "));
    yyjson_arr_foreach(columns, i, max, item)
    {
        buf_append_str(sql, i ? STR(",") : STR(""));
        if (list->by_name)
            append_named_column(sql, item, list->alias);
        else
            append_column_value(sql, (long long)yyjson_get_sint(json_get(item, "id")));
        buf_append_str(sql, STR(" AS "));
        append_column_name(sql, columns, i);
    }
    if (list->units)
        append_positions(sql, list->units, list->alias);
    buf_append_str(sql, STR(" FROM "));
    append_file_names(sql, list->paths);
    if (!list->by_name)
        append_schema(sql, columns);
    else if (yyjson_arr_size(list->paths) > 1)
        buf_append_str(sql, STR(",union_by_name=true"));
    buf_append_str(sql, STR(",hive_partitioning=false"));
    if (list->rows > 0)
        buf_printf(sql, ",explicit_cardinality=%lld", list->rows);
    buf_append_char(sql, ')');
}

static void append_empty_select(struct buf *sql, yyjson_val *columns, bool with_positions)
{
    size_t i, max;
    yyjson_val *item;
    buf_append_str(sql, STR("SELECT "));
    yyjson_arr_foreach(columns, i, max, item)
    {
        buf_printf(sql, "%sCAST(NULL AS %s) AS ", i ? "," : "",
                   engine_type(json_str_of(json_get(item, "type"))));
        append_column_name(sql, columns, i);
    }
    if (yyjson_arr_size(columns) == 0) /* the engine knows no table without a column */
        buf_append_str(sql, STR("CAST(NULL AS VARCHAR) AS \"_empty\""));
    if (with_positions)
        buf_append_str(sql, STR(",CAST(NULL AS BIGINT) AS \"" SQL_UNIT_COLUMN
                                "\",CAST(NULL AS BIGINT) AS \"" SQL_ROW_COLUMN "\""));
    buf_append_str(sql, STR(" WHERE false"));
}

static void append_view(struct buf *sql, yyjson_val *table)
{
    yyjson_val *columns = json_get(table, "columns");
    bool by_name = yyjson_is_true(json_get(table, "by_name")) && names_are_free(columns);
    const struct files clean = {json_get(table, "files"), json_get(table, "file_units"), "",
                                yyjson_get_sint(json_get(table, "rows")), by_name};
    const struct files dirty = {json_get(table, "dirty"), json_get(table, "dirty_units"), "t.",
                                yyjson_get_sint(json_get(table, "dirty_rows")), by_name};
    buf_append_str(sql, STR("CREATE OR REPLACE VIEW memory.main."));
    sql_identifier(sql, json_str_of(json_get(table, "name")));
    buf_append_str(sql, STR(" AS "));
    bool any = yyjson_arr_size(clean.paths) > 0, any_dirty = yyjson_arr_size(dirty.paths) > 0;
    if ((!any && !any_dirty) || yyjson_arr_size(columns) == 0)
        append_empty_select(sql, columns, clean.units != NULL);
    else if (any)
        append_files_select(sql, columns, &clean);
    if (any && any_dirty && yyjson_arr_size(columns))
        buf_append_str(sql, STR(" UNION ALL "));
    if (any_dirty && yyjson_arr_size(columns)) {
        append_files_select(sql, columns, &dirty);
        append_anti_join(sql, json_get(table, "deletes"));
    }
    buf_append_char(sql, '\0');
}

static struct cached_view *find_view(struct view_cache *cache, struct str name)
{
    for (uint32_t i = 0; i < cache->len; i++)
        if (str_eq_nocase(str_of(cache->views[i].name), name))
            return &cache->views[i];
    return NULL;
}

static enum status drop_all(struct engine *engine, struct error *err)
{
    struct view_cache *cache = &engine->views;
    while (cache->len > 0) {
        struct cached_view *view = &cache->views[cache->len - 1];
        struct buf sql;
        buf_init(&sql, VIEW_SQL_MAX);
        buf_append_str(&sql, STR("DROP VIEW IF EXISTS memory.main."));
        sql_identifier(&sql, str_of(view->name));
        buf_append_char(&sql, '\0');
        enum status status = buf_check(&sql, "a view", err);
        if (status == STATUS_OK)
            status = engine_run(engine, sql.data, err);
        buf_release(&sql);
        TRY(status);
        free(view->name);
        free(view->sql);
        cache->len--;
    }
    return STATUS_OK;
}

static enum status add_entry(struct engine *engine, struct str name, struct cached_view **ret,
                             struct error *err)
{
    struct view_cache *cache = &engine->views;
    if (cache->len == VIEWS_MAX)
        TRY(drop_all(engine, err));
    if (cache->len == cache->cap) {
        uint32_t cap = cache->cap ? cache->cap * 2 : 16;
        struct cached_view *views = realloc(cache->views, cap * sizeof *views);
        if (!views)
            return error_no_memory(err);
        cache->views = views;
        cache->cap = cap;
    }
    struct cached_view *view = &cache->views[cache->len];
    *view = (struct cached_view){.name = str_dup(name)};
    if (!view->name)
        return error_no_memory(err);
    cache->len++;
    *ret = view;
    return STATUS_OK;
}

/* Takes `sql` over into the cache when the view was made. */
static enum status make_view(struct engine *engine, struct str name, struct buf *sql,
                             struct error *err)
{
    struct cached_view *view = find_view(&engine->views, name);
    if (view && view->sql && strcmp(view->sql, sql->data) == 0)
        return STATUS_OK;
    if (view) {
        free(view->sql);
        view->sql = NULL; /* until the new one stands */
    }
    TRY(engine_run(engine, sql->data, err));
    if (!view)
        TRY(add_entry(engine, name, &view, err));
    size_t len;
    view->sql = buf_take(sql, &len);
    return STATUS_OK;
}

enum status views_make(struct engine *engine, yyjson_val *tables, struct error *err)
{
    size_t i, max;
    yyjson_val *table;
    /* Room first: making space must not drop a view of this very statement. */
    if (engine->views.len + yyjson_arr_size(tables) > VIEWS_MAX)
        TRY(drop_all(engine, err));
    yyjson_arr_foreach(tables, i, max, table)
    {
        struct buf sql;
        buf_init(&sql, VIEW_SQL_MAX);
        append_view(&sql, table);
        enum status status = buf_check(&sql, "the file list of a table", err);
        if (status == STATUS_OK)
            status = make_view(engine, json_str_of(json_get(table, "name")), &sql, err);
        buf_release(&sql);
        TRY(status);
    }
    return STATUS_OK;
}

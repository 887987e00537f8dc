/* views.h: a tenant's tables as views over their Parquet files.
 *
 * A view names its columns by Parquet field id, so files of older schemas read right: a column
 * added later is null, an integer file column under a DOUBLE column is converted. With the schema
 * given, no file is opened before the query runs. Files with deleted rows come with files of these
 * (a column pos, by field id) in the same order; an anti join leaves the rows out. A view stays as
 * long as its files and columns do, so a repeated query finds it ready. */
#ifndef QUARRY_QUERY_SQLWORKER_VIEWS_H
#define QUARRY_QUERY_SQLWORKER_VIEWS_H

#include "base/buf.h"
#include "base/json.h"

struct engine;

enum {
    VIEWS_MAX = 512,         /* cached; all are dropped when one more comes */
    VIEW_SQL_MAX = 32 << 20, /* bytes of a view's statement */
};

struct view_cache {
    struct cached_view *views;
    uint32_t len, cap;
};

void view_cache_release(struct view_cache *cache);

/* Makes the views of a `tables` frame ({tables: [{name, columns, files, dirty?, deletes?}]}). */
enum status views_make(struct engine *engine, yyjson_val *tables, struct error *err);

/* 'text' with quotes doubled; "name" with quotes doubled. */
void sql_literal(struct buf *sql, struct str text);
void sql_identifier(struct buf *sql, struct str name);

#endif

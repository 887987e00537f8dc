/* matview_fill.c: the rows of a materialised view into its source, as one mutation.
 *
 * The engine is asked one question whose rows say, as those of changes in SQL do, which row of the
 * source goes (unit and row of the mutation's view, or null) and what comes:
 *
 *   anew, new rows   SELECT NULL, NULL, columns FROM (query)
 *   groups           SELECT m.unit, m.row, keys, merged aggregates
 *                    FROM (query over the new rows) AS d LEFT JOIN source AS m ON keys are equal */
#include <stdio.h>

#include "query/lang/change.h"
#include "services/tenant/matview.h"
#include "services/tenant/sql_write.h"

enum { FILL_TEXT_MAX = 16 << 20, PLACE_COLUMNS = 2 };
static const int64_t fill_timeout_us = INT64_C(600) * 1000000;
static const char *const target_name = "quarry target"; /* no source can have this name */

struct fill {
    struct matview_refresh *refresh;
    struct source *target;
    struct field *fields;
    const char **engine_types; /* of the query's columns, "BIGINT" */
    uint32_t len;
    struct mutation *mutation;
    struct batch *rows;
    bool described;
};

/* ---- asking ---- */

static enum status ask(struct fill *fill, struct str query, uint32_t tables_len,
                       const struct sql_sink *sink, struct error *err)
{
    struct matview_refresh *r = fill->refresh;
    struct matviews *matviews = &r->node->matviews;
    struct sql_stats stats;
    char id[UUID_TEXT_LEN + 1];
    tenant_make_write_id(r->node, id);
    struct sql_request request = {.query_id = str_of(id),
                                  .query = query,
                                  .tables = r->tables,
                                  .tables_len = tables_len,
                                  .limit = -1,
                                  .timeout_us = fill_timeout_us};
    pthread_mutex_lock(&matviews->lock);
    bool ends = matviews->ends;
    memcpy(matviews->query_id, id, sizeof id);
    pthread_mutex_unlock(&matviews->lock);
    enum status status = ends ? error_set(err, STATUS_CANCELLED, "the node stops")
                              : sql_query(r->node->sql, &request, sink, &stats, err);
    pthread_mutex_lock(&matviews->lock);
    matviews->query_id[0] = 0;
    pthread_mutex_unlock(&matviews->lock);
    return status;
}

static void put_column(struct buf *out, const char *table, struct str name, const char *suffix)
{
    buf_printf(out, "%s.", table);
    sql_put_name(out, name);
    if (suffix) { /* before the closing quote */
        out->len--;
        buf_printf(out, "%s\"", suffix);
    }
}

/* ---- columns ---- */

static enum status take_shape(void *context, const struct str *names, const struct str *types,
                              uint32_t len, struct error *err)
{
    struct fill *fill = context;
    struct arena *arena = fill->refresh->arena;
    fill->fields = arena_array(arena, len + 1u, sizeof *fill->fields);
    fill->engine_types = arena_array(arena, len + 1u, sizeof *fill->engine_types);
    if (!fill->fields || !fill->engine_types)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        bool loses;
        fill->fields[i].name = arena_str(arena, names[i]);
        fill->engine_types[i] = arena_str(arena, types[i]).data;
        if (!fill->fields[i].name.data || !fill->engine_types[i])
            return error_no_memory(err);
        if (!lang_named_type(types[i], &fill->fields[i].type, &loses))
            return error_set(err, STATUS_UNSUPPORTED_SQL,
                             "column '%.*s' has type %.*s, which no source has: add a CAST",
                             names[i].len < 60 ? (int)names[i].len : 60, names[i].data,
                             types[i].len < 60 ? (int)types[i].len : 60, types[i].data);
    }
    fill->len = len;
    return STATUS_OK;
}

static enum status take_nothing(void *context, const struct batch *batch, struct error *err)
{
    (void)context, (void)batch, (void)err;
    return STATUS_OK;
}

static enum status describe(struct fill *fill, struct error *err)
{
    const struct sql_sink sink = {fill, take_shape, take_nothing};
    const char *text = arena_printf(fill->refresh->arena, "SELECT * FROM (%.*s) AS q LIMIT 0",
                                    STR_ARG(fill->refresh->query));
    if (!text)
        return error_no_memory(err);
    return ask(fill, str_of(text), fill->refresh->bases.len, &sink, err);
}

static enum status make_source(struct fill *fill, struct error *err)
{
    struct tenant_node *node = fill->refresh->node;
    struct str name = fill->refresh->view->name;
    struct source_config config = {.source_id = name,
                                   .name = name,
                                   .fields = fill->fields,
                                   .fields_len = fill->len,
                                   .codec = PARQUET_SNAPPY,
                                   .wal_enabled = true};
    TRY(quota_check_source(node, name, err));
    TRY(store_add_source(node->store, &config, err));
    return store_get_source(node->store, name, &fill->target, err);
}

static enum status check_columns(const struct fill *fill, struct error *err)
{
    struct schema *schema = source_schema(fill->target);
    bool same = schema->fields_len == fill->len;
    for (uint32_t i = 0; same && i < fill->len; i++)
        same = str_eq(schema->fields[i].name, fill->fields[i].name) &&
               schema->fields[i].type == fill->fields[i].type;
    schema_unref(schema);
    return same ? STATUS_OK
                : error_set(err, STATUS_UNSUPPORTED_SQL,
                            "its query gives other columns than when it was made: drop it and "
                            "create it again");
}

/* ---- the question ---- */

static void put_items(const struct fill *fill, struct buf *out)
{
    buf_append_str(out, STR("SELECT CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)"));
    for (uint32_t i = 0; i < fill->len; i++) {
        buf_append_str(out, STR(", CAST("));
        put_column(out, "d", fill->fields[i].name, NULL);
        buf_printf(out, " AS %s)", sql_engine_type(fill->fields[i].type));
    }
    buf_printf(out, " FROM (%.*s) AS d", STR_ARG(fill->refresh->query));
}

/* coalesce(m.c, 0) + coalesce(d.c, 0), null when both are */
static void put_sum(struct buf *out, struct str name, const char *suffix)
{
    static const char *const tables[] = {"m", "d"};
    buf_append_str(out, STR("CASE WHEN "));
    put_column(out, "m", name, suffix);
    buf_append_str(out, STR(" IS NULL AND "));
    put_column(out, "d", name, suffix);
    buf_append_str(out, STR(" IS NULL THEN NULL ELSE "));
    for (size_t i = 0; i < 2; i++) {
        buf_append_str(out, i ? STR(" + coalesce(") : STR("coalesce("));
        put_column(out, tables[i], name, suffix);
        buf_append_str(out, STR(", 0)"));
    }
    buf_append_str(out, STR(" END"));
}

static void put_merged(struct buf *out, enum lang_delta_role role, struct str name)
{
    switch (role) {
    case LANG_DELTA_KEY:
        put_column(out, "d", name, NULL);
        break;
    case LANG_DELTA_COUNT:
    case LANG_DELTA_SUM:
        put_sum(out, name, NULL);
        break;
    case LANG_DELTA_MIN:
    case LANG_DELTA_MAX: /* nulls are passed over */
        buf_append_str(out, role == LANG_DELTA_MIN ? STR("least(") : STR("greatest("));
        put_column(out, "m", name, NULL);
        buf_append_str(out, STR(", "));
        put_column(out, "d", name, NULL);
        buf_append_char(out, ')');
        break;
    case LANG_DELTA_AVG:
        buf_append_str(out, STR("CAST("));
        put_sum(out, name, LANG_DELTA_SUM_SUFFIX);
        buf_append_str(out, STR(" AS DOUBLE) / nullif("));
        put_sum(out, name, LANG_DELTA_COUNT_SUFFIX);
        buf_append_str(out, STR(", 0)"));
        break;
    }
}

static void put_group_items(const struct fill *fill, struct buf *out)
{
    const struct lang_delta *delta = &fill->refresh->delta;
    const char *on = " ON ";
    buf_append_str(out, STR("SELECT m.\"" SQL_UNIT_COLUMN "\", m.\"" SQL_ROW_COLUMN "\""));
    for (uint32_t i = 0; i < fill->len; i++) {
        buf_append_str(out, STR(", CAST("));
        put_merged(out, delta->roles[i], fill->fields[i].name);
        buf_printf(out, " AS %s)", sql_engine_type(fill->fields[i].type));
    }
    buf_printf(out, " FROM (%.*s) AS d LEFT JOIN \"%s\" AS m", STR_ARG(fill->refresh->query),
               target_name);
    for (uint32_t i = 0; i < fill->len; i++) {
        if (delta->roles[i] != LANG_DELTA_KEY)
            continue;
        buf_append_str(out, str_of(on));
        put_column(out, "d", fill->fields[i].name, NULL);
        buf_append_str(out, STR(" IS NOT DISTINCT FROM "));
        put_column(out, "m", fill->fields[i].name, NULL);
        on = " AND ";
    }
    if (str_is(str_of(on), " ON "))
        buf_append_str(out, STR(" ON TRUE"));
}

/* ---- rows ---- */

static enum status too_many(struct error *err)
{
    return error_set(err, STATUS_RESOURCE_LIMIT,
                     "a refresh stores at most %d rows or %d MiB: let the query give fewer",
                     MUTATION_ROWS_MAX, MUTATION_BYTES_MAX >> 20);
}

static enum status take_columns(void *context, const struct str *names, const struct str *types,
                                uint32_t len, struct error *err)
{
    const struct fill *fill = context;
    (void)names, (void)types;
    return len == fill->len + PLACE_COLUMNS
               ? STATUS_OK
               : error_set(err, STATUS_INTERNAL, "a worker sent rows of another shape");
}

static enum status take_rows(void *context, const struct batch *batch, struct error *err)
{
    struct fill *fill = context;
    if (batch->columns_len != fill->len + PLACE_COLUMNS ||
        batch->columns[0].column.type != TYPE_INT64 || batch->columns[1].column.type != TYPE_INT64)
        return error_set(err, STATUS_INTERNAL, "a worker sent rows of another shape");
    const struct view *view = mutation_view(fill->mutation);
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (!column_is_null(&batch->columns[0].column, row)) {
            uint64_t unit = (uint64_t)column_int64(&batch->columns[0].column, row);
            if (unit >= (uint64_t)view->segments_len + view->chunks_len)
                return error_set(err, STATUS_INTERNAL, "a worker named a place that there is not");
            TRY(mutation_delete(fill->mutation, (uint32_t)unit,
                                (uint64_t)column_int64(&batch->columns[1].column, row), err));
        }
        if (fill->rows->rows == MUTATION_ROWS_MAX)
            return too_many(err);
        TRY(sql_append_row(fill->rows, batch, PLACE_COLUMNS, row, err));
    }
    return batch_memory(fill->rows) > MUTATION_BYTES_MAX ? too_many(err) : STATUS_OK;
}

static enum status new_rows(struct fill *fill, struct error *err)
{
    fill->rows = batch_new();
    if (!fill->rows)
        return error_no_memory(err);
    fill->rows->epoch = mutation_view(fill->mutation)->schema->epoch;
    for (uint32_t i = 0; i < fill->len; i++) {
        uint32_t index;
        if (batch_add_column(fill->rows, fill->fields[i].name, fill->fields[i].type, &index) !=
            STATUS_OK)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status delete_all(struct fill *fill, struct error *err)
{
    const struct view *view = mutation_view(fill->mutation);
    for (uint32_t unit = 0; unit < view->segments_len + view->chunks_len; unit++) {
        uint64_t rows = unit < view->segments_len ? segment_info(view->segments[unit]).rows
                                                  : view->chunks[unit - view->segments_len]->rows;
        for (uint64_t row = 0; row < rows; row++)
            TRY(mutation_delete(fill->mutation, unit, row, err));
    }
    return STATUS_OK;
}

/* The query over the tables: new rows only in place of the source below, or all of it. */
static enum status read_rows(struct fill *fill, struct error *err)
{
    struct matview_refresh *r = fill->refresh;
    bool anew = r->why != NULL, groups = !anew && r->delta.kind == LANG_DELTA_GROUPS;
    const struct sql_sink sink = {fill, take_columns, take_rows};
    struct buf text;
    buf_init(&text, FILL_TEXT_MAX);
    if (!anew)
        r->tables[0].view = &r->fresh;
    r->tables[r->bases.len] = (struct sql_table){
        .view = mutation_view(fill->mutation), .name = str_of(target_name), .with_positions = true};
    if (groups)
        put_group_items(fill, &text);
    else
        put_items(fill, &text);
    enum status status = buf_check(&text, "the question", err);
    if (status == STATUS_OK && anew)
        status = delete_all(fill, err);
    if (status == STATUS_OK)
        status = ask(fill, buf_str(&text), r->bases.len + groups, &sink, err);
    buf_release(&text);
    return status;
}

/* ---- storing ---- */

/* First what is to come, then the rows; the caller says when it is done. */
static enum status commit(struct fill *fill, struct error *err)
{
    struct matview_refresh *r = fill->refresh;
    struct write_result result;
    r->state.pending = r->bases;
    TRY(matview_state_save(r->node, r->view, &r->state, err));
    TRY(mutation_commit(fill->mutation, fill->rows->rows ? fill->rows : NULL, &result, err));
    r->state.rows = (int64_t)fill->rows->rows;
    return STATUS_OK;
}

static enum status fill_target(struct fill *fill, struct error *err)
{
    struct matview_refresh *r = fill->refresh;
    struct write_result result;
    char *id = arena_alloc(r->arena, MATVIEW_ID_LEN + 1);
    if (!id)
        return error_no_memory(err);
    memcpy(id, "matview-", 8);
    tenant_make_write_id(r->node, id + 8);
    r->state.pending_id = str_of(id);
    TRY(mutation_begin(fill->target, r->state.pending_id, &fill->mutation, &result, err));
    enum status status = fill->mutation
                             ? new_rows(fill, err)
                             : error_set(err, STATUS_INTERNAL, "a new write id was used before");
    if (status == STATUS_OK)
        status = read_rows(fill, err);
    if (status == STATUS_OK)
        status = commit(fill, err);
    mutation_end(fill->mutation);
    batch_unref(fill->rows);
    return status;
}

/* Types that groups are found by exactly as the engine finds them. */
static bool are_plain_keys(const struct fill *fill)
{
    static const char *const plain[] = {"BIGINT",  "INTEGER", "SMALLINT",  "TINYINT", "VARCHAR",
                                        "BOOLEAN", "DATE",    "TIMESTAMP", "DOUBLE"};
    const struct lang_delta *delta = &fill->refresh->delta;
    for (uint32_t i = 0; i < fill->len; i++) {
        bool good = delta->roles[i] != LANG_DELTA_KEY &&
                    !str_starts(str_of(fill->engine_types[i]), STR("DECIMAL"));
        for (size_t k = 0; k < sizeof plain / sizeof *plain && !good; k++)
            good = str_is(str_of(fill->engine_types[i]), plain[k]);
        if (!good)
            return false;
    }
    return true;
}

enum status matview_fill(struct matview_refresh *r, struct error *err)
{
    struct fill fill = {.refresh = r};
    TRY(describe(&fill, err));
    if (!r->why && r->delta.kind == LANG_DELTA_GROUPS &&
        (fill.len != r->delta.len || !are_plain_keys(&fill)))
        r->why = "a key or value of its groups has a type that is kept as another one";
    enum status status = store_get_source(r->node->store, r->view->name, &fill.target, NULL);
    status = status == STATUS_OK ? check_columns(&fill, err) : make_source(&fill, err);
    if (status == STATUS_OK)
        status = fill_target(&fill, err);
    source_unref(fill.target);
    return status;
}

/* sql_change.c: INSERT, UPDATE, DELETE, MERGE and CREATE TABLE AS on POST /query/sql.
 *
 * The statement becomes a query (query/lang/change.h) that a SQL worker runs over the target as the
 * mutation sees it; its rows say what to do with which row. All of it is one mutation: stored
 * wholly or not at all, durable when answered. */
#include <stdio.h>

#include "query/lang/change.h"
#include "services/tenant/matview.h"
#include "services/tenant/sql_write.h"

enum { CHANGE_TEXT_MAX = 8 << 20 };

static const char *const target_table = "quarry target"; /* no source can have this name */

struct change {
    struct statement *statement;
    struct request *request;
    struct source *source;
    struct schema *schema;
    struct lang_change what;
    struct mutation *mutation; /* NULL: rows are only added */
    struct batch *rows;
    struct sql_affected affected;
    uint64_t last_unit, last_row;
    bool any; /* a row with a place was there */
};

const char *sql_engine_type(enum type type)
{
    static const char *const names[TYPE_COUNT] = {
        [TYPE_BOOL] = "BOOLEAN",       [TYPE_INT64] = "BIGINT", [TYPE_DOUBLE] = "DOUBLE",
        [TYPE_STRING] = "VARCHAR",     [TYPE_JSON] = "JSON",    [TYPE_DATE] = "DATE",
        [TYPE_TIMESTAMP] = "TIMESTAMP"};
    return names[type];
}

/* ---- rows as they come ---- */

static enum status take_columns(void *context, const struct str *names, const struct str *types,
                                uint32_t len, struct error *err)
{
    const struct change *change = context;
    (void)names;
    (void)types;
    if (len == LANG_CHANGE_COLUMNS || len == LANG_CHANGE_COLUMNS + change->schema->fields_len)
        return STATUS_OK;
    return error_set(err, STATUS_INTERNAL, "a worker sent rows of another shape");
}

static enum status too_many(struct error *err)
{
    return error_set(err, STATUS_RESOURCE_LIMIT,
                     "the statement makes more than %d rows or %d MiB anew; do it in parts",
                     MUTATION_ROWS_MAX, MUTATION_BYTES_MAX >> 20);
}

enum status sql_append_row(struct batch *rows, const struct batch *from, uint32_t first,
                           uint32_t row, struct error *err)
{
    for (uint32_t i = 0; i < rows->columns_len; i++) {
        const struct column *value = &from->columns[first + i].column;
        struct column *to = &rows->columns[i].column;
        enum status status = STATUS_OK;
        if (column_is_null(value, row))
            status = column_append_null(to);
        else if (type_is_bytes(to->type) && type_is_bytes(value->type))
            status = column_append_bytes(to, column_str(value, row));
        else if (to->type == value->type)
            status = column_append_from(to, value, row);
        else
            return error_set(err, STATUS_INTERNAL, "a worker sent a column of another type");
        if (status != STATUS_OK)
            return status == STATUS_RESOURCE_LIMIT ? too_many(err) : error_no_memory(err);
    }
    rows->rows++;
    return STATUS_OK;
}

static enum status add_row(struct change *change, const struct batch *batch, uint32_t row,
                           struct error *err)
{
    if (change->rows->rows == MUTATION_ROWS_MAX)
        return too_many(err);
    return sql_append_row(change->rows, batch, LANG_CHANGE_COLUMNS, row, err);
}

/* A row of the target may be changed once. Those of one place come one behind the other, but for
 * DELETE, where it does not matter. */
static enum status mark_row(struct change *change, const struct batch *batch, uint32_t row,
                            bool removes, struct error *err)
{
    uint64_t unit = (uint64_t)column_int64(&batch->columns[LANG_CHANGE_UNIT].column, row);
    uint64_t at = (uint64_t)column_int64(&batch->columns[LANG_CHANGE_ROW].column, row);
    bool again = change->any && unit == change->last_unit && at == change->last_row;
    if (again && change->statement->query.statement != LANG_DELETE)
        return error_set(err, STATUS_UNSUPPORTED_SQL,
                         "a row of the target is met by several rows of the other tables: it is "
                         "not clear what becomes of it");
    const struct view *view = mutation_view(change->mutation);
    if (unit >= (uint64_t)view->segments_len + view->chunks_len)
        return error_set(err, STATUS_INTERNAL, "a worker named a place that there is not");
    change->any = true;
    change->last_unit = unit;
    change->last_row = at;
    change->affected.deleted += removes && !again;
    change->affected.updated += !removes;
    return mutation_delete(change->mutation, (uint32_t)unit, at, err);
}

static enum status take_row(struct change *change, const struct batch *batch, uint32_t row,
                            struct error *err)
{
    int64_t action = column_int64(&batch->columns[LANG_CHANGE_ACTION].column, row);
    bool placed = !column_is_null(&batch->columns[LANG_CHANGE_UNIT].column, row);
    if (action == LANG_KEEP)
        return STATUS_OK;
    if (placed && change->mutation)
        TRY(mark_row(change, batch, row, action == LANG_REMOVE, err));
    if (action == LANG_REMOVE)
        return STATUS_OK;
    if (batch->columns_len == LANG_CHANGE_COLUMNS)
        return error_set(err, STATUS_INTERNAL, "a worker sent rows of another shape");
    change->affected.inserted += action == LANG_ADD;
    return add_row(change, batch, row, err);
}

static enum status take_rows(void *context, const struct batch *batch, struct error *err)
{
    struct change *change = context;
    bool known = batch->columns_len >= LANG_CHANGE_COLUMNS;
    for (uint32_t i = 0; known && i < LANG_CHANGE_COLUMNS; i++)
        known = batch->columns[i].column.type == TYPE_INT64;
    if (!known || (batch->columns_len != LANG_CHANGE_COLUMNS &&
                   batch->columns_len != LANG_CHANGE_COLUMNS + change->rows->columns_len))
        return error_set(err, STATUS_INTERNAL, "a worker sent rows of another shape");
    for (uint32_t row = 0; row < batch->rows; row++)
        TRY(take_row(change, batch, row, err));
    return batch_memory(change->rows) > MUTATION_BYTES_MAX ? too_many(err) : STATUS_OK;
}

/* ---- the statement as a query ---- */

/* A key stays what it is: two rows could get the same one. */
static bool is_key(const struct change *change, struct str name)
{
    const struct source_config *config = source_config(change->source);
    for (uint32_t i = 0; i < config->key_columns_len; i++) {
        if (str_eq(config->key_columns[i], name))
            return true;
    }
    return false;
}

static enum status describe_target(struct change *change, struct error *err)
{
    struct arena *arena = change->request->arena;
    const struct schema *schema = change->schema;
    struct lang_target_column *columns =
        arena_array(arena, schema->fields_len + 1u, sizeof *columns);
    if (!columns)
        return error_no_memory(err);
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (str_eq_nocase(schema->fields[i].name, schema->fields[k].name))
                return error_set(err, STATUS_UNSUPPORTED_SQL,
                                 "columns of the source differ in upper and lower case only: "
                                 "SQL cannot change it, /data/write can");
        }
        columns[i] = (struct lang_target_column){.name = schema->fields[i].name,
                                                 .type = sql_engine_type(schema->fields[i].type),
                                                 .is_key = is_key(change, schema->fields[i].name)};
    }
    change->what = (struct lang_change){.table = target_table,
                                        .unit = SQL_UNIT_COLUMN,
                                        .row = SQL_ROW_COLUMN,
                                        .columns = columns,
                                        .columns_len = schema->fields_len};
    return STATUS_OK;
}

static enum status write_query_text(struct change *change, struct str *ret, size_t *ret_values,
                                    struct error *err)
{
    struct lang_problem problem;
    struct buf out;
    buf_init(&out, CHANGE_TEXT_MAX);
    enum status status = lang_change_query(change->request->arena, &change->statement->query,
                                           &change->what, &out, ret_values, &problem);
    if (status == STATUS_OK)
        *ret = arena_str(change->request->arena, buf_str(&out));
    buf_release(&out);
    if (status != STATUS_OK)
        return statement_fail(&problem, err);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

/* The rows of a target have all columns; those that a statement does not name are left out, so that
 * defaults fill them. */
static void drop_unset(struct change *change)
{
    struct batch *rows = change->rows;
    bool adds_only = !change->mutation;
    for (uint32_t i = rows->columns_len; adds_only && i-- > 0;) {
        if (change->what.columns[i].set)
            continue;
        column_release(&rows->columns[i].column);
        rows->columns_len--;
        memmove(&rows->columns[i], &rows->columns[i + 1],
                (rows->columns_len - i) * sizeof *rows->columns);
    }
}

static enum status new_rows(struct change *change, struct error *err)
{
    change->rows = batch_new();
    if (!change->rows)
        return error_no_memory(err);
    change->rows->epoch = change->schema->epoch;
    for (uint32_t i = 0; i < change->schema->fields_len; i++) {
        uint32_t index;
        const struct field *field = &change->schema->fields[i];
        if (batch_add_column(change->rows, field->name, field->type, &index) != STATUS_OK)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status run_query(struct change *change, struct error *err)
{
    struct statement *statement = change->statement;
    struct str text = STR_NONE;
    size_t values = 0;
    struct sql_stats stats = {0};
    struct sql_sink sink = {change, take_columns, take_rows};
    TRY(describe_target(change, err));
    TRY(write_query_text(change, &text, &values, err));
    if (values)
        TRY(sql_check_values(statement, values, err));
    TRY(new_rows(change, err));
    struct sql_job job = {.query = text,
                          .parameters = request_json(change->request, "parameters"),
                          .limit = -1,
                          .tables = statement->tables,
                          .tables_len = statement->tables_len};
    enum status status =
        tenant_sql_into(change->request, &job, &sink, change->affected.query_id, &stats, err);
    if (status == STATUS_OK)
        drop_unset(change);
    else if (err && status == STATUS_INVALID_SQL) /* places are those of the query that it became */
        err->line = err->column = err->offset = -1;
    return status;
}

/* ---- storing ---- */

/* The target under its own name, with places; elsewhere in the statement the same state of it. */
static void hand_over_target(struct change *change)
{
    struct statement *statement = change->statement;
    struct view *view = mutation_view(change->mutation);
    for (uint32_t i = 0; i < statement->tables_len; i++) {
        if (statement->tables[i].view && statement->tables[i].view->source == change->source)
            statement->tables[i].view = view;
    }
    statement->tables[statement->tables_len++] =
        (struct sql_table){.view = view, .name = str_of(target_table), .with_positions = true};
}

static enum status change_rows(struct change *change, struct str write_id, struct error *err)
{
    struct write_result result = {0};
    TRY(mutation_begin(change->source, write_id, &change->mutation, &result, err));
    change->affected.duplicate = !change->mutation;
    if (!change->mutation)
        return STATUS_OK;
    change->schema = schema_ref(mutation_view(change->mutation)->schema);
    uint32_t tables_len = change->statement->tables_len;
    hand_over_target(change);
    enum status status = run_query(change, err);
    change->statement->tables_len = tables_len; /* the view ends with the mutation */
    if (status == STATUS_OK)
        status = mutation_commit(change->mutation, change->rows->rows ? change->rows : NULL,
                                 &result, err);
    if (change->statement->query.statement == LANG_DELETE) /* those met twice count once */
        change->affected.deleted = result.rows;
    return status;
}

static enum status add_rows(struct change *change, struct str write_id, struct error *err)
{
    struct write_result result = {0};
    change->schema = source_schema(change->source);
    TRY(run_query(change, err));
    if (change->rows->rows == 0)
        return STATUS_OK;
    TRY(source_write(change->source, change->rows, write_id, &result, err));
    change->affected.duplicate = result.duplicate;
    change->affected.inserted = result.rows;
    return STATUS_OK;
}

enum status sql_change_source(struct statement *statement, struct source *source,
                              struct sql_affected *ret, struct error *err)
{
    struct change change = {
        .statement = statement, .request = statement->request, .source = source};
    struct str write_id = request_str(statement->request, "write_id");
    enum lang_statement kind = statement->query.statement;
    bool adds_only = kind == LANG_INSERT || kind == LANG_CREATE_TABLE;
    if (write_id.data && (write_id.len == 0 || write_id.len > WRITE_ID_MAX))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a write id has 1 to %d bytes",
                         WRITE_ID_MAX);
    enum status status =
        adds_only ? add_rows(&change, write_id, err) : change_rows(&change, write_id, err);
    mutation_end(change.mutation);
    batch_unref(change.rows);
    schema_unref(change.schema);
    *ret = change.affected;
    return status;
}

/* ---- the handlers' part ---- */

/* The views' source of that name: the same bytes, else the only one that differs in case. */
static enum status find_target(struct statement *statement, struct source **ret, struct error *err)
{
    struct tenant_node *node = statement->request->context;
    size_t offset = 0;
    struct str name = lang_change_target(&statement->query, &offset);
    for (uint32_t i = 0; i < statement->tables_len; i++) {
        const struct view *view = statement->tables[i].view;
        if (view && str_eq_nocase(source_config(view->source)->source_id, name) &&
            store_get_source(node->store, name, ret, NULL) != STATUS_OK)
            return store_get_source(node->store, source_config(view->source)->source_id, ret, err);
    }
    return *ret ? STATUS_OK : store_get_source(node->store, name, ret, err);
}

enum status handle_sql_change(struct statement *statement, struct error *err)
{
    static const char *const operations[] = {
        [LANG_INSERT] = "data_write",
        [LANG_UPDATE] = "data_update",
        [LANG_DELETE] = "data_delete",
        [LANG_MERGE] = "data_update",
    };
    struct sql_affected affected = {0};
    struct source *source = NULL;
    TRY(sql_admit(statement->request, operations[statement->query.statement]));
    if (request_has(statement->request, "as_of"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "as_of is for queries: the past is fixed");
    TRY(find_target(statement, &source, err));
    enum status status =
        matview_check_writable(statement->request->context, source_config(source)->source_id, err);
    if (status == STATUS_OK)
        status = STATUS_SCHEMA_CHANGED;
    for (int i = 0; i < TENANT_SCHEMA_TRIES && status == STATUS_SCHEMA_CHANGED; i++)
        status = sql_change_source(statement, source, &affected, err);
    source_unref(source);
    TRY(status);
    return sql_answer_affected(statement, &affected, err);
}

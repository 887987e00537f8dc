/* sql_write.c: what statements that write share: rights, columns of a query, the answer. */
#include "services/tenant/sql_write.h"

#include <stdio.h>

#include "query/lang/change.h"
#include "query/lang/node.h"
#include "query/lang/token.h"

enum { SOURCE_TEXT_MAX = 8 << 20 };

enum status sql_admit(struct request *request, const char *operation)
{
    return request_admit(request, operation_find(operation));
}

void sql_put_name(struct buf *out, struct str name)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '"')
            buf_append_char(out, '"');
        buf_append_char(out, name.data[i]);
    }
    buf_append_char(out, '"');
}

/* ---- columns of a query ---- */

struct described {
    struct arena *arena;
    struct str *names, *types;
    uint32_t len;
};

static enum status take_shape(void *context, const struct str *names, const struct str *types,
                              uint32_t len, struct error *err)
{
    struct described *shape = context;
    shape->names = arena_array(shape->arena, len + 1u, sizeof *shape->names);
    shape->types = arena_array(shape->arena, len + 1u, sizeof *shape->types);
    for (uint32_t i = 0; shape->names && shape->types && i < len; i++) {
        shape->names[i] = arena_str(shape->arena, names[i]);
        shape->types[i] = arena_str(shape->arena, types[i]);
    }
    shape->len = len;
    return shape->names && shape->types ? STATUS_OK : error_no_memory(err);
}

static enum status take_no_rows(void *context, const struct batch *batch, struct error *err)
{
    (void)context;
    (void)batch;
    (void)err;
    return STATUS_OK;
}

/* `query` gives no rows. */
static enum status describe(struct statement *statement, struct str query,
                            const struct str **ret_names, const struct str **ret_types,
                            uint32_t *ret_len, struct error *err)
{
    struct request *request = statement->request;
    struct described shape = {.arena = request->arena};
    struct sql_sink sink = {&shape, take_shape, take_no_rows};
    struct sql_stats stats = {0};
    char query_id[64];
    struct sql_job job = {.query = query,
                          .parameters = request_json(request, "parameters"),
                          .limit = -1,
                          .tables = statement->tables,
                          .tables_len = statement->tables_len};
    enum status status = tenant_sql_into(request, &job, &sink, query_id, &stats, err);
    *ret_names = shape.names;
    *ret_types = shape.types;
    *ret_len = shape.len;
    return status;
}

enum status sql_describe_query(struct statement *statement, const struct str **ret_names,
                               const struct str **ret_types, uint32_t *ret_len, struct error *err)
{
    struct lang_problem problem;
    struct buf text;
    buf_init(&text, SOURCE_TEXT_MAX);
    enum status status =
        lang_source_query(statement->request->arena, &statement->query, true, &text, &problem);
    if (status == STATUS_OK)
        status = describe(statement, buf_str(&text), ret_names, ret_types, ret_len, err);
    else
        status = statement_fail(&problem, err);
    buf_release(&text);
    return status;
}

enum status sql_describe_view(struct statement *statement, struct str name,
                              const struct str **ret_names, const struct str **ret_types,
                              uint32_t *ret_len, struct error *err)
{
    struct statement inner = {.request = statement->request};
    struct lang_problem problem;
    const char *text = arena_printf(statement->request->arena, "SELECT * FROM \"%.*s\" LIMIT 0",
                                    STR_ARG(name)); /* an id: it has no quotes */
    if (!text)
        return error_no_memory(err);
    inner.text = str_of(text);
    inner.is_read = true;
    if (lang_parse(statement->request->arena, inner.text, LANG_DUCKDB, NULL, &inner.query,
                   &problem) != STATUS_OK)
        return statement_fail(&problem, err);
    enum status status = statement_bind(&inner, statement->sources, err);
    if (status == STATUS_OK)
        status = statement_open(&inner, statement->sources, err);
    if (status == STATUS_OK)
        status = describe(&inner, inner.text, ret_names, ret_types, ret_len, err);
    statement_close(&inner);
    return status;
}

enum status sql_check_values(struct statement *statement, size_t wanted, struct error *err)
{
    const struct str *names, *types;
    uint32_t len;
    if (node_is(statement->query.root->kids[2], N_VALUES)) /* checked row by row */
        return STATUS_OK;
    TRY(sql_describe_query(statement, &names, &types, &len, err));
    if (len == wanted)
        return STATUS_OK;
    struct lang_problem problem = {.code = LANG_WRONG_ARGUMENTS,
                                   .offset = statement->query.root->kids[2]->offset};
    snprintf(problem.message, sizeof problem.message,
             "the query has %u columns, %zu are to be filled", len, wanted);
    problem_place(&problem, statement->query.text);
    return statement_fail(&problem, err);
}

/* ---- the answer ---- */

enum status sql_answer_affected(struct statement *statement, const struct sql_affected *affected,
                                struct error *err)
{
    struct answer answer;
    struct json_writer *w = &answer.w;
    answer_init(&answer, statement->request, STR("application/json"));
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_strz(w, "query_id", affected->query_id);
    json_kv_strz(w, "statement", lang_statement_name(statement->query.statement));
    json_kv_int(w, "rows_affected",
                (int64_t)(affected->inserted + affected->updated + affected->deleted));
    json_kv_int(w, "rows_inserted", (int64_t)affected->inserted);
    json_kv_int(w, "rows_updated", (int64_t)affected->updated);
    json_kv_int(w, "rows_deleted", (int64_t)affected->deleted);
    json_kv_bool(w, "duplicate", affected->duplicate);
    static const char *const empty[] = {"columns", "rows"};
    for (size_t i = 0; i < 2; i++) {
        json_keyz(w, empty[i]);
        json_begin_array(w);
        json_end_array(w);
    }
    json_kv_int(w, "row_count", 0);
    json_kv_bool(w, "truncated", false);
    json_keyz(w, "warnings");
    json_begin_array(w);
    if (affected->warning)
        json_stringz(w, affected->warning);
    json_end_array(w);
    json_kv_null(w, "error_message");
    json_end_object(w);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

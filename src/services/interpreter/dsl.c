/* dsl.c: POST /parse/dsl and GET /dsl/schema.
 *
 * The interpreter has no catalog of its own: names and types are checked when the request brings a
 * `schema`; otherwise the SQL is written as the query says, without casts. */
#include <stdio.h>

#include "query/dsl/text.h"
#include "services/interpreter/interpreter_int.h"

enum { ANSWER_MAX = 16 << 20 };

struct parse {
    struct request *request;
    struct dsl_options options;
    struct dsl_catalog catalog;
    struct dsl_query *query;
    yyjson_doc *text_doc;
    struct dsl_sql sql;
};

/* --- the answer --- */

static void write_texts(struct json_writer *w, const char *key, const struct str *texts,
                        uint32_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        json_string(w, texts[i]);
    json_end_array(w);
}

static void write_tables(struct json_writer *w, const struct dsl_sql *sql)
{
    json_keyz(w, "tables");
    json_begin_array(w);
    for (uint32_t i = 0; i < sql->tables_len; i++) {
        json_begin_object(w);
        json_kv_str(w, "name", sql->tables[i].name);
        json_kv_str(w, "alias", sql->tables[i].alias);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_names(struct json_writer *w, const struct dsl_sql *sql)
{
    json_keyz(w, "parameter_names");
    json_begin_array(w);
    for (uint32_t i = 0; i < sql->parameters_len; i++)
        json_string(w, sql->parameters[i].name);
    json_end_array(w);
}

static void write_answer(const struct parse *parse, struct json_writer *w)
{
    const struct dsl_sql *sql = &parse->sql;
    char fingerprint[20];
    snprintf(fingerprint, sizeof fingerprint, "%016llx",
             (unsigned long long)dsl_fingerprint(parse->request->arena, parse->query));
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_strz(w, "statement", "select");
    json_kv_strz(w, "query_type", dsl_query_is_aggregate(parse->query) ? "aggregate" : "filter");
    json_kv_strz(w, "target", "duckdb");
    json_kv_str(w, "sql", sql->text);
    json_keyz(w, "parameters");
    dsl_write_parameters(sql, w);
    write_names(w, sql);
    write_tables(w, sql);
    write_texts(w, "columns", sql->columns, sql->columns_len);
    write_texts(w, "functions", sql->functions, sql->functions_len);
    json_kv_strz(w, "fingerprint", fingerprint);
    json_keyz(w, "parsed_query");
    dsl_write_query(parse->query, w);
    json_keyz(w, "warnings");
    json_begin_array(w);
    json_end_array(w);
    json_keyz(w, "errors");
    json_begin_array(w);
    json_end_array(w);
    json_kv_null(w, "error_message");
    json_end_object(w);
}

static enum status answer(struct parse *parse, struct error *err)
{
    const struct dsl_errors *errors = dsl_query_errors(parse->query);
    struct dsl_generate_options how = {0};
    struct buf body;
    struct json_writer w;
    int status = 200;
    if (errors->len == 0)
        TRY(dsl_generate(parse->request->arena, parse->query, &how, &parse->sql, err));
    TRY(interpreter_check_time(parse->request, err));
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    if (errors->len) {
        json_begin_object(&w);
        status = dsl_write_errors(errors, parse->request->request_id, &w);
        json_end_object(&w);
    } else {
        write_answer(parse, &w);
    }
    request_respond_json(parse->request, status, &body);
    return STATUS_OK;
}

enum status handle_parse_dsl(struct request *request)
{
    struct error *err = &request->error;
    const struct interpreter *interpreter = request->context;
    yyjson_val *query = request_json(request, "query");
    struct parse parse = {.request = request,
                          .options = {.settings = interpreter->options.dsl,
                                      .parameters = request_json(request, "parameters"),
                                      .open_parameters = true}};
    TRY(interpreter_read_schema(request, &parse.catalog, err));
    if (request_json(request, "schema"))
        parse.options.catalog = &parse.catalog;
    enum status status = yyjson_is_str(query)
                             ? dsl_parse_text(request->arena, json_str_of(query), &parse.options,
                                              &parse.query, &parse.text_doc, err)
                             : dsl_parse(request->arena, query, &parse.options, &parse.query, err);
    if (status == STATUS_OK)
        status = answer(&parse, err);
    yyjson_doc_free(parse.text_doc);
    return status;
}

enum status handle_dsl_schema(struct request *request)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, 1 << 20);
    json_writer_init(&w, &body);
    dsl_write_schema(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

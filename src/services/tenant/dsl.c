/* dsl.c: POST /query/dsl: the DSL's tree becomes SQL and takes the way of /query/sql.
 *
 * The body is the query itself, perhaps with the options of /query/sql beside its own keys, or an
 * object with the query as its field `query`, as object or text. */
#include "query/dsl/dsl.h"
#include "query/dsl/text.h"
#include "services/tenant/tenant_int.h"

struct dsl_run {
    struct tenant_node *node;
    struct request *request;
    struct tenant_views views;
    struct dsl_options options;
    struct dsl_catalog catalog;
    struct dsl_query *query;
    yyjson_doc *text_doc; /* of a query that came as text */
};

/* --- the body --- */

static bool is_option(struct str key)
{
    static const char *const names[] = {"timeout_ms", "format", "query_id", "as_of"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(key, names[i]))
            return true;
    return false;
}

/* {"query": {...}, options} from a body that is the query itself. */
static enum status wrap(yyjson_val *root, struct buf *out, struct error *err)
{
    struct json_writer w;
    yyjson_val *key, *value;
    size_t i, max;
    json_writer_init(&w, out);
    json_begin_object(&w);
    yyjson_obj_foreach(root, i, max, key, value)
    {
        if (!is_option(json_str_of(key)))
            continue;
        json_key(&w, json_str_of(key));
        json_value(&w, value);
    }
    json_keyz(&w, "query");
    json_begin_object(&w);
    yyjson_obj_foreach(root, i, max, key, value)
    {
        if (is_option(json_str_of(key)))
            continue;
        json_key(&w, json_str_of(key));
        json_value(&w, value);
    }
    json_end_object(&w);
    json_end_object(&w);
    return buf_check(out, "the query", err);
}

static enum status decode(struct request *request)
{
    struct str body = http_request_body(request->http);
    yyjson_doc *doc = NULL;
    struct buf wrapped;
    enum status status = json_parse(body, &doc, &request->error);
    if (status != STATUS_OK)
        return status;
    yyjson_val *root = yyjson_doc_get_root(doc);
    buf_init(&wrapped, 8 * (size_t)DSL_BYTES_MAX);
    if (yyjson_is_obj(root) && !json_get(root, "query")) {
        status = wrap(root, &wrapped, &request->error);
        body = buf_str(&wrapped);
    }
    yyjson_doc_free(doc);
    if (status == STATUS_OK)
        status = request_decode_json(request, body, NULL);
    buf_release(&wrapped);
    return status;
}

/* --- what the sources are --- */

static enum status make_catalog(struct dsl_run *run, struct error *err)
{
    struct dsl_source *sources = arena_array(run->request->arena, run->views.len, sizeof *sources);
    if (!sources)
        return error_no_memory(err);
    for (uint32_t i = 0; i < run->views.len; i++) {
        const struct view *view = &run->views.views[i];
        sources[i] = (struct dsl_source){source_config(view->source)->source_id,
                                         view->schema->fields, view->schema->fields_len};
    }
    run->catalog = (struct dsl_catalog){sources, run->views.len};
    run->options = (struct dsl_options){.settings = run->node->options.dsl,
                                        .catalog = &run->catalog,
                                        .parameters = request_json(run->request, "parameters")};
    return STATUS_OK;
}

static enum status parse(struct dsl_run *run, struct error *err)
{
    yyjson_val *query = request_json(run->request, "query");
    if (!yyjson_is_str(query))
        return dsl_parse(run->request->arena, query, &run->options, &run->query, err);
    return dsl_parse_text(run->request->arena, json_str_of(query), &run->options, &run->query,
                          &run->text_doc, err);
}

/* --- answers --- */

static enum status answer_mistakes(struct dsl_run *run)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, 4 << 20);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    int status = dsl_write_errors(dsl_query_errors(run->query), run->request->request_id, &w);
    json_end_object(&w);
    request_respond_json(run->request, status, &body);
    return STATUS_OK;
}

static enum status execute(struct dsl_run *run, struct error *err)
{
    struct dsl_generate_options how = {.probe = true};
    struct dsl_sql sql;
    struct buf values;
    struct json_writer w;
    yyjson_doc *doc = NULL;
    TRY(dsl_generate(run->request->arena, run->query, &how, &sql, err));
    buf_init(&values, 16 * (size_t)DSL_BYTES_MAX);
    json_writer_init(&w, &values);
    dsl_write_parameters(&sql, &w);
    enum status status = buf_check(&values, "the query's values", err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&values), &doc, err);
    buf_release(&values);
    TRY(status);
    struct sql_job job = {.query = sql.text,
                          .parameters = yyjson_doc_get_root(doc),
                          .limit = dsl_query_limit(run->query),
                          .tables = run->views.tables,
                          .tables_len = run->views.len};
    status = tenant_run_sql(run->request, &job);
    yyjson_doc_free(doc);
    return status;
}

enum status handle_dsl(struct request *request)
{
    struct error *err = &request->error;
    struct dsl_run run = {.node = request->context, .request = request};
    TRY(decode(request));
    enum status status = tenant_views_open(request, &run.views, err);
    if (status == STATUS_OK)
        status = make_catalog(&run, err);
    if (status == STATUS_OK)
        status = parse(&run, err);
    if (status == STATUS_OK && dsl_query_errors(run.query)->len)
        status = answer_mistakes(&run);
    else if (status == STATUS_OK)
        status = execute(&run, err);
    tenant_views_close(&run.views);
    yyjson_doc_free(run.text_doc);
    return status;
}

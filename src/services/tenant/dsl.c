/* dsl.c: POST /query/dsl: the DSL's tree becomes SQL and takes the way of /query/sql.
 *
 * The body is the query itself, perhaps with the options of /query/sql beside its own keys, or an
 * object with the query as its field `query`, as object or text. */
#include <stdlib.h>

#include "query/dsl/dsl.h"
#include "query/dsl/text.h"
#include "services/tenant/tenant_int.h"

/* A query between two pages: its views, the query, how far it has come. */
struct dsl_cursor {
    struct view *views;
    uint32_t views_len;
    uint64_t query; /* hash of its canonical form */
    int64_t rows;   /* of the pages so far */
};

struct dsl_run {
    struct tenant_node *node;
    struct request *request;
    struct tenant_views views;
    struct dsl_cursor *cursor; /* NULL: none is kept */
    struct dsl_options options;
    struct dsl_catalog catalog;
    struct dsl_query *query;
    yyjson_doc *text_doc; /* of a query that came as text */
};

/* --- the body --- */

static bool is_option(struct str key)
{
    static const char *const names[] = {"timeout_ms", "format", "query_id", "as_of",
                                        "explain",    "hint",   "plan_id",  "optimization_level"};
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
    uint32_t len = run->cursor ? run->cursor->views_len : run->views.len;
    struct dsl_source *sources = arena_array(run->request->arena, len, sizeof *sources);
    if (!sources)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        const struct view *view = &run->views.views[i];
        sources[i] = (struct dsl_source){source_config(view->source)->source_id,
                                         view->schema->fields, view->schema->fields_len};
    }
    run->catalog = (struct dsl_catalog){sources, len};
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

/* --- pages --- */

static void close_cursor(void *open)
{
    struct dsl_cursor *cursor = open;
    for (uint32_t i = 0; i < cursor->views_len; i++)
        view_close(&cursor->views[i]);
    free(cursor->views);
    free(cursor);
}

/* What the pages of one query have in common: all but the cursor itself. */
static uint64_t hash_query(struct dsl_run *run)
{
    struct buf buf;
    struct json_writer w;
    yyjson_val *query = request_json(run->request, "query"), *key, *value;
    yyjson_val *parameters = request_json(run->request, "parameters");
    size_t i, max;
    buf_init(&buf, 4 * (size_t)DSL_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin_array(&w);
    yyjson_obj_foreach(query, i, max, key, value)
    {
        if (str_is(json_str_of(key), "cursor"))
            continue;
        json_string(&w, json_str_of(key));
        json_value(&w, value);
    }
    if (parameters)
        json_value(&w, parameters);
    json_end_array(&w);
    uint64_t hash = str_hash(buf_str(&buf));
    buf_release(&buf);
    return hash;
}

/* The views of the first page become the cursor's. */
static enum status begin_cursor(struct dsl_run *run, struct error *err)
{
    struct tenant_views *views = &run->views;
    struct dsl_cursor *cursor = calloc(1, sizeof *cursor);
    struct view *copies = calloc(views->len ? views->len : 1, sizeof *copies);
    if (!cursor || !copies) {
        free(cursor);
        free(copies);
        return error_no_memory(err);
    }
    memcpy(copies, views->views, views->len * sizeof *copies);
    *cursor = (struct dsl_cursor){copies, views->len, hash_query(run), 0};
    for (uint32_t i = 0; i < views->len; i++)
        views->tables[i].view = &copies[i];
    views->len = 0; /* they are the cursor's now */
    run->cursor = cursor;
    return STATUS_OK;
}

/* The text of a cursor that the query goes on from; data NULL: a first page or none at all. */
static struct str continued(const struct dsl_run *run)
{
    struct str text = json_str_of(json_get(request_json(run->request, "query"), "cursor"));
    return text.data && text.len && !str_is(text, "*") ? text : STR_NONE;
}

static enum status open_views(struct dsl_run *run, struct error *err)
{
    struct str text = continued(run);
    void *taken = NULL;
    if (!text.data)
        return tenant_views_open(run->request, NULL, &run->views, err);
    struct error ignored;
    if (cursor_take(&run->node->cursors, text, close_cursor, &taken, &ignored) == STATUS_OK)
        run->cursor = taken;
    if (!run->cursor || run->cursor->query != hash_query(run)) {
        run->query = dsl_query_of_error(
            run->request->arena, DSL_BAD_CURSOR, "cursor",
            run->cursor ? "the cursor belongs to another query"
                        : "the cursor is unknown, was used already or has been idle for too long: "
                          "begin again with \"*\"");
        return run->query ? STATUS_OK : error_no_memory(err);
    }
    struct tenant_views *views = &run->views;
    views->views = run->cursor->views;
    views->tables = arena_array(run->request->arena, run->cursor->views_len, sizeof *views->tables);
    for (uint32_t i = 0; views->tables && i < run->cursor->views_len; i++)
        views->tables[i].view = &run->cursor->views[i];
    return views->tables ? STATUS_OK : error_no_memory(err);
}

static void write_cursor(void *context, struct json_writer *w, const struct sql_stats *stats)
{
    struct dsl_run *run = context;
    char text[CURSOR_TEXT_MAX];
    if (!stats->truncated) {
        json_kv_null(w, "cursor");
        return;
    }
    run->cursor->rows += (int64_t)stats->rows;
    cursor_put(&run->node->cursors, run->cursor, close_cursor, text);
    run->cursor = NULL;
    json_kv_strz(w, "cursor", text);
}

/* --- running --- */

static enum status bind_values(const struct dsl_sql *sql, yyjson_doc **ret_doc, struct error *err)
{
    struct buf values;
    struct json_writer w;
    buf_init(&values, 16 * (size_t)DSL_BYTES_MAX);
    json_writer_init(&w, &values);
    dsl_write_parameters(sql, &w);
    enum status status = buf_check(&values, "the query's values", err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&values), ret_doc, err);
    buf_release(&values);
    return status;
}

static enum status execute(struct dsl_run *run, struct error *err)
{
    bool pages = dsl_query_cursor(run->query).data != NULL;
    uint32_t tables = run->cursor ? run->cursor->views_len : run->views.len;
    struct dsl_generate_options how = {.probe = true, .total_order = pages};
    struct dsl_sql sql;
    yyjson_doc *doc = NULL;
    struct str format = request_str(run->request, "format");
    if (pages && !str_is(format, "json"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a cursor is given in json answers: leave out the format");
    if (pages && !run->cursor)
        TRY(begin_cursor(run, err));
    how.skip = pages ? run->cursor->rows : 0;
    TRY(dsl_generate(run->request->arena, run->query, &how, &sql, err));
    TRY(bind_values(&sql, &doc, err));
    struct sql_job job = {.query = sql.text,
                          .parameters = yyjson_doc_get_root(doc),
                          .limit = dsl_query_limit(run->query),
                          .tables = run->views.tables,
                          .tables_len = tables,
                          .write_tail = pages ? write_cursor : NULL,
                          .context = run};
    enum status status = tenant_run_sql(run->request, &job);
    yyjson_doc_free(doc);
    return status;
}

enum status handle_dsl(struct request *request)
{
    struct error *err = &request->error;
    struct dsl_run run = {.node = request->context, .request = request};
    TRY(decode(request));
    enum status status = open_views(&run, err);
    if (status == STATUS_OK && !run.query)
        status = make_catalog(&run, err);
    if (status == STATUS_OK && !run.query)
        status = parse(&run, err);
    if (status == STATUS_OK && dsl_query_errors(run.query)->len)
        status = answer_mistakes(&run);
    else if (status == STATUS_OK)
        status = execute(&run, err);
    if (run.cursor)
        close_cursor(run.cursor);
    tenant_views_close(&run.views);
    yyjson_doc_free(run.text_doc);
    return status;
}

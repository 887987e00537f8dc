/* nodes_pull.c: nodes from another Quarry.
 *
 * A pull asks the other catalog for pages of nodes and imports each page, then its relations. It
 * may stop after any page (limit, time, a failure over there): the answer's cursor goes on behind
 * it, and since what is the same is left alone, nothing is lost by beginning again either.
 * Deletions are followed once the last page is in. Grants stay where they are: they name people
 * over there. */
#include "services/catalog/nodes_federation_int.h"

enum {
    PULL_PAGE = 200,
    PULL_REPLY_MAX = 256 << 20,
    PULL_TIMEOUT_MS = 30000, /* of one page */
    PULL_TIME_US = 20000000, /* of a whole call: then it answers with a cursor */
};

/* --- asking --- */

void url_part(struct buf *url, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        buf_printf(url, plain ? "%c" : "%%%02X", c);
    }
}

void url_parameter(struct buf *url, const char *name, struct str value)
{
    if (!value.len)
        return;
    buf_printf(url, "&%s=", name);
    url_part(url, value);
}

enum status other_get(struct job *job, const struct other *other, struct str path,
                      struct http_reply *reply)
{
    struct request *request = job->request;
    const struct http_field bearer = {STR("Authorization"), other->bearer};
    char *url = arena_printf(request->arena, "%.*s%.*s", STR_ARG(other->base), STR_ARG(path));
    struct http_call call = {.url = url,
                             .fields = &bearer,
                             .field_count = other->bearer.len > 0,
                             .timeout_ms = PULL_TIMEOUT_MS};
    return url ? http_client_call(other->client, &call, reply, &request->error)
               : error_no_memory(&request->error);
}

static enum status other_failed(struct request *request, const struct http_reply *reply)
{
    yyjson_doc *doc = yyjson_read(reply->body.data, reply->body.len, 0);
    const char *message = yyjson_get_str(json_get(yyjson_doc_get_root(doc), "error_message"));
    error_set(&request->error,
              reply->status >= 500   ? STATUS_UNAVAILABLE
              : reply->status == 404 ? STATUS_NOT_FOUND
                                     : STATUS_INVALID_ARGUMENT,
              "the other catalog answered %d: %s", reply->status, message ? message : "no message");
    yyjson_doc_free(doc);
    return request->error.status;
}

enum status other_json(struct job *job, const struct other *other, struct str path,
                       yyjson_doc **ret)
{
    struct http_reply reply;
    http_reply_init(&reply, PULL_REPLY_MAX);
    enum status status = other_get(job, other, path, &reply);
    if (status == STATUS_OK && reply.status != 200)
        status = other_failed(job->request, &reply);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&reply.body), ret, &job->request->error);
    http_reply_release(&reply);
    return status;
}

/* A page of the other catalog's nodes; the caller frees the document. */
static enum status ask_page(struct job *job, const struct other *other, struct str cursor,
                            uint32_t limit, yyjson_doc **ret)
{
    struct request *request = job->request;
    struct buf path;
    buf_init(&path, 64 << 10);
    buf_printf(&path, "/nodes?limit=%u", limit);
    url_parameter(&path, "namespace", request_str(request, "namespace"));
    url_parameter(&path, "name", request_str(request, "name"));
    url_parameter(&path, "tags", request_str(request, "tags"));
    url_parameter(&path, "lifecycle_states", request_str(request, "lifecycle_states"));
    url_parameter(&path, "cursor", cursor);
    enum status status = buf_check(&path, "the URL", &request->error);
    if (status == STATUS_OK)
        status = other_json(job, other, buf_str(&path), ret);
    buf_release(&path);
    /* an address that is no catalog's answers 404 too */
    return status == STATUS_NOT_FOUND ? STATUS_INVALID_ARGUMENT : status;
}

/* --- taking --- */

static enum status take_node(struct job *job, const struct other *other, yyjson_val *node, bool dry)
{
    struct node_offer offer = {.body = STR(""),
                               .lifecycle = json_str_of(json_get(node, "lifecycle")),
                               .origin = job->origin,
                               .pulled = true};
    if (str_is(json_str_of(json_get(node, "namespace")), "npm"))
        return pull_package(job, other, node, dry);
    TRY(json_text_of(job->request, json_get(node, "attributes"), &offer.json));
    return job_take(job, &offer, job->origin, dry);
}

static enum status take_page(struct job *job, const struct other *other, yyjson_val *nodes,
                             bool dry, uint32_t *taken)
{
    size_t at, max;
    yyjson_val *node;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        TRY(take_node(job, other, node, dry));
        ++*taken;
    }
    return STATUS_OK;
}

struct progress {
    struct str cursor; /* of the next page; empty: from the start, or at the end */
    uint32_t taken;
    bool ended;
};

static enum status pull_page(struct job *job, const struct other *other, uint32_t limit,
                             struct progress *progress)
{
    yyjson_doc *doc = NULL;
    uint32_t looked = 0;
    TRY(ask_page(job, other, progress->cursor, limit, &doc));
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *nodes = json_get(root, "nodes");
    enum status status = STATUS_OK;
    if (!yyjson_is_arr(nodes))
        status = error_set(&job->request->error, STATUS_INVALID_ARGUMENT,
                           "the other side is no catalog of Quarry: its answer has no nodes");
    if (status == STATUS_OK && job->policy == IMPORT_FAIL && !job->dry)
        status = take_page(job, other, nodes, true, &looked);
    if (status == STATUS_OK)
        status = take_page(job, other, nodes, job->dry, &progress->taken);
    if (status == STATUS_OK && request_bool(job->request, "relations") && !job->dry)
        status = pull_relations(job, other, nodes);
    if (status == STATUS_OK) {
        struct str next = json_str_of(json_get(root, "next_cursor"));
        progress->cursor = next.len ? arena_str(job->request->arena, next) : STR_NONE;
        progress->ended = !next.len;
    }
    yyjson_doc_free(doc);
    return status;
}

/* Pages until the end, the limit or the time. A failure behind the first page is told in the
 * answer, with the cursor that goes on. */
static enum status pull_pages(struct job *job, const struct other *other, struct progress *progress)
{
    struct sys *sys = service_of(job->request)->sys;
    int64_t until_us = sys_now_us(sys) + PULL_TIME_US;
    uint32_t limit = (uint32_t)request_int(job->request, "limit");
    while (!progress->ended && progress->taken < limit && sys_now_us(sys) < until_us) {
        uint32_t rest = limit - progress->taken, before = progress->taken;
        enum status status = pull_page(job, other, rest < PULL_PAGE ? rest : PULL_PAGE, progress);
        if (status != STATUS_OK)
            return before && status != STATUS_CONFLICT && status != STATUS_NO_MEMORY ? STATUS_OK
                                                                                     : status;
    }
    return STATUS_OK;
}

static enum status respond_pull(struct job *job, const struct progress *progress)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    job_write_counts(job, &w);
    json_kv_int(&w, "relations_added", job->relations);
    json_kv_bool(&w, "complete", progress->ended);
    json_kv_text(&w, "next_cursor", progress->cursor);
    json_kv_text(&w, "stopped_by", str_of(job->request->error.message));
    json_end_object(&w);
    return writer_respond(job->request, 200, &buf);
}

static enum status pull(struct job *job, const struct other *other, struct progress *progress)
{
    TRY(pull_pages(job, other, progress));
    bool follow = str_is(request_str(job->request, "deletions"), "follow");
    return follow && progress->ended ? pull_deletions(job, other) : STATUS_OK;
}

static enum status other_open(struct request *request, struct other *ret)
{
    struct str base = request_str(request, "url"), token = request_str(request, "token");
    while (base.len && base.data[base.len - 1] == '/')
        base.len--;
    *ret = (struct other){.base = base, .bearer = STR("")};
    if (token.len)
        ret->bearer = str_of(arena_printf(request->arena, "Bearer %.*s", STR_ARG(token)));
    if (!ret->bearer.data)
        return error_no_memory(&request->error);
    return http_client_new(&(struct http_client_options){.user_agent = "quarry-catalog"},
                           &ret->client, &request->error);
}

enum status nodes_pull(struct request *request)
{
    struct job job;
    struct other other;
    struct progress progress = {.cursor = request_str(request, "cursor")};
    TRY(other_open(request, &other));
    job_begin(&job, request);
    job.origin = request_str(request, "url");
    enum status status = pull(&job, &other, &progress);
    if (status == STATUS_OK)
        status = respond_pull(&job, &progress);
    http_client_free(other.client);
    buf_release(&job.conflicts);
    return status;
}

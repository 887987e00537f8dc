/* nodes_federation.c: nodes from a list in the request or from another Quarry.
 *
 * A pull asks the other catalog for pages of nodes and imports each page. It may stop after any
 * page (limit, time, a failure over there): the answer's cursor goes on behind it, and since what
 * is the same is left alone, nothing is lost by beginning again either. */
#include "catalog/node/federation.h"
#include "net/http_client.h"
#include "services/catalog/catalog_int.h"

enum {
    OFFERS_MAX = 1000,
    PULL_PAGE = 200,
    PULL_PAGE_MAX = 256 << 20,
    PULL_TIMEOUT_MS = 30000, /* of one page */
    PULL_TIME_US = 20000000, /* of a whole call: then it answers with a cursor */
};

struct job {
    struct request *request;
    struct caller caller;
    enum import_policy policy;
    bool dry, strict;
    struct str origin;
    int64_t counts[IMPORT_OUTCOMES];
    struct buf conflicts; /* array of what was neither added nor the same */
    struct json_writer w;
};

static void job_begin(struct job *job, struct request *request)
{
    *job = (struct job){
        .request = request, .caller = caller_of(request), .dry = request_bool(request, "dry_run")};
    (void)import_policy_parse(request_str(request, "policy"), &job->policy); /* one of the words */
    writer_begin(&job->conflicts, &job->w);
    json_begin_array(&job->w);
}

/* What was neither added nor the same, with the reason. */
static void note(struct job *job, const struct import_result *result, struct str origin)
{
    job->counts[result->outcome]++;
    if (result->outcome == IMPORT_ADDED || result->outcome == IMPORT_SAME)
        return;
    json_begin_object(&job->w);
    json_text(&job->w, "namespace", result->namespace);
    json_text(&job->w, "name", result->name);
    json_text(&job->w, "version", result->version);
    json_text(&job->w, "origin", origin);
    json_kv_strz(&job->w, "outcome", import_outcome_name(result->outcome));
    json_kv_str(&job->w, "reason", result->reason);
    json_end_object(&job->w);
}

static enum status take(struct job *job, const struct node_offer *offer, struct str origin,
                        bool dry)
{
    struct arena arena;
    struct import_result result;
    struct error own = ERROR_INIT; /* also set by refusals, which are no failures */
    arena_init(&arena, 0);
    enum status status = node_import(catalog_of(job->request), &job->caller, offer, job->policy,
                                     dry, &arena, &result, &own);
    if (status != STATUS_OK)
        job->request->error = own;
    else if (dry == job->dry)
        note(job, &result, origin);
    arena_release(&arena);
    return status;
}

static void write_counts(struct job *job, struct json_writer *w)
{
    json_end_array(&job->w);
    json_kv_bool(w, "success", true);
    json_kv_bool(w, "dry_run", job->dry);
    json_keyz(w, "counts");
    json_begin_object(w);
    for (int i = 0; i < IMPORT_OUTCOMES; i++)
        json_kv_int(w, import_outcome_name((enum import_outcome)i), job->counts[i]);
    json_end_object(w);
    json_keyz(w, "conflicts");
    json_raw(w, buf_str(&job->conflicts));
}

/* --- a list --- */

static enum status offer_refused(struct job *job, struct str origin)
{
    struct import_result result = {.outcome = IMPORT_REFUSED,
                                   .reason = str_of(job->request->error.message)};
    note(job, &result, origin);
    job->request->error = ERROR_INIT;
    return STATUS_OK;
}

static enum status read_offer(struct job *job, yyjson_val *item, struct node_offer *ret)
{
    struct request *request = job->request;
    yyjson_val *metadata = json_get(item, "metadata");
    struct str yaml = json_str_of(json_get(item, "yaml"));
    struct str file = json_str_of(json_get(item, "file"));
    struct metadata_block block;
    *ret = (struct node_offer){.body = STR(""),
                               .lifecycle = json_str_of(json_get(item, "lifecycle")),
                               .origin = job->origin,
                               .strict = job->strict};
    if (yyjson_is_obj(metadata) + (yaml.len > 0) + (file.len > 0) != 1)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "give the block once: as metadata, yaml or file");
    if (metadata)
        return json_text_of(request, metadata, &ret->json);
    if (yaml.len)
        return metadata_parse(yaml, request->arena, &ret->json, &request->error);
    TRY(metadata_find(file, request->arena, &block, &request->error));
    ret->json = block.json;
    ret->body = block.body;
    return STATUS_OK;
}

/* `dry` asks for a first pass that only looks for conflicts. */
static enum status take_list(struct job *job, yyjson_val *nodes, bool dry)
{
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(nodes, at, max, item)
    {
        struct node_offer offer;
        struct str origin = json_str_of(json_get(item, "origin"));
        enum status status = read_offer(job, item, &offer);
        if (status == STATUS_INVALID_ARGUMENT || status == STATUS_NOT_FOUND)
            status = dry == job->dry ? offer_refused(job, origin) : STATUS_OK;
        else if (status == STATUS_OK)
            status = take(job, &offer, origin, dry);
        TRY(status);
    }
    return STATUS_OK;
}

enum status nodes_import(struct request *request)
{
    struct job job;
    struct buf buf;
    struct json_writer w;
    yyjson_val *nodes = request_json(request, "nodes");
    if (yyjson_arr_size(nodes) > OFFERS_MAX)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT, "more than %d nodes in one call",
                         OFFERS_MAX);
    job_begin(&job, request);
    job.strict = request_bool(request, "strict");
    job.origin = request_str(request, "origin");
    enum status status = STATUS_OK;
    if (job.policy == IMPORT_FAIL && !job.dry) /* all or none: conflicts come to light first */
        status = take_list(&job, nodes, true);
    if (status == STATUS_OK)
        status = take_list(&job, nodes, job.dry);
    if (status == STATUS_OK) {
        writer_begin(&buf, &w);
        json_begin_object(&w);
        write_counts(&job, &w);
        json_end_object(&w);
        status = writer_respond(request, 200, &buf);
    }
    buf_release(&job.conflicts);
    return status;
}

/* --- another Quarry --- */

static void append_parameter(struct buf *url, const char *name, struct str value)
{
    if (!value.len)
        return;
    buf_printf(url, "&%s=", name);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        buf_printf(url, plain ? "%c" : "%%%02X", c);
    }
}

static enum status page_url(struct request *request, struct str cursor, uint32_t limit,
                            struct str *ret)
{
    struct buf url;
    struct str base = request_str(request, "url");
    while (base.len && base.data[base.len - 1] == '/')
        base.len--;
    buf_init(&url, 64 << 10);
    buf_printf(&url, "%.*s/nodes?limit=%u", STR_ARG(base), limit);
    append_parameter(&url, "namespace", request_str(request, "namespace"));
    append_parameter(&url, "name", request_str(request, "name"));
    append_parameter(&url, "tags", request_str(request, "tags"));
    append_parameter(&url, "lifecycle_states", request_str(request, "lifecycle_states"));
    append_parameter(&url, "cursor", cursor);
    enum status status = buf_check(&url, "the URL", &request->error);
    if (status == STATUS_OK) {
        *ret = arena_str(request->arena, buf_str(&url));
        status = ret->data ? STATUS_OK : error_no_memory(&request->error);
    }
    buf_release(&url);
    return status;
}

static enum status other_failed(struct request *request, const struct http_reply *reply)
{
    yyjson_doc *doc = yyjson_read(reply->body.data, reply->body.len, 0);
    const char *message = yyjson_get_str(json_get(yyjson_doc_get_root(doc), "error_message"));
    error_set(&request->error, reply->status >= 500 ? STATUS_UNAVAILABLE : STATUS_INVALID_ARGUMENT,
              "the other catalog answered %d: %s", reply->status, message ? message : "no message");
    yyjson_doc_free(doc);
    return request->error.status;
}

/* A page of the other catalog's nodes; the caller frees the document. */
static enum status ask_page(struct request *request, struct http_client *client, struct str cursor,
                            uint32_t limit, yyjson_doc **ret)
{
    struct str url = STR_NONE, token = request_str(request, "token");
    struct http_reply reply;
    struct http_field bearer = {STR("Authorization"), STR_NONE};
    TRY(page_url(request, cursor, limit, &url));
    if (token.len)
        bearer.value = str_of(arena_printf(request->arena, "Bearer %.*s", STR_ARG(token)));
    struct http_call call = {.url = url.data,
                             .fields = &bearer,
                             .field_count = bearer.value.len > 0,
                             .timeout_ms = PULL_TIMEOUT_MS};
    http_reply_init(&reply, PULL_PAGE_MAX);
    enum status status = http_client_call(client, &call, &reply, &request->error);
    if (status == STATUS_OK && reply.status != 200)
        status = other_failed(request, &reply);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&reply.body), ret, &request->error);
    http_reply_release(&reply);
    return status;
}

static enum status take_page(struct job *job, yyjson_val *nodes, bool dry, uint32_t *taken)
{
    size_t at, max;
    yyjson_val *node;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        struct node_offer offer = {.body = STR(""),
                                   .lifecycle = json_str_of(json_get(node, "lifecycle")),
                                   .origin = job->origin};
        TRY(json_text_of(job->request, json_get(node, "attributes"), &offer.json));
        TRY(take(job, &offer, job->origin, dry));
        ++*taken;
    }
    return STATUS_OK;
}

struct progress {
    struct str cursor; /* of the next page; empty: from the start, or at the end */
    uint32_t taken;
    bool ended;
};

static enum status pull_page(struct job *job, struct http_client *client, uint32_t limit,
                             struct progress *progress)
{
    yyjson_doc *doc = NULL;
    uint32_t looked = 0;
    TRY(ask_page(job->request, client, progress->cursor, limit, &doc));
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *nodes = json_get(root, "nodes");
    enum status status = STATUS_OK;
    if (!yyjson_is_arr(nodes))
        status = error_set(&job->request->error, STATUS_INVALID_ARGUMENT,
                           "the other side is no catalog of Quarry: its answer has no nodes");
    if (status == STATUS_OK && job->policy == IMPORT_FAIL && !job->dry)
        status = take_page(job, nodes, true, &looked);
    if (status == STATUS_OK)
        status = take_page(job, nodes, job->dry, &progress->taken);
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
static enum status pull_pages(struct job *job, struct http_client *client,
                              struct progress *progress)
{
    struct sys *sys = service_of(job->request)->sys;
    int64_t until_us = sys_now_us(sys) + PULL_TIME_US;
    uint32_t limit = (uint32_t)request_int(job->request, "limit");
    while (!progress->ended && progress->taken < limit && sys_now_us(sys) < until_us) {
        uint32_t rest = limit - progress->taken, before = progress->taken;
        enum status status = pull_page(job, client, rest < PULL_PAGE ? rest : PULL_PAGE, progress);
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
    write_counts(job, &w);
    json_kv_bool(&w, "complete", progress->ended);
    json_text(&w, "next_cursor", progress->cursor);
    json_text(&w, "stopped_by", str_of(job->request->error.message));
    json_end_object(&w);
    return writer_respond(job->request, 200, &buf);
}

enum status nodes_pull(struct request *request)
{
    struct job job;
    struct http_client *client = NULL;
    struct progress progress = {.cursor = request_str(request, "cursor")};
    TRY(http_client_new(&(struct http_client_options){.user_agent = "quarry-catalog"}, &client,
                        &request->error));
    job_begin(&job, request);
    job.origin = request_str(request, "url");
    enum status status = pull_pages(&job, client, &progress);
    if (status == STATUS_OK)
        status = respond_pull(&job, &progress);
    http_client_free(client);
    buf_release(&job.conflicts);
    return status;
}

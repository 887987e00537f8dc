/* nodes_federation.c: nodes from a list in the request; what this and a pull (nodes_pull.c) share.
 */
#include "services/catalog/nodes_federation_int.h"

enum { OFFERS_MAX = 1000 };

void job_begin(struct job *job, struct request *request)
{
    *job = (struct job){
        .request = request, .caller = caller_of(request), .dry = request_bool(request, "dry_run")};
    (void)import_policy_parse(request_str(request, "policy"), &job->policy); /* one of the words */
    writer_begin(&job->conflicts, &job->w);
    json_begin_array(&job->w);
}

/* What was neither added nor the same, with the reason. */
void job_note(struct job *job, const struct import_result *result, struct str origin)
{
    job->counts[result->outcome]++;
    if (result->outcome == IMPORT_ADDED || result->outcome == IMPORT_SAME)
        return;
    json_begin_object(&job->w);
    json_kv_text(&job->w, "namespace", result->namespace);
    json_kv_text(&job->w, "name", result->name);
    json_kv_text(&job->w, "version", result->version);
    json_kv_text(&job->w, "origin", origin);
    json_kv_strz(&job->w, "outcome", import_outcome_name(result->outcome));
    json_kv_str(&job->w, "reason", result->reason);
    json_end_object(&job->w);
}

enum status job_take(struct job *job, const struct node_offer *offer, struct str origin, bool dry)
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
        job_note(job, &result, origin);
    arena_release(&arena);
    return status;
}

void job_write_counts(struct job *job, struct json_writer *w)
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
    job_note(job, &result, origin);
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
            status = job_take(job, &offer, origin, dry);
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
        job_write_counts(&job, &w);
        json_end_object(&w);
        status = writer_respond(request, 200, &buf);
    }
    buf_release(&job.conflicts);
    return status;
}

/* approvals.c: approvals and notices of a node's next step, and what a step was taken without. */
#include "catalog/approval.h"

#include "services/catalog/catalog_int.h"

static void write_approval(struct json_writer *w, const struct record *event, struct str from)
{
    bool notice = str_is(event->kind, "notice");
    json_begin_object(w);
    json_kv_str(w, "id", event->id);
    json_kv_str(w, "type", event->kind);
    json_kv_str(w, "to", event->name);
    json_kv_str(w, "by", event->subject);
    json_kv_text(w, "text", event->description);
    json_kv_bool(w, "security", str_is(event->namespace, "security"));
    json_keyz(w, "revision");
    notice ? json_null(w) : json_int(w, event->row_count);
    json_time(w, "created_at", event->created_us);
    json_time(w, "due_at", notice_due_us(event, from));
    json_end_object(w);
}

static enum status respond_approval(struct request *request, const struct record *event)
{
    struct caller caller = caller_of(request);
    struct record asset;
    struct buf buf;
    struct json_writer w;
    TRY(asset_get(catalog_of(request), &caller, event->object, request->arena, &asset,
                  &request->error));
    writer_begin(&buf, &w);
    write_approval(&w, event, asset.lifecycle);
    return writer_respond(request, 201, &buf);
}

enum status approvals_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record event;
    TRY(approval_add(catalog_of(request), &caller, request_path_param(request, "id"),
                     request_str(request, "to"), request_str(request, "comment"), request->arena,
                     &event, &request->error));
    return respond_approval(request, &event);
}

enum status notices_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record event;
    TRY(notice_add(catalog_of(request), &caller, request_path_param(request, "id"),
                   request_str(request, "to"), request_str(request, "reason"), request->arena,
                   &event, &request->error));
    return respond_approval(request, &event);
}

enum status approvals_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str id = request_path_param(request, "id");
    struct record asset;
    struct record_page open;
    struct buf buf;
    struct json_writer w;
    TRY(asset_get(catalog_of(request), &caller, id, request->arena, &asset, &request->error));
    TRY(approval_list(catalog_of(request), &caller, id, request->arena, &open, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_keyz(&w, "approvals");
    json_begin_array(&w);
    for (uint32_t i = 0; i < open.len; i++)
        write_approval(&w, &open.records[i], asset.lifecycle);
    json_end_array(&w);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status approvals_remove(struct request *request)
{
    struct caller caller = caller_of(request);
    TRY(approval_withdraw(catalog_of(request), &caller, request_path_param(request, "id"),
                          request_path_param(request, "approval_id"), &request->error));
    return respond_done(request);
}

/* --- warnings --- */

static void write_issue(struct json_writer *w, const char *code, const char *message)
{
    json_begin_object(w);
    json_kv_strz(w, "severity", "warning");
    json_kv_strz(w, "code", code);
    json_kv_strz(w, "message", message);
    json_end_object(w);
}

enum status respond_moved(struct request *request, const struct record *asset, unsigned lacks)
{
    struct buf buf;
    struct json_writer w;
    char *etag = arena_printf(request->arena, "\"%lld\"", (long long)asset->revision);
    if (etag)
        http_set_header(request->http, "ETag", str_of(etag));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    record_write_members(&w, asset, false);
    json_keyz(&w, "issues");
    json_begin_array(&w);
    if (lacks & LACKS_APPROVAL)
        write_issue(&w, "LC004", "nobody else has approved this step");
    if (lacks & LACKS_NOTICE)
        write_issue(&w, "LC008", "the step was taken without notice, or before it was due");
    json_end_array(&w);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status in_production(struct request *request, bool *ret)
{
    struct caller caller = caller_of(request);
    struct str environment;
    TRY(setting_get(catalog_of(request), &caller, "registry_environment", "development",
                    request->arena, &environment, &request->error));
    *ret = str_is(environment, "production");
    return STATUS_OK;
}

enum status check_drafts(struct request *request, bool drafts)
{
    bool production = false;
    if (!drafts)
        return STATUS_OK;
    TRY(in_production(request, &production));
    return production ? error_set(&request->error, STATUS_CONFLICT,
                                  "LC007: this is a production registry, which gives out no drafts")
                      : STATUS_OK;
}

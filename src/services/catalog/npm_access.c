/* npm_access.c: who may read a package: everyone of the tenant (public), or its owner and those who
 * have grants (private). Versions follow their package. */
#include "services/catalog/npm_int.h"

static enum status edit_public(void *context, struct record *record, struct arena *arena,
                               struct error *err)
{
    (void)arena;
    (void)err;
    record->is_public = *(const bool *)context;
    return STATUS_OK;
}

static enum status set_public(struct request *request, struct str id, bool is_public)
{
    struct caller caller = caller_of(request);
    struct record changed;
    struct asset_edit edit = {.action = "npm.access",
                              .permission = RIGHT_ADMIN,
                              .edit = edit_public,
                              .context = &is_public};
    return asset_edit(catalog_of(request), &caller, id, &edit, request->arena, &changed,
                      &request->error);
}

static enum status change_access(struct request *request, yyjson_val *body)
{
    struct str access = node_text(body, "access");
    bool is_public = str_is(access, "public");
    struct record package, *versions;
    uint32_t len;
    if (!is_public && !str_is(access, "restricted"))
        return error_set(&request->error, STATUS_NOT_IMPLEMENTED,
                         "only access public or restricted can be set here; there is no second "
                         "factor to ask for");
    TRY(npm_package_asset(request, request_path_param(request, "package"), &package));
    TRY(npm_versions(request, package.name, &versions, &len));
    for (uint32_t i = 0; i < len; i++)
        TRY(set_public(request, versions[i].id, is_public));
    return set_public(request, package.id, is_public);
}

enum status npm_access_set(struct request *request)
{
    yyjson_doc *doc = NULL;
    enum status status = npm_body(request, &doc);
    if (status == STATUS_OK)
        status = change_access(request, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return status == STATUS_OK ? respond_done(request) : npm_end(request, status);
}

enum status npm_visibility(struct request *request)
{
    struct record package;
    struct buf buf;
    struct json_writer w;
    enum status status =
        npm_package_asset(request, request_path_param(request, "package"), &package);
    if (status != STATUS_OK)
        return npm_end(request, status);
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "public", package.is_public);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* The grants of the package, and its owner's right, on a version that somebody has just made. */
enum status npm_share_version(struct request *request, const struct record *package,
                              const struct record *version)
{
    struct caller caller = caller_of(request);
    struct record_page grants;
    struct record made;
    if (!str_eq(package->owner, version->owner)) {
        struct grant owner = {.principal = package->owner, .permission = RIGHT_ADMIN};
        TRY(grant_put(catalog_of(request), &caller, version->id, &owner, request->arena, &made,
                      &request->error));
    }
    TRY(grant_list(catalog_of(request), &caller, package->id, request->arena, &grants,
                   &request->error));
    for (uint32_t i = 0; i < grants.len; i++) {
        struct grant grant = {.principal = grants.records[i].subject,
                              .expires_us = grants.records[i].expires_us};
        if (right_parse(grants.records[i].kind, &grant.permission))
            TRY(grant_put(catalog_of(request), &caller, version->id, &grant, request->arena, &made,
                          &request->error));
    }
    return STATUS_OK;
}

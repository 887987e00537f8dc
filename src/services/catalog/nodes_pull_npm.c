/* nodes_pull_npm.c: versions of npm packages from another Quarry, with their tarballs.
 *
 * A published version never changes, so a policy has nothing to decide: what is here stays. The
 * tarball is checked against the digest of the manifest that came with it, and is stored before the
 * version is registered. dist-tags are not taken: latest is the newest version. */
#include "services/catalog/nodes_federation_int.h"
#include "services/catalog/npm_int.h"

static enum status note(struct job *job, struct import_result *result, enum import_outcome outcome,
                        const char *reason, bool dry)
{
    result->outcome = outcome;
    result->reason = str_of(reason);
    if (dry == job->dry)
        job_note(job, result, job->origin);
    job->request->error = ERROR_INIT;
    return STATUS_OK;
}

/* Bytes that are what the manifest says. STATUS_INVALID_ARGUMENT: they are not, or not to be had.
 */
static enum status fetch(struct job *job, const struct other *other,
                         const struct import_result *version, struct str hash,
                         struct http_reply *reply)
{
    struct npm_digests digests;
    struct buf path;
    const char *slash = memchr(version->name.data, '/', version->name.len);
    size_t scope = slash ? (size_t)(slash + 1 - version->name.data) : 0;
    buf_init(&path, 16384);
    buf_append_str(&path, STR("/npm/"));
    url_part(&path, version->name);
    buf_append_str(&path, STR("/-/"));
    url_part(&path, str_make(version->name.data + scope, version->name.len - scope));
    buf_append_char(&path, '-');
    url_part(&path, version->version);
    buf_append_str(&path, STR(".tgz"));
    enum status status = other_get(job, other, buf_str(&path), reply);
    buf_release(&path);
    TRY(status);
    if (reply->status != 200)
        return error_set(&job->request->error, STATUS_INVALID_ARGUMENT,
                         "its tarball cannot be had: the other catalog answers %d", reply->status);
    TRY(npm_digest(buf_str(&reply->body), &digests, &job->request->error));
    return str_is(hash, digests.sha512)
               ? STATUS_OK
               : error_set(&job->request->error, STATUS_INVALID_ARGUMENT,
                           "its tarball is not the one that its manifest means");
}

static enum status take_texts(struct job *job, yyjson_val *list, struct str_list *ret)
{
    size_t at, max;
    yyjson_val *one;
    ret->items = arena_array(job->request->arena, yyjson_arr_size(list) + 1, sizeof *ret->items);
    if (!ret->items)
        return error_no_memory(&job->request->error);
    yyjson_arr_foreach(list, at, max, one)
    {
        if (yyjson_is_str(one) && ret->len < RECORD_LIST_MAX)
            ret->items[ret->len++] = json_str_of(one);
    }
    return STATUS_OK;
}

static enum status add(struct job *job, yyjson_val *node, const struct import_result *version,
                       struct str hash, struct str tarball)
{
    struct request *request = job->request;
    struct record package, made,
        draft = {.kind = STR("node"),
                 .namespace = STR(NPM_NAMESPACE),
                 .name = version->name,
                 .version = version->version,
                 .description = node_text(node, "description"),
                 .lifecycle = node_text(node, "lifecycle"),
                 .properties = STR("{}"),
                 .size_bytes = (int64_t)tarball.len,
                 .file_count = 1};
    TRY(npm_claim_package(request, version->name, false, &package));
    TRY(permission_check(catalog_of(request), &job->caller, &package, RIGHT_WRITE,
                         &request->error));
    TRY(json_text_of(request, json_get(node, "attributes"), &draft.attributes));
    TRY(take_texts(job, json_get(node, "tags"), &draft.tags));
    TRY(attribute_set(&draft.properties, "origin", job->origin, request->arena, &request->error));
    draft.is_public = package.is_public;
    TRY(npm_store_file(request, tarball, hash, &request->error));
    TRY(asset_create(catalog_of(request), &job->caller, &draft, request->arena, &made,
                     &request->error));
    return npm_share_version(request, &package, &made);
}

enum status pull_package(struct job *job, const struct other *other, yyjson_val *node, bool dry)
{
    enum { TARBALL_REPLY_MAX = NPM_TARBALL_MAX };
    struct request *request = job->request;
    struct str hash = node_text(json_get(node, "attributes"), "_sha512");
    struct import_result version = {.namespace = STR(NPM_NAMESPACE),
                                    .name = node_text(node, "name"),
                                    .version = node_text(node, "version")};
    struct record local;
    struct http_reply reply;
    enum status status = npm_check_name(version.name, &request->error);
    if (status == STATUS_OK)
        status = npm_check_number(request, version.name, version.version);
    if (status != STATUS_OK)
        return note(job, &version, status == STATUS_FORBIDDEN ? IMPORT_KEPT : IMPORT_REFUSED,
                    request->error.message, dry);
    status = asset_find(catalog_of(request), &job->caller, STR("node"), version.namespace,
                        version.name, version.version, request->arena, &local, &request->error);
    if (status == STATUS_OK)
        return str_eq(hash, attribute_get(local.attributes, "_sha512", request->arena))
                   ? note(job, &version, IMPORT_SAME, "", dry)
                   : note(job, &version, IMPORT_KEPT, "a published version is never replaced", dry);
    if (status != STATUS_NOT_FOUND)
        return status;
    if (dry)
        return note(job, &version, IMPORT_ADDED, "", dry);
    http_reply_init(&reply, TARBALL_REPLY_MAX);
    status = fetch(job, other, &version, hash, &reply);
    if (status == STATUS_OK)
        status = add(job, node, &version, hash, buf_str(&reply.body));
    http_reply_release(&reply);
    bool own = status == STATUS_INVALID_ARGUMENT || status == STATUS_FORBIDDEN ||
               status == STATUS_CONFLICT || status == STATUS_RESOURCE_LIMIT;
    if (status != STATUS_OK && !own)
        return status;
    return note(job, &version, status == STATUS_OK ? IMPORT_ADDED : IMPORT_REFUSED,
                status == STATUS_OK ? "" : request->error.message, dry);
}

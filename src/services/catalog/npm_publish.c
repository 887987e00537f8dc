/* npm_publish.c: PUT of a package: new versions with their tarballs, or changed words of
 * deprecation on old ones.
 *
 * Steps of a new version: the package's own asset is there or is made; the tarball is decoded and
 * checked against the digests that came with it; stored; the node is registered, and those who have
 * rights on the package get them on it. Then the tags move. A crash in between leaves a file that
 * nobody names, or a version without its tag; publishing again says so or mends it. */
#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "catalog/node/semver.h"
#include "services/catalog/npm_int.h"

struct publish {
    struct request *request;
    struct str name;
    yyjson_val *body;
    struct record package; /* of a publish */
};

static enum status refuse(struct publish *p, const char *why)
{
    return error_set(&p->request->error, STATUS_INVALID_ARGUMENT, "%s", why);
}

/* --- a new version --- */

static enum status check_digests(struct publish *p, yyjson_val *dist,
                                 const struct npm_digests *digests)
{
    struct str integrity = node_text(dist, "integrity"), shasum = node_text(dist, "shasum");
    if (str_starts(integrity, STR("sha512-")) && !str_is(integrity, digests->integrity))
        return refuse(p, "the tarball is not the one that dist.integrity means");
    if (shasum.len && !str_is(shasum, digests->sha1))
        return refuse(p, "the tarball is not the one that dist.shasum means");
    return STATUS_OK;
}

/* The manifest as it is kept: with our digests, without what belongs to the package. */
static enum status manifest_of(struct publish *p, yyjson_val *version,
                               const struct npm_digests *digests, struct str *ret)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc ? yyjson_val_mut_copy(doc, version) : NULL;
    if (!root)
        return error_no_memory(&p->request->error);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_val *dist = yyjson_mut_obj_get(root, "dist");
    if (!yyjson_mut_is_obj(dist)) {
        yyjson_mut_obj_remove_key(root, "dist");
        dist = yyjson_mut_obj_add_obj(doc, root, "dist");
    }
    static const char *const ours[] = {"integrity", "shasum", "tarball"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        yyjson_mut_obj_remove_key(dist, ours[i]);
    yyjson_mut_obj_remove_key(root, "readme");
    yyjson_mut_obj_remove_key(root, "_sha512");
    yyjson_mut_obj_add_str(doc, dist, "integrity", digests->integrity);
    yyjson_mut_obj_add_str(doc, dist, "shasum", digests->sha1);
    yyjson_mut_obj_add_str(doc, root, "_sha512", digests->sha512);
    size_t len = 0;
    char *text = yyjson_mut_write(doc, 0, &len);
    *ret = text ? arena_str(p->request->arena, str_make(text, len)) : STR_NONE;
    free(text);
    yyjson_mut_doc_free(doc);
    return ret->data ? STATUS_OK : error_no_memory(&p->request->error);
}

static enum status take_keywords(struct publish *p, yyjson_val *keywords, struct str_list *ret)
{
    size_t at, max;
    yyjson_val *one;
    ret->items = arena_array(p->request->arena, yyjson_arr_size(keywords), sizeof *ret->items);
    if (!ret->items)
        return error_no_memory(&p->request->error);
    yyjson_arr_foreach(keywords, at, max, one)
    {
        if (yyjson_is_str(one) && yyjson_get_len(one) && ret->len < RECORD_LIST_MAX)
            ret->items[ret->len++] = json_str_of(one);
    }
    return STATUS_OK;
}

static enum status register_version(struct publish *p, struct str version, yyjson_val *manifest,
                                    struct str tarball)
{
    struct request *request = p->request;
    struct caller caller = caller_of(request);
    struct npm_digests digests;
    struct record draft = {.kind = STR("node"),
                           .namespace = STR(NPM_NAMESPACE),
                           .name = p->name,
                           .version = version,
                           .description = node_text(manifest, "description"),
                           .is_public = p->package.is_public,
                           .size_bytes = (int64_t)tarball.len,
                           .file_count = 1},
                  node;
    TRY(npm_digest(tarball, &digests, &request->error));
    TRY(check_digests(p, json_get(manifest, "dist"), &digests));
    TRY(manifest_of(p, manifest, &digests, &draft.attributes));
    TRY(take_keywords(p, json_get(manifest, "keywords"), &draft.tags));
    TRY(npm_store_file(request, tarball, str_of(digests.sha512), &request->error));
    enum status status =
        asset_create(catalog_of(request), &caller, &draft, request->arena, &node, &request->error);
    if (status == STATUS_CONFLICT)
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "version %.*s is published already and cannot be replaced",
                         STR_ARG(version));
    TRY(status);
    return npm_share_version(request, &p->package, &node);
}

/* The tarball that belongs to the version; there is one to a publish. */
static yyjson_val *attachment_of(yyjson_val *attachments)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(attachments, at, max, key, value)
    {
        if (str_ends(json_str_of(key), STR(".tgz")))
            return value;
    }
    return NULL;
}

static enum status add_version(struct publish *p, struct str version, yyjson_val *manifest)
{
    yyjson_val *attachment = attachment_of(json_get(p->body, "_attachments"));
    struct str base64 = node_text(attachment, "data");
    struct semver parsed;
    gnutls_datum_t in = {(unsigned char *)(uintptr_t)base64.data, (unsigned)base64.len}, out = {0};
    TRY(semver_parse(version, &parsed, &p->request->error));
    if (!yyjson_is_obj(manifest) || !str_eq(node_text(manifest, "name"), p->name) ||
        !str_eq(node_text(manifest, "version"), version))
        return refuse(p, "name and version of the manifest must be those of the package");
    if (!base64.len || base64.len > NPM_BODY_MAX || gnutls_base64_decode2(&in, &out) != 0)
        return refuse(p, "the tarball is missing or is not base64");
    if (npm_check_number(p->request, p->name, version) != STATUS_OK) {
        gnutls_free(out.data);
        return p->request->error.status;
    }
    enum status status =
        out.size > NPM_TARBALL_MAX
            ? error_set(&p->request->error, STATUS_TOO_LARGE, "the tarball is larger than %d bytes",
                        NPM_TARBALL_MAX)
            : register_version(p, version, manifest, str_make((char *)out.data, out.size));
    gnutls_free(out.data);
    return status;
}

/* --- an old version: only its deprecation may change --- */

struct deprecation {
    struct str text;
};

static enum status edit_deprecation(void *context, struct record *record, struct arena *arena,
                                    struct error *err)
{
    const struct deprecation *deprecation = context;
    return attribute_set(&record->attributes, "deprecated", deprecation->text, arena, err);
}

static enum status change_version(struct publish *p, const struct record *node,
                                  yyjson_val *manifest)
{
    struct request *request = p->request;
    struct caller caller = caller_of(request);
    struct deprecation deprecation = {node_text(manifest, "deprecated")};
    struct record changed;
    struct asset_edit edit = {.action = "npm.deprecate",
                              .permission = RIGHT_WRITE,
                              .edit = edit_deprecation,
                              .context = &deprecation};
    if (str_eq(deprecation.text, attribute_get(node->attributes, "deprecated", request->arena)))
        return STATUS_OK;
    return asset_edit(catalog_of(request), &caller, node->id, &edit, request->arena, &changed,
                      &request->error);
}

static enum status put_version(struct publish *p, struct str version, yyjson_val *manifest,
                               bool publishing)
{
    struct request *request = p->request;
    struct caller caller = caller_of(request);
    struct record node;
    enum status status = asset_find(catalog_of(request), &caller, STR("node"), STR(NPM_NAMESPACE),
                                    p->name, version, request->arena, &node, &request->error);
    if (status == STATUS_NOT_FOUND)
        return publishing ? add_version(p, version, manifest)
                          : refuse(p, "a new version needs its tarball");
    TRY(status);
    if (publishing)
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "version %.*s is published already and cannot be replaced",
                         STR_ARG(version));
    return change_version(p, &node, manifest);
}

/* Whoever may not write to the package may not add versions to it either. */
static enum status claim(struct publish *p)
{
    struct caller caller = caller_of(p->request);
    bool is_public = str_is(node_text(p->body, "access"), "public");
    TRY(npm_claim_package(p->request, p->name, is_public, &p->package));
    return permission_check(catalog_of(p->request), &caller, &p->package, RIGHT_WRITE,
                            &p->request->error);
}

static enum status publish(struct publish *p)
{
    yyjson_val *versions = json_get(p->body, "versions");
    bool publishing = yyjson_obj_size(json_get(p->body, "_attachments")) > 0;
    size_t at, max;
    yyjson_val *key, *value;
    TRY(npm_check_name(p->name, &p->request->error));
    if (!versions && yyjson_is_obj(json_get(p->body, "users")))
        return npm_star(p->request, p->name, json_get(p->body, "users"));
    if (!yyjson_is_obj(versions) || !str_eq(node_text(p->body, "name"), p->name))
        return refuse(p, "the body must hold the package's name and versions");
    if (publishing && yyjson_obj_size(versions) != 1)
        return refuse(p, "publish one version at a time");
    TRY(claim(p));
    yyjson_obj_foreach(versions, at, max, key, value)
    {
        TRY(put_version(p, json_str_of(key), value, publishing));
    }
    return npm_set_package(p->request, p->name, json_get(p->body, "dist-tags"), STR(""),
                           node_text(p->body, "readme"));
}

enum status npm_publish(struct request *request)
{
    struct publish p = {.request = request, .name = request_path_param(request, "package")};
    yyjson_doc *doc = NULL;
    struct buf buf;
    struct json_writer w;
    enum status status = npm_body(request, &doc);
    p.body = yyjson_doc_get_root(doc);
    if (status == STATUS_OK)
        status = publish(&p);
    yyjson_doc_free(doc);
    if (status != STATUS_OK)
        return npm_end(request, status);
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "ok", true);
    json_kv_bool(&w, "success", true);
    json_kv_str(&w, "id", p.name);
    json_end_object(&w);
    return writer_respond(request, 201, &buf);
}

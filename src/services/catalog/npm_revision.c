/* npm_revision.c: changes that name the revision of the package they were made to: unpublish,
 * owner, star. npm reads the package, changes the document and sends it back whole; here only what
 * differs is done, and only what that command changes.
 *
 * An unpublished version is deleted softly: POST /assets/ID/undelete brings it back, and as long as
 * it is kept its number is not given to other bytes, so that lock files stay true. */
#include "services/catalog/npm_int.h"

static enum status open_package(struct request *request, struct record *ret)
{
    struct str rev = request_path_param(request, "rev");
    int64_t wanted = 0;
    TRY(npm_check_name(request_path_param(request, "package"), &request->error));
    TRY(npm_package_asset(request, request_path_param(request, "package"), ret));
    if (!str_to_int64(rev, &wanted) || wanted != ret->revision)
        return error_set(&request->error, STATUS_CONFLICT,
                         "the package was changed meanwhile: it is at revision %lld, not %.*s",
                         (long long)ret->revision, STR_ARG(rev));
    return STATUS_OK;
}

static enum status delete_asset(struct request *request, struct str id)
{
    struct caller caller = caller_of(request);
    struct record deleted;
    return asset_delete(catalog_of(request), &caller, id, 0, request->arena, &deleted,
                        &request->error);
}

/* --- unpublish --- */

static enum status unpublish(struct request *request, const struct record *package,
                             yyjson_val *body)
{
    yyjson_val *kept = json_get(body, "versions");
    struct record *versions;
    uint32_t len;
    TRY(npm_versions(request, package->name, &versions, &len));
    for (uint32_t i = 0; i < len; i++)
        if (!yyjson_obj_getn(kept, versions[i].version.data, versions[i].version.len))
            TRY(delete_asset(request, versions[i].id));
    return npm_set_package(request, package->name, json_get(body, "dist-tags"), STR(""), STR(""));
}

static enum status change_package(struct request *request, yyjson_val *body)
{
    struct record package;
    TRY(open_package(request, &package));
    if (yyjson_is_obj(json_get(body, "versions")))
        return unpublish(request, &package, body);
    if (yyjson_is_arr(json_get(body, "maintainers")))
        return npm_set_maintainers(request, &package, json_get(body, "maintainers"));
    return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                     "the body must hold versions (unpublish) or maintainers (owner)");
}

enum status npm_change(struct request *request)
{
    yyjson_doc *doc = NULL;
    enum status status = npm_body(request, &doc);
    if (status == STATUS_OK)
        status = change_package(request, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return status == STATUS_OK ? respond_done(request) : npm_end(request, status);
}

static enum status remove_package(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record package, *versions;
    uint32_t len;
    TRY(open_package(request, &package));
    enum status status =
        node_versions(catalog_of(request), &caller, STR(NPM_NAMESPACE), package.name,
                      request->arena, &versions, &len, &request->error);
    for (uint32_t i = 0; status == STATUS_OK && i < len; i++)
        status = delete_asset(request, versions[i].id);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    return delete_asset(request, package.id);
}

enum status npm_remove(struct request *request)
{
    enum status status = remove_package(request);
    return status == STATUS_OK ? respond_done(request) : npm_end(request, status);
}

/* npm asks for it when the version is gone, and takes 404 for done. The bytes stay as long as the
 * version can come back. */
enum status npm_tarball_remove(struct request *request)
{
    struct record version;
    enum status status = npm_version_of_file(request, &version);
    if (status == STATUS_OK)
        status = error_set(&request->error, STATUS_FORBIDDEN,
                           "the tarball belongs to a published version: unpublish that");
    return npm_end(request, status);
}

enum status npm_check_number(struct request *request, struct str name, struct str version)
{
    struct str kind = STR("node"), npm = STR(NPM_NAMESPACE);
    struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_namespace, .op = MATCH_EQ, .values = &npm, .values_len = 1},
        {.field = RECORD_name, .op = MATCH_EQ, .values = &name, .values_len = 1},
        {.field = RECORD_version, .op = MATCH_EQ, .values = &version, .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_ASSET,
                                 .tenant = caller_of(request).tenant,
                                 .matches = matches,
                                 .matches_len = 4,
                                 .deleted = DELETED_ONLY,
                                 .limit = 1};
    struct record_page page;
    TRY(backend_query(catalog_backend(catalog_of(request)), &query, request->arena, &page,
                      &request->error));
    return page.len ? error_set(&request->error, STATUS_FORBIDDEN,
                                "version %.*s was unpublished: its number cannot be used again",
                                STR_ARG(version))
                    : STATUS_OK;
}

/* --- star --- */

struct star {
    struct str user;
    bool set;
};

static enum status edit_star(void *context, struct record *record, struct arena *arena,
                             struct error *err)
{
    const struct star *star = context;
    struct str_list *stars = &record->categories;
    struct str *list = arena_array(arena, stars->len + 1, sizeof *list);
    uint32_t len = 0;
    if (!list)
        return error_no_memory(err);
    for (uint32_t i = 0; i < stars->len; i++)
        if (!str_eq(stars->items[i], star->user))
            list[len++] = stars->items[i];
    if (star->set)
        list[len++] = star->user;
    *stars = (struct str_list){list, len};
    return STATUS_OK;
}

/* Each sets the own star only, whatever else the document says. */
enum status npm_star(struct request *request, struct str name, yyjson_val *users)
{
    struct caller caller = caller_of(request);
    struct str user = request->identity.username;
    struct star star = {user, yyjson_obj_getn(users, user.data, user.len) != NULL};
    struct record package, changed;
    struct asset_edit edit = {
        .action = "npm.star", .permission = RIGHT_READ, .edit = edit_star, .context = &star};
    TRY(npm_package_asset(request, name, &package));
    return asset_edit(catalog_of(request), &caller, package.id, &edit, request->arena, &changed,
                      &request->error);
}

void npm_write_stars(struct json_writer *w, const struct record *package)
{
    json_keyz(w, "users");
    json_begin_object(w);
    for (uint32_t i = 0; i < package->categories.len; i++) {
        json_key(w, package->categories.items[i]);
        json_bool(w, true);
    }
    json_end_object(w);
}

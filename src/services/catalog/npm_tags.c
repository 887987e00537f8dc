/* npm_tags.c: names of packages; dist-tags and readme, kept in the package's own asset. */
#include <stdlib.h>

#include "catalog/node/semver_range.h"
#include "services/catalog/npm_int.h"

static bool is_name_part(struct str part)
{
    if (!part.len || part.data[0] == '.' || part.data[0] == '_')
        return false;
    for (size_t i = 0; i < part.len; i++) {
        char c = part.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr("-._~!'()*", c)))
            return false;
    }
    return true;
}

enum status npm_check_name(struct str name, struct error *err)
{
    enum { PACKAGE_NAME_MAX = 214 };
    struct str rest = name, scope;
    bool scoped = name.len && name.data[0] == '@';
    if (scoped) {
        rest = str_make(name.data + 1, name.len - 1);
        (void)str_split(&rest, '/', &scope);
        scoped = is_name_part(scope) && rest.data;
        if (!scoped)
            rest = STR("");
    }
    if (name.len <= PACKAGE_NAME_MAX && is_name_part(rest))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "this is no package name: write name or "
                     "@scope/name, at most 214 characters");
}

/* --- changing --- */

struct package_edit {
    yyjson_val *tags;
    struct str removed;
    struct str readme;
};

static void add_tag(yyjson_mut_doc *doc, yyjson_mut_val *tags, yyjson_val *key, yyjson_val *value)
{
    yyjson_mut_obj_add(tags, yyjson_mut_strncpy(doc, yyjson_get_str(key), yyjson_get_len(key)),
                       yyjson_val_mut_copy(doc, value));
}

/* Old tags that are neither removed nor set anew, then the new ones. */
static yyjson_mut_val *merge_tags(yyjson_mut_doc *doc, yyjson_val *old,
                                  const struct package_edit *edit)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_mut_val *tags = yyjson_mut_obj(doc);
    yyjson_obj_foreach(old, at, max, key, value)
    {
        if (!str_eq(json_str_of(key), edit->removed) &&
            !yyjson_obj_getn(edit->tags, yyjson_get_str(key), yyjson_get_len(key)))
            add_tag(doc, tags, key, value);
    }
    yyjson_obj_foreach(edit->tags, at, max, key, value)
    {
        if (yyjson_is_str(value))
            add_tag(doc, tags, key, value);
    }
    return tags;
}

static enum status edit_package(void *context, struct record *record, struct arena *arena,
                                struct error *err)
{
    const struct package_edit *edit = context;
    struct str readme =
        edit->readme.len ? edit->readme : attribute_get(record->attributes, "readme", arena);
    yyjson_doc *old = yyjson_read(record->attributes.data, record->attributes.len, 0);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_val(doc, root, "dist-tags",
                           merge_tags(doc, json_get(yyjson_doc_get_root(old), "dist-tags"), edit));
    yyjson_mut_obj_add_strn(doc, root, "readme", readme.data ? readme.data : "", readme.len);
    size_t len = 0;
    char *text = yyjson_mut_write(doc, 0, &len);
    record->attributes = text ? arena_str(arena, str_make(text, len)) : STR_NONE;
    free(text);
    yyjson_mut_doc_free(doc);
    yyjson_doc_free(old);
    return record->attributes.data ? STATUS_OK : error_no_memory(err);
}

enum status npm_claim_package(struct request *request, struct str name, bool is_public,
                              struct record *ret)
{
    struct caller caller = caller_of(request);
    struct record draft = {
        .kind = STR(NPM_PACKAGE), .name = name, .attributes = STR("{}"), .is_public = is_public};
    enum status status = npm_package_asset(request, name, ret);
    if (status != STATUS_NOT_FOUND)
        return status;
    status =
        asset_create(catalog_of(request), &caller, &draft, request->arena, ret, &request->error);
    if (status != STATUS_CONFLICT)
        return status;
    status = npm_package_asset(request, name, ret); /* somebody was faster, or it is hidden */
    return status == STATUS_NOT_FOUND
               ? error_set(&request->error, STATUS_FORBIDDEN,
                           "the package %.*s belongs to others: ask its owner or an admin",
                           STR_ARG(name))
               : status;
}

enum status npm_set_package(struct request *request, struct str name, yyjson_val *tags,
                            struct str removed, struct str readme)
{
    struct caller caller = caller_of(request);
    struct package_edit package = {tags, removed, readme};
    struct record record, changed;
    TRY(npm_claim_package(request, name, false, &record));
    struct asset_edit edit = {.action = "npm.package",
                              .permission = RIGHT_WRITE,
                              .edit = edit_package,
                              .context = &package};
    return asset_edit(catalog_of(request), &caller, record.id, &edit, request->arena, &changed,
                      &request->error);
}

/* --- reading --- */

static bool has_version(const struct record *versions, uint32_t len, struct str version)
{
    for (uint32_t i = 0; i < len; i++)
        if (str_eq(versions[i].version, version))
            return true;
    return false;
}

static enum status newest(struct request *request, const struct record *versions, uint32_t len,
                          struct str *ret)
{
    struct semver *parsed = arena_array(request->arena, len, sizeof *parsed);
    if (!parsed)
        return error_no_memory(&request->error);
    for (uint32_t i = 0; i < len; i++)
        TRY(semver_parse(versions[i].version, &parsed[i], &request->error));
    int64_t latest = semver_latest(parsed, len);
    *ret = latest < 0 ? STR("") : versions[latest].version;
    return STATUS_OK;
}

enum status npm_write_tags(struct request *request, struct json_writer *w, struct str name,
                           const struct record *versions, uint32_t len)
{
    struct record package;
    size_t at, max;
    yyjson_val *key, *value;
    bool has_latest = false;
    struct str latest = STR("");
    enum status status = npm_package_asset(request, name, &package);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    TRY(newest(request, versions, len, &latest));
    yyjson_doc *doc = status == STATUS_OK
                          ? yyjson_read(package.attributes.data, package.attributes.len, 0)
                          : NULL;
    json_keyz(w, "dist-tags");
    json_begin_object(w);
    yyjson_obj_foreach(json_get(yyjson_doc_get_root(doc), "dist-tags"), at, max, key, value)
    {
        if (!has_version(versions, len, json_str_of(value)))
            continue;
        has_latest = has_latest || str_is(json_str_of(key), "latest");
        json_key(w, json_str_of(key));
        json_string(w, json_str_of(value));
    }
    if (!has_latest && latest.len)
        json_kv_str(w, "latest", latest);
    json_end_object(w);
    yyjson_doc_free(doc);
    return STATUS_OK;
}

/* --- the operations --- */

static enum status send_tags(struct request *request, struct str name)
{
    struct record *versions;
    uint32_t len;
    struct buf whole, buf;
    struct json_writer w;
    yyjson_doc *doc = NULL;
    TRY(npm_versions(request, name, &versions, &len));
    buf_init(&whole, ANSWER_MAX);
    json_writer_init(&w, &whole);
    json_begin_object(&w);
    enum status status = npm_write_tags(request, &w, name, versions, len);
    json_end_object(&w);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&whole), &doc, &request->error);
    buf_release(&whole);
    TRY(status);
    writer_begin(&buf, &w);
    json_value(&w, json_get(yyjson_doc_get_root(doc), "dist-tags"));
    yyjson_doc_free(doc);
    return writer_respond(request, 200, &buf);
}

enum status npm_tags_list(struct request *request)
{
    struct str name = request_path_param(request, "package");
    enum status status = npm_check_name(name, &request->error);
    return npm_end(request, status == STATUS_OK ? send_tags(request, name) : status);
}

static enum status check_tag(struct str tag, struct error *err)
{
    struct arena arena;
    struct semver_range range;
    arena_init(&arena, 0);
    bool is_range =
        !str_is(tag, "latest") && semver_range_parse(tag, false, &arena, &range, NULL) == STATUS_OK;
    arena_release(&arena);
    return tag.len && tag.len < 200 && !is_range
               ? STATUS_OK
               : error_set(err, STATUS_INVALID_ARGUMENT,
                           "a tag must not look like a range of versions");
}

static enum status set_tag(struct request *request)
{
    struct str name = request_path_param(request, "package");
    struct str tag = request_path_param(request, "tag");
    struct record *versions;
    uint32_t len;
    yyjson_doc *body = NULL;
    TRY(npm_check_name(name, &request->error));
    TRY(check_tag(tag, &request->error));
    TRY(npm_versions(request, name, &versions, &len));
    TRY(npm_body(request, &body));
    struct str version = json_str_of(yyjson_doc_get_root(body));
    enum status status = STATUS_OK;
    if (!version.data || !has_version(versions, len, version))
        status = error_set(&request->error, STATUS_NOT_FOUND, "there is no such version of %.*s",
                           STR_ARG(name));
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    if (status == STATUS_OK)
        yyjson_mut_obj_add(root, yyjson_mut_strn(doc, tag.data, tag.len),
                           yyjson_mut_strn(doc, version.data, version.len));
    yyjson_doc *tags = yyjson_mut_doc_imut_copy(doc, NULL);
    if (status == STATUS_OK)
        status = tags ? npm_set_package(request, name, yyjson_doc_get_root(tags), STR(""), STR(""))
                      : error_no_memory(&request->error);
    yyjson_doc_free(tags);
    yyjson_mut_doc_free(doc);
    yyjson_doc_free(body);
    return status == STATUS_OK ? send_tags(request, name) : status;
}

enum status npm_tag_set(struct request *request)
{
    return npm_end(request, set_tag(request));
}

static enum status remove_tag(struct request *request)
{
    struct str name = request_path_param(request, "package");
    struct str tag = request_path_param(request, "tag");
    TRY(npm_check_name(name, &request->error));
    if (str_is(tag, "latest"))
        return error_set(&request->error, STATUS_FORBIDDEN, "latest cannot be removed");
    TRY(npm_set_package(request, name, NULL, tag, STR("")));
    return send_tags(request, name);
}

enum status npm_tag_remove(struct request *request)
{
    return npm_end(request, remove_tag(request));
}

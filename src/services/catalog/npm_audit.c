/* npm_audit.c: which of the versions that a client has are known to be dangerous.
 *
 * An advisory is an asset of kind "advisory", namespace: the package; its attributes are what npm
 * shows: severity, title, url, vulnerable_versions, cwe, cvss. */
#include "catalog/node/semver_range.h"
#include "services/catalog/npm_int.h"

enum { PACKAGES_MAX = 20000 };

/* Whether one of the versions is in the range; an unreadable range holds all. */
static bool concerns(struct request *request, struct str range_text, yyjson_val *versions)
{
    struct semver_range range;
    struct semver version;
    size_t at, max;
    yyjson_val *one;
    if (semver_range_parse(range_text, true, request->arena, &range, NULL) != STATUS_OK)
        return true;
    yyjson_arr_foreach(versions, at, max, one)
    {
        if (yyjson_is_str(one) && semver_parse(json_str_of(one), &version, NULL) == STATUS_OK &&
            semver_range_has(&range, &version, false))
            return true;
    }
    return false;
}

static void write_member(struct json_writer *w, yyjson_val *object, const char *name,
                         struct str fallback)
{
    yyjson_val *value = json_get(object, name);
    json_keyz(w, name);
    if (value)
        json_value(w, value);
    else
        json_raw(w, fallback);
}

static void write_advisory(struct json_writer *w, const struct record *asset, yyjson_val *advisory)
{
    json_begin_object(w);
    json_kv_str(w, "id", asset->name);
    json_kv_str(w, "title",
                node_text(advisory, "title").len ? node_text(advisory, "title")
                                                 : asset->description);
    write_member(w, advisory, "url", STR("\"\""));
    write_member(w, advisory, "severity", STR("\"moderate\""));
    write_member(w, advisory, "vulnerable_versions", STR("\"*\""));
    write_member(w, advisory, "cwe", STR("[]"));
    write_member(w, advisory, "cvss", STR("{\"score\":0,\"vectorString\":null}"));
    json_end_object(w);
}

static enum status write_package(struct request *request, struct json_writer *w, struct str name,
                                 yyjson_val *versions)
{
    struct caller caller = caller_of(request);
    struct str kind = STR(NPM_ADVISORY);
    struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_namespace, .op = MATCH_EQ, .values = &name, .values_len = 1}};
    struct record_query query = {
        .domain = DOMAIN_ASSET, .matches = matches, .matches_len = 2, .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    bool any = false;
    TRY(asset_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    for (uint32_t i = 0; i < page.len; i++) {
        struct str attributes = page.records[i].attributes;
        yyjson_doc *doc = yyjson_read(attributes.data, attributes.len, 0);
        yyjson_val *advisory = yyjson_doc_get_root(doc);
        struct str range = node_text(advisory, "vulnerable_versions");
        if (concerns(request, range.len ? range : STR("*"), versions)) {
            if (!any) {
                json_key(w, name);
                json_begin_array(w);
            }
            any = true;
            write_advisory(w, &page.records[i], advisory);
        }
        yyjson_doc_free(doc);
    }
    if (any)
        json_end_array(w);
    return STATUS_OK;
}

static enum status write_all(struct request *request, struct json_writer *w, yyjson_val *packages)
{
    size_t at, max;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(packages) || yyjson_obj_size(packages) > PACKAGES_MAX)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "the body must be an object: package to list of versions, at most %d",
                         PACKAGES_MAX);
    json_begin_object(w);
    yyjson_obj_foreach(packages, at, max, key, value)
    {
        TRY(write_package(request, w, json_str_of(key), value));
    }
    json_end_object(w);
    return STATUS_OK;
}

enum status npm_advisories(struct request *request)
{
    yyjson_doc *doc = NULL;
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    enum status status = npm_body(request, &doc);
    if (status == STATUS_OK)
        status = write_all(request, &w, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (status == STATUS_OK)
        return writer_respond(request, 200, &buf);
    buf_release(&buf);
    return npm_end(request, status);
}

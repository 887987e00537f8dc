/* npm.c: what npm reads: packages and tarballs; whether we are there. */
#include <stdio.h>

#include "services/catalog/npm_int.h"

#include "catalog/node/semver_range.h"
#include "format/codec/codec.h"

/* --- shared --- */

enum status npm_end(struct request *request, enum status status)
{
    struct buf buf;
    struct json_writer w;
    if (status == STATUS_OK || request->started)
        return status;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "success", false);
    json_kv_strz(&w, "error", request->error.message);
    json_kv_strz(&w, "code", status_info(status)->code);
    json_kv_str(&w, "request_id", request->request_id);
    json_end_object(&w);
    return writer_respond(request, status_info(status)->http, &buf);
}

static enum status inflate(struct request *request, struct str body, struct buf *out)
{
    enum { CHUNK = 64 * 1024 };
    struct codec_stream stream;
    struct slice in = {body.data, body.len};
    bool gzip = str_eq_nocase(request->encoding, STR("gzip"));
    size_t got = 0;
    TRY(codec_stream_init(&stream, gzip ? CODEC_GZIP : CODEC_ZSTD, NPM_BODY_MAX, &request->error));
    enum status status = STATUS_OK;
    do {
        if (!buf_reserve(out, CHUNK)) {
            status = buf_check(out, "body", &request->error);
            break;
        }
        status =
            codec_stream_feed(&stream, &in, out->data + out->len, CHUNK, &got, &request->error);
        out->len += status == STATUS_OK ? got : 0;
    } while (status == STATUS_OK && (in.len || got == CHUNK));
    if (status == STATUS_OK)
        status = codec_stream_finish(&stream, &request->error);
    codec_stream_release(&stream);
    return status == STATUS_CORRUPT ? error_set(&request->error, STATUS_INVALID_ARGUMENT,
                                                "the body's compression is damaged")
                                    : status;
}

enum status npm_body(struct request *request, yyjson_doc **ret)
{
    struct str body = http_request_body(request->http);
    struct buf plain;
    if (!request->encoding.data)
        return json_parse(body, ret, &request->error);
    buf_init(&plain, NPM_BODY_MAX);
    enum status status = inflate(request, body, &plain);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&plain), ret, &request->error);
    buf_release(&plain);
    return status;
}

enum status npm_versions(struct request *request, struct str name, struct record **ret,
                         uint32_t *ret_len)
{
    struct caller caller = caller_of(request);
    uint32_t len = 0, kept = 0;
    enum status status = node_versions(catalog_of(request), &caller, STR(NPM_NAMESPACE), name,
                                       request->arena, ret, &len, &request->error);
    for (uint32_t i = 0; status == STATUS_OK && i < len; i++)
        if (str_is((*ret)[i].lifecycle, "active") || str_is((*ret)[i].lifecycle, "deprecated"))
            (*ret)[kept++] = (*ret)[i];
    *ret_len = kept;
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && kept == 0))
        return error_set(&request->error, STATUS_NOT_FOUND, "there is no package %.*s",
                         STR_ARG(name));
    return status;
}

enum status npm_package_asset(struct request *request, struct str name, struct record *ret)
{
    struct caller caller = caller_of(request);
    return asset_find(catalog_of(request), &caller, STR(NPM_PACKAGE), STR(""), name, STR(""),
                      request->arena, ret, &request->error);
}

/* --- packages --- */

/* Where the client reached us, as it or the gateway says; only characters of hosts and ports. */
static struct str host_of(struct request *request)
{
    struct str host = http_request_header(request->http, "x-forwarded-host");
    if (!host.len)
        host = http_request_header(request->http, "host");
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr(".:-[]", c)))
            return STR("localhost");
    }
    return host.len ? host : STR("localhost");
}

/* The package's name in a URL: its slash is escaped. */
static struct str escaped_name(struct request *request, struct str name)
{
    struct str scope, rest = name;
    (void)str_split(&rest, '/', &scope);
    if (!rest.data)
        return name;
    return str_of(arena_printf(request->arena, "%.*s%%2f%.*s", STR_ARG(scope), STR_ARG(rest)));
}

static struct str base_name(struct str name)
{
    const char *slash = memchr(name.data, '/', name.len);
    return slash ? str_make(slash + 1, name.len - (size_t)(slash + 1 - name.data)) : name;
}

static void write_members(struct json_writer *w, yyjson_val *object, const char *but,
                          const char *but_too)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, max, key, value)
    {
        if (str_is(json_str_of(key), but) || str_is(json_str_of(key), but_too))
            continue;
        json_key(w, json_str_of(key));
        json_value(w, value);
    }
}

/* One version's manifest with the address of its tarball. */
static void write_manifest(struct request *request, struct json_writer *w,
                           const struct record *version)
{
    struct str attributes = version->attributes, name = escaped_name(request, version->name);
    yyjson_doc *doc = yyjson_read(attributes.data, attributes.len, 0);
    yyjson_val *manifest = yyjson_doc_get_root(doc);
    bool tls = str_is(http_request_header(request->http, "x-forwarded-proto"), "https");
    char *url = arena_printf(request->arena, "http%s://%.*s/npm/%.*s/-/%.*s-%.*s.tgz",
                             tls ? "s" : "", STR_ARG(host_of(request)), STR_ARG(name),
                             STR_ARG(base_name(version->name)), STR_ARG(version->version));
    json_begin_object(w);
    write_members(w, manifest, "dist", "_sha512");
    if (str_is(version->lifecycle, "deprecated") && !json_get(manifest, "deprecated"))
        json_kv_strz(w, "deprecated", "this version is deprecated");
    json_keyz(w, "dist");
    json_begin_object(w);
    write_members(w, json_get(manifest, "dist"), "tarball", "tarball");
    json_kv_str(w, "tarball", str_of(url));
    json_end_object(w);
    json_end_object(w);
    yyjson_doc_free(doc);
}

static void write_time(struct json_writer *w, const struct record *versions, uint32_t len)
{
    int64_t created_us = versions[0].created_us, modified_us = 0;
    json_keyz(w, "time");
    json_begin_object(w);
    for (uint32_t i = 0; i < len; i++) {
        char version[256];
        size_t size = versions[i].version.len < 255 ? versions[i].version.len : 255;
        memcpy(version, versions[i].version.data, size);
        version[size] = 0;
        json_time(w, version, versions[i].created_us);
        created_us = versions[i].created_us < created_us ? versions[i].created_us : created_us;
        modified_us = versions[i].updated_us > modified_us ? versions[i].updated_us : modified_us;
    }
    json_time(w, "created", created_us);
    json_time(w, "modified", modified_us);
    json_end_object(w);
}

/* What belongs to the package as a whole; before its asset is there, its last version stands for
 * it. */
static enum status write_whole(struct request *request, struct json_writer *w, struct str name,
                               const struct record *last)
{
    char rev[24];
    struct record package;
    struct npm_people people;
    enum status found = npm_package_asset(request, name, &package);
    if (found != STATUS_OK && found != STATUS_NOT_FOUND)
        return found;
    bool has = found == STATUS_OK;
    TRY(npm_people_of(request, has ? &package : last, &people));
    (void)snprintf(rev, sizeof rev, "%lld", has ? (long long)package.revision : 0);
    json_kv_strz(w, "_rev", rev);
    npm_write_maintainers(w, &people);
    if (has)
        npm_write_stars(w, &package);
    json_kv_str(w, "readme",
                has ? attribute_get(package.attributes, "readme", request->arena) : STR(""));
    return STATUS_OK;
}

static enum status write_package(struct request *request, struct json_writer *w, struct str name,
                                 const struct record *versions, uint32_t len)
{
    const struct record *last = &versions[len - 1];
    json_begin_object(w);
    json_kv_str(w, "_id", name);
    json_kv_str(w, "name", name);
    TRY(write_whole(request, w, name, last));
    json_kv_str(w, "description", last->description);
    TRY(npm_write_tags(request, w, name, versions, len));
    json_keyz(w, "versions");
    json_begin_object(w);
    for (uint32_t i = 0; i < len; i++) {
        json_key(w, versions[i].version);
        write_manifest(request, w, &versions[i]);
    }
    json_end_object(w);
    write_time(w, versions, len);
    json_list(w, "keywords", &last->tags);
    json_end_object(w);
    return STATUS_OK;
}

static enum status send_package(struct request *request, struct str name)
{
    struct record *versions;
    uint32_t len;
    struct buf buf;
    struct json_writer w;
    TRY(npm_check_name(name, &request->error));
    TRY(npm_versions(request, name, &versions, &len));
    writer_begin(&buf, &w);
    enum status status = write_package(request, &w, name, versions, len);
    if (status == STATUS_OK)
        return writer_respond(request, 200, &buf);
    buf_release(&buf);
    return status;
}

enum status npm_package(struct request *request)
{
    return npm_end(request, send_package(request, request_path_param(request, "package")));
}

static enum status send_manifest(struct request *request, struct str name, struct str spec)
{
    struct caller caller = caller_of(request);
    struct record version;
    struct buf buf;
    struct json_writer w;
    TRY(npm_check_name(name, &request->error));
    TRY(node_get(catalog_of(request), &caller, STR(NPM_NAMESPACE), name, spec, false,
                 request->arena, &version, &request->error));
    writer_begin(&buf, &w);
    write_manifest(request, &w, &version);
    return writer_respond(request, 200, &buf);
}

enum status npm_manifest(struct request *request)
{
    struct str name = request_path_param(request, "package");
    struct str spec = request_path_param(request, "version");
    /* "@scope/name" whose slash was not escaped looks like a package and a version. */
    if (name.len && name.data[0] == '@' && !memchr(name.data, '/', name.len)) {
        char *whole = arena_printf(request->arena, "%.*s/%.*s", STR_ARG(name), STR_ARG(spec));
        return npm_end(request, whole ? send_package(request, str_of(whole))
                                      : error_no_memory(&request->error));
    }
    return npm_end(request, send_manifest(request, name, spec));
}

/* --- tarballs --- */

enum status npm_version_of_file(struct request *request, struct record *ret)
{
    struct caller caller = caller_of(request);
    struct str name = request_path_param(request, "package"), base;
    struct str file = request_path_param(request, "file");
    TRY(npm_check_name(name, &request->error));
    base = base_name(name);
    if (!str_starts(file, base) || file.len < base.len + 6 || file.data[base.len] != '-' ||
        !str_ends(file, STR(".tgz")))
        return error_set(&request->error, STATUS_NOT_FOUND, "there is no such tarball");
    struct str text = str_make(file.data + base.len + 1, file.len - base.len - 5);
    return asset_find(catalog_of(request), &caller, STR("node"), STR(NPM_NAMESPACE), name, text,
                      request->arena, ret, &request->error);
}

static enum status send_tarball(struct request *request)
{
    struct record version;
    TRY(npm_version_of_file(request, &version));
    return npm_send_file(request, attribute_get(version.attributes, "_sha512", request->arena),
                         &request->error);
}

enum status npm_tarball(struct request *request)
{
    return npm_end(request, send_tarball(request));
}

/* --- the rest --- */

enum status npm_ping(struct request *request)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

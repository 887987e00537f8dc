/* schema.c: the indexes and their mappings, made when they are missing.
 *
 * The mapping is that of the seed's registry (uuid and version keyword, name text and keyword, tags
 * keyword, description text, metadata not indexed, created_at and updated_at date) with the other
 * fields of record.def beside it. `dynamic` is off: what is not named here is kept, not indexed. No
 * document can be refused by the mapping: keywords are never longer than a term may be, dates that
 * the server cannot read are left out. */
#include <stdio.h>

#include "catalog/elastic/elastic_int.h"

enum { OLDEST_MAJOR = 7, OLDEST_MINOR = 10, SCHEMA_BYTES_MAX = 1 << 20 };

/* --- mappings --- */

static void write_type(struct json_writer *w, const char *name, const char *type)
{
    json_keyz(w, name);
    json_begin_object(w);
    json_kv_strz(w, "type", type);
    json_end_object(w);
}

static void write_text(struct json_writer *w, const char *name, bool keyword)
{
    json_keyz(w, name);
    json_begin_object(w);
    json_kv_strz(w, "type", "text");
    if (keyword) {
        json_keyz(w, "fields");
        json_begin_object(w);
        write_type(w, "keyword", "keyword");
        json_end_object(w);
    }
    json_end_object(w);
}

static void write_date(struct json_writer *w, const char *name)
{
    json_keyz(w, name);
    json_begin_object(w);
    json_kv_strz(w, "type", "date");
    json_kv_bool(w, "ignore_malformed", true);
    json_end_object(w);
}

static void write_unindexed(struct json_writer *w, const char *name)
{
    json_keyz(w, name);
    json_begin_object(w);
    json_kv_strz(w, "type", "object");
    json_kv_bool(w, "enabled", false);
    json_end_object(w);
}

static void write_field(struct json_writer *w, enum record_field field)
{
    const struct record_field_info *info = &record_field_info[field];
    switch (info->type) {
    case RECORD_TEXT:
        if (field == RECORD_name || field == RECORD_title || field == RECORD_description)
            write_text(w, info->json, field != RECORD_description);
        else
            write_type(w, field == RECORD_id ? "uuid" : info->json, "keyword");
        break;
    case RECORD_LIST:
        write_type(w, info->json, "keyword");
        break;
    case RECORD_INT:
        write_type(w, info->json, "long");
        break;
    case RECORD_BOOL:
        write_type(w, info->json, "boolean");
        break;
    case RECORD_TIME:
        write_type(w, info->member, "long");
        write_date(w, info->json);
        break;
    case RECORD_JSON:
        break;
    }
}

static void begin_mappings(struct json_writer *w)
{
    json_keyz(w, "mappings");
    json_begin_object(w);
    json_kv_bool(w, "dynamic", false);
    json_keyz(w, "_meta");
    json_begin_object(w);
    json_kv_int(w, "quarry_format", ELASTIC_FORMAT);
    json_end_object(w);
    json_keyz(w, "properties");
    json_begin_object(w);
}

static void end_mappings(struct json_writer *w)
{
    json_end_object(w);
    json_end_object(w);
}

/* A write that is answered is on disk; versions of documents that are gone are remembered for as
 * long as the request of a commit could be on its way; searches wait for nobody's clock. */
static void write_settings(struct json_writer *w)
{
    json_keyz(w, "settings");
    json_begin_object(w);
    json_kv_strz(w, "index.translog.durability", "request");
    json_kv_strz(w, "index.gc_deletes", "1h");
    json_end_object(w);
}

void elastic_schema_write(struct json_writer *w, enum domain domain)
{
    write_settings(w);
    begin_mappings(w);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (record_has_field(domain, field) && record_field_info[i].access != ACCESS_SECRET)
            write_field(w, field);
    }
    if (domain == DOMAIN_ASSET)
        write_type(w, "words", "keyword");
    write_type(w, "members", "keyword");
    write_unindexed(w, "metadata");
    end_mappings(w);
}

/* --- making --- */

static enum status put_index(struct elastic_backend *backend, const char *path,
                             const struct buf *body, struct error *err)
{
    struct elastic_reply reply;
    TRY(buf_check(body, "a mapping", err));
    const struct elastic_request request = {.method = "PUT", .path = path, .body = buf_str(body)};
    TRY(elastic_send(backend, &request, &reply, err));
    yyjson_val *type = elastic_member(yyjson_doc_get_root(reply.doc), "error.type");
    /* somebody was faster */
    bool there = reply.status == 400 && yyjson_is_str(type) &&
                 str_is(json_str_of(type), "resource_already_exists_exception");
    enum status status =
        reply.status / 100 == 2 || there ? STATUS_OK : elastic_refused(&reply, err);
    elastic_reply_release(&reply);
    return status;
}

static void write_alias(struct json_writer *w, const char *alias)
{
    json_keyz(w, "aliases");
    json_begin_object(w);
    json_keyz(w, alias);
    json_begin_object(w);
    json_end_object(w);
    json_end_object(w);
}

static enum status make_domain(struct elastic_backend *backend, enum domain domain,
                               struct error *err)
{
    struct buf buf;
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    char *path = elastic_path(backend, &arena, domain_name(domain), "-000001");
    char *alias = elastic_path(backend, &arena, domain_name(domain), "");
    buf_init(&buf, SCHEMA_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    elastic_schema_write(&w, domain);
    if (alias)
        write_alias(&w, alias + 1);
    json_end_object(&w);
    enum status status = path && alias ? put_index(backend, path, &buf, err) : error_no_memory(err);
    buf_release(&buf);
    arena_release(&arena);
    return status;
}

static void write_control(struct json_writer *w, bool keys)
{
    json_begin_object(w);
    write_settings(w);
    begin_mappings(w);
    if (keys) {
        write_type(w, "record", "keyword");
        write_type(w, "domain", "keyword");
    } else {
        write_type(w, "commit", "long");
        write_unindexed(w, "redo");
    }
    end_mappings(w);
    json_end_object(w);
}

static enum status make_control(struct elastic_backend *backend, bool keys, struct error *err)
{
    struct buf buf;
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    char *path = elastic_path(backend, &arena, keys ? "keys" : "control", "");
    buf_init(&buf, SCHEMA_BYTES_MAX);
    json_writer_init(&w, &buf);
    write_control(&w, keys);
    enum status status = path ? put_index(backend, path, &buf, err) : error_no_memory(err);
    buf_release(&buf);
    arena_release(&arena);
    return status;
}

/* The first head; one that is there stays. */
static enum status make_head(struct elastic_backend *backend, struct error *err)
{
    struct arena arena;
    struct elastic_reply reply;
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {
        .method = "PUT",
        .path = elastic_path(backend, &arena, "control", "/_create/head"),
        .body = STR("{\"format\":1,\"commit\":0,\"tokens\":[],\"held_until_us\":0,"
                    "\"redo\":{\"records\":[],\"keys\":[]}}")};
    enum status status =
        request.path ? elastic_send(backend, &request, &reply, err) : error_no_memory(err);
    arena_release(&arena);
    TRY(status);
    if (reply.status / 100 != 2 && reply.status != 409)
        status = elastic_refused(&reply, err);
    elastic_reply_release(&reply);
    return status;
}

/* --- what is there --- */

static enum status check_version(struct elastic_backend *backend, yyjson_val *root,
                                 struct error *err)
{
    yyjson_val *number = elastic_member(root, "version.number");
    yyjson_val *kind = elastic_member(root, "version.distribution");
    struct str rest, part;
    int64_t major = 0, minor = 0;
    backend->is_opensearch = yyjson_is_str(kind) && str_is(json_str_of(kind), "opensearch");
    rest = yyjson_is_str(number) ? json_str_of(number) : STR_NONE;
    if (!rest.len || !str_split(&rest, '.', &part) || !str_to_int64(part, &major) ||
        !str_split(&rest, '.', &part) || !str_to_int64(part, &minor))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s is no Elasticsearch or OpenSearch server", backend->url.origin);
    if (!backend->is_opensearch &&
        (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR)))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "Elasticsearch %.*s is too old for the catalog: %d.%d or later is needed",
                         STR_ARG(json_str_of(number)), OLDEST_MAJOR, OLDEST_MINOR);
    return STATUS_OK;
}

static enum status look_at_server(struct elastic_backend *backend, struct error *err)
{
    struct elastic_reply reply;
    const struct elastic_request request = {.method = "GET", .path = "/"};
    TRY(elastic_call(backend, &request, &reply, err));
    enum status status = check_version(backend, yyjson_doc_get_root(reply.doc), err);
    elastic_reply_release(&reply);
    return status;
}

/* A head of another format is another program's. */
static enum status check_format(struct elastic_backend *backend, bool *ret_there, struct error *err)
{
    struct arena arena;
    struct elastic_reply reply;
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {
        .method = "GET", .path = elastic_path(backend, &arena, "control", "/_doc/head")};
    enum status status =
        request.path ? elastic_send(backend, &request, &reply, err) : error_no_memory(err);
    arena_release(&arena);
    TRY(status);
    yyjson_val *format = elastic_member(yyjson_doc_get_root(reply.doc), "_source.format");
    *ret_there = reply.status == 200;
    if (reply.status != 200 && reply.status != 404)
        status = elastic_refused(&reply, err);
    else if (*ret_there && yyjson_get_sint(format) != ELASTIC_FORMAT)
        status = error_set(err, STATUS_CONFLICT,
                           "the catalog at %s has format %lld; this Quarry knows %d: use a newer "
                           "one",
                           backend->url.origin, (long long)yyjson_get_sint(format), ELASTIC_FORMAT);
    elastic_reply_release(&reply);
    return status;
}

/* Head last: where it is, all is. */
enum status elastic_schema_make(struct elastic_backend *backend, struct error *err)
{
    bool there = false;
    TRY(look_at_server(backend, err));
    TRY(check_format(backend, &there, err));
    if (there)
        return STATUS_OK;
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        TRY(make_domain(backend, (enum domain)domain, err));
    TRY(make_control(backend, true, err));
    TRY(make_control(backend, false, err));
    return make_head(backend, err);
}

/* reindex.c: each domain's index copied into a new one with today's mapping.
 *
 * 1. head is held: commits of all processes are refused until held_until_us. It is moved on while
 *    the copying goes on; if we die it passes by itself.
 * 2. P-<domain>-<n+1> is made; every record of a point in time is written to it as a document of
 *    today's form, with its version.
 * 3. The two are counted; then one request gives the alias to the new index and drops the old one.
 * 4. head is let go. */
#include <stdio.h>
#include <stdlib.h>

#include "catalog/elastic/elastic_int.h"

enum {
    PAGE = 500,
    ALIAS_BYTES = 128,
    NAME_BYTES = 192,
    NUMBER_MAX = 999998,
    RENEW_US = ELASTIC_HOLD_US / 4,
    PIECE = 1 << 16
};

struct copy {
    struct elastic_backend *backend;
    enum domain domain;
    char alias[ALIAS_BYTES], from[NAME_BYTES], to[NAME_BYTES];
    uint64_t documents;
    int64_t held_us; /* monotonic: when head was last written */
    elastic_progress_fn progress;
    void *context;
};

/* --- requests by name --- */

static enum status ask(struct elastic_backend *backend, const char *method, const char *index,
                       const char *rest, struct str body, struct elastic_reply *ret,
                       struct error *err)
{
    char path[2 * NAME_BYTES];
    snprintf(path, sizeof path, "/%s%s", index, rest);
    const struct elastic_request request = {.method = method, .path = path, .body = body};
    return elastic_call(backend, &request, ret, err);
}

static enum status count(struct elastic_backend *backend, const char *index, int64_t *ret,
                         struct error *err)
{
    struct elastic_reply reply;
    TRY(ask(backend, "POST", index, "/_refresh", STR_NONE, &reply, err));
    elastic_reply_release(&reply);
    TRY(ask(backend, "GET", index, "/_count", STR_NONE, &reply, err));
    *ret = yyjson_get_sint(json_get(yyjson_doc_get_root(reply.doc), "count"));
    elastic_reply_release(&reply);
    return STATUS_OK;
}

/* --- holding head --- */

static enum status read_head(struct elastic_backend *backend, struct elastic_head *ret,
                             struct error *err)
{
    struct elastic_reply reply;
    struct json_writer w;
    struct buf body;
    yyjson_val *docs = NULL;
    buf_init(&body, PIECE);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "docs");
    json_begin_array(&w);
    head_want(backend, &w);
    json_end_array(&w);
    json_end_object(&w);
    enum status status = buf_check(&body, "a request", err);
    if (status == STATUS_OK)
        status = elastic_read_together(backend, buf_str(&body), true, &reply, &docs, ret, err);
    buf_release(&body);
    if (status == STATUS_OK)
        elastic_reply_release(&reply);
    return status;
}

/* 0 lets go. The head that is replaced is written out, so nothing is lost with its redo. */
static enum status hold(struct elastic_backend *backend, int64_t us, struct error *err)
{
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT) {
        struct elastic_head head;
        TRY(read_head(backend, &head, err));
        const struct redo redo = {.commit = head.commit};
        status = head_replace(backend, &head, &redo, us ? sys_now_us(backend->sys) + us : 0, err);
    }
    return status;
}

static enum status renew(struct copy *copy, struct error *err)
{
    int64_t now = sys_mono_us(copy->backend->sys);
    if (copy->held_us && now - copy->held_us < RENEW_US)
        return STATUS_OK;
    TRY(hold(copy->backend, ELASTIC_HOLD_US, err));
    copy->held_us = now;
    return STATUS_OK;
}

/* --- the new index --- */

/* Behind which index the alias stands, and the name of the next. */
static enum status name_indexes(struct copy *copy, struct error *err)
{
    struct elastic_reply reply;
    char rest[NAME_BYTES];
    int64_t number = 0;
    snprintf(copy->alias, sizeof copy->alias, "%s-%s", copy->backend->url.prefix,
             domain_name(copy->domain));
    snprintf(rest, sizeof rest, "/%s", copy->alias);
    TRY(ask(copy->backend, "GET", "_alias", rest, STR_NONE, &reply, err));
    yyjson_obj_iter iter;
    yyjson_obj_iter_init(yyjson_doc_get_root(reply.doc), &iter);
    struct str name = json_str_of(yyjson_obj_iter_next(&iter));
    size_t alias_len = strlen(copy->alias);
    bool good =
        name.len > alias_len + 1 && name.len < sizeof copy->from &&
        str_to_int64(str_make(name.data + alias_len + 1, name.len - alias_len - 1), &number) &&
        number >= 0 && number <= NUMBER_MAX;
    if (good) {
        memcpy(copy->from, name.data, name.len);
        copy->from[name.len] = '\0';
        snprintf(copy->to, sizeof copy->to, "%s-%06u", copy->alias, (unsigned)number + 1);
    }
    elastic_reply_release(&reply);
    return good ? STATUS_OK
                : error_set(err, STATUS_CORRUPT,
                            "the alias '%s' does not stand before one of its own indexes",
                            copy->alias);
}

/* What an earlier try left is in the way. */
static enum status make_index(struct copy *copy, struct error *err)
{
    struct elastic_reply reply;
    struct json_writer w;
    struct buf body;
    buf_init(&body, 1 << 20);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    elastic_schema_write(&w, copy->domain);
    json_end_object(&w);
    enum status status = buf_check(&body, "a mapping", err);
    if (status == STATUS_OK)
        status = ask(copy->backend, "DELETE", copy->to, "?ignore_unavailable=true", STR_NONE,
                     &reply, err);
    if (status == STATUS_OK) {
        elastic_reply_release(&reply);
        status = ask(copy->backend, "PUT", copy->to, "", buf_str(&body), &reply, err);
    }
    if (status == STATUS_OK)
        elastic_reply_release(&reply);
    buf_release(&body);
    return status;
}

/* --- documents --- */

static enum status write_hit(struct copy *copy, yyjson_val *hit, struct buf *lines,
                             struct error *err)
{
    struct arena arena;
    struct record record;
    struct json_writer w;
    arena_init(&arena, 0);
    enum status status =
        elastic_document_read(json_get(hit, "_source"), copy->domain, &arena, &record, err);
    if (status == STATUS_OK) {
        json_writer_init(&w, lines);
        json_begin_object(&w);
        json_keyz(&w, "index");
        json_begin_object(&w);
        json_kv_strz(&w, "_index", copy->to);
        json_kv_str(&w, "_id", record.id);
        json_kv_int(&w, "version", yyjson_get_sint(json_get(hit, "_version")));
        json_kv_strz(&w, "version_type", "external");
        json_end_object(&w);
        json_end_object(&w);
        buf_append_char(lines, '\n');
        json_writer_init(&w, lines);
        elastic_document_write(&w, &record);
        buf_append_char(lines, '\n');
        status = buf_check(lines, "documents", err);
    }
    arena_release(&arena);
    return status;
}

/* Everything again if one was refused: versions make that harmless; a 409 is one that is there. */
static enum status send_lines(struct copy *copy, struct str lines, struct error *err)
{
    const struct elastic_request request = {
        .method = "POST", .path = "/_bulk", .body = lines, .lines = true};
    for (uint32_t tries = 0; tries < copy->backend->tries; tries++) {
        struct elastic_reply reply;
        size_t at, max, refused = 0;
        yyjson_val *item;
        TRY(elastic_call(copy->backend, &request, &reply, err));
        yyjson_val *items = json_get(yyjson_doc_get_root(reply.doc), "items");
        yyjson_arr_foreach(items, at, max, item)
        {
            int status = yyjson_get_int(elastic_member(item, "index.status"));
            refused += status / 100 != 2 && status != 409;
        }
        elastic_reply_release(&reply);
        if (!refused)
            return STATUS_OK;
        sys_sleep_us(copy->backend->sys, ((int64_t)copy->backend->wait_ms * 1000) << tries);
    }
    return error_set(err, STATUS_UNAVAILABLE,
                     "the catalog's search server does not take documents for '%s'", copy->to);
}

static enum status copy_hits(struct copy *copy, yyjson_val *hits, struct error *err)
{
    struct buf lines;
    size_t at, max;
    yyjson_val *hit;
    enum status status = STATUS_OK;
    buf_init(&lines, ELASTIC_REQUEST_MAX);
    yyjson_arr_foreach(hits, at, max, hit)
    {
        if (status == STATUS_OK)
            status = write_hit(copy, hit, &lines, err);
        if (status == STATUS_OK && (lines.len >= ELASTIC_BULK_BYTES || at + 1 == max)) {
            status = send_lines(copy, buf_str(&lines), err);
            buf_clear(&lines);
        }
    }
    buf_release(&lines);
    copy->documents += max;
    return status;
}

static enum status write_page_query(const char *after, struct buf *buf, struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_int(&w, "size", PAGE);
    json_kv_bool(&w, "version", true);
    json_kv_bool(&w, "track_total_hits", false);
    json_keyz(&w, "sort");
    json_raw(&w, STR("[{\"uuid\":\"asc\"}]"));
    if (after[0]) {
        json_keyz(&w, "search_after");
        json_begin_array(&w);
        json_stringz(&w, after);
        json_end_array(&w);
    }
    json_end_object(&w);
    return buf_check(buf, "a query", err);
}

/* `after` becomes the last id; empty at the end. Nobody writes, so pages need no point in time. */
static enum status copy_page(struct copy *copy, char after[64], struct error *err)
{
    struct elastic_reply reply;
    struct buf body;
    buf_init(&body, PIECE);
    enum status status = write_page_query(after, &body, err);
    if (status == STATUS_OK)
        status = ask(copy->backend, "POST", copy->from,
                     "/_search?allow_partial_search_results=false", buf_str(&body), &reply, err);
    buf_release(&body);
    TRY(status);
    yyjson_val *hits = elastic_member(yyjson_doc_get_root(reply.doc), "hits.hits");
    struct str last = json_str_of(elastic_member(yyjson_arr_get_last(hits), "_source.uuid"));
    status = yyjson_is_arr(hits) ? copy_hits(copy, hits, err) : elastic_strange("_search", err);
    after[0] = '\0';
    if (last.len > 0 && last.len < 64) {
        memcpy(after, last.data, last.len);
        after[last.len] = '\0';
    }
    elastic_reply_release(&reply);
    return status;
}

static enum status swap(struct copy *copy, struct error *err)
{
    struct elastic_reply reply;
    struct json_writer w;
    struct buf body;
    buf_init(&body, PIECE);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "actions");
    json_begin_array(&w);
    for (int i = 0; i < 2; i++) {
        json_begin_object(&w);
        json_keyz(&w, i ? "remove_index" : "add");
        json_begin_object(&w);
        json_kv_strz(&w, "index", i ? copy->from : copy->to);
        if (!i)
            json_kv_strz(&w, "alias", copy->alias);
        json_end_object(&w);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    enum status status = buf_check(&body, "a request", err);
    if (status == STATUS_OK)
        status = ask(copy->backend, "POST", "_aliases", "", buf_str(&body), &reply, err);
    if (status == STATUS_OK)
        elastic_reply_release(&reply);
    buf_release(&body);
    return status;
}

static enum status copy_domain(struct copy *copy, struct error *err)
{
    char after[64] = "";
    int64_t old = 0, new = 0;
    TRY(renew(copy, err));
    TRY(name_indexes(copy, err));
    TRY(make_index(copy, err));
    TRY(count(copy->backend, copy->from, &old, err));
    do {
        TRY(renew(copy, err));
        TRY(copy_page(copy, after, err));
        if (copy->progress)
            copy->progress(copy->context, copy->domain, copy->documents);
    } while (after[0]);
    TRY(renew(copy, err));
    TRY(count(copy->backend, copy->to, &new, err));
    if (old != new || (uint64_t) new != copy->documents)
        return error_set(err, STATUS_CORRUPT,
                         "'%s' has %lld documents after copying, '%s' has %lld; again", copy->to,
                         (long long)new, copy->from, (long long)old);
    return swap(copy, err);
}

enum status elastic_reindex(struct backend *base, elastic_progress_fn progress, void *context,
                            struct error *err)
{
    struct copy *copy = calloc(1, sizeof *copy);
    if (!copy)
        return error_no_memory(err);
    *copy = (struct copy){
        .backend = (struct elastic_backend *)base, .progress = progress, .context = context};
    enum status status = STATUS_OK;
    for (int domain = 0; domain < DOMAIN_COUNT && status == STATUS_OK; domain++) {
        copy->domain = (enum domain)domain;
        copy->documents = 0;
        status = copy_domain(copy, err);
    }
    enum status let_go = hold(copy->backend, 0, status == STATUS_OK ? err : NULL);
    free(copy);
    return status == STATUS_OK ? let_go : status;
}

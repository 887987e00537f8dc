/* read.c: records by id and key: real-time reads, together with head in one request. */
#include "catalog/elastic/elastic_int.h"

enum { TRIES = 4 };

static enum status missing(struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "the record does not exist");
}

static enum status read_once(struct elastic_backend *backend, struct str body,
                             struct elastic_reply *ret, yyjson_val **ret_docs,
                             struct elastic_head *ret_head, struct error *err)
{
    const struct elastic_request request = {.method = "POST", .path = "/_mget", .body = body};
    TRY(elastic_call(backend, &request, ret, err));
    *ret_docs = json_get(yyjson_doc_get_root(ret->doc), "docs");
    enum status status = head_read(yyjson_arr_get_first(*ret_docs), ret_head, err);
    if (status != STATUS_OK)
        elastic_reply_release(ret);
    return status;
}

/* What is read together with an unfinished commit may lack a part of it. Read again after that is
 * written out, it holds all that was decided before this call; a later commit that shows in part is
 * seen, and finished, by whoever reads next. */
enum status elastic_read_together(struct elastic_backend *backend, struct str body, bool settled,
                                  struct elastic_reply *ret, yyjson_val **ret_docs,
                                  struct elastic_head *ret_head, struct error *err)
{
    for (bool again = false;; again = true) {
        int64_t applied = atomic_load(&backend->applied);
        TRY(read_once(backend, body, ret, ret_docs, ret_head, err));
        if (ret_head->commit <= applied || (again && !settled))
            return STATUS_OK;
        elastic_reply_release(ret);
        TRY(head_settle(backend, ret_head->commit, err));
    }
}

/* --- one document --- */

static enum status want_one(struct elastic_backend *backend, const char *index, struct str id,
                            struct buf *buf, struct error *err)
{
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    char *path = elastic_path(backend, &arena, index, "");
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_keyz(&w, "docs");
    json_begin_array(&w);
    head_want(backend, &w);
    json_begin_object(&w);
    json_kv_strz(&w, "_index", path ? path + 1 : "");
    json_kv_str(&w, "_id", id);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    enum status status = path ? buf_check(buf, "a request", err) : error_no_memory(err);
    arena_release(&arena);
    return status;
}

/* *ret_source NULL: there is no such document. */
static enum status get_one(struct elastic_backend *backend, const char *index, struct str id,
                           struct elastic_reply *ret, yyjson_val **ret_source, struct error *err)
{
    struct buf buf;
    struct elastic_head head;
    yyjson_val *docs = NULL;
    buf_init(&buf, 1 << 16);
    enum status status = want_one(backend, index, id, &buf, err);
    if (status == STATUS_OK)
        status = elastic_read_together(backend, buf_str(&buf), false, ret, &docs, &head, err);
    buf_release(&buf);
    TRY(status);
    yyjson_val *document = yyjson_arr_get(docs, 1);
    *ret_source = json_get(document, "_source");
    if (document && !json_get(document, "error"))
        return STATUS_OK;
    elastic_reply_release(ret);
    return elastic_strange("_mget", err);
}

enum status elastic_get(struct backend *base, enum domain domain, struct str tenant, struct str id,
                        struct arena *arena, struct record *ret, struct error *err)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    struct elastic_reply reply;
    yyjson_val *source = NULL;
    if (!id.len)
        return missing(err);
    TRY(get_one(backend, domain_name(domain), id, &reply, &source, err));
    enum status status =
        source ? elastic_document_read(source, domain, arena, ret, err) : missing(err);
    elastic_reply_release(&reply);
    TRY(status);
    return str_eq(ret->tenant, tenant) ? STATUS_OK : missing(err);
}

/* The id of the record that has the key; empty: none. */
static enum status find_holder(struct elastic_backend *backend, enum domain domain,
                               struct str tenant, struct str key, struct arena *arena,
                               struct str *ret, struct error *err)
{
    struct elastic_reply reply;
    yyjson_val *source = NULL;
    char id[ELASTIC_ID_MAX];
    elastic_key_id(domain, tenant, key, id);
    if (!id[0])
        return error_no_memory(err);
    TRY(get_one(backend, "keys", str_of(id), &reply, &source, err));
    yyjson_val *record = json_get(source, "record");
    *ret = yyjson_is_str(record) ? arena_str(arena, json_str_of(record)) : STR_NONE;
    bool failed = yyjson_is_str(record) && !ret->data;
    elastic_reply_release(&reply);
    return failed ? error_no_memory(err) : STATUS_OK;
}

/* Between the two looks the key may have gone to another record. */
enum status elastic_find(struct backend *base, enum domain domain, struct str tenant,
                         struct str key, struct arena *arena, struct record *ret, struct error *err)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    for (int i = 0; i < TRIES; i++) {
        struct str id = STR_NONE;
        TRY(find_holder(backend, domain, tenant, key, arena, &id, err));
        if (!id.len)
            return missing(err);
        enum status status = elastic_get(base, domain, tenant, id, arena, ret, err);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
        if (status == STATUS_OK && str_eq(ret->key, key) && !ret->deleted_us)
            return STATUS_OK;
    }
    return missing(err);
}

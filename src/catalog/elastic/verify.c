/* verify.c: each document says what its record says, each live key leads to its record, and there
 * are no other keys. */
#include <stdlib.h>

#include "catalog/elastic/elastic_int.h"

enum { PAGE = 200 };

struct check {
    struct elastic_backend *backend;
    backend_fault_fn fault;
    void *context;
    int64_t keys;
    struct arena arena; /* of a page */
};

static enum status tell(struct check *check, const struct record *record, const char *what,
                        struct error *err)
{
    char *text = arena_printf(&check->arena, "%s %.*s: %s", domain_name(record->domain),
                              STR_ARG(record->id), what);
    if (!text)
        return error_no_memory(err);
    check->fault(check->context, text);
    return STATUS_OK;
}

/* --- documents --- */

static enum status write_wanted(struct check *check, const struct record_page *page,
                                struct buf *buf, struct error *err)
{
    struct json_writer w;
    char id[ELASTIC_ID_MAX];
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_keyz(&w, "docs");
    json_begin_array(&w);
    head_want(check->backend, &w);
    for (uint32_t i = 0; i < page->len; i++) {
        const struct record *record = &page->records[i];
        char *index = elastic_path(check->backend, &check->arena, domain_name(record->domain), "");
        char *keys = elastic_path(check->backend, &check->arena, "keys", "");
        elastic_key_id(record->domain, record->tenant, record->key, id);
        if (!index || !keys || !id[0])
            return error_no_memory(err);
        json_begin_object(&w);
        json_kv_strz(&w, "_index", index + 1);
        json_kv_str(&w, "_id", record->id);
        json_end_object(&w);
        json_begin_object(&w);
        json_kv_strz(&w, "_index", keys + 1);
        json_kv_strz(&w, "_id", id);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return buf_check(buf, "a request", err);
}

/* Whether the document is what we would write for the record in it. */
static enum status is_faithful(yyjson_val *source, enum domain domain, struct arena *arena,
                               bool *ret, struct error *err)
{
    struct record record;
    struct json_writer w;
    struct buf buf;
    TRY(elastic_document_read(source, domain, arena, &record, err));
    buf_init(&buf, ELASTIC_REQUEST_MAX);
    json_writer_init(&w, &buf);
    elastic_document_write(&w, &record);
    enum status status = buf_check(&buf, "a document", err);
    yyjson_doc *doc = status == STATUS_OK ? yyjson_read(buf.data, buf.len, 0) : NULL;
    *ret = doc && yyjson_equals(yyjson_doc_get_root(doc), source);
    yyjson_doc_free(doc);
    buf_release(&buf);
    return status;
}

/* One that changed since the page was read is another commit's affair. */
static enum status check_record(struct check *check, const struct record *record,
                                yyjson_val *document, yyjson_val *key, struct error *err)
{
    yyjson_val *source = json_get(document, "_source");
    yyjson_val *holder = elastic_member(key, "_source.record");
    bool faithful = false, live = record->key.len && !record->deleted_us;
    if (!source)
        return tell(check, record, "a search finds it, but it does not exist", err);
    TRY(is_faithful(source, record->domain, &check->arena, &faithful, err));
    if (!faithful)
        TRY(tell(check, record, "what is searched is not what the record says", err));
    if (live && !(yyjson_is_str(holder) && str_eq(json_str_of(holder), record->id)))
        return tell(check, record, "its key does not lead to it", err);
    check->keys += live;
    return STATUS_OK;
}

static enum status check_page(struct check *check, const struct record_page *page,
                              struct error *err)
{
    struct elastic_reply reply;
    struct elastic_head head;
    yyjson_val *docs = NULL;
    struct buf body;
    buf_init(&body, 1 << 20);
    enum status status = write_wanted(check, page, &body, err);
    if (status == STATUS_OK)
        status =
            elastic_read_together(check->backend, buf_str(&body), false, &reply, &docs, &head, err);
    buf_release(&body);
    TRY(status);
    for (uint32_t i = 0; i < page->len && status == STATUS_OK; i++)
        status = check_record(check, &page->records[i], yyjson_arr_get(docs, 2 * (size_t)i + 1),
                              yyjson_arr_get(docs, 2 * (size_t)i + 2), err);
    elastic_reply_release(&reply);
    return status;
}

static enum status check_domain(struct check *check, enum domain domain, struct error *err)
{
    char after[64] = "";
    enum status status = STATUS_OK;
    for (bool more = true; more && status == STATUS_OK;) {
        struct record_page page = {0};
        arena_init(&check->arena, 0);
        status = elastic_scan(&check->backend->base, domain, str_of(after), PAGE, &check->arena,
                              &page, err);
        if (status == STATUS_OK && page.len)
            status = check_page(check, &page, err);
        more = page.len == PAGE;
        if (more) {
            struct str id = page.records[page.len - 1].id;
            memcpy(after, id.data, id.len);
            after[id.len] = '\0';
        }
        arena_release(&check->arena);
    }
    return status;
}

/* --- keys --- */

static enum status count_keys(struct elastic_backend *backend, int64_t *ret, struct error *err)
{
    struct elastic_reply reply;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct elastic_request refresh = {
        .method = "POST", .path = elastic_path(backend, &arena, "keys", "/_refresh")};
    const struct elastic_request count = {.method = "GET",
                                          .path = elastic_path(backend, &arena, "keys", "/_count")};
    enum status status = refresh.path && count.path ? elastic_call(backend, &refresh, &reply, err)
                                                    : error_no_memory(err);
    if (status == STATUS_OK) {
        elastic_reply_release(&reply);
        status = elastic_call(backend, &count, &reply, err);
    }
    if (status == STATUS_OK) {
        *ret = yyjson_get_sint(json_get(yyjson_doc_get_root(reply.doc), "count"));
        elastic_reply_release(&reply);
    }
    arena_release(&arena);
    return status;
}

enum status elastic_verify(struct backend *base, backend_fault_fn fault, void *context,
                           struct error *err)
{
    struct check check = {
        .backend = (struct elastic_backend *)base, .fault = fault, .context = context};
    int64_t keys = 0;
    for (int i = 0; i < DOMAIN_COUNT; i++)
        TRY(check_domain(&check, (enum domain)i, err));
    TRY(count_keys(check.backend, &keys, err));
    if (keys > check.keys)
        fault(context, "there are keys that no live record has");
    return STATUS_OK;
}

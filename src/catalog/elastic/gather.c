/* gather.c: all records that a query's filters find, for the reference evaluator: pages of a point
 * in time, in the order of ids. */
#include "catalog/elastic/elastic_int.h"

enum { QUERY_BYTES_MAX = 64 << 20, PIT_MAX = 1 << 16 };

#define KEEP_ALIVE "1m"

/* Elasticsearch and OpenSearch differ in nothing else. */
static enum status pit_open(struct elastic_backend *backend, enum domain domain,
                            struct arena *arena, struct str *ret, struct error *err)
{
    struct elastic_reply reply;
    const struct elastic_request request = {
        .method = "POST",
        .path =
            elastic_path(backend, arena, domain_name(domain),
                         backend->is_opensearch ? "/_search/point_in_time?keep_alive=" KEEP_ALIVE
                                                : "/_pit?keep_alive=" KEEP_ALIVE)};
    if (!request.path)
        return error_no_memory(err);
    TRY(elastic_call(backend, &request, &reply, err));
    yyjson_val *id =
        json_get(yyjson_doc_get_root(reply.doc), backend->is_opensearch ? "pit_id" : "id");
    enum status status = yyjson_is_str(id) ? STATUS_OK : elastic_strange("_pit", err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, json_str_of(id));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    elastic_reply_release(&reply);
    return status;
}

/* The server forgets it by itself, too. */
static void pit_close(struct elastic_backend *backend, struct str id)
{
    struct elastic_reply reply;
    struct json_writer w;
    struct buf body;
    buf_init(&body, PIT_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    if (backend->is_opensearch) {
        json_keyz(&w, "pit_id");
        json_begin_array(&w);
        json_string(&w, id);
        json_end_array(&w);
    } else {
        json_kv_str(&w, "id", id);
    }
    json_end_object(&w);
    const struct elastic_request request = {
        .method = "DELETE",
        .path = backend->is_opensearch ? "/_search/point_in_time" : "/_pit",
        .body = buf_str(&body),
        .once = true};
    if (!buf_failed(&body) && elastic_send(backend, &request, &reply, NULL) == STATUS_OK)
        elastic_reply_release(&reply);
    buf_release(&body);
}

static enum status write_page(const struct record_query *query, struct str pit, struct str after,
                              struct buf *buf, struct error *err)
{
    struct json_writer w;
    buf_clear(buf);
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_int(&w, "size", ELASTIC_BATCH);
    json_kv_bool(&w, "track_total_hits", false);
    json_keyz(&w, "pit");
    json_begin_object(&w);
    json_kv_str(&w, "id", pit);
    json_kv_strz(&w, "keep_alive", KEEP_ALIVE);
    json_end_object(&w);
    json_keyz(&w, "query");
    (void)elastic_filter_write(&w, query);
    json_keyz(&w, "sort");
    json_raw(&w, STR("[{\"uuid\":\"asc\"}]"));
    if (after.len) {
        json_keyz(&w, "search_after");
        json_begin_array(&w);
        json_string(&w, after);
        json_end_array(&w);
    }
    json_end_object(&w);
    return buf_check(buf, "a query", err);
}

static enum status take_hit(const struct record_query *query, yyjson_val *hit,
                            struct record_set *set, struct error *err)
{
    struct arena arena;
    struct record record;
    arena_init(&arena, 0);
    enum status status =
        elastic_document_read(json_get(hit, "_source"), query->domain, &arena, &record, err);
    if (status == STATUS_OK && query_matches(query, &record)) {
        struct record *copy = record_clone(&record);
        status = copy ? record_set_put(set, copy, err) : error_no_memory(err);
    }
    arena_release(&arena);
    return status;
}

/* *ret_last: the last id seen; empty at the end. */
static enum status take_page(struct elastic_backend *backend, const struct record_query *query,
                             struct str body, struct record_set *set, struct arena *arena,
                             struct str *ret_last, struct error *err)
{
    struct elastic_reply reply;
    enum status status = STATUS_OK;
    const struct elastic_request request = {
        .method = "POST", .path = "/_search?allow_partial_search_results=false", .body = body};
    TRY(elastic_call(backend, &request, &reply, err));
    yyjson_val *hits = elastic_member(yyjson_doc_get_root(reply.doc), "hits.hits"), *hit;
    size_t at, max;
    if (!yyjson_is_arr(hits))
        status = elastic_strange("_search", err);
    yyjson_arr_foreach(hits, at, max, hit)
    {
        if (status == STATUS_OK)
            status = take_hit(query, hit, set, err);
    }
    yyjson_val *last = elastic_member(yyjson_arr_get_last(hits), "_source.uuid");
    *ret_last = STR_NONE;
    if (status == STATUS_OK && yyjson_arr_size(hits) == ELASTIC_BATCH && yyjson_is_str(last)) {
        *ret_last = arena_str(arena, json_str_of(last));
        status = ret_last->data ? STATUS_OK : error_no_memory(err);
    }
    elastic_reply_release(&reply);
    return status;
}

static enum status take_pages(struct elastic_backend *backend, const struct record_query *query,
                              struct str pit, struct record_set *set, struct arena *arena,
                              struct error *err)
{
    struct str last = STR_NONE;
    struct buf body;
    enum status status = STATUS_OK;
    buf_init(&body, QUERY_BYTES_MAX);
    for (uint32_t seen = 0; status == STATUS_OK; seen += ELASTIC_BATCH) {
        if (seen >= ELASTIC_CANDIDATES_MAX) {
            status = error_set(err, STATUS_RESOURCE_LIMIT,
                               "the query would look at more than %d records; filter by kind, "
                               "owner, name or a tag",
                               ELASTIC_CANDIDATES_MAX);
            break;
        }
        status = write_page(query, pit, last, &body, err);
        if (status == STATUS_OK)
            status = take_page(backend, query, buf_str(&body), set, arena, &last, err);
        if (!last.len)
            break;
    }
    buf_release(&body);
    return status;
}

enum status elastic_gather(struct elastic_backend *backend, const struct record_query *query,
                           struct record_set *set, struct error *err)
{
    struct arena arena;
    struct str pit = STR_NONE;
    arena_init(&arena, 0);
    enum status status = pit_open(backend, query->domain, &arena, &pit, err);
    if (status == STATUS_OK) {
        status = take_pages(backend, query, pit, set, &arena, err);
        pit_close(backend, pit);
    }
    arena_release(&arena);
    return status;
}

/* query.c: queries, groups and scans as searches.
 *
 * Pages go on by search_after with the cursor's values, so that a page needs nothing of the one
 * before. What the filters cannot say exactly, and orders by a field that is not indexed whole, are
 * answered by the reference evaluator over all that the filters find (gather.c). */
#include "catalog/elastic/elastic_int.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: sums of doubles are exact below */

enum { QUERY_BYTES_MAX = 64 << 20 };

/* --- the request --- */

static void write_order(struct json_writer *w, const char *field, bool descending)
{
    json_begin_object(w);
    json_kv_strz(w, field, descending ? "desc" : "asc");
    json_end_object(w);
}

static void write_sort(struct json_writer *w, const struct record_query *query)
{
    json_keyz(w, "sort");
    json_begin_array(w);
    if (query->order != RECORD_id)
        write_order(w, elastic_field(query->order), query->descending);
    write_order(w, "uuid", query->descending);
    json_end_array(w);
}

static void write_after(struct json_writer *w, const struct record_query *query,
                        const struct cursor *cursor)
{
    json_keyz(w, "search_after");
    json_begin_array(w);
    if (query->order != RECORD_id && record_field_info[query->order].type == RECORD_TEXT)
        json_string(w, cursor->text.len ? cursor->text : STR(""));
    else if (query->order != RECORD_id)
        json_int(w, cursor->number);
    json_string(w, cursor->id);
    json_end_array(w);
}

/* *ret_exact false: the body is of no use. */
static enum status write_query(const struct record_query *query, struct arena *arena,
                               struct buf *buf, bool *ret_exact, struct error *err)
{
    struct json_writer w;
    struct cursor cursor;
    if (query->cursor.len)
        TRY(cursor_read(query, arena, &cursor, err));
    *ret_exact = elastic_field(query->order) != NULL;
    if (!*ret_exact)
        return STATUS_OK;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_int(&w, "size", (int64_t)query->limit + 1);
    json_kv_bool(&w, "track_total_hits", query->count);
    json_keyz(&w, "query");
    *ret_exact = elastic_filter_write(&w, query);
    write_sort(&w, query);
    if (query->cursor.len)
        write_after(&w, query, &cursor);
    json_end_object(&w);
    return buf_check(buf, "a query", err);
}

static enum status search(struct elastic_backend *backend, enum domain domain, struct str body,
                          struct elastic_reply *ret, struct error *err)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct elastic_request request = {
        .method = "POST",
        .path = elastic_path(backend, &arena, domain_name(domain),
                             "/_search?allow_partial_search_results=false"),
        .body = body};
    enum status status =
        request.path ? elastic_call(backend, &request, ret, err) : error_no_memory(err);
    arena_release(&arena);
    TRY(status);
    if (!yyjson_get_bool(json_get(yyjson_doc_get_root(ret->doc), "timed_out")))
        return STATUS_OK;
    elastic_reply_release(ret);
    return error_set(err, STATUS_TIMEOUT, "the catalog's search server gave up on a search");
}

/* --- the answer --- */

static enum status read_hits(yyjson_val *root, enum domain domain, uint32_t limit,
                             struct arena *arena, struct record_page *ret, struct error *err)
{
    yyjson_val *hits = elastic_member(root, "hits.hits"), *hit;
    size_t at, max = yyjson_arr_size(hits);
    ret->len = 0;
    ret->records = arena_array(arena, max < limit ? max : limit, sizeof *ret->records);
    if (!yyjson_is_arr(hits))
        return elastic_strange("_search", err);
    if (!ret->records)
        return error_no_memory(err);
    yyjson_arr_foreach(hits, at, max, hit)
    {
        if (ret->len < limit)
            TRY(elastic_document_read(json_get(hit, "_source"), domain, arena,
                                      &ret->records[ret->len++], err));
    }
    return STATUS_OK;
}

static enum status read_page(yyjson_val *root, const struct record_query *query,
                             struct arena *arena, struct record_page *ret, struct error *err)
{
    TRY(read_hits(root, query->domain, query->limit, arena, ret, err));
    if (query->count)
        ret->total = yyjson_get_sint(elastic_member(root, "hits.total.value"));
    if (yyjson_arr_size(elastic_member(root, "hits.hits")) > query->limit)
        TRY(cursor_write(query, &ret->records[ret->len - 1], arena, &ret->next, err));
    return STATUS_OK;
}

static enum status query_all(struct elastic_backend *backend, const struct record_query *query,
                             struct arena *arena, struct record_page *ret, struct error *err)
{
    struct record_set set;
    record_set_init(&set);
    enum status status = elastic_gather(backend, query, &set, err);
    if (status == STATUS_OK)
        status = record_set_query(&set, query, arena, ret, err);
    record_set_release(&set);
    return status;
}

enum status elastic_query(struct backend *base, const struct record_query *query,
                          struct arena *arena, struct record_page *ret, struct error *err)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    struct elastic_reply reply;
    struct buf body;
    bool exact = false;
    buf_init(&body, QUERY_BYTES_MAX);
    enum status status = write_query(query, arena, &body, &exact, err);
    if (status == STATUS_OK)
        status = head_refresh(backend, query->domain, err);
    if (status == STATUS_OK && exact)
        status = search(backend, query->domain, buf_str(&body), &reply, err);
    buf_release(&body);
    TRY(status);
    if (!exact)
        return query_all(backend, query, arena, ret, err);
    status = read_page(yyjson_doc_get_root(reply.doc), query, arena, ret, err);
    elastic_reply_release(&reply);
    return status;
}

enum status elastic_scan(struct backend *base, enum domain domain, struct str after, uint32_t limit,
                         struct arena *arena, struct record_page *ret, struct error *err)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    struct elastic_reply reply;
    struct json_writer w;
    struct buf body;
    buf_init(&body, 1 << 16);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_int(&w, "size", limit);
    json_kv_bool(&w, "track_total_hits", false);
    json_keyz(&w, "sort");
    json_begin_array(&w);
    write_order(&w, "uuid", false);
    json_end_array(&w);
    if (after.len) {
        json_keyz(&w, "search_after");
        json_begin_array(&w);
        json_string(&w, after);
        json_end_array(&w);
    }
    json_end_object(&w);
    enum status status = buf_check(&body, "a request", err);
    if (status == STATUS_OK)
        status = head_refresh(backend, domain, err);
    if (status == STATUS_OK)
        status = search(backend, domain, buf_str(&body), &reply, err);
    buf_release(&body);
    TRY(status);
    status = read_hits(yyjson_doc_get_root(reply.doc), domain, limit, arena, ret, err);
    elastic_reply_release(&reply);
    return status;
}

/* --- groups --- */

static void write_numbers(struct json_writer *w, const struct group_query *query)
{
    static const char *const names[GROUP_NUMBERS_MAX] = {"n0", "n1", "n2", "n3",
                                                         "n4", "n5", "n6", "n7"};
    if (!query->numbers_len)
        return;
    json_keyz(w, "aggs");
    json_begin_object(w);
    for (uint32_t i = 0; i < query->numbers_len; i++) {
        json_keyz(w, names[i]);
        json_begin_object(w);
        json_keyz(w, "stats");
        json_begin_object(w);
        json_kv_strz(w, "field", elastic_field(query->numbers[i]));
        json_end_object(w);
        json_end_object(w);
    }
    json_end_object(w);
}

static void write_by(struct json_writer *w, const struct group_query *query)
{
    json_keyz(w, "aggs");
    json_begin_object(w);
    json_keyz(w, "by");
    json_begin_object(w);
    json_keyz(w, "terms");
    json_begin_object(w);
    json_kv_strz(w, "field", elastic_field((enum record_field)query->by));
    json_kv_int(w, "size", GROUP_ROWS_MAX + 1);
    json_keyz(w, "order");
    write_order(w, "_key", false);
    json_end_object(w);
    write_numbers(w, query);
    json_end_object(w);
    json_end_object(w);
}

static enum status write_group(const struct group_query *query, struct buf *buf, bool *ret_exact,
                               struct error *err)
{
    struct json_writer w;
    *ret_exact = query->by == GROUP_ALL || elastic_field((enum record_field)query->by);
    if (!*ret_exact)
        return STATUS_OK;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_int(&w, "size", 0);
    json_kv_bool(&w, "track_total_hits", true);
    json_keyz(&w, "query");
    *ret_exact = elastic_filter_write(&w, &query->records);
    if (query->by == GROUP_ALL)
        write_numbers(&w, query);
    else
        write_by(&w, query);
    json_end_object(&w);
    return buf_check(buf, "a query", err);
}

static bool read_number(yyjson_val *value, int64_t *ret)
{
    double number = yyjson_is_num(value) ? yyjson_get_num(value) : 0;
    bool exact = number < EXACT_MAX;
    *ret = exact ? (int64_t)number : 0;
    return exact;
}

static bool read_row(yyjson_val *bucket, const struct group_query *query, struct group_row *row)
{
    char name[] = "n0";
    bool exact = true;
    for (uint32_t i = 0; i < query->numbers_len && row->count; i++) {
        name[1] = (char)('0' + i);
        yyjson_val *stats = json_get(bucket, name);
        exact = read_number(json_get(stats, "sum"), &row->sum[i]) && exact;
        exact = read_number(json_get(stats, "min"), &row->min[i]) && exact;
        exact = read_number(json_get(stats, "max"), &row->max[i]) && exact;
    }
    return exact;
}

static enum status read_all(yyjson_val *root, const struct group_query *query, struct arena *arena,
                            struct group_answer *ret, bool *ret_exact, struct error *err)
{
    ret->rows = ARENA_NEW(arena, struct group_row);
    if (!ret->rows)
        return error_no_memory(err);
    ret->len = 1;
    ret->rows[0].value = STR("");
    ret->rows[0].count = yyjson_get_sint(elastic_member(root, "hits.total.value"));
    *ret_exact = read_row(json_get(root, "aggregations"), query, &ret->rows[0]);
    return STATUS_OK;
}

static enum status read_groups(yyjson_val *root, const struct group_query *query,
                               struct arena *arena, struct group_answer *ret, bool *ret_exact,
                               struct error *err)
{
    yyjson_val *buckets = elastic_member(root, "aggregations.by.buckets"), *bucket;
    size_t at, max = yyjson_arr_size(buckets);
    if (query->by == GROUP_ALL)
        return read_all(root, query, arena, ret, ret_exact, err);
    if (!yyjson_is_arr(buckets))
        return elastic_strange("_search", err);
    if (max > GROUP_ROWS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "there are more than %d groups",
                         GROUP_ROWS_MAX);
    ret->rows = arena_array(arena, max, sizeof *ret->rows);
    if (!ret->rows)
        return error_no_memory(err);
    yyjson_arr_foreach(buckets, at, max, bucket)
    {
        struct group_row *row = &ret->rows[ret->len++];
        yyjson_val *key = json_get(bucket, "key");
        row->value = arena_str(arena, yyjson_is_str(key) ? json_str_of(key) : STR(""));
        row->count = yyjson_get_sint(json_get(bucket, "doc_count"));
        *ret_exact = read_row(bucket, query, row) && *ret_exact;
        if (!row->value.data)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status group_all(struct elastic_backend *backend, const struct group_query *query,
                             struct arena *arena, struct group_answer *ret, struct error *err)
{
    struct record_set set;
    record_set_init(&set);
    *ret = (struct group_answer){0};
    enum status status = elastic_gather(backend, &query->records, &set, err);
    if (status == STATUS_OK)
        status = record_set_group(&set, query, arena, ret, err);
    record_set_release(&set);
    return status;
}

/* The server adds doubles: sums that may have lost something are counted anew. */
enum status elastic_group(struct backend *base, const struct group_query *query,
                          struct arena *arena, struct group_answer *ret, struct error *err)
{
    struct elastic_backend *backend = (struct elastic_backend *)base;
    struct elastic_reply reply;
    struct buf body;
    bool exact = false;
    buf_init(&body, QUERY_BYTES_MAX);
    enum status status = write_group(query, &body, &exact, err);
    if (status == STATUS_OK)
        status = head_refresh(backend, query->records.domain, err);
    if (status == STATUS_OK && exact) {
        status = search(backend, query->records.domain, buf_str(&body), &reply, err);
        if (status == STATUS_OK) {
            status = read_groups(yyjson_doc_get_root(reply.doc), query, arena, ret, &exact, err);
            elastic_reply_release(&reply);
        }
    }
    buf_release(&body);
    TRY(status);
    return exact ? STATUS_OK : group_all(backend, query, arena, ret, err);
}

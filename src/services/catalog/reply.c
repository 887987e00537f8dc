/* reply.c: records as answers, bodies as records. */
#include "base/datetime.h"
#include "services/catalog/catalog_int.h"

void writer_begin(struct buf *buf, struct json_writer *w)
{
    buf_init(buf, ANSWER_MAX);
    json_writer_init(w, buf);
}

enum status writer_respond(struct request *request, int http_status, struct buf *buf)
{
    request_respond_json(request, http_status, buf);
    return STATUS_OK;
}

void json_time(struct json_writer *w, const char *key, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    if (!us) {
        json_kv_null(w, key);
        return;
    }
    size_t len = timestamp_format(us, text);
    text[len++] = 'Z';
    json_kv_str(w, key, str_make(text, len));
}

void json_kv_text(struct json_writer *w, const char *key, struct str text)
{
    json_kv_str(w, key, text.len ? text : STR_NONE);
}

void json_list(struct json_writer *w, const char *key, const struct str_list *list)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < list->len; i++)
        json_string(w, list->items[i]);
    json_end_array(w);
}

void json_object(struct json_writer *w, const char *key, struct str json)
{
    json_keyz(w, key);
    json_raw(w, json.len ? json : STR("{}"));
}

void json_record(struct json_writer *w, const struct record *record)
{
    json_begin_object(w);
    record_write_members(w, record, false);
    json_end_object(w);
}

enum status respond_record(struct request *request, int http_status, const struct record *record)
{
    struct buf buf;
    struct json_writer w;
    char *etag = arena_printf(request->arena, "\"%lld\"", (long long)record->revision);
    if (etag)
        http_set_header(request->http, "ETag", str_of(etag));
    writer_begin(&buf, &w);
    json_record(&w, record);
    return writer_respond(request, http_status, &buf);
}

enum status respond_page(struct request *request, const char *name, const struct record_page *page,
                         record_writer write)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_keyz(&w, name);
    json_begin_array(&w);
    for (uint32_t i = 0; i < page->len; i++)
        write(&w, &page->records[i]);
    json_end_array(&w);
    json_kv_text(&w, "next_cursor", page->next);
    if (page->total >= 0)
        json_kv_int(&w, "total", page->total);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status respond_done(struct request *request)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status strings_of(struct request *request, struct str text, const struct str **ret,
                       uint32_t *ret_len)
{
    struct str *items = arena_array(request->arena, QUERY_VALUES_MAX, sizeof *items);
    struct str rest = text, part;
    *ret_len = 0;
    if (!items)
        return error_no_memory(&request->error);
    while (text.len && str_split(&rest, ',', &part)) {
        if (*ret_len == QUERY_VALUES_MAX)
            return error_set(&request->error, STATUS_INVALID_ARGUMENT, "more than %d values",
                             QUERY_VALUES_MAX);
        items[(*ret_len)++] = part;
    }
    *ret = items;
    return STATUS_OK;
}

enum status record_from_body(struct request *request, struct record *record)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(request->body, at, max, key, value)
    {
        enum record_field field;
        if (!record_field_find(record->domain, json_str_of(key), &field))
            continue;
        enum record_access access = record_field_info[field].access;
        if (access == ACCESS_CREATE || access == ACCESS_FREE || access == ACCESS_STATE)
            TRY(record_set_json(record, field, value, request->arena, &request->error));
    }
    return STATUS_OK;
}

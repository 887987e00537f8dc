/* data.c: rows of the tenant node's sources. */
#include <string.h>

#include "client_int.h"

/* [{...}, ...] as [{"fields": {...}}, ...] */
static void put_records(struct message *m, const char *json)
{
    size_t at, max;
    yyjson_val *record;
    yyjson_doc *doc = json ? yyjson_read(json, strlen(json), 0) : NULL;
    if (!yyjson_is_arr(yyjson_doc_get_root(doc)))
        m->bad = "records_json must be an array of objects";
    json_keyz(&m->w, "records");
    json_begin_array(&m->w);
    yyjson_arr_foreach(yyjson_doc_get_root(doc), at, max, record)
    {
        json_begin_object(&m->w);
        json_keyz(&m->w, "fields");
        json_value(&m->w, record);
        json_end_object(&m->w);
    }
    json_end_array(&m->w);
    yyjson_doc_free(doc);
}

enum quarry_status quarry_write(struct quarry *client, const struct quarry_write *write,
                                struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/data/write");
    m.service = QUARRY_TENANT;
    message_need(&m, "a write needs a source_id", write->source_id);
    message_put_text(&m, "source_id", write->source_id);
    message_put_text(&m, "write_id", write->write_id);
    if (write->upsert)
        message_put_text(&m, "mode", "upsert");
    put_records(&m, write->records_json);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_search(struct quarry *client, const struct quarry_search *search,
                                 struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/data/search");
    m.service = QUARRY_TENANT;
    message_put_text(&m, "source_ids", NULL);
    if (search->source_id) {
        json_keyz(&m.w, "source_ids");
        json_begin_array(&m.w);
        json_stringz(&m.w, search->source_id);
        json_end_array(&m.w);
    }
    message_put_json(&m, "filters", search->filters_json);
    message_put_json(&m, "select_columns", search->columns_json);
    if (search->limit)
        message_put_int(&m, "limit", search->limit);
    if (search->offset)
        message_put_int(&m, "offset", search->offset);
    return message_send(client, &m, NULL, answer, error);
}

enum quarry_status quarry_sql(struct quarry *client, const char *sql, const char *parameters_json,
                              struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    message_init(&m, "POST", "/query/sql");
    m.service = QUARRY_TENANT;
    message_need(&m, "a query needs its text", sql);
    message_put_text(&m, "query", sql);
    message_put_json(&m, "parameters", parameters_json);
    return message_send(client, &m, NULL, answer, error);
}

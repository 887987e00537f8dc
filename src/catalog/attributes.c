/* attributes.c: single members of a JSON object that is kept as text. */
#include "catalog/catalog.h"

struct str attribute_get(struct str json, const char *name, struct arena *arena)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, 0);
    yyjson_val *value = json_get(yyjson_doc_get_root(doc), name);
    struct str text = STR_NONE;
    if (yyjson_is_str(value))
        text = arena_str(arena, json_str_of(value));
    yyjson_doc_free(doc);
    return text;
}

static void write_others(struct json_writer *w, yyjson_val *object, const char *name)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, max, key, value)
    {
        if (str_is(json_str_of(key), name))
            continue;
        json_key(w, json_str_of(key));
        json_value(w, value);
    }
}

enum status attribute_set(struct str *json, const char *name, struct str value, struct arena *arena,
                          struct error *err)
{
    yyjson_doc *doc = yyjson_read(json->data, json->len, 0);
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, RECORD_JSON_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    write_others(&w, yyjson_doc_get_root(doc), name);
    if (value.len)
        json_kv_str(&w, name, value);
    json_end_object(&w);
    yyjson_doc_free(doc);
    enum status status = buf_check(&buf, name, err);
    if (status == STATUS_OK) {
        *json = arena_str(arena, buf_str(&buf));
        status = json->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

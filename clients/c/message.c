/* message.c: building a request: path, query, body. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client_int.h"

void message_encode(struct buf *buf, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-._~", *c);
        buf_printf(buf, plain ? "%c" : "%%%02X", *c);
    }
}

void message_init(struct message *m, const char *method, const char *format, ...)
{
    va_list args;
    *m = (struct message){.method = method};
    buf_init(&m->path, 1 << 20);
    buf_init(&m->body, CLIENT_BODY_MAX);
    json_writer_init(&m->w, &m->body);
    va_start(args, format);
    for (const char *c = format; *c; c++) {
        if (c[0] != '%') {
            buf_append_char(&m->path, *c);
            continue;
        }
        const char *text = va_arg(args, const char *);
        c++; /* the 's' */
        if (!text || !*text)
            m->bad = "a name or id is missing";
        else
            message_encode(&m->path, text);
    }
    va_end(args);
}

void message_query(struct message *m, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(&m->path, "%c%s=", m->has_query ? '&' : '?', name);
    message_encode(&m->path, value);
    m->has_query = true;
}

void message_query_int(struct message *m, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    message_query(m, name, text);
}

void message_pairs(struct message *m, const char *const *pairs)
{
    for (; pairs && pairs[0]; pairs += 2)
        message_query(m, pairs[0], pairs[1] ? pairs[1] : "");
}

static void begin_body(struct message *m)
{
    if (!m->has_body)
        json_begin_object(&m->w);
    m->has_body = true;
}

void message_put_text(struct message *m, const char *name, const char *value)
{
    begin_body(m);
    if (value)
        json_kv_strz(&m->w, name, value);
}

void message_put_int(struct message *m, const char *name, int64_t value)
{
    begin_body(m);
    json_kv_int(&m->w, name, value);
}

void message_put_bool(struct message *m, const char *name, bool value)
{
    begin_body(m);
    json_kv_bool(&m->w, name, value);
}

void message_put_json(struct message *m, const char *name, const char *json)
{
    begin_body(m);
    if (!json)
        return;
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    if (!doc)
        m->bad = "an argument that should be JSON is none";
    json_keyz(&m->w, name);
    json_value(&m->w, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
}

void put_members(struct message *m, const char *json)
{
    size_t at, max;
    yyjson_val *key, *value;
    begin_body(m);
    if (!json)
        return;
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
        m->bad = "an argument that should be a JSON object is none";
    yyjson_obj_foreach(yyjson_doc_get_root(doc), at, max, key, value)
    {
        json_key(&m->w, json_str_of(key));
        json_value(&m->w, value);
    }
    yyjson_doc_free(doc);
}

void message_need(struct message *m, const char *name, const char *value)
{
    if (!value || !*value)
        m->bad = name;
}

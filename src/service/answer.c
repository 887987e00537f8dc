/* Answers. Every one carries X-Request-Id (set before the handler runs); every error has the body
 * that service.h promises, and Retry-After where a retry may help. */
#include <stdio.h>
#include <stdlib.h>

#include "service/service_int.h"

enum { ERROR_BODY_MAX = 16 * 1024 };

static void write_detail(struct json_writer *w, const struct error *err)
{
    json_keyz(w, "detail");
    json_begin_object(w);
    if (err->field[0])
        json_kv_strz(w, "field", err->field);
    if (err->value[0])
        json_kv_strz(w, "value", err->value);
    if (err->record >= 0)
        json_kv_int(w, "record", err->record);
    if (err->offset >= 0)
        json_kv_int(w, "offset", err->offset);
    if (err->line >= 0)
        json_kv_int(w, "line", err->line);
    if (err->column >= 0)
        json_kv_int(w, "column", err->column);
    if (err->retry_after_s > 0)
        json_kv_int(w, "retry_after_s", err->retry_after_s);
    json_end_object(w);
}

/* Causes are for the log: they may name files of this machine. */
static void write_members(struct json_writer *w, const struct error *err, struct str request_id)
{
    const struct status_info *info = status_info(err->status);
    const char *message = err->message[0] ? err->message : info->meaning;
    json_kv_bool(w, "success", false);
    json_kv_strz(w, "error_message", message);
    json_keyz(w, "error");
    json_begin_object(w);
    json_kv_strz(w, "code", info->code);
    json_kv_strz(w, "message", message);
    write_detail(w, err);
    json_kv_str(w, "request_id", request_id);
    json_end_object(w);
}

void answer_error_body(struct buf *buf, const struct error *err, struct str request_id)
{
    struct json_writer w;
    buf_init(buf, ERROR_BODY_MAX);
    json_writer_init(&w, buf);
    json_begin_object(&w);
    write_members(&w, err, request_id);
    json_end_object(&w);
}

void request_write_error(const struct request *request, struct json_writer *w,
                         const struct error *err)
{
    write_members(w, err, request->request_id);
}

static void set_retry_after(struct request *request, const struct error *err, int http_status)
{
    if (http_status != 429 && http_status != 503 && err->retry_after_s <= 0)
        return;
    char text[16];
    int n = snprintf(text, sizeof text, "%d", err->retry_after_s > 0 ? err->retry_after_s : 1);
    http_set_header(request->http, "Retry-After", str_make(text, (size_t)n));
}

static void respond_take(struct request *request, int status, struct str content_type,
                         struct buf *body)
{
    size_t len;
    char *data = buf_take(body, &len);
    request->status = status;
    http_respond_take(request->http, status, content_type, data, len);
}

void request_respond_error(struct request *request, const struct error *err)
{
    struct buf body;
    int status = status_info(err->status)->http;
    set_retry_after(request, err, status);
    answer_error_body(&body, err, request->request_id);
    if (buf_failed(&body)) {
        request->status = status;
        http_respond(request->http, status, STR("application/json"),
                     STR("{\"success\":false,\"error_message\":\"out of memory\",\"error\":"
                         "{\"code\":\"no_memory\",\"message\":\"out of memory\",\"detail\":{}}}"));
        buf_release(&body);
        return;
    }
    respond_take(request, status, STR("application/json"), &body);
}

void request_respond_text(struct request *request, int status, struct str content_type,
                          struct buf *body)
{
    if (buf_check(body, "the answer", &request->error) == STATUS_OK) {
        respond_take(request, status, content_type, body);
        return;
    }
    buf_release(body);
    request_respond_error(request, &request->error);
}

void request_respond_json(struct request *request, int status, struct buf *body)
{
    request_respond_text(request, status, STR("application/json"), body);
}

enum status request_begin(struct request *request, int status, struct str content_type,
                          struct error *err)
{
    request->status = status;
    request->started = true;
    return http_begin(request->http, status, content_type, err);
}

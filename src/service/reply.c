#include "service/reply.h"

enum { SUCCESS_BYTES_MAX = 256 };

void reply_begin(struct buf *body, size_t max, struct json_writer *w)
{
    buf_init(body, max);
    json_writer_init(w, body);
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_null(w, "error_message");
}

enum status reply_end(struct request *request, int http_status, struct buf *body,
                      struct json_writer *w)
{
    json_end_object(w);
    request_respond_json(request, http_status, body);
    return STATUS_OK;
}

enum status reply_success(struct request *request)
{
    struct json_writer w;
    struct buf body;
    reply_begin(&body, SUCCESS_BYTES_MAX, &w);
    return reply_end(request, 200, &body, &w);
}

#include "services/tenant/tenant_int.h"

void answer_init(struct answer *answer, struct request *request, struct str content_type)
{
    *answer = (struct answer){.request = request, .content_type = content_type};
    buf_init(&answer->buf, TENANT_BODY_MAX);
    json_writer_init(&answer->w, &answer->buf);
}

void answer_release(struct answer *answer)
{
    buf_release(&answer->buf);
}

enum status answer_push(struct answer *answer, bool now, struct error *err)
{
    TRY(buf_check(&answer->buf, "an answer", err));
    if (answer->buf.len == 0 || (!now && answer->buf.len < TENANT_ANSWER_PIECE))
        return STATUS_OK;
    if (answer->request->here)
        return request_give_back(answer->request);
    if (!answer->begun) {
        TRY(request_begin(answer->request, 200, answer->content_type, err));
        answer->begun = true;
    }
    TRY(http_write(answer->request->http, buf_str(&answer->buf), err));
    buf_clear(&answer->buf);
    return STATUS_OK;
}

enum status answer_end(struct answer *answer, struct error *err)
{
    if (!answer->begun) {
        TRY(buf_check(&answer->buf, "an answer", err));
        request_respond_text(answer->request, 200, answer->content_type, &answer->buf);
        return STATUS_OK;
    }
    TRY(answer_push(answer, true, err));
    http_end(answer->request->http);
    return STATUS_OK;
}

enum status answer_success(struct request *request)
{
    struct answer answer;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, &request->error);
    answer_release(&answer);
    return status;
}

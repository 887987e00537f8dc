/* http_answer.c: answers, made on the worker and sent by the I/O thread.
 *
 * The worker builds MHD's response object; setting `answer` under the mutex hands it over. From
 * then on only the ring of a streamed answer is shared. */
#include <stdio.h>
#include <stdlib.h>

#include "net/http_int.h"

static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

void http_set_header(struct http_request *r, const char *name, struct str value)
{
    if (r->answer != HTTP_ANSWER_NONE || !is_clean(value) || !is_clean(str_of(name)))
        return;
    struct http_header_out *h = ARENA_NEW(&r->arena, struct http_header_out);
    struct str name_copy = arena_str(&r->arena, str_of(name));
    struct str value_copy = arena_str(&r->arena, value);
    if (!h || !name_copy.data || !value_copy.data)
        return; /* the request's memory is out: the answer will say so */
    h->name = name_copy.data;
    h->value = value_copy.data;
    h->next = NULL;
    struct http_header_out **end = &r->headers_out;
    while (*end)
        end = &(*end)->next;
    *end = h;
}

static void add_headers(struct http_request *r, struct MHD_Response *response, struct str type)
{
    struct str copy = is_clean(type) ? arena_str(&r->arena, type) : STR_NONE;
    if (copy.len)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, copy.data);
    for (const struct http_header_out *h = r->headers_out; h; h = h->next)
        MHD_add_response_header(response, h->name, h->value);
    if (atomic_load_explicit(&r->server->draining, memory_order_relaxed))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* Hands the answer over; response NULL: the connection is cut. */
static void give_answer(struct http_request *r, int status, struct MHD_Response *response,
                        bool streaming)
{
    pthread_mutex_lock(&r->mutex);
    if (r->answer == HTTP_ANSWER_NONE) {
        r->answer = response ? HTTP_ANSWER_READY : HTTP_ANSWER_CUT;
        r->answer_status = status;
        r->response = response;
        r->streaming = streaming;
        r->moved = 0;
        r->waited_ms = 0;
        r->discard = true;
        http_request_resume(r);
        response = NULL;
    }
    pthread_mutex_unlock(&r->mutex);
    if (response)
        MHD_destroy_response(response); /* answered twice: the first one counts */
}

static void respond_with(struct http_request *r, int status, struct str type, char *body,
                         size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, body, MHD_RESPMEM_PERSISTENT);
    if (response) {
        add_headers(r, response, type);
        r->early_type = arena_str(&r->arena, type);
        r->early_body = str_make(body, len);
        atomic_fetch_add_explicit(&r->server->bytes_out, len, memory_order_relaxed);
    }
    give_answer(r, status, response, false);
}

void http_respond(struct http_request *r, int status, struct str content_type, struct str body)
{
    if (r->answer != HTTP_ANSWER_NONE)
        return;
    struct str copy = arena_str(&r->arena, body);
    if (!copy.data) {
        http_abort(r);
        return;
    }
    respond_with(r, status, content_type, (char *)(uintptr_t)copy.data, copy.len);
}

void http_respond_take(struct http_request *r, int status, struct str content_type, char *body,
                       size_t len)
{
    if (r->answer != HTTP_ANSWER_NONE) {
        free(body);
        return;
    }
    r->taken_body = body;
    respond_with(r, status, content_type, body, len);
}

enum status http_begin(struct http_request *r, int status, struct str content_type,
                       struct error *err)
{
    if (r->answer != HTTP_ANSWER_NONE)
        return error_set(err, STATUS_INTERNAL, "the request was answered already");
    if (r->here)
        return error_set(err, STATUS_INTERNAL, "an I/O thread cannot wait for itself");
    struct MHD_Response *response = NULL;
    if (ring_ready(&r->out))
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 * 1024,
                                                     http_io_read_answer, r, NULL);
    if (!response)
        return error_no_memory(err);
    /* MHD would end an answer to HEAD with a last chunk, which the client would take for the start
     * of the next answer. */
    if (r->head.method == HTTP_HEAD)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    add_headers(r, response, content_type);
    give_answer(r, status, response, true);
    return STATUS_OK;
}

static bool cannot_write(struct http_request *r)
{
    return !r->connection || r->out_aborted ||
           atomic_load_explicit(&r->server->stopping, memory_order_relaxed);
}

/* Answers to HEAD, 204 and 304 have no body: MHD never asks for it. */
static bool body_unsent(const struct http_request *r)
{
    return r->head.method == HTTP_HEAD || r->answer_status == MHD_HTTP_NO_CONTENT ||
           r->answer_status == MHD_HTTP_NOT_MODIFIED;
}

static enum status write_stream(struct http_request *r, struct str bytes, struct error *err)
{
    while (bytes.len) {
        /* Woken when half of the ring is free, so that the two threads do not swap for each piece
         */
        bool in_time = true;
        while (ring_free(&r->out) == 0 && !cannot_write(r) && in_time)
            in_time = http_request_wait(r, r->server->options.idle_timeout_s);
        if (cannot_write(r) || !in_time)
            return error_set(err, STATUS_CANCELLED, "the client is gone or does not read");
        size_t n = ring_put(&r->out, bytes.data, bytes.len);
        bytes.data += n;
        bytes.len -= n;
        r->moved += n;
        http_request_resume(r);
    }
    return STATUS_OK;
}

enum status http_write(struct http_request *r, struct str bytes, struct error *err)
{
    if (!r->streaming || r->out_ended)
        return error_set(err, STATUS_INTERNAL, "write outside of begin and end");
    if (body_unsent(r))
        return STATUS_OK;
    pthread_mutex_lock(&r->mutex);
    enum status status = write_stream(r, bytes, err);
    pthread_mutex_unlock(&r->mutex);
    return status;
}

void http_end(struct http_request *r)
{
    pthread_mutex_lock(&r->mutex);
    r->out_ended = true;
    http_request_resume(r);
    pthread_mutex_unlock(&r->mutex);
}

void http_abort(struct http_request *r)
{
    pthread_mutex_lock(&r->mutex);
    bool streaming = r->streaming;
    if (streaming && !r->out_ended) {
        r->out_aborted = true;
        http_request_resume(r);
    }
    pthread_mutex_unlock(&r->mutex);
    if (!streaming)
        give_answer(r, 0, NULL, false);
}

void http_fault_text(struct http_server *server, struct arena *arena, const struct error *fault,
                     struct str *ret_body, struct str *ret_type)
{
    *ret_body = STR_NONE;
    *ret_type = STR("text/plain; charset=utf-8");
    if (server->options.on_fault)
        server->options.on_fault(server->options.context, arena, fault, ret_body, ret_type);
    if (ret_body->data)
        return;
    const char *text =
        arena_printf(arena, "%s: %s\n", status_info(fault->status)->code, fault->message);
    *ret_body = text ? str_of(text) : STR("");
    *ret_type = STR("text/plain; charset=utf-8");
}

struct MHD_Response *http_fault_response(struct http_request *r, const struct error *fault,
                                         bool close)
{
    struct str body, type;
    http_fault_text(r->server, &r->arena, fault, &body, &type);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    r->headers_out = NULL;
    add_headers(r, response, type);
    if (fault->retry_after_s > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", fault->retry_after_s);
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (close)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

/* The handler has returned: what it left open is closed. */
void http_answer_unanswered(struct http_request *r)
{
    if (r->answer == HTTP_ANSWER_NONE) {
        struct error fault = ERROR_INIT;
        error_set(&fault, STATUS_INTERNAL, "the request was not answered");
        give_answer(r, 500, http_fault_response(r, &fault, false), false);
    } else if (r->streaming && !r->out_ended && !r->out_aborted) {
        http_abort(r);
    }
}

/* http_client.c: one curl handle, set up anew for each call. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>

#define REPLY_HEADERS_MAX ((size_t)256 * 1024)

struct http_client {
    CURL *curl;
    struct http_client_options options;
    char *ca_file, *unix_socket, *user_agent; /* copies */
    char message[CURL_ERROR_SIZE];
};

/* What the call backs share during a call. */
struct running {
    const struct http_call *call;
    struct http_reply *reply;
    struct str left; /* of call->body */
    bool head_given;
    enum status status; /* why a call back ended it */
    struct error *err;
};

static bool copy_text(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return !text || *to;
}

enum status http_client_new(const struct http_client_options *options, struct http_client **ret,
                            struct error *err)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        return error_no_memory(err);
    client->options = *options;
    client->curl = curl_easy_init();
    if (!client->curl || !copy_text(&client->ca_file, options->ca_file) ||
        !copy_text(&client->unix_socket, options->unix_socket) ||
        !copy_text(&client->user_agent, options->user_agent ? options->user_agent : "quarry")) {
        http_client_free(client);
        return error_no_memory(err);
    }
    *ret = client;
    return STATUS_OK;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    if (client->curl)
        curl_easy_cleanup(client->curl);
    free(client->ca_file);
    free(client->unix_socket);
    free(client->user_agent);
    free(client);
}

void http_reply_init(struct http_reply *reply, size_t body_max)
{
    *reply = (struct http_reply){0};
    buf_init(&reply->body, body_max);
    arena_init(&reply->arena, REPLY_HEADERS_MAX);
}

void http_reply_release(struct http_reply *reply)
{
    buf_release(&reply->body);
    arena_release(&reply->arena);
    reply->field_count = 0;
}

struct str http_reply_header(const struct http_reply *reply, const char *name)
{
    for (uint32_t i = 0; i < reply->field_count; i++)
        if (str_eq_nocase(reply->fields[i].name, str_of(name)))
            return reply->fields[i].value;
    return STR_NONE;
}

/* --- call backs of curl --- */

static enum status give_head(struct running *run)
{
    if (run->head_given)
        return STATUS_OK;
    run->head_given = true;
    return run->call->head ? run->call->head(run->call->context, run->reply, run->err) : STATUS_OK;
}

static enum status add_field(struct running *run, struct str line)
{
    struct http_reply *reply = run->reply;
    const char *colon = memchr(line.data, ':', line.len);
    if (!colon)
        return STATUS_OK;
    if (reply->field_count == HTTP_REPLY_HEADERS_MAX)
        return error_set(run->err, STATUS_RESOURCE_LIMIT, "the answer has more than %d headers",
                         HTTP_REPLY_HEADERS_MAX);
    struct str name = str_make(line.data, (size_t)(colon - line.data));
    struct str value = str_trim(str_make(colon + 1, line.len - name.len - 1));
    struct http_field *field = &reply->fields[reply->field_count];
    field->name = arena_str(&reply->arena, name);
    field->value = arena_str(&reply->arena, value);
    if (!field->name.data || !field->value.data)
        return error_no_memory(run->err);
    reply->field_count++;
    return STATUS_OK;
}

/* Lines of interim answers (100 Continue) come here, too: each status line starts anew. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct running *run = context;
    struct str line = str_make(data, size * count);
    while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    if (run->head_given)
        return size * count; /* trailers */
    if (str_starts(line, STR("HTTP/"))) {
        run->reply->field_count = 0;
        const char *space = memchr(line.data, ' ', line.len);
        run->reply->status = space ? atoi(space + 1) : 0;
    } else if (line.len == 0 && run->reply->status >= 200) {
        run->status = give_head(run);
    } else {
        run->status = add_field(run, line);
    }
    return run->status == STATUS_OK ? size * count : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct running *run = context;
    struct str bytes = str_make(data, size * count);
    run->status = give_head(run);
    if (run->status != STATUS_OK)
        return 0;
    if (run->call->download) {
        run->status = run->call->download(run->call->context, bytes, run->err);
    } else if (!buf_append_str(&run->reply->body, bytes)) {
        run->status = run->reply->body.max - run->reply->body.len < bytes.len
                          ? error_set(run->err, STATUS_RESOURCE_LIMIT,
                                      "the answer has more than %zu bytes", run->reply->body.max)
                          : error_no_memory(run->err);
    }
    return run->status == STATUS_OK ? bytes.len : 0;
}

static size_t on_upload(char *data, size_t size, size_t count, void *context)
{
    struct running *run = context;
    size_t n = 0, cap = size * count;
    if (run->call->upload) {
        run->status = run->call->upload(run->call->context, data, cap, &n, run->err);
        return run->status == STATUS_OK ? n : CURL_READFUNC_ABORT;
    }
    n = run->left.len < cap ? run->left.len : cap;
    if (n)
        memcpy(data, run->left.data, n);
    run->left.data += n;
    run->left.len -= n;
    return n;
}

/* A kept connection may turn out dead after the body was begun: then curl starts it again. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct running *run = context;
    if (run->call->upload || origin != SEEK_SET || (uint64_t)offset > run->call->body.len)
        return CURL_SEEKFUNC_CANTSEEK;
    run->left = str_make(run->call->body.data + offset, run->call->body.len - (size_t)offset);
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    struct running *run = context;
    if (!run->call->cancelled(run->call->context))
        return 0;
    run->status = error_set(run->err, STATUS_CANCELLED, "the call was cancelled");
    return 1;
}

/* --- set-up --- */

static void set_method(CURL *curl, struct running *run)
{
    const struct http_call *call = run->call;
    bool body = call->upload || call->body.data;
    const char *method = call->method ? call->method : body ? "POST" : "GET";
    if (!strcmp(method, "HEAD")) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(curl, CURLOPT_READDATA, run);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, run);
        curl_off_t len = call->upload ? (call->upload_len > 0 ? call->upload_len : -1)
                                      : (curl_off_t)call->body.len;
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, len);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    }
}

static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '\r' || s.data[i] == '\n' || !s.data[i])
            return false;
    return true;
}

static bool append_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;
    if (longer)
        *list = longer;
    return longer != NULL;
}

static enum status make_headers(const struct http_call *call, struct curl_slist **ret,
                                struct error *err)
{
    struct arena arena;
    enum status status = STATUS_OK;
    bool given_type = false;
    arena_init(&arena, REPLY_HEADERS_MAX);
    for (uint32_t i = 0; i < call->field_count && status == STATUS_OK; i++) {
        const struct http_field *f = &call->fields[i];
        given_type |= str_eq_nocase(f->name, STR("Content-Type"));
        if (!is_clean(f->name) || !is_clean(f->value))
            status = error_set(err, STATUS_INVALID_ARGUMENT, "a header holds a line break");
        /* "Name;" is curl's way to send an empty value. */
        else if (!append_line(ret, f->value.len ? arena_printf(&arena, "%.*s: %.*s",
                                                               STR_ARG(f->name), STR_ARG(f->value))
                                                : arena_printf(&arena, "%.*s;", STR_ARG(f->name))))
            status = error_no_memory(err);
    }
    /* Else curl sends application/x-www-form-urlencoded. */
    if (status == STATUS_OK && !given_type && !append_line(ret, "Content-Type:"))
        status = error_no_memory(err);
    if (status == STATUS_OK && call->upload && call->upload_len <= 0 &&
        !append_line(ret, "Transfer-Encoding: chunked"))
        status = error_no_memory(err);
    arena_release(&arena);
    return status;
}

static void set_transport(struct http_client *client, const struct http_call *call)
{
    CURL *curl = client->curl;
    const struct http_client_options *o = &client->options;
    long timeout = call->timeout_ms ? call->timeout_ms : o->timeout_ms;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(o->connect_timeout_ms ? o->connect_timeout_ms : 5000));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     (long)(o->stall_timeout_s ? o->stall_timeout_s : 60));
    curl_easy_setopt(curl, CURLOPT_USERAGENT, client->user_agent);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->message);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    if (client->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
    if (client->unix_socket)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
    if (o->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static enum status status_of(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return STATUS_INVALID_ARGUMENT;
    case CURLE_OPERATION_TIMEDOUT:
        return STATUS_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_UNAVAILABLE;
    }
}

static enum status perform(struct http_client *client, struct running *run, struct error *err)
{
    CURLcode code = curl_easy_perform(client->curl);
    if (run->status != STATUS_OK)
        return run->status;
    if (code == CURLE_OK)
        return give_head(run);
    run->reply->refused = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    return error_set(err, status_of(code), "%s: %s", run->call->url,
                     client->message[0] ? client->message : curl_easy_strerror(code));
}

enum status http_client_call(struct http_client *client, const struct http_call *call,
                             struct http_reply *reply, struct error *err)
{
    struct error own = ERROR_INIT; /* so that call backs always have one */
    struct running run = {
        .call = call, .reply = reply, .left = call->body, .err = err ? err : &own};
    struct curl_slist *headers = NULL;
    CURL *curl = client->curl;
    buf_clear(&reply->body);
    arena_release(&reply->arena);
    reply->status = 0;
    reply->refused = false;
    reply->field_count = 0;
    client->message[0] = 0;
    curl_easy_reset(curl); /* options, not connections */
    enum status status = make_headers(call, &headers, err);
    if (status == STATUS_OK) {
        set_transport(client, call);
        set_method(curl, &run);
        curl_easy_setopt(curl, CURLOPT_URL, call->url);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, &run);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &run);
        if (call->cancelled) {
            curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
            curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
            curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &run);
        }
        status = perform(client, &run, err);
    }
    curl_slist_free_all(headers);
    return status;
}

/* client.c: opening, requests, pages. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_int.h"

/* --- opening --- */

static const char *or_environment(const char *given, const char *name)
{
    const char *value = given ? given : getenv(name);
    return value && *value ? value : NULL;
}

static char *catalog_url(const char *given)
{
    char url[600];
    const char *whole = or_environment(given, "QUARRY_URL");
    const char *host = or_environment(NULL, "QUARRY_HOST");
    const char *port = or_environment(NULL, "QUARRY_PORT");
    if (whole)
        return strdup(whole);
    int len =
        snprintf(url, sizeof url, "http://%s:%s", host ? host : "127.0.0.1", port ? port : "8083");
    return len < (int)sizeof url ? strdup(url) : NULL;
}

static bool fill_client(struct quarry *client, const struct quarry_options *options)
{
    const char *tenant = or_environment(options->tenant_url, "QUARRY_TENANT_URL");
    const char *token = or_environment(options->token, "QUARRY_TOKEN");
    client->urls[QUARRY_CATALOG] = catalog_url(options->catalog_url);
    client->urls[QUARRY_TENANT] = strdup(tenant ? tenant : "http://127.0.0.1:8000");
    for (int i = 0; i < 2; i++) {
        size_t len = client->urls[i] ? strlen(client->urls[i]) : 0;
        while (len && client->urls[i][len - 1] == '/')
            client->urls[i][--len] = 0;
    }
    if (token && asprintf(&client->bearer, "Bearer %s", token) < 0) {
        client->bearer = NULL;
        return false;
    }
    return client->urls[0] && client->urls[1];
}

enum quarry_status quarry_open(const struct quarry_options *options, struct quarry **ret,
                               struct quarry_error *error)
{
    static const struct quarry_options none;
    struct quarry *client = calloc(1, sizeof *client);
    struct error err = ERROR_INIT;
    *ret = NULL;
    if (!client)
        return client_fail(error, QUARRY_NO_MEMORY, "memory is out");
    options = options ? options : &none;
    pthread_mutex_init(&client->lock, NULL);
    http_reply_init(&client->reply, CLIENT_REPLY_MAX);
    const struct http_client_options http = {
        .timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : 30000,
        .ca_file = options->ca_file,
        .user_agent = "libquarry"};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !fill_client(client, options) ||
        http_client_new(&http, &client->http, &err) != STATUS_OK) {
        quarry_close(client);
        return client_fail(error, QUARRY_NO_MEMORY, "the client cannot be made");
    }
    *ret = client;
    return QUARRY_OK;
}

void quarry_close(struct quarry *client)
{
    if (!client)
        return;
    http_client_free(client->http);
    http_reply_release(&client->reply);
    pthread_mutex_destroy(&client->lock);
    free(client->urls[0]);
    free(client->urls[1]);
    free(client->bearer);
    free(client);
}

/* --- sending --- */

static enum quarry_status status_of(int http)
{
    switch (http) {
    case 400:
    case 422:
        return QUARRY_BAD_ARGUMENT;
    case 401:
        return QUARRY_UNAUTHENTICATED;
    case 403:
        return QUARRY_FORBIDDEN;
    case 404:
        return QUARRY_NOT_FOUND;
    case 409:
    case 412:
        return QUARRY_CONFLICT;
    default:
        return http >= 500 ? QUARRY_SERVER_FAILED : QUARRY_REFUSED;
    }
}

static void copy_text(char *to, size_t room, yyjson_val *value)
{
    const char *text = yyjson_get_str(value);
    size_t len = text ? strnlen(text, room - 1) : 0;
    memcpy(to, text ? text : "", len);
    to[len] = 0;
}

static enum quarry_status refused(const struct http_reply *reply, struct quarry_error *error)
{
    enum quarry_status status = client_fail(error, status_of(reply->status), "the server refused");
    yyjson_doc *doc = yyjson_read(reply->body.data, reply->body.len, 0);
    yyjson_val *told = json_get(yyjson_doc_get_root(doc), "error");
    if (error) {
        error->http_status = reply->status;
        copy_text(error->code, sizeof error->code, json_get(told, "code"));
        copy_text(error->request_id, sizeof error->request_id, json_get(told, "request_id"));
        if (json_get(told, "message"))
            copy_text(error->message, sizeof error->message, json_get(told, "message"));
    }
    yyjson_doc_free(doc);
    return status;
}

static enum quarry_status not_sent(enum status status, const struct error *err,
                                   struct quarry_error *error)
{
    return client_fail(error,
                       status == STATUS_TIMEOUT            ? QUARRY_TIMEOUT
                       : status == STATUS_NO_MEMORY        ? QUARRY_NO_MEMORY
                       : status == STATUS_INVALID_ARGUMENT ? QUARRY_BAD_ARGUMENT
                                                           : QUARRY_UNREACHABLE,
                       err->message);
}

/* With the lock. Gives the body of a good answer. */
static enum quarry_status exchange(struct quarry *client, const struct message *m, const char *url,
                                   char **ret_text, size_t *ret_len, struct quarry_error *error)
{
    struct error err = ERROR_INIT;
    struct http_field fields[2];
    uint32_t count = 0;
    if (m->has_body)
        fields[count++] = (struct http_field){STR("Content-Type"), STR("application/json")};
    if (client->bearer)
        fields[count++] = (struct http_field){STR("Authorization"), str_of(client->bearer)};
    const struct http_call call = {.method = m->method,
                                   .url = url,
                                   .fields = fields,
                                   .field_count = count,
                                   .body = m->has_body ? buf_str(&m->body) : STR_NONE};
    enum status status = http_client_call(client->http, &call, &client->reply, &err);
    if (status != STATUS_OK)
        return not_sent(status, &err, error);
    if (client->reply.status < 200 || client->reply.status >= 300)
        return refused(&client->reply, error);
    *ret_len = client->reply.body.len;
    *ret_text = str_dup(buf_str(&client->reply.body));
    return *ret_text ? QUARRY_OK : client_fail(error, QUARRY_NO_MEMORY, "memory is out");
}

static enum quarry_status exchange_at(struct quarry *client, struct message *m, const char *cursor,
                                      char **ret_text, size_t *ret_len, struct quarry_error *error)
{
    struct buf url;
    if (m->bad)
        return client_fail(error, QUARRY_BAD_ARGUMENT, m->bad);
    buf_init(&url, 2 << 20);
    buf_printf(&url, "%s%.*s", client->urls[m->service], STR_ARG(buf_str(&m->path)));
    if (cursor) {
        buf_printf(&url, "%ccursor=", m->has_query ? '&' : '?');
        message_encode(&url, cursor);
    }
    buf_append_char(&url, 0);
    enum quarry_status status = QUARRY_OK;
    if (buf_failed(&url) || buf_failed(&m->path) || buf_failed(&m->body))
        status = client_fail(error, QUARRY_NO_MEMORY, "the request is too large, or memory is out");
    if (status == QUARRY_OK) {
        pthread_mutex_lock(&client->lock);
        status = exchange(client, m, url.data, ret_text, ret_len, error);
        pthread_mutex_unlock(&client->lock);
    }
    buf_release(&url);
    return status;
}

static void message_release(struct message *m)
{
    buf_release(&m->path);
    buf_release(&m->body);
}

/* The part of an answer as an answer of its own. */
static enum quarry_status take_member(struct quarry_answer **answer, const char *pointer,
                                      struct quarry_error *error)
{
    size_t len = 0;
    yyjson_val *value = yyjson_doc_ptr_get((*answer)->doc, pointer);
    char *text = value ? yyjson_val_write(value, 0, &len) : NULL;
    quarry_answer_free(*answer);
    *answer = NULL;
    return text ? answer_of(text, len, answer, error)
                : client_fail(error, QUARRY_BAD_ANSWER,
                              "the server's answer lacks what was asked for");
}

enum quarry_status message_send(struct quarry *client, struct message *m, const char *member,
                                struct quarry_answer **answer, struct quarry_error *error)
{
    char *text = NULL;
    size_t len = 0;
    if (answer)
        *answer = NULL;
    if (m->has_body)
        json_end_object(&m->w);
    enum quarry_status status = exchange_at(client, m, NULL, &text, &len, error);
    message_release(m);
    if (status != QUARRY_OK || !answer) {
        free(text);
        return status;
    }
    status = answer_of(text, len, answer, error);
    return status == QUARRY_OK && member ? take_member(answer, member, error) : status;
}

/* --- pages --- */

struct pages {
    struct buf rows;
    struct json_writer w;
    int64_t count, limit; /* limit 0: none */
    char *cursor;         /* of the next page */
};

static enum quarry_status add_page(struct pages *pages, const struct quarry_answer *answer,
                                   const char *name, struct quarry_error *error)
{
    size_t at, max;
    yyjson_val *row, *root = yyjson_doc_get_root(answer->doc);
    yyjson_val *rows = json_get(root, name);
    const char *next = yyjson_get_str(json_get(root, "next_cursor"));
    free(pages->cursor);
    pages->cursor = next ? strdup(next) : NULL;
    if (!yyjson_is_arr(rows))
        return client_fail(error, QUARRY_BAD_ANSWER, "the server's answer has no rows");
    yyjson_arr_foreach(rows, at, max, row)
    {
        if (!pages->limit || pages->count < pages->limit) {
            json_value(&pages->w, row);
            pages->count++;
        }
    }
    return next && !pages->cursor ? client_fail(error, QUARRY_NO_MEMORY, "memory is out")
                                  : QUARRY_OK;
}

static enum quarry_status fetch_pages(struct quarry *client, struct message *m, const char *name,
                                      struct pages *pages, struct quarry_error *error)
{
    enum quarry_status status = QUARRY_OK;
    do {
        struct quarry_answer *page = NULL;
        char *text = NULL;
        size_t len = 0;
        status = exchange_at(client, m, pages->cursor, &text, &len, error);
        if (status == QUARRY_OK)
            status = answer_of(text, len, &page, error);
        if (status == QUARRY_OK)
            status = add_page(pages, page, name, error);
        quarry_answer_free(page);
    } while (status == QUARRY_OK && pages->cursor &&
             !(pages->limit && pages->count >= pages->limit));
    return status;
}

enum quarry_status message_send_pages(struct quarry *client, struct message *m, const char *name,
                                      int64_t limit, struct quarry_answer **answer,
                                      struct quarry_error *error)
{
    struct pages pages = {.limit = limit};
    if (answer)
        *answer = NULL;
    buf_init(&pages.rows, CLIENT_REPLY_MAX);
    json_writer_init(&pages.w, &pages.rows);
    json_begin_array(&pages.w);
    message_query_int(m, "limit", limit && limit < CLIENT_PAGE ? limit : CLIENT_PAGE);
    enum quarry_status status = fetch_pages(client, m, name, &pages, error);
    json_end_array(&pages.w);
    message_release(m);
    if (status == QUARRY_OK && answer) {
        char *text = buf_failed(&pages.rows) ? NULL : str_dup(buf_str(&pages.rows));
        status = text ? answer_of(text, pages.rows.len, answer, error)
                      : client_fail(error, QUARRY_NO_MEMORY, "memory is out");
    }
    free(pages.cursor);
    buf_release(&pages.rows);
    return status;
}

/* --- any operation --- */

enum quarry_status quarry_call(struct quarry *client, enum quarry_service service,
                               const char *method, const char *path, const char *body_json,
                               struct quarry_answer **answer, struct quarry_error *error)
{
    struct message m;
    char *text = NULL;
    size_t len = 0;
    if (answer)
        *answer = NULL;
    message_init(&m, method, "");
    m.service = service == QUARRY_TENANT ? QUARRY_TENANT : QUARRY_CATALOG;
    message_need(&m, "a call needs a method", method);
    message_need(&m, "a call needs a path", path);
    buf_append_str(&m.path, str_of(path));
    if (body_json) {
        buf_append_str(&m.body, str_of(body_json));
        m.has_body = true;
    }
    enum quarry_status status = exchange_at(client, &m, NULL, &text, &len, error);
    message_release(&m);
    if (status != QUARRY_OK || !answer) {
        free(text);
        return status;
    }
    return answer_of(text, len, answer, error);
}

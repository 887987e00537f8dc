/* client.c: see client.h. Over libcurl's easy interface, connections kept alive. */
#include "cmd/quarry/client.h"

#include <curl/curl.h>
#include <stdlib.h>

struct client {
    CURL *curl;
    char *url;
};

void reply_init(struct reply *reply)
{
    *reply = (struct reply){0};
    buf_init(&reply->body, REPLY_BYTES_MAX);
}

void reply_release(struct reply *reply)
{
    buf_release(&reply->body);
}

enum status client_open(const char *url, struct client **ret_client, struct error *err)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return error_no_memory(err);
    client->curl = curl_easy_init();
    client->url = strdup(url);
    if (!client->curl || !client->url) {
        client_close(client);
        return error_no_memory(err);
    }
    size_t len = strlen(client->url);
    while (len && client->url[len - 1] == '/')
        client->url[--len] = 0;
    *ret_client = client;
    return STATUS_OK;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    if (client->curl)
        curl_easy_cleanup(client->curl);
    free(client->url);
    free(client);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct reply *reply = context;
    return buf_append(&reply->body, data, size * count) ? size * count : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct reply *reply = context;
    struct str line = str_make(data, size * count);
    static const struct str name = {"retry-after:", 12};
    int64_t seconds;
    if (line.len > name.len && str_eq_nocase(str_make(line.data, name.len), name) &&
        str_to_int64(str_trim(str_make(line.data + name.len, line.len - name.len)), &seconds) &&
        seconds >= 0 && seconds < 3600)
        reply->retry_after_s = (int)seconds;
    return line.len;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    char line[512];
    if (!value)
        return true;
    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool add_headers(struct curl_slist **list, const struct call *call)
{
    return add_header(list, "Accept", call->accept ? call->accept : "application/json") &&
           add_header(list, "Content-Type", call->content_type) &&
           add_header(list, "Content-Encoding", call->encoding) &&
           add_header(list, "Idempotency-Key", call->idempotency_key) &&
           (curl_slist_append(*list, "Expect:") != NULL);
}

static void set_options(CURL *curl, const struct call *call, struct reply *reply, char *failure)
{
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, failure);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, call->timeout_s ? call->timeout_s : 600L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
    if (call->content_type) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body.data ? call->body.data : "");
    }
}

static enum status perform(struct client *client, const struct call *call,
                           struct curl_slist *headers, const char *url, struct reply *reply,
                           struct error *err)
{
    char failure[CURL_ERROR_SIZE] = "";
    long status = 0;
    curl_easy_reset(client->curl); /* keeps the connection */
    set_options(client->curl, call, reply, failure);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    buf_clear(&reply->body);
    reply->retry_after_s = 0;
    CURLcode code = curl_easy_perform(client->curl);
    if (code != CURLE_OK)
        return error_set(err, STATUS_UNAVAILABLE, "no answer from %s: %s", client->url,
                         failure[0] ? failure : curl_easy_strerror(code));
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(client->curl, CURLINFO_TOTAL_TIME, &reply->seconds);
    reply->status = (int)status;
    return STATUS_OK;
}

enum status client_send(struct client *client, const struct call *call, struct reply *reply,
                        struct error *err)
{
    struct buf url;
    struct curl_slist *headers = NULL;
    enum status status;
    buf_init(&url, 64 * 1024);
    buf_append_str(&url, str_of(client->url));
    buf_append_str(&url, str_of(call->path));
    buf_append_char(&url, 0);
    if (buf_failed(&url) || !add_headers(&headers, call))
        status = error_set(err, STATUS_RESOURCE_LIMIT, "the request line is too long");
    else
        status = perform(client, call, headers, url.data, reply, err);
    curl_slist_free_all(headers);
    buf_release(&url);
    return status;
}

static enum status status_of_code(struct str code, int http)
{
    for (int i = 1; i < STATUS_COUNT; i++)
        if (str_is(code, status_info((enum status)i)->code))
            return (enum status)i;
    for (int i = 1; i < STATUS_COUNT; i++)
        if (status_info((enum status)i)->http == http)
            return (enum status)i;
    return STATUS_INTERNAL;
}

static int64_t detail_int(yyjson_val *detail, const char *name)
{
    yyjson_val *value = json_get(detail, name);
    return yyjson_is_int(value) ? yyjson_get_sint(value) : -1;
}

enum status reply_error(const struct reply *reply, struct error *err)
{
    yyjson_doc *doc = NULL;
    if (json_parse(buf_str(&reply->body), &doc, NULL) != STATUS_OK)
        return error_set(err, status_of_code(STR_NONE, reply->status),
                         "the server answered HTTP %d", reply->status);
    yyjson_val *error = json_get(yyjson_doc_get_root(doc), "error");
    yyjson_val *detail = json_get(error, "detail");
    struct str message = json_str_of(json_get(error, "message"));
    enum status status =
        error_set(err, status_of_code(json_str_of(json_get(error, "code")), reply->status), "%.*s",
                  (int)(message.len < 400 ? message.len : 400), message.data ? message.data : "");
    err->record = detail_int(detail, "record");
    err->line = detail_int(detail, "line");
    err->offset = detail_int(detail, "offset");
    struct str field = json_str_of(json_get(detail, "field"));
    struct str value = json_str_of(json_get(detail, "value"));
    error_at_field(err, field.data, (uint32_t)field.len, value.data, (uint32_t)value.len);
    yyjson_doc_free(doc);
    return status;
}

static void complain_detail(yyjson_val *detail)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(detail, at, max, key, value)
    {
        if (yyjson_is_str(value)) {
            fprintf(stderr, "  %s: %s\n", yyjson_get_str(key), yyjson_get_str(value));
            continue;
        }
        char *text = yyjson_val_write(value, 0, NULL);
        fprintf(stderr, "  %s: %s\n", yyjson_get_str(key), text ? text : "?");
        free(text);
    }
}

void reply_complain(const struct reply *reply)
{
    yyjson_doc *doc = NULL;
    if (json_parse(buf_str(&reply->body), &doc, NULL) != STATUS_OK) {
        cli_complain("the server answered HTTP %d", reply->status);
        return;
    }
    yyjson_val *error = json_get(yyjson_doc_get_root(doc), "error");
    const char *code = yyjson_get_str(json_get(error, "code"));
    const char *message = yyjson_get_str(json_get(error, "message"));
    const char *request_id = yyjson_get_str(json_get(error, "request_id"));
    cli_complain("%s: %s (HTTP %d)", code ? code : "error", message ? message : "no message",
                 reply->status);
    complain_detail(json_get(error, "detail"));
    if (request_id)
        fprintf(stderr, "  request_id: %s\n", request_id);
    yyjson_doc_free(doc);
}

int client_once(struct cli *cli, const struct call *call, struct reply *reply)
{
    struct client *client = NULL;
    struct error err = ERROR_INIT;
    enum status status = client_open(cli->url, &client, &err);
    if (status == STATUS_OK)
        status = client_send(client, call, reply, &err);
    client_close(client);
    if (status != STATUS_OK) {
        cli_complain_error(&err);
        return EXIT_UNREACHABLE;
    }
    if (reply_good(reply))
        return EXIT_DONE;
    if (cli->json)
        printf("%.*s\n", (int)reply->body.len, reply->body.data ? reply->body.data : "");
    reply_complain(reply);
    return EXIT_REFUSED;
}

int client_json(struct cli *cli, const struct call *call, yyjson_doc **ret_doc, double *ret_seconds)
{
    struct reply reply;
    struct error err = ERROR_INIT;
    *ret_doc = NULL;
    reply_init(&reply);
    int code = client_once(cli, call, &reply);
    if (ret_seconds)
        *ret_seconds = reply.seconds;
    if (code == EXIT_DONE && cli->json) {
        fwrite(reply.body.data, 1, reply.body.len, stdout);
        fputc('\n', stdout);
    } else if (code == EXIT_DONE && json_parse(buf_str(&reply.body), ret_doc, &err) != STATUS_OK) {
        cli_complain("the server's answer is not JSON: %s", err.message);
        code = EXIT_REFUSED;
    }
    reply_release(&reply);
    return code;
}

void url_append(struct buf *buf, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c);
        if (plain && c) {
            buf_append_char(buf, (char)c);
        } else {
            char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_append(buf, escaped, sizeof escaped);
        }
    }
}

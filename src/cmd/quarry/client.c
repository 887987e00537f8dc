/* client.c: see client.h. Over net/http_client.h. */
#include "cmd/quarry/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/http_client.h"
#include "sys/sys.h"

enum { TIMEOUT_USUAL_S = 600, FIELDS_MAX = 5, BEARER_MAX = 8192 + 16 };

struct client {
    struct http_client *http;
    struct http_reply reply;
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
    http_reply_init(&client->reply, REPLY_BYTES_MAX);
    client->url = strdup(url);
    if (!client->url) {
        client_close(client);
        return error_no_memory(err);
    }
    /* A slow query sends nothing for long: the call's own timeout ends it. */
    const char *ca_file = getenv("QUARRY_CA_FILE");
    const struct http_client_options options = {.stall_timeout_s = 24 * 3600,
                                                .ca_file = ca_file && ca_file[0] ? ca_file : NULL};
    enum status status = http_client_new(&options, &client->http, err);
    if (status != STATUS_OK) {
        client_close(client);
        return status;
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
    http_client_free(client->http);
    http_reply_release(&client->reply);
    free(client->url);
    free(client);
}

static void add_field(struct http_call *call, struct http_field *fields, const char *name,
                      const char *value)
{
    if (value)
        fields[call->field_count++] = (struct http_field){str_of(name), str_of(value)};
}

/* The answer's body is handed over, not copied. */
static void take_reply(struct client *client, struct reply *reply)
{
    struct buf body = reply->body;
    int64_t seconds;
    reply->status = client->reply.status;
    reply->body = client->reply.body;
    client->reply.body = body;
    struct str retry_after = http_reply_header(&client->reply, "Retry-After");
    bool sane =
        retry_after.data && str_to_int64(retry_after, &seconds) && seconds >= 0 && seconds < 3600;
    reply->retry_after_s = sane ? (int)seconds : 0;
}

static enum status perform(struct client *client, const struct call *call, const char *url,
                           struct reply *reply, struct error *err)
{
    struct http_field fields[FIELDS_MAX];
    char bearer[BEARER_MAX];
    struct http_call http = {
        .method = call->method,
        .url = url,
        .fields = fields,
        .timeout_ms = (int)(call->timeout_s ? call->timeout_s : TIMEOUT_USUAL_S) * 1000,
    };
    add_field(&http, fields, "Accept", call->accept ? call->accept : "application/json");
    add_field(&http, fields, "Content-Type", call->content_type);
    add_field(&http, fields, "Content-Encoding", call->encoding);
    add_field(&http, fields, "Idempotency-Key", call->idempotency_key);
    const char *token = getenv("QUARRY_TOKEN");
    if (token && token[0] && snprintf(bearer, sizeof bearer, "Bearer %s", token) < BEARER_MAX)
        add_field(&http, fields, "Authorization", bearer);
    if (call->content_type)
        http.body = call->body.data ? call->body : STR("");
    reply->status = 0;
    reply->retry_after_s = 0;
    int64_t begun = sys_mono_us(sys_posix());
    enum status status = http_client_call(client->http, &http, &client->reply, err);
    reply->seconds = (double)(sys_mono_us(sys_posix()) - begun) / 1e6;
    if (status == STATUS_OK)
        take_reply(client, reply);
    return status;
}

enum status client_send(struct client *client, const struct call *call, struct reply *reply,
                        struct error *err)
{
    struct buf url;
    buf_init(&url, 64 * 1024);
    buf_append_str(&url, str_of(client->url));
    buf_append_str(&url, str_of(call->path));
    buf_append_char(&url, 0);
    enum status status = buf_check(&url, "the request line", err);
    if (status == STATUS_OK)
        status = perform(client, call, url.data, reply, err);
    if (status == STATUS_UNAVAILABLE)
        (void)error_wrap(err, "no answer from %s", client->url);
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
        return status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT ? EXIT_UNREACHABLE
                                                                        : EXIT_USAGE;
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

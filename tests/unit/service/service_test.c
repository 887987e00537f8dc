/* The framework as a client sees it: a service on a free port whose handlers echo what was decoded;
 * exact status lines and bodies, over a raw socket. */
#include "service/service.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct service *service;
static char answer[1 << 16];

/* --- handlers: the decoded values as JSON --- */

static enum status echo_search(struct request *request)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, 65536);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_int(&w, "limit", request_has(request, "limit") ? request_int(request, "limit") : -1);
    json_kv_int(&w, "offset", request_int(request, "offset"));
    json_kv_str(&w, "cursor", request_str(request, "cursor"));
    json_kv_bool(&w, "filters", request_json(request, "filters") != NULL);
    json_kv_int(&w, "accept", request_accept(request));
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

static enum status echo_source(struct request *request)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, 65536);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_str(&w, "compression", request_str(request, "compression"));
    json_kv_int(&w, "max_file_size_mb", request_int(request, "max_file_size_mb"));
    json_kv_bool(&w, "wal_enabled", request_bool(request, "wal_enabled"));
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

static enum status echo_write(struct request *request)
{
    struct buf body;
    struct json_writer w;
    if (request->body_kind == BODY_JSON)
        TRY(request_decode_json(request, http_request_body(request->http), "records"));
    buf_init(&body, 65536);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_int(&w, "kind", request->body_kind);
    json_kv_str(&w, "source_id", request_str(request, "source_id"));
    json_kv_str(&w, "write_id", request_str(request, "write_id"));
    json_kv_str(&w, "key", request_str(request, "Idempotency-Key"));
    json_kv_str(&w, "encoding", request->encoding);
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

static enum status refuse(struct request *request)
{
    enum status status =
        error_set(&request->error, STATUS_TOO_MANY_REQUESTS, "the queue of '%s' is full", "stats");
    request->error.retry_after_s = 7;
    return status;
}

static enum status aggregate_ok(struct request *request)
{
    struct buf body;
    buf_init(&body, 64);
    buf_append_str(&body, STR("{}"));
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

static enum status fail_in_stream(struct request *request)
{
    TRY(request_begin(request, 200, STR("application/json"), &request->error));
    TRY(http_write(request->http, STR("[1,"), &request->error));
    return error_set(&request->error, STATUS_CORRUPT, "a page is damaged");
}

static const struct service_handler handlers[] = {
    {"data_search", echo_search}, {"sources_add", echo_source},
    {"data_write", echo_write},   {"data_aggregate", aggregate_ok},
    {"tenant_stats", refuse},     {"queries_list", fail_in_stream},
};

static int set_up(void **state)
{
    (void)state;
    const struct service_options options = {.kind = SERVICE_TENANT,
                                            .version = "9.9.9",
                                            .sys = sys_posix(),
                                            .handlers = handlers,
                                            .handlers_len = sizeof handlers / sizeof *handlers,
                                            .http = {.host = "127.0.0.1"}};
    struct error err = ERROR_INIT;
    if (service_start(&options, &service, &err) == STATUS_OK)
        return 0;
    print_error("%s\n", err.message);
    return 1;
}

static int tear_down(void **state)
{
    (void)state;
    service_stop(service, 1000);
    return 0;
}

/* --- a client --- */

static void ask(const char *method, const char *target, const char *headers, const char *body)
{
    static char text[1 << 16];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(service_port(service)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int n = snprintf(text, sizeof text,
                     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: r-1\r\n"
                     "Content-Length: %zu\r\n%s\r\n%s",
                     method, target, strlen(body), headers, body);
    assert_int_equal(write(fd, text, (size_t)n), n);
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, answer + len, sizeof answer - 1 - len)) > 0)
        len += (size_t)got;
    answer[len] = 0;
    close(fd);
}

static int status_of(void)
{
    return atoi(answer + 9);
}

static const char *body_of(void)
{
    const char *body = strstr(answer, "\r\n\r\n");
    return body ? body + 4 : "";
}

static void expect(const char *method, const char *target, const char *headers, const char *body,
                   int status, const char *expected)
{
    ask(method, target, headers, body);
    assert_string_equal(body_of(), expected);
    assert_int_equal(status_of(), status);
}

/* An error with this code, message and detail. */
static void expect_error(const char *method, const char *target, const char *headers,
                         const char *body, int status, const char *code, const char *message,
                         const char *detail)
{
    char expected[4096];
    snprintf(expected, sizeof expected,
             "{\"success\":false,\"error_message\":\"%s\",\"error\":{\"code\":\"%s\","
             "\"message\":\"%s\",\"detail\":{%s},\"request_id\":\"r-1\"}}",
             message, code, message, detail);
    expect(method, target, headers, body, status, expected);
}

static void expect_400(const char *path, const char *body, const char *message, const char *detail)
{
    expect_error("POST", path, "", body, 400, "invalid_argument", message, detail);
}

/* --- tests --- */

static void test_defaults_and_values(void **state)
{
    (void)state;
    expect("POST", "/data/search", "", "{}", 200,
           "{\"limit\":-1,\"offset\":0,\"cursor\":null,\"filters\":false,\"accept\":0}");
    expect("POST", "/search", "",
           "{\"limit\":5,\"offset\":2,\"cursor\":\"c\",\"filters\":{},\"source_ids\":null}", 200,
           "{\"limit\":5,\"offset\":2,\"cursor\":\"c\",\"filters\":true,\"accept\":0}");
    expect("POST", "/sources/add", "",
           "{\"source_id\":\"s\",\"name\":\"n\",\"connection_string\":\"c\",\"data_path\":\"d\","
           "\"schema_definition\":{\"a\":\"int64\"}}",
           200, "{\"compression\":\"snappy\",\"max_file_size_mb\":256,\"wal_enabled\":true}");
}

static void test_wrong_fields(void **state)
{
    (void)state;
    expect_400("/data/search", "{\"limt\":1}", "unknown field 'limt'; did you mean 'limit'?",
               "\"field\":\"limt\"");
    expect_400("/data/search", "{\"colour\":1}",
               "unknown field 'colour'; known are source_ids, filters, limit, offset, "
               "select_columns, order_by, cursor, global_limit, global_offset, as_of, "
               "explain, hint, plan_id, optimization_level",
               "\"field\":\"colour\"");
    expect_400("/data/search", "{\"limit\":\"5\"}", "'limit' must be an integer, not a string",
               "\"field\":\"limit\",\"value\":\"5\"");
    expect_400("/data/search", "{\"limit\":1.5}", "'limit' must be an integer, not a number",
               "\"field\":\"limit\"");
    expect_400("/data/search", "{\"limit\":-1}", "'limit' must be an integer of at least 0",
               "\"field\":\"limit\",\"value\":\"-1\"");
    expect_400("/data/search", "{\"limit\":18446744073709551615}",
               "'limit' is beyond 64 bits: 18446744073709551615 is not possible",
               "\"field\":\"limit\",\"value\":\"18446744073709551615\"");
    expect_400("/data/search", "{\"source_ids\":[\"a\",1]}",
               "'source_ids' must be an array of strings, not an array",
               "\"field\":\"source_ids\"");
    expect_400("/data/search", "{\"filters\":[]}", "'filters' must be an object, not an array",
               "\"field\":\"filters\"");
    expect_400("/sources/add", "{\"source_id\":\"s\"}", "'name' is required: a string",
               "\"field\":\"name\"");
    expect_400("/sources/add", "{\"source_id\":null}", "'source_id' is required: a string",
               "\"field\":\"source_id\"");
}

static void test_nested_fields(void **state)
{
    (void)state;
    expect("POST", "/data/aggregate", "", "{\"aggregations\":[{\"type\":\"count\"}]}", 200, "{}");
    expect_400("/data/aggregate", "{\"aggregations\":[{\"type\":\"count\"},{\"column\":\"x\"}]}",
               "'aggregations[1].type' is required: a string",
               "\"field\":\"aggregations[1].type\"");
    expect_400("/data/aggregate", "{\"aggregations\":[{\"type\":\"median\"}]}",
               "'aggregations[0].type' must be one of count, sum, avg, min, max, count_distinct, "
               "stddev, percentile",
               "\"field\":\"aggregations[0].type\",\"value\":\"median\"");
    expect_400("/data/aggregate",
               "{\"aggregations\":[{\"type\":\"percentile\",\"percentile\":50}]}",
               "'aggregations[0].percentile' must be a number from 0 to 1",
               "\"field\":\"aggregations[0].percentile\",\"value\":\"50.0\"");
    expect_400("/data/aggregate", "{\"aggregations\":[{\"type\":\"count\",\"name\":\"x\"}]}",
               "unknown field 'aggregations[0].name'; known are type, column, alias, percentile",
               "\"field\":\"aggregations[0].name\"");
    expect_400("/data/aggregate", "{\"aggregations\":[7]}",
               "'aggregations[0]' must be an object, not a number",
               "\"field\":\"aggregations[0]\"");
}

static void test_bodies(void **state)
{
    (void)state;
    expect_400("/data/search", "[]", "the body must be a JSON object, not an array", "");
    expect_error("POST", "/data/search", "", "", 400, "invalid_json",
                 "the body is empty; a JSON object is expected", "");
    ask("POST", "/data/search", "", "{\"limit\":}");
    assert_int_equal(status_of(), 400);
    assert_non_null(strstr(answer, "\"code\":\"invalid_json\""));
    assert_non_null(strstr(answer, "\"detail\":{\"offset\":9,\"line\":1,\"column\":10}"));
    expect_400("/data/search", "{\"limit\":1,\"limit\":2}",
               "the key 'limit' stands twice in one object", "");
    expect_error("POST", "/data/search", "Content-Type: text/plain\r\n", "{}", 415,
                 "unsupported_media",
                 "Content-Type 'text/plain' is not read by data_search; it takes "
                 "application/json ",
                 "");
    expect_error("POST", "/data/search", "Content-Type: application/json; charset=latin1\r\n", "{}",
                 415, "unsupported_media", "the body must be UTF-8, not charset=latin1", "");
    expect_error("POST", "/data/search", "Content-Encoding: gzip\r\n", "{}", 415,
                 "unsupported_media",
                 "Content-Encoding 'gzip' is not read by data_search; it takes none", "");
    ask("POST", "/data/search", "Content-Type: Application/JSON; charset=UTF-8\r\n", "{}");
    assert_int_equal(status_of(), 200);
}

static void test_either(void **state)
{
    (void)state;
    expect("POST", "/data/write", "Content-Type: application/json\r\n",
           "{\"source_id\":\"s\",\"write_id\":\"w\"}", 200,
           "{\"kind\":1,\"source_id\":\"s\",\"write_id\":\"w\",\"key\":null,\"encoding\":null}");
    expect("POST", "/data/write?source_id=s%20t&write_id=",
           "Content-Type: text/csv\r\nIdempotency-Key: k\r\nContent-Encoding: gzip\r\n", "x", 200,
           "{\"kind\":4,\"source_id\":\"s t\",\"write_id\":\"\",\"key\":\"k\",\"encoding\":"
           "\"gzip\"}");
    expect_error("POST", "/data/write?source_id=s", "Content-Type: application/json\r\n", "{}", 400,
                 "invalid_argument", "'source_id' belongs in the JSON body, not in the query", "");
    expect_error("POST", "/data/write", "Content-Type: application/x-ndjson\r\n", "{}", 400,
                 "invalid_argument", "'source_id' is required: a string",
                 "\"field\":\"source_id\"");
    expect_error("POST", "/data/write?source_id=a&source_id=b", "Content-Type: text/csv\r\n", "x",
                 400, "invalid_argument", "'source_id' stands twice in the query", "");
    expect_error("POST", "/data/write?sourceid=a", "Content-Type: text/csv\r\n", "x", 400,
                 "invalid_argument",
                 "unknown query parameter 'sourceid'; did you mean 'source_id'?",
                 "\"field\":\"sourceid\"");
    expect_error("POST", "/data/search?pretty=1", "", "{}", 400, "invalid_argument",
                 "unknown query parameter 'pretty'; there are none", "\"field\":\"pretty\"");
}

static void test_routes(void **state)
{
    (void)state;
    expect_error("GET", "/nothing/here", "", "", 404, "unknown_route",
                 "no operation has the path '/nothing/here'; see /openapi.json", "");
    expect_error("GET", "/data/write", "", "", 405, "method_not_allowed",
                 "GET is not a method of '/data/write'; it has POST, OPTIONS", "");
    assert_non_null(strstr(answer, "\r\nAllow: POST, OPTIONS\r\n"));
    ask("OPTIONS", "/data/write", "", "");
    assert_int_equal(status_of(), 204);
    assert_non_null(strstr(answer, "\r\nAllow: POST, OPTIONS\r\n"));
    expect_error("POST", "/data/execute", "", "{}", 501, "not_implemented",
                 "data_execute is not part of this release; it is planned for 0.4", "");
    ask("GET", "/sources/..%2Fx/stats", "", "");
    assert_true(status_of() == 404 || status_of() == 501);
}

static void test_failures(void **state)
{
    (void)state;
    expect_error("GET", "/tenant/stats", "", "", 429, "too_many_requests",
                 "the queue of 'stats' is full", "\"retry_after_s\":7");
    assert_non_null(strstr(answer, "\r\nRetry-After: 7\r\n"));
    assert_non_null(strstr(answer, "\r\nX-Request-Id: r-1\r\n"));
    ask("GET", "/queries", "", ""); /* fails in mid-stream: cut (perhaps before all of it has
                                     * arrived), not ended */
    assert_null(strstr(answer, "0\r\n\r\n"));
}

static void test_request_ids(void **state)
{
    (void)state;
    char long_id[200];
    memset(long_id, 'a', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = 0;
    static const char *const bad[] = {"a b", "a\"b", "", NULL};
    for (int i = 0; i < 4; i++) {
        char headers[300];
        snprintf(headers, sizeof headers, "X-Request-Id: %s\r\n", bad[i] ? bad[i] : long_id);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons(service_port(service)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        char text[600];
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        int n = snprintf(text, sizeof text,
                         "GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", headers);
        assert_int_equal(write(fd, text, (size_t)n), n);
        size_t len = 0;
        ssize_t got;
        while ((got = read(fd, answer + len, sizeof answer - 1 - len)) > 0)
            len += (size_t)got;
        answer[len] = 0;
        close(fd);
        const char *id = strstr(answer, "\r\nX-Request-Id: ");
        assert_non_null(id);
        assert_int_equal(strcspn(id + 16, "\r"), 36);
    }
}

static void test_accept(void **state)
{
    static const struct {
        const char *header;
        const char *expected;
    } cases[] = {
        {"Accept: text/event-stream\r\n", "\"accept\":2"},
        {"Accept: application/x-ndjson, */*;q=0.1\r\n", "\"accept\":1"},
        {"Accept: text/csv;q=0.5, application/json;q=0.4\r\n", "\"accept\":3"},
        {"Accept: */*\r\n", "\"accept\":0"},
        {"Accept: image/png\r\n", "\"accept\":0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask("POST", "/data/search", cases[i].header, "{}");
        assert_non_null(strstr(body_of(), cases[i].expected));
    }
}

static void test_common(void **state)
{
    (void)state;
    expect("GET", "/ready", "", "", 200, "{\"ready\":true,\"service\":\"tenant-node\"}");
    ask("GET", "/health", "", "");
    assert_int_equal(status_of(), 200);
    assert_non_null(strstr(body_of(), "{\"healthy\":true,\"status\":\"OK\",\"service\":"
                                      "\"tenant-node\",\"version\":\"9.9.9\",\"details\":{"));
    ask("GET", "/metrics", "", "");
    assert_int_equal(status_of(), 200);
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(body_of(), "quarry_http_requests_total{service=\"tenant-node\","
                                      "operation=\"tenant_stats\",status=\"429\"} 1\n"));
    assert_non_null(strstr(body_of(), "quarry_build_info{service=\"tenant-node\",version="
                                      "\"9.9.9\"} 1\n"));
    service_drain(service);
    expect_error("GET", "/ready", "", "", 503, "unavailable", "tenant-node is draining", "");
    assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_wrong_fields),
        cmocka_unit_test(test_nested_fields),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_either),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_common),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

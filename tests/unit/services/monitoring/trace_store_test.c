/* trace_store and otlp: spans in from JSON, traces by age and duration, bounds; the OTLP body. */
#include "services/monitoring/trace_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/monitoring/otlp.h"

static struct trace_store *store;

static int set_up(void **state)
{
    (void)state;
    return trace_store_new(&store, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    (void)state;
    trace_store_free(store);
    return 0;
}

static struct stored_span span_of(unsigned trace, unsigned id, unsigned parent, int kind,
                                  const char *service, const char *name, int64_t start_us,
                                  int64_t duration_us)
{
    struct stored_span span = {.kind = kind, .start_us = start_us, .duration_us = duration_us};
    snprintf(span.trace_id, sizeof span.trace_id, "%032x", trace);
    snprintf(span.span_id, sizeof span.span_id, "%016x", id);
    if (parent)
        snprintf(span.parent_id, sizeof span.parent_id, "%016x", parent);
    snprintf(span.service, sizeof span.service, "%s", service);
    snprintf(span.name, sizeof span.name, "%s", name);
    snprintf(span.tenant, sizeof span.tenant, "%s", kind == STORED_SERVER ? "acme" : "");
    memcpy(span.notes, "{\"rows\":3}", 11);
    return span;
}

static void put(struct stored_span span)
{
    trace_store_put(store, &span);
}

static void fill(void)
{
    put(span_of(1, 12, 11, STORED_INTERNAL, "tenant-node", "search.scan", 120, 50));
    put(span_of(1, 11, 10, STORED_SERVER, "tenant-node", "data_search", 110, 80));
    put(span_of(1, 10, 0, STORED_SERVER, "auth-gateway", "data_search", 100, 100));
    put(span_of(2, 20, 0, STORED_SERVER, "tenant-node", "data_write", 200, 500));
    put(span_of(3, 30, 9, STORED_SERVER, "tenant-node", "data_search", 300, 10));
}

static size_t list(struct trace_question question, unsigned ids[10])
{
    struct trace_summary found[10];
    if (!question.limit)
        question.limit = 10;
    size_t n = trace_store_list(store, &question, found);
    for (size_t i = 0; i < n; i++)
        ids[i] = (unsigned)strtoul(found[i].top.trace_id, NULL, 16);
    return n;
}

static void test_list(void **state)
{
    unsigned ids[10];
    struct trace_summary first;
    (void)state;
    assert_int_equal(list((struct trace_question){0}, ids), 0);
    fill();
    assert_int_equal(list((struct trace_question){0}, ids), 3);
    assert_true(ids[0] == 3 && ids[1] == 2 && ids[2] == 1);
    assert_int_equal(list((struct trace_question){.slowest = true, .limit = 2}, ids), 2);
    assert_true(ids[0] == 2 && ids[1] == 1);
    assert_int_equal(list((struct trace_question){.service = STR("auth-gateway")}, ids), 1);
    assert_int_equal(list((struct trace_question){.operation = STR("data_search")}, ids), 2);
    assert_int_equal(list((struct trace_question){.operation = STR("search.scan")}, ids), 0);
    assert_int_equal(list((struct trace_question){.min_us = 90}, ids), 2);
    assert_int_equal(list((struct trace_question){.since_us = 250}, ids), 1);
    assert_int_equal(list((struct trace_question){.tenant = STR("other")}, ids), 0);
    assert_int_equal(list((struct trace_question){.failed = true}, ids), 0);
    struct trace_question slow = {.service = STR("auth-gateway"), .limit = 1};
    assert_int_equal(trace_store_list(store, &slow, &first), 1);
    assert_string_equal(first.top.service, "auth-gateway");
    assert_int_equal(first.spans, 3);
}

static void test_get(void **state)
{
    struct stored_span spans[10];
    (void)state;
    fill();
    assert_int_equal(trace_store_get(store, STR("00000000000000000000000000000001"), spans, 10), 3);
    assert_string_equal(spans[0].name, "data_search");
    assert_string_equal(spans[2].name, "search.scan");
    assert_int_equal(trace_store_get(store, STR("00000000000000000000000000000001"), spans, 2), 2);
    assert_int_equal(trace_store_get(store, STR("1"), spans, 10), 0);
    assert_int_equal(trace_store_get(store, STR_NONE, spans, 10), 0);
}

static void test_ring(void **state)
{
    unsigned ids[10];
    (void)state;
    fill();
    for (unsigned i = 0; i < TRACE_STORE_SPANS; i++)
        put(span_of(100 + i, i + 1, 0, STORED_SERVER, "s", "n", i, 1));
    assert_int_equal(list((struct trace_question){.operation = STR("data_search")}, ids), 0);
    assert_int_equal(list((struct trace_question){.limit = 1}, ids), 1);
    assert_int_equal(ids[0], 100 + TRACE_STORE_SPANS - 1);
}

static bool parse(const char *text, struct stored_span *ret)
{
    yyjson_doc *doc = NULL;
    assert_int_equal(json_parse(str_of(text), &doc, NULL), STATUS_OK);
    bool good = stored_span_parse(yyjson_doc_get_root(doc), STR("svc"), ret);
    yyjson_doc_free(doc);
    return good;
}

#define IDS "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\","

static void test_parse(void **state)
{
    struct stored_span span;
    (void)state;
    assert_true(parse("{" IDS
                      "\"parent_id\":null,\"name\":\"n\",\"kind\":\"client\",\"failed\":true,"
                      "\"status\":503,\"start_us\":5,\"duration_us\":6,\"notes\":{\"rows\":1}}",
                      &span));
    assert_int_equal(span.kind, STORED_CLIENT);
    assert_int_equal(span.status, 503);
    assert_true(span.failed);
    assert_string_equal(span.notes, "{\"rows\":1}");
    assert_string_equal(span.service, "svc");
    assert_false(parse("{}", &span));
    assert_false(parse("[]", &span));
    assert_false(parse("{\"trace_id\":\"xyz\",\"span_id\":\"b7ad6b7169203331\"}", &span));
    assert_true(parse("{" IDS "\"name\":\"n\",\"notes\":[1]}", &span));
    assert_string_equal(span.notes, "{}");
}

static void test_otlp(void **state)
{
    struct stored_span spans[] = {
        span_of(1, 10, 0, STORED_SERVER, "auth-gateway", "data_search", 1000000, 250),
        span_of(1, 11, 10, STORED_SERVER, "tenant-node", "data_search", 1000100, 100)};
    struct buf body;
    yyjson_doc *doc = NULL;
    (void)state;
    spans[1].failed = true;
    spans[1].status = 500;
    buf_init(&body, OTLP_BODY_MAX);
    otlp_write(&body, spans, 2);
    assert_int_equal(json_parse(buf_str(&body), &doc, NULL), STATUS_OK);
    yyjson_val *resources = json_get(yyjson_doc_get_root(doc), "resourceSpans");
    assert_int_equal(yyjson_arr_size(resources), 2);
    yyjson_val *scopes = json_get(yyjson_arr_get(resources, 1), "scopeSpans");
    yyjson_val *span = yyjson_arr_get(json_get(yyjson_arr_get(scopes, 0), "spans"), 0);
    assert_string_equal(yyjson_get_str(json_get(span, "startTimeUnixNano")), "1000100000");
    assert_string_equal(yyjson_get_str(json_get(span, "endTimeUnixNano")), "1000200000");
    assert_string_equal(yyjson_get_str(json_get(span, "parentSpanId")), "000000000000000a");
    assert_int_equal(yyjson_get_int(json_get(json_get(span, "status"), "code")), 2);
    assert_int_equal(yyjson_get_int(json_get(span, "kind")), 2);
    yyjson_doc_free(doc);
    buf_clear(&body);
    otlp_write(&body, spans, 0);
    assert_true(str_is(buf_str(&body), "{\"resourceSpans\":[]}"));
    buf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_get, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ring, set_up, tear_down),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_otlp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

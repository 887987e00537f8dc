/* Every error code by one minimal body, with its place; the limits from both sides; that all
 * mistakes of one body are told at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "query/dsl/dsl.h"
#include "query/dsl/text.h"

static const struct field order_fields[] = {
    {STR("id"), TYPE_INT64, 1}, {STR("customer"), TYPE_STRING, 2}, {STR("amount"), TYPE_DOUBLE, 3},
    {STR("day"), TYPE_DATE, 4}, {STR("at"), TYPE_TIMESTAMP, 5},    {STR("paid"), TYPE_BOOL, 6},
    {STR("doc"), TYPE_JSON, 7},
};
static const struct field people_fields[] = {{STR("id"), TYPE_INT64, 1},
                                             {STR("name"), TYPE_STRING, 2}};
static const struct dsl_source sources[] = {{STR("orders"), order_fields, 7},
                                            {STR("people"), people_fields, 2}};
static const struct dsl_catalog catalog = {sources, 2};

struct parsed {
    struct arena arena;
    yyjson_doc *doc;
    struct dsl_query *query;
    const struct dsl_errors *errors;
};

static void parse_with(struct parsed *p, const char *text, struct dsl_options options)
{
    struct error err = ERROR_INIT;
    options.catalog = &catalog;
    arena_init(&p->arena, 0);
    assert_int_equal(json_parse(str_of(text), &p->doc, &err), STATUS_OK);
    assert_int_equal(dsl_parse(&p->arena, yyjson_doc_get_root(p->doc), &options, &p->query, &err),
                     STATUS_OK);
    p->errors = dsl_query_errors(p->query);
}

static void parse(struct parsed *p, const char *text)
{
    parse_with(p, text, (struct dsl_options){.catalog = &catalog});
}

static void release(struct parsed *p)
{
    yyjson_doc_free(p->doc);
    arena_release(&p->arena);
}

static const struct {
    const char *body;
    enum dsl_code code;
    const char *path;
    const char *hint; /* NULL: any */
} cases[] = {
    {"[]", DSL_BAD_VALUE, "", NULL},
    {"{}", DSL_MISSING_FIELD, "/source", NULL},
    {"{\"source\":\"orders\",\"lmit\":1}", DSL_UNKNOWN_KEY, "/lmit", "did you mean \"limit\"?"},
    {"{\"source\":\"orders\",\"from\":\"orders\"}", DSL_BAD_VALUE, "/from", NULL},
    {"{\"query_type\":\"filtre\",\"source\":\"orders\"}", DSL_UNKNOWN_QUERY_TYPE, "/query_type",
     "did you mean \"filter\"?"},
    {"{\"query_type\":\"delete\",\"source\":\"orders\"}", DSL_UNKNOWN_QUERY_TYPE, "/query_type",
     "the DSL reads; write with /data/write"},
    {"{\"source\":\"order\"}", DSL_UNKNOWN_SOURCE, "/source", "did you mean \"orders\"?"},
    {"{\"source\":\"x*\"}", DSL_UNKNOWN_SOURCE, "/source", NULL},
    {"{\"source\":\"orders\",\"conditions\":[{\"field\":\"amount\",\"operator\":\"gtee\",\"value\":"
     "1}]}",
     DSL_UNKNOWN_OPERATOR, "/conditions/0/operator", "did you mean \"gte\"?"},
    {"{\"source\":\"orders\",\"conditions\":[{\"field\":\"amout\",\"operator\":\"gt\",\"value\":1}]"
     "}",
     DSL_UNKNOWN_COLUMN, "/conditions/0/field", "did you mean \"amount\"?"},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"amount\",\"operator\":\"gt\",\"value\":"
     "\"x\"}}",
     DSL_TYPE_MISMATCH, "/conditions/value", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id\",\"operator\":\"eq\",\"value\":null}}",
     DSL_BAD_VALUE, "/conditions/value", "use is_null"},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id\",\"operator\":\"ne\",\"value\":null}}",
     DSL_BAD_VALUE, "/conditions/value", "use is_not_null"},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id\",\"operator\":\"in\",\"value\":[1,"
     "null]}}",
     DSL_BAD_VALUE, "/conditions/value/1", "use is_null"},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id\",\"operator\":\"between\",\"value\":["
     "1]}}",
     DSL_BAD_VALUE, "/conditions/value", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id\",\"operator\":\"gt\"}}",
     DSL_MISSING_FIELD, "/conditions/value", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id\",\"operator\":\"gt\",\"value\":[1]}}",
     DSL_BAD_VALUE, "/conditions/value", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id.x\",\"operator\":\"gt\",\"value\":1}}",
     DSL_TYPE_MISMATCH, "/conditions/field", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"a[\",\"operator\":\"gt\",\"value\":1}}",
     DSL_BAD_VALUE, "/conditions/field", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"day\",\"operator\":\"gt\",\"value\":"
     "\"2024-02-30\"}}",
     DSL_TYPE_MISMATCH, "/conditions/value", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"paid\",\"operator\":\"eq\",\"value\":1}}",
     DSL_TYPE_MISMATCH, "/conditions/value", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"id\",\"operator\":\"like\",\"value\":"
     "\"1\"}}",
     DSL_TYPE_MISMATCH, "/conditions/field", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"field\":\"customer\",\"operator\":\"like\","
     "\"value\":\"x\\\\\"}}",
     DSL_BAD_VALUE, "/conditions/value", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"or\":[]}}", DSL_BAD_VALUE, "/conditions/or", NULL},
    {"{\"source\":\"orders\",\"conditions\":{\"or\":[],\"and\":[]}}", DSL_BAD_VALUE, "/conditions",
     NULL},
    {"{\"source\":\"orders\",\"filters\":{\"id\":[1]}}", DSL_BAD_VALUE, "/filters/id",
     "write {\"in\": [...]}"},
    {"{\"source\":\"orders\",\"filters\":{\"id\":{\"equals\":1}}}", DSL_UNKNOWN_OPERATOR,
     "/filters/id/equals", NULL},
    {"{\"source\":\"orders\",\"filters\":{\"id\":{\"eq\":{\"param\":\"p\"}}}}", DSL_MISSING_FIELD,
     "/filters/id/eq", NULL},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"summ\",\"field\":\"amount\"}]}",
     DSL_UNKNOWN_FUNCTION, "/aggregations/0/function", "did you mean \"sum\"?"},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"sum\",\"field\":\"customer\"}]}",
     DSL_TYPE_MISMATCH, "/aggregations/0/field", NULL},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"sum\",\"field\":\"*\"}]}",
     DSL_BAD_VALUE, "/aggregations/0/field", NULL},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"sum\"}]}", DSL_MISSING_FIELD,
     "/aggregations/0/field", NULL},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"percentile\",\"field\":\"id\"}]}",
     DSL_MISSING_FIELD, "/aggregations/0/params/p", NULL},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"percentile\",\"field\":\"id\","
     "\"params\":{\"p\":1.5}}]}",
     DSL_BAD_VALUE, "/aggregations/0/params/p", NULL},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"first\",\"field\":\"id\"}]}",
     DSL_MISSING_FIELD, "/aggregations/0/params/order_by", NULL},
    {"{\"source\":\"orders\",\"aggregations\":[{\"function\":\"count\"},{\"function\":\"count\"}]}",
     DSL_DUPLICATE_ALIAS, "/aggregations/1", NULL},
    {"{\"query_type\":\"aggregate\",\"source\":\"orders\"}", DSL_MISSING_FIELD, "/aggregations",
     NULL},
    {"{\"query_type\":\"aggregate\",\"source\":\"orders\",\"select\":[\"id\"],"
     "\"aggregations\":[\"COUNT(*)\"]}",
     DSL_UNKNOWN_KEY, "/select", NULL},
    {"{\"source\":\"orders\",\"having\":{\"field\":\"id\",\"operator\":\"gt\",\"value\":1}}",
     DSL_UNKNOWN_KEY, "/having", NULL},
    {"{\"source\":\"orders\",\"group_by\":[\"customer\"],\"aggregations\":[\"COUNT(*)\"],"
     "\"order_by\":[\"amount\"]}",
     DSL_UNKNOWN_COLUMN, "/order_by/0", NULL},
    {"{\"source\":\"orders\",\"group_by\":[{\"field\":\"id\",\"bucket\":\"month\"}]}",
     DSL_TYPE_MISMATCH, "/group_by/0/field", NULL},
    {"{\"source\":\"orders\",\"group_by\":[{\"field\":\"day\",\"bucket\":\"moth\"}]}",
     DSL_BAD_VALUE, "/group_by/0/bucket", "did you mean \"month\"?"},
    {"{\"source\":\"orders\",\"group_by\":[{\"field\":\"id\",\"bucket\":{\"width\":0}}]}",
     DSL_BAD_VALUE, "/group_by/0/bucket/width", NULL},
    {"{\"source\":\"orders\",\"select\":[{\"function\":\"upper\",\"args\":[{\"field\":\"id\"}],"
     "\"alias\":\"u\"}]}",
     DSL_TYPE_MISMATCH, "/select/0/args/0", NULL},
    {"{\"source\":\"orders\",\"select\":[{\"function\":\"upper\",\"args\":[],\"alias\":\"u\"}]}",
     DSL_BAD_VALUE, "/select/0/args", NULL},
    {"{\"source\":\"orders\",\"select\":[\"id\",\"id\"]}", DSL_DUPLICATE_ALIAS, "/select/1", NULL},
    {"{\"source\":\"orders\",\"select\":[]}", DSL_BAD_VALUE, "/select", NULL},
    {"{\"source\":\"orders\",\"limit\":100001}", DSL_BAD_VALUE, "/limit", NULL},
    {"{\"source\":\"orders\",\"offset\":1000001}", DSL_BAD_VALUE, "/offset", NULL},
    {"{\"source\":\"orders\",\"cursor\":5}", DSL_BAD_CURSOR, "/cursor", NULL},
    {"{\"source\":\"orders\",\"distinct\":true,\"select\":[\"id\"],\"order_by\":[\"day\"]}",
     DSL_BAD_VALUE, "/order_by/0", NULL},
    {"{\"source\":\"orders\",\"joins\":[{\"source\":\"people\",\"on\":[{\"left\":\"orders.id\","
     "\"right\":\"people.id\"}]}],\"select\":[\"id\"]}",
     DSL_AMBIGUOUS_COLUMN, "/select/0", NULL},
    {"{\"source\":\"orders\",\"joins\":[{\"source\":\"people\"}]}", DSL_MISSING_FIELD,
     "/joins/0/on", NULL},
    {"{\"source\":\"orders\",\"joins\":[{\"source\":\"orders\",\"on\":[{\"left\":\"orders.id\","
     "\"right\":\"orders.id\"}]}]}",
     DSL_DUPLICATE_ALIAS, "/joins/0/source", NULL},
    {"{\"source\":\"orders\",\"joins\":[{\"source\":\"people\",\"type\":\"outer\",\"on\":[{"
     "\"left\":"
     "\"customer\",\"right\":\"name\"}]}]}",
     DSL_BAD_VALUE, "/joins/0/type", NULL},
    {"{\"source\":\"orders\",\"joins\":[{\"source\":\"people\",\"on\":[{\"left\":\"customer\","
     "\"right\":\"people.id\"}]}]}",
     DSL_TYPE_MISMATCH, "/joins/0/on/0/right", NULL},
    {"{\"source\":\"orders\",\"windows\":[{\"function\":\"rank\",\"alias\":\"r\"}]}",
     DSL_MISSING_FIELD, "/windows/0/order_by", NULL},
    {"{\"source\":\"orders\",\"windows\":[{\"function\":\"sum\",\"field\":\"id\",\"alias\":\"s\","
     "\"frame\":{\"mode\":\"rows\",\"start\":2,\"end\":-2}}]}",
     DSL_BAD_VALUE, "/windows/0/frame", NULL},
    {"{\"source\":\"orders\",\"windows\":[{\"function\":\"count\"}]}", DSL_MISSING_FIELD,
     "/windows/0/alias", NULL},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p;
        parse(&p, cases[i].body);
        bool found = false;
        for (uint32_t k = 0; k < p.errors->len; k++) {
            const struct dsl_error *e = &p.errors->items[k];
            found = found || (e->code == cases[i].code && str_is(e->path, cases[i].path) &&
                              (!cases[i].hint || (e->hint && strcmp(e->hint, cases[i].hint) == 0)));
        }
        if (!found)
            print_error("%s\n", cases[i].body);
        for (uint32_t k = 0; k < p.errors->len && !found; k++)
            print_error("  %s at \"%.*s\": %.*s (%s)\n", dsl_code_name(p.errors->items[k].code),
                        STR_ARG(p.errors->items[k].path), STR_ARG(p.errors->items[k].message),
                        p.errors->items[k].hint ? p.errors->items[k].hint : "");
        assert_true(found);
        assert_int_equal(p.errors->len, 1);
        release(&p);
    }
}

static void test_all_at_once(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "{\"query_type\":\"filter\",\"source\":\"orders\",\"x\":1,\"conditions\":["
              "{\"field\":\"nope\",\"operator\":\"eq\",\"value\":1},"
              "{\"field\":\"amount\",\"operator\":\"wat\",\"value\":1},"
              "{\"field\":\"id\",\"operator\":\"eq\",\"value\":\"x\"}],\"limit\":-1}");
    assert_int_equal(p.errors->len, 5);
    release(&p);
}

static void test_no_more_than_twenty(void **state)
{
    (void)state;
    struct parsed p;
    char body[4096] = "{\"source\":\"orders\"";
    for (int i = 0; i < 30; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), ",\"k%d\":1", i);
    strcat(body, "}");
    parse(&p, body);
    assert_int_equal(p.errors->len, DSL_ERRORS_MAX);
    assert_int_equal(p.errors->total, 30);
    release(&p);
}

/* `depth` levels of not around a test, in a bare array (which is a level) or not. */
static uint32_t errors_at_depth(unsigned depth, bool array, uint32_t max_depth, enum dsl_code *ret)
{
    char body[4096] = "{\"source\":\"orders\",\"conditions\":";
    struct parsed p;
    strcat(body, array ? "[" : "");
    for (unsigned i = array; i < depth; i++)
        strcat(body, "{\"not\":");
    strcat(body, "{\"field\":\"id\",\"operator\":\"eq\",\"value\":1}");
    for (unsigned i = array; i < depth; i++)
        strcat(body, "}");
    strcat(body, array ? "]}" : "}");
    parse_with(&p, body, (struct dsl_options){.settings = {.max_depth = max_depth}});
    uint32_t len = p.errors->len;
    *ret = len ? p.errors->items[0].code : DSL_INVALID_JSON;
    release(&p);
    return len;
}

static void test_depth(void **state)
{
    (void)state;
    enum dsl_code code;
    for (int array = 0; array < 2; array++) {
        assert_int_equal(errors_at_depth(10, array, 0, &code), 0);
        assert_int_equal(errors_at_depth(11, array, 0, &code), 1);
        assert_int_equal(code, DSL_DEPTH_EXCEEDED);
        assert_int_equal(errors_at_depth(3, array, 3, &code), 0);
        assert_int_equal(errors_at_depth(4, array, 3, &code), 1);
    }
    assert_int_equal(errors_at_depth(50, false, 50, &code), 0);
    assert_int_equal(errors_at_depth(51, false, 50, &code), 1);
}

static void test_counts(void **state)
{
    (void)state;
    struct parsed p;
    struct buf buf;
    for (int n = DSL_CONDITIONS_MAX; n <= DSL_CONDITIONS_MAX + 1; n++) {
        buf_init(&buf, 1 << 20);
        buf_append_str(&buf, STR("{\"source\":\"orders\",\"conditions\":["));
        for (int i = 0; i < n; i++)
            buf_printf(&buf, "%s{\"field\":\"id\",\"operator\":\"ne\",\"value\":%d}", i ? "," : "",
                       i);
        buf_append_str(&buf, STR("]}"));
        buf_append_char(&buf, '\0');
        parse(&p, buf.data);
        assert_int_equal(p.errors->len, n > DSL_CONDITIONS_MAX);
        if (p.errors->len)
            assert_int_equal(p.errors->items[0].code, DSL_TOO_MANY_VALUES);
        release(&p);
        buf_release(&buf);
    }
    for (int n = DSL_VALUES_MAX; n <= DSL_VALUES_MAX + 1; n++) {
        buf_init(&buf, 1 << 20);
        buf_append_str(&buf, STR("{\"source\":\"orders\",\"filters\":{\"id\":{\"in\":["));
        for (int i = 0; i < n; i++)
            buf_printf(&buf, "%s%d", i ? "," : "", i);
        buf_append_str(&buf, STR("]}}}"));
        buf_append_char(&buf, '\0');
        parse(&p, buf.data);
        assert_int_equal(p.errors->len, n > DSL_VALUES_MAX);
        release(&p);
        buf_release(&buf);
    }
}

static void test_strict_and_custom(void **state)
{
    (void)state;
    struct parsed p;
    const char *median = "{\"source\":\"orders\",\"aggregations\":[\"MEDIAN(amount)\"]}";
    const char *custom = "{\"source\":\"orders\",\"aggregations\":[\"MODE(amount)\"]}";
    struct dsl_settings strict = {.strict = true, .functions = "SUM, COUNT,avg"};
    parse(&p, median);
    assert_int_equal(p.errors->len, 0);
    release(&p);
    parse_with(&p, median, (struct dsl_options){.settings = strict});
    assert_int_equal(p.errors->items[0].code, DSL_UNKNOWN_FUNCTION);
    release(&p);
    parse_with(&p, "{\"source\":\"orders\",\"aggregations\":[\"Avg(amount)\"]}",
               (struct dsl_options){.settings = strict});
    assert_int_equal(p.errors->len, 0);
    release(&p);
    parse(&p, custom);
    assert_int_equal(p.errors->items[0].code, DSL_UNKNOWN_FUNCTION);
    release(&p);
    parse_with(&p, custom, (struct dsl_options){.settings = {.custom_functions = true}});
    assert_int_equal(p.errors->len, 0);
    release(&p);
}

/* DSL_VALIDATION_ENABLED=false leaves the grammar in force. */
static void test_lenient(void **state)
{
    (void)state;
    struct parsed p;
    parse_with(&p, "{\"source\":\"nowhere\",\"select\":[\"x\"],\"filters\":{\"y\":1},\"oops\":1}",
               (struct dsl_options){.settings = {.lenient = true}});
    assert_int_equal(p.errors->len, 1);
    assert_int_equal(p.errors->items[0].code, DSL_UNKNOWN_KEY);
    release(&p);
}

static void test_text_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum dsl_code code;
    } texts[] = {
        {"", DSL_INVALID_TEXT},
        {"{", DSL_INVALID_JSON},
        {"DELETE FROM orders", DSL_UNKNOWN_QUERY_TYPE},
        {"SEARCH orders", DSL_INVALID_TEXT},
        {"SEARCH FROM orders WHERE", DSL_INVALID_TEXT},
        {"SEARCH FROM orders WHERE id = ", DSL_INVALID_TEXT},
        {"SEARCH FROM orders WHERE id = 'x", DSL_INVALID_TEXT},
        {"SEARCH FROM orders WHERE (id = 1", DSL_INVALID_TEXT},
        {"SEARCH FROM orders LIMIT 1 LIMIT 2", DSL_INVALID_TEXT},
        {"SEARCH FROM orders LIMIT x", DSL_INVALID_TEXT},
        {"SEARCH FROM orders; DROP TABLE x", DSL_INVALID_TEXT},
        {"SEARCH FROM orders WHERE id = :p", DSL_MISSING_FIELD},
        {"SEARCH SUM(id) FROM orders", DSL_INVALID_TEXT},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct arena arena;
        struct dsl_query *query;
        yyjson_doc *doc;
        struct dsl_options options = {.catalog = &catalog};
        arena_init(&arena, 0);
        assert_int_equal(
            dsl_parse_text(&arena, str_of(texts[i].text), &options, &query, &doc, NULL), STATUS_OK);
        assert_int_equal(dsl_query_errors(query)->len, 1);
        if (dsl_query_errors(query)->items[0].code != texts[i].code)
            print_error("%s: %s\n", texts[i].text, dsl_query_errors(query)->items[0].message.data);
        assert_int_equal(dsl_query_errors(query)->items[0].code, texts[i].code);
        yyjson_doc_free(doc);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_no_more_than_twenty),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_strict_and_custom),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_text_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

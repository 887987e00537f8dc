/* filter_test.c: every operator on every type, with nulls and edges, through a search of one chunk;
 * refusals with their texts. Row numbers are the column `id`. */
#include "unit/query/filter/view_builder.h"

static void refused(const char *text, const char *field, const char *part)
{
    struct error err = ERROR_INIT;
    struct filter *filter = NULL;
    yyjson_doc *doc;
    assert_int_equal(json_parse(str_of(text), &doc, &err), STATUS_OK);
    enum status status = filter_parse(yyjson_doc_get_root(doc), &filter, &err);
    if (status != STATUS_INVALID_ARGUMENT)
        fail_msg("%s is not refused", text);
    assert_null(filter);
    assert_string_equal(err.field, field);
    if (!strstr(err.message, part))
        fail_msg("%s: the message '%s' lacks '%s'", text, err.message, part);
    yyjson_doc_free(doc);
}

static void parse_refuses(void **state)
{
    (void)state;
    refused("[1]", "", "filters wants an object of field: condition, not an array");
    refused(
        "{\"a\":{\"equals\":1}}", "a",
        "filter on 'a': unknown operator 'equals'; known: eq, ne, gt, lt, gte, lte, in, in_list, "
        "not_in, nin, like, regex, null");
    refused("{\"a\":{}}", "a", "no operator is given");
    refused("{\"a\":[1,2]}", "a", "use {\"in\": [...]}");
    refused("{\"a\":{\"eq\":[1]}}", "a", "eq wants a scalar, not an array");
    refused("{\"a\":{\"gt\":{\"b\":1}}}", "a", "gt wants a scalar, not an object");
    refused("{\"a\":{\"in\":1}}", "a", "in wants an array, not a number");
    refused("{\"a\":{\"in_list\":\"x\"}}", "a", "in wants an array, not a string");
    refused("{\"a\":{\"not_in\":{\"x\":1}}}", "a", "not_in wants an array, not an object");
    refused("{\"a\":{\"in\":[[1]]}}", "a", "in wants scalars, not an array");
    refused("{\"a\":{\"like\":5}}", "a", "like wants a text");
    refused("{\"a\":{\"regex\":true}}", "a", "regex wants a text");
    refused("{\"a\":{\"null\":1}}", "a", "null wants true or false, not a number");
    refused("{\"a\":{\"like\":\"x\\\\\"}}", "a", "lone backslash");
}

static void parse_refuses_bad_regexes(void **state)
{
    (void)state;
    refused("{\"a\":{\"regex\":\"(\"}}", "a", "bad regex: ");
    refused("{\"a\":{\"regex\":\"[z-a]\"}}", "a", "bad regex: ");
    refused("{\"a\":{\"regex\":\"a{1000}{1000}\"}}", "a", "too many states");
    refused("{\"a\":{\"regex\":\"((a{100}){100}){100}\"}}", "a", "too many states");
    refused("{\"a\":{\"regex\":\"(a{1,99}b{1,99}){60}\"}}", "a", "too many states");
    refused("{\"a\":{\"regex\":\"a{6000,}\"}}", "a", "too many states");
    refused("{\"a\":{\"regex\":\"(a)\\\\1\"}}", "a", "back-references");
    refused("{\"a\":{\"regex\":\"a\\u0000b\"}}", "a", "NUL");
    char deep[400] = "{\"a\":{\"regex\":\"";
    for (int i = 0; i < 51; i++)
        strcat(deep, "(");
    strcat(deep, "a");
    for (int i = 0; i < 51; i++)
        strcat(deep, ")");
    strcat(deep, "\"}}");
    refused(deep, "a", "too deeply");
}

static char *repeat(const char *start, const char *item, int n, const char *end)
{
    struct buf buf;
    buf_init(&buf, 1 << 22);
    buf_append_str(&buf, str_of(start));
    for (int i = 0; i < n; i++)
        buf_append_str(&buf, str_of(item));
    buf_append_str(&buf, str_of(end));
    buf_append_char(&buf, 0);
    assert_false(buf_failed(&buf));
    return buf_take(&buf, NULL);
}

static void parse_limits(void **state)
{
    (void)state;
    char *text = repeat("{\"a\":{\"like\":\"", "x", FILTER_PATTERN_MAX + 1, "\"}}");
    refused(text, "a", "longer than 4096 bytes");
    free(text);
    text = repeat("{\"a\":{\"regex\":\"", "x", FILTER_PATTERN_MAX + 1, "\"}}");
    refused(text, "a", "longer than 4096 bytes");
    free(text);
    text = repeat("{\"a\":{\"in\":[0", ",1", FILTER_LIST_MAX, "]}}");
    refused(text, "a", "the list has 10001 values, the limit is 10000");
    free(text);
    text = repeat("{\"a\":{\"in\":[0", ",1", FILTER_LIST_MAX - 1, "]}}");
    filter_free(parse_filter(text));
    free(text);
    struct buf buf;
    buf_init(&buf, 1 << 20);
    buf_append_char(&buf, '{');
    for (int i = 0; i <= FILTER_CONDITIONS_MAX; i++)
        buf_printf(&buf, "%s\"c%d\":1", i ? "," : "", i);
    buf_append_char(&buf, '}');
    buf_append_char(&buf, 0);
    refused(buf.data, "", "more than 256 filter conditions");
    buf_release(&buf);
}

static void empty_filters(void **state)
{
    (void)state;
    struct filter *filter = parse_filter(NULL);
    assert_true(filter_is_empty(filter));
    filter_free(filter);
    filter = parse_filter("{}");
    assert_true(filter_is_empty(filter));
    filter_free(filter);
    filter = parse_filter("{\"a\":1}");
    assert_false(filter_is_empty(filter));
    filter_free(filter);
    assert_true(filter_is_empty(NULL));
    filter_free(NULL);
}

static void on_int64(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:int64");
    add_chunk(&view, "id:int64,v:int64",
              "[[1,-9223372036854775808],[2,-1],[3,0],[4,1],[5,9223372036854775807],[6,null],"
              "[7,9007199254740993]]");
    assert_ids(&view, "{\"v\":1}", "4");
    assert_ids(&view, "{\"v\":{\"eq\":1.0}}", "4");
    assert_ids(&view, "{\"v\":{\"eq\":1.5}}", "");
    assert_ids(&view, "{\"v\":{\"ne\":1.5}}", "1,2,3,4,5,7");
    assert_ids(&view, "{\"v\":{\"ne\":1}}", "1,2,3,5,7");
    assert_ids(&view, "{\"v\":{\"gt\":0.5}}", "4,5,7");
    assert_ids(&view, "{\"v\":{\"gte\":0.5}}", "4,5,7");
    assert_ids(&view, "{\"v\":{\"gte\":1}}", "4,5,7");
    assert_ids(&view, "{\"v\":{\"lt\":-0.5}}", "1,2");
    assert_ids(&view, "{\"v\":{\"lte\":-0.5}}", "1,2");
    assert_ids(&view, "{\"v\":{\"lt\":0}}", "1,2");
    assert_ids(&view, "{\"v\":{\"lte\":0}}", "1,2,3");
    assert_ids(&view, "{\"v\":{\"gte\":-0.0,\"lt\":1}}", "3");
    assert_ids(&view, "{\"v\":{\"gt\":1,\"lt\":0}}", "");
    /* 2^63 - 1 against 2^63 as integer and as double */
    assert_ids(&view, "{\"v\":9223372036854775807}", "5");
    assert_ids(&view, "{\"v\":9223372036854775808}", "");
    assert_ids(&view, "{\"v\":9223372036854775808.0}", "");
    assert_ids(&view, "{\"v\":{\"lt\":9223372036854775808}}", "1,2,3,4,5,7");
    assert_ids(&view, "{\"v\":{\"gte\":9223372036854775807}}", "5");
    assert_ids(&view, "{\"v\":{\"gt\":9223372036854775807}}", "");
    assert_ids(&view, "{\"v\":{\"gt\":18446744073709551615}}", "");
    assert_ids(&view, "{\"v\":{\"ne\":18446744073709551615}}", "1,2,3,4,5,7");
    assert_ids(&view, "{\"v\":-9223372036854775808}", "1");
    assert_ids(&view, "{\"v\":{\"lte\":-9223372036854775808.0}}", "1");
    assert_ids(&view, "{\"v\":{\"lt\":-9223372036854775808}}", "");
    assert_ids(&view, "{\"v\":{\"gt\":-1e300,\"lt\":1e300}}", "1,2,3,4,5,7");
    /* 2^53 + 1 is no double */
    assert_ids(&view, "{\"v\":9007199254740993}", "7");
    assert_ids(&view, "{\"v\":9007199254740992.0}", "");
    assert_ids(&view, "{\"v\":{\"gt\":9007199254740992.0}}", "5,7");
    assert_ids(&view, "{\"v\":{\"in\":[1,0.0,2.5,9223372036854775807,99999999999999999999]}}",
               "3,4,5");
    assert_ids(&view, "{\"v\":{\"in_list\":[-1]}}", "2");
    assert_ids(&view, "{\"v\":{\"in\":[]}}", "");
    assert_ids(&view, "{\"v\":{\"not_in\":[]}}", "1,2,3,4,5,7");
    assert_ids(&view, "{\"v\":{\"not_in\":[0,1,-1,2.5]}}", "1,5,7");
    assert_ids(&view, "{\"v\":{\"nin\":[0]}}", "1,2,4,5,7");
    assert_bind_fails(&view, "{\"v\":\"1\"}", "v",
                      "a int64 column is compared with a number, not with a text");
    assert_bind_fails(&view, "{\"v\":{\"in\":[1,true]}}", "v", "not with a boolean");
    assert_bind_fails(&view, "{\"v\":{\"like\":\"1%\"}}", "v", "like works on text");
    assert_bind_fails(&view, "{\"v\":{\"regex\":\"1\"}}", "v", "regex works on text");
    free_view(&view);
}

static void on_null(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:int64,s:string,n:double");
    add_chunk(&view, "id:int64,v:int64,s:string",
              "[[1,1,\"a\"],[2,null,\"b\"],[3,3,null],[4,null,null],[5,5,\"\"]]");
    assert_ids(&view, "{\"v\":null}", "2,4");
    assert_ids(&view, "{\"v\":{\"eq\":null}}", "2,4");
    assert_ids(&view, "{\"v\":{\"ne\":null}}", "1,3,5");
    assert_ids(&view, "{\"v\":{\"null\":true}}", "2,4");
    assert_ids(&view, "{\"v\":{\"null\":false}}", "1,3,5");
    assert_ids(&view, "{\"v\":{\"null\":true,\"eq\":1}}", "");
    assert_ids(&view, "{\"v\":{\"null\":false,\"gt\":1}}", "3,5");
    assert_ids(&view, "{\"v\":{\"gt\":null}}", "");
    assert_ids(&view, "{\"s\":{\"like\":null}}", "");
    assert_ids(&view, "{\"s\":{\"regex\":null}}", "");
    assert_ids(&view, "{\"v\":{\"in\":[1,null]}}", "1");
    assert_ids(&view, "{\"v\":{\"not_in\":[1,null]}}", "");
    assert_ids(&view, "{\"s\":{\"ne\":\"a\"}}", "2,5");
    assert_ids(&view, "{\"s\":{\"not_in\":[\"a\"]}}", "2,5");
    assert_ids(&view, "{\"s\":\"\"}", "5");
    assert_ids(&view, "{\"s\":null,\"v\":null}", "4");
    /* the chunk lacks n, the schema lacks zz: both are all null */
    assert_ids(&view, "{\"n\":null}", "1,2,3,4,5");
    assert_ids(&view, "{\"n\":{\"ne\":1}}", "");
    assert_ids(&view, "{\"zz\":null}", "1,2,3,4,5");
    assert_ids(&view, "{\"zz\":{\"null\":false}}", "");
    assert_ids(&view, "{\"zz\":5}", "");
    assert_ids(&view, "{\"zz\":{\"not_in\":[\"x\"]}}", "");
    assert_ids(&view, "{\"zz\":{\"like\":\"%\"}}", "");
    free_view(&view);
}

static void on_double(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:double");
    add_chunk(&view, "id:int64,v:double",
              "[[1,-1e308],[2,-0.0],[3,0.0],[4,2.5],[5,9007199254740992.0],[6,null],"
              "[7,9223372036854775808.0],[8,5e-324]]");
    add_chunk(&view, "id:int64,v:int64",
              "[[11,0],[12,2],[13,9007199254740993],[14,null],[15,9223372036854775807]]");
    assert_ids(&view, "{\"v\":0}", "2,3,11");
    assert_ids(&view, "{\"v\":-0.0}", "2,3,11");
    assert_ids(&view, "{\"v\":{\"gt\":0}}", "4,5,7,8,12,13,15");
    assert_ids(&view, "{\"v\":{\"gte\":0,\"lt\":1}}", "2,3,8,11");
    assert_ids(&view, "{\"v\":{\"gt\":-0.0,\"lte\":2.5}}", "4,8,12");
    assert_ids(&view, "{\"v\":9007199254740992}", "5");
    assert_ids(&view, "{\"v\":9007199254740993}", "13");
    assert_ids(&view, "{\"v\":{\"lt\":9007199254740993,\"gt\":3}}", "5");
    assert_ids(&view, "{\"v\":{\"gte\":9007199254740993,\"lt\":1e18}}", "13");
    assert_ids(&view, "{\"v\":9223372036854775808}", "7");
    assert_ids(&view, "{\"v\":9223372036854775807}", "15");
    assert_ids(&view, "{\"v\":{\"gt\":9223372036854775807}}", "7");
    assert_ids(&view, "{\"v\":{\"gte\":9223372036854775807}}", "7,15");
    assert_ids(&view, "{\"v\":{\"lt\":-1e308}}", "");
    assert_ids(&view, "{\"v\":{\"in\":[0,2,2.5,9007199254740993]}}", "2,3,4,11,12,13");
    assert_ids(&view, "{\"v\":{\"not_in\":[0,2.5,9007199254740993]}}", "1,5,7,8,12,15");
    assert_ids(&view, "{\"v\":{\"ne\":9007199254740993}}", "1,2,3,4,5,7,8,11,12,15");
    assert_bind_fails(&view, "{\"v\":true}", "v", "not with a boolean");
    free_view(&view);
}

static void on_bool(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:bool");
    add_chunk(&view, "id:int64,v:bool", "[[1,true],[2,false],[3,null]]");
    assert_ids(&view, "{\"v\":true}", "1");
    assert_ids(&view, "{\"v\":{\"ne\":true}}", "2");
    assert_ids(&view, "{\"v\":{\"gt\":false}}", "1");
    assert_ids(&view, "{\"v\":{\"gte\":false}}", "1,2");
    assert_ids(&view, "{\"v\":{\"lt\":true}}", "2");
    assert_ids(&view, "{\"v\":{\"lte\":false}}", "2");
    assert_ids(&view, "{\"v\":{\"in\":[true,false]}}", "1,2");
    assert_ids(&view, "{\"v\":{\"not_in\":[false]}}", "1");
    assert_bind_fails(&view, "{\"v\":1}", "v", "compared with true or false, not with a number");
    assert_bind_fails(&view, "{\"v\":{\"like\":\"t%\"}}", "v", "this is a bool column");
    free_view(&view);
}

static void on_times(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,d:date,t:timestamp");
    add_chunk(
        &view, "id:int64,d:date,t:timestamp",
        "[[1,\"2024-02-29\",\"2024-02-29T12:00:00.000001\"],[2,\"1969-12-31\",\"1969-12-31\"],"
        "[3,null,null],[4,\"2024-03-01\",\"2024-03-01T00:00:00Z\"]]");
    add_chunk(&view, "id:int64,d:date,t:date",
              "[[11,\"1970-01-01\",\"2024-03-01\"],"
              "[12,null,null],[13,\"9999-12-31\",\"1969-12-31\"]]");
    assert_ids(&view, "{\"d\":\"2024-02-29\"}", "1");
    assert_ids(&view, "{\"d\":{\"gt\":\"2024-02-29\"}}", "4,13");
    assert_ids(&view, "{\"d\":{\"gt\":\"2024-02-29T00:00:01\"}}", "4,13");
    assert_ids(&view, "{\"d\":{\"gte\":\"2024-02-29T00:00:01\"}}", "4,13");
    assert_ids(&view, "{\"d\":{\"lt\":\"2024-02-29T00:00:01\"}}", "1,2,11");
    assert_ids(&view, "{\"d\":{\"lte\":\"1969-12-31T23:59:59\"}}", "2");
    assert_ids(&view, "{\"d\":\"2024-02-29T00:00:01\"}", "");
    assert_ids(&view, "{\"d\":{\"ne\":\"2024-02-29T00:00:01\"}}", "1,2,4,11,13");
    assert_ids(&view, "{\"d\":{\"in\":[\"1969-12-31\",\"1970-01-01T00:00:00Z\"]}}", "2,11");
    assert_ids(&view, "{\"d\":{\"not_in\":[\"1969-12-31\"]}}", "1,4,11,13");
    assert_ids(&view, "{\"t\":\"2024-03-01\"}", "4,11");
    assert_ids(&view, "{\"t\":\"2024-03-01T01:00:00+01:00\"}", "4,11");
    assert_ids(&view, "{\"t\":{\"lt\":\"2024-03-01\"}}", "1,2,13");
    assert_ids(&view, "{\"t\":{\"gt\":\"1969-12-31\"}}", "1,4,11");
    assert_ids(&view, "{\"t\":{\"gte\":\"2024-02-29T12:00:00.000001\"}}", "1,4,11");
    assert_ids(&view, "{\"t\":{\"gt\":\"2024-02-29T12:00:00.000001\"}}", "4,11");
    assert_ids(&view, "{\"t\":{\"in\":[\"1969-12-31\",\"2024-02-29\"]}}", "2,13");
    assert_ids(&view, "{\"t\":{\"nin\":[\"1969-12-31\",\"2024-02-29\"]}}", "1,4,11");
    assert_bind_fails(&view, "{\"d\":\"2024-02-30\"}", "d",
                      "compared with an ISO date or timestamp as text, not with this text");
    assert_bind_fails(&view, "{\"t\":5}", "t", "not with a number");
    free_view(&view);
}

static void on_string(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:string");
    add_chunk(
        &view, "id:int64,v:string",
        "[[1,\"\"],[2,\"a\"],[3,\"a\\u0000b\"],[4,\"ab\"],[5,\"\xc3\xa9\"],[6,null],[7,\"A\"],"
        "[8,\"\xf0\x9f\x98\x80!\"]]");
    assert_ids(&view, "{\"v\":\"a\"}", "2");
    assert_ids(&view, "{\"v\":\"\"}", "1");
    assert_ids(&view, "{\"v\":\"a\\u0000b\"}", "3");
    assert_ids(&view, "{\"v\":{\"ne\":\"a\"}}", "1,3,4,5,7,8");
    assert_ids(&view, "{\"v\":{\"gt\":\"a\"}}", "3,4,5,8");
    assert_ids(&view, "{\"v\":{\"gte\":\"a\"}}", "2,3,4,5,8");
    assert_ids(&view, "{\"v\":{\"lt\":\"a\"}}", "1,7");
    assert_ids(&view, "{\"v\":{\"lte\":\"a\"}}", "1,2,7");
    assert_ids(&view, "{\"v\":{\"gt\":\"\",\"lt\":\"ab\"}}", "2,3,7");
    assert_ids(&view, "{\"v\":{\"in\":[\"\",\"\xc3\xa9\",\"zz\"]}}", "1,5");
    assert_ids(&view, "{\"v\":{\"not_in\":[\"\",\"\xc3\xa9\",\"zz\"]}}", "2,3,4,7,8");
    assert_ids(&view, "{\"v\":{\"in\":[\"a\",\"a\",\"a\\u0000b\"]}}", "2,3");
    assert_bind_fails(&view, "{\"v\":5}", "v",
                      "a string column is compared with a text, not with a number");
    assert_bind_fails(&view, "{\"v\":{\"in\":[\"a\",false]}}", "v", "not with a boolean");
    free_view(&view);
}

static void like(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:string");
    add_chunk(&view, "id:int64,v:string",
              "[[1,\"\"],[2,\"abc\"],[3,\"a%c\"],[4,\"a_c\"],[5,\"\xc3\xa9t\xc3\xa9\"],[6,null],"
              "[7,\"aXbXc\"],[8,\"\xf0\x9f\x98\x80\"],[9,\"a\\\\c\"],[10,\"ab\\u0000c\"],"
              "[11,\"aaaaaaaaaaab\"]]");
    assert_ids(&view, "{\"v\":{\"like\":\"\"}}", "1");
    assert_ids(&view, "{\"v\":{\"like\":\"%\"}}", "1,2,3,4,5,7,8,9,10,11");
    assert_ids(&view, "{\"v\":{\"like\":\"%%\"}}", "1,2,3,4,5,7,8,9,10,11");
    assert_ids(&view, "{\"v\":{\"like\":\"_\"}}", "8");
    assert_ids(&view, "{\"v\":{\"like\":\"___\"}}", "2,3,4,5,9");
    assert_ids(&view, "{\"v\":{\"like\":\"_%\"}}", "2,3,4,5,7,8,9,10,11");
    assert_ids(&view, "{\"v\":{\"like\":\"%_\"}}", "2,3,4,5,7,8,9,10,11");
    assert_ids(&view, "{\"v\":{\"like\":\"abc\"}}", "2");
    assert_ids(&view, "{\"v\":{\"like\":\"ABC\"}}", "");
    assert_ids(&view, "{\"v\":{\"like\":\"ab%\"}}", "2,10");
    assert_ids(&view, "{\"v\":{\"like\":\"%c\"}}", "2,3,4,7,9,10");
    assert_ids(&view, "{\"v\":{\"like\":\"%b%\"}}", "2,7,10,11");
    assert_ids(&view, "{\"v\":{\"like\":\"a%c\"}}", "2,3,4,7,9,10");
    assert_ids(&view, "{\"v\":{\"like\":\"a_c\"}}", "2,3,4,9");
    assert_ids(&view, "{\"v\":{\"like\":\"a\\\\%c\"}}", "3");
    assert_ids(&view, "{\"v\":{\"like\":\"a\\\\_c\"}}", "4");
    assert_ids(&view, "{\"v\":{\"like\":\"a\\\\\\\\c\"}}", "9");
    assert_ids(&view, "{\"v\":{\"like\":\"\\\\a\\\\bc\"}}", "2");
    assert_ids(&view, "{\"v\":{\"like\":\"%X%X%\"}}", "7");
    assert_ids(&view, "{\"v\":{\"like\":\"%X%X%X%\"}}", "");
    assert_ids(&view, "{\"v\":{\"like\":\"\xc3\xa9_\xc3\xa9\"}}", "5");
    assert_ids(&view, "{\"v\":{\"like\":\"%a%a%a%a%a%b\"}}", "11");
    assert_ids(&view, "{\"v\":{\"like\":\"%a%a%a%a%a%c\"}}", "");
    assert_ids(&view, "{\"v\":{\"like\":\"_b%c\"}}", "2,10");
    free_view(&view);
}

static void regex(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:string");
    add_chunk(&view, "id:int64,v:string",
              "[[1,\"\"],[2,\"abc\"],[3,\"xabcx\"],[4,\"\xc3\xa9t\xc3\xa9\"],[5,null],"
              "[6,\"a\\u0000bc\"],[7,\"a\\nb\"],[8,\"123-45\"]]");
    assert_ids(&view, "{\"v\":{\"regex\":\"abc\"}}", "2,3");
    assert_ids(&view, "{\"v\":{\"regex\":\"^abc$\"}}", "2");
    assert_ids(&view, "{\"v\":{\"regex\":\"\"}}", "1,2,3,4,6,7,8");
    assert_ids(&view, "{\"v\":{\"regex\":\"^$\"}}", "1");
    assert_ids(&view, "{\"v\":{\"regex\":\"^...$\"}}", "2,4,7");
    assert_ids(&view, "{\"v\":{\"regex\":\"^[\xc3\xa9\xc3\xa8]t\"}}", "4");
    assert_ids(&view, "{\"v\":{\"regex\":\"bc$\"}}", "2,6");
    assert_ids(&view, "{\"v\":{\"regex\":\"^[0-9]{3}-[0-9]{2}$\"}}", "8");
    assert_ids(&view, "{\"v\":{\"regex\":\"^[[:alpha:]]+$\"}}", "2,3,4");
    assert_ids(&view, "{\"v\":{\"regex\":\"(a|1).*(c|5)$\",\"ne\":\"abc\"}}", "8");
    assert_ids(&view, "{\"v\":{\"regex\":\"[]x]\"}}", "3");
    free_view(&view);
}

static void several(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,a:int64,s:string");
    add_chunk(&view, "id:int64,a:int64,s:string",
              "[[1,1,\"x1\"],[2,2,\"x2\"],[3,3,\"y3\"],[4,4,\"x4\"],[5,null,\"x5\"],[6,6,null]]");
    assert_ids(&view, "{\"a\":{\"gte\":2,\"lt\":4,\"ne\":3}}", "2");
    assert_ids(&view, "{\"a\":{\"gte\":2},\"s\":{\"like\":\"x%\"}}", "2,4");
    assert_ids(&view, "{\"a\":{\"in\":[1,2,3,4],\"not_in\":[2],\"gt\":1}}", "3,4");
    assert_ids(&view, "{\"s\":{\"like\":\"x%\",\"regex\":\"[245]\",\"ne\":\"x5\",\"gt\":\"x2\"}}",
               "4");
    free_view(&view);
}

static void on_json(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,j:json,plain:string");
    add_chunk(
        &view, "id:int64,j:json,plain:string",
        "[[1,5,\"\"],[2,\"five\",\"\"],[3,true,\"\"],[4,{\"a\":{\"b\":7,\"c\":null},\"t\":\"x\"},"
        "\"\"],"
        "[5,[10,{\"k\":\"v\"}],\"\"],[6,null,\"\"],[7,5.5,\"\"],[8,18446744073709551615,\"\"],"
        "[9,{\"a\":{\"b\":\"7\"}},\"\"],[10,\"\",\"\"]]");
    struct batch *raw = build_batch("id:int64", "[[11]]");
    uint32_t index;
    assert_int_equal(batch_add_column(raw, STR("j"), TYPE_JSON, &index), 0);
    column_truncate(&raw->columns[index].column, 0);
    assert_int_equal(column_append_bytes(&raw->columns[index].column, STR(" null ")), 0);
    add_batch(&view, raw);
    assert_ids(&view, "{\"j\":5}", "1");
    assert_ids(&view, "{\"j\":5.0}", "1");
    assert_ids(&view, "{\"j\":\"five\"}", "2");
    assert_ids(&view, "{\"j\":true}", "3");
    assert_ids(&view, "{\"j\":{\"gt\":5}}", "7,8");
    assert_ids(&view, "{\"j\":{\"gte\":18446744073709551615}}", "8");
    assert_ids(&view, "{\"j\":{\"lt\":false}}", "");
    assert_ids(&view, "{\"j\":{\"lt\":\"g\"}}", "2,10");
    assert_ids(&view, "{\"j\":{\"ne\":5}}", "2,3,4,5,7,8,9,10");
    assert_ids(&view, "{\"j\":null}", "6,11");
    assert_ids(&view, "{\"j\":{\"null\":false}}", "1,2,3,4,5,7,8,9,10");
    assert_ids(&view, "{\"j\":{\"in\":[5,\"five\",true,5.50]}}", "1,2,3,7");
    assert_ids(&view, "{\"j\":{\"not_in\":[5,\"five\",true,5.50]}}", "4,5,8,9,10");
    assert_ids(&view, "{\"j\":{\"like\":\"f%\"}}", "2");
    assert_ids(&view, "{\"j\":{\"like\":\"%\"}}", "2,10");
    assert_ids(&view, "{\"j\":{\"regex\":\"v.$\"}}", "2");
    assert_ids(&view, "{\"j.a.b\":7}", "4");
    assert_ids(&view, "{\"j.a.b\":\"7\"}", "9");
    assert_ids(&view, "{\"j.a.b\":{\"null\":false}}", "4,9");
    assert_ids(&view, "{\"j.a.c\":null}", "1,2,3,4,5,6,7,8,9,10,11");
    assert_ids(&view, "{\"j.a\":{\"null\":false}}", "4,9");
    assert_ids(&view, "{\"j.1.k\":\"v\"}", "5");
    assert_ids(&view, "{\"j.0\":{\"gte\":10}}", "5");
    assert_ids(&view, "{\"j.7\":{\"gte\":10}}", "");
    assert_ids(&view, "{\"j.t\":{\"like\":\"_\"},\"j.a.b\":{\"lt\":8}}", "4");
    /* no JSON column: an unknown name */
    assert_ids(&view, "{\"plain.a\":{\"null\":false}}", "");
    free_view(&view);
}

/* A column with the full name wins over the path. */
static void dotted_column(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,j:json,j.a:int64");
    add_chunk(&view, "id:int64,j:json,j.a:int64", "[[1,{\"a\":1},2],[2,{\"a\":2},1]]");
    assert_ids(&view, "{\"j.a\":1}", "2");
    free_view(&view);
}

static void outlives_document_and_filter(void **state)
{
    (void)state;
    struct view view = build_view("id:int64,v:string");
    struct error err = ERROR_INIT;
    struct search *search;
    struct batch *batch;
    add_chunk(&view, "id:int64,v:string", "[[1,\"a\"],[2,\"b\"]]");
    struct filter *filter = parse_filter("{\"v\":{\"in\":[\"b\",\"c\"]}}");
    struct search_options options = {.filter = filter, .limit = -1};
    assert_int_equal(search_open(&view, &options, &no_limits, &search, &err), STATUS_OK);
    filter_free(filter);
    assert_int_equal(search_next(search, &batch, &err), STATUS_OK);
    assert_int_equal(batch->rows, 1);
    assert_int_equal(column_int64(&batch->columns[0].column, 0), 2);
    batch_unref(batch);
    search_close(search);
    free_view(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_refuses), cmocka_unit_test(parse_refuses_bad_regexes),
        cmocka_unit_test(parse_limits),  cmocka_unit_test(empty_filters),
        cmocka_unit_test(on_int64),      cmocka_unit_test(on_null),
        cmocka_unit_test(on_double),     cmocka_unit_test(on_bool),
        cmocka_unit_test(on_times),      cmocka_unit_test(on_string),
        cmocka_unit_test(like),          cmocka_unit_test(regex),
        cmocka_unit_test(several),       cmocka_unit_test(on_json),
        cmocka_unit_test(dotted_column), cmocka_unit_test(outlives_document_and_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ranked text from the Elasticsearch back end, on the test tool of tests/lib/elastic: what is asked
 * and how answers are read. How well a real server ranks is its own affair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/elastic/elastic_backend.h"
#include "catalog/ranked.h"
#include "lib/catalog_conformance.h"
#include "lib/elastic_server.h"

static struct elastic_server server;
static struct backend *backend;
static struct arena arena;

static void put(int number, const char *name, const char *description, const char *tag)
{
    struct error err = ERROR_INIT;
    struct str tags[] = {str_of(tag)};
    struct record record = conformance_record(DOMAIN_ASSET, "a", number, &arena);
    record.name = str_of(name);
    record.namespace = record.title = STR_NONE;
    record.description = str_of(description);
    record.tags = (struct str_list){tags, 1};
    record.categories = (struct str_list){NULL, 0};
    record.is_public = number % 2;
    record.owner = STR("owner");
    record.kind = str_of(number < 4 ? "node" : "graph");
    const struct change change = {.kind = CHANGE_INSERT, .record = &record};
    if (backend_commit(backend, &change, 1, NULL, &err) != STATUS_OK)
        fail_msg("commit: %s", err.message);
}

static int set_up(void **state)
{
    static char url[64];
    struct error err = ERROR_INIT;
    (void)state;
    arena_init(&arena, 0);
    snprintf(url, sizeof url, "elasticsearch://127.0.0.1:%d/ranked", server.port);
    if (elastic_backend_open(
            &(struct elastic_backend_options){.sys = sys_posix(), .url = url, .wait_ms = 2},
            &backend, &err) != STATUS_OK)
        return 1;
    put(1, "json parser", "reads <b> & writes", "text");
    put(2, "yaml writer", "a parser that also writes yaml", "text");
    put(3, "graph walker", "walks over edges", "graphs");
    put(4, "toolbox", "hammers, saws and a parser", "misc");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    backend_close(backend);
    arena_release(&arena);
    return 0;
}

static struct text_answer ask(struct text_query query)
{
    struct text_answer answer;
    query.tenant = STR("a");
    query.limit = query.limit ? query.limit : 10;
    assert_true(ranked_query(backend, &query, &arena, &answer));
    return answer;
}

static bool is_hit(const struct text_answer *answer, uint32_t at, int number)
{
    struct record record = conformance_record(DOMAIN_ASSET, "a", number, &arena);
    return at < answer->len && str_eq(answer->hits[at].id, record.id);
}

static void test_rank_and_highlights(void **state)
{
    (void)state;
    struct text_answer answer = ask((struct text_query){.text = STR("Parser"), .snippets = true});
    assert_int_equal(answer.total, 3);
    assert_true(is_hit(&answer, 0, 1));
    assert_true(answer.hits[0].score == 100 && answer.hits[1].score < 100);
    assert_true(str_is(answer.hits[0].name_html, "json <b>parser</b>"));
    assert_int_equal(answer.hits[0].snippet_html.len, 0);
    answer = ask((struct text_query){.text = STR("reads"), .snippets = true});
    assert_int_equal(answer.total, 1);
    assert_true(str_is(answer.hits[0].name_html, "json parser"));
    assert_true(str_is(answer.hits[0].snippet_html, "<b>reads</b> &lt;b&gt; &amp; writes"));
}

static void test_words(void **state)
{
    static const struct {
        struct text_query query;
        uint32_t total;
    } cases[] = {
        {{.text = STR("")}, 4},
        {{.text = STR("parser yaml")}, 3},
        {{.text = STR("parser yaml"), .all_words = true}, 1},
        {{.text = STR("parzer")}, 3},
        {{.text = STR("parzer"), .exact = true}, 0},
        {{.text = STR("wal"), .exact = true}, 0},
        {{.text = STR("wal"), .exact = true, .prefix = true}, 1},
        {{.text = STR("parser -yaml")}, 2},
        {{.text = STR("-parser")}, 1},
        {{.text = STR("\"also writes\"")}, 1},
        {{.text = STR("\"writes also\"")}, 0},
        {{.text = STR("\"unended quote")}, 0},
        {{.text = STR("- \"\" --")}, 4},
        {{.text = STR("graphs"), .exact = true}, 1},
        {{.text = STR("GRAPHS"), .exact = true}, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text_answer answer = ask(cases[i].query);
        if (answer.total != cases[i].total)
            fail_msg("%s: %u not %u", cases[i].query.text.data, (unsigned)answer.total,
                     (unsigned)cases[i].total);
    }
}

static void test_filters_facets_pages(void **state)
{
    struct str tag = STR("text"), id = conformance_record(DOMAIN_ASSET, "a", 2, &arena).id;
    (void)state;
    struct text_answer answer = ask((struct text_query){.text = STR("parser"), .facets = true});
    assert_int_equal(answer.facets_len[FACET_KIND], 2);
    assert_true(str_is(answer.facets[FACET_KIND][0].value, "node"));
    assert_int_equal(answer.facets[FACET_KIND][0].count, 2);
    assert_int_equal(answer.facets_len[FACET_NAMESPACE], 0);
    assert_int_equal(answer.facets_len[FACET_TAG], 2);
    assert_int_equal(ask((struct text_query){.text = STR("parser"), .kind = STR("graph")}).total,
                     1);
    assert_int_equal(
        ask((struct text_query){.text = STR("parser"), .tags = &tag, .tags_len = 1}).total, 2);
    assert_int_equal(ask((struct text_query){.text = STR("parser"), .restricted = true}).total, 1);
    assert_int_equal(ask((struct text_query){.text = STR("parser"),
                                             .restricted = true,
                                             .visible_ids = &id,
                                             .visible_ids_len = 1})
                         .total,
                     2);
    answer = ask((struct text_query){.text = STR("parser"), .offset = 2, .limit = 2});
    assert_int_equal(answer.len, 1);
    assert_int_equal(answer.total, 3);
}

static void test_what_is_not_for_it(void **state)
{
    struct text_answer answer;
    struct text_query query = {.tenant = STR("a"), .text = STR("parser"), .limit = 10};
    (void)state;
    query.by_name = true;
    assert_false(ranked_query(backend, &query, &arena, &answer));
    query.by_name = false;
    query.offset = 9995;
    assert_false(ranked_query(backend, &query, &arena, &answer));
    query.offset = 0;
    assert_true(elastic_server_faults(
        &server, "[{\"match\":\"_search\",\"kind\":\"status\",\"status\":503,\"times\":100}]"));
    assert_false(ranked_query(backend, &query, &arena, &answer));
    assert_true(elastic_server_faults(&server, "[]"));
    assert_true(ranked_query(backend, &query, &arena, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank_and_highlights),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_filters_facets_pages),
        cmocka_unit_test(test_what_is_not_for_it),
    };
    if (!elastic_server_start(&server, "elasticsearch"))
        return 1;
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    elastic_server_stop(&server);
    return failed;
}

/* The Elasticsearch back end: reindexing, damage that verify finds, indexes of other formats,
 * indexes that are gone, OpenSearch's differences; over the test tool of tests/lib/elastic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/elastic/elastic_backend.h"
#include "lib/elastic_rig.h"

static void test_reindex(void **state)
{
    enum { MANY = 600 }; /* more than a page */
    struct elastic_rig *rig = *state;
    struct record records[MANY];
    struct change changes[MANY];
    for (int i = 0; i < MANY; i++) {
        records[i] = conformance_record(DOMAIN_ASSET, "a", i, &rig->arena);
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
    }
    assert_int_equal(backend_commit(rig->backend, changes, MANY, NULL, &rig->err), STATUS_OK);
    elastic_rig_must_commit(rig, CHANGE_REMOVE, 0, &records[7]);
    for (int round = 0; round < 2; round++) {
        if (elastic_reindex(rig->backend, NULL, NULL, &rig->err) != STATUS_OK)
            fail_msg("reindex: %s: %s", rig->err.message, rig->err.cause);
        elastic_rig_must_find(rig, &records[1]);
        elastic_rig_must_verify(rig, 0);
    }
    struct record changed = records[1];
    changed.revision = 2;
    elastic_rig_must_commit(rig, CHANGE_UPDATE, 1, &changed);
    elastic_rig_must_find(rig, &changed);
    /* cut off in the middle, it is held for others, and can be repeated */
    elastic_rig_faults("[{\"match\":\"POST /_aliases\",\"kind\":\"close\",\"times\":4,\"skip\":1},"
                       "{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"status\",\"status\":503,"
                       "\"times\":4,\"skip\":1}]");
    assert_int_equal(elastic_reindex(rig->backend, NULL, NULL, &rig->err), STATUS_UNAVAILABLE);
    assert_int_equal(elastic_rig_commit(rig, CHANGE_REMOVE, 0, &records[3]), STATUS_UNAVAILABLE);
    elastic_rig_must_find(rig, &changed);
    elastic_rig_faults("[]");
    assert_int_equal(elastic_reindex(rig->backend, NULL, NULL, &rig->err), STATUS_OK);
    elastic_rig_must_commit(rig, CHANGE_REMOVE, 0, &records[3]);
    elastic_rig_must_verify(rig, 0);
}

static void test_verify_finds_damage(void **state)
{
    struct elastic_rig *rig = *state;
    char path[256];
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    snprintf(path, sizeof path, "%s/faults-assets/_update/%.*s", elastic_rig_origin,
             STR_ARG(rig->record.id));
    assert_int_equal(elastic_server_ask("POST", path, "{\"doc\":{\"owner\":\"thief\"}}", NULL, 0),
                     200);
    snprintf(path, sizeof path, "%s/faults-keys/_doc/x", elastic_rig_origin);
    assert_int_equal(elastic_server_ask("PUT", path, "{\"record\":\"nobody\"}", NULL, 0), 201);
    elastic_rig_must_verify(rig, 2);
}

static void test_a_newer_format_is_refused(void **state)
{
    struct elastic_rig *rig = *state;
    struct backend *backend = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/faults-control/_update/head", elastic_rig_origin);
    assert_int_equal(elastic_server_ask("POST", path, "{\"doc\":{\"format\":2}}", NULL, 0), 200);
    assert_int_equal(elastic_rig_open(ELASTIC_RIG_TIMEOUT_MS, &backend, &rig->err),
                     STATUS_CONFLICT);
    assert_non_null(strstr(rig->err.message, "format 2"));
}

/* An index that is gone does not come back empty and without its mapping. */
static void test_a_lost_index(void **state)
{
    struct elastic_rig *rig = *state;
    struct record_page page;
    const struct record_query query = {
        .domain = DOMAIN_ASSET, .tenant = rig->record.tenant, .limit = 10};
    char path[128];
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    snprintf(path, sizeof path, "%s/faults-assets-000001", elastic_rig_origin);
    assert_int_equal(elastic_server_ask("DELETE", path, NULL, NULL, 0), 200);
    assert_int_not_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err),
                         STATUS_OK);
    assert_int_not_equal(elastic_rig_commit(rig, CHANGE_REMOVE, 0, &rig->record), STATUS_OK);
    assert_int_equal(elastic_server_ask("GET", path, NULL, NULL, 0), 404);
}

/* Only the way to a point in time differs; a condition that the server cannot check needs one. */
static void test_opensearch(void **state)
{
    static const struct str begin[] = {STR("Bet")};
    static const struct match match = {
        .field = RECORD_description, .op = MATCH_PREFIX, .values = begin, .values_len = 1};
    struct elastic_rig *rig = *state;
    struct elastic_server other;
    struct elastic_backend_options options = {.sys = sys_posix(), .url = elastic_rig_url};
    struct record_page page;
    struct record_query query = {.domain = DOMAIN_ASSET,
                                 .tenant = rig->record.tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_description,
                                 .limit = 10};
    char text[128];
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    assert_int_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err), STATUS_OK);
    assert_int_equal(page.len, 1);
    assert_true(elastic_server_start(&other, "opensearch"));
    snprintf(text, sizeof text, "opensearch://127.0.0.1:%d/faults", other.port);
    options.url = text;
    backend_close(rig->backend);
    rig->backend = NULL;
    assert_int_equal(elastic_backend_open(&options, &rig->backend, &rig->err), STATUS_OK);
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    assert_int_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err), STATUS_OK);
    assert_int_equal(page.len, 1);
    elastic_server_stop(&other);
}

int main(void)
{
#define RIGGED(test)                                                                               \
    cmocka_unit_test_setup_teardown(test, elastic_rig_set_up, elastic_rig_tear_down)
    const struct CMUnitTest tests[] = {
        RIGGED(test_reindex),
        RIGGED(test_verify_finds_damage),
        RIGGED(test_a_newer_format_is_refused),
        RIGGED(test_a_lost_index),
        RIGGED(test_opensearch),
    };
    if (!elastic_rig_start())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    elastic_rig_stop();
    return failed;
}

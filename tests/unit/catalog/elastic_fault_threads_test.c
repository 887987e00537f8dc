/* The Elasticsearch back end while the server refuses, forgets, hangs and dies between the steps of
 * a commit: over the test tool of tests/lib/elastic, which does so when asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "catalog/elastic/elastic_backend.h"
#include "lib/catalog_conformance.h"
#include "lib/elastic_server.h"

enum { WRITERS = 4, INCREMENTS = 10, TIMEOUT_MS = 20000, SHORT_MS = 300 };

static struct elastic_server server;
static char url[128], origin[64];

struct rig {
    struct backend *backend;
    struct arena arena;
    struct error err;
    struct record record;
};

static enum status open_with(uint32_t timeout_ms, struct backend **ret, struct error *err)
{
    return elastic_backend_open(
        &(struct elastic_backend_options){
            .sys = sys_posix(), .url = url, .timeout_ms = timeout_ms, .tries = 4, .wait_ms = 2},
        ret, err);
}

static void must_open(struct rig *rig)
{
    if (open_with(TIMEOUT_MS, &rig->backend, &rig->err) != STATUS_OK)
        fail_msg("open: %s: %s", rig->err.message, rig->err.cause);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->err = ERROR_INIT;
    arena_init(&rig->arena, 0);
    assert_true(elastic_server_faults(&server, "[]"));
    assert_true(elastic_server_wipe(origin, "faults"));
    must_open(rig);
    rig->record = conformance_record(DOMAIN_ASSET, "a", 1, &rig->arena);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    backend_close(rig->backend);
    arena_release(&rig->arena);
    free(rig);
    return 0;
}

static void faults_are(const char *faults)
{
    assert_true(elastic_server_faults(&server, faults));
}

static enum status commit(struct rig *rig, enum change_kind kind, int64_t expected,
                          const struct record *record)
{
    const struct change change = {.kind = kind, .expected = expected, .record = record};
    return backend_commit(rig->backend, &change, 1, NULL, &rig->err);
}

static void must_commit(struct rig *rig, enum change_kind kind, int64_t expected,
                        const struct record *record)
{
    if (commit(rig, kind, expected, record) != STATUS_OK)
        fail_msg("commit: %s: %s", rig->err.message, rig->err.cause);
}

static enum status get(struct rig *rig, struct record *ret)
{
    return backend_get(rig->backend, DOMAIN_ASSET, rig->record.tenant, rig->record.id, &rig->arena,
                       ret, &rig->err);
}

/* By id, by key and by a search. */
static void must_find(struct rig *rig, const struct record *want)
{
    struct record got;
    struct record_page page;
    const struct record_query query = {.domain = DOMAIN_ASSET,
                                       .tenant = want->tenant,
                                       .text = want->name,
                                       .limit = 10,
                                       .count = true};
    if (get(rig, &got) != STATUS_OK)
        fail_msg("get: %s: %s", rig->err.message, rig->err.cause);
    assert_true(record_equal(&got, want));
    assert_int_equal(backend_find(rig->backend, DOMAIN_ASSET, want->tenant, want->key, &rig->arena,
                                  &got, &rig->err),
                     STATUS_OK);
    assert_true(record_equal(&got, want));
    assert_int_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err), STATUS_OK);
    assert_int_equal(page.total, 1);
    assert_true(record_equal(&page.records[0], want));
}

static void count_fault(void *context, const char *what)
{
    print_message("fault: %s\n", what);
    ++*(int *)context;
}

static void must_verify(struct rig *rig, int expected)
{
    int found = 0;
    assert_int_equal(backend_verify(rig->backend, count_fault, &found, &rig->err), STATUS_OK);
    assert_int_equal(found, expected);
}

static void test_busy_servers_are_asked_again(void **state)
{
    struct rig *rig = *state;
    faults_are("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"status\",\"status\":429,"
               "\"times\":2},"
               "{\"match\":\"POST /_mget\",\"kind\":\"status\",\"status\":503,\"times\":2},"
               "{\"match\":\"POST /_bulk\",\"kind\":\"status\",\"status\":429,\"times\":1},"
               "{\"match\":\"POST /_bulk\",\"kind\":\"close\",\"times\":1},"
               "{\"match\":\"POST /faults-assets/_search\",\"kind\":\"status\",\"status\":429,"
               "\"times\":1},"
               "{\"match\":\"POST /faults-assets/_search\",\"kind\":\"close\",\"times\":1},"
               "{\"match\":\"POST /faults-assets/_refresh\",\"kind\":\"lost\",\"times\":1}]");
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    must_find(rig, &rig->record);
    assert_int_equal(elastic_server_requests(&server, "PUT /faults-control/_doc"), 3);
    assert_int_equal(elastic_server_requests(&server, "POST /_bulk"), 3);
    must_verify(rig, 0);
}

/* The answer to the deciding write is lost: the retry is refused, and it was our own. */
static void test_a_lost_decision_is_recognized(void **state)
{
    struct rig *rig = *state;
    faults_are("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":1}]");
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    faults_are("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":3}]");
    struct record second = rig->record;
    second.revision = 2;
    must_commit(rig, CHANGE_UPDATE, 1, &second);
    must_find(rig, &second);
    must_verify(rig, 0);
}

static void test_parts_of_a_bulk_are_sent_again(void **state)
{
    struct rig *rig = *state;
    struct record records[20];
    struct change changes[20];
    for (int i = 0; i < 20; i++) {
        records[i] = conformance_record(DOMAIN_ASSET, "a", i, &rig->arena);
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
    }
    faults_are("[{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":429,\"every\":2,"
               "\"times\":1},"
               "{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":503,\"every\":3,"
               "\"times\":1}]");
    assert_int_equal(backend_commit(rig->backend, changes, 20, NULL, &rig->err), STATUS_OK);
    assert_int_equal(elastic_server_requests(&server, "POST /_bulk"), 3);
    must_find(rig, &records[1]);
    must_verify(rig, 0);
}

/* Decided, but no document could be written: whoever reads next writes them. */
static void test_a_decided_commit_happens(void **state)
{
    static const char *const kinds[] = {
        "[{\"match\":\"POST /_bulk\",\"kind\":\"close\",\"times\":4}]",
        "[{\"match\":\"POST /_bulk\",\"kind\":\"status\",\"status\":503,\"times\":4}]",
        "[{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":429,\"every\":1,\"times\":4}]",
        "[{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":400,\"every\":2,\"times\":1}]",
        "[{\"match\":\"POST /_bulk\",\"kind\":\"lost\",\"times\":4}]"};
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        rig->record = conformance_record(DOMAIN_ASSET, "a", (int)i, &rig->arena);
        faults_are(kinds[i]);
        must_commit(rig, CHANGE_INSERT, 0, &rig->record);
        if (i % 2) { /* another process */
            backend_close(rig->backend);
            rig->backend = NULL;
            must_open(rig);
        }
        must_find(rig, &rig->record);
    }
    must_verify(rig, 0);
}

/* While the documents cannot be written nobody reads what is half there, nor commits over it. */
static void test_nothing_is_read_in_between(void **state)
{
    struct rig *rig = *state;
    struct record changed = rig->record, got;
    struct record other = conformance_record(DOMAIN_ASSET, "a", 2, &rig->arena);
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    changed.revision = 2;
    changed.name = STR("changed");
    const struct change both[] = {{.kind = CHANGE_UPDATE, .expected = 1, .record = &changed},
                                  {.kind = CHANGE_INSERT, .record = &other}};
    faults_are("[{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":503,\"every\":2,"
               "\"times\":12}]");
    assert_int_equal(backend_commit(rig->backend, both, 2, NULL, &rig->err), STATUS_OK);
    faults_are("[{\"match\":\"POST /_bulk\",\"kind\":\"close\",\"times\":100}]");
    assert_int_equal(get(rig, &got), STATUS_UNAVAILABLE);
    assert_int_equal(commit(rig, CHANGE_REMOVE, 0, &changed), STATUS_UNAVAILABLE);
    faults_are("[]");
    must_find(rig, &changed);
    must_verify(rig, 0);
}

/* Whole or absent. */
static void test_commits_of_unknown_fate(void **state)
{
    struct rig *rig = *state;
    struct record got;
    faults_are("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"close\",\"times\":100}]");
    assert_int_equal(commit(rig, CHANGE_INSERT, 0, &rig->record), STATUS_UNAVAILABLE);
    assert_int_equal(get(rig, &got), STATUS_NOT_FOUND);
    faults_are("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":100}]");
    assert_int_equal(commit(rig, CHANGE_INSERT, 0, &rig->record), STATUS_UNAVAILABLE);
    faults_are("[]");
    must_find(rig, &rig->record);
    assert_int_equal(commit(rig, CHANGE_INSERT, 0, &rig->record), STATUS_CONFLICT);
    must_verify(rig, 0);
}

static void test_a_slow_server(void **state)
{
    struct rig *rig = *state;
    struct backend *hasty = NULL;
    struct record got;
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    assert_int_equal(open_with(SHORT_MS, &hasty, &rig->err), STATUS_OK);
    faults_are("[{\"match\":\"POST /_mget\",\"kind\":\"slow\",\"ms\":1500,\"times\":4}]");
    assert_int_equal(backend_get(hasty, DOMAIN_ASSET, rig->record.tenant, rig->record.id,
                                 &rig->arena, &got, &rig->err),
                     STATUS_TIMEOUT);
    backend_close(hasty);
}

static void test_retry_after_is_obeyed(void **state)
{
    struct rig *rig = *state;
    struct record got;
    faults_are("[{\"match\":\"POST /_mget\",\"kind\":\"status\",\"status\":429,\"retry_after\":1,"
               "\"times\":1}]");
    int64_t begin_us = sys_mono_us(sys_posix());
    assert_int_equal(get(rig, &got), STATUS_NOT_FOUND);
    assert_true(sys_mono_us(sys_posix()) - begin_us >= 1000000);
}

/* --- several processes, as far as the server can tell --- */

struct writer {
    struct rig *rig;
    struct backend *backend;
    pthread_t thread;
    bool failed;
};

static bool increment(struct writer *writer, struct arena *arena)
{
    const struct record *about = &writer->rig->record;
    struct record r;
    struct commit_result result;
    for (;;) {
        if (backend_get(writer->backend, about->domain, about->tenant, about->id, arena, &r,
                        NULL) != STATUS_OK)
            return false;
        r.node_count++;
        r.revision++;
        struct change change = {.kind = CHANGE_UPDATE, .expected = r.revision - 1, .record = &r};
        enum status status = backend_commit(writer->backend, &change, 1, &result, NULL);
        if (status == STATUS_OK)
            return true;
        if (result.conflict != CONFLICT_REVISION)
            return false;
    }
}

static void *write_increments(void *argument)
{
    struct writer *writer = argument;
    for (int i = 0; i < INCREMENTS && !writer->failed; i++) {
        struct arena arena;
        arena_init(&arena, 0);
        writer->failed = !increment(writer, &arena);
        arena_release(&arena);
    }
    return NULL;
}

static void test_several_processes(void **state)
{
    struct rig *rig = *state;
    struct writer writers[WRITERS];
    rig->record.node_count = 0;
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    faults_are("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":3,\"skip\":7},"
               "{\"match\":\"POST /_bulk\",\"kind\":\"close\",\"times\":3,\"skip\":9}]");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.rig = rig};
        assert_int_equal(open_with(TIMEOUT_MS, &writers[i].backend, &rig->err), STATUS_OK);
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_increments, &writers[i]),
                         0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_false(writers[i].failed);
        backend_close(writers[i].backend);
    }
    rig->record.node_count = WRITERS * INCREMENTS;
    rig->record.revision += WRITERS * INCREMENTS;
    must_find(rig, &rig->record);
    must_verify(rig, 0);
}

/* --- reindexing, damage, other servers --- */

static void test_reindex(void **state)
{
    enum { MANY = 600 }; /* more than a page */
    struct rig *rig = *state;
    struct record records[MANY];
    struct change changes[MANY];
    for (int i = 0; i < MANY; i++) {
        records[i] = conformance_record(DOMAIN_ASSET, "a", i, &rig->arena);
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
    }
    assert_int_equal(backend_commit(rig->backend, changes, MANY, NULL, &rig->err), STATUS_OK);
    must_commit(rig, CHANGE_REMOVE, 0, &records[7]);
    for (int round = 0; round < 2; round++) {
        if (elastic_reindex(rig->backend, NULL, NULL, &rig->err) != STATUS_OK)
            fail_msg("reindex: %s: %s", rig->err.message, rig->err.cause);
        must_find(rig, &records[1]);
        must_verify(rig, 0);
    }
    struct record changed = records[1];
    changed.revision = 2;
    must_commit(rig, CHANGE_UPDATE, 1, &changed);
    must_find(rig, &changed);
    /* cut off in the middle, it is held for others, and can be repeated */
    faults_are("[{\"match\":\"POST /_aliases\",\"kind\":\"close\",\"times\":4,\"skip\":1},"
               "{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"status\",\"status\":503,"
               "\"times\":4,\"skip\":1}]");
    assert_int_equal(elastic_reindex(rig->backend, NULL, NULL, &rig->err), STATUS_UNAVAILABLE);
    assert_int_equal(commit(rig, CHANGE_REMOVE, 0, &records[3]), STATUS_UNAVAILABLE);
    must_find(rig, &changed);
    faults_are("[]");
    assert_int_equal(elastic_reindex(rig->backend, NULL, NULL, &rig->err), STATUS_OK);
    must_commit(rig, CHANGE_REMOVE, 0, &records[3]);
    must_verify(rig, 0);
}

static void test_verify_finds_damage(void **state)
{
    struct rig *rig = *state;
    char path[256];
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    snprintf(path, sizeof path, "%s/faults-assets/_update/%.*s", origin, STR_ARG(rig->record.id));
    assert_int_equal(elastic_server_ask("POST", path, "{\"doc\":{\"owner\":\"thief\"}}", NULL, 0),
                     200);
    snprintf(path, sizeof path, "%s/faults-keys/_doc/x", origin);
    assert_int_equal(elastic_server_ask("PUT", path, "{\"record\":\"nobody\"}", NULL, 0), 201);
    must_verify(rig, 2);
}

static void test_a_newer_format_is_refused(void **state)
{
    struct rig *rig = *state;
    struct backend *backend = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/faults-control/_update/head", origin);
    assert_int_equal(elastic_server_ask("POST", path, "{\"doc\":{\"format\":2}}", NULL, 0), 200);
    assert_int_equal(open_with(TIMEOUT_MS, &backend, &rig->err), STATUS_CONFLICT);
    assert_non_null(strstr(rig->err.message, "format 2"));
}

/* An index that is gone does not come back empty and without its mapping. */
static void test_a_lost_index(void **state)
{
    struct rig *rig = *state;
    struct record_page page;
    const struct record_query query = {
        .domain = DOMAIN_ASSET, .tenant = rig->record.tenant, .limit = 10};
    char path[128];
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    snprintf(path, sizeof path, "%s/faults-assets-000001", origin);
    assert_int_equal(elastic_server_ask("DELETE", path, NULL, NULL, 0), 200);
    assert_int_not_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err),
                         STATUS_OK);
    assert_int_not_equal(commit(rig, CHANGE_REMOVE, 0, &rig->record), STATUS_OK);
    assert_int_equal(elastic_server_ask("GET", path, NULL, NULL, 0), 404);
}

/* Only the way to a point in time differs; a condition that the server cannot check needs one. */
static void test_opensearch(void **state)
{
    static const struct str begin[] = {STR("Bet")};
    static const struct match match = {
        .field = RECORD_description, .op = MATCH_PREFIX, .values = begin, .values_len = 1};
    struct rig *rig = *state;
    struct elastic_server other;
    struct elastic_backend_options options = {.sys = sys_posix(), .url = url};
    struct record_page page;
    struct record_query query = {.domain = DOMAIN_ASSET,
                                 .tenant = rig->record.tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_description,
                                 .limit = 10};
    char text[128];
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    assert_int_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err), STATUS_OK);
    assert_int_equal(page.len, 1);
    assert_true(elastic_server_start(&other, "opensearch"));
    snprintf(text, sizeof text, "opensearch://127.0.0.1:%d/faults", other.port);
    options.url = text;
    backend_close(rig->backend);
    rig->backend = NULL;
    assert_int_equal(elastic_backend_open(&options, &rig->backend, &rig->err), STATUS_OK);
    must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    assert_int_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err), STATUS_OK);
    assert_int_equal(page.len, 1);
    elastic_server_stop(&other);
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RIGGED(test_busy_servers_are_asked_again),
        RIGGED(test_a_lost_decision_is_recognized),
        RIGGED(test_parts_of_a_bulk_are_sent_again),
        RIGGED(test_a_decided_commit_happens),
        RIGGED(test_nothing_is_read_in_between),
        RIGGED(test_commits_of_unknown_fate),
        RIGGED(test_a_slow_server),
        RIGGED(test_retry_after_is_obeyed),
        RIGGED(test_several_processes),
        RIGGED(test_reindex),
        RIGGED(test_verify_finds_damage),
        RIGGED(test_a_newer_format_is_refused),
        RIGGED(test_a_lost_index),
        RIGGED(test_opensearch),
    };
    if (!elastic_server_start(&server, "elasticsearch"))
        return 1;
    snprintf(url, sizeof url, "elasticsearch://127.0.0.1:%d/faults", server.port);
    snprintf(origin, sizeof origin, "http://127.0.0.1:%d", server.port);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    elastic_server_stop(&server);
    return failed;
}

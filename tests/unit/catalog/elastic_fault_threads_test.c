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
#include "lib/elastic_rig.h"

enum { WRITERS = 4, INCREMENTS = 10, SHORT_MS = 300 };

static void test_busy_servers_are_asked_again(void **state)
{
    struct elastic_rig *rig = *state;
    elastic_rig_faults(
        "[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"status\",\"status\":429,"
        "\"times\":2},"
        "{\"match\":\"POST /_mget\",\"kind\":\"status\",\"status\":503,\"times\":2},"
        "{\"match\":\"POST /_bulk\",\"kind\":\"status\",\"status\":429,\"times\":1},"
        "{\"match\":\"POST /_bulk\",\"kind\":\"close\",\"times\":1},"
        "{\"match\":\"POST /faults-assets/_search\",\"kind\":\"status\",\"status\":429,"
        "\"times\":1},"
        "{\"match\":\"POST /faults-assets/_search\",\"kind\":\"close\",\"times\":1},"
        "{\"match\":\"POST /faults-assets/_refresh\",\"kind\":\"lost\",\"times\":1}]");
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    elastic_rig_must_find(rig, &rig->record);
    assert_int_equal(elastic_server_requests(&elastic_rig_server, "PUT /faults-control/_doc"), 3);
    assert_int_equal(elastic_server_requests(&elastic_rig_server, "POST /_bulk"), 3);
    elastic_rig_must_verify(rig, 0);
}

/* The answer to the deciding write is lost: the retry is refused, and it was our own. */
static void test_a_lost_decision_is_recognized(void **state)
{
    struct elastic_rig *rig = *state;
    elastic_rig_faults("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":1}]");
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    elastic_rig_faults("[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":3}]");
    struct record second = rig->record;
    second.revision = 2;
    elastic_rig_must_commit(rig, CHANGE_UPDATE, 1, &second);
    elastic_rig_must_find(rig, &second);
    elastic_rig_must_verify(rig, 0);
}

static void test_parts_of_a_bulk_are_sent_again(void **state)
{
    struct elastic_rig *rig = *state;
    struct record records[20];
    struct change changes[20];
    for (int i = 0; i < 20; i++) {
        records[i] = conformance_record(DOMAIN_ASSET, "a", i, &rig->arena);
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
    }
    elastic_rig_faults(
        "[{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":429,\"every\":2,"
        "\"times\":1},"
        "{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":503,\"every\":3,"
        "\"times\":1}]");
    assert_int_equal(backend_commit(rig->backend, changes, 20, NULL, &rig->err), STATUS_OK);
    assert_int_equal(elastic_server_requests(&elastic_rig_server, "POST /_bulk"), 3);
    elastic_rig_must_find(rig, &records[1]);
    elastic_rig_must_verify(rig, 0);
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
    struct elastic_rig *rig = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        rig->record = conformance_record(DOMAIN_ASSET, "a", (int)i, &rig->arena);
        elastic_rig_faults(kinds[i]);
        elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
        if (i % 2) { /* another process */
            backend_close(rig->backend);
            rig->backend = NULL;
            elastic_rig_reopen(rig);
        }
        elastic_rig_must_find(rig, &rig->record);
    }
    elastic_rig_must_verify(rig, 0);
}

/* While the documents cannot be written nobody reads what is half there, nor commits over it. */
static void test_nothing_is_read_in_between(void **state)
{
    struct elastic_rig *rig = *state;
    struct record changed = rig->record, got;
    struct record other = conformance_record(DOMAIN_ASSET, "a", 2, &rig->arena);
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    changed.revision = 2;
    changed.name = STR("changed");
    const struct change both[] = {{.kind = CHANGE_UPDATE, .expected = 1, .record = &changed},
                                  {.kind = CHANGE_INSERT, .record = &other}};
    elastic_rig_faults(
        "[{\"match\":\"POST /_bulk\",\"kind\":\"partial\",\"status\":503,\"every\":2,"
        "\"times\":12}]");
    assert_int_equal(backend_commit(rig->backend, both, 2, NULL, &rig->err), STATUS_OK);
    elastic_rig_faults("[{\"match\":\"POST /_bulk\",\"kind\":\"close\",\"times\":100}]");
    assert_int_equal(elastic_rig_get(rig, &got), STATUS_UNAVAILABLE);
    assert_int_equal(elastic_rig_commit(rig, CHANGE_REMOVE, 0, &changed), STATUS_UNAVAILABLE);
    elastic_rig_faults("[]");
    elastic_rig_must_find(rig, &changed);
    elastic_rig_must_verify(rig, 0);
}

/* Whole or absent. */
static void test_commits_of_unknown_fate(void **state)
{
    struct elastic_rig *rig = *state;
    struct record got;
    elastic_rig_faults(
        "[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"close\",\"times\":100}]");
    assert_int_equal(elastic_rig_commit(rig, CHANGE_INSERT, 0, &rig->record), STATUS_UNAVAILABLE);
    assert_int_equal(elastic_rig_get(rig, &got), STATUS_NOT_FOUND);
    elastic_rig_faults(
        "[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":100}]");
    assert_int_equal(elastic_rig_commit(rig, CHANGE_INSERT, 0, &rig->record), STATUS_UNAVAILABLE);
    elastic_rig_faults("[]");
    elastic_rig_must_find(rig, &rig->record);
    assert_int_equal(elastic_rig_commit(rig, CHANGE_INSERT, 0, &rig->record), STATUS_CONFLICT);
    elastic_rig_must_verify(rig, 0);
}

static void test_a_slow_server(void **state)
{
    struct elastic_rig *rig = *state;
    struct backend *hasty = NULL;
    struct record got;
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    assert_int_equal(elastic_rig_open(SHORT_MS, &hasty, &rig->err), STATUS_OK);
    elastic_rig_faults("[{\"match\":\"POST /_mget\",\"kind\":\"slow\",\"ms\":1500,\"times\":4}]");
    assert_int_equal(backend_get(hasty, DOMAIN_ASSET, rig->record.tenant, rig->record.id,
                                 &rig->arena, &got, &rig->err),
                     STATUS_TIMEOUT);
    backend_close(hasty);
}

static void test_retry_after_is_obeyed(void **state)
{
    struct elastic_rig *rig = *state;
    struct record got;
    elastic_rig_faults(
        "[{\"match\":\"POST /_mget\",\"kind\":\"status\",\"status\":429,\"retry_after\":1,"
        "\"times\":1}]");
    int64_t begin_us = sys_mono_us(sys_posix());
    assert_int_equal(elastic_rig_get(rig, &got), STATUS_NOT_FOUND);
    assert_true(sys_mono_us(sys_posix()) - begin_us >= 1000000);
}

/* --- several processes, as far as the server can tell --- */

struct writer {
    struct elastic_rig *rig;
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
    struct elastic_rig *rig = *state;
    struct writer writers[WRITERS];
    rig->record.node_count = 0;
    elastic_rig_must_commit(rig, CHANGE_INSERT, 0, &rig->record);
    elastic_rig_faults(
        "[{\"match\":\"PUT /faults-control/_doc\",\"kind\":\"lost\",\"times\":3,\"skip\":7},"
        "{\"match\":\"POST /_bulk\",\"kind\":\"close\",\"times\":3,\"skip\":9}]");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.rig = rig};
        assert_int_equal(elastic_rig_open(ELASTIC_RIG_TIMEOUT_MS, &writers[i].backend, &rig->err),
                         STATUS_OK);
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
    elastic_rig_must_find(rig, &rig->record);
    elastic_rig_must_verify(rig, 0);
}

int main(void)
{
#define RIGGED(test)                                                                               \
    cmocka_unit_test_setup_teardown(test, elastic_rig_set_up, elastic_rig_tear_down)
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
    };
    if (!elastic_rig_start())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    elastic_rig_stop();
    return failed;
}

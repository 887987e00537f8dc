/* The hybrid catalog with a search engine: the conformance suite over SQLite with the Elasticsearch
 * back end beside it (on the test tool of tests/lib/elastic); then the engine away, slow, damaged,
 * and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalog/hybrid/hybrid_backend.h"
#include "catalog/open.h"
#include "catalog/transfer.h"
#include "lib/catalog_conformance.h"
#include "lib/elastic_server.h"

enum { WAIT_TRIES = 3000, TRY_US = 10000, MANY = 450 };

static struct elastic_server server;
static char folder[64] = "/tmp/quarry-search-XXXXXX";
static char db_path[96], url[320], primary_url[128], search_url[128], origin[64];

static enum status open_hybrid(void *context, struct backend **ret, struct error *err)
{
    (void)context;
    return catalog_backend_open(sys_posix(), url, ret, err);
}

static void remove_primary(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".generations"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", db_path, ends[i]);
        (void)unlink(path);
    }
}

static void wipe(void *context)
{
    (void)context;
    remove_primary();
    if (!elastic_server_wipe(origin, "copy"))
        print_error("the test tool could not be emptied\n");
}

/* --- the rig --- */

struct rig {
    struct backend *backend;
    struct arena arena;
    struct error err;
    struct record record;
};

static void must_open(struct rig *rig)
{
    if (open_hybrid(NULL, &rig->backend, &rig->err) != STATUS_OK)
        fail_msg("open: %s: %s", rig->err.message, rig->err.cause);
}

static void reopen(struct rig *rig)
{
    backend_close(rig->backend);
    rig->backend = NULL;
    must_open(rig);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->err = ERROR_INIT;
    arena_init(&rig->arena, 0);
    assert_true(elastic_server_faults(&server, "[]"));
    wipe(NULL);
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

/* Whatever is asked. */
static void search_is_down(void)
{
    faults_are("[{\"match\":\" /\",\"kind\":\"close\",\"times\":1000000}]");
}

static struct hybrid_stats stats_of(const struct rig *rig)
{
    struct hybrid_stats stats;
    hybrid_look(rig->backend, &stats);
    return stats;
}

static uint64_t outbox_of(struct rig *rig)
{
    uint64_t waiting = 0;
    assert_int_equal(hybrid_outbox(rig->backend, &waiting, &rig->err), STATUS_OK);
    return waiting;
}

static void must_commit(struct backend *backend, enum change_kind kind, int64_t expected,
                        const struct record *record)
{
    struct error err = ERROR_INIT;
    const struct change change = {.kind = kind, .expected = expected, .record = record};
    if (backend_commit(backend, &change, 1, NULL, &err) != STATUS_OK)
        fail_msg("commit: %s: %s", err.message, err.cause);
}

static void change(struct rig *rig, const char *name)
{
    rig->record.revision++;
    rig->record.name = str_of(name);
    must_commit(rig->backend, CHANGE_UPDATE, rig->record.revision - 1, &rig->record);
}

static uint32_t count_text(struct rig *rig, const char *text)
{
    struct record_page page;
    const struct record_query query = {
        .domain = DOMAIN_ASSET, .tenant = STR("a"), .text = str_of(text), .limit = 1000};
    if (backend_query(rig->backend, &query, &rig->arena, &page, &rig->err) != STATUS_OK)
        fail_msg("query: %s: %s", rig->err.message, rig->err.cause);
    return page.len;
}

/* Everything is told, and the engine is asked again. */
static void wait_for_search(struct rig *rig)
{
    for (int i = 0; i < WAIT_TRIES; i++) {
        uint64_t before = stats_of(rig).searches;
        (void)count_text(rig, "name");
        if (stats_of(rig).searches > before) {
            assert_int_equal(outbox_of(rig), 0);
            return;
        }
        usleep(TRY_US);
    }
    fail_msg("the search engine is not used: %s, outbox %llu", stats_of(rig).search_state,
             (unsigned long long)outbox_of(rig));
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

/* --- tests --- */

/* At every moment, whoever answers. */
static void test_searches_see_commits(void **state)
{
    static const char *const names[] = {"first", "second", "third", "fourth"};
    struct rig *rig = *state;
    must_commit(rig->backend, CHANGE_INSERT, 0, &rig->record);
    wait_for_search(rig);
    for (int i = 0; i < 40; i++) {
        change(rig, names[i % 4]);
        assert_int_equal(count_text(rig, names[i % 4]), 1);
        assert_int_equal(count_text(rig, names[(i + 1) % 4]), 0);
        if (i % 10 == 9)
            wait_for_search(rig);
    }
    must_commit(rig->backend, CHANGE_REMOVE, 0, &rig->record);
    assert_int_equal(count_text(rig, names[3]), 0);
    wait_for_search(rig);
    must_verify(rig, 0);
}

/* Counts of accesses are the primary's, also in what a search finds. */
static void test_touches_are_not_lost(void **state)
{
    struct rig *rig = *state;
    struct record touch = rig->record;
    struct record_page page;
    const struct record_query query = {
        .domain = DOMAIN_ASSET, .tenant = STR("a"), .text = rig->record.name, .limit = 10};
    must_commit(rig->backend, CHANGE_INSERT, 0, &rig->record);
    wait_for_search(rig);
    touch.access_count = 5;
    must_commit(rig->backend, CHANGE_TOUCH, 0, &touch);
    uint64_t before = stats_of(rig).searches;
    assert_int_equal(backend_query(rig->backend, &query, &rig->arena, &page, &rig->err), STATUS_OK);
    assert_int_equal(stats_of(rig).searches, before + 1);
    assert_int_equal(page.records[0].access_count, rig->record.access_count + 5);
    must_verify(rig, 0);
}

/* Commits and searches go on without the engine; what it missed waits in the primary, also over the
 * end of the process. */
static void test_the_engine_is_away(void **state)
{
    struct rig *rig = *state;
    must_commit(rig->backend, CHANGE_INSERT, 0, &rig->record);
    wait_for_search(rig);
    search_is_down();
    change(rig, "changed meanwhile");
    assert_int_equal(count_text(rig, "meanwhile"), 1);
    assert_int_equal(outbox_of(rig), 1);
    reopen(rig);
    assert_int_equal(count_text(rig, "meanwhile"), 1);
    change(rig, "changed again");
    assert_int_equal(outbox_of(rig), 2);
    assert_int_equal(backend_health(rig->backend, &rig->err), STATUS_OK);
    faults_are("[]");
    wait_for_search(rig);
    assert_int_equal(count_text(rig, "meanwhile"), 0);
    assert_int_equal(count_text(rig, "again"), 1);
    must_verify(rig, 0);
}

/* An engine that fails is left alone after some calls, and asked again when it is back. */
static void test_the_breaker(void **state)
{
    struct rig *rig = *state;
    must_commit(rig->backend, CHANGE_INSERT, 0, &rig->record);
    wait_for_search(rig);
    faults_are("[{\"match\":\"_search\",\"kind\":\"status\",\"status\":503,\"times\":1000000}]");
    for (int i = 0; i < 100 && strcmp(stats_of(rig).search_state, "closed") == 0; i++)
        assert_int_equal(count_text(rig, "name"), 1);
    assert_string_equal(stats_of(rig).search_state, "open");
    assert_true(stats_of(rig).search_failures >= 5);
    assert_int_equal(count_text(rig, "name"), 1);
    faults_are("[]");
    wait_for_search(rig);
    assert_string_equal(stats_of(rig).search_state, "closed");
}

/* More than one page, written past the hybrid catalog. */
static void test_an_engine_that_comes_later(void **state)
{
    struct rig *rig = *state;
    struct backend *primary = NULL;
    struct change changes[MANY];
    struct record records[MANY];
    backend_close(rig->backend);
    rig->backend = NULL;
    assert_int_equal(catalog_backend_open(sys_posix(), primary_url, &primary, &rig->err),
                     STATUS_OK);
    for (int i = 0; i < MANY; i++) {
        records[i] = conformance_record(DOMAIN_ASSET, "a", i, &rig->arena);
        changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
    }
    assert_int_equal(backend_commit(primary, changes, MANY, NULL, &rig->err), STATUS_OK);
    backend_close(primary);
    must_open(rig);
    assert_int_equal(count_text(rig, "name"), MANY);
    wait_for_search(rig);
    assert_int_equal(count_text(rig, "name"), MANY);
    assert_int_equal(stats_of(rig).search_mended, MANY);
    must_verify(rig, 0);
}

static void test_verify_and_repair(void **state)
{
    struct rig *rig = *state;
    struct record second = conformance_record(DOMAIN_ASSET, "a", 2, &rig->arena), copy;
    struct record ghost = conformance_record(DOMAIN_ASSET, "a", 3, &rig->arena);
    struct backend *search = NULL;
    int found = 0;
    must_commit(rig->backend, CHANGE_INSERT, 0, &rig->record);
    must_commit(rig->backend, CHANGE_INSERT, 0, &second);
    wait_for_search(rig);
    assert_int_equal(catalog_backend_open(sys_posix(), search_url, &search, &rig->err), STATUS_OK);
    assert_int_equal(
        backend_get(search, DOMAIN_ASSET, second.tenant, second.id, &rig->arena, &copy, NULL),
        STATUS_OK);
    copy.name = STR("damaged");
    must_commit(search, CHANGE_UPDATE, copy.revision, &copy);
    must_commit(search, CHANGE_REMOVE, 0, &rig->record);
    must_commit(search, CHANGE_INSERT, 0, &ghost);
    backend_close(search);
    /* what the primary does not confirm is not answered */
    assert_int_equal(count_text(rig, "damaged"), 0);
    must_verify(rig, 3);
    assert_int_equal(hybrid_repair(rig->backend, count_fault, &found, &rig->err), STATUS_OK);
    assert_int_equal(found, 3);
    must_verify(rig, 0);
    assert_int_equal(count_text(rig, "name"), 2);
}

/* A transfer into it carries all records, and none of its own outbox. */
static void test_transfer(void **state)
{
    struct rig *rig = *state;
    struct backend *from = NULL;
    struct transfer_result result;
    char path[128];
    snprintf(path, sizeof path, "file:%s/files", folder);
    assert_int_equal(catalog_backend_open(sys_posix(), path, &from, &rig->err), STATUS_OK);
    for (int i = 0; i < 30; i++) {
        struct record record =
            conformance_record(i % 2 ? DOMAIN_ASSET : DOMAIN_SERVICE, "a", i, &rig->arena);
        must_commit(from, CHANGE_INSERT, 0, &record);
    }
    search_is_down();
    if (catalog_transfer(from, rig->backend, NULL, NULL, &result, &rig->err) != STATUS_OK)
        fail_msg("transfer: %s", rig->err.message);
    assert_int_equal(result.copied, 30);
    assert_true(outbox_of(rig) > 0);
    backend_close(from);
    faults_are("[]");
    wait_for_search(rig);
    must_verify(rig, 0);
}

/* Two processes follow the same outbox. */
static void test_two_processes(void **state)
{
    struct rig *rig = *state;
    struct rig other = {.err = ERROR_INIT};
    must_open(&other);
    must_commit(rig->backend, CHANGE_INSERT, 0, &rig->record);
    for (int i = 0; i < 20; i++) {
        char *name = arena_printf(&rig->arena, "number%d", i);
        rig->record.revision++;
        rig->record.name = str_of(name);
        must_commit(i % 2 ? rig->backend : other.backend, CHANGE_UPDATE, rig->record.revision - 1,
                    &rig->record);
        assert_int_equal(count_text(rig, name), 1);
    }
    wait_for_search(rig);
    must_verify(rig, 0);
    backend_close(other.backend);
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RIGGED(test_searches_see_commits),
        RIGGED(test_touches_are_not_lost),
        RIGGED(test_the_engine_is_away),
        RIGGED(test_the_breaker),
        RIGGED(test_an_engine_that_comes_later),
        RIGGED(test_verify_and_repair),
        RIGGED(test_transfer),
        RIGGED(test_two_processes),
    };
    if (!mkdtemp(folder) || !elastic_server_start(&server, "elasticsearch"))
        return 1;
    snprintf(origin, sizeof origin, "http://127.0.0.1:%d", server.port);
    snprintf(db_path, sizeof db_path, "%s/catalog.db", folder);
    snprintf(primary_url, sizeof primary_url, "sqlite:%s", db_path);
    snprintf(search_url, sizeof search_url, "elasticsearch://127.0.0.1:%d/copy", server.port);
    snprintf(url, sizeof url, "hybrid:%s||%s", primary_url, search_url);
    struct conformance_target target = {
        .name = "catalog/hybrid with search", .open = open_hybrid, .wipe = wipe};
    int failed = catalog_conformance_run(&target);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    elastic_server_stop(&server);
    (void)sys_remove_tree(sys_posix(), folder, NULL);
    return failed;
}

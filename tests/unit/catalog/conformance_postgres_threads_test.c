/* The conformance suite over the PostgreSQL back end, with a real server of its own; then what only
 * a server can do: restart, and tell of other processes' commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "catalog/postgres/postgres_backend.h"
#include "lib/catalog_conformance.h"
#include "lib/postgres_server.h"

static struct postgres_server server;

static enum status open_postgres(void *context, struct backend **ret, struct error *err)
{
    (void)context;
    return postgres_backend_open(&(struct postgres_backend_options){.url = server.url}, ret, err);
}

static void run_sql(const char *sql)
{
    PGconn *pg = PQconnectdb(server.url);
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        printf("# %s: %s\n", sql, PQerrorMessage(pg));
    PQclear(result);
    PQfinish(pg);
}

static void wipe_postgres(void *context)
{
    (void)context;
    run_sql("SET client_min_messages=error; DROP SCHEMA IF EXISTS quarry CASCADE");
}

static void insert(struct backend *backend, int number, enum status wanted)
{
    struct arena arena;
    struct error err = ERROR_INIT;
    arena_init(&arena, 0);
    struct record record = conformance_record(DOMAIN_ASSET, "a", number, &arena);
    const struct change change = {.kind = CHANGE_INSERT, .record = &record};
    enum status status = backend_commit(backend, &change, 1, NULL, &err);
    if (status != wanted)
        fail_msg("%s: %s", err.message, err.cause);
    arena_release(&arena);
}

/* Pooled connections are dead after a restart: the next calls notice and go on. */
static void test_restart(void **state)
{
    struct backend *backend = NULL;
    struct arena arena;
    struct record record;
    struct error err = ERROR_INIT;
    (void)state;
    wipe_postgres(NULL);
    assert_int_equal(open_postgres(NULL, &backend, &err), STATUS_OK);
    insert(backend, 1, STATUS_OK);
    assert_true(postgres_server_crash(&server));
    arena_init(&arena, 0);
    struct record wanted = conformance_record(DOMAIN_ASSET, "a", 1, &arena);
    assert_int_equal(
        backend_get(backend, DOMAIN_ASSET, wanted.tenant, wanted.id, &arena, &record, &err),
        STATUS_OK);
    assert_true(record_equal(&record, &wanted));
    assert_true(postgres_server_crash(&server));
    insert(backend, 2, STATUS_OK);
    assert_int_equal(backend_health(backend, &err), STATUS_OK);
    arena_release(&arena);
    backend_close(backend);
}

static void test_unreachable(void **state)
{
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    assert_int_equal(
        postgres_backend_open(&(struct postgres_backend_options){.url = "host=/nowhere dbname=x"},
                              &backend, &err),
        STATUS_UNAVAILABLE);
}

static void test_newer_schema_is_refused(void **state)
{
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    wipe_postgres(NULL);
    assert_int_equal(open_postgres(NULL, &backend, &err), STATUS_OK);
    backend_close(backend);
    run_sql("INSERT INTO quarry.schema_version(version) VALUES(99)");
    assert_int_equal(open_postgres(NULL, &backend, &err), STATUS_INVALID_ARGUMENT);
    wipe_postgres(NULL);
}

static _Atomic int notices;

static void on_change(void *context, const struct change *changes, uint32_t len)
{
    (void)context;
    (void)changes;
    if (len == 0)
        notices++;
}

static void test_other_processes_are_heard(void **state)
{
    struct backend *here = NULL, *there = NULL;
    const struct postgres_backend_options options = {.url = server.url, .listen = true};
    struct error err = ERROR_INIT;
    (void)state;
    wipe_postgres(NULL);
    assert_int_equal(postgres_backend_open(&options, &here, &err), STATUS_OK);
    assert_int_equal(postgres_backend_open(&options, &there, &err), STATUS_OK);
    backend_watch(here, on_change, NULL);
    for (int i = 1; notices == 0 && i < 200; i++) { /* until it listens */
        insert(there, i, STATUS_OK);
        usleep(20000);
    }
    assert_true(notices > 0);
    backend_close(there);
    backend_close(here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_newer_schema_is_refused),
        cmocka_unit_test(test_other_processes_are_heard),
    };
    if (!postgres_server_start(&server))
        return 1;
    struct conformance_target target = {
        .name = "catalog/postgres", .open = open_postgres, .wipe = wipe_postgres};
    int failed = catalog_conformance_run(&target);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    postgres_server_stop(&server);
    return failed;
}

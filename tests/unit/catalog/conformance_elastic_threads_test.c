/* The conformance suite over the Elasticsearch back end: against the server that QUARRY_ELASTIC_URL
 * names (make conformance-elastic), else against the test tool of tests/lib/elastic, which is no
 * Elasticsearch. Faults: elastic_fault_threads_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/elastic/elastic_backend.h"
#include "lib/catalog_conformance.h"
#include "lib/elastic_server.h"

#define PREFIX "quarry-conformance-test"

static char url[1024], origin[512];
static struct elastic_server server;

static enum status open_elastic(void *context, struct backend **ret, struct error *err)
{
    (void)context;
    return elastic_backend_open(
        &(struct elastic_backend_options){.sys = sys_posix(), .url = url, .wait_ms = 10}, ret, err);
}

static void wipe_elastic(void *context)
{
    (void)context;
    if (!elastic_server_wipe(origin, PREFIX))
        print_error("%s could not be emptied\n", origin);
}

/* elasticsearch://HOST:PORT or elasticsearch+https://...; the prefix is ours. */
static bool use_server(const char *given)
{
    const char *rest = strstr(given, "://");
    if (!rest || strchr(rest + 3, '/') || strchr(rest + 3, '?')) {
        printf("QUARRY_ELASTIC_URL is written elasticsearch[+https]://[USER:PASSWORD@]HOST:PORT\n");
        return false;
    }
    snprintf(url, sizeof url, "%s/" PREFIX, given);
    snprintf(origin, sizeof origin, "%s%s", strstr(given, "+https") ? "https" : "http", rest);
    return true;
}

static bool use_tool(void)
{
    if (!elastic_server_start(&server, "elasticsearch"))
        return false;
    snprintf(url, sizeof url, "elasticsearch://127.0.0.1:%d/" PREFIX, server.port);
    snprintf(origin, sizeof origin, "http://127.0.0.1:%d", server.port);
    return true;
}

static void test_urls(void **state)
{
    static const char *const wrong[] = {"elasticsearch:",
                                        "elasticsearch://",
                                        "elasticsearch://:9200",
                                        "elasticsearch://u@h",
                                        "elasticsearch://h/Upper",
                                        "elasticsearch://h/-x",
                                        "elasticsearch://h/a/b",
                                        "elasticsearch://h?x=1",
                                        "elasticsearch://h?api_key=",
                                        "elasticsearch://u:p%zz@h",
                                        "elasticsearch://u:p%0d@h",
                                        "elasticsearch://a b",
                                        "http://h"};
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct elastic_backend_options options = {.sys = sys_posix(), .url = wrong[i], .tries = 1};
        assert_int_equal(elastic_backend_open(&options, &backend, &err), STATUS_INVALID_ARGUMENT);
    }
    struct elastic_backend_options nobody = {
        .sys = sys_posix(), .url = "elasticsearch://127.0.0.1:1", .tries = 2, .wait_ms = 1};
    assert_int_equal(elastic_backend_open(&nobody, &backend, &err), STATUS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_urls)};
    const char *given = getenv("QUARRY_ELASTIC_URL");
    if (given && given[0] ? !use_server(given) : !use_tool())
        return 1;
    printf("# %s\n", given && given[0] ? "a server that was given" : "the test tool");
    struct conformance_target target = {
        .name = "catalog/elastic", .open = open_elastic, .wipe = wipe_elastic};
    int failed = catalog_conformance_run(&target);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    if (server.pid)
        elastic_server_stop(&server);
    return failed;
}

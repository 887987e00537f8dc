/* router: literals before parameters, decoding by segment, and every way not to find anything. */
#include "service/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct router *router;
    struct arena arena;
    struct route route;
    struct error err;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    arena_init(&fixture.arena, 0);
    *state = &fixture;
    return router_new(SERVICE_TENANT, &fixture.router, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    router_free(f->router);
    arena_release(&f->arena);
    return 0;
}

static enum status find(struct fixture *f, enum http_method method, const char *path)
{
    f->err = ERROR_INIT;
    return router_find(f->router, method, str_of(path), &f->arena, &f->route, &f->err);
}

static void expect(struct fixture *f, enum http_method method, const char *path, const char *name)
{
    assert_int_equal(find(f, method, path), STATUS_OK);
    assert_string_equal(f->route.operation->name, name);
}

static void test_found(void **state)
{
    struct fixture *f = *state;
    expect(f, HTTP_POST, "/data/write", "data_write");
    expect(f, HTTP_POST, "/data", "data_write");
    expect(f, HTTP_GET, "/sources", "sources_list");
    expect(f, HTTP_HEAD, "/sources", "sources_list");
    expect(f, HTTP_POST, "/sources", "sources_add");
    expect(f, HTTP_POST, "/sources/add", "sources_add");
    expect(f, HTTP_GET, "/health", "health");
    expect(f, HTTP_GET, "/openapi.json", "openapi");
    assert_int_equal(f->route.params, 0);
}

static void test_params(void **state)
{
    struct fixture *f = *state;
    expect(f, HTTP_DELETE, "/sources/add", "sources_remove"); /* a source of that name */
    assert_int_equal(f->route.params, 1);
    assert_true(str_is(f->route.names[0], "source_id"));
    assert_true(str_is(f->route.values[0], "add"));
    expect(f, HTTP_GET, "/sources/a%2Fb%20%41/stats", "source_stats");
    assert_true(str_is(f->route.values[0], "a/b A"));
    expect(f, HTTP_GET, "/sources/a%252e/stats", "source_stats");
    assert_true(str_is(f->route.values[0], "a%2e"));
    expect(f, HTTP_GET, "/sources/\xc3\xa4/stats", "source_stats");
    expect(f, HTTP_GET, "/sources/.../stats", "source_stats");
}

static void test_refused_params(void **state)
{
    static const char *const paths[] = {"/sources/../stats",     "/sources/./stats",
                                        "/sources/%2e%2e/stats", "/sources/%2E./stats",
                                        "/sources/a%00b/stats",  "/sources/%/stats",
                                        "/sources/%4/stats",     "/sources/%zz/stats",
                                        "/sources/%ff/stats",    "/sources/\xc0\x80/stats"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(find(f, HTTP_GET, paths[i]), STATUS_INVALID_ARGUMENT);
    find(f, HTTP_GET, "/sources/../stats");
    assert_string_equal(f->err.message, "the path's 'source_id' must be a name: not '.', not '..', "
                                        "no NUL, valid UTF-8");
    assert_string_equal(f->err.field, "source_id");
    assert_string_equal(f->err.value, "..");
}

static void test_unknown(void **state)
{
    static const char *const paths[] = {"",
                                        "x",
                                        "/",
                                        "//",
                                        "/data/write/",
                                        "/data//write",
                                        "/Data/write",
                                        "/sources/",
                                        "/sources//stats",
                                        "/a/b/c/d/e/f/g/h/i/j",
                                        "/auth/login"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(find(f, HTTP_POST, paths[i]), STATUS_UNKNOWN_ROUTE);
    find(f, HTTP_POST, "/data/wirte");
    assert_string_equal(f->err.message,
                        "no operation has the path '/data/wirte'; the nearest is '/data/write'");
}

static void test_wrong_method(void **state)
{
    struct fixture *f = *state;
    char allow[ALLOW_TEXT_MAX];
    assert_int_equal(find(f, HTTP_PUT, "/sources"), STATUS_METHOD_NOT_ALLOWED);
    assert_string_equal(f->err.message,
                        "PUT is not a method of '/sources'; it has GET, HEAD, POST, OPTIONS");
    route_allow(f->route.methods, allow);
    assert_string_equal(allow, "GET, HEAD, POST, OPTIONS");
    assert_int_equal(find(f, HTTP_HEAD, "/data/write"), STATUS_METHOD_NOT_ALLOWED);
    assert_int_equal(find(f, HTTP_OPTIONS, "/data/write"), STATUS_METHOD_NOT_ALLOWED);
    assert_int_equal(find(f, HTTP_METHOD_OTHER, "/data/write"), STATUS_METHOD_NOT_ALLOWED);
    /* both patterns fit: the methods of both */
    assert_int_equal(find(f, HTTP_PATCH, "/sources/add"), STATUS_METHOD_NOT_ALLOWED);
    route_allow(f->route.methods, allow);
    assert_string_equal(allow, "POST, DELETE, OPTIONS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),          cmocka_unit_test(test_params),
        cmocka_unit_test(test_refused_params), cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_wrong_method),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

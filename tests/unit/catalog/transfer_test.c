/* Transfers between back ends: whole, again, after changes on both sides, after a cut. */
#include "catalog/transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/open.h"
#include "lib/catalog_conformance.h"
#include "sys/fault/fault.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/quarry-catalog-XXXXXX"); /* NOLINT: fits */
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return sys_remove_tree(sys_posix(), folder, NULL) == STATUS_OK ? 0 : 1;
}

static struct backend *open_url(struct sys *sys, const char *scheme, const char *name)
{
    char url[SYS_PATH_MAX];
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(sys_path(url, NULL, "%s:%s/%s", scheme, folder, name), STATUS_OK);
    if (catalog_backend_open(sys, url, &backend, &err) != STATUS_OK)
        fail_msg("%s: %s", url, err.message);
    return backend;
}

static void commit(struct backend *backend, enum change_kind kind, int64_t expected,
                   const struct record *record)
{
    struct change change = {.kind = kind, .expected = expected, .record = record};
    struct error err = ERROR_INIT;
    if (backend_commit(backend, &change, 1, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.message);
}

enum { OTHERS = 10 * (DOMAIN_COUNT - 1) };

/* `assets` of them and ten of each other domain, of two tenants. */
static void fill(struct backend *backend, int assets)
{
    for (int domain = 0; domain < DOMAIN_COUNT; domain++) {
        int count = domain == DOMAIN_ASSET ? assets : 10;
        struct change changes[COMMIT_CHANGES_MAX];
        struct record records[COMMIT_CHANGES_MAX];
        struct arena arena;
        struct error err = ERROR_INIT;
        arena_init(&arena, 0);
        for (int i = 0; i < count; i++) {
            records[i] = conformance_record((enum domain)domain, i % 2 ? "a" : "b", i, &arena);
            records[i].deleted_us = i % 7 == 0 ? 1 : 0;
            changes[i] = (struct change){.kind = CHANGE_INSERT, .record = &records[i]};
        }
        if (backend_commit(backend, changes, (uint32_t)count, NULL, &err) != STATUS_OK)
            fail_msg("%s", err.message);
        arena_release(&arena);
    }
}

static struct transfer_result transfer(struct backend *from, struct backend *to)
{
    struct transfer_result result;
    struct error err = ERROR_INIT;
    if (catalog_transfer(from, to, NULL, NULL, &result, &err) != STATUS_OK)
        fail_msg("%s: %s", err.message, err.cause);
    return result;
}

static void count_fault(void *context, const char *what)
{
    print_error("%s\n", what);
    ++*(int *)context;
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct backend *a = open_url(sys_posix(), "sqlite", "a.db");
    struct backend *b = open_url(sys_posix(), "file", "b");
    struct backend *c = open_url(sys_posix(), "sqlite", "c/d/e.db");
    int faults = 0;
    fill(a, 250);
    struct transfer_result result = transfer(a, b);
    assert_int_equal(result.copied, 250 + OTHERS);
    assert_int_equal(result.to.count[DOMAIN_ASSET], 250);
    result = transfer(b, c);
    assert_int_equal(result.copied, 250 + OTHERS);
    result = transfer(a, c);
    assert_int_equal(result.copied + result.removed, 0);
    assert_int_equal(result.same, 250 + OTHERS);
    assert_int_equal(backend_verify(b, count_fault, &faults, NULL), STATUS_OK);
    assert_int_equal(backend_verify(c, count_fault, &faults, NULL), STATUS_OK);
    assert_int_equal(faults, 0);
    backend_close(a);
    backend_close(b);
    backend_close(c);
}

static void test_changes_on_both_sides(void **state)
{
    (void)state;
    struct backend *a = open_url(sys_posix(), "sqlite", "a.db");
    struct backend *b = open_url(sys_posix(), "sqlite", "b.db");
    struct arena arena;
    arena_init(&arena, 0);
    fill(a, 300);
    (void)transfer(a, b);
    struct record gone = conformance_record(DOMAIN_ASSET, "a", 1, &arena);
    struct record changed = conformance_record(DOMAIN_ASSET, "a", 3, &arena);
    struct record heir = conformance_record(DOMAIN_ASSET, "a", 299, &arena);
    struct record extra = conformance_record(DOMAIN_ASSET, "c", 1, &arena);
    commit(a, CHANGE_REMOVE, 0, &gone);
    heir.key = gone.key; /* a name moves to a record of a later page */
    heir.revision = 2;
    commit(a, CHANGE_UPDATE, 1, &heir);
    changed.revision = 2;
    changed.title = STR("other");
    commit(a, CHANGE_UPDATE, 1, &changed);
    commit(b, CHANGE_INSERT, 0, &extra);
    struct transfer_result result = transfer(a, b);
    assert_int_equal(result.copied, 2);
    assert_int_equal(result.removed, 2);
    arena_release(&arena);
    backend_close(a);
    backend_close(b);
}

static void test_resumes_after_a_cut(void **state)
{
    (void)state;
    struct backend *a = open_url(sys_posix(), "sqlite", "a.db");
    struct fault *fault = NULL;
    struct transfer_result result;
    fill(a, 100);
    assert_int_equal(fault_new(sys_posix(), &fault, NULL), STATUS_OK);
    struct backend *b = open_url(fault_sys(fault), "file", "b");
    fault_plan(fault, &(struct fault_plan){.op = FAULT_RENAME, .at = 110, .crash = true});
    assert_int_equal(catalog_transfer(a, b, NULL, NULL, &result, NULL), STATUS_IO);
    backend_close(b);
    fault_free(fault);
    b = open_url(sys_posix(), "file", "b");
    result = transfer(a, b);
    assert_true(result.same >= 100 && result.copied > 0);
    assert_int_equal(result.same + result.copied, 100 + OTHERS);
    backend_close(a);
    backend_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes_on_both_sides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resumes_after_a_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("catalog/transfer", tests, NULL, NULL);
}

/* The file back end's commits against crashes and power cuts at every system call: what was
 * answered is there, what was not is whole or absent, and the folder can always be opened again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/file/file_backend.h"
#include "lib/catalog_conformance.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { COMMITS = 4 };

/* Commit i: asset i is inserted with event i; from the second on, the asset before it changes too.
 */
static enum status commit_number(struct backend *backend, int i, struct arena *arena,
                                 struct error *err)
{
    struct record asset = conformance_record(DOMAIN_ASSET, "a", i, arena);
    struct record event = conformance_record(DOMAIN_EVENT, "a", i, arena);
    struct record before = conformance_record(DOMAIN_ASSET, "a", i - 1 + (i == 0), arena);
    before.revision = 2;
    before.title = STR("changed");
    const struct change changes[] = {
        {.kind = CHANGE_INSERT, .record = &asset},
        {.kind = CHANGE_INSERT, .record = &event},
        {.kind = CHANGE_UPDATE, .expected = 1, .record = &before},
    };
    return backend_commit(backend, changes, i ? 3 : 2, NULL, err);
}

static bool is_there(struct backend *backend, enum domain domain, int i, struct arena *arena,
                     int64_t *ret_revision)
{
    struct record wanted = conformance_record(domain, "a", i, arena), got;
    enum status status = backend_get(backend, domain, STR("a"), wanted.id, arena, &got, NULL);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    *ret_revision = status == STATUS_OK ? got.revision : 0;
    return status == STATUS_OK;
}

/* Commits until one fails; the number that were answered. */
static int run_commits(struct sys *sys)
{
    struct backend *backend = NULL;
    struct arena arena;
    int answered = 0;
    if (file_backend_open(sys, "catalog", &backend, NULL) != STATUS_OK)
        return 0;
    arena_init(&arena, 0);
    while (answered < COMMITS && commit_number(backend, answered, &arena, NULL) == STATUS_OK)
        answered++;
    arena_release(&arena);
    backend_close(backend);
    return answered;
}

static void count_fault(void *context, const char *what)
{
    print_error("fault: %s\n", what);
    ++*(int *)context;
}

static void check_commits(struct sys *sys, int answered, bool failed)
{
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    struct arena arena;
    int faults = 0, there = 0;
    int64_t revision;
    if (file_backend_open(sys, "catalog", &backend, &err) != STATUS_OK)
        fail_msg("open: %s: %s", err.message, err.cause);
    arena_init(&arena, 0);
    for (int i = 0; i < COMMITS; i++) {
        bool asset = is_there(backend, DOMAIN_ASSET, i, &arena, &revision);
        assert_int_equal(asset, is_there(backend, DOMAIN_EVENT, i, &arena, &revision));
        if (asset)
            assert_int_equal(there++, i);
    }
    assert_true(there >= answered && there <= answered + failed);
    for (int i = 0; i < there; i++) {
        (void)is_there(backend, DOMAIN_ASSET, i, &arena, &revision);
        assert_int_equal(revision, i + 1 < there ? 2 : 1);
    }
    assert_int_equal(backend_verify(backend, count_fault, &faults, &err), STATUS_OK);
    assert_int_equal(faults, 0);
    if (there < COMMITS)
        assert_int_equal(commit_number(backend, there, &arena, &err), STATUS_OK);
    arena_release(&arena);
    backend_close(backend);
}

static uint64_t count_calls(void)
{
    struct sim *sim = NULL;
    struct fault *fault = NULL;
    assert_int_equal(sim_new(1, &sim, NULL), STATUS_OK);
    assert_int_equal(fault_new(sim_sys(sim), &fault, NULL), STATUS_OK);
    assert_int_equal(run_commits(fault_sys(fault)), COMMITS);
    uint64_t calls = fault_calls(fault, FAULT_ANY);
    fault_free(fault);
    check_commits(sim_sys(sim), COMMITS, false);
    sim_free(sim);
    return calls;
}

static void crash_at(uint64_t at, bool power_cut, uint64_t seed)
{
    struct sim *sim = NULL;
    struct fault *fault = NULL;
    assert_int_equal(sim_new(seed, &sim, NULL), STATUS_OK);
    assert_int_equal(fault_new(sim_sys(sim), &fault, NULL), STATUS_OK);
    fault_plan(fault, &(struct fault_plan){.op = FAULT_ANY, .at = at, .crash = true});
    int answered = run_commits(fault_sys(fault));
    fault_free(fault);
    if (power_cut)
        sim_power_cut(sim, seed);
    check_commits(sim_sys(sim), answered, true);
    sim_free(sim);
}

static void test_crash_at_every_call(void **state)
{
    (void)state;
    uint64_t calls = count_calls();
    assert_true(calls > 50);
    for (uint64_t at = 1; at <= calls; at++)
        crash_at(at, false, at);
}

static void test_power_cut_at_every_call(void **state)
{
    (void)state;
    uint64_t calls = count_calls();
    for (uint64_t at = 1; at <= calls; at++)
        for (uint64_t seed = 0; seed < 8; seed++)
            crash_at(at, true, at * 8 + seed);
}

/* One call fails, the process lives: it answers failures until it is opened again. */
static void test_failure_at_every_call(void **state)
{
    (void)state;
    uint64_t calls = count_calls();
    for (uint64_t at = 1; at <= calls; at++) {
        struct sim *sim = NULL;
        struct fault *fault = NULL;
        assert_int_equal(sim_new(at, &sim, NULL), STATUS_OK);
        assert_int_equal(fault_new(sim_sys(sim), &fault, NULL), STATUS_OK);
        fault_plan(fault, &(struct fault_plan){.op = FAULT_ANY, .at = at});
        int answered = run_commits(fault_sys(fault));
        fault_free(fault);
        check_commits(sim_sys(sim), answered, answered < COMMITS);
        sim_free(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_at_every_call),
        cmocka_unit_test(test_power_cut_at_every_call),
        cmocka_unit_test(test_failure_at_every_call),
    };
    return cmocka_run_group_tests_name("catalog/file faults", tests, NULL, NULL);
}

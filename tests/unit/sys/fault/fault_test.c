/* Faults come exactly where the plan says, and sys_replace_file survives one at every call. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

struct rig {
    struct sim *sim;
    struct fault *fault;
    struct sys *sys;
    struct sys_file *file;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_int_equal(sim_new(1, &rig->sim, NULL), STATUS_OK);
    assert_int_equal(fault_new(sim_sys(rig->sim), &rig->fault, NULL), STATUS_OK);
    rig->sys = fault_sys(rig->fault);
    assert_int_equal(sys_open(rig->sys, "f", SYS_READ | SYS_WRITE | SYS_CREATE, &rig->file, NULL),
                     STATUS_OK);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    sys_close(rig->sys, rig->file);
    fault_free(rig->fault);
    sim_free(rig->sim);
    free(rig);
    return 0;
}

static void plan(struct rig *rig, struct fault_plan p)
{
    fault_plan(rig->fault, &p);
}

static enum status write_text(struct rig *rig, const char *text)
{
    return sys_pwrite(rig->sys, rig->file, text, strlen(text), 0, NULL);
}

static void assert_bytes(struct rig *rig, const char *text)
{
    char data[64] = {0};
    size_t n;
    fault_plan(rig->fault, NULL);
    assert_int_equal(sys_pread(rig->sys, rig->file, data, 63, 0, &n, NULL), STATUS_OK);
    assert_string_equal(data, text);
}

static void test_nth_call_of_one_kind(void **state)
{
    struct rig *rig = *state;
    struct error err;
    plan(rig, (struct fault_plan){.op = FAULT_SYNC, .at = 2, .errnum = ENOSPC});
    assert_int_equal(sys_sync(rig->sys, rig->file, NULL), STATUS_OK);
    assert_int_equal(write_text(rig, "x"), STATUS_OK);
    assert_int_equal(sys_sync(rig->sys, rig->file, &err), STATUS_STORAGE_FULL);
    assert_non_null(strstr(err.message, "planned fault in sync"));
    assert_int_equal(sys_sync(rig->sys, rig->file, NULL), STATUS_OK);
    assert_int_equal(fault_calls(rig->fault, FAULT_SYNC), 3);
    assert_int_equal(fault_calls(rig->fault, FAULT_PWRITE), 1);
    assert_int_equal(fault_calls(rig->fault, FAULT_ANY), 4);
    assert_int_equal(fault_hits(rig->fault), 1);
}

static void test_for_ever(void **state)
{
    struct rig *rig = *state;
    plan(rig, (struct fault_plan){.op = FAULT_SYNC, .at = 2, .for_ever = true});
    assert_int_equal(sys_sync(rig->sys, rig->file, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sys_sync(rig->sys, rig->file, NULL), STATUS_IO);
    assert_int_equal(write_text(rig, "x"), STATUS_OK);
    assert_int_equal(fault_hits(rig->fault), 3);
}

static void test_crash(void **state)
{
    struct rig *rig = *state;
    struct sys_stat st;
    plan(rig, (struct fault_plan){.op = FAULT_ANY, .at = 2, .crash = true, .errnum = ENOENT});
    assert_int_equal(write_text(rig, "x"), STATUS_OK);
    assert_int_equal(write_text(rig, "y"), STATUS_IO);
    assert_int_equal(sys_sync(rig->sys, rig->file, NULL), STATUS_IO);
    assert_int_equal(sys_stat(rig->sys, "f", &st, NULL), STATUS_IO);
    assert_int_equal(sys_mkdir(rig->sys, "d", NULL), STATUS_IO);
    assert_bytes(rig, "x");
}

static void test_writes(void **state)
{
    struct rig *rig = *state;
    plan(rig,
         (struct fault_plan){.op = FAULT_PWRITE, .at = 1, .write = FAULT_WRITE_TORN, .bytes = 3});
    assert_int_equal(write_text(rig, "abcdef"), STATUS_IO);
    assert_bytes(rig, "abc");
    plan(rig,
         (struct fault_plan){.op = FAULT_PWRITE, .at = 1, .write = FAULT_WRITE_SHORT, .bytes = 5});
    assert_int_equal(write_text(rig, "ABCDEF"), STATUS_OK);
    assert_bytes(rig, "ABCDE");
    plan(rig,
         (struct fault_plan){.op = FAULT_PWRITE, .at = 1, .write = FAULT_WRITE_FLIP, .bytes = 1});
    assert_int_equal(write_text(rig, "abcdef"), STATUS_OK);
    assert_bytes(rig, "accdef");
    plan(rig, (struct fault_plan){.op = FAULT_PWRITE, .at = 1});
    assert_int_equal(write_text(rig, "zz"), STATUS_IO);
    assert_bytes(rig, "accdef");
}

static enum status replace(struct rig *rig, const char *text)
{
    return sys_replace_file(rig->sys, "/d/file", (struct slice){text, strlen(text)}, NULL);
}

static void assert_file_is(struct rig *rig, const char *one, const char *other)
{
    struct buf buf;
    buf_init(&buf, 100);
    fault_plan(rig->fault, NULL);
    assert_int_equal(sys_read_file(rig->sys, "/d/file", &buf, NULL), STATUS_OK);
    assert_true(str_is(buf_str(&buf), one) || str_is(buf_str(&buf), other));
    buf_release(&buf);
}

/* Whatever call fails or is the last before a power cut: the file is the old or the new one. */
static void test_replace_at_every_call(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(sys_mkdirs(rig->sys, "/d", NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(rig->sys, "/", NULL), STATUS_OK);
    assert_int_equal(replace(rig, "old"), STATUS_OK);
    fault_plan(rig->fault, NULL);
    assert_int_equal(replace(rig, "old"), STATUS_OK);
    uint64_t calls = fault_calls(rig->fault, FAULT_ANY);
    assert_int_equal(calls, 5); /* open, pwrite, sync, rename, sync_dir */
    for (uint64_t at = 1; at <= calls; at++) {
        for (uint64_t seed = 0; seed < 64; seed++) {
            fault_plan(rig->fault, NULL);
            assert_int_equal(replace(rig, "old"), STATUS_OK);
            plan(rig, (struct fault_plan){.op = FAULT_ANY, .at = at, .crash = seed % 2});
            assert_int_not_equal(replace(rig, "new text"), STATUS_OK);
            if (seed % 2)
                sim_power_cut(rig->sim, seed);
            assert_file_is(rig, "old", "new text");
        }
    }
    assert_int_equal(replace(rig, "new text"), STATUS_OK);
    sim_power_cut_as(rig->sim, SIM_CUT_STRICT, 0);
    assert_file_is(rig, "new text", "new text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nth_call_of_one_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace_at_every_call, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One suite over every back end of sys: the kernel (in a temporary folder), the simulated disk, and
 * the fault decorator without a plan over both. What all of them promise, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"
#include "sys/sys.h"

struct backend {
    struct sys *sys;
    struct sim *sim;
    struct fault *fault;
    char folder[64];
};

enum kind { POSIX = 1, SIM = 2, FAULT = 4 };

static int backend_setup(void **state, int kind)
{
    struct backend *b = calloc(1, sizeof *b);
    struct error err;
    if (kind & SIM) {
        assert_int_equal(sim_new(7, &b->sim, &err), STATUS_OK);
        b->sys = sim_sys(b->sim);
        strcpy(b->folder, "/data/test");
        assert_int_equal(sys_mkdirs(b->sys, b->folder, &err), STATUS_OK);
    } else {
        b->sys = sys_posix();
        strcpy(b->folder, "/tmp/quarry_sys_XXXXXX");
        assert_non_null(mkdtemp(b->folder));
    }
    if (kind & FAULT) {
        assert_int_equal(fault_new(b->sys, &b->fault, &err), STATUS_OK);
        b->sys = fault_sys(b->fault);
    }
    *state = b;
    return 0;
}

static int setup_posix(void **state)
{
    return backend_setup(state, POSIX);
}

static int setup_sim(void **state)
{
    return backend_setup(state, SIM);
}

static int setup_fault_posix(void **state)
{
    return backend_setup(state, POSIX | FAULT);
}

static int setup_fault_sim(void **state)
{
    return backend_setup(state, SIM | FAULT);
}

static int teardown(void **state)
{
    struct backend *b = *state;
    assert_int_equal(sys_remove_tree(b->sys, b->folder, NULL), STATUS_OK);
    fault_free(b->fault);
    sim_free(b->sim);
    free(b);
    return 0;
}

static const char *in(struct backend *b, const char *name)
{
    static char path[SYS_PATH_MAX];
    assert_int_equal(sys_path(path, NULL, "%s/%s", b->folder, name), STATUS_OK);
    return path;
}

static struct sys_file *open_file(struct backend *b, const char *name, unsigned flags)
{
    struct sys_file *file;
    struct error err;
    assert_int_equal(sys_open(b->sys, in(b, name), flags, &file, &err), STATUS_OK);
    return file;
}

static enum status try_open(struct backend *b, const char *name, unsigned flags)
{
    struct sys_file *file;
    enum status status = sys_open(b->sys, in(b, name), flags, &file, NULL);
    if (status == STATUS_OK)
        sys_close(b->sys, file);
    else
        assert_null(file);
    return status;
}

static void put(struct backend *b, const char *name, const char *text)
{
    struct sys_file *file = open_file(b, name, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE);
    assert_int_equal(sys_pwrite(b->sys, file, text, strlen(text), 0, NULL), STATUS_OK);
    sys_close(b->sys, file);
}

static void assert_text(struct backend *b, const char *name, const char *text)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    assert_int_equal(sys_read_file(b->sys, in(b, name), &buf, NULL), STATUS_OK);
    assert_int_equal(buf.len, strlen(text));
    assert_memory_equal(buf.data, text, buf.len);
    buf_release(&buf);
}

static void test_open_flags(void **state)
{
    struct backend *b = *state;
    assert_int_equal(try_open(b, "x", SYS_READ), STATUS_NOT_FOUND);
    assert_int_equal(try_open(b, "x", SYS_WRITE), STATUS_NOT_FOUND);
    assert_int_equal(try_open(b, "no/x", SYS_WRITE | SYS_CREATE), STATUS_NOT_FOUND);
    assert_int_equal(try_open(b, "x", SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE), STATUS_OK);
    assert_int_equal(try_open(b, "x", SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE), STATUS_CONFLICT);
    assert_int_equal(try_open(b, "x", SYS_WRITE | SYS_CREATE), STATUS_OK);
    put(b, "x", "hello");
    assert_int_equal(try_open(b, "x", SYS_WRITE), STATUS_OK);
    assert_text(b, "x", "hello");
    assert_int_equal(try_open(b, "x", SYS_WRITE | SYS_TRUNCATE), STATUS_OK);
    assert_text(b, "x", "");
    assert_int_equal(try_open(b, ".", SYS_WRITE), STATUS_IO);
    assert_int_equal(try_open(b, "x/y", SYS_READ), STATUS_IO);
}

static void test_read_write(void **state)
{
    struct backend *b = *state;
    struct sys_file *file = open_file(b, "f", SYS_READ | SYS_WRITE | SYS_CREATE);
    char data[16];
    size_t n = 99;
    uint64_t size;
    assert_int_equal(sys_pread(b->sys, file, data, 16, 0, &n, NULL), STATUS_OK);
    assert_int_equal(n, 0);
    assert_int_equal(sys_pwrite(b->sys, file, "abcdef", 6, 0, NULL), STATUS_OK);
    assert_int_equal(sys_pwrite(b->sys, file, "XY", 2, 2, NULL), STATUS_OK);
    assert_int_equal(sys_pwrite(b->sys, file, "end", 3, 8, NULL), STATUS_OK);
    assert_int_equal(sys_pwrite(b->sys, file, NULL, 0, 100, NULL), STATUS_OK);
    assert_int_equal(sys_size(b->sys, file, &size, NULL), STATUS_OK);
    assert_int_equal(size, 11);
    assert_int_equal(sys_pread(b->sys, file, data, 16, 0, &n, NULL), STATUS_OK);
    assert_int_equal(n, 11);
    assert_memory_equal(data, "abXYef\0\0end", 11);
    assert_int_equal(sys_pread(b->sys, file, data, 4, 9, &n, NULL), STATUS_OK);
    assert_int_equal(n, 2);
    assert_int_equal(sys_pread(b->sys, file, data, 4, 5000, &n, NULL), STATUS_OK);
    assert_int_equal(n, 0);
    assert_int_equal(sys_sync(b->sys, file, NULL), STATUS_OK);
    sys_close(b->sys, file);
    sys_close(b->sys, NULL);
}

static void test_wrong_mode(void **state)
{
    struct backend *b = *state;
    char c = 'x';
    size_t n;
    put(b, "f", "1");
    struct sys_file *file = open_file(b, "f", SYS_READ);
    assert_int_equal(sys_pwrite(b->sys, file, &c, 1, 0, NULL), STATUS_IO);
    sys_close(b->sys, file);
    file = open_file(b, "f", SYS_WRITE);
    assert_int_equal(sys_pread(b->sys, file, &c, 1, 0, &n, NULL), STATUS_IO);
    sys_close(b->sys, file);
}

static void test_sizes(void **state)
{
    struct backend *b = *state;
    put(b, "f", "abcdef");
    struct sys_file *file = open_file(b, "f", SYS_READ | SYS_WRITE);
    uint64_t size;
    assert_int_equal(sys_truncate(b->sys, file, 2, NULL), STATUS_OK);
    assert_int_equal(sys_truncate(b->sys, file, 4, NULL), STATUS_OK);
    char data[8] = "zzzzzzz";
    size_t n;
    assert_int_equal(sys_pread(b->sys, file, data, 8, 0, &n, NULL), STATUS_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(data, "ab\0\0", 4);
    assert_int_equal(sys_allocate(b->sys, file, 0, NULL), STATUS_OK);
    assert_int_equal(sys_allocate(b->sys, file, 3, NULL), STATUS_OK);
    assert_int_equal(sys_size(b->sys, file, &size, NULL), STATUS_OK);
    assert_int_equal(size, 4);
    assert_int_equal(sys_allocate(b->sys, file, 10000, NULL), STATUS_OK);
    assert_int_equal(sys_size(b->sys, file, &size, NULL), STATUS_OK);
    assert_int_equal(size, 10000);
    assert_int_equal(sys_pread(b->sys, file, data, 8, 9996, &n, NULL), STATUS_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(data, "\0\0\0\0", 4);
    sys_close(b->sys, file);
}

static void test_map(void **state)
{
    struct backend *b = *state;
    struct sys_map map;
    put(b, "empty", "");
    struct sys_file *file = open_file(b, "empty", SYS_READ);
    assert_int_equal(sys_map(b->sys, file, &map, NULL), STATUS_OK);
    assert_null(map.data);
    assert_int_equal(map.len, 0);
    sys_unmap(b->sys, &map);
    sys_close(b->sys, file);
    put(b, "f", "some bytes");
    file = open_file(b, "f", SYS_READ);
    assert_int_equal(sys_map(b->sys, file, &map, NULL), STATUS_OK);
    sys_close(b->sys, file); /* the map outlives the file, and its name */
    assert_int_equal(sys_unlink(b->sys, in(b, "f"), NULL), STATUS_OK);
    assert_int_equal(map.len, 10);
    assert_memory_equal(map.data, "some bytes", 10);
    sys_unmap(b->sys, &map);
    assert_null(map.data);
}

static void test_lock(void **state)
{
    struct backend *b = *state;
    struct sys_file *one = open_file(b, "lock", SYS_READ | SYS_WRITE | SYS_CREATE);
    struct sys_file *two = open_file(b, "lock", SYS_READ | SYS_WRITE);
    struct sys_file *three = open_file(b, "lock", SYS_READ | SYS_WRITE);
    assert_int_equal(sys_lock(b->sys, one, NULL), STATUS_OK);
    assert_int_equal(sys_lock(b->sys, one, NULL), STATUS_OK);
    assert_int_equal(sys_lock(b->sys, two, NULL), STATUS_CONFLICT);
    sys_close(b->sys, three); /* someone else's close drops no lock */
    assert_int_equal(sys_lock(b->sys, two, NULL), STATUS_CONFLICT);
    sys_close(b->sys, one);
    assert_int_equal(sys_lock(b->sys, two, NULL), STATUS_OK);
    sys_close(b->sys, two);
}

static void test_stat_and_directories(void **state)
{
    struct backend *b = *state;
    struct sys_stat st;
    put(b, "f", "12345");
    assert_int_equal(sys_stat(b->sys, in(b, "f"), &st, NULL), STATUS_OK);
    assert_int_equal(st.size, 5);
    assert_false(st.is_dir);
    assert_true(st.modified_us > 1700000000000000);
    assert_int_equal(sys_mkdir(b->sys, in(b, "d"), NULL), STATUS_OK);
    assert_int_equal(sys_mkdir(b->sys, in(b, "d"), NULL), STATUS_CONFLICT);
    assert_int_equal(sys_mkdir(b->sys, in(b, "f"), NULL), STATUS_CONFLICT);
    assert_int_equal(sys_mkdir(b->sys, in(b, "no/d"), NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_stat(b->sys, in(b, "d"), &st, NULL), STATUS_OK);
    assert_true(st.is_dir);
    assert_int_equal(sys_stat(b->sys, in(b, "no"), &st, NULL), STATUS_NOT_FOUND);
    put(b, "d/g", "");
    assert_int_equal(sys_rmdir(b->sys, in(b, "d"), NULL), STATUS_CONFLICT);
    assert_int_equal(sys_rmdir(b->sys, in(b, "f"), NULL), STATUS_IO);
    assert_int_equal(sys_rmdir(b->sys, in(b, "no"), NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_unlink(b->sys, in(b, "d"), NULL), STATUS_IO);
    assert_int_equal(sys_unlink(b->sys, in(b, "d/g"), NULL), STATUS_OK);
    assert_int_equal(sys_unlink(b->sys, in(b, "d/g"), NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_rmdir(b->sys, in(b, "d"), NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(b->sys, b->folder, NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(b->sys, in(b, "no"), NULL), STATUS_NOT_FOUND);
}

static void test_unlinked_file_stays_open(void **state)
{
    struct backend *b = *state;
    put(b, "f", "still here");
    struct sys_file *file = open_file(b, "f", SYS_READ);
    assert_int_equal(sys_unlink(b->sys, in(b, "f"), NULL), STATUS_OK);
    char data[16];
    size_t n;
    assert_int_equal(sys_pread(b->sys, file, data, 16, 0, &n, NULL), STATUS_OK);
    assert_int_equal(n, 10);
    sys_close(b->sys, file);
}

static enum status rename_in(struct backend *b, const char *from, const char *to)
{
    char path[SYS_PATH_MAX];
    assert_int_equal(sys_path(path, NULL, "%s/%s", b->folder, from), STATUS_OK);
    return sys_rename(b->sys, path, in(b, to), NULL);
}

static void test_rename(void **state)
{
    struct backend *b = *state;
    put(b, "a", "A");
    put(b, "b", "B");
    assert_int_equal(rename_in(b, "no", "x"), STATUS_NOT_FOUND);
    assert_int_equal(rename_in(b, "a", "b"), STATUS_OK);
    assert_text(b, "b", "A");
    assert_int_equal(try_open(b, "a", SYS_READ), STATUS_NOT_FOUND);
    assert_int_equal(rename_in(b, "b", "b"), STATUS_OK);
    assert_text(b, "b", "A");
    assert_int_equal(sys_mkdir(b->sys, in(b, "d"), NULL), STATUS_OK);
    assert_int_equal(sys_mkdir(b->sys, in(b, "e"), NULL), STATUS_OK);
    assert_int_equal(rename_in(b, "b", "d"), STATUS_IO);
    assert_int_equal(rename_in(b, "d", "b"), STATUS_IO);
    assert_int_equal(rename_in(b, "d", "d/in"), STATUS_IO);
    assert_int_equal(rename_in(b, "b", "d/b"), STATUS_OK);
    assert_int_equal(rename_in(b, "e", "d"), STATUS_CONFLICT);
    assert_int_equal(rename_in(b, "d", "e"), STATUS_OK);
    assert_text(b, "e/b", "A");
}

struct listing {
    char names[256];
    int stop_after;
};

static enum status collect(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct listing *l = context;
    snprintf(l->names + strlen(l->names), sizeof l->names - strlen(l->names), "%s%s ", entry->name,
             entry->is_dir ? "/" : "");
    if (l->stop_after && --l->stop_after == 0)
        return error_set(err, STATUS_CANCELLED, "enough");
    return STATUS_OK;
}

static void test_list(void **state)
{
    struct backend *b = *state;
    struct listing l = {0};
    struct error err;
    assert_int_equal(sys_list_dir(b->sys, b->folder, collect, &l, NULL), STATUS_OK);
    assert_string_equal(l.names, "");
    put(b, "file", "");
    assert_int_equal(sys_mkdir(b->sys, in(b, "dir"), NULL), STATUS_OK);
    assert_int_equal(sys_list_dir(b->sys, b->folder, collect, &l, NULL), STATUS_OK);
    assert_int_equal(strlen(l.names), 10);
    assert_non_null(strstr(l.names, "file "));
    assert_non_null(strstr(l.names, "dir/ "));
    l = (struct listing){.stop_after = 1};
    assert_int_equal(sys_list_dir(b->sys, b->folder, collect, &l, &err), STATUS_CANCELLED);
    assert_string_equal(err.message, "enough");
    assert_int_equal(sys_list_dir(b->sys, in(b, "no"), collect, &l, NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_list_dir(b->sys, in(b, "file"), collect, &l, NULL), STATUS_IO);
}

static void test_clock_and_chance(void **state)
{
    struct backend *b = *state;
    int64_t before = sys_mono_us(b->sys), wall = sys_now_us(b->sys);
    sys_sleep_us(b->sys, 2000);
    sys_sleep_us(b->sys, -5);
    assert_true(sys_mono_us(b->sys) - before >= 2000);
    assert_true(sys_now_us(b->sys) - wall >= 2000);
    unsigned char one[32], two[32];
    sys_random(b->sys, one, sizeof one);
    sys_random(b->sys, two, sizeof two);
    assert_memory_not_equal(one, two, sizeof one);
}

static void test_mkdirs_and_remove_tree(void **state)
{
    struct backend *b = *state;
    struct sys_stat st;
    assert_int_equal(sys_mkdirs(b->sys, in(b, "a/b//c/"), NULL), STATUS_OK);
    assert_int_equal(sys_mkdirs(b->sys, in(b, "a/b/c"), NULL), STATUS_OK);
    assert_int_equal(sys_stat(b->sys, in(b, "a/b/c"), &st, NULL), STATUS_OK);
    assert_true(st.is_dir);
    put(b, "a/f", "");
    put(b, "a/b/g", "x");
    assert_int_equal(sys_mkdirs(b->sys, in(b, "a/f"), NULL), STATUS_CONFLICT);
    assert_int_not_equal(sys_mkdirs(b->sys, in(b, "a/f/h"), NULL), STATUS_OK);
    assert_int_equal(sys_remove_tree(b->sys, in(b, "a"), NULL), STATUS_OK);
    assert_int_equal(sys_stat(b->sys, in(b, "a"), &st, NULL), STATUS_NOT_FOUND);
    assert_int_equal(sys_remove_tree(b->sys, in(b, "a"), NULL), STATUS_OK);
    put(b, "f", "");
    assert_int_equal(sys_remove_tree(b->sys, in(b, "f"), NULL), STATUS_OK);
}

static void test_replace_and_read_file(void **state)
{
    struct backend *b = *state;
    struct buf small;
    struct sys_stat st;
    assert_int_equal(sys_replace_file(b->sys, in(b, "f"), (struct slice){"one", 3}, NULL),
                     STATUS_OK);
    assert_text(b, "f", "one");
    assert_int_equal(sys_replace_file(b->sys, in(b, "f"), (struct slice){"second", 6}, NULL),
                     STATUS_OK);
    assert_text(b, "f", "second");
    assert_int_equal(sys_stat(b->sys, in(b, "f.tmp"), &st, NULL), STATUS_NOT_FOUND);
    buf_init(&small, 5);
    assert_int_equal(sys_read_file(b->sys, in(b, "f"), &small, NULL), STATUS_RESOURCE_LIMIT);
    assert_int_equal(sys_read_file(b->sys, in(b, "no"), &small, NULL), STATUS_NOT_FOUND);
    buf_release(&small);
}

static void test_long_path(void **state)
{
    (void)state;
    char path[SYS_PATH_MAX], longer[SYS_PATH_MAX + 10];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(sys_path(path, NULL, "%s", longer), STATUS_INVALID_ARGUMENT);
    longer[SYS_PATH_MAX - 1] = 0;
    assert_int_equal(sys_path(path, NULL, "%s", longer), STATUS_OK);
}

#define SUITE(setup)                                                                               \
    {                                                                                              \
        cmocka_unit_test_setup_teardown(test_open_flags, setup, teardown),                         \
            cmocka_unit_test_setup_teardown(test_read_write, setup, teardown),                     \
            cmocka_unit_test_setup_teardown(test_wrong_mode, setup, teardown),                     \
            cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),                          \
            cmocka_unit_test_setup_teardown(test_map, setup, teardown),                            \
            cmocka_unit_test_setup_teardown(test_lock, setup, teardown),                           \
            cmocka_unit_test_setup_teardown(test_stat_and_directories, setup, teardown),           \
            cmocka_unit_test_setup_teardown(test_unlinked_file_stays_open, setup, teardown),       \
            cmocka_unit_test_setup_teardown(test_rename, setup, teardown),                         \
            cmocka_unit_test_setup_teardown(test_list, setup, teardown),                           \
            cmocka_unit_test_setup_teardown(test_clock_and_chance, setup, teardown),               \
            cmocka_unit_test_setup_teardown(test_mkdirs_and_remove_tree, setup, teardown),         \
            cmocka_unit_test_setup_teardown(test_replace_and_read_file, setup, teardown),          \
            cmocka_unit_test_setup_teardown(test_long_path, setup, teardown),                      \
    }

int main(void)
{
    const struct CMUnitTest posix[] = SUITE(setup_posix);
    const struct CMUnitTest sim[] = SUITE(setup_sim);
    const struct CMUnitTest fault_posix[] = SUITE(setup_fault_posix);
    const struct CMUnitTest fault_sim[] = SUITE(setup_fault_sim);
    return cmocka_run_group_tests_name("posix", posix, NULL, NULL) +
           cmocka_run_group_tests_name("sim", sim, NULL, NULL) +
           cmocka_run_group_tests_name("fault over posix", fault_posix, NULL, NULL) +
           cmocka_run_group_tests_name("fault over sim", fault_sim, NULL, NULL);
}

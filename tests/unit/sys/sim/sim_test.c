/* The simulated disk forgets exactly what may be forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sys/sim/sim.h"

static struct sim *sim;
static struct sys *sys;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(sim_new(42, &sim, NULL), STATUS_OK);
    sys = sim_sys(sim);
    assert_int_equal(sys_mkdir(sys, "d", NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(sys, "/", NULL), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_free(sim);
    return 0;
}

static void put(const char *path, const void *data, size_t len, bool sync)
{
    struct sys_file *file;
    assert_int_equal(sys_open(sys, path, SYS_WRITE | SYS_CREATE, &file, NULL), STATUS_OK);
    assert_int_equal(sys_pwrite(sys, file, data, len, 0, NULL), STATUS_OK);
    if (sync)
        assert_int_equal(sys_sync(sys, file, NULL), STATUS_OK);
    sys_close(sys, file);
}

/* "-" when the file is not there. */
static const char *text_of(const char *path)
{
    static char text[4096];
    struct buf buf;
    buf_init(&buf, sizeof text - 1);
    enum status status = sys_read_file(sys, path, &buf, NULL);
    if (status == STATUS_OK) {
        memcpy(text, buf.data ? buf.data : "", buf.len);
        text[buf.len] = 0;
    }
    buf_release(&buf);
    return status == STATUS_OK ? text : "-";
}

static void test_bytes_need_sync(void **state)
{
    (void)state;
    put("d/f", "old", 3, true);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    put("d/f", "NEW!", 4, false);
    assert_string_equal(text_of("d/f"), "NEW!");
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "old");
    put("d/f", "NEW!", 4, true);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "NEW!");
}

static void test_names_need_sync_dir(void **state)
{
    (void)state;
    put("d/f", "synced", 6, true);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "-");
    put("d/f", "unsynced", 8, false);
    sim_power_cut_as(sim, SIM_CUT_NAMES, 0);
    assert_string_equal(text_of("d/f"), "");
    assert_int_equal(sys_unlink(sys, "d/f", NULL), STATUS_OK);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "");
    assert_int_equal(sys_unlink(sys, "d/f", NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "-");
}

static void test_rename_is_whole_or_undone(void **state)
{
    (void)state;
    put("d/a", "A", 1, true);
    put("d/b", "B", 1, true);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    assert_int_equal(sys_rename(sys, "d/a", "d/b", NULL), STATUS_OK);
    assert_string_equal(text_of("d/b"), "A");
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/a"), "A");
    assert_string_equal(text_of("d/b"), "B");
    assert_int_equal(sys_rename(sys, "d/a", "d/b", NULL), STATUS_OK);
    sim_power_cut_as(sim, SIM_CUT_NAMES, 0);
    assert_string_equal(text_of("d/a"), "-");
    assert_string_equal(text_of("d/b"), "A");
}

static void test_rename_between_directories(void **state)
{
    (void)state;
    assert_int_equal(sys_mkdir(sys, "e", NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(sys, "/", NULL), STATUS_OK);
    put("d/a", "A", 1, true);
    assert_int_equal(sys_rename(sys, "d/a", "e/a", NULL), STATUS_OK);
    put("d/a", "second", 6, true);
    assert_int_equal(sys_sync_dir(sys, "e", NULL), STATUS_OK); /* binds d, too */
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("e/a"), "A");
    assert_string_equal(text_of("d/a"), "second");
}

static void test_removed_directory_comes_back(void **state)
{
    (void)state;
    put("d/f", "x", 1, true);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    assert_int_equal(sys_remove_tree(sys, "d", NULL), STATUS_OK);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "x");
    assert_int_equal(sys_remove_tree(sys, "d", NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(sys, "/", NULL), STATUS_OK);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "-");
}

static void test_truncate_needs_sync(void **state)
{
    (void)state;
    struct sys_file *file;
    put("d/f", "abcdef", 6, true);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    assert_int_equal(sys_open(sys, "d/f", SYS_WRITE, &file, NULL), STATUS_OK);
    assert_int_equal(sys_truncate(sys, file, 2, NULL), STATUS_OK);
    assert_int_equal(sys_pwrite(sys, file, "Z", 1, 4, NULL), STATUS_OK);
    sys_close(sys, file);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "abcdef");
    assert_int_equal(sys_open(sys, "d/f", SYS_WRITE, &file, NULL), STATUS_OK);
    assert_int_equal(sys_truncate(sys, file, 2, NULL), STATUS_OK);
    assert_int_equal(sys_sync(sys, file, NULL), STATUS_OK);
    assert_int_equal(sys_truncate(sys, file, 4, NULL), STATUS_OK);
    assert_int_equal(sys_sync(sys, file, NULL), STATUS_OK);
    sys_close(sys, file);
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(sys_read_file(sys, "d/f", &buf, NULL), STATUS_OK);
    assert_int_equal(buf.len, 4);
    assert_memory_equal(buf.data, "ab\0\0", 4);
    buf_release(&buf);
}

/* Each sector is old or new as a whole; over many seeds every mix of two sectors is seen. */
static void test_torn_sectors(void **state)
{
    (void)state;
    static char old[2 * SIM_SECTOR], new[2 * SIM_SECTOR];
    memset(old, 'o', sizeof old);
    memset(new, 'n', sizeof new);
    int seen = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        put("d/f", old, sizeof old, true);
        assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
        put("d/f", new, sizeof new, false);
        sim_power_cut_as(sim, SIM_CUT_RANDOM, seed);
        const char *text = text_of("d/f");
        assert_int_equal(strlen(text), sizeof old);
        for (int s = 0; s < 2; s++)
            for (int i = 1; i < SIM_SECTOR; i++)
                assert_int_equal(text[s * SIM_SECTOR + i], text[s * SIM_SECTOR]);
        seen |= 1 << ((text[0] == 'n') * 2 + (text[SIM_SECTOR] == 'n'));
    }
    assert_int_equal(seen, 15);
}

/* Growth may be lost, cut anywhere or hold zeros, but the synced part stays. */
static void test_torn_growth(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        char big[1500];
        struct buf buf;
        memset(big, 'b', sizeof big);
        put("d/f", "AAAA", 4, true);
        assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
        struct sys_file *file;
        assert_int_equal(sys_open(sys, "d/f", SYS_WRITE, &file, NULL), STATUS_OK);
        assert_int_equal(sys_pwrite(sys, file, big, sizeof big, 4, NULL), STATUS_OK);
        sys_close(sys, file);
        sim_power_cut(sim, seed);
        buf_init(&buf, 4000);
        assert_int_equal(sys_read_file(sys, "d/f", &buf, NULL), STATUS_OK);
        assert_true(buf.len >= 4 && buf.len <= 1504);
        assert_memory_equal(buf.data, "AAAA", 4);
        for (size_t i = 4; i < buf.len; i++)
            assert_true(buf.data[i] == 'b' || buf.data[i] == 0);
        buf_release(&buf);
        assert_int_equal(sys_unlink(sys, "d/f", NULL), STATUS_OK);
    }
}

static void test_same_seed_same_outcome(void **state)
{
    (void)state;
    char outcome[2][4096];
    for (int run = 0; run < 2; run++) {
        struct sim *other;
        char *at = outcome[run];
        assert_int_equal(sim_new(5, &other, NULL), STATUS_OK);
        struct sys *disk = sim_sys(other);
        for (int i = 0; i < 10; i++) {
            char path[SYS_PATH_MAX];
            struct sys_file *file;
            assert_int_equal(sys_path(path, NULL, "f%d", i), STATUS_OK);
            assert_int_equal(sys_open(disk, path, SYS_WRITE | SYS_CREATE, &file, NULL), STATUS_OK);
            assert_int_equal(sys_pwrite(disk, file, path, 2, 0, NULL), STATUS_OK);
            sys_close(disk, file);
        }
        sim_power_cut_as(other, SIM_CUT_RANDOM, 99);
        for (int i = 0; i < 10; i++) {
            char path[SYS_PATH_MAX];
            struct sys_stat st = {0};
            assert_int_equal(sys_path(path, NULL, "f%d", i), STATUS_OK);
            *at++ = sys_stat(disk, path, &st, NULL) == STATUS_OK ? (char)('0' + st.size) : '-';
        }
        sys_random(disk, at, 8);
        *(at + 8) = 0;
        sim_free(other);
    }
    assert_memory_equal(outcome[0], outcome[1], 18);
}

static void test_open_files_die(void **state)
{
    (void)state;
    struct sys_file *file;
    uint64_t size;
    char c;
    size_t n;
    assert_int_equal(sys_open(sys, "d/f", SYS_READ | SYS_WRITE | SYS_CREATE, &file, NULL),
                     STATUS_OK);
    assert_int_equal(sys_lock(sys, file, NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    sim_power_cut(sim, 1);
    assert_int_equal(sys_pread(sys, file, &c, 1, 0, &n, NULL), STATUS_IO);
    assert_int_equal(sys_pwrite(sys, file, "x", 1, 0, NULL), STATUS_IO);
    assert_int_equal(sys_sync(sys, file, NULL), STATUS_IO);
    assert_int_equal(sys_size(sys, file, &size, NULL), STATUS_IO);
    struct sys_file *again;
    assert_int_equal(sys_open(sys, "d/f", SYS_WRITE, &again, NULL), STATUS_OK);
    assert_int_equal(sys_lock(sys, again, NULL), STATUS_OK);
    sys_close(sys, again);
    sys_close(sys, file);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct sys_file *file;
    sim_set_capacity(sim, 100);
    put("d/f", "0123456789", 10, true);
    assert_int_equal(sys_open(sys, "d/g", SYS_WRITE | SYS_CREATE, &file, NULL), STATUS_OK);
    assert_int_equal(sys_allocate(sys, file, 91, NULL), STATUS_STORAGE_FULL);
    assert_int_equal(sys_allocate(sys, file, 90, NULL), STATUS_OK);
    assert_int_equal(sys_pwrite(sys, file, "x", 1, 90, NULL), STATUS_STORAGE_FULL);
    assert_int_equal(sys_pwrite(sys, file, "x", 1, 89, NULL), STATUS_OK);
    sys_close(sys, file);
    assert_int_equal(sys_unlink(sys, "d/g", NULL), STATUS_OK);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    put("d/g", "0123456789", 10, true);
}

static void test_flip_bit(void **state)
{
    (void)state;
    put("d/f", "A", 1, true);
    assert_int_equal(sys_sync_dir(sys, "d", NULL), STATUS_OK);
    assert_int_equal(sim_flip_bit(sim, "d/f", 1, NULL), STATUS_OK);
    assert_string_equal(text_of("d/f"), "C");
    sim_power_cut_as(sim, SIM_CUT_STRICT, 0);
    assert_string_equal(text_of("d/f"), "C");
    assert_int_equal(sim_flip_bit(sim, "d/f", 8, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(sim_flip_bit(sim, "no", 0, NULL), STATUS_NOT_FOUND);
}

static void test_clock(void **state)
{
    (void)state;
    int64_t now = sys_now_us(sys);
    assert_true(now > 1767225600000000);
    sim_advance(sim, 5000000);
    assert_int_equal(sys_now_us(sys), now + 5000001);
    sys_sleep_us(sys, 10);
    assert_int_equal(sys_now_us(sys), now + 5000012);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bytes_need_sync),
        T(test_names_need_sync_dir),
        T(test_rename_is_whole_or_undone),
        T(test_rename_between_directories),
        T(test_removed_directory_comes_back),
        T(test_truncate_needs_sync),
        T(test_torn_sectors),
        T(test_torn_growth),
        T(test_same_seed_same_outcome),
        T(test_open_files_die),
        T(test_full_disk),
        T(test_flip_bit),
        T(test_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* log_files: names, order, rotation by size, what is removed, the rate, and reading it again. The
 * folder is real: appending is the kernel's business. */
#include "service/log_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/quarry-logs-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return sys_remove_tree(sys_posix(), folder, NULL) == STATUS_OK ? 0 : -1;
}

static const struct log_files_options usual = {.folder = folder,
                                               .level = LOG_DEBUG,
                                               .file_bytes = 1 << 20,
                                               .total_bytes = 1 << 20,
                                               .retention_days = 7};

static void put_file(const char *name, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

static void test_names(void **state)
{
    static const char *const bad[] = {"",
                                      "x.jsonl",
                                      "x.20261121-001.json",
                                      "x.2026112-1001.jsonl",
                                      "x.20261121_001.jsonl",
                                      "x.20261121-0x1.jsonl",
                                      ".20261121-001.jsonl"};
    struct log_file_name name;
    char path[SYS_PATH_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(log_file_name_parse(str_of(bad[i]), &name));
    assert_true(log_file_name_parse(STR("tenant-node.20261121-012.jsonl"), &name));
    assert_string_equal(name.service, "tenant-node");
    assert_int_equal(name.day, 20261121);
    assert_int_equal(name.part, 12);
    assert_int_equal(log_file_path(path, "f", &name, NULL), STATUS_OK);
    assert_string_equal(path, "f/tenant-node.20261121-012.jsonl");
}

/* The oldest go, by age and by the total; what is no log stays. */
static void test_prune(void **state)
{
    struct log_file_name *names = NULL;
    size_t len = 0;
    char path[128];
    (void)state;
    put_file("a.20000101-000.jsonl", 10);
    put_file("a.99990101-000.jsonl", 100);
    put_file("b.99990101-001.jsonl", 100);
    put_file("b.99990102-000.jsonl", 100);
    put_file("other", 1000);
    assert_int_equal(log_folder_prune(sys_posix(), folder, 7, 1000, NULL), STATUS_OK);
    assert_int_equal(log_folder_list(sys_posix(), folder, STR_NONE, &names, &len, NULL), STATUS_OK);
    assert_int_equal(len, 3);
    assert_string_equal(names[0].service, "a");
    assert_int_equal(names[2].day, 99990102);
    free(names);
    assert_int_equal(log_folder_prune(sys_posix(), folder, 7, 250, NULL), STATUS_OK);
    assert_int_equal(log_folder_list(sys_posix(), folder, STR("b"), &names, &len, NULL), STATUS_OK);
    assert_int_equal(len, 2);
    free(names);
    assert_int_equal(log_folder_list(sys_posix(), folder, STR("a"), &names, &len, NULL), STATUS_OK);
    assert_int_equal(len, 0);
    free(names);
    snprintf(path, sizeof path, "%s/other", folder);
    assert_int_equal(access(path, F_OK), 0);
}

static void write_lines(struct log_files *files, const char *service, enum log_level level, int n)
{
    const struct log_sink *sink = log_files_sink(files);
    char line[128];
    for (int i = 0; i < n; i++) {
        int len = snprintf(line, sizeof line, "{\"n\":%d}\n", i);
        if (sink->wants(sink->context, service, level))
            sink->take(sink->context, service, level, str_make(line, (size_t)len));
    }
}

static size_t count_files(const char *service)
{
    struct log_file_name *names = NULL;
    size_t len = 0;
    assert_int_equal(log_folder_list(sys_posix(), folder, str_of(service), &names, &len, NULL),
                     STATUS_OK);
    free(names);
    return len;
}

static void test_rotation(void **state)
{
    struct log_files_options options = usual;
    struct log_files *files = NULL;
    uint64_t taken = 0, dropped = 0;
    (void)state;
    options.file_bytes = 100;
    for (int round = 0; round < 3; round++) { /* a new process goes on with the newest part */
        assert_int_equal(log_files_open(sys_posix(), &options, &files, NULL), STATUS_OK);
        write_lines(files, "r", LOG_INFO, 20);
        log_files_close(files);
    }
    assert_int_equal(count_files("r"), 3);
    options.lines_per_second = 5;
    options.level = LOG_INFO;
    assert_int_equal(log_files_open(sys_posix(), &options, &files, NULL), STATUS_OK);
    write_lines(files, "limited", LOG_DEBUG, 20);
    write_lines(files, "limited", LOG_INFO, 200);
    write_lines(files, "limited", LOG_ERROR, 20);
    const struct log_sink *sink = log_files_sink(files);
    sink->count(sink->context, &taken, &dropped);
    assert_true(dropped >= 180 && dropped <= 195); /* the second may have turned */
    log_files_close(files);
    assert_int_equal(count_files("limited"), 1);
}

/* More than may wait is dropped and counted; nothing is torn. */
static void test_overflow(void **state)
{
    struct log_files *files = NULL;
    uint64_t taken = 0, dropped = 0;
    static char line[4000];
    (void)state;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    assert_int_equal(log_files_open(sys_posix(), &usual, &files, NULL), STATUS_OK);
    const struct log_sink *sink = log_files_sink(files);
    for (int i = 0; i < 1000; i++)
        sink->take(sink->context, "o", LOG_INFO, str_make(line, sizeof line));
    sink->count(sink->context, &taken, &dropped);
    assert_true(dropped > 0);
    log_files_close(files);
    char path[SYS_PATH_MAX];
    struct log_file_name *names = NULL;
    size_t len = 0;
    uint64_t size = 0;
    assert_int_equal(log_folder_list(sys_posix(), folder, STR("o"), &names, &len, NULL), STATUS_OK);
    for (size_t i = 0; i < len; i++) {
        struct sys_stat stat;
        assert_int_equal(log_file_path(path, folder, &names[i], NULL), STATUS_OK);
        assert_int_equal(sys_stat(sys_posix(), path, &stat, NULL), STATUS_OK);
        size += stat.size;
    }
    free(names);
    assert_int_equal(size, (1000 - dropped) * sizeof line);
}

static void test_bad_folder(void **state)
{
    struct log_files_options options = usual;
    struct log_files *files = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    options.folder = "/proc/none/logs";
    assert_true(log_files_open(sys_posix(), &options, &files, &err) != STATUS_OK);
    assert_non_null(strstr(err.message, "/proc/none/logs"));
    log_files_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_prune, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_rotation, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_overflow, make_folder, remove_folder),
        cmocka_unit_test(test_bad_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

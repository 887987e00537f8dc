/* Children: their end, their channel, their descriptors, their death. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/process.h"

static struct process shell(const char *script, bool channel)
{
    struct process child;
    struct error err = ERROR_INIT;
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    struct process_options options = {.executable = "/bin/sh", .argv = argv, .channel = channel};
    assert_int_equal(process_spawn(&options, &child, &err), STATUS_OK);
    return child;
}

static size_t read_all(int fd, char *text, size_t cap)
{
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = 0;
    return len;
}

static void test_exit_code(void **state)
{
    (void)state;
    struct process child = shell("exit 7", false);
    struct process_end end;
    assert_int_equal(child.channel, -1);
    assert_int_equal(process_wait(&child, 10000, &end, NULL), STATUS_OK);
    assert_int_equal(end.exit_code, 7);
    assert_int_equal(end.signal, 0);
    assert_int_equal(process_wait(&child, 0, &end, NULL), STATUS_NOT_FOUND);
    process_kill(&child, SIGKILL); /* of an ended one: nothing */
    process_release(&child);
    process_release(&child);
}

static void test_kill_and_timeout(void **state)
{
    (void)state;
    struct process child = shell("echo ready >&3; exec sleep 100", true);
    struct process_end end;
    char ready[6];
    assert_int_equal(read(child.channel, ready, 6), 6);
    assert_int_equal(process_wait(&child, 0, &end, NULL), STATUS_TIMEOUT);
    assert_int_equal(process_wait(&child, 20, &end, NULL), STATUS_TIMEOUT);
    process_kill(&child, SIGTERM);
    assert_int_equal(process_wait(&child, 10000, &end, NULL), STATUS_OK);
    assert_int_equal(end.exit_code, -1);
    assert_int_equal(end.signal, SIGTERM);
    process_release(&child);
}

static void test_channel_both_ways(void **state)
{
    (void)state;
    struct process child = shell("read line <&3; echo \"got $line\" >&3", true);
    char text[64];
    assert_int_equal(write(child.channel, "hello\n", 6), 6);
    read_all(child.channel, text, sizeof text);
    assert_string_equal(text, "got hello\n");
    process_release(&child);
}

static void test_descriptors_and_environment(void **state)
{
    (void)state;
    int leak = open("/dev/null", O_RDONLY); /* not close-on-exec on purpose */
    char *argv[] = {"sh", "-c", "ls /proc/self/fd | tr '\\n' ' ' >&3; echo \"$NAME.$HOME\" >&3",
                    NULL};
    char *envp[] = {"NAME=value", "PATH=/usr/bin:/bin", NULL};
    struct process child;
    struct process_options options = {
        .executable = "/bin/sh", .argv = argv, .envp = envp, .channel = true};
    assert_int_equal(process_spawn(&options, &child, NULL), STATUS_OK);
    char text[128];
    read_all(child.channel, text, sizeof text);
    /* 4 is ls reading the folder */
    assert_string_equal(text, "0 1 2 3 4 value.\n");
    process_release(&child);
    close(leak);
}

static void test_no_such_program(void **state)
{
    (void)state;
    char *argv[] = {"x", NULL};
    struct process child;
    struct error err = ERROR_INIT;
    struct process_options options = {
        .executable = "/no/such/program", .argv = argv, .channel = true};
    assert_int_equal(process_spawn(&options, &child, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such/program"));
    assert_int_equal(child.pid, 0);
    options.executable = "/dev/null";
    assert_int_equal(process_spawn(&options, &child, &err), STATUS_IO);
    process_release(&child);
}

/* The child's child dies with its parent although that one is killed hard. */
static void test_dies_with_parent(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t middle = fork();
    if (middle == 0) {
        char *argv[] = {"sh", "-c", "echo up; exec sleep 100", NULL};
        struct process child;
        struct process_options options = {
            .executable = "/bin/sh", .argv = argv, .die_with_parent = true, .stdout_fd = out[1]};
        if (process_spawn(&options, &child, NULL) != STATUS_OK)
            _exit(1);
        close(out[1]);
        pause();
        _exit(0);
    }
    close(out[1]);
    char text[8];
    assert_int_equal(read(out[0], text, 3), 3);
    kill(middle, SIGKILL);
    assert_int_equal(read(out[0], text, 1), 0); /* its last holder has gone */
    close(out[0]);
}

static void test_own_folder(void **state)
{
    (void)state;
    char folder[4096];
    assert_int_equal(process_own_folder(folder, sizeof folder, NULL), STATUS_OK);
    assert_int_equal(folder[0], '/');
    assert_int_equal(access(folder, X_OK), 0);
    assert_int_equal(process_own_folder(folder, 3, NULL), STATUS_RESOURCE_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_code),
        cmocka_unit_test(test_kill_and_timeout),
        cmocka_unit_test(test_channel_both_ways),
        cmocka_unit_test(test_descriptors_and_environment),
        cmocka_unit_test(test_no_such_program),
        cmocka_unit_test(test_dies_with_parent),
        cmocka_unit_test(test_own_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

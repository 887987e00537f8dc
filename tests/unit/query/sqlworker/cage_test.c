/* The cage from inside: a child enters it and tries what a taken-over worker would try. Each
 * attempt must fail; what the engine needs must go on working. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "query/sqlworker/cage.h"

static char folder[64], sources[96], temp[96], secret[96];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/quarry-cage-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(sources, sizeof sources, "%s/sources", folder);
    snprintf(temp, sizeof temp, "%s/temp", folder);
    snprintf(secret, sizeof secret, "%s/secret", folder);
    if (mkdir(sources, 0700) || mkdir(temp, 0700))
        return -1;
    char path[128];
    snprintf(path, sizeof path, "%s/data", sources);
    int a = open(path, O_CREAT | O_WRONLY, 0600), b = open(secret, O_CREAT | O_WRONLY, 0600);
    char link[128];
    snprintf(link, sizeof link, "%s/link", sources);
    return a < 0 || b < 0 || close(a) || close(b) || symlink(secret, link) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Runs `attempt` in a caged child; it returns 0 when all is as it should be, else a line number. */
static void caged(int (*attempt)(const struct cage_report *report))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct cage_report report;
        struct cage_options options = {.read_folders = {sources},
                                       .temp_folder = temp,
                                       .memory_bytes = UINT64_C(1) << 30,
                                       .file_bytes = 1 << 20,
                                       .cpu_seconds = 10};
        if (cage_enter(&options, &report, NULL) != STATUS_OK)
            _exit(255);
        int line = attempt(&report);
        _exit(line > 250 ? 250 : line);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        fail_msg("killed by signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Counts attempts; the number of the one that was wrong is the child's exit code. */
#define MUST(n, condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return (n);                                                                            \
    } while (0)
#define DENIED(n, call) MUST(n, (call) < 0 && (errno == EPERM || errno == EACCES))

static int files(const struct cage_report *report)
{
    char path[160];
    snprintf(path, sizeof path, "%s/data", sources);
    MUST(1, open(path, O_RDONLY) >= 0);
    snprintf(path, sizeof path, "%s/new", temp);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    MUST(2, fd >= 0 && write(fd, "x", 1) == 1);
    MUST(3, ftruncate(fd, 1 << 19) == 0);
    MUST(4, pwrite(fd, "x", 1, 2 << 20) < 0 && errno == EFBIG); /* RLIMIT_FSIZE */
    MUST(5, unlink(path) == 0);
    if (!report->landlock_abi)
        return 0;
    DENIED(6, open("/etc/passwd", O_RDONLY));
    DENIED(7, open("/proc/self/maps", O_RDONLY));
    DENIED(8, open("/proc/self/environ", O_RDONLY));
    DENIED(9, open("/", O_RDONLY | O_DIRECTORY));
    DENIED(10, open(secret, O_RDONLY));
    snprintf(path, sizeof path, "%s/link", sources);
    DENIED(11, open(path, O_RDONLY));
    snprintf(path, sizeof path, "%s/../secret", sources);
    DENIED(12, open(path, O_RDONLY));
    snprintf(path, sizeof path, "%s/data", sources);
    DENIED(13, open(path, O_WRONLY));
    DENIED(14, open(path, O_RDONLY | O_TRUNC));
    DENIED(15, unlink(path));
    snprintf(path, sizeof path, "%s/new", sources);
    DENIED(16, open(path, O_CREAT | O_RDWR, 0600));
    DENIED(17, mkdir(path, 0700));
    DENIED(18, open("/tmp/quarry-cage-out", O_CREAT | O_RDWR, 0600));
    DENIED(19, symlink("/etc/passwd", path));
    snprintf(path, sizeof path, "%s/data", temp);
    DENIED(20, link("/etc/passwd", path));
    return 0;
}

static int system_calls(const struct cage_report *report)
{
    MUST(1, report->seccomp);
    DENIED(2, socket(AF_INET, SOCK_STREAM, 0));
    DENIED(3, socket(AF_UNIX, SOCK_STREAM, 0));
    DENIED(4, socket(AF_NETLINK, SOCK_RAW, 0));
    int pair[2];
    DENIED(5, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    char *argv[] = {"/bin/true", NULL};
    DENIED(6, execv("/bin/true", argv));
    DENIED(7, fork());
    DENIED(8, (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    DENIED(9, kill(getppid(), 0));
    DENIED(10, (int)syscall(SYS_tgkill, getppid(), getppid(), 0));
    DENIED(11, mount("none", "/tmp", "tmpfs", 0, NULL));
    DENIED(12, (int)syscall(SYS_io_uring_setup, 1, NULL));
    DENIED(13, (int)syscall(SYS_bpf, 0, NULL, 0));
    DENIED(14, (int)syscall(SYS_keyctl, 0, 0));
    DENIED(15, (int)syscall(SYS_open_by_handle_at, 0, NULL, 0));
    DENIED(16, (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
    DENIED(17, (int)syscall(SYS_userfaultfd, 0));
    DENIED(18, (int)syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
    DENIED(19, (int)syscall(SYS_pidfd_getfd, 0, 0, 0));
    DENIED(20, (int)syscall(SYS_unshare, 0));
    DENIED(21, (int)syscall(SYS_setns, 0, 0));
    DENIED(22, (int)syscall(SYS_memfd_create, "x", 0));
    DENIED(23, chmod(temp, 0777));
    DENIED(24, chdir("/"));
    DENIED(25, chroot("/"));
    DENIED(26, setuid(1));
    return 0;
}

static int memory_and_limits(const struct cage_report *report)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(1, code == MAP_FAILED && errno == EPERM);
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(2, data != MAP_FAILED);
    DENIED(3, mprotect(data, 4096, PROT_READ | PROT_EXEC));
    if (report->address_limit)
        MUST(4, mmap(NULL, (size_t)2 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                    MAP_FAILED);
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    DENIED(5, setrlimit(RLIMIT_CPU, &more)); /* root's powers are gone as well */
    DENIED(6, prlimit(getppid(), RLIMIT_CPU, NULL, &more));
    cage_limit_cpu(1000000);
    struct rlimit cpu;
    MUST(7, getrlimit(RLIMIT_CPU, &cpu) == 0 && cpu.rlim_cur <= 10 && cpu.rlim_max == 10);
    return 0;
}

static void sees_its_folders_only(void **state)
{
    (void)state;
    caged(files);
}

static void makes_harmless_calls_only(void **state)
{
    (void)state;
    caged(system_calls);
}

static void cannot_grow(void **state)
{
    (void)state;
    caged(memory_and_limits);
}

static void needs_its_folders(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct cage_report report;
        struct cage_options options = {.read_folders = {"/nonexistent/sources"},
                                       .temp_folder = temp,
                                       .memory_bytes = UINT64_C(1) << 30,
                                       .file_bytes = 1 << 20,
                                       .cpu_seconds = 10};
        enum status status = cage_enter(&options, &report, NULL);
        bool without = status == STATUS_OK && report.landlock_abi == 0;
        _exit(status == STATUS_UNAVAILABLE || without ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_its_folders_only), cmocka_unit_test(makes_harmless_calls_only),
        cmocka_unit_test(cannot_grow), cmocka_unit_test(needs_its_folders)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

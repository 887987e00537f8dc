/* cage_seccomp.c: the system calls that a SQL worker may still make.
 *
 * A list of what is allowed; everything else (socket, execve, ptrace, mount, io_uring, bpf, keyctl,
 * kill ...) fails with EPERM. EPERM and not a kill: the C library and the engine probe for calls
 * and fall back, and an attack is refused all the same; the record is docs/decisions/0005. */
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "query/sqlworker/cage.h"

static const char *const allowed_calls[] = {
    /* memory */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "mincore",
    "membarrier",
    /* files: Landlock says which */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "open",
    "openat",
    "close",
    "lseek",
    "_llseek",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "fstatat64",
    "stat64",
    "fstat64",
    "lstat64",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents",
    "getdents64",
    "getcwd",
    "fcntl",
    "fcntl64",
    "flock",
    "dup",
    "fsync",
    "fdatasync",
    "ftruncate",
    "ftruncate64",
    "fallocate",
    "fadvise64",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    /* threads, signals, time */
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "gettid",
    "getpid",
    "getppid",
    "set_tid_address",
    "arch_prctl",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "exit",
    "exit_group",
    "restart_syscall",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "times",
    "poll",
    "ppoll",
    "pipe2",
    /* about itself */
    "getrandom",
    "getrusage",
    "getrlimit",
    "setrlimit",
    "sysinfo",
    "uname",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getcpu",
    "get_mempolicy",
};

static const uint64_t allowed_prctl[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE,
                                         0x53564d41 /* PR_SET_VMA */};

/* A rule for a call that this architecture lacks is skipped. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned len,
               const struct scmp_arg_cmp *conditions)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return 0;
    int r = seccomp_rule_add_array(filter, action, number, len, conditions);
    return r == -EDOM ? 0 : r;
}

static int add_allowed(scmp_filter_ctx filter)
{
    int r = 0;
    for (size_t i = 0; i < sizeof allowed_calls / sizeof *allowed_calls && r == 0; i++)
        r = add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0, NULL);
    for (size_t i = 0; i < sizeof allowed_prctl / sizeof *allowed_prctl && r == 0; i++)
        r = add(filter, SCMP_ACT_ALLOW, "prctl", 1,
                &(struct scmp_arg_cmp){0, SCMP_CMP_EQ, allowed_prctl[i], 0});
    return r;
}

/* Calls that are fine with some arguments only. */
static int add_conditional(scmp_filter_ctx filter)
{
    const struct {
        const char *name;
        uint32_t action;
        struct scmp_arg_cmp condition;
    } rules[] = {
        /* threads, no processes; clone3 hides its flags from seccomp: ENOSYS makes libc use clone
         */
        {"clone", SCMP_ACT_ALLOW, {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}},
        /* no new code */
        {"mmap", SCMP_ACT_ALLOW, {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
        {"mmap2", SCMP_ACT_ALLOW, {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
        {"mprotect", SCMP_ACT_ALLOW, {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
        /* the channel only, already connected */
        {"recvfrom", SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, 3, 0}},
        {"sendto", SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, 3, 0}},
        /* itself only: abort() */
        {"tgkill", SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, (uint64_t)getpid(), 0}},
        {"prlimit64", SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, 0, 0}},
    };
    int r = add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    for (size_t i = 0; i < sizeof rules / sizeof *rules && r == 0; i++)
        r = add(filter, rules[i].action, rules[i].name, 1, &rules[i].condition);
    return r;
}

enum status cage_seccomp(bool *ret_active, struct error *err)
{
    *ret_active = false;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return error_no_memory(err);
    int r = add_allowed(filter);
    if (r == 0)
        r = add_conditional(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    if (r != 0)
        return error_set(err, STATUS_UNAVAILABLE, "seccomp refused the filter (errno %d)", -r);
    *ret_active = true;
    return STATUS_OK;
}

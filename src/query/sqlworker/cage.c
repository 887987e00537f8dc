#include "query/sqlworker/cage.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAGE_FILES_MAX = 4096 };

static enum status limit(int resource, uint64_t soft, uint64_t hard, const char *what,
                         struct error *err)
{
    struct rlimit present;
    if (getrlimit((__rlimit_resource_t)resource, &present) < 0)
        return error_set(err, STATUS_UNAVAILABLE, "cannot read the limit of %s", what);
    if (hard > present.rlim_max)
        hard = present.rlim_max;
    if (soft > hard)
        soft = hard;
    struct rlimit wanted = {soft, hard};
    if (setrlimit((__rlimit_resource_t)resource, &wanted) < 0)
        return error_set(err, STATUS_UNAVAILABLE, "cannot set the limit of %s", what);
    return STATUS_OK;
}

static enum status enter_limits(const struct cage_options *options, bool *ret_address_limit,
                                struct error *err)
{
    (void)signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails with EFBIG instead */
    TRY(limit(RLIMIT_CORE, 0, 0, "core files", err));
    TRY(limit(RLIMIT_NOFILE, CAGE_FILES_MAX, CAGE_FILES_MAX, "open files", err));
    TRY(limit(RLIMIT_FSIZE, options->file_bytes, options->file_bytes, "file size", err));
    TRY(limit(RLIMIT_CPU, options->cpu_seconds, options->cpu_seconds, "CPU time", err));
    TRY(limit(RLIMIT_MEMLOCK, 0, 0, "locked memory", err));
#ifdef QUARRY_SANITIZED
    *ret_address_limit = false;
#else
    TRY(limit(RLIMIT_AS, options->memory_bytes, options->memory_bytes, "address space", err));
    *ret_address_limit = true;
#endif
    return STATUS_OK;
}

/* Nothing may be gained by exec, and root's powers (opening what modes forbid, raising limits) go.
 */
static enum status drop_privileges(struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, none) < 0)
        return error_set(err, STATUS_UNAVAILABLE, "cannot give up privileges");
    return STATUS_OK;
}

enum status cage_enter(const struct cage_options *options, struct cage_report *ret_report,
                       struct error *err)
{
    *ret_report = (struct cage_report){0};
    TRY(enter_limits(options, &ret_report->address_limit, err));
    TRY(drop_privileges(err));
    TRY(cage_landlock(options, &ret_report->landlock_abi, err));
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set(err, STATUS_UNAVAILABLE, "cannot become undumpable");
    return cage_seccomp(&ret_report->seccomp, err);
}

void cage_limit_cpu(uint64_t seconds_more)
{
    struct rusage usage;
    struct rlimit cpu;
    if (getrusage(RUSAGE_SELF, &usage) < 0 || getrlimit(RLIMIT_CPU, &cpu) < 0)
        return;
    uint64_t used = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec + 1;
    uint64_t soft = used + seconds_more;
    cpu.rlim_cur = soft < cpu.rlim_max ? soft : cpu.rlim_max;
    (void)setrlimit(RLIMIT_CPU, &cpu); /* the hard limit stays when this fails */
}

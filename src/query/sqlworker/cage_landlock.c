/* cage_landlock.c: the file system as a SQL worker sees it. Constants beyond the build machine's
 * headers are written out here (linux/landlock.h of kernel 6.12); the kernel says by its ABI number
 * which of them it knows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "query/sqlworker/cage.h"

enum {
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_ALL_1 = (1 << 13) - 1, /* ABI 1: execute to make_sym */
    FS_REFER = 1 << 13,       /* ABI 2 */
    FS_TRUNCATE = 1 << 14,    /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15,   /* ABI 5 */
    NET_ALL = 3,              /* ABI 4: bind, connect of TCP */
    SCOPE_ALL = 3,            /* ABI 6: abstract Unix sockets, signals */
    CREATE_RULESET_VERSION = 1,
    RULE_PATH_BENEATH = 1,
};

struct ruleset {
    uint64_t fs, net, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

static struct ruleset ruleset_for(int abi, size_t *ret_size)
{
    struct ruleset r = {.fs = FS_ALL_1};
    r.fs |= abi >= 2 ? FS_REFER : 0;
    r.fs |= abi >= 3 ? FS_TRUNCATE : 0;
    r.fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
    r.net = abi >= 4 ? NET_ALL : 0;
    r.scoped = abi >= 6 ? SCOPE_ALL : 0;
    *ret_size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    return r;
}

static enum status allow(int ruleset, const char *path, uint64_t rights, struct error *err)
{
    struct path_rule rule = {.allowed = rights};
    rule.fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.fd < 0)
        return error_set(err, STATUS_UNAVAILABLE, "a folder of the SQL cage cannot be opened");
    long r = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
    close(rule.fd);
    if (r < 0)
        return error_set(err, STATUS_UNAVAILABLE, "Landlock refused a rule (errno %d)", errno);
    return STATUS_OK;
}

static enum status allow_all(int ruleset, const struct cage_options *options, uint64_t handled,
                             struct error *err)
{
    uint64_t write = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE |
                     FS_MAKE_DIR | FS_MAKE_REG | FS_TRUNCATE;
    for (int i = 0; i < CAGE_READ_FOLDERS_MAX && options->read_folders[i]; i++)
        TRY(allow(ruleset, options->read_folders[i], FS_READ_FILE | FS_READ_DIR, err));
    TRY(allow(ruleset, options->temp_folder, write & handled, err));
    /* The engine sizes itself by the control group and aborts when it cannot read these. */
    TRY(allow(ruleset, "/proc/self/cgroup", FS_READ_FILE, err));
    if (access("/sys/fs/cgroup", F_OK) == 0)
        TRY(allow(ruleset, "/sys/fs/cgroup", FS_READ_FILE | FS_READ_DIR, err));
    return STATUS_OK;
}

enum status cage_landlock(const struct cage_options *options, int *ret_abi, struct error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    *ret_abi = 0;
    if (abi < 1)
        return STATUS_OK; /* reported, and visible in sql_pool_stats */
    size_t size;
    struct ruleset attributes = ruleset_for((int)abi, &size);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return error_set(err, STATUS_UNAVAILABLE, "Landlock refused the rules (errno %d)", errno);
    enum status status = allow_all(ruleset, options, attributes.fs, err);
    if (status == STATUS_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        status = error_set(err, STATUS_UNAVAILABLE, "Landlock could not be entered");
    close(ruleset);
    if (status == STATUS_OK)
        *ret_abi = (int)abi;
    return status;
}

#include "cmd/quarryd/node_limits.h"

#include <errno.h>
#include <malloc.h>
#include <sys/resource.h>

/* Parts of the limit: the rest is for requests under way. */
enum { MEMTABLE_PART = 8, PAGE_CACHE_PART = 8, RESULT_CACHE_PART = 16 };
/* What is freed is to go back to the system, not to stay with the thread that had it. */
enum { ARENAS_MAX = 4, MAPPED_ALONE_BYTES = 256 << 10 };

static uint64_t limit_of(const struct settings *settings)
{
    return (uint64_t)settings_int(settings, SETTING_TENANT_MEMORY_MB) << 20;
}

enum status node_limits_set(const struct settings *settings, struct error *err)
{
    uint64_t bytes = limit_of(settings);
    int nice_by = (int)settings_int(settings, SETTING_TENANT_NICE);
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    if (bytes && bytes < (uint64_t)NODE_MEMORY_MIN_MB << 20)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TENANT_MEMORY_MB must be 0 or %d at the least", NODE_MEMORY_MIN_MB);
    if (bytes && setrlimit(RLIMIT_DATA, &limit) < 0)
        return error_errno(err, errno, "TENANT_MEMORY_MB cannot be set");
    if (bytes) {
        mallopt(M_ARENA_MAX, ARENAS_MAX);
        mallopt(M_MMAP_THRESHOLD, MAPPED_ALONE_BYTES);
    }
    if (nice_by && setpriority(PRIO_PROCESS, 0, nice_by) < 0)
        return error_errno(err, errno, "TENANT_NICE cannot be set");
    return STATUS_OK;
}

static void fit(uint64_t *bytes, uint64_t most)
{
    if (*bytes > most)
        *bytes = most;
}

void node_limits_fit(const struct settings *settings, struct tenant_node_options *node)
{
    uint64_t limit = limit_of(settings);
    if (limit == 0)
        return;
    fit(&node->memtable_bytes, limit / MEMTABLE_PART);
    fit(&node->page_cache_bytes, limit / PAGE_CACHE_PART);
    fit(&node->cache_bytes, limit / RESULT_CACHE_PART);
    fit(&node->sql_memory_bytes, limit);
}

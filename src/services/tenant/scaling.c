/* scaling.c: what the node tells about its load, and the one thing that can be changed while it
 * runs: how many SQL workers it may have. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "services/tenant/tenant_int.h"

static uint64_t us_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static uint32_t workers_of_cores(uint32_t per_core)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return (uint32_t)(cores > 0 ? cores : 1) * per_core;
}

static uint32_t at_most(uint32_t wanted, uint32_t most)
{
    return wanted < most ? wanted : most;
}

/* MAX_WORKERS may be meant for a larger machine: more SQL processes than cores can feed only take
 * memory from each other. */
uint32_t tenant_workers_first(const struct tenant_node *node)
{
    uint32_t wanted = node->options.sql_workers_max ? node->options.sql_workers_max : 2;
    return at_most(wanted, workers_of_cores(SQL_WORKERS_PER_CORE));
}

static uint32_t workers_most(const struct tenant_node *node)
{
    uint32_t wanted = node->options.sql_workers_max ? node->options.sql_workers_max : 2;
    return at_most(wanted, workers_of_cores(SQL_WORKERS_PER_CORE_MOST));
}

static uint64_t own_memory(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void tenant_node_get_load(struct tenant_node *node, struct tenant_load *ret)
{
    struct sql_pool_stats stats;
    struct sql_pool_usage workers;
    struct rusage self, children;
    sql_pool_get_stats(node->sql, &stats);
    sql_pool_get_usage(node->sql, &workers);
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    *ret = (struct tenant_load){.cpu_us = us_of(self.ru_utime) + us_of(self.ru_stime) +
                                          us_of(children.ru_utime) + us_of(children.ru_stime) +
                                          workers.cpu_us,
                                .memory_bytes = own_memory() + workers.memory_bytes,
                                .running = stats.busy,
                                .waiting = stats.waiting,
                                .ended = stats.ended,
                                .took_us = stats.took_us,
                                .workers = stats.workers,
                                .workers_max = stats.workers_max,
                                .workers_most = workers_most(node)};
}

void tenant_node_set_workers(struct tenant_node *node, uint32_t workers)
{
    sql_pool_set_workers(node->sql, at_most(workers, workers_most(node)));
}

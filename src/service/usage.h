/* usage.h: what each tenant used of this service, as metrics (quarry_tenant_*), and which requests
 * were slow, as lines of the log.
 *
 * The first USAGE_TENANTS tenants have figures of their own, further ones are "other". CPU is that
 * of the request's own thread and what handlers add for other processes (SQL workers); threads that
 * help a scan are not in it. Threads: any. */
#ifndef QUARRY_SERVICE_USAGE_H
#define QUARRY_SERVICE_USAGE_H

#include <pthread.h>

#include "service/metrics.h"

struct request;
struct tenant_usage;

enum { USAGE_TENANTS = METRIC_TENANTS_MAX, USAGE_STATEMENT_MAX = 600 };

struct usage {
    struct metrics *metrics;
    const char *service;
    struct tenant_usage *_Atomic first; /* a list that only grows; read without the lock */
    pthread_mutex_t lock;
    uint32_t len; /* under the lock */
};

void usage_init(struct usage *usage, struct metrics *metrics, const char *service);
void usage_release(struct usage *usage);

/* CPU time of the calling thread. */
int64_t usage_cpu_us(void);
/* The request is over: cpu_us is what its thread used. */
void usage_count(struct usage *usage, struct request *request, int64_t cpu_us);
/* A line when it took longer than SLOW_REQUEST_MS. */
void usage_log_slow(struct request *request, int64_t us, int64_t cpu_us);

#endif

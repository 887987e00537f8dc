/* resize.c: how many workers there are: idle ones above workers_min end after idle_us, and
 * workers_max may change while queries run. Lowered, it ends idle workers at once and others when
 * their queries are over; raised, it lets waiting queries start. */
#include <stdio.h>
#include <unistd.h>

#include "query/sql/sql_int.h"

/* The idle worker that was used least recently, off the list, when its time is over. */
static struct sql_worker *take_expired(struct sql_pool *pool, int64_t now_us)
{
    if (!pool->idle || pool->stats.workers <= pool->options.workers_min)
        return NULL;
    struct sql_worker **at = &pool->idle;
    while ((*at)->next)
        at = &(*at)->next;
    struct sql_worker *oldest = *at;
    bool surplus = pool->stats.workers > pool->options.workers_max;
    if (!surplus && now_us - oldest->idle_since_us < pool->options.idle_us)
        return NULL;
    *at = NULL;
    pool->idle_len--;
    return oldest;
}

void *sql_pool_reap(void *argument)
{
    struct sql_pool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->closing) {
        int64_t now_us = sys_mono_us(pool->sys);
        struct sql_worker *expired = take_expired(pool, now_us);
        if (!expired) {
            int64_t pause = pool->idle ? pool->options.idle_us / 4 + 1000 : INT64_C(3600000000);
            (void)thread_cond_wait_until(&pool->reaper_cond, &pool->mutex, now_us + pause);
            continue;
        }
        pthread_mutex_unlock(&pool->mutex);
        sql_worker_end(pool, expired);
        pthread_mutex_lock(&pool->mutex);
        sql_pool_give_slot(pool, NULL);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

void sql_pool_set_workers(struct sql_pool *pool, uint32_t workers_max)
{
    uint32_t least = pool->options.workers_min ? pool->options.workers_min : 1;
    uint32_t most = workers_max < POOL_WORKERS_MAX ? workers_max : POOL_WORKERS_MAX;
    pthread_mutex_lock(&pool->mutex);
    pool->options.workers_max = most > least ? most : least;
    while (pool->waiting_first && pool->stats.workers < pool->options.workers_max) {
        pool->stats.workers++;
        sql_pool_give_slot(pool, NULL);
    }
    pthread_cond_signal(&pool->reaper_cond);
    pthread_mutex_unlock(&pool->mutex);
}

/* Their pids; they may end meanwhile. */
static uint32_t list_workers(struct sql_pool *pool, pid_t *pids)
{
    uint32_t len = 0;
    pthread_mutex_lock(&pool->mutex);
    for (struct sql_worker *worker = pool->idle; worker && len < POOL_WORKERS_MAX;
         worker = worker->next)
        pids[len++] = worker->process.pid;
    for (struct sql_run *run = pool->runs; run && len < POOL_WORKERS_MAX; run = run->next)
        if (run->worker && run->killable)
            pids[len++] = run->worker->process.pid;
    pthread_mutex_unlock(&pool->mutex);
    return len;
}

/* Fields 14, 15 (user and system ticks) and 24 (resident pages) of proc(5)'s stat. */
static void add_usage(pid_t pid, uint64_t *ticks, uint64_t *pages)
{
    char path[64];
    unsigned long long user = 0, system = 0;
    long long resident = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file,
                       "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d "
                       "%*d %*d %*d %*d %*d %*u %*u %lld",
                       &user, &system, &resident) == 3) {
        *ticks += user + system;
        *pages += resident > 0 ? (uint64_t)resident : 0;
    }
    if (file)
        fclose(file);
}

void sql_pool_get_usage(struct sql_pool *pool, struct sql_pool_usage *ret)
{
    pid_t pids[POOL_WORKERS_MAX];
    uint64_t ticks = 0, pages = 0;
    uint32_t len = list_workers(pool, pids);
    for (uint32_t i = 0; i < len; i++)
        add_usage(pids[i], &ticks, &pages);
    ret->cpu_us = ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    ret->memory_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

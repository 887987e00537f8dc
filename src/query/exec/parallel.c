#include "query/exec/parallel.h"

#include <stdatomic.h>

#include "sys/thread.h"

struct crew {
    parallel_task run;
    void *context;
    uint32_t tasks;
    _Atomic uint32_t next;
    atomic_bool failed;
    pthread_mutex_t lock; /* what follows */
    uint32_t failed_task;
    enum status status;
    struct error err;
};

static void note_failure(struct crew *crew, uint32_t task, enum status status,
                         const struct error *err)
{
    pthread_mutex_lock(&crew->lock);
    if (crew->status == STATUS_OK || task < crew->failed_task) {
        crew->failed_task = task;
        crew->status = status;
        crew->err = *err;
    }
    pthread_mutex_unlock(&crew->lock);
    atomic_store(&crew->failed, true);
}

static void *work(void *context)
{
    struct crew *crew = context;
    while (!atomic_load(&crew->failed)) {
        uint32_t task = atomic_fetch_add(&crew->next, 1);
        struct error err = ERROR_INIT;
        if (task >= crew->tasks)
            break;
        enum status status = crew->run(crew->context, task, &err);
        if (status != STATUS_OK)
            note_failure(crew, task, status, &err);
    }
    return NULL;
}

enum status parallel_run(uint32_t threads, uint32_t tasks, parallel_task run, void *context,
                         struct error *err)
{
    struct crew crew = {.run = run, .context = context, .tasks = tasks};
    struct thread others[PARALLEL_THREADS_MAX - 1];
    uint32_t started = 0;
    threads = threads < PARALLEL_THREADS_MAX ? threads : PARALLEL_THREADS_MAX;
    threads = threads < tasks ? threads : tasks;
    pthread_mutex_init(&crew.lock, NULL);
    while (started + 1 < threads &&
           thread_start(&others[started], "query", 0, work, &crew, NULL) == STATUS_OK)
        started++;
    work(&crew);
    for (uint32_t i = 0; i < started; i++)
        thread_join(&others[i]);
    pthread_mutex_destroy(&crew.lock);
    if (crew.status != STATUS_OK && err)
        *err = crew.err;
    return crew.status;
}

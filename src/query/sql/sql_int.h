/* sql_int.h: the pool's insides (pool.c, worker.c, conversation.c, answer.c, tables.c).
 *
 * Locks: one, sql_pool.mutex. It guards the lists and counters; no call that may block is made with
 * it held. A worker belongs to the idle list or to one running query; only its owner talks to it.
 * Killing is the exception: sql_cancel kills the worker of a query under the lock, while `killable`
 * says that its owner has not begun to reap it. */
#ifndef QUARRY_QUERY_SQL_INT_H
#define QUARRY_QUERY_SQL_INT_H

#include "query/sql/sql.h"
#include "query/sql/wire.h"
#include "sys/process.h"
#include "sys/thread.h"

enum {
    POOL_WORKERS_DEFAULT = 2,
    POOL_WORKERS_MAX = 64,
    POOL_QUEUE_DEFAULT = 64,
    POOL_THREADS_DEFAULT = 2,
    WORKER_CPU_SECONDS = 3600,        /* hard RLIMIT_CPU of a worker */
    WORKER_CPU_SECONDS_RETIRE = 1800, /* replaced between queries when it has used so much */
    WORKER_START_TIMEOUT_US = 10000000,
    QUERY_TIMEOUT_DEFAULT_US = 30000000,
};

struct sql_worker {
    struct sql_worker *next; /* idle list: most recently used first */
    struct process process;
    char temp[SYS_PATH_MAX];
    int64_t idle_since_us;
    double cpu_seconds;
    bool used; /* has served before; it may have died since */
    int landlock;
    bool seccomp, address_limit;
};

/* A query from its arrival to its end; lives on its caller's stack. */
struct sql_run {
    struct sql_run *next; /* list of all runs, newest first */
    struct sql_run *next_waiting;
    struct str query_id;
    pthread_cond_t granted_cond;
    bool granted; /* may go on, with `worker` or a slot to start one */
    bool cancelled;
    struct sql_worker *worker;
    bool killable;
    bool heard; /* the worker has answered something */
    int64_t until_us;
};

struct sql_pool {
    struct sys *sys;
    struct sql_pool_options options; /* with the defaults filled in */
    char worker_path[SYS_PATH_MAX];
    char given_path[SYS_PATH_MAX]; /* data_path as given: prefix of file names */
    char data_path[SYS_PATH_MAX];  /* without links, absolute */
    char temp_root[SYS_PATH_MAX];
    pthread_mutex_t mutex;
    pthread_cond_t reaper_cond;
    pthread_cond_t drained_cond; /* the last query has left */
    struct thread reaper;
    bool closing;
    struct sql_worker *idle;
    uint32_t idle_len;
    struct sql_run *runs;
    struct sql_run *waiting_first, *waiting_last;
    uint64_t next_number; /* of a worker's temp folder */
    struct sql_pool_stats stats;
};

/* pool.c: gives a slot to the first waiter, or frees it. `worker` may be NULL. Locked. */
void sql_pool_give_slot(struct sql_pool *pool, struct sql_worker *worker);
/* resize.c: the thread that ends idle workers. */
void *sql_pool_reap(void *argument);

/* worker.c: start one and hear its hello; both may block until the deadline. */
enum status sql_worker_start(struct sql_pool *pool, uint64_t number, int64_t until_us,
                             struct sql_worker **ret_worker, struct error *err);
/* Kills, reaps, removes its temp folder, frees. NULL is fine. */
void sql_worker_end(struct sql_pool *pool, struct sql_worker *worker);
/* False when the process has ended on its own. */
bool sql_worker_lives(const struct sql_worker *worker);
/* After the channel broke: why the process ended, as an error. Waits shortly for its end. */
enum status sql_worker_why(struct sql_worker *worker, struct error *err);

/* Where the tables of a query come from. */
struct sql_file_list {
    const struct field *fields;
    uint32_t fields_len;
    const char **paths; /* array from malloc, strings borrowed */
    uint32_t paths_len;
    const char **deletes; /* of each path: the file of its deleted rows, NULL: none; the array
                           * (malloc'ed) is NULL without any */
    /* Of rows in files that lack a column, as fields; NULL, or all NULL: null. From malloc. */
    const struct value **initials;
    bool with_positions; /* see sql.h */
    /* The files hold these columns and no others, by these names: the engine may read them as they
     * are, with their statistics. */
    bool by_name;
    /* Rows of the paths without and with deleted rows, for the engine's estimates: on its own it
     * counts the first file and takes the others to be alike. 0: not known. */
    uint64_t rows, dirty_rows;
};
struct sql_tables {
    void *context;
    uint32_t len;
    struct str (*name)(void *context, uint32_t index);
    enum status (*files)(void *context, uint32_t index, struct sql_file_list *ret,
                         struct error *err);
};

/* tables.c: index of the table that a name in a statement means: the same bytes, else the only one
 * equal but for case. STATUS_UNKNOWN_SOURCE with the nearest name. */
enum status sql_tables_find(const struct sql_tables *tables, struct str name, uint32_t *ret_index,
                            struct error *err);

/* conversation.c: one query with a worker that is ours. *ret_healthy: it may serve again;
 * *ret_broken: the channel failed, sql_worker_why may know more. */
enum status sql_converse(struct sql_pool *pool, struct sql_run *run,
                         const struct sql_request *request, const struct sql_tables *tables,
                         const struct sql_sink *sink, struct sql_stats *stats, bool *ret_healthy,
                         bool *ret_broken, struct error *err);

/* answer.c: checks of what a worker sends. */
enum status sql_answer_columns(struct str payload, const struct sql_sink *sink,
                               uint32_t *ret_columns, struct error *err);
enum status sql_answer_rows(struct str payload, uint32_t columns, struct batch **ret_batch,
                            struct error *err);
enum status sql_answer_done(struct str payload, struct sql_stats *stats, double *ret_cpu_seconds,
                            struct error *err);
/* The worker's own failure into err; STATUS_CORRUPT when the frame makes no sense. */
enum status sql_answer_error(struct str payload, bool *ret_replace, struct error *err);

/* pool.c: sql_query without views (tests bring their own tables). */
enum status sql_pool_run(struct sql_pool *pool, const struct sql_request *request,
                         const struct sql_tables *tables, const struct sql_sink *sink,
                         struct sql_stats *ret_stats, struct error *err);

#endif

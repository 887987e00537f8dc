/* sql.h: general SQL over a tenant's sources, run by DuckDB in caged worker processes.
 *
 * The pool starts `quarry-sql-worker` children over socket pairs: each applies Landlock (read-only
 * on the tenant's sources/ and run/ folders), seccomp (no network, no exec, no ptrace ...),
 * RLIMIT_AS, RLIMIT_CPU, no environment, before it opens DuckDB. A worker serves one query at a
 * time and is killed at the deadline, on cancel, and on errors that leave it doubtful; then
 * replaced.
 *
 * Two gates before a statement runs: exactly one SELECT (DuckDB's statement type), and a walk over
 * the parsed tree (json_serialize_sql): every table must be a source of the request or a CTE in
 * scope, every table function on the allow-list, no scalar function on the deny-list; otherwise
 * STATUS_SQL_REFUSED, or STATUS_UNKNOWN_SOURCE with the nearest known name.
 *
 * Threads: sql_query from any thread; at most `workers_max` run at once, further ones wait in a
 * queue of `queue_max` (STATUS_TOO_MANY_REQUESTS beyond). */
#ifndef QUARRY_QUERY_SQL_H
#define QUARRY_QUERY_SQL_H

#include "base/json.h"
#include "storage/store.h"
#include "sys/sys.h"

struct sql_pool;

struct sql_pool_options {
    const char *worker_path; /* quarry-sql-worker */
    const char *data_path;   /* the tenant's folder */
    uint32_t workers_min;    /* kept once started; 0 workers run before the first query */
    uint32_t workers_max;    /* 0: 2 */
    uint32_t queue_max;      /* 0: 64 */
    uint64_t memory_bytes;   /* RLIMIT_AS of a worker; 0: 4 GiB; DuckDB's own limit is lower */
    uint64_t spill_bytes;    /* a worker's temporary files; 0: 2 GiB */
    uint32_t threads;        /* DuckDB threads in a worker; 0: 2 */
    int64_t idle_us;         /* idle workers above workers_min end; 0: 60 s */
};

/* Makes sources/, run/ and tmp/sql/ in the tenant's folder if need be; starts no worker yet. One
 * pool for a folder in a process. STATUS_IO and the like when the folders cannot be made. */
enum status sql_pool_open(struct sys *sys, const struct sql_pool_options *options,
                          struct sql_pool **ret_pool, struct error *err);
/* Stops what runs (STATUS_CANCELLED or STATUS_UNAVAILABLE there) and waits for it. NULL is fine. */
void sql_pool_close(struct sql_pool *pool);

/* A table of a statement; all borrowed while the query runs. */
struct sql_table {
    struct view *view; /* its segments and overlay files; NULL: the rows of `path` */
    struct str name;   /* data NULL: the source's id */
    /* Two more columns, SQL_UNIT_COLUMN and SQL_ROW_COLUMN, say where in the view a row is: its
     * unit (segments, then chunks) and its number there, as mutation_delete wants them. */
    bool with_positions;
    const char *path; /* without a view: a Parquet file in the tenant's folder, with field ids */
    const struct field *fields;
    uint32_t fields_len;
};
#define SQL_UNIT_COLUMN "quarry unit"
#define SQL_ROW_COLUMN  "quarry row"

struct sql_request {
    struct str query_id;    /* for sql_cancel; unique */
    struct str query;       /* DuckDB's SQL for now; other dialects come with the interpreter */
    yyjson_val *parameters; /* array (positional ? / $1) or object (named $name); or NULL */
    const struct sql_table *tables;
    uint32_t tables_len;
    int64_t limit;      /* rows at the most; the rest is cut and `truncated` set; -1: none */
    int64_t timeout_us; /* 0: 30 s */
};

/* Receives the answer while it streams; a failure returned by a call stops the query. */
struct sql_sink {
    void *context;
    /* Once, before rows: names and DuckDB's type names ("BIGINT", "VARCHAR", "DECIMAL(18,2)"). */
    enum status (*columns)(void *context, const struct str *names, const struct str *types,
                           uint32_t len, struct error *err);
    /* Rows as a batch: each column as the nearest of our types (HUGEINT and DECIMAL that do not fit
     * as STRING, nested as JSON, NaN/inf as null in DOUBLE). Borrowed. */
    enum status (*rows)(void *context, const struct batch *batch, struct error *err);
};

struct sql_stats {
    uint64_t rows;
    bool truncated;
    int64_t queue_us, prepare_us, execute_us;
    uint64_t files; /* Parquet files of the tables used */
    int64_t cpu_us; /* of the worker's process */
};

/* Only the tables that the statement names are handed to the worker: `tables` may hold all of the
 * tenant's sources. Errors: STATUS_INVALID_SQL (line, column as far as known), STATUS_SQL_REFUSED,
 * STATUS_UNKNOWN_SOURCE, STATUS_TIMEOUT, STATUS_CANCELLED, STATUS_RESOURCE_LIMIT (memory),
 * STATUS_UNAVAILABLE (worker crashed). No path of this machine is in a message. */
enum status sql_query(struct sql_pool *pool, const struct sql_request *request,
                      const struct sql_sink *sink, struct sql_stats *ret_stats, struct error *err);
/* STATUS_NOT_FOUND when no such query runs or waits. */
enum status sql_cancel(struct sql_pool *pool, struct str query_id, struct error *err);

struct sql_pool_stats {
    uint32_t workers, busy, waiting;
    uint64_t queries, failed, cancelled, timed_out, workers_started, workers_killed;
    uint64_t ended, took_us; /* queries that are over, and their time in sum, waiting too */
    uint32_t workers_max;    /* at present */
    /* What the last worker that started said of its cage; false before the first one. */
    bool landlock; /* the kernel has Landlock, so the worker sees only its folders */
    bool seccomp;
    bool address_limit; /* false in builds with a sanitizer */
};
void sql_pool_get_stats(struct sql_pool *pool, struct sql_pool_stats *ret);
/* Another workers_max, from now on (at least workers_min and 1). */
void sql_pool_set_workers(struct sql_pool *pool, uint32_t workers_max);
/* Of the workers that live; what ended ones used is in RUSAGE_CHILDREN. */
struct sql_pool_usage {
    uint64_t cpu_us, memory_bytes;
};
void sql_pool_get_usage(struct sql_pool *pool, struct sql_pool_usage *ret);

#endif

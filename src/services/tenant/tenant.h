/* tenant.h: the tenant node: one tenant's storage and queries behind port 8000.
 *
 * Threads: start and stop from one thread; everything between runs on the listener's workers. */
#ifndef QUARRY_SERVICES_TENANT_H
#define QUARRY_SERVICES_TENANT_H

#include "base/log.h"
#include "query/dsl/dsl.h"
#include "service/service.h"
#include "storage/store.h"
#include "sys/sys.h"

struct tenant_node;

/* SQL workers for each core: at the start, and at the most when scaling asks for more. */
enum { SQL_WORKERS_PER_CORE = 2, SQL_WORKERS_PER_CORE_MOST = 4 };

struct tenant_node_options {
    struct sys *sys;
    const struct log *log;
    struct gate *gate; /* borrowed; NULL: nobody is asked for a token */
    const char *version;
    const char *tenant_id;
    const char *tenant_name;
    const char *data_path;       /* DATA_PATH: the tenant's own folder, made when missing */
    const char *sql_worker_path; /* quarry-sql-worker */
    const char *host;
    uint16_t port;                    /* 0: any free one */
    uint32_t max_concurrent_searches; /* 0: 10 */
    uint32_t search_queue_max;        /* 0: 4 x max_concurrent_searches */
    int64_t search_timeout_us;        /* 0: 30 s */
    uint32_t sql_workers_min;
    uint32_t sql_workers_max;   /* 0: 2 */
    uint32_t sql_queue_max;     /* 0: the pool's default */
    uint32_t aggregate_threads; /* 0: one */
    uint32_t sql_threads;       /* 0: the pool's default */
    uint64_t sql_memory_bytes;  /* 0: the pool's default */
    struct dsl_settings dsl;
    uint64_t memtable_bytes;   /* 0: the store's default */
    uint32_t http_io_threads;  /* 0: 1 */
    uint64_t page_cache_bytes; /* likewise */
    int64_t flush_age_us;      /* 0: the store's default */
    uint32_t flush_threads;    /* 0: the store's default */
    /* these as in storage/store.h */
    int64_t wal_commit_delay_us;
    int64_t wal_retention_us, snapshot_retention_us, compaction_interval_us;
    uint32_t snapshots_min_kept;
    bool auto_compaction;
    struct compact_policy compaction;
    int64_t statistics_refresh_us; /* 0: 30 min */
    bool optimizer_disabled, optimizer_learns;
    uint32_t plans_max;    /* 0: the optimizer's default */
    int64_t cache_life_us; /* of plans, results, partial aggregates; 0: none are kept */
    uint64_t cache_bytes;  /* 0: no results or partials are kept */
    uint32_t http_workers; /* 0: 64 */
    uint32_t connections_max, idle_timeout_s, request_timeout_s; /* 0: the listener's defaults */
    struct trace_options trace;
    int64_t slow_us;                       /* 0: slow requests are not told */
    const char *tls_certificate, *tls_key; /* PEM texts; both or none */
    const char *catalog_host;              /* where the tenant's logs are asked for */
    uint16_t catalog_port;                 /* 0: as ports_file says when it is there */
    const char *ports_file;                /* JSON, service to port; NULL: none */
};

/* Opens the store (recovery included) and serves. Strings are borrowed until stop. */
enum status tenant_node_start(const struct tenant_node_options *options,
                              struct tenant_node **ret_node, struct error *err);
uint16_t tenant_node_port(const struct tenant_node *node);
/* The node's load, its SQL workers' with it; counters are since the start. */
struct tenant_load {
    uint64_t cpu_us, memory_bytes;
    uint64_t ended, took_us;   /* SQL queries that are over; their time in sum */
    uint32_t running, waiting; /* SQL queries */
    uint32_t workers;          /* that live */
    uint32_t workers_max;      /* that may, now */
    uint32_t workers_most;     /* that may be asked for on this machine */
};
void tenant_node_get_load(struct tenant_node *node, struct tenant_load *ret);
/* So many SQL workers may live from now on. */
void tenant_node_set_workers(struct tenant_node *node, uint32_t workers);
/* Stops accepting, ends what runs within grace_ms, flushes, closes. NULL is fine. */
void tenant_node_stop(struct tenant_node *node, uint32_t grace_ms);

#endif

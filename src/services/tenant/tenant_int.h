/* tenant_int.h: what the handlers of the tenant node share. */
#ifndef QUARRY_SERVICES_TENANT_INT_H
#define QUARRY_SERVICES_TENANT_INT_H

#include <pthread.h>

#include "base/uuid.h"
#include "query/exec/exec.h"
#include "query/optimize/optimizer.h"
#include "query/optimize/own.h"
#include "query/optimize/value_cache.h"
#include "query/sql/sql.h"
#include "services/tenant/tenant.h"
#include "storage/backup/backup.h"
#include "storage/store.h"
#include "sys/thread.h"

enum {
    TENANT_BODY_MAX = 256 << 20,     /* plain bytes of a body after Content-Encoding is undone */
    TENANT_ANSWER_PIECE = 128 << 10, /* answers larger than this are streamed in such pieces */
    CURSORS_MAX = 128,
    QUERIES_MAX = 1024,
    SEARCH_WAIT_US = 5000000,
    SEARCH_HERE_US = 5000,   /* of a search on the I/O thread, and ... */
    SEARCH_HERE_ROWS = 2000, /* ... rows it looks at; beyond, a worker begins it anew */
    TENANT_SCHEMA_TRIES = 3, /* of a batch whose source's columns were changed meanwhile */
};

/* --- admission: MAX_CONCURRENT_SEARCHES run, SEARCH_QUEUE_MAX wait, the rest get 429 --- */
struct admission {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    uint32_t running, running_max;
    uint32_t waiting, waiting_max;
    uint64_t refused;
};
void admission_init(struct admission *admission, uint32_t running_max, uint32_t waiting_max);
void admission_release(struct admission *admission);
enum status admission_enter(struct admission *admission, struct error *err);
bool admission_try(struct admission *admission); /* without waiting */
void admission_leave(struct admission *admission);
/* Further places for whoever has one and wants `threads`, without waiting; and back. */
uint32_t admission_more(struct admission *admission, uint32_t threads);
void admission_less(struct admission *admission, uint32_t places);

/* --- cursors: searches and queries left open for the next page, see cursor.c --- */
struct cursor_entry;
struct cursor_table {
    pthread_mutex_t lock;
    struct cursor_entry *entries; /* CURSORS_MAX */
    struct sys *sys;
};
enum { CURSOR_TEXT_MAX = 64 };
/* An open search with the view and filter it needs, owned together. */
struct open_search {
    struct search *search;
    struct view view;
    struct filter *filter;
};
void open_search_close(void *open_search); /* NULL is fine */
typedef void (*cursor_close)(void *open);
enum status cursor_table_init(struct cursor_table *table, struct sys *sys, struct error *err);
void cursor_table_release(struct cursor_table *table);
/* Keeps `open` (taken) for CURSOR_IDLE_US and gives the text that continues it, once. The oldest
 * unused one is closed when the table is full. */
void cursor_put(struct cursor_table *table, void *open, cursor_close close,
                char ret[CURSOR_TEXT_MAX]);
/* Takes it out of the table; STATUS_NOT_FOUND when it is unknown, of another kind (another
 * `close`), used already or too old. */
enum status cursor_take(struct cursor_table *table, struct str text, cursor_close close,
                        void **ret_open, struct error *err);
/* Closes all of a source that goes away, and those idle for too long. */
void cursor_sweep(struct cursor_table *table);

/* --- queries that run or wait, see queries.c --- */
struct running_query {
    char id[64];
    char text[200];
    int64_t started_us;              /* 1970 */
    const struct http_request *http; /* borrowed until query_table_leave */
    atomic_bool *cancelled;          /* likewise: set for those that run on our own operators */
    bool used;
};
struct query_table {
    pthread_mutex_t lock;
    pthread_cond_t changed;        /* to the watcher: the first query, or the end */
    struct running_query *entries; /* QUERIES_MAX */
    uint32_t running;
    struct thread watcher;
    bool ends;
};
struct tenant_node;
/* start makes the table, watch its thread (after the SQL pool is there), stop ends the thread. */
enum status query_table_start(struct tenant_node *node, struct error *err);
enum status query_table_watch(struct tenant_node *node, struct error *err);
void query_table_stop(struct tenant_node *node);
void query_table_release(struct tenant_node *node);
/* Takes a copy; STATUS_CONFLICT when one of that id is there, STATUS_TOO_MANY_REQUESTS. */
enum status query_table_enter(struct tenant_node *node, const struct running_query *query,
                              struct error *err);
void query_table_leave(struct tenant_node *node, const char *id);

/* --- the backup that runs, or the last one, see backup.c --- */
enum backup_state { BACKUP_NONE, BACKUP_RUNNING, BACKUP_DONE, BACKUP_FAILED };
struct backup_job {
    pthread_mutex_t lock;
    enum backup_state state;
    char path[SYS_PATH_MAX];
    int64_t started_us, ended_us; /* 1970; 0: not */
    struct backup_progress progress;
    struct backup_result result;
    struct error error;
    struct thread thread;
};
void backup_job_init(struct backup_job *job);
/* Cancels and waits; before the store is closed. */
void backup_job_stop(struct backup_job *job);
void backup_job_release(struct backup_job *job);

/* --- statistics.c: sketches of sources are kept true in the background --- */
struct statistics_upkeep {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the end */
    bool ends;
    atomic_bool cancelled;
    _Atomic uint64_t rebuilt; /* since the start */
    struct thread thread;
};
enum status statistics_start(struct tenant_node *node, struct error *err);
/* Flushes all and writes the sketches; NULL store is fine. */
void statistics_stop(struct tenant_node *node);

/* --- materialised views, see matview.h --- */
struct matviews {
    pthread_mutex_t running; /* a refresh, a creation, a removal */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ends, is_done;               /* asked to end; has ended */
    char query_id[UUID_TEXT_LEN + 1]; /* that runs; "": none */
    struct thread thread;
};
enum status matviews_start(struct tenant_node *node, struct error *err);
/* Before the SQL pool is closed. */
void matviews_stop(struct tenant_node *node);
/* A definition came or went. */
void matviews_wake(struct tenant_node *node);

/* --- what reads did, for /metrics --- */
struct read_counters {
    _Atomic uint64_t rows_scanned, rows_matched, rows_returned;
    _Atomic uint64_t pruned, by_index, scanned; /* files */
    _Atomic uint64_t sql_files;
};

struct tenant_node {
    struct tenant_node_options options;
    struct sys *sys;
    const struct log *log;
    struct store *store;
    struct sql_pool *sql;
    struct service *service;
    struct admission admission;
    struct cursor_table cursors;
    struct query_table queries;
    struct backup_job backup;
    struct statistics_upkeep statistics;
    _Atomic int64_t quota_counted_us; /* monotonic; 0: never */
    _Atomic uint64_t quota_bytes;
    struct read_counters reads;
    struct optimizer *optimizer;
    char *optimizer_path;      /* its state; borrowed by it */
    struct value_cache *cache; /* results, partial aggregates */
    struct sql_view_book *sql_views;
    struct matviews matviews;
};

/* collect.c: gauges and counters before /metrics is written. */
void tenant_collect(void *context, struct metrics *metrics);
/* What a search or an aggregate did since `before` (NULL: since its begin), for the node's metrics
 * and the request's own account. */
void tenant_count_reads(struct request *request, const struct exec_stats *stats,
                        const struct exec_stats *before);
/* What it did in one source, as notes of a span. */
void tenant_note_reads(struct request *request, int span, const struct exec_stats *stats,
                       uint64_t rows);
/* The same for SQL, with spans for its phases. */
void tenant_count_sql(struct request *request, const struct sql_stats *stats);

/* --- quota.c: STATUS_QUOTA_EXCEEDED --- */

/* Before more is stored. */
enum status quota_check_bytes(struct tenant_node *node, struct error *err);
/* Before a source is added. */
enum status quota_check_source(struct tenant_node *node, struct str source_id, struct error *err);

/* --- bodies and answers --- */

/* The body with its Content-Encoding (gzip, zstd, identity) undone; in the request's arena or body.
 */
enum status tenant_body(struct request *request, struct str *ret_text, struct error *err);
/* "json", "ndjson", "csv", "parquet" from Content-Type; JSON when there is none. */
enum body_form { FORM_JSON, FORM_NDJSON, FORM_CSV, FORM_PARQUET };
enum status tenant_body_form(const struct request *request, enum body_form *ret, struct error *err);

/* An answer that is sent at once when small and streamed when large. */
struct answer {
    struct request *request;
    struct buf buf;
    struct json_writer w;
    struct str content_type;
    bool begun;
};
void answer_init(struct answer *answer, struct request *request, struct str content_type);
void answer_release(struct answer *answer);
/* Sends what has piled up when it is more than a piece (or at all with `now`). */
enum status answer_push(struct answer *answer, bool now, struct error *err);
enum status answer_end(struct answer *answer, struct error *err);
/* {"success":true,"error_message":null} */
enum status answer_success(struct request *request);

/* --- rows as JSON objects --- */
struct row_keys {
    const struct str *texts; /* of the columns; NULL: not taken yet */
};
/* Of all batches that have the columns of this one. */
enum status row_keys_take(struct row_keys *keys, struct arena *arena, const struct batch *batch,
                          struct error *err);
void row_write(struct json_writer *w, const struct row_keys *keys, const struct batch *batch,
               uint32_t row);

/* --- sources of a request --- */
struct source_set {
    struct source **sources;
    uint32_t len;
};
/* With its quarantine, if it has one. */
enum status tenant_remove_source(struct tenant_node *node, struct str id, struct error *err);
/* The named ones in the order given (no name twice), or all when `ids` is NULL. */
enum status source_set_open(struct tenant_node *node, yyjson_val *ids, struct source_set *ret,
                            struct error *err);
void source_set_close(struct source_set *set);

/* The view that the request asks for: the present state, or that of its field `as_of`. */
enum status tenant_view(struct request *request, struct source *source, struct view *ret_view,
                        struct error *err);

/* Names of tables in a statement. */
struct table_names {
    struct str *items;
    size_t len;
};
/* Views of the sources of these names (with others that differ in case only), or of all sources
 * when `names` is NULL or holds one that is no source; as the request asks for them. Close in any
 * case. */
struct tenant_views {
    struct source_set set;
    struct view *views; /* arrays in the request's arena */
    struct sql_table *tables;
    uint32_t len;
};
enum status tenant_views_open(struct request *request, const struct table_names *names,
                              struct tenant_views *ret, struct error *err);
void tenant_views_close(struct tenant_views *views);

/* --- rows of a query in the client's form, see result.c --- */
enum result_form { RESULT_JSON, RESULT_LINES, RESULT_CSV, RESULT_ARROW, RESULT_PARQUET };
struct result {
    struct request *request;
    struct answer answer;
    enum result_form form;
    char query_id[64];
    struct field *fields; /* of the answer, in the request's arena */
    uint32_t len;
    struct parquet_writer *parquet;
};
/* The form of the field `format`, else of the header Accept. */
void result_init(struct result *result, struct request *request);
void result_release(struct result *result);
/* The calls of a struct sql_sink; `context` is the result. JSON is left open behind the rows. */
enum status result_columns(void *context, const struct str *names, const struct str *types,
                           uint32_t len, struct error *err);
enum status result_rows(void *context, const struct batch *batch, struct error *err);
enum status result_end(struct result *result, struct error *err);

/* --- how a question is answered, see access.c --- */
/* Given; false also when the operation has no such field. */
bool tenant_has(const struct request *request, const char *field);
enum explain { EXPLAIN_NO, EXPLAIN_PLAN, EXPLAIN_ANALYZE };
/* The request's field `explain`: true, "plan", "analyze". */
enum status tenant_explain(const struct request *request, enum explain *ret, struct error *err);
/* The request's fields `hint` {"access_path"}, `plan_id`, `optimization_level`. */
enum status tenant_offer(const struct request *request, struct access_offer *offer,
                         struct error *err);
/* Members of an answer's "statistics" about a choice and what came of it. */
void write_access(struct json_writer *w, const struct access_choice *choice,
                  const struct access_outcome *outcome, const struct exec_stats *exec);

/* One question about one view on its way, see plan.c: begin, do it with `context` (or
 * own_aggregate and `choice`), end. */
struct access_run {
    struct tenant_node *node;
    struct access_choice choice;
    struct exec_context context;
    int64_t began_us, outside_us; /* outside: not to be counted */
    struct access_outcome outcome;
    struct exec_stats stats;
};
enum status access_begin(struct access_run *run, struct request *request, struct view *view,
                         const struct query_shape *shape, const struct exec_context *context,
                         struct error *err);
void access_end(struct access_run *run, const struct exec_stats *stats, uint64_t rows_out,
                bool cut);
/* Answers with the plans of a shape over the sources of the request. */
enum status tenant_explain_sources(struct request *request, const struct query_shape *shape,
                                   enum explain explain);
/* The same from the fields of a search or an aggregate. */
enum status sql_explain(struct request *request); /* fields query, dialect, parameters */
enum status search_explain(struct request *request, enum explain explain);
enum status aggregate_explain(struct request *request, enum explain explain);

/* --- SQL of any front; the request has the fields format, query_id, timeout_ms --- */
struct sql_job {
    struct str query;
    yyjson_val *parameters;
    int64_t limit; /* -1: none */
    const struct sql_table *tables;
    uint32_t tables_len;
    enum explain explain; /* of a statement EXPLAIN; then `explain_row`: answered as a row */
    bool explain_row;
    /* Further members of a JSON answer; may be NULL. */
    void (*write_tail)(void *context, struct json_writer *w, const struct sql_stats *stats);
    void *context;
};
/* Runs it by the cheapest way and answers. */
enum status tenant_run_sql(struct request *request, const struct sql_job *job);

/* --- a statement and how it is answered, see sql_plan.c --- */
struct cached_result;
struct sql_plan {
    struct tenant_node *node;
    const struct sql_job *job;
    struct own_statement own;
    bool is_own; /* our operators can do it */
    bool doubt;  /* they met something that the engine may do otherwise: it does the query */
    struct access_choice choice;
    struct buf key;               /* of its result in the cache; empty: it may not be kept */
    struct cached_result *cached; /* the result, referenced; or NULL */
    /* What came of it */
    struct sql_stats stats;
    struct exec_stats exec;
    struct access_outcome outcome;
};
enum status sql_plan_make(struct request *request, const struct sql_job *job, struct sql_plan *ret,
                          struct error *err);
enum status sql_plan_run(struct sql_plan *statement, struct str query_id, int64_t timeout_us,
                         const atomic_bool *cancelled, const struct sql_sink *sink,
                         struct error *err);
void sql_plan_release(struct sql_plan *statement);

/* The text "YYYY-MM-DDTHH:MM:SS.ffffffZ" or null. */
void tenant_write_time(struct json_writer *w, const char *key, int64_t us);

/* --- writing: shared by /data/write and /data/load --- */
struct record_builder;
/* A builder that starts from the source's present schema. */
enum status tenant_builder(struct source *source, struct record_builder **ret_builder,
                           struct error *err);
/* Finishes the builder (freed in any case) and stores its rows, with what was left out of them
 * (quarantine.h; its batch was begun with this builder). */
struct quarantine;
enum status tenant_store(struct quarantine *quarantine, struct record_builder *builder, bool upsert,
                         struct write_result *ret_result, struct error *err);
/* For a write that came without one. */
void tenant_make_write_id(struct tenant_node *node, char out[UUID_TEXT_LEN + 1]);

/* --- handlers --- */
enum status handle_write(struct request *request);
enum status handle_delete(struct request *request);
enum status handle_update(struct request *request);
enum status handle_load(struct request *request);
enum status handle_search(struct request *request);
enum status handle_search_stream(struct request *request);
enum status handle_aggregate(struct request *request);
enum status handle_source_add(struct request *request);
enum status handle_source_remove(struct request *request);
enum status handle_source_list(struct request *request);
enum status handle_source_stats(struct request *request);
enum status handle_source_flush(struct request *request);
enum status handle_snapshots_list(struct request *request);
enum status handle_snapshot_tag(struct request *request);
enum status handle_snapshot_untag(struct request *request);
enum status handle_source_rollback(struct request *request);
enum status handle_compaction_start(struct request *request);
enum status handle_compaction_status(struct request *request);
enum status handle_compaction_job(struct request *request);
enum status handle_compaction_cancel(struct request *request);
enum status handle_source_statistics(struct request *request);
enum status handle_source_partitions(struct request *request); /* partitions.c */
enum status handle_tenant_statistics(struct request *request);
enum status handle_tenant_stats(struct request *request);
enum status handle_source_settings(struct request *request);
enum status handle_schema_get(struct request *request);
enum status handle_schema_change(struct request *request);
enum status handle_index_add(struct request *request);
/* The declaration's index_columns; its fields are read already. */
enum status decode_index_columns(struct request *request, struct source_config *config,
                                 struct error *err);
enum status handle_index_list(struct request *request);
enum status handle_index_drop(struct request *request);
enum status handle_backup_start(struct request *request);
enum status handle_backup_status(struct request *request);
enum status handle_sql(struct request *request);
enum status handle_dsl(struct request *request);
enum status handle_query_list(struct request *request);
enum status handle_query_plan(struct request *request);
enum status handle_optimizer_stats(struct request *request);
enum status handle_optimizer_reset(struct request *request);
enum status handle_query_cancel(struct request *request);

/* scaling.c: SQL workers at the start. */
uint32_t tenant_workers_first(const struct tenant_node *node);

#endif

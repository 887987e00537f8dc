/* collect.c: what /metrics says of the tenant node. Totals are counted where they happen and taken
 * over here; nothing is counted for /metrics alone but reads. */
#include "services/tenant/tenant_int.h"

/* --- counting --- */

void tenant_count_reads(struct request *request, const struct exec_stats *stats,
                        const struct exec_stats *before)
{
    static const struct exec_stats none;
    struct tenant_node *node = request->context;
    struct read_counters *reads = &node->reads;
    if (!before)
        before = &none;
    uint64_t scanned = stats->rows_scanned - before->rows_scanned;
    reads->rows_scanned += scanned;
    reads->rows_matched += stats->rows_matched - before->rows_matched;
    reads->pruned += stats->segments_pruned - before->segments_pruned;
    reads->by_index += stats->segments_by_index - before->segments_by_index;
    reads->scanned += stats->segments_scanned - before->segments_scanned;
    request->work.rows_read += scanned;
}

void tenant_note_reads(struct request *request, int span, const struct exec_stats *stats,
                       uint64_t rows)
{
    span_note(request, span, "rows", (int64_t)rows);
    span_note(request, span, "rows_scanned", (int64_t)stats->rows_scanned);
    span_note(request, span, "files", (int64_t)stats->segments);
    span_note(request, span, "files_pruned", (int64_t)stats->segments_pruned);
    span_note(request, span, "index_used", stats->index_used);
}

/* The phases ran one after the other and ended just now. */
static void add_sql_spans(struct request *request, const struct sql_stats *stats)
{
    int64_t ago = stats->queue_us + stats->prepare_us + stats->execute_us;
    span_add(request, "sql.queue", ago, stats->queue_us);
    ago -= stats->queue_us;
    span_add(request, "sql.prepare", ago, stats->prepare_us);
    int span = span_add(request, "sql.execute", stats->execute_us, stats->execute_us);
    span_note(request, span, "rows", (int64_t)stats->rows);
    span_note(request, span, "files", (int64_t)stats->files);
}

void tenant_count_sql(struct request *request, const struct sql_stats *stats)
{
    static const char *const names[] = {"queue", "prepare", "execute"};
    struct tenant_node *node = request->context;
    struct metrics *metrics = service_metrics(node->service);
    const int64_t times[] = {stats->queue_us, stats->prepare_us, stats->execute_us};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        metric_observe_us(
            metrics_series(metrics, METRIC_SQL_PHASES, (const char *const[]){names[i]}), times[i]);
    node->reads.rows_returned += stats->rows;
    node->reads.sql_files += stats->files;
    request->work.rows_returned += stats->rows;
    request->work.cpu_us += stats->cpu_us;
    add_sql_spans(request, stats);
}

/* --- collecting --- */

static void collect_cache(struct tenant_node *node, struct metrics *metrics)
{
    static const char *const parts[VALUE_CACHE_PARTS] = {"results", "partials"};
    struct value_cache_stats stats;
    value_cache_get_stats(node->cache, &stats);
    for (int i = 0; i < VALUE_CACHE_PARTS; i++) {
        metric_raise(
            metrics_series(metrics, METRIC_QUERY_CACHE, (const char *const[]){parts[i], "hit"}),
            stats.hits[i]);
        metric_raise(
            metrics_series(metrics, METRIC_QUERY_CACHE, (const char *const[]){parts[i], "miss"}),
            stats.misses[i]);
    }
    metrics_set(metrics, METRIC_QUERY_CACHE_BYTES, (double)stats.bytes);
    metrics_set(metrics, METRIC_QUERY_CACHE_ENTRIES, (double)stats.entries);
    metrics_raise(metrics, METRIC_QUERY_CACHE_EVICTED, stats.evicted);
}

static void collect_sql(struct tenant_node *node, struct metrics *metrics)
{
    struct sql_pool_stats stats;
    sql_pool_get_stats(node->sql, &stats);
    metrics_set(metrics, METRIC_SQL_WAITING, stats.waiting);
    metrics_raise(metrics, METRIC_SQL_WORKERS_STARTED, stats.workers_started);
    metrics_raise(metrics, METRIC_SQL_WORKERS_KILLED, stats.workers_killed);
    metric_set(metrics_series(metrics, METRIC_SQL_WORKERS, (const char *const[]){"busy"}),
               stats.busy);
    metric_set(metrics_series(metrics, METRIC_SQL_WORKERS, (const char *const[]){"idle"}),
               stats.workers - stats.busy);
    const struct {
        const char *outcome;
        uint64_t count;
    } outcomes[] = {
        {"ok", stats.queries - stats.failed - stats.cancelled - stats.timed_out},
        {"failed", stats.failed},
        {"cancelled", stats.cancelled},
        {"timed_out", stats.timed_out},
    };
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        metric_raise(
            metrics_series(metrics, METRIC_SQL_QUERIES, (const char *const[]){outcomes[i].outcome}),
            outcomes[i].count);
}

static void collect_sources(struct tenant_node *node, struct metrics *metrics)
{
    struct source_set set;
    struct source_stats stats, total = {0};
    if (source_set_open(node, NULL, &set, NULL) != STATUS_OK)
        return;
    for (uint32_t i = 0; i < set.len; i++) {
        source_get_stats(set.sources[i], &stats);
        total.rows += stats.rows;
        total.files += stats.files;
        total.bytes += stats.bytes;
        total.flushes += stats.flushes;
        total.flush_failures += stats.flush_failures;
        total.memtable_rows += stats.memtable_rows;
        total.snapshots += stats.snapshots;
        total.retention_rows += stats.retention_rows;
        total.retention_files += stats.retention_files;
    }
    metrics_set(metrics, METRIC_SOURCES, set.len);
    metrics_set(metrics, METRIC_ROWS, (double)total.rows);
    metrics_set(metrics, METRIC_FILES, (double)total.files);
    metrics_set(metrics, METRIC_DATA_BYTES, (double)total.bytes);
    metrics_raise(metrics, METRIC_FLUSHES, total.flushes);
    metrics_raise(metrics, METRIC_FLUSH_FAILURES, total.flush_failures);
    metrics_set(metrics, METRIC_MEMTABLE_ROWS, (double)total.memtable_rows);
    metrics_set(metrics, METRIC_SNAPSHOTS, (double)total.snapshots);
    metrics_raise(metrics, METRIC_RETENTION_ROWS, total.retention_rows);
    metrics_raise(metrics, METRIC_RETENTION_FILES, total.retention_files);
    source_set_close(&set);
}

static void collect_compaction(struct tenant_node *node, struct metrics *metrics)
{
    struct compact_status status;
    store_compact_status(node->store, &status);
    const struct {
        const char *outcome;
        uint64_t count;
    } outcomes[] = {
        {"completed", status.done}, {"failed", status.failed}, {"cancelled", status.cancelled}};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        metric_raise(
            metrics_series(metrics, METRIC_COMPACTIONS, (const char *const[]){outcomes[i].outcome}),
            outcomes[i].count);
    metrics_set(metrics, METRIC_COMPACTIONS_ACTIVE, (double)(status.active + status.queued));
    metrics_raise(metrics, METRIC_COMPACTION_MERGES, status.merges);
    metrics_raise(metrics, METRIC_COMPACTION_FILES, status.files_reduced);
}

static void collect_reads(struct read_counters *reads, struct metrics *metrics)
{
    const struct {
        const char *outcome;
        uint64_t count;
    } segments[] = {
        {"pruned", reads->pruned}, {"by_index", reads->by_index}, {"scanned", reads->scanned}};
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++)
        metric_raise(
            metrics_series(metrics, METRIC_SEGMENTS, (const char *const[]){segments[i].outcome}),
            segments[i].count);
    metrics_raise(metrics, METRIC_ROWS_SCANNED, reads->rows_scanned);
    metrics_raise(metrics, METRIC_ROWS_MATCHED, reads->rows_matched);
    metrics_raise(metrics, METRIC_ROWS_RETURNED, reads->rows_returned);
    metrics_raise(metrics, METRIC_SQL_FILES, reads->sql_files);
}

void tenant_collect(void *context, struct metrics *metrics)
{
    struct tenant_node *node = context;
    struct store_stats stats;
    store_get_stats(node->store, &stats);
    metrics_raise(metrics, METRIC_WRITES, stats.writes);
    metrics_raise(metrics, METRIC_WRITES_REFUSED, stats.writes_refused);
    metrics_raise(metrics, METRIC_ROWS_WRITTEN, stats.rows_written);
    metrics_set(metrics, METRIC_MEMTABLE_BYTES, (double)stats.memtable_bytes);
    metrics_set(metrics, METRIC_PAGE_CACHE_BYTES, (double)stats.page_cache_bytes);
    metrics_set(metrics, METRIC_WAL_FILES, (double)stats.wal_files);
    metrics_set(metrics, METRIC_WAL_BYTES, (double)stats.wal_bytes);
    metrics_set(metrics, METRIC_WAL_PENDING, (double)stats.wal_pending);
    metric_raise_histogram(metrics_series(metrics, METRIC_WAL_SYNCS, NULL), &stats.wal_syncs);
    collect_reads(&node->reads, metrics);
    metrics_set(metrics, METRIC_SEARCHES_ACTIVE, node->admission.running);
    metrics_raise(metrics, METRIC_SEARCHES_REFUSED, node->admission.refused);
    collect_sources(node, metrics);
    collect_compaction(node, metrics);
    collect_sql(node, metrics);
    collect_cache(node, metrics);
    struct histogram errors;
    optimizer_get_errors(node->optimizer, &errors);
    metric_raise_histogram(metrics_series(metrics, METRIC_ESTIMATE_ERROR, NULL), &errors);
}

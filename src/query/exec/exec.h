/* exec.h: Quarry's own operators over a pinned view: search (filter, project, limit) and aggregate.
 *
 * Rows come in a stable order: segments by age, rows within by position, then unflushed chunks.
 * Index look-ups are used for eq/in on an indexed column, segment bounds prune; the result is the
 * same without them. Each call runs on the calling thread, aggregates on further ones when told so.
 * `deadline_us` is on sys_mono_us (0: none): STATUS_TIMEOUT. `cancelled` (may be NULL) is polled.
 */
#ifndef QUARRY_QUERY_EXEC_H
#define QUARRY_QUERY_EXEC_H

#include <stdatomic.h>

#include "query/expr/expr.h"
#include "query/filter/filter.h"
#include "storage/store.h"
#include "sys/sys.h"

/* What may be used to read less; the rows are the same. */
enum exec_access {
    EXEC_ANY,  /* indexes where they give few rows, bounds, metadata */
    EXEC_SCAN, /* no index for the filter; one may give the first rows of an order */
    EXEC_FULL, /* no index, no bounds, no metadata */
};

struct exec_context {
    struct sys *sys;
    int64_t deadline_us;
    const atomic_bool *cancelled;
    enum exec_access access;
    uint64_t rows_max; /* looked at; then STATUS_TIMEOUT; 0: no limit */
    uint32_t threads;  /* of an aggregate over many rows that uses no index; 0 or 1: the caller's */
    uint32_t part, parts; /* of each file only these row groups: number % parts == part; 0: all */
};

/* What a query did, for the answer's `statistics`. */
struct exec_stats {
    uint64_t segments, segments_pruned, segments_by_index, segments_scanned;
    uint64_t segments_read; /* of the last two: those of which rows were looked at */
    uint64_t rows_scanned, rows_matched;
    bool index_used;
};
void exec_stats_add(struct exec_stats *to, const struct exec_stats *from);

/* --- search: rows in batches of at most SEARCH_BATCH_ROWS, pulled. An open search is also what a
 * cursor keeps: it may be left and continued later, by one thread at a time; search_continue gives
 * it the next page's limit. --- */
enum { SEARCH_BATCH_ROWS = 4096 };

/* A column (not JSON) to order by; nulls come last in both directions. */
struct search_order {
    struct str column;
    bool descending;
};

struct search_options {
    const struct filter *filter;
    const struct str *columns; /* in this order; NULL: all of the schema. A column that the schema
                                * lacks is all null (schema-less sources gain columns later) */
    uint32_t columns_len;
    int64_t limit;                    /* rows at the most; -1: no limit */
    uint64_t offset;                  /* matching rows skipped */
    const struct search_order *order; /* NULL: the order of storage. Rows with equal values come in
                                       * that order too. Needs a limit */
    uint32_t order_len;
};
enum {
    SEARCH_ORDERED_MAX = 100000, /* limit and offset of an ordered search */
    SEARCH_ORDER_MAX = 8,        /* its columns */
};

struct search;
/* Binds the filter (STATUS_INVALID_ARGUMENT). The view stays open until search_close. */
enum status search_open(struct view *view, const struct search_options *options,
                        const struct exec_context *context, struct search **ret_search,
                        struct error *err);
/* The next rows, NULL at the end. The batch holds the projected columns, in order. Unref after use.
 */
enum status search_next(struct search *search, struct batch **ret_batch, struct error *err);
/* After the end: does a further match exist behind the limit? Looks for one when not yet known. */
enum status search_has_more(struct search *search, bool *ret, struct error *err);
/* Allows `limit` further rows (-1: all) after the present ones, with a new deadline. */
void search_continue(struct search *search, int64_t limit, const struct exec_context *context);
const struct exec_stats *search_stats(const struct search *search);
void search_close(struct search *search);

/* --- what a query would do, without doing it --- */

enum { FORECAST_POINTS_MAX = 16 };
struct exec_forecast {
    uint64_t files, file_rows, file_bytes; /* that bounds and key filters leave */
    uint64_t chunk_rows;                   /* unflushed */
    bool indexed;                          /* a condition that an index can answer */
    bool never;                            /* no row can match */
    /* Conditions that let a finite set of values through: field of the schema, number of values. */
    struct {
        uint32_t field;
        int32_t values;
        bool indexed;
    } points[FORECAST_POINTS_MAX];
    uint32_t points_len;
    uint32_t conditions; /* columns that the filter reads */
};
/* Opens no file. STATUS_INVALID_ARGUMENT: the filter does not bind. */
enum status exec_forecast(struct view *view, const struct filter *filter,
                          const struct exec_context *context, struct exec_forecast *ret,
                          struct error *err);
/* How many rows of `rows`, whose columns are among those of the view, the filter lets through. */
enum status exec_count(const struct view *view, struct batch *rows, const struct filter *filter,
                       const struct exec_context *context, uint64_t *ret, struct error *err);

/* --- aggregate --- */
enum aggregate_kind {
    AGG_COUNT,
    AGG_SUM,
    AGG_AVG,
    AGG_MIN,
    AGG_MAX,
    AGG_COUNT_DISTINCT,
    AGG_STDDEV,
    AGG_PERCENTILE
};
bool aggregate_kind_parse(struct str name, enum aggregate_kind *ret);

struct aggregate_spec {
    enum aggregate_kind kind;
    struct str column; /* data NULL: count of rows */
    struct str alias;
    double percentile; /* 0..1, linear interpolation as SQL's percentile_cont */
};

enum {
    AGGREGATE_SPECS_MAX = 256,
    AGGREGATE_KEYS_MAX = 32,
    AGGREGATE_GROUPS_MAX = 1000000,  /* STATUS_RESOURCE_LIMIT beyond */
    AGGREGATE_VALUES_MAX = 20000000, /* values held for exact distinct counts and percentiles */
};

/* States of groups, mergeable over sources: avg as sum and count, stddev as moments (Chan et al.
 * 1979), distinct and percentile as the exact values. Integer sums are exact (128 bits), returned
 * as integer when they fit 64 bits, else as double. sum/avg/stddev/percentile want numbers
 * (STATUS_INVALID_ARGUMENT otherwise); min/max/count_distinct take any type. Nulls are left out;
 * over no values sum, avg, min, max, stddev (below two), percentile are null. */
struct aggregate;
enum status aggregate_new(const struct aggregate_spec *specs, uint32_t specs_len,
                          const struct str *keys, uint32_t keys_len, struct aggregate **ret_agg,
                          struct error *err);
/* Columns that are computed from the view's: specs and keys may name them. A name of the view's
 * columns means the computed one. Borrowed; the same for all that is merged. */
struct computed {
    struct str name;
    const struct expr *expr; /* over the view's fields */
};
void aggregate_compute(struct aggregate *agg, const struct computed *computed, uint32_t len);
/* Adds all rows of a view that the filter lets through. After a failure of this call or of
 * aggregate_merge the state can only be freed. `stats` (NULL: not wanted) is added to. */
enum status aggregate_add_view(struct aggregate *agg, struct view *view,
                               const struct filter *filter, const struct exec_context *context,
                               struct exec_stats *stats, struct error *err);
enum status aggregate_merge(struct aggregate *into, const struct aggregate *from,
                            struct error *err);
uint64_t aggregate_groups(const struct aggregate *agg);
/* Without keys: members alias: value of the one group into an object that the caller has begun. */
enum status aggregate_write_members(const struct aggregate *agg, struct json_writer *w,
                                    struct error *err);
/* With keys: an array of {key..., alias...} ordered by the keys. */
enum status aggregate_write_groups(const struct aggregate *agg, struct json_writer *w,
                                   struct error *err);
/* The same as rows, in no order; `types` of the keys, then of the aggregations: a
 * column's own for keys, min and max; JSON (text of a whole number) or INT64 for a sum of integers;
 * INT64 for counts, DOUBLE for all others. Percentiles are not known here. */
enum status aggregate_batch(const struct aggregate *agg, const enum type *types,
                            struct batch **ret_batch, struct error *err);
/* Heap bytes held, about. */
size_t aggregate_memory(const struct aggregate *agg);
void aggregate_free(struct aggregate *agg);

#endif

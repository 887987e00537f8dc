/* collection.h: what only vector collections need beyond assets, grants and events: their
 * statistics, the statistics of their logs, runs of ingestion (contracts 3).
 *
 * A collection is an asset of kind "collection"; its partitions and indexes are assets of the kinds
 * "partition" and "index" in the namespace of its id. Its logs are events about it:
 *   kind "query"        name: query_type; row_count: results
 *   kind "performance"  name: operation_type; namespace "query": the metric of a query that is in
 *                       the query log, too
 *   kind "ingestion"    name: source_type; lifecycle: how far it is; the one event that changes
 * A query counts once: by its entry in the query log, or by its metric when there is only that. */
#ifndef QUARRY_CATALOG_COLLECTION_H
#define QUARRY_CATALOG_COLLECTION_H

#include "catalog/catalog.h"

enum {
    LOGGED_MAX = 1000000, /* operations that performance_stats looks at */
    LOGGED_TYPES_MAX = 16,
    COLLECTIONS_MAX = QUERY_VALUES_MAX, /* of one collection_stats */
    USERS_MAX = 100000,                 /* grants that collection_stats looks at */
};

/* The live collection of that id, else of that name, on which the caller has the permission. */
enum status collection_open(struct catalog *catalog, const struct caller *caller,
                            struct str id_or_name, enum right permission, struct arena *arena,
                            struct record *ret, struct error *err);

struct collection_stats {
    int64_t partition_count;
    int64_t user_count; /* with a grant that has not expired */
    int64_t total_queries, successful_queries, duration_us;
};
/* One row of *ret for each of the collections, which the caller may read. */
enum status collection_stats(struct catalog *catalog, const struct caller *caller,
                             const struct record *collections, uint32_t len, struct arena *arena,
                             struct collection_stats *ret, struct error *err);

struct performance_stats {
    struct str operation_type; /* search, insert, delete, update */
    int64_t total, successful;
    int64_t sum_us, min_us, max_us;
    int64_t p50_us, p95_us, p99_us; /* nearest rank: durations that really were */
};
/* By operation type, in the order of their names. `collection` empty: of all in the tenant.
 * More than LOGGED_MAX operations: STATUS_RESOURCE_LIMIT. */
enum status performance_stats(struct catalog *catalog, const struct caller *caller,
                              struct str collection, int64_t since_us, struct arena *arena,
                              struct performance_stats **ret, uint32_t *ret_len, struct error *err);

/* Alters the event; may be called again for a newer revision. */
typedef enum status (*ingestion_edit_fn)(void *context, struct record *run, struct arena *arena,
                                         struct error *err);
enum status ingestion_edit(struct catalog *catalog, const struct caller *caller,
                           struct str collection, struct str id, ingestion_edit_fn edit,
                           void *context, struct arena *arena, struct record *ret,
                           struct error *err);

#endif

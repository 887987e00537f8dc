/* view_collection_stats.c: the view collection_stats (contracts 3.3), anew: a query counts once, by
 * its entry in the query log or by its metric when there is only that (catalog/collection.h). */
#include "catalog/sqlite/sqlite_int.h"

const char sqlite_view_collection_stats[] =
    "DROP VIEW collection_stats;"
    "CREATE VIEW collection_stats AS SELECT c.id, c.collection_name, c.description, c.dimension,"
    " c.metric_type, c.status, c.created_at,"
    " (SELECT count(*) FROM assets WHERE kind = 'partition' AND namespace = c.id"
    " AND tenant = c.tenant_id AND deleted_us = 0) AS partition_count,"
    " (SELECT count(DISTINCT subject) FROM grants WHERE object = c.id AND (expires_us = 0"
    " OR expires_us > (julianday('now') - 2440587.5) * 86400000000)) AS user_count,"
    " q.avg_query_duration, coalesce(q.total_queries, 0) AS total_queries,"
    " coalesce(q.successful_queries, 0) AS successful_queries, c.tenant_id"
    " FROM collections AS c LEFT JOIN (SELECT object, avg(duration_us) / 1000.0 AS"
    " avg_query_duration, count(*) AS total_queries, sum(success) AS successful_queries FROM events"
    " WHERE kind = 'query' OR (kind = 'performance' AND name = 'search' AND namespace <> 'query')"
    " GROUP BY object) AS q ON q.object = c.id;";

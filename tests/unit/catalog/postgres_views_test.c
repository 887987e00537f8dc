/* The seeds' SQL as they wrote it, on the views of the PostgreSQL back end, with a real server:
 * right sums, rows that the catalog sees, every table there. The same on SQLite:
 * sqlite_schema_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "catalog/catalog.h"
#include "catalog/postgres/postgres_backend.h"
#include "lib/postgres_server.h"

static struct postgres_server server;

struct fixture {
    struct backend *backend;
    PGconn *pg;
};

static void run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", PQerrorMessage(pg), sql);
    PQclear(result);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err = ERROR_INIT;
    assert_non_null(f);
    if (postgres_backend_open(&(struct postgres_backend_options){.url = server.url}, &f->backend,
                              &err) != STATUS_OK)
        fail_msg("%s", err.message);
    f->pg = PQconnectdb(server.url);
    run(f->pg, "SET search_path = quarry; SET timezone = 'UTC'");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    backend_close(f->backend);
    run(f->pg, "SET client_min_messages = error; DROP SCHEMA quarry CASCADE");
    PQfinish(f->pg);
    free(f);
    return 0;
}

/* All values of the answer, joined by '|', rows by a line end. */
static void must_give(PGconn *pg, const char *sql, const char *want)
{
    struct buf got;
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", PQerrorMessage(pg), sql);
    buf_init(&got, 1 << 16);
    for (int row = 0; row < PQntuples(result); row++)
        for (int i = 0; i < PQnfields(result); i++)
            buf_printf(&got, "%s%s",
                       i     ? "|"
                       : row ? "\n"
                             : "",
                       PQgetisnull(result, row, i) ? "null" : PQgetvalue(result, row, i));
    PQclear(result);
    buf_append_char(&got, 0);
    assert_string_equal(got.data, want);
    buf_release(&got);
}

static void test_seed_sql(void **state)
{
    struct fixture *f = *state;
    run(f->pg, "INSERT INTO graph_registry ("
               "    name, graph_type, storage_path, "
               "    node_count, edge_count, properties"
               ") VALUES ("
               "    'my_hypergraph', 'hypergraph', "
               "    './parquet_data/my_hypergraph.parquet',"
               "    1000, 5000, "
               "    '{\"format\": \"parquet\", \"engine\": \"polars\"}'"
               ");");
    run(f->pg,
        "INSERT INTO storage_locations ("
        "    name, storage_type, base_path, configuration"
        ") VALUES ("
        "    'local_parquet', 'local', './parquet_data',"
        "    '{\"format\": \"parquet\", \"compression\": \"snappy\", \"engine\": \"polars\"}'"
        "),"
        "("
        "    's3_production', 's3', 's3://anant-graphs/',"
        "    '{\"region\": \"us-west-2\", \"compression\": \"lz4\", \"partitioning\": \"date\"}'"
        ");");
    run(f->pg, "INSERT INTO users (username, email, password_hash, is_admin)"
               "VALUES ('researcher', 'researcher@org.com', 'hashed_pw', false);");
    run(f->pg, "INSERT INTO graph_permissions (graph_id, user_id, permission_type)"
               "SELECT gr.id, u.id, 'read' FROM graph_registry gr, users u;");
    must_give(f->pg, "SELECT username, email, role, is_admin, is_active FROM users",
              "researcher|researcher@org.com|user|f|t");
    must_give(f->pg, "SELECT name, configuration->>'region' FROM storage_locations ORDER BY name",
              "local_parquet|null\ns3_production|us-west-2");
    must_give(f->pg,
              "SELECT p.permission_type, g.name FROM graph_permissions p JOIN graph_registry g"
              " ON g.id = p.graph_id",
              "read|my_hypergraph");
    struct arena arena;
    struct record got;
    arena_init(&arena, 0);
    assert_int_equal(backend_find(f->backend, DOMAIN_ASSET, STR("default_tenant"),
                                  STR("graph/my_hypergraph"), &arena, &got, NULL),
                     STATUS_OK);
    assert_int_equal(got.edge_count, 5000);
    assert_int_equal(record_check(&got, NULL), STATUS_OK);
    arena_release(&arena);
}

static void test_seed_analytics(void **state)
{
    struct fixture *f = *state;
    run(f->pg,
        "INSERT INTO graph_registry(id, name, graph_type, storage_path, file_size_bytes)"
        " VALUES('g1', 'one', 'hypergraph', 'p1', 100), ('g2', 'two', 'metagraph', 'p2', 7)");
    run(f->pg, "INSERT INTO query_history(graph_id, operation_type, execution_time_ms) VALUES"
               "('g1', 'analyze', 10), ('g1', 'analyze', 20), ('g1', 'read', 60)");
    must_give(f->pg,
              "SELECT gr.name, gr.graph_type, COUNT(qh.id) as query_count,"
              " AVG(qh.execution_time_ms) as avg_execution_time"
              " FROM graph_registry gr LEFT JOIN query_history qh ON gr.id = qh.graph_id"
              " GROUP BY gr.id, gr.name, gr.graph_type ORDER BY query_count DESC",
              "one|hypergraph|3|30\ntwo|metagraph|0|null");
    must_give(f->pg,
              "SELECT name, query_count, avg_execution_time, total_size FROM registry_analytics"
              " ORDER BY query_count DESC",
              "one|3|30|100\ntwo|0|null|7");
}

static void add_asset(struct backend *backend, const char *id, const char *kind,
                      const char *namespace, const char *attributes)
{
    struct record record = {.domain = DOMAIN_ASSET,
                            .id = str_of(id),
                            .tenant = STR("t"),
                            .kind = str_of(kind),
                            .namespace = str_of(namespace),
                            .name = str_of(id),
                            .attributes = str_of(attributes),
                            .lifecycle = STR("active"),
                            .revision = 1,
                            .created_us = 1700000000000000,
                            .updated_us = 1700000000000000};
    struct change change = {.kind = CHANGE_INSERT, .record = &record};
    assert_int_equal(backend_commit(backend, &change, 1, NULL, NULL), STATUS_OK);
}

static void test_collection_stats_do_not_multiply(void **state)
{
    struct fixture *f = *state;
    add_asset(f->backend, "c1", "collection", "", "{\"dimension\":768,\"metric_type\":\"COSINE\"}");
    for (int i = 0; i < 3; i++)
        add_asset(f->backend, (const char *[]){"p1", "p2", "p3"}[i], "partition", "c1", "{}");
    run(f->pg,
        "INSERT INTO grants(id, tenant, kind, subject, object, expires_us, created_us,"
        " updated_us) VALUES('1','t','read','u1','c1',0,1,1), ('2','t','write','u1','c1',0,1,1),"
        " ('3','t','read','u2','c1',0,1,1), ('4','t','read','u3','c1',5,1,1)");
    run(f->pg,
        "INSERT INTO events(id, tenant, kind, name, namespace, object, duration_us, success,"
        " created_us, updated_us) VALUES('1','t','query','vector_search','','c1',150000,true,1,1),"
        " ('2','t','performance','search','query','c1',150000,true,1,1),"
        " ('3','t','performance','insert','','c1',1,true,1,1)");
    must_give(f->pg,
              "SELECT collection_name, dimension, metric_type, partition_count, user_count,"
              " avg_query_duration, total_queries, successful_queries FROM collection_stats",
              "c1|768|COSINE|3|2|150|1|1");
    must_give(f->pg, "SELECT created_at FROM collections", "2023-11-14 22:13:20+00");
    must_give(f->pg, "SELECT count(*) FROM permissions", "4");
}

static void test_every_seed_table_is_there(void **state)
{
    static const char *const names[] = {"graph_registry",    "users",
                                        "graph_permissions", "query_history",
                                        "storage_locations", "audit_logs",
                                        "collections",       "collection_partitions",
                                        "permissions",       "performance_metrics",
                                        "query_logs",        "ingestion_logs",
                                        "index_management",  "system_config",
                                        "collection_stats",  "nodes",
                                        "node_tags",         "graph_relationships",
                                        "registry_analytics"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT * FROM %s) AS rows", names[i]);
        must_give(f->pg, sql, "0");
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_seed_sql),
        TEST(test_seed_analytics),
        TEST(test_collection_stats_do_not_multiply),
        TEST(test_every_seed_table_is_there),
    };
    if (!postgres_server_start(&server))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_server_stop(&server);
    return failed;
}

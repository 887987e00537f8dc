/* The SQLite file seen from outside: the seeds' SQL as they wrote it, migrations that several start
 * at once, refusal of a newer file, damage that verification finds. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "catalog/catalog.h"
#include "catalog/sqlite/sqlite_backend.h"

static char folder[64], path[SYS_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/quarry-catalog-XXXXXX"); /* NOLINT: fits */
    assert_non_null(mkdtemp(folder));
    return sys_path(path, NULL, "%s/catalog.db", folder) == STATUS_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    return sys_remove_tree(sys_posix(), folder, NULL) == STATUS_OK ? 0 : 1;
}

static struct backend *open_it(void)
{
    struct backend *backend = NULL;
    struct error err = ERROR_INIT;
    struct sqlite_backend_options options = {.path = path};
    if (sqlite_backend_open(&options, &backend, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    return backend;
}

static sqlite3 *open_sql(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
}

/* All values of the answer, joined by '|', rows by a line end. */
static void must_give(sqlite3 *db, const char *sql, const char *want)
{
    struct buf got;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    buf_init(&got, 1 << 16);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        if (got.len)
            buf_append_char(&got, '\n');
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            buf_printf(&got, "%s%s", i ? "|" : "", text ? text : "null");
        }
    }
    sqlite3_finalize(stmt);
    buf_append_char(&got, 0);
    assert_string_equal(got.data, want);
    buf_release(&got);
}

static void test_seed_sql(void **state)
{
    (void)state;
    struct backend *backend = open_it();
    sqlite3 *db = open_sql();
    run(db, "INSERT INTO graph_registry ("
            "    name, graph_type, storage_path, "
            "    node_count, edge_count, properties"
            ") VALUES ("
            "    'my_hypergraph', 'hypergraph', "
            "    './parquet_data/my_hypergraph.parquet',"
            "    1000, 5000, "
            "    '{\"format\": \"parquet\", \"engine\": \"polars\"}'"
            ");");
    run(db,
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
    run(db, "INSERT INTO users (username, email, password_hash, is_admin)"
            "VALUES ('researcher', 'researcher@org.com', 'hashed_pw', false);");
    run(db, "INSERT INTO graph_permissions (graph_id, user_id, permission_type)"
            "SELECT gr.id, u.id, 'read' FROM graph_registry gr, users u;");
    must_give(db, "SELECT username, email, role, is_admin, is_active FROM users",
              "researcher|researcher@org.com|user|0|1");
    must_give(db, "SELECT name, json_extract(configuration, '$.region') FROM storage_locations",
              "local_parquet|null\ns3_production|us-west-2");
    must_give(db,
              "SELECT p.permission_type, g.name FROM graph_permissions p JOIN graph_registry g"
              " ON g.id = p.graph_id",
              "read|my_hypergraph");
    /* and the catalog sees what SQL wrote */
    struct arena arena;
    struct record got;
    arena_init(&arena, 0);
    assert_int_equal(backend_find(backend, DOMAIN_ASSET, STR("default_tenant"),
                                  STR("graph/my_hypergraph"), &arena, &got, NULL),
                     STATUS_OK);
    assert_int_equal(got.edge_count, 5000);
    assert_int_equal(record_check(&got, NULL), STATUS_OK);
    arena_release(&arena);
    sqlite3_close(db);
    backend_close(backend);
}

static void test_seed_analytics(void **state)
{
    (void)state;
    struct backend *backend = open_it();
    sqlite3 *db = open_sql();
    run(db, "INSERT INTO graph_registry(id, name, graph_type, storage_path, file_size_bytes) VALUES"
            "('g1', 'one', 'hypergraph', 'p1', 100), ('g2', 'two', 'metagraph', 'p2', 7)");
    run(db, "INSERT INTO query_history(graph_id, operation_type, execution_time_ms) VALUES"
            "('g1', 'analyze', 10), ('g1', 'analyze', 20), ('g1', 'read', 60)");
    must_give(db,
              "SELECT gr.name, gr.graph_type, COUNT(qh.id) as query_count,"
              " AVG(qh.execution_time_ms) as avg_execution_time"
              " FROM graph_registry gr LEFT JOIN query_history qh ON gr.id = qh.graph_id"
              " GROUP BY gr.id, gr.name, gr.graph_type ORDER BY query_count DESC",
              "one|hypergraph|3|30.0\ntwo|metagraph|0|null");
    must_give(db,
              "SELECT name, query_count, avg_execution_time, total_size FROM registry_analytics"
              " ORDER BY query_count DESC",
              "one|3|30.0|100\ntwo|0|null|7");
    sqlite3_close(db);
    backend_close(backend);
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
    (void)state;
    struct backend *backend = open_it();
    sqlite3 *db = open_sql();
    add_asset(backend, "c1", "collection", "", "{\"dimension\":768,\"metric_type\":\"COSINE\"}");
    for (int i = 0; i < 3; i++)
        add_asset(backend, (const char *[]){"p1", "p2", "p3"}[i], "partition", "c1", "{}");
    run(db,
        "INSERT INTO grants(id, tenant, kind, subject, object, expires_us, created_us,"
        " updated_us) VALUES('1','t','read','u1','c1',0,1,1), ('2','t','write','u1','c1',0,1,1),"
        " ('3','t','read','u2','c1',0,1,1), ('4','t','read','u3','c1',5,1,1)");
    run(db, "INSERT INTO events(id, tenant, kind, name, object, duration_us, success, created_us,"
            " updated_us) VALUES('1','t','performance','search','c1',150000,1,1,1),"
            " ('2','t','performance','insert','c1',1,1,1,1)");
    must_give(db,
              "SELECT collection_name, dimension, metric_type, partition_count, user_count,"
              " avg_query_duration, total_queries, successful_queries FROM collection_stats",
              "c1|768|COSINE|3|2|150.0|1|1");
    must_give(db, "SELECT created_at FROM collections", "2023-11-14T22:13:20.000Z");
    must_give(db, "SELECT count(*) FROM permissions", "4");
    sqlite3_close(db);
    backend_close(backend);
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
    (void)state;
    struct backend *backend = open_it();
    sqlite3 *db = open_sql();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT * FROM %s)", names[i]);
        must_give(db, sql, "0");
    }
    sqlite3_close(db);
    backend_close(backend);
}

static void *open_and_close(void *argument)
{
    struct backend *backend = NULL;
    struct sqlite_backend_options options = {.path = path};
    *(enum status *)argument = sqlite_backend_open(&options, &backend, NULL);
    backend_close(backend);
    return NULL;
}

static void test_eight_starts_at_once(void **state)
{
    (void)state;
    pthread_t threads[8];
    enum status statuses[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &statuses[i]), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(statuses[i], STATUS_OK);
    }
    sqlite3 *db = open_sql();
    must_give(db, "PRAGMA user_version", "6");
    sqlite3_close(db);
}

static void test_newer_and_foreign_files_are_refused(void **state)
{
    (void)state;
    struct backend *backend = open_it();
    struct error err = ERROR_INIT;
    struct sqlite_backend_options options = {.path = path};
    backend_close(backend);
    sqlite3 *db = open_sql();
    run(db, "PRAGMA user_version=99");
    assert_int_equal(sqlite_backend_open(&options, &backend, &err), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "written by a newer release (its schema is 99"));
    must_give(db, "PRAGMA user_version", "99");
    sqlite3_close(db);
    assert_int_equal(sys_unlink(sys_posix(), path, NULL), STATUS_OK);
    db = open_sql();
    run(db, "CREATE TABLE other(x)");
    sqlite3_close(db);
    assert_int_equal(sqlite_backend_open(&options, &backend, &err), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "not a catalog"));
    assert_int_equal(
        sys_replace_file(sys_posix(), path, (struct slice){"not a database, no", 18}, NULL),
        STATUS_OK);
    assert_int_equal(sqlite_backend_open(&options, &backend, &err), STATUS_INVALID_ARGUMENT);
}

static void count_fault(void *context, const char *what)
{
    (void)what;
    ++*(int *)context;
}

static void test_verify_finds_damage(void **state)
{
    (void)state;
    struct backend *backend = open_it();
    sqlite3 *db = open_sql();
    int faults = 0;
    add_asset(backend, "c1", "collection", "", "{}");
    run(db, "UPDATE assets SET tags='[\"x\"]'");
    assert_int_equal(backend_verify(backend, count_fault, &faults, NULL), STATUS_OK);
    assert_int_equal(faults, 0);
    run(db, "DELETE FROM asset_tags");
    assert_int_equal(backend_verify(backend, count_fault, &faults, NULL), STATUS_OK);
    assert_int_equal(faults, 1);
    run(db, "UPDATE assets SET properties='{\"a\":1,\"b\":\"two\",\"c\":true,\"d\":null}'");
    must_give(db, "SELECT name, value FROM asset_properties ORDER BY name",
              "p:a|1\np:b|two\np:c|1");
    run(db, "DELETE FROM asset_properties WHERE name='p:b'");
    assert_int_equal(backend_verify(backend, count_fault, &faults, NULL), STATUS_OK);
    assert_int_equal(faults, 3);
    run(db, "UPDATE assets SET properties='{}'");
    must_give(db, "SELECT count(*) FROM asset_properties", "0");
    run(db, "INSERT INTO asset_words(asset_words, rowid, name, namespace, title, description, tags,"
            " categories) SELECT 'delete', seq, name, namespace, title, description, tags,"
            " categories FROM assets");
    faults = 0;
    assert_int_equal(backend_verify(backend, count_fault, &faults, NULL), STATUS_OK);
    assert_int_equal(faults, 2);
    sqlite3_close(db);
    backend_close(backend);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_seed_sql),
        TEST(test_seed_analytics),
        TEST(test_collection_stats_do_not_multiply),
        TEST(test_every_seed_table_is_there),
        TEST(test_eight_starts_at_once),
        TEST(test_newer_and_foreign_files_are_refused),
        TEST(test_verify_finds_damage),
    };
    return cmocka_run_group_tests_name("catalog/sqlite schema", tests, NULL, NULL);
}

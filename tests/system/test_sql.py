"""POST /query/sql: DuckDB over flushed and unflushed rows, and everything it must not do."""

import json
import os
import threading
import time

import pytest

ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1"


@pytest.fixture(scope="module")
def shop(session_client):
    """Orders and customers, partly flushed, with columns of every type."""
    client = session_client
    client.add_source("shop_orders", {"id": "int64", "customer": "string", "amount": "float64",
                                      "day": "date", "at": "timestamp", "paid": "bool",
                                      "items": "json"},
                      partition_columns=["day"], index_columns=["customer"])
    client.add_source("shop_customers", {"name": "string", "city": "string"})
    orders = [{"id": n, "customer": f"c{n % 3}", "amount": n * 1.5, "day": f"2024-01-0{n % 4 + 1}",
               "at": f"2024-01-0{n % 4 + 1}T0{n % 10}:00:00.25", "paid": n % 2 == 0,
               "items": [{"sku": f"s{n}", "n": n}, "gift"]} for n in range(8)]
    client.write("shop_orders", orders[:5])
    client.flush("shop_orders")
    client.write("shop_orders", orders[5:] + [{"id": 8}])
    client.write("shop_customers", [{"name": "c0", "city": "Köln"}, {"name": "c1", "city": "Oslo"},
                                    {"name": "c9", "city": None}])
    return client


def test_answer(shop):
    answer = shop.sql("SELECT id, customer, amount, day, \"at\", paid, items FROM shop_orders "
                      "WHERE id IN (1, 6, 8) ORDER BY id").ok()
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json
    assert body["success"] is True and body["error_message"] is None
    assert len(body["query_id"]) == 36
    assert body["columns"] == [
        {"name": "id", "type": "BIGINT"}, {"name": "customer", "type": "VARCHAR"},
        {"name": "amount", "type": "DOUBLE"}, {"name": "day", "type": "DATE"},
        {"name": "at", "type": "TIMESTAMP"}, {"name": "paid", "type": "BOOLEAN"},
        {"name": "items", "type": "JSON"}]
    assert body["rows"] == [
        [1, "c1", 1.5, "2024-01-02", "2024-01-02T01:00:00.250000", False,
         [{"sku": "s1", "n": 1}, "gift"]],
        [6, "c0", 9.0, "2024-01-03", "2024-01-03T06:00:00.250000", True,
         [{"sku": "s6", "n": 6}, "gift"]],
        [8, None, None, None, None, None, None]]
    assert body["row_count"] == 3
    assert body["truncated"] is False
    assert set(body["statistics"]) >= {"queue_ms", "prepare_ms", "execute_ms", "files"}


@pytest.mark.parametrize("query, rows", [
    ("SELECT count(*), sum(amount), avg(id) FROM shop_orders", [[9, 42.0, 4.0]]),
    ("SELECT customer, count(*) n FROM shop_orders GROUP BY customer ORDER BY n DESC, customer",
     [["c0", 3], ["c1", 3], ["c2", 2], [None, 1]]),
    ("SELECT c.city, sum(o.amount) FROM shop_orders o JOIN shop_customers c ON o.customer = c.name "
     "GROUP BY ALL ORDER BY ALL", [["Köln", 13.5], ["Oslo", 18.0]]),
    ("SELECT c.name FROM shop_customers c LEFT JOIN shop_orders o ON o.customer = c.name "
     "WHERE o.id IS NULL", [["c9"]]),
    ("SELECT count(*) FROM shop_orders o FULL JOIN shop_customers c ON o.customer = c.name",
     [[10]]),
    ("WITH big AS (SELECT * FROM shop_orders WHERE amount > 6) SELECT count(*) FROM big", [[3]]),
    ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) "
     "SELECT sum(n) FROM t", [[55]]),
    ("SELECT id, rank() OVER (ORDER BY amount DESC NULLS LAST) r FROM shop_orders "
     "QUALIFY r <= 2 ORDER BY r", [[7, 1], [6, 2]]),
    ("SELECT id FROM shop_orders WHERE amount = (SELECT max(amount) FROM shop_orders)", [[7]]),
    ("SELECT id FROM shop_orders WHERE id < 2 UNION SELECT 77 ORDER BY 1", [[0], [1], [77]]),
    ("SELECT items->0->>'sku', (items->0->'n')::INT FROM shop_orders WHERE id = 5", [["s5", 5]]),
    ("SELECT items->>'$[0].sku', json_array_length(items) FROM shop_orders WHERE id = 2",
     [["s2", 2]]),
    ("SELECT i FROM range(3) t(i) ORDER BY i", [[0], [1], [2]]),
    ("SELECT x FROM (SELECT unnest([3, 1, 2]) x) ORDER BY x", [[1], [2], [3]]),
    ("SELECT day, count(*) FROM shop_orders WHERE day >= DATE '2024-01-03' GROUP BY day ORDER BY 1",
     [["2024-01-03", 2], ["2024-01-04", 2]]),
    ("VALUES (1, 'a'), (2, NULL)", [[1, "a"], [2, None]]),
    ("FROM shop_customers SELECT city WHERE city LIKE 'K%'", [["Köln"]]),
    ("SELECT id FROM shop_orders ORDER BY id LIMIT 2 OFFSET 3", [[3], [4]]),
    ("SELECT 9223372036854775807, -9223372036854775807 - 1, 0.1::DOUBLE",
     [[2**63 - 1, -2**63, 0.1]]),
    ("SELECT count(DISTINCT customer) FILTER (WHERE id > 5) FROM shop_orders", [[2]]),
    ("SELECT count(*) FROM main.shop_orders", [[9]]),
    ("SELECT \"count\"(*) /* comment ; */ FROM \"shop_orders\" -- end;", [[9]]),
    ("SELECT count(*) FROM shop_orders;", [[9]]),
])
def test_queries(shop, query, rows):
    found = shop.rows(query)
    assert found == rows


@pytest.mark.parametrize("query, type, value", [
    ("SELECT 1", "INTEGER", 1),
    ("SELECT 1.5", "DECIMAL(2,1)", "1.5"),
    ("SELECT 170141183460469231731687303715884105727::HUGEINT", "HUGEINT",
     170141183460469231731687303715884105727),
    ("SELECT [1, 2]", "INTEGER[]", [1, 2]),
    ("SELECT {'a': 1, 'b': 'x'}", "STRUCT(a INTEGER, b VARCHAR)", {"a": 1, "b": "x"}),
    ("SELECT TIME '10:20:30'", "TIME", "10:20:30"),
    ("SELECT INTERVAL 3 DAY", "INTERVAL", "3 days"),
    ("SELECT NULL::VARCHAR", "VARCHAR", None),
    ("SELECT 'naïve \"q\" \\ '", "VARCHAR", "naïve \"q\" \\ "),
    ("SELECT DATE '0001-01-01'", "DATE", "0001-01-01"),
    ("SELECT 'NaN'::DOUBLE", "DOUBLE", None),
    ("SELECT uuid '00000000-0000-0000-0000-000000000001'", "UUID",
     "00000000-0000-0000-0000-000000000001"),
])
def test_types(client, query, type, value):
    answer = client.sql(query).ok().json
    assert answer["columns"][0]["type"] == type
    found = answer["rows"][0][0]
    if type.startswith("DECIMAL"):
        found = str(found)
    assert found == value


def test_sees_every_acknowledged_write(client, name):
    """No write is missed or doubled, whichever side of a flush it is on."""
    client.add_source(name)
    for n in range(1, 41):
        client.write(name, [{"n": n, "k": n % 4}] * 3)
        if n % 7 == 0:
            client.flush(name)
        assert client.rows(f"SELECT count(*), sum(n), max(n) FROM {name}") == \
            [[3 * n, 3 * n * (n + 1) // 2, n]]


def test_new_columns_and_widening(client, name):
    client.add_source(name)
    client.write(name, [{"a": 1}])
    client.flush(name)
    client.write(name, [{"a": 2.5, "b": "new"}])
    assert client.rows(f"SELECT a, b FROM {name} ORDER BY a") == [[1.0, None], [2.5, "new"]]
    client.flush(name)
    assert client.rows(f"SELECT a, b FROM {name} ORDER BY a") == [[1.0, None], [2.5, "new"]]


def test_empty_source(client, name):
    client.add_source(name, {"a": "int64", "s": "string"})
    answer = client.sql(f"SELECT * FROM {name}").ok().json
    assert answer["columns"] == [{"name": "a", "type": "BIGINT"}, {"name": "s", "type": "VARCHAR"}]
    assert answer["rows"] == []
    bare = client.add_source(name + "_bare")
    assert client.rows(f"SELECT count(*) FROM {bare}") == [[0]]


def test_names_that_differ_in_case(client, name):
    """The engine folds case: right answers or a refusal, never the other source's rows."""
    client.add_source(name + "_aa")
    client.add_source(name + "_AA")
    client.write(name + "_aa", [{"v": 1}])
    client.write(name + "_AA", [{"v": 2}])
    assert client.rows(f'SELECT v FROM "{name}_aa"') == [[1]]
    assert client.rows(f'SELECT v FROM "{name}_AA"') == [[2]]
    both = client.sql(f'SELECT a.v, b.v FROM "{name}_aa" a, "{name}_AA" b')
    if both.status == 200:
        assert both.json["rows"] == [[1, 2]]
    else:
        both.refused((400, 403, 404, 409))


def test_odd_source_names(client):
    for source in ("with-dash", "with.dot", "select", "9lives", "_x"):
        client.add_source(source)
        client.write(source, [{"v": source}])
        assert client.rows(f'SELECT v FROM "{source}"') == [[source]]


@pytest.mark.parametrize("query, parameters, rows", [
    ("SELECT id FROM shop_orders WHERE customer = ? AND id > ? ORDER BY id", ["c1", 1],
     [[4], [7]]),
    ("SELECT $2::INT - $1::INT", [1, 10], [[9]]),
    ("SELECT id FROM shop_orders WHERE customer = $who AND amount < $most", {"who": "c2",
                                                                            "most": 4.5}, [[2]]),
    ("SELECT ?::VARCHAR", ["'; DROP TABLE x; --"], [["'; DROP TABLE x; --"]]),
    ("SELECT ? IS NULL, ?::BOOLEAN, ?::BIGINT", [None, True, 2**63 - 1], [[True, True, 2**63 - 1]]),
    ("SELECT id FROM shop_orders WHERE day = ?::DATE", ["2024-01-04"], [[3], [7]]),
])
def test_parameters(shop, query, parameters, rows):
    assert sorted(shop.rows(query, parameters=parameters)) == rows


@pytest.mark.parametrize("query, parameters", [
    ("SELECT ?", []), ("SELECT ?", [1, 2]), ("SELECT $a", {"b": 1}), ("SELECT ?", {"a": 1}),
    ("SELECT $a", [1, 2]), ("SELECT ?", "x"), ("SELECT ?", 5), ("SELECT 1", [1]),
    ("SELECT ?::INT", ["not a number"]),
])
def test_bad_parameters(client, query, parameters):
    client.sql(query, parameters=parameters).refused(400)


def test_limit_and_truncated(client):
    for limit, rows, truncated in ((0, 0, True), (3, 3, True), (10, 10, False), (11, 10, False)):
        answer = client.sql("SELECT * FROM range(10)", limit=limit).ok().json
        assert answer["rows"] == [[n] for n in range(rows)]
        assert answer["row_count"] == rows
        assert answer["truncated"] is truncated, limit
    started = time.monotonic()
    answer = client.sql("SELECT * FROM range(1000000000000)", limit=5).ok().json
    assert answer["rows"] == [[n] for n in range(5)] and answer["truncated"] is True
    assert time.monotonic() - started < 10


def test_large_result_streams(client):
    answer = client.sql("SELECT range n, 'x' || range AS s FROM range(200000)").ok()
    assert answer.headers.get("Transfer-Encoding") == "chunked"
    rows = answer.json["rows"]
    assert len(rows) == answer.json["row_count"] == 200000
    assert rows[::50000] == [[n, f"x{n}"] for n in range(0, 200000, 50000)]
    assert sum(row[0] for row in rows) == 200000 * 199999 // 2


def test_ndjson(shop):
    answer = shop.sql("SELECT id, customer FROM shop_orders WHERE id > 6 ORDER BY id",
                      format="ndjson").ok()
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    assert answer.lines() == [{"id": 7, "customer": "c1"}, {"id": 8, "customer": None}]


def test_csv(client):
    answer = client.sql("SELECT 1 AS a, 'x' AS \"b,c\", NULL::INT AS d, '' AS e, "
                        "'q\"u,o\nte' AS f, DATE '2024-02-29' AS g, true AS h, [1, 2] AS i",
                        format="csv").ok()
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.data.decode() == \
        'a,"b,c",d,e,f,g,h,i\r\n1,x,,"","q""u,o\nte",2024-02-29,true,"[1,2]"\r\n'


@pytest.mark.parametrize("request_, status", [
    ({}, 400), ({"query": None}, 400), ({"query": 5}, 400), ({"query": ""}, 400),
    ({"query": "  "}, 400), ({"query": ";"}, 400), ({"query": "-- nothing"}, 400),
    ({"query": "SELEC 1"}, 400), ({"query": "SELECT"}, 400), ({"query": "SELECT 1 +"}, 400),
    ({"query": "SELECT nosuchcolumn FROM range(1)"}, 400),
    ({"query": "SELECT nosuchfunction(1)"}, (400, 403)),
    ({"query": "SELECT 'x'::INT"}, 400), ({"query": "SELECT 1; \u0000"}, (400, 403)),
    ({"query": "SELECT 1", "limit": -1}, 400), ({"query": "SELECT 1", "timeout_ms": 0}, 400),
    ({"query": "SELECT 1", "format": "xml"}, 400), ({"query": "SELECT 1", "unknown": 1}, 400),
    ({"query": "SELECT 1", "query_id": ""}, 400), ({"query": "SELECT 1", "query_id": "x" * 99}, 400),
    ({"query": "SELECT " + "(" * 50000 + "1" + ")" * 50000}, (400, 403, 413)),
    ({"query": "SELECT 1", "dialect": "klingon"}, (400, 501)),
], ids=lambda value: json.dumps(value)[:60])
def test_bad_requests(client, request_, status):
    error = client.post("/query/sql", request_).refused(status)
    assert error["message"]


def test_syntax_error_has_its_place(client):
    error = client.sql("SELECT id\nFROM shop_orders\nWHERE id === 3").refused(400, "invalid_sql")
    assert error["detail"]["line"] == 3
    assert error["detail"]["column"] in range(7, 16), error
    error = client.sql("SELECT nosuch FROM range(1)").refused(400, "invalid_sql")
    assert "nosuch" in error["message"]
    assert (error["detail"]["line"], error["detail"]["column"]) == (1, 8)


def test_unknown_source_is_named_with_its_nearest(shop):
    for query in ("SELECT * FROM shop_order", "SELECT * FROM shop_orders, shop_order",
                  "SELECT (SELECT count(*) FROM shop_order)"):
        error = shop.sql(query).refused(404, "unknown_source")
        assert "shop_order" in error["message"] and "shop_orders" in error["message"]
    shop.sql("SELECT * FROM nothing_like_it_at_all").refused(404, "unknown_source")


# --- time ---

def worker_ticks(server):
    """CPU ticks of all SQL workers below the node."""
    ticks = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        if int(fields[1]) == server.node_pid() and "sql-worker" in text:
            ticks[entry] = int(fields[11]) + int(fields[12])
    return ticks


def workers_rest(server, client):
    """No worker goes on burning CPU, and the next query is served at once."""
    started = time.monotonic()
    assert client.rows("SELECT 42") == [[42]]
    assert time.monotonic() - started < 5
    assert client.get("/queries").ok().json == {"queries": []}
    before = worker_ticks(server)
    time.sleep(0.3)
    after = worker_ticks(server)
    burnt = sum(after[pid] - before[pid] for pid in after if pid in before)
    assert burnt <= 10, (before, after)


def test_timeout_stops_the_work(server, client):
    for timeout_ms in (50, 700):
        started = time.monotonic()
        client.sql(ENDLESS, timeout_ms=timeout_ms).refused(504, "timeout")
        took = time.monotonic() - started
        assert timeout_ms / 1000 * 0.9 <= took < timeout_ms / 1000 + 2
    workers_rest(server, client)


def start_query(client, query_id):
    """Runs ENDLESS in a thread; returns when it is in the list of queries."""
    box = {}
    thread = threading.Thread(target=lambda: box.update(
        answer=client.sql(ENDLESS, query_id=query_id, timeout_ms=20000)))
    thread.start()
    until = time.monotonic() + 10
    while time.monotonic() < until:
        queries = client.get("/queries").ok().json["queries"]
        if any(query["query_id"] == query_id for query in queries):
            assert all(set(query) == {"query_id", "query", "started"} for query in queries)
            return thread, box
        time.sleep(0.005)
    raise AssertionError("the query is not listed")


@pytest.mark.parametrize("wait_s", [0, 0.5])
def test_cancel(server, client, wait_s):
    query_id = f"my query {wait_s}"
    thread, box = start_query(client, query_id)
    time.sleep(wait_s)
    client.sql("SELECT 1", query_id=query_id).refused(409, "conflict")
    started = time.monotonic()
    deadline = started + 5
    path = "/queries/" + query_id.replace(" ", "%20")
    answer = client.delete(path)
    while answer.status == 404 and time.monotonic() < deadline:  # listed, but not yet in the pool
        time.sleep(0.005)
        answer = client.delete(path)
    assert answer.ok().json["success"] is True
    thread.join(10)
    assert time.monotonic() - started < 3
    box["answer"].refused(499, "cancelled")
    client.delete(path).refused(404, "not_found")
    workers_rest(server, client)


def test_closed_connection_cancels(server, client):
    other = server.client(timeout=0.5)
    with pytest.raises(TimeoutError):
        other.sql(ENDLESS, timeout_ms=12000)
    until = time.monotonic() + 5
    while client.get("/queries").json["queries"] and time.monotonic() < until:
        time.sleep(0.05)
    workers_rest(server, client)


def test_memory_limit_and_after(new_server):
    server = new_server(settings=["--sql-memory-mb=512"])
    client = server.client()
    answer = client.sql("SELECT list(repeat(i::VARCHAR, 1000)) FROM range(20000000) t(i)",
                        timeout_ms=15000)
    answer.refused((413, 503, 504), ("resource_limit", "no_memory", "timeout", "unavailable"))
    assert client.rows("SELECT 1") == [[1]]


def test_several_at_once(shop):
    results, threads = {}, []
    for n in range(12):
        def run(n=n):
            results[n] = shop.rows(f"SELECT count(*) + {n} FROM shop_orders, range(1000)")
            shop.close()
        threads.append(threading.Thread(target=run))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {n: [[9000 + n]] for n in range(12)}


# --- attacks ---

SECRET = "/etc/passwd"
READERS = [f"SELECT * FROM {function}('{SECRET}')" for function in (
    "read_text", "read_blob", "read_csv", "read_csv_auto", "sniff_csv", "read_json",
    "read_json_auto", "read_json_objects", "read_json_objects_auto", "read_ndjson",
    "read_ndjson_auto", "read_ndjson_objects", "read_parquet", "parquet_scan", "parquet_metadata",
    "parquet_schema", "parquet_file_metadata", "parquet_kv_metadata", "glob", "read_duckdb",
    "sqlite_scan", "postgres_scan", "st_read", "read_xlsx", "iceberg_scan", "delta_scan")]
ATTACKS = READERS + [
    f"SELECT * FROM '{SECRET}'",
    f"SELECT * FROM \"{SECRET}\"",
    "FROM '/etc/*'",
    "FROM glob('**')",
    "SELECT * FROM '{data}/sources/shop_orders/data/*.parquet'",
    "SELECT * FROM read_parquet('{data}/sources/**/*.parquet')",
    "SELECT * FROM 'https://example.org/x.parquet'",
    "SELECT * FROM read_csv('/proc/self/environ')",
    f"SELECT (SELECT content FROM read_text('{SECRET}'))",
    f"WITH x AS (SELECT * FROM read_text('{SECRET}')) SELECT * FROM x",
    f"WITH x AS MATERIALIZED (FROM '{SECRET}') SELECT 1 FROM x",
    f"SELECT 1 UNION ALL SELECT 2 FROM read_text('{SECRET}')",
    f"SELECT * FROM range(1) WHERE EXISTS (FROM read_blob('{SECRET}'))",
    f"SELECT * FROM range(1), LATERAL (SELECT * FROM read_text('{SECRET}'))",
    f"SELECT * FROM range(1) ORDER BY (SELECT max(size) FROM read_blob('{SECRET}'))",
    f"SELECT [x FOR x IN (SELECT list(content) FROM read_text('{SECRET}'))]",
    f"SELECT count(*) FILTER (WHERE 1 IN (SELECT size FROM read_blob('{SECRET}'))) FROM range(2)",
    f"SELECT system.main.read_text('{SECRET}')",
    f"SELECT * FROM query('SELECT * FROM read_text(''{SECRET}'')')",
    "SELECT * FROM query_table('information_schema.tables')",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT current_setting('secret_directory')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_database_list()",
    "SELECT * FROM pragma_table_info('shop_orders')",
    "SELECT * FROM pragma_storage_info('shop_orders')",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM sql_auto_complete('SEL')",
    "SELECT * FROM seq_scan('x')",
    "SELECT write_log('x')",
    "SELECT nextval('s')",
    "SHOW ALL TABLES",
    "COPY (SELECT 1) TO '{data}/stolen.csv'",
    "COPY shop_orders TO '{data}/stolen.parquet' (FORMAT parquet)",
    f"COPY shop_orders FROM '{SECRET}'",
    "EXPORT DATABASE '{data}/stolen'",
    "IMPORT DATABASE '/tmp'",
    "ATTACH '{data}/stolen.db' AS stolen",
    "ATTACH ':memory:' AS m",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "INSTALL json FROM 'http://example.org'",
    "FORCE INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET VARIABLE x = 1",
    "SET memory_limit = '100GB'",
    "SET SESSION threads = 100",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA enable_profiling = 'json'",
    "PRAGMA version",
    "CALL enable_logging()",
    "CALL pragma_version()",
    "CREATE SECRET s (TYPE s3)",
    f"CREATE TABLE t AS SELECT * FROM read_text('{SECRET}')",
    f"INSERT INTO shop_orders (customer) SELECT content FROM read_text('{SECRET}')",
    f"UPDATE shop_orders SET customer = (SELECT content FROM read_text('{SECRET}'))",
    f"DELETE FROM shop_orders USING read_text('{SECRET}')",
    "INSERT INTO system.files VALUES (1)",
    "CREATE TABLE other.t (a INT)",
    "DROP TABLE system.files",
    "CREATE MACRO m() AS 1",
    "CREATE SCHEMA s",
    "CREATE SEQUENCE q",
    "CREATE TYPE e AS ENUM ('a')",
    "ALTER VIEW shop_orders RENAME TO x",
    "TRUNCATE shop_orders",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "BEGIN TRANSACTION",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "COMMENT ON VIEW shop_orders IS 'x'",
    f"SELECT 1; SELECT * FROM read_text('{SECRET}')",
    "SELECT 1; SELECT 2",
    f"CREATE VIEW v AS SELECT content FROM read_text('{SECRET}')",
    "SELECT 1; DROP VIEW shop_orders",
    f"EXPLAIN ANALYZE SELECT * FROM read_text('{SECRET}')",
    f"DESCRIBE SELECT * FROM read_csv('{SECRET}')",
    f"SUMMARIZE SELECT * FROM read_csv('{SECRET}')",
    f"PIVOT (SELECT * FROM read_csv('{SECRET}')) ON column0",
    f"FROM (DESCRIBE SELECT * FROM '{SECRET}')",
    "SELECT * FROM memory.information_schema.tables",
    "SELECT * FROM temp.main.x",
    "SELECT * FROM system.main.duckdb_settings()",
]


@pytest.mark.parametrize("query", ATTACKS)
def test_attacks_are_refused(server, shop, query):
    data = str(server.data)
    files = sorted(str(path) for path in server.data.rglob("*"))
    answer = shop.sql(query.replace("{data}", data))
    error = answer.refused((400, 403, 404), ("sql_refused", "invalid_sql", "unknown_source"))
    assert b"root:" not in answer.data
    if "{data}" not in query:
        assert data not in answer.text
    assert "/sources/" not in error["message"].replace(query.replace("{data}", data), "") \
        or "{data}" in query
    kept = sorted(str(path) for path in server.data.rglob("*"))
    assert not [path for path in kept if "stolen" in path]
    assert len(kept) >= len([f for f in files if "/run/" not in f])


def test_right_after_the_attacks(shop):
    assert shop.rows("SELECT count(*), sum(id) FROM shop_orders") == [[9, 36]]
    assert shop.rows("SELECT count(*) FROM shop_customers") == [[3]]
    assert len(shop.search("shop_orders")) == 9


def test_attacks_by_parameters(shop):
    """What stands in a parameter is a value, never a name or a file."""
    shop.sql("SELECT * FROM read_text(?)", parameters=[SECRET]).refused(403, "sql_refused")
    shop.sql("SELECT * FROM query_table(?)", parameters=["shop_orders"]).refused(403)
    shop.sql("SELECT * FROM ?", parameters=[SECRET]).refused((400, 403))
    shop.sql("SELECT * FROM shop_orders LIMIT ?", parameters=["1; DROP"]).refused((400, 403))


def test_no_machine_path_in_errors(server, shop):
    """A damaged data file, bad casts in rows: the message tells no folder."""
    folder = str(server.data)
    for query in ("SELECT customer::INT FROM shop_orders", "SELECT items::INT[] FROM shop_orders",
                  "SELECT error('x')", "SELECT 1/0 FROM shop_orders WHERE nosuch",
                  "SELECT c1 FROM shop_orders", "SELECT filename FROM shop_orders",
                  "SELECT file_row_number FROM shop_orders"):
        answer = shop.sql(query)
        assert answer.status in (400, 403, 422), (query, answer.data)
        assert folder not in answer.text and ".parquet" not in answer.text, answer.text


def test_damaged_file_is_an_error_not_an_answer(new_server):
    server = new_server()
    client = server.client()
    client.add_source("s")
    client.write("s", [{"n": n, "pad": f"{n}" * 20} for n in range(5000)])
    client.flush("s")
    path, = (server.data / "sources/s/data").rglob("*.parquet")
    data = bytearray(path.read_bytes())
    for i in range(100, len(data) - 2000, 50):
        data[i] ^= 0x5A
    server.stop()
    path.chmod(0o644)
    path.write_bytes(data)
    server.start()
    client = server.client()
    answer = client.sql("SELECT sum(n), max(pad) FROM s")
    answer.refused((500, 503))
    assert str(server.data) not in answer.text and ".parquet" not in answer.text
    assert client.post("/data/search", {"source_ids": ["s"]}).status in (500, 503)
    assert client.rows("SELECT 1") == [[1]]

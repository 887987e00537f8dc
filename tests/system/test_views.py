"""SQL views: what they show, in which dialects, what sees through them, and that they last."""

import pytest

from lib.tokens import admin_password, bearer, login, make_user


@pytest.fixture
def sql(client):
    def run(text, dialect="duckdb", **more):
        return client.post("/query/sql", {"query": text, "dialect": dialect, **more})
    return run


def rows(answer):
    return answer.ok().json["rows"]


@pytest.fixture
def table(client, name):
    client.add_source(name, {"id": "int64", "city": "string", "amount": "float64", "day": "date"},
                      index_columns=["id"])
    client.write(name, [{"id": n, "city": ["Oslo", "Rome", None][n % 3], "amount": n * 1.5,
                         "day": f"2024-01-0{n + 1}"} for n in range(6)])
    return name


def test_create_and_read(sql, table):
    sql(f"CREATE VIEW {table}_big AS SELECT id, city AS town, amount FROM {table} WHERE amount > 3").ok()
    assert rows(sql(f"SELECT * FROM {table}_big ORDER BY id")) == \
        [[3, "Oslo", 4.5], [4, "Rome", 6.0], [5, None, 7.5]]
    assert rows(sql(f"SELECT town, count(*) AS n, sum(amount) FROM {table}_big v WHERE v.id < 5 "
                    "GROUP BY town ORDER BY town")) == [["Oslo", 1, 4.5], ["Rome", 1, 6.0]]
    assert rows(sql(f"SELECT a.id FROM {table}_big a JOIN {table} b ON a.id = b.id + 3 "
                    "ORDER BY 1", "postgres")) == [[3], [4], [5]]
    # a CTE of the reader never stands in for a table of the view
    assert rows(sql(f"WITH {table} AS (SELECT 1 AS id) SELECT count(*) FROM {table}_big, {table}")) \
        == [[3]]
    # one of the view's own name hides the view
    assert rows(sql(f"WITH {table}_big AS (SELECT 7 AS x) SELECT x FROM {table}_big")) == [[7]]


def test_dialects(sql, table):
    sql(f"CREATE VIEW {table}_m AS SELECT `id`, IFNULL(city, 'none') AS `city`, `id` / 2 AS half "
        f"FROM {table}", "mysql").ok()
    assert rows(sql(f"SELECT city, half FROM {table}_m WHERE id IN (1, 2) ORDER BY id", "postgres")) \
        == [["Rome", 0.5], ["none", 1.0]]
    assert rows(sql(f"SELECT TOP 1 [half] FROM {table}_m ORDER BY id DESC", "tsql")) == [[2.5]]
    sql(f'CREATE VIEW {table}_p (a, b) AS SELECT id / 2, city FROM {table} ORDER BY id LIMIT 2',
        "postgres").ok()
    assert rows(sql(f"SELECT b, a FROM {table}_p ORDER BY a, b")) == [["Oslo", 0], ["Rome", 0]]
    shown = rows(sql(f"SHOW CREATE VIEW {table}_p", "mysql"))
    assert shown == [[f"{table}_p", f'CREATE VIEW {table}_p (a, b) AS SELECT id / 2, city FROM {table} '
                      'ORDER BY id LIMIT 2', "postgres"]]


def test_sees_through(client, sql, table):
    """Own operators, the index and pruning work as if the view were not there."""
    client.flush(table)
    sql(f"CREATE VIEW {table}_v AS SELECT id AS number, city, amount FROM {table} WHERE amount >= 0").ok()
    sql(f"CREATE VIEW {table}_w AS SELECT number, amount FROM {table}_v WHERE city = 'Rome'").ok()
    plan = sql(f"EXPLAIN SELECT number FROM {table}_w WHERE number = 4").ok().json["rows"][0][0]
    assert plan["own_operators"] is True
    assert rows(sql(f"SELECT * FROM {table}_w WHERE number = 4")) == [[4, 6.0]]
    body = sql(f"SELECT city, sum(amount) AS amount FROM {table}_v WHERE number > 1 GROUP BY city "
               "ORDER BY city").ok().json
    assert body["rows"] == [["Oslo", 4.5], ["Rome", 6.0], [None, 10.5]]
    # a name that the view does not show stays hidden
    sql(f"SELECT day FROM {table}_v").refused(422, "UNKNOWN_COLUMN")
    sql(f"SELECT id FROM {table}_v").refused(422, "UNKNOWN_COLUMN")
    assert rows(sql(f"SELECT number AS id FROM {table}_v ORDER BY id LIMIT 1")) == [[0]]
    assert rows(sql(f"SELECT amount * 2 AS day FROM {table}_v WHERE number = 1")) == [[3.0]]


def test_in_changes(sql, table):
    sql(f"CREATE VIEW {table}_v AS SELECT id, amount FROM {table} WHERE id < 2").ok()
    sql(f"CREATE TABLE {table}_t AS SELECT * FROM {table}_v").ok()
    sql(f"INSERT INTO {table}_t SELECT id + 10, amount FROM {table}_v", "mysql").ok()
    sql(f"UPDATE {table}_t t SET amount = v.amount + 100 FROM {table}_v v WHERE v.id = t.id",
        "postgres").ok()
    sql(f"DELETE FROM {table}_t WHERE id - 10 IN (SELECT max(id) FROM {table}_v)", "postgres").ok()
    assert rows(sql(f"SELECT * FROM {table}_t ORDER BY id")) == [[0, 100.0], [1, 101.5], [10, 0.0]]
    error = sql(f"DELETE FROM {table}_v").refused(422, "unsupported_sql")
    assert "is a view" in error["message"]


def test_nested_cycles_depth(sql, table):
    sql(f"CREATE VIEW {table}_1 AS SELECT id FROM {table}").ok()
    for n in range(2, 17):
        sql(f"CREATE VIEW {table}_{n} AS SELECT id FROM {table}_{n - 1} WHERE id <> {n}").ok()
    assert rows(sql(f"SELECT id FROM {table}_16 ORDER BY id")) == [[0], [1]]
    error = sql(f"CREATE VIEW {table}_17 AS SELECT id FROM {table}_16").refused(422, "unsupported_sql")
    assert "deeper than 16" in error["message"]
    error = sql(f"CREATE OR REPLACE VIEW {table}_1 AS SELECT id FROM {table}_3").refused(422)
    assert "read itself" in error["message"]
    error = sql(f"CREATE OR REPLACE VIEW {table}_1 AS SELECT id FROM {table}_1").refused(422)
    assert "read itself" in error["message"]


def test_names(client, sql, table):
    sql(f"CREATE VIEW {table} AS SELECT 1 AS a").refused(409, "conflict")
    sql(f"CREATE VIEW {table}_v AS SELECT 1 AS a, 2 AS b").ok()
    sql(f"CREATE VIEW {table}_V AS SELECT 2 AS a").refused(409, "conflict")
    sql(f"CREATE VIEW IF NOT EXISTS {table}_v AS SELECT 2 AS a").ok()
    assert rows(sql(f"SELECT * FROM {table}_v")) == [[1, 2]]
    sql(f"CREATE OR REPLACE VIEW {table}_v AS SELECT 3 AS c").ok()
    assert rows(sql(f"SELECT * FROM {table}_v")) == [[3]]
    client.post("/sources/add", {"source_id": f"{table}_v", "name": "x", "connection_string": "x",
                                 "data_path": "x", "schema_definition": {}}).refused(409, "conflict")
    sql(f"CREATE TABLE {table}_v (a INT)").refused(409, "conflict")
    sql(f"DROP TABLE {table}_v").refused(409, "conflict")
    sql(f"DROP VIEW {table}").refused(409, "conflict")
    sql(f"DROP VIEW {table}_v").ok()
    sql(f"DROP VIEW {table}_v").refused(404, "not_found")
    sql(f"DROP VIEW IF EXISTS {table}_v").ok()
    sql(f"SELECT * FROM {table}_v").refused(404, "unknown_source")


@pytest.mark.parametrize("text, word", [
    ("SELECT id + 1 FROM {}", "has no name"),
    ("SELECT id, city AS id FROM {}", "two columns"),
    ("SELECT id FROM {} WHERE id = ?", "no parameters"),
])
def test_refused_definitions(sql, table, text, word):
    error = sql(f"CREATE VIEW {table}_v AS " + text.format(table)).refused(422)
    assert word in error["message"]
    sql(f"SELECT * FROM {table}_v").refused(404)
    sql(f"CREATE VIEW {table}_v AS SELECT nothing FROM {table}").refused(422, "UNKNOWN_COLUMN")
    sql(f"CREATE VIEW {table}_v AS SELECT a FROM {table}_missing").refused(404, "unknown_source")


def test_what_is_below_goes(sql, table):
    sql(f"CREATE VIEW {table}_v AS SELECT id, amount FROM {table}").ok()
    sql(f"CREATE VIEW {table}_w AS SELECT id FROM {table}_v").ok()
    sql(f"ALTER TABLE {table} RENAME COLUMN amount TO price").ok()
    error = sql(f"SELECT id FROM {table}_w").refused(422, "unsupported_sql")
    assert f"view {table}_v cannot be read any more" in error["message"] and "amount" in error["message"]
    sql(f"CREATE OR REPLACE VIEW {table}_v AS SELECT id, price FROM {table}").ok()
    assert rows(sql(f"SELECT count(*) FROM {table}_w")) == [[6]]
    sql(f"DROP TABLE {table}").ok()
    error = sql(f"SELECT id FROM {table}_w").refused(422, "unsupported_sql")
    assert f"there is no source {table}" in error["message"] and "declare it again" in error["message"]
    sql(f"DROP VIEW {table}_v").ok()
    error = sql(f"SELECT id FROM {table}_w").refused(422, "unsupported_sql")
    assert f"view {table}_w" in error["message"]


def test_shown(client, sql, table):
    sql(f"CREATE VIEW {table}_v AS SELECT id, city, day FROM {table}").ok()
    assert [f"{table}_v", False, table] in [row[:3] for row in rows(sql("SHOW VIEWS"))]
    for dialect in ("duckdb", "mysql"):
        assert [row[:2] for row in rows(sql(f"DESCRIBE {table}_v", dialect))] == \
            [["id", "BIGINT"], ["city", "VARCHAR"], ["day", "DATE"]]
    assert rows(sql(f"SELECT name, reads, dialect FROM system.views WHERE name = '{table}_v'")) == \
        [[f"{table}_v", table, "duckdb"]]
    sql(f"CREATE VIEW {table}_s AS SELECT source, row_count FROM system.sources").ok()
    assert rows(sql(f"SELECT a.row_count + b.row_count FROM {table}_s a JOIN {table}_s b "
                    f"USING (source) WHERE source = '{table}'")) == [[12]]
    error = client.post("/data/search", {"source_ids": [f"{table}_v"], "filters": {}}).refused(422)
    assert "is a view" in error["message"]


def test_assets(server, client, sql, table):
    """The catalog has views as assets, with what they are derived from."""
    catalog = server.client("catalog")
    sql(f"CREATE VIEW {table}_v AS SELECT id FROM {table}").ok()
    sql(f"CREATE VIEW {table}_w AS SELECT v.id FROM {table}_v v, {table} t WHERE v.id = t.id").ok()
    catalog.get("/metadata/stats").ok()
    assets = {a["name"]: a for a in catalog.get(f"/assets?kind=view&limit=1000").ok().json["assets"]}

    def upstream(name):
        found = catalog.get(f"/assets/{assets[name]['id']}/lineage?depth=1").ok().json["lineage"]
        return sorted((s["asset"]["kind"], s["asset"]["name"], s["relationship_type"]) for s in found)

    assert upstream(f"{table}_v") == [("source", table, "derived_from")]
    assert upstream(f"{table}_w") == [("source", table, "derived_from"),
                                      ("view", f"{table}_v", "derived_from")]
    sql(f"CREATE OR REPLACE VIEW {table}_w AS SELECT id FROM {table}_v").ok()
    sql(f"DROP VIEW {table}_v").ok()
    catalog.get("/metadata/stats").ok()
    assert upstream(f"{table}_w") == []
    catalog.get(f"/assets/{assets[table + '_v']['id']}").refused(404)


def test_lasts(new_server, tmp_path):
    from test_maintenance import quarry
    server = new_server(node=True)
    client = server.client()
    client.add_source("base", {"a": "int64"})
    client.write("base", [{"a": 1}, {"a": 2}])
    client.post("/query/sql", {"query": "CREATE VIEW v AS SELECT a AS b FROM base"}).ok()
    client.post("/query/sql", {"query": "CREATE VIEW gone AS SELECT a AS b FROM base"}).ok()
    client.post("/query/sql", {"query": "DROP VIEW gone"}).ok()
    quarry("backup", f"http://127.0.0.1:{client.port}", tmp_path / "copy")
    server.kill()
    server.start()
    client = server.client()
    assert client.rows("SELECT b FROM v ORDER BY b") == [[1], [2]]
    assert client.rows("SELECT name FROM system.views") == [["v"]]
    server.stop()
    quarry("restore", tmp_path / "copy", tmp_path / "restored")
    other = new_server("restored", node=True).client()
    assert other.rows("SELECT sum(b) FROM v") == [[3]]


def test_rights(new_server):
    server = new_server(settings=["--auth-required=yes"])
    admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
    tokens = {role: make_user(server, admin, role, role)["access_token"] for role in ("reader", "writer")}
    client = server.client()

    def run(role, text):
        return client.request("POST", "/query/sql", {"query": text}, bearer(tokens[role]))

    run("writer", "CREATE TABLE t (a INT)").ok()
    run("reader", "CREATE VIEW v AS SELECT a FROM t").refused(403, "forbidden")
    run("writer", "CREATE VIEW v AS SELECT a FROM t").ok()
    assert run("reader", "SELECT * FROM v").ok().json["rows"] == []
    run("reader", "DROP VIEW v").refused(403, "forbidden")

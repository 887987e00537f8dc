"""Materialised views: exact contents after writes, deletes, compaction, kills; how they were made."""

import time

import pytest


@pytest.fixture
def sql(client):
    def run(text, dialect="duckdb", **more):
        return client.post("/query/sql", {"query": text, "dialect": dialect, **more})
    return run


def rows(answer):
    return answer.ok().json["rows"]


@pytest.fixture
def table(client, name):
    client.add_source(name, {"id": "int64", "city": "string", "amount": "float64", "n": "int64"})
    client.write(name, [{"id": i, "city": ["Oslo", "Rome", None][i % 3], "amount": i * 0.5, "n": i}
                        for i in range(9)])
    return name


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


GROUPS = ("SELECT city, count(*) AS c, count(amount) AS ca, sum(n) AS s, sum(amount) AS sa, min(n) AS lo, "
          "max(city) AS hi, avg(amount) AS av FROM {} WHERE id <> 4 GROUP BY city")


class Checked:
    """A materialised view that must show what its query does."""

    def __init__(self, sql, name, query, every=""):
        self.sql, self.name, self.query = sql, name, query
        sql(f"CREATE MATERIALIZED VIEW {name} {every} AS {query}").ok()
        self.check("made anew")

    def state(self):
        columns = "how, why_anew, is_stale, lag_ms, last_error, rows_stored"
        return rows(self.sql(f"SELECT {columns} FROM system.materialized_views "
                             f"WHERE name = '{self.name}'"))[0]

    def check(self, how, why=None):
        wanted, found = rows(self.sql(self.query)), rows(self.sql(f"SELECT * FROM {self.name}"))
        assert sorted(found, key=repr) == sorted(wanted, key=repr)
        state = self.state()
        assert state[0] == how and state[2:5] == [False, 0, None], state
        assert why is None or why in state[1], state

    def refresh(self, how, why=None):
        answer = self.sql(f"REFRESH MATERIALIZED VIEW {self.name}").ok().json
        assert answer["statement"] == "refresh"
        self.check(how, why)
        return answer["rows_inserted"]


def test_groups(client, sql, table):
    view = Checked(sql, f"{table}_g", GROUPS.format(table))
    assert view.refresh("unchanged") == 0
    client.write(table, [{"id": 20, "city": "Rome", "amount": 100.0, "n": 7}])
    assert view.state()[2] is True and view.state()[3] >= 0
    assert view.refresh("new rows") == 1
    client.write(table, [{"id": 21, "city": "Bern", "amount": None, "n": -7}])
    client.flush(table)
    client.write(table, [{"id": 22, "city": None, "amount": 1.0}, {"id": 4, "city": "no"},
                         {"id": 23, "city": "Oslo", "amount": -2.0, "n": 1}])
    assert view.refresh("new rows") == 3
    client.flush(table)
    assert view.refresh("unchanged") == 0
    sql(f"DELETE FROM {table} WHERE id IN (1, 21)").ok()
    view.refresh("made anew", "deleted or changed")
    sql(f"UPDATE {table} SET n = n + 1 WHERE city = 'Rome'").ok()
    view.refresh("made anew", "deleted or changed")
    client.write(table, [{"id": 30, "city": "Oslo", "amount": 3.0, "n": 3}])
    assert view.refresh("new rows") == 1
    # the sum and the count that avg is merged by are in the source, not in the view
    assert {"av", "av__sum", "av__count"} <= set(client.search(f"{table}_g")[0])


def test_rows_and_views_below(client, sql, table):
    sql(f"CREATE VIEW {table}_v AS SELECT id AS number, n FROM {table} WHERE amount > 1").ok()
    view = Checked(sql, f"{table}_r", f"SELECT number * 2 AS twice, n FROM {table}_v WHERE n <> 5")
    client.write(table, [{"id": 50, "amount": 9.0, "n": 1}, {"id": 51, "amount": 0.0, "n": 2}])
    assert view.refresh("new rows") == 1
    assert rows(sql(f"SELECT count(*) FROM {table}_r")) == [[6]]
    # the same answer through the other fronts
    assert len(client.search(f"{table}_r", filters={"twice": {"eq": 100}})) == 1
    sql(f"CREATE OR REPLACE VIEW {table}_v AS SELECT id AS number, n FROM {table} WHERE amount > 3").ok()
    client.write(table, [{"id": 52, "amount": 9.0, "n": 1}])
    # the definition below is another one: the content is made of other rows
    sql(f"REFRESH MATERIALIZED VIEW {table}_r").ok()
    view.check("made anew", "view below was replaced")


def test_compaction_adds_nothing(client, sql, table):
    view = Checked(sql, f"{table}_g", f"SELECT city, sum(n) AS s FROM {table} GROUP BY city")
    for i in range(4):
        client.write(table, [{"id": 100 + i, "city": "Oslo", "n": 1}])
        client.flush(table)
    job = client.post("/metadata/compact", {"source_id": table}).ok(202).json["job_id"]
    wait_for(lambda: client.get(f"/metadata/compact/{job}").ok().json["job"]["status"] == "completed")
    operations = rows(sql(f"SELECT operation FROM system.snapshots WHERE source = '{table}' "
                          "ORDER BY snapshot_id"))
    assert ["replace"] in operations
    assert view.refresh("new rows") == 1
    client.write(table, [{"id": 200, "city": "Oslo", "n": 1}])
    assert view.refresh("new rows") == 1


@pytest.mark.parametrize("query, why", [
    ("SELECT city, count(DISTINCT n) AS d FROM {} GROUP BY city", "other aggregates"),
    ("SELECT city, count(*) AS c FROM {} GROUP BY city HAVING count(*) > 1", "HAVING"),
    ("SELECT a.id FROM {0} a JOIN {0} b ON a.id = b.n", "one source"),
    ("SELECT count(*) AS c FROM {} GROUP BY city", "not shown"),
    ("SELECT lower(city) AS city, count(*) AS c FROM {} GROUP BY lower(city)", None),
    ("SELECT n % 2 AS odd, count(*) AS c, avg(n) AS a FROM {} GROUP BY 1", None),
    ("SELECT count(*) AS c, sum(n) AS s, max(amount) AS m, avg(n) AS a FROM {}", None),
    ("SELECT count(*) AS c FROM {} WHERE id < 0", None),
    ("SELECT * FROM {}", None),
    ("SELECT id FROM {} ORDER BY id LIMIT 3", "LIMIT"),
])
def test_kinds_of_queries(client, sql, table, query, why):
    view = Checked(sql, f"{table}_k", query.format(table))
    client.write(table, [{"id": 60, "city": "oslo", "amount": 7.5, "n": 4},
                         {"id": 61, "city": "Oslo", "amount": None, "n": 5}])
    view.refresh("made anew" if why else "new rows", why)


def test_refused(client, sql, table):
    sql(f"CREATE MATERIALIZED VIEW {table} AS SELECT 1 AS a").refused(409, "conflict")
    sql(f"CREATE MATERIALIZED VIEW {table}_m AS SELECT source FROM system.sources").refused(422)
    sql(f"CREATE MATERIALIZED VIEW {table}_m REFRESH EVERY 0 SECONDS AS SELECT id FROM {table}").refused(400)
    sql(f"CREATE MATERIALIZED VIEW {table}_m AS SELECT id + 1 FROM {table}").refused(422)
    sql(f"SELECT * FROM {table}_m").refused(404, "unknown_source")  # nothing is left of those
    sql(f"CREATE MATERIALIZED VIEW {table}_m REFRESH ON DEMAND AS SELECT id FROM {table}").ok()
    sql(f"CREATE MATERIALIZED VIEW {table}_m AS SELECT id FROM {table}").refused(409, "conflict")
    sql(f"CREATE MATERIALIZED VIEW IF NOT EXISTS {table}_m AS SELECT id FROM {table}").ok()
    sql(f"CREATE OR REPLACE VIEW {table}_m AS SELECT id FROM {table}").refused(409, "conflict")
    for change in (f"INSERT INTO {table}_m VALUES (1)", f"DELETE FROM {table}_m", f"DROP TABLE {table}_m",
                   f"ALTER TABLE {table}_m ADD COLUMN x INT", f"DROP VIEW {table}_m"):
        sql(change).refused(409, "conflict")
    client.post("/data/write", {"source_id": f"{table}_m", "records": [{"fields": {"id": 1}}]}).refused(409)
    client.post("/data/delete", {"source_id": f"{table}_m", "filters": {}}).refused(409)
    assert rows(sql(f"SELECT count(*) FROM {table}_m")) == [[9]]
    sql(f"DROP MATERIALIZED VIEW {table}_m").ok()
    sql(f"SELECT * FROM {table}_m").refused(404, "unknown_source")
    sql(f"REFRESH MATERIALIZED VIEW {table}_m").refused(404, "not_found")
    sql(f"DROP MATERIALIZED VIEW IF EXISTS {table}_m").ok()


def test_a_failed_refresh_keeps_the_rows(client, sql, table):
    sql(f"CREATE MATERIALIZED VIEW {table}_m AS SELECT id, n FROM {table}").ok()
    sql(f"ALTER TABLE {table} RENAME COLUMN n TO m").ok()
    error = sql(f"REFRESH MATERIALIZED VIEW {table}_m").refused(422)
    assert "no column 'n'" in error["message"]
    assert rows(sql(f"SELECT count(*), sum(n) FROM {table}_m")) == [[9, 36]]
    state = rows(sql(f"SELECT last_error, how FROM system.materialized_views WHERE name = '{table}_m'"))
    assert "no column 'n'" in state[0][0] and state[0][1] == "made anew"
    sql(f"ALTER TABLE {table} RENAME COLUMN m TO n").ok()
    sql(f"REFRESH MATERIALIZED VIEW {table}_m").ok()
    assert rows(sql(f"SELECT last_error FROM system.materialized_views WHERE name = '{table}_m'")) == [[None]]


def test_by_the_clock_and_after_kills(new_server):
    server = new_server(node=True)
    client = server.client()
    client.add_source("t", {"k": "int64", "v": "int64"})
    client.write("t", [{"k": i % 3, "v": i} for i in range(30)])
    run = lambda text: client.post("/query/sql", {"query": text})  # noqa: E731
    run("CREATE MATERIALIZED VIEW m REFRESH EVERY 1 SECONDS AS SELECT k, count(*) AS c, sum(v) AS s, "
        "avg(v) AS a FROM t GROUP BY k").ok()
    query = "SELECT k, count(*) AS c, sum(v) AS s, avg(v) AS a FROM t GROUP BY k ORDER BY k"
    for i in range(3):
        client.write("t", [{"k": i, "v": 1000 + i}, {"k": 10 + i, "v": 1}])
        server.kill()
        server.start()
        client = server.client()
        wait_for(lambda: client.rows("SELECT * FROM m ORDER BY k") == client.rows(query))
    client.write("t", [{"k": 0, "v": 5}])
    wait_for(lambda: client.rows("SELECT * FROM m ORDER BY k") == client.rows(query))
    assert client.rows("SELECT how FROM system.materialized_views") in ([["new rows"]], [["unchanged"]])
    run("DROP MATERIALIZED VIEW m").ok()
    server.stop()


def test_killed_while_refreshing(new_server):
    """Whatever was done when the node died, the next refresh makes it right."""
    server = new_server(node=True)
    client = server.client()
    client.add_source("t", {"k": "int64", "v": "int64"})
    client.write("t", [{"k": i % 50, "v": i} for i in range(500)])
    client.post("/query/sql", {"query": "CREATE MATERIALIZED VIEW m REFRESH EVERY 1 SECONDS AS "
                                        "SELECT k, count(*) AS c, sum(v) AS s FROM t GROUP BY k"}).ok()
    total = 500
    for round_ in range(4):
        for i in range(10):
            client.write("t", [{"k": i, "v": i}])
            total += 1
        time.sleep(0.6 + 0.15 * round_)  # about when the next refresh runs
        server.kill()
        server.start()
        client = server.client()
        assert client.rows("SELECT count(*) FROM t") == [[total]]
    client.post("/query/sql", {"query": "REFRESH MATERIALIZED VIEW m"}).ok()
    wanted = client.rows("SELECT k, count(*) AS c, sum(v) AS s FROM t GROUP BY k ORDER BY k")
    assert client.rows("SELECT * FROM m ORDER BY k") == wanted


def test_restored_backup(new_server, tmp_path):
    from test_maintenance import quarry
    server = new_server(node=True)
    client = server.client()
    client.add_source("t", {"v": "int64"})
    client.write("t", [{"v": 1}, {"v": 2}])
    client.post("/query/sql", {"query": "CREATE MATERIALIZED VIEW m AS SELECT sum(v) AS s FROM t"}).ok()
    client.write("t", [{"v": 3}])
    quarry("backup", f"http://127.0.0.1:{client.port}", tmp_path / "copy")
    client.write("t", [{"v": 10}])
    client.post("/query/sql", {"query": "REFRESH MATERIALIZED VIEW m"}).ok()
    server.stop()
    quarry("restore", tmp_path / "copy", tmp_path / "restored")
    other = new_server("restored", node=True).client()
    assert other.rows("SELECT s FROM m") == [[3]]
    other.write("t", [{"v": 4}])
    other.post("/query/sql", {"query": "REFRESH MATERIALIZED VIEW m"}).ok()
    assert other.rows("SELECT s FROM m") == [[10]]

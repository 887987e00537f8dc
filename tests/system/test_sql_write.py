"""Statements of /query/sql that are no queries: rows and sources changed in SQL, system tables,
SHOW, DESCRIBE, EXPLAIN; rights; durability."""

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
    client.add_source(name, {"id": "int64", "name": "string", "amount": "float64", "day": "date",
                             "doc": "json"}, key_columns=["id"])
    client.write(name, [{"id": n, "name": f"n{n % 3}", "amount": n * 1.5, "day": f"2024-01-0{n + 1}",
                         "doc": {"n": n}} for n in range(6)])
    return name


def affected(answer):
    body = answer.ok().json
    counts = [body["rows_inserted"], body["rows_updated"], body["rows_deleted"]]
    assert sum(counts) == body["rows_affected"] and body["error_message"] is None
    return counts


# --- rows ---

def test_insert(sql, table):
    assert affected(sql(f"INSERT INTO {table} VALUES (10, 'x', 1, '2024-02-01', '{{\"a\": [1]}}'), "
                        "(11, NULL, NULL, NULL, NULL)")) == [2, 0, 0]
    assert rows(sql(f"SELECT name, amount, day, doc->'a' FROM {table} WHERE id >= 10 ORDER BY id")) \
        == [["x", 1.0, "2024-02-01", [1]], [None, None, None, None]]
    assert affected(sql(f"INSERT INTO {table} (name, id) SELECT upper(name), id + 100 FROM {table} "
                        "WHERE id < 2", "postgres")) == [2, 0, 0]
    assert rows(sql(f"SELECT id, name FROM {table} WHERE id >= 100 ORDER BY id")) == \
        [[100, "N0"], [101, "N1"]]
    assert affected(sql(f"INSERT INTO {table} (id, amount) VALUES (?, ?)", "mysql",
                        parameters=[200, 2.5])) == [1, 0, 0]
    assert affected(sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE false")) == [0, 0, 0]


def test_update(client, sql, table):
    assert affected(sql(f"UPDATE {table} SET amount = amount * 2, name = concat(name, '!') "
                        f"WHERE id = 3 OR id IN (SELECT max(id) FROM {table})")) == [0, 2, 0]
    wanted = [[3, "n0!", 9.0], [5, "n2!", 15.0]]
    assert rows(sql(f"SELECT id, name, amount FROM {table} WHERE name LIKE '%!' ORDER BY id")) == wanted
    client.post(f"/sources/{table}/flush", {}).ok()
    assert affected(sql(f"UPDATE {table} t SET name = s.v FROM (VALUES (3, 'three'), (4, 'four')) "
                        "AS s(k, v) WHERE t.id = s.k", "postgres")) == [0, 2, 0]
    assert rows(sql(f"SELECT id, name, doc FROM {table} WHERE id IN (3, 4) ORDER BY id")) == \
        [[3, "three", {"n": 3}], [4, "four", {"n": 4}]]
    assert affected(sql(f"UPDATE {table} SET name = ? WHERE id = ?", "mysql",
                        parameters=["by ?", 0])) == [0, 1, 0]
    assert rows(sql(f"SELECT name FROM {table} WHERE id = 0")) == [["by ?"]]
    assert rows(sql(f"SELECT count(*) FROM {table}")) == [[6]]


def test_delete(client, sql, table):
    assert affected(sql(f"DELETE FROM {table} WHERE amount > 6 OR name IS NULL")) == [0, 0, 1]
    client.post(f"/sources/{table}/flush", {}).ok()
    client.write(table, [{"id": 20, "name": "late"}])
    assert affected(sql(f"DELETE FROM {table} a USING {table} b WHERE a.id = b.id AND b.id IN (1, 20)",
                        "postgres")) == [0, 0, 2]
    assert rows(sql(f"SELECT id FROM {table} ORDER BY id")) == [[0], [2], [3], [4]]
    assert affected(sql(f"DELETE FROM {table} a USING range(3) r(n), range(2) s(n) WHERE a.id = 4")) \
        == [0, 0, 1]
    assert affected(sql(f"DELETE FROM {table}", "mysql")) == [0, 0, 3]
    assert rows(sql(f"SELECT count(*) FROM {table}")) == [[0]]
    assert affected(sql(f"DELETE FROM {table}")) == [0, 0, 0]


def test_merge(sql, table):
    text = (f"MERGE INTO {table} t USING (SELECT * FROM (VALUES (1, 10.0), (2, 20.0), (9, 90.0), "
            "(8, NULL)) AS v(k, x)) s ON t.id = s.k "
            "WHEN MATCHED AND s.k = 2 THEN DELETE "
            "WHEN MATCHED THEN UPDATE SET amount = t.amount + s.x "
            "WHEN NOT MATCHED AND s.x IS NOT NULL THEN INSERT (id, amount) VALUES (s.k, s.x)")
    assert affected(sql(text)) == [1, 1, 1]
    assert rows(sql(f"SELECT id, name, amount FROM {table} WHERE id IN (1, 2, 8, 9) ORDER BY id")) == \
        [[1, "n1", 11.5], [9, None, 90.0]]
    twice = (f"MERGE INTO {table} t USING (VALUES (1), (1)) s(k) ON t.id = s.k "
             "WHEN MATCHED THEN UPDATE SET amount = 0")
    sql(twice).refused(422, "unsupported_sql")
    assert rows(sql(f"SELECT amount FROM {table} WHERE id = 1")) == [[11.5]]


@pytest.mark.parametrize("text,status", [
    ("INSERT INTO {t} (id, name) VALUES (1)", 422),
    ("INSERT INTO {t} (id, name) SELECT id FROM {t}", 422),
    ("INSERT INTO {t} (id, id) VALUES (1, 2)", 422),
    ("INSERT INTO {t} (id) VALUES ('abc')", 400),
    ("INSERT INTO {t} (nope) VALUES (1)", 422),
    ("INSERT INTO nothing_at_all VALUES (1)", 404),
    ("UPDATE {t} SET id = 7", 422),
    ("UPDATE {t} SET nope = 7", 422),
    ("UPDATE {t} SET name = 'a', name = 'b'", 422),
    ("UPDATE {t} SET amount = 'abc' WHERE id = 1", 400),
    ("UPDATE {t} SET amount = 1 FROM (VALUES (1), (1)) s(k) WHERE s.k = id", 422),
    ("DELETE FROM {t} WHERE nope = 1", 422),
    ("DELETE FROM {t} WHERE id = 1 RETURNING id", 422),
])
def test_nothing_is_left_of_what_fails(sql, table, text, status):
    before = rows(sql(f"SELECT * FROM {table} ORDER BY id"))
    answer = sql(text.format(t=table))
    assert answer.status == status, answer.data
    assert rows(sql(f"SELECT * FROM {table} ORDER BY id")) == before


def test_write_id_counts_once(sql, table):
    for again in (False, True):
        answer = sql(f"INSERT INTO {table} (id) VALUES (50)", write_id="ins-1").ok().json
        assert answer["duplicate"] is again
        answer = sql(f"UPDATE {table} SET amount = coalesce(amount, 0) + 1 WHERE id = 50",
                     write_id="upd-1").ok().json
        assert answer["duplicate"] is again
    assert rows(sql(f"SELECT amount FROM {table} WHERE id = 50")) == [[1.0]]


# --- sources ---

def test_create_alter_drop(client, sql, name):
    answer = sql(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, price DECIMAL(10, 2) DEFAULT 1.5, "
                 "day DATE NOT NULL COMMENT 'the day', doc JSON) PARTITION BY (day)").ok().json
    assert "DECIMAL" in answer["warnings"][0]
    affected(sql(f"INSERT INTO {name} (id, day) VALUES (1, '2024-01-01')"))
    sql(f"INSERT INTO {name} (id) VALUES (2)").refused(422, "schema")
    assert rows(sql(f"SELECT id, price, day FROM {name}")) == [[1, 1.5, "2024-01-01"]]
    stats = client.get(f"/sources/{name}/stats").ok().json["detailed_stats"]
    assert (stats["partition_columns"], stats["key_columns"]) == (["day"], ["id"])
    affected(sql(f"ALTER TABLE {name} ADD COLUMN note VARCHAR DEFAULT 'new', RENAME COLUMN price TO cost"))
    affected(sql(f"ALTER TABLE {name} ALTER COLUMN day DROP NOT NULL"))
    affected(sql(f"ALTER TABLE {name} ALTER COLUMN id TYPE DOUBLE"))
    affected(sql(f"COMMENT ON COLUMN {name}.note IS 'a note'", "postgres"))
    assert rows(sql("SELECT name, type, required, comment FROM system.columns "
                    f"WHERE source = '{name}' ORDER BY position")) == [
        ["id", "double", False, None], ["cost", "double", False, None],
        ["day", "date", False, "the day"], ["doc", "json", False, None],
        ["note", "string", False, "a note"]]
    assert rows(sql(f"SELECT note FROM {name}")) == [["new"]]
    affected(sql(f"ALTER TABLE {name} DROP COLUMN note"))
    sql(f"SELECT note FROM {name}").refused(422, "UNKNOWN_COLUMN")
    sql(f"CREATE TABLE {name} (a INT)").refused(409, "conflict")
    affected(sql(f"CREATE TABLE IF NOT EXISTS {name} (a INT)"))
    affected(sql(f"DROP TABLE {name}"))
    sql(f"DROP TABLE {name}").refused(404, "unknown_source")
    affected(sql(f"DROP TABLE IF EXISTS {name}"))


def test_create_table_as(client, sql, table):
    copy = table + "_as"
    assert affected(sql(f"CREATE TABLE {copy} AS SELECT day, count(*) AS n, sum(id) / 4 AS q, "
                        f"list(name) AS names FROM {table} WHERE id < 3 GROUP BY day", "duckdb")) \
        == [3, 0, 0]
    assert rows(sql(f"SELECT * FROM {copy} ORDER BY day LIMIT 1")) == [["2024-01-01", 1, 0.0, ["n0"]]]
    assert [c["type"] for c in client.get(f"/sources/{copy}/schema").ok().json["columns"]] == \
        ["date", "int64", "double", "json"]
    broken = table + "_broken"
    assert sql(f"CREATE TABLE {broken} AS SELECT CAST(name AS BIGINT) AS x FROM {table}").status == 400
    client.get(f"/sources/{broken}/schema").refused(404)
    sql(f"CREATE TABLE {broken} (a TIME)").refused(422, "unsupported_sql")
    sql(f"CREATE TABLE {broken} (a INT DEFAULT now())").refused(422)
    client.get(f"/sources/{broken}/schema").refused(404)


# --- looking ---

def test_system_tables(client, sql, table):
    client.post(f"/sources/{table}/flush", {}).ok()
    assert rows(sql(f"SELECT row_count, files, key_columns FROM system.sources WHERE source = '{table}'")) \
        == [[6, 1, "id"]]
    assert rows(sql("SELECT f.row_count, f.deleted_rows, s.operation FROM system.files f JOIN "
                    f"system.snapshots s USING (source) WHERE source = '{table}'")) == [[6, 0, "append"]]
    assert rows(sql(f"SELECT column_name, min, max, nulls FROM system.statistics WHERE source = '{table}' "
                    "AND column_name IN ('id', 'day') ORDER BY 1", "postgres")) == \
        [["day", "2024-01-01", "2024-01-06", 0], ["id", "0", "5", 0]]
    assert rows(sql("SELECT column_name, data_type FROM information_schema.columns "
                    f"WHERE table_name = '{table}' ORDER BY ordinal_position LIMIT 2", "postgres")) == \
        [["id", "bigint"], ["name", "text"]]
    assert rows(sql("SELECT count(*) FROM system.queries", "mysql")) == [[0]]
    assert "/" not in rows(sql(f"SELECT path FROM system.files WHERE source = '{table}'"))[0][0][:1]
    sql("SELECT nope FROM system.files").refused(422, "UNKNOWN_COLUMN")


def test_show_and_explain(sql, table):
    assert [table, 6] in rows(sql("SHOW TABLES"))
    wanted = ["id", "int64", "YES", "PRI", None]
    assert rows(sql(f"SHOW COLUMNS FROM {table}", "mysql"))[0] == wanted
    assert rows(sql(f"DESCRIBE {table}", "mysql"))[0] == wanted
    sql("DESCRIBE nothing_at_all", "mysql").refused(404, "unknown_source")
    sql("SHOW PROCESSLIST", "mysql").refused(422)
    assert len(rows(sql(f"EXPLAIN SELECT name FROM {table} WHERE id > 3 LIMIT 2", "mysql"))) == 1
    for more in ({}, {"explain": True}):
        text = f"{'' if more else 'EXPLAIN '}DELETE FROM {table}"
        sql(text, **more).refused(422, "unsupported_sql")
    assert rows(sql(f"SELECT count(*) FROM {table}")) == [[6]]


# --- rights, durability ---

def test_rights(tmp_path, new_server):
    server = new_server("guarded", settings=["--auth-required=yes"])
    admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
    tokens = {role: make_user(server, admin, role, role)["access_token"] for role in ("reader", "writer")}
    node = server.client("tenant")

    def run(who, text):
        return node.request("POST", "/query/sql", {"query": text}, bearer(tokens.get(who, admin)))

    run("reader", "CREATE TABLE t (a BIGINT)").refused(403, "forbidden")
    run("writer", "CREATE TABLE t (a BIGINT)").ok()
    for text in ("INSERT INTO t VALUES (1)", "UPDATE t SET a = 2", "DELETE FROM t",
                 "MERGE INTO t USING (VALUES (1)) s(k) ON a = k WHEN NOT MATCHED THEN INSERT VALUES (k)"):
        run("reader", text).refused(403, "forbidden")
        run("writer", text).ok()
    for text in ("ALTER TABLE t ADD COLUMN b BIGINT", "DROP TABLE t"):
        run("reader", text).refused(403, "forbidden")
        run("writer", text).refused(403, "forbidden")
    run("reader", "SELECT count(*) FROM t").ok()
    run("admin", "DROP TABLE t").ok()


def test_changes_survive_a_kill(new_server):
    server = new_server("killed")
    client = server.client()

    def run(text):
        return client.post("/query/sql", {"query": text}).ok().json

    run("CREATE TABLE t (id BIGINT PRIMARY KEY, x VARCHAR DEFAULT 'd')")
    run("INSERT INTO t (id) SELECT * FROM range(1000)")
    run("UPDATE t SET x = 'u' WHERE id % 2 = 0")
    run("DELETE FROM t WHERE id >= 500")
    server.kill()
    server.start()
    client = server.client()
    assert run("SELECT x, count(*) FROM t GROUP BY x ORDER BY x")["rows"] == [["d", 250], ["u", 250]]

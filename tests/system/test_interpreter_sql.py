"""The SQL front over HTTP: /parse/sql and its aliases, and /query/sql in other dialects."""

import pytest


@pytest.fixture(scope="module")
def interpreter(server):
    return server.client("interpreter")


@pytest.fixture(scope="module")
def shop(session_client):
    client = session_client
    client.add_source("front_sales", {"id": "int64", "customer": "string", "amount": "float64",
                                      "note": "string"})
    client.write("front_sales", [
        {"id": n, "customer": f"c{n % 3}", "amount": n * 1.5, "note": None if n % 2 else f"n{n}"}
        for n in range(6)])
    return client


def parse(client, text, **more):
    return client.post("/parse/sql", {"query": text, **more})


def test_parse(interpreter):
    answer = parse(interpreter, "SELECT customer_id, SUM(amount) AS total FROM sales_data s "
                   "WHERE order_date >= '2024-01-01' GROUP BY customer_id "
                   "ORDER BY total DESC LIMIT 5").ok().json
    assert answer["success"] is True and answer["statement"] == "select"
    assert answer["dialect"] == "mysql" and answer["target"] == "duckdb"
    assert [(t["name"], t["alias"]) for t in answer["tables"]] == [("sales_data", "s")]
    assert answer["columns"] == ["sales_data.customer_id", "sales_data.amount",
                                 "sales_data.order_date"]
    assert answer["filters"] == [{"table": "sales_data", "column": "order_date",
                                  "operator": "gte", "value": "2024-01-01"}]
    total = answer["aggregations"][0]
    assert (total["function"], total["column"], total["alias"]) == ("sum", "amount", "total")
    assert answer["group_by"] == ["customer_id"] and answer["limit"] == 5
    assert answer["order_by"] == [{"expression": "total", "direction": "desc"}]
    assert len(answer["fingerprint"]) == 16 and answer["errors"] == []
    assert answer["output_columns"][1]["lineage"] == ["sales_data.amount"]
    tree = answer["parsed_query"]["tree"]
    assert tree["kind"] == "select" and answer["parsed_query"]["dialect"] == "mysql"
    plan = interpreter.post("/transform/query", {"parsed_query": answer["parsed_query"]}).ok()
    assert plan.json["success"] is True


def test_joins_and_targets(interpreter):
    text = "SELECT a.x FROM a LEFT JOIN b ON a.id = b.id ORDER BY a.x DESC"
    answer = parse(interpreter, text, dialect="postgres").ok().json
    assert answer["joins"] == [{"type": "left", "table": "b", "condition": "a.id = b.id"}]
    assert answer["sql"].endswith("ORDER BY a.x DESC NULLS FIRST")
    answer = parse(interpreter, "SELECT IF(a > 1, 'x', b) FROM t", target="postgres").ok().json
    assert answer["sql"] == "SELECT CASE WHEN a > 1 THEN 'x' ELSE b END FROM t"
    assert parse(interpreter, "SELECT 1", target="oracle").status == 400
    answer = interpreter.post("/sql/transpile", {"sql": "SELECT 7 / 2", "to_dialect": "duckdb"})
    assert answer.ok().json["sql"] == "SELECT 7 // 2"
    answer = interpreter.post("/sql/format", {"sql": "select  a from\n t"})
    assert answer.ok().json["formatted_sql"] == "SELECT a FROM t"
    assert interpreter.post("/sql/parse", {"sql": "SELECT 1"}).ok().json["statement"] == "select"
    assert "snowflake" in interpreter.get("/status").ok().json["dialects"]
    assert "/parse/sql" in interpreter.get("/").ok().json["routes"]


@pytest.mark.parametrize("text,more,status,code", [
    ("SELEC 1", {}, 400, "PARSE_ERROR"),
    ("SELECT * FROM t WHERE (a = 1", {}, 400, "PARSE_ERROR"),
    ("SELECT frobnicate(a) FROM t", {}, 422, "UNSUPPORTED"),
    ("SELECT 1", {"dialect": "klingon"}, 400, "UNKNOWN_DIALECT"),
    ("SELECT " + "(" * 5000 + "1", {}, 413, "TOO_LARGE"),
])
def test_errors(interpreter, text, more, status, code):
    answer = parse(interpreter, text, **more)
    assert answer.status == status
    assert answer.json["success"] is False and answer.json["error"]["code"] == code
    if code == "PARSE_ERROR":
        assert answer.json["errors"][0]["line"] == 1
    if code == "UNSUPPORTED":
        assert answer.json["error"]["offset"] == 7


def test_error_hints(interpreter):
    error = parse(interpreter, "SELECT a,\n lenth(b) FROM t").json["error"]
    assert (error["line"], error["column"], error["nearest"]) == (2, 2, "length")
    error = parse(interpreter, "SELECT * FROM t ORDER a").json["error"]
    assert error["expected"] == ["BY"] and error["found"] == "a"


def sql(client, text, dialect):
    return client.post("/query/sql", {"query": text, "dialect": dialect})


def rows(answer):
    return [list(row.values()) if isinstance(row, dict) else row for row in answer.ok().json["rows"]]


def test_query_in_dialects(shop):
    text = "SELECT `id`, IFNULL(note, 'none') AS n FROM front_sales ORDER BY note, id LIMIT 1, 2"
    assert rows(sql(shop, text, "mysql")) == [[3, "none"], [5, "none"]]
    text = "SELECT note FROM front_sales ORDER BY note DESC LIMIT 1"
    assert rows(sql(shop, text, "postgres")) == [[None]]
    text = "SELECT TOP 2 [id] FROM front_sales ORDER BY [id] DESC"
    assert rows(sql(shop, text, "tsql")) == [[5], [4]]
    text = "SELECT countIf(amount > 3) FROM front_sales"
    assert rows(sql(shop, text, "clickhouse")) == [[3]]


@pytest.mark.parametrize("text,dialect,status", [
    ("SELECT * FROM `/etc/passwd`", "mysql", 403),
    ("SELECT * FROM information_schema.routines", "postgres", 403),
    ("TRUNCATE front_sales", "mysql", 403),
    ("SELECT frobnicate(1)", "mysql", 422),
    ("SELECT 1 +", "mysql", 400),
    ("SELECT * FROM no_such_source", "mysql", 404),
    ("SELECT 1", "klingon", 400),
])
def test_query_refusals(shop, text, dialect, status):
    assert sql(shop, text, dialect).status == status

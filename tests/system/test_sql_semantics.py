"""Names and types of SQL against the tenant's sources (/query/sql) and a given schema
(/parse/sql), and what types change: division over integer columns."""

import pytest


@pytest.fixture(scope="module")
def shop(session_client):
    client = session_client
    client.add_source("sem_sales", {"id": "int64", "customer": "string", "amount": "float64",
                                    "quantity": "int64"})
    client.write("sem_sales", [{"id": n, "customer": f"c{n % 3}", "amount": n * 1.5,
                                "quantity": n - 2} for n in range(6)])
    return client


def sql(client, text, dialect="postgres"):
    return client.post("/query/sql", {"query": text, "dialect": dialect})


def test_all_mistakes_at_once(shop):
    answer = sql(shop, "SELECT custmer,\n  amont\nFROM sem_sales")
    assert answer.refused(422, "UNKNOWN_COLUMN")["detail"]["line"] == 1
    assert [(e["code"], e["line"], e["column"], e["nearest"]) for e in answer.json["errors"]] == [
        ("UNKNOWN_COLUMN", 1, 8, "customer"), ("UNKNOWN_COLUMN", 2, 3, "amount")]


@pytest.mark.parametrize("text,dialect,status,code", [
    ("SELECT * FROM sem_sale", "postgres", 404, "unknown_source"),
    ("SELECT id FROM sem_sales a JOIN sem_sales b ON a.id = b.id", "mysql", 422,
     "AMBIGUOUS_COLUMN"),
    ("SELECT id FROM sem_sales WHERE customer = 5", "trino", 422, "TYPE_MISMATCH"),
    ("SELECT customer, id, count(*) FROM sem_sales GROUP BY customer", "duckdb", 422,
     "NOT_GROUPED"),
    ("SELECT id FROM sem_sales WHERE count(*) > 1", "mysql", 422, "BAD_AGGREGATE"),
    ("SELECT row_number() FROM sem_sales", "duckdb", 422, "BAD_WINDOW"),
    ("SELECT nullif(id) FROM sem_sales", "duckdb", 422, "WRONG_ARGUMENTS"),
])
def test_mistakes(shop, text, dialect, status, code):
    answer = sql(shop, text, dialect)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.json["errors"][0]["line"] == 1


@pytest.mark.parametrize("dialect", ["postgres", "sqlite", "tsql", "presto", "trino", "redshift"])
def test_division_of_integers(shop, dialect):
    answer = sql(shop, "SELECT quantity / 2 AS h FROM sem_sales ORDER BY id", dialect).ok().json
    assert [row[0] for row in answer["rows"]] == [-1, 0, 0, 0, 1, 1]
    answer = sql(shop, "SELECT h / 2 AS h FROM (SELECT quantity AS h FROM sem_sales) q "
                 "ORDER BY h", dialect).ok().json
    assert [row[0] for row in answer["rows"]] == [-1, 0, 0, 0, 1, 1]


def test_other_divisions(shop):
    text = "SELECT quantity / 2 AS h FROM sem_sales WHERE id = 3"
    for dialect in ("mysql", "snowflake", "bigquery", "duckdb"):
        assert sql(shop, text, dialect).ok().json["rows"] == [[0.5]]
    text = "SELECT amount / 2 AS h FROM sem_sales WHERE id = 3"
    assert sql(shop, text).ok().json["rows"] == [[2.25]]
    assert sql(shop, "SELECT id / (quantity + 2 - id) FROM sem_sales WHERE id = 3").status == 400
    answer = sql(shop, "SELECT id / (quantity + 2 - id) FROM sem_sales WHERE id = 3", "sqlite")
    assert answer.ok().json["rows"] == [[None]]


def test_parse_with_schema(server):
    interpreter = server.client("interpreter")
    schema = {"t": {"a": "int64", "b": "string"}}

    def parse(text, **more):
        return interpreter.post("/parse/sql", {"query": text, "dialect": "postgres", **more})

    assert parse("SELECT a / 2 FROM t").ok().json["sql"] == "SELECT a / 2 FROM t"
    assert parse("SELECT a / 2 FROM t", schema=schema).ok().json["sql"] == "SELECT a // 2 FROM t"
    answer = parse("SELECT c, a FROM t WHERE b = 1", schema=schema)
    assert answer.status == 422
    assert [e["code"] for e in answer.json["errors"]] == ["UNKNOWN_COLUMN", "TYPE_MISMATCH"]
    assert parse("SELECT c FROM u", schema=schema).json["error"]["code"] == "UNKNOWN_TABLE"
    assert parse("SELECT c FROM u", schema={"t": 5}).status == 400

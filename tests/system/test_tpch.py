"""TPC-H's 22 queries at a tiny scale: over files, and over files, rows in memory and deleted rows
together; answers as DuckDB gives them on the same rows."""

import pytest
from lib import tpch
from lib.duck import Duck, literal, same_rows
from lib.quarry import shared

SCALE = 0.01
ENGINE_TYPES = {"int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "date": "DATE"}
DROPPED = "l_orderkey % 7 = 0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    shared("sql-cases")
    folder = tmp_path_factory.mktemp("tpch")
    tpch.generate(folder, SCALE)
    return folder


@pytest.fixture(scope="module")
def duck(folder):
    duck = Duck()
    for table, schema in tpch.TABLES.items():
        columns = ", ".join(f"'{name}': '{ENGINE_TYPES[kind]}'" for name, kind in schema.items())
        duck.run(f"CREATE TABLE {table} AS SELECT * FROM "
                 f"read_csv({literal(folder / (table + '.csv'))}, header = true, columns = {{{columns}}})")
    yield duck
    duck.close()


def load(client, folder, table, schema):
    """Half of the rows in a file, half in memory."""
    lines = (folder / f"{table}.csv").read_text().splitlines(keepends=True)
    head, rows = lines[0], lines[1:]
    client.add_source(table, schema)
    for half in (rows[:len(rows) // 2], rows[len(rows) // 2:]):
        client.request("POST", f"/data/load?source_id={table}&format=csv", head + "".join(half),
                       {"Content-Type": "text/csv"}).ok()
        if half[:1] == rows[:1]:
            client.flush(table)


def test_all_queries(folder, duck, new_server):
    client = new_server().client()
    for table, schema in tpch.TABLES.items():
        load(client, folder, table, schema)
    compare(client, duck)
    client.sql(f"DELETE FROM lineitem WHERE {DROPPED}", dialect="duckdb").ok()
    duck.run(f"DELETE FROM lineitem WHERE {DROPPED}")
    compare(client, duck)


def compare(client, duck):
    for name, sql in tpch.queries():
        ours = client.sql(sql, dialect="duckdb").ok().json["rows"]
        assert same_rows(ours, duck.rows(sql)), f"{name}: {sql}"

"""The forms of an answer hold the same rows; large answers come in pieces."""

import csv
import io
import json

from lib import arrow

COLUMNS = {"i": "int64", "d": "double", "s": "string", "b": "bool", "day": "date", "t": "timestamp", "j": "json"}
ROWS = [{"i": 1, "d": 0.5, "s": "ä", "b": True, "day": "2024-02-29", "t": "1970-01-01T00:00:01Z", "j": {"a": [1]}},
        {"i": None, "d": None, "s": "", "b": None, "day": None, "t": None, "j": None},
        {"i": -2**63, "d": -1e300, "s": "x\ny", "b": False, "day": "1969-12-31", "t": "1969-12-31T23:59:59Z", "j": 3}]


def get(client, query, form, **more):
    return client.post("/query/sql", {"query": query, "format": form, **more}).ok()


def test_arrow(client, name):
    client.add_source(name, COLUMNS)
    client.write(name, ROWS)
    for hint in ("pruned_scan", "duckdb"):
        answer = get(client, f"SELECT * FROM {name}", "arrow", hint={"access_path": hint})
        assert answer.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
        fields, found, _ = arrow.read(answer.data)
        assert fields == [("i", "int64"), ("d", "float64"), ("s", "utf8"), ("b", "bool"), ("day", "date32"),
                          ("t", "timestamp"), ("j", "utf8")]
        assert found["i"] == [1, None, -2**63] and found["d"] == [0.5, None, -1e300]
        assert found["s"] == ["ä", "", "x\ny"] and found["b"] == [True, None, False]
        assert found["day"] == [19782, None, -1] and found["t"] == [1000000, None, -1000000]
        assert [j and json.loads(j) for j in found["j"]] == [{"a": [1]}, None, 3]
    fields, found, batches = arrow.read(get(client, f"SELECT i, s FROM {name} WHERE i > 5", "arrow").data)
    assert fields == [("i", "int64"), ("s", "utf8")] and found == {"i": [], "s": []} and batches == 0


def test_parquet_is_read_back(client, name):
    client.add_source(name, COLUMNS)
    client.write(name, ROWS)
    answer = get(client, f"SELECT * FROM {name}", "parquet")
    assert answer.headers["Content-Type"] == "application/vnd.apache.parquet"
    assert answer.data[:4] == answer.data[-4:] == b"PAR1"
    copy = name + "_copy"
    client.add_source(copy, COLUMNS)
    client.request("POST", f"/data/load?source_id={copy}&format=parquet", answer.data,
                   {"Content-Type": "application/vnd.apache.parquet"}).ok()
    query = "SELECT i, d, s, b, day, t, j FROM {} ORDER BY i NULLS FIRST"
    assert client.rows(query.format(copy)) == client.rows(query.format(name))


def test_large_answers_in_every_form(client, name):
    client.add_source(name, {"i": "int64", "s": "string"})
    client.write(name, [{"i": i, "s": f"text {i}"} for i in range(30000)])
    query = f"SELECT i, s FROM {name}"
    _, found, batches = arrow.read(get(client, query, "arrow").data)
    assert batches > 1 and sorted(found["i"]) == list(range(30000))
    assert found["s"] == [f"text {i}" for i in found["i"]]
    rows = list(csv.reader(io.StringIO(get(client, query, "csv").text)))
    assert rows[0] == ["i", "s"] and len(rows) == 30001
    assert len(get(client, query, "ndjson").lines()) == len(get(client, query, "json").json["rows"]) == 30000


def test_accept_chooses(client, name):
    client.add_source(name, {"i": "int64"})
    client.write(name, [{"i": 1}])
    body = json.dumps({"query": f"SELECT i FROM {name}"})
    for accept, kind in (("text/csv", "text/csv"), ("application/x-ndjson", "application/x-ndjson"),
                         ("application/vnd.apache.arrow.stream;q=1", "application/vnd.apache.arrow.stream"),
                         ("application/vnd.apache.parquet, */*", "application/vnd.apache.parquet"),
                         ("*/*", "application/json"), ("application/json", "application/json")):
        answer = client.request("POST", "/query/sql", body, {"Content-Type": "application/json", "Accept": accept})
        assert answer.ok().headers["Content-Type"] == kind
    client.post("/query/sql", {"query": "SELECT 1", "format": "xml"}).refused(400, "invalid_argument")

"""Columns changed by their owner: every reader follows, old files stay right, values that were
dropped never come back."""

import threading
import time

import pytest


def change(client, source, *changes, **more):
    return client.post(f"/sources/{source}/schema", {"changes": list(changes), **more})


def columns(client, source):
    return client.get(f"/sources/{source}/schema").ok().json["columns"]


def names(client, source):
    return [c["name"] for c in columns(client, source)]


def sql(client, text, **more):
    return client.post("/query/sql", {"query": text, "dialect": "duckdb", "format": "ndjson",
                                      **more}).ok().lines()


def compact(client, source):
    """Joins all files and waits for it."""
    answer = client.post("/metadata/compact", {"source_id": source, "min_file_size_mb": 100})
    job, until = answer.ok(202).json["job_id"], time.monotonic() + 20
    while client.get(f"/metadata/compact/{job}").ok().json["job"]["status"] != "completed":
        assert time.monotonic() < until
        time.sleep(0.01)


def both(client, source, rows, key="id"):
    """The rows by search and by SQL, in the order of `key`."""
    found = sorted(client.search(source), key=lambda r: r[key])
    assert found == rows
    assert sql(client, f'SELECT * FROM "{source}" ORDER BY {key}') == rows


def test_shown(client, name):
    client.add_source(name, {"id": "int64", "day": "date"}, partition_columns=["day"],
                      index_columns=["id"])
    client.write(name, [{"id": 1, "day": "2024-01-01", "word": "w"}])
    answer = client.get(f"/sources/{name}/schema").ok().json
    assert [c["name"] for c in answer["columns"]] == ["id", "day", "word"]
    first, day, word = answer["columns"]
    assert first == {"id": 1, "name": "id", "type": "int64", "required": False, "declared": True,
                     "comment": None, "initial_default": None, "default": None,
                     "partition": False, "indexed": True}
    assert day["partition"] and not word["declared"] and word["type"] == "string"
    client.get("/sources/nobody/schema").refused(404, "unknown_source")


def test_rename_drop_and_add_again(client, name):
    client.add_source(name, {"id": "int64", "a": "string", "b": "string"})
    client.write(name, [{"id": 1, "a": "old", "b": "x"}])
    client.flush(name)
    client.write(name, [{"id": 2, "a": "new", "b": "y"}])  # unflushed
    before = client.get(f"/sources/{name}/snapshots").ok().json["snapshots"][0]["snapshot_id"]
    change(client, name, {"op": "rename", "column": "a", "to": "c"}).ok()
    both(client, name, [{"id": 1, "c": "old", "b": "x"}, {"id": 2, "c": "new", "b": "y"}])
    client.write(name, [{"id": 3, "c": "later", "b": "z"}])
    assert [r["id"] for r in client.search(name, filters={"c": {"eq": "old"}})] == [1]
    # a state of before shows its own names
    old = client.search(name, as_of=before)
    assert old == [{"id": 1, "a": "old", "b": "x"}]
    assert sql(client, f'SELECT a FROM "{name}"', as_of=before) == [{"a": "old"}]
    # dropped and added again: empty, another id
    dropped = columns(client, name)[1]["id"]
    change(client, name, {"op": "drop", "column": "c"}).ok()
    both(client, name, [{"id": i, "b": b} for i, b in ((1, "x"), (2, "y"), (3, "z"))])
    change(client, name, {"op": "add", "column": "c", "type": "int64"}).ok()
    assert columns(client, name)[-1]["id"] > dropped
    client.write(name, [{"id": 4, "b": "q", "c": 7}])
    both(client, name, [{"id": 1, "b": "x", "c": None}, {"id": 2, "b": "y", "c": None},
                        {"id": 3, "b": "z", "c": None}, {"id": 4, "b": "q", "c": 7}])
    client.flush(name)
    compact(client, name)
    both(client, name, [{"id": 1, "b": "x", "c": None}, {"id": 2, "b": "y", "c": None},
                        {"id": 3, "b": "z", "c": None}, {"id": 4, "b": "q", "c": 7}])


def test_names_swapped_in_one_step(client, name):
    client.add_source(name, {"id": "int64", "a": "string", "b": "string"}, index_columns=["a"])
    client.write(name, [{"id": 1, "a": "A", "b": "B"}])
    change(client, name, {"op": "rename", "column": "a", "to": "t"},
           {"op": "rename", "column": "b", "to": "a"}, {"op": "rename", "column": "t", "to": "b"},
           {"op": "move", "column": "a", "first": True}).ok()
    assert names(client, name) == ["a", "id", "b"]
    both(client, name, [{"a": "B", "id": 1, "b": "A"}])
    assert [c["name"] for c in columns(client, name) if c["indexed"]] == ["b"]
    client.write(name, [{"id": 2, "a": "B2", "b": "A2"}])
    client.flush(name)
    assert client.search(name, filters={"b": {"eq": "A2"}}) == [{"a": "B2", "id": 2, "b": "A2"}]
    client.add_source(name, {"id": "int64", "a": "string", "b": "string"},
                      index_columns=["a"])  # the first declaration again: still the same source


def test_partition_column_renamed(client, name):
    client.add_source(name, {"id": "int64", "day": "date"}, partition_columns=["day"])
    client.write(name, [{"id": 1, "day": "2024-01-01"}, {"id": 2, "day": "2024-01-02"}])
    client.flush(name)
    change(client, name, {"op": "drop", "column": "day"}).refused(409, "conflict")
    change(client, name, {"op": "rename", "column": "day", "to": "date"}).ok()
    client.write(name, [{"id": 3, "date": "2024-01-02"}])
    client.flush(name)
    both(client, name, [{"id": 1, "date": "2024-01-01"}, {"id": 2, "date": "2024-01-02"},
                        {"id": 3, "date": "2024-01-02"}])
    assert [r["id"] for r in client.search(name, filters={"date": {"eq": "2024-01-01"}})] == [1]


DEFAULTS = [("int64", 42, 7), ("double", 2.5, -1.0), ("string", "it's", ""), ("bool", True, False),
            ("date", "2024-02-29", "1970-01-01"), ("json", {"a": [1, "x"]}, [])]


@pytest.mark.parametrize("kind,first,later", DEFAULTS, ids=[d[0] for d in DEFAULTS])
def test_defaults(client, name, kind, first, later):
    client.add_source(name, {"id": "int64"})
    client.write(name, [{"id": 1}, {"id": 2}])
    client.flush(name)
    client.write(name, [{"id": 3}])
    change(client, name, {"op": "add", "column": "v", "type": kind, "default": first}).ok()
    client.write(name, [{"id": 4}, {"id": 5, "v": None}, {"id": 6, "v": later}])
    change(client, name, {"op": "set_default", "column": "v", "default": later}).ok()
    client.write(name, [{"id": 7}])
    client.write(name, [{"id": 8, "v": None}])
    change(client, name, {"op": "set_default", "column": "v", "default": None}).ok()
    client.write(name, [{"id": 9}])
    values = [first, first, first, first, None, later, later, None, None]
    rows = [{"id": i + 1, "v": v} for i, v in enumerate(values)]

    def check():
        found = sorted(client.search(name), key=lambda r: r["id"])
        assert found == rows
        assert [r["id"] for r in client.search(name, filters={"v": {"eq": None}})] == [5, 8, 9] \
            or kind == "json"
        if kind != "json":
            ids = sorted(r["id"] for r in client.search(name, filters={"v": {"eq": first}}))
            assert ids == [1, 2, 3, 4]
            answer = client.post("/data/aggregate", {
                "source_ids": [name], "group_by": ["v"],
                "aggregations": [{"type": "count", "alias": "n"}]}).ok().json
            assert "4" in str(answer)
            total = client.post("/data/aggregate", {
                "source_ids": [name],
                "aggregations": [{"type": "count", "column": "v", "alias": "n"}]}).ok().text
            assert '"n":6' in total.replace(" ", "")
        by_sql = sql(client, f'SELECT id FROM "{name}" WHERE v IS NULL ORDER BY id')
        assert [r["id"] for r in by_sql] == [5, 8, 9]
        if kind not in ("json", "double"):
            by_sql = sql(client, f'SELECT id, v FROM "{name}" ORDER BY id')
            assert by_sql == rows

    check()
    client.flush(name)
    check()
    compact(client, name)
    check()


def test_required(client, name):
    client.add_source(name, {"id": "int64", "a": "string"})
    client.write(name, [{"id": 1, "a": "x"}])
    change(client, name, {"op": "set_required", "column": "a", "required": True}).ok()
    error = client.post("/data/write", {"source_id": name, "records": [
        {"fields": {"id": 2, "a": "y"}}, {"fields": {"id": 3}}]}).refused(422, "schema")
    assert error["detail"]["record"] == 1 and error["detail"]["field"] == "a"
    client.write(name, [{"id": 4, "a": "z"}])
    change(client, name, {"op": "set_required", "column": "a", "required": False}).ok()
    client.write(name, [{"id": 5}])
    change(client, name, {"op": "set_required", "column": "a",
                          "required": True}).refused(409, "conflict")
    change(client, name, {"op": "add", "column": "b", "type": "string",
                          "required": True}).refused(409, "conflict")
    change(client, name, {"op": "add", "column": "b", "type": "string", "default": "d",
                          "required": True}).ok()
    client.write(name, [{"id": 6}])
    assert sorted((r["id"], r["b"]) for r in client.search(name)) == [
        (i, "d") for i in (1, 4, 5, 6)]


def test_widen_comment_and_refusals(client, name):
    client.add_source(name, {"n": "int64", "day": "date", "s": "string", "big": "int64"},
                      index_columns=["n"])
    client.write(name, [{"n": 1, "day": "2024-01-01", "s": "x", "big": 2**60}])
    client.flush(name)
    first = client.get(f"/sources/{name}/schema").ok().json["schema_id"]
    answer = change(client, name, {"op": "widen", "column": "n", "type": "double"},
                    {"op": "widen", "column": "day", "type": "timestamp"},
                    {"op": "comment", "column": "s", "comment": "what it says"}, schema_id=first)
    shown = answer.ok().json
    assert shown["schema_id"] > first
    assert [c["type"] for c in shown["columns"]] == ["double", "timestamp", "string", "int64"]
    assert shown["columns"][2]["comment"] == "what it says"
    client.write(name, [{"n": 1.5, "day": "2024-01-01T12:00:00", "s": "y", "big": 1}])
    assert sorted(r["n"] for r in client.search(name)) == [1, 1.5]
    assert [r["s"] for r in client.search(name, filters={"n": {"eq": 1}})] == ["x"]
    refused = [
        (409, {"op": "drop", "column": "n"}),
        (409, {"op": "rename", "column": "n", "to": "s"}),
        (409, {"op": "add", "column": "s", "type": "string"}),
        (409, {"op": "widen", "column": "big", "type": "double"}),
        (404, {"op": "drop", "column": "nobody"}),
        (400, {"op": "widen", "column": "s", "type": "int64"}),
        (400, {"op": "add", "column": "", "type": "string"}),
        (400, {"op": "add", "column": "q", "type": "what"}),
        (400, {"op": "add", "column": "q"}),
        (400, {"op": "add", "column": "q", "type": "int64", "default": "five"}),
        (400, {"op": "add", "column": "q", "type": "int64", "first": True, "after": "s"}),
        (400, {"op": "comment", "column": "s", "comment": "x" * 5000}),
        (400, {"op": "fly", "column": "s"}),
    ]
    for status, step in refused:
        change(client, name, {"op": "add", "column": "never", "type": "string"},
               step).refused(status)
    change(client, name, {"op": "drop", "column": "s"}, schema_id=first).refused(409, "conflict")
    client.post(f"/sources/{name}/schema", {"changes": []}).refused(400)
    assert names(client, name) == ["n", "day", "s", "big"]  # none of it happened


def test_after_a_crash(new_server):
    server = new_server(node=True)
    client = server.client()
    client.add_source("s", {"id": "int64", "a": "string"}, index_columns=["a"])
    client.write("s", [{"id": 1, "a": "x"}])
    change(client, "s", {"op": "rename", "column": "a", "to": "b"},
           {"op": "add", "column": "c", "type": "int64", "default": 5, "comment": "five"},
           {"op": "move", "column": "c", "first": True}).ok()
    client.write("s", [{"id": 2, "b": "y"}, {"id": 3, "b": "z", "c": None}])
    shown = columns(client, "s")
    rows = [{"c": 5, "id": 1, "b": "x"}, {"c": 5, "id": 2, "b": "y"}, {"c": None, "id": 3, "b": "z"}]
    for _ in range(2):
        server.kill()
        server.start()
        client = server.client()
        assert columns(client, "s") == shown
        both(client, "s", rows)
    client.flush("s")
    server.kill()
    server.start()
    both(server.client(), "s", rows)


def test_writers_go_on_meanwhile(client, name):
    """Each record says under which name it was sent; no value may end under another."""
    client.add_source(name, {"id": "int64", "a0": "string"})
    stop, written, failed = threading.Event(), [], []

    def write(number):
        k = 0
        while not stop.is_set():
            ident = number * 1000000 + k
            answer = client.post("/data/write", {"source_id": name, "records": [
                {"fields": {"id": ident}}]})
            (written if answer.status == 200 else failed).append(ident)
            k += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for i in range(10):
        change(client, name, {"op": "rename", "column": f"a{i}", "to": f"a{i + 1}"}).ok()
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == [] and len(written) > 10
    assert sorted(r["id"] for r in client.search(name)) == sorted(written)
    assert names(client, name) == ["id", "a10"]

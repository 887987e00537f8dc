"""The public JSON test suite over HTTP: y_ is stored and comes back, n_ is refused and leaves
nothing, i_ may do either and harms nothing. Each file as a value inside a record and as the record
itself, in the JSON and in the NDJSON form."""

import json

import pytest

from lib.quarry import shared

# Valid JSON, yet no record: names that a column cannot have, or a column given twice.
NO_RECORDS = {"y_object_duplicated_key", "y_object_duplicated_key_and_value", "y_object_empty_key",
              "y_object_escaped_null_in_key"}


def files(kind):
    try:
        folder = shared("conformance/json/test_parsing")
    except pytest.skip.Exception as reason:
        return [pytest.param(None, id=kind, marks=pytest.mark.skip(str(reason)))]
    found = [pytest.param(path, id=path.stem) for path in sorted(folder.glob(kind + "_*.json"))]
    assert len(found) == {"y": 95, "n": 188, "i": 35}[kind]
    return found


@pytest.fixture(scope="module")
def source(session_client):
    return session_client.add_source("json_suite", {"name": "string", "v": "json"})


def write_ndjson(client, source, body):
    return client.post(f"/data/write?source_id={source}", body,
                       {"Content-Type": "application/x-ndjson"})


def write_json(client, source, fields):
    body = b'{"source_id": "%s", "records": [{"fields": %s}]}' % (source.encode(), fields)
    return client.post("/data/write", body)


def wrapped(name, content):
    return b'{"name": "%s", "v": %s}' % (name.encode(), content)


def stored(client, source, name):
    return client.search(source, filters={"name": {"eq": name}})


def same(found, text):
    return json.dumps(found) == json.dumps(json.loads(text))  # 1 and 1.0 and true differ


@pytest.mark.parametrize("path", files("y"))
def test_accepted_as_value(client, source, path):
    content = path.read_bytes()
    write_json(client, source, wrapped(path.stem, content)).ok()
    rows = stored(client, source, path.stem)
    assert len(rows) == 1
    assert same(rows[0]["v"], content), (rows, content)
    if b"\n" not in content.strip():
        write_ndjson(client, source, wrapped(path.stem + ".nd", content.strip()) + b"\n").ok()
        rows = stored(client, source, path.stem + ".nd")
        assert len(rows) == 1 and same(rows[0]["v"], content)


def is_object(path):
    try:
        return path is not None and isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("path", [p for p in files("y") if is_object(p.values[0]) or
                                  p.values[0] is None])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_accepted_as_record(client, path, form):
    content = path.read_bytes()
    source = client.add_source(f"{path.stem}_{form}")
    try:
        if form == "json":
            answer = write_json(client, source, content)
        else:
            answer = write_ndjson(client, source, content.replace(b"\n", b" "))
        if path.stem in NO_RECORDS:
            error = answer.refused(422, "schema")
            assert error["detail"]["record"] == 0
            assert client.count(source) == 0
            return
        answer.ok()
        rows = client.search(source)
        expected = {k: v for k, v in json.loads(content).items() if v is not None}
        assert [{k: v for k, v in row.items() if v is not None} for row in rows] == [expected]
    finally:
        client.delete(f"/sources/{source}").ok()


@pytest.mark.parametrize("path", files("n"))
def test_refused(client, source, path):
    content = path.read_bytes()
    before = client.count(source)
    answers = [write_json(client, source, wrapped(path.stem, content)),
               write_json(client, source, content),
               write_ndjson(client, source, wrapped(path.stem, content)),
               write_ndjson(client, source, content)]
    for form, answer in enumerate(answers):
        error = answer.refused(400)
        blank = form == 3 and not content.strip()
        if not blank:
            assert error["code"] == "invalid_json", (form, error)
            assert error["detail"]["offset"] >= 0
    assert client.count(source) == before


def test_refused_in_the_other_routes(client, source):
    """The documents of the other operations are read by the same rules."""
    for path in files("n"):
        if path.values[0] is None:
            pytest.skip("no shared data")
        content = path.values[0].read_bytes()
        for route in ("/data/search", "/data/aggregate", "/sources/add", "/query/sql"):
            answer = client.post(route, b'{"x": ' + content + b"}")
            assert answer.status in (400, 413), (route, path.id, answer.data)
            answer.refused((400, 413), ("invalid_json", "too_large"))


@pytest.mark.parametrize("path", files("i"))
def test_either(server, client, source, path):
    content = path.read_bytes()
    for answer in (write_json(client, source, wrapped(path.stem, content)),
                   write_ndjson(client, source, wrapped(path.stem + ".nd", content)),
                   write_json(client, source, content), write_ndjson(client, source, content)):
        if answer.status != 200:
            answer.refused((400, 422), ("invalid_json", "schema"))
    assert server.is_alive()


def test_what_was_accepted_can_be_read(client, source):
    """Searched by value, counted by SQL, flushed and read again: no stored value breaks a query."""
    for _ in range(2):
        rows = client.search(source)
        assert len(rows) == client.count(source) > 90
        client.search(source, filters={"v": {"eq": "asd"}})
        client.search(source, filters={"v": {"gt": 5}})
        client.search(source, filters={"v.a": {"ne": 1}})
        assert client.rows("SELECT count(*), count(v->'a') FROM json_suite")[0][0] == len(rows)
        client.aggregate(source, {"type": "count_distinct", "column": "v"})
        client.flush(source)

"""Records that do not fit: refused with their batch, kept aside in <source>.quarantine, or left out;
and rows that are older than their source keeps them."""

import datetime
import json
import time

import pytest


def write(client, name, records, **more):
    return client.post("/data/write", {"source_id": name, "records": [{"fields": r} for r in records],
                                       **more})


def aside(client, name):
    return sorted(client.search(f"{name}.quarantine"), key=lambda r: r["record"])


def post(client, path, body, kind, **headers):
    return client.post(path, body, {"Content-Type": kind, **headers})


def test_rejected_by_default(client, name):
    client.add_source(name, {"id": "int64"})
    write(client, name, [{"id": 1}, {"id": "x"}]).refused(422, "schema")
    assert client.search(name) == []
    answer = write(client, name, [{"id": 1}]).ok().json
    assert "rows_quarantined" not in answer


def test_quarantine_of_a_source(client, name):
    client.add_source(name, {"id": "int64", "day": "date"}, on_error="quarantine")
    answer = write(client, name, [{"id": 1, "day": "2024-01-01"}, {"id": "x"}, {"id": 3, "day": "?"},
                                  {"id": 4}], write_id="w1").ok().json
    assert (answer["rows_written"], answer["rows_quarantined"], answer["rows_skipped"]) == (2, 2, 0)
    assert [(e["record"], e["field"]) for e in answer["errors"]] == [(1, "id"), (2, "day")]
    assert sorted(r["id"] for r in client.search(name)) == [1, 4]
    rows = aside(client, name)
    assert [(r["record"], r["field"], r["write_id"], json.loads(r["raw"])) for r in rows] == [
        (1, "id", "w1", {"fields": {"id": "x"}}), (2, "day", "w1", {"fields": {"id": 3, "day": "?"}})]
    assert all(r["reason"] and r["at"] and r["raw_bytes"] == len(r["raw"]) for r in rows)
    # the same write again: neither half is stored twice
    again = write(client, name, [{"id": 1, "day": "2024-01-01"}, {"id": "x"}, {"id": 3, "day": "?"},
                                 {"id": 4}], write_id="w1").ok().json
    assert again["duplicate"] and len(client.search(name)) == 2 and len(aside(client, name)) == 2
    # only bad ones; searchable by SQL as well
    answer = write(client, name, [{"id": True}], write_id="w2").ok().json
    assert (answer["rows_written"], answer["rows_quarantined"]) == (0, 1)
    assert write(client, name, [{"id": True}], write_id="w2").ok().json["duplicate"]
    count = client.sql(f'SELECT count(*) AS n FROM "{name}.quarantine"').ok().text
    assert "3" in count
    client.delete(f"/sources/{name}").ok()
    client.get(f"/sources/{name}.quarantine/stats").refused(404, "unknown_source")


def test_modes_of_a_request(client, name):
    client.add_source(name, {"id": "int64"}, on_error="skip")
    answer = write(client, name, [{"id": 1}, {"id": "x"}]).ok().json
    assert (answer["rows_written"], answer["rows_quarantined"], answer["rows_skipped"]) == (1, 0, 1)
    client.get(f"/sources/{name}.quarantine/stats").refused(404)
    write(client, name, [{"id": 1}, {"id": "x"}], on_error="reject").refused(422, "schema")
    answer = write(client, name, [{"id": 2}, {"id": "y"}], on_error="quarantine").ok().json
    assert answer["rows_quarantined"] == 1
    write(client, name, [{"id": 2}], on_error="what").refused(400)
    client.post(f"/sources/{name}/settings", {"on_error": "reject"}).ok()
    write(client, name, [{"id": "x"}]).refused(422)
    client.add_source(name, {"id": "int64"}, on_error="skip")  # declared again: settings stay
    write(client, name, [{"id": "x"}]).refused(422)
    assert client.get(f"/sources/{name}/stats").ok().json["detailed_stats"]["on_error"] == "reject"


def test_lines(client, name):
    client.add_source(name, {"id": "int64", "w": "string"})
    text = '{"id":1}\n{"id":"x"}\nnot json\n\n{"id":2} tail\n{"id":3,"w":"z"}\n{"id":4,"new":[1]}\n'
    answer = post(client, f"/data/write?source_id={name}&on_error=quarantine", text,
                  "application/x-ndjson").ok().json
    assert (answer["rows_written"], answer["rows_quarantined"]) == (3, 3)
    assert [(e["record"], e["line"]) for e in answer["errors"]] == [(1, 2), (2, 3), (3, 5)]
    assert [(r["line"], r["raw"]) for r in aside(client, name)] == [
        (2, '{"id":"x"}'), (3, "not json"), (5, '{"id":2} tail')]
    answer = post(client, f"/data/write?source_id={name}&on_error=quarantine",
                  'id,w\n5,a\nx,b\n6\n7,"c"\n', "text/csv").ok().json
    assert (answer["rows_written"], answer["rows_quarantined"]) == (2, 2)
    assert sorted(r["id"] for r in client.search(name)) == [1, 3, 4, 5, 7]
    # bytes that are no UTF-8
    answer = post(client, f"/data/write?source_id={name}&on_error=quarantine",
                  b'{"id":8}\n{"w":"\xff\xfe"}\n', "application/x-ndjson").ok().json
    assert answer["rows_quarantined"] == 1
    assert any("\ufffd\ufffd" in r["raw"] for r in aside(client, name))
    post(client, f"/data/write?source_id={name}&on_error=quarantine", '{"source_id":"q","records":[{]}',
         "application/json").refused(400)


def test_load(client, name):
    client.add_source(name, {"id": "int64"})
    lines = [json.dumps({"id": i, "pad": "p" * 500}) if i % 1000 else '{"id":"bad %d"}' % i
             for i in range(20000)]
    text = "\n".join(lines)
    path = f"/data/load?source_id={name}&format=ndjson&load_id=l1&on_error=quarantine"
    for _ in range(2):  # the second one resumes: nothing twice
        answer = post(client, path, text, "application/x-ndjson").ok().json
        assert (answer["rows_loaded"], answer["rows_quarantined"]) == (19980, 20)
        assert len(answer["errors"]) == 10 and answer["batches"] > 1
        rows = aside(client, name)
        assert [r["record"] for r in rows] == list(range(0, 20000, 1000))
        assert [r["line"] for r in rows] == [i + 1 for i in range(0, 20000, 1000)]
        assert client.count(name) == 19980
    error = post(client, f"/data/load?source_id={name}&format=ndjson", text,
                 "application/x-ndjson").refused(422, "schema")
    assert error["detail"]["record"] == 0


def test_both_or_neither_after_a_crash(new_server):
    server = new_server(node=True)
    client = server.client()
    client.add_source("s", {"id": "int64"}, on_error="quarantine")
    for i in range(50):
        write(client, "s", [{"id": i}, {"id": f"bad {i}"}]).ok()
    server.kill()
    server.start()
    client = server.client()
    assert sorted(r["id"] for r in client.search("s")) == list(range(50))
    assert len(aside(client, "s")) == 50
    client.flush("s.quarantine")
    server.kill()
    server.start()
    client = server.client()
    assert len(client.search("s")) == 50 and len(aside(client, "s")) == 50


def test_names_that_have_no_quarantine(client, name):
    client.post("/sources/add", {"source_id": "q" * 120, "name": "q", "connection_string": "",
                                 "data_path": "", "schema_definition": {},
                                 "on_error": "quarantine"}).refused(400, "invalid_argument")
    client.add_source(f"{name}.quarantine", {})
    write(client, f"{name}.quarantine", [{"a": 1}], on_error="quarantine").refused(400)


# --- retention ---


def day(back):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=back)).strftime(
        "%Y-%m-%d")


def settle(client, name, check):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        stats = client.get(f"/sources/{name}/stats").ok().json["detailed_stats"]["retention"]
        if check(stats):
            return stats
        time.sleep(0.02)
    raise AssertionError(stats)


@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_old_partitions_go(client, name, kind):
    client.add_source(name, {"id": "int64", "day": kind}, partition_columns=["day"])
    rows = [{"id": i, "day": day(i) + ("T00:00:00" if kind == "timestamp" else "")}
            for i in range(20)]
    client.write(name, rows)
    client.flush(name)
    before = client.get(f"/sources/{name}/snapshots").ok().json["snapshots"][0]["snapshot_id"]
    client.post(f"/sources/{name}/settings", {"retention_days": 7,
                                              "retention_column": "nobody"}).refused(400)
    client.post(f"/sources/{name}/settings", {"retention_days": 7,
                                              "retention_column": "id"}).refused(400)
    client.post(f"/sources/{name}/settings", {"retention_days": 7,
                                              "retention_column": "day"}).ok()
    stats = settle(client, name, lambda s: s["rows_removed"] > 0)
    assert stats["days"] == 7 and stats["column"] == "day" and stats["error"] is None
    left = sorted(r["id"] for r in client.search(name))
    assert left in (list(range(7)), list(range(8))) and stats["rows_removed"] == 20 - len(left)
    assert len(client.search(name, as_of=before)) == 20  # kept until it expires
    client.post(f"/sources/{name}/schema", {"changes": [
        {"op": "add", "column": "x", "type": "int64"}]}).ok()
    client.post(f"/sources/{name}/settings", {"retention_days": 0}).ok()
    assert "quarry_retention_rows_removed_total" in client.get("/metrics").ok().text


def test_old_rows_of_mixed_files_go_and_rows_without_a_time_stay(client, name):
    client.add_source(name, {"id": "int64", "day": "date"}, retention_days=7, retention_column="day")
    client.write(name, [{"id": 1, "day": day(30)}, {"id": 2}, {"id": 4, "day": day(1)}])
    client.flush(name)
    client.write(name, [{"id": 3, "day": day(30)}])
    client.flush(name)
    client.post(f"/sources/{name}/settings", {"retention_days": 8}).ok()
    stats = settle(client, name, lambda s: s["rows_removed"] == 2)
    assert stats["files_removed"] == 1
    assert sorted(r["id"] for r in client.search(name)) == [2, 4]
    client.flush(name)
    client.post(f"/sources/{name}/settings", {"retention_days": 9}).ok()  # nothing more to do
    time.sleep(0.2)
    assert client.get(f"/sources/{name}/stats").ok().json["detailed_stats"]["retention"][
        "rows_removed"] == 2
    assert sorted(r["id"] for r in client.search(name)) == [2, 4]
    client.post(f"/sources/{name}/schema", {"changes": [
        {"op": "drop", "column": "day"}]}).refused(409, "conflict")


def test_bad_records_of_an_upsert(client, name):
    client.add_source(name, {"id": "int64", "v": "int64"}, key_columns=["id"], on_error="quarantine")
    write(client, name, [{"id": 1, "v": 1}, {"id": 2, "v": 2}]).ok()
    answer = write(client, name, [{"id": 1, "v": 10}, {"id": 2, "v": "bad"}], mode="upsert").ok().json
    assert answer["rows_quarantined"] == 1
    assert sorted((r["id"], r["v"]) for r in client.search(name)) == [(1, 10), (2, 2)]
    assert len(aside(client, name)) == 1

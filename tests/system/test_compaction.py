"""Compaction and time travel through HTTP and the command line: a thousand small files are joined;
search, aggregates and SQL answer the same before and after; earlier states stay readable."""

import json
import os
import subprocess
import time

import pytest

from lib.quarry import bin_folder

FILES = int(os.environ.get("QUARRY_SMALL_FILES", "1000"))
ROWS = 1000  # of each
SETTINGS = ["--auto-compaction-enabled=false", "--compaction-io-mb-per-second=0"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server with a source of FILES files of ROWS rows each."""
    from lib.quarry import Server
    server = Server(tmp_path_factory.mktemp("compaction") / "data", settings=SETTINGS)
    server.start()
    client = server.client()
    client.post("/sources/add", {
        "source_id": "many", "name": "many", "connection_string": "", "data_path": "",
        "schema_definition": {"id": "int64", "word": "string", "value": "float64"},
        "index_columns": ["id"]}).ok()
    for number in range(FILES):
        # Keys of all files overlap: id = row * FILES + number.
        lines = "\n".join(f"{row * FILES + number},w{(row + number) % 97},{row / 4}"
                          for row in range(ROWS))
        client.post("/data/write?source_id=many", "id,word,value\n" + lines,
                    {"Content-Type": "text/csv"}).ok()
        client.post("/sources/many/flush").ok()
        if number == 9:
            ten = client.get("/sources/many/stats").ok().json["detailed_stats"]["snapshot_id"]
            client.post(f"/sources/many/snapshots/{ten}/tag", {"name": "ten-files"}).ok()
    yield server, client
    server.stop()


def answers(client, **more):
    """What must not change: point, range, aggregate, grouped aggregate, SQL."""
    found = []
    for key in (0, 5, FILES * ROWS - 1, FILES * 17 + 3):
        reply = client.post("/data/search", {"source_ids": ["many"],
                                             "filters": {"id": {"eq": key}}, **more}).ok().json
        found.append(reply[0]["records"])
    low = FILES * 10
    reply = client.post("/data/search", {
        "source_ids": ["many"], "filters": {"id": {"gte": low, "lt": low + 50}}, **more}).ok().json
    found.append(sorted(reply[0]["records"], key=lambda record: record["id"]))
    reply = client.post("/data/aggregate", {
        "source_ids": ["many"], "group_by": ["word"],
        "aggregations": [{"type": "count"}, {"type": "sum", "column": "value"},
                         {"type": "min", "column": "id"}, {"type": "max", "column": "id"}],
        **more}).ok().json
    found.append(sorted(reply["final_results"], key=lambda group: group["word"]))
    reply = client.post("/query/sql", {
        "query": "select word, count(*) n, sum(value) s, min(id) a, max(id) b from many "
                 "group by word order by word", **more}).ok().json
    found.append(reply["rows"])
    return found


def count(client, **more):
    by_aggregate = client.post("/data/aggregate", {
        "source_ids": ["many"], "aggregations": [{"type": "count"}], **more}
    ).ok().json["final_results"]["count"]
    by_sql = client.post("/query/sql", {"query": "select count(*) from many", **more}
                         ).ok().json["rows"]
    assert list(by_sql[0].values() if isinstance(by_sql[0], dict) else by_sql[0]) == [by_aggregate]
    return by_aggregate


def files(client):
    return client.get("/sources/many/stats").ok().json["stats"]["total_files"]


def wait_job(client, job):
    for _ in range(1200):
        reply = client.get(f"/metadata/compact/{job}").ok().json["job"]
        if reply["status"] not in ("queued", "running"):
            return reply
        time.sleep(0.05)
    raise AssertionError("the compaction does not end")


def cli(client, *arguments):
    done = subprocess.run([bin_folder() / "quarry", *arguments, "--url",
                           f"http://127.0.0.1:{client.port}"], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_compaction_keeps_every_answer(small):
    server, client = small
    assert files(client) == FILES
    assert count(client) == FILES * ROWS
    before = answers(client)
    current = client.get("/sources/many/snapshots").ok().json["snapshots"][0]
    assert current["current"] and current["total_files"] == FILES
    started = client.post("/metadata/compact", {"source_id": "many"}).ok(202).json
    job = wait_job(client, started["job_id"])
    assert job["status"] == "completed", job
    assert job["rows"] >= FILES * ROWS
    assert files(client) == 1
    assert answers(client) == before
    newest = client.get("/sources/many/snapshots").ok().json["snapshots"][0]
    assert newest["operation"] == "replace"
    assert newest["total_rows"] == FILES * ROWS
    # the state before, by number, tag and time
    assert answers(client, as_of=current["snapshot_id"]) == before
    assert count(client, as_of="ten-files") == 10 * ROWS
    assert count(client, as_of=current["timestamp"]) == FILES * ROWS
    status = client.get("/metadata/compact").ok().json
    assert status["active_jobs"] == 0 and status["completed_jobs"] == 1
    assert status["total_files_reduced"] >= FILES - 1
    metrics = client.get("/metrics").data.decode()
    assert 'quarry_compactions_total{outcome="completed"} 1' in metrics

    server.kill()
    server.start()
    client = server.client()
    assert files(client) == 1
    assert answers(client) == before
    assert count(client, as_of="ten-files") == 10 * ROWS
    small[1].port = client.port


def test_rollback_and_tags(small):
    _, client = small
    snapshot = client.get("/sources/many/snapshots").ok().json["snapshots"][0]["snapshot_id"]
    client.post("/data/write", {"source_id": "many",
                                "records": [{"fields": {"id": -1, "word": "wrong"}}]}).ok()
    assert count(client) == FILES * ROWS + 1
    assert count(client, as_of=snapshot) == FILES * ROWS
    back = client.post("/sources/many/rollback", {"snapshot_id": snapshot}).ok().json
    assert back["snapshot_id"] > snapshot
    assert count(client) == FILES * ROWS
    listed = client.get("/sources/many/snapshots").ok().json["snapshots"]
    assert [s["operation"] for s in listed[:2]] == ["rollback", "append"]
    client.post("/sources/many/rollback", {"tag": "ten-files"}).ok()
    assert count(client) == 10 * ROWS
    client.post("/sources/many/rollback", {"snapshot_id": snapshot}).ok()
    client.post(f"/sources/many/snapshots/{snapshot}/tag", {"name": "ten-files"}).refused(409)
    client.delete("/sources/many/tags/ten-files").ok()
    client.delete("/sources/many/tags/ten-files").refused(404, "not_found")
    client.post("/sources/many/rollback", {"tag": "ten-files"}).refused(404, "not_found")


def test_refusals(small):
    _, client = small
    search = {"source_ids": ["many"], "limit": 1}
    client.post("/data/search", {**search, "as_of": 999999}).refused(404, "not_found")
    client.post("/data/search", {**search, "as_of": "1999-01-01"}).refused(404, "not_found")
    client.post("/data/search", {**search, "as_of": "a/b"}).refused(400, "invalid_argument")
    client.post("/data/search", {**search, "as_of": {"x": 1}}).refused(400, "invalid_argument")
    client.post("/data/aggregate", {"source_ids": ["many"], "aggregations": [{"type": "count"}],
                                    "as_of": -4}).refused(400, "invalid_argument")
    client.post("/sources/many/rollback", {}).refused(400, "invalid_argument")
    client.post("/sources/many/snapshots/x/tag", {"name": "y"}).refused(400, "invalid_argument")
    client.post("/metadata/compact", {"source_id": "none"}).refused(404, "unknown_source")
    client.get("/metadata/compact/none").refused(404, "not_found")
    client.delete("/metadata/compact/none").refused(404, "not_found")


def test_command_line(small):
    _, client = small
    code, text = cli(client, "snapshots", "list", "many")
    assert code == 0 and "rollback" in text and "append" in text, text
    newest = client.get("/sources/many/snapshots").ok().json["snapshots"][0]["snapshot_id"]
    code, text = cli(client, "snapshots", "tag", "many", str(newest), "from-cli")
    assert code == 0, text
    assert count(client, as_of="from-cli") == FILES * ROWS
    code, text = cli(client, "compact", "many")
    assert code == 0 and "completed" in text, text
    code, text = cli(client, "snapshots", "rollback", "many", "from-cli")
    assert code == 0, text
    code, text = cli(client, "snapshots", "untag", "many", "from-cli")
    assert code == 0, text
    code, text = cli(client, "compact", "nothing")
    assert code == 1, text
    code, text = cli(client, "search", "many", "--limit", "1", "--as-of", str(newest), "--json")
    assert code == 0 and json.loads(text)[0]["total_rows"] == 1, text


def test_compacts_by_itself(new_server):
    server = new_server(settings=["--compaction-threshold-files=4"])
    client = server.client()
    for number in range(9):
        if number == 0:
            client.post("/sources/add", {"source_id": "auto", "name": "a", "connection_string": "",
                                         "data_path": "", "schema_definition": {}}).ok()
        client.post("/data/write", {"source_id": "auto", "records": [
            {"fields": {"n": number}}]}).ok()
        client.post("/sources/auto/flush").ok()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        stats = client.get("/sources/auto/stats").ok().json["stats"]
        if stats["total_files"] < 4:
            break
        time.sleep(0.05)
    assert stats["total_files"] < 4 and stats["total_rows"] == 9
    reply = client.post("/data/search", {"source_ids": ["auto"]}).ok().json[0]
    assert sorted(record["n"] for record in reply["records"]) == list(range(9))

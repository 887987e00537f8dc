"""POST /data/delete, /data/update, mode upsert: what they answer, what they leave, in memory and in
files, through every way of reading; kill -9 during upserts."""

import http.client
import random
import subprocess
import threading
import time

import pytest

from lib.quarry import Server, bin_folder


def fill(client, name, **more):
    client.add_source(name, {"id": "int64", "city": "string", "n": "float64"},
                      index_columns=["id"], **more)
    rows = [{"id": i, "city": f"c{i % 5}", "n": i / 2} for i in range(100)]
    client.write(name, rows[:60])
    client.flush(name)
    client.write(name, rows[60:])
    return {row["id"]: row for row in rows}


def delete(client, name, **body):
    return client.post("/data/delete", {"source_id": name, **body})


def update(client, name, **body):
    return client.post("/data/update", {"source_id": name, **body})


def upsert(client, name, rows, **more):
    body = {"source_id": name, "records": [{"fields": row} for row in rows], "mode": "upsert"}
    return client.post("/data/write", {**body, **more})


def check(client, name, rows):
    """Search, aggregate, look-ups, SQL and statistics agree on `rows` (by id)."""
    found = client.search(name)
    assert sorted((row["id"], row["city"], row["n"]) for row in found) == \
        sorted((row["id"], row["city"], row["n"]) for row in rows.values())
    numbers = [row["n"] for row in rows.values() if row["n"] is not None]
    ids = sorted(rows)
    answer = client.aggregate(name, {"type": "count", "alias": "rows"},
                              {"type": "min", "column": "id", "alias": "low"},
                              {"type": "max", "column": "id", "alias": "high"},
                              {"type": "sum", "column": "n", "alias": "sum"})
    assert answer == {"rows": len(rows), "low": ids[0] if ids else None,
                      "high": ids[-1] if ids else None,
                      "sum": sum(numbers) if numbers else None}
    assert client.count(name) == len(rows)
    for i in (0, 7, 61, 99):
        assert len(client.search(name, filters={"id": {"eq": i}})) == (i in rows)
    sql = client.rows(f'SELECT count(*), min(id), max(id), sum(n) FROM "{name}"')[0]
    assert sql == [len(rows), ids[0] if ids else None, ids[-1] if ids else None,
                   sum(numbers) if numbers else None]
    assert client.rows(f'SELECT id, city FROM "{name}" WHERE id >= 50 ORDER BY id') == \
        [[i, rows[i]["city"]] for i in ids if i >= 50]
    stats = client.get(f"/sources/{name}/stats").ok().json["stats"]
    assert stats["total_rows"] == len(rows)


def test_delete(client, name):
    rows = fill(client, name)
    answer = delete(client, name, filters={"id": {"gte": 50, "lt": 70}}).ok().json
    assert answer["success"] is True and answer["error_message"] is None
    assert answer["rows_deleted"] == 20 and answer["duplicate"] is False and answer["write_id"]
    for i in range(50, 70):
        del rows[i]
    check(client, name, rows)
    assert delete(client, name, filters={"id": {"gte": 50, "lt": 70}}).ok().json[
        "rows_deleted"] == 0
    client.flush(name)
    check(client, name, rows)
    assert delete(client, name, filters={"city": {"eq": "c1"}, "n": {"gt": 10}}).ok().json[
        "rows_deleted"] == len([1 for row in rows.values() if row["city"] == "c1" and
                                row["n"] > 10])
    rows = {i: row for i, row in rows.items() if not (row["city"] == "c1" and row["n"] > 10)}
    check(client, name, rows)
    client.post("/metadata/compact", {"source_id": name}).ok(202)
    check(client, name, rows)
    delete(client, name, all=True).ok()
    check(client, name, {})
    client.write(name, [{"id": 1, "city": "new", "n": 5.0}])
    check(client, name, {1: {"id": 1, "city": "new", "n": 5.0}})


def test_update(client, name):
    rows = fill(client, name)
    answer = update(client, name, filters={"id": {"gte": 40, "lt": 80}},
                    set={"city": "Köln", "n": 7}).ok().json
    assert answer["rows_updated"] == 40
    for i in range(40, 80):
        rows[i].update(city="Köln", n=7.0)
    check(client, name, rows)
    client.flush(name)
    check(client, name, rows)
    assert update(client, name, filters={"id": {"eq": 3}}, set={"n": None}).ok().json[
        "rows_updated"] == 1
    rows[3]["n"] = None
    check(client, name, rows)
    assert update(client, name, filters={"id": {"eq": 1000}}, set={"n": 1}).ok().json[
        "rows_updated"] == 0
    assert update(client, name, all=True, set={"city": "all"}).ok().json["rows_updated"] == 100
    for row in rows.values():
        row["city"] = "all"
    check(client, name, rows)


def test_upsert(client, name):
    rows = fill(client, name, key_columns=["id"])
    new = [{"id": i, "city": "new", "n": float(i)} for i in range(50, 150)]
    answer = upsert(client, name, new).ok().json
    assert answer["rows_written"] == 100 and answer["rows_replaced"] == 50
    rows.update({row["id"]: row for row in new})
    check(client, name, rows)
    client.flush(name)
    answer = upsert(client, name, [{"id": 5, "city": "a", "n": 1.0}, {"id": 5, "city": "b", "n": 2.0},
                                   {"id": 500, "city": "c", "n": 3.0}]).ok().json
    assert answer["rows_written"] == 2 and answer["rows_replaced"] == 1
    rows[5] = {"id": 5, "city": "b", "n": 2.0}
    rows[500] = {"id": 500, "city": "c", "n": 3.0}
    check(client, name, rows)
    lines = "".join(f'{{"id": {i}, "city": "lines", "n": 0.5}}\n' for i in range(490, 510))
    client.post(f"/data/write?source_id={name}&mode=upsert", lines,
                {"Content-Type": "application/x-ndjson"}).ok()
    client.post(f"/data/load?source_id={name}&mode=upsert", lines.replace("lines", "load"),
                {"Content-Type": "application/x-ndjson"}).ok()
    rows.update({i: {"id": i, "city": "load", "n": 0.5} for i in range(490, 510)})
    check(client, name, rows)


def test_keys_of_two_columns(client, name):
    client.add_source(name, {"day": "date", "shop": "string", "n": "int64"},
                      partition_columns=["day"], key_columns=["day", "shop"])
    for n in range(3):
        upsert(client, name, [{"day": f"2024-01-0{d}", "shop": s, "n": n}
                              for d in (1, 2) for s in "ab"]).ok()
        client.flush(name)
    upsert(client, name, [{"day": "2024-01-01", "shop": "b", "n": 9}]).ok()
    assert sorted((row["day"], row["shop"], row["n"]) for row in client.search(name)) == [
        ("2024-01-01", "a", 2), ("2024-01-01", "b", 9),
        ("2024-01-02", "a", 2), ("2024-01-02", "b", 2)]


def test_repeated_with_a_write_id(client, name):
    rows = fill(client, name, key_columns=["id"])
    for again in (False, True):
        answer = delete(client, name, filters={"id": {"lt": 10}}, write_id=f"{name}-d").ok().json
        assert answer["duplicate"] is again and answer["rows_deleted"] == 10
        assert answer["write_id"] == f"{name}-d"
        answer = upsert(client, name, [{"id": 3, "city": "x", "n": 1.0}],
                        write_id=f"{name}-u").ok().json
        assert answer["duplicate"] is again and answer["rows_written"] == 1
        answer = update(client, name, filters={"id": {"eq": 20}}, set={"city": "y"},
                        write_id=f"{name}-s").ok().json
        assert answer["duplicate"] is again and answer["rows_updated"] == 1
    rows = {i: row for i, row in rows.items() if i >= 10}
    rows[3] = {"id": 3, "city": "x", "n": 1.0}
    rows[20]["city"] = "y"
    check(client, name, rows)


def test_refused(client, name):
    rows = fill(client, name, key_columns=["id"])
    delete(client, name).refused(400, "invalid_argument")
    delete(client, name, filters={}).refused(400, "invalid_argument")
    delete(client, name, filters={"id": {"eq": 1}}, all=True).refused(400, "invalid_argument")
    delete(client, name, filters={"id": {"eq": "text"}}).refused(400, "invalid_argument")
    delete(client, name, filters={"id": {"near": 1}}).refused(400, "invalid_argument")
    delete(client, f"{name}_none", all=True).refused(404, "unknown_source")
    update(client, name, filters={"id": {"eq": 1}}).refused(400, "invalid_argument")
    update(client, name, filters={"id": {"eq": 1}}, set={}).refused(400, "invalid_argument")
    update(client, name, filters={"id": {"eq": 1}}, set={"id": 2}).refused(400, "invalid_argument")
    fault = update(client, name, filters={"id": {"eq": 1}}, set={"n": "text"}).refused(422, "schema")
    assert fault["detail"]["field"] == "n", fault
    fault = update(client, name, all=True, set={"other": 1}).refused(422, "schema")
    assert fault["detail"]["field"] == "other", fault
    fault = upsert(client, name, [{"id": 1, "n": 1.0}, {"city": "no key"}]).refused(422, "schema")
    assert fault["detail"]["field"] == "id" and fault["detail"]["record"] == 1, fault
    upsert(client, name, [{"id": 1}], mode="replace").refused(400, "invalid_argument")
    client.add_source(f"{name}_plain", {"id": "int64"})
    upsert(client, f"{name}_plain", [{"id": 1}]).refused(400, "invalid_argument")
    client.add_source(name, {"id": "int64", "city": "string", "n": "float64"},
                      index_columns=["id"], key_columns=["id"])
    config = {"source_id": name, "name": name, "connection_string": f"file://{name}",
              "data_path": name, "schema_definition": {"id": "int64", "city": "string",
                                                       "n": "float64"},
              "index_columns": ["id"], "key_columns": ["city"]}
    client.post("/sources/add", config).refused(409, "conflict")
    check(client, name, rows)


def test_earlier_states(client, name):
    rows = fill(client, name)
    client.flush(name)
    snapshot = client.get(f"/sources/{name}/snapshots").ok().json["snapshots"][0]["snapshot_id"]
    delete(client, name, filters={"id": {"lt": 90}}).ok()
    client.flush(name)
    assert client.count(name) == 10
    assert client.count(name, as_of=snapshot) == 100
    assert len(client.search(name, as_of=snapshot, filters={"id": {"lt": 90}})) == 90
    client.post(f"/sources/{name}/rollback", {"snapshot_id": snapshot}).ok()
    check(client, name, rows)


def test_open_cursor_keeps_its_state(client, name):
    fill(client, name)
    body = {"source_ids": [name], "limit": 10, "cursor": "*", "select_columns": ["id"]}
    page = client.post("/data/search", body).ok().json[0]
    delete(client, name, all=True).ok()
    client.flush(name)
    found = [row["id"] for row in page["records"]]
    while page.get("cursor"):
        body["cursor"] = page["cursor"]
        page = client.post("/data/search", body).ok().json[0]
        found += [row["id"] for row in page["records"]]
    assert sorted(found) == list(range(100))
    assert client.count(name) == 0


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_restart(new_server, ending):
    server = new_server(node=True)
    client = server.client()
    rows = fill(client, "s", key_columns=["id"])
    delete(client, "s", filters={"id": {"in": [1, 61, 62]}}).ok()
    upsert(client, "s", [{"id": 2, "city": "u", "n": 1.0}, {"id": 70, "city": "u", "n": 2.0}]).ok()
    update(client, "s", filters={"id": {"in": [4, 80]}}, set={"city": "set"}).ok()
    for i in (1, 61, 62):
        del rows[i]
    rows[2] = {"id": 2, "city": "u", "n": 1.0}
    rows[70] = {"id": 70, "city": "u", "n": 2.0}
    rows[4]["city"] = rows[80]["city"] = "set"
    for _ in range(2):
        getattr(server, ending)()
        client = server.start().client()
        check(client, "s", rows)


class Upserts:
    """One writer: upserts of its own keys; knows what was acknowledged last and what may be."""

    KEYS = 40

    def __init__(self, client, writer, state, seed):
        self.client, self.writer, self.state = client, writer, state
        self.rng = random.Random(seed)
        self.faults, self.done = [], 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while True:
                keys = self.rng.sample(range(self.KEYS), self.rng.choice([1, 1, 5, 20]))
                self.state["version"] += 1
                version = self.state["version"]
                rows = [{"key": f"{self.writer}-{key}", "version": version} for key in keys]
                self.state["pending"] = (version, keys)
                answer = upsert(self.client, "s", rows)
                if answer.status == 200:
                    for key in keys:
                        self.state["acknowledged"][key] = version
                    self.done += 1
                elif answer.status not in (429, 503):
                    self.faults.append(answer.data)
                self.state["pending"] = None
        except (OSError, http.client.HTTPException):
            pass  # the server is gone
        except Exception as fault:
            self.faults.append(fault)
        finally:
            self.client.close()


def settle(client, states):
    """Each key is there once, with its last acknowledged version, or the one under way: then all
    keys of that request have it."""
    answer = client.post("/data/search", {"source_ids": ["s"]},
                         {"Accept": "application/x-ndjson"}).ok()
    found = {}
    for row in answer.lines():
        assert row["key"] not in found, f"{row['key']} is there twice"
        found[row["key"]] = row["version"]
    sql = dict(client.rows("SELECT key, version FROM s"))
    assert {key: int(version) for key, version in sql.items()} == found
    assert client.count("s") == len(found)
    for writer, state in enumerate(states):
        version, keys = state["pending"] or (None, [])
        present = [key for key in keys if found.get(f"{writer}-{key}") == version]
        assert present == [] or present == keys, "half of an upsert"
        for key in present:
            state["acknowledged"][key] = version
        for key, expected in state["acknowledged"].items():
            assert found.pop(f"{writer}-{key}") == expected, f"{writer}-{key}"
        state["pending"] = None
    assert found == {}


def test_kill_during_upserts(tmp_path):
    server = Server(tmp_path / "data", node=True,
                    settings=["--memtable-mb=1", "--flush-age-seconds=1"])
    states = [{"version": 0, "acknowledged": {}, "pending": None} for _ in range(3)]
    rng = random.Random(3)
    done = 0
    try:
        client = server.start().client()
        client.add_source("s", {"key": "string", "version": "int64"}, key_columns=["key"])
        for round_ in range(12):
            settle(client, states)
            writers = [Upserts(server.client(), w, state, f"{round_}/{w}")
                       for w, state in enumerate(states)]
            until = time.monotonic() + rng.uniform(0.1, 0.5)
            while time.monotonic() < until:
                if rng.random() < 0.3:
                    client.flush("s")
                if rng.random() < 0.1:
                    client.post("/metadata/compact", {"source_id": "s"})
                assert client.count("s") <= 3 * Upserts.KEYS
                time.sleep(0.02)
            server.kill()
            for writer in writers:
                writer.thread.join(30)
                assert not writer.thread.is_alive() and writer.faults == []
                done += writer.done
            client.close()
            client = server.start().client()
        settle(client, states)
        server.restart()
        settle(server.client(), states)
    finally:
        server.kill()
    assert done > 100


def test_command_line(server, client, name):
    def quarry(*words):
        done = subprocess.run([bin_folder() / "quarry", *words, "--url",
                               f"http://127.0.0.1:{server.ports['tenant']}"],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout

    assert quarry("sources", "add", name, "--column", "id:int64", "--column", "city:string",
                  "--key", "id")[0] == 0
    rows = [{"id": i, "city": "a"} for i in range(10)]
    client.write(name, rows)
    assert quarry("delete", name, "--where", "id < 3")[1].startswith("3 rows deleted (write ")
    assert quarry("update", name, "--where", "id = 5", "--set", "city=Köln")[1].startswith(
        "1 rows updated (write ")
    assert quarry("delete", name)[0] == 1  # says nothing: refused
    assert quarry("update", name, "--where", "id = 5", "--set", "city")[0] == 2
    assert client.search(name, filters={"id": {"lte": 5}}, select_columns=["id", "city"]) == \
        [{"id": 3, "city": "a"}, {"id": 4, "city": "a"}, {"id": 5, "city": "Köln"}]
    assert quarry("delete", name, "--all")[1].startswith("7 rows deleted")

"""What an operator does: indexes added later, fsck, repair, backup, restore, with the real programs."""

import json
import subprocess
import threading
import time

from lib.quarry import Server, bin_folder


def quarry(*words, status=0):
    """Runs the command line; gives its standard output."""
    done = subprocess.run([bin_folder() / "quarry", *map(str, words)], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def findings(path, status):
    lines = [json.loads(line) for line in quarry("fsck", path, "--json", status=status).splitlines()]
    return lines[:-1], lines[-1]["summary"]


def wait_index(client, source, column, kind="hash"):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for index in client.get(f"/sources/{source}/indexes").ok().json["indexes"]:
            if (index["column"], index["kind"], index["state"]) == (column, kind, "ready"):
                return index
        time.sleep(0.02)
    raise AssertionError("the index was not built")


def test_indexes_added_and_dropped(client, name):
    client.add_source(name, {"a": "int64", "b": "string"}, index_columns=["a"])
    for part in range(4):
        client.write(name, [{"a": i, "b": f"w{i % 10}"} for i in range(part * 500, part * 500 + 500)])
        client.flush(name)
    path = f"/sources/{name}/indexes"
    assert [i["column"] for i in client.get(path).ok().json["indexes"]] == ["a"]
    before = client.search(name, filters={"b": {"eq": "w3"}})
    answer = client.post(path, {"columns": ["b"], "kind": "hash"}).ok().json
    assert [i["column"] for i in answer["indexes"]] == ["a", "b"]
    index = wait_index(client, name, "b")
    assert index["files"] == index["files_ready"] == 4 and index["progress"] == 1
    after = client.search(name, filters={"b": {"eq": "w3"}})
    assert len(after) == 200 and sorted(r["a"] for r in after) == sorted(r["a"] for r in before)
    client.add_source(name, {"a": "int64", "b": "string"}, index_columns=["a"])  # still the same
    client.post(path, {"columns": ["nobody"]}).refused(400, "invalid_argument")
    client.post(path, {"columns": []}).refused(400, "invalid_argument")
    client.post(path, {"columns": ["b"], "kind": "tree"}).refused(400, "invalid_argument")
    client.delete(f"{path}/b").ok()
    client.delete(f"{path}/b").refused(404, "not_found")
    assert len(client.search(name, filters={"b": {"eq": "w3"}})) == 200
    client.get("/sources/nobody/indexes").refused(404, "unknown_source")


def test_sorted_index(client, name):
    client.add_source(name, {"a": "int64", "b": "string"}, index_columns=["a"])
    for part in range(4):
        client.write(name, [{"a": i, "b": f"w{i * 7 % 1000:04}"}
                            for i in range(part * 1000, part * 1000 + 1000)])
        client.flush(name)
    filters = {"b": {"gte": "w0100", "lt": "w0110"}}
    before = client.search(name, filters=filters)
    path = f"/sources/{name}/indexes"
    answer = client.post(path, {"columns": ["b"], "kind": "both"}).ok().json
    assert [(i["column"], i["kind"]) for i in answer["indexes"]] == [
        ("a", "hash"), ("b", "hash"), ("b", "sorted")]
    wait_index(client, name, "b", "sorted")
    client.write(name, [{"a": 5000, "b": "w0105"}])
    client.flush(name)  # new files have the index at once
    reply = client.post("/data/search", {"source_ids": [name], "filters": filters}).ok().json[0]
    assert len(reply["records"]) == len(before) + 1 == 41
    assert reply["statistics"]["index_used"] and reply["statistics"]["rows_scanned"] <= 45
    prefix = client.search(name, filters={"b": {"like": "w010%"}})
    assert sorted(r["a"] for r in prefix) == sorted(r["a"] for r in reply["records"])
    client.delete(f"{path}/b?kind=sorted").ok()
    assert [(i["column"], i["kind"]) for i in client.get(path).ok().json["indexes"]] == [
        ("a", "hash"), ("b", "hash")]
    client.delete(f"{path}/b?kind=sorted").refused(404, "not_found")


def filled(server, rows=300):
    client = server.client()
    client.add_source("s", {"id": "int64"}, index_columns=["id"])
    client.write("s", [{"id": i, "word": f"w{i}"} for i in range(rows)])
    client.flush("s")
    client.write("s", [{"id": i, "word": f"w{i}"} for i in range(rows, 2 * rows)])
    return client


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_fsck_and_repair(new_server):
    server = new_server(node=True)
    filled(server)
    assert "in use" in quarry("fsck", server.data, status=4)
    server.kill()
    found, summary = findings(server.data, 0)
    assert found == [] or {f["severity"] for f in found} == {"note"}
    assert summary["rows"] == 600 and summary["damage"] == 0
    source = server.data / "sources/s"
    sidecar = next(source.glob("index/*.hash"))
    sidecar.unlink()
    (source / "metadata/00000077.snapshot.json").write_text("{}")
    found, summary = findings(server.data, 1)
    assert (summary["repairable"], summary["damage"]) == (1, 0)
    assert str(sidecar) in [f["file"] for f in found]
    assert "built anew" in quarry("repair", server.data)
    assert sidecar.exists()
    segment = next(source.glob("data/**/*.parquet"))
    flip(segment, segment.stat().st_size // 2)
    found, summary = findings(server.data, 1)
    assert summary["damage"] == 1
    assert [f["file"] for f in found if f["severity"] == "damage"] == [str(segment)]
    assert "left" in quarry("repair", server.data, status=1)
    assert "given up" in quarry("repair", server.data, "--drop-damaged")
    assert (server.data / "damaged/s" / segment.name).exists()
    client = server.start().client()
    assert client.count("s") == 300  # those of the log
    quarry("fsck", server.data.parent / "nothing", status=4)
    quarry("fsck", status=2)


def test_lost_file_of_deleted_rows(new_server, tmp_path):
    """Its rows do not come back: the other partition is read, this one refused; a backup has it."""
    server = new_server(node=True)
    client = server.client()
    client.add_source("s", {"id": "int64", "kind": "string"}, partition_columns=["kind"])
    client.write("s", [{"id": i, "kind": f"k{i % 2}"} for i in range(200)])
    client.flush("s")
    client.post("/data/delete", {"source_id": "s", "filters": {"id": {"in": [2, 4, 6]}}}).ok()
    client.flush("s")
    server.stop()
    quarry("backup", server.data, tmp_path / "backup")
    lost = next((server.data / "sources/s").glob("data/**/*.deletes.parquet"))
    lost.unlink()
    client = server.start().client()
    assert len(client.search("s", filters={"kind": {"eq": "k1"}})) == 100
    for filters in ({"kind": {"eq": "k0"}}, {}):
        client.post("/data/search", {"source_ids": ["s"], "filters": filters}).refused(500, "corrupt")
    server.stop()
    found, summary = findings(server.data, 1)
    assert summary["damage"] == 1
    (wrong,) = [f for f in found if f["severity"] == "damage"]
    assert wrong["kind"] == "deletes" and wrong["file"] == str(lost)
    assert "3 of the 100 rows" in wrong["what"]
    assert "no deleted row comes back" in quarry("repair", server.data, status=1)
    assert "taken from the backup" in quarry("repair", server.data, "--from", tmp_path / "backup")
    assert server.start().client().count("s") == 197


def test_backup_under_writes(new_server, tmp_path):
    """Every row acknowledged before the backup began is in it, batches whole, a prefix of each
    writer's batches; while four writers go on."""
    server = new_server(node=True, settings=["--memtable-mb=4", "--flush-age-seconds=1"])
    client = server.client()
    client.add_source("s", {"writer": "int64", "batch": "int64"}, index_columns=["batch"])
    size, acknowledged, stop, faults = 50, [0] * 4, threading.Event(), []

    def write(writer):
        try:
            while not stop.is_set():
                batch = acknowledged[writer]
                client.write("s", [{"writer": writer, "batch": batch, "n": n} for n in range(size)])
                acknowledged[writer] = batch + 1
        except Exception as fault:
            faults.append(fault)
        finally:
            client.close()

    threads = [threading.Thread(target=write, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    before = []
    for generation in (1, 2, 3):
        time.sleep(0.3)
        before.append(list(acknowledged))
        out = quarry("backup", f"http://127.0.0.1:{client.port}", tmp_path / "copy", "--json")
        assert json.loads(out)["generation"] == generation
    stop.set()
    for thread in threads:
        thread.join(30)
    assert faults == []
    server.stop()
    quarry("backup", "verify", tmp_path / "copy")
    for generation in (1, 2, 3):
        folder = tmp_path / f"restored{generation}"
        quarry("restore", tmp_path / "copy", folder, "--generation", generation)
        quarry("fsck", folder)
        restored = Server(folder, node=True, log=tmp_path / f"restored{generation}.log")
        try:
            copy = restored.start().client()
            groups = copy.aggregate("s", {"type": "count", "alias": "rows"},
                                    group_by=["writer", "batch"])
            assert all(group["rows"] == size for group in groups)
            for writer in range(4):
                batches = sorted(g["batch"] for g in groups if g["writer"] == writer)
                assert batches == list(range(len(batches))), "a hole"
                assert len(batches) >= before[generation - 1][writer], "acknowledged, not there"
        finally:
            restored.kill()
    assert "not empty" in quarry("restore", tmp_path / "copy", tmp_path / "restored1", status=4)
    victim = max((tmp_path / "copy/objects").glob("*/*"), key=lambda p: p.stat().st_size)
    flip(victim, victim.stat().st_size // 3)
    assert str(victim) in quarry("backup", "verify", tmp_path / "copy", status=1)
    assert str(victim) in quarry("restore", tmp_path / "copy", tmp_path / "again", status=1)
    assert not (tmp_path / "again").exists()


def test_backup_refusals(new_server, tmp_path):
    server = new_server(node=True)
    client = filled(server)
    for path in ("relative", "/", f"{server.data}/inside", f"{tmp_path}/a/../data/x", ""):
        client.post("/admin/backup", {"path": path}).refused(400, "invalid_argument")
    assert client.get("/admin/backup").ok().json["backup"]["state"] == "none"
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    out = quarry("backup", f"http://127.0.0.1:{client.port}", tmp_path / "full", status=1)
    assert "neither empty nor a backup" in out
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["file"]


def test_cold_backup(new_server, tmp_path):
    server = new_server(node=True)
    filled(server)
    quarry("backup", server.data, tmp_path / "copy", status=4)  # in use
    server.kill()
    quarry("backup", server.data, tmp_path / "copy")
    quarry("restore", tmp_path / "copy", tmp_path / "restored")
    restored = Server(tmp_path / "restored", node=True, log=tmp_path / "restored.log")
    try:
        assert restored.start().client().count("s") == 600
    finally:
        restored.kill()

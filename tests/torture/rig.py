"""What the torture tests share: fsck, a data folder with every kind of file, copies of it."""

import json
import shutil
import subprocess

from lib.quarry import Server, bin_folder

BATCH = 10  # rows


def fsck(path):
    """(exit status, findings, summary)"""
    done = subprocess.run([bin_folder() / "quarry", "fsck", str(path), "--json"],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), (done.returncode, done.stdout, done.stderr)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, lines[:-1], lines[-1]["summary"]


def assert_clean(path):
    status, found, _ = fsck(path)
    assert status == 0, found


def rows(first, count):
    return [{"id": i, "batch": i // BATCH, "word": f"w{i % 7}", "day": f"2024-01-0{i % 3 + 1}",
             "more": {"at": [i]}} for i in range(first, first + count)]


def fill(data, flushed, unflushed, log):
    """Batches of BATCH rows, killed at the end; gives the number of rows."""
    server = Server(data, node=True, log=log)
    client = server.start().client()
    try:
        client.add_source("s", {"id": "int64", "day": "date"}, index_columns=["id", "word"],
                          partition_columns=["day"])
        for batch in range(flushed + unflushed):
            client.write("s", rows(batch * BATCH, BATCH), write_id=f"b{batch}")
            if batch + 1 in (flushed // 2, flushed):
                client.flush("s")
    finally:
        server.kill()
    return (flushed + unflushed) * BATCH


def copy(data, to):
    """Keeps the holes of the log."""
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", str(data), str(to)], check=True)
    return to


def last_log(data):
    return max((data / "wal").glob("*.wal"), key=lambda path: path.name)


def read_back(data, log):
    """The ids that a server gives back, or None when it refuses to start or to answer."""
    server = Server(data, node=True, log=log)
    try:
        try:
            client = server.start().client()
        except RuntimeError:
            return None
        answer = client.post("/data/search", {"source_ids": ["s"]},
                             {"Accept": "application/x-ndjson"})
        if answer.status != 200 or b'"error"' in answer.data:
            return None
        found = answer.lines()
        for row in found:
            assert row == rows(row["id"], 1)[0], "a wrong row"
        ids = sorted(row["id"] for row in found)
        for wanted in ids[:1] + ids[-1:]:  # through the index
            hit = client.post("/data/search", {"source_ids": ["s"], "filters": {"id": {"eq": wanted}}})
            if hit.status != 200:
                return None
            assert [row["id"] for row in hit.json[0]["records"]] == [wanted]
        return ids
    except (OSError, ValueError):
        return None  # cut off in the middle: noticed
    finally:
        server.kill()

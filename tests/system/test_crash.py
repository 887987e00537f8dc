"""kill -9 at random moments under load: after each restart every acknowledged record is there
exactly once, and a batch whose answer never came is there wholly or not at all, for good.

Four threads write batches of 1 to 200 rows into three sources (plain, indexed, partitioned), some
with an idempotency key, and flush now and then; small limits make the store flush by itself too.
Usually the tenant node is killed, now and then quarryd with its node, or the node below quarryd.

A row's id says its batch: id = batch * 1000 + position, so what a batch holds is known from its
number and size alone."""

import http.client
import json
import os
import random
import shutil
import signal
import threading
import time

from lib.quarry import Server

ROUNDS = 50
WRITERS = 4
SOURCES = {
    "plain": {},
    "indexed": {"index_columns": ["batch", "word"], "compression": "zstd"},
    "partitioned": {"partition_columns": ["day"], "index_columns": ["id"]},
}
SETTINGS = ["--memtable-mb=4", "--flush-age-seconds=1"]


class Batch:
    def __init__(self, number, round_, rng):
        self.number = number
        self.round = round_
        self.source = rng.choice(list(SOURCES))
        self.size = rng.choice([1, 1, rng.randint(2, 50), rng.randint(50, 200)])
        self.key = f"batch-{number}" if rng.random() < 0.4 else None
        self.acknowledged = False
        self.refused = False

    def ids(self):
        return range(self.number * 1000, self.number * 1000 + self.size)

    def body(self):
        records = [{"fields": {"id": i, "batch": self.number, "round": self.round,
                               "word": f"w{i % 97}", "day": f"2024-0{i % 3 + 1}-01",
                               "nested": {"at": [i]}}} for i in self.ids()]
        body = {"source_id": self.source, "records": records}
        if self.key:
            body["write_id"] = self.key
        return json.dumps(body).encode()


class Load:
    """The writers of one round."""

    def __init__(self, client, round_, seed):
        self.client = client
        self.round = round_
        self.batches = [[] for _ in range(WRITERS)]
        self.faults = []
        self.threads = [threading.Thread(target=self.run, args=(w, random.Random(f"{seed}/{w}")))
                        for w in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def run(self, writer, rng):
        try:
            for n in range(100000):
                batch = Batch((self.round * WRITERS + writer) * 100000 + n, self.round, rng)
                self.batches[writer].append(batch)
                answer = self.client.post("/data/write", batch.body())
                if answer.status == 200:
                    assert answer.json["rows_written"] == batch.size
                    batch.acknowledged = True
                elif answer.status in (429, 503):
                    batch.refused = True
                else:
                    self.faults.append(answer.data)
                if rng.random() < 0.02:
                    flushed = self.client.post(f"/sources/{rng.choice(list(SOURCES))}/flush")
                    if flushed.status != 200:
                        self.faults.append(flushed.data)
        except (OSError, http.client.HTTPException):
            pass  # the server is gone
        except Exception as fault:
            self.faults.append(fault)
        finally:
            self.client.close()

    def join(self):
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        assert self.faults == []
        return [batch for batches in self.batches for batch in batches]


def rows_of(client, source, filters=None):
    body = {"source_ids": [source], "filters": filters, "select_columns": ["batch", "id"]}
    answer = client.post("/data/search", body, {"Accept": "application/x-ndjson"}).ok()
    found = {}
    for row in answer.lines():
        found.setdefault(row["batch"], []).append(row["id"])
    return found


def settle(client, batches, totals):
    """Compares one round's batches with what is there; gives those that are there."""
    present = []
    round_ = batches[0].round
    found = {source: rows_of(client, source, {"round": {"eq": round_}}) for source in SOURCES}
    for batch in batches:
        ids = found[batch.source].pop(batch.number, [])
        whole = sorted(ids) == list(batch.ids())
        if batch.acknowledged:
            assert whole, f"round {round_}: {len(ids)} of {batch.size} acknowledged rows of a batch"
        else:
            assert whole or ids == [], \
                f"round {round_}: {len(ids)} of {batch.size} rows of a batch never acknowledged"
            assert not (batch.refused and ids), "a refused batch was stored"
        if not whole and batch.key and batch.number % 2:  # the client tries again
            client.post("/data/write", batch.body()).ok()
            whole = True
        elif whole and batch.key:
            again = client.post("/data/write", batch.body()).ok() if batch.number % 5 == 0 else None
            assert again is None or again.json["duplicate"] is True
        if whole:
            present.append(batch)
            totals[batch.source] = totals.get(batch.source, 0) + batch.size
    assert found == {source: {} for source in SOURCES}, "rows that nobody wrote"
    return present


def check_totals(client, totals):
    for source in SOURCES:
        assert client.count(source) == totals.get(source, 0), source


def end_round(server, rng, kind):
    time.sleep(rng.uniform(0.01, 0.3))
    if kind == "node below quarryd":
        pid = server.node_pid()
        os.kill(pid, signal.SIGKILL)
        server.wait_node(pid)
    else:
        server.kill()


def kind_of(round_):
    if round_ % 25 == 12:
        return "node below quarryd"
    return "quarryd" if round_ % 10 == 9 else "node"


def test_kill_under_load(tmp_path):
    seed = int(os.environ.get("QUARRY_SEED", "1"))
    rng = random.Random(seed)
    node = Server(tmp_path / "data", node=True, settings=SETTINGS)
    whole = Server(tmp_path / "data", settings=SETTINGS, log=tmp_path / "whole.log")
    present, totals = [], {}
    try:
        client = node.start().client()
        for source, more in SOURCES.items():
            client.add_source(source, {"id": "int64", "batch": "int64", "day": "date"}, **more)
        node.kill()
        for round_ in range(ROUNDS):
            kind = kind_of(round_)
            server = node if kind == "node" else whole
            client = server.start().client()
            check_totals(client, totals)
            load = Load(client, round_, seed)
            end_round(server, rng, kind)
            batches = load.join()
            if not server.is_alive():
                server = node
                server.start()
            client = server.client()
            present += settle(client, batches, totals)
            client.close()
            server.kill()
        # once more everything, after a good stop too
        client = node.start().client()
        for ending in (node.kill, node.stop, None):
            check_everything(client, present, totals)
            if ending:
                ending()
                client = node.start().client()
        assert sum(batch.acknowledged for batch in present) > ROUNDS
    finally:
        node.kill()
        whole.kill()
    print(f"{len(present)} batches, {sum(totals.values())} rows, seed {seed}")


def check_everything(client, present, totals):
    check_totals(client, totals)
    for source in SOURCES:
        expected = {batch.number: batch for batch in present if batch.source == source}
        found = rows_of(client, source)
        assert set(found) == set(expected)
        for number, ids in found.items():
            assert sorted(ids) == list(expected[number].ids()), number
        sql = client.rows(f"SELECT count(*), count(DISTINCT id), sum(id) FROM {source}")
        ids = [i for batch in expected.values() for i in batch.ids()]
        assert sql == [[len(ids), len(ids), sum(ids) if ids else None]] or \
            [int(x) for x in sql[0]] == [len(ids), len(ids), sum(ids)]


def test_source_list_survives_kills(tmp_path):
    """Sources are declared and removed while the node is killed: what was answered holds."""
    server = Server(tmp_path / "data", node=True)
    rng = random.Random(5)
    expected = set()
    try:
        for _ in range(10):
            client = server.start().client()
            assert set(client.get("/sources").ok().json["source_ids"]) == expected
            for _ in range(rng.randint(1, 4)):
                if expected and rng.random() < 0.4:
                    source = rng.choice(sorted(expected))
                    client.delete(f"/sources/{source}").ok()
                    expected.remove(source)
                else:
                    source = f"s{rng.randint(0, 30)}"
                    client.add_source(source)
                    if source not in expected:
                        assert client.count(source) == 0
                    client.write(source, [{"v": 1}])
                    expected.add(source)
            server.kill()
    finally:
        server.kill()


def test_torn_log_tail(tmp_path):
    """Bytes cut off or written over at the end of the log: what was whole before stays; what is
    torn is left out, never half; and the store starts."""
    server = Server(tmp_path / "data", node=True)
    client = server.start().client()
    client.add_source("s")
    for n in range(50):
        client.write("s", [{"n": n, "pad": "x" * 50}] * 4)
    server.kill()
    log = max((tmp_path / "data/wal").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    data = log.read_bytes().rstrip(b"\0")
    for torn in [data[:-cut] for cut in (1, 7, 64, 300, 1000)] + \
            [data[:-64] + b"\xff" * 64, data + b"garbage behind the last frame"]:
        copy = Server(tmp_path / f"copy{len(list(tmp_path.iterdir()))}", node=True)
        shutil.copytree(tmp_path / "data", copy.data)
        (copy.data / "wal" / log.name).write_bytes(torn)
        try:
            client = copy.start().client()
            groups = client.aggregate("s", {"type": "count", "alias": "rows"}, group_by=["n"])
            assert all(group["rows"] == 4 for group in groups)
            assert [group["n"] for group in groups] == list(range(len(groups)))
            assert 30 <= len(groups) <= 50
            assert (len(groups) == 50) == torn.startswith(data)
            client.write("s", [{"n": 99}])
            copy.kill()
            assert copy.start().client().count("s") == 4 * len(groups) + 1
        finally:
            copy.kill()

"""The same answers from our own operators, from DuckDB through Quarry, and from DuckDB by itself on the
same rows: random queries (lib/sql_random.py), over files, rows in memory and deleted rows together, and
over a pinned state while rows are written, deleted and flushed.

QUARRY_DIFF_QUERIES is their number (10,000; some 10 ms of CPU each), QUARRY_DIFF_SEED the seed: query n of
a seed is always the same. A difference is told with its query and number; QUARRY_DIFF_FIRST=n begins there."""

import json
import os
import random
import threading

import pytest
from lib.duck import Duck, DuckError, literal, same_row_lists, same_rows
from lib.quarry import Server
from lib.sql_random import D, E, Queries, make_rows, small_rows

SEED = int(os.environ.get("QUARRY_DIFF_SEED", "1"))
QUERIES = int(os.environ.get("QUARRY_DIFF_QUERIES", "10000"))
FIRST = int(os.environ.get("QUARRY_DIFF_FIRST", "0"))
THREADS = 2
DELETED = [3, 7, 49, 130]  # of one file, and of the rows in memory
ENGINE_TYPES = {"int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "date": "DATE",
                "timestamp": "TIMESTAMP", "bool": "BOOLEAN"}
# Nothing kept: each answer is computed.
SETTINGS = ["--query-cache-mb=0", "--flush-age-seconds=3600", "--auto-compaction-enabled=false"]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A server with both tables; the rows of d that are alive."""
    server = Server(tmp_path_factory.mktemp("differential") / "data", settings=SETTINGS).start()
    client = server.client()
    chance = random.Random(SEED)
    client.add_source("d", D, index_columns=["k", "s"])
    client.add_source("e", E)
    client.write("e", small_rows())
    rows = []
    for part in range(3):
        rows += make_rows(chance, part * 50, 50)
        client.write("d", rows[-50:])
        if part < 2:
            client.flush("d")
    client.post("/data/delete", {"source_id": "d", "filters": {"k": {"in": DELETED}}}).ok()
    yield server, [row for row in rows if row["k"] not in DELETED]
    server.stop()


def engine_table(duck, folder, name, schema, rows):
    path = folder / f"{name}.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ", ".join(f"'{column}': '{ENGINE_TYPES[kind]}'" for column, kind in schema.items())
    duck.run(f"CREATE TABLE {name} AS SELECT * FROM read_json({literal(path)}, "
             f"format = 'newline_delimited', columns = {{{columns}}})")


def peer(folder, rows):
    duck = Duck(threads=1)
    engine_table(duck, folder, "d", D, rows)
    engine_table(duck, folder, "e", E, small_rows())
    return duck


def ask(client, sql, **more):
    """(rows or None when it failed, access path)"""
    answer = client.sql(sql, dialect="duckdb", **more)
    if answer.status != 200:
        assert 400 <= answer.status < 500, f"{answer.status}: {sql}: {answer.data[:500]!r}"
        return None, None
    body = answer.json
    return body["rows"], body["statistics"]["access_path"]


def expect(duck, sql):
    try:
        return duck.rows(sql)
    except DuckError:
        return None


class Run:
    """Queries by their numbers, shared by threads; stops at the first difference."""

    def __init__(self, server, folder, rows, count, **more):
        self.server, self.folder, self.rows, self.more = server, folder, rows, more
        self.numbers = iter(range(FIRST, FIRST + count))
        self.lock = threading.Lock()
        self.own, self.failed, self.differences = 0, 0, []

    def _check(self, client, duck, number):
        sql, ordered = Queries(random.Random(SEED * 1_000_003 + number)).next()
        same = same_row_lists if ordered else same_rows
        wanted = expect(duck, sql)
        ours, path = ask(client, sql, **self.more)
        answers = {path or "refused": ours}
        if path not in (None, "duckdb"):
            answers["duckdb"] = ask(client, sql, hint={"access_path": "duckdb"}, **self.more)[0]
        with self.lock:
            self.own += len(answers) == 2
            self.failed += wanted is None
            for way, rows in answers.items():
                if (rows is None) != (wanted is None) or (rows is not None and not same(rows, wanted)):
                    self.differences.append(f"query {number} by {way}: {sql}\n  {str(rows)[:600]}\n  DuckDB alone: "
                                            f"{str(wanted)[:600]}")

    def _work(self):
        client = self.server.client()
        with self.lock:
            duck = peer(self.folder, self.rows)
        try:
            while not self.differences:
                with self.lock:
                    number = next(self.numbers, None)
                if number is None:
                    break
                self._check(client, duck, number)
        except BaseException as failure:
            self.differences.append(repr(failure))
            raise
        finally:
            duck.close()
            client.close()

    def all(self):
        threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.differences, "\n".join(self.differences)


def test_all_ways_agree(node, tmp_path):
    server, rows = node
    run = Run(server, tmp_path, rows, QUERIES * 4 // 5)
    run.all()
    assert run.own > QUERIES // 10 and run.failed < QUERIES // 10, (run.own, run.failed)


def disturb(server, stop, failures):
    """Writes, deletes and flushes rows of d until told to stop."""
    client, chance, first = server.client(), random.Random(SEED + 1), 1000
    try:
        while not stop.wait(0.02):
            client.write("d", make_rows(chance, first, 20))
            first += 20
            client.post("/data/delete", {"source_id": "d", "filters": {"k": {"eq": chance.randrange(first)}}}).ok()
            if first % 100 == 0:
                client.flush("d")
    except BaseException as failure:
        failures.append(repr(failure))
        raise


def test_a_pinned_state_under_writes(node, tmp_path):
    server, rows = node
    client = server.client()
    for source in ("d", "e"):
        client.flush(source)
    for source in ("d", "e"):
        snapshot = next(s for s in client.get(f"/sources/{source}/snapshots").ok().json["snapshots"] if s["current"])
        client.post(f"/sources/{source}/snapshots/{snapshot['snapshot_id']}/tag", {"name": "pinned"}).ok()
    stop, failures = threading.Event(), []
    writer = threading.Thread(target=disturb, args=(server, stop, failures))
    writer.start()
    try:
        Run(server, tmp_path, rows, QUERIES // 5, as_of="pinned").all()
    finally:
        stop.set()
        writer.join()
    assert not failures, failures

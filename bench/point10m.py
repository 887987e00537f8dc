"""Equality on an indexed column of 10 million rows, through HTTP, at 32 connections (and one):

    QUARRY_BIN=build/release/bin /usr/bin/python3 bench/point10m.py [MILLIONS]

The rows of a key (10 of them) are spread over all files. Three states: all rows in memory, 100 files
of 100,000 rows, and these compacted. PAGE_CACHE_MB is large enough for the decoded small files.
QUARRY_BENCH_SECONDS (5) is the length of a case; as long a warm-up comes before. Target: p50 below
1 ms and p99 below 10 ms at 32 connections in each state."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))

from lib.quarry import Server  # noqa: E402

ROWS = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000
BATCHES = 100
KEYS = ROWS // 10
SECONDS = os.environ.get("QUARRY_BENCH_SECONDS", "5")
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
SETTINGS = ["--auto-compaction-enabled=false", "--compaction-io-mb-per-second=0",
            "--memtable-mb=8192", "--flush-age-seconds=86400", "--page-cache-mb=2048"]
COLUMNS = {"key": "int64", "name": "string", "day": "date", "value": "float64", "note": "string"}


def batch(number):
    rows = ROWS // BATCHES
    first = number * rows
    note = "the quick brown fox jumps over the lazy dog"
    lines = [f"{(first + row) * 7919 % KEYS},name-{row * 31 % 99991},2026-01-{row % 28 + 1:02d},"
             f"{row % 10007 / 4},{note} {row % 1013}" for row in range(rows)]
    return "key,name,day,value,note\n" + "\n".join(lines)


def load(client, source, flush):
    client.post("/sources/add", {
        "source_id": source, "name": source, "connection_string": "", "data_path": "",
        "schema_definition": COLUMNS, "index_columns": ["key"]}).ok()
    start = time.perf_counter()
    for number in range(BATCHES):
        client.post(f"/data/write?source_id={source}", batch(number), {"Content-Type": "text/csv"}).ok()
        if flush:
            client.post(f"/sources/{source}/flush").ok()
    print(f"# {source}: loaded in {time.perf_counter() - start:.1f} s", flush=True)


def cpu_us(pid):
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) * TICK_US


def check(client, source):
    key = 12345 % KEYS
    reply = client.post("/data/search", {"source_ids": [source], "filters": {"key": {"eq": key}}}).ok()
    records = reply.json[0]["records"]
    assert len(records) == 10 and all(record["key"] == key for record in records), reply.json
    return reply.json[0]["statistics"]["files"]


def wrk(server, source, connections):
    environment = {**os.environ, "POINT_SOURCE": source, "POINT_KEYS": str(KEYS)}
    script = pathlib.Path(__file__).with_suffix(".lua")
    done = subprocess.run(["wrk", "-t", "1", "-c", str(connections), "-d", SECONDS + "s", "-s",
                           str(script), f"http://127.0.0.1:{server.ports['tenant']}"],
                          env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(server, state, source):
    files = check(server.client(), source)
    wrk(server, source, 32)
    pid = server.node_pid()
    for connections in [1, 32]:
        before = cpu_us(pid)
        got = wrk(server, source, connections)
        used = (cpu_us(pid) - before) / max(got["requests"], 1)
        load_average = pathlib.Path("/proc/loadavg").read_text().split()[0]
        print(f"| {state} | {files} | {connections} | {got['rate']:,} | {got['p50']:,} | {got['p99']:,} | "
              f"{used:.0f} | {got['errors']} | {load_average} |", flush=True)


def compact(client, source):
    job = client.post("/metadata/compact", {"source_id": source}).ok(202).json["job_id"]
    while client.get(f"/metadata/compact/{job}").ok().json["job"]["status"] in ("queued", "running"):
        time.sleep(0.1)


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(pathlib.Path(folder) / "data", settings=SETTINGS)
        server.start()
        client = server.client(timeout=600)
        load(client, "memory", False)
        print("| state | files | connections | requests/s | p50 us | p99 us | CPU us | errors | load |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        measure(server, "in memory", "memory")
        client.delete("/sources/memory").ok()
        load(client, "files", True)
        measure(server, "small files", "files")
        compact(client, "files")
        measure(server, "compacted", "files")
        server.kill()


main()

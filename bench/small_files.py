"""Query time over many small files against the same rows compacted:

    QUARRY_BIN=build/release/bin /usr/bin/python3 bench/small_files.py [FILES] [ROWS]

Default: 1,000 files of 10,000 rows, keys of all files overlapping (the worst case for pruning), a day
column that is the same within ten files. Each query runs RUNS times; the median counts, and the CPU
time of all of Quarry's processes a query. Three states: no compaction, compacted by a job, and as a
server with default settings leaves it right after the last file was flushed. The answers must be the
same in all of them."""

import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))

from lib.quarry import Server  # noqa: E402

FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
RUNS = 9
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")

MIDDLE = FILES * (ROWS // 2) + FILES // 2
QUERIES = {
    "point by index": ("/data/search", {"source_ids": ["m"], "filters": {"id": {"eq": MIDDLE}}}),
    "range of 1,000 keys": ("/data/aggregate", {
        "source_ids": ["m"], "filters": {"id": {"gte": MIDDLE, "lt": MIDDLE + 1000}},
        "aggregations": [{"type": "count"}, {"type": "sum", "column": "id"}]}),
    "one day": ("/data/aggregate", {
        "source_ids": ["m"], "filters": {"day": {"eq": 7}},
        "aggregations": [{"type": "count"}, {"type": "max", "column": "id"}]}),
    "sum and max of all": ("/data/aggregate", {
        "source_ids": ["m"],
        "aggregations": [{"type": "count"}, {"type": "sum", "column": "value"},
                         {"type": "max", "column": "id"}]}),
    "group by word": ("/data/aggregate", {
        "source_ids": ["m"], "group_by": ["word"],
        "aggregations": [{"type": "count"}, {"type": "max", "column": "id"}]}),
    "SQL: sum of all": ("/query/sql", {"query": "select count(*) n, sum(id) s from m"}),
    "SQL: group by word": ("/query/sql", {
        "query": "select word, count(*) n, max(id) x from m group by word order by word"}),
}


def result(path, reply):
    if path == "/data/search":
        return reply[0]["records"]
    if path == "/query/sql":
        return reply["rows"]
    final = reply["final_results"]
    return sorted(final, key=json.dumps) if isinstance(final, list) else final


def family(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def cpu_ms(pid):
    total = 0
    for one in family(pid):
        words = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(") ", 1)[1].split()
        total += int(words[11]) + int(words[12])
    return total * TICK_MS


def measure(server):
    found = {}
    client = server.client()
    for name, (path, body) in QUERIES.items():
        client.post(path, body).ok()
        times = []
        before = cpu_ms(server.pid)
        for _ in range(RUNS):
            start = time.perf_counter()
            reply = client.post(path, body).ok().json
            times.append(time.perf_counter() - start)
        used = (cpu_ms(server.pid) - before) / RUNS
        found[name] = (statistics.median(times) * 1000, used, result(path, reply))
    return found


def load(client):
    client.post("/sources/add", {
        "source_id": "m", "name": "m", "connection_string": "", "data_path": "",
        "schema_definition": {"id": "int64", "word": "string", "day": "int64", "value": "float64"},
        "index_columns": ["id"]}).ok()
    for number in range(FILES):
        day = number // 10
        body = "id,word,day,value\n" + "\n".join(
            f"{row * FILES + number},w{(row + number) % 97},{day},{row / 4}" for row in range(ROWS))
        client.post("/data/write?source_id=m", body, {"Content-Type": "text/csv"}).ok()
        client.post("/sources/m/flush").ok()


def files(client):
    query = {"source_ids": ["m"], "limit": 1, "filters": {"id": {"eq": 1}}}
    return client.post("/data/search", query).ok().json[0]["statistics"]["files"]


def compact(client):
    start = time.perf_counter()
    job = client.post("/metadata/compact", {"source_id": "m"}).ok(202).json["job_id"]
    while True:
        state = client.get(f"/metadata/compact/{job}").ok().json["job"]
        if state["status"] not in ("queued", "running"):
            break
        time.sleep(0.02)
    print(f"compaction {state['status']}: {time.perf_counter() - start:.1f} s, "
          f"{state['input_bytes'] / 1e6:.1f} MB in {state['input_files_count']} files -> "
          f"{state['output_bytes'] / 1e6:.1f} MB in {state['output_files_count']}")


def loaded(folder, settings):
    server = Server(pathlib.Path(folder) / "data", settings=settings)
    server.start()
    start = time.perf_counter()
    load(server.client())
    print(f"{FILES} flushes of {ROWS} rows in {time.perf_counter() - start:.1f} s: "
          f"{files(server.client())} files")
    return server


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = loaded(folder, ["--auto-compaction-enabled=false",
                                 "--compaction-io-mb-per-second=0"])
        before = measure(server)
        compact(server.client())
        after = measure(server)
        server.stop()
    with tempfile.TemporaryDirectory() as folder:
        server = loaded(folder, [])
        default = measure(server)
        server.stop()
    print("| query | files, ms | CPU | compacted, ms | CPU | ratio | default, ms | CPU | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in QUERIES:
        states = [before[name], after[name], default[name]]
        assert states[0][2] == states[1][2] == states[2][2], name
        base = states[1][0]
        print(f"| {name} | {states[0][0]:.2f} | {states[0][1]:.1f} | {base:.2f} | {states[1][1]:.1f} | "
              f"{states[0][0] / base:.2f} | {states[2][0]:.2f} | {states[2][1]:.1f} | "
              f"{states[2][0] / base:.2f} |")


main()

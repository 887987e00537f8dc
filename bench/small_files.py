"""Query time over many small files against the same rows compacted:

    QUARRY_BIN=build/release/bin /usr/bin/python3 bench/small_files.py [FILES] [ROWS]

Default: 1,000 files of 10,000 rows, keys of all files overlapping (the worst case for pruning), a day
column that is the same within ten files. Each query runs RUNS times; the median counts. The answers
before and after must be the same."""

import json
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))

from lib.quarry import Server  # noqa: E402

FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
RUNS = 7

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


def measure(client):
    found = {}
    for name, (path, body) in QUERIES.items():
        times = []
        for _ in range(RUNS + 1):
            start = time.perf_counter()
            reply = client.post(path, body).ok().json
            times.append(time.perf_counter() - start)
        found[name] = (statistics.median(times[1:]) * 1000, result(path, reply))
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


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(pathlib.Path(folder) / "data", settings=[
            "--auto-compaction-enabled=false", "--compaction-io-mb-per-second=0"])
        server.start()
        client = server.client()
        start = time.perf_counter()
        load(client)
        print(f"{FILES} files of {ROWS} rows in {time.perf_counter() - start:.1f} s")
        before = measure(client)
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
        after = measure(client)
        print(f"| query | {FILES:,} files, ms | compacted, ms | ratio |\n|---|--:|--:|--:|")
        for name in QUERIES:
            assert before[name][1] == after[name][1], name
            print(f"| {name} | {before[name][0]:.2f} | {after[name][0]:.2f} | "
                  f"{before[name][0] / after[name][0]:.2f} |")
        server.stop()


main()

"""Time from start to ready after kill -9, against the size of the log that is replayed:

    QUARRY_BIN=build/release/bin /usr/bin/python3 bench/recovery.py [THOUSANDS OF ROWS...]

Rows of five columns (about 100 bytes as CSV), none flushed, in writes of 10,000."""

import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))

from lib.quarry import Server  # noqa: E402

COUNTS = [int(text) * 1000 for text in sys.argv[1:]] or [0, 100_000, 1_000_000, 4_000_000]
BATCH = 10_000
SETTINGS = ["--memtable-mb=16384", "--flush-age-seconds=86400"]
COLUMNS = {"key": "int64", "name": "string", "day": "date", "value": "float64", "note": "string"}


def batch(first, rows):
    note = "the quick brown fox jumps over the lazy dog"
    lines = [f"{row},name-{row * 31 % 99991},2026-01-{row % 28 + 1:02d},{row % 10007 / 4},{note} {row % 1013}"
             for row in range(first, first + rows)]
    return ",".join(COLUMNS) + "\n" + "\n".join(lines)


def measure(folder, rows):
    server = Server(folder / "data", settings=SETTINGS)
    server.start()
    client = server.client(timeout=600)
    client.post("/sources/add", {"source_id": "rows", "name": "rows", "connection_string": "", "data_path": "",
                                 "schema_definition": COLUMNS, "index_columns": ["key"]}).ok()
    for first in range(0, rows, BATCH):
        client.post("/data/write?source_id=rows", batch(first, BATCH), {"Content-Type": "text/csv"}).ok()
    server.kill()
    log = sum(file.stat().st_blocks * 512 for file in folder.rglob("wal/**/*") if file.is_file())
    took = []
    for _ in range(3):
        begin = time.perf_counter()
        server.start()
        took.append(time.perf_counter() - begin)
        assert server.client(timeout=600).count("rows") == rows
        server.kill()
    seconds = min(took)
    print(f"| {rows:,} | {log / 1e6:.1f} | {seconds * 1000:.0f} | {max(took) * 1000:.0f} |", flush=True)


def main():
    print("| rows | log MB | ready after, ms: best | worst of 3 |")
    print("|--:|--:|--:|--:|")
    for rows in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            measure(pathlib.Path(folder), rows)


main()

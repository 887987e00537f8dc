"""Bytes on disk of one table, indexes and metadata included, against Parquet with zstd of the same rows
as DuckDB writes it:

    QUARRY_BIN=build/release/bin /usr/bin/python3 bench/footprint.py [MILLIONS]

Records of 11 fields as in bench/record.h (two of them texts without repetition), hash indexes on
`user` (100,000 values) and `id` (unique), one flush. DuckDB copies Quarry's files, in their order and in the
order of arrival, with its default sizes of row groups. Target: at most 1.3 times."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))

from lib.quarry import Server  # noqa: E402

ROWS = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 2_000_000
BATCH = 50_000
EVENTS = ["view", "click", "search", "order", "refund"]
COUNTRIES = ["DE", "FR", "PL", "US", "JP", "BR", "IN"]
COLUMNS = {"id": "int64", "time": "timestamp", "user": "string", "event": "string", "page": "string",
           "country": "string", "device": "string", "amount": "float64", "quantity": "int64",
           "paid": "bool", "session": "string"}


def record(row):
    mixed = row * 2654435761 % 1000003
    return (f"{row},2026-{mixed % 12 + 1:02d}-{mixed % 28 + 1:02d}T{mixed % 24:02d}:{mixed % 60:02d}:"
            f"{mixed % 59:02d}.{mixed % 1000000:06d},user-{mixed % 100000:06d},{EVENTS[mixed % 5]},"
            f"/shop/item/{mixed % 50000},{COUNTRIES[mixed % 7]},mobile-{mixed % 9},"
            f"{mixed % 500}.{mixed % 100:02d},{mixed % 7 + 1},{'true' if mixed % 3 else 'false'},"
            f"{mixed * 48271 * 48271 % 2**64:016x}{row * 2654435761 % 2**32:08x}")


def duck_tool(folder):
    bindings = ROOT / "node_modules/@duckdb/node-bindings-linux-x64"
    tool = pathlib.Path(folder) / "duck"
    subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", "-O2",
                    f"-I{ROOT}/node_modules/duckdb/src/duckdb/src/include", "-o", tool,
                    ROOT / "bench/duck.c", f"-L{bindings}", "-lduckdb", f"-Wl,-rpath,{bindings}"],
                   check=True)
    return tool


def duck_bytes(tool, folder, files, order):
    """What COPY makes of the same rows."""
    names, target = pathlib.Path(folder) / "names", pathlib.Path(folder) / "duck.parquet"
    names.write_text("[" + ",".join(f"'{file}'" for file in files) + "]")
    subprocess.run([tool, "2", "1", names, f"COPY (SELECT * FROM files{order}) TO '{target}' "
                    "(FORMAT parquet, COMPRESSION zstd)"], check=True, stdout=subprocess.DEVNULL)
    return target.stat().st_size


def load(client, source, compression):
    client.post("/sources/add", {"source_id": source, "name": source, "connection_string": "",
                                 "data_path": "", "schema_definition": COLUMNS,
                                 "index_columns": ["user", "id"], "compression": compression}).ok()
    for first in range(0, ROWS, BATCH):
        lines = [record(row) for row in range(first, min(first + BATCH, ROWS))]
        client.post(f"/data/write?source_id={source}", ",".join(COLUMNS) + "\n" + "\n".join(lines),
                    {"Content-Type": "text/csv"}).ok()
    client.post(f"/sources/{source}/flush").ok()


def folder_bytes(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main():
    with tempfile.TemporaryDirectory() as folder:
        tool = duck_tool(folder)
        server = Server(pathlib.Path(folder) / "data", settings=[
            "--memtable-mb=16384", "--flush-age-seconds=86400", "--auto-compaction-enabled=false"])
        server.start()
        print("| compression | Parquet MB | indexes MB | other MB | all | DuckDB zstd, same order | ratio | "
              "by arrival | ratio |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for compression in ["zstd", "snappy"]:
            source = f"events_{compression}"
            load(server.client(timeout=600), source, compression)
            base = pathlib.Path(folder) / "data" / "sources" / source
            whole, index = folder_bytes(base), folder_bytes(base / "index")
            files = sorted((base / "data").rglob("*.parquet"))
            parquet = sum(file.stat().st_size for file in files)
            same = duck_bytes(tool, folder, files, "")
            arrival = duck_bytes(tool, folder, files, " ORDER BY id")
            row = [parquet, index, whole - parquet - index, whole, same]
            print(f"| {compression} | " + " | ".join(f"{size / 1e6:.1f}" for size in row) +
                  f" | {whole / same:.2f} | {arrival / 1e6:.1f} | {whole / arrival:.2f} |", flush=True)
        server.kill()


main()

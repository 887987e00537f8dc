"""TPC-H's 22 queries through Quarry's HTTP, against DuckDB in this process on the same Parquet files:

    QUARRY_BIN=build/release/bin /usr/bin/python3 bench/tpch.py [SCALE] [RUNS]      (make bench-tpch SF=0.1)

Right answers are DuckDB's on the same files. The tables are the shared generator's, which is not dbgen.
With QUARRY_TPCH_TBL=FOLDER they are dbgen's own TABLE.tbl files, and with QUARRY_TPCH_ANSWERS=FOLDER each
answer is compared with FOLDER/qNN.csv, too (columns between bars, a line of names). QUARRY_BENCH_DIR keeps
the loaded tables for further runs. Exits with 1 when an answer is wrong."""

import csv
import os
import pathlib
import shutil
import sys
import tempfile

from sql_bench import Race, load_csv, start
from lib import tpch
from lib.duck import same_rows

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.1
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 3


def csv_of_tbl(tbl, table, out):
    """dbgen ends each line with a bar."""
    with open(tbl, newline="") as source, open(out, "w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(tpch.TABLES[table])
        writer.writerows(line.rstrip("\n").removesuffix("|").split("|") for line in source)


def load(client, folder):
    given = os.environ.get("QUARRY_TPCH_TBL")
    if not given and not (folder / "lineitem.csv").exists():
        tpch.generate(folder, SCALE)
    for table, schema in tpch.TABLES.items():
        path = folder / f"{table}.csv"
        if given:
            csv_of_tbl(pathlib.Path(given) / f"{table}.tbl", table, path)
        load_csv(client, table, schema, path)


def published(name):
    """The rows of a published answer; None: there are none."""
    folder = os.environ.get("QUARRY_TPCH_ANSWERS")
    if not folder:
        return None

    def value(text):
        try:
            return float(text)
        except ValueError:
            return text
    with open(pathlib.Path(folder) / f"{name}.csv", newline="") as file:
        return [[value(text) for text in row] for row in list(csv.reader(file, delimiter="|"))[1:]]


def check(name):
    """Published answers are rounded to cents in places, and sums of doubles are not decimal."""
    wanted = published(name)

    def right(ours, theirs):
        if wanted is not None:
            rounded = [[float(v) if isinstance(v, int) else v for v in row] for row in ours]
            if not same_rows(rounded, wanted, tolerance=1e-6):
                return False
        return same_rows(ours, theirs)
    return right


def main():
    kept = os.environ.get("QUARRY_BENCH_DIR")
    folder = pathlib.Path(kept or tempfile.mkdtemp(prefix="quarry-tpch."))
    fresh = not (folder / "quarry").exists()
    server = start(folder)
    try:
        if fresh:
            load(server.client(timeout=600), folder)
        race = Race(server, tpch.TABLES, RUNS)
        against = "published answers and DuckDB's" if os.environ.get("QUARRY_TPCH_ANSWERS") else "DuckDB's"
        print(f"TPC-H, scale {SCALE:g}, {RUNS} runs each in turn, milliseconds; answers against {against}")
        race.head()
        for name, sql in tpch.queries():
            race.run(name, sql, check(name))
        return 0 if race.totals() else 1
    finally:
        server.stop()
        if not kept:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())

"""What the benches of SQL share: loading CSV files into sources, and running each query through
Quarry's HTTP and through DuckDB in this process, on the same Parquet files, in turn."""

import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))

from lib.duck import Duck, same_rows  # noqa: E402
from lib.quarry import Server  # noqa: E402

BODY_BYTES = 32 << 20
TIMEOUT_S = 600
# No kept results: each run of a query is a run. Few files: one flush a source.
SETTINGS = ["--query-cache-mb=0", "--auto-compaction-enabled=false", "--memtable-mb=4096",
            "--flush-age-seconds=86400"]


def start(folder):
    return Server(pathlib.Path(folder) / "quarry", settings=SETTINGS).start()


def load_csv(client, source, schema, path, **config):
    """One file with a line of names, in pieces; the rows are flushed."""
    client.add_source(source, schema, **config)
    with open(path, "rb") as file:
        head = file.readline()
        while lines := file.readlines(BODY_BYTES):
            client.request("POST", f"/data/load?source_id={source}&format=csv", head + b"".join(lines),
                           {"Content-Type": "text/csv"}).ok()
    client.flush(source)


def data_files(server, source):
    """Its Parquet files: nothing was compacted, so all there are."""
    return sorted(server.data.glob(f"sources/{source}/data/**/*.parquet"))


def cpu_seconds(pid):
    """Of a process and its children that live."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    total = (int(stat[11]) + int(stat[12])) / 100
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            total += cpu_seconds(int(child))
    return total


def own_cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Race:
    """Quarry against DuckDB, query by query; keeps best times and CPU seconds."""

    def __init__(self, server, sources, runs):
        self.server, self.runs = server, runs
        self.client = server.client(timeout=TIMEOUT_S)
        self.duck = Duck()
        for source in sources:
            self.duck.table(source, data_files(server, source))
        self.cpu = [0.0, 0.0]
        self.best, self.first, self.wrong = [], [], []

    def _ours(self, sql):
        cpu, begin = cpu_seconds(self.server.pid), time.perf_counter()
        answer = self.client.sql(sql, dialect="duckdb", timeout_ms=TIMEOUT_S * 1000)
        took = time.perf_counter() - begin
        self.cpu[0] += cpu_seconds(self.server.pid) - cpu
        return took * 1000, answer

    def _theirs(self, sql):
        cpu, begin = own_cpu_seconds(), time.perf_counter()
        self.duck.run(sql)
        took = time.perf_counter() - begin
        self.cpu[1] += own_cpu_seconds() - cpu
        return took * 1000

    def run(self, name, sql, check=same_rows):
        pairs = [(self._ours(sql), self._theirs(sql)) for _ in range(self.runs)]
        answer = pairs[0][0][1].ok().json
        right = check(answer["rows"], self.duck.rows(sql))
        if not right:
            self.wrong.append(name)
        ours, theirs = [p[0][0] for p in pairs], [p[1] for p in pairs]
        self.first.append((ours[0], theirs[0]))
        self.best.append((min(ours), min(theirs)))
        print(f"{name:8} {ours[0]:9.1f} {theirs[0]:9.1f} {min(ours):9.1f} {min(theirs):9.1f} "
              f"{min(ours) / min(theirs):6.2f} {answer['row_count']:8}  "
              f"{'right' if right else 'WRONG'}  {answer['statistics']['access_path']}", flush=True)

    def head(self):
        print(f"{'query':8} {'first':>9} {'duckdb':>9} {'best':>9} {'duckdb':>9} {'ratio':>6} {'rows':>8}")

    def totals(self):
        for name, pairs in (("first runs", self.first), (f"best of {self.runs}", self.best)):
            ours, theirs = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
            print(f"total of {name}: Quarry {ours:.0f} ms, DuckDB {theirs:.0f} ms, ratio {ours / theirs:.3f}")
        print(f"CPU of all runs: Quarry {self.cpu[0]:.2f} s, DuckDB {self.cpu[1]:.2f} s, "
              f"ratio {self.cpu[0] / self.cpu[1]:.3f}")
        print(f"{len(self.best) - len(self.wrong)} of {len(self.best)} answers are right"
              + (f"; wrong: {', '.join(self.wrong)}" if self.wrong else ""))
        return not self.wrong

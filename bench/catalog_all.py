"""One table of the catalog's figures over HTTP for every back end: bench/catalog.sh on each, with
PostgreSQL and Redis from apt, started here on free ports and stopped at the end.

    make bench-catalog [ARGS="sqlite postgresql ..."]

Redis is set to sync each commit (appendfsync always), as PostgreSQL and SQLite do. The file back end is
for thousands of assets and gets FILE_ASSETS. Elasticsearch is not here: no server of its kind was ever
at hand (docs/catalog-elastic.md).
Environment: BIN, ASSETS (100000), FILE_ASSETS (5000), SECONDS_EACH (5), CLIENTS (16).
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))

from lib.databases import Postgres, Redis  # noqa: E402

TARGETS = "targets: reads > 20,000/s p95 < 1 ms; durable creations > 3,000/s p95 < 10 ms; searches p95 < 10 ms " \
          "(SQLite, PostgreSQL); every back end: reads 10 ms, searches 50 ms, 1,000 operations a second"


class DurableRedis(Redis):
    def command(self):
        return [*super().command(), "--appendonly", "yes", "--appendfsync", "always"]


def measure(url, assets):
    """The lines of bench/catalog.sh by name; of the writes the first and the last."""
    command = [str(ROOT / "bench/catalog.sh"), *([url] if url else [])]
    done = subprocess.run(command, env=dict(os.environ, ASSETS=str(assets)), stdout=subprocess.PIPE, text=True,
                          check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    writes = [line for line in lines if line["bench"].startswith("write-")]
    found = {line["bench"]: line["result"] for line in lines if line not in writes}
    found["first writes"], found["last writes"] = writes[0]["result"], writes[-1]["result"]
    return found


def show(name, found):
    for what in ("first writes", "last writes", "read", "list", "search", "ranked", "facets"):
        result = found[what]
        print(f"{name:12} {found['assets']:>8} {what:14} {result['requests_per_s']:>9} {result['p50_us'] / 1000:>9.2f} "
              f"{result['p95_us'] / 1000:>9.2f} {result['p99_us'] / 1000:>9.2f} {result['errors']:>7}", flush=True)


def main(wanted):
    assets = int(os.environ.get("ASSETS", "100000"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="quarry-bench-"))
    folder.chmod(0o755)  # the user postgres goes through it
    print(f"catalog: {os.environ.get('CLIENTS', '16')} connections of one wrk thread, load "
          f"{os.getloadavg()[0]:.1f} at the start\n{TARGETS}")
    print(f"{'back end':12} {'assets':>8} {'what':14} {'a second':>9} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} "
          f"{'errors':>7}")
    try:
        with Postgres(folder / "postgres") as postgres, DurableRedis(folder / "redis") as redis, \
                Redis(folder / "cache") as cache:
            fill = {"sqlite": (None, assets),
                    "postgresql": (postgres.url, assets),
                    "redis": (redis.url, assets),
                    "hybrid": (f"hybrid:sqlite:{folder}/hybrid/catalog.db|{cache.url}", assets),
                    "file": (f"file:{folder}/files", int(os.environ.get("FILE_ASSETS", "5000")))}
            for name in wanted or fill:
                show(name, measure(*fill[name]))
    finally:
        shutil.rmtree(folder)


main(sys.argv[1:])

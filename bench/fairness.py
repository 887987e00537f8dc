#!/usr/bin/env python3
"""Can one tenant's flood make another wait? p50 and p99 of one tenant's point searches through the
gateway, alone and beside another tenant that floods it with aggregates over the same rows.

    bench/fairness.py [SECONDS] [FLOOD_CONNECTIONS] [quarryd's settings ...]
"""
import json
import multiprocessing
import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))
from lib.quarry import Server  # noqa: E402
from lib.tokens import admin_password, bearer, forge, login  # noqa: E402

ROWS = 200_000


def fill(server, token):
    door = server.client("gateway")
    door.request("POST", "/sources/add", {
        "source_id": "t", "name": "t", "connection_string": "file://t", "data_path": "t",
        "index_columns": ["k"], "schema_definition": {"k": "int64", "v": "double"}}, bearer(token)).ok()
    for start in range(0, ROWS, 10_000):
        records = [{"fields": {"k": k, "v": k * 0.5}} for k in range(start, start + 10_000)]
        door.request("POST", "/data/write", {"source_id": "t", "records": records}, bearer(token)).ok()


def calm(server, token, seconds):
    door, took = server.client("gateway"), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        body = {"source_ids": ["t"], "filters": {"k": {"eq": len(took) * 37 % ROWS}}}
        before = time.perf_counter()
        door.request("POST", "/data/search", body, bearer(token)).ok()
        took.append((time.perf_counter() - before) * 1000)
    took.sort()
    return {"n": len(took), "p50_ms": round(took[len(took) // 2], 2), "p99_ms": round(took[len(took) * 99 // 100], 2)}


def flood(server, token, stop, connections, ret):
    """In a process of its own, so that it does not slow the other client down."""
    statuses = {}
    threads = [threading.Thread(target=flood_one, args=(server, token, stop, statuses)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ret.put(statuses)


def flood_one(server, token, stop, statuses):
    door = server.client("gateway")
    body = {"source_ids": ["t"], "filters": {"v": {"gt": 10}}, "aggregations": [{"type": "stddev", "column": "v"}]}
    while not stop.is_set():
        status = door.request("POST", "/data/aggregate", body, bearer(token)).status
        statuses[status] = statuses.get(status, 0) + 1
        if status == 429:
            time.sleep(0.05)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with tempfile.TemporaryDirectory() as folder:
        settings = ["--auth-required=yes", "--bcrypt-rounds=4", *sys.argv[3:]]
        server = Server(pathlib.Path(folder) / "data", settings=settings).start()
        try:
            admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
            secret = (server.data / "auth/jwt.secret").read_bytes().strip()
            other = forge(admin, secret, tenant_id="flooder", sub="flooder")
            server.client("gateway").request("POST", "/auth/tenants", {"tenant_id": "flooder"}, bearer(admin))
            fill(server, admin)
            fill(server, other)
            print(json.dumps({"alone": calm(server, admin, seconds)}))
            stop, ret = multiprocessing.Event(), multiprocessing.Queue()
            process = multiprocessing.Process(target=flood, args=(server, other, stop, connections, ret))
            process.start()
            time.sleep(1)
            beside = calm(server, admin, seconds)
            stop.set()
            statuses = ret.get()
            process.join()
            print(json.dumps({"beside a flood": beside, "flood's answers": statuses}))
        finally:
            server.stop()


if __name__ == "__main__":
    main()

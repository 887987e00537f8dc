"""SQL workers follow the load: fewer when idle, more when queries wait, each change with its reason."""
import concurrent.futures
import json
import signal
import subprocess
import time

import pytest

from lib.quarry import Server, bin_folder

SLOW = "SELECT count(*) AS n FROM range(1000000) a, range(200000) b WHERE (a.range * b.range) % 7 = 3"  # until it is cancelled
WAIT_S = 60
SETTINGS = ["--min-workers=1", "--max-workers=2", "--scale-interval-seconds=1", "--scale-up-cooldown-seconds=0",
            "--scale-down-cooldown-seconds=0", "--scale-up-threshold-queue=0", "--scale-up-threshold-cpu=100",
            "--scale-down-threshold-cpu=99"]


def until(ask, good):
    end = time.monotonic() + WAIT_S
    while not good(found := ask()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("scaling") / "data", settings=SETTINGS).start()
    server.client().add_source("t", {"a": "int64"})
    yield server
    server.stop()


def test_workers_follow_the_load(server):
    door = server.client("operation")

    def status():
        return door.get("/scaling/status").ok().json

    idle = until(status, lambda s: s.get("current_workers") == 1 and not s["scaling_in_progress"])
    assert idle["enabled"] is True and idle["queued_queries"] == 0 and idle["last_scale_up"] is None
    assert idle["last_scale_down"] is not None and idle["memory_bytes"] > 1 << 20
    assert set(idle["recent_metrics"]) == {"cpu_usage", "memory_usage", "avg_query_time"}
    assert [node["tenant_id"] for node in idle["nodes"]] == ["default_tenant"]
    node = server.client("tenant")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(node.request, "POST", "/query/sql",
                             {"query": SLOW, "dialect": "duckdb", "query_id": f"slow-{i}", "timeout_ms": 300000}) for i in range(2)]
        grown = until(status, lambda s: s["active_queries"] == 2 and s["queued_queries"] == 0)
        assert grown["current_workers"] == 2 and grown["workers_alive"] == 2 and grown["last_scale_up"] is not None
        for i in range(2):
            node.delete(f"/queries/slow-{i}").ok()
        for one in asked:
            one.result()
    until(status, lambda s: s["current_workers"] == 1 and s["workers_alive"] <= 1)
    changes = door.get("/scaling/history").ok().json["history"]
    ups = [c for c in changes if c["action"] == "up"]
    assert [(c["from"], c["to"]) for c in ups] == [(1, 2)]
    assert all(c["reason"].startswith("waiting queries") for c in ups)
    assert [c["action"] for c in changes] == ["down", "up", "down"]  # newest first
    assert {c["reason"] for c in changes if c["action"] == "down"} == {"all measures are low"}
    assert len(door.get("/scaling/history?limit=1").ok().json["history"]) == 1
    assert 'quarry_scaling_workers{tenant="default_tenant"} 1' in door.get("/metrics").text
    assert '"scaling"' in server.log.read_text() and "waiting queries" in server.log.read_text()


def test_a_node_that_is_started_again_is_told(server):
    door = server.client("operation")
    until(lambda: door.get("/scaling/status").json, lambda s: s["current_workers"] == 1 and not s["scaling_in_progress"])
    before = server.node_pid()
    door.post("/tenants/default_tenant/node/restart").ok(202)
    server.wait_node(before)
    until(lambda: door.get("/scaling/status").json, lambda s: s["current_workers"] == 1 and not s["scaling_in_progress"])


def test_it_can_be_switched_off_while_it_runs(tmp_path):
    config = tmp_path / "quarry.conf"
    config.write_text("auto_scaling_enabled = true\n")
    server = Server(tmp_path / "data", settings=["--scale-interval-seconds=1", "--config", str(config)]).start()
    try:
        door = server.client("operation")
        assert door.get("/scaling/status").ok().json["enabled"] is True
        config.write_text("auto_scaling_enabled = false\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: door.get("/scaling/status").json, lambda s: not s["enabled"] and s.get("reason") == "AUTO_SCALING_ENABLED is false")
    finally:
        server.stop()


# --- the same policy on paper ---

def simulate(tmp_path, name, text, *more):
    (tmp_path / name).write_text(text)
    done = subprocess.run([bin_folder() / "quarry", "scale", "simulate", str(tmp_path / name), "--json", *more],
                          capture_output=True, text=True, env={}, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[:-1], lines[-1]


def test_a_recorded_load(tmp_path):
    rows = [{"at": 30 * i, "cpu_usage": 90 if i < 12 else 5, "active_queries": 3} for i in range(60)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    changes, summary = simulate(tmp_path, "load.ndjson", text)
    assert [(c["at"], c["action"], c["from"], c["to"], c["reason"]) for c in changes] == [
        (60, "up", 2, 3, "cpu 90.0 % > 70.0 %"), (150, "up", 3, 5, "cpu 90.0 % > 70.0 %"),
        (240, "up", 5, 8, "cpu 90.0 % > 70.0 %"), (330, "up", 8, 12, "cpu 90.0 % > 70.0 %"),
        (930, "down", 12, 8, "all measures are low"), (1530, "down", 8, 5, "all measures are low")]
    assert summary == {"samples": 60, "nodes": 1, "ups": 4, "downs": 2, "workers_most": 12, "workers_end": 5,
                       "worker_seconds": 2 * 60 + 3 * 90 + 5 * 90 + 8 * 90 + 12 * 600 + 8 * 600 + 5 * 240}
    held, _ = simulate(tmp_path, "load.ndjson", text, "--all", "--set", "MAX_WORKERS=2")
    assert len(held) == 60 and held[2]["reason"] == "at MAX_WORKERS: cpu 90.0 % > 70.0 %"


def test_thousands_of_nodes(tmp_path):
    text = "at,node,cpu_usage\n" + "".join(f"{10 * i},n{n},80\n" for i in range(3) for n in range(4000))
    changes, summary = simulate(tmp_path, "load.csv", text)
    assert len(changes) == 4000 and {(c["from"], c["to"]) for c in changes} == {(2, 3)}
    assert summary["nodes"] == 4000 and summary["workers_end"] == 12000


def test_loads_that_are_none(tmp_path):
    quarry = bin_folder() / "quarry"
    for name, text, exit_code, says in (
            ("a.csv", "at,cpu_usage\n1,5\n0,5\n", 4, "older"), ("b.csv", "cpu_usage\n5\n", 4, "without a time"),
            ("c.csv", "at,cpu_usage\n1,-5\n", 4, "below 0"), ("d.csv", "at,cpu_usage\n1,much\n", 4, "cpu_usage"),
            ("e.what", "", 2, "")):
        (tmp_path / name).write_text(text)
        done = subprocess.run([quarry, "scale", "simulate", str(tmp_path / name)], capture_output=True, text=True, check=False)
        assert done.returncode == exit_code and says in done.stderr, (name, done)
    done = subprocess.run([quarry, "scale", "simulate", str(tmp_path / "a.csv"), "--set", "MIN_WORKERS=x"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "MIN_WORKERS" in done.stderr

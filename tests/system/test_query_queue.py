"""The queue that queries pass behind the gateway: seen, bounded, cancelled, fair."""
import concurrent.futures
import threading
import time

import pytest

from lib.quarry import Server

SLOW = "SELECT count(*) AS n FROM range(100000) a, range(20000) b WHERE (a.range * b.range) % 7 = 3"
WAIT_S = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = ["--query-slots=1", "--query-queue-max=2"]
    server = Server(tmp_path_factory.mktemp("queue") / "data", settings=settings).start()
    server.client().post("/sources/add", {"source_id": "t", "name": "t", "connection_string": "file://t",
                                          "data_path": "t", "schema_definition": {"a": "int64"}}).ok()
    yield server
    server.stop()


def ask(server, request_id, **headers):
    return server.client("gateway").request("POST", "/query/sql", {"query": SLOW, "dialect": "duckdb"},
                                            {"X-Request-Id": request_id, **headers})


def queue(server):
    return server.client("operation").get("/queries").ok().json


def await_queries(server, count):
    end = time.monotonic() + WAIT_S
    while len((seen := queue(server))["queries"]) != count:
        assert time.monotonic() < end, seen
        time.sleep(0.02)
    return seen


def test_seen_bounded_and_cancelled(server):
    door = server.client("operation")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        asked = {}
        for count, (name, priority) in enumerate([("runs", "interactive"), ("waits", "batch"), ("next", "interactive")]):
            asked[name] = pool.submit(ask, server, name, **{"X-Priority": priority})
            seen = await_queries(server, count + 1)
        assert (seen["running"], seen["waiting"]) == (1, 2)
        assert [(q["query_id"], q["state"], q["priority"]) for q in seen["queries"]] == [
            ("runs", "running", "interactive"), ("waits", "waiting", "batch"), ("next", "waiting", "interactive")]
        assert {(q["tenant_id"], q["what"]) for q in seen["queries"]} == {("default_tenant", "POST /query/sql")}
        refused = ask(server, "one too many")
        refused.refused(429, "too_many_requests")
        assert refused.headers["Retry-After"] == "1"
        # writes and the node's own look-ups do not wait in it
        assert server.client("gateway").get("/sources").ok()
        door.request("DELETE", "/queries/waits").ok(202)
        asked["waits"].result().refused(499, "cancelled")
        await_queries(server, 2)
        door.request("DELETE", "/queries/runs").ok(202)
        asked["runs"].result()
        await_queries(server, 1)
        door.request("DELETE", "/queries/next").ok(202)
        asked["next"].result()
    await_queries(server, 0)
    door.request("DELETE", "/queries/runs").refused(404, "not_found")
    text = door.get("/metrics").text
    assert "quarry_query_queue_running 0" in text and "quarry_query_queue_refused_total 1" in text


def test_priorities_have_names(server):
    ask(server, "x", **{"X-Priority": "urgent"}).refused(400, "invalid_argument")


def test_a_client_that_goes_away_leaves_the_queue(server):
    held = threading.Thread(target=ask, args=(server, "held"))
    held.start()
    await_queries(server, 1)
    client = server.client("gateway", timeout=1)
    with pytest.raises(OSError):
        client.request("POST", "/query/sql", {"query": SLOW, "dialect": "duckdb"})
    client.close()
    assert [q["query_id"] for q in await_queries(server, 1)["queries"]] == ["held"]
    server.client("operation").request("DELETE", "/queries/held").ok(202)
    held.join()
    await_queries(server, 0)

"""Logs of all services in one place: GET /logs/{service} of the monitoring service.

Shows with the real program: one request id through gateway, catalog and tenant node; filters; that
a path cannot forge a line; following; who may read what; that a stop does not wait for followers.
"""
import http.client
import json
import time
import urllib.parse

from lib.quarry import Client
from lib.wait import until

PATIENCE_S = 30


def logs(server, service, **query):
    answer = Client(server.ports["monitoring"]).get(f"/logs/{service}?" + urllib.parse.urlencode(query))
    return answer.ok().json


def test_one_request_id_through_all_services(server):
    gateway = Client(server.ports["gateway"])
    answer = gateway.get("/metadata/sources", headers={"X-Request-Id": "trail-1"}).ok()
    assert answer.headers["X-Request-Id"] == "trail-1"
    wanted = {"auth-gateway", "metadata-catalog", "tenant-node"}
    found = until(lambda: (lambda lines: lines if {line["service"] for line in lines} == wanted else None)(
        logs(server, "all", request_id="trail-1")["logs"]), "lines of three services")
    assert [line["time"] for line in found] == sorted(line["time"] for line in found)
    assert {(line["message"], line["status"]) for line in found} == {("request", 200)}
    alone = logs(server, "tenant", request_id="trail-1")
    assert alone["count"] == 1 and alone["truncated"] is False
    assert alone["logs"][0]["path"] == "/sources"
    made = gateway.get("/metadata/sources").headers["X-Request-Id"]
    until(lambda: logs(server, "tenant-node", request_id=made)["count"] == 1, "a made id passed on")


def test_filters(server):
    client = Client(server.ports["interpreter"])
    for number in range(3):
        client.get(f"/nowhere/{number}", headers={"X-Request-Id": f"filter-{number}"}).refused(404)
    lines = until(lambda: (lambda found: found if len(found) == 3 else None)(
        logs(server, "interpreter", text="/nowhere/")["logs"]), "three lines")
    assert [line["request_id"] for line in lines] == ["filter-0", "filter-1", "filter-2"]
    newest = logs(server, "interpreter", text="/nowhere/", limit=1)["logs"]
    assert newest == lines[2:]
    assert logs(server, "interpreter", text="/nowhere/", since=lines[1]["time"])["logs"] == lines[1:]
    assert logs(server, "interpreter", text="/nowhere/", until=lines[1]["time"])["logs"] == lines[:2]
    assert logs(server, "interpreter", text="/nowhere/", level="info")["logs"] == []
    assert logs(server, "quarryd", text="ready", level="info")["count"] >= 1
    monitoring = Client(server.ports["monitoring"])
    text = monitoring.get("/logs/interpreter?text=%2Fnowhere%2F", headers={"Accept": "application/x-ndjson"})
    assert text.ok().lines() == lines
    monitoring.get("/logs/nobody").refused(404, "not_found")
    monitoring.get("/logs/..%2F..%2Fetc").refused(404, "not_found")
    monitoring.get("/logs/tenant?since=yesterday").refused(400, "invalid_argument")
    monitoring.get("/logs/tenant?limit=10001").refused(400, "invalid_argument")


def test_injection_is_impossible(server):
    forged = '\n{"time":"2026-01-01T00:00:00.000000Z","level":"error","service":"tenant-node","message":"forged"}\n'
    client = Client(server.ports["operation"])
    client.get("/inject/" + urllib.parse.quote(forged, safe=""), headers={"X-Request-Id": "inject-1"}).refused(404)
    client.get("/inject/2", headers={"X-Request-Id": 'x","level":"error'}).refused(404)
    lines = until(lambda: (lambda found: found if len(found) == 2 else None)(
        logs(server, "operation", text="/inject/")["logs"]), "two lines")
    assert lines[0]["path"] == "/inject/" + forged and lines[0]["level"] == "debug"
    assert lines[1]["level"] == "debug" and len(lines[1]["request_id"]) == 36
    assert all(line["message"] != "forged" for line in logs(server, "all", limit=10000)["logs"])
    for path in (server.data / "logs").iterdir():
        for line in path.read_bytes().splitlines():
            json.loads(line)


def read_event(stream):
    event = {}
    while True:
        line = stream.readline().decode()
        assert line, "the stream ended"
        if line == "\n":
            if event:
                return event
        elif not line.startswith(":"):
            name, _, value = line.rstrip("\n").partition(": ")
            event[name] = value


def test_follow(new_server):
    server = new_server()
    operation = Client(server.ports["operation"])
    operation.get("/follow/before").refused(404)
    until(lambda: logs(server, "operation", text="/follow/")["count"] == 1, "the first line")
    connection = http.client.HTTPConnection("127.0.0.1", server.ports["gateway"], timeout=PATIENCE_S)
    connection.request("GET", "/logs/operation?follow=true&text=%2Ffollow%2F")
    stream = connection.getresponse()
    assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
    assert json.loads(read_event(stream)["data"])["path"] == "/follow/before"
    operation.get("/follow/after").refused(404)
    event = read_event(stream)
    assert event["event"] == "log" and json.loads(event["data"])["path"] == "/follow/after"
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 9  # SHUTDOWN_GRACE_SECONDS is 10: nobody waited for the stream
    connection.close()


def test_who_may_read(new_server):
    server = new_server(settings=["--auth-required=yes"])
    Client(server.ports["monitoring"]).get("/logs/all").refused(401, "unauthenticated")
    Client(server.ports["monitoring"]).get("/health/all").ok()


def test_logs_can_be_off(new_server):
    server = new_server(settings=["--log-file-level=off"])
    Client(server.ports["monitoring"]).get("/logs/all").refused(404, "not_found")
    assert not (server.data / "logs").exists()


def test_a_new_file_at_its_size(new_server):
    server = new_server(settings=["--log-file-mb=1", "--log-lines-per-second=0"])
    client = Client(server.ports["optimizer"])
    path = "/" + "x" * 500
    files = []
    end = time.monotonic() + PATIENCE_S
    while len(files) < 2 and time.monotonic() < end:
        for _ in range(200):
            client.get(path).refused(404)
        files = sorted(file.name for file in (server.data / "logs").glob("cbo-engine.*"))
    assert [name[-9:] for name in files[:2]] == ["000.jsonl", "001.jsonl"]
    assert logs(server, "optimizer", limit=1000)["count"] == 1000  # of both files

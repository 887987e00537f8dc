"""Traces with the real program: W3C context in and through gateway, catalog and tenant node down to
the phases of storage and queries; the slowest; who sees them; OTLP to a collector that fails first.
"""
import http.server
import json
import re
import threading

import pytest

from lib.quarry import Client
from lib.wait import until

PATIENCE_S = 60
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def headers(trace, flags="01"):
    return {"traceparent": f"00-{trace}-{PARENT}-{flags}", "tracestate": "vendor=1"}


def spans_of(server, trace):
    """Name to span, once the gateway's own is there."""
    def look():
        answer = Client(server.ports["monitoring"]).get(f"/traces/{trace}")
        spans = answer.json["spans"] if answer.status == 200 else []
        return spans if spans and spans[0]["service"] == "auth-gateway" else None
    return until(look, "the trace " + trace)


@pytest.fixture(scope="module")
def source(server):
    client = server.client()
    client.add_source("traced", {"id": "int64", "city": "string"})
    client.write("traced", [{"id": n, "city": "x"} for n in range(100)])
    client.flush("traced")
    return "traced"


def check_tree(spans, calls):
    """One tree from the caller's span down: gateway, its call, the node, its phases."""
    by_id = {span["span_id"]: span for span in spans}
    assert len(by_id) == len(spans)
    assert spans[0]["parent_id"] == PARENT
    for span in spans[1:]:
        parent = by_id[span["parent_id"]]
        assert span["offset_us"] >= parent["offset_us"] - 2000  # two processes, one clock, rounded
    assert [span["name"] for span in spans if span["kind"] == "client"] == calls


def test_from_the_gateway_to_the_phases(server, source):
    gateway = Client(server.ports["gateway"])
    answer = gateway.request("POST", "/data/search", {"source_ids": [source], "filters": {"id": 7}},
                             {**headers(TRACE), "X-Request-Id": "traced-1"}).ok()
    assert answer.headers.get_all("X-Trace-Id") == [TRACE]
    spans = spans_of(server, TRACE)
    check_tree(spans, ["gateway.call"])
    assert [(span["service"], span["name"]) for span in spans] == [
        ("auth-gateway", "data_search"), ("auth-gateway", "gateway.call"), ("tenant-node", "data_search"),
        ("tenant-node", "search.open"), ("tenant-node", "search.scan")]
    assert spans[4]["notes"]["rows"] == 1 and spans[4]["notes"]["files"] == 1
    assert {span["request_id"] for span in spans if span["kind"] == "server"} == {"traced-1"}
    assert all(span["duration_us"] >= 0 and span["failed"] is False for span in spans)


@pytest.mark.parametrize("trace,method,path,body,phases", [
    ("a" * 32, "POST", "/query/sql", {"query": "SELECT count(*) FROM traced"},
     {"sql.open", "sql.queue", "sql.prepare", "sql.execute"}),
    ("b" * 32, "POST", "/data/write", {"source_id": "traced", "records": [{"fields": {"id": 1000}}]},
     {"write.parse", "write.store"}),
    ("c" * 32, "POST", "/data/aggregate", {"source_ids": ["traced"], "aggregations": [{"type": "count"}]},
     {"aggregate.scan"}),
])
def test_phases(server, source, trace, method, path, body, phases):
    Client(server.ports["gateway"]).request(method, path, body, headers(trace)).ok()
    spans = spans_of(server, trace)
    check_tree(spans, ["gateway.call"])
    assert {span["name"] for span in spans if span["kind"] == "internal"} == phases


def test_through_the_catalog(server, source):
    trace = "d" * 32
    Client(server.ports["gateway"]).request("GET", "/metadata/sources", None, headers(trace)).ok()
    spans = spans_of(server, trace)
    check_tree(spans, ["gateway.call", "node.call"])
    assert {span["service"] for span in spans} == {"auth-gateway", "metadata-catalog", "tenant-node"}


def test_not_recorded_when_the_caller_says_so(server, source):
    trace = "e" * 32
    answer = Client(server.ports["gateway"]).request("GET", "/sources", None, headers(trace, "00")).ok()
    assert "X-Trace-Id" not in answer.headers
    bad = Client(server.ports["gateway"]).request("GET", "/sources", None, {"traceparent": f"00-{TRACE}-x-01"})
    assert bad.ok().headers.get("X-Trace-Id") != TRACE
    monitoring = Client(server.ports["monitoring"])
    monitoring.get(f"/traces/{trace}").refused(404, "not_found")
    monitoring.get("/traces/nonsense").refused(404, "not_found")
    assert "X-Trace-Id" not in monitoring.get("/health", headers={}).ok().headers


def test_slowest_and_filters(server, source):
    trace = "f" * 32
    Client(server.ports["tenant"]).request("GET", "/sources", None,
                                           {**headers(trace), "X-Request-Id": "slow-1"}).ok()
    monitoring = Client(server.ports["monitoring"])
    traces = monitoring.get("/traces?order=slowest").ok().json["traces"]
    durations = [entry["duration_ms"] for entry in traces]
    assert len(durations) > 1 and durations == sorted(durations, reverse=True)
    found = monitoring.get("/traces?request_id=slow-1").ok().json["traces"]
    assert [(entry["trace_id"], entry["operation"], entry["spans"]) for entry in found] == [(trace, "sources_list", 1)]
    assert monitoring.get("/traces?operation=sources_list&service=tenant&limit=1").ok().json["count"] == 1
    assert monitoring.get("/traces?min_ms=86400000").ok().json["traces"] == []
    monitoring.get("/traces?service=nobody").refused(400, "invalid_argument")
    metrics = monitoring.get("/metrics").ok().text
    assert int(re.search(r'quarry_trace_spans_total\{outcome="collected"\} (\d+)', metrics).group(1)) > 10


class Collector:
    """OTLP/HTTP: 503 to the first request, 200 to the others."""

    def __init__(self):
        collector = self
        self.bodies = []
        self.refused = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refuse = collector.refused == 0
                collector.refused += refuse
                if not refuse:
                    collector.bodies.append((self.path, self.headers["Content-Type"], body))
                self.send_response(503 if refuse else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self):
        return [(resource["resource"]["attributes"][0]["value"]["stringValue"], span)
                for _, _, body in list(self.bodies) for resource in body["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]


def test_otlp_export_with_tokens_asked_for(new_server):
    collector = Collector()
    try:
        server = new_server(settings=["--auth-required=yes", f"--otlp-url={collector.url}"])
        password = re.search(r"has the password (\S+)", server.log.read_text()).group(1)
        gateway = Client(server.ports["gateway"])
        login = gateway.post("/auth/login", {"username": "admin", "password": password}).ok().json
        token = {"Authorization": "Bearer " + login["access_token"]}
        gateway.request("GET", "/sources", None, {**headers(TRACE), **token}).ok()
        gateway.get("/traces").refused(401, "unauthenticated")
        Client(server.ports["tenant"]).get("/spans").refused(401, "unauthenticated")
        until(lambda: gateway.get(f"/traces/{TRACE}", headers=token).status == 200, "the trace")
        found = until(lambda: (lambda spans: spans if len(spans) >= 3 else None)(
            [entry for entry in collector.spans() if entry[1]["traceId"] == TRACE]), "exported spans")
        assert {service for service, _ in found} == {"auth-gateway", "tenant-node"}
        for _, span in found:
            assert re.fullmatch(r"[0-9a-f]{16}", span["spanId"])
            assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]) > 10**18
            assert span["kind"] in (1, 2, 3) and span["name"]
        assert collector.refused == 1
        assert {(path, kind) for path, kind, _ in collector.bodies} == {("/v1/traces", "application/json")}
        metrics = Client(server.ports["monitoring"]).get("/metrics").ok().text
        assert 'quarry_trace_spans_total{outcome="export_dropped"} 0\n' in metrics
    finally:
        collector.server.shutdown()
        collector.server.server_close()


def test_tracing_can_be_off(new_server):
    server = new_server(settings=["--trace-sample-ratio=0", "--trace-per-second=0"])
    client = Client(server.ports["tenant"])
    assert "X-Trace-Id" not in client.get("/sources").ok().headers
    assert client.request("GET", "/sources", None, headers(TRACE)).ok().headers["X-Trace-Id"] == TRACE

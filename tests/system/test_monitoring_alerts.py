"""Alerts and the state of the platform, with the real program: an alert fires and is resolved, a
webhook that fails at first hears of both once, /status and /health/all tell the same.
"""
import http.server
import json
import subprocess
import threading

import pytest

from lib.quarry import Client, bin_folder
from lib.wait import until

PATIENCE_S = 60


class Receiver:
    """A webhook: answers 503 to the first delivery, 204 to the others."""

    def __init__(self):
        receiver = self
        self.deliveries = []
        self.refused = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                delivery = (self.headers["X-Quarry-Delivery"], body)
                refuse = not receiver.refused
                (receiver.refused if refuse else receiver.deliveries).append(delivery)
                self.send_response(503 if refuse else 204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


RULES = [{"name": "HasSources", "metric": "quarry_sources", "op": ">", "threshold": 0, "severity": "info",
          "for_seconds": 0, "keep_seconds": 0, "summary": "There are \"sources\"."}]


def test_an_alert_fires_and_is_resolved(new_server, receiver, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    server = new_server(settings=["--metrics-interval-seconds=1", f"--alert-rules-file={rules}",
                                  f"--alert-webhook-url={receiver.url}"])
    monitoring = Client(server.ports["monitoring"])
    tenant = server.client()
    assert monitoring.get("/alerts").ok().json == {"alerts": [], "count": 0, "rules": 1}
    tenant.add_source("alerting", {"id": "int64"})
    alert = until(lambda: monitoring.get("/alerts?state=firing").ok().json["alerts"], "the alert")[0]
    assert (alert["name"], alert["service"], alert["severity"]) == ("HasSources", "tenant-node", "info")
    assert (alert["value"], alert["threshold"], alert["state"]) == (1, 0, "firing")
    assert monitoring.get("/status").ok().json["alerts"] == {"firing": 1, "pending": 0}
    tenant.delete("/sources/alerting").ok()
    until(lambda: monitoring.get("/alerts").ok().json["count"] == 0, "the end of the alert")
    resolved = monitoring.get("/alerts?state=resolved").ok().json["alerts"]
    assert [entry["name"] for entry in resolved] == ["HasSources"] and resolved[0]["resolved_at"]
    until(lambda: len(receiver.deliveries) == 2, "two messages")
    assert [body["status"] for _, body in receiver.deliveries] == ["firing", "resolved"]
    assert receiver.deliveries[0] == receiver.refused[0]  # the same message, tried again
    assert receiver.deliveries[0][1]["alerts"][0]["summary"] == "There are \"sources\"."
    metrics = monitoring.get("/metrics").ok().text
    assert 'quarry_alert_messages_total{outcome="sent"} 2\n' in metrics
    assert 'quarry_alert_messages_total{outcome="dropped"} 0\n' in metrics
    lines = until(lambda: (lambda found: found if len(found) == 2 else None)(
        monitoring.get("/logs/monitoring?text=HasSources").json["logs"]), "two lines")
    assert [line["message"] for line in lines] == ["alert fires", "alert resolved"]


def test_services_that_do_not_run(new_server):
    server = new_server(settings=["--services=gateway,monitoring", "--metrics-interval-seconds=1"])
    monitoring = Client(server.ports["monitoring"])
    health = monitoring.get("/health/all").ok().json
    assert health["status"] == "degraded"
    down, up = health["services"]["tenant-node"], health["services"]["auth-gateway"]
    assert down["healthy"] is False and down["reason"] == "not running" and down["since"]
    assert up["healthy"] is True and up["reason"] is None
    status = monitoring.get("/status").ok().json
    assert status["status"] == "degraded"
    assert status["services"]["tenant-node"]["status"] == "unhealthy"
    assert status["services"]["auth-gateway"]["status"] == "healthy"
    assert status["services"]["auth-gateway"]["response_time"] > 0
    assert (status["metrics"]["auth-gateway"], status["metrics"]["tenant-node"]) == (1, 0)
    pending = until(lambda: monitoring.get("/alerts?state=pending").ok().json["alerts"], "a pending alert")
    assert {alert["name"] for alert in pending} == {"ServiceDown"}
    assert 'target="tenant-node"' in {alert["labels"] for alert in pending}
    later = until(lambda: (lambda found: found if found["services"]["tenant-node"]["timestamp"] >
                           status["services"]["tenant-node"]["timestamp"] else None)(
        monitoring.get("/status").ok().json), "another look")
    assert later["services"]["tenant-node"]["since"] == status["services"]["tenant-node"]["since"]


def test_bad_rules_stop_the_start(tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{**RULES[0], "op": "=>"}]))
    result = subprocess.run(
        [bin_folder() / "quarryd", "--services=monitoring", "--monitoring-port=0", f"--alert-rules-file={rules}"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)
    assert result.returncode == 1
    assert "HasSources" in result.stderr and "op" in result.stderr

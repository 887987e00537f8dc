"""quarryd as a whole: its seven services, its command line, its life and its supervisor.

Shows with the real program on free ports: every service answers the common endpoints; the errors of
the framework; a valid OpenAPI document each; monitoring's probes; the tenant node is restarted
after a crash and dies with its parent; a start that cannot succeed leaves nothing behind.

Environment: QUARRY_BIN (folder of quarryd), QUARRY_ROOT.
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from lib.wait import is_alive, until

ROOT = os.environ.get("QUARRY_ROOT") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.environ.get("QUARRY_BIN") or os.path.join(ROOT, "build", "release", "bin")
QUARRYD = os.path.join(BIN, "quarryd")
SERVICES = {"gateway": "auth-gateway", "operation": "operation-node", "optimizer": "cbo-engine",
            "catalog": "metadata-catalog", "monitoring": "monitoring",
            "interpreter": "query-interpreter", "tenant": "tenant-node"}
FREE_PORTS = ["--gateway-port=0", "--operation-port=0", "--optimizer-port=0", "--catalog-port=0",
              "--monitoring-port=0", "--interpreter-port=0", "--rest-port=0"]
SLOW = 30  # seconds that anything may take on a busy machine


def environment(**more):
    """Ours without what would change quarryd's settings."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG") or "SAN_OPTIONS" in k}
    return {**kept, **more}


class Quarryd:
    """A running quarryd with a folder of its own."""

    def __init__(self, folder, *arguments, env=None, wait=True):
        self.folder = str(folder)
        self.ports_file = os.path.join(self.folder, "ports.json")
        if os.path.exists(self.ports_file):
            os.unlink(self.ports_file)
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [QUARRYD, *FREE_PORTS, "--ports-file", self.ports_file, *arguments], cwd=self.folder,
            env=environment(**(env or {})), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.ports = self.wait_for_ports() if wait else {}

    def wait_for_ports(self):
        end = time.monotonic() + SLOW
        while time.monotonic() < end:
            if os.path.exists(self.ports_file):
                self.ready_after = time.monotonic() - self.started
                with open(self.ports_file, encoding="utf-8") as file:
                    return json.load(file)
            assert self.process.poll() is None, self.log_text()
            time.sleep(0.002)
        raise AssertionError("not ready: " + self.log_text())

    def log_text(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def ask(self, service, method, path, body=None, headers=None):
        """(status, headers, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[service], timeout=SLOW)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def get(self, service, path):
        status, _, text = self.ask(service, "GET", path)
        return status, json.loads(text)

    def node(self):
        """The tenant node as the operation service sees it."""
        return self.get("operation", "/health")[1]["details"]["nodes"][0]

    def stop(self):
        """The exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(SLOW)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.log.close()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(child) for child in file.read().split()]


def run(*arguments, env=None, cwd=None):
    return subprocess.run([QUARRYD, *arguments], env=environment(**(env or {})), cwd=cwd, timeout=SLOW,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.fixture(scope="module")
def quarryd(tmp_path_factory):
    # Bytes that never become a request are met by the idle timeout alone: well below SLOW.
    daemon = Quarryd(tmp_path_factory.mktemp("quarryd"), "--http-idle-timeout-seconds=8")
    yield daemon
    assert daemon.stop() == 0, daemon.log_text()


# --- the common endpoints ---

def test_all_services_listen(quarryd):
    assert sorted(quarryd.ports) == sorted(SERVICES)
    assert len(set(quarryd.ports.values())) == len(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_health_and_ready(quarryd, service):
    status, health = quarryd.get(service, "/health")
    assert status == 200
    assert (health["healthy"], health["status"], health["service"]) == (True, "OK", SERVICES[service])
    assert re.fullmatch(r"\d+\.\d+\.\d+", health["version"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", health["details"]["timestamp"])
    assert quarryd.get(service, "/ready") == (200, {"ready": True, "service": SERVICES[service]})


def test_tenant_health_has_the_contract_fields(quarryd):
    details = quarryd.get("tenant", "/health")[1]["details"]
    assert details["tenant_id"] == "default_tenant"
    assert details["source_count"] == "0"


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_are_prometheus_text(quarryd, service):
    status, headers, text = quarryd.ask(service, "GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    typed, helped = {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE "):
            assert line.split()[2] not in typed, "one TYPE a metric"
            typed[line.split()[2]] = line.split()[3]
        else:
            match = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})? (\S+)', line)
            assert match, line
            float(match.group(3))
            family = re.sub(r"_(bucket|sum|count)$", "", match.group(1))
            assert typed.get(match.group(1)) or typed.get(family) == "histogram", line
    assert helped == set(typed)
    assert "quarry_build_info" in typed and "process_resident_memory_bytes" in typed


def test_answers_carry_a_request_id(quarryd):
    _, headers, _ = quarryd.ask("gateway", "GET", "/health", headers={"X-Request-Id": "abc-1"})
    assert headers["X-Request-Id"] == "abc-1"
    _, headers, _ = quarryd.ask("gateway", "GET", "/health")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        headers["X-Request-Id"])


# --- errors of the framework ---

def check_error(text, code):
    body = json.loads(text)
    assert body["success"] is False
    assert body["error_message"] == body["error"]["message"] != ""
    assert body["error"]["code"] == code
    assert isinstance(body["error"]["detail"], dict)
    assert body["error"]["request_id"]


@pytest.mark.parametrize("service", SERVICES)
def test_unknown_route_and_wrong_method(quarryd, service):
    status, _, text = quarryd.ask(service, "GET", "/no/such/thing")
    assert status == 404
    check_error(text, "unknown_route")
    status, headers, text = quarryd.ask(service, "DELETE", "/health")
    assert status == 405
    assert headers["Allow"] == "GET, HEAD, OPTIONS"
    check_error(text, "method_not_allowed")
    status, headers, text = quarryd.ask(service, "OPTIONS", "/health")
    assert (status, headers["Allow"], text) == (204, "GET, HEAD, OPTIONS", "")


@pytest.mark.parametrize("service,method,path", [
    ("catalog", "POST", "/graphs/x/query"),
    ("tenant", "POST", "/data/store"),
])
def test_operations_of_later_releases_say_so(quarryd, service, method, path):
    body = "{}" if method == "POST" else None
    status, _, text = quarryd.ask(service, method, path, body, {"Content-Type": "application/json"})
    assert status == 501
    check_error(text, "not_implemented")
    assert "planned for 0." in text


def test_odd_requests_do_no_harm(quarryd):
    # The second half of each pair is the end without a word, where the client may see it first.
    for raw, expected in [(b"\x00\x01\x02\r\n\r\n", (b"400", b"")),
                          (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 9000 + b"\r\n", (b"431",)),
                          (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (b"414",)),
                          (b"GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (b"400", b"404")),
                          (b"GET /sources/%2e%2e/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                           (b"400",))]:
        with socket.create_connection(("127.0.0.1", quarryd.ports["tenant"]), SLOW) as connection:
            connection.settimeout(SLOW)
            try:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(65536)
            except ConnectionError:
                answer = b""
        assert answer[9:12] in expected, raw[:60]
    assert quarryd.get("tenant", "/health")[0] == 200


# --- OpenAPI ---

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
TYPES = {"string", "integer", "number", "boolean", "object", "array", "null"}


def check_schema(schema, resolve):
    """The JSON Schema 2020-12 rules for the key words that we use."""
    assert isinstance(schema, dict)
    assert set(schema) <= {"$ref", "type", "items", "properties", "required", "additionalProperties",
                           "enum", "const", "default", "minimum", "maximum", "description"}
    if "$ref" in schema:
        resolve(schema["$ref"])
        return
    types = schema.get("type", [])
    assert set([types] if isinstance(types, str) else types) <= TYPES
    if isinstance(types, list):
        assert len(types) == len(set(types))
    if "enum" in schema:
        assert schema["enum"] and len(schema["enum"]) == len(set(map(str, schema["enum"])))
    if "default" in schema and "enum" in schema:
        assert schema["default"] in schema["enum"]
    for part in [schema[k] for k in ("items",) if k in schema] + list(schema.get("properties", {}).values()):
        check_schema(part, resolve)
    if isinstance(schema.get("additionalProperties"), dict):
        check_schema(schema["additionalProperties"], resolve)
    assert set(schema.get("required", [])) <= set(schema.get("properties", {}))
    if "required" in schema:
        assert schema["required"] and len(schema["required"]) == len(set(schema["required"]))


def check_content(content, resolve):
    for media, value in content.items():
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", media)
        assert set(value) == {"schema"}
        check_schema(value["schema"], resolve)


def check_parameters(path, operation, resolve):
    seen = set()
    for parameter in operation.get("parameters", []):
        assert set(parameter) == {"name", "in", "required", "description", "schema"}
        assert parameter["in"] in ("path", "query", "header")
        assert parameter["in"] != "path" or parameter["required"] is True
        key = (parameter["in"], parameter["name"].lower())
        assert key not in seen
        seen.add(key)
        check_schema(parameter["schema"], resolve)
    templated = re.findall(r"\{([^}]+)\}", path)
    assert len(templated) == len(set(templated))
    assert {name for where, name in seen if where == "path"} == set(templated)


def check_document(document):
    """The rules of OpenAPI 3.1.0 that need nothing but the document."""
    assert set(document) == {"openapi", "info", "paths", "components"}
    assert document["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(document["info"])
    assert set(document["components"]) <= {"schemas", "responses"}
    used = set()

    def resolve(reference):
        assert reference.startswith("#/")
        value = document
        for part in reference[2:].split("/"):
            value = value[part]
        used.add(reference)
        return value

    for section in document["components"].values():
        assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in section)
    for schema in document["components"]["schemas"].values():
        check_schema(schema, resolve)
    for response in document["components"]["responses"].values():
        assert response["description"]
        check_content(response["content"], resolve)
    ids = set()
    shapes = [re.sub(r"\{[^}]+\}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes)), "paths that differ only in parameter names"
    for path, item in document["paths"].items():
        assert path.startswith("/")
        assert item and set(item) <= METHODS
        for operation in item.values():
            assert operation["operationId"] not in ids
            ids.add(operation["operationId"])
            assert {k for k in operation if not k.startswith("x-")} <= {
                "operationId", "summary", "tags", "parameters", "requestBody", "responses"}
            check_parameters(path, operation, resolve)
            if "requestBody" in operation:
                assert operation["requestBody"]["content"]
                check_content(operation["requestBody"]["content"], resolve)
            assert operation["responses"]
            for code, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", code)
                if "$ref" in response:
                    resolve(response["$ref"])
                else:
                    assert response["description"]
                    check_content(response.get("content", {}), resolve)


@pytest.mark.parametrize("service", SERVICES)
def test_openapi_validates(quarryd, service):
    status, document = quarryd.get(service, "/openapi.json")
    assert status == 200
    check_document(document)
    assert document["paths"]["/health"]["get"]["x-status"] == "available"


def test_openapi_of_the_tenant_node_is_the_contract(quarryd):
    paths = quarryd.get("tenant", "/openapi.json")[1]["paths"]
    for method, path in [("post", "/data/write"), ("post", "/data/search"), ("post", "/data/search/stream"),
                         ("post", "/data/aggregate"), ("post", "/sources/add"), ("get", "/sources"),
                         ("delete", "/sources/{source_id}"), ("get", "/sources/{source_id}/stats"),
                         ("get", "/tenant/stats"), ("get", "/health"), ("post", "/query/sql"),
                         ("post", "/data/load"), ("delete", "/queries/{query_id}")]:
        assert paths[path][method]["x-status"] == "available", (method, path)
    schema = paths["/sources/add"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["source_id", "name", "connection_string", "data_path", "schema_definition"]
    assert schema["properties"]["compression"]["default"] == "snappy"
    assert schema["properties"]["max_file_size_mb"]["default"] == 256
    assert schema["additionalProperties"] is False


# --- monitoring and supervision ---

def test_health_all_probes_every_service(quarryd):
    status, answer = quarryd.get("monitoring", "/health/all")
    assert status == 200
    assert (answer["healthy"], answer["status"]) == (True, "OK")
    assert sorted(answer["services"]) == sorted(SERVICES.values())
    for key, name in SERVICES.items():
        probe = answer["services"][name]
        assert (probe["healthy"], probe["http_status"], probe["port"]) == (True, 200, quarryd.ports[key])
        assert probe["latency_ms"] > 0


def test_node_is_restarted_after_a_crash(tmp_path):
    daemon = Quarryd(tmp_path)
    try:
        before = daemon.node()
        assert (before["state"], before["restarts"]) == ("running", 0)
        os.kill(before["pid"], signal.SIGKILL)
        down = until(lambda: (lambda n: n if n["state"] == "backing_off" else None)(daemon.node()), "back-off")
        assert down["last_end"] == "killed by signal 9 (KILL)" and down["pid"] is None
        assert daemon.get("operation", "/ready")[0] == 503
        probes = daemon.get("monitoring", "/health/all")[1]
        assert (probes["healthy"], probes["status"]) == (False, "degraded")
        assert probes["services"]["tenant-node"]["healthy"] is False
        after = until(lambda: (lambda n: n if n["state"] == "running" else None)(daemon.node()), "restart")
        assert (after["restarts"], after["port"]) == (1, daemon.ports["tenant"])
        assert after["pid"] != before["pid"]
        assert daemon.get("tenant", "/health")[0] == 200
        metrics = daemon.ask("operation", "GET", "/metrics")[2]
        assert 'quarry_node_restarts_total{tenant="default_tenant"} 1\n' in metrics
        assert 'quarry_node_up{tenant="default_tenant"} 1\n' in metrics
    finally:
        assert daemon.stop() == 0


def test_node_dies_with_its_parent(tmp_path):
    daemon = Quarryd(tmp_path)
    node = daemon.node()["pid"]
    assert children(daemon.process.pid) == [node]
    daemon.process.kill()
    daemon.process.wait(SLOW)
    until(lambda: not is_alive(node), "the node's end")
    again = Quarryd(tmp_path)  # the lock is free again
    assert again.node()["state"] == "running"
    assert again.stop() == 0


def test_a_stop_is_clean(tmp_path):
    for number in (signal.SIGTERM, signal.SIGINT):
        daemon = Quarryd(tmp_path)
        node = daemon.node()["pid"]
        daemon.process.send_signal(number)
        assert daemon.process.wait(SLOW) == 0, daemon.log_text()
        assert not is_alive(node)
        for port in daemon.ports.values():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 1)
        daemon.log.close()


def test_start_is_quick_and_small(tmp_path):
    times = []
    for _ in range(3):
        daemon = Quarryd(tmp_path)
        times.append(daemon.ready_after)
        memory = 0
        for pid in [daemon.process.pid] + children(daemon.process.pid):
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                memory += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
        assert daemon.stop() == 0
    print(f"ready after {min(times):.3f} s, {memory / 1024:.1f} MB")
    if "san" not in BIN:
        assert memory < 80 * 1024
        assert min(times) < 1.0  # 0.3 s when the machine is quiet; see docs/performance.md


def test_systemd_is_told(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(SLOW)
        daemon = Quarryd(tmp_path, env={"NOTIFY_SOCKET": path})
        assert manager.recv(100) == b"READY=1"
        assert daemon.stop() == 0
        assert manager.recv(100) == b"STOPPING=1"


def test_reload_takes_the_log_level_over(tmp_path):
    config = tmp_path / "quarry.toml"
    config.write_text("log_level = 'info'\ntenant_id = 'acme'\n")
    daemon = Quarryd(tmp_path, "--config", str(config))
    try:
        assert daemon.node()["tenant_id"] == "acme"
        assert '"path":"/quiet"' not in daemon.log_text()
        daemon.ask("gateway", "GET", "/quiet")
        config.write_text("log_level = 'debug'\n")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "settings reloaded" in daemon.log_text(), "reload")
        daemon.ask("gateway", "GET", "/loud", headers={"X-Request-Id": "loud-1"})
        line = until(lambda: next((l for l in daemon.log_text().splitlines() if '"path":"/loud"' in l), None), "the line")
        entry = json.loads(line)
        assert (entry["level"], entry["status"], entry["request_id"], entry["service"]) == (
            "debug", 404, "loud-1", "auth-gateway")
        assert '"path":"/quiet"' not in daemon.log_text()
        config.write_text("log_level = 'shout'\n")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "the old ones stay" in daemon.log_text(), "refused reload")
        assert daemon.get("gateway", "/health")[0] == 200
    finally:
        assert daemon.stop() == 0


def test_subset_of_services(tmp_path):
    daemon = Quarryd(tmp_path, "--services", "gateway,monitoring")
    try:
        assert sorted(daemon.ports) == ["gateway", "monitoring"]
        assert children(daemon.process.pid) == []
        answer = daemon.get("monitoring", "/health/all")[1]
        assert answer["services"]["auth-gateway"]["healthy"] is True
        assert answer["services"]["tenant-node"]["healthy"] is False
        assert answer["services"]["tenant-node"]["http_status"] is None
    finally:
        assert daemon.stop() == 0


def test_node_alone(tmp_path):
    daemon = Quarryd(tmp_path, "--node")
    assert sorted(daemon.ports) == ["tenant"]
    assert daemon.get("tenant", "/ready")[0] == 200
    assert daemon.stop() == 0


# --- starts that must not succeed ---

def failed_start(folder, *arguments):
    """What a quarryd says that ends by itself with status 1."""
    daemon = Quarryd(folder, *arguments, wait=False)
    try:
        assert daemon.process.wait(SLOW) == 1, daemon.log_text()
        assert not os.path.exists(daemon.ports_file)
        return daemon.log_text()
    finally:
        daemon.stop()


def test_occupied_port(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for flag, name in (("--catalog-port", "catalog"), ("--rest-port", "tenant node")):
            text = failed_start(tmp_path, f"{flag}={port}")
            assert name in text and f"port {port} of 127.0.0.1 is in use" in text, text
    daemon = Quarryd(tmp_path)  # nothing was left behind
    assert daemon.stop() == 0


def test_locked_data_directory(tmp_path):
    first = Quarryd(tmp_path, f"--data-path={tmp_path}/data")
    try:
        other = tmp_path / "other"
        other.mkdir()
        assert "in use by another process" in failed_start(other, f"--data-path={tmp_path}/data")
        assert first.get("tenant", "/health")[0] == 200
    finally:
        assert first.stop() == 0


@pytest.mark.parametrize("flag", ["--bind-host=0.0.0.0", "--rest-host=::", "--rest-host=192.0.2.1",
                                  "--bind-host=127.evil.example"])
def test_other_addresses_need_the_flag(flag):
    result = run(*FREE_PORTS, "--auth-required=no", flag)
    assert result.returncode == 2
    assert "--insecure-bind" in result.stderr and "AUTH_REQUIRED is no" in result.stderr


def test_other_addresses_ask_for_tokens(tmp_path):
    daemon = Quarryd(tmp_path, "--rest-host=0.0.0.0")
    try:
        assert daemon.get("tenant", "/health")[0] == 200
        status, answer = daemon.get("tenant", "/sources")[:2]
        assert (status, answer["error"]["code"]) == (401, "unauthenticated")
    finally:
        assert daemon.stop() == 0
    secret = os.path.join(daemon.folder, "data", "auth", "jwt.secret")
    assert os.stat(secret).st_mode & 0o777 == 0o600


def test_insecure_bind_is_said_plainly(tmp_path):
    daemon = Quarryd(tmp_path, "--rest-host=0.0.0.0", "--insecure-bind")
    try:
        assert daemon.get("tenant", "/health")[0] == 200
        assert daemon.get("monitoring", "/health/all")[1]["healthy"] is True
    finally:
        assert daemon.stop() == 0
    with open(os.path.join(daemon.folder, "log"), encoding="utf-8") as file:
        assert "NO TOKEN is asked for" in file.read()


def test_wrong_usage(tmp_path):
    for arguments, words in [(["--rest-prot=1"], "did you mean '--rest-port'?"),
                             (["--rest-port=x"], "REST_PORT must be an integer from 0 to 65535"),
                             (["--services", "gateway,tenants"], "'tenants' is no service"),
                             (["serve"], "'serve' is not understood"),
                             (["--config", str(tmp_path / "none")], "cannot be read")]:
        result = run(*arguments)
        assert result.returncode == 2, arguments
        assert words in result.stderr
        assert result.stderr.count("\n") == 1
    result = run(env={"MAX_WORKERS": "many"})
    assert result.returncode == 2
    assert "the environment's MAX_WORKERS is wrong" in result.stderr


def test_help_and_settings(tmp_path):
    result = run("--help")
    assert result.returncode == 0 and result.stderr == ""
    assert "--insecure-bind" in result.stdout and "--rest-port=8000" in result.stdout
    assert re.fullmatch(r"quarryd \d+\.\d+\.\d+\n", run("--version").stdout)
    config = tmp_path / "q.toml"
    config.write_text('tenant_name = "From File"\nrest_port = 1\n')
    result = run("--config", str(config), "--print-settings", "--rest-port=3", env={"REST_PORT": "2"})
    assert result.returncode == 0
    assert 'tenant_name = "From File"  # file; since 0.1\n' in result.stdout
    assert "rest_port = 3  # flag; since 0.1\n" in result.stdout
    config.write_text(result.stdout)
    again = run("--config", str(config), "--print-settings")
    assert again.returncode == 0 and "rest_port = 3  # file;" in again.stdout


def test_settings_of_later_releases_are_named(tmp_path):
    daemon = Quarryd(tmp_path, "--grpc-max-workers=11")
    assert daemon.stop() == 0
    with open(os.path.join(daemon.folder, "log"), encoding="utf-8") as file:
        assert '"setting":"GRPC_MAX_WORKERS","since":"0.6"' in file.read()

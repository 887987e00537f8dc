"""Metrics as other tools see them: promtool and a real Prometheus (Debian's package) with the files
of deploy/, which must not know a metric that api/metrics.def does not have.
"""
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lib.quarry import ROOT, SERVICES, Client
from lib.wait import free_ports, until

DEPLOY = ROOT / "deploy"
PATIENCE_S = 60
PORTS = {"gateway": 8080, "operation": 8081, "optimizer": 8082, "catalog": 8083, "monitoring": 8084,
         "interpreter": 8085, "tenant": 8000}


def need(tool):
    found = shutil.which(tool)
    assert found, f"{tool} is missing: tools/setup.sh installs the package prometheus"
    return found


def names_of_the_list():
    """Every sample name that our services can write."""
    names = set()
    text = (ROOT / "api" / "metrics.def").read_text(encoding="utf-8")
    for name, kind in re.findall(r'^METRIC\(\w+, "(\w+)", (\w+),', text, re.M):
        names |= {name + suffix for suffix in ("_bucket", "_sum", "_count")} if kind == "HISTOGRAM" else {name}
    assert len(names) > 50
    return names


def names_of_a_query(query):
    """The metrics of a PromQL expression: words outside of strings, label lists and functions."""
    bare = re.sub(r'"[^"]*"', '""', query)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\w)(?!\s*\()", bare)
    return {word for word in words if word not in ("and", "or", "unless", "bool", "offset", "le")}


@pytest.fixture(scope="module")
def busy_server(server):
    """Some of everything, so that most metrics have values."""
    client = Client(server.ports["tenant"])
    client.add_source("metrics_src", {"id": "int64", "city": "string"})
    client.write("metrics_src", [{"id": n, "city": "x\"\\\n"} for n in range(10)])
    client.flush("metrics_src")
    client.search("metrics_src", filters={"id": 3})
    client.rows("SELECT count(*) FROM metrics_src")
    gateway = Client(server.ports["gateway"])
    gateway.get("/sources").ok()
    gateway.get("/nowhere").refused(404)
    Client(server.ports["monitoring"]).get("/health/all").ok()
    return server


@pytest.mark.parametrize("service", SERVICES)
def test_promtool_checks_metrics(busy_server, service):
    text = Client(busy_server.ports[service]).get("/metrics").ok().data
    promtool_accepts(text)
    known = names_of_the_list()
    for line in text.decode().splitlines():
        if not line.startswith("#"):
            assert re.split(r"[{ ]", line)[0] in known, line


def promtool_accepts(text):
    result = subprocess.run([need("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stdout.decode() + result.stderr.decode()


def test_all_services_in_one_text(busy_server):
    monitoring = Client(busy_server.ports["monitoring"])

    def collected():
        text = monitoring.get("/federate").ok().text
        return len(set(re.findall(r'^quarry_build_info\{instance="([^"]+)"', text, re.M))) == 7 and text

    text = until(collected, "a round over all services")
    promtool_accepts(text.encode())
    assert text.count("# TYPE quarry_build_info ") == 1
    assert re.search(r'^quarry_memtable_rows\{instance="tenant-node"[,}]', text, re.M)


def test_all_figures_are_there(busy_server):
    text = Client(busy_server.ports["tenant"]).get("/metrics").ok().text
    for sample in ('quarry_http_request_duration_seconds_bucket{service="tenant-node",operation="data_search",le="0.005"}',
                   "quarry_wal_sync_duration_seconds_count", "quarry_wal_bytes", "quarry_memtable_bytes",
                   "quarry_memtable_rows", "quarry_flush_failures_total", 'quarry_segments_total{outcome="pruned"}',
                   "quarry_rows_scanned_total", "quarry_rows_matched_total", "quarry_compactions_active",
                   'quarry_sql_phase_duration_seconds_count{phase="execute"}', "process_cpu_seconds_total",
                   "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
                   "quarry_process_threads", 'quarry_log_lines_total{outcome="collected"}',
                   'quarry_http_requests_queued{service="tenant-node"}'):
        assert f"\n{sample} " in text, sample
    value = lambda name: float(re.search(rf"\n{name} (\S+)\n", text).group(1))
    assert value("process_open_fds") > 5 and value("quarry_process_threads") > 2
    assert value("process_virtual_memory_bytes") > value("process_resident_memory_bytes") > 1 << 20
    assert value("quarry_wal_sync_duration_seconds_count") > 0
    gateway = Client(busy_server.ports["gateway"]).get("/metrics").ok().text
    assert re.search(r'\nquarry_upstream_calls_total\{target="tenant-node",outcome="ok"\} [1-9]', gateway)


def prometheus_config(server, folder):
    """deploy's, with the test's ports and less patience."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    for service, port in PORTS.items():
        assert f'"127.0.0.1:{port}"' in text
        text = text.replace(f'"127.0.0.1:{port}"', f'"127.0.0.1:{server.ports[service]}"')
    text = text.replace("_interval: 15s", "_interval: 1s")
    shutil.copy(DEPLOY / "prometheus" / "quarry.rules.yml", folder)
    (folder / "prometheus.yml").write_text(text, encoding="utf-8")
    return folder / "prometheus.yml"


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return json.load(answer)["data"]
    except (urllib.error.URLError, ConnectionError, ValueError):
        return None


def test_a_real_prometheus_scrapes_all_services(busy_server, tmp_path):
    config = prometheus_config(busy_server, tmp_path)
    subprocess.run([need("promtool"), "check", "config", config], check=True, capture_output=True, timeout=60)
    port = free_ports(1)[0]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [need("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=tmp_path)
    try:
        end = time.monotonic() + PATIENCE_S
        states = {}
        while time.monotonic() < end and not (len(states) == 7 and set(states.values()) == {("up", "")}):
            time.sleep(0.2)
            assert process.poll() is None, (tmp_path / "log").read_text()
            found = ask(port, "/api/v1/targets?state=active") or {"activeTargets": []}
            states = {target["labels"]["quarry_service"]: (target["health"], target["lastError"])
                      for target in found["activeTargets"]}
        assert len(states) == 7 and set(states.values()) == {("up", "")}, states
        query = urllib.parse.quote("count(quarry_build_info)")
        result = None
        while time.monotonic() < end and not result:
            result = (ask(port, f"/api/v1/query?query={query}") or {"result": None})["result"]
            time.sleep(0.1)
        assert result[0]["value"][1] == "7", result
        groups = ask(port, "/api/v1/rules")["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()


def test_rules():
    rules = DEPLOY / "prometheus" / "quarry.rules.yml"
    result = subprocess.run([need("promtool"), "check", "rules", rules], capture_output=True, timeout=60)
    assert result.returncode == 0, result.stdout.decode() + result.stderr.decode()
    text = rules.read_text(encoding="utf-8")
    known = names_of_the_list() | {"up"} | set(re.findall(r"record: (\S+)", text))
    expressions = re.findall(r"expr: (?!>-)(.+)", text)
    expressions += [" ".join(lines.split()) for lines in re.findall(r"expr: >-\n((?: {10}.+\n)+)", text)]
    assert len(expressions) == text.count("expr:")
    for expression in expressions:
        assert names_of_a_query(expression) <= known, (names_of_a_query(expression) - known, expression)


def test_dashboards():
    known = names_of_the_list() | {"up"}
    files = sorted((DEPLOY / "grafana").glob("*.json"))
    assert len(files) >= 3
    uids = set()
    for path in files:
        board = json.loads(path.read_text(encoding="utf-8"))
        assert board["uid"] not in uids and board["title"] and board["schemaVersion"] >= 36
        uids.add(board["uid"])
        panels = [panel for panel in board["panels"] if panel["type"] != "row"]
        assert len(panels) >= 4, path
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)), path
        for panel in panels:
            assert panel["title"] and panel["targets"], (path, panel["id"])
            for target in panel["targets"]:
                names = names_of_a_query(target["expr"].replace("$__rate_interval", "5m").replace("$service", ".*"))
                assert names and names <= known, (path.name, panel["title"], names - known)
        for variable in board["templating"]["list"]:
            if variable["type"] == "datasource":
                continue
            names = names_of_a_query(re.sub(r"^label_values\((\w+),.*", r"\1", variable.get("query", "")))
            assert names and names <= known, variable

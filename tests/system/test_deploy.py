"""What is in deploy/: scripts and nginx with real processes; the other files for agreeing with the
lists of services, ports and settings."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
import yaml

from lib.quarry import ROOT, SERVICES, Client, bin_folder
from lib.tokens import bearer

DEPLOY = ROOT / "deploy"
PORTS = {"gateway": 8080, "operation": 8081, "optimizer": 8082, "catalog": 8083, "monitoring": 8084,
         "interpreter": 8085, "tenant": 8000}
NAMES = {"gateway": "auth-gateway", "operation": "operation-node", "optimizer": "cbo-engine",
         "catalog": "metadata-catalog", "monitoring": "monitoring", "interpreter": "query-interpreter",
         "tenant": "tenant-node"}
WAIT_S = 30


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def until(what):
    end = time.monotonic() + WAIT_S
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end
        time.sleep(0.1)


def run(script, *arguments):
    environment = {**os.environ, "QUARRY_BIN": str(bin_folder())}
    return subprocess.run([DEPLOY / "scripts" / script, *map(str, arguments)], env=environment, timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


class Fleet:
    """The seven services as seven processes, by the scripts."""

    def __init__(self, folder):
        self.data = folder / "data"
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES))))
        self.settings = [f"--{name}-port={port}" for name, port in self.ports.items() if name != "tenant"]
        self.settings += [f"--rest-port={self.ports['tenant']}", "--auth-required=yes", "--bcrypt-rounds=4"]

    def start(self):
        done = run("start_services.sh", self.data, *self.settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, service):
        return Client(self.ports[service])

    def pid(self, service):
        return int((self.data / "processes" / f"{service}.pid").read_text())

    def kill(self, service):
        os.kill(self.pid(service), signal.SIGKILL)
        until(lambda: not alive(self.pid(service)))


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        fleet.start()
        yield fleet
    finally:
        run("stop_services.sh", fleet.data)


@pytest.fixture(scope="module")
def admin(fleet):
    words = (fleet.data / "processes/gateway.log").read_text()
    password = re.search(r"user 'admin' has the password (\S+)", words).group(1)
    answer = fleet.client("gateway").post("/auth/login", {"username": "admin", "password": password})
    return bearer(answer.ok().json["access_token"])


def write(fleet, admin, value):
    body = {"source_id": "s", "records": [{"fields": {"v": value}}]}
    return fleet.client("gateway").request("POST", "/data/write", body, admin)


def values(fleet, admin):
    answer = fleet.client("gateway").request("POST", "/data/search", {"source_ids": ["s"], "filters": {}}, admin)
    return sorted(record["v"] for record in answer.ok().json[0]["records"])


def test_the_tour_through_the_gateway(fleet, admin):
    door = fleet.client("gateway")
    door.request("POST", "/sources/add", {"source_id": "s", "name": "s", "connection_string": "file://s",
                                          "data_path": "s", "schema_definition": {"v": "int64"}}, admin).ok()
    write(fleet, admin, 1).ok()
    assert values(fleet, admin) == [1]
    assert door.request("POST", "/query/sql", {"query": "SELECT sum(v) AS t FROM s"}, admin).ok().json["rows"] == [[1]]
    parsed = door.request("POST", "/parse/sql", {"query": "SELECT v FROM s", "dialect": "duckdb"}, admin).ok().json
    assert parsed["success"] is True
    assert door.request("GET", "/metadata/sources", None, admin).ok()
    health = until(lambda: (h := fleet.client("monitoring").request("GET", "/health/all", None, admin)).status == 200
                   and h.json)
    assert len({fleet.pid(service) for service in SERVICES}) == 7
    assert "healthy" in json.dumps(health)


@pytest.mark.parametrize("service,path", [
    ("interpreter", "/dsl/schema"), ("catalog", "/assets"), ("operation", "/queries?limit=1"),
    ("monitoring", "/health/all")])
def test_one_service_dies_the_others_go_on(fleet, admin, service, path):
    door = fleet.client("gateway")
    before = values(fleet, admin)
    fleet.client(service).request("GET", path, None, admin).ok()
    fleet.kill(service)
    if service in ("interpreter", "catalog"):
        door.request("GET", path, None, admin).refused(503, "unavailable")
    write(fleet, admin, 100 + len(before)).ok()
    assert values(fleet, admin) == sorted([*before, 100 + len(before)])
    assert f"{service} is ready" in fleet.start()
    until(lambda: fleet.client(service).request("GET", path, None, admin).status == 200)
    if service in ("interpreter", "catalog"):  # the breaker lets a probe pass after a while
        until(lambda: door.request("GET", path, None, admin).status == 200)


def test_the_tenant_node_dies(fleet, admin):
    before = values(fleet, admin)
    fleet.kill("tenant")
    write(fleet, admin, 5).refused(503, "unavailable")
    fleet.client("gateway").request("GET", "/assets", None, admin).ok()
    fleet.start()
    until(lambda: fleet.client("gateway").request("GET", "/sources", None, admin).status == 200)
    assert values(fleet, admin) == before


def test_the_gateway_dies(fleet, admin):
    before = values(fleet, admin)
    fleet.kill("gateway")
    straight = fleet.client("tenant").request("POST", "/data/search", {"source_ids": ["s"], "filters": {}}, admin)
    assert len(straight.ok().json[0]["records"]) == len(before)
    fleet.start()
    assert values(fleet, admin) == before  # tokens outlive it


NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def test_nginx_before_the_gateway(fleet, admin, tmp_path):
    port = free_ports(1)[0]
    text = (DEPLOY / "nginx/quarry.conf").read_text()
    assert text.count("auth-gateway:8080") == 1 and text.count("listen 80;") == 1
    text = text.replace("auth-gateway:8080", f"127.0.0.1:{fleet.ports['gateway']}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    paths = "".join(f"{name}_temp_path {tmp_path}/{name};\n"
                    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; error_log {tmp_path}/error.log; pid {tmp_path}/pid; events {{}}\n"
        f"http {{ access_log off;\n{paths}{text}\n}}\n")
    command = [NGINX, "-p", tmp_path, "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        door = Client(port)
        assert door.request("GET", "/auth/me", None, admin).ok().json["username"] == "admin"
        body = {"source_id": "s", "records": [{"fields": {"v": 7}}] * 20000}
        assert door.request("POST", "/data/write", body, admin).ok().json["rows_written"] == 20000
        found = door.request("POST", "/data/search", {"source_ids": ["s"], "filters": {"v": {"eq": 7}}}, admin)
        assert len(found.ok().json[0]["records"]) == 20000
        door.get("/data/anything").refused((401, 404))
    finally:
        process.terminate()
        process.wait(WAIT_S)


def test_stop_and_cleanup(fleet, admin):
    pids = [fleet.pid(service) for service in SERVICES]
    assert run("cleanup.sh", fleet.data).returncode == 1  # nobody said yes
    done = run("stop_services.sh", fleet.data)
    assert done.returncode == 0 and done.stdout.count("stopped") == 7
    assert not any(alive(pid) for pid in pids)
    assert run("cleanup.sh", "--yes", fleet.data.parent).returncode == 1  # no data folder
    assert run("cleanup.sh", "--yes", fleet.data).returncode == 0
    assert not fleet.data.exists()


# --- files for tools that are not here ---

def known_settings():
    text = (ROOT / "api/settings.def").read_text()
    return set(re.findall(r"^(?:TEXT|CHOICE|INT|REAL|BOOL)\((\w+)", text, re.M))


def check_settings(names):
    assert set(names) <= known_settings() | {"HEALTH_PORT"}, names


def check_addresses(text):
    listed = dict(entry.strip().split("=") for entry in text.split(","))
    assert listed == {kind: f"{NAMES[kind]}:{PORTS[kind]}" for kind in SERVICES}


def test_compose_files():
    base = yaml.safe_load((DEPLOY / "docker/docker-compose.yml").read_text())
    assert set(base["services"]) == set(NAMES.values())
    for kind, name in NAMES.items():
        one = base["services"][name]
        assert one["command"] == ["--services", kind]
        assert one["ports"] == [f"{PORTS[kind]}:{PORTS[kind]}"] and one["environment"]["HEALTH_PORT"] == str(PORTS[kind])
        check_settings(one["environment"])
        check_addresses(one["environment"]["SERVICE_ADDRESSES"])
    more = yaml.safe_load((DEPLOY / "docker/docker-compose.prod.yml").read_text())
    assert set(more["services"]) - set(base["services"]) == {"postgres", "redis", "nginx"}
    for name in set(more["services"]) & set(base["services"]):
        check_settings(more["services"][name]["environment"])


def test_dockerfile_takes_what_is_built():
    text = (DEPLOY / "docker/Dockerfile").read_text()
    for program in ("quarryd", "quarry", "quarry-sql-worker"):
        assert f"bin/{program}" in text
    assert "USER 10001" in text and "HEALTHCHECK" in text


def test_kubernetes_files():
    base = DEPLOY / "kubernetes/base"
    things = [thing for name in yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]
              for thing in yaml.safe_load_all((base / name).read_text())]
    by_kind = {}
    for thing in things:
        by_kind.setdefault(thing["kind"], {})[thing["metadata"]["name"]] = thing
    check_settings(by_kind["ConfigMap"]["quarry"]["data"])
    check_addresses(by_kind["ConfigMap"]["quarry"]["data"]["SERVICE_ADDRESSES"])
    workloads = {**by_kind["Deployment"], **by_kind["StatefulSet"]}
    assert set(workloads) == set(by_kind["Service"]) == set(NAMES.values())
    for kind, name in NAMES.items():
        pod = workloads[name]["spec"]["template"]["spec"]
        container = pod["containers"][0]
        assert container["args"] == ["--services", kind] and pod["securityContext"]["runAsNonRoot"] is True
        for port in (container["ports"][0]["containerPort"], container["readinessProbe"]["httpGet"]["port"],
                     container["livenessProbe"]["httpGet"]["port"], by_kind["Service"][name]["spec"]["ports"][0]["port"]):
            assert port == PORTS[kind]
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in workloads[name]["spec"].get("volumeClaimTemplates", [])}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    for overlay in ("dev", "staging", "prod"):
        folder = DEPLOY / "kubernetes/overlays" / overlay
        file = yaml.safe_load((folder / "kustomization.yaml").read_text())
        assert all((folder / resource).exists() for resource in file["resources"])
        for patch in file.get("patches", []):
            assert patch["target"]["name"] in {*workloads, "quarry"} and yaml.safe_load(patch["patch"])
        assert {one["name"] for one in file.get("replicas", [])} <= set(workloads)


def test_units():
    for unit, start in (("quarry.service", "/usr/bin/quarryd --config"), ("quarry@.service", "/usr/bin/quarryd --services %i")):
        text = (DEPLOY / "systemd" / unit).read_text()
        assert f"ExecStart={start}" in text and "Type=notify" in text and "KillMode=mixed" in text

"""The seven services as seven processes by deploy/'s scripts, behind a real nginx, with the catalog in
a file or in PostgreSQL behind Redis: the seed's tour, and what goes on while one of them is dead."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from lib.databases import Postgres, Redis
from lib.fleet import Fleet, run
from lib.quarry import ROOT, SERVICES, Client
from lib.wait import free_ports, is_alive, until

DEPLOY = ROOT / "deploy"
STOP_TIMEOUT_S = 30


@pytest.fixture(scope="module")
def databases():
    """PostgreSQL and Redis; below /tmp, since pytest's folders are closed to the user postgres."""
    with tempfile.TemporaryDirectory(prefix="quarry-fleet-") as folder:
        os.chmod(folder, 0o755)
        with Postgres(pathlib.Path(folder, "postgres")) as postgres, Redis(pathlib.Path(folder, "redis")) as redis:
            yield {"redis": redis, "postgres": postgres}


@pytest.fixture(scope="module", params=["sqlite", "postgres_redis"])
def fleet(request, tmp_path_factory):
    databases, settings = {}, []
    if request.param == "postgres_redis":
        databases = request.getfixturevalue("databases")
        settings = [f"--catalog-url=hybrid:{databases['postgres'].url}|{databases['redis'].url}"]
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), *settings)
    fleet.databases = databases
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture(scope="module")
def admin(fleet):
    return fleet.admin()


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


def test_a_database_dies_and_comes_back(fleet, admin):
    """Data goes on without either. The catalog goes on without its cache, and says that its primary is gone."""
    door = fleet.client("gateway")

    def create(name):
        return door.request("POST", "/assets", {"kind": "dataset", "name": name}, admin)

    for kind, database in fleet.databases.items():  # none beside the file
        made = create(f"before {kind}").ok(201).json
        before = values(fleet, admin)
        database.kill()
        write(fleet, admin, 1000 + len(before)).ok()
        assert values(fleet, admin) == sorted([*before, 1000 + len(before)])
        if kind == "redis":
            assert door.request("GET", f"/assets/{made['id']}", None, admin).ok().json["name"] == made["name"]
            create("without a cache").ok(201)
        else:
            until(lambda: create("nowhere to write it").status == 503)
        database.start()
        until(lambda: door.request("GET", f"/assets/{made['id']}", None, admin).status == 200)
        until(lambda: create(f"after {kind}").status == 201)


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
        process.wait(STOP_TIMEOUT_S)


def test_stop_and_cleanup(fleet, admin):
    pids = [fleet.pid(service) for service in SERVICES]
    assert run("cleanup.sh", fleet.data).returncode == 1  # nobody said yes
    done = run("stop_services.sh", fleet.data)
    assert done.returncode == 0 and done.stdout.count("stopped") == 7
    assert not any(is_alive(pid) for pid in pids)
    assert run("cleanup.sh", "--yes", fleet.data.parent).returncode == 1  # no data folder
    assert run("cleanup.sh", "--yes", fleet.data).returncode == 0
    assert not fleet.data.exists()

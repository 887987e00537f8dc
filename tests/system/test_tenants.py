"""Tenants: created with an admin, limited, suspended with a reason, deleted with a grace; the other
tenant's tokens, keys and invitations; what the node refuses beyond its quota."""
import os
import subprocess
import time

import pytest

from lib.quarry import Server, bin_folder
from lib.tokens import admin_password, bearer, forge, login

COST = "--bcrypt-rounds=4"
TENANTS = "/auth/tenants"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("tenants") / "data", settings=[COST, "--auth-required=yes"]).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def operator(server):
    return bearer(login(server, "admin", admin_password(server)).ok().json["access_token"])


@pytest.fixture(scope="module")
def door(server):
    return server.client("gateway")


def create(door, operator, tenant, **more):
    answer = door.request("POST", TENANTS, {"tenant_id": tenant, **more}, operator).ok(201)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


def admin_of(server, made):
    tokens = login(server, made["admin"], made["password"], tenant_id=made["tenant"]["tenant_id"]).ok().json
    return bearer(tokens["access_token"])


def wait_status(ask, status, seconds=20):
    """Processes look at the list of tenants every 0.2 s."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer.status == status:
            return answer
        assert time.monotonic() < end, answer.text
        time.sleep(0.05)


def test_a_tenant_has_its_own_users(server, door, operator):
    made = create(door, operator, "blue", name="Blue Ltd")
    assert made["tenant"]["state"] == "active" and made["tenant"]["name"] == "Blue Ltd" and made["admin"] == "admin"
    mine = admin_of(server, made)
    users = door.get("/auth/users", mine).ok().json["users"]
    assert [user["username"] for user in users] == ["admin"] and users[0]["tenant_id"] == "blue"
    door.request("POST", TENANTS, {"tenant_id": "blue"}, operator).refused(409)
    for wrong in ("", ".blue", "a/b", "a b", "x" * 65, "-x"):
        door.request("POST", TENANTS, {"tenant_id": wrong}, operator).refused(400)
    # an admin of another tenant is no operator
    for method, path in [("GET", TENANTS), ("POST", TENANTS), ("DELETE", TENANTS + "/blue"), ("GET", TENANTS + "/blue")]:
        door.request(method, path, {"tenant_id": "red"} if method == "POST" else None, mine).refused(403, "forbidden")
    ids = [one["tenant_id"] for one in door.get(TENANTS, operator).ok().json["tenants"]]
    assert ids == ["blue", "default_tenant"]
    server.client("catalog").get("/assets", mine).ok()
    server.client("tenant").get("/sources", mine).refused(403)  # the node is of default_tenant


def test_keys_and_invitations_of_another_tenant(server, door, operator):
    mine = admin_of(server, create(door, operator, "keys"))
    door.get("/assets", mine).ok()
    key = door.request("POST", "/auth/keys", {"name": "k", "scopes": ["reader"]}, mine).ok(201).json["api_key"]
    assert key.endswith(".keys")
    door.get("/assets", {"X-API-Key": key}).ok()
    door.get("/assets", {"X-API-Key": key.replace(".keys", ".blue")}).refused(401)
    door.get("/assets", {"X-API-Key": key.replace(".keys", "")}).refused(401)
    secret = door.request("POST", "/auth/invitations", {"roles": ["reader"]}, mine).ok(201).json["invitation"]
    guest = {"username": "guest", "password": "correct horse", "invitation": secret}
    assert door.post("/auth/register", guest).ok(201).json["user"]["tenant_id"] == "keys"
    login(server, "guest", "correct horse", tenant_id="keys").ok()
    login(server, "guest", "correct horse").refused(401)


def test_suspended_with_a_reason(server, door, operator):
    made = create(door, operator, "late")
    mine = admin_of(server, made)
    door.get("/assets", mine).ok()
    key = door.request("POST", "/auth/keys", {"name": "k"}, mine).ok(201).json["api_key"]
    shown = door.request("POST", TENANTS + "/late/suspend", {"reason": "the bill is open"}, operator).ok().json
    assert shown["tenant"]["state"] == "suspended" and shown["tenant"]["reason"] == "the bill is open"
    for service, path in (("gateway", "/auth/me"), ("catalog", "/assets")):
        answer = server.client(service).get(path, mine)
        assert "the bill is open" in answer.refused(403, "tenant_suspended")["message"]
    door.get("/assets", {"X-API-Key": key}).refused(403, "tenant_suspended")
    login(server, "admin", made["password"], tenant_id="late").refused(403, "tenant_suspended")
    login(server, "admin", "wrong password", tenant_id="late").refused(401)  # who is not in learns nothing
    door.request("POST", TENANTS + "/late/suspend", None, operator).refused(409)
    door.request("POST", TENANTS + "/late/resume", None, operator).ok()
    door.get("/assets", mine).ok()
    assert door.get(TENANTS + "/late", operator).ok().json["tenant"]["reason"] is None
    door.request("POST", TENANTS + "/default_tenant/suspend", None, operator).refused(409)
    door.request("DELETE", TENANTS + "/default_tenant", None, operator).refused(409)
    door.request("POST", TENANTS + "/nobody/suspend", None, operator).refused(404)


def test_deleted_with_a_grace(server, door, operator):
    made = create(door, operator, "gone")
    mine = admin_of(server, made)
    door.request("POST", "/assets", {"kind": "graph", "name": "left behind"}, mine).ok(201)
    shown = door.request("DELETE", TENANTS + "/gone?grace_days=7", None, operator).ok().json["tenant"]
    assert shown["state"] == "deleted" and shown["removed_at_s"] > time.time() + 6 * 86400
    door.get("/assets", mine).refused(403, "tenant_suspended")
    door.request("POST", TENANTS + "/gone/undelete", None, operator).ok()
    door.get("/assets", mine).ok()
    door.request("DELETE", TENANTS + "/gone?grace_days=0", None, operator).ok()
    wait_status(lambda: door.get(TENANTS + "/gone", operator), 404, 40)  # the upkeep runs every five seconds
    door.get("/auth/me", mine).refused(403)
    login(server, "admin", made["password"], tenant_id="gone").refused(401)
    again = create(door, operator, "gone")  # nothing of the old one is left
    assert door.get("/assets?deleted=show", admin_of(server, again)).ok().json["assets"] == []
    events = door.get("/audit", admin_of(server, again)).ok().json["audit"]
    assert "asset.create" not in {event["name"] if "name" in event else event["action"] for event in events}
    assert len(door.get("/auth/users", admin_of(server, again)).ok().json["users"]) == 1


def test_tokens_of_unknown_tenants(server, door, operator):
    token = operator["Authorization"].split()[1]
    secret = (server.data / "auth" / "jwt.secret").read_bytes()
    for service, path in [("gateway", "/auth/me"), ("catalog", "/assets"), ("tenant", "/sources")]:
        server.client(service).get(path, bearer(forge(token, secret, tenant_id="never"))).refused(403)


def test_quota_of_sources_and_bytes(server, door, operator):
    node = server.client("tenant")

    def add(name):
        body = {"source_id": name, "name": name, "connection_string": "x", "data_path": "x", "schema_definition": {}}
        return node.request("POST", "/sources/add", body, operator)

    def write(rows):
        body = {"source_id": "one", "records": [{"fields": {"a": i, "b": "x" * 100}} for i in range(rows)]}
        return node.request("POST", "/data/write", body, operator)
    add("one").ok()
    door.request("PATCH", TENANTS + "/default_tenant", {"max_sources": 2}, operator).ok()
    add("two").ok()
    names = (f"s{i}" for i in range(1000))  # some may still be added until the node has looked
    wait_status(lambda: add(next(names)), 507).refused(507, "quota_exceeded")
    add("two").ok()  # is there already
    write(1000).ok()
    node.request("POST", "/sources/one/flush", None, operator).ok()
    door.request("PATCH", TENANTS + "/default_tenant", {"max_sources": 0, "max_bytes": 1}, operator).ok()
    refused = wait_status(lambda: write(1), 507).refused(507, "quota_exceeded")
    assert "may have 1" in refused["message"]
    load = node.request("POST", "/data/load?source_id=one", b'{"a":1}\n', {"Content-Type": "application/x-ndjson", **operator})
    load.refused(507, "quota_exceeded")
    node.request("POST", "/data/search", {"source_ids": ["one"], "limit": 1}, operator).ok()  # reading goes on
    door.request("PATCH", TENANTS + "/default_tenant", {"max_bytes": 0}, operator).ok()
    wait_status(lambda: write(1), 200)


def test_rate_of_a_tenant_and_of_a_key(server, door, operator):
    made = create(door, operator, "fast", requests_per_second=0.01, burst=4)
    mine = admin_of(server, made)
    key = door.request("POST", "/auth/keys", {"name": "k"}, mine).ok(201).json["api_key"]
    answers = [door.get("/assets", headers) for headers in (mine, {"X-API-Key": key}) * 3]
    assert [answer.status for answer in answers] == [200] * 4 + [429] * 2  # one bucket for all of the tenant
    assert answers[0].headers["RateLimit"] == '"tenant";r=3;t=100'
    assert answers[0].headers["RateLimit-Policy"] == '"tenant";q=4;w=400'
    assert int(answers[5].headers["Retry-After"]) >= 1
    door.get("/assets", operator).ok()  # others are not held up


def test_command_line(server, door, operator):
    def run(*words):
        url = f"http://127.0.0.1:{server.ports['gateway']}"
        token = operator["Authorization"].split()[1]
        return subprocess.run([bin_folder() / "quarry", "tenant", *words, "--url", url], capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], "QUARRY_TOKEN": token}, timeout=60, check=False)
    assert '"password"' in run("create", "cli", "--set", "max_sources=5").stdout
    assert "suspended" in run("suspend", "cli", "not paid").stdout
    assert "cli" in run("list").stdout and '"max_sources": 5' in run("show", "cli").stdout
    assert run("resume", "cli").returncode == 0
    assert "deleted" in run("delete", "cli", "--set", "grace_days=1").stdout
    assert run("undelete", "cli").returncode == 0
    assert run("show", "nobody").returncode == 1


def test_tenants_survive_a_restart(server, door, operator):
    made = create(door, operator, "stays")
    server.restart()
    again = server.client("gateway")
    assert again.get(TENANTS + "/stays", operator).ok().json["tenant"]["state"] == "active"
    again.get("/assets", admin_of(server, made)).ok()

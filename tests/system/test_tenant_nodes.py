"""A node for each tenant: started by the first call, apart from all others, stopped when idle."""
import concurrent.futures
import os
import select
import signal
import time

import pytest

from lib.quarry import Client, Server
from lib.tokens import admin_password, bearer, forge, login

WAIT_S = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = ["--bcrypt-rounds=4", "--auth-required=yes", "--tenant-idle-seconds=2", "--tenant-nodes-max=4"]
    server = Server(tmp_path_factory.mktemp("tenants") / "data", settings=settings).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def admin(server):
    return login(server, "admin", admin_password(server)).ok().json["access_token"]


def token_of(server, admin, tenant, roles=("admin",)):
    """What the gateway would sign for a user of that tenant, which is made when it can be."""
    made = server.client("gateway").request("POST", "/auth/tenants", {"tenant_id": tenant}, bearer(admin))
    assert made.status in (201, 400, 409), made.text
    secret = (server.data / "auth/jwt.secret").read_bytes().strip()
    return forge(admin, secret, tenant=tenant, tenant_id=tenant, roles=list(roles), sub="user-of-" + tenant)


def nodes(server, admin):
    answer = server.client("operation").get("/tenants/nodes", bearer(admin)).ok().json
    return {node["tenant_id"]: node for node in answer["nodes"]}


def await_state(server, admin, tenant, state):
    end = time.monotonic() + WAIT_S
    while (node := nodes(server, admin).get(tenant)) is None or node["state"] != state:
        assert time.monotonic() < end, node
        time.sleep(0.05)
    return node


def write(server, token, value):
    body = {"source_id": "events", "records": [{"fields": {"value": value}}]}
    return server.client("gateway").request("POST", "/data/write", body, bearer(token))


def values(server, token):
    body = {"source_ids": ["events"], "filters": {}}
    answer = server.client("gateway").request("POST", "/data/search", body, bearer(token)).ok().json
    return sorted(record["value"] for record in answer[0]["records"])


def test_each_tenant_has_its_own_node_and_data(server, admin):
    acme, umbrella = (token_of(server, admin, tenant) for tenant in ["acme", "umbrella"])
    assert set(nodes(server, admin)) == {"default_tenant"}
    for token, value in [(admin, 1), (acme, 2), (umbrella, 3)]:
        add = {"source_id": "events", "name": "Events", "connection_string": "file://e", "data_path": "e",
               "schema_definition": {"value": "int64"}}
        server.client("gateway").request("POST", "/sources/add", add, bearer(token)).ok()
        write(server, token, value).ok()
    assert [values(server, token) for token in [admin, acme, umbrella]] == [[1], [2], [3]]
    seen = nodes(server, admin)
    assert {tenant: node["state"] for tenant, node in seen.items()} == dict.fromkeys(
        ["default_tenant", "acme", "umbrella"], "running")
    assert len({node["pid"] for node in seen.values()}) == 3
    assert (server.data / "tenants/acme/sources/events").is_dir()
    # a node takes tokens of its own tenant only
    assert Client(seen["acme"]["port"]).request(
        "POST", "/data/search", {"filters": {}}, bearer(umbrella)).refused(403, "forbidden")


def test_idle_nodes_stop_and_come_back(server, admin):
    acme = token_of(server, admin, "acme")
    write(server, acme, 20).ok()
    before = await_state(server, admin, "acme", "running")
    await_state(server, admin, "acme", "stopped")
    assert nodes(server, admin)["default_tenant"]["state"] == "running"
    assert values(server, acme) == [2, 20]
    after = nodes(server, admin)["acme"]
    assert after["pid"] != before["pid"] and after["restarts"] == 0


def test_a_killed_node_comes_back_without_a_failed_read(server, admin):
    acme = token_of(server, admin, "acme")
    write(server, acme, 21).ok()
    killed = await_state(server, admin, "acme", "running")["pid"]
    gone = os.pidfd_open(killed)
    os.kill(killed, signal.SIGKILL)
    assert select.select([gone], [], [], WAIT_S)[0]
    os.close(gone)
    assert values(server, acme) == [2, 20, 21]
    assert nodes(server, admin)["acme"]["restarts"] == 1


def test_restart_under_load_fails_nobody(server, admin):
    acme = token_of(server, admin, "acme")
    door = server.client("operation")
    first = await_state_pid(server, admin, acme)

    def ask(_):
        return [write(server, acme, 30).status for _ in range(40)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = pool.map(ask, range(4))
        door.request("POST", "/tenants/acme/node/restart", None, bearer(admin)).ok(202)
        statuses = [status for part in asked for status in part]
    assert statuses == [200] * 160
    assert values(server, acme).count(30) == 160
    assert nodes(server, admin)["acme"]["pid"] != first


def await_state_pid(server, admin, token):
    values(server, token)  # starts it
    return nodes(server, admin)["acme"]["pid"]


def test_commands_and_their_limits(server, admin):
    door = server.client("operation")
    acme = token_of(server, admin, "acme")
    values(server, acme)
    door.request("POST", "/tenants/acme/node/stop", None, bearer(admin)).ok(202)
    await_state(server, admin, "acme", "stopped")
    door.request("POST", "/tenants/acme/node/start", None, bearer(admin)).ok(202)
    await_state(server, admin, "acme", "running")
    door.request("POST", "/tenants/nobody/node/stop", None, bearer(admin)).refused(404, "not_found")
    door.request("POST", "/tenants/default_tenant/node/stop", None, bearer(admin)).refused(409, "conflict")
    door.request("POST", "/tenants/acme/node/dance", None, bearer(admin)).refused((400, 422))
    # an admin of another tenant is no operator
    door.get("/tenants/nodes", bearer(acme)).refused(403, "forbidden")


def test_names_that_are_no_folder_and_too_many_tenants(server, admin):
    gateway = server.client("gateway")
    for name in ["../evil", ".hidden", "a/b", "x" * 65, "-rf"]:
        gateway.request("POST", "/data/search", {"filters": {}},
                        bearer(token_of(server, admin, name))).refused(403, "forbidden")
    assert set(path.name for path in (server.data / "tenants").iterdir()) == {"acme", "umbrella"}
    gateway.request("POST", "/data/search", {"filters": {}}, bearer(token_of(server, admin, "third"))).ok()
    gateway.request("POST", "/data/search", {"filters": {}},
                    bearer(token_of(server, admin, "fourth"))).refused(503, "unavailable")
    assert values(server, admin) == [1]

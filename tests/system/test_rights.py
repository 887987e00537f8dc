"""Every operation of every service, as the running services list it (/openapi.json), asked for by
everybody: without a token, with those of a reader, a writer, an admin, an expired and a revoked one,
and by an admin of another tenant. The answer follows from the operation's permission alone; what
one tenant has, another neither sees nor changes.

Requests are made to be refused by what comes behind the gate (unknown names, no body), so that who
may pass changes nothing.
"""
import time

import pytest

from lib.quarry import SERVICES, Server
from lib.tokens import admin_password, bearer, forge, login, make_user

LEVELS = {"none": 0, "person": 1, "read": 2, "write": 3, "admin": 4, "operator": 5}
METHODS = {"get", "post", "put", "patch", "delete"}
# Who passes the gate and is refused by what comes behind it: by rights finer than roles.
FINER = {"auth_permissions": {"no role", "reader", "writer"},  # of others: an admin's
         "metadata_sources": {"other"}, "metadata_stats": {"other"},  # ask the tenant node
         "metadata_compact": {"other"},  # through the gateway it is the node's
         "query_logs_list": {"reader", "writer"},  # of all collections: an admin's
         "metric_logs_list": {"reader", "writer"}, "performance_stats_get": {"reader", "writer"}}
MARK = "only acme may read this"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    settings = ["--bcrypt-rounds=4", "--auth-required=yes"]
    server = Server(tmp_path_factory.mktemp("rights") / "data", settings=settings).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def callers(guarded):
    """Who asks: (level, the headers)."""
    admin = login(guarded, "admin", admin_password(guarded)).ok().json["access_token"]
    secret = (guarded.data / "auth" / "jwt.secret").read_bytes()
    gone = make_user(guarded, admin, "gone", "admin")["access_token"]
    guarded.client("gateway").request("POST", "/auth/logout", None, bearer(gone)).ok()
    made = guarded.client("gateway").request("POST", "/auth/tenants", {"tenant_id": "other"}, bearer(admin)).ok(201).json
    other = login(guarded, "admin", made["password"], tenant_id="other").ok().json
    end = time.monotonic() + 20  # the node hears of it by a file
    while guarded.client("tenant").get("/sources", bearer(gone)).status != 401:
        assert time.monotonic() < end
        time.sleep(0.05)
    return {"nobody": (0, {}),
            "expired": (0, bearer(forge(admin, secret, exp=int(time.time()) - 60))),
            "revoked": (0, bearer(gone)),
            "refresh": (0, bearer(make_user(guarded, admin, "fresh", "admin")["refresh_token"])),
            "no role": (1, bearer(forge(admin, secret, roles=["stranger"]))),
            "reader": (2, bearer(make_user(guarded, admin, "ray", "reader")["access_token"])),
            "writer": (3, bearer(make_user(guarded, admin, "wri", "writer")["access_token"])),
            "admin": (5, bearer(admin)),
            "other": (4, bearer(other["access_token"]))}


def operations(server, service):
    """(method, path, x-permission, name, planned) of all that a service lists."""
    paths = server.client(service).get("/openapi.json").ok().json["paths"]
    for path, methods in paths.items():
        for method, one in methods.items():
            if method in METHODS:
                yield method.upper(), path, one["x-permission"], one["operationId"], one["x-status"] == "planned"


def fill(path, word):
    """A path with `word` for every {parameter}."""
    while "{" in path:
        path = path[:path.index("{")] + word + path[path.index("}") + 1:]
    return path


def expected(level, permission, one_tenant, who):
    """The status that the gate gives, or None: it lets pass."""
    if permission == "none":
        return None
    if level == 0:
        return 401
    if one_tenant and who == "other":  # through the gateway it gets a node of its own
        return 403
    return None if level >= LEVELS[permission] else 403


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_for_everybody(guarded, callers, service):
    doors = {service: guarded.client(service), "gateway": guarded.client("gateway")}
    wrong, count = [], 0
    for method, path, permission, name, planned in operations(guarded, service):
        own_path = path in ("/health", "/ready", "/metrics", "/openapi.json", "/")
        for who, (level, headers) in callers.items():
            if name == "auth_logout" and level > 0:
                continue  # it would take this test's tokens back
            for door, client in doors.items():
                if door == "gateway" and own_path and service != "gateway":
                    continue  # the gateway answers for itself
                answer = client.request(method, fill(path, "zz"), None, headers)
                wanted = expected(level, permission, door == "tenant", who)
                count += 1
                if wanted is None and planned and permission != "none":
                    good = answer.status == 501
                elif wanted is None:
                    good = answer.status != 401 or permission == "none"
                    good = good and (answer.status != 403 or who in FINER.get(name, ())) and answer.status != 500
                else:
                    good = answer.status == wanted
                    answer.refused(answer.status)
                    good = good and ("WWW-Authenticate" in answer.headers) == (wanted == 401)
                if not good:
                    wrong.append((who, door, method, path, permission, wanted, answer.status, answer.text[:120]))
    assert not wrong, "\n".join(map(str, wrong))
    assert count > 30


# --- what one tenant has ---

@pytest.fixture(scope="module")
def acme(guarded, callers):
    """Things of all kinds of the tenant, each with MARK in it; gives their names and ids."""
    headers = callers["admin"][1]
    catalog, door = guarded.client("catalog"), guarded.client("gateway")

    def post(client, path, body, method="POST"):
        answer = client.request(method, path, body, headers)
        assert answer.status in (200, 201), (path, answer.status, answer.text)
        return answer.json
    asset = post(catalog, "/assets", {"kind": "table", "name": "zebra", "description": MARK})["id"]
    graph = post(catalog, "/graphs", {"name": "zebra", "display_name": "z", "description": MARK, "graph_type": "metagraph"})
    post(catalog, "/storage-locations", {"name": "zebra", "storage_type": "local", "base_path": "/" + MARK})
    post(catalog, "/collections", {"collection_name": "zebra", "dimension": 4, "metric_type": "L2", "description": MARK})
    post(catalog, "/config/zebra", {"value": MARK}, "PUT")
    source = {"source_id": "zebra", "name": MARK, "connection_string": "file://z", "data_path": "z",
              "schema_definition": {"a": "string"}}
    post(door, "/sources/add", source)
    post(door, "/data/write", {"source_id": "zebra", "records": [{"fields": {"a": MARK}}]})
    user = post(door, "/auth/users", {"username": "zebra", "password": "correct horse", "roles": ["reader"]})["user"]
    key = post(door, "/auth/keys", {"name": MARK})["key"]
    return [str(word) for word in ("zebra", "ray", asset, graph["graph_id"], user["user_id"], key["key_id"])]


def look(guarded, callers):
    """What acme's admin sees of its things."""
    headers = callers["admin"][1]
    door = guarded.client("gateway")
    seen = []
    for path in ("/assets?limit=100", "/graphs", "/collections", "/storage-locations", "/config", "/auth/users", "/auth/keys",
                 "/sources"):
        seen.append(door.get(path, headers).ok().json)
    return seen


def body_of(path):
    if path == "/data/search":
        return {"source_ids": ["zebra"]}
    return {"source_id": "zebra", "query": "SELECT * FROM zebra", "name": "zebra", "description": "taken over"}


def without_uses(value):
    """Without what reading itself changes."""
    if isinstance(value, dict):
        return {name: without_uses(one) for name, one in value.items()
                if not any(word in name for word in ("access", "last_", "uptime", "timestamp"))}
    return [without_uses(one) for one in value] if isinstance(value, list) else value


def test_nothing_of_another_tenant(guarded, callers, acme):
    headers = callers["other"][1]
    door = guarded.client("gateway")
    before = look(guarded, callers)
    assert MARK in str(before)
    leaks, count = [], 0
    for service in SERVICES:
        for method, path, _, name, _ in operations(guarded, service):
            if name == "auth_logout":
                continue
            words = acme if "{" in path else [""]
            for word in words:
                for body in [None] if method == "GET" else [None, body_of(path)]:
                    answer = door.request(method, fill(path, word), body, headers)
                    count += 1
                    if MARK in answer.text or answer.status == 500:
                        leaks.append((method, path, word, answer.status, answer.text[:200]))
                    if "{" in path and method in ("PATCH", "DELETE") and answer.status in (200, 204):
                        leaks.append((method, path, word, answer.status, answer.text[:200]))
    assert not leaks, "\n".join(map(str, leaks))
    assert count > 400
    for path in ("/search?q=zebra", "/principals/user/zebra", "/assets?name=zebra", "/auth/permissions/zebra"):
        assert MARK not in door.get(path, headers).text, path
    assert door.get("/principals/user/zebra", headers).status == 404
    assert without_uses(look(guarded, callers)) == without_uses(before)

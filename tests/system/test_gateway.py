"""The gateway: users and tokens, the reverse proxy, what it lets through and what it refuses.

One server asks for tokens everywhere (AUTH_REQUIRED=yes); a second one, without, shows the proxy.
"""
import base64
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import time

import pytest

from lib.quarry import Server, bin_folder
from lib.tokens import admin_password, bearer, forge, login, make_user

COST = "--bcrypt-rounds=4"


def start(tmp_path_factory, *settings):
    return Server(tmp_path_factory.mktemp("gateway") / "data", settings=[COST, *settings]).start()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    server = start(tmp_path_factory, "--auth-required=yes", "--registration=open")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    server = start(tmp_path_factory)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def admin(guarded):
    return login(guarded, "admin", admin_password(guarded)).ok().json["access_token"]


# --- the seed's tour ---

def test_register_login_write_search(guarded, admin):
    door = guarded.client("gateway")
    made = door.post("/auth/register", {"username": "ada", "password": "correct horse"}).ok(201).json
    assert made["user"]["roles"] == ["user"] and "password" not in json.dumps(made)
    door.post("/auth/register", {"username": "ada", "password": "correct horse"}).refused(409, "conflict")
    answer = login(guarded, "ada", "correct horse").ok().json
    assert answer["token_type"] == "bearer" and answer["expires_in"] == 24 * 3600
    assert answer["user"]["username"] == "ada" and answer["user"]["tenant_id"] == "default_tenant"
    token = answer["access_token"]
    source = {"source_id": "sales_data", "name": "Sales", "connection_string": "file://sales", "data_path": "sales",
              "schema_definition": {"customer_id": "string"}}
    record = {"source_id": "sales_data", "records": [{"fields": {"customer_id": "CUST_001", "amount": 150.5}}]}
    search = {"source_ids": ["sales_data"], "filters": {"customer_id": {"eq": "CUST_001"}}, "limit": 10}
    for port in ["gateway", "tenant"]:  # the tenant node checks by itself
        client = guarded.client(port)
        assert "Bearer" in client.post("/data/write", record).headers["WWW-Authenticate"]
        client.post("/data/write", record).refused(401, "unauthenticated")
    door.request("POST", "/sources/add", source, bearer(token)).ok()
    door.request("POST", "/data/write", record, bearer(token)).ok()
    found = door.request("POST", "/data/search", search, bearer(token)).ok().json
    assert found[0]["records"] == [{"customer_id": "CUST_001", "amount": 150.5}]
    me = door.get("/auth/me", bearer(token)).ok().json
    assert me["username"] == "ada" and me["roles"] == ["user"] and me["tenant_id"] == "default_tenant"
    assert door.request("POST", "/auth/validate", {"token": token}).ok().json["valid"] is True
    door.request("POST", "/auth/validate", {"token": token + "x"}).refused(401)
    assert door.request("POST", "/auth/validate", None, bearer(token)).ok().json["claims"]["username"] == "ada"
    mine = door.get("/auth/permissions/ada", bearer(token)).ok().json
    assert mine["permissions"] == ["read", "write"]
    door.get("/auth/permissions/admin", bearer(token)).refused(403, "forbidden")
    assert door.get("/auth/permissions/ada", bearer(admin)).ok().json["username"] == "ada"
    door.get("/auth/permissions/nobody", bearer(admin)).refused(404)


def test_command_line_sends_its_token(guarded, admin):
    def run(**more):
        url = f"http://127.0.0.1:{guarded.ports['gateway']}"
        return subprocess.run([bin_folder() / "quarry", "sources", "list", "--url", url], capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], **more}, timeout=30, check=False)
    assert run(QUARRY_TOKEN=admin).returncode == 0
    refused = run()
    assert refused.returncode == 1 and "token is needed" in refused.stderr


def test_roles_decide(guarded, admin):
    door = guarded.client("gateway")
    reader = make_user(guarded, admin, "reader", "reader")["access_token"]
    writer = make_user(guarded, admin, "writer", "writer")["access_token"]
    for client in [door, guarded.client("tenant")]:
        client.get("/sources", bearer(reader)).ok()
        client.request("POST", "/data/write", {"source_id": "x", "records": []}, bearer(reader)).refused(403, "forbidden")
        client.request("POST", "/data/write", {"source_id": "x", "records": []}, bearer(writer)).refused((400, 404))
        client.get("/sources").refused(401)
        client.get("/health").ok()
    door.get("/auth/users", bearer(writer)).refused(403)
    users = door.get("/auth/users?limit=1000", bearer(admin)).ok().json
    assert {"admin", "reader", "writer"} <= {user["username"] for user in users["users"]}


# --- tokens ---

def test_forged_tokens(guarded, admin):
    header, payload, signature = admin.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"default"}').rstrip(b"=").decode()
    tokens = [none + "." + payload + ".", header + "." + payload + ".", header + "." + payload,
              forge(admin), forge(admin, head={"alg": "none"}), forge(admin, head={"kid": "../../jwt.secret"}),
              forge(admin, tenant_id="other"), "x" * 9000, "a.b.c", ".."]
    for token in tokens:
        for service in ["gateway", "tenant", "catalog"]:
            path = "/auth/me" if service == "gateway" else "/sources" if service == "tenant" else "/metadata/stats"
            guarded.client(service).get(path, bearer(token)).refused(401, "unauthenticated")
    guarded.client("gateway").get("/auth/me", {"Authorization": "Basic YWRtaW46eA=="}).refused(401)


def test_expired_and_foreign_tokens_of_the_right_key(guarded, admin):
    secret = (guarded.data / "auth" / "jwt.secret").read_bytes()
    assert os.stat(guarded.data / "auth" / "jwt.secret").st_mode & 0o777 == 0o600
    tenant = guarded.client("tenant")
    tenant.get("/sources", bearer(forge(admin, secret))).ok()
    now = int(time.time())
    for changes in [{"exp": now - 60}, {"nbf": now + 120}, {"iat": now + 120}, {"iss": "x"}, {"aud": "x"}]:
        tenant.get("/sources", bearer(forge(admin, secret, **changes))).refused(401)
    tenant.get("/sources", bearer(forge(admin, secret, tenant_id="other"))).refused(403)


def test_logout_ends_a_login_everywhere(guarded, admin):
    tokens = make_user(guarded, admin, "leaver", "reader")
    other = login(guarded, "leaver", "correct horse").ok().json
    door = guarded.client("gateway")
    door.request("POST", "/auth/logout", None, bearer(tokens["access_token"])).ok()
    door.get("/auth/me", bearer(tokens["access_token"])).refused(401)
    door.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}).refused(401)
    end = time.monotonic() + 5  # the node looks at the list every 0.2 s
    while guarded.client("tenant").get("/sources", bearer(tokens["access_token"])).status != 401:
        assert time.monotonic() < end
        time.sleep(0.05)
    door.get("/auth/me", bearer(other["access_token"])).ok()


def test_refresh_rotates_and_theft_ends_the_family(guarded, admin):
    tokens = make_user(guarded, admin, "fresh", "reader")
    door = guarded.client("gateway")
    second = door.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}).ok().json
    door.get("/auth/me", bearer(second["access_token"])).ok()
    door.get("/auth/me", bearer(second["refresh_token"])).refused(401)  # no access token
    door.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}).refused(401)
    door.get("/auth/me", bearer(second["access_token"])).refused(401)
    door.post("/auth/refresh", {"refresh_token": second["refresh_token"]}).refused(401)


def test_password_change_and_disabling(guarded, admin):
    tokens = make_user(guarded, admin, "changer", "reader")
    door = guarded.client("gateway")
    change = {"current_password": "wrong horse", "new_password": "battery staple"}
    door.request("POST", "/auth/password", change, bearer(tokens["access_token"])).refused(403)
    change["current_password"] = "correct horse"
    door.request("POST", "/auth/password", {**change, "new_password": "short"}, bearer(tokens["access_token"])).refused(400)
    door.request("POST", "/auth/password", change, bearer(tokens["access_token"])).ok()
    door.get("/auth/me", bearer(tokens["access_token"])).refused(401)
    login(guarded, "changer", "correct horse").refused(401)
    token = login(guarded, "changer", "battery staple").ok().json["access_token"]
    door.request("PATCH", "/auth/users/changer", {"disabled": True}, bearer(admin)).ok()
    door.get("/auth/me", bearer(token)).refused(401)
    login(guarded, "changer", "battery staple").refused(401)
    door.request("PATCH", "/auth/users/changer", {"disabled": False, "roles": ["admin"]}, bearer(admin)).ok()
    assert login(guarded, "changer", "battery staple").ok().json["user"]["roles"] == ["admin"]
    door.request("PATCH", "/auth/users/changer", {"roles": ["emperor"]}, bearer(admin)).refused(400)
    door.request("DELETE", "/auth/users/changer", None, bearer(admin)).ok()
    login(guarded, "changer", "battery staple").refused(401)


def test_api_keys(guarded, admin):
    tokens = make_user(guarded, admin, "robot", "writer")
    mine = bearer(tokens["access_token"])
    door = guarded.client("gateway")
    door.request("POST", "/auth/keys", {"name": "x", "scopes": ["admin"]}, mine).refused(403)
    made = door.request("POST", "/auth/keys", {"name": "etl", "scopes": ["reader"], "expires_days": 30}, mine).ok(201).json
    key = made["api_key"]
    assert re.fullmatch(r"qk_[A-Za-z0-9_-]{43}", key) and made["key"]["scopes"] == ["reader"]
    for headers in [{"X-API-Key": key}, bearer(key)]:
        door.get("/sources", headers).ok()
        door.request("POST", "/data/write", {"source_id": "x", "records": []}, headers).refused(403)
    listed = door.get("/auth/keys", mine).ok().json["keys"]
    assert [one["name"] for one in listed] == ["etl"] and listed[0]["last_used_at_s"] and key not in json.dumps(listed)
    door.request("DELETE", f"/auth/keys/{made['key']['key_id']}", None, bearer(make_user(guarded, admin, "other", "reader")["access_token"])).refused(404)
    new = door.request("POST", f"/auth/keys/{made['key']['key_id']}/rotate", None, mine).ok().json
    door.get("/sources", {"X-API-Key": key}).refused(401)
    door.get("/sources", {"X-API-Key": new["api_key"]}).ok()
    door.request("DELETE", f"/auth/keys/{new['key']['key_id']}", None, mine).ok()
    door.get("/sources", {"X-API-Key": new["api_key"]}).refused(401)
    door.get("/sources", {"X-API-Key": "qk_" + "A" * 43}).refused(401)


def test_invitations(tmp_path_factory):
    server = start(tmp_path_factory, "--auth-required=yes", "--registration=invitation")
    try:
        door = server.client("gateway")
        token = login(server, "admin", admin_password(server)).ok().json["access_token"]
        door.post("/auth/register", {"username": "eve", "password": "correct horse"}).refused(403)
        secret = door.request("POST", "/auth/invitations", {"roles": ["reader"]}, bearer(token)).ok(201).json["invitation"]
        body = {"username": "bob", "password": "correct horse", "invitation": secret}
        assert door.post("/auth/register", body).ok(201).json["user"]["roles"] == ["reader"]
        door.post("/auth/register", {**body, "username": "eve"}).refused(403)
        server.restart()  # users stay; the admin is not made again
        login(server, "bob", "correct horse").ok()
        assert server.log.read_text().count("first start") == 1
        server.client("gateway").get("/auth/me", bearer(token)).ok()
    finally:
        server.stop()


def test_brute_force_is_slowed_and_names_nobody(guarded, admin):
    make_user(guarded, admin, "target", "reader")
    wrong = login(guarded, "target", "wrong horse").refused(401)
    unknown = login(guarded, "nobody-at-all", "wrong horse").refused(401)
    assert wrong["message"] == unknown["message"]


def test_lockout(tmp_path_factory):
    server = start(tmp_path_factory, "--auth-required=yes")
    try:
        statuses = [login(server, "admin", f"wrong horse {i}").status for i in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        answer = login(server, "admin", admin_password(server))
        answer.refused(429, "too_many_requests")
        assert int(answer.headers["Retry-After"]) >= 1
        time.sleep(int(answer.headers["Retry-After"]) + 0.1)
        login(server, "admin", admin_password(server)).ok()
    finally:
        server.stop()


def test_sample_secrets_are_refused(tmp_path):
    command = [bin_folder() / "quarryd", f"--data-path={tmp_path}/data", "--jwt-secret=your-secret-key"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False)
    assert result.returncode == 1 and "sample of a manual" in result.stderr


# --- the proxy ---

def test_every_service_is_behind_the_door(open_server):
    door = open_server.client("gateway")
    door.add_source("s")
    assert door.write("s", [{"a": 1}, {"a": 2}])["rows_written"] == 2
    assert door.count("s") == 2
    events = door.post("/data/search/stream", {"source_ids": ["s"]}).ok().events()
    assert events[-1][0] == "end" and events[0][1]["records"] == [{"a": 1}, {"a": 2}]
    assert door.rows("SELECT sum(a) AS n FROM s") in ([[3]], [{"n": 3}])
    door.get("/nothing/here").refused(404, "unknown_route")
    door.request("PUT", "/data/write", {}).refused(405)
    assert door.get("/health/all").ok().json["healthy"] is True
    answer = door.get("/sources", {"X-Request-Id": "abc-1"})
    assert answer.headers["X-Request-Id"] == "abc-1" and answer.headers["X-Content-Type-Options"] == "nosniff"
    upstreams = door.get("/health").json["details"]["upstreams"]
    assert upstreams["tenant"][0]["state"] == "closed" and upstreams["tenant"][0]["failures"] == 0


def test_large_bodies_stream_through(open_server):
    door = open_server.client("gateway")
    door.add_source("big")
    rows = 200_000
    body = b"".join(b'{"n":%d,"text":"%s"}\n' % (i, b"x" * 100) for i in range(rows))
    answer = door.request("POST", "/data/load?source_id=big", body, {"Content-Type": "application/x-ndjson"})
    assert b"200000" in answer.ok().data
    assert door.count("big") == rows
    found = door.post("/data/search", {"source_ids": ["big"], "limit": 100_000}).ok()
    assert len(found.json[0]["records"]) == 100_000 and len(found.data) > 10_000_000


def test_a_dead_service_opens_its_breaker_and_closes_it_again(tmp_path_factory):
    server = start(tmp_path_factory)
    try:
        door = server.client("gateway")
        door.get("/sources").ok()
        pid = server.node_pid()
        os.kill(pid, signal.SIGSTOP)  # no answer, no refusal: it hangs
        os.kill(pid, signal.SIGKILL)
        statuses = [door.get("/sources").status for _ in range(20)]
        assert set(statuses) <= {200, 503}
        server.wait_node(pid)
        end = time.monotonic() + 40
        while door.get("/sources").status != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert door.get("/health").json["details"]["upstreams"]["tenant"][0]["state"] == "closed"
        assert door.get("/health/all").status == 200
    finally:
        server.stop()


def test_rate_limit(tmp_path_factory):
    server = start(tmp_path_factory, "--rate-limit-per-second=1", "--rate-limit-burst=5")
    try:
        door = server.client("gateway")
        answers = [door.get("/sources") for _ in range(7)]
        assert [answer.status for answer in answers][:5] == [200] * 5 and answers[6].status == 429
        assert answers[0].headers["RateLimit"] == '"default";r=4;t=1'
        assert int(answers[6].headers["Retry-After"]) >= 1
        assert door.get("/health").status == 200
    finally:
        server.stop()


def test_cors(tmp_path_factory, open_server):
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    answer = open_server.client("gateway").request("OPTIONS", "/data/search", None, preflight)
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    server = start(tmp_path_factory, "--allowed-origins=https://app.example, https://b.example")
    try:
        door = server.client("gateway")
        answer = door.get("/sources", {"Origin": "https://app.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true" and "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Origin" not in door.get("/sources", {"Origin": "https://evil.example"}).headers
    finally:
        server.stop()


def test_many_logins_do_not_block_traffic(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("gateway") / "data", settings=["--bcrypt-rounds=10", "--registration=open"]).start()
    try:
        body = {"username": "u", "password": "correct horse"}
        server.client("gateway").post("/auth/register", body).ok(201)
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            logins = [pool.submit(lambda: server.client("gateway").post("/auth/login", body).status) for _ in range(24)]
            time.sleep(0.05)
            slowest = 0
            for _ in range(20):
                begun = time.monotonic()
                server.client("gateway").get("/sources").ok()
                slowest = max(slowest, time.monotonic() - begun)
            statuses = {job.result() for job in logins}
        assert statuses <= {200, 429} and 200 in statuses
        assert slowest < 2
    finally:
        server.stop()

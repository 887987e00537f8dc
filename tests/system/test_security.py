"""Attacks, each with what it must not achieve: forged tokens, paths, smuggled requests, slow clients,
many connections, forged log lines. Users and rights: test_rights.py; keys of others: test_oidc.py."""
import contextlib
import json
import re
import socket
import subprocess
import threading
import time

import pytest

from lib.quarry import Server
from lib.tokens import admin_password, bearer, forge, login, make_user, pack, unpack

COST = "--bcrypt-rounds=4"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = [COST, "--auth-required=yes", "--access-audit=all"]
    server = Server(tmp_path_factory.mktemp("security") / "data", settings=settings).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def admin(server):
    return login(server, "admin", admin_password(server)).ok().json["access_token"]


@pytest.fixture(scope="module")
def rsa_server(tmp_path_factory):
    """Signs with an RSA key, whose public half everybody may have."""
    folder = tmp_path_factory.mktemp("rsa")
    subprocess.run(["openssl", "genrsa", "-out", folder / "key.pem", "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", folder / "key.pem", "-pubout", "-out", folder / "public.pem"], check=True,
                   capture_output=True)
    server = Server(folder / "data", settings=[COST, "--auth-required=yes", f"--jwt-key-files={folder}/key.pem"]).start()
    yield server, folder / "public.pem"
    server.stop()


# --- tokens ---

def test_public_key_as_hmac_secret(rsa_server):
    server, public = rsa_server
    token = login(server, "admin", admin_password(server)).ok().json["access_token"]
    head = unpack(token.split(".")[0])
    assert head["alg"] == "RS256"
    text = public.read_bytes()
    der = subprocess.run(["openssl", "rsa", "-pubin", "-in", public, "-outform", "DER"], check=True, capture_output=True).stdout
    for secret in (text, text.strip(), der, b""):
        for kid in (head["kid"], "default", "", "/dev/null", "../../auth/jwt.secret", "' OR '1'='1"):
            for alg in ("HS256", "hs256", "none", "None", "RS256", "HS512"):
                forged = forge(token, secret, head={"alg": alg, "kid": kid})
                server.client("tenant").get("/sources", bearer(forged)).refused(401, "unauthenticated")
    keys = server.client("gateway").get("/.well-known/jwks.json").ok().json["keys"]
    assert [set(key) & {"d", "p", "q"} for key in keys] == [set()]


def test_headers_that_bring_keys_along(server, admin):
    secret = b"0123456789abcdef0123456789abcdef"
    jwk = {"kty": "oct", "k": pack(secret), "kid": "default", "alg": "HS256"}
    for head in ({"jwk": jwk}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/"}, {"x5c": ["AAAA"]},
                 {"crit": ["exp"]}, {"kid": ["default"]}, {"kid": None}, {"b64": False, "crit": ["b64"]}):
        server.client("tenant").get("/sources", bearer(forge(admin, secret, head=head))).refused(401)


def test_oversize_and_odd_tokens(server, admin):
    own = (server.data / "auth" / "jwt.secret").read_bytes()
    node = server.client("tenant")
    node.get("/sources", bearer(forge(admin, own, more="x" * 5000))).ok()
    node.get("/sources", bearer(forge(admin, own, more="x" * 9000))).refused(401)
    assert node.get("/sources", {"Authorization": "Bearer " + "a" * 40000}).status in (401, 431)
    deep = forge(admin, own)
    nested = pack(b"[" * 3000 + b"]" * 3000)
    node.get("/sources", bearer(deep.split(".")[0] + "." + nested + "." + deep.split(".")[2])).refused(401)
    for odd in (admin + ".", admin + ".x", "." + admin, admin.replace(".", "..", 1), admin + "=", admin[:-1], " ", "\x7f"):
        node.get("/sources", {"Authorization": "Bearer " + odd}).refused((400, 401))
    doubled = pack(b'{"alg":"HS256","alg":"none","kid":"default"}') + "." + admin.split(".", 1)[1]
    node.get("/sources", bearer(doubled)).refused(401)


def test_replay_after_logout_survives_a_restart(tmp_path):
    server = Server(tmp_path / "data", settings=[COST, "--auth-required=yes"]).start()
    try:
        admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
        tokens = make_user(server, admin, "leaver", "reader")
        server.client("gateway").request("POST", "/auth/logout", None, bearer(tokens["access_token"])).ok()
        server.kill()  # no time to tidy up
        server.start()
        for service, path in (("gateway", "/auth/me"), ("tenant", "/sources"), ("catalog", "/assets")):
            server.client(service).get(path, bearer(tokens["access_token"])).refused(401)
        server.client("gateway").post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}).refused(401)
    finally:
        server.stop()


# --- paths ---

TRAVERSALS = ["..%2f..%2fauth%2fjwt.secret", "%2e%2e%2f%2e%2e", "..", "%2e%2e", "....//", "..%5c..%5c", "%00", "a%00b",
              "/etc/passwd", "%2fetc%2fpasswd", "..%c0%af", "%252e%252e%252f", "file:%2f%2f%2fetc", "CON", "a/../../b"]


def test_path_traversal(server, admin):
    before = sorted(str(path) for path in server.data.rglob("*") if "logs" not in str(path))
    secret = (server.data / "auth" / "jwt.secret").read_text()
    for service in ("tenant", "gateway"):
        client = server.client(service)
        for name in TRAVERSALS:
            for path in ("/sources/{}/stats", "/sources/{}/schema", "/sources/{}", "/npm/{}", "/npm/x/-/{}", "/logs/{}"):
                for method in ("GET", "DELETE") if path == "/sources/{}" else ("GET",):
                    answer = client.request(method, path.format(name), None, bearer(admin))
                    assert answer.status in (400, 404, 405, 501), (method, path, name, answer.status)
                    assert secret not in answer.text and "root:" not in answer.text
            body = {"source_id": name.replace("%2f", "/").replace("%00", "\0"), "name": "x", "connection_string": "x",
                    "data_path": "../../../../tmp/x", "schema_definition": {}}
            if body["source_id"] not in ("CON",):
                client.request("POST", "/sources/add", body, bearer(admin)).refused((400, 422))
    after = sorted(str(path) for path in server.data.rglob("*") if "logs" not in str(path))
    assert [path for path in after if path not in before and "/run" not in path and "wal" not in path] == []


# --- the wire ---

def raw(server, data, service="gateway", wait=5):
    """All that comes back until the server closes or is silent."""
    with socket.create_connection(("127.0.0.1", server.ports[service]), timeout=wait) as one:
        with contextlib.suppress(OSError):
            one.sendall(data)
        out = b""
        with contextlib.suppress(OSError):
            while piece := one.recv(65536):
                out += piece
        return out


SMUGGLED = b"GET /auth/users HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n"


@pytest.mark.parametrize("service", ["gateway", "tenant"])
def test_smuggled_requests(server, service):
    body = b"0\r\n\r\n" + SMUGGLED
    heads = [
        b"Content-Length: %d\r\nTransfer-Encoding: chunked" % len(body),
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 0\r\nContent-Length: %d" % len(body),
        b"Content-Length: 4, 4",
        b"Content-Length: +4", b"Content-Length: 0x4", b"Content-Length: 4 4", b"Content-Length: -1",
        b"Content-Length: 99999999999999999999999",
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked", b"X: y\r\n Transfer-Encoding: chunked", b"Content-Length\x00: 4",
        b"Content_Length: 4\r\nContent-Length: 4\r\nContent-Length: 5"]
    for head in heads:
        request = b"POST /data/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + head + b"\r\n\r\n" + body
        answer = raw(server, request)
        assert b"smuggled" not in answer, (head, answer[:300])
        statuses = re.findall(rb"HTTP/1\.1 (\d+)", answer)
        assert statuses[:1] in ([b"400"], [b"401"], [b"413"], [b"501"], []), (head, answer[:300])
    # a good request after all that
    server.client(service).get("/health").ok()


def test_headers_cannot_be_split(server, admin):
    answer = raw(server, b"GET /health?a=%0d%0aSet-Cookie:%20x=1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0ab\r\n"
                         b"Origin: http://x%0d%0aEvil: 1\r\nConnection: close\r\n\r\n")
    head = answer.split(b"\r\n\r\n")[0]
    assert b"Set-Cookie" not in head and b"\nEvil" not in head and head.startswith(b"HTTP/1.1 ")
    # what names the caller to services behind is not the caller's to say
    answer = server.client("gateway").get("/sources", {"X-Forwarded-For": "127.0.0.1", "X-Tenant-ID": "other", "X-User": "admin"})
    answer.refused(401)


# --- slow and many ---

def test_slow_clients_hold_up_nobody(server, admin):
    slow = []
    try:
        for i in range(300):
            one = socket.create_connection(("127.0.0.1", server.ports["gateway"]), timeout=10)
            one.sendall([b"GET /sour", b"POST /data/write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
                         b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b"][i % 3])
            slow.append(one)
        door = server.client("gateway", timeout=30)
        for _ in range(20):
            door.get("/sources", bearer(admin)).ok()
    finally:
        for one in slow:
            one.close()


def test_a_thousand_idle_connections(server, admin):
    idle = []
    try:
        for _ in range(1000):
            idle.append(socket.create_connection(("127.0.0.1", server.ports["gateway"]), timeout=20))
        door = server.client("gateway", timeout=30)
        for _ in range(10):
            door.get("/sources", bearer(admin)).ok()
        idle[500].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert idle[500].recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for one in idle:
            one.close()


# --- guessing ---

def test_many_guessers_at_once(tmp_path):
    """Wrong passwords from many threads: few are hashed, nobody gets in, the door stays open."""
    server = Server(tmp_path / "data", settings=[COST, "--auth-required=yes"]).start()
    try:
        admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
        statuses = []

        def guess(first):
            for i in range(20):
                statuses.append(login(server, "admin", f"guess {first} {i}").status)
        threads = [threading.Thread(target=guess, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {401, 429} and statuses.count(401) <= 30, statuses.count(401)
        server.client("gateway").get("/auth/me", bearer(admin)).ok()
    finally:
        server.stop()


# --- logs ---

def test_forged_log_lines(server, admin):
    evil = '\\n{"level":"error","message":"forged"}'
    door = server.client("gateway")
    door.get("/sources/%0a%7b%22message%22:%22forged%22%7d/stats", bearer(admin))
    door.get("/sources", {"Authorization": 'Bearer "},{"message":"forged"', "User-Agent": '"}' + evil}).refused(401)
    login(server, 'x"},{"message":"forged', "wrong password").refused((400, 401))
    login(server, "x\n{\"message\":\"forged\"}", "wrong password").refused((400, 401))
    raw(server, b'GET /"\r\n{"message":"forged"} HTTP/1.1\r\nHost: x\r\n\r\n', wait=1)
    lines = [line for line in server.log.read_text().split("\n") if line and not line.startswith("quarryd")]
    assert len(lines) > 5
    for line in lines:
        assert json.loads(line)["message"] != "forged"


def test_decisions_are_logged(server, admin):
    door = server.client("gateway")
    door.get("/auth/me", {**bearer(admin), "X-Request-Id": "audit-1"}).ok()
    door.get("/sources", {"X-Request-Id": "audit-2"}).refused(401)
    reader = make_user(server, admin, "looker", "reader")["access_token"]
    server.client("tenant").request("POST", "/data/write", {}, {**bearer(reader), "X-Request-Id": "audit-3"}).refused(403)
    end = time.monotonic() + 20
    while True:
        lines = [json.loads(line) for line in server.log.read_text().split("\n") if '"access"' in line]
        seen = {line["request_id"]: line for line in lines}
        if {"audit-1", "audit-2", "audit-3"} <= set(seen):
            break
        assert time.monotonic() < end
        time.sleep(0.05)
    assert seen["audit-1"]["decision"] == "granted" and seen["audit-1"]["operation"] == "auth_me"
    assert seen["audit-2"]["decision"] == "denied" and seen["audit-2"]["user"] == ""
    assert seen["audit-3"]["code"] == "forbidden" and seen["audit-3"]["needs"] == "write" and seen["audit-3"]["user"]
    assert admin not in server.log.read_text() and reader not in server.log.read_text()

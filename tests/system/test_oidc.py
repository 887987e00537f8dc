"""Tokens of an outside issuer: an issuer of the test's own, its keys over a local HTTP server and
from a file; what is believed, what each claim gives, new keys, forgeries."""
import http.server
import json
import os
import subprocess
import threading
import time

import pytest

from lib.quarry import Server, bin_folder
from lib.tokens import admin_password, bearer, login, make_user, pack


class Key:
    """An RSA key pair that openssl made and signs with."""

    def __init__(self, folder, kid):
        self.kid, self.path = kid, folder / f"{kid}.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.path, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.path, "-noout", "-modulus"], check=True,
                                 capture_output=True, text=True).stdout.strip().partition("=")[2]
        self.jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": pack(bytes.fromhex(modulus)), "e": "AQAB"}

    def sign(self, claims, **head):
        text = pack({"alg": "RS256", "typ": "JWT", "kid": self.kid, **head}) + "." + pack(claims)
        made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=text.encode(), check=True,
                              capture_output=True).stdout
        return text + "." + pack(made)


class Issuer:
    """Serves its key set; counts how often it is asked."""

    def __init__(self):
        self.keys, self.asked = [], 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                body = json.dumps({"keys": [key.jwk for key in outer.keys]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/jwks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("oidc")


@pytest.fixture(scope="module")
def keys(folder):
    return [Key(folder, name) for name in ("one", "two", "stranger")]


@pytest.fixture(scope="module")
def issuer(keys):
    issuer = Issuer()
    issuer.keys = [keys[0]]
    yield issuer
    issuer.server.shutdown()


@pytest.fixture(scope="module")
def server(folder, issuer, keys):
    (folder / "file.jwks").write_text(json.dumps({"keys": [keys[1].jwk]}))
    config = {"issuers": [
        {"name": "corp", "issuer": "https://id.corp.example", "audience": "quarry-corp", "jwks_url": issuer.url,
         "algorithms": ["RS256"], "tenant": "default_tenant", "username_claim": "preferred_username",
         "roles_claim": "realm_access.roles", "roles": {"data-admins": "admin", "analysts": "reader", "loaders": "writer"}},
        {"name": "lab", "issuer": "https://lab.example", "audience": "q", "jwks_file": str(folder / "file.jwks"),
         "tenant_claim": "org", "roles_claim": "scope", "roles": {"read": "reader"}, "default_role": "reader"}]}
    (folder / "issuers.json").write_text(json.dumps(config))
    settings = ["--bcrypt-rounds=4", "--auth-required=yes", f"--oidc-issuers={folder}/issuers.json"]
    server = Server(folder / "data", settings=settings).start()
    yield server
    server.stop()


def corp(**more):
    now = int(time.time())
    return {"iss": "https://id.corp.example", "aud": ["other", "quarry-corp"], "sub": "u-17", "exp": now + 600, "iat": now,
            "preferred_username": "ada", "realm_access": {"roles": ["analysts", "unknown"]}, **more}


def lab(**more):
    return {"iss": "https://lab.example", "aud": "q", "sub": "7", "exp": int(time.time()) + 600, "org": "default_tenant",
            "scope": "openid read", **more}


def wait_ok(server, token, service="tenant", path="/sources"):
    """Keys are fetched in the background, by each process for itself."""
    end = time.monotonic() + 40
    while (answer := server.client(service).get(path, bearer(token))).status != 200:
        assert time.monotonic() < end and answer.status == 401, answer.text
        time.sleep(0.1)
    return answer


def test_what_a_token_gives(server, keys):
    token = keys[0].sign(corp())
    for service, path in [("tenant", "/sources"), ("gateway", "/auth/me"), ("catalog", "/assets"), ("gateway", "/sources")]:
        wait_ok(server, token, service, path)
    me = server.client("gateway").get("/auth/me", bearer(token)).ok().json
    assert (me["user_id"], me["username"], me["tenant_id"], me["roles"]) == ("corp:u-17", "ada", "default_tenant", ["reader"])
    write = {"source_id": "none", "records": []}
    node = server.client("tenant")
    node.request("POST", "/data/write", write, bearer(token)).refused(403)
    loader = keys[0].sign(corp(realm_access={"roles": ["loaders"]}))
    assert node.request("POST", "/data/write", write, bearer(loader)).status in (400, 404)
    server.client("gateway").get("/auth/users", bearer(keys[0].sign(corp(realm_access={"roles": ["data-admins"]})))).ok()
    # what is named like our own claims gives nothing
    wish = keys[0].sign(corp(roles=["admin"], tenant_id="other", realm_access={}, use="access", family="x"))
    assert server.client("gateway").get("/auth/me", bearer(wish)).ok().json["roles"] == []
    node.get("/sources", bearer(wish)).refused(403)


def test_tenant_by_claim_and_keys_from_a_file(server, keys):
    wait_ok(server, keys[1].sign(lab()))
    node = server.client("tenant")
    node.get("/sources", bearer(keys[1].sign(lab(scope="openid")))).ok()  # the default role
    node.get("/sources", bearer(keys[1].sign(lab(org="elsewhere")))).refused(403)
    for wrong in ({"org": None}, {"org": 7}, {"org": "x" * 300}):
        node.get("/sources", bearer(keys[1].sign(lab(**wrong)))).refused(401)


def test_what_is_refused(server, issuer, keys):
    wait_ok(server, keys[0].sign(corp()))
    wait_ok(server, keys[1].sign(lab()))
    now = int(time.time())
    forged = [keys[0].sign(corp(exp=now - 120)), keys[0].sign(corp(aud="quarry")), keys[0].sign(corp(nbf=now + 600)),
              keys[0].sign(corp(iss="https://id.corp.example/")), keys[0].sign(corp(iss="quarry")),
              keys[0].sign(corp(sub=None)), keys[0].sign(corp(), alg="HS256"), keys[0].sign(corp(), alg="none"),
              keys[0].sign(corp(), kid="two"), keys[0].sign(corp(), kid="../../one"), keys[2].sign(corp()),
              keys[2].sign(corp(), kid="one", jwk=keys[2].jwk), keys[2].sign(corp(), kid="one", jku=issuer.url),
              keys[1].sign(corp()),  # an issuer's key is good for its own tokens only
              keys[0].sign(lab(), kid="two"), keys[0].sign(corp(), crit=["b64"])]
    for token in forged:
        for service, path in [("tenant", "/sources"), ("gateway", "/auth/me")]:
            server.client(service).get(path, bearer(token)).refused(401)


def test_nobody_takes_the_name_of_a_user(server, keys):
    admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
    made = make_user(server, admin, "target", "admin")
    mine = server.client("gateway").get("/auth/me", bearer(made["access_token"])).ok().json["user_id"]
    token = keys[0].sign(corp(sub=mine, preferred_username="admin"))
    wait_ok(server, token, "gateway", "/auth/me")
    assert server.client("gateway").get("/auth/me", bearer(token)).json["user_id"] == "corp:" + mine
    server.client("gateway").get(f"/auth/permissions/{mine}", bearer(token)).refused(403)
    server.client("gateway").request("POST", "/auth/keys", {"name": "k"}, bearer(token)).refused(404)


def test_logout_ends_also_a_token_without_an_id(server, keys):
    token = keys[0].sign(corp(sub="leaver"))
    wait_ok(server, token, "gateway", "/auth/me")
    server.client("gateway").request("POST", "/auth/logout", None, bearer(token)).ok()
    server.client("gateway").get("/auth/me", bearer(token)).refused(401)
    server.client("gateway").get("/auth/me", bearer(keys[0].sign(corp(sub="stayer")))).ok()


def test_a_new_key_is_fetched_but_not_for_every_wrong_token(server, issuer, keys):
    wait_ok(server, keys[0].sign(corp()))
    issuer.keys = [keys[2]]
    new = keys[2].sign(corp())
    wait_ok(server, new)
    wait_ok(server, new, "gateway", "/auth/me")
    # the one that is gone is gone
    server.client("tenant").get("/sources", bearer(keys[0].sign(corp()))).refused(401)
    before = issuer.asked
    for i in range(200):
        server.client("tenant").get("/sources", bearer(keys[0].sign(corp()) if i == 0 else new + "x")).refused(401)
    assert issuer.asked - before <= 3
    issuer.keys = [keys[0]]


def test_wrong_configurations_are_told_at_the_start(folder, issuer, tmp_path):
    good = {"name": "a", "issuer": "https://a", "audience": "b", "jwks_url": issuer.url, "tenant": "t"}
    wrong = [({"issuer": None}, "issuer"), ({"jwks_url": "http://id.example/keys"}, "jwks_url"), ({"tenant": None}, "tenant"),
             ({"algorithms": ["HS256"]}, "algorithms"), ({"roles": {"x": "emperor"}}, "emperor"), ({"audiance": "x"}, "audiance"),
             ({"refresh_seconds": 1}, "refresh_seconds"), ({"name": "a:b"}, "name"), ({"jwks_file": "/x"}, "not both")]
    for change, words in wrong:
        one = {key: value for key, value in {**good, **change}.items() if value is not None}
        (tmp_path / "c.json").write_text(json.dumps({"issuers": [one]}))
        command = [bin_folder() / "quarryd", f"--data-path={tmp_path}/d", "--services=gateway", "--gateway-port=0",
                   f"--oidc-issuers={tmp_path}/c.json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
                              env={"PATH": os.environ["PATH"]})
        assert done.returncode == 1 and words in done.stderr and "c.json" in done.stderr, done.stderr

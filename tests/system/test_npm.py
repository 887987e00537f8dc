"""The installed npm, unmodified, with Quarry as its only registry: everything that people do with a
registry, with a bearer token, without any other network.

Tokens are signed here with the server's JWT_SECRET, so no other service is needed."""

import base64
import hashlib
import hmac
import json
import re
import time

import pytest

from lib.npm import Npm, package
from lib.quarry import Server

SECRET = "a secret of the npm test, long enough for HS256"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(user="ann", roles=("admin",), tenant="default_tenant"):
    now = int(time.time())
    claims = {
        "sub": user, "username": user, "roles": list(roles), "tenant_id": tenant,
        "iat": now, "nbf": now - 5, "exp": now + 3600, "iss": "quarry", "aud": "quarry",
        "jti": f"{user}-{now}", "use": "access",
    }
    head = b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = b64(json.dumps(claims).encode())
    sign = hmac.new(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{b64(sign)}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    base = tmp_path_factory.mktemp("npm")
    server = Server(base / "data", settings=[f"--jwt-secret={SECRET}", "--auth-required=yes"])
    server.start()
    yield server, Npm(base / "home", server.ports["catalog"], token()), base
    server.stop()


def test_publish_install_view(world):
    server, npm, base = world
    npm(package(base / "left", "left", "1.0.0", keywords=["padding"]), "publish")
    npm(package(base / "left", "left", "1.1.0", keywords=["padding"]), "publish")
    npm(package(base / "scoped", "@team/right", "2.0.0", dependencies={"left": "^1.0.0"}),
        "publish", "--access", "public")
    assert json.loads(npm(base, "view", "left", "versions", "--json")) == ["1.0.0", "1.1.0"]
    assert npm(base, "view", "@team/right", "dependencies.left").strip() == "^1.0.0"
    assert npm(base, "view", "left@1.0.0", "version").strip() == "1.0.0"
    # a version cannot be replaced
    assert "previously" in npm(base / "left", "publish", fails=True)

    app = package(base / "app", "app", "0.0.1")
    npm(app, "install", "@team/right", "--no-audit")
    assert (app / "node_modules/left/index.js").read_text() == "module.exports = 'left 1.1.0';\n"
    lock = json.loads((app / "package-lock.json").read_text())["packages"]
    assert lock["node_modules/@team/right"]["integrity"].startswith("sha512-")
    # a clean machine installs the same from the lock file, and checks the digests
    npm(app, "ci", "--no-audit", "--cache", str(base / "cache2"))
    assert (app / "node_modules/@team/right/package.json").exists()


def test_tags_deprecation_outdated(world):
    server, npm, base = world
    for version in ("1.0.0", "2.0.0"):
        npm(package(base / "tagged", "tagged", version), "publish")
    npm(package(base / "tagged", "tagged", "3.0.0-beta.1"), "publish", "--tag", "beta")
    tags = npm(base, "dist-tag", "ls", "tagged")
    assert set(tags.split("\n")) - {""} == {"beta: 3.0.0-beta.1", "latest: 2.0.0"}
    npm(base, "dist-tag", "add", "tagged@1.0.0", "old")
    assert "old: 1.0.0" in npm(base, "dist-tag", "ls", "tagged")
    npm(base, "dist-tag", "rm", "tagged", "old")
    assert "old" not in npm(base, "dist-tag", "ls", "tagged")

    npm(base, "deprecate", "tagged@1.0.0", "use 2")
    assert npm(base, "view", "tagged@1.0.0", "deprecated").strip() == "use 2"
    npm(base, "deprecate", "tagged@1.0.0", "")
    assert npm(base, "view", "tagged@1.0.0", "deprecated").strip() == ""

    app = package(base / "outdated", "outdated", "0.0.1", dependencies={"tagged": "1.0.0"})
    npm(app, "install", "--no-audit")
    outdated = json.loads(npm(app, "outdated", "--json", fails=True))
    assert outdated["tagged"]["current"] == "1.0.0" and outdated["tagged"]["latest"] == "2.0.0"


def test_search_ping_whoami(world):
    server, npm, base = world
    npm(package(base / "finder", "needle-finder", "1.0.0", keywords=["haystack"],
                description="Finds needles in haystacks."), "publish")
    found = json.loads(npm(base, "search", "needle", "--json"))
    assert [(p["name"], p["version"]) for p in found] == [("needle-finder", "1.0.0")]
    # a typing error
    assert [p["name"] for p in json.loads(npm(base, "search", "haystak", "--json"))] \
        == ["needle-finder"]
    assert json.loads(npm(base, "search", "zzzzzz", "--json")) == []
    assert json.loads(npm(base, "ping", "--json"))["registry"] == npm.registry
    assert npm(base, "whoami").strip() == "ann"


def test_audit(world):
    server, npm, base = world
    for version in ("1.0.0", "1.0.1"):
        npm(package(base / "leaky", "leaky", version), "publish")
    app = package(base / "audited", "audited", "0.0.1", dependencies={"leaky": "1.0.0"})
    npm(app, "install", "--no-audit")
    assert json.loads(npm(app, "audit", "--json"))["metadata"]["vulnerabilities"]["total"] == 0
    server.client("catalog").request(
        "POST", "/assets",
        {"kind": "advisory", "namespace": "leaky", "name": "QSA-1",
         "attributes": {"title": "Leaks", "severity": "high", "url": "http://localhost/QSA-1",
                        "vulnerable_versions": "<1.0.1"}},
        {"Authorization": f"Bearer {token()}"}).ok(201)
    report = json.loads(npm(app, "audit", "--json", fails=True))
    assert report["vulnerabilities"]["leaky"]["severity"] == "high"
    npm(app, "install", "leaky@1.0.1", "--no-audit")
    assert json.loads(npm(app, "audit", "--json"))["metadata"]["vulnerabilities"]["total"] == 0


def test_tokens_and_tenants(world):
    server, npm, base = world
    nobody = Npm(base / "nobody", server.ports["catalog"], None)
    assert "401" in nobody(package(base / "x", "x", "1.0.0"), "publish", fails=True) \
        or "ENEEDAUTH" in nobody(base / "x", "publish", fails=True)
    assert "E401" in nobody(base, "view", "left", fails=True)
    other = Npm(base / "other", server.ports["catalog"], token("eve", tenant="elsewhere"))
    assert re.search("E40[34]", other(base, "view", "left", fails=True))  # no such tenant here
    reader = Npm(base / "reader", server.ports["catalog"], token("bob", roles=("viewer",)))
    assert "E403" in reader(package(base / "y", "y", "1.0.0"), "publish", fails=True)


def test_survives_restart_and_bad_bodies(world):
    server, npm, base = world
    npm(package(base / "kept", "kept", "1.0.0"), "publish")
    server.kill()
    server.start()
    npm = Npm(base / "home2", server.ports["catalog"], token())
    app = package(base / "after", "after", "0.0.1")
    npm(app, "install", "kept", "--no-audit")
    assert [p["name"] for p in json.loads(npm(base, "search", "kept", "--json"))] == ["kept"]

    client = server.client("catalog")
    headers = {"Authorization": f"Bearer {token()}"}

    def put(name, body):
        return client.request("PUT", f"/npm/{name}", body, headers)

    good = json.loads((base / "kept/package.json").read_text()) | {"version": "2.0.0"}
    data = base64.b64encode(b"not what was meant").decode()
    body = {"name": "kept", "dist-tags": {"latest": "2.0.0"},
            "versions": {"2.0.0": good | {"dist": {"integrity": "sha512-AAAA"}}},
            "_attachments": {"kept-2.0.0.tgz": {"data": data}}}
    assert put("kept", body).status == 400
    assert put("kept", {**body, "name": "other"}).status == 400
    assert put("kept", {**body, "versions": {"2.0.0": {**good, "version": "3.0.0"}}}).status == 400
    assert put("kept", {**body, "_attachments": {}}).status == 400
    assert put("kept", {**body, "_attachments": {"kept-2.0.0.tgz": {"data": "%%%"}}}).status == 400
    assert put("..%2f..%2fetc", body).status == 400
    assert put("kept", "{").status == 400
    assert client.request("GET", "/npm/kept/-/kept-9.9.9.tgz", None, headers).status == 404
    assert client.request("GET", "/npm/kept/-/..%2fkept.tgz", None, headers).status == 404
    assert json.loads(npm(base, "view", "kept", "versions", "--json")) == ["1.0.0"]

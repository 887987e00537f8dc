"""npm through the gateway, with people: login and logout, owners, access, unpublish, star. The npm
is the installed one, unmodified; a login is typed into it."""

import json
import re

import pytest

from lib.npm import Npm, package
from lib.quarry import Server
from lib.tokens import admin_password, bearer, login, make_user

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    base = tmp_path_factory.mktemp("npm_people")
    server = Server(base / "data", settings=["--auth-required=yes", "--bcrypt-rounds=4", "--registration=invitation"]).start()
    admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
    for name in ("ann", "bob", "cas"):
        make_user(server, admin, name, "user", password=PASSWORD)
    yield server, base, admin
    server.stop()


def logged_in(world, name):
    server, base, _ = world
    home = base / f"home_{name}"
    if home.exists():
        return Npm.at(home)
    npm = Npm(home, server.ports["gateway"], None)
    npm.talk(base, "login", answers=spoken(name))
    return npm


def key_of(npm):
    return re.search(r":_authToken=\"?([^\"\s]+)", (npm.home / "npmrc").read_text()).group(1)


def read(world, npm, name):
    """The package's document, as npm reads it; asked for without npm, which takes a second each time."""
    return world[0].client("gateway").get("/npm/" + name.replace("/", "%2f"), bearer(key_of(npm)))


def spoken(name, password=PASSWORD):
    return [("Username:", name), ("Password:", password)]


def test_login_logout(world):
    server, base, admin = world
    npm = Npm(base / "home_in_out", server.ports["gateway"], None)
    assert "E401" in npm.talk(base, "login", answers=spoken("ann", "wrong password"), fails=True)
    assert "Logged in" in npm.talk(base, "login", answers=spoken("ann"))
    key = key_of(npm)
    assert npm(base, "whoami").strip() == "ann"
    ann = login(server, "ann", PASSWORD).ok().json["access_token"]
    keys = server.client("gateway").get("/auth/keys", bearer(ann)).ok().json["keys"]
    assert [k["name"] for k in keys] == ["npm login"] and keys[0]["expires_at_s"]
    npm(base, "logout")
    assert "_authToken" not in (npm.home / "npmrc").read_text()
    assert server.client("gateway").get("/auth/keys", bearer(ann)).ok().json["keys"] == []
    server.client("gateway").get("/npm/-/whoami", bearer(key)).refused(401)
    assert key not in server.log.read_text()
    # an address alone registers nobody where registration is closed
    body = {"name": "eve", "password": PASSWORD, "email": "eve@example.org"}
    server.client("gateway").request("PUT", "/npm/-/user/org.couchdb.user:eve", body).refused(401)


def test_owners(world):
    _, base, _ = world
    ann, bob = logged_in(world, "ann"), logged_in(world, "bob")
    folder = package(base / "shared", "shared", "1.0.0")
    ann(folder, "publish")
    assert "E403" in bob(package(folder, "shared", "1.1.0"), "publish", fails=True)
    assert read(world, bob, "shared").status == 404
    ann(base, "owner", "add", "bob", "shared")
    assert ann(base, "owner", "ls", "shared").split("\n")[:2] == ["ann <>", "bob <>"]
    bob(folder, "publish")
    bob(base, "deprecate", "shared@1.0.0", "old")  # one that ann has published
    versions = read(world, ann, "shared").json["versions"]
    assert versions["1.0.0"]["deprecated"] == "old" and set(versions) == {"1.0.0", "1.1.0"}
    # the first owner goes: the second one has everything, she has nothing
    bob(base, "owner", "rm", "ann", "shared")
    document = read(world, bob, "shared").json
    assert document["maintainers"] == [{"name": "bob", "email": ""}] and set(document["versions"]) == set(versions)
    assert read(world, ann, "shared").status == 404


def test_access(world):
    server, base, _ = world
    ann, cas = logged_in(world, "ann"), logged_in(world, "cas")
    ann(package(base / "open", "@team/open", "1.0.0"), "publish", "--access", "public")
    ann(package(base / "closed", "@team/closed", "1.0.0"), "publish")
    assert ann(base, "access", "get", "status", "@team/closed").strip() == "@team/closed: private"
    assert read(world, cas, "@team/open").status == 200 and read(world, cas, "@team/closed").status == 404
    assert "E403" in cas(base, "access", "set", "status=private", "@team/open", fails=True)
    ann(base, "access", "set", "status=public", "@team/closed")
    app = package(base / "reader", "reader", "0.0.1")
    cas(app, "install", "@team/closed", "--no-audit")  # the tarball comes through the gateway too
    lock = json.loads((app / "package-lock.json").read_text())["packages"]
    assert f":{server.ports['gateway']}/npm/" in lock["node_modules/@team/closed"]["resolved"]
    assert json.loads(ann(base, "access", "list", "collaborators", "@team/open", "--json")) == {"ann": "read-write"}
    listed = json.loads(ann(base, "access", "list", "packages", "ann", "--json"))
    assert {"@team/open", "@team/closed"} <= set(listed) and set(listed.values()) == {"read-write"}
    path = "/npm/-/package/@team%2fclosed/access"
    client, own = server.client("gateway"), bearer(key_of(ann))
    assert client.request("POST", path, {"publish_requires_tfa": True}, own).status == 501
    assert client.request("POST", path, {"access": "restricted"}, own).ok()
    assert read(world, cas, "@team/closed").status == 404


def test_unpublish(world):
    server, base, admin = world
    ann, bob = logged_in(world, "ann"), logged_in(world, "bob")
    folder = package(base / "gone", "@team/gone", "1.0.0")
    ann(folder, "publish", "--access", "public")
    ann(package(folder, "@team/gone", "2.0.0"), "publish")
    assert "E403" in bob(base, "unpublish", "@team/gone@2.0.0", fails=True)
    ann(base, "unpublish", "@team/gone@2.0.0")
    document = read(world, bob, "@team/gone").json
    assert set(document["versions"]) == {"1.0.0"} and document["dist-tags"] == {"latest": "1.0.0"}
    client = server.client("gateway")
    assert client.get("/npm/@team%2fgone/-/gone-2.0.0.tgz", bearer(admin)).status == 404
    # a number is used once, also when its version is gone
    assert "cannot be used again" in ann(folder, "publish", fails=True)
    ann(base, "unpublish", "@team/gone", "--force")
    assert read(world, bob, "@team/gone").status == 404
    # what was soft-deleted can come back
    found = client.get("/assets?kind=node&namespace=npm&name=@team%2fgone&deleted=only", bearer(admin)).ok().json
    versions = {asset["version"]: asset["id"] for asset in found["assets"]}
    assert set(versions) == {"1.0.0", "2.0.0"}
    client.request("POST", f"/assets/{versions['2.0.0']}/undelete", None, bearer(admin)).ok()
    assert set(read(world, bob, "@team/gone").json["versions"]) == {"2.0.0"}


def test_stale_revision_and_star(world):
    server, base, admin = world
    ann = logged_in(world, "ann")
    ann(package(base / "liked", "@team/liked", "1.0.0"), "publish", "--access", "public")
    client = server.client("gateway")

    def document():
        return client.get("/npm/@team%2fliked", bearer(admin)).ok().json

    def change(method, path, body=None):
        return client.request(method, "/npm/@team%2fliked" + path, body, bearer(admin))

    old = document()["_rev"]
    ann(base, "star", "@team/liked")
    assert document()["users"] == {"ann": True}
    assert change("PUT", "", {"users": {"ann": True, "admin": True, "bob": True}}).status == 201
    assert document()["users"] == {"ann": True, "admin": True}  # each the own one only
    ann(base, "unstar", "@team/liked")
    assert document()["users"] == {"admin": True}
    answer = change("PUT", f"/-rev/{old}", {"versions": {}})
    assert answer.status == 409 and "revision" in answer.json["error"]
    now = document()["_rev"]
    for body, status in (({}, 400), ({"maintainers": []}, 400), ({"maintainers": [{"name": "nobody"}]}, 404)):
        assert change("PUT", f"/-rev/{now}", body).status == status
    assert change("DELETE", "/-/liked-1.0.0.tgz/-rev/1").status == 403
    assert change("DELETE", "/-rev/x").status == 409
    assert list(document()["versions"]) == ["1.0.0"]


def test_open_registration(tmp_path):
    server = Server(tmp_path / "data", settings=["--auth-required=yes", "--bcrypt-rounds=4", "--registration=open"])
    server.start()
    try:
        npm = Npm(tmp_path / "home", server.ports["gateway"], None)
        npm.talk(tmp_path, "adduser", answers=[*spoken("dan"), ("Email", "dan@example.org")])
        npm(package(tmp_path / "first", "first", "1.0.0"), "publish")
        assert npm(tmp_path, "owner", "ls", "first").strip() == "dan <dan@example.org>"
    finally:
        server.stop()

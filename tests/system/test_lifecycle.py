"""Approvals and notices of nodes, by people with tokens and from the command line."""

import os
import subprocess

import pytest

from lib.quarry import Server, bin_folder
from lib.tokens import admin_password, bearer, login, make_user


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("lifecycle") / "data",
                    settings=["--auth-required=yes", "--bcrypt-rounds=4"]).start()
    people = {"admin": login(server, "admin", admin_password(server)).ok().json["access_token"]}
    for name in ("ann", "ben"):
        people[name] = make_user(server, people["admin"], name, "user")["access_token"]
    yield server, people
    server.stop()


def as_person(world, name):
    server, people = world
    client = server.client("gateway")
    return lambda method, path, body=None: client.request(method, path, body, bearer(people[name]))


def register(call, name, lifecycle):
    block = {"namespace": "onex.life", "name": name, "version": "1.0.0", "lifecycle": lifecycle}
    return call("POST", "/nodes", {"metadata": block})


def quarry(world, *words):
    server, people = world
    done = subprocess.run([bin_folder() / "quarry", *words, "--url", f"http://127.0.0.1:{server.ports['catalog']}"],
                          capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "QUARRY_TOKEN": people["admin"]})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_advised_then_strict(world):
    ann, ben, admin = (as_person(world, name) for name in ("ann", "ben", "admin"))
    node = register(ann, "advised", "draft").ok(201).json["node"]
    moved = ann("POST", f"/assets/{node['id']}/lifecycle", {"to": "active"}).ok().json
    assert moved["lifecycle"] == "active" and [issue["code"] for issue in moved["issues"]] == ["LC004"]
    quarry(world, "config", "set", "lifecycle_policy", "strict")
    assert "LC004" in register(ann, "direct", "active").refused(403)["message"]
    node = register(ann, "strict", "draft").ok(201).json["node"]
    path = f"/assets/{node['id']}"
    ann("PATCH", path, {"is_public": True}).ok()
    assert "LC004" in ann("POST", path + "/lifecycle", {"to": "active"}).refused(409)["message"]
    assert "LC004" in ann("POST", path + "/approvals", {"to": "active"}).refused(403)["message"]
    given = ben("POST", path + "/approvals", {"to": "active", "comment": "fine"}).ok(201).json
    assert given["revision"] == 2 and given["text"] == "fine" and given["security"] is False
    moved = ann("POST", "/nodes/onex.life/strict/1.0.0/lifecycle", {"to": "active"}).ok().json
    assert moved["lifecycle"] == "active" and moved["issues"] == []
    assert ann("GET", path + "/approvals").ok().json["approvals"] == []
    # thirty days of notice, whoever asks
    body = {"to": "deprecated", "deprecated_by": "other"}
    assert "LC008" in admin("POST", path + "/lifecycle", body).refused(409)["message"]
    assert "deprecated" in quarry(world, "asset", "announce", node["id"], "deprecated")
    (notice,) = ben("GET", path + "/approvals").ok().json["approvals"]
    assert notice["type"] == "notice" and notice["due_at"] > notice["created_at"]
    assert "LC008" in ann("POST", path + "/lifecycle", body).refused(409)["message"]
    ben("DELETE", f"{path}/approvals/{notice['id']}").refused(403)
    quarry(world, "asset", "withdraw", node["id"], notice["id"])
    ben("POST", path + "/notices", {"to": "deprecated"}).refused(403)
    quarry(world, "config", "set", "lifecycle_policy", "advise")


def test_production_gives_out_no_drafts(world):
    ann = as_person(world, "ann")
    quarry(world, "config", "set", "registry_environment", "production")
    issues = register(ann, "early", "draft").ok(201).json["issues"]
    assert "LC007" in [issue["code"] for issue in issues]
    assert "LC007" in ann("GET", "/nodes/onex.life/early/latest?drafts=true").refused(409)["message"]
    body = {"needs": ["onex.life/early@*"], "drafts": True}
    assert "LC007" in ann("POST", "/nodes/resolve", body).refused(409)["message"]
    assert ann("GET", "/nodes/onex.life/early/1.0.0").ok().json["lifecycle"] == "draft"
    quarry(world, "config", "set", "registry_environment", "development")
    assert ann("GET", "/nodes/onex.life/early/latest?drafts=true").ok().json["lifecycle"] == "draft"


def test_audit_switch(world):
    ann, ben, admin = (as_person(world, name) for name in ("ann", "ben", "admin"))

    def actions(asset):
        found = ann("GET", f"/assets/{asset}/history?kind=audit").ok().json["events"]
        return sorted((event["name"], event["success"]) for event in found)

    def collection(name):
        body = {"collection_name": name, "dimension": 8, "metric_type": "L2"}
        return ann("POST", "/collections", body).ok(201).json["id"]

    told = collection("told")
    quarry(world, "config", "set", "enable_audit_logging", "false")
    untold = collection("untold")
    ann("PATCH", f"/collections/{untold}", {"description": "x"}).ok()
    user = admin("GET", "/auth/permissions/ben").ok().json["user_id"]
    ann("POST", f"/assets/{untold}/permissions", {"user_id": user, "permission_type": "read"}).ok(201)
    ben("PATCH", f"/assets/{untold}", {"description": "y"}).refused(403)
    node = register(ann, "audited", "draft").ok(201).json["node"]
    quarry(world, "config", "set", "enable_audit_logging", "true")
    assert actions(told) == [("asset.create", True)]
    assert actions(untold) == [("asset.update", False), ("permission.grant", True)]
    assert actions(node["id"]) == [("asset.create", True)]

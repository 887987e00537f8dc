"""Nodes that come from another Quarry or a tree of files: what each policy does with a conflict, that
a pull may be repeated, goes on where it stopped, and reports what it did not take."""

import base64
import hashlib
import json
import subprocess

import pytest

from lib.quarry import Server, bin_folder


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    pair = [Server(tmp_path_factory.mktemp(name) / "data") for name in ("there", "here")]
    for server in pair:
        server.start()
    yield pair
    for server in pair:
        server.stop()


@pytest.fixture
def there(servers):
    return servers[0].client("catalog")


@pytest.fixture
def here(servers):
    return servers[1].client("catalog")


def url_of(server):
    return f"http://127.0.0.1:{server.ports['catalog']}"


def block(space, name="n", version="1.0.0", **more):
    return {"namespace": f"onex.{space}", "name": name, "version": version, "description": "first",
            **more}


def register(client, *args, **more):
    return client.post("/nodes", {"metadata": block(*args, **more)}).ok(201).json["node"]


def pull(client, server, space, **more):
    body = {"url": url_of(server), "namespace": f"onex.{space}", **more}
    return client.post("/nodes/pull", body).ok().json


def counts(answer):
    return {name: count for name, count in answer["counts"].items() if count}


def description(client, space, name="n"):
    return client.get(f"/nodes/onex.{space}/{name}/1.0.0").ok().json["description"]


def test_pull_goes_on_and_repeats(servers, there, here):
    for i in range(250):
        register(there, "many", f"n{i:03}")
    register(there, "others")
    first = pull(here, servers[0], "many", limit=120)
    assert counts(first) == {"added": 120} and not first["complete"]
    rest = pull(here, servers[0], "many", cursor=first["next_cursor"])
    assert counts(rest) == {"added": 130} and rest["complete"] and rest["next_cursor"] is None
    again = pull(here, servers[0], "many")
    assert counts(again) == {"same": 250} and again["conflicts"] == []
    assert pull(here, servers[0], "many", dry_run=True)["counts"]["same"] == 250
    assert here.get("/nodes?namespace=onex.others").ok().json["nodes"] == []
    node = here.get("/nodes/onex.many/n007/1.0.0").ok().json
    assert node["properties"] == {"origin": url_of(servers[0])}
    original = there.get("/nodes/onex.many/n007/1.0.0").ok().json
    assert node["attributes"] == original["attributes"]


@pytest.mark.parametrize("policy, outcome, text", [
    ("skip", "kept", "here"), ("local_prefer", "kept", "here"), ("overwrite", "replaced", "there"),
    ("remote_prefer", "replaced", "there"), ("quarantine", "quarantined", "here")])
def test_policies(servers, there, here, policy, outcome, text):
    space = "policy_" + policy
    node = register(there, space)
    pull(here, servers[0], space)
    uuid = node["attributes"]["uuid"]
    for client, word in ((there, "there"), (here, "here")):
        client.request("PUT", f"/nodes/onex.{space}/n/1.0.0",
                       {"metadata": block(space, uuid=uuid) | {"description": word}}).ok()
    assert counts(pull(here, servers[0], space, policy=policy, dry_run=True)) == {outcome: 1}
    assert description(here, space) == "here"
    answer = pull(here, servers[0], space, policy=policy)
    assert counts(answer) == {outcome: 1}
    assert [(c["name"], c["outcome"]) for c in answer["conflicts"]] == [("n", outcome)]
    assert description(here, space) == text
    if policy == "quarantine":
        apart = here.get("/assets?kind=quarantined_node").ok().json["assets"]
        assert [a["attributes"]["description"] for a in apart] == ["there"]
        assert counts(pull(here, servers[0], space, policy=policy)) == {"quarantined": 1}


def test_newer_and_states(servers, there, here):
    node = register(there, "newer", last_modified_at="2025-01-01T00:00:00Z")
    pull(here, servers[0], "newer")
    changed = block("newer", uuid=node["attributes"]["uuid"],
                    last_modified_at="2025-06-01T00:00:00Z") | {"description": "later"}
    here.request("PUT", "/nodes/onex.newer/n/1.0.0", {"metadata": changed}).ok()
    assert counts(pull(here, servers[0], "newer", policy="newer")) == {"kept": 1}
    changed["last_modified_at"] = "2025-07-01T00:00:00+02:00"
    changed["description"] = "latest"
    there.request("PUT", "/nodes/onex.newer/n/1.0.0", {"metadata": changed}).ok()
    assert counts(pull(here, servers[0], "newer", policy="newer")) == {"replaced": 1}
    assert description(here, "newer") == "latest"
    there.post("/nodes/onex.newer/n/1.0.0/lifecycle",
               {"to": "deprecated", "deprecated_by": node["attributes"]["uuid"]}).ok()
    assert counts(pull(here, servers[0], "newer", policy="newer")) == {"replaced": 1}
    assert here.get("/nodes/onex.newer/n/1.0.0").ok().json["lifecycle"] == "deprecated"
    assert counts(pull(here, servers[0], "newer", policy="newer")) == {"same": 1}


def test_fail_takes_nothing(here):
    here.post("/nodes/import", {"nodes": [{"metadata": block("fails", "b")}]}).ok()
    nodes = [{"metadata": block("fails", name) | {"description": "other"}} for name in "abc"]
    error = here.post("/nodes/import", {"nodes": nodes, "policy": "fail"}).refused(409, "conflict")
    assert "onex.fails/b 1.0.0" in error["message"]
    found = here.get("/nodes?namespace=onex.fails").ok().json["nodes"]
    assert [n["name"] for n in found] == ["b"]
    answer = here.post("/nodes/import", {"nodes": nodes, "policy": "overwrite"}).ok().json
    assert counts(answer) == {"added": 2, "replaced": 1}


def test_refusals_do_not_stop_the_rest(servers, here):
    uuid = "5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5"
    register(here, "owner_of_uuid", uuid=uuid)
    nodes = [{"metadata": {"name": "x"}, "origin": "x.yaml"}, {"yaml": "a: [", "origin": "y.yaml"},
             {}, {"metadata": block("refused", "thief", uuid=uuid)},
             {"metadata": block("x") | {"namespace": "npm"}}, {"metadata": block("refused", "good")}]
    answer = here.post("/nodes/import", {"nodes": nodes}).ok().json
    assert counts(answer) == {"refused": 5, "added": 1}
    reasons = " ".join(c["reason"] for c in answer["conflicts"])
    assert "MD006" in reasons and "MD009" in reasons and "npm" in reasons and "once" in reasons
    assert answer["conflicts"][0]["origin"] == "x.yaml"
    here.post("/nodes/pull", {"url": "http://127.0.0.1:1"}).refused(503)
    here.post("/nodes/pull", {"url": "file:///etc/passwd"}).refused(400)
    tenant = f"http://127.0.0.1:{servers[0].ports['tenant']}"
    here.post("/nodes/pull", {"url": tenant}).refused(400)
    here.post("/nodes/import", {"nodes": [], "policy": "else"}).refused((400, 422))


def cli(server, *args, code=0):
    done = subprocess.run([bin_folder() / "quarry", "--url", url_of(server), "node", *map(str, args)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_cli_pull(servers, there):
    register(there, "by_cli")
    out, _ = cli(servers[1], "pull", url_of(servers[0]), "--namespace", "onex.by_cli")
    assert out.startswith("1 added, 0 same,")
    _, complaint = cli(servers[1], "pull", "http://127.0.0.1:1", code=1)
    assert "unavailable" in complaint


def write_node(folder, space, name, **more):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "node.onex.yaml").write_text("".join(
        f"{key}: {value}\n" for key, value in block(space, name, **more).items()))


def test_cli_tree_and_manifest(servers, here, tmp_path):
    tree = tmp_path / "tree"
    for name in ("a", "b", "c"):
        write_node(tree / "nodes" / name, "tree", name)
    (tree / "nodes" / "c" / ".wip").touch()
    out, _ = cli(servers[1], "import", tree)
    assert out.startswith("2 added, 0 same,")  # unfinished work stays out
    assert cli(servers[1], "import", tree)[0].startswith("0 added, 2 same,")
    (tree / ".onextree").write_text(
        "nodes:\n- {name: a, version: 1.0.0, path: nodes/a, type: tool}\n"
        "- {name: b, version: 2.0.0, path: nodes/b/node.onex.yaml, type: tool}\n"
        "- {name: z, version: 1.0.0, path: nodes/z, type: tool}\n")
    write_node(tree / "nodes" / "d", "tree", "d")
    out, complaints = cli(servers[1], "import", tree, code=1)
    assert out.startswith("0 added, 2 same,")
    assert complaints.count("RG005") == 3  # b's version, z is missing, d is not listed
    write_node(tree / "nodes" / "a", "tree", "a", copyright="changed")
    out, _ = cli(servers[1], "import", tree, "--policy", "overwrite", code=1)
    assert "replaced: onex.tree/a 1.0.0" in out
    assert here.get("/nodes/onex.tree/a/1.0.0").ok().json["attributes"]["copyright"] == "changed"
    assert json.loads(json.dumps(here.get("/assets?kind=node&limit=1").ok().json))["assets"]


# --- what belongs to nodes ---

def related(client, space, name="n"):
    """(kind, name of the other end) of the node's relations, as seen from it."""
    node = client.get(f"/nodes/onex.{space}/{name}/1.0.0").ok().json["id"]
    found = client.get(f"/assets/{node}/relations").ok().json["relations"]
    ends = [(r["relationship_type"], r["source_id"] == node, r["target_id" if r["source_id"] == node else "source_id"])
            for r in found]
    return sorted((kind, out, client.get(f"/assets/{other}").ok().json["name"]) for kind, out, other in ends)


def test_pull_takes_relations(servers, there, here):
    a, b, far = (register(there, space, name)["id"] for space, name in (("rel", "a"), ("rel", "b"), ("unrel", "far")))
    for source, target, kind in ((a, b, "derived_from"), (a, far, "depends_on"), (far, b, "merged_with")):
        there.post(f"/assets/{source}/relations",
                   {"target_id": target, "relationship_type": kind, "properties": {"why": "test"}}).ok(201)
    answer = pull(here, servers[0], "rel", limit=1)
    assert counts(answer) == {"added": 1} and answer["relations_added"] == 0
    answer = pull(here, servers[0], "rel", cursor=answer["next_cursor"])
    assert counts(answer) == {"added": 1} and answer["relations_added"] == 1  # the other node has come before
    assert related(here, "rel", "a") == [("derived_from", True, "b")]
    assert pull(here, servers[0], "unrel", relations=False)["relations_added"] == 0
    assert pull(here, servers[0], "unrel")["relations_added"] == 2
    assert related(here, "rel", "b") == [("derived_from", False, "a"), ("merged_with", False, "far")]
    assert related(here, "unrel", "far") == [("depends_on", False, "a"), ("merged_with", True, "b")]
    assert pull(here, servers[0], "rel")["relations_added"] == 0


def test_deletions(servers, there, here):
    for name in ("gone", "back", "mine", "stays"):
        register(there, "del", name)
    register(here, "del", "own")
    pull(here, servers[0], "del")
    for name in ("gone", "back", "own"):
        if name != "own":
            there.delete(f"/nodes/onex.del/{name}/1.0.0").ok()
    here.delete("/nodes/onex.del/mine/1.0.0").ok()
    # a deletion over there does nothing unless it is asked for; one here is respected
    assert counts(pull(here, servers[0], "del")) == {"same": 1, "kept": 1}
    assert counts(pull(here, servers[0], "del", deletions="follow", dry_run=True)) \
        == {"same": 1, "kept": 1, "deleted": 2}
    answer = pull(here, servers[0], "del", deletions="follow")
    assert counts(answer) == {"same": 1, "kept": 1, "deleted": 2}
    assert {c["name"] for c in answer["conflicts"] if c["outcome"] == "deleted"} == {"gone", "back"}
    names = {n["name"] for n in here.get("/nodes?namespace=onex.del").ok().json["nodes"]}
    assert names == {"own", "stays"}
    # what comes again over there comes again here; what was deleted here only with overwrite
    register(there, "del", "back")
    assert counts(pull(here, servers[0], "del", deletions="follow")) == {"same": 1, "kept": 1, "added": 1}
    assert counts(pull(here, servers[0], "del", policy="overwrite")) == {"same": 2, "added": 1}


def test_packages_come_with_their_tarballs(servers, there, here):
    def publish(client, name, version, data):
        sha = hashlib.sha512(data)
        manifest = {"name": name, "version": version, "description": "d", "keywords": ["k"],
                    "dist": {"integrity": "sha512-" + base64.b64encode(sha.digest()).decode()}}
        body = {"name": name, "versions": {version: manifest}, "dist-tags": {"latest": version},
                "_attachments": {f"{name}-{version}.tgz": {"data": base64.b64encode(data).decode()}}}
        return client.request("PUT", "/npm/" + name.replace("/", "%2f"), body)

    assert publish(there, "@fed/one", "1.0.0", b"first").status == 201
    assert publish(there, "@fed/one", "1.1.0", b"second").status == 201
    assert publish(here, "@fed/one", "1.1.0", b"another").status == 201

    def take(**more):
        return here.post("/nodes/pull", {"url": url_of(servers[0]), "namespace": "npm", **more}).ok().json

    assert counts(take(dry_run=True)) == {"added": 1, "kept": 1}
    answer = take()
    assert counts(answer) == {"added": 1, "kept": 1}
    assert counts(take(policy="overwrite")) == {"same": 1, "kept": 1}
    assert here.get("/npm/@fed%2fone/-/one-1.0.0.tgz").ok().data == b"first"
    assert here.get("/npm/@fed%2fone/-/one-1.1.0.tgz").ok().data == b"another"
    one = here.get("/npm/@fed%2fone").ok().json
    assert set(one["versions"]) == {"1.0.0", "1.1.0"} and one["versions"]["1.0.0"]["description"] == "d"
    # bytes over there that are not what the manifest means
    assert publish(there, "broken", "1.0.0", b"right").status == 201
    digest = hashlib.sha512(b"right").hexdigest()
    (file,) = servers[0].data.rglob(digest + ".tgz")
    file.write_bytes(b"wrong")
    answer = take(name="broken")
    assert counts(answer) == {"refused": 1} and "manifest" in answer["conflicts"][0]["reason"]
    assert here.get("/npm/broken").status == 404

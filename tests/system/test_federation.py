"""Nodes that come from another Quarry or a tree of files: what each policy does with a conflict, that
a pull may be repeated, goes on where it stopped, and reports what it did not take."""

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

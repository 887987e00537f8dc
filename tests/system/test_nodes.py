"""The node registry and the ranked search over HTTP: what is registered is found, resolved, moved
through its lifecycle, and survives a kill."""

import json
import subprocess

import pytest

from lib.quarry import SHARED, Server, bin_folder

UUID = "5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("nodes") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server):
    return server.client("catalog")


def register(client, name, version, **more):
    block = {"namespace": "onex." + name, "name": name, "version": version,
             "description": f"{name} for tests", **more}
    return client.post("/nodes", {"metadata": block}).ok(201).json["node"]


def versions(answer):
    return [(node["name"], node["version"]) for node in answer.ok().json["nodes"]]


def test_file_with_a_block(client):
    """The seed document itself carries a block."""
    seed = next((SHARED / "seeds").glob("002_*.txt")).read_text()
    report = client.post("/nodes/validate", {"file": seed}).ok().json
    assert report["valid"] is True and report["issues"] == []
    node = client.post("/nodes", {"file": seed, "strict": True}).ok(201).json["node"]
    assert (node["namespace"], node["name"], node["version"]) == (
        "onex.stamped.registry_backend_choices", "registry_backend_choices.md", "1.0.0")
    # written back as it stands in the file
    path = "/nodes/onex.stamped.registry_backend_choices/registry_backend_choices.md/latest/block"
    block = client.get(path + "?form=markdown").ok().text
    assert seed.startswith(block.rstrip("\n"))
    client.post("/nodes", {"file": seed}).refused(409, "conflict")
    assert "MD001" in client.post("/nodes", {"file": "no block"}).refused(404)["message"]
    bad = client.post("/nodes/validate", {"yaml": "name: x\nuuid: y\n"}).ok().json
    assert bad["valid"] is False
    assert {"severity": "error", "code": "MD004", "location": "uuid",
            "message": "must be a uuid"} in bad["issues"]


def test_versions_and_ranges(client):
    for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"):
        register(client, "ranged", version)
    answer = client.get("/nodes/onex.ranged/ranged").ok().json
    assert [v["version"] for v in answer["versions"]] == ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"]
    assert answer["latest"] == "1.10.0"
    for spec, wanted in (("latest", "1.10.0"), ("~1.2", "1.2.0"), ("%5E1.0", "1.10.0"),
                         ("2.0.0-rc.1", "2.0.0-rc.1")):
        assert client.get(f"/nodes/onex.ranged/ranged/{spec}").ok().json["version"] == wanted
    assert "RG001" in client.get("/nodes/onex.ranged/ranged/3").refused(404)["message"]
    client.get("/nodes/onex.ranged/ranged/1..2").refused(400)
    compared = client.get("/nodes/compare?a=1.2.0&b=1.10.0").ok().json
    assert compared == {"order": -1, "compatible": True, "major_mismatch": False,
                        "satisfies": False}
    assert versions(client.get("/nodes?name=ranged&version_spec=%3E%3D1.2&latest_only=true")) \
        == [("ranged", "1.10.0")]


def test_lifecycle_and_replacement(client):
    register(client, "cycle", "1.0.0", lifecycle="draft", uuid=UUID[:-1] + "6")
    path = "/nodes/onex.cycle/cycle/1.0.0"
    client.get("/nodes/onex.cycle/cycle/latest").refused(404)
    assert versions(client.get("/nodes?name=cycle")) == []
    assert versions(client.get("/nodes?name=cycle&lifecycle_states=draft")) == [("cycle", "1.0.0")]
    block = {"namespace": "onex.cycle", "name": "cycle", "version": "1.0.0", "lifecycle": "draft",
             "uuid": UUID[:-1] + "6", "description": "better", "tags": ["a"]}
    assert client.request("PUT", path, {"metadata": block}).ok().json["node"]["tags"] == ["a"]
    client.request("PUT", path, {"metadata": {**block, "version": "1.0.1"}}).refused(409)
    client.post(path + "/lifecycle", {"to": "active"}).ok()
    assert "LC005" in client.post(path + "/lifecycle", {"to": "deprecated"}).refused(400)["message"]
    assert "LC003" in client.post(path + "/lifecycle", {"to": "draft"}).refused(409)["message"]
    client.post(path + "/lifecycle", {"to": "deprecated", "deprecated_by": "other"}).ok()
    assert client.get("/nodes/onex.cycle/cycle/latest").ok().json["lifecycle"] == "deprecated"
    client.delete(path).ok()
    client.get(path).refused(404)


def test_resolution(client):
    register(client, "base", "1.0.0")
    register(client, "base", "1.1.0")
    register(client, "base", "2.0.0")
    register(client, "left", "1.0.0", dependencies=["base@^1.0"])
    register(client, "right", "1.0.0", dependencies=["tool://onex.base@~1.0"])
    register(client, "wrong", "1.0.0", dependencies=["base@^2", "left"])
    answer = client.post("/nodes/resolve", {"needs": ["left", "onex.right/right@1"]}).ok().json
    assert answer["execution_order"] == ["onex.base/base", "onex.left/left", "onex.right/right"]
    assert {n["name"]: n["version"] for n in answer["resolved_nodes"]}["onex.base/base"] == "1.0.0"
    # the lock file keeps what was chosen
    only_left = client.post("/nodes/resolve", {"needs": ["left"]}).ok().json
    assert only_left["lock"]["nodes"]["onex.base/base"]["version"] == "1.1.0"
    locked = client.post("/nodes/resolve", {"needs": ["left"], "lock": answer["lock"]}).ok().json
    assert locked["lock"]["nodes"]["onex.base/base"]["version"] == "1.0.0"
    overridden = client.post("/nodes/resolve", {
        "needs": ["left"], "overrides": {"onex.base/base": "2"}}).ok().json
    assert overridden["lock"]["nodes"]["onex.base/base"]["version"] == "2.0.0"
    refused = client.post("/nodes/resolve", {"needs": ["wrong"]})
    assert "RG008" in refused.refused(409, "conflict")["message"]
    assert refused.json["explanation"].endswith("the request cannot be satisfied.")
    assert "onex.base/base" in refused.json["explanation"]
    answer = client.post("/nodes/resolve", {"needs": ["left"], "optional_needs": ["wrong"]}).ok()
    assert answer.json["missing_optional"] == ["onex.wrong/wrong"]
    register(client, "ring1", "1.0.0", dependencies=["ring2"])
    register(client, "ring2", "1.0.0", dependencies=["ring1"])
    assert "RG006" in client.post("/nodes/resolve", {"needs": ["ring1"]}).refused(409)["message"]


def test_search(server, client):
    register(client, "needle", "1.0.0", tags=["sewing"], capabilities=["thread"],
             description="Finds a needle in every <haystack>.")
    register(client, "needle", "1.1.0", tags=["sewing"])
    answer = client.get("/search?q=needel+haystack&facets=true&by_name=true").ok().json
    assert answer["corrected"] == "needle haystack"
    assert [hit["asset"]["name"] for hit in answer["hits"]] == ["needle"]
    assert answer["hits"][0]["snippet_html"] \
        == "Finds a <b>needle</b> in every &lt;<b>haystack</b>&gt;."
    assert {"value": "sewing", "count": 1} in answer["facets"]["tag"] \
        or {"value": "sewing", "count": 2} in answer["facets"]["tag"]
    assert client.get("/search?q=needle&kind=graph").ok().json["hits"] == []
    client.delete("/nodes/onex.needle/needle/1.0.0").ok()
    left = client.get("/search?q=needle").ok().json["hits"]
    assert [hit["asset"]["version"] for hit in left] == ["1.1.0"]
    # the index is derived: it follows also what a crash cut off
    register(client, "latecomer", "1.0.0")
    server.kill()
    server.start()
    client = server.client("catalog")
    assert [hit["asset"]["name"] for hit in client.get("/search?q=latecomer").ok().json["hits"]] \
        == ["latecomer"]
    details = client.get("/health").ok().json["details"]["search"]
    assert details["problem"] is None and details["documents"] > 0


def test_bad_input(client):
    client.post("/nodes", {}).refused(400)
    client.post("/nodes", {"metadata": {}, "yaml": "a: b"}).refused(400)
    client.post("/nodes", {"yaml": "a: *x"}).refused(400)
    client.post("/nodes/resolve", {"needs": ["a@what"]}).refused(400)
    client.post("/nodes/resolve", {"needs": [], "lock": {}}).refused(400)
    client.get("/search?limit=5000").refused(400)
    client.get("/nodes?version_spec=what").refused(400)


def test_command_line(server, tmp_path):
    url = f"http://127.0.0.1:{server.ports['catalog']}"

    def quarry(*arguments, code=0):
        done = subprocess.run([bin_folder() / "quarry", *map(str, arguments), "--url", url],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout

    nodes = tmp_path / "tree" / "deep"
    nodes.mkdir(parents=True)
    for name, needs in (("cli_base", []), ("cli_top", ["cli_base@^1"])):
        (nodes / f"{name}.onex.yaml").write_text(
            f"namespace: onex.{name}\nname: {name}\nversion: 1.0.0\ndescription: from a tree\n"
            f"dependencies: {json.dumps(needs)}\n")
    (nodes / "other.yaml").write_text("not: a node\n")
    assert quarry("node", "import", tmp_path / "tree").startswith("2 added, 0 same")
    assert quarry("node", "import", tmp_path / "tree").startswith("0 added, 2 same")
    lock = tmp_path / "lock.json"
    assert quarry("node", "resolve", "cli_top", "--lock", lock) \
        == "onex.cli_base/cli_base 1.0.0\nonex.cli_top/cli_top 1.0.0\n"
    assert json.loads(lock.read_text())["lock_version"] == 1
    quarry("node", "resolve", "cli_top", "--lock", lock)
    quarry("node", "resolve", "cli_nobody", code=1)
    assert "cli_top" in quarry("node", "search", "cli_top")
    assert "1.0.0" in quarry("node", "versions", "onex.cli_top", "cli_top")
    assert json.loads(quarry("node", "show", "onex.cli_top", "cli_top", "latest"))["name"] == "cli_top"

    file = tmp_path / "tool.py"
    file.write_text("# === OmniNode:Metadata ===\n# name: tool\n# version: 1.0.0\n"
                    "# namespace: onex.cli_tool\n# === /OmniNode:Metadata ===\n\nprint(1)\n")
    assert quarry("node", "stamp", file).endswith(": stamped\n")
    stamped = file.read_text()
    assert quarry("node", "stamp", file).endswith(": right already\n")
    assert file.read_text() == stamped
    assert "LC002: author is missing" in quarry("node", "validate", file, code=1)
    quarry("node", "register", file)
    quarry("node", "register", file, code=1)
    quarry("node", "register", tmp_path / "gone", code=4)

"""The catalog service with the real program: assets, the graph registry, storage locations,
permissions, relations, audit, configuration, the node's sources as assets, restart and kill."""

import json
import os
import subprocess
import threading

import pytest
from lib.quarry import SERVICES, bin_folder

GRAPH_FIELDS = {"id", "name", "display_name", "description", "graph_type", "owner_id", "status",
                "version", "is_public", "storage_path", "metadata_path", "backup_paths", "node_count",
                "edge_count", "hyperedge_count", "file_size_bytes", "last_computed_stats", "tags",
                "categories", "properties", "schema_info", "created_at", "updated_at",
                "last_accessed", "access_count"}


@pytest.fixture
def catalog(server):
    client = server.client("catalog")
    yield client
    client.close()


def create(catalog, name, kind="graph", **more):
    return catalog.post("/assets", {"kind": kind, "name": name, **more}).ok(201).json


def test_asset_life(catalog, name):
    asset = create(catalog, name, description="first", tags=["x", "größe"], properties={"n": [1, {"a": None}]})
    assert asset["revision"] == 1 and asset["owner"] and asset["lifecycle"] == "active"
    assert "key" not in asset and "secret" not in asset
    path = f"/assets/{asset['id']}"
    got = catalog.get(path).ok()
    assert got.headers["ETag"] == '"1"'
    assert got.json["properties"] == {"n": [1, {"a": None}]} and got.json["tags"] == ["x", "größe"]
    changed = catalog.request("PATCH", path, {"description": None, "tags": []}).ok().json
    assert changed["revision"] == 2 and changed["description"] is None and changed["tags"] == []
    catalog.request("PATCH", path, {"description": "y", "revision": 1}).refused(409, "conflict")
    catalog.request("PATCH", path, {"description": "y"}, {"If-Match": '"1"'}).refused(409, "conflict")
    catalog.request("PATCH", path, {"description": "y"}, {"If-Match": '"2"'}).ok()
    catalog.request("PATCH", path, {"owner": "me"}).refused(400)
    catalog.post("/assets", {"kind": "graph", "name": name}).refused(409, "conflict")
    catalog.delete(path).ok()
    catalog.get(path).refused(404, "not_found")
    assert catalog.get(path + "?deleted=true").ok().json["deleted_at"]
    again = create(catalog, name)
    catalog.post(path + "/undelete").refused(409, "conflict")
    catalog.delete(f"/assets/{again['id']}?purge=true").ok()
    catalog.get(f"/assets/{again['id']}?deleted=true").refused(404)
    assert catalog.post(path + "/undelete").ok().json["deleted_at"] is None
    actions = [e["name"] for e in catalog.get(path + "/history").ok().json["events"]]
    assert actions == ["asset.undelete", "asset.delete", "asset.update", "asset.update", "asset.create"]


def test_bad_assets(catalog, name):
    catalog.post("/assets", {"kind": "Graph!", "name": name}).refused(400)
    catalog.post("/assets", {"kind": "graph", "name": ""}).refused(400)
    catalog.post("/assets", {"kind": "graph", "name": "x" * 256}).refused(400)
    catalog.post("/assets", {"kind": "graph", "name": name, "tags": ["a", "a"]}).refused(400)
    catalog.post("/assets", {"kind": "graph", "name": name, "colour": 1}).refused(400)
    catalog.get("/assets/nothing").refused(404, "not_found")
    catalog.get("/assets?order=nothing").refused(400)
    catalog.get("/assets?cursor=zzz").refused(400)
    catalog.get("/assets/'%20OR%20'1'='1").refused(404)


def test_large_properties(catalog, name):
    text = "ü" * (1 << 19)
    asset = create(catalog, name, properties={"text": text})
    assert catalog.get(f"/assets/{asset['id']}").ok().json["properties"]["text"] == text


def test_list_filters_pages_facets(catalog, name):
    for i in range(25):
        create(catalog, f"{name}-{i:02}", kind="report", namespace=name, tags=["even" if i % 2 == 0 else "odd"],
               properties={"n": i % 5, "s": f"v{i % 3}"}, row_count=i)
    base = f"/assets?kind=report&namespace={name}"

    def names(query):
        return [a["name"] for a in catalog.get(base + query).ok().json["assets"]]

    assert len(names("&limit=1000")) == 25
    assert names("&tags=even&order=name&descending=false&limit=2") == [f"{name}-00", f"{name}-02"]
    assert len(names("&property=n:3")) == 5 and len(names("&property=s:v1")) == 8
    assert len(names("&property=s:%22v1%22")) == 8 and names("&property=n:%223%22") == []
    assert len(names("&name_pattern=*-1?")) == 10
    assert len(names("&q=odd")) == 12 and names("&q=odd+nothing") == []
    assert names("&order=row_count&limit=1") == [f"{name}-24"]
    seen, cursor = [], ""
    while cursor is not None:
        page = catalog.get(f"{base}&order=name&descending=false&limit=7&count=true{cursor}").ok().json
        assert page["total"] == 25
        seen += [a["name"] for a in page["assets"]]
        cursor = page["next_cursor"] and "&cursor=" + page["next_cursor"]
    assert seen == [f"{name}-{i:02}" for i in range(25)]
    facets = catalog.get(base + "&facets=tags,kind").ok().json["facets"]
    assert facets == {"tags": [{"value": "even", "count": 13}, {"value": "odd", "count": 12}],
                      "kind": [{"value": "report", "count": 25}]}


def test_lifecycle(catalog, name):
    asset = create(catalog, name, kind="node", version="1.0.0", lifecycle="draft")
    path = f"/assets/{asset['id']}/lifecycle"
    assert catalog.post(path, {"to": "active"}).ok().json["lifecycle"] == "active"
    assert "LC003" in catalog.post(path, {"to": "archived", "reason": "x"}).refused(409)["message"]
    assert "LC005" in catalog.post(path, {"to": "deprecated"}).refused(400)["message"]
    done = catalog.post(path, {"to": "deprecated", "deprecated_by": "other"}).ok().json
    assert done["attributes"]["deprecated_by"] == "other"
    assert "LC006" in catalog.post(path, {"to": "archived"}).refused(400)["message"]
    catalog.post(path, {"to": "archived", "reason": "old"}).ok()
    catalog.post(path, {"to": "gone"}).refused(400)
    changes = [(e["attributes"]["details"].get("from"), e["attributes"]["details"].get("to"))
               for e in catalog.get(f"/assets/{asset['id']}/history").ok().json["events"]]
    assert changes[0] == ("deprecated", "archived")


def test_graph_registry(catalog, name):
    """The five calls of the seed, and what belongs to them."""
    created = catalog.post("/graphs", {"name": name, "graph_type": "hypergraph"}).ok().json
    assert set(created) == {"graph_id", "name", "storage_path", "status"}
    assert created["status"] == "created" and created["name"] == name
    assert created["storage_path"] == f"./parquet_data/hypergraphs/{name}.parquet"
    path = f"/graphs/{created['graph_id']}"
    graph = catalog.get(path).ok().json
    assert GRAPH_FIELDS <= set(graph), GRAPH_FIELDS - set(graph)
    assert graph["status"] == "active" and graph["version"] == "1.0.0"
    assert created["graph_id"] in [g["id"] for g in catalog.get("/graphs").ok().json]
    assert catalog.get(path + "/stats").ok().json == {
        "node_count": 0, "edge_count": 0, "hyperedge_count": 0, "file_size_bytes": 0, "last_computed_stats": None}
    catalog.post(path + "/query", {"operation": "analyze", "parameters": {}}).refused(501)
    counts = {"node_count": 1000, "edge_count": 5000, "size_bytes": 77}
    before = catalog.get("/registry/stats").ok().json
    catalog.request("PUT", f"/assets/{created['graph_id']}/statistics", counts).ok()
    after = catalog.get("/registry/stats").ok().json
    assert set(after) == {"total_graphs", "public_graphs", "total_users", "graph_types", "total_nodes",
                          "total_edges", "total_storage_bytes"}
    assert after["total_nodes"] - before["total_nodes"] == 1000
    assert after["total_edges"] - before["total_edges"] == 5000
    assert after["total_storage_bytes"] - before["total_storage_bytes"] == 77
    updated = catalog.request("PUT", path, {"is_public": True, "description": "d", "tags": ["t"]}).ok().json
    assert updated["is_public"] is True and updated["tags"] == ["t"] and updated["node_count"] == 1000
    assert catalog.get("/registry/stats").ok().json["public_graphs"] == after["public_graphs"] + 1
    before = catalog.get(f"/assets/{graph['id']}").ok().json["revision"]
    updated = catalog.request("PATCH", path, {"status": "deprecated", "reason": "r", "description": "both"}).ok().json
    assert updated["status"] == "deprecated" and updated["description"] == "both"
    assert catalog.get(f"/assets/{graph['id']}").ok().json["revision"] == before + 1  # one commit
    assert created["graph_id"] not in [g["id"] for g in catalog.get("/graphs").ok().json]
    assert created["graph_id"] in [g["id"] for g in catalog.get("/graphs?status=all").ok().json]
    assert catalog.get(path + "/history").ok().json == {"history": [], "next_cursor": None}
    catalog.delete(path).ok()
    catalog.get(path).refused(404)
    catalog.post("/graphs", {"name": name, "graph_type": "tree"}).refused(400)


def test_graph_path_stays_in_its_folder(catalog, name):
    for number, bad in enumerate(["../../etc/passwd", "/abs", "a/../b", ".hidden", "ü\\..\\x"]):
        made = catalog.post("/graphs", {"name": f"{bad}{name}{number}", "graph_type": "metagraph"}).ok().json
        folder, _, file = made["storage_path"].rpartition("/")
        assert folder == "./parquet_data/metagraphs" and not file.startswith(".")


def test_graph_pages(catalog, name):
    for i in range(5):
        catalog.post("/graphs", {"name": f"{name}{i}", "graph_type": "knowledge_graph"}).ok()
    seen, cursor = [], ""
    while cursor is not None:
        answer = catalog.get(f"/graphs?graph_type=knowledge_graph&limit=2{cursor}").ok()
        seen += [g["name"] for g in answer.json]
        cursor = answer.headers["X-Next-Cursor"] and "&cursor=" + answer.headers["X-Next-Cursor"]
    assert [n for n in seen if n.startswith(name)] == [f"{name}{i}" for i in (4, 3, 2, 1, 0)]


def test_storage_locations(catalog, name):
    body = {"name": name, "storage_type": "s3", "base_path": "s3://anant-graphs/", "capacity_bytes": 1000,
            "configuration": {"region": "us-west-2", "compression": "lz4", "partitioning": "date"}}
    location = catalog.post("/storage-locations", body).ok(201).json
    assert location["used_bytes"] == 0 and location["configuration"]["region"] == "us-west-2"
    catalog.post("/storage-locations", body).refused(409)
    graph = catalog.post("/graphs", {"name": name, "storage_location": name}).ok().json
    assert graph["storage_path"] == f"s3://anant-graphs/hypergraphs/{name}.parquet"
    statistics = f"/assets/{graph['graph_id']}/statistics"
    catalog.request("PUT", statistics, {"size_bytes": 900}).ok()
    assert catalog.get(f"/storage-locations/{name}").ok().json["used_bytes"] == 900
    catalog.request("PUT", statistics, {"size_bytes": 1001}).refused(507, "storage_full")
    catalog.delete(f"/storage-locations/{name}").refused(409)
    catalog.request("PUT", statistics, {"size_bytes": 1000}).ok()
    catalog.post("/graphs", {"name": name + "2", "storage_location": name}).refused(507)
    catalog.request("PATCH", f"/storage-locations/{name}", {"capacity_bytes": 5000}).ok()
    catalog.post("/graphs", {"name": name + "2", "storage_location": name}).ok()
    catalog.delete(f"/graphs/{graph['graph_id']}").ok()
    assert catalog.get(f"/storage-locations/{name}").ok().json["used_bytes"] == 0
    catalog.post("/graphs", {"name": name + "3", "storage_location": "nowhere"}).refused(404)
    assert "local_parquet" in [x["name"] for x in
                               catalog.get("/storage-locations").ok().json["storage_locations"]]


def test_relations_and_impact(catalog, name):
    a, b, c = (create(catalog, f"{name}{i}")["id"] for i in range(3))
    for source, target, kind in ((b, a, "derived_from"), (c, b, "subset_of")):
        catalog.post(f"/assets/{source}/relations", {"target_id": target, "relationship_type": kind}).ok(201)
    catalog.post(f"/assets/{b}/relations", {"target_id": a, "relationship_type": "derived_from"}).refused(409)
    catalog.post(f"/assets/{b}/relations", {"target_id": "x", "relationship_type": "derived_from"}).refused(404)
    impact = catalog.get(f"/assets/{a}/lineage?direction=downstream").ok().json
    assert [(s["asset"]["id"], s["depth"], s["relationship_type"]) for s in impact["lineage"]] == [
        (b, 1, "derived_from"), (c, 2, "subset_of")]
    assert impact["cut"] is False
    assert catalog.get(f"/assets/{c}/lineage?depth=1").ok().json["cut"] is True
    relations = catalog.get(f"/graphs/{b}/relationships").ok().json["relations"]
    assert len(relations) == 2
    out = [r for r in relations if r["source_id"] == b][0]
    catalog.delete(f"/graphs/{b}/relationships/{out['id']}").ok()
    assert catalog.get(f"/assets/{a}/lineage?direction=downstream").ok().json["lineage"] == []


def test_permissions(catalog, name):
    asset = create(catalog, name)["id"]
    base = f"/graphs/{asset}/permissions"

    def may(user, what):
        return catalog.get(f"{base}/check?user_id={user}&permission_type={what}").ok().json["allowed"]

    grant = catalog.post(base, {"user_id": "ann", "permission_type": "read"}).ok(201).json
    assert (may("ann", "read"), may("ann", "write")) == (True, False)
    catalog.post(base, {"user_id": "ann", "permission_type": "admin"}).ok(201)
    assert may("ann", "write") and may("ann", "execute")
    catalog.post(base, {"user_id": "bob", "permission_type": "read", "expires_at": "2020-01-01T00:00:00Z"}).ok(201)
    assert not may("bob", "read")
    catalog.post("/principals/user", {"name": name, "email": f"{name}@x.org", "roles": ["editor"]}).ok(201)
    user = catalog.get(f"/principals/user/{name}").ok().json
    catalog.post(base, {"role": "editor", "permission_type": "write"}).ok(201)
    assert may(user["id"], "write") and not may(user["id"], "admin")
    assert len(catalog.get(base).ok().json["permissions"]) == 4
    catalog.delete(f"{base}/{grant['id']}").ok()
    catalog.delete(f"{base}/{grant['id']}").refused(404)
    catalog.post(base, {"permission_type": "read"}).refused(400)
    catalog.post(base, {"user_id": "ann", "permission_type": "own"}).refused(400)


def test_principals(catalog, name):
    catalog.post("/principals/user", {"name": name, "email": f"{name}@x"}).ok(201)
    catalog.post("/principals/user", {"name": name}).refused(409)
    assert "e-mail" in catalog.post("/principals/user", {"name": name + "2", "email": f"{name}@x"}).refused(409)["message"]
    user = catalog.request("PATCH", f"/principals/user/{name}", {"email": f"{name}@y", "is_active": False}).ok().json
    assert user["email"] == f"{name}@y" and user["is_active"] is False
    catalog.post("/principals/user", {"name": name + "2", "email": f"{name}@x"}).ok(201)
    listed = [u["name"] for u in catalog.get("/principals/user").ok().json["principals"]]
    assert name in listed and f"{name}@x" not in listed
    catalog.delete(f"/principals/user/{name}").ok()
    catalog.get(f"/principals/user/{name}").refused(404)
    catalog.get("/principals/robot/x").refused(404)


def test_config(catalog, name):
    config = {c["key"]: c for c in catalog.get("/config?limit=1000").ok().json["config"]}
    for key, value, kind in (("max_query_timeout", "300", "integer"), ("default_top_k", "10", "integer"),
                             ("enable_audit_logging", "true", "boolean"), ("data_retention_days", "90", "integer"),
                             ("registry_version", "1.0.0", "string")):
        assert (config[key]["value"], config[key]["type"]) == (value, kind)
    catalog.get(f"/config/{name}").refused(404)
    catalog.request("PUT", f"/config/{name}", {"value": "x", "type": "integer"}).refused(400)
    catalog.request("PUT", f"/config/{name}", {"value": "7", "type": "integer", "description": "d"}).ok()
    assert catalog.request("PUT", f"/config/{name}", {"value": "8"}).ok().json["description"] == "d"
    catalog.request("PUT", f"/config/{name}", {"value": "x"}).refused(400)
    catalog.delete(f"/config/{name}").ok()


def test_audit(catalog, name):
    asset = create(catalog, name)["id"]
    entry = catalog.get(f"/audit?resource_id={asset}").ok().json["audit"]
    assert [(e["action"], e["resource_type"], e["success"], e["ip_address"]) for e in entry] == [
        ("asset.create", "graph", True, "127.0.0.1")]
    assert catalog.get("/audit?action=no.such").ok().json["audit"] == []


def test_sources_are_assets(server, catalog, client, name):
    client.add_source(name, {"a": "int64"})
    client.write(name, [{"a": i} for i in range(10)])
    client.flush(name)
    sources = {s["source_id"]: s for s in catalog.get("/metadata/sources").ok().json["sources"]}
    assert sources[name]["total_rows"] == 10 and sources[name]["total_files"] == 1
    asset = catalog.get(f"/assets?kind=source&name={name}").ok().json["assets"][0]
    assert asset["id"] == sources[name]["asset_id"]
    stats = catalog.get("/metadata/stats").ok().json
    assert stats["total_sources"] >= 1 and stats["assets"]["source"] == stats["total_sources"]
    assert catalog.post("/metadata/compact", {"source_id": name}).status in (200, 202)
    catalog.post("/metadata/compact", {"source_id": name + "x"}).refused(404)
    catalog.get("/metadata/sources?tenant=other").refused(403)
    client.delete(f"/sources/{name}").ok()
    assert name not in [s["source_id"] for s in catalog.get("/metadata/sources").ok().json["sources"]]
    assert catalog.get(f"/assets?kind=source&name={name}").ok().json["assets"] == []


def test_no_lost_update(server, catalog, name):
    asset = create(catalog, name)["id"]
    failures = []

    def work(number):
        own = server.client("catalog")
        for i in range(20):
            while True:
                got = own.get(f"/assets/{asset}").json
                body = {"properties": {**got["properties"], f"{number}-{i}": True}, "revision": got["revision"]}
                answer = own.request("PATCH", f"/assets/{asset}", body)
                if answer.status == 200:
                    break
                if answer.status != 409:
                    failures.append(answer.data)
                    return
        own.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert failures == []
    got = catalog.get(f"/assets/{asset}").ok().json
    assert len(got["properties"]) == 160 and got["revision"] == 161


def test_kill_loses_nothing_acknowledged(new_server, tmp_path):
    server = new_server()
    acknowledged = []
    stop = threading.Event()

    def work(number):
        own = server.client("catalog")
        try:
            for i in range(100000):
                asset = own.post("/assets", {"kind": "graph", "name": f"g{number}-{i}"})
                if asset.status == 201:
                    acknowledged.append(asset.json["id"])
                if stop.is_set():
                    return
        except OSError:
            pass

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for round_number in range(2):
        [t.start() for t in threads]
        while len(acknowledged) < 200 * (round_number + 1):
            stop.wait(0.01)
        server.kill()
        [t.join() for t in threads]
        server.start()
        threads = [threading.Thread(target=work, args=(n + 10 * (round_number + 1),)) for n in range(4)]
    catalog = server.client("catalog")
    for asset in acknowledged:
        catalog.get(f"/assets/{asset}").ok()
    created = catalog.get("/audit?action=asset.create&limit=1").ok().json["audit"]
    assert created
    listed = catalog.get("/assets?kind=graph&count=true&limit=1").ok().json["total"]
    audit, cursor = 0, ""
    while cursor is not None:
        page = catalog.get(f"/audit?action=asset.create&limit=1000{cursor}").ok().json
        audit += len(page["audit"])
        cursor = page["next_cursor"] and "&cursor=" + page["next_cursor"]
    assert audit == listed >= len(acknowledged)  # each asset with its event, none alone
    catalog.close()


def test_openapi_has_the_routes(server):
    assert "catalog" in SERVICES and bin_folder()
    api = server.client("catalog").get("/openapi.json").ok().json["paths"]
    for path in ("/assets", "/graphs", "/registry/stats", "/storage-locations", "/audit"):
        assert path in api


def quarry(*words, status=0, catalog=None):
    """Runs the command line; gives its standard output."""
    environment = {**os.environ, "QUARRY_CATALOG_URL": f"http://127.0.0.1:{catalog.port}"} if catalog else None
    done = subprocess.run([bin_folder() / "quarry", *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False, env=environment)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def test_command_line(catalog, name):
    def run(*words, status=0):
        return quarry(*words, status=status, catalog=catalog)

    asset = json.loads(run("asset", "create", "graph", name, "--set", 'tags=["x"]', "--set", "description=a b", "--json"))
    assert asset["name"] == name and asset["tags"] == ["x"] and asset["description"] == "a b"
    assert name in run("asset", "list", "--set", f"name={name}")
    assert json.loads(run("asset", "update", asset["id"], "--set", "description=c"))["revision"] == 2
    run("asset", "move", asset["id"], "deprecated")
    run("asset", "move", asset["id"], "draft", status=1)
    run("grant", "add", asset["id"], "ann", "read")
    assert "ann" in run("grant", "list", asset["id"])
    assert "asset.lifecycle" in run("asset", "history", asset["id"])
    run("asset", "delete", asset["id"])
    run("asset", "show", asset["id"], status=1)
    run("user", "create", name, "--set", f"email={name}@x")
    assert f"{name}@x" in run("user", "list", "--set", "limit=1000")
    run("user", "delete", name)
    run("config", "set", name, "5", "--set", "type=integer")
    assert '"5"' in run("config", "get", name)
    run("config", "delete", name)
    assert "asset.create" in run("audit", "list", "--set", f"resource_id={asset['id']}")
    run("collection", "create", name, "--set", "dimension=8", "--set", "metric_type=COSINE")
    assert name in run("collection", "list") and name in run("collection", "stats")
    assert json.loads(run("collection", "update", name, "--set", "description=d"))["description"] == "d"
    run("collection", "grant", name, "ann", "read")
    assert "ann" in run("collection", "permissions", name)
    run("collection", "delete", name)
    run("collection", "show", name, status=1)
    run("asset", "shwo", "x", status=2)
    run("asset", "show", status=2)


def test_backup_migrate_restore(new_server, tmp_path):
    server = new_server()
    catalog = server.client("catalog")
    ids = [create(catalog, f"g{i}", tags=[f"t{i % 3}"], properties={"n": i})["id"] for i in range(30)]
    live = f"sqlite:{tmp_path}/data/catalog/catalog.db"
    assert "0 faults" in quarry("catalog", "verify", live)
    quarry("catalog", "backup", live, tmp_path / "backup.db")  # while it is used
    quarry("catalog", "backup", live, tmp_path / "backup.db", status=4)
    catalog.delete(f"/assets/{ids[0]}?purge=true").ok()
    catalog.close()
    server.stop()
    files = f"file:{tmp_path}/files"
    assert "counts and hashes agree" in quarry("catalog", "migrate", live, files)
    assert quarry("catalog", "digest", live) == quarry("catalog", "digest", files)
    stored = json.loads((tmp_path / "files" / "assets" / f"{ids[1]}.json").read_text())
    assert stored["name"] == "g1" and stored["properties"] == {"n": 1}
    assert "copied 0," in quarry("catalog", "migrate", live, files)
    quarry("catalog", "restore", tmp_path / "backup.db", live, status=1)  # not empty
    quarry("catalog", "restore", tmp_path / "backup.db", f"sqlite:{tmp_path}/again.db")
    other = new_server("other", settings=[f"--catalog-url={files}"])
    client = other.client("catalog")
    assert client.get("/health").ok().json["details"]["backend"] == "file"
    client.get(f"/assets/{ids[0]}").refused(404)
    assert client.get(f"/assets/{ids[1]}").ok().json["properties"] == {"n": 1}
    assert client.get("/assets?kind=graph&tags=t1&limit=1000").ok().json["assets"]
    client.request("PATCH", f"/assets/{ids[1]}", {"description": "x"}).ok()
    quarry("catalog", "verify", files, status=1)  # in use
    client.close()
    other.stop()
    assert "0 faults" in quarry("catalog", "verify", files)
    again = new_server("again", settings=[f"--catalog-url=sqlite:{tmp_path}/again.db"])
    client = again.client("catalog")
    client.get(f"/assets/{ids[0]}").ok()
    client.close()


def test_partitions(server, catalog, name):
    tenant = server.client()
    tenant.add_source(name, {"day": "date", "n": "int64"}, partition_columns=["day"],
                      index_columns=["n"])
    for day in ("2025-01-01", "2025-01-02"):
        tenant.write(name, [{"day": day, "n": n} for n in range(10)])
        tenant.post(f"/sources/{name}/flush").ok()
    tenant.write(name, [{"day": "2025-01-03", "n": 1}])
    [source] = catalog.post("/metadata/partitions", {"source_id": name}).ok().json["sources"]
    assert source["source_id"] == name and source["unflushed_rows"] == 1
    first, second = source["partitions"]
    assert (first["partition"], second["partition"]) == ("day=2025-01-01", "day=2025-01-02")
    assert first["file_stats"]["row_count"] == 10 and len(first["files"]) == 1
    path = server.data / "sources" / name / "data" / first["partition"] / first["files"][0]["file"]
    assert path.stat().st_size == first["files"][0]["file_size"] == first["file_stats"]["file_size"]
    assert first["file_stats"]["last_modified"].endswith("Z") and first["tenant_nodes"]
    assert first["index_info"] == {"index_columns": ["n"], "partition_columns": ["day"]}
    some = catalog.post("/metadata/partitions", {"source_id": name, "partitions": ["day=2025-01-02"]})
    assert [p["partition"] for p in some.ok().json["sources"][0]["partitions"]] == ["day=2025-01-02"]
    assert name in [s["source_id"] for s in
                    catalog.post("/metadata/partitions", {}).ok().json["sources"]]
    catalog.post("/metadata/partitions", {"source_id": "nobody"}).refused(404)

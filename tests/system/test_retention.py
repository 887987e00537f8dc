"""Old logs leave the catalog by themselves, into Parquet files that others can read or for good; what
tells of purges stays; a purged collection takes its parts along."""

import sqlite3

import pytest

from lib.wait import until


@pytest.fixture
def setup(new_server):
    server = new_server()
    client = server.client("catalog")
    made = client.post("/collections", {"collection_name": "c", "dimension": 8,
                                        "metric_type": "COSINE"}).ok(201).json
    for i in range(30):
        client.post("/query-logs", {"collection_id": "c", "query_type": "vector_search",
                                    "duration_ms": i, "success": True, "user_id": "ann"}).ok(201)
    return server, client, made


def make_old(server, days=91):
    with sqlite3.connect(server.data / "catalog/catalog.db", timeout=30) as database:
        database.execute("UPDATE events SET created_us = created_us - ?", (days * 86400 * 1000000,))
        rows = database.execute("SELECT count(*) FROM events").fetchone()[0]
    database.close()
    return rows


def logs(client):
    return client.get("/query-logs").ok().json["query_logs"]


def archived(server):
    return sorted((server.data / "archive/default_tenant").glob("events-*.parquet"))


def rows_of(server, path):
    """What the tenant node's own Parquet reader finds in the file."""
    tenant = server.client()
    tenant.add_source("archived", {})
    tenant.request("POST", "/data/load?source_id=archived", path.read_bytes(),
                   {"Content-Type": "application/vnd.apache.parquet"}).ok()
    found = tenant.post("/data/search", {"source_ids": ["archived"]}).ok().json[0]["records"]
    return found


def test_by_itself_at_the_start(setup):
    server, client, made = setup
    purged = client.post("/assets", {"kind": "dataset", "name": "x"}).ok(201).json
    client.request("DELETE", f"/assets/{purged['id']}?purge=true").ok()
    server.stop()
    make_old(server)
    client = server.start().client("catalog")
    until(lambda: archived(server) and not logs(client))
    [file] = archived(server)
    rows = [row for row in rows_of(server, file) if row["kind"] == "query"]
    assert len(rows) == 30 and {row["subject"] for row in rows} == {"ann"}
    assert sorted(row["duration_us"] for row in rows) == [i * 1000 for i in range(30)]
    actions = [e["action"] for e in client.get("/audit-logs?limit=1000").ok().json["audit_logs"]]
    assert "asset.purge" in actions  # old, and still there
    until(lambda: "retention.run" in [
        e["action"] for e in client.get("/audit-logs").ok().json["audit_logs"]])


def test_delete_and_never(setup):
    server, client, made = setup
    client.request("PUT", "/config/data_retention_action", {"value": "delete"}).ok()
    make_old(server, 20)
    assert client.post("/retention").ok().json["deleted"] == 0  # 90 days
    assert client.post("/retention", {"days": 0}).ok().json["deleted"] == 0
    answer = client.post("/retention", {"days": 10}).ok().json
    assert answer["action"] == "delete" and answer["deleted"] >= 30 and answer["archive_files"] == 0
    assert archived(server) == [] and logs(client) == []
    client.request("PUT", "/config/data_retention_action", {"value": "burn"}).ok()
    client.post("/retention").refused(400)


def test_archive_on_demand(setup):
    server, client, made = setup
    rows = make_old(server)
    answer = client.post("/retention").ok().json
    assert answer["action"] == "archive" and answer["archive_files"] == 1
    assert answer["deleted"] == rows
    assert client.post("/retention").ok().json["deleted"] == 0
    assert len(archived(server)) == 1


def test_purged_collection_takes_its_parts(setup):
    server, client, made = setup
    other = client.post("/collections", {"collection_name": "d", "dimension": 8,
                                         "metric_type": "COSINE"}).ok(201).json
    for collection in ("c", "d"):
        for i in range(3):
            client.post(f"/collections/{collection}/partitions",
                        {"partition_name": f"p{i}"}).ok(201)
        client.post(f"/collections/{collection}/indexes",
                    {"index_name": "i", "index_type": "HNSW"}).ok(201)
    client.request("DELETE", f"/assets/{made['id']}?purge=true").ok()
    for kind, left in (("partition", 3), ("index", 1), ("collection", 1)):
        assets = client.get(f"/assets?kind={kind}&deleted=show").ok().json["assets"]
        assert len(assets) == left and {a["namespace"] for a in assets} <= {other["id"], None}

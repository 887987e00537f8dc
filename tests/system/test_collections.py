"""Metadata of vector collections: the seed's example programs through the Python client against the
real program, statistics that count once, permissions, settings, retention, secrets, bad input."""

import datetime
import os
import pathlib
import re
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest
from lib.quarry import ROOT, SHARED

CLIENTS = ROOT / "clients/python"
sys.path.insert(0, str(CLIENTS))

from quarry_client import (MilvusMetadataClient, QuarryError, RegistryClient,  # noqa: E402
                           create_milvus_collection, log_vector_search)

SEED = SHARED / "seeds/001_b0ba75a0a92dc26b.txt"


@pytest.fixture
def meta(server):
    with MilvusMetadataClient("127.0.0.1", server.ports["catalog"]) as client:
        yield client


@pytest.fixture
def fresh(new_server):
    """A server of the test's own, and its client."""
    server = new_server()
    with MilvusMetadataClient("127.0.0.1", server.ports["catalog"]) as client:
        yield server, client


def refused(http_status, call, *args, **kwargs):
    with pytest.raises(QuarryError) as caught:
        call(*args, **kwargs)
    assert caught.value.status == http_status, caught.value
    return caught.value


# --- the seed's own text ---

def seed_examples():
    """Its Python examples that need neither a vector database nor a shell."""
    blocks = re.findall(r"```python\n(.*?)```", SEED.read_text(), re.S)
    return [b for b in blocks if "pymilvus" not in b and "python metadata_client.py" not in b]


def run_program(text, environment):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CLIENTS), **environment}
    return subprocess.run([sys.executable, "-c", text], env=environment, text=True, check=False,
                          capture_output=True, timeout=60)


def test_the_seeds_examples_run_unchanged(fresh):
    server, client = fresh
    examples = seed_examples()
    assert len(examples) == 5, "the seed's text has changed"
    # the examples speak of a user and a collection that exist: their placeholders are names here
    client.create_collection("collection-uuid", 768, "COSINE")
    at = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(server.ports["catalog"]),
          "POSTGRES_DB": "milvus_metadata", "POSTGRES_USER": "milvus_user",
          "POSTGRES_PASSWORD": "milvus_password"}
    done = run_program("\n".join(examples), at)
    assert done.returncode == 0, done.stderr
    assert "'total_operations': 1" in done.stdout and "'avg_duration_ms': 150.0" in done.stdout
    made = client.get_collection(collection_name="my_vectors")
    assert (made["dimension"], made["metric_type"], made["created_by"]) == (768, "COSINE", "user-uuid")
    assert [(q["user_id"], q["collection_id"], q["result_count"]) for q in client.get_query_logs()] == [
        ("user-uuid", made["id"], 10)]
    user = client.get_user(username="john_doe")
    assert user["email"] == "john@example.com" and user["role"] == "user"
    assert client.check_permission(user["id"], "collection-uuid", "read") is True
    [event] = client.get_audit_logs(user_id="user-uuid", action="create_collection")
    assert event["details"] == {"collection_name": "my_vectors"}
    assert event["resource_id"] == "collection-uuid" and event["reported_by"]


def test_the_seeds_integration(meta, name):
    """Its last example without the vector database."""
    made = create_milvus_collection(meta, name, 768, "COSINE", "ann", "text")
    query = log_vector_search(client=meta, user_id="ann", collection_id=made["id"],
                              query_vector_dimension=768, top_k=10, duration_ms=150, success=True,
                              result_count=7)
    [metric] = meta.get_performance_metrics(made["id"])
    assert metric["operation_id"] == query["id"] and metric["operation_type"] == "search"
    assert metric["metadata"] == {"top_k": 10, "result_count": 7}
    [stats] = meta.get_collection_stats(made["id"])
    assert (stats["total_queries"], stats["successful_queries"]) == (1, 1)
    assert meta.check_permission("ann", made["id"], "admin") is True


# --- collections ---

def test_collection_life(meta, name):
    made = meta.create_collection(name=name, dimension=3, metric_type="L2", metadata={"a": [1]})
    assert made["id"] and made["status"] == "active" and made["metadata"] == {"a": [1]}
    assert meta.get_collection(made["id"]) == meta.get_collection(collection_name=name) == made
    assert meta.get_collection("nothing") is None
    refused(409, meta.create_collection, name, 3, "L2")
    changed = meta.update_collection(made["id"], description="d", index_type="HNSW",
                                     partition_key="day", metadata={})
    assert (changed["description"], changed["index_type"], changed["partition_key"],
            changed["metadata"]) == ("d", "HNSW", "day", {})
    assert (changed["dimension"], changed["metric_type"], changed["revision"]) == (3, "L2", 2)
    assert name in [c["collection_name"] for c in meta.list_collections()]
    assert meta.update_collection(made["id"], status="deprecated")["status"] == "deprecated"
    assert name not in [c["collection_name"] for c in meta.list_collections()]
    assert name in [c["collection_name"] for c in meta.list_collections("deprecated")]
    meta.delete_collection(made["id"])
    assert meta.get_collection(made["id"]) is None
    again = meta.create_collection(name, 4, "IP")
    assert again["id"] != made["id"]
    newest = [c["collection_name"] for c in meta.list_collections()]
    assert newest[0] == name, "newest first"


def test_bad_collections(meta, name, server):
    refused(400, meta.create_collection, name, 0, "L2")
    refused(400, meta.create_collection, name, 32769, "L2")
    refused(400, meta.create_collection, name, 3, "")
    refused(400, meta.create_collection, "", 3, "L2")
    refused(400, meta.create_collection, "x" * 256, 3, "L2")
    assert meta.create_collection(name, 32768, "L2")["dimension"] == 32768
    http = server.client("catalog")
    http.post("/collections", {"collection_name": name + "2", "metric_type": "L2"}).refused(400)
    http.post("/collections", {"collection_name": name, "dimension": "3", "metric_type": "L2"}).refused(400)
    http.request("PATCH", f"/collections/{name}", {}).refused(400)
    http.request("PATCH", f"/collections/{name}", {"dimension": 5}).refused(400)
    http.request("PATCH", f"/collections/{name}", {"status": "gone"}).refused(400)
    http.request("PATCH", f"/collections/{name}", {"description": "x", "revision": 7}).refused(409)
    http.get("/collections?status=some").refused(400)
    http.get("/collections/" + "'%20OR%20'1'='1").refused(404)
    refused(404, meta.log_query, "u", "nothing", "vector_search", 1, True)
    refused(400, meta.log_query, "u", name, "guess", 1, True)
    refused(400, meta.log_query, "u", name, "vector_search", -1, True)
    refused(400, meta.log_performance_metric, name, "scan", 1, True)
    refused(400, meta.grant_permission, "u", name, "execute")
    refused(400, meta.grant_permission, "u", name, "read", expires_at="tomorrow")
    refused(404, meta.grant_permission, "u", "nothing", "read")
    with pytest.raises(ValueError):
        meta.update_collection(name, dimension=5)
    with pytest.raises(ValueError):
        meta.get_collection()
    with pytest.raises(ValueError):
        meta.get_user()
    http.close()


def test_assets_that_are_no_collections_are_not_found(meta, name, server):
    registry = RegistryClient("127.0.0.1", server.ports["catalog"])
    report = registry.create_asset("report", name)
    assert meta.get_collection(report["id"]) is None and meta.get_collection(collection_name=name) is None
    assert registry.get_asset(report["id"])["name"] == name
    registry.close()


def test_registry_client(name, server):
    """What RegistryClient has beyond what the seeds' programs use."""
    registry = RegistryClient("127.0.0.1", server.ports["catalog"])
    block = {"namespace": "onex.client", "name": name.replace("-", "_"), "version": "1.0.0", "lifecycle": "draft"}
    node = registry.register_node(metadata=block)["node"]
    report = registry.create_asset("report", name + "-report")
    registry.delete_asset(report["id"])
    assert registry.undelete_asset(report["id"])["name"] == name + "-report"
    registry.relate(report["id"], node["id"], "derived_from", {"why": "test"})
    assert [r["target_id"] for r in registry.relations(report["id"])] == [node["id"]]
    notice = registry.announce(node["id"], "archived", "soon")
    assert [a["id"] for a in registry.list_approvals(node["id"])] == [notice["id"]]
    registry.withdraw(node["id"], notice["id"])
    with pytest.raises(QuarryError) as refused:
        registry.approve(node["id"], "active")
    assert refused.value.status == 403 and "LC004" in str(refused.value)
    moved = registry.move_asset(node["id"], "active")
    assert [issue["code"] for issue in moved["issues"]] == ["LC004"]
    assert notice["id"] in {event["id"] for event in registry.list_events("notice")}
    # from itself: everything is the same
    (answer,) = registry.pull_nodes(f"http://127.0.0.1:{server.ports['catalog']}", namespace="onex.client")
    assert answer["complete"] and answer["counts"]["same"] >= 1 and answer["counts"]["added"] == 0
    registry.close()


# --- statistics ---

def test_stats_count_once(meta, name, server):
    made = meta.create_collection(name, 8, "COSINE")
    assert meta.get_collection_stats(made["id"])[0]["avg_query_duration"] is None
    for part in "abc":
        meta.create_partition(made["id"], part)
    for user in ("u1", "u2", "u3"):
        meta.grant_permission(user, made["id"], "read")
    meta.grant_permission("u1", made["id"], "write")
    meta.grant_permission("u4", made["id"], "read", expires_at="2020-01-01T00:00:00Z")
    query = meta.log_query("u1", made["id"], "vector_search", 150, True, top_k=10, result_count=10)
    assert query["id"] and query["top_k"] == 10 and query["search_params"] is None
    [row] = meta.get_collection_stats(made["id"])
    assert {k: row[k] for k in ("collection_name", "dimension", "partition_count", "user_count",
                                "avg_query_duration", "total_queries", "successful_queries")} == {
        "collection_name": name, "dimension": 8, "partition_count": 3, "user_count": 3,
        "avg_query_duration": 150.0, "total_queries": 1, "successful_queries": 1}
    # the metric of that query is the same query; a metric alone is another; an insert is none
    assert meta.log_performance_metric(made["id"], "search", 150, True, operation_id=query["id"])["id"]
    assert meta.log_performance_metric(made["id"], "search", 50, False, error_message="no")["id"]
    assert meta.log_performance_metric(made["id"], "insert", 9000, True)["id"]
    [row] = meta.get_collection_stats(made["id"])
    assert (row["total_queries"], row["successful_queries"], row["avg_query_duration"]) == (2, 1, 100.0)
    assert [r for r in meta.get_collection_stats() if r["id"] == made["id"]] == [row]
    with sqlite3.connect(f"file:{server.data}/catalog/catalog.db?mode=ro", uri=True) as database:
        assert database.execute(
            "SELECT partition_count, user_count, total_queries, successful_queries,"
            " avg_query_duration FROM collection_stats WHERE id = ?", [made["id"]]).fetchall() == [
            (3, 3, 2, 1, 100.0)]
    database.close()


def test_percentiles_are_exact(meta, name):
    made = meta.create_collection(name, 8, "COSINE")
    other = meta.create_collection(name + "-other", 8, "COSINE")
    for ms in range(100, 0, -1):
        meta.log_performance_metric(made["id"], "insert", ms, ms % 10 != 0)
    meta.log_performance_metric(other["id"], "insert", 77777, True)
    log_vector_search(meta, "u", made["id"], 8, 5, 42, True)
    insert, search = meta.get_performance_stats(made["id"])
    assert insert == {
        "operation_type": "insert", "total_operations": 100, "avg_duration_ms": 50.5,
        "min_duration_ms": 1.0, "max_duration_ms": 100.0, "p50_duration_ms": 50.0,
        "p95_duration_ms": 95.0, "p99_duration_ms": 99.0, "successful_operations": 90,
        "failed_operations": 10}
    assert search["total_operations"] == 1 and search["p99_duration_ms"] == 42.0
    everything = {row["operation_type"]: row for row in meta.get_performance_stats(days=1)}
    assert everything["insert"]["max_duration_ms"] >= 77777.0
    assert [m["duration_ms"] for m in meta.get_performance_metrics(made["id"], limit=3)] == [42, 1, 2]
    refused(400, meta.get_performance_stats, made["id"], days=0)


def test_eight_writers_lose_nothing(meta, name):
    made = meta.create_collection(name, 8, "COSINE")
    ids = []

    def log():
        for _ in range(25):
            ids.append(log_vector_search(meta, "u", made["id"], 8, 5, 10, True)["id"])
        meta.close()

    threads = [threading.Thread(target=log) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 200
    assert {q["id"] for q in meta.get_query_logs(made["id"], limit=1000)} == set(ids)
    assert meta.get_collection_stats(made["id"])[0]["total_queries"] == 200


# --- partitions, indexes, ingestion ---

def test_partitions(meta, name):
    made = meta.create_collection(name, 8, "COSINE")
    other = meta.create_collection(name + "-other", 8, "COSINE")
    part = meta.create_partition(made["id"], "b", "text")
    assert part["collection_id"] == made["id"] and part["status"] == "active"
    meta.create_partition(name, "a")
    meta.create_partition(other["id"], "a")
    refused(409, meta.create_partition, made["id"], "a")
    assert [p["partition_name"] for p in meta.list_partitions(made["id"])] == ["a", "b"]
    meta.delete_partition(made["id"], "a")
    refused(404, meta.delete_partition, made["id"], "a")
    assert [p["partition_name"] for p in meta.list_partitions(made["id"])] == ["b"]
    assert len(meta.list_partitions(other["id"])) == 1


def test_index_progress(meta, name):
    made = meta.create_collection(name, 8, "COSINE")
    index = meta.create_index(made["id"], "i", "IVF_FLAT", {"nlist": 128})
    assert (index["status"], index["progress_percentage"], index["completed_at"]) == ("building", 0, None)
    index = meta.update_index(made["id"], "i", progress_percentage=40)
    assert (index["status"], index["progress_percentage"]) == ("building", 40)
    assert index["index_params"] == {"nlist": 128}
    index = meta.update_index(made["id"], "i", status="failed", error_message="no room")
    assert (index["status"], index["progress_percentage"], index["error_message"]) == ("failed", 40, "no room")
    assert index["completed_at"]
    index = meta.update_index(made["id"], "i", status="building", progress_percentage=0)
    assert (index["completed_at"], index["error_message"]) == (None, None)
    index = meta.update_index(made["id"], "i", status="completed")
    assert (index["status"], index["progress_percentage"]) == ("completed", 100) and index["completed_at"]
    assert meta.list_indexes(made["id"]) == [index]
    refused(400, meta.update_index, made["id"], "i", progress_percentage=101)
    refused(404, meta.update_index, made["id"], "nothing", status="failed")
    meta.delete_index(made["id"], "i")
    assert meta.list_indexes(made["id"]) == []


def test_ingestion(meta, name):
    made = meta.create_collection(name, 8, "COSINE")
    run = meta.start_ingestion(made["id"], 10, "ann", "batch-1", 4096, "file", metadata={"x": 1})
    assert (run["status"], run["records_count"], run["user_id"], run["completed_at"]) == (
        "processing", 10, "ann", None)
    run = meta.update_ingestion(made["id"], run["id"], records_count=20)
    assert (run["status"], run["records_count"], run["batch_id"], run["file_size_bytes"]) == (
        "processing", 20, "batch-1", 4096)
    run = meta.finish_ingestion(made["id"], run["id"], 25)
    assert (run["status"], run["records_count"], run["metadata"]) == ("completed", 25, {"x": 1})
    assert run["completed_at"] >= run["started_at"]
    refused(409, meta.update_ingestion, made["id"], run["id"], records_count=1)
    bad = meta.start_ingestion(made["id"], source_type="api")
    bad = meta.finish_ingestion(made["id"], bad["id"], error_message="cut off")
    assert (bad["status"], bad["error_message"]) == ("failed", "cut off")
    assert [r["id"] for r in meta.list_ingestions(made["id"])] == [bad["id"], run["id"]]
    assert [r["id"] for r in meta.list_ingestions(made["id"], "failed")] == [bad["id"]]
    refused(400, meta.start_ingestion, made["id"], source_type="mail")
    refused(404, meta.update_ingestion, name, "nothing", status="failed")


# --- permissions, users ---

def test_permissions(meta, name):
    made = meta.create_collection(name, 8, "COSINE", created_by="owner")
    check = lambda right, user="bob": meta.check_permission(user, made["id"], right)  # noqa: E731
    assert not check("read")
    grant = meta.grant_permission("bob", made["id"], "read", granted_by="ann")
    assert grant["id"] and grant["granted_by"] == "ann" and grant["expires_at"] is None
    assert check("read") and not check("write") and not check("admin")
    meta.grant_permission("bob", made["id"], "write")
    assert check("write") and not check("admin")
    meta.grant_permission("bob", made["id"], "admin")
    meta.revoke_permission("bob", made["id"], "read")
    meta.revoke_permission("bob", made["id"], "write")
    assert check("read") and check("write") and check("admin")
    meta.revoke_permission("bob", made["id"], "admin")
    meta.revoke_permission("bob", made["id"], "admin")  # twice is fine
    assert not check("read")
    assert check("admin", "owner") and not check("read", "carol")


def test_permissions_expire(meta, name):
    made = meta.create_collection(name, 8, "COSINE")
    now = datetime.datetime.now(datetime.timezone.utc)
    first = meta.grant_permission("bob", made["id"], "write", expires_at=now - datetime.timedelta(hours=1))
    assert not meta.check_permission("bob", made["id"], "write")
    again = meta.grant_permission("bob", made["id"], "write", expires_at=now + datetime.timedelta(hours=1))
    assert again["id"] == first["id"]
    assert meta.check_permission("bob", made["id"], "write")
    assert len(meta.list_permissions(made["id"])) == 1


def test_users(meta, name):
    user = meta.create_user(name, name + "@example.com", "hashed_password")
    assert user["id"] and user["role"] == "user" and user["is_active"] is True
    assert "hashed_password" not in str(user)
    assert user["last_login"] is None
    assert meta.get_user(user["id"]) == meta.get_user(username=name) == user
    assert meta.get_user(username="nobody") is None
    meta.update_user_last_login(user["id"])
    assert meta.get_user(user["id"])["last_login"] is not None
    refused(404, meta.update_user_last_login, "nobody")
    refused(409, meta.create_user, name, "x" + name, "h")
    refused(409, meta.create_user, name + "2", name + "@example.com", "h")
    refused(400, meta.create_user, name + "/x", "y" + name, "h")
    refused(400, meta.create_user, name + "3", "y" + name, "")
    refused(400, meta.create_user, name + "3", "y" + name, "h", role="king")
    assert name in [u["username"] for u in meta.list_users()]


def test_people_with_tokens(new_server):
    """A grant on the collection is what counts for its parts; admins alone read secrets and all logs."""
    server = new_server(settings=["--auth-required=yes", "--bcrypt-rounds=4"])
    door = server.client("gateway")

    def login(user, password):
        answer = door.post("/auth/login", {"username": user, "password": password}).ok().json
        return MilvusMetadataClient(url=f"http://127.0.0.1:{server.ports['catalog']}",
                                    auth_token=answer["access_token"])

    password = re.search(r"user 'admin' has the password (\S+)", server.log.read_text()).group(1)
    admin = login("admin", password)
    token = {"Authorization": "Bearer " + admin._http._token}
    ids = {}
    for user in ("ann", "bob"):
        ids[user] = door.request("POST", "/auth/users", {"username": user, "password": "correct horse",
                                                         "roles": ["user"]}, token).ok(201).json["user"]["user_id"]
    ann, bob = login("ann", "correct horse"), login("bob", "correct horse")
    made = ann.create_collection("c", 8, "COSINE")
    assert made["created_by"] == ids["ann"]
    assert bob.get_collection("c") is None and bob.list_collections() == []
    refused(404, bob.log_query, None, "c", "vector_search", 1, True)
    ann.grant_permission(ids["bob"], "c", "read", granted_by="somebody")
    assert ann.list_permissions("c")[0]["granted_by"] == ids["ann"]
    assert bob.log_query("eve", "c", "vector_search", 1, True)["user_id"] == "eve"
    refused(403, bob.create_partition, "c", "p")
    refused(403, bob.get_query_logs, "c")
    refused(403, bob.get_query_logs)
    refused(403, bob.grant_permission, ids["bob"], "c", "admin")
    ann.create_partition("c", "p")
    ann.create_index("c", "i", "HNSW")
    assert len(ann.get_query_logs("c")) == 1
    ann.grant_permission(ids["bob"], "c", "write")
    assert [p["partition_name"] for p in bob.list_partitions("c")] == ["p"]
    assert bob.update_index("c", "i", status="completed")["progress_percentage"] == 100
    admin.set_config("secret", "value", is_encrypted=True)
    assert admin.get_config("secret") == "value"
    refused(403, ann.get_config, "secret")
    refused(403, ann.apply_retention)
    refused(403, ann.create_user, "x", "x@example.com", "h")
    refused(401, MilvusMetadataClient("127.0.0.1", server.ports["catalog"]).list_collections)


# --- configuration ---

SIX = {"milvus_api_endpoint": ("milvus-proxy.milvus.svc.cluster.local:19530", "string"),
       "max_query_timeout": ("300", "integer"), "default_top_k": ("10", "integer"),
       "enable_audit_logging": ("true", "boolean"),
       "enable_performance_monitoring": ("true", "boolean"), "data_retention_days": ("90", "integer")}


def test_six_default_settings(fresh):
    _, client = fresh
    rows = {row["key"]: row for row in client.list_config()}
    assert {key: (rows[key]["value"], rows[key]["type"]) for key in SIX} == SIX
    assert {key: client.get_config(key) for key in SIX} == {key: value for key, (value, _) in SIX.items()}
    assert not any(row["is_encrypted"] for row in rows.values())


def test_config(meta, name):
    assert meta.get_config(name) is None
    meta.set_config(name, "5", "integer", "text")
    meta.set_config(name, 6, "integer")
    row = meta.get_config_row(name)
    assert (row["value"], row["type"], row["description"]) == ("6", "integer", "text")
    refused(400, meta.set_config, name, "six", "integer")
    refused(400, meta.set_config, name, "yes", "boolean")
    refused(400, meta.set_config, name, "{", "json")
    assert meta.get_config(name) == "6"


def test_secrets_are_not_in_the_database(fresh):
    server, client = fresh
    secret = "correct-horse-battery-staple"
    client.set_config("password", secret, is_encrypted=True)
    assert client.get_config("password") == secret
    [row] = [row for row in client.list_config() if row["key"] == "password"]
    assert row["value"] is None and row["is_encrypted"] is True
    client.set_config("password", secret + "2")  # stays encrypted
    client.set_config("number", "7", "integer", is_encrypted=True)
    assert client.get_config("password") == secret + "2" and client.get_config("number") == "7"
    refused(400, client.set_config, "long", "x" * 3001, is_encrypted=True)
    refused(400, client.set_config, "number", "x", "integer")
    assert len(client.get_audit_logs(action="config.create")) >= 2
    key = server.data / "auth/config.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and key.stat().st_size == 32
    server.restart()
    again = MilvusMetadataClient("127.0.0.1", server.ports["catalog"])
    assert again.get_config("password") == secret + "2"
    again.close()
    server.stop()
    files = [f for f in (server.data / "catalog").rglob("*") if f.is_file()]
    assert any(f.name == "catalog.db" for f in files)
    for path in files + [server.log]:
        assert secret.encode() not in path.read_bytes(), path
    # a value put in another setting's place does not open
    database = sqlite3.connect(server.data / "catalog/catalog.db")
    database.execute("UPDATE config SET secret = (SELECT secret FROM config WHERE name = 'password')"
                     " WHERE name = 'number'")
    database.commit()
    database.close()
    server.start()
    again = MilvusMetadataClient("127.0.0.1", server.ports["catalog"])
    refused(500, again.get_config, "number")
    again.set_config("number", "8", is_encrypted=False)
    assert again.get_config("number") == "8"
    again.close()


def test_switches_switch(fresh):
    _, client = fresh
    made = client.create_collection("c", 8, "COSINE")
    client.set_config("enable_performance_monitoring", "false", "boolean")
    assert client.log_performance_metric("c", "search", 5, True) == {
        "id": None, "logged": False, "off_by": "enable_performance_monitoring"}
    assert log_vector_search(client, "u", made["id"], 8, 5, 10, True)["id"]
    assert client.get_performance_metrics("c") == [] and len(client.get_query_logs("c")) == 1
    client.set_config("enable_audit_logging", "false", "boolean")
    assert client.log_audit_event("u", "x", "collection")["logged"] is False
    client.set_config("enable_audit_logging", True, "boolean")
    assert client.log_audit_event("u", "x", "collection")["id"]
    assert len(client.get_audit_logs(user_id="u")) == 1


# --- retention ---

def test_retention_deletes(fresh):
    server, client = fresh
    made = client.create_collection("c", 8, "COSINE")
    for i in range(1200):
        client.log_query("old", "c", "vector_search", i, True)
    log_vector_search(client, "old", "c", 8, 5, 10, True)
    assert client.apply_retention()["deleted"] == 0
    database = sqlite3.connect(server.data / "catalog/catalog.db", timeout=30)
    database.execute("UPDATE events SET created_us = created_us - 91 * 86400000000 WHERE kind <> 'audit'")
    database.commit()
    log_vector_search(client, "new", "c", 8, 5, 10, True)
    assert client.get_performance_stats("c", days=90)[0]["total_operations"] == 1
    assert client.get_performance_stats("c", days=92)[0]["total_operations"] == 1202
    done = client.apply_retention()
    assert (done["days"], done["deleted"]) == (90, 1202)
    assert [q["user_id"] for q in client.get_query_logs("c")] == ["new"]
    assert client.get_collection_stats(made["id"])[0]["total_queries"] == 1
    assert database.execute("SELECT count(*) FROM query_logs").fetchone() == (1,)
    assert database.execute("SELECT count(*) FROM performance_metrics").fetchone() == (1,)
    database.close()
    runs = [e["details"]["deleted"] for e in client.get_audit_logs(action="retention.run")]
    assert runs == [1202]  # a round that removes nothing tells nothing
    refused(400, client._http.call, "POST", "/retention", {"days": -1})
    client.set_config("data_retention_days", "-1", "integer")
    refused(400, client.apply_retention)


def test_all_survives_a_kill(fresh):
    server, client = fresh
    made = client.create_collection("c", 8, "COSINE")
    for _ in range(20):
        log_vector_search(client, "u", made["id"], 8, 5, 10, True)
    server.kill()
    server.start()
    again = MilvusMetadataClient("127.0.0.1", server.ports["catalog"])
    assert again.get_collection_stats(made["id"])[0]["total_queries"] == 20
    again.close()


# --- the client itself ---

def test_where_the_client_looks(monkeypatch):
    from quarry_client.settings import catalog_url
    for key in [k for k in os.environ if k.startswith(("QUARRY_", "POSTGRES_"))]:
        monkeypatch.delenv(key)
    assert catalog_url() == "http://127.0.0.1:8083"
    monkeypatch.setenv("POSTGRES_HOST", "db")
    monkeypatch.setenv("POSTGRES_PORT", "5432")
    assert catalog_url() == "http://db:8083"
    monkeypatch.setenv("POSTGRES_PORT", "9000")
    assert catalog_url() == "http://db:9000"
    monkeypatch.setenv("QUARRY_HOST", "::1")
    monkeypatch.setenv("QUARRY_PORT", "8090")
    assert catalog_url() == "http://[::1]:8090" and catalog_url("h", 1) == "http://h:1"
    monkeypatch.setenv("QUARRY_URL", "http://q:1/base")
    assert catalog_url() == "http://q:1/base"


def test_nobody_answers():
    error = refused(0, MilvusMetadataClient("127.0.0.1", 1).list_collections)
    assert "does not answer" in str(error)


def test_standard_library_only():
    for path in pathlib.Path(CLIENTS).rglob("*.py"):
        for module in re.findall(r"^(?:from|import) ([a-z_]+)", path.read_text(), re.M):
            assert module in sys.stdlib_module_names or module == "quarry_client", (path, module)

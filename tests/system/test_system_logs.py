"""The catalog's logs as system tables of SQL on the tenant node: everything that was acknowledged is
there, in the caller's name, of the caller's tenant."""

import concurrent.futures
import http.client
import threading

import pytest

from lib.quarry import Client, Server
from lib.tokens import admin_password, bearer, login, make_user

WRITERS, EACH = 8, 130  # more than one page of the catalog


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("logs") / "data",
                    settings=["--auth-required=yes", "--bcrypt-rounds=4"]).start()
    admin = login(server, "admin", admin_password(server)).ok().json["access_token"]
    yield server, admin
    server.stop()


def rows(server, token, query):
    found = server.client("gateway").request("POST", "/query/sql", {"query": query}, bearer(token)).ok().json["rows"]
    return found


def test_acknowledged_entries_are_there(world):
    """Many at the same time: all that was answered, and nothing twice, after a restart too."""
    server, admin = world
    client = server.client("catalog")
    body = {"collection_name": "vectors", "dimension": 8, "metric_type": "L2"}
    made = client.request("POST", "/collections", body, bearer(admin)).ok(201).json["id"]

    def log(writer):
        ids = []
        for i in range(EACH):
            entry = {"collection_id": made, "user_id": f"user-{writer}", "query_type": "vector_search", "duration_ms": i,
                     "success": i % 4 != 0, "top_k": 10, "result_count": i, "with_metric": True,
                     "search_params": {"nprobe": writer}}
            ids.append(client.request("POST", "/query-logs", entry, bearer(admin)).ok(201).json["id"])
        return ids

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        acknowledged = [one for ids in pool.map(log, range(WRITERS)) for one in ids]
    server.kill()
    server.start()
    found = rows(server, admin, "SELECT id FROM system.query_logs")
    assert sorted(row[0] for row in found) == sorted(acknowledged)
    assert len(set(acknowledged)) == WRITERS * EACH


def test_columns(world):
    server, admin = world
    one = rows(server, admin, "SELECT user_id, query_type, top_k, result_count, duration_ms, success, "
               "search_params, error_message, timestamp > TIMESTAMP '2020-01-01' AS fresh "
               "FROM system.query_logs WHERE duration_ms = 7 AND user_id = 'user-3'")
    (values,) = one
    assert values[:6] == ["user-3", "vector_search", 10, 7, 7, True] and values[7:] == [None, True]
    assert values[6] in ({"nprobe": 3}, '{"nprobe":3}')
    per_user = rows(server, admin, "SELECT user_id, count(*) AS n, sum(q.duration_ms) AS ms FROM system.query_logs q "
                    "GROUP BY user_id ORDER BY user_id")
    assert per_user == [
        [f"user-{i}", EACH, sum(range(EACH))] for i in range(WRITERS)]
    joined = rows(server, admin, "SELECT count(*) AS n FROM system.performance_metrics m JOIN system.query_logs q "
                  "ON m.operation_id = q.id WHERE m.duration_ms = q.duration_ms")
    assert joined[0] == [WRITERS * EACH]


def test_audit_and_ingestion(world):
    server, admin = world
    client = server.client("catalog")
    client.request("POST", "/collections/vectors/ingestions", {"source_type": "file", "records_count": 5},
                   bearer(admin)).ok(201)
    found = rows(server, admin, "SELECT source_type, status, records_count FROM system.ingestion_logs")
    assert found == [["file", "pending", 5]]
    found = rows(server, admin, "SELECT count(*) AS n FROM system.audit_logs WHERE action = 'asset.create' "
                 "AND resource_type = 'collection' AND success")
    assert found[0] == [1]


def test_rights_and_tenants(world):
    server, admin = world
    door = server.client("gateway")
    user = make_user(server, admin, "user", "user")["access_token"]
    query = {"query": "SELECT * FROM system.audit_logs"}
    door.request("POST", "/query/sql", query, bearer(user)).refused(403, "forbidden")
    # another tenant's node shows that tenant's logs only
    made = door.request("POST", "/auth/tenants", {"tenant_id": "other"}, bearer(admin)).ok(201).json
    other = login(server, "admin", made["password"], tenant_id="other").ok().json["access_token"]
    assert rows(server, other, "SELECT * FROM system.query_logs") == []
    body = {"collection_name": "theirs", "dimension": 8, "metric_type": "L2"}
    server.client("catalog").request("POST", "/collections", body, bearer(other)).ok(201)
    found = rows(server, other, "SELECT DISTINCT resource_type FROM system.audit_logs WHERE action = 'asset.create'")
    assert found == [["collection"]]
    mine = rows(server, admin, "SELECT count(*) AS n FROM system.audit_logs WHERE action = 'asset.create' "
                "AND resource_type = 'collection'")
    assert mine[0] == [1]


def test_kill_under_load(world):
    """Killed while eight write: whatever was acknowledged by then is in the log, once."""
    server, admin = world
    port, acknowledged, enough = server.ports["catalog"], [], threading.Event()

    def write():
        client = Client(port)
        entry = {"collection_id": "vectors", "user_id": "killed", "query_type": "vector_search", "duration_ms": 1,
                 "success": True}
        try:
            while True:
                acknowledged.append(client.request("POST", "/query-logs", entry, bearer(admin)).ok(201).json["id"])
                if len(acknowledged) >= 300:
                    enough.set()
        except (OSError, http.client.HTTPException):
            pass  # the server is gone

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    assert enough.wait(60)
    server.kill()
    for writer in writers:
        writer.join(60)
    server.start()
    found = [row[0] for row in rows(server, admin, "SELECT id FROM system.query_logs WHERE user_id = 'killed'")]
    assert set(acknowledged) <= set(found) and len(found) == len(set(found))


def test_without_a_catalog(tmp_path):
    """A node alone says what it lacks, and everything else goes on."""
    node = Server(tmp_path / "data", node=True, settings=["--catalog-port=1"]).start()
    try:
        answer = node.client().sql("SELECT * FROM system.query_logs").refused(503)
        assert "catalog" in answer["message"]
        assert node.client().rows("SELECT count(*) AS n FROM system.sources")
    finally:
        node.stop()

"""The seed's curl tour (contracts 5.1) against the real program, request by request."""

import pytest

from lib.quarry import SERVICES

SALES = {
    "source_id": "sales_data",
    "name": "Sales Data Source",
    "connection_string": "file://sales",
    "data_path": "./data/sources/sales_data",
    "schema_definition": {
        "order_id": "string",
        "customer_id": "string",
        "amount": "float64",
        "order_date": "datetime64[ns]",
    },
    "partition_columns": ["order_date"],
    "index_columns": ["customer_id", "order_date"],
    "compression": "snappy",
    "max_file_size_mb": 256,
    "wal_enabled": True,
}
ORDER = {
    "order_id": "ORD_001",
    "customer_id": "CUST_001",
    "amount": 100.50,
    "order_date": "2024-01-15",
}
STORED = dict(ORDER, order_date="2024-01-15T00:00:00")
TOKEN = {"Authorization": "Bearer <token>", "Content-Type": "application/json"}


@pytest.fixture
def tour(new_server):
    server = new_server()
    client = server.client()
    assert client.post("/sources/add", SALES).ok().json == {"success": True, "error_message": None}
    answer = client.post("/data/write",
                         {"source_id": "sales_data", "records": [{"fields": ORDER}]}, TOKEN)
    written = answer.ok().json
    assert written["success"] is True
    assert written["error_message"] is None
    assert written["rows_written"] == 1
    assert len(written["write_id"]) == 36
    return server, client


def search(client):
    return client.post("/data/search", {
        "source_ids": ["sales_data"],
        "filters": {"customer_id": {"eq": "CUST_001"}},
        "limit": 10,
    }).ok().json


def check_search(client):
    answer = search(client)
    assert len(answer) == 1
    member = answer[0]
    assert member["source_id"] == "sales_data"
    assert member["records"] == [STORED]
    assert member["total_rows"] == 1
    assert member["has_more"] is False
    assert member["error_message"] is None


def check_aggregate(client):
    answer = client.post("/data/aggregate", {
        "source_ids": ["sales_data"],
        "aggregations": [
            {"type": "count", "alias": "total_orders"},
            {"type": "sum", "column": "amount", "alias": "total_revenue"},
        ],
    }).ok().json
    results = {"total_orders": 1, "total_revenue": 100.5}
    assert answer["success"] is True
    assert answer["tenant_id"] == "default_tenant"
    assert answer["source_results"] == {"sales_data": results}
    assert answer["final_results"] == results
    assert answer["error_message"] is None


def check_stats(client, files):
    answer = client.get("/sources/sales_data/stats").ok().json
    assert answer["success"] is True and answer["error_message"] is None
    info = answer["stats"]
    assert info["source_id"] == "sales_data"
    assert info["name"] == "Sales Data Source"
    assert info["total_rows"] == 1
    assert info["total_files"] == files
    assert (info["total_size_bytes"] > 0) == (files > 0)
    assert info["last_updated"].endswith("Z")
    details = answer["detailed_stats"]
    assert details["wal_status"]["enabled"] is True
    assert details["wal_status"]["total_log_files"] >= 1
    assert details["index_status"]["indexed_columns"] == ["customer_id", "order_date"]
    assert details["partition_columns"] == ["order_date"]
    listing = client.get("/sources").ok().json
    assert listing["source_ids"] == ["sales_data"]
    assert listing["source_details"] == {"sales_data": info}
    tenant = client.get("/tenant/stats").ok().json
    assert tenant["tenant_id"] == "default_tenant"
    assert tenant["tenant_name"] == "Default Tenant"
    assert tenant["total_sources"] == 1
    assert tenant["total_rows"] == 1
    assert tenant["total_files"] == files
    assert tenant["source_stats"] == {"sales_data": info}


def test_write_search_aggregate_stats(tour):
    _, client = tour
    check_search(client)
    check_aggregate(client)
    check_stats(client, files=0)


def test_sql_of_the_seed(tour):
    _, client = tour
    answer = client.sql("SELECT customer_id, SUM(amount) FROM sales_data "
                        "WHERE order_date >= '2024-01-01' GROUP BY customer_id").ok().json
    assert answer["rows"] == [["CUST_001", 100.5]]


def test_partition_directory_is_visible(tour):
    server, client = tour
    flushed = client.flush("sales_data")
    assert flushed["success"] is True
    assert flushed["total_files"] == 1
    assert flushed["total_rows"] == 1
    files = list((server.data / "sources/sales_data/data").rglob("*.parquet"))
    assert len(files) == 1
    folder = files[0].parent.name
    assert folder.startswith("order_date") and folder.endswith("=2024-01-15"), folder
    assert files[0].read_bytes()[:4] == files[0].read_bytes()[-4:] == b"PAR1"
    check_search(client)
    check_aggregate(client)
    check_stats(client, files=1)


def test_partition_prunes(tour):
    _, client = tour
    client.write("sales_data", [dict(ORDER, order_id=f"ORD_{day}", order_date=f"2024-02-{day:02}")
                                for day in range(1, 21)])
    client.flush("sales_data")
    answer = client.post("/data/search", {
        "source_ids": ["sales_data"],
        "filters": {"order_date": {"gte": "2024-02-05", "lt": "2024-02-07"}},
        "select_columns": ["order_id"],
    }).ok().json[0]
    assert sorted(row["order_id"] for row in answer["records"]) == ["ORD_5", "ORD_6"]
    assert answer["statistics"]["files_pruned"] == 19


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_restart_keeps_everything(tour, flushed, ending):
    server, client = tour
    if flushed:
        client.flush("sales_data")
    config_before = client.get("/sources/sales_data/stats").json["detailed_stats"]
    getattr(server, ending)()
    server.start()
    client = server.client()
    check_search(client)
    check_aggregate(client)
    check_stats(client, files=1 if flushed or ending == "stop" else 0)
    config = client.get("/sources/sales_data/stats").json["detailed_stats"]
    for key in ("compression", "partition_columns", "columns"):
        assert config[key] == config_before[key]
    # the same declaration again is fine, another one is not
    assert client.post("/sources/add", SALES).ok().json["success"] is True
    client.post("/sources/add", dict(SALES, compression="zstd")).refused(409, "conflict")
    # and it can be written to
    client.write("sales_data", [dict(ORDER, order_id="ORD_002")])
    assert client.count("sales_data") == 2


def test_remove(tour):
    server, client = tour
    client.flush("sales_data")
    assert client.delete("/sources/sales_data").ok().json["success"] is True
    client.get("/sources/sales_data/stats").refused(404, "unknown_source")
    client.delete("/sources/sales_data").refused(404, "unknown_source")
    assert client.get("/sources").json == {"source_ids": [], "source_details": {}}
    server.restart()
    client = server.client()
    assert client.get("/sources").json["source_ids"] == []
    client.post("/sources/add", SALES).ok()
    assert client.count("sales_data") == 0, "the rows of a removed source came back"


def test_older_paths(client, name):
    """Routes that the origin's scripts use: POST /sources, /data, /search."""
    config = dict(SALES, source_id=name)
    client.post("/sources", config).ok()
    client.post("/data", {"source_id": name, "records": [{"fields": ORDER}]}).ok()
    answer = client.post("/search", {"source_ids": [name]}).ok().json
    assert answer[0]["records"] == [STORED]


@pytest.mark.parametrize("service", SERVICES)
def test_health(server, service):
    client = server.client(service)
    answer = client.get("/health").ok().json
    assert "OK" in str(answer["status"]) or answer["status"] == "healthy", answer
    client.get("/ready").ok()
    metrics = client.get("/metrics").ok()
    assert b"# HELP" in metrics.data and b"# TYPE" in metrics.data
    if service == "tenant":
        assert answer["healthy"] is True
        assert answer["status"] == "OK"
        assert answer["details"]["tenant_id"] == "default_tenant"
        assert answer["details"]["source_count"].isdigit()
        assert answer["details"]["timestamp"].endswith("Z")


def test_health_of_all(server):
    answer = server.client("monitoring").get("/health/all").ok().json
    assert set(answer["services"]) == {"auth-gateway", "operation-node", "cbo-engine",
                                       "metadata-catalog", "monitoring", "query-interpreter",
                                       "tenant-node"}
    assert {service["port"] for service in answer["services"].values()} == \
        set(server.ports.values())
    for service in answer["services"].values():
        assert service["healthy"] is True and service["http_status"] == 200
        assert service["latency_ms"] > 0

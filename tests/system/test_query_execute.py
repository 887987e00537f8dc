"""POST /query/execute: the origin's question to the operation service, answered by the tenant's node."""
import pytest

from lib.quarry import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("execute") / "data").start()
    client = server.client()
    client.post("/sources/add", {"source_id": "sales", "name": "s", "connection_string": "file://s", "data_path": "s",
                                 "schema_definition": {"id": "int64", "region": "string", "amount": "double"}}).ok()
    records = [{"fields": {"id": i, "region": "north" if i % 2 else "süd", "amount": i / 4}} for i in range(10)]
    client.post("/data/write", {"source_id": "sales", "records": records}).ok()
    yield server
    server.stop()


def ask(server, query, **more):
    return server.client("operation").post("/query/execute", {"query": query, **more})


def test_sql(server):
    answer = ask(server, "SELECT region, sum(amount) AS total, count(*) AS n FROM sales GROUP BY region ORDER BY region",
                 optimization_level="basic", user_id="ada").ok()
    body = answer.json
    assert body["success"] is True and body["error_message"] is None
    assert body["query_id"] == answer.headers["X-Request-Id"]
    assert body["results"] == [{"region": "north", "total": 6.25, "n": 5}, {"region": "süd", "total": 5.0, "n": 5}]
    metadata = body["metadata"]
    assert metadata["total_rows_returned"] == 2 and metadata["nodes_involved"] == ["default_tenant"]
    assert metadata["execution_time_ms"] > 0 and metadata["partitions_processed"] == 0  # nothing is flushed


def test_other_dialects_and_large_numbers(server):
    assert ask(server, "SELECT `id` FROM `sales` ORDER BY `id` DESC LIMIT 1",
               dialect="mysql").ok().json["results"] == [{"id": 9}]
    text = ask(server, "SELECT 170141183460469231731687303715884105727 AS big, [1.5, NULL] AS list").ok().text
    assert "170141183460469231731687303715884105727" in text and "[1.5,null]" in text


def test_dsl_as_text(server):
    query = '{"from": "sales", "select": ["id"], "where": {"amount": {"gte": 2}}, "order_by": ["id"]}'
    assert ask(server, query).ok().json["results"] == [{"id": 8}, {"id": 9}]


def test_what_the_node_refuses_comes_as_it_is(server):
    fault = ask(server, "SELECT nothing FROM sales").refused((400, 422))
    assert "nothing" in fault["message"]
    ask(server, "{not json").refused(400, "invalid_json")
    ask(server, "DROP TABLE sales; SELECT 1").refused((400, 403, 422))
    ask(server, "").refused((400, 422))
    assert len(ask(server, "SELECT id FROM sales").ok().json["results"]) == 10

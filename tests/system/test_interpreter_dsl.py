"""The interpreter's side of the DSL: /parse/dsl, /dsl/schema, /transform/query."""

import json
import pathlib

import pytest

from lib.dsl_schema import problems

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILTER = {"query_type": "filter", "source": "sales_data", "conditions": [
    {"field": "customer_id", "operator": "eq", "value": "CUST_001"},
    {"field": "order_date", "operator": "gte", "value": "2024-01-01"}]}
AGGREGATE = {"query_type": "aggregate", "source": "sales_data", "group_by": ["customer_id"],
             "aggregations": [{"function": "sum", "field": "amount", "alias": "total_spent"},
                              {"function": "count", "field": "*", "alias": "order_count"}]}
JOIN = {"query_type": "filter", "source": {"name": "orders", "alias": "o"},
        "joins": [{"source": "people", "alias": "p", "type": "left",
                   "on": [{"left": "o.cid", "right": "p.id"}]}],
        "conditions": [{"field": "p.city", "operator": "eq", "value": "Oslo"},
                       {"not": {"not": {"field": "o.day", "operator": "gte",
                                        "value": "2024-01-01"}}},
                       {"field": "o.x", "operator": "not_in", "value": []}],
        "select": ["o.id", "p.name"],
        "order_by": [{"field": "o.amount", "direction": "desc"}], "limit": 10}


@pytest.fixture(scope="module")
def interpreter(server):
    return server.client("interpreter")


def parse(client, query, **more):
    return client.post("/parse/dsl", {"query": query, **more}).ok().json


def test_parse(interpreter):
    answer = parse(interpreter, FILTER)
    assert answer["sql"] == ('SELECT * FROM "sales_data" WHERE "customer_id" = $1 AND '
                             '"order_date" >= $2 LIMIT 1000')
    assert answer["parameters"] == ["CUST_001", "2024-01-01"]
    assert answer["tables"] == [{"name": "sales_data", "alias": None}]
    assert answer["columns"] == ["customer_id", "order_date"]
    assert answer["parsed_query"]["conditions"] == FILTER["conditions"]
    answer = parse(interpreter, AGGREGATE)
    assert answer["sql"] == ('SELECT "customer_id", sum("amount") AS "total_spent", count(*) AS '
                             '"order_count" FROM "sales_data" GROUP BY "customer_id" LIMIT 1000')
    assert answer["functions"] == ["sum", "count"] and answer["query_type"] == "aggregate"


def test_canonical_form_is_a_fixed_point(interpreter):
    for query in (FILTER, AGGREGATE, JOIN, "SEARCH FROM s WHERE a = 1 OR b.c IN (1, :p) LIMIT 3",
                  {"from": "s", "where": {"a": {"gt": 1, "lt": 5}, "b": "x"}, "sort": "a DESC"},
                  {"source": "s", "windows": [{"function": "lag", "field": "a", "alias": "l",
                                               "order_by": ["b"], "params": {"default": 0},
                                               "frame": {"start": -1, "end": "unbounded"}}]}):
        first = parse(interpreter, query)
        again = parse(interpreter, first["parsed_query"])
        assert again == first


def test_open_parameters_and_schema(interpreter):
    query = {"source": "t", "filters": {"a": {"gt": {"param": "low"}}}}
    answer = parse(interpreter, query)
    assert answer["parameters"] == [None] and answer["parameter_names"] == ["low"]
    answer = parse(interpreter, query, parameters={"low": 5}, schema={"t": {"a": "double"}})
    assert answer["sql"] == 'SELECT * FROM "t" WHERE "a" > CAST($1 AS DOUBLE) LIMIT 1000'
    refused = interpreter.post("/parse/dsl", {"query": query, "schema": {"t": {"b": "double"}}})
    assert refused.status == 422 and refused.json["error"]["code"] == "UNKNOWN_COLUMN"
    assert interpreter.post("/dsl/parse", {"query": "SEARCH FROM t"}).status == 200
    assert interpreter.post("/parse/dsl", {"query": "{"}).json["error"]["code"] == "INVALID_JSON"


# --- the schema of the language ---

def test_schema_is_published(interpreter):
    served = interpreter.get("/dsl/schema").ok().json
    kept = json.loads((ROOT / "docs/dsl.schema.json").read_text(encoding="utf-8"))
    assert served == kept, "docs/dsl.schema.json is not what /dsl/schema serves"


T = {"field": "a", "operator": "eq", "value": 1}
VALID = [
    FILTER, AGGREGATE, JOIN, {"from": "s"}, {"source": {"name": "s", "alias": "x"}},
    {"source": "s", "conditions": T}, {"source": "s", "conditions": [{"and": [T, {"not": T}]}]},
    {"source": "s", "conditions": {"field": "a", "operator": "is_null"}},
    {"source": "s", "conditions": {"column": "a", "op": "<>", "value": {"param": "p"}},
     "parameters": {"p": 1}},
    {"source": "s", "conditions": {"field": "a", "operator": "is_distinct", "value": None}},
    {"source": "s", "conditions": {"field": "a", "operator": "contains", "value": ["x"]}},
    {"source": "s", "conditions": {"field": "a", "operator": "between", "value": [1, 2]}},
    {"source": "s", "conditions": {"field": "a", "operator": "like", "value": "x%"}},
    {"source": "s", "conditions": {"field": "a.b[0][*].`c.d`", "operator": "in", "value": []}},
    {"source": "s", "filters": {"a": 1, "b": {"gt": 1, "lt": 2}, "c": {"null": True}}},
    {"source": "s", "select": ["*", "a", {"field": "b", "alias": "c"},
                               {"function": "upper", "args": ["x"], "alias": "u"}]},
    {"source": "s", "group_by": "a"}, {"source": "s", "aggregate": ["SUM(a) AS b", "count(*)"]},
    {"source": "s", "group_by": [{"field": "a", "bucket": "day"},
                                 {"field": "b", "bucket": {"width": 0.5}}]},
    {"source": "s", "aggregations": [{"type": "percentile", "column": "a", "params": {"p": 0}}]},
    {"source": "s", "order_by": ["a", "b desc", {"field": "c", "nulls": "first"}]},
    {"source": "s", "windows": [{"function": "count", "alias": "n", "partition_by": ["a"],
                                 "frame": {"mode": "rows", "start": "unbounded", "end": 0}}]},
    {"source": "s", "cursor": "*", "distinct": False, "limit": 5},
]
INVALID = [
    [], "x", {}, {"source": 5}, {"source": "s", "from": "s"}, {"source": "s", "lmit": 1},
    {"source": "s", "query_type": "insert"}, {"source": "s", "limit": -1},
    {"source": "s", "limit": 100001}, {"source": "s", "limit": 1.5}, {"source": ""},
    {"source": "s", "conditions": {"field": "a", "operator": "wat", "value": 1}},
    {"source": "s", "conditions": {"field": "a", "operator": "eq"}},
    {"source": "s", "conditions": {"operator": "eq", "value": 1}},
    {"source": "s", "conditions": {"field": "a", "operator": "eq", "value": None}},
    {"source": "s", "conditions": {"field": "a", "operator": "eq", "value": [1]}},
    {"source": "s", "conditions": {"field": "a", "operator": "in", "value": 1}},
    {"source": "s", "conditions": {"field": "a", "operator": "in", "value": [None]}},
    {"source": "s", "conditions": {"field": "a", "operator": "between", "value": [1]}},
    {"source": "s", "conditions": {"field": "a", "operator": "like", "value": 5}},
    {"source": "s", "conditions": {"field": "a", "operator": "is_null", "value": 5}},
    {"source": "s", "conditions": {"field": "a..b", "operator": "is_null"}},
    {"source": "s", "conditions": {"field": "a[x]", "operator": "is_null"}},
    {"source": "s", "conditions": {"and": []}}, {"source": "s", "conditions": {"or": [T], "x": 1}},
    {"source": "s", "conditions": {**T, "extra": 1}}, {"source": "s", "conditions": 5},
    {"source": "s", "filters": {"a": [1]}}, {"source": "s", "filters": {"a": {}}},
    {"source": "s", "filters": {"a": {"wat": 1}}}, {"source": "s", "select": []},
    {"source": "s", "select": [{"function": "upper", "args": []}]},
    {"source": "s", "select": ["a"], "group_by": ["a"], "query_type": "aggregate"},
    {"source": "s", "having": T}, {"source": "s", "query_type": "aggregate"},
    {"source": "s", "group_by": [{"field": "a", "bucket": "fortnight"}]},
    {"source": "s", "group_by": [{"field": "a", "bucket": {"width": 0}}]},
    {"source": "s", "aggregations": [{"function": "wat", "field": "a"}]},
    {"source": "s", "aggregations": ["sum"]},
    {"source": "s", "order_by": [{"field": "a", "direction": "up"}]},
    {"source": "s", "windows": [{"function": "count"}]}, {"source": "s", "parameters": []},
    {"source": "s", "joins": [{"alias": "x"}]}, {"source": "s", "distinct": "yes"},
]


@pytest.mark.parametrize("valid", [True, False])
def test_schema_and_parser_agree(interpreter, valid):
    schema = interpreter.get("/dsl/schema").ok().json
    for query in VALID if valid else INVALID:
        found = problems(schema, query)
        assert (not found) is valid, (query, found)
        answer = interpreter.post("/parse/dsl", {"query": query})
        assert (answer.status == 200) is valid, (query, answer.data)


# --- plans ---

def transform(client, query, level="aggressive", **more):
    return client.post("/transform/query", {"parsed_query": query, "optimization_level": level,
                                            **more}).ok().json


def rules(answer):
    return [rule["rule"] for rule in answer["rules_applied"]]


def test_levels_differ(interpreter):
    none, basic, aggressive = [transform(interpreter, JOIN, level)
                               for level in ("none", "basic", "aggressive")]
    assert rules(none) == []
    assert rules(basic) == ["constant_folding", "predicate_pushdown", "top_k", "column_pruning"]
    assert rules(aggressive) == ["constant_folding", "outer_join_to_inner", "predicate_pushdown",
                                 "top_k", "partition_pruning", "column_pruning",
                                 "join_reordering"]
    assert none["logical_plan"]["operator"] == "limit"
    top = basic["logical_plan"]["input"]
    assert top["operator"] == "top_k" and top["limit"] == 10
    kept = top["input"]  # what the outer join's other side must not see beforehand
    assert [test["args"][0]["column"] for test in kept["conditions"]] == ["city"]
    assert kept["input"]["type"] == "left"
    assert kept["input"]["left"]["pushed_filters"][0]["function"] == "gte"
    join = aggressive["logical_plan"]["input"]["input"]
    assert join["type"] == "inner" and join["right"]["pushed_filters"][0]["function"] == "eq"
    assert sorted(join["left"]["columns"]) == ["amount", "cid", "day", "id"]
    assert sorted(join["right"]["columns"]) == ["city", "id", "name"]
    assert aggressive["execution_plan"]["optimization_plan"]["join_order"] == ["p", "o"]


def test_execution_plan(interpreter):
    plan = transform(interpreter, AGGREGATE, query_id="mine")["execution_plan"]
    assert set(plan) == {"query_id", "internal_query", "optimization_plan", "estimated_cost",
                         "execution_strategy", "parallelism", "cache_enabled", "timeout_ms"}
    assert plan["query_id"] == "mine"
    assert plan["execution_strategy"] == "single_source_aggregation"
    assert (plan["parallelism"], plan["timeout_ms"]) == (2, 35000)
    query = plan["internal_query"]
    assert set(query) == {"source_ids", "filters", "projections", "aggregations", "joins",
                          "order_by", "group_by", "limit", "offset", "query_type",
                          "optimization_hints"}
    assert query["source_ids"] == ["sales_data"] and query["group_by"] == ["customer_id"]
    assert query["aggregations"] == [
        {"type": "sum", "column": "amount", "alias": "total_spent"},
        {"type": "count", "column": "*", "alias": "order_count"}]
    plan = transform(interpreter, FILTER)["execution_plan"]
    assert plan["internal_query"]["filters"] == {"customer_id": {"eq": "CUST_001"},
                                                 "order_date": {"gte": "2024-01-01"}}
    assert plan["internal_query"]["optimization_hints"]["partition_pruning_candidate"] is True


@pytest.mark.parametrize("query, rule", [
    ({"source": "s", "conditions": {"field": "a", "operator": "between", "value": [5, 2]}},
     "empty_result"),
    ({"source": "s", "conditions": {"field": "a", "operator": "in", "value": []}}, "empty_result"),
    ({"source": "s", "aggregations": ["COUNT(*)"]}, "metadata_only"),
    ({"source": "s", "group_by": ["a"], "aggregations": ["SUM(b)"]}, "partial_aggregation"),
    ({"source": "s", "limit": 5}, "limit_pushdown"),
    ({"source": "s", "conditions": [T, T]}, "constant_folding"),
])
def test_rules(interpreter, query, rule):
    assert rule in rules(transform(interpreter, query))
    assert rules(transform(interpreter, query, "none")) == []


def test_having_on_groups_goes_below(interpreter):
    answer = transform(interpreter, {
        "source": "s", "group_by": [{"field": "c", "alias": "k"}], "aggregations": ["SUM(a) AS t"],
        "having": [{"field": "k", "operator": "eq", "value": "x"},
                   {"field": "t", "operator": "gt", "value": 1}]}, "basic")
    plan = answer["logical_plan"]["input"]
    assert [test["args"][0]["column"] for test in plan["conditions"]] == ["t"]
    assert plan["input"]["input"]["pushed_filters"][0]["args"][0] == {"column": "c"}


def test_forms_of_a_query(interpreter):
    """The answer of a parse, its tree, the text and the origin's form give one plan."""
    parsed = parse(interpreter, "SEARCH FROM s WHERE a > 1 SELECT a ORDER BY a DESC LIMIT 5")
    whole, tree = transform(interpreter, parsed), transform(interpreter, parsed["parsed_query"])
    origin = interpreter.post("/transform", {"optimization_level": "aggressive", "internal_query": {
        "source_ids": ["s"], "filters": {"a": {"gt": 1}}, "projections": ["a"], "aggregations": [],
        "joins": [], "order_by": [{"column": "a", "direction": "DESC"}], "group_by": [], "limit": 5,
        "offset": 0, "query_type": "select", "optimization_hints": {}}}).ok().json
    assert whole["logical_plan"] == tree["logical_plan"] == origin["logical_plan"]
    for body in ({}, {"parsed_query": FILTER, "internal_query": {}},
                 {"parsed_query": FILTER, "optimization_level": "wild"},
                 {"parsed_query": {"source": "s", "oops": 1}}, {"parsed_query": {"kind": "drop"}}):
        assert interpreter.post("/transform/query", body).status == 400


def test_sql(interpreter):
    """A statement, its parse and the parse's tree give one plan; DSL and SQL one fingerprint."""
    sql = "SELECT customer_id, SUM(amount) AS total FROM sales_data WHERE order_date >= " \
          "'2024-01-01' GROUP BY customer_id ORDER BY total DESC LIMIT 7"
    parsed = interpreter.post("/parse/sql", {"query": sql}).ok().json
    answers = [transform(interpreter, form) for form in (sql, parsed, parsed["parsed_query"])]
    assert answers[0]["logical_plan"] == answers[1]["logical_plan"] == answers[2]["logical_plan"]
    assert {"predicate_pushdown", "top_k", "partial_aggregation"} <= set(rules(answers[0]))
    assert answers[0]["execution_plan"]["internal_query"]["filters"] == {
        "order_date": {"gte": "2024-01-01"}}
    dsl = parse(interpreter, "AGGREGATE SUM(amount) AS total FROM sales_data WHERE order_date >= "
                "'2020-01-01' GROUP BY customer_id ORDER BY total DESC LIMIT 3")
    assert dsl["fingerprint"] == parsed["fingerprint"]
    for text in ("SELECT", "SELECT 1 FROM", "WITH x"):
        answer = interpreter.post("/transform/query", {"parsed_query": text})
        assert answer.status in (400, 422), text


def test_cache(new_server):
    server = new_server(settings=["--query-plan-cache-size=2"])
    client = server.client("interpreter")
    queries = [{"source": "s", "limit": n} for n in (1, 2, 3)]
    first = transform(client, queries[0])
    again = transform(client, queries[0])
    assert (first["cached"], again["cached"]) == (False, True)
    assert first["logical_plan"] == again["logical_plan"]
    assert transform(client, queries[0], "none")["cached"] is False
    transform(client, queries[1])  # the first is now the oldest
    answer = transform(client, queries[0])
    assert answer["cached"] is False
    assert answer["cache"]["entries"] == 2 and answer["cache"]["capacity"] == 2
    assert answer["cache"]["evictions"] == 2
    assert 'quarry_plan_cache_total{outcome="hit"} 1' in client.get("/metrics").text

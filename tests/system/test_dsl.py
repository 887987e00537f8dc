"""POST /query/dsl: the JSON DSL and its text form over flushed and unflushed rows."""

import json

import pytest

SEED_FILTER = {"query_type": "filter", "source": "dsl_sales", "conditions": [
    {"field": "customer_id", "operator": "eq", "value": "CUST_001"},
    {"field": "order_date", "operator": "gte", "value": "2024-01-01"}]}
SEED_AGGREGATE = {"query_type": "aggregate", "source": "dsl_sales", "group_by": ["customer_id"],
                  "aggregations": [
                      {"function": "sum", "field": "amount", "alias": "total_spent"},
                      {"function": "count", "field": "*", "alias": "order_count"}]}


@pytest.fixture(scope="module")
def sales(session_client):
    """Orders of three customers, partly flushed; the last has nothing but its id."""
    client = session_client
    client.add_source("dsl_sales", {"order_id": "int64", "customer_id": "string",
                                    "amount": "float64", "order_date": "datetime64[ns]",
                                    "day": "date", "paid": "bool", "doc": "json"})
    client.add_source("dsl_sales_old", {"order_id": "int64", "customer_id": "string",
                                        "amount": "int64", "region": "string"})
    client.add_source("dsl_people", {"name": "string", "city": "string"})
    rows = [{"order_id": n, "customer_id": f"CUST_00{n % 3}", "amount": n * 1.5,
             "order_date": f"2024-01-0{n % 4 + 1}T0{n}:00:00", "day": f"2024-01-0{n % 4 + 1}",
             "paid": n % 2 == 0,
             "doc": {"a": {"b": n}, "tags": ["x", n], "s": f"text{n}", "list": [{"v": n}, {"v": -n}],
                     "odd.key": n, "none": None}} for n in range(8)]
    client.write("dsl_sales", rows[:5])
    client.flush("dsl_sales")
    client.write("dsl_sales", rows[5:] + [{"order_id": 8}])
    client.write("dsl_sales_old", [{"order_id": 100, "customer_id": "CUST_009", "amount": 5,
                                    "region": "north"}])
    client.write("dsl_people", [{"name": "CUST_000", "city": "Oslo"},
                                {"name": "CUST_001", "city": "Rome"}])
    return client


def rows(client, query, **options):
    return client.post("/query/dsl", {"query": query, **options}).ok().json["rows"]


def ids(client, conditions):
    return [row[0] for row in rows(client, {
        "source": "dsl_sales", "select": ["order_id"], "conditions": conditions,
        "order_by": ["order_id"]})]


def test_seed_examples(sales):
    answer = sales.post("/query/dsl", SEED_FILTER).ok().json  # the body is the query itself
    assert answer["success"] is True and answer["row_count"] == 3 and answer["truncated"] is False
    assert [row[0] for row in answer["rows"]] == [1, 4, 7]
    answer = sales.post("/query/dsl", {"query": SEED_AGGREGATE}).ok().json
    assert [column["name"] for column in answer["columns"]] == \
        ["customer_id", "total_spent", "order_count"]
    assert sorted(answer["rows"], key=str) == sorted(
        [["CUST_000", 13.5, 3], ["CUST_001", 18.0, 3], ["CUST_002", 10.5, 2], [None, None, 1]],
        key=str)


@pytest.mark.parametrize("field, operator, value, expected", [
    ("amount", "gte", 6, [4, 5, 6, 7]), ("order_id", "gt", 2.5, [3, 4, 5, 6, 7, 8]),
    ("order_id", "gt", -2.5, [0, 1, 2, 3, 4, 5, 6, 7, 8]), ("order_id", "lt", 1e300, list(range(9))),
    ("order_id", "eq", 2.5, []), ("order_id", "ne", 2.5, list(range(9))),
    ("order_id", "lte", "9223372036854775808", list(range(9))),
    ("order_id", "in", [1, 2.0, 3.5, "4"], [1, 2, 4]),
    ("order_id", "not_in", [1, 2.0, 3.5, "4"], [0, 3, 5, 6, 7, 8]),
    ("amount", "eq", 9007199254740993, []), ("amount", "lt", 9007199254740993, list(range(8))),
    ("customer_id", "ne", "CUST_001", [0, 2, 3, 5, 6]), ("paid", "eq", True, [0, 2, 4, 6]),
    ("customer_id", "not_in", ["CUST_001", "x"], [0, 2, 3, 5, 6]),
    ("customer_id", "in", [], []), ("customer_id", "not_in", [], list(range(9))),
    ("day", "gt", "2024-01-03T12:00:00", [3, 7]), ("day", "between", ["2024-01-03", "2024-01-04"],
                                                   [2, 3, 6, 7]),
    ("order_date", "lt", "2024-01-01T05:00:00+01:00", [0]),
    ("order_id", "between", [5, 2], []), ("order_id", "not_between", [1, 7], [0, 8]),
    ("customer_id", "like", "CUST%1", [1, 4, 7]), ("customer_id", "like", "CUST\\_001", [1, 4, 7]),
    ("customer_id", "like", "CUST\\%", []), ("customer_id", "not_like", "%1", [0, 2, 3, 5, 6]),
    ("customer_id", "ilike", "cust%2", [2, 5]), ("customer_id", "contains", "T_00", list(range(8))),
    ("customer_id", "contains", "%", []), ("customer_id", "not_contains", "1", [0, 2, 3, 5, 6]),
    ("customer_id", "starts_with", "CUST", list(range(8))), ("customer_id", "ends_with", "2", [2, 5]),
    ("customer_id", "regex", "0[12]$", [1, 2, 4, 5, 7]),
    ("customer_id", "is_null", None, [8]), ("customer_id", "is_not_null", None, list(range(8))),
    ("amount", "is_distinct", 3, [0, 1, 3, 4, 5, 6, 7, 8]), ("amount", "is_not_distinct", 3, [2]),
    ("amount", "is_distinct", None, list(range(8))),
    ("doc.a.b", "gt", 3, [4, 5, 6, 7]), ("doc.a.b", "eq", 3.0, [3]), ("doc.a.b", "eq", "3", []),
    ("doc.a.b", "ne", "3", list(range(8))), ("doc.a.b", "in", [2, "x", 4], [2, 4]),
    ("doc.a.b", "not_in", [2, "x", 4], [0, 1, 3, 5, 6, 7]), ("doc.a.b", "between", [2, 4], [2, 3, 4]),
    ("doc.s", "eq", "text3", [3]), ("doc.s", "gt", 3, []), ("doc.s", "like", "%3", [3]),
    ("doc.s", "contains", "xt4", [4]), ("doc.s", "regex", "t[12]$", [1, 2]),
    ("doc.tags", "contains", "x", list(range(8))), ("doc.tags", "contains", 5, [5]),
    ("doc.tags", "not_contains", 5, [0, 1, 2, 3, 4, 6, 7]), ("doc.tags[1]", "eq", 5, [5]),
    ("doc.tags", "has_any", ["y", 2], [2]), ("doc.tags", "has_all", ["x", 2], [2]),
    ("doc.list[*].v", "eq", -3, [3]), ("doc.list[*].v", "ne", 3, [0, 1, 2, 4, 5, 6, 7]),
    ("doc.`odd.key`", "eq", 3, [3]), ("doc.list.1.v", "lt", -5, [6, 7]),
    ("doc.none", "is_null", None, list(range(9))), ("doc.none", "exists", None, list(range(8))),
    ("doc.nothing", "exists", None, []), ("doc.nothing", "not_exists", None, list(range(9))),
    ("doc.nothing", "ne", 1, []), ("doc.a.b", "is_distinct", 2, [0, 1, 3, 4, 5, 6, 7, 8]),
], ids=str)
def test_operators(sales, field, operator, value, expected):
    test = {"field": field, "operator": operator}
    if value is not None or operator == "is_distinct":
        test["value"] = value
    assert ids(sales, [test]) == expected
    # TLP: every row passes the test, its negation, or neither
    passes, fails = ids(sales, [test]), ids(sales, [{"not": test}])
    assert not set(passes) & set(fails)
    unknown = set(range(9)) - set(passes) - set(fails)
    assert unknown <= {8} or field.startswith("doc.no")


def test_case(sales):
    test = {"field": "customer_id", "operator": "eq", "value": "cust_001", "case_sensitive": False}
    assert ids(sales, test) == [1, 4, 7]
    assert ids(sales, {**test, "operator": "in", "value": ["cust_001", "CUST_002"]}) == \
        [1, 2, 4, 5, 7]
    assert ids(sales, {**test, "operator": "ends_with", "value": "T_001"}) == [1, 4, 7]


def test_logic(sales):
    def test(field, operator, value):
        return {"field": field, "operator": operator, "value": value}
    assert ids(sales, {"or": [test("order_id", "eq", 1), {"and": [
        test("order_id", "gt", 5), {"not": test("paid", "eq", True)}]}]}) == [1, 7]
    assert ids(sales, {"not": {"or": [test("amount", "gt", 3), test("customer_id", "eq", "x")]}}) == \
        [0, 1, 2]
    assert ids(sales, []) == list(range(9))


def test_long_lists(sales):
    assert ids(sales, [{"field": "order_id", "operator": "in", "value": list(range(3, 5000))}]) == \
        [3, 4, 5, 6, 7, 8]
    names = ["CUST_001"] + [f"none'\"{n}" for n in range(500)]
    assert ids(sales, [{"field": "customer_id", "operator": "in", "value": names}]) == [1, 4, 7]
    assert ids(sales, [{"field": "customer_id", "operator": "not_in", "value": names}]) == \
        [0, 2, 3, 5, 6]
    days = ["2024-01-03"] + [f"2023-{n % 12 + 1:02}-{n % 28 + 1:02}" for n in range(300)]
    assert ids(sales, [{"field": "day", "operator": "in", "value": days}]) == [2, 6]


@pytest.mark.parametrize("query, expected", [
    ({"group_by": ["customer_id"], "aggregations": [{"function": "sum", "field": "amount",
                                                     "alias": "t"}],
      "having": [{"field": "t", "operator": "gt", "value": 10.5}],
      "order_by": [{"field": "t", "direction": "desc"}]}, [["CUST_001", 18.0], ["CUST_000", 13.5]]),
    ({"group_by": ["customer_id"], "aggregations": ["COUNT(*)"],
      "order_by": [{"field": "count", "nulls": "first"}, {"field": "customer_id", "nulls": "first"}]},
     [[None, 1], ["CUST_002", 2], ["CUST_000", 3], ["CUST_001", 3]]),
    ({"group_by": [{"field": "order_id", "bucket": {"width": 4}, "alias": "b"},
                   {"field": "day", "bucket": "month"}],
      "aggregations": [{"function": "count", "field": "*"}], "order_by": ["b"]},
     [[0, "2024-01-01", 4], [4, "2024-01-01", 4], [8, None, 1]]),
    ({"group_by": [{"field": "order_date", "bucket": "day"}], "aggregations": ["COUNT(*)"],
      "order_by": ["order_date"], "limit": 1}, [["2024-01-01T00:00:00", 2]]),
    ({"aggregations": [
        {"function": "avg", "field": "amount"}, {"function": "min", "field": "customer_id"},
        {"function": "max", "field": "day"}, {"function": "count_distinct", "field": "customer_id"},
        {"function": "count", "field": "amount"}, {"function": "median", "field": "order_id"},
        {"function": "percentile", "field": "amount", "params": {"p": 0.25}},
        {"function": "first", "field": "order_id", "params": {
            "order_by": [{"field": "amount", "direction": "desc"}]}},
        {"function": "string_agg", "field": "customer_id", "params": {
            "separator": "'|", "order_by": ["order_id"]}, "where": {
                "field": "order_id", "operator": "lt", "value": 2}},
        {"function": "bool_and", "field": "paid"}, {"function": "sum", "field": "order_id",
                                                    "distinct": True},
        {"function": "min", "field": "doc.a.b"}, {"function": "max", "field": "doc.s"},
        {"function": "sum", "field": "doc.a.b"}]},
     [[5.25, "CUST_000", "2024-01-04", 3, 8, 4.0, 2.625, 7, "CUST_000'|CUST_001", False, 36, 0,
       "text7", 28.0]]),
    ({"aggregations": ["SUM(amount)", "COUNT(*)"],
      "conditions": {"field": "order_id", "operator": "gt", "value": 99}}, [[None, 0]]),
    ({"group_by": ["doc.a.b"], "aggregations": ["COUNT(*)"],
      "order_by": [{"field": "doc.a.b", "direction": "desc"}], "limit": 2}, [[7, 1], [6, 1]]),
    ({"group_by": ["paid"], "order_by": ["paid"]}, [[False], [True], [None]]),
], ids=lambda value: json.dumps(value)[:50])
def test_aggregates(sales, query, expected):
    found = rows(sales, {"query_type": "aggregate", "source": "dsl_sales", **query})
    assert [[None if value is None else value for value in row] for row in found] == expected


@pytest.mark.parametrize("query, expected", [
    ({"select": ["order_id", {"field": "doc.a.b", "alias": "ab"}], "limit": 1, "offset": 2,
      "order_by": ["order_id"]}, [[2, 2]]),
    ({"select": [{"function": "upper", "args": ["ab'c"], "alias": "u"},
                 {"function": "add", "args": [{"field": "order_id"}, {"function": "multiply",
                                                                    "args": [2, 3]}],
                  "alias": "x"}], "order_by": ["x"], "limit": 1}, [["AB'C", 6]]),
    ({"select": ["customer_id"], "distinct": True, "order_by": [
        {"field": "customer_id", "direction": "desc"}]},
     [["CUST_002"], ["CUST_001"], ["CUST_000"], [None]]),
    ({"select": ["order_id"], "order_by": [{"field": "doc.a.b", "direction": "desc"}], "limit": 3},
     [[7], [6], [5]]),
    ({"select": ["order_id"], "windows": [
        {"function": "row_number", "partition_by": ["customer_id"], "alias": "n",
         "order_by": [{"field": "amount", "direction": "desc"}]},
        {"function": "sum", "field": "amount", "order_by": ["order_id"], "alias": "s",
         "frame": {"mode": "rows", "start": -1, "end": "current"}},
        {"function": "lag", "field": "order_id", "params": {"offset": 2, "default": -1},
         "order_by": ["order_id"], "alias": "before"}],
      "qualify": {"field": "n", "operator": "eq", "value": 1}, "order_by": ["order_id"]},
     [[5, 1, 13.5, 3], [6, 1, 16.5, 4], [7, 1, 19.5, 5], [8, 1, 10.5, 6]]),
    ({"joins": [{"source": "dsl_people", "alias": "p", "type": "left",
                 "on": [{"left": "dsl_sales.customer_id", "right": "p.name"}]}],
      "select": ["order_id", "p.city"], "conditions": {"field": "p.city", "operator": "is_null"},
      "order_by": ["order_id"]}, [[2, None], [5, None], [8, None]]),
    ({"joins": [{"source": "dsl_people", "type": "anti",
                 "on": [{"left": "customer_id", "right": "name"}]}],
      "select": ["order_id"], "order_by": ["order_id"]}, [[2], [5], [8]]),
    ({"source": "dsl_sales*", "select": ["order_id", "amount", "region"],
      "order_by": [{"field": "order_id", "direction": "desc"}], "limit": 2},
     [[100, 5.0, "north"], [8, None, None]]),
    ({"from": "dsl_sales", "where": {"customer_id": "CUST_001", "amount": {"gte": 2, "lt": 9}},
      "select": ["order_id"], "sort": ["order_id DESC"]}, [[4]]),
], ids=lambda value: json.dumps(value)[:50])
def test_filters(sales, query, expected):
    if "from" not in query:
        query = {"query_type": "filter", "source": "dsl_sales", **query}
    assert rows(sales, query) == expected


@pytest.mark.parametrize("text, expected", [
    ("SEARCH FROM dsl_sales WHERE amount >= 3 AND amount <= 9 AND NOT (customer_id IN "
     "('CUST_002', :x)) SELECT order_id, doc.a.b AS ab ORDER BY order_id DESC LIMIT 5", [[4, 4]]),
    ("aggregate sum(amount) as total, count(*) from dsl_sales group by customer_id "
     "having total > 10.5 order by total", [["CUST_000", 13.5, 3], ["CUST_001", 18.0, 3]]),
    ("AGGREGATE FROM dsl_sales SELECT paid, COUNT(*) ORDER BY paid NULLS FIRST",
     [[None, 1], [False, 4], [True, 4]]),
    ("SEARCH FROM dsl_sales WHERE order_id = 1 OR order_id BETWEEN 3 AND 4 AND paid = true "
     "SELECT order_id ORDER BY order_id", [[1], [4]]),
    ("SEARCH FROM \"dsl_sales\" WHERE customer_id IS NULL SELECT order_id", [[8]]),
    ("SEARCH FROM dsl_sales WHERE customer_id = 'it''s' SELECT order_id", []),
], ids=str)
def test_text(sales, text, expected):
    assert rows(sales, text, parameters={"x": "CUST_000"}) == expected


def test_parameters(sales):
    query = {"source": "dsl_sales", "select": ["order_id"], "order_by": ["order_id"],
             "filters": {"order_id": {"in": {"param": "ids"}, "lt": {"param": "most"}}}}
    assert rows(sales, query, parameters={"ids": [1, 2, 3], "most": 3}) == [[1], [2]]
    assert rows(sales, {**query, "parameters": {"ids": [5], "most": 9}}) == [[5]]
    answer = sales.post("/query/dsl", {"query": query, "parameters": {"ids": [1]}})
    error = answer.json["error"]
    assert (answer.status, error["code"], error["path"]) == \
        (400, "MISSING_FIELD", "/filters/order_id/lt")


def test_truncated_and_formats(sales):
    query = {"source": "dsl_sales", "select": ["order_id"], "order_by": ["order_id"]}
    for limit, count, truncated in ((0, 0, True), (3, 3, True), (9, 9, False), (10, 9, False)):
        answer = sales.post("/query/dsl", {**query, "limit": limit}).ok().json
        assert (answer["row_count"], answer["truncated"]) == (count, truncated)
    answer = sales.post("/query/dsl", {"query": {**query, "limit": 2}, "format": "ndjson"}).ok()
    assert answer.lines() == [{"order_id": 0}, {"order_id": 1}]
    answer = sales.post("/query/dsl", {**query, "limit": 2, "format": "csv"}).ok()
    assert answer.data == b"order_id\r\n0\r\n1\r\n"


def test_mistakes_are_told_at_once(sales):
    answer = sales.post("/query/dsl", {
        "source": "dsl_sales", "lmit": 1, "conditions": [
            {"field": "amout", "operator": "gt", "value": 1},
            {"field": "amount", "operator": "gtt", "value": 1},
            {"field": "order_id", "operator": "eq", "value": "x"}]})
    assert answer.status == 400
    found = {(error["code"], error["path"]) for error in answer.json["errors"]}
    assert found == {("UNKNOWN_KEY", "/lmit"), ("UNKNOWN_COLUMN", "/conditions/0/field"),
                     ("UNKNOWN_OPERATOR", "/conditions/1/operator"),
                     ("TYPE_MISMATCH", "/conditions/2/value")}
    assert answer.json["errors"][0]["hint"] == 'did you mean "limit"?'
    answer = sales.post("/query/dsl", {"source": "dsl_sales", "select": ["nope"]})
    assert answer.status == 422 and answer.json["error"]["code"] == "UNKNOWN_COLUMN"
    assert sales.post("/query/dsl", "not an object").status == 400
    assert sales.post("/query/dsl", {"source": "dsl_sales", "timeout_ms": 0}).status == 400


EVIL = ["'", '"', "'; DROP TABLE dsl_sales; --", '" OR 1=1 --', "\\", "\\'", "$1", "$$", "/* x",
        "%", "`", "\u0000", "a\nb", "?", "{}", "né'\"", "'||(SELECT 1)||'", "x'y\"z`w"]


@pytest.mark.parametrize("evil", EVIL, ids=repr)
def test_injection(sales, evil):
    """As a value it matches nothing, as a name it is refused or stays a name; nothing breaks."""
    if evil != "\u0000":
        for operator in ("eq", "contains", "starts_with", "in"):
            value = [evil] if operator == "in" else evil
            assert ids(sales, [{"field": "customer_id", "operator": operator, "value": value}]) == []
            assert ids(sales, [{"field": "doc.s", "operator": operator, "value": value}]) == []
        answer = sales.post("/query/dsl", {"source": "dsl_sales", "limit": 1, "select": [
            {"field": "order_id", "alias": evil}]}).ok().json
        assert answer["columns"][0]["name"] == evil
    for query in ({"select": [evil]}, {"order_by": [evil]}, {"group_by": [evil]},
                  {"aggregations": [{"function": evil, "field": "order_id"}]},
                  {"source": evil}, {"filters": {evil: 1}}):
        answer = sales.post("/query/dsl", {"source": "dsl_sales", **query})
        assert answer.status in (400, 422), query
    for path in (f"doc.{evil}", f"doc[{evil}]", f"doc.`{evil}`", f"doc.list[*].{evil}"):
        answer = sales.post("/query/dsl", {"source": "dsl_sales", "select": ["order_id", path]})
        assert answer.status in (200, 400, 422), path
        if answer.status == 200:
            assert answer.json["row_count"] == 9
    assert len(ids(sales, [])) == 9


@pytest.mark.parametrize("order_by", [[], ["g"], [{"field": "g", "direction": "desc"}, "v"]])
@pytest.mark.parametrize("distinct", [False, True])
def test_cursor(client, name, order_by, distinct):
    """The pages hold every row once, ties, twins and writes meanwhile notwithstanding."""
    client.add_source(name, {"g": "int64", "v": "string", "j": "json"})
    records = [{"g": n % 3, "v": f"v{n % 7}", "j": {"n": n % 2}} for n in range(100)]
    client.write(name, records[:50])
    client.flush(name)
    client.write(name, records[50:])
    query = {"source": name, "select": ["g", "v"], "order_by": order_by, "limit": 13,
             "distinct": distinct, "cursor": "*"}
    pages, used = [], []
    while query["cursor"]:
        answer = client.post("/query/dsl", query).ok().json
        pages.append(answer["rows"])
        assert answer["truncated"] is (answer["cursor"] is not None)
        used.append(query["cursor"])
        query["cursor"] = answer["cursor"]
        client.write(name, [{"g": 1, "v": "later"}])
    found = [row for page in pages for row in page]
    expected = [[record["g"], record["v"]] for record in records]
    if distinct:
        expected = [list(row) for row in {tuple(row) for row in expected}]
    assert sorted(found) == sorted(expected)
    assert all(len(page) == 13 for page in pages[:-1])
    if order_by == ["g"]:
        assert [row[0] for row in found] == sorted(row[0] for row in found)
    for bad in (used[-1], "0-0000000000000000", "nonsense", "'"):
        if bad != "*":
            answer = client.post("/query/dsl", {**query, "cursor": bad})
            assert (answer.status, answer.json["error"]["code"]) == (400, "BAD_CURSOR"), bad


def test_cursor_is_of_one_query(client, sales):
    query = {"source": "dsl_sales", "select": ["order_id"], "limit": 2, "cursor": "*"}
    cursor = client.post("/query/dsl", query).ok().json["cursor"]
    answer = client.post("/query/dsl", {**query, "cursor": cursor, "select": ["amount"]})
    assert answer.status == 400 and answer.json["error"]["code"] == "BAD_CURSOR"
    page = client.post("/data/search", {"source_ids": ["dsl_sales"], "limit": 2,
                                        "cursor": "*"}).ok().json[0]
    answer = client.post("/query/dsl", {**query, "cursor": page["cursor"]})
    assert answer.json["error"]["code"] == "BAD_CURSOR"
    assert client.post("/query/dsl", {"query": query, "format": "csv"}).status == 400

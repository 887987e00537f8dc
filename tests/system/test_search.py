"""POST /data/search: operators, paging, forms; and the same answer whatever state the rows are in.

The differential test keeps the same rows in sources that differ in what must not matter (unflushed,
half flushed, flushed; with indexes, with partitions) and compares random filters (fixed seed) with
the evaluator `holds`, the filter language in thirty lines of Python."""

import datetime
import json
import random
import re
import time

import pytest

SCHEMA = {"id": "int64", "b": "bool", "i": "int64", "f": "float64", "s": "string", "d": "date",
          "t": "datetime64[ns]", "j": "json"}
NUMBERS = [-3, -1, 0, 1, 2, 7, 2**53, 2**53 + 1, 2**63 - 1, -2**63]
REALS = [-2.5, -0.0, 0.5, 1.0, 2.0, 7.25, 1e300, 9007199254740992.0, 5e-324]
TEXTS = ["", "a", "A", "ab", "abc", "b%", "b_", "ä", "añb", "zz", "日本", "x\u0000y", "quote'\"\\",
         "😀 smile", "10", "9"]
DATES = ["1969-12-31", "1970-01-01", "2024-02-29", "2024-03-01", "2025-12-31"]
TIMES = ["1969-12-31T23:59:59.999999", "2024-02-29T00:00:00", "2024-02-29T12:30:00.5",
         "2024-03-01T00:00:00"]


# --- the evaluator ---

def micros(text):
    moment = datetime.datetime.fromisoformat(text)
    return round((moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(microseconds=1))


def like_to_regex(pattern):
    out = ""
    chars = iter(pattern)
    for c in chars:
        if c == "\\":
            out += re.escape(next(chars))
        else:
            out += {"%": ".*", "_": "."}.get(c) or re.escape(c)
    return re.compile(out, re.DOTALL)


def kind_of(value):
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "nested"


def value_at(row, field):
    """A column, or a path into a nested one."""
    if field in row:
        return row[field]
    value = row
    for part in field.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def compares(op, value, literal):
    same = kind_of(value) == kind_of(literal) != "nested"
    if op == "ne":
        return not (same and value == literal)
    if not same:
        return False
    return {"eq": value == literal, "gt": value > literal, "gte": value >= literal,
            "lt": value < literal, "lte": value <= literal}[op]


def passes(field, op, value, literal):
    if op == "null":
        return (value is None) == literal
    if literal is None and op in ("eq", "ne"):
        return (value is None) == (op == "eq")
    if value is None or literal is None:
        return False
    if op in ("in", "in_list"):
        return any(x is not None and compares("eq", value, x) for x in literal)
    if op == "not_in":
        return None not in literal and not any(compares("eq", value, x) for x in literal)
    if op == "like":
        return kind_of(value) == "text" and like_to_regex(literal).fullmatch(value) is not None
    if op == "regex":
        return kind_of(value) == "text" and re.search(literal, value) is not None
    return compares(op, value, literal)




def holds(row, filters):
    for field, condition in filters.items():
        value = value_at(row, field)
        times = field in ("d", "t")
        if not isinstance(condition, dict):
            condition = {"eq": condition}
        for op, literal in condition.items():
            if times and value is not None and op != "null":
                if isinstance(literal, list):
                    literal = [x if x is None else micros(x) for x in literal]
                elif literal is not None:
                    literal = micros(literal)
                if not passes(field, op, micros(value), literal):
                    return False
            elif not passes(field, op, value, literal):
                return False
    return True


# --- the rows ---

def make_row(rng, number):
    row = {
        "id": number,
        "b": rng.choice([True, False]),
        "i": rng.choice(NUMBERS),
        "f": rng.choice(REALS),
        "s": rng.choice(TEXTS),
        "d": rng.choice(DATES),
        "t": rng.choice(TIMES),
        "j": rng.choice([True, False, 1, 1.0, 2.5, 2**63, "1", "a", "true", [], {}, [1], {"k": 1}]),
        "o": {"k": rng.choice(NUMBERS[:6] + ["a", None, True, [1, "x"]]), "n": {"m": number % 7}},
        "u": rng.choice(TEXTS[:8]),
    }
    for column in list(row)[1:]:
        if rng.random() < 0.12:
            if rng.random() < 0.5:
                row[column] = None
            else:
                del row[column]
    return row


def random_literal(rng, field):
    pools = {"b": [True, False], "s": TEXTS, "u": TEXTS, "d": DATES + TIMES, "t": DATES + TIMES,
             "id": [0, 5, 17, 99, 250, 300, 444, 599, 10**6],
             "j": [True, False, 1, 2, 2.5, 2**63, "1", "a", "true"],
             "o.k": [0, 1, 2.0, "a", True], "o.n.m": [0, 3, 3.0, 6.5], "o.k.1": ["x", 1],
             "nowhere": [1, "a", True]}
    numbers = [x for x in NUMBERS] + [x for x in REALS] + [0.5, 2**64 - 1, -1e300, 1.5]
    return rng.choice(pools.get(field, numbers))


FIELDS = ["id", "b", "i", "f", "s", "d", "t", "j", "u", "o.k", "o.n.m", "o.k.1", "nowhere"]
TEXT_FIELDS = ("s", "u", "j", "o.k", "nowhere")
LIKES = ["%", "a%", "%b", "a_c", "_", "__", "%b%", "b\\%", "b\\_", "", "日_", "%\\\\%", "a%b", "x%y"]
REGEXES = ["^a", "b$", "[0-9]+", "a|z", "^$", "^.$", "ab?c?$", "(ab)+", "日", "^[^a]"]


def random_condition(rng, field):
    ops = ["eq", "ne", "gt", "lt", "gte", "lte", "in", "in_list", "not_in", "null"]
    if field in TEXT_FIELDS:
        ops += ["like", "regex"]
    condition = {}
    for op in rng.sample(ops, rng.choice([1, 1, 1, 1, 2, 3])):
        if op in ("in", "in_list", "not_in"):
            literal = [random_literal(rng, field) for _ in range(rng.randint(0, 6))]
            if rng.random() < 0.1:
                literal.append(None)
        elif op == "null":
            literal = rng.random() < 0.5
        elif op == "like":
            literal = rng.choice(LIKES)
        elif op == "regex":
            literal = rng.choice(REGEXES)
        else:
            literal = None if rng.random() < 0.05 else random_literal(rng, field)
        condition[op] = literal
    return condition


VARIANTS = {
    "memory": ((), {}),
    "memory_indexed": ((), {"index_columns": ["id", "i", "s", "f", "d", "t", "b", "u"]}),
    "half": (("middle",), {}),
    "half_indexed": (("middle",), {"index_columns": ["id", "i", "s", "f", "d", "t", "b", "u"]}),
    "flushed": (("end",), {"compression": "zstd"}),
    "flushed_indexed": (("end",), {"index_columns": ["id", "i", "s", "f", "d", "t", "b", "u"]}),
    "partitioned": (("middle", "end"), {"partition_columns": ["d", "b"], "index_columns": ["s"]}),
    "thirds": (("third", "middle"), {"partition_columns": ["s"], "index_columns": ["i"],
                                     "compression": "gzip"}),
}
ROWS = 600


@pytest.fixture(scope="module")
def same_rows(session_client):
    rng = random.Random(20240115)
    rows = [make_row(rng, number) for number in range(ROWS)]
    marks = {"third": ROWS // 3, "middle": ROWS // 2, "end": ROWS}
    sources = []
    for variant, (flushes, more) in VARIANTS.items():
        source = session_client.add_source(f"same_rows_{variant}", SCHEMA, **more)
        stops = {marks[flush] for flush in flushes}
        for start in range(0, ROWS, 50):
            session_client.write(source, rows[start:start + 50])
            if start + 50 in stops or (variant == "thirds" and start == 200):
                session_client.flush(source)
        sources.append(source)
    return sources, rows


def ids_of(member):
    assert member["error_message"] is None, member
    ids = [row["id"] for row in member["records"]]
    assert len(ids) == member["total_rows"]
    return sorted(ids, key=lambda x: (x is None, x))


def check_filter(client, sources, rows, filters):
    expected = [row["id"] for row in rows if holds(row, filters)]
    answer = client.post("/data/search", {"source_ids": sources, "filters": filters,
                                          "select_columns": ["id"]}).ok().json
    assert [member["source_id"] for member in answer] == sources
    for member in answer:
        assert ids_of(member) == expected, (member["source_id"], json.dumps(filters))
        assert member["has_more"] is False
    counted = client.post("/data/aggregate", {
        "source_ids": sources, "filters": filters,
        "aggregations": [{"type": "count"}, {"type": "sum", "column": "id"}]}).ok().json
    each = {"count": len(expected), "sum_id": sum(expected) if expected else None}
    for source in sources:
        assert counted["source_results"][source] == each, (source, json.dumps(filters))
    assert counted["final_results"]["count"] == len(expected) * len(sources)


@pytest.mark.parametrize("seed", range(10))
def test_random_filters(client, same_rows, seed):
    sources, rows = same_rows
    rng = random.Random(seed)
    for _ in range(32):
        fields = rng.sample(FIELDS, rng.choice([1, 1, 1, 2, 3]))
        check_filter(client, sources, rows,
                     {field: random_condition(rng, field) for field in fields})


@pytest.mark.parametrize("filters", [
    {"i": {"eq": 2**53 + 1}},
    {"i": {"eq": float(2**53)}},
    {"i": {"lt": 1e300, "gt": -1e300}},
    {"i": {"lte": 9223372036854775807}},
    {"i": {"gt": 9223372036854775806}},
    {"i": {"lt": -9223372036854775807}},
    {"f": {"eq": 0}},
    {"f": {"gt": 0, "lt": 1e-300}},
    {"f": {"gte": 9007199254740992, "lte": 9007199254740993}},
    {"b": {"gt": False}},
    {"b": {"in": [True]}},
    {"s": {"eq": ""}},
    {"s": {"eq": "x\u0000y"}},
    {"s": {"gte": "a", "lt": "b"}},
    {"s": {"like": "b\\%"}},
    {"s": {"regex": "^[a-z]+$"}},
    {"s": {"in": []}},
    {"s": {"not_in": []}},
    {"s": {"not_in": ["a", None]}},
    {"d": {"eq": "2024-02-29"}},
    {"d": {"gt": "2024-02-29T00:00:00", "lte": "2024-03-01T00:00:00"}},
    {"t": {"gte": "2024-02-29", "lt": "2024-03-01"}},
    {"t": {"eq": "1969-12-31T23:59:59.999999"}},
    {"j": {"eq": 1}},
    {"j": {"eq": "1"}},
    {"j": {"eq": True}},
    {"j": {"ne": 1}},
    {"j": {"eq": None}},
    {"j": {"in": [2**63, "a", False]}},
    {"o.k": {"eq": 0}, "o.n.m": {"gte": 2, "lt": 5}},
    {"o.k.1": "x"},
    {"nowhere": {"eq": None}},
    {"nowhere": {"ne": 5}},
    {"s": "ab", "b": True},
    {},
], ids=json.dumps)
def test_chosen_filters(client, same_rows, filters):
    sources, rows = same_rows
    check_filter(client, sources, rows, filters)


def test_whole_records_survive(client, same_rows):
    """Every value comes back as it went in, from every state."""
    sources, rows = same_rows
    columns = list(SCHEMA) + ["o", "u"]
    expected = [{c: row.get(c) for c in columns} for row in rows]
    for source in sources:
        found = sorted(client.search(source), key=lambda row: row["id"])
        for got, want in zip(found, expected, strict=True):
            assert set(got) == set(want)
            for column in columns:
                a, b = got[column], want[column]
                if column == "t" and b is not None:
                    a, b = micros(a), micros(b)
                assert a == b and type(a) is type(b), (source, got["id"], column, a, b)


# --- operators, one by one, on each JSON scalar type ---

@pytest.fixture(scope="module")
def scalars(session_client):
    source = session_client.add_source("scalars", {})
    session_client.write(source, [
        {"n": 1, "text": "alpha", "number": 10, "real": 1.5, "flag": True},
        {"n": 2, "text": "beta", "number": 20, "real": 2.5, "flag": False},
        {"n": 3, "text": "gamma", "number": 30, "real": 3.5, "flag": True},
        {"n": 4, "text": None, "number": None, "real": None, "flag": None},
        {"n": 5},
    ])
    return source


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("filters, expected", [
    ({"text": {"eq": "beta"}}, [2]),
    ({"number": {"eq": 20}}, [2]),
    ({"number": {"eq": 20.0}}, [2]),
    ({"real": {"eq": 2.5}}, [2]),
    ({"flag": {"eq": False}}, [2]),
    ({"text": {"eq": None}}, [4, 5]),
    ({"text": {"ne": "beta"}}, [1, 3]),
    ({"number": {"ne": 20}}, [1, 3]),
    ({"flag": {"ne": True}}, [2]),
    ({"number": {"ne": None}}, [1, 2, 3]),
    ({"text": {"gt": "beta"}}, [3]),
    ({"number": {"gt": 10}}, [2, 3]),
    ({"real": {"gt": 2}}, [2, 3]),
    ({"text": {"lt": "beta"}}, [1]),
    ({"number": {"lt": 20.5}}, [1, 2]),
    ({"text": {"gte": "beta"}}, [2, 3]),
    ({"number": {"gte": 20}}, [2, 3]),
    ({"text": {"lte": "beta"}}, [1, 2]),
    ({"real": {"lte": 2.5}}, [1, 2]),
    ({"text": {"in": ["alpha", "gamma", "?"]}}, [1, 3]),
    ({"text": {"in_list": ["alpha", "gamma", "?"]}}, [1, 3]),
    ({"number": {"in": [10, 30.0]}}, [1, 3]),
    ({"real": {"in_list": [1.5]}}, [1]),
    ({"flag": {"in_list": [False]}}, [2]),
    ({"number": {"in": [10, None]}}, [1]),
    ({"text": {"not_in": ["alpha"]}}, [2, 3]),
    ({"number": {"not_in": [10, 20]}}, [3]),
    ({"flag": {"not_in": [True]}}, [2]),
    ({"text": {"like": "%a"}}, [1, 2, 3]),
    ({"text": {"like": "_eta"}}, [2]),
    ({"text": {"like": "eta"}}, []),
    ({"text": {"regex": "^(al|ga)"}}, [1, 3]),
    ({"text": {"regex": "et"}}, [2]),
    ({"number": {"gte": 10, "lt": 30}}, [1, 2]),
    ({"number": {"gte": 10, "lt": 30, "ne": 10}}, [2]),
    ({"text": {"like": "%a%", "not_in": ["beta"], "gt": "b"}}, [3]),
    ({"number": {"gt": 20, "lt": 20}}, []),
    ({"number": {"gt": 5}, "text": {"like": "a%"}, "flag": {"eq": True}}, [1]),
], ids=json.dumps)
def test_operators(client, scalars, filters, expected, flush):
    if flush:
        client.flush(scalars)
    found = client.search(scalars, filters=filters, select_columns=["n"])
    assert sorted(row["n"] for row in found) == expected


@pytest.mark.parametrize("filters, words", [
    ({"number": {"eq": "20"}}, ("number", "20")),
    ({"text": {"eq": 20}}, ("text",)),
    ({"flag": {"eq": 1}}, ("flag",)),
    ({"number": {"like": "2%"}}, ("number",)),
    ({"text": {"like": 5}}, ("text",)),
    ({"text": {"regex": "("}}, ("text",)),
    ({"text": {"equals": "x"}}, ("equals",)),
    ({"text": {}}, ("text",)),
    ({"text": ["a"]}, ("text",)),
    ({"text": {"in": "a"}}, ("text",)),
    ({"text": {"eq": {"x": 1}}}, ("text",)),
    ({"number": {"in": [1, "x"]}}, ("number", "x")),
], ids=json.dumps)
def test_filters_that_make_no_sense(client, scalars, filters, words):
    error = client.post("/data/search", {"source_ids": [scalars], "filters": filters}) \
        .refused(400, "invalid_argument")
    for word in words:
        assert word in error["message"] + json.dumps(error["detail"])
    assert error["detail"]["field"] == words[0] or "equals" in words


# --- columns, limits, pages ---

def fill(client, source, first, count):
    client.write(source, [{"n": n, "text": f"row {n}"} for n in range(first, first + count)])


def test_select_columns(client, name):
    client.add_source(name)
    fill(client, name, 0, 2)
    assert client.search(name, select_columns=["text", "n"]) == \
        [{"text": "row 0", "n": 0}, {"text": "row 1", "n": 1}]
    assert list(client.search(name, select_columns=["text", "n"])[0]) == ["text", "n"]
    assert client.search(name, select_columns=["n", "absent"])[1] == {"n": 1, "absent": None}
    client.post("/data/search", {"source_ids": [name], "select_columns": []}).refused(400)
    client.post("/data/search", {"source_ids": [name], "select_columns": ["n", "n"]}).refused(400)
    client.flush(name)
    assert client.search(name, select_columns=["absent", "n"])[1] == {"absent": None, "n": 1}


def member(client, source, **request):
    return client.post("/data/search", dict(request, source_ids=[source])).ok().json[0]


@pytest.mark.parametrize("state", ["memory", "half", "flushed"])
def test_limit_offset_has_more(client, name, state):
    client.add_source(name)
    fill(client, name, 0, 6)
    if state == "half":
        client.flush(name)
    fill(client, name, 6, 4)
    if state == "flushed":
        client.flush(name)
    order = [row["n"] for row in member(client, name)["records"]]
    assert sorted(order) == list(range(10))
    for offset in (0, 1, 5, 9, 10, 11, 1000):
        for limit in (0, 1, 4, 5, 9, 10, 11, 2**62):
            found = member(client, name, limit=limit, offset=offset)
            assert [row["n"] for row in found["records"]] == order[offset:offset + limit]
            assert found["has_more"] is (offset + limit < 10), (offset, limit)
            assert found["total_rows"] == len(found["records"])
    for limit in (1, 2, 3, 4, 5, 6):  # has_more counts matches, not rows
        found = member(client, name, limit=limit, filters={"n": {"gte": 5}})
        assert len(found["records"]) == min(limit, 5)
        assert found["has_more"] is (limit < 5)


def test_limit_is_of_each_source_and_global_limit_of_all(client, name):
    sources = [client.add_source(f"{name}_{i}") for i in range(3)]
    for i, source in enumerate(sources):
        fill(client, source, i * 10, 4)
    answer = client.post("/data/search", {"source_ids": sources, "limit": 3, "offset": 2}).ok().json
    assert [[row["n"] for row in m["records"]] for m in answer] == \
        [[2, 3], [12, 13], [22, 23]]
    assert [m["has_more"] for m in answer] == [False] * 3
    everything = [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    for offset in range(0, 14):
        for limit in list(range(0, 14)) + [None]:
            body = {"source_ids": sources, "global_offset": offset}
            if limit is not None:
                body["global_limit"] = limit
            answer = client.post("/data/search", body).ok().json
            found = [row["n"] for m in answer for row in m["records"]]
            end = None if limit is None else offset + limit
            assert found == everything[offset:end], (offset, limit)
            assert [m["source_id"] for m in answer] == sources
            more = end is not None and end < 12
            assert answer[-1]["has_more"] is (end is not None and end < 12) or not more
            if limit is not None:
                assert any(m["has_more"] for m in answer) is more, (offset, limit, answer)
    client.post("/data/search", {"global_limit": 1, "limit": 1}).refused(400, "invalid_argument")


def test_all_sources_when_none_are_named(new_server):
    client = new_server().client()
    assert client.post("/data/search", {}).ok().json == []
    for source in ("b", "a", "c"):
        client.add_source(source)
        client.write(source, [{"from": source}])
    for body in ({}, {"source_ids": None}):
        answer = client.post("/data/search", body).ok().json
        assert [(m["source_id"], m["records"]) for m in answer] == \
            [(s, [{"from": s}]) for s in ("a", "b", "c")]
    answer = client.post("/data/search", {"source_ids": ["c", "a", "c"]}).ok().json
    assert [m["source_id"] for m in answer] == ["c", "a"]
    client.post("/data/search", {"source_ids": []}).refused(400)
    error = client.post("/data/search", {"source_ids": ["a", "zzz"]}).refused(404, "unknown_source")
    assert "zzz" in error["message"]


def test_one_bad_source_of_several_is_named_in_its_member(client, name):
    good, bad = client.add_source(name + "_g"), client.add_source(name + "_b")
    client.write(good, [{"v": 1}])
    client.write(bad, [{"v": "text"}])
    answer = client.post("/data/search", {"source_ids": [good, bad],
                                          "filters": {"v": {"eq": 1}}}).ok().json
    assert answer[0]["records"] == [{"v": 1}] and answer[0]["error_message"] is None
    assert answer[1]["records"] == [] and "v" in answer[1]["error_message"]


@pytest.mark.parametrize("page", [1, 7, 100, 1000])
@pytest.mark.parametrize("filters", [None, {"n": {"gte": 50, "lt": 400}}])
def test_cursor_pages_hold_every_row_once(client, name, page, filters):
    """Also while rows are written and flushed between the pages."""
    client.add_source(name, index_columns=["n"])
    fill(client, name, 0, 150)
    client.flush(name)
    fill(client, name, 150, 50)
    low, high = (50, 400) if filters else (0, 10**9)
    expected = [n for n in range(200) if low <= n < high]
    cursor, found, pages = "*", [], 0
    while cursor:
        body = {"cursor": cursor, "limit": page, "source_ids": [name], "filters": filters}
        answer = client.post("/data/search", body).ok().json[0]
        assert len(answer["records"]) <= page
        found += [row["n"] for row in answer["records"]]
        assert answer["has_more"] is ("cursor" in answer)
        assert answer["has_more"] is (len(found) < len(expected))
        used, cursor = cursor, answer.get("cursor")
        pages += 1
        if pages % 5 == 1:
            fill(client, name, 1000 + pages, 1)
        if pages % 13 == 2:
            client.flush(name)
    assert sorted(found) == expected
    assert pages == max(1, -(-len(expected) // page))
    if used != "*":
        client.post("/data/search", {"cursor": used, "limit": page}).refused(404, "not_found")


def test_cursor_faults(client, name):
    client.add_source(name)
    fill(client, name, 0, 3)
    for cursor in ("", "x", "0-0000000000000000", "999-1", "*" * 1000, "1-", "🎲"):
        client.post("/data/search", {"source_ids": [name], "cursor": cursor, "limit": 1}) \
            .refused((400, 404))
    client.post("/data/search", {"source_ids": [name], "cursor": "*"}).refused(400)
    client.post("/data/search", {"source_ids": [name], "cursor": "*", "limit": 0}).refused(400)
    client.post("/data/search", {"cursor": "*", "limit": 1, "global_limit": 1}).refused(400)


def test_cursor_outlives_its_source(client, name):
    client.add_source(name)
    fill(client, name, 0, 30)
    client.flush(name)
    cursor = member(client, name, cursor="*", limit=10)["cursor"]
    client.delete(f"/sources/{name}").ok()
    answer = client.post("/data/search", {"source_ids": [name], "cursor": cursor, "limit": 100})
    if answer.status == 200:
        assert sorted(row["n"] for row in answer.json[0]["records"]) == list(range(10, 30))
    else:
        answer.refused(404)


# --- forms ---

def test_ndjson(client, name):
    client.add_source(name)
    fill(client, name, 0, 5)
    body = {"source_ids": [name], "filters": {"n": {"gte": 1}}, "limit": 3}
    answer = client.post("/data/search", body, {"Accept": "application/x-ndjson"}).ok()
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    assert answer.lines() == [{"n": n, "text": f"row {n}"} for n in (1, 2, 3)]


@pytest.mark.parametrize("path, accept", [
    ("/data/search", "text/event-stream"),
    ("/data/search/stream", "text/event-stream"),
    ("/data/search/stream", "*/*"),
])
def test_events(client, name, path, accept):
    sources = [client.add_source(name + "_a"), client.add_source(name + "_b")]
    fill(client, sources[0], 0, 3)
    client.flush(sources[0])
    fill(client, sources[0], 3, 2)
    fill(client, sources[1], 100, 2)
    answer = client.post(path, {"source_ids": sources, "limit": 4}, {"Accept": accept}).ok()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = answer.events()
    assert [kind for kind, _ in events[:-1]] == ["message"] * (len(events) - 1)
    found = {source: [] for source in sources}
    last = {}
    for _, data in events[:-1]:
        assert data["error_message"] is None
        assert data["total_rows"] == len(data["records"])
        found[data["source_id"]] += [row["n"] for row in data["records"]]
        last[data["source_id"]] = data
    assert found == {sources[0]: [0, 1, 2, 3], sources[1]: [100, 101]}
    assert last[sources[0]]["has_more"] is True
    assert last[sources[1]]["has_more"] is False
    assert events[-1] == ("end", {"success": True, "total_rows": 6})


def test_stream_refusals_are_plain_errors(client, scalars):
    client.post("/data/search/stream", {"source_ids": ["none of that name"]}).refused(404)
    client.post("/data/search/stream", {"source_ids": [scalars], "filters": {"text": {"x": 1}}}) \
        .refused(400)


def test_large_answers_stream(client, name):
    """More than one piece: chunked, complete, the same in all forms."""
    client.add_source(name)
    for start in range(0, 20000, 5000):
        client.write(name, [{"n": n, "pad": "x" * 100} for n in range(start, start + 5000)])
        if start == 5000:
            client.flush(name)
    as_json = client.post("/data/search", {"source_ids": [name]}).ok()
    assert as_json.headers.get("Transfer-Encoding") == "chunked"
    ids = [row["n"] for row in as_json.json[0]["records"]]
    assert sorted(ids) == list(range(20000))
    lines = client.post("/data/search", {"source_ids": [name]},
                        {"Accept": "application/x-ndjson"}).ok().lines()
    assert [row["n"] for row in lines] == ids
    events = client.post("/data/search/stream", {"source_ids": [name]}).ok().events()
    assert [row["n"] for _, e in events[:-1] for row in e["records"]] == ids
    assert len(events) > 3
    assert events[-1] == ("end", {"success": True, "total_rows": 20000})


def test_index_is_used_and_says_so(client, name):
    client.add_source(name, {"k": "string"}, index_columns=["k"])
    for start in range(0, 4000, 1000):
        client.write(name, [{"k": f"k{n % 500}", "n": n} for n in range(start, start + 1000)])
    client.flush(name)
    found = member(client, name, filters={"k": {"eq": "k77"}})
    assert sorted(row["n"] for row in found["records"]) == list(range(77, 4000, 500))
    assert found["statistics"]["index_used"] is True
    assert found["statistics"]["rows_matched"] == 8
    assert found["statistics"]["rows_scanned"] < 4000


def test_write_is_seen_by_the_next_read(client, name):
    client.add_source(name)
    for n in range(100):
        client.write(name, [{"n": n}])
        assert [row["n"] for row in client.search(name, filters={"n": {"eq": n}})] == [n]


def test_columns_widen_across_states(client, name):
    """int64 becomes double, date becomes timestamp; rows of both times are found alike."""
    client.add_source(name)
    client.write(name, [{"n": 1, "v": 1}, {"n": 2, "v": 2}])
    client.flush(name)
    client.write(name, [{"n": 3, "v": 2.5}])
    for _ in range(2):
        for filters, expected in (({"v": {"gte": 2}}, [2, 3]), ({"v": {"eq": 1}}, [1]),
                                  ({"v": {"gt": 2, "lt": 3}}, [3])):
            found = client.search(name, filters=filters)
            assert sorted(row["n"] for row in found) == expected
        values = sorted(row["v"] for row in client.search(name))
        assert values == [1, 2, 2.5]
        client.flush(name)


def test_order_by(client, name):
    client.add_source(name, {"a": "int64", "b": "string", "c": "float64"}, index_columns=["a"])
    rows = [{"a": i * 7919 % 1000, "b": None if i % 50 == 0 else f"w{i * 31 % 700:03}",
             "c": i / 3} for i in range(3000)]
    for part in range(3):
        client.write(name, rows[part * 1000:part * 1000 + 1000])
        if part < 2:
            client.flush(name)
    client.post(f"/sources/{name}/indexes", {"columns": ["b"], "kind": "sorted"}).ok()

    def first(column, direction, limit, offset=0, **more):
        body = {"source_ids": [name], "limit": limit, "offset": offset,
                "order_by": [{"column": column, "direction": direction}], **more}
        return client.post("/data/search", body).ok().json[0]

    texts = sorted(r["b"] for r in rows if r["b"] is not None)
    for _ in range(3):  # while the index is being made, and with it
        assert [r["b"] for r in first("b", "asc", 20)["records"]] == texts[:20]
        assert [r["b"] for r in first("b", "desc", 20, 5)["records"]] == texts[::-1][5:25]
        time.sleep(0.3)
    last = first("b", "asc", 70, 2930)
    assert [r["b"] for r in last["records"]] == texts[2930:] + [None] * 60 and last["has_more"] is False
    assert first("c", "desc", 3)["has_more"] is True
    numbers = sorted(r["c"] for r in rows if r["a"] < 100)
    found = first("c", "asc", 10, filters={"a": {"lt": 100}})
    assert [r["c"] for r in found["records"]] == numbers[:10]
    bad = {"source_ids": [name], "order_by": [{"column": "a"}]}
    client.post("/data/search", bad).refused(400, "invalid_argument")
    client.post("/data/search", {**bad, "limit": 5, "cursor": "*"}).refused(400, "invalid_argument")
    client.post("/data/search", {**bad, "limit": 5, "order_by": [{"column": "x"}]}).refused(
        400, "invalid_argument")

"""POST /data/aggregate: every function, groups, several sources, nulls, exactness."""

import json
import math
import random
import statistics

import pytest


def agg(kind, column=None, alias=None, **more):
    spec = {"type": kind}
    if column is not None:
        spec["column"] = column
    if alias is not None:
        spec["alias"] = alias
    spec.update(more)
    return spec


EVERY = ["count", "sum", "avg", "min", "max", "count_distinct", "stddev"]
STATES = ["memory", "half", "flushed"]


def store(client, source, rows, state):
    half = len(rows) // 2
    if rows[:half]:
        client.write(source, rows[:half])
    if state == "half":
        client.flush(source)
    if rows[half:]:
        client.write(source, rows[half:])
    if state == "flushed":
        client.flush(source)


@pytest.mark.parametrize("state", STATES)
def test_every_function(client, name, state):
    client.add_source(name)
    store(client, name, [{"v": v} for v in (4, 1, None, 3, 2, 2)] + [{"w": 1}], state)
    found = client.aggregate(name, *[agg(kind, "v") for kind in EVERY],
                             agg("percentile", "v", "median"),
                             agg("percentile", "v", "p0", percentile=0),
                             agg("percentile", "v", "p1", percentile=1),
                             agg("percentile", "v", "p90", percentile=0.9), agg("count"))
    assert found.pop("stddev_v") == pytest.approx(statistics.stdev([4, 1, 3, 2, 2]), rel=1e-14)
    assert found.pop("p90") == pytest.approx(3.6, rel=1e-14)
    assert found == {"count_v": 5, "sum_v": 12, "avg_v": 2.4, "min_v": 1, "max_v": 4,
                     "count_distinct_v": 4, "median": 2, "p0": 1, "p1": 4, "count": 7}
    assert type(found["sum_v"]) is int and type(found["min_v"]) is int


@pytest.mark.parametrize("state", STATES)
def test_strings_dates_times_bools(client, name, state):
    client.add_source(name, {"s": "string", "d": "date", "t": "timestamp", "b": "bool"})
    store(client, name, [
        {"s": "b", "d": "2024-02-29", "t": "2024-01-01T10:00:00Z", "b": True},
        {"s": "ä", "d": "1969-12-31", "t": "2024-01-01T12:00:00+05:00", "b": False},
        {"s": "", "d": "2024-02-29", "t": "2023-12-31T23:59:59.5", "b": True},
        {"s": None}], state)
    found = client.aggregate(name, *[agg(kind, column) for column in "sdtb"
                                     for kind in ("min", "max", "count", "count_distinct")])
    assert found == {
        "min_s": "", "max_s": "ä", "count_s": 3, "count_distinct_s": 3,
        "min_d": "1969-12-31", "max_d": "2024-02-29", "count_d": 3, "count_distinct_d": 2,
        "min_t": "2023-12-31T23:59:59.500000", "max_t": "2024-01-01T10:00:00", "count_t": 3,
        "count_distinct_t": 3,
        "min_b": False, "max_b": True, "count_b": 3, "count_distinct_b": 2}


@pytest.mark.parametrize("kind", ["sum", "avg", "stddev", "percentile"])
def test_numbers_are_wanted(client, name, kind):
    client.add_source(name, {"s": "string"})
    client.write(name, [{"s": "x"}])
    error = client.post("/data/aggregate", {"source_ids": [name],
                                            "aggregations": [agg(kind, "s")]}) \
        .refused(400, "invalid_argument")
    assert "s" in error["message"] and error["detail"]["field"] == "s"


@pytest.mark.parametrize("state", STATES)
def test_large_integers_are_exact(client, name, state):
    client.add_source(name, {"v": "int64"})
    values = [2**53 + 1, 2**53 + 1, 1, -(2**62), 2**62 + 2**53]
    store(client, name, [{"v": v} for v in values], state)
    found = client.aggregate(name, agg("sum", "v"), agg("min", "v"), agg("max", "v"))
    assert found == {"sum_v": sum(values), "min_v": -(2**62), "max_v": 2**62 + 2**53}
    grouped = client.aggregate(name, agg("sum", "v"), group_by=["v"])
    assert {row["v"]: row["sum_v"] for row in grouped} == \
        {v: v * values.count(v) for v in values}


def test_sum_beyond_64_bits_is_a_double(client, name):
    client.add_source(name, {"v": "int64"})
    client.write(name, [{"v": 2**63 - 1}] * 3)
    assert client.aggregate(name, agg("sum", "v"), agg("avg", "v")) == \
        {"sum_v": float(3 * (2**63 - 1)), "avg_v": float(2**63 - 1)}


@pytest.mark.parametrize("state", STATES)
def test_empty_and_all_null(client, name, state):
    client.add_source(name, {"v": "int64", "s": "string"})
    store(client, name, [], state)
    null = {"count_v": 0, "sum_v": None, "avg_v": None, "min_v": None, "max_v": None,
            "count_distinct_v": 0, "stddev_v": None, "percentile_v": None}
    every = [agg(kind, "v") for kind in EVERY + ["percentile"]]
    assert client.aggregate(name, *every) == null
    assert client.aggregate(name, *every, group_by=["s"]) == []
    store(client, name, [{"s": "x"}, {"s": "y", "v": None}], state)
    assert client.aggregate(name, *every, agg("count")) == dict(null, count=2)
    assert client.aggregate(name, *every, group_by=["s"]) == \
        [dict(null, s="x"), dict(null, s="y")]
    assert client.aggregate(name, *every, filters={"s": {"eq": "z"}}) == null
    assert client.aggregate(name, agg("sum", "absent"), agg("count", "absent")) == \
        {"sum_absent": None, "count_absent": 0}


def test_one_value_has_no_deviation(client, name):
    client.add_source(name)
    client.write(name, [{"v": 5}])
    assert client.aggregate(name, agg("stddev", "v"), agg("percentile", "v")) == \
        {"stddev_v": None, "percentile_v": 5}


@pytest.mark.parametrize("state", STATES)
def test_groups(client, name, state):
    client.add_source(name)
    store(client, name, [
        {"g": "b", "h": 1, "v": 1}, {"g": "a", "h": 1, "v": 2}, {"g": "b", "h": 2, "v": 3},
        {"g": "b", "h": 1, "v": 4}, {"h": 1, "v": 5}, {"g": "a", "v": 6}, {"g": "a", "h": 1}], state)
    answer = client.post("/data/aggregate", {
        "source_ids": [name], "group_by": ["g"],
        "aggregations": [agg("count"), agg("sum", "v"), agg("avg", "v"), agg("max", "v")]}).ok().json
    groups = {row["g"]: row for row in answer["final_results"]}
    assert groups == {
        "a": {"g": "a", "count": 3, "sum_v": 8, "avg_v": 4.0, "max_v": 6},
        "b": {"g": "b", "count": 3, "sum_v": 8, "avg_v": 8 / 3, "max_v": 4},
        None: {"g": None, "count": 1, "sum_v": 5, "avg_v": 5.0, "max_v": 5}}
    assert answer["source_results"] == {name: answer["final_results"]}
    names = [row["g"] for row in answer["final_results"] if row["g"] is not None]
    assert names == sorted(names)
    two = client.aggregate(name, agg("count", alias="n"), group_by=["h", "g"])
    assert {(row["h"], row["g"]): row["n"] for row in two} == \
        {(1, "a"): 2, (1, "b"): 2, (2, "b"): 1, (1, None): 1, (None, "a"): 1}
    filtered = client.aggregate(name, agg("count", alias="n"), group_by=["g"],
                                filters={"v": {"gte": 3}})
    assert {row["g"]: row["n"] for row in filtered} == {"a": 1, "b": 2, None: 1}
    absent = client.aggregate(name, agg("count", alias="n"), group_by=["absent"])
    assert absent == [{"absent": None, "n": 7}]


def test_groups_by_every_type(client, name):
    client.add_source(name, {"d": "date", "t": "timestamp", "b": "bool", "f": "float64"})
    client.write(name, [{"d": "2024-01-01", "t": "2024-01-01T01:00:00", "b": True, "f": 1.0},
                        {"d": "2024-01-01", "t": "2024-01-01T02:00:00", "b": False, "f": -0.0},
                        {"d": "2024-01-02", "t": "2024-01-01T01:00:00", "b": True, "f": 0.0}])
    n = agg("count", alias="n")
    assert client.aggregate(name, n, group_by=["d"]) == \
        [{"d": "2024-01-01", "n": 2}, {"d": "2024-01-02", "n": 1}]
    assert client.aggregate(name, n, group_by=["t"]) == \
        [{"t": "2024-01-01T01:00:00", "n": 2}, {"t": "2024-01-01T02:00:00", "n": 1}]
    assert client.aggregate(name, n, group_by=["b"]) == [{"b": False, "n": 1}, {"b": True, "n": 2}]
    assert client.aggregate(name, n, group_by=["f"]) == [{"f": 0.0, "n": 2}, {"f": 1.0, "n": 1}]


def test_several_sources(client, name):
    """The average over sources is the sum of sums by the sum of counts."""
    small, large, empty = [client.add_source(f"{name}_{i}") for i in range(3)]
    client.write(small, [{"v": 100, "g": "x"}])
    client.write(large, [{"v": v, "g": "x" if v else "y"} for v in (-3, 0, 1, 2)])
    client.flush(large)
    client.write(large, [{"v": None}])
    answer = client.post("/data/aggregate", {
        "source_ids": [small, large, empty],
        "aggregations": [agg(kind, "v") for kind in EVERY] + [agg("percentile", "v", "p"),
                                                              agg("count")]}).ok().json
    final = answer["final_results"]
    values = [100, -3, 0, 1, 2]
    assert final.pop("stddev_v") == pytest.approx(statistics.stdev(values), rel=1e-13)
    assert final == {"count_v": 5, "sum_v": 100, "avg_v": 20.0, "min_v": -3, "max_v": 100,
                     "count_distinct_v": 5, "p": 1, "count": 6}
    assert answer["source_results"][small]["avg_v"] == 100.0
    assert answer["source_results"][large]["avg_v"] == 0.0
    assert answer["source_results"][empty]["avg_v"] is None
    grouped = client.post("/data/aggregate", {
        "source_ids": [small, large, empty], "group_by": ["g"],
        "aggregations": [agg("avg", "v", "a"), agg("count", alias="n")]}).ok().json
    assert {row["g"]: (row["a"], row["n"]) for row in grouped["final_results"]} == \
        {"x": (25.0, 4), "y": (0.0, 1), None: (None, 1)}
    assert grouped["source_results"][empty] == []


def test_sources_of_different_types(client, name):
    a, b = [client.add_source(f"{name}_{i}") for i in range(2)]
    client.write(a, [{"v": 1}, {"v": 2}])
    client.write(b, [{"v": 2.0}, {"v": 2.5}])
    answer = client.post("/data/aggregate", {
        "source_ids": [a, b], "aggregations": [agg("sum", "v"), agg("min", "v"), agg("max", "v"),
                                               agg("count_distinct", "v")]}).ok().json
    assert answer["final_results"] == {"sum_v": 7.5, "min_v": 1, "max_v": 2.5,
                                       "count_distinct_v": 3}
    c = client.add_source(f"{name}_c")
    client.write(c, [{"v": "text"}])
    client.post("/data/aggregate", {"source_ids": [a, c], "aggregations": [agg("max", "v")]}) \
        .refused(400, "invalid_argument")


def test_aliases(client, name):
    client.add_source(name)
    client.write(name, [{"v": 1, "w": 2}])
    assert client.aggregate(name, agg("count"), agg("count", "v"), agg("count", "*", "star"),
                            agg("sum", "v", "total revenue"), agg("max", "w", "ä\"")) == \
        {"count": 1, "count_v": 1, "star": 1, "total revenue": 1, "ä\"": 2}
    for pair in ([agg("count"), agg("count")], [agg("sum", "v"), agg("max", "v", "sum_v")]):
        error = client.post("/data/aggregate", {"source_ids": [name], "aggregations": pair}) \
            .refused(400, "invalid_argument")
        assert "alias" in error["message"]
    client.post("/data/aggregate", {"source_ids": [name], "group_by": ["v"],
                                    "aggregations": [agg("count", alias="v")]}).refused(400)


@pytest.mark.parametrize("aggregations, words", [
    ([], "aggregations"),
    (None, "aggregations"),
    ([{"type": "median", "column": "v"}], "type"),
    ([{"column": "v"}], "type"),
    ([{"type": "sum"}], "column"),
    ([{"type": "sum", "column": 5}], "column"),
    ([{"type": "sum", "column": "v", "columns": "w"}], "columns"),
    (["count"], "aggregations"),
    ([{"type": "percentile", "column": "v", "percentile": 1.5}], "percentile"),
    ([{"type": "percentile", "column": "v", "percentile": "0.5"}], "percentile"),
    ([{"type": "count"}] * 257, "aggregations"),
], ids=lambda value: json.dumps(value)[:60])
def test_bad_aggregations(client, name, aggregations, words):
    client.add_source(name)
    error = client.post("/data/aggregate", {"source_ids": [name], "aggregations": aggregations}) \
        .refused(400, "invalid_argument")
    assert words in error["message"]


def reference(rows, column):
    values = [row[column] for row in rows if row.get(column) is not None]
    numbers = sorted(values)

    def percentile(fraction):
        if not numbers:
            return None
        at = fraction * (len(numbers) - 1)
        low = int(at)
        if low + 1 == len(numbers):
            return numbers[low]
        return numbers[low] + (numbers[low + 1] - numbers[low]) * (at - low)

    return {"count": len(rows), "n": len(values), "sum": sum(values) if values else None,
            "avg": sum(values) / len(values) if values else None,
            "min": min(values, default=None), "max": max(values, default=None),
            "distinct": len(set(values)),
            "stddev": statistics.stdev(values) if len(values) > 1 else None,
            "p25": percentile(0.25), "p99": percentile(0.99)}


def same(found, expected):
    if isinstance(expected, float) or isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return found == expected


def test_random_against_python(client, name):
    """20,000 rows in a mixed state, grouped and filtered."""
    client.add_source(name, {"i": "int64", "f": "float64", "g": "string"}, index_columns=["g"])
    rng = random.Random(7)
    rows = []
    for part in range(4):
        batch = [{"i": rng.randint(-10**12, 10**12) if rng.random() < 0.9 else None,
                  "f": rng.uniform(-1000, 1000) if rng.random() < 0.9 else None,
                  "g": f"g{rng.randint(0, 40)}", "h": rng.randint(0, 3)} for _ in range(5000)]
        client.write(name, batch)
        rows += batch
        if part in (0, 2):
            client.flush(name)
    for column in ("i", "f"):
        specs = [agg("count", alias="count"), agg("count", column, "n"), agg("sum", column, "sum"),
                 agg("avg", column, "avg"), agg("min", column, "min"), agg("max", column, "max"),
                 agg("count_distinct", column, "distinct"), agg("stddev", column, "stddev"),
                 agg("percentile", column, "p25", percentile=0.25),
                 agg("percentile", column, "p99", percentile=0.99)]
        expected = reference(rows, column)
        found = client.aggregate(name, *specs)
        assert all(same(found[key], expected[key]) for key in expected), (found, expected)
        for filters, keep in (({}, lambda row: True),
                              ({"h": {"gte": 2}}, lambda row: row["h"] >= 2),
                              ({"g": {"in": ["g1", "g2"]}}, lambda row: row["g"] in ("g1", "g2"))):
            groups = {}
            for row in rows:
                if keep(row):
                    groups.setdefault((row["g"], row["h"]), []).append(row)
            found = client.aggregate(name, *specs, group_by=["g", "h"], filters=filters)
            assert {(row["g"], row["h"]) for row in found} == set(groups)
            assert len(found) == len(groups)
            for row in found:
                expected = reference(groups[(row["g"], row["h"])], column)
                assert all(same(row[key], expected[key]) for key in expected), (row, expected)

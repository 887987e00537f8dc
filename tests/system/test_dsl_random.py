"""Random queries of the DSL against an evaluator in Python over the same rows: three-valued logic,
NULLs, numbers beyond 2^53, documents with values of every kind. And TLP: the rows of a condition, of
its negation and those of neither are all rows.

QUARRY_DSL_QUERIES sets the number (default 250), QUARRY_DSL_SEED the seed."""

import datetime
import os
import random
import re

import pytest

SEED = int(os.environ.get("QUARRY_DSL_SEED", "20260719"))
QUERIES = int(os.environ.get("QUARRY_DSL_QUERIES", "250"))
BIG = 2**53 + 1

INTS = [0, 1, -1, 2, 3, 7, BIG, -BIG, 2**63 - 1, -2**63]
REALS = [0.0, -0.5, 1.0, 1.5, 2.5, 3.0, -7.25, float(2**53), 1e300]
TEXTS = ["", "a", "A", "ab", "b%", "a_b", "ä", "x'y", 'q"z', "zz\\", "Straße", "12"]
DAYS = ["2024-01-01", "2024-02-29", "1969-12-31", "2030-12-31"]
TIMES = ["2024-01-01T00:00:00", "2024-01-01T12:30:00.250000", "1969-12-31T23:59:59"]
ANY = [0, 1, -1, 2.5, 3, "a", "1", "", True, False, None, BIG]
COLUMNS = {"i": "int64", "r": "float64", "s": "string", "d": "date", "t": "timestamp",
           "b": "bool", "j": "json"}
POOLS = {"i": INTS, "r": REALS, "s": TEXTS, "d": DAYS, "t": TIMES, "b": [True, False]}


def make_rows(rng, n):
    rows = []
    for key in range(n):
        row = {"k": key}
        for column, pool in POOLS.items():
            if rng.random() > 0.2:
                row[column] = rng.choice(pool)
        if rng.random() > 0.15:
            document = {"v": rng.choice(ANY), "l": [rng.choice(ANY) for _ in range(rng.randrange(4))]}
            if rng.random() > 0.3:
                document["o"] = {"x": rng.choice(ANY)}
            row["j"] = document
        rows.append(row)
    return rows


# --- the evaluator: True, False or None ---

def negate(value):
    return None if value is None else not value


def both(values):
    values = list(values)
    return False if False in values else None if None in values else True


def either(values):
    values = list(values)
    return True if True in values else None if None in values else False


def kind(value):
    return ("bool" if isinstance(value, bool) else
            "number" if isinstance(value, (int, float)) else "text")


def compare(operator, a, b):
    return {"eq": a == b, "gt": a > b, "gte": a >= b, "lt": a < b, "lte": a <= b}[operator]


def as_time(text):
    return datetime.datetime.fromisoformat(text)


def like(pattern, text, fold):
    out, i = "", 0
    while i < len(pattern):
        c = pattern[i]
        if c == "\\":
            i += 1
            out += re.escape(pattern[i])
        else:
            out += {"%": ".*", "_": "."}.get(c, re.escape(c))
        i += 1
    flags = re.S | (re.I if fold else 0)
    return re.fullmatch(out, text, flags) is not None


POSITIVE = {"ne": "eq", "not_in": "in", "not_between": "between", "not_like": "like",
            "not_contains": "contains"}


def judge(operator, value, wanted, column):
    """One test of one value; None is a NULL."""
    if operator in POSITIVE:
        if operator == "not_in" and not wanted:
            return True
        return negate(judge(POSITIVE[operator], value, wanted, column))
    if operator == "in" and not wanted:
        return False
    if operator == "is_null":
        return value is None
    if operator == "is_not_null":
        return value is not None
    if operator in ("is_distinct", "is_not_distinct"):
        same = (value is None) == (wanted is None) and (
            value is None or judge("eq", value, wanted, column))
        return same if operator == "is_not_distinct" else not same
    if value is None:
        return None
    if column == "j":
        return judge_document(operator, value, wanted)
    if column in "dt" and operator not in ("like",):
        value = as_time(value)
        wanted = [as_time(one) for one in wanted] if isinstance(wanted, list) else as_time(wanted)
    return judge_plain(operator, value, wanted)


def judge_plain(operator, value, wanted):
    if operator == "in":
        return value in wanted
    if operator == "between":
        return wanted[0] <= value <= wanted[1]
    if operator in ("like", "ilike"):
        return like(wanted, value, operator == "ilike")
    if operator == "contains":
        return wanted in value
    if operator == "starts_with":
        return value.startswith(wanted)
    if operator == "ends_with":
        return value.endswith(wanted)
    return compare(operator, value, wanted)


def judge_document(operator, value, wanted):
    if operator == "in":
        return any(judge_document("eq", value, one) for one in wanted)
    if operator == "between":
        return (judge_document("gte", value, wanted[0]) and judge_document("lte", value, wanted[1]))
    if isinstance(value, (list, dict)):
        if operator == "contains" and isinstance(value, list):
            return any(one is not None and kind(one) == kind(wanted) and one == wanted
                       for one in value)
        return False
    if kind(value) != kind(wanted) or (operator == "contains" and kind(value) != "text"):
        return False
    return judge_plain(operator, value, wanted)


def look_up(row, path):
    value = row.get(path[0])
    for step in path[1:]:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def evaluate(condition, row):
    if "and" in condition:
        return both(evaluate(one, row) for one in condition["and"])
    if "or" in condition:
        return either(evaluate(one, row) for one in condition["or"])
    if "not" in condition:
        return negate(evaluate(condition["not"], row))
    path = condition["field"].split(".")
    return judge(condition["operator"], look_up(row, path), condition.get("value"),
                      path[0])


# --- random conditions ---

ORDERED = ["eq", "ne", "gt", "gte", "lt", "lte", "between", "not_between", "in", "not_in",
           "is_distinct", "is_not_distinct", "is_null", "is_not_null"]
OPERATORS = {
    "i": ORDERED, "r": ORDERED, "d": ORDERED, "t": ORDERED,
    "b": ["eq", "ne", "in", "not_in", "is_distinct", "is_null", "is_not_null"],
    "s": ORDERED + ["like", "not_like", "ilike", "contains", "not_contains", "starts_with",
                    "ends_with"],
    "j": [o for o in ORDERED if "between" not in o] + ["contains", "not_contains"]}
PATTERNS = ["%", "a%", "_", "%b%", "a\\_b", "%\\%", "", "%ä%", "ST%"]


def random_value(rng, column, operator):
    if column == "i":
        return rng.choice(INTS + REALS + [str(BIG)] if rng.random() < 0.3 else INTS)
    if column == "r":
        return rng.choice(REALS + INTS)
    if column == "d" and rng.random() < 0.3:
        return rng.choice(TIMES)
    if column == "t" and rng.random() < 0.3:
        return rng.choice(DAYS)
    if column == "s" and "like" in operator:
        return rng.choice(PATTERNS)
    if column == "j":
        return rng.choice([one for one in ANY if one is not None])
    return rng.choice(POOLS[column])


def random_test(rng):
    column = rng.choice(list(COLUMNS))
    operator = rng.choice(OPERATORS[column])
    field = rng.choice(["j.v", "j.o.x", "j.l.0", "j.l", "j.none"]) if column == "j" else column
    condition = {"field": field, "operator": operator}
    if operator in ("in", "not_in"):
        condition["value"] = [random_value(rng, column, operator) for _ in range(rng.randrange(5))]
    elif "between" in operator:
        condition["value"] = [random_value(rng, column, operator) for _ in range(2)]
    elif "distinct" in operator and rng.random() < 0.2:
        condition["value"] = None
    elif "null" not in operator:
        condition["value"] = random_value(rng, column, operator)
    return condition


def random_condition(rng, depth):
    choice = rng.random()
    if depth == 0 or choice < 0.35:
        return random_test(rng)
    if choice < 0.5:
        return {"not": random_condition(rng, depth - 1)}
    word = "and" if choice < 0.75 else "or"
    return {word: [random_condition(rng, depth - 1) for _ in range(rng.randrange(1, 4))]}


def normal(condition):
    """Texts that stand for whole numbers, as the evaluator wants them."""
    if "field" not in condition:
        return {word: normal(inside) if isinstance(inside, dict) else [normal(one) for one in inside]
                for word, inside in condition.items()}
    if condition["field"] != "i" or "value" not in condition:
        return condition
    def number(value):
        return int(value) if isinstance(value, str) else value
    value = condition["value"]
    return {**condition, "value": [number(one) for one in value] if isinstance(value, list)
            else number(value)}


@pytest.fixture(scope="module")
def table(session_client):
    rows = make_rows(random.Random(SEED), 120)
    session_client.add_source("dsl_random", {"k": "int64", **COLUMNS})
    session_client.write("dsl_random", rows[:60])
    session_client.flush("dsl_random")
    session_client.write("dsl_random", rows[60:])
    return rows


def keys(client, condition):
    answer = client.post("/query/dsl", {"source": "dsl_random", "select": ["k"],
                                        "conditions": condition, "limit": 1000})
    assert answer.status == 200, (condition, answer.data[:500])
    return sorted(row[0] for row in answer.json["rows"])


def test_filters(session_client, table):
    rng = random.Random(SEED + 1)
    for number in range(QUERIES):
        condition = random_condition(rng, 4)
        truth = [(row["k"], evaluate(normal(condition), row)) for row in table]
        expected = [key for key, value in truth if value is True]
        assert keys(session_client, condition) == expected, (SEED, number, condition)
        if number % 5 == 0:  # TLP
            refused = [key for key, value in truth if value is False]
            assert keys(session_client, {"not": condition}) == refused, (SEED, number, condition)


def test_groups(session_client, table):
    rng = random.Random(SEED + 2)
    for number in range(QUERIES // 10):
        group, condition = rng.choice(["s", "b", "d", "i"]), random_condition(rng, 2)
        rows = [row for row in table if evaluate(normal(condition), row) is True]
        expected = {}
        for row in rows:
            expected.setdefault(row.get(group), []).append(row)
        found = session_client.post("/query/dsl", {
            "source": "dsl_random", "group_by": [group], "conditions": [condition],
            "aggregations": [{"function": "count", "field": "*"},
                             {"function": "count", "field": "r"}, {"function": "min", "field": "s"},
                             {"function": "sum", "field": "i"},
                             {"function": "count_distinct", "field": "t"}]}).ok().json["rows"]
        assert len(found) == len(expected), (SEED, number)
        for key, count, reals, least, total, times in found:
            group_rows = expected[key]
            texts = [row["s"] for row in group_rows if "s" in row]
            ints = [row["i"] for row in group_rows if "i" in row]
            assert (count, reals, least, total, times) == (
                len(group_rows), sum("r" in row for row in group_rows),
                min(texts, key=lambda text: text.encode()) if texts else None,
                sum(ints) if ints else None,
                len({row["t"] for row in group_rows if "t" in row})), (SEED, number, condition)

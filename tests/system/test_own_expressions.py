"""Our operators against the SQL engine: expressions, OR and NOT, HAVING, over random queries with nulls, extremes and
texts beyond ASCII. Each query runs by the chosen plan and by DuckDB; whoever refuses, both do."""

import collections
import json
import random

import pytest

OWN = {"hint": {"access_path": "pruned_scan"}}
ENGINE = {"hint": {"access_path": "duckdb"}}


@pytest.fixture(scope="module")
def table(request):
    client = request.getfixturevalue("session_client")
    name = "expression_rows"
    client.add_source(name, {"id": "int64", "n": "int64", "m": "int64", "v": "double", "w": "double", "s": "string",
                             "u": "string", "d": "date", "t": "timestamp", "b": "bool", "c": "bool"})
    chance = random.Random(11)
    rows = []
    for i in range(4000):
        rows.append({
            "id": i, "n": chance.choice([None, 0, 1, -1, 7, chance.randrange(-50, 50)]),
            "m": chance.choice([0, 3, 2**31, -2**31, chance.randrange(-10**6, 10**6)]),
            "v": chance.choice([None, 0.0, -0.5, 2.5, chance.uniform(-100, 100)]), "w": round(chance.uniform(-5, 5), 2),
            "s": chance.choice(["a", "b", "Ab", "aB c", "", "zz top", None]),
            "u": chance.choice(["ä", "é", "日本", "a", "x\u0301y", "🤦🏼", None]),
            "d": chance.choice([None, f"{chance.randrange(1900, 2100)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
                                "2024-02-29", "2020-12-31", "2021-01-03"]),
            "t": f"{chance.randrange(1950, 2040)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}T"
                 f"{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}.{chance.randrange(10**6):06d}Z",
            "b": chance.choice([True, False, None]), "c": chance.choice([True, False])})
    for part in range(4):
        client.write(name, rows[part * 1000:part * 1000 + 1000])
        if part < 3:
            client.flush(name)
    return name


class Maker:
    """Expressions of a type, to a depth."""

    def __init__(self, chance):
        self.chance = chance

    def whole(self, depth):
        pick = self.chance.choice
        if depth == 0 or self.chance.random() < 0.2:
            return pick(["id", "n", "n", "m", str(self.chance.randrange(10)), str(self.chance.randrange(-9, 1000))])
        a, b = self.whole(depth - 1), self.whole(depth - 1)
        return pick([
            f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} % {b})", f"({a} // {b})", f"(-({a}))", f"abs({a})",
            f"CASE WHEN {self.truth(depth - 1)} THEN {a} ELSE {b} END", f"CASE WHEN {self.truth(depth - 1)} THEN {a} END",
            f"CASE {a} WHEN {b} THEN 1 WHEN 7 THEN {b} ELSE 0 END", f"coalesce({a}, {b})", f"ifnull({a}, 3)",
            f"length({self.text(depth - 1)})", f"CAST({self.real(depth - 1)} AS BIGINT)",
            f"CAST({self.truth(depth - 1)} AS INTEGER)", f"CAST({a} AS INTEGER)",
            f"extract({pick(['year', 'month', 'day', 'quarter', 'week', 'dow', 'isodow', 'doy', 'hour', 'minute', 'second'])} FROM {pick('dt')})",
            f"{pick(['year', 'month', 'day', 'quarter', 'week', 'dayofweek', 'dayofyear', 'hour', 'minute'])}({pick('dt')})",
            f"date_part('{pick(['year', 'month', 'week'])}', {pick('dt')})"])

    def real(self, depth):
        pick = self.chance.choice
        if depth == 0 or self.chance.random() < 0.2:
            return pick(["v", "w", "v", "w", "CAST(0.5 AS DOUBLE)"])
        a, b = self.real(depth - 1), pick([self.real, self.whole])(depth - 1)
        if self.chance.random() < 0.5:
            b = pick(["2", "0.25", "10", "-1.5", b])
        return pick([f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} / {b})", f"({a} % {b})", f"({self.whole(depth - 1)} / {self.whole(depth - 1)})",
                     f"(-({a}))", f"abs({a})", f"round({a})", f"round({a}, {self.chance.randrange(4)})", f"floor({a})", f"ceil({a})",
                     f"CASE WHEN {self.truth(depth - 1)} THEN {a} ELSE {b} END", f"coalesce({a}, {b})", f"CAST({self.whole(depth - 1)} AS DOUBLE)"])

    def text(self, depth):
        pick = self.chance.choice
        if depth == 0 or self.chance.random() < 0.3:
            return pick(["s", "u", "s"])
        a = self.text(depth - 1)
        return pick([f"lower({a})", f"upper({a})", f"substr({a}, {self.chance.randrange(1, 4)}, {self.chance.randrange(3)})",
                     f"substring({a}, {self.chance.randrange(1, 4)})", f"({a} || 'x')", f"('é' || {a})", f"coalesce({a}, 'none')",
                     f"CASE WHEN {self.truth(depth - 1)} THEN {a} ELSE 'other' END", f"CAST({self.whole(depth - 1)} AS VARCHAR)"])

    def truth(self, depth):
        pick = self.chance.choice
        if depth == 0 or self.chance.random() < 0.2:
            return pick(["b", "c", "n > 3", "s = 'a'", "v < 1.5", "d >= DATE '2000-01-01'", "n IS NULL", "id < 2000", "s LIKE 'a%'"])
        return pick([
            f"({self.truth(depth - 1)} OR {self.truth(depth - 1)})", f"({self.truth(depth - 1)} AND {self.truth(depth - 1)})",
            f"(NOT {self.truth(depth - 1)})", f"({self.truth(depth - 1)} OR {self.truth(depth - 1)})",
            f"({self.whole(depth - 1)} {pick(['<', '<=', '=', '<>', '>', '>='])} {self.whole(depth - 1)})",
            f"({self.real(depth - 1)} {pick(['<', '<=', '=', '<>', '>', '>='])} {pick([self.real, self.whole])(depth - 1)})",
            f"({self.text(depth - 1)} {pick(['<', '=', '<>', '>='])} {pick([self.text(depth - 1), chr(39) + 'a' + chr(39)])})",
            f"({pick('dt')} {pick(['<', '>='])} {pick(['t', 'd', chr(39) + '2001-05-06' + chr(39), 'TIMESTAMP ' + chr(39) + '1999-01-01 10:00:00' + chr(39)])})",
            f"({self.whole(depth - 1)} {pick(['', 'NOT '])}IN (1, 2, 7, -3))", f"({self.text(depth - 1)} NOT IN ('a', 'b'))",
            f"({self.whole(depth - 1)} {pick(['', 'NOT '])}BETWEEN -5 AND {self.whole(depth - 1)})",
            f"({self.text(depth - 1)} {pick(['', 'NOT '])}LIKE '{pick(['a%', '%b%', '_', '%é', 'A_%'])}')",
            f"({self.whole(depth - 1)} IS {pick(['', 'NOT '])}NULL)", f"(({self.truth(depth - 1)}) IS {pick(['', 'NOT '])}{pick(['TRUE', 'FALSE', 'NULL'])})"])

    def time(self):
        pick = self.chance.choice
        return pick([f"date_trunc('{pick(['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second'])}', {pick('dt')})",
                     "CAST(t AS DATE)", "CAST(d AS TIMESTAMP)"])

    def aggregate(self, depth):
        pick = self.chance.choice
        found = pick([f"sum({self.whole(depth)})", f"sum({self.real(depth)})", f"avg({self.whole(depth)})", f"avg({self.real(depth)})",
                      f"min({self.whole(depth)})", f"max({self.text(depth)})", f"max({self.real(depth)})", f"count({self.text(depth)})",
                      f"count(DISTINCT {self.whole(depth)})", f"min({self.time()})", "count(*)", f"count({self.truth(depth)})",
                      f"sum(CASE WHEN {self.truth(depth)} THEN 1 ELSE 0 END)", "sum(n)", "max(m)"])
        return found if self.chance.random() < 0.8 else f"{found} FILTER (WHERE {self.truth(1)})"

    def over_groups(self, depth):
        pick = self.chance.choice
        return pick([self.aggregate(depth), self.aggregate(depth), f"sum(n) {pick('+-*%')} count(*)", "sum(w) / count(*)", "round(avg(v), 2)",
                     "max(m) - min(m)", "sum(n) / 4", "100 * count(n)", "coalesce(sum(n), 0)", "CASE WHEN sum(n) > 10 THEN 'much' ELSE 'few' END"])

    def query(self, table):
        pick = self.chance.choice
        where = f" WHERE {' AND '.join(self.truth(2) for _ in range(pick([1, 1, 2])))}" if self.chance.random() < 0.7 else ""
        if self.chance.random() < 0.4:
            items = [pick([self.whole, self.real, self.text, self.truth])(2) for _ in range(2)] + [self.time()]
            selected = ", ".join(f"{e} AS x{i}" for i, e in enumerate(items))
            return f"SELECT id, {selected} FROM {table}{where}"
        keys = [pick(["s", "n % 5", "b", self.whole(1), self.text(1), self.time(), "year(t)", "(v > 0)"]) for _ in range(pick([0, 1, 1, 2]))]
        selected = [f"{k} AS k{i}" for i, k in enumerate(keys)] + [f"{self.over_groups(1)} AS x{i}" for i in range(2)]
        group = f" GROUP BY {', '.join(pick([k, f'k{i}', str(i + 1)]) for i, k in enumerate(keys))}" if keys else ""
        having = pick(["", "", " HAVING count(*) > 20", " HAVING sum(n) > 0 OR count(*) < 5", " HAVING max(id) % 2 = 0", " HAVING x0 IS NOT NULL"])
        return f"SELECT {', '.join(selected)} FROM {table}{where}{group}{having}"


def ask(client, query, more):
    found = client.post("/query/sql", {"query": query, "dialect": "duckdb", **more})
    return found.json if found.status == 200 else None


def same(one, two):
    def key(row):
        return json.dumps([round(v, 6) if isinstance(v, float) and abs(v) < 1e15 else v for v in row])
    one, two = sorted(one, key=key), sorted(two, key=key)
    return len(one) == len(two) and all(
        len(a) == len(b) and all(
            (x == y and isinstance(x, bool) == isinstance(y, bool)) or
            (isinstance(x, float) and isinstance(y, float) and x == pytest.approx(y, rel=1e-9, abs=1e-9))
            for x, y in zip(a, b)) for a, b in zip(one, two))


def test_expressions_agree_with_the_engine(session_client, table):
    maker, paths = Maker(random.Random(21)), collections.Counter()
    for _ in range(250):
        query = maker.query(table)
        engine, own = ask(session_client, query, ENGINE), ask(session_client, query, OWN)
        assert (engine is None) == (own is None), query
        if engine is None:
            paths["refused"] += 1
            continue
        assert own["columns"] == engine["columns"], query
        assert same(own["rows"], engine["rows"]), query
        paths[own["statistics"]["access_path"]] += 1
    assert paths["pruned_scan"] > 120 and paths["refused"] < 50, paths

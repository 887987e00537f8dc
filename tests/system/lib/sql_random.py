"""Random queries of DuckDB's dialect over two tables, `d` (many kinds of values) and `e` (a few rows by
key), whose answers are certain: no order that is not asked for, no sums whose last digits depend on
the order, overflow only where every row is looked at."""

D = {"k": "int64", "i": "int64", "n": "int64", "r": "double", "x": "double", "s": "string", "u": "string",
     "d": "date", "t": "timestamp", "b": "bool", "nothing": "int64"}
E = {"n": "int64", "name": "string", "w": "double"}

INTS = [0, 1, -1, 2**31, -2**31 - 1, 2**53 + 1, 2**63 - 1, -2**63]
WILD = [0.0, -0.0, 1.5, -1.5, 1e300, -1e300, 1e-300, 5e-324, 0.1, 1.7976931348623157e308]
TEXTS = ["", "a", "A", "ab", "Abc", "b%", "a_b", "zz\\", "x'y", " pad ", "12", "-7"]
UNICODE = ["", "ä", "Ä", "straße", "STRASSE", "İ", "ﬁ", "日本語", "e\u0301", "é", "😀", "👩\u200d👧", "ñ", "\u00a0"]
DAYS = ["1969-12-31", "1970-01-01", "2000-02-29", "2024-02-29", "2024-03-31", "2024-10-27", "2024-12-31", "0002-01-01",
        "9000-06-30"]
TIMES = ["1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "2024-03-31T01:30:00", "2024-03-31T02:30:00.5",
         "2024-10-27T00:30:00.000001", "2024-10-27T01:30:00", "2024-02-29T12:00:00", "2262-04-11T23:47:16.854775"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]


def make_rows(chance, first, count):
    def maybe(value):
        return None if chance.random() < 0.15 else value

    return [{"k": k, "i": maybe(chance.choice(INTS)), "n": maybe(chance.randrange(-9, 10)),
             "r": maybe(chance.randrange(-800, 800) / 4), "x": maybe(chance.choice(WILD)),
             "s": maybe(chance.choice(TEXTS)), "u": maybe(chance.choice(UNICODE)),
             "d": maybe(chance.choice(DAYS)), "t": maybe(chance.choice(TIMES)),
             "b": maybe(chance.random() < 0.5), "nothing": None} for k in range(first, first + count)]


def small_rows():
    return [{"n": n, "name": f"name {n % 4}", "w": n / 2} for n in range(-5, 6)] + [{"n": None, "name": "none", "w": None}]


def text(value):
    return "'" + value.replace("'", "''") + "'"


class Queries:
    """next() gives a query; `ordered` says whether its rows have an order."""

    def __init__(self, chance):
        self.chance = chance

    def pick(self, *choices):
        return self.chance.choice(choices)

    def small(self):
        """Whole numbers that do not overflow."""
        return self.pick("n", "k", "n", "n + 1", "k % 7", "n * 3", "-n", "abs(n)", "k - n", "length(s)", "year(d)",
                         "month(d)", "dayofweek(d)", "hour(t)", "extract(day FROM t)", "coalesce(n, 0)",
                         "CASE WHEN b THEN n ELSE k END", "nullif(n, 3)", "length(u)", "n // 2", "nothing", "n % 4",
                         str(self.chance.randrange(-9, 10)))

    def texts(self):
        return self.pick("s", "u", "lower(s)", "upper(s)", "s || '-'", "concat(s, '.', u)", "substr(s, 1, 2)", "trim(s)",
                         "coalesce(s, 'none')", "replace(s, 'a', 'o')", "upper(u)", "lower(u)", "reverse(u)",
                         "substr(u, 1, 1)", "left(s, 1)", "CAST(n AS VARCHAR)", "CAST(d AS VARCHAR)",
                         "strftime(t, '%Y-%m-%d %H')", "CASE WHEN n > 0 THEN s ELSE u END")

    def reals(self):
        return self.pick("r", "r", "r + 1", "r * 2", "n / 2", "r / 4", "abs(r)", "n / nullif(k, 0)", "x", "-x",
                         "coalesce(r, 0.5)", "CAST(n AS DOUBLE)", "round(r)", "floor(r)", "ceil(r)")

    def times(self):
        zone = text(self.pick(*ZONES))
        return self.pick("d", "t", "CAST(t AS DATE)", "date_trunc('month', t)", "date_trunc('day', t)", "d + 1",
                         "d - INTERVAL 1 MONTH", "t + INTERVAL 90 MINUTE", f"CAST(t AT TIME ZONE {zone} AS VARCHAR)",
                         "last_day(d)", f"strftime(timezone({zone}, t AT TIME ZONE 'UTC'), '%d %H:%M')")

    def value(self):
        return self.pick(self.small, self.texts, self.reals, self.times, lambda: "i", lambda: "b")()

    def comparison(self):
        op = self.pick("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
        number = self.chance.randrange(-9, 10)
        return self.pick(
            lambda: f"{self.small()} {op} {number}", lambda: f"{self.small()} {op} {self.small()}",
            lambda: f"i {op} {self.pick(*INTS[:-1])}", lambda: f"x {op} {self.pick(*WILD)!r}",
            lambda: f"{self.reals()} {op} {number / 4}", lambda: f"{self.texts()} {op} {text(self.pick(*TEXTS, *UNICODE))}",
            lambda: f"d {op} DATE '{self.pick(*DAYS)}'", lambda: f"t {op} TIMESTAMP '{self.pick(*TIMES)}'",
            lambda: f"x {op} 'nan'::DOUBLE", lambda: f"i {op} {number}.5", lambda: f"r {op} n",
            lambda: f"{number} {op} n", lambda: f"d {op} t")()

    def condition(self, depth=0):
        if depth < 2 and self.chance.random() < 0.35:
            both = f" {self.pick('AND', 'OR')} ".join(self.condition(depth + 1) for _ in range(self.pick(2, 2, 3)))
            return self.pick(f"({both})", f"({both})", f"NOT ({both})")
        low = self.chance.randrange(-9, 10)
        return self.pick(
            self.comparison, self.comparison, self.comparison, self.comparison,
            lambda: f"{self.value()} IS {self.pick('', 'NOT ')}NULL",
            lambda: f"{self.small()} {self.pick('', 'NOT ')}BETWEEN {low} AND {low + self.pick(-1, 0, 4)}",
            lambda: f"n {self.pick('', 'NOT ')}IN ({', '.join(self.pick('0', '3', '-4', '7', 'NULL') for _ in range(3))})",
            lambda: f"s {self.pick('', 'NOT ')}IN ({', '.join(text(self.pick(*TEXTS)) for _ in range(3))})",
            lambda: f"{self.pick('s', 'u')} {self.pick('', 'NOT ')}LIKE {text(self.pick('a%', '%b', '%a%', '_', '__', '', '%', 'ä%', '😀'))}",
            lambda: f"s ILIKE {text(self.pick('A%', 'aB'))}", lambda: self.pick("b", "NOT b", "b IS TRUE", "b = false", "true"),
            lambda: f"starts_with({self.pick('s', 'u')}, {text(self.pick(*TEXTS, *UNICODE))})",
            lambda: "nothing = 1", lambda: "k < 0")()

    def where(self):
        return f" WHERE {self.condition()}" if self.chance.random() < 0.8 else ""

    def aggregate(self):
        return self.pick(
            "count(*)", "count(n)", "count(DISTINCT s)", "count(DISTINCT u)", "sum(n)", "sum(i)", "sum(k * n)", "sum(r)",
            "avg(n)", "avg(r)", "min(i)", "max(i)", "min(x)", "max(x)", "min(s)", "max(u)", "min(d)", "max(t)", "min(b)",
            "max(b)", "sum(nothing)", "avg(nothing)", "min(nothing)", "count(nothing)", "sum(CASE WHEN b THEN 1 ELSE 0 END)",
            f"count(*) FILTER (WHERE {self.comparison()})", "bool_and(b)", "bool_or(b)", "median(n)", "sum(n) / count(*)",
            "max(length(s))", "stddev(n)", f"min({self.value()})", f"count({self.value()})")

    def keys(self):
        return [self.pick("n", "s", "u", "b", "d", "t", "x", "i", "nothing", "k % 3", "year(d)", "lower(s)", "n > 0",
                          "date_trunc('month', t)", "CAST(t AS DATE)") for _ in range(self.pick(0, 0, 1, 1, 1, 2))]

    def groups(self):
        keys = self.keys()
        columns = [f"{key} AS g{at}" for at, key in enumerate(keys)]
        columns += [f"{self.aggregate()} AS a{at}" for at in range(self.pick(1, 2, 3))]
        having = self.pick("", "", f" HAVING count(*) > {self.pick(0, 1, 3, 1000)}", " HAVING sum(n) > 0",
                           " HAVING max(s) IS NOT NULL")
        group = f" GROUP BY {', '.join(str(at + 1) for at in range(len(keys)))}" if keys else ""
        return f"SELECT {', '.join(columns)} FROM d{self.where()}{group}{having}"

    def rows(self):
        columns = ", ".join(f"{self.value()} AS c{at}" for at in range(self.pick(1, 2, 3)))
        return f"SELECT {columns} FROM d{self.where()}"

    def first_rows(self):
        limit = f" LIMIT {self.pick(0, 1, 5, 30)}" + self.pick("", " OFFSET 2", " OFFSET 100000")
        by = self.pick("k", "k DESC", "n NULLS FIRST, k", "s DESC NULLS LAST, k", "r, k", "t NULLS LAST, k DESC", "d DESC, k")
        return f"SELECT k, {self.value()} AS c FROM d{self.where()} ORDER BY {by}{limit}"

    def joined(self):
        kind = self.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
        condition = self.condition()
        return self.pick(
            f"SELECT d.k, e.name, e.w FROM d {kind} e ON d.n = e.n WHERE {self.pick('d.k < 40', 'e.w > 0', 'd.b')}",
            f"SELECT name, count(*) AS c, sum(k) AS q FROM (SELECT * FROM d WHERE {condition}) d {kind} e ON d.n = e.n GROUP BY name",
            f"SELECT k FROM d WHERE n IN (SELECT n FROM e WHERE w > {self.chance.randrange(-2, 3)}) AND {condition}",
            f"SELECT k FROM d WHERE n NOT IN (SELECT n FROM e WHERE w IS NOT NULL) AND {condition}",
            "SELECT k FROM d WHERE EXISTS (SELECT 1 FROM e WHERE e.n = d.n AND e.w < d.r)",
            f"WITH c AS (SELECT n, count(*) AS m FROM d WHERE {condition} GROUP BY n) SELECT c.n, c.m, e.name FROM c JOIN e ON c.n = e.n",
            f"SELECT k, row_number() OVER (PARTITION BY n ORDER BY k) AS p, sum(n) OVER (ORDER BY k) AS q FROM d WHERE {condition}",
            f"SELECT n FROM d WHERE {condition} {self.pick('UNION', 'INTERSECT', 'EXCEPT', 'UNION ALL')} SELECT n FROM e",
            f"SELECT DISTINCT {self.pick('n', 's', 'u, b', 'lower(s)')} FROM d WHERE {condition}")

    def overflowing(self):
        """Every row is looked at, so it fails, or not, for certain."""
        return self.pick("SELECT i + 1 AS c FROM d", "SELECT i * n AS c FROM d", "SELECT -i AS c FROM d", "SELECT abs(i) AS c FROM d",
                         "SELECT i - k AS c FROM d", "SELECT sum(i + 0) AS c FROM d", "SELECT sum(i * 2) AS c FROM d",
                         "SELECT CAST(i AS INTEGER) AS c FROM d", "SELECT CAST(x AS BIGINT) AS c FROM d", "SELECT x * 10 AS c FROM d",
                         "SELECT x / 0 AS c FROM d", "SELECT n / 0 AS c FROM d", "SELECT n % 0 AS c FROM d", "SELECT sqrt(n) AS c FROM d",
                         "SELECT ln(r) AS c FROM d", "SELECT TRY_CAST(s AS INTEGER) AS c FROM d", "SELECT CAST(s AS INTEGER) AS c FROM d",
                         "SELECT max(x) * 10 AS c FROM d", "SELECT sum(x) AS c FROM d WHERE x < 2")

    def next(self):
        share = self.chance.random()
        if share < 0.35:
            return self.groups(), False
        if share < 0.6:
            return self.rows(), False
        if share < 0.8:
            return self.first_rows(), True
        if share < 0.97:
            return self.joined(), False
        return self.overflowing(), False

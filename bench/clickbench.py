"""ClickBench's 43 queries through Quarry's HTTP, against DuckDB in this process on the same Parquet files:

    QUARRY_BIN=build/release/bin /usr/bin/python3 bench/clickbench.py [ROWS] [RUNS]

The rows are made here, of the 26 columns of `hits` that the queries name, with skewed values: not the
benchmark's own data. Right answers are DuckDB's on the same files; of queries whose LIMIT cuts among equals
the column that orders is compared. QUARRY_BENCH_DIR keeps the loaded rows. Exits with 1 on a wrong answer."""

import os
import pathlib
import shutil
import sys
import tempfile

from sql_bench import Race, load_csv, start
from lib.duck import Duck, literal, same_rows

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 3

INT = "int64"
SCHEMA = {"WatchID": INT, "Title": "string", "EventTime": "timestamp", "EventDate": "date", "CounterID": INT, "ClientIP": INT,
          "RegionID": INT, "UserID": INT, "URL": "string", "Referer": "string", "IsRefresh": INT, "ResolutionWidth": INT,
          "MobilePhone": INT, "MobilePhoneModel": "string", "TraficSourceID": INT, "SearchEngineID": INT,
          "SearchPhrase": "string", "AdvEngineID": INT, "WindowClientWidth": INT, "WindowClientHeight": INT, "IsLink": INT,
          "IsDownload": INT, "DontCountHits": INT, "RefererHash": INT, "URLHash": INT, "Age": INT}
USER, REFERER_HASH, URL_HASH = 435090932899640449, 3594120000172545465, 2868770270353813622

# h(n): a number of the row, evenly spread below 2^32; skew(n, top): small values often.
MACROS = """CREATE MACRO h(i, n) AS (hash(i * 64 + n) >> 32)::BIGINT;
CREATE MACRO share(i, n) AS h(i, n) / 4294967296.0;
CREATE MACRO skew(i, n, top) AS floor(top * pow(share(i, n), 4))::BIGINT"""
MAKE = f"""SELECT h(i, 1) * 1000000007 + i AS WatchID,
 CASE WHEN share(i, 2) < 0.1 THEN '' ELSE concat('Page ', skew(i, 3, 50000), CASE WHEN share(i, 4) < 0.02 THEN ' - Google' ELSE ' of a shop' END) END AS Title,
 TIMESTAMP '2013-07-01' + to_seconds(h(i, 5) % 2678400) AS EventTime, CAST(EventTime AS DATE) AS EventDate,
 CASE WHEN share(i, 6) < 0.1 THEN 62 ELSE skew(i, 7, 6000) END AS CounterID, skew(i, 8, 400000) AS ClientIP,
 skew(i, 9, 5000) AS RegionID, CASE WHEN i % 50000 = 0 THEN {USER} ELSE skew(i, 10, 300000) * 1000003 END AS UserID,
 concat('http://', CASE WHEN share(i, 11) < 0.02 THEN 'www.google.com' ELSE concat('site', skew(i, 12, 3000), '.example') END, '/', skew(i, 13, 200000)) AS URL,
 CASE WHEN share(i, 14) < 0.2 THEN '' ELSE concat('https://www.ref', skew(i, 15, 2000), '.example/p/', skew(i, 16, 100000)) END AS Referer,
 (share(i, 17) < 0.1)::BIGINT AS IsRefresh, 800 + 16 * skew(i, 18, 100) AS ResolutionWidth,
 CASE WHEN share(i, 19) < 0.9 THEN 0 ELSE skew(i, 20, 60) END AS MobilePhone,
 CASE WHEN MobilePhone = 0 THEN '' ELSE concat('model ', skew(i, 21, 160)) END AS MobilePhoneModel,
 h(i, 22) % 9 - 1 AS TraficSourceID, CASE WHEN share(i, 23) < 0.8 THEN 0 ELSE skew(i, 24, 90) END AS SearchEngineID,
 CASE WHEN SearchEngineID = 0 THEN '' ELSE concat('words ', skew(i, 25, 90000)) END AS SearchPhrase,
 CASE WHEN share(i, 26) < 0.98 THEN 0 ELSE 1 + skew(i, 27, 20) END AS AdvEngineID,
 200 + skew(i, 28, 1800) AS WindowClientWidth, 200 + skew(i, 29, 900) AS WindowClientHeight, (share(i, 30) < 0.15)::BIGINT AS IsLink,
 (share(i, 31) < 0.02)::BIGINT AS IsDownload, (share(i, 32) < 0.05)::BIGINT AS DontCountHits,
 CASE WHEN share(i, 33) < 0.05 THEN {REFERER_HASH} ELSE skew(i, 34, 100000) END AS RefererHash,
 CASE WHEN share(i, 35) < 0.05 THEN {URL_HASH} ELSE skew(i, 36, 200000) END AS URLHash, skew(i, 37, 90) AS Age
 FROM range({ROWS}) t(i)"""

JULY = "CounterID = 62 AND EventDate >= '2013-07-01' AND EventDate <= '2013-07-31'"
WIDTHS = ", ".join(f"SUM(ResolutionWidth + {n})" for n in range(90)).replace(" + 0)", ")", 1)
HOST = r"REGEXP_REPLACE(Referer, '^https?://(?:www\.)?([^/]+)/.*$', '\1')"


def top(columns, counted, where="", by=None, limit="LIMIT 10"):
    """SELECT columns, counted ... GROUP BY columns ORDER BY `by` DESC."""
    where = f" WHERE {where}" if where else ""
    return f"SELECT {columns}, {counted} FROM hits{where} GROUP BY {columns} ORDER BY {by} DESC {limit}"


# (SQL, the column that orders; None: the rows are certain; -1: their number only)
QUERIES = [
    ("SELECT COUNT(*) FROM hits", None),
    ("SELECT COUNT(*) FROM hits WHERE AdvEngineID <> 0", None),
    ("SELECT SUM(AdvEngineID), COUNT(*), AVG(ResolutionWidth) FROM hits", None),
    ("SELECT AVG(UserID) FROM hits", None),
    ("SELECT COUNT(DISTINCT UserID) FROM hits", None),
    ("SELECT COUNT(DISTINCT SearchPhrase) FROM hits", None),
    ("SELECT MIN(EventDate), MAX(EventDate) FROM hits", None),
    ("SELECT AdvEngineID, COUNT(*) FROM hits WHERE AdvEngineID <> 0 GROUP BY AdvEngineID ORDER BY COUNT(*) DESC", None),
    (top("RegionID", "COUNT(DISTINCT UserID) AS u", by="u"), 1),
    (top("RegionID", "SUM(AdvEngineID), COUNT(*) AS c, AVG(ResolutionWidth), COUNT(DISTINCT UserID)", by="c"), 2),
    (top("MobilePhoneModel", "COUNT(DISTINCT UserID) AS u", "MobilePhoneModel <> ''", "u"), 1),
    (top("MobilePhone, MobilePhoneModel", "COUNT(DISTINCT UserID) AS u", "MobilePhoneModel <> ''", "u"), 2),
    (top("SearchPhrase", "COUNT(*) AS c", "SearchPhrase <> ''", "c"), 1),
    (top("SearchPhrase", "COUNT(DISTINCT UserID) AS u", "SearchPhrase <> ''", "u"), 1),
    (top("SearchEngineID, SearchPhrase", "COUNT(*) AS c", "SearchPhrase <> ''", "c"), 2),
    (top("UserID", "COUNT(*)", by="COUNT(*)"), 1),
    (top("UserID, SearchPhrase", "COUNT(*)", by="COUNT(*)"), 2),
    ("SELECT UserID, SearchPhrase, COUNT(*) FROM hits GROUP BY UserID, SearchPhrase LIMIT 10", -1),
    ("SELECT UserID, extract(minute FROM EventTime) AS m, SearchPhrase, COUNT(*) FROM hits GROUP BY UserID, m, SearchPhrase "
     "ORDER BY COUNT(*) DESC LIMIT 10", 3),
    (f"SELECT UserID FROM hits WHERE UserID = {USER}", None),
    ("SELECT COUNT(*) FROM hits WHERE URL LIKE '%google%'", None),
    ("SELECT SearchPhrase, MIN(URL), COUNT(*) AS c FROM hits WHERE URL LIKE '%google%' AND SearchPhrase <> '' "
     "GROUP BY SearchPhrase ORDER BY c DESC LIMIT 10", 2),
    ("SELECT SearchPhrase, MIN(URL), MIN(Title), COUNT(*) AS c, COUNT(DISTINCT UserID) FROM hits WHERE Title LIKE '%Google%' "
     "AND URL NOT LIKE '%.google.%' AND SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY c DESC LIMIT 10", 3),
    ("SELECT * FROM hits WHERE URL LIKE '%google%' ORDER BY EventTime LIMIT 10", 2),
    ("SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime LIMIT 10", -1),
    ("SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY SearchPhrase LIMIT 10", None),
    ("SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime, SearchPhrase LIMIT 10", None),
    ("SELECT CounterID, AVG(STRLEN(URL)) AS l, COUNT(*) AS c FROM hits WHERE URL <> '' GROUP BY CounterID "
     "HAVING COUNT(*) > 10000 ORDER BY l DESC LIMIT 25", 1),
    (f"SELECT {HOST} AS k, AVG(STRLEN(Referer)) AS l, COUNT(*) AS c, MIN(Referer) FROM hits WHERE Referer <> '' GROUP BY k "
     "HAVING COUNT(*) > 10000 ORDER BY l DESC LIMIT 25", 1),
    (f"SELECT {WIDTHS} FROM hits", None),
    (top("SearchEngineID, ClientIP", "COUNT(*) AS c, SUM(IsRefresh), AVG(ResolutionWidth)", "SearchPhrase <> ''", "c"), 2),
    (top("WatchID, ClientIP", "COUNT(*) AS c, SUM(IsRefresh), AVG(ResolutionWidth)", "SearchPhrase <> ''", "c"), 2),
    (top("WatchID, ClientIP", "COUNT(*) AS c, SUM(IsRefresh), AVG(ResolutionWidth)", by="c"), 2),
    (top("URL", "COUNT(*) AS c", by="c"), 1),
    ("SELECT 1, URL, COUNT(*) AS c FROM hits GROUP BY 1, URL ORDER BY c DESC LIMIT 10", 2),
    (top("ClientIP, ClientIP - 1, ClientIP - 2, ClientIP - 3", "COUNT(*) AS c", by="c"), 4),
    (top("URL", "COUNT(*) AS v", f"{JULY} AND DontCountHits = 0 AND IsRefresh = 0 AND URL <> ''", "v"), 1),
    (top("Title", "COUNT(*) AS v", f"{JULY} AND DontCountHits = 0 AND IsRefresh = 0 AND Title <> ''", "v"), 1),
    (top("URL", "COUNT(*) AS v", f"{JULY} AND IsRefresh = 0 AND IsLink <> 0 AND IsDownload = 0", "v", "LIMIT 10 OFFSET 1000"), 1),
    ("SELECT TraficSourceID, SearchEngineID, AdvEngineID, CASE WHEN SearchEngineID = 0 AND AdvEngineID = 0 THEN Referer ELSE '' END "
     f"AS Src, URL AS Dst, COUNT(*) AS v FROM hits WHERE {JULY} AND IsRefresh = 0 GROUP BY TraficSourceID, SearchEngineID, "
     "AdvEngineID, Src, Dst ORDER BY v DESC LIMIT 10 OFFSET 1000", 5),
    (top("URLHash, EventDate", "COUNT(*) AS v", f"{JULY} AND IsRefresh = 0 AND TraficSourceID IN (-1, 6) AND "
         f"RefererHash = {REFERER_HASH}", "v", "LIMIT 10 OFFSET 100"), 2),
    (top("WindowClientWidth, WindowClientHeight", "COUNT(*) AS v", f"{JULY} AND IsRefresh = 0 AND DontCountHits = 0 AND "
         f"URLHash = {URL_HASH}", "v", "LIMIT 10 OFFSET 1000"), 2),
    ("SELECT DATE_TRUNC('minute', EventTime) AS m, COUNT(*) AS v FROM hits WHERE CounterID = 62 AND EventDate >= '2013-07-14' AND "
     "EventDate <= '2013-07-15' AND IsRefresh = 0 AND DontCountHits = 0 GROUP BY m ORDER BY m LIMIT 10 OFFSET 1000", None),
]


def check(column):
    def right(ours, theirs):
        if column is None or same_rows(ours, theirs):
            return same_rows(ours, theirs)
        if len(ours) != len(theirs):
            return False
        return column < 0 or same_rows([[row[column]] for row in ours], [[row[column]] for row in theirs])
    return right


def load(client, folder):
    duck = Duck()
    for statement in MACROS.split(";"):
        duck.run(statement)
    path = folder / "hits.csv"
    duck.run(f"COPY ({MAKE}) TO {literal(path)} (HEADER, FORMAT csv)")
    duck.close()
    load_csv(client, "hits", SCHEMA, path)
    path.unlink()


def main():
    kept = os.environ.get("QUARRY_BENCH_DIR")
    folder = pathlib.Path(kept or tempfile.mkdtemp(prefix="quarry-clickbench."))
    fresh = not (folder / "quarry").exists()
    folder.mkdir(parents=True, exist_ok=True)
    server = start(folder)
    try:
        if fresh:
            load(server.client(timeout=600), folder)
        race = Race(server, ["hits"], RUNS)
        print(f"ClickBench's queries, {ROWS} generated rows, {RUNS} runs each in turn, milliseconds")
        race.head()
        for number, (sql, column) in enumerate(QUERIES):
            race.run(f"q{number:02d}", sql, check(column))
        return 0 if race.totals() else 1
    finally:
        server.stop()
        if not kept:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())

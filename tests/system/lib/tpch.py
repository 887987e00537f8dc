"""TPC-H as the shared data has it: the 22 queries, a generator of tables of that shape, their types."""

import json
import subprocess
import sys

from lib.quarry import SHARED

_TYPES = {
    "region": "regionkey int64 name string comment string",
    "nation": "nationkey int64 name string regionkey int64 comment string",
    "supplier": "suppkey int64 name string address string nationkey int64 phone string acctbal double "
                "comment string",
    "customer": "custkey int64 name string address string nationkey int64 phone string acctbal double "
                "mktsegment string comment string",
    "part": "partkey int64 name string mfgr string brand string type string size int64 container string "
            "retailprice double comment string",
    "partsupp": "partkey int64 suppkey int64 availqty int64 supplycost double comment string",
    "orders": "orderkey int64 custkey int64 orderstatus string totalprice double orderdate date "
              "orderpriority string clerk string shippriority int64 comment string",
    "lineitem": "orderkey int64 partkey int64 suppkey int64 linenumber int64 quantity double "
                "extendedprice double discount double tax double returnflag string linestatus string "
                "shipdate date commitdate date receiptdate date shipinstruct string shipmode string "
                "comment string",
}
_PREFIXES = {"partsupp": "ps"}


def _schema(table):
    words = _TYPES[table].split()
    prefix = _PREFIXES.get(table, table[0])
    return {f"{prefix}_{name}": kind for name, kind in zip(words[::2], words[1::2])}


# Quarry has no DECIMAL: money is double.
TABLES = {table: _schema(table) for table in _TYPES}


def generate(folder, scale):
    """TABLE.csv for each table; not dbgen's rows, so published answers do not apply."""
    subprocess.run([sys.executable, SHARED / "sql-cases/tpch_gen.py", folder, str(scale)], check=True)


def queries():
    """(name, SQL) of the 22."""
    cases = json.loads((SHARED / "sql-cases/tpch.json").read_text())["cases"]
    return [(case["id"], case["sql"].rstrip().rstrip(";")) for case in cases]

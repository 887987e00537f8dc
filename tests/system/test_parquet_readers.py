"""Files of Quarry's Parquet writer through readers that are not Quarry's: every value of every codec.

hyparquet (npm, JavaScript) always; DuckDB's shared library through ctypes when it is there.
The unit test program format/parquet/export_test writes the files and the same rows as NDJSON.
"""

import ctypes
import datetime
import json
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("QUARRY_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("QUARRY_BIN", ROOT / "build/dev/bin"))
# Unit tests are built in other folders than the release programs.
EXPORTS = [
    folder / "tests/unit/format/parquet/export_test"
    for folder in (BIN.parent, ROOT / "build/asan", ROOT / "build/dev")
]
EXPORT = next((path for path in EXPORTS if path.exists()), EXPORTS[0])
CODECS = ["none", "snappy", "gzip", "zstd", "lz4_raw"]

READ_JS = """
import { readFileSync } from 'fs'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
const bytes = readFileSync(process.argv[2])
const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
const text = (b) => b === undefined || b === null ? null : new TextDecoder().decode(b)
const parsers = {
  timestampFromMicroseconds: (us) => ({ us: String(us) }),
  dateFromDays: (days) => ({ days: Number(days) }),
  jsonFromBytes: text,
  stringFromBytes: text,
}
const rows = await parquetReadObjects({ file, compressors, parsers })
const plain = (k, v) => typeof v === 'bigint' ? { int: String(v) } : v === undefined ? null : v
console.log(rows.map((row) => JSON.stringify(row, plain)).join('\\n'))
"""


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    if not EXPORT.exists():
        pytest.fail(f"{EXPORT} is not built (target format_parquet_export_test)")
    folder = tmp_path_factory.mktemp("parquet")
    environment = dict(os.environ, QUARRY_EXPORT_DIR=str(folder))
    subprocess.run([str(EXPORT)], env=environment, check=True, capture_output=True)
    lines = (folder / "rows.ndjson").read_text().splitlines()
    return folder, [json.loads(line) for line in lines]


def micros_of(text):
    if text is None:
        return None
    moment = datetime.datetime.fromisoformat(text)
    return (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


def days_of(text):
    return None if text is None else (datetime.date.fromisoformat(text) - datetime.date(1970, 1, 1)).days


def expected_of(row):
    """A row of the NDJSON in the form that the foreign readers' results are brought to."""
    return {**row, "day": days_of(row["day"]), "moment": micros_of(row["moment"])}


def from_hyparquet(row):
    unwrap = lambda v, key: v if v is None else int(v[key])
    return {
        **row,
        "number": unwrap(row["number"], "int"),
        "day": unwrap(row["day"], "days"),
        "moment": unwrap(row["moment"], "us"),
        "doc": None if row["doc"] is None else json.loads(row["doc"]),
    }


@pytest.mark.parametrize("codec", CODECS)
def test_hyparquet_reads_every_value(export, codec, tmp_path):
    folder, rows = export
    node = shutil.which("node")
    if not node or not (ROOT / "node_modules/hyparquet").is_dir():
        pytest.fail("node or node_modules/hyparquet is absent (npm ci --ignore-scripts)")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    script = tmp_path / "read.mjs"
    script.write_text(READ_JS)
    done = subprocess.run([node, str(script), str(folder / f"{codec}.parquet")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    got = [from_hyparquet(json.loads(line)) for line in done.stdout.splitlines()]
    assert len(got) == len(rows)
    for index, (expected, actual) in enumerate(zip(rows, got)):
        assert actual == expected_of(expected), f"row {index}"


class DuckDB:
    """As much of DuckDB's C API as a test needs: a query whose result is one text."""

    class Result(ctypes.Structure):
        _fields_ = [("space", ctypes.c_uint64 * 16)]

    def __init__(self, library):
        self.lib = ctypes.CDLL(str(library))
        self.lib.duckdb_value_varchar.restype = ctypes.c_void_p
        self.lib.duckdb_value_varchar.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
        self.lib.duckdb_result_error.restype = ctypes.c_char_p
        self.lib.duckdb_free.argtypes = [ctypes.c_void_p]
        self.database = ctypes.c_void_p()
        self.connection = ctypes.c_void_p()
        assert self.lib.duckdb_open(None, ctypes.byref(self.database)) == 0
        assert self.lib.duckdb_connect(self.database, ctypes.byref(self.connection)) == 0

    def text(self, sql):
        result = self.Result()
        state = self.lib.duckdb_query(self.connection, sql.encode(), ctypes.byref(result))
        assert state == 0, self.lib.duckdb_result_error(ctypes.byref(result)).decode()
        pointer = self.lib.duckdb_value_varchar(ctypes.byref(result), 0, 0)
        value = ctypes.string_at(pointer).decode() if pointer else None
        self.lib.duckdb_free(pointer)
        self.lib.duckdb_destroy_result(ctypes.byref(result))
        return value

    def close(self):
        self.lib.duckdb_disconnect(ctypes.byref(self.connection))
        self.lib.duckdb_close(ctypes.byref(self.database))


@pytest.fixture(scope="module")
def duckdb():
    found = sorted((ROOT / "node_modules/@duckdb").glob("*/libduckdb.so"))
    if not found:
        pytest.fail("no libduckdb.so in node_modules/@duckdb")
    engine = DuckDB(found[0])
    yield engine
    engine.close()


@pytest.mark.parametrize("codec", CODECS)
def test_duckdb_reads_every_value(export, duckdb, codec):
    folder, rows = export
    path = str(folder / f"{codec}.parquet").replace("'", "''")
    text = duckdb.text(
        "SELECT to_json(list({flag: flag, number: number, real: real, few: few, many: many,"
        " doc: doc::VARCHAR, day: date_diff('day', DATE '1970-01-01', day),"
        " moment: epoch_us(moment)} ORDER BY file_row_number))::VARCHAR"
        f" FROM read_parquet('{path}', file_row_number = true)")
    got = json.loads(text)
    assert len(got) == len(rows)
    for index, (expected, actual) in enumerate(zip(rows, got)):
        doc = actual["doc"]
        actual = {**actual, "doc": None if doc is None else json.loads(doc)}
        assert actual == expected_of(expected), f"row {index}"


def test_duckdb_uses_statistics(export, duckdb):
    folder, rows = export
    path = str(folder / "snappy.parquet").replace("'", "''")
    numbers = [row["number"] for row in rows if row["number"] is not None]
    found = duckdb.text(
        "SELECT min(stats_min_value::BIGINT) || ' ' || max(stats_max_value::BIGINT) || ' ' ||"
        " sum(stats_null_count) FROM parquet_metadata('" + path + "') WHERE path_in_schema = 'number'")
    assert found == f"{min(numbers)} {max(numbers)} {len(rows) - len(numbers)}"
    point = duckdb.text(f"SELECT count(*)::VARCHAR FROM read_parquet('{path}') WHERE number = {max(numbers)}")
    assert point == str(numbers.count(max(numbers)))

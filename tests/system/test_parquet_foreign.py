"""Files of other writers through Quarry's Parquet reader: the same values as DuckDB reads; and files
of Quarry's writer with all options on through foreign readers.

The unit test program format/parquet/conformance_test reads the conformance set, and files that
DuckDB writes here, and puts every row down as NDJSON; options_test writes files and their rows.
"""

import json
import math
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from test_parquet_readers import EXPORT, READ_JS, ROOT, DuckDB

PROGRAM = EXPORT.with_name("conformance_test")
SHARED = pathlib.Path(os.environ.get("QUARRY_SHARED", ROOT.parent / "shared"))
DATA = SHARED / "conformance/parquet/data"

# Files that this DuckDB does not read, or not as we do; those below have a test of their own.
NOT_COMPARED = {
    "byte_stream_split_extended.gzip.parquet": "DuckDB: only FLOAT or DOUBLE",
    "fixed_length_byte_array.parquet": "bytes: base64 here",
    "hadoop_lz4_compressed.parquet": "DuckDB: no LZ4 with frames",
    "hadoop_lz4_compressed_larger.parquet": "DuckDB: no LZ4 with frames",
    "non_hadoop_lz4_compressed.parquet": "DuckDB: no LZ4 with frames",
    "map_no_value.parquet": "DuckDB: a map requires two children",
}


@pytest.fixture(scope="module")
def duckdb():
    found = sorted((ROOT / "node_modules/@duckdb").glob("*/libduckdb.so"))
    if not found:
        pytest.fail("no libduckdb.so in node_modules/@duckdb")
    engine = DuckDB(found[0])
    engine.text("SET threads = 1")  # rows in the file's order
    yield engine
    engine.close()


def export(folder, program=PROGRAM, **environment):
    if not program.exists():
        pytest.fail(f"{program} is not built (target format_parquet_{program.name})")
    done = subprocess.run([str(program)], capture_output=True, text=True, cwd=ROOT,
                          env=dict(os.environ, QUARRY_SHARED=str(SHARED),
                                   QUARRY_EXPORT_DIR=str(folder), **environment))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def conformance(tmp_path_factory):
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent (QUARRY_SHARED)")
    return export(tmp_path_factory.mktemp("conformance"))


def rows_of(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.ndjson").read_text().splitlines()]


def plain(value):
    """What both sides agree on: doubles to 12 digits, one spelling of timestamps, NaN as null."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.12g}")
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{4,6}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(\+00)?", value)
        if found:
            return f"{found[1]}T{found[2]}" + (found[3] or "").rstrip("0").rstrip(".")
        return None if value == "nan" else value
    return value


def test_same_values_as_duckdb(conformance, duckdb):
    compared = 0
    for path in sorted(DATA.glob("*.parquet")):
        if path.name in NOT_COMPARED or not (conformance / f"{path.name}.ndjson").exists():
            continue
        text = duckdb.text("SELECT to_json(list(t))::VARCHAR FROM (FROM read_parquet("
                           f"'{path}', binary_as_string = true)) t")
        expected = json.loads(text) if text else []
        got = rows_of(conformance, path.name)
        assert len(got) == len(expected), path.name
        for index, (ours, theirs) in enumerate(zip(got, expected)):
            # a FLOAT is its exact double here, its shortest text there
            if plain(ours) != plain(theirs):
                assert close(plain(ours), plain(theirs)), f"{path.name} row {index}: {ours} {theirs}"
        compared += 1
    assert compared >= 45


def close(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-6)
    return a == b


def test_byte_stream_split_columns_are_the_plain_ones(conformance):
    rows = rows_of(conformance, "byte_stream_split_extended.gzip.parquet")
    names = [name[:-len("_plain")] for name in rows[0] if name.endswith("_plain")]
    assert len(names) >= 6
    for row in rows:
        for name in names:
            assert row[f"{name}_plain"] == row[f"{name}_byte_stream_split"]


def test_lz4_of_every_framing(conformance):
    larger = rows_of(conformance, "lz4_raw_compressed_larger.parquet")
    assert rows_of(conformance, "hadoop_lz4_compressed_larger.parquet") == larger
    small = rows_of(conformance, "lz4_raw_compressed.parquet")
    assert rows_of(conformance, "hadoop_lz4_compressed.parquet") == small
    assert rows_of(conformance, "non_hadoop_lz4_compressed.parquet") == small


def test_fixed_bytes_are_base64(conformance, duckdb):
    path = DATA / "fixed_length_byte_array.parquet"
    text = duckdb.text(f"SELECT to_json(list(to_base64(flba_field)))::VARCHAR FROM read_parquet('{path}')")
    got = [row["flba_field"] for row in rows_of(conformance, path.name)]
    assert got == json.loads(text)


def test_map_without_values_is_the_list_of_keys(conformance):
    rows = rows_of(conformance, "map_no_value.parquet")
    assert [row["my_map_no_v"] for row in rows] == [row["my_list"] for row in rows]
    assert rows[0]["my_map_no_v"] == [1, 2, 3]


QUERY = """
SELECT i::INTEGER AS int32, (i * 1000003)::BIGINT AS int64, (i % 7)::UTINYINT AS small,
 i / 7.0::DOUBLE AS real, 'text ' || i AS text, 'same' AS constant, i % 3 = 0 AS flag,
 CASE WHEN i % 5 = 0 THEN NULL ELSE i * 11 END AS gaps,
 (i / 8.0)::DECIMAL(9, 3) AS d9, (-i / 8.0)::DECIMAL(18, 6) AS d18, (i * 1.5)::DECIMAL(38, 10) AS d38,
 TIME '00:00:00' + INTERVAL (i) SECOND AS clock, DATE '2020-01-01' + i::INTEGER AS day,
 TIMESTAMP '2020-01-01' + INTERVAL (i) MINUTE AS moment,
 uuid(md5(i::VARCHAR)::VARCHAR) AS id,
 range(i % 4) AS list, [[i], [], NULL, [i, NULL]] AS lists,
 {a: i, b: {c: 'x' || i, d: CASE WHEN i % 2 = 0 THEN NULL ELSE [i] END}} AS struct,
 CASE WHEN i % 9 = 0 THEN NULL ELSE MAP {'k' || i: i, 'z': NULL} END AS map,
 MAP {i: [{v: i}]} AS int_map,
 CASE WHEN i % 6 = 0 THEN NULL WHEN i % 6 = 1 THEN [] ELSE [{p: i, q: [MAP {'m': i}]}] END AS deep
FROM range(5000) t(i)
""".replace("uuid(md5(i::VARCHAR)::VARCHAR)", "md5(i::VARCHAR)::UUID")


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "zstd"])
def test_reads_what_duckdb_writes(duckdb, tmp_path, version, codec):
    files, out = tmp_path / "files", tmp_path / "out"
    files.mkdir()
    out.mkdir()
    path = files / "all.parquet"
    duckdb.text(f"COPY ({QUERY}) TO '{path}' (FORMAT parquet, PARQUET_VERSION {version},"
                f" CODEC {codec}, ROW_GROUP_SIZE 2048)")
    if version == "V2":
        encodings = duckdb.text(f"SELECT string_agg(DISTINCT encodings, ' ') FROM parquet_metadata('{path}')")
        assert "DELTA_BINARY_PACKED" in encodings and "BYTE_STREAM_SPLIT" in encodings
    export(out, QUARRY_PARQUET_DIR=str(files))
    text = duckdb.text("SELECT to_json(list(t))::VARCHAR FROM (SELECT * REPLACE (clock::VARCHAR AS clock,"
                       f" id::VARCHAR AS id) FROM read_parquet('{path}')) t")
    expected = json.loads(text)
    got = rows_of(out, "all.parquet")
    assert len(got) == len(expected) == 5000
    for index, (ours, theirs) in enumerate(zip(got, expected)):
        ours["clock"] = ours["clock"].rstrip("0").rstrip(".") if "." in ours["clock"] else ours["clock"]
        assert close(plain(ours), plain(theirs)), f"row {index}: {ours} {theirs}"


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = export(tmp_path_factory.mktemp("options"), PROGRAM.with_name("options_test"))
    return folder, [json.loads(line) for line in (folder / "options.ndjson").read_text().splitlines()]


@pytest.mark.parametrize("name", ["options0", "options1"])
def test_duckdb_reads_options(options, duckdb, name):
    folder, rows = options
    path = folder / f"{name}.parquet"
    # days beyond the calendar's range are infinities for DuckDB: compared as numbers elsewhere
    text = duckdb.text("SELECT to_json(list(t))::VARCHAR FROM (SELECT serial, epoch_us(moment) AS moment,"
                       f" random, short, long, real, few, price FROM read_parquet('{path}')) t")
    got = json.loads(text)
    assert len(got) == len(rows)
    for index, (ours, theirs) in enumerate(zip(rows, got)):
        assert {key: value for key, value in ours.items() if key != "day"} == theirs, f"row {index}"
    found = duckdb.text(f"SELECT string_agg(DISTINCT encodings, ' ') FROM parquet_metadata('{path}')")
    for encoding in ["DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "RLE_DICTIONARY", "PLAIN",
                     "BYTE_STREAM_SPLIT"]:
        assert encoding in found


@pytest.mark.parametrize("name", ["options0", "options1"])
def test_hyparquet_reads_options(options, name, tmp_path):
    folder, rows = options
    node = shutil.which("node")
    if not node or not (ROOT / "node_modules/hyparquet").is_dir():
        pytest.fail("node or node_modules/hyparquet is absent (npm ci --ignore-scripts)")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "read.mjs").write_text(READ_JS)
    done = subprocess.run([node, str(tmp_path / "read.mjs"), str(folder / f"{name}.parquet")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(got) == len(rows)
    for index, (ours, theirs) in enumerate(zip(rows, got)):
        theirs = {key: int(next(iter(value.values()))) if isinstance(value, dict) else value
                  for key, value in theirs.items()}
        assert ours == theirs, f"row {index}"


SORTING_JS = """
import { readFileSync } from 'fs'
import { parquetMetadata } from 'hyparquet'
const bytes = readFileSync(process.argv[2])
const meta = parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
console.log(JSON.stringify(meta.row_groups.map((group) => group.sorting_columns)))
"""


def test_hyparquet_sees_the_sorting(options, tmp_path):
    folder, _ = options
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "read.mjs").write_text(SORTING_JS)
    done = subprocess.run(["node", str(tmp_path / "read.mjs"), str(folder / "options0.parquet")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = [{"column_idx": 0, "descending": False, "nulls_first": False},
                {"column_idx": 7, "descending": True, "nulls_first": True}]
    assert json.loads(done.stdout) == [expected, expected]


def test_duckdb_uses_our_bloom_filters(options, duckdb):
    folder, rows = options
    path = folder / "options0.parquet"
    filters = duckdb.text("SELECT count(bloom_filter_offset) || '/' || count(*) FROM"
                          f" parquet_metadata('{path}')")
    assert filters == "18/18"
    for column, absent in [("serial", "999999999999"), ("random", "12345"), ("long", "'no such text'"),
                           ("few", "'kind 99'")]:
        present = next(row[column] for row in rows if row[column] is not None)
        probe = ("SELECT string_agg(bloom_filter_excludes::VARCHAR, ' ' ORDER BY row_group_id)"
                 f" FROM parquet_bloom_probe('{path}', '{column}', %s)")
        literal = f"'{present}'" if isinstance(present, str) else str(present)
        assert duckdb.text(probe % literal).split()[0] == "false", column
        assert duckdb.text(probe % absent) == "true true", column
        count = duckdb.text(f"SELECT count(*)::VARCHAR FROM read_parquet('{path}') WHERE {column} = {literal}")
        assert int(count) == sum(row[column] == present for row in rows)

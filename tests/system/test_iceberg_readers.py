"""Quarry's Iceberg files through readers that are not Quarry's: every row of every snapshot.

icebird (npm, JavaScript) always. The ClickHouse engine when QUARRY_CHDB names its libchdb.so (546 MB
unpacked, too heavy for every set-up: npm @chdb/lib-linux-x64-gnu@26.5.3).
The unit test program format/iceberg/export_test writes the table and the expected rows.
"""

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(os.environ.get("QUARRY_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("QUARRY_BIN", ROOT / "build/dev/bin"))
# Unit tests are built in other folders than the release programs.
EXPORTS = [
    folder / "tests/unit/format/iceberg/export_test"
    for folder in (BIN.parent, ROOT / "build/asan", ROOT / "build/dev")
]
EXPORT = next((path for path in EXPORTS if path.exists()), EXPORTS[0])

# icebird fetches URLs: fetch is mapped onto local files. Arguments: table folder, metadata file,
# snapshot id (or "current").
READ_JS = """
import { readFileSync } from 'fs'
import { fileURLToPath } from 'url'
globalThis.fetch = async (url, init) => {
  const bytes = readFileSync(fileURLToPath(url))
  const headers = new Headers(init?.headers)
  const range = /bytes=(\\d+)-(\\d+)?/.exec(headers.get('Range') ?? '')
  if (init?.method === 'HEAD')
    return new Response(null, { headers: { 'Content-Length': String(bytes.length) } })
  if (!range) return new Response(bytes)
  const end = range[2] === undefined ? bytes.length : Number(range[2]) + 1
  return new Response(bytes.subarray(Number(range[1]), end), { status: 206 })
}
const { icebergRead } = await import('icebird')
const [folder, metadataFile, snapshot] = process.argv.slice(2)
const metadata = JSON.parse(readFileSync(`${folder}/metadata/${metadataFile}`, 'utf8'))
if (snapshot !== 'current') {
  const chosen = metadata.snapshots.find((s) => String(s['snapshot-id']) === snapshot)
  metadata['current-snapshot-id'] = chosen['snapshot-id']
  metadata['current-schema-id'] = chosen['schema-id']
}
const rows = await icebergRead({ tableUrl: `file://${folder}`, metadata })
const plain = (value) => {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Date) return { iso: value.toISOString() }
  return value ?? null
}
for (const row of rows)
  console.log(JSON.stringify(Object.fromEntries(Object.entries(row).map(([k, v]) => [k, plain(v)]))))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    if not EXPORT.exists():
        pytest.fail(f"{EXPORT} is not built (target format_iceberg_export_test)")
    folder = tmp_path_factory.mktemp("iceberg")
    environment = dict(os.environ, QUARRY_EXPORT_DIR=str(folder))
    subprocess.run([str(EXPORT)], env=environment, check=True, capture_output=True)
    return folder / "table", json.loads((folder / "expected.json").read_text())


def current_metadata(table):
    return (table / "metadata/version-hint.text").read_text() + ".metadata.json"


def by_id(rows):
    return sorted(rows, key=lambda row: row["id"])


def plain_row(row):
    """A row of expected.json or of a reader: dates as dates, timestamps to the millisecond (what
    JavaScript keeps), JSON parsed."""
    day, moment = row["day"], row["moment"]
    if isinstance(day, dict):
        day = day["iso"][:10]
    if isinstance(moment, dict):
        moment = moment["iso"].rstrip("Z")
    if moment is not None:
        moment = datetime.datetime.fromisoformat(moment).isoformat(timespec="milliseconds")
    doc = json.loads(row["doc"]) if isinstance(row["doc"], str) else row["doc"]
    return {**row, "day": day, "moment": moment, "doc": doc}


def read_with_icebird(table, snapshot, tmp_path):
    node = shutil.which("node")
    if not node or not (ROOT / "node_modules/icebird").is_dir():
        pytest.fail("node or node_modules/icebird is absent (npm ci --ignore-scripts)")
    if not (tmp_path / "node_modules").exists():
        (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    script = tmp_path / "read.mjs"
    script.write_text(READ_JS)
    done = subprocess.run([node, str(script), str(table), current_metadata(table), str(snapshot)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("index", range(5), ids=["first", "second", "delete", "third", "compact"])
def test_icebird_reads_every_snapshot(table, index, tmp_path):
    folder, snapshots = table
    expected = snapshots[index]
    got = read_with_icebird(folder, expected["snapshot"], tmp_path)
    assert by_id(map(plain_row, got)) == by_id(map(plain_row, expected["rows"])), expected["what"]


def test_icebird_reads_the_current_state(table, tmp_path):
    folder, snapshots = table
    got = read_with_icebird(folder, "current", tmp_path)
    assert by_id(map(plain_row, got)) == by_id(map(plain_row, snapshots[-1]["rows"]))


def test_every_metadata_file_carries_its_checksum(table):
    """Names are made of the bytes; a flipped byte shows (version 8 UUIDs)."""
    folder, _ = table
    names = [path.name for path in (folder / "metadata").iterdir() if path.name != "version-hint.text"]
    assert len(names) >= 15
    for name in names:
        stem = name.split(".")[0]
        assert any(part.startswith("8") and len(part) == 4 for part in stem.split("-")), name


# --- the ClickHouse engine, in a process of its own: it needs the table below its folder ---

CHDB = os.environ.get("QUARRY_CHDB")

CHDB_SCRIPT = """
import ctypes, json, sys
lib = ctypes.CDLL(sys.argv[1])
lib.chdb_connect.restype = ctypes.POINTER(ctypes.c_void_p)
lib.chdb_query.restype = ctypes.c_void_p
lib.chdb_query.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
for name in ('buffer', 'error'):
    function = getattr(lib, 'chdb_result_' + name)
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
lib.chdb_result_length.restype, lib.chdb_result_length.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
arguments = (ctypes.c_char_p * 1)(b'clickhouse')
connection = lib.chdb_connect(1, arguments)
for sql in json.load(sys.stdin):
    result = lib.chdb_query(connection[0], sql.encode(), b'JSONEachRow')
    error = lib.chdb_result_error(result)
    if error:
        sys.exit(ctypes.string_at(error).decode())
    text = ctypes.string_at(lib.chdb_result_buffer(result), lib.chdb_result_length(result)).decode()
    print(json.dumps([json.loads(line) for line in text.splitlines()]))
"""


def ask_clickhouse(folder, statements):
    done = subprocess.run([sys.executable, "-c", CHDB_SCRIPT, CHDB], input=json.dumps(statements),
                          cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not CHDB, reason="QUARRY_CHDB (path of libchdb.so) is not set")
def test_clickhouse_reads_every_snapshot(table):
    folder, snapshots = table
    columns = "id, flag, real, text, doc, day, toString(moment) AS moment, kind"
    statements = [f"SELECT {columns} FROM icebergLocal('table') ORDER BY id SETTINGS"
                  f" iceberg_snapshot_id={snapshot['snapshot']}, output_format_json_quote_64bit_integers=0"
                  for snapshot in snapshots]
    statements.append("SELECT count() AS n FROM icebergLocal('table') WHERE kind = 'k/1'")
    statements.append("SELECT sum(later) AS n FROM icebergLocal('table')")
    *got, part, later = ask_clickhouse(folder.parent, statements)
    for rows, expected in zip(got, snapshots):
        wanted = [{k: v for k, v in row.items() if k != "later"} for row in expected["rows"]]
        assert list(map(plain_row, rows)) == by_id(map(plain_row, wanted)), expected["what"]
    last = snapshots[-1]["rows"]
    assert int(part[0]["n"]) == sum(row["kind"] == "k/1" for row in last)
    assert int(later[0]["n"]) == sum(row["later"] or 0 for row in last)

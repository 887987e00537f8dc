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
import time

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
globalThis.fetch = async (url, init) => {
  const bytes = readFileSync(String(url).slice('file://'.length))
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


# --- a source of a real server: after each kind of commit, every state as Quarry itself gives it ---

SOURCE_SETTINGS = ["--auto-compaction-enabled=false", "--compaction-io-mb-per-second=0"]
SOURCE_SCHEMA = {"id": "int64", "flag": "bool", "real": "float64", "text": "string",
                 "doc": "object", "day": "date", "moment": "datetime", "kind": "string"}


def source_rows(first, last, **more):
    """Some columns are null in some rows; partition values hold what paths must not."""
    rows = []
    for n in range(first, last):
        row = {"id": n, "flag": n % 2 == 0, "real": n / 4, "text": f"caf\u00e9 {n}", "doc": {"k": [n, None]},
               "day": f"2024-01-{n % 28 + 1:02d}", "moment": f"2024-02-{n % 3 + 1:02d}T01:02:03.{n:03d}Z",
               "kind": ("k/1", "50%", "caf\u00e9")[n % 3]}
        row.update({name: make(n) for name, make in more.items()})
        if n % 5 == 0:
            del row["text"], row["doc"]
        if n % 7 == 0:
            del row["kind"]
        rows.append(row)
    return rows


def wait_compacted(client, source):
    job = client.post("/metadata/compact", {"source_id": source}).ok(202).json["job_id"]
    while True:
        state = client.get(f"/metadata/compact/{job}").ok().json["job"]
        if state["status"] not in ("queued", "running"):
            assert state["status"] == "completed", state
            return
        time.sleep(0.02)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Folder, client and the states in order: appends, a tag, a new column, deletes (the second
    replaces files of the first), an update, a column that widens (its old values are rewritten by the
    compaction), compaction, rollback to deletes."""
    from lib.quarry import Server
    server = Server(tmp_path_factory.mktemp("source") / "data", settings=SOURCE_SETTINGS)
    server.start()
    client = server.client()
    client.add_source("ice", SOURCE_SCHEMA, partition_columns=["kind", "moment"],
                      index_columns=["id"])
    states = {}

    def state(what):
        listed = client.get("/sources/ice/snapshots").ok().json["snapshots"]
        states[what] = next(item for item in listed if item["current"])["snapshot_id"]

    client.write("ice", source_rows(0, 30))
    client.flush("ice")
    state("first")
    client.write("ice", source_rows(30, 60))
    client.flush("ice")
    state("second")
    client.post(f"/sources/ice/snapshots/{states['second']}/tag", {"name": "two"}).ok()
    client.write("ice", source_rows(60, 90, later=lambda n: n * 10))
    client.flush("ice")
    state("column")
    client.post("/data/delete", {"source_id": "ice", "filters": {"id": {"lt": 10}}}).ok()
    client.flush("ice")
    state("deleted")
    client.post("/data/delete", {"source_id": "ice", "filters": {"id": {"gte": 5, "lt": 15}}}).ok()
    client.post("/data/delete", {"source_id": "ice", "filters": {"id": {"eq": 89}}}).ok()
    client.flush("ice")
    state("deleted again")
    client.post("/data/update", {"source_id": "ice", "filters": {"id": {"gte": 20, "lt": 25}},
                                 "set": {"real": -1.5}}).ok()
    client.flush("ice")
    state("updated")
    client.write("ice", source_rows(90, 100, later=lambda n: n + 0.5))
    client.flush("ice")
    state("widened")
    wait_compacted(client, "ice")
    state("compacted")
    client.post("/sources/ice/rollback", {"snapshot_id": states["deleted again"]}).ok()
    state("rolled back")
    yield server.data / "sources/ice", client, states
    server.stop()


def plain_source_row(row):
    """Times to the millisecond, JSON parsed, absent columns as null."""
    row = {**dict.fromkeys([*SOURCE_SCHEMA, "later"]), **row}
    return {**plain_row(row), "later": None if row["later"] is None else float(row["later"])}


def own_rows(client, snapshot):
    return by_id(map(plain_source_row, client.search("ice", as_of=snapshot, limit=1000)))


COUNTS = {"first": 30, "second": 60, "column": 90, "deleted": 80, "deleted again": 74, "updated": 74,
          "widened": 84, "compacted": 84, "rolled back": 74}
STATES = list(COUNTS)


@pytest.mark.parametrize("what", STATES)
def test_icebird_reads_every_state_of_a_source(source, what, tmp_path):
    folder, client, states = source
    expected = own_rows(client, states[what])
    assert len(expected) == COUNTS[what]
    got = read_with_icebird(folder, states[what], tmp_path)
    assert by_id(map(plain_source_row, got)) == expected


def test_the_table_says_what_quarry_says(source):
    """Current state, tags, totals, history; one metadata file is the newest, and CURRENT names it."""
    folder, client, states = source
    metadata = json.loads((folder / "metadata" / current_metadata(folder)).read_text())
    current = json.loads((folder / "metadata/CURRENT").read_text())
    assert current["content"]["metadata"] == current_metadata(folder)
    newest = max(path.name for path in (folder / "metadata").glob("*.metadata.json"))
    assert newest == current_metadata(folder)
    assert metadata["format-version"] == 2
    assert metadata["location"] == f"file://{folder}"
    assert metadata["current-snapshot-id"] == states["rolled back"]
    assert metadata["refs"]["two"] == {"snapshot-id": states["second"], "type": "tag"}
    listed = client.get("/sources/ice/snapshots").ok().json["snapshots"]
    described = {item["snapshot-id"]: item for item in metadata["snapshots"]}
    assert described.keys() == {item["snapshot_id"] for item in listed}
    for item in listed:
        summary = described[item["snapshot_id"]]["summary"]
        deleted = int(summary["total-position-deletes"])
        assert int(summary["total-records"]) - deleted == item["total_rows"], item
        assert int(summary["total-data-files"]) == item["total_files"], item
        assert summary["quarry.operation"] == item["operation"]
        assert int(summary["quarry.wal-lsn"]) > 0
    operations = [described[states[what]]["summary"]["operation"] for what in STATES]
    assert operations == ["append", "append", "append", "delete", "delete", "overwrite", "append",
                          "replace", "overwrite"]
    deletes = described[states["deleted again"]]["summary"]
    assert int(deletes["added-position-deletes"]) > int(deletes["removed-position-deletes"]) > 0
    assert described[states["compacted"]]["summary"]["total-delete-files"] == "0"
    back = described[states["rolled back"]]["summary"]
    totals = [key for key in deletes if key.startswith("total-")]
    assert len(totals) == 6 and all(back[key] == deletes[key] for key in totals)
    spec = next(spec for spec in metadata["partition-specs"]
                if spec["spec-id"] == metadata["default-spec-id"])
    assert [(field["name"], field["transform"]) for field in spec["fields"]] == [
        ("kind", "identity"), ("moment_day", "day")]
    assert not [path for path in folder.rglob("*") if "%" in path.name]


def test_a_moved_folder_is_a_table_again(new_server, tmp_path):
    """Quarry finds its files by their names; at a start in another place it makes the URIs right."""
    server = new_server()
    client = server.client()
    client.add_source("ice", SOURCE_SCHEMA, partition_columns=["kind"])
    client.write("ice", source_rows(0, 20))
    client.flush("ice")
    client.write("ice", source_rows(20, 30))
    client.flush("ice")
    client.post("/data/delete", {"source_id": "ice", "filters": {"id": {"gte": 28}}}).ok()
    client.post("/data/delete", {"source_id": "ice", "filters": {"id": {"lt": 3}}}).ok()
    client.flush("ice")
    expected = own_rows(client, 2)
    server.stop()
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    client = new_server("elsewhere").client()
    folder = tmp_path / "elsewhere/sources/ice"
    for snapshot, count in ((1, 20), (2, 30)):
        got = read_with_icebird(folder, snapshot, tmp_path)
        assert by_id(map(plain_source_row, got)) == expected[:count] == own_rows(client, snapshot)
    got = read_with_icebird(folder, "current", tmp_path)
    assert by_id(map(plain_source_row, got)) == expected[3:28]
    assert client.count("ice") == 25


@pytest.mark.skipif(not CHDB, reason="QUARRY_CHDB (path of libchdb.so) is not set")
def test_clickhouse_reads_every_state_of_a_source(source):
    folder, client, states = source
    columns = "id, flag, real, text, doc, day, toString(moment) AS moment, kind"
    settings = "output_format_json_quote_64bit_integers=0"
    got = ask_clickhouse(folder.parent, [
        f"SELECT {columns} FROM icebergLocal('ice') ORDER BY id SETTINGS"
        f" iceberg_snapshot_id={states[what]}, {settings}" for what in STATES])
    for what, rows in zip(STATES, got):
        wanted = [{k: v for k, v in row.items() if k != "later"} for row in own_rows(client, states[what])]
        assert [plain_row(row) for row in rows] == wanted, what
    compacted, before, counted = ask_clickhouse(folder.parent, [
        f"SELECT sum(later) AS n FROM icebergLocal('ice') SETTINGS iceberg_snapshot_id={states['compacted']}",
        "SELECT count(later) AS n FROM icebergLocal('ice')",
        "SELECT count() AS n FROM icebergLocal('ice') WHERE kind = '50%'"])
    assert compacted[0]["n"] == sum(row["later"] or 0 for row in own_rows(client, states["compacted"]))
    # The rollback brought files back from before the column widened: null there (decision 0016).
    assert int(before[0]["n"]) == 0
    now = own_rows(client, states["rolled back"])
    assert int(counted[0]["n"]) == sum(row["kind"] == "50%" for row in now)

"""The command line against a real server: every command, every input format, exit codes, and that an
interrupted load goes on without losing or doubling a record."""
import gzip
import itertools
import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import time
import urllib.request

import pytest

ROOT = pathlib.Path(os.environ.get("QUARRY_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("QUARRY_BIN", ROOT / "build/release/bin"))
WAIT_S = 60
NUMBERS = itertools.count()


class Server:
    """quarryd on free ports; can be killed and started again on the same port and folder."""

    def __init__(self, folder):
        self.folder = folder
        self.port = 0
        self.process = None
        self.start()

    def start(self):
        ports = self.folder / "ports"
        ports.unlink(missing_ok=True)
        names = ["gateway", "operation", "optimizer", "catalog", "monitoring", "interpreter"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [BIN / "quarryd", "--ports-file", ports, f"--data-path={self.folder}/data",
                 f"--rest-port={self.port}", *[f"--{name}-port=0" for name in names]],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + WAIT_S
        while not ports.exists():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.01)
        self.port = json.loads(ports.read_text())["tenant"]
        self.url = f"http://127.0.0.1:{self.port}"

    def family(self, pid=None):
        pid = pid or self.process.pid
        out = [pid]
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            for child in task.read_text().split():
                out += self.family(int(child))
        return out

    def kill(self):
        for pid in self.family():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("cli-server"))
    yield server
    server.stop()


class Cli:
    def __init__(self, url, folder):
        self.environment = {"PATH": os.environ["PATH"], "QUARRY_URL": url, "HOME": str(folder),
                            "LC_ALL": "C.UTF-8"}
        self.folder = folder

    def start(self, *args, **options):
        return subprocess.Popen([BIN / "quarry", *map(str, args)], env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=self.folder, **options)

    def __call__(self, *args, code=0, text=None):
        process = self.start(*args, stdin=subprocess.PIPE)
        out, err = process.communicate(text, WAIT_S)
        assert process.returncode == code, (out, err)
        return out if code == 0 else err

    def json(self, *args):
        return json.loads(self(*args, "--json"))

    def rows(self, source):
        return self.json("sql", f'SELECT count(*) FROM "{source}"')["rows"][0][0]

    def write_file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


@pytest.fixture
def cli(server, tmp_path):
    return Cli(server.url, tmp_path)


@pytest.fixture
def source(cli):
    name = f"s{next(NUMBERS)}"
    cli("sources", "add", name)
    return name


def ndjson(count, **more):
    return "".join(json.dumps({"id": i, "text": f"record {i}", **more}) + "\n" for i in range(count))


# --- help, usage, exit codes ---

def test_help_names_every_command(cli):
    text = cli("help")
    for command in ["sources", "write", "load", "convert", "search", "aggregate", "sql", "health",
                    "stats", "api"]:
        assert f"\n  {command} " in text
        about = cli(command, "--help")
        assert about.startswith(f"usage: quarry {command}")
        assert "--url" in about


def test_help_shows_the_operation_of_the_list(cli):
    text = cli("search", "--help")
    assert "data_search: POST /data/search" in text and "select_columns" in text


@pytest.mark.parametrize("args", [["nonsense"], [], ["load", "x"], ["search", "--nope"],
                                  ["search", "--limit"], ["search", "--limit", "many"],
                                  ["load", "s", "f", "--jobs", "0"], ["sources", "what", "x"],
                                  ["search", "x", "--where", "only"], ["api", "no_such"],
                                  ["search", "x", "--filters", "[1]"], ["health", "extra"]])
def test_wrong_usage_is_2(cli, args):
    assert cli(*args, code=2) != "" or args == []


def test_no_server_is_3(cli):
    assert "no answer" in cli("health", "--url", "http://127.0.0.1:1", code=3)


def test_unknown_source_is_1_with_code(cli):
    error = cli("search", "no_such_source", code=1)
    assert error.startswith("quarry: unknown_source: ")
    assert "(HTTP 404)" in error and "request_id" in error


def test_missing_file_is_4(cli):
    assert "cannot open" in cli("load", "s", "no-such-file.ndjson", code=4)
    assert "--format" in cli("load", "s", "no-such-ending", code=4)


def test_api_lists_the_operations(cli):
    names = [operation["name"] for operation in cli.json("api")]
    assert "data_write" in names and "query_sql" in names and len(names) == len(set(names))
    assert "data_write" in cli("api")
    assert "Idempotency-Key" in cli("api", "data_write")


# --- sources, health, stats ---

def test_sources(cli):
    cli("sources", "add", "shop", "--column", "id:int64", "--column", "day:date",
        "--partition", "day", "--index", "id", "--compression", "zstd")
    assert "shop" in cli("sources", "list")
    assert cli.json("sources", "list")["source_details"]["shop"]["total_rows"] == 0
    cli("sources", "add", "shop", "--column", "id:string", code=1)
    stats = cli.json("sources", "show", "shop")
    assert stats["stats"]["source_id"] == "shop"
    assert "total_rows: 0" in cli("sources", "show", "shop")
    cli("sources", "flush", "shop")
    cli("sources", "remove", "shop")
    assert "unknown_source" in cli("sources", "show", "shop", code=1)


def test_a_name_with_slashes_stays_one_segment(cli):
    for action in ["show", "flush", "remove"]:
        assert "HTTP 4" in cli("sources", action, "../../data", code=1)


def test_health_and_stats(cli):
    assert "healthy" in cli("health")
    assert cli.json("health")["healthy"] is True
    assert "total_sources" in cli("stats")


# --- write ---

def test_write_from_standard_input_and_key(cli, source):
    assert "2 rows stored" in cli("write", source, "-", "--key", "k1", text=ndjson(2))
    cli("write", source, "-", "--key", "k1", text=ndjson(2))
    assert cli.rows(source) == 2


def test_write_is_all_or_nothing(cli, source):
    error = cli("write", source, "-", text='{"id": 1}\n{"id": \n', code=1)
    assert "invalid_json" in error
    assert cli.json("sources", "show", source)["stats"]["total_rows"] == 0


# --- load: formats ---

def check_two_records(cli, source):
    rows = cli.json("sql", f'SELECT id, text FROM "{source}" ORDER BY id')["rows"]
    assert rows == [[1, "a,b"], [2, "c\nd"]]


RECORDS = [{"id": 1, "text": "a,b"}, {"id": 2, "text": "c\nd"}]
NDJSON = "".join(json.dumps(record) + "\n" for record in RECORDS)


@pytest.mark.parametrize("name,text", [
    ("x.ndjson", NDJSON), ("x.jsonl", "\n" + NDJSON.replace("\n", "\r\n")),
    ("x.json", json.dumps(RECORDS, indent=2)), ("y.json", NDJSON),
    ("x.csv", 'id,text\n1,"a,b"\n2,"c\nd"\n'),
])
def test_load_formats(cli, source, name, text):
    cli("load", source, cli.write_file(name, text), "--batch", "1")
    check_two_records(cli, source)


def test_load_compressed(cli, source):
    packed = cli.folder / "x.ndjson.gz"
    lines = NDJSON.splitlines(keepends=True)
    packed.write_bytes(gzip.compress(lines[0].encode()) + gzip.compress(lines[1].encode()))
    cli("load", source, packed)
    check_two_records(cli, source)
    packed.write_bytes(gzip.compress(NDJSON.encode())[:-10])
    assert "corrupt" in cli("load", source, packed, code=4)


@pytest.mark.skipif(not shutil.which("zstd"), reason="no zstd program")
def test_load_zstd(cli, source):
    plain = cli.write_file("x.ndjson", NDJSON)
    subprocess.run(["zstd", "-q", "--rm", plain], check=True)
    cli("load", source, cli.folder / "x.ndjson.zst")
    check_two_records(cli, source)


def test_load_from_standard_input(cli, source):
    cli("load", source, "-", "--format", "json", text=json.dumps(RECORDS))
    check_two_records(cli, source)


def test_load_parquet(cli, server, source):
    cli("sources", "add", "origin", "--column", "id:int64", "--column", "text:string",
        "--column", "when:timestamp", "--column", "more:json", "--column", "part:float64")
    cli("write", "origin", "-", text="".join(
        json.dumps({"id": i, "text": None if i % 3 else f"t{i}", "when": "2026-01-02T03:04:05",
                    "more": {"a": [i]}, "part": i / 2}) + "\n" for i in range(1000)))
    cli("sources", "flush", "origin")
    files = list((server.folder / "data/sources/origin/data").rglob("*.parquet"))
    assert files
    cli("load", source, *files, "--batch", "300")
    query = ('SELECT count(*), sum(id), count(text), sum(part), min("when"), '
             'sum(CAST(more->\'a\'->>0 AS INT)) FROM ')
    assert cli.json("sql", query + f'"{source}"')["rows"] == cli.json("sql", query + "origin")["rows"]
    cli("sources", "remove", "origin")


def test_load_apt_indexes(cli, source):
    contents = cli.write_file("Contents-amd64", "bin/a b.gz   admin/x,net/y\nusr/bin/z  net/y\n")
    cli("load", source, contents)
    rows = cli.json("sql", f'SELECT path, extension, section, package, architecture '
                           f'FROM "{source}" ORDER BY ALL')["rows"]
    assert rows == [["/bin/a b.gz", "gz", "admin", "x", "amd64"],
                    ["/bin/a b.gz", "gz", "net", "y", "amd64"],
                    ["/usr/bin/z", None, "net", "y", "amd64"]]
    packages = cli.write_file("Packages", "Package: a\nDepends: b (>= 1) | c\n\nPackage: b\nSize: 2\n")
    assert cli("convert", "apt-packages", packages).splitlines() == [
        '{"package":"a","depends":[{"name":"b","op":">=","version":"1",'
        '"alternatives":[{"name":"c"}]}]}', '{"package":"b","size":2}']
    assert "line: 4" in cli("convert", "apt-packages",
                            cli.write_file("P", "Package: a\n\nPackage: b\nwrong\n"), code=4)


# --- load: faults ---

@pytest.mark.parametrize("name,text,line", [
    ("bad.ndjson", '{"id":1}\n\n{"id":2}\n{"id":\n{"id":4}\n', 4),
    ("bad.json", '[{"id":1},\n\n{"id":2}\n,{"id":tru}\n]', 4),
    ("bad.csv", 'id,text\n1,"a\nb"\n2,c\n3,d,e\n', 5),
])
def test_errors_name_the_line_of_the_file(cli, source, name, text, line):
    path = cli.write_file(name, text)
    error = cli("load", source, path, "--batch", "2", "--jobs", "1", code=1)
    assert f"{path}:{line}: not loaded" in error


def test_a_wrong_type_names_line_field_and_value(cli):
    cli("sources", "add", "typed", "--column", "id:int64")
    path = cli.write_file("x.ndjson", '{"id":1}\n{"id":2}\n\n{"id":"seven"}\n')
    error = cli("load", "typed", path, code=1)
    assert f"{path}:4: not loaded" in error
    assert "schema" in error and "field: id" in error and "seven" in error
    cli("sources", "remove", "typed")


def test_an_unfinished_array_is_an_input_error(cli, source):
    assert "ends before" in cli("load", source, cli.write_file("x.json", '[{"id":1},'), code=4)


def wait_for(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def states(cli):
    return list(cli.folder.rglob("quarry/loads/*.json"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_load_goes_on_without_duplicates(cli, source, how):
    count = 200000
    path = cli.write_file("big.ndjson", ndjson(count))
    process = cli.start("load", source, path, "--batch", "500")
    wait_for(lambda: cli.json("sources", "show", source)["stats"]["total_rows"] > 0)
    process.send_signal(how)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    before = cli.rows(source)
    assert 0 < before < count
    assert len(states(cli)) == 1
    cli("load", source, path, "--batch", "500")
    got = cli.json("sql", f'SELECT count(*), count(DISTINCT id), sum(id) FROM "{source}"')["rows"]
    assert got == [[count, count, sum(range(count))]]
    assert states(cli) == []


def test_a_changed_file_is_not_resumed(cli, source):
    path = cli.write_file("big.ndjson", ndjson(200000))
    process = cli.start("load", source, path, "--batch", "500")
    wait_for(lambda: cli.json("sources", "show", source)["stats"]["total_rows"] > 0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)
    path.write_text(ndjson(10))
    assert "conflict" in cli("load", source, path, "--batch", "500", code=4)
    cli("load", source, path, "--batch", "500", "--restart")


def test_the_server_is_killed_during_a_load(tmp_path):
    server = Server(tmp_path)
    try:
        cli = Cli(server.url, tmp_path)
        cli("sources", "add", "s")
        count = 300000
        path = cli.write_file("big.ndjson", ndjson(count))
        process = cli.start("load", "s", path, "--batch", "1000", "--json")
        for _ in range(3):
            time.sleep(0.15)
            server.kill()
            server.start()
        out, err = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, (out, err)
        assert json.loads(out)["rows"] == count
        got = cli.json("sql", "SELECT count(*), count(DISTINCT id), sum(id) FROM s")["rows"][0]
        assert got == [count, count, sum(range(count))]
    finally:
        server.stop()


# --- questions ---

@pytest.fixture(scope="module")
def people(server, tmp_path_factory):
    cli = Cli(server.url, tmp_path_factory.mktemp("people"))
    cli("sources", "add", "people")
    cli("write", "people", "-", text="".join(json.dumps(record) + "\n" for record in [
        {"name": "Zoë", "age": 41, "city": "Köln"}, {"name": "Ann", "age": 7, "city": None},
        {"name": "李雷", "age": 1000, "city": "北京"}, {"name": "Bob", "age": 30, "city": "Köln"}]))
    yield "people"
    cli("sources", "remove", "people")


def test_tables_are_aligned(cli, people):
    lines = cli("sql", "SELECT name, age, city FROM people ORDER BY age").splitlines()
    assert lines[:6] == [
        " name |  age | city",
        "------+------+------",
        " Ann  |    7 | ",
        " Bob  |   30 | Köln",
        " Zoë  |   41 | Köln",
        " 李雷 | 1000 | 北京",
    ]
    assert lines[6].startswith("(4 rows, ")


@pytest.mark.parametrize("where,names", [
    (["age gte 30", "age < 1000"], ["Bob", "Zoë"]), (["city = Köln", "name ne Bob"], ["Zoë"]),
    (['name in ["Ann","李雷"]'], ["Ann", "李雷"]), (["name like %o%"], ["Bob", "Zoë"]),
    (['name not_in ["Ann"]'], ["Bob", "Zoë", "李雷"]), (["name regex ^[AB]"], ["Ann", "Bob"]),
    (["city eq null"], ["Ann"]),
])
def test_search_conditions(cli, people, where, names):
    args = [word for text in where for word in ("--where", text)]
    records = cli.json("search", people, *args)[0]["records"]
    assert sorted(record["name"] for record in records) == sorted(names)


def test_search_options(cli, people):
    out = cli("search", people, "--filters", '{"age":{"gt":20}}', "--where", "age lt 100",
              "--select", "name", "--limit", "1", "--cursor", "*")
    assert out.splitlines()[0].strip() == "name"
    assert "(1 rows from people, more exist)" in out
    cursor = out.split("--cursor ")[1].split()[0]
    more = cli.json("search", people, "--filters", '{"age":{"gt":20}}', "--where", "age lt 100",
                    "--select", "name", "--limit", "1", "--cursor", cursor)
    assert len(more[0]["records"]) == 1 and not more[0]["has_more"]
    assert "median" in cli("search", people, "--repeat", "10")


def test_aggregate(cli, people):
    lines = cli("aggregate", people, "--agg", "count::n", "--agg", "max:age", "--group-by", "city",
                "--sort", "n", "--limit", "1").splitlines()
    assert lines[0].split() == ["city", "|", "n", "|", "max_age"]
    assert lines[2].split() == ["Köln", "|", "2", "|", "41"]
    assert lines[3] == "(1 of 3 groups)"
    answer = cli.json("aggregate", people, "--agg", "percentile@0.5:age:median", "--agg", "sum:age")
    assert answer["final_results"] == {"median": 35.5, "sum_age": 1078}
    cli("aggregate", people, "--agg", "nonsense:age", code=1)


def test_sql_forms_and_parameters(cli, people):
    assert cli("sql", "SELECT name FROM people WHERE age = ?", "--param", "41", "--format",
               "csv").split() == ["name", "Zoë"]
    assert cli("sql", "SELECT age FROM people WHERE name = $who", "--param", "$who=Bob", "--format",
               "ndjson").strip() == '{"age":30}'
    assert cli.json("sql", "SELECT 1 AS a, 2 AS a")["rows"] == [[1, 2]]
    assert cli("sql", "SELECT 1 AS a, 2 AS a").splitlines()[2].split() == ["1", "|", "2"]
    assert "30" in cli("sql", text="SELECT age FROM people WHERE name = 'Bob'")
    assert "invalid_sql" in cli("sql", "SELEC 1", code=1)
    assert "sql_refused" in cli("sql", "SELECT * FROM read_csv('/etc/passwd')", code=1)


def test_sql_shell(cli, people):
    main, other = pty.openpty()
    process = subprocess.Popen([BIN / "quarry", "sql"], env=cli.environment, stdin=other,
                               stdout=subprocess.PIPE, text=True)
    os.close(other)
    os.write(main, b"SELECT age\nFROM people WHERE name = 'Bob';\n\\d\n\\q\n")
    out, _ = process.communicate(timeout=WAIT_S)
    os.close(main)
    assert process.returncode == 0
    assert "30" in out and "people" in out and "...>" in out


def test_progress_bar_on_a_terminal(cli, source):
    path = cli.write_file("big.ndjson", ndjson(200000))
    main, other = pty.openpty()
    process = subprocess.Popen([BIN / "quarry", "load", source, path], env=cli.environment,
                               stdout=subprocess.PIPE, stderr=other, text=True)
    os.close(other)
    seen = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    out, _ = process.communicate(timeout=WAIT_S)
    os.close(main)
    assert process.returncode == 0
    assert b"[" in seen and b"rows/s" in seen and b"%" in seen
    assert "200,000 rows" in out


def test_metrics_count_what_was_written(server, cli, source):
    cli("write", source, "-", text=ndjson(3))
    with urllib.request.urlopen(server.url + "/metrics") as answer:
        assert answer.status == 200

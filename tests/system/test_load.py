"""POST /data/load: every form and encoding, resuming without duplicates, errors with their line;
and the idempotency key of /data/write."""

import gzip
import http.client
import json
import socket
import subprocess
import threading

import pytest

from lib.quarry import zstd_stored

NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"


def load(client, source, body, content_type=NDJSON, encoding=None, **query):
    query = "".join(f"&{key}={value}" for key, value in query.items())
    headers = {"Content-Type": content_type}
    if encoding:
        headers["Content-Encoding"] = encoding
    return client.post(f"/data/load?source_id={source}{query}", body, headers)


def make_rows(count, start=0):
    return [{"n": n, "s": f"row {n} ä\"\\", "f": n / 4, "o": {"k": [n]}}
            for n in range(start, start + count)]


def as_ndjson(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_json(rows):
    return json.dumps(rows, indent=1).encode()


def as_csv(rows):
    lines = ["n,s,f"]
    for row in rows:
        text = row["s"].replace('"', '""')
        lines.append(f'{row["n"]},"{text}",{row["f"]}')
    return ("\r\n".join(lines) + "\r\n").encode()


def check_rows(client, source, rows, columns=("n", "s", "f", "o")):
    found = sorted(client.search(source), key=lambda row: row["n"])
    assert [{c: row[c] for c in columns} for row in found] == \
        [{c: row[c] for c in columns} for row in rows]


FORMS = {
    "ndjson": (as_ndjson, NDJSON, ("n", "s", "f", "o")),
    "json": (as_json, "application/json", ("n", "s", "f", "o")),
    "csv": (as_csv, "text/csv", ("n", "s", "f")),
}
ENCODINGS = {None: bytes, "gzip": gzip.compress, "zstd": zstd_stored, "identity": bytes}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_forms_and_encodings(client, name, form, encoding):
    render, content_type, columns = FORMS[form]
    client.add_source(name, {"s": "string", "f": "float64"})
    rows = make_rows(500)
    answer = load(client, name, ENCODINGS[encoding](render(rows)), content_type, encoding).ok().json
    assert answer["success"] is True and answer["error_message"] is None
    assert answer["rows_loaded"] == 500
    assert answer["rows_stored_before"] == 0
    assert answer["load_id"] is None
    check_rows(client, name, rows, columns)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", [None, "gzip", "zstd"])
def test_write_takes_them_too(client, name, form, encoding):
    render, content_type, columns = FORMS[form]
    client.add_source(name, {"s": "string", "f": "float64"})
    rows = make_rows(50)
    if form == "json":
        path = "/data/write"
        body = json.dumps({"source_id": name, "records": [{"fields": r} for r in rows]}).encode()
    else:
        path = f"/data/write?source_id={name}"
        body = render(rows)
    headers = {"Content-Type": content_type}
    if encoding:
        headers["Content-Encoding"] = encoding
    answer = client.post(path, ENCODINGS[encoding](body), headers).ok().json
    assert answer["rows_written"] == 50 and answer["duplicate"] is False
    check_rows(client, name, rows, columns)


@pytest.mark.parametrize("form", FORMS)
def test_many_batches(client, name, form):
    """More than one batch of 4 MiB: the same rows, once each, by chunked transfer."""
    render, content_type, columns = FORMS[form]
    client.add_source(name, {"s": "string", "f": "float64"}, index_columns=["n"])
    rows = [dict(row, s=row["s"] + "x" * 300) for row in make_rows(30000)]
    body = render(rows)
    pieces = (body[i:i + 100000] for i in range(0, len(body), 100000))
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
    connection.request("POST", f"/data/load?source_id={name}", pieces,
                       {"Content-Type": content_type, "Transfer-Encoding": "chunked"},
                       encode_chunked=True)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["rows_loaded"] == 30000, answer
    assert answer["batches"] == -(-len(body) // (4 << 20)) or answer["batches"] > 2
    found = client.aggregate(name, {"type": "count"}, {"type": "count_distinct", "column": "n"},
                             {"type": "sum", "column": "n"}, {"type": "min", "column": "s"})
    assert found == {"count": 30000, "count_distinct_n": 30000, "sum_n": 30000 * 29999 // 2,
                     "min_s": rows[0]["s"]}
    for n in (0, 12345, 29999):
        row, = client.search(name, filters={"n": {"eq": n}}, select_columns=list(columns))
        assert row == {c: rows[n][c] for c in columns}


def test_parquet_made_by_quarry(server, client, name):
    a, b = client.add_source(name + "_a"), client.add_source(name + "_b")
    rows = [dict(row, d="2024-01-02", none=None) for row in make_rows(3000)]
    client.write(a, rows)
    client.flush(a)
    path, = (server.data / "sources" / a / "data").rglob("*.parquet")
    body = path.read_bytes()
    assert load(client, b, body, PARQUET).ok().json["rows_loaded"] == 3000
    check_rows(client, b, rows)
    # by name of the format; twice by load_id is once
    c = client.add_source(name + "_c")
    for before in (0, 3000, 3000):
        answer = load(client, c, body, "application/octet-stream", format="parquet",
                      load_id="file-1").ok().json
        assert answer["rows_loaded"] == 3000 and answer["rows_stored_before"] == before
    check_rows(client, c, rows)
    assert load(client, c, gzip.compress(body), PARQUET, "gzip").ok().json["rows_loaded"] == 3000
    assert client.count(c) == 6000
    for cut in (1, 8, 100, len(body) // 2):
        load(client, c, body[:-cut], PARQUET).refused(400)
    assert client.count(c) == 6000
    assert not list((server.data / "run").glob("load-*"))


def test_the_format_wins_over_the_content_type(client, name):
    client.add_source(name)
    load(client, name, b'[{"n": 1}]', "application/octet-stream", format="json").ok()
    load(client, name, b"n\n2\n", NDJSON, format="csv").ok()
    load(client, name, b'{"n": 3}\n{"n": 4}\n', "application/json").ok()
    assert sorted(row["n"] for row in client.search(name)) == [1, 2, 3, 4]
    load(client, name, b"x", NDJSON, format="xlsx").refused(400)


def test_empty_files(client, name):
    client.add_source(name)
    for body, content_type in ((b"", NDJSON), (b"\n\n", NDJSON), (b"[]", "application/json"),
                               (b" [ ] \n", "application/json")):
        answer = load(client, name, body, content_type)
        assert answer.ok().json["rows_loaded"] == 0, body
    assert client.count(name) == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_load_id_makes_it_idempotent(client, name, form, encoding):
    render, content_type, columns = FORMS[form]
    client.add_source(name, {"s": "string", "f": "float64"})
    rows = [dict(row, s=row["s"] + "x" * 300) for row in make_rows(30000)]
    body = render(rows)
    first = load(client, name, ENCODINGS[encoding](body), content_type, encoding,
                 load_id="one").ok().json
    assert first["rows_loaded"] == 30000 and first["rows_stored_before"] == 0
    assert first["load_id"] == "one"
    again = load(client, name, body, content_type, None, load_id="one").ok().json
    assert again["rows_loaded"] == 30000 and again["rows_stored_before"] == 30000
    assert client.count(name) == 30000
    load(client, name, render(make_rows(10)), content_type, load_id="two").ok()
    assert client.count(name) == 30010


def cut_load(client, source, body, content_type, sent, load_id):
    """Announces the whole body, sends a part of it, closes."""
    head = (f"POST /data/load?source_id={source}&load_id={load_id} HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        connection.sendall(head.encode() + body[:sent])


@pytest.mark.parametrize("form", FORMS)
def test_interrupted_then_resumed(client, name, form):
    """The connection is cut in the middle, several times: each row once in the end."""
    render, content_type, _ = FORMS[form]
    client.add_source(name, {"s": "string", "f": "float64"})
    rows = [dict(row, s=row["s"] + "x" * 300) for row in make_rows(40000)]
    body = render(rows)
    stored = 0
    for share in (0.01, 0.35, 0.6, 0.95):
        cut_load(client, name, body, content_type, int(len(body) * share), "cut")
        count = client.count(name)
        assert stored <= count < 40000
        stored = count
        if share == 0.6:
            client.flush(name)
    answer = load(client, name, body, content_type, load_id="cut").ok().json
    assert answer["rows_loaded"] == 40000
    assert answer["rows_stored_before"] >= stored
    assert answer["rows_stored_before"] > 0, "nothing was kept of three interrupted loads"
    found = client.aggregate(name, {"type": "count"}, {"type": "count_distinct", "column": "n"})
    assert found == {"count": 40000, "count_distinct_n": 40000}


def test_interrupted_by_a_crash(new_server):
    server = new_server(node=True)
    client = server.client()
    client.add_source("s")
    rows = [dict(row, s=row["s"] + "x" * 300) for row in make_rows(40000)]
    body = as_ndjson(rows)
    for share in (0.4, 0.7):
        cut_load(client, "s", body, NDJSON, int(len(body) * share), "crash")
        server.kill()
        server.start()
        client = server.client()
    answer = load(client, "s", body, load_id="crash").ok().json
    assert answer["rows_loaded"] == 40000
    found = client.aggregate("s", {"type": "count"}, {"type": "count_distinct", "column": "n"})
    assert found == {"count": 40000, "count_distinct_n": 40000}


@pytest.mark.parametrize("encoding", [None, "gzip", "zstd"])
@pytest.mark.parametrize("line", [1, 2, 777, 25001])
def test_errors_have_their_line(client, name, line, encoding):
    """Also in a later batch, where the batches before it stay."""
    client.add_source(name, {"n": "int64"})
    lines = [json.dumps({"n": n, "pad": "x" * 300}) for n in range(26000)]
    for bad, status, code in (('{"n": 5', 400, "invalid_json"), ('{"n": "x"}', 422, "schema")):
        broken = lines[:line - 1] + [bad] + lines[line:]
        body = ENCODINGS[encoding](("\n".join(broken) + "\n").encode())
        before = client.count(name)
        error = load(client, name, body, encoding=encoding).refused(status, code)
        assert error["detail"]["line"] == line
        if code == "invalid_json":
            assert error["detail"]["offset"] == sum(len(x) + 1 for x in lines[:line - 1]) + 7
        else:
            assert error["detail"]["record"] == line - 1
            assert error["detail"]["field"] == "n" and error["detail"]["value"] == "x"
        stored = client.count(name) - before
        assert stored <= line - 1
        if line > 20000:
            assert stored > 0 and str(stored) in error["message"]


def test_errors_in_csv_have_their_line(client, name):
    client.add_source(name, {"n": "int64"})
    lines = ["n,pad"] + [f"{n},{'x' * 300}" for n in range(26000)]
    for line in (2, 500, 25000):
        broken = lines[:line - 1] + ["seven,x"] + lines[line:]
        error = load(client, name, "\n".join(broken) + "\n", "text/csv").refused(422, "schema")
        assert error["detail"]["line"] == line
        assert error["detail"]["value"] == "seven"


def test_errors_in_arrays(client, name):
    client.add_source(name, {"n": "int64"})
    for body in (b'[{"n": 1}', b'[{"n": 1},]', b'[{"n": 1} {"n": 2}]', b'[{"n": 1}]x', b"[", b"[5]",
                 b'[{"n": 1}, 5]', b'["a"]', b"5", b'"text"', b"]", b'[{"n": 1}]]', b"[[]]"):
        load(client, name, body, "application/json").refused(400, "invalid_json")
    assert client.count(name) == 0


def test_wrong_ids(client, name):
    client.add_source(name)
    for load_id in ("", "x" * 121):
        load(client, name, b'{"n": 1}\n', load_id=load_id).refused(400)
    assert client.count(name) == 0


def test_records_with_line_breaks_in_csv(client, name):
    client.add_source(name)
    text = 'n,s\n1,"two\nlines, ""quoted"""\n2,\n3,""\n'
    assert load(client, name, text, "text/csv").ok().json["rows_loaded"] == 3
    assert [row["s"] for row in client.search(name)] == ['two\nlines, "quoted"', None, ""]


def test_a_record_larger_than_a_batch(client, name):
    client.add_source(name)
    rows = [{"n": 1, "s": "a" * 3_000_000}, {"n": 2, "s": "b" * 9_000_000}, {"n": 3, "s": "c"}]
    for render, content_type, _ in FORMS.values():
        body = b"n,s\n" + b"".join(b"%d,%s\n" % (r["n"], r["s"].encode()) for r in rows) \
            if content_type == "text/csv" else render(rows)
        assert load(client, name, body, content_type).ok().json["rows_loaded"] == 3
    found = client.aggregate(name, {"type": "count"}, {"type": "max", "column": "s"},
                             group_by=["n"])
    assert [(row["n"], row["count"], len(row["max_s"])) for row in found] == \
        [(1, 3, 3_000_000), (2, 3, 9_000_000), (3, 3, 1)]


def test_highly_packed_file(client, name):
    """1,000 : 1 is a real file, not an attack: memory stays at a batch."""
    client.add_source(name)
    line = b'{"n": 1, "s": "%s"}\n' % (b"x" * 1000)
    body = gzip.compress(line * 200000)
    assert len(body) < 2 << 20
    assert load(client, name, body, encoding="gzip").ok().json["rows_loaded"] == 200000
    assert client.aggregate(name, {"type": "count"}, {"type": "sum", "column": "n"}) == \
        {"count": 200000, "sum_n": 200000}


# --- the idempotency key of /data/write ---

def keyed(client, source, key, rows, how):
    body = {"source_id": source, "records": [{"fields": row} for row in rows]}
    headers = {"Content-Type": "application/json"}
    if how == "field":
        body["write_id"] = key
    elif how == "header":
        headers["Idempotency-Key"] = key
    else:
        headers["Content-Type"] = NDJSON
        return client.post(f"/data/write?source_id={source}&write_id={key}", as_ndjson(rows), headers)
    return client.post("/data/write", body, headers)


@pytest.mark.parametrize("how", ["field", "header", "query"])
def test_key_stores_once(client, name, how):
    client.add_source(name)
    for turn in range(4):
        answer = keyed(client, name, "key-1", [{"n": 1}, {"n": 2}], how).ok().json
        assert answer["write_id"] == "key-1"
        assert answer["rows_written"] == 2
        assert answer["duplicate"] is (turn > 0)
        assert client.count(name) == 2
        if turn == 1:
            client.flush(name)
    keyed(client, name, "key-2", [{"n": 1}], how).ok()
    assert client.count(name) == 3


def test_keys_belong_to_their_source(client, name):
    a, b = client.add_source(name + "_a"), client.add_source(name + "_b")
    for source in (a, b, a, b):
        keyed(client, source, "same", [{"n": 1}], "field").ok()
    assert client.count(a) == client.count(b) == 1


def test_a_refused_write_does_not_use_its_key_up(client, name):
    client.add_source(name, {"n": "int64"})
    keyed(client, name, "k", [{"n": "x"}], "field").refused(422)
    assert keyed(client, name, "k", [{"n": 1}], "field").ok().json["duplicate"] is False
    assert client.count(name) == 1


@pytest.mark.parametrize("flush", [False, True])
def test_key_across_kill_and_stop(new_server, flush):
    server = new_server(node=True)
    client = server.client()
    client.add_source("s")
    keyed(client, "s", "key", [{"n": 1}], "field").ok()
    for ending in (server.kill, server.stop, server.kill):
        if flush:
            client.flush("s")
        ending()
        server.start()
        client = server.client()
        answer = keyed(client, "s", "key", [{"n": 1}], "field").ok().json
        assert answer["duplicate"] is True and answer["rows_written"] == 1
        assert client.count("s") == 1


def test_key_from_eight_threads_at_once(client, name):
    client.add_source(name)
    answers = []

    def run():
        for turn in range(20):
            rows = [{"turn": turn, "n": n} for n in range(10)]
            answers.append(keyed(client, name, f"turn {turn}", rows, "field"))
        client.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 160
    for answer in answers:
        assert answer.ok().json["rows_written"] == 10
    fresh = [answer for answer in answers if not answer.json["duplicate"]]
    assert len(fresh) == 20
    found = client.aggregate(name, {"type": "count", "alias": "rows"}, group_by=["turn"])
    assert [(row["turn"], row["rows"]) for row in found] == [(turn, 10) for turn in range(20)]


def test_the_real_zstd_is_read_too(client, name, tmp_path):
    """Compressed blocks, when the zstd program is here (stored ones are tested above)."""
    client.add_source(name)
    rows = make_rows(2000)
    try:
        packed = subprocess.run(["zstd", "-c"], input=as_ndjson(rows), stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=True).stdout
    except FileNotFoundError:
        packed = zstd_stored(as_ndjson(rows))
    load(client, name, packed, encoding="zstd").ok()
    check_rows(client, name, rows)

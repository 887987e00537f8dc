"""The real programs under test: starts quarryd with a fresh data directory on free ports, waits for
its own word that it is ready (systemd's notify protocol: no sleeping), stops it by process id.

    server = Server(tmp_path / "data"); server.start()
    client = server.client()                 # tenant node; one kept-alive connection a thread
    client.post("/data/search", {...}).json
    server.kill(); server.start()            # same data, as after a crash

QUARRY_BIN names the folder with quarryd, quarry and quarry-sql-worker; default: build/release/bin,
then build/dev/bin.
"""

import http.client
import itertools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("QUARRY_SHARED", ROOT.parent / "shared"))
SERVICES = ("gateway", "operation", "optimizer", "catalog", "monitoring", "interpreter", "tenant")
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30

_numbers = itertools.count(1)


def bin_folder():
    given = os.environ.get("QUARRY_BIN")
    for folder in [given] if given else [ROOT / "build/release/bin", ROOT / "build/dev/bin"]:
        if (pathlib.Path(folder) / "quarryd").exists():
            return pathlib.Path(folder)
    raise RuntimeError("quarryd is not built: run `make build`, or set QUARRY_BIN")


class Response:
    def __init__(self, status, headers, data):
        self.status = status
        self.headers = headers
        self.data = data

    @property
    def text(self):
        return self.data.decode()

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def error(self):
        """The error object that every failure carries."""
        return self.json["error"]

    def ok(self, status=200):
        assert self.status == status, f"{self.status} instead of {status}: {self.data[:2000]!r}"
        return self

    def refused(self, status, code=None):
        """Checks status and the form of an error body; gives the error object."""
        statuses = (status,) if isinstance(status, int) else status
        assert self.status in statuses, f"{self.status} not in {statuses}: {self.data[:2000]!r}"
        body = self.json
        assert body["success"] is False, body
        assert body["error_message"] == body["error"]["message"], body
        assert set(body["error"]) == {"code", "message", "detail", "request_id"}, body
        # faults of the HTTP layer itself have their id in the body only
        assert self.headers.get("X-Request-Id") in (None, body["error"]["request_id"]), body
        assert len(body["error"]["request_id"]) > 0, body
        if code is not None:
            codes = (code,) if isinstance(code, str) else code
            assert body["error"]["code"] in codes, body
        return body["error"]

    def lines(self):
        """The objects of an NDJSON answer."""
        return [json.loads(line) for line in self.data.split(b"\n") if line]

    def events(self):
        """Server-sent events as (name, object)."""
        found = []
        assert self.data.endswith(b"\n\n"), self.data[-200:]
        for block in self.data.decode().split("\n\n")[:-1]:
            name = "message"
            data = []
            for line in block.split("\n"):
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                else:
                    raise AssertionError(f"no field of an event: {line!r}")
            found.append((name, json.loads("\n".join(data))))
        return found


class Client:
    """HTTP to one service; a kept-alive connection for each thread."""

    def __init__(self, port, timeout=60):
        self.port = port
        self.timeout = timeout
        self.local = threading.local()

    def _send(self, method, path, body, headers):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.local.connection = connection
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return Response(answer.status, answer.headers, data)

    def close(self):
        connection = getattr(self.local, "connection", None)
        if connection is not None:
            connection.close()
            self.local.connection = None

    def request(self, method, path, body=None, headers=None):
        """`body`: bytes as they are, str as UTF-8, anything else as JSON."""
        headers = dict(headers or {})
        if isinstance(body, str):
            body = body.encode()
        elif body is not None and not isinstance(body, (bytes, bytearray, memoryview)):
            body = json.dumps(body).encode()
        if body is not None and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        fresh = getattr(self.local, "connection", None) is None
        try:
            return self._send(method, path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            if fresh or method != "GET":  # an idle connection may have been closed meanwhile
                raise
            return self._send(method, path, body, headers)

    def get(self, path, headers=None):
        return self.request("GET", path, None, headers)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, b"" if body is None else body, headers)

    def delete(self, path):
        return self.request("DELETE", path)

    # --- what most tests say ---

    def add_source(self, source_id, schema=None, **more):
        config = {
            "source_id": source_id,
            "name": source_id,
            "connection_string": f"file://{source_id}",
            "data_path": source_id,
            "schema_definition": schema or {},
        }
        config.update(more)
        answer = self.post("/sources/add", config).ok().json
        assert answer == {"success": True, "error_message": None}
        return source_id

    def write(self, source_id, rows, **more):
        """Stores the rows by the contract's JSON form; gives the answer."""
        body = {"source_id": source_id, "records": [{"fields": row} for row in rows]}
        body.update(more)
        answer = self.post("/data/write", body).ok().json
        assert answer["success"] is True and answer["rows_written"] == len(rows), answer
        return answer

    def flush(self, source_id):
        return self.post(f"/sources/{source_id}/flush").ok().json

    def search(self, source_id, **request):
        """The records of one source."""
        body = {"source_ids": [source_id]}
        body.update(request)
        answer = self.post("/data/search", body).ok().json
        assert len(answer) == 1 and answer[0]["source_id"] == source_id, answer
        assert answer[0]["error_message"] is None, answer
        assert answer[0]["total_rows"] == len(answer[0]["records"])
        return answer[0]["records"]

    def aggregate(self, source_id, *aggregations, **request):
        """final_results over one source."""
        body = {"source_ids": [source_id], "aggregations": list(aggregations)}
        body.update(request)
        answer = self.post("/data/aggregate", body).ok().json
        assert answer["success"] is True and answer["error_message"] is None, answer
        assert list(answer["source_results"]) == [source_id], answer
        return answer["final_results"]

    def count(self, source_id, **request):
        return self.aggregate(source_id, {"type": "count", "alias": "n"}, **request)["n"]

    def sql(self, query, **request):
        body = {"query": query}
        body.update(request)
        return self.post("/query/sql", body)

    def rows(self, query, **request):
        return self.sql(query, **request).ok().json["rows"]


class Server:
    """A quarryd process (node=True: the tenant node alone, in the process that is started)."""

    def __init__(self, data, node=False, settings=(), log=None):
        self.data = pathlib.Path(data)
        self.node = node
        self.settings = list(settings)
        self.log = pathlib.Path(log) if log else self.data.with_name(self.data.name + ".log")
        self.ports_file = self.data.with_name(self.data.name + ".ports")
        self.process = None
        self.ports = {}

    def _command(self):
        command = [bin_folder() / "quarryd", "--ports-file", self.ports_file,
                   f"--data-path={self.data}", "--rest-port=0"]
        if self.node:
            command.append("--node")
        else:
            command += [f"--{name}-port=0" for name in SERVICES if name != "tenant"]
        return [str(word) for word in command] + self.settings

    def start(self):
        assert self.process is None
        self.data.parent.mkdir(parents=True, exist_ok=True)
        name = f"quarry-test-{os.getpid()}-{next(_numbers)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, \
                open(self.log, "ab") as log:
            ready.bind("\0" + name)
            environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": "@" + name}
            for key, value in os.environ.items():
                if key.endswith("SAN_OPTIONS"):
                    environment[key] = value
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environment, cwd=self.data.parent)
            self._wait_ready(ready)
        self.ports = json.loads(self.ports_file.read_text())
        return self

    def _wait_ready(self, ready):
        gone = os.pidfd_open(self.process.pid)
        try:
            found, _, _ = select.select([ready, gone], [], [], START_TIMEOUT_S)
        finally:
            os.close(gone)
        if ready in found and ready.recv(100) == b"READY=1":
            return
        self.kill()
        raise RuntimeError(f"quarryd did not become ready: {self.log_tail()}")

    def log_tail(self):
        return self.log.read_text(errors="replace")[-3000:]

    @property
    def pid(self):
        return self.process.pid

    def client(self, service="tenant", timeout=60):
        return Client(self.ports[service], timeout)

    def stop(self):
        """SIGTERM: drains, flushes. Fails when that does not end well."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"quarryd did not stop: {self.log_tail()}") from None
        self.process = None
        assert status == 0, f"quarryd ended with {status}: {self.log_tail()}"

    def kill(self):
        """SIGKILL to the process that start() made."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def node_pid(self):
        """The process of the tenant node."""
        if self.node:
            return self.pid
        health = Client(self.ports["operation"]).get("/health").json
        return find_key(health, "nodes")[0]["pid"]

    def wait_node(self, not_pid):
        """Until the supervisor has a node again that is not `not_pid`."""
        until = time.monotonic() + START_TIMEOUT_S
        client = Client(self.ports["operation"])
        while time.monotonic() < until:
            node = find_key(client.get("/health").json, "nodes")[0]
            if node["state"] == "running" and node["pid"] not in (None, not_pid):
                client.close()
                return node["pid"]
            time.sleep(0.02)
        raise AssertionError(f"the node did not come back: {self.log_tail()}")

    def is_alive(self):
        return self.process is not None and self.process.poll() is None


def find_key(value, key):
    """The first member `key` anywhere in a JSON value."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found = find_key(item, key)
            if found is not None:
                return found
    return None


def shared(path):
    """A folder of the shared test data; the test is skipped with the reason when it is absent."""
    import pytest
    folder = SHARED / path
    if not folder.exists():
        pytest.skip(f"{path} is not in the shared data (QUARRY_SHARED)")
    return folder


# --- zstd without a library: stored and run-length blocks (RFC 8878, 3.1.1) ---

ZSTD_BLOCK = 128 * 1024


def _zstd_block(kind, size, last):
    return (last | kind << 1 | size << 3).to_bytes(3, "little")


ZSTD_HEAD = (0xFD2FB528).to_bytes(4, "little") + bytes([0x00, 7 << 3])  # window 128 KiB


def zstd_stored(data):
    """A zstd frame of raw blocks."""
    out = [ZSTD_HEAD]
    pieces = [data[i:i + ZSTD_BLOCK] for i in range(0, len(data), ZSTD_BLOCK)] or [b""]
    for i, piece in enumerate(pieces):
        out += [_zstd_block(0, len(piece), i + 1 == len(pieces)), piece]
    return b"".join(out)


def zstd_run(byte, count):
    """A zstd frame that unpacks to `count` (in blocks of 128 KiB) times the byte."""
    blocks = count // ZSTD_BLOCK
    return ZSTD_HEAD + b"".join(_zstd_block(1, ZSTD_BLOCK, i + 1 == blocks) + byte
                                for i in range(blocks))

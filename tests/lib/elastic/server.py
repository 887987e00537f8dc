#!/usr/bin/python3
"""A document index over HTTP for tests of the Elasticsearch back end:
    python3 server.py [--tls CERTIFICATE KEY] [--authorization VALUE] [PORT [DISTRIBUTION]]

With --authorization only requests whose header says exactly that are answered, others get 401.

Prints its port, serves until its standard input ends. It is NOT Elasticsearch: it keeps everything
in memory and knows the requests that the back end makes, as the public conversations with such
servers have them (tests/system/test_elastic_server.py replays those; docs/catalog-elastic.md says
which) and, for what is in none of them, as Elasticsearch's documentation describes it.

PUT /_faults {"faults": [{"match": "POST /_bulk", "kind": K, "times": N, "skip": N, ...}]}
  K: status ("status": 503, "retry_after": s; nothing is done), close (nothing is done),
     lost (done, but the connection closes without an answer), partial ("every": n-th entry of a
     _bulk gets "status" and is not done), slow ("ms")
GET /_faults: {"requests": {"POST /_bulk": n, ...}, "left": n}"""

import argparse
import json
import re
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse

from api import Api, ApiError


class Faults:
    def __init__(self):
        self.faults, self.requests = [], {}

    def note(self, method, path):
        name = f"{method} {path}"
        kind = re.sub(r"/_doc/.*", "/_doc", name)
        self.requests[kind] = self.requests.get(kind, 0) + 1
        for fault in self.faults:
            if fault["times"] > 0 and fault["match"] in name:
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] -= 1
                return fault
        return None

    def put(self, body):
        self.faults, self.requests = body["faults"], {}
        return {}

    def get(self):
        return {"requests": self.requests, "left": sum(one["times"] for one in self.faults)}


class Handler(socketserver.StreamRequestHandler):
    """HTTP/1.1, as far as one client needs it."""

    disable_nagle_algorithm = True

    def handle(self):
        while self.one_request():
            pass

    def one_request(self):
        line = self.rfile.readline(65536)
        if not line.strip():
            return False
        method, target, _version = line.decode("latin-1").split()
        headers = {}
        while True:
            line = self.rfile.readline(65536).decode("latin-1").strip()
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return self.run(method, target, headers, body)

    def run(self, method, target, headers, body):
        path, _, query = target.partition("?")
        server = self.server
        if server.authorization and headers.get("authorization") != server.authorization:
            error = ApiError(401, "security_exception", "missing or wrong credentials")
            return self.answer(method, error.status, error.body(), {"WWW-Authenticate": "Basic"})
        with server.lock:
            fault = None if path == "/_faults" else server.faults.note(method, path)
        kind = fault["kind"] if fault else None
        if kind == "slow":
            time.sleep(fault["ms"] / 1000)
        if kind == "close":
            return False
        if kind == "status":
            more = {"Retry-After": fault["retry_after"]} if "retry_after" in fault else {}
            error = ApiError(fault["status"], "injected", "this fault is asked for")
            return self.answer(method, error.status, error.body(), more)
        options = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        try:
            with server.lock:
                if path == "/_faults":
                    status, found = 200, (server.faults.put(json.loads(body)) if method == "PUT"
                                          else server.faults.get())
                else:
                    status, found = server.api.call(method, urllib.parse.unquote(path), options,
                                                    body, headers, fault)
        except ApiError as error:
            status, found = error.status, error.body()
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            status, found = 400, ApiError(400, "parsing_exception", repr(error)).body()
        if kind == "lost":
            return False
        return self.answer(method, status, found, {})

    def answer(self, method, status, found, more):
        data = b"" if found is None else json.dumps(found, ensure_ascii=False).encode(
            "utf-8", "surrogatepass")
        head = [f"HTTP/1.1 {status} X", "Content-Type: application/json",
                "X-Elastic-Product: Elasticsearch", f"Content-Length: {len(data)}"]
        head += [f"{name}: {value}" for name, value in more.items()]
        text = ("\r\n".join(head) + "\r\n\r\n").encode()
        self.wfile.write(text if method == "HEAD" else text + data)
        return True


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port, distribution="elasticsearch", tls=None, authorization=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.authorization, self.tls = authorization, None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.lock, self.api, self.faults = threading.Lock(), Api(distribution), Faults()

    def finish_request(self, request, client_address):
        """In the connection's own thread: a slow or failed handshake is nobody else's."""
        if not self.tls:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        pass  # a client that went away


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("distribution", nargs="?", default="elasticsearch")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    parser.add_argument("--authorization")
    words = parser.parse_args()
    server = Server(words.port, words.distribution, words.tls, words.authorization)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

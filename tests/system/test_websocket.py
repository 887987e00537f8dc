"""WebSockets through the gateway: agreed on with the service, passed on byte for byte, plain and TLS;
a service that does not want one answers as usual."""
import base64
import contextlib
import hashlib
import os
import socket
import ssl
import threading

import pytest

from lib.quarry import Server
from lib.wait import until
from test_tls import make_certificate

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
PATIENCE_S = 30


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def read_head(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(4096)
        assert piece, head
        head += piece
    return head.split(b"\r\n\r\n", 1)


class Service:
    """Agrees to a WebSocket on /sources?ws and gives every byte back, turned round; answers 200 elsewhere. The first word comes with its answer's head."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heads, self.ended = [], set()  # keys
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock:
            head, _ = read_head(sock)
            self.heads.append(head)
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            if b"/sources?ws" not in head or fields.get(b"upgrade") != b"websocket":
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nno")
                return
            key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))[19:]
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\nhello")
            with contextlib.suppress(ConnectionError):
                while not (piece := sock.recv(65536)).endswith(b"bye") and piece:
                    sock.sendall(bytes(255 - byte for byte in piece))
        self.ended.add(key)


@pytest.fixture(scope="module")
def service():
    service = Service()
    yield service
    service.listener.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("websocket")


@pytest.fixture(scope="module", params=["plain", "tls"])
def gateway(request, service, folder):
    settings = ["--services=gateway", f"--service-addresses=tenant=127.0.0.1:{service.port}", "--bcrypt-rounds=4"]
    certificate = None
    if request.param == "tls":
        certificate, key = make_certificate(folder, "gateway")
        settings += [f"--tls-certificate={certificate}", f"--tls-key={key}"]
    server = Server(folder / request.param, settings=settings).start()
    server.certificate = certificate
    yield server
    server.stop()


def connect(gateway):
    sock = socket.create_connection(("127.0.0.1", gateway.ports["gateway"]), PATIENCE_S)
    if not gateway.certificate:
        return sock
    return ssl.create_default_context(cafile=gateway.certificate).wrap_socket(sock, server_hostname="localhost")


def ask(sock, path="/sources?ws", upgrade="websocket"):
    key = base64.b64encode(os.urandom(16))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: {upgrade}\r\n"
                 f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n\r\n".encode())
    return (key, *read_head(sock))


def receive(sock, size):
    found = b""
    while len(found) < size:
        piece = sock.recv(65536)
        assert piece
        found += piece
    return found


def test_bytes_both_ways(gateway, service):
    with connect(gateway) as sock:
        key, head, rest = ask(sock)
        assert head.startswith(b"HTTP/1.1 101 ") and b"Sec-WebSocket-Accept: " + accept_of(key) in head
        assert rest + receive(sock, 5 - len(rest)) == b"hello"
        for size in (1, 10, 3000000):
            sent = bytes(255 - byte for byte in os.urandom(size))
            sender = threading.Thread(target=sock.sendall, args=(sent,))
            sender.start()
            assert receive(sock, size) == bytes(255 - byte for byte in sent)
            sender.join()
    assert b"X-Forwarded-For: 127.0.0.1" in service.heads[-1] and b"X-Request-Id: " in service.heads[-1]


def test_either_side_may_end(gateway, service):
    with connect(gateway) as sock:
        key, _, _ = ask(sock)
        sock.sendall(b"bye")
        while sock.recv(100):
            pass
    until(lambda: key in service.ended, "its own end")
    sock = connect(gateway)
    key, _, _ = ask(sock)
    sock.close()
    until(lambda: key in service.ended, "the service hears of it")


def test_no_websocket(gateway):
    with connect(gateway) as sock:
        _, head, rest = ask(sock, path="/sources")
        assert head.startswith(b"HTTP/1.1 200 ") and rest + receive(sock, 2 - len(rest)) == b"no"
    with connect(gateway) as sock:
        _, head, rest = ask(sock, upgrade="h2c")
        assert head.startswith(b"HTTP/1.1 200 ")
    with connect(gateway) as sock:
        _, head, _ = ask(sock, path="/nothing/there")
        assert head.startswith(b"HTTP/1.1 404 ")


def test_too_many(gateway):
    open_ones = [connect(gateway) for _ in range(64)]
    for sock in open_ones:
        assert ask(sock)[1].startswith(b"HTTP/1.1 101 ")
    with connect(gateway) as sock:
        _, head, _ = ask(sock)
        assert head.startswith(b"HTTP/1.1 503 ") and b"Retry-After: " in head
    for sock in open_ones:
        sock.close()
    with connect(gateway) as sock:
        until(lambda: ask(sock)[1].startswith(b"HTTP/1.1 101 "), "a free place")


def test_a_stop_does_not_wait(service, tmp_path):
    server = Server(tmp_path / "data", settings=["--services=gateway", "--shutdown-grace-seconds=100",
                                                 f"--service-addresses=tenant=127.0.0.1:{service.port}"]).start()
    server.certificate = None
    with connect(server) as sock:
        assert ask(sock)[1].startswith(b"HTTP/1.1 101 ")
        server.stop()  # fails when it takes longer than 30 s

"""TLS at the gateway: certificates replaced while connections stand, versions, what is refused."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time

import pytest

from lib.certificates import make_certificate
from lib.quarry import Server, bin_folder


def put(pair, folder):
    """Puts a pair where the server reads it, key first: between the two they do not fit."""
    for source, name in [(pair[1], "tls.key"), (pair[0], "tls.pem")]:
        (folder / "new").write_bytes(source.read_bytes())
        os.replace(folder / "new", folder / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def pairs(folder):
    return [make_certificate(folder, "first"), make_certificate(folder, "second", "ec")]


@pytest.fixture(scope="module")
def server(folder, pairs):
    put(pairs[0], folder)
    settings = [f"--tls-certificate={folder}/tls.pem", f"--tls-key={folder}/tls.key", "--bcrypt-rounds=4"]
    server = Server(folder / "data", settings=settings).start()
    yield server
    server.stop()


def context_of(certificate=None):
    context = ssl.create_default_context(cafile=certificate) if certificate else ssl.create_default_context()
    return context


def connect(server, certificate):
    connection = http.client.HTTPSConnection("localhost", server.ports["gateway"], timeout=20,
                                             context=context_of(certificate))
    connection.connect()
    return connection


def ask(connection, path="/health"):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer, answer.read()


def serves(server, certificate):
    try:
        connection = connect(server, certificate)
    except ssl.SSLError:
        return False
    connection.close()
    return True


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_https_with_its_headers(server, pairs):
    connection = connect(server, pairs[0][0])
    answer, body = ask(connection)
    assert answer.status == 200 and json.loads(body)["healthy"] is True
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    answer, _ = ask(connection, "/sources")  # through the proxy, each header once
    for name in ("Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert len(answer.headers.get_all(name)) == 1
    answer, body = ask(connection, "/health/all")
    assert json.loads(body)["healthy"] is True, body
    connection.close()
    url = f"https://localhost:{server.ports['gateway']}"
    for more, code in [({"QUARRY_CA_FILE": str(pairs[0][0])}, 0), ({}, 3)]:
        done = subprocess.run([bin_folder() / "quarry", "sources", "list", "--url", url], capture_output=True,
                              env={"PATH": os.environ["PATH"], **more}, timeout=60, check=False)
        assert done.returncode == code, done.stderr


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_plain_text_and_old_versions_are_refused(server):
    with socket.create_connection(("127.0.0.1", server.ports["gateway"]), timeout=20) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not plain.recv(1000).startswith(b"HTTP/")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", server.ports["gateway"]), timeout=20) as raw:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(raw)


def test_a_new_certificate_without_dropping_connections(server, folder, pairs):
    standing = connect(server, pairs[0][0])
    assert ask(standing)[0].status == 200
    put(pairs[1], folder)  # the files alone: noticed within seconds
    wait_for(lambda: serves(server, pairs[1][0]))
    assert not serves(server, pairs[0][0])
    assert ask(standing)[0].status == 200  # still the connection of before
    put(pairs[0], folder)
    os.kill(server.pid, signal.SIGHUP)
    wait_for(lambda: serves(server, pairs[0][0]))
    (folder / "tls.pem").write_text("no certificate")  # nothing better: the old one stays
    os.kill(server.pid, signal.SIGHUP)
    wait_for(lambda: "the old one stays" in server.log.read_text())
    assert serves(server, pairs[0][0]) and ask(standing)[0].status == 200
    (folder / "tls.pem").write_bytes(pairs[1][0].read_bytes())  # of another key
    wait_for(lambda: "does not belong" in server.log.read_text())
    assert serves(server, pairs[0][0])
    put(pairs[0], folder)
    standing.close()


def test_only_the_newest_version(folder, pairs, tmp_path):
    settings = [f"--tls-certificate={pairs[0][0]}", f"--tls-key={pairs[0][1]}", "--tls-min-version=1.3"]
    server = Server(tmp_path / "data", settings=settings).start()
    try:
        context = context_of(pairs[0][0])
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", server.ports["gateway"]), timeout=20) as raw:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(raw, server_hostname="localhost")
        connection = connect(server, pairs[0][0])
        assert connection.sock.version() == "TLSv1.3"
        connection.close()
    finally:
        server.stop()


def test_wrong_settings_are_told_at_the_start(pairs, tmp_path):
    for settings, words in [([f"--tls-certificate={pairs[0][0]}"], "TLS_KEY is missing"),
                            ([f"--tls-certificate={pairs[0][0]}", f"--tls-key={pairs[1][1]}"], "does not belong"),
                            ([f"--tls-certificate={tmp_path}/none", f"--tls-key={pairs[1][1]}"], "cannot be read")]:
        command = [bin_folder() / "quarryd", f"--data-path={tmp_path}/d", "--services=gateway", "--gateway-port=0", *settings]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
        assert done.returncode == 1 and words in done.stderr, done.stderr

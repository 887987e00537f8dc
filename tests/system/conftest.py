"""Fixtures of the system tests: the real quarryd, see lib/quarry.py.

    server          one for the whole session, all services; tests use source names of their own
    client          of its tenant node
    new_server      factory: servers of the test's own, that it may kill; ended with the test
    name            a source name that no other test has
"""

import itertools
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.quarry import Server  # noqa: E402

_names = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("quarryd") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def session_client(server):
    return server.client()


@pytest.fixture
def client(server, session_client):
    assert server.is_alive(), server.log_tail()
    yield session_client
    session_client.close()


@pytest.fixture
def new_server(tmp_path):
    servers = []

    def make(folder="data", **options):
        server = Server(tmp_path / folder, **options)
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def name(request):
    word = re.sub(r"[^A-Za-z0-9]+", "_", request.node.name)[:60].strip("_")
    return f"{word}_{next(_names)}"

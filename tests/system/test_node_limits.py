"""What a tenant's node may take of the machine: memory and niceness, for itself and its SQL workers."""
import os
import pathlib
import resource
import subprocess

import pytest

from lib.quarry import Server, bin_folder
from lib.wait import until

LIMIT_MB = 256


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = [f"--tenant-memory-mb={LIMIT_MB}", "--tenant-nice=3"]
    server = Server(tmp_path_factory.mktemp("limits") / "data", settings=settings).start()
    server.client().add_source("t", {"text": "string"})
    yield server
    server.stop()


def children(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def test_the_node_and_its_workers_have_the_limits(server):
    assert server.client().rows("SELECT sum(range) FROM range(100000)") == [[4999950000]]
    node = server.node_pid()
    for pid in (node, *children(node)):
        assert resource.prlimit(pid, resource.RLIMIT_DATA) == (LIMIT_MB << 20, LIMIT_MB << 20)
        assert os.getpriority(os.PRIO_PROCESS, pid) == 3
    assert len(children(node)) >= 1
    assert resource.prlimit(server.pid, resource.RLIMIT_DATA)[0] != LIMIT_MB << 20
    assert os.getpriority(os.PRIO_PROCESS, server.pid) == 0


def test_what_needs_more_is_refused_without_harm(server):
    client, before = server.client(), server.node_pid()
    client.write("t", [{"text": "small"}])
    row = '{"text":"%s"}\n' % ("x" * 1000)
    stored, last = 0, None

    def write(rows):
        nonlocal stored, last
        last = client.post("/data/write?source_id=t", row * rows, {"Content-Type": "application/x-ndjson"})
        stored += rows if last.status == 200 else 0
        return last.status == 200

    while write(40000) and stored < 400000:  # until memory is used up, or the flush keeps pace
        pass
    assert last.status == 200 or last.error["code"] in ("no_memory", "too_many_requests"), last.text
    until(lambda: write(1), "small writes go on")
    assert server.node_pid() == before
    server.kill()
    server.start()
    assert server.client().count("t") == 1 + stored


def test_less_than_it_needs_is_no_setting(tmp_path):
    done = subprocess.run([bin_folder() / "quarryd", "--node", f"--data-path={tmp_path}/d", "--rest-port=0",
                           "--tenant-memory-mb=64"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "TENANT_MEMORY_MB must be 0 or 256" in done.stderr

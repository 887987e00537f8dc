"""A full disk, for real: a small tmpfs with ballast. Writes get 507, reads go on; when the ballast
goes, writes work again by themselves; nothing acknowledged is lost, nothing refused is there.

Mounting needs root: without it the test runs itself again inside of a user namespace."""

import os
import random
import subprocess
import sys
import time

from lib.quarry import Server
from rig import assert_clean

SIZE_MIB = 192
ROWS = 200


def mounted(folder):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "none", str(folder)],
                   check=True)


def fill_up(path):
    """Takes all space that is left; the last bytes one by one."""
    with open(path, "wb", buffering=0) as file:
        for piece in (1 << 20, 4096, 1):
            try:
                while file.write(bytes(piece)):
                    pass
            except OSError:
                continue


def write(client, batch, pad):
    body = {"source_id": "s", "records": [{"fields": {"batch": batch, "n": n, "pad": pad}}
                                          for n in range(ROWS)]}
    return client.post("/data/write", body)


def rows_of(client):
    groups = client.aggregate("s", {"type": "count", "alias": "rows"}, group_by=["batch"])
    assert all(group["rows"] == ROWS for group in groups)
    return {group["batch"] for group in groups}


def run(folder, seed, log):
    rng = random.Random(seed)
    pad = "".join(chr(rng.randrange(33, 126)) for _ in range(2000))
    server = Server(folder / "data", node=True, settings=["--memtable-mb=24"], log=log)
    server.ports_file = log.with_suffix(".ports")
    try:
        client = server.start().client()
        client.add_source("s", {"batch": "int64"}, index_columns=["batch"])
        stored, batch = set(), 0
        for _ in range(10):
            write(client, batch, pad).ok()
            stored.add(batch)
            batch += 1
        client.flush("s")
        for _ in range(3):
            ballast = folder / "ballast"
            fill_up(ballast)
            refusals = []
            until = time.monotonic() + 60
            while len([r for r in refusals if r == 507]) < 5 and time.monotonic() < until:
                answer = write(client, batch, f"{batch}{pad}")
                if answer.status == 200:
                    stored.add(batch)
                else:
                    error = answer.refused((507, 429))
                    assert answer.status == 429 or error["code"] == "storage_full"
                    refusals.append(answer.status)
                    assert rows_of(client) == stored  # reads go on
                batch += 1
            assert refusals.count(507) >= 5, refusals
            ballast.unlink()
            until = time.monotonic() + 60
            while (answer := write(client, batch, pad)).status != 200:  # by itself
                assert answer.status in (507, 429) and time.monotonic() < until, answer.data
                batch += 1
                time.sleep(0.1)
            stored.add(batch)
            batch += 1
            assert rows_of(client) == stored
        server.kill()
        assert_clean(server.data)
        client = server.start().client()
        assert rows_of(client) == stored
        server.stop()
        assert_clean(server.data)
    finally:
        server.kill()


def test_full_disk(tmp_path, seed):
    if os.geteuid() != 0:
        done = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", sys.executable,
                               "-m", "pytest", "-p", "no:cacheprovider", "-q", __file__],
                              env=dict(os.environ, QUARRY_SEED=str(seed)), capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    folder = tmp_path / "small"
    mounted(folder)
    try:
        run(folder, seed, tmp_path / "server.log")
    finally:
        subprocess.run(["umount", str(folder)], check=True)

"""The end of the log, cut and torn at every 512 bytes: what comes back is a prefix of the batches,
each whole; nothing that was torn is served; a hole in the middle of what was acknowledged is refused
and fsck names it."""

import os

from rig import BATCH, copy, fill, fsck, last_log, read_back

SECTOR = 512


def frames_end(path):
    data = path.read_bytes()
    return len(data.rstrip(b"\0"))


def check_prefix(ids, batches):
    assert ids is not None, "the server refuses a log that only lacks its end"
    assert ids == list(range(len(ids))) and len(ids) % BATCH == 0, "not whole batches"
    assert len(ids) <= batches * BATCH


def test_every_truncation(tmp_path):
    data = tmp_path / "data"
    total = fill(data, 4, 24, tmp_path / "fill.log")
    log = last_log(data)
    end = frames_end(log)
    before = None
    for cut in list(range(0, end, SECTOR)) + [end]:
        if cut < 64:
            continue  # a log segment always has a whole header: it is renamed after its sync
        broken = copy(data, tmp_path / "broken")
        os.truncate(broken / "wal" / log.name, cut)
        status, found, _ = fsck(broken)
        assert status == 0, found
        ids = read_back(broken, tmp_path / "broken.log")
        check_prefix(ids, total // BATCH)
        assert len(ids) >= 4 * BATCH and (before is None or len(ids) >= before)
        before = len(ids)
    assert before == total


def test_every_torn_sector(tmp_path):
    data = tmp_path / "data"
    total = fill(data, 4, 24, tmp_path / "fill.log")
    log = last_log(data)
    end = frames_end(log)
    refused = prefixes = 0
    for at in range(SECTOR, end, SECTOR):
        broken = copy(data, tmp_path / "broken")
        with open(broken / "wal" / log.name, "r+b") as file:
            file.seek(at)
            file.write(b"\0" * SECTOR)
        status, found, _ = fsck(broken)
        ids = read_back(broken, tmp_path / "broken.log")
        if ids is None:
            assert status == 1 and log.name in found[0]["file"], found
            refused += 1
        else:
            assert status == 0, found
            check_prefix(ids, total // BATCH)
            assert len(ids) >= total - 2 * BATCH, "acknowledged batches are gone, unnoticed"
            prefixes += 1
    assert refused > 0 and prefixes > 0

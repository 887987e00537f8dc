"""Flipped bits in every kind of file of a real data folder. Each is found by fsck, with the file's
name; or it is in bytes that nothing reads, and then every row still comes back right. A server on the
damaged folder refuses, or answers right; the one exception, by design: damage to the very last frame
of the log looks like a torn write, and fsck says that."""

import random

from rig import BATCH, assert_clean, copy, fill, fsck, last_log, read_back

MIN_FLIPS = 24


def kinds(data):
    found = {}
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.stat().st_size:
            found.setdefault(path.suffix or path.name, []).append(path)
    return found


def pick_byte(path, rng):
    """Of the log: where frames are; the zeros behind them are 64 MiB."""
    data = path.read_bytes()
    used = len(data.rstrip(b"\0")) if path.suffix == ".wal" else len(data)
    return rng.randrange(used)


def flip(path, at, bit):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def test_bit_flips(tmp_path, seed, budget):
    rng = random.Random(seed)
    data = tmp_path / "data"
    total = fill(data, 40, 10, tmp_path / "fill.log")
    assert_clean(data)
    files = kinds(data)
    assert {".wal", ".json", ".avro", ".text", "CURRENT", ".writeids", ".parquet", ".hash"} <= set(files)
    everything = list(range(total))
    counts = {"found": 0, "harmless": 0, "refused": 0, "right": 0, "torn": 0}
    flips = 0
    while not budget.over() or flips < MIN_FLIPS:
        kind = sorted(files)[flips % len(files)]
        path = rng.choice(files[kind])
        at, bit = pick_byte(path, rng), rng.randrange(8)
        where = f"{path}, byte {at}, bit {bit}, seed {seed}"
        flip(path, at, bit)
        status, found, _ = fsck(data)
        named = [f for f in found if path.name in f["file"] or path.name in f["what"]]
        assert named or status == 0, f"{where}: another file is blamed: {found}"
        broken = copy(data, tmp_path / "broken")
        ids = read_back(broken, tmp_path / "broken.log")
        if ids is None:
            assert named, f"{where}: the server refuses, fsck finds nothing"
            counts["refused"] += 1
        elif ids == everything:
            counts["right"] += 1
        else:
            torn = [f for f in named if f["kind"] == "torn_tail"]
            assert path == last_log(data) and torn, f"{where}: silently wrong: {len(ids)} rows"
            assert ids == everything[:-BATCH], f"{where}: more than the last write is gone"
            counts["torn"] += 1
        counts["found" if named else "harmless"] += 1
        flip(path, at, bit)
        flips += 1
    assert_clean(data)  # all was put back
    assert counts["found"] > flips / 2, counts
    print(f"{flips} flips: {counts}, seed {seed}")

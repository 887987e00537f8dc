"""kill -9 at random moments under load, for QUARRY_TORTURE_SECONDS: after every kill fsck finds
nothing wrong; after every restart what was acknowledged is there once, batches whole. Writers flush,
and now and then an index is added or dropped, so kills hit those, too."""

import random

from lib.quarry import Server
from rig import assert_clean
from test_crash import SETTINGS, SOURCES, Load, check_everything, check_totals, settle
import time


def change_indexes(client, rng):
    source = rng.choice(list(SOURCES))
    if rng.random() < 0.6:
        client.post(f"/sources/{source}/indexes", {"columns": ["id", "round"]}).ok()
    else:
        answer = client.delete(f"/sources/{source}/indexes/round")
        assert answer.status in (200, 404), answer.data


def test_kill(tmp_path, seed, budget):
    rng = random.Random(seed)
    server = Server(tmp_path / "data", node=True, settings=SETTINGS)
    present, totals, rounds = [], {}, 0
    try:
        client = server.start().client()
        for source, more in SOURCES.items():
            client.add_source(source, {"id": "int64", "batch": "int64", "round": "int64",
                                       "day": "date"}, **more)
        server.kill()
        while not budget.over() or rounds < 3:
            client = server.start().client()
            check_totals(client, totals)
            load = Load(client, rounds, seed)
            if rng.random() < 0.5:
                change_indexes(client, rng)
            time.sleep(rng.uniform(0.01, 0.4))
            server.kill()
            batches = load.join()
            client.close()
            assert_clean(server.data)
            client = server.start().client()
            if batches:
                present += settle(client, batches, totals)
            client.close()
            server.kill()
            assert_clean(server.data)
            rounds += 1
        client = server.start().client()
        check_everything(client, present, totals)
        server.stop()
        assert_clean(server.data)
    finally:
        server.kill()
    print(f"{rounds} kills, {len(present)} batches, {sum(totals.values())} rows, seed {seed}")

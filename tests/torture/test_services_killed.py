"""The seven services as seven processes under mixed load through the gateway, for
QUARRY_TORTURE_SECONDS; every few seconds one of them is killed (-9) and started again, as systemd
would. What was acknowledged is there once; fewer than one call in a hundred fails; every service
answers again within five seconds.

Clients do what the answers tell them: after a failure they wait 0.1 s, and a write whose outcome is
not known is sent again with its write_id.
"""

import collections
import http.client
import itertools
import random
import threading
import time

from lib.fleet import Fleet
from lib.quarry import SERVICES
from rig import assert_clean

PAUSE_S = 0.1
RECOVERY_S = 5
KILL_EVERY_S = (2, 4)
MAX_FAILED = 0.01

# What shows that a service works, asked at itself.
PROBES = {"gateway": ("GET", "/auth/me", None), "operation": ("GET", "/queries?limit=1", None),
          "optimizer": ("GET", "/stats/execution", None), "catalog": ("GET", "/assets?limit=1", None),
          "monitoring": ("GET", "/health/all", None),
          "interpreter": ("POST", "/parse/sql", {"query": "SELECT 1", "dialect": "duckdb"}),
          "tenant": ("GET", "/sources", None)}


class Load:
    """Clients of all kinds, each a thread with a connection of its own."""

    def __init__(self, fleet, admin, seed):
        self.fleet, self.admin, self.seed = fleet, admin, seed
        self.over = threading.Event()
        self.numbers = itertools.count()
        self.acknowledged, self.assets, self.faults = [], [], []
        self.good, self.failed = collections.Counter(), collections.Counter()
        self.threads = [threading.Thread(target=self.run, args=(kind, number))
                        for number, kind in enumerate([self.write] * 3 + [self.find, self.sum, self.parse, self.register])]
        for thread in self.threads:
            thread.start()

    def run(self, deed, number):
        rng = random.Random(self.seed * 100 + number)
        door = self.fleet.client("gateway", timeout=15)
        try:
            while not self.over.is_set():
                deed(door, rng)
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(fault)
        finally:
            door.close()

    def ask(self, door, method, path, body, statuses=(200, 201)):
        """The answer, or None after a failure; other statuses than expected or 5xx are wrong."""
        name = "/".join(path.split("/")[:3]) if not path.startswith("/assets") else "/assets"
        try:
            answer = door.request(method, path, body, self.admin)
        except (http.client.HTTPException, OSError):
            answer = None
        if answer is not None and answer.status in statuses:
            self.good[name] += 1
            return answer
        assert answer is None or answer.status >= 500, (path, answer.status, answer.data[:500])
        self.failed[name] += 1
        time.sleep(PAUSE_S)
        return None

    def write(self, door, rng):
        first = next(self.numbers) * 10
        rows = [{"fields": {"id": first + i, "v": rng.randrange(1000)}} for i in range(rng.randint(1, 10))]
        body = {"source_id": "s", "records": rows, "write_id": f"w{first}"}
        while not self.ask(door, "POST", "/data/write", body):
            pass  # also after the end: its outcome has to be known
        self.acknowledged += [row["fields"]["id"] for row in rows]

    def find(self, door, rng):
        if self.acknowledged:
            wanted = rng.choice(self.acknowledged)
            answer = self.ask(door, "POST", "/data/search", {"source_ids": ["s"], "filters": {"id": {"eq": wanted}}})
            assert not answer or [row["id"] for row in answer.json[0]["records"]] == [wanted], answer.data

    def sum(self, door, _):
        before = len(self.acknowledged)
        answer = self.ask(door, "POST", "/query/sql", {"query": "SELECT count(*), count(DISTINCT id) FROM s"})
        if answer:
            rows, distinct = answer.json["rows"][0]
            assert rows == distinct >= before, (rows, distinct, before)

    def parse(self, door, _):
        self.ask(door, "POST", "/parse/sql", {"query": "SELECT v FROM s WHERE id = 1", "dialect": "duckdb"})

    def register(self, door, rng):
        name = f"a{next(self.numbers)}"
        made = self.ask(door, "POST", "/assets", {"kind": "dataset", "name": name}, (201,))
        if made:
            self.assets.append(made.json["id"])
        if self.assets:
            self.ask(door, "GET", f"/assets/{rng.choice(self.assets)}", None)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults


def answers(fleet, admin, service):
    client = fleet.client(service, timeout=5)
    try:
        method, path, body = PROBES[service]
        return client.request(method, path, body, admin).status == 200
    except (http.client.HTTPException, OSError):
        return False
    finally:
        client.close()


def kill_and_start(fleet, admin, service):
    """Seconds from the kill until the service answers."""
    began = time.monotonic()
    fleet.kill(service)
    fleet.start()
    while not answers(fleet, admin, service):
        assert time.monotonic() - began < RECOVERY_S, service
        time.sleep(0.02)
    return time.monotonic() - began


def test_services_killed(tmp_path, seed, budget):
    rng = random.Random(seed)
    fleet = Fleet(tmp_path, "--rate-limit-per-second=0")
    recoveries = collections.defaultdict(list)
    try:
        fleet.start()
        admin = fleet.admin()
        source = {"source_id": "s", "name": "s", "connection_string": "file://s", "data_path": "s",
                  "schema_definition": {"id": "int64", "v": "int64"}, "index_columns": ["id"]}
        fleet.client("gateway").request("POST", "/sources/add", source, admin).ok()
        load = Load(fleet, admin, seed)
        try:
            while not budget.over():
                time.sleep(rng.uniform(*KILL_EVERY_S))
                service = rng.choice(SERVICES)
                recoveries[service].append(kill_and_start(fleet, admin, service))
        finally:
            load.end()
        good, failed = load.good.total(), load.failed.total()
        print(f"{sum(map(len, recoveries.values()))} kills, slowest return {max(map(max, recoveries.values())):.2f} s, "
              f"{good} calls answered, {failed} failed ({dict(load.failed)}), {len(load.acknowledged)} rows, seed {seed}")
        assert failed < MAX_FAILED * (good + failed)
        door = fleet.client("gateway")
        answer = door.request("POST", "/query/sql", {"query": "SELECT id FROM s", "format": "json"}, admin).ok()
        assert sorted(row[0] for row in answer.json["rows"]) == sorted(load.acknowledged)
        for asset in load.assets:
            door.request("GET", f"/assets/{asset}", None, admin).ok()
    finally:
        fleet.stop()
    assert_clean(fleet.data)

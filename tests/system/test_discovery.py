"""Services find each other through the catalog: they register, beat, leave, or die and are noticed;
the gateway's traffic moves. DNS names in SERVICE_ADDRESSES."""
import os
import signal
import time

import pytest

from lib.quarry import Server

WAIT_S = 40
TTL_S = 2


def until(ask):
    end = time.monotonic() + WAIT_S
    while not (found := ask()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


class Site:
    """A front (gateway, operation, catalog) and interpreters in processes of their own."""

    def __init__(self, folder):
        self.folder = folder
        self.common = [f"--catalog-url=sqlite:{folder}/catalog.db", f"--service-ttl-seconds={TTL_S}", "--bcrypt-rounds=4"]
        self.servers = {}
        self.front = self.start("front", "gateway,operation,catalog")

    def start(self, name, services, more=()):
        server = Server(self.folder / name, settings=[*self.common, "--services", services, *more]).start()
        self.servers[name] = server
        return server

    def instances(self, service="interpreter"):
        listed = self.front.client("operation").get("/services").ok().json
        assert listed["count"] == len(listed["services"])
        return {one["url"]: one for one in listed["services"] if one["service"] == service}

    def state(self, server, service="interpreter"):
        return self.instances(service).get(f"http://127.0.0.1:{server.ports[service]}", {}).get("state")

    def parse(self):
        return self.front.client("gateway").post("/parse/sql", {"query": "SELECT 1", "dialect": "duckdb"})

    def upstreams(self):
        details = self.front.client("gateway").get("/health").json["details"]
        return {one["url"] for one in details["upstreams"]["interpreter"]}

    def stop(self):
        for server in reversed(self.servers.values()):
            server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.stop()


def test_instances_come_leave_and_die(site):
    assert site.instances() == {}
    one, two = site.start("one", "interpreter"), site.start("two", "interpreter")
    urls = {f"http://127.0.0.1:{server.ports['interpreter']}" for server in (one, two)}
    until(lambda: site.upstreams() == urls)
    for server in (one, two):
        entry = site.instances()[f"http://127.0.0.1:{server.ports['interpreter']}"]
        assert entry["state"] == "alive" and entry["source"] == "registered" and entry["pid"] == server.pid
        assert entry["heartbeat_at"] < entry["expires_at"] and entry["started_at"] <= entry["heartbeat_at"]
    site.parse().ok()
    one.stop()  # leaves: no entry, no call
    until(lambda: site.state(one) is None)
    until(lambda: site.upstreams() == {f"http://127.0.0.1:{two.ports['interpreter']}"})
    three = site.start("three", "interpreter")
    until(lambda: site.state(three) == "alive" and len(site.upstreams()) == 2)
    two.kill()  # dies: calls go to the other at once, and the dead one is noticed
    for _ in range(20):
        site.parse().ok()
    until(lambda: site.state(two) == "lost")
    until(lambda: site.upstreams() == {f"http://127.0.0.1:{three.ports['interpreter']}"})
    site.parse().ok()
    del site.servers["two"], site.servers["one"]


def test_one_that_only_slept_comes_back(site):
    server = site.start("sleeper", "optimizer")
    until(lambda: site.state(server, "optimizer") == "alive")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        until(lambda: site.state(server, "optimizer") == "lost")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    until(lambda: site.state(server, "optimizer") == "alive")


def test_own_and_listed_ones_are_shown(site):
    own = site.instances("catalog")
    assert [one["source"] for one in own.values()] == ["own"] and own.popitem()[1]["state"] == "alive"
    assert site.instances("monitoring") == {}


def test_each_address_of_a_dns_name_is_an_instance(site, tmp_path):
    back = site.start("behind", "interpreter")
    port = back.ports["interpreter"]
    front = Server(tmp_path / "dns", settings=["--services", "gateway,operation", "--bcrypt-rounds=4",
                                               f"--service-addresses=interpreter=dns:localhost:{port},catalog=127.0.0.1:1"]).start()
    try:
        def found():
            listed = front.client("operation").get("/services").json["services"]
            return [one["url"] for one in listed if one["source"] == "dns"]
        until(lambda: f"http://127.0.0.1:{port}" in found())
        until(lambda: front.client("gateway").post("/parse/sql", {"query": "SELECT 1", "dialect": "duckdb"}).status == 200)
        listed = [one for one in front.client("operation").get("/services").json["services"] if one["source"] == "listed"]
        assert [(one["service"], one["url"], one["state"]) for one in listed] == [("catalog", "http://127.0.0.1:1", "unknown")]
    finally:
        front.stop()

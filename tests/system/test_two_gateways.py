"""Two machines, as far as Quarry can tell: gateways with folders of their own, one secret, one
catalog. What one takes back or changes about tenants, the other hears of."""
import time

import pytest

from lib.quarry import Server
from lib.tokens import admin_password, bearer, login, make_user

SECRET = "a secret of two machines, 32 bytes and more"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    settings = ["--bcrypt-rounds=4", "--auth-required=yes", f"--jwt-secret={SECRET}", f"--catalog-url=sqlite:{folder}/catalog.db"]
    servers = [Server(folder / name, settings=settings).start() for name in ("one", "two")]
    yield servers
    for server in servers:
        server.stop()


def wait_status(ask, status, seconds=40):
    """The upkeep runs every five seconds."""
    end = time.monotonic() + seconds
    while (answer := ask()).status != status:
        assert time.monotonic() < end, answer.text
        time.sleep(0.1)


def test_logout_is_heard_elsewhere(both):
    one, two = both
    admin = login(one, "admin", admin_password(one)).ok().json["access_token"]
    gone, stays = (make_user(one, admin, name, "reader") for name in ("gone", "stays"))
    for tokens in (gone, stays):
        two.client("gateway").get("/auth/me", bearer(tokens["access_token"])).ok()
    one.client("gateway").request("POST", "/auth/logout", None, bearer(gone["access_token"])).ok()
    for service, path in (("gateway", "/auth/me"), ("catalog", "/assets"), ("tenant", "/sources")):
        wait_status(lambda: two.client(service).get(path, bearer(gone["access_token"])), 401)
    two.client("gateway").post("/auth/refresh", {"refresh_token": gone["refresh_token"]}).refused(401)
    two.client("gateway").get("/auth/me", bearer(stays["access_token"])).ok()
    two.restart()  # and still knows
    two.client("gateway").get("/auth/me", bearer(gone["access_token"])).refused(401)


def test_tenants_are_heard_elsewhere(both):
    one, two = both
    admin = login(one, "admin", admin_password(one)).ok().json["access_token"]
    made = one.client("gateway").request("POST", "/auth/tenants", {"tenant_id": "blue"}, bearer(admin)).ok(201).json
    mine = bearer(login(one, "admin", made["password"], tenant_id="blue").ok().json["access_token"])
    wait_status(lambda: two.client("catalog").get("/assets", mine), 200)
    one.client("gateway").request("POST", "/auth/tenants/blue/suspend", None, bearer(admin)).ok()
    wait_status(lambda: two.client("catalog").get("/assets", mine), 403)

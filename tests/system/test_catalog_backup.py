"""A backup holds the catalog, the registry's files and the key of encrypted settings, and a catalog
can be had as it was at a time."""

import base64
import subprocess
import time

import pytest

from lib.quarry import bin_folder


def quarry(*args, status=0):
    done = subprocess.run([bin_folder() / "quarry", *map(str, args)], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def publish(client, name):
    """As npm does."""
    tarball = f"tarball of {name}".encode()
    client.request("PUT", f"/npm/{name}", {
        "name": name, "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": {"name": name, "version": "1.0.0", "dist": {}}},
        "_attachments": {f"{name}-1.0.0.tgz": {"data": base64.b64encode(tarball).decode()}}}).ok(201)
    return tarball


def fetch(client, name):
    url = client.get(f"/npm/{name}").ok().json["versions"]["1.0.0"]["dist"]["tarball"]
    return client.get(url[url.index("/npm/"):]).ok().data


def test_hot_backup_and_restore(new_server, tmp_path):
    server = new_server()
    catalog = server.client("catalog")
    asset = catalog.post("/assets", {"kind": "dataset", "name": "kept"}).ok(201).json
    tarball = publish(catalog, "packed")
    catalog.request("PUT", "/config/word", {"value": "open sesame", "is_encrypted": True}).ok()
    node, backup = f"http://127.0.0.1:{server.ports['tenant']}", tmp_path / "backup"
    address = f"http://127.0.0.1:{server.ports['catalog']}"
    out = quarry("backup", node, backup, "--catalog", address)
    assert "1 files of the registry, the key" in out
    catalog.post("/assets", {"kind": "dataset", "name": "later"}).ok(201)
    assert "without catalog" in quarry("backup", node, backup)
    gateway = f"http://127.0.0.1:{server.ports['gateway']}"
    assert "catalog copied" in quarry("backup", gateway, backup)
    server.kill()
    assert "catalog verified" in quarry("backup", "verify", backup)
    assert "without catalog" in quarry("backup", "verify", backup, "--generation", 2)
    assert (backup / "control/00000001/config.key").stat().st_mode & 0o77 == 0
    quarry("restore", backup, tmp_path / "again", "--generation", 1)
    again = new_server("again").client("catalog")
    assert again.get("/assets/" + asset["id"]).ok().json["name"] == "kept"
    names = [a["name"] for a in again.get("/assets?kind=dataset").ok().json["assets"]]
    assert names == ["kept"]
    assert fetch(again, "packed") == tarball
    assert again.get("/config/word").ok().json["value"] == "open sesame"
    # what is damaged is told
    copy = backup / "control/00000003/catalog.db"
    data = bytearray(copy.read_bytes())
    data[5000] ^= 1
    copy.write_bytes(data)
    assert "is not what was backed up" in quarry("backup", "verify", backup, status=1)


def test_cold_backup(new_server, tmp_path):
    server = new_server()
    server.client("catalog").post("/assets", {"kind": "dataset", "name": "kept"}).ok(201)
    server.stop()
    assert "catalog copied" in quarry("backup", server.data, tmp_path / "backup")
    assert "catalog restored" in quarry("restore", tmp_path / "backup", tmp_path / "again")
    client = new_server("again").client("catalog")
    assert client.get("/assets?kind=dataset").ok().json["assets"][0]["name"] == "kept"


def test_at_a_time(new_server, tmp_path):
    server = new_server()
    client = server.client("catalog")
    kept = client.post("/assets", {"kind": "dataset", "name": "a", "tags": ["x"]}).ok(201).json
    gone = client.post("/assets", {"kind": "dataset", "name": "b"}).ok(201).json
    time.sleep(0.01)
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now := time.time()))
    when += f".{int(now % 1 * 1e6):06}Z"
    time.sleep(0.01)
    client.request("PATCH", "/assets/" + kept["id"], {"tags": [], "description": "spoiled"}).ok()
    client.request("DELETE", "/assets/" + gone["id"]).ok()
    client.post("/assets", {"kind": "dataset", "name": "c"}).ok(201)
    database = f"sqlite:{server.data / 'catalog/catalog.db'}"
    then = f"sqlite:{tmp_path / 'then.db'}"
    out = quarry("catalog", "restore", "--at", when, database, then)
    assert "0 faults" in out
    assert "is not empty" in quarry("catalog", "restore", "--at", when, database, then, status=1)
    late = quarry("catalog", "restore", "--at", "2001-01-01", database, f"sqlite:{tmp_path}/no.db",
                  status=4)
    assert "reaches back to" in late
    quarry("catalog", "restore", "--at", "noon", database, then, status=2)
    server.stop()
    (tmp_path / "data2/catalog").mkdir(parents=True)
    (tmp_path / "then.db").rename(tmp_path / "data2/catalog/catalog.db")
    restored = new_server("data2").client("catalog")
    assets = restored.get("/assets?kind=dataset").ok().json["assets"]
    found = sorted((a["name"], a["tags"], a["revision"]) for a in assets)
    assert found == [("a", ["x"], 1), ("b", [], 1)]


@pytest.mark.parametrize("body", [{"path": "relative"}, {"path": "/tmp/../etc"}, {}])
def test_backup_refuses(client, server, body):
    server.client("catalog").post("/catalog/backup", body).refused((400, 422))

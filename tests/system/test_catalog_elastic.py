"""The real programs over the Elasticsearch back end and as a hybrid catalog with a search engine: on
the test tool of tests/lib/elastic, which is no Elasticsearch (docs/catalog-elastic.md)."""

import base64
import re
import subprocess
import time

import pytest
from lib.certificates import make_certificate
from lib.elastic_tool import ElasticTool
from lib.quarry import bin_folder

WAIT_S = 60


@pytest.fixture
def tool():
    tool = ElasticTool()
    yield tool
    tool.stop()


def quarry(*words, status=0):
    done = subprocess.run([bin_folder() / "quarry", "catalog", *map(str, words)],
                          capture_output=True, text=True)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout


def create(catalog, name, **more):
    return catalog.post("/assets", {"kind": "graph", "name": name, **more}).ok(201).json


def names(catalog, text):
    found = catalog.get(f"/assets?q={text}&limit=100").ok().json["assets"]
    return sorted(asset["name"] for asset in found)


def test_migrate_verify_reindex(new_server, tmp_path, tool):
    server = new_server()
    catalog = server.client("catalog")
    for number in range(260):  # more than a page of a transfer
        create(catalog, f"asset{number:03d}", tags=["größe"], properties={"n": number})
    catalog.close()
    server.stop()
    sqlite = f"sqlite:{server.data}/catalog/catalog.db"
    elastic = f"elasticsearch://127.0.0.1:{tool.port}/moved"
    # cut off after the first commits, then gone on with
    tool.faults({"match": "PUT /moved-control/_doc", "kind": "status", "status": 507,
                 "times": 1, "skip": 1})
    quarry("migrate", sqlite, elastic, status=4)
    done = quarry("migrate", sqlite, elastic)
    copied, same = map(int, re.search(r"copied (\d+), the same already (\d+), removed 0; counts and "
                                      r"hashes agree", done).groups())
    assert copied > 0 and same > 0
    assert quarry("digest", elastic) == quarry("digest", sqlite)
    assert "0 faults" in quarry("verify", elastic)
    quarry("reindex", elastic)
    assert "0 faults" in quarry("verify", elastic)
    _, aliases = tool.ask("GET", "_alias/moved-assets")
    assert list(aliases) == ["moved-assets-000002"]
    files = f"file:{tmp_path}/files"
    assert "counts and hashes agree" in quarry("migrate", elastic, files)
    assert quarry("digest", files) == quarry("digest", sqlite)
    quarry("reindex", sqlite, status=4)


def test_as_the_catalog_of_a_server(new_server, tool):
    url = f"elasticsearch://127.0.0.1:{tool.port}/live"
    server = new_server(settings=[f"--catalog-url={url}"])
    catalog = server.client("catalog")
    asset = create(catalog, "one", description="Some words")
    catalog.request("PATCH", f"/assets/{asset['id']}", {"description": "Other words"}).ok()
    assert names(catalog, "other") == ["one"] and names(catalog, "some") == []
    # ranked, by the engine: it finds with letters off what the text index would correct
    found = catalog.get("/search?q=wrds&facets=true").ok().json
    assert found["total"] == 1 and found["corrected"] is None
    assert found["hits"][0]["asset"]["name"] == "one" and found["hits"][0]["score"] == 100
    assert found["hits"][0]["snippet_html"] == "Other <b>words</b>"
    assert found["facets"]["kind"] == [{"value": "graph", "count": 1}]
    catalog.close()
    server.kill()
    server.start()
    catalog = server.client("catalog")
    assert catalog.get(f"/assets/{asset['id']}").ok().json["description"] == "Other words"
    assert catalog.get("/health").ok().json["details"]["backend"] == "elasticsearch"
    tool.faults({"match": " /", "kind": "close", "times": 1000000})
    assert catalog.get("/health").status == 503
    tool.faults()
    assert names(catalog, "other") == ["one"]
    catalog.close()


def search_engine(catalog):
    return catalog.get("/health").ok().json["details"]["search_engine"]


def wait_until(what):
    until = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def metrics(catalog):
    lines = [line.rsplit(" ", 1) for line in catalog.get("/metrics").ok().text.splitlines()
             if line.startswith("quarry_catalog")]
    return {name: float(value) for name, value in lines}


def test_hybrid_with_a_search_engine(new_server, tmp_path, tool):
    url = f"hybrid:sqlite:{tmp_path}/primary.db||elasticsearch://127.0.0.1:{tool.port}/copy"
    server = new_server(settings=[f"--catalog-url={url}"])
    catalog = server.client("catalog")
    create(catalog, "first", description="common words")
    wait_until(lambda: search_engine(catalog)["compared"] and not search_engine(catalog)["outbox"])
    assert names(catalog, "common") == ["first"]
    assert search_engine(catalog)["answered"] >= 1
    # away: everything goes on, what it misses waits, over a kill, too
    tool.faults({"match": " /", "kind": "close", "times": 1000000})
    create(catalog, "second", description="common words")
    assert names(catalog, "common") == ["first", "second"]
    assert search_engine(catalog)["outbox"] == 1
    found = metrics(catalog)
    assert found["quarry_catalog_outbox_entries"] == 1
    assert found['quarry_catalog_backend_calls_total{part="primary",backend="sqlite",call="commit",'
                 'outcome="ok"}'] > 0
    assert found['quarry_catalog_searches_total{outcome="engine"}'] >= 1
    assert found['quarry_catalog_backend_connections{part="search",backend="elasticsearch",'
                 'state="max"}'] == 16
    assert 'quarry_catalog_breaker_open{part="search"}' in found
    assert found['quarry_catalog_backend_duration_seconds_count{part="search",'
                 'backend="elasticsearch",call="query"}'] >= 1
    catalog.close()
    server.kill()
    server.start()
    catalog = server.client("catalog")
    assert names(catalog, "common") == ["first", "second"]
    tool.faults()
    wait_until(lambda: search_engine(catalog)["compared"] and not search_engine(catalog)["outbox"])
    assert names(catalog, "common") == ["first", "second"]
    catalog.close()
    server.stop()
    assert "0 faults" in quarry("verify", url)


# --- https and credentials ---

def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("expected, user, key", [
    (basic("us@er", "p:w/%"), "us%40er:p%3Aw%2F%25@", ""),
    ("ApiKey aWQ6c2VjcmV0==", "", "&api_key=aWQ6c2VjcmV0%3D%3D"),
])
def test_https_with_credentials(new_server, tmp_path, expected, user, key):
    certificate, secret = make_certificate(tmp_path, "elastic")
    other, _ = make_certificate(tmp_path, "other")
    tool = ElasticTool("--tls", certificate, secret, "--authorization", expected)
    try:
        url = f"elasticsearch+https://{user}127.0.0.1:{tool.port}/safe?ca_file={certificate}{key}"
        catalog = new_server(settings=[f"--catalog-url={url}"]).client("catalog")
        made = create(catalog, "locked", description="behind a password")
        assert catalog.get(f"/assets/{made['id']}").ok().json["name"] == "locked"
        assert names(catalog, "password") == ["locked"]
        assert "0 faults" in quarry("verify", url)
        # the wrong certificate, wrong credentials, none: refused, and no secret is told
        for wrong in (url.replace(str(certificate), str(other)),
                      url.replace(user, "us%40er:wrong@") if user else url.replace("aWQ6", "bQ6"),
                      url.replace(user, "") if user else url.replace(key, "")):
            done = subprocess.run([bin_folder() / "quarry", "catalog", "verify", wrong], capture_output=True, text=True)
            assert done.returncode != 0
            assert "p:w" not in done.stderr and "aWQ6" not in done.stderr and "wrong@" not in done.stderr
    finally:
        tool.stop()

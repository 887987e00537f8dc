"""Statistics of columns: exact where they say so, near elsewhere, true again after deletes."""

import random


def statistics_of(client, source, refresh=False):
    path = f"/sources/{source}/statistics" + ("?refresh=true" if refresh else "")
    found = client.get(path).ok().json
    return found, {column["name"]: column for column in found["columns"]}


def rows(count, start=0):
    chance = random.Random(start + 5)
    return [{"id": start + i, "kind": chance.choice("aaaaaaaabc"), "v": None if i % 4 == 0 else i / 2,
             "at": f"2024-01-{1 + i % 28:02d}"} for i in range(count)]


def test_columns(client, name):
    client.add_source(name, {"id": "int64", "kind": "string", "v": "double", "at": "date"})
    client.write(name, rows(3000))
    for flushed in (False, True):
        if flushed:
            client.flush(name)
        found, columns = statistics_of(client, name)
        assert (found["row_count"], found["stale"], found["sample_rows"]) == (3000, False, 3000)
        assert found["file_count"] == (1 if flushed else 0)
        assert [columns["id"][k] for k in ("min_value", "max_value", "null_count")] == [0, 2999, 0]
        assert [columns["v"][k] for k in ("min_value", "max_value", "null_count")] == [0.5, 1499.5, 750]
        assert columns["at"]["min_value"] == "2024-01-01" and columns["at"]["data_type"] == "date"
        assert abs(columns["id"]["distinct_count"] - 3000) < 200
        assert columns["kind"]["distinct_count"] == 3
        common = columns["kind"]["most_common"]
        assert common[0]["value"] == "a" and abs(common[0]["share"] - 0.8) < 0.05
        assert {c["value"] for c in common} == {"a", "b", "c"}
        assert columns["id"]["most_common"] == []


def test_true_after_deletes(client, name):
    client.add_source(name, {"id": "int64", "kind": "string"})
    client.write(name, [{"id": i, "kind": f"k{i}"} for i in range(2000)])
    client.flush(name)
    client.post("/data/delete", {"source_id": name, "filters": {"id": {"gte": 500}}}).ok()
    found, columns = statistics_of(client, name)
    assert found["row_count"] == 500 and found["stale"]
    assert columns["id"]["max_value"] == 499 and columns["id"]["null_count"] == 0
    client.flush(name)
    found, columns = statistics_of(client, name, refresh=True)
    assert not found["stale"] and found["sample_rows"] == 500
    assert abs(columns["kind"]["distinct_count"] - 500) < 30


def test_kept_over_a_restart_and_made_again_when_lost(new_server):
    server = new_server()
    client = server.client()
    client.add_source("s", {"id": "int64"})
    client.write("s", [{"id": i} for i in range(1000)])
    server.stop()
    files = list(server.data.glob("**/sources/s/statistics"))
    assert len(files) == 1
    server.start()
    found, _ = statistics_of(server.client(), "s")
    assert not found["stale"] and found["sample_rows"] == 1000
    server.stop()
    files[0].write_bytes(b"QSK1 damaged")
    server.start()
    found, _ = statistics_of(server.client(), "s")
    assert found["stale"] and found["row_count"] == 1000
    found, _ = statistics_of(server.client(), "s", refresh=True)
    assert not found["stale"] and found["sample_rows"] == 1000


def test_all_sources_and_the_catalog(new_server):
    server = new_server()
    client = server.client()
    for source in ("one", "two"):
        client.add_source(source, {"id": "int64"})
        client.write(source, [{"id": 7}])
    found = client.get("/statistics").ok().json["sources"]
    assert [(s["source_id"], s["row_count"]) for s in found] == [("one", 1), ("two", 1)]
    totals = server.client("catalog").get("/metadata/stats").ok().json
    assert totals["total_rows"] == 2
    assert totals["source_statistics"] == found
    assert "source_statistics" not in server.client("catalog").get(
        "/metadata/stats?statistics=false").ok().json
    client.get("/sources/none/statistics").refused(404, "unknown_source")

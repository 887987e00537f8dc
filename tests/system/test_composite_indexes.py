"""Indexes over several columns: declared with a source, added to one with data, used, dropped; and
searches ordered by several columns."""

import time

SCHEMA = {"customer": "string", "day": "int64", "amount": "float64", "note": "json"}
ROWS = [{"customer": f"c{i % 40:02}", "day": i * 7 % 365, "amount": i / 4, "note": {"i": i}}
        for i in range(12000)]


def ready(client, source, number):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for index in client.get(f"/sources/{source}/indexes").ok().json["indexes"]:
            if index.get("number") == number and index["state"] == "ready":
                return index
        time.sleep(0.02)
    raise AssertionError("the index was not built")


def search(client, name, filters, **more):
    body = {"source_ids": [name], "filters": filters, **more}
    answer = client.post("/data/search", body).ok().json[0]
    return answer["records"], answer["statistics"]


def amounts(records):
    return sorted(r["amount"] for r in records)


def fill(client, name):
    for part in range(3):
        client.write(name, ROWS[part * 4000:part * 4000 + 4000])
        client.flush(name)


def test_added(client, name):
    client.add_source(name, SCHEMA)
    fill(client, name)
    path = f"/sources/{name}/indexes"
    for bad in ({"columns": ["customer"]}, {"columns": ["customer", "nobody"]},
                {"columns": ["customer", "customer"]}, {"columns": ["note", "day"], "kind": "sorted"},
                {"columns": ["customer"] * 9}):
        client.post(path, {**bad, "composite": True}).refused(400, "invalid_argument")
    body = {"columns": ["customer", "day"], "kind": "both", "composite": True}
    listed = client.post(path, body).ok().json["indexes"]
    assert [(i["column"], i["columns"], i["number"], i["kind"]) for i in listed] == [
        (None, ["customer", "day"], 1, "hash"), (None, ["customer", "day"], 2, "sorted")]
    assert client.post(path, body).ok().json["indexes"][-1]["number"] == 2  # again is fine
    assert ready(client, name, 1)["files_ready"] == ready(client, name, 2)["files_ready"] == 3

    pair = {"customer": {"eq": "c07"}, "day": {"eq": 49}}
    wanted = amounts(r for r in ROWS if r["customer"] == "c07" and r["day"] == 49)
    found, did = search(client, name, pair)
    assert amounts(found) == wanted and did["index_used"] and did["rows_scanned"] <= len(wanted) + 3

    span = {"customer": {"eq": "c07"}, "day": {"gte": 40, "lt": 60}}
    wanted = amounts(r for r in ROWS if r["customer"] == "c07" and 40 <= r["day"] < 60)
    found, did = search(client, name, span)
    assert amounts(found) == wanted and did["index_used"] and did["rows_scanned"] < 1000

    order = [{"column": "day", "direction": "desc"}]
    mine = sorted((r["day"] for r in ROWS if r["customer"] == "c07"), reverse=True)
    found, did = search(client, name, {"customer": {"eq": "c07"}}, order_by=order, limit=5)
    assert [r["day"] for r in found] == mine[:5] and did["rows_scanned"] < 1000

    client.post("/metadata/compact", {"source_id": name}).ok(202)
    client.delete(f"{path}/1?composite=true").ok()
    client.delete(f"{path}/1?composite=true").refused(404, "not_found")
    client.delete(f"{path}/one?composite=true").refused(400, "invalid_argument")
    assert [i["number"] for i in client.get(path).ok().json["indexes"]] == [2]
    change = {"changes": [{"op": "drop", "column": "day"}]}
    client.post(f"/sources/{name}/schema", change).refused(409, "conflict")
    assert amounts(search(client, name, span)[0]) == wanted


def test_declared(client, name):
    declared = {"index_columns": ["customer", {"columns": ["customer", "day"], "kind": "sorted"},
                                  {"columns": ["day", "amount"]}]}
    client.add_source(name, SCHEMA, **declared)
    client.add_source(name, SCHEMA, **declared)  # the same again
    fill(client, name)
    listed = client.get(f"/sources/{name}/indexes").ok().json["indexes"]
    assert [(i["columns"], i["kind"]) for i in listed] == [
        (["customer"], "hash"), (["customer", "day"], "sorted"), (["day", "amount"], "hash")]
    assert all(i["state"] == "ready" for i in listed)  # made at the flush
    found, did = search(client, name, {"day": {"eq": 7}, "amount": {"eq": 0.25}})
    assert amounts(found) == [0.25] and did["rows_scanned"] <= 2
    base = {"source_id": name + "x", "name": "x", "connection_string": "x", "data_path": "x",
            "schema_definition": SCHEMA}
    for bad in (7, {"columns": ["day"]}, {"columns": ["day", "nobody"]}, {"columns": "day"},
                {"columns": ["day", "note"], "kind": "sorted"}, {"columns": ["day", "day"]},
                {"columns": ["day", "amount"], "kind": "tree"}, ["day", "amount"]):
        client.post("/sources/add", {**base, "index_columns": [bad]}).refused(400, "invalid_argument")


def test_order_by_several(client, name):
    client.add_source(name, SCHEMA)
    fill(client, name)
    client.write(name, [{"customer": None, "day": 3, "amount": 1.5}, {"day": 3, "amount": -1}])
    order = [{"column": "day"}, {"column": "customer", "direction": "desc"}, {"column": "amount"}]
    wanted = sorted(ROWS, key=lambda r: (r["day"], [-ord(c) for c in r["customer"]], r["amount"]))
    found, _ = search(client, name, {"day": {"lt": 3}}, order_by=order, limit=50, offset=5)
    assert [r["amount"] for r in found] == [r["amount"] for r in wanted[5:55]]
    found, _ = search(client, name, {"day": {"eq": 3}}, order_by=order, limit=1000)
    assert [r["amount"] for r in found[-2:]] == [-1, 1.5]  # nulls last
    client.post(f"/sources/{name}/indexes", {"columns": ["day", "customer", "amount"],
                                             "kind": "sorted", "composite": True}).ok()
    ready(client, name, 1)
    upward = [{"column": "customer"}, {"column": "amount"}]
    wanted = sorted((r for r in ROWS if r["day"] == 9), key=lambda r: (r["customer"], r["amount"]))
    found, _ = search(client, name, {"day": {"eq": 9}}, order_by=upward, limit=12)
    assert [r["amount"] for r in found] == [r["amount"] for r in wanted[:12]]
    for bad in ([], [{"column": "day"}, {"column": "day"}], [{"column": "day"}, {"column": "note"}],
                [{"column": f"c{i}"} for i in range(9)]):
        client.post("/data/search", {"source_ids": [name], "limit": 5, "order_by": bad}).refused(
            400, "invalid_argument")

"""The requests that are known, and their answers."""

import gzip
import itertools
import json
import re

import queries
from documents import ApiError, Store

SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}


def flag(options, name):
    return options.get(name) in ("true", "")


class Api:
    def __init__(self, distribution):
        self.store, self.kept, self.names = Store(), {}, itertools.count(1)
        self.distribution = distribution
        self.fault = None
        index = r"/(?P<index>[^/_][^/]*)"
        table = [
            ("GET HEAD", r"/", self.info),
            ("GET", r"/_cluster/health", self.health),
            ("PUT", r"/_cluster/settings", self.cluster_settings),
            ("POST", r"/_aliases", self.update_aliases),
            ("POST PUT", r"/_bulk", self.bulk), ("POST PUT", index + r"/_bulk", self.bulk),
            ("POST GET", r"/_mget", self.mget),
            ("POST", r"/_reindex", self.reindex),
            ("POST GET", r"/_search/scroll", self.scroll), ("DELETE", r"/_search/scroll", self.close),
            ("POST", index + r"/_pit", self.open_pit), ("DELETE", r"/_pit", self.close),
            ("POST", index + r"/_search/point_in_time", self.open_pit),
            ("DELETE", r"/_search/point_in_time", self.close),
            ("POST GET", r"/_search", self.search), ("POST GET", index + r"/_search", self.search),
            ("POST GET", index + r"/_count", self.count),
            ("POST GET", r"/_refresh", self.refresh), ("POST GET", index + r"/_refresh", self.refresh),
            ("POST", index + r"/_delete_by_query", self.delete_by_query),
            ("GET", index + r"/_mappings?", self.get_mapping),
            ("PUT", index + r"/_mapping", self.put_mapping),
            ("GET", index + r"/_settings", self.get_settings),
            ("PUT", r"/_settings", self.put_settings), ("PUT", index + r"/_settings", self.put_settings),
            ("GET HEAD", r"/_alias/(?P<name>[^/]+)", self.get_alias),
            ("GET HEAD", index + r"/_alias/(?P<name>[^/]+)", self.get_alias),
            ("PUT", index + r"/_alias/(?P<name>[^/]+)", self.put_alias),
            ("DELETE", r"/(?P<index>[^/]+)/_alias/(?P<name>[^/]+)", self.delete_alias),
            ("POST", index + r"/_doc", self.put_document),
            ("PUT POST", index + r"/_(?P<kind>doc|create)/(?P<id>[^/]+)", self.put_document),
            ("GET HEAD", index + r"/_doc/(?P<id>[^/]+)", self.get_document),
            ("GET HEAD", index + r"/_source/(?P<id>[^/]+)", self.get_source),
            ("DELETE", index + r"/_doc/(?P<id>[^/]+)", self.delete_document),
            ("POST", index + r"/_update/(?P<id>[^/]+)", self.update_document),
            ("PUT", index, self.create_index), ("DELETE", index, self.delete_index),
            ("GET HEAD", index, self.get_index),
        ]
        self.table = [(methods.split(), re.compile(path + "/?"), run) for methods, path, run in table]

    def call(self, method, path, options, body, headers, fault):
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        path, self.fault = re.sub("//+", "/", path) or "/", fault
        for methods, pattern, run in self.table:
            found = pattern.fullmatch(path) if method in methods else None
            if not found:
                continue
            lines = "bulk" in run.__name__
            parsed = body if lines or not body else json.loads(body)
            status, answer = run(parsed, options, **found.groupdict())
            return status, None if method == "HEAD" else answer
        raise ApiError(400, "illegal_argument_exception", f"no handler for {method} {path}")

    # --- the server ---

    def info(self, _body, _options):
        version = {"number": "8.15.0"}
        if self.distribution == "opensearch":
            version = {"distribution": "opensearch", "number": "2.15.0"}
        return 200, {"name": "test", "cluster_name": "test-tool", "version": version,
                     "tagline": "You Know, for Search"}

    def health(self, _body, _options):
        return 200, {"cluster_name": "test-tool", "status": "green"}

    def cluster_settings(self, body, _options):
        name = body.get("transient", {}).get("action.auto_create_index")
        self.store.auto_create = name or self.store.auto_create
        return 200, {"acknowledged": True}

    # --- indexes ---

    def create_index(self, body, _options, index):
        self.store.create(index, body)
        return 200, {"acknowledged": True, "shards_acknowledged": True, "index": index}

    def delete_index(self, _body, options, index):
        for name in index.split(","):
            if self.store.of_alias(name):
                raise ApiError(400, "illegal_argument_exception", f"[{name}] is an alias")
        for one in self.store.resolve(index, flag(options, "ignore_unavailable")):
            del self.store.indexes[one.name]
        return 200, {"acknowledged": True}

    def get_index(self, _body, _options, index):
        return 200, {one.name: {"aliases": {name: {} for name in one.aliases},
                                "mappings": one.mappings, "settings": one.settings}
                     for one in self.store.resolve(index)}

    def get_mapping(self, _body, _options, index):
        return 200, {one.name: {"mappings": one.mappings} for one in self.store.resolve(index)}

    def put_mapping(self, body, _options, index):
        for one in self.store.resolve(index):
            one.map_more(body)
        return 200, {"acknowledged": True}

    def get_settings(self, _body, _options, index):
        return 200, {one.name: {"settings": {"index": one.settings}}
                     for one in self.store.resolve(index)}

    def put_settings(self, body, _options, index=None):
        for one in self.store.resolve(index):
            one.settings.update(body)
        return 200, {"acknowledged": True}

    def refresh(self, _body, _options, index=None):
        for one in self.store.resolve(index):
            one.refresh()
        return 200, {"_shards": SHARDS}

    # --- aliases ---

    def get_alias(self, _body, _options, name, index=None):
        found = [one for one in self.store.resolve(index) if name in one.aliases]
        if not found:
            return 404, {"error": f"alias [{name}] missing", "status": 404}
        return 200, {one.name: {"aliases": {name: {}}} for one in found}

    def put_alias(self, _body, _options, index, name):
        for one in self.store.resolve(index):
            one.aliases.add(name)
        return 200, {"acknowledged": True}

    def delete_alias(self, _body, _options, index, name):
        for one in self.store.resolve(index):
            one.aliases.discard(name)
        return 200, {"acknowledged": True}

    def update_aliases(self, body, _options):
        for action in body["actions"]:
            (what, options), = action.items()
            for one in self.store.resolve(options["index"]):
                if what == "remove_index":
                    del self.store.indexes[one.name]
                elif what == "add":
                    one.aliases.add(options["alias"])
                else:
                    one.aliases.discard(options["alias"])
        return 200, {"acknowledged": True}

    # --- documents ---

    def put_document(self, body, options, index, id=None, kind="doc"):
        if kind == "create":
            options = {**options, "op_type": "create"}
        one = self.store.for_write(index, flag(options, "require_alias"))
        answer = one.put(id or self.store.new_id(), body, options)
        self.refresh_if(options, [one])
        return 201 if answer["result"] == "created" else 200, answer

    def refresh_if(self, options, indexes):
        if options.get("refresh") in ("true", "", "wait_for"):
            for one in indexes:
                one.refresh()

    def found(self, index, id_):
        one = self.store.one(index)
        doc = one.documents.get(id_)
        if not doc:
            return {"_index": one.name, "_id": id_, "found": False}
        return {"_index": one.name, "_id": id_, "_version": doc.version, "_seq_no": doc.seq_no,
                "_primary_term": 1, "found": True, "_source": doc.source}

    def get_document(self, _body, options, index, id):
        answer = self.found(index, id)
        if answer["found"]:
            answer["_source"] = queries.cut_source(answer["_source"], *queries.source_filter(options, None))
        return 200 if answer["found"] else 404, answer

    def get_source(self, _body, _options, index, id):
        answer = self.found(index, id)
        if not answer["found"]:
            raise ApiError(404, "resource_not_found_exception", f"[{id}] is missing")
        return 200, answer["_source"]

    def delete_document(self, _body, options, index, id):
        one = self.store.one(index)
        answer = one.delete(id, options)
        self.refresh_if(options, [one])
        return 200 if answer["result"] == "deleted" else 404, answer

    def update_document(self, body, options, index, id):
        def merge(old, new):
            if isinstance(old, dict) and isinstance(new, dict):
                return {**old, **{name: merge(old.get(name), one) for name, one in new.items()}}
            return new
        one = self.store.one(index)
        if id not in one.documents:
            raise ApiError(404, "document_missing_exception", f"[{id}]: document missing")
        source = merge(one.documents[id].source, body["doc"])
        return 200, one.put(id, source, options)

    def mget(self, body, _options):
        docs = []
        for wanted in body["docs"]:
            try:
                answer = self.found(wanted["_index"], wanted["_id"])
                if answer["found"]:
                    answer["_source"] = queries.cut_source(answer["_source"],
                                                   *queries.source_filter({}, wanted.get("_source")))
            except ApiError as error:
                answer = {"_index": wanted["_index"], "_id": wanted["_id"], **error.body()}
            docs.append(answer)
        return 200, {"docs": docs}

    # --- _bulk ---

    def bulk(self, body, options, index=None):
        lines = [line for line in body.split(b"\n") if line.strip()]
        items, at, errors, touched = [], 0, False, set()
        actions = []
        while at < len(lines):
            action = json.loads(lines[at])
            (kind, entry), = action.items()
            if kind not in ("index", "create", "update", "delete"):
                raise ApiError(400, "illegal_argument_exception",
                               f"Malformed action/metadata line [{at + 1}], found [{kind}]")
            if not entry.get("_index", index):
                raise ApiError(400, "action_request_validation_exception",
                               f"Validation Failed: {len(actions) + 1}: index is missing;")
            source = None if kind == "delete" else json.loads(lines[at + 1])
            actions.append((kind, entry, source))
            at += 1 if kind == "delete" else 2
        for number, (kind, entry, source) in enumerate(actions):
            item = self.bulk_item(kind, entry, source, entry.get("_index", index), number, touched)
            errors |= "error" in item
            items.append({kind: item})
        self.refresh_if(options, touched)
        return 200, {"took": 1, "errors": errors, "items": items}

    def bulk_item(self, kind, entry, source, index, number, touched):
        fault = self.fault if self.fault and self.fault["kind"] == "partial" else None
        id_ = entry.get("_id") or self.store.new_id()
        try:
            if fault and number % fault.get("every", 2) == 0:
                raise ApiError(fault["status"], "es_rejected_execution_exception",
                               "this fault is asked for")
            options = {**entry, "op_type": "create" if kind == "create" else "index"}
            one = self.store.for_write(index, entry.get("require_alias", False))
            touched.add(one)
            if kind == "delete":
                answer = one.delete(id_, options)
                return {**answer, "status": 200 if answer["result"] == "deleted" else 404}
            answer = one.put(id_, source, options)
            return {**answer, "status": 201 if answer["result"] == "created" else 200}
        except ApiError as error:
            return {"_index": index, "_id": id_, "status": error.status,
                    "error": {"type": error.kind, "reason": error.reason, **error.more}}

    # --- searches ---

    def search(self, body, options, index=None):
        body = dict(body or {})
        body.update({name: int(options[name]) for name in ("size", "from") if name in options})
        if "sort" in options:
            body["sort"] = options["sort"].split(",")
        if "q" in options:
            body["query"] = {"query_string": {"query": options["q"]}}
        if "pit" in body:
            seen = self.kept_by(body["pit"]["id"])["seen"]
        else:
            indexes = self.store.resolve(index, flag(options, "ignore_unavailable"))
            seen = [(one, one.visible) for one in indexes]
        answer = self.run_search(body, options, seen)
        if "pit" in body:
            answer["pit_id"] = body["pit"]["id"]
        if "scroll" in options:
            name = self.keep({"seen": seen, "body": body, "from": body.get("size", 10)})
            answer["_scroll_id"] = name
        return 200, answer

    def run_search(self, body, options, seen):
        query = queries.Query(body.get("query"))
        test, best = query.test, None
        spec = queries.sort_spec(body["sort"]) if body.get("sort") else None
        size, start = body.get("size", 10), body.get("from", 0)
        track = body.get("track_total_hits", True)
        rows, total, matching = [], 0, []
        for index, documents in seen:
            found = queries.ordered(index, documents, spec or [("_doc", False)])
            if query.matchers and not spec:  # by rank: all are looked at
                hits = [(([-query.score(row[2])], [], row[2]), index) for row in found
                        if test(row[2])]
                rows += sorted(hits, key=lambda one: one[0][0])
                total, matching = total + len(hits), matching + [row[2] for row, _ in hits]
                continue
            at = queries.behind(found, spec, index, body["search_after"]) \
                if "search_after" in body else 0
            if track or body.get("aggs"):
                hits = [row for row in found if test(row[2])]
                total += len(hits)
                matching += [row[2] for row in hits]
            taken = 0
            for row in itertools.islice(found, at, None):
                if taken >= start + size:
                    break
                if test(row[2]):
                    rows.append((row, index))
                    taken += 1
        rows.sort(key=lambda one: one[0][0])
        filters = queries.source_filter(options, body.get("_source"))
        if query.matchers and not spec and rows:
            best = -rows[0][0][0][0]
        answer = {"took": 1, "timed_out": False, "_shards": SHARDS, "hits": {"hits": [
            {"_index": index.name, "_id": row[2].id, "_score": -row[0][0] if best else None if spec else 1.0,
             "_source": queries.cut_source(row[2].source, *filters),
             **({"_version": row[2].version} if body.get("version") else {}),
             **self.highlighted(body, row[2], query),
             **({"sort": row[1]} if spec else {})}
            for row, index in rows[start:start + size]]}}
        answer["hits"]["max_score"] = best
        if track:
            answer["hits"]["total"] = {"value": total, "relation": "eq"}
        if body.get("aggs") and seen:
            answer["aggregations"] = queries.aggregate(body["aggs"], matching)
        return answer

    @staticmethod
    def highlighted(body, doc, query):
        found = queries.highlight(body["highlight"], doc.source, query.matchers) \
            if "highlight" in body else None
        return {"highlight": found} if found else {}

    def count(self, body, options, index):
        body = {**(body or {}), "size": 0}
        _status, answer = self.search(body, options, index)
        return 200, {"count": answer["hits"]["total"]["value"], "_shards": SHARDS}

    def keep(self, what):
        name = f"kept-{next(self.names)}"
        self.kept[name] = what
        return name

    def kept_by(self, name):
        if name not in self.kept:
            raise ApiError(404, "search_context_missing_exception", f"no context [{name}]")
        return self.kept[name]

    def open_pit(self, _body, _options, index):
        name = self.keep({"seen": [(one, one.visible) for one in self.store.resolve(index)]})
        return 200, {"pit_id" if self.distribution == "opensearch" else "id": name}

    def scroll(self, body, _options):
        kept = self.kept_by(body["scroll_id"])
        answer = self.run_search({**kept["body"], "from": kept["from"]}, {}, kept["seen"])
        kept["from"] += kept["body"].get("size", 10)
        return 200, {**answer, "_scroll_id": body["scroll_id"]}

    def close(self, body, _options):
        for name in queries.listed(body.get("id") or body.get("pit_id") or body.get("scroll_id")):
            self.kept.pop(name, None)
        return 200, {"succeeded": True, "num_freed": 1}

    # --- by query ---

    def delete_by_query(self, body, _options, index):
        test, deleted = queries.Query(body["query"]).test, 0
        for one in self.store.resolve(index):
            for doc in [doc for doc in one.visible.values() if test(doc)]:
                one.delete(doc.id, {})
                deleted += 1
        return 200, {"deleted": deleted}

    def reindex(self, body, options):
        """Copies what searches see; external versions are taken over."""
        source, dest = body["source"], body["dest"]
        target = self.store.for_write(dest["index"])
        counts = {"created": 0, "updated": 0, "version_conflicts": 0}
        for one in self.store.resolve(source["index"]):
            for doc in list(one.visible.values()):
                more = {"version": doc.version, "version_type": "external"} \
                    if dest.get("version_type") == "external" else {}
                try:
                    counts[target.put(doc.id, doc.source, more)["result"]] += 1
                except ApiError as error:
                    if error.status != 409 or body.get("conflicts") != "proceed":
                        raise
                    counts["version_conflicts"] += 1
        self.refresh_if(options, [target])
        return 200, {**counts, "total": sum(counts.values()), "failures": []}

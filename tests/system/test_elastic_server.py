"""The test tool of tests/lib/elastic against recorded conversations with real servers.

What the tool answers is checked here by two public sets (docs/catalog-elastic.md): the conversations
that every official Elasticsearch client must be able to have, and the requests with expected answers
by which quickwit compares itself with Elasticsearch. Only what they contain is proven by them; the
lists say what is replayed, LEFT_OUT what the tool does not know of these files. Files that are not
listed (phrases, query strings, regular expressions, statistics of the cluster, ...) concern nothing
that the back end asks for."""

import json
import re
import urllib.parse

import pytest
import yaml

from lib.elastic_tool import ElasticTool
from lib.quarry import shared

# Steps by file that the tool does not know, by a word in them.
LEFT_OUT = {
    "0007-range_queries": ["format"],  # dates in a format of one's own
    "0014-multi-match-query": ["lenient", "phrase_prefix", "slop", '"fields": []'],
    "0016-misc-query": ["lenient"],    # phrases, fields of query strings
}
QUICKWIT = ["0001-noquery", "0002-query_string", "0003-match", "0004-term_aggregations",
            "0006-term_query", "0007-range_queries", "0008-sort_by", "0009-bool_query",
            "0011-exists-query", "0012-scroll-api", "0014-multi-match-query", "0015-terms-query", "0016-misc-query",
            "0018-search_after", "0019-count", "0022-source", "0024-delete_indices",
            "0029-wildcard", "0030-prefix", "0032-mappings"]
BULK = ["0001-happy-path", "0002-malformed-action", "0003-validation-failed-index-missing",
        "0004-put-request", "0005-document-parsing-exception", "0006-partial-index-not-found"]
SEVERAL = ["0001-muti_indices_query", "0002-muti_indices_scroll", "0003-multi_indices_aggs",
           "0004-missing_index_query"]
CLIENTS = ["bulk/10_basic", "cluster/health", "count/10_basic", "create/10_basic",
           "delete/10_basic", "delete_by_query/10_serverless", "exists/10_basic",
           "exists_source/10_basic", "get", "get/10_basic", "get_source/10_basic",
           "index/10_with_id", "index/20_without_id", "indices/alias", "indices/create",
           "indices/delete", "indices/exists", "indices/get", "indices/mapping",
           "indices/refresh", "indices/settings", "info_stack", "ping/ping",
           "point_in_time/10_basic", "reindex/serverless", "scroll/10_basic", "search/10_basic",
           "update/10_partial_update"]


@pytest.fixture
def tool():
    tool = ElasticTool()
    yield tool
    tool.stop()


# --- quickwit's requests ---

def check(found, expected, where="answer"):
    if isinstance(expected, dict) and "$expect" in expected:
        wanted = expected["$expect"]
        for one in [wanted] if isinstance(wanted, str) else wanted:
            assert eval(one, {}, {"val": found}), (where, one, found)  # the recording's own words
    elif isinstance(expected, dict):
        for name, value in expected.items():
            assert isinstance(found, dict) and name in found, (where, name, found)
            check(found[name], value, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), (where, found)
        for at, value in enumerate(expected):
            check(found[at], value, f"{where}[{at}]")
    else:
        assert found == expected, where


def resolved(value, previous):
    if isinstance(value, dict) and "$previous" in value:
        return eval(value["$previous"], {}, {"val": previous})  # the recording's own words
    if isinstance(value, dict):
        return {name: resolved(one, previous) for name, one in value.items()}
    return value


def load(path):
    return [step for step in yaml.safe_load_all(path.read_text()) if step] if path.exists() else []


def run_step(tool, folder, context, step, previous):
    """Answers by method."""
    step = {**context, **step}
    body = None
    if "json" in step:
        body = json.dumps(resolved(step["json"], previous))
    elif "ndjson" in step:
        body = "".join(json.dumps(line) + "\n" for line in step["ndjson"])
    elif "body_from_file" in step:
        body = (folder / step["body_from_file"]).read_bytes()
    methods = step.get("method", "GET")
    answer = None
    for method in [methods] if isinstance(methods, str) else methods:
        status, answer = tool.ask(method.strip(), step["endpoint"], step.get("params"), body,
                                  step.get("headers"))
        wanted = step.get("status_code", 200)
        if wanted is not None:
            assert status == wanted, (method, step, answer)
            check(answer, step.get("expected", {}))
    return answer


def is_known(name, step):
    engines = step.get("engines", ["elasticsearch"])
    return "elasticsearch" in engines and not any(word in json.dumps(step.get("json"))
                                                  for word in LEFT_OUT.get(name, []))


def run_file(tool, folder, name):
    """The number of steps replayed."""
    context = {}
    for path in (folder.parent / "_ctx.yaml", folder / "_ctx.yaml"):
        for one in load(path):
            context.update({k: v for k, v in one.items() if k != "api_root"})
    steps = [step for step in load(folder / (name + ".yaml")) if is_known(name, step)]
    previous = None
    for step in steps:
        previous = run_step(tool, folder, context, step, previous)
    return len(steps)


def set_up(tool, folder):
    for step in load(folder / "_setup.elasticsearch.yaml"):
        run_step(tool, folder, {}, step, None)


def test_quickwit_requests(tool):
    folder = shared("conformance/quickwit_es_compatibility/es_compatibility")
    set_up(tool, folder)
    ran = {name: run_file(tool, folder, name) for name in QUICKWIT}
    assert all(ran.values()), ran
    assert sum(ran.values()) == 127


def test_quickwit_bulk(tool):
    folder = shared("conformance/quickwit_es_compatibility/es_compatibility/bulk")
    set_up(tool, folder)
    assert sum(run_file(tool, folder, name) for name in BULK) == 6


def test_quickwit_several_indexes(tool):
    folder = shared("conformance/quickwit_es_compatibility/es_compatibility/multi-indices")
    set_up(tool, folder.parent)
    set_up(tool, folder)
    assert sum(run_file(tool, folder, name) for name in SEVERAL) == 20


# --- the official clients' conversations ---

# API: method and path.
APIS = {
    "bulk": ("POST", "_bulk"), "cluster.health": ("GET", "_cluster/health"),
    "count": ("GET", "{index}/_count"), "create": ("PUT", "{index}/_create/{id}"),
    "delete": ("DELETE", "{index}/_doc/{id}"),
    "delete_by_query": ("POST", "{index}/_delete_by_query"),
    "exists": ("HEAD", "{index}/_doc/{id}"), "exists_source": ("HEAD", "{index}/_source/{id}"),
    "get": ("GET", "{index}/_doc/{id}"), "get_source": ("GET", "{index}/_source/{id}"),
    "index": ("PUT", "{index}/_doc/{id}"), "info": ("GET", ""), "ping": ("HEAD", ""),
    "indices.create": ("PUT", "{index}"), "indices.delete": ("DELETE", "{index}"),
    "indices.exists": ("HEAD", "{index}"), "indices.get": ("GET", "{index}"),
    "indices.refresh": ("POST", "{index}/_refresh"),
    "indices.put_alias": ("PUT", "{index}/_alias/{name}"),
    "indices.get_alias": ("GET", "_alias/{name}"),
    "indices.exists_alias": ("HEAD", "_alias/{name}"),
    "indices.update_aliases": ("POST", "_aliases"),
    "indices.delete_alias": ("DELETE", "{index}/_alias/{name}"),
    "indices.put_mapping": ("PUT", "{index}/_mapping"),
    "indices.get_mapping": ("GET", "{index}/_mapping"),
    "indices.get_settings": ("GET", "{index}/_settings"),
    "indices.put_settings": ("PUT", "_settings"),
    "open_point_in_time": ("POST", "{index}/_pit"), "close_point_in_time": ("DELETE", "_pit"),
    "reindex": ("POST", "_reindex"), "search": ("POST", "{index}/_search"),
    "scroll": ("POST", "_search/scroll"), "clear_scroll": ("DELETE", "_search/scroll"),
    "update": ("POST", "{index}/_update/{id}"),
}


class Conversation:
    def __init__(self, tool):
        self.tool, self.names, self.answer, self.good = tool, {}, None, False

    def filled(self, value):
        if isinstance(value, str) and value.startswith("$"):
            return self.names[value[1:]]
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        return value

    def at(self, path):
        value = self.answer
        for name in path.split(".") if path else []:
            name = self.names.get(name[1:], name) if name.startswith("$") else name
            value = value[int(name)] if isinstance(value, list) else (value or {}).get(name)
        return self.good if path == "" else value

    def do(self, what):
        (api, arguments), = what.items()
        arguments = self.filled(dict(arguments or {}))
        body = arguments.pop("body", None)
        ignored = arguments.pop("ignore", None)
        method, path = APIS[api]
        if api == "index" and "id" not in arguments:
            method, path = "POST", "{index}/_doc"
        if "{index}" in path and "index" not in arguments:
            path = path.replace("{index}/", "")
        used = re.findall(r"{(\w+)}", path)
        path = path.format(**{name: urllib.parse.quote(str(arguments.pop(name)), safe="*,")
                              for name in used})
        if isinstance(body, list):
            body = "".join(json.dumps(line) + "\n" for line in body)
        elif body is not None:
            body = json.dumps(body)
        params = {name: str(value).lower() if isinstance(value, bool) else value
                  for name, value in arguments.items()}
        status, self.answer = self.tool.ask(method, path, params, body)
        self.good = status < 300
        assert self.good or method == "HEAD" or status == ignored, (api, status, self.answer)

    def match(self, what):
        for path, wanted in what.items():
            found, wanted = self.at(path), self.filled(wanted)
            if isinstance(wanted, str) and wanted.startswith("/"):
                assert re.search(wanted.strip("/"), found), path
            else:
                assert found == wanted, path

    def set(self, what):
        for path, name in what.items():
            self.names[name] = self.at(path)

    def is_true(self, path):
        assert self.at(path), path

    def is_false(self, path):
        assert not self.at(path), path

    def gte(self, what):
        for path, least in what.items():
            assert self.at(path) >= least, path

    def run(self, steps):
        for step in steps:
            (kind, what), = step.items()
            getattr(self, kind)(what)


@pytest.mark.parametrize("name", CLIENTS)
def test_clients_conversations(tool, name):
    path = shared("conformance/elastic_clients_tests") / (name + ".yml")
    parts = [part for part in yaml.safe_load_all(path.read_text()) if part]
    setup = [part["setup"] for part in parts if "setup" in part]
    tests = [list(part.values())[0] for part in parts
             if not set(part) & {"requires", "setup", "teardown"}]
    assert tests
    for steps in tests:
        conversation = Conversation(tool)
        for one in setup:
            conversation.run(one)
        conversation.run(steps)

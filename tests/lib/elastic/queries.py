"""Queries, sorting, aggregations over the documents that searches see."""

import bisect
import re

from documents import ApiError, tokens, values_at
from ranking import MultiMatch, highlight


def unknown(kind):
    return ApiError(400, "parsing_exception", f"unknown query [{kind}]")


def one_field(body, default_key):
    if not isinstance(body, dict) or len(body) != 1:
        raise ApiError(400, "parsing_exception", "one field is expected")
    (path, options), = body.items()
    if not isinstance(options, dict):
        options = {default_key: options}
    return path, options


def wildcard(pattern, ignore_case):
    parts, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        else:
            parts.append({"*": ".*", "?": "."}.get(char) or re.escape(char))
        at += 1
    return re.compile("".join(parts), re.S | (re.I if ignore_case else 0))


class Query:
    """A query made into a function of (index, document)."""

    def __init__(self, body):
        self.matchers = []  # those that make scores
        self.test = self.build(body or {"match_all": {}})

    def score(self, doc):
        return 1.0 + sum(matcher.score(doc) for matcher in self.matchers)

    def build(self, body):
        if len(body) != 1:
            raise ApiError(400, "parsing_exception", "a query has one kind")
        (kind, options), = body.items()
        make = getattr(self, "make_" + kind, None)
        if not make:
            raise unknown(kind)
        return make(options)

    def make_match_all(self, _options):
        return lambda doc: True

    def make_match_none(self, _options):
        return lambda doc: False

    def make_ids(self, options):
        wanted = set(options["values"])
        return lambda doc: doc.id in wanted

    def make_term(self, body):
        path, options = one_field(body, "value")
        value = options["value"]
        if options.get("case_insensitive"):
            return lambda doc: any(str(term).lower() == str(value).lower()
                                   for term in doc.terms(path))
        return lambda doc: doc.index.field(path).wanted(value) in doc.terms(path)

    def make_terms(self, body):
        path, values = one_field(body, "values")
        values = values["values"]

        def test(doc):
            wanted = {doc.index.field(path).wanted(value) for value in values}
            return any(term in wanted for term in doc.terms(path))
        return test

    def make_prefix(self, body):
        path, options = one_field(body, "value")
        value, fold = options["value"], options.get("case_insensitive")
        value = value.lower() if fold else value
        return lambda doc: any((term.lower() if fold else term).startswith(value)
                               for term in doc.terms(path))

    def make_wildcard(self, body):
        path, options = one_field(body, "value")
        pattern = wildcard(options["value"], options.get("case_insensitive"))
        return lambda doc: any(pattern.fullmatch(term) for term in doc.terms(path))

    def make_exists(self, body):
        if not isinstance(body, dict):
            raise ApiError(400, "parsing_exception", "[exists] is an object")
        path = body["field"]

        def filled(value):
            if isinstance(value, dict):
                return any(filled(v) for v in value.values())
            if isinstance(value, list):
                return any(filled(v) for v in value)
            return value is not None
        return lambda doc: any(filled(value) for value in values_at(doc.source, path))

    def make_range(self, body):
        path, options = one_field(body, "gte")
        if "format" in options:
            raise ApiError(400, "parsing_exception", "[range] formats are not known here")
        tests = {"gt": lambda a, b: a > b, "gte": lambda a, b: a >= b,
                 "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b}

        def test(doc):
            field = doc.index.field(path)
            return any(all(tests[op](term, field.wanted(bound)) for op, bound in options.items())
                       for term in doc.terms(path))
        return test

    def make_match(self, body):
        path, options = one_field(body, "query")
        wanted = list(tokens(options["query"]))
        every = options.get("operator", "or").lower() == "and"
        if not wanted:
            return lambda doc: options.get("zero_terms_query") == "all"

        def test(doc):
            terms = doc.terms(path)
            found = [word in terms for word in wanted]
            return all(found) if every else any(found)
        return test

    def make_multi_match(self, options):
        matcher = MultiMatch(options)
        self.matchers.append(matcher)
        return lambda doc: matcher.score(doc) > 0

    def make_query_string(self, options):
        return simple_text(options["query"])

    def make_bool(self, body):
        parts = {}
        for name in ("must", "filter", "should", "must_not"):
            some = body.get(name) or []
            parts[name] = [self.build(one) for one in (some if isinstance(some, list) else [some])]
        needs = parts["must"] + parts["filter"]
        least = self.least(body.get("minimum_should_match"), len(parts["should"]), bool(needs))

        def test(doc):
            return (all(one(doc) for one in needs) and not any(one(doc) for one in parts["must_not"])
                    and (not least or sum(one(doc) for one in parts["should"]) >= least))
        return test

    @staticmethod
    def least(given, options, needs):
        """How many of the `should` must match."""
        usual = 0 if needs or not options else 1
        if given is None:
            return usual
        text = str(given)
        number = options * int(text[:-1]) // 100 if text.endswith("%") else int(text)
        return max(number if number >= 0 else options + number, usual)


def simple_text(text):
    """The little of query strings that the recordings need: words and field:word with AND, OR."""
    if text == "*":
        return lambda doc: True

    def one(part):
        part = part.strip()
        if not re.fullmatch(r"[\w.]+(:[\w-]+)?", part):
            raise ApiError(400, "query_shard_exception", f"not known here: [{part}]")
        path, _, word = part.rpartition(":")
        word = word.lower()
        if path:
            return lambda doc: word in doc.terms(path)
        return lambda doc: any(word in tokens(value) for value in doc.source.values()
                               if isinstance(value, str))
    either = [[one(part) for part in way.split(" AND ")] for way in text.split(" OR ")]
    return lambda doc: any(all(test(doc) for test in way) for way in either)


# --- sorting ---

def sort_spec(sort):
    """[(path, descending)]"""
    spec = []
    for one in sort if isinstance(sort, list) else [sort]:
        if isinstance(one, str):
            path, _, order = one.partition(":")
            spec.append((path, order == "desc"))
            continue
        for path, options in one.items():
            order = options if isinstance(options, str) else options.get("order", "asc")
            spec.append((path, order == "desc"))
    return spec



def sort_values(doc, spec):
    values = []
    for path, descending in spec:
        terms = [doc.seq_no] if path == "_doc" else doc.terms(path)
        values.append((max(terms) if descending else min(terms)) if terms else None)
    return values


class Reversed:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return other.value < self.value

    def __eq__(self, other):
        return other.value == self.value


def sort_key(values, spec):
    """Strings in the order of their UTF-8 bytes, as the server has it."""
    key = []
    for value, (_path, descending) in zip(values, spec):
        if isinstance(value, str):
            value = value.encode()
        if value is None:
            key.append((1, 0))
        else:
            key.append((0, Reversed(value) if descending else value))
    return key


def ordered(index, documents, spec):
    """[(key, values, document)], kept for as long as searches see the same."""
    name = (index.generation, tuple(spec))
    if documents is index.visible and name in index.orders:
        return index.orders[name]
    rows = []
    for doc in documents.values():
        values = sort_values(doc, spec)
        rows.append((sort_key(values, spec), values, doc))
    rows.sort(key=lambda row: row[0])
    if documents is index.visible:
        index.orders[name] = rows
    return rows


def behind(rows, spec, index, after):
    values = [index.field(path).wanted(value) if path != "_doc" and value is not None else value
              for (path, _), value in zip(spec, after)]
    return bisect.bisect_right([row[0] for row in rows] if len(rows) < 2000 else Keys(rows),
                               sort_key(values, spec))


class Keys:
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at][0]


# --- aggregations ---

def aggregate(specs, documents):
    answer = {}
    for name, spec in specs.items():
        subs = spec.get("aggs") or spec.get("aggregations") or {}
        kind, = set(spec) - {"aggs", "aggregations"}
        if kind == "terms":
            answer[name] = by_terms(spec["terms"], subs, documents)
        elif kind == "stats":
            answer[name] = stats(spec["stats"]["field"], documents)
        else:
            raise ApiError(400, "parsing_exception", f"unknown aggregation [{kind}]")
    return answer


def by_terms(options, subs, documents):
    groups = {}
    for doc in documents:
        for term in set(doc.terms(options["field"])):
            groups.setdefault(term, []).append(doc)
    size = options.get("size", 10)
    if options.get("order") == {"_key": "asc"}:
        found = sorted(groups.items(), key=lambda one: str(one[0]).encode())
    else:
        found = sorted(groups.items(), key=lambda one: (-len(one[1]), str(one[0])))
    buckets = [{"key": key, "doc_count": len(docs), **aggregate(subs, docs)}
               for key, docs in found[:size]]
    rest = sum(len(docs) for _key, docs in found[size:])
    return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": rest, "buckets": buckets}


def stats(path, documents):
    """In doubles, like the server: that is the point."""
    numbers = [float(term) for doc in documents for term in doc.terms(path)]
    if not numbers:
        return {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}
    total = sum(numbers)
    return {"count": len(numbers), "min": min(numbers), "max": max(numbers),
            "avg": total / len(numbers), "sum": total}


# --- _source ---

def listed(value):
    if isinstance(value, str):
        return [name for name in re.sub(r"[\[\]'\" ]", "", value).split(",") if name]
    return value or []


def cut_source(source, includes, excludes):
    """_source filtering by dotted names."""
    def keep(value, path):
        if any(path == name or path.startswith(name + ".") for name in excludes):
            return None
        inside = not includes or any(path == name or path.startswith(name + ".")
                                     for name in includes)
        if isinstance(value, dict) and (not inside or excludes):
            found = {key: keep(one, f"{path}.{key}" if path else key)
                     for key, one in value.items()}
            found = {key: one for key, one in found.items() if one is not None}
            return found if found or inside else None
        return value if inside else None
    if not includes and not excludes:
        return source
    return keep(source, "") or {}


def source_filter(options, asked):
    includes, excludes = listed(options.get("_source_includes")), listed(
        options.get("_source_excludes"))
    if isinstance(asked, list):
        includes = asked
    elif isinstance(asked, dict):
        includes = listed(asked.get("includes") or asked.get("include"))
        excludes = listed(asked.get("excludes") or asked.get("exclude"))
    return includes, excludes

"""Indexes of documents: versions, conditions, mappings, what searches see.

A write is seen by reads of a document at once, by searches after a refresh only, which nobody but
the client asks for: a client that forgets one is found out."""

import datetime
import fnmatch
import itertools
import json

TERM_MAX = 32766  # bytes of a keyword


class ApiError(Exception):
    def __init__(self, status, kind, reason, **more):
        super().__init__(reason)
        self.status, self.kind, self.reason, self.more = status, kind, reason, more

    def body(self):
        error = {"type": self.kind, "reason": self.reason, **self.more}
        return {"error": {**error, "root_cause": [error]}, "status": self.status}


def missing_index(name):
    return ApiError(404, "index_not_found_exception", f"no such index [{name}]", index=name)


def to_millis(value):
    """A date as the server keeps it: milliseconds since 1970."""
    if isinstance(value, (int, float)) or str(value).lstrip("-").isdigit():
        return int(value)
    text = str(value).replace("Z", "+00:00")
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since.days * 86400000 + since.seconds * 1000 + since.microseconds // 1000


def values_at(source, path):
    """All values at a dotted path, arrays opened."""
    found = [source]
    for name in path.split("."):
        opened = []
        for item in found:
            opened.extend(item if isinstance(item, list) else [item])
        found = [item[name] for item in opened if isinstance(item, dict) and name in item]
    flat = []
    for item in found:
        flat.extend(item if isinstance(item, list) else [item])
    return [item for item in flat if item is not None]


def tokens(text):
    """About what the standard analyzer does."""
    word = []
    for char in str(text).lower():
        if char.isalnum() or char == "_":
            word.append(char)
        elif word:
            yield "".join(word)
            word = []
    if word:
        yield "".join(word)


class Field:
    """Type of a field, as mapped, or as its values would be mapped."""

    def __init__(self, mappings, normalizers, path):
        self.path, self.kind, self.normalizer = path, None, None
        place, options = mappings.get("properties", {}), {}
        for name in path.split("."):
            options = place.get(name) or options.get("fields", {}).get(name) or {}
            place = options.get("properties", {})
        self.kind = options.get("type")
        self.source = path
        if self.kind is None and path.endswith(".keyword"):
            self.kind, self.source = "keyword", path[:-8]
        elif "." in path:
            parent = Field(mappings, normalizers, path.rsplit(".", 1)[0])
            if parent.kind in ("text", "keyword") and self.kind:
                self.source = parent.path
        self.lower = "lowercase" in normalizers.get(options.get("normalizer"), ())
        self.dynamic = mappings.get("dynamic", True) not in (False, "false", "strict")

    def terms(self, source):
        """What is indexed of a document: strings, numbers, booleans."""
        if self.kind is None and not self.dynamic:
            return []
        found = []
        for value in values_at(source, self.source):
            if isinstance(value, dict):
                continue
            found.extend(self.terms_of(value))
        return found

    def terms_of(self, value):
        if self.kind == "date":
            return [to_millis(value)]
        if self.kind in ("long", "integer"):
            return [int(value)]
        if self.kind == "boolean":
            return [value in (True, "true")]
        if self.kind == "keyword":
            return [str(value).lower() if self.lower else str(value)]
        if self.kind == "text" or isinstance(value, str):
            return list(tokens(value))
        return [value]

    def wanted(self, value):
        """The value of a query as such a term."""
        if self.kind in ("date", "long", "integer", "boolean", "keyword"):
            return self.terms_of(value)[0]
        return str(value) if self.kind == "text" else value


class Document:
    __slots__ = ("id", "source", "version", "seq_no", "cache", "index")

    def __init__(self, index, id_, source, version, seq_no):
        self.index, self.id, self.source = index, id_, source
        self.version, self.seq_no, self.cache = version, seq_no, {}

    def terms(self, path):
        found = self.cache.get(path)
        if found is None:
            found = self.cache[path] = self.index.field(path).terms(self.source)
        return found


class Index:
    def __init__(self, name, body):
        self.name, self.settings = name, body.get("settings", {})
        self.mappings, self.aliases = body.get("mappings", {}), set(body.get("aliases", {}))
        self.documents, self.gone, self.visible, self.dirty = {}, {}, {}, set()
        self.seq_no, self.generation, self.fields, self.orders = itertools.count(), 0, {}, {}

    def field(self, path):
        if path not in self.fields:
            analysis = self.settings.get("analysis", {}).get("normalizer", {})
            normalizers = {name: one.get("filter", []) for name, one in analysis.items()}
            self.fields[path] = Field(self.mappings, normalizers, path)
        return self.fields[path]

    def map_more(self, body):
        self.mappings.setdefault("properties", {}).update(body.get("properties", {}))
        self.fields.clear()

    def check(self, id_, source):
        """What the mapping refuses."""
        def look(properties, prefix):
            for name, options in properties.items():
                path = prefix + name
                if options.get("enabled") is False:
                    continue
                look(options.get("properties", {}), path + ".")
                kind = options.get("type")
                for value in values_at(source, path):
                    try:
                        terms = self.field(path).terms_of(value) if kind else []
                    except (ValueError, TypeError):
                        if options.get("ignore_malformed"):
                            continue
                        raise ApiError(400, "document_parsing_exception",
                                       f"failed to parse field [{path}] of type [{kind}] in "
                                       f"document with id '{id_}'") from None
                    if kind == "keyword" and any(len(t.encode()) > TERM_MAX for t in terms):
                        raise ApiError(400, "illegal_argument_exception",
                                       f"Document contains at least one immense term in field="
                                       f"\"{path}\"")
        look(self.mappings.get("properties", {}), "")

    def conditions(self, id_, options):
        old, gone = self.documents.get(id_), self.gone.get(id_)
        version = old.version if old else gone or 0
        if options.get("op_type") == "create" and old:
            raise self.conflict(id_, "document already exists")
        wanted = options.get("if_seq_no")
        if wanted is not None and (not old or old.seq_no != int(wanted) or
                                   int(options.get("if_primary_term", 1)) != 1):
            raise self.conflict(id_, f"required seqNo [{wanted}]")
        if options.get("version_type") in ("external", "external_gt"):
            given = int(options["version"])
            if given <= version:
                raise self.conflict(id_, f"current version [{version}] is higher or equal to "
                                         f"the one provided [{given}]")
            return given
        return version + 1

    def conflict(self, id_, why):
        return ApiError(409, "version_conflict_engine_exception",
                        f"[{id_}]: version conflict, {why}", index=self.name)

    def put(self, id_, source, options):
        self.check(id_, source)
        version = self.conditions(id_, options)
        result = "updated" if id_ in self.documents else "created"
        self.gone.pop(id_, None)
        self.documents[id_] = Document(self, id_, source, version, next(self.seq_no))
        self.dirty.add(id_)
        return self.answer(id_, result, version, self.documents[id_].seq_no)

    def delete(self, id_, options):
        version = self.conditions(id_, options)
        result = "deleted" if self.documents.pop(id_, None) else "not_found"
        self.gone[id_] = version
        self.dirty.add(id_)
        return self.answer(id_, result, version, next(self.seq_no))

    def answer(self, id_, result, version, seq_no):
        return {"_index": self.name, "_id": id_, "_version": version, "result": result,
                "_shards": {"total": 1, "successful": 1, "failed": 0}, "_seq_no": seq_no,
                "_primary_term": 1}

    def refresh(self):
        if not self.dirty:
            return
        visible = dict(self.visible)  # points in time keep the one before
        for id_ in self.dirty:
            if id_ in self.documents:
                visible[id_] = self.documents[id_]
            else:
                visible.pop(id_, None)
        self.visible, self.dirty = visible, set()
        self.generation += 1
        self.orders.clear()


class Store:
    """All indexes and aliases."""

    def __init__(self):
        self.indexes, self.auto_create, self.ids = {}, "true", itertools.count(1)

    def create(self, name, body):
        if name in self.indexes or any(name in one.aliases for one in self.indexes.values()):
            raise ApiError(400, "resource_already_exists_exception",
                           f"index [{name}] already exists", index=name)
        self.indexes[name] = Index(name, json.loads(json.dumps(body or {})))
        return self.indexes[name]

    def of_alias(self, name):
        return [one for one in self.indexes.values() if name in one.aliases]

    def resolve(self, expression, ignore_unavailable=False):
        """Names, aliases, patterns, exclusions, in their order."""
        found = []
        for name in (expression or "*").split(","):
            if name in ("_all", ""):
                name = "*"
            if name.startswith("-"):
                found = [one for one in found if not fnmatch.fnmatchcase(one.name, name[1:])]
            elif "*" in name:
                found += [one for one in self.indexes.values()
                          if one not in found and fnmatch.fnmatchcase(one.name, name)]
            elif name in self.indexes or self.of_alias(name):
                some = [self.indexes[name]] if name in self.indexes else self.of_alias(name)
                found += [one for one in some if one not in found]
            elif not ignore_unavailable:
                raise missing_index(name)
        return found

    def one(self, name):
        found = self.resolve(name)
        if len(found) != 1:
            raise ApiError(400, "illegal_argument_exception",
                           f"alias [{name}] has more than one index")
        return found[0]

    def for_write(self, name, require_alias=False):
        if require_alias and not self.of_alias(name):
            raise ApiError(404, "index_not_found_exception",
                           f"no such index [{name}] and [require_alias] request flag is [true]",
                           index=name)
        try:
            return self.one(name)
        except ApiError as error:
            allowed = self.auto_create == "true" or fnmatch.fnmatchcase(name, self.auto_create)
            if error.status != 404 or not allowed:
                raise
            return self.create(name, {})

    def new_id(self):
        return f"made-{next(self.ids):012d}"

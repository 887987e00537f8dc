"""multi_match, scores and highlights: enough of them to tell whether the right things are asked."""

import html
import re

from documents import ApiError, tokens

KNOWN = {"query", "fields", "type", "fuzziness", "operator"}


def distance(a, b):
    """Letters changed, put in, left out or exchanged with a neighbour."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def is_near(word, term):
    allowed = 0 if len(word) < 3 else 1 if len(word) <= 5 else 2
    return abs(len(word) - len(term)) <= allowed and distance(word, term) <= allowed


class MultiMatch:
    def __init__(self, options):
        if set(options) - KNOWN:
            raise ApiError(400, "parsing_exception", f"not known here: {set(options) - KNOWN}")
        self.kind, self.near = options.get("type", "best_fields"), "fuzziness" in options
        self.every = options.get("operator", "or").lower() == "and"
        self.text, self.words = options["query"], list(tokens(options["query"]))
        fields = options["fields"]
        self.fields = []
        for field in [fields] if isinstance(fields, str) else fields:
            name, _, boost = field.partition("^")
            self.fields.append((name, float(boost or 1)))

    def score(self, doc):
        return max((boost * self.share(doc, name) for name, boost in self.fields), default=0)

    def share(self, doc, name):
        """How much of the text the field has, 0 to 1."""
        terms = doc.terms(name)
        words = [str(self.text)] if doc.index.field(name).kind == "keyword" else self.words
        if not words or not terms:
            return 0
        if self.kind == "phrase":
            return float(any(terms[at:at + len(words)] == words for at in range(len(terms))))
        if self.kind not in ("best_fields", "bool_prefix"):
            raise ApiError(400, "parsing_exception", f"not known here: {self.kind}")
        found = [self.has(terms, word, at + 1 == len(words)) for at, word in enumerate(words)]
        return 0 if self.every and not all(found) else sum(found) / len(words)

    def has(self, terms, word, last):
        if self.kind == "bool_prefix" and last:
            return any(term.startswith(word) for term in terms)
        return word in terms or (self.near and any(is_near(word, term) for term in terms))

    def marks(self, word):
        terms = [word.lower()]
        return any(self.has(terms, one, at + 1 == len(self.words))
                   for at, one in enumerate(self.words))


def highlight(spec, source, matchers):
    """{field: [text with tags]} for fields in which something matches."""
    answer = {}
    for field in spec["fields"]:
        found = False

        def mark(match):
            nonlocal found
            word = html.escape(match.group(), quote=True)
            if any(matcher.marks(match.group()) for matcher in matchers):
                found = True
                return spec["pre_tags"][0] + word + spec["post_tags"][0]
            return word
        text = re.sub(r"\w+|\W+", mark, str(source.get(field) or ""))
        if found:
            answer[field] = [text]
    return answer

"""Parses the part of PromQL that gglib's dashboard uses, strictly: anything else is an error.

It finds the metrics of a query with the labels that the query expects of them. Prometheus itself accepts unknown names,
whose result is empty.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

AGGREGATIONS = frozenset(("sum", "max", "group"))
FUNCTIONS = frozenset(
    ("rate", "increase", "histogram_quantile", "label_replace", "vector", "clamp_max", "time")
)
SCRAPE_LABELS = frozenset(("instance", "job"))
"""Labels that Prometheus adds."""
_TOKEN = re.compile(
    r"""\s*(?: (?P<text>"[^"\\]*") | (?P<window>\[(?:\$__rate_interval|\$__interval|\$__range|\d+[smhd])\])
    | (?P<duration>\$__(?:interval|range)|\d+[smhd](?![\w.])) | (?P<number>\d+(?:\.\d+)?) | (?P<word>[A-Za-z_:][\w:]*)
    | (?P<sign>=~|!~|!=|>=|<=|==|[-+*/<>(){},=]) )""",
    re.VERBOSE,
)
_OPERATORS = frozenset(("or", "and", "unless", "-", "+", "*", "/", ">", "<", ">=", "<=", "==", "!="))


class PromQLError(Exception):
    """The query is not in the part of PromQL that is known here, or uses something that does not exist."""


@dataclass(slots=True)
class Found:
    """What a part of a query uses."""

    metrics: dict[str, set[str]] = field(default_factory=dict)
    """The labels that it expects of each metric."""
    kept: set[str] = field(default_factory=set)
    """The metrics whose labels its result has: not those that only filter, on the right of ``and`` and ``unless``."""
    added: set[str] = field(default_factory=set)
    """Labels of ``label_replace``."""
    grouped: list[tuple[frozenset[str], frozenset[str], frozenset[str]]] = field(default_factory=list)
    """Labels of ``by`` and ``on``, with the metrics and the added labels to which they apply."""

    def include(self, other: "Found", *, is_filter: bool = False) -> None:
        """Add what another part uses."""
        if not is_filter:
            self.kept |= other.kept
        for name, labels in other.metrics.items():
            self.metrics.setdefault(name, set()).update(labels)
        self.added |= other.added
        self.grouped += other.grouped

    def group(self, labels: Iterable[str]) -> None:
        """Note that all of this part is grouped or matched by labels."""
        self.grouped.append((frozenset(labels), frozenset(self.kept), frozenset(self.added)))


def parse(query: str) -> Found:
    """Return what a query uses. Raises ``PromQLError``."""
    parser = _Parser(query)
    found = parser.expression()
    parser.expect("")
    return found


def check(query: str, labels_of: Mapping[str, Iterable[str]]) -> None:
    """Raise ``PromQLError`` unless each metric exists and has the labels that the query expects.

    ``labels_of`` has the labels of each metric, for histograms of ``…_bucket``, ``…_sum`` and ``…_count``.
    """
    found = parse(query)
    if unknown := found.metrics.keys() - labels_of.keys():
        raise PromQLError(f"there are no metrics {sorted(unknown)}")
    labels = {name: frozenset((*labels_of[name], *SCRAPE_LABELS)) for name in found.metrics}
    for name, expected in found.metrics.items():
        if unknown := expected - labels[name]:
            raise PromQLError(f"{name} has no labels {sorted(unknown)}")
    for grouped, names, added in found.grouped:
        for name in names:
            if lacking := grouped - labels[name] - added:
                raise PromQLError(f"{name} has no labels {sorted(lacking)} to group by")


class _Parser:
    """Recursive descent; operators need no precedence, because only names are collected."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._position = 0
        self.kind = self.token = ""
        self._advance()

    def expression(self) -> Found:
        """Parse operands with operators between them."""
        found = self._operand()
        while self.token in _OPERATORS and self.kind in {"word", "sign"}:
            operator = self._advance()
            labels = self._labels_after("on")
            right = self._operand()
            if labels:
                for side in (found, right):
                    side.group(labels)
            found.include(right, is_filter=operator in {"and", "unless"})
        return found

    def expect(self, token: str) -> None:
        """Skip a token. Raises ``PromQLError`` if another one is there."""
        if self.token != token:
            raise PromQLError(f"{self.token!r} instead of {token!r} before {self._query[self._position :]!r}")
        if token:
            self._advance()

    def _advance(self) -> str:
        """Move to the next token and return the one before it."""
        before, rest = self.token, self._query[self._position :]
        match = _TOKEN.match(rest)
        if match is None:
            if rest.strip():
                raise PromQLError(f"{rest!r} is not known")
            self.kind = self.token = ""
        else:
            self.kind, self.token = str(match.lastgroup), match[str(match.lastgroup)]
            self._position += match.end()
        return before

    def _operand(self) -> Found:
        found = self._plain_operand()
        if self.kind == "window":
            self._advance()
        if self.token == "offset":
            self._advance()
            if self.kind != "duration":
                raise PromQLError(f"{self.token!r} is no duration")
            self._advance()
        return found

    def _plain_operand(self) -> Found:
        if self.kind in {"number", "text"}:
            self._advance()
            return Found()
        if self.token == "(":
            return self._in_parentheses()
        if self.kind != "word":
            raise PromQLError(f"{self.token!r} begins nothing")
        name = self._advance()
        if name in AGGREGATIONS:
            labels = self._labels_after("by")
            found = self._in_parentheses()
            found.group(labels)
            return found
        return self._call(name) if self.token == "(" else self._selector(name)

    def _in_parentheses(self) -> Found:
        self.expect("(")
        found = self.expression()
        self.expect(")")
        return found

    def _call(self, name: str) -> Found:
        if name not in FUNCTIONS:
            raise PromQLError(f"there is no function {name}")
        self.expect("(")
        found, texts = Found(), []
        while self.token != ")":
            if self.kind == "text":
                texts.append(self.token.strip('"'))
            found.include(self.expression())
            if self.token != ")":
                self.expect(",")
        self.expect(")")
        if name == "label_replace":
            found.added.add(texts[0])
        return found

    def _selector(self, name: str) -> Found:
        labels = set()
        if self.token == "{":
            self.expect("{")
            while self.token != "}":
                labels.add(self._advance())
                if self._advance() not in {"=", "!=", "=~", "!~"} or self.kind != "text":
                    raise PromQLError(f"{self.token!r} is not the value of a label of {name}")
                self._advance()
                if self.token != "}":
                    self.expect(",")
            self.expect("}")
        return Found({name: labels}, {name})

    def _labels_after(self, word: str) -> list[str]:
        """Parse ``by (…)`` or ``on (…)`` if it is there."""
        labels: list[str] = []
        if self.token == word:
            self._advance()
            self.expect("(")
            while self.token != ")":
                labels.append(self._advance())
                if self.token != ")":
                    self.expect(",")
            self.expect(")")
        return labels

"""Edits JSON with comments and trailing commas (JSONC), as Zed, VS Code and opencode read it. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gglib.app.clients.client import ConfigFile
from gglib.app.clients.merged_values import merged, with_defaults

_SPACE = re.compile(r"(?:[ \t\n\r]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_MAX_DEPTH = 100
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a text, from ``start`` to ``end``."""

    start: int
    end: int
    value: Any
    members: Mapping[str, "Node"] | None = None
    """Of an object."""
    items: "tuple[Node, ...] | None" = None
    """Of an array."""
    has_trailing_comma: bool = False

    @property
    def children(self) -> "list[Node]":
        """The values in an object or array, in order."""
        return list((self.members or {}).values()) or list(self.items or ())


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement of a part of the text."""

    start: int
    end: int
    text: str


def edited(text: str, file: ConfigFile) -> str:
    """Return the text with the values of ``file``. Raises ValueError with a phrase."""
    if not text.strip():
        return json.dumps(with_defaults(file.values, file.defaults), indent=2, ensure_ascii=False) + "\n"
    root = parse(text)
    expected = merged(root.value, file)
    edits = sorted(_Writer(text, root).edits(root, expected), key=lambda edit: (edit.start, edit.end))
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    check_meaning(text, expected)
    return text


def check_meaning(text: str, expected: object) -> None:
    """Raise ValueError unless a text means the expected value: a fault of this module must not reach a file."""
    if parse(text).value != expected:
        raise ValueError("its form is unusual")


def parse(text: str) -> Node:
    """Return the value of a text with comments and trailing commas. Raises ValueError with a phrase."""
    parser = _Parser(text)
    node = parser.value(_skip(text, 0), 0)
    if _skip(text, node.end) != len(text):
        raise parser.error(node.end)
    return node


def _skip(text: str, at: int) -> int:
    """Return the index after white space and comments."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


class _Parser:
    """A recursive descent through one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def error(self, at: int) -> ValueError:
        """Return the error for a character that does not fit."""
        return ValueError(f"it is not JSON: line {self._text.count(chr(10), 0, at) + 1}")

    def value(self, at: int, depth: int) -> Node:
        """Return the value that begins at an index."""
        if depth > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._array(at, depth)
            case '"':
                return self._token(_STRING, at)
        return self._token(_LITERAL, at)

    def _token(self, pattern: re.Pattern[str], at: int) -> Node:
        found = pattern.match(self._text, at)
        if found is None:
            raise self.error(at)
        try:
            return Node(at, found.end(), json.loads(found[0]))
        except ValueError:  # an escape that JSON lacks
            raise self.error(at) from None

    def _object(self, start: int, depth: int) -> Node:
        members: dict[str, Node] = {}
        at, has_comma = _skip(self._text, start + 1), False
        while self._text[at : at + 1] != "}":
            name = self._token(_STRING, at)
            if name.value in members:
                raise ValueError(f"it sets '{name.value}' twice")
            at = _skip(self._text, name.end)
            if self._text[at : at + 1] != ":":
                raise self.error(at)
            node = self.value(_skip(self._text, at + 1), depth + 1)
            members[name.value] = node
            at, has_comma = self._after(node, "}")
        values = {name: node.value for name, node in members.items()}
        return Node(start, at + 1, values, members=members, has_trailing_comma=has_comma)

    def _array(self, start: int, depth: int) -> Node:
        items: list[Node] = []
        at, has_comma = _skip(self._text, start + 1), False
        while self._text[at : at + 1] != "]":
            items.append(self.value(at, depth + 1))
            at, has_comma = self._after(items[-1], "]")
        values = [node.value for node in items]
        return Node(start, at + 1, values, items=tuple(items), has_trailing_comma=has_comma)

    def _after(self, node: Node, bracket: str) -> tuple[int, bool]:
        """Return the index after a member, and whether a comma follows it. Raises ValueError for anything else."""
        at = _skip(self._text, node.end)
        if self._text[at : at + 1] == ",":
            return _skip(self._text, at + 1), True
        if self._text[at : at + 1] != bracket:
            raise self.error(at)
        return at, False


class _Writer:
    """Finds the edits of one text; new lines are indented as the first member of the root is."""

    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        first = next(iter(root.children), None)
        is_inline = first is None or "\n" not in text[root.start : first.start]
        self._unit = _INDENT if is_inline or first is None else self._indent_at(first.start) or _INDENT

    def edits(self, node: Node, expected: Any) -> Iterator[Edit]:  # noqa: ANN401 - JSON
        """Return the edits that give a node another value."""
        if node.value == expected:
            return
        members = node.members
        if members is not None and isinstance(expected, Mapping) and members.keys() <= expected.keys():
            for name, child in members.items():
                yield from self.edits(child, expected[name])
            new = {name: value for name, value in expected.items() if name not in members}
            if new:
                yield from self._additions(node, new)
        elif node.items is not None and isinstance(expected, list) and len(expected) >= len(node.items):
            for child, item in zip(node.items, expected, strict=False):
                yield from self.edits(child, item)
            if new_items := expected[len(node.items) :]:
                yield from self._additions(node, new_items)
        else:
            yield Edit(node.start, node.end, self._dumped(expected, self._indent_at(node.start)))

    def _additions(self, node: Node, new: Mapping[str, Any] | list[Any]) -> Iterator[Edit]:
        """Return the edits that add members after the last one, and after the comments behind it."""
        outer = self._indent_at(node.start)
        children = node.children
        if not children:
            inside = self._text[node.start + 1 : node.end - 1].rstrip()
            text = self._lines(new, outer + self._unit)
            yield Edit(node.start + 1 + len(inside), node.end - 1, f"{text}\n{outer}")
            return
        last = children[-1]
        if not node.has_trailing_comma:
            yield Edit(last.end, last.end, ",")
        end = last.end + len(self._text[last.end : node.end - 1].rstrip())
        comma = "," * node.has_trailing_comma
        if "\n" in self._text[node.start : children[0].start]:
            yield Edit(end, end, self._lines(new, self._indent_at(children[0].start)) + comma)
        else:
            yield Edit(end, end, f" {', '.join(_pieces(new))}{comma}")

    def _lines(self, new: Mapping[str, Any] | list[Any], indent: str) -> str:
        """Return members, each on lines of its own, with the line end before each."""
        if isinstance(new, Mapping):
            lines = [f"{_quoted(name)}: {self._dumped(value, indent)}" for name, value in new.items()]
        else:
            lines = [self._dumped(item, indent) for item in new]
        return ",".join(f"\n{indent}{line}" for line in lines)

    def _dumped(self, value: Any, indent: str) -> str:  # noqa: ANN401 - JSON
        lines = json.dumps(value, indent=self._unit, ensure_ascii=False)
        return lines.replace("\n", f"\n{indent}")

    def _indent_at(self, at: int) -> str:
        """Return the white space at the begin of the line of an index."""
        line = self._text[self._text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]


def _pieces(new: Mapping[str, Any] | list[Any]) -> list[str]:
    if isinstance(new, Mapping):
        return [f"{_quoted(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in new.items()]
    return [json.dumps(item, ensure_ascii=False) for item in new]


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)

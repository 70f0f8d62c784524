"""A document of nested values whose places in the file are known, and typed access to it. Pure.

An error is one sentence with file, line and column. Scalars keep the text that they were written with, because a field
of another type may need it: an alias ``1.10`` is a text, although it looks like a number.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from gglib.core.errors import InvalidSettingError
from gglib.core.plain_text import escape_line

T = TypeVar("T")

_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; both numbers begin with 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar as it was written."""

    text: str
    is_plain: bool
    """Not quoted, so that it may be a number, a boolean or null."""


@dataclass(frozen=True, slots=True)
class Node(Generic[T]):
    """A value and its place."""

    value: T
    mark: Mark


AnyNode = Node[Any]
"""``value`` is a ``Scalar``, a list of nodes, or a mapping of nodes by key."""
Expand = Callable[[str], str]
"""Replaces the macros of a text. Raises ``MacroError``."""


class MacroError(Exception):
    """A macro cannot be replaced; a phrase."""


def _unchanged(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping of a document, with typed access to its fields."""

    file: str
    where: str
    """Its path in the document; empty for the document itself."""
    nodes: Mapping[str, AnyNode]
    expand: Expand = _unchanged

    def path(self, name: str) -> str:
        """Return the path of a field in the document."""
        return f"{self.where}.{name}" if self.where else name

    def text(self, name: str) -> str | None:
        """Return a text, macros replaced; None if it is missing or null."""
        node = self._present(name)
        if node is None:
            return None
        if not isinstance(node.value, Scalar):
            self.refuse(name, "a text")
        return self.expand(node.value.text)

    def integer(self, name: str, *, minimum: int = 0) -> int | None:
        """Return a whole number of at least ``minimum``; None if it is missing or null."""
        text = self.text(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text) or int(text) < minimum:
            self.refuse(name, f"a whole number of at least {minimum}")
        return int(text)

    def boolean(self, name: str) -> bool | None:
        """Return a boolean; None if it is missing or null."""
        text = self.text(name)
        if text is None:
            return None
        if text.lower() not in (*_TRUE, *_FALSE):
            self.refuse(name, "true or false")
        return text.lower() in _TRUE

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty if it is missing or null."""
        items = self.items(name)
        for index, item in enumerate(items):
            if not isinstance(item.value, Scalar):
                self._refuse(f"{self.path(name)}[{index}]", item, "a text")
        return tuple(self.expand(item.value.text) for item in items)

    def items(self, name: str) -> list[AnyNode]:
        """Return the nodes of a list; empty if it is missing or null."""
        node = self._present(name)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.refuse(name, "a list")
        return node.value

    def fields(self, name: str) -> "Fields":
        """Return a mapping; without fields if it is missing or null."""
        node = self._present(name)
        if node is not None and not isinstance(node.value, dict):
            self.refuse(name, "a mapping")
        return Fields(self.file, self.path(name), {} if node is None else node.value, self.expand)

    def tables(self, name: str) -> dict[str, "Fields"]:
        """Return a mapping of mappings; empty if it is missing or null."""
        outer = self.fields(name)
        return {key: outer.fields(key) for key in outer.nodes}

    def values(self, name: str) -> dict[str, Any]:
        """Return a mapping of JSON values, macros replaced; empty if it is missing or null."""
        outer = self.fields(name)
        return {self.expand(key): json_value(node, self.expand) for key, node in outer.nodes.items()}

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raise ``InvalidSettingError`` for a field that is something else than ``expected``."""
        self._refuse(self.path(name), self.nodes[name], expected)

    def _refuse(self, path: str, node: AnyNode, expected: str) -> NoReturn:
        sentence = f"{place(self.file, node.mark)}: '{path}' must be {expected}{_but_is(node)}."
        raise InvalidSettingError(escape_line(sentence))

    def _present(self, name: str) -> AnyNode | None:
        node = self.nodes.get(name)
        return None if node is None or is_null(node) else node


def place(file: str, mark: Mark) -> str:
    """Return a place for a message."""
    return f"{file}, line {mark.line}, column {mark.column}"


def is_null(node: AnyNode) -> bool:
    """Whether a node is null."""
    return isinstance(node.value, Scalar) and resolved(node.value) is None


def json_value(node: AnyNode, expand: Expand = _unchanged) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a node, macros replaced. A plain scalar that is a macro alone gets the macro's type."""
    if isinstance(node.value, Scalar):
        text = expand(node.value.text)
        is_macro = node.value.text.startswith("${") and node.value.text.endswith("}")
        return resolved(Scalar(text, node.value.is_plain or is_macro))
    if isinstance(node.value, list):
        return [json_value(item, expand) for item in node.value]
    return {expand(key): json_value(child, expand) for key, child in node.value.items()}


_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
MAX_NUMBER_CHARACTERS = 400
"""Python refuses to convert more than 4,300 digits."""


def resolved(scalar: Scalar) -> Any:  # noqa: ANN401 - None, bool, int, float or str
    """Return the value of a scalar by YAML 1.2's core schema (section 10.3.2); infinities and NaN stay texts."""
    text = scalar.text
    if not scalar.is_plain or len(text) > MAX_NUMBER_CHARACTERS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _but_is(node: AnyNode) -> str:
    """Return how a value differs from what is expected. Never its text: it may be a secret."""
    if isinstance(node.value, list):
        return ", not a list"
    return ", not a mapping" if isinstance(node.value, dict) else ""

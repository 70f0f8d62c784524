"""Parses a YAML file into a document with places. Pure. Imports PyYAML (0.1 s): import this module only to read a file.

PyYAML only supplies the events of the text. The values are composed here, because its own loaders resolve YAML 1.1
(``on`` is a boolean), accept a key twice, and expand nested aliases without a bound.
"""

from collections.abc import Iterator
from typing import Any, NoReturn

import yaml
from yaml import events
from yaml.events import Event, NodeEvent

from gglib.core.errors import InvalidSettingError
from gglib.core.plain_text import escape_line
from gglib.library.importers.configurations.files.documents import AnyNode, Fields, Mark, Node, Scalar, place

MAX_VALUES = 100_000
"""Of a document, aliases included."""
MAX_DEPTH = 50
_MERGE = "<<"
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")
)
_TEXT_TAG = "tag:yaml.org,2002:str"


def read_yaml(text: str, file: str) -> Fields:
    """Return the mapping of a YAML document. Raises ``InvalidSettingError`` with file, line and column."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, in a tenth of the time
    try:
        node = _Composer(yaml.parse(text, Loader=loader), file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = file if mark is None else place(file, Mark(mark.line + 1, mark.column + 1))
        raise InvalidSettingError(
            f"{where}: it is not valid YAML ({error.problem or error.context})."
        ) from None
    except yaml.YAMLError as error:  # a character that YAML excludes
        reason = getattr(error, "reason", "characters that YAML excludes")
        raise InvalidSettingError(f"{file} is not valid YAML ({reason}).") from None
    if not isinstance(node.value, dict):
        raise InvalidSettingError(f"{place(file, node.mark)}: the file must be a mapping of fields.")
    return Fields(file, "", node.value)


class _Composer:
    """Composes the nodes of one document from its events: PyYAML ends each list and mapping, or raises."""

    def __init__(self, stream: Iterator[Event], file: str) -> None:
        self._events = stream
        self._file = file
        self._anchors: dict[str, tuple[AnyNode, int]] = {}
        """Node and number of values, by anchor."""
        self._count = 0

    def document(self) -> AnyNode:
        """Return the only document of the stream."""
        node: AnyNode | None = None
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                if node is not None:
                    self._refuse(event, "it has a second document: keep one document in the file")
            elif isinstance(event, events.NodeEvent):
                node = self._node(event, depth=0)
        if node is None:  # comments only
            raise InvalidSettingError(f"{self._file} has no content but comments: name a configuration file.")
        return node

    def _node(self, event: NodeEvent, *, depth: int) -> AnyNode:
        if isinstance(event, events.AliasEvent):
            return self._aliased(event)
        if depth > MAX_DEPTH:
            self._refuse(event, f"it is nested more than {MAX_DEPTH} deep")
        before = self._count
        self._add(1, event)
        node: AnyNode = Node(self._value(event, depth), _mark(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._count - before)
        return node

    def _value(self, event: NodeEvent, depth: int) -> Any:  # noqa: ANN401 - as ``AnyNode.value``
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", *_TAGS):
            self._refuse(event, f"the tag '{tag}' has no meaning here: remove it")
        if isinstance(event, events.ScalarEvent):
            if "\0" in event.value:  # by an escape: names of files, variables and words of commands have none
                self._refuse(event, "it has a NUL character: remove it")
            return Scalar(event.value, is_plain=event.implicit[0] or tag in _TAGS - {_TEXT_TAG})
        if isinstance(event, events.SequenceStartEvent):
            return self._list(depth)
        return self._mapping(depth)

    def _list(self, depth: int) -> list[AnyNode]:
        found: list[AnyNode] = []
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            found.append(self._node(event, depth=depth + 1))
        return found

    def _mapping(self, depth: int) -> dict[str, AnyNode]:
        found: dict[str, AnyNode] = {}
        merged: list[AnyNode] = []
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            key = self._node(event, depth=depth + 1)
            value = self._node(next(self._events), depth=depth + 1)
            if not isinstance(key.value, Scalar):
                self._refuse(event, "a key must be a text")
            if key.value == Scalar(_MERGE, is_plain=True):
                merged += value.value if isinstance(value.value, list) else [value]
            elif key.value.text in found:
                self._refuse(event, f"the key '{key.value.text}' is there twice: keep one")
            else:
                found[key.value.text] = value
        return self._with_merged(found, merged)

    def _with_merged(self, found: dict[str, AnyNode], merged: list[AnyNode]) -> dict[str, AnyNode]:
        """Return a mapping with the keys of merged mappings that it does not have itself; the first one wins."""
        for node in merged:
            if not isinstance(node.value, dict):
                raise InvalidSettingError(f"{place(self._file, node.mark)}: '<<' must merge a mapping.")
            for key, value in node.value.items():
                found.setdefault(key, value)
        return found

    def _aliased(self, event: NodeEvent) -> AnyNode:
        if event.anchor not in self._anchors:
            self._refuse(event, f"the anchor '{event.anchor}' is not defined above")
        node, count = self._anchors[event.anchor]
        self._add(count, event)
        return node

    def _add(self, count: int, event: Event) -> None:
        self._count += count
        if self._count > MAX_VALUES:
            self._refuse(event, f"it has more than {MAX_VALUES} values, aliases included")

    def _refuse(self, event: Event, problem: str) -> NoReturn:
        raise InvalidSettingError(escape_line(f"{place(self._file, _mark(event))}: {problem}."))


def _mark(event: Event) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)

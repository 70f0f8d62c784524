"""Applies a profile to a request body: byte edits in front of the forwarded body. Pure.

The order of the steps, for each field of a profile:

1. A field in ``strip`` is removed, also under its other names (``max_tokens`` and ``max_completion_tokens``). If the
   profile has a default for it, the default replaces it.
2. Any other field that the client sets stays as it is. ``null`` sets nothing, as in the engine.
3. All other defaults are inserted at the beginning of the body.

``chat_template_kwargs`` is filled in member by member. The system prompt is inserted in the dialect of the path, unless
the client sends a system or developer message. All other bytes stay unchanged, and applying a profile twice changes
nothing more.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from gglib.core.profiles import Profile
from gglib.proxy.envelope import Edit, apply_edits
from gglib.proxy.errors import BadRequestError
from gglib.proxy.json_scan import JsonRefusedError, RootScanner, spelled

Span = tuple[int, int]
"""Start and end of a value in the body."""

_TEMPLATE_KWARGS = "chat_template_kwargs"
_SYSTEM_ROLES = frozenset(("system", "developer"))
_SYSTEM_TEXT = re.compile(b'"(?:%b)"' % b"|".join(spelled(role) for role in sorted(_SYSTEM_ROLES)))
"""A string that is such a role. Quotes in a string have a backslash before them, so a text with these words does not
match."""
_MAX_SYSTEM_TEXT_BYTES = 64
_SEARCHED_BYTES = 256 * 1024
"""Searched in one call, which holds the GIL for up to 2 ms."""
_WHITESPACE = b" \t\r\n"
_NULL = b"null"
_COMMA, _END_OF_OBJECT = b",}"
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Dialect:
    """Where a path expects what a profile sets."""

    system: str | None = None
    """The top-level field of the system prompt; None: it has none, or it is a message."""
    messages: str | None = None
    """The array that may have a system message."""
    has_template: bool = False
    """Whether the engine applies the chat template."""
    names: tuple[tuple[str, str], ...] = ()
    """Fields with another name in this dialect."""


_PLAIN = _Dialect()
_ANTHROPIC = _Dialect(
    system="system", messages="messages", has_template=True, names=(("stop", "stop_sequences"),)
)
_DIALECTS = {
    "/v1/chat/completions": _Dialect(messages="messages", has_template=True),
    "/v1/messages": _ANTHROPIC,
    "/v1/messages/count_tokens": _ANTHROPIC,
    "/v1/responses": _Dialect(
        system="instructions",
        messages="input",
        has_template=True,
        names=(("max_tokens", "max_output_tokens"),),
    ),
}
_SYNONYMS = (
    frozenset(("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")),
    frozenset(("stop", "stop_sequences")),
)
"""Names of one value in the dialects and in llama.cpp: a client sets it by any of them."""


def apply_profile(body: bytes, profile: Profile, path: str) -> bytes:
    """Return the body of a request to ``path`` with ``profile`` applied.

    ``body`` is a JSON object with a ``model``, as ``read_envelope`` has checked. Raises ``BadRequestError`` if it is
    not valid JSON.
    """
    dialect = _DIALECTS.get(path, _PLAIN)
    defaults = _defaults(profile, dialect)
    stripped = frozenset(synonym for name in profile.strip for synonym in _synonyms(name))
    own = {name for name in (dialect.messages, dialect.system, _TEMPLATE_KWARGS) if name is not None}
    names = own.union(stripped, *map(_synonyms, defaults))
    editor = _ObjectEditor(body, tuple(sorted(names)), stripped)
    for name, value in defaults.items():
        editor.set_default(name, value)
    if profile.template_kwargs and dialect.has_template:
        _set_template_kwargs(editor, profile)
    if profile.system is not None:
        _set_system(editor, dialect, profile.system)
    return apply_edits(body, editor.finish())


def _defaults(profile: Profile, dialect: _Dialect) -> dict[str, bytes]:
    """Return the JSON of the defaults, under their names in the dialect."""
    names = dict(dialect.names)
    values = {names.get(name, name): value for name, value in profile.defaults.items()}
    stop = values.get("stop_sequences")
    if isinstance(stop, str):  # Anthropic has lists only
        values["stop_sequences"] = [stop]
    return {name: _to_json(value) for name, value in values.items()}


def _synonyms(name: str) -> frozenset[str]:
    return next((names for names in _SYNONYMS if name in names), frozenset((name,)))


def _to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@lru_cache(maxsize=64)
def _scanner(names: tuple[str, ...]) -> RootScanner:
    """Return the scanner for the fields of a profile; compiling it takes milliseconds."""
    return RootScanner(names)


def _set_template_kwargs(editor: "_ObjectEditor", profile: Profile) -> None:
    given = editor.value(_TEMPLATE_KWARGS)
    if given is None or _TEMPLATE_KWARGS in editor.stripped:
        editor.set_default(_TEMPLATE_KWARGS, _to_json(profile.template_kwargs))
        return
    start, end = given
    content = editor.body[start:end]
    if content.startswith(b"{"):
        nested = _ObjectEditor(content, tuple(sorted(profile.template_kwargs)))
        for name, value in profile.template_kwargs.items():
            nested.set_default(name, _to_json(value))
        editor.add_edits((start + first, start + last, text) for first, last, text in nested.finish())


def _set_system(editor: "_ObjectEditor", dialect: _Dialect, system: str) -> None:
    if dialect.messages is None:
        return
    if dialect.system is not None and dialect.system in editor.stripped:
        editor.set_default(dialect.system, _to_json(system))
        return
    messages = editor.value(dialect.messages)
    is_array = messages is not None and editor.body[messages[0]] == ord("[")
    if messages is not None and is_array and _has_system_message(editor.body, messages):
        return
    if dialect.system is not None:
        editor.set_default(dialect.system, _to_json(system))
    elif messages is not None and is_array:
        editor.add_edits([_first_message(editor.body, messages, system)])


def _first_message(body: bytes, messages: Span, system: str) -> Edit:
    """Return the edit that inserts a system message at the beginning of an array."""
    position = messages[0] + 1
    message = _to_json({"role": "system", "content": system})
    is_empty = not body[position : messages[1] - 1].strip(_WHITESPACE)
    return position, position, message if is_empty else message + b","


def _has_system_message(body: bytes, array: Span) -> bool:
    """Whether a valid array has a message with the role ``system`` or ``developer``.

    Usually the search for such a string decides. Otherwise the messages are parsed in order, up to the first match.
    """
    start, end = array
    if not any(
        _SYSTEM_TEXT.search(body, position, min(position + _SEARCHED_BYTES + _MAX_SYSTEM_TEXT_BYTES, end))
        for position in range(start, end, _SEARCHED_BYTES)
    ):
        return False
    return any(
        isinstance(item, dict) and item.get("role") in _SYSTEM_ROLES
        for item in _items(body[start:end].decode())
    )


def _items(array: str) -> Iterator[object]:
    """Yield the items of a valid JSON array, each parsed when it is needed."""
    position = _next_position(array, 1)
    while array[position] != "]":
        item, position = _decoder.raw_decode(array, position)
        yield item
        position = _next_position(array, position)
        if array[position] == ",":
            position = _next_position(array, position + 1)


def _next_position(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


class _ObjectEditor:
    """Collects edits of a JSON object. ``stripped`` members are removed, even if the client sets them.

    Raises ``BadRequestError`` if the object is not valid JSON.
    """

    __slots__ = ("_edits", "_inserted", "_kept", "_spans", "body", "stripped")

    def __init__(self, body: bytes, names: tuple[str, ...], stripped: frozenset[str] = frozenset()) -> None:
        self.body = body
        self.stripped = stripped
        self._spans: dict[str, list[Span]] = {}
        self._edits: list[Edit] = []
        self._inserted: list[bytes] = []
        self._kept: set[Span] = set()
        try:
            for name, start, end in _scanner(names).scan(body):
                self._spans.setdefault(name, []).append((start, end))
        except JsonRefusedError as error:
            raise BadRequestError(f"The request body {error}") from error

    def value(self, name: str) -> Span | None:
        """Return the last value of a member that is not null; None if there is none."""
        return next((span for span in reversed(self._spans.get(name, ())) if not self._is_null(span)), None)

    def set_default(self, name: str, value: bytes) -> None:
        """Set a member that the client does not set, under any of its names, or that is stripped."""
        spans = self._spans.get(name)
        if name not in self.stripped and any(self.value(synonym) for synonym in _synonyms(name)):
            return
        if spans:
            self._kept.add(spans[-1])
            self._edits.append((*spans[-1], value))
        else:
            self._inserted.append(b'"%b":%b' % (name.encode(), value))

    def add_edits(self, edits: Iterable[Edit]) -> None:
        """Add edits inside of a value."""
        self._edits += edits

    def finish(self) -> tuple[Edit, ...]:
        """Return all edits in body order."""
        edits = [*self._edits, *self._removals()]
        if self._inserted:
            position = self.body.index(b"{") + 1
            is_empty = self.body[_skip_whitespace(self.body, position)] == _END_OF_OBJECT
            text = b",".join(self._inserted)
            edits.append((position, position, text if is_empty else text + b","))
        return tuple(sorted(edits))

    def _is_null(self, span: Span) -> bool:
        start, end = span
        return end - start == len(_NULL) and self.body[start:end] == _NULL

    def _removals(self) -> list[Edit]:
        """Return the removals of stripped members, each with one comma."""
        body = self.body
        removals: list[Edit] = []
        spans = sorted(
            span for name in self.stripped for span in self._spans.get(name, ()) if span not in self._kept
        )
        for start, end in spans:
            first = _key_start(body, start)
            after = _skip_whitespace(body, end)
            if body[after] == _COMMA:
                removals.append((first, after + 1, b""))
                continue
            # The last member: remove the comma before it instead, which may follow removed members.
            first = _before_whitespace(body, first)
            while removals and removals[-1][1] == first:
                first = _before_whitespace(body, removals.pop()[0])
            removals.append((first - 1 if body[first - 1] == _COMMA else first, end, b""))
        return removals


def _key_start(body: bytes, value_start: int) -> int:
    """Return the start of a member's key, which has no quote in it."""
    return body.rfind(b'"', 0, body.rfind(b'"', 0, value_start))


def _skip_whitespace(body: bytes, position: int) -> int:
    while body[position] in _WHITESPACE:
        position += 1
    return position


def _before_whitespace(body: bytes, position: int) -> int:
    while body[position - 1] in _WHITESPACE:
        position -= 1
    return position

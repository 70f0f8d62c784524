"""Validates a body as strict JSON and locates members of its root object without building objects.

Pure. Regular expressions match whole members, arrays and objects in one call, so the time is spent in C. A ``_Walker``
handles what they do not match (long strings, deeper nesting, syntax errors), one step per value; the expressions
continue after it. Only slices of bounded size are copied: a body of 64 MiB costs time but no memory.

**Two ways to match a string.** Repeating a character set is the slowest operation of ``re``; repeating a single
excluded character is more than twice as fast. So longer bodies are first searched, at the speed of memchr, for control
characters and unusual escapes. A body without them is *simple*: all its strings are valid, and each ends at the next
quote that has no backslash before it. Strings of other bodies are matched character by character, which is always
correct.

**Why the time is linear for hostile input.** Every repetition is possessive, or bounded and atomic, so there is no
backtracking. An expression matches a few levels of nesting, so a byte is matched at most that many times plus one. The
walker is limited to ``MAX_STEPS``. Possessive repeats of groups would be simpler than bounded atomic ones, but Python
3.11.0 to 3.11.4 match them wrongly (gh-100061); possessive repeats of single characters are correct everywhere.

Stricter than RFC 8259 requires, because the proxy and the engine must not disagree and neither may be overloaded:
nesting and the length of numbers are limited, and unpaired surrogates are refused.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NoReturn, cast

MAX_DEPTH = 64
"""Maximum nesting of objects and arrays, including the root. The deepest usual bodies, tool schemas, have 15."""

MAX_NUMBER_CHARS = 4300
"""Python's limit for the digits of an integer; the time of the conversion is quadratic."""

MAX_STEPS = 20_000
"""Maximum number of steps of the walker, up to ten microseconds each. An ordinary body takes hundreds. Only bodies with
many deeply nested small values, or keys with escapes, exceed it; they would block other requests."""

MAX_COMMAS_AND_ESCAPES = 4_000_000
"""Items and escapes cost a tenth of a microsecond each, and block the event loop. A million tokens of text have fewer,
even if every letter is an escape."""
_COUNTED_FROM_BYTES = 1024 * 1024
"""Shorter bodies cannot exceed ``MAX_COMMAS_AND_ESCAPES``."""

MAX_LOCATED = 1000
"""Maximum number of located members. There are few names, so more would be mostly duplicates."""

_PRESCAN_FROM_BYTES = 4096
"""Matching a shorter body takes less time than the prescan."""

_SLICE_BYTES = 32_768
"""Size of copied slices; it fits into the fastest CPU caches."""

_SHORT_BYTES = 1024
"""Up to this length, one match is faster than 32 searches for control characters."""

_MAX_GROUP_REPEATS = 250
"""Maximum repeats of a group in one match. Each repeat allocates some hundred bytes until the group ends; beyond this
number the allocator requests pages from the system, which takes longer than the match."""

_MAX_LEVELS = 6
"""Nesting levels that one expression matches."""
_BELOW_ROOT = ("[{", "[{", "[{")
_BELOW_OBJECT = ("[{", "[{", "[{", "{", "[")
_BELOW_ARRAY = ("[{", "[{", "[{", "[{", "{", "[")
"""The opening brackets allowed at each nesting level of one expression, at most ``_MAX_LEVELS`` levels. Allowing both
doubles the expression and its compile time, so the deeper levels allow only those of a tool schema: tool, function,
parameters, properties (and ``required``), property, enum. Messages with parts or calls need four. The walker handles
the rest."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONTROLS = bytes(range(0x20))
_CONTINUATIONS = bytes(range(0x80, 0xC0))
_QUOTE, _BACKSLASH, _COMMA, _COLON, _END_OF_OBJECT = b'"\\,:}'
_NO_KEY = "Expecting property name enclosed in double quotes"
_CLOSERS = dict(zip(b"{[", b"}]", strict=True))

Member = tuple[str, int, int]
"""A located member of the root: its name, and the ``start`` and ``end`` of its raw value."""


def spelled(text: str) -> bytes:
    """Return a pattern for all JSON spellings of ASCII letters: each as itself, or escaped."""
    return b"".join(b"(?:%c|\\\\u(?i:%04x))" % (ord(letter), ord(letter)) for letter in text)


class JsonRefusedError(Exception):
    """The body is refused. The message continues "The request body": ``is not valid JSON: …``."""


class RootScanner:
    """Locates the members of a root object that have one of the ASCII ``names``."""

    __slots__ = ("_longest_key", "_names", "_sorted_names", "_step")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.encode(): name for name in names}
        self._sorted_names = tuple(sorted(self._names))
        self._longest_key = 6 * max(map(len, self._names)) + 2  # every character escaped, plus the quotes
        # Compiled now, not during the first request.
        self._step = _root_step(self._sorted_names, is_simple=False)

    def scan(self, body: bytes) -> list[Member]:
        """Return the located members in order, including duplicates.

        Validates the whole body. Raises ``JsonRefusedError`` if it is not one JSON object.
        """
        is_simple = _prescan(body) if len(body) >= _PRESCAN_FROM_BYTES else _check_short(body)
        step = _root_step(self._sorted_names, is_simple=True) if is_simple else self._step
        names, walker = self._names, None
        found: list[Member] = []
        position = _enter_root(body)
        while body[position] != _END_OF_OBJECT:
            match = step(body, position)
            before, position = position, match.end()
            name = names.get(match[1])
            if name is not None:
                start, end = match.span(2)
                found.append((name, start, end))
            elif position == before:
                walker = walker or _Walker(body, is_simple=is_simple)
                key, value, position = walker.member(position)
                name = self._name(body, key)
                if name is not None:
                    found.append((name, value.start, value.stop))
            if len(found) > MAX_LOCATED:
                raise JsonRefusedError("has the same member too often.")
        _leave_root(body, position)
        return found

    def _name(self, body: bytes, key: range) -> str | None:
        if len(key) > self._longest_key:
            return None
        return self._names.get(json.loads(body[key.start : key.stop]).encode())


class _Walker:
    """Parses, one value at a time, what the expressions do not match. A position is the offset of the next byte."""

    __slots__ = ("_body", "_is_simple", "_match_run", "_match_string", "_runs", "_steps")

    def __init__(self, body: bytes, *, is_simple: bool) -> None:
        self._body = body
        self._is_simple = is_simple
        self._match_string = re.compile(_SIMPLE_STRING if is_simple else _STRING).match
        self._match_run = _always_matching(_RUN_OF_SIMPLE_TEXT if is_simple else _RUN_OF_TEXT)
        self._runs: dict[tuple[int, bool], _Matcher] = {}
        self._steps = 0

    def member(self, position: int) -> tuple[range, range, int]:
        """Return the ranges of key and value of a root member, and the position after it."""
        self._count_step()
        key_end, start = self._key(position)
        end = self._value(start)
        after = _skip_whitespace(self._body, end)
        if self._byte_at(after) == _COMMA:
            after = _skip_whitespace(self._body, after + 1)
            if self._byte_at(after) != _QUOTE:
                self._refuse_key(after)
        elif self._byte_at(after) != _END_OF_OBJECT:
            self._refuse("Expecting ',' delimiter", after)
        return range(position, key_end), range(start, end), after

    def _value(self, position: int) -> int:
        """Return the end of a root value of any depth. ``closers`` is the stack of expected closing brackets."""
        body = self._body
        closers = bytearray()
        while True:
            closer = _CLOSERS.get(self._byte_at(position))
            is_at_value = False
            if closer is None:
                end = self.scalar(position)
            else:
                self._enter(closer, closers)
                end = position + 1
                position = _skip_whitespace(body, end)
                if self._byte_at(position) != closer:
                    position, is_at_value = self._items(position, closers)
                    end = position
            while not is_at_value:
                if not closers:
                    return end
                separator = _SEPARATOR.match(body, end)
                if separator is None:
                    self._refuse("Expecting ',' delimiter", _skip_whitespace(body, end))
                if separator[1] == b",":
                    position, is_at_value = self._items(separator.end(), closers)
                    end = position
                elif body[separator.start(1)] == closers[-1]:
                    closers.pop()
                    end = separator.end(1)
                else:
                    self._refuse("Expecting ',' delimiter", separator.start(1))

    def _enter(self, closer: int, closers: bytearray) -> None:
        self._count_step()
        if len(closers) + 1 == MAX_DEPTH:  # plus the root
            raise JsonRefusedError(f"is nested more than {MAX_DEPTH} deep.")
        closers.append(closer)

    def _items(self, position: int, closers: bytearray) -> tuple[int, bool]:
        """Skip items. Return the position of the next value to parse and True, or of the closing bracket and False."""
        self._count_step()
        closer = closers[-1]
        allows_nesting = len(closers) + 1 + _MAX_LEVELS <= MAX_DEPTH
        run = self._runs.get((closer, allows_nesting)) or self._new_run(closer, allows_nesting=allows_nesting)
        after = run(self._body, position).end()
        if after > position and self._byte_at(after) == closer:
            return after, False
        return (self._key(after)[1] if closer == _END_OF_OBJECT else after), True

    def _new_run(self, closer: int, *, allows_nesting: bool) -> "_Matcher":
        run = _items_run(
            in_object=closer == _END_OF_OBJECT, allows_nesting=allows_nesting, is_simple=self._is_simple
        )
        self._runs[closer, allows_nesting] = run
        return run

    def _key(self, position: int) -> tuple[int, int]:
        """Return the end of a key and the position of its value."""
        match = _PLAIN_KEY.match(self._body, position)
        if match is not None:
            return match.end(1), match.end()
        if self._byte_at(position) != _QUOTE:
            self._refuse_key(position)
        end = self._string(position)
        colon = _skip_whitespace(self._body, end)
        if self._byte_at(colon) != _COLON:
            self._refuse("Expecting ':' delimiter", colon)
        return end, _skip_whitespace(self._body, colon + 1)

    def _count_step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise JsonRefusedError("has too many small parts.")

    def scalar(self, position: int) -> int:
        """Return the end of a string, number or literal."""
        if self._byte_at(position) == _QUOTE:
            return self._string(position)
        match = _NUMBER_OR_LITERAL.match(self._body, position)
        if match is None:
            return self._refuse("Expecting value", position)
        if match.lastgroup == "constant":
            raise JsonRefusedError(f"is not valid JSON: {match[0].decode()} is not a JSON number.")
        if match.end() - position > MAX_NUMBER_CHARS:
            raise JsonRefusedError("is not valid JSON: a number in it is too long.")
        return match.end()

    def _string(self, position: int) -> int:
        match = self._match_string(self._body, position)
        if match is not None:
            return match.end()
        return self._simple_string(position) if self._is_simple else self._general_string(position)

    def _simple_string(self, start: int) -> int:
        """Return the end of a long string in a simple body: the next quote without a backslash before it."""
        position = start + 1
        while True:
            position = self._match_run(self._body, position).end()
            position = self._quote(start, position) + 1
            if self._body[position - 2] != _BACKSLASH:
                return position

    def _general_string(self, start: int) -> int:
        """Return the end of a long or invalid string: from one backslash to the next, by memchr."""
        position, quote = start + 1, start
        while True:
            position = self._match_run(self._body, position).end()
            if quote < position:
                quote = self._quote(start, position)
            backslash = self._body.find(b"\\", position, quote)
            end = quote if backslash < 0 else backslash
            self._refuse_controls(position, end)
            if backslash < 0:
                return quote + 1
            escape = _ESCAPE.match(self._body, backslash)
            if escape is None:
                self._refuse_escape(backslash)
            position = escape.end()

    def _quote(self, start: int, position: int) -> int:
        quote = self._body.find(b'"', position)
        return quote if quote >= 0 else self._refuse("Unterminated string starting", start)

    def _refuse_controls(self, start: int, end: int) -> None:
        if end - start > _SHORT_BYTES and not any(map(_has_control, _slices(self._body, start, end))):
            return
        at = _PLAIN_RUN(self._body, start, end).end()
        if at < end:
            self._refuse("Invalid control character", at)

    def _refuse_escape(self, position: int) -> NoReturn:
        if _SURROGATE.match(self._body, position):
            raise JsonRefusedError("is not valid Unicode: it has half of a surrogate pair in a string.")
        self._refuse("Invalid \\escape", position)

    def _refuse_key(self, position: int) -> NoReturn:
        self._refuse(_NO_KEY, position)

    def _refuse(self, what: str, position: int) -> NoReturn:
        _refuse(self._body, what, position)

    def _byte_at(self, position: int) -> int:
        return self._body[position] if position < len(self._body) else -1


def _refuse_bad_utf8(body: bytes) -> None:
    start = 0
    while start < len(body):
        end = start + _SLICE_BYTES
        for _ in range(3):  # do not split a character
            end -= end < len(body) and body[end] in _CONTINUATIONS
        try:
            body[start:end].decode()
        except UnicodeDecodeError as error:
            raise JsonRefusedError("is not valid UTF-8.") from error
        start = end


def _check_short(body: bytes) -> bool:
    """Check the UTF-8 of a short body. Returns False, for not simple: a prescan would take longer than it saves."""
    if not body.isascii():
        _refuse_bad_utf8(body)
    return False


def _prescan(body: bytes) -> bool:
    """Return whether a body is simple. Raises for too many commas and escapes, and for invalid UTF-8.

    One pass over slices, so that repeated reads hit the CPU cache. Separate passes over 20 MB took three times as
    long.
    """
    is_ascii = is_simple = True
    commas_and_escapes = 0
    is_counted = len(body) >= _COUNTED_FROM_BYTES
    for start in range(0, len(body), _SLICE_BYTES):
        piece = body[start : start + _SLICE_BYTES]
        is_ascii = is_ascii and piece.isascii()
        has_backslash = _BACKSLASH in piece
        if is_counted:
            commas_and_escapes += (piece.count(b",") if _COMMA in piece else 0) + (
                piece.count(b"\\") if has_backslash else 0
            )
        if is_simple:
            is_simple = not _has_control(piece) and not (has_backslash and _has_unusual_escape(body, start))
    if commas_and_escapes > MAX_COMMAS_AND_ESCAPES:
        raise JsonRefusedError("has too many small parts.")
    if not is_ascii:
        _refuse_bad_utf8(body)
    return is_simple


def _has_unusual_escape(body: bytes, start: int) -> bool:
    unusual = _UNUSUAL_ESCAPE.search(body, start, start + _SLICE_BYTES + _ESCAPE_CHARS)
    return unusual is not None and unusual.start() < start + _SLICE_BYTES


def _has_control(piece: bytes) -> bool:
    for control in _CONTROLS:  # noqa: SIM110 - a generator would double the time
        if control in piece:
            return True
    return False


def _slices(body: bytes, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _SLICE_BYTES):
        yield body[at : min(at + _SLICE_BYTES, end)]


def _enter_root(body: bytes) -> int:
    """Return the position of the first member, or of the closing brace of an empty root."""
    entry = _ENTRY.match(body)
    if entry is not None:
        return entry.end()
    start = _skip_whitespace(body, len(_BYTE_ORDER_MARK) if body.startswith(_BYTE_ORDER_MARK) else 0)
    if body[start : start + 1] == b"{":
        _refuse(body, _NO_KEY, len(body))
    if body[start : start + 1] not in {b"[", b'"'}:
        _Walker(body, is_simple=False).scalar(start)
    raise JsonRefusedError("must be a JSON object.")


def _leave_root(body: bytes, position: int) -> None:
    if _EXIT.match(body, position) is None:
        _refuse(body, "Extra data", _skip_whitespace(body, position + 1))


def _refuse(body: bytes, what: str, position: int) -> NoReturn:
    """Raise with line and column (in characters, from 1) of the byte at ``position``."""
    line = body.count(b"\n", 0, position) + 1
    start = body.rfind(b"\n", 0, position) + 1
    if line == 1 and body.startswith(_BYTE_ORDER_MARK):
        start = len(_BYTE_ORDER_MARK)
    column = 1 + sum(len(piece.translate(None, _CONTINUATIONS)) for piece in _slices(body, start, position))
    raise JsonRefusedError(f"is not valid JSON: {what} at line {line}, column {column}.")


# The expressions. In simple bodies, a quote after a backslash never ends a string.

_Matcher = Callable[[bytes, int], re.Match[bytes]]


def _always_matching(expression: bytes) -> _Matcher:
    """Return the ``match`` of an expression that always matches, possibly the empty string."""
    return cast("_Matcher", re.compile(expression).match)


def _repeated(expression: bytes) -> bytes:
    return rb"(?>(?:" + expression + rb"){0,%d})" % _MAX_GROUP_REPEATS


_WS = rb"[ \t\n\r]*+"
_PLAIN = rb"[ !#-\[\]-\xff]"  # unescaped characters of a string; as a positive set, because its complement is slower
_PIECE = _PLAIN + rb"{0,16384}+"
_SIMPLE_PIECE = rb'[^"]{0,16384}+'

_HEX = rb"[0-9A-Fa-f]"
_HIGH = rb"[Dd][89ABab]" + _HEX + rb"{2}"
_LOW = rb"[Dd][C-Fc-f]" + _HEX + rb"{2}"
_CODE_UNITS = (
    rb"u(?:[0-9A-CEFa-cef]" + _HEX + rb"{3}|[Dd][0-7]" + _HEX + rb"{2}|" + _HIGH + rb"\\u" + _LOW + rb")"
)
_SHORT_ESCAPES = _repeated(rb'\\["\\/bfnrt]' + _PIECE)
_LONG_ESCAPES = _repeated(rb"\\" + _CODE_UNITS + _PIECE + _SHORT_ESCAPES)
_STRING = rb'"' + _PIECE + rb'(?:"|' + _SHORT_ESCAPES + rb'(?:"|' + _LONG_ESCAPES + rb'"))'
_SIMPLE_STRING = (
    rb'"' + _SIMPLE_PIECE + rb'(?:(?<!\\)"|' + _repeated(rb'(?<=\\)"' + _SIMPLE_PIECE) + rb'(?<!\\)")'
)

_KEY = rb'"' + _PLAIN + rb'{0,200}+"' + _WS + b":" + _WS
_DIGITS = rb"[0-9]{1,400}+"
_EXPONENT = rb"[Ee][+-]?+" + _DIGITS
_NUMBER = (
    rb"-?+(?:0|[1-9][0-9]{0,400}+)"
    rb"(?:(?![.Ee])|\." + _DIGITS + rb"(?:(?![Ee])|" + _EXPONENT + rb")|" + _EXPONENT + rb")"
)
_NEXT_ITEM = _WS + rb"(?:," + _WS + rb"(?!\])|(?=\]))"
_NEXT_MEMBER = _WS + rb"(?:," + _WS + rb'(?=")|(?=\}))'

_ESCAPE_CHARS = 12
"""Length of an escaped surrogate pair."""

_ESCAPE = re.compile(rb'\\(?:["\\/bfnrt]|' + _CODE_UNITS + rb")")
_SURROGATE = re.compile(rb"\\u[Dd][89A-Fa-f]" + _HEX + rb"{2}")
_UNUSUAL_ESCAPE = re.compile(
    rb'\\(?:[^"/bfnrtu]|u(?!' + _CODE_UNITS[1:] + rb"|(?<=\\u" + _HIGH + rb"\\u)" + _LOW + rb"))"
)
"""Escapes that a simple body does not have: invalid ones, unpaired surrogates, and escaped backslashes."""

_RUN_OF_TEXT = _repeated(_PLAIN + rb"{0,200}+" + _ESCAPE.pattern)
_RUN_OF_SIMPLE_TEXT = _repeated(rb'[^"]{0,200}+(?<=\\)"')
_NUMBER_OR_LITERAL = re.compile(
    rb"true|false|null|(?P<constant>NaN|-?Infinity)|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[Ee][+-]?[0-9]++)?"
)
_ENTRY = re.compile(rb"(?:" + _BYTE_ORDER_MARK + rb")?" + _WS + rb"\{" + _WS + rb"(?s:(?=.))")
_EXIT = re.compile(rb"\}" + _WS + rb"\Z")
_SEPARATOR = re.compile(_WS + rb"([,\]}])" + _WS)
_PLAIN_KEY = re.compile(rb'("' + _PLAIN + rb'{0,200}+")' + _WS + b":" + _WS)
_PLAIN_RUN = cast("Callable[[bytes, int, int], re.Match[bytes]]", re.compile(_PLAIN + rb"*+").match)


def _value_expression(levels: tuple[str, ...], *, is_simple: bool) -> bytes:
    """Return the expression of a value; ``levels`` are the opening brackets allowed at each nesting level."""
    choices = [_SIMPLE_STRING if is_simple else _STRING, _NUMBER, b"true", b"false", b"null"]
    if levels:
        inner = _value_expression(levels[1:], is_simple=is_simple)
        if "[" in levels[0]:
            choices.append(rb"\[" + _WS + _repeated(inner + _NEXT_ITEM) + rb"\]")
        if "{" in levels[0]:
            choices.append(rb"\{" + _WS + _repeated(_KEY + inner + _NEXT_MEMBER) + rb"\}")
    return rb"(?:" + rb"|".join(choices) + rb")"


def compile_expressions() -> None:
    """Compile all expressions in advance; they take a tenth of a second, which would delay the first request."""
    for is_simple in (False, True):
        for in_object in (False, True):
            for allows_nesting in (False, True):
                _items_run(in_object=in_object, allows_nesting=allows_nesting, is_simple=is_simple)


@cache
def _items_run(*, in_object: bool, allows_nesting: bool, is_simple: bool) -> _Matcher:
    """Return the matcher of items, each with the comma after it, or up to the closing bracket."""
    if in_object:
        value = _value_expression(_BELOW_OBJECT if allows_nesting else (), is_simple=is_simple)
        return _always_matching(_repeated(_KEY + value + _NEXT_MEMBER))
    return _always_matching(
        _repeated(_value_expression(_BELOW_ARRAY if allows_nesting else (), is_simple=is_simple) + _NEXT_ITEM)
    )


@cache
def _root_step(names: tuple[bytes, ...], *, is_simple: bool) -> _Matcher:
    """Return the matcher of all members up to one in ``names``, and of that member if its value is a scalar."""
    other_name = rb'(?!"(?:' + rb"|".join(map(re.escape, names)) + rb')")'
    others = _repeated(other_name + _KEY + _value_expression(_BELOW_ROOT, is_simple=is_simple) + _NEXT_MEMBER)
    scalar = _value_expression((), is_simple=is_simple)
    return _always_matching(
        others
        + rb'(?:"('
        + _PLAIN
        + rb'{0,200}+)"'
        + _WS
        + rb":"
        + _WS
        + rb"("
        + scalar
        + rb")"
        + _NEXT_MEMBER
        + rb")?"
    )


_match_whitespace = _always_matching(_WS)


def _skip_whitespace(body: bytes, position: int) -> int:
    """Return the position after any white space."""
    return _match_whitespace(body, position).end()

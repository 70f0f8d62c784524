"""Sets and removes entries of a table in the text of a TOML file; everything else stays as it is. Pure.

Each candidate for the new text is parsed and compared with the wanted content, so that no text with a bracket or a key
in an unusual place (a multi-line string, an array) gets another meaning.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

Value = str | int | Sequence[str]

BYTE_ORDER_MARK = "\ufeff"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MAX_ENTRY_LINES = 200
"""Longest entry that is found, in lines."""


def set_entry(text: str, table: str, key: str, value: Value) -> str:
    """Return the text with the entry: in place of the old one, else at the end of the table, else in a new table.

    A comment at the end of the line of a replaced entry stays. Raises ValueError if the text is not valid TOML, or if
    the table has an unusual form.
    """
    return _edited(text, table, key, value)


def remove_entry(text: str, table: str, key: str) -> str:
    """Return the text without the entry and the comment on its line. Raises ValueError as ``set_entry``."""
    return _edited(text, table, key, None)


def entry_line(key: str, value: Value) -> str:
    """Return an entry as a line of TOML."""
    return f"{_key_text(key)} = {value_text(value)}"


def value_text(value: Value) -> str:
    """Return a text, a number or a list of texts in TOML."""
    if isinstance(value, str | int):
        return json.dumps(value, ensure_ascii=False)
    return f"[{', '.join(map(value_text, value))}]"


def _key_text(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else value_text(key)


def _edited(text: str, table: str, key: str, value: Value | None) -> str:
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    before = tomllib.loads(text)
    entries = before.get(table, {})
    if not isinstance(entries, dict):
        raise ValueError(f"its '{table}' is not a table")  # noqa: TRY004 - all reasons are ValueErrors
    wanted = {name: entry for name, entry in entries.items() if name != key or value is not None}
    if value is not None:
        wanted[key] = value if isinstance(value, str | int) else list(value)
    for candidate in _candidates(text, table, key, value, wanted):
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(candidate) == {**before, table: wanted}:
                return mark + candidate
    raise ValueError("its form is unusual")


def _candidates(
    text: str, table: str, key: str, value: Value | None, wanted: Mapping[str, Any]
) -> Iterator[str]:
    """Yield texts that may be the wanted one: an entry or an inline table replaced, an entry removed or added."""
    lines = text.split("\n")
    end = "\r" if "\r\n" in text else ""
    new = None if value is None else entry_line(key, value)
    for first, last in _entries(lines, key):
        yield "\n".join(_replaced(lines, first, last, new))
    for first, last in _entries(lines, table):
        yield "\n".join(_replaced(lines, first, last, f"{_key_text(table)} = {_inline_table(wanted)}"))
    if new is None:
        return
    for header in _headers(lines, table):
        following = [at for at in range(header + 1, len(lines)) if lines[at].lstrip().startswith("[")]
        for index in (*following, len(lines)):
            at = begin_of_comments(lines, index) if index < len(lines) else index
            yield "\n".join(with_line(lines, at, new + end, blank=end if index < len(lines) else ""))
    dotted = re.compile(rf"\s*[\"']?{re.escape(table)}[\"']?\s*\.")
    if any(map(dotted.match, lines)):
        return  # by TOML's rules a header must not follow dotted keys, which tomllib accepts
    lead = "" if not text.strip() else f"{end}\n" if text.endswith("\n") else f"{end}\n{end}\n"
    yield f"{text}{lead}[{_key_text(table)}]{end}\n{new}{end}\n"


def _entries(lines: Sequence[str], key: str) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each text that is one entry with the key."""
    starts = (_key_text(key), value_text(key), f"'{key}'")
    for first, line in enumerate(lines):
        if not line.lstrip().startswith(starts):
            continue
        for last in range(first, min(first + _MAX_ENTRY_LINES, len(lines))):
            parsed = _parsed("\n".join((*lines[first : last + 1], "")))
            if parsed is not None:
                if list(parsed) == [key]:
                    yield first, last
                break


def _parsed(text: str) -> dict[str, Any] | None:
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(text)
    return None


def _replaced(lines: Sequence[str], first: int, last: int, new: str | None) -> list[str]:
    """Return the lines with another entry, or none, in place of one; its indentation and last comment stay."""
    if new is None:
        return [*lines[:first], *lines[last + 1 :]]
    old = lines[first]
    indent = old[: len(old) - len(old.lstrip())]
    end = "\r" if lines[last].endswith("\r") else ""
    comment = _comment("\n".join(lines[first : last + 1]).removesuffix(end))
    return [*lines[:first], f"{indent}{new}{comment}{end}", *lines[last + 1 :]]


def _comment(entry: str) -> str:
    """Return the comment at the end of an entry, with the spaces before it."""
    begin = entry.rfind("\n") + 1
    whole = _parsed(entry)
    for at in (match.start() for match in re.finditer(r"[ \t]*#", entry[begin:])):
        if _parsed(entry[: begin + at]) == whole:
            return entry[begin + at :]
    return ""


def _inline_table(entries: Mapping[str, Any]) -> str:
    return f"{{{', '.join(entry_line(key, value) for key, value in entries.items())}}}"


def _headers(lines: Sequence[str], table: str) -> list[int]:
    header = re.compile(rf"\s*\[\s*[\"']?{re.escape(table)}[\"']?\s*\]\s*(#.*)?")
    return [index for index, line in enumerate(lines) if header.fullmatch(line)]


def begin_of_comments(lines: Sequence[str], header: int) -> int:
    """Return the index of the first of the comment lines directly above a table's header: they belong to it."""
    while header > 0 and lines[header - 1].lstrip().startswith("#"):
        header -= 1
    return header


def with_line(lines: Sequence[str], index: int, line: str, *, blank: str) -> list[str]:
    """Return the lines with a line above the blank lines before ``index``; ``blank`` is added if there are none."""
    end = index
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    return [*lines[:end], line, *(lines[end:index] or [blank]), *lines[index:]]

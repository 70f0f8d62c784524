"""Edits TOML: replaces the lines of single values, and adds lines and tables. Pure."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from gglib.app.clients.client import ConfigFile
from gglib.app.clients.merged_values import merged, with_defaults
from gglib.app.clients.snippets import config_text, toml_key, toml_value

Path = tuple[str, ...]


def edited(text: str, file: ConfigFile) -> str:
    """Return the text with the values of ``file``. Raises ValueError with a phrase.

    The result is parsed and compared: a text in an unusual form (inline tables, values of several lines) is refused
    instead of getting another meaning.
    """
    if not text.strip():
        return config_text(with_defaults(file.values, file.defaults), file.format) + "\n"
    existing = _parsed(text)
    expected = merged(existing, file)
    lines = text.split("\n")
    for path, name, value in _changes(existing, expected, ()):
        lines = _with_value(lines, path, name, toml_value(value))
    changed = "\n".join(lines)
    changed = changed if changed.endswith("\n") or changed == text else f"{changed}\n"
    try:
        is_right = tomllib.loads(changed) == expected
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise ValueError("its form is unusual")
    return changed


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is not TOML: {error}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _changes(
    existing: Mapping[str, Any], expected: Mapping[str, Any], path: Path
) -> Iterator[tuple[Path, str, Any]]:
    """Return table, key and value of each value that differs, tables after the values beside them."""
    for name, value in expected.items():
        if not isinstance(value, Mapping) and existing.get(name) != value:
            yield path, name, value
    for name, value in expected.items():
        if isinstance(value, Mapping):
            yield from _changes(existing.get(name) or {}, value, (*path, name))


def _with_value(lines: list[str], path: Path, name: str, value: str) -> list[str]:
    """Return the lines with one value: in the place of the key's line, or at the end of its table."""
    begin, end = _table(lines, path)
    line = f"{toml_key(name)} = {value}"
    if begin is None:
        header = f"[{'.'.join(map(toml_key, path))}]"
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        return [*lines, *([""] if lines else []), header, line, ""]
    own = re.compile(rf"\s*(?:{re.escape(name)}|{re.escape(toml_value(name))})\s*=")
    for index in range(begin, end):
        if own.match(lines[index]):
            return [*lines[:index], line + _comment(lines[index]), *lines[index + 1 :]]
    at = end
    while at > begin and (not lines[at - 1].strip() or (end < len(lines) and _is_comment(lines[at - 1]))):
        at -= 1
    gap = [""] if at == end < len(lines) else []
    return [*lines[:at], line, *gap, *lines[at:]]


def _table(lines: list[str], path: Path) -> tuple[int | None, int]:
    """Return the first line of a table after its header, and the line after its last; None: there is no such table."""
    headers = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    if not path:
        return 0, headers[0] if headers else len(lines)
    for index, end in pairwise([*headers, len(lines)]):
        if _header_path(lines[index]) == path:
            return index + 1, end
    return None, len(lines)


def _header_path(line: str) -> Path | None:
    """Return the path in a table's header; None for another line with a bracket."""
    try:
        table: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path: Path = ()
    while isinstance(table, dict) and table:
        ((name, table),) = table.items()
        path = (*path, name)
    return path if table == {} else None


def _comment(line: str) -> str:
    """Return the comment behind a value, with the space before it; empty if there is none."""
    value = _parsed_or_none(line)
    for found in re.finditer(r"\s*#", line):
        if value is not None and _parsed_or_none(line[: found.start()]) == value:
            return line[found.start() :]
    return ""


def _parsed_or_none(line: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")

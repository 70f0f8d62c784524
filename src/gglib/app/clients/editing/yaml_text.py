"""Adds items to lists in YAML files. Pure.

There is no YAML parser here: only files in plain block style are changed, in which the begin and the end of a list can
be seen from the indentation alone (YAML 1.2, chapter 8). Everything else is refused.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gglib.app.clients.client import ConfigFile
from gglib.app.clients.snippets import yaml_lines

_KEY = re.compile(r"""([A-Za-z_][\w.-]*|"[^"\\]*"|'[^']*')\s*:(?:\s+(.*))?$""")
_UNUSUAL = "its form is unusual"
_ITEM_INDENT = "  "


@dataclass(frozen=True, slots=True)
class _List:
    """A list in the lines from ``begin`` to ``end``; its dashes are behind ``indent``."""

    begin: int
    end: int
    indent: str


def edited(text: str, file: ConfigFile) -> str:
    """Return the text with the items and the missing keys of ``file``. Raises ValueError with a phrase."""
    lines = text.split("\n")
    if not any(_is_content(line) for line in lines):
        kept = text.rstrip("\n")
        return "\n".join([*([kept] if kept else []), *_new_lines(file), ""])
    if isinstance(file.values, list):
        _check_top(lines, is_list=True)
        found = _List(0, _end_of_block(lines, 0, ""), "")
        return _joined(_with_items(lines, found, file.values, file.identity))
    _check_top(lines, is_list=False)
    for name, items in file.values.items():
        if not isinstance(items, list):
            raise ValueError(_UNUSUAL)  # noqa: TRY004 - of the file's content
        lines = _with_list(lines, name, items, file.identity)
    missing = {name: value for name, value in file.defaults.items() if not _positions(lines, name)}
    return _joined(_appended(lines, yaml_lines(missing)) if missing else lines)


def _new_lines(file: ConfigFile) -> list[str]:
    values = file.values
    return yaml_lines({**file.defaults, **values} if isinstance(values, Mapping) else values)


def _joined(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    return text if text.endswith("\n") else f"{text}\n"


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#") and line.rstrip() != "---"


def _check_top(lines: Sequence[str], *, is_list: bool) -> None:
    """Raise ValueError unless each line at the margin begins a key, or an item of a list."""
    for index, line in enumerate(lines):
        if line[:1] == "\t" or (line.rstrip() == "---" and any(map(_is_content, lines[:index]))):
            raise ValueError(_UNUSUAL)
        if not _is_content(line) or line[:1] == " ":
            continue
        is_item = re.match(r"-(\s|$)", line) is not None
        if not is_item and (is_list or _KEY.match(line) is None):
            raise ValueError(_UNUSUAL)
    first = next(line for line in lines if _is_content(line))
    if first[:1] == " " or (first[:1] == "-") != is_list:
        raise ValueError(_UNUSUAL)


def _positions(lines: Sequence[str], name: str) -> list[tuple[int, str]]:
    """Return the lines at the margin that set a key, each with what follows the colon, without a comment."""
    found = []
    for index, line in enumerate(lines):
        match = _KEY.match(line)
        if match is not None and match[1].strip("\"'") == name:
            found.append((index, (match[2] or "").partition("#")[0].strip()))
    return found


def _with_list(
    lines: list[str], name: str, items: list[dict[str, object]], identity: Sequence[str]
) -> list[str]:
    """Return the lines with the items added to the list of a key."""
    found = _positions(lines, name)
    if not found:
        return _appended(lines, yaml_lines({name: items}))
    if len(found) > 1:
        raise ValueError(f"it sets '{name}' twice")
    at, value = found[0]
    if value in {"[]", "null", "~"}:
        return [*lines[:at], *yaml_lines({name: items}), *lines[at + 1 :]]
    if value:
        raise ValueError(f"'{name}' is not a list in block style")
    first = next((line for line in lines[at + 1 :] if _is_content(line)), "")
    dash = re.match(r"( *)-\s", first + " ")
    if dash is None:
        if first[:1] == " ":
            raise ValueError(f"'{name}' is not a list")
        return [*lines[: at + 1], *_indented(items, _ITEM_INDENT), *lines[at + 1 :]]
    block = _List(at + 1, _end_of_block(lines, at + 1, dash[1]), dash[1])
    return _with_items(lines, block, items, identity)


def _end_of_block(lines: Sequence[str], begin: int, indent: str) -> int:
    """Return the line after the last one of a list, which is an item or is indented more than the dash."""
    end = begin
    for index in range(begin, len(lines)):
        line = lines[index]
        rest = line.removeprefix(indent) if line.startswith(indent) else None
        is_inside = rest is not None and (rest[:1] == " " or re.match(r"-(\s|$)", rest))
        if is_inside and line.strip():
            end = index + 1
        elif _is_content(line):
            break
    return end


def _with_items(
    lines: list[str], block: _List, items: list[dict[str, object]], identity: Sequence[str]
) -> list[str]:
    for item in items:
        old = _find_item(lines, block, item, identity)
        new = _indented([item], block.indent)
        if old is None:
            old = _List(block.end, block.end, block.indent)
        elif lines[old.begin : old.end] == new:
            continue
        elif _shape(lines[old.begin : old.end]) != _shape(new):
            raise ValueError("it has this model already, with settings of yours")
        lines = [*lines[: old.begin], *new, *lines[old.end :]]
        block = _List(block.begin, block.end + len(new) - (old.end - old.begin), block.indent)
    return lines


def _find_item(
    lines: Sequence[str], block: _List, item: Mapping[str, object], identity: Sequence[str]
) -> _List | None:
    """Return the lines of the item that is the same one."""
    dash = re.compile(rf"{block.indent}-(\s|$)")
    starts = [index for index in range(block.begin, block.end) if dash.match(lines[index])]
    for begin, end in zip(starts, [*starts[1:], block.end], strict=True):
        fields = _fields(lines[begin:end], block.indent)
        if all(fields.get(name) == item.get(name) for name in identity):
            return _List(begin, _without_comments(lines, end), block.indent)
    return None


def _without_comments(lines: Sequence[str], end: int) -> int:
    """Return the end of an item without blank lines and comments, which belong to the next one."""
    while not _is_content(lines[end - 1]):
        end -= 1
    return end


def _fields(lines: Sequence[str], indent: str) -> dict[str, str]:
    """Return the texts of an item's own keys; those of nested objects are left out."""
    first = lines[0].removeprefix(indent)[1:]
    margin = f"{indent} {' ' * (len(first) - len(first.lstrip()))}"
    fields = {}
    for line in (margin + first.lstrip(), *lines[1:]):
        match = _KEY.match(line.removeprefix(margin)) if line.startswith(margin) else None
        if match is not None:
            fields[match[1].strip("\"'")] = _scalar(match[2] or "")
    return fields


def _scalar(text: str) -> str:
    """Return the text of a scalar without quotes and comment, as far as the forms of this module need."""
    text = text.strip()
    if text.startswith('"'):
        try:
            value, _ = json.JSONDecoder().raw_decode(text)
        except ValueError:
            return text
        return str(value)
    if text.startswith("'"):
        return text[1:].partition("'")[0]
    return re.split(r"\s#", text)[0].strip()


def _shape(lines: Sequence[str]) -> list[str]:
    """Return the lines without their values."""
    return [re.sub(r":\s.*|-\s+[^:]*$", "", line) for line in lines]


def _indented(items: Sequence[object], indent: str) -> list[str]:
    return [f"{indent}{line}" for line in yaml_lines(list(items))]


def _appended(lines: list[str], new: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return [*lines, *new, ""]

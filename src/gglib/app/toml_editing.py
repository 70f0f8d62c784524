"""Sets and removes single values in the text of a TOML file; comments, order and layout of the rest stay. Pure.

tomlkit edits the text. The result is parsed by tomllib and compared with the wanted content, so that no text gets
another meaning: a form that tomlkit cannot edit is refused. Imports tomlkit (about 30 ms): import this module only in
functions that edit a file.
"""

import tomllib
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, InlineTable, Item, Null, Table, Whitespace

from gglib.app.toml_tables import (
    body_of,
    ends_with_comment,
    find_child,
    first_table,
    has_no_header,
    is_dotted,
    last_body,
    last_item,
    other_items,
    trailing_comments,
)

Path = tuple[str, ...]

BYTE_ORDER_MARK = "\ufeff"
_UNUSUAL = "its form is unusual"


def set_value(text: str, path: Path, value: object) -> str:
    """Return the text with the value at ``path``: the names of the tables, and the key.

    A value replaces the old one, whose key, indentation and comment stay; a new key is added at the end of its table,
    a new table at the end of the file. A mapping is written as an inline table. A byte order mark and ``CR LF`` stay.

    Raises ValueError with a phrase about the file if it is not valid TOML, has something else in place of a table,
    or has a form that cannot be edited.
    """
    return _edited(text, path, value, lambda lines: _with_value(lines, path, value))


def remove_value(text: str, path: Path) -> str:
    """Return the text without the value or table at ``path`` and the comment on its line. Raises as ``set_value``."""

    def edit(lines: str) -> str:
        after = _without_value(lines, path)
        is_blank_end = after.endswith("\n\n") and not lines.endswith("\n\n")
        return after.rstrip("\n") + "\n" if is_blank_end else after

    return _edited(text, path, None, edit)


def entry_line(key: str, value: object) -> str:
    """Return an entry as a line of TOML."""
    return f"{tomlkit.key(key).as_string()} = {_item(value).as_string()}"


def parsed(text: str) -> dict[str, Any]:
    """Return the content of a TOML text. Raises ValueError with the problem."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _edited(text: str, path: Path, value: object, edit: Callable[[str], str]) -> str:
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    lines = text.replace("\r\n", "\n")
    is_crlf = lines != text and lines.replace("\n", "\r\n") == text
    before = parsed(text)
    wanted = _changed(before, path, value)
    source = lines if is_crlf else text
    source = source if source.endswith("\n") or not source else f"{source}\n"
    try:
        after = edit(source)
        result = tomllib.loads(after)
    except (TOMLKitError, KeyError, AttributeError, TypeError, RecursionError, tomllib.TOMLDecodeError):
        raise ValueError(_UNUSUAL) from None
    if _without_empty(result, path) != _without_empty(wanted, path):
        raise ValueError(_UNUSUAL)
    return mark + (after.replace("\n", "\r\n") if is_crlf else after)


def _changed(content: Mapping[str, Any], path: Path, value: object) -> dict[str, Any]:
    """Return the content with a value, or without it (None). Raises ValueError if a table of the path is not one."""
    changed = deepcopy(dict(content))
    table: dict[str, Any] = changed
    for name in path[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"its '{name}' is not a table")  # noqa: TRY004 - of the file's content
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = _plain(value)
    return changed


def _plain(value: object) -> object:
    """Return a value as tomllib reads it."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _without_empty(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the content without the tables of ``path`` that are empty: removing an entry may remove its table."""
    if len(path) < 2 or not isinstance(content.get(path[0]), Mapping):
        return dict(content)
    inner = _without_empty(content[path[0]], path[1:])
    return {
        name: inner if name == path[0] else value
        for name, value in content.items()
        if name != path[0] or inner
    }


def _item(value: object) -> Item:
    if not isinstance(value, Mapping):
        return tomlkit.item(_plain(value))
    table = tomlkit.inline_table()
    for name, item in value.items():
        table.append(name, _item(item))
    return table


def _with_value(text: str, path: Path, value: object) -> str:
    document = tomlkit.parse(text)
    table: Any = document
    is_last = True
    for depth, name in enumerate(path[:-1]):
        child = find_child(table, name, path[depth + 1])
        if isinstance(child, InlineTable) or (child is None and is_dotted(table)):
            before = {} if child is None else child.unwrap()
            table[name] = _item(_changed(before, path[depth + 1 :], value))
            return document.as_string()
        if child is None:
            return _with_table(text, path, value)
        is_last = is_last and last_item(body_of(table)) is child
        table = child
    existing = table.get(path[-1])
    if isinstance(existing, Table):
        return _with_value(_without_value(text, path), path, value)  # comments above the next table stay
    if existing is None and has_no_header(table):
        return _with_table(text, path, value)
    if existing is not None or is_dotted(table) or not isinstance(table, Container | Table):
        table[path[-1]] = _item(value)
    else:
        _add(table, path[-1], _item(value), is_last=is_last)
    result = document.as_string()
    return result[:-1] if result.endswith("\n\n") and not text.endswith("\n\n") else result


def _with_table(text: str, path: Path, value: object) -> str:
    """Return the text with a new table at its end."""
    header = tomlkit.key(list(path[:-1])).as_string()
    before = text.rstrip("\n") + "\n\n" if text.strip() else ""
    return f"{before}[{header}]\n{entry_line(path[-1], value)}\n"


def _add(table: Container | Table, key: str, value: Item, *, is_last: bool) -> None:
    """Add an entry after the other entries of a table, above the comments of the table that follows."""
    body = body_of(table)
    at = first_table(body)
    if at < len(body) or not is_last:
        while at and isinstance(body[at - 1][1], Comment):
            at -= 1
    while at and isinstance(body[at - 1][1], Whitespace | Null):
        at -= 1
    following = body[at:]
    del body[at:]
    table.append(key, value)
    if not following or not isinstance(following[0][1], Whitespace):
        body.append((None, Whitespace("\n")))
    body.extend(following)  # from here on the table can only be written


def _without_value(text: str, path: Path) -> str:
    document = tomlkit.parse(text)
    tables: list[Any] = [document]
    for depth, name in enumerate(path[:-1]):
        child = find_child(tables[-1], name, path[depth + 1])
        if isinstance(child, InlineTable):
            tables[-1][name] = _item(_changed(child.unwrap(), path[depth + 1 :], None))
            return document.as_string()
        tables.append(child)
    removed = tables[-1][path[-1]]
    if not isinstance(removed, Table) or not isinstance(tables[-1], Container | Table) or is_dotted(removed):
        del tables[-1][path[-1]]
        return document.as_string()
    while has_no_header(tables[-1]) and not other_items(tables[-1], removed):
        removed = tables.pop()
    _remove_table(tables[-1], removed)
    return document.as_string()


def _remove_table(parent: Container | Table, removed: Table) -> None:
    """Remove a table, and keep the comments at its end, above the next table. The parent can only be written then."""
    body = body_of(parent)
    at = next(index for index, (_, item) in enumerate(body) if item is removed)
    kept = trailing_comments(removed)
    if at and not ends_with_comment(body[:at]):
        while kept and isinstance(kept[0][1], Whitespace | Null):
            kept = kept[1:]
    following = next((item for _, item in body[at + 1 :] if isinstance(item, Table)), None)
    if not has_no_header(parent):
        body[at : at + 1] = kept
    elif following is not None:  # a comment in the parent itself would give it a header
        body[at : at + 1] = []
        following.trivia.indent = "".join(item.as_string() for _, item in kept) + following.trivia.indent
    else:
        body[at : at + 1] = []
        last_body(body).extend(kept)

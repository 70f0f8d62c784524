"""Answers questions about the tables of a tomlkit document: where they are, how they are written, what they end with.

Pure. tomlkit has no public view of the order of items and of the comments between them: a body has both.
"""

from typing import Any

from tomlkit.container import Container, OutOfOrderTableProxy
from tomlkit.items import AoT, Comment, Item, Key, Null, Table, Whitespace

Body = list[tuple[Key | None, Item]]
"""The entries, comments (without a key) and blank lines of a table, in the order of the file."""


def body_of(table: Container | Table) -> Body:
    """Return the body of a table, or of the document."""
    return table.body if isinstance(table, Container) else table.value.body


def find_child(table: Any, name: str, entry: str) -> Any:  # noqa: ANN401 - tomlkit's types of tables
    """Return a table of a table; None if it is missing.

    Of a table in several places of the file, returns the part with ``entry``, else the one with a header of its own.
    """
    child = table.get(name)
    if not isinstance(child, OutOfOrderTableProxy):
        return child
    parts = [
        item
        for key, item in body_of(table)
        if key is not None and key.key == name and isinstance(item, Table)
    ]
    own = (part for part in parts if not part.is_super_table())
    return next((part for part in parts if entry in part), next(own, parts[0]))


def is_dotted(table: object) -> bool:
    """Whether the keys of a table are written as ``table.key = value``."""
    return (
        isinstance(table, Table)
        and table.is_super_table()
        and not any(
            isinstance(item, Table | AoT) and key is not None and not key.is_dotted()
            for key, item in body_of(table)
        )
    )


def has_no_header(table: object) -> bool:
    """Whether only the subtables of a table have headers."""
    return isinstance(table, Table) and table.is_super_table() and not is_dotted(table)


def other_items(table: Container | Table, removed: Item) -> list[Item]:
    """Return the entries of a table besides ``removed``."""
    return [item for key, item in body_of(table) if key is not None and item is not removed]


def last_item(body: Body) -> Item | None:
    """Return the last entry; None if there is none."""
    return next((item for key, item in reversed(body) if key is not None), None)


def first_table(body: Body) -> int:
    """Return the index of the first table with a header, or the length."""
    for index, (key, item) in enumerate(body):
        if isinstance(item, Table | AoT) and key is not None and not key.is_dotted():
            return index
    return len(body)


def last_body(body: Body) -> Body:
    """Return the body of the last table within a body, at any depth."""
    last = last_item(body)
    return last_body(body_of(last)) if isinstance(last, Table) else body


def ends_with_comment(body: Body) -> bool:
    """Whether the last line, of its last table if it ends with one, is a comment."""
    last = body[-1][1] if body else None
    return ends_with_comment(body_of(last)) if isinstance(last, Table) else isinstance(last, Comment)


def trailing_comments(table: Table) -> Body:
    """Return the blank lines and comments at the end of a table, which belong to the next one."""
    body = body_of(table)
    last = last_item(body)
    if isinstance(last, Table):
        return trailing_comments(last)
    at = len(body)
    while at and isinstance(body[at - 1][1], Whitespace | Comment | Null):
        at -= 1
    return body[at:]

"""Writes plain text and tables as Markdown. Pure."""

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]#])")
_QUOTED = re.compile(r"(?<!\w)'([^'\n]+)'(?!\w)")


def text(plain: str) -> str:
    """Return a plain text as Markdown, in which quoted words are code."""
    parts = _QUOTED.split(plain)
    return "".join(code(part) if number % 2 else _escaped(part) for number, part in enumerate(parts))


def code(plain: str) -> str:
    """Return words as code, also in a cell of a table."""
    escaped = _without_markup(plain)
    return f"`{plain}`" if escaped == plain else f"<code>{escaped}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown cells."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in lines)


def _escaped(plain: str) -> str:
    return _without_markup(_SPECIAL.sub(r"\\\1", plain))


def _without_markup(plain: str) -> str:
    """Return a text without the characters that HTML and tables give a meaning, which have no escape of Markdown."""
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")

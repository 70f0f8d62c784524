"""Adds settings to ``config.toml`` and changes its aliases; comments, order and line ends stay as they are."""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from gglib.app.settings.config_tables import (
    BYTE_ORDER_MARK,
    begin_of_comments,
    entry_line,
    remove_entry,
    set_entry,
    with_line,
)
from gglib.core.errors import InvalidSettingError
from gglib.system.files.rewriting import read_writable, replace_file

ALIASES = "aliases"
"""The table of alias lists."""


def add_setting(path: Path, key: str, value: str | int) -> None:
    """Add a setting to the file, or create the file with access for the owner only.

    The file is replaced atomically and keeps its mode and owner; a link stays a link. Raises ``InvalidSettingError``,
    which says what to do by hand, if the file cannot be written, is not valid TOML, or sets ``key`` already.
    """
    _change(
        path,
        lambda text: insert_setting(text, key, value),
        advice=f"add the line '{entry_line(key, value)}' to it",
    )


def set_alias(path: Path, alias: str, models: Sequence[str]) -> None:
    """Set an entry of the table ``aliases``, or add it; otherwise as ``add_setting``."""
    # A text is split at commas, and the items of a list are not.
    value = models[0] if len(models) == 1 and "," not in models[0] else models
    _change(
        path,
        lambda text: set_entry(text, ALIASES, alias, value),
        advice=f"write {entry_line(alias, value)} below [{ALIASES}] in it",
    )


def remove_alias(path: Path, alias: str) -> None:
    """Remove an entry of the table ``aliases``; otherwise as ``add_setting``."""
    _change(
        path,
        lambda text: remove_entry(text, ALIASES, alias),
        advice=f"remove '{alias}' from [{ALIASES}] in it",
    )


def _change(path: Path, edit: Callable[[str], str], *, advice: str) -> None:
    """Replace the file's text. Raises ``InvalidSettingError`` with the reason and the advice."""
    target = path.resolve()
    try:
        content, found = read_writable(target)
        replace_file(target, edit(content.decode()).encode(), found)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidSettingError(f"{path} cannot be changed ({reason}): {advice}.") from error


def insert_setting(text: str, key: str, value: str | int) -> str:
    """Return the text of a TOML file with one more top-level key, before its first table. Pure.

    The result is parsed and compared, so no text with a bracket in an unusual place (a multi-line string, an array)
    leads to another meaning. Raises ValueError if the text is not valid TOML or sets ``key`` already.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    before = tomllib.loads(text)
    if key in before:
        raise ValueError(f"it sets '{key}' already")
    for candidate in _candidates(text, entry_line(key, value)):
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(candidate) == {**before, key: value}:
                return mark + candidate
    raise ValueError("its form is unusual")


def _candidates(text: str, line: str) -> Iterator[str]:
    """Return the text with the line before each line that may be a table's header, and at the end."""
    lines = text.split("\n")
    end = "\r" if "\r\n" in text else ""
    for index, existing in enumerate(lines):
        if existing.lstrip().startswith("["):
            yield "\n".join(with_line(lines, begin_of_comments(lines, index), line + end, blank=end))
    yield "\n".join(with_line(lines, len(lines), line + end, blank=""))

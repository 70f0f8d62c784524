"""Adds settings to ``config.toml``; comments, order and line ends of the file stay as they are."""

import errno
import json
import os
import stat
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gglib.core.errors import InvalidSettingError
from gglib.system.files.durable import sync
from gglib.system.files.small_files import read_small

_BYTE_ORDER_MARK = "\ufeff"


def add_setting(path: Path, key: str, value: str | int) -> None:
    """Add a setting to the file, or create the file with access for the owner only.

    The file is replaced atomically and keeps its mode and owner; a link stays a link. Raises ``InvalidSettingError``,
    which says what to do by hand, if the file cannot be written, is not valid TOML, or sets ``key`` already.
    """
    target = path.resolve()
    try:
        content, found = _read(target)
        _replace(target, insert_setting(content.decode(), key, value).encode(), found)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidSettingError(
            f"{path} cannot be changed ({reason}): add the line '{_line(key, value)}' to it."
        ) from error


def insert_setting(text: str, key: str, value: str | int) -> str:
    """Return the text of a TOML file with one more top-level key, before its first table. Pure.

    The result is parsed and compared, so no text with a bracket in an unusual place (a multi-line string, an array)
    leads to another meaning. Raises ValueError if the text is not valid TOML or sets ``key`` already.
    """
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    before = tomllib.loads(text)
    if key in before:
        raise ValueError(f"it sets '{key}' already")
    for candidate in _candidates(text, _line(key, value)):
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(candidate) == {**before, key: value}:
                return mark + candidate
    raise ValueError("its form is unusual")


def _line(key: str, value: str | int) -> str:
    return f"{key} = {json.dumps(value)}"


def _candidates(text: str, line: str) -> Iterator[str]:
    """Return the text with the line before each line that may be a table's header, and at the end."""
    lines = text.split("\n")
    end = "\r" if "\r\n" in text else ""
    for index, existing in enumerate(lines):
        if existing.lstrip().startswith("["):
            yield "\n".join(_inserted(lines, _begin_of_comments(lines, index), line + end, blank=end))
    yield "\n".join(_inserted(lines, len(lines), line + end, blank=""))


def _begin_of_comments(lines: list[str], header: int) -> int:
    """Return the index of the first of the comment lines directly above a table's header: they belong to it."""
    while header > 0 and lines[header - 1].lstrip().startswith("#"):
        header -= 1
    return header


def _inserted(lines: list[str], index: int, line: str, *, blank: str) -> list[str]:
    """Return the lines with a line above the blank lines before ``index``; ``blank`` is added if there are none."""
    end = index
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    return [*lines[:end], line, *(lines[end:index] or [blank]), *lines[index:]]


def _read(path: Path) -> tuple[bytes, os.stat_result | None]:
    """Return content and state of the file; nothing and None if it does not exist. Raises OSError."""
    try:
        content = read_small(path)
    except FileNotFoundError:
        return b"", None
    found = path.stat()
    if not (found.st_mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise OSError(errno.EACCES, "it is read-only")  # a rename would replace it all the same
    return content, found


def _replace(path: Path, content: bytes, found: os.stat_result | None) -> None:
    """Write the file beside the old one, with its mode and owner, and rename it over the old one. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if found is not None:
                os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
                with suppress(OSError):  # only root may give a file away
                    os.fchown(descriptor, found.st_uid, found.st_gid)
        sync(Path(name))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)

"""Changes a client's configuration file: planned and shown first, then written with a backup beside it."""

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from gglib.app.clients.client import ConfigFile
from gglib.app.clients.editing import edited_text
from gglib.core.errors import GglibError
from gglib.system.files.durable import sync
from gglib.system.files.rewriting import read_writable, replace_file

BACKUP_SUFFIX = ".gglib-backup"
_NEW_DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """The content of a file before and after. ``before`` is None for a new file."""

    path: Path
    before: str | None
    after: str

    @property
    def is_needed(self) -> bool:
        """Whether the file changes."""
        return self.before != self.after

    def diff(self) -> str:
        """Return a unified diff."""
        before = self.before or ""
        names = ("/dev/null" if self.before is None else str(self.path), str(self.path))
        lines = difflib.unified_diff(before.splitlines(), self.after.splitlines(), *names, lineterm="")
        return "\n".join(lines)


def plan_change(file: ConfigFile) -> ConfigChange:
    """Return the change that adds the values. Raises ``GglibError`` if the file cannot be changed safely."""
    try:
        content, found = read_writable(file.path.resolve())
        before = content.decode()
        after = edited_text(before, file)
    except UnicodeDecodeError as error:
        raise _cannot_change(file.path, "it is not UTF-8") from error
    except (OSError, ValueError) as error:
        raise _cannot_change(file.path, getattr(error, "strerror", None) or str(error)) from error
    return ConfigChange(path=file.path, before=None if found is None else before, after=after)


def write_change(change: ConfigChange) -> Path | None:
    """Write the file and return the backup of the old one, or None for a new file.

    A link stays a link. Raises ``GglibError`` if the file has changed since it was read, or cannot be written.
    """
    target = change.path.resolve()
    try:
        _make_directories(target.parent)
        content, found = read_writable(target)
        now = None if found is None else content
        if now != (None if change.before is None else change.before.encode()):
            raise GglibError(
                f"{change.path} was changed by another program meanwhile: run the command again."
            )
        backup = None if found is None else _backup(target, content, found)
        replace_file(target, change.after.encode(), found)
    except OSError as error:
        raise _cannot_change(change.path, error.strerror or str(error)) from error
    return backup


def _make_directories(path: Path) -> None:
    """Create a directory and the missing ones above it, each for the owner only. Raises OSError."""
    for directory in reversed([path, *path.parents]):
        if not directory.is_dir():
            directory.mkdir(mode=_NEW_DIRECTORY_MODE, exist_ok=True)


def _backup(path: Path, content: bytes, found: os.stat_result) -> Path:
    """Write the old content to the first unused name beside the file, with the file's mode. Raises OSError."""
    for backup in _backup_paths(path):
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, found.st_mode & 0o777)
        sync(backup)
        return backup
    raise AssertionError


def _backup_paths(path: Path) -> Iterator[Path]:
    yield path.with_name(path.name + BACKUP_SUFFIX)
    for number in count(2):
        yield path.with_name(f"{path.name}{BACKUP_SUFFIX}-{number}")


def _cannot_change(path: Path, reason: str) -> GglibError:
    return GglibError(f"{path} cannot be changed ({reason}): add the settings by hand.")

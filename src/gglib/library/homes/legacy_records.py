"""Parses the JSON records that gglib 0.1 kept below ``models/``, for their migration to the catalogue. Pure.

``.written/ID.json``: a file that gglib wrote, by its path below ``models/``. ``.pulls/ID.json``: an unfinished pull,
with absolute paths. ``.removals/ID.json``: files that are being deleted, with absolute paths.

The files are untrusted: every function raises ValueError for an invalid record.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from gglib.core.models import ModelSource

WRITTEN, PULLS, REMOVALS = ".written", ".pulls", ".removals"
"""The directories below ``models/``."""
FORMAT = 1
MODELS = "models"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SOURCE_FIELDS = frozenset(("origin", "repo", "revision", "file", "sha256"))
_MAX_BYTES = 1 << 63

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyFileRecord:
    """A file that gglib wrote."""

    name: PurePosixPath
    """Below ``models/``."""
    size_bytes: int
    modified_ns: int | None
    """None if only the hash is known."""
    sha256: str | None
    source: ModelSource
    """Source of the model that it was written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPullFile:
    """One file of a pull."""

    target: Path
    """Absolute, by the home's path at that time."""
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPullRecord:
    """An unfinished pull."""

    asked: str
    name: str
    aliases: tuple[str, ...]
    source: ModelSource
    files: tuple[LegacyPullFile, ...]
    projector: LegacyPullFile | None
    is_fetched: bool
    """Whether all files are complete; their hashes are then those of the files on the disk."""

    @property
    def all_files(self) -> tuple[LegacyPullFile, ...]:
        """The model's files, then the projector."""
        return self.files if self.projector is None else (*self.files, self.projector)


def read_written(fields: Any) -> LegacyFileRecord:  # noqa: ANN401 - JSON
    """Parse the record of a file. Raises ValueError."""
    return _checked(_written, fields, "it is not a valid record of a file")


def read_pull(fields: Any) -> LegacyPullRecord:  # noqa: ANN401 - JSON
    """Parse the record of a pull. Raises ValueError."""
    return _checked(_pull, fields, "it is not a valid record of a pull")


def read_removal(fields: Any) -> tuple[Path, ...]:  # noqa: ANN401 - JSON
    """Parse the record of a removal: the files to delete. Raises ValueError."""
    return _checked(_removal, fields, "it is not a valid record of a removal")


def below_models(path: Path) -> tuple[tuple[Path, PurePosixPath], ...]:
    """Return every split of an absolute path into a home and the rest below ``models/``, shortest rest first.

    The home may have been moved since, and its own path may contain a directory named ``models``.
    """
    parts = path.parts
    found = []
    for at in range(len(parts) - 2, 0, -1):
        rest = parts[at + 1 :]
        if parts[at] == MODELS and ".." not in rest:
            found.append((Path(*parts[:at]), PurePosixPath(*rest)))
    return tuple(found)


def _checked(read: Callable[[Any], T], fields: object, fault: str) -> T:
    try:
        return read(fields)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(fault) from error


def _written(fields: Mapping[str, Any]) -> LegacyFileRecord:
    name, modified_ns = _text(fields["path"]), fields["changed_ns"]
    is_time = modified_ns is None or type(modified_ns) is int
    if fields["format"] != FORMAT or not is_time or not _is_relative(name):
        raise ValueError(name)
    return LegacyFileRecord(
        name=PurePosixPath(name),
        size_bytes=_size(fields["size_bytes"]),
        modified_ns=modified_ns,
        sha256=_hash(fields["sha256"]),
        source=_source(fields["source"]),
    )


def _pull(fields: Mapping[str, Any]) -> LegacyPullRecord:
    files, projector = tuple(map(_pull_file, fields["files"])), fields["projector"]
    if fields["format"] != FORMAT or not files:
        raise ValueError(fields["format"])
    return LegacyPullRecord(
        asked=_text(fields["asked"]),
        name=_text(fields["name"]),
        aliases=tuple(map(_text, fields["aliases"])),
        source=_source(fields["source"]),
        files=files,
        projector=None if projector is None else _pull_file(projector),
        is_fetched=fields["is_fetched"] is True,
    )


def _pull_file(fields: Mapping[str, Any]) -> LegacyPullFile:
    target, size_bytes = _text(fields["target"]), fields["size_bytes"]
    if "\0" in target or not target.startswith("/"):
        raise ValueError(target)
    return LegacyPullFile(
        target=Path(target),
        size_bytes=None if size_bytes is None else _size(size_bytes),
        sha256=_hash(fields["sha256"]),
    )


def _removal(texts: list[Any]) -> tuple[Path, ...]:
    if not isinstance(texts, list):
        raise TypeError(texts)
    return tuple(Path(text) for text in map(_text, texts) if "\0" not in text and text.startswith("/"))


def _source(fields: Mapping[str, Any]) -> ModelSource:
    if not _SOURCE_FIELDS.issuperset(fields):
        raise ValueError(fields)
    return ModelSource(**{key: None if value is None else _text(value) for key, value in fields.items()})


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value < _MAX_BYTES:
        raise ValueError(value)
    return value


def _hash(value: object) -> str | None:
    if value is None:
        return None
    if not _SHA256.fullmatch(_text(value)):
        raise ValueError(value)
    return _text(value).lower()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _is_relative(name: str) -> bool:
    return "\0" not in name and not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))

"""Names below ``models/``: version directories, their files, and incoming files. Pure."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePosixPath

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_path
from gglib.core.gguf_names import shard_of
from gglib.core.hub.repository import RemoteFile
from gglib.core.versions import IncomingFile

INCOMING_NAME = ".incoming"
"""Inside ``models/``: on the same disk, so that a complete file can be linked or renamed to its final name."""
MANIFEST_NAME = ".gglib-version.json"
"""Inside a version's directory. Files of a repository never start with a dot (``file_names``)."""
MAX_LABEL_BYTES = 80
MAX_FOLDER_BYTES = 300
"""Limit for a file's subfolders: the whole path has to stay below 1,024 bytes (macOS)."""
MAX_CANDIDATES = 1000
"""Maximum number of names to try for a directory or a file."""
KEY = re.compile(r"[su]-[0-9a-f]{32}")
"""Key of an incoming file."""
JOB_KEY = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_DIGITS = 8
_NO_LABEL = "model"


def job_key(source: str, *, asked_revision: str | None = None, choice: str | None = None) -> str:
    """Return the key of a pull: 16 hex digits derived from its target.

    ``source`` is a repository in the hub's spelling, or a complete URL; ``choice`` is the quantization or the file.
    """
    return _digest([source, asked_revision, choice])[:16]


def incoming_key(file: RemoteFile, job_key: str) -> str:
    """Return the key of an incoming file, derived from its content hash if the source names one.

    Without a hash, the file is not shared with other pulls, nor with other versions of the same URL.
    """
    sha256 = (file.sha256 or "").lower()
    if _SHA256.fullmatch(sha256):
        return f"s-{sha256[:32]}"
    return f"u-{_digest([job_key, file.name, file.url or file.revision, file.validator])[:32]}"


def version_directory(
    models_dir: Path, folder: PurePosixPath, label: str, files: Sequence[IncomingFile]
) -> Path:
    """Return the preferred directory of a version; ``candidates`` yields alternatives if the name is taken.

    ``folder`` is already safe (``file_names.safe_folder``); ``label`` may be any text.
    """
    return models_dir / folder / f"{_safe_label(label)}-{_digest_of(files)}"


def candidates(directory: Path) -> Iterator[Path]:
    """Yield the paths to try for a version's directory: itself, then with ``-2``, ``-3`` … appended."""
    yield directory
    for number in range(2, MAX_CANDIDATES):
        yield directory.with_name(f"{directory.name}-{number}")


def is_candidate(name: str, directory: Path) -> bool:
    """Whether ``candidates(directory)`` may yield the name."""
    return re.fullmatch(rf"{re.escape(directory.name)}(?:-[1-9][0-9]{{0,2}})?", name) is not None


def file_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the paths inside a version's directory for files with these names in their repository.

    Subfolders are dropped and file names kept, because engines find shards by name in the directory of the first one.
    A file that collides with another one keeps its subfolder, or gets a numbered one; shards stay together.
    Names that differ in case only collide, as on macOS and Windows. The function is idempotent. Raises
    ``UnsafeNameError``.
    """
    places: dict[str, str] = {}
    taken = _Directory()
    for unit in _units(names):
        folder = next(folder for folder in _folders(unit[0]) if taken.has_room(folder, unit))
        for name in unit:
            places[name] = taken.add(folder, name)
    return tuple(places[name] for name in names)


class _Directory:
    """The files and folders of a directory on a case-insensitive file system."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def has_room(self, folder: str, names: Sequence[str]) -> bool:
        paths = [_joined(folder, name).casefold() for name in names]
        return (
            len(set(paths)) == len(paths)
            and self._files.isdisjoint(paths)
            and self._folders.isdisjoint(paths)
            and self._files.isdisjoint(_ancestors(folder.casefold()))
        )

    def add(self, folder: str, name: str) -> str:
        path = _joined(folder, name)
        self._files.add(path.casefold())
        self._folders.update(_ancestors(folder.casefold()))
        return path


def _units(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Group the names that must stay in one folder: the shards of a model; every other file is a group of one."""
    units: dict[tuple[str, bool], list[str]] = {}
    for name in dict.fromkeys(names):
        safe_path(name)
        shard = shard_of(name)
        units.setdefault((name, False) if shard is None else (shard.stem, True), []).append(name)
    return [tuple(unit) for unit in units.values()]


def _folders(name: str) -> Iterator[str]:
    """Yield the subfolders to try for a file, best first."""
    yield ""
    own = name.rpartition("/")[0]
    if own and len(own.encode()) <= MAX_FOLDER_BYTES:
        yield own
    yield from map(str, count(2))


def _joined(folder: str, name: str) -> str:
    last = name.rpartition("/")[2]
    return f"{folder}/{last}" if folder else last


def _ancestors(folder: str) -> set[str]:
    parts = folder.split("/") if folder else []
    return {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}


def _safe_label(label: str) -> str:
    """Return a label as a path component, truncated if too long; a default if it cannot be one."""
    last = label.rpartition("/")[2]
    cut = last.encode(errors="replace")[:MAX_LABEL_BYTES].decode(errors="ignore").rstrip(". ")
    try:
        return safe_path(cut).name
    except UnsafeNameError:
        return _NO_LABEL


def _digest_of(files: Sequence[IncomingFile]) -> str:
    """Return eight hex digits that distinguish versions of the same model."""
    known = sorted((file.name, _content_of(file)) for file in files)
    return _digest(known)[:_DIGEST_DIGITS]


def _content_of(file: IncomingFile) -> str:
    return (file.sha256 or "").lower() or file.validator or str(file.size_bytes)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()

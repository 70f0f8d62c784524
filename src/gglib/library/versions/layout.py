"""Names below ``models/``: version directories, their files, and what files are called while they come. Pure."""

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
"""Inside ``models/``: on the same disk, so that a whole file gets its last name by a link or a rename."""
MANIFEST_NAME = ".gglib-version.json"
"""Inside a version's directory. A file of a repository never begins with a dot (``file_names``)."""
MAX_LABEL_BYTES = 80
MAX_FOLDER_BYTES = 300
"""Of the sub-folders of a file that keeps them: with the home, the repository and the label below 1,024 (macOS)."""
MAX_CANDIDATES = 1000
"""Names tried for one directory, or one file, before it is given up."""
KEY = re.compile(r"[su]-[0-9a-f]{32}")
"""Of a file that comes."""
JOB_KEY = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_DIGITS = 8
_NO_LABEL = "model"


def job_key(source: str, *, asked_revision: str | None = None, choice: str | None = None) -> str:
    """Return the key of a pull: 16 hex digits, the same for every pull of the same thing.

    ``source`` is a repository as its hub writes it, or a whole address; ``choice`` the quantization or the file.
    """
    return _digest([source, asked_revision, choice])[:16]


def incoming_key(file: RemoteFile, job_key: str) -> str:
    """Return what a file is called while it comes: the same for the same content where the source promises a hash.

    Without a promised hash no other pull shares the file, and neither does another version of the same address.
    """
    sha256 = (file.sha256 or "").lower()
    if _SHA256.fullmatch(sha256):
        return f"s-{sha256[:32]}"
    return f"u-{_digest([job_key, file.name, file.url or file.revision, file.validator])[:32]}"


def version_directory(
    models_dir: Path, folder: PurePosixPath, label: str, files: Sequence[IncomingFile]
) -> Path:
    """Return where a version goes unless something else has that name: see ``candidates``.

    ``folder`` is safe already (``file_names.safe_folder``); ``label`` may be any text.
    """
    return models_dir / folder / f"{_safe_label(label)}-{_digest_of(files)}"


def candidates(directory: Path) -> Iterator[Path]:
    """Yield the names for a version's directory in the order in which they are tried: itself, ``-2``, ``-3`` …."""
    yield directory
    for number in range(2, MAX_CANDIDATES):
        yield directory.with_name(f"{directory.name}-{number}")


def is_candidate(name: str, directory: Path) -> bool:
    """Whether ``candidates`` may yield the name for the directory, however often it had to look on."""
    return re.fullmatch(rf"{re.escape(directory.name)}(?:-[1-9][0-9]{{0,2}})?", name) is not None


def file_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the paths inside a version's directory of files that have these names in their repository.

    Sub-folders are left out, and the names kept: engines find the shards of a model beside the first one, by its name.
    A file that would meet another one keeps its sub-folder, or gets one with a number; shards stay together. Names
    meet also where they differ in case only, as file systems of macOS and Windows have it. Names that this returned
    are returned as they are. Raises ``UnsafeNameError``.
    """
    places: dict[str, str] = {}
    taken = _Taken()
    for unit in _units(names):
        folder = next(folder for folder in _folders(unit[0]) if taken.has_room(folder, unit))
        for name in unit:
            places[name] = taken.add(folder, name)
    return tuple(places[name] for name in names)


class _Taken:
    """The files and folders of one directory, as a file system sees them that ignores case."""

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
    """Return the names in groups that must stay in one folder: the shards of a model, each other file alone."""
    units: dict[tuple[str, bool], list[str]] = {}
    for name in dict.fromkeys(names):
        safe_path(name)
        shard = shard_of(name)
        units.setdefault((name, False) if shard is None else (shard.stem, True), []).append(name)
    return [tuple(unit) for unit in units.values()]


def _folders(name: str) -> Iterator[str]:
    """Yield the sub-folders to try for a file, the best first."""
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
    """Return a label as one part of a path, cut where it is too long; a plain word where it cannot be one."""
    last = label.rpartition("/")[2]
    cut = last.encode(errors="replace")[:MAX_LABEL_BYTES].decode(errors="ignore").rstrip(". ")
    try:
        return safe_path(cut).name
    except UnsafeNameError:
        return _NO_LABEL


def _digest_of(files: Sequence[IncomingFile]) -> str:
    """Return eight hex digits that another version of the same model does not have, as a rule."""
    known = sorted((file.name, _content_of(file)) for file in files)
    return _digest(known)[:_DIGEST_DIGITS]


def _content_of(file: IncomingFile) -> str:
    return (file.sha256 or "").lower() or file.validator or str(file.size_bytes)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()

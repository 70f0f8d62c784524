"""Drafts: staged version directories before their final rename, ``.incoming/JOBKEY.version``.

Each has a marker with the directory's inode and the list of files that gglib puts into it. So the leftovers of a killed
process are recognised and cleared: hard links to incoming files are deleted, and on file systems without hard links the
files are moved back. Other files in it are the user's, and keep the directory.
"""

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gglib.library.versions.layout import KEY, MANIFEST_NAME, candidates
from gglib.library.versions.ownership import hash_of, status_of
from gglib.library.versions.sharing import COPY_SUFFIX
from gglib.system.files.locks import try_exclusive
from gglib.system.files.small_files import open_regular, parse_json, read_small

MARKER_NAME = ".gglib-draft.json"
FORMAT = 1
DRAFT_SUFFIX = ".version"
_DRAFT = re.compile(r"(?P<job>[0-9a-f]{16})\.version(?:-[1-9][0-9]{0,2})?")
_MANIFEST_DRAFT = re.compile(rf"{re.escape(MANIFEST_NAME)}\.[0-9a-f]{{8}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """A file in a draft."""

    path: str
    """Its path inside the draft."""
    key: str
    """Key of the incoming file with its content."""
    size_bytes: int
    sha256: str | None


def job_of_draft(name: str) -> str | None:
    """Return the key of a draft's pull; None for other names."""
    match = _DRAFT.fullmatch(name)
    return None if match is None else match["job"]


def free_draft_path(directory: Path, job_key: str) -> Path:
    """Return a free draft path in ``.incoming``, after clearing drafts of killed processes. Raises OSError."""
    for path in candidates(directory / f"{job_key}{DRAFT_SUFFIX}"):
        if clear_draft(path):
            return path
    raise OSError(errno.EEXIST, "all draft names are taken by other files", str(directory))


def begin_draft(path: Path, files: Sequence[DraftFile]) -> None:
    """Create the directory of a draft and its marker. Raises OSError."""
    path.mkdir()
    content = {"format": FORMAT, "inode": path.lstat().st_ino, "files": [asdict(file) for file in files]}
    descriptor = open_regular(path / MARKER_NAME, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with os.fdopen(descriptor, "w", encoding="utf-8") as marker:
        json.dump(content, marker)
        marker.flush()
        os.fsync(descriptor)


def end_draft(path: Path) -> None:
    """Delete the marker of a draft that has its final name, if there is one. Raises OSError."""
    if _known_of(path) is not None:
        (path / MARKER_NAME).unlink(missing_ok=True)


def clear_draft(path: Path) -> bool:
    """Delete gglib's files in a draft, and its directory; return whether the path is free now.

    Moved incoming files are moved back. The caller holds the lock of the pull.
    """
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            return False
    except FileNotFoundError:
        return True
    except OSError:
        return False
    known = _known_of(path)
    _remove_own(path, known)
    folders = [path] if known is None else [Path(folder) for folder, _, _ in os.walk(path, topdown=False)]
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not os.path.lexists(path)


def _remove_own(draft: Path, known: Mapping[str, DraftFile] | None) -> None:
    files = [Path(folder) / name for folder, _, names in os.walk(draft) for name in names]
    if known is None:
        if [file.name for file in files] == [MARKER_NAME]:  # the process was killed while it wrote the marker
            _remove(files[0], None)
        return
    marker = draft / MARKER_NAME
    for file in sorted(
        files, key=lambda file: file == marker
    ):  # the marker is deleted last, so that a kill in between leaves it
        if _is_own(file, draft, known):
            path = file.relative_to(draft).as_posix()
            _remove(file, None if path not in known else draft.parent / known[path].key)


def _remove(file: Path, incoming: Path | None) -> None:
    with contextlib.suppress(OSError):
        if incoming is None or os.path.lexists(incoming):
            file.unlink()
        else:
            file.rename(incoming)


def _is_own(file: Path, draft: Path, known: Mapping[str, DraftFile]) -> bool:
    path = file.relative_to(draft).as_posix()
    if path in {MARKER_NAME, MANIFEST_NAME} or _MANIFEST_DRAFT.fullmatch(path):
        return status_of(file) is not None
    if (copy := COPY_SUFFIX.fullmatch(path)) and copy["target"] in known:
        with try_exclusive(file) as is_free:
            return is_free and status_of(file) is not None
    return path in known and _is_known(file, known[path], draft.parent)


def _is_known(file: Path, known: DraftFile, incoming: Path) -> bool:
    """Whether a file is the recorded incoming file, or has its content."""
    status = status_of(file)
    if status is None or status.st_size != known.size_bytes:
        return False
    source = status_of(incoming / known.key)
    if source is not None and os.path.samestat(source, status):
        return True
    return known.sha256 is not None and hash_of(file, status) == known.sha256


def _known_of(draft: Path) -> dict[str, DraftFile] | None:
    """Return the files listed in a draft's marker, by path; None if gglib did not create the directory."""
    try:
        content = parse_json(read_small(draft / MARKER_NAME))
        if content["format"] == FORMAT and content["inode"] == draft.lstat().st_ino:
            return {file["path"]: _file_from(file) for file in content["files"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _file_from(fields: Mapping[str, Any]) -> DraftFile:
    if not KEY.fullmatch(fields["key"]):
        raise ValueError(fields["key"])
    return DraftFile(
        path=fields["path"], key=fields["key"], size_bytes=fields["size_bytes"], sha256=fields["sha256"]
    )

"""The disk space that a pull needs, and how much of its files is already present. Changes nothing."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import DiskFullError
from gglib.core.hub.repository import RemoteFile
from gglib.core.ports.store import HomeStorePort
from gglib.core.sizes import SPARE_BYTES, format_size
from gglib.core.versions import FileRole, OwnFile, Version
from gglib.library.variants.pull_source import files_with_content
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.ownership import may_be_own, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedFile:
    """A file of the version that a pull replaces."""

    path: Path
    sha256: str | None
    role: FileRole
    frees_bytes: int
    """The bytes that deleting it frees: 0 if another version has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskState:
    """How much of a pull's files is present on the disk."""

    here_bytes: tuple[int, ...]
    """The bytes present of each file, in the order of the request."""
    replaced_files: tuple[ReplacedFile, ...] = ()


DiskStateReader = Callable[[Sequence[tuple[RemoteFile, str]], int | None], Awaitable[DiskState]]
"""Called with the files and their keys, and the id of the replaced version."""


async def read_disk_state(
    files: Sequence[tuple[RemoteFile, str]],
    version_id: int | None,
    *,
    store: HomeStorePort,
    incoming: Incoming,
) -> DiskState:
    """Return how much of the files is present, and the files of version ``version_id``."""
    versions = await store.list_versions()
    return await asyncio.to_thread(_look, files, version_id, versions, incoming)


@dataclass(frozen=True, slots=True)
class PullPlace:
    """Where a pull stores its files, and how much of that disk is free."""

    directory: Path
    free_bytes: int


def place_of(directory: Path) -> PullPlace:
    """Return the directory, which may not exist yet, with the free bytes of its disk. Raises OSError."""
    return PullPlace(directory, shutil.disk_usage(_existing(directory)).free)


def check_disk_space(name: str, needs_bytes: int, directory: Path) -> None:
    """Raise ``DiskFullError`` if a pull does not fit, instead of failing at its last shard."""
    free = place_of(directory).free_bytes
    if needs_bytes and needs_bytes + SPARE_BYTES > free:
        raise DiskFullError(
            f"{name} needs {format_size(needs_bytes + SPARE_BYTES)} more disk space in {directory}, but only "
            f"{format_size(free)} are free: free some ('gglib prune' lists what can go), or use another --home."
        )


def _existing(directory: Path) -> Path:
    return next(path for path in (directory, *directory.parents) if path.is_dir())


def _look(
    files: Sequence[tuple[RemoteFile, str]],
    version_id: int | None,
    versions: Sequence[Version],
    incoming: Incoming,
) -> DiskState:
    old = next((version for version in versions if version.id == version_id), None)
    return DiskState(
        here_bytes=tuple(_here_bytes(remote, key, versions, incoming) for remote, key in files),
        replaced_files=() if old is None else tuple(map(_old_file, old.files)),
    )


def _here_bytes(remote: RemoteFile, key: str, versions: Sequence[Version], incoming: Incoming) -> int:
    for file in files_with_content(remote, versions):
        status = status_of(file.path)
        if status is not None and may_be_own(file.identity, status):
            return file.identity.size_bytes
    if remote.sha256 is None and remote.validator is None and remote.url is not None:
        return 0  # without hash and validator, an earlier partial download may be outdated
    return incoming.bytes_here([key])


def _old_file(file: OwnFile) -> ReplacedFile:
    return ReplacedFile(path=file.path, sha256=file.sha256, role=file.role, frees_bytes=_frees_bytes(file))


def _frees_bytes(file: OwnFile) -> int:
    status = status_of(file.path)
    if status is None or status.st_nlink > 1:
        return 0
    return status.st_size if may_be_own(file.identity, status) else 0

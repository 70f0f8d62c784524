"""How much room a pull takes, and how much of it is here already. Looks at the disk; changes nothing."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import DiskFullError
from gglib.core.hub.repository import RemoteFile
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import FileRole, OwnFile, Version
from gglib.library.variants.pull_source import files_with_content
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.ownership import may_be_own, status_of
from gglib.system.files.sizes import SPARE_BYTES, format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedFile:
    """A file of the version that a pull takes the place of."""

    path: Path
    sha256: str | None
    role: FileRole
    frees_bytes: int
    """What the disk gets back when it is deleted: nothing where another version has it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskState:
    """What of a pull's files is here."""

    here_bytes: tuple[int, ...]
    """Of each file, in the order in which they were asked for."""
    replaced_files: tuple[ReplacedFile, ...] = ()


DiskStateReader = Callable[[Sequence[tuple[RemoteFile, str]], int | None], Awaitable[DiskState]]
"""Takes files with their keys, and the id of the version that is replaced."""


async def read_disk_state(
    files: Sequence[tuple[RemoteFile, str]],
    version_id: int | None,
    *,
    store: HomeStorePort,
    incoming: Incoming,
) -> DiskState:
    """Return what of the files is here, and what the version ``version_id`` has."""
    versions = await store.list_versions()
    return await asyncio.to_thread(_look, files, version_id, versions, incoming)


def check_disk_space(name: str, needs_bytes: int, directory: Path) -> None:
    """Raise ``DiskFullError`` where a pull does not fit: of several shards the last would find out."""
    place = next(path for path in (directory, *directory.parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if needs_bytes and needs_bytes + SPARE_BYTES > free:
        raise DiskFullError(
            f"{name} needs {format_size(needs_bytes + SPARE_BYTES)} more of disk space in {directory}, and "
            f"{format_size(free)} are free: free some, or name another home with --home."
        )


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
        return 0  # nothing says that what came earlier is still the same
    return incoming.bytes_here([key])


def _old_file(file: OwnFile) -> ReplacedFile:
    return ReplacedFile(path=file.path, sha256=file.sha256, role=file.role, frees_bytes=_frees_bytes(file))


def _frees_bytes(file: OwnFile) -> int:
    status = status_of(file.path)
    if status is None or status.st_nlink > 1:
        return 0
    return status.st_size if may_be_own(file.identity, status) else 0

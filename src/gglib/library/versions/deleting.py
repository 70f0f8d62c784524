"""Garbage-collects retired versions that are unused: file by file, and only files that are unchanged.

Each file is checked in its open directory directly before it is unlinked. A program could still replace it in between:
no system call unlinks a name only if it refers to a certain file.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from gglib.core.models import ModelSummary
from gglib.core.ports.versions import VersionStorePort
from gglib.core.versions import OwnFile, Version
from gglib.library.file_uses import FileUses
from gglib.library.versions.drafts import end_draft
from gglib.library.versions.manifest import manifest_path, read_manifest
from gglib.library.versions.ownership import hash_of, is_own_as_seen
from gglib.library.versions.storing import freed_by_unlink
from gglib.system.files.durable import sync
from gglib.system.files.locks import try_exclusive
from gglib.system.threads import run_to_completion

CHANGED = "it was changed after gglib wrote it"
SHARED = "another version has it too"
_GONE = (FileNotFoundError, NotADirectoryError)
_WHY = {
    errno.EROFS: "its disk is read-only",
    errno.EACCES: "this user may not write to its directory",
    errno.EPERM: "the system does not let this user delete it",
}


class RetiredVersionStore(VersionStorePort, Protocol):
    """The records of versions, and the models that may use their files without having the version."""

    async def list_models(self) -> list[ModelSummary]:
        """Return every model."""
        ...


class Kept(NamedTuple):
    """A file that is not deleted, and the reason as a phrase."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The result of deleting a version."""

    version: Version
    gone: tuple[Path, ...] = ()
    """The deleted files."""
    freed_bytes: int = 0
    """The bytes freed: a file with another hard link frees nothing."""
    kept: tuple[Kept, ...] = ()
    forgotten: tuple[Path, ...] = ()
    """Files whose record is to be deleted: deleted now, already gone, or modified."""


@dataclass(frozen=True, slots=True)
class _FileResult:
    """The result of deleting a file."""

    is_gone: bool = False
    freed_bytes: int = 0
    reason: str | None = None
    """Why it is kept."""
    is_forgotten: bool = True


async def collect_retired(store: RetiredVersionStore, models_dir: Path) -> list[Deletion]:
    """Delete the unused retired versions and the records of their deleted files; return the result of each.

    Versions in use are skipped, and the next call retries. A file that a model uses without having the version, such as
    a projector that the user set, stays recorded and is deleted when no model uses it. Raises ``CatalogError``.
    """
    deletions = []
    for version in await store.list_versions():
        if version.is_retired and (version.directory or version.files):
            deletion = await _collect(version.id, version.hold_path, store, models_dir)
            deletions += [] if deletion is None else [deletion]
    return deletions


async def _collect(
    version_id: int, hold_path: Path, store: RetiredVersionStore, models_dir: Path
) -> Deletion | None:
    with try_exclusive(hold_path) as is_free:
        if not is_free:
            return None
        known = {version.id: version for version in await store.list_versions()}
        version = known.pop(
            version_id, None
        )  # looked up under the exclusive lock: nothing can start using it now
        if version is None or not version.is_retired or version.hold_path != hold_path:
            return None
        others, models = tuple(known.values()), await store.list_models()
        deletion = await run_to_completion(
            lambda: delete_version(version, others, models_dir, FileUses(models))
        )
        if deletion.forgotten:
            await store.forget_files(version_id, deletion.forgotten)
        return deletion


def delete_version(version: Version, others: Sequence[Version], models_dir: Path, uses: FileUses) -> Deletion:
    """Delete the files of an exclusively locked version, then its manifest and empty directories.

    ``others`` are all other versions in the catalogue; their files are kept, and so are files in ``uses``. May read
    whole files (see ``is_own``). Never raises: files that cannot be deleted are kept, with the reason.
    """
    if not models_dir.is_dir():  # its disk is not mounted, say
        return Deletion(
            version=version, kept=tuple(Kept(file.path, "its disk is not mounted") for file in version.files)
        )
    named = {file.path for other in others if other.id != version.id for file in other.files}
    results = {file.path: _delete_file(file, named, uses) for file in version.files}
    if version.directory is not None and all(result.is_forgotten for result in results.values()):
        _delete_manifest(version, version.directory)
    for folder in {path.parent for path in results} | ({version.directory} if version.directory else set()):
        _remove_empty(folder, models_dir)
    return Deletion(
        version=version,
        gone=tuple(path for path, result in results.items() if result.is_gone),
        freed_bytes=sum(result.freed_bytes for result in results.values()),
        kept=tuple(
            Kept(path, result.reason) for path, result in results.items() if result.reason is not None
        ),
        forgotten=tuple(path for path, result in results.items() if result.is_forgotten),
    )


def _delete_file(file: OwnFile, named: Collection[Path], uses: FileUses) -> _FileResult:
    if file.path in named:
        return _FileResult(reason=SHARED)
    user = uses.user_of(file.path)
    if user is not None:
        return _FileResult(reason=f"model '{user}' uses it too", is_forgotten=False)
    try:
        with _opened(file.path.parent) as folder:
            return _delete_in(folder, file)
    except _GONE:
        return _FileResult()
    except OSError as error:
        return _FileResult(reason=_why(error), is_forgotten=False)


def _delete_in(folder: int, file: OwnFile) -> _FileResult:
    """Delete a file from its open directory. Raises OSError."""
    status = os.stat(file.path.name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return _FileResult(
            reason="it is a link" if stat.S_ISLNK(status.st_mode) else "it is not a regular file"
        )
    if not is_own_as_seen(file, status):
        return _FileResult(reason=CHANGED) if _is_known_to_differ(file, status) else _unreadable()
    os.unlink(file.path.name, dir_fd=folder)
    return _FileResult(is_gone=True, freed_bytes=freed_by_unlink(status))


def _is_known_to_differ(file: OwnFile, status: os.stat_result) -> bool:
    """Whether a file is known to differ, rather than unreadable so that its content could not be checked."""
    identity = file.identity
    if identity.is_complete or status.st_size != identity.size_bytes or file.sha256 is None:
        return True
    return hash_of(file.path, status) is not None


def _unreadable() -> _FileResult:
    return _FileResult(reason="it cannot be read to check whether gglib wrote it", is_forgotten=False)


def _delete_manifest(version: Version, directory: Path) -> None:
    """Delete the manifest of a version if it names the same files."""
    manifest = read_manifest(directory)
    if manifest is None:
        return
    named = {(file.path, file.sha256) for file in manifest.files}
    if named.issuperset((file.path, file.sha256) for file in version.files):
        with contextlib.suppress(OSError):
            end_draft(directory)
            manifest_path(directory).unlink()


def _remove_empty(folder: Path, models_dir: Path) -> None:
    """Remove empty directories upwards, excluding ``models/``, and sync the last parent."""
    while folder != models_dir and folder.is_relative_to(models_dir):
        try:
            folder.rmdir()
        except _GONE:
            pass
        except OSError:  # not empty
            break
        folder = folder.parent
    with contextlib.suppress(OSError):
        sync(folder)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _why(error: OSError) -> str:
    return _WHY.get(error.errno or 0) or error.strerror or str(error)

"""Publishes the incoming files of a pull as a version: stages a draft with a manifest and renames it.

After a kill the step is repeated: a leftover draft is cleared, and a published directory is recognised by its manifest.
Existing files are never replaced: the next free name is used.
"""

import errno
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from gglib.core.errors import StorageError
from gglib.core.plain_text import escape_line
from gglib.core.versions import IncomingFile, NewVersion, OwnFile, PullJob
from gglib.library.versions.drafts import (
    DraftFile,
    begin_draft,
    clear_draft,
    end_draft,
    free_draft_path,
)
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import (
    INCOMING_NAME,
    candidates,
    file_names,
    is_candidate,
)
from gglib.library.versions.manifest import (
    Manifest,
    moved,
    read_manifest,
    write_manifest,
)
from gglib.library.versions.ownership import identity_from, is_own, status_of
from gglib.library.versions.shares import incoming_directory
from gglib.library.versions.sharing import (
    OWN_MODE,
    SourceError,
    link_or_copy,
    link_or_move,
    make_read_only,
)
from gglib.library.versions.storing import storing
from gglib.system.files.durable import sync
from gglib.system.files.small_files import open_regular

MAX_TRIES = 100
"""Attempts to rename into a parent directory that other processes may remove while it is empty."""
_TAKEN = frozenset((errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR))
_log = logging.getLogger("gglib")


class IncomingGoneError(StorageError):
    """An incoming file is missing or incomplete: download or share it again, then publish again."""

    def __init__(self, message: str, *, keys: tuple[str, ...]) -> None:
        self.keys = keys
        super().__init__(message)


def publish(job: PullJob, incoming: Incoming, models_dir: Path) -> NewVersion:
    """Publish the files of a pull durably in ``job.directory`` or the next free name, and return the version.

    The job is completely downloaded and recorded with its directory; the caller holds its lock. The incoming files stay
    until the version is installed, except on file systems without hard links, where they are moved.

    Raises ``IncomingGoneError``, ``StorageError`` and ``DiskFullError``.
    """
    directory = job.directory
    if directory is None or not job.is_fetched or not directory.is_relative_to(models_dir):
        raise ValueError("only a downloaded pull with a directory below models/ can be published")
    with storing(directory):
        found = find_published(job, models_dir)
        if found is None:
            draft, manifest = _build(job, incoming)
            try:
                final = _rename(draft, directory, models_dir)
            except BaseException:
                clear_draft(draft)
                raise
            found = moved(manifest, draft, final).version(final)
        end_draft(found.hold_path)
        _sync_names(found.hold_path, incoming.directory, models_dir)
        return found


def find_published(job: PullJob, models_dir: Path) -> NewVersion | None:
    """Return the version that an earlier ``publish`` of this job created, if all its files are unchanged."""
    if job.directory is None or not job.directory.is_relative_to(models_dir):
        return None
    try:
        names = sorted(path.name for path in job.directory.parent.iterdir())
    except OSError:
        return None
    directories = [job.directory.with_name(name) for name in names if is_candidate(name, job.directory)]
    publisher = _publisher(job, models_dir)
    return next(filter(None, (_published_in(directory, job, publisher) for directory in directories)), None)


def _publisher(job: PullJob, models_dir: Path) -> str:
    """Return the job key for the manifest, with a suffix per home if several homes share ``models/``."""
    return job.key + incoming_directory(models_dir).name.removeprefix(INCOMING_NAME)


def _published_in(directory: Path, job: PullJob, publisher: str) -> NewVersion | None:
    try:
        if not stat.S_ISDIR(directory.lstat().st_mode):
            return None
    except OSError:
        return None
    manifest = read_manifest(directory)
    if manifest is None or (manifest.job_key, manifest.started_at) != (publisher, job.started_at):
        return None
    if len(manifest.files) != len(job.files) or not all(map(_is_of, manifest.files, job.files)):
        return None
    return manifest.version(directory) if all(map(is_own, manifest.files)) else None


def _is_of(file: OwnFile, wanted: IncomingFile) -> bool:
    has_size = wanted.size_bytes in {None, file.identity.size_bytes}
    return has_size and (file.name, file.role, file.sha256) == (wanted.name, wanted.role, _hex(wanted.sha256))


def _build(job: PullJob, incoming: Incoming) -> tuple[Path, Manifest]:
    """Return a complete draft, ready to be renamed."""
    paths = file_names([file.name for file in job.files])
    incoming.prepare()
    draft = free_draft_path(incoming.directory, job.key)
    statuses = _stat_all(job, incoming)
    try:
        begin_draft(
            draft,
            [
                DraftFile(path=path, key=file.key, size_bytes=status.st_size, sha256=_hex(file.sha256))
                for path, file, status in zip(paths, job.files, statuses, strict=True)
            ],
        )
        taken: dict[str, Path] = {}
        for path, file, status in zip(paths, job.files, statuses, strict=True):
            _stage(file, incoming.path(file.key), status, draft / path, taken)
        files = tuple(_own(file, draft / path) for path, file in zip(paths, job.files, strict=True))
        manifest = Manifest(
            source=job.source,
            files=files,
            name=job.name,
            aliases=job.aliases,
            asked=job.asked,
            job_key=_publisher(job, incoming.models_dir),
            started_at=job.started_at,
        )
        write_manifest(draft, manifest)
        _sync_folders(draft, files)
    except BaseException:
        clear_draft(draft)
        raise
    return draft, manifest


def _stat_all(job: PullJob, incoming: Incoming) -> list[os.stat_result]:
    statuses = [status_of(incoming.path(file.key)) for file in job.files]
    found = [
        status
        for status, file in zip(statuses, job.files, strict=True)
        if status is not None and file.size_bytes in {None, status.st_size}
    ]
    if len(found) < len(job.files):
        gone = [
            file
            for status, file in zip(statuses, job.files, strict=True)
            if status is None or file.size_bytes not in {None, status.st_size}
        ]
        raise _gone(gone, incoming.directory)
    return found


def _gone(files: Sequence[IncomingFile], directory: Path) -> IncomingGoneError:
    return IncomingGoneError(
        f"{files[0].name} was downloaded but is missing from {directory}: run the same command again.",
        keys=tuple(file.key for file in files),
    )


def _stage(
    file: IncomingFile, source: Path, status: os.stat_result, target: Path, taken: dict[str, Path]
) -> None:
    """Link or move an incoming file into a draft; ``taken`` has the moved ones by key."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if file.key in taken:  # the repository has the same content twice
            link_or_copy(taken[file.key], target)
        elif link_or_move(source, target, identity=identity_from(status)) == "moved":
            taken[file.key] = target
    except SourceError as error:
        raise _gone([file], source.parent) from error


def _own(file: IncomingFile, path: Path) -> OwnFile:
    """Make a file in a draft durable and read-only, and return its record. Raises OSError."""
    return OwnFile(
        path=path,
        role=file.role,
        name=file.name,
        identity=identity_from(_finalize(path)),
        sha256=_hex(file.sha256),
        validator=file.validator,
    )


def _finalize(path: Path) -> os.stat_result:
    """Make a file read-only and durable; return its ``stat`` result. Raises OSError."""
    descriptor = open_regular(path)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != OWN_MODE:
            make_read_only(descriptor)
        os.fsync(descriptor)
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _rename(draft: Path, directory: Path, models_dir: Path) -> Path:
    """Rename a draft to the first free name, and return it. Raises OSError, and ``StorageError`` if none is free."""
    for final in candidates(directory):
        if _try_rename(draft, final):
            if final != directory:
                _log.warning(
                    "%s already exists: the files are in %s",
                    escape_line(str(directory)),
                    escape_line(str(final)),
                )
            return final
    raise StorageError(f"Too many directories named {directory}-N in {models_dir}: move some of them away.")


def _try_rename(draft: Path, final: Path) -> bool:
    """Rename a draft; return False if the name is taken.

    ``rename`` replaces nothing but an empty directory, and that only if it was created since the check.
    """
    for _ in range(MAX_TRIES):
        if os.path.lexists(final):
            return False
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.rename(final)
        except FileNotFoundError:  # the parent was empty and was removed
            if not os.path.lexists(draft):
                raise
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise StorageError(
                    f"{final.parent} is a link to another disk than {draft.parent}: move it to that disk, or make all "
                    "of models/ a link to the other disk."
                ) from error
            if error.errno in _TAKEN and os.path.lexists(final):
                return False
            raise
        else:
            return True
    raise OSError(errno.ENOENT, "another process keeps removing it", str(final.parent))


def _sync_folders(draft: Path, files: Sequence[OwnFile]) -> None:
    for folder in sorted({draft, *(file.path.parent for file in files)}, reverse=True):
        sync(folder)


def _sync_names(directory: Path, incoming: Path, models_dir: Path) -> None:
    """Sync the new name and the created directories before the version is installed."""
    for folder in directory.parents:
        sync(folder)
        if folder == models_dir:
            break
    if incoming.is_dir():
        sync(incoming)


def _hex(sha256: str | None) -> str | None:
    return None if sha256 is None else sha256.lower()

"""Finds a version on the disk that already has the files of a pull, so that nothing is downloaded."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gglib.core.errors import StorageError
from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.versions import FileRole, NewVersion, OwnFile, Version
from gglib.library.variants.pull_source import files_with_content
from gglib.library.versions.ownership import is_own
from gglib.system.files.hashing import hash_file

Wanted = Sequence[tuple[RemoteFile, FileRole]]
OnProgress = Callable[[int, int], None]
"""Called with the index of the file and the number of bytes read, from any thread."""


class _StoppedError(Exception):
    """The task that waits for the hash was cancelled."""


def candidates_of(
    source: ModelSource,
    known: ModelSummary | None,
    versions: Sequence[Version],
    models: Iterable[ModelSummary],
) -> list[Version]:
    """Return the versions that may have the files: that of ``known``, and versions of the same source without a model.

    ``gglib rm`` without ``--files`` leaves such versions.
    """
    used = {model.version_id for model in models}
    own = None if known is None else known.version_id
    return [
        version
        for version in versions
        if version.id == own or (version.id not in used and _is_from(version, source))
    ]


async def find_here(
    wanted: Wanted, source: ModelSource, candidates: Iterable[Version], on_progress: OnProgress
) -> NewVersion | None:
    """Return the version that consists of the wanted files, after hashing them; None if there is none."""
    for version in candidates:
        files = _matched(wanted, version)
        if files and await _are_whole(files, on_progress):
            return NewVersion(directory=version.directory, source=source, files=files)
    return None


def _is_from(version: Version, source: ModelSource) -> bool:
    if source.url is not None:
        return version.source.url == source.url
    place = ((source.repo or "").casefold(), source.asked_revision)
    return ((version.source.repo or "").casefold(), version.source.asked_revision) == place


def _matched(wanted: Wanted, version: Version) -> tuple[OwnFile, ...] | None:
    """Return the files of a version in the wanted order if it has exactly these."""
    if len(wanted) != len(version.files):
        return None
    matched = []
    for remote, role in wanted:
        same = files_with_content(remote, [version])
        found = next((file for file in same if (file.role, file.name) == (role, remote.name)), None)
        if found is None:
            return None
        matched.append(replace(found, validator=remote.validator))
    return tuple(matched)


async def _are_whole(files: Sequence[OwnFile], on_progress: OnProgress) -> bool:
    stop = threading.Event()
    try:
        return await asyncio.to_thread(_check, files, on_progress, stop)
    except asyncio.CancelledError:
        stop.set()
        raise


def _check(files: Sequence[OwnFile], on_progress: OnProgress, stop: threading.Event) -> bool:
    for number, file in enumerate(files):

        def on_read(done_bytes: int, number: int = number) -> None:
            if stop.is_set():
                raise _StoppedError
            on_progress(number, done_bytes)

        try:
            if (
                not is_own(file)
                or file.sha256 is None
                or hash_file(file.path, on_read) != file.sha256.lower()
            ):
                return False
        except (OSError, StorageError, _StoppedError):
            return False
    return True

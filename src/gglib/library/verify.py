"""Verifies the files of models against the hashes that their sources named.

The hash function is passed in. While the files of a version are read, a shared lock keeps other gglib processes from
deleting them; a concurrent update replaces the row, not the files.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from gglib.core.errors import CatalogError
from gglib.core.models import ModelSummary, NewModel
from gglib.core.ports.catalog import ModelStorePort
from gglib.core.ports.store import HomeStorePort
from gglib.core.verification import FileCheck, FileVerdict
from gglib.core.versions import FileIdentity, OwnFile, Version
from gglib.library.add import ModelReader
from gglib.library.versions.locks import shared
from gglib.library.versions.ownership import identity_of

OnRead = Callable[[int], None]
"""Called with the bytes read of the file; raises to cancel."""
HashFile = Callable[[Path, OnRead], str]
"""Returns the SHA-256 of a file in hex digits, or raises OSError. Blocks."""
OnVerifyProgress = Callable[[Path, int], None]
"""Called with a file and the number of bytes read, frequently, from another thread."""

MAX_MOVES = 5
"""How often a model is looked up again if an update moved it to another version before the lock was acquired."""


def known_hashes(model: ModelSummary) -> tuple[str | None, ...]:
    """Return the hash that the source named for each file, or None."""
    if model.hashes:
        return model.hashes
    return (model.source.sha256, *(None for _ in model.paths[1:])) if model.paths else ()


def files_of(model: ModelSummary) -> Iterator[tuple[Path, str | None]]:
    """Return the model's files and its projector, each with its expected hash."""
    yield from zip(model.paths, known_hashes(model), strict=True)
    if model.projector is not None:
        yield model.projector, model.projector_sha256


async def verify_models(
    models: Iterable[ModelSummary], store: HomeStorePort, hash_file: HashFile, on_progress: OnVerifyProgress
) -> list[FileCheck]:
    """Hash every file of the models sequentially, shared files once. Stops soon after a cancellation.

    Each model is looked up when its turn comes; models that were removed are left out.
    """
    stop = threading.Event()
    found: dict[object, str | OSError] = {}
    seen: dict[Path, FileIdentity] = {}
    checks = []
    try:
        for model in models:
            async with _locked(model, store) as (now, version):
                if now is None:
                    continue
                own = {} if version is None else {file.path: file for file in version.files}
                for path, named in files_of(now):
                    file = own.get(path)
                    key = await asyncio.to_thread(_key_of, path)
                    if key not in found:
                        found[key] = await asyncio.to_thread(_hash, path, hash_file, on_progress, stop)
                    expected = named or (file.sha256 if file is not None else None)
                    check = _compare(now, path, expected, found[key])
                    is_replaced = file is not None and await asyncio.to_thread(_is_replaced, file, found[key])
                    checks.append(replace(check, is_replaced=is_replaced))
                    if file is not None and file.identity.device is None and not is_replaced:
                        seen.update(await asyncio.to_thread(_identity, file.path))
    finally:
        stop.set()  # the thread of a cancelled call runs until this event
    if seen:
        with suppress(CatalogError):  # only saves later commands from reading the files
            await store.update_identities(seen)
    return checks


@asynccontextmanager
async def _locked(
    model: ModelSummary, store: HomeStorePort
) -> AsyncIterator[tuple[ModelSummary | None, Version | None]]:
    """Yield the current row of a model with its version, whose files are locked against deletion inside the block."""
    for _ in range(MAX_MOVES):
        now, version = await _look_up(model.id, store)
        if version is None:
            yield now, None
            return
        with shared(version.hold_path):
            again, same = await _look_up(model.id, store)
            is_current = again is not None and same is not None and same.id == version.id
            if is_current:
                # Without the lock, the directory is gone, and so are its files.
                yield again, same
                return
    yield await _look_up(model.id, store)


async def _look_up(model_id: int, store: HomeStorePort) -> tuple[ModelSummary | None, Version | None]:
    model = next((model for model in await store.list_models() if model.id == model_id), None)
    if model is None or model.version_id is None:
        return model, None
    versions = await store.list_versions()
    return model, next((version for version in versions if version.id == model.version_id), None)


async def remember_hashes(
    checks: Iterable[FileCheck], store: ModelStorePort, read_model: ModelReader
) -> list[ModelSummary]:
    """Record the computed hashes of files without an expected hash, and return those models.

    A model whose files have changed since is left unchanged. Raises ``InvalidGgufError`` and the store's errors.
    """
    by_model: dict[int, list[FileCheck]] = {}
    for check in checks:
        by_model.setdefault(check.model.id, []).append(check)
    remembered = []
    for own in by_model.values():
        has_news = any(check.verdict is FileVerdict.UNKNOWN for check in own)
        if has_news and not any(check.is_bad for check in own):
            model = await _with_hashes(own, read_model)
            # The read took minutes: the hash of an older file in a newer row would report damage.
            changed = await store.replace_model(str(own[0].model.id), model, seen=own[0].model)
            remembered += [] if changed is None else [changed]
    return remembered


class _StoppedError(Exception):
    """The caller was cancelled and no longer needs the hash."""


def _hash(
    path: Path, hash_file: HashFile, on_progress: OnVerifyProgress, stop: threading.Event
) -> str | OSError:
    def report_or_stop(done_bytes: int) -> None:
        if stop.is_set():
            raise _StoppedError
        on_progress(path, done_bytes)

    try:
        return hash_file(path, report_or_stop)
    except OSError as error:
        return error


def _key_of(path: Path) -> object:
    """Return a key that is the same for all paths to a file; the path itself if there is no such file."""
    return identity_of(path) or path


def _identity(path: Path) -> dict[Path, FileIdentity]:
    identity = identity_of(path)
    return {} if identity is None else {path: identity}


def _is_replaced(file: OwnFile, found: str | OSError) -> bool:
    """Whether a file is not the recorded one. Without device and inode, the hash decides."""
    now, known = identity_of(file.path), file.identity
    if isinstance(found, OSError):
        return False
    if not known.is_complete:
        return now is None or (file.sha256 is not None and found != file.sha256.lower())
    return now != known


def _compare(model: ModelSummary, path: Path, expected: str | None, found: str | OSError) -> FileCheck:
    check = FileCheck(model=model, path=path, expected=expected, verdict=FileVerdict.GOOD)
    match found:
        case FileNotFoundError() | NotADirectoryError():
            return replace(check, verdict=FileVerdict.GONE)
        case OSError():
            return replace(check, verdict=FileVerdict.UNREADABLE, reason=found.strerror or str(found))
    if expected is None:
        return replace(check, found=found, verdict=FileVerdict.UNKNOWN)
    is_same = found == expected.lower()
    return replace(check, found=found, verdict=FileVerdict.GOOD if is_same else FileVerdict.DIFFERS)


async def _with_hashes(checks: list[FileCheck], read_model: ModelReader) -> NewModel:
    """Return the row of the model with the computed hashes; the facts come from its header."""
    model = checks[0].model
    found = {check.path: check.found for check in checks}
    files = await asyncio.to_thread(read_model, model.paths[0])
    return NewModel(
        name=model.name,
        paths=model.paths,
        size_bytes=files.size_bytes,
        description=model.description,
        facts=replace(files.facts, capabilities=model.detected or model.capabilities),
        source=replace(model.source, sha256=found[model.paths[0]]),
        hashes=tuple(found[path] for path in model.paths),
        projector=model.projector,
        projector_sha256=None if model.projector is None else found[model.projector],
        is_downloaded=model.is_downloaded,
    )

"""Reads the files of models again and compares them with what their sources said of them.

Knows the core only; what hashes a file is passed in. While the files of a version are read, a shared lock on it keeps
every gglib from deleting them: an update in the meantime replaces the row and leaves what is read here as it is.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from gglib.core.errors import CatalogError
from gglib.core.models import ModelSummary, NewModel
from gglib.core.ports.catalog import ModelStorePort
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import FileIdentity, OwnFile, Version
from gglib.library.add import ModelReader
from gglib.library.versions.locks import shared
from gglib.library.versions.ownership import identity_of

OnRead = Callable[[int], None]
"""Told how many bytes of the file have been read; raises to end it."""
HashFile = Callable[[Path, OnRead], str]
"""Returns the SHA-256 of a file in hex digits, or raises OSError. Blocks."""
OnVerifyProgress = Callable[[Path, int], None]
"""Told how many bytes of which file have been read; from another thread, often."""

MAX_MOVES = 5
"""How often a model is looked up again because it moved to another version before its files could be held."""


class FileVerdict(StrEnum):
    """What became of the comparison."""

    GOOD = "good"
    UNKNOWN = "unknown"
    """Nobody says what its hash should be."""
    DIFFERS = "differs"
    GONE = "gone"
    UNREADABLE = "unreadable"


BAD = frozenset((FileVerdict.DIFFERS, FileVerdict.GONE, FileVerdict.UNREADABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """One file of one model."""

    model: ModelSummary
    path: Path
    expected: str | None
    found: str | None = None
    verdict: FileVerdict
    reason: str | None = None
    """Of what cannot be read: what the system says."""
    is_replaced: bool = False
    """Whether gglib wrote a file here and this is not that file any more: it was written to, or another one is here."""

    @property
    def is_bad(self) -> bool:
        """Whether the model should not be used like this."""
        return self.verdict in BAD


def known_hashes(model: ModelSummary) -> tuple[str | None, ...]:
    """Return the hash of each file as its source named it; None where nobody did."""
    if model.hashes:
        return model.hashes
    return (model.source.sha256, *(None for _ in model.paths[1:]))


def files_of(model: ModelSummary) -> Iterator[tuple[Path, str | None]]:
    """Return the model's files and its projector, each with the hash that it should have."""
    yield from zip(model.paths, known_hashes(model), strict=True)
    if model.projector is not None:
        yield model.projector, model.projector_sha256


async def verify_models(
    models: Iterable[ModelSummary], store: HomeStorePort, hash_file: HashFile, tell: OnVerifyProgress
) -> list[FileCheck]:
    """Hash every file of the models, one after the other, a shared one once. Ends soon when it is cancelled.

    Models are checked as they are when it is their turn; one that was removed by then is left out.
    """
    is_over = threading.Event()
    found: dict[object, str | OSError] = {}
    seen: dict[Path, FileIdentity] = {}
    checks = []
    try:
        for model in models:
            async with _held(model, store) as (now, version):
                if now is None:
                    continue
                own = {} if version is None else {file.path: file for file in version.files}
                for path, named in files_of(now):
                    file = own.get(path)
                    key = await asyncio.to_thread(_key_of, path)
                    if key not in found:
                        found[key] = await asyncio.to_thread(_hash, path, hash_file, tell, is_over)
                    expected = named or (file.sha256 if file is not None else None)
                    check = _compare(now, path, expected, found[key])
                    is_replaced = file is not None and await asyncio.to_thread(_is_replaced, file, found[key])
                    checks.append(replace(check, is_replaced=is_replaced))
                    if file is not None and file.identity.device is None and not is_replaced:
                        seen.update(await asyncio.to_thread(_identity, file.path))
    finally:
        is_over.set()  # the thread of a cancelled call goes on until it is told
    if seen:
        with suppress(CatalogError):  # it spares later commands a reading, no more
            await store.update_identities(seen)
    return checks


@asynccontextmanager
async def _held(
    model: ModelSummary, store: HomeStorePort
) -> AsyncIterator[tuple[ModelSummary | None, Version | None]]:
    """Yield a model as it is now, with its version, whose files no gglib deletes while the block lasts."""
    for _ in range(MAX_MOVES):
        now, version = await _look_up(model.id, store)
        if version is None:
            yield now, None
            return
        with shared(version.hold_path):
            again, same = await _look_up(model.id, store)
            is_current = again is not None and same is not None and same.id == version.id
            if is_current:
                # Also where it is not held: then its directory is gone, and so are its files.
                yield again, same
                return
    yield await _look_up(model.id, store)


async def _look_up(model_id: int, store: HomeStorePort) -> tuple[ModelSummary | None, Version | None]:
    model = next((one for one in await store.list_models() if one.id == model_id), None)
    if model is None or model.version_id is None:
        return model, None
    versions = await store.list_versions()
    return model, next((one for one in versions if one.id == model.version_id), None)


async def remember_hashes(
    checks: Iterable[FileCheck], store: ModelStorePort, read_model: ModelReader
) -> list[ModelSummary]:
    """Keep what was computed of files without a known hash, so that they are known again; return those models.

    A model that has got other files since is left as it is. Raises ``InvalidGgufError`` and the store's errors.
    """
    by_model: dict[int, list[FileCheck]] = {}
    for check in checks:
        by_model.setdefault(check.model.id, []).append(check)
    remembered = []
    for own in by_model.values():
        has_news = any(check.verdict is FileVerdict.UNKNOWN for check in own)
        if has_news and not any(check.is_bad for check in own):
            model = await _with_hashes(own, read_model)
            # Minutes after it was read: a hash of an older file in the row of a newer one would call that damaged.
            changed = await store.replace_model(str(own[0].model.id), model, seen=own[0].model)
            remembered += [] if changed is None else [changed]
    return remembered


class _OverError(Exception):
    """Nobody waits for the hash any more."""


def _hash(path: Path, hash_file: HashFile, tell: OnVerifyProgress, is_over: threading.Event) -> str | OSError:
    def tell_or_end(done_bytes: int) -> None:
        if is_over.is_set():
            raise _OverError
        tell(path, done_bytes)

    try:
        return hash_file(path, tell_or_end)
    except OSError as error:
        return error


def _key_of(path: Path) -> object:
    """Return what two paths to one file have in common; the path itself where there is no such file."""
    return identity_of(path) or path


def _identity(path: Path) -> dict[Path, FileIdentity]:
    identity = identity_of(path)
    return {} if identity is None else {path: identity}


def _is_replaced(file: OwnFile, found: str | OSError) -> bool:
    """Whether a file is not the recorded one. What was read decides where device and inode are not known any more."""
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
    """Return the model as it is, with what was found of its files; its facts are in its header."""
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

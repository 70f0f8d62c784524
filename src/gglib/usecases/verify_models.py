"""Reads the files of models again and compares them with what their sources said of them.

Knows the core only; what hashes a file is passed in.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from gglib.core.models import ModelSummary, NewModel
from gglib.core.ports import ModelStorePort
from gglib.usecases.add_model import ModelReader

TellRead = Callable[[int], None]
"""Told how many bytes of the file have been read; raises to end it."""
HashFile = Callable[[Path, TellRead], str]
"""Returns the SHA-256 of a file in hex digits, or raises OSError. Blocks."""
TellHashed = Callable[[Path, int], None]
"""Told how many bytes of which file have been read; from another thread, often."""


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
    models: Iterable[ModelSummary], hash_file: HashFile, tell: TellHashed
) -> list[FileCheck]:
    """Hash every file of the models, one after the other, a shared one once. Ends soon when it is cancelled."""
    is_over = threading.Event()
    found: dict[Path, str | OSError] = {}
    checks = []
    try:
        for model in models:
            for path, expected in files_of(model):
                if path not in found:
                    found[path] = await asyncio.to_thread(_hash, path, hash_file, tell, is_over)
                checks.append(_compare(model, path, expected, found[path]))
    finally:
        is_over.set()  # the thread of a cancelled call goes on until it is told
    return checks


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
            if await _is_still(own[0].model, store):
                changed = await store.replace_model(str(own[0].model.id), model)
                remembered += [] if changed is None else [changed]
    return remembered


async def _is_still(read: ModelSummary, store: ModelStorePort) -> bool:
    """Whether the catalogue has the model's files as they were read: minutes ago, while others may change it.

    A hash of an older file in the row of a newer one would call that damaged.
    """
    return any(
        model.id == read.id and _content(model) == _content(read) for model in await store.list_models()
    )


def _content(model: ModelSummary) -> tuple[object, ...]:
    return model.all_files, model.size_bytes, model.hashes, model.source, model.projector_sha256


class _OverError(Exception):
    """Nobody waits for the hash any more."""


def _hash(path: Path, hash_file: HashFile, tell: TellHashed, is_over: threading.Event) -> str | OSError:
    def tell_or_end(done_bytes: int) -> None:
        if is_over.is_set():
            raise _OverError
        tell(path, done_bytes)

    try:
        return hash_file(path, tell_or_end)
    except OSError as error:
        return error


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

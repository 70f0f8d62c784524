"""Says of which models their repository has other files now than when they came. Knows the core only."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from gglib.core.errors import HubError, RepositoryNotFoundError
from gglib.core.gguf_names import shard_of
from gglib.core.hub import HubFile, HubRepository
from gglib.core.models import ModelSummary
from gglib.core.ports import ModelHubPort
from gglib.usecases.verify_models import known_hashes

AT_ONCE = 4
"""Repositories that are asked about at the same time."""


class Upstream(StrEnum):
    """How a model stands to its repository."""

    CURRENT = "current"
    CHANGED = "changed"
    GONE = "gone"
    """The repository, or the file in it, is not there any more."""
    PINNED = "pinned"
    """It was asked for at this revision, which is not followed."""
    NOT_TOLD = "not told"
    """The hub could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that has the same name in the repository and another content."""

    name: str
    old_sha256: str | None
    new_sha256: str | None
    new_size_bytes: int | None
    """None for one that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCheck:
    """One model, and what its repository has in the place of its files."""

    model: ModelSummary
    repo: str
    state: Upstream
    old_revision: str | None = None
    new_revision: str | None = None
    changes: tuple[FileChange, ...] = ()
    reason: str | None = None
    """What the hub, or who asked it, says where that failed: a sentence."""

    @property
    def target(self) -> str:
        """What to name to ``gglib pull`` for the files as they are now."""
        return f"{self.repo}/{self.model.source.file}" if self.model.source.file else self.repo


async def check_upstream(
    models: Iterable[ModelSummary], hub: ModelHubPort, models_dir: Path
) -> list[UpstreamCheck]:
    """Ask the hub about each model that came from a repository; each repository once, all of them on their own."""
    from_hub = [model for model in models if model.source.repo is not None]
    pins = {model.id: pinned_revision(model, models_dir) for model in from_hub}
    repos = dict.fromkeys(
        model.source.repo for model in from_hub if model.source.repo is not None and pins[model.id] is None
    )
    turns = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(*(_ask(repo, hub, turns) for repo in repos))
    known = dict(zip(repos, answers, strict=True))
    return [_check(model, pins[model.id] or known[model.source.repo or ""]) for model in from_hub]


def pinned_revision(model: ModelSummary, models_dir: Path) -> str | None:
    """Return the revision that a model was pulled at by name, which its directory tells; None for the newest."""
    if not model.is_downloaded or not model.paths[0].is_relative_to(models_dir):
        return None
    parts = model.paths[0].relative_to(models_dir).parts
    return unquote(parts[1].partition("@")[2]) or None if len(parts) > 2 else None


async def _ask(repo: str, hub: ModelHubPort, turns: asyncio.Semaphore) -> HubRepository | HubError:
    async with turns:
        try:
            return await hub.repository(repo)
        except HubError as error:
            return error


def _check(model: ModelSummary, answer: HubRepository | HubError | str) -> UpstreamCheck:
    """Return how a model stands to what the hub answered; to the revision that it is pinned at, which is text."""
    check = UpstreamCheck(
        model=model, repo=model.source.repo or "", state=Upstream.PINNED, old_revision=model.source.revision
    )
    match answer:
        case str():
            return replace(check, reason=f"at {answer}")
        case RepositoryNotFoundError():
            return replace(check, state=Upstream.GONE, reason=str(answer))
        case HubError():
            return replace(check, state=Upstream.NOT_TOLD, reason=str(answer))
        case HubRepository():
            return _compare(check, answer)


def _compare(check: UpstreamCheck, repository: HubRepository) -> UpstreamCheck:
    check = replace(check, new_revision=repository.revision)
    model = check.model
    names = _names_there(model)
    if not names:
        return replace(check, state=Upstream.NOT_TOLD, reason="Which of its files it was is not known.")
    files = {file.name: file for file in repository.files}
    hashes = known_hashes(model)
    sizes = _known_sizes(model, [files.get(name) for name in names])
    changes = [
        change
        for name, sha256, is_same_size in zip(names, hashes, sizes, strict=True)
        if (change := _change(name, sha256, files.get(name), is_same_size=is_same_size)) is not None
    ]
    changes += _projector_change(model, repository)
    if not changes:
        return replace(check, state=Upstream.CURRENT)
    is_gone = files.get(names[0]) is None
    return replace(check, state=Upstream.GONE if is_gone else Upstream.CHANGED, changes=tuple(changes))


def _names_there(model: ModelSummary) -> tuple[str, ...]:
    """Return the names of the model's files in its repository: the first is known, shards differ in a number."""
    first = model.source.file
    if first is None:
        return ()
    shard = shard_of(first)
    if shard is None:
        return (first,) if len(model.paths) == 1 else ()
    return tuple(
        f"{shard.stem}-{number:05}-of-{shard.count:05}.gguf" for number in range(1, len(model.paths) + 1)
    )


def _known_sizes(model: ModelSummary, files: Sequence[HubFile | None]) -> list[bool]:
    """Return of each file whether nothing speaks against it by size: only their sum is known."""
    total = sum(file.size_bytes for file in files if file is not None)
    is_same = model.size_bytes is None or total == model.size_bytes or None in files
    return [is_same] * len(files)


def _change(name: str, sha256: str | None, file: HubFile | None, *, is_same_size: bool) -> FileChange | None:
    if file is None:
        return FileChange(name=name, old_sha256=sha256, new_sha256=None, new_size_bytes=None)
    is_same = is_same_size if sha256 is None or file.sha256 is None else sha256 == file.sha256
    if is_same:
        return None
    return FileChange(name=name, old_sha256=sha256, new_sha256=file.sha256, new_size_bytes=file.size_bytes)


def _projector_change(model: ModelSummary, repository: HubRepository) -> list[FileChange]:
    """Return what changed of the projector; one that is gone there is no loss here."""
    if model.projector is None or model.projector_sha256 is None:
        return []
    for file in repository.files:
        if PurePosixPath(file.name).name == model.projector.name:
            change = _change(file.name, model.projector_sha256, file, is_same_size=True)
            return [] if change is None else [change]
    return []

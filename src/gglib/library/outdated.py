"""Says of which models their source has other files now than when they came. Knows the core only.

What a model's files are called at their source, and which of them is the projector, is in the record of its version; a
model that gglib did not download has none, and is compared by what its row knows.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath

from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.gguf_names import shard_of
from gglib.core.hub.quantizations import folded, label_of
from gglib.core.hub.repository import HubFile, HubRepository, RemoteFile
from gglib.core.hub.shown_source import has_query, pull_target, without_query
from gglib.core.hub.variants import Variant
from gglib.core.models import ModelSummary
from gglib.core.ports.hub import ModelHubPort
from gglib.core.versions import FileRole, OwnFile, Version
from gglib.library.variants.find import find_variants
from gglib.library.verify import known_hashes

AT_ONCE = 4
"""Repositories and addresses that are asked about at the same time."""


class Upstream(StrEnum):
    """How a model stands to its source."""

    CURRENT = "current"
    CHANGED = "changed"
    GONE = "gone"
    """The repository, the file in it, or the address is not there any more."""
    PINNED = "pinned"
    """It was asked for at this revision, which is not followed."""
    UNCHECKED = "not told"
    """The source could not be asked."""
    UNKNOWN = "unknown"
    """The server of an address says nothing that distinguishes one file from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that has another content at its source, or another name and another content."""

    name: str
    """At the source, now."""
    old_sha256: str | None
    new_sha256: str | None
    new_size_bytes: int | None
    """None for one that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCheck:
    """One model, and what its source has in the place of its files."""

    model: ModelSummary
    repo: str
    """The repository, or the address without its query."""
    state: Upstream
    target: str | None
    """What to name to ``gglib pull`` for the files as they are now; None for an address with a query, which is not
    shown, and without which it is another file."""
    old_revision: str | None = None
    new_revision: str | None = None
    changes: tuple[FileChange, ...] = ()
    reason: str | None = None
    """What the source, or its adapter, says where that failed: a sentence."""


async def check_upstream(
    models: Iterable[ModelSummary], versions: Iterable[Version], hub: ModelHubPort
) -> list[UpstreamCheck]:
    """Ask about each model that came from a repository or an address; each source once, all of them on their own."""
    sourced = [model for model in models if model.source.repo is not None or _address_of(model) is not None]
    known = {version.id: version for version in versions}
    asked = [model for model in sourced if model.source.asked_revision is None]
    repos = dict.fromkeys(model.source.repo for model in asked if model.source.repo is not None)
    addresses = dict.fromkeys(
        address
        for model in asked
        if model.source.repo is None and (address := _address_of(model)) is not None
    )
    turns = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(
        *(_ask(repo, hub, turns) for repo in repos), *(_locate(address, hub, turns) for address in addresses)
    )
    by_source = dict(zip([*repos, *addresses], answers, strict=True))
    return [
        _check(
            model,
            None if model.version_id is None else known.get(model.version_id),
            by_source[model.source.repo or _address_of(model) or ""] if model in asked else None,
        )
        for model in sourced
    ]


def _address_of(model: ModelSummary) -> str | None:
    return model.source.url if model.source.origin == "url" else None


Answer = HubRepository | RemoteFile | HubError


async def _ask(repo: str, hub: ModelHubPort, turns: asyncio.Semaphore) -> Answer:
    async with turns:
        try:
            return await hub.repository(repo)
        except HubError as error:
            return error


async def _locate(address: str, hub: ModelHubPort, turns: asyncio.Semaphore) -> Answer:
    async with turns:
        try:
            return await hub.locate(address)
        except HubError as error:
            return error


def _check(model: ModelSummary, version: Version | None, answer: Answer | None) -> UpstreamCheck:
    """Return how a model stands to what its source answered; None where it was not asked, because it is pinned."""
    address = without_query(_address_of(model) or "")
    source = model.source
    check = UpstreamCheck(
        model=model,
        repo=source.repo or address,
        state=Upstream.PINNED,
        target=_target(source.repo, source.file) if source.repo else pull_target(model),
        old_revision=source.revision,
    )
    match answer:
        case None:
            return replace(check, reason=f"at {source.asked_revision}")
        case RepositoryNotFoundError():
            return replace(check, state=Upstream.GONE, reason=str(answer))
        case GatedRepositoryError() if source.url is not None and has_query(source.url):
            return replace(check, state=Upstream.GONE, reason=str(answer))  # a signature is over some day
        case HubError():
            return replace(check, state=Upstream.UNCHECKED, reason=str(answer))
        case RemoteFile():
            return _compare_address(check, version, answer)
        case HubRepository():
            return _compare(check, version, answer)


def _target(repo: str, file: str | None) -> str:
    return f"{repo}/{file}" if file else repo


# --- a repository ---


@dataclass(frozen=True, slots=True)
class _Had:
    """A file as it was when it came."""

    name: str
    sha256: str | None
    size_bytes: int | None
    """None where only the size of all files together is known."""


def _compare(check: UpstreamCheck, version: Version | None, repository: HubRepository) -> UpstreamCheck:
    check = replace(
        check, new_revision=repository.revision, target=_target(repository.repo, check.model.source.file)
    )
    had = _models_had(check.model, version)
    if not had:
        return replace(check, state=Upstream.UNCHECKED, reason="Which of its files it was is not known.")
    files = {file.name: file for file in repository.files}
    if had[0].name not in files:
        return _compare_renamed(check, had, repository)
    total = None if version is not None else _is_same_total(check.model, [files.get(one.name) for one in had])
    changes = [
        change for one in had if (change := _change(one, files.get(one.name), is_same=total)) is not None
    ]
    changes += _projector_change(check.model, version, repository)
    return replace(check, state=Upstream.CHANGED if changes else Upstream.CURRENT, changes=tuple(changes))


def _compare_renamed(check: UpstreamCheck, had: Sequence[_Had], repository: HubRepository) -> UpstreamCheck:
    """Compare with the one model that has this quantization in the repository now, where there is one."""
    variant = _same_quantization(had[0].name, repository)
    if variant is None:
        gone = FileChange(name=had[0].name, old_sha256=had[0].sha256, new_sha256=None, new_size_bytes=None)
        return replace(check, state=Upstream.GONE, changes=(gone,))
    check = replace(check, target=variant.target(repository.repo))
    if [one.sha256 for one in had] == [file.sha256 for file in variant.files] and had[0].sha256 is not None:
        return replace(check, state=Upstream.CURRENT)
    hashes = [one.sha256 for one in had] if len(had) == len(variant.files) else [None] * len(variant.files)
    changes = [
        FileChange(name=file.name, old_sha256=old, new_sha256=file.sha256, new_size_bytes=file.size_bytes)
        for file, old in zip(variant.files, hashes, strict=True)
    ]
    return replace(check, state=Upstream.CHANGED, changes=tuple(changes))


def _same_quantization(name: str, repository: HubRepository) -> Variant | None:
    label = label_of(name)
    if label is None:
        return None
    found = [
        variant
        for variant in find_variants(repository.files).models
        if variant.quantization is not None and folded(variant.quantization) == folded(label)
    ]
    return found[0] if len(found) == 1 else None


def _models_had(model: ModelSummary, version: Version | None) -> list[_Had]:
    """Return the model's files, in order, as its repository called them."""
    hashes = known_hashes(model)
    if version is not None:
        own = [file for file in version.files if file.role is FileRole.MODEL]
        named = hashes if len(hashes) == len(own) else (None,) * len(own)
        return [
            _Had(file.name, sha256 or file.sha256, file.identity.size_bytes)
            for file, sha256 in zip(own, named, strict=True)
        ]
    names = _names_there(model)
    return [_Had(name, sha256, None) for name, sha256 in zip(names, hashes, strict=bool(names))]


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


def _is_same_total(model: ModelSummary, files: Sequence[HubFile | None]) -> bool:
    """Return whether nothing speaks against the files by size, where only their sum is known."""
    total = sum(file.size_bytes for file in files if file is not None)
    return model.size_bytes is None or total == model.size_bytes or None in files


def _change(had: _Had, file: HubFile | None, *, is_same: bool | None) -> FileChange | None:
    """Return what changed of a file; ``is_same`` is what the sizes say where the file's own is not known."""
    if file is None:
        return FileChange(name=had.name, old_sha256=had.sha256, new_sha256=None, new_size_bytes=None)
    if had.sha256 is not None and file.sha256 is not None:
        is_same = had.sha256.lower() == file.sha256.lower()
    elif had.size_bytes is not None:
        is_same = had.size_bytes == file.size_bytes
    if is_same is not False:
        return None
    return FileChange(
        name=had.name, old_sha256=had.sha256, new_sha256=file.sha256, new_size_bytes=file.size_bytes
    )


def _projector_change(
    model: ModelSummary, version: Version | None, repository: HubRepository
) -> list[FileChange]:
    """Return what changed of the projector; one that is gone there is no loss here, and the user's own has no source.

    It is known by its name in the repository: several of its folders may have projectors of one name.
    """
    if model.projector is None:
        return []
    if version is not None:
        own = next((one for one in version.files if _is_projector(one, model)), None)
        files = [file for file in repository.files if own is not None and file.name == own.name]
        had = None if own is None else _Had(own.name, own.sha256, own.identity.size_bytes)
    else:
        name = model.projector.name
        files = [file for file in repository.files if PurePosixPath(file.name).name == name]
        had = None if model.projector_sha256 is None else _Had(name, model.projector_sha256, None)
    if had is None or len(files) != 1:
        return []
    change = _change(had, files[0], is_same=True)
    return [] if change is None else [replace(change, name=files[0].name)]


def _is_projector(file: OwnFile, model: ModelSummary) -> bool:
    return file.role is FileRole.PROJECTOR and file.path == model.projector


# --- an address ---


def _compare_address(check: UpstreamCheck, version: Version | None, remote: RemoteFile) -> UpstreamCheck:
    """Compare what the server says of the file now with what it said: the hash, else the validator, else the size."""
    file = None if version is None else version.files[0]
    sha256 = known_hashes(check.model)[0] or (None if file is None else file.sha256)
    size_bytes = check.model.size_bytes if file is None else file.identity.size_bytes
    if sha256 is not None and remote.sha256 is not None:
        is_same = sha256.lower() == remote.sha256.lower()
    elif remote.size_bytes is not None and size_bytes is not None and remote.size_bytes != size_bytes:
        is_same = False
    elif file is not None and file.validator is not None and remote.validator is not None:
        is_same = file.validator == remote.validator
    else:
        return replace(check, state=Upstream.UNKNOWN)
    if is_same:
        return replace(check, state=Upstream.CURRENT)
    change = FileChange(
        name=remote.name, old_sha256=sha256, new_sha256=remote.sha256, new_size_bytes=remote.size_bytes
    )
    return replace(check, state=Upstream.CHANGED, changes=(change,))

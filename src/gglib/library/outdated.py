"""Finds the models whose source has changed since they were downloaded.

A version records the names of its files at the source and which of them is the projector. A model that gglib did not
download has no version and is compared by its row.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.gguf_names import shard_of
from gglib.core.hub.quantizations import folded, label_of
from gglib.core.hub.repository import HubFile, HubRepository, RemoteFile
from gglib.core.hub.shown_source import has_query, pull_target, without_query
from gglib.core.hub.updates import FileChange, Upstream, UpstreamCheck
from gglib.core.hub.variants import Variant
from gglib.core.models import ModelSummary
from gglib.core.ports.hub import ModelHubPort
from gglib.core.versions import FileRole, OwnFile, Version
from gglib.library.variants.find import find_variants
from gglib.library.verify import known_hashes

MAX_CONCURRENT = 4
"""Maximum number of concurrent requests to sources."""


async def check_upstream(
    models: Iterable[ModelSummary], versions: Iterable[Version], hub: ModelHubPort
) -> list[UpstreamCheck]:
    """Check each model that came from a repository or a URL; each source is requested once, independently."""
    sourced = [model for model in models if model.source.repo is not None or _address_of(model) is not None]
    known = {version.id: version for version in versions}
    unpinned = [model for model in sourced if model.source.asked_revision is None]
    repos = dict.fromkeys(model.source.repo for model in unpinned if model.source.repo is not None)
    addresses = dict.fromkeys(
        address
        for model in unpinned
        if model.source.repo is None and (address := _address_of(model)) is not None
    )
    slots = asyncio.Semaphore(MAX_CONCURRENT)
    results = await asyncio.gather(
        *(_fetch_repository(repo, hub, slots) for repo in repos),
        *(_fetch_remote_file(address, hub, slots) for address in addresses),
    )
    by_source = dict(zip([*repos, *addresses], results, strict=True))
    return [
        _check(
            model,
            None if model.version_id is None else known.get(model.version_id),
            by_source[model.source.repo or _address_of(model) or ""] if model in unpinned else None,
        )
        for model in sourced
    ]


def _address_of(model: ModelSummary) -> str | None:
    return model.source.url if model.source.origin == "url" else None


SourceResult = HubRepository | RemoteFile | HubError


async def _fetch_repository(repo: str, hub: ModelHubPort, slots: asyncio.Semaphore) -> SourceResult:
    async with slots:
        try:
            return await hub.repository(repo)
        except HubError as error:
            return error


async def _fetch_remote_file(address: str, hub: ModelHubPort, slots: asyncio.Semaphore) -> SourceResult:
    async with slots:
        try:
            return await hub.locate(address)
        except HubError as error:
            return error


def _check(model: ModelSummary, version: Version | None, result: SourceResult | None) -> UpstreamCheck:
    """Compare a model with the result of its source; None: a pinned model, which was not requested."""
    address = without_query(_address_of(model) or "")
    source = model.source
    check = UpstreamCheck(
        model=model,
        repo=source.repo or address,
        state=Upstream.PINNED,
        target=_target(source.repo, source.file) if source.repo else pull_target(model),
        old_revision=source.revision,
    )
    match result:
        case None:
            return replace(check, reason=f"at {source.asked_revision}")
        case RepositoryNotFoundError():
            return replace(check, state=Upstream.GONE, reason=str(result))
        case GatedRepositoryError() if source.url is not None and has_query(source.url):
            return replace(check, state=Upstream.GONE, reason=str(result))  # a signature expires
        case HubError():
            return replace(check, state=Upstream.UNCHECKED, reason=str(result))
        case RemoteFile():
            return _compare_address(check, version, result)
        case HubRepository():
            return _compare(check, version, result)


def _target(repo: str, file: str | None) -> str:
    return f"{repo}/{file}" if file else repo


# --- a repository ---


@dataclass(frozen=True, slots=True)
class _DownloadedFile:
    """A file as it was downloaded."""

    name: str
    sha256: str | None
    size_bytes: int | None
    """None if only the total size is known."""


def _compare(check: UpstreamCheck, version: Version | None, repository: HubRepository) -> UpstreamCheck:
    check = replace(
        check, new_revision=repository.revision, target=_target(repository.repo, check.model.source.file)
    )
    old = _old_model_files(check.model, version)
    if not old:
        return replace(
            check, state=Upstream.UNCHECKED, reason="It is not recorded which of its files was downloaded."
        )
    files = {file.name: file for file in repository.files}
    if old[0].name not in files:
        return _compare_renamed(check, old, repository)
    total = (
        None if version is not None else _is_same_total(check.model, [files.get(file.name) for file in old])
    )
    changes = [
        change for file in old if (change := _change(file, files.get(file.name), is_same=total)) is not None
    ]
    changes += _projector_change(check.model, version, repository)
    return replace(check, state=Upstream.CHANGED if changes else Upstream.CURRENT, changes=tuple(changes))


def _compare_renamed(
    check: UpstreamCheck, old: Sequence[_DownloadedFile], repository: HubRepository
) -> UpstreamCheck:
    """Compare with the variant that now has this quantization, if there is exactly one."""
    variant = _same_quantization(old[0].name, repository)
    if variant is None:
        gone = FileChange(name=old[0].name, old_sha256=old[0].sha256, new_sha256=None, new_size_bytes=None)
        return replace(check, state=Upstream.GONE, changes=(gone,))
    check = replace(check, target=variant.target(repository.repo))
    if [file.sha256 for file in old] == [file.sha256 for file in variant.files] and old[0].sha256 is not None:
        return replace(check, state=Upstream.CURRENT)
    hashes = [file.sha256 for file in old] if len(old) == len(variant.files) else [None] * len(variant.files)
    changes = [
        FileChange(
            name=file.name, old_sha256=old_sha256, new_sha256=file.sha256, new_size_bytes=file.size_bytes
        )
        for file, old_sha256 in zip(variant.files, hashes, strict=True)
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


def _old_model_files(model: ModelSummary, version: Version | None) -> list[_DownloadedFile]:
    """Return the model's files as they were downloaded, in order."""
    hashes = known_hashes(model)
    if version is not None:
        own = [file for file in version.files if file.role is FileRole.MODEL]
        named = hashes if len(hashes) == len(own) else (None,) * len(own)
        return [
            _DownloadedFile(file.name, sha256 or file.sha256, file.identity.size_bytes)
            for file, sha256 in zip(own, named, strict=True)
        ]
    names = _names_at_source(model)
    return [_DownloadedFile(name, sha256, None) for name, sha256 in zip(names, hashes, strict=bool(names))]


def _names_at_source(model: ModelSummary) -> tuple[str, ...]:
    """Return the names of the model's files in its repository: the first is recorded, shards differ by number only."""
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
    """Return whether the total size is compatible, if only that is known."""
    total = sum(file.size_bytes for file in files if file is not None)
    return model.size_bytes is None or total == model.size_bytes or None in files


def _change(old: _DownloadedFile, file: HubFile | None, *, is_same: bool | None) -> FileChange | None:
    """Return the change of a file, if any; ``is_same`` is used if neither its hash nor its size is known."""
    if file is None:
        return FileChange(name=old.name, old_sha256=old.sha256, new_sha256=None, new_size_bytes=None)
    if old.sha256 is not None and file.sha256 is not None:
        is_same = old.sha256.lower() == file.sha256.lower()
    elif old.size_bytes is not None:
        is_same = old.size_bytes == file.size_bytes
    if is_same is not False:
        return None
    return FileChange(
        name=old.name, old_sha256=old.sha256, new_sha256=file.sha256, new_size_bytes=file.size_bytes
    )


def _projector_change(
    model: ModelSummary, version: Version | None, repository: HubRepository
) -> list[FileChange]:
    """Return the change of the projector. A deleted projector is no change, and the user's own projector has no source.

    It is identified by its full name in the repository, because several folders may have projectors of the same name.
    """
    if model.projector is None:
        return []
    if version is not None:
        own = next((file for file in version.files if _is_projector(file, model)), None)
        files = [file for file in repository.files if own is not None and file.name == own.name]
        old = None if own is None else _DownloadedFile(own.name, own.sha256, own.identity.size_bytes)
    else:
        name = model.projector.name
        files = [file for file in repository.files if PurePosixPath(file.name).name == name]
        old = None if model.projector_sha256 is None else _DownloadedFile(name, model.projector_sha256, None)
    if old is None or len(files) != 1:
        return []
    change = _change(old, files[0], is_same=True)
    return [] if change is None else [replace(change, name=files[0].name)]


def _is_projector(file: OwnFile, model: ModelSummary) -> bool:
    return file.role is FileRole.PROJECTOR and file.path == model.projector


# --- a URL ---


def _compare_address(check: UpstreamCheck, version: Version | None, remote: RemoteFile) -> UpstreamCheck:
    """Compare the file with the server's current metadata: by hash, else by size, else by validator."""
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

"""Finds the model in the catalogue that a pull updates, even if its repository or files were renamed. Pure.

Paths are not compared: a user's file may be anywhere, and a newer version is in another directory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gglib.core.hub.quantizations import folded, label_of
from gglib.core.hub.repository import RemoteFile
from gglib.core.hub.shown_source import shown_target, without_query
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.versions import OwnFile, PullJob, Version

HUB, URL = "hub", "url"
"""``ModelSource.origin`` of pulled models."""
MAX_RENAME_CHECKS = 3
"""Maximum number of repositories to check for a rename; each is one request to the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSource:
    """Identifies what is pulled: a variant of a repository, or the file at a URL."""

    repos: tuple[str, ...] = ()
    """The current name of the repository, then its other known names; empty for a URL."""
    asked_revision: str | None = None
    quantization: str | None = None
    """Set only if one variant of the repository has it: it then identifies the model even if its file is renamed."""
    file: str | None = None
    """The name of the first file."""
    url: str | None = None
    """The complete URL; set instead of all fields above except ``file``."""
    names: tuple[str, ...] = ()
    """Every ``REPO:QUANT`` spelling; each one names the model that was pulled under it last."""


def find_known(source: PullSource, models: Iterable[ModelSummary]) -> ModelSummary | None:
    """Return the pulled model that the source updates: by file, then name, then quantization."""
    if source.url is not None:
        return next((model for model in models if is_pulled(model) and model.source.url == source.url), None)
    near = [model for model in models if _is_of_repository(model, source)]
    newest_first = sorted(near, key=lambda model: model.id, reverse=True)
    names = {name.casefold() for name in source.names}
    return (
        next((model for model in near if model.source.file == source.file), None)
        or next((model for model in near if not names.isdisjoint(_spellings(model))), None)
        or next((model for model in newest_first if _has_quantization(model, source.quantization)), None)
    )


def names_held(
    source: PullSource, models: Iterable[ModelSummary], *, but: int | None
) -> list[tuple[ModelSummary, tuple[str, ...]]]:
    """Return the models, except the one with id ``but``, that have names of this pull as aliases, with these aliases.

    Only pulled models of the same repository: an alias that the user gave to another model is kept.
    """
    names = {name.casefold() for name in source.names}
    holders = []
    for model in models:
        found = tuple(alias for alias in model.aliases if alias.casefold() in names)
        if found and model.id != but and _is_of_repository(model, source):
            holders.append((model, found))
    return holders


def possible_renames(
    source: PullSource, models: Iterable[ModelSummary], *, sha256: str | None
) -> tuple[str, ...]:
    """Return the repositories of pulled models that may be former names of this one.

    ``sha256`` is the current hash of the first file. Newest first, at most ``MAX_RENAME_CHECKS``.
    """
    names = {repo.casefold() for repo in source.repos}
    found: dict[str, None] = {}
    for model in sorted(models, key=lambda model: model.id, reverse=True):
        repo = model.source.repo
        if (
            repo is not None
            and repo.casefold() not in names
            and is_pulled(model)
            and model.source.asked_revision == source.asked_revision
            and _may_have_moved(model, source, sha256)
        ):
            found.setdefault(repo)
    return tuple(found)[:MAX_RENAME_CHECKS]


def at_same_place(source: PullSource, models: Iterable[ModelSummary]) -> tuple[ModelSummary, ...]:
    """Return the pulled models whose URL differs from this one in its query only.

    A query may be a signature that changes daily, or select another file: only the content can tell. An older gglib did
    not record the URL; then the file name is compared.
    """
    if source.url is None:
        return ()
    place = without_query(source.url)
    return tuple(
        model
        for model in models
        if is_pulled(model)
        and model.source.origin == URL
        and model.source.url != source.url
        and (
            model.source.file == source.file
            if model.source.url is None
            else without_query(model.source.url) == place
        )
    )


def with_content(models: Sequence[ModelSummary], sha256: str) -> ModelSummary | None:
    """Return the single-file model with this content."""
    return next((model for model in models if (model.hashes or (model.source.sha256,)) == (sha256,)), None)


def files_with_content(remote: RemoteFile, versions: Iterable[Version]) -> list[OwnFile]:
    """Return the files that gglib wrote with the same content as a remote file, according to their metadata.

    Compares SHA-256; for URLs also the validator, if the URL is the same, or if it differs in the query only and the
    validator is strong (RFC 9110, 8.8.1).
    """
    return [
        file
        for version in versions
        for file in version.files
        if remote.size_bytes in {None, file.identity.size_bytes}
        and (_has_same_hash(remote, file) or _has_same_validator(remote, file, version.source))
    ]


def _has_same_hash(remote: RemoteFile, file: OwnFile) -> bool:
    return None not in {remote.sha256, file.sha256} and str(remote.sha256).lower() == str(file.sha256).lower()


def _has_same_validator(remote: RemoteFile, file: OwnFile, source: ModelSource) -> bool:
    if remote.url is None or source.url is None or remote.validator is None:
        return False
    is_here = source.url == remote.url
    is_same_place = without_query(source.url) == without_query(remote.url)
    is_strong = remote.validator.startswith('"')
    return remote.validator == file.validator and (is_here or (is_same_place and is_strong))


def names_job(target: str, job: PullJob) -> bool:
    """Whether a text names a pull: by its target, with or without query, its name, an alias, or its key."""
    spellings = {job.asked, shown_target(job.asked), job.name, *job.aliases, job.key}
    return target.casefold() in {spelling.casefold() for spelling in spellings}


def is_pulled(model: ModelSummary) -> bool:
    """Whether the model was pulled, from a repository or a URL; the user may have replaced its files since."""
    return model.source.origin in {HUB, URL}


def _is_of_repository(model: ModelSummary, source: PullSource) -> bool:
    return (
        is_pulled(model)
        and model.source.origin == HUB
        and (model.source.repo or "").casefold() in {repo.casefold() for repo in source.repos}
        and model.source.asked_revision == source.asked_revision
    )


def _has_quantization(model: ModelSummary, quantization: str | None) -> bool:
    label = label_of(model.source.file or "")
    return quantization is not None and label is not None and folded(label) == folded(quantization)


def _may_have_moved(model: ModelSummary, source: PullSource, sha256: str | None) -> bool:
    if sha256 is not None and model.source.sha256 == sha256:
        return True
    if model.source.file is not None and model.source.file == source.file:
        return True
    is_namesake = _last(model.source.repo or "").casefold() == _last(source.repos[0]).casefold()
    return is_namesake and _has_quantization(model, source.quantization)


def _spellings(model: ModelSummary) -> set[str]:
    return {spelling.casefold() for spelling in (model.name, *model.aliases)}


def _last(repo: str) -> str:
    return repo.rpartition("/")[2]

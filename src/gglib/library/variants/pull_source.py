"""Which model of the catalogue a pull brings up to date, whatever its repository and its files are called now. Pure.

A path never decides: a file of the user's may lie anywhere, and a newer version lies in another directory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gglib.core.hub.quantizations import folded, label_of
from gglib.core.hub.repository import RemoteFile
from gglib.core.hub.shown_source import shown_target, without_query
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.versions import OwnFile, PullJob, Version

HUB, URL = "hub", "url"
"""``ModelSource.origin`` of what is pulled."""
MAX_ASKED = 3
"""Repositories that are asked whether they are called otherwise now; each is a question to the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSource:
    """What is pulled: one model of a repository, or the file at an address."""

    repos: tuple[str, ...] = ()
    """What the repository is called now, then what else it is known to be called; none for an address."""
    asked_revision: str | None = None
    quantization: str | None = None
    """Only where one model of the repository alone has it: a model is then the same whatever its file is called."""
    file: str | None = None
    """The first file's name."""
    url: str | None = None
    """The whole address; set instead of all of the above but ``file``."""
    names: tuple[str, ...] = ()
    """``REPO:QUANT`` in every spelling that means it; each means what was pulled under it last."""


def find_known(source: PullSource, models: Iterable[ModelSummary]) -> ModelSummary | None:
    """Return the pulled model that this is a version of: by its file, its name, its quantization, in this order."""
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
    """Return the models, but the one with the id ``but``, that have names of this pull as aliases, and which.

    Only pulled ones of the same repository: an alias that the user gave to another model stays with it.
    """
    names = {name.casefold() for name in source.names}
    held = []
    for model in models:
        found = tuple(alias for alias in model.aliases if alias.casefold() in names)
        if found and model.id != but and _is_of_repository(model, source):
            held.append((model, found))
    return held


def repositories_to_ask(
    source: PullSource, models: Iterable[ModelSummary], *, sha256: str | None
) -> tuple[str, ...]:
    """Return the repositories of pulled models that may be this one under the name that it had before.

    ``sha256`` is what the first file has now. Newest first, at most ``MAX_ASKED``.
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
    return tuple(found)[:MAX_ASKED]


def at_same_place(source: PullSource, models: Iterable[ModelSummary]) -> tuple[ModelSummary, ...]:
    """Return the pulled models whose address differs from this one in its query alone.

    A query may be a signature, another one each day, or name another file: only the content says which. An older gglib
    did not note the address: there the name of the file has to do.
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
    """Return the model whose one file has this content."""
    return next((model for model in models if (model.hashes or (model.source.sha256,)) == (sha256,)), None)


def files_with_content(remote: RemoteFile, versions: Iterable[Version]) -> list[OwnFile]:
    """Return the files that gglib wrote whose content is that of a remote file, as far as what is known of both says.

    By their SHA-256; of an address by its validator, which also names the content where only the query is another one,
    if it is a strong one (RFC 9110, 8.8.1).
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
    """Whether a text names a pull: by what was asked for, with or without its query, its name, an alias, its key."""
    spellings = {job.asked, shown_target(job.asked), job.name, *job.aliases, job.key}
    return target.casefold() in {spelling.casefold() for spelling in spellings}


def is_pulled(model: ModelSummary) -> bool:
    """Whether a pull brought the model, of a repository or an address; its files may be the user's by now."""
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

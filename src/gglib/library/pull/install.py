"""Installs a completely downloaded pull: reads headers, publishes the version, updates the catalogue, cleans up.

The process may be killed after any step. The recorded job says that all files are downloaded (``is_fetched``) and where
the version goes, so the next gglib that opens the home finishes the installation.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from gglib.core.errors import GglibError, InvalidGgufError, ModelExistsError, UnreadableFileError
from gglib.core.models import GgufFacts, ModelSummary, NewModel
from gglib.core.name_rules import is_name, names_not_in
from gglib.core.versions import FileRole, IncomingFile, NewVersion, OwnFile, PullJob, Version
from gglib.library.projector_files import is_projector
from gglib.library.pull.jobs import (
    PullSite,
    begin,
    end,
    lock_of,
)
from gglib.library.variants.pull_source import PullSource, find_known, is_pulled, names_held
from gglib.library.versions.locks import shared
from gglib.library.versions.publishing import find_published, publish
from gglib.system.threads import run_to_completion

RETIRED_STEP_S = 0.05
"""Poll interval while an older version with the same files is being deleted."""
_log = logging.getLogger("gglib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The result of an installation."""

    model: ModelSummary
    is_new: bool
    """Whether the model was not in the catalogue before."""
    is_updated: bool
    """Whether the model was moved from an older version to this one."""
    refused_names: tuple[str, ...] = ()
    """Requested names that another model has."""
    replaced: Version | None = None


async def install_fetched(site: PullSite, job: PullJob) -> Installed:
    """Install a completely downloaded pull, and delete its record.

    Nothing changes before the headers are read. Raises ``InvalidGgufError`` if no engine can load the files,
    ``UnreadableFileError`` if they cannot be read now, ``StorageError`` and the store's errors.
    """
    facts = await asyncio.to_thread(_read_headers, site, job)
    while True:
        version = await run_to_completion(publish, job, site.incoming, site.models_dir)
        with shared(version.hold_path) as is_there:
            if is_there:  # else it was an older version with the same files that is being deleted
                installed = await install(site, version, facts, job)
                break
        await asyncio.sleep(RETIRED_STEP_S)
    await end(site, job)
    return installed


async def install(site: PullSite, version: NewVersion, facts: GgufFacts, job: PullJob) -> Installed:
    """Move a model's row to a published version; ``job`` has the model's id and names."""
    models = await site.store.list_models()
    known = _model_of(job, version, models)
    model = _new_model(job, version, facts, known)
    if known is not None and model.projector is None and await _has_own_projector(site, known):
        model = replace(model, facts=facts.with_vision(), projector=known.projector)
    refused: tuple[str, ...] = ()
    if known is None:
        free = _free_name(model, models)
        if free != model.name:
            refused, model = (model.name,), replace(model, name=free)
    try:
        installed = await site.store.install_version(
            version,
            model,
            updates=None if known is None else known.id,
            job_key=job.key,
            moved_aliases=_moved_aliases(job, models, known),
        )
    except ModelExistsError:
        if known is not None or _free_name(model, await site.store.list_models()) == model.name:
            raise
        return await install(site, version, facts, job)  # the name was taken since the check
    return Installed(
        model=installed.model,
        is_new=known is None,
        is_updated=known is not None and _is_other(installed.version, known, installed.model),
        refused_names=names_not_in((), (*refused, *installed.refused_aliases)),
        replaced=installed.replaced,
    )


async def finish_interrupted(site: PullSite) -> list[ModelSummary]:
    """Install the pulls that were completely downloaded before a kill; return their models.

    Incomplete downloads stay for a resumed pull. Files that no engine can load are deleted.
    """
    finished = []
    for job in await site.store.list_pulls():
        if not job.is_fetched:
            continue
        try:
            with site.locks.try_hold(lock_of(job.key), what=f"the pull of '{job.name}'"):
                current = {pull.key: pull for pull in await site.store.list_pulls()}.get(job.key)
                if current is not None and current.is_fetched:
                    finished += await _finish(site, current)
        except GglibError as error:
            _log.info("cannot finish the pull of '%s': %s", job.name, error)
    return finished


async def _finish(site: PullSite, job: PullJob) -> list[ModelSummary]:
    if not await run_to_completion(_are_here, site, job):
        await begin(site, replace(job, is_fetched=False, directory=None))
        return []
    try:
        return [(await install_fetched(site, job)).model]
    except UnreadableFileError:
        raise
    except InvalidGgufError as error:
        _log.warning("discarding the pull of '%s': no engine can load its files: %s", job.name, error)
        await end(site, job)
        return []


def _are_here(site: PullSite, job: PullJob) -> bool:
    if find_published(job, site.models_dir) is not None:
        return True
    site.incoming.restore(job.key)
    return all(site.incoming.path(file.key).is_file() for file in job.files)


def _read_headers(site: PullSite, job: PullJob) -> GgufFacts:
    """Return the facts from the headers; checks that every tensor ends within its file."""
    published = find_published(job, site.models_dir)
    if published is None:
        paths = [site.incoming.path(file.key) for file in job.files]
    else:
        paths = [file.path for file in published.files]
    files = list(zip(job.files, paths, strict=True))
    models = [(file, path) for file, path in files if file.role is FileRole.MODEL]
    facts = site.read_files([path for _, path in models], [file.name for file, _ in models]).facts
    projectors = [(file, path) for file, path in files if file.role is FileRole.PROJECTOR]
    for file, path in projectors:
        _check_projector(site, file, path)
    return facts.with_vision() if projectors else facts


def _check_projector(site: PullSite, file: IncomingFile, path: Path) -> None:
    try:
        facts = site.read_files([path], [file.name]).facts
    except InvalidGgufError as error:
        raise type(error)(f"its projector {file.name!r} cannot be used: {error}") from error
    if not is_projector(facts):
        raise InvalidGgufError(f"its projector {file.name!r} is a complete model ({facts.architecture})")


def source_of(job: PullJob) -> PullSource:
    """Return the source of a job, as far as the job records it."""
    source = job.source
    if source.repo is None:
        return PullSource(file=source.file, url=source.url)
    names = tuple(alias for alias in job.aliases if _repository_in(alias) is not None)
    repos = dict.fromkeys((source.repo, *(_repository_in(name) or "" for name in names)))
    return PullSource(repos=tuple(repos), asked_revision=source.asked_revision, file=source.file, names=names)


def _repository_in(alias: str) -> str | None:
    """Return the repository in ``OWNER/NAME:QUANT``; None for other names."""
    repo, colon, _ = alias.partition(":")
    return repo if colon and repo.count("/") == 1 else None


def _model_of(job: PullJob, version: NewVersion, models: Sequence[ModelSummary]) -> ModelSummary | None:
    """Return the model that gets the version: its current owner, else the job's model, else one of the same source."""
    paths = set(_paths(version))
    holder = next((model for model in models if paths & set(model.paths)), None)
    updated = next((model for model in models if model.id == job.updates and is_pulled(model)), None)
    return holder or updated or find_known(source_of(job), models)


def _moved_aliases(
    job: PullJob, models: Sequence[ModelSummary], known: ModelSummary | None
) -> tuple[tuple[int, str], ...]:
    """Return each ``OWNER/NAME:QUANT`` alias that moves from an earlier pull: it names the latest pull."""
    holders = names_held(source_of(job), models, but=None if known is None else known.id)
    return tuple((holder.id, name) for holder, names in holders for name in names)


def _new_model(job: PullJob, version: NewVersion, facts: GgufFacts, known: ModelSummary | None) -> NewModel:
    files = _files(version, FileRole.MODEL)
    projector = next(iter(_files(version, FileRole.PROJECTOR)), None)
    return NewModel(
        name=job.name if known is None else known.name,
        aliases=job.aliases if known is not None else _names_of_new(job),
        description="" if known is None else known.description,
        paths=_paths(version),
        size_bytes=sum(file.identity.size_bytes for file in files),
        facts=facts,
        source=version.source,
        hashes=tuple(file.sha256 for file in files),
        projector=None if projector is None else projector.path,
        projector_sha256=None if projector is None else projector.sha256,
        is_downloaded=True,
    )


def _names_of_new(job: PullJob) -> tuple[str, ...]:
    """Return the aliases of a new model: the job of an update only has aliases that the updated model lacked."""
    is_alias = _repository_in(job.asked) is not None and is_name(job.asked)
    return names_not_in((), (*job.aliases, *([job.asked] if is_alias else [])))


async def _has_own_projector(site: PullSite, known: ModelSummary) -> bool:
    """Whether the model's projector was set by the user rather than pulled."""
    if known.projector is None or not known.projector.is_file():
        return False
    if known.version_id is None:
        return known.projector_sha256 is None
    versions = await site.store.list_versions()
    own = next((version for version in versions if version.id == known.version_id), None)
    return own is None or known.projector not in {file.path for file in own.files}


def _free_name(model: NewModel, models: Sequence[ModelSummary]) -> str:
    """Return a free name for a new model, in case its name was taken since the pull began."""
    taken = {spelling.casefold() for known in models for spelling in (known.name, *known.aliases)}
    numbered = (f"{model.name}-{number}" for number in count(2))
    names = (model.name, *model.aliases)
    free = next((name for name in names if name.casefold() not in taken), None)
    return free or next(name for name in numbered if name.casefold() not in taken)


def _is_other(version: Version, known: ModelSummary, now: ModelSummary) -> bool:
    if known.version_id is not None:
        return version.id != known.version_id
    return known.hashes != now.hashes


def _files(version: NewVersion, role: FileRole) -> list[OwnFile]:
    return [file for file in version.files if file.role is role]


def _paths(version: NewVersion) -> tuple[Path, ...]:
    return tuple(file.path for file in _files(version, FileRole.MODEL))

"""Plans a pull: which files it downloads, and where they go. Downloads headers only.

The hub, the store, the header reader and the machine's memory are passed in.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from gglib.core.errors import (
    HubError,
    InvalidGgufError,
    ModelExistsError,
    VariantChoiceError,
)
from gglib.core.file_names import safe_folder, safe_path
from gglib.core.gguf_names import stem_of
from gglib.core.hub.repository import HubRepository, RemoteFile
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import GgufFacts, ModelSource, ModelSummary
from gglib.core.name_rules import check_aliases, check_name, is_name
from gglib.core.ports.hub import ModelHubPort
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import FileRole
from gglib.library.add import default_name, usable_name, why_no_model
from gglib.library.fit.slots import SlotFit, model_fit
from gglib.library.pull.disk_space import DiskStateReader, ReplacedFile
from gglib.library.search import HEADER_BYTES
from gglib.library.variants.choose import choose_projector, choose_variant
from gglib.library.variants.find import find_variants
from gglib.library.variants.fits import context_to_judge, fits_of
from gglib.library.variants.pull_source import (
    HUB,
    URL,
    PullSource,
    at_same_place,
    find_known,
    possible_renames,
)
from gglib.library.variants.pull_target import DEFAULT_BRANCH, PullTarget
from gglib.library.versions.layout import incoming_key, job_key

_FILE_WORDS = frozenset(("resolve", "blob"))
MAX_NAMES = 1000
"""Numbered names to try if the file at the same URL with another query has the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFile:
    """One file of a pull."""

    remote: RemoteFile
    role: FileRole
    key: str
    """Its name in the incoming directory (``layout.incoming_key``)."""
    here_bytes: int = 0
    """The bytes that are already on the disk, from an earlier pull or another model."""

    @property
    def missing_bytes(self) -> int:
        """The bytes still to download, as far as the size is known."""
        return max(0, (self.remote.size_bytes or 0) - self.here_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedNames:
    """The names that the user requested, and the default name."""

    name: str | None = None
    """Requested by the user."""
    aliases: tuple[str, ...] = ()
    """Requested by the user."""
    default: str
    """Derived from the file name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlan:
    """What a pull does; shown to the user for confirmation."""

    asked: str
    """The exact ``gglib pull`` target."""
    key: str
    """Key of the job (``layout.job_key``)."""
    origin: PullSource
    """Identifies the model in the catalogue that the pull updates."""
    folder: PurePosixPath
    """Parent of the version's directory, below ``models/``."""
    label: str
    """Part of that directory's name."""
    requested: RequestedNames
    name: str = ""
    """The model's name."""
    aliases: tuple[str, ...] = ()
    """The aliases to add; a known model keeps its other aliases."""
    files: tuple[PullFile, ...]
    """In shard order."""
    projector: PullFile | None
    """Optional: ``without_projector`` drops it."""
    source: ModelSource
    quantization: str | None
    was_chosen: bool
    """Whether gglib chose among several quantizations because none was named."""
    choices: tuple[tuple[Variant, SlotFit], ...]
    """All variants of the repository with their fits, smallest first; empty for a URL."""
    asked_revision: str | None = None
    """The requested branch, tag or commit."""
    model_fit: SlotFit | None
    """How the model fits without its projector; None if its size is unknown."""
    whole_fit: SlotFit | None = None
    """How it fits with its projector; None if it has none."""
    memory: MachineMemory
    known: ModelSummary | None = None
    """The model in the catalogue that the pull updates."""
    replaced_files: tuple[ReplacedFile, ...] = ()
    """Files of the version that the pull replaces."""
    is_resumed: bool = False
    """Whether the same pull was begun before, and has not been completed."""

    @property
    def slot_fit(self) -> SlotFit | None:
        """How it would be launched, including its projector."""
        return self.model_fit if self.projector is None else self.whole_fit

    @property
    def need(self) -> MemoryNeed | None:
        """Its memory need, including its projector."""
        return None if self.slot_fit is None else self.slot_fit.need

    @property
    def fit(self) -> Fit | None:
        """Whether this machine has that memory; None if the need is unknown."""
        return None if self.slot_fit is None else self.slot_fit.fit

    @property
    def all_files(self) -> tuple[PullFile, ...]:
        """The model's files, then the projector."""
        return self.files if self.projector is None else (*self.files, self.projector)

    @property
    def total_bytes(self) -> int | None:
        """Sum over all files; None if a server does not send a size."""
        sizes = [file.remote.size_bytes for file in self.all_files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def needs_bytes(self) -> int:
        """The bytes still to download: the disk space needed until the older version is deleted."""
        return sum(file.missing_bytes for file in self.all_files)

    @property
    def here_bytes(self) -> int:
        """The bytes that are already on the disk, of files of known size."""
        return sum(min(file.here_bytes, file.remote.size_bytes or 0) for file in self.all_files)

    @property
    def frees_bytes(self) -> int:
        """The bytes that deleting the older version frees: its files that the new version does not share."""
        kept = {file.remote.sha256 for file in self.all_files} - {None}
        return sum(file.frees_bytes for file in self.replaced_files if file.sha256 not in kept)

    @property
    def had_projector(self) -> bool | None:
        """Whether the model uses the projector of its older version; None if there is no older version.

        A projector that the user removed stays removed, and one that the user set stays.
        """
        if self.known is None:
            return None
        pulled = {file.path for file in self.replaced_files if file.role is FileRole.PROJECTOR}
        return self.known.projector in pulled

    def as_it_was(self) -> "PullPlan":
        """Return the plan without a projector if the model does not use its old one, for use without a prompt."""
        return self.without_projector() if self.had_projector is False else self

    def without_projector(self) -> "PullPlan":
        """Return the plan without the projector."""
        return replace(self, projector=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlanner:
    """Creates plans. ``default_ctx`` is the context in tokens that memory needs are estimated for."""

    hub: ModelHubPort
    store: HomeStorePort
    read_disk_state: DiskStateReader
    """Returns how much of a plan's files is present, and the files of the older version."""
    read_facts: Callable[[bytes], GgufFacts]
    """Parses the first bytes of a file; raises ``InvalidGgufError`` with a phrase."""
    memory: MachineMemory
    default_ctx: int
    slots: int
    """How many requests a model should serve concurrently."""

    async def plan(
        self, target: PullTarget, *, name: str | None = None, aliases: Sequence[str] = ()
    ) -> PullPlan:
        """Return the plan for a pull of ``target``; ``name`` overrides the default name.

        Raises ``HubError``, ``InvalidGgufError`` if no engine can load the file, ``InvalidSettingError`` for an invalid
        name, and ``ModelExistsError`` if the name is taken.
        """
        for given in (*(() if name is None else (name,)), *aliases):
            check_name(given)
        plan = await (self._from_hub(target) if target.url is None else self._from_url(target.url))
        requested = replace(plan.requested, name=name, aliases=tuple(aliases))
        plan = with_names(replace(plan, requested=requested), await self.store.list_models())
        is_resumed = any(job.key == plan.key for job in await self.store.list_pulls())
        return await self._with_disk_state(replace(plan, is_resumed=is_resumed))

    async def _from_hub(self, target: PullTarget) -> PullPlan:
        if target.repo is None:
            raise VariantChoiceError(
                "Name what to pull: owner/name, owner/name/FILE.gguf or https://…/FILE.gguf."
            )
        repository = await self.hub.repository(target.repo, target.revision)
        variants = await asyncio.to_thread(find_variants, repository.files)
        facts = await self._facts_of_any(repository, variants)
        fits = self._fits(variants, facts, repository)
        variant = choose_variant(
            variants,
            target=target,
            fit_of=lambda variant: fits[variant.first.name].fit,
            need_of=lambda variant: fits[variant.first.name].need.total_bytes,
        )
        if facts is None or variant.first != variants.models[0].first:
            await self._check_header(repository.remote(variant.first))
        projector = choose_projector(variants, variant)
        whole_fits = self._fits(
            variants, facts, repository, more_bytes=projector.size_bytes if projector else 0
        )
        key = job_key(repository.repo, asked_revision=target.revision, choice=variant.label)
        return PullPlan(
            asked=variant.target(repository.repo, target.revision),
            key=key,
            origin=await self._origin(target, repository, variant),
            folder=safe_folder(repository.repo, target.revision),
            label=variant.label,
            requested=RequestedNames(default=usable_name(default_name(Path(variant.first.name)))),
            files=tuple(_pull_file(repository.remote(file), FileRole.MODEL, key) for file in variant.files),
            projector=(
                None
                if projector is None
                else _pull_file(repository.remote(projector), FileRole.PROJECTOR, key)
            ),
            source=ModelSource(
                origin=HUB,
                repo=repository.repo,
                revision=repository.revision,
                asked_revision=target.revision,
                file=variant.first.name,
                sha256=variant.first.sha256,
            ),
            quantization=variant.quantization,
            was_chosen=target.quantization is None and target.file is None and len(variants.models) > 1,
            choices=tuple((found, fits[found.first.name]) for found in variants.models),
            asked_revision=target.revision,
            model_fit=fits[variant.first.name],
            whole_fit=None if projector is None else whole_fits[variant.first.name],
            memory=self.memory,
        )

    async def _origin(self, target: PullTarget, repository: HubRepository, variant: Variant) -> PullSource:
        """Return the source that identifies the model, including former names of the repository."""
        repos = _distinct((repository.repo, target.repo or repository.repo))
        origin = _source_of(repos, target, variant)
        models = await self.store.list_models()
        if find_known(origin, models) is not None:
            return origin
        for repo in possible_renames(origin, models, sha256=variant.first.sha256):
            with suppress(HubError):
                now = await self.hub.repository(repo)
                if now.repo.casefold() == repository.repo.casefold():
                    return _source_of((*repos, repo), target, variant)
        return origin

    async def _from_url(self, url: str) -> PullPlan:
        remote = await self.hub.locate(url)
        if remote.repo is not None:
            target = PullTarget(repo=remote.repo, file=remote.name, revision=_revision_in(url, remote.repo))
            return await self._from_hub(target)
        where = remote.url or url
        safe_path(remote.name)
        facts = await self._check_header(remote)
        key = job_key(where)
        usual = default_name(Path(remote.name))
        return PullPlan(
            asked=where,
            key=key,
            origin=PullSource(file=remote.name, url=where),
            folder=safe_path(_host_folder(where)),
            label=stem_of(remote.name),
            requested=RequestedNames(default=usable_name(usual)),
            files=(_pull_file(remote, FileRole.MODEL, key),),
            projector=None,
            source=ModelSource(origin=URL, url=where, file=remote.name, sha256=remote.sha256),
            quantization=facts.quantization,
            was_chosen=False,
            choices=(),
            model_fit=None if remote.size_bytes is None else self._fit(facts, remote.size_bytes),
            memory=self.memory,
        )

    async def _facts_of_any(self, repository: HubRepository, variants: Variants) -> GgufFacts | None:
        """Return the facts of the smallest variant: all variants of a repository share the shape that decides memory.

        None if the file is no model.
        """
        if not variants.models:
            return None
        try:
            return await self._check_header(repository.remote(variants.models[0].first))
        except InvalidGgufError:
            return None  # the header of the chosen variant is checked separately

    async def _check_header(self, remote: RemoteFile) -> GgufFacts:
        """Return the facts of a file's header; rejects a file that no engine can load before it is downloaded."""
        try:
            facts = await self._facts(remote)
        except InvalidGgufError as error:
            raise InvalidGgufError(f"{remote.name} cannot be pulled: {error}.") from error
        reason = why_no_model(facts)
        if reason is not None:
            raise InvalidGgufError(f"{remote.name} cannot be pulled: {reason}; pull that model instead.")
        return facts

    async def _facts(self, remote: RemoteFile) -> GgufFacts:
        start = await self.hub.read_start(remote, HEADER_BYTES)
        return await asyncio.to_thread(self.read_facts, start)

    def _fits(
        self, variants: Variants, facts: GgufFacts | None, repository: HubRepository, *, more_bytes: int = 0
    ) -> Mapping[str, SlotFit]:
        return fits_of(
            variants,
            facts,
            context=context_to_judge(self.default_ctx, facts, repository.trained_context),
            slots=self.slots,
            memory=self.memory,
            parameter_count=repository.parameter_count,
            more_bytes=more_bytes,
        )

    def _fit(self, facts: GgufFacts, size_bytes: int) -> SlotFit:
        context = context_to_judge(self.default_ctx, facts, None)
        return model_fit(
            facts, weights_bytes=size_bytes, context=context, slots=self.slots, memory=self.memory
        )

    async def _with_disk_state(self, plan: PullPlan) -> PullPlan:
        """Return the plan with the bytes present of each file, and the files of the older version."""
        state = await self.read_disk_state(
            [(file.remote, file.key) for file in plan.all_files],
            None if plan.known is None else plan.known.version_id,
        )
        here = [
            replace(file, here_bytes=here_bytes)
            for file, here_bytes in zip(plan.all_files, state.here_bytes, strict=True)
        ]
        count = len(plan.files)
        return replace(
            plan,
            files=tuple(here[:count]),
            projector=None if plan.projector is None else here[-1],
            replaced_files=state.replaced_files,
        )


def with_names(plan: PullPlan, models: Sequence[ModelSummary], *, is_late: bool = False) -> PullPlan:
    """Return the plan with the model's name and aliases, given the models of the catalogue. Pure.

    Raises ``ModelExistsError`` if a requested name or alias is taken, or no name is free. With ``is_late`` (after the
    user has confirmed the plan) taken names are dropped instead.
    """
    known = find_known(plan.origin, models)
    taken = _taken(models, but=known)
    if not is_late:
        _reject_taken_names(plan, known, taken)
    if known is None:
        name = plan.name if is_late and plan.name else _free_name(plan, models, taken)
        names, has = plan.requested.aliases, {name.casefold()}
    else:
        name = known.name
        names = (*((plan.requested.name,) if plan.requested.name else ()), *plan.requested.aliases)
        has = {spelling.casefold() for spelling in (known.name, *known.aliases)}
    if known is None and not is_late:
        check_aliases(names, name=name)
    aliases = tuple(alias for alias in _distinct((*names, *plan.origin.names)) if alias.casefold() not in has)
    return replace(plan, known=known, name=name, aliases=aliases)


def _taken(models: Sequence[ModelSummary], *, but: ModelSummary | None) -> set[str]:
    return {
        spelling.casefold()
        for model in models
        if but is None or model.id != but.id
        for spelling in (model.name, *model.aliases)
    }


def _reject_taken_names(plan: PullPlan, known: ModelSummary | None, taken: set[str]) -> None:
    """Raise ``ModelExistsError`` if a requested name cannot be used."""
    if known is not None:
        _reject_rename(known, plan.requested.name)
    for alias in plan.requested.aliases:
        if alias.casefold() in taken:
            raise ModelExistsError(f"The name '{alias}' is taken: choose another one with --alias.")


def _free_name(plan: PullPlan, models: Sequence[ModelSummary], taken: set[str]) -> str:
    default = plan.requested.default
    names = [plan.requested.name] if plan.requested.name else [default, *plan.origin.names]
    if not plan.requested.name and at_same_place(plan.origin, models):
        names += [f"{default}-{number}" for number in range(2, MAX_NAMES)]
    for name in names:
        if name.casefold() not in taken:
            return name
    raise ModelExistsError(f"The name '{names[0]}' is taken: choose another one with --name.")


def _source_of(repos: tuple[str, ...], target: PullTarget, variant: Variant) -> PullSource:
    names = [
        variant.target(repo, target.revision) for repo in repos if variant.quantization and variant.is_unique
    ]
    if target.quantization is not None:
        at = "" if target.revision is None else f"@{target.revision}"
        names += [f"{repo}:{target.quantization}{at}" for repo in repos]
    return PullSource(
        repos=repos,
        asked_revision=target.revision,
        quantization=variant.quantization if variant.is_unique else None,
        file=variant.first.name,
        names=_distinct(filter(is_name, names)),
    )


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts without duplicates, ignoring case."""
    return tuple({text.casefold(): text for text in reversed(tuple(texts))}.values())[::-1]


def _pull_file(remote: RemoteFile, role: FileRole, key: str) -> PullFile:
    return PullFile(remote=remote, role=role, key=incoming_key(remote, key))


def _reject_rename(known: ModelSummary, name: str | None) -> None:
    """Raise ``ModelExistsError`` if a known model has a different name."""
    if name is not None and name.casefold() != known.name.casefold():
        raise ModelExistsError(
            f"It is already in the catalogue as '{known.name}': omit --name to update it, or add a name with --alias."
        )


def _revision_in(url: str, repo: str) -> str | None:
    """Return the revision in a URL of the hub; None for its default branch, which pins nothing."""
    parts = [unquote(part) for part in urlsplit(url).path.split("/")]
    for at in range(2, len(parts) - 1):
        if parts[at] in _FILE_WORDS and "/".join(parts[at - 2 : at]).casefold() == repo.casefold():
            return None if parts[at + 1] == DEFAULT_BRANCH else parts[at + 1]
    return None


def _host_folder(url: str) -> str:
    """Return the host as a folder name: an IPv6 address without colons."""
    return (urlsplit(url).hostname or "").replace(":", "-")

"""Decides what a pull brings and where to, before a byte of it comes. It fetches nothing but headers.

Knows the core only: the hub, the store, the reader of headers and the machine's memory are passed in.
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
    repositories_to_ask,
)
from gglib.library.variants.pull_target import DEFAULT_BRANCH, PullTarget
from gglib.library.versions.layout import incoming_key, job_key

_FILE_WORDS = frozenset(("resolve", "blob"))
MAX_NAMES = 1000
"""Tried for a model whose name is taken by the file at the same address with another query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFile:
    """One file on its way."""

    remote: RemoteFile
    role: FileRole
    key: str
    """What it is called while it comes (``layout.incoming_key``)."""
    here_bytes: int = 0
    """So much of it is on this disk already: it came earlier, or a model of the catalogue has it."""

    @property
    def missing_bytes(self) -> int:
        """What is still to come, as far as its server says how large it is."""
        return max(0, (self.remote.size_bytes or 0) - self.here_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedNames:
    """What a new model may be called."""

    name: str | None = None
    """By the user."""
    aliases: tuple[str, ...] = ()
    """By the user."""
    usual: str
    """Made from the file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlan:
    """What a pull does; the user may be asked before it does it."""

    asked: str
    """What to name to ``gglib pull`` for exactly this."""
    key: str
    """Of the job (``layout.job_key``)."""
    origin: PullSource
    """Which model of the catalogue this is a version of."""
    folder: PurePosixPath
    """Below ``models/``, for the version's directory."""
    label: str
    """In the name of that directory."""
    wishes: RequestedNames
    name: str = ""
    """What the model will be called."""
    aliases: tuple[str, ...] = ()
    """Those that it is to get; one that it has keeps the others."""
    files: tuple[PullFile, ...]
    """In shard order."""
    projector: PullFile | None
    """Offered: drop it with ``without_projector``."""
    source: ModelSource
    quantization: str | None
    was_chosen: bool
    """Whether gglib chose between several quantizations, because none was named."""
    others: tuple[Variant, ...]
    """What else there was to choose."""
    asked_revision: str | None = None
    """The branch, tag or commit that was asked for."""
    model_fit: SlotFit | None
    """How the model fits without its projector; None where its size is not known."""
    whole_fit: SlotFit | None = None
    """How it fits with its projector; None where it has none."""
    memory: MachineMemory
    known: ModelSummary | None = None
    """The model of the catalogue that this is a version of: it is brought up to date."""
    replaced_files: tuple[ReplacedFile, ...] = ()
    """Of the version that this one takes the place of."""

    @property
    def slot_fit(self) -> SlotFit | None:
        """How it would be launched, with its projector."""
        return self.model_fit if self.projector is None else self.whole_fit

    @property
    def need(self) -> MemoryNeed | None:
        """How much memory it takes, with its projector."""
        return None if self.slot_fit is None else self.slot_fit.need

    @property
    def fit(self) -> Fit | None:
        """Whether that is here; None where the need is not known."""
        return None if self.slot_fit is None else self.slot_fit.fit

    @property
    def all_files(self) -> tuple[PullFile, ...]:
        """The model's files, and the projector after them."""
        return self.files if self.projector is None else (*self.files, self.projector)

    @property
    def total_bytes(self) -> int | None:
        """All files together; None where a server does not say."""
        sizes = [file.remote.size_bytes for file in self.all_files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def needs_bytes(self) -> int:
        """What is still to come, all files together: the room that this takes until the older version is gone."""
        return sum(file.missing_bytes for file in self.all_files)

    @property
    def frees_bytes(self) -> int:
        """What the older version gives back once nothing uses it: its files, but for those that this one has too."""
        kept = {file.remote.sha256 for file in self.all_files} - {None}
        return sum(file.frees_bytes for file in self.replaced_files if file.sha256 not in kept)

    @property
    def had_projector(self) -> bool | None:
        """Whether the model has the projector that came with its older version; None where there is no older version.

        One that the user took away stays away, and one that the user set stays.
        """
        if self.known is None:
            return None
        came = {file.path for file in self.replaced_files if file.role is FileRole.PROJECTOR}
        return self.known.projector in came

    def as_it_was(self) -> "PullPlan":
        """Return the plan without a projector where the older version has none: a program has no user to ask."""
        return self.without_projector() if self.had_projector is False else self

    def without_projector(self) -> "PullPlan":
        """Return the same plan for the model's own files alone."""
        return replace(self, projector=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlanner:
    """Makes plans. ``default_ctx`` is the context, in tokens, for which memory is judged."""

    hub: ModelHubPort
    store: HomeStorePort
    read_disk_state: DiskStateReader
    """What of a plan's files is here already, and what the older version has."""
    read_facts: Callable[[bytes], GgufFacts]
    """Facts from the first bytes of a file; raises ``InvalidGgufError`` with a phrase."""
    memory: MachineMemory
    default_ctx: int
    slots: int
    """How many requests a model should answer at a time."""

    async def plan(
        self, target: PullTarget, *, name: str | None = None, aliases: Sequence[str] = ()
    ) -> PullPlan:
        """Return what a pull of ``target`` does, the model to be called ``name`` where one is given.

        Raises ``HubError``, ``InvalidGgufError`` where the file is none that an engine could load,
        ``InvalidSettingError`` where nothing may be called so, and ``ModelExistsError`` where the name is taken.
        """
        for given in (*(() if name is None else (name,)), *aliases):
            check_name(given)
        plan = await (self._from_hub(target) if target.url is None else self._from_url(target.url))
        wishes = replace(plan.wishes, name=name, aliases=tuple(aliases))
        plan = with_names(replace(plan, wishes=wishes), await self.store.list_models())
        return await self._with_room(plan)

    async def _from_hub(self, target: PullTarget) -> PullPlan:
        if target.repo is None:
            raise VariantChoiceError("Name a repository as owner/name, a file in one, or an address.")
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
            wishes=RequestedNames(usual=usable_name(default_name(Path(variant.first.name)))),
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
            others=tuple(other for other in variants.models if other != variant),
            asked_revision=target.revision,
            model_fit=fits[variant.first.name],
            whole_fit=None if projector is None else whole_fits[variant.first.name],
            memory=self.memory,
        )

    async def _origin(self, target: PullTarget, repository: HubRepository, variant: Variant) -> PullSource:
        """Return what the model is known by, in this repository and under the name that it had before."""
        repos = _distinct((repository.repo, target.repo or repository.repo))
        origin = _source_of(repos, target, variant)
        models = await self.store.list_models()
        if find_known(origin, models) is not None:
            return origin
        for repo in repositories_to_ask(origin, models, sha256=variant.first.sha256):
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
            wishes=RequestedNames(usual=usable_name(usual)),
            files=(_pull_file(remote, FileRole.MODEL, key),),
            projector=None,
            source=ModelSource(origin=URL, url=where, file=remote.name, sha256=remote.sha256),
            quantization=facts.quantization,
            was_chosen=False,
            others=(),
            model_fit=None if remote.size_bytes is None else self._fit(facts, remote.size_bytes),
            memory=self.memory,
        )

    async def _facts_of_any(self, repository: HubRepository, variants: Variants) -> GgufFacts | None:
        """Return what the smallest file says: of what decides about memory, all of a repository's say the same.

        None where it is no model.
        """
        if not variants.models:
            return None
        try:
            return await self._check_header(repository.remote(variants.models[0].first))
        except InvalidGgufError:
            return None  # whichever is chosen is looked at again

    async def _check_header(self, remote: RemoteFile) -> GgufFacts:
        """Return what a file's header says; a file that no engine loads is refused before it is fetched."""
        try:
            facts = await self._facts(remote)
        except InvalidGgufError as error:
            raise InvalidGgufError(f"{remote.name} is not fetched: {error}.") from error
        reason = why_no_model(facts)
        if reason is not None:
            raise InvalidGgufError(f"{remote.name} is not fetched: {reason}; pull that model instead.")
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

    async def _with_room(self, plan: PullPlan) -> PullPlan:
        """Return the plan with what of its files is here, and what the older version has."""
        room = await self.read_disk_state(
            [(file.remote, file.key) for file in plan.all_files],
            None if plan.known is None else plan.known.version_id,
        )
        here = [
            replace(file, here_bytes=here_bytes)
            for file, here_bytes in zip(plan.all_files, room.here_bytes, strict=True)
        ]
        count = len(plan.files)
        return replace(
            plan,
            files=tuple(here[:count]),
            projector=None if plan.projector is None else here[-1],
            replaced_files=room.replaced_files,
        )


def with_names(plan: PullPlan, models: Sequence[ModelSummary], *, is_late: bool = False) -> PullPlan:
    """Return the plan with what the model is called, in a catalogue of these models. Pure.

    Raises ``ModelExistsError`` where the user's own choice of a name or an alias is taken, and where nothing is free;
    not where it ``is_late``, after the user has agreed to the plan: the model is then entered without what is taken.
    """
    known = find_known(plan.origin, models)
    taken = _taken(models, but=known)
    if not is_late:
        _refuse_taken(plan, known, taken)
    if known is None:
        name = plan.name if is_late and plan.name else _free_name(plan, models, taken)
        wishes, has = plan.wishes.aliases, {name.casefold()}
    else:
        name = known.name
        wishes = (*((plan.wishes.name,) if plan.wishes.name else ()), *plan.wishes.aliases)
        has = {spelling.casefold() for spelling in (known.name, *known.aliases)}
    if known is None and not is_late:
        check_aliases(wishes, name=name)
    aliases = tuple(one for one in _distinct((*wishes, *plan.origin.names)) if one.casefold() not in has)
    return replace(plan, known=known, name=name, aliases=aliases)


def _taken(models: Sequence[ModelSummary], *, but: ModelSummary | None) -> set[str]:
    return {
        spelling.casefold()
        for model in models
        if but is None or model.id != but.id
        for spelling in (model.name, *model.aliases)
    }


def _refuse_taken(plan: PullPlan, known: ModelSummary | None, taken: set[str]) -> None:
    """Raise ``ModelExistsError`` where what the user chose cannot be had."""
    if known is not None:
        _refuse_other_name(known, plan.wishes.name)
    for alias in plan.wishes.aliases:
        if alias.casefold() in taken:
            raise ModelExistsError(f"The name '{alias}' is taken: choose another --alias.")


def _free_name(plan: PullPlan, models: Sequence[ModelSummary], taken: set[str]) -> str:
    usual = plan.wishes.usual
    wishes = [plan.wishes.name] if plan.wishes.name else [usual, *plan.origin.names]
    if not plan.wishes.name and at_same_place(plan.origin, models):
        wishes += [f"{usual}-{number}" for number in range(2, MAX_NAMES)]
    for wish in wishes:
        if wish.casefold() not in taken:
            return wish
    raise ModelExistsError(f"The name '{wishes[0]}' is taken: say with --name what to call this one.")


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
    """Return the texts without those that differ from an earlier one in case only."""
    return tuple({text.casefold(): text for text in reversed(tuple(texts))}.values())[::-1]


def _pull_file(remote: RemoteFile, role: FileRole, key: str) -> PullFile:
    return PullFile(remote=remote, role=role, key=incoming_key(remote, key))


def _refuse_other_name(known: ModelSummary, name: str | None) -> None:
    """Raise ``ModelExistsError`` where the model that is here is called otherwise."""
    if name is not None and name.casefold() != known.name.casefold():
        raise ModelExistsError(
            f"It is here already, as '{known.name}': leave --name out to bring it up to date; --alias adds a name."
        )


def _revision_in(url: str, repo: str) -> str | None:
    """Return the revision that an address of the hub names; None for its default branch, which pins nothing."""
    parts = [unquote(part) for part in urlsplit(url).path.split("/")]
    for at in range(2, len(parts) - 1):
        if parts[at] in _FILE_WORDS and "/".join(parts[at - 2 : at]).casefold() == repo.casefold():
            return None if parts[at + 1] == DEFAULT_BRANCH else parts[at + 1]
    return None


def _host_folder(url: str) -> str:
    """Return the host as a folder is called: an IPv6 address without its colons."""
    return (urlsplit(url).hostname or "").replace(":", "-")

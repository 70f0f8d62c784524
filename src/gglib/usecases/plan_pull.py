"""Decides what a pull brings and where to, before a byte of it comes. It fetches nothing but headers.

Knows the core only: the hub, the store, the reader of headers and the machine's memory are passed in.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from gglib.core.errors import InvalidGgufError, ModelExistsError, NoSuchChoiceError
from gglib.core.file_names import safe_folder, safe_path
from gglib.core.fit import Fit, MachineMemory, MemoryNeed
from gglib.core.hub import HubFile, HubRepository, RemoteFile
from gglib.core.models import GgufFacts, ModelSource, ModelSummary
from gglib.core.naming import check_aliases, check_name
from gglib.core.offer_needs import context_to_judge, fits_of
from gglib.core.offers import Offer, Offers, choose_offer, choose_projector, find_offers
from gglib.core.ports import ModelHubPort, ModelStorePort
from gglib.core.pull_target import DEFAULT_BRANCH, PullTarget
from gglib.core.slots import DEFAULT_SLOTS, SlotFit, model_fit
from gglib.usecases.add_model import default_name, usable_name, why_no_model
from gglib.usecases.find_models import HEADER_BYTES

HUB, URL = "hub", "url"
"""``ModelSource.origin`` of what is pulled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFile:
    """One file on its way: from where, and to where."""

    remote: RemoteFile
    target: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlan:
    """What a pull does; the user may be asked before it does it."""

    asked: str
    """What to name to ``gglib pull`` for exactly this."""
    name: str
    """What the model will be called."""
    aliases: tuple[str, ...]
    files: tuple[PullFile, ...]
    """In shard order."""
    projector: PullFile | None
    """Offered: drop it with ``without_projector``."""
    source: ModelSource
    quantization: str | None
    was_chosen: bool
    """Whether gglib chose between several quantizations, because none was named."""
    others: tuple[Offer, ...]
    """What else there was to choose."""
    asked_revision: str | None = None
    """The branch, tag or commit that was asked for."""
    model_fit: SlotFit | None
    """How the model fits without its projector; None where its size is not known."""
    whole_fit: SlotFit | None = None
    """How it fits with its projector; None where it has none."""
    memory: MachineMemory
    known: ModelSummary | None
    """The model of the catalogue that has these very files: it is brought up to date."""

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

    def without_projector(self) -> "PullPlan":
        """Return the same plan for the model's own files alone."""
        return replace(self, projector=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlanner:
    """Makes plans. ``default_ctx`` is the context, in tokens, for which memory is judged."""

    hub: ModelHubPort
    store: ModelStorePort
    models_dir: Path
    read_facts: Callable[[bytes], GgufFacts]
    """Facts from the first bytes of a file; raises ``InvalidGgufError`` with a phrase."""
    memory: MachineMemory
    default_ctx: int
    slots: int = DEFAULT_SLOTS
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
        return await self._named(plan, name, tuple(aliases))

    async def _from_hub(self, target: PullTarget) -> PullPlan:
        if target.repo is None:
            raise NoSuchChoiceError("Name a repository as owner/name, a file in one, or an address.")
        repository = await self.hub.repository(target.repo, target.revision)
        offers = await asyncio.to_thread(find_offers, repository.files)
        facts = await self._facts_of_any(repository, offers)
        fits = self._fits(offers, facts, repository)
        offer = choose_offer(
            offers,
            target=target,
            fit_of=lambda offer: fits[offer.first.name].fit,
            need_of=lambda offer: fits[offer.first.name].need.total_bytes,
        )
        directory = self.models_dir / safe_folder(repository.repo, target.revision)
        if facts is None or offer.first != offers.models[0].first:
            await self._check_header(repository.remote(offer.first))
        projector = choose_projector(offers, offer)
        whole_fits = self._fits(
            offers, facts, repository, more_bytes=projector.size_bytes if projector else 0
        )
        typed = offer.typed(repository.repo, target.revision)
        return PullPlan(
            asked=typed,
            name=usable_name(default_name(Path(offer.first.name))),
            aliases=(typed,) if offer.quantization and offer.is_alone else (),
            files=tuple(_pull_file(repository, file, directory) for file in offer.files),
            projector=None if projector is None else _pull_file(repository, projector, directory),
            source=ModelSource(
                origin=HUB,
                repo=repository.repo,
                revision=repository.revision,
                file=offer.first.name,
                sha256=offer.first.sha256,
            ),
            quantization=offer.quantization,
            was_chosen=target.quantization is None and target.file is None and len(offers.models) > 1,
            others=tuple(other for other in offers.models if other != offer),
            asked_revision=target.revision,
            model_fit=fits[offer.first.name],
            whole_fit=None if projector is None else whole_fits[offer.first.name],
            memory=self.memory,
            known=None,
        )

    async def _from_url(self, url: str) -> PullPlan:
        remote = await self.hub.locate(url)
        if remote.repo is not None:
            revision = None if _is_of_default_branch(url) else remote.revision
            return await self._from_hub(PullTarget(repo=remote.repo, file=remote.name, revision=revision))
        target = self.models_dir / safe_path(_host_folder(url)) / safe_path(remote.name)
        facts = await self._check_header(remote)
        return PullPlan(
            asked=url,
            name=usable_name(default_name(target)),
            aliases=(),
            files=(PullFile(remote=remote, target=target),),
            projector=None,
            source=ModelSource(origin=URL, file=remote.name, sha256=remote.sha256),
            quantization=facts.quantization,
            was_chosen=False,
            others=(),
            model_fit=None if remote.size_bytes is None else self._fit(facts, remote.size_bytes),
            memory=self.memory,
            known=None,
        )

    async def _facts_of_any(self, repository: HubRepository, offers: Offers) -> GgufFacts | None:
        """Return what the smallest file says: of what decides about memory, all of a repository's say the same.

        None where it is no model.
        """
        if not offers.models:
            return None
        try:
            return await self._check_header(repository.remote(offers.models[0].first))
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
        self, offers: Offers, facts: GgufFacts | None, repository: HubRepository, *, more_bytes: int = 0
    ) -> Mapping[str, SlotFit]:
        return fits_of(
            offers,
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

    async def _named(self, plan: PullPlan, name: str | None, aliases: tuple[str, ...]) -> PullPlan:
        models = await self.store.list_models()
        paths = {file.target for file in plan.files}
        known = next((model for model in models if paths & set(model.paths)), None)
        if known is not None:
            _refuse_other_owner(known, name)
        taken = {
            spelling.casefold()
            for model in models
            if model is not known
            for spelling in (model.name, *model.aliases)
        }
        for alias in aliases:
            if alias.casefold() in taken:
                raise ModelExistsError(f"The name '{alias}' is taken: choose another --alias.")
        if known is not None:
            spellings = {spelling.casefold() for spelling in (known.name, *known.aliases)}
            new = [alias for alias in dict.fromkeys(aliases) if alias.casefold() not in spellings]
            return replace(plan, known=known, name=known.name, aliases=(*known.aliases, *new))
        wishes = (name,) if name else (plan.name, *plan.aliases)
        free = [wish for wish in wishes if wish.casefold() not in taken]
        if not free:
            raise ModelExistsError(f"The name '{wishes[0]}' is taken: say with --name what to call this one.")
        own = [alias for alias in plan.aliases if alias.casefold() not in taken and alias != free[0]]
        aliases = tuple(dict.fromkeys((*aliases, *own)))
        check_aliases(aliases, name=free[0])
        return replace(plan, name=free[0], aliases=aliases)


def _pull_file(repository: HubRepository, file: HubFile, directory: Path) -> PullFile:
    return PullFile(remote=repository.remote(file), target=directory / safe_path(file.name))


def _refuse_other_owner(known: ModelSummary, name: str | None) -> None:
    """Raise ``ModelExistsError`` where the model that is here is the user's own, or has another name."""
    if not known.is_downloaded:
        raise ModelExistsError(
            f"Where this would go is a file of yours, model '{known.name}', which gglib does not replace: move it, or "
            "name another home with --home."
        )
    if name is not None and name.casefold() != known.name.casefold():
        raise ModelExistsError(
            f"It is here already, as '{known.name}': leave --name out to bring it up to date; --alias adds a name."
        )


def _is_of_default_branch(url: str) -> bool:
    """Whether an address of the hub names its default branch: whoever copied it pinned nothing."""
    return any(f"/{word}/{DEFAULT_BRANCH}/" in urlsplit(url).path for word in ("resolve", "blob"))


def _host_folder(url: str) -> str:
    """Return the host as a folder is called: an IPv6 address without its colons."""
    return (urlsplit(url).hostname or "").replace(":", "-")

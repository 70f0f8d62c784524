"""Finds models on a hub, and says of each quantization whether this machine holds it. It fetches nothing but headers.

Knows the core only: the hub, the machine's memory and the reader of headers are passed in. What decides is in the pure
functions at the end.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gglib.core.errors import GglibError, HubError, VariantChoiceError
from gglib.core.file_names import safe_repo
from gglib.core.hub.repository import HubRepository, HubSort
from gglib.core.hub.search_results import (
    RepositoryResult,
    SearchResult,
    VariantResult,
    is_safe,
)
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit, MachineMemory
from gglib.core.models import GgufFacts
from gglib.core.ports.hub import ModelHubPort
from gglib.library.variants.choose import choose_projector, choose_variant
from gglib.library.variants.find import find_variants
from gglib.library.variants.fits import context_to_judge, fits_of
from gglib.library.variants.pull_target import PullTarget

HEADER_BYTES = 256 * 1024
"""Of one file of a repository: its shape stands before the vocabulary, which takes megabytes."""
HEADERS_AT_ONCE = 4
HEADERS_WAIT_S = 6.0
"""For all headers of a search together; what has not come by then is guessed."""
MAX_LIMIT = 100
_SURPLUS = 2
"""So many times more is asked of the hub where a size leaves some out. Not more: each repository is a request."""
_GROWTH = 3
"""So many times further is looked, each time that too few were small enough, up to ``MAX_LIMIT`` in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFinder:
    """Asks a hub on behalf of one machine. ``context`` is what memory is judged for, in tokens."""

    hub: ModelHubPort
    memory: MachineMemory
    context: int
    slots: int
    """How many requests a model should answer at a time."""
    read_facts: Callable[[bytes], GgufFacts]
    """Facts from the first bytes of a file; raises ``InvalidGgufError``."""
    headers_wait_s: float = HEADERS_WAIT_S

    async def search(
        self,
        query: str,
        *,
        sort: HubSort = HubSort.DOWNLOADS,
        limit: int = 10,
        max_size_bytes: int | None = None,
    ) -> SearchResult:
        """Return at most ``limit`` repositories that ``query`` finds, best first.

        With ``max_size_bytes``, models above it are not shown, nor repositories of which none is left; the hub is asked
        on until enough are found. Raises ``HubError``.
        """
        seen = await self._look(query, sort=sort, limit=limit, max_size_bytes=max_size_bytes)
        wanted = seen.wanted
        headers = await self._read_headers(wanted[:limit])
        found = await asyncio.to_thread(
            lambda: [
                repository_result(one, variants, facts, finder=self, max_size_bytes=max_size_bytes)
                for (one, variants), facts in zip(wanted[:limit], headers, strict=True)
            ]
        )
        return SearchResult(
            repositories=tuple(found),
            memory=self.memory,
            left_out=len(seen.names) - len(wanted),
            too_large=seen.too_large,
            searched=len(seen.names) if seen.is_cut and len(wanted) < limit else None,
        )

    async def show(self, target: PullTarget) -> RepositoryResult:
        """Return a repository with all that it has; of a target that names a model, that model alone.

        Raises ``HubError``.
        """
        if target.repo is None:
            raise VariantChoiceError("Only repositories can be shown: name one as owner/name.")
        repository = await self.hub.repository(target.repo, target.revision)
        safe_repo(repository.repo)
        variants = await asyncio.to_thread(find_variants, repository.files)
        if target.quantization is not None or target.file is not None:
            named = choose_variant(variants, target=target, fit_of=lambda _: Fit.FITS)
            projector = choose_projector(variants, named)
            variants = Variants(models=(named,), projectors=() if projector is None else (projector,))
            repository = replace(repository, files=named.files)
        (facts,) = await self._read_headers([(repository, variants)])
        found = await asyncio.to_thread(
            repository_result, repository, variants, facts, finder=self, max_size_bytes=None
        )
        return replace(found, asked_revision=target.revision)

    async def _look(self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None) -> "_Seen":
        """Return what the hub has, looking further down where a size leaves too few."""
        seen = _Seen(max_size_bytes=max_size_bytes)
        asked = limit if max_size_bytes is None else min(limit * _SURPLUS, MAX_LIMIT)
        skip = 0
        while True:
            try:
                came = await self.hub.search(query, sort=sort, limit=asked, skip=skip)
            except HubError:
                if not seen.wanted:
                    raise
                seen.is_cut = True
                return seen  # a hub that had enough of questions does not take away what it gave
            # In a thread, as below: a listing of 100,000 files takes seconds, and a server has others to answer.
            await asyncio.to_thread(seen.add, came)
            if max_size_bytes is None or not came or len(seen.wanted) >= limit:
                return seen
            if asked >= MAX_LIMIT:
                seen.is_cut = True
                return seen
            asked, skip = min(asked * _GROWTH, MAX_LIMIT), asked

    async def _read_headers(self, wanted: Sequence[tuple[HubRepository, Variants]]) -> list[GgufFacts | None]:
        """Return what one file of each says; None where it cannot be had, or not in time."""
        deadline = asyncio.get_running_loop().time() + self.headers_wait_s
        free = asyncio.Semaphore(HEADERS_AT_ONCE)

        async def read(repository: HubRepository, variants: Variants) -> GgufFacts | None:
            try:
                async with asyncio.timeout_at(deadline), free:
                    start = await self.hub.read_start(
                        repository.remote(variants.models[0].first), HEADER_BYTES
                    )
                return await asyncio.to_thread(self.read_facts, start)
            except (GglibError, TimeoutError):
                return None  # the estimate says that it is guessed

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read(*one)) if one[1].models else None for one in wanted]
        return [task.result() if task else None for task in tasks]


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What a hub brought so far."""

    max_size_bytes: int | None
    names: set[str] = field(default_factory=set)
    wanted: list[tuple[HubRepository, Variants]] = field(default_factory=list)
    too_large: int = 0
    is_cut: bool = False
    """Whether the hub may have more."""

    def add(self, came: Sequence[HubRepository]) -> None:
        """Take what is new: between two questions the order of a hub may change."""
        for one in came:
            if one.repo in self.names:
                continue
            self.names.add(one.repo)
            variants = find_variants(one.files) if is_safe(one.repo, safe_repo) else Variants()
            if within(variants, self.max_size_bytes):
                self.wanted.append((one, variants))
            elif variants.models:
                self.too_large += 1


def within(variants: Variants, max_size_bytes: int | None) -> list[Variant]:
    """Return the models that are no larger."""
    return [
        variant
        for variant in variants.models
        if max_size_bytes is None or variant.size_bytes <= max_size_bytes
    ]


def repository_result(
    repository: HubRepository,
    variants: Variants,
    facts: GgufFacts | None,
    *,
    finder: ModelFinder,
    max_size_bytes: int | None,
) -> RepositoryResult:
    """Return a repository with the need and the fit of each of its models; ``facts`` are of its smallest one."""
    context = context_to_judge(finder.context, facts, repository.trained_context)
    fits = fits_of(
        variants,
        facts,
        context=context,
        slots=finder.slots,
        memory=finder.memory,
        parameter_count=repository.parameter_count,
    )
    found = [
        VariantResult(
            variant=variant,
            need=fits[variant.first.name].need,
            fit=fits[variant.first.name].fit,
            slots=fits[variant.first.name].slots,
        )
        for variant in within(variants, max_size_bytes)
    ]
    return RepositoryResult(
        repository=repository,
        variants=variants,
        results=tuple(found),
        suggested=_suggested(repository, variants, found),
        memory=finder.memory,
        context=context,
        architecture=repository.architecture or ((facts and facts.architecture) or None),
        parameter_count=repository.parameter_count or (facts.parameter_count if facts else None),
        trained_context=(facts.trained_context if facts else None) or repository.trained_context,
    )


def _suggested(
    repository: HubRepository, variants: Variants, found: Sequence[VariantResult]
) -> Variant | None:
    """Return what a pull takes when nothing is named and only what is shown is there."""
    fits = {one.variant.first.name: one.fit for one in found}
    try:
        return choose_variant(
            variants,
            target=PullTarget(repo=repository.repo),
            fit_of=lambda variant: fits.get(variant.first.name, Fit.TOO_LARGE),
        )
    except HubError:
        return None

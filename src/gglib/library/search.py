"""Searches a hub for models and judges whether each variant fits this machine. Downloads headers only.

The hub, the machine's memory and the header reader are passed in. The decisions are pure functions at the end.
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
"""Read of one file per repository: the shape precedes the vocabulary, which takes megabytes."""
MAX_CONCURRENT_HEADERS = 4
HEADERS_TIMEOUT_S = 6.0
"""For all headers of a search together; without a header, the need is estimated from the size."""
MAX_LIMIT = 100
_SURPLUS = 2
"""Factor on the number of requested repositories if a size limit leaves some out; each repository is one request."""
_GROWTH = 3
"""Factor by which the search is extended while too few results are small enough, up to ``MAX_LIMIT`` in total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFinder:
    """Searches a hub for one machine. ``context`` is the context in tokens that memory needs are estimated for."""

    hub: ModelHubPort
    memory: MachineMemory
    context: int
    slots: int
    """How many requests a model should serve concurrently."""
    read_facts: Callable[[bytes], GgufFacts]
    """Facts from the first bytes of a file; raises ``InvalidGgufError``."""
    headers_wait_s: float = HEADERS_TIMEOUT_S

    async def search(
        self,
        query: str,
        *,
        sort: HubSort = HubSort.DOWNLOADS,
        limit: int = 10,
        max_size_bytes: int | None = None,
    ) -> SearchResult:
        """Return at most ``limit`` repositories that match ``query``, best first.

        With ``max_size_bytes``, larger variants are left out, and so are repositories without a smaller one; the search
        is extended until enough are found. Raises ``HubError``.
        """
        hits = await self._query_hub(query, sort=sort, limit=limit, max_size_bytes=max_size_bytes)
        wanted = hits.wanted
        headers = await self._read_headers(wanted[:limit])
        found = await asyncio.to_thread(
            lambda: [
                repository_result(repository, variants, facts, finder=self, max_size_bytes=max_size_bytes)
                for (repository, variants), facts in zip(wanted[:limit], headers, strict=True)
            ]
        )
        return SearchResult(
            repositories=tuple(found),
            memory=self.memory,
            left_out=len(hits.names) - len(wanted),
            too_large=hits.too_large,
            searched=len(hits.names) if hits.is_cut and len(wanted) < limit else None,
        )

    async def show(self, target: PullTarget) -> RepositoryResult:
        """Return a repository with everything in it; for a target that names a variant, with that variant only.

        Raises ``HubError``.
        """
        if target.repo is None:
            raise VariantChoiceError("Only repositories can be shown: write owner/name.")
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

    async def _query_hub(
        self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None
    ) -> "_Hits":
        """Query the hub, and extend the search while the size limit leaves too few results."""
        hits = _Hits(max_size_bytes=max_size_bytes)
        count = limit if max_size_bytes is None else min(limit * _SURPLUS, MAX_LIMIT)
        skip = 0
        while True:
            try:
                found = await self.hub.search(query, sort=sort, limit=count, skip=skip)
            except HubError:
                if not hits.wanted:
                    raise
                hits.is_cut = True
                return hits  # keep the results from before a rate limit or another failure
            # In a thread: a listing of 100,000 files takes seconds and would block a server's event loop.
            await asyncio.to_thread(hits.add, found)
            if max_size_bytes is None or not found or len(hits.wanted) >= limit:
                return hits
            if count >= MAX_LIMIT:
                hits.is_cut = True
                return hits
            count, skip = min(count * _GROWTH, MAX_LIMIT), count

    async def _read_headers(self, wanted: Sequence[tuple[HubRepository, Variants]]) -> list[GgufFacts | None]:
        """Return the header facts of one file per repository; None if it cannot be read in time."""
        deadline = asyncio.get_running_loop().time() + self.headers_wait_s
        free = asyncio.Semaphore(MAX_CONCURRENT_HEADERS)

        async def read(repository: HubRepository, variants: Variants) -> GgufFacts | None:
            try:
                async with asyncio.timeout_at(deadline), free:
                    start = await self.hub.read_start(
                        repository.remote(variants.models[0].first), HEADER_BYTES
                    )
                return await asyncio.to_thread(self.read_facts, start)
            except (GglibError, TimeoutError):
                return None  # the estimate is marked as inexact

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(read(repository, variants)) if variants.models else None
                for repository, variants in wanted
            ]
        return [task.result() if task else None for task in tasks]


@dataclass(slots=True, kw_only=True)
class _Hits:
    """The search results so far."""

    max_size_bytes: int | None
    names: set[str] = field(default_factory=set)
    wanted: list[tuple[HubRepository, Variants]] = field(default_factory=list)
    too_large: int = 0
    is_cut: bool = False
    """Whether the search stopped early, so that the hub may have more."""

    def add(self, found: Sequence[HubRepository]) -> None:
        """Add new repositories: the order of a hub may change between two requests."""
        for repository in found:
            if repository.repo in self.names:
                continue
            self.names.add(repository.repo)
            variants = find_variants(repository.files) if is_safe(repository.repo, safe_repo) else Variants()
            if within(variants, self.max_size_bytes):
                self.wanted.append((repository, variants))
            elif variants.models:
                self.too_large += 1


def within(variants: Variants, max_size_bytes: int | None) -> list[Variant]:
    """Return the variants up to a size; None means no limit."""
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
    """Return a repository with the need and fit of each variant; ``facts`` are those of its smallest variant."""
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
    """Return the variant that a pull without a quantization would choose among the shown ones."""
    fits = {result.variant.first.name: result.fit for result in found}
    try:
        return choose_variant(
            variants,
            target=PullTarget(repo=repository.repo),
            fit_of=lambda variant: fits.get(variant.first.name, Fit.TOO_LARGE),
        )
    except HubError:
        return None

"""Composes pulls: planning, execution, and the recovery of interrupted pulls."""

import asyncio
from collections.abc import Sequence
from functools import partial

from gglib.app.memory.fitting import usable_memory
from gglib.app.settings import Settings
from gglib.core.errors import DownloadInProgressError
from gglib.core.models import ModelSummary
from gglib.core.ports.hub import ModelHubPort
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import PullJob
from gglib.gguf import read_files, read_partial_facts
from gglib.library.pull.disk_space import read_disk_state
from gglib.library.pull.execute import OnPullProgress, Puller
from gglib.library.pull.install import finish_interrupted
from gglib.library.pull.jobs import (
    PullSite,
    give_up,
    lock_of,
    sweep,
)
from gglib.library.pull.plan import PullPlanner
from gglib.library.pull.resume import pulls_of
from gglib.library.variants.pull_target import read_target
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.locks import PULL_PREFIX, HomeLocks


def pull_site(settings: Settings, store: HomeStorePort) -> PullSite:
    """Return the store, directories and locks of a home's pulls."""
    return PullSite(
        store=store,
        models_dir=settings.models_dir,
        locks=HomeLocks(settings.home),
        incoming=Incoming(settings.models_dir),
        read_files=read_files,
    )


async def planner(settings: Settings, store: HomeStorePort, hub: ModelHubPort) -> PullPlanner:
    """Return the planner of pulls, for the memory that is free now."""
    return PullPlanner(
        hub=hub,
        store=store,
        read_disk_state=partial(read_disk_state, store=store, incoming=Incoming(settings.models_dir)),
        read_facts=read_partial_facts,
        memory=await usable_memory(settings),
        default_ctx=settings.default_ctx,
        slots=settings.slots,
    )


def puller(settings: Settings, store: HomeStorePort, hub: ModelHubPort) -> Puller:
    """Return the executor of pull plans."""
    return Puller(hub=hub, site=pull_site(settings, store))


async def pull_by_name(
    settings: Settings, store: HomeStorePort, hub: ModelHubPort, target: str, progress: OnPullProgress
) -> ModelSummary:
    """Pull a target without prompts: if several variants match, the best one that fits is chosen."""
    plan = await (await planner(settings, store, hub)).plan(read_target(target))
    return (await puller(settings, store, hub).pull(plan.as_it_was(), progress)).model


async def recover_pulls(settings: Settings, store: HomeStorePort) -> list[ModelSummary]:
    """Add the models of pulls that were complete before a kill, and delete leftovers; return the added models."""
    site = pull_site(settings, store)
    if not await store.list_pulls() and not await asyncio.to_thread(_has_leftovers, site):
        return []  # the common case, without taking a lock
    finished = await finish_interrupted(site)
    await sweep(site)
    return finished


def downloaded_bytes(settings: Settings, jobs: Sequence[PullJob]) -> list[int]:
    """Return for each pull how many bytes of its files are on the disk."""
    incoming = Incoming(settings.models_dir)
    return [incoming.bytes_here({file.key for file in job.files}) for job in jobs]


def are_running(settings: Settings, jobs: Sequence[PullJob]) -> list[bool]:
    """Return for each pull whether a gglib is running it."""
    locks = HomeLocks(settings.home)
    return [locks.are_held(lock_of(job.key)) for job in jobs]


async def discard_pull(settings: Settings, store: HomeStorePort, job: PullJob) -> int:
    """Discard an unfinished pull; return the freed bytes. Raises the errors of ``give_up``."""
    return await give_up(pull_site(settings, store), job)


async def discard_target(settings: Settings, store: HomeStorePort, target: str) -> bool:
    """Discard the unfinished pulls of exactly this target, except those that another task or process is running.

    Returns whether none of them is left. Raises ``CatalogError`` and ``StorageError``.
    """
    is_gone = True
    for job in pulls_of(target, await store.list_pulls()):
        try:
            await discard_pull(settings, store, job)
        except DownloadInProgressError:
            is_gone = False
    return is_gone


def _has_leftovers(site: PullSite) -> bool:
    return not site.incoming.is_empty() or site.locks.has_any(PULL_PREFIX)

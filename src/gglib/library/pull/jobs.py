"""Pulls that have not ended: recorded before the first byte, listed, given up, and what they leave swept away.

A file that comes is named by its content (``layout.incoming_key``), so that several pulls may be waiting for one: it is
deleted only while no recorded pull names it. What reads that list to delete, and what adds to it, hold ``SWEEP_LOCK``.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import PullJob
from gglib.library.add import ModelFiles
from gglib.library.versions.deleting import collect_retired
from gglib.library.versions.incoming import (
    SWEEP_LOCK,
    Incoming,
    keys_of,
    sweep_incoming,
)
from gglib.library.versions.locks import PULL_PREFIX, HomeLocks
from gglib.library.versions.publishing import find_published
from gglib.system.threads import run_to_completion

FilesReader = Callable[[Sequence[Path], Sequence[str]], ModelFiles]
"""Reads the headers of a model's files in shard order, which have these names elsewhere; checks that no tensor ends
behind its file. Raises ``InvalidGgufError`` with a phrase that says why, without a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSite:
    """Where pulls take place: one home and its catalogue."""

    store: HomeStorePort
    models_dir: Path
    locks: HomeLocks
    incoming: Incoming
    read_files: FilesReader


def lock_of(job_key: str) -> str:
    """Return the lock that a pull holds from before it is recorded until it has ended."""
    return f"{PULL_PREFIX}{job_key}"


async def begin(site: PullSite, job: PullJob) -> None:
    """Record a pull, or how far it is; what an older record of it waited for, and no pull does any more, is deleted."""
    async with site.locks.hold(SWEEP_LOCK):
        older = [one for one in await site.store.list_pulls() if one.key == job.key]
        await site.store.begin_pull(job)
        await _discard(older, site.store, site.incoming)


async def end(site: PullSite, job: PullJob) -> int:
    """Forget a pull and delete what came of it, but for what other pulls wait for; return the bytes that freed."""
    return await end_all([job], store=site.store, locks=site.locks, incoming=site.incoming)


async def end_all(
    jobs: Sequence[PullJob], *, store: HomeStorePort, locks: HomeLocks, incoming: Incoming
) -> int:
    """Do what ``end`` does with several pulls."""
    async with locks.hold(SWEEP_LOCK):
        for job in jobs:
            await store.end_pull(job.key)
        return await _discard(jobs, store, incoming)


async def give_up(site: PullSite, job: PullJob) -> int:
    """Give up a pull that did not end, and delete what came of it; return how many bytes that freed.

    Raises ``DownloadInProgressError`` where another task or process is at work on it, and ``StorageError``.
    """
    with site.locks.try_hold(lock_of(job.key), what=f"the pull of '{job.name}'"):
        await _retire_published(site, job)
        freed = await end(site, job)
    await sweep(site)
    return freed + sum(
        deletion.freed_bytes for deletion in await collect_retired(site.store, site.models_dir)
    )


async def sweep(site: PullSite) -> None:
    """Delete what kills left below ``models/.incoming`` and no recorded pull waits for."""
    await sweep_incoming(site.store, site.models_dir)


async def _retire_published(site: PullSite, job: PullJob) -> None:
    """Let a version go that was published and has no row: its name was never free, say."""
    published = await asyncio.to_thread(find_published, job, site.models_dir)
    if published is not None:
        version = await site.store.add_version(published)
        await site.store.retire_unused([version.id])


async def _discard(jobs: Sequence[PullJob], store: HomeStorePort, incoming: Incoming) -> int:
    if not jobs:
        return 0
    in_use = keys_of(await store.list_pulls())
    return await run_to_completion(incoming.discard, keys_of(jobs), in_use)

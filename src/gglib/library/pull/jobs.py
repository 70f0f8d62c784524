"""Unfinished pulls: records them before the first byte, discards them, and sweeps the files that they left.

An incoming file is content-addressed (``layout.incoming_key``), so several pulls may need the same one: it is deleted
only while no recorded pull names it. Code that adds pulls or deletes by the list of pulls holds ``SWEEP_LOCK``.
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
"""Reads the headers of a model's files in shard order, with their names at the source; checks that every tensor ends
within its file. Raises ``InvalidGgufError`` with the reason as a phrase, without a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSite:
    """The home that pulls install into, with its catalogue."""

    store: HomeStorePort
    models_dir: Path
    locks: HomeLocks
    incoming: Incoming
    read_files: FilesReader


def lock_of(job_key: str) -> str:
    """Return the name of the lock that a pull holds from before it is recorded until it ends."""
    return f"{PULL_PREFIX}{job_key}"


async def begin(site: PullSite, job: PullJob) -> None:
    """Record a pull or its progress; incoming files that only its older record needed are deleted."""
    async with site.locks.hold(SWEEP_LOCK):
        older = [pull for pull in await site.store.list_pulls() if pull.key == job.key]
        await site.store.begin_pull(job)
        await _discard(older, site.store, site.incoming)


async def end(site: PullSite, job: PullJob) -> int:
    """Delete a pull's record and its incoming files that no other pull needs; return the bytes freed."""
    return await end_all([job], store=site.store, locks=site.locks, incoming=site.incoming)


async def end_all(
    jobs: Sequence[PullJob], *, store: HomeStorePort, locks: HomeLocks, incoming: Incoming
) -> int:
    """Do the same as ``end`` for several pulls."""
    async with locks.hold(SWEEP_LOCK):
        for job in jobs:
            await store.end_pull(job.key)
        return await _discard(jobs, store, incoming)


async def give_up(site: PullSite, job: PullJob) -> int:
    """Discard an unfinished pull and its incoming files; return the bytes freed.

    Raises ``DownloadInProgressError`` if another task or process is running it, and ``StorageError``.
    """
    with site.locks.try_hold(lock_of(job.key), what=f"the pull of '{job.name}'"):
        await _retire_published(site, job)
        freed = await end(site, job)
    await sweep(site)
    return freed + sum(
        deletion.freed_bytes for deletion in await collect_retired(site.store, site.models_dir)
    )


async def sweep(site: PullSite) -> None:
    """Delete leftovers of killed processes below ``models/.incoming`` that no recorded pull needs."""
    await sweep_incoming(site.store, site.models_dir)


async def _retire_published(site: PullSite, job: PullJob) -> None:
    """Retire a version that was published but not installed, because its name was never free, say."""
    published = await asyncio.to_thread(find_published, job, site.models_dir)
    if published is not None:
        version = await site.store.add_version(published)
        await site.store.retire_unused([version.id])


async def _discard(jobs: Sequence[PullJob], store: HomeStorePort, incoming: Incoming) -> int:
    if not jobs:
        return 0
    in_use = keys_of(await store.list_pulls())
    return await run_to_completion(incoming.discard, keys_of(jobs), in_use)

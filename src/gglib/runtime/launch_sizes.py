"""Computes the sizes of launches again when a new budget applies: to requests that wait, and to engines that run."""

import logging
from collections.abc import Iterator

from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.memory import MemoryAccounts
from gglib.runtime.scheduler.events import LaunchSizes
from gglib.runtime.scheduler.scheduler import Scheduler

logger = logging.getLogger("gglib.runtime")


async def read_launch_sizes(accounts: MemoryAccounts, scheduler: Scheduler) -> LaunchSizes:
    """Return the sizes of all launches that are waited for, and of all residents without a size.

    None is missing when this returns: requests that arrive meanwhile are included. Pass the sizes to the scheduler
    without another ``await``.
    """
    sizes: dict[tuple[ModelLaunchSpec, int], DeviceBytes] = {}
    while missing := [launch for launch in _launches(scheduler) if launch not in sizes]:
        for spec, context in missing:
            sizes[spec, context] = await _size_of(accounts, spec, context)
    return sizes


def _launches(scheduler: Scheduler) -> Iterator[tuple[ModelLaunchSpec, int]]:
    for waiter in (*scheduler.waiters, *scheduler.pending_loads):
        yield waiter.spec, waiter.launch_ctx
    for resident in scheduler.residents:
        if not resident.size:
            yield resident.spec, resident.context


async def _size_of(accounts: MemoryAccounts, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
    """Return a size; empty for a launch that fails by itself, such as one with wrong engine arguments."""
    try:
        return await accounts.size_of(spec, context)
    except Exception as error:  # noqa: BLE001 - the others get their sizes
        logger.warning("the size of '%s' is unknown: %s", spec.model_name, error)
        return {}

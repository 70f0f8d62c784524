"""Computes the sizes of launches again when a new budget applies: to requests that wait, and to engines that run."""

from collections.abc import Awaitable, Callable, Iterator

from gglib.core.errors import EngineArgumentError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import SizesByLaunch
from gglib.runtime.scheduler.scheduler import Scheduler

SizeOf = Callable[[ModelLaunchSpec, int], Awaitable[DeviceBytes]]
"""Returns what a launch with a context takes. Raises ``EngineArgumentError``."""


async def read_launch_sizes(size_of: SizeOf, scheduler: Scheduler) -> SizesByLaunch:
    """Return the sizes of all launches that are waited for, and of all residents without a size.

    The result is complete: requests that arrive meanwhile are included. Pass the sizes to the scheduler without another
    ``await``.
    """
    sizes: dict[tuple[ModelLaunchSpec, int], DeviceBytes] = {}
    while missing := [launch for launch in _launches(scheduler) if launch not in sizes]:
        for spec, context in missing:
            sizes[spec, context] = await _size_or_none(size_of, spec, context)
    return sizes


def _launches(scheduler: Scheduler) -> Iterator[tuple[ModelLaunchSpec, int]]:
    for waiter in (*scheduler.waiters, *scheduler.pending_loads):
        yield waiter.spec, waiter.launch_ctx
    for resident in scheduler.residents:
        if not resident.size:
            yield resident.spec, resident.context


async def _size_or_none(size_of: SizeOf, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
    """Return a size; empty for a launch with wrong engine arguments, which fails by itself."""
    try:
        return await size_of(spec, context)
    except EngineArgumentError:
        return {}

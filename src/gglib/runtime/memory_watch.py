"""Reports memory to the scheduler: limits while requests wait, and what each running engine takes."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from gglib.core.errors import ModelOutOfMemoryError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.launcher import EngineRun
from gglib.runtime.memory import MemoryAccounts
from gglib.runtime.scheduler.events import Event, LimitsChanged, LoadFailed, Measured
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import Resident
from gglib.runtime.scheduler.swap_hint import KnownSizes

logger = logging.getLogger("gglib.runtime")

MEASURE_INTERVAL_S = 10.0
"""How often an engine that is in use is measured again: its prompt cache grows with use."""


class MemoryWatch:
    """Connects ``MemoryAccounts`` to the scheduler. Without accounts, nothing is limited or measured."""

    def __init__(
        self,
        accounts: MemoryAccounts | None,
        scheduler: Scheduler,
        runs: Mapping[int, EngineRun],
        dispatch: Callable[[Event], None],
        known_sizes: KnownSizes,
    ) -> None:
        """Watch ``runs``, the current launches by generation. Measured sizes are recorded in ``known_sizes``."""
        self._known_sizes = known_sizes
        self._accounts = accounts
        self._scheduler = scheduler
        self._runs = runs
        self._dispatch = dispatch
        self._measured_at: dict[int, float] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch with ``context`` tokens takes; empty if memory is not limited."""
        if self._accounts is None or not self._scheduler.placement.limits_memory:
            return {}
        return await self._accounts.size_of(spec, context)

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        """Return what would fit instead of a launch that does not; empty if it cannot be determined."""
        if self._accounts is None:
            return ""
        try:
            return await self._accounts.advice(spec, context)
        except Exception:
            logger.exception("no advice for '%s'", spec.model_name)
            return ""

    async def refresh_limits(self) -> None:
        """Report how much memory the residents may take now."""
        if self._accounts is None or not self._scheduler.placement.limits_memory:
            return
        limits = await self._accounts.limits([run.pid for run in self._runs.values() if run.pid is not None])
        if limits != self._scheduler.placement.memory_limits:
            self._dispatch(LimitsChanged(limits))

    def record_failure(self, event: LoadFailed, size: DeviceBytes) -> None:
        """Raise the expected size of a model whose load ran out of memory, in the background."""
        run = self._runs.get(event.generation)
        if self._accounts is None or run is None or not isinstance(event.error, ModelOutOfMemoryError):
            return
        task = asyncio.create_task(_record_out_of_memory(self._accounts, run, size))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def run(self, interval_s: float) -> None:
        """Poll every ``interval_s`` seconds, until cancelled."""
        while self._accounts is not None:
            await asyncio.sleep(interval_s)
            try:
                await self.poll(asyncio.get_running_loop().time())
            except Exception:
                logger.exception("the memory of the engines could not be read")

    async def poll(self, now: float) -> None:
        """Refresh the limits if requests wait, and measure the engines that are due."""
        if self._scheduler.waiters or self._scheduler.pending_loads:
            await self.refresh_limits()
        generations = {resident.generation for resident in self._scheduler.residents}
        self._measured_at = {g: at for g, at in self._measured_at.items() if g in generations}
        for resident in self._scheduler.residents:
            run = self._runs.get(resident.generation)  # it may exit while another one is measured
            if run is not None and self._is_due(run, resident, now):
                self._measured_at[resident.generation] = now
                await self._measure(run)

    def _is_due(self, run: EngineRun, resident: Resident, now: float) -> bool:
        if run.ready_at is None or run.unavailable.is_set():
            return False
        measured_at = self._measured_at.get(resident.generation)
        if measured_at is None:
            return True
        is_used = bool(resident.holders) or resident.last_used > measured_at
        return is_used and now >= measured_at + MEASURE_INTERVAL_S

    async def _measure(self, run: EngineRun) -> None:
        if self._accounts is None or run.pid is None:
            return
        size = await self._accounts.measure(run.spec, run.launch.context, run.pid)
        if size is not None:
            self._known_sizes.record(run.spec.model_name, size)
        limits_memory = self._scheduler.placement.limits_memory
        prompt_s = await run.prompt_cost_s() if limits_memory else None
        if size is not None or prompt_s is not None:
            self._dispatch(Measured(run.launch.generation, size, prompt_s))


async def _record_out_of_memory(accounts: MemoryAccounts, run: EngineRun, size: DeviceBytes) -> None:
    try:
        await accounts.record_out_of_memory(run.spec, run.launch.context, size)
    except Exception:
        logger.exception("the size of '%s' could not be recorded", run.spec.model_name)

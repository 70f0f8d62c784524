"""Reports memory to the scheduler: limits while requests wait, and what each running engine takes."""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from gglib.core.errors import EngineArgumentError, ModelOutOfMemoryError
from gglib.core.memory import RAM, DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.launcher import EngineRun
from gglib.runtime.memory import Measurement, MemoryAccounts, RunningEngine
from gglib.runtime.scheduler.events import Event, LimitsChanged, LoadFailed, Measured
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import Resident
from gglib.runtime.scheduler.swap_hint import KnownSizes
from gglib.runtime.size_estimates import SizeEstimates, launched_engine

logger = logging.getLogger("gglib.runtime")

MAX_READS = 3
"""How often the limits are read at most, if engines start meanwhile."""
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
        self._measurements: dict[int, Measurement] = {}
        """The last measurement of each engine, by generation."""
        self._estimates = None if accounts is None else SizeEstimates(accounts, runs)
        self._reads = itertools.count(1)
        self._newest_read = 0
        """The number of the newest read whose limits were reported."""
        self._warned: set[str] = set()
        self._background: set[asyncio.Task[None]] = set()

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch with ``context`` tokens takes; empty if memory is not limited.

        Raises ``EngineArgumentError``.
        """
        return await self.size_in_budget(spec, context) if self._scheduler.placement.limits_memory else {}

    async def size_in_budget(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch with ``context`` tokens takes under a budget, also if none applies yet.

        If that cannot be determined, the size of the model's shards, all in RAM. Raises ``EngineArgumentError``.
        """
        if self._accounts is None:
            return {}
        try:
            return await self._accounts.size_of(spec, context)
        except EngineArgumentError:
            raise
        except Exception as error:  # noqa: BLE001 - a request must not fail because of an estimate
            self._warn_once(f"the size of '{spec.model_name}' cannot be estimated", error)
            return {RAM: spec.size_bytes}

    async def fits_beside_all(self, spec: ModelLaunchSpec, context: int) -> bool:
        """Whether there is memory for a launch beside all that run, those that stop included; False if unknown."""
        if self._accounts is None:
            return False
        try:
            sizes = [
                await self.size_in_budget(spec, context),
                *[
                    resident.size or await self.size_in_budget(resident.spec, resident.context)
                    for resident in self._scheduler.residents
                ],
            ]
            limits = await self._read_limits(self._accounts)
            has_slots = self._scheduler.placement.limits_memory or (
                await self._accounts.fits_with_all_slots(spec, context)
            )
        except Exception as error:  # noqa: BLE001 - the launch waits for the stop
            self._warn_once(f"the memory for '{spec.model_name}' cannot be read", error)
            return False
        needed = Counter[str]()
        for size in sizes:
            needed.update(size)
        return has_slots and all(taken <= limits.get(device, 0) for device, taken in needed.items())

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        """Return what would fit instead of a launch that does not; empty if it cannot be determined."""
        if self._accounts is None:
            return ""
        try:
            return await self._accounts.advice(spec, context)
        except Exception:
            logger.exception("no advice for '%s'", spec.model_name)
            return ""

    async def refresh_limits(self, *, is_budget_new: bool = False) -> None:
        """Report how much memory the residents may take now. If that cannot be read, the last known limits stay.

        Without a budget there is nothing to report, unless one is about to apply.
        """
        if self._accounts is None or not (is_budget_new or self._scheduler.placement.limits_memory):
            return
        number = next(self._reads)
        try:
            limits = await self._read_limits(self._accounts)
        except Exception as error:  # noqa: BLE001 - a request must not fail because of other programs' memory
            self._warn_once("the free memory cannot be read", error)
            return
        if number < self._newest_read:  # a read that began later was faster
            return
        self._newest_read = number
        if limits != self._scheduler.placement.memory_limits:
            self._dispatch(LimitsChanged(limits))

    async def _read_limits(self, accounts: MemoryAccounts) -> DeviceBytes:
        """Read the limits for the engines that run, again if an engine started meanwhile.

        What that engine takes would count as memory of other programs.
        """
        for _ in range(MAX_READS - 1):
            engines = self._running_engines()
            limits = await accounts.limits(engines)
            if {engine.pid for engine in engines} == {engine.pid for engine in self._running_engines()}:
                return limits
        return await accounts.limits(self._running_engines())

    def _running_engines(self) -> list[RunningEngine]:
        sizes = {resident.generation: resident.size for resident in self._scheduler.residents}
        return [
            RunningEngine(pid=run.pid, size=sizes.get(generation, {}), is_ready=run.ready_at is not None)
            for generation, run in self._runs.items()
            if run.pid is not None
        ]

    def record_failure(self, event: LoadFailed, size: DeviceBytes) -> None:
        """Raise the expected size of a model whose load ran out of memory, in the background."""
        run = self._runs.get(event.generation)
        if self._accounts is None or run is None or not isinstance(event.error, ModelOutOfMemoryError):
            return
        task = asyncio.create_task(_record_out_of_memory(self._accounts, run, size))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def run(self, interval_s: float) -> None:
        """Poll every ``interval_s`` seconds, until cancelled. Slow engines do not delay the limits."""
        if self._accounts is not None and self._estimates is not None:
            now = asyncio.get_running_loop().time
            await asyncio.gather(
                _repeated(self._estimates.poll, interval_s),
                _repeated(self.poll_limits, interval_s),
                _repeated(lambda: self.poll_engines(now()), interval_s),
            )

    async def poll_limits(self) -> None:
        """Refresh the limits if requests wait."""
        if self._scheduler.waiters or self._scheduler.pending_loads:
            await self.refresh_limits()

    async def poll_engines(self, now: float) -> None:
        """Measure the engines that are due, at the same time."""
        generations = {resident.generation for resident in self._scheduler.residents}
        self._measured_at = {g: at for g, at in self._measured_at.items() if g in generations}
        self._measurements = {g: found for g, found in self._measurements.items() if g in generations}
        due = [
            run
            for resident in self._scheduler.residents
            if (run := self._runs.get(resident.generation)) is not None and self._is_due(run, resident, now)
        ]
        self._measured_at |= {run.launch.generation: now for run in due}
        await asyncio.gather(*map(self._measure, due), *map(self._measure_prompts, due))

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
        try:
            measured = await self._accounts.measure(launched_engine(run), run.pid)
            if measured is not None:
                generation = run.launch.generation
                self._measurements[generation] = measured
                sizes = self.measured_sizes(limits_memory=self._scheduler.placement.limits_memory)
                self._dispatch(Measured(generation, sizes[generation]))
            await self._record_known_size(self._accounts, run)
        except Exception as error:  # noqa: BLE001 - the other engines are measured
            self._warn_once(f"the memory of '{run.spec.model_name}' cannot be read", error)

    def measured_sizes(self, *, limits_memory: bool) -> dict[int, DeviceBytes]:
        """Return what each measured engine counts with, by generation.

        It is what the engine may take, or if memory is not limited what it took: a single model may grow.
        """
        return {
            generation: measured.size if limits_memory else measured.taken
            for generation, measured in self._measurements.items()
        }

    def estimated_size(self, generation: int) -> DeviceBytes:
        """Return what a launch takes by the estimate alone; empty if that is unknown (yet)."""
        return {} if self._estimates is None else self._estimates.of(generation)

    def measured_size(self, generation: int) -> DeviceBytes:
        """Return the most that a launch took; empty until it is measured."""
        measured = self._measurements.get(generation)
        return {} if measured is None else measured.taken

    async def _record_known_size(self, accounts: MemoryAccounts, run: EngineRun) -> None:
        """Record for the swap hint what a launch within the budget takes: fewer slots, a smaller prompt cache.

        Not with an unknown budget: whether models fit together is unknown, then.
        """
        size = await accounts.size_of(run.spec, run.launch.context)
        if size.keys() <= accounts.budget.keys():
            self._known_sizes.record(run.spec.model_name, size)

    async def _measure_prompts(self, run: EngineRun) -> None:
        """Report the time to process the prompts in its cache again. A computing engine may respond slowly."""
        if not self._scheduler.placement.limits_memory:
            return
        prompt_s = await run.prompt_cost_s()
        if prompt_s is not None:
            self._dispatch(Measured(run.launch.generation, prompt_s=prompt_s))

    def _warn_once(self, what: str, error: Exception) -> None:
        """Log a warning, once for each cause: it may occur with every request."""
        text = f"{what}: {type(error).__name__}: {error}"
        if text not in self._warned:
            self._warned.add(text)
            logger.warning("%s", text)


async def _repeated(poll: Callable[[], Awaitable[None]], interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        try:
            await poll()
        except Exception:
            logger.exception("the memory of the engines could not be read")


async def _record_out_of_memory(accounts: MemoryAccounts, run: EngineRun, size: DeviceBytes) -> None:
    try:
        await accounts.record_out_of_memory(launched_engine(run), size)
    except Exception:
        logger.exception("the size of '%s' could not be recorded", run.spec.model_name)

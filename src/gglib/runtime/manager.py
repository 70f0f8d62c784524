"""Connects requests to the scheduler: waits for its decisions and executes its effects.

Everything runs in the event loop's thread. Nothing is awaited between an event and its last effect, so the states of
the scheduler and of the manager never diverge.

A *ticket* identifies a request to the scheduler, a *generation* identifies a launch.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import TracebackType
from typing import Self
from weakref import WeakSet

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.context import ContextRequest
from gglib.core.defaults import DRAIN_S, MODEL_WAIT_S, SWAP_WAIT_S
from gglib.core.errors import (
    EngineDiedError,
    EngineUnreachableError,
    GglibError,
    ModelOutOfMemoryError,
    ModelStoppedError,
    ModelTooLargeError,
    ShuttingDownError,
    UpstreamError,
    UpstreamStalledError,
)
from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.names import not_found
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort, RuntimeStatus, SwapStatus
from gglib.core.priority import Priority
from gglib.core.runtime.slots import SlotCopy
from gglib.runtime.device_readings import DeviceReadings
from gglib.runtime.dispatch import Dispatcher
from gglib.runtime.events import Subscription
from gglib.runtime.launcher import EngineRun, Launcher, RunEvent, load_time_s
from gglib.runtime.lease import Lease
from gglib.runtime.memory import MemoryAccounts
from gglib.runtime.memory_watch import MemoryWatch
from gglib.runtime.model_watch import ModelWatch
from gglib.runtime.remote_models import RemoteModels
from gglib.runtime.resizing import read_launch_sizes
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Exited,
    Grant,
    Launch,
    LoadFailed,
    MadeWay,
    Reconfigured,
    Refuse,
    Requested,
    RequestEnded,
    RequestStalled,
    SizesByLaunch,
    Stop,
    StopRequested,
    WaitTimedOut,
)
from gglib.runtime.scheduler.kept_events import PromptsRestored, PromptsSaved
from gglib.runtime.scheduler.load_times import LoadTimes
from gglib.runtime.scheduler.saving import SaveLimits, save_limits
from gglib.runtime.scheduler.scheduler import DEFAULT_QUEUE_LIMIT, Scheduler
from gglib.runtime.scheduler.state import Resident, ResidentState
from gglib.runtime.scheduler.swap_hint import KnownSizes, SwapHint
from gglib.runtime.status import StatusReader

logger = logging.getLogger("gglib.runtime")

_INTERACTIVE = Priority.INTERACTIVE
"""A module constant because an enum member lookup takes as long as a call (CPython 3.11)."""
EXIT_REASON_WAIT_S = 0.3
"""How long a disconnected request waits for the exit reason: the kernel closes a dying engine's connections some
milliseconds before it reports the exit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """Limits of resident models, waits and drains. Times in seconds. ``LaunchConfig`` configures the launches."""

    capacity: int = 1
    """How many models may be resident at once."""
    limits_memory: bool = False
    """Whether the residents' memory is limited to the budget of the ``MemoryAccounts``, too."""
    swap_wait_s: float = SWAP_WAIT_S
    """How long a request for another model waits before the running model takes no new requests and drains."""
    queue_limit: int = DEFAULT_QUEUE_LIMIT
    """How many requests may wait; beyond this they fail with ``QueueFullError``."""
    model_wait_s: float = MODEL_WAIT_S
    """Maximum wait of a request for its model, in the queue and during the load."""
    drain_s: float = DRAIN_S
    """How long ``stop_current`` and ``drain`` wait for requests in flight."""
    watch_interval_s: float = 1.0
    """Interval for comparing loaded models with the catalogue and their files; 0: never."""
    on_engine_exit: Callable[[], None] | None = None
    """Called after an engine has exited and its model files are unlocked. It must not block or raise."""


class EngineManager(ModelRuntimePort):
    """Runs engines, one for each resident model. An async context manager that stops all engines on exit.

    ``catalog`` resolves model names, ``launcher`` starts engines (``LocalLauncher``), ``memory`` knows the sizes of
    models and the limits of the machine (None: memory is neither limited nor measured). ``docs/promises.md`` has the
    guarantees for each request. Use it only from the event loop that entered the block.
    """

    def __init__(
        self,
        catalog: ModelCatalogPort,
        launcher: Launcher,
        config: RuntimeConfig,
        memory: MemoryAccounts | None = None,
    ) -> None:
        self._catalog = catalog
        self._config = config
        self._launcher = launcher
        self._memory = memory
        self._scheduler = Scheduler(
            capacity=config.capacity,
            budget=self._budget(config),
            swap_wait_s=config.swap_wait_s,
            queue_limit=config.queue_limit,
        )
        self._tickets = itertools.count(1)
        self._futures: dict[int, asyncio.Future[RunningTarget]] = {}
        self._granted: dict[int, EngineRun] = {}
        self._runs: dict[int, EngineRun] = {}
        self._died_with_one_request: WeakSet[EngineRun] = WeakSet()
        self._unused_restores: dict[str, tuple[EngineRun, float]] = {}
        """By model: the run with restored prompts that no response has followed yet, and when, in Unix seconds."""
        self._used: set[int] = set()
        self._is_configured = asyncio.Event()
        """Not set while ``reconfigure`` reads sizes: those of new requests would be of another configuration."""
        self._is_configured.set()
        self._configuration = 0
        """Counts the calls of ``reconfigure``."""
        self._is_closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._load_times = LoadTimes()
        known_sizes = KnownSizes(lambda: {} if memory is None else memory.budget)
        self._swap_hint = SwapHint(known_sizes.fit_together, is_enabled=config.capacity == 1)
        self._dispatcher = Dispatcher(
            self._scheduler, self._execute, self._load_times.expected_s, self._now, self._swap_hint
        )
        self._remotes = RemoteModels(self._now)
        self._model_watch = ModelWatch(
            catalog, self._scheduler, self._runs, self._dispatcher.dispatch, on_models=self._remotes.keep
        )
        self._memory_watch = MemoryWatch(
            memory, self._scheduler, self._runs, self._dispatcher.dispatch, known_sizes
        )
        self._status_reader = StatusReader(
            self._scheduler,
            self._runs,
            self._load_times,
            self._dispatcher.swap_history,
            self._swap_hint,
            self._memory_watch,
            launcher.kept_totals,
        )
        self._device_readings = DeviceReadings(None if memory is None else memory.devices)
        self._watch_tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._launcher.prepare()
        if self._config.watch_interval_s:
            interval_s = self._config.watch_interval_s
            self._watch_tasks = [
                asyncio.create_task(self._model_watch.run(interval_s), name="model-watch"),
                asyncio.create_task(self._memory_watch.run(interval_s), name="memory-watch"),
            ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def drain(self) -> None:
        """Refuse waiting and new requests; return after those in flight, or after ``drain_s``."""
        self._refuse_requests()
        await asyncio.gather(
            self._dispatcher.wait_until_idle(self._config.drain_s),
            self._remotes.wait_until_idle(self._config.drain_s),
        )

    async def reconfigure(self, config: RuntimeConfig) -> None:
        """Replace the limits of models, memory, waits and drains; idle models beyond them are unloaded.

        The budget, and the sizes of running models and waiting requests, are read from the ``MemoryAccounts`` again:
        until then the former limits apply, and requests that need a size wait. Call this in the same step of the loop
        that changes the accounts. ``watch_interval_s`` and ``on_engine_exit`` keep their values.
        """
        self._is_configured.clear()
        self._configuration += 1
        try:
            sizes: SizesByLaunch = {}
            if config.limits_memory:
                await self._memory_watch.refresh_limits(is_budget_new=True)
                sizes = await read_launch_sizes(self._memory_watch.size_in_budget, self._scheduler)
            self._config = replace(
                config,
                watch_interval_s=self._config.watch_interval_s,
                on_engine_exit=self._config.on_engine_exit,
            )
            self._swap_hint.enable(is_enabled=config.capacity == 1)
            self._dispatcher.dispatch(
                Reconfigured(
                    config.capacity,
                    self._budget(config),
                    config.swap_wait_s,
                    config.queue_limit,
                    sizes,
                    self._memory_watch.measured_sizes(limits_memory=config.limits_memory),
                )
            )
        finally:
            self._is_configured.set()

    def _budget(self, config: RuntimeConfig) -> DeviceBytes | None:
        return self._memory.budget if self._memory is not None and config.limits_memory else None

    async def replace_changed(self) -> tuple[str, ...]:
        """Compare the loaded models with the catalogue now instead of at the next poll.

        Launches whose file or launch options changed take no new requests and stop after those in flight. Returns the
        names of their models. Errors of the catalogue propagate.
        """
        return await self._model_watch.poll()

    @property
    def in_flight(self) -> int:
        """Number of requests in flight."""
        return self._dispatcher.in_flight + self._remotes.in_flight

    def take_used_model_ids(self) -> set[int]:
        """Return the ids of models used since the last call, including those in use."""
        used, self._used = self._used, set()
        return (
            used
            | self._remotes.used_model_ids()
            | {r.spec.model_id for r in self._scheduler.residents if r.holders}
        )

    async def close(self) -> None:
        """Refuse waiting and new requests, and stop every engine at once."""
        self._refuse_requests()
        for task in self._watch_tasks:
            task.cancel()
        await self._stop_all(drain_s=0, is_shutdown=True)
        if self._watch_tasks:
            await asyncio.wait(self._watch_tasks)
        self._device_readings.close()
        self._dispatcher.close()

    # --- the port ---

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return a target that runs the model. Without a lease (``admit``), the model may be evicted at once."""
        lease = self.admit(model_name, num_ctx, default_ctx)
        target = await self.acquire(lease)
        if target.is_remote:
            self._remotes.release(lease.ticket, was_used=False)
        else:
            self.release(lease.ticket)
        return target

    async def current_model(self) -> RunningTarget | None:
        """Return the most recently used ready model, or None."""
        return self._status_reader.current()

    async def loaded_target(self, model_name: str) -> RunningTarget | None:
        """Return the target of a ready model, or None. It is not leased."""
        return self._status_reader.ready_target(model_name)

    async def stop_current(self) -> None:
        """Stop all residents: idle ones now, busy ones after their requests or after ``drain_s``."""
        await self._stop_all(drain_s=self._config.drain_s)

    def admit(  # noqa: PLR0913 - the parameters of a request
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,
        request_id: str = "",
        spec: ModelLaunchSpec | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> Lease:
        """Lease the target to one request until the block ends."""
        return Lease(self, model_name, num_ctx, default_ctx, wait_s, request_id, spec, priority)

    async def unload(self, model_name: str) -> bool:
        """Stop one model: now if it is idle, else after its requests or after ``drain_s``."""
        runs = [run for run in self._runs.values() if run.launch.spec.model_name == model_name]
        for model_id in {run.launch.spec.model_id for run in runs}:
            self._dispatcher.dispatch(StopRequested(self._now() + self._config.drain_s, model_id))
        await asyncio.gather(*(run.wait() for run in runs))
        return bool(runs)

    async def apply_pins(self) -> None:
        """Apply the pins of the catalogue now, not at the next poll."""
        await self._model_watch.apply_pins()

    async def copy_slot(self, target: RunningTarget, copy: SlotCopy) -> bool:
        """Copy the prompt in one slot of an engine to another one, if that saves time."""
        run = next((run for run in self._runs.values() if run.target is target), None)
        return run is not None and await run.copy_slot(copy)

    def is_blocking_swap(self, target: RunningTarget) -> bool:
        """Whether ``target`` drains while other requests wait."""
        return self._status_reader.is_blocking_swap(target)

    async def status(self) -> RuntimeStatus:
        """Return resident models, waiting requests, failed loads, and counts since the start."""
        return replace(self._status_reader.status(self._now()), remotes=self._remotes.status())

    def swap_of(self, request_id: str) -> SwapStatus | None:
        """Return the finished swap that a request caused, if it is one of the last."""
        return self._dispatcher.swap_history.of_request(request_id)

    def note_cached(self, model_name: str, cached_tokens: int, ended_at_s: float) -> None:
        """Note whether the first response after prompts were restored has reused a part of one."""
        restored = self._unused_restores.get(model_name)
        if restored is not None and ended_at_s > restored[1]:
            del self._unused_restores[model_name]
            restored[0].note_reuse(is_reused=cached_tokens > 0)

    def swaps(self, limit: int) -> tuple[SwapStatus, ...]:
        """Return the last finished swaps, newest first, at most ``limit``."""
        return self._dispatcher.swap_history.newest(limit, self._now())

    async def devices(self) -> Mapping[str, DeviceMemory]:
        """Return the memory of each device of the machine, as it was some seconds ago at most."""
        return await self._device_readings.newest()

    def subscribe(self) -> Subscription:
        """Return a subscription to the events. It starts with its ``with`` block."""
        return self._dispatcher.event_hub.subscribe()

    # --- one request ---

    async def acquire(self, lease: Lease) -> RunningTarget:
        """Wait for a target and set ``lease.ticket``, for ``release``."""
        spec = lease.spec or await self._catalog.resolve_for_launch(lease.model_name)
        if spec is None:
            raise not_found(lease.model_name, await self._catalog.list_models())
        if spec.backend is not None:
            if isinstance(spec.backend, UrlBackend):
                return self._acquire_remote(lease, spec)
            lease.num_ctx = lease.num_ctx if _takes_context(spec) else None
        needed, at_launch = _context(
            lease.num_ctx, spec.settings.context, lease.default_ctx, spec.trained_context
        )
        ticket = lease.ticket = next(self._tickets)
        if lease.priority is _INTERACTIVE:
            target = self._try_acquire(ticket, spec, needed)
            if target is not None:
                return target
        if not self._is_ready_or_loading(spec, needed):
            spec = replace(await self._launcher.check(spec), keep_alive_s=spec.keep_alive_s)
            needed, at_launch = _context(
                lease.num_ctx, spec.settings.context, lease.default_ctx, spec.trained_context
            )
            await self._memory_watch.refresh_limits()
        wait_s = lease.wait_s
        waits = wait_s is None or wait_s > 0
        request = Requested(ticket, spec, needed, at_launch, lease.request_id, waits, lease.priority)
        if not self._scheduler.grants_at_once(request, self._now()):
            request = replace(request, size=await self._launch_size(spec, at_launch))
        try:
            return await self._acquire_queued(request, wait_s)
        except ModelTooLargeError as error:
            advice = await self._memory_watch.advice(spec, at_launch)
            raise ModelTooLargeError(spec.model_name, error.needed, error.budget, advice) from None

    def _acquire_remote(self, lease: Lease, spec: ModelLaunchSpec) -> RunningTarget:
        if self._is_closing:
            raise ShuttingDownError
        needed, _ = _context(lease.num_ctx, spec.settings.context, lease.default_ctx, spec.trained_context)
        ticket = next(self._tickets)
        target = self._remotes.acquire(ticket, spec, needed)
        lease.ticket = ticket
        self._used.add(spec.model_id)
        return target

    async def _launch_size(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch takes under the configuration that applies when this returns."""
        while True:
            await self._is_configured.wait()
            configuration = self._configuration
            size = await self._memory_watch.size_of(spec, context)
            if configuration == self._configuration:
                return size

    def release(self, ticket: int) -> None:
        """End the lease of a request, or its wait."""
        if self._remotes.leases and self._remotes.release(ticket):
            return
        self._granted.pop(ticket, None)
        future = self._futures.pop(ticket, None)
        if future is None:  # granted without a wait
            if (
                not self._is_closing  # while closing, ``drain`` waits for the event
                and not self._dispatcher.is_dispatching
                and self._scheduler.try_release(ticket, self._now())
            ):
                return
        elif future.done():
            future.exception()  # retrieved here: it may have been set while the caller was being cancelled
        self._dispatcher.dispatch(RequestEnded(ticket))

    async def abort(self, ticket: int, error: BaseException | None) -> None:
        """End the lease after an error. Raises a more specific error if the engine's exit explains this one."""
        if self._remotes.leases and self._remotes.release(ticket, error):
            return
        try:
            if isinstance(error, UpstreamStalledError):
                self._dispatcher.dispatch(RequestStalled(ticket))
            elif isinstance(error, UpstreamError) and not isinstance(error, EngineUnreachableError):
                # An unreachable engine received nothing, so the caller may retry.
                raise await self._explain_disconnect(error, self._granted[ticket]) from error
        finally:
            self.release(ticket)

    def _try_acquire(self, ticket: int, spec: ModelLaunchSpec, needed_ctx: int) -> RunningTarget | None:
        if self._is_closing or self._dispatcher.is_dispatching:
            return None
        generation = self._scheduler.try_grant(ticket, spec, needed_ctx, self._now())
        if generation is None:
            return None
        self._used.add(spec.model_id)
        run = self._granted[ticket] = self._runs[generation]
        return run.target

    async def _acquire_queued(self, request: Requested, wait_s: float | None) -> RunningTarget:
        ticket = request.ticket
        if self._is_closing:
            raise ShuttingDownError
        future: asyncio.Future[RunningTarget] = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        try:
            self._dispatcher.dispatch(request)
            if not future.done():
                self._hurry_saves(request)
                await self._wait_for(future, request, wait_s)
            return future.result()
        except BaseException:
            self.release(ticket)
            raise

    def _hurry_saves(self, request: Requested) -> None:
        """End saves that nothing waited for. A request for the same model goes on with what is saved.

        One whose model is in memory, or loads beside the saves, does not wait for them.
        """
        if self._is_ready_or_loading(request.spec, request.needed_ctx):
            return
        for run in self._runs.values():
            if run.spec.model_id != request.spec.model_id:
                run.hurry()

    def _hurry_those_that_made_way(self, stopping: int | None = None) -> None:
        """End saves beside a load, but not those of a model that another launch is ``stopping`` for."""
        stopped = None if stopping is None else self._resident(stopping)
        wanted = None if stopped is None else stopped.evicted_for
        for resident in self._scheduler.residents:
            run = self._runs.get(resident.generation)
            if resident.has_made_way and run is not None and resident.spec.model_id != wanted:
                run.hurry()

    def _is_ready_or_loading(self, spec: ModelLaunchSpec, needed_ctx: int) -> bool:
        """Whether a ready or loading model serves the request, so that no model is evicted for it."""
        return any(
            resident.state in {ResidentState.LOADING, ResidentState.READY}
            and resident.serves(spec, needed_ctx)
            for resident in self._scheduler.residents
        )

    async def _wait_for(
        self, future: asyncio.Future[RunningTarget], request: Requested, wait_s: float | None
    ) -> None:
        limit_s = self._config.model_wait_s if wait_s is None else min(wait_s, self._config.model_wait_s)
        if request.waits:
            await asyncio.wait([future], timeout=limit_s)
        if not future.done():
            name = request.spec.model_name
            logger.info(
                "request %s stopped waiting for '%s' after %.1f s", request.request_id or "-", name, limit_s
            )
            self._dispatcher.dispatch(WaitTimedOut(request.ticket))
            raise self._status_reader.timeout_error(request, self._now())

    async def _explain_disconnect(self, error: UpstreamError, run: EngineRun) -> GglibError:
        """Return why the engine closed the connection, if known within ``EXIT_REASON_WAIT_S``; else ``error``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_REASON_WAIT_S):
                await run.unavailable.wait()
        name = run.launch.spec.model_name
        if (ended := run.unexpected_exit) is not None:
            was_only_request = run in self._died_with_one_request
            return EngineDiedError(name, ended.reason, ended.last_lines, was_only_request=was_only_request)
        if run.unavailable.is_set():
            return ShuttingDownError() if self._is_closing else ModelStoppedError(name, was_loading=False)
        return error

    # --- effects ---

    def _execute(self, effect: Grant | Launch | Refuse | Stop) -> None:
        match effect:
            case Grant(ticket, generation):
                self._grant(ticket, generation)
            case Refuse(ticket, error):
                self._refuse(ticket, error)
            case Launch():
                self._launch(effect)
            case Stop(generation):
                self._hurry_those_that_made_way(generation)  # the next load may wait for their exit, too
                make_way = partial(self._make_way, generation)
                self._runs[generation].stop(self._save_limits(effect), make_way)

    def _save_limits(self, effect: Stop) -> SaveLimits | None:
        """Return the limits of the saves before a stop; None without saves."""
        resident = self._resident(effect.generation)
        if resident is None:
            return None
        waiters = (*self._scheduler.waiters, *self._scheduler.pending_loads)
        return save_limits(resident, effect.eviction, waiters, self._load_times.expected_s)

    async def _make_way(self, generation: int) -> bool:
        """Let the load that a stopping launch is to make room for begin beside it, if there is memory for both."""
        scheduler = self._scheduler
        wanted = self._load_after(generation)
        if wanted is None or not await self._memory_watch.fits_beside_all(*wanted):
            return False
        if self._load_after(generation) != wanted:
            return False  # meanwhile another context is needed, or nothing any more
        self._dispatcher.dispatch(MadeWay(generation))
        return any(
            r.spec.model_id == wanted[0].model_id and r.state is ResidentState.LOADING
            for r in scheduler.residents
        )

    def _load_after(self, generation: int) -> tuple[ModelLaunchSpec, int] | None:
        """Return the spec and the context of the load that waits for a stop; None without one."""
        scheduler = self._scheduler
        resident = self._resident(generation)
        model_id = None if resident is None else resident.evicted_for
        waiters = [w for w in (*scheduler.pending_loads, *scheduler.waiters) if w.spec.model_id == model_id]
        if not waiters or self._is_closing:
            return None
        newest = max(waiters, key=lambda waiter: waiter.ticket)
        return newest.spec, max(waiter.launch_ctx for waiter in waiters)

    def _grant(self, ticket: int, generation: int) -> None:
        run = self._runs[generation]
        target = run.target
        future = self._futures.get(ticket)
        if future is not None and not future.done() and target is not None:
            self._granted[ticket] = run
            self._used.add(run.launch.spec.model_id)
            future.set_result(target)

    def _refuse(self, ticket: int, error: GglibError) -> None:
        future = self._futures.get(ticket)
        if future is not None and not future.done():
            future.set_exception(error)

    # --- launches ---

    def _launch(self, launch: Launch) -> None:
        run = self._launcher.start(launch, on_event=self._on_run_event, on_exit=self._on_exit)
        self._runs[launch.generation] = run
        if self._is_closing:
            run.stop()

    def _on_run_event(self, event: RunEvent) -> None:
        match event:
            case PromptsSaved() | PromptsRestored():
                if isinstance(event, PromptsRestored):
                    run = self._runs[event.generation]
                    self._unused_restores[run.spec.model_name] = run, time.time()
                self._dispatcher.report_kept(event)
                return
            case BecameReady(generation):
                run = self._runs[generation]
                self._record_load(run)
                event = replace(event, slots=run.slots)
            case LoadFailed(generation):
                self._memory_watch.record_failure(event, self._size_of(generation))
                if isinstance(event.error, ModelOutOfMemoryError):
                    self._hurry_those_that_made_way()  # it is repeated once they have exited
            case Died(generation):
                self._record_death(self._runs[generation])
        self._dispatcher.dispatch(event)

    def _size_of(self, generation: int) -> DeviceBytes:
        resident = self._resident(generation)
        return {} if resident is None else resident.size

    def _resident(self, generation: int) -> Resident | None:
        return next((r for r in self._scheduler.residents if r.generation == generation), None)

    def _record_load(self, run: EngineRun) -> None:
        if (seconds := load_time_s(run)) is not None:
            self._load_times.record(run.launch.spec.model_id, seconds)

    def _record_death(self, run: EngineRun) -> None:
        """Record whether a single request was in flight: it may have crashed the engine."""
        in_flight = sum(
            len(r.holders) for r in self._scheduler.residents if r.generation == run.launch.generation
        )
        if in_flight == 1 and run.unexpected_exit is not None and not run.unexpected_exit.has_changed_file:
            self._died_with_one_request.add(run)

    def _on_exit(self, run: EngineRun) -> None:
        del self._runs[run.launch.generation]
        restored = self._unused_restores.get(run.spec.model_name)
        if restored is not None and restored[0] is run:
            del self._unused_restores[run.spec.model_name]
        self._dispatcher.dispatch(Exited(run.launch.generation))
        if self._config.on_engine_exit is not None:
            self._config.on_engine_exit()

    def _refuse_requests(self) -> None:
        self._is_closing = True
        for future in self._futures.values():
            if not future.done():
                future.set_exception(ShuttingDownError())

    async def _stop_all(self, *, drain_s: float, is_shutdown: bool = False) -> None:
        """Stop all current runs and wait for them; while closing, also for runs started meanwhile."""
        self._dispatcher.dispatch(StopRequested(self._now() + drain_s, is_shutdown=is_shutdown))
        runs = list(self._runs.values())
        for run in runs if is_shutdown else ():
            run.hurry(is_shutdown=True)
        while runs:
            await asyncio.gather(*(run.wait() for run in runs))
            runs = list(self._runs.values()) if self._is_closing else []

    def _now(self) -> float:
        loop = self._loop
        if loop is None:  # cached: CPython 3.11 makes a system call each time
            loop = self._loop = asyncio.get_running_loop()
        return loop.time()


def _takes_context(spec: ModelLaunchSpec) -> bool:
    """Whether a launch depends on the context: a command without it has the same one for all requests."""
    return not isinstance(spec.backend, CommandBackend) or spec.backend.takes_context


@lru_cache(maxsize=256)
def _context(
    requested: int | None, model_setting: int | None, default: int, trained: int | None
) -> tuple[int, int]:
    """Return the context that a request needs, and the context to launch with."""
    request = ContextRequest(
        requested=requested, model_setting=model_setting, default=default, trained=trained
    )
    return request.needed, request.at_launch

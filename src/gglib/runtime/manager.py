"""The shell around the scheduler: it keeps the tickets and carries out the effects.

All of it happens in the loop's thread. Between an event and the last of its effects nothing is awaited, so that
the scheduler's picture and ours never part.
"""

import asyncio
import itertools
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from gglib.core.context import ContextWish, is_enough
from gglib.core.defaults import DRAIN_S, HEARTBEAT_S, MODEL_WAIT_S, SWAP_WAIT_S
from gglib.core.errors import (
    EngineDiedError,
    GglibError,
    ModelLoadingError,
    ModelStoppedError,
    ShuttingDownError,
    UnreachableError,
    UpstreamError,
    UpstreamStalledError,
)
from gglib.core.load_progress import LoadProgress
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.names import not_found
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort, ResidentStatus, RuntimeStatus, WaitingStatus
from gglib.core.slots import DEFAULT_SLOTS
from gglib.runtime.engines.base import Engine, SlotsFor
from gglib.runtime.events import EventHub, EventReader, Subscription
from gglib.runtime.lease import Admission
from gglib.runtime.local.engine_run import EngineLife
from gglib.runtime.local.launch import LaunchConfig
from gglib.runtime.local.version_hold import holding
from gglib.runtime.local.workspace import sweep_leftovers
from gglib.runtime.model_files import is_overwritten
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    Forgotten,
    Grant,
    Launch,
    Left,
    Refuse,
    Requested,
    Spoiled,
    Stop,
    StopAsked,
    Superseded,
    Suspected,
    TimePassed,
    WaitEnded,
    WakeAt,
)
from gglib.runtime.scheduler.load_times import LoadTimes
from gglib.runtime.scheduler.scheduler import DEFAULT_QUEUE_LIMIT, Scheduler
from gglib.runtime.scheduler.state import Resident, ResidentState
from gglib.runtime.scheduler.swap_history import SwapJournal, reason_of, sentence
from gglib.runtime.shown_errors import shown_before_launch
from gglib.system import MemoryState

logger = logging.getLogger("gglib.runtime")

Preflight = Callable[[ModelLaunchSpec], Awaitable[ModelLaunchSpec]]
"""Checks a model before anything is evicted for it, and returns the spec with what its files say now. ``marks`` of the
spec are those of its files at that moment. Raises a ``GglibError`` for a model that cannot load."""

_OBITUARY_S = 0.3
"""The kernel closes a dying engine's connections some milliseconds before it tells of the death: who was cut off waits
so long to hear the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """How models are run. Times in seconds. Directories are made when they are needed."""

    run_dir: Path
    """For the sockets and keys of engines, for this user alone. What a crash left there is ended at the start."""
    log_dir: Path
    """For the log of each model's engine."""
    capacity: int = 1
    """How many models may be resident at once."""
    slots: int = DEFAULT_SLOTS
    """How many requests one model answers at a time, each with the whole context."""
    slots_for: SlotsFor | None = None
    """Decides for each launch how many slots there is memory for; None: as many as are wanted."""
    heartbeat_s: float = HEARTBEAT_S
    """How often an engine says in a stream without news that it lives; 0: never."""
    swap_wait_s: float = SWAP_WAIT_S
    """How long a request for another model may wait before the running one takes no new requests and drains."""
    queue_limit: int = DEFAULT_QUEUE_LIMIT
    """How many requests may wait for a model; beyond it ``QueueFullError``."""
    model_wait_s: float = MODEL_WAIT_S
    """How long a request waits for its model at most, in the queue and while it loads."""
    drain_s: float = DRAIN_S
    """How long ``stop_current`` and ``drain`` let requests in flight go on."""
    use_unix_socket: bool = True
    """Where the system has them; else, and with False, engines listen on a loopback port."""
    memory_state: Callable[[], MemoryState] | None = None
    """Reads what the system says of memory: whether an engine was killed for want of it."""
    watch_s: float = 1.0
    """How often the models in memory are compared with the catalogue and with their files; 0: never."""
    on_engine_exit: Callable[[], None] | None = None
    """Called when nothing of a launch is left, and its version is not held any more. It must not block or raise."""


class EngineManager(ModelRuntimePort):
    """Runs llama.cpp servers, one for each resident model. An async context manager: leaving it stops them all.

    ``catalog`` says what a name means and what to load, ``engine`` (``find_engine``) how; ``preflight`` checks a
    model before another one is evicted for it, and returns its spec with what its files say now. ``docs/promises.md``
    has what holds for every request. One event loop, the one that entered the block, uses it.
    """

    def __init__(
        self,
        catalog: ModelCatalogPort,
        engine: Engine,
        config: RuntimeConfig,
        *,
        preflight: Preflight | None = None,
    ) -> None:
        self._catalog = catalog
        self._config = config
        self._engine = engine
        self._preflight = preflight
        self._watch: asyncio.Task[None] | None = None
        self._launch_config = LaunchConfig(
            engine=engine,
            engines_dir=config.run_dir.absolute() / "engines",
            log_dir=config.log_dir,
            slots=config.slots,
            slots_for=config.slots_for,
            heartbeat_s=config.heartbeat_s,
            use_unix_socket=config.use_unix_socket,
            memory_state=config.memory_state,
            resolve=catalog.resolve_for_launch,
        )
        self._scheduler = Scheduler(
            capacity=config.capacity, max_wait_s=config.swap_wait_s, queue_limit=config.queue_limit
        )
        self._tickets = itertools.count(1)
        self._journal = SwapJournal()
        self._event_hub = EventHub()
        self._answers: dict[int, asyncio.Future[RunningTarget]] = {}
        self._granted: dict[int, EngineLife] = {}
        self._lives: dict[int, EngineLife] = {}
        self._events: deque[Event] = deque()
        self._is_dispatching = False
        self._is_closing = False
        self._is_unused = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._load_times = LoadTimes()
        self._event_reader = EventReader(self._load_times.expected_s)
        self._used: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        ended = await asyncio.to_thread(sweep_leftovers, self._launch_config.engines_dir)
        if ended:
            logger.warning("ended %d engine process(es) that an earlier gglib left behind", len(ended))
        if self._config.watch_s:
            self._watch = asyncio.create_task(self._watch_models(), name="model-watch")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def drain(self) -> None:
        """Refuse whoever waits, let nobody in, and return when nobody is being answered, or after ``drain_s``."""
        self._let_nobody_in()
        if self.in_flight:
            self._is_unused.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.drain_s):
                    await self._is_unused.wait()

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return sum(len(resident.holders) for resident in self._scheduler.residents)

    def take_used(self) -> set[int]:
        """Return the ids of the models that answered since this was last asked, or answer now."""
        used, self._used = self._used, set()
        return used | {r.spec.model_id for r in self._scheduler.residents if r.holders}

    async def close(self) -> None:
        """Refuse whoever waits, let nobody in, and stop every engine at once."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._let_nobody_in()
        await self._stop_all(drain_s=0)
        if self._alarm is not None:
            self._alarm.cancel()

    # --- the port ---

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return a target that runs the model. Nothing holds it: it may be evicted at once; see ``admit``."""
        async with self.admit(model_name, num_ctx, default_ctx) as target:
            return target

    async def current_model(self) -> RunningTarget | None:
        """Return the ready model that was used last, or None."""
        ready = [r for r in self._scheduler.residents if r.state is ResidentState.READY]
        latest = max(ready, key=lambda r: (bool(r.holders), r.last_used), default=None)
        return self._lives[latest.generation].target if latest is not None else None

    async def stop_current(self) -> None:
        """Stop every resident: idle ones now, busy ones when their requests end or the drain limit is over."""
        await self._stop_all(drain_s=self._config.drain_s)

    def admit(  # noqa: PLR0913 - what a request says of what it needs
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,
        request_id: str = "",
        spec: ModelLaunchSpec | None = None,
    ) -> Admission:
        """Return the target, held for one request until the block ends, however it ends."""
        return Admission(self, model_name, num_ctx, default_ctx, wait_s, request_id, spec)

    def is_wanted(self, target: RunningTarget) -> bool:
        """Whether ``target`` takes no new requests any more, and others wait for the end of those that it has."""
        return bool(self._scheduler.waiters) and any(
            resident.state is ResidentState.DRAINING and self._lives[resident.generation].target == target
            for resident in self._scheduler.residents
        )

    async def status(self) -> RuntimeStatus:
        """Return what is resident, who waits, whose last load failed, and what happened since the start."""
        now = self._now()
        waiting: dict[str, list[float]] = {}
        for waiter in self._scheduler.waiters:
            waiting.setdefault(waiter.spec.model_name, []).append(now - waiter.since)
        return RuntimeStatus(
            residents=tuple(self._resident_status(resident, now) for resident in self._scheduler.residents),
            waiting=tuple(
                WaitingStatus(model_name=name, waiting=len(waits), longest_wait_s=max(waits))
                for name, waits in waiting.items()
            ),
            failed=tuple((f.spec.model_name, reason_of(f.error)) for f in self._scheduler.failures),
            last_swap=self._journal.last(now),
            swaps=self._journal.swap_counts,
            loads=self._journal.load_counts,
        )

    def subscribe(self) -> Subscription:
        """Return what happens from now on, for a ``with`` block."""
        return self._event_hub.subscribe()

    # --- one request ---

    async def take_in(self, admission: Admission) -> RunningTarget:
        """Wait for a target, and put the ticket that holds it into ``admission``, for ``let_go``."""
        spec = admission.spec or await self._catalog.resolve_for_launch(admission.model_name)
        if spec is None:
            raise not_found(admission.model_name, await self._catalog.list_models())
        needed, at_launch = _context(
            admission.num_ctx, spec.settings.context, admission.default_ctx, spec.trained_context
        )
        ticket = admission.ticket = next(self._tickets)
        target = self._take_in_at_once(ticket, spec, needed)
        if target is not None:
            return target
        if not self._is_there_or_coming(spec, needed):
            spec = await self._check(spec)
            needed, at_launch = _context(
                admission.num_ctx, spec.settings.context, admission.default_ctx, spec.trained_context
            )
        wait_s = admission.wait_s
        waits = wait_s is None or wait_s > 0
        request = Requested(ticket, spec, needed, at_launch, admission.request_id, waits)
        return await self._take_in_turn(request, wait_s)

    def let_go(self, ticket: int) -> None:
        """End a hold, or a wait."""
        self._granted.pop(ticket, None)
        answer = self._answers.pop(ticket, None)
        if answer is None:  # it has not waited
            if self._is_calm and self._scheduler.release_at_once(ticket, self._now()):
                return
        elif answer.done():
            answer.exception()  # it may have come while the caller was being cancelled: nobody else reads it
        self._tell(Left(ticket))

    async def break_off(self, ticket: int, error: BaseException | None) -> None:
        """End a hold with what went wrong; raises what explains it better, where something does."""
        try:
            if isinstance(error, UpstreamStalledError):
                self._tell(Suspected(ticket))
            elif isinstance(error, UpstreamError) and not isinstance(error, UnreachableError):
                # Of the unreachable nothing was sent: whoever sent it may try again.
                raise await self._explained(error, self._granted[ticket]) from error
        finally:
            self.let_go(ticket)

    @property
    def _is_calm(self) -> bool:
        """Whether nobody but the scheduler has to hear of an event without effects."""
        return not self._is_closing and not self._is_dispatching

    def _take_in_at_once(self, ticket: int, spec: ModelLaunchSpec, needed_ctx: int) -> RunningTarget | None:
        if not self._is_calm:
            return None
        generation = self._scheduler.grant_at_once(ticket, spec, needed_ctx, self._now())
        if generation is None:
            return None
        self._used.add(spec.model_id)
        life = self._granted[ticket] = self._lives[generation]
        return life.target

    async def _take_in_turn(self, request: Requested, wait_s: float | None) -> RunningTarget:
        ticket = request.ticket
        if self._is_closing:
            raise ShuttingDownError
        answer: asyncio.Future[RunningTarget] = asyncio.get_running_loop().create_future()
        self._answers[ticket] = answer
        try:
            self._tell(request)
            if not answer.done():
                await self._wait_for(answer, request, wait_s)
            return answer.result()
        except BaseException:
            self.let_go(ticket)
            raise

    def _is_there_or_coming(self, spec: ModelLaunchSpec, needed_ctx: int) -> bool:
        """Whether a model in memory, or one whose load is under way, serves such a request: it evicts nothing."""
        return any(
            resident.spec.model_id == spec.model_id
            and resident.has_version_of(spec)
            and resident.state in {ResidentState.LOADING, ResidentState.READY}
            and is_enough(running=resident.context, needed=needed_ctx)
            for resident in self._scheduler.residents
        )

    async def _check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Raise what can be known before a good model is evicted for this one; return what holds for its files now."""
        try:
            async with holding(spec, self._catalog.resolve_for_launch) as held:
                if held.settings.engine_args:
                    await asyncio.to_thread(self._engine.check_engine_args, held.settings.engine_args)
                return held if self._preflight is None else await self._preflight(held)
        except GglibError as error:
            shown = await asyncio.to_thread(shown_before_launch, error, spec, self._launch_config)
            if shown is error:
                raise
            raise shown from error

    async def _wait_for(
        self, answer: asyncio.Future[RunningTarget], request: Requested, wait_s: float | None
    ) -> None:
        limit_s = self._config.model_wait_s if wait_s is None else min(wait_s, self._config.model_wait_s)
        if request.waits:
            await asyncio.wait([answer], timeout=limit_s)
        if not answer.done():
            name = request.spec.model_name
            logger.info(
                "request %s stopped waiting for '%s' after %.1f s", request.request_id or "-", name, limit_s
            )
            self._tell(WaitEnded(request.ticket))
            raise ModelLoadingError(name, self._retry_after_s(request.spec), self._progress(request.spec))

    async def _explained(self, error: UpstreamError, life: EngineLife) -> GglibError:
        """Return why an engine broke off, where it is known or will be in a moment; else what was seen of it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_OBITUARY_S):
                await life.is_over.wait()
        name = life.launch.spec.model_name
        if life.death is not None:
            return EngineDiedError(name, life.death, life.last_lines, was_alone=life.is_lone_death)
        if life.is_over.is_set():
            return ShuttingDownError() if self._is_closing else ModelStoppedError(name, was_loading=False)
        return error

    def _retry_after_s(self, spec: ModelLaunchSpec) -> float:
        passed_s = self._loading_for_s(spec)
        return self._load_times.retry_after_s(spec, passed_s=0.0 if passed_s is None else passed_s)

    def _progress(self, spec: ModelLaunchSpec) -> LoadProgress:
        passed_s = self._loading_for_s(spec)
        return LoadProgress(passed_s=passed_s, expected_s=self._load_times.expected_s(spec))

    def _loading_for_s(self, spec: ModelLaunchSpec) -> float | None:
        """Return for how long a load of the model has gone on; None while none has begun."""
        starts = [
            self._lives[resident.generation].started_at
            for resident in self._scheduler.residents
            if resident.spec.model_id == spec.model_id and resident.state is ResidentState.LOADING
        ]
        return self._now() - min(starts) if starts else None

    # --- events and effects ---

    def _tell(self, event: Event) -> None:
        """Hand an event to the scheduler and carry out what it says; what happens meanwhile is handled in turn."""
        if self._is_dispatching:
            self._events.append(event)
            return
        self._is_dispatching = True
        try:
            self._handle(event)
            while self._events:
                self._handle(self._events.popleft())
        finally:
            self._is_dispatching = False
        if self._is_closing and not self.in_flight:
            self._is_unused.set()

    def _handle(self, event: Event) -> None:
        now = self._now()
        if isinstance(event, BecameReady):
            self._note_load(self._lives[event.generation])
        if isinstance(event, Died) and (life := self._lives.get(event.generation)) is not None:
            life.is_lone_death = self._held_by(event.generation) == 1 and not life.has_changed_file
        effects = self._scheduler.handle(event, now)
        swaps = self._journal.note(event, effects, now)
        for swap in swaps:
            logger.info("%s", sentence(swap))
        for effect in effects:
            self._carry_out(effect)
        for happened in self._event_reader.read(event, effects, swaps, now):
            self._event_hub.publish(happened)

    def _held_by(self, generation: int) -> int:
        """Return how many requests are in flight on a launch."""
        return sum(len(r.holders) for r in self._scheduler.residents if r.generation == generation)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Grant(ticket, generation):
                self._grant(ticket, generation)
            case Refuse(ticket, error):
                self._refuse(ticket, error)
            case Launch():
                self._launch(effect)
            case Stop(generation):
                self._lives[generation].stop()
            case WakeAt(when):
                if self._alarm is not None:
                    self._alarm.cancel()
                self._alarm = asyncio.get_running_loop().call_at(when, self._tell, TimePassed())

    def _grant(self, ticket: int, generation: int) -> None:
        life = self._lives[generation]
        target = life.target
        answer = self._answers.get(ticket)
        if answer is not None and not answer.done() and target is not None:
            self._granted[ticket] = life
            self._used.add(life.launch.spec.model_id)
            answer.set_result(target)

    def _refuse(self, ticket: int, error: GglibError) -> None:
        answer = self._answers.get(ticket)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    # --- launches ---

    def _launch(self, launch: Launch) -> None:
        name = f"{os.getpid()}-{launch.generation}"
        life = EngineLife(launch, name=name, config=self._launch_config, tell=self._tell)
        self._lives[launch.generation] = life
        life.begin(self._bury)
        if self._is_closing:
            life.stop()

    def _note_load(self, life: EngineLife) -> None:
        if life.load_time_s is not None:
            self._load_times.note(life.launch.spec.model_id, life.load_time_s)

    def _bury(self, life: EngineLife) -> None:
        del self._lives[life.launch.generation]
        self._tell(Exited(life.launch.generation))
        if self._config.on_engine_exit is not None:
            self._config.on_engine_exit()

    # --- what changes beside the requests ---

    async def _watch_models(self) -> None:
        """Notice, for as long as the manager runs, that a model was removed or updated, or its file overwritten."""
        logged = None
        while True:
            await asyncio.sleep(self._config.watch_s)
            try:
                await self._look_for_changes()
                logged = None
            except Exception as error:  # noqa: BLE001 - an embedder's catalogue may raise anything; looks go on
                if str(error) != logged:  # once, not at each look
                    logger.warning("the catalogue could not be compared with what is in memory: %s", error)
                    logged = str(error)

    async def _look_for_changes(self) -> None:
        scheduler = self._scheduler
        specs = [resident.spec for resident in scheduler.residents if not resident.is_on_its_way_out]
        specs += [waiter.spec for waiter in (*scheduler.waiters, *scheduler.pending_loads)]
        specs += [failure.spec for failure in scheduler.failures]
        wanted = {spec.model_id: spec for spec in specs}
        paths: dict[int, Path] = {}
        for model_id, spec in wanted.items():
            known = await self._catalog.resolve_for_launch(spec.model_name)
            if known is None or known.model_id != model_id:
                logger.info("'%s' was removed from the catalogue", spec.model_name)
                self._tell(Forgotten(model_id))
            else:
                paths[model_id] = known.path.absolute()
        staying = {resident.generation for resident in scheduler.residents if not resident.is_on_its_way_out}
        for life in list(self._lives.values()):
            is_running = life.ready_at is not None and not life.is_over.is_set()
            is_running = is_running and life.launch.generation in staying
            if is_running and paths.get(life.spec.model_id, life.spec.path) != life.spec.path:
                logger.info("'%s' was updated: its older version leaves memory", life.spec.model_name)
                self._tell(Superseded(life.launch.generation))
            elif is_running and await asyncio.to_thread(is_overwritten, life.spec):
                logger.warning("the file of '%s' changed while it was loaded", life.spec.model_name)
                self._tell(Spoiled(life.launch.generation))

    def _let_nobody_in(self) -> None:
        self._is_closing = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ShuttingDownError())

    async def _stop_all(self, *, drain_s: float) -> None:
        """Return when all that is there now is gone; while closing, also what comes up meanwhile."""
        self._tell(StopAsked(self._now() + drain_s))
        lives = list(self._lives.values())
        while lives:
            await asyncio.gather(*(life.wait() for life in lives))
            lives = list(self._lives.values()) if self._is_closing else []

    def _resident_status(self, resident: Resident, now: float) -> ResidentStatus:
        life = self._lives[resident.generation]
        is_loading = resident.state is ResidentState.LOADING
        return ResidentStatus(
            model_id=resident.spec.model_id,
            model_name=resident.spec.model_name,
            state=resident.state.value,
            effective_ctx=resident.context,
            in_flight=len(resident.holders),
            slots=life.slots,
            pid=life.pid,
            uptime_s=None if life.ready_at is None else now - life.ready_at,
            load_time_s=life.load_time_s,
            loading_for_s=now - life.started_at if is_loading else None,
            expected_load_s=self._load_times.expected_s(resident.spec) if is_loading else None,
            idle_ttl_s=resident.idle_ttl_s,
        )

    def _now(self) -> float:
        loop = self._loop
        if loop is None:  # asked once: CPython 3.11 makes a system call each time
            loop = self._loop = asyncio.get_running_loop()
        return loop.time()


@lru_cache(maxsize=256)
def _context(
    requested: int | None, model_setting: int | None, default: int, trained: int | None
) -> tuple[int, int]:
    """Return how much context a request needs, and with how much to launch for it."""
    wish = ContextWish(requested=requested, model_setting=model_setting, default=default, trained=trained)
    return wish.needed, wish.at_launch

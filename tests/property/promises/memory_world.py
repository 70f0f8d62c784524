"""A simulated machine with limited memory: clients, engines, other programs and a clock. Checks each effect.

``world`` checks the promises for a fixed number of models; this one checks what memory, pins and priorities add.
Assertion messages start with the number of the promise in ``docs/promises.md``. Nothing here is random.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gglib.core.errors import (
    InsufficientMemoryError,
    ModelLoadFailedError,
    ModelOutOfMemoryError,
    ModelsPinnedError,
    ModelTooLargeError,
)
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.core.priority import Priority
from gglib.runtime.scheduler.batch_limits import INTERACTIVE_WINDOW_S
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    Grant,
    Launch,
    LimitsChanged,
    LoadFailed,
    MadeWay,
    Measured,
    PinsChanged,
    Reconfigured,
    Refuse,
    Requested,
    RequestEnded,
    Stop,
    StopReason,
    Tick,
    WakeAt,
)
from gglib.runtime.scheduler.planning import MEMORY_WAIT_S
from gglib.runtime.scheduler.scheduler import DEFAULT_QUEUE_LIMIT, Scheduler
from gglib.runtime.scheduler.state import ResidentState

from .steps import HOLD_S, LOAD_S, STOP_S, take_one_step

SWAP_WAIT_S = 15.0
IDLE_TTL_S = 40.0
SLOTS = 2
CONTEXT, LARGE_CONTEXT = 2048, 8192
BUDGET = {"ram": 100, "gpu0": 60}
UNLIMITED = dict.fromkeys(BUDGET, 1_000_000)
SIZES = {
    1: {"ram": 10, "gpu0": 20},
    2: {"ram": 10, "gpu0": 30},
    3: {"ram": 5, "gpu0": 55},
    4: {"ram": 30},
    5: {"ram": 60},
    6: {"ram": 90},
    7: {"ram": 10, "gpu0": 61},
}
"""Sizes by model. Models 3 and 6 fit only without most others; model 7 never fits."""
TOO_LARGE = 7
_EVICTIONS = {StopReason.IDLE, StopReason.OVERDUE, StopReason.PRIORITY, StopReason.UNWANTED}
_JUST = 1e-6


def spec_of(model: int) -> ModelLaunchSpec:
    """Return a model's spec; model 4 has an idle time-to-live."""
    settings = ModelSettings(idle_ttl_s=IDLE_TTL_S if model == 4 else None)
    return ModelLaunchSpec(
        model_id=model, model_name=f"m{model}", path=Path(f"/m{model}.gguf"), settings=settings
    )


def size_of(model: int, context: int) -> dict[str, int]:
    """Return the size of a launch; a large context takes a tenth more."""
    factor = 11 if context > CONTEXT else 10
    return {device: taken * factor // 10 for device, taken in SIZES[model].items()}


@dataclass(slots=True)
class Process:
    """A launch whose process may exist."""

    launch: Launch
    size: dict[str, int]
    state: str = "loading"
    began: float = 0.0
    stopped_for: int | None = None
    """The ticket of the request that it was stopped for."""
    measured: dict[str, int] = field(default_factory=dict)
    """What it may take, by the last measurement; empty before the first."""
    has_died: bool = False
    made_way_for: int | None = None
    """The model whose load may begin beside its stop."""
    is_beside_saves: bool = False
    """One that had made way has exited while it was loading: it may have run out of memory before."""


def within_budget(size: dict[str, int]) -> dict[str, int]:
    """Return a size, at most the budget."""
    return {device: min(taken, BUDGET[device]) for device, taken in size.items()}


@dataclass(slots=True)
class MemoryWorld:
    """The environment of one scheduler with a budget."""

    capacity: int = 64
    has_budget: bool = True
    """False: only the number of models is limited, and sizes are unknown, until ``set_budget``."""
    now: float = 0.0
    free: dict[str, int] = field(default_factory=lambda: dict(BUDGET))
    """What other programs leave."""
    pinned: frozenset[int] = frozenset()
    waiting: dict[int, Requested] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    short_since: dict[int, float] = field(default_factory=dict)
    """Since when a waiting request lacks memory that other programs use."""
    priorities: dict[int, Priority] = field(default_factory=dict)
    interactive_at: dict[int, float] = field(default_factory=dict)
    """When each model was last requested by an interactive request."""
    holding: dict[int, int] = field(default_factory=dict)
    processes: dict[int, Process] = field(default_factory=dict)
    repeated: set[int] = field(default_factory=set)
    """Models whose load is repeated after it ran out of memory."""
    grown: dict[int, dict[str, int]] = field(default_factory=dict)
    """Sizes after a load ran out of memory."""
    awaited: dict[int, set[int]] = field(default_factory=dict)
    """By model: the processes that exit before its load is repeated."""
    wake_at: float | None = None
    last_ticket: int = 0
    scheduler: Scheduler = field(init=False)

    def __post_init__(self) -> None:
        """Start without residents."""
        budget = BUDGET if self.has_budget else None
        self.scheduler = Scheduler(capacity=self.capacity, budget=budget, swap_wait_s=SWAP_WAIT_S)

    # --- what can happen ---

    def request(self, model: int, context: int, priority: Priority) -> None:
        """Request a model."""
        self.last_ticket += 1
        ticket, size = self.last_ticket, self._size_of(model, context)
        request = Requested(
            ticket, spec_of(model), context, context, f"r{ticket}", priority=priority, size=size
        )
        self.waiting[ticket], self.since[ticket], self.priorities[ticket] = request, self.now, priority
        is_open = any(
            r.state is ResidentState.READY and r.spec.model_id == model and r.context >= context
            for r in self.scheduler.residents
        )
        is_loading = any(
            r.state is ResidentState.LOADING and r.spec.model_id == model and r.context >= context
            for r in self.scheduler.residents
        )
        is_broken = any(failure.spec.model_id == model for failure in self.scheduler.failures)
        if priority is Priority.INTERACTIVE:
            self.interactive_at[model] = self.now
        refused = self.send(request)
        if is_broken:
            return
        if is_open and priority is Priority.INTERACTIVE:
            assert self.holding.get(ticket), "4: an interactive request for the running model did not pass"
        elif is_loading:
            assert ticket not in refused, "2: a request for a model that loads was refused"
        elif not is_open and not _fits(size, self._budget()):
            assert isinstance(refused.get(ticket), ModelTooLargeError), "8: what never fits was not refused"
        elif not is_open and not _fits(size, self._unpinned(self._budget(), model)):
            assert isinstance(refused.get(ticket), ModelsPinnedError), "8: what pins leave no room for waits"
        elif not is_open:
            assert ticket not in refused, "8: a request that may fit was refused"

    def cancel(self, ticket: int) -> None:
        """Cancel a waiting request."""
        del self.waiting[ticket]
        self.send(RequestEnded(ticket))

    def finish(self, ticket: int) -> None:
        """Finish a request in flight."""
        del self.holding[ticket]
        self.send(RequestEnded(ticket))

    def become_ready(self, generation: int) -> None:
        """Finish a load; all interactive requests that it can serve are granted."""
        process = self.processes[generation]
        process.state, process.began = "ready", self.now
        self.repeated.discard(process.launch.spec.model_id)
        self.send(BecameReady(generation, slots=SLOTS))

    def die(self, generation: int) -> None:
        """Exit a process that was not stopped; its memory is back after ``exit_stopped``."""
        process = self.processes[generation]
        process.state, process.began, process.has_died = "stopping", self.now, True
        lost = [ticket for ticket, held in self.holding.items() if held == generation]
        self.send(Died(generation, "bang"))
        for ticket in lost:
            self.finish(ticket)

    def exit_stopped(self, generation: int) -> None:
        """Finish the exit of a process that was stopped or died."""
        process = self.processes.pop(generation)
        for other in self.in_state("loading").values():
            other.is_beside_saves |= process.made_way_for is not None and _share_a_device(process, other)
        self.send(Exited(generation))

    def make_way(self, generation: int) -> None:
        """Let the next load begin beside a stop, if it is one: the event may be late, or come twice."""
        process = self.processes.get(generation)
        resident = next((r for r in self.scheduler.residents if r.generation == generation), None)
        if process is not None and resident is not None and process.state == "stopping":
            process.made_way_for = (
                process.made_way_for if resident.evicted_for is None else resident.evicted_for
            )
        self.send(MadeWay(generation))

    def run_out_of_memory(self, generation: int) -> None:
        """Fail a load for lack of memory: it is repeated once, if what ran beside it stops."""
        process = self.processes.pop(generation)
        model = process.launch.spec.model_id
        waiting = {t for t, request in self.waiting.items() if request.spec.model_id == model}
        beside = {
            r.generation
            for r in self.scheduler.residents
            if r.is_idle
            and r.spec.model_id not in self.pinned
            and any(self.processes[r.generation].size.get(device) for device in process.size)
        }
        saving = {
            g
            for g, other in self.processes.items()
            if other.made_way_for is not None and _share_a_device(process, other)
        }
        limits = self._unpinned(self._limits(), model)
        grown = {
            device: min(int(taken * 1.2), max(taken, self._limits()[device]))
            for device, taken in process.size.items()
        }
        wanted = [r.size for r in self.waiting.values() if r.spec.model_id == model]
        wanted += [load.size for load in self.scheduler.pending_loads if load.spec.model_id == model]
        is_wanted = any(_fits(size, limits) for size in wanted)
        self.repeated &= {r.spec.model_id for r in self.waiting.values()} | {
            load.spec.model_id for load in self.scheduler.pending_loads
        }
        was_beside = bool(beside or saving) or process.is_beside_saves
        is_repeated = is_wanted and was_beside and model not in self.repeated and _fits(grown, limits)
        if is_repeated:
            self.repeated.add(model)
            self.grown[model] = grown
            self.awaited[model] = beside | saving
        else:
            self.repeated.discard(model)
            self.grown.pop(model, None)
        refused = self.send(LoadFailed(generation, ModelOutOfMemoryError(f"m{model}", "out of memory")))
        if is_repeated:
            # In its place, a pinned model may be launched that leaves no room for it.
            failed = {t for t, error in refused.items() if not isinstance(error, ModelsPinnedError)}
            assert not waiting & failed, "7: a load that is repeated refused its waiters"
            assert all(self.processes[g].state == "stopping" for g in beside), "7: idle residents stay"
        else:
            assert waiting <= set(refused), "7: a failure did not refuse its waiters"
            assert all(isinstance(refused[t], ModelLoadFailedError) for t in waiting)
        self.send(Exited(generation))

    def measure(self, generation: int, percent: int) -> None:
        """Measure a ready process: it takes more or less than expected."""
        process = self.processes[generation]
        expected = process.size or size_of(process.launch.spec.model_id, process.launch.context)
        process.measured = {device: taken * percent // 100 for device, taken in expected.items()}
        if self.has_budget:
            process.size = within_budget(process.measured)
            self.send(Measured(generation, process.measured, prompt_s=float(percent)))
        else:  # it counts with what it took so far
            process.size = {device: taken // 2 for device, taken in process.measured.items()}
            self.send(Measured(generation, process.size, prompt_s=float(percent)))

    def set_budget(self) -> None:
        """Limit the memory from now on: the sizes of requests and processes become known."""
        had_budget, self.has_budget = self.has_budget, True
        sizes = {
            (spec_of(model), context): size_of(model, context)
            for model in SIZES
            for context in (CONTEXT, LARGE_CONTEXT)
        }
        for ticket, request in self.waiting.items():
            self.waiting[ticket] = replace(request, size=sizes[request.spec, request.launch_ctx])
        for process in self.processes.values():
            known = process.size or dict(sizes[process.launch.spec, process.launch.context])
            measured_size = within_budget(process.measured) if had_budget else process.measured
            process.size = measured_size or known
        measured = {generation: p.measured for generation, p in self.processes.items() if p.measured}
        self.send(Reconfigured(self.capacity, BUDGET, SWAP_WAIT_S, DEFAULT_QUEUE_LIMIT, sizes, measured))

    def change_free(self, free: dict[str, int]) -> None:
        """Let other programs take or return memory."""
        self.free = free
        self.send(LimitsChanged(free))

    def pin(self, models: frozenset[int]) -> None:
        """Replace the pinned models."""
        self.pinned = models
        self.send(PinsChanged(models))

    def advance(self, seconds: float) -> None:
        """Advance the clock; the scheduler gets its ticks."""
        until = self.now + seconds
        while self.wake_at is not None and self.wake_at <= until:
            self.now, self.wake_at = self.wake_at, None
            self.send(Tick())
            self.check()
        self.now = until

    def in_state(self, state: str) -> dict[int, Process]:
        """Return the processes in a state, by generation."""
        return {g: process for g, process in self.processes.items() if process.state == state}

    # --- events and effects ---

    def send(self, event: Event) -> dict[int, Exception]:
        """Send an event, execute and check its effects, and return the refusals."""
        refused: dict[int, Exception] = {}
        effects = self.scheduler.handle(event, self.now)
        self.wake_at = next((e.time for e in effects if isinstance(e, WakeAt)), self.wake_at)
        demand = self._demand()
        for effect in effects:
            if isinstance(effect, Refuse):
                self._check_refusal(self.waiting.pop(effect.ticket), effect.error)
                refused[effect.ticket] = effect.error
            else:
                self._execute(effect)
        requested = {request.spec.model_id for request in self.waiting.values()}
        requested |= {load.spec.model_id for load in self.scheduler.pending_loads}
        self.awaited = {model: beside for model, beside in self.awaited.items() if model in requested}
        self._record_shortages()
        self._check_minimal([e for e in effects if isinstance(e, Stop)], demand)
        return refused

    def _record_shortages(self) -> None:
        """Record since when each request waits for memory of other programs."""
        former, self.short_since = self.short_since, {}
        for ticket, request in self.waiting.items():
            limits = self._unpinned(self._limits(), request.spec.model_id)
            if not self._is_provided(ticket) and not _fits(self._launch_size(request), limits):
                self.short_since[ticket] = former.get(ticket, self.now)

    def _check_refusal(self, request: Requested, error: Exception) -> None:
        if isinstance(error, InsufficientMemoryError):
            since = self.short_since.get(request.ticket, self.now)
            assert self.now >= since + MEMORY_WAIT_S - _JUST, "8: refused too early"
            limits = self._unpinned(self._limits(), request.spec.model_id)
            assert not _fits(self._launch_size(request), limits), "8: refused though it fits"

    def _launch_size(self, request: Requested) -> dict[str, int]:
        """Return the size of a launch for a request: more than it says after a load ran out of memory."""
        model = request.spec.model_id
        grown = self.grown.get(model, {}) if model in self.repeated else {}
        return {device: max(request.size.get(device, 0), grown.get(device, 0)) for device in BUDGET}

    def _execute(self, effect: Effect) -> None:
        match effect:
            case Grant(ticket, generation):
                self._grant(ticket, generation)
            case Launch(generation, spec, context):
                self._launch(effect, generation, spec.model_id, context)
            case Stop():
                self._stop(effect)
            case WakeAt(time):
                assert time > self.now, "a wake-up in the past"

    def _grant(self, ticket: int, generation: int) -> None:
        request, process = self.waiting.pop(ticket), self.processes[generation]
        assert process.state == "ready", "5: a request was sent to a process that is not ready"
        model = request.spec.model_id
        assert process.launch.spec.model_id == model
        assert process.launch.context >= request.needed_ctx
        self.holding[ticket] = generation
        in_batch = [t for t, g in self.holding.items() if g == generation and self._is_batch(t)]
        assert len(in_batch) <= SLOTS, "9: more batch requests than slots at a time"
        if self._is_batch(ticket) and self.now < self.interactive_at.get(model, -1e9) + INTERACTIVE_WINDOW_S:
            assert len(in_batch) <= max(1, SLOTS - 1), "9: batch requests leave no slot free"

    def _launch(self, launch: Launch, generation: int, model: int, context: int) -> None:
        models = {p.launch.spec.model_id for p in self.processes.values()}
        assert model not in models, "5: two launches of one model"
        limits = self._unpinned(self._limits(), model)
        served = [
            request
            for request in self.waiting.values()
            if request.spec.model_id == model and _fits(request.size, limits)
        ]
        size = dict(next(r.size for r in self.scheduler.residents if r.generation == generation))
        assert size in (
            *(self._size_of(model, c) for c in (CONTEXT, LARGE_CONTEXT)),
            self.grown.get(model),
        ), "8: a launch has a size that no request had"
        assert all(_fits(r.size, {**size, "models": 1}) for r in served), (
            "8: a launch is smaller than expected"
        )
        taken = self._taken(beginning=model)
        assert self._fits_beside(size, taken), "8: the models take more memory than the budget"
        assert sum(one["models"] for one in taken) < self.capacity, "5: more processes than allowed"
        assert all(request.needed_ctx <= context for request in served), "2: too small for a waiter"
        assert not any(p.stopped_for in {r.ticket for r in served} for p in self.in_state("stopping").values()
                       if model in self.repeated), "7: a repeated load did not wait for the stops"  # fmt: skip
        awaited = self.awaited.pop(model, set())
        assert model not in self.repeated or not awaited & set(self.processes), (
            "7: a load was repeated beside what it had run out of memory with"
        )
        self._check_priority(model)
        self.processes[generation] = Process(launch, size, began=self.now)

    def _check_priority(self, model: int) -> None:
        """Check that no batch request has its model launched before that of an interactive request.

        Overdue requests rank by age, and reserve room, as several interactive ones do for each other.
        """
        served = [t for t, request in self.waiting.items() if request.spec.model_id == model]
        interactive = {
            request.spec.model_id
            for t, request in self.waiting.items()
            if not self._is_batch(t) and not self._is_provided(t)
        }
        if any(map(self._is_overdue, self.waiting)) or not all(map(self._is_batch, served)) or not served:
            return
        if len(interactive) != 1:
            return
        (other,) = interactive
        needed = [r.size for r in self.waiting.values() if r.spec.model_id == other]
        size = {device: max(one.get(device, 0) for one in needed) for device in BUDGET}
        is_possible = self._fits_beside(size, self._taken())
        is_there = other in {p.launch.spec.model_id for p in self.processes.values()}
        assert is_there or other in self.repeated or not is_possible, (
            "9: a batch request's model was launched before an interactive request's"
        )

    def _stop(self, stop: Stop) -> None:
        process, eviction = self.processes[stop.generation], stop.eviction
        assert eviction is not None, "a stop without a reason"
        assert stop.generation not in self.holding.values(), "1: a request in flight was killed"
        requests = {None, *self.waiting, *(load.ticket for load in self.scheduler.pending_loads)}
        assert eviction.ticket in requests, "6: a model was stopped for a request that has left"
        model = process.launch.spec.model_id
        if eviction.reason in {StopReason.EXPIRED, StopReason.EXCESS, StopReason.OUT_OF_MEMORY} | _EVICTIONS:
            assert model not in self.pinned, "10: a pinned model was evicted"
        if eviction.reason in _EVICTIONS and eviction.ticket in self.waiting:
            request = self.waiting[eviction.ticket]
            limits = self._unpinned(self._limits(), request.spec.model_id)
            assert _fits(request.size, limits), "8: a model was evicted for one that cannot fit"
            process.stopped_for = eviction.ticket
        process.state, process.began = "stopping", self.now

    def _check_minimal(self, stops: list[Stop], demand: dict[str, int]) -> None:
        """Check that no stop was superfluous: without it, the waiting models would not all fit."""
        evictions = [s for s in stops if s.eviction is not None and s.eviction.reason in _EVICTIONS]
        staying = [p.size for p in self.processes.values() if p.state != "stopping"]
        for stop in evictions:
            size = self.processes[stop.generation].size
            assert not self._fits_beside(size, [*staying, demand]), "8: more was evicted than needed"

    def _demand(self) -> dict[str, int]:
        """Return the sizes of all models that are requested, or are pending loads, and that no process provides.

        A pending load needs no more than the requests of the same model that wait.
        """
        wanted = [
            (request.spec.model_id, request.size)
            for ticket, request in self.waiting.items()
            if not any(
                r.spec.model_id == request.spec.model_id
                and r.context >= request.needed_ctx
                and r.state in {ResidentState.LOADING, ResidentState.READY}
                for r in self.scheduler.residents
            )
        ]
        awaited = {model for model, _ in wanted}
        pending = self.scheduler.pending_loads
        wanted += [(load.spec.model_id, load.size) for load in pending if load.spec.model_id not in awaited]
        needed: dict[int, dict[str, int]] = {}
        for model, size in wanted:
            known, grown = needed.setdefault(model, {}), self.grown.get(model, {})
            for device in BUDGET:
                known[device] = max(known.get(device, 0), size.get(device, 0), grown.get(device, 0))
        return _total(list(needed.values()))

    # --- invariants ---

    def check(self) -> None:
        """Check what holds after every event."""
        residents = self.scheduler.residents
        assert {w.ticket for w in self.scheduler.waiters} == set(self.waiting), "6: different waiters"
        assert {r.generation for r in residents} == set(self.processes), "5: different residents"
        models = [p.launch.spec.model_id for p in self.processes.values()]
        assert len(models) == len(set(models)), "5: two processes of one model"
        held = {(t, r.generation) for r in residents for t in r.holders}
        assert held == set(self.holding.items()), "different holders"
        for resident in residents:
            assert resident.batch_holders == {t for t in resident.holders if self._is_batch(t)}
            process = self.processes[resident.generation]
            assert dict(resident.size) == process.size, "8: different sizes"
            assert resident.made_way_for == process.made_way_for, "5: different processes have made way"
            if resident.state is ResidentState.DRAINING:
                self._check_drain(resident.generation, resident.spec.model_id)
        self._check_progress()
        for ticket, since in self.short_since.items():
            assert self.now <= since + MEMORY_WAIT_S + _JUST, f"8: {ticket} waits too long for memory"

    def _check_drain(self, generation: int, model: int) -> None:
        assert model not in self.pinned or any(r.spec.model_id == model for r in self.waiting.values()), (
            "10: a pinned model drains for another one"
        )
        is_batch_only = all(self._is_batch(t) for t, g in self.holding.items() if g == generation)
        others = [t for t, request in self.waiting.items()]
        is_due = any(map(self._is_overdue, others))
        has_interactive = any(not self._is_batch(t) for t in others)
        assert is_due or (is_batch_only and has_interactive), "4: a drain before any request was due"

    def _check_progress(self) -> None:
        is_moving = self.holding or any(p.state != "ready" for p in self.processes.values())
        if self.waiting and not is_moving:
            assert self.wake_at is not None, "3: a request waits, and no event is due"

    # --- the end ---

    def run_out(self) -> None:
        """Run to the end without new requests or other programs: all requests are served in bounded time."""
        self.set_budget()
        self.pin(frozenset())
        self.change_free(dict(BUDGET))
        turn_s = HOLD_S + STOP_S + LOAD_S
        limit = self.now + 2 * SWAP_WAIT_S + (len(SIZES) + len(self.waiting)) * 3 * turn_s
        done: dict[int, float] = {}
        while self.waiting or self.holding:
            assert self.now < limit, "3: a request is not served although nothing prevents it"
            take_one_step(self, done)
            self.check()

    # --- the model of the state ---

    def _size_of(self, model: int, context: int) -> dict[str, int]:
        """Return what the scheduler knows of a launch's size."""
        return size_of(model, context) if self.has_budget else {}

    def _budget(self) -> dict[str, int]:
        """Return what all processes together may take; the number of models is a device, too."""
        return {**(BUDGET if self.has_budget else UNLIMITED), "models": self.capacity}

    def _limits(self) -> dict[str, int]:
        """Return the budget, or what other programs leave of it."""
        free = self.free if self.has_budget else UNLIMITED
        return {device: min(limit, free.get(device, limit)) for device, limit in self._budget().items()}

    def _taken(self, *, beginning: int | None = None) -> list[dict[str, int]]:
        """Return what each process takes: its memory until it exits, and a place.

        One that stops beside the model that it has made way for takes no place. For a load that is ``beginning``, none
        that stops does, if one has made way for it: the memory was compared with all of them.
        """
        there = {p.launch.spec.model_id for p in self.processes.values() if p.state != "stopping"}
        has_gap = beginning is not None and any(p.made_way_for == beginning for p in self.processes.values())
        return [
            {**p.size, "models": 0 if p.made_way_for in there or (has_gap and p.state == "stopping") else 1}
            for p in self.processes.values()
        ]

    def _fits_beside(self, size: DeviceBytes, others: Sequence[DeviceBytes]) -> bool:
        """Whether a process fits beside others on the devices that it uses; these may exceed a limit on another one."""
        total, limits = _total([*others, size]), self._limits()
        return all(total[device] <= limits[device] for device in total if _amount(size, device))

    def _unpinned(self, limits: dict[str, int], model: int) -> dict[str, int]:
        """Return what the pinned residents, without a model's own, leave of the limits."""
        pinned = [
            p.size
            for p in self.processes.values()
            if p.launch.spec.model_id in self.pinned - {model} and p.state != "stopping"
        ]
        taken = _total(pinned)
        return {device: limit - taken[device] for device, limit in limits.items()}

    def _is_batch(self, ticket: int) -> bool:
        return self.priorities[ticket] is Priority.BATCH

    def _is_overdue(self, ticket: int) -> bool:
        return self.now >= self.since[ticket] + SWAP_WAIT_S

    def _is_provided(self, ticket: int) -> bool:
        """Whether a loading or ready process serves a waiting request. One that drains for another model does not."""
        request = self.waiting[ticket]
        draining = {r.generation for r in self.scheduler.residents if r.state is ResidentState.DRAINING}
        return any(
            p.launch.spec.model_id == request.spec.model_id
            and p.launch.context >= request.needed_ctx
            and p.state in {"loading", "ready"}
            and generation not in draining
            for generation, p in self.processes.items()
        )


def _amount(size: DeviceBytes, device: str) -> int:
    return size.get(device, 1 if device == "models" else 0)


def _total(sizes: Sequence[DeviceBytes]) -> dict[str, int]:
    return {device: sum(_amount(size, device) for size in sizes) for device in (*BUDGET, "models")}


def _share_a_device(failed: Process, other: Process) -> bool:
    """Whether two processes take memory of the same device, or it is unknown of one of them."""
    return not any(failed.size.values()) or not other.size or any(map(other.size.get, failed.size))


def _fits(size: DeviceBytes, limits: DeviceBytes) -> bool:
    """Whether a launch fits; a device that it does not use may be exceeded by others."""
    return all(not _amount(size, d) or _amount(size, d) <= limit for d, limit in limits.items())

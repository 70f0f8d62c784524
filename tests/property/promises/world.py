"""A simulated environment of the scheduler: clients, processes and a clock. Checks each effect against its own model.

Assertion messages start with the number of the promise in ``docs/promises.md``. Nothing here is random: the caller
chooses each step.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gglib.core.errors import (
    ModelLoadFailedError,
    ModelNotFoundError,
    ModelStoppedError,
    QueueFullError,
)
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime.scheduler.backoff import (
    CRASH_LOOP_DEATHS,
    CRASH_LOOP_WINDOW_S,
    INITIAL_BACKOFF_S,
    MAX_BACKOFF_S,
)
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    FileChanged,
    Grant,
    Launch,
    LoadFailed,
    MadeWay,
    ModelRemoved,
    Refuse,
    Requested,
    RequestEnded,
    RequestStalled,
    Stop,
    StopReason,
    StopRequested,
    Superseded,
    Tick,
    WaitTimedOut,
    WakeAt,
)
from gglib.runtime.scheduler.pending_loads import PENDING_LOAD_S
from gglib.runtime.scheduler.planning import UNUSED_GRACE_S
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import ResidentState
from gglib.runtime.scheduler.swap_history import SwapHistory

from .steps import HOLD_S, LOAD_S, STOP_S, take_one_step

MAX_WAIT_S = 15.0
QUEUE_LIMIT = 12
IDLE_TTL_S = 20.0
MODELS = 4
CONTEXTS = (2048, 8192, 32768)
_JUST = 1e-6
_TICK_S = 1e-3
_REFUSALS = (ModelLoadFailedError, ModelNotFoundError, ModelStoppedError, QueueFullError)


def spec_of(model: int, settings_version: int, version: int = 0) -> ModelLaunchSpec:
    """Return a model's launch spec; another ``settings_version`` has other settings.

    Model 1 has an idle time-to-live. Each version has its own files.
    """
    settings = ModelSettings(
        idle_ttl_s=IDLE_TTL_S if model == 1 else None, engine_args=("--threads", str(settings_version + 1))
    )
    return ModelLaunchSpec(
        model_id=model, model_name=f"m{model}", path=Path(f"/m{model}/{version}.gguf"), settings=settings
    )


@dataclass(slots=True)
class _Process:
    """A launch whose process may exist."""

    launch: Launch
    spec: ModelLaunchSpec
    """The spec that the scheduler knows."""
    at_launch: ModelLaunchSpec
    """The spec that it runs: the current version at the launch."""
    launched: float = 0.0
    state: str = "loading"
    began: float = 0.0
    """When it entered its state."""
    last_used: float = 0.0
    is_used: bool = False
    """Whether it has served a request since it became ready."""
    is_closed: bool = False
    """It takes no new requests: it stalled, its model was removed or updated, or its file changed."""
    evicted_for: int | None = None
    """The model of the request that it was stopped for."""
    has_died: bool = False
    made_way_for: int | None = None
    """The model whose load may begin beside its stop."""
    is_replaced: bool = False
    """Whether that load has begun."""


@dataclass(slots=True)
class _Backoff:
    """A model's failures, to check the scheduler's backoff."""

    spec: ModelLaunchSpec
    count: int
    until: float


@dataclass(frozen=True, slots=True)
class _PendingLoad:
    """A load requested without waiting, or whose swap had started when its last waiter left."""

    request: Requested
    until: float
    """It may not be dropped before."""
    since: float
    """When its version was first requested."""


@dataclass(slots=True)
class World:
    """The environment of one scheduler."""

    capacity: int
    now: float = 0.0
    waiting: dict[int, Requested] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    holding: dict[int, int] = field(default_factory=dict)
    processes: dict[int, _Process] = field(default_factory=dict)
    pending: dict[int, _PendingLoad] = field(default_factory=dict)
    """By model."""
    models_of: dict[int, int] = field(default_factory=dict)
    """The model of each request."""
    versions: dict[int, int] = field(default_factory=dict)
    """Versions of updated models."""
    backoffs: dict[int, _Backoff] = field(default_factory=dict)
    deaths: dict[int, tuple[ModelLaunchSpec, deque[float]]] = field(default_factory=dict)
    wake_at: float | None = None
    stop_deadline: float | None = None
    last_ticket: int = 0
    scheduler: Scheduler = field(init=False)
    history: SwapHistory = field(default_factory=SwapHistory)

    def __post_init__(self) -> None:
        """Start without residents."""
        self.scheduler = Scheduler(capacity=self.capacity, swap_wait_s=MAX_WAIT_S, queue_limit=QUEUE_LIMIT)

    # --- what can happen ---

    def request(self, model: int, settings_version: int, context: int, *, waits: bool = True) -> None:
        """Request a model, waiting for it or not."""
        self.last_ticket += 1
        ticket, spec = self.last_ticket, spec_of(model, settings_version, self.versions.get(model, 0))
        request = Requested(ticket, spec, context, context, f"r{ticket}", waits)
        self.models_of[ticket] = model
        was_queue_full = len(self.waiting) >= QUEUE_LIMIT
        backed_off = self._is_backed_off(spec)
        open_to_it = any(
            r.state is ResidentState.READY and self._serves(r.generation, request, self.now)
            for r in self.scheduler.residents
        )
        self.since[ticket] = self.now
        if not waits and not backed_off and not open_to_it:
            self._add_pending(request)
            self.send(request)
            return
        self.waiting[ticket] = request
        refused = self.send(request)
        if backed_off:
            assert ticket in refused, "7: a model in backoff was launched, or its request waits"
            assert isinstance(refused[ticket], ModelLoadFailedError), (
                "7: the refusal does not have the reason"
            )
        elif open_to_it:
            assert self.holding.get(ticket), "4: a request for the running model did not pass"
        elif was_queue_full:
            assert isinstance(refused.get(ticket), QueueFullError), "the queue has no limit"
        else:
            assert ticket not in refused, "a request was refused that might have waited"

    def cancel(self, ticket: int) -> None:
        """Cancel a waiting request. If a process was stopped for its model, the load still follows."""
        request = self.waiting.pop(ticket)
        model = request.spec.model_id
        is_begun = any(p.evicted_for == model for p in self.in_state("stopping").values())
        if is_begun and not any(other.spec.model_id == model for other in self.waiting.values()):
            self._add_pending(request)
        self.send(RequestEnded(ticket))

    def time_out(self, ticket: int) -> None:
        """Time out a wait whose client will retry: the load continues."""
        self._add_pending(self.waiting.pop(ticket))
        self.send(WaitTimedOut(ticket))
        self.send(RequestEnded(ticket))

    def remove(self, model: int) -> None:
        """Remove a model from the catalogue."""
        self.pending.pop(model, None)
        self.backoffs.pop(model, None)
        self.deaths.pop(model, None)
        self._clear_evictions_for(model)
        for process in self.processes.values():
            if process.launch.spec.model_id == model and process.state == "ready":
                process.is_closed = True
        concerned = {t for t, request in self.waiting.items() if request.spec.model_id == model}
        refused = self.send(ModelRemoved(model))
        assert set(refused) == concerned, "a removal did not refuse the waiters of the model"
        assert all(isinstance(error, ModelNotFoundError) for error in refused.values())
        for generation, process in self.processes.items():
            is_held = generation in self.holding.values()
            if process.launch.spec.model_id == model and not is_held:
                assert process.state == "stopping", "a removed model stays in memory"

    def update(self, model: int, *, is_noticed: bool) -> None:
        """Move a model to a newer version; the scheduler is notified now, or by the next request."""
        self.advance(_TICK_S)  # no launch has the same time
        self.versions[model] = self.versions.get(model, 0) + 1
        if is_noticed:
            for generation, process in list(self.in_state("ready").items()):
                if process.spec.model_id == model:
                    process.is_closed = True
                    self.send(Superseded(generation))

    def change_file(self, generation: int) -> None:
        """Overwrite the file of a loaded model."""
        self.processes[generation].is_closed = True
        self.send(FileChanged(generation))

    def finish(self, ticket: int) -> None:
        """Finish a request."""
        process = self.processes.get(self.holding.pop(ticket))
        if process is not None:
            process.last_used = self.now
            process.is_used = True
        self.send(RequestEnded(ticket))

    def stall(self, ticket: int) -> None:
        """Let a request stall and end."""
        process = self.processes[self.holding[ticket]]
        process.is_closed = process.state == "ready"
        self.send(RequestStalled(ticket))
        self.finish(ticket)

    def become_ready(self, generation: int) -> None:
        """Finish a load; all requests that it can serve are granted."""
        process = self.processes[generation]
        process.state, process.began, process.last_used = "ready", self.now, self.now
        launch = process.launch
        self.backoffs.pop(launch.spec.model_id, None)
        is_other_version = process.at_launch.path != process.spec.path
        process.spec = process.at_launch
        pending = self.pending.get(launch.spec.model_id)
        if pending is not None and self._serves(generation, pending.request, pending.since):
            del self.pending[launch.spec.model_id]
        self.send(BecameReady(generation, process.spec if is_other_version else None))
        assert not any(map(partial(self._is_served_by, generation), self.waiting)), (
            "2: a request that the load can serve still waits"
        )

    def fail(self, generation: int) -> None:
        """Fail a load; its waiters are refused."""
        process = self.processes.pop(generation)
        spec = process.launch.spec
        before = self.backoffs.get(spec.model_id)
        count = before.count + 1 if before is not None and before.spec == spec else 1
        self._record_failure(spec, count)
        concerned = {t for t, request in self.waiting.items() if request.spec.model_id == spec.model_id}
        refused = self.send(LoadFailed(generation, ModelLoadFailedError(spec.model_name, "no")))
        assert set(refused) == concerned, "7: a failure did not refuse exactly the waiters of its model"
        self.send(Exited(generation))

    def exit_stopped(self, generation: int) -> None:
        """Finish an exit. The load that the process was stopped for follows, unless another model took the place."""
        process = self.processes.pop(generation)
        model = process.evicted_for
        pending = None if model is None else self.pending.get(model)
        if model is not None and pending is not None and process.began < pending.until:
            # It had not expired when the process was stopped for it, and does not expire before its turn.
            until = max(pending.until, self.now + PENDING_LOAD_S)
            self.pending[model] = replace(pending, until=until)
        holders = self._drop_holders(generation)
        self.send(Exited(generation))
        if model is not None:
            is_there = model in {p.launch.spec.model_id for p in self.processes.values()}
            assert is_there or self._is_full(), "6: a model was evicted for a load that does not follow"
        for ticket in holders:
            self.send(RequestEnded(ticket))

    def make_way(self, generation: int) -> None:
        """Let the next load begin beside a stop, if it is one: the event may be late, or come twice."""
        process = self.processes.get(generation)
        resident = next((r for r in self.scheduler.residents if r.generation == generation), None)
        model = None if resident is None else resident.evicted_for
        if process is not None and model is not None and process.state == "stopping":
            assert not process.has_died, "a crash is no eviction"
            process.made_way_for = model
        self.send(MadeWay(generation))
        requested = {request.spec.model_id for request in self.waiting.values()} | set(self.pending)
        if model is not None and requested == {model}:
            is_there = model in {p.launch.spec.model_id for p in self.processes.values()}
            assert is_there or process is None or process.state != "stopping", (
                "3: a load does not begin beside the launch that made way for it"
            )

    def die(self, generation: int) -> None:
        """Exit a process that was not stopped; ``exit_stopped`` follows after its cleanup."""
        process = self.processes[generation]
        process.state, process.began, process.has_died = "stopping", self.now, True
        spec = process.spec
        known, times = self.deaths.get(spec.model_id, (spec, deque()))
        times = times if known == spec else deque()
        times = deque(time for time in (*times, self.now) if time > self.now - CRASH_LOOP_WINDOW_S)
        self.deaths[spec.model_id] = spec, times
        if len(times) >= CRASH_LOOP_DEATHS:
            self._record_failure(spec, len(times) - CRASH_LOOP_DEATHS + 1)
        holders = self._drop_holders(generation)
        self.send(Died(generation, "bang"))
        for ticket in holders:
            self.send(RequestEnded(ticket))

    def stop_all(self, timeout_s: float) -> None:
        """Stop all models, like the user."""
        self.backoffs.clear()
        self.deaths.clear()
        self.pending.clear()
        for process in self.processes.values():
            process.evicted_for = None
        deadline = self.now + timeout_s
        there = [p for p in self.processes.values() if p.state != "stopping"]
        self.stop_deadline = (
            deadline if self.stop_deadline is None or not there else min(self.stop_deadline, deadline)
        )
        self.send(StopRequested(deadline))

    def advance(self, seconds: float) -> None:
        """Advance the clock; the scheduler gets its ticks."""
        until = self.now + seconds
        while self.wake_at is not None and self.wake_at <= until:
            self.now, self.wake_at = self.wake_at, None
            self.send(Tick())
            self.check()
        self.now = until

    def in_state(self, state: str) -> dict[int, _Process]:
        """Return the processes in a state, by generation."""
        return {g: process for g, process in self.processes.items() if process.state == state}

    # --- events and effects ---

    def send(self, event: Event) -> dict[int, Exception]:
        """Send an event, execute and check its effects, and return the refusals."""
        refused: dict[int, Exception] = {}
        effects = self.scheduler.handle(event, self.now)
        self.wake_at = next((e.time for e in effects if isinstance(e, WakeAt)), self.wake_at)
        self.history.record(event, effects, self.now)
        for effect in effects:
            if isinstance(effect, Refuse):
                del self.waiting[effect.ticket]
                refused[effect.ticket] = effect.error
                assert isinstance(effect.error, _REFUSALS)
            else:
                self._execute(effect)
        self._drop_finished_loads()
        self._record_outdated()
        return refused

    def _drop_finished_loads(self) -> None:
        """Drop the loads whose models are ready, also because a drain was cancelled."""
        for resident in self.scheduler.residents:
            pending = self.pending.get(resident.spec.model_id)
            is_ready = resident.state is ResidentState.READY
            if (
                pending is not None
                and is_ready
                and self._serves(resident.generation, pending.request, pending.since)
            ):
                del self.pending[resident.spec.model_id]

    def _record_outdated(self) -> None:
        """Record which residents drain because a newer version was requested: they take no requests any more.

        That is how the scheduler detects an update without an event; it persists if the waiter leaves.
        """
        for resident in self.scheduler.residents:
            process, eviction = self.processes[resident.generation], resident.eviction
            if process.state == "ready" and eviction is not None and eviction.reason is StopReason.UPDATED:
                if not process.is_closed:
                    assert any(
                        self._is_overdue(ticket)
                        and request.spec.model_id == process.spec.model_id
                        and request.spec.path != process.spec.path
                        for ticket, request in self.waiting.items()
                    ), "4: a version was drained although no request for another version was overdue"
                process.is_closed = True

    def _execute(self, effect: Effect) -> None:
        match effect:
            case Grant(ticket, generation):
                self._grant(ticket, self.processes[generation], generation)
            case Launch(generation, spec, _):
                self._launch(effect, generation, spec)
            case Stop(generation, eviction):
                assert eviction is not None, "a stop without a reason"
                self._stop(generation, eviction.reason, eviction.ticket)
            case WakeAt(time):
                assert time > self.now, "a wake-up in the past"

    def _grant(self, ticket: int, process: _Process, generation: int) -> None:
        request = self.waiting.pop(ticket)
        assert process.state == "ready", "5: a request was sent to a process that is not ready"
        assert self._serves(generation, request, self.since[ticket]), "sent to the wrong model, or version"
        assert not process.is_closed, "sent to a process that had stalled"
        if self.capacity == 1:
            for other, waiter in self.waiting.items():
                is_passed_over = other < ticket and waiter.spec.model_id != request.spec.model_id
                was_here = self.since[ticket] > process.began
                assert not (is_passed_over and was_here and self._is_overdue(other)), (
                    "3: a request passed an overdue request"
                )
        self.holding[ticket] = generation

    def _launch(self, launch: Launch, generation: int, spec: ModelLaunchSpec) -> None:
        assert generation not in self.processes
        assert spec.model_id not in {p.launch.spec.model_id for p in self.processes.values()}, (
            "5: two launches of one model"
        )
        served = [request for request in self.waiting.values() if request.spec.model_id == spec.model_id]
        pending = self.pending.get(spec.model_id)
        assert served or pending, "a launch without waiters"
        if not served and pending is not None:
            assert not self.waiting or self.capacity > 1, "6: a pending load came before a load with waiters"
            served = [pending.request]
        assert all(request.needed_ctx <= launch.context for request in served), (
            "2: the load does not serve all waiters"
        )
        assert not self._is_backed_off(spec), "7: a model in backoff was launched"
        assert launch.ticket == min(request.ticket for request in served), "a launch names the wrong request"
        there = {p.launch.spec.model_id for p in self.processes.values() if p.state != "stopping"}
        others = sum(process.made_way_for not in there for process in self.processes.values())
        gaps = [p for p in self.processes.values() if p.made_way_for == spec.model_id]
        assert gaps or others < self.capacity, "5: a load begins beside one that has not made way for it"
        for process in gaps:
            process.is_replaced = True
        self._clear_evictions_for(spec.model_id)
        current = replace(spec, path=spec_of(spec.model_id, 0, self.versions.get(spec.model_id, 0)).path)
        self.processes[generation] = _Process(
            launch, spec, current, launched=self.now, began=self.now, last_used=self.now
        )
        assert self._count() <= self.capacity, "5: more processes than allowed"

    def _stop(self, generation: int, reason: StopReason, ticket: int | None) -> None:
        process = self.processes[generation]
        if ticket is not None:
            process.evicted_for = self.models_of[ticket]
            pending = self.pending.get(self.models_of[ticket])
            is_pending = pending is not None and pending.request.ticket == ticket
            assert is_pending or ticket in self.waiting, "6: a model was stopped for a request that has left"
            if is_pending:
                self._check_pending_eviction(process, self.models_of[ticket])
        is_held = generation in self.holding.values()
        may_be_killed = self.stop_deadline is not None and self.now >= self.stop_deadline - _JUST
        assert not is_held or may_be_killed, "1: a request in flight was killed"
        if reason is StopReason.EXPIRED:
            assert process.launch.spec.model_id == 1, "it has no time-to-live"
            assert self.now >= process.last_used + IDLE_TTL_S - _JUST, (
                "it was stopped before its time-to-live was over"
            )
        if reason in {StopReason.IDLE, StopReason.OVERDUE, StopReason.UNWANTED}:
            # A waiter of another model, or of its own with a larger context.
            others = [self._is_served_by(generation, ticket) for ticket in self.waiting]
            others += [
                self._serves(generation, pending.request, pending.since) for pending in self.pending.values()
            ]
            assert not all(others), "5: a model was evicted for no request"
        if reason is StopReason.UNWANTED:
            assert process.state == "loading"
            assert not any(map(partial(self._is_served_by, generation), self.waiting)), (
                "6: a load with waiters was stopped"
            )
        process.state, process.began = "stopping", self.now

    def _check_pending_eviction(self, process: _Process, model: int) -> None:
        """Check that a pending load evicts only idle models, after their grace period."""
        assert process.state == "ready", "6: a load was stopped for a pending load"
        is_kept = not process.is_used and self.now < process.began + UNUSED_GRACE_S - _JUST
        assert not is_kept or process.launch.spec.model_id == model, (
            "6: an unused model was evicted within its grace period"
        )

    # --- invariants ---

    def check(self) -> None:
        """Check what holds after every event."""
        residents = self.scheduler.residents
        assert {w.ticket for w in self.scheduler.waiters} == set(self.waiting), (
            "6: the model and the scheduler differ on the waiters"
        )
        assert {r.generation for r in residents} == set(self.processes), (
            "5: the model and the scheduler differ on the residents"
        )
        assert self._count() <= self.capacity, "5: more processes than allowed"
        models = [p.launch.spec.model_id for p in self.processes.values()]
        assert len(models) == len(set(models)), "5: two processes of one model"
        for resident in residents:
            assert resident.made_way_for == self.processes[resident.generation].made_way_for, (
                "5: the model and the scheduler differ on what has made way"
            )
        held = {(t, r.generation) for r in residents for t in r.holders}
        assert held == set(self.holding.items()), "the model and the scheduler differ on the holders"
        for resident in residents:
            if resident.state is ResidentState.READY:
                assert not any(map(partial(self._is_served_by, resident.generation), self.waiting)), (
                    "2: a request waits for a model that is ready"
                )
            if resident.state is ResidentState.DRAINING and self.stop_deadline is None:
                is_silent = self.processes[resident.generation].is_closed
                assert is_silent or any(map(self._is_overdue, self.waiting)), (
                    "4: a drain before any request was overdue"
                )
        for generation, process in self.processes.items():
            if process.is_closed and generation not in self.holding.values():
                assert process.state == "stopping", "a model that takes no more requests stays in memory"
        self._check_progress()
        self._check_starvation()
        self._check_abandoned_loads()
        if not any(p.state != "stopping" for p in self.processes.values()):
            self.stop_deadline = None

    def _check_progress(self) -> None:
        is_moving = self.holding or any(p.state != "ready" for p in self.processes.values())
        if self.waiting and not is_moving:
            assert self.wake_at is not None, "3: a request waits, and no event is due"
            deadline = self.since[min(self.waiting)] + MAX_WAIT_S
            assert self.wake_at <= deadline + _JUST, "3: a request waits for an idle model beyond swap_wait_s"
        if not self.waiting and not is_moving and any(self.now < w.until for w in self.pending.values()):
            assert self.processes, "6: a load is pending, and there is room"
            assert self.wake_at is not None, "6: a load is pending, and no event is due"

    def _check_starvation(self) -> None:
        """With capacity 1 and an overdue waiter, the running model takes no new requests."""
        if not self.waiting or self.capacity != 1:
            return
        oldest = min(self.waiting)
        if self._is_overdue(oldest) and self._has_ticked_since_overdue(oldest):
            states = {r.state for r in self.scheduler.residents}
            assert states, "3: a request waits although there is room"
            assert ResidentState.READY not in states, "3: a request starves"

    def _check_abandoned_loads(self) -> None:
        """Check that an abandoned load is stopped for waiters of other models, unless it is protected."""
        if self._count() < self.capacity or self.capacity != 1:
            return
        for resident in self.scheduler.residents:
            is_wanted = any(map(partial(self._is_served_by, resident.generation), self.waiting))
            if resident.state is ResidentState.LOADING and not is_wanted and self.waiting:
                oldest = min(self.waiting)
                assert resident.is_protected, "6: an abandoned load keeps a request waiting"
                assert not (self._is_overdue(oldest) and self._has_ticked_since_overdue(oldest)), (
                    "6: an abandoned load keeps a request waiting beyond swap_wait_s"
                )

    # --- the end ---

    def run_out(self) -> None:
        """Run to the end without new requests: loads succeed, requests last ``HOLD_S``, all are served in time."""
        turn_s = HOLD_S + STOP_S + LOAD_S
        limit = self.now + 2 * MAX_WAIT_S + (MODELS + 2) * 2 * turn_s
        done: dict[int, float] = {}
        while self.waiting or self.holding:
            assert self.now < limit, "3: a request is not served although nothing prevents it"
            take_one_step(self, done)
            self.check()
        self._run_out_pending_loads(done, 2 * MODELS * turn_s)

    def _run_out_pending_loads(self, done: dict[int, float], within_s: float) -> None:
        """Renew every pending load; without other requests, each is done before it expires."""
        for model, pending in list(self.pending.items()):
            if not self._is_backed_off(pending.request.spec):
                self.request(model, 0, CONTEXTS[0], waits=False)
        limit = self.now + within_s
        while any(self.now < pending.until for pending in self.pending.values()):
            assert self.now < limit, "6: a requested load does not happen although nothing prevents it"
            take_one_step(self, done)
            self.check()

    # --- the model of the state ---

    def _count(self) -> int:
        """Return how many processes count: those that stop beside the load that they have made way for do not."""
        return sum(not process.is_replaced for process in self.processes.values())

    def _is_full(self) -> bool:
        """Whether all places are taken, or kept for the next launches of models that are still saving."""
        saving = {p.launch.spec.model_id for p in self.processes.values() if p.made_way_for is not None}
        requested = {request.spec.model_id for request in self.waiting.values()} | set(self.pending)
        return self._count() + len(saving & requested) >= self.capacity

    def _add_pending(self, request: Requested) -> None:
        """Record a pending load, as large as the largest of its requests."""
        known = self.pending.get(request.spec.model_id)
        since = self.since[request.ticket]
        if known is not None and known.request.spec.path == request.spec.path:
            since = known.since
        if known is not None and known.request.spec == request.spec and self.now < known.until:
            context = max(known.request.needed_ctx, request.needed_ctx)
            request = replace(request, needed_ctx=context, launch_ctx=context)
        self.pending[request.spec.model_id] = _PendingLoad(request, self.now + PENDING_LOAD_S, since)

    def _drop_holders(self, generation: int) -> list[int]:
        lost = [ticket for ticket, held in self.holding.items() if held == generation]
        for ticket in lost:
            del self.holding[ticket]
        return lost

    def _clear_evictions_for(self, model: int) -> None:
        for process in self.processes.values():
            if process.evicted_for == model:
                process.evicted_for = None

    def _record_failure(self, spec: ModelLaunchSpec, count: int) -> None:
        self.pending.pop(spec.model_id, None)
        self._clear_evictions_for(spec.model_id)
        backoff_s = min(INITIAL_BACKOFF_S * 2 ** (count - 1), MAX_BACKOFF_S)
        self.backoffs[spec.model_id] = _Backoff(spec, count, self.now + backoff_s)

    def _is_backed_off(self, spec: ModelLaunchSpec) -> bool:
        backoff = self.backoffs.get(spec.model_id)
        return backoff is not None and backoff.spec == spec and self.now < backoff.until

    def _is_overdue(self, ticket: int) -> bool:
        return self.now >= self.since[ticket] + MAX_WAIT_S

    def _has_ticked_since_overdue(self, ticket: int) -> bool:
        """Whether the scheduler has had an event since the waiter became overdue: it has no clock."""
        return self.wake_at is None or self.wake_at > self.now or self.now > self.since[ticket] + MAX_WAIT_S

    def _is_served_by(self, generation: int, ticket: int) -> bool:
        return self._serves(generation, self.waiting[ticket], self.since[ticket])

    def _serves(self, generation: int, request: Requested, since: float) -> bool:
        """Whether a launch serves a request of that time: same model, its version or a newer one."""
        process = self.processes[generation]
        return (
            process.spec.model_id == request.spec.model_id
            and request.needed_ctx <= process.launch.context
            and (process.spec.path == request.spec.path or process.launched >= since)
        )

"""A world of clients, processes and a clock around the scheduler. It keeps books of its own, and checks each order.

The numbers are those of the promises in ``docs/promises.md``. A broken one raises ``AssertionError`` with its
number in front. It draws nothing at random: whoever drives it chooses what happens next.
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
from gglib.runtime.scheduler.scheduler import PENDING_LOAD_S, UNUSED_GRACE_S, Scheduler
from gglib.runtime.scheduler.state import ResidentState
from gglib.runtime.scheduler.swap_history import SwapHistory

MAX_WAIT_S = 15.0
QUEUE_LIMIT = 12
IDLE_TTL_S = 20.0
MODELS = 4
CONTEXTS = (2048, 8192, 32768)
HOLD_S, LOAD_S, STOP_S = 7.0, 4.0, 0.3
"""How long things last in the calm at the end of a sequence."""
_JUST = 1e-6
_TICK_S = 1e-3
_REFUSALS = (ModelLoadFailedError, ModelNotFoundError, ModelStoppedError, QueueFullError)


def spec_of(model: int, edition: int, version: int = 0) -> ModelLaunchSpec:
    """Return a model's launch spec; another edition is what remains after somebody changed its settings.

    Model 1 has an idle time-to-live. Each version has files of its own.
    """
    settings = ModelSettings(
        idle_ttl_s=IDLE_TTL_S if model == 1 else None, engine_args=("--threads", str(edition + 1))
    )
    return ModelLaunchSpec(
        model_id=model, model_name=f"m{model}", path=Path(f"/m{model}/{version}.gguf"), settings=settings
    )


@dataclass(slots=True)
class _Process:
    """A launch whose process may exist."""

    launch: Launch
    spec: ModelLaunchSpec
    """What it runs, as far as the scheduler knows."""
    at_launch: ModelLaunchSpec
    """What it runs: the version that there was when it was launched."""
    launched: float = 0.0
    state: str = "loading"
    began: float = 0.0
    """When it came into its state."""
    last_used: float = 0.0
    is_used: bool = False
    """Whether it has answered since it became ready."""
    is_suspect: bool = False
    """It takes no new requests: it fell silent, its model was removed or updated, or its file changed."""
    evicted_for: int | None = None
    """The model of the request for which it was stopped."""


@dataclass(slots=True)
class _Broken:
    """What the world remembers of a model's failures, to hold the scheduler to its back-off."""

    spec: ModelLaunchSpec
    count: int
    until: float


@dataclass(frozen=True, slots=True)
class _Wished:
    """A load that was asked for without waiting, or whose swap had begun when its last waiter left."""

    request: Requested
    until: float
    """Before that it may not be dropped."""
    since: float
    """When its version was first asked for."""


@dataclass(slots=True)
class World:
    """Everything around one scheduler."""

    capacity: int
    now: float = 0.0
    waiting: dict[int, Requested] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    holding: dict[int, int] = field(default_factory=dict)
    processes: dict[int, _Process] = field(default_factory=dict)
    wished: dict[int, _Wished] = field(default_factory=dict)
    """By model."""
    models_of: dict[int, int] = field(default_factory=dict)
    """Which model each request ever asked for."""
    versions: dict[int, int] = field(default_factory=dict)
    """Of the models that were updated."""
    broken: dict[int, _Broken] = field(default_factory=dict)
    deaths: dict[int, tuple[ModelLaunchSpec, deque[float]]] = field(default_factory=dict)
    alarm: float | None = None
    stop_by: float | None = None
    last_ticket: int = 0
    scheduler: Scheduler = field(init=False)
    history: SwapHistory = field(default_factory=SwapHistory)

    def __post_init__(self) -> None:
        """Start with an empty machine."""
        self.scheduler = Scheduler(capacity=self.capacity, max_wait_s=MAX_WAIT_S, queue_limit=QUEUE_LIMIT)

    # --- what can happen ---

    def request(self, model: int, edition: int, context: int, *, waits: bool = True) -> None:
        """Ask for a model, and wait for it or not."""
        self.last_ticket += 1
        ticket, spec = self.last_ticket, spec_of(model, edition, self.versions.get(model, 0))
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
            self._wish(request)
            self.tell(request)
            return
        self.waiting[ticket] = request
        refused = self.tell(request)
        if backed_off:
            assert ticket in refused, (
                "7: a model that failed a moment ago was tried again, or its client waits"
            )
            assert isinstance(refused[ticket], ModelLoadFailedError), "7: the reason is not told"
        elif open_to_it:
            assert self.holding.get(ticket), "4: a request for the running model did not pass"
        elif was_queue_full:
            assert isinstance(refused.get(ticket), QueueFullError), "the queue has no limit"
        else:
            assert ticket not in refused, "a request was refused that might have waited"

    def give_up(self, ticket: int) -> None:
        """Let a client leave while it waits. Where a process was stopped for its model, the load still follows."""
        request = self.waiting.pop(ticket)
        model = request.spec.model_id
        is_begun = any(p.evicted_for == model for p in self.in_state("stopping").values())
        if is_begun and not any(other.spec.model_id == model for other in self.waiting.values()):
            self._wish(request)
        self.tell(RequestEnded(ticket))

    def stop_waiting(self, ticket: int) -> None:
        """Let a wait end whose client comes back later: the load goes on."""
        self._wish(self.waiting.pop(ticket))
        self.tell(WaitTimedOut(ticket))
        self.tell(RequestEnded(ticket))

    def remove(self, model: int) -> None:
        """Remove a model from the catalogue."""
        self.wished.pop(model, None)
        self.broken.pop(model, None)
        self.deaths.pop(model, None)
        self._clear_evictions_for(model)
        for process in self.processes.values():
            if process.launch.spec.model_id == model and process.state == "ready":
                process.is_suspect = True
        concerned = {t for t, request in self.waiting.items() if request.spec.model_id == model}
        refused = self.tell(ModelRemoved(model))
        assert set(refused) == concerned, "a removal was not told to those that wait for the model"
        assert all(isinstance(error, ModelNotFoundError) for error in refused.values())
        for generation, process in self.processes.items():
            is_held = generation in self.holding.values()
            if process.launch.spec.model_id == model and not is_held:
                assert process.state == "stopping", "a removed model stays in memory"

    def update(self, model: int, *, is_noticed: bool) -> None:
        """Move a model to a newer version; the scheduler learns of it now, or from the next request."""
        self.let_time_pass(_TICK_S)  # no launch is of the same moment
        self.versions[model] = self.versions.get(model, 0) + 1
        if is_noticed:
            for generation, process in list(self.in_state("ready").items()):
                if process.spec.model_id == model:
                    process.is_suspect = True
                    self.tell(Superseded(generation))

    def spoil(self, generation: int) -> None:
        """Overwrite the file of a loaded model."""
        self.processes[generation].is_suspect = True
        self.tell(FileChanged(generation))

    def finish(self, ticket: int) -> None:
        """Let a client be answered."""
        process = self.processes.get(self.holding.pop(ticket))
        if process is not None:
            process.last_used = self.now
            process.is_used = True
        self.tell(RequestEnded(ticket))

    def fall_silent(self, ticket: int) -> None:
        """Let a client hear nothing for too long, and leave."""
        process = self.processes[self.holding[ticket]]
        process.is_suspect = process.state == "ready"
        self.tell(RequestStalled(ticket))
        self.finish(ticket)

    def become_ready(self, generation: int) -> None:
        """End a load; everyone whom it can serve is let in."""
        process = self.processes[generation]
        process.state, process.began, process.last_used = "ready", self.now, self.now
        launch = process.launch
        self.broken.pop(launch.spec.model_id, None)
        is_other_version = process.at_launch.path != process.spec.path
        process.spec = process.at_launch
        wished = self.wished.get(launch.spec.model_id)
        if wished is not None and self._serves(generation, wished.request, wished.since):
            del self.wished[launch.spec.model_id]
        self.tell(BecameReady(generation, process.spec if is_other_version else None))
        assert not any(map(partial(self._is_served_by, generation), self.waiting)), (
            "2: somebody whom the load can serve still waits"
        )

    def fail(self, generation: int) -> None:
        """Break a load; whoever waited for it is told."""
        process = self.processes.pop(generation)
        spec = process.launch.spec
        before = self.broken.get(spec.model_id)
        count = before.count + 1 if before is not None and before.spec == spec else 1
        self._break(spec, count)
        concerned = {t for t, request in self.waiting.items() if request.spec.model_id == spec.model_id}
        refused = self.tell(LoadFailed(generation, ModelLoadFailedError(spec.model_name, "no")))
        assert set(refused) == concerned, "7: a failure was not told to its waiters, or to somebody else too"
        self.tell(Exited(generation))

    def exit_as_told(self, generation: int) -> None:
        """End a process that was stopped. What it was stopped for comes, unless another model took the place."""
        process = self.processes.pop(generation)
        model = process.evicted_for
        wished = None if model is None else self.wished.get(model)
        if model is not None and wished is not None and process.began < wished.until:
            # It was not over yet when the process was told to stop for it, and does not expire before its turn.
            until = max(wished.until, self.now + PENDING_LOAD_S)
            self.wished[model] = replace(wished, until=until)
        holders = self._lose_holders(generation)
        self.tell(Exited(generation))
        if model is not None:
            is_there = model in {p.launch.spec.model_id for p in self.processes.values()}
            assert is_there or len(self.processes) == self.capacity, (
                "6: a model was evicted for a load that does not follow"
            )
        for ticket in holders:
            self.tell(RequestEnded(ticket))

    def die(self, generation: int) -> None:
        """End a process that nobody stopped."""
        spec = self.processes.pop(generation).spec
        known, times = self.deaths.get(spec.model_id, (spec, deque()))
        times = times if known == spec else deque()
        times = deque(time for time in (*times, self.now) if time > self.now - CRASH_LOOP_WINDOW_S)
        self.deaths[spec.model_id] = spec, times
        if len(times) >= CRASH_LOOP_DEATHS:
            self._break(spec, len(times) - CRASH_LOOP_DEATHS + 1)
        holders = self._lose_holders(generation)
        self.tell(Died(generation, "bang"))
        for ticket in holders:
            self.tell(RequestEnded(ticket))
        self.tell(Exited(generation))

    def ask_to_stop(self, patience_s: float) -> None:
        """Stop everything, as the user does."""
        self.broken.clear()
        self.deaths.clear()
        self.wished.clear()
        for process in self.processes.values():
            process.evicted_for = None
        deadline = self.now + patience_s
        there = [p for p in self.processes.values() if p.state != "stopping"]
        self.stop_by = deadline if self.stop_by is None or not there else min(self.stop_by, deadline)
        self.tell(StopRequested(deadline))

    def let_time_pass(self, seconds: float) -> None:
        """Let time pass; the scheduler is woken when it asked to be."""
        until = self.now + seconds
        while self.alarm is not None and self.alarm <= until:
            self.now, self.alarm = self.alarm, None
            self.tell(Tick())
            self.check()
        self.now = until

    def in_state(self, state: str) -> dict[int, _Process]:
        """Return the processes in a state, by generation."""
        return {g: process for g, process in self.processes.items() if process.state == state}

    # --- what is asked of the scheduler ---

    def tell(self, event: Event) -> dict[int, Exception]:
        """Send an event and do what the scheduler says, checking each order on the spot; return the refusals."""
        refused: dict[int, Exception] = {}
        effects = self.scheduler.handle(event, self.now)
        self.alarm = next((e.time for e in effects if isinstance(e, WakeAt)), self.alarm)
        self.history.record(event, effects, self.now)
        for effect in effects:
            if isinstance(effect, Refuse):
                del self.waiting[effect.ticket]
                refused[effect.ticket] = effect.error
                assert isinstance(effect.error, _REFUSALS)
            else:
                self._obey(effect)
        self._note_fulfilled_wishes()
        self._note_outdated()
        return refused

    def _note_fulfilled_wishes(self) -> None:
        """Forget the loads whose models are there, also because one that drained takes requests again."""
        for resident in self.scheduler.residents:
            wished = self.wished.get(resident.spec.model_id)
            is_ready = resident.state is ResidentState.READY
            if (
                wished is not None
                and is_ready
                and self._serves(resident.generation, wished.request, wished.since)
            ):
                del self.wished[resident.spec.model_id]

    def _note_outdated(self) -> None:
        """Note what drains because a newer version of its model was asked for: it takes no requests any more.

        That is how the scheduler learns of an update that was not noticed; it lasts when the waiter leaves.
        """
        for resident in self.scheduler.residents:
            process, eviction = self.processes[resident.generation], resident.eviction
            if process.state == "ready" and eviction is not None and eviction.reason is StopReason.UPDATED:
                if not process.is_suspect:
                    assert any(
                        self._is_overdue(ticket)
                        and request.spec.model_id == process.spec.model_id
                        and request.spec.path != process.spec.path
                        for ticket, request in self.waiting.items()
                    ), "4: a version gave way although no request for another one was overdue"
                process.is_suspect = True

    def _obey(self, effect: Effect) -> None:
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
        assert process.state == "ready", "5: somebody was sent to a process that cannot answer"
        assert self._serves(generation, request, self.since[ticket]), "sent to the wrong model, or version"
        assert not process.is_suspect, "sent to a process that had fallen silent"
        if self.capacity == 1:
            for other, waiter in self.waiting.items():
                is_passed_over = other < ticket and waiter.spec.model_id != request.spec.model_id
                was_here = self.since[ticket] > process.began
                assert not (is_passed_over and was_here and self._is_overdue(other)), (
                    "3: a request passed although another one had waited for its turn long enough"
                )
        self.holding[ticket] = generation

    def _launch(self, launch: Launch, generation: int, spec: ModelLaunchSpec) -> None:
        assert generation not in self.processes
        assert spec.model_id not in {p.launch.spec.model_id for p in self.processes.values()}, (
            "5: two launches of one model"
        )
        served = [request for request in self.waiting.values() if request.spec.model_id == spec.model_id]
        wished = self.wished.get(spec.model_id)
        assert served or wished, "a launch that nobody waits for"
        if not served and wished is not None:
            assert not self.waiting or self.capacity > 1, (
                "6: a load that nobody waits for came before one that somebody waits for"
            )
            served = [wished.request]
        assert all(request.needed_ctx <= launch.context for request in served), "2: one load serves not all"
        assert not self._is_backed_off(spec), "7: a model that failed a moment ago was launched again"
        assert launch.ticket == min(request.ticket for request in served), "a launch names the wrong request"
        self._clear_evictions_for(spec.model_id)
        current = replace(spec, path=spec_of(spec.model_id, 0, self.versions.get(spec.model_id, 0)).path)
        self.processes[generation] = _Process(
            launch, spec, current, launched=self.now, began=self.now, last_used=self.now
        )
        assert len(self.processes) <= self.capacity, "5: more processes than allowed"

    def _stop(self, generation: int, reason: StopReason, ticket: int | None) -> None:
        process = self.processes[generation]
        if ticket is not None:
            process.evicted_for = self.models_of[ticket]
            wished = self.wished.get(self.models_of[ticket])
            if wished is not None and wished.request.ticket == ticket:
                self._check_that_a_wish_may_evict(process, self.models_of[ticket])
        is_held = generation in self.holding.values()
        may_be_killed = self.stop_by is not None and self.now >= self.stop_by - _JUST
        assert not is_held or may_be_killed, "1: a request in flight was killed"
        if reason is StopReason.EXPIRED:
            assert process.launch.spec.model_id == 1, "it has no time-to-live"
            assert self.now >= process.last_used + IDLE_TTL_S - _JUST, (
                "it went before its time-to-live was over"
            )
        if reason in {StopReason.IDLE, StopReason.OVERDUE, StopReason.UNWANTED}:
            # Another model's waiter, or one of its own who needs more context than it has.
            others = [self._is_served_by(generation, ticket) for ticket in self.waiting]
            others += [
                self._serves(generation, wished.request, wished.since) for wished in self.wished.values()
            ]
            assert not all(others), "5: a model was evicted for nobody"
        if reason is StopReason.UNWANTED:
            assert process.state == "loading"
            assert not any(map(partial(self._is_served_by, generation), self.waiting)), (
                "6: a load was stopped that somebody waited for"
            )
        process.state, process.began = "stopping", self.now

    def _check_that_a_wish_may_evict(self, process: _Process, model: int) -> None:
        """See that only an idle model goes for a load that nobody waits for, and only after time to be used."""
        assert process.state == "ready", "6: a load was stopped for one that nobody waits for"
        is_kept = not process.is_used and self.now < process.began + UNUSED_GRACE_S - _JUST
        assert not is_kept or process.launch.spec.model_id == model, (
            "6: a model went before the client that had it loaded was back"
        )

    # --- what always holds ---

    def check(self) -> None:
        """Check what holds after every event, whatever happened."""
        residents = self.scheduler.residents
        assert {w.ticket for w in self.scheduler.waiters} == set(self.waiting), (
            "6: the books differ on who waits"
        )
        assert {r.generation for r in residents} == set(self.processes), "5: the books differ on who runs"
        assert len(self.processes) <= self.capacity, "5: more processes than allowed"
        held = {(t, r.generation) for r in residents for t in r.holders}
        assert held == set(self.holding.items()), "the books differ on who holds whom"
        for resident in residents:
            if resident.state is ResidentState.READY:
                assert not any(map(partial(self._is_served_by, resident.generation), self.waiting)), (
                    "2: somebody waits for a model that is ready"
                )
            if resident.state is ResidentState.DRAINING and self.stop_by is None:
                is_silent = self.processes[resident.generation].is_suspect
                assert is_silent or any(map(self._is_overdue, self.waiting)), (
                    "4: a drain before anybody's time"
                )
        for generation, process in self.processes.items():
            if process.is_suspect and generation not in self.holding.values():
                assert process.state == "stopping", "a model that takes no more requests stays in memory"
        self._check_that_something_is_coming()
        self._check_starvation()
        self._check_unwanted_loads()
        if not any(p.state != "stopping" for p in self.processes.values()):
            self.stop_by = None

    def _check_that_something_is_coming(self) -> None:
        is_moving = self.holding or any(p.state != "ready" for p in self.processes.values())
        if self.waiting and not is_moving:
            assert self.alarm is not None, "3: somebody waits, and nothing will ever happen"
            deadline = self.since[min(self.waiting)] + MAX_WAIT_S
            assert self.alarm <= deadline + _JUST, "3: somebody waits for an idle model beyond max_wait"
        if not self.waiting and not is_moving and any(self.now < w.until for w in self.wished.values()):
            assert self.processes, "6: a load is pending, and there is room"
            assert self.alarm is not None, "6: a load is pending, and nothing will ever happen"

    def _check_starvation(self) -> None:
        """Once the oldest waiter is past ``max_wait``, with one place, whoever runs takes nobody new."""
        if not self.waiting or self.capacity != 1:
            return
        oldest = min(self.waiting)
        if self._is_overdue(oldest) and self._alarm_has_rung(oldest):
            states = {r.state for r in self.scheduler.residents}
            assert states, "3: somebody waits although there is room"
            assert ResidentState.READY not in states, "3: somebody starves"

    def _check_unwanted_loads(self) -> None:
        """See that a load that nobody waits for gives way to whoever waits for another model: but see ``residents``."""
        if len(self.processes) < self.capacity or self.capacity != 1:
            return
        for resident in self.scheduler.residents:
            is_wanted = any(map(partial(self._is_served_by, resident.generation), self.waiting))
            if resident.state is ResidentState.LOADING and not is_wanted and self.waiting:
                oldest = min(self.waiting)
                assert resident.is_protected, "6: a load that nobody waits for keeps somebody waiting"
                assert not (self._is_overdue(oldest) and self._alarm_has_rung(oldest)), (
                    "6: an abandoned load keeps somebody waiting beyond max_wait"
                )

    # --- the end ---

    def run_out(self) -> None:
        """Calm: nobody new comes, loads succeed, answers last ``HOLD_S``. Everyone is served, in bounded time."""
        turn_s = HOLD_S + STOP_S + LOAD_S
        limit = self.now + 2 * MAX_WAIT_S + (MODELS + 2) * 2 * turn_s
        done: dict[int, float] = {}
        while self.waiting or self.holding:
            assert self.now < limit, "3: somebody is not served although nothing stands in the way"
            self._take_one_step(done)
            self.check()
        self._run_out_of_wishes(done, 2 * MODELS * turn_s)

    def _run_out_of_wishes(self, done: dict[int, float], within_s: float) -> None:
        """Renew every wish for a load; without anybody else's, each is fulfilled before it expires."""
        for model, wished in list(self.wished.items()):
            if not self._is_backed_off(wished.request.spec):
                self.request(model, 0, CONTEXTS[0], waits=False)
        limit = self.now + within_s
        while any(self.now < wished.until for wished in self.wished.values()):
            assert self.now < limit, (
                "6: a load that was asked for does not come although nothing stands in the way"
            )
            self._take_one_step(done)
            self.check()

    def _take_one_step(self, done: dict[int, float]) -> None:
        """Let happen what comes next: a load's, an answer's or a stop's end, or a wake-up."""
        ends: list[tuple[float, int, int]] = []
        for generation, process in self.processes.items():
            if process.state != "ready":
                lasts_s = LOAD_S if process.state == "loading" else STOP_S
                ends.append((max(self.now, process.began + lasts_s), 0, generation))
        ends += [(done.setdefault(ticket, self.now + HOLD_S), 1, ticket) for ticket in self.holding]
        at, kind, number = min(ends, default=(float("inf"), 2, 0))
        if self.alarm is not None and self.alarm <= at:
            self.let_time_pass(self.alarm - self.now)
            return
        assert at < float("inf"), "3: somebody waits, and nothing will ever happen"
        self.let_time_pass(at - self.now)
        if kind == 1:
            self.finish(number)
        elif self.processes[number].state == "loading":
            self.become_ready(number)
        else:
            self.exit_as_told(number)

    # --- books ---

    def _wish(self, request: Requested) -> None:
        """Take note of a load that is asked for: as large as the largest such request needs."""
        known = self.wished.get(request.spec.model_id)
        since = self.now
        if known is not None and known.request.spec.path == request.spec.path:
            since = known.since
        if known is not None and known.request.spec == request.spec and self.now < known.until:
            context = max(known.request.needed_ctx, request.needed_ctx)
            request = replace(request, needed_ctx=context, launch_ctx=context)
        self.wished[request.spec.model_id] = _Wished(request, self.now + PENDING_LOAD_S, since)

    def _lose_holders(self, generation: int) -> list[int]:
        lost = [ticket for ticket, held in self.holding.items() if held == generation]
        for ticket in lost:
            del self.holding[ticket]
        return lost

    def _clear_evictions_for(self, model: int) -> None:
        for process in self.processes.values():
            if process.evicted_for == model:
                process.evicted_for = None

    def _break(self, spec: ModelLaunchSpec, count: int) -> None:
        self.wished.pop(spec.model_id, None)
        self._clear_evictions_for(spec.model_id)
        backoff_s = min(INITIAL_BACKOFF_S * 2 ** (count - 1), MAX_BACKOFF_S)
        self.broken[spec.model_id] = _Broken(spec, count, self.now + backoff_s)

    def _is_backed_off(self, spec: ModelLaunchSpec) -> bool:
        broken = self.broken.get(spec.model_id)
        return broken is not None and broken.spec == spec and self.now < broken.until

    def _is_overdue(self, ticket: int) -> bool:
        return self.now >= self.since[ticket] + MAX_WAIT_S

    def _alarm_has_rung(self, ticket: int) -> bool:
        """Whether the scheduler has had an event since the waiter's time was over: time alone tells it nothing."""
        return self.alarm is None or self.alarm > self.now or self.now > self.since[ticket] + MAX_WAIT_S

    def _is_served_by(self, generation: int, ticket: int) -> bool:
        return self._serves(generation, self.waiting[ticket], self.since[ticket])

    def _serves(self, generation: int, request: Requested, since: float) -> bool:
        """Whether a launch is what a request of that time asks for: of its model, its version or a newer one."""
        process = self.processes[generation]
        return (
            process.spec.model_id == request.spec.model_id
            and request.needed_ctx <= process.launch.context
            and (process.spec.path == request.spec.path or process.launched >= since)
        )

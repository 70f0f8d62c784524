"""A machine, its engines and its clients in virtual time: minutes of traffic in milliseconds.

It drives any policy that uses the scheduler's events and effects, and enforces its invariants: an impossible order (two
engines where one fits, a stop during a request in flight) ends the run. It uses no wall clock and no random numbers:
the same clients and the same policy give the same run.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from gglib.core.errors import ModelLoadFailedError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import (
    BecameReady,
    Effect,
    Event,
    Exited,
    Grant,
    Launch,
    LoadFailed,
    Refuse,
    Requested,
    RequestEnded,
    Stop,
    Tick,
    WakeAt,
)

CONTEXT = 8192
SLOTS = 4
TOTAL_WAIT_S = 600.0
"""The total wait limit, as in the runtime: a request that is not admitted by then is lost."""


class Policy(Protocol):
    """The scheduler's interface: decides which model runs next."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Process an event at time ``now`` (seconds) and return the effects, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The cost of one model's launch on this machine."""

    spec: ModelLaunchSpec
    load_s: float
    stop_s: float
    size: DeviceBytes = field(default_factory=dict, hash=False)
    """Its memory, by device."""
    fails_after_s: float | None = None
    """For a broken model: every load fails after this time."""

    @property
    def is_good(self) -> bool:
        """Whether it can be loaded."""
        return self.fails_after_s is None


@dataclass(frozen=True, slots=True)
class Think:
    """The client pauses."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """The client sends a request, and continues when it is served, refused, or timed out in the queue."""

    model: Model
    service_s: float
    patience_s: float = TOTAL_WAIT_S


Client = Generator[Think | Ask, None, None]


class Outcome(Enum):
    """How a request ended."""

    SERVED = "served"
    REFUSED = "refused"
    GAVE_UP = "gave up"


@dataclass(slots=True)
class Record:
    """The history of one request. Times are in seconds since the start."""

    ask: Ask
    client: Client
    asked_at: float
    granted_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None

    @property
    def wait_s(self) -> float | None:
        """Time from the request to its admission; None if it was never admitted."""
        return None if self.granted_at is None else self.granted_at - self.asked_at


@dataclass(frozen=True, slots=True)
class Run:
    """The history of a run."""

    records: tuple[Record, ...]
    launched: tuple[str, ...]
    """The model of each launch, in order."""


class SimulationError(Exception):
    """A policy gave an order that cannot be carried out."""


@dataclass(slots=True)
class Engine:
    """One launch of a model."""

    generation: int
    model: Model
    is_ready: bool = False
    is_stopping: bool = False
    has_made_way: bool = False
    """Whether it stops beside the next load: it takes its memory, and does not count as an engine."""
    serving: set[int] = field(default_factory=set)
    queue: deque[int] = field(default_factory=deque)
    """Admitted, but without a free slot: the engine serves them when a slot is free."""


class Simulation:
    """One run. ``capacity`` is the number of engines that fit into the machine, ``budget`` its memory by device.

    ``swap_factor`` scales the duration of every load and every stop: another machine.
    """

    def __init__(
        self,
        policy: Policy,
        clients: Iterable[Client],
        *,
        capacity: int = 1,
        budget: DeviceBytes | None = None,
        swap_factor: float = 1.0,
    ) -> None:
        self._policy = policy
        self._capacity = capacity
        self._budget = budget or {}
        self._swap_factor = swap_factor
        self._now = 0.0
        self._order = itertools.count()  # events at the same time run in the order in which they were planned
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._tickets = itertools.count(1)
        self._records: dict[int, Record] = {}
        self._engines: dict[int, Engine] = {}
        self._launched: list[str] = []
        self._models: dict[int, Model] = {}
        self._events: deque[Event] = deque()
        self._is_telling = False
        self._alarms = 0
        for client in clients:
            self._after(0, lambda client=client: self._go_on(client))  # type: ignore[misc]

    def run(self) -> Run:
        """Run all events. Raises SimulationError if the policy gives an impossible order."""
        while self._agenda:
            self._now, _, happen = heapq.heappop(self._agenda)
            happen()
        return Run(tuple(self._records.values()), tuple(self._launched))

    # --- times, which a machine with more detail replaces ---

    def load_s(self, engine: Engine) -> float:
        """Return how long the load of an engine takes that is launched now."""
        model = engine.model
        seconds = model.load_s if model.fails_after_s is None else model.fails_after_s
        return seconds * self._swap_factor

    def service_s(self, ticket: int, engine: Engine) -> float:  # noqa: ARG002 - of use to subclasses
        """Return how long a request takes whose slot is free now."""
        return self._records[ticket].ask.service_s

    def stop_s(self, engine: Engine) -> float:
        """Return how long the stop of an engine takes that begins now."""
        return engine.model.stop_s * self._swap_factor

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self._now + seconds, next(self._order), happen))

    # --- clients ---

    def _go_on(self, client: Client) -> None:
        match next(client, None):
            case Think(seconds):
                self._after(seconds, lambda: self._go_on(client))
            case Ask() as ask:
                self._ask(ask, client)
            case None:
                pass

    def _ask(self, ask: Ask, client: Client) -> None:
        ticket = next(self._tickets)
        self._models[ask.model.spec.model_id] = ask.model
        self._records[ticket] = Record(ask, client, self._now)
        self._after(ask.patience_s, lambda: self._lose_patience(ticket))
        self._tell(Requested(ticket, ask.model.spec, CONTEXT, CONTEXT, size=ask.model.size))

    def _lose_patience(self, ticket: int) -> None:
        record = self._records[ticket]
        if record.granted_at is None and record.outcome is None:
            self._end(ticket, Outcome.GAVE_UP)

    def _end(self, ticket: int, outcome: Outcome) -> None:
        """Close a request: the policy receives the event before its client continues."""
        record = self._records[ticket]
        record.ended_at, record.outcome = self._now, outcome
        self._tell(RequestEnded(ticket))
        self._after(0, lambda: self._go_on(record.client))

    # --- the policy ---

    def _tell(self, event: Event) -> None:
        """Pass an event to the policy and carry out its effects; events that occur meanwhile follow in order."""
        self._events.append(event)
        if self._is_telling:
            return
        self._is_telling = True
        while self._events:
            for effect in self._policy.handle(self._events.popleft(), self._now):
                self._carry_out(effect)
        self._is_telling = False

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Grant(ticket, generation):
                self._grant(ticket, generation)
            case Refuse(ticket, _):
                self._end(ticket, Outcome.REFUSED)
            case Launch(generation, spec, _):
                self._launch(generation, self._models[spec.model_id])
            case Stop(generation, eviction):
                self._check_reason(generation, None if eviction is None else eviction.ticket)
                self._stop(generation)
            case WakeAt(time):
                self._alarms += 1
                alarm = self._alarms
                self._after(time - self._now, lambda: self._wake(alarm))

    def _wake(self, alarm: int) -> None:
        if alarm == self._alarms:  # a later request replaces an earlier one
            self._tell(Tick())

    # --- engines ---

    def _launch(self, generation: int, model: Model) -> None:
        counted = sum(not engine.has_made_way for engine in self._engines.values())
        if counted >= self._capacity or not self._fits(model, *self._resident_models()):
            raise SimulationError(f"no room for {model.spec.model_name} at {self._now}")
        self._engines[generation] = Engine(generation, model)
        self._launched.append(model.spec.model_name)
        self._after(self.load_s(self._engines[generation]), lambda: self._finish_load(generation))

    def _resident_models(self) -> list[Model]:
        return [engine.model for engine in self._engines.values()]

    def _fits(self, *models: Model) -> bool:
        """Whether these models together stay within the budget of each device."""
        return all(
            sum(model.size.get(device, 0) for model in models) <= limit
            for device, limit in self._budget.items()
        )

    def _check_reason(self, generation: int, ticket: int | None) -> None:
        """Check that an eviction is for a model that can fit."""
        if ticket is not None and not self._fits(self._records[ticket].ask.model):
            name = self._engines[generation].model.spec.model_name
            raise SimulationError(f"{name} was evicted for what cannot fit at {self._now}")

    def _finish_load(self, generation: int) -> None:
        engine = self._engines.get(generation)
        if engine is None or engine.is_stopping:
            return
        if engine.model.is_good:
            engine.is_ready = True
            self._tell(BecameReady(generation))
            return
        del self._engines[generation]
        self._tell(LoadFailed(generation, ModelLoadFailedError(engine.model.spec.model_name, "broken")))
        self._tell(Exited(generation))

    def _grant(self, ticket: int, generation: int) -> None:
        engine, record = self._engines[generation], self._records[ticket]
        if not engine.is_ready or engine.is_stopping or engine.model is not record.ask.model:
            raise SimulationError(f"{ticket} was sent to an engine that cannot answer it at {self._now}")
        if record.outcome is not None or record.granted_at is not None:
            raise SimulationError(f"{ticket} was granted at {self._now}, which is not waiting")
        record.granted_at = self._now
        engine.queue.append(ticket)
        self._fill_slots(engine)

    def _fill_slots(self, engine: Engine) -> None:
        while engine.queue and len(engine.serving) < SLOTS:
            ticket = engine.queue.popleft()
            engine.serving.add(ticket)
            self._after(
                self.service_s(ticket, engine),
                lambda ticket=ticket: self._finish(ticket, engine),  # type: ignore[misc]
            )

    def _finish(self, ticket: int, engine: Engine) -> None:
        engine.serving.remove(ticket)
        self._fill_slots(engine)
        self._end(ticket, Outcome.SERVED)

    def _stop(self, generation: int) -> None:
        engine = self._engines[generation]
        if engine.serving or engine.queue or engine.is_stopping:
            raise SimulationError(f"{engine.model.spec.model_name} was stopped in use at {self._now}")
        engine.is_stopping = True
        self._begin_stop(engine)

    def _begin_stop(self, engine: Engine) -> None:
        self._after(self.stop_s(engine), lambda: self._exit(engine.generation))

    def _exit(self, generation: int) -> None:
        del self._engines[generation]
        self._tell(Exited(generation))

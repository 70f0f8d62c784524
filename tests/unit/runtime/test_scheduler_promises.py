"""The scheduler's promises as invariants over arbitrary interleavings."""

from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.messages import (
    BecameReady,
    Event,
    Exited,
    Grant,
    Launch,
    Left,
    LoadFailed,
    Refuse,
    Requested,
    Stop,
    TimePassed,
    WakeAt,
)
from gglib.runtime.scheduler import ResidentState, Scheduler

MAX_WAIT_S = 15.0
SPECS = [ModelLaunchSpec(model_id=n, model_name=f"m{n}", path=Path(f"/m{n}.gguf")) for n in range(1, 5)]


class SchedulerPromises(RuleBasedStateMachine):
    """A world of clients and processes around the scheduler, which keeps books of its own."""

    @initialize(capacity=st.integers(1, 3))
    def begin(self, capacity: int) -> None:
        """Start with an empty machine."""
        self.capacity = capacity
        self.scheduler = Scheduler(capacity=capacity, max_wait_s=MAX_WAIT_S)
        self.now = 0.0
        self.next_ticket = 1
        self.waiting: dict[int, Requested] = {}
        self.since: dict[int, float] = {}
        self.holding: dict[int, int] = {}
        self.loading: dict[int, Launch] = {}
        self.ready: dict[int, Launch] = {}
        self.stopping: dict[int, Launch] = {}

    def tell(self, event: Event) -> None:
        """Send an event and do what the scheduler says, checking each order on the spot."""
        for effect in self.scheduler.handle(event, self.now):
            match effect:
                case Grant(ticket, generation):
                    launch = self.ready[generation]
                    request = self.waiting.pop(ticket)
                    assert launch.spec == request.spec
                    assert launch.context >= request.needed_ctx
                    self.holding[ticket] = generation
                case Launch(generation, spec, _):
                    assert generation not in self.everything
                    assert spec.model_id not in {launch.spec.model_id for launch in self.everything.values()}
                    assert any(request.spec == spec for request in self.waiting.values())
                    self.loading[generation] = effect
                case Stop(generation):
                    assert generation not in self.holding.values(), "a request in flight was killed"
                    launch = (self.loading if generation in self.loading else self.ready).pop(generation)
                    self.stopping[generation] = launch
                case Refuse(ticket, _):
                    del self.waiting[ticket]
                case WakeAt(time):
                    assert time > self.now

    @property
    def everything(self) -> dict[int, Launch]:
        """Every launch whose process may exist."""
        return {**self.loading, **self.ready, **self.stopping}

    @rule(spec=st.sampled_from(SPECS), context=st.sampled_from([2048, 8192, 32768]))
    def request(self, spec: ModelLaunchSpec, context: int) -> None:
        """Ask for a model."""
        ticket, self.next_ticket = self.next_ticket, self.next_ticket + 1
        self.waiting[ticket] = Requested(ticket, spec, context, context)
        self.since[ticket] = self.now
        self.tell(self.waiting[ticket])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """Leave while waiting."""
        ticket = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[ticket]
        self.tell(Left(ticket))

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Be done with an answer."""
        ticket = data.draw(st.sampled_from(sorted(self.holding)))
        del self.holding[ticket]
        self.tell(Left(ticket))

    @precondition(lambda self: self.loading)
    @rule(data=st.data())
    def become_ready(self, data: st.DataObject) -> None:
        """Finish a load."""
        generation = data.draw(st.sampled_from(sorted(self.loading)))
        self.ready[generation] = self.loading.pop(generation)
        self.tell(BecameReady(generation))

    @precondition(lambda self: self.loading)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        """Break a load, and check that whoever waited for it is told."""
        generation = data.draw(st.sampled_from(sorted(self.loading)))
        launch = self.loading.pop(generation)
        concerned = [t for t, request in self.waiting.items() if request.spec == launch.spec]
        self.tell(LoadFailed(generation, ModelLoadFailedError(launch.spec.model_name, "no")))
        assert not set(concerned) & set(self.waiting)
        self.tell(Exited(generation))

    @precondition(lambda self: self.stopping)
    @rule(data=st.data())
    def exit_as_told(self, data: st.DataObject) -> None:
        """End a process that was stopped."""
        generation = data.draw(st.sampled_from(sorted(self.stopping)))
        del self.stopping[generation]
        self.tell(Exited(generation))

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """End a process that nobody stopped."""
        generation = data.draw(st.sampled_from(sorted(self.ready)))
        del self.ready[generation]
        self.holding = {t: g for t, g in self.holding.items() if g != generation}
        self.tell(Exited(generation))

    @rule(seconds=st.floats(0.1, 40))
    def let_time_pass(self, seconds: float) -> None:
        """Wait."""
        self.now += seconds
        self.tell(TimePassed())

    @invariant()
    def never_more_than_allowed(self) -> None:
        """No more processes than the capacity, those on their way out included."""
        assert len(self.everything) <= self.capacity

    @invariant()
    def all_waiters_of_a_ready_model_are_granted(self) -> None:
        """Whoever waits for a model that takes requests, and is large enough, does not wait."""
        for resident in self.scheduler.residents:
            if resident.state is ResidentState.READY:
                for request in self.waiting.values():
                    assert request.spec != resident.spec or request.needed_ctx > resident.context

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """While somebody waits, something is loading, stopping, or busy: no deadlock."""
        if self.waiting:
            assert self.loading or self.stopping or self.holding

    @invariant()
    def nobody_starves(self) -> None:
        """Once the oldest waiter is past ``max_wait_s``, something makes way for it or loads for it."""
        if not self.waiting:
            return
        oldest = min(self.waiting)
        if self.now >= self.since[oldest] + MAX_WAIT_S and not self.loading and not self.stopping:
            assert any(r.state is ResidentState.DRAINING for r in self.scheduler.residents)


TestSchedulerPromises = SchedulerPromises.TestCase
TestSchedulerPromises.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)

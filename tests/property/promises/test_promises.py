"""The scheduler's promises hold in thousands of sequences; ``scripts/check_promises.py`` runs many more."""

import os
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .choices import NUMBERS, one_of
from .world import CONTEXTS, MODELS, World

EXAMPLES = int(os.environ.get("GGLIB_PROMISE_EXAMPLES", 20 * settings().max_examples))
SEED = os.environ.get("GGLIB_PROMISE_SEED")
"""A seed makes a run reproducible; without a seed, hypothesis replays stored failures."""
PHASES = (Phase.generate,) if "GGLIB_PROMISE_UNSHRUNK" in os.environ else tuple(Phase)
"""Without shrinking if only the failure matters, not the shortest sequence."""
STEPS = 30
POPULARITY = (1, 1, 2, 2, 3, 4)
CHANGES = (
    (0, CONTEXTS[0]),
    (0, CONTEXTS[0]),
    (0, CONTEXTS[0]),
    (0, CONTEXTS[1]),
    (0, CONTEXTS[2]),
    (1, CONTEXTS[0]),
)
"""Edition of the spec and needed context: most requests are alike."""
DISTURBANCES = (
    "fail",
    "fail",
    "die",
    "die",
    "stall",
    "stop",
    "remove",
    "change_file",
    "update",
    "update",
    "make_way",
)


class SchedulerPromises(RuleBasedStateMachine):
    """Hypothesis chooses the next step in the environment of the scheduler."""

    is_intact = False

    @initialize(capacity=one_of([1, 1, 2, 3]))
    def begin(self, capacity: int) -> None:
        """Start without residents."""
        self.world = World(capacity)

    @rule(model=one_of(POPULARITY), change=one_of(CHANGES))
    def request(self, model: int, change: tuple[int, int]) -> None:
        """Request a model."""
        self.world.request(model, *change)

    @precondition(lambda self: self.world.processes)
    @rule(number=NUMBERS)
    def request_what_is_there(self, number: int) -> None:
        """Request a model that is loading, loaded or being unloaded."""
        launch = self.world.processes[pick(self.world.processes, number)].launch
        self.world.request(launch.spec.model_id, 0, CONTEXTS[0])

    @rule(model=one_of(POPULARITY), change=one_of(CHANGES))
    def request_without_waiting(self, model: int, change: tuple[int, int]) -> None:
        """Request a model without waiting (``Prefer: wait=0``)."""
        self.world.request(model, *change, waits=False)

    @precondition(lambda self: self.world.waiting)
    @rule(number=NUMBERS)
    def time_out(self, number: int) -> None:
        """Time out a wait (``Prefer: wait=N``)."""
        self.world.time_out(pick(self.world.waiting, number))

    @precondition(lambda self: self.world.waiting)
    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        """Cancel a waiting request."""
        self.world.cancel(pick(self.world.waiting, number))

    @precondition(lambda self: self.world.holding)
    @rule(number=NUMBERS)
    def finish(self, number: int) -> None:
        """Finish a request."""
        self.world.finish(pick(self.world.holding, number))

    @precondition(lambda self: self.world.in_state("loading"))
    @rule(number=NUMBERS)
    def become_ready(self, number: int) -> None:
        """Finish a load."""
        self.world.become_ready(pick(self.world.in_state("loading"), number))

    @precondition(lambda self: self.world.in_state("stopping"))
    @rule(number=NUMBERS)
    def exit_stopped(self, number: int) -> None:
        """Finish the exit of a process that was stopped or died."""
        self.world.exit_stopped(pick(self.world.in_state("stopping"), number))

    @precondition(lambda self: self.world.in_state("stopping"))
    @rule(number=NUMBERS)
    def make_way(self, number: int) -> None:
        """Let the next load begin beside a stop."""
        self.world.make_way(pick(self.world.in_state("stopping"), number))

    @rule(kind=one_of(DISTURBANCES), number=NUMBERS)
    def disturb(self, kind: str, number: int) -> None:
        """Fail a load, kill or update a loaded model, or stop all: a single rule, so that most steps are ordinary."""
        world = self.world
        if kind == "fail" and (loading := world.in_state("loading")):
            world.fail(pick(loading, number))
        elif kind == "die" and (ready := world.in_state("ready")):
            world.die(pick(ready, number))
        elif kind == "stall" and world.holding:
            world.stall(pick(world.holding, number))
        elif kind == "remove":
            world.remove(1 + number % MODELS)
        elif kind == "change_file" and (ready := world.in_state("ready")):
            world.change_file(pick(ready, number))
        elif kind == "update":
            world.update(1 + number % MODELS, is_noticed=number % 3 != 0)
        elif kind == "make_way":  # also of a process that has exited, or does not stop
            world.make_way(1 + number % (1 + max(world.processes, default=1)))
        elif kind == "stop":
            world.stop_all((0.0, 5.0, 20.0)[number % 3])

    @rule(seconds=one_of([0.05, 0.3, 1.0, 4.0, 14.9, 15.0, 40.0]))
    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self.world.advance(seconds)

    @invariant()
    def promises(self) -> None:
        """Check the invariants."""
        self.is_intact = False
        self.world.check()
        self.is_intact = True

    def teardown(self) -> None:
        """All requests that still wait at the end are served."""
        if self.is_intact:  # otherwise a failure is being reported already
            self.world.run_out()


def pick(among: Mapping[int, object], number: int) -> int:
    """Return one of the keys."""
    return sorted(among)[number % len(among)]


_SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSchedulerPromises = pytest.mark.timeout(1800)(SchedulerPromises.TestCase)
TestSchedulerPromises.settings = _SETTINGS
if SEED is not None:
    TestSchedulerPromises.settings = settings(_SETTINGS, database=None)
    TestSchedulerPromises = seed(int(SEED))(TestSchedulerPromises)

"""The promises about memory, pins and priorities hold in thousands of sequences."""

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gglib.core.priority import Priority

from .choices import NUMBERS, one_of
from .memory_world import BUDGET, CONTEXT, LARGE_CONTEXT, SIZES, MemoryWorld
from .test_promises import EXAMPLES, PHASES, SEED, STEPS, pick

MODELS = one_of((1, 1, 2, 2, 3, 4, 4, 5, 6, 7))
CONTEXTS = one_of((CONTEXT, CONTEXT, CONTEXT, LARGE_CONTEXT))
PRIORITIES = one_of((Priority.INTERACTIVE, Priority.INTERACTIVE, Priority.BATCH))
KINDS = ("out of memory", "die", "measure", "free", "pin", "budget", "make_way")
FREE: tuple[dict[str, int], ...] = ({}, {}, {"ram": 70}, {"ram": 35, "gpu0": 40}, {"gpu0": 0})


class MemoryPromises(RuleBasedStateMachine):
    """Hypothesis chooses the next step on a machine with limited memory."""

    is_intact = False

    @initialize(capacity=one_of([1, 2, 64, 64, 64]), has_budget=one_of([True, True, False]))
    def begin(self, capacity: int, *, has_budget: bool) -> None:
        """Start without residents; without a budget, a later step sets it."""
        self.world = MemoryWorld(capacity, has_budget)

    @rule(model=MODELS, context=CONTEXTS, priority=PRIORITIES)
    def request(self, model: int, context: int, priority: Priority) -> None:
        """Request a model."""
        self.world.request(model, context, priority)

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

    @rule(kind=one_of(KINDS), number=NUMBERS)
    def disturb(self, kind: str, number: int) -> None:
        """Change memory, budget or pins, or kill a process: a single rule, so that most steps are ordinary."""
        world = self.world
        if kind == "budget" and not world.has_budget:
            world.set_budget()
        elif kind == "out of memory" and world.has_budget and (loading := world.in_state("loading")):
            world.run_out_of_memory(pick(loading, number))
        elif kind == "die" and (ready := world.in_state("ready")):
            world.die(pick(ready, number))
        elif kind == "measure" and (ready := world.in_state("ready")):
            world.measure(pick(ready, number), (80, 100, 105, 120)[number % 4])
        elif kind == "free":
            world.change_free({**BUDGET, **FREE[number % len(FREE)]})
        elif kind == "make_way":  # also of a process that has exited, or does not stop
            world.make_way(1 + number % (1 + max(world.processes, default=1)))
        elif kind == "pin":
            world.pin(frozenset((1 + number % len(SIZES),)) if number % 3 else frozenset())

    @rule(seconds=one_of([0.05, 0.3, 1.0, 4.0, 9.9, 15.0, 40.0]))
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


_SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow],
)
TestMemoryPromises = pytest.mark.timeout(1800)(MemoryPromises.TestCase)
TestMemoryPromises.settings = _SETTINGS
if SEED is not None:
    TestMemoryPromises.settings = settings(_SETTINGS, database=None)
    TestMemoryPromises = seed(int(SEED))(TestMemoryPromises)

"""The scheduler's promises hold in thousands of sequences; ``scripts/check_promises.py`` runs many more."""

import os
from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .world import CONTEXTS, MODELS, World

EXAMPLES = int(os.environ.get("GGLIB_PROMISE_EXAMPLES", "2000"))
SEED = os.environ.get("GGLIB_PROMISE_SEED")
"""A seed makes a run of its own that can be had again; without one, hypothesis remembers what failed."""
PHASES = (Phase.generate,) if "GGLIB_PROMISE_UNSHRUNK" in os.environ else tuple(Phase)
"""Where it only matters whether something fails, nobody needs the shortest sequence that does."""
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
"""Edition of the spec and needed context: most requests want what the one before wanted."""
ACCIDENTS = ("fail", "fail", "die", "die", "fall silent", "stop", "remove", "spoil", "update", "update")


class SchedulerPromises(RuleBasedStateMachine):
    """Hypothesis chooses what happens next in a world around the scheduler."""

    is_intact = False

    @initialize(capacity=st.sampled_from([1, 1, 2, 3]))
    def begin(self, capacity: int) -> None:
        """Start with an empty machine."""
        self.world = World(capacity)

    @rule(model=st.sampled_from(POPULARITY), change=st.sampled_from(CHANGES))
    def request(self, model: int, change: tuple[int, int]) -> None:
        """Ask for a model."""
        self.world.request(model, *change)

    @precondition(lambda self: self.world.processes)
    @rule(number=st.integers(0, 100))
    def request_what_is_there(self, number: int) -> None:
        """Ask for a model that is in memory, or on the way in or out."""
        launch = self.world.processes[_pick(self.world.processes, number)].launch
        self.world.request(launch.spec.model_id, 0, CONTEXTS[0])

    @rule(model=st.sampled_from(POPULARITY), change=st.sampled_from(CHANGES))
    def request_without_waiting(self, model: int, change: tuple[int, int]) -> None:
        """Ask for a model and come back later (``Prefer: wait=0``)."""
        self.world.request(model, *change, waits=False)

    @precondition(lambda self: self.world.waiting)
    @rule(number=st.integers(0, 100))
    def stop_waiting(self, number: int) -> None:
        """Have waited for as long as was said (``Prefer: wait=N``)."""
        self.world.stop_waiting(_pick(self.world.waiting, number))

    @precondition(lambda self: self.world.waiting)
    @rule(number=st.integers(0, 100))
    def give_up(self, number: int) -> None:
        """Leave while waiting."""
        self.world.give_up(_pick(self.world.waiting, number))

    @precondition(lambda self: self.world.holding)
    @rule(number=st.integers(0, 100))
    def finish(self, number: int) -> None:
        """Be done with an answer."""
        self.world.finish(_pick(self.world.holding, number))

    @precondition(lambda self: self.world.in_state("loading"))
    @rule(number=st.integers(0, 100))
    def become_ready(self, number: int) -> None:
        """Finish a load."""
        self.world.become_ready(_pick(self.world.in_state("loading"), number))

    @precondition(lambda self: self.world.in_state("stopping"))
    @rule(number=st.integers(0, 100))
    def exit_as_told(self, number: int) -> None:
        """End a process that was stopped."""
        self.world.exit_as_told(_pick(self.world.in_state("stopping"), number))

    @rule(kind=st.sampled_from(ACCIDENTS), number=st.integers(0, 100))
    def have_an_accident(self, kind: str, number: int) -> None:
        """Break a load, kill or update what is loaded, or stop everything: one rule, so that most sequences go on."""
        world = self.world
        if kind == "fail" and (loading := world.in_state("loading")):
            world.fail(_pick(loading, number))
        elif kind == "die" and (ready := world.in_state("ready")):
            world.die(_pick(ready, number))
        elif kind == "fall silent" and world.holding:
            world.fall_silent(_pick(world.holding, number))
        elif kind == "remove":
            world.remove(1 + number % MODELS)
        elif kind == "spoil" and (ready := world.in_state("ready")):
            world.spoil(_pick(ready, number))
        elif kind == "update":
            world.update(1 + number % MODELS, is_noticed=number % 3 != 0)
        elif kind == "stop":
            world.ask_to_stop((0.0, 5.0, 20.0)[number % 3])

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 4.0, 14.9, 15.0, 40.0]))
    def let_time_pass(self, seconds: float) -> None:
        """Wait."""
        self.world.let_time_pass(seconds)

    @invariant()
    def promises(self) -> None:
        """All that always holds."""
        self.is_intact = False
        self.world.check()
        self.is_intact = True

    def teardown(self) -> None:
        """Everyone who still waits at the end is served."""
        if self.is_intact:  # else there is a failure to be told already
            self.world.run_out()


def _pick(among: Mapping[int, object], number: int) -> int:
    return sorted(among)[number % len(among)]


_SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSchedulerPromises = SchedulerPromises.TestCase
TestSchedulerPromises.settings = _SETTINGS
if SEED is not None:
    TestSchedulerPromises.settings = settings(_SETTINGS, database=None)
    TestSchedulerPromises = seed(int(SEED))(TestSchedulerPromises)

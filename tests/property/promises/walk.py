"""Runs the state machines of the promises with plain random choices: many more sequences in a second.

Hypothesis spends most of its time on the choices themselves, which it needs to shorten a failing sequence. Here the
seed of a sequence determines it: a failure is reported with its seed and its steps, and ``walk`` repeats it.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from hypothesis.stateful import Rule

from .choices import values_of
from .test_memory_promises import MemoryPromises
from .test_promises import STEPS, SchedulerPromises

Machine = SchedulerPromises | MemoryPromises
MACHINES: dict[str, type[Machine]] = {"models": SchedulerPromises, "memory": MemoryPromises}
T = TypeVar("T")


class WalkError(AssertionError):
    """A sequence failed; the message has its seed and its steps."""


def walk(name: str, seed: int) -> int:
    """Run one sequence of a machine and return its number of steps. Raises ``WalkError``."""
    machine_class, source = MACHINES[name], random.Random(seed)  # noqa: S311 - a test
    state = machine_class.setup_state()
    machine = machine_class.__new__(machine_class)  # without what hypothesis needs for its own choices
    steps: list[str] = []
    try:
        _take(machine, state.initializers[0], source, steps)
        rules = _some(state.rules, source)
        for _ in range(source.randint(STEPS // 3, STEPS)):
            possible = [rule for rule in rules if all(holds(machine) for holds in rule.preconditions)]
            if possible:
                _take(machine, source.choice(possible), source, steps)
        machine.teardown()
    except Exception as error:
        lines = "\n".join(steps)
        raise WalkError(f"{name}, seed {seed}: {type(error).__name__}: {error}\n{lines}") from error
    return len(steps)


def _take(machine: Machine, rule: Rule, source: random.Random, steps: list[str]) -> None:
    arguments = {name: source.choice(values_of(strategy)) for name, strategy in rule.arguments.items()}
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    steps.append(f"{rule.function.__name__}({shown})")
    rule.function(machine, **arguments)
    machine.promises()


def _some(rules: Sequence[T], source: random.Random) -> list[T]:
    """Return all rules, or in every other sequence only some: rare states need steps that are not undone at once."""
    if source.random() < 0.5:
        return list(rules)
    return [rule for rule in rules if source.random() < 0.7] or list(rules)

"""Plain random sequences: 300 of each machine in the tests, many more in ``scripts/check_promises.py``."""

import pytest

from .memory_world import MemoryWorld
from .walk import MACHINES, WalkError, walk


def walk_many(machine: str, seeds: range) -> list[int]:
    """Run sequences and return their numbers of steps."""
    return [walk(machine, seed) for seed in seeds]


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_promises_hold(machine: str) -> None:
    """Sequences have at least ten steps, if rules apply."""
    assert max(walk_many(machine, range(300))) > 20


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_a_seed_determines_its_sequence(machine: str) -> None:
    """A failure can be repeated."""
    assert walk_many(machine, range(7, 10)) == walk_many(machine, range(7, 10))


def test_a_failure_has_its_seed_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the reason."""

    def fail(world: MemoryWorld, seconds: float) -> None:
        raise AssertionError("1: a promise is violated")

    monkeypatch.setattr(MemoryWorld, "advance", fail)
    with pytest.raises(
        WalkError, match=r"memory, seed \d+: AssertionError: 1: a promise is violated\nbegin\("
    ):
        walk_many("memory", range(50))

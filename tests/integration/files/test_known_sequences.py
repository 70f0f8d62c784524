"""Short sequences that each exercise one guarantee, compared with the same expected state as the random ones.

Random sequences find unforeseen faults; these immediately detect faults in foreseen places.
"""

from collections.abc import Callable, Iterator

import pytest

from .expected_homes import TARGETS, World
from .tools import shared_tools

Q4, Q8, BIG, ONE = TARGETS


@pytest.fixture
def world() -> Iterator[World]:
    """Yield a world; at the end every home matches its expected state, and everything is deleted."""
    tools = shared_tools()
    world = World(tools.local, tools.zygote, tools.quick, tools.known)
    yield world
    world.close()


def written_then(how: str, what: str) -> Callable[[World], None]:
    """Return a sequence in which the user writes to a model's file, followed by an operation on the model."""

    def run(world: World) -> None:
        expected = world.expected(0)
        world.pull(expected, Q4)
        world.write(expected, 0, 0, how)
        world.check()
        world.go_on(expected, Q4.name, what)

    return run


def elsewhere_then(what: str, *, is_moving: bool) -> Callable[[World], None]:
    """Return a sequence in which a home is copied or moved, followed by an operation in the new place."""

    def run(world: World) -> None:
        world.pull(world.expected(0), Q4)
        world.pull(world.expected(0), Q8)
        expected = world.move(0) if is_moving else world.copy(0)
        assert expected is not None
        world.check()
        world.go_on(expected, Q4.name, what)

    return run


def killed_then_discarded(world: World) -> None:
    """Kill an update in its second shard, check, and discard it."""
    expected = world.expected(0)
    world.pull(expected, BIG)
    world.publish(BIG.repo)
    world.pull_killed(expected, BIG, 1, 700)
    world.check()
    world.discard(expected, BIG)


def killed_then_resumed(world: World) -> None:
    """Kill an update in its projector, check, and resume it."""
    expected = world.expected(0)
    world.pull(expected, BIG)
    world.publish(BIG.repo)
    world.pull_killed(expected, BIG, 2, 700)
    world.check()
    world.pull(expected, BIG)


def set_then_updated(world: World) -> None:
    """Set a context and an alias, and update."""
    expected = world.expected(0)
    world.pull(expected, Q4)
    world.set_context(expected, 0, 512)
    world.set_alias(expected, 0, "a")
    world.check()
    world.publish(Q4.repo)
    world.pull(expected, Q4)
    world.check()
    world.verify(expected)


def updated_then_pruned(world: World) -> None:
    """Update twice, the second time with another projector, and prune."""
    expected = world.expected(0)
    world.pull(expected, Q4)
    world.pull(expected, Q8)
    for _ in range(2):
        world.publish(Q4.repo)
        world.pull(expected, Q4)
        world.check()
        assert world.unexplained(expected) == [], "the older version was not freed"
    world.prune(expected)


def cut_short_upstream(world: World) -> None:
    """Truncate each file of a newer version upstream."""
    expected = world.expected(0)
    world.pull(expected, BIG)
    for number in range(3):
        world.publish(BIG.repo, broken_file=number)
        world.pull(expected, BIG)
        world.check()


def forgotten_then_pulled(world: World) -> None:
    """Remove a model without its files, and pull it again."""
    expected = world.expected(0)
    world.pull(expected, Q4)
    world.remove(expected, 0, with_files=False)
    world.check()
    world.pull(expected, Q4)


def forgotten_then_left(world: World) -> None:
    """Remove a model without its files, and run other commands: the files stay."""
    expected = world.expected(0)
    world.pull(expected, Q4)
    world.remove(expected, 0, with_files=False)
    world.pull(expected, ONE)
    world.verify(expected)
    world.check()


def update_killed_then_removed(world: World) -> None:
    """Kill an update, and remove its model: the update is discarded with the model."""
    expected = world.expected(0)
    world.pull(expected, Q4)
    world.publish(Q4.repo)
    world.pull_killed(expected, Q4, 0, 700)
    world.check()
    world.remove(expected, 0, with_files=False)


def shared_then_removed(world: World) -> None:
    """Remove one of two quantizations, and verify the other."""
    expected = world.expected(0)
    world.pull(expected, Q4)
    world.pull(expected, Q8)
    world.remove(expected, 1, with_files=True)
    world.check()
    world.verify(expected)


def added_twice(world: World) -> None:
    """Add a file of a removed model, beside the model itself."""
    expected = world.expected(0)
    world.pull(expected, ONE)
    world.remove(expected, 0, with_files=False)
    world.add_forgotten(expected)
    world.check()
    world.pull(expected, ONE)
    world.check()
    world.remove(expected, 0, with_files=True)


def put_then_pulled(world: World) -> None:
    """Put a file of the user's at the target path of a pull."""
    expected = world.expected(0)
    world.put_at_target(expected, Q4, 0)
    world.pull(expected, Q4)


SEQUENCES: dict[str, Callable[[World], None]] = {
    **{
        f"{how}, {what}": written_then(how, what)
        for how in ("over", "into", "beside", "delete")
        for what in ("rm", "update", "prune")
    },
    **{f"copy, {what}": elsewhere_then(what, is_moving=False) for what in ("rm", "update", "prune")},
    **{f"move, {what}": elsewhere_then(what, is_moving=True) for what in ("rm", "update", "prune")},
    **{
        one.__name__: one
        for one in (
            killed_then_discarded,
            killed_then_resumed,
            set_then_updated,
            updated_then_pruned,
            cut_short_upstream,
            forgotten_then_pulled,
            forgotten_then_left,
            update_killed_then_removed,
            shared_then_removed,
            added_twice,
            put_then_pulled,
        )
    },
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_known_sequence_holds(world: World, name: str) -> None:
    """Every home matches its expected state after the sequence, and after everything is deleted."""
    SEQUENCES[name](world)
    world.check()
    world.finish()

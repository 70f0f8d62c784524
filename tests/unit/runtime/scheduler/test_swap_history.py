"""What is told of swaps, read off events and effects."""

from collections.abc import Sequence
from pathlib import Path

from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec
from gglib.core.ports import LoadCount, SwapCount, SwapStatus
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Event,
    Exited,
    LoadFailed,
    Requested,
    RequestEnded,
    RequestStalled,
    StopRequested,
    Tick,
)
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.swap_history import SwapHistory, describe_swap

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))


def ask(ticket: int, spec: ModelLaunchSpec, context: int = 8192) -> Requested:
    """Return a request whose id tells its ticket."""
    return Requested(ticket, spec, context, context, f"req-{ticket}")


def told(*story: tuple[float, Event]) -> list[SwapStatus]:
    """Return every swap of a story, as a scheduler and its history live through it."""
    return lived(*story)[0]


def lived(*story: tuple[float, Event]) -> tuple[list[SwapStatus], SwapHistory]:
    """Return every swap of a story, and the history at its end."""
    scheduler, history = Scheduler(max_wait_s=15), SwapHistory()
    swaps: list[SwapStatus] = []
    for now, event in story:
        swaps += history.record(event, scheduler.handle(event, now), now)
    assert history.last(1_000) is None or swaps
    assert sum(counted.count for counted in history.swap_counts) == len(swaps)
    return swaps, history


def reasons(*story: tuple[float, Event]) -> dict[str, int]:
    """Return how many swaps a story had for each reason."""
    return {counted.reason: counted.count for counted in lived(*story)[1].swap_counts}


A_IS_READY: Sequence[tuple[float, Event]] = ((0.0, ask(1, A)), (4.0, BecameReady(1)))
A_IS_IDLE = (*A_IS_READY, (10.0, RequestEnded(1)))


def test_the_first_load_came_where_there_was_room() -> None:
    """Nobody left for it; all of the time was the load."""
    (swap,) = told(*A_IS_READY)
    assert swap == SwapStatus(
        from_model=None,
        to_model="a",
        why="there was room for it",
        request_id="req-1",
        load_s=4.0,
        total_s=4.0,
    )


def test_a_drain_is_told_with_all_its_parts() -> None:
    """B asks at 5 and is overdue at 20; A is free at 23, gone at 23.5, and B is ready at 27.5."""
    *_, swap = told(
        *A_IS_READY,
        (5.0, ask(2, B)),
        (20.0, Tick()),
        (23.0, RequestEnded(1)),
        (23.5, Exited(1)),
        (27.5, BecameReady(2)),
    )
    assert swap == SwapStatus(
        from_model="a",
        to_model="b",
        why="'b' had waited 15.0 s while 'a' was busy",
        request_id="req-2",
        waited_s=15.0,
        drain_s=3.0,
        stop_s=0.5,
        load_s=4.0,
        total_s=22.5,
    )
    assert describe_swap(swap) == (
        "swap from 'a' to 'b', asked by request req-2: waited 15.00 s, drain 3.00 s, stop 0.50 s, load 4.00 s, "
        "total 22.50 s ('b' had waited 15.0 s while 'a' was busy)"
    )


def test_an_idle_model_gives_way_without_a_drain() -> None:
    """Somebody asked long after the last answer: the swap begins with the request."""
    *_, swap = told(*A_IS_IDLE, (50.0, ask(2, B)), (50.5, Exited(1)), (54.5, BecameReady(2)))
    assert (swap.why, swap.waited_s, swap.drain_s, swap.total_s) == ("'a' was idle", 0.0, 0.0, 4.5)


def test_the_request_that_made_room_is_named_although_it_left() -> None:
    """Who asked first counts; that it went away in the middle of the load changes nothing in the story."""
    *_, swap = told(
        *A_IS_IDLE, (50.0, ask(2, B)), (50.5, Exited(1)), (51.0, RequestEnded(2)), (54.5, BecameReady(2))
    )
    assert swap.request_id == "req-2"


def test_a_larger_context_is_a_swap_of_a_model_with_itself() -> None:
    """The reason says so."""
    *_, swap = told(*A_IS_IDLE, (50.0, ask(2, A, 16384)), (50.5, Exited(1)), (54.5, BecameReady(2)))
    assert (swap.from_model, swap.to_model) == ("a", "a")
    assert swap.why == "the context of 'a' was too small for a request"


def test_a_load_that_nobody_wanted_is_told_as_what_left() -> None:
    """Its client went away, and somebody asked for another model."""
    (swap,) = told(
        (0.0, ask(1, A)), (1.0, RequestEnded(1)), (2.0, ask(2, B)), (2.5, Exited(1)), (6.5, BecameReady(2))
    )
    assert (swap.from_model, swap.to_model) == ("a", "b")
    assert swap.why == "nobody waited any more for the load of 'a'"


def test_a_failed_load_says_why() -> None:
    """The swap is over, though nobody came of it."""
    *_, swap = told(
        *A_IS_IDLE,
        (50.0, ask(2, B)),
        (50.5, Exited(1)),
        (51.0, LoadFailed(2, ModelLoadFailedError("b", "bad magic"))),
    )
    assert (swap.to_model, swap.error, swap.load_s) == ("b", "bad magic", 0.5)
    assert "failed: bad magic" in describe_swap(swap)


def test_who_only_leaves_is_told_alone() -> None:
    """Stopped by the user, silent, dead: with nobody waiting, nobody comes."""
    (_, stopped) = told(*A_IS_READY, (5.0, StopRequested(8.0)), (8.0, Tick()), (8.5, Exited(1)))
    assert (stopped.from_model, stopped.to_model, stopped.why) == ("a", None, "the user asked for it")
    assert (stopped.drain_s, stopped.stop_s) == (3.0, 0.5)
    (_, silent) = told(*A_IS_READY, (600.0, RequestStalled(1)), (600.0, RequestEnded(1)), (600.5, Exited(1)))
    assert silent.why == "'a' took a request and fell silent"
    (_, dead) = told(*A_IS_READY, (5.0, Died(1, "signal 6")), (5.0, RequestEnded(1)), (5.1, Exited(1)))
    assert (dead.to_model, dead.why) == (None, "'a' died: signal 6")
    assert describe_swap(dead) == "'a' left: 'a' died: signal 6 (drain 0.00 s, stop 0.00 s)"


def test_the_last_swap_grows_older() -> None:
    """A status says how long it has been over."""
    scheduler, history = Scheduler(), SwapHistory()
    assert history.last(1.0) is None
    for now, event in A_IS_READY:
        history.record(event, scheduler.handle(event, now), now)
    last = history.last(64.0)
    assert last is not None
    assert last.ago_s == 60.0


def test_swaps_are_counted_by_their_reason() -> None:
    """Each way to leave has its word, whether somebody came for it or not; coming into a free place has one too."""
    idle = (*A_IS_IDLE, (50.0, ask(2, B)), (50.5, Exited(1)), (54.5, BecameReady(2)))
    assert reasons(*A_IS_READY) == {"room": 1}
    assert reasons(*idle) == {"room": 1, "idle": 1}
    assert reasons(
        *A_IS_READY,
        (5.0, ask(2, B)),
        (20.0, Tick()),
        (23.0, RequestEnded(1)),
        (23.5, Exited(1)),
        (27.5, BecameReady(2)),
    ) == {"room": 1, "overdue": 1}
    assert reasons(*A_IS_IDLE, (50.0, ask(2, A, 16384)), (50.5, Exited(1)), (54.5, BecameReady(2))) == {
        "room": 1,
        "too_small": 1,
    }
    assert reasons(*A_IS_READY, (5.0, StopRequested(8.0)), (8.0, Tick()), (8.5, Exited(1))) == {
        "room": 1,
        "asked": 1,
    }
    assert reasons(*A_IS_READY, (600.0, RequestStalled(1)), (600.0, RequestEnded(1)), (600.5, Exited(1))) == {
        "room": 1,
        "silent": 1,
    }
    assert reasons(
        *A_IS_READY,
        (5.0, Died(1, "signal 6")),
        (5.0, RequestEnded(1)),
        (5.1, Exited(1)),
        (6.0, ask(2, A)),
        (9.0, BecameReady(2)),
    ) == {"room": 2, "died": 1}


def test_loads_are_counted_by_model_and_outcome_with_their_time() -> None:
    """A came twice, in 4 s and in 3 s; B failed after half a second, and once it was told to stop after two."""
    _, history = lived(
        *A_IS_IDLE,
        (50.0, ask(2, B)),
        (50.5, Exited(1)),
        (51.0, LoadFailed(2, ModelLoadFailedError("b", "bad magic"))),
        (52.0, RequestEnded(2)),
        (100.0, ask(3, B)),
        (101.0, RequestEnded(3)),
        (102.0, ask(4, A)),
        (102.5, Exited(3)),
        (105.5, BecameReady(4)),
    )
    assert history.load_counts == (
        LoadCount(model_name="a", outcome="ready", count=2, total_s=7.0),
        LoadCount(model_name="b", outcome="failed", count=1, total_s=0.5),
        LoadCount(model_name="b", outcome="stopped", count=1, total_s=2.0),
    )
    assert history.swap_counts == (
        SwapCount(reason="room", count=1),
        SwapCount(reason="idle", count=1),
        SwapCount(reason="unwanted", count=1),
    )


def test_what_is_told_late_of_a_load_is_not_counted_twice() -> None:
    """The news that it is ready, or that it failed, comes after it was told to stop."""
    for late in (BecameReady(1), LoadFailed(1, ModelLoadFailedError("a", "killed"))):
        _, history = lived(
            (0.0, ask(1, A)), (2.0, StopRequested(2.0)), (2.0, Tick()), (2.1, late), (2.2, Exited(1))
        )
        assert history.load_counts == (LoadCount(model_name="a", outcome="stopped", count=1, total_s=2.0),)
        assert history.swap_counts == (SwapCount(reason="asked", count=1),)

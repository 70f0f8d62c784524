"""The swap history, recorded from events and effects."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.golden import Golden

from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec
from gglib.core.ports import LoadCount, SwapCount, SwapStatus
from gglib.core.ports.runtime import MAX_SWAPS
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Event,
    Eviction,
    Exited,
    Launch,
    LoadFailed,
    Requested,
    RequestEnded,
    RequestStalled,
    Stop,
    StopReason,
    StopRequested,
    Tick,
    WaitTimedOut,
)
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.swap_history import MAX_SWAPS_BY_REQUEST, SwapHistory, describe_swap

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))


def request_for(ticket: int, spec: ModelLaunchSpec, context: int = 8192) -> Requested:
    """Return a request whose id contains its ticket."""
    return Requested(ticket, spec, context, context, f"req-{ticket}")


def swaps_of(*scenario: tuple[float, Event]) -> list[SwapStatus]:
    """Return every swap of a scenario, as a scheduler and its history record it."""
    return run_scenario(*scenario)[0]


def run_scenario(*scenario: tuple[float, Event]) -> tuple[list[SwapStatus], SwapHistory]:
    """Return every swap of a scenario, and the history at its end."""
    scheduler, history = Scheduler(swap_wait_s=15), SwapHistory()
    swaps: list[SwapStatus] = []
    for now, event in scenario:
        swaps += history.record(event, scheduler.handle(event, now), now)
    assert history.last(1_000) is None or swaps
    assert sum(counted.count for counted in history.swap_counts) == len(swaps)
    return swaps, history


def reasons(*scenario: tuple[float, Event]) -> dict[str, int]:
    """Return how many swaps a scenario had for each reason."""
    return {counted.reason: counted.count for counted in run_scenario(*scenario)[1].swap_counts}


A_IS_READY: Sequence[tuple[float, Event]] = ((0.0, request_for(1, A)), (4.0, BecameReady(1)))
A_IS_IDLE = (*A_IS_READY, (10.0, RequestEnded(1)))


def test_a_load_into_free_capacity_evicts_no_model() -> None:
    """No model was evicted; the whole time was the load."""
    (swap,) = swaps_of(*A_IS_READY)
    assert swap == SwapStatus(
        from_model=None,
        to_model="a",
        why="there was room for it",
        request_id="req-1",
        load_s=4.0,
        total_s=4.0,
    )


def test_a_drain_is_recorded_with_all_its_parts(golden: Golden) -> None:
    """B is requested at 5 and overdue at 20; A is idle at 23, stopped at 23.5, and B is ready at 27.5."""
    *_, swap = swaps_of(
        *A_IS_READY,
        (5.0, request_for(2, B)),
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
    assert "waited 15.00 s, drain 3.00 s, stop 0.50 s, load 4.00 s, total 22.50 s" in describe_swap(swap)
    assert golden(describe_swap(swap))


def test_an_idle_model_is_evicted_without_a_drain() -> None:
    """The request came long after the last one ended: the swap begins with it."""
    *_, swap = swaps_of(*A_IS_IDLE, (50.0, request_for(2, B)), (50.5, Exited(1)), (54.5, BecameReady(2)))
    assert (swap.why, swap.waited_s, swap.drain_s, swap.total_s) == ("'a' was idle", 0.0, 0.0, 4.5)


def test_the_request_that_caused_the_swap_is_named_although_it_left() -> None:
    """The first request counts, also if it is cancelled during the load."""
    *_, swap = swaps_of(
        *A_IS_IDLE,
        (50.0, request_for(2, B)),
        (50.5, Exited(1)),
        (51.0, RequestEnded(2)),
        (54.5, BecameReady(2)),
    )
    assert swap.request_id == "req-2"


def test_a_larger_context_is_a_swap_of_a_model_with_itself(golden: Golden) -> None:
    """The reason says so."""
    *_, swap = swaps_of(
        *A_IS_IDLE, (50.0, request_for(2, A, 16384)), (50.5, Exited(1)), (54.5, BecameReady(2))
    )
    assert (swap.from_model, swap.to_model) == ("a", "a")
    assert golden(swap.why)


def test_the_model_that_made_room_for_an_abandoned_load_is_recorded() -> None:
    """A was unloaded for B, whose request left, and which A replaced before it was ready."""
    *_, first, second = swaps_of(
        *A_IS_IDLE,
        (50.0, request_for(2, B)),
        (50.5, Exited(1)),
        (51.0, RequestEnded(2)),
        (52.0, request_for(3, A)),
        (52.5, Exited(2)),
        (56.5, BecameReady(3)),
    )
    assert (first.from_model, first.to_model, first.why) == ("a", None, "'a' was idle")
    assert (first.stop_s, first.total_s) == (0.5, 0.5)
    assert (second.from_model, second.to_model) == ("b", "a")


def test_an_abandoned_load_is_recorded_as_the_evicted_model(golden: Golden) -> None:
    """Its request was cancelled, and another model was requested."""
    (swap,) = swaps_of(
        (0.0, request_for(1, A)),
        (1.0, RequestEnded(1)),
        (2.0, request_for(2, B)),
        (2.5, Exited(1)),
        (6.5, BecameReady(2)),
    )
    assert (swap.from_model, swap.to_model) == ("a", "b")
    assert golden(swap.why)


def test_a_failed_load_has_its_reason() -> None:
    """The swap is finished although its load failed."""
    *_, swap = swaps_of(
        *A_IS_IDLE,
        (50.0, request_for(2, B)),
        (50.5, Exited(1)),
        (51.0, LoadFailed(2, ModelLoadFailedError("b", "bad magic"))),
    )
    assert (swap.to_model, swap.error, swap.load_s) == ("b", "bad magic", 0.5)
    assert "failed: bad magic" in describe_swap(swap)


def test_a_shutdown_is_not_the_users_wish() -> None:
    """SIGTERM of a service manager is the usual cause."""
    shutdown = StopRequested(5.0, is_shutdown=True)
    (_, stopped) = swaps_of(*A_IS_READY, (5.0, shutdown), (5.0, Tick()), (5.5, Exited(1)))
    assert "gglib is stopping" in stopped.why
    assert "user" not in stopped.why


def test_an_unload_without_a_load_is_recorded_alone(golden: Golden) -> None:
    """Stopped by the user, stalled, crashed: without waiters, no model is loaded."""
    (_, stopped) = swaps_of(*A_IS_READY, (5.0, StopRequested(8.0)), (8.0, Tick()), (8.5, Exited(1)))
    assert (stopped.from_model, stopped.to_model) == ("a", None)
    assert golden(stopped.why)
    assert (stopped.drain_s, stopped.stop_s) == (3.0, 0.5)
    (_, silent) = swaps_of(
        *A_IS_READY, (600.0, RequestStalled(1)), (600.0, RequestEnded(1)), (600.5, Exited(1))
    )
    assert golden(silent.why)
    (_, dead) = swaps_of(*A_IS_READY, (5.0, Died(1, "signal 6")), (5.0, RequestEnded(1)), (5.1, Exited(1)))
    assert (dead.to_model, dead.why) == (None, "'a' died: signal 6")
    assert golden(describe_swap(dead))


def test_age_of_the_last_swap() -> None:
    """A status says how long it has been over."""
    scheduler, history = Scheduler(), SwapHistory()
    assert history.last(1.0) is None
    for now, event in A_IS_READY:
        history.record(event, scheduler.handle(event, now), now)
    last = history.last(64.0)
    assert last is not None
    assert last.ago_s == 60.0


def test_swaps_are_counted_by_their_reason() -> None:
    """Each reason is counted, with or without a load for it; so is a load into free capacity."""
    idle = (*A_IS_IDLE, (50.0, request_for(2, B)), (50.5, Exited(1)), (54.5, BecameReady(2)))
    assert reasons(*A_IS_READY) == {"room": 1}
    assert reasons(*idle) == {"room": 1, "idle": 1}
    assert reasons(
        *A_IS_READY,
        (5.0, request_for(2, B)),
        (20.0, Tick()),
        (23.0, RequestEnded(1)),
        (23.5, Exited(1)),
        (27.5, BecameReady(2)),
    ) == {"room": 1, "overdue": 1}
    assert reasons(
        *A_IS_IDLE, (50.0, request_for(2, A, 16384)), (50.5, Exited(1)), (54.5, BecameReady(2))
    ) == {
        "room": 1,
        "too_small": 1,
    }
    assert reasons(*A_IS_READY, (5.0, StopRequested(8.0)), (8.0, Tick()), (8.5, Exited(1))) == {
        "room": 1,
        "asked": 1,
    }
    shutdown = StopRequested(5.0, is_shutdown=True)
    assert reasons(*A_IS_READY, (5.0, shutdown), (5.0, Tick()), (5.5, Exited(1))) == {
        "room": 1,
        "shutdown": 1,
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
        (6.0, request_for(2, A)),
        (9.0, BecameReady(2)),
    ) == {"room": 2, "died": 1}


def test_loads_are_counted_by_model_and_outcome_with_their_time() -> None:
    """A was loaded twice, in 4 s and 3 s; B failed after 0.5 s, and once was stopped after 2 s."""
    _, history = run_scenario(
        *A_IS_IDLE,
        (50.0, request_for(2, B)),
        (50.5, Exited(1)),
        (51.0, LoadFailed(2, ModelLoadFailedError("b", "bad magic"))),
        (52.0, RequestEnded(2)),
        (100.0, request_for(3, B)),
        (101.0, RequestEnded(3)),
        (102.0, request_for(4, A)),
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


def test_a_late_event_of_a_load_is_not_counted_twice() -> None:
    """Its ready or failed event arrives after it was stopped."""
    for late in (BecameReady(1), LoadFailed(1, ModelLoadFailedError("a", "killed"))):
        _, history = run_scenario(
            (0.0, request_for(1, A)), (2.0, StopRequested(2.0)), (2.0, Tick()), (2.1, late), (2.2, Exited(1))
        )
        assert history.load_counts == (LoadCount(model_name="a", outcome="stopped", count=1, total_s=2.0),)
        assert history.swap_counts == (SwapCount(reason="asked", count=1),)


def test_a_request_that_is_served_at_once_is_no_swap() -> None:
    """Only the load of the model was one."""
    assert swaps_of(*A_IS_IDLE, (11.0, request_for(2, A)), (12.0, RequestEnded(2))) == swaps_of(*A_IS_IDLE)


def test_a_load_without_waiters_is_for_its_newest_request() -> None:
    """The requests did not wait: each replaced the previous one, also after it ended."""
    *_, swap = swaps_of(
        *A_IS_READY,
        (5.0, Requested(2, B, 8192, 8192, "req-2", waits=False)),
        (6.0, Requested(3, B, 8192, 8192, "req-3", waits=False)),
        (7.0, RequestEnded(2)),
        (7.0, RequestEnded(3)),
        (40.0, RequestEnded(1)),
        (41.0, Tick()),
        (42.0, Exited(1)),
        (43.0, BecameReady(2)),
    )
    assert (swap.to_model, swap.request_id) == ("b", "req-3")


def test_events_of_unknown_requests_and_launches_are_ignored() -> None:
    """The history may have begun after them."""
    history = SwapHistory()
    eviction = Eviction(StopReason.IDLE, 0.0)
    error = ModelLoadFailedError("a", "bad")
    for event in (WaitTimedOut(9), BecameReady(9), LoadFailed(9, error), Died(9, "bang"), Exited(9)):
        assert history.record(event, [Stop(9, eviction)], 1.0) == []
    assert history.last(2.0) is None


def test_the_swap_of_a_request() -> None:
    """The request that caused it; those that waited for the same load did not."""
    scenario = (
        *A_IS_READY,
        (5.0, RequestEnded(1)),
        (6.0, request_for(2, B)),
        (7.0, Exited(1)),
        (9.0, BecameReady(2)),
    )
    _, history = run_scenario(*scenario)
    first, second = history.of_request("req-1"), history.of_request("req-2")
    assert first is not None
    assert second is not None
    assert (first.from_model, first.to_model, second.from_model, second.to_model) == (None, "a", "a", "b")
    assert history.of_request("req-3") is None


def test_only_the_last_swaps_are_kept() -> None:
    """By request; the memory is bounded."""
    history = SwapHistory()
    for number in range(MAX_SWAPS_BY_REQUEST + 2):
        history.record(request_for(number, A), [Launch(number, A, 8192, number)], 0.0)
        history.record(BecameReady(number), [], 1.0)
    assert history.of_request("req-1") is None
    assert history.of_request("req-2") is not None
    assert history.of_request(f"req-{MAX_SWAPS_BY_REQUEST + 1}") is not None


def test_the_last_swaps_are_kept_newest_first() -> None:
    """Each with the time since its end, and the time of day that it was recorded with."""
    history = SwapHistory()
    for number in range(1, MAX_SWAPS + 3):
        history.record(request_for(number, A), [Launch(number, A, 8192, number)], 0.0)
        history.record(BecameReady(number), [], float(number), unix_now=1000.0 + number)
    newest = history.newest(2, MAX_SWAPS + 5.0)
    assert [(swap.request_id, swap.ago_s, swap.ended_at) for swap in newest] == [
        (f"req-{MAX_SWAPS + 2}", 3.0, 1002.0 + MAX_SWAPS),
        (f"req-{MAX_SWAPS + 1}", 4.0, 1001.0 + MAX_SWAPS),
    ]
    every = history.newest(1_000, 0.0)
    assert (len(every), every[-1].request_id) == (MAX_SWAPS, "req-3")
    assert history.last(MAX_SWAPS + 5.0) == newest[0]

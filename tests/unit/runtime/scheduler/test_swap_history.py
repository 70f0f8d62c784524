"""The swap history, recorded from events and effects."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.golden import Golden

from gglib.core.errors import ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import ModelLaunchSpec
from gglib.core.ports import LoadCount, SwapCount, SwapStatus
from gglib.core.ports.runtime import MAX_SWAPS
from gglib.core.runtime.kept_prompts import KeptTransfer
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Event,
    Eviction,
    Exited,
    Launch,
    LoadFailed,
    MadeWay,
    ModelRemoved,
    Requested,
    RequestEnded,
    RequestStalled,
    Stop,
    StopReason,
    StopRequested,
    Tick,
    WaitTimedOut,
)
from gglib.runtime.scheduler.kept_events import KeptEvent, PromptsRestored, PromptsSaved
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.swap_history import MAX_SWAPS_BY_REQUEST, SwapHistory, describe_swap

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))
C = ModelLaunchSpec(model_id=3, model_name="c", path=Path("/c.gguf"))


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


def kept(tokens: int, seconds: float = 0.5) -> KeptTransfer:
    """Return a transfer of one prompt."""
    return KeptTransfer(slots=1, tokens=tokens, size_bytes=10 * tokens, seconds=seconds)


def lived(*scenario: tuple[float, Event | KeptEvent], history: SwapHistory | None = None) -> list[SwapStatus]:
    """Return every swap of a scenario with kept prompts."""
    scheduler, history = Scheduler(swap_wait_s=15), history or SwapHistory()
    swaps: list[SwapStatus] = []
    for now, event in scenario:
        if isinstance(event, PromptsSaved | PromptsRestored):
            history.record_kept(event)
        else:
            swaps += history.record(event, scheduler.handle(event, now), now)
    return swaps


def test_a_swap_has_the_prompts_that_were_saved_and_restored() -> None:
    """Also those that were saved while the model drained; the next swap has its own only."""
    *_, swap, unload = lived(
        *A_IS_READY,
        (5.0, request_for(2, B)),
        (20.0, Tick()),
        (21.0, PromptsSaved(1, kept(100))),
        (23.0, RequestEnded(1)),
        (23.2, PromptsSaved(1, kept(1906, 0.25))),
        (23.5, Exited(1)),
        (27.0, PromptsRestored(2, kept(2006, 0.02))),
        (27.5, BecameReady(2)),
        (28.0, RequestEnded(2)),
        (30.0, StopRequested(30.0)),
        (31.0, Exited(2)),
    )
    assert swap.saved == KeptTransfer(slots=2, tokens=2006, size_bytes=20_060, seconds=0.75)
    assert swap.restored == kept(2006, 0.02)
    assert describe_swap(swap).endswith(
        "while 'a' was busy); saved 2,006 tokens in 0.75 s; restored 2,006 tokens in 0.02 s"
    )
    assert (unload.saved, unload.restored) == (None, None)


def test_an_unload_has_the_prompts_that_were_saved() -> None:
    """A load that fails after its restore has them, too."""
    *_, unload = lived(
        *A_IS_IDLE, (30.0, StopRequested(30.0)), (30.5, PromptsSaved(1, kept(7))), (31.0, Exited(1))
    )
    assert unload.saved == kept(7)
    assert describe_swap(unload).endswith("(drain 0.00 s, stop 1.00 s; saved 7 tokens in 0.50 s)")
    error = ModelLoadFailedError("a", "bad magic")
    *_, failed = lived(
        (0.0, request_for(1, A)), (1.0, PromptsRestored(1, kept(7))), (2.0, LoadFailed(1, error))
    )
    assert failed.restored == kept(7)


def test_kept_prompts_of_an_unknown_launch_are_ignored() -> None:
    """It has exited."""
    history = SwapHistory()
    history.record_kept(PromptsSaved(1, kept(7)))
    history.record_kept(PromptsRestored(1, kept(7)))
    assert history.last(0) is None


def test_restored_prompts_of_a_launch_that_stops_are_not_saved_ones() -> None:
    """The restore ended after the stop was decided."""
    *_, unload = lived(
        *A_IS_IDLE, (30.0, StopRequested(30.0)), (30.5, PromptsRestored(1, kept(7))), (31.0, Exited(1))
    )
    assert (unload.saved, unload.restored) == (None, None)


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
    for event in (
        WaitTimedOut(9),
        BecameReady(9),
        LoadFailed(9, error),
        Died(9, "bang"),
        Exited(9),
        MadeWay(9),
    ):
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


B_BEGINS_BESIDE_A: Sequence[tuple[float, Event | KeptEvent]] = (
    *A_IS_IDLE,
    (50.0, request_for(2, B)),
    (50.25, PromptsSaved(1, kept(100))),
    (50.5, MadeWay(1)),
)


def test_an_unload_that_makes_way_ends_with_the_load_beside_it() -> None:
    """Its stop lasts until it has made way; what it saves beside the load counts, its exit does not."""
    history = SwapHistory()
    _, swap = lived(
        *B_BEGINS_BESIDE_A,
        (51.0, PromptsSaved(1, kept(200))),
        (52.0, Exited(1)),
        (54.5, BecameReady(2)),
        history=history,
    )
    assert (swap.from_model, swap.to_model, swap.why) == ("a", "b", "'a' was idle")
    assert (swap.stop_s, swap.load_s, swap.total_s) == (0.5, 4.0, 4.5)
    assert swap.saved == KeptTransfer(slots=2, tokens=300, size_bytes=3000, seconds=1.0)
    assert history.swap_counts == (SwapCount(reason="room", count=1), SwapCount(reason="idle", count=1))


def test_prompts_that_are_saved_after_the_next_model_is_ready_belong_to_its_swap() -> None:
    """The history and the request's swap are completed; other swaps, also between the same models, stay."""
    history = SwapHistory()
    history.record(request_for(9, B), [Launch(9, B, 8192, 9)], -2.0)
    history.record(BecameReady(9), [], -1.0)
    _, swap = lived(*B_BEGINS_BESIDE_A, (54.5, BecameReady(2)), history=history)
    assert swap.saved == kept(100)
    history.record(request_for(3, B), [Launch(3, B, 8192, 3)], 55.0)
    history.record(BecameReady(3), [], 56.0)
    history.record_kept(PromptsSaved(1, kept(200)))
    history.record_kept(PromptsSaved(1, kept(300)))
    saved = KeptTransfer(slots=3, tokens=600, size_bytes=6000, seconds=1.5)
    assert [found.saved for found in history.newest(4, 60.0)] == [None, saved, None, None]
    assert history.newest(2, 60.0)[1].ago_s == 5.5
    of_request = history.of_request("req-2")
    assert of_request is not None
    assert of_request.saved == saved
    first, other = history.of_request("req-1"), history.of_request("req-3")
    assert first is not None
    assert other is not None
    assert (first.saved, other.saved) == (None, None)


def test_prompts_that_are_saved_later_change_no_later_swap_of_the_same_request() -> None:
    """A request with the same id has caused another swap since; one without an id has none."""
    history = SwapHistory()
    lived(*B_BEGINS_BESIDE_A, (54.5, BecameReady(2)), history=history)
    again = Requested(3, A, 8192, 8192, "req-2")
    history.record(again, [Launch(3, A, 8192, 3)], 55.0)
    history.record(BecameReady(3), [], 56.0)
    history.record_kept(PromptsSaved(1, kept(200)))
    of_request = history.of_request("req-2")
    assert of_request is not None
    assert (of_request.to_model, of_request.saved) == ("a", None)
    assert [found.saved is None for found in history.newest(2, 60.0)] == [True, False]

    without_id = SwapHistory()
    lived(
        *A_IS_IDLE,
        (50.0, Requested(2, B, 8192, 8192)),
        (50.5, MadeWay(1)),
        (54.5, BecameReady(2)),
        (55.0, PromptsSaved(1, kept(200))),
        history=without_id,
    )
    last = without_id.last(60.0)
    assert last is not None
    assert (last.request_id, last.saved) == (None, kept(200))


def test_prompts_that_are_saved_for_a_swap_that_is_no_longer_kept_are_ignored() -> None:
    """So many other swaps have ended since."""
    history = SwapHistory()
    lived(*B_BEGINS_BESIDE_A, (54.5, BecameReady(2)), history=history)
    for number in range(10, 10 + MAX_SWAPS):
        history.record(request_for(number, A), [Launch(number, A, 8192, number)], 60.0)
        history.record(BecameReady(number), [], 61.0)
    history.record_kept(PromptsSaved(1, kept(200)))
    assert {found.saved for found in history.newest(MAX_SWAPS, 70.0)} == {None}


def test_prompts_that_are_saved_after_the_next_load_has_failed_are_ignored() -> None:
    """Its swap is finished, with what was saved before; the next load is another one."""
    error = ModelLoadFailedError("b", "bad magic")
    history = SwapHistory()
    *_, failed = lived(
        *B_BEGINS_BESIDE_A,
        (51.0, LoadFailed(2, error)),
        (51.5, PromptsSaved(1, kept(200))),
        (52.0, Exited(1)),
        history=history,
    )
    assert (failed.to_model, failed.error, failed.saved) == ("b", "bad magic", kept(100))
    assert history.of_request("req-2") == failed


def test_a_load_that_runs_out_of_memory_beside_saves_has_two_swaps() -> None:
    """The first one names the model that was unloaded; for the second one there is room."""
    error = ModelOutOfMemoryError("b", "out of memory")
    _, failed, repeated = lived(
        *B_BEGINS_BESIDE_A, (51.0, LoadFailed(2, error)), (52.0, Exited(1)), (56.0, BecameReady(3))
    )
    assert (failed.from_model, failed.to_model, failed.error) == ("a", "b", "out of memory")
    assert (repeated.from_model, repeated.to_model, repeated.error) == (None, "b", None)


def test_an_unload_that_makes_way_without_a_load_ends_with_its_exit() -> None:
    """Nothing waited for it."""
    *_, unload = lived(
        *A_IS_IDLE,
        (30.0, StopRequested(30.0)),
        (30.5, MadeWay(1)),
        (30.6, PromptsSaved(1, kept(7))),
        (31.0, Exited(1)),
    )
    assert (unload.to_model, unload.stop_s, unload.saved) == (None, 1.0, kept(7))


def test_a_load_that_waits_for_its_own_former_launch_has_the_unload_that_made_way_for_it() -> None:
    """A is requested again while it is still saving: B makes way for it, and A loads when its former launch exits."""
    *_, swap = lived(
        *B_BEGINS_BESIDE_A,
        (54.5, BecameReady(2)),
        (55.0, RequestEnded(2)),
        (56.0, request_for(3, A)),
        (56.5, MadeWay(2)),
        (57.0, Exited(1)),
        (58.0, PromptsSaved(2, kept(7))),
        (58.5, Exited(2)),
        (61.0, BecameReady(3)),
    )
    assert (swap.from_model, swap.to_model, swap.request_id) == ("b", "a", "req-3")
    assert (swap.stop_s, swap.load_s, swap.total_s, swap.saved) == (1.0, 4.0, 5.0, kept(7))


def test_a_load_into_a_free_place_ends_no_unload() -> None:
    """The other model is still stopping, and has made way for none."""
    scheduler, history = Scheduler(capacity=2, swap_wait_s=15), SwapHistory()
    swaps: list[SwapStatus] = []
    scenario: tuple[tuple[float, Event], ...] = (
        (0.0, request_for(1, A)),
        (1.0, BecameReady(1)),
        (2.0, RequestEnded(1)),
        (3.0, StopRequested(10, 1)),
        (4.0, request_for(2, B)),
        (5.0, BecameReady(2)),
    )
    for now, event in scenario:
        swaps += history.record(event, scheduler.handle(event, now), now)
    assert [(swap.from_model, swap.to_model) for swap in swaps] == [(None, "a"), (None, "b")]


def test_an_unload_that_made_way_belongs_to_no_load_of_another_model() -> None:
    """The model that it was stopped for was removed, and another one is requested."""
    *_, swap = lived(
        *A_IS_IDLE,
        (50.0, request_for(2, B)),
        (50.1, ModelRemoved(2)),
        (50.5, MadeWay(1)),
        (50.6, request_for(3, C)),
        (51.0, Exited(1)),
        (54.6, BecameReady(2)),
    )
    assert (swap.from_model, swap.to_model, swap.stop_s) == ("a", "c", 1.0)

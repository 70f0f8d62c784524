"""Failed, crashed and ended launches: which requests are refused, for how long, and what follows."""

from dataclasses import replace

import pytest
from tests.unit.runtime.scheduler.playbook import (
    A,
    B,
    C,
    D,
    effects_without_wakeups,
    request_for,
    request_without_wait,
    scheduler_with_ready,
)

from gglib.core.errors import (
    EngineCrashLoopError,
    ModelLoadFailedError,
    ModelOutOfMemoryError,
)
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    Grant,
    Launch,
    LoadFailed,
    MadeWay,
    Measured,
    Refuse,
    RequestEnded,
    Stop,
    StopRequested,
    Tick,
)
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.scheduler import Scheduler


def retry_after_s(effects: list[Effect]) -> float | None:
    """Return ``Retry-After`` of the refusal of a failed load."""
    (refusal,) = effects
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, ModelLoadFailedError)
    return refusal.error.retry_after_s


def crash(scheduler: Scheduler, ticket: int, now: float) -> list[Effect]:
    """Launch A for a request, and let its process exit once it is ready."""
    (launch,) = effects_without_wakeups(scheduler.handle(request_for(ticket, A), now))
    assert isinstance(launch, Launch)
    scheduler.handle(BecameReady(launch.generation), now)
    effects = effects_without_wakeups(scheduler.handle(Died(launch.generation, "signal 6"), now))
    scheduler.handle(RequestEnded(ticket), now)
    scheduler.handle(Exited(launch.generation), now)
    return effects


def test_a_failed_load_refuses_exactly_its_waiters() -> None:
    """Each waiter of the model is refused with the reason; the other model is launched."""
    scheduler = Scheduler()
    error = ModelLoadFailedError("a", "bad magic")
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(request_for(3, A), 0)
    first, second, launch = effects_without_wakeups(scheduler.handle(LoadFailed(1, error), 1))
    assert [refusal.ticket for refusal in (first, second) if isinstance(refusal, Refuse)] == [1, 3]
    assert all(str(refusal.error) == str(error) for refusal in (first, second) if isinstance(refusal, Refuse))
    assert launch == Launch(2, B, 8192)


def test_a_failed_model_is_backed_off() -> None:
    """The backoff doubles with each failure, up to 30 s; meanwhile requests are refused at once."""
    scheduler = Scheduler()
    now = 0.0
    waits: list[float | None] = []
    for number in range(1, 10):
        scheduler.handle(request_for(number, A), now)
        waits.append(
            retry_after_s(
                effects_without_wakeups(
                    scheduler.handle(LoadFailed(number, ModelLoadFailedError("a", "bad")), now)
                )
            )
        )
        assert retry_after_s(
            effects_without_wakeups(scheduler.handle(request_for(100 + number, A), now + 0.4))
        ) == pytest.approx((waits[-1] or 0) - 0.4)
        now += waits[-1] or 0
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("cleared_by", ["success", "changed spec", "stop"])
def test_a_failure_is_cleared(cleared_by: str) -> None:
    """After a successful load, with other settings, or after the user's stop, the model is launched at once."""
    scheduler = Scheduler()
    error = ModelLoadFailedError("a", "bad")
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(LoadFailed(1, error), 0)
    spec, now = A, 0.1
    if cleared_by == "success":
        scheduler.handle(request_for(2, A), 0.5)
        scheduler.handle(BecameReady(2), 0.6)
        scheduler.handle(Exited(2), 0.7)
        now = 0.8
    elif cleared_by == "changed spec":
        spec = replace(A, size_bytes=7)
    else:
        scheduler.handle(StopRequested(10), 0.1)
    (launch,) = effects_without_wakeups(scheduler.handle(request_for(3, spec), now))
    assert isinstance(launch, Launch)


def test_a_successful_load_resets_the_backoff() -> None:
    """Failed, ready, failed again: this is the first consecutive failure."""
    scheduler = Scheduler()
    error = ModelLoadFailedError("a", "bad")
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(LoadFailed(1, error), 0)
    scheduler.handle(request_for(2, A), 1)
    scheduler.handle(BecameReady(2), 2)
    scheduler.handle(Exited(2), 3)
    scheduler.handle(request_for(3, A), 4)
    assert retry_after_s(effects_without_wakeups(scheduler.handle(LoadFailed(3, error), 5))) == 0.5


def test_a_model_that_crashed_is_launched_by_the_next_request() -> None:
    """After an exit nothing runs until the next request."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.handle(Exited(1), 1) == []
    assert effects_without_wakeups(scheduler.handle(request_for(1, A), 2)) == [Launch(2, A, 8192)]


def test_events_of_an_older_generation_are_ignored() -> None:
    """Late events of an exited launch change nothing."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(Exited(1), 1)
    scheduler.handle(request_for(1, A), 2)
    for late in (BecameReady(1), Exited(1), LoadFailed(1, ModelLoadFailedError("a", "x"))):
        assert effects_without_wakeups(scheduler.handle(late, 3)) == []
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 4)) == [Grant(1, 2)]


def test_a_crashed_model_takes_its_place_until_its_cleanup_is_done() -> None:
    """Its memory may not be free yet: the next launch, of any model, waits for ``Exited``."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    assert scheduler.handle(Died(1, "signal 6"), 2) == []
    assert scheduler.handle(RequestEnded(1), 2) == []
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 3)) == []
    assert [r.state.value for r in scheduler.residents] == ["stopping"]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 4)) == [Launch(2, A, 8192)]


def test_a_crash_ends_the_drain_for_another_model() -> None:
    """The model that waited is launched once; if its waiter leaves, nothing is launched."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(Tick(), 16)
    assert effects_without_wakeups(scheduler.handle(Died(1, "signal 6"), 17)) == []
    scheduler.handle(RequestEnded(1), 17)
    scheduler.handle(RequestEnded(2), 18)
    assert scheduler.handle(Exited(1), 19) == []


def test_the_cleanup_after_a_crash_is_no_measured_stop() -> None:
    """A model is kept warm according to real stops."""
    keep_warm = KeepWarm()
    scheduler = Scheduler(keep_warm=keep_warm)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(Died(1, "signal 6"), 1)
    scheduler.handle(Exited(1), 6)
    assert keep_warm.swap_s(2) == 0


def test_the_third_crash_within_a_minute_starts_the_backoff() -> None:
    """After the third crash requests are refused at once, with the last reason."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 20.0), (3, 59.0)):
        assert crash(scheduler, ticket, now) == []
    (refusal,) = effects_without_wakeups(scheduler.handle(request_for(4, A), 59.1))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, EngineCrashLoopError)
    assert refusal.error.retry_after_s == pytest.approx(0.4)
    assert "signal 6" in str(refusal.error)
    assert "died 3 times" in str(refusal.error)


def test_crashes_that_are_far_apart_start_no_backoff() -> None:
    """The first of three expires after 60 s."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 20.0), (3, 60.0)):
        crash(scheduler, ticket, now)
    assert effects_without_wakeups(scheduler.handle(request_for(4, A), 60.1)) == [Launch(4, A, 8192)]


def test_the_backoff_of_a_crashing_model_grows() -> None:
    """Each further crash within the minute doubles it, although the model was ready in between."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0)):
        crash(scheduler, ticket, now)
    assert retry_after_s(effects_without_wakeups(scheduler.handle(request_for(5, A), 3.5))) == pytest.approx(
        0.5
    )
    assert effects_without_wakeups(scheduler.handle(request_for(6, A), 4)) == [Launch(5, A, 8192)]


def test_the_waiters_of_a_crashing_model_are_refused() -> None:
    """A request that waits for the crashing model behind a drain is refused like new requests."""
    scheduler = Scheduler(swap_wait_s=15)
    for ticket, now in ((1, 0.0), (2, 1.0)):
        crash(scheduler, ticket, now)
    scheduler.handle(request_for(3, A), 2)
    scheduler.handle(BecameReady(3), 2)
    scheduler.handle(request_for(4, B), 3)
    scheduler.handle(Tick(), 18)
    assert effects_without_wakeups(scheduler.handle(request_for(5, A), 19)) == []
    (refusal,) = effects_without_wakeups(scheduler.handle(Died(3, "bang"), 20))
    assert isinstance(refusal, Refuse)
    assert refusal.ticket == 5
    assert effects_without_wakeups(scheduler.handle(Exited(3), 21)) == [Launch(4, B, 8192)]


@pytest.mark.parametrize("cleared_by", ["changed spec", "stop"])
def test_crashes_are_cleared(cleared_by: str) -> None:
    """With other settings, or after the user's stop, the model is launched at once."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 1.0), (3, 2.0)):
        crash(scheduler, ticket, now)
    spec = A
    if cleared_by == "stop":
        scheduler.handle(StopRequested(10), 2.1)
    else:
        spec = replace(A, size_bytes=7)
    assert effects_without_wakeups(scheduler.handle(request_for(4, spec), 2.2)) == [Launch(4, spec, 8192)]


def test_a_crash_while_stopping_does_not_count() -> None:
    """A crash while the model stops does not count as a crash."""
    scheduler = scheduler_with_ready(A)
    for generation in range(1, 5):
        now = 100.0 + generation
        scheduler.handle(request_for(2 * generation, B), now)
        assert effects_without_wakeups(scheduler.handle(Died(2 * generation - 1, "bang"), now)) == []
        assert effects_without_wakeups(scheduler.handle(Exited(2 * generation - 1), now)) == [
            Launch(2 * generation, B, 8192)
        ]
        scheduler.handle(BecameReady(2 * generation), now)
        scheduler.handle(RequestEnded(2 * generation), now)
        assert effects_without_wakeups(scheduler.handle(request_for(2 * generation + 1, A), now)) == [
            Stop(2 * generation)
        ]
        scheduler.handle(Exited(2 * generation), now)
        scheduler.handle(BecameReady(2 * generation + 1), now)
        scheduler.handle(RequestEnded(2 * generation + 1), now)


def test_a_failed_load_is_no_longer_pending() -> None:
    """It is backed off, and starts again with the first request after that."""
    scheduler = Scheduler()
    scheduler.handle(request_without_wait(1, A), 0)
    scheduler.handle(LoadFailed(1, ModelLoadFailedError("a", "bad")), 1)
    assert effects_without_wakeups(scheduler.handle(Tick(), 30)) == []
    assert scheduler.pending_loads == ()


@pytest.mark.parametrize(
    "event",
    [
        BecameReady(9),
        Measured(9, {"ram": 1}),
        LoadFailed(9, ModelLoadFailedError("a", "no")),
        Died(9, "signal 6"),
        Exited(9),
        MadeWay(9),
    ],
)
def test_events_of_unknown_launches_change_nothing(event: Event) -> None:
    """They may have been queued while the launch ended."""
    scheduler = Scheduler()
    assert scheduler.handle(event, 1) == []
    assert not scheduler.residents
    assert not scheduler.failures


# --- beside a launch that has made way ---

OUT_OF_MEMORY = ModelOutOfMemoryError("b", "out of memory")


def beside_saves(budget: dict[str, int] | None = None, keep_warm: KeepWarm | None = None) -> Scheduler:
    """Return a scheduler in which B loads as generation 2 beside A, which saves as generation 1."""
    scheduler = Scheduler(budget=budget, keep_warm=keep_warm)
    scheduler.handle(replace(request_for(100, A), size=dict.fromkeys(budget or (), 30)), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(RequestEnded(100), 0)
    scheduler.handle(replace(request_for(1, B), size=dict.fromkeys(budget or (), 50)), 5)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 6)) == [Launch(2, B, 8192)]
    return scheduler


@pytest.mark.parametrize(("budget", "size"), [(None, {}), ({"ram": 100}, {"ram": 60})])
def test_a_load_that_ran_out_of_memory_beside_saves_is_repeated_after_them(
    budget: dict[str, int] | None, size: dict[str, int]
) -> None:
    """Once, whether the memory is limited or not, although the estimate says that it fits now."""
    scheduler = beside_saves(budget)
    assert effects_without_wakeups(scheduler.handle(LoadFailed(2, OUT_OF_MEMORY), 7)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(2), 7)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 8)) == [Launch(3, B, 8192)]
    assert scheduler.residents[0].size == size
    (refusal,) = effects_without_wakeups(scheduler.handle(LoadFailed(3, OUT_OF_MEMORY), 9))
    assert isinstance(refusal, Refuse)
    assert refusal.ticket == 1


def test_a_load_that_ran_out_of_memory_before_the_saves_ended_is_repeated_at_once() -> None:
    """The other launch exits while the failed one is cleaned up. Without saves beside it, it is a failure."""
    scheduler = beside_saves()
    scheduler.handle(Exited(1), 7)
    assert effects_without_wakeups(scheduler.handle(LoadFailed(2, OUT_OF_MEMORY), 8)) == [Launch(3, B, 8192)]
    (refusal,) = effects_without_wakeups(scheduler.handle(LoadFailed(3, OUT_OF_MEMORY), 9))
    assert isinstance(refusal, Refuse)


def test_a_load_that_fails_for_another_reason_beside_saves_is_a_failure() -> None:
    """The memory is not the reason."""
    scheduler = beside_saves()
    (refusal,) = effects_without_wakeups(scheduler.handle(LoadFailed(2, ModelLoadFailedError("b", "bad")), 7))
    assert isinstance(refusal, Refuse)


@pytest.mark.parametrize("event", [StopRequested(10, 1), StopRequested(10)])
def test_a_repeated_load_waits_for_the_saves_although_the_user_stops_models(event: Event) -> None:
    """The model that saves is stopping already."""
    scheduler = beside_saves()
    scheduler.handle(LoadFailed(2, OUT_OF_MEMORY), 7)
    assert effects_without_wakeups(scheduler.handle(event, 7.1)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 8)) == [Launch(3, B, 8192)]


def test_a_repeated_load_follows_although_its_waiter_leaves() -> None:
    """A swap that has started is finished."""
    scheduler = beside_saves()
    scheduler.handle(LoadFailed(2, OUT_OF_MEMORY), 7)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 7.5)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 8)) == [Launch(3, B, 8192)]


def test_a_repeated_load_takes_no_place_from_the_one_that_saves_were_for() -> None:
    """B makes way for A, which waits for its own former launch; D ran out of memory beside both."""
    scheduler = scheduler_with_ready(A, capacity=2)
    assert effects_without_wakeups(scheduler.handle(request_for(1, D), 1)) == [Launch(2, D, 8192)]
    scheduler.handle(request_for(2, B), 50)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 51)) == [Launch(3, B, 8192)]
    scheduler.handle(BecameReady(3), 52)
    scheduler.handle(RequestEnded(2), 53)
    scheduler.handle(request_for(3, A), 150)
    assert effects_without_wakeups(scheduler.handle(MadeWay(3), 151)) == []
    assert effects_without_wakeups(scheduler.handle(LoadFailed(2, OUT_OF_MEMORY), 152)) == []
    assert [(r.generation, r.evicted_for) for r in scheduler.residents] == [(1, D.model_id), (3, A.model_id)]


def test_saves_on_another_device_are_no_reason_to_repeat_a_load() -> None:
    """Also if they have ended before the load failed."""
    scheduler = Scheduler(budget={"ram": 100, "gpu0": 100})
    scheduler.handle(replace(request_for(1, A), size={"gpu0": 50}), 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(RequestEnded(1), 2)
    scheduler.handle(replace(request_for(2, B), size={"ram": 50}), 3)
    scheduler.handle(MadeWay(1), 4)
    scheduler.handle(Exited(1), 5)
    (refusal,) = effects_without_wakeups(scheduler.handle(LoadFailed(2, OUT_OF_MEMORY), 6))
    assert isinstance(refusal, Refuse)


def test_a_load_on_another_device_is_not_repeated_because_of_saves() -> None:
    """Nothing would be freed for it."""
    scheduler = Scheduler(budget={"ram": 100, "gpu0": 100})
    scheduler.handle(replace(request_for(1, A), size={"gpu0": 50}), 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(RequestEnded(1), 2)
    scheduler.handle(replace(request_for(2, B), size={"ram": 50}), 3)
    scheduler.handle(MadeWay(1), 4)
    (refusal,) = effects_without_wakeups(scheduler.handle(LoadFailed(2, OUT_OF_MEMORY), 5))
    assert isinstance(refusal, Refuse)


@pytest.mark.parametrize(("exits_before", "is_repeated"), [(True, False), (False, True)])
def test_only_loads_that_were_beside_saves_are_repeated(*, exits_before: bool, is_repeated: bool) -> None:
    """Not one that began after the saves had ended, nor the model that was ready then."""
    scheduler = scheduler_with_ready(A, capacity=2)
    scheduler.handle(request_for(1, C), 1)
    scheduler.handle(BecameReady(2), 2)
    scheduler.handle(request_for(2, B), 3)
    for event in (Exited(1), MadeWay(1)) if exits_before else (MadeWay(1), Exited(1)):
        scheduler.handle(event, 4)
    effects = effects_without_wakeups(scheduler.handle(LoadFailed(3, OUT_OF_MEMORY), 5))
    assert (effects == [Launch(4, B, 8192)]) is is_repeated
    assert [r.was_beside_saves for r in scheduler.residents if r.spec is C] == [False]


def test_a_stop_beside_the_next_load_is_no_measured_stop() -> None:
    """Nothing waited for it: a model is kept warm according to stops that delay a load."""
    keep_warm = KeepWarm()
    beside_saves(keep_warm=keep_warm).handle(Exited(1), 20)
    assert keep_warm.swap_s(9) == 0
    scheduler = Scheduler(keep_warm=keep_warm)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(RequestEnded(1), 0)
    scheduler.handle(request_for(2, B), 5)
    scheduler.handle(Exited(1), 6)
    assert keep_warm.swap_s(9) == 1

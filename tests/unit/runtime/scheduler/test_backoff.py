"""The backoff of models that fail to load or keep dying."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import EngineCrashLoopError, GglibError, ModelLoadFailedError, QueueFullError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.backoff import (
    CRASH_LOOP_WINDOW_S,
    INITIAL_BACKOFF_S,
    MAX_BACKOFF_S,
    Backoff,
    Failure,
)

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))
EDITED = replace(A, size_bytes=7)
ERROR = ModelLoadFailedError("a", "bad magic")


def wait_s(error: GglibError | None) -> float | None:
    """Return the seconds until the next attempt, as a refusal names them."""
    assert isinstance(error, ModelLoadFailedError)
    return error.retry_after_s


def die(backoff: Backoff, *times: float, spec: ModelLaunchSpec = A) -> list[Failure | None]:
    """Record deaths of a process, and return what each leads to."""
    return [backoff.record_death(spec, "signal 6", now) for now in times]


def test_a_failed_load_is_refused_until_the_backoff_is_over() -> None:
    """The refusal names the remaining time; at its end the model may be launched."""
    backoff = Backoff()
    assert backoff.refusal(A, 10.0) is None
    failure = backoff.record_failure(A, ERROR, 10.0)
    assert failure == Failure(A, ERROR, 1, 10.0 + INITIAL_BACKOFF_S)
    assert backoff.failures == (failure,)
    refusal = backoff.refusal(A, 10.125)
    assert str(refusal) == str(ERROR)
    assert wait_s(refusal) == INITIAL_BACKOFF_S - 0.125
    assert backoff.refusal(A, 10.0 + INITIAL_BACKOFF_S) is None
    assert backoff.refusal(B, 10.125) is None


def test_the_backoff_doubles_up_to_its_limit() -> None:
    """Each consecutive failure of the same spec counts."""
    backoff = Backoff()
    failures = [backoff.record_failure(A, ERROR, 0.0) for _ in range(9)]
    assert [failure.count for failure in failures] == list(range(1, 10))
    assert [failure.until for failure in failures] == [0.5, 1, 2, 4, 8, 16, *[MAX_BACKOFF_S] * 3]


def test_a_changed_spec_begins_again() -> None:
    """It is launched at once, and its first failure is its first."""
    backoff = Backoff()
    for _ in range(3):
        backoff.record_failure(A, ERROR, 0.0)
    assert backoff.refusal(EDITED, 0.0) is None
    assert backoff.record_failure(EDITED, ERROR, 0.0).count == 1


def test_an_error_that_is_no_load_failure_is_refused_as_it_is() -> None:
    """Only load failures have a time until the next attempt."""
    error = QueueFullError(1, 1.0)
    assert Failure(A, error, 1, 5.0).error_at(4.0) is error


@pytest.mark.parametrize(
    ("times", "is_loop"),
    [
        ((0.0, 1.0), False),
        ((0.0, 1.0, 59.9), True),
        ((0.0, 1.0, CRASH_LOOP_WINDOW_S), False),
        ((0.0, 1.0, 60.0, 60.5), True),
        ((0.0, 50.0, 100.0, 150.0), False),
    ],
)
def test_three_deaths_within_a_minute_are_a_crash_loop(times: tuple[float, ...], *, is_loop: bool) -> None:
    """A death counts for less than the minute; one death is no failure yet, and neither are two."""
    *before, last = die(Backoff(), *times)
    assert before == [None] * len(before)
    assert (last is not None) is is_loop


def test_each_further_death_doubles_the_backoff() -> None:
    """The error counts the deaths, and a successful load does not forget them."""
    backoff = Backoff()
    die(backoff, 0.0, 1.0)
    waits = []
    for now in (2.0, 3.0, 4.0):
        (failure,) = die(backoff, now)
        assert failure is not None
        waits.append((failure.count, failure.until - now))
        backoff.record_success(A.model_id)
    assert waits == [(1, 0.5), (2, 1.0), (3, 2.0)]
    (failure,) = die(backoff, 5.0)
    assert failure is not None
    assert isinstance(failure.error, EngineCrashLoopError)
    assert (failure.error.deaths, failure.error.within_s, failure.error.reason) == (6, 60.0, "signal 6")
    assert wait_s(backoff.refusal(A, 6.0)) == 3.0


def test_deaths_are_counted_by_model_and_spec() -> None:
    """Deaths with other settings, or of another model, are not added up."""
    backoff = Backoff()
    assert die(backoff, 0.0, 1.0) == [None, None]
    assert die(backoff, 2.0, spec=B) == [None]
    assert die(backoff, 2.0, 3.0, spec=EDITED) == [None, None]
    assert die(backoff, 4.0) == [None]


def test_success_ends_a_failure() -> None:
    """The next failure is the first consecutive failure again; other models keep theirs."""
    backoff = Backoff()
    backoff.record_failure(A, ERROR, 0.0)
    other = backoff.record_failure(B, ERROR, 0.0)
    backoff.record_success(A.model_id)
    backoff.record_success(A.model_id)
    assert backoff.failures == (other,)
    assert backoff.record_failure(A, ERROR, 1.0).count == 1


@pytest.mark.parametrize("ended_by", ["forget", "clear"])
def test_a_removed_model_and_the_users_stop_end_failures_and_deaths(ended_by: str) -> None:
    """``forget`` is for one model, ``clear`` for all."""
    backoff = Backoff()
    die(backoff, 0.0, 1.0, 2.0)
    backoff.record_failure(B, ERROR, 2.0)
    if ended_by == "forget":
        backoff.forget(A.model_id)
        backoff.forget(A.model_id)
        assert [failure.spec for failure in backoff.failures] == [B]
    else:
        backoff.clear()
        assert backoff.failures == ()
    assert backoff.refusal(A, 2.0) is None
    assert die(backoff, 3.0, 4.0) == [None, None]

"""When waiting requests are expected to run."""

from typing import Any

import pytest
from tests.support.top_values import loading, resident, status

from gglib.core.runtime.expectation import Expectation, expectation, with_expectations
from gglib.core.runtime.status import LoadCount, ResidentStatus, RuntimeStatus, WaitingStatus

LOADS = (
    LoadCount(model_name="big", outcome="failed", count=1, total_s=100.0),
    LoadCount(model_name="big", outcome="ready", count=4, total_s=12.0),
)


@pytest.mark.parametrize(
    ("residents", "expected"),
    [
        ((loading("big", 1.0, 4.0),), Expectation(2.5, is_minimum=False, cause="its load")),
        ((loading("big", 9.0, 4.0),), Expectation(0.0, is_minimum=False, cause="its load")),
        ((loading("big", 1.0, None),), Expectation(None, is_minimum=False, cause="its load")),
        (
            (resident("big", in_flight=4),),
            Expectation(None, is_minimum=True, cause="4 responses of big"),
        ),
        ((), Expectation(3.0, is_minimum=False, cause="its turn")),
        ((resident("small"),), Expectation(3.0, is_minimum=False, cause="its turn")),
        (
            (resident("small", in_flight=1),),
            Expectation(3.0, is_minimum=True, cause="1 response of small"),
        ),
        (
            (resident("pinned", in_flight=2, is_pinned=True), resident("small", in_flight=1)),
            Expectation(3.0, is_minimum=True, cause="1 response of small"),
        ),
        (
            (loading("small", 1.0, 2.0), resident("other", in_flight=1)),
            Expectation(3.5, is_minimum=True, cause="the load of small"),
        ),
        (
            (loading("small", 1.0, None),),
            Expectation(None, is_minimum=True, cause="the load of small"),
        ),
        (
            (resident("other", in_flight=3), resident("small", state="stopping")),
            Expectation(3.0, is_minimum=False, cause="the unload of small"),
        ),
        (
            (resident("big", state="draining", in_flight=2),),
            Expectation(3.0, is_minimum=True, cause="2 responses of big"),
        ),
    ],
)
def test_expectation_follows_from_what_comes_first(
    residents: tuple[ResidentStatus, ...], expected: Expectation
) -> None:
    """``big`` took 3 s a load; the status is 0.5 s old."""
    assert expectation(status(*residents, loads=LOADS), "big", 0.5) == expected


def test_first_load_has_no_expectation() -> None:
    """Its duration is not known before it begins."""
    assert expectation(status(), "big", 0.0).seconds is None


def test_several_waiting_models_make_it_a_minimum() -> None:
    """Which of them is next is not in the status."""
    waiting: Any = (("big", 1, 1.0), ("other", 1, 2.0))
    assert expectation(status(waiting=waiting, loads=LOADS), "big", 0.0).is_minimum


def test_status_gets_the_expectation_of_each_waiting_model() -> None:
    """``big`` waits for the load of ``small``, which waits for itself; the rest of the status is the same."""
    waiting = tuple(
        WaitingStatus(model_name=name, waiting=1, longest_wait_s=2.0) for name in ("big", "small")
    )
    before = RuntimeStatus(residents=(loading("small", 1.0, 2.0),), waiting=waiting, loads=LOADS, hint="h")
    after = with_expectations(before)
    assert [(w.model_name, w.runs_in_s, w.is_minimum, w.waits_for) for w in after.waiting] == [
        ("big", 4.0, True, "the load of small"),
        ("small", 1.0, False, "its load"),
    ]
    assert (after.residents, after.hint) == (before.residents, "h")


def test_status_without_waiting_requests_stays_as_it_is() -> None:
    """The common case copies nothing."""
    status_ = RuntimeStatus(residents=(loading("small"),))
    assert with_expectations(status_) is status_

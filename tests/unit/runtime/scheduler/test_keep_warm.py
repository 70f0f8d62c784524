"""How long an idle model is kept for its clients while a request waits for another model."""

import pytest

from gglib.runtime.scheduler.keep_warm import QUICK_RETURNS, TURNAROUND_S, USE_S, KeepWarm

MODEL, OTHER = 1, 2


def after_returns(*returns_s: float, load_s: float = 3.0, stop_s: float = 1.0) -> KeepWarm:
    """Return the records of a model whose clients returned after these times, and which is idle since 1,000 s."""
    keep_warm = KeepWarm()
    keep_warm.record_load(MODEL, load_s)
    keep_warm.record_stop(stop_s)
    for number, seconds in enumerate(returns_s):
        keep_warm.record_idle(MODEL, 100.0 * number)
        keep_warm.record_request(MODEL, 100.0 * number + seconds)
    keep_warm.record_idle(MODEL, 1000.0)
    return keep_warm


def test_a_swap_back_costs_a_stop_and_a_load() -> None:
    """Both as last measured; without a measurement they count as nothing."""
    keep_warm = after_returns(load_s=3.0, stop_s=1.0)
    assert keep_warm.swap_s(MODEL) == 4.0
    assert keep_warm.swap_s(OTHER) == 1.0
    keep_warm.record_load(MODEL, 2.5)
    keep_warm.record_stop(0.25)
    assert keep_warm.swap_s(MODEL) == 2.75


@pytest.mark.parametrize(
    ("load_s", "stop_s", "keep_s"),
    [(0.25, 0.25, 0.125), (0.75, 0.25, TURNAROUND_S), (60.0, 1.0, TURNAROUND_S), (0.0, 0.0, 0.0)],
)
def test_for_unknown_clients_a_model_is_kept_for_a_turnaround_at_most(
    load_s: float, stop_s: float, keep_s: float
) -> None:
    """And for no more than a quarter of a swap."""
    assert after_returns(load_s=load_s, stop_s=stop_s).keep_s(MODEL) == keep_s


@pytest.mark.parametrize(
    ("returns_s", "keep_s"),
    [
        ((1.0,), TURNAROUND_S),
        ((1.0, 1.0), 4.0),
        ((4.0, 4.0), 4.0),
        ((4.5, 1.0), 0.0),
        ((1.0, 4.5), 0.0),
        ((4.5, 1.0, 1.0), 4.0),
    ],
)
def test_a_model_is_kept_for_a_swap_if_its_clients_return_within_a_swap(
    returns_s: tuple[float, ...], keep_s: float
) -> None:
    """Only the last two returns count; before the second, the clients are unknown."""
    assert QUICK_RETURNS == 2
    assert after_returns(*returns_s).keep_s(MODEL) == keep_s


def test_an_idle_model_is_kept_from_the_end_of_its_last_request() -> None:
    """A model that is in use, or was never used, is not kept."""
    keep_warm = after_returns(1.0, 1.0)
    assert keep_warm.keep_until(MODEL) == 1004.0
    assert keep_warm.keep_until(OTHER) == float("-inf")
    keep_warm.record_request(MODEL, 1001.0)
    assert keep_warm.keep_until(MODEL) == float("-inf")


def test_a_request_for_a_busy_model_is_no_return() -> None:
    """Only the first request after an idle period says how soon the clients return."""
    keep_warm = after_returns(1.0)
    keep_warm.record_request(MODEL, 1001.0)
    keep_warm.record_request(MODEL, 1900.0)
    assert keep_warm.keep_s(MODEL) == 4.0


def test_the_typical_return_is_a_moving_average() -> None:
    """A new return counts a quarter; 0 if there was none."""
    assert after_returns().typical_return_s(MODEL) == 0.0
    assert after_returns(8.0).typical_return_s(MODEL) == 8.0
    assert after_returns(8.0, 4.0).typical_return_s(MODEL) == 7.0
    assert after_returns(8.0, 4.0, 15.0).typical_return_s(MODEL) == 9.0
    assert after_returns(8.0).typical_return_s(OTHER) == 0.0


def by_turns(*, pause_s: float, others: tuple[int, ...] = (OTHER,)) -> KeepWarm:
    """Return the records after two rounds of one client: the model, then each other model, and the model again."""
    keep_warm = KeepWarm()
    keep_warm.record_load(MODEL, 10.0)
    now = 0.0
    for _ in range(3):
        for model in (MODEL, *others):
            keep_warm.record_request(model, now := now + pause_s)
            keep_warm.record_idle(model, now := now + 1.0)
    return keep_warm


@pytest.mark.parametrize("others", [(OTHER,), (OTHER, 3)])
@pytest.mark.parametrize("pause_s", [0.0, 0.1, 2.0])
def test_one_client_of_several_models_by_turns_does_not_return_before_the_others_answer(
    pause_s: float, others: tuple[int, ...]
) -> None:
    """So nothing is gained by keeping its first model, although it is back sooner than a swap takes."""
    keep_warm = by_turns(pause_s=pause_s, others=others)
    assert keep_warm.keep_s(MODEL) == 0.0
    assert 1.0 <= keep_warm.typical_return_s(MODEL) < 10.0


BEGAN_BEFORE = (("request", OTHER, 1.0), ("idle", MODEL, 2.0), ("idle", OTHER, 3.0))
AGAIN = (("request", OTHER, 3.5), ("idle", OTHER, 4.0), ("request", MODEL, 5.0), ("idle", MODEL, 7.0))
ENDS_AFTER = (
    ("idle", MODEL, 2.0),
    ("request", OTHER, 3.0),
    ("request", MODEL, 5.0),
    ("idle", OTHER, 6.0),
    ("idle", MODEL, 7.0),
)


@pytest.mark.parametrize("events", [(*BEGAN_BEFORE, *AGAIN), ENDS_AFTER], ids=["before", "after"])
def test_requests_that_overlap_are_those_of_two_clients(events: tuple[tuple[str, int, float], ...]) -> None:
    """Then the return counts: the other model was in use when this one became idle, or is when it returns."""
    keep_warm = KeepWarm()
    keep_warm.record_load(MODEL, 10.0)
    for number in range(2):
        start_s = 8.0 * number
        keep_warm.record_request(MODEL, start_s)
        for kind, model, at_s in events:
            (keep_warm.record_request if kind == "request" else keep_warm.record_idle)(model, start_s + at_s)
    assert keep_warm.keep_s(MODEL) == 10.0


def test_a_request_that_left_does_not_count_as_one_of_another_client_for_ever() -> None:
    """Its end is not recorded: it was refused, or did not wait."""
    broken = 9
    for left_s, keep_s in ((-USE_S / 2, 10.0), (-USE_S, 0.0)):
        keep_warm = KeepWarm()
        keep_warm.record_load(MODEL, 10.0)
        keep_warm.record_request(broken, left_s)
        for start_s in (0.0, 4.0, 8.0):
            keep_warm.record_request(MODEL, start_s)
            keep_warm.record_idle(MODEL, start_s + 1.0)
            keep_warm.record_request(OTHER, start_s + 2.0)
            keep_warm.record_idle(OTHER, start_s + 3.0)
        assert keep_warm.keep_s(MODEL) == keep_s


def test_the_pauses_of_a_model_that_is_used_alone_count() -> None:
    """Also if others were used before."""
    keep_warm = KeepWarm()
    keep_warm.record_load(MODEL, 10.0)
    keep_warm.record_request(OTHER, 0.0)
    keep_warm.record_idle(OTHER, 1.0)
    for number in range(3):
        keep_warm.record_request(MODEL, 10.0 + number)
        keep_warm.record_idle(MODEL, 10.5 + number)
    assert keep_warm.keep_s(MODEL) == 10.0

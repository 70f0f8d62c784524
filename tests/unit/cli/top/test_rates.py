"""Rates of ``gglib top``: requests and tokens of the last seconds."""

import pytest
from tests.support.top_values import finished, running

from gglib.cli.top.rates import WINDOW_S, RateMeter


def test_tokens_of_a_stream_are_counted_while_it_runs() -> None:
    """Ten tokens a second, read each second."""
    meter = RateMeter(100.0)
    for second in range(6):
        meter.add_running([running(chunks=10 * second, age_s=second)], 100.0 + second)
    rates = meter.rates(105.0)
    assert rates.tokens == pytest.approx(10.0)
    assert rates.tokens_by_model == pytest.approx({"small": 10.0})
    assert rates.tokens_by_request == pytest.approx({"req_1": 10.0})


def test_tokens_before_the_first_reading_are_not_counted() -> None:
    """A view that opens in the middle of a long response shows no burst."""
    meter = RateMeter(100.0)
    meter.add_running([running(chunks=5000, age_s=60.0)], 100.0)
    assert meter.rates(101.0).tokens == 0.0


def test_tokens_of_a_new_request_are_counted_from_its_begin() -> None:
    """It arrived after the last reading."""
    meter = RateMeter(100.0)
    meter.add_running([], 100.0)
    meter.add_running([running(chunks=8, age_s=0.5)], 101.0)
    assert meter.rates(102.0).tokens == pytest.approx(4.0)


def test_finished_request_counts_only_the_tokens_that_were_not_read() -> None:
    """The last reading had 30 of 40."""
    meter = RateMeter(100.0)
    meter.add_running([running(chunks=20)], 100.0)
    meter.add_running([running(chunks=30)], 101.0)
    meter.add_finished(finished(completion_tokens=40, duration_s=9.0), 102.0)
    rates = meter.rates(104.0)
    assert rates.tokens == pytest.approx(20 / 4)
    assert rates.requests == pytest.approx(1 / 4)
    assert rates.tokens_by_request == {}


def test_reading_that_is_older_than_the_end_counts_nothing_twice() -> None:
    """A response of the poll may arrive after the event."""
    meter = RateMeter(100.0)
    meter.add_running([], 100.0)
    meter.add_finished(finished(completion_tokens=40, duration_s=1.0), 102.0)
    meter.add_running([running(chunks=39, age_s=1.0)], 102.1)
    assert meter.rates(104.0).tokens == pytest.approx(10.0)


def test_response_as_a_whole_is_spread_over_its_duration() -> None:
    """200 tokens in 20 s are 10 a second, not 40 in the window; the wait for the model does not count."""
    meter = RateMeter(0.0)
    meter.add_finished(finished(completion_tokens=200, duration_s=50.0, waited_s=30.0), 100.0)
    assert meter.rates(100.0).tokens == pytest.approx(10.0)


def test_rows_that_stand_for_several_requests_count_all() -> None:
    """Above some thousands a second they are aggregated."""
    meter = RateMeter(95.0)
    meter.add_finished(finished(count=300, model=None, completion_tokens=None), 100.0)
    rates = meter.rates(100.0)
    assert rates.requests == pytest.approx(60.0)
    assert rates.requests_by_model == {}


def test_rates_fall_to_zero_after_the_window() -> None:
    """Nothing is kept for ever: neither sums nor requests."""
    meter = RateMeter(100.0)
    meter.add_running([running(chunks=1)], 100.0)
    meter.add_running([running(chunks=9)], 101.0)
    meter.add_finished(finished("req_2", completion_tokens=3, duration_s=0.1), 101.0)
    assert meter.rates(102.0).tokens > 0
    later = meter.rates(101.0 + WINDOW_S + 2)
    assert (later.tokens, later.requests, dict(later.tokens_by_request)) == (0.0, 0.0, {})
    assert not meter._samples
    assert not meter._finished


def test_rate_of_a_request_follows_its_last_seconds() -> None:
    """A stream that stalls has a rate of 0 after the window, whatever it had before."""
    meter = RateMeter(100.0)
    for second in range(20):
        meter.add_running([running(chunks=min(second, 5) * 10)], 100.0 + second)
    assert meter.rates(119.0).tokens_by_request == {}


def test_first_second_is_not_extrapolated() -> None:
    """One request 0.01 s after the start is not 100 a second."""
    meter = RateMeter(100.0)
    meter.add_finished(finished(), 100.01)
    assert meter.rates(100.01).requests == pytest.approx(1.0)


def test_wait_for_the_first_token_does_not_lower_the_rate_of_a_request() -> None:
    """20 tokens in the second after four seconds of waiting."""
    meter = RateMeter(100.0)
    for second, chunks in enumerate((0, 0, 0, 0, 20)):
        meter.add_running([running(chunks=chunks)], 100.0 + second)
    assert meter.rates(104.0).tokens_by_request == pytest.approx({"req_1": 20.0})

"""The expected duration of a response: tokens by model, seconds for a token by node."""

import pytest

from gglib.nodes.response_times import DEFAULT_RESPONSE_S, ResponseTimes


def test_before_the_first_response_all_nodes_are_equal() -> None:
    """A response takes a few seconds."""
    assert ResponseTimes().expected_s("a", "m") == DEFAULT_RESPONSE_S


def test_a_response_is_the_models_tokens_at_the_nodes_speed() -> None:
    """A long response at one node lengthens the expectation at all nodes, by their own speeds."""
    times = ResponseTimes()
    times.note("fast", "m", seconds=1.0, tokens=100)
    times.note("slow", "m", seconds=4.0, tokens=100)
    assert times.expected_s("fast", "m") == pytest.approx(1.0)
    assert times.expected_s("slow", "m") == pytest.approx(4.0)
    times.note("fast", "m", seconds=10.0, tokens=1000)
    assert times.expected_s("slow", "m") == pytest.approx(4.0 * 1.9)


def test_a_fast_node_is_fast_for_other_models_too() -> None:
    """Also for models without any response, and nodes without any are as the mean."""
    times = ResponseTimes()
    times.note("slow", "m", seconds=4.0, tokens=100)
    for _ in range(100):
        times.note("fast", "m", seconds=1.0, tokens=100)
        times.note("slow", "m", seconds=4.0, tokens=100)
    times.note("slow", "n", seconds=4.0, tokens=100)
    assert times.expected_s("fast", "n") < 2.0
    assert times.expected_s("fast", "unused") < DEFAULT_RESPONSE_S
    assert times.expected_s("new", "n") == pytest.approx(4.0)


@pytest.mark.parametrize(("seconds", "tokens"), [(1.0, 0), (0.0, 100)])
def test_a_response_without_tokens_or_time_is_ignored(seconds: float, tokens: int) -> None:
    """It says nothing about the speed."""
    times = ResponseTimes()
    times.note("a", "m", seconds=seconds, tokens=tokens)
    assert times.expected_s("a", "m") == DEFAULT_RESPONSE_S

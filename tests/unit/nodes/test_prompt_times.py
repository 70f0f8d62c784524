"""The expected duration of a prompt: measured speeds, and the size of the request."""

import pytest

from gglib.nodes.prompt_times import BYTES_PER_TOKEN, WEIGHT, PromptTimes


def test_before_the_first_prompt_nothing_is_known() -> None:
    """So a conversation has no cost that could move it."""
    assert PromptTimes().expected_s("m", 1000) == 0.0


def test_a_prompt_takes_its_tokens_at_the_speed_of_the_model() -> None:
    """Each model has its own."""
    times = PromptTimes()
    times.note("m", tokens_per_s=100.0)
    assert times.expected_s("m", int(200 * BYTES_PER_TOKEN)) == pytest.approx(2.0)
    assert times.expected_s("n", 1000) == 0.0


def test_the_speed_is_a_mean() -> None:
    """One slow prompt changes a tenth of it."""
    times = PromptTimes()
    times.note("m", tokens_per_s=100.0)
    times.note("m", tokens_per_s=10.0)
    assert times.expected_s("m", int(100 * BYTES_PER_TOKEN)) == pytest.approx(1.0 + WEIGHT * 9.0)


def test_a_speed_of_zero_is_ignored() -> None:
    """An engine may report it for an empty prompt."""
    times = PromptTimes()
    times.note("m", tokens_per_s=0.0)
    assert times.expected_s("m", 1000) == 0.0

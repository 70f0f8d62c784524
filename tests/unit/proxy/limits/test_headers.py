"""The headers of a key's limits."""

import pytest

from gglib.core.api_keys import KeyLimits
from gglib.proxy.limits.headers import anthropic_lines, openai_lines, reset_text
from gglib.proxy.limits.key_meter import KeyMeter


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.0004, "1ms"), (0.25, "250ms"), (1, "1s"), (1.2, "2s"), (59.5, "1m0s"), (360, "6m0s")],
)
def test_durations_have_the_form_of_openai(seconds: float, text: str) -> None:
    """As Go prints them."""
    assert reset_text(seconds) == text


def test_only_limits_that_are_set_are_reported() -> None:
    """What remains is without the tokens that are reserved, and never below 0."""
    meter = KeyMeter("alice", KeyLimits(rpm=3, tpm=100))
    meter.begin(10.0, 30)
    meter.begin(10.0, 90)
    meter.end(12.0, 30, prompt=20, completion=5, duration_s=2.0)
    assert openai_lines(meter, 20.0) == (
        b"x-ratelimit-limit-requests: 3\r\n"
        b"x-ratelimit-remaining-requests: 1\r\n"
        b"x-ratelimit-reset-requests: 50s\r\n"
        b"x-ratelimit-limit-tokens: 100\r\n"
        b"x-ratelimit-remaining-tokens: 0\r\n"
        b"x-ratelimit-reset-tokens: 52s\r\n"
    )
    meter.limits = KeyLimits(tpm=200)
    assert anthropic_lines(meter, 20.0, 1_764_432_000.0) == (
        b"anthropic-ratelimit-tokens-limit: 200\r\n"
        b"anthropic-ratelimit-tokens-remaining: 85\r\n"
        b"anthropic-ratelimit-tokens-reset: 2025-11-29T16:00:52Z\r\n"
    )
    meter.limits = KeyLimits(parallel=1)
    assert openai_lines(meter, 20.0) == anthropic_lines(meter, 20.0, 0.0) == b""

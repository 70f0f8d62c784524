"""Reading an engine's own figures: how long its cached prompts would take again."""

import json

import pytest

from gglib.runtime.engines.llama_cpp.prompt_cost import prompt_cost_s

SLOTS = json.dumps([{"id": 0, "is_processing": False}, {"id": 1, "n_prompt_tokens": 300}]).encode()
METRICS = b"""# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 600
# TYPE llamacpp:prompt_seconds_total counter
llamacpp:prompt_seconds_total 1.5
llamacpp:tokens_predicted_total 5
"""


def test_tokens_in_the_slots_times_the_mean_time_of_a_token() -> None:
    """300 tokens, at 600 tokens in 1.5 s."""
    assert prompt_cost_s(SLOTS, METRICS) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("slots", "metrics"),
    [
        (b"not JSON", METRICS),
        (b'{"error": 1}', METRICS),
        (SLOTS, b""),
        (SLOTS, METRICS.replace(b"_total 600", b"_total 0")),
    ],
)
def test_missing_figures(slots: bytes, metrics: bytes) -> None:
    """Nothing is known without slots, without counters, or before the first prompt."""
    assert prompt_cost_s(slots, metrics) is None


def test_slots_of_another_build_are_skipped() -> None:
    """Values of unexpected types count as no tokens."""
    assert prompt_cost_s(b'[1, {"n_prompt_tokens": "many"}]', METRICS) == 0

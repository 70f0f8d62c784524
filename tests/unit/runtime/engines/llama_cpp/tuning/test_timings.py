"""The requests of a measurement, and the engine's timings."""

import json
from typing import Any

import pytest

from gglib.runtime.engines.llama_cpp.tuning import timings
from gglib.runtime.engines.rates import Rates

# As the embedded engine sent them (b11549).
TIMINGS = {
    "cache_n": 0,
    "prompt_n": 512,
    "prompt_ms": 1024.0,
    "prompt_per_token_ms": 2.0,
    "prompt_per_second": 500.0,
    "predicted_n": 64,
    "predicted_ms": 1600.0,
    "predicted_per_token_ms": 25.0,
    "predicted_per_second": 40.0,
}


def parse(**changes: Any) -> Rates:
    """Parse a response whose timings are changed."""
    body = json.dumps({"content": "", "timings": {**TIMINGS, **changes}}).encode()
    return timings.parse_rates(body, prompt_tokens=512, tokens=64)


def test_a_request_computes_the_whole_prompt_and_a_fixed_number_of_tokens() -> None:
    """Neither the cache nor the end of a text shortens it, and the choice of tokens is the same."""
    assert json.loads(timings.completion_body([1, 2], 3)) == {
        "prompt": [1, 2],
        "n_predict": 3,
        "ignore_eos": True,
        "cache_prompt": False,
        "seed": 1,
        "stream": False,
    }


def test_rates_are_those_of_the_engine() -> None:
    """And the time of a turn follows from them."""
    rates = parse()
    assert rates == Rates(prompt_per_s=500.0, generated_per_s=40.0)
    assert rates.turn_s(prompt_tokens=1000, tokens=80) == 4.0


@pytest.mark.parametrize("changes", [{"prompt_n": 511}, {"predicted_n": 1}, {"prompt_n": None}])
def test_a_shorter_computation_is_no_measurement(changes: dict[str, Any]) -> None:
    """A part of the prompt may have come from a cache."""
    with pytest.raises(ValueError, match="instead of 512 and 64"):
        parse(**changes)


@pytest.mark.parametrize("value", [None, 0, -1.0, "40", 1e999])
def test_a_rate_that_is_none_is_no_measurement(value: object) -> None:
    """llama.cpp writes null where it divides by zero."""
    with pytest.raises(ValueError, match="predicted_per_second"):
        parse(predicted_per_second=value)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"timings": 3}', b"\xff"])
def test_other_responses_are_no_measurement(body: bytes) -> None:
    """Each is a ValueError, which the caller reports."""
    with pytest.raises(ValueError, match=r"."):
        timings.parse_rates(body, prompt_tokens=1, tokens=1)
    with pytest.raises(ValueError, match=r"."):
        timings.parse_tokens(body)


def test_tokens_are_integers() -> None:
    """With ``with_pieces`` they would be objects."""
    assert timings.parse_tokens(b'{"tokens": [1, 2]}') == [1, 2]
    with pytest.raises(ValueError, match="no tokens"):
        timings.parse_tokens(b'{"tokens": [{"id": 1}]}')
    assert json.loads(timings.tokenize_body("a\n")) == {"content": "a\n"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": {"code": 400, "message": "too long"}}', "too long"),
        (b'{"error": "x"}', '{"error": "x"}'),
        (b"\xffno", "\ufffdno"),
        (b"y" * 500, "y" * 200),
    ],
)
def test_an_error_is_its_message_or_its_beginning(body: bytes, text: str) -> None:
    """It is shown in a table."""
    assert timings.error_text(body) == text

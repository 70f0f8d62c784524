"""What a finished response says of the speed of its node."""

from typing import Any

import pytest

from gglib.core.history.records import RequestRecord
from gglib.core.nodes import MeasuredResponse
from gglib.proxy.telemetry.response_measures import MIN_TOKENS, measured_response
from gglib.proxy.token_usage import Usage


def record(**fields: Any) -> RequestRecord:
    """Return the record of a stream of two seconds after its first byte."""
    given: dict[str, Any] = {
        "method": "POST",
        "path": "/v1/chat/completions",
        "model": "m",
        "status": 200,
        "request_id": "r",
        "waited_s": 0.0,
        "first_byte_s": 1.0,
        "duration_s": 3.0,
        "chunks": 100,
        "is_streamed": True,
        "error_code": None,
        "node": "box",
    }
    return RequestRecord(**(given | fields))


def test_the_speed_of_the_engine_comes_first() -> None:
    """A client that reads slowly makes the stream slow, not the node."""
    usage = Usage(10, 100, 0, tokens_per_s=200.0, prompt_tokens_per_s=50.0)
    assert measured_response(record(), usage) == MeasuredResponse(
        node="box", model="m", tokens=100, seconds=0.5, prompt_tokens_per_s=50.0
    )


def test_without_it_a_stream_is_measured() -> None:
    """From its first byte to its end."""
    found = measured_response(record(node=None), Usage(10, 100))
    assert found == MeasuredResponse(node=None, model="m", tokens=100, seconds=2.0)


@pytest.mark.parametrize("speed", [-1.0, 0.0, 1e-300, 1e300])
def test_speeds_that_no_engine_has_are_not_measured(speed: float) -> None:
    """One of them in a mean, and no node could be chosen any more. The stream is measured instead."""
    usage = Usage(10, 100, tokens_per_s=speed, prompt_tokens_per_s=speed)
    found = measured_response(record(), usage)
    assert found == MeasuredResponse(node="box", model="m", tokens=100, seconds=2.0)


@pytest.mark.parametrize(
    ("fields", "usage"),
    [
        ({"model": None}, Usage(10, 100)),
        ({"status": 499}, Usage(10, 100)),
        ({"cut": "node_lost"}, Usage(10, 100)),
        ({}, Usage(10, None)),
        ({}, Usage(10, MIN_TOKENS - 1)),
        ({"is_streamed": False}, Usage(10, 100, tokens_per_s=0.0)),
        ({"is_streamed": False}, Usage(10, 100)),
        ({"first_byte_s": None}, Usage(10, 100)),
        ({"duration_s": 1.0}, Usage(10, 100)),
    ],
    ids=[
        "no model",
        "client left",
        "cut",
        "embeddings",
        "few tokens",
        "no speed",
        "no stream",
        "no byte",
        "at once",
    ],
)
def test_other_responses_say_nothing(fields: dict[str, Any], usage: Usage) -> None:
    """A part of a response, or one without a known beginning, would be a wrong speed."""
    assert measured_response(record(**fields), usage) is None

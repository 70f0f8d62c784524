"""Embeddings: vectors in the order of the inputs, shortened, and inputs that are too long."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ollama import checked
from tests.unit.proxy.dialects.ollama.clocks import CLOCK

from gglib.http.headers import EVENT_STREAM_HEADERS
from gglib.proxy.dialects.ollama.embed import (
    EmbedExchange,
    SingleEmbeddingExchange,
    Truncation,
    shortened,
)
from gglib.proxy.dialects.ollama.requests import EmbedRequest
from gglib.proxy.errors import BadRequestError

RESPONSE = json.dumps(
    {
        "data": [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [3, 4e0]}],
        "usage": {"prompt_tokens": 9, "total_tokens": 9},
    }
).encode()


def embed(**fields: Any) -> EmbedExchange:
    """Return an exchange for two texts."""
    return EmbedExchange(EmbedRequest(model="m:latest", **fields), ["a", "b"], "known", CLOCK, keep_alive_s=3)


def test_the_request() -> None:
    """Of the options only the context matters."""
    exchange = embed(options={"num_ctx": 512, "temperature": 1})
    assert exchange.path == "/v1/embeddings"
    assert json.loads(exchange.body) == {"model": "known", "input": ["a", "b"], "num_ctx": 512}
    assert exchange.keep_alive_s == 3
    assert exchange.heartbeat() == b":\n\n"
    assert exchange.stream_headers == EVENT_STREAM_HEADERS
    with pytest.raises(ValueError, match="stream of embeddings"):
        exchange.open_stream()


def test_the_response() -> None:
    """In the order of the inputs, with the numbers as the engine wrote them."""
    body = embed().translate_body(RESPONSE)
    assert b"[[3, 4.0],[0.0, 1.0]]" in body
    response = checked("embed", body)
    assert (response["model"], response["prompt_eval_count"]) == ("m:latest", 9)
    assert (response["total_duration"], response["load_duration"]) == (2_000_000_000, 500_000_000)


def test_dimensions() -> None:
    """Cut and scaled; more than there are change nothing."""
    assert checked("embed", embed(dimensions=1).translate_body(RESPONSE))["embeddings"] == [[1.0], [0.0]]
    assert checked("embed", embed(dimensions=9).translate_body(RESPONSE))["embeddings"] == [[3, 4], [0, 1]]
    with pytest.raises(BadRequestError, match="'dimensions' must be a positive integer"):
        embed(dimensions=0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.integers(1, 10))
def test_shortened_vectors_have_length_1(vector: list[float], dimensions: int) -> None:
    """Unless all numbers are 0, or nothing was cut."""
    found = shortened(vector, dimensions)
    assert len(found) == min(dimensions, len(vector))
    if dimensions < len(vector) and any(abs(number) > 1e-6 for number in vector[:dimensions]):
        assert math.sqrt(sum(number * number for number in found)) == pytest.approx(1)


def test_the_older_request() -> None:
    """One vector."""
    exchange = SingleEmbeddingExchange(["a"], None, None, keep_alive_s=None)
    assert json.loads(exchange.body) == {"model": None, "input": ["a"]}
    body = b'{"data":[{"embedding":[1,2]}],"usage":{}}'
    assert checked("embeddings", exchange.translate_body(body)) == {"embedding": [1, 2]}
    with pytest.raises(ValueError, match="too many values"):
        exchange.translate_body(RESPONSE)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":[{}]}', b'{"data":[1]}'])
def test_a_response_of_another_form(body: bytes) -> None:
    """Is a ``ValueError``, which becomes a 502."""
    with pytest.raises(ValueError, match=r"."):
        embed().translate_body(body)


class Tokenizer:
    """An engine that refuses the first input of more than ``limit`` tokens; a word, or four letters, is a token."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def count(self, text: str) -> int:
        """Return the tokens of a text: one for each digit, one for four other characters, two special ones."""
        digits = sum(map(str.isdigit, text))
        return digits + (len(text) - digits + 3) // 4 + 2

    def refused(self, inputs: list[str]) -> int | None:
        """Return the tokens of the first input that is too long."""
        return next((self.count(text) for text in inputs if self.count(text) > self.limit), None)


@pytest.mark.parametrize(
    "inputs",
    [
        ["a" * 1000],
        ["short", "a" * 1000, "b" * 1000],
        ["a" * 1000] * 3,
        ["1" * 100, "a" * 1000, "x" * 150],
        ["ü" * 999],
        ["a" * 500 + "1" * 500],
    ],
)
def test_inputs_are_shortened_until_they_fit(inputs: list[str]) -> None:
    """Each result is the beginning of its input, and those that fit stay whole unless they are longer in bytes."""
    engine, truncation = Tokenizer(40), Truncation(inputs)
    while (tokens := engine.refused(truncation.inputs)) is not None:
        assert truncation.shorten(tokens, engine.limit)
    for before, after in zip(inputs, truncation.inputs, strict=True):
        assert before.startswith(after)
        assert after
    assert truncation.inputs[0] == "short" or inputs[0] != "short"


@pytest.mark.parametrize(("tokens", "limit"), [(0, 40), (100, 0), (40, 40), (5000, 40)])
def test_an_error_that_no_input_explains(tokens: int, limit: int) -> None:
    """It is not repeated for ever."""
    truncation = Truncation(["a" * 1000])
    assert not truncation.shorten(tokens, limit)
    assert truncation.inputs == ["a" * 1000]


def test_attempts_are_limited() -> None:
    """An engine that refuses everything gets a bounded number of requests."""
    truncation = Truncation(["a" * 100_000])
    attempts = 0
    while truncation.shorten(90_000 - attempts, 89_000):
        attempts += 1
    assert attempts <= Truncation.MAX_ATTEMPTS


def test_each_input_is_shortened_once_for_a_count() -> None:
    """Then there is no candidate left."""
    truncation = Truncation(["a" * 200, "b" * 200])
    assert truncation.shorten(100, 50)
    assert truncation.shorten(100, 50)
    assert not truncation.shorten(100, 50)

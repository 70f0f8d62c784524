"""Embeddings: batches of inputs, and shorter vectors."""

import base64
import json
import math
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.embeddings import (
    BATCH_INPUTS,
    MAX_INPUTS,
    EmbeddingsExchange,
    EmbeddingsRequest,
    read_embeddings_request,
)
from gglib.proxy.errors import BadRequestError

floats = st.floats(-1e3, 1e3, width=32)


def body_of(**fields: Any) -> bytes:
    """Return a request body."""
    return json.dumps({"model": "m", **fields}).encode()


def response(vectors: list[Any], **fields: Any) -> bytes:
    """Return a response of the engine."""
    data = [{"embedding": vector, "index": n, "object": "embedding"} for n, vector in enumerate(vectors)]
    usage = {"prompt_tokens": len(vectors), "total_tokens": len(vectors)}
    return json.dumps({"model": "m", "object": "list", "usage": usage, "data": data, **fields}).encode()


def encoded(vector: list[float]) -> str:
    """Return a vector in base64, as the engine sends it: little-endian 32-bit floats."""
    return base64.b64encode(array("f", vector).tobytes()).decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (body_of(input="a"), EmbeddingsRequest(None, 1)),
        (body_of(input="a" + "," * 99), EmbeddingsRequest(None, 1)),
        (body_of(input=["a", "b"]), EmbeddingsRequest(None, 2)),
        (body_of(input=["a"] * MAX_INPUTS), EmbeddingsRequest(None, MAX_INPUTS)),
        (body_of(input=[[1, 2]] * 70), EmbeddingsRequest(None, 70)),
        (body_of(input=list(range(5000))), EmbeddingsRequest(None, 1)),
        (body_of(input="a", dimensions=None), EmbeddingsRequest(None, 1)),
        (body_of(input="a", dimensions=5), EmbeddingsRequest(5, 1)),
        (b'{"input":"a","d\\u0069mensions":5}', EmbeddingsRequest(5, 1)),
        (body_of(dimensions=5), EmbeddingsRequest(5, 1)),
        (b"not json", EmbeddingsRequest(None, 0)),
    ],
)
def test_what_a_request_asks_for(body: bytes, expected: EmbeddingsRequest) -> None:
    """An array of numbers is one input; invalid bodies are left to the check of all requests."""
    assert read_embeddings_request(body) == expected
    assert expected.needs_translation is (expected.dimensions is not None or expected.inputs > BATCH_INPUTS)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
        *(({"input": "a", "dimensions": bad}, "dimensions") for bad in (0, -1, 1.5, "8", True, [1], 10**9)),
    ],
)
def test_what_is_refused(fields: dict[str, Any], param: str) -> None:
    """Before the model is loaded."""
    with pytest.raises(BadRequestError) as caught:
        read_embeddings_request(body_of(**fields))
    assert caught.value.param == param


def batches_of(**fields: Any) -> list[dict[str, Any]]:
    """Return the requests that a request becomes."""
    body = body_of(**fields)
    return [json.loads(batch) for batch in EmbeddingsExchange(body, None).batches(body)]


def test_many_inputs_are_cut_into_batches() -> None:
    """Each is the whole request with some of its inputs, in order; texts and tokens may be mixed."""
    inputs = [*(f"é,[{n}]" for n in range(100)), *([n, n] for n in range(50))]
    sent = batches_of(input=inputs, encoding_format="base64")
    assert [batch["encoding_format"] for batch in sent] == ["base64"] * 3
    assert [len(batch["input"]) for batch in sent] == [64, 64, 22]
    assert [item for batch in sent for item in batch["input"]] == inputs


@pytest.mark.parametrize("value", ["a", list(range(200)), [], {"a": 1}, None])
def test_one_input_is_one_batch(value: object) -> None:
    """The engine decides about other types."""
    assert batches_of(input=value) == [{"model": "m", "input": value}]


@given(count=st.integers(1, 200))
def test_no_input_is_lost(count: int) -> None:
    """The response has one vector for each input, in order, and the sum of the usage."""
    exchange = EmbeddingsExchange(body_of(input=["a"] * count), None)
    done = 0
    for batch in exchange.batches(exchange.body):
        size = len(json.loads(batch)["input"])
        exchange.add_batch(response([[float(done + n)] for n in range(size)]))
        done += size
    whole = json.loads(exchange.finish())
    assert whole["data"] == [
        {"embedding": [float(n)], "index": n, "object": "embedding"} for n in range(count)
    ]
    assert whole["usage"] == {"prompt_tokens": count, "total_tokens": count}
    assert (whole["model"], whole["object"]) == ("m", "list")


def cut(vector: Any, dimensions: int) -> Any:
    """Return the vector of a response with fewer dimensions."""
    exchange = EmbeddingsExchange(body_of(input="a"), dimensions)
    return json.loads(exchange.translate_body(response([vector])))["data"][0]["embedding"]


@given(vector=st.lists(floats, min_size=1, max_size=20), data=st.data())
def test_fewer_dimensions_have_length_one(vector: list[float], data: st.DataObject) -> None:
    """Both encodings have the same direction; a complete vector keeps its bytes."""
    dimensions = data.draw(st.integers(1, len(vector)))
    plain, coded = cut(vector, dimensions), cut(encoded(vector), dimensions)
    if dimensions == len(vector):
        assert (plain, coded) == (vector, encoded(vector))
        return
    decoded = array("f", base64.b64decode(coded)).tolist()
    assert len(plain) == len(decoded) == dimensions
    assert decoded == pytest.approx(plain, rel=1e-5, abs=1e-6)
    norm = math.hypot(*vector[:dimensions])
    if norm > 0:
        assert math.hypot(*plain) == pytest.approx(1.0)
        assert [value * norm for value in plain] == pytest.approx(vector[:dimensions], abs=1e-6)
    else:
        assert not any(plain)


def test_more_dimensions_than_the_model_has() -> None:
    """The error says how many there are."""
    with pytest.raises(BadRequestError, match="is 3, but the vectors of this model have 2"):
        cut([1.0, 0.0], 3)


def test_a_request_that_is_sent_again_starts_anew() -> None:
    """No vector of the first attempt remains."""
    exchange = EmbeddingsExchange(body_of(input="a"), None)
    exchange.add_batch(response([[1.0]]))
    exchange.begin()
    exchange.add_batch(response([[2.0]]))
    assert len(json.loads(exchange.finish())["data"]) == 1


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"data":3,"usage":{}}', b"x"])
def test_a_body_that_is_not_the_engines(body: bytes) -> None:
    """It becomes an error of the engine."""
    with pytest.raises(ValueError, match=r"Expected|malformed|missing|Object"):
        EmbeddingsExchange(body_of(input="a"), None).add_batch(body)


def test_there_is_no_stream() -> None:
    """An event stream is not the response to a request for embeddings."""
    with pytest.raises(ValueError, match="stream"):
        EmbeddingsExchange(b"{}", None).open_stream()

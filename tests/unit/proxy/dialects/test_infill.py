"""Completions with a suffix, and the engine's results as OpenAI's completions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.sse import read_events
from gglib.proxy.dialects.infill import InfillExchange, has_suffix
from gglib.proxy.errors import BadRequestError


def exchange(**fields: Any) -> InfillExchange:
    """Return the exchange of a completion."""
    body = {"model": "m", "prompt": "a", "suffix": "b", **fields}
    return InfillExchange(json.dumps(body).encode(), "req_1", 7)


def result(content: str, **fields: Any) -> dict[str, Any]:
    """Return a result of the engine."""
    ended = {
        "stop": True,
        "stop_type": "eos",
        "tokens_predicted": 2,
        "tokens_evaluated": 5,
        "timings": {"cache_n": 4},
        "model": "tiny",
    }
    return {
        "index": 0,
        "content": content,
        **(ended if fields.pop("has_ended", True) else {"stop": False}),
        **fields,
    }


def event(content: object) -> bytes:
    """Return an event of the engine."""
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"prompt":"a","suffix":"b"}', True),
        (b'{"suffix":3}', True),
        (b'{"prompt":"suffix\\""}', False),
        (b'{"a":{"suffix":"b"}}', False),
        (b'{"suffix":null}', False),
        (b'{"suffix":""}', False),
        (b'{"suffix":"a","suffix":null}', False),
        (b'{"suffix":', False),
        (b"{}", False),
    ],
)
def test_which_completions_have_a_suffix(body: bytes, *, expected: bool) -> None:
    """An empty one is none; invalid bodies are left to the check of all requests."""
    assert has_suffix(body) is expected


def test_the_request_of_the_engine() -> None:
    """Prompt and suffix have its names; the rest is forwarded."""
    made = exchange(max_tokens=3, stream=True, stream_options={"include_usage": True})
    assert made.path == "/infill"
    assert json.loads(made.body) == {
        "model": "m",
        "input_prefix": "a",
        "input_suffix": "b",
        "max_tokens": 3,
        "stream": True,
    }


@pytest.mark.parametrize(("fields", "param"), [({"prompt": ["a"]}, "prompt"), ({"suffix": 3}, "suffix")])
def test_only_texts(fields: dict[str, Any], param: str) -> None:
    """Several prompts, or tokens, cannot be filled."""
    with pytest.raises(BadRequestError) as caught:
        exchange(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(("stop_type", "reason"), [("eos", "stop"), ("word", "stop"), ("limit", "length")])
def test_a_whole_completion(stop_type: str, reason: str) -> None:
    """Several results are several choices; their tokens are summed."""
    results = [
        result("x", stop_type=stop_type),
        result("y", index=1, completion_probabilities=[{"token": "y"}]),
    ]
    whole = json.loads(exchange(n=2).translate_body(json.dumps(results).encode()))
    assert whole == {
        "choices": [
            {"text": "x", "index": 0, "logprobs": None, "finish_reason": reason},
            {"text": "y", "index": 1, "logprobs": {"content": [{"token": "y"}]}, "finish_reason": "stop"},
        ],
        "created": 7,
        "model": "tiny",
        "object": "text_completion",
        "id": "cmpl-req_1",
        "usage": {
            "completion_tokens": 4,
            "prompt_tokens": 5,
            "total_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }
    single = json.loads(exchange().translate_body(json.dumps(results[0]).encode()))
    assert single["choices"] == whole["choices"][:1]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"3", b'[{"content":"a"},{}]'])
def test_what_is_no_result(body: bytes) -> None:
    """It becomes an error of the engine."""
    with pytest.raises(ValueError, match=r"completion|Expected"):
        exchange().translate_body(body)


@given(texts=st.lists(st.text(), max_size=5), size=st.integers(1, 30), has_usage=st.booleans())
def test_every_split_of_a_stream(texts: list[str], size: int, *, has_usage: bool) -> None:
    """The chunks have the text; usage only if it is asked for; the end is the last."""
    parts = [event(result(text, has_ended=False)) for text in texts]
    stream = b"".join((*parts, b":\n\n", event({"other": 1}), event(result("", tokens_predicted=len(texts)))))
    options = {"stream_options": {"include_usage": True}} if has_usage else {}
    translator = exchange(stream=True, **options).open_stream()
    output = b""
    for start in range(0, len(stream), size):
        assert not translator.is_complete
        part, error = translator.feed(stream[start : start + size])
        assert error is None
        output += part
    rest, error = translator.finish()
    assert error is None
    *chunks, done = [received.data for received in read_events((output + rest,))]
    assert done == b"[DONE]"
    decoded = [json.loads(chunk) for chunk in chunks]
    usage = [chunk for chunk in decoded if not chunk["choices"]]
    assert [chunk["usage"]["completion_tokens"] for chunk in usage] == ([len(texts)] if has_usage else [])
    choices = [chunk["choices"][0] for chunk in decoded if chunk["choices"]]
    assert [choice["text"] for choice in choices] == [*texts, ""]
    assert [choice["finish_reason"] for choice in choices] == [*(None for _ in texts), "stop"]


def test_several_completions_have_several_ends() -> None:
    """A stream with one of two is truncated."""
    translator = exchange(stream=True, n=2).open_stream()
    translator.feed(event(result("a", index=1)))
    assert translator.finish().error is not None
    translator.feed(event(result("b")))
    assert translator.finish().output == b"data: [DONE]\n\n"

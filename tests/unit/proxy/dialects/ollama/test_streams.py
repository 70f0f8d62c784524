"""Streams of the engine become lines that hold the schemas of Ollama's documentation, split anywhere."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ollama import checked, checked_lines
from tests.unit.proxy.dialects.ollama.clocks import CLOCK, TIME

from gglib.proxy.dialects.base import StreamTranslator
from gglib.proxy.dialects.ollama.lines import ChatLines, GenerateLines
from gglib.proxy.dialects.ollama.streams import ChatStream, CompletionStream

TIMINGS = {"prompt_n": 3, "cache_n": 4, "prompt_ms": 1.5, "predicted_n": 5, "predicted_ms": 2.5}
COUNTS = {
    "total_duration": 2_000_000_000,
    "load_duration": 500_000_000,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 1_500_000,
    "eval_count": 5,
    "eval_duration": 2_500_000,
}
REST = {"created": 1, "id": "chatcmpl-x", "model": "m", "object": "chat.completion.chunk"}
DONE = b"data: [DONE]\n\n"


def event(content: object, *, ensure_ascii: bool = True) -> bytes:
    """Return an event of the engine."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=ensure_ascii)
    return b"data: " + text.encode() + b"\n\n"


def chunk(delta: dict[str, Any], *, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a chunk in the order of llama-server's members."""
    choice = {"finish_reason": reason, "index": 0, "delta": delta, **more.pop("choice", {})}
    return {"choices": [choice], **REST, **more}


def chat_stream() -> ChatStream:
    """Return a translator for a chat."""
    return ChatStream(ChatLines("m:latest", CLOCK))


def run(stream: StreamTranslator, parts: Iterable[bytes], *, is_relayed: bool = False) -> bytes:
    """Return the output for parts, without an error; ``is_relayed``: as ``ExchangeRelay`` translates them."""
    output = b""
    for part in parts:
        common = stream.translate_common(part) if is_relayed else b""
        translated = stream.feed(part) if not common and part else None
        assert translated is None or translated.error is None
        output += common or (b"" if translated is None else translated.output)
    end = stream.finish()
    assert end.error is None
    return output + end.output


END = event(chunk({}, reason="stop", timings=TIMINGS)) + DONE


def test_a_chat() -> None:
    """Role, texts, thoughts and counts; events without text have no line."""
    body = b"".join(
        (
            event(chunk({"role": "assistant", "content": None})),
            event(chunk({"reasoning_content": "hm"})),
            event(chunk({"content": 'Hé\n"llo'})),
            END,
        )
    )
    thought, text, end = checked_lines("chat", run(chat_stream(), [body]))
    assert thought["message"] == {"role": "assistant", "content": "", "thinking": "hm"}
    assert text == {
        "model": "m:latest",
        "created_at": TIME,
        "message": {"role": "assistant", "content": 'Hé\n"llo'},
        "done": False,
    }
    assert end == {
        "model": "m:latest",
        "created_at": TIME,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        **COUNTS,
    }


def test_tool_calls_arrive_whole() -> None:
    """In pieces from the engine; a call follows once it is complete, before the last line."""

    def call(index: int, arguments: str, **members: Any) -> dict[str, Any]:
        return {
            "index": index,
            "function": {"arguments": arguments, **members.pop("function", {})},
            **members,
        }

    deltas: list[dict[str, Any]] = [
        {"content": "I call."},
        {"tool_calls": [call(0, "", id="c0", type="function", function={"name": "f"})]},
        {"tool_calls": [call(0, '{"ci')]},
        {"tool_calls": [call(0, 'ty": "Paris"}')]},
        {"tool_calls": [call(1, "{}", id="c1", type="function", function={"name": "g"})]},
    ]
    parts = [*(event(chunk(delta)) for delta in deltas), event(chunk({}, reason="tool_calls")), DONE]
    text, first, second, end = checked_lines("chat", run(chat_stream(), parts))
    assert text["message"]["content"] == "I call."
    assert first["message"]["tool_calls"] == [
        {"id": "c0", "function": {"index": 0, "name": "f", "arguments": {"city": "Paris"}}}
    ]
    assert second["message"]["tool_calls"][0]["function"] == {"index": 1, "name": "g", "arguments": {}}
    assert end["done_reason"] == "stop"


def test_a_cut_tool_call_is_dropped_at_the_token_limit() -> None:
    """The reason says that the response is not complete."""
    cut = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a'}}]}
    (end,) = checked_lines("chat", run(chat_stream(), [event(chunk(cut)), event(chunk({}, reason="length"))]))
    assert end["done_reason"] == "length"


def test_a_tool_call_without_an_object_ends_the_stream() -> None:
    """What came before it is delivered."""
    bad = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "[]"}}]}
    stream = chat_stream()
    translated = stream.feed(event(chunk({"content": "x"})) + event(chunk(bad, reason="tool_calls")))
    assert translated.error is not None
    assert checked("chat_line", translated.output)["message"]["content"] == "x"


def test_usage_without_timings() -> None:
    """Other servers send usage, in an event without choices."""
    usage = {"prompt_tokens": 11, "completion_tokens": 12}
    parts = [event(chunk({}, reason="stop")), event({"choices": [], **REST, "usage": usage}), DONE]
    (end,) = checked_lines("chat", run(chat_stream(), parts))
    assert (end["prompt_eval_count"], end["eval_count"], end["eval_duration"]) == (11, 12, 0)


def test_log_probabilities() -> None:
    """Without the engine's ids."""
    token = {"id": 5, "token": "a", "bytes": [97], "logprob": -0.5}
    logprobs = {"content": [{**token, "top_logprobs": [token, {"token": "b", "bytes": None, "logprob": -1}]}]}
    part = event(chunk({"content": "a"}, choice={"logprobs": logprobs}))
    assert chat_stream().translate_common(part) == b""
    line, _ = checked_lines("chat", run(chat_stream(), [part, END]))
    shown = {"token": "a", "logprob": -0.5, "bytes": [97]}
    assert line["logprobs"] == [{**shown, "top_logprobs": [shown, {"token": "b", "logprob": -1}]}]


def test_engine_errors_and_truncation() -> None:
    """Both end the stream with an error, without a last line."""
    stream = chat_stream()
    failed = stream.feed(event(chunk({"content": "x"})) + event({"error": {"message": "boom", "code": 500}}))
    assert checked("chat_line", failed.output)
    assert str(failed.error) == "boom"
    assert chat_stream().finish().error is not None


def test_comments_become_complete_lines() -> None:
    """NDJSON has no comments."""
    stream = chat_stream()
    assert checked("chat_line", stream.feed(b":\n\n").output)["message"]["content"] == ""
    assert stream.feed(b"data: [1]\n\ndata: {\n\n").output == b""


def test_a_raw_completion() -> None:
    """llama-server's own events."""
    token = {"id": 5, "token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": []}
    parts = [
        event({"index": 0, "content": "Hé", "stop": False}),
        event({"index": 0, "content": "a", "stop": False, "completion_probabilities": [token]}),
        event({"index": 0, "content": "", "stop": True, "stop_type": "limit", "timings": TIMINGS}),
    ]
    stream = CompletionStream(GenerateLines("m", CLOCK))
    first, second, end = checked_lines("generate", run(stream, parts, is_relayed=True))
    assert (first["response"], second["response"], end["response"]) == ("Hé", "a", "")
    assert second["logprobs"] == [{"token": "a", "logprob": -0.5, "bytes": [97]}]
    assert (end["done_reason"], end["eval_count"]) == ("length", 5)


def test_a_completion_may_end_without_timings() -> None:
    """Then the counts are 0, and the last event may have text."""
    stream = CompletionStream(GenerateLines("m", CLOCK))
    text, end = checked_lines(
        "generate", run(stream, [event({"content": "x", "stop": True, "stop_type": "eos"})])
    )
    assert (text["response"], end["done_reason"], end["eval_count"]) == ("x", "stop", 0)


TEXTS = st.lists(st.text(max_size=12), max_size=5)


def split(body: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return a body in parts that end at the cuts."""
    ends = sorted({cut % (len(body) + 1) for cut in cuts} | {len(body)})
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(TEXTS, st.booleans(), st.lists(st.integers(min_value=0), max_size=12))
def test_a_chat_split_anywhere(texts: list[str], is_ascii: bool, cuts: list[int]) -> None:  # noqa: FBT001 - a case
    """Every line holds the schema, and the texts survive: line feeds, quotes, and characters cut in the middle."""
    body = b"".join(event(chunk({"content": text}), ensure_ascii=is_ascii) for text in texts) + END
    lines = checked_lines("chat", run(chat_stream(), split(body, cuts), is_relayed=True))
    assert "".join(line["message"]["content"] for line in lines) == "".join(texts)
    assert len(lines) == sum(map(bool, texts)) + 1


def test_a_chat_with_a_tool_call_split_at_every_byte() -> None:
    """The output does not depend on where the engine's stream is split."""
    delta = {
        "tool_calls": [
            {"index": 0, "id": "c", "function": {"name": "größe", "arguments": '{"π": "\\u00e9"}'}}
        ]
    }
    body = (
        event(chunk({"content": "日本\n"}), ensure_ascii=False)
        + event(chunk(delta), ensure_ascii=False)
        + END
    )
    whole = run(chat_stream(), [body])
    checked_lines("chat", whole)
    assert json.loads(whole.splitlines()[1])["message"]["tool_calls"][0]["function"] == {
        "index": 0,
        "name": "größe",
        "arguments": {"π": "é"},
    }
    assert run(chat_stream(), [body[at : at + 1] for at in range(len(body))], is_relayed=True) == whole
    for at in range(len(body)):
        assert run(chat_stream(), [body[:at], body[at:]], is_relayed=True) == whole


@given(st.text(), st.booleans())
def test_the_fast_path_is_the_slow_path(text: str, is_ascii: bool) -> None:  # noqa: FBT001 - a case
    """A part that is translated without parsing has the same line."""
    part = event(chunk({"content": text}), ensure_ascii=is_ascii)
    common = chat_stream().translate_common(part)
    fed = chat_stream().feed(part).output
    assert (json.loads(common) if common else None) == (json.loads(fed) if common else None)
    if text and '"' not in text:
        assert common


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b":\n\n",
        event(chunk({"content": ""})),
        event(chunk({"content": 'a"b'})),
        event(chunk({"content": "a", "tool_calls": []})),
        event(chunk({"content": "a"}))[:-1],
        event(chunk({"content": "a"})) + event(chunk({"content": "b"})),
        event(chunk({"content": "a"}, reason="stop")),
        event({"error": {"message": "x"}}),
    ],
)
def test_other_parts_are_fed(part: bytes) -> None:
    """The fast path takes one complete chunk with a text, and nothing else."""
    assert chat_stream().translate_common(part) == b""


def test_the_fast_path_needs_the_beginning_of_an_event() -> None:
    """After a partial event the next part is its rest, whatever it looks like."""
    part = event(chunk({"content": "a"}))
    stream = chat_stream()
    assert stream.translate_common(part)
    stream.feed(b'data: {"x":')
    assert stream.translate_common(part) == b""
    stream.feed(b"1}\n\n")
    assert stream.translate_common(part)


def test_other_translators_have_no_fast_path() -> None:
    """The default feeds every part."""
    assert CompletionStream(GenerateLines("m", CLOCK)).translate_common(b"x") == b""

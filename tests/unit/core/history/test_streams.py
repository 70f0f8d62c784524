"""Recorded streams become documents."""

import json
from typing import Any

import pytest

from gglib.core.history import streams
from gglib.core.history.recording_gap import gap_mark, split_at_gap
from gglib.core.history.stream_parts import GAP, without_first_word, without_last_word
from gglib.core.history.streams import assembled


def sse(*events: object, names: bool = False) -> str:
    """Return a stream of events."""
    return "".join(
        (f"event: {event['type']}\n" if names and isinstance(event, dict) else "")
        + f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n"
        for event in events
    )


def lines(*objects: object) -> str:
    """Return a stream of lines."""
    return "".join(json.dumps(item) + "\n" for item in objects)


def chat(delta: dict[str, Any], finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    """Return an event of OpenAI's chats."""
    choice = {
        "index": index,
        "delta": delta,
        "finish_reason": finish_reason,
        "logprobs": {"content": [{"token": "x"}]},
    }
    return {"id": "1", "model": "m", "choices": [choice]}


def tool(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
    """Return a part of a tool call."""
    return {"tool_calls": [{"index": index, "id": "c", "function": {"name": name, "arguments": arguments}}]}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
OPENAI = sse(
    chat({"role": "assistant", "content": None}),
    chat({"reasoning_content": "hm"}),
    chat({"reasoning_content": "m."}),
    chat({"content": "Hi th"}),
    chat({"content": "ere \u00e9"}),
    chat(tool(0, "", "f")),
    chat(tool(0, '{"a"')),
    chat(tool(0, ": 1}")),
    chat(tool(1, "{}", "g")),
    chat({}, "tool_calls"),
    {"choices": [], "usage": USAGE, "timings": {"predicted_n": 2}},
    "[DONE]",
)
ANTHROPIC = sse(
    {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "xyz"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi th"}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "ere"}},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "name": "f", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '{"a"'},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": ": 1}"},
    },
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
    names=True,
)
RESPONSES = sse(
    {"type": "response.created", "response": {"status": "in_progress"}},
    {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "f"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}},
    {"type": "response.content_part.added", "part": {"text": ""}},
    {"type": "response.reasoning_text.delta", "delta": "hm"},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi th"},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "ere"},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{"},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "}"},
    names=True,
)
COMPLETED = {
    "type": "response.completed",
    "response": {"status": "completed", "output": [{"text": "Hi there"}]},
}
OLLAMA = lines(
    {"model": "m", "message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "Hi th"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "ere"}, "done": False},
    {
        "model": "m",
        "message": {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
    },
    {
        "model": "m",
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "eval_count": 2,
        "context": [1, 2],
    },
)


def only_choice(**fields: object) -> list[dict[str, object]]:
    """Return the choices of a stream with one."""
    return [{"index": 0, **fields}]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (
            OPENAI,
            {
                "stream": "openai",
                "events": 11,
                "model": "m",
                "usage": USAGE,
                "timings": {"predicted_n": 2},
                "choices": only_choice(
                    reasoning="hmm.",
                    text="Hi there \u00e9",
                    tool_calls=[{"name": "f", "arguments": '{"a": 1}'}, {"name": "g", "arguments": "{}"}],
                    finish_reason="tool_calls",
                ),
            },
        ),
        (
            ANTHROPIC,
            {
                "stream": "anthropic",
                "events": 13,
                "model": "m",
                "usage": {"input_tokens": 3, "output_tokens": 2},
                "choices": only_choice(
                    reasoning="hm",
                    text="Hi there",
                    tool_calls=[{"name": "f", "arguments": '{"a": 1}'}],
                    finish_reason="tool_use",
                ),
            },
        ),
        (
            RESPONSES,
            {
                "stream": "responses",
                "events": 9,
                "choices": only_choice(
                    reasoning="hm",
                    text="Hi there",
                    tool_calls=[{"name": "f", "arguments": "{}"}],
                    finish_reason=None,
                ),
            },
        ),
        (
            RESPONSES + sse(COMPLETED),
            {"stream": "responses", "events": 10, "response": COMPLETED["response"]},
        ),
        (
            OLLAMA,
            {
                "stream": "ollama",
                "events": 5,
                "model": "m",
                "eval_count": 2,
                "choices": only_choice(
                    reasoning="hm",
                    text="Hi there",
                    tool_calls=[{"name": "f", "arguments": {"a": 1}}],
                    finish_reason="stop",
                ),
            },
        ),
        (
            lines(
                {"model": "m", "response": "Hi th", "done": False},
                {"model": "m", "response": "ere", "done": True},
            ),
            {
                "stream": "ollama",
                "events": 2,
                "model": "m",
                "choices": only_choice(text="Hi there", finish_reason=None),
            },
        ),
        (
            sse({"choices": [{"index": 1, "text": "b"}, {"index": 0, "text": "a"}]}),
            {
                "stream": "openai",
                "events": 1,
                "choices": [
                    {"index": 0, "text": "a", "finish_reason": None},
                    {"index": 1, "text": "b", "finish_reason": None},
                ],
            },
        ),
        (
            sse(
                {"index": 0, "content": "a", "tokens": [1]}, {"index": 0, "content": "b", "stop_type": "eos"}
            ),
            {"stream": "llama.cpp", "events": 2, "choices": only_choice(text="ab", finish_reason="eos")},
        ),
        (
            sse(chat({"content": "a"}), {"error": {"message": "bad"}}),
            {
                "stream": "openai",
                "events": 2,
                "model": "m",
                "error": {"message": "bad"},
                "choices": only_choice(text="a", finish_reason=None),
            },
        ),
        (
            sse(
                chat({"function_call": {"name": "f", "arguments": "{"}}),
                chat({"function_call": {"arguments": "}"}}),
            ),
            {
                "stream": "openai",
                "events": 2,
                "model": "m",
                "choices": only_choice(tool_calls=[{"name": "f", "arguments": "{}"}], finish_reason=None),
            },
        ),
    ],
    ids=[
        "openai",
        "anthropic",
        "responses",
        "completed",
        "ollama",
        "generate",
        "completions",
        "llama",
        "error",
        "legacy",
    ],
)
def test_a_stream_becomes_one_document(stream: str, expected: object) -> None:
    """Texts, tool calls, the reason of the end and usage; no ids, probabilities or signatures."""
    assert json.loads(assembled(stream)) == expected


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_comments_and_other_line_ends(end: str) -> None:
    """As the specification of event streams has them."""
    stream = ": hello\n\nid: 7\n" + sse(chat({"content": "a"})) + "data:" + json.dumps(chat({"content": "b"}))
    assert json.loads(assembled(stream.replace("\n", end)))["choices"][0]["text"] == "ab"


@pytest.mark.parametrize(
    "stream",
    [
        "",
        "data: {",
        "data: sk-abc\n\ndata: def\n\n",
        'data: {"unknown": "sk-"}\n\n',
        "data: [1]\n\n",
        '{"unknown": "sk-"}\nnothing\n',
        '{"a"',
        "data: " + "[" * 100_000,
        "plain text sk-abc",
        'data: {"choices": [{"delta": {"content": {"a": "sk-"}, "tool_calls": ["sk-"]}}, "sk-"], "x": "sk-"}\n\n',
    ],
)
def test_nothing_of_an_unknown_form_is_stored(stream: str) -> None:
    """Only how many events there were."""
    stored = assembled(stream)
    assert "sk-" not in stored
    assert set(json.loads(stored)) <= {"stream", "events", "unread_events", "choices"}


def test_the_words_around_a_gap_are_left_out() -> None:
    """They may be parts of a secret; later texts have no beginning."""
    first = sse(chat({"content": "one two thr"}), chat(tool(0, '{"a": "x y', "f")))
    second = sse(chat({"content": "ee four"}), chat(tool(0, 'z"}')), chat({"reasoning": "hidden thought"}))
    stored = json.loads(assembled(first + gap_mark(1000).decode() + second))
    assert stored["missing_bytes"] == 1000
    (choice,) = stored["choices"]
    assert choice["text"] == f"one two {GAP} four"
    assert choice["reasoning"] == f"{GAP} thought"
    assert choice["tool_calls"] == [{"name": "f", "arguments": f'{{"a": "x {GAP}"}}'}]


def test_whole_arguments_have_no_gap() -> None:
    """As those of Ollama's tool calls, or of none."""
    call = {"function": {"name": "f", "arguments": {"a": "x y"}}}
    first = lines({"message": {"tool_calls": [call, {"function": {"name": "g"}}]}, "done": False})
    stored = json.loads(assembled(first + gap_mark(9).decode() + lines({"message": {}, "done": True})))
    assert stored["choices"][0]["tool_calls"] == [{"name": "f", "arguments": {"a": "x y"}}, {"name": "g"}]


def test_a_stream_that_is_nested_too_deeply_is_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool call may have any arguments."""

    def fail(value: object) -> object:
        del value
        raise RecursionError

    monkeypatch.setattr(streams, "compacted", fail)
    assert json.loads(assembled(OLLAMA)) == {"events": 5, "note": "the stream cannot be shown"}


def test_a_gap_in_the_middle_of_an_event() -> None:
    """Both halves are unread."""
    events = sse(*(chat({"content": f"word{number} "}) for number in range(9)))
    middle = len(events) // 2
    stored = json.loads(assembled(events[:middle] + gap_mark(7).decode() + events[middle + 7 :]))
    assert stored["unread_events"] == 1
    assert stored["choices"][0]["text"].startswith("word0 word1 word2 word3 ")
    assert stored["choices"][0]["text"].endswith(" word8 ")
    assert split_at_gap("no gap") == ("no gap", "", 0)


@pytest.mark.parametrize(
    ("text", "without_last", "without_first"),
    [
        ("", "", ""),
        ("a b", "a ", " b"),
        ("a ", "a ", " "),
        (" a", " ", " a"),
        ("abc", "", ""),
        ('x="a', 'x="', '"a'),
        ("\u4f60\u597d", "\u4f60\u597d", "\u4f60\u597d"),
        ("\u4f60abc", "\u4f60", "\u4f60abc"),
        ("a" * 9000, "", ""),
    ],
)
def test_incomplete_words(text: str, without_last: str, without_first: str) -> None:
    """In texts without spaces, only what may belong to a key."""
    assert without_last_word(text) == without_last
    assert without_first_word(text) == without_first


def test_events_of_two_dialects_cause_no_error() -> None:
    """A proxied engine may send anything, such as a usage that is no object before one that is."""
    stream = (
        'data: {"choices": [], "usage": [1]}\n\n'
        'data: {"type": "message_delta", "usage": {"output_tokens": 3}, "delta": {}}\n\n'
    )
    assert json.loads(assembled(stream))["usage"] == {"output_tokens": 3}

"""The official Anthropic client."""

import os
import signal
from typing import Any

import anthropic
from anthropic import Anthropic
from cases import (
    CHAT,
    EMBED,
    FEW,
    HELLO,
    MORE,
    PARAMETERS,
    SMALL,
    TOO_LONG,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    TOOLS,
    UNKNOWN,
    URL,
    check,
    check_arguments,
    raises,
    run,
    two_at_once,
)

client = Anthropic(base_url=URL, api_key="none", timeout=60)
MESSAGES: Any = [{"role": "user", "content": HELLO}]
KIND: Any = [{"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "input_schema": PARAMETERS}]


def plain() -> None:
    answer: Any = client.messages.create(model=CHAT, max_tokens=FEW, messages=MESSAGES)
    check(answer.content[0].text and answer.type == "message", answer)
    check(answer.stop_reason in ("end_turn", "max_tokens"), answer)
    check(answer.usage.output_tokens > 0 and answer.usage.input_tokens > 0, answer)
    check(answer._request_id, "no request-id")
    other = Anthropic(base_url=f"{URL}/v1", api_key="none", timeout=60)
    check(other.messages.create(model=CHAT, max_tokens=2, messages=MESSAGES).content, "base URL with /v1")
    some = client.messages.create(model="claude-opus-4-8", max_tokens=2, messages=MESSAGES)
    check(some.content, "claude-*")


def stream() -> None:
    with client.messages.stream(model=CHAT, max_tokens=FEW, messages=MESSAGES) as events:
        kinds = [event.type for event in events]
        final = events.get_final_message()
    check(kinds.count("content_block_delta") > 2, kinds)
    check(kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds)
    check(final.stop_reason in ("end_turn", "max_tokens") and final.usage.output_tokens > 0, final)


def tools() -> None:
    choices: Any = ({"type": "any"}, {"type": "tool", "name": TOOL_NAME})
    for wanted in choices:
        answer = client.messages.create(
            model=TOOLS, max_tokens=MORE, messages=MESSAGES, tools=KIND, tool_choice=wanted
        )
        calls: Any = [block for block in answer.content if block.type == "tool_use"]
        check(calls and calls[0].id and calls[0].name == TOOL_NAME, answer)
        check_arguments(calls[0].input)
    with client.messages.stream(model=TOOLS, max_tokens=MORE, messages=MESSAGES, tools=KIND) as events:
        final = events.get_final_message()
    calls = [block for block in final.content if block.type == "tool_use"]
    check(calls and final.stop_reason == "tool_use", final)
    check_arguments(calls[0].input)
    answered: Any = [
        *MESSAGES,
        {"role": "assistant", "content": [call.model_dump() for call in calls]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": c.id, "content": "Sunny"} for c in calls],
        },
    ]
    check(client.messages.create(model=TOOLS, max_tokens=FEW, messages=answered, tools=KIND).content)


def error() -> None:
    with raises(anthropic.NotFoundError, CHAT, "not_found_error"):
        client.messages.create(model=UNKNOWN, max_tokens=FEW, messages=MESSAGES)
    with raises(anthropic.NotFoundError, "not_found_error"):
        client.models.retrieve(UNKNOWN)


def overflow() -> None:
    messages: Any = [{"role": "user", "content": TOO_LONG}]
    with raises(anthropic.BadRequestError, "invalid_request_error", "prompt is too long:", "maximum"):
        client.messages.create(model=SMALL, max_tokens=FEW, messages=messages)
    with (
        raises(anthropic.BadRequestError, "invalid_request_error", "prompt is too long:"),
        client.messages.stream(model=SMALL, max_tokens=FEW, messages=messages) as events,
    ):
        events.get_final_message()


def parallel() -> None:
    two_at_once(lambda: client.messages.create(model=CHAT, max_tokens=FEW, messages=MESSAGES).content)


def more() -> None:
    counted = client.messages.count_tokens(model=CHAT, messages=MESSAGES)
    check(counted.input_tokens > 3, counted)
    page = client.models.list()
    check(CHAT in [model.id for model in page], page)
    model = client.models.retrieve(CHAT)
    check(model.type == "model" and model.display_name and model.created_at.year > 2000, model)
    first = client.models.list(limit=1)
    check(len(first.data) == 1 and first.has_more, first)
    check(len(list(first)) >= 4, "paging")
    rich: Any = {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "stop_sequences": ["zzz"],
        "metadata": {"user_id": "someone"},
    }
    check(client.messages.create(model=CHAT, max_tokens=FEW, messages=MESSAGES, **rich).content)
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    check(client.messages.create(model=CHAT, max_tokens=1100, messages=MESSAGES, thinking=thinking).content)
    beta = client.beta.messages.create(model=CHAT, max_tokens=FEW, messages=MESSAGES)
    check(beta.content, beta)
    with raises(anthropic.BadRequestError, "invalid_request_error"):
        client.messages.create(model=EMBED, max_tokens=FEW, messages=MESSAGES)


received: list[object] = []


def fault_stream(model: str, on_part: Any = None) -> None:
    """Read a stream to its end; one that fails has to raise."""
    patient = Anthropic(base_url=URL, api_key="none", timeout=30, max_retries=0)
    parts = patient.messages.create(model=model, max_tokens=1000, messages=MESSAGES, stream=True)
    received.clear()
    for number, part in enumerate(parts):
        received.append(part)
        if on_part is not None and number == 2:
            on_part()


def died() -> None:
    with raises(anthropic.APIError):
        fault_stream("dies")
    check(len(received) > 2, "it failed before the first part")


def torn() -> None:
    # In the middle of an event: what arrived has no valid JSON, and the client may raise what its parser raises.
    with raises(Exception):
        fault_stream("tears")
    check(len(received) > 2, "it failed before the first part")


def stalled() -> None:
    with raises(anthropic.APIError):
        fault_stream("stalls")
    check(len(received) > 2, "it failed before the first part")


def late_load() -> None:
    with raises(anthropic.APIError, "scripted failure"):
        fault_stream("fails-late")


def shutdown() -> None:
    with raises(anthropic.APIError):
        fault_stream("slow", lambda: os.kill(int(os.environ["GGLIB_PID"]), signal.SIGINT))


run(
    {
        "plain": plain,
        "stream": stream,
        "tools": tools,
        "error": error,
        "overflow": overflow,
        "parallel": parallel,
        "more": more,
        "died": died,
        "torn": torn,
        "stalled": stalled,
        "late_load": late_load,
        "shutdown": shutdown,
    }
)

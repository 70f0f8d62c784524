"""The official OpenAI client: chat completions, or with ``VARIANT=responses`` the Responses API."""

import os
import signal
from typing import Any

import openai
from cases import (
    CHAT,
    EMBED,
    ENOUGH,
    FEW,
    HELLO,
    MORE,
    PARAMETERS,
    SMALL,
    TOO_LONG,
    TOOL,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    TOOLS,
    UNKNOWN,
    URL,
    VARIANT,
    check,
    check_arguments,
    raises,
    run,
    two_at_once,
)
from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(base_url=f"{URL}/v1", api_key="none", timeout=60)
MESSAGES: Any = [{"role": "user", "content": HELLO}]


def plain() -> None:
    answer = client.chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=FEW)
    check(answer.choices[0].message.content, answer)
    check(answer.choices[0].finish_reason in ("stop", "length"), answer)
    check(answer.usage and answer.usage.completion_tokens > 0, answer)
    check(answer.model == CHAT, answer)


def stream() -> None:
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model=CHAT, messages=MESSAGES, max_tokens=FEW, stream=True, stream_options=options
        )
    )
    check(len(chunks) > 3, f"{len(chunks)} chunks")
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    check(len(reasons) == 1, reasons)
    check(chunks[-1].usage and chunks[-1].usage.completion_tokens > 0, chunks[-1])
    without = list(client.chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=FEW, stream=True))
    check(all(chunk.usage is None for chunk in without), "usage although it was not asked for")


def tools() -> None:
    kind: Any = [TOOL]
    choice: Any = {"type": "function", "function": {"name": TOOL_NAME}}
    for wanted in ("required", choice):
        answer = client.chat.completions.create(
            model=TOOLS, messages=MESSAGES, tools=kind, tool_choice=wanted, max_tokens=MORE
        )
        calls: Any = answer.choices[0].message.tool_calls
        check(calls, answer)
        check(calls[0].id and calls[0].function.name == TOOL_NAME, answer)
        check_arguments(calls[0].function.arguments)
    with client.chat.completions.stream(
        model=TOOLS, messages=MESSAGES, tools=kind, max_tokens=MORE
    ) as streamed:
        final = streamed.get_final_completion()
    calls = final.choices[0].message.tool_calls
    check(calls and final.choices[0].finish_reason == "tool_calls", final)
    answered: Any = [
        *MESSAGES,
        {"role": "assistant", "tool_calls": [call.model_dump(exclude={"index"}) for call in calls]},
        *({"role": "tool", "tool_call_id": call.id, "content": "Sunny"} for call in calls),
    ]
    again = client.chat.completions.create(model=TOOLS, messages=answered, tools=kind, max_tokens=FEW)
    check(again.choices, again)
    with raises(openai.BadRequestError, "tool"):
        client.chat.completions.create(
            model=CHAT, messages=MESSAGES, tools=kind, tool_choice="required", max_tokens=FEW
        )


def error() -> None:
    with raises(openai.NotFoundError, CHAT):
        client.chat.completions.create(model=UNKNOWN, messages=MESSAGES)
    with raises(openai.NotFoundError, CHAT):
        client.models.retrieve(UNKNOWN)


def overflow() -> None:
    messages: Any = [{"role": "user", "content": TOO_LONG}]
    for is_stream in (False, True):
        with raises(openai.BadRequestError, "context_length_exceeded"):
            client.chat.completions.create(model=SMALL, messages=messages, stream=is_stream)


def parallel() -> None:
    def ask() -> str | None:
        answer = client.chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=FEW)
        return answer.choices[0].message.content

    two_at_once(ask)


def more() -> None:
    names = [model.id for model in client.models.list()]
    check(CHAT in names and EMBED in names, names)
    check(client.models.retrieve(CHAT).owned_by == "gglib")
    vectors = client.embeddings.create(model=EMBED, input=["one", "two"])
    check(len(vectors.data) == 2 and len(vectors.data[0].embedding) > 8, vectors)
    short = client.embeddings.create(model=EMBED, input="one", dimensions=16)
    check(len(short.data[0].embedding) == 16, f"dimensions: {len(short.data[0].embedding)}")
    many = client.embeddings.create(model=EMBED, input=[f"text {n}" for n in range(300)])
    check([item.index for item in many.data] == list(range(300)), "indexes")
    check(client.completions.create(model=CHAT, prompt="Once", max_tokens=4).choices[0].text)
    two = client.chat.completions.create(
        model=CHAT, messages=MESSAGES, max_tokens=2, n=2, logprobs=True, top_logprobs=2
    )
    check(len(two.choices) == 2 and two.choices[0].logprobs, two)
    parsed = client.chat.completions.parse(
        model=TOOLS, messages=MESSAGES, max_tokens=MORE, response_format=City
    )
    check(parsed.choices[0].message.parsed, parsed)
    with raises(openai.BadRequestError):
        client.embeddings.create(model=CHAT, input="one")
    with raises(openai.BadRequestError):
        client.chat.completions.create(model=EMBED, messages=MESSAGES)


class City(BaseModel):
    """A structured response."""

    is_large: bool


def response_plain() -> None:
    answer = client.responses.create(model=CHAT, input=HELLO, max_output_tokens=FEW)
    check(answer.output_text and answer.usage and answer.usage.output_tokens > 0, answer)


def response_stream() -> None:
    kinds: list[str] = []
    numbers: list[int] = []
    # Its final response exists only where the text ended by itself: not at the limit of tokens.
    with client.responses.stream(model=CHAT, input=HELLO, max_output_tokens=ENOUGH) as events:
        for event in events:
            kinds.append(event.type)
            numbers.append(getattr(event, "sequence_number", -1))
        final = events.get_final_response()
    check(kinds.count("response.output_text.delta") > 2, kinds)
    for needed in ("response.created", "response.output_item.added", "response.output_item.done"):
        check(needed in kinds, f"no {needed}: {sorted(set(kinds))}")
    check(final.usage and final.usage.output_tokens > 0, final)
    raw = client.responses.create(model=CHAT, input=HELLO, max_output_tokens=FEW, stream=True)
    seen = [event.sequence_number for event in raw]
    check(seen == list(range(len(seen))), f"sequence numbers: {seen}")


def response_tools() -> None:
    kind: Any = [
        {"type": "function", "name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": PARAMETERS}
    ]
    choice: Any = {"type": "function", "name": TOOL_NAME}
    for wanted in ("required", choice):
        answer = client.responses.create(
            model=TOOLS, input=HELLO, tools=kind, tool_choice=wanted, max_output_tokens=MORE
        )
        calls: Any = [item for item in answer.output if item.type == "function_call"]
        check(calls, answer)
        check_arguments(calls[0].arguments)
    with client.responses.stream(model=TOOLS, input=HELLO, tools=kind, max_output_tokens=MORE) as events:
        kinds = {event.type for event in events}
        final = events.get_final_response()
    check("response.function_call_arguments.delta" in kinds, kinds)
    calls = [item for item in final.output if item.type == "function_call"]
    check(calls and calls[0].call_id, final)
    conversation: Any = [
        {"role": "user", "content": HELLO},
        *(
            {"type": "function_call", "call_id": c.call_id, "name": c.name, "arguments": c.arguments}
            for c in calls
        ),
        *({"type": "function_call_output", "call_id": c.call_id, "output": "Sunny"} for c in calls),
    ]
    check(client.responses.create(model=TOOLS, input=conversation, tools=kind, max_output_tokens=FEW).output)


def response_error() -> None:
    with raises(openai.NotFoundError, CHAT):
        client.responses.create(model=UNKNOWN, input=HELLO)
    with raises(openai.BadRequestError, "previous_response_id"):
        client.responses.create(model=CHAT, input=HELLO, previous_response_id="resp_1")


def response_overflow() -> None:
    with raises(openai.BadRequestError, "context_length_exceeded"):
        client.responses.create(model=SMALL, input=TOO_LONG)
    with raises(openai.BadRequestError, "context_length_exceeded"):
        list(client.responses.create(model=SMALL, input=TOO_LONG, stream=True))


def response_parallel() -> None:
    two_at_once(lambda: client.responses.create(model=CHAT, input=HELLO, max_output_tokens=FEW).output_text)


def response_more() -> None:
    parsed = client.responses.parse(model=TOOLS, input=HELLO, max_output_tokens=MORE, text_format=City)
    check(parsed.output_parsed is not None, parsed)
    counted = client.responses.input_tokens.count(model=CHAT, input=HELLO)
    check(counted.input_tokens > 3, counted)


received: list[object] = []


def fault_stream(model: str, on_part: Any = None) -> None:
    """Read a stream to its end; one that fails has to raise."""
    patient = OpenAI(base_url=f"{URL}/v1", api_key="none", timeout=30, max_retries=0)
    if VARIANT == "responses":
        parts: Any = patient.responses.create(model=model, input=HELLO, stream=True)
    else:
        parts = patient.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    received.clear()
    for number, part in enumerate(parts):
        received.append(part)
        if on_part is not None and number == 2:
            on_part()


def died() -> None:
    with raises(openai.APIError):
        fault_stream("dies")
    check(len(received) > 2, "it failed before the first part")


def torn() -> None:
    # In the middle of an event: what arrived has no valid JSON, and the client may raise what its parser raises.
    with raises(Exception):
        fault_stream("tears")
    check(len(received) > 2, "it failed before the first part")


def stalled() -> None:
    with raises(openai.APIError):
        fault_stream("stalls")
    check(len(received) > 2, "it failed before the first part")


def late_load() -> None:
    with raises(openai.APIError, "scripted failure"):
        fault_stream("fails-late")


def shutdown() -> None:
    with raises(openai.APIError):
        fault_stream("slow", lambda: os.kill(int(os.environ["GGLIB_PID"]), signal.SIGINT))


FAULTS = {"died": died, "torn": torn, "stalled": stalled, "late_load": late_load, "shutdown": shutdown}
CHAT_CASES = {
    "plain": plain,
    "stream": stream,
    "tools": tools,
    "error": error,
    "overflow": overflow,
    "parallel": parallel,
    "more": more,
}
RESPONSE_CASES = {
    "plain": response_plain,
    "stream": response_stream,
    "tools": response_tools,
    "error": response_error,
    "overflow": response_overflow,
    "parallel": response_parallel,
    "more": response_more,
}

run((RESPONSE_CASES if VARIANT == "responses" else CHAT_CASES) | FAULTS)

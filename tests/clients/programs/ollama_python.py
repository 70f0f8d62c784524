"""The official Ollama client."""

import json
import os
import signal
from typing import Any

import ollama
from cases import (
    CHAT,
    EMBED,
    FEW,
    HELLO,
    MORE,
    SMALL,
    TOO_LONG,
    TOOL,
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
from ollama import Client

client = Client(host=URL, timeout=60)
MESSAGES: Any = [{"role": "user", "content": HELLO}]
BRIEF: Any = {"num_predict": FEW}
KIND: Any = [TOOL]


def plain() -> None:
    answer = client.chat(model=CHAT, messages=MESSAGES, options=BRIEF)
    check(answer.message.content and answer.done and answer.model == CHAT, answer)
    check(answer.done_reason in ("stop", "length"), answer)
    check(answer.eval_count and answer.prompt_eval_count, answer)
    check(answer.total_duration and answer.eval_duration, answer)


def stream() -> None:
    parts = list(client.chat(model=CHAT, messages=MESSAGES, options=BRIEF, stream=True))
    check(len([part for part in parts if part.message.content]) > 3, f"{len(parts)} parts")
    check([part.done for part in parts] == [False] * (len(parts) - 1) + [True], "done")
    check(parts[-1].eval_count and parts[-1].done_reason, parts[-1])


def tools() -> None:
    answer = client.chat(model=TOOLS, messages=MESSAGES, tools=KIND, options={"num_predict": MORE})
    calls: Any = answer.message.tool_calls
    check(calls and calls[0].function.name == TOOL_NAME, answer)
    check_arguments(calls[0].function.arguments)
    parts = list(
        client.chat(model=TOOLS, messages=MESSAGES, tools=KIND, options={"num_predict": MORE}, stream=True)
    )
    streamed: Any = [call for part in parts for call in part.message.tool_calls or ()]
    check(streamed, parts)
    check_arguments(streamed[0].function.arguments)
    again = client.chat(
        model=TOOLS,
        messages=[*MESSAGES, answer.message, {"role": "tool", "tool_name": TOOL_NAME, "content": "Sunny"}],
        tools=KIND,
        options=BRIEF,
    )
    check(again.done, again)
    # The template of this model has no tools, and Ollama's API cannot require a call: it responds with text.
    check(client.chat(model=CHAT, messages=MESSAGES, tools=KIND, options=BRIEF).message.content)


def error() -> None:
    for is_stream in (False, True):
        with raises(ollama.ResponseError, CHAT, "404"):
            list(client.chat(model=UNKNOWN, messages=MESSAGES, stream=is_stream))
    with raises(ollama.ResponseError, "404"):
        client.show(UNKNOWN)


def overflow() -> None:
    with raises(ollama.ResponseError, "context"):
        client.chat(model=SMALL, messages=[{"role": "user", "content": TOO_LONG}])


def parallel() -> None:
    two_at_once(lambda: client.chat(model=CHAT, messages=MESSAGES, options=BRIEF).message.content)


def more() -> None:
    listed = {model.model: model for model in client.list().models}
    check(any(str(name).startswith(CHAT) for name in listed), list(listed))
    check(all(model.size and model.digest and model.modified_at for model in listed.values()), listed)
    shown = client.show(TOOLS)
    check("tools" in (shown.capabilities or ()) and "completion" in (shown.capabilities or ()), shown)
    info: Any = shown.modelinfo
    check(info[f"{info['general.architecture']}.context_length"] > 0, shown)
    check(shown.template and shown.details, shown)
    check(str(client.ps().models), "ps")
    whole = client.generate(model=CHAT, prompt="Once", options=BRIEF)
    check(whole.response and whole.done, whole)
    check(len(list(client.generate(model=CHAT, prompt="Once", options=BRIEF, stream=True))) > 3)
    check(client.generate(model=CHAT, prompt="Once", raw=True, options=BRIEF).response, "raw")
    vectors = client.embed(model=EMBED, input=["one", "two"])
    check(len(vectors.embeddings) == 2, vectors)
    check(len(client.embeddings(model=EMBED, prompt="one").embedding) > 8)
    shape = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
    formed = client.chat(model=TOOLS, messages=MESSAGES, format=shape, options={"num_predict": MORE})
    check(isinstance(json.loads(formed.message.content or "")["yes"], bool), formed)
    larger = client.chat(model=TOOLS, messages=MESSAGES, options={"num_predict": 2, "num_ctx": 4096})
    check(larger.done, larger)
    client.copy(TOOLS, "tiny-copy")
    check(client.chat(model="tiny-copy", messages=MESSAGES, options=BRIEF).done)
    client.delete("tiny-copy")
    with raises(ollama.ResponseError, "gglib search"):
        client.pull("llama3.2")
    with raises(ollama.ResponseError):
        client.embed(model=CHAT, input="one")
    check(client.generate(model=TOOLS, prompt="", keep_alive=0).done, "unload")


received: list[object] = []


def fault_stream(model: str, on_part: Any = None) -> None:
    """Read a stream to its end; one that fails has to raise."""
    parts = Client(host=URL, timeout=30).chat(model=model, messages=MESSAGES, stream=True)
    received.clear()
    for number, part in enumerate(parts):
        received.append(part)
        if on_part is not None and number == 2:
            on_part()


def died() -> None:
    with raises(ollama.ResponseError):
        fault_stream("dies")
    check(len(received) > 2, "it failed before the first part")


def torn() -> None:
    # In the middle of an event: what arrived has no valid JSON, and the client may raise what its parser raises.
    with raises(Exception):
        fault_stream("tears")
    check(len(received) > 2, "it failed before the first part")


def stalled() -> None:
    with raises(ollama.ResponseError):
        fault_stream("stalls")
    check(len(received) > 2, "it failed before the first part")


def late_load() -> None:
    with raises(ollama.ResponseError, "scripted failure"):
        fault_stream("fails-late")


def shutdown() -> None:
    with raises(ollama.ResponseError):
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

"""LiteLLM with one of its routes: ``VARIANT`` is openai, anthropic or ollama_chat."""

from typing import Any

import litellm
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
    VARIANT,
    NotApplicable,
    check,
    check_arguments,
    raises,
    run,
    two_at_once,
)
from litellm import completion

BASE = f"{URL}/v1" if VARIANT == "openai" else URL
MESSAGES = [{"role": "user", "content": HELLO}]


def ask(model: str, **options: Any) -> Any:
    settings = {"messages": MESSAGES, "max_tokens": FEW, "timeout": 60, **options}
    return completion(model=f"{VARIANT}/{model}", api_base=BASE, api_key="none", num_retries=0, **settings)


def plain() -> None:
    answer = ask(CHAT)
    check(answer.choices[0].message.content and answer.usage.completion_tokens > 0, answer)
    check(answer.choices[0].finish_reason in ("stop", "length"), answer)


def stream() -> None:
    chunks = list(ask(CHAT, stream=True, stream_options={"include_usage": True}))
    check(len(chunks) > 3, f"{len(chunks)} chunks")
    check(getattr(chunks[-1], "usage", None), chunks[-1])


def tools() -> None:
    answer = ask(TOOLS, tools=[TOOL], max_tokens=MORE)
    calls = answer.choices[0].message.tool_calls
    check(calls and calls[0].function.name == TOOL_NAME, answer)
    check_arguments(calls[0].function.arguments)
    chunks = list(ask(TOOLS, tools=[TOOL], max_tokens=MORE, stream=True))
    built = litellm.stream_chunk_builder(chunks)
    check(built.choices[0].message.tool_calls, built)
    check_arguments(built.choices[0].message.tool_calls[0].function.arguments)


def error() -> None:
    kinds = (
        litellm.NotFoundError
        if VARIANT != "ollama_chat"
        else (litellm.NotFoundError, litellm.APIConnectionError)
    )
    with raises(kinds, CHAT):
        ask(UNKNOWN)
    with raises(kinds, CHAT):
        list(ask(UNKNOWN, stream=True))


def overflow() -> None:
    kinds: Any = litellm.ContextWindowExceededError
    if VARIANT == "ollama_chat":
        kinds = (kinds, litellm.BadRequestError, litellm.APIConnectionError)
    with raises(kinds, "context" if VARIANT != "anthropic" else "too long"):
        ask(SMALL, messages=[{"role": "user", "content": TOO_LONG}])


def parallel() -> None:
    two_at_once(lambda: ask(CHAT).choices[0].message.content)


def more() -> None:
    if VARIANT == "anthropic":
        raise NotApplicable("no embeddings")
    route = "ollama" if VARIANT == "ollama_chat" else VARIANT
    vectors = litellm.embedding(model=f"{route}/{EMBED}", input=["one", "two"], api_base=BASE, api_key="none")
    check(len(vectors.data) == 2, vectors)
    if VARIANT == "ollama_chat":
        whole = completion(model=f"ollama/{CHAT}", messages=MESSAGES, api_base=BASE, max_tokens=FEW)
        check(whole.choices[0].message.content, whole)


run(
    {
        "plain": plain,
        "stream": stream,
        "tools": tools,
        "error": error,
        "overflow": overflow,
        "parallel": parallel,
        "more": more,
    }
)

"""Haystack: ``VARIANT`` is openai or ollama."""

from typing import Any

from cases import (
    CHAT,
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
    VARIANT,
    check,
    check_arguments,
    raises,
    run,
    two_at_once,
)
from haystack.dataclasses import ChatMessage
from haystack.tools import Tool
from haystack.utils import Secret

MESSAGES = [ChatMessage.from_user(HELLO)]


def generator(name: str, tokens: int = FEW, **options: Any) -> Any:
    if VARIANT == "openai":
        from haystack.components.generators.chat import OpenAIChatGenerator

        return OpenAIChatGenerator(
            api_key=Secret.from_token("none"),
            model=name,
            api_base_url=f"{URL}/v1",
            generation_kwargs={"max_tokens": tokens},
            max_retries=0,
            **options,
        )
    from haystack_integrations.components.generators.ollama import OllamaChatGenerator

    return OllamaChatGenerator(model=name, url=URL, generation_kwargs={"num_predict": tokens}, **options)


def own_errors() -> Any:
    if VARIANT == "openai":
        import openai

        return openai.APIStatusError
    import ollama

    return ollama.ResponseError


def plain() -> None:
    (reply,) = generator(CHAT).run(MESSAGES)["replies"]
    check(reply.text, reply)


def stream() -> None:
    parts: list[str] = []
    streaming = generator(CHAT, streaming_callback=lambda chunk: parts.append(chunk.content))
    (reply,) = streaming.run(MESSAGES)["replies"]
    check(len([part for part in parts if part]) > 3 and reply.text, parts)


def tools() -> None:
    weather = Tool(
        name=TOOL_NAME, description=TOOL_DESCRIPTION, parameters=PARAMETERS, function=lambda city: city
    )
    (reply,) = generator(TOOLS, MORE, tools=[weather]).run(MESSAGES)["replies"]
    check(reply.tool_calls and reply.tool_calls[0].tool_name == TOOL_NAME, reply)
    check_arguments(reply.tool_calls[0].arguments)


def error() -> None:
    with raises(own_errors(), CHAT):
        generator(UNKNOWN).run(MESSAGES)


def overflow() -> None:
    with raises(own_errors(), "context"):
        generator(SMALL).run([ChatMessage.from_user(TOO_LONG)])


def parallel() -> None:
    two_at_once(lambda: generator(CHAT).run(MESSAGES)["replies"])


run(
    {
        "plain": plain,
        "stream": stream,
        "tools": tools,
        "error": error,
        "overflow": overflow,
        "parallel": parallel,
    }
)

"""AutoGen's model clients: ``VARIANT`` is openai or ollama."""

from typing import Any, Literal

from autogen_core.models import UserMessage
from autogen_core.tools import FunctionTool
from cases import (
    CHAT,
    ENOUGH,
    FEW,
    HELLO,
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
    two_awaited,
)

INFO: Any = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "family": "unknown",
    "structured_output": False,
}
MESSAGES = [UserMessage(content=HELLO, source="user")]


def client_of(name: str, tokens: int = FEW) -> Any:
    if VARIANT == "openai":
        from autogen_ext.models.openai import OpenAIChatCompletionClient

        return OpenAIChatCompletionClient(
            model=name,
            base_url=f"{URL}/v1",
            api_key="none",
            model_info=INFO,
            max_tokens=tokens,
            max_retries=0,
        )
    from autogen_ext.models.ollama import OllamaChatCompletionClient

    return OllamaChatCompletionClient(model=name, host=URL, model_info=INFO, options={"num_predict": tokens})


def own_errors() -> Any:
    if VARIANT == "openai":
        import openai

        return openai.APIStatusError
    import ollama

    return ollama.ResponseError


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Return the current weather of a city."""
    return f"Sunny in {city}"


async def plain() -> None:
    answer = await client_of(CHAT).create(MESSAGES)
    check(answer.content and answer.usage.completion_tokens > 0, answer)


async def stream() -> None:
    parts = [part async for part in client_of(CHAT).create_stream(MESSAGES)]
    check(len(parts) > 3 and parts[-1].content, parts)


async def tools() -> None:
    weather = FunctionTool(get_weather, description=TOOL_DESCRIPTION)
    answer = await client_of(TOOLS, ENOUGH).create(MESSAGES, tools=[weather])
    check(isinstance(answer.content, list) and answer.content[0].name == TOOL_NAME, answer)
    if VARIANT == "ollama":
        # This client sends types and descriptions of the parameters only: any city is possible.
        check('"city"' in answer.content[0].arguments, answer)
    else:
        check_arguments(answer.content[0].arguments)


async def error() -> None:
    with raises(own_errors(), CHAT):
        await client_of(UNKNOWN).create(MESSAGES)


async def overflow() -> None:
    with raises(own_errors(), "context"):
        await client_of(SMALL).create([UserMessage(content=TOO_LONG, source="user")])


async def parallel() -> None:
    async def ask() -> Any:
        return (await client_of(CHAT).create(MESSAGES)).content

    await two_awaited(ask)


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

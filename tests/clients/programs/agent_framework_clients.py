"""Microsoft's Agent Framework: ``VARIANT`` is responses, chat or ollama."""

from typing import Any, Literal

from agent_framework import tool
from cases import (
    CHAT,
    CITIES,
    FEW,
    HELLO,
    MORE,
    SMALL,
    TOO_LONG,
    TOOLS,
    UNKNOWN,
    URL,
    VARIANT,
    check,
    raises,
    run,
    two_awaited,
)

called: list[str] = []


def client_of(name: str) -> Any:
    if VARIANT == "ollama":
        from agent_framework.ollama import OllamaChatClient

        return OllamaChatClient(host=URL, model=name)
    from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient

    kind: Any = OpenAIChatClient if VARIANT == "responses" else OpenAIChatCompletionClient
    return kind(model=name, base_url=f"{URL}/v1", api_key="none")


@tool(approval_mode="never_require")
def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Return the current weather of a city."""
    called.append(city)
    return f"Sunny in {city}"


async def ask(name: str, prompt: str = HELLO, tokens: int = FEW, **options: Any) -> str:
    answer = await client_of(name).get_response(prompt, options={"max_tokens": tokens, **options})
    return str(answer.text)


async def plain() -> None:
    check(await ask(CHAT))


async def stream() -> None:
    parts = [
        part async for part in client_of(CHAT).get_response(HELLO, stream=True, options={"max_tokens": FEW})
    ]
    check(len([part for part in parts if part.text]) > 3, f"{len(parts)} parts")


async def tools() -> None:
    client = client_of(TOOLS)
    # The model calls the tool in every turn.
    client.function_invocation_configuration["max_iterations"] = 2
    options = {"max_tokens": MORE, "tools": [get_weather]}
    if VARIANT == "responses":
        # Otherwise it continues by the id of the response, and engines store none.
        options["store"] = False
    await client.get_response(HELLO, options=options)
    check(called and set(called) <= set(CITIES), called)


async def error() -> None:
    with raises(Exception, CHAT):
        await ask(UNKNOWN)


async def overflow() -> None:
    with raises(Exception, "context"):
        await ask(SMALL, TOO_LONG)


async def parallel() -> None:
    await two_awaited(lambda: ask(CHAT))


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
